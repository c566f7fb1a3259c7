//! The library's part of the configuration.

use axum::http::request::Parts;
use forebay_core::channel::{ClientsChoose, Unauthorized};
use forebay_core::inspect::Inspect;
use forebay_core::outbox::{Outbox, OutboxUrl};
use forebay_core::signing::Key;
use forebay_core::{BuildError, Builder, Forebay, Fsync, Limits, Retention, raw, stores};
use std::future::ready;
use std::time::Duration;

use super::presence::presence;
use super::{Config, Reader};
use crate::options::{Id, Settings};
use crate::serve::identity::IdentityHeader;
use crate::serve::webhook::Events;
use crate::{keys, origins, outbox};

/// What a log's URL begins with that is a folder.
const FOLDER: &str = "folder:";

/// The library as it is configured, with a log that several servers share.
///
/// # Errors
/// What is wrong with the log's server.
pub(in crate::serve) async fn follow(
    settings: &Settings,
    config: &Config,
    url: &str,
    outbox: Option<Outbox>,
) -> anyhow::Result<Forebay> {
    let reader = Reader { settings, problems: Vec::new(), warnings: Vec::new() };
    let store = stores::open(url).await?;
    let builder = reader.builder(config.identity_header.clone(), config.events.clone());
    Ok(outbox.into_iter().fold(builder, Builder::outbox).follow(store).await?)
}

/// The URL of the log, if several servers share it.
pub(in crate::serve) fn shared_log(settings: &Settings) -> Option<&str> {
    settings.text(Id::Log).filter(|url| !url.is_empty() && !url.starts_with(FOLDER))
}

/// The folder that the log is in, however that is said.
fn folder(settings: &Settings) -> Option<&str> {
    let log = settings.text(Id::Log).and_then(|url| url.strip_prefix(FOLDER));
    log.or_else(|| settings.text(Id::HistoryFolder)).filter(|folder| !folder.is_empty())
}

/// The library as it is configured, its folder open.
///
/// # Errors
/// [`BuildError::Log`], or [`BuildError::OutboxInUse`]: the rest is checked where the configuration is.
pub(in crate::serve) fn open(
    settings: &Settings,
    config: &Config,
    outbox: Option<Outbox>,
) -> Result<Forebay, BuildError> {
    let reader = Reader { settings, problems: Vec::new(), warnings: Vec::new() };
    let builder = reader.builder(config.identity_header.clone(), config.events.clone());
    let builder = outbox.into_iter().fold(builder, Builder::outbox);
    match folder(settings) {
        Some(folder) => builder
            .file_log(folder, reader.fsync())
            .discard_damaged_log(settings.switch(Id::HistoryDiscardDamaged))
            .build(),
        None => builder.build(),
    }
}

