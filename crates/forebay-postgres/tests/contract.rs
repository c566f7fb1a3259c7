//! The contract of log stores, on a real Postgres.
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use forebay_log::{Epoch, Offset};
use forebay_postgres::{Connection, Postgres};
use forebay_rig::{Direction, Losing, PgBouncer, Server as _};
use forebay_shared::{
    Backend as _, EPOCH, Expected, Failure, Group, Session as _, SharedLog, Space,
};
use forebay_store::LogStore;
use forebay_store_tests::{Fault, World};
use tokio::runtime::Runtime;

struct Real {
    server: Arc<forebay_rig::Postgres>,
    proxy: Losing,
    runtime: &'static Runtime,
    /// Its schema: worlds share a server.
    name: String,
}

impl Real {
    fn new(server: Arc<forebay_rig::Postgres>, runtime: &'static Runtime, number: u32) -> Self {
        let proxy = Losing::start(server.address()).unwrap();
        Self { server, proxy, runtime, name: format!("world_{number}") }
    }

    fn sql(&self, statement: &str) {
        self.server.sql(&statement.replace("NAME", &self.name)).unwrap();
    }
}

impl World for Real {
    fn node(&mut self) -> Option<Arc<dyn LogStore>> {
        let url = format!("{}?name={}", self.server.url_at(self.proxy.address()), self.name);
        let postgres = Postgres::from_url(&url).unwrap();
        let open = SharedLog::open(postgres, forebay_shared::Options::default());
        Some(Arc::new(self.runtime.block_on(open).unwrap()))
    }

    fn advance(&mut self) {
        self.proxy.moment();
        std::thread::park_timeout(Duration::from_millis(1));
    }

    fn end(&mut self) {}

    fn fault(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::Request => self.proxy.lose(Direction::ToServer),
            Fault::Answer => self.proxy.lose(Direction::ToClient),
            Fault::Connection => self.proxy.cut(),
            Fault::Trim => self.sql("select NAME.log_trim('0', 0, 100000, 10000)"),
            // As in a table that was restored.
            Fault::Loss => {
                self.proxy.refuse();
                self.sql("delete from NAME.log_groups where ended = (select max(ended) from NAME.log_groups)");
                self.sql("vacuum full NAME.log_groups");
                self.proxy.open();
            }
            _ => return false,
        }
        true
    }
}

#[test]
fn postgres_keeps_the_contract() {
    let server = Arc::new(forebay_rig::Postgres::options().start().unwrap());
    let runtime: &'static Runtime = Box::leak(Box::new(Runtime::new().unwrap()));
    let _entered = runtime.enter();
    let mut number = 0;
    forebay_store_tests::check(|| {
        number += 1;
        Real::new(Arc::clone(&server), runtime, number)
    });
}

async fn connect(url: &str) -> Connection {
    Postgres::from_url(url).unwrap().connect().await.unwrap()
}

fn group(number: u64, epoch: u64) -> Group {
    Group {
        node: u64::MAX,
        number,
        epoch: Epoch(epoch),
        name: None,
        is_mark: false,
        offsets: 2,
        body: Bytes::from_static(b"records"),
    }
}

async fn set_epoch(session: &Connection, epoch: u64, cut: Offset) {
    let value = format!("{{\"epoch\":\"{epoch}\",\"cut\":{},\"history\":\"\"}}", cut.0);
    let value = Some(value.into_bytes());
    assert!(session.set(Space::Lasting, EPOCH, value, Expected::Any).await.unwrap());
}

/// What is trimmed is known for longer, and the floor is exact.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_taken_once_also_when_it_is_trimmed() {
    let server = forebay_rig::Postgres::options().start().unwrap();
    let session = connect(&server.url()).await;
    let named = Group { name: Some("row 1".into()), ..group(1, 7) };
    assert_eq!(session.append(&named).await, Ok(Offset(2)));
    assert_eq!(session.append(&group(2, 7)).await, Ok(Offset(4)));
    let other = Group { node: 1, ..group(1, 7) };
    assert_eq!(session.append(&other).await, Ok(Offset(6)));
    server.sql("select forebay.log_trim('0', 0, 100, 100)").unwrap();
    let bounds = session.bounds().await.unwrap();
    assert_eq!((bounds.trimmed, bounds.head), (Offset(4), Offset(6)));
    assert_eq!(session.read(Offset(3)).await, Err(Failure::Trimmed));
    assert_eq!(session.read(Offset(4)).await.unwrap().len(), 1);
    assert_eq!(session.append(&group(2, 7)).await, Ok(Offset(4)));
    let again = Group { node: 2, name: Some("row 1".into()), ..group(1, 7) };
    assert_eq!(session.append(&again).await, Ok(Offset(2)));
    assert_eq!(session.append(&group(3, 7)).await, Ok(Offset(8)));
}

