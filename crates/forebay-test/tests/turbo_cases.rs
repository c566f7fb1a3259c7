//! The table of cases: what Turbo does in Chromium is what a [`Document`] does.
//!
//! `e2e/tests/turbo_cases.test.js` runs the same table through the real Turbo.

#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::collections::{BTreeMap, BTreeSet};

use forebay_test::{Applied, Document, Seen};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    /// What is in the body.
    page: String,
    messages: Vec<String>,
    /// What is in the body afterwards.
    expected: String,
    /// What is behind the body afterwards.
    #[serde(default)]
    after: String,
    /// What Turbo says in the console.
    #[serde(default)]
    errors: Vec<String>,
    /// Custom actions that were called.
    #[serde(default)]
    custom: Vec<Custom>,
    /// How often the page was asked to load itself again.
    #[serde(default)]
    refreshes: usize,
}

#[derive(Deserialize, PartialEq, Debug)]
struct Custom {
    attributes: BTreeMap<String, String>,
    template: String,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("turbo_cases.json")).unwrap()
}

fn custom(applied: &Applied) -> Option<Custom> {
    (applied.tag.action == "notify").then(|| Custom {
        attributes: applied.tag.attributes.iter().cloned().collect(),
        template: applied.tag.template.clone().unwrap_or_default(),
    })
}

fn error(applied: &Applied) -> Option<String> {
    match &applied.seen {
        Seen::Threw { error } => Some(error.clone()),
        Seen::UnknownAction => Some(format!("{}: unknown action", applied.tag)),
        _ => None,
    }
}

#[test]
fn a_document_does_what_turbo_does() {
    for case in cases() {
        let name = &case.name;
        let html = format!("<!DOCTYPE html><html><head></head><body>{}</body></html>", case.page);
        let mut page = Document::parse(&html).with_action("notify");
        let applied: Vec<Applied> =
            case.messages.iter().flat_map(|message| page.receive(message)).collect();
        assert_eq!(page.body(), case.expected, "{name}");
        let (_, after) = page.html().split_once("</body>").map(own).unwrap();
        assert_eq!(after, format!("{}</html>", case.after), "{name}: behind the body");
        assert_eq!(applied.iter().filter_map(error).collect::<Vec<_>>(), case.errors, "{name}");
        assert_eq!(applied.iter().filter_map(custom).collect::<Vec<_>>(), case.custom, "{name}");
        let refreshes = applied.iter().filter(|applied| applied.tag.action == "refresh").count();
        assert_eq!(refreshes, case.refreshes, "{name}: refreshes");
    }
}

fn own((a, b): (&str, &str)) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

#[test]
fn the_table_has_every_action_and_no_name_twice() {
    let cases = cases();
    let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let all: String = cases.iter().flat_map(|case| case.messages.clone()).collect();
    for action in
        ["append", "prepend", "replace", "update", "remove", "before", "after", "refresh", "notify"]
    {
        assert!(all.contains(&format!("action=\"{action}\"")), "{action}");
    }
}
