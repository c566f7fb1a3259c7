//! Where the log is: in memory, in a folder, or on a server that several nodes share.

use forebay::{Builder, Fsync};

/// Keeps the log where the URL says.
pub(crate) fn keep(builder: Builder, url: Option<&str>) -> anyhow::Result<Builder> {
    match url.map(|url| url.split_once(':').unwrap_or((url, ""))) {
        None => Ok(builder),
        Some(("folder", folder)) => Ok(builder.file_log(folder, Fsync::Os)),
        Some((scheme, _)) => anyhow::bail!("--log takes folder:PATH, and no {scheme}"),
    }
}
