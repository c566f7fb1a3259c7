//! The log store and the database of a cluster, and what can be done to them.

mod watched;

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use clap::ValueEnum;
use forebay_rig::{Build, Nats, Postgres, Proxy, Redis, Server};
use tempfile::TempDir;

use self::watched::Watched;

/// Where the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// In the node's memory: one node
    Memory,
    /// In a folder: one node
    Folder,
    /// Redis Streams, of Debian's redis-server
    Redis,
    /// The same, with a replica, and a Sentinel that nodes ask which of them has the log
    RedisSentinel,
    /// `JetStream`, of Debian's nats-server
    Nats,
    /// `JetStream`, of the newest nats-server
    NatsNewest,
    /// Postgres, where the rows are, too
    Postgres,
}

/// Where the rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rows {
    /// In a file of `SQLite`'s, which all nodes share
    Sqlite,
    /// In Postgres: the one that has the log, or one of their own
    Postgres,
}

impl Kind {
    /// How many nodes can have such a log, if it is not said.
    pub(crate) fn nodes(self) -> usize {
        if matches!(self, Self::Memory | Self::Folder) { 1 } else { 3 }
    }
}

/// The servers, with a proxy in front of them for each node.
pub(crate) struct Store {
    servers: Servers,
    links: Vec<Proxy>,
    /// The rows' own server, if they have one.
    rows: Option<Postgres>,
    folder: TempDir,
}

enum Servers {
    Memory,
    Folder,
    Redis(Box<Pair>),
    Watched(Box<Watched>),
    Nats(Nats),
    Postgres(Postgres),
}

/// A primary and its replica. They change places.
struct Pair {
    servers: [Redis; 2],
    /// What the replica follows, wherever the primary is.
    link: Proxy,
    second_leads: AtomicBool,
}

impl Store {
    /// Starts them.
    pub(crate) fn start(kind: Kind, rows: Option<Rows>, nodes: usize) -> Result<Self> {
        if matches!(kind, Kind::Memory | Kind::Folder) && nodes != 1 {
            bail!("a log in memory or in a folder is one node's: say --nodes 1");
        }
        let servers = match kind {
            Kind::Memory => Servers::Memory,
            Kind::Folder => Servers::Folder,
            Kind::Redis => Servers::Redis(Box::new(Pair::start()?)),
            Kind::RedisSentinel => Servers::Watched(Box::new(Watched::start()?)),
            Kind::Nats => Servers::Nats(Nats::options(Build::Installed).start()?),
            Kind::NatsNewest => Servers::Nats(Nats::options(Build::Newest).start()?),
            Kind::Postgres => Servers::Postgres(Postgres::options().start()?),
        };
        let folder = tempfile::Builder::new().prefix("forebay-cluster-").tempdir()?;
        let rows = match (rows, &servers) {
            (Some(Rows::Sqlite), Servers::Postgres(_)) => {
                bail!("with this log the rows are in Postgres")
            }
            (Some(Rows::Postgres), Servers::Postgres(_)) | (Some(Rows::Sqlite) | None, _) => None,
            (Some(Rows::Postgres), _) => Some(Postgres::options().start()?),
        };
        let mut store = Self { servers, links: Vec::new(), rows, folder };
        // A Sentinel names the servers themselves.
        let is_linked = !matches!(store.servers, Servers::Watched(_));
        if let Some(address) = store.server().map(Server::address).filter(|_| is_linked) {
            store.links = (0..nodes).map(|_| Proxy::start(address)).collect::<Result<_, _>>()?;
        }
        Ok(store)
    }

    /// The log for this node; none if it is in its memory.
    pub(crate) fn log_url(&self, node: usize) -> Option<String> {
        match &self.servers {
            Servers::Memory => None,
            Servers::Folder => Some(format!("folder:{}", self.folder.path().join("log").display())),
            Servers::Watched(watched) => Some(watched.url()),
            _ => self.url_at_link(node),
        }
    }

    /// A file for a database of `SQLite`.
    pub(crate) fn database_file(&self) -> String {
        self.folder.path().join("rows.sqlite").display().to_string()
    }

    /// The database for this node.
    pub(crate) fn database_url(&self, node: usize) -> String {
        match (&self.servers, &self.rows) {
            (Servers::Postgres(_), _) => self.url_at_link(node).unwrap_or_default(),
            (_, Some(rows)) => rows.url(),
            _ => format!("sqlite:{}", self.database_file()),
        }
    }

    /// The rows' own server.
    pub(crate) fn rows(&self) -> Option<&Postgres> {
        self.rows.as_ref()
    }

