//! One member, as one node has it.

use std::sync::Arc;

use smallvec::SmallVec;

/// Lost sessions of one member that are waited for. Past it the one that would be given up first is: the
/// member stays for as long all the same.
const GRACES_MAX: usize = 8;

/// What the log knows of a member from this node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// That it has nobody of this name, or nothing yet.
    Nothing,
    /// That it holds the member, with this info.
    Holds(Arc<str>),
    /// Nobody knows: what was written may not have been taken.
    Unknown,
}

#[derive(Debug)]
pub(super) struct Local {
    /// Subscriptions that are present as it.
    pub(super) sessions: usize,
    /// Those whose clients live.
    pub(super) living: usize,
    /// Up to when those that are gone are waited for; the earliest first.
    graces: SmallVec<[u64; 2]>,
    pub(super) info: Arc<str>,
    /// The info that somebody joined with last.
    joined: Option<Arc<str>>,
    pub(super) told: Told,
}

impl Local {
    pub(super) fn new(info: &Arc<str>) -> Self {
        Self {
            sessions: 0,
            living: 0,
            graces: SmallVec::new(),
            info: Arc::clone(info),
            joined: None,
            told: Told::Nothing,
        }
    }

    /// One that is here no more, and of which the log may believe that it is.
    pub(super) fn unknown() -> Self {
        Self { told: Told::Unknown, ..Self::new(&"null".into()) }
    }

    pub(super) fn join(&mut self, info: &Arc<str>) {
        if self.joined.as_ref() != Some(info) {
            self.info = Arc::clone(info);
            self.joined = Some(Arc::clone(info));
        }
    }

    /// A session has come: one that was waited for, perhaps.
    pub(super) fn enter(&mut self) {
        self.sessions += 1;
        self.living += 1;
        if !self.graces.is_empty() {
            self.graces.remove(0);
        }
    }

    /// One that is gone is waited for.
    pub(super) fn wait(&mut self, until: u64) {
        let place = self.graces.partition_point(|grace| *grace <= until);
        self.graces.insert(place, until);
        if self.graces.len() > GRACES_MAX {
            self.graces.remove(0);
        }
    }

    /// Whether the log is to believe that it is here.
    pub(super) fn is_wanted(&self, now: u64) -> bool {
        self.living > 0 || self.graces.last().is_some_and(|until| *until > now)
    }

    pub(super) fn end_graces(&mut self, now: u64) {
        self.graces.retain(|until| *until > now);
    }

    /// Whether nothing has to be known of it.
    pub(super) fn is_idle(&self) -> bool {
        self.sessions == 0 && self.graces.is_empty()
    }

    /// Whether the log knows it as it is.
    pub(super) fn is_told(&self, now: u64) -> bool {
        match &self.told {
            Told::Nothing => !self.is_wanted(now),
            Told::Holds(info) => self.is_wanted(now) && *info == self.info,
            Told::Unknown => false,
        }
    }

    /// What was to be said of it, with this info, may not be known. If another info has taken its place since, then
    /// only because somebody else's came before it.
    pub(super) fn put_back(&mut self, info: Option<Arc<str>>) {
        let is_adopted = self.told == Told::Holds(Arc::clone(&self.info));
        if let Some(info) = info.filter(|_| is_adopted) {
            self.info = info;
        }
        self.told = Told::Unknown;
    }

    /// What the log knows of it is not known any more. Of one that it has never heard of it knows nothing.
    pub(super) fn begin_anew(&mut self) {
        if self.told != Told::Nothing {
            self.told = Told::Unknown;
        }
    }

    /// Somebody else has given it another info, and nothing is to be said to that from here.
    pub(super) fn adopt(&mut self, now: u64, info: &Arc<str>) {
        if self.is_told(now) && self.told != Told::Nothing {
            self.info = Arc::clone(info);
            self.told = Told::Holds(Arc::clone(info));
        }
    }
}
