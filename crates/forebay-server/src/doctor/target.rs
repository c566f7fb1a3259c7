//! What is looked at: the addresses that follow from the one that was given.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use http::Uri;

use crate::keys;
use crate::options::{Id, Settings};

/// The addresses and the bounds of all checks.
#[derive(Debug)]
pub(super) struct Target {
    /// Scheme, host and port, as a page has them.
    pub(super) site: String,
    /// Where pages connect, as an address of HTTP.
    pub(super) cable: Uri,
    /// The origin that pages have.
    pub(super) origin: String,
    /// It is the site's own.
    pub(super) is_same_origin: bool,
    /// What the paths of event streams and polls begin with.
    pub(super) prefix: String,
    pub(super) health: String,
    pub(super) ready: String,
    /// Where broadcasts are posted.
    pub(super) broadcast: String,
    pub(super) metrics: String,
    /// Somebody said where broadcasts are posted.
    pub(super) has_broadcast: bool,
    /// What publishers show.
    pub(super) key: Option<String>,
    pub(super) metrics_key: Option<String>,
    /// How long a quiet connection is held.
    pub(super) hold: Duration,
}

impl Target {
    pub(super) fn new(settings: &Settings, address: &str) -> anyhow::Result<Self> {
        let web = address.replacen("ws", "http", usize::from(address.starts_with("ws")));
        let uri: Uri = web.parse().with_context(|| format!("{address} is no address"))?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let is_web = matches!(scheme, "http" | "https");
        ensure!(is_web, "{address}: name an address that begins with http:// or https://");
        let authority = uri.authority().context("the address names no host")?;
        let site = format!("{scheme}://{authority}");
        let text = |id| settings.text(id).unwrap_or_default().to_owned();
        let path = if uri.path() == "/" { text(Id::Path) } else { uri.path().to_owned() };
        let origin = settings.text(Id::Origin).unwrap_or(&site).trim_end_matches('/').to_owned();
        let broadcast = settings
            .text(Id::BroadcastUrl)
            .map_or_else(|| format!("{site}{}", text(Id::BroadcastPath)), str::to_owned);
        let publishers: Uri = broadcast.parse().context("--broadcast-url is no address")?;
        let publishers = format!(
            "{}://{}",
            publishers.scheme_str().unwrap_or("http"),
            publishers.authority().context("--broadcast-url names no host")?
        );
        Ok(Self {
            cable: format!("{site}{path}").parse()?,
            is_same_origin: origin == site,
            origin,
            prefix: format!("{site}{}", text(Id::Prefix).trim_end_matches('/')),
            health: format!("{site}{}", text(Id::HealthPath)),
            ready: format!("{site}{}", text(Id::ReadyPath)),
            metrics: format!("{publishers}{}", text(Id::MetricsPath)),
            broadcast,
            has_broadcast: settings.text(Id::BroadcastUrl).is_some(),
            key: keys::bearer(settings),
            metrics_key: settings.text(Id::MetricsKey).map(str::to_owned),
            hold: settings.duration(Id::Hold),
            site,
        })
    }
}
