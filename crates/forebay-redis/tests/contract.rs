//! The contract of log stores, on a real Redis.
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::sync::Arc;
use std::time::Duration;

use forebay_redis::{Options, Redis};
use forebay_rig::{Direction, Losing, Server as _};
use forebay_shared::SharedLog;
use forebay_store::LogStore;
use forebay_store_tests::{Fault, World};
use tokio::runtime::Runtime;

struct Real {
    server: Arc<forebay_rig::Redis>,
    proxy: Losing,
    runtime: &'static Runtime,
    /// Its keys begin with it: worlds share a server.
    name: String,
}

impl Real {
    fn new(server: Arc<forebay_rig::Redis>, runtime: &'static Runtime, number: u32) -> Self {
        let proxy = Losing::start(server.address()).unwrap();
        Self { server, proxy, runtime, name: format!("world_{number}") }
    }

    fn command(&self, words: &[&str]) -> String {
        self.server.command(words).unwrap()
    }

    fn key(&self, what: &str) -> String {
        format!("{{{}}}:{what}", self.name)
    }
}

impl World for Real {
    fn node(&mut self) -> Option<Arc<dyn LogStore>> {
        let url = format!("{}/0?name={}", self.server.url_at(self.proxy.address()), self.name);
        let redis = Redis::new(Options::from_url(&url).unwrap());
        let open = SharedLog::open(redis, forebay_shared::Options::default());
        Some(Arc::new(self.runtime.block_on(open).unwrap()))
    }

    fn advance(&mut self) {
        self.proxy.moment();
        std::thread::park_timeout(Duration::from_millis(1));
    }

    fn end(&mut self) {}

    fn fault(&mut self, fault: Fault) -> bool {
        let log = self.key("log");
        match fault {
            Fault::Request => self.proxy.lose(Direction::ToServer),
            Fault::Answer => self.proxy.lose(Direction::ToClient),
            Fault::Connection => self.proxy.cut(),
            Fault::Trim => {
                self.command(&["xtrim", &log, "maxlen", "1"]);
            }
            // As a replica has it that has not heard of the last entry, and takes over.
            Fault::Loss => {
                self.proxy.refuse();
                let last = self.command(&["xrevrange", &log, "+", "-", "count", "1"]);
                let id = last.split_whitespace().find(|word| word.starts_with("0-")).unwrap();
                let before = id.trim_start_matches("0-").parse::<u64>().unwrap() - 1;
                self.command(&["xdel", &log, id]);
                self.command(&["hset", &self.key("state"), "head", &before.to_string()]);
                self.server.kill().unwrap();
                self.server.restart().unwrap();
                self.proxy.open();
            }
            _ => return false,
        }
        true
    }
}

#[test]
fn redis_keeps_the_contract() {
    let server = Arc::new(forebay_rig::Redis::options().append_only().start().unwrap());
    let runtime: &'static Runtime = Box::leak(Box::new(Runtime::new().unwrap()));
    let _entered = runtime.enter();
    let mut number = 0;
    forebay_store_tests::check(|| {
        number += 1;
        Real::new(Arc::clone(&server), runtime, number)
    });
}

async fn refused(url: &str) -> String {
    let redis = Redis::new(Options::from_url(url).unwrap());
    let mut options = forebay_shared::Options::default();
    options.connect_max = Duration::from_secs(1);
    SharedLog::open(redis, options).await.unwrap_err().to_string()
}

/// One line that says where, and what is to be mended. No password is told.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_at_the_start() {
    let check = async |url: &str, part: &str| {
        let said = refused(url).await;
        assert!(said.contains(part), "{url}: {said}");
        assert!(!said.contains("hunter2") && !said.contains('\n'), "{said}");
    };
    check("redis://127.0.0.1:1", "can't be reached").await;
    let options = || forebay_rig::Redis::options();
    let server = options().user("me", "hunter2").start().unwrap();
    let at = server.address();
    check(&format!("redis://{at}"), "user and password").await;
    check(&format!("redis://me:hunter3@{at}"), "user and password").await;
    let evicting = options().memory("100mb", "allkeys-lru").start().unwrap();
    check(&evicting.url(), "set noeviction").await;
    let foreign = options().start().unwrap();
    foreign.command(&["set", "{forebay}:log", "1"]).unwrap();
    check(&foreign.url(), "is a string").await;
    let replica = options().replica_of(&foreign).start().unwrap();
    check(&replica.url(), "no primary").await;
    let cluster = options().configure("cluster-enabled yes").start().unwrap();
    check(&cluster.url(), "Redis Cluster").await;
    let other = options().start().unwrap();
    other.command(&["xadd", "{forebay}:log", "*", "orders", "1"]).unwrap();
    check(&other.url(), "another application's").await;
    other.command(&["hset", "{forebay}:state", "version", "2"]).unwrap();
    check(&other.url(), "version 2").await;
}

