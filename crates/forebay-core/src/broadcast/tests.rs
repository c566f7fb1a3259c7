//! What becomes of broadcasts, read back from the log.

use std::sync::Arc;
use std::time::Duration;

use forebay_log::Position;
use forebay_turbo::{Html, ModelName, RecordKey, RenderError, StreamNameError, TurboStream};

use super::*;
use crate::{Forebay, suppressing, suppressing_all};

#[derive(Clone)]
struct Message(u32);

impl Record for Message {
    fn model() -> &'static ModelName {
        static MODEL: std::sync::LazyLock<ModelName> =
            std::sync::LazyLock::new(|| ModelName::new("Message"));
        &MODEL
    }

    fn key(&self) -> Option<RecordKey> {
        Some(self.0.into())
    }
}

impl Streamable for Message {
    fn write_parts(
        &self,
        name: &mut forebay_turbo::StreamNameBuilder<'_>,
    ) -> Result<(), StreamNameError> {
        name.push_record(Self::model(), self.key().as_ref())
    }
}

impl Render for Message {
    fn to_html(&self) -> Result<Html, RenderError> {
        match self.0 {
            13 => Err(RenderError::new("unlucky")),
            14 => panic!("unluckier"),
            n => Ok(Html::raw(format!("<p>{n}</p>"))),
        }
    }
}

fn forebay() -> Forebay {
    Forebay::builder().secret("a secret for tests").build().unwrap()
}

fn html(forebay: &Forebay, stream: impl Streamable, since: Position) -> Vec<String> {
    let entries = forebay.replay(stream, since).unwrap();
    entries.iter().map(|entry| entry.html().unwrap()).collect()
}

fn refresh(attributes: &str) -> String {
    format!("<turbo-stream {attributes}action=\"refresh\"></turbo-stream>")
}

#[tokio::test]
async fn later_broadcasts_keep_their_order_and_what_fails_is_a_gap() {
    let forebay = forebay();
    let start = forebay.position();
    let broadcast = forebay.broadcast();
    for n in 11..=16 {
        let sent = broadcast.append_later_to("list", Message(n)).await.unwrap();
        assert_eq!(sent, Sent::Later);
    }
    broadcast.replace_later(Message(1)).html(Html::raw("x")).await.unwrap();
    forebay.core.publisher.flush().await;
    assert_eq!(forebay.stats().gaps, 2, "its pages load themselves again");
    let Err(crate::ReplayError::Gap(forebay_log::Gap::Forgotten(gap))) =
        forebay.replay("list", start)
    else {
        panic!("what came before can't be replayed without what failed");
    };
    let after = Position { offset: gap, ..start };
    let expected = [15, 16].map(|n| {
        format!(r#"<turbo-stream action="append" target="messages"><template><p>{n}</p></template></turbo-stream>"#)
    });
    assert_eq!(html(&forebay, "list", after), expected);
    let own = html(&forebay, Message(1), start);
    assert_eq!(
        own,
        [
            r#"<turbo-stream action="replace" target="message_1"><template>x</template></turbo-stream>"#
        ]
    );
}

/// For protocols that say it in another way than Turbo's HTML.
#[tokio::test]
async fn a_tag_says_what_it_does_beside_its_html() {
    let forebay = forebay();
    let start = forebay.position();
    let broadcast = forebay.broadcast();
    broadcast.append_to("list", &Message(1)).await.unwrap();
    broadcast.refresh_to("list").await.unwrap();
    broadcast.json_to("list", &1).await.unwrap();
    let entries = forebay.core.hub.replay("list", start).unwrap();
    let actions: Vec<_> = entries.iter().map(|entry| entry.message.action()).collect();
    let action = |name: &str, targets| forebay_log::Action { name: name.into(), targets };
    let append = action("append", forebay_log::Targets::Id("messages".into()));
    let refresh = action("refresh", forebay_log::Targets::Page);
    assert_eq!(actions, [Some(&append), Some(&refresh), None]);
}

/// A runtime that ends takes no broadcast with it.
#[test]
fn later_broadcasts_are_sent_when_their_runtime_ends() {
    let forebay = forebay();
    let start = forebay.position();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        // Nobody gives the worker a turn.
        forebay.broadcast().append_later_to("list", Message(1)).await.unwrap();
    });
    drop(runtime);
    assert_eq!(html(&forebay, "list", start).len(), 1);
}

