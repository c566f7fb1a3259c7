//! From options to what they mean together. Every value is right by itself already.

mod library;
mod presence;
mod publishers;

use std::time::Duration;

use forebay_core::MetricsNames;
use forebay_core::outbox::OutboxUrl;
use tracing::level_filters::LevelFilter;

pub(super) use self::library::{follow, open, shared_log};

use super::access::Access;
use super::identity::IdentityHeader;
use super::life::Shutdown;
use super::metrics::Metrics;
use super::webhook::{self, Events, Webhook};
use crate::keys;
use crate::logs::Format;
use crate::options::{Id, Origin, Problem, Problems, Settings};

/// Shorter secrets are warned about: 16 bytes are 128 bits, if they are random.
const SECRET_BYTES_ADVISED: usize = 16;

/// What to serve, and how.
pub(super) struct Config {
    pub(super) pages: Place,
    /// Where publishers have a listener of their own.
    pub(super) publishers: Option<Place>,
    /// Whether to ask a predecessor for its listeners.
    pub(super) takes_over: bool,
    /// How long to wait for the folder while another process has it open.
    pub(super) folder_wait: Duration,
    /// Where the application's broadcasts wait for their commit.
    pub(super) outbox: Option<OutboxUrl>,
    pub(super) access: Access,
    pub(super) metrics: Metrics,
    /// Who may use AnyCable's API: those who may broadcast, and those who show its own key.
    pub(super) api_access: Access,
    /// Says who a visitor is.
    pub(super) identity_header: Option<IdentityHeader>,
    /// Where presence says what the application's webhook is told, and who tells it.
    pub(super) events: Option<Events>,
    webhook: Option<Webhook>,
    pub(super) paths: Paths,
    pub(super) sizes: Sizes,
    pub(super) shutdown: Shutdown,
    pub(super) log_level: LevelFilter,
    pub(super) log_format: Format,
    pub(super) warnings: Vec<String>,
}

/// Where to listen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
}

/// The routes' paths. That of the cable is the library's.
#[derive(Clone, Debug)]
pub(super) struct Paths {
    pub(super) health: String,
    pub(super) ready: String,
    pub(super) broadcast: String,
    pub(super) cursor: String,
    pub(super) revoke: String,
    pub(super) readmit: String,
    pub(super) disconnect: String,
    pub(super) gap: String,
    pub(super) presence: String,
    pub(super) api: String,
}

/// Bounds that are the server's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// WebSockets and event streams; 0 is no limit.
    pub(super) connections_max: usize,
    /// HTTP connections of one public address; 0 is no limit.
    pub(super) requests_per_address: u32,
    /// The body of one request with broadcasts.
    pub(super) body_bytes_max: usize,
}

impl Config {
    pub(super) fn new(settings: &Settings) -> Result<Self, Problems> {
        let mut reader = Reader { settings, problems: Vec::new(), warnings: Vec::new() };
        let pages = Place {
            host: reader.text(Id::Host),
            port: settings.port(Id::Port).unwrap_or_default(),
        };
        reader.say_where_it_listens();
        let (access, publishers) = reader.publishers(&pages);
        let paths = reader.paths();
        reader.check_order(Id::HistoryBytes, Id::HistoryTotalBytes);
        reader.check_order(Id::BroadcastMaxMessageSize, Id::HistoryBytes);
        reader.check_secrets();
        reader.check_log();
        let outbox = reader.outbox();
        let metrics = reader.metrics(&access);
        let shutdown = reader.shutdown();
        let (log_level, log_format) = reader.logs();
        let identity_header = reader.identity_header();
        reader.check_presence();
        let (events, webhook) = reader.webhook().map(webhook::open).unzip();
        reader.check_library(identity_header.clone());
        let Reader { problems, warnings, .. } = reader;
        Problems(problems).or(Self {
            pages,
            publishers,
            takes_over: settings.switch(Id::Takeover),
            folder_wait: settings.duration(Id::HistoryFolderWait),
            outbox,
            api_access: access.clone().with(keys::api_bearers(settings)),
            metrics,
            access,
            identity_header,
            events,
            webhook,
            paths,
            sizes: Sizes {
                connections_max: settings.size(Id::MaxConn),
                requests_per_address: u32::try_from(settings.size(Id::MaxRequestsPerAddress))
                    .unwrap_or(u32::MAX),
                body_bytes_max: settings.size(Id::BroadcastMaxSize),
            },
            shutdown,
            log_level,
            log_format,
            warnings,
        })
    }
}

impl Config {
    /// Who tells the application, if somebody is to: once.
    pub(super) fn take_webhook(&mut self) -> Option<Webhook> {
        self.webhook.take()
    }
}