impl Reader<'_> {
    /// Whether there is one log, and what its URL says.
    pub(super) fn check_log(&mut self) {
        let settings = self.settings;
        let has_log = settings.text(Id::Log).is_some_and(|url| !url.is_empty());
        if has_log && settings.text(Id::HistoryFolder).is_some_and(|folder| !folder.is_empty()) {
            self.problem("log and history_folder both say where the log is: choose one");
        } else if let Some(Err(error)) = shared_log(settings).map(stores::check) {
            self.problem(format!("log: {error}, and folder"));
        }
    }

    /// The database of the application's outbox, if there is one.
    pub(super) fn outbox(&mut self) -> Option<OutboxUrl> {
        let url = outbox::url(self.settings)?;
        url.map_err(|error| self.problem(format!("outbox: {error}"))).ok()
    }

    /// Whether the library can be had, but for its folder.
    pub(super) fn check_library(&mut self, identity: Option<IdentityHeader>) {
        let settings = self.settings;
        let has_key = !keys::turbo(settings).is_empty();
        let has_public =
            settings.switch(Id::Public) || !settings.list(Id::PublicStreams).is_empty();
        if !has_key && !has_public {
            self.problem(
                "no page could subscribe: there is neither a secret nor a public stream. Set \
                 secret_key_base to that of the Rails application, or secret to AnyCable's, or \
                 public_streams",
            );
        } else if let Err(error) = self.builder(identity, None).build() {
            self.problem(error.to_string());
        }
    }

    fn builder(&self, identity: Option<IdentityHeader>, events: Option<Events>) -> Builder {
        let settings = self.settings;
        let mut public = settings.list(Id::PublicStreams).to_vec();
        if settings.switch(Id::Public) {
            public.push("*".to_owned());
        }
        let turbo = keys::turbo(settings).into_iter().map(|named| named.key);
        let pubsub = keys::pubsub(settings).into_iter().map(|named| named.key);
        let turbo = or_random(turbo.chain(keys::previous_turbo(settings)).collect());
        let pubsub = or_random(pubsub.chain(keys::previous_pubsub(settings)).collect());
        let builder = raw::signing_keys(Forebay::builder(), turbo, pubsub)
            .cable_path(self.text(Id::Path))
            .prefix(self.text(Id::Prefix))
            .origins(origins::all(settings.list(Id::AllowedOrigins)))
            .retention(self.retention())
            .heals_per_second(self.heals_per_second())
            .limits(self.limits())
            .inspect(self.inspect())
            .presence(presence(events))
            .presence_options(self.presence_options())
            .message_bytes_max(settings.size(Id::BroadcastMaxMessageSize));
        let builder = public.into_iter().fold(builder, Builder::public_streams);
        let hosts = settings.list(Id::Hosts).iter().cloned();
        let builder = hosts.fold(builder, Builder::host);
        let proxies = settings.list(Id::TrustedProxies).iter().cloned();
        let builder = proxies.fold(builder, Builder::trusted_proxy);
        let whispered = settings.list(Id::WhisperedStreams).iter().cloned();
        let builder = whispered.fold(builder, Builder::whispered_streams);
        let present = settings.list(Id::PresenceStreams).iter().cloned();
        let builder = present
            .fold(builder, Builder::presence_streams)
            .presence_clients_choose(match settings.text(Id::PresenceClientsChoose) {
                Some("info") => ClientsChoose::Info,
                Some("id") => ClientsChoose::Id,
                _ => ClientsChoose::Nothing,
            })
            .presence_client_html(settings.switch(Id::PresenceClientHtml));
        let builder = match settings.number(Id::RevocationTtl) {
            Some(ms) => builder.revocation_lifetime(Duration::from_millis(ms)),
            None => builder,
        };
        match identity {
            None => builder,
            Some(header) => builder.connect(move |parts: &Parts| {
                // Refused before, where it is unclear (`routes.rs`).
                ready(header.read(&parts.headers).map_err(|_| Unauthorized))
            }),
        }
    }

    /// What is recorded, if anything is, and who may see it.
    fn inspect(&self) -> Option<Inspect> {
        let settings = self.settings;
        let key = settings.text(Id::InspectKey).filter(|key| !key.is_empty());
        let inspect = key.map_or_else(Inspect::development, Inspect::with_key);
        settings.switch(Id::Inspect).then(|| inspect.bodies(settings.switch(Id::InspectBodies)))
    }

    /// The header that says who a visitor is, if there is to be one.
    pub(super) fn identity_header(&mut self) -> Option<IdentityHeader> {
        let name = self.settings.text(Id::IdentityHeader)?;
        let header = IdentityHeader::new(name);
        if header.is_none() {
            let option = self.settings.describe(Id::IdentityHeader);
            self.problem(format!("{option}: this is no name of a header"));
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
        Retention::default()
            .entries_max(self.settings.size(Id::HistoryLimit))
            .bytes_max(self.settings.size(Id::HistoryBytes))
            .age_max(self.settings.duration(Id::HistoryTtl))
            .total_bytes_max(self.settings.size(Id::HistoryTotalBytes))
    }

    fn heals_per_second(&self) -> u32 {
        let pages = self.settings.number(Id::HealsPerSecond).unwrap_or_default();
        u32::try_from(pages).unwrap_or(u32::MAX)
    }

    fn limits(&self) -> Limits {
        Limits::default()
            .message_bytes_max(self.settings.size(Id::MaxMessageSize))
            .ping_interval_ms(self.settings.number(Id::PingInterval).unwrap_or_default())
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
