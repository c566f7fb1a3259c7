//! The library's part of the configuration.

use axum::http::request::Parts;
use forebay::signing::Key;
use forebay::{Forebay, Fsync, Identity, Limits, Retention};
use std::future::ready;
use std::time::Duration;

use super::Reader;
use crate::options::Id;
use crate::{keys, origins};

impl Reader<'_> {
    /// The library, unless it can't be had.
    pub(super) fn forebay(&mut self) -> Option<Forebay> {
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
        let builder = match self.text(Id::IdentityHeader) {
            header if header.is_empty() => builder,
            header => builder.connect(move |parts| ready(Ok(named(parts, &header)))),
        };
        let builder = match self.text(Id::HistoryFolder) {
            folder if folder.is_empty() => builder,
            folder => builder.file_log(folder, self.fsync()),
        };
        builder.build().map_err(|error| self.problem(error.to_string())).ok()
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

/// Who the proxy says that it is.
fn named(parts: &Parts, header: &str) -> Identity {
    let name = parts.headers.get(header).and_then(|name| name.to_str().ok());
    match name.filter(|name| !name.is_empty()) {
        Some(name) => Identity::named(name),
        None => Identity::anonymous(),
    }
}
