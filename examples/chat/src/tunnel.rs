//! The tunnel: one page with Action Cable as it is, one with Forebay, the same events, and a line
//! between them and the server that can be broken in several ways. Behind `cargo xtask demo --nodes` it is
//! the nodes that break, and their log: whoever started them does that, and sends the events.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use forebay::turbo::StreamSource;
use forebay::{Forebay, Html, Turbo, TurboStream};
use serde::Deserialize;
use sqlx::SqlitePool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::errors::Failure;

const STREAM: &str = "tunnel";

/// Five a second for a minute: long enough to try everything, and then it ends by itself.
const EVENTS: u32 = 300;
const PAUSE: Duration = Duration::from_millis(200);

/// What is wrong with the line.
#[derive(Clone, Copy, Default)]
struct Faults {
    /// How often everything was cut.
    cuts: u64,
    /// Nothing passes, and nobody is told.
    is_silent: bool,
    /// Nothing is connected, and nothing can be.
    is_offline: bool,
    /// No WebSocket passes.
    refuses_websockets: bool,
}

/// The line, and what is sent over it.
#[derive(Clone)]
pub(crate) struct Tunnel(Arc<Inner>);

struct Inner {
    forebay: Forebay,
    pool: SqlitePool,
    faults: watch::Sender<Faults>,
    address: SocketAddr,
    is_publishing: AtomicBool,
    /// What the buttons that end nodes ask, if there are several.
    cluster: Option<String>,
}

