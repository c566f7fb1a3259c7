//! The pages, the newest first.

use forebay_inspect::{Page, PageRows, Question, RowKey, readable};
use maud::{Markup, html};

use super::nodes::{FRESH, Nodes};
use super::query::{Filter, ROWS_MAX, View};
use super::{layout, words};

/// Streams of a page that its row names.
const NAMES_MAX: usize = 3;

pub(super) async fn view(mut nodes: Nodes<'_>, filter: &Filter) -> Markup {
    let asked = filter.rows();
    let told = nodes.ask(&Question::Pages(asked.clone()), FRESH).await;
    let PageRows { connected, ended, left_out, mut rows } = asked.merge_pages(&told);
    let has_more = rows.len() > ROWS_MAX;
    rows.truncate(ROWS_MAX);
    let last = rows.last().filter(|_| has_more);
    let next = last.map(|last| filter.behind(RowKey::of_page(&last.node, last)));
    let first = filter.before.is_some().then(|| View::Pages(filter.first()));
    html! {
        (layout::filter(&nodes, "pages", filter, ("stream, visitor or address", "Only troubles")))
        div #rows data-live {
            (nodes.said())
            p.quiet {
                (words::counted(connected, "page")) " connected, " (words::number(ended)) " remembered"
                @if left_out > 0 { ", " (words::number(left_out)) " not recorded, because there was no room" }
                "."
            }
            @if rows.is_empty() { p.none { "No page." } }
            ul.rows.pages { @for page in &rows { (row(&nodes, page)) } }
            (layout::turn(first.as_ref(), next.map(View::Pages).as_ref()))
        }
    }
}

fn row(nodes: &Nodes<'_>, page: &Page) -> Markup {
    let left_out = usize::try_from(page.subscriptions_left_out).unwrap_or(usize::MAX);
    let tags = page.subscriptions.len().saturating_add(left_out);
    let (tone, word) = words::connection(page);
    let tone =
        if page.is_trouble() && tone == words::Tone::Good { words::Tone::Waits } else { tone };
    html! {
        li class=(tone.class()) {
            a href=(View::Page(page.id.clone())) {
                (words::time(page.since))
                span.what { code { (page.identity.as_deref().unwrap_or(&page.id)) } }
                span.stream {
                    @for one in page.subscriptions.iter().take(NAMES_MAX) {
                        code class=(words::subscription(one).0.class()) { (one.stream.as_deref().map_or_else(|| one.channel.clone(), readable)) } " "
                    }
                    @if tags > NAMES_MAX { span.quiet { "+" (tags - NAMES_MAX) } }
                    (nodes.of_row(&page.node))
                }
                span.count { (words::transport(page.transport)) }
                (words::state(tone, word))
            }
        }
    }
}
