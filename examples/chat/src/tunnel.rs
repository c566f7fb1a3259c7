//! The tunnel: one page with Action Cable as it is, one with Forebay, the same events, and a line
//! between them and the server that can be broken in several ways.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use forebay::turbo::StreamSource;
use forebay::{Forebay, Html, Turbo, TurboStream};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::errors::Failure;

const STREAM: &str = "tunnel";

/// Five a second for a minute: long enough to try everything, and then it ends by itself.
const EVENTS: u64 = 300;
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
    faults: watch::Sender<Faults>,
    address: SocketAddr,
    published: AtomicU64,
    is_publishing: AtomicBool,
}

impl Tunnel {
    /// Begins to carry connections to the server at `target`.
    pub(crate) async fn open(forebay: Forebay, target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let faults = watch::Sender::new(Faults::default());
        let watching = faults.clone();
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, target, watching.subscribe()));
            }
        });
        let (published, is_publishing) = (AtomicU64::new(0), AtomicBool::new(false));
        Ok(Self(Arc::new(Inner { forebay, faults, address, published, is_publishing })))
    }

    /// The numbers from one on, each an event.
    async fn publish(&self) {
        let Inner { forebay, published, is_publishing, .. } = &*self.0;
        if is_publishing.swap(true, Ordering::AcqRel) {
            return;
        }
        for number in 1..=EVENTS {
            let row = Html::raw(format!("<li data-number=\"{number}\">{number}</li>"));
            let event = TurboStream::append("events").html(row);
            if let Err(error) = forebay.broadcast().stream_to(STREAM, event).await {
                tracing::error!(%error, "event not sent");
            }
            published.store(number, Ordering::Release);
            tokio::time::sleep(PAUSE).await;
        }
        is_publishing.store(false, Ordering::Release);
    }
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
}

pub(crate) async fn show(State(tunnel): State<Tunnel>, turbo: Turbo) -> Result<Response, Failure> {
    Ok(turbo.page(&Show { line: format!("http://{}", tunnel.0.address) })?)
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
}

/// One pane. The plain one has a tag as turbo-rails makes it, which says nothing of where it stands.
pub(crate) async fn pane(
    State(tunnel): State<Tunnel>,
    turbo: Turbo,
    Query(asked): Query<Pane>,
) -> Result<Response, Failure> {
    let forebay = &tunnel.0.forebay;
    let page = match asked.client {
        Client::Forebay => {
            PanePage { script: "tunnel-forebay.js", source: turbo.stream_from(STREAM)? }
        }
        Client::Plain => {
            let signed = forebay.sign(&forebay.stream_name(STREAM)?);
            PanePage { script: "tunnel-plain.js", source: StreamSource::new(signed) }
        }
    };
    Ok(turbo.page(&page)?)
}

/// Begins to publish, unless it does.
pub(crate) async fn start(State(tunnel): State<Tunnel>) -> StatusCode {
    if !tunnel.0.is_publishing.load(Ordering::Acquire) {
        tunnel.0.published.store(0, Ordering::Release);
        tokio::spawn(async move { tunnel.publish().await });
    }
    StatusCode::NO_CONTENT
}

/// The number that was published last.
pub(crate) async fn published(State(tunnel): State<Tunnel>) -> String {
    tunnel.0.published.load(Ordering::Acquire).to_string()
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
