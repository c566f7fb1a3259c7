//! Working off what the client said: one command at a time, in the order in which they came.

use super::left::Progress;
use super::{Effect, Pending, Restored, Session, Step, Waiting};
use crate::close::RejectReason;
use crate::command::{Claim, Command, Identifier, Terms};
use crate::ids::SubscriptionId;
use crate::wire::Envelope;

/// Steps that are taken without a look at anybody else. Where a session has all the subscriptions that
/// it may, finding one among them takes up to 20 µs.
const STEPS_AT_ONCE_MAX: usize = 16;

impl Session {
    /// Works off what nobody has to be asked about, up to the next thing that somebody has to be, or
    /// until others should have their turn.
    pub(super) fn work_off(&mut self) {
        let mut taken = 0;
        while matches!(self.waiting, Waiting::Nothing) && self.close.is_none() {
            if !matches!(self.steps.front(), Some(Step::Restore(_))) {
                self.end_restoring();
            }
            if taken == STEPS_AT_ONCE_MAX {
                break;
            }
            taken += 1;
            let Some(step) = self.steps.pop_front() else { break };
            match step {
                Step::Command(command) => self.carry_out(command),
                Step::Restore(kept) => {
                    let terms = Terms { joining: kept.joining, ..Terms::default() };
                    let restored = Some(Restored { proven: kept.proven });
                    self.subscribe(&kept.identifier, terms, restored);
                }
                Step::Release(id) => self.release(id),
                Step::Age => self.dialect.age(),
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Subscribe { identifier, terms } => self.subscribe(&identifier, terms, None),
            Command::Unsubscribe { identifier } => self.unsubscribe(&identifier),
            Command::Perform { identifier, action, data } => {
                let perform = |id| Effect::Perform { id, action, data };
                self.ask(&identifier, perform);
            }
            Command::History { identifier, history } => self.history(&identifier, history),
            Command::Whisper { identifier, json } => {
                self.ask(&identifier, |id| Effect::Whisper { id, json });
            }
            Command::Join { identifier, joining } => self.join(&identifier, joining),
            Command::Leave { identifier } => self.leave(&identifier),
            Command::Members { identifier, with_records } => {
                self.members(&identifier, with_records);
            }
            Command::Ping => self.push(self.dialect.pong()),
            Command::Pong => {}
            Command::Report(report) => self.dialect.report(report),
        }
    }

    /// A client that loses patience asks again while the answer is being found: that one answer
    /// serves both. (`@anycable/web` takes a second confirmation for a mistake and unsubscribes.)
    pub(super) fn is_answered_already(&self, command: &Command) -> bool {
        let (Waiting::Subscription(pending), Command::Subscribe { identifier, .. }) =
            (&self.waiting, command)
        else {
            return false;
        };
        let leaves = |step: &Step| matches!(step, Step::Command(Command::Unsubscribe { identifier: other }) if other == identifier);
        pending.envelope == Envelope::new(identifier) && !self.steps.iter().any(leaves)
    }

    fn subscribe(&mut self, text: &str, mut terms: Terms, restored: Option<Restored>) {
        self.last_subscription = self.last_subscription.next();
        let id = self.last_subscription;
        let envelope = Envelope::new(text);
        if let Some(index) = self.find(&envelope) {
            // Rails says nothing here, and its client then asks again every 500 ms for ever
            // (rails/rails#44652).
            self.say_confirm_again(index);
            return;
        }
        let full = self.subscriptions.len() >= self.limits.subscriptions_max;
        let long = text.len() > self.limits.identifier_bytes_max;
        let identifier = if full || long {
            Err(RejectReason::Limit)
        } else {
            // What names no channel is answered as a channel that does not exist.
            Identifier::decode(text).map_err(|_| RejectReason::Unauthorized)
        };
        let identifier = match identifier {
            Ok(identifier) => identifier,
            Err(reason) => {
                self.rejections += 1;
                if restored.is_none() {
                    self.say_reject(&envelope, reason);
                }
                return;
            }
        };
        let asks_history = matches!(terms.claim, Claim::History(_));
        if asks_history && self.knows_better(&envelope, &identifier) {
            terms.claim = Claim::None;
        }
        let quiet = terms.quiet;
        let after = match &terms.claim {
            Claim::After(position) => Some(position.offset),
            _ => None,
        };
        let pending = Pending { id, envelope, quiet, after, asks_history, restored };
        self.waiting = Waiting::Subscription(Box::new(pending));
        self.effect = Some(Box::new(Effect::Subscribe { id, identifier, terms }));
    }

    fn unsubscribe(&mut self, identifier: &str) {
        // An unknown one is no error: the client may have been rejected in the meantime.
        let Some(index) = self.find(&Envelope::new(identifier)) else {
            return;
        };
        let subscription = self.subscriptions.swap_remove(index);
        let id = subscription.id;
        self.forget_attending(id);
        let remembers = subscription.goes_on() && !self.keeps_positions();
        if let (true, Some(sent)) = (remembers, subscription.sent()) {
            let proven = self.proven(&subscription);
            let returns =
                if proven == subscription.began_after() { subscription.returns } else { 0 };
            let progress = Progress { sent, proven, returns };
            self.left.put(&subscription.envelope, progress, self.limits.left_max);
        }
        self.waiting = Waiting::Completion(id);
        let streams = subscription.streams();
        self.effect = Some(Box::new(Effect::Unsubscribe { id, streams }));
    }

    /// Asks the caller for something that concerns one subscription.
    fn ask(&mut self, identifier: &str, effect: impl FnOnce(SubscriptionId) -> Effect) {
        let envelope = Envelope::new(identifier);
        let Some(index) = self.find(&envelope) else {
            // Rails only logs this; the client would go on believing that it is subscribed.
            self.rejections += 1;
            self.say_reject(&envelope, RejectReason::NotSubscribed);
            return;
        };
        let id = self.subscriptions[index].id;
        self.waiting = Waiting::Completion(id);
        self.effect = Some(Box::new(effect(id)));
    }
}
