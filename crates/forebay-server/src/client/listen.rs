//! `forebay listen STREAM`: what a page would get, printed.
//!
//! It reconnects like a page. Without a cursor it says when something may have been missed; with
//! one it misses nothing that history still has, and prints nothing twice.

use anyhow::{Context as _, bail};
use forebay_core::signing::{PageCursor, Subject};
use http::Uri;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::backoff::Backoff;
use super::connect::connect;
use super::follow::{self, Delivery, End, Subscription};
use super::sign;
use crate::keys;
use crate::options::{Id, Problem, Problems, Settings};
use crate::output;

/// Prints messages until `--count` or Ctrl-C.
pub(crate) fn listen(settings: &Settings, stream: Option<&str>) -> anyhow::Result<()> {
    let identifier = identifier(settings, stream)?;
    let url: Uri = settings.text(Id::ListenUrl).unwrap_or_default().parse()?;
    let mut printer = Printer {
        stream: stream.map(str::to_owned),
        is_raw: settings.switch(Id::Raw),
        left: settings.number(Id::Count),
        printed: None,
    };
    super::run(async {
        tokio::select! {
            ended = stay(&url, &identifier, settings.is_set(Id::Cursor), &mut printer) => ended,
            ended = tokio::signal::ctrl_c() => ended.context("signals can't be received"),
        }
    })
}

/// The subscription's identifier, as a page's client would write it.
fn identifier(settings: &Settings, stream: Option<&str>) -> anyhow::Result<String> {
    let is_public = settings.switch(Id::Unsigned);
    if is_public && settings.is_set(Id::Channel) && settings.text(Id::Channel) == Some("turbo") {
        let message = "a public stream is read through $pubsub, not through Turbo's channel";
        return Err(Problems(vec![Problem::at("--channel", message)]).into());
    }
    let is_pubsub = is_public || settings.text(Id::Channel) == Some("pubsub");
    let mut identifier = serde_json::Map::new();
    let channel = if is_pubsub { "$pubsub" } else { "Turbo::StreamsChannel" };
    identifier.insert("channel".to_owned(), channel.into());
    let stream = stream.unwrap_or_default();
    let (key, name) = if let Some(signed) = settings.text(Id::Signed) {
        ("signed_stream_name", signed.to_owned())
    } else if is_public {
        ("stream_name", stream.to_owned())
    } else {
        let keys = if is_pubsub { keys::pubsub(settings) } else { keys::turbo(settings) };
        let (verifier, _) = sign::verifier(&keys)?;
        ("signed_stream_name", verifier.sign(stream))
    };
    if let Some(text) = settings.text(Id::Cursor) {
        // The application's, or that of a tag, which is made for its signed name already.
        let page = PageCursor::parse(text);
        let is_signed = key == "signed_stream_name";
        let subject = if is_signed { Subject::Signed(&name) } else { Subject::Public(&name) };
        let cursor = page.map_or_else(|| text.to_owned(), |page| page.cursor_for(subject));
        identifier.insert("cursor".to_owned(), cursor.into());
    }
    identifier.insert(key.to_owned(), name.into());
    Ok(json!(identifier).to_string())
}

/// Connects, and connects again when the connection is lost. The first time must succeed, because a
/// wrong address stays wrong.
async fn stay(
    url: &Uri,
    identifier: &str,
    has_cursor: bool,
    printer: &mut Printer,
) -> anyhow::Result<()> {
    let mut backoff = Backoff::default();
    let mut was_there = false;
    loop {
        let mut is_there = false;
        let ended = match connect(url).await {
            Ok(io) => {
                let subscription = Subscription { url, identifier };
                let confirmed = || {
                    is_there = true;
                    output::complain(if was_there && !has_cursor {
                        "listening again; what was broadcast in between was missed (with --cursor \
                         it would not be)"
                    } else {
                        "listening"
                    });
                };
                follow::follow(io, subscription, confirmed, |delivery| printer.print(delivery))
                    .await
            }
            Err(error) => Ok(End::Lost(error)),
        };
        let why = match ended? {
            End::Enough => return Ok(()),
            End::Refused(why) => bail!(why),
            End::Lost(why) => why,
        };
        if is_there {
            was_there = true;
            backoff.reset();
        }
        if !was_there {
            return Err(why);
        }
        let wait = backoff.next();
        output::complain(format_args!("connection lost: {why:#}; trying again in {wait:.1?}"));
        tokio::time::sleep(wait).await;
    }
}

/// Prints messages as lines.
struct Printer {
    stream: Option<String>,
    is_raw: bool,
    /// How many messages are still to be printed, if there is an end.
    left: Option<u64>,
    /// The offset of the last one.
    printed: Option<u64>,
}

/// One printed line.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    message: &'a RawValue,
}

impl Printer {
    /// Prints a message, unless it was printed before. False if it was the last one to print.
    fn print(&mut self, delivery: &Delivery<'_>) -> anyhow::Result<bool> {
        match (delivery.offset, self.printed) {
            (Some(offset), Some(printed)) if offset <= printed => return Ok(true),
            // A server that can't replay says so without an offset. Offsets may have begun anew.
            (offset, _) => self.printed = offset,
        }
        output::print(self.line(delivery)?)?;
        self.left = self.left.map(|left| left - 1);
        Ok(self.left != Some(0))
    }

    fn line(&self, delivery: &Delivery<'_>) -> anyhow::Result<String> {
        let text = match serde_json::from_str::<String>(delivery.message.get()) {
            Ok(text) if self.is_raw => return Ok(text),
            _ if self.is_raw => delivery.message.get().to_owned(),
            _ => serde_json::to_string(&Line {
                stream: self.stream.as_deref(),
                offset: delivery.offset,
                kind: delivery.kind.as_deref(),
                message: delivery.message,
            })?,
        };
        // Line breaks in JSON stand between its parts: within strings they are escaped.
        Ok(text.replace(['\n', '\r'], " "))
    }
}
