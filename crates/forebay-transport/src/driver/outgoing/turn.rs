//! One write: answers and control frames, then deliveries, then the Ping that proves them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use forebay_cable::{Mark, RECORD_END};
use forebay_hub::{Batch, Delivery, Scratch};
use smallvec::SmallVec;
use tokio::io::AsyncWrite;

use crate::conversation::Conversation;
use crate::ws::{self, FrameHead, Opcode};

/// Messages up to this size are copied to where the rest of their frames is, and larger ones are
/// written from where they are. Measured: for a few hundred bytes a slice of its own costs the kernel
/// more than a copy costs us, and one `write` less than a `writev`.
const COPIED_MAX: usize = 4 << 10;

/// What is to be written.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// All of it, but for large messages.
    bytes: Vec<u8>,
    /// Where the answers and control frames end.
    control: usize,
    frames: Vec<WsFrame>,
    /// Where the Ping begins.
    ping: usize,
    /// What the Ping proves.
    mark: Option<Mark>,
    /// Frames that were written of it.
    sent: usize,
    /// It is nothing but the batch in this envelope, which others may have as well.
    envelope: Option<Arc<[u8]>>,
}

/// In a round a turn is kept from one connection to the next.
impl Scratch for Turn {
    fn forget(&mut self) {
        self.envelope = None;
    }
}

/// One delivery as a frame: where it is among the bytes to be written.
#[derive(Debug)]
struct WsFrame {
    /// Its place among the deliveries.
    index: usize,
    begin: usize,
    /// Where its message goes, if that is large and not among the bytes.
    split: usize,
    end: usize,
    /// Bytes of the message.
    message: usize,
    /// Those of them that are not among the others.
    apart: usize,
}

impl Turn {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether it is the batch in this envelope, and nothing else. Pages of one tag mostly have their
    /// envelope in the same memory, and then are told apart by a look at its address.
    pub(super) fn is_framed_in(&self, envelope: &Arc<[u8]>) -> bool {
        let framed_in = self.envelope.as_ref();
        framed_in.is_some_and(|other| Arc::ptr_eq(other, envelope) || other == envelope)
    }

    /// Begins anew. With an `envelope` nothing is added but the batch in it.
    pub(super) fn begin(&mut self, envelope: Option<Arc<[u8]>>) {
        self.bytes.clear();
        self.frames.clear();
        self.control = 0;
        self.envelope = envelope;
    }

    /// Adds an answer, or a control frame.
    pub(super) fn say(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        append(&mut self.bytes);
        self.control = self.bytes.len();
    }

    /// Adds what the batch has for the session.
    pub(super) fn deliver(&mut self, batch: &Batch, conversation: &Conversation) {
        for (index, delivery) in batch.deliveries.iter().enumerate() {
            self.frames.extend(WsFrame::append(&mut self.bytes, index, delivery, conversation));
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

impl WsFrame {
    /// `None` if the client gets nothing for it.
    fn append(
        bytes: &mut Vec<u8>,
        index: usize,
        delivery: &Delivery,
        conversation: &Conversation,
    ) -> Option<Self> {
        let wrap = conversation.wrap(delivery)?;
        if wrap.is_retold {
            return Some(Self::append_retold(bytes, index, &wrap.parts(&[]).concat()));
        }
        let message = delivery.message.as_ref().map_or(&[][..], |message| &message.bytes()[..]);
        let [shared, before, message, after] = wrap.parts(message);
        let around = shared.len() + before.len() + after.len();
        let message_len = message.len();
        let head = FrameHead::new(Opcode::Text, around + message_len);
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
        Some(Self { index, begin, split, end: bytes.len(), message: message_len, apart })
    }

    /// Several texts, each a ws frame of its own, which pass together.
    #[cold]
    fn append_retold(bytes: &mut Vec<u8>, index: usize, texts: &[u8]) -> Self {
        let begin = bytes.len();
        for text in texts.split(|byte| *byte == RECORD_END).filter(|text| !text.is_empty()) {
            ws::append_text(bytes, text);
        }
        let end = bytes.len();
        Self { index, begin, split: end, end, message: 0, apart: 0 }
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
        let message = delivery.message.as_ref().filter(|_| self.message > 0);
        let message = message.map_or(Bytes::new(), |message| message.bytes().clone());
        let copied = self.message - self.apart;
        let before = &bytes[self.begin..self.split - copied];
        hold(Bytes::copy_from_slice(&before[written.min(before.len())..]));
        let written = written.saturating_sub(before.len());
        hold(message.slice(written.min(message.len())..));
        let written = written.saturating_sub(message.len());
        hold(Bytes::copy_from_slice(&bytes[self.split + written..self.end]));
    }
}
