//! Why a page does not show a change: what is recorded of broadcasts and pages, and who may see it.
//!
//! It is recorded in development by itself ([`Inspect::development`]), and elsewhere where
//! [`Builder::inspect`](crate::Builder::inspect) says so. Ask [`Forebay::why`], `forebay why` on the command
//! line, or the addresses below `/forebay/inspect`, which answer in JSON:
//!
//! | address | answers |
//! |---|---|
//! | `GET why?page=…&stream=…[&offset=…]` | an [`Answer`]: the first broken hop, and what to change |
//! | `GET broadcasts[?max=…&stream=…&node=…&after=…]` | the last [`Broadcast`]s that were asked for |
//! | `GET pages[?max=…&stream=…&identity=…&node=…&before=…]` | [`Page`]s, the newest first |
//! | `GET pages?id=…` | one of them, with where it stands now |
//! | `POST reports` | takes [`Reports`] of the script in a page |
//!
//! Where several nodes have one log, each of these is asked of all of them, whichever node gets the request. Rows name
//! their `node`. Beside them is which `nodes` have answered, which are `missing`, which are `off` because they record
//! nothing, and whose rows were `cut` because they did not fit. `after` is a broadcast's number at one `node`; without
//! that, at the one that is asked. `before` is what the answer before it called `next`.
//!
//! A page is named by its connection's id (`sid` in the welcome of our client and AnyCable's), by the `cursor` of
//! one of its tags, which no other page has, or by its visitor's name or address, which is the newest of theirs. A stream is named in clear, with its records readable (`gid://app/Room/1:messages`), or
//! by the signed name of the page's tag.
//!
//! The request that a broadcast is made in is known from its [`Turbo`](crate::Turbo), which the layer puts into
//! the request's extensions: its `X-Request-Id`, or else the id that Turbo gave it. Spawned tasks keep it where
//! they keep the `Turbo`, as a task-local would not.

mod access;
mod answers;

use std::fmt;
use std::time::Duration;

pub use self::answers::InspectAddress;
pub use forebay_hub::{InspectOptions, Inspection};
#[doc(inline)]
pub use forebay_inspect::{
    Answer, Broadcast, Broken, Class, Connection, Event, Facts, Hop, How, Log, Near, Outcome, Page,
    Place, Reach, Refusal, Rejection, Report, Reports, Resync, Seen, Source, State, Subscription,
    Targets, Transport, nearest, readable, why,
};

use forebay_inspect::About;

use crate::app::Forebay;

/// What is recorded, and who may see it.
#[derive(Clone)]
#[must_use]
pub struct Inspect {
    pub(crate) options: InspectOptions,
    key: Option<String>,
    takes_reports: bool,
}

impl Inspect {
    /// For development: programs and browsers of this machine see it, by a name of this machine, and pages
    /// report what only they know.
    pub fn development() -> Self {
        Self { options: InspectOptions::default(), key: None, takes_reports: true }
    }

    /// For a server that others can reach: whoever shows this key sees it, as `Authorization: Bearer KEY`, or in a
    /// browser as the password. Nothing can be changed, and pages don't report.
    pub fn with_key(key: impl Into<String>) -> Self {
        let key = Some(key.into());
        Self { options: InspectOptions::default(), key, takes_reports: false }
    }

    /// How much is recorded.
    pub fn options(self, options: InspectOptions) -> Self {
        Self { options, ..self }
    }

    /// Keeps the messages of broadcasts, too, and shows them. They are what visitors see. Default: no.
    pub fn bodies(mut self, keeps: bool) -> Self {
        self.options = self.options.keeps_bodies(keeps);
        self
    }

    /// Takes the reports of pages also where there is a key, which pages don't have. Anybody who may open a page
    /// can then report something. Default: only without a key.
    pub fn reports(self, takes: bool) -> Self {
        Self { takes_reports: takes, ..self }
    }
}

/// The key stays secret.
impl fmt::Debug for Inspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { options, key, takes_reports } = self;
        f.debug_struct("Inspect")
            .field("options", options)
            .field("has_key", &key.is_some())
            .field("takes_reports", takes_reports)
            .finish()
    }
}

impl Forebay {
    /// Names the first broken hop between a broadcast and a page, and what to change, as far as this node knows it. The
    /// module [`inspect`](crate::inspect) says how page and stream are named. Without an offset it is the last broadcast
    /// to the stream. `None` where nothing is recorded.
    ///
    /// ```
    /// # use forebay_core as forebay;
    /// # fn example(forebay: &forebay::Forebay) {
    /// if let Some(answer) = forebay.why("user:7", "chat:1", None) {
    ///     println!("{}", answer.sentence);
    /// }
    /// # }
    /// ```
    pub fn why(&self, page: &str, stream: &str, offset: Option<u64>) -> Option<Answer> {
        self.facts(page, stream, offset).map(|facts| why(&facts))
    }

    /// As [`why`](Self::why), of all nodes that have this log. The others are asked, and have a second to answer; the
    /// answer names those that have not.
    pub async fn why_across_nodes(
        &self,
        page: &str,
        stream: &str,
        offset: Option<u64>,
    ) -> Option<Answer> {
        let about = vec![about(page, stream, offset)];
        let facts = self.core.hub.facts_of_all(about, Duration::ZERO).await?;
        facts.first().map(why)
    }

    /// What [`why`](Self::why) rests on.
    pub fn facts(&self, page: &str, stream: &str, offset: Option<u64>) -> Option<Facts> {
        // A signed name that no page has shown says what it claims to be.
        let claimed = forebay_signing::claimed_name(stream);
        let facts = self.core.hub.facts(page, stream, offset)?;
        match claimed {
            Some(claimed) if facts.stream == stream => self.core.hub.facts(page, &claimed, offset),
            _ => Some(facts),
        }
    }

    /// What is recorded of this node's broadcasts and pages, if anything is.
    pub fn inspection(&self) -> Option<&Inspection> {
        self.core.hub.inspection().map(|inspection| &**inspection)
    }
}

/// What a question is about. A signed name says what it claims to be, for nodes that have not seen its tag.
pub(crate) fn about(page: &str, stream: &str, offset: Option<u64>) -> About {
    About {
        page: page.to_owned(),
        stream: stream.to_owned(),
        claimed: forebay_signing::claimed_name(stream),
        offset,
    }
}
