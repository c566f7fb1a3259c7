//! Configuring a [`Forebay`]: the secret, and everything that has a default.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use forebay_cable::Limits;
use forebay_hub::{Fsync, Hub, LogStore, Options, PresenceHooks, PresenceOptions, StoreError};
use forebay_log::Retention;
use forebay_signing::{CursorSigner, Key, KeyDigest, Verifier};
use forebay_transport::{Door, DoorError, Origins};
use forebay_turbo::is_app_name;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::app::{Core, EdgeOptions, Forebay, Keys, Paths};
use crate::broadcast::{Publisher, Settings};
use crate::channel::{
    BUILT_IN, ClientsChoose, Connect, ConnectError, Factory, Hook, Identity, IntoChannel, Params,
    Registry, Rosters, StreamPattern,
};
use crate::inspect::Inspect;
use crate::presence::{Hooks, Kind, Presence};

/// Why a [`Forebay`] can't be built. The configuration's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Nothing to sign with.
    #[error("no secret: call .secret(secret_key_base) or .key(bytes)")]
    NoSecret,
    /// An empty secret, which everybody knows.
    #[error("the secret is empty")]
    EmptySecret,
    /// Two channels of one name, or one with the name of a built-in one.
    #[error("channel {0:?} is added twice, or has the name of a built-in one")]
    DuplicateChannel(String),
    /// A log in a folder, and one that several nodes share.
    #[error("the log is in a folder (file_log), or a store's (follow): choose one")]
    TwoLogs,
    /// The app's name can't be the host of a global id.
    #[error("app name {0:?} must consist of letters, digits, `-`, `_` and `.`")]
    BadAppName(String),
    /// The folder of the log can't be used.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// A host or a proxy can't be understood.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// The cable's path is no path, or another route's.
    #[error("cable path {0:?} must begin with /, have no pattern, and be no other route")]
    BadCablePath(String),
    /// The prefix of the other routes is no path.
    #[error("prefix {0:?} must begin with /, and have no pattern")]
    BadPrefix(String),
    /// Another process publishes what is in the outbox, to pages of its own.
    #[error(
        "another process relays this outbox, into a log that this one does not have: end it, share a log, or \
         open the outbox to write only (`Outbox::open_to_write`)"
    )]
    OutboxInUse,
}

/// Shorter secrets are warned about: 16 bytes are 128 bits, if they are random.
const SECRET_BYTES_ADVISED: usize = 16;

/// Configures a [`Forebay`]. Only the secret is required.
///
/// `F` is what it builds: an edge may have a type of its own around the [`Forebay`].
#[must_use]
pub struct Builder<F = Forebay> {
    keys: Vec<Key>,
    pubsub_keys: Vec<Key>,
    /// How many of them, from the first on, are `$pubsub`'s alone.
    own_pubsub_keys: usize,
    shortest_secret: Option<usize>,
    app: Option<String>,
    cable_path: Option<String>,
    prefix: Option<String>,
    public_url: Option<String>,
    origins: Origins,
    hosts: Vec<String>,
    trusted_proxies: Vec<String>,
    options: Options,
    presences: Vec<Box<dyn Kind>>,
    refresh_window: Option<Duration>,
    message_bytes_max: Option<usize>,
    channels: Vec<(String, Factory)>,
    fallback: Option<Factory>,
    connect: Option<Connect>,
    public_streams: Vec<StreamPattern>,
    whispered_streams: Vec<StreamPattern>,
    rosters: Rosters,
    stream_lifetime: Option<Duration>,
    file_log: Option<(PathBuf, Fsync)>,
    inspect: Option<Inspect>,
    #[cfg(feature = "sqlx")]
    outbox: Option<forebay_outbox::Outbox>,
    builds: PhantomData<fn() -> F>,
}

impl<F> Default for Builder<F> {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            pubsub_keys: Vec::new(),
            own_pubsub_keys: 0,
            shortest_secret: None,
            app: None,
            cable_path: None,
            prefix: None,
            public_url: None,
            origins: Origins::default(),
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            options: Options::default(),
            presences: Vec::new(),
            refresh_window: None,
            message_bytes_max: None,
            channels: Vec::new(),
            fallback: None,
            connect: None,
            public_streams: Vec::new(),
            whispered_streams: Vec::new(),
            rosters: Rosters::default(),
            stream_lifetime: None,
            file_log: None,
            inspect: cfg!(debug_assertions).then(Inspect::development),
            #[cfg(feature = "sqlx")]
            outbox: None,
            builds: PhantomData,
        }
    }
}

