//! The options. To add one: an [`Id`](super::Id), a row here, `forebay options > docs/options.md`.

use super::kind::Kind::{
    Choice, Count, Duration, File, Hosts, Networks, Origins, Port, Route, Secret, Secrets, Size,
    Streams, Switch, Text, Url,
};
use super::spec::Command::{self, Listen, Publish, Serve, Sign};
use super::spec::Id;
use super::spec::Scope::{self, Everywhere, FlagOnly, NotInFile};
use super::spec::Spec;

const ALL: &[Command] = &Command::ALL;
const KEY_USERS: &[Command] = &[Serve, Listen, Sign];

const DAY_MS: u64 = 86_400_000;

/// A row; what it does not say is nothing.
const fn row(
    id: Id,
    name: &'static str,
    kind: super::kind::Kind,
    scope: Scope,
    help: &'static str,
) -> Spec {
    Spec {
        id,
        name,
        flag: None,
        short_flags: &[],
        group: "",
        kind,
        default: None,
        otherwise: "",
        scope,
        anycable: &[],
        env: &[],
        commands: &[Serve],
        help,
    }
}

const LISTENING: &str = "Listening";
const KEYS: &str = "Keys";
const STREAMS: &str = "Streams without a signature";
const BROADCASTING: &str = "Broadcasting";
const HISTORY: &str = "History";
const SHUTDOWN: &str = "Shutting down";
const LOGS: &str = "Logs";
const CONFIGURATION: &str = "Configuration";
const CLIENT: &str = "This call";

