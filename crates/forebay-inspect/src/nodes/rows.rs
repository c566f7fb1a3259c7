//! Lists of broadcasts, pages and streams: which rows are asked for, and those of several nodes as one list.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Said, Told};
use crate::{Broadcast, Outcome, Page, Reach, readable};

/// Which rows of a list are asked for. All that is said has to be true of a row.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rows {
    /// This text is somewhere in the row, whatever its capitals.
    pub text: String,
    /// Somebody should look at it.
    pub only_troubles: bool,
    /// It is of this node.
    pub node: Option<String>,
    /// It is about one of these streams, if there are any here.
    pub streams: Vec<String>,
    /// It is this visitor's.
    pub identity: Option<String>,
    /// It is not a page that reads this stream: the inspector's own.
    pub hides: Option<String>,
    /// It has this number.
    pub id: Option<u64>,
    /// Its number is larger.
    pub after: Option<u64>,
    /// It stands behind this one in the list.
    pub before: Option<RowKey>,
    /// How many, at the most.
    pub max: usize,
}

/// A row's place in a list that goes from the newest to the oldest.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RowKey {
    /// When it was asked for, or came.
    pub at: u64,
    /// Its node.
    pub node: String,
    /// What it is called there.
    pub id: String,
}

/// How many subscriptions of a node entries of the log were for.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Reached {
    /// The log's life, in hexadecimal.
    pub epoch: String,
    /// Nothing is known of what is older.
    pub from: u64,
    /// Offsets and subscriptions, the newest first. An entry that is not here was for none.
    pub of: Vec<(u64, u64)>,
}

/// Pages of a node, or of several.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PageRows {
    /// Connected pages that something is known of.
    pub connected: u64,
    /// Others.
    pub ended: u64,
    /// Connected pages that nothing is known of: there was no room.
    pub left_out: u64,
    /// The pages.
    #[serde(rename = "pages")]
    pub rows: Vec<Page>,
}

/// A stream that is read, or was broadcast to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StreamRow {
    /// Its name.
    pub name: String,
    /// Subscriptions that read it.
    pub readers: u64,
    /// Subscriptions that were refused.
    pub rejected: u64,
    /// Broadcasts that are remembered.
    pub broadcasts: u64,
    /// When the last one was asked for.
    pub last: u64,
}

/// Streams of all nodes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StreamRows(BTreeMap<String, StreamRow>);

impl Rows {
    /// Whether one of the texts has what is looked for.
    pub fn finds<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        let wanted = self.text.to_lowercase();
        wanted.is_empty() || texts.into_iter().any(|text| text.to_lowercase().contains(&wanted))
    }

    /// Whether a broadcast of this node is asked for.
    pub fn has_broadcast(&self, node: &str, broadcast: &Broadcast) -> bool {
        let has_text = || {
            let name = readable(&broadcast.stream);
            let place = broadcast.source.place.as_deref().unwrap_or_default();
            let action = broadcast.action.as_deref().unwrap_or_default();
            self.finds([&*broadcast.stream, &*name, place, action])
        };
        self.is_of(node)
            && self.id.is_none_or(|id| id == broadcast.id)
            && self.after.is_none_or(|after| broadcast.id > after)
            && (self.streams.is_empty() || self.streams.contains(&broadcast.stream))
            && (!self.only_troubles || broadcast.is_trouble())
            && (self.text.is_empty() || has_text())
            && self.admits(|| RowKey::of_broadcast(node, broadcast))
    }

    /// Whether a page of this node is asked for.
    pub fn has_page(&self, node: &str, page: &Page) -> bool {
        let reads = |stream: &String| page.subscriptions.iter().any(|one| one.is_to(stream));
        let has_text = || {
            let said = [Some(&page.id), page.identity.as_ref(), page.address.as_ref()];
            let said = said.into_iter().flatten().map(String::as_str);
            let streams = page.subscriptions.iter().filter_map(|one| one.stream.as_deref());
            let streams: Vec<_> = streams.map(readable).collect();
            self.finds(said.chain(streams.iter().map(String::as_str)))
        };
        self.is_of(node)
            && !self.hides.as_ref().is_some_and(reads)
            && (self.streams.is_empty() || self.streams.iter().any(reads))
            && self.identity.as_ref().is_none_or(|wanted| page.identity.as_ref() == Some(wanted))
            && (!self.only_troubles || page.is_trouble())
            && (self.text.is_empty() || has_text())
            && self.admits(|| RowKey::of_page(node, page))
    }

    fn is_of(&self, node: &str) -> bool {
        self.node.as_ref().is_none_or(|wanted| wanted == node)
    }

    fn admits(&self, key: impl FnOnce() -> RowKey) -> bool {
        self.before.as_ref().is_none_or(|before| key().order() > before.order())
    }

    /// Broadcasts of several nodes: the newest of them that are asked for. What one of them was for at other nodes
    /// is added to it.
    pub fn merge_broadcasts(&self, told: &[Told]) -> Vec<Broadcast> {
        let mut rows = Vec::new();
        let mut reached = Vec::new();
        for Told { node, said, .. } in told {
            if let Said::Broadcasts(theirs, of_theirs) = said {
                rows.extend(
                    theirs.iter().map(|row| Broadcast { node: node.clone(), ..row.clone() }),
                );
                reached.push((node, of_theirs));
            }
        }
        for row in &mut rows {
            for (node, reached) in &reached {
                reached.add_to(node, row);
            }
        }
        rows.retain(|row| !self.only_troubles || row.is_trouble());
        rows.sort_by_cached_key(|row| RowKey::of_broadcast(&row.node, row).into_order());
        rows.truncate(self.max);
        rows
    }

    /// Pages of several nodes: the newest of them that are asked for.
    pub fn merge_pages(&self, told: &[Told]) -> PageRows {
        let mut all = PageRows::default();
        for Told { node, said, .. } in told {
            if let Said::Pages(theirs) = said {
                all.connected += theirs.connected;
                all.ended += theirs.ended;
                all.left_out += theirs.left_out;
                let rows = theirs.rows.iter();
                all.rows.extend(rows.map(|row| Page { node: node.clone(), ..row.clone() }));
            }
        }
        all.rows.sort_by_cached_key(|row| RowKey::of_page(&row.node, row).into_order());
        all.rows.truncate(self.max);
        all
    }
}

