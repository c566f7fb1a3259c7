//! What pages have proven, and sessions, over the end of their process.

use std::path::Path;

use tempfile::TempDir;

use super::*;

const EPOCH: Epoch = Epoch(1);

/// A folder, and the processes that have it one after the other.
struct Server {
    folder: TempDir,
    now: Arc<AtomicU64>,
    hub: Hub,
}

impl Server {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let now = Arc::new(AtomicU64::new(1_000_000));
        let hub = Self::hub(folder.path(), &now, EPOCH);
        Self { folder, now, hub }
    }

    fn hub(folder: &Path, now: &Arc<AtomicU64>, epoch: Epoch) -> Hub {
        Hub::simulated_in(Options::default(), folder, epoch, Arc::clone(now)).unwrap()
    }

    /// Its process ends as it is, and the next begins `seconds` later.
    fn restart(&mut self, seconds: u64) {
        self.hub = Hub::simulated(Options::default(), EPOCH, Arc::clone(&self.now));
        self.pass(seconds);
        self.hub = Self::hub(self.folder.path(), &self.now, Epoch(2));
        assert_eq!(self.hub.position().epoch, EPOCH);
    }

    fn pass(&self, seconds: u64) {
        self.now.fetch_add(seconds * 1_000, Ordering::Relaxed);
    }
}

impl Page {
    /// Subscribes as a page with this cursor. Gives what it is known to have.
    fn come_back(hub: &Hub, cursor: Position) -> (Self, Option<Offset>) {
        let mut page = Self::open(hub);
        page.session.handle_text(
            r#"{"command":"subscribe","identifier":"{\"channel\":\"a\",\"cursor\":\"1\"}"}"#,
        );
        let Some(Effect::Subscribe { id, .. }) = page.session.poll_effect() else {
            panic!("it asks to subscribe");
        };
        let envelope = page.session.waiting_envelope().unwrap();
        let known = page.client.enter_page(id, envelope);
        let from = known.map_or(cursor, |offset| page.client.position_at(offset));
        let attachment = page.client.attach("a", Some(from));
        page.session.confirm(vec![attachment], true, Resync::new("null"));
        (page, known)
    }

    /// Its browser answers the Ping behind what it got.
    fn prove(&mut self, hub: &Hub) {
        let mark = self.session.next_mark(hub.position().offset, false).expect("it was sent some");
        self.session.marked(mark);
        assert!(self.session.handle_pong(&mark.to_bytes()));
        self.client.note_proof(&self.session);
    }

    /// Its socket dies.
    fn lose(mut self) {
        for (id, acknowledged) in self.session.acknowledged() {
            self.client.leave_page(id, acknowledged);
        }
    }
}

#[test]
fn after_a_graceful_end_each_page_goes_on_where_it_was() {
    let mut server = Server::start();
    let cursor = server.hub.position();
    for n in 0..10 {
        let (mut page, _) = Page::come_back(&server.hub, cursor);
        assert_eq!(page.read(), [""; 0], "nothing is shown twice");
        say(&server.hub, "a", &n.to_string());
        assert_eq!(page.read(), [n.to_string()]);
        page.prove(&server.hub);
        page.lose();
        server.hub.close_store().block_on();
        server.restart(20);
        // What was published while it was away is not lost.
        say(&server.hub, "a", "meanwhile");
        let (mut page, _) = Page::come_back(&server.hub, cursor);
        assert_eq!(page.read(), ["meanwhile"]);
        page.prove(&server.hub);
        page.lose();
    }
}

#[test]
fn of_a_process_that_was_killed_what_was_written_is_known() {
    let mut server = Server::start();
    let cursor = server.hub.position();
    let (mut page, _) = Page::come_back(&server.hub, cursor);
    say(&server.hub, "a", "1");
    page.read();
    page.prove(&server.hub);
    server.hub.keep().block_on();
    say(&server.hub, "a", "2");
    page.read();
    page.prove(&server.hub);
    // It is killed before that is written, and the next one before the page has proven anything to it.
    drop(page);
    for _ in 0..2 {
        server.restart(5);
        let (mut page, known) = Page::come_back(&server.hub, cursor);
        assert_eq!(known, Some(Offset(1)));
        assert_eq!(page.read(), ["2"]);
        server.hub.keep().block_on();
    }
}

