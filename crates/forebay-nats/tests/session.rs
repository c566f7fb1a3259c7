//! What one connection does, on real NATS servers: places, cells, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::path::Path;
use std::sync::Arc;

use forebay_log::{Epoch, Offset};
use forebay_nats::{Connection, Nats, Options};
use forebay_rig::{Build, NatsOptions, Proxy, Server as _};
use forebay_shared::{Backend as _, Bounds, Expected, Failure, Group, Session as _, Space};

fn servers() -> impl Iterator<Item = forebay_rig::Nats> {
    forebay_rig::Nats::builds().into_iter().map(|build| server(build, |options| options))
}

fn server(build: Build, change: impl Fn(NatsOptions) -> NatsOptions) -> forebay_rig::Nats {
    change(forebay_rig::Nats::options(build)).start().unwrap()
}

fn options(server: &forebay_rig::Nats) -> Options {
    Options::new(server.address().to_string())
}

async fn connect(server: &forebay_rig::Nats) -> Connection {
    Nats::new(options(server)).connect().await.unwrap()
}

/// Asks JetStream, as an operator does.
async fn ask(server: &forebay_rig::Nats, what: &str, body: &str) -> String {
    let client = async_nats::connect(server.url()).await.unwrap();
    let answer = client.request(format!("$JS.API.{what}"), body.to_owned().into()).await.unwrap();
    let answer = String::from_utf8_lossy(&answer.payload).into_owned();
    assert!(!answer.contains("\"error\""), "{answer}");
    answer
}

fn group(number: u64, offsets: u32, name: Option<&str>) -> Group {
    Group {
        node: u64::MAX - 1,
        number,
        epoch: Epoch(u64::MAX),
        name: name.map(Arc::from),
        is_mark: false,
        offsets,
        body: format!("group {number}").into(),
    }
}

async fn append(session: &Connection, number: u64) -> Offset {
    session.append(&group(number, 3, None)).await.unwrap()
}

#[tokio::test]
async fn groups_have_places_and_are_taken_once() {
    for server in servers() {
        let session = connect(&server).await;
        let nothing = Bounds { trimmed: Offset::ZERO, head: Offset::ZERO };
        assert_eq!(session.bounds().await.unwrap(), nothing);
        let one = append(&session, 1).await;
        let two = session.append(&group(2, 4_095, None)).await.unwrap();
        assert!(two.0 - 4_095 >= one.0, "there is room for all of them");
        assert_eq!(append(&session, 1).await, one, "it is known");
        let named = session.append(&group(3, 1, Some("row 1"))).await.unwrap();
        let other = connect(&server).await;
        assert_eq!(other.append(&group(1, 1, Some("row 1"))).await.unwrap(), named);
        // What was sent in an epoch that is over does not count, and is taken again in the next.
        let later = Group { epoch: Epoch(7), ..group(1, 3, None) };
        let last = session.append(&later).await.unwrap();
        assert!(last > named);
        let bounds = session.bounds().await.unwrap();
        assert_eq!(bounds, Bounds { trimmed: Offset::ZERO, head: last });

        let read = session.read(Offset::ZERO).await.unwrap();
        let rest = |read: &[forebay_shared::Stored]| read.last().map(|group| group.end);
        assert_eq!((read[0].end, read[0].offsets, read[0].number), (one, 3, 1));
        assert_eq!((read[0].node, read[0].epoch), (u64::MAX - 1, Epoch(u64::MAX)));
        assert_eq!(read[0].body, "group 1");
        let mut all = read;
        while rest(&all) != Some(last) {
            all.extend(session.read(rest(&all).unwrap()).await.unwrap());
        }
        assert_eq!(all.len(), 4);
        // From the middle of a group: all of it.
        let again = session.read(Offset(two.0 - 4_095)).await.unwrap();
        assert_eq!(again[0].end, two);
        assert_eq!(session.read(last).await.unwrap(), [], "there is nothing, for a second");
    }
}

