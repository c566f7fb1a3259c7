//! From the session and the log to the socket: everything that is due, in as few writes as it
//! takes, with the bytes of large broadcasts shared by all connections.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use forebay_cable::{Mark, Session};
use forebay_hub::{Batch, Client, Delivery};
use smallvec::SmallVec;
use tokio::io::AsyncWrite;

use super::echoed;
use crate::ws::{self, FrameHead, Opcode};

/// Pongs that wait behind a full socket. A client that pings faster than it reads gets answers
/// to its latest pings only, which RFC 6455 (section 5.5.3) allows.
const PONGS_MAX: usize = 4;

/// Messages up to this size are copied to where the rest of their frames is, and larger ones are
/// written from where they are. Measured: for a few hundred bytes a slice of its own costs the kernel
/// more than a copy costs us, and one `write` less than a `writev`.
const COPIED_MAX: usize = 4 << 10;

thread_local! {
    /// Memory for one turn, reused by all connections of a thread.
    static SCRATCH: Cell<Scratch> = Cell::default();
}

#[derive(Default)]
struct Scratch {
    batch: Batch,
    /// What is to be written, but for large messages: answers and control frames, then deliveries,
    /// then the Ping.
    bytes: Vec<u8>,
    /// What the Ping behind all this proves.
    mark: Option<Mark>,
}

impl Scratch {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.batch.deliveries.is_empty() && self.mark.is_none()
    }

    fn clear(&mut self) {
        self.batch.deliveries.clear();
        self.bytes.clear();
        self.mark = None;
    }
}

#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "8 bytes instead of 32 in each connection")]
pub(super) struct Outgoing {
    /// What is left of what the socket took half of. Goes out before anything else. A large message
    /// in it is shared, not copied: ten thousand stalled sockets hold it once. Out of line: an idle
    /// connection has none.
    unsent: Option<Box<VecDeque<Bytes>>>,
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
        self.close_sent && self.unsent.is_none()
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
            let control = scratch.bytes.len();
            match self.poll_write(cx, io.as_mut(), &mut scratch, session, client) {
                Poll::Ready(Ok(all)) => {
                    if all && self.is_over(&scratch.batch, session, client) {
                        break Poll::Ready(Ok(()));
                    }
                }
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => {
                    self.hold(&scratch.bytes[..control]);
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
        let Some(unsent) = &mut self.unsent else { return Poll::Ready(Ok(())) };
        while let Some(piece) = unsent.front_mut() {
            let n = ready!(io.as_mut().poll_write(cx, piece))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            piece.advance(n);
            if piece.is_empty() {
                unsent.pop_front();
            }
        }
        self.unsent = None;
        Poll::Ready(Ok(()))
    }

    /// Nothing has come since `batch` was read, and all of it is written: there is no need to look again.
    fn is_over(&self, batch: &Batch, session: &mut Session, client: &Client) -> bool {
        let at_head = batch.complete && client.hub().position().offset == batch.head;
        if !at_head || self.unsent.is_some() || self.close_sent || self.close_answer.is_some() {
            return false;
        }
        session.caught_up(batch.head);
        !session.has_something_to_say()
    }

    /// Collects what is due now: first what the session says, then entries, then the end.
    fn gather(&mut self, scratch: &mut Scratch, session: &mut Session, client: &Client) {
        scratch.clear();
        for payload in std::mem::take(&mut self.pongs) {
            ws::append_control(&mut scratch.bytes, Opcode::Pong, &payload);
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
        }
        while let Some(text) = session.poll_transmit() {
            ws::append_text(&mut scratch.bytes, &text);
        }
        if let Some(code) = self.close_answer {
            ws::append_close(&mut scratch.bytes, code, "");
            self.close_sent = true;
        } else if let Some(close) = session.poll_close() {
            ws::append_close(&mut scratch.bytes, close.code as u16, close.reason);
            self.close_sent = true;
        }
    }

    /// Writes answers, deliveries and the Ping at once; whether all deliveries were taken. Pending if
    /// nothing was.
    fn poll_write<Io: AsyncWrite>(
        &mut self,
        cx: &mut Context<'_>,
        io: Pin<&mut Io>,
        scratch: &mut Scratch,
        session: &mut Session,
        client: &Client,
    ) -> Poll<io::Result<bool>> {
        let Scratch { batch, bytes, mark } = scratch;
        let control = bytes.len();
        let mut frames: SmallVec<[Frame<'_>; 4]> = SmallVec::new();
        for (index, delivery) in batch.deliveries.iter().enumerate() {
            frames.extend(Frame::append(bytes, index, delivery, session));
        }
        let ping = bytes.len();
        if let Some(mark) = mark {
            ws::append_control(bytes, Opcode::Ping, &mark.to_bytes());
        }
        let mut written = ready!(write(cx, io, bytes, &frames))?;

        self.hold(&bytes[written.min(control)..control]);
        written = written.saturating_sub(control);
        // A frame of which anything was taken is as good as sent: its rest goes out before
        // anything else. The others are read from the log again.
        let mut sent = 0;
        for frame in &frames {
            if written == 0 || self.unsent.is_some() {
                break;
            }
            sent += 1;
            frame.hold_rest(bytes, written, self);
            written = written.saturating_sub(frame.len());
        }
        // Deliveries without a frame are not for this client, and pass with those before them.
        let passed = frames.get(sent).map_or(batch.deliveries.len(), |unsent| unsent.index);
        let all = sent == frames.len();
        for delivery in &batch.deliveries[..passed] {
            session.advance(delivery.reader, delivery.offset);
        }
        if let (true, Some(mark)) = (all, *mark) {
            // It goes out behind the last frame, whole or in two pieces.
            self.hold(&bytes[(ping + written).min(bytes.len())..]);
            session.marked(mark);
        }
        client.hub().stats().deliveries.add(sent as u64);
        Poll::Ready(Ok(all))
    }

    fn hold(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.hold_shared(Bytes::copy_from_slice(bytes));
        }
    }

    fn hold_shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.unsent.get_or_insert_default().push_back(bytes);
        }
    }
}