    /// The database for who is not behind a link.
    pub(crate) fn own_database_url(&self) -> String {
        match &self.servers {
            Servers::Postgres(postgres) => postgres.url(),
            _ => self.database_url(0),
        }
    }

    /// The server that has the log now.
    pub(crate) fn server(&self) -> Option<&dyn Server> {
        match &self.servers {
            Servers::Memory | Servers::Folder => None,
            Servers::Redis(pair) => Some(pair.primary()),
            Servers::Watched(watched) => Some(watched.primary()),
            Servers::Nats(nats) => Some(nats),
            Servers::Postgres(postgres) => Some(postgres),
        }
    }

    /// Whether the server has a replica that can take its place.
    pub(crate) fn has_replica(&self) -> bool {
        matches!(self.servers, Servers::Redis(_) | Servers::Watched(_))
    }

    /// What is between a node and the server.
    pub(crate) fn link(&self, node: usize) -> Option<&Proxy> {
        self.links.get(node)
    }

    /// Keeps from the replica what is written from now on.
    pub(crate) fn hold_replica(&self) {
        if let Servers::Redis(pair) = &self.servers {
            pair.link.hold();
        }
    }

    /// Kills the primary and puts the replica in its place. The old one comes back as replica, and loses what only
    /// it has.
    pub(crate) fn fail_over(&self) -> Result<()> {
        let pair = match &self.servers {
            Servers::Redis(pair) => pair,
            Servers::Watched(watched) => return watched.fail_over(),
            _ => return Ok(()),
        };
        pair.primary().kill()?;
        let leads = !pair.second_leads.load(Ordering::SeqCst);
        pair.second_leads.store(leads, Ordering::SeqCst);
        pair.primary().command(&["replicaof", "no", "one"])?;
        let address = pair.primary().address();
        pair.link.lead_to(address);
        pair.link.cut();
        pair.link.open();
        for link in &self.links {
            link.lead_to(address);
            link.cut();
        }
        let replica = pair.replica();
        replica.restart()?;
        pair.follow(replica)
    }

    fn url_at_link(&self, node: usize) -> Option<String> {
        Some(self.server()?.url_at(self.links.get(node)?.address()))
    }
}

impl Pair {
    fn start() -> Result<Self> {
        let start =
            || Redis::options().append_only().configure("repl-diskless-sync-delay 0").start();
        let servers = [start()?, start()?];
        let link = Proxy::start(servers[0].address())?;
        let pair = Self { servers, link, second_leads: AtomicBool::new(false) };
        pair.follow(pair.replica())?;
        Ok(pair)
    }

    fn primary(&self) -> &Redis {
        &self.servers[usize::from(self.second_leads.load(Ordering::SeqCst))]
    }

    fn replica(&self) -> &Redis {
        &self.servers[usize::from(!self.second_leads.load(Ordering::SeqCst))]
    }

    fn follow(&self, replica: &Redis) -> Result<()> {
        let (ip, port) = (self.link.address().ip().to_string(), self.link.address().port());
        replica.command(&["replicaof", &ip, &port.to_string()])?;
        Ok(self.primary().wait_for_replica()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(store: &Store, words: &[&str]) -> String {
        let Servers::Redis(pair) = &store.servers else { panic!("it is Redis") };
        pair.primary().command(words).unwrap()
    }

    #[test]
    fn a_failover_loses_what_the_replica_lacks_and_can_come_again() {
        let store = Store::start(Kind::Redis, None, 1).unwrap();
        let mut leaders = Vec::new();
        for round in ["first", "second"] {
            key(&store, &["set", "kept", round]);
            let Servers::Redis(pair) = &store.servers else { panic!("it is Redis") };
            pair.primary().wait_for_replica().unwrap();
            store.hold_replica();
            key(&store, &["set", "kept", "lost"]);
            leaders.push(store.server().unwrap().address());
            store.fail_over().unwrap();
            assert_eq!(key(&store, &["get", "kept"]), round);
        }
        assert_ne!(leaders[0], leaders[1]);
    }

    #[test]
    fn a_sentinel_chooses_the_other_server_again_and_again() {
        let store = Store::start(Kind::RedisSentinel, None, 3).unwrap();
        assert!(store.log_url(0).unwrap().starts_with("redis+sentinel://"));
        for _ in 0..2 {
            let before = store.server().unwrap().address();
            store.fail_over().unwrap();
            assert_ne!(store.server().unwrap().address(), before);
        }
    }

    #[test]
    fn a_log_that_cannot_be_shared_is_one_nodes() {
        let error = Store::start(Kind::Folder, None, 3).err().unwrap();
        assert!(error.to_string().contains("--nodes 1"), "{error}");
    }
}
