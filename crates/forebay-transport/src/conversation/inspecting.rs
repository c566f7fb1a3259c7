//! What is recorded of a page, where that is asked for: what it subscribed to, and what came of it.

use forebay_cable::{
    Attachment, Identifier, Report as Reported, ReportKind, Start, SubscriptionId,
};
use forebay_hub::Client;
use forebay_inspect::{Place, Rejection, Report, Resync, Seen, State, Subscription};
use forebay_log::{Gap, Position};

use super::Conversation;
use crate::channels::{Begin, Rejected, Stream};

impl Conversation {
    fn is_recorded(&self) -> bool {
        self.client.inspection().is_some()
    }

    pub(super) fn record_asked(&self, id: SubscriptionId, identifier: &Identifier) {
        if self.is_recorded() {
            let it = Subscription {
                channel: identifier.channel.clone(),
                stream: self.application.channels().stream_of(identifier),
                signed: identifier.text("signed_stream_name").map(str::to_owned),
                signed_cursor: identifier.text("cursor").map(str::to_owned),
                ..Subscription::default()
            };
            self.client.note_asked(id, it);
        }
    }

    #[cold]
    pub(super) fn record_rejected(&self, id: SubscriptionId, rejected: &Rejected) {
        if self.is_recorded() {
            let (why, detail) = (rejected.kind, rejected.why.to_string());
            let state = State::Rejected { why, detail: detail.clone() };
            self.client.note_rejected(Some(id), state, detail);
        }
    }

    /// Those that the session has rejected by itself.
    #[cold]
    pub(super) fn record_own_rejections(&self, count: u32) {
        if self.is_recorded() {
            let detail = format!("{count} past a limit, or without a channel");
            let state = State::Rejected { why: Rejection::Limit, detail: detail.clone() };
            self.client.note_rejected(None, state, detail);
        }
    }

    /// `resyncs` is said of each that lacks something.
    pub(super) fn record_live(
        &self,
        id: SubscriptionId,
        streams: &[Stream],
        attachments: &[Attachment],
    ) {
        if !self.is_recorded() {
            return;
        }
        let live = streams.iter().zip(attachments).map(|(stream, attachment)| {
            let cursor = match stream.begin {
                Begin::After(cursor) => Some(cursor),
                Begin::Now | Begin::Lost => None,
            };
            let lacks = !matches!(attachment.start, Start::After(_) | Start::Live);
            let resynced = lacks.then(|| lacking(&self.client, stream, cursor));
            let it = Subscription {
                stream: Some(stream.name.to_string()),
                cursor: cursor.map(place),
                attached: Some(attachment.head.0),
                resyncs: u64::from(lacks),
                resynced,
                ..Subscription::default()
            };
            (attachment.stream, it)
        });
        self.client.note_live(id, live.collect());
    }

    /// What our client tells of its page by its own protocol.
    pub(super) fn record_report(&self, reported: &Reported) {
        let Some(inspection) = self.client.inspection() else { return };
        let seen = match reported.kind {
            ReportKind::NoTarget => Seen::TargetMissing { ids: Vec::new() },
            ReportKind::Error => Seen::Threw { error: reported.detail.clone() },
            // What these tell is known here already.
            _ => return,
        };
        let identifier = Identifier::decode(&reported.identifier).ok();
        let channels = self.application.channels();
        let report = Report {
            at: self.hub().now().0,
            stream: identifier.and_then(|identifier| channels.stream_of(&identifier)),
            offset: reported.offset.map(|offset| offset.0),
            seen,
            ..Report::default()
        };
        inspection.report(report.at, &self.id().to_string(), report);
    }

    /// Where it stands, for a carrier that nobody can look into.
    pub(crate) fn record_standings(&self) {
        if self.is_recorded() {
            self.client.note_standings(self.session.standings());
        }
    }
}

fn place(position: Position) -> Place {
    Place { epoch: format!("{:x}", position.epoch.0), offset: position.offset.0 }
}

/// Why a page can't go on from its cursor.
fn lacking(client: &Client, stream: &Stream, cursor: Option<Position>) -> Resync {
    let Some(cursor) = cursor else { return Resync::Cursor };
    if cursor.epoch != client.hub().position().epoch {
        return Resync::OtherEpoch;
    }
    match client.hub().replay(&stream.name, cursor) {
        Err(Gap::Future(_)) => Resync::Future,
        Err(_) => Resync::Forgotten,
        Ok(_) => Resync::Gap,
    }
}
