//! What this node says of what it has recorded: to another node that asks, or to whoever inspects this one.

use forebay_inspect::{
    About, Broadcast, Known, PageRows, Question, Report, Rows, Said, StreamRow, StreamRows, Told,
    nearest_names,
};

use super::Inspection;
use crate::hub::Hub;

/// Facts in one answer: for each of them a page's connection is looked at.
const ABOUT_MAX: usize = 32;

/// Rows in one answer. An answer to another node has a bound in bytes, too.
const ROWS_MAX: usize = 1_000;

/// Tags of a page in a list: what a row can name, and whoever wants more asks for the page.
const TAGS_IN_ROW: usize = 8;

/// Names in one question: each costs a millisecond.
const NAMES_MAX: usize = 5;

/// Names that they are compared with.
const KNOWN_MAX: usize = 1_000;

/// Of those, for each.
const NEAR_MAX: usize = 3;

/// The last reports of pages that are not known here.
const ELSEWHERE_MAX: usize = 50;

impl Hub {
    /// What is recorded here, for another node.
    pub(crate) fn tell_others(&self, inspection: &Inspection, question: &Question) -> Told {
        let Told { said, node, is_cut } = self.told(inspection, question);
        let said = match said {
            Said::Facts(known) => Said::Facts(known.into_iter().map(Known::for_others).collect()),
            Said::Pages(pages) => {
                let rows = pages.rows.into_iter().map(|page| page.as_row(TAGS_IN_ROW)).collect();
                Said::Pages(PageRows { rows, ..pages })
            }
            Said::Broadcasts(mut rows, reached) => {
                let is_list = !matches!(question, Question::Broadcasts(Rows { id: Some(_), .. }));
                rows.iter_mut().filter(|_| is_list).for_each(|row| row.body = None);
                Said::Broadcasts(rows, reached)
            }
            said => said,
        };
        Told { node, is_cut, said }
    }

    /// What is recorded here.
    pub(crate) fn told(&self, inspection: &Inspection, question: &Question) -> Told {
        let said = match question {
            Question::Facts(about) => {
                let known = about.iter().take(ABOUT_MAX).map(|about| self.known(about));
                Said::Facts(known.collect())
            }
            Question::Broadcasts(rows) => Said::Broadcasts(
                inspection.broadcast_rows(&bounded(rows)),
                inspection.reached(self.position()),
            ),
            Question::Pages(rows) => {
                let (connected, ended) = inspection.page_counts();
                Said::Pages(PageRows {
                    connected: connected as u64,
                    ended: ended as u64,
                    left_out: inspection.pages_left_out(),
                    rows: inspection.page_rows(&bounded(rows)),
                })
            }
            Question::Page(whose) => Said::Page(inspection.page(whose).map(Box::new)),
            Question::Streams(rows) => Said::Streams(inspection.stream_rows(rows)),
            Question::Nearest(names) => {
                let known = inspection.streams_of_pages(KNOWN_MAX);
                let near = names.iter().take(NAMES_MAX).map(|name| near(name, &known));
                Said::Nearest(near.collect())
            }
            // Of another version, which gets no answer.
            _ => Said::Off,
        };
        Told { node: inspection.node.clone(), is_cut: false, said }
    }

    fn known(&self, about: &About) -> Known {
        let About { page, stream, claimed, offset } = about;
        let facts = self.facts(page, stream, *offset).unwrap_or_default();
        // Of a signed name that no page here has shown, it is what that claims to be.
        let facts = match claimed {
            Some(claimed) if facts.stream == *stream => {
                self.facts(page, claimed, *offset).unwrap_or_default()
            }
            _ => facts,
        };
        let elsewhere = self.inspection().map(|inspection| inspection.reports_of_others());
        Known { facts, elsewhere: elsewhere.unwrap_or_default() }
    }
}

fn near(name: &str, known: &[String]) -> Vec<String> {
    if known.iter().any(|known| known == name) {
        return vec![name.to_owned()];
    }
    nearest_names(name, known.iter().map(String::as_str), NEAR_MAX)
}

fn bounded(rows: &Rows) -> Rows {
    Rows { max: rows.max.min(ROWS_MAX), ..rows.clone() }
}

impl Inspection {
    /// Broadcasts that are asked for, the newest first.
    pub fn broadcast_rows(&self, rows: &Rows) -> Vec<Broadcast> {
        let is_asked_for = |broadcast: &_| rows.has_broadcast(&self.node, broadcast);
        let mut found = self.broadcasts(rows.after, rows.max, is_asked_for);
        found.reverse();
        found
    }

    /// Streams that are read here, or that were broadcast to from here, with this text, the liveliest first. Whether
    /// somebody should look at one is known only when those of all nodes are counted.
    fn stream_rows(&self, rows: &Rows) -> Vec<StreamRow> {
        let mut streams = StreamRows::default();
        self.count_readers(rows.hides.as_deref(), &mut streams);
        self.each_broadcast(|broadcast| {
            let stream = streams.row(&broadcast.stream);
            stream.broadcasts += 1;
            stream.last = stream.last.max(broadcast.at);
        });
        let rows = Rows { only_troubles: false, ..rows.clone() };
        streams.sorted(&rows).into_iter().cloned().collect()
    }

    fn reports_of_others(&self) -> Vec<(String, Report)> {
        let mut names = self.reports.lock().names();
        {
            let pages = self.pages.lock();
            names.retain(|name| !pages.has(name));
        }
        self.reports.lock().last(ELSEWHERE_MAX, |name| names.contains(name))
    }
}
