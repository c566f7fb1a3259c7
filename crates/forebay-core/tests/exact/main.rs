//! Exact cursors with a real Postgres and its replica.

#![cfg(feature = "outbox-postgres")]
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

mod measure;
mod seen;

use measure::{Kind, Plan, run};

/// A small version of `cargo xtask doubling`. The variants beside the exact cursor have to fail.
#[tokio::test]
async fn nothing_comes_twice_from_the_primary_and_nothing_is_lost_from_a_replica() {
    let outcomes = run(Plan { pages: 60, pages_each: 60, late_ms: 1_000, writers: 12 });
    let outcomes = outcomes.await.unwrap();
    let of = |kind| outcomes[&kind];
    let exact = of(Kind::PrimaryExact);
    assert_eq!((exact.lost, exact.doubled, exact.healed), (0, 0, 0));
    let plain = of(Kind::PrimaryPlain);
    assert!(plain.lost == 0 && plain.doubled > 0, "{plain:?}");
    let exact = of(Kind::ReplicaExact);
    assert_eq!((exact.lost, exact.healed), (0, 0));
    assert!(of(Kind::ReplicaPlain).lost > 0);
    assert!(of(Kind::ReplicaNaive).lost > 0);
}

/// The guide's code is the documentation's, which is compiled.
#[test]
fn the_guides_code_compiles() {
    let guide = include_str!("../../../../docs/exact.md");
    let code = guide.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    let compiled = include_str!("../../src/reading.rs");
    for line in code.unwrap().lines() {
        assert!(compiled.contains(&format!("/// {line}")), "{line}");
    }
}