/// Between the mark of an epoch and its cell a group of the old one may be taken. It never counts, so that it
/// is taken again when it is sent for the new one.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_count_is_not_taken() {
    let server = forebay_rig::Postgres::options().start().unwrap();
    let session = connect(&server.url()).await;
    set_epoch(&session, u64::MAX, Offset::ZERO).await;
    assert_eq!(session.append(&group(1, u64::MAX)).await, Ok(Offset(2)));
    let mark = Group { node: 1, is_mark: true, ..group(1, 8) };
    assert_eq!(session.append(&mark).await, Ok(Offset(4)));
    let late = Group { name: Some("row 2".into()), ..group(2, u64::MAX) };
    assert_eq!(session.append(&late).await, Ok(Offset(6)));
    set_epoch(&session, 8, Offset(4)).await;
    assert_eq!(session.append(&late).await, Err(Failure::OtherEpoch));
    // It stood before the mark.
    assert_eq!(session.append(&Group { number: 1, ..group(1, 8) }).await, Ok(Offset(2)));
    // The next epoch does not take it for one that stood before its mark.
    let mark = Group { node: 3, is_mark: true, ..group(1, 9) };
    assert_eq!(session.append(&mark).await, Ok(Offset(8)));
    set_epoch(&session, 9, Offset(8)).await;
    assert_eq!(session.append(&Group { epoch: Epoch(9), ..late }).await, Ok(Offset(10)));
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_are_compared_and_set() {
    let server = forebay_rig::Postgres::options().start().unwrap();
    let session = connect(&server.url()).await;
    let set = async |value: Option<&str>, expected| {
        let value = value.map(|value| value.as_bytes().to_vec());
        session.set(Space::Passing, "page", value, expected).await.unwrap()
    };
    assert!(!set(Some("a"), Expected::Version(1)).await);
    assert!(set(Some("a"), Expected::Nothing).await);
    assert!(!set(Some("b"), Expected::Nothing).await);
    let version = session.get(Space::Passing, "page").await.unwrap().unwrap().version;
    assert!(set(Some("b"), Expected::Version(version)).await);
    assert!(!set(None, Expected::Version(version)).await);
    server.sql("update forebay.log_cells set set_at = now() - interval '11 minutes'").unwrap();
    assert_eq!(session.get(Space::Passing, "page").await, Ok(None));
    assert!(set(Some("c"), Expected::Nothing).await, "it has expired");
    assert!(set(None, Expected::Any).await);
    assert_eq!(session.get(Space::Passing, "page").await, Ok(None));
}

/// A restart is not another history; another server that takes over is.
#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_takes_over_is_another_history() {
    let server = forebay_rig::Postgres::options().start().unwrap();
    let before = connect(&server.url()).await.history().await.unwrap();
    server.kill().unwrap();
    server.restart().unwrap();
    assert_eq!(connect(&server.url()).await.history().await.unwrap(), before);
    let standby = server.standby(0).unwrap();
    let (place, at) = (standby.address(), server.address());
    let both = Postgres::from_url(&format!("postgres://postgres@{place},{at}/postgres")).unwrap();
    assert_eq!(both.connect().await.unwrap().history().await.unwrap(), before);
    let alone = Postgres::from_url(&standby.url()).unwrap();
    let said = alone.connect().await.unwrap_err();
    assert!(matches!(&said, Failure::Lost(why) if why.contains("standby")), "{said}");
    server.kill().unwrap();
    standby.sql("select pg_promote()").unwrap();
    assert_ne!(both.connect().await.unwrap().history().await.unwrap(), before);
}

async fn refused(url: &str) -> String {
    match Postgres::from_url(url).unwrap().connect().await {
        Err(Failure::Refused(why)) => why,
        other => panic!("{other:?}"),
    }
}

/// One line that says what is to be mended. No password is told.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_at_the_start() {
    let check = async |url: &str, part: &str| {
        let said = refused(url).await;
        assert!(said.contains(part), "{url}: {said}");
        assert!(!said.contains("hunter") && !said.contains('\n'), "{said}");
    };
    let server = forebay_rig::Postgres::options().password("hunter2").start().unwrap();
    let at = server.address();
    check(&format!("postgres://postgres@{at}/postgres"), "asks for a password").await;
    check(&format!("postgres://postgres:hunter3@{at}/postgres"), "password authentication").await;
    check(&format!("postgres://postgres:hunter2@{at}/nowhere"), "does not exist").await;
    check(&format!("{}?sslmode=require", server.url()), "has no TLS").await;
    let open = forebay_rig::Postgres::options().start().unwrap();
    let bouncer = PgBouncer::start(&open).unwrap();
    check(&bouncer.url(), "a pooler").await;
    open.sql("create role app login").unwrap();
    let app = format!("postgres://app@{}/postgres", open.address());
    check(&app, "migrations/0001_log.sql").await;
    connect(&open.url()).await;
    check(&app, "right").await;
    open.sql("update forebay.log_state set version = 2").unwrap();
    check(&open.url(), "version 2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken() {
    let server = forebay_rig::Postgres::options().tls().start().unwrap();
    let authority = server.certificates().unwrap().authority.display().to_string();
    connect(&format!("{}&sslrootcert={authority}", server.url())).await;
    assert!(refused(&server.url()).await.contains("certificate"));
}

