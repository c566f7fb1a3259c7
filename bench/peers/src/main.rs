//! Servers made of other libraries, each in the way that its documentation shows: one task and one
//! receiver of a broadcast channel per connection, messages shared as `Bytes`.
//!
//! `POST /_broadcast` takes payloads separated by line feeds, as the bench's floor does.

mod axum_ws;
mod fast;
mod http;
mod websockets;

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Result;
use bytes::Bytes;
use clap::{Parser, ValueEnum};
use tokio::net::TcpSocket;
use tokio::sync::broadcast;

#[derive(Parser)]
struct Arguments {
    library: Library,
    #[arg(long)]
    port: u16,
    /// What stands before each message, as Forebay would send it
    #[arg(long, default_value = "")]
    before: String,
    /// What stands behind it
    #[arg(long, default_value = "")]
    after: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Library {
    /// axum, reading a body and throwing it away
    Sink,
    /// axum's `ws`, as it is
    Axum,
    /// axum's `ws` with a read buffer of 4 KiB
    AxumTuned,
    TokioWebsockets,
    Fastwebsockets,
}

/// Everybody who is connected, and what each message is wrapped in.
pub(crate) struct Room {
    sender: broadcast::Sender<Bytes>,
    before: String,
    after: String,
}

impl Room {
    pub(crate) fn publish(&self, body: &[u8]) {
        for html in String::from_utf8_lossy(body).split('\n') {
            // JSON, as far as the bench's payloads need it.
            let html = html.replace('\\', "\\\\").replace('"', "\\\"");
            let text = format!("{}\"{html}\"{}", self.before, self.after);
            // Nobody may be there.
            let _ = self.sender.send(text.into());
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Bytes> {
        self.sender.subscribe()
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { library, port, before, after } = Arguments::parse();
    // `TcpListener::bind` has a backlog of 128; all other servers listen with 4096.
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    let listener = socket.listen(4096)?;
    let room = Arc::new(Room { sender: broadcast::channel(1024).0, before, after });
    match library {
        Library::Sink => axum_ws::sink(listener).await,
        Library::Axum => axum_ws::serve(listener, room, None).await,
        Library::AxumTuned => axum_ws::serve(listener, room, Some(4096)).await,
        Library::TokioWebsockets => http::serve(listener, room, websockets::upgrade).await,
        Library::Fastwebsockets => http::serve(listener, room, fast::upgrade).await,
    }
}
