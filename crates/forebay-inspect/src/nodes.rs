//! What nodes that have one log ask each other, what they answer, and how the answers become one.
//!
//! A [`Question`] goes to all nodes. Each says what it has recorded ([`Told`]), in a bounded number of bytes: rows
//! that don't fit are left out whole, and that is said. Nothing is merged but by what is in the answers.

mod facts;
mod rows;

use serde::{Deserialize, Serialize};

pub use self::facts::{About, Known, choose_page};
pub use self::rows::{PageRows, Reached, RowKey, Rows, StreamRow, StreamRows};
use crate::{Broadcast, Page};

/// What one node asks all others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Question {
    /// What is known of pages and broadcasts, for [`why`](crate::why).
    Facts(Vec<About>),
    /// Broadcasts that were asked for at the node, the newest first.
    Broadcasts(Rows),
    /// Pages of the node, the newest first.
    Pages(Rows),
    /// One page, as it is named for [`why`](crate::why).
    Page(String),
    /// Names of streams that pages of the node read, or that were broadcast to from there.
    Streams(Rows),
    /// Of the names that pages of the node read, those that are nearest to each of these.
    Nearest(Vec<String>),
}

/// What a node says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Said {
    /// Nothing is recorded there.
    Off,
    /// One for each that was asked about.
    Facts(Vec<Known>),
    /// Broadcasts, and which entries were for how many subscriptions there.
    Broadcasts(Vec<Broadcast>, Reached),
    /// Pages.
    Pages(PageRows),
    /// The page, if it is known there.
    Page(Option<Box<Page>>),
    /// Streams.
    Streams(Vec<StreamRow>),
    /// Some for each name. The name itself is among them, if it is read there.
    Nearest(Vec<Vec<String>>),
}

/// An answer, and whose it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Told {
    /// The node's name.
    pub node: String,
    /// Rows were left out, because they did not fit.
    #[serde(default)]
    pub is_cut: bool,
    /// What it says.
    pub said: Said,
}

impl Told {
    /// Leaves out rows from the end until the answer has no more than so many bytes, as JSON.
    #[must_use]
    pub fn within(mut self, bytes_max: usize) -> Self {
        let Self { node, said, .. } = &mut self;
        // What is around the rows, and a comma for each.
        let bytes_max = bytes_max.saturating_sub(node.len() + 256);
        let is_cut = match said {
            Said::Off => false,
            Said::Facts(rows) => cut(rows, bytes_max),
            Said::Broadcasts(rows, reached) => {
                let beside = reached.within(bytes_max / 2);
                cut(rows, bytes_max.saturating_sub(beside))
            }
            Said::Pages(pages) => cut(&mut pages.rows, bytes_max),
            Said::Page(page) => {
                let page = page.as_mut();
                page.is_some_and(|page| {
                    let tags = page.subscriptions.len();
                    let other = bytes(&Page { subscriptions: Vec::new(), ..(**page).clone() });
                    cut(&mut page.subscriptions, bytes_max.saturating_sub(other));
                    page.leave_out(tags - page.subscriptions.len())
                })
            }
            Said::Streams(rows) => cut(rows, bytes_max),
            Said::Nearest(rows) => cut(rows, bytes_max),
        };
        self.is_cut |= is_cut;
        self
    }

    /// The page that it says.
    pub fn page(&self) -> Option<&Page> {
        match &self.said {
            Said::Page(page) => page.as_deref(),
            _ => None,
        }
    }

    /// As it is written.
    ///
    /// # Panics
    /// Never: it is made of texts and numbers.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers encode")
    }

    /// `None` for what was not written by [`to_json`](Self::to_json), or by another version that says more.
    pub fn from_json(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }
}

impl Question {
    /// As it is written.
    ///
    /// # Panics
    /// Never: it is made of texts and numbers.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers encode")
    }

    /// `None` for what was not written by [`to_json`](Self::to_json), or by another version that asks more.
    pub fn from_json(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }
}

/// Leaves out rows from the end until they fit. Whether any was.
fn cut<T: Serialize>(rows: &mut Vec<T>, bytes_max: usize) -> bool {
    let before = rows.len();
    let mut taken = 0;
    let fit = rows.iter().take_while(|row| {
        taken += bytes(row) + 1;
        taken <= bytes_max
    });
    let fit = fit.count();
    rows.truncate(fit);
    fit < before
}

fn bytes<T: Serialize>(row: &T) -> usize {
    serde_json::to_vec(row).map_or(usize::MAX / 2, |json| json.len())
}

#[cfg(test)]
mod tests;
