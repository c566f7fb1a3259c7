//! `POST /_gap`: which streams lack something, namely what their publisher could not broadcast.

use serde::Deserialize;

use super::{Admin, Refused};
use crate::serve::ingest::STREAM_BYTES_MAX;

/// Streams of one gap. The log is held for all of them together.
const STREAMS_MAX: usize = 1_000;

/// The streams' names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lacking {
    streams: Vec<String>,
}

pub(super) fn gap(admin: &Admin, body: &[u8]) -> Result<(), Refused> {
    let lacking: Option<Lacking> = serde_json::from_slice(body).ok();
    let Lacking { streams } = lacking.filter(Lacking::is_sound).ok_or_else(|| {
        let names = format!("1 to {STREAMS_MAX} names of 1 to {STREAM_BYTES_MAX} bytes");
        Refused::Body(format!("with `streams`: {names}").into())
    })?;
    admin.forebay.gap(streams.iter().map(String::as_str));
    Ok(())
}

impl Lacking {
    fn is_sound(&self) -> bool {
        let is_name = |name: &String| (1..=STREAM_BYTES_MAX).contains(&name.len());
        (1..=STREAMS_MAX).contains(&self.streams.len()) && self.streams.iter().all(is_name)
    }
}
