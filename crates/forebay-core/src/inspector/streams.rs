//! The streams that are read or were broadcast to.

use forebay_inspect::{Question, Rows, StreamRow, StreamRows, readable};
use maud::{Markup, html};

use super::nodes::{FRESH, Nodes};
use super::query::{Filter, ROWS_MAX, View};
use super::{layout, words};

pub(super) async fn view(mut nodes: Nodes<'_>, filter: &Filter) -> Markup {
    // Of a list that is made of what all have, nobody knows which rows another one needs.
    let asked = Rows { before: None, max: 0, ..filter.rows() };
    let mut told = nodes.ask(&Question::Streams(asked.clone()), FRESH).await;
    told.retain(|told| filter.node.as_ref().is_none_or(|node| told.node == *node));
    let streams = StreamRows::merge(&told);
    let all = streams.sorted(&asked);
    let next = filter.skip.saturating_add(ROWS_MAX);
    let next = (all.len() > next).then(|| View::Streams(Filter { skip: next, ..filter.clone() }));
    let first = (filter.skip > 0).then(|| View::Streams(filter.first()));
    html! {
        (layout::filter(&nodes, "streams", filter, ("name", "Only unread, silent or rejected")))
        div #rows data-live {
            (nodes.said())
            p.quiet { (words::counted(streams.len() as u64, "stream")) " are read, or were broadcast to." }
            @if all.is_empty() { p.none { "No stream." } }
            ul.rows.streams {
                @for stream in all.iter().skip(filter.skip).take(ROWS_MAX) { (row(stream)) }
            }
            (layout::turn(first.as_ref(), next.as_ref()))
        }
    }
}

fn row(stream: &StreamRow) -> Markup {
    let (tone, word) = match stream {
        StreamRow { rejected: 1.., .. } => (words::Tone::Bad, "rejected"),
        StreamRow { readers: 0, .. } => (words::Tone::Waits, "no reader"),
        StreamRow { broadcasts: 0, .. } => (words::Tone::Quiet, "silent"),
        _ => (words::Tone::Good, "read"),
    };
    let name = readable(&stream.name);
    let filter = Filter { text: name.clone(), ..Filter::default() };
    html! {
        li class=(tone.class()) {
            a href=(View::Broadcasts(filter)) {
                @if stream.last > 0 { (words::time(stream.last)) } @else { time { "–" } }
                span.what { code { (name) } }
                span.stream.quiet { (words::counted(stream.broadcasts, "broadcast")) @if stream.rejected > 0 { ", " (words::number(stream.rejected)) " rejected" } }
                span.count { (words::counted(stream.readers, "reader")) }
                (words::state(tone, word))
            }
        }
    }
}
