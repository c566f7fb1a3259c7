//! A connection to a server, with TLS where the address says so.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use http::Uri;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// How long to wait for the connection and its TLS.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A stream of either kind.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Connects to the host of an address.
pub(crate) async fn connect(uri: &Uri) -> anyhow::Result<Box<dyn Io>> {
    let connected = tokio::time::timeout(CONNECT_MAX, try_connect(uri)).await;
    let connected = connected.map_err(|_| anyhow!("no answer within {CONNECT_MAX:?}"));
    connected.flatten().with_context(|| format!("can't connect to {uri}"))
}

async fn try_connect(uri: &Uri) -> anyhow::Result<Box<dyn Io>> {
    let host = uri.host().context("the address has no host")?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_tls = matches!(uri.scheme_str(), Some("https" | "wss"));
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    if !is_tls {
        return Ok(Box::new(stream));
    }
    let name =
        ServerName::try_from(host.to_owned()).context("the host is no name that TLS can check")?;
    Ok(Box::new(tls()?.connect(name, stream).await?))
}

/// TLS with the certificates that this machine trusts.
fn tls() -> anyhow::Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (usable, _) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        return Err(anyhow!("this machine has no trusted certificates"));
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
