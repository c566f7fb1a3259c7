//! One broadcast: who has asked for it, what became of it, and its way to each page of its stream.

use forebay_hub::Inspection;
use forebay_inspect::{Answer, Broadcast, Outcome, Page, State, readable};
use maud::{Markup, html};

use super::query::View;
use super::way;
use super::words::{self, Tone};
use crate::app::Forebay;

/// Pages that are asked about in one answer: each takes some 20 microseconds, and its connection is looked at.
const PAGES_MAX: usize = 20;

pub(super) fn view(
    forebay: &Forebay,
    inspection: &Inspection,
    id: u64,
    page: Option<&str>,
) -> Markup {
    let mut found = inspection.broadcasts(None, 1, |broadcast| broadcast.id == id);
    let Some(broadcast) = found.pop() else {
        return html! { p.none { "This broadcast is not remembered any more: newer ones have taken its place." } };
    };
    let offset = broadcast.outcome.place().map(|place| place.offset);
    let ask = |page: &str| forebay.why(page, &broadcast.stream, offset);
    let chosen = page.and_then(|page| Some((page, ask(page)?)));
    let (tone, word) = words::outcome(&broadcast);
    html! {
        h1 { (words::action(&broadcast)) (words::state(tone, word)) }
        div #way data-live {
            @match &chosen {
                Some((page, answer)) => {
                    (way::of_answer(answer, &broadcast))
                    p class={ "answer " (tone_of(answer).class()) } { (words::sentence(&answer.sentence)) }
                    p.quiet { "For page " a href=(View::Page((*page).to_owned())) { code { (page) } } " · " a href=(View::Broadcast { id, page: None }) { "all pages" } }
                }
                None => {
                    (way::of_broadcast(&broadcast))
                    @if let Some(why) = why(&broadcast) { p.answer.bad { (words::sentence(why)) } }
                }
            }
        }
        (facts(&broadcast))
        @if chosen.is_none() { (pages(inspection, &broadcast, &ask)) }
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
fn pages(
    inspection: &Inspection,
    broadcast: &Broadcast,
    ask: &dyn Fn(&str) -> Option<Answer>,
) -> Markup {
    let is_to = |page: &Page| page.subscriptions.iter().any(|one| one.is_to(&broadcast.stream));
    let pages = inspection.pages(0, PAGES_MAX + 1, is_to);
    let more = pages.len() > PAGES_MAX;
    html! {
        h2 { "Pages of this stream" }
        div #pages data-live {
            @if pages.is_empty() {
                p.none { "No page reads this name, or has tried to. " a href="?view=streams" { "Names that are read" } }
            }
            ul.rows.asked {
                @for page in pages.iter().take(PAGES_MAX) { (page_row(page, broadcast, ask(&page.id).as_ref())) }
            }
            @if more { p.quiet { "These are the newest " (PAGES_MAX) "." } }
        }
    }
}

fn page_row(page: &Page, broadcast: &Broadcast, answer: Option<&Answer>) -> Markup {
    let link = View::Broadcast { id: broadcast.id, page: Some(page.id.clone()) };
    let tone = answer.map_or(Tone::Quiet, tone_of);
    let has_left = page.subscriptions.iter().all(|one| one.state == State::Left);
    html! {
        li class=(tone.class()) {
            a href=(link) {
                span.what { code { (page.identity.as_deref().unwrap_or(&page.id)) } }
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
