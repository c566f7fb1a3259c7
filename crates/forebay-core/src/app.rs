//! The handle that an application keeps.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use forebay_hub::{Hub, Revocation, StatsSnapshot};
use forebay_log::Position;
use forebay_signing::{
    Cursor, CursorSigner, Key, KeyDigest, PageCursor, Subject, Verifier, VerifyError,
};
use forebay_transport::{Door, Endpoint};
use forebay_turbo::{EventStreamSource, StreamName, StreamNameError, StreamSource, Streamable};

use crate::bodies::Bodies;
use crate::broadcast::{BroadcastError, Broadcaster, Publisher};
use crate::builder::Builder;
use crate::channel::{Connect, Registry, StandardChannels};
use crate::checks::Mistake;
use crate::clock::unix_millis;
use crate::inspect::Inspect;
use crate::inspector::Live;
use crate::replay::{ReplayEntry, ReplayError};

/// Turbo for one application: its log, its keys, its channels. Clones are handles to the same.
#[derive(Clone)]
pub struct Forebay {
    pub(crate) core: Arc<Core>,
    pub(crate) edge: Arc<Edge>,
}

/// What pages, broadcasts and channels need. The routes need more: [`Edge`].
pub(crate) struct Core {
    pub(crate) hub: Hub,
    pub(crate) keys: Keys,
    pub(crate) publisher: Publisher,
    pub(crate) pages: PageIds,
    app: String,
    /// How long a tag's signature is good, if not for ever.
    stream_lifetime: Option<Duration>,
}

