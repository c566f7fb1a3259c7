//! Where Sentinels say which server has the log.

#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use forebay_log::{Class, Content, Epoch, Message, Offset, UnixMillis};
use forebay_redis::{Options, Redis};
use forebay_rig::{Sentinel, Server as _};
use forebay_shared::{Backend as _, Failure, SharedLog};
use forebay_store::{AppendError, Batch, LogStore as _};
use forebay_store_tests::Copy;

fn batch(text: &str) -> Batch {
    let message = Message::json(format!("{text:?}"));
    let content = Content::Entry { stream: "room".into(), message, class: Class::Log };
    Batch::new(UnixMillis(1), vec![content])
}

fn backend(url: &str) -> Redis {
    Redis::new(Options::from_url(url).unwrap())
}

/// Both speak TLS, and both ask who one is. What is wrong is said of whom it is about.
#[tokio::test(flavor = "multi_thread")]
async fn sentinels_have_a_login_and_tls_of_their_own() {
    let primary = forebay_rig::Redis::options().user("me", "hunter2").tls().start().unwrap();
    let sentinel = Sentinel::start_for(&primary, "you", "s3cret").unwrap();
    let authority = primary.certificates().unwrap().authority.display();
    let at = sentinel.address();
    let url = |scheme: &str, login: &str, options: &str| {
        format!("{scheme}+sentinel://{login}@{at}/forebay?{options}")
    };
    let right = format!("ca={authority}&sentinel_user=you&sentinel_password=s3cret");
    backend(&url("rediss", "me:hunter2", &right)).connect().await.unwrap();
    let check = async |url: &str, parts: [&str; 2]| {
        let Err(Failure::Refused(said)) = backend(url).connect().await else {
            panic!("not refused: {url}")
        };
        assert!(parts.iter().all(|part| said.contains(part)), "{url}: {said}");
        assert!(
            !said.contains("hunter") && !said.contains("s3c") && !said.contains('\n'),
            "{said}"
        );
    };
    let wrong = format!("ca={authority}&sentinel_user=you&sentinel_password=s3crets");
    check(&url("rediss", "me:hunter2", &wrong), ["a Sentinel refuses", "user and password"]).await;
    let none = format!("ca={authority}");
    check(&url("rediss", "me:hunter2", &none), ["a Sentinel refuses", "user and password"]).await;
    check(&url("rediss", "me:hunter3", &right), ["it does not know", "user and password"]).await;
    let untrusted = "sentinel_user=you&sentinel_password=s3cret";
    check(&url("rediss", "me:hunter2", untrusted), ["a Sentinel refuses", "TLS fails"]).await;
    let unknown = url("rediss", "me:hunter2", &right).replace("/forebay?", "/other?");
    match backend(&unknown).connect().await {
        Err(Failure::Lost(why)) => assert!(why.contains("no primary of other"), "{why}"),
        other => panic!("{:?}", other.err()),
    }
}

/// Two nodes, and what each has of the log.
struct Nodes([(SharedLog<Redis>, Arc<Copy>); 2]);

impl Nodes {
    async fn start(url: &str) -> Self {
        let start = async || {
            let mut options = forebay_shared::Options::default();
            // A Sentinel decides for as long as it likes.
            options.append_max = Duration::from_mins(1);
            let log = SharedLog::open(backend(url), options).await.unwrap();
            let copy = Copy::follow(&log, None).unwrap();
            (log, copy)
        };
        Self([start().await, start().await])
    }

    fn epoch(&self, node: usize) -> Epoch {
        self.0[node].1.position().epoch
    }

    async fn append(&self, node: usize, text: &str) -> Result<Offset, AppendError> {
        self.0[node].0.append(batch(text)).await
    }

    /// Both publish one text after the other while something happens, until both are in another epoch. Gives how many
    /// were acknowledged.
    async fn publish_during(&self, happens: impl FnOnce()) -> usize {
        let before = self.epoch(0);
        let has_happened = AtomicBool::new(false);
        let publish = async |node: usize| {
            let mut count = 0;
            let is_over = || {
                has_happened.load(Ordering::Relaxed)
                    && [0, 1].iter().all(|node| self.epoch(*node) != before)
            };
            while !is_over() {
                let text = format!("{before:?} {node} {count}");
                count += usize::from(self.append(node, &text).await.is_ok());
            }
            count
        };
        let happens = async {
            tokio::task::block_in_place(happens);
            has_happened.store(true, Ordering::Relaxed);
        };
        let (one, other, ()) = tokio::join!(publish(0), publish(1), happens);
        one + other
    }

    /// All that is acknowledged from here on is in both copies, in one order, once.
    async fn check(&self) {
        let expected: Vec<_> =
            (0..50).map(|count| format!("{:?} {count}", self.epoch(0))).collect();
        for (count, text) in expected.iter().enumerate() {
            self.append(count % 2, text).await.unwrap();
        }
        // Behind this both have all of it.
        self.append(0, "last").await.unwrap();
        self.append(1, "last").await.unwrap();
        for (_, copy) in &self.0 {
            let texts: Vec<_> = copy.contents().iter().filter_map(text).collect();
            let ours: Vec<_> = texts.iter().filter(|text| expected.contains(text)).collect();
            assert_eq!(ours, expected.iter().collect::<Vec<_>>());
            let numbered: Vec<_> = texts.iter().filter(|text| *text != "last").collect();
            let distinct: HashSet<_> = numbered.iter().collect();
            assert_eq!(distinct.len(), numbered.len(), "nothing comes twice");
        }
    }
}

/// It is refused until the Sentinel has asked the replica how it is, which it does every few seconds.
fn fail_over(sentinel: &Sentinel) {
    let begun = Instant::now();
    while let Err(error) = sentinel.command(&["sentinel", "failover", "forebay"]) {
        let is_too_soon = error.to_string().contains("NOGOODSLAVE");
        assert!(is_too_soon && begun.elapsed() < Duration::from_mins(1), "{error}");
    }
}

fn text(content: &Content) -> Option<String> {
    match content {
        Content::Entry { message, .. } => Some(message.as_json().trim_matches('"').to_owned()),
        Content::Control(_) => None,
    }
}

/// The replica takes the primary's place while two nodes publish: because the Sentinel is told so, and because the
/// primary is gone. Another epoch begins each time, so pages are told; and both nodes go on in one history.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_silent_while_a_sentinel_fails_over() {
    let server = || forebay_rig::Redis::options().user("me", "hunter2");
    let first = server().start().unwrap();
    let second = server().replica_of(&first).start().unwrap();
    first.wait_for_replica().unwrap();
    let sentinel = Sentinel::start(&first).unwrap();
    sentinel.process().wait_for("+slave").unwrap();
    let nodes =
        Nodes::start(&format!("redis+sentinel://me:hunter2@{}/forebay", sentinel.address())).await;
    nodes.check().await;
    let acknowledged = nodes.publish_during(|| {
        fail_over(&sentinel);
        sentinel.process().wait_for("+failover-end master").unwrap();
    });
    assert_ne!(acknowledged.await, 0);
    nodes.check().await;
    second.wait_for_replica().unwrap();
    assert_ne!(nodes.publish_during(|| second.kill().unwrap()).await, 0);
    nodes.check().await;
    assert!(first.command(&["role"]).unwrap().starts_with("master"));
}
