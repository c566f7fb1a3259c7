//! Where the listeners come from: systemd has them, a predecessor hands them over, or they are bound
//! here.
//!
//! The first two are how a restart refuses nobody: a listener stays open all the time, and the kernel
//! keeps those who connect while no process accepts them.

use std::io::{self, ErrorKind};
use std::net::{self, SocketAddr};

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpSocket};

use super::config::{Config, Place};

/// Connections that may wait to be accepted: all that Linux lets wait by default. Where more come at
/// once, as after a restart, their first packets are lost and they wait a second. `TcpListener::bind`
/// has 128.
const BACKLOG: u32 = 4_096;

/// What the listener for pages is called, on its way from one process to another.
pub(super) const PAGES: &str = "pages";
/// What that for publishers is called; in a systemd unit: `FileDescriptorName=publishers`.
pub(super) const PUBLISHERS: &str = "publishers";

/// What the server listens at.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) pages: TcpListener,
    /// Where publishers have one of their own.
    pub(super) publishers: Option<TcpListener>,
}

/// Listeners that another process has opened, with their names.
#[derive(Debug, Default)]
pub(super) struct Given(pub(super) Vec<(String, net::TcpListener)>);

impl Given {
    /// What systemd passes to a unit that has a socket (`LISTEN_FDS`).
    ///
    /// # Errors
    /// One of them is no TCP listener.
    #[cfg(unix)]
    pub(super) fn by_systemd() -> io::Result<Self> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut sockets = listenfd::ListenFd::from_env();
        let mut given = Vec::new();
        for index in 0..sockets.len() {
            let name = names.next().unwrap_or_default().to_owned();
            given.extend(sockets.take_tcp_listener(index)?.map(|listener| (name, listener)));
        }
        Ok(Self(given))
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "on Unix it can fail")]
    pub(super) fn by_systemd() -> io::Result<Self> {
        Ok(Self::default())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That for publishers: by its name, or else by its port.
    fn take_publishers(&mut self, port: u16) -> Option<net::TcpListener> {
        let has_port = |listener: &net::TcpListener| {
            listener.local_addr().is_ok_and(|address| address.port() == port)
        };
        let mut by_name = self.0.extract_if(.., |(name, _)| name == PUBLISHERS);
        let found = by_name.next();
        drop(by_name);
        let found = found.or_else(|| {
            let index = self.0.iter().position(|(_, listener)| has_port(listener))?;
            Some(self.0.remove(index))
        });
        found.map(|(_, listener)| listener)
    }

    /// The first that is not for publishers.
    fn take_pages(&mut self) -> Option<net::TcpListener> {
        let index = self.0.iter().position(|(name, _)| name != PUBLISHERS)?;
        Some(self.0.remove(index).1)
    }
}

impl Listeners {
    /// Takes what is given, and binds the rest.
    pub(super) async fn open(config: &Config, mut given: Given) -> anyhow::Result<Self> {
        let publishers = match &config.publishers {
            None => None,
            Some(place) => Some(match given.take_publishers(place.port) {
                Some(listener) => adopt(listener)?,
                None => bind(place).await?,
            }),
        };
        let pages = match given.take_pages() {
            Some(listener) => adopt(listener)?,
            None => bind(&config.pages).await?,
        };
        for (name, listener) in given.0 {
            let address = listener.local_addr().map(|address| address.to_string());
            let address = address.unwrap_or_default();
            tracing::warn!(
                name,
                address,
                "systemd or a predecessor has handed over a listener that is not used: name the one \
                 for publishers `publishers`, and hand over no others"
            );
        }
        Ok(Self { pages, publishers })
    }

    pub(super) fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let listeners = std::iter::once(&self.pages).chain(&self.publishers);
        listeners.map(TcpListener::local_addr).collect()
    }
}

fn adopt(listener: net::TcpListener) -> anyhow::Result<TcpListener> {
    listener.set_nonblocking(true).context("the listener that was given can't be used")?;
    // As many may wait as with a listener of our own: those who come between two processes.
    #[cfg(unix)]
    let _ = rustix::net::listen(&listener, BACKLOG.cast_signed());
    let listener = TcpListener::from_std(listener)?;
    forebay_core::prepare(&listener);
    Ok(listener)
}

/// Listens at the first address of the name that can be had.
async fn bind(place: &Place) -> anyhow::Result<TcpListener> {
    let context = || format!("can't listen at {} port {}", place.host, place.port);
    let mut result = Err(io::Error::new(ErrorKind::InvalidInput, "the name has no address"));
    for address in addresses(place).await.with_context(context)? {
        result = listen(address);
        if result.is_ok() {
            break;
        }
    }
    result.with_context(context)
}

/// IPv4 before IPv6, as AnyCable does it: `localhost` in an application's configuration mostly means
/// 127.0.0.1.
pub(super) async fn addresses(place: &Place) -> io::Result<Vec<SocketAddr>> {
    let host = place.host.trim_start_matches('[').trim_end_matches(']');
    let mut addresses: Vec<_> = tokio::net::lookup_host((host, place.port)).await?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    Ok(addresses)
}

/// As `TcpListener::bind` does, but for the backlog.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
    // On Windows this would let another process listen at the same port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    forebay_core::prepare(&socket);
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
