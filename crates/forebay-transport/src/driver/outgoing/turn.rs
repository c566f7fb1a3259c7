//! One write: answers and control frames, then deliveries, then the Ping that proves them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use forebay_cable::{Mark, Session};
use forebay_hub::{Batch, BatchId, Delivery};
use smallvec::SmallVec;
use tokio::io::AsyncWrite;

use crate::ws::{self, FrameHead, Opcode};

/// Messages up to this size are copied to where the rest of their frames is, and larger ones are
/// written from where they are. Measured: for a few hundred bytes a slice of its own costs the kernel
/// more than a copy costs us, and one `write` less than a `writev`.
const COPIED_MAX: usize = 4 << 10;

/// What is to be written.
#[derive(Default)]
pub(super) struct Turn {
    /// All of it, but for large messages.
    bytes: Vec<u8>,
    /// Where the answers and control frames end.
    control: usize,
    frames: Vec<Frame>,
    /// Where the Ping begins.
    ping: usize,
    /// What the Ping proves.
    mark: Option<Mark>,
    /// Frames that were written of it.
    sent: usize,
    /// What these bytes are, if others can be sent the same.
    pub(super) made: Option<Made>,
}

/// Names frames: one batch in one envelope. The envelope's memory is held, so that no other has its
/// address.
pub(super) struct Made {
    pub(super) batch: BatchId,
    pub(super) envelope: Arc<[u8]>,
}

impl PartialEq for Made {
    fn eq(&self, other: &Self) -> bool {
        self.batch == other.batch && Arc::ptr_eq(&self.envelope, &other.envelope)
    }
}

/// One delivery as a frame: where it is among the bytes to be written.
struct Frame {
    /// Its place among the deliveries.
    index: usize,
    begin: usize,
    /// Where its message goes, if that is large and not among the bytes.
    split: usize,
    end: usize,
    /// Bytes of that message.
    apart: usize,
}

impl Turn {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn begin(&mut self) {
        self.bytes.clear();
        self.frames.clear();
        self.control = 0;
        self.made = None;
    }

    /// Adds an answer, or a control frame.
    pub(super) fn say(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        append(&mut self.bytes);
        self.control = self.bytes.len();
    }

    /// Adds what the batch has for the session.
    pub(super) fn deliver(&mut self, batch: &Batch, session: &Session) {
        for (index, delivery) in batch.deliveries.iter().enumerate() {
            self.frames.extend(Frame::append(&mut self.bytes, index, delivery, session));
        }
    }

    /// Adds the Ping.
    pub(super) fn prove(&mut self, mark: Option<Mark>) {
        self.ping = self.bytes.len();
        self.mark = mark;
        if let Some(mark) = mark {
            ws::append_control(&mut self.bytes, Opcode::Ping, &mark.to_bytes());
        }
    }

    pub(super) fn control(&self) -> &[u8] {
        &self.bytes[..self.control]
    }

    pub(super) fn mark(&self) -> Option<Mark> {
        self.mark
    }

    pub(super) fn frames_sent(&self) -> usize {
        self.sent
    }

    /// Writes with one system call; how many bytes were taken. Pending if none was.
    pub(super) fn poll_write<Io: AsyncWrite>(
        &self,
        cx: &mut Context<'_>,
        io: Pin<&mut Io>,
        batch: &Batch,
    ) -> Poll<io::Result<usize>> {
        if self.bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut slices: SmallVec<[IoSlice<'_>; 17]> = SmallVec::new();
        let mut begin = 0;
        for frame in self.frames.iter().filter(|frame| frame.apart > 0) {
            if let Some(message) = &batch.deliveries[frame.index].message {
                slices.push(IoSlice::new(&self.bytes[begin..frame.split]));
                slices.push(IoSlice::new(message.bytes()));
                begin = frame.split;
            }
        }
        let written = if slices.is_empty() {
            ready!(io.poll_write(cx, &self.bytes))?
        } else {
            slices.push(IoSlice::new(&self.bytes[begin..]));
            ready!(io.poll_write_vectored(cx, &slices))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        Poll::Ready(Ok(written))
    }

    /// How many deliveries have passed with the first `written` bytes; `hold` is given what must follow
    /// them before anything else.
    ///
    /// A frame of which anything was taken is as good as sent: its rest is held. The others are read
    /// from the log again.
    pub(super) fn pass(
        &mut self,
        batch: &Batch,
        written: usize,
        mut hold: impl FnMut(Bytes),
    ) -> usize {
        let total = self.bytes.len() + self.frames.iter().map(|frame| frame.apart).sum::<usize>();
        if written == total {
            self.sent = self.frames.len();
            return batch.deliveries.len();
        }
        hold(Bytes::copy_from_slice(&self.bytes[written.min(self.control)..self.control]));
        let mut rest = written.saturating_sub(self.control);
        self.sent = 0;
        for frame in &self.frames {
            if rest == 0 {
                break;
            }
            self.sent += 1;
            if rest < frame.len() {
                frame.hold_rest(&self.bytes, &batch.deliveries[frame.index], rest, &mut hold);
            }
            rest = rest.saturating_sub(frame.len());
        }
        if self.sent == self.frames.len() {
            // The Ping goes out behind the last frame, whole or in two pieces.
            hold(Bytes::copy_from_slice(&self.bytes[(self.ping + rest).min(self.bytes.len())..]));
        }
        // Deliveries without a frame are not for this client, and pass with those before them.
        self.frames.get(self.sent).map_or(batch.deliveries.len(), |unsent| unsent.index)
    }
}

impl Frame {
    /// `None` if the client gets nothing for it.
    fn append(
        bytes: &mut Vec<u8>,
        index: usize,
        delivery: &Delivery,
        session: &Session,
    ) -> Option<Self> {
        let wrap = session.wrap(delivery.reader, delivery.around())?;
        let (shared, before, after) = (wrap.shared, wrap.before.as_bytes(), wrap.after.as_bytes());
        let message = delivery.message.as_ref().map_or(&[][..], |message| &message.bytes()[..]);
        let around = shared.len() + before.len() + after.len();
        let head = FrameHead::new(Opcode::Text, around + message.len());
        let begin = bytes.len();
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(shared);
        bytes.extend_from_slice(before);
        let apart = if message.len() > COPIED_MAX {
            message.len()
        } else {
            bytes.extend_from_slice(message);
            0
        };
        let split = bytes.len();
        bytes.extend_from_slice(after);
        Some(Self { index, begin, split, end: bytes.len(), apart })
    }

    fn len(&self) -> usize {
        self.end - self.begin + self.apart
    }

    /// Holds what is behind the first `written` bytes. The message is shared in any case: of ten
    /// thousand stalled sockets each would have its own copy for a long time.
    fn hold_rest(
        &self,
        bytes: &[u8],
        delivery: &Delivery,
        written: usize,
        hold: &mut impl FnMut(Bytes),
    ) {
        let message = delivery.message.as_ref().map_or(Bytes::new(), |m| m.bytes().clone());
        let copied = message.len() - self.apart;
        let before = &bytes[self.begin..self.split - copied];
        hold(Bytes::copy_from_slice(&before[written.min(before.len())..]));
        let written = written.saturating_sub(before.len());
        hold(message.slice(written.min(message.len())..));
        let written = written.saturating_sub(message.len());
        hold(Bytes::copy_from_slice(&bytes[self.split + written..self.end]));
    }
}