/// Whoever asked for them has gone on when the disk refuses.
#[tokio::test]
async fn a_debounced_refresh_that_the_disk_does_not_take_is_a_gap() {
    const WINDOW: Duration = Duration::from_hours(1);
    let folder = tempfile::TempDir::new().unwrap();
    let builder = Forebay::builder().secret("a secret for tests").refresh_window(WINDOW);
    let forebay = builder.file_log(folder.path(), crate::Fsync::Os).build().unwrap();
    let broadcast = forebay.broadcast();
    for _ in 0..2 {
        broadcast.refresh_later_to("board").await.unwrap();
    }
    let start = forebay.position();
    forebay.core.hub.fail_next_for_tests(2);
    tokio::time::pause();
    tokio::time::sleep(WINDOW).await;
    // The time is over; the disk's thread takes its own.
    let began = std::time::Instant::now();
    while forebay.stats().gaps == 0 {
        assert!(began.elapsed() < Duration::from_mins(1), "its pages are told nothing");
        tokio::task::yield_now().await;
    }
    assert_eq!(forebay.stats().gaps, 1);
    assert!(forebay.replay("board", start).is_err());
}

#[tokio::test]
async fn suppression_is_by_model_nests_and_ends() {
    let forebay = forebay();
    let (start, broadcast) = (forebay.position(), forebay.broadcast());
    suppressing::<Message, _>(async {
        assert_eq!(broadcast.append_to("s", &Message(1)).await.unwrap(), Sent::Suppressed);
        assert_eq!(broadcast.refresh_later(&Message(1)).await.unwrap(), Sent::Suppressed);
        let tags = TurboStream::remove("x");
        assert!(matches!(broadcast.stream_to("s", tags).await.unwrap(), Sent::Published { .. }));
        suppressing_all(async {
            let tags = TurboStream::remove("y");
            assert_eq!(broadcast.stream_to("s", tags).await.unwrap(), Sent::Suppressed);
        })
        .await;
    })
    .await;
    broadcast.remove_to("s", &Message(1)).await.unwrap();
    assert_eq!(html(&forebay, "s", start).len(), 2);
}

