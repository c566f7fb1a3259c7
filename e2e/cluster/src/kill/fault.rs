//! What is killed, and how.

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use forebay_rig::Server;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::cluster::Cluster;
use super::writer::Writers;
use crate::store::Store;

/// How long a node is cut off: longer than any lease of a node, and than a stock client believes in a silent socket.
const PARTITION: Duration = Duration::from_secs(20);

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Fault {
    /// `kill -9` of a node
    KillNode,
    /// `SIGTERM` of a node
    StopNode,
    /// `kill -9` of the writer, between two of its statements or in its commit
    KillWriter,
    /// The store's server ends in good order, and comes back
    RestartStore,
    /// `kill -9` of the store's server
    KillStore,
    /// `kill -9` of Postgres, which has the rows only
    KillDatabase,
    /// The store's replica takes the place of its primary, and lacks what was acknowledged last
    FailOver,
    /// A node is cut off from the store
    Partition,
}

/// Those of `only` that can be done to this store; all if none is named.
pub(super) fn possible(store: &Store, only: &[Fault]) -> Vec<Fault> {
    let is_possible = |fault: &Fault| match fault {
        Fault::KillNode | Fault::StopNode | Fault::KillWriter => true,
        Fault::RestartStore | Fault::KillStore => store.server().is_some(),
        Fault::Partition => store.link(0).is_some(),
        Fault::KillDatabase => store.rows().is_some(),
        Fault::FailOver => store.has_replica(),
    };
    let wanted = |fault: &Fault| only.is_empty() || only.contains(fault);
    Fault::value_variants().iter().copied().filter(wanted).filter(is_possible).collect()
}

/// Each comes once before any comes again, in an order of chance.
pub(super) fn choose(
    faults: &[Fault],
    waiting: &mut Vec<Fault>,
    random: &mut fastrand::Rng,
) -> Fault {
    if waiting.is_empty() {
        waiting.extend(faults);
        random.shuffle(waiting);
    }
    waiting.pop().unwrap_or(faults[0])
}

impl Fault {
    /// Does it, and waits until everything is there again.
    pub(super) async fn happen(
        self,
        cluster: &Cluster,
        writers: &mut Writers,
        random: &mut fastrand::Rng,
    ) -> Result<()> {
        let index = random.usize(..cluster.nodes.len());
        let node = &cluster.nodes[index];
        let away = Duration::from_millis(random.u64(0..1_500));
        match self {
            Self::KillNode => {
                node.die().await?;
                sleep(away).await;
                node.restart()?;
            }
            Self::StopNode => {
                node.stop()?;
                sleep(away).await;
                node.restart()?;
            }
            Self::KillWriter => writers.kill(random).await?,
            Self::RestartStore | Self::KillStore => {
                self.end(cluster.store.server(), away).await?;
            }
            Self::KillDatabase => {
                self.end(cluster.store.rows().map(|rows| rows as _), away).await?;
            }
            Self::FailOver => {
                cluster.store.hold_replica();
                // What is written now is acknowledged, and lost.
                sleep(Duration::from_millis(random.u64(200..1_500))).await;
                block_in_place(|| cluster.store.fail_over())?;
            }
            Self::Partition => {
                if let Some(link) = cluster.store.link(index) {
                    link.hold();
                    sleep(PARTITION).await;
                    // Half of the time what was held arrives late, and else it is lost.
                    if random.bool() {
                        link.cut();
                    }
                    link.open();
                }
            }
        }
        cluster.wait_for_ready().await
    }

    async fn end(self, server: Option<&dyn Server>, away: Duration) -> Result<()> {
        let Some(server) = server else { return Ok(()) };
        let is_killed = self != Self::RestartStore;
        block_in_place(|| if is_killed { server.kill() } else { server.stop() })?;
        sleep(away).await;
        Ok(block_in_place(|| server.restart())?)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.pad(value.as_ref().map_or("", |value| value.get_name()))
    }
}
