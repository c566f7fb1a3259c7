//! Sessions that go on for others whose connection was lost, and clients that say where they stand on what
//! they have: AnyCable's.

use std::borrow::Cow;

use forebay_log::{Offset, StreamId, UnixMillis};

use super::left::{Left, Progress};
use super::subscription::{Reading, Start, Subscription};
use super::{Effect, Session, Step, Waiting};
use crate::command::{Claim, History, Identifier, Joining};
use crate::dialect::{Positions, Restoring};
use crate::ids::SubscriptionId;
use crate::wire::Envelope;

/// How long restored subscriptions wait for their client to say where it goes on, once it is welcomed. It does
/// so at once, if it does.
const HELD_MAX_MS: u64 = 5_000;

/// What is kept of a session that was lost, for the next one of the same client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    subscriptions: Vec<KeptSubscription>,
    left: Left,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct KeptSubscription {
    pub(super) identifier: Box<str>,
    pub(super) proven: Option<Offset>,
    /// As whom its client has said that it is present.
    pub(super) joining: Option<Joining>,
}

/// Identifiers and what of them is proven; then, of those that were left, digests, what was sent, what
/// is proven, and returns.
type KeptText<'a> = (Vec<(Cow<'a, str>, Option<u64>)>, Vec<(u64, u64, Option<u64>, u8)>);

/// The same; then, of those whose client is present, the index, the member's id and its info. Written only where
/// there are some, so that earlier versions can read all others.
type PresentText<'a> = (
    Vec<(Cow<'a, str>, Option<u64>)>,
    Vec<(u64, u64, Option<u64>, u8)>,
    Vec<(usize, Cow<'a, str>, Cow<'a, str>)>,
);

impl Kept {
    /// What it takes in memory, about.
    pub fn bytes(&self) -> usize {
        let joining = |s: &KeptSubscription| {
            s.joining.as_ref().map_or(0, |joining| joining.id.len() + joining.info.len())
        };
        let bytes = |s: &KeptSubscription| s.identifier.len() + joining(s) + 112;
        let subscriptions: usize = self.subscriptions.iter().map(bytes).sum();
        subscriptions + self.left.len() * 32 + 128
    }

    /// For the next process: JSON.
    pub fn to_json(&self) -> String {
        let number = |offset: Option<Offset>| offset.map(|offset| offset.0);
        let subscriptions = self.subscriptions.iter();
        let left = self.left.iter();
        let text: KeptText<'_> = (
            subscriptions.map(|s| ((&*s.identifier).into(), number(s.proven))).collect(),
            left.map(|(digest, left)| (*digest, left.sent.0, number(left.proven), left.returns))
                .collect(),
        );
        let joining = self.subscriptions.iter().enumerate();
        let joining = joining.filter_map(|(index, s)| {
            let Joining { id, info } = s.joining.as_ref()?;
            Some((index, Cow::from(id), Cow::from(info)))
        });
        let present: Vec<_> = joining.collect();
        let json = if present.is_empty() {
            serde_json::to_string(&text)
        } else {
            let present: PresentText<'_> = (text.0, text.1, present);
            serde_json::to_string(&present)
        };
        json.expect("texts and numbers encode")
    }

    /// Takes what [`to_json`](Self::to_json) made.
    pub fn from_json(json: &str) -> Option<Self> {
        let present = serde_json::from_str::<PresentText<'_>>(json);
        let (subscriptions, left, mut present) = present
            .or_else(|_| {
                let (subscriptions, left): KeptText<'_> = serde_json::from_str(json)?;
                Ok::<_, serde_json::Error>((subscriptions, left, Vec::new()))
            })
            .ok()?;
        let subscriptions =
            subscriptions.into_iter().enumerate().map(|(index, (identifier, proven))| {
                let joining = present.iter_mut().find(|(other, ..)| *other == index);
                let joining = joining.map(|(_, id, info)| Joining {
                    id: std::mem::take(id).into_owned(),
                    info: std::mem::take(info).into_owned(),
                });
                KeptSubscription {
                    identifier: identifier.into(),
                    proven: proven.map(Offset),
                    joining,
                }
            });
        let left = left.into_iter().map(|(digest, sent, proven, returns)| {
            (digest, Progress { sent: Offset(sent), proven: proven.map(Offset), returns })
        });
        Some(Self { subscriptions: subscriptions.collect(), left: left.collect() })
    }
}

impl Session {
    /// Whether what this session knows of the identifier is better than what its client says.
    pub(super) fn knows_better(&self, envelope: &Envelope, identifier: &Identifier) -> bool {
        let has_cursor = identifier.params.contains_key("cursor");
        self.dialect.knows_better(has_cursor, self.left.contains(envelope))
    }

    /// A ping interval is over, and with it the session's beginning: but not for what came before and waits.
    pub(super) fn age(&mut self) {
        if self.steps.is_empty() {
            self.dialect.age();
        } else if !self.steps.iter().any(|step| matches!(step, Step::Age)) {
            self.steps.push_back(Step::Age);
        }
    }

    /// Whether a client that keeps one position for a stream may have got something of it on this connection, under
    /// whatever identifier.
    pub fn has_begun(&self, stream: &str) -> bool {
        self.dialect.has_begun(stream)
    }

