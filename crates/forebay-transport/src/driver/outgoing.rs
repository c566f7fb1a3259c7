//! From the session and the log to the socket: everything that is due, in as few writes as it
//! takes, with the bytes of large broadcasts shared by all connections.

mod turn;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use forebay_hub::{Batch, Client, Round};
use tokio::io::AsyncWrite;

use self::turn::Turn;
use super::echoed;
use crate::conversation::Conversation;
use crate::ws::{self, Opcode};

/// Pongs that wait behind a full socket. A client that pings faster than it reads gets answers
/// to its latest pings only, which RFC 6455 (section 5.5.3) allows.
const PONGS_MAX: usize = 4;

/// What one connection is written in one round: once, and once more for what came meanwhile.
const ROUND_WRITES_MAX: usize = 2;

/// What it is written in one turn of its task: at 256 KiB each, others wait a millisecond for it.
pub(super) const TURN_WRITES_MAX: usize = 8;

/// Ticks that the end of a conversation may take, once one side wants it: at one and a half
/// seconds each, between four and a half and six seconds. Then the socket is closed as it is.
const CLOSE_TICKS_MAX: u8 = 3;

thread_local! {
    /// Memory for the turns of a thread's tasks, so that none has to allocate. Nothing is in it between two.
    static MEMORY: Cell<Option<Box<Memory>>> = const { Cell::new(None) };
}

#[derive(Default)]
struct Memory {
    batch: Batch,
    turn: Turn,
}

/// Where a turn's entries come from, and where it is made.
trait Supply {
    /// False where a signal has to be heeded first.
    fn read(&mut self, conversation: &mut Conversation) -> bool;

    /// Nothing more is to be delivered.
    fn clear(&mut self);

    /// The entries, the turn, and whether others are at the same place: then what was framed for one of
    /// them is still there.
    fn parts(&mut self) -> (&Batch, &mut Turn, bool);

    /// Counts entries that the socket has taken.
    fn count(&mut self, deliveries: usize, conversation: &Conversation);
}

/// For one connection, in its own task.
impl Supply for Memory {
    fn read(&mut self, conversation: &mut Conversation) -> bool {
        conversation.read(&mut self.batch)
    }

    fn clear(&mut self) {
        self.batch.clear();
    }

    fn parts(&mut self) -> (&Batch, &mut Turn, bool) {
        (&self.batch, &mut self.turn, false)
    }

    fn count(&mut self, deliveries: usize, conversation: &Conversation) {
        conversation.hub().delivered(&self.batch, deliveries);
    }
}

/// For those of a round, one after the other.
impl Supply for Round {
    fn read(&mut self, conversation: &mut Conversation) -> bool {
        conversation.read(self)
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn parts(&mut self) -> (&Batch, &mut Turn, bool) {
        let is_shared = self.is_shared();
        let (batch, turn) = self.batch_and_scratch();
        (batch, turn, is_shared)
    }

    fn count(&mut self, deliveries: usize, _: &Conversation) {
        self.count(deliveries);
    }
}

#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "8 bytes instead of 24 or 32 in each connection")]
pub(super) struct Outgoing {
    /// What is left of what the socket took half of. Goes out before anything else. A large message
    /// in it is shared, not copied: ten thousand stalled sockets hold it once. Out of line: an idle
    /// connection has none.
    unsent: Option<Box<VecDeque<Bytes>>>,
    /// What goes out before all that the session says: pongs, a ping, and at first the answer to the handshake.
    /// Out of line, too.
    first: Option<Box<Vec<Box<[u8]>>>>,
    /// The code of the client's close frame, to be answered.
    close_answer: Option<u16>,
    close_sent: bool,
    /// Ticks since one side wants to close.
    close_ticks: u8,
}

impl Outgoing {
    /// One more tick. True if the end, which our side or the client wants, has taken too long.
    pub(super) fn has_waited(&mut self, is_over: bool) -> bool {
        self.close_ticks += u8::from(is_over || self.close_answer.is_some());
        self.close_ticks > CLOSE_TICKS_MAX
    }

    /// All is sent, the close frame included.
    pub(super) fn is_done(&self) -> bool {
        self.close_sent && self.unsent.is_none()
    }

    /// Our close frame is on its way: the client's mostly answers it with its code, which says nothing of its
    /// page.
    pub(super) fn close_sent(&self) -> bool {
        self.close_sent
    }

    /// There is nothing that would go out before the next entry, or instead of it.
    pub(super) fn is_at_rest(&self) -> bool {
        self.unsent.is_none()
            && self.first.is_none()
            && self.close_answer.is_none()
            && !self.close_sent
    }

    /// The answer to the handshake, which leaves with the session's first words.
    pub(super) fn answer_handshake(&mut self, answer: Box<[u8]>) {
        self.first = (!answer.is_empty()).then(|| Box::new(vec![answer]));
    }

    pub(super) fn pong(&mut self, payload: &[u8]) {
        let pongs = self.first.get_or_insert_default();
        if pongs.len() == PONGS_MAX {
            pongs.remove(0);
        }
        let mut frame = Vec::new();
        ws::append_control(&mut frame, Opcode::Pong, payload);
        pongs.push(frame.into());
    }

    /// Asks the client whether it lives. Behind a full socket it is asked already: by what is in there, which it
    /// takes or not.
    pub(super) fn ping(&mut self) {
        if self.is_at_rest() {
            let mut frame = Vec::new();
            ws::append_control(&mut frame, Opcode::Ping, &[]);
            self.first.get_or_insert_default().push(frame.into());
        }
    }

