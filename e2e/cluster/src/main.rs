//! Several nodes behind one address, on real log stores.
//!
//! `demo` serves the demo from them. `kill` ends nodes, writers and servers again and again, and compares what pages show
//! with what the database has. `node` and `writer` are the parts that `kill` starts.
//!
//! All of it is on loopback, and ends with this process.

mod demo;
mod front;
mod kill;
mod node;
mod request;
mod store;
mod writer;

use anyhow::{Result, bail};
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(name = "forebay-cluster", about = "Several nodes behind one address")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Serve the demo from several nodes
    Demo(demo::Options),
    /// Kill nodes, writers and servers under open pages
    Kill(kill::Options),
    /// One node of `kill`
    Node(node::Options),
    /// The writer of `kill`
    Writer(writer::Options),
}

#[tokio::main]
async fn main() -> Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let filter = filter.unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match Arguments::parse().task {
        Task::Demo(options) => until_ended(demo::run(options)).await,
        Task::Kill(options) => until_ended(kill::run(options)).await,
        Task::Node(options) => node::run(options).await,
        Task::Writer(options) => writer::run(options).await,
    }
}

/// Drops what runs when it is asked to end, and with it servers, pages and folders.
async fn until_ended(task: impl Future<Output = Result<()>>) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = task => result,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminate.recv() => bail!("terminated"),
    }
}

#[expect(clippy::print_stdout, reason = "what people and scripts wait for")]
fn say(line: impl std::fmt::Display) {
    println!("{line}");
}
