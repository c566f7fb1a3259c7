//! Where the log is: in memory, in a folder, or on a server that several nodes share.

use forebay::{Builder, Forebay, Fsync, stores};

/// Builds it with the log that the URL names.
pub(crate) async fn build(builder: Builder, url: Option<&str>) -> anyhow::Result<Forebay> {
    match url {
        None => Ok(builder.build()?),
        Some(url) => match url.strip_prefix("folder:") {
            Some(folder) => Ok(builder.file_log(folder, Fsync::Os).build()?),
            None => Ok(builder.follow(stores::open(url).await?).await?),
        },
    }
}
