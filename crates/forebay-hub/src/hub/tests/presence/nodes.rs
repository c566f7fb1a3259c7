//! Several nodes: whoever is at one of them is there for all.

use forebay_cable::Start;
use forebay_store::{Batch, Pending, Replica};
use forebay_store_tests::Memory;
use tokio::time::{Instant, sleep};

use super::*;

async fn node(log: &Memory) -> Hub {
    Hub::follow(Options::default(), Arc::new(log.clone())).await.unwrap()
}

async fn nodes<const N: usize>() -> (Memory, [Hub; N]) {
    let log = Memory::new(Epoch(1), 10_000);
    let mut hubs = Vec::new();
    for _ in 0..N {
        hubs.push(node(&log).await);
    }
    (log, hubs.try_into().expect("as many as were made"))
}

async fn tab(hub: &Hub, id: &str) -> Client {
    let tab = hub.connect().unwrap();
    join(&tab, id).unwrap();
    until(|| ids(hub).contains(&id.to_owned())).await;
    tab
}

fn ids(hub: &Hub) -> Vec<String> {
    hub.members("room").members.iter().map(|member| member.id.to_string()).collect()
}

fn changes(hub: &Hub) -> Vec<String> {
    let cursor = Position { offset: Offset::ZERO, ..hub.position() };
    let entries = hub.replay(&presence_stream("room"), cursor).unwrap();
    entries.iter().map(|entry| said(entry.message.change().unwrap())).collect()
}

/// Waits, at most five minutes of a clock that nobody waits for. Gives how long it took.
async fn until(holds: impl Fn() -> bool) -> Duration {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_mins(5), "it never comes to this");
        sleep(Duration::from_millis(50)).await;
    }
    since.elapsed()
}