impl<F: From<Forebay>> Builder<F> {
    /// Signs with keys derived from this secret, as a Rails app (7.0 or later) derives them from
    /// its `secret_key_base`: give both the same secret, and each accepts the other's tags.
    ///
    /// Called again, it adds an older secret whose signatures are still accepted.
    pub fn secret(self, secret_key_base: impl AsRef<[u8]>) -> Self {
        self.secret_with(secret_key_base, KeyDigest::Sha256)
    }

    /// As [`secret`](Self::secret), for a Rails app whose `key_generator_hash_digest_class` is
    /// SHA-1 (the default before Rails 7.0).
    pub fn secret_with(mut self, secret_key_base: impl AsRef<[u8]>, digest: KeyDigest) -> Self {
        let secret = secret_key_base.as_ref();
        self.see(secret);
        self.keys.push(Key::derive_turbo(secret, digest));
        self.pubsub_keys.push(Key::raw(secret));
        self
    }

    /// Signs with this key as it is: Rails' `config.turbo.signed_stream_verifier_key`, or AnyCable's
    /// secret. Called again, it adds an older one.
    pub fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        let key = key.as_ref();
        self.see(key);
        self.keys.push(Key::raw(key));
        self.pubsub_keys.push(Key::raw(key));
        self
    }

    /// The key of `$pubsub`'s signed names, where it is not the secret itself. Called again, it adds an
    /// older one.
    pub fn pubsub_key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.see(key.as_ref());
        self.pubsub_keys.insert(self.own_pubsub_keys, Key::raw(key.as_ref()));
        self.own_pubsub_keys += 1;
        self
    }

    pub(crate) fn signing_keys(
        mut self,
        turbo: impl IntoIterator<Item = Key>,
        pubsub: impl IntoIterator<Item = Key>,
    ) -> Self {
        self.keys.extend(turbo);
        self.pubsub_keys.extend(pubsub);
        let is_empty = self.keys.iter().chain(&self.pubsub_keys).any(Key::is_empty);
        // Derived keys don't tell how long their secret was: the caller warns of short ones.
        let length = if is_empty { 0 } else { usize::MAX };
        self.shortest_secret = Some(self.shortest_secret.unwrap_or(usize::MAX).min(length));
        self
    }

    /// The app's name in global ids (`gid://chat/Message/1`), and so in the stream names of
    /// records. Default `app`. To share streams with a Rails app, its name.
    pub fn app(mut self, name: impl Into<String>) -> Self {
        self.app = Some(name.into());
        self
    }

    /// Where clients connect. Default `/cable`, which is what the stock client asks for.
    pub fn cable_path(mut self, path: impl Into<String>) -> Self {
        self.cable_path = Some(path.into());
        self
    }

    /// What the paths of events, polls and scripts begin with. Default `/forebay`. `forebay.js` takes them from
    /// its own address.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Where browsers find this application's routes, if not at their paths: `https://live.example.com`, or
    /// `/app` where a proxy takes that away. For the addresses that are written into pages
    /// ([`Turbo::event_source_from`](crate::Turbo::event_source_from)). A router that is nested by axum
    /// (`Router::nest`) is known without it.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// Which pages may connect. Default: those of the same host.
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// A host that this server is known by: `example.com`, `example.com:8080`, `*.example.com`. Called once
    /// or more, requests for any other host are refused. Default: any host.
    ///
    /// It is against names that somebody else points at this server's address (DNS rebinding), by which
    /// their pages are of the server's own host; mostly while it runs on somebody's own machine.
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into());
        self
    }

    /// A proxy whose `X-Forwarded-Host` and `X-Forwarded-For` are believed: an address, or a network such as
    /// `10.0.0.0/8`. Default: none.
    ///
    /// For that the server must know who sends a request ([`Ends`](crate::Ends)). With axum, serve the router
    /// with `into_make_service_with_connect_info::<SocketAddr>()`.
    pub fn trusted_proxy(mut self, proxy: impl Into<String>) -> Self {
        self.trusted_proxies.push(proxy.into());
        self
    }

    /// The bounds of history: how many entries, bytes, and for how long.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.options.retention = retention;
        self
    }

    /// How many pages are told in a second to render themselves again, if many lack something at once, as
    /// after a restart without a folder. The others wait for their turn. Default 200: an application that
    /// renders a page in 10 ms on two cores answers as many, and 10 000 pages are whole again after 50
    /// seconds. 0 tells all at once.
    pub fn heals_per_second(mut self, pages: u32) -> Self {
        self.options.heals_per_second = pages;
        self
    }

    /// The bounds of one session: what one client can make the server hold.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.options.limits = limits;
        self
    }

    /// The largest message that can be broadcast. Default 1 MiB. Four of that size fill a stream's
    /// history, as it is by default.
    pub fn message_bytes_max(mut self, bytes: usize) -> Self {
        self.message_bytes_max = Some(bytes);
        self
    }

    /// How long debounced refreshes of one stream are collected. Default 500 ms, which is turbo-rails'
    /// delay. The first refresh goes out at once, and none is held back for longer than this.
    pub fn refresh_window(mut self, window: Duration) -> Self {
        self.refresh_window = Some(window);
        self
    }

    /// Adds a channel, under the name that clients give in their identifiers.
    ///
    /// `new` makes the object of one subscription, or refuses its parameters:
    ///
    /// ```
    /// # use forebay_core as forebay;
    /// # use forebay::channel::{Channel, Context, Params, Rejection};
    /// # struct Room(u64);
    /// # impl Channel for Room {
    /// #     async fn subscribed(&mut self, _: &mut Context) -> Result<(), Rejection> { Ok(()) }
    /// # }
    /// # fn build(builder: forebay::Builder) -> forebay::Builder {
    /// builder.channel("RoomChannel", |params: &Params| {
    ///     params.get("id").and_then(|id| id.as_u64()).map(Room).ok_or(Rejection)
    /// })
    /// # }
    /// ```
    pub fn channel<C, N>(mut self, name: impl Into<String>, new: N) -> Self
    where
        C: IntoChannel,
        N: Fn(&Params) -> C + Send + Sync + 'static,
    {
        let factory = crate::channel::factory(move |cx| new(cx.params()));
        self.channels.push((name.into(), factory));
        self
    }

    /// Takes the subscriptions to channels that were not added by name. For channels that are decided on
    /// elsewhere, or whose names are not known beforehand.
    pub fn fallback_channel<C, N>(mut self, new: N) -> Self
    where
        C: IntoChannel,
        N: Fn(&str, &Params) -> C + Send + Sync + 'static,
    {
        let factory = crate::channel::factory(move |cx| new(cx.channel(), cx.params()));
        self.fallback = Some(factory);
        self
    }

    /// Decides who may connect, and who they are. Default: everybody, anonymously.
    ///
    /// The hook sees the request's head: its cookies, and what layers have put into its extensions, such
    /// as a database. `Err(Unauthorized)` turns the client away for good. Any other error and a panic turn
    /// it away for now, and it comes back.
    ///
    /// ```
    /// # use forebay_core as forebay;
    /// use forebay::channel::{ConnectError, Identity, Unauthorized};
    /// # #[derive(Clone)]
    /// # struct Users;
    /// # impl Users {
    /// #     async fn of_cookie(&self, cookie: &str) -> Result<Option<u64>, std::io::Error> { Ok(None) }
    /// # }
    ///
    /// # fn build() -> Result<(), forebay::BuildError> {
    /// let forebay = forebay::Forebay::builder()
    ///     .secret("a long secret that is kept secret")
    ///     .connect(async |parts| {
    ///         let cookie = parts.headers.get("cookie").ok_or(Unauthorized)?.to_str()?;
    ///         // From `.layer(Extension(users))` of the application's router.
    ///         let users: &Users = parts.extensions.get().ok_or_else(|| {
    ///             ConnectError::Unavailable("the router lacks its users".into())
    ///         })?;
    ///         let user = users.of_cookie(cookie).await?.ok_or(Unauthorized)?;
    ///         Ok(Identity::named(format!("user:{user}")))
    ///     })
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect<H>(mut self, hook: H) -> Self
    where
        H: AsyncFn(&Parts) -> Result<Identity, ConnectError> + for<'a> Hook<'a>,
    {
        self.connect = Some(Arc::new(move |parts| Box::pin(hook(parts))));
        self
    }

    /// Lets anybody subscribe to streams of these names through `$pubsub`, without a signature. A pattern is
    /// a name, or a beginning and `*`. Default: none.
    pub fn public_streams(mut self, pattern: impl Into<String>) -> Self {
        self.public_streams.push(StreamPattern::new(pattern.into()));
        self
    }

    /// Keeps history in this folder, so that a restart (a deploy, a crash) loses nothing: pages go on
    /// where they were. Default: in memory only, and after a restart pages render themselves again.
    ///
    /// One process has the folder at a time. [`Fsync`] says what an acknowledged broadcast survives, and
    /// what that costs.
    pub fn file_log(mut self, folder: impl Into<PathBuf>, fsync: Fsync) -> Self {
        self.file_log = Some((folder.into(), fsync));
        self
    }

    /// Has transactions ([`Turbo::begin`](crate::Turbo::begin)) write what they broadcast into this outbox, a
    /// table of the application's own database. Then it is broadcast if and only if they commit, also where
    /// the process is killed in between. The module [`outbox`](crate::outbox) says all about it.
    ///
    /// ```
    /// # use forebay_core as forebay;
    /// # async fn build(pool: sqlx::Pool<sqlx::Sqlite>) -> Result<(), Box<dyn std::error::Error>> {
    /// use forebay::Forebay;
    /// use forebay::outbox::Outbox;
    ///
    /// Outbox::migrate(&pool).await?; // or copy the migration into your own
    /// let forebay = Forebay::builder()
    ///     .secret("a long secret that is kept secret")
    ///     .outbox(Outbox::open(&pool).await?)
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "sqlx")]
    pub fn outbox(mut self, outbox: forebay_outbox::Outbox) -> Self {
        self.outbox = Some(outbox);
        self
    }

    /// If the log in the folder is damaged, moves it into a folder `damaged-1` there, and begins a new log.
    /// Open pages then load themselves again, and access that was taken back has to be taken back again.
    /// Default: building fails, and says what is damaged.
    pub fn discard_damaged_log(mut self, discards: bool) -> Self {
        self.options.discards_damaged = discards;
        self
    }

    /// Lets subscribers of `$pubsub` whisper to each other on streams of these names. A pattern is a name, or
    /// a beginning and `*`. Default: none. Whispers have a stream of their own beside each, so that no page
    /// takes one for Turbo's HTML.
    pub fn whispered_streams(mut self, pattern: impl Into<String>) -> Self {
        self.whispered_streams.push(StreamPattern::new(pattern.into()));
        self
    }

    /// Says what pages are shown, and what is done, when the members of a stream change. Called again for those of
    /// other streams ([`Presence::streams`]); the first that fits takes a stream. The module's
    /// [page](crate::presence) begins with an example.
    pub fn presence<M>(mut self, presence: Presence<M>) -> Self
    where
        M: DeserializeOwned + Send + Sync + 'static,
    {
        self.presences.push(Box::new(presence));
        self
    }

    /// How long members stay whose pages are gone, and the bounds of presence. Hooks in there are left alone if
    /// there is no [`presence`](Self::presence).
    pub fn presence_options(mut self, options: PresenceOptions) -> Self {
        self.options.presence = options;
        self
    }

    /// Tells AnyCable's clients who is present on streams of these names: `join`, `leave` and `info()` of
    /// `@anycable/core`'s `channel.presence`, and its events. A pattern is a name, or a beginning and `*`. Default:
    /// none.
    ///
    /// Whoever may read such a stream sees who is on it. As whom they may be there themselves says
    /// [`presence_clients_choose`](Self::presence_clients_choose).
    pub fn presence_streams(mut self, pattern: impl Into<String>) -> Self {
        self.rosters.streams.push(StreamPattern::new(pattern.into()));
        self
    }

    /// What AnyCable's clients may say about themselves on [`presence_streams`](Self::presence_streams). Default:
    /// nothing, so that they see who is there and can't be there.
    pub fn presence_clients_choose(mut self, what: ClientsChoose) -> Self {
        self.rosters.clients_choose = what;
        self
    }

    /// Passes on `html` in the info of a client. AnyCable's `<turbo-cable-presence-source>` puts it into the pages
    /// of all others, so each visitor may then change everybody's page. Default: no.
    pub fn presence_client_html(mut self, passes: bool) -> Self {
        self.rosters.passes_html = passes;
        self
    }

    /// How long a tag can be used to subscribe after its page was rendered. Default: for ever, as
    /// in turbo-rails. An older page that has to reconnect is refused. `forebay.js` then renders it again,
    /// and turbo-rails' client does nothing. So make it longer than people keep pages open.
    pub fn stream_lifetime(mut self, lifetime: Duration) -> Self {
        self.stream_lifetime = Some(lifetime);
        self
    }

    /// Forgets revocations that are older. Default: none is forgotten, because a signed name without an end is
    /// good for ever. Make it as long as a page can be open, and a name be good. Pages whose cursor is older
    /// than what was forgotten are refused. A tag without a cursor is let in.
    pub fn revocation_lifetime(mut self, lifetime: Duration) -> Self {
        self.options.revocation_lifetime = Some(lifetime);
        self
    }

    /// Records what happens to broadcasts and pages, so that [`why`](Forebay::why), the addresses below
    /// `/forebay/inspect` and `forebay why` can say which hop is broken. `None` records nothing. Default: as
    /// [`Inspect::development`] where the application is built with debug assertions, and else nothing.
    pub fn inspect(mut self, inspect: impl Into<Option<Inspect>>) -> Self {
        self.inspect = inspect.into();
        self
    }

    /// Builds the [`Forebay`], with its log.
    ///
    /// # Errors
    /// [`BuildError`] names what is missing or wrong.
    pub fn build(self) -> Result<F, BuildError> {
        let mut this = self.with_hooks();
        let log = this.file_log.take();
        let kept = if log.is_some() { Kept::Here } else { Kept::Nowhere };
        this.assemble(kept, |options| match log {
            None => Ok(Hub::new(options)),
            Some((folder, fsync)) => Ok(Hub::open(options, folder, fsync)?),
        })
    }

    /// The same with a log that several nodes share, once this one has come as far as the store was when it was
    /// asked. Features of `forebay` have stores: `redis`, `nats`, `postgres`.
    ///
    /// # Errors
    /// [`BuildError`] names what is missing or wrong, and [`BuildError::Log`] why the store can't be
    /// followed. [`BuildError::TwoLogs`] if there is a [`file_log`](Self::file_log), too.
    pub async fn follow(self, store: Arc<dyn LogStore>) -> Result<F, BuildError> {
        if self.file_log.is_some() {
            return Err(BuildError::TwoLogs);
        }
        let this = self.with_hooks();
        let hub = Hub::follow(this.options.clone(), store).await?;
        this.assemble(Kept::Shared, |_| Ok(hub))
    }

    /// What the hub is to call.
    fn with_hooks(mut self) -> Self {
        self.options.inspect = self.inspect.as_ref().map(|inspect| inspect.options.clone());
        let presences = std::mem::take(&mut self.presences);
        if !presences.is_empty() {
            self.options.presence.hooks = Some(PresenceHooks::new(Hooks(presences)));
        }
        self
    }

    fn assemble(
        self,
        kept: Kept,
        open: impl FnOnce(Options) -> Result<Hub, BuildError>,
    ) -> Result<F, BuildError> {
        let length = self.shortest_secret.ok_or(BuildError::NoSecret)?;
        if self.keys.is_empty() || self.pubsub_keys.is_empty() {
            return Err(BuildError::NoSecret);
        }
        match length {
            0 => return Err(BuildError::EmptySecret),
            1..SECRET_BYTES_ADVISED => {
                tracing::warn!(length, "the secret is short enough to be guessed");
            }
            _ => {}
        }
        let app = self.app.unwrap_or_else(|| "app".to_owned());
        if !is_app_name(&app) {
            return Err(BuildError::BadAppName(app));
        }
        let paths = Paths {
            cable: path(self.cable_path, "/cable").map_err(BuildError::BadCablePath)?,
            prefix: path(self.prefix, "/forebay").map_err(BuildError::BadPrefix)?,
            public_url: self.public_url.map(|url| url.trim_end_matches('/').to_owned()),
        };
        if ["events", "poll", "forebay.js", "worker.js", "inspect.js"]
            .iter()
            .any(|name| paths.cable == format!("{}/{name}", paths.prefix))
        {
            return Err(BuildError::BadCablePath(paths.cable));
        }
        let door =
            self.hosts.iter().try_fold(Door::from(self.origins), |door, host| door.host(host))?;
        let door = self.trusted_proxies.iter().try_fold(door, |door, proxy| door.proxy(proxy))?;
        let mut channels = HashMap::new();
        for (name, factory) in self.channels {
            let is_built_in = BUILT_IN.contains(&name.as_str());
            if is_built_in || channels.insert(name.clone(), factory).is_some() {
                return Err(BuildError::DuplicateChannel(name));
            }
        }
        let keys = Keys {
            streams: verifier(&self.keys),
            pubsub: verifier(&self.pubsub_keys),
            cursors: cursor_signer(&self.keys),
            secrets: if self.inspect.is_some() { self.pubsub_keys.clone() } else { Vec::new() },
            other_digests: OnceLock::new(),
        };
        let (public_streams, whispered_streams) = (self.public_streams, self.whispered_streams);
        let (fallback, rosters) = (self.fallback, self.rosters);
        let registry = Registry { channels, fallback, public_streams, whispered_streams, rosters };
        let settings = Settings {
            refresh_window: self.refresh_window.unwrap_or(Duration::from_millis(500)),
            message_bytes_max: self.message_bytes_max.unwrap_or(1 << 20),
            outlives_process: kept != Kept::Nowhere,
            #[cfg(feature = "sqlx")]
            is_shared: kept == Kept::Shared,
        };
        #[cfg(feature = "sqlx")]
        if self.outbox.as_ref().is_some_and(|outbox| outbox.relays() && !outbox.has_lead())
            && !settings.is_shared
        {
            return Err(BuildError::OutboxInUse);
        }
        let hub = open(self.options)?;
        let publisher = Publisher::new(hub.clone(), settings);
        #[cfg(feature = "sqlx")]
        let publisher = match self.outbox {
            Some(outbox) => publisher.outbox(outbox),
            None => publisher,
        };
        let core = Core::new(hub, keys, app, publisher, self.stream_lifetime);
        let edge = EdgeOptions { connect: self.connect, paths, inspect: self.inspect };
        Ok(F::from(Forebay::new(core, registry, door, edge)))
    }

    fn see(&mut self, secret: &[u8]) {
        let shortest = self.shortest_secret.unwrap_or(usize::MAX);
        self.shortest_secret = Some(shortest.min(secret.len()));
    }
}