    pub(super) fn answer_close(&mut self, code: Option<u16>) {
        self.close_answer = Some(echoed(code));
    }

    /// Sends until nothing is due (ready), or until the socket is full or `writes` are used up (pending,
    /// to be woken).
    pub(super) fn poll<Io: AsyncWrite>(
        &mut self,
        cx: &mut Context<'_>,
        io: Pin<&mut Io>,
        conversation: &mut Conversation,
        writes: &mut usize,
    ) -> Poll<io::Result<()>> {
        let mut memory = MEMORY.take().unwrap_or_default();
        let outcome = self.poll_from(&mut *memory, writes, cx, io, conversation);
        // The capacity is kept for the next connection, the messages are not.
        memory.batch.clear();
        MEMORY.set(Some(memory));
        outcome
    }

    /// The same, for one connection of a round.
    pub(super) fn poll_round<Io: AsyncWrite>(
        &mut self,
        cx: &mut Context<'_>,
        io: Pin<&mut Io>,
        conversation: &mut Conversation,
        round: &mut Round,
    ) -> Poll<io::Result<()>> {
        self.poll_from(round, &mut { ROUND_WRITES_MAX }, cx, io, conversation)
    }

    fn poll_from<Io: AsyncWrite>(
        &mut self,
        supply: &mut impl Supply,
        writes: &mut usize,
        cx: &mut Context<'_>,
        mut io: Pin<&mut Io>,
        conversation: &mut Conversation,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.unsent.is_some() {
                ready!(self.poll_unsent(cx, io.as_mut(), conversation.client()))?;
            }
            if self.close_sent {
                return Poll::Ready(Ok(()));
            }
            // A publisher that is faster than the socket, or a long replay, would keep others waiting.
            let Some(left) = writes.checked_sub(1) else {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            };
            *writes = left;
            let is_over = conversation.is_over() || self.close_answer.is_some();
            if is_over {
                supply.clear();
            } else if !supply.read(conversation) {
                return Poll::Ready(Ok(()));
            }
            let (batch, turn, is_shared) = supply.parts();
            self.gather(batch, turn, is_shared, is_over, conversation);
            if turn.is_empty() && batch.deliveries.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let written = match turn.poll_write(cx, io.as_mut(), batch) {
                Poll::Ready(Ok(written)) => written,
                // Answers are not in the log: they are held, should it be tried again.
                other => {
                    self.hold(turn.control());
                    return other.map_ok(|_| ());
                }
            };
            let passed = turn.pass(batch, written, |rest| self.hold_shared(rest));
            let all = conversation.sent(batch, passed);
            if let (true, Some(mark)) = (all, turn.mark()) {
                conversation.marked(mark);
            }
            let (head, frames) = (batch.head, turn.frames_sent());
            let at_head = batch.complete && conversation.hub().position().offset == head;
            supply.count(frames, conversation);
            // Nothing has come since the batch was read, and all of it is written: there is no need
            // to look again.
            if all && at_head && self.is_at_rest() {
                conversation.caught_up(head);
                if !conversation.has_something_to_say() {
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }

    #[cold]
    fn poll_unsent<Io: AsyncWrite>(
        &mut self,
        cx: &mut Context<'_>,
        mut io: Pin<&mut Io>,
        client: &Client,
    ) -> Poll<io::Result<()>> {
        let Some(unsent) = &mut self.unsent else { return Poll::Ready(Ok(())) };
        while let Some(piece) = unsent.front_mut() {
            let n = ready!(io.as_mut().poll_write(cx, piece))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            // The socket was full, and has room: its client takes what it is sent, and nobody can ask it
            // whether it lives before it has all of that.
            client.lives();
            piece.advance(n);
            if piece.is_empty() {
                unsent.pop_front();
            }
        }
        self.unsent = None;
        Poll::Ready(Ok(()))
    }

    /// Collects what is due now: first what the session says, then entries, then the end.
    fn gather(
        &mut self,
        batch: &Batch,
        turn: &mut Turn,
        is_shared: bool,
        is_over: bool,
        conversation: &mut Conversation,
    ) {
        let mut mark = None;
        if !is_over && batch.complete {
            if batch.deliveries.is_empty() {
                conversation.caught_up(batch.head);
            }
            mark = conversation.next_mark(batch);
        }
        let entries_only = mark.is_none()
            && self.first.is_none()
            && !is_over
            && !conversation.has_something_to_say();
        if entries_only && is_shared {
            let envelope = conversation.shared_envelope();
            if envelope.is_some_and(|envelope| turn.is_framed_in(envelope)) {
                return;
            }
            turn.begin(envelope.cloned());
        } else {
            turn.begin(None);
        }
        for first in self.first.take().into_iter().flat_map(|first| *first) {
            turn.say(|bytes| bytes.extend_from_slice(&first));
        }
        while let Some(text) = conversation.say() {
            turn.say(|bytes| ws::append_text(bytes, &text));
        }
        if let Some(code) = self.close_answer {
            turn.say(|bytes| ws::append_close(bytes, code, ""));
            self.close_sent = true;
        } else if let Some(close) = conversation.close() {
            turn.say(|bytes| ws::append_close(bytes, close.code as u16, close.reason));
            self.close_sent = true;
        }
        turn.deliver(batch, conversation);
        turn.prove(mark);
    }

    fn hold(&mut self, bytes: &[u8]) {
        self.hold_shared(Bytes::copy_from_slice(bytes));
    }

    fn hold_shared(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.unsent.get_or_insert_default().push_back(bytes);
        }
    }
}
