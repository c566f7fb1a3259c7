//! Restarts that cost nobody anything, also those who publish.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use forebay::signing::PageCursor;
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Connection, PATIENCE, Page, Server, bearer, turbo};

/// As many as the issue of restarts was seen with.
const PAGES: usize = 500;

/// Between two posts: 50 a second.
const PAUSE: Duration = Duration::from_millis(20);

/// Longer than a post may take, on a machine that has other things to do. `cargo xtask restarts` shows how
/// long it is.
const LATE: Duration = Duration::from_secs(8);

/// Posts 1, 2, 3, … over connections that it keeps for as long as the server does.
struct Publisher {
    /// How many are in the database, so to speak: each is committed before it is posted.
    committed: Arc<AtomicU64>,
    /// How many were answered.
    acknowledged: Arc<AtomicU64>,
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Duration>,
}

impl Publisher {
    fn start(address: &str) -> Self {
        let (stop, stopped) = mpsc::channel();
        let acknowledged = Arc::<AtomicU64>::default();
        let committed = Arc::<AtomicU64>::default();
        let (address, count) = (address.to_owned(), Arc::clone(&acknowledged));
        let rows = Arc::clone(&committed);
        let thread = thread::spawn(move || {
            let mut connection = None;
            let mut slowest = Duration::ZERO;
            while stopped.recv_timeout(PAUSE).is_err() {
                let began = Instant::now();
                let number = count.load(Ordering::SeqCst) + 1;
                let body = json!({ "stream": "s", "data": number.to_string() }).to_string();
                rows.store(number, Ordering::SeqCst);
                // As every client does: one that was closed meanwhile is not used again.
                let kept = connection.take().filter(Connection::is_open);
                let mut kept = kept.unwrap_or_else(|| Connection::open(&address));
                let answer = kept.post(&bearer(), &body);
                assert_eq!(answer.status, 201, "post {number}: {answer:?}");
                count.store(number, Ordering::SeqCst);
                slowest = slowest.max(began.elapsed());
                if !answer.head.to_lowercase().contains("connection: close") {
                    connection = Some(kept);
                }
            }
            slowest
        });
        Self { committed, acknowledged, stop, thread }
    }

    /// Until so many more are answered.
    fn wait_for(&self, more: u64) {
        let enough = self.acknowledged.load(Ordering::SeqCst) + more;
        let began = Instant::now();
        while self.acknowledged.load(Ordering::SeqCst) < enough {
            assert!(began.elapsed() < PATIENCE && !self.thread.is_finished(), "posts stopped");
            thread::yield_now();
        }
    }

    /// How many there were, and how long the slowest one took.
    fn stop(self) -> (u64, Duration) {
        self.stop.send(()).unwrap();
        let slowest = self.thread.join().unwrap();
        (self.acknowledged.load(Ordering::SeqCst), slowest)
    }
}

/// What a page ended with.
#[derive(Debug, Default)]
struct Shown {
    /// All up to here was in its HTML.
    rendered: u64,
    got: Vec<u64>,
    heals: u32,
    lives: u32,
}

impl Shown {
    fn check(&self, last: u64) {
        let got: BTreeSet<_> = self.got.iter().copied().collect();
        let missing: Vec<_> = (self.rendered + 1..=last).filter(|n| !got.contains(n)).collect();
        assert!(missing.is_empty(), "lost: {missing:?} of {last}; {self:?}");
    }

    fn doubled(&self) -> usize {
        self.got.len() - self.got.iter().collect::<BTreeSet<_>>().len()
    }
}

/// What renders a page anew: how many are in its HTML, and its cursor. `None` if all are.
type Render = dyn Fn() -> (u64, Option<PageCursor>) + Send + Sync;

/// A page that comes back whenever its connection is lost, until it is told the end. It says when it is
/// live for the first time.
fn live(address: &str, render: &Render, begun: &mpsc::Sender<()>) -> Shown {
    let (rendered, cursor) = render();
    let mut cursor = cursor.unwrap();
    let mut shown = Shown { rendered, ..Shown::default() };
    loop {
        // Refused while the old process ends: it comes back.
        let Ok(mut page) = Page::open(address, &[]) else { continue };
        shown.lives += 1;
        page.send_subscribe(&turbo("s", Some(&cursor)));
        while let Some(said) = page.next_or_end() {
            match &said["message"] {
                number if number.is_u64() => shown.got.extend(number.as_u64()),
                _ if said["type"] == "confirm_subscription" && shown.lives == 1 => {
                    begun.send(()).unwrap();
                }
                text if text == "end" => return shown,
                text if text.as_str().is_some_and(|text| text.contains("refresh")) => {
                    let (rendered, fresh) = render();
                    shown = Shown { rendered, got: Vec::new(), heals: shown.heals + 1, ..shown };
                    let Some(fresh) = fresh else { return shown };
                    cursor = fresh;
                    break;
                }
                _ if said["type"] == "disconnect" => {
                    assert_eq!(said["reconnect"], true);
                    break;
                }
                _ => {}
            }
        }
        page.close();
    }
}

