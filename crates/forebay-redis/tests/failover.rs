//! What happens where Redis loses something, or somebody changes the log by hand.

#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::time::Duration;

use bytes::Bytes;
use forebay_log::{Class, Content, Epoch, Message, Offset, UnixMillis};
use forebay_redis::{Connection, Options, Redis};
use forebay_rig::{Proxy, Sentinel, Server as _};
use forebay_shared::{
    Backend as _, EPOCH, Expected, Failure, Group, Session as _, SharedLog, Space,
};
use forebay_store::{Batch, LogStore as _};
use forebay_store_tests::Copy;

fn batch(text: &str) -> Batch {
    let message = Message::json(format!("{text:?}"));
    let content = Content::Entry { stream: "room".into(), message, class: Class::Log };
    Batch::new(UnixMillis(1), vec![content])
}

/// A replica takes over that lacks what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_is_behind_begins_a_new_epoch() {
    let primary = forebay_rig::Redis::options().start().unwrap();
    let link = Proxy::start(primary.address()).unwrap();
    let replica = forebay_rig::Redis::options().replica_at(link.address()).start().unwrap();
    primary.wait_for_replica().unwrap();
    let sentinel = Sentinel::start(&primary).unwrap();
    sentinel.process().wait_for("+slave").unwrap();
    let url = format!("redis+sentinel://{}/forebay", sentinel.address());
    let redis = Redis::new(Options::from_url(&url).unwrap());
    let mut options = forebay_shared::Options::default();
    // A Sentinel decides for as long as it likes.
    options.append_max = Duration::from_mins(1);
    let log = SharedLog::open(redis, options).await.unwrap();
    let copy = Copy::follow(&log, None).unwrap();
    log.append(batch("kept")).await.unwrap();
    primary.wait_for_replica().unwrap();
    let before = copy.position();
    link.hold();
    log.append(batch("lost")).await.unwrap();
    assert_eq!(copy.texts("room").unwrap().len(), 2);
    primary.kill().unwrap();
    sentinel.process().wait_for("+switch-master").unwrap();
    assert!(replica.command(&["role"]).unwrap().starts_with("master"));
    log.append(batch("next")).await.unwrap();
    assert_ne!(copy.position().epoch, before.epoch, "pages load themselves again");
    assert_eq!(copy.texts("room"), None, "they are told");
    // Two connections may begin the epoch at once: then the mark of the slower one counts for nothing.
    let mut entries = copy.contents();
    entries.retain(|content| matches!(content, Content::Entry { .. }));
    assert_eq!(entries, batch("next").contents);
}

async fn connected(server: &forebay_rig::Redis) -> Connection {
    Redis::new(Options::from_url(&server.url()).unwrap()).connect().await.unwrap()
}

fn group(number: u64, epoch: u64, offsets: u32) -> Group {
    let body = Bytes::from_static(b"records");
    Group { node: u64::MAX, number, epoch: Epoch(epoch), name: None, is_mark: false, offsets, body }
}

/// Its body goes beside the script.
fn long(number: u64, epoch: u64, offsets: u32) -> Group {
    Group { body: Bytes::from(vec![b'x'; 20_000]), ..group(number, epoch, offsets) }
}

