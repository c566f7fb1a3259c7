//! The pages of this node, the newest first.

use forebay_hub::Inspection;
use forebay_inspect::{Page, readable};
use maud::{Markup, html};

use super::query::{Filter, ROWS_MAX, View};
use super::{layout, live, words};

/// Streams of a page that its row names.
const NAMES_MAX: usize = 3;

pub(super) fn view(inspection: &Inspection, filter: &Filter) -> Markup {
    let is_shown = |page: &Page| {
        !live::is_inspector(page)
            && (!filter.only_troubles || words::troubles(page))
            && (filter.text.is_empty() || filter.finds(texts(page).iter().map(String::as_str)))
    };
    let mut rows = inspection.pages(filter.skip, ROWS_MAX + 1, is_shown);
    let has_more = rows.len() > ROWS_MAX;
    rows.truncate(ROWS_MAX);
    let (connected, ended) = inspection.page_counts();
    html! {
        (layout::filter("pages", filter, "stream, visitor or address", "Only troubles"))
        div #rows data-live {
            p.quiet {
                (words::counted(connected as u64, "page")) " connected, " (words::number(ended as u64)) " remembered"
                @let left_out = inspection.pages_left_out();
                @if left_out > 0 { ", " (words::number(left_out)) " not recorded, because there was no room" }
                "."
            }
            @if rows.is_empty() { p.none { "No page." } }
            ul.rows.pages { @for page in &rows { (row(page)) } }
            (layout::turn(&View::Pages(filter.clone()), filter.skip, has_more))
        }
    }
}

fn texts(page: &Page) -> Vec<String> {
    let said = [Some(page.id.clone()), page.identity.clone(), page.address.clone()];
    let streams = page.subscriptions.iter().filter_map(|one| one.stream.as_deref());
    said.into_iter().flatten().chain(streams.map(readable)).collect()
}

fn row(page: &Page) -> Markup {
    let (tone, word) = words::connection(page);
    let tone =
        if words::troubles(page) && tone == words::Tone::Good { words::Tone::Waits } else { tone };
    html! {
        li class=(tone.class()) {
            a href=(View::Page(page.id.clone())) {
                (words::time(page.since))
                span.what { code { (page.identity.as_deref().unwrap_or(&page.id)) } }
                span.stream {
                    @for one in page.subscriptions.iter().take(NAMES_MAX) {
                        code class=(words::subscription(one).0.class()) { (one.stream.as_deref().map_or_else(|| one.channel.clone(), readable)) } " "
                    }
                    @if page.subscriptions.len() > NAMES_MAX { span.quiet { "+" (page.subscriptions.len() - NAMES_MAX) } }
                }
                span.count { (words::transport(page.transport)) }
                (words::state(tone, word))
            }
        }
    }
}
