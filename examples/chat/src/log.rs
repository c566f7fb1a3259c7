//! Where the log is: in memory, in a folder, or on a server that several nodes share.

use std::sync::Arc;

use forebay::{Builder, Forebay, Fsync};
use forebay_nats::Nats;
use forebay_redis::Redis;
use forebay_shared::{Backend, Options, SharedLog};

/// Builds it with the log that the URL names.
pub(crate) async fn build(builder: Builder, url: Option<&str>) -> anyhow::Result<Forebay> {
    let Some(url) = url else { return Ok(builder.build()?) };
    let (scheme, rest) = url.split_once(':').unwrap_or((url, ""));
    match scheme {
        "folder" => Ok(builder.file_log(rest, Fsync::Os).build()?),
        "nats" | "tls" => shared(builder, Nats::new(forebay_nats::Options::from_url(url)?)).await,
        "redis" | "rediss" => {
            shared(builder, Redis::new(forebay_redis::Options::from_url(url)?)).await
        }
        _ => anyhow::bail!("--log takes folder:PATH, redis://… or nats://…, and no {scheme}"),
    }
}

async fn shared(builder: Builder, backend: impl Backend) -> anyhow::Result<Forebay> {
    let log = SharedLog::open(backend, Options::default()).await?;
    Ok(builder.follow(Arc::new(log)).await?)
}