/// Whom, or what, a signed stream name is good for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GoodFor<'a> {
    Anybody,
    Channel(&'a str),
    Viewer(&'a str),
    /// To see who is there, and to be there: for anybody, or for one viewer.
    Presence(Option<&'a str>),
}

/// In front of a visitor's name in a purpose.
const VIEWER: &str = "viewer:";

/// A presence tag's purpose, or in front of it. As with a viewer's, no channel has such a name.
pub(crate) const PRESENCE: &str = "presence:";

impl<'a> GoodFor<'a> {
    /// A visitor's own streams are for them, all others for anybody.
    pub(crate) fn whom(stream: &'a impl Streamable) -> Self {
        stream.viewer().map_or(Self::Anybody, Self::Viewer)
    }

    /// The purpose that the signature names. Empty for anybody.
    pub(crate) fn purpose(self) -> String {
        match self {
            Self::Anybody => String::new(),
            Self::Channel(name) => name.to_owned(),
            // No channel has such a name: a class's has letters, digits and double colons.
            Self::Viewer(name) => format!("{VIEWER}{name}"),
            Self::Presence(None) => PRESENCE.to_owned(),
            Self::Presence(Some(viewer)) => format!("{PRESENCE}{VIEWER}{viewer}"),
        }
    }

    /// The visitor that a purpose names, if it names one.
    pub(crate) fn viewer_of(purpose: &str) -> Option<&str> {
        purpose.strip_prefix(VIEWER)
    }
}

/// What the routes need.
pub(crate) struct Edge {
    pub(crate) endpoint: Endpoint,
    pub(crate) connect: Option<Connect>,
    /// What bodies of requests may take together.
    pub(crate) bodies: Bodies,
    pub(crate) paths: Paths,
    /// Who may see what is recorded, if anything is.
    pub(crate) inspect: Option<Inspect>,
    /// What makes the inspector live.
    pub(crate) live: Live,
    /// Somebody has asked for the addresses, to route them.
    pub(crate) has_addresses: AtomicBool,
    /// The log has said that a page has a tag, and nobody has asked for the addresses.
    dead_tag: Mistake,
}

/// The keys that the application signs and verifies with.
pub(crate) struct Keys {
    pub(crate) streams: Verifier,
    pub(crate) pubsub: Verifier,
    pub(crate) cursors: CursorSigner,
    /// To say why a name was refused, where that is recorded: what it may have been signed with instead.
    pub(crate) secrets: Vec<Key>,
    pub(crate) other_digests: OnceLock<Option<Verifier>>,
}

impl Keys {
    /// Whether a name was signed with one of the secrets, and not with the digest that is expected.
    pub(crate) fn is_of_other_digest(&self, signed: &str) -> bool {
        let verifier = self.other_digests.get_or_init(|| {
            let digests = [KeyDigest::Sha256, KeyDigest::Sha1];
            let derived = |secret: &Key| digests.map(|digest| secret.turbo_of(digest));
            let mut keys = self.secrets.iter().flat_map(derived);
            let first = Verifier::new(keys.next()?);
            Some(keys.fold(first, Verifier::rotate))
        });
        let outcome = verifier.as_ref().map(|verifier| verifier.verify(signed, 0));
        // What has a purpose or has expired was signed with it all the same.
        matches!(outcome, Some(Ok(_) | Err(VerifyError::Expired | VerifyError::WrongPurpose)))
    }
}

/// How clients connect.
pub(crate) struct EdgeOptions {
    pub(crate) connect: Option<Connect>,
    pub(crate) paths: Paths,
    pub(crate) inspect: Option<Inspect>,
}

/// Where the routes are.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// The cable's path, without a slash at its end.
    pub(crate) cable: String,
    /// What the paths of the others begin with, without a slash at its end.
    pub(crate) prefix: String,
    /// What stands in front of both for browsers, if it was configured, without a slash at its end.
    pub(crate) public_url: Option<String>,
}

impl Core {
    pub(crate) fn new(
        hub: Hub,
        keys: Keys,
        app: String,
        publisher: Publisher,
        stream_lifetime: Option<Duration>,
    ) -> Self {
        Self { hub, keys, publisher, pages: PageIds::new(), app, stream_lifetime }
    }

    /// Signs a name for a tag of this moment.
    pub(crate) fn sign_for(&self, name: &StreamName, good_for: GoodFor<'_>) -> String {
        self.sign_text(name.as_str(), &good_for.purpose())
    }

    /// Signs a text for a tag of this moment. An empty purpose is none.
    pub(crate) fn sign_text(&self, text: &str, purpose: &str) -> String {
        let verifier = &self.keys.streams;
        let lifetime = self.stream_lifetime.map(|lifetime| lifetime.as_millis());
        let lifetime = lifetime.map(|millis| u64::try_from(millis).unwrap_or(u64::MAX));
        let expires_at = lifetime.map(|lifetime| unix_millis().saturating_add(lifetime));
        match (expires_at, purpose) {
            (None, "") => verifier.sign(text),
            (None, purpose) => verifier.sign_for(text, purpose),
            (Some(at), "") => verifier.sign_expiring(text, at),
            (Some(at), purpose) => verifier.sign_expiring_for(text, purpose, at),
        }
    }

    pub(crate) fn stream_name(
        &self,
        parts: &impl Streamable,
    ) -> Result<StreamName, StreamNameError> {
        StreamName::of(&self.app, parts)
    }
}

impl std::fmt::Debug for Forebay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forebay")
            .field("app", &self.core.app)
            .field("position", &self.position())
            .finish_non_exhaustive()
    }
}

