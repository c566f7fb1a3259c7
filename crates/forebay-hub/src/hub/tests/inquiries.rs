//! Nodes with one log that ask each other what they have recorded. All is in one process, so time is simulated.

use std::time::Duration;

use bytes::Bytes;
use forebay_cable::{Standing, SubscriptionId};
use forebay_inspect as inspect;
use forebay_inspect::{About, Answer, Broken, Outcome, Question, Rejection, Rows, Said, State};
use forebay_log::{Content, Control, Inquiry, InquiryKind};
use forebay_presence::Node;
use forebay_store::{Batch, LogStore};
use forebay_store_tests::Memory;
use tokio::time::Instant;

use super::*;

fn named(name: &str) -> Options {
    let inspect = InspectOptions::default().node_name(Some(name.to_owned()));
    Options::default().inspect(Some(inspect))
}

async fn follow(log: &Memory, options: Options) -> Hub {
    Hub::follow(options, Arc::new(log.clone())).await.unwrap()
}

/// Where somebody asks, where the page is, and where something is broadcast.
async fn three() -> (Memory, [Hub; 3]) {
    let log = Memory::new(Epoch(1), 1_000);
    let hubs = [
        follow(&log, named("asked")).await,
        follow(&log, named("page")).await,
        follow(&log, named("publisher")).await,
    ];
    (log, hubs)
}

/// A page that is recorded.
fn open(hub: &Hub) -> Page {
    let page = Page::open(hub);
    let id = page.client.session_id().to_string();
    let since = hub.now().0;
    hub.inspection().unwrap().comes(inspect::Page { id, since, ..inspect::Page::default() });
    page
}

fn id(page: &Page) -> String {
    page.client.session_id().to_string()
}

/// It reads the stream from here on.
fn reads(page: &mut Page, stream: &str) {
    let cursor = page.client.hub().position();
    page.subscribe(stream, Some(cursor));
    let stream_id = page.client.hub().0.log.read().find(stream).unwrap();
    let it = inspect::Subscription {
        stream: Some(stream.to_owned()),
        ..inspect::Subscription::default()
    };
    let subscription = standing(page).subscription;
    page.client.note_asked(subscription, it.clone());
    page.client.note_live(subscription, vec![(stream_id, it)]);
}

async fn publish(hub: &Hub, stream: &str) -> Position {
    let recorded = inspect::Broadcast {
        at: hub.now().0,
        stream: stream.to_owned(),
        source: inspect::Source { place: Some("src/messages.rs:42".into()), ..Default::default() },
        ..Default::default()
    };
    let trace = hub.inspection().unwrap().trace(recorded);
    let broadcast = Broadcast { stream, message: Message::json("1"), class: Class::Log };
    let published = hub.publish(broadcast).await.unwrap();
    trace.published(published);
    published.position
}

fn becomes(hub: &Hub, stream: &str, outcome: Outcome) {
    let recorded = inspect::Broadcast {
        at: hub.now().0,
        stream: stream.to_owned(),
        ..inspect::Broadcast::default()
    };
    hub.inspection().unwrap().trace(recorded).ends(|| outcome);
}

async fn why(hub: &Hub, page: &str, stream: &str) -> Answer {
    let about = About { page: page.into(), stream: stream.into(), ..About::default() };
    let facts = hub.facts_of_all(vec![about], Duration::ZERO).await.unwrap();
    inspect::why(&facts[0])
}