/// Writes `bytes` with the large messages of `frames` between them; how many bytes were taken.
fn write<Io: AsyncWrite>(
    cx: &mut Context<'_>,
    io: Pin<&mut Io>,
    bytes: &[u8],
    frames: &[Frame<'_>],
) -> Poll<io::Result<usize>> {
    let mut slices: SmallVec<[IoSlice<'_>; 17]> = SmallVec::new();
    let mut begin = 0;
    for frame in frames {
        if let Some(message) = frame.message {
            slices.push(IoSlice::new(&bytes[begin..frame.split]));
            slices.push(IoSlice::new(message));
            begin = frame.split;
        }
    }
    let written = if slices.is_empty() {
        ready!(io.poll_write(cx, bytes))?
    } else {
        slices.push(IoSlice::new(&bytes[begin..]));
        ready!(io.poll_write_vectored(cx, &slices))?
    };
    if written == 0 && !bytes.is_empty() {
        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
    }
    Poll::Ready(Ok(written))
}

/// One delivery as a frame: where it is among the bytes to be written, and its message if that is
/// not among them.
struct Frame<'a> {
    /// Its place among the deliveries.
    index: usize,
    begin: usize,
    /// Where a large message goes.
    split: usize,
    end: usize,
    message: Option<&'a Bytes>,
}

impl<'a> Frame<'a> {
    /// `None` if the client gets nothing for it.
    fn append(
        bytes: &mut Vec<u8>,
        index: usize,
        delivery: &'a Delivery,
        session: &Session,
    ) -> Option<Self> {
        let wrap = session.wrap(delivery.reader, delivery.around())?;
        let (before, after) = (wrap.before.as_bytes(), wrap.after.as_bytes());
        let message = delivery.message.as_ref().map(|message| message.bytes());
        let message_len = message.map_or(0, Bytes::len);
        let head = FrameHead::new(Opcode::Text, before.len() + message_len + after.len());
        let begin = bytes.len();
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(before);
        let (copied, message) = match message {
            Some(message) if message_len > COPIED_MAX => (&[][..], Some(message)),
            Some(message) => (&message[..], None),
            None => (&[][..], None),
        };
        bytes.extend_from_slice(copied);
        let split = bytes.len();
        bytes.extend_from_slice(after);
        Some(Self { index, begin, split, end: bytes.len(), message })
    }

    fn len(&self) -> usize {
        self.end - self.begin + self.message.map_or(0, Bytes::len)
    }

    /// Holds what is behind the first `written` bytes.
    fn hold_rest(&self, bytes: &[u8], written: usize, outgoing: &mut Outgoing) {
        if written >= self.len() {
            return;
        }
        let before = &bytes[self.begin..self.split];
        outgoing.hold(&before[written.min(before.len())..]);
        let mut skip = written.saturating_sub(before.len());
        if let Some(message) = self.message {
            outgoing.hold_shared(message.slice(skip.min(message.len())..));
            skip = skip.saturating_sub(message.len());
        }
        outgoing.hold(&bytes[self.split + skip..self.end]);
    }
}
