//! The end of a conversation, whatever it came by: who hears of it, and what is remembered.

use forebay_hub::{Ending, Wake};

use super::Conversation;

/// What will be remembered of a conversation when it has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Memory {
    /// What its page has proven to have: it lives on, as far as anybody knows.
    Proven,
    /// Nothing: its page is gone, or its access was taken back.
    Nothing,
    /// Nothing, because something panicked: nobody knows how much its client has got.
    Failed,
}

impl Conversation {
    /// The client has said that its page is gone.
    pub(crate) fn unload(&mut self) {
        self.memory = Memory::Nothing;
        self.closed();
    }

    /// Its script has closed the connection, and may come back at once.
    pub(crate) fn client_closes(&mut self) {
        self.session.client_closes();
    }

    /// The client has closed the connection in order. Its page may be gone, or about to come back.
    pub(crate) fn closed(&mut self) {
        self.client.end_presence(Ending::Closed);
    }

    #[cfg(test)]
    pub(crate) fn is_unloaded(&self) -> bool {
        self.memory == Memory::Nothing
    }

    /// Channels hear that their subscriptions are over, and what the page has proven to have is kept.
    pub(crate) fn end(&mut self) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        self.application.end();
        if self.memory == Memory::Failed || self.client.has_failed() {
            self.hub().stats().panics.add(1);
            let session = self.id();
            tracing::error!(%session, "a panic has ended a connection; its client comes back");
        } else if self.memory == Memory::Proven {
            if let Some(kept) = self.session.keep() {
                self.client.keep_session(kept);
            }
            for (id, acknowledged) in self.session.acknowledged() {
                self.client.leave_page(id, acknowledged);
            }
        }
    }
}

/// A task that is aborted, or has panicked, is dropped without having come to its end; and so is the
/// answer of a request whose client has gone.
impl Drop for Conversation {
    fn drop(&mut self) {
        self.end();
        if let Some(means) = self.means {
            self.hub().leave(means);
        }
    }
}

/// A panic leaves the connection in the middle of something. It is marked while it is still locked, so
/// that nobody writes the beginning of a ws frame behind the half of another.
pub(crate) struct Failing<'a>(&'a Wake);

impl<'a> Failing<'a> {
    pub(crate) fn new(wake: &'a Wake) -> Self {
        Self(wake)
    }

    /// It went well.
    pub(crate) fn unless(self) {
        std::mem::forget(self);
    }
}

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        self.0.fail();
    }
}
