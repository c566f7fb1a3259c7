//! What the protocols say differently. Each has its say in one place, so that the session's rules
//! are the same for all.

use std::sync::Arc;

use bytes::Bytes;
use forebay_log::{Epoch, Offset, Position, StreamId, UnixMillis};

use super::extended::Extended;
use super::subscription::Subscription;
use super::{Hello, Session};
use crate::close::{DisconnectReason, RejectReason};
use crate::command::{Command, CommandError, Report};
use crate::wire::{self, Envelope, Protocol, events, forebay};

/// Reports that wait to be taken; the caller takes them after every message.
const REPORTS_MAX: usize = 64;

/// A protocol, and what it has to remember.
#[derive(Debug)]
pub(super) enum Dialect {
    ActionCable,
    Extended(Box<Extended>),
    Forebay(Box<Forebay>),
    EventSource(Box<EventSource>),
}

#[derive(Debug)]
pub(super) struct Forebay {
    epoch: Epoch,
    reports: Vec<Report>,
}

#[derive(Debug)]
pub(super) struct EventSource {
    epoch: Epoch,
    /// Everything up to here has been sent, on all streams.
    through: Offset,
    /// The last id that was sent.
    told: Offset,
}

impl Dialect {
    pub(super) fn new(hello: Hello) -> Self {
        let epoch = hello.epoch;
        match hello.protocol {
            Protocol::ActionCableV1Json => Self::ActionCable,
            Protocol::ActionCableV1ExtJson => Self::Extended(Box::new(Extended::new(epoch))),
            Protocol::ForebayV1Json => {
                Self::Forebay(Box::new(Forebay { epoch, reports: Vec::new() }))
            }
            Protocol::EventSource => {
                let (through, told) = (Offset::ZERO, Offset::ZERO);
                Self::EventSource(Box::new(EventSource { epoch, through, told }))
            }
        }
    }

    pub(super) fn protocol(&self) -> Protocol {
        match self {
            Self::ActionCable => Protocol::ActionCableV1Json,
            Self::Extended(_) => Protocol::ActionCableV1ExtJson,
            Self::Forebay(_) => Protocol::ForebayV1Json,
            Self::EventSource(_) => Protocol::EventSource,
        }
    }

    /// Decodes what this protocol has; anything else is unknown.
    pub(super) fn decode(&self, text: &str) -> Result<Vec<Command>, CommandError> {
        let mut commands = match self {
            Self::ActionCable | Self::Extended(_) => vec![Command::decode(text)?],
            Self::Forebay(_) | Self::EventSource(_) => Command::decode_all(text)?,
        };
        for command in &mut commands {
            let known = match (self, &mut *command) {
                (Self::ActionCable, Command::Subscribe { terms, .. }) => {
                    *terms = crate::command::Terms::default();
                    true
                }
                (Self::Extended(_), Command::Subscribe { terms, .. }) => {
                    terms.keep_history_only();
                    true
                }
                (Self::Forebay(_) | Self::EventSource(_), Command::Subscribe { terms, .. }) => {
                    terms.keep_position_only();
                    true
                }
                (
                    _,
                    Command::Unsubscribe { .. }
                    | Command::Perform { .. }
                    | Command::Ping
                    | Command::Pong,
                ) => true,
                (
                    _,
                    Command::History { .. } | Command::Whisper { .. } | Command::Presence { .. },
                ) => matches!(self, Self::Extended(_)),
                (_, Command::Report(_)) => matches!(self, Self::Forebay(_)),
            };
            if !known {
                return Err(CommandError::Unknown);
            }
        }
        Ok(commands)
    }

    /// The client keeps its own position for each subscription.
    pub(super) fn knows_positions(&self) -> bool {
        matches!(self, Self::Forebay(_) | Self::EventSource(_))
    }

    /// A client that takes its position from the confirmation must learn at the same moment that
    /// it lacks something: a connection can end between any two messages.
    pub(super) fn confirms_with_resync(&self) -> bool {
        matches!(self, Self::Forebay(_))
    }

    /// Whether what was sent to this subscription is to be proven by Pongs.
    pub(super) fn is_proven_by_pongs(&self, subscription: &Subscription) -> bool {
        match self {
            Self::ActionCable => subscription.has_cursor(),
            Self::Extended(_) => true,
            Self::Forebay(_) | Self::EventSource(_) => false,
        }
    }

    pub(super) fn opened(&mut self, stream: StreamId, name: Arc<str>) {
        if let Self::Extended(extended) = self {
            extended.opened(stream, name);
        }
    }

    pub(super) fn report(&mut self, report: Report) {
        if let Self::Forebay(ours) = self
            && ours.reports.len() < REPORTS_MAX
        {
            ours.reports.push(report);
        }
    }

    pub(super) fn take_reports(&mut self) -> Vec<Report> {
        match self {
            Self::Forebay(ours) => std::mem::take(&mut ours.reports),
            _ => Vec::new(),
        }
    }

    pub(super) fn sent(&mut self, offset: Offset) {
        if let Self::EventSource(source) = self {
            source.told = offset;
        }
    }

    pub(super) fn caught_up(&mut self, head: Offset) {
        if let Self::EventSource(source) = self {
            source.through = source.through.max(head);
        }
    }

    /// A position of the log that this session reads, for protocols that have positions.
    pub(super) fn position(&self, offset: Offset) -> Option<Position> {
        let epoch = match self {
            Self::ActionCable => return None,
            Self::Extended(extended) => extended.epoch,
            Self::Forebay(ours) => ours.epoch,
            Self::EventSource(source) => source.epoch,
        };
        Some(Position { epoch, offset })
    }
}

