//! What a view shows of all nodes that have this log: it is asked for, and who has not answered is said.

use std::collections::BTreeSet;
use std::time::Duration;

use forebay_hub::{Answers, Inspection};
use forebay_inspect::{About, Answer, Facts, Question, Told, why};
use maud::{Markup, html};

use super::words;
use crate::app::Forebay;

/// How old another node's part of a list may be. A view fetches itself every half a second, so ten of the same list
/// ask once a second.
pub(super) const LIST_FRESH: Duration = Duration::from_secs(1);

/// The same of what takes several questions, or changes slowly.
pub(super) const FRESH: Duration = Duration::from_secs(2);

/// Pages and tags that are asked about in one answer: each takes some 20 microseconds, and its connection is looked
/// at.
pub(super) const ABOUT_MAX: usize = 20;

/// All nodes, for one view.
pub(super) struct Nodes<'a> {
    pub(super) forebay: &'a Forebay,
    /// What is recorded here.
    pub(super) inspection: &'a Inspection,
    answered: BTreeSet<String>,
    missing: BTreeSet<String>,
    off: BTreeSet<String>,
    cut: BTreeSet<String>,
}

impl<'a> Nodes<'a> {
    pub(super) fn new(forebay: &'a Forebay, inspection: &'a Inspection) -> Self {
        let nothing = BTreeSet::new;
        Self {
            forebay,
            inspection,
            answered: nothing(),
            missing: nothing(),
            off: nothing(),
            cut: nothing(),
        }
    }

    /// What each node says, this one first.
    pub(super) async fn ask(&mut self, question: &Question, fresh: Duration) -> Vec<Told> {
        let answers = self.forebay.core.hub.inquire(question, fresh).await;
        let answers = answers.unwrap_or_default();
        self.cut.extend(answers.cut());
        let Answers { told, missing, off, .. } = answers;
        self.answered.extend(told.iter().map(|told| told.node.clone()));
        self.missing.extend(missing);
        self.off.extend(off);
        told
    }

    /// Why pages do not show broadcasts, in the order in which they are asked about; of at most [`ABOUT_MAX`].
    pub(super) async fn why(&mut self, mut about: Vec<About>) -> Vec<Answer> {
        about.truncate(ABOUT_MAX);
        if about.is_empty() {
            return Vec::new();
        }
        let facts = self.forebay.core.hub.facts_of_all(about, FRESH).await.unwrap_or_default();
        for Facts { log, .. } in &facts {
            self.missing.extend(log.missing.iter().cloned());
        }
        facts.iter().map(why).collect()
    }

    /// Whether rows may be of more than one node.
    pub(super) fn are_several(&self) -> bool {
        self.answered.len() > 1
    }

    /// The node of a row, where that is not clear.
    pub(super) fn of_row(&self, node: &str) -> Markup {
        html! {
            @if self.are_several() { span.quiet { " at " (node) } }
        }
    }

    /// Who has said what is shown, and who has not.
    pub(super) fn said(&self) -> Markup {
        let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        html! {
            @if self.are_several() {
                p.quiet { "From " (words::counted(self.answered.len() as u64, "node")) ": " (names(&self.answered)) "." }
            }
            @if !self.missing.is_empty() {
                p.answer.bad { "Not answered, so they may know more: " code { (names(&self.missing)) } "." }
            }
            @if !self.off.is_empty() {
                p.answer.wait { "Nothing is recorded at " code { (names(&self.off)) } ": switch the inspector on there." }
            }
            @if !self.cut.is_empty() {
                p.quiet { "These know more rows than fit into an answer: " (names(&self.cut)) ". Filter, or choose one." }
            }
        }
    }

    /// Which node's rows are shown.
    pub(super) fn choice(&self, chosen: Option<&str>) -> Markup {
        let is_of = |node: &String| chosen == Some(node.as_str());
        html! {
            @if self.are_several() || chosen.is_some() {
                select name="node" aria-label="Node" {
                    option value="" { "All nodes" }
                    @for node in &self.answered { option value=(node) selected[is_of(node)] { (node) } }
                    @if let Some(gone) = chosen.filter(|chosen| !self.answered.contains(*chosen)) {
                        option value=(gone) selected { (gone) }
                    }
                }
            }
        }
    }
}
