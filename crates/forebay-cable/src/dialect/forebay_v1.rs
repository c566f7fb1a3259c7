//! `forebay-v1-json`: see docs/protocol.md. Its client keeps a position for each subscription, and says it.

use bytes::Bytes;
use forebay_log::{Epoch, Offset, Position, StreamId};
use smallvec::{SmallVec, smallvec};

use super::{Around, Dialect, Lack, Manner, Positions, Recipient, check};
use crate::close::RejectReason;
use crate::command::{Command, CommandError, Report, Terms};
use crate::ids::SessionId;
use crate::wire::{self, Envelope, Part, Wrap};

/// Reports that wait to be taken; the caller takes them after every message.
const REPORTS_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct ForebayV1 {
    epoch: Epoch,
    reports: Vec<Report>,
}

impl ForebayV1 {
    pub(super) fn new(epoch: Epoch) -> Self {
        Self { epoch, reports: Vec::new() }
    }

    fn at(&self, offset: Offset) -> Position {
        Position { epoch: self.epoch, offset }
    }
}

impl Dialect for ForebayV1 {
    fn manner(&self) -> Manner {
        Manner {
            positions: Positions::BySubscription,
            heals_itself: true,
            follows: false,
            shares_frames: false,
        }
    }

    fn decode(&self, text: &str) -> Result<Vec<Command>, CommandError> {
        let has = |command: &Command| matches!(command, Command::Report(_));
        check(Command::decode_all(text)?, Terms::keep_position_only, has)
    }

    fn welcome(&self, session: SessionId, ping_interval_ms: u64) -> Bytes {
        format!(r#"{{"type":"welcome","sid":"{session}","ping":{ping_interval_ms}}}"#).into()
    }

    fn confirm(&self, to: Recipient<'_>, sent: Option<Offset>, lacks: Option<u64>) -> Bytes {
        let s = to.id;
        let at = sent.map(|sent| format!(r#","at":"{}""#, self.at(sent))).unwrap_or_default();
        let resync = |wait_ms| format!(r#","resync":true{}"#, wait(wait_ms));
        let resync = lacks.map(resync).unwrap_or_default();
        to.envelope.typed("confirm_subscription", format_args!(r#","s":{s}{at}{resync}"#))
    }

    fn reject(&self, envelope: &Envelope, reason: RejectReason) -> Bytes {
        wire::reject_with_reason(envelope, reason)
    }

    fn wrap<'a>(&'a self, to: Recipient<'a>, _: StreamId, entry: Around<'_>) -> Option<Wrap<'a>> {
        let Around { offset, previous, message, .. } = entry;
        let mut before = SmallVec::from_slice(br#"{"s":"#);
        wire::append_number(&mut before, to.id.0);
        before.extend_from_slice(br#","o":"#);
        wire::append_number(&mut before, offset.0);
        before.extend_from_slice(br#","p":"#);
        wire::append_number(&mut before, previous.0);
        if let Some(kind) = message.and_then(|message| message.kind_name()) {
            before.extend_from_slice(b",\"type\":");
            serde_json::to_writer(&mut before, kind).expect("a string encodes");
        }
        // Who is excepted from an entry gets its place, or the next would seem to come too early.
        before.extend_from_slice(if message.is_some() { b",\"m\":" } else { b"" });
        Some(Wrap { shared: b"", before: Part::Made(before), after: wire::end(), is_retold: false })
    }

    fn lost(&mut self, lack: &Lack<'_>) -> SmallVec<[Bytes; 2]> {
        let (s, at, wait) = (lack.to.id, self.at(lack.newest), wait(lack.wait_ms));
        smallvec![lack.to.envelope.typed("resync", format_args!(r#","s":{s},"at":"{at}"{wait}"#))]
    }

    fn unhealed(&self, envelope: &Envelope) -> Bytes {
        envelope.typed("unhealed", format_args!(r#","reason":"foreign_epoch""#))
    }

    fn rewind(&self, to: Recipient<'_>, oldest: Offset) -> Bytes {
        let (s, at) = (to.id, self.at(oldest));
        format!(r#"{{"type":"rewind","s":{s},"at":"{at}"}}"#).into()
    }

    fn report(&mut self, report: Report) {
        if self.reports.len() < REPORTS_MAX {
            self.reports.push(report);
        }
    }

    fn take_reports(&mut self) -> Vec<Report> {
        std::mem::take(&mut self.reports)
    }
}

/// How long the client waits before it heals itself, if it is to wait.
fn wait(wait_ms: u64) -> String {
    if wait_ms > 0 { format!(r#","wait":{wait_ms}"#) } else { String::new() }
}

#[cfg(test)]
mod tests {
    use forebay_log::{Log, Message, Retention};

    use super::*;
    use crate::ids::SubscriptionId;

    #[test]
    fn an_entry_is_json() {
        let dialect = ForebayV1::new(Epoch(1));
        let stream = Log::new(Epoch(1), Retention::default()).open("room");
        let envelope = Envelope::new("x");
        let to =
            Recipient { id: SubscriptionId::default().next(), envelope: &envelope, goes_on: false };
        let text = |offset, message: Option<&Message>| {
            let entry =
                Around { offset: Offset(offset), previous: Offset(7), ephemeral: false, message };
            let wrap = dialect.wrap(to, stream, entry).unwrap();
            wrap.parts(message.map_or(b"", |message| message.bytes())).concat()
        };
        let message = Message::json("\"<b>\"").kind("k");
        let json: serde_json::Value =
            serde_json::from_slice(&text(u64::MAX, Some(&message))).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"s": 1, "o": u64::MAX, "p": 7, "type": "k", "m": "<b>"})
        );
        assert_eq!(text(8, None), br#"{"s":1,"o":8,"p":7}"#);
    }
}
