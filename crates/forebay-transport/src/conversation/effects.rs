//! What a session needs done, and how the application's answers come back to it.

use std::sync::Arc;

use forebay_cable::{
    Attachment, Claim, DisconnectReason, Effect, Envelope, Positions, RejectReason, Resync,
    Session, Start, SubscriptionId, Terms,
};
use forebay_hub::{Asked, Broadcast, Client, Ending, JoinRefused};
use forebay_log::{Class, Message, Offset, StreamId};

use super::application::{Finished, Running};
use super::begin::{self, Awaited, Claimed, Known, Left};
use super::{Conversation, Peer};
use crate::channels::{Answer, Begin, Op, Present, Rejected, Request, Stream, Subscribed};
use crate::excerpt::excerpt;

/// One whisper's bytes: positions and names, not documents.
const WHISPER_BYTES_MAX: usize = 8 << 10;

impl Conversation {
    pub(super) fn begin(&mut self, effect: Effect, peer: Peer<'_>) {
        match effect {
            Effect::Subscribe { id, identifier, terms } => {
                self.record_asked(id, &identifier);
                let identity = self.application.identity().clone();
                let request = Request { identity, session: self.session.id(), identifier };
                let answer = self.application.channels().subscribe(request);
                match self.awaited(&terms, answer) {
                    Answer::Now(outcome) => {
                        self.finish(Finished::Subscribe(id, terms, outcome), peer);
                    }
                    Answer::Later(later) => {
                        self.application.run(Running::Subscribe(id, terms, later));
                    }
                }
            }
            Effect::Perform { id, action, data } => match self.application.take_handler(id) {
                Some(handler) => {
                    self.application.run(Running::Perform(id, handler.perform(action, data)));
                }
                // Turbo's channel has no actions: there is nobody to ask.
                None => self.session.done(),
            },
            Effect::Place { id, streams, claim } => {
                match begin::catch_up(self.client.hub(), &[], &claim) {
                    Some(caught_up) => {
                        let caught_up = Box::pin(caught_up);
                        self.application.run(Running::Place(id, streams, claim, caught_up));
                    }
                    None => self.place(id, &streams, &claim),
                }
            }
            Effect::Whisper { id, json } => self.whisper(id, json),
            Effect::Join { id, joining } => self.join_as(id, joining, peer),
            Effect::Leave { id } => self.leave(id),
            Effect::Unsubscribe { id, streams } => self.unsubscribe(id, streams),
            // Of a session that is newer than this: it goes on without.
            _ => self.session.done(),
        }
    }

    fn whisper(&mut self, id: SubscriptionId, json: String) {
        let hub = self.client.hub();
        let stream = if json.len() <= WHISPER_BYTES_MAX {
            self.application.whispers_on(id, hub.now())
        } else {
            None
        };
        let Some(stream) = stream.map(Arc::<str>::from) else {
            self.session.whispered(false);
            hub.stats().whispers_refused.add(1);
            return;
        };
        let (hub, message) =
            (hub.clone(), Message::json(json).except(self.session.id().to_string()));
        self.application.run(Running::Whisper(Box::pin(async move {
            let whisper = Broadcast { stream: &stream, message, class: Class::Ephemeral };
            // Nobody is owed it: that it was lost is logged and counted.
            let _ = hub.publish(whisper).await;
        })));
    }

    /// The answer, once this node of several knows enough. A single node does.
    fn awaited(
        &self,
        terms: &Terms,
        answer: Answer<Result<Subscribed, Rejected>>,
    ) -> Answer<Result<Subscribed, Rejected>> {
        let hub = self.client.hub();
        if !hub.is_stored() {
            return answer;
        }
        let page = page_of(&self.session);
        let incoming = page.and_then(|page| hub.incoming(page, self.session.id()));
        Awaited { hub: hub.clone(), claim: terms.claim.clone(), incoming }.then(answer)
    }

    fn unsubscribe(&mut self, id: SubscriptionId, streams: Vec<StreamId>) {
        self.client.note_left(id);
        self.client.leave(id, self.ending_of(id));
        for stream in streams {
            self.client.detach(stream);
        }
        self.client.leave_page(id, None);
        self.client.note_session(&self.session);
        self.application.forget(id);
        match self.application.take_handler(id) {
            Some(handler) => self.application.run(Running::Unsubscribe(handler.unsubscribed())),
            None => self.session.done(),
        }
    }

    pub(super) fn finish(&mut self, finished: Finished, peer: Peer<'_>) {
        match finished {
            Finished::Subscribe(id, terms, Ok(subscribed)) => {
                match self.subscribe(id, &terms, subscribed) {
                    Ok(()) => {
                        if let Some(joining) = terms.joining {
                            self.join_at_once(id, joining, peer);
                        }
                        self.client.note_session(&self.session);
                    }
                    Err(rejected) => self.reject(id, &rejected, peer),
                }
            }
            Finished::Subscribe(id, _, Err(rejected)) => self.reject(id, &rejected, peer),
            Finished::Perform(id, handler, ops) => {
                self.application.keep_handler(id, handler);
                for op in ops {
                    self.carry_out(id, op, peer);
                }
                self.session.done();
            }
            Finished::Whisper => {
                self.session.whispered(true);
                self.client.hub().stats().whispers.add(1);
            }
            Finished::Unsubscribe => self.session.done(),
            Finished::Place(id, streams, claim) => self.place(id, &streams, &claim),
        }
    }

