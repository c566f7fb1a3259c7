//! Carrying a session's effects to the application, and its answers back.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use forebay_cable::{Attachment, DisconnectReason, Effect, Session, Start, SubscriptionId};
use forebay_hub::Client;
use forebay_log::Offset;

use crate::channels::{
    Answer, Begin, Channels, Handler, Identity, Later, Op, Rejected, Request, Stream, Subscribed,
};

/// The application's side of one connection.
pub(super) struct Application {
    channels: Arc<dyn Channels>,
    identity: Identity,
    handlers: Vec<(SubscriptionId, Box<dyn Handler>)>,
    /// At most one: the session waits for its answer.
    running: Option<Running>,
}

enum Running {
    Subscribe(SubscriptionId, Later<Result<Subscribed, Rejected>>),
    Perform(SubscriptionId, Later<(Box<dyn Handler>, Vec<Op>)>),
    Unsubscribe(Later<()>),
}

/// What a finished call came to.
enum Finished {
    Subscribe(SubscriptionId, Result<Subscribed, Rejected>),
    Perform(SubscriptionId, Box<dyn Handler>, Vec<Op>),
    Unsubscribe,
}

impl fmt::Debug for Application {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Application")
            .field("identity", &self.identity)
            .field("handlers", &self.handlers.len())
            .field("running", &self.running.is_some())
            .finish_non_exhaustive()
    }
}

impl Application {
    pub(super) fn new(channels: Arc<dyn Channels>, identity: Identity) -> Self {
        Self { channels, identity, handlers: Vec::new(), running: None }
    }

