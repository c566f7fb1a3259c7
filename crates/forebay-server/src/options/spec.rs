//! What the table says of one option, and the names that follow from it.

use super::kind::Kind;

/// Names an option in the code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Id {
    AllowedOrigins,
    ApiPath,
    BroadcastHost,
    BroadcastKey,
    BroadcastPath,
    BroadcastPort,
    BroadcastUrl,
    Channel,
    Config,
    Count,
    Cursor,
    CursorPath,
    RevokePath,
    ReadmitPath,
    RevocationTtl,
    DisconnectPath,
    GapPath,
    Debug,
    ExpiresIn,
    HealthPath,
    HistoryBytes,
    HistoryLimit,
    HistoryTotalBytes,
    HistoryFolder,
    HistoryFolderWait,
    HistoryFsync,
    HistoryDiscardDamaged,
    IdentityHeader,
    Inspect,
    InspectBodies,
    InspectKey,
    InspectUrl,
    WhisperedStreams,
    HistoryTtl,
    HealsPerSecond,
    Hold,
    Host,
    Hosts,
    Json,
    ListenUrl,
    Log,
    LogFormat,
    LogLevel,
    BroadcastMaxMessageSize,
    BroadcastMaxSize,
    MaxConn,
    MaxRequestsPerAddress,
    MaxMessageSize,
    MetricsKey,
    MetricsNames,
    MetricsPath,
    Origin,
    Offset,
    Outbox,
    Page,
    Path,
    PingInterval,
    Port,
    PresenceEachMax,
    PresenceBurstMax,
    PresenceGrace,
    PresenceInfoBytes,
    PresenceMembersEachMax,
    PresenceMembersMax,
    PresenceNamesMax,
    PresenceTtl,
    PresenceWebhookUrl,
    PresenceWindow,
    Prefix,
    PresenceClientHtml,
    PresenceClientsChoose,
    PresencePath,
    PresenceStreams,
    PreviousSecretKeyBases,
    PreviousSecrets,
    PrintConfig,
    Public,
    PublicStreams,
    PublishUrl,
    Pubsub,
    Rails,
    RailsEnv,
    Raw,
    ReadyPath,
    Secret,
    SecretKeyBase,
    SecretKeyBaseDigest,
    ShutdownDelay,
    ShutdownSpread,
    ShutdownTimeout,
    Signed,
    StreamsSecret,
    Stream,
    Tag,
    Takeover,
    TrustedProxies,
    TurboStreamsSecret,
    Unsigned,
    Verify,
    WhyPage,
}

/// A command of the binary that has options.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Command {
    Serve,
    Publish,
    Listen,
    Sign,
    Why,
    Outbox,
    Doctor,
}

impl Command {
    pub(crate) const ALL: [Self; 7] = [
        Self::Serve,
        Self::Publish,
        Self::Listen,
        Self::Sign,
        Self::Why,
        Self::Outbox,
        Self::Doctor,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Publish => "publish",
            Self::Listen => "listen",
            Self::Sign => "sign",
            Self::Why => "why",
            Self::Outbox => "outbox",
            Self::Doctor => "doctor",
        }
    }

    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Serve => "Deliver an application's broadcasts to its pages",
            Self::Publish => "Broadcast one message through a running server",
            Self::Listen => "Print a stream's messages as they come",
            Self::Sign => "Sign a stream's name, as turbo_stream_from does",
            Self::Why => {
                "Say why a page does not show a broadcast: the first broken hop, and what to change"
            }
            Self::Outbox => {
                "Create the table in which an application's broadcasts wait for their commit"
            }
            Self::Doctor => "Check a running server from outside, and what stands before it",
        }
    }
}

/// Where an option can be set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// By flag, by environment, and in the file under this path.
    Everywhere(&'static str),
    /// By flag and by environment.
    NotInFile,
    /// By flag alone: it is about one call.
    FlagOnly,
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) id: Id,
    /// In `snake_case`. With hyphens it is the flag, with capitals the variable.
    pub(crate) name: &'static str,
    /// A flag that is not called like the option.
    pub(crate) flag: Option<&'static str>,
    /// Shorter flags of the commands for people, not of `serve`.
    pub(crate) short_flags: &'static [&'static str],
    pub(crate) kind: Kind,
    /// As a user would write it.
    pub(crate) default: Option<&'static str>,
    /// What happens without a value, where there is no default to name.
    pub(crate) otherwise: &'static str,
    pub(crate) scope: Scope,
    /// AnyCable's names for it, without `ANYCABLE_` and `--`.
    pub(crate) anycable: &'static [&'static str],
    /// Variables of other programs that are understood, too.
    pub(crate) env: &'static [&'static str],
    pub(crate) commands: &'static [Command],
    pub(crate) help: &'static str,
}

impl Spec {
    /// The flag, without its hyphens.
    pub(crate) fn flag(&self) -> String {
        self.flag.unwrap_or(self.name).replace('_', "-")
    }

    /// Everything that the flag may be called: AnyCable mixes hyphens and underscores.
    pub(crate) fn flag_aliases(&self, command: Command) -> Vec<String> {
        let flag = self.flag();
        let short = if command == Command::Serve { &[] } else { self.short_flags };
        let own = [self.flag.unwrap_or(self.name)];
        let names = own.iter().chain(self.anycable).chain(short);
        let mut aliases: Vec<_> =
            names.flat_map(|name| [name.replace('_', "-"), name.replace('-', "_")]).collect();
        aliases.sort();
        aliases.dedup();
        aliases.retain(|alias| *alias != flag);
        aliases
    }

    /// The environment variables, the strongest first.
    pub(crate) fn variables(&self) -> Vec<String> {
        if self.scope == Scope::FlagOnly {
            return Vec::new();
        }
        let own = format!("FOREBAY_{}", self.name.to_uppercase());
        let anycable = self.anycable.iter().map(|name| anycable_variable(name));
        let others = self.env.iter().map(ToString::to_string);
        std::iter::once(own).chain(anycable).chain(others).collect()
    }

    /// The key in the file.
    pub(crate) fn toml(&self) -> Option<&'static str> {
        match self.scope {
            Scope::Everywhere(path) => Some(path),
            Scope::NotInFile | Scope::FlagOnly => None,
        }
    }

    pub(crate) fn is_for(&self, command: Command) -> bool {
        self.commands.contains(&command)
    }
}

/// What AnyCable calls the variable of an option.
pub(super) fn anycable_variable(name: &str) -> String {
    format!("ANYCABLE_{}", name.replace('-', "_").to_uppercase())
}