/// Each right that is missing is named at the start, also those that are needed later.
#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_missing_are_named_at_the_start() {
    let server = forebay_rig::Redis::options().start().unwrap();
    let url = format!("redis://me:hunter2@{}", server.address());
    let check = async |takes: &str, parts: &[&str]| {
        let user = format!(
            "acl setuser me reset on >hunter2 ~{{forebay}}:* +@read +@write +@transaction +@scripting +@connection +info +time {takes}"
        );
        server.command(&user.split_whitespace().collect::<Vec<_>>()).unwrap();
        let said = refused(&url).await;
        assert!(parts.iter().all(|part| said.contains(part)), "{takes}: {said}");
        assert!(!said.contains("hunter2") && !said.contains('\n'), "{said}");
    };
    check("-xadd", &["may not use XADD: grant ~{forebay}:* +@read"]).await;
    check("-@scripting", &["may not use EVALSHA, SCRIPT LOAD:"]).await;
    check("-xsetid -time", &["may not use XSETID, TIME:"]).await;
    check("-@transaction", &["may not use MULTI"]).await;
    check("-info", &["may not use INFO:"]).await;
    check("resetkeys ~{chat}:*", &["may not use its keys: grant ~{forebay}:*"]).await;
    check("resetkeys %R~{forebay}:*", &["may not use its keys:"]).await;
    check("-@write", &["SET", "XADD", "ZREMRANGEBYSCORE"]).await;
}

/// A server that is full takes nothing more, and says so; pages are told what they lack when it does again.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_refuses_and_goes_on() {
    use forebay_log::{Class, Content, Message, UnixMillis};
    use forebay_store::Batch;
    let server = forebay_rig::Redis::options().memory("3mb", "noeviction").start().unwrap();
    let redis = Redis::new(Options::from_url(&server.url()).unwrap());
    let log = SharedLog::open(redis, forebay_shared::Options::default()).await.unwrap();
    let copy = forebay_store_tests::Copy::follow(&log, None).unwrap();
    let append = || {
        let message = Message::json(format!("{:?}", "x".repeat(100_000)));
        let content = Content::Entry { stream: "room".into(), message, class: Class::Log };
        log.append(Batch::new(UnixMillis(1), vec![content]))
    };
    let mut taken = 0;
    let error = loop {
        assert!(taken < 100, "it never gets full");
        match append().await {
            Ok(_) => taken += 1,
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("it is full"), "{error}");
    server.command(&["config", "set", "maxmemory", "100mb"]).unwrap();
    append().await.unwrap();
    assert_eq!(copy.records().len(), taken + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken() {
    let server = forebay_rig::Redis::options().user("me", "hunter2").tls().start().unwrap();
    let authority = server.certificates().unwrap().authority.display().to_string();
    let url = format!("{}?ca={authority}", server.url());
    let redis = Redis::new(Options::from_url(&url).unwrap());
    SharedLog::open(redis, forebay_shared::Options::default()).await.unwrap();
    let said = refused(&server.url()).await;
    assert!(said.contains("TLS fails") && said.contains("certificate"), "{said}");
    let said = refused(&format!("{}?ca=/nowhere.pem", server.url())).await;
    assert!(said.contains("/nowhere.pem can't be read"), "{said}");
}

/// A server may ask its clients for a certificate.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_shown_to_whom_asks_for_it() {
    let server = forebay_rig::Redis::options().tls_both().start().unwrap();
    let files = server.certificates().unwrap();
    let [authority, certificate, key] =
        [&files.authority, &files.certificate, &files.key].map(|file| file.display());
    let with = format!("{}?ca={authority}", server.url());
    let said = refused(&with).await;
    assert!(said.contains("TLS fails"), "{said}");
    let wrong = refused(&format!("{with}&certificate={certificate}&key={authority}")).await;
    assert!(wrong.contains("key can't be used"), "{wrong}");
    let url = format!("{with}&certificate={certificate}&key={key}");
    let redis = Redis::new(Options::from_url(&url).unwrap());
    SharedLog::open(redis, forebay_shared::Options::default()).await.unwrap();
}