/// It was live until its process ended, however long ago it was sent anything.
#[test]
fn a_quiet_page_goes_on_after_a_kill() {
    let mut server = Server::start();
    let cursor = server.hub.position();
    let (mut page, _) = Page::come_back(&server.hub, cursor);
    say(&server.hub, "a", "1");
    page.read();
    page.prove(&server.hub);
    for _ in 0..3_600 {
        server.pass(1);
        server.hub.tick(0);
        server.hub.keep().block_on();
    }
    drop(page);
    server.restart(30);
    let (mut page, known) = Page::come_back(&server.hub, cursor);
    assert_eq!(known, Some(Offset(1)));
    // Its entry is too old to be replayed, and so its cursor: it does not need it.
    assert_eq!(page.read(), [""; 0]);
    assert_eq!(server.hub.stats().snapshot().resyncs_forgotten, 0);
}

#[test]
fn a_proof_is_believed_for_a_minute_over_a_restart_too() {
    for (seconds, known) in [(59, Some(Offset(1))), (62, None)] {
        let mut server = Server::start();
        let cursor = server.hub.position();
        let (mut page, _) = Page::come_back(&server.hub, cursor);
        say(&server.hub, "a", "1");
        page.read();
        page.prove(&server.hub);
        page.lose();
        server.hub.close_store().block_on();
        server.restart(seconds);
        assert_eq!(Page::come_back(&server.hub, cursor).1, known, "after {seconds} s");
    }
}

#[test]
fn what_is_doubted_is_doubted_over_a_restart_too() {
    for is_shared in [false, true] {
        let mut server = Server::start();
        let cursor = server.hub.position();
        let (mut page, _) = Page::come_back(&server.hub, cursor);
        say(&server.hub, "a", "1");
        page.read();
        page.prove(&server.hub);
        server.hub.keep().block_on();
        if is_shared {
            // The tab is duplicated.
            drop(Page::come_back(&server.hub, cursor));
            page.lose();
        } else {
            // The page is unloaded: Back brings it to life at its cursor.
            drop(page);
        }
        server.hub.keep().block_on();
        server.restart(5);
        assert_eq!(Page::come_back(&server.hub, cursor).1, None, "shared: {is_shared}");
    }
}

#[test]
fn no_proof_outlives_its_epoch() {
    let mut server = Server::start();
    let cursor = server.hub.position();
    let (mut page, _) = Page::come_back(&server.hub, cursor);
    say(&server.hub, "a", "1");
    page.read();
    page.prove(&server.hub);
    page.lose();
    server.hub.close_store().block_on();
    server.hub = simulated();
    std::fs::remove_file(server.folder.path().join("marker")).unwrap();
    server.hub = Server::hub(server.folder.path(), &server.now, Epoch(2));
    assert_eq!(server.hub.position().epoch, Epoch(2));
    assert_eq!(Page::come_back(&server.hub, cursor).1, None);
}

/// The same while the process lives: its store has lost what it had acknowledged, and offsets come again.
#[tokio::test]
async fn no_proof_outlives_a_log_that_has_lost_something() {
    let log = forebay_store_tests::Memory::new(EPOCH, 100);
    let hub = Hub::follow(Options::default(), Arc::new(log.clone())).await.unwrap();
    let cursor = hub.position();
    let (mut page, _) = Page::come_back(&hub, cursor);
    for text in ["1", "2"] {
        say(&hub, "a", text);
    }
    page.read();
    page.prove(&hub);
    page.lose();
    log.lose_after(Offset(1), Epoch(2));
    say(&hub, "a", "another second");
    assert_eq!(hub.position().offset, Offset(2));
    let (_, known) = Page::come_back(&hub, cursor);
    assert_eq!(known, None, "it has the second of another log");
}

/// Pages that are gone leave the disk.
#[test]
fn pages_that_are_gone_have_no_place() {
    let server = Server::start();
    let cursor = server.hub.position();
    let size = || std::fs::metadata(server.folder.path().join("pages")).unwrap().len();
    for n in 0..50 {
        let (mut page, _) = Page::come_back(&server.hub, cursor);
        say(&server.hub, "a", &n.to_string());
        page.read();
        page.prove(&server.hub);
        server.hub.keep().block_on();
        drop(page);
        server.hub.keep().block_on();
    }
    assert_eq!(size(), 512 + 32);
}

