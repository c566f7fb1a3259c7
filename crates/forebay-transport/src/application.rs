//! Carrying a session's effects to the application, and its answers back.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use forebay_cable::{
    Attachment, Claim, DisconnectReason, Effect, Protocol, RejectReason, Report, ReportKind,
    Resync, Session, Start, SubscriptionId, Terms,
};
use forebay_hub::{Asked, Broadcast, Client};
use forebay_log::{Class, Message, Offset, StreamId, UnixMillis};
use tokio::runtime::Handle;

use crate::begin::{self, Claimed, Known, Left};
use crate::channels::{
    Answer, Begin, Channels, Handler, Identity, Later, Op, Rejected, Request, Stream, Subscribed,
};
use crate::excerpt::excerpt;
use crate::rejections::{self, Peer};

/// Whispers of one connection in a second: a hand that draws, at a display's 60 frames, may lose
/// one or the other. Each costs its stream's subscribers a message.
const WHISPERS_PER_SECOND_MAX: u16 = 50;

/// One whisper's bytes: positions and names, not documents.
const WHISPER_BYTES_MAX: usize = 8 << 10;

type Handlers = Vec<(SubscriptionId, Box<dyn Handler>)>;

/// The application's side of one connection.
pub(crate) struct Application {
    channels: Arc<dyn Channels>,
    identity: Identity,
    /// Out of line, like the next two: most connections have none.
    handlers: Option<Box<Handlers>>,
    whispers: Option<Box<Whispers>>,
    /// At most one: the session waits for its answer.
    running: Option<Box<Running>>,
}

/// What a connection may whisper.
#[derive(Debug, Default)]
struct Whispers {
    /// The streams that its subscriptions may whisper on.
    streams: Vec<(SubscriptionId, Arc<str>)>,
    pace: Pace,
}

impl Whispers {
    /// Where to whisper, if it may at all, and has not done so too often.
    fn allow(&mut self, id: SubscriptionId, now: UnixMillis) -> Option<&str> {
        let (_, stream) = self.streams.iter().find(|(other, _)| *other == id)?;
        self.pace.allows(now).then_some(&**stream)
    }
}

/// How many whispers there were in the running second.
#[derive(Debug, Default)]
struct Pace {
    second: u64,
    whispers: u16,
}

impl Pace {
    fn allows(&mut self, now: UnixMillis) -> bool {
        let second = now.as_secs();
        if second != self.second {
            *self = Self { second, whispers: 0 };
        }
        let allowed = self.whispers < WHISPERS_PER_SECOND_MAX;
        self.whispers += u16::from(allowed);
        allowed
    }
}

enum Running {
    Subscribe(SubscriptionId, Terms, Later<Result<Subscribed, Rejected>>),
    Perform(SubscriptionId, Later<(Box<dyn Handler>, Vec<Op>)>),
    Unsubscribe(Later<()>),
}

/// What a finished call came to.
enum Finished {
    Subscribe(SubscriptionId, Terms, Result<Subscribed, Rejected>),
    Perform(SubscriptionId, Box<dyn Handler>, Vec<Op>),
    Unsubscribe,
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application")
            .field("identity", &self.identity)
            .field("handlers", &self.handlers.as_ref().map_or(0, |handlers| handlers.len()))
            .field("running", &self.running.is_some())
            .finish_non_exhaustive()
    }
}

impl Application {
    pub(crate) fn new(channels: Arc<dyn Channels>, identity: Identity) -> Self {
        Self { channels, identity, handlers: None, whispers: None, running: None }
    }