async fn set_epoch(session: &Connection, epoch: u64, cut: Offset) {
    let value = format!(r#"{{"epoch":"{epoch}","cut":{},"history":"any"}}"#, cut.0);
    let value = Some(value.into_bytes());
    assert!(session.set(Space::Lasting, EPOCH, value, Expected::Any).await.unwrap());
}

/// It came before the cell was set, and stands behind the mark: nobody counts it.
#[tokio::test]
async fn what_a_new_epoch_leaves_behind_is_taken_again() {
    let server = forebay_rig::Redis::options().start().unwrap();
    let session = connected(&server).await;
    set_epoch(&session, 1, Offset::ZERO).await;
    let named =
        |number, epoch, name: &str| Group { name: Some(name.into()), ..group(number, epoch, 2) };
    let counted = session.append(&named(1, 1, "counted")).await.unwrap();
    let mark = Group { node: 7, is_mark: true, ..group(1, 2, 1) };
    let cut = session.append(&mark).await.unwrap();
    let late = session.append(&named(2, 1, "late")).await.unwrap();
    assert_eq!((counted, cut, late), (Offset(2), Offset(3), Offset(5)));
    set_epoch(&session, 2, cut).await;
    // Its answer was lost: it is sent again, in the new epoch.
    assert_eq!(session.append(&named(2, 2, "late")).await, Ok(Offset(7)));
    assert_eq!(session.append(&named(2, 2, "late")).await, Ok(Offset(7)), "once");
    assert_eq!(session.append(&named(3, 2, "late")).await, Ok(Offset(7)), "once for all");
    assert_eq!(session.append(&named(4, 2, "counted")).await, Ok(counted));
    assert_eq!(session.append(&group(5, 1, 1)).await, Err(Failure::OtherEpoch));
}

#[tokio::test]
async fn nobody_reads_past_what_somebody_has_deleted() {
    let server = forebay_rig::Redis::options().start().unwrap();
    let session = connected(&server).await;
    for number in 1..=5 {
        assert_eq!(session.append(&group(number, 1, 2)).await, Ok(Offset(number * 2)));
    }
    server.command(&["xdel", "{forebay}:log", "0-6"]).unwrap();
    let ends = |groups: Vec<forebay_shared::Stored>| -> Vec<u64> {
        groups.iter().map(|group| group.end.0).collect()
    };
    assert_eq!(ends(session.read(Offset::ZERO).await.unwrap()), [2, 4]);
    assert_eq!(session.read(Offset(4)).await, Err(Failure::Trimmed));
    assert_eq!(session.bounds().await.unwrap().trimmed, Offset(6));
    assert_eq!(ends(session.read(Offset(6)).await.unwrap()), [8, 10]);
    server.command(&["xtrim", "{forebay}:log", "maxlen", "0"]).unwrap();
    assert_eq!(session.read(Offset(6)).await, Err(Failure::Trimmed));
    let bounds = session.bounds().await.unwrap();
    assert_eq!((bounds.trimmed, bounds.head), (Offset(10), Offset(10)));
    assert_eq!(session.read(Offset(10)).await, Ok(vec![]));
}

/// What is over its bytes goes, and where it goes to is known exactly.
#[tokio::test]
async fn the_log_keeps_its_bytes_also_where_the_server_is_full() {
    let server = forebay_rig::Redis::options().start().unwrap();
    let options = Options::from_url(&server.url()).unwrap().keep_bytes(1 << 20);
    let session = Redis::new(options).connect().await.unwrap();
    let body = Bytes::from(vec![b'x'; 100_000]);
    for number in 1..=30 {
        let group = Group { body: body.clone(), ..group(number, 1, 3) };
        assert_eq!(session.append(&group).await, Ok(Offset(number * 3)));
    }
    let bounds = session.bounds().await.unwrap();
    assert_eq!((bounds.trimmed, bounds.head), (Offset(60), Offset(90)));
    assert_eq!(session.read(Offset(59)).await, Err(Failure::Trimmed));
    assert_eq!(session.read(Offset(60)).await.unwrap()[0].end, Offset(63));
    server.command(&["config", "set", "maxmemory", "1mb"]).unwrap();
    let group = Group { body, ..group(31, 1, 3) };
    assert_eq!(session.append(&group).await, Ok(Offset(93)), "it has made room itself");
}

/// By age the same: what is gone is gone up to the end of a group, and that is told.
#[tokio::test]
async fn what_is_too_old_goes() {
    let server = forebay_rig::Redis::options().start().unwrap();
    let options = Options::from_url(&server.url()).unwrap().keep(Duration::ZERO);
    let session = Redis::new(options).connect().await.unwrap();
    let mut number = 0;
    let bounds = loop {
        number += 1;
        assert_eq!(session.append(&group(number, 1, 3)).await, Ok(Offset(number * 3)));
        let bounds = session.bounds().await.unwrap();
        if bounds.trimmed > Offset(9) {
            break bounds;
        }
        assert!(number < 10_000, "nothing gets old");
    };
    assert_eq!(bounds.head, Offset(number * 3));
    assert_eq!(bounds.trimmed.0 % 3, 0);
    let before = Offset(bounds.trimmed.0 - 1);
    assert_eq!(session.read(before).await, Err(Failure::Trimmed));
    assert_eq!(session.bounds().await.unwrap(), bounds, "nobody had to find out");
    assert_eq!(session.read(bounds.trimmed).await.unwrap()[0].end, Offset(bounds.trimmed.0 + 3));
}

/// A long body passes the script by: it must not get into the log where the script has refused it, or was not there.
#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    refuses(group).await;
    refuses(long).await;
}

async fn refuses(group: fn(u64, u64, u32) -> Group) {
    let server = forebay_rig::Redis::options().start().unwrap();
    let session = connected(&server).await;
    set_epoch(&session, 1, Offset::ZERO).await;
    let length = || server.command(&["xlen", "{forebay}:log"]).unwrap().trim().to_owned();
    let refuse = async |head, length_then: &str| {
        assert_eq!(session.append(&group(2, 1, 3)).await, Ok(Offset(head)), "it is known");
        assert_eq!(session.append(&group(4, 9, 3)).await, Err(Failure::OtherEpoch));
        assert_eq!(length(), length_then);
    };
    session.append(&group(1, 1, 2)).await.unwrap();
    assert_eq!(session.append(&group(2, 1, 3)).await, Ok(Offset(5)));
    refuse(5, "2").await;
    server.command(&["script", "flush"]).unwrap();
    refuse(5, "2").await;
    server.command(&["script", "flush"]).unwrap();
    assert_eq!(session.append(&group(3, 1, 1)).await, Ok(Offset(6)));
    assert_eq!(length(), "3");
    server.command(&["xsetid", "{forebay}:log", "0-6"]).unwrap();
    refuse(6, "3").await;
    server.command(&["del", "{forebay}:log"]).unwrap();
    refuse(6, "0").await;
    assert_eq!(session.read(Offset(5)).await, Err(Failure::Trimmed));
    assert_eq!(session.append(&group(4, 1, 1)).await, Ok(Offset(7)));
    assert_eq!(session.read(Offset(6)).await.unwrap()[0].end, Offset(7));
}

