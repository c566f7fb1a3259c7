//! One node of the kill loop: an ordinary app, whose page has all rows.

mod database;
mod log;

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use clap::Args;
use forebay::turbo::StreamSource;
use forebay::{Forebay, Streamable, Turbo};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tower_http::services::ServeDir;

pub(crate) use self::database::{COMMIT, Database};

const STREAM: &str = "rows";

#[derive(Args)]
pub(crate) struct Options {
    /// The port to serve on
    #[arg(long)]
    port: u16,
    /// Where the rows are
    #[arg(long)]
    database: String,
    /// Where the log is; without it, memory
    #[arg(long)]
    log: Option<String>,
    /// The folder with the bundles of the clients
    #[arg(long)]
    assets: String,
    /// Signs the pages' tags, the same at all nodes
    #[arg(long)]
    secret: String,
}

#[derive(Clone)]
struct Node {
    database: Database,
    forebay: Forebay,
}

/// A row, and by its name and template what is broadcast.
#[derive(Streamable, Template)]
#[template(source = r#"<li id="row_{{ id }}">{{ id }}</li>"#, ext = "html")]
pub(crate) struct Row {
    pub(crate) id: i64,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    let database = Database::open(&options.database).await?;
    let outbox = database.outbox().await?;
    let builder = Forebay::builder().app("kill").secret(&options.secret).outbox(outbox);
    let forebay = log::build(builder, options.log.as_deref()).await?;
    let node = Node { database, forebay: forebay.clone() };
    let router = Router::new()
        .route("/", get(page))
        .route("/rows", post(write))
        .route("/ready", get(ready))
        .route("/counters", get(async |State(node): State<Node>| Json(node.counters())))
        .route("/die", post(die))
        .nest_service("/assets", ServeDir::new(&options.assets))
        .merge(forebay.routes())
        .layer(forebay.layer())
        .with_state(node.clone());
    crate::say(format_args!("ready http://{}", listener.local_addr()?));
    let mut terminate = signal(SignalKind::terminate())?;
    let serve = axum::serve(listener, router).with_graceful_shutdown(async move {
        terminate.recv().await;
        forebay.shut_down(Duration::ZERO).await;
    });
    serve.await.context("serving")?;
    crate::say(format_args!("counters {}", node.counters()));
    Ok(())
}

impl Node {
    /// Why pages had to load themselves again, by what this process has told them.
    fn counters(&self) -> Value {
        let stats = self.forebay.stats();
        let reasons = stats.iter().filter(|(name, _)| name.starts_with("resyncs_"));
        reasons
            .map(|(name, count)| (name.to_owned(), json!(count)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// Any error is a 500 with its text.
struct Failure(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{:#}\n", self.0)).into_response()
    }
}

#[derive(Deserialize)]
struct Asked {
    /// `stock` or `forebay`.
    client: String,
}

#[derive(Template)]
#[template(path = "rows.html")]
struct Page {
    client: String,
    source: StreamSource,
    rows: Vec<Row>,
}

async fn page(
    State(node): State<Node>,
    Query(asked): Query<Asked>,
    turbo: Turbo,
) -> Result<Response, Failure> {
    let rows = node.database.rows().await?.into_iter().map(|id| Row { id }).collect();
    let source = turbo.stream_from(STREAM)?;
    Ok(turbo.page(&Page { client: asked.client, source, rows })?)
}

/// Two rows in one transaction.
async fn write(State(node): State<Node>) -> Result<StatusCode, Failure> {
    node.database.write(&node.forebay, |_| ()).await?;
    Ok(StatusCode::CREATED)
}

async fn ready(State(node): State<Node>) -> (StatusCode, String) {
    match node.forebay.behind() {
        None => (StatusCode::OK, String::new()),
        Some(behind) => (StatusCode::SERVICE_UNAVAILABLE, format!("{behind:?} behind the log\n")),
    }
}

/// `kill -9`, behind the last counters: those of a node that is killed from outside would be lost with it.
async fn die(State(node): State<Node>) {
    crate::say(format_args!("counters {}", node.counters()));
    kill_oneself()
}

/// What `kill -9` does, between two steps of ours.
pub(crate) fn kill_oneself() -> ! {
    let oneself = rustix::process::getpid();
    let killed = rustix::process::kill_process(oneself, rustix::process::Signal::KILL);
    unreachable!("still there after kill -9: {killed:?}");
}
