//! Restarts that cost nobody anything, also those who publish.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use forebay_core::signing::PageCursor;
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Connection, PATIENCE, Page, Server, bearer, turbo};

/// One restart under more pages than a site of medium size has.
const ONCE: Scale = Scale { pages: 500, restarts: 1, posts: 10 };

/// Between two posts: 50 a second.
const PAUSE: Duration = Duration::from_millis(20);

/// For so long may a publisher be quiet and use its connection all the same. A server that ends waits twice as
/// long for a last request. A publisher that got no time on a busy machine may have been quiet for longer.
const QUIET_MAX: Duration = Duration::from_millis(125);

/// Longer than a post may take, on a machine that has other things to do. `cargo xtask restarts` shows how
/// long it is.
const LATE: Duration = Duration::from_secs(8);

/// Posts 1, 2, 3, … over connections that it keeps for as long as the server does.
struct Publisher {
    /// How many are in the database, so to speak: each is committed before it is posted.
    committed: Arc<AtomicU64>,
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Posted>,
}

#[derive(Debug, Default)]
struct Posted {
    answered: BTreeSet<u64>,
    /// Those that were refused or cut off. Nobody knows whether the latter are broadcast.
    failed: u64,
    slowest: Duration,
}

impl Publisher {
    fn start(address: &str) -> Self {
        let (stop, stopped) = mpsc::channel();
        let (address, committed) = (address.to_owned(), Arc::<AtomicU64>::default());
        let rows = Arc::clone(&committed);
        let thread = thread::spawn(move || {
            let (mut connection, mut posted) = (None, Posted::default());
            while stopped.recv_timeout(PAUSE).is_err() {
                let began = Instant::now();
                let number = rows.fetch_add(1, Ordering::SeqCst) + 1;
                let body = json!({ "stream": "s", "data": number.to_string() }).to_string();
                // As every client does: one that was closed meanwhile is not used again.
                let kept = connection.take().filter(|(kept, used): &(Connection, Instant)| {
                    used.elapsed() < QUIET_MAX && kept.is_open()
                });
                let kept = kept.map(|(kept, _)| kept);
                let mut kept = kept.unwrap_or_else(|| Connection::open(&address));
                let answer = kept.try_request("POST", "/_broadcast", &[&bearer()], &body);
                posted.slowest = posted.slowest.max(began.elapsed());
                let Some(answer) = answer.ok().filter(|answer| answer.status == 201) else {
                    posted.failed += 1;
                    continue;
                };
                posted.answered.insert(number);
                if !answer.head.to_lowercase().contains("connection: close") {
                    connection = Some((kept, Instant::now()));
                }
            }
            posted
        });
        Self { committed, stop, thread }
    }

    /// Until so many more are committed.
    fn wait_for(&self, more: u64) {
        let enough = self.committed.load(Ordering::SeqCst) + more;
        let began = Instant::now();
        while self.committed.load(Ordering::SeqCst) < enough {
            assert!(began.elapsed() < PATIENCE && !self.thread.is_finished(), "posts stopped");
            thread::yield_now();
        }
    }