impl Session {
    /// How it talks.
    pub fn protocol(&self) -> Protocol {
        self.dialect.protocol()
    }

    pub(super) fn say_welcome(&mut self) {
        let text = match &self.dialect {
            Dialect::ActionCable | Dialect::Extended(_) => wire::welcome(self.id),
            Dialect::Forebay(_) => forebay::welcome(self.id, self.limits.ping_interval_ms),
            Dialect::EventSource(_) => Bytes::from_static(events::WELCOME),
        };
        self.push(text);
    }

    pub(super) fn say_ping(&mut self, now: UnixMillis) {
        let text = match &mut self.dialect {
            Dialect::EventSource(source) => {
                let moved = source.through > source.told;
                source.told = source.told.max(source.through);
                events::ping(moved.then_some(Position { epoch: source.epoch, offset: source.told }))
            }
            _ => wire::ping(now),
        };
        self.push(text);
    }

    pub(super) fn say_disconnect(&mut self, reason: DisconnectReason, reconnect: bool) {
        let text = wire::disconnect(reason, reconnect);
        let text = match &self.dialect {
            Dialect::EventSource(_) => events::named("disconnect", &text),
            _ => text,
        };
        self.push(text);
    }

    pub(super) fn say_confirm(&mut self, subscription: &Subscription, resync: bool) {
        let text = match &self.dialect {
            Dialect::ActionCable | Dialect::Extended(_) => subscription.envelope.confirm(),
            Dialect::Forebay(_) => {
                let at = subscription.sent().and_then(|sent| self.dialect.position(sent));
                let resync = resync.then(|| self.healing_wait_ms());
                forebay::confirm(&subscription.envelope, subscription.id, at, resync)
            }
            Dialect::EventSource(_) => Bytes::new(),
        };
        self.push(text);
    }

    pub(super) fn say_confirm_again(&mut self, index: usize) {
        let subscription = self.subscriptions.swap_remove(index);
        self.say_confirm(&subscription, false);
        self.subscriptions.push(subscription);
    }

    pub(super) fn say_reject(&mut self, envelope: &Envelope, reason: RejectReason) {
        let text = match &self.dialect {
            Dialect::ActionCable | Dialect::Extended(_) => envelope.reject(),
            Dialect::Forebay(_) => forebay::reject(envelope, reason),
            Dialect::EventSource(_) => events::named("reject", &forebay::reject(envelope, reason)),
        };
        self.push(text);
    }

    /// A channel's own message to one subscriber.
    pub(super) fn message_text(&self, subscription: &Subscription, json: &[u8]) -> Bytes {
        match &self.dialect {
            Dialect::EventSource(_) => events::message(json),
            _ => subscription.envelope.message(json),
        }
    }

    /// The subscription lacks something that history no longer has: its client is told.
    ///
    /// A client that keeps one position for several streams has them all begin again together,
    /// behind the newest: it reads the page again anyway.
    pub(super) fn lost(&mut self, index: usize) {
        // Ours is told at once how long to wait: its position and what it lacks are one message.
        if !matches!(self.dialect, Dialect::Forebay(_)) && self.waits_for_healing(index) {
            return;
        }
        let tells = self.tells_rendering(index);
        let wait_ms = self.healing_wait_ms();
        let subscription = &self.subscriptions[index];
        let newest = subscription.newest_sent().unwrap_or_default();
        let (id, json) = (subscription.id, subscription.resync.json());
        match &mut self.dialect {
            Dialect::ActionCable => {
                let text = tells.then(|| subscription.envelope.message(json));
                self.push(text.unwrap_or_default());
            }
            Dialect::Extended(extended) => {
                extended.reject_history(id);
                let rejected = subscription.envelope.typed("reject_history", format_args!(""));
                let refreshes = tells && subscription.resync.is_html();
                let text = refreshes.then(|| subscription.envelope.message(json));
                self.push(rejected);
                self.push(text.unwrap_or_default());
            }
            Dialect::Forebay(ours) => {
                let at = Position { epoch: ours.epoch, offset: newest };
                let text = forebay::resync(&subscription.envelope, id, at, wait_ms);
                self.subscriptions[index].advance_all(newest);
                self.push(text);
            }
            Dialect::EventSource(source) => {
                let at = Position { epoch: source.epoch, offset: newest };
                source.told = newest;
                self.push(events::resync(at, if tells { json } else { b"" }));
                self.subscriptions.iter_mut().for_each(|s| s.advance_all(newest));
            }
        }
    }

    /// The subscription lacks something, and rendering its page again has not helped.
    pub(super) fn say_unhealed(&mut self, index: usize) {
        const JSON: &[u8] = br#"{"type":"unhealed","reason":"foreign_epoch"}"#;
        let envelope = &self.subscriptions[index].envelope;
        let text = match &self.dialect {
            Dialect::Forebay(_) => {
                envelope.typed("unhealed", format_args!(r#","reason":"foreign_epoch""#))
            }
            Dialect::EventSource(_) => events::named("unhealed", JSON),
            // Turbo's element passes over what is no text.
            Dialect::ActionCable | Dialect::Extended(_) => envelope.message(JSON),
        };
        self.push(text);
    }

    /// A channel reads one more stream: where that begins before what was sent, the client's
    /// position goes back with it.
    pub(super) fn say_rewind(&mut self, index: usize) {
        let subscription = &self.subscriptions[index];
        let (Some(oldest), Some(newest)) = (subscription.sent(), subscription.newest_sent()) else {
            return;
        };
        if let (Dialect::Forebay(ours), true) = (&self.dialect, oldest < newest) {
            let at = Position { epoch: ours.epoch, offset: oldest };
            self.push(forebay::rewind(subscription.id, at));
        }
    }
}
