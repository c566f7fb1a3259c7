//! The first view: what is broadcast, as it happens.

use forebay_hub::Inspection;
use forebay_inspect::{Broadcast, nearest, readable};
use maud::{Markup, html};

use super::layout;
use super::query::{Filter, ROWS_MAX, View};
use super::words;
use crate::app::Forebay;

/// Names without a reader for which a nearer one is looked for, in one answer: each costs a millisecond.
const NEAR_MAX: usize = 5;

/// Names that they are compared with.
const KNOWN_MAX: usize = 1_000;

pub(super) fn view(forebay: &Forebay, inspection: &Inspection, filter: &Filter) -> Markup {
    let has_text = |broadcast: &Broadcast| {
        let name = readable(&broadcast.stream);
        let place = broadcast.source.place.as_deref().unwrap_or_default();
        let action = broadcast.action.as_deref().unwrap_or_default();
        filter.finds([&*broadcast.stream, &*name, place, action])
    };
    let is_shown = |broadcast: &Broadcast| {
        (!filter.only_troubles || words::is_trouble(broadcast))
            && (filter.text.is_empty() || has_text(broadcast))
    };
    let wanted = filter.skip.saturating_add(ROWS_MAX + 1);
    let mut found = inspection.broadcasts(None, wanted, is_shown);
    found.reverse();
    let has_more = found.len() == wanted;
    let rows: Vec<_> = found.into_iter().skip(filter.skip).take(ROWS_MAX).collect();
    let near = Near::of(inspection, &rows);
    html! {
        (forebay.edge.live.plots())
        (layout::filter("broadcasts", filter, "stream, action or file", "Only what nobody got"))
        div #rows data-live {
            @if rows.is_empty() {
                p.none { "No broadcast yet. It appears here by itself." }
            } @else {
                ul.rows.broadcasts {
                    @for broadcast in &rows { (row(broadcast, near.of_row(broadcast))) }
                }
            }
            (layout::turn(&View::Broadcasts(filter.clone()), filter.skip, has_more))
        }
    }
}

fn row(broadcast: &Broadcast, near: Option<&str>) -> Markup {
    let (tone, word) = words::outcome(broadcast);
    let link = View::Broadcast { id: broadcast.id, page: None };
    let readers = broadcast.subscriptions();
    html! {
        li class=(tone.class()) {
            a href=(link) {
                (words::time(broadcast.at))
                span.what { (words::action(broadcast)) }
                span.stream { code { (readable(&broadcast.stream)) } }
                span.count { @if broadcast.outcome.place().is_some() { (words::counted(readers, "reader")) } }
                (words::state(tone, word))
            }
            @if let Some(near) = near {
                p.said { "Nobody reads this name. Pages read " code { (near) } "." }
            }
        }
    }
}

/// Names that pages read, and that are near to one that none reads.
struct Near(Vec<(String, String)>);

impl Near {
    fn of(inspection: &Inspection, rows: &[Broadcast]) -> Self {
        let unread =
            rows.iter().filter(|row| row.outcome.place().is_some() && row.subscriptions() == 0);
        let mut names: Vec<&str> = unread.map(|row| row.stream.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return Self(Vec::new());
        }
        let streams = inspection.streams_of_pages(KNOWN_MAX);
        let known = || streams.iter().map(String::as_str);
        let near = names.into_iter().take(NEAR_MAX).filter_map(|name| {
            // A page that left meanwhile has read this very name.
            let near = nearest(name, known())?;
            known().all(|known| known != name).then(|| (name.to_owned(), near.name))
        });
        Self(near.collect())
    }

    fn of_row(&self, broadcast: &Broadcast) -> Option<&str> {
        let unread = broadcast.outcome.place().is_some() && broadcast.subscriptions() == 0;
        let mut found = self.0.iter().filter(|(name, _)| unread && *name == broadcast.stream);
        found.next().map(|(_, near)| near.as_str())
    }
}
