//! A dialect in one file: an event stream whose client patches elements, as Datastar's does, and is told in its
//! own words which, and how.

use bytes::Bytes;
use forebay_cable::{
    Around, Claim, Command, CommandError, Dialect, DisconnectReason, Envelope, Lack, Manner, Part,
    Positions, Recipient, RejectReason, SessionId, Terms, Wrap,
};
use forebay_log::{Action, Epoch, Offset, Position, StreamId, Targets, UnixMillis};
use smallvec::{SmallVec, smallvec};

#[derive(Debug)]
pub(super) struct Patches(pub(super) Epoch);

fn event(name: &str, fields: &[(&str, &str)]) -> String {
    let fields = fields.iter().map(|(field, text)| format!("data: {field} {text}\n"));
    format!("event: {name}\n{}\n", fields.collect::<String>())
}

impl Dialect for Patches {
    fn manner(&self) -> Manner {
        Manner {
            positions: Positions::Single,
            heals_itself: false,
            follows: false,
            shares_frames: false,
        }
    }

    /// A request has a line for each channel, with the place up to which its page has everything.
    fn decode(&self, text: &str) -> Result<Vec<Command>, CommandError> {
        let subscribe = |line: &str| {
            let (channel, after) = line.split_once(' ').ok_or(CommandError::Incomplete)?;
            let claim = Claim::After(after.parse().map_err(|_| CommandError::BadPosition)?);
            let identifier = format!(r#"{{"channel":"{channel}"}}"#);
            Ok(Command::Subscribe { identifier, terms: Terms { claim, ..Terms::default() } })
        };
        text.lines().map(subscribe).collect()
    }

    fn welcome(&self, _: SessionId, _: u64) -> Bytes {
        Bytes::from_static(b"retry: 1000\n\n")
    }

    fn ping(&mut self, _: UnixMillis) -> Bytes {
        Bytes::from_static(b": alive\n\n")
    }

    fn disconnect(&self, reason: DisconnectReason, _: bool) -> Bytes {
        event("end", &[("reason", reason.as_str())]).into()
    }

    fn confirm(&self, _: Recipient<'_>, _: Option<Offset>, _: Option<u64>) -> Bytes {
        Bytes::new()
    }

    fn reject(&self, envelope: &Envelope, _: RejectReason) -> Bytes {
        event("refused", &[("channel", &envelope.identifier_text())]).into()
    }

    fn wrap<'a>(&'a self, _: Recipient<'a>, _: StreamId, entry: Around<'_>) -> Option<Wrap<'a>> {
        let message = entry.message?;
        let at = Position { epoch: self.0, offset: entry.offset };
        let html: String = serde_json::from_str(message.as_json()).ok()?;
        let content =
            html.split_once("<template>").and_then(|(_, rest)| rest.split_once("</template>"));
        let elements = content.map_or(&*html, |(content, _)| content);
        let event = match message.action() {
            Some(Action { name, targets: Targets::Id(id) }) => event(
                "patch",
                &[("mode", name), ("selector", &format!("#{id}")), ("elements", elements)],
            ),
            _ => event("patch", &[("elements", elements)]),
        };
        let before = Part::Made(format!("id: {at}\n{event}").into_bytes().into());
        Some(Wrap { shared: b"", before, after: Part::Kept(b""), is_retold: true })
    }

    fn lost(&mut self, lack: &Lack<'_>) -> SmallVec<[Bytes; 2]> {
        let at = Position { epoch: self.0, offset: lack.newest };
        smallvec![format!("id: {at}\n{}", event("reload", &[])).into()]
    }

    fn unhealed(&self, _: &Envelope) -> Bytes {
        event("stale", &[]).into()
    }
}
