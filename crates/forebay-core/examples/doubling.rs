//! Prints how many rows pages lack and double, with each kind of cursor. It starts Postgres and a replica.
//!
//! `cargo xtask doubling PAGES`, or `cargo run --release -p forebay-core --features outbox-postgres --example
//! doubling PAGES`.

#![expect(clippy::print_stdout, reason = "the table is what it is for")]

#[path = "../tests/exact/measure.rs"]
mod measure;

use measure::{Kind, Plan, run};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let pages = std::env::args().nth(1).map_or(Ok(10_000), |pages| pages.parse())?;
    let plan = Plan { pages, pages_each: 500, late_ms: 2_000, writers: 12 };
    let outcomes = run(plan).await?;
    println!("| data from, and cursor | pages | rows | lost | doubled | told to heal |");
    println!("|---|---|---|---|---|---|");
    for (kind, name) in [
        (Kind::PrimaryExact, "primary, exact cursor"),
        (Kind::PrimaryPlain, "primary, plain cursor"),
        (Kind::ReplicaExact, "replica, exact cursor"),
        (Kind::ReplicaPlain, "replica, plain cursor"),
        (Kind::ReplicaNaive, "replica, its snapshot taken at its word"),
    ] {
        let outcome = outcomes.get(&kind).copied().unwrap_or_default();
        let measure::Outcome { pages, rows, lost, doubled, healed } = outcome;
        println!("| {name} | {pages} | {rows} | {lost} | {doubled} | {healed} |");
    }
    Ok(())
}
