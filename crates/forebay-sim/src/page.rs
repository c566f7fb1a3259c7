//! A page, and what its script remembers from one connection to the next.

use std::collections::BTreeSet;
use std::sync::Arc;

use forebay_hub::Revocation;
use forebay_log::Position;

use crate::client::{Client, Protocol, Transport, field};
use crate::model::Life;
use crate::present::Here;
use crate::published::Kind;
use crate::rooms::PRESENCE;

/// One tag.
#[derive(Clone, Debug)]
pub(crate) struct Tag {
    /// The stream.
    pub(crate) stream: usize,
    /// Names it to the server; the same for as long as the page lives.
    pub(crate) identifier: String,
    /// Where the page was rendered.
    pub(crate) cursor: Position,
    /// What a client that knows has received.
    pub(crate) received: Option<Position>,
    /// What the server calls it on this connection.
    pub(crate) number: u64,
}

/// What a page's script remembers from one connection to the next.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// AnyCable's session.
    pub(crate) sid: Option<String>,
    /// By the page's clock in seconds: its beginning, or its last ping.
    pub(crate) since: u64,
    /// Of an `EventSource`.
    pub(crate) last_event_id: Option<String>,
    /// Identifiers that a poll was told of.
    pub(crate) confirmed: BTreeSet<String>,
}

/// A page.
pub(crate) struct Page {
    pub(crate) protocol: Protocol,
    /// Of our own client: what it uses next.
    pub(crate) transport: Transport,
    /// It is left out.
    pub(crate) is_absent: bool,
    pub(crate) name: Arc<str>,
    pub(crate) tags: Vec<Tag>,
    /// Its tags carry no cursor: its history begins at a time.
    pub(crate) by_time: bool,
    pub(crate) memory: Memory,
    pub(crate) life: Life,
    /// Its part in the room, if it has one.
    pub(crate) here: Option<Here>,
    /// The life of the log that it was rendered in.
    pub(crate) log: u64,
    pub(crate) client: Option<Client>,
    /// The node that its client is connected to, or was last.
    pub(crate) node: usize,
    /// The start of the server that its client is connected to.
    pub(crate) server: u64,
    pub(crate) connects_at: u64,
    /// When it last did, if it has.
    pub(crate) connected_at: Option<u64>,
    /// The page was told to render itself again, and does so then.
    pub(crate) renders_at: Option<u64>,
    pub(crate) slow_until: u64,
    /// Nothing of the page runs until then.
    pub(crate) frozen_until: u64,
    /// While it is frozen its network stack goes on, and answers Pings.
    pub(crate) is_stack_awake: bool,
    /// When it last heard of its server, by its own clock.
    pub(crate) heard: u64,
    /// Milliseconds between its clock and the server's.
    pub(crate) skew: i64,
    /// Of the interleaved variant: what is shown later than what came after it.
    pub(crate) delayed: Vec<(u64, u64, usize, usize)>,
    pub(crate) confirmed_at: u64,
    /// How many of its tags are confirmed on this connection.
    pub(crate) confirmed: usize,
    /// The newest entry when it connected, and of which life of the log.
    pub(crate) joined: (u64, u64),
    /// When it last heard of its server: in which life of the log, and its newest entry then.
    pub(crate) since: (u64, u64),
    /// Its connection may be ended until then: access was taken back.
    pub(crate) may_end_until: u64,
    /// Its access was taken back, by stream: there, and nothing later may reach this rendering of it.
    pub(crate) revoked: Vec<Revoked>,
}

/// Access that was taken back.
pub(crate) struct Revoked {
    /// To one stream, or to all.
    pub(crate) stream: Option<usize>,
    /// In which life of the log, and where in it. `u64::MAX` where only one node may know of it.
    pub(crate) at: (u64, u64),
    pub(crate) revocation: Revocation,
    /// Its record was gone from the log before a node had read it: nobody was told that it holds.
    pub(crate) is_lost: bool,
}

impl Tag {
    /// A tag of a page that was rendered at `cursor`.
    pub(crate) fn new(stream: usize, cursor: Position, page: u64, protocol: Protocol) -> Self {
        let identifier = format!(
            r#"{{"channel":"T","stream":{stream},"cursor":"{cursor}.{page}.mac","page":{page}}}"#
        );
        let received = (protocol == Protocol::Forebay).then_some(cursor);
        Self { stream, identifier, cursor, received, number: 0 }
    }

