//! What is around every view.

use forebay_hub::Inspection;
use forebay_turbo::StreamName;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::live::STREAM;
use super::query::{Filter, ROWS_MAX, View};
use crate::app::Forebay;

const STYLE: &str = include_str!("style.css");

const LISTS: [(&str, &str); 4] = [
    ("broadcasts", "Broadcasts"),
    ("pages", "Pages"),
    ("streams", "Streams"),
    ("counters", "Counters"),
];

pub(super) fn page(
    forebay: &Forebay,
    inspection: &Inspection,
    view: &View,
    content: &Markup,
) -> Markup {
    let prefix = &forebay.edge.paths.prefix;
    let base = forebay.edge.paths.public_url.as_deref().unwrap_or_default();
    let signed = forebay.sign(&StreamName::raw(STREAM));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                meta name="forebay-inspector" content=(signed);
                meta name="action-cable-url" content={ (base) (forebay.edge.paths.cable) };
                meta name="forebay-url" content={ (base) (prefix) };
                title { (title(view)) " · Forebay" }
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
                script type="module" src={ (base) (prefix) "/inspector.js" } {}
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                header {
                    a.brand href="?view=broadcasts" { (mark()) "Forebay" }
                    nav aria-label="Views" {
                        @for (name, title) in LISTS {
                            a href={ "?view=" (name) } aria-current=[is_under(view, name).then_some("page")] { (title) }
                        }
                    }
                    span.node title="This node" { code { (inspection.node()) } }
                    button #live type="button" aria-pressed="true" title="Pause (P)" hidden { "Live" }
                }
                main #content tabindex="-1" { (content) }
            }
        }
    }
}

fn is_under(view: &View, list: &str) -> bool {
    view.name() == list || format!("{}s", view.name()) == list
}

fn title(view: &View) -> &'static str {
    match view {
        View::Broadcasts(_) => "Broadcasts",
        View::Broadcast { .. } => "A broadcast",
        View::Pages(_) => "Pages",
        View::Page(_) => "A page",
        View::Streams(_) => "Streams",
        View::Counters => "Counters",
    }
}

fn mark() -> Markup {
    html! {
        svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true" {
            rect width="32" height="32" rx="8" {}
            path d="M6 11c3-4 5 4 8 0s5 4 12 0M6 17c4-2 6 2 9 1s6-1 11-1M6 23h20" {}
        }
    }
}

/// The form above a list.
pub(super) fn filter(view: &str, filter: &Filter, hint: &str, troubles: &str) -> Markup {
    html! {
        form.filter method="get" role="search" {
            input type="hidden" name="view" value=(view);
            input type="search" name="q" value=(filter.text) placeholder=(hint) aria-label=(hint) maxlength="200" autocomplete="off" spellcheck="false";
            label { input type="checkbox" name="only" value="troubles" checked[filter.only_troubles]; (troubles) }
            button { "Filter" }
        }
    }
}

/// To the rows before and behind.
pub(super) fn turn(view: &View, skip: usize, has_more: bool) -> Markup {
    html! {
        @if skip > 0 || has_more {
            nav.turn aria-label="More rows" {
                @if skip > 0 { a rel="prev" href=(view.at(skip.saturating_sub(ROWS_MAX))) { "← Newer" } }
                span.quiet { (skip + 1) "–" (skip + ROWS_MAX) }
                @if has_more { a rel="next" href=(view.at(skip + ROWS_MAX)) { "Older →" } }
            }
        }
    }
}