struct Reader<'a> {
    settings: &'a Settings,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Reader<'_> {
    fn text(&self, id: Id) -> String {
        self.settings.text(id).unwrap_or_default().to_owned()
    }

    fn problem(&mut self, message: impl Into<String>) {
        self.problems.push(Problem::general(message));
    }

    /// Where the platform's `PORT` is also why the host is every address.
    fn say_where_it_listens(&mut self) {
        let (host, port) = (self.settings.origin(Id::Host), self.settings.origin(Id::Port));
        if host == port && *host == Origin::Variable("PORT".to_owned()) {
            self.warnings.push(
                "listening on all interfaces, because PORT says the port; set host to choose"
                    .into(),
            );
        }
    }

    fn paths(&mut self) -> Paths {
        let ids = [
            Id::Path,
            Id::HealthPath,
            Id::ReadyPath,
            Id::BroadcastPath,
            Id::CursorPath,
            Id::RevokePath,
            Id::ReadmitPath,
            Id::DisconnectPath,
            Id::GapPath,
            Id::PresencePath,
            Id::ApiPath,
            Id::MetricsPath,
        ];
        for (at, id) in ids.into_iter().enumerate() {
            // A slash at the end is no other path.
            let settings = self.settings;
            let trimmed = |id| settings.text(id).unwrap_or_default().trim_end_matches('/');
            let (path, prefix) = (trimmed(id), trimmed(Id::Prefix));
            let is_scripts = ["events", "poll", "forebay.js", "worker.js", "inspect.js"]
                .iter()
                .any(|name| path == format!("{prefix}/{name}"));
            if is_scripts {
                let (one, two) = (self.settings.describe(id), self.settings.describe(Id::Prefix));
                self.problem(format!("{one} is one of the paths that begin with {two}"));
            }
            if let Some(other) = ids[..at].iter().find(|other| trimmed(**other) == path) {
                let (one, two) = (self.settings.describe(*other), self.settings.describe(id));
                self.problem(format!("{one} and {two} are the same path"));
            }
        }
        Paths {
            health: self.text(Id::HealthPath),
            ready: self.text(Id::ReadyPath),
            broadcast: self.text(Id::BroadcastPath),
            cursor: self.text(Id::CursorPath),
            revoke: self.text(Id::RevokePath),
            readmit: self.text(Id::ReadmitPath),
            disconnect: self.text(Id::DisconnectPath),
            gap: self.text(Id::GapPath),
            presence: self.text(Id::PresencePath),
            api: self.text(Id::ApiPath),
        }
    }

    fn metrics(&self, access: &Access) -> Metrics {
        let own = self.settings.text(Id::MetricsKey).map(str::to_owned);
        let names = match self.settings.text(Id::MetricsNames) {
            Some("anycable") => MetricsNames::AnyCable,
            Some("both") => MetricsNames::Both,
            _ => MetricsNames::Forebay,
        };
        let access = match (access, own) {
            (access, None) => access.clone(),
            // With a key only the key counts.
            (Access::Loopback | Access::Anybody, Some(key)) => Access::Bearer(vec![key]),
            (access, Some(key)) => access.clone().with(vec![key]),
        };
        Metrics { path: self.text(Id::MetricsPath), access, names }
    }

    /// The first must not be more than the second.
    fn check_order(&mut self, small: Id, large: Id) {
        if self.settings.number(small) > self.settings.number(large) {
            let (small, large) = (self.settings.describe(small), self.settings.describe(large));
            self.problem(format!("{small} is more than {large}"));
        }
    }

    fn check_secrets(&mut self) {
        let ids = [
            Id::Secret,
            Id::SecretKeyBase,
            Id::StreamsSecret,
            Id::TurboStreamsSecret,
            Id::BroadcastKey,
            Id::MetricsKey,
        ];
        for id in ids {
            let length = self.settings.text(id).map_or(usize::MAX, str::len);
            if length < SECRET_BYTES_ADVISED {
                let origin = self.settings.origin(id);
                let warning = format!(
                    "{origin}: a secret of {length} bytes can be guessed; take at least \
                     {SECRET_BYTES_ADVISED} random ones"
                );
                self.warnings.push(warning);
            }
        }
    }

    fn shutdown(&mut self) -> Shutdown {
        let settings = self.settings;
        let timeout = settings.duration(Id::ShutdownTimeout);
        let spread = if settings.is_set(Id::ShutdownSpread) {
            settings.duration(Id::ShutdownSpread)
        } else {
            // A third, so that the last ones to be told have time to leave.
            Shutdown::SPREAD_USUAL.min(timeout / 3)
        };
        self.check_order(Id::ShutdownSpread, Id::ShutdownTimeout);
        Shutdown { delay: settings.duration(Id::ShutdownDelay), spread, timeout }
    }

    fn logs(&self) -> (LevelFilter, Format) {
        let is_debug = self.settings.switch(Id::Debug);
        let level = if is_debug { "debug".to_owned() } else { self.text(Id::LogLevel) };
        let is_json = self.settings.text(Id::LogFormat) == Some("json");
        let format = if is_json { Format::Json } else { Format::Text };
        (level.parse().unwrap_or(LevelFilter::INFO), format)
    }
}

#[cfg(test)]
mod tests;