    /// Moves on as far as answers are there, and takes no more than `steps`, each a command or some that
    /// need no answer. True if the session has moved.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        client: &mut Client,
        steps: &mut usize,
        peer: Peer<'_>,
    ) -> bool {
        let mut moved = false;
        while *steps > 0 {
            if let Some(running) = &mut self.running {
                let polled = catch_unwind(AssertUnwindSafe(|| running.poll(cx)));
                match polled {
                    Ok(Poll::Pending) => return moved,
                    Ok(Poll::Ready(finished)) => {
                        self.running = None;
                        self.finish(finished, session, client, peer);
                    }
                    Err(_) => {
                        // The panic hook has said where. Other connections go on.
                        self.running = None;
                        fail(session, client);
                    }
                }
            } else if let Some(effect) = session.poll_effect() {
                *steps -= 1;
                let begin = AssertUnwindSafe(|| self.begin(effect, session, client, peer));
                if catch_unwind(begin).is_err() {
                    fail(session, client);
                }
            } else if session.is_paused() {
                *steps -= 1;
            } else {
                return moved;
            }
            moved = true;
        }
        moved
    }

    /// The connection is gone: what runs runs to its end, and every channel hears of it, each in
    /// its own time. Without a runtime there is nobody left to tell.
    pub(crate) fn end(&mut self) {
        if Handle::try_current().is_err() {
            return;
        }
        match self.running.take().map(|running| *running) {
            Some(Running::Perform(_, later)) => {
                tokio::spawn(async move { later.await.0.unsubscribed().await });
            }
            Some(Running::Unsubscribe(later)) => drop(tokio::spawn(later)),
            // Nobody is subscribed yet, so nobody has to hear of it.
            Some(Running::Subscribe(..)) | None => {}
        }
        for (_, handler) in self.handlers.take().into_iter().flat_map(|handlers| *handlers) {
            tokio::spawn(handler.unsubscribed());
        }
    }

    fn begin(
        &mut self,
        effect: Effect,
        session: &mut Session,
        client: &mut Client,
        peer: Peer<'_>,
    ) {
        match effect {
            Effect::Subscribe { id, identifier, terms } => {
                let identity = self.identity.clone();
                let request = Request { identity, session: session.id(), identifier };
                match self.channels.subscribe(request) {
                    Answer::Now(outcome) => {
                        let finished = Finished::Subscribe(id, terms, outcome);
                        self.finish(finished, session, client, peer);
                    }
                    Answer::Later(later) => {
                        self.running = Some(Box::new(Running::Subscribe(id, terms, later)));
                    }
                }
            }
            Effect::Perform { id, action, data } => match self.take_handler(id) {
                Some(handler) => {
                    self.running =
                        Some(Box::new(Running::Perform(id, handler.perform(action, data))));
                }
                // Turbo's channel has no actions: there is nobody to ask.
                None => session.done(),
            },
            Effect::Place { id, streams, claim } => {
                let starts = streams.iter().map(|stream| (*stream, place(*stream, &claim, client)));
                session.place(id, &starts.collect::<Vec<_>>());
            }
            Effect::Whisper { id, json } => {
                let fits = json.len() <= WHISPER_BYTES_MAX;
                let whispers = self.whispers.as_mut().filter(|_| fits);
                let stream = whispers.and_then(|whispers| whispers.allow(id, client.hub().now()));
                session.whispered(stream.is_some());
                if let Some(stream) = stream {
                    let message = Message::json(json).except(session.id().to_string());
                    // Nobody is owed a whisper: that it was lost is logged and counted.
                    let class = Class::Ephemeral;
                    let _ = client.hub().publish(Broadcast { stream, message, class });
                    client.hub().stats().whispers.add(1);
                } else {
                    client.hub().stats().whispers_refused.add(1);
                }
            }
            Effect::Unsubscribe { id, streams } => {
                for stream in streams {
                    client.detach(stream);
                }
                client.leave_page(id, None);
                client.note_session(session);
                if let Some(whispers) = &mut self.whispers {
                    whispers.streams.retain(|(other, _)| *other != id);
                }
                match self.take_handler(id) {
                    Some(handler) => {
                        self.running = Some(Box::new(Running::Unsubscribe(handler.unsubscribed())));
                    }
                    None => session.done(),
                }
            }
        }
    }

    fn finish(
        &mut self,
        finished: Finished,
        session: &mut Session,
        client: &mut Client,
        peer: Peer<'_>,
    ) {
        match finished {
            Finished::Subscribe(id, terms, Ok(subscribed)) => {
                if let Err(rejected) = self.subscribe(id, &terms, subscribed, session, client) {
                    self.reject(&rejected, session, client, peer);
                }
            }
            Finished::Subscribe(_, _, Err(rejected)) => {
                self.reject(&rejected, session, client, peer);
            }
            Finished::Perform(id, handler, ops) => {
                self.keep_handler(id, handler);
                for op in ops {
                    self.carry_out(id, op, session, client, peer);
                }
                session.done();
            }
            Finished::Unsubscribe => session.done(),
        }
    }

    fn subscribe(
        &mut self,
        id: SubscriptionId,
        terms: &Terms,
        subscribed: Subscribed,
        session: &mut Session,
        client: &mut Client,
    ) -> Result<(), Rejected> {
        // A channel with a handler may read other streams than it did before.
        let goes_on = subscribed.goes_on && subscribed.handler.is_none();
        let pongs = session.protocol() == Protocol::ActionCableV1Json;
        let acknowledged = match session.waiting_envelope() {
            Some(envelope) if goes_on && pongs => client.enter_page(id, envelope),
            _ => None,
        };
        let progress = session.waiting_left().filter(|_| goes_on);
        let channels = Arc::clone(&self.channels);
        let streams = if terms.deaf { &[][..] } else { &subscribed.streams };
        let attach = |stream: &Stream| {
            let claim = if session.has_opened(&stream.name) && goes_on {
                // What its client has of the stream it may have got for another rendering's tag.
                &Claim::None
            } else {
                &terms.claim
            };
            let is_repeatable = |message: &Message| channels.is_repeatable(message);
            let left = progress.map(|left| Left::of(&stream.name, left, client, is_repeatable));
            begin::attach(stream, claim, Known { acknowledged, left }, client)
        };
        let mut attachments: Vec<Attachment> = streams.iter().map(attach).collect();
        // After they are attached: a revocation from here on finds them.
        // Whispers have no page that could be older than a revocation: they go with what they belong to.
        let whispers = subscribed.whispers.as_ref();
        let aged = subscribed.streams.iter().filter(|stream| Some(&stream.name) != whispers);
        let refused = if self.is_revoked(aged, client) {
            Some(Rejected::new(RejectReason::Revoked, "access was taken back"))
        } else {
            let mut streams = attachments.iter().map(|attachment| attachment.stream);
            let is_crowded = streams.any(|stream| is_crowded(stream, client));
            let why = "too many subscriptions of one stream";
            is_crowded.then(|| Rejected::new(RejectReason::Limit, why))
        };
        if let Some(rejected) = refused {
            for attachment in attachments {
                client.detach(attachment.stream);
            }
            client.leave_page(id, None);
            if let Some(handler) = subscribed.handler {
                tokio::spawn(handler.unsubscribed());
            }
            return Err(rejected);
        }
        client.hub().stats().subscriptions.add(1);
        let lacks = |new: &Attachment| matches!(new.start, Start::Lost | Start::LostAfter(_));
        if attachments.iter().any(lacks) {
            if heals_in_vain(streams, session, client) {
                for attachment in &mut attachments {
                    attachment.start = Start::Unhealed;
                }
            } else {
                client.plan_healing(session);
            }
        }
        if let Some(handler) = subscribed.handler {
            self.keep_handler(id, handler);
        }
        if let Some(stream) = subscribed.whispers {
            self.whispers.get_or_insert_default().streams.push((id, stream));
        }
        if let ([attachment], Some(envelope)) = (&attachments[..], session.waiting_envelope())
            && let Some(shared) = client.share_envelope(attachment.stream, envelope)
        {
            session.share_envelope(shared);
        }
        session.confirm(attachments, goes_on, subscribed.resync);
        client.note_session(session);
        if !terms.quiet {
            for json in &subscribed.transmissions {
                session.transmit(id, json);
            }
        }
        Ok(())
    }

    fn reject(&self, rejected: &Rejected, session: &mut Session, client: &Client, peer: Peer<'_>) {
        if rejected.reason == RejectReason::OtherViewer
            && session.waiting_envelope().is_some_and(|envelope| client.reidentifies(envelope))
        {
            let (visitor, why) = (self.identity.name().map(excerpt), &rejected.why);
            tracing::warn!(visitor, %why, "a connection is ended, so that its visitor is identified anew");
            // AnyCable's client comes back for what it is subscribed to, and not for what it waits for.
            session.confirm(Vec::new(), false, Resync::new("null"));
            session.disconnect(DisconnectReason::Remote, true);
            return;
        }
        let again = matches!(rejected.reason, RejectReason::Expired | RejectReason::Revoked);
        client.hub().stats().refused_again.add(again.into());
        rejections::note(rejected, (&*self.channels, &self.identity), session, client, peer);
        session.reject(rejected.reason);
    }

    fn is_revoked<'a>(
        &self,
        mut streams: impl Iterator<Item = &'a Stream>,
        client: &Client,
    ) -> bool {
        let identity = self.identity.name();
        streams.any(|stream| {
            let cursor = match stream.begin {
                Begin::After(cursor) => Some(cursor),
                Begin::Now | Begin::Lost => None,
            };
            let asked = Asked { identity, stream: &stream.name, is_public: stream.is_public };
            client.hub().is_revoked(asked, cursor)
        })
    }

    fn carry_out(
        &mut self,
        id: SubscriptionId,
        op: Op,
        session: &mut Session,
        client: &mut Client,
        peer: Peer<'_>,
    ) {
        match op {
            Op::Follow(stream) => {
                let attachment = begin::attach(&stream, &Claim::None, Known::default(), client);
                let opened = attachment.stream;
                // After it is attached: a revocation from here on finds it.
                if self.is_revoked(std::iter::once(&stream), client) {
                    client.detach(opened);
                    client.hub().stats().refused_again.add(1);
                    self.carry_out(id, Op::Reject, session, client, peer);
                } else if is_crowded(opened, client) {
                    client.detach(opened);
                    self.carry_out(id, Op::Reject, session, client, peer);
                } else if !session.attach(id, attachment) {
                    client.detach(opened);
                }
            }
            Op::Unfollow(name) => {
                if let Some(stream) = client.stream(&name)
                    && session.detach(id, stream)
                {
                    client.detach(stream);
                }
            }
            Op::UnfollowAll => {
                for stream in session.detach_all(id) {
                    client.detach(stream);
                }
            }
            Op::Transmit(json) => {
                session.transmit(id, &json);
            }
            Op::Reject => {
                let why = "its channel has ended it";
                let rejected = Rejected::new(RejectReason::Unauthorized, why);
                let who = (&*self.channels, &self.identity);
                rejections::note(&rejected, who, session, client, peer);
                for stream in session.revoke(id) {
                    client.detach(stream);
                }
                client.leave_page(id, None);
                client.note_session(session);
                if let Some(handler) = self.take_handler(id) {
                    tokio::spawn(handler.unsubscribed());
                }
            }
        }
    }

    fn keep_handler(&mut self, id: SubscriptionId, handler: Box<dyn Handler>) {
        let handlers = self.handlers.get_or_insert_default();
        // Most connections have one, if any: a Vec would take room for four at once.
        handlers.reserve_exact(1);
        handlers.push((id, handler));
    }

    fn take_handler(&mut self, id: SubscriptionId) -> Option<Box<dyn Handler>> {
        let handlers = self.handlers.as_mut()?;
        let index = handlers.iter().position(|(other, _)| *other == id)?;
        Some(handlers.swap_remove(index).1)
    }
}

