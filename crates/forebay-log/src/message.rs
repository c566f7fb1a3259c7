//! What is broadcast, and how long a broadcast is worth keeping.

use std::sync::Arc;

use bytes::Bytes;

use crate::commit::Commit;
use crate::presence::Change;

/// One broadcast as subscribers get it: a JSON value, encoded once and shared by all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    json: Bytes,
    extras: Option<Box<Extras>>,
}

/// What few messages have, kept out of line so that the others stay small.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Extras {
    except: Option<Box<str>>,
    kind: Option<Box<str>>,
    action: Option<Action>,
    commit: Option<Commit>,
    change: Option<Arc<Change>>,
    is_textless: bool,
}

/// What a message does to a page, beside the text that says so: for protocols whose clients are told it in
/// another way. It is not kept on disk: after a restart a message has its text alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Action {
    /// Turbo's name for it: `append`, say.
    pub name: Box<str>,
    /// The elements that it acts on.
    pub targets: Targets,
}

/// The elements that an [`Action`] acts on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Targets {
    /// None: it is about the whole page.
    Page,
    /// The one of this id.
    Id(Box<str>),
    /// All that a CSS selector finds.
    Selector(Box<str>),
}

impl Message {
    /// Takes a text that is already one valid JSON value; what it holds is not checked here.
    pub fn json(text: impl Into<String>) -> Self {
        Self { json: Bytes::from(text.into()), extras: None }
    }

    /// What an entry of a presence stream says: the change itself, and the JSON text that pages get which only
    /// take HTML. Without one there is nothing for them.
    pub fn of_change(change: Change, text: Option<String>) -> Self {
        let is_textless = text.is_none();
        let extras = Extras { change: Some(Arc::new(change)), is_textless, ..Extras::default() };
        let json = Bytes::from(text.unwrap_or_else(|| "null".to_owned()));
        Self { json, extras: Some(Box::new(extras)) }
    }

    /// Leaves out the session with this id (AnyCable's `meta.exclude_socket`).
    pub fn except(mut self, session: impl Into<Box<str>>) -> Self {
        self.extras.get_or_insert_default().except = Some(session.into());
        self
    }

    /// Gives the delivered envelope a `type` (AnyCable's `meta.broadcast_type`).
    pub fn kind(mut self, kind: impl Into<Box<str>>) -> Self {
        self.extras.get_or_insert_default().kind = Some(kind.into());
        self
    }

    /// Says what it does to a page.
    pub fn does(mut self, action: Action) -> Self {
        self.extras.get_or_insert_default().action = Some(action);
        self
    }

    /// Says which database transaction its change was committed in.
    pub fn committed_in(mut self, commit: Commit) -> Self {
        self.extras.get_or_insert_default().commit = Some(commit);
        self
    }

    /// The JSON text; clones share it.
    pub fn bytes(&self) -> &Bytes {
        &self.json
    }

    /// The JSON text.
    pub fn as_json(&self) -> &str {
        std::str::from_utf8(&self.json).unwrap_or_default()
    }

    /// Whether it is its text, and nothing more: for all, and of no transaction. One look instead of several.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.extras.is_none()
    }

    /// The session that must not get it.
    pub fn excepted(&self) -> Option<&str> {
        self.extras.as_ref()?.except.as_deref()
    }

    /// The envelope's `type`.
    pub fn kind_name(&self) -> Option<&str> {
        self.extras.as_ref()?.kind.as_deref()
    }

    /// What it does to a page, where whoever published it knew.
    pub fn action(&self) -> Option<&Action> {
        self.extras.as_ref()?.action.as_ref()
    }

    /// Who has come to a stream or left it, in an entry of a presence stream.
    #[inline]
    pub fn change(&self) -> Option<&Arc<Change>> {
        self.extras.as_ref()?.change.as_ref()
    }

    /// Whether it is only for those who take a [change](Self::change): it has no text for others.
    pub fn is_textless(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.is_textless)
    }

    /// Bytes that it takes in memory, its own overhead left out.
    #[inline]
    pub(crate) fn cost_bytes(&self) -> usize {
        let more = if self.is_plain() { 0 } else { self.change_bytes() };
        self.json.len() + more
    }

    #[cold]
    fn change_bytes(&self) -> usize {
        self.change().map_or(0, |change| change.bytes())
    }

    /// The database transaction behind it, where whoever published it knew.
    pub fn commit(&self) -> Option<&Commit> {
        self.extras.as_ref()?.commit.as_ref()
    }
}

/// How long a broadcast is worth keeping.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Class {
    /// Complete and ordered: kept until [`Retention`](crate::Retention) ends. The default.
    #[default]
    Log,
    /// Only what a replay needs to reach the same page: an entry goes when a later one of the
    /// same stream supersedes its key ([`StateKey::supersedes`]).
    State(StateKey),
    /// For those who are subscribed at this moment: never replayed, and lost without a resync
    /// for whoever is too slow (typing, cursors).
    Ephemeral,
}

/// What a [`Class::State`] entry does to the page: which target, and how far it overwrites it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateKey {
    target: Arc<str>,
    extent: Extent,
}

/// How much of its target an action determines.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Extent {
    /// The target's content (`update`).
    Content,
    /// The whole element (`replace`), which keeps its id.
    Element,
    /// That it isn't there (`remove`).
    Absence,
    /// That the page reads itself again (`refresh`); the target is the request id or empty.
    Refresh,
}

impl Extent {
    const ALL: [Self; 4] = [Self::Content, Self::Element, Self::Absence, Self::Refresh];

    /// Its name, in logs that are kept.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Element => "element",
            Self::Absence => "absence",
            Self::Refresh => "refresh",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|extent| extent.as_str() == name)
    }
}

impl StateKey {
    /// The key of an action that determines so much of this target: an id, or a selector as written.
    pub fn new(target: impl Into<Arc<str>>, extent: Extent) -> Self {
        Self { target: target.into(), extent }
    }

    /// The target.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// How much of it is determined.
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// Whether replaying only `self` leaves the same page as replaying `older` and then `self`.
    ///
    /// True where `self` overwrites all that `older` set: the same target, and as much of it. A
    /// removal is never superseded (what followed it may have brought another element of the same
    /// id), and refreshes supersede only refreshes of the same request. Ids are taken to be unique
    /// in a page, as HTML wants them.
    pub fn supersedes(&self, older: &Self) -> bool {
        let as_much = match (self.extent, older.extent) {
            (Extent::Refresh, Extent::Refresh) => true,
            (Extent::Refresh, _) | (_, Extent::Refresh | Extent::Absence) => false,
            (new, old) => new >= old,
        };
        as_much && self.target == older.target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(new: (&str, Extent), old: (&str, Extent), expected: bool) {
        let superseded = StateKey::new(new.0, new.1).supersedes(&StateKey::new(old.0, old.1));
        assert_eq!(superseded, expected, "{new:?} over {old:?}");
    }

    #[test]
    fn a_key_supersedes_what_it_overwrites() {
        use Extent::{Absence, Content, Element, Refresh};
        check(("a", Content), ("a", Content), true);
        check(("a", Content), ("b", Content), false);
        check(("a", Content), ("a", Element), false);
        check(("a", Element), ("a", Content), true);
        check(("a", Element), ("a", Absence), false);
        check(("a", Absence), ("a", Element), true);
        check(("a", Absence), ("a", Absence), false);
        check(("a", Refresh), ("a", Refresh), true);
        check(("", Refresh), ("a", Refresh), false);
        check(("a", Refresh), ("a", Absence), false);
    }
}
