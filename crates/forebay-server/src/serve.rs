//! `forebay serve`: configuration, listeners, and the life of the process.
//!
//! Follow a broadcast from here: `routes` (addresses), `publishers` (who may), `ingest` (where it comes
//! from, and what it says), then forebay-core's `publish_all`. Everything from there on is the library's.

mod access;
mod admin;
mod answer;
mod cable;
mod config;
mod cursor;
mod disconnects;
mod holder;
mod http;
mod identity;
mod ingest;
mod life;
mod listeners;
mod metrics;
mod places;
mod presence;
mod publishers;
mod routes;
mod takeover;
mod webhook;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail};
use forebay_core::outbox::Outbox;
use forebay_core::{BuildError, Forebay, StoreError};

use self::config::Config;
use self::life::{Life, Next};
use self::listeners::{Given, Listeners};
use self::places::Places;
use self::takeover::{Meeting, Predecessor};
use crate::logs::Log;
use crate::options::{self, Id, Settings};
use crate::{outbox, output};

/// Between two looks at what another process has: the folder, or the outbox.
const LOOKS: Duration = Duration::from_millis(20);

/// Serves until a signal ends it.
pub(crate) fn run(settings: &Settings, warnings: &[String]) -> anyhow::Result<()> {
    if settings.switch(Id::PrintConfig) {
        output::print(options::print(settings).trim_end())?;
    }
    let config = Config::new(settings)?;
    if settings.switch(Id::PrintConfig) {
        return Ok(());
    }
    // It changes the environment: there must not be another thread.
    let given = Given::by_systemd().context(
        "a socket that systemd has passed is no TCP listener: look at ListenStream= in its unit",
    )?;
    let log = Log::install(config.log_level, config.log_format).context("no thread for the log")?;
    for warning in warnings.iter().chain(&config.warnings) {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Runtime::new().context("no threads to run on")?;
    let outcome = runtime.block_on(serve(settings, config, given));
    // Connections that did not end in time are not waited for.
    runtime.shutdown_background();
    drop(log);
    outcome
}

/// The listeners come first, so that the kernel keeps whoever connects while the folder is opened.
async fn serve(settings: &Settings, mut config: Config, given: Given) -> anyhow::Result<()> {
    let webhook = config.take_webhook();
    let life = Life::new().context("signals can't be received")?;
    let open_files = http::raise_open_files_limit();
    let is_activated = !given.is_empty();
    let begun = async {
        let (listeners, predecessor) = if config.takes_over && !is_activated {
            take_over(&config).await?
        } else {
            (Listeners::open(&config, given).await?, None)
        };
        if let Some(predecessor) = predecessor {
            predecessor.end().await;
        }
        anyhow::Ok((listeners, open(settings, &config).await?))
    };
    let (listeners, forebay) = tokio::select! {
        begun = begun => begun?,
        () = life.signalled(1) => bail!("ended by a signal before it could serve"),
    };
    if let Some(webhook) = webhook {
        tokio::spawn(webhook.run(forebay.clone()));
    }
    let next = if is_activated { Next::Systemd } else { Next::Unknown(meeting(&listeners)) };
    let routes = routes::all(&config, &forebay, &life);
    let addresses = listeners.addresses()?;
    let serve = |listener, routes| {
        let places = Places::new(open_files, config.sizes.requests_per_address);
        tokio::spawn(http::serve(listener, places, routes, life.clone()))
    };
    let mut servers = vec![serve(listeners.pages, routes.main)];
    if let (Some(listener), Some(routes)) = (listeners.publishers, routes.publishers) {
        servers.push(serve(listener, routes));
    }
    announce(&forebay, &addresses, open_files);
    Ok(life.run(&forebay, config.shutdown, servers, next).await?)
}

/// The listeners of whoever serves at our address now; if nobody does, our own.
async fn take_over(config: &Config) -> anyhow::Result<(Listeners, Option<Predecessor>)> {
    let addresses = listeners::addresses(&config.pages)
        .await
        .context("the address of `host` can't be found")?;
    let taken = Predecessor::ask(&addresses).await.context("can't take over")?;
    let (predecessor, given) = taken.unzip();
    Ok((Listeners::open(config, given.unwrap_or_default()).await?, predecessor))
}

/// Where successors may ask. Without it there is only a restart that is less smooth.
fn meeting(listeners: &Listeners) -> Option<Meeting> {
    let meeting = Meeting::open(listeners);
    meeting.inspect_err(|error| tracing::warn!(%error, "no successor can take over")).ok()
}

/// The library, with its folder and its outbox. Another process may have these, and be about to end.
async fn open(settings: &Settings, config: &Config) -> anyhow::Result<Forebay> {
    let mut outbox = open_outbox(config).await?;
    if let Some(url) = config::shared_log(settings) {
        return config::follow(settings, config, url, outbox).await;
    }
    let began = tokio::time::Instant::now();
    let mut is_said = false;
    loop {
        let error = match config::open(settings, config, outbox.clone()) {
            Ok(forebay) => return Ok(forebay),
            Err(error) => error,
        };
        let folder = match &error {
            BuildError::Log(StoreError::InUse(folder)) => Some(folder),
            BuildError::OutboxInUse => None,
            _ => bail!(error),
        };
        let pid = folder.and_then(|folder| holder::of(folder));
        if began.elapsed() >= config.folder_wait {
            let who = pid.map(|pid| format!(": process {pid}")).unwrap_or_default();
            bail!("{error}{who}");
        }
        if !std::mem::replace(&mut is_said, true) {
            let max = config.folder_wait;
            if let Some(folder) = folder {
                let folder = folder.display();
                tracing::warn!(%folder, pid, ?max, "waiting for the folder: another process has it open");
            } else {
                tracing::warn!(?max, "waiting for the outbox: another process relays it");
            }
        }
        if folder.is_none() {
            // Whoever had its lead may have ended. This waits for that, too.
            outbox = open_outbox(config).await?;
        }
        tokio::time::sleep(LOOKS).await;
    }
}

/// The application's outbox, if there is one.
async fn open_outbox(config: &Config) -> anyhow::Result<Option<Outbox>> {
    match &config.outbox {
        Some(url) => Ok(Some(outbox::open(url).await?)),
        None => Ok(None),
    }
}

fn announce(forebay: &Forebay, addresses: &[SocketAddr], files: u64) {
    let urls: Vec<_> = addresses.iter().map(|address| format!("http://{address}")).collect();
    let urls = urls.join(" ");
    let (version, pid) = (env!("CARGO_PKG_VERSION"), std::process::id());
    tracing::info!(version, pid, urls, open_files_max = files, at = %forebay.position(), "ready");
    life::notify_ready();
    // Nobody may be reading it; the server is ready all the same.
    if let Err(error) = output::print(format_args!("ready {urls}")) {
        tracing::warn!(%error, "the ready line could not be printed");
    }
}
