//! The kill loop: nodes, writers and servers end again and again under open pages.
//!
//! After each kill, once the writer rests, each page has to show the rows that the database has: all of them, in order, none
//! twice. Each page that loaded itself again has to have been told to, for a reason that a node has counted.

mod cluster;
mod fault;
mod pages;
mod report;
mod writer;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use tokio::task::block_in_place;
use tokio::time::{Instant, sleep};

use self::cluster::Cluster;
use self::fault::Fault;
use self::pages::{Pages, Shown};
use self::report::Report;
use self::writer::Writers;
use crate::node::Database;
use crate::store::{Kind, Rows, Store};

/// How often pages are looked at meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(250);

#[derive(Args)]
pub(crate) struct Options {
    /// Where the log is
    #[arg(long, value_enum)]
    log: Kind,
    /// Where the rows are; by default in Postgres where the log is there, and else in `SQLite`
    #[arg(long, value_enum)]
    rows: Option<Rows>,
    /// How often something is killed
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// How many nodes; by default three, or one where the log can't be shared
    #[arg(long)]
    nodes: Option<usize>,
    /// How many pages of each client
    #[arg(long, default_value_t = 12)]
    pages: usize,
    /// Kill only in these ways; by default in all that the store allows
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Fault>,
    /// Choose what is killed as an earlier run did
    #[arg(long)]
    seed: Option<u64>,
    /// How many seconds a page may take to show what it should, once all is quiet
    #[arg(long, default_value_t = 60)]
    patience: u64,
    /// Have the writer broadcast past the outbox, into a log that no page reads: known to be bad, so the loop must fail
    #[arg(long)]
    without_outbox: bool,
    /// The folder with the bundles of the clients
    #[arg(long)]
    assets: PathBuf,
    /// The program that opens the pages
    #[arg(long)]
    script: PathBuf,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let mut random = fastrand::Rng::with_seed(seed);
    crate::say(format_args!("seed {seed}"));
    let nodes = options.nodes.unwrap_or_else(|| options.log.nodes());
    let store = block_in_place(|| Store::start(options.log, options.rows, nodes))?;
    let cluster = Cluster::start(store, nodes, &options.assets).await?;
    let database = Database::open(&cluster.store.own_database_url()).await?;
    let mut writers = Writers::start(&cluster, !options.without_outbox).await?;
    let mut pages = Pages::open(&options.script, cluster.front, options.pages).await?;
    let mut report = Report::default();
    let faults = fault::possible(&cluster.store, &options.only);
    ensure!(!faults.is_empty(), "nothing of --only can be done to this store");
    let mut waiting = Vec::new();
    let patience = Duration::from_secs(options.patience);
    let result = async {
        for number in 1..=options.kills {
            let fault = fault::choose(&faults, &mut waiting, &mut random);
            writers.go_on(&mut random).await?;
            sleep(Duration::from_millis(random.u64(500..2_000))).await;
            let begun = Instant::now();
            fault.happen(&cluster, &mut writers, &mut random).await?;
            sleep(Duration::from_secs(1)).await;
            writers.rest().await?;
            let (rows, shown) = settle(&mut pages, &database, patience).await?;
            report.add(fault, rows, &shown, cluster.reasons().await?);
            crate::say(format_args!(
                "{number:>4} {fault:<14} {rows:>6} rows {:>5.1} s {}",
                begun.elapsed().as_secs_f32(),
                report.last()
            ));
            ensure!(report.is_clean(), "a page does not show what the database has");
        }
        Ok(())
    }
    .await;
    pages.close().await;
    crate::say(&report);
    if result.is_err() {
        crate::say(cluster.logs());
    }
    result
}

/// Waits until all pages show the rows of the database. Gives how many there are, and what the pages show then or at the end of
/// patience. Rows are asked for each time: a commit of somebody who was killed may still be under way.
async fn settle(
    pages: &mut Pages,
    database: &Database,
    patience: Duration,
) -> Result<(usize, Vec<Shown>)> {
    let begun = Instant::now();
    loop {
        let rows = database.rows().await?;
        let shown = pages.look(&rows).await?;
        if shown.iter().all(Shown::is_right) || begun.elapsed() > patience {
            return Ok((rows.len(), shown));
        }
        sleep(LOOK_EVERY).await;
    }
}
