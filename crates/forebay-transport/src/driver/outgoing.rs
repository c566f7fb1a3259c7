//! From the session and the log to the socket: everything that is due, in as few `writev`s as it
//! takes, with the broadcasts' bytes shared by all connections.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use forebay_cable::{Mark, Session, Wrap};
use forebay_hub::{Batch, Client, Delivery};
use smallvec::SmallVec;
use tokio::io::AsyncWrite;

use super::echoed;
use crate::ws::{self, FrameHead, Opcode};

/// Pongs that wait behind a full socket. A client that pings faster than it reads gets answers
/// to its latest pings only, which RFC 6455 (section 5.5.3) allows.
const PONGS_MAX: usize = 4;

thread_local! {
    /// Memory for one turn, reused by all connections of a thread.
    static SCRATCH: Cell<Scratch> = Cell::default();
}

#[derive(Default)]
struct Scratch {
    batch: Batch,
    control: Vec<u8>,
    /// The Ping behind all this, and what it proves.
    mark: Option<Mark>,
    ping: Vec<u8>,
}

impl Scratch {
    fn is_empty(&self) -> bool {
        self.control.is_empty() && self.batch.deliveries.is_empty() && self.mark.is_none()
    }

    fn clear(&mut self) {
        self.batch.deliveries.clear();
        self.control.clear();
        self.mark = None;
        self.ping.clear();
    }
}

#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// What is left of what the socket took half of. Goes out before anything else. A message
    /// in it is shared, not copied: ten thousand stalled sockets hold it once.
    unsent: VecDeque<Bytes>,
    pongs: Vec<Box<[u8]>>,
    /// The code of the client's close frame, to be answered.
    close_answer: Option<u16>,
    close_sent: bool,
}

impl Outgoing {
    /// The client has closed, and our answer is on its way.
    pub(super) fn answers_close(&self) -> bool {
        self.close_answer.is_some()
    }

    /// All is sent, the close frame included.
    pub(super) fn is_done(&self) -> bool {
        self.close_sent && self.unsent.is_empty()
    }

    pub(super) fn pong(&mut self, payload: &[u8]) {
        if self.pongs.len() == PONGS_MAX {
            self.pongs.remove(0);
        }
        self.pongs.push(payload.into());
    }

    pub(super) fn answer_close(&mut self, code: Option<u16>) {
        self.close_answer = Some(echoed(code));
    }

