//! `log`: what it costs to publish through a log that several nodes share, beside the store's own client doing the
//! same in turns with it.
//!
//! Nodes are hubs in this process, each with connections of its own. Sockets are not measured here.

mod client;
mod stores;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use forebay_hub::{Broadcast, Fsync, Hub, Options};
use forebay_log::{Class, Message, Position};
use futures_util::future::{join_all, try_join};
use tokio::runtime::Builder;
use tokio::time::timeout;

use self::stores::{STORES, Store};
use super::Bench;
use crate::servers::{FOREBAY, Server};

/// Publishers at a time, of all nodes together. Each waits for its answer.
const PUBLISHERS: usize = 64;

/// Bytes of a record.
const SIZE: usize = 400;

/// Records that are published together, where they are.
const BATCH: usize = 16;

/// Slices of a rate. Ours and the client's are taken in turns: how fast the machine is changes by the minute.
const TURNS: u32 = 4;

/// Publishes of which the time is taken, and how many in a row.
const SINGLES: usize = 200;
const IN_A_ROW: usize = 20;

/// How long all of one store may take: many times what it does.
const STORE_MAX: Duration = Duration::from_mins(5);

pub(super) fn measure(bench: &mut Bench, _: &Server) -> Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(alone(bench, "log_memory", |_| Ok(Hub::new(Options::default()))))?;
    let open = |folder: &Path| Ok(Hub::open(Options::default(), folder, Fsync::Always)?);
    runtime.block_on(alone(bench, "log_folder", open))?;
    for store in STORES {
        let measured = runtime.block_on(async { timeout(STORE_MAX, shared(bench, store)).await });
        let measured = measured.context("it takes too long").flatten();
        // The others are measured all the same.
        if let Err(error) = measured.with_context(|| format!("the log in {}", store.name)) {
            bench.skip(&FOREBAY, &error);
        }
    }
    Ok(())
}

/// A log of one node.
async fn alone(bench: &mut Bench, name: &str, open: fn(&Path) -> Result<Hub>) -> Result<()> {
    let folder = tempfile::tempdir_in(".")?;
    let hub = open(folder.path())?;
    let many = rate(bench.plan.post_seconds, |_| publish(&hub)).await?;
    let mut times = Vec::new();
    for _ in 0..SINGLES {
        times.push(time(publish(&hub)).await?);
    }
    hub.shut_down(Duration::ZERO).await;
    bench.figures.add(format!("{name}.nodes1_publishes_per_second"), many);
    note_times(bench, name, &mut times);
    Ok(())
}

/// A log of one to three nodes.
async fn shared(bench: &mut Bench, store: Store) -> Result<()> {
    let server = (store.start)()?;
    let clients = client::connect(&server.url(), PUBLISHERS).await?;
    for count in 1..=3 {
        let nodes = stores::nodes(store, &server.url(), count).await?;
        let (ours, theirs) = (
            |n: usize| publish(&nodes[n % count]),
            |n: usize| clients[n % clients.len()].append(1),
        );
        let [ours, theirs] = in_turns(bench.plan.post_seconds, ours, theirs).await?;
        note_rates(bench, store.name, &format!("nodes{count}"), 1, ours, theirs);
        if count == 2 {
            let ours = |n: usize| publish_batch(&nodes[n % count]);
            let theirs = |n: usize| clients[n % clients.len()].append(BATCH);
            let [ours, theirs] = in_turns(bench.plan.post_seconds, ours, theirs).await?;
            note_rates(bench, store.name, "nodes2_batches", BATCH, ours, theirs);
            latencies(bench, store, &nodes, &server.url()).await?;
        }
        for node in nodes {
            node.shut_down(Duration::ZERO).await;
        }
    }
    Ok(())
}

/// From a publish on one node until another one has it, beside an append of the client's until its reader has it.
async fn latencies(bench: &mut Bench, store: Store, nodes: &[Hub], url: &str) -> Result<()> {
    let (client, mut tail) = client::pair(url).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 0..SINGLES / IN_A_ROW * 2 {
        for _ in 0..IN_A_ROW {
            if turn % 2 == 0 {
                ours.push(time(reaches(&nodes[0], &nodes[1])).await?);
            } else {
                theirs.push(time(try_join(client.append_and_tell(), tail.next())).await?);
            }
        }
    }
    let ours = note_times(bench, store.name, &mut ours);
    let theirs = note_times(bench, &format!("{}_client", store.name), &mut theirs);
    bench.figures.add(format!("{}.publish_p50_us_over_client", store.name), ours - theirs);
    Ok(())
}

async fn reaches(from: &Hub, to: &Hub) -> Result<()> {
    let position = publish(from).await?;
    if let Some(behind) = to.catches_up_with(position) {
        behind.await;
    }
    ensure!(to.position().offset >= position.offset, "the other node does not get it");
    Ok(())
}

async fn publish(node: &Hub) -> Result<Position> {
    Ok(node.publish(broadcast()).await?.position)
}

async fn publish_batch(node: &Hub) -> Result<()> {
    node.publish_all((0..BATCH).map(|_| broadcast())).await?;
    Ok(())
}

fn broadcast() -> Broadcast<'static> {
    let message = Message::json(format!("\"{}\"", "x".repeat(SIZE - 2)));
    Broadcast { stream: "bench", message, class: Class::Log }
}

/// How often a second each of the two is done.
async fn in_turns<T, A, B>(
    seconds: f64,
    ours: impl Fn(usize) -> A,
    theirs: impl Fn(usize) -> B,
) -> Result<[f64; 2]>
where
    A: Future<Output = Result<T>>,
    B: Future<Output = Result<()>>,
{
    let (slice, mut sums) = (seconds / f64::from(TURNS), [0.0; 2]);
    for _ in 0..TURNS {
        sums[0] += rate(slice, &ours).await?;
        sums[1] += rate(slice, &theirs).await?;
    }
    Ok(sums.map(|sum| sum / f64::from(TURNS)))
}

/// How often a second it is done, by all publishers together.
async fn rate<T, F: Future<Output = Result<T>>>(
    seconds: f64,
    publish: impl Fn(usize) -> F,
) -> Result<f64> {
    let began = Instant::now();
    let until = began + Duration::from_secs_f64(seconds);
    let one = async |publisher| -> Result<u32> {
        let mut count = 0;
        while Instant::now() < until {
            publish(publisher).await?;
            count += 1;
        }
        Ok(count)
    };
    let counts = join_all((0..PUBLISHERS).map(one)).await;
    let count: u32 = counts.into_iter().sum::<Result<u32>>()?;
    Ok(f64::from(count) / began.elapsed().as_secs_f64())
}

async fn time<T>(what: impl Future<Output = Result<T>>) -> Result<Duration> {
    let began = Instant::now();
    what.await?;
    Ok(began.elapsed())
}

fn note_rates(bench: &mut Bench, store: &str, names: &str, records: usize, ours: f64, theirs: f64) {
    let each = records as f64;
    let figures = &mut bench.figures;
    figures.add(format!("{store}.{names}_publishes_per_second"), ours * each);
    figures.add(format!("{store}_client.{names}_publishes_per_second"), theirs * each);
    figures.add(format!("{store}.{names}_vs_client"), ours / theirs);
}

/// Gives the median.
fn note_times(bench: &mut Bench, name: &str, times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100].as_nanos() as f64 / 1e3;
    bench.figures.add(format!("{name}.publish_p50_us"), at(50));
    bench.figures.add(format!("{name}.publish_p99_us"), at(99));
    at(50)
}
