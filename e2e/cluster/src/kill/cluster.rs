//! The nodes of the kill loop, the store behind them, and the front before them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use forebay_rig::{Port, Process, Program};
use tokio::task::block_in_place;
use tokio::time::timeout;

use crate::front::{self, Nodes, Nothing};
use crate::request::ask;
use crate::store::Store;

/// Signs the pages' tags.
pub(super) const SECRET: &str = "a secret of the kill loop only";

/// For a node to say its counters. One that is stuck is killed without.
const COUNTERS_MAX: Duration = Duration::from_secs(5);

/// Why pages had to load themselves again, and how often.
pub(super) type Reasons = BTreeMap<String, u64>;

pub(super) struct Cluster {
    pub(super) nodes: Vec<Node>,
    pub(super) store: Store,
    pub(super) front: SocketAddr,
    ready: Arc<Nodes>,
}

pub(super) struct Node {
    process: Process,
    port: Port,
    /// Of its processes that have ended.
    before: Mutex<Reasons>,
}

impl Cluster {
    pub(super) async fn start(store: Store, nodes: usize, assets: &Path) -> Result<Self> {
        let start = |index| block_in_place(|| Node::start(&store, index, assets));
        let nodes = (0..nodes).map(start).collect::<Result<Vec<_>>>()?;
        let ready = Nodes::new(nodes.iter().map(|node| node.port.address()).collect());
        let front = front::serve(0, Arc::clone(&ready), Arc::new(Nothing)).await?;
        let cluster = Self { nodes, store, front, ready };
        cluster.wait_for_ready().await?;
        Ok(cluster)
    }

    /// Waits until all nodes are ready.
    pub(super) async fn wait_for_ready(&self) -> Result<()> {
        ensure!(
            self.ready.wait_for_ready(self.nodes.len()).await,
            "a node is not ready after a minute: {:?}",
            self.ready.ready()
        );
        Ok(())
    }

    /// What all nodes have counted since the beginning.
    pub(super) async fn reasons(&self) -> Result<Reasons> {
        let mut all = Reasons::new();
        for node in &self.nodes {
            let now = node.counters().await.context("a node does not say its counters")?;
            add(&mut all, &now);
            add(&mut all, &node.before.lock().unwrap_or_else(PoisonError::into_inner));
        }
        Ok(all)
    }

    /// The last lines of each node.
    pub(super) fn logs(&self) -> String {
        let last = |(index, node): (usize, &Node)| {
            let log = node.process.log();
            let lines: Vec<_> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(40)..].join("\n");
            format!("--- node {index}\n{last}\n")
        };
        self.nodes.iter().enumerate().map(last).collect()
    }
}

impl Node {
    fn start(store: &Store, index: usize, assets: &Path) -> Result<Self> {
        let port = Port::reserve()?;
        let mut program = Program::new(std::env::current_exe()?, "ready http")
            .arguments(["node", "--port", &port.number().to_string()])
            .arguments(["--database", &store.database_url(index)])
            .arguments(["--secret", SECRET, "--assets"])
            .argument(assets);
        if let Some(log) = store.log_url(index) {
            program = program.arguments(["--log", &log]);
        }
        Ok(Self { process: program.start()?, port, before: Mutex::default() })
    }

    /// `kill -9`, by its own hand: what it has counted comes out before.
    pub(super) async fn die(&self) -> Result<()> {
        // It has no answer: whom it would be from is dead.
        drop(timeout(COUNTERS_MAX, ask(self.port.address(), "POST", "/die")).await);
        self.end(Process::kill)
    }

    /// `SIGTERM`.
    pub(super) fn stop(&self) -> Result<()> {
        self.end(Process::stop)
    }

    pub(super) fn restart(&self) -> Result<()> {
        Ok(block_in_place(|| self.process.restart())?)
    }

    fn end(&self, end: impl FnOnce(&Process) -> Result<(), forebay_rig::Error>) -> Result<()> {
        block_in_place(|| end(&self.process))?;
        let log = self.process.log();
        let counted = log.lines().rev().find_map(|line| line.strip_prefix("counters "));
        let counted = serde_json::from_str(counted.context("a node ended without its counters")?)?;
        add(&mut self.before.lock().unwrap_or_else(PoisonError::into_inner), &counted);
        Ok(())
    }

    async fn counters(&self) -> Result<Reasons> {
        let asked = ask(self.port.address(), "GET", "/counters");
        let answer = timeout(COUNTERS_MAX, asked).await??;
        ensure!(answer.status == 200, "{}", answer.body);
        Ok(serde_json::from_str(&answer.body)?)
    }
}

fn add(all: &mut Reasons, some: &Reasons) {
    for (reason, count) in some {
        *all.entry(reason.clone()).or_default() += count;
    }
}
