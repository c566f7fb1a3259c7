//! A deploy of all servers, one after the other, under members whose pages have the stock client: nobody is seen to
//! leave. It takes two minutes, since that client comes back when its timer says so. `cargo xtask deploy` runs it.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use forebay_core::signing::{Key, Verifier};
use forebay_rig::{Redis, Server as _};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use serde_json::json;

use crate::support::{Page, SECRET, Server, bearer};

const SERVERS: usize = 3;

/// How long all members may take to be there. The slowest comes back 18 s behind the end of its server, which
/// ends within 20 s.
const ALL_HERE: Duration = Duration::from_mins(1);

/// What `@rails/actioncable` does by itself, in its `connection_monitor.js`.
struct Monitor {
    polls_at: Instant,
    heard_at: Instant,
    closed_at: Option<Instant>,
    attempts: i32,
    /// Stands for its random numbers, which are spread as evenly over all members.
    fraction: f64,
}

impl Monitor {
    const STALE: Duration = Duration::from_secs(6);

    fn new(number: usize) -> Self {
        let now = Instant::now();
        let fraction = f64::from(u32::try_from(number).unwrap());
        let mut monitor =
            Self { polls_at: now, heard_at: now, closed_at: None, attempts: 0, fraction };
        monitor.plan();
        monitor
    }

    /// The next poll: six seconds or more from the last one on.
    fn plan(&mut self) {
        self.fraction = (self.fraction + 0.618_033_988_75).fract();
        let jitter = if self.attempts == 0 { 1.0 } else { 0.15 };
        let backoff = 1.15_f64.powi(self.attempts.min(10));
        self.polls_at += Self::STALE.mul_f64(backoff * (1.0 + jitter * self.fraction));
    }

    /// Something has come.
    fn hear(&mut self) {
        let now = Instant::now();
        self.heard_at = now;
        while self.polls_at <= now {
            self.plan();
        }
    }

    fn connected(&mut self) {
        (self.closed_at, self.attempts) = (None, 0);
        self.hear();
    }

    fn closed(&mut self) {
        self.closed_at = Some(Instant::now());
    }

    /// Waits for the poll that opens a connection again.
    fn wait(&mut self) {
        loop {
            let is_new = |at: Instant| at.elapsed() < Self::STALE;
            while let Some(pause) = self.polls_at.checked_duration_since(Instant::now()) {
                thread::park_timeout(pause);
            }
            let is_stale = !is_new(self.heard_at);
            self.attempts += i32::from(is_stale);
            self.plan();
            if is_stale && !self.closed_at.is_some_and(is_new) {
                return;
            }
        }
    }
}

/// What members share: who takes connections, how many have one, and whether it is all over.
#[derive(Default)]
struct Site {
    addresses: Mutex<Vec<String>>,
    connected: AtomicUsize,
    is_over: AtomicBool,
}

/// As the gem and `presence_from` make it.
fn tag(number: usize) -> String {
    let verifier = Verifier::new(Key::raw(SECRET));
    let member =
        json!({ "id": number.to_string(), "info": { "name": format!("member {number}") } });
    json!({
        "channel": "Forebay::PresenceChannel",
        "signed_stream_name": verifier.sign_for("room", "presence:"),
        "member": verifier.sign_for(&member.to_string(), "member:room"),
    })
    .to_string()
}

impl Site {
    /// As a balancer does it: any server that takes it.
    fn open(&self, number: usize) -> Option<Page> {
        let addresses = self.addresses.lock().unwrap().clone();
        let from = number % addresses.len();
        let in_turn = addresses[from..].iter().chain(&addresses[..from]);
        let mut open = in_turn.filter(|address| TcpStream::connect(address).is_ok());
        open.find_map(|address| Page::open(address, &[]).ok())
    }