#[tokio::test(start_paused = true)]
async fn a_name_that_a_page_of_another_node_reads_is_the_nearest() {
    let (_, [asked, at_page, publisher]) = three().await;
    let mut page = open(&at_page);
    reads(&mut page, "chat:1");
    publish(&publisher, "chats:1").await;
    let answer = why(&asked, &id(&page), "chats:1").await;
    assert!(
        matches!(&answer.broken, Broken::NotSubscribed { near: Some(near), .. } if near.name == "chat:1")
    );
    assert_eq!(answer.place.as_deref(), Some("src/messages.rs:42"));
    assert_eq!(answer.nodes, ["asked", "page", "publisher"]);
    assert!(answer.missing.is_empty(), "{answer:?}");
    // Nothing was broadcast to the page's own stream, but to one that is near to it, at a third node.
    let answer = why(&asked, &id(&page), "chat:1").await;
    assert!(
        matches!(&answer.broken, Broken::NeverBroadcast { near: Some(near), .. } if near.name == "chats:1"),
        "{answer:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_of_no_node_is_known_to_be_of_none() {
    let (_, [asked, _, publisher]) = three().await;
    publish(&publisher, "room").await;
    let answer = why(&asked, "nobody", "room").await;
    assert!(answer.sentence.contains("no node remembers this page"), "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn what_another_node_has_refused_or_rolled_back_is_said() {
    let (_, [asked, at_page, publisher]) = three().await;
    let page = open(&at_page);
    let it = inspect::Subscription { stream: Some("room".into()), ..Default::default() };
    page.client.note_asked(SubscriptionId::default(), it);
    let why_not = State::Rejected { why: Rejection::Key, detail: "no key fits".into() };
    page.client.note_rejected(Some(SubscriptionId::default()), why_not, "no key fits".into());
    publish(&publisher, "room").await;
    let answer = why(&asked, &id(&page), "room").await;
    assert!(matches!(answer.broken, Broken::Rejected { why: Rejection::Key, .. }), "{answer:?}");

    for (outcome, expected) in
        [(Outcome::RolledBack, Broken::RolledBack), (Outcome::Suppressed, Broken::Suppressed)]
    {
        let mut page = open(&at_page);
        reads(&mut page, "other");
        becomes(&publisher, "other", outcome);
        assert_eq!(why(&asked, &id(&page), "other").await.broken, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn where_a_page_stands_is_looked_at_at_its_own_node() {
    let (_, [asked, at_page, publisher]) = three().await;
    let mut page = open(&at_page);
    reads(&mut page, "room");
    publish(&publisher, "room").await;
    let stands = |sent| Standing { sent: Offset(sent), proven: None, ..standing(&page) };
    page.client.note_standings([stands(0)].into_iter());
    assert_eq!(why(&asked, &id(&page), "room").await.broken, Broken::NotSent);
    page.client.note_standings([stands(u64::MAX)].into_iter());
    let answer = why(&asked, &id(&page), "room").await;
    assert!(answer.sentence.contains("the page has reported nothing"), "{answer:?}");
}

fn standing(page: &Page) -> Standing {
    page.session.standings().next().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_node_that_records_nothing_is_named() {
    let log = Memory::new(Epoch(1), 100);
    let asked = follow(&log, named("asked")).await;
    let off = follow(&log, Options::default()).await;
    let answer = why(&asked, "page", "room").await;
    assert_eq!((answer.off.len(), answer.missing.len()), (1, 0), "{answer:?}");
    assert!(answer.sentence.contains(&answer.off[0]), "{answer:?}");
    assert!(answer.sentence.contains("records nothing"), "{answer:?}");
    // It asks nobody, and is not asked by those who may not.
    let about = vec![About::default()];
    assert_eq!(off.facts_of_all(about, Duration::ZERO).await, None);
    assert_eq!(off.stats().inquiries.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stands_still_is_named_and_holds_nobody_up_for_long() {
    let (log, [asked, _at_page, publisher]) = three().await;
    assert_eq!(why(&asked, "page", "room").await.nodes.len(), 3);
    drop(publisher);
    let began = Instant::now();
    let answer = why(&asked, "page", "room").await;
    assert!(began.elapsed() <= Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(answer.missing, ["publisher"]);
    assert!(answer.sentence.contains("ask publisher"), "{answer:?}");
    // One that comes is known from its first answer on, and is not waited for before it is.
    let _comes = follow(&log, named("comes")).await;
    let answer = why(&asked, "page", "room").await;
    assert_eq!(answer.nodes, ["asked", "comes", "page"]);
    assert_eq!(answer.missing, ["publisher"]);
    // One that stays away is not waited for for ever.
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(why(&asked, "page", "room").await.missing, ["publisher"]);
    assert!(why(&asked, "page", "room").await.missing.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_ends_well_is_missed_by_nobody() {
    let (log, [asked, at_page, publisher]) = three().await;
    assert_eq!(why(&asked, "page", "room").await.nodes.len(), 3);
    publisher.shut_down(Duration::ZERO).await;
    let answer = why(&asked, "page", "room").await;
    assert_eq!((answer.nodes.len(), answer.missing.len()), (2, 0), "{answer:?}");
    // Whoever was never asked has nobody to say it to.
    drop((asked, at_page));
    let unknown = follow(&log, named("unknown")).await;
    let before = log.position();
    unknown.shut_down(Duration::ZERO).await;
    assert_eq!(log.position(), before);
}

#[tokio::test(start_paused = true)]
async fn rubbish_is_left_out_and_counted() {
    let (log, [asked, at_page, publisher]) = three().await;
    let rubbish = |number, kind| {
        let inquiry = Inquiry { node: Node(77), name: "rubbish".into(), number, kind };
        Batch::new(UnixMillis(0), vec![Content::Control(Control::Inquiry(Arc::new(inquiry)))])
    };
    let question = Bytes::from_static(b"{\"facts\": 7}");
    log.append(rubbish(1, InquiryKind::Question(question))).await.unwrap();
    let asking = {
        let asked = asked.clone();
        tokio::spawn(async move { why(&asked, "page", "room").await })
    };
    // The question is in the log before this: the log takes it at once.
    tokio::task::yield_now().await;
    let (node, body) = (asked.0.inquiries.node, Bytes::from_static(b"\xff{"));
    log.append(rubbish(1, InquiryKind::Answer { to: node, body })).await.unwrap();
    let answer = asking.await.unwrap();
    assert_eq!(answer.nodes, ["asked", "page", "publisher"]);
    for hub in [&asked, &at_page, &publisher] {
        assert_eq!(
            hub.stats().inquiries_left_out.get(),
            if hub.0.inquiries.node == node { 2 } else { 1 }
        );
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_the_same_at_the_same_time_asks_once_and_who_asks_too_often_asks_nobody() {
    let (_, [asked, at_page, _publisher]) = three().await;
    let page = open(&at_page);
    let rows = || Question::Pages(Rows { max: 10, ..Rows::default() });
    let fresh = Duration::from_secs(1);
    let ten = (0..10).map(|_| {
        let asked = asked.clone();
        tokio::spawn(async move { asked.inquire(&rows(), fresh).await.unwrap() })
    });
    let ten: Vec<_> = ten.collect();
    for one in ten {
        let answers = one.await.unwrap();
        let Some(Said::Pages(pages)) = answers.told.get(1).map(|told| &told.said) else { panic!() };
        assert_eq!(pages.rows[0].id, id(&page));
    }
    assert_eq!(asked.stats().inquiries.get(), 1);
    // What is kept for a moment is asked again.
    tokio::time::advance(fresh).await;
    asked.inquire(&rows(), fresh).await.unwrap();
    assert_eq!(asked.stats().inquiries.get(), 2);
    let many = (0..80).map(|_| {
        let asked = asked.clone();
        tokio::spawn(async move { why(&asked, "page", "room").await })
    });
    let mut alone = 0;
    for one in many.collect::<Vec<_>>() {
        let answer = one.await.unwrap();
        alone += usize::from(answer.missing == ["page", "publisher"]);
    }
    let left_out = asked.stats().inquiries_left_out.get();
    assert!(left_out > 0 && alone as u64 >= left_out, "{left_out} {alone}");
}

/// A node that begins reads what the log keeps. What was asked long ago it does not answer.
#[tokio::test(start_paused = true)]
async fn a_node_that_begins_answers_no_old_questions() {
    let (log, [asked, ..]) = three().await;
    why(&asked, "page", "room").await;
    let before = log.position();
    let later = follow(&log, named("later")).await;
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(log.position(), before, "it has appended nothing");
    assert_eq!(later.position(), before);
}

#[tokio::test(start_paused = true)]
async fn who_reads_a_broadcast_is_counted_at_all_nodes() {
    let (_, [asked, at_page, publisher]) = three().await;
    let mut page = open(&at_page);
    reads(&mut page, "room");
    publish(&publisher, "room").await;
    publish(&publisher, "nobody").await;
    let list = |rows: Rows| {
        let asked = asked.clone();
        async move {
            let question = Question::Broadcasts(rows.clone());
            let answers = asked.inquire(&question, Duration::ZERO).await.unwrap();
            let rows = rows.merge_broadcasts(&answers.told);
            rows.into_iter().map(|row| (row.stream.clone(), row.node.clone(), row.subscriptions()))
        }
    };
    let rows: Vec<_> = list(Rows { max: 10, ..Rows::default() }).await.collect();
    let at = |stream: &str, readers| (stream.to_owned(), "publisher".to_owned(), readers);
    assert_eq!(rows, [at("nobody", 0), at("room", 1)]);
    let troubles = Rows { max: 10, only_troubles: true, ..Rows::default() };
    let rows: Vec<_> = list(troubles).await.collect();
    assert_eq!(rows, [at("nobody", 0)]);
}