    /// The client says where it stands on a subscription that it has.
    pub(super) fn history(&mut self, identifier: &str, mut history: History) {
        let envelope = Envelope::new(identifier);
        let Some(index) = self.find(&envelope) else {
            self.rejections += 1;
            self.push(self.dialect.history(&envelope, false));
            return;
        };
        let subscription = &self.subscriptions[index];
        let id = subscription.id;
        // A time is less than a cursor, which is exact, and the client's clock may be wrong. So with a
        // cursor only streams that it names are placed; the others stay where they stand.
        let mut streams = subscription.read_streams();
        if subscription.goes_on() {
            let is_named =
                |stream| self.dialect.stream_name(stream).is_some_and(|s| history.names(s));
            streams.retain(|stream| is_named(*stream));
            history.since = None;
        }
        // The page has lived on and was subscribed all the time: its position is its own.
        let claim = Claim::History(history);
        self.waiting = Waiting::Place { id, owes_history: true };
        self.effect = Some(Box::new(Effect::Place { id, streams, claim }));
    }

    /// Answers [`Effect::Place`]: the client goes on from here.
    pub fn place(&mut self, id: SubscriptionId, starts: &[(StreamId, Start)]) {
        let owes_history = match self.waiting {
            Waiting::Place { id: other, owes_history } if other == id => owes_history,
            _ => return,
        };
        if owes_history {
            // Not before: until now it has got what was there, which need not be all.
            self.dialect.owe_history(id);
        }
        if let Some(index) = self.subscription_index(id) {
            for stream in self.subscriptions[index].streams() {
                self.dialect.begins(stream);
            }
            if self.subscriptions[index].place(starts) {
                self.lost(index);
            }
        }
        self.done();
    }

    // --- a session that goes on for another ---------------------------------------------------

    /// What the client's next session has to know, if it can go on for this one: its connection was
    /// lost, and neither side has ended it, or only this process ends.
    pub fn keep(&mut self) -> Option<Kept> {
        let kept = self.kept()?;
        let left = std::mem::take(&mut self.left);
        Some(Kept { left, ..kept })
    }

    /// The same at this moment, of a session that goes on.
    pub fn kept(&self) -> Option<Kept> {
        let may_come_back = self.close.as_ref().is_none_or(|close| close.is_restart());
        let is_open = self.restoring().is_some_and(|restoring| !restoring.is_deciding);
        (is_open && may_come_back && !self.subscriptions.is_empty()).then(|| {
            let subscriptions = self.subscriptions.iter();
            let subscriptions = subscriptions.map(|subscription| KeptSubscription {
                identifier: subscription.envelope.identifier_text().into(),
                proven: self.proven(subscription),
                joining: self.joining_of(subscription.id).cloned(),
            });
            Kept { subscriptions: subscriptions.collect(), left: self.left.clone() }
        })
    }

    /// What is remembered of the one that it goes on for. `None` for most, which can't.
    fn restoring(&self) -> Option<&Restoring> {
        // Asked for in each turn: most are known not to have it.
        let may_restore = self.manner.positions == Positions::ByStream;
        if may_restore { self.dialect.restoring() } else { None }
    }

    pub(super) fn held_until(&self) -> Option<UnixMillis> {
        self.restoring()?.held_until
    }

    pub(super) fn begin_restoring(&mut self, now: UnixMillis, kept: Kept) {
        if let Some(restoring) = self.dialect.restoring_mut() {
            restoring.is_deciding = true;
            restoring.held_until = Some(UnixMillis(now.0 + HELD_MAX_MS));
            self.left = kept.left;
            self.steps.extend(kept.subscriptions.into_iter().map(Step::Restore));
        } else {
            self.say_welcome();
        }
    }

    pub(super) fn end_restoring(&mut self) {
        if self.manner.positions != Positions::ByStream {
            return;
        }
        let Some(restoring) = self.dialect.restoring_mut() else { return };
        if !std::mem::take(&mut restoring.is_deciding) {
            return;
        }
        if self.subscriptions.is_empty() {
            // A client that gets nothing back subscribes anew.
            self.say_welcome();
        } else {
            let restored = self.subscriptions.iter().map(|subscription| &subscription.envelope);
            let text = self.dialect.welcome_back(self.id, &restored.collect::<Vec<_>>());
            self.push(text);
        }
    }

    /// Whether a restored subscription still waits for its client to say where it goes on.
    pub(super) fn holds_some(&self) -> bool {
        self.held_until().is_some() && self.subscriptions.iter().any(is_held)
    }

    /// Those that were restored and never said where they go on, go on where they were proven to
    /// be.
    pub(super) fn release_held(&mut self, now: UnixMillis) {
        let Some(restoring) = self.dialect.restoring_mut() else { return };
        if restoring.is_deciding {
            // A node that is behind takes its time, and the client is not welcomed yet. That time is not the client's.
            restoring.held_until = Some(UnixMillis(now.0 + HELD_MAX_MS));
            return;
        }
        if restoring.held_until.is_none_or(|until| now < until) {
            return;
        }
        restoring.held_until = None;
        let held = self.subscriptions.iter().filter(|subscription| is_held(subscription));
        let steps: Vec<_> = held.map(|subscription| Step::Release(subscription.id)).collect();
        self.steps.extend(steps);
        self.work_off();
    }

    pub(super) fn release(&mut self, id: SubscriptionId) {
        let subscription = self.subscription(id).filter(|subscription| is_held(subscription));
        let Some(subscription) = subscription else { return };
        let position = subscription.began_after().and_then(|proven| self.dialect.position(proven));
        let claim = position.map_or(Claim::None, Claim::After);
        let streams = subscription.read_streams();
        self.waiting = Waiting::Place { id, owes_history: false };
        self.effect = Some(Box::new(Effect::Place { id, streams, claim }));
    }
}

fn is_held(subscription: &Subscription) -> bool {
    subscription.reading == Reading::Held
}
