//! A TCP proxy that breaks what goes through it: it holds, delays, swallows and cuts.
//!
//! It runs in a thread and runtime of its own, so it goes on while a test blocks on something else.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// What of one direction waits for its time. Behind it the sender waits, as TCP has it.
const DELAYED_BYTES_MAX: usize = 4 << 20;
const READ_BYTES: usize = 16 << 10;

/// Who is sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server: requests.
    ToServer,
    /// From the server to the client: answers.
    ToClient,
}

/// What becomes of bytes in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// They pass.
    Open,
    /// They pass so much later.
    Late(Duration),
    /// They wait until this changes. New connections wait, too.
    Held,
    /// They are read, and never seen again. What passes afterwards is a stream with a hole, so cut it before.
    Lost,
}

#[derive(Debug, Clone, Copy)]
struct State {
    server: SocketAddr,
    to_server: Passage,
    to_client: Passage,
    /// Refuses new connections.
    refuses: bool,
    /// Connections of an older cut end.
    cuts: u64,
}

/// Stands between clients and a server on loopback.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    /// Its end ends the thread.
    state: watch::Sender<State>,
    lost: Lost,
}

/// How many bytes were lost in each direction.
#[derive(Debug, Clone)]
struct Lost {
    to_server: Arc<watch::Sender<u64>>,
    to_client: Arc<watch::Sender<u64>>,
}

impl Lost {
    fn of(&self, direction: Direction) -> &watch::Sender<u64> {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }
}

impl State {
    fn passage(&self, direction: Direction) -> Passage {
        match direction {
            Direction::ToServer => self.to_server,
            Direction::ToClient => self.to_client,
        }
    }

    fn is_held(&self) -> bool {
        [self.to_server, self.to_client].contains(&Passage::Held)
    }
}

impl Proxy {
    /// Listens on a free port, and passes everything on.
    ///
    /// # Errors
    /// No port or thread can be had.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let (to_server, to_client) = (Passage::Open, Passage::Open);
        let state = State { server, to_server, to_client, refuses: false, cuts: 0 };
        let (state, changes) = watch::channel(state);
        let counter = || Arc::new(watch::channel(0).0);
        let lost = Lost { to_server: counter(), to_client: counter() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let counters = lost.clone();
        thread::Builder::new().name("proxy".into()).spawn(move || {
            runtime.block_on(async move {
                // A listener that can't be taken over leaves a port that nobody accepts on.
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                accept(listener, changes, counters).await;
            });
        })?;
        Ok(Self { address, state, lost })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What becomes of bytes in this direction, from now on.
    pub fn set(&self, direction: Direction, passage: Passage) {
        self.state.send_modify(|state| match direction {
            Direction::ToServer => state.to_server = passage,
            Direction::ToClient => state.to_client = passage,
        });
    }

    /// Holds both directions: a partition that nobody notices by itself.
    pub fn hold(&self) {
        self.set(Direction::ToServer, Passage::Held);
        self.set(Direction::ToClient, Passage::Held);
    }

    /// Lets both directions and new connections pass.
    pub fn open(&self) {
        self.set(Direction::ToServer, Passage::Open);
        self.set(Direction::ToClient, Passage::Open);
        self.state.send_modify(|state| state.refuses = false);
    }

    /// Ends all connections. New ones are taken.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Ends all connections, and refuses new ones until [`Proxy::open`].
    pub fn refuse(&self) {
        self.state.send_modify(|state| state.refuses = true);
        self.cut();
    }

    /// Leads new connections to another server.
    pub fn lead_to(&self, server: SocketAddr) {
        self.state.send_modify(|state| state.server = server);
    }

    /// Waits until this many bytes were lost in this direction: an answer that is lost was given.
    pub async fn lost(&self, direction: Direction, bytes: u64) {
        let mut lost = self.lost.of(direction).subscribe();
        // The counter lives as long as this proxy.
        drop(lost.wait_for(|lost| *lost >= bytes).await);
    }
}

async fn accept(listener: TcpListener, mut state: watch::Receiver<State>, lost: Lost) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Only an end is of interest here.
            ended = state.wait_for(|_| false) => { drop(ended); return }
        };
        let Ok((client, _)) = accepted else { continue };
        if state.borrow().refuses {
            reset(&client);
            continue;
        }
        tokio::spawn(connection(client, state.clone(), lost.clone()));
    }
}

/// The peer notices that it is cut off, and doesn't take it for an end in good order.
fn reset(stream: &TcpStream) {
    // Without it the peer sees an ordinary end, which also is one.
    drop(stream.set_zero_linger());
}

async fn connection(client: TcpStream, mut state: watch::Receiver<State>, lost: Lost) {
    let cuts = state.borrow().cuts;
    let mut cut = state.clone();
    let cut = cut.wait_for(|state| state.cuts != cuts);
    let passes = async {
        let Ok(opened) = state.wait_for(|state| !state.is_held()).await.map(|state| *state) else {
            return;
        };
        let Ok(server) = TcpStream::connect(opened.server).await else { return reset(&client) };
        // Each message goes on at once, as its sender meant it.
        drop(client.set_nodelay(true).and_then(|()| server.set_nodelay(true)));
        reset(&server);
        reset(&client);
        let ((from_client, to_client), (from_server, to_server)) =
            (client.into_split(), server.into_split());
        tokio::join!(
            pass(from_client, to_server, Direction::ToServer, state.clone(), &lost),
            pass(from_server, to_client, Direction::ToClient, state.clone(), &lost),
        );
    };
    tokio::select! {
        _ = cut => {}
        () = passes => {}
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    mut state: watch::Receiver<State>,
    lost: &Lost,
) {
    let mut waiting = VecDeque::<(Instant, Vec<u8>)>::new();
    let mut waiting_bytes = 0;
    let mut buffer = vec![0; READ_BYTES];
    let mut ended = false;
    loop {
        let passage = state.borrow_and_update().passage(direction);
        let due = waiting.front().map(|(due, _)| *due);
        if ended && waiting.is_empty() {
            drop(to.shutdown().await);
            return;
        }
        tokio::select! {
            changed = state.changed() => if changed.is_err() { return },
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() && passage != Passage::Held => {
                let Some((_, bytes)) = waiting.pop_front() else { continue };
                waiting_bytes -= bytes.len();
                if passage == Passage::Lost {
                    lost.of(direction).send_modify(|lost| *lost += bytes.len() as u64);
                } else if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            read = from.read(&mut buffer), if !ended && waiting_bytes < DELAYED_BYTES_MAX => match read {
                Ok(0) => ended = true,
                Ok(length) => {
                    let late = if let Passage::Late(late) = passage { late } else { Duration::ZERO };
                    waiting.push_back((Instant::now() + late, buffer[..length].to_vec()));
                    waiting_bytes += length;
                }
                Err(_) => return,
            },
        }
    }
}
