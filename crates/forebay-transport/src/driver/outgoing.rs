//! From the session and the log to the socket: everything that is due, in as few writes as it
//! takes, with the bytes of large broadcasts shared by all connections.

mod turn;

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use forebay_cable::Session;
use forebay_hub::{Batch, BatchId, Client, Delivery, Round};
use tokio::io::AsyncWrite;

use self::turn::{Made, Turn};
use super::echoed;
use crate::ws::{self, Opcode};

/// Pongs that wait behind a full socket. A client that pings faster than it reads gets answers
/// to its latest pings only, which RFC 6455 (section 5.5.3) allows.
const PONGS_MAX: usize = 4;

/// What one connection is written in one round: once, and once more for what came meanwhile.
const ROUND_WRITES_MAX: usize = 2;

/// What it is written in one turn of its task: at 256 KiB each, others wait a millisecond for it.
pub(super) const TURN_WRITES_MAX: usize = 8;

thread_local! {
    /// Memory for one turn, reused by all connections of a thread.
    static MEMORY: Cell<Option<Box<Memory>>> = const { Cell::new(None) };
}

#[derive(Default)]
struct Memory {
    batch: Batch,
    turn: Turn,
}

/// Where a turn's entries come from.
enum Source<'a> {
    /// Read for this connection, and how many writes are left to its turn.
    Log(&'a mut Batch, &'a mut usize),
    /// Perhaps read, and even framed, for another one.
    Round(&'a mut Round, usize),
}

#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "8 bytes instead of 24 or 32 in each connection")]
pub(super) struct Outgoing {
    /// What is left of what the socket took half of. Goes out before anything else. A large message
    /// in it is shared, not copied: ten thousand stalled sockets hold it once. Out of line: an idle
    /// connection has none.
    unsent: Option<Box<VecDeque<Bytes>>>,
    /// What goes out before all that the session says: pongs, and at first the answer to the handshake.
    /// Out of line, too.
    first: Option<Box<Vec<Box<[u8]>>>>,
    /// The code of the client's close frame, to be answered.
    close_answer: Option<u16>,
    close_sent: bool,
    /// The client's close frame came after ours, and so is its answer.
    close_answered: bool,
}

impl Outgoing {
    /// The client has closed, and our answer is on its way.
    pub(super) fn answers_close(&self) -> bool {
        self.close_answer.is_some()
    }

    /// The client has answered our close frame, mostly with its code: that says nothing of its page.
    pub(super) fn close_answered(&self) -> bool {
        self.close_answered
    }

    /// All is sent, the close frame included.
    pub(super) fn is_done(&self) -> bool {
        self.close_sent && self.unsent.is_none()
    }

    #[cfg(test)]
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

    pub(super) fn answer_close(&mut self, code: Option<u16>) {
        self.close_answered = self.close_sent;
        self.close_answer = Some(echoed(code));
    }

    /// Sends until nothing is due (ready), or until the socket is full or `writes` are used up (pending,
    /// to be woken).
    pub(super) fn poll<Io: AsyncWrite>(
        &mut self,
        cx: &mut Context<'_>,
        io: Pin<&mut Io>,
        session: &mut Session,
        client: &Client,
        writes: &mut usize,
    ) -> Poll<io::Result<()>> {
        let mut memory = MEMORY.take().unwrap_or_default();
        let Memory { batch, turn } = &mut *memory;
        let source = Source::Log(batch, writes);
        let outcome = self.poll_from(source, turn, cx, io, session, client);
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
        session: &mut Session,
        client: &Client,
        round: &mut Round,
    ) -> Poll<io::Result<()>> {
        let mut memory = MEMORY.take().unwrap_or_default();
        let source = Source::Round(round, ROUND_WRITES_MAX);
        let outcome = self.poll_from(source, &mut memory.turn, cx, io, session, client);
        MEMORY.set(Some(memory));
        outcome
    }

