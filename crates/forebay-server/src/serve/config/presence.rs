//! Presence as it is configured.

use forebay_core::PresenceOptions;
use forebay_core::presence::{MemberHtml, Presence};
use http::Uri;

use super::Reader;
use crate::keys;
use crate::options::Id;
use crate::serve::webhook::{Event, Events};

/// How pages are shown members, and who hears of the first and the last.
pub(super) fn presence(events: Option<Events>) -> Presence<MemberHtml> {
    let Some(events) = events else { return Presence::html() };
    let last = events.clone();
    Presence::html()
        .first_in(move |stream| events.put(Event::FirstIn, stream))
        .last_out(move |stream| last.put(Event::LastOut, stream))
}

impl Reader<'_> {
    pub(super) fn presence_options(&self) -> PresenceOptions {
        let settings = self.settings;
        PresenceOptions::default()
            .ttl(settings.duration(Id::PresenceTtl))
            .grace(settings.duration(Id::PresenceGrace))
            .each_max(settings.size(Id::PresenceEachMax))
            .burst_max(settings.size(Id::PresenceBurstMax))
            .window(settings.duration(Id::PresenceWindow))
            .names_max(settings.size(Id::PresenceNamesMax))
            .info_bytes_max(settings.size(Id::PresenceInfoBytes))
            .members_each_max(settings.size(Id::PresenceMembersEachMax))
            .members_max(settings.size(Id::PresenceMembersMax))
    }

    /// The address that hears of the first and the last.
    pub(super) fn webhook(&self) -> Option<Uri> {
        self.settings.text(Id::PresenceWebhookUrl)?.parse().ok()
    }

    pub(super) fn check_presence(&mut self) {
        let settings = self.settings;
        if settings.is_set(Id::PresenceWebhookUrl) && keys::turbo(settings).is_empty() {
            self.problem(
                "presence_webhook_url: what is sent there is signed, and there is no key. Set secret_key_base or \
                 secret",
            );
        }
        let ttl = settings.number(Id::PresenceTtl).unwrap_or_default();
        let ping = settings.number(Id::PingInterval).unwrap_or_default();
        if ttl < 2 * ping {
            self.warnings.push(format!(
                "presence_ttl is shorter than two pings ({} ms): members whose pages are quiet leave and come back",
                2 * ping
            ));
        }
    }
}
