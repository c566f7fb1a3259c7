//! The streams that are read or were broadcast to.

use std::collections::BTreeMap;

use forebay_hub::Inspection;
use forebay_inspect::{State, readable};
use maud::{Markup, html};

use super::query::{Filter, ROWS_MAX, View};
use super::{layout, live, words};

/// Pages whose tags are counted, and broadcasts: as many as are kept.
const LOOKED_AT_MAX: usize = 10_000;

#[derive(Debug, Default)]
struct Stream {
    readers: u64,
    rejected: u64,
    broadcasts: u64,
    last: u64,
}

pub(super) fn view(inspection: &Inspection, filter: &Filter) -> Markup {
    let streams = collect(inspection);
    let is_trouble =
        |stream: &Stream| stream.rejected > 0 || (stream.readers == 0) != (stream.broadcasts == 0);
    let shown = streams.iter().filter(|(name, stream)| {
        (!filter.only_troubles || is_trouble(stream)) && filter.finds([&***name, &*readable(name)])
    });
    let mut shown: Vec<_> = shown.collect();
    // The liveliest first.
    shown.sort_by(|(a, one), (b, other)| other.last.cmp(&one.last).then_with(|| a.cmp(b)));
    let has_more = shown.len() > filter.skip.saturating_add(ROWS_MAX);
    html! {
        (layout::filter("streams", filter, "name", "Only unread, silent or rejected"))
        div #rows data-live {
            p.quiet { (words::counted(streams.len() as u64, "stream")) " are read, or were broadcast to." }
            @if shown.is_empty() { p.none { "No stream." } }
            ul.rows.streams {
                @for (name, stream) in shown.iter().skip(filter.skip).take(ROWS_MAX) { (row(name, stream)) }
            }
            (layout::turn(&View::Streams(filter.clone()), filter.skip, has_more))
        }
    }
}

fn collect(inspection: &Inspection) -> BTreeMap<String, Stream> {
    let mut streams: BTreeMap<String, Stream> = BTreeMap::new();
    for page in inspection.pages(0, LOOKED_AT_MAX, |page| !live::is_inspector(page)) {
        for one in &page.subscriptions {
            let Some(name) = &one.stream else { continue };
            let stream = streams.entry(name.clone()).or_default();
            match one.state {
                State::Left => {}
                State::Rejected { .. } => stream.rejected += 1,
                _ => stream.readers += 1,
            }
        }
    }
    for broadcast in inspection.broadcasts(None, LOOKED_AT_MAX, |_| true) {
        let stream = streams.entry(broadcast.stream).or_default();
        stream.broadcasts += 1;
        stream.last = stream.last.max(broadcast.at);
    }
    streams
}

fn row(name: &str, stream: &Stream) -> Markup {
    let (tone, word) = match stream {
        Stream { rejected: 1.., .. } => (words::Tone::Bad, "rejected"),
        Stream { readers: 0, .. } => (words::Tone::Waits, "no reader"),
        Stream { broadcasts: 0, .. } => (words::Tone::Quiet, "silent"),
        _ => (words::Tone::Good, "read"),
    };
    let filter = Filter { text: readable(name), ..Filter::default() };
    html! {
        li class=(tone.class()) {
            a href=(View::Broadcasts(filter)) {
                @if stream.last > 0 { (words::time(stream.last)) } @else { time { "–" } }
                span.what { code { (readable(name)) } }
                span.stream.quiet { (words::counted(stream.broadcasts, "broadcast")) @if stream.rejected > 0 { ", " (words::number(stream.rejected)) " rejected" } }
                span.count { (words::counted(stream.readers, "reader")) }
                (words::state(tone, word))
            }
        }
    }
}
