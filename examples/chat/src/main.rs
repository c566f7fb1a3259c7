//! Forebay's demo: rooms with messages, and a board. Everything on every page is live.
//!
//! Begin with `messages.rs`, which has one of everything; `app.rs` lists the routes.

mod app;
mod board;
mod database;
mod errors;
mod log;
mod messages;
mod moment;
mod rooms;
mod statistics;
mod tunnel;
mod viewer;
mod visitors;
mod watchers;
#[cfg(test)]
mod wiring;

use std::io::{ErrorKind, IsTerminal as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use forebay::Forebay;
use forebay::outbox::Outbox;
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};

/// What `npm run build` makes of `assets/`.
const PUBLIC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/public");

/// Forebay's demo: a chat and a board.
#[derive(Parser)]
#[command(name = "forebay-chat")]
struct Arguments {
    /// The port to serve on; 0 takes any free one
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The SQLite file to keep everything in; without it, memory
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Where the log is, `folder:PATH` or a URL; without it, memory
    #[arg(long, value_name = "URL")]
    log: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| "info".into()))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    match serve(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> anyhow::Result<()> {
    anyhow::ensure!(
        Path::new(PUBLIC).join("app.js").exists(),
        "{PUBLIC}/app.js is missing: `cargo xtask demo` builds it, and then serves the demo"
    );
    let listener = listen(arguments.port)?;
    let pool = database::open(arguments.database.as_deref()).await?;
    let outbox = Outbox::open(&pool).await?;
    let builder = Forebay::builder().app("chat").secret(secret()?).outbox(outbox);
    let builder = builder.presence(visitors::presence()).presence(watchers::presence());
    let forebay = log::build(builder, arguments.log.as_deref()).await?;
    let target = listener.local_addr()?;
    // Whoever starts several nodes says where the tunnel's buttons reach it.
    let cluster = std::env::var("CHAT_CLUSTER").ok();
    let tunnel = tunnel::Tunnel::open(forebay.clone(), pool.clone(), target, cluster).await?;
    let app = app::router(pool, &forebay, tunnel, Path::new(PUBLIC));

    announce(&format!("ready http://{}", listener.local_addr()?));
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            asked_to_end().await;
            // axum sees only HTTP end; the pages' sockets are Forebay's.
            forebay.shut_down(Duration::ZERO).await;
        })
        .await?;
    Ok(())
}

fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let listen = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
        // All pages that were cut come back at once; `TcpListener::bind` lets only 128 wait.
        socket.listen(4096)
    };
    listen().map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow::anyhow!("port {port} is taken: choose another with --port"),
        _ => anyhow::Error::new(error).context(format!("cannot listen on port {port}")),
    })
}

/// Signs the names of streams and the pages' cursors: whoever has it can listen to everything.
fn secret() -> anyhow::Result<Vec<u8>> {
    if let Ok(secret) = std::env::var("SECRET_KEY_BASE") {
        return Ok(secret.into_bytes());
    }
    tracing::info!("no SECRET_KEY_BASE: a random secret, so pages don't survive a restart");
    let mut secret = vec![0; 64];
    getrandom::fill(&mut secret).context("no random numbers")?;
    Ok(secret)
}

#[expect(clippy::print_stdout, reason = "what scripts wait for")]
fn announce(line: &str) {
    println!("{line}");
}

async fn asked_to_end() {
    let mut terminate = signal(SignalKind::terminate()).expect("a signal that exists");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