    /// A page that stays until all is over. Gives how often it connected.
    fn stay(&self, number: usize) -> usize {
        let mut monitor = Monitor::new(number);
        let mut lives = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            let Some(mut page) = self.open(number) else {
                monitor.closed();
                monitor.wait();
                continue;
            };
            lives += 1;
            page.send_subscribe(&tag(number));
            let mut is_here = false;
            while let Some(said) = page.hear() {
                monitor.hear();
                if said["type"] == "confirm_subscription" {
                    monitor.connected();
                    is_here = true;
                    self.connected.fetch_add(1, Ordering::SeqCst);
                }
                assert_ne!(said["type"], "reject_subscription");
                if said["type"] == "disconnect" {
                    assert_eq!(said["reconnect"], true);
                    break;
                }
                if self.is_over.load(Ordering::Relaxed) {
                    break;
                }
            }
            self.connected.fetch_sub(usize::from(is_here), Ordering::SeqCst);
            page.close();
            monitor.closed();
            if !self.is_over.load(Ordering::Relaxed) {
                monitor.wait();
            }
        }
        lives
    }
}

fn start(redis: &Redis) -> Server {
    Server::start(&["--log", &redis.url(), "--presence-names-max", "5000"])
}

fn present(server: &Server) -> usize {
    let answer = server.publisher().request("GET", "/_presence?stream=room", &[&bearer()], "");
    let answer: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    answer["total"].as_u64().unwrap().try_into().unwrap()
}

/// How many this server has seen leave.
fn seen_leaving(server: &Server) -> usize {
    let answer = server.publisher().request("GET", "/metrics", &[&bearer()], "");
    let name = "forebay_presence_leaves_total ";
    let line = answer.body.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name}in {}", answer.body)).parse().unwrap()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < ALL_HERE, "{what}: not within {ALL_HERE:?}");
        thread::park_timeout(Duration::from_millis(100));
    }
}

/// Somebody is lost, and gone after `presence_ttl`: whoever was lost before has left by then.
fn one_is_lost(server: &Server, number: usize) {
    let total = present(server);
    let mut page = server.page();
    page.subscribe(&tag(number));
    until("one more", || present(server) == total + 1);
    page.cut(Shutdown::Both);
    until("one less", || present(server) == total);
}

/// As many descriptors as the machine allows.
fn raise_file_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

#[test]
#[ignore = "takes two minutes; cargo xtask deploy runs it"]
fn in_a_deploy_of_all_servers_nobody_is_seen_to_leave() {
    raise_file_limit();
    let members =
        std::env::var("FOREBAY_DEPLOY_MEMBERS").map_or(100, |count| count.parse().unwrap());
    let redis = Redis::options().append_only().start().unwrap();
    let mut servers: Vec<_> = (0..SERVERS).map(|_| start(&redis)).collect();
    let site = Arc::new(Site::default());
    *site.addresses.lock().unwrap() = servers.iter().map(|server| server.address.clone()).collect();
    let stay = |number| {
        let site = Arc::clone(&site);
        let builder = thread::Builder::new().stack_size(256 << 10);
        builder.spawn(move || site.stay(number)).unwrap()
    };
    let pages: Vec<JoinHandle<usize>> = (0..members).map(stay).collect();
    let all_here = |server: &Server| {
        until("all members", || {
            site.connected.load(Ordering::SeqCst) == members && present(server) == members
        });
    };
    all_here(&servers[0]);
    let mut slowest = Duration::ZERO;
    for _ in 0..SERVERS {
        let mut old = servers.remove(0);
        servers.push(start(&redis));
        let addresses = servers.iter().map(|server| server.address.clone());
        *site.addresses.lock().unwrap() = addresses.collect();
        assert_eq!(seen_leaving(&old), 0);
        old.program.signal(Signal::TERM);
        assert_eq!(old.program.end(), Some(0));
        let ended = Instant::now();
        all_here(&servers[0]);
        slowest = slowest.max(ended.elapsed());
    }
    // Twice the time to live is more than any server's members are waited for.
    one_is_lost(&servers[0], members);
    one_is_lost(&servers[1], members + 1);
    for server in &servers {
        assert_eq!(seen_leaving(server), 2, "and nobody else");
    }
    site.is_over.store(true, Ordering::Relaxed);
    let lives: usize = pages.into_iter().map(|page| page.join().unwrap()).sum();
    println!(
        "{members} members, {lives} connections, the last one back {} ms behind an end",
        slowest.as_millis()
    );
    assert!(lives >= 2 * members, "who was not cut shows nothing");
    until("nobody", || present(&servers[0]) == 0);
    assert_eq!(seen_leaving(&servers[0]), members + 2);
}