/// Every option, in the order of the documentation.
pub(crate) const TABLE: &[Spec] = &[
    Spec {
        group: LISTENING,
        default: Some("localhost"),
        anycable: &["host"],
        ..row(
            Id::Host,
            "host",
            Text,
            Everywhere("host"),
            "The name or address to listen at. In a container: 0.0.0.0, which is also what it is where \
             PORT says the port and nobody says the host",
        )
    },
    Spec {
        group: LISTENING,
        default: Some("8080"),
        anycable: &["port"],
        env: &["PORT"],
        ..row(Id::Port, "port", Port, Everywhere("port"), "The port; 0 takes any free one")
    },
    Spec {
        group: LISTENING,
        default: Some("false"),
        ..row(
            Id::Takeover,
            "takeover",
            Switch,
            Everywhere("takeover"),
            "Take the listeners of the server that runs at this address, and have it end, so that \
             nobody is refused in between. Linux only. If none runs, this starts as usual",
        )
    },
    Spec {
        group: LISTENING,
        default: Some("/cable"),
        anycable: &["path"],
        ..row(Id::Path, "path", Route, Everywhere("path"), "Where pages connect")
    },
    Spec {
        group: LISTENING,
        default: Some("/forebay"),
        ..row(
            Id::Prefix,
            "prefix",
            Route,
            Everywhere("prefix"),
            "What the paths of events, polls and scripts begin with. forebay.js takes them from its \
             own address",
        )
    },
    Spec {
        group: LISTENING,
        default: Some("/health"),
        anycable: &["health-path"],
        ..row(
            Id::HealthPath,
            "health_path",
            Route,
            Everywhere("health_path"),
            "Answers 200 as long as the process works",
        )
    },
    Spec {
        group: LISTENING,
        default: Some("/ready"),
        ..row(
            Id::ReadyPath,
            "ready_path",
            Route,
            Everywhere("ready_path"),
            "Answers 200 while connections are welcome, and 503 once the server shuts down",
        )
    },
    Spec {
        group: LISTENING,
        otherwise: "pages of the same host and port",
        anycable: &["allowed_origins"],
        ..row(
            Id::AllowedOrigins,
            "allowed_origins",
            Origins,
            Everywhere("allowed_origins"),
            "Whose pages may connect, beside those of the same host and port: \
             https://example.com, https://*.example.com, http://localhost:*, or * for all. Apps \
             and browser extensions: capacitor://localhost, chrome-extension://their-id, \
             moz-extension://*. null is any page in a sandboxed frame, anybody's. AnyCable's forms without https:// are understood; without any, AnyCable lets \
             everybody in, and this server does not",
        )
    },
    Spec {
        group: LISTENING,
        otherwise: "any; but what comes directly to the loopback address must name it as localhost, \
                    by an address, or by a host of allowed_origins",
        ..row(
            Id::Hosts,
            "hosts",
            Hosts,
            Everywhere("hosts"),
            "The hosts that pages know this server by: example.com, example.com:8080, \
             *.example.com. Requests for others are refused with 403: against names that somebody \
             else points at this server's address (DNS rebinding)",
        )
    },
    Spec {
        group: LISTENING,
        otherwise: "nobody",
        ..row(
            Id::TrustedProxies,
            "trusted_proxies",
            Networks,
            Everywhere("trusted_proxies"),
            "Proxies whose X-Forwarded-Host says which host a page asked for, and whose \
             X-Forwarded-For says who asks, in the log and where each address is bounded: \
             10.0.0.7, 10.0.0.0/8. A proxy that passes Host on needs no X-Forwarded-Host",
        )
    },
    Spec {
        group: LISTENING,
        default: Some("0"),
        anycable: &["max-conn"],
        ..row(
            Id::MaxConn,
            "max_conn",
            Count(0, u64::MAX),
            Everywhere("max_conn"),
            "WebSockets and event streams at a time; further ones get 503 and come back later. It \
             does not count polls, scripts and publishers. 0 is no limit but that of open files",
        )
    },
    Spec {
        group: LISTENING,
        default: Some("4096"),
        ..row(
            Id::MaxRequestsPerAddress,
            "max_requests_per_address",
            Count(0, u32::MAX as u64),
            Everywhere("max_requests_per_address"),
            "HTTP connections of one public address at a time, which are polls, event streams and \
             whatever has not sent its request; its further visitors get 503. WebSockets do not \
             count, nor do addresses of this machine and of private networks, where proxies are. \
             0 is no limit",
        )
    },
    Spec {
        group: LISTENING,
        default: Some("64KiB"),
        anycable: &["max_message_size"],
        ..row(
            Id::MaxMessageSize,
            "max_message_size",
            Size(1 << 10, 16 << 20),
            Everywhere("max_message_size"),
            "The largest message that a page may send",
        )
    },
    Spec {
        group: LISTENING,
        default: Some("3s"),
        anycable: &["ping_interval"],
        ..row(
            Id::PingInterval,
            "ping_interval",
            Duration(500, 60_000),
            Everywhere("ping_interval"),
            "How often pages are pinged. Stock clients give a connection up after 6 seconds \
             without any message",
        )
    },
    Spec {
        group: KEYS,
        otherwise: "not accepted",
        env: &["SECRET_KEY_BASE"],
        commands: ALL,
        ..row(
            Id::SecretKeyBase,
            "secret_key_base",
            Secret,
            Everywhere("secret_key_base"),
            "A Rails application's secret_key_base. The key of its Turbo stream names is derived \
             from it as Rails does it. For an application that does not set \
             config.turbo.signed_stream_verifier_key",
        )
    },
    Spec {
        group: KEYS,
        default: Some("sha256"),
        short_flags: &["digest"],
        commands: KEY_USERS,
        ..row(
            Id::SecretKeyBaseDigest,
            "secret_key_base_digest",
            Choice(&["sha256", "sha1"]),
            Everywhere("secret_key_base_digest"),
            "The hash for deriving that key: sha1 for an application without \
             load_defaults 7.0 or later",
        )
    },
    Spec {
        group: KEYS,
        otherwise: "not accepted",
        anycable: &["secret"],
        commands: ALL,
        ..row(
            Id::Secret,
            "secret",
            Secret,
            Everywhere("secret"),
            "AnyCable's secret, used as it is: the key of Turbo's and $pubsub's stream names, and \
             what the broadcast key is derived from. For an application with \
             config.turbo.signed_stream_verifier_key = this secret",
        )
    },
    Spec {
        group: KEYS,
        otherwise: "streams_secret, or else secret",
        anycable: &["turbo_streams_secret", "turbo_rails_key"],
        commands: KEY_USERS,
        ..row(
            Id::TurboStreamsSecret,
            "turbo_streams_secret",
            Secret,
            Everywhere("turbo_streams_secret"),
            "The key of Turbo's stream names alone, used as it is",
        )
    },
    Spec {
        group: KEYS,
        otherwise: "secret",
        anycable: &["streams_secret"],
        commands: KEY_USERS,
        ..row(
            Id::StreamsSecret,
            "streams_secret",
            Secret,
            Everywhere("streams_secret"),
            "The key of stream names, used as it is, where it is not secret",
        )
    },
    Spec {
        group: KEYS,
        otherwise: "none",
        commands: &[Serve, Sign],
        ..row(
            Id::PreviousSecrets,
            "previous_secrets",
            Secrets,
            Everywhere("previous_secrets"),
            "Older values of secret: still accepted from pages and publishers. For rotation",
        )
    },
    Spec {
        group: KEYS,
        otherwise: "none",
        commands: &[Serve, Sign],
        ..row(
            Id::PreviousSecretKeyBases,
            "previous_secret_key_bases",
            Secrets,
            Everywhere("previous_secret_key_bases"),
            "Older values of secret_key_base, likewise",
        )
    },
    Spec {
        group: LISTENING,
        otherwise: "nobody has a name",
        ..row(
            Id::IdentityHeader,
            "identity_header",
            Text,
            Everywhere("identity_header"),
            "The request header with the visitor's name, as the proxy in front sets it. It must \
             take the header away from visitors who send it themselves",
        )
    },
    Spec {
        group: STREAMS,
        otherwise: "none",
        ..row(
            Id::WhisperedStreams,
            "whispered_streams",
            Streams,
            Everywhere("whispered_streams"),
            "Streams on which subscribers of $pubsub may whisper to each other: names, or \
             beginnings and *",
        )
    },
    Spec {
        group: STREAMS,
        otherwise: "none",
        anycable: &["public_streams"],
        ..row(
            Id::PublicStreams,
            "public_streams",
            Streams,
            Everywhere("public_streams"),
            "Streams that anybody may read through $pubsub: names, or beginnings such as chat/*, \
             or true for all",
        )
    },
    Spec {
        group: STREAMS,
        default: Some("false"),
        anycable: &["public"],
        ..row(
            Id::Public,
            "public",
            Switch,
            Everywhere("public"),
            "For trying things out: all streams are public, and broadcasts need no key (they are \
             then taken at broadcast_port, from this machine)",
        )
    },
    Spec {
        group: BROADCASTING,
        otherwise: "derived from secret, or else from secret_key_base; see docs/serve.md",
        short_flags: &["key"],
        anycable: &["broadcast_key", "http_broadcast_secret"],
        commands: &[Serve, Publish],
        ..row(
            Id::BroadcastKey,
            "broadcast_key",
            Secret,
            Everywhere("broadcast.key"),
            "What publishers show: Authorization: Bearer KEY",
        )
    },
    Spec {
        group: BROADCASTING,
        default: Some("/_broadcast"),
        anycable: &["http_broadcast_path"],
        ..row(
            Id::BroadcastPath,
            "broadcast_path",
            Route,
            Everywhere("broadcast.path"),
            "Where broadcasts are posted",
        )
    },
    Spec {
        group: BROADCASTING,
        otherwise: "port; 8090 where there is no key",
        anycable: &["http_broadcast_port"],
        ..row(
            Id::BroadcastPort,
            "broadcast_port",
            Port,
            Everywhere("broadcast.port"),
            "The port that broadcasts are posted to",
        )
    },
    Spec {
        group: BROADCASTING,
        otherwise: "host; localhost where there is no key",
        ..row(
            Id::BroadcastHost,
            "broadcast_host",
            Text,
            Everywhere("broadcast.host"),
            "The name or address to listen at for broadcasts, if they have a port of their own. \
             Without a key, whoever reaches it can write to every page",
        )
    },
    Spec {
        group: BROADCASTING,
        default: Some("/_cursor"),
        ..row(
            Id::CursorPath,
            "cursor_path",
            Route,
            Everywhere("broadcast.cursor_path"),
            "Where an application gets what makes the cursors of a page that it is about to render, and is not rendered itself. Same \
             port, same key",
        )
    },
    Spec {
        group: BROADCASTING,
        default: Some("/_revoke"),
        ..row(
            Id::RevokePath,
            "revoke_path",
            Route,
            Everywhere("broadcast.revoke_path"),
            "Where access is taken back: {\"identity\": …, \"stream\": …}, either or both. \
             Same port, same key",
        )
    },
    Spec {
        group: BROADCASTING,
        default: Some("/_readmit"),
        ..row(
            Id::ReadmitPath,
            "readmit_path",
            Route,
            Everywhere("broadcast.readmit_path"),
            "Where it is given again: the same body as it was taken back with. Same port, same key",
        )
    },
    Spec {
        group: BROADCASTING,
        otherwise: "for ever",
        ..row(
            Id::RevocationTtl,
            "revocation_ttl",
            Duration(60_000, 36_500 * DAY_MS),
            Everywhere("broadcast.revocation_ttl"),
            "How long it is remembered that access was taken back. No page may be open, and no signed name be good, for longer",
        )
    },
    Spec {
        group: BROADCASTING,
        default: Some("/_disconnect"),
        ..row(
            Id::DisconnectPath,
            "disconnect_path",
            Route,
            Everywhere("broadcast.disconnect_path"),
            "Where a visitor's connections are ended: {\"identity\": …}. Same port, same key",
        )
    },
    Spec {
        group: BROADCASTING,
        default: Some("/_gap"),
        ..row(
            Id::GapPath,
            "gap_path",
            Route,
            Everywhere("broadcast.gap_path"),
            "Where a publisher says what it could not broadcast: {\"streams\": […]}. Their pages load \
             themselves again. Same port, same key",
        )
    },
    Spec {
        group: BROADCASTING,
        default: Some("8MiB"),
        ..row(
            Id::BroadcastMaxSize,
            "broadcast_max_size",
            Size(1 << 10, 1 << 30),
            Everywhere("broadcast.max_size"),
            "The largest body of one request, batch or not; past it: 413",
        )
    },
    Spec {
        group: BROADCASTING,
        default: Some("1MiB"),
        ..row(
            Id::BroadcastMaxMessageSize,
            "broadcast_max_message_size",
            Size(1 << 10, 1 << 30),
            Everywhere("broadcast.max_message_size"),
            "The largest single message, as pages get it; past it: 413 for the whole request",
        )
    },
    Spec {
        group: HISTORY,
        default: Some("1000"),
        anycable: &["history_limit"],
        ..row(
            Id::HistoryLimit,
            "history_limit",
            Count(1, u32::MAX as u64),
            Everywhere("history.limit"),
            "Messages that are kept for each stream",
        )
    },
    Spec {
        group: HISTORY,
        default: Some("10m"),
        anycable: &["history_ttl"],
        ..row(
            Id::HistoryTtl,
            "history_ttl",
            Duration(1_000, 30 * DAY_MS),
            Everywhere("history.ttl"),
            "How long they are kept",
        )
    },
    Spec {
        group: HISTORY,
        default: Some("4MiB"),
        ..row(
            Id::HistoryBytes,
            "history_bytes",
            Size(1 << 10, u64::MAX),
            Everywhere("history.bytes"),
            "Memory for each stream's messages",
        )
    },
    Spec {
        group: HISTORY,
        default: Some("256MiB"),
        ..row(
            Id::HistoryTotalBytes,
            "history_total_bytes",
            Size(1 << 10, u64::MAX),
            Everywhere("history.total_bytes"),
            "Memory for the messages of all streams",
        )
    },
    Spec {
        group: HISTORY,
        default: Some("200"),
        ..row(
            Id::HealsPerSecond,
            "heals_per_second",
            Count(0, u32::MAX as u64),
            Everywhere("history.heals_per_second"),
            "Pages that are told in a second to render themselves again, where many lack something at \
             once. An app that renders a page in 10 ms on two cores answers 200. 0: all at once",
        )
    },
    Spec {
        group: HISTORY,
        otherwise: "in memory: after a restart pages render themselves again",
        ..row(
            Id::HistoryFolder,
            "history_folder",
            Text,
            Everywhere("history.folder"),
            "Keep history in this folder as well, so that a restart loses nothing. One server at a \
             time",
        )
    },
    Spec {
        group: HISTORY,
        default: Some("30s"),
        ..row(
            Id::HistoryFolderWait,
            "history_folder_wait",
            Duration(0, DAY_MS),
            Everywhere("history.folder_wait"),
            "How long to wait for the folder at the start while another process has it open: a \
             predecessor that is about to end",
        )
    },
    Spec {
        group: HISTORY,
        default: Some("os"),
        ..row(
            Id::HistoryFsync,
            "history_fsync",
            Choice(&["os", "second", "always"]),
            Everywhere("history.fsync"),
            "What an answered broadcast survives: the end of this process (os, one write), a loss \
             of power but for the last second (second), a loss of power (always: each request \
             waits for the disk)",
        )
    },
    Spec {
        group: HISTORY,
        default: Some("false"),
        ..row(
            Id::HistoryDiscardDamaged,
            "history_discard_damaged",
            Switch,
            Everywhere("history.discard_damaged"),
            "Where the log in history.folder is damaged: move what is there aside, into a folder damaged-1 in \
             it, and begin a new log. Without it the server does not start",
        )
    },
    Spec {
        group: SHUTDOWN,
        default: Some("30s"),
        anycable: &["shutdown_timeout"],
        ..row(
            Id::ShutdownTimeout,
            "shutdown_timeout",
            Duration(0, DAY_MS),
            Everywhere("shutdown.timeout"),
            "After SIGTERM or Ctrl-C, how long the process may take to end. A second signal ends \
             it at once. Where systemd keeps the socket, or a successor takes over, it takes two \
             seconds at the most, and the delay and the spread do not count",
        )
    },
    Spec {
        group: SHUTDOWN,
        otherwise: "10s, or a third of shutdown_timeout if that is less",
        ..row(
            Id::ShutdownSpread,
            "shutdown_spread",
            Duration(0, DAY_MS),
            Everywhere("shutdown.spread"),
            "Over how long pages are told to reconnect, so that they don't all do it at once. \
             With few pages it takes less: 100 ms for each. Whoever comes meanwhile is served, and \
             told at the end",
        )
    },
    Spec {
        group: SHUTDOWN,
        default: Some("0"),
        anycable: &["shutdown_delay"],
        ..row(
            Id::ShutdownDelay,
            "shutdown_delay",
            Duration(0, DAY_MS),
            Everywhere("shutdown.delay"),
            "How long to go on as before after the signal, with 503 at ready_path, until load \
             balancers have noticed",
        )
    },
    Spec {
        group: LOGS,
        default: Some("info"),
        anycable: &["log_level"],
        ..row(
            Id::LogLevel,
            "log_level",
            Choice(&["off", "error", "warn", "info", "debug", "trace"]),
            Everywhere("log.level"),
            "How much is logged, to standard error",
        )
    },
    Spec {
        group: LOGS,
        default: Some("text"),
        anycable: &["log_format"],
        ..row(
            Id::LogFormat,
            "log_format",
            Choice(&["text", "json"]),
            Everywhere("log.format"),
            "How it is written",
        )
    },
    Spec {
        group: LOGS,
        default: Some("false"),
        anycable: &["debug"],
        ..row(Id::Debug, "debug", Switch, Everywhere("log.debug"), "The same as log_level = debug")
    },
    Spec {
        group: CONFIGURATION,
        otherwise: "forebay.toml, if there is one",
        anycable: &["config_path"],
        commands: ALL,
        ..row(Id::Config, "config", File, NotInFile, "The file to read options from")
    },
    Spec {
        group: CONFIGURATION,
        default: Some("false"),
        anycable: &["print_config"],
        commands: &[Serve],
        ..row(
            Id::PrintConfig,
            "print_config",
            Switch,
            FlagOnly,
            "Print every value and where it comes from, as a forebay.toml, and end",
        )
    },
    Spec {
        group: CLIENT,
        flag: Some("url"),
        otherwise: "http://localhost:8080/_broadcast with a key, port 8090 without",
        anycable: &["http_broadcast_url"],
        commands: &[Publish],
        ..row(
            Id::PublishUrl,
            "publish_url",
            Url(&["http://", "https://"]),
            Everywhere("publish.url"),
            "The server's address for broadcasts",
        )
    },
    Spec {
        group: CLIENT,
        flag: Some("url"),
        default: Some("ws://localhost:8080/cable"),
        anycable: &["websocket_url"],
        commands: &[Listen],
        ..row(
            Id::ListenUrl,
            "listen_url",
            Url(&["ws://", "wss://"]),
            Everywhere("listen.url"),
            "The server's address for pages",
        )
    },
    Spec {
        group: CLIENT,
        default: Some("turbo"),
        commands: &[Listen],
        ..row(
            Id::Channel,
            "channel",
            Choice(&["turbo", "pubsub"]),
            FlagOnly,
            "The channel: turbo for Turbo::StreamsChannel, pubsub for $pubsub",
        )
    },
    Spec {
        group: CLIENT,
        otherwise: "signed with the configured key",
        commands: &[Listen],
        ..row(Id::Signed, "signed", Text, FlagOnly, "A name that is signed already, for STREAM")
    },
    Spec {
        group: CLIENT,
        flag: Some("public"),
        default: Some("false"),
        commands: &[Listen],
        ..row(Id::Unsigned, "unsigned", Switch, FlagOnly, "A public stream, by its plain name")
    },
    Spec {
        group: CLIENT,
        otherwise: "from now on",
        commands: &[Listen],
        ..row(
            Id::Cursor,
            "cursor",
            Text,
            FlagOnly,
            "Begin after this cursor, cursor_path's or a tag's, and after a reconnect where it left",
        )
    },
    Spec {
        group: CLIENT,
        otherwise: "until Ctrl-C",
        commands: &[Listen],
        ..row(Id::Count, "count", Count(1, u64::MAX), FlagOnly, "End after so many messages")
    },
    Spec {
        group: CLIENT,
        default: Some("false"),
        commands: &[Listen],
        ..row(
            Id::Raw,
            "raw",
            Switch,
            FlagOnly,
            "Print only the message; a text as it is, without quotes",
        )
    },
    Spec {
        group: CLIENT,
        default: Some("false"),
        commands: &[Sign],
        ..row(Id::Pubsub, "pubsub", Switch, FlagOnly, "Sign for $pubsub instead of Turbo's channel")
    },
    Spec {
        group: CLIENT,
        otherwise: "never",
        commands: &[Sign],
        ..row(
            Id::ExpiresIn,
            "expires_in",
            Duration(1_000, 36_500 * DAY_MS),
            FlagOnly,
            "For how long the name is good",
        )
    },
    Spec {
        group: CLIENT,
        default: Some("false"),
        commands: &[Sign],
        ..row(Id::Tag, "tag", Switch, FlagOnly, "Print the whole turbo-cable-stream-source tag")
    },
    Spec {
        group: CLIENT,
        otherwise: "sign",
        commands: &[Sign],
        ..row(
            Id::Verify,
            "verify",
            Text,
            FlagOnly,
            "Verify this signed name, and print what it says",
        )
    },
];
