//! What is around every view.

use forebay_hub::Inspection;
use forebay_turbo::StreamName;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::live::STREAM;
use super::nodes::Nodes;
use super::query::{Filter, View};
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
pub(super) fn filter(
    nodes: &Nodes<'_>,
    view: &str,
    filter: &Filter,
    (hint, troubles): (&str, &str),
) -> Markup {
    html! {
        form.filter method="get" role="search" {
            input type="hidden" name="view" value=(view);
            input type="search" name="q" value=(filter.text) placeholder=(hint) aria-label=(hint) maxlength="200" autocomplete="off" spellcheck="false";
            (nodes.choice(filter.node.as_deref()))
            label { input type="checkbox" name="only" value="troubles" checked[filter.only_troubles]; (troubles) }
            button { "Filter" }
        }
    }
}

/// To the first rows of a list, and to those behind.
pub(super) fn turn(first: Option<&View>, next: Option<&View>) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav.turn aria-label="More rows" {
                @if let Some(first) = first { a rel="first" href=(first) { "← Newest" } }
                @if let Some(next) = next { a rel="next" href=(next) { "Older →" } }
            }
        }
    }
}
