//! `forebay serve`: configuration, listeners, and the life of the process.
//!
//! Follow a broadcast from here: `routes` (addresses), `broadcasts` (who may, and what it says),
//! then `Forebay::publish_all`. Everything from there on is the library's.

mod access;
mod broadcasts;
mod config;
mod http;
mod identity;
mod life;
mod routes;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use anyhow::Context as _;
use forebay::{Forebay, Handover};
use tokio::net::{TcpListener, TcpSocket};

use self::config::{Config, Place};
use self::life::Life;
use crate::logs::Log;
use crate::options::{self, Id, Settings};
use crate::output;

/// Connections that may wait to be accepted: all that Linux lets wait by default. Where more come at
/// once, as after a restart, their first packets are lost and they wait a second. `TcpListener::bind`
/// has 128.
const BACKLOG: u32 = 4_096;

/// Serves until a signal ends it.
pub(crate) fn run(settings: &Settings, warnings: &[String]) -> anyhow::Result<()> {
    if settings.switch(Id::PrintConfig) {
        output::print(options::print(settings).trim_end())?;
    }
    let config = Config::new(settings)?;
    if settings.switch(Id::PrintConfig) {
        return Ok(());
    }
    let _log =
        Log::install(config.log_level, config.log_format).context("no thread for the log")?;
    for warning in warnings.iter().chain(&config.warnings) {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Runtime::new().context("no threads to run on")?;
    let outcome = runtime.block_on(serve(config));
    // Connections that did not end in time are not waited for.
    runtime.shutdown_background();
    outcome
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let life = Life::new().context("signals can't be received")?;
    let open_files = http::raise_open_files_limit();
    let forebay = config.forebay.clone();
    let pages = bind(&config.pages).await?;
    let publishers = match &config.publishers {
        Some(place) => Some(bind(place).await?),
        None => None,
    };
    let routes = routes::all(&config, &life);
    let mut addresses = vec![pages.local_addr()?];
    let mut servers = vec![tokio::spawn(http::serve(pages, routes.main, life.clone()))];
    if let (Some(listener), Some(routes)) = (publishers, routes.broadcasts) {
        addresses.push(listener.local_addr()?);
        servers.push(tokio::spawn(http::serve(listener, routes, life.clone())));
    }
    announce(&forebay, &addresses, open_files);
    life.run(&forebay, config.shutdown, servers).await;
    Ok(())
}

fn announce(forebay: &Forebay, addresses: &[SocketAddr], files: u64) {
    let urls: Vec<_> = addresses.iter().map(|address| format!("http://{address}")).collect();
    let urls = urls.join(" ");
    let (version, pid) = (env!("CARGO_PKG_VERSION"), std::process::id());
    tracing::info!(version, pid, urls, open_files_max = files, at = %forebay.position(), "ready");
    // Nobody may be reading it; the server is ready all the same.
    if let Err(error) = output::print(format_args!("ready {urls}")) {
        tracing::warn!(%error, "the ready line could not be printed");
    }
}

/// Listens at the first address of the name that can be had, IPv4 before IPv6 as AnyCable does:
/// `localhost` in an application's configuration mostly means 127.0.0.1.
async fn bind(place: &Place) -> anyhow::Result<TcpListener> {
    let Place { host, port } = place;
    let context = || format!("can't listen at {host} port {port}");
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let mut addresses: Vec<_> =
        tokio::net::lookup_host((host, *port)).await.with_context(context)?.collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    let mut result = Err(io::Error::new(ErrorKind::InvalidInput, "the name has no address"));
    for address in addresses {
        result = listen(address);
        if result.is_ok() {
            break;
        }
    }
    result.with_context(context)
}

/// As `TcpListener::bind` does, but for the backlog.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }?;
    // On Windows this would let another process listen at the same port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    Handover::prepare(&socket);
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