    /// A tag that makes a visitor present, and shows who else is, from `cursor` on.
    pub(crate) fn of_visitor(
        visitor: &str,
        info: u64,
        cursor: Position,
        page: u64,
        protocol: Protocol,
    ) -> Self {
        let tag = Self::new(PRESENCE, cursor, page, protocol);
        let member = format!(r#","member":"{visitor}","info":{info},"page":"#);
        Self { identifier: tag.identifier.replace(r#","page":"#, &member), ..tag }
    }

    /// A tag that doesn't say when its page was rendered.
    pub(crate) fn without_cursor(stream: usize, cursor: Position, page: u64) -> Self {
        let identifier = format!(r#"{{"channel":"T","stream":{stream},"page":{page}}}"#);
        Self { stream, identifier, cursor, received: None, number: 0 }
    }

    /// Whether it says when its page was rendered.
    pub(crate) fn has_cursor(&self) -> bool {
        field(&self.identifier, r#""cursor":""#, '"').is_some()
    }

    /// Whether it is a tag of this page.
    pub(crate) fn is_of(&self, page: &str) -> bool {
        field(&self.identifier, r#""page":"#, '}') == Some(page)
    }

    /// The same tag in the same HTML, alive once more: where it stands is what it says.
    pub(crate) fn again(&self, protocol: Protocol) -> Self {
        let received = (protocol == Protocol::Forebay).then_some(self.cursor);
        Self { received, number: 0, ..self.clone() }
    }
}

impl Page {
    /// AnyCable's protocol has no positions of ephemeral entries, so its client can't say that it has one. Where it
    /// comes to a node that is not that far, it gets it again; and before that, a state that was superseded where it was.
    pub(crate) fn may_come_late(
        &mut self,
        stream: usize,
        offset: Option<u64>,
        kind: Option<Kind>,
    ) -> bool {
        let Some(offset) = offset.filter(|_| self.protocol == Protocol::AnyCable) else {
            return false;
        };
        match kind {
            Some(Kind::Ephemeral) => {
                (self.log, offset) > self.joined && self.life.has(stream, offset)
            }
            Some(Kind::State) => self.life.goes_on_at(stream, offset),
            _ => false,
        }
    }

    /// What it has comes again, on this connection.
    pub(crate) fn is_replayed(&mut self) {
        self.life.is_replayed();
        if let Some(here) = &mut self.here {
            here.is_replayed();
        }
    }

    /// Whether this entry of a stream came behind a revocation.
    pub(crate) fn is_taken_back(&self, stream: usize, offset: u64) -> bool {
        let mut revoked = self.revoked.iter();
        revoked.any(|it| {
            let (log, at) = it.at;
            let is_rendered_before = self.is_older_than(it);
            let concerns = log == self.log && it.stream.is_none_or(|of| of == stream);
            concerns && is_rendered_before && offset > at && !it.is_lost
        })
    }

    /// Whether it was rendered before this was taken back.
    pub(crate) fn is_older_than(&self, revoked: &Revoked) -> bool {
        let rendered = self.tags.first().map_or(0, |tag| tag.cursor.offset.0);
        (self.log, rendered) < revoked.at
    }

    /// Its own clock.
    pub(crate) fn clock(&self, now: u64) -> u64 {
        now.saturating_add_signed(self.skew)
    }

    /// The clock that it looks at its connection with. Ours has a monotonic one.
    pub(crate) fn watch(&self, now: u64) -> u64 {
        match self.protocol {
            Protocol::Stock | Protocol::AnyCable => self.clock(now),
            Protocol::Forebay | Protocol::EventSource => now,
        }
    }

    /// How long it waits for a word. Nobody watches over an `EventSource` but the kernel.
    pub(crate) fn patience(&self) -> u64 {
        let transport = self.client.as_ref().map(Client::transport);
        match transport {
            Some(Transport::Poll) => 35_000,
            Some(Transport::Source) => 60_000,
            _ => 6_000,
        }
    }
}