impl Tunnel {
    /// Begins to carry connections to the server at `target`.
    pub(crate) async fn open(
        forebay: Forebay,
        pool: SqlitePool,
        target: SocketAddr,
        cluster: Option<String>,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let faults = watch::Sender::new(Faults::default());
        let watching = faults.clone();
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, target, watching.subscribe()));
            }
        });
        let is_publishing = AtomicBool::new(false);
        let inner = Inner { forebay, pool, faults, address, is_publishing, cluster };
        Ok(Self(Arc::new(inner)))
    }

    /// The numbers from one on, each an event.
    async fn publish_all(&self) {
        if self.0.is_publishing.swap(true, Ordering::AcqRel) {
            return;
        }
        for number in 1..=EVENTS {
            if let Err(error) = self.publish(number).await {
                tracing::error!(%error, "event not sent");
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.0.is_publishing.store(false, Ordering::Release);
    }

    /// One number, unless it is there: who was not answered may ask again.
    async fn publish(&self, number: u32) -> anyhow::Result<()> {
        let mut transaction = self.0.forebay.begin(&self.0.pool).await?;
        let insert = sqlx::query("insert or ignore into events (number) values (?)").bind(number);
        if insert.execute(&mut *transaction).await?.rows_affected() == 1 {
            let event = TurboStream::append("events").html(row(number));
            transaction.broadcast().stream_to(STREAM, event).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn numbers(&self) -> sqlx::Result<Vec<u32>> {
        let select = "select number from events order by number";
        sqlx::query_scalar(select).fetch_all(&self.0.pool).await
    }
}

fn row(number: u32) -> Html {
    Html::raw(format!("<li id=\"event_{number}\" data-number=\"{number}\">{number}</li>"))
}

/// One connection through the tunnel, until the line is cut or one side has ended.
async fn carry(mut client: TcpStream, target: SocketAddr, mut faults: watch::Receiver<Faults>) {
    let begun = *faults.borrow_and_update();
    let mut head = vec![0; 16 << 10];
    if begun.is_offline {
        return;
    }
    let Ok(length) = client.read(&mut head).await else { return };
    head.truncate(length);
    let upgrades =
        String::from_utf8_lossy(&head).to_ascii_lowercase().contains("upgrade: websocket");
    if upgrades && begun.refuses_websockets {
        let _ = client.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await;
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    if server.write_all(&head).await.is_err() {
        return;
    }
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let broken = async |mut faults: watch::Receiver<Faults>| {
        let ends = |now: &Faults| {
            now.cuts != begun.cuts || now.is_offline || (upgrades && now.refuses_websockets)
        };
        let _ = faults.wait_for(ends).await;
    };
    tokio::select! {
        () = pump(&mut from_client, &mut to_server, faults.clone()) => {}
        () = pump(&mut from_server, &mut to_client, faults.clone()) => {}
        () = broken(faults.clone()) => {}
    }
}

/// Passes bytes on for as long as the line does.
async fn pump(
    from: &mut (impl tokio::io::AsyncRead + Unpin),
    to: &mut (impl tokio::io::AsyncWrite + Unpin),
    mut faults: watch::Receiver<Faults>,
) {
    let mut bytes = vec![0; 16 << 10];
    loop {
        let Ok(length @ 1..) = from.read(&mut bytes).await else { return };
        if faults.wait_for(|faults| !faults.is_silent).await.is_err()
            || to.write_all(&bytes[..length]).await.is_err()
        {
            return;
        }
    }
}

#[derive(Template)]
#[template(path = "tunnel/show.html")]
struct Show {
    line: String,
    cluster: Option<String>,
}

pub(crate) async fn show(State(tunnel): State<Tunnel>, turbo: Turbo) -> Result<Response, Failure> {
    let Inner { address, cluster, .. } = &*tunnel.0;
    // A node's line would end with the node.
    let line = if cluster.is_some() { String::new() } else { format!("http://{address}") };
    Ok(turbo.page(&Show { line, cluster: cluster.clone() })?)
}

#[derive(Deserialize)]
pub(crate) struct Pane {
    client: Client,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Client {
    Plain,
    Forebay,
}

#[derive(Template)]
#[template(path = "tunnel/pane.html")]
struct PanePage {
    script: &'static str,
    source: StreamSource,
    /// What was sent before: a page that lacks something loads itself again.
    events: Vec<Html>,
}

/// One pane. The plain one has a tag as turbo-rails makes it, which says nothing of where it stands.
pub(crate) async fn pane(
    State(tunnel): State<Tunnel>,
    turbo: Turbo,
    Query(asked): Query<Pane>,
) -> Result<Response, Failure> {
    let forebay = &tunnel.0.forebay;
    let events = tunnel.numbers().await?.into_iter().map(row).collect();
    let (script, source) = match asked.client {
        Client::Forebay => ("tunnel-forebay.js", turbo.stream_from(STREAM)?),
        Client::Plain => {
            let signed = forebay.sign(&forebay.stream_name(STREAM)?);
            ("tunnel-plain.js", StreamSource::new(signed))
        }
    };
    Ok(turbo.page(&PanePage { script, source, events })?)
}

/// Forgets what was sent, unless more is on its way.
pub(crate) async fn reset(State(tunnel): State<Tunnel>) -> Result<StatusCode, Failure> {
    if !tunnel.0.is_publishing.load(Ordering::Acquire) {
        sqlx::query("delete from events").execute(&tunnel.0.pool).await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Begins to publish, unless it does.
pub(crate) async fn start(State(tunnel): State<Tunnel>) -> StatusCode {
    tokio::spawn(async move { tunnel.publish_all().await });
    StatusCode::NO_CONTENT
}

/// One number, for whoever sends them to several nodes.
pub(crate) async fn publish(
    State(tunnel): State<Tunnel>,
    Path(number): Path<u32>,
) -> Result<StatusCode, Failure> {
    tunnel.publish(number).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The number that was sent last.
pub(crate) async fn published(State(tunnel): State<Tunnel>) -> Result<String, Failure> {
    let numbers = tunnel.numbers().await?;
    Ok(numbers.last().copied().unwrap_or(0).to_string())
}

/// Breaks the line, or heals it.
pub(crate) async fn fault(State(tunnel): State<Tunnel>, Path(fault): Path<String>) -> StatusCode {
    let mut is_known = true;
    tunnel.0.faults.send_modify(|faults| match fault.as_str() {
        "cut" => faults.cuts += 1,
        "silence" => faults.is_silent = true,
        "offline" => faults.is_offline = true,
        "no-websockets" => faults.refuses_websockets = true,
        "heal" => *faults = Faults { cuts: faults.cuts, ..Faults::default() },
        _ => is_known = false,
    });
    if is_known { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}
