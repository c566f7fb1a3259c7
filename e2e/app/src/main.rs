//! The application under test in the browser: an ordinary axum app on SQLite, with the stock
//! `@hotwired/turbo-rails` client, whose handlers can be stopped at named gates.
//!
//! Prints `ready URL` when it serves. Reads `FOREBAY_E2E_ASSETS` (a folder of bundles),
//! `FOREBAY_E2E_ENTRIES_MAX` (history per stream), `FOREBAY_E2E_DATABASE` (a file; else memory),
//! `FOREBAY_E2E_LOG` (the log's folder or URL; else memory), `FOREBAY_E2E_SECRETS` (with commas between),
//! `FOREBAY_E2E_LISTENERS` (how many more addresses serve the same; each prints `listening URL`),
//! `FOREBAY_E2E_NEST` (the path that everything is nested under), `FOREBAY_E2E_BASE` (the path that browsers
//! know that by, if a proxy gives it another), `FOREBAY_E2E_PUBLIC_URL` (for the builder),
//! `FOREBAY_E2E_ORIGINS` (whose pages may connect, with commas between, or `*`), `FOREBAY_E2E_PRESENCE` (how
//! long members stay, see [`here::options`]) and `FOREBAY_E2E_ANYCABLE` (AnyCable's clients may be present as
//! anybody; `html`: with HTML of their own).

mod access;
mod controls;
mod gates;
mod here;
mod messages;
mod pages;
mod sabotage;

use std::future::IntoFuture as _;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::http::request::Parts;
use axum::routing::{get, post, put};
use forebay::channel::{Channel, ClientsChoose, Context, Params, Rejection};
use forebay::{Builder, Forebay, Fsync, Limits, Origins, Retention, stores};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{ConnectOptions as _, SqliteConnection, SqlitePool};
use tower_http::services::ServeDir;

use crate::access::Access;
use crate::gates::Gates;

/// Known to the tests, which sign with it.
const SECRET: &str = "a secret of the browser tests only";

#[derive(Clone)]
struct App {
    pool: SqlitePool,
    gates: Gates,
    access: Access,
    forebay: Forebay,
    /// What the paths in pages begin with.
    base: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| "info,forebay=debug,forebay_transport=debug".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();

    let gates = Gates::default();
    let entries_max = match std::env::var("FOREBAY_E2E_ENTRIES_MAX") {
        Ok(text) => text.parse().context("FOREBAY_E2E_ENTRIES_MAX")?,
        Err(_) => Retention::default().entries_max,
    };
    let channel_gates = gates.clone();
    let access = Access::new(gates.clone());
    let identity = access.clone();
    let secrets = std::env::var("FOREBAY_E2E_SECRETS").unwrap_or_else(|_| SECRET.to_owned());
    let mut builder = secrets.split(',').fold(Forebay::builder(), Builder::secret);
    let log = std::env::var("FOREBAY_E2E_LOG").ok();
    let (url, folder) = match log {
        Some(log) if log.contains("://") => (Some(log), None),
        log => (None, log),
    };
    if let Some(folder) = folder {
        builder = builder.file_log(folder, Fsync::Os);
    }
    if let Ok(url) = std::env::var("FOREBAY_E2E_PUBLIC_URL") {
        builder = builder.public_url(url);
    }
    if let Ok(origins) = std::env::var("FOREBAY_E2E_ORIGINS") {
        let named = || origins.split(',').try_fold(Origins::same(), Origins::and);
        builder = builder.origins(if origins == "*" { Origins::any() } else { named()? });
    }
    if let Ok(html) = std::env::var("FOREBAY_E2E_ANYCABLE") {
        builder = builder
            .presence_streams("*")
            .presence_clients_choose(ClientsChoose::Id)
            .presence_client_html(html == "html");
    }
    let nest = std::env::var("FOREBAY_E2E_NEST").unwrap_or_default();
    let base = std::env::var("FOREBAY_E2E_BASE").unwrap_or_else(|_| nest.clone());
    let builder = builder
        .app("chat")
        .retention(Retention::default().entries_max(entries_max))
        .limits(Limits::default())
        .presence(here::presence())
        .presence_options(here::options()?)
        .public_streams("public/*")
        .connect(move |parts: &Parts| identity.clone().identify(access::visitor(&parts.headers)))
        .channel("GatedChannel", move |_: &Params| GatedChannel { gates: channel_gates.clone() })
        .channel("EchoChannel", |_: &Params| EchoChannel);
    let forebay = match url {
        Some(url) => builder.follow(stores::open(&url).await?).await?,
        None => builder.build()?,
    };
    let (pool, _kept) = database().await?;
    let app = App { pool, gates, access, forebay: forebay.clone(), base };
    let assets = std::env::var("FOREBAY_E2E_ASSETS").unwrap_or_else(|_| "e2e/dist".to_owned());
    let router = Router::new()
        .route("/rooms/{id}", get(pages::room))
        .route("/rooms/{id}/messages", post(messages::create))
        .route("/rooms/{id}/count", get(pages::count))
        .route("/messages/{id}", put(messages::update).delete(messages::destroy))
        .route("/here/{id}", get(here::show))
        .route("/here/{id}/typing", post(here::typing))
        .route("/here/{id}/refresh", post(here::refresh))
        .route("/blank", get(pages::blank))
        .route("/planted/{id}", get(pages::planted))
        .route("/logout", post(access::log_out))
        .nest("/test", controls::routes())
        .route("/cable-detached", get(sabotage::detached_history))
        .nest_service("/assets", ServeDir::new(assets))
        .merge(forebay.routes())
        .layer(forebay.layer())
        .with_state(app);
    let router = if nest.is_empty() { router } else { Router::new().nest(&nest, router) };

