//! `POST /_gap`: which streams lack something, namely what their publisher could not broadcast.

use serde::Deserialize;

use super::{Admin, Handling, Refused};
use crate::serve::ingest::STREAM_BYTES_MAX;

/// Streams of one gap. The log is held for all of them together.
const STREAMS_MAX: usize = 1_000;

/// The streams' names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lacking {
    streams: Vec<String>,
}

pub(super) fn gap<'a>(admin: &'a Admin, body: &'a [u8]) -> Handling<'a> {
    Box::pin(async {
        let streams = read(body)?;
        admin.forebay.gap(streams.iter().map(String::as_str)).await;
        Ok(())
    })
}

fn read(body: &[u8]) -> Result<Vec<String>, Refused> {
    let lacking: Option<Lacking> = serde_json::from_slice(body).ok();
    let lacking = lacking.filter(Lacking::is_sound).ok_or_else(|| {
        let names = format!("1 to {STREAMS_MAX} names of 1 to {STREAM_BYTES_MAX} bytes");
        Refused::Body(format!("with `streams`: {names}").into())
    })?;
    Ok(lacking.streams)
}

impl Lacking {
    fn is_sound(&self) -> bool {
        let is_name = |name: &String| (1..=STREAM_BYTES_MAX).contains(&name.len());
        (1..=STREAMS_MAX).contains(&self.streams.len()) && self.streams.iter().all(is_name)
    }
}