/// Where the log is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// In memory.
    Nowhere,
    /// On this machine's disk.
    Here,
    /// By a server, for several nodes.
    Shared,
}

/// A path, without the slash at its end.
fn path(said: Option<String>, usual: &str) -> Result<String, String> {
    let path = said.unwrap_or_else(|| usual.to_owned());
    if !path.starts_with('/') || path.contains(['{', '}', '*', '?', '#']) {
        return Err(path);
    }
    Ok(path.trim_end_matches('/').to_owned())
}

fn verifier(keys: &[Key]) -> Verifier {
    let (first, older) = keys.split_first().expect("a secret was given");
    older.iter().fold(Verifier::new(first), Verifier::rotate)
}

fn cursor_signer(keys: &[Key]) -> CursorSigner {
    let (first, older) = keys.split_first().expect("a secret was given");
    older.iter().fold(CursorSigner::new(first), CursorSigner::rotate)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that is taken here names records' streams, too.
    #[test]
    fn an_app_is_called_as_global_ids_allow() {
        let build = |app: &str| Forebay::builder().secret("a secret for tests").app(app).build();
        for good in ["chat", "my-app", "my_app", "app.example"] {
            assert!(build(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a:b", "a/b", "é"] {
            assert!(matches!(build(bad), Err(BuildError::BadAppName(name)) if name == bad));
        }
    }
}