    /// Moves on as far as answers are there. True if the session has moved.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        client: &mut Client,
    ) -> bool {
        let mut moved = false;
        loop {
            if let Some(running) = &mut self.running {
                let polled = catch_unwind(AssertUnwindSafe(|| running.poll(cx)));
                match polled {
                    Ok(Poll::Pending) => return moved,
                    Ok(Poll::Ready(finished)) => {
                        self.running = None;
                        self.finish(finished, session, client);
                    }
                    Err(_) => {
                        // The panic hook has said where. Other connections go on.
                        self.running = None;
                        session.disconnect(DisconnectReason::InternalError, true);
                    }
                }
            } else if let Some(effect) = session.poll_effect() {
                let begun = catch_unwind(AssertUnwindSafe(|| self.begin(effect, session, client)));
                if begun.is_err() {
                    session.disconnect(DisconnectReason::InternalError, true);
                }
            } else {
                return moved;
            }
            moved = true;
        }
    }

    /// The connection is gone: what runs runs to its end, and every channel hears of it, each in
    /// its own time.
    pub(super) fn end(&mut self) {
        match self.running.take() {
            Some(Running::Perform(_, later)) => {
                tokio::spawn(async move { later.await.0.unsubscribed().await });
            }
            Some(Running::Unsubscribe(later)) => drop(tokio::spawn(later)),
            // Nobody is subscribed yet, so nobody has to hear of it.
            Some(Running::Subscribe(..)) | None => {}
        }
        for (_, handler) in self.handlers.drain(..) {
            tokio::spawn(handler.unsubscribed());
        }
    }

    fn begin(&mut self, effect: Effect, session: &mut Session, client: &mut Client) {
        match effect {
            Effect::Subscribe { id, identifier } => {
                let identity = self.identity.clone();
                let request = Request { identity, session: session.id(), identifier };
                match self.channels.subscribe(request) {
                    Answer::Now(outcome) => {
                        self.finish(Finished::Subscribe(id, outcome), session, client);
                    }
                    Answer::Later(later) => self.running = Some(Running::Subscribe(id, later)),
                }
            }
            Effect::Perform { id, action, data } => match self.take_handler(id) {
                Some(handler) => {
                    self.running = Some(Running::Perform(id, handler.perform(action, data)));
                }
                // Turbo's channel has no actions: there is nobody to ask.
                None => session.done(),
            },
            Effect::Unsubscribe { id, streams } => {
                for stream in streams {
                    client.detach(stream);
                }
                client.leave_page(id, None);
                match self.take_handler(id) {
                    Some(handler) => {
                        self.running = Some(Running::Unsubscribe(handler.unsubscribed()));
                    }
                    None => session.done(),
                }
            }
        }
    }

    fn finish(&mut self, finished: Finished, session: &mut Session, client: &mut Client) {
        match finished {
            Finished::Subscribe(id, Ok(subscribed)) => {
                self.subscribe(id, subscribed, session, client);
            }
            Finished::Subscribe(_, Err(Rejected)) => {
                client.hub().stats().rejections.add(1);
                session.reject();
            }
            Finished::Perform(id, handler, ops) => {
                self.handlers.push((id, handler));
                for op in ops {
                    self.carry_out(id, op, session, client);
                }
                session.done();
            }
            Finished::Unsubscribe => session.done(),
        }
    }

    fn subscribe(
        &mut self,
        id: SubscriptionId,
        subscribed: Subscribed,
        session: &mut Session,
        client: &mut Client,
    ) {
        client.hub().stats().subscriptions.add(1);
        // A channel with a handler may read other streams than it did before.
        let resumable = subscribed.goes_on && subscribed.handler.is_none();
        let acknowledged = match session.waiting_envelope() {
            Some(envelope) if resumable => client.enter_page(id, envelope),
            _ => None,
        };
        let attach = |stream| attach(stream, acknowledged, client);
        let attachments = subscribed.streams.iter().map(attach).collect();
        self.handlers.extend(subscribed.handler.map(|handler| (id, handler)));
        session.confirm(attachments, resumable, subscribed.resync);
        for json in &subscribed.transmissions {
            session.transmit(id, json);
        }
    }

    fn carry_out(
        &mut self,
        id: SubscriptionId,
        op: Op,
        session: &mut Session,
        client: &mut Client,
    ) {
        match op {
            Op::Follow(stream) => {
                let attachment = attach(&stream, None, client);
                if !session.attach(id, attachment) {
                    client.detach(attachment.stream);
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
                client.hub().stats().rejections.add(1);
                for stream in session.revoke(id) {
                    client.detach(stream);
                }
                client.leave_page(id, None);
                if let Some(handler) = self.take_handler(id) {
                    tokio::spawn(handler.unsubscribed());
                }
            }
        }
    }

    fn take_handler(&mut self, id: SubscriptionId) -> Option<Box<dyn Handler>> {
        let index = self.handlers.iter().position(|(other, _)| *other == id)?;
        Some(self.handlers.swap_remove(index).1)
    }
}

/// Opens the stream, from where the page stands: its cursor, or what it has acknowledged since.
fn attach(stream: &Stream, acknowledged: Option<Offset>, client: &mut Client) -> Attachment {
    match stream.begin {
        Begin::Now => client.attach(&stream.name, None),
        Begin::After(cursor) => {
            let known = acknowledged.map(|offset| client.position_at(offset));
            let known = known.filter(|k| k.epoch != cursor.epoch || k.offset > cursor.offset);
            client.attach(&stream.name, Some(known.unwrap_or(cursor)))
        }
        Begin::Lost => {
            let attachment = client.attach(&stream.name, None);
            Attachment { start: Start::Lost, ..attachment }
        }
    }
}

impl Running {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Finished> {
        match self {
            Self::Subscribe(id, later) => {
                later.as_mut().poll(cx).map(|outcome| Finished::Subscribe(*id, outcome))
            }
            Self::Perform(id, later) => {
                later.as_mut().poll(cx).map(|(handler, ops)| Finished::Perform(*id, handler, ops))
            }
            Self::Unsubscribe(later) => later.as_mut().poll(cx).map(|()| Finished::Unsubscribe),
        }
    }
}
