//! The library's part of the configuration.

use forebay::channel::Unauthorized;
use forebay::signing::Key;
use forebay::{Forebay, Fsync, Limits, Retention};
use std::future::ready;
use std::time::Duration;

use super::Reader;
use crate::options::Id;
use crate::serve::identity::IdentityHeader;
use crate::{keys, origins};

impl Reader<'_> {
    /// The library, unless it can't be had.
    pub(super) fn forebay(&mut self, identity: Option<IdentityHeader>) -> Option<Forebay> {
        let settings = self.settings;
        let (turbo, pubsub) = (keys::turbo(settings), keys::pubsub(settings));
        let mut public = settings.list(Id::PublicStreams).to_vec();
        if settings.switch(Id::Public) {
            public.push("*".to_owned());
        }
        if turbo.is_empty() && public.is_empty() {
            self.problem(
                "no page could subscribe: there is neither a secret nor a public stream. Set \
                 secret_key_base to that of the Rails application, or secret to AnyCable's, or \
                 public_streams",
            );
            return None;
        }
        let turbo = turbo.into_iter().map(|named| named.key);
        let pubsub = pubsub.into_iter().map(|named| named.key);
        let builder = Forebay::builder()
            .signing_keys(
                or_random(turbo.chain(keys::previous_turbo(settings)).collect()),
                or_random(pubsub.chain(keys::previous_pubsub(settings)).collect()),
            )
            .cable_path(self.text(Id::Path))
            .origins(origins::all(settings.list(Id::AllowedOrigins)))
            .retention(self.retention())
            .limits(self.limits())
            .message_bytes_max(settings.size(Id::BroadcastMaxMessageSize));
        let builder = public.into_iter().fold(builder, forebay::Builder::public_streams);
        let whispered = settings.list(Id::WhisperedStreams).iter().cloned();
        let builder = whispered.fold(builder, forebay::Builder::whispered_streams);
        let builder = match identity {
            None => builder,
            Some(header) => builder.connect(move |parts| {
                // Refused before, where it is unclear (`routes.rs`).
                ready(header.read(&parts.headers).map_err(|_| Unauthorized))
            }),
        };
        let builder = match self.text(Id::HistoryFolder) {
            folder if folder.is_empty() => builder,
            folder => builder.file_log(folder, self.fsync()),
        };
        builder.build().map_err(|error| self.problem(error.to_string())).ok()
    }

    /// The header that says who a visitor is, if there is to be one.
    pub(super) fn identity_header(&mut self) -> Option<IdentityHeader> {
        let name = self.settings.text(Id::IdentityHeader)?;
        let header = IdentityHeader::new(name);
        if header.is_none() {
            let option = self.settings.describe(Id::IdentityHeader);
            self.problem(format!("{option}: no header can be called so"));
        }
        header
    }

    fn fsync(&self) -> Fsync {
        match self.settings.text(Id::HistoryFsync) {
            Some("always") => Fsync::Always,
            Some("second") => Fsync::Every(Duration::from_secs(1)),
            _ => Fsync::Os,
        }
    }

    fn retention(&self) -> Retention {
        Retention {
            entries_max: self.settings.size(Id::HistoryLimit),
            bytes_max: self.settings.size(Id::HistoryBytes),
            age_max: self.settings.duration(Id::HistoryTtl),
            total_bytes_max: self.settings.size(Id::HistoryTotalBytes),
            ..Retention::default()
        }
    }

    fn limits(&self) -> Limits {
        Limits {
            message_bytes_max: self.settings.size(Id::MaxMessageSize),
            ping_interval_ms: self.settings.number(Id::PingInterval).unwrap_or_default(),
            ..Limits::default()
        }
    }
}

/// Where there is no key, one that nobody has: no signature is right, and the cursors of this
/// process are as good as its log, which no other process has.
fn or_random(mut keys: Vec<Key>) -> Vec<Key> {
    if keys.is_empty() {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).expect("the operating system gives random numbers");
        keys.push(Key::raw(bytes));
    }
    keys
}