/// The thousand nodes that appended last.
#[tokio::test]
async fn nodes_are_remembered_and_some_time_forgotten() {
    let server = forebay_rig::Redis::options().start().unwrap();
    let session = connected(&server).await;
    let of = |node| Group { node, ..group(1, 1, 1) };
    let stays = Group { number: 2, ..of(0) };
    for node in 0..1_100 {
        assert_eq!(session.append(&of(node)).await, Ok(Offset(node + 1)));
    }
    assert_eq!(session.append(&of(1_099)).await, Ok(Offset(1_100)), "it is known");
    assert_eq!(session.append(&of(101)).await, Ok(Offset(102)), "it is known");
    assert_eq!(session.append(&stays).await, Ok(Offset(1_101)), "it is forgotten");
    let fields = server.command(&["hlen", "{forebay}:state"]).unwrap();
    assert!(fields.trim().parse::<u32>().unwrap() <= 1_016, "{fields}");
}

/// Publishers are told so, whoever reads goes on, and so do publishers when it writes again.
#[tokio::test]
async fn a_full_disk_is_named() {
    if !forebay_rig::has_small_disks() {
        return;
    }
    let server = forebay_rig::Redis::options()
        .configure("appendonly yes")
        .small_disk(4 << 20)
        .start()
        .unwrap();
    let session = connected(&server).await;
    let of = |number| Group { body: Bytes::from(vec![b'x'; 100_000]), ..group(number, 1, 1) };
    let mut taken = 0;
    let refused = loop {
        match session.append(&of(taken + 1)).await {
            Ok(_) => taken += 1,
            Err(failure) => break failure,
        }
        assert!(taken < 100, "it never gets full");
    };
    assert!(matches!(&refused, Failure::Refused(why) if why.contains("its disk")), "{refused}");
    assert!(!refused.to_string().contains('\n'), "{refused}");
    assert_eq!(session.bounds().await.unwrap().head, Offset(taken));
    assert!(!session.read(Offset::ZERO).await.unwrap().is_empty());
    server.command(&["config", "set", "appendonly", "no"]).unwrap();
    assert_eq!(session.append(&of(taken + 1)).await, Ok(Offset(taken + 1)));
}

#[tokio::test]
async fn a_server_that_is_paused_is_lost() {
    let server = forebay_rig::Redis::options().start().unwrap();
    let session = connected(&server).await;
    server.pause().unwrap();
    let asked = session.append(&group(1, 1, 1)).await;
    assert!(matches!(asked, Err(Failure::Lost(_))), "{asked:?}");
    server.resume().unwrap();
    assert_eq!(connected(&server).await.append(&group(1, 1, 1)).await, Ok(Offset(1)));
}

/// As the documentation says.
#[tokio::test]
async fn a_user_with_the_rights_that_are_named_has_enough() {
    let server = forebay_rig::Redis::options().start().unwrap();
    let user = "acl setuser me on >hunter2 ~{forebay}:* +@read +@write +@transaction +@scripting +@connection +info +time";
    server.command(&user.split(' ').collect::<Vec<_>>()).unwrap();
    let url = format!("redis://me:hunter2@{}", server.address());
    let session = Redis::new(Options::from_url(&url).unwrap()).connect().await.unwrap();
    set_epoch(&session, 1, Offset::ZERO).await;
    assert_eq!(session.append(&group(1, 1, 1)).await, Ok(Offset(1)));
    // The rights were tried, these among them.
    server.command(&["config", "resetstat"]).unwrap();
    let commands = || server.command(&["info", "commandstats"]).unwrap();
    assert!(!commands().contains("cmdstat_exec:"));
    assert_eq!(session.append(&long(2, 1, 1)).await, Ok(Offset(2)));
    assert!(commands().contains("cmdstat_exec:calls=1,"));
    assert_eq!(session.read(Offset::ZERO).await.unwrap().len(), 2);
    assert!(session.get(Space::Lasting, EPOCH).await.unwrap().is_some());
    assert_eq!(session.list(Space::Lasting).await.unwrap().len(), 1);
    let value = || Some(b"1".to_vec());
    assert!(session.set(Space::Passing, "a", value(), Expected::Nothing).await.unwrap());
    assert!(session.get(Space::Passing, "a").await.unwrap().is_some());
    server.command(&["acl", "setuser", "me", "-xadd"]).unwrap();
    for group in [group(3, 1, 1), long(3, 1, 1)] {
        let refused = session.append(&group).await.unwrap_err();
        assert!(
            matches!(&refused, Failure::Refused(why) if why.contains("lacks rights")),
            "{refused}"
        );
    }
}