    let more = std::env::var("FOREBAY_E2E_LISTENERS").map_or(Ok(0), |text| text.parse());
    for _ in 0..more.context("FOREBAY_E2E_LISTENERS")? {
        let listener = listen().await?;
        announce(&format!("listening http://{}{nest}", listener.local_addr()?));
        tokio::spawn(axum::serve(listener, router.clone()).into_future());
    }
    let listener = listen().await?;
    announce(&format!("ready http://{}{nest}", listener.local_addr()?));
    let serve = axum::serve(listener, router).with_graceful_shutdown(async move {
        terminated().await;
        forebay.shut_down(Duration::ZERO).await;
    });
    serve.await?;
    Ok(())
}

async fn listen() -> std::io::Result<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind("127.0.0.1:0").await
}

#[expect(clippy::print_stdout, reason = "what the test harness waits for")]
fn announce(line: &str) {
    println!("{line}");
}

async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    if let Ok(mut term) = signal(SignalKind::terminate()) {
        term.recv().await;
    }
}

/// The pool, and a connection to keep: a database in memory lives as long as somebody has it open,
/// and a request that is aborted in the middle of a query takes its own connection with it.
async fn database() -> anyhow::Result<(SqlitePool, SqliteConnection)> {
    let file = std::env::var("FOREBAY_E2E_DATABASE");
    let url = file.map_or("sqlite::memory:".to_owned(), |file| format!("sqlite:{file}?mode=rwc"));
    let options: SqliteConnectOptions = url.parse()?;
    let mut kept = options.connect().await?;
    sqlx::query(
        "create table if not exists messages \
         (id integer primary key autoincrement, room integer not null, body text not null)",
    )
    .execute(&mut kept)
    .await?;
    // One connection: the tables of a shared database in memory are locked, not waited for.
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    Ok((pool, kept))
}

/// As `Turbo::StreamsChannel`, but it takes as long to decide as the test wants.
struct GatedChannel {
    gates: Gates,
}

impl Channel for GatedChannel {
    async fn subscribed(&mut self, cx: &mut Context) -> Result<(), Rejection> {
        let name = cx.verified_stream().ok_or(Rejection)?;
        self.gates.pass("subscribe").await;
        cx.follow(&name);
        Ok(())
    }
}

/// Says back what it hears.
struct EchoChannel;

impl Channel for EchoChannel {
    async fn subscribed(&mut self, _: &mut Context) -> Result<(), Rejection> {
        Ok(())
    }

    async fn received(
        &mut self,
        cx: &mut Context,
        action: &str,
        data: serde_json::Map<String, serde_json::Value>,
    ) {
        cx.transmit(&serde_json::json!({ "action": action, "data": data }));
    }
}
