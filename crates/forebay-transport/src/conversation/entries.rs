//! Entries on their way to the client: read for it, put into its protocol's words, and how far it got.

use std::sync::Arc;

use forebay_cable::{Mark, ReaderId, Session, Wrap};
use forebay_hub::{Batch, Client, Delivery, Round};
use forebay_log::Offset;

use super::Conversation;

/// Where entries are read from.
pub(crate) trait Entries {
    /// False, and nothing is read, where the client has been called away.
    fn read(&mut self, client: &Client, session: &Session) -> bool;

    fn batch(&self) -> &Batch;
}

/// Read for this conversation.
impl Entries for Batch {
    fn read(&mut self, client: &Client, session: &Session) -> bool {
        client.read(session, self)
    }

    fn batch(&self) -> &Batch {
        self
    }
}

/// Perhaps read for another one.
impl Entries for Round {
    fn read(&mut self, client: &Client, session: &Session) -> bool {
        client.read_in(self, session)
    }

    fn batch(&self) -> &Batch {
        self.batch()
    }
}

impl Conversation {
    /// Where it stands on the stream that it reads, if that is one only.
    pub(crate) fn stands_at(&self) -> Option<Offset> {
        self.session.sole_reader().map(|reader| reader.position)
    }

    /// The envelope that its frames may share with others', see [`Session::shared_envelope`].
    pub(crate) fn shared_envelope(&self) -> Option<&Arc<[u8]>> {
        self.session.shared_envelope()
    }

    /// Reads what comes next. Whoever lacks something is told, which is said before these entries.
    ///
    /// False, and nothing is to be sent of it, where a signal waits that has to be heeded first, or where what others
    /// lack has to be [waited for](Session::waits_as_one).
    #[must_use]
    pub(crate) fn read(&mut self, entries: &mut impl Entries) -> bool {
        if !entries.read(&self.client, &self.session) {
            return false;
        }
        let batch = entries.batch();
        for reader in &batch.lost {
            self.lose(*reader, batch.head);
        }
        if batch.is_delayed {
            self.client.note_delay();
        }
        // Before it was read it did not wait, or nothing was read.
        batch.lost.is_empty() || !self.session.waits_as_one()
    }

    /// History has moved past this reader. Hardly ever: so it does not weigh on those who read.
    #[cold]
    fn lose(&mut self, reader: ReaderId, head: Offset) {
        self.client.note_behind(&self.session, reader);
        self.client.resync(&mut self.session, reader, head);
    }

    /// A delivery in the client's protocol. `None` if it gets nothing for it.
    pub(crate) fn wrap(&self, delivery: &Delivery) -> Option<Wrap<'_>> {
        self.session.wrap(delivery.reader, delivery.around())
    }

    /// The first `passed` deliveries of the batch are on their way, or are not for this client. Whether these
    /// are all.
    pub(crate) fn sent(&mut self, batch: &Batch, passed: usize) -> bool {
        for delivery in &batch.deliveries[..passed] {
            self.session.advance(delivery.reader, delivery.offset);
        }
        if batch.has_replays {
            let replayed = batch.deliveries[..passed].iter().map(Delivery::replayed_bytes);
            self.client.note_replay(replayed.sum());
        }
        let are_all = passed == batch.deliveries.len();
        if are_all && batch.complete && self.session.is_exact() {
            self.forget_seen(batch);
        }
        are_all
    }

    /// All readers have everything of this batch and before it: what their pages have seen may be of no use
    /// any more.
    #[cold]
    fn forget_seen(&mut self, batch: &Batch) {
        for delivery in &batch.deliveries {
            if let Some(commit) = delivery.message.as_ref().and_then(|message| message.commit()) {
                self.session.forget_seen(delivery.reader, commit);
            }
        }
    }

    /// Everything up to `head` is on its way.
    pub(crate) fn caught_up(&mut self, head: Offset) {
        if self.session.caught_up(head) {
            self.tell_members(head);
        }
    }

    /// The mark to send as a Ping behind the batch, if its client proves what it has got.
    pub(crate) fn next_mark(&self, batch: &Batch) -> Option<Mark> {
        self.session.next_mark(batch.head, !batch.deliveries.is_empty())
    }

    /// It is on its way, behind everything else.
    pub(crate) fn marked(&mut self, mark: Mark) {
        self.session.marked(mark);
    }
}
