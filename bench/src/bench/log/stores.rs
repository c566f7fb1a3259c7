//! The servers that keep a log for several nodes, and nodes that follow it.

use std::sync::Arc;

use anyhow::Result;
use forebay_hub::{Hub, LogStore, Options};
use forebay_rig::{Build, Nats, Postgres, Redis, Server};
use forebay_shared::{Backend, SharedLog};

/// A kind of store.
#[derive(Clone, Copy)]
pub(super) struct Store {
    /// Its name in every report.
    pub(super) name: &'static str,
    pub(super) start: fn() -> Result<Box<dyn Server>>,
    /// The log of this name on this server.
    url: fn(&str, &str) -> String,
}

/// As Debian has them, with what they sync by default; but Redis keeps an append-only file.
pub(super) const STORES: [Store; 3] = [
    Store {
        name: "log_redis",
        start: || Ok(Box::new(Redis::options().configure("appendonly yes").start()?)),
        url: |server, name| format!("{server}?name={name}"),
    },
    Store {
        name: "log_nats",
        start: || {
            // Each stream has its bytes to itself.
            let options = Nats::options(Build::Installed).store_bytes_max(8 << 30);
            Ok(Box::new(options.start()?))
        },
        url: |server, name| format!("{server}/{name}"),
    },
    Store {
        name: "log_postgres",
        start: || Ok(Box::new(Postgres::options().start()?)),
        url: |server, name| format!("{server}?name={name}"),
    },
];

/// So many nodes that share a log of their own.
pub(super) async fn nodes(store: Store, server: &str, count: usize) -> Result<Vec<Hub>> {
    let url = (store.url)(server, &format!("bench{count}"));
    let mut nodes = Vec::new();
    for _ in 0..count {
        let log = match store.name {
            "log_redis" => open(forebay_redis::Redis::new(forebay_redis::Options::from_url(&url)?)),
            "log_nats" => open(forebay_nats::Nats::new(forebay_nats::Options::from_url(&url)?)),
            _ => open(forebay_postgres::Postgres::from_url(&url)?),
        };
        nodes.push(Hub::follow(Options::default(), log.await?).await?);
    }
    Ok(nodes)
}

type Opening = std::pin::Pin<Box<dyn Future<Output = Result<Arc<dyn LogStore>>>>>;

fn open(backend: impl Backend) -> Opening {
    Box::pin(async move {
        let log = SharedLog::open(backend, forebay_shared::Options::default()).await?;
        Ok(Arc::new(log) as Arc<dyn LogStore>)
    })
}