/// Keeps a tab alive, as its Pongs would.
async fn live_for(tabs: &[&Client], seconds: u64) {
    for _ in 0..seconds {
        for tab in tabs {
            tab.lives();
        }
        sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_tab_at_another_node_is_the_same_member() {
    let (_, [here, there]) = nodes().await;
    let first = tab(&here, "ann").await;
    let second = tab(&there, "ann").await;
    sleep(Duration::from_secs(1)).await;
    first.leave(sub(), Ending::Left);
    sleep(Duration::from_secs(1)).await;
    assert_eq!((ids(&here), changes(&there)), (vec!["ann".to_owned()], vec!["+ann=1".to_owned()]));
    second.leave(sub(), Ending::Left);
    until(|| ids(&here).is_empty()).await;
    assert_eq!(changes(&here), ["+ann=1", "-ann=0"]);
    assert_eq!(changes(&here), changes(&there));
}

#[tokio::test(start_paused = true)]
async fn the_members_of_a_killed_node_leave_and_nobody_else() {
    let (_, [killed, here, there]) = nodes().await;
    let ann = tab(&killed, "ann").await;
    let bob = tab(&here, "bob").await;
    let both = [tab(&killed, "dan").await, tab(&there, "dan").await];
    live_for(&[&ann, &bob, &both[0], &both[1]], 30).await;
    // It says nothing any more, and so neither do its connections.
    killed.0.presence.is_flushing.store(true, Ordering::Relaxed);
    let since = Instant::now();
    while ids(&here).contains(&"ann".to_owned()) {
        live_for(&[&bob, &both[1]], 1).await;
        assert!(since.elapsed() < Duration::from_mins(1));
    }
    // Its last sign was up to 5 s old.
    assert!((9..=17).contains(&since.elapsed().as_secs()), "{:?}", since.elapsed());
    live_for(&[&bob, &both[1]], 30).await;
    assert_eq!(ids(&there), ["bob", "dan"]);
    assert_eq!(changes(&there), ["+ann=1", "+bob=2", "+dan=3", "-ann=2"]);
    assert_eq!(changes(&here), changes(&there));
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_on_at_another_node_was_never_away() {
    let (_, [killed, here]) = nodes().await;
    let lost = tab(&killed, "ann").await;
    killed.0.presence.is_flushing.store(true, Ordering::Relaxed);
    sleep(Duration::from_secs(9)).await;
    drop(lost);
    let back = tab(&here, "ann").await;
    live_for(&[&back], 60).await;
    assert_eq!((ids(&here), changes(&here)), (vec!["ann".to_owned()], vec!["+ann=1".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_deploy_of_all_nodes_shows_nothing() {
    let (log, [mut old]) = nodes().await;
    let mut tabs = vec![tab(&old, "ann").await, tab(&old, "bob").await];
    let watching = node(&log).await;
    for _ in 0..3 {
        let new = node(&log).await;
        old.0.presence.is_leaving.store(true, Ordering::Relaxed);
        for tab in &tabs {
            tab.end_presence(Ending::ServerLeaves);
        }
        sleep(Duration::from_secs(3)).await;
        tabs = vec![tab(&new, "ann").await, tab(&new, "bob").await];
        drop(std::mem::replace(&mut old, new));
        live_for(&[&tabs[0], &tabs[1]], 60).await;
    }
    assert_eq!(ids(&watching), ["ann", "bob"]);
    assert_eq!(changes(&old), ["+ann=1", "+bob=2"]);
}

/// Stock clients look every six to twelve seconds, and not within six seconds of a close: so they come back after up to
/// eighteen.
#[tokio::test(start_paused = true)]
async fn who_comes_back_late_after_a_node_has_shut_down_was_never_away() {
    let (log, [old]) = nodes().await;
    let watching = node(&log).await;
    let ann = tab(&old, "ann").await;
    let stays = tab(&watching, "bob").await;
    // Just before the node's next sign of life.
    live_for(&[&ann, &stays], 14).await;
    let leaves = async {
        sleep(Duration::from_millis(500)).await;
        ann.end_presence(Ending::ServerLeaves);
        drop(ann);
    };
    tokio::join!(old.shut_down(Duration::ZERO), leaves);
    drop(old);
    live_for(&[&stays], 18).await;
    let back = tab(&watching, "ann").await;
    live_for(&[&back, &stays], 60).await;
    assert_eq!(changes(&watching), ["+ann=1", "+bob=2"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_past_is_gone_asks_who_is_there() {
    let (log, [here]) = nodes().await;
    let ann = tab(&here, "ann").await;
    assert_eq!(ann.update(sub(), &"{\"away\":true}".into()), Ok(true));
    sleep(Duration::from_secs(1)).await;
    say(&here, "hall", "1");
    log.trim(1);
    let fresh = node(&log).await;
    let mut page = Page::open(&fresh);
    page.subscribe(&presence_stream("room"), Some(fresh.position()));
    let early = fresh.position();
    // The answer is no news to anybody.
    live_for(&[&ann], 5).await;
    assert_eq!((ids(&fresh), page.read()), (vec!["ann".to_owned()], Vec::<String>::new()));
    live_for(&[&ann], 20).await;
    // What it was shown when it came was less than all.
    assert_eq!(page.read(), ["lost"]);
    assert!(fresh.replay(&presence_stream("room"), early).is_err());
    assert!(fresh.replay("room", early).is_ok(), "other streams lack nothing");
    assert_eq!(here.members("room"), fresh.members("room"));
    assert_eq!(changes(&here), ["+ann=1", "~ann=1"]);
    let bob = tab(&here, "bob").await;
    assert_eq!(page.read(), ["null"]);
    ann.leave(sub(), Ending::Left);
    bob.leave(sub(), Ending::Left);
    until(|| ids(&fresh).is_empty()).await;
}

/// The page lacks whoever came before that node began, wherever it goes on from there.
#[tokio::test(start_paused = true)]
async fn a_page_that_was_rendered_by_a_node_whose_past_is_gone_is_told_so_by_every_node() {
    let (log, [here]) = nodes().await;
    let ann = tab(&here, "ann").await;
    sleep(Duration::from_secs(1)).await;
    say(&here, "hall", "1");
    log.trim(1);
    let fresh = node(&log).await;
    let rendered = fresh.attendance("room");
    assert_eq!(rendered.named, []);
    let room = presence_stream("room");
    let elsewhere = here.connect().unwrap().attach(&room, Some(rendered.position));
    assert_eq!(elsewhere.start, Start::Lost);
    let mut there = Page::open(&fresh);
    there.subscribe(&room, Some(rendered.position));
    assert_eq!(there.read(), [""; 0], "there it would only be rendered like this again");
    live_for(&[&ann], 25).await;
    assert_eq!(there.read(), ["lost"]);
    let rendered = fresh.attendance("room");
    assert_eq!((rendered.position, rendered.total), (fresh.position(), 1));
}

#[tokio::test(start_paused = true)]
async fn in_another_epoch_all_are_said_to_be_there_again() {
    let (log, [here, there]) = nodes().await;
    let ann = tab(&here, "ann").await;
    let bob = tab(&there, "bob").await;
    log.lose_after(Offset(0), Epoch(2));
    live_for(&[&ann, &bob], 2).await;
    let all = |hub: &Hub| {
        let mut ids = ids(hub);
        ids.sort();
        ids
    };
    assert_eq!((all(&here), all(&there)), (vec!["ann".into(), "bob".into()], all(&here)));
    live_for(&[&ann, &bob], 60).await;
    assert_eq!(here.present(), 2);
}

/// A node's way to the log, which can be cut for what it says.
#[derive(Debug)]
struct Line(Memory, Arc<AtomicBool>);

impl LogStore for Line {
    fn append(&self, batch: Batch) -> Pending<Result<Offset, AppendError>> {
        if self.1.load(Ordering::Relaxed) {
            let error = StoreError::Unreachable("the line is cut".to_owned());
            return Box::pin(async { Err(AppendError::Unknown(error)) });
        }
        self.0.append(batch)
    }

    fn tail(&self, after: Option<Position>, replica: Weak<dyn Replica>) -> Result<(), StoreError> {
        self.0.tail(after, replica)
    }

    fn head(&self) -> Pending<Result<Position, StoreError>> {
        self.0.head()
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn close(&self) -> Pending<Result<(), StoreError>> {
        self.0.close()
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_store_refuses_is_said_when_it_takes_it() {
    let (log, [here]) = nodes().await;
    let cut = Arc::new(AtomicBool::new(true));
    let line = Line(log, Arc::clone(&cut));
    let behind = Hub::follow(Options::default(), Arc::new(line)).await.unwrap();
    let (ann, bob) = (behind.connect().unwrap(), behind.connect().unwrap());
    assert_eq!((join(&ann, "ann"), join(&bob, "bob")), (Ok(()), Ok(())));
    live_for(&[&ann, &bob], 3).await;
    assert_eq!(ids(&here), [""; 0]);
    bob.leave(sub(), Ending::Left);
    cut.store(false, Ordering::Relaxed);
    until(|| ids(&here) == ["ann"]).await;
    live_for(&[&ann], 5).await;
    assert_eq!(changes(&here), ["+ann=1"], "one who came and left meanwhile was not there");
}

/// Others can't tell it from one that is gone. It holds its members again as soon as it can.
#[tokio::test(start_paused = true)]
async fn a_node_that_was_cut_off_comes_back_with_its_members() {
    let (log, [here]) = nodes().await;
    let cut = Arc::new(AtomicBool::new(false));
    let line = Line(log, Arc::clone(&cut));
    let behind = Hub::follow(Options::default(), Arc::new(line)).await.unwrap();
    let (ann, bob) = (tab(&behind, "ann").await, tab(&here, "bob").await);
    live_for(&[&ann, &bob], 10).await;
    cut.store(true, Ordering::Relaxed);
    live_for(&[&ann, &bob], 8).await;
    assert_eq!(ids(&here), ["ann", "bob"], "a short while is nothing");
    live_for(&[&ann, &bob], 12).await;
    assert_eq!(ids(&here), ["bob"]);
    cut.store(false, Ordering::Relaxed);
    live_for(&[&ann, &bob], 5).await;
    assert_eq!(changes(&here), ["+ann=1", "+bob=2", "-ann=1", "+ann=2"]);
    assert_eq!(ids(&behind), ids(&here));
}

#[tokio::test(start_paused = true)]
async fn an_update_from_any_node_is_good_at_all() {
    let (_, [here, there]) = nodes().await;
    let ann = tab(&here, "ann").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(there.update_member("room", "ann", &"1".into()), Ok(true));
    until(|| changes(&here).len() == 2).await;
    // The node where she came first has taken it over: what it says again is this.
    assert_eq!(ann.update(sub(), &"1".into()), Ok(true));
    live_for(&[&ann], 3).await;
    assert_eq!(changes(&here), ["+ann=1", "~ann=1"]);
    assert_eq!(there.0.presence.sets.read().nodes().count(), 1, "it was held for a moment");
}

/// The log of one process is in a folder. Who comes back to the next process was there all the time.
#[test]
fn over_a_restart_nobody_leaves_who_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicU64::new(START));
    let open = || {
        Hub::simulated_in(Options::default(), folder.path(), Epoch(7), Arc::clone(&now)).unwrap()
    };
    let attend = |hub: &Hub| hub.attend_presence().block_on();
    let hub = open();
    let tabs = ["ann", "bob"].map(|id| {
        let tab = hub.connect().unwrap();
        join(&tab, id).unwrap();
        tab
    });
    let early = hub.position();
    attend(&hub);
    let last = hub.position();
    say(&hub, "hall", "1");
    assert_eq!(ids(&hub), ["ann", "bob"]);
    hub.0.presence.is_leaving.store(true, Ordering::Relaxed);
    for tab in &tabs {
        tab.end_presence(Ending::ServerLeaves);
    }
    hub.close_store().block_on();
    drop((tabs, hub));

    now.fetch_add(60_000, Ordering::Relaxed);
    let hub = open();
    assert_eq!(ids(&hub), ["ann", "bob"], "from the first page on");
    let room = presence_stream("room");
    assert!(hub.replay(&room, last).unwrap().is_empty(), "a page that saw them lacks nothing");
    assert!(hub.replay(&room, early).is_err(), "one that did not is told");
    assert!(hub.replay(&presence_stream("hall"), early).is_ok(), "there nothing has changed");
    attend(&hub);
    now.fetch_add(3_000, Ordering::Relaxed);
    let ann = hub.connect().unwrap();
    join(&ann, "ann").unwrap();
    attend(&hub);
    let begun = hub.position();
    now.fetch_add(11_999, Ordering::Relaxed);
    ann.lives();
    attend(&hub);
    assert_eq!((ids(&hub).len(), hub.position()), (2, begun));
    now.fetch_add(1, Ordering::Relaxed);
    attend(&hub);
    assert_eq!(ids(&hub), ["ann"]);
    let entries = hub.replay(&presence_stream("room"), begun).unwrap();
    let told: Vec<_> = entries.iter().map(|entry| said(entry.message.change().unwrap())).collect();
    assert_eq!(told, ["-bob=1"]);
}
