//! The first view: what is broadcast, as it happens.

use std::time::Duration;

use forebay_inspect::{Broadcast, Question, RowKey, Said, Told, nearest, readable};
use maud::{Markup, html};

use super::nodes::{LIST_FRESH, Nodes};
use super::query::{Filter, ROWS_MAX, View};
use super::{layout, words};

/// Names without a reader for which a nearer one is looked for, in one answer: each costs a millisecond.
const NEAR_MAX: usize = 5;

/// How old what other nodes say of near names may be.
const NEAR_FRESH: Duration = Duration::from_secs(5);

pub(super) async fn view(mut nodes: Nodes<'_>, filter: &Filter) -> Markup {
    let asked = filter.rows();
    let told = nodes.ask(&Question::Broadcasts(asked.clone()), LIST_FRESH).await;
    let mut rows = asked.merge_broadcasts(&told);
    let has_more = rows.len() > ROWS_MAX;
    rows.truncate(ROWS_MAX);
    let near = Near::of(&mut nodes, &rows).await;
    let last = rows.last().filter(|_| has_more);
    let next = last.map(|last| filter.behind(RowKey::of_broadcast(&last.node, last)));
    let first = filter.before.is_some().then(|| View::Broadcasts(filter.first()));
    html! {
        (nodes.forebay.edge.live.plots())
        (layout::filter(&nodes, "broadcasts", filter, ("stream, action or file", "Only what nobody got")))
        div #rows data-live {
            (nodes.said())
            @if rows.is_empty() {
                p.none { "No broadcast yet. It appears here by itself." }
            } @else {
                ul.rows.broadcasts {
                    @for broadcast in &rows { (row(&nodes, broadcast, near.of_row(broadcast))) }
                }
            }
            (layout::turn(first.as_ref(), next.map(View::Broadcasts).as_ref()))
        }
    }
}

fn row(nodes: &Nodes<'_>, broadcast: &Broadcast, near: Option<&str>) -> Markup {
    let (tone, word) = words::outcome(broadcast);
    let readers = broadcast.subscriptions();
    html! {
        li class=(tone.class()) {
            a href=(View::of_broadcast(broadcast, None)) {
                (words::time(broadcast.at))
                span.what { (words::action(broadcast)) }
                span.stream { code { (readable(&broadcast.stream)) } (nodes.of_row(&broadcast.node)) }
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
    async fn of(nodes: &mut Nodes<'_>, rows: &[Broadcast]) -> Self {
        let unread = rows.iter().filter(|row| is_unread(row));
        let mut names: Vec<_> = unread.map(|row| row.stream.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(NEAR_MAX);
        if names.is_empty() {
            return Self(Vec::new());
        }
        let question = Question::Nearest(names.clone());
        let told = nodes.ask(&question, NEAR_FRESH).await;
        let near = names.into_iter().enumerate().filter_map(|(index, name)| {
            let known = || told.iter().flat_map(|told| near_at(told, index)).map(String::as_str);
            // A page that left meanwhile has read this very name.
            let near = nearest(&name, known())?;
            known().all(|known| known != name).then_some((name, near.name))
        });
        Self(near.collect())
    }

    fn of_row(&self, broadcast: &Broadcast) -> Option<&str> {
        let is_it = |name: &str| is_unread(broadcast) && name == broadcast.stream;
        let found = self.0.iter().find(|(name, _)| is_it(name));
        found.map(|(_, near)| near.as_str())
    }
}

fn is_unread(broadcast: &Broadcast) -> bool {
    broadcast.outcome.place().is_some() && broadcast.subscriptions() == 0
}

fn near_at(told: &Told, index: usize) -> &[String] {
    match &told.said {
        Said::Nearest(near) => near.get(index).map_or(&[], Vec::as_slice),
        _ => &[],
    }
}