fn fail(session: &mut Session, client: &Client) {
    client.hub().stats().panics.add(1);
    session.disconnect(DisconnectReason::InternalError, true);
}

/// Whether a page of another log's has been rendered again in vain, once more by the process that has that
/// log. Without this it would be told to render itself again for ever.
fn heals_in_vain(streams: &[Stream], session: &mut Session, client: &Client) -> bool {
    let here = client.position_at(Offset::ZERO).epoch;
    let foreign = streams.iter().find_map(|stream| match stream.begin {
        Begin::After(cursor) if cursor.epoch != here => Some((&stream.name, cursor)),
        _ => None,
    });
    let Some((stream, rendered_at)) = foreign else { return false };
    let is_in_vain = session.heals_in_vain(rendered_at.epoch);
    if is_in_vain {
        client.hub().stats().unhealed.add(1);
        tracing::error!(
            %stream, %rendered_at, subscribed_at = %client.hub().position(),
            "a page can't be healed: it is rendered by one process and subscribed at another, and each \
             has a log of its own. What was broadcast in between is missing on it. Let the same process \
             answer both"
        );
    }
    is_in_vain
}

/// Whether the connection reads the stream more often than it may, with what it has just attached.
fn is_crowded(stream: StreamId, client: &Client) -> bool {
    client.readers_of(stream) > client.hub().limits().subscriptions_each_max
}