#[tokio::test(start_paused = true)]
async fn a_killed_process_forgets_no_more_than_half_a_second() {
    let folder = TempDir::new().unwrap();
    let open = || Hub::open(Options::default(), folder.path(), Fsync::Os).unwrap();
    let hub = open();
    let cursor = hub.position();
    let (mut page, _) = Page::come_back(&hub, cursor);
    say(&hub, "a", "1");
    page.read();
    page.prove(&hub);
    tokio::time::sleep(Duration::from_millis(600)).await;
    let pages = folder.path().join("pages");
    // It has been asked for by now; the disk takes its time.
    let killed = changed(&pages, |bytes| bytes.len() > 512).await;
    // That a page was unloaded is written at once.
    drop(page);
    tokio::time::sleep(Duration::from_millis(1)).await;
    changed(&pages, |bytes| bytes[512..] != killed[512..]).await;
}

/// Waits for another thread, and not for a later time.
async fn changed(file: &Path, is_there: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let began = std::time::Instant::now();
    loop {
        let bytes = std::fs::read(file).unwrap();
        if is_there(&bytes) {
            return bytes;
        }
        assert!(began.elapsed() < Duration::from_mins(1), "it is not written");
        tokio::task::yield_now().await;
    }
}

#[test]
fn sessions_outlive_their_process() {
    let mut server = Server::start();
    let identity: Arc<str> = "user:1".into();
    let open = |hub: &Hub| {
        let mut client = hub.connect().unwrap();
        client.identify(&identity);
        let hello = client.hello(Protocol::ActionCableV1ExtJson);
        let mut session = Session::open(hub.now(), hello, Arc::clone(hub.limits()));
        session.handle_text(r#"{"command":"subscribe","identifier":"{\"channel\":\"a\"}"}"#);
        assert!(matches!(session.poll_effect(), Some(Effect::Subscribe { .. })));
        let attachment = client.attach("a", None);
        session.confirm(vec![attachment], false, Resync::new("null"));
        client.note_session(&session);
        (client, session)
    };
    let (lost, mut session) = open(&server.hub);
    let kept = session.keep().unwrap();
    lost.keep_session(kept.clone());
    let lost_sid = session.id().to_string();
    drop(lost);
    let (ended, session) = open(&server.hub);
    let ended_sid = session.id().to_string();
    drop(ended);
    let (live, session) = open(&server.hub);
    let live_sid = session.id().to_string();
    server.hub.keep().block_on();
    drop(live);
    server.restart(10);
    // It is killed again at once.
    server.restart(10);
    let take = |sid: &str| {
        let mut client = server.hub.connect().unwrap();
        assert_eq!(client.take_session(sid), None, "another's");
        client.identify(&identity);
        client.take_session(sid)
    };
    assert_eq!(take(&lost_sid), Some(kept.clone()));
    assert_eq!(take(&live_sid), Some(kept));
    assert_eq!(take(&ended_sid), None, "both sides have ended it");
    assert_eq!(take(&lost_sid), None, "it was taken");
    server.hub.keep().block_on();
    server.restart(10);
    let mut client = server.hub.connect().unwrap();
    client.identify(&identity);
    assert_eq!(client.take_session(&live_sid), None);
}

#[test]
fn sessions_are_kept_for_five_minutes_over_restarts() {
    let mut server = Server::start();
    let mut client = server.hub.connect().unwrap();
    let hello = client.hello(Protocol::ActionCableV1ExtJson);
    let mut session = Session::open(server.hub.now(), hello, Arc::clone(server.hub.limits()));
    session.handle_text(r#"{"command":"subscribe","identifier":"{\"channel\":\"a\"}"}"#);
    assert!(session.poll_effect().is_some());
    let attachment = client.attach("a", None);
    session.confirm(vec![attachment], false, Resync::new("null"));
    client.keep_session(session.keep().unwrap());
    drop(client);
    server.hub.close_store().block_on();
    server.restart(200);
    server.hub.close_store().block_on();
    server.restart(101);
    let client = server.hub.connect().unwrap();
    assert_eq!(client.take_session(&session.id().to_string()), None);
}