#[tokio::test]
async fn suppressed_records_are_not_even_rendered() {
    let broadcast = forebay().broadcast();
    suppressing::<Message, _>(async {
        assert_eq!(broadcast.append_to("s", &Message(14)).await.unwrap(), Sent::Suppressed);
    })
    .await;
    broadcast.remove_to("s", &Message(14)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn steady_refreshes_go_out_once_per_window_and_the_last_is_never_dropped() {
    let forebay = forebay();
    let (start, broadcast) = (forebay.position(), forebay.broadcast());
    let count = || html(&forebay, "board", start).len();
    broadcast.refresh_later_to("board").await.unwrap();
    assert_eq!(count(), 1, "the first goes out at once");
    for _ in 0..100 {
        assert_eq!(broadcast.refresh_later_to("board").await.unwrap(), Sent::Debounced);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    // Two seconds of steady changes: turbo-rails would not have sent anything yet.
    assert_eq!(count(), 1 + 4);
    tokio::time::sleep(Duration::from_millis(501)).await;
    assert_eq!(count(), 1 + 4, "all of them were sent");
    tokio::time::sleep(Duration::from_secs(10)).await;
    broadcast.refresh_later_to("board").await.unwrap();
    assert_eq!(count(), 1 + 4 + 1, "at once again after a quiet window");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_stands_for_several_requests_carries_no_id() {
    let forebay = forebay();
    let start = forebay.position();
    let by = |id: &str| Broadcaster::new(Arc::clone(&forebay.core), Some(id.into()));
    let window = Duration::from_millis(501);
    by("ada").refresh_later_to("board").await.unwrap();
    by("ada").refresh_later_to("board").await.unwrap();
    by("ada").refresh_later_to("board").await.unwrap();
    tokio::time::sleep(window).await;
    by("ada").refresh_later_to("board").await.unwrap();
    by("grace").refresh_later_to("board").morph().await.unwrap();
    by("ada").refresh_later_to("board").morph().await.unwrap();
    tokio::time::sleep(window).await;
    let ada = refresh(r#"request-id="ada" "#);
    let expected = [ada.clone(), ada, refresh(r#"method="morph" "#)];
    assert_eq!(html(&forebay, "board", start), expected);
}

#[test]
fn later_and_debounced_broadcasts_outlive_their_first_runtime() {
    let forebay = forebay();
    let start = forebay.position();
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let broadcast = forebay.broadcast();
            broadcast.refresh_later_to("board").await.unwrap();
            broadcast.refresh_later_to("board").await.unwrap();
            broadcast.append_later_to("s", Message(1)).await.unwrap();
            forebay.core.publisher.flush().await;
            broadcast.refresh_later_to("board").await.unwrap();
        });
    }
    assert_eq!(html(&forebay, "s", start).len(), 2);
    assert_eq!(html(&forebay, "board", start).len(), 6, "what waited was sent at the end");
}

#[tokio::test(start_paused = true)]
async fn shutting_down_sends_what_waits() {
    let forebay = forebay();
    let (start, broadcast) = (forebay.position(), forebay.broadcast());
    broadcast.refresh_later_to("board").await.unwrap();
    broadcast.refresh_later_to("board").await.unwrap();
    broadcast.append_later_to("board", Message(1)).await.unwrap();
    forebay.shut_down(Duration::ZERO).await;
    assert_eq!(html(&forebay, "board", start).len(), 3);
}

#[tokio::test]
async fn a_refresh_leaves_out_the_page_that_caused_it_unless_told_otherwise() {
    let forebay = forebay();
    let start = forebay.position();
    let broadcast = Broadcaster::new(Arc::clone(&forebay.core), Some("r1".into()));
    broadcast.refresh_to("board").await.unwrap();
    broadcast.refresh_to("board").to_everybody().await.unwrap();
    broadcast.refresh_to("board").request_id("r2").morph().await.unwrap();
    let expected = [
        refresh(r#"request-id="r1" "#),
        refresh(""),
        refresh(r#"request-id="r2" method="morph" "#),
    ];
    assert_eq!(html(&forebay, "board", start), expected);
}

#[tokio::test]
async fn state_keeps_only_what_a_replay_needs() {
    let forebay = forebay();
    let (start, broadcast) = (forebay.position(), forebay.broadcast());
    for n in 1..=3 {
        let text = n.to_string();
        broadcast.update_to("s", &Message(1)).text(&text).state().await.unwrap();
        broadcast.update_to("s", &Message(2)).text(&text).state().await.unwrap();
    }
    let kept = html(&forebay, "s", start);
    assert_eq!(kept.len(), 2, "{kept:#?}");
    broadcast.remove_to("s", &Message(1)).state().await.unwrap();
    assert_eq!(html(&forebay, "s", start).len(), 1 + 1);
}

#[tokio::test]
async fn ephemeral_broadcasts_are_not_replayed() {
    let forebay = forebay();
    let (start, broadcast) = (forebay.position(), forebay.broadcast());
    broadcast.json_to("s", &serde_json::json!({ "typing": "ada" })).ephemeral().await.unwrap();
    assert_eq!(html(&forebay, "s", start), [""; 0]);
    assert_eq!(forebay.position().offset.0, start.offset.0 + 1);
}

#[tokio::test]
async fn what_its_action_ignores_is_an_error_and_not_silence() {
    let forebay = forebay();
    let (start, broadcast) = (forebay.position(), forebay.broadcast());
    let check = async |draft: Broadcast<'_, AnyAction>, expected: &str| {
        let error = draft.await.unwrap_err();
        assert!(matches!(error, BroadcastError::Ineffective { .. }), "{error}");
        assert_eq!(error.to_string(), expected);
    };
    let on = |action| broadcast.action_to("s", action, &Message(1));
    check(on("append").state(), ".state() does nothing for the action `append`").await;
    check(on("highlight").state(), ".state() does nothing for the action `highlight`").await;
    check(on("prepend").morph(), ".morph() does nothing for the action `prepend`").await;
    check(on("remove").text("x"), ".text() does nothing for the action `remove`").await;
    check(on("refresh").target("x"), ".target() does nothing for the action `refresh`").await;
    let action = on("append").attribute("action", "remove");
    check(action, ".attribute(\"action\", …) does nothing for the action `append`").await;
    let target = on("append").attribute("targets", "p").target("x");
    check(target, ".attribute(\"target\", …) does nothing for the action `append`").await;
    assert_eq!(html(&forebay, "s", start), [""; 0]);
    on("replace").state().morph().target("x").text("x").await.unwrap();
    on("highlight").morph().without_content().await.unwrap();
    assert_eq!(html(&forebay, "s", start).len(), 2);
}

#[tokio::test]
async fn a_target_that_finds_nothing_is_an_error() {
    let forebay = forebay();
    let (start, broadcast) = (forebay.position(), forebay.broadcast());
    let check = async |error: BroadcastError, expected: &str| {
        assert!(matches!(error, BroadcastError::Target(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    let to = |target: &str| broadcast.update_to("s", &Message(1)).target(target);
    let selector = r##""#now" is a selector"##;
    check(to("#now").await.unwrap_err(), selector).await;
    check(to(".now").await.unwrap_err(), r#"".now" is a selector"#).await;
    check(to(" ").await.unwrap_err(), "blank").await;
    check(broadcast.before_to("s", "#now", &Message(1)).await.unwrap_err(), selector).await;
    let later = broadcast.append_later_to("s", Message(1)).target("#now");
    check(later.await.unwrap_err(), selector).await;
    let tags = [TurboStream::remove("fine"), TurboStream::remove("#now")];
    check(broadcast.stream_to("s", tags).await.unwrap_err(), selector).await;
    assert_eq!(html(&forebay, "s", start), [""; 0]);
    to("#now").target("now").await.unwrap();
    to("x").targets("#now").await.unwrap();
    assert_eq!(html(&forebay, "s", start).len(), 2, "the last target counts");
}

/// A record without a key, as it is before it is inserted.
struct Draft;

impl Record for Draft {
    fn model() -> &'static ModelName {
        Message::model()
    }

    fn key(&self) -> Option<RecordKey> {
        None
    }
}

impl Streamable for Draft {
    fn write_parts(
        &self,
        name: &mut forebay_turbo::StreamNameBuilder<'_>,
    ) -> Result<(), StreamNameError> {
        name.push_record(Self::model(), None)
    }
}

impl Render for Draft {
    fn to_html(&self) -> Result<Html, RenderError> {
        Ok(Html::raw("<p>new</p>"))
    }
}

#[tokio::test]
async fn a_record_without_a_key_has_no_element_to_replace() {
    let forebay = forebay();
    let (start, broadcast) = (forebay.position(), forebay.broadcast());
    let check = |result: Result<Sent, BroadcastError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, BroadcastError::Unsaved { model: "Message" }), "{error}");
    };
    check(broadcast.replace_to("s", &Draft).await);
    check(broadcast.update_to("s", &Draft).await);
    check(broadcast.remove_to("s", &Draft).await);
    check(broadcast.replace_later_to("s", Draft).await);
    assert_eq!(html(&forebay, "s", start), [""; 0]);
    broadcast.replace_to("s", &Draft).target("preview").await.unwrap();
    broadcast.append_to("s", &Draft).await.unwrap();
    assert_eq!(html(&forebay, "s", start).len(), 2, "these name an element that is there");
}

/// What only tokio can do later is refused elsewhere, and what needs no runtime is not.
#[test]
fn without_a_runtime_later_broadcasts_are_errors_and_not_panics() {
    let forebay = forebay();
    let (start, broadcast) = (forebay.position(), forebay.broadcast());
    let poll = |future: <Broadcast<'static, Whole> as IntoFuture>::IntoFuture| {
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        match { future }.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(sent) => sent,
            std::task::Poll::Pending => panic!("it waits"),
        }
    };
    let later = poll(broadcast.append_later_to("s", Message(1)).into_future());
    assert!(matches!(later, Err(BroadcastError::NoRuntime)), "{later:?}");
    let refresh = poll(broadcast.refresh_later_to("s").into_future());
    assert!(matches!(refresh, Err(BroadcastError::NoRuntime)), "{refresh:?}");
    assert_eq!(html(&forebay, "s", start), [""; 0]);
    let now = poll(broadcast.refresh_to("s").into_future());
    assert!(matches!(now, Ok(Sent::Published { .. })), "{now:?}");
}

#[tokio::test(start_paused = true)]
async fn shutting_down_takes_no_time_without_connections_and_nothing_is_published_after_it() {
    let forebay = forebay();
    let before = tokio::time::Instant::now();
    forebay.shut_down(Duration::from_secs(5)).await;
    assert_eq!(before.elapsed(), Duration::ZERO);
    let broadcast = forebay.broadcast();
    assert_eq!(broadcast.append_to("s", &Message(1)).await.unwrap(), Sent::ShutDown);
    assert_eq!(broadcast.append_later_to("s", Message(1)).await.unwrap(), Sent::ShutDown);
    assert_eq!(broadcast.refresh_later_to("s").await.unwrap(), Sent::ShutDown);
}

/// The next process has it. On a real clock: a paused one runs ahead while the folder's thread writes, and what has
/// been written is then too old to be kept.
#[tokio::test]
async fn what_is_broadcast_after_shutting_down_is_kept_where_the_log_is_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let builder = || Forebay::builder().secret("a secret for tests");
    let open = || builder().file_log(folder.path(), forebay_hub::Fsync::Os).build().unwrap();
    let forebay = open();
    let start = forebay.position();
    forebay.shut_down(Duration::ZERO).await;
    let sent = forebay.broadcast().append_to("s", &Message(1)).await.unwrap();
    assert!(matches!(sent, Sent::Published { .. }), "{sent:?}");
    drop(forebay);
    assert_eq!(html(&open(), "s", start).len(), 1);
}

/// S14: what would name another stream names none.
#[tokio::test]
async fn s14_blank_and_colliding_streamables_are_errors_on_both_sides() {
    let forebay = forebay();
    let (start, broadcast) = (forebay.position(), forebay.broadcast());
    let check = async |error: BroadcastError, expected: &str| {
        assert!(error.to_string().contains(expected), "{error}");
    };
    check(broadcast.refresh_to("").await.unwrap_err(), "blank").await;
    check(broadcast.refresh_to(("a", " ")).await.unwrap_err(), "blank").await;
    check(broadcast.refresh_to(("a:b", "c")).await.unwrap_err(), "`:`").await;
    check(broadcast.refresh_to(Vec::<&str>::new()).await.unwrap_err(), "nothing").await;
    assert!(forebay.stream_name(("a:b", "c")).is_err());
    assert!(forebay.stream_name(("a", "")).is_err());
    broadcast.refresh_to(("a", "b", "c")).await.unwrap();
    assert_eq!(forebay.position().offset.0, start.offset.0 + 1, "only the good one was sent");
}

/// S11: a message past the limit is refused by name, and the stream lives on.
#[tokio::test]
async fn s11_a_message_past_the_limit_is_refused() {
    let forebay =
        Forebay::builder().secret("a secret for tests").message_bytes_max(1_000).build().unwrap();
    let (start, broadcast) = (forebay.position(), forebay.broadcast());
    let big = broadcast.update_to("s", &Message(1)).text(&"x".repeat(1_000)).await.unwrap_err();
    assert!(matches!(big, BroadcastError::TooBig { max: 1_000, .. }), "{big}");
    broadcast.update_to("s", &Message(1)).text("é 🚀 \u{2028}").await.unwrap();
    assert!(html(&forebay, "s", start)[0].contains("é 🚀 \u{2028}"));
}

#[cfg(feature = "sqlx")]
mod transactions {
    use sqlx::{Pool, Sqlite};

    use super::*;
    use crate::CommitError;

    /// One whose log is in a folder.
    fn on_disk(folder: &std::path::Path) -> Forebay {
        let builder = Forebay::builder().secret("a secret for tests");
        builder.file_log(folder, crate::Fsync::Os).build().unwrap()
    }

    async fn pool() -> Pool<Sqlite> {
        let options = sqlx::pool::PoolOptions::new().max_connections(1);
        let pool = options.connect("sqlite::memory:").await.unwrap();
        sqlx::query("create table rows (n integer)").execute(&pool).await.unwrap();
        pool
    }

    async fn rows(pool: &Pool<Sqlite>) -> i64 {
        sqlx::query_scalar("select count(*) from rows").fetch_one(pool).await.unwrap()
    }

    const INSERT: &str = "insert into rows values (1)";

    /// S09: nothing before the commit, everything after it, in order and contiguous.
    #[tokio::test]
    async fn s09_broadcasts_are_sent_after_the_commit() {
        let (forebay, pool) = (forebay(), pool().await);
        let start = forebay.position();
        let mut transaction = forebay.begin(&pool).await.unwrap();
        sqlx::query(INSERT).execute(&mut *transaction).await.unwrap();
        let broadcast = transaction.broadcast();
        assert_eq!(broadcast.append_to("s", &Message(1)).await.unwrap(), Sent::AfterCommit);
        broadcast.append_later_to("s", Message(2)).await.unwrap();
        broadcast.refresh_later_to("board").await.unwrap();
        broadcast.append_to("s", &Message(3)).await.unwrap();
        assert_eq!(forebay.position(), start);
        transaction.commit().await.unwrap();
        forebay.core.publisher.flush().await;
        assert_eq!(html(&forebay, "s", start).len(), 3);
        assert_eq!(html(&forebay, "board", start).len(), 1);
        assert_eq!(rows(&pool).await, 1);
    }

    /// The change is in the database: whoever asked for it learns that its pages were not told what
    /// changed, and these learn that something has.
    #[tokio::test]
    async fn a_commit_whose_broadcasts_are_not_taken_says_so_and_its_pages_heal() {
        let folder = tempfile::TempDir::new().unwrap();
        let (forebay, pool) = (on_disk(folder.path()), pool().await);
        let start = forebay.position();
        let mut transaction = forebay.begin(&pool).await.unwrap();
        sqlx::query(INSERT).execute(&mut *transaction).await.unwrap();
        let broadcast = transaction.broadcast();
        broadcast.append_to("s", &Message(1)).await.unwrap();
        broadcast.append_to("t", &Message(1)).await.unwrap();
        broadcast.refresh_later_to("board").await.unwrap();
        forebay.core.hub.fail_next_for_tests(4);
        let error = transaction.commit().await.unwrap_err();
        let is_told = matches!(error, CommitError::NotBroadcast(BroadcastError::NotTaken(_)));
        assert!(is_told && error.to_string().starts_with("committed, but"), "{error}");
        assert_eq!(rows(&pool).await, 1);
        for stream in ["s", "t", "board"] {
            assert!(forebay.replay(stream, start).is_err(), "{stream}");
        }
        assert_eq!(forebay.replay("other", start).unwrap().len(), 0);
    }

    /// A database that refuses has committed nothing, and no page is told anything.
    #[tokio::test]
    async fn a_commit_that_the_database_refuses_is_no_gap() {
        let (forebay, pool) = (forebay(), pool().await);
        let start = forebay.position();
        let parents = "create table parents (n integer primary key)";
        let children = "create table children \
            (n integer references parents (n) deferrable initially deferred)";
        for table in ["pragma foreign_keys = on", parents, children] {
            sqlx::query(table).execute(&pool).await.unwrap();
        }
        let mut transaction = forebay.begin(&pool).await.unwrap();
        let orphan = "insert into children values (1)";
        sqlx::query(orphan).execute(&mut *transaction).await.unwrap();
        transaction.broadcast().append_to("s", &Message(1)).await.unwrap();
        let error = transaction.commit().await.unwrap_err();
        assert!(matches!(error, CommitError::Database(_)), "{error}");
        assert_eq!(forebay.replay("s", start).unwrap().len(), 0);
    }

    #[tokio::test]
    async fn s09_rolled_back_or_dropped_nothing_is_sent() {
        let (forebay, pool) = (forebay(), pool().await);
        let start = forebay.position();
        for rolls_back in [true, false] {
            let mut transaction = forebay.begin(&pool).await.unwrap();
            sqlx::query(INSERT).execute(&mut *transaction).await.unwrap();
            transaction.broadcast().append_to("s", &Message(1)).await.unwrap();
            if rolls_back {
                transaction.rollback().await.unwrap();
            } else {
                drop(transaction);
            }
        }
        assert_eq!((forebay.position(), rows(&pool).await), (start, 0));
    }

    #[tokio::test]
    async fn s09_savepoints_hand_their_broadcasts_to_the_transaction_around_them() {
        let (forebay, pool) = (forebay(), pool().await);
        let start = forebay.position();
        let mut transaction = forebay.begin(&pool).await.unwrap();
        let send = async |broadcast: Broadcaster, n| {
            broadcast.append_to("s", &Message(n)).await.unwrap();
        };
        send(transaction.broadcast(), 1).await;
        let lost = transaction.begin().await.unwrap();
        send(lost.broadcast(), 2).await;
        lost.rollback().await.unwrap();
        let mut kept = transaction.begin().await.unwrap();
        send(kept.broadcast(), 3).await;
        let inner = kept.begin().await.unwrap();
        send(inner.broadcast(), 4).await;
        inner.commit().await.unwrap();
        kept.commit().await.unwrap();
        assert_eq!(forebay.position(), start, "the outer one has not committed");
        transaction.commit().await.unwrap();
        let pages = html(&forebay, "s", start).join("");
        let order: Vec<_> = pages.matches(|c: char| c.is_ascii_digit()).collect();
        assert_eq!(order, ["1", "3", "4"]);
    }

    #[tokio::test]
    async fn a_broadcaster_that_outlives_its_transaction_is_not_silent() {
        let (forebay, pool) = (forebay(), pool().await);
        let start = forebay.position();
        let transaction = forebay.begin(&pool).await.unwrap();
        let late = transaction.broadcast();
        transaction.rollback().await.unwrap();
        let refused = late.append_to("s", &Message(1)).await;
        assert!(matches!(refused, Err(BroadcastError::RolledBack)));

        let mut transaction = forebay.begin(&pool).await.unwrap();
        let savepoint = transaction.begin().await.unwrap();
        let inner = savepoint.broadcast();
        savepoint.commit().await.unwrap();
        assert_eq!(inner.append_to("s", &Message(2)).await.unwrap(), Sent::AfterCommit);
        transaction.commit().await.unwrap();
        assert!(matches!(inner.append_to("s", &Message(3)).await.unwrap(), Sent::Published { .. }));
        assert_eq!(html(&forebay, "s", start).len(), 2);
    }

    /// The window between a commit and its broadcasts, held open by the test.
    #[tokio::test]
    async fn nobody_commits_between_anothers_commit_and_its_broadcasts() {
        let (forebay, pool) = (forebay(), pool().await);
        let start = forebay.position();
        let commits = &forebay.core.publisher.commits;
        let between = commits.lock(&[forebay.stream_name("s").unwrap()]).await;
        let mut transaction = forebay.begin(&pool).await.unwrap();
        sqlx::query(INSERT).execute(&mut *transaction).await.unwrap();
        transaction.broadcast().append_to("s", &Message(1)).await.unwrap();
        let commit = tokio::spawn(transaction.commit());
        // The only connection of the pool comes back with the commit.
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
            assert!(pool.try_acquire().is_none(), "it has committed");
        }
        let mut other = forebay.broadcast().append_to("s", &Message(2));
        other = other.html(Html::raw("between"));
        other.await.unwrap();
        drop(between);
        commit.await.unwrap().unwrap();
        let pages = html(&forebay, "s", start);
        assert!(pages[0].contains("between") && pages[1].contains("<p>1</p>"), "{pages:?}");
    }

    /// What a commit writes last is what is broadcast last, however the tasks are scheduled.
    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn broadcasts_leave_in_the_order_of_the_commits() {
        let folder = std::env::temp_dir().join(format!("forebay-commits-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let url = format!("sqlite:{}?mode=rwc", folder.join("rows").display());
        let options = sqlx::pool::PoolOptions::<Sqlite>::new().max_connections(8);
        let pool = options.connect(&url).await.unwrap();
        sqlx::query("pragma journal_mode = wal").execute(&pool).await.unwrap();
        sqlx::query("create table rows (n integer primary key)").execute(&pool).await.unwrap();
        let forebay = forebay();
        let start = forebay.position();
        let writers: Vec<_> = (0..200)
            .map(|_| {
                let (forebay, pool) = (forebay.clone(), pool.clone());
                tokio::spawn(async move {
                    let mut transaction = forebay.begin(&pool).await.unwrap();
                    let insert = "insert into rows (n) values (null) returning n";
                    let n: u32 =
                        sqlx::query_scalar(insert).fetch_one(&mut *transaction).await.unwrap();
                    transaction.broadcast().json_to("rows", &n).await.unwrap();
                    transaction.commit().await.unwrap();
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        let entries = forebay.replay("rows", start).unwrap();
        let sent: Vec<u32> = entries.iter().map(|entry| entry.json().parse().unwrap()).collect();
        // SQLite has one writer at a time, so its keys are in the order of the commits.
        assert_eq!(sent, (1..=200).collect::<Vec<_>>());
        pool.close().await;
        std::fs::remove_dir_all(&folder).unwrap();
    }

    /// A handler is dropped when its client hangs up: the commit and its broadcasts go on.
    #[tokio::test]
    async fn a_commit_that_nobody_waits_for_any_more_still_broadcasts() {
        let (forebay, pool) = (forebay(), pool().await);
        let start = forebay.position();
        let mut transaction = forebay.begin(&pool).await.unwrap();
        sqlx::query(INSERT).execute(&mut *transaction).await.unwrap();
        transaction.broadcast().append_to("s", &Message(1)).await.unwrap();
        {
            let mut commit = Box::pin(transaction.commit());
            let waker = std::task::Waker::noop();
            let _ = commit.as_mut().poll(&mut std::task::Context::from_waker(waker));
        }
        // The pool has one connection: it is free again when the commit is done.
        assert_eq!(rows(&pool).await, 1);
        while forebay.position() == start {
            tokio::task::yield_now().await;
        }
        assert_eq!(html(&forebay, "s", start).len(), 1);
    }
}

#[tokio::test]
async fn a_text_goes_into_an_element() {
    let forebay = forebay();
    let start = forebay.position();
    let broadcast = forebay.broadcast();
    broadcast.text_to("board", "count", 17).state().await.unwrap();
    broadcast.text_to("board", "count", "<18>").state().await.unwrap();
    // History keeps the newest alone.
    let expected = TurboStream::update("count").text("<18>").to_string();
    assert_eq!(html(&forebay, "board", start), [expected]);
}

#[tokio::test]
async fn any_action_and_any_template_can_be_sent_later() {
    let forebay = forebay();
    let start = forebay.position();
    let broadcast = forebay.broadcast();
    broadcast.action_later_to("list", "highlight", Message(1)).await.unwrap();
    let tags = Html::raw(TurboStream::remove("message_2").to_string());
    broadcast.render_later_to("list", tags.clone()).await.unwrap();
    forebay.core.publisher.flush().await;
    let highlight = TurboStream::action("highlight", Some(Target::from("messages")));
    let expected = [highlight.html(Html::raw("<p>1</p>")).to_string(), tags.into_string()];
    assert_eq!(html(&forebay, "list", start), expected);
}