    fn poll_from<Io: AsyncWrite>(
        &mut self,
        mut source: Source<'_>,
        turn: &mut Turn,
        cx: &mut Context<'_>,
        mut io: Pin<&mut Io>,
        session: &mut Session,
        client: &Client,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_unsent(cx, io.as_mut()))?;
            if self.close_sent {
                return Poll::Ready(Ok(()));
            }
            // A publisher that is faster than the socket, or a long replay, would keep others waiting.
            if !source.takes_write() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.gather(turn, &mut source, session, client);
            let batch = source.batch();
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
            let all = self.note(turn, batch, written, session, client);
            let at_head = batch.complete && client.hub().position().offset == batch.head;
            let head = batch.head;
            source.count(turn.frames_sent(), client);
            // Nothing has come since the batch was read, and all of it is written: there is no need
            // to look again.
            if all && at_head && self.is_at_rest() {
                session.caught_up(head);
                if !session.has_something_to_say() {
                    return Poll::Ready(Ok(()));
                }
            }
        }
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

    /// Collects what is due now: first what the session says, then entries, then the end.
    fn gather(
        &mut self,
        turn: &mut Turn,
        source: &mut Source<'_>,
        session: &mut Session,
        client: &Client,
    ) {
        let over = session.poll_close().is_some() || self.close_answer.is_some();
        let mut mark = None;
        if over {
            source.clear();
        } else {
            if !source.read(session, client) {
                turn.begin();
                return;
            }
            let batch = source.batch();
            for reader in &batch.lost {
                client.resync(session, *reader, batch.head);
            }
            if batch.is_delayed {
                client.note_delay();
            }
            if batch.complete && batch.deliveries.is_empty() {
                session.caught_up(batch.head);
            }
            if batch.complete {
                mark = session.next_mark(batch.head, !batch.deliveries.is_empty());
            }
        }
        let entries_only =
            mark.is_none() && self.first.is_none() && !over && !session.has_something_to_say();
        let made = if entries_only { source.made(session) } else { None };
        if made.is_some() && made == turn.made {
            return;
        }
        turn.begin();
        for first in self.first.take().into_iter().flat_map(|first| *first) {
            turn.say(|bytes| bytes.extend_from_slice(&first));
        }
        while let Some(text) = session.poll_transmit() {
            turn.say(|bytes| ws::append_text(bytes, &text));
        }
        if let Some(code) = self.close_answer {
            turn.say(|bytes| ws::append_close(bytes, code, ""));
            self.close_sent = true;
        } else if let Some(close) = session.poll_close() {
            turn.say(|bytes| ws::append_close(bytes, close.code as u16, close.reason));
            self.close_sent = true;
        }
        turn.deliver(source.batch(), session);
        turn.prove(mark);
        turn.made = made;
    }

    /// Takes note of how much was written. Whether all of the deliveries were.
    fn note(
        &mut self,
        turn: &mut Turn,
        batch: &Batch,
        written: usize,
        session: &mut Session,
        client: &Client,
    ) -> bool {
        let passed = turn.pass(batch, written, |rest| self.hold_shared(rest));
        for delivery in &batch.deliveries[..passed] {
            session.advance(delivery.reader, delivery.offset);
        }
        if batch.has_replays {
            let replayed = batch.deliveries[..passed].iter().map(Delivery::replayed_bytes);
            client.note_replay(replayed.sum());
        }
        let all = passed == batch.deliveries.len();
        if let (true, Some(mark)) = (all, turn.mark()) {
            session.marked(mark);
        }
        all
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

impl Source<'_> {
    /// Takes one of the writes that are left. False if none is.
    fn takes_write(&mut self) -> bool {
        let writes = match self {
            Self::Log(_, writes) => &mut **writes,
            Self::Round(_, writes) => writes,
        };
        let has_one = *writes > 0;
        *writes = writes.saturating_sub(1);
        has_one
    }

    fn read(&mut self, session: &Session, client: &Client) -> bool {
        match self {
            Self::Log(batch, _) => client.read(session, batch),
            Self::Round(round, _) => client.read_in(round, session),
        }
    }

    fn batch(&self) -> &Batch {
        match self {
            Self::Log(batch, _) => batch,
            Self::Round(round, _) => round.batch(),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Log(batch, _) => batch.clear(),
            Self::Round(round, _) => round.clear(),
        }
    }

    /// What the frames of the batch will be called, if others can have them, too.
    fn made(&self, session: &Session) -> Option<Made> {
        let Self::Round(round, _) = self else { return None };
        let batch: BatchId = round.shared()?;
        Some(Made { batch, envelope: session.shared_envelope()?.clone() })
    }

    fn count(&mut self, deliveries: usize, client: &Client) {
        match self {
            Self::Log(..) => client.hub().stats().deliveries.add(deliveries as u64),
            Self::Round(round, _) => round.count(deliveries),
        }
    }
}