/// Where a client goes on with a stream that it has open.
fn place(stream: StreamId, claim: &Claim, client: &Client) -> Start {
    let Some(name) = client.stream_name(stream) else { return Start::Live };
    match begin::claimed(&name, claim, client) {
        Claimed::At(position) => client.start(&name, position),
        Claimed::Before(oldest) => begin::lacking(client.start(&name, oldest)),
        Claimed::Nothing => Start::Lost,
    }
}

/// Counts what the session has rejected by itself; counts and logs what pages could not do.
pub(crate) fn note(session: &mut Session, client: &Client, peer: Peer<'_>) {
    let stats = client.hub().stats();
    rejections::note_own(session, client, peer);
    for Report { kind, identifier, offset, detail } in session.take_reports() {
        let counter = match kind {
            ReportKind::NoTarget => &stats.reported_no_target,
            ReportKind::Rejected => &stats.reported_rejected,
            ReportKind::Gap => &stats.reported_gaps,
            ReportKind::Error => &stats.reported_errors,
        };
        counter.add(1);
        let (session, offset) = (session.id(), offset.unwrap_or(Offset::ZERO));
        let (identifier, detail) = (excerpt(&identifier), excerpt(&detail));
        tracing::info!(?kind, %session, identifier, %offset, detail, "a page reports");
    }
}

impl Running {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Finished> {
        match self {
            Self::Subscribe(id, terms, later) => later
                .as_mut()
                .poll(cx)
                .map(|outcome| Finished::Subscribe(*id, std::mem::take(terms), outcome)),
            Self::Perform(id, later) => {
                later.as_mut().poll(cx).map(|(handler, ops)| Finished::Perform(*id, handler, ops))
            }
            Self::Unsubscribe(later) => later.as_mut().poll(cx).map(|()| Finished::Unsubscribe),
        }
    }
}
