//! Which nodes there are, and which of them are ready.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How often each node is asked, and how long it may take to answer.
const ASKED_EVERY: Duration = Duration::from_millis(100);
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// How long a request waits for a node, if none is ready: as long as a store may take to come back.
const NODE_MAX: Duration = Duration::from_secs(30);

/// The nodes behind the front.
pub(crate) struct Nodes {
    addresses: Vec<SocketAddr>,
    ready: watch::Sender<Vec<bool>>,
    turn: AtomicUsize,
}

impl Nodes {
    pub(crate) fn new(addresses: Vec<SocketAddr>) -> Arc<Self> {
        let ready = watch::Sender::new(vec![false; addresses.len()]);
        Arc::new(Self { addresses, ready, turn: AtomicUsize::new(0) })
    }

    /// Asks each of them again and again, for as long as the runtime lives.
    pub(super) fn watch(self: &Arc<Self>) {
        for (index, address) in self.addresses.iter().copied().enumerate() {
            let nodes = Arc::clone(self);
            tokio::spawn(async move {
                loop {
                    let answer = timeout(ANSWER_MAX, is_ready(address)).await;
                    nodes.set_ready(index, answer.unwrap_or(false));
                    sleep(ASKED_EVERY).await;
                }
            });
        }
    }

    /// Which are ready.
    pub(crate) fn ready(&self) -> Vec<bool> {
        self.ready.borrow().clone()
    }

    /// Waits until this many are ready, for a minute at most. Gives whether they are.
    pub(crate) async fn wait_for_ready(&self, count: usize) -> bool {
        let mut ready = self.ready.subscribe();
        let enough = ready.wait_for(|ready| ready.iter().filter(|ready| **ready).count() >= count);
        timeout(Duration::from_mins(1), enough).await.is_ok()
    }

    /// The next one that is ready, which may wait for one. `None` if it has waited long enough.
    pub(super) async fn next(&self) -> Option<usize> {
        let mut changes = self.ready.subscribe();
        let some = changes.wait_for(|ready| ready.contains(&true));
        let ready = timeout(NODE_MAX, some).await.ok()?.ok()?.clone();
        let ready: Vec<_> = (0..ready.len()).filter(|index| ready[*index]).collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        ready.get(turn % ready.len().max(1)).copied()
    }

    /// A connection to a node, which is not ready any more if there is none.
    pub(super) async fn connect(&self, index: usize) -> Option<TcpStream> {
        let stream = TcpStream::connect(self.addresses[index]).await.ok();
        if stream.is_none() {
            self.set_ready(index, false);
        }
        stream
    }

    fn set_ready(&self, index: usize, is_ready: bool) {
        self.ready
            .send_if_modified(|ready| std::mem::replace(&mut ready[index], is_ready) != is_ready);
    }
}

async fn is_ready(address: SocketAddr) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await?;
        let mut status = [0; "HTTP/1.1 200".len()];
        stream.read_exact(&mut status).await?;
        std::io::Result::Ok(status.ends_with(b" 200"))
    };
    ask.await.unwrap_or(false)
}
