//! Groups a second, and the time from an append to its reader: through a [`Connection`], and beside it NATS' own
//! client doing the same with a push consumer, and without names, headers and checks. It takes a minute.
//!
//! `cargo run --release -p forebay-nats --example measure`

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "figures for who runs it")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use forebay_log::{Epoch, Offset};
use forebay_nats::{Connection, Nats, Options};
use forebay_rig::Server as _;
use forebay_shared::{Backend as _, Group, Session as _};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

/// Appends one after the other, for the latency.
const SINGLE: u64 = 500;
/// Appends of which some are under way, for the rate.
const MANY: u64 = 2_000;
const UNDER_WAY: usize = 32;

#[tokio::main]
async fn main() {
    for build in forebay_rig::Nats::builds() {
        let options = forebay_rig::Nats::options(build).store_bytes_max(8 << 30);
        let server = options.start().unwrap();
        println!("{build:?}\nrecords  who      rate/s   p50 µs   p99 µs");
        for records in [1, 16, 256] {
            let body = Bytes::from(vec![b'x'; records * 300]);
            for round in 0..2 {
                session(&server, records, &body, round).await;
                bare(&server, records, &body, round).await;
            }
        }
    }
}

fn tell(records: usize, who: &str, took: Duration, mut times: Vec<Duration>) {
    times.sort();
    let at = |share: usize| times[times.len() * share / 100].as_micros();
    let rate = u128::from(MANY) * 1_000_000 / took.as_micros();
    println!("{records:7}  {who:7} {rate:7} {:8} {:8}", at(50), at(99));
}

async fn session(server: &forebay_rig::Nats, records: usize, body: &Bytes, round: u32) {
    let name = format!("session_{records}_{round}");
    let options = Options::new(server.address().to_string()).name(&name).keep_bytes(1 << 30);
    let backend = Nats::new(options);
    let (writer, reader) = (backend.connect().await.unwrap(), backend.connect().await.unwrap());
    let group = |number| Group {
        node: 7,
        number,
        epoch: Epoch(9),
        name: None,
        is_mark: false,
        offsets: 1,
        body: body.clone(),
    };
    let mut at = Offset::ZERO;
    let mut times = Vec::new();
    for number in 1..=SINGLE {
        let (began, group) = (Instant::now(), group(number));
        let (_, read) = tokio::join!(writer.append(&group), next(&reader, at));
        times.push(began.elapsed());
        at = read;
    }
    let began = Instant::now();
    let append = async |number| writer.append(&group(SINGLE + number)).await.unwrap();
    let read = async {
        let mut count = 0;
        while count < MANY {
            let groups = reader.read(at).await.unwrap();
            count += groups.len() as u64;
            at = groups.last().map_or(at, |group| group.end);
        }
    };
    tokio::join!(all(append), read);
    tell(records, "session", began.elapsed(), times);
    remove(server, &name).await;
}

/// Does it for each number, with some under way.
async fn all<T>(append: impl AsyncFn(u64) -> T) {
    let mut under_way = FuturesUnordered::new();
    for number in 1..=MANY {
        if under_way.len() == UNDER_WAY {
            under_way.next().await;
        }
        under_way.push(append(number));
    }
    while under_way.next().await.is_some() {}
}

async fn next(reader: &Connection, at: Offset) -> Offset {
    loop {
        if let Some(group) = reader.read(at).await.unwrap().last() {
            return group.end;
        }
    }
}

async fn bare(server: &forebay_rig::Nats, records: usize, body: &Bytes, round: u32) {
    let name = format!("bare-{records}-{round}");
    let writer = async_nats::connect(server.url()).await.unwrap();
    let reader = async_nats::connect(server.url()).await.unwrap();
    let stream = format!(r#"{{"name":"{name}","subjects":["{name}"],"storage":"file"}}"#);
    writer.request(format!("$JS.API.STREAM.CREATE.{name}"), stream.into()).await.unwrap();
    let mut messages = reader.subscribe("bare.inbox").await.unwrap();
    let consumer = format!(
        r#"{{"stream_name":"{name}","config":{{"deliver_subject":"bare.inbox","ack_policy":"none","deliver_policy":"all","replay_policy":"instant"}}}}"#
    );
    reader.request(format!("$JS.API.CONSUMER.CREATE.{name}"), consumer.into()).await.unwrap();
    let mut times = Vec::new();
    for _ in 0..SINGLE {
        let began = Instant::now();
        let (_, _) = tokio::join!(writer.request(name.clone(), body.clone()), messages.next());
        times.push(began.elapsed());
    }
    let began = Instant::now();
    let append = async |_| writer.request(name.clone(), body.clone()).await.unwrap();
    let read = async {
        for _ in 0..MANY {
            messages.next().await.unwrap();
        }
    };
    tokio::join!(all(append), read);
    tell(records, "bare", began.elapsed(), times);
    remove(server, &name).await;
}

async fn remove(server: &forebay_rig::Nats, name: &str) {
    let client = async_nats::connect(server.url()).await.unwrap();
    client.request(format!("$JS.API.STREAM.DELETE.{name}"), "".into()).await.unwrap();
}
