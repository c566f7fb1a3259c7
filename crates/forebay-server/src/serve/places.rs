//! Who gets a place when places run short: publishers and probes do, visitors are turned away.
//!
//! Who is at the other end of a connection is known only when its request is. So when places run short a
//! connection is still accepted, and told apart then: it has little time for its request, gets one answer,
//! and if it is a visitor's, that answer is 503.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use forebay_core::{Ends, Forebay, raw};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::answer;

/// Connections that are HTTP, on one listener: polls and server-sent events for as long as they
/// last, WebSockets only until their handshake is done. At about 20 KB each (hyper's buffers and
/// the task) that is 330 MB, if all are in use.
const CONNECTIONS_MAX: u32 = 16_384;

/// Of these, what visitors don't get: a hundred publishers with ten connections each.
const CONNECTIONS_KEPT: usize = 1_024;

/// In seconds: when a visitor that was turned away comes back. A second after a restart it would be too
/// early, a minute would be felt.
const RETRY_AFTER: &str = "5";

/// What there is too little of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Shortage {
    #[error("too many files are open, and the rest is kept for publishers")]
    Files,
    #[error("too many requests are running, and the rest is kept for publishers")]
    Requests,
    #[error("too many requests of this address are running (max_requests_per_address)")]
    Address,
    #[error("too many connections (max_conn)")]
    Connections,
}

/// The places of one listener.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    /// Descriptors from here on are kept for publishers, probes and the server's own files.
    files: u64,
    /// For each address; 0 is no bound.
    address_max: u32,
    /// Connections of each address that has one. Bounded by the places.
    addresses: Mutex<HashMap<IpAddr, u32>>,
}

/// One connection's place.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    address: Option<IpAddr>,
    /// Why it is not for a visitor.
    pub(super) shortage: Option<Shortage>,
    _permit: OwnedSemaphorePermit,
}

/// The open files that visitors may have of so many. An eighth is kept: 128 of 1 024, of which the log in a
/// folder needs some 40, and the rest is for publishers and probes.
fn files_of_visitors(limit: u64) -> u64 {
    limit - (limit / 8).clamp(32, 512).min(limit / 2)
}

impl Places {
    pub(super) fn new(open_files: u64, address_max: u32) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(CONNECTIONS_MAX as usize)),
            files: files_of_visitors(open_files),
            address_max,
            addresses: Mutex::default(),
        })
    }

    /// Waits for a place: there is none only if publishers have taken all that is kept for them.
    pub(super) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// A connection's place.
    pub(super) fn place(
        self: &Arc<Self>,
        stream: &TcpStream,
        peer: IpAddr,
        permit: OwnedSemaphorePermit,
    ) -> Place {
        let address = counted(peer).filter(|_| self.address_max > 0);
        let of_address = address.map_or(0, |address| self.enter(address));
        let shortage = if descriptor(stream) >= self.files {
            Some(Shortage::Files)
        } else if self.all.available_permits() < CONNECTIONS_KEPT {
            Some(Shortage::Requests)
        } else if of_address > self.address_max {
            Some(Shortage::Address)
        } else {
            None
        };
        Place { places: Arc::clone(self), address, shortage, _permit: permit }
    }

    /// Returns when every place is free.
    pub(super) async fn all_free(&self) {
        let _ = self.all.acquire_many(CONNECTIONS_MAX).await;
    }

    fn enter(&self, address: IpAddr) -> u32 {
        let mut addresses = self.addresses.lock();
        let count = addresses.entry(address).or_default();
        *count += 1;
        *count
    }

    fn leave(&self, address: IpAddr) {
        if let Entry::Occupied(mut count) = self.addresses.lock().entry(address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(address) = self.address {
            self.places.leave(address);
        }
    }
}

/// As what an address is counted. Proxies are on this machine or in a private network, and speak for many
/// visitors: they are not counted. With IPv6 a visitor has a whole network of 64 bits.
fn counted(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        IpAddr::V4(v4) if v4.is_loopback() || v4.is_private() || v4.is_link_local() => None,
        IpAddr::V6(v6)
            if v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local() =>
        {
            None
        }
        IpAddr::V6(v6) => Some(IpAddr::V6((u128::from(v6) >> 64 << 64).into())),
        v4 @ IpAddr::V4(_) => Some(v4),
    }
}

/// Its number. The system gives the lowest that is free, so at least as many files are open.
#[cfg(unix)]
fn descriptor(stream: &TcpStream) -> u64 {
    use std::os::fd::AsRawFd as _;
    stream.as_raw_fd().unsigned_abs().into()
}

/// Windows has no limit.
#[cfg(not(unix))]
fn descriptor(_: &TcpStream) -> u64 {
    0
}

/// What a request of a visitor's is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Visit {
    WebSocket,
    Events,
    Poll,
}

impl Visit {
    /// `None` for scripts and whatever else is answered at once.
    fn of(request: &Request) -> Option<Self> {
        let path = request.uri().path();
        if request.headers().contains_key(header::UPGRADE) {
            Some(Self::WebSocket)
        } else if request.method() == Method::OPTIONS {
            None
        } else if path.ends_with("/events") {
            Some(Self::Events)
        } else {
            path.ends_with("/poll").then_some(Self::Poll)
        }
    }
}