impl RowKey {
    /// A broadcast's, as this node lists it.
    pub fn of_broadcast(node: &str, broadcast: &Broadcast) -> Self {
        // The newer one has the larger number, and stands first.
        let id = format!("{:020}", u64::MAX - broadcast.id);
        Self { at: broadcast.at, node: node.to_owned(), id }
    }

    /// A page's, as this node lists it.
    pub fn of_page(node: &str, page: &Page) -> Self {
        Self { at: page.since, node: node.to_owned(), id: page.id.clone() }
    }

    /// What it is called in an address: no part of it has a `~`, but a name of a node that somebody chose.
    pub fn to_text(&self) -> String {
        format!("{}~{}~{}", self.at, self.id, self.node)
    }

    /// `None` for what [`to_text`](Self::to_text) does not give.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '~');
        let at = parts.next()?.parse().ok()?;
        let (id, node) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some(Self { at, node, id })
    }

    fn order(&self) -> (Reverse<u64>, &str, &str) {
        (Reverse(self.at), &self.node, &self.id)
    }

    /// Rows are sorted by it: the newest first.
    pub fn into_order(self) -> impl Ord {
        (Reverse(self.at), self.node, self.id)
    }
}

impl Reached {
    /// Says of a broadcast for how many subscriptions of this node it was, where that is known.
    pub fn add_to(&self, node: &str, broadcast: &mut Broadcast) {
        let Some(place) = broadcast.outcome.place() else { return };
        let is_known = place.epoch == self.epoch && place.offset >= self.from;
        if !is_known || broadcast.reach.iter().any(|reach| reach.node == node) {
            return;
        }
        let found = self.of.iter().find(|(offset, _)| *offset == place.offset);
        let subscriptions = found.map_or(0, |(_, subscriptions)| *subscriptions);
        broadcast.reach.push(Reach { node: node.to_owned(), subscriptions });
    }

    /// Forgets the oldest until it has no more than so many bytes. Gives how many it has.
    pub(super) fn within(&mut self, bytes_max: usize) -> usize {
        /// Two numbers of twenty digits, a comma and brackets, and a comma.
        const EACH: usize = 44;
        let max = bytes_max / EACH;
        if let Some((offset, _)) = self.of.get(max) {
            self.from = offset + 1;
            self.of.truncate(max);
        }
        self.of.len() * EACH
    }
}

impl StreamRow {
    /// Whether somebody should look at it: it was refused, or has only one of readers and broadcasts.
    pub fn is_trouble(&self) -> bool {
        self.rejected > 0 || (self.readers == 0) != (self.broadcasts == 0)
    }
}

impl StreamRows {
    /// Streams of several nodes: what is counted is counted together.
    pub fn merge(told: &[Told]) -> Self {
        let mut all = Self::default();
        for Told { said, .. } in told {
            if let Said::Streams(rows) = said {
                for row in rows {
                    all.add(row);
                }
            }
        }
        all
    }

    /// The stream of this name. Nothing is counted of a new one.
    pub fn row(&mut self, name: &str) -> &mut StreamRow {
        if !self.0.contains_key(name) {
            let row = StreamRow { name: name.to_owned(), ..StreamRow::default() };
            self.0.insert(name.to_owned(), row);
        }
        self.0.get_mut(name).expect("it is there by now")
    }

    fn add(&mut self, row: &StreamRow) {
        let known = self.row(&row.name);
        known.readers += row.readers;
        known.rejected += row.rejected;
        known.broadcasts += row.broadcasts;
        known.last = known.last.max(row.last);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those with this text, the liveliest first.
    pub fn sorted(&self, rows: &Rows) -> Vec<&StreamRow> {
        let has = |row: &&StreamRow| rows.finds([&*row.name, &*readable(&row.name)]);
        let mut found: Vec<_> = self.0.values().filter(has).collect();
        found.retain(|row| !rows.only_troubles || row.is_trouble());
        found.sort_by(|a, b| b.last.cmp(&a.last).then_with(|| a.name.cmp(&b.name)));
        found
    }
}

impl Broadcast {
    /// Whether somebody should look at it: nobody got it, or it waits.
    pub fn is_trouble(&self) -> bool {
        match &self.outcome {
            Outcome::Published(_) => self.subscriptions() == 0,
            Outcome::Superseded(_) | Outcome::Debounced => false,
            _ => true,
        }
    }
}