    /// Sends until nothing is due (ready) or the socket is full (pending, to be woken).
    pub(super) fn poll<Io: AsyncWrite>(
        &mut self,
        cx: &mut Context<'_>,
        mut io: Pin<&mut Io>,
        session: &mut Session,
        client: &Client,
    ) -> Poll<io::Result<()>> {
        let mut scratch = SCRATCH.take();
        let outcome = loop {
            match self.poll_unsent(cx, io.as_mut()) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
            if self.close_sent {
                break Poll::Ready(Ok(()));
            }
            self.gather(&mut scratch, session, client);
            if scratch.is_empty() {
                break Poll::Ready(Ok(()));
            }
            match self.poll_write(cx, io.as_mut(), &scratch, session, client) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.hold(&scratch.control);
                    break Poll::Pending;
                }
            }
        };
        // The capacity is kept for the next connection, the messages are not.
        scratch.clear();
        SCRATCH.set(scratch);
        outcome
    }

    fn poll_unsent<Io: AsyncWrite>(
        &mut self,
        cx: &mut Context<'_>,
        mut io: Pin<&mut Io>,
    ) -> Poll<io::Result<()>> {
        while let Some(piece) = self.unsent.front_mut() {
            let n = ready!(io.as_mut().poll_write(cx, piece))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            piece.advance(n);
            if piece.is_empty() {
                self.unsent.pop_front();
            }
        }
        self.unsent = VecDeque::new();
        Poll::Ready(Ok(()))
    }

    /// Collects what is due now: first what the session says, then entries, then the end.
    fn gather(&mut self, scratch: &mut Scratch, session: &mut Session, client: &Client) {
        scratch.clear();
        for payload in std::mem::take(&mut self.pongs) {
            ws::append_control(&mut scratch.control, Opcode::Pong, &payload);
        }
        let over = session.poll_close().is_some() || self.close_answer.is_some();
        if !over {
            client.read(session, &mut scratch.batch);
            for reader in &scratch.batch.lost {
                client.hub().stats().resyncs_behind.add(1);
                session.resync(*reader, scratch.batch.head);
            }
            if scratch.batch.complete && scratch.batch.deliveries.is_empty() {
                session.caught_up(scratch.batch.head);
            }
        }
        if !over && scratch.batch.complete {
            let owed = !scratch.batch.deliveries.is_empty();
            scratch.mark = session.next_mark(scratch.batch.head, owed);
            if let Some(mark) = scratch.mark {
                ws::append_control(&mut scratch.ping, Opcode::Ping, &mark.to_bytes());
            }
        }
        while let Some(text) = session.poll_transmit() {
            ws::append_text(&mut scratch.control, &text);
        }
        if let Some(code) = self.close_answer {
            ws::append_close(&mut scratch.control, code, "");
            self.close_sent = true;
        } else if let Some(close) = session.poll_close() {
            ws::append_close(&mut scratch.control, close.code as u16, close.reason);
            self.close_sent = true;
        }
    }

    /// Writes control bytes and deliveries at once. Pending if nothing at all was taken.
    fn poll_write<Io: AsyncWrite>(
        &mut self,
        cx: &mut Context<'_>,
        io: Pin<&mut Io>,
        scratch: &Scratch,
        session: &mut Session,
        client: &Client,
    ) -> Poll<io::Result<()>> {
        let deliveries = &scratch.batch.deliveries;
        let frames: SmallVec<[Frame<'_>; 4]> =
            (0..).zip(deliveries).filter_map(|(index, d)| Frame::of(index, d, session)).collect();
        let mut slices: SmallVec<[IoSlice<'_>; 17]> = SmallVec::new();
        slices.push(IoSlice::new(&scratch.control));
        slices.extend(frames.iter().flat_map(Frame::slices));
        slices.push(IoSlice::new(&scratch.ping));
        let mut written = ready!(io.poll_write_vectored(cx, &slices))?;
        if written == 0 && slices.iter().any(|slice| !slice.is_empty()) {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }

        let control = written.min(scratch.control.len());
        self.hold(&scratch.control[control..]);
        written -= control;
        // A frame of which anything was taken is as good as sent: its rest goes out before
        // anything else. The others are read from the log again.
        let mut sent = 0;
        for frame in &frames {
            if written == 0 || !self.unsent.is_empty() {
                break;
            }
            sent += 1;
            frame.hold_rest(written, self);
            written = written.saturating_sub(frame.len);
        }
        // Deliveries without a frame are not for this client, and pass with those before them.
        let passed = frames.get(sent).map_or(deliveries.len(), |unsent| unsent.index);
        let all = sent == frames.len();
        drop(slices);
        drop(frames);
        for delivery in &deliveries[..passed] {
            session.advance(delivery.reader, delivery.offset);
        }
        if let (true, Some(mark)) = (all, scratch.mark) {
            // It goes out behind the last frame, whole or in two pieces.
            self.hold(&scratch.ping[written.min(scratch.ping.len())..]);
            session.marked(mark);
        }
        client.hub().stats().deliveries.add(sent as u64);
        Poll::Ready(Ok(()))
    }

    fn hold(&mut self, bytes: &[u8]) {
        self.hold_shared(Bytes::copy_from_slice(bytes));
    }

    fn hold_shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.unsent.push_back(bytes);
        }
    }
}

/// One delivery as a frame, none of its bytes copied.
struct Frame<'a> {
    /// Its place among the deliveries.
    index: usize,
    head: FrameHead,
    wrap: Wrap<'a>,
    message: &'a Bytes,
    len: usize,
}

/// Of an entry that is not for this client.
static NOTHING: Bytes = Bytes::new();

impl<'a> Frame<'a> {
    fn of(index: usize, delivery: &'a Delivery, session: &'a Session) -> Option<Self> {
        let wrap = session.wrap(delivery.reader, delivery.around())?;
        let message = delivery.message.as_ref().map_or(&NOTHING, |message| message.bytes());
        let payload = wrap.before.as_bytes().len() + message.len() + wrap.after.as_bytes().len();
        let head = FrameHead::new(Opcode::Text, payload);
        let len = head.as_bytes().len() + payload;
        Some(Self { index, head, wrap, message, len })
    }

    const MESSAGE_PART: usize = 2;

    fn parts(&self) -> [&[u8]; 4] {
        let Wrap { before, after } = &self.wrap;
        [self.head.as_bytes(), before.as_bytes(), self.message, after.as_bytes()]
    }

    fn slices(&self) -> [IoSlice<'_>; 4] {
        self.parts().map(IoSlice::new)
    }

    /// Holds what is behind the first `written` bytes.
    fn hold_rest(&self, written: usize, outgoing: &mut Outgoing) {
        let mut skip = written;
        for (index, part) in self.parts().into_iter().enumerate() {
            let skipped = skip.min(part.len());
            skip -= skipped;
            if index == Self::MESSAGE_PART {
                outgoing.hold_shared(self.message.slice(skipped..));
            } else {
                outgoing.hold(&part[skipped..]);
            }
        }
    }
}
