//! One broadcast: who has asked for it, what became of it, and its way to each page of its stream.

use forebay_inspect::{
    About, Answer, Broadcast, Outcome, Page, PageRows, Question, Rows, State, readable,
};
use maud::{Markup, html};

use super::nodes::{ABOUT_MAX, FRESH, Nodes};
use super::query::View;
use super::way;
use super::words::{self, Tone};

pub(super) async fn view(
    mut nodes: Nodes<'_>,
    node: Option<&str>,
    id: u64,
    page: Option<&str>,
) -> Markup {
    // Each node has numbers of its own.
    let node = Some(node.unwrap_or(nodes.inspection.node()).to_owned());
    let rows = Rows { node, id: Some(id), max: 1, ..Rows::default() };
    let told = nodes.ask(&Question::Broadcasts(rows.clone()), FRESH).await;
    let Some(broadcast) = rows.merge_broadcasts(&told).pop() else {
        return html! {
            (nodes.said())
            p.none { "This broadcast is not remembered any more: newer ones have taken its place." }
        };
    };
    let offset = broadcast.outcome.place().map(|place| place.offset);
    let about = |page: &str| About {
        page: page.to_owned(),
        stream: broadcast.stream.clone(),
        offset,
        ..About::default()
    };
    let chosen = match page {
        Some(page) => nodes.why(vec![about(page)]).await.pop().map(|answer| (page, answer)),
        None => None,
    };
    let asked = match chosen {
        Some(_) => html! {},
        None => pages(&mut nodes, &broadcast, about).await,
    };
    let (tone, word) = words::outcome(&broadcast);
    html! {
        h1 { (words::action(&broadcast)) (words::state(tone, word)) }
        div #way data-live {
            (nodes.said())
            @match &chosen {
                Some((page, answer)) => {
                    (way::of_answer(answer, &broadcast))
                    p class={ "answer " (tone_of(answer).class()) } { (words::sentence(&answer.sentence)) }
                    p.quiet { "For page " a href=(View::Page((*page).to_owned())) { code { (page) } } " · " a href=(View::of_broadcast(&broadcast, None)) { "all pages" } }
                }
                None => {
                    (way::of_broadcast(&broadcast))
                    @if let Some(why) = why(&broadcast) { p.answer.bad { (words::sentence(why)) } }
                }
            }
        }
        (facts(&broadcast))
        (asked)
        @if let Some(body) = &broadcast.body {
            h2 { "Message" }
            pre { code { (body) } }
        }
    }
}

fn facts(broadcast: &Broadcast) -> Markup {
    let source = &broadcast.source;
    let place = broadcast.outcome.place();
    html! {
        dl.facts {
            dt { "Stream" } dd { code { (readable(&broadcast.stream)) } }
            dt { "Asked for" } dd { (words::time(broadcast.at)) " UTC at node " code { (broadcast.node) } }
            @if let Some(place) = &source.place { dt { "By" } dd { code { (place) } } }
            @if let Some(request) = &source.request { dt { "In request" } dd { code { (request) } } }
            @if let Some(sender) = &source.sender { dt { "Posted from" } dd { code { (sender) } } }
            @if let Some(place) = place { dt { "Place" } dd { code { (place.epoch) "." (place.offset) } } }
            @if let Some(except) = &broadcast.except { dt { "Not for" } dd { a href=(View::Page(except.clone())) { code { (except) } } } }
            @if broadcast.beside_transaction {
                dt { "Beside" } dd { "Its request had a transaction open, and it was not asked for through that." }
            }
            @for reach in &broadcast.reach {
                dt { "Reached" } dd { (words::counted(reach.subscriptions, "reader")) " at node " code { (reach.node) } }
            }
        }
    }
}

fn why(broadcast: &Broadcast) -> Option<&str> {
    match &broadcast.outcome {
        Outcome::FailedToRender { why }
        | Outcome::Invalid { why }
        | Outcome::Refused { why }
        | Outcome::Gap { why } => Some(why),
        _ => None,
    }
}

/// The pages that read the stream or have tried to, each with its answer.
async fn pages(
    nodes: &mut Nodes<'_>,
    broadcast: &Broadcast,
    about: impl Fn(&str) -> About,
) -> Markup {
    let streams = vec![broadcast.stream.clone()];
    let rows = Rows { streams, max: ABOUT_MAX + 1, ..Rows::default() };
    let told = nodes.ask(&Question::Pages(rows.clone()), FRESH).await;
    let PageRows { rows: mut pages, .. } = rows.merge_pages(&told);
    let more = pages.len() > ABOUT_MAX;
    pages.truncate(ABOUT_MAX);
    let answers = nodes.why(pages.iter().map(|page| about(&page.id)).collect()).await;
    html! {
        h2 { "Pages of this stream" }
        div #pages data-live {
            @if pages.is_empty() {
                p.none { "No page reads this name, or has tried to. " a href="?view=streams" { "Names that are read" } }
            }
            ul.rows.asked {
                @for (at, page) in pages.iter().enumerate() { (page_row(nodes, page, broadcast, answers.get(at))) }
            }
            @if more { p.quiet { "These are the newest " (ABOUT_MAX) "." } }
        }
    }
}

fn page_row(
    nodes: &Nodes<'_>,
    page: &Page,
    broadcast: &Broadcast,
    answer: Option<&Answer>,
) -> Markup {
    let tone = answer.map_or(Tone::Quiet, tone_of);
    let has_left = page.subscriptions.iter().all(|one| one.state == State::Left);
    html! {
        li class=(tone.class()) {
            a href=(View::of_broadcast(broadcast, Some(&page.id))) {
                span.what { code { (page.identity.as_deref().unwrap_or(&page.id)) } (nodes.of_row(&page.node)) }
                @if let Some(answer) = answer {
                    (way::dots(answer, broadcast))
                    span.said { (words::sentence(&answer.sentence)) }
                } @else if has_left {
                    span.said { "Its tag has left the page." }
                }
            }
        }
    }
}

pub(super) fn tone_of(answer: &Answer) -> Tone {
    match answer.hop {
        _ if answer.broken.is_applied() => Tone::Good,
        Some(_) => Tone::Bad,
        None => Tone::Quiet,
    }
}
