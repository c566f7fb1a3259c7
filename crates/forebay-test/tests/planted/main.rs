//! Planted bugs: each is a small application with one of the mistakes that people lose hours with, and a test
//! of it fails with the broken hop in words.
//!
//! What only a browser can have is left out: a preview of Turbo's cache, and a page whose scripts stall.

#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

mod access;
mod apps;
mod names;
mod sending;
mod targets;

use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use futures_util::FutureExt as _;

/// One mistake, and what a test says of it.
struct Bug {
    name: &'static str,
    /// The application, and a test of it that fails.
    test: fn() -> Pin<Box<dyn Future<Output = ()> + Send>>,
    /// What the failure says, among other things.
    says: &'static str,
}

/// Writes down a bug.
macro_rules! bug {
    ($name:literal, $says:literal, $test:block) => {
        $crate::Bug { name: $name, test: || Box::pin(async $test), says: $says }
    };
}
use bug;

fn bugs() -> Vec<Bug> {
    [access::bugs(), names::bugs(), sending::bugs(), targets::bugs()]
        .into_iter()
        .flatten()
        .collect()
}

/// What a test says that fails.
async fn failure(test: impl Future<Output = ()>) -> String {
    let Err(panic) = AssertUnwindSafe(test).catch_unwind().await else {
        return "(nothing: the test passes)".to_owned();
    };
    match panic.downcast::<String>() {
        Ok(said) => *said,
        Err(panic) => panic.downcast_ref::<&str>().copied().unwrap_or_default().to_owned(),
    }
}

#[tokio::test]
async fn a_test_of_each_planted_bug_names_the_broken_hop() {
    let bugs = bugs();
    assert!(bugs.len() >= 20, "{} bugs", bugs.len());
    let mut unnamed = Vec::new();
    for Bug { name, test, says } in bugs {
        let said = failure(test()).await;
        if !said.contains(says) {
            unnamed.push(format!("{name}\n  should say: {says}\n  said: {said}"));
        }
    }
    assert!(unnamed.is_empty(), "{}", unnamed.join("\n"));
}

#[tokio::test]
async fn without_a_bug_there_is_no_fault() {
    let (forebay, app) = apps::room();
    let mut page = app.open("/").await;
    forebay.broadcast().append_to("room", &apps::message(1, "hi")).await.unwrap();
    forebay.broadcast().replace_to("room", &apps::message(1, "ho")).await.unwrap();
    page.assert_wired().await;
    page.assert_text("#message_1", "ho");
}
