//! Three NATS servers, each of which is killed: nothing is lost, and no new epoch begins.

#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::time::Duration;

use forebay_log::{Class, Content, Message, UnixMillis};
use forebay_nats::{Nats, Options};
use forebay_rig::{Build, Port, Server as _};
use forebay_shared::{Backend as _, Failure, SharedLog};
use forebay_store::{Batch, LogStore as _};
use forebay_store_tests::Copy;

fn cluster(build: Build) -> Vec<forebay_rig::Nats> {
    let ports: Vec<_> = (0..3).map(|_| Port::reserve().unwrap()).collect();
    let routes: Vec<_> = ports.iter().map(|port| format!("nats://{}", port.address())).collect();
    let start = |(n, port): (usize, &Port)| {
        let (address, routes) = (port.address(), routes.join(", "));
        let cluster = format!("cluster {{ name: rig, listen: {address}, routes: [{routes}] }}");
        let options = forebay_rig::Nats::options(build).configure(&format!("server_name: n{n}"));
        options.configure(&cluster).start().unwrap()
    };
    ports.iter().enumerate().map(start).collect()
}

fn options(servers: &[forebay_rig::Nats]) -> Options {
    let mut addresses = servers.iter().map(|server| server.address().to_string());
    let first = Options::new(addresses.next().unwrap());
    addresses.fold(first, Options::server).replicas(3)
}

fn text(n: usize) -> Vec<Content> {
    let message = Message::json(format!("{n}"));
    vec![Content::Entry { stream: "room".into(), message, class: Class::Log }]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_server_of_three_may_end() {
    if !forebay_rig::Nats::builds().contains(&Build::Newest) {
        return;
    }
    let servers = cluster(Build::Newest);
    // An election takes some seconds, and this machine may be slow.
    let patient = || {
        let mut options = forebay_shared::Options::default();
        options.append_max = Duration::from_mins(1);
        options
    };
    let log = SharedLog::open(Nats::new(options(&servers)), patient()).await.unwrap();
    let copy = Copy::follow(&log, None).unwrap();
    log.append(Batch::new(UnixMillis(1), text(0))).await.unwrap();
    let epoch = copy.position().epoch;
    for (n, server) in (1..).zip(&servers) {
        server.kill().unwrap();
        log.append(Batch::new(UnixMillis(1), text(n))).await.unwrap();
        server.restart().unwrap();
    }
    let last = log.append(Batch::new(UnixMillis(1), text(4))).await.unwrap();
    // An append is answered when it is applied here.
    assert_eq!((copy.position().epoch, copy.position().offset), (epoch, last));
    let all = (0..=4).map(|n| n.to_string()).collect();
    assert_eq!((copy.begins(), copy.texts("room")), (1, Some(all)));

    // One copy in a cluster: nobody could tell when its server began again.
    let mut refusals = 0;
    for server in &servers {
        let one = Options::new(server.address().to_string()).name("alone");
        match Nats::new(one).connect().await {
            Ok(_) => {}
            Err(Failure::Refused(why)) => {
                assert!(why.contains("name only that server"), "{why}");
                refusals += 1;
            }
            Err(failure) => panic!("{failure}"),
        }
    }
    assert_eq!(refusals, 2, "one of them has it");
}

#[tokio::test]
async fn an_old_cluster_is_refused() {
    let servers = cluster(Build::Installed);
    let refused = Nats::new(options(&servers)).connect().await;
    assert!(matches!(refused, Err(Failure::Refused(why)) if why.contains("2.11")));
}
