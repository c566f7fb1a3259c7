//! What the buttons of the tunnel ask for: `POST /cluster/SECRET/WHAT`, answered by the front itself, so that it works
//! while no node does.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Result;
use forebay_rig::{Port, Program, Server};
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::Node;
use crate::front::{Answer, Nodes, Own, text};
use crate::request::ask;
use crate::store::Store;

/// Five a second for a minute, as in the demo of one node.
const EVENTS: u32 = 300;
const PAUSE: Duration = Duration::from_millis(200);

/// The store and the nodes, as the buttons reach them.
pub(super) struct Control {
    /// What its address begins with.
    path: String,
    store: Store,
    ready: Arc<Nodes>,
    started: OnceLock<(Vec<Node>, SocketAddr)>,
    is_publishing: AtomicBool,
}

impl Control {
    pub(super) fn new(secret: &str, store: Store, ready: Arc<Nodes>) -> Self {
        // A part of the secret is enough to be unknown, and does not give the rest away.
        let path = format!("/cluster/{}/", &secret[..16]);
        let (started, is_publishing) = (OnceLock::new(), AtomicBool::new(false));
        Self { path, store, ready, started, is_publishing }
    }

    /// Starts a node on each of these ports.
    pub(super) fn start_nodes(
        &self,
        ports: Vec<Port>,
        chat: &Path,
        secret: &str,
        front: SocketAddr,
    ) -> Result<()> {
        let start = |(index, port): (usize, Port)| {
            let database = self.store.database_file();
            let mut program = Program::new(chat, "ready http")
                .variable("SECRET_KEY_BASE", secret)
                .variable("CHAT_CLUSTER", &self.path)
                .arguments(["--database", &database]);
            if let Some(log) = self.store.log_url(index) {
                program = program.arguments(["--log", &log]);
            }
            Node::start(port, program)
        };
        let nodes = ports.into_iter().enumerate().map(start).collect::<Result<Vec<_>>>()?;
        drop(self.started.set((nodes, front)));
        Ok(())
    }

    fn nodes(&self) -> &[Node] {
        self.started.get().map_or(&[], |(nodes, _)| nodes)
    }

    fn state(&self) -> Answer {
        let ready = self.ready.ready();
        let state = |(node, is_ready): (&Node, bool)| match (node.process.runs(), is_ready) {
            (true, true) => "ready",
            (true, false) => "not ready",
            (false, _) => "dead",
        };
        let nodes: Vec<_> = self.nodes().iter().zip(ready).map(state).collect();
        let store = self
            .store
            .server()
            .map(|server| if server.process().runs() { "running" } else { "dead" });
        text(StatusCode::OK, json!({ "nodes": nodes, "store": store }).to_string())
    }

    /// Does what a button says: `kill-store`, `restart-store`, `kill-0`, `restart-0`, …
    fn act(&self, what: &str) -> Result<bool> {
        let Some((verb, whom)) = what.split_once('-') else { return Ok(false) };
        let process = match whom {
            "store" => self.store.server().map(Server::process),
            index => index
                .parse()
                .ok()
                .and_then(|index: usize| self.nodes().get(index).map(|node| &node.process)),
        };
        match (verb, process) {
            ("kill", Some(process)) => process.kill()?,
            ("stop", Some(process)) => process.stop()?,
            // Whoever asks twice restarts it twice, which does no harm.
            ("restart", Some(process)) => process.restart()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Has a node take each number, and asks again until one has: a number is taken once.
    async fn publish(&self) {
        let Some((_, front)) = self.started.get() else { return };
        if self.is_publishing.swap(true, Ordering::AcqRel) {
            return;
        }
        for number in 1..=EVENTS {
            // The front waits for a node, so this does not spin.
            let path = format!("/tunnel/events/{number}");
            while !ask(*front, "POST", &path).await.is_ok_and(|answer| answer.status == 204) {
                tokio::time::sleep(PAUSE).await;
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.is_publishing.store(false, Ordering::Release);
    }
}

impl Own for Control {
    async fn answer(self: Arc<Self>, request: &Request<Incoming>) -> Option<Answer> {
        let what = request.uri().path().strip_prefix(&self.path)?.to_owned();
        if request.method() == Method::GET && what == "state" {
            return Some(self.state());
        }
        if request.method() != Method::POST {
            return Some(text(StatusCode::METHOD_NOT_ALLOWED, ""));
        }
        if what == "reset" {
            let is_publishing = self.is_publishing.load(Ordering::Acquire);
            if let (false, Some((_, front))) = (is_publishing, self.started.get()) {
                // Without a node nothing is reset, which shows.
                drop(ask(*front, "POST", "/tunnel/reset").await);
            }
            return Some(text(StatusCode::NO_CONTENT, ""));
        }
        if what == "start" {
            tokio::spawn(async move { self.publish().await });
            return Some(text(StatusCode::NO_CONTENT, ""));
        }
        // Ending and starting a server takes a while, and its time must not be the runtime's.
        let done = spawn_blocking(move || self.act(&what)).await;
        Some(match done {
            Ok(Ok(true)) => text(StatusCode::NO_CONTENT, ""),
            Ok(Ok(false)) => text(StatusCode::NOT_FOUND, ""),
            Ok(Err(error)) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        })
    }
}