#[tokio::test]
async fn what_is_gone_is_told_exactly() {
    for server in servers() {
        let session = connect(&server).await;
        let mut ends = Vec::new();
        for number in 1..=4 {
            ends.push(append(&session, number).await);
        }
        session.read(Offset::ZERO).await.unwrap();
        ask(&server, "STREAM.PURGE.forebay", r#"{"keep":2}"#).await;
        let bounds = Bounds { trimmed: ends[1], head: ends[3] };
        assert_eq!(session.bounds().await.unwrap(), bounds);
        for gone in [Offset::ZERO, ends[0], Offset(ends[1].0 - 1)] {
            assert_eq!(session.read(gone).await, Err(Failure::Trimmed), "after {gone}");
        }
        assert_eq!(session.read(ends[1]).await.unwrap()[0].end, ends[2]);
        // Somebody deletes one by hand: nobody can begin before it.
        append(&session, 5).await;
        ask(&server, "STREAM.MSG.DELETE.forebay", r#"{"seq":4}"#).await;
        assert_eq!(session.bounds().await.unwrap().trimmed, ends[3]);
        let read = session.read(ends[1]).await.unwrap();
        assert_eq!(read.last().unwrap().end, ends[2]);
        assert_eq!(session.read(ends[2]).await, Err(Failure::Trimmed));
        // All of it is gone, as after a quiet time, and the end is where it was.
        ask(&server, "STREAM.PURGE.forebay", "").await;
        let Bounds { trimmed, head } = session.bounds().await.unwrap();
        assert_eq!(trimmed, head);
        assert_eq!(session.read(head).await.unwrap(), []);
        assert_eq!(session.read(ends[3]).await, Err(Failure::Trimmed), "without waiting for more");
        let next = append(&session, 6).await;
        assert!(next > head);
        assert_eq!(session.read(head).await.unwrap()[0].end, next);
    }
}

#[tokio::test]
async fn cells_are_compared_and_set() {
    for server in servers() {
        let session = connect(&server).await;
        for space in [Space::Lasting, Space::Revoked, Space::Passing] {
            let set = |value: Option<&str>, expected| {
                let value = value.map(|value| value.as_bytes().to_vec());
                session.set(space, "räume:1 *.>", value, expected)
            };
            let get = || session.get(space, "räume:1 *.>");
            assert_eq!(get().await.unwrap(), None);
            assert!(!set(Some("a"), Expected::Version(7)).await.unwrap());
            assert!(set(Some("a"), Expected::Nothing).await.unwrap());
            assert!(!set(Some("b"), Expected::Nothing).await.unwrap());
            let first = get().await.unwrap().unwrap();
            assert_eq!(first.value, b"a");
            assert!(set(Some("b"), Expected::Version(first.version)).await.unwrap());
            assert!(!set(Some("c"), Expected::Version(first.version)).await.unwrap());
            assert!(!set(None, Expected::Version(first.version)).await.unwrap());
            let second = get().await.unwrap().unwrap();
            assert_eq!(second.value, b"b");
            assert!(!set(None, Expected::Nothing).await.unwrap());
            assert!(set(None, Expected::Version(second.version)).await.unwrap());
            assert!(!set(None, Expected::Version(second.version)).await.unwrap());
            assert_eq!(get().await.unwrap(), None);
            assert!(set(None, Expected::Any).await.unwrap());
            assert!(set(Some("c"), Expected::Nothing).await.unwrap(), "it is empty again");
            assert!(set(None, Expected::Any).await.unwrap());
            assert_eq!(get().await.unwrap(), None);
        }
        assert_eq!(session.list(Space::Revoked).await.unwrap(), []);
        let mut keys: Vec<_> = (0..600).map(|n| format!("key {n:03}")).collect();
        for key in &keys {
            let value = Some(key.as_bytes().to_vec());
            assert!(session.set(Space::Revoked, key, value, Expected::Any).await.unwrap());
        }
        session.set(Space::Lasting, "epoch", Some(b"x".to_vec()), Expected::Any).await.unwrap();
        session.set(Space::Revoked, &keys.remove(7), None, Expected::Any).await.unwrap();
        let listed = session.list(Space::Revoked).await.unwrap();
        assert!(listed.iter().all(|(key, cell)| key.as_bytes() == cell.value));
        assert_eq!(listed.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), keys);
    }
}

#[tokio::test]
async fn a_lost_connection_is_not_made_again() {
    for server in servers() {
        let proxy = Proxy::start(server.address()).unwrap();
        let backend = Nats::new(Options::new(proxy.address().to_string()));
        let session = backend.connect().await.unwrap();
        let history = session.history().await.unwrap();
        let end = append(&session, 1).await;
        session.read(Offset::ZERO).await.unwrap();
        let (read, ()) = tokio::join!(session.read(end), async { proxy.cut() });
        assert!(matches!(read, Err(Failure::Lost(_))), "{read:?}");
        // The client may have connected again by now.
        assert!(matches!(session.bounds().await, Err(Failure::Lost(_))));
        assert!(matches!(session.read(end).await, Err(Failure::Lost(_))));
        let session = backend.connect().await.unwrap();
        assert_eq!(session.history().await.unwrap(), history, "it is the same server");
        server.pause().unwrap();
        // Some of its threads may go on for a moment.
        let lost = loop {
            if let Err(failure) = session.bounds().await {
                break failure;
            }
        };
        let appended = session.append(&group(2, 1, None)).await;
        server.resume().unwrap();
        assert!(
            matches!((&lost, &appended), (Failure::Lost(_), Err(Failure::Lost(_)))),
            "{lost} {appended:?}"
        );
    }
}

#[tokio::test]
async fn a_server_that_begins_again_has_another_history() {
    for server in servers() {
        let session = connect(&server).await;
        let history = session.history().await.unwrap();
        let end = append(&session, 1).await;
        server.kill().unwrap();
        server.restart().unwrap();
        assert!(matches!(session.read(end).await, Err(Failure::Lost(_))));
        let session = connect(&server).await;
        let again = session.history().await.unwrap();
        assert_ne!(again, history);
        assert_eq!(session.bounds().await.unwrap().head, end, "it was on disk");
        ask(&server, "STREAM.DELETE.forebay", "").await;
        assert!(session.append(&group(2, 1, None)).await.is_err(), "there is no stream");
        let made = connect(&server).await;
        assert_ne!(made.history().await.unwrap(), again);
        append(&made, 3).await;
        for lost in [session.bounds().await.map(drop), session.read(end).await.map(drop)] {
            assert!(matches!(lost, Err(Failure::Lost(_))), "it is another stream: {lost:?}");
        }
    }
}

/// Connects, and is refused for this reason.
async fn refused(options: Options, why: &str) {
    match Nats::new(options).connect().await {
        Err(Failure::Refused(said) | Failure::Full(said)) => {
            assert!(said.contains(why), "{said}");
            assert!(!said.contains("s3cret") && !said.contains('\n'), "{said}");
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_does_not_fit_is_refused() {
    for build in forebay_rig::Nats::builds() {
        let asks = server(build, |options| options.user("me", "s3cret"));
        refused(options(&asks), "refuses the login").await;
        refused(options(&asks).user("me", "s3cret too"), "refuses the login").await;
        refused(options(&asks).token("s3cret"), "refuses the login").await;
        let url = Options::from_url(&format!("{}?name=forebay", asks.url())).unwrap();
        Nats::new(url).connect().await.unwrap();
        let asks = server(build, |options| options.token("s3cret"));
        Nats::new(options(&asks).token("s3cret")).connect().await.unwrap();

        let tls = server(build, NatsOptions::tls);
        let authority = &tls.certificates().unwrap().authority;
        refused(options(&tls).tls(), "TLS fails").await;
        Nats::new(options(&tls).tls().authority(authority)).connect().await.unwrap();
        refused(options(&asks).token("s3cret").tls().authority(authority), "TLS").await;

        let small = server(build, |options| options.configure("max_payload: 1KB"));
        refused(options(&small), "max_payload").await;
        let middle = server(build, |options| options.configure("max_payload: 128KB"));
        let backend = Nats::new(options(&middle));
        let session = backend.connect().await.unwrap();
        let body = vec![b'x'; backend_body_max(&backend)].into();
        let end = session.append(&Group { body, ..group(1, 1, None) }).await.unwrap();
        assert_eq!(session.read(Offset::ZERO).await.unwrap()[0].end, end);

        let full = server(build, |options| options.store_bytes_max(32 << 20));
        refused(options(&full), "storage").await;
        Nats::new(options(&full).keep_bytes(16 << 20)).connect().await.unwrap();
        refused(options(&full).replicas(3), "replicas").await;
    }
}

fn backend_body_max(backend: &Nats) -> usize {
    let bytes = forebay_shared::Backend::body_bytes_max(backend);
    assert!(bytes < 128 << 10);
    bytes
}

#[tokio::test]
async fn rights_that_are_missing_are_named() {
    let rights = |denied: &str| {
        let user = format!(
            "user: me, password: s3cret, permissions {{ publish {{ deny: [{denied:?}] }} }}"
        );
        server(Build::Installed, |options| {
            options.configure(&format!("authorization {{ users: [{{ {user} }}] }}"))
        })
    };
    for denied in ["forebay", "$JS.API.STREAM.INFO.forebay", "$JS.API.STREAM.CREATE.*"] {
        let server = rights(denied);
        refused(options(&server).user("me", "s3cret"), "ermission").await;
    }
    let server = rights("$KV.forebay-cells.>");
    let session = Nats::new(options(&server).user("me", "s3cret")).connect().await.unwrap();
    let set = session.set(Space::Lasting, "epoch", Some(b"x".to_vec()), Expected::Any).await;
    assert!(matches!(set, Err(Failure::Refused(_))), "{set:?}");
}

#[tokio::test]
async fn streams_of_others_are_left_alone() {
    for server in servers() {
        let stream = r#"{"name":"forebay","subjects":["forebay"],"storage":"file"}"#;
        ask(&server, "STREAM.CREATE.forebay", stream).await;
        refused(options(&server), "another application's").await;
        let stream = r#"{"name":"shop","subjects":["shop"],"storage":"memory","description":"Forebay: log"}"#;
        ask(&server, "STREAM.CREATE.shop", stream).await;
        refused(options(&server).name("shop"), "its storage is not file").await;
        let stream = r#"{"name":"orders","subjects":["hall"],"storage":"file"}"#;
        ask(&server, "STREAM.CREATE.orders", stream).await;
        refused(options(&server).name("hall"), "subjects overlap").await;
        // Two logs beside each other.
        let [one, other] = ["one", "other"].map(|name| Nats::new(options(&server).name(name)));
        let (one, other) = (one.connect().await.unwrap(), other.connect().await.unwrap());
        append(&one, 1).await;
        assert_eq!(other.bounds().await.unwrap().head, Offset::ZERO);
    }
}

#[tokio::test]
async fn messages_of_others_are_passed_over() {
    for server in servers() {
        let session = connect(&server).await;
        let client = async_nats::connect(server.url()).await.unwrap();
        let large = vec![b'x'; session_max(&client)];
        for payload in [b"hello".to_vec(), large] {
            client.request("forebay", payload.into()).await.unwrap();
        }
        let end = append(&session, 1).await;
        let mut all = session.read(Offset::ZERO).await.unwrap();
        while let Some(last) = all.last().map(|group| group.end)
            && last != end
        {
            all.extend(session.read(last).await.unwrap());
        }
        let epochs: Vec<_> = all.iter().map(|group| group.epoch).collect();
        assert_eq!(epochs, [Epoch(0), Epoch(0), Epoch(u64::MAX)], "an epoch that never counts");
    }
}

fn session_max(client: &async_nats::Client) -> usize {
    client.server_info().max_payload
}

/// What is set aside for the log stays the log's; cells take the rest, until there is none.
#[tokio::test]
async fn a_full_storage_is_named() {
    for build in forebay_rig::Nats::builds() {
        let server = server(build, |options| options.store_bytes_max(32 << 20));
        let backend = Nats::new(options(&server).keep_bytes(16 << 20));
        let session = backend.connect().await.unwrap();
        let mut taken = 0;
        let refused = loop {
            let value = Some(vec![b'x'; 512 << 10]);
            let key = taken.to_string();
            match session.set(Space::Lasting, &key, value, Expected::Any).await {
                Ok(_) => taken += 1,
                Err(failure) => break failure,
            }
            assert!(taken < 1_000, "it has no end");
        };
        assert!(matches!(&refused, Failure::Full(_)), "{taken} {refused}");
    }
}

/// The files of a folder, as they are.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test]
async fn an_older_copy_is_another_history() {
    for server in servers() {
        let session = connect(&server).await;
        let kept = append(&session, 1).await;
        server.stop().unwrap();
        let data = server.data();
        let older = data.with_extension("older");
        copy(&data, &older);
        server.restart().unwrap();
        let session = connect(&server).await;
        let history = session.history().await.unwrap();
        append(&session, 2).await;
        server.stop().unwrap();
        std::fs::remove_dir_all(&data).unwrap();
        copy(&older, &data);
        server.restart().unwrap();
        let session = connect(&server).await;
        assert_eq!(session.bounds().await.unwrap().head, kept);
        assert_ne!(session.history().await.unwrap(), history);
    }
}