/// Runs pages and a publisher while `restart` makes a new server of the old one; gives what they saw.
fn over(server: Server, restart: impl FnOnce(Server) -> Server) -> Vec<Shown> {
    let address = server.address.clone();
    let publisher = Publisher::start(&address);
    let is_over = Arc::<AtomicBool>::default();
    let render: Arc<Render> = Arc::new({
        let (address, committed) = (address.clone(), Arc::clone(&publisher.committed));
        let is_over = Arc::clone(&is_over);
        move || {
            let mut connection = Connection::open(&address);
            let answer = connection.request("GET", "/_cursor", &[&bearer()], "");
            // Rendered after the cursor was taken.
            let count = committed.load(Ordering::SeqCst);
            let is_over = is_over.load(Ordering::SeqCst);
            (count, (!is_over).then(|| PageCursor::parse(&answer.body).unwrap()))
        }
    });
    let (begun, begins) = mpsc::channel();
    let pages: Vec<_> = (0..PAGES)
        .map(|_| {
            let (address, render, begun) = (address.clone(), Arc::clone(&render), begun.clone());
            thread::spawn(move || live(&address, &*render, &begun))
        })
        .collect();
    for _ in &pages {
        begins.recv_timeout(PATIENCE).unwrap();
    }
    publisher.wait_for(10);
    let server = restart(server);
    publisher.wait_for(10);
    let (last, slowest) = publisher.stop();
    // Who is rendered from here on might not be told the end.
    is_over.store(true, Ordering::SeqCst);
    server.broadcast("s", &["\"end\""]);
    let shown: Vec<_> = pages.into_iter().map(|page| page.join().unwrap()).collect();
    assert!(slowest < LATE, "a post took {slowest:?}");
    for page in &shown {
        page.check(last);
        assert!(page.lives > 1, "{page:?}");
        assert_eq!(page.doubled(), 0, "{page:?}");
    }
    shown
}

fn heals(pages: &[Shown]) -> u32 {
    pages.iter().map(|page| page.heals).sum()
}

#[test]
fn a_restart_by_systemd_refuses_no_post_and_loses_nothing() {
    for has_folder in [false, true] {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = TempDir::new().unwrap();
        let name = folder.path().to_str().unwrap();
        let secret = ["--secret", crate::support::SECRET];
        let in_folder = [&secret[..], &["--history-folder", name]].concat();
        let flags = if has_folder { &in_folder[..] } else { &secret[..] };
        let server = Server::start_activated(&socket, flags);
        let pages = over(server, |mut old| {
            old.program.signal(Signal::TERM);
            assert_eq!(old.program.end(), Some(0));
            Server::start_activated(&socket, flags)
        });
        assert_eq!(heals(&pages) == 0, has_folder, "{}", heals(&pages));
    }
}

#[test]
fn a_successor_that_takes_over_refuses_no_post_and_loses_nothing() {
    for has_folder in [false, true] {
        let folder = TempDir::new().unwrap();
        let name = folder.path().to_str().unwrap();
        let in_folder = ["--history-folder", name];
        let flags = if has_folder { &in_folder[..] } else { &[] };
        let pages = over(Server::start(flags), |mut old| {
            let (_, port) = old.address.rsplit_once(':').unwrap();
            let new = Server::start(&[&["--takeover", "--port", port], flags].concat());
            assert_eq!(old.program.end(), Some(0));
            new
        });
        assert_eq!(heals(&pages) == 0, has_folder, "{}", heals(&pages));
    }
}

#[test]
fn without_a_predecessor_a_successor_starts_as_usual() {
    let server = Server::start(&["--takeover"]);
    assert_eq!(server.get("/health").status, 200);
}

#[test]
fn an_idle_publisher_s_connection_is_closed_and_a_busy_one_gets_its_answer() {
    let mut server = Server::start(&[]);
    let mut idle = server.publisher();
    assert_eq!(idle.post(&bearer(), r#"{"stream":"s","data":"1"}"#).status, 201);
    let mut busy = server.publisher();
    busy.send("GET /_cursor HTTP/1.1\r\nhost: a\r\n");
    server.program.signal(Signal::TERM);
    server.program.error_line("closing");
    busy.send(&format!("{}\r\n\r\n", bearer()));
    let answer = busy.receive();
    assert_eq!(answer.status, 200);
    assert!(answer.head.to_lowercase().contains("connection: close"), "{}", answer.head);
    assert!(idle.is_closed());
    assert_eq!(server.program.end(), Some(0));
}