    fn stop(self) -> Posted {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap()
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
    /// What was answered, and this page lacks.
    fn lost(&self, posted: &Posted) -> usize {
        let got: BTreeSet<_> = self.got.iter().copied().collect();
        posted.answered.iter().filter(|n| **n > self.rendered && !got.contains(*n)).count()
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

/// How much there is of what.
#[derive(Clone, Copy)]
struct Scale {
    pages: usize,
    restarts: usize,
    /// Between two restarts, and before the first one.
    posts: u64,
}

/// Runs pages and a publisher while `restart` makes a new server of the old one, again and again; gives what
/// they saw.
fn over(
    mut server: Server,
    scale: Scale,
    restart: impl Fn(Server) -> Server,
) -> (Posted, Vec<Shown>) {
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
    let pages: Vec<_> = (0..scale.pages)
        .map(|_| {
            let (address, render, begun) = (address.clone(), Arc::clone(&render), begun.clone());
            thread::spawn(move || live(&address, &*render, &begun))
        })
        .collect();
    for _ in &pages {
        begins.recv_timeout(PATIENCE).unwrap();
    }
    publisher.wait_for(scale.posts);
    for _ in 0..scale.restarts {
        server = restart(server);
        publisher.wait_for(scale.posts);
    }
    let posted = publisher.stop();
    // Who is rendered from here on might not be told the end.
    is_over.store(true, Ordering::SeqCst);
    server.broadcast("s", &["\"end\""]);
    (posted, pages.into_iter().map(|page| page.join().unwrap()).collect())
}

/// No post failed or was late, and no page lacks anything or shows it twice. Gives how many pages had to be
/// rendered again.
fn check(posted: &Posted, pages: &[Shown]) -> u32 {
    assert_eq!(posted.failed, 0);
    assert!(posted.slowest < LATE, "a post took {:?}", posted.slowest);
    for page in pages {
        assert_eq!((page.lost(posted), page.doubled()), (0, 0), "{page:?}");
        assert!(page.lives > 1, "{page:?}");
    }
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
        let (posted, pages) = over(server, ONCE, |mut old| {
            old.program.signal(Signal::TERM);
            assert_eq!(old.program.end(), Some(0));
            Server::start_activated(&socket, flags)
        });
        assert_eq!(check(&posted, &pages) == 0, has_folder);
    }
}

#[test]
fn a_successor_that_takes_over_refuses_no_post_and_loses_nothing() {
    for has_folder in [false, true] {
        let folder = TempDir::new().unwrap();
        let name = folder.path().to_str().unwrap();
        let in_folder = ["--history-folder", name];
        let flags = if has_folder { &in_folder[..] } else { &[] };
        let (posted, pages) = over(Server::start(flags), ONCE, |mut old| {
            let (_, port) = old.address.rsplit_once(':').unwrap();
            let new = Server::start(&[&["--takeover", "--port", port], flags].concat());
            assert_eq!(old.program.end(), Some(0));
            new
        });
        assert_eq!(check(&posted, &pages) == 0, has_folder);
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

/// How often each kind of end happens, where `cargo xtask restarts` says it, and to how many pages.
fn asked(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |count| count.parse().unwrap())
}

/// A table of what restarts cost, with history in a folder and a socket that systemd keeps. The pages' rows
/// have no ids. What the last second before a `kill -9` proved may be shown twice, and nothing else.
#[test]
fn restarts_and_kills_lose_nothing() {
    let page_count = asked("FOREBAY_RESTARTS_PAGES", 20);
    let posts = asked("FOREBAY_RESTARTS_POSTS", 10);
    println!(
        "| end | times | posts | failed | slowest | pages | lost | doubled | rendered again |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    let kinds = [("graceful", "FOREBAY_RESTARTS_GRACEFUL"), ("kill -9", "FOREBAY_RESTARTS_KILL")];
    for (kind, variable) in kinds {
        let times = asked(variable, 2);
        let pages = page_count.try_into().unwrap();
        let scale = Scale { pages, restarts: times.try_into().unwrap(), posts };
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = TempDir::new().unwrap();
        let name = folder.path().to_str().unwrap();
        let flags = ["--secret", crate::support::SECRET, "--history-folder", name];
        let server = Server::start_activated(&socket, &flags);
        let (posted, pages) = over(server, scale, |mut old| {
            if kind == "graceful" {
                old.program.signal(Signal::TERM);
                assert_eq!(old.program.end(), Some(0));
            } else {
                old.program.kill();
            }
            Server::start_activated(&socket, &flags)
        });
        let lost: usize = pages.iter().map(|page| page.lost(&posted)).sum();
        let doubled: usize = pages.iter().map(Shown::doubled).sum();
        let heals: u32 = pages.iter().map(|page| page.heals).sum();
        let Posted { answered, failed, slowest } = posted;
        println!(
            "| {kind} | {times} | {} | {failed} | {} ms | {page_count} | {lost} | {doubled} | {heals} |",
            answered.len() as u64 + failed,
            slowest.as_millis(),
        );
        assert_eq!(lost, 0);
        if kind == "graceful" {
            assert_eq!((failed, doubled, heals), (0, 0, 0));
        } else {
            // The one that ran.
            assert!(failed <= times, "{failed}");
            // A second's posts, and half of one more on a machine that is busy.
            assert!(doubled as u64 <= page_count * times * 75, "{doubled}");
        }
    }
}