impl Forebay {
    /// Begins to configure one. Only the secret is required.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(core: Core, registry: Registry, door: Door, edge: EdgeOptions) -> Self {
        let core = Arc::new(core);
        let channels = StandardChannels::new(Arc::clone(&core), registry);
        let endpoint = Endpoint::new(core.hub.clone(), Arc::new(channels), door);
        let EdgeOptions { connect, paths, inspect } = edge;
        let (bodies, has_addresses) = (Bodies::default(), AtomicBool::new(false));
        let dead_tag = Mistake::new();
        let live = Live::default();
        let edge =
            Edge { endpoint, connect, bodies, paths, inspect, live, has_addresses, dead_tag };
        let edge = Arc::new(edge);
        Self { core, edge }
    }

    /// Broadcasts from outside a request: a job, a timer, another task.
    pub fn broadcast(&self) -> Broadcaster {
        Broadcaster::new(Arc::clone(&self.core), None)
    }

    /// Where the log stands.
    pub fn position(&self) -> Position {
        self.core.hub.position()
    }

    /// The name of a stream, as this application makes it.
    ///
    /// # Errors
    /// [`StreamNameError`] for blank parts and for parts that contain `:`.
    pub fn stream_name(&self, parts: impl Streamable) -> Result<StreamName, StreamNameError> {
        self.core.stream_name(&parts)
    }

    /// Signs a stream's name, as `turbo_stream_from` does.
    pub fn sign(&self, name: &StreamName) -> String {
        self.core.keys.streams.sign(name.as_str())
    }

    /// Whether both are handles to the same.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }

    pub(crate) fn check_addresses(&self) {
        if self.edge.dead_tag.is_news(|| !self.has_addresses()) {
            tracing::warn!(
                "a page has a stream tag, but no router of this process has Forebay's routes, so nothing \
                 answers the tag: add them (with axum, `forebay.mount(router)`)"
            );
        }
    }

    /// The tag that subscribes this page to a stream.
    pub(crate) fn stream_source(
        &self,
        parts: &impl Streamable,
        good_for: GoodFor<'_>,
        page: &PageCursor,
    ) -> Result<StreamSource, StreamNameError> {
        self.check_addresses();
        let name = self.core.stream_name(parts)?;
        let signed = self.core.sign_for(&name, good_for);
        let cursor = page.cursor_for(Subject::Signed(&signed));
        let source = StreamSource::new(signed);
        let source = match good_for {
            GoodFor::Channel(channel) => source.channel(channel),
            _ => source,
        };
        Ok(source.cursor(&cursor))
    }

    pub(crate) fn event_source<S: Streamable>(
        &self,
        streams: impl IntoIterator<Item = S>,
        page: &PageCursor,
        (base, paths): (&str, &Paths),
    ) -> Result<EventStreamSource, StreamNameError> {
        self.check_addresses();
        let mut src = format!("{base}{}/events", paths.prefix);
        let mut separator = '?';
        let mut rendering = String::new();
        for parts in streams {
            let name = self.core.stream_name(&parts)?;
            let signed = self.core.sign_for(&name, GoodFor::whom(&parts));
            let cursor = page.cursor_for(Subject::Signed(&signed));
            src.extend([
                separator.encode_utf8(&mut [0; 4]),
                "stream=",
                &in_query(&signed),
                "&cursor=",
                &cursor,
            ]);
            separator = '&';
            rendering = cursor;
        }
        Ok(EventStreamSource::new(src).replaced_by_morphs(&rendering))
    }

    pub(crate) fn page_cursor(&self, position: Position, page: u64) -> PageCursor {
        let (epoch, offset) = (position.epoch.0, position.offset.0);
        self.core.keys.cursors.page(Cursor { epoch, offset, page })
    }

    /// What a page with this cursor would be replayed of a stream. For tests, which ask what was broadcast,
    /// and to find out what a page should have got.
    ///
    /// ```
    /// # use forebay_core as forebay;
    /// # use forebay::{Forebay, TurboStream};
    /// # async fn example(forebay: Forebay) -> Result<(), Box<dyn std::error::Error>> {
    /// let before = forebay.position();
    /// forebay.broadcast().stream_to("room", TurboStream::remove("message_1")).await?;
    ///
    /// let entries = forebay.replay("room", before)?;
    /// assert_eq!(entries.len(), 1);
    /// assert_eq!(entries[0].html().as_deref(), Some(TurboStream::remove("message_1").to_string().as_str()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ReplayError`] if the stream has no name, or if history does not reach that far.
    pub fn replay(
        &self,
        stream: impl Streamable,
        cursor: Position,
    ) -> Result<Vec<ReplayEntry>, ReplayError> {
        let name = self.stream_name(stream)?;
        let entries = self.core.hub.replay(name.as_str(), cursor)?;
        Ok(entries.into_iter().map(ReplayEntry::from).collect())
    }

    /// Ends all connections of the visitor whom the connect hook named so. They come back, and the hook
    /// decides anew. Gives their number on this node.
    ///
    /// # Errors
    /// [`BroadcastError::NotTaken`] where the log has a store, and that does not take it: nobody is
    /// disconnected.
    pub async fn disconnect(&self, identity: &str) -> Result<usize, BroadcastError> {
        Ok(self.core.hub.disconnect(identity).await?)
    }

    /// Ends them as well, and their clients don't come back before their page is loaded again. To keep a
    /// visitor out for good, use the connect hook or [`revoke`](Self::revoke).
    ///
    /// # Errors
    /// As there.
    pub async fn dismiss(&self, identity: &str) -> Result<usize, BroadcastError> {
        Ok(self.core.hub.dismiss(identity).await?)
    }

    /// Says that these streams lack something which should have been broadcast and could not be: their
    /// pages load themselves again, now or when they come back.
    ///
    /// Broadcasts of this crate say it by themselves, where a change was committed and the log did not
    /// take what was to be broadcast. This is for what is broadcast from elsewhere.
    pub async fn gap<'a>(&self, streams: impl IntoIterator<Item = &'a str>) {
        self.core.hub.gap(streams).await;
    }

    /// Takes access back, at once: connections that use it end (within one turn of their tasks, a
    /// fraction of a second on a busy server), nothing that they could resume with is honoured,
    /// and tags that were rendered before are refused, over every transport. A page that is rendered
    /// after this has access if the application renders its tag.
    ///
    /// ```
    /// # use forebay_core as forebay;
    /// # async fn leave(forebay: forebay::Forebay) -> Result<(), Box<dyn std::error::Error>> {
    /// use forebay::Revocation;
    ///
    /// let room = forebay.stream_name(("room", 1))?;
    /// forebay.revoke(Revocation::of("user:7", room.as_str())).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`BroadcastError::NotTaken`] where the log is kept on disk, and the disk is full. Access is
    /// taken back all the same; pages rendered from now on may be refused as well.
    pub async fn revoke(&self, revocation: Revocation) -> Result<(), BroadcastError> {
        self.core.hub.revoke(revocation).await?;
        Ok(())
    }

    /// Takes a revocation back, for tags without a cursor: those can't say when they were rendered,
    /// and are refused for as long as the revocation stands. False if there was none.
    ///
    /// # Errors
    /// [`BroadcastError::NotTaken`] where the log is kept elsewhere, and that does not take it: it is as
    /// before.
    pub async fn readmit(&self, revocation: &Revocation) -> Result<bool, BroadcastError> {
        Ok(self.core.hub.readmit(revocation).await?)
    }

    /// The counters, as they are now.
    pub fn stats(&self) -> StatsSnapshot {
        self.core.hub.stats().snapshot()
    }

    /// How many connections there are now.
    pub fn connections(&self) -> usize {
        self.core.hub.connections()
    }

    /// Why the disk did not take the last broadcast, if it did not. Mostly because it is full.
    pub fn trouble(&self) -> Option<String> {
        self.core.hub.trouble()
    }

    /// For how long nothing was heard of the log's store, once that is five seconds: load balancers should send
    /// nobody here. After 30 seconds pages are sent away.
    pub fn behind(&self) -> Option<Duration> {
        self.core.hub.behind()
    }

    /// Bytes of history now, overhead included.
    pub fn history_bytes(&self) -> usize {
        self.core.hub.history_bytes()
    }

    /// Publishes everything that was broadcast and still waits: what is to be sent later, debounced
    /// refreshes, and what is in the outbox. For tests, which then know that there is nothing more.
    pub async fn flush(&self) {
        self.core.publisher.flush().await;
    }

    /// Ends in order. Broadcasts that wait are sent. Clients are told to come back, spread over `window`.
    /// Then nobody is let in any more. With nobody connected it takes no time.
    ///
    /// Await this beside the HTTP server's own graceful shutdown, axum's for one, which does not see
    /// upgraded connections.
    ///
    /// A broadcast that comes afterwards gives [`Sent::ShutDown`](crate::Sent::ShutDown). With a log in a
    /// folder ([`Builder::file_log`]) it is kept for the process that opens the folder next.
    pub async fn shut_down(&self, window: Duration) {
        self.core.publisher.flush().await;
        self.core.hub.shut_down(window).await;
        self.core.publisher.end().await;
    }
}

/// Page ids: unique in practice over all processes, not secret (the cursor's signature covers
/// them). A random start and an odd step visit every value once before any comes back.
#[derive(Debug)]
pub(crate) struct PageIds(AtomicU64);

impl PageIds {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    fn new() -> Self {
        Self(AtomicU64::new(getrandom::u64().expect("the operating system gives random numbers")))
    }

    pub(crate) fn next(&self) -> u64 {
        self.0.fetch_add(Self::STEP, Ordering::Relaxed)
    }
}

/// What is signed, as a query has it: it is standard base64, of whose characters these mean something there.
pub(crate) fn in_query(signed: &str) -> String {
    signed.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}