/// What can't be compressed, so that a disk is soon full.
fn noise(bytes: u64) -> Bytes {
    let mut state = 1_u64;
    let mut next = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()
    };
    (0..bytes / 8).flat_map(&mut next).collect()
}

/// Publishers are told so, whoever reads goes on, and so do publishers when there is room.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_named() {
    if !forebay_rig::has_small_disks() {
        return;
    }
    let server = forebay_rig::Postgres::options().small_disk(4 << 20).start().unwrap();
    connect(&server.url()).await;
    let disk = server.disk();
    server.sql(&format!("create tablespace small location '{}'", disk.display())).unwrap();
    server.sql("alter table forebay.log_groups set tablespace small").unwrap();
    let session = connect(&server.url()).await;
    let body = noise(100_000);
    let of = |number| Group { body: body.clone(), ..group(number, 1) };
    let mut taken = 0;
    let refused = loop {
        match session.append(&of(taken + 1)).await {
            Ok(_) => taken += 1,
            Err(failure) => break failure,
        }
        assert!(taken < 100, "it never gets full");
    };
    assert!(matches!(&refused, Failure::Full(why) if why.contains("disk is full")), "{refused}");
    assert_eq!(session.bounds().await.unwrap().head, Offset(taken * 2));
    assert!(!session.read(Offset::ZERO).await.unwrap().is_empty());
    server.sql("alter table forebay.log_groups set tablespace pg_default").unwrap();
    assert_eq!(session.append(&of(taken + 1)).await, Ok(Offset(taken * 2 + 2)));
}

/// A database, or a role, may be set to read. The log's own sessions write.
#[tokio::test(flavor = "multi_thread")]
async fn a_default_of_reading_only_does_not_matter() {
    let server = forebay_rig::Postgres::options()
        .configure("default_transaction_read_only = on")
        .configure("synchronous_commit = off")
        .start()
        .unwrap();
    let session = connect(&server.url()).await;
    assert_eq!(session.append(&group(1, 1)).await, Ok(Offset(2)));
    let waits = "select count(*) from pg_stat_activity where application_name = 'forebay'";
    assert_eq!(server.sql(waits).unwrap(), "1");
}

/// A server may ask its clients for a certificate. libpq's names are understood as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_shown_to_whom_asks_for_it() {
    let server = forebay_rig::Postgres::options().tls_both().start().unwrap();
    let files = server.certificates().unwrap();
    let [authority, certificate, key] =
        [&files.authority, &files.certificate, &files.key].map(|file| file.display());
    let with = format!("{}&ca={authority}", server.url());
    let said = refused(&with).await;
    assert!(said.contains("certificate"), "{said}");
    connect(&format!("{with}&certificate={certificate}&key={key}")).await;
    let libpq =
        format!("{}&sslrootcert={authority}&sslcert={certificate}&sslkey={key}", server.url());
    connect(&libpq).await;
    let said = refused(&format!("{with}&certificate={certificate}&key=/nowhere.pem")).await;
    assert!(said.contains("/nowhere.pem can't be read"), "{said}");
}

/// A server that says nothing is lost, and so is one that ends while it is waited for.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_server_is_lost() {
    let server = forebay_rig::Postgres::options().start().unwrap();
    let session = connect(&server.url()).await;
    server.pause().unwrap();
    assert!(matches!(session.append(&group(1, 1)).await, Err(Failure::Lost(_))));
    server.resume().unwrap();
    server.kill().unwrap();
    assert!(matches!(session.read(Offset::ZERO).await, Err(Failure::Lost(_))));
}

#[test]
fn a_url_is_understood_or_refused() {
    let said = |url: &str| Postgres::from_url(url).unwrap_err().to_string();
    assert!(said("postgres://a:hunter2@b/c?nmae=x").contains("nmae"));
    assert!(said("postgres://b/c?name=A").contains("lowercase"));
    assert!(said("postgres://b/c?keep=0").contains("out of bounds"));
    assert!(said("redis://b").contains("postgres://"));
    let two = Postgres::from_url("postgres://a:hunter2@b:1,c:2/d?keep=600&name=chat").unwrap();
    let shown = format!("{two:?} {}", two.address());
    assert!(shown.contains("postgres://b:1,c:2/d") && !shown.contains("hunter2"), "{shown}");
}