/// What visitors may have.
#[derive(Debug)]
pub(super) struct Visitors {
    forebay: Forebay,
    /// WebSockets and event streams; 0 is no bound.
    connections_max: usize,
    polls: AtomicUsize,
    turned_away: AtomicU64,
}

/// A poll while it runs.
#[derive(Debug)]
pub(super) struct Poll(Arc<Visitors>);

impl Drop for Poll {
    fn drop(&mut self) {
        self.0.polls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Visitors {
    pub(super) fn new(forebay: Forebay, connections_max: usize) -> Arc<Self> {
        let (polls, turned_away) = (AtomicUsize::new(0), AtomicU64::new(0));
        Arc::new(Self { forebay, connections_max, polls, turned_away })
    }

    /// Lets a request in, or turns it away. What it gives lives as long as the request does.
    pub(super) fn admit(self: &Arc<Self>, request: &Request) -> Result<Option<Poll>, TurnedAway> {
        let Some(visit) = Visit::of(request) else { return Ok(None) };
        let shortage = request.extensions().get::<Shortage>().copied();
        if let Some(shortage) = shortage.or_else(|| self.shortage(visit)) {
            return Err(self.turn_away(request, visit, shortage));
        }
        Ok((visit == Visit::Poll).then(|| {
            self.polls.fetch_add(1, Ordering::Relaxed);
            Poll(Arc::clone(self))
        }))
    }

    /// Handshakes that run at the same moment may pass together: the bound is not exact.
    fn shortage(&self, visit: Visit) -> Option<Shortage> {
        if self.connections_max == 0 || visit == Visit::Poll {
            return None;
        }
        let polls = self.polls.load(Ordering::Relaxed);
        let lasting = self.forebay.connections().saturating_sub(polls);
        (lasting >= self.connections_max).then_some(Shortage::Connections)
    }

    fn turn_away(&self, request: &Request, visit: Visit, why: Shortage) -> TurnedAway {
        let total = self.turned_away.fetch_add(1, Ordering::Relaxed) + 1;
        let peer = request.extensions().get::<Ends>();
        let peer = peer.map(|ends| tracing::field::display(ends.peer));
        raw::count_turned_away(&self.forebay);
        tracing::warn!(peer, ?visit, %why, total, "visitor turned away");
        TurnedAway { why, is_source: visit == Visit::Events && request.method() == Method::GET }
    }
}

/// A visitor that gets no place.
#[derive(Clone, Copy, Debug)]
pub(super) struct TurnedAway {
    why: Shortage,
    /// It is an `EventSource`, which never comes back after another status than 200.
    is_source: bool,
}

impl IntoResponse for TurnedAway {
    fn into_response(self) -> Response {
        if self.is_source {
            let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            return ([kind], format!("retry: {RETRY_AFTER}000\n\n")).into_response();
        }
        let retry = (header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        ([retry], answer(StatusCode::SERVICE_UNAVAILABLE, self.why)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eighth_of_the_files_is_kept_and_never_all() {
        for (limit, visitors) in [(1_024, 896), (524_288, 523_776), (100, 68), (40, 20)] {
            assert_eq!(files_of_visitors(limit), visitors);
        }
    }

    #[test]
    fn addresses_of_proxies_are_not_counted_and_a_network_is_one_visitor() {
        #[track_caller]
        fn check(address: &str, expected: Option<&str>) {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(counted(address.parse().unwrap()), expected);
        }
        for proxy in ["127.0.0.1", "10.1.2.3", "172.17.0.1", "192.168.0.9", "::1", "fd00::7"] {
            check(proxy, None);
        }
        check("::ffff:127.0.0.1", None);
        check("203.0.113.7", Some("203.0.113.7"));
        check("::ffff:203.0.113.7", Some("203.0.113.7"));
        check("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::"));
    }

    #[tokio::test]
    async fn an_address_has_so_many_places_and_gets_them_back() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let places = Places::new(1 << 20, 2);
        let visitor = "203.0.113.7".parse().unwrap();
        let enter = async |address| {
            let permit = places.permit().await.unwrap();
            places.place(&stream, address, permit)
        };
        let (first, second) = (enter(visitor).await, enter(visitor).await);
        assert_eq!((first.shortage, second.shortage), (None, None));
        assert_eq!(enter(visitor).await.shortage, Some(Shortage::Address));
        assert_eq!(enter("203.0.113.8".parse().unwrap()).await.shortage, None);
        drop(first);
        assert_eq!(enter(visitor).await.shortage, None);
        drop(second);
        assert!(places.addresses.lock().is_empty());
    }

    #[tokio::test]
    async fn the_last_places_are_not_for_visitors() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let places = Places::new(1 << 20, 0);
        let taken = CONNECTIONS_MAX - u32::try_from(CONNECTIONS_KEPT).unwrap();
        let most = Arc::clone(&places.all).acquire_many_owned(taken).await.unwrap();
        let permit = places.permit().await.unwrap();
        let local = "127.0.0.1".parse().unwrap();
        assert_eq!(places.place(&stream, local, permit).shortage, Some(Shortage::Requests));
        drop(most);
        let permit = places.permit().await.unwrap();
        assert_eq!(places.place(&stream, local, permit).shortage, None);
    }
}