    fn place(&mut self, id: SubscriptionId, streams: &[StreamId], claim: &Claim) {
        let client = &self.client;
        let starts = streams.iter().map(|stream| (*stream, place(*stream, claim, client)));
        self.session.place(id, &starts.collect::<Vec<_>>());
    }

    fn subscribe(
        &mut self,
        id: SubscriptionId,
        terms: &Terms,
        subscribed: Subscribed,
    ) -> Result<(), Rejected> {
        let goes_on = subscribed.resumes();
        let streams = if terms.deaf { &[][..] } else { &subscribed.streams };
        let mut attachments = self.attach_all(id, terms, streams, goes_on);
        // After they are attached: a revocation from here on finds them, and so does who joins.
        let present = subscribed.presence.as_deref().filter(|_| !terms.deaf);
        let refusal = self.refuses(&subscribed, &attachments);
        let refusal = refusal.or_else(|| self.join(id, present?).err());
        if let Some(rejected) = refusal {
            for attachment in attachments {
                self.client.detach(attachment.stream);
            }
            self.client.leave_page(id, None);
            if let Some(handler) = subscribed.handler {
                tokio::spawn(handler.unsubscribed());
            }
            return Err(rejected);
        }
        self.client.hub().stats().subscriptions.add(1);
        let lacks = |new: &Attachment| matches!(new.start, Start::Lost | Start::LostAfter(_));
        if attachments.iter().any(lacks) {
            if self.heals_in_vain(streams) {
                for attachment in &mut attachments {
                    attachment.start = Start::Unhealed;
                }
            } else {
                self.client.plan_healing(&mut self.session);
            }
        }
        self.record_live(id, streams, &attachments);
        if let Some(handler) = subscribed.handler {
            self.application.keep_handler(id, handler);
        }
        if let Some(stream) = subscribed.whispers {
            self.application.may_whisper(id, stream);
        }
        if let ([attachment], Some(envelope)) = (&attachments[..], self.session.waiting_envelope())
            && let Some(shared) = self.client.share_envelope(attachment.stream, envelope)
        {
            self.session.share_envelope(shared);
        }
        let tells_presence = !terms.deaf && self.session.tells_presence();
        if let Some(roster) = subscribed.roster.filter(|_| tells_presence) {
            attachments.push(self.attach_presence(&roster));
            self.application.keep_roster(id, *roster);
        }
        self.session.confirm(attachments, goes_on, subscribed.resync);
        if !terms.quiet {
            for json in &subscribed.transmissions {
                self.session.transmit(id, json);
            }
        }
        Ok(())
    }

    fn join(&self, id: SubscriptionId, present: &Present) -> Result<(), Rejected> {
        self.client.join(id, &present.stream, &present.member).map_err(|refused| {
            let reason = match refused {
                JoinRefused::Full => RejectReason::Limit,
                _ => RejectReason::Unauthorized,
            };
            Rejected::new(reason, refused.to_string())
        })
    }

    /// Opens the streams of a subscription, each from where its page stands.
    fn attach_all(
        &mut self,
        id: SubscriptionId,
        terms: &Terms,
        streams: &[Stream],
        goes_on: bool,
    ) -> Vec<Attachment> {
        let Self { session, client, application, .. } = self;
        let acknowledged = match page_of(session) {
            Some(envelope) if goes_on => client.enter_page(id, envelope),
            _ => None,
        };
        let progress = session.waiting_left().filter(|_| goes_on);
        let attach = |stream: &Stream| {
            let claim = if session.has_begun(&stream.name) && goes_on {
                // What its client has of the stream it may have got for another rendering's tag.
                &Claim::None
            } else {
                &terms.claim
            };
            let is_repeatable = |message: &Message| application.channels().is_repeatable(message);
            let left = progress.map(|left| Left::of(&stream.name, left, client, is_repeatable));
            begin::attach(stream, claim, Known { acknowledged, left }, client)
        };
        streams.iter().map(attach).collect()
    }

    /// Why what was granted is refused all the same.
    fn refuses(&self, subscribed: &Subscribed, attachments: &[Attachment]) -> Option<Rejected> {
        // Whispers have no page that could be older than a revocation: they go with what they belong to.
        let whispers = subscribed.whispers.as_ref();
        let aged = subscribed.streams.iter().filter(|stream| Some(&stream.name) != whispers);
        if self.is_revoked(aged) {
            return Some(Rejected::new(RejectReason::Revoked, "access was taken back"));
        }
        let is_crowded = attachments.iter().any(|attachment| self.is_crowded(attachment.stream));
        let why = "too many subscriptions of one stream";
        is_crowded.then(|| Rejected::new(RejectReason::Limit, why))
    }

