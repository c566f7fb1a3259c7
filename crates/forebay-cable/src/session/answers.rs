//! What the caller answers to effects, and what a channel may do at any time.

use std::sync::Arc;

use forebay_log::{Offset, StreamId};

use super::subscription::{Attachment, Reading, Start, Subscription};
use super::{Pending, Restored, Session, Waiting};
use crate::close::RejectReason;
use crate::dialect::Resync;
use crate::ids::SubscriptionId;

impl Session {
    /// Answers [`Effect::Subscribe`](super::Effect::Subscribe): the client is told, and from now on
    /// these streams can be read for it. The caller has registered for their entries *before* this
    /// call, so that nothing falls between what is read and what it is woken for.
    ///
    /// `goes_on` says that the identifier carries a cursor and always reads the same streams: then
    /// one that this session had left is to go on where it [was](Self::waiting_left), which the
    /// attachments say. An identifier without a cursor begins anew, since it may belong to a page
    /// that was rendered in between.
    pub fn confirm(&mut self, attachments: Vec<Attachment>, goes_on: bool, resync: Resync) {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Nothing);
        let Waiting::Subscription(pending) = waiting else {
            self.waiting = waiting;
            return;
        };
        let Pending { id, envelope, quiet, after, asks_history, restored } = *pending;
        self.last_confirmed = id;
        let left = self.left.take(&envelope);
        let mut subscription = Subscription::new(id, envelope, goes_on, resync);
        subscription.returns = left.map_or(0, |left| left.returns.saturating_add(1));
        let mut lost = false;
        let is_unhealed = attachments.iter().any(|new| new.start == Start::Unhealed);
        let has_presence = attachments.iter().any(|new| new.is_presence);
        for mut attachment in attachments {
            if attachment.is_presence {
                subscription.attach(attachment);
                continue;
            }
            if restored.is_some() && attachment.start == Start::Lost {
                // Its cursor is too old to begin at; where its client stands need not be.
                attachment.start = Start::After(Offset::ZERO);
                lost = true;
            }
            self.dialect.opened(attachment.stream, Arc::clone(&attachment.name));
            if restored.is_none() {
                self.dialect.begins(attachment.stream);
            }
            lost |= subscription.attach(attachment);
            self.is_exact |= subscription.is_exact();
        }
        if let Some(Restored { proven }) = restored {
            subscription.hold(proven, std::mem::take(&mut lost));
        } else if self.manner.heals_itself {
            if lost {
                subscription.advance_all(subscription.newest_sent().unwrap_or_default());
            }
            if lost || !quiet {
                self.say_confirm(&subscription, lost);
            } else if after.zip(subscription.sent()).is_some_and(|(after, sent)| after != sent) {
                // Its client was told to begin anew by a node that was behind, and its cursor is later.
                self.say_begins(&subscription);
            }
            lost = false;
        } else if !quiet {
            self.say_confirm(&subscription, false);
        }
        self.subscriptions.push(subscription);
        if has_presence {
            self.begin_attending(id, asks_history);
        }
        if asks_history {
            self.dialect.owe_history(id);
        }
        if lost {
            self.lost(self.subscriptions.len() - 1);
        }
        if is_unhealed {
            self.say_unhealed(self.subscriptions.len() - 1);
        }
        self.work_off();
    }

    /// Answers [`Effect::Subscribe`](super::Effect::Subscribe): no.
    pub fn reject(&mut self, reason: RejectReason) {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Nothing);
        if let Waiting::Subscription(pending) = waiting {
            if pending.restored.is_none() {
                self.say_reject(&pending.envelope, reason);
            }
            self.work_off();
        } else {
            self.waiting = waiting;
        }
    }

    /// Answers [`Effect::Perform`](super::Effect::Perform) and
    /// [`Effect::Unsubscribe`](super::Effect::Unsubscribe).
    pub fn done(&mut self) {
        if matches!(self.waiting, Waiting::Completion(_) | Waiting::Place { .. }) {
            self.waiting = Waiting::Nothing;
            self.work_off();
        }
    }

    /// Answers [`Effect::Whisper`](super::Effect::Whisper). A subscription that may not whisper is
    /// told so.
    pub fn whispered(&mut self, allowed: bool) {
        if let Waiting::Completion(id) = self.waiting {
            let refused = self.subscription(id).filter(|_| !allowed);
            if let Some(subscription) = refused {
                self.push(self.dialect.no_whispers(&subscription.envelope));
            }
            self.done();
        }
    }

    /// Sends a JSON value to one subscription. False if there is no such subscription.
    pub fn transmit(&mut self, id: SubscriptionId, json: &[u8]) -> bool {
        let Some(subscription) = self.subscription(id) else {
            return false;
        };
        let text = self.dialect.message(&subscription.envelope, json);
        self.push(text);
        true
    }

    /// Reads one more stream for a subscription. False if there is no such subscription, which
    /// leaves the stream with the caller.
    pub fn attach(&mut self, id: SubscriptionId, attachment: Attachment) -> bool {
        let Some(index) = self.subscription_index(id) else {
            return false;
        };
        self.dialect.opened(attachment.stream, Arc::clone(&attachment.name));
        if self.subscriptions[index].reading != Reading::Held {
            self.dialect.begins(attachment.stream);
        }
        let lost = self.subscriptions[index].attach(attachment);
        self.is_exact |= self.subscriptions[index].is_exact();
        if lost {
            self.lost(index);
        } else {
            self.say_rewind(index);
        }
        true
    }

    /// Stops reading a stream. True if it was read, and is the caller's to close again.
    pub fn detach(&mut self, id: SubscriptionId, stream: StreamId) -> bool {
        self.subscription_mut(id).is_some_and(|subscription| subscription.detach(stream))
    }

    /// Stops reading all streams of a subscription, and gives them back.
    pub fn detach_all(&mut self, id: SubscriptionId) -> Vec<StreamId> {
        self.subscription_mut(id).map_or_else(Vec::new, Subscription::detach_all)
    }

    /// Rejects a subscription that was confirmed; gives back its streams.
    pub fn revoke(&mut self, id: SubscriptionId) -> Vec<StreamId> {
        let Some(index) = self.subscription_index(id) else {
            return Vec::new();
        };
        let subscription = self.subscriptions.swap_remove(index);
        self.forget_attending(id);
        self.say_reject(&subscription.envelope, RejectReason::Unauthorized);
        subscription.streams()
    }
}