    fn reject(&mut self, id: SubscriptionId, rejected: &Rejected, peer: Peer<'_>) {
        self.record_rejected(id, rejected);
        let client = &self.client;
        if rejected.reason == RejectReason::OtherViewer
            && self.session.waiting_envelope().is_some_and(|envelope| client.reidentifies(envelope))
        {
            let (visitor, why) = (self.application.identity().name().map(excerpt), &rejected.why);
            tracing::warn!(visitor, %why, "a connection is ended, so that its visitor is identified anew");
            // AnyCable's client comes back for what it is subscribed to, and not for what it waits for.
            self.session.confirm(Vec::new(), false, Resync::new("null"));
            self.session.disconnect(DisconnectReason::Remote, true);
            return;
        }
        let again = matches!(rejected.reason, RejectReason::Expired | RejectReason::Revoked);
        client.hub().stats().refused_again.add(again.into());
        self.note_rejection(rejected, peer);
        self.session.reject(rejected.reason);
    }

    fn is_revoked<'a>(&self, mut streams: impl Iterator<Item = &'a Stream>) -> bool {
        let identity = self.application.identity().name();
        streams.any(|stream| {
            let cursor = match stream.begin {
                Begin::After(cursor) => Some(cursor),
                Begin::Now | Begin::Lost => None,
            };
            let asked = Asked { identity, stream: &stream.name, is_public: stream.is_public };
            self.client.hub().is_revoked(asked, cursor)
        })
    }

    /// Whether the connection reads the stream more often than it may, with what it has just attached.
    fn is_crowded(&self, stream: StreamId) -> bool {
        self.client.readers_of(stream) > self.client.hub().limits().subscriptions_each_max
    }

    fn carry_out(&mut self, id: SubscriptionId, op: Op, peer: Peer<'_>) {
        match op {
            Op::Follow(stream) => self.follow(id, &stream, peer),
            Op::Unfollow(name) => {
                if let Some(stream) = self.client.stream(&name)
                    && self.session.detach(id, stream)
                {
                    self.client.detach(stream);
                }
            }
            Op::UnfollowAll => {
                for stream in self.session.detach_all(id) {
                    self.client.detach(stream);
                }
            }
            Op::Transmit(json) => {
                self.session.transmit(id, &json);
            }
            Op::Reject => self.reject_confirmed(id, peer),
        }
    }

    fn follow(&mut self, id: SubscriptionId, stream: &Stream, peer: Peer<'_>) {
        let known = Known::default();
        let attachment = begin::attach(stream, &Claim::None, known, &mut self.client);
        let opened = attachment.stream;
        // After it is attached: a revocation from here on finds it.
        if self.is_revoked(std::iter::once(stream)) {
            self.client.detach(opened);
            self.client.hub().stats().refused_again.add(1);
            self.reject_confirmed(id, peer);
        } else if self.is_crowded(opened) {
            self.client.detach(opened);
            self.reject_confirmed(id, peer);
        } else if !self.session.attach(id, attachment) {
            self.client.detach(opened);
        }
    }

    /// A channel has ended its subscription.
    fn reject_confirmed(&mut self, id: SubscriptionId, peer: Peer<'_>) {
        let why = "its channel has ended it";
        let rejected = Rejected::new(RejectReason::Unauthorized, why);
        self.record_rejected(id, &rejected);
        self.note_rejection(&rejected, peer);
        self.client.leave(id, Ending::Left);
        self.application.forget(id);
        for stream in self.session.revoke(id) {
            self.client.detach(stream);
        }
        self.client.leave_page(id, None);
        self.client.note_session(&self.session);
        if let Some(handler) = self.application.take_handler(id) {
            tokio::spawn(handler.unsubscribed());
        }
    }

    /// Whether a page of another log's has been rendered again in vain, once more by the process that has
    /// that log. Without this it would be told to render itself again for ever.
    ///
    /// Where nodes share a log, one that is cut off renders with an epoch that is over, and has the new one
    /// when it comes back: its pages are told until then.
    fn heals_in_vain(&mut self, streams: &[Stream]) -> bool {
        if self.client.hub().is_shared() {
            return false;
        }
        let here = self.client.position_at(Offset::ZERO).epoch;
        let foreign = streams.iter().find_map(|stream| match stream.begin {
            Begin::After(cursor) if cursor.epoch != here => Some((&stream.name, cursor)),
            _ => None,
        });
        let Some((stream, rendered_at)) = foreign else { return false };
        let is_in_vain = self.session.heals_in_vain(rendered_at.epoch);
        if is_in_vain {
            let hub = self.client.hub();
            hub.stats().unhealed.add(1);
            tracing::error!(
                %stream, %rendered_at, subscribed_at = %hub.position(),
                "a page can't be healed: it is rendered by one process and subscribed at another, and each \
                 has a log of its own. What was broadcast in between is missing on it. Let the same process \
                 answer both"
            );
        }
        is_in_vain
    }
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

/// The page that the subscription which waits for its answer belongs to, if it can prove what it has.
fn page_of(session: &Session) -> Option<&Envelope> {
    let proves = session.positions() == Positions::Proven;
    session.waiting_envelope().filter(|_| proves)
}
