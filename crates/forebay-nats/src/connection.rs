//! What a node asks its log for, over one connection.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use forebay_log::{Epoch, Offset};
use forebay_shared::{Bounds, Cell, Expected, Failure, Group, Session, Space, Stored};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::api::{self, Done, Info, Message, Taken};
use crate::layout::{self, Names};
use crate::link::{Link, lost};
use crate::options::Options;
use crate::reader::{Delivered, From, Reader};

/// Below a sequence number there is room for a group's records.
const BITS: u32 = 12;
const LAST: u64 = (1 << BITS) - 1;

const GROUP: &str = "Forebay-Group";

/// How long a read waits for the next group.
const READ_MAX: Duration = Duration::from_secs(1);

/// One connection to NATS.
pub struct Connection {
    link: Arc<Link>,
    names: Names,
    /// When the stream was made: another one of the same name is another log.
    created: String,
    is_replicated: bool,
    reading: Mutex<Option<Reading>>,
    /// That somebody else publishes to the log is said once.
    is_told: AtomicBool,
}

struct Reading {
    reader: Reader,
    /// The sequence number that has to come next.
    next: u64,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("log", &self.names.log).finish_non_exhaustive()
    }
}

impl Connection {
    pub(crate) fn new(link: Link, options: &Options, info: Info) -> Self {
        Self {
            link: Arc::new(link),
            names: Names::new(&options.settings.name),
            created: info.created,
            is_replicated: layout::is_replicated(options),
            reading: Mutex::new(None),
            is_told: AtomicBool::new(false),
        }
    }

    async fn info(&self, body: &'static str) -> Result<Info, Failure> {
        let asked = format!("STREAM.INFO.{}", self.names.log);
        let info = self.link.ask_api::<Info>(&asked, body.into()).await?;
        let info = info.map_err(|error| error.failure("the log's stream"))?;
        if info.created == self.created { Ok(info) } else { Err(lost("the stream was made anew")) }
    }

    /// The sequence number up to which everything is gone, and the last one.
    async fn ends(&self) -> Result<(u64, u64), Failure> {
        let state = self.info("").await?.state;
        let mut gone = state.first_seq.saturating_sub(1);
        if state.num_deleted > 0 {
            // Somebody has deleted messages by hand: before them nobody can begin.
            let deleted = self.info(r#"{"deleted_details":true}"#).await?.state.deleted;
            gone = gone.max(deleted.into_iter().max().unwrap_or(0));
        }
        Ok((gone, state.last_seq))
    }

    /// A message that is no group: a place in an epoch that never counts.
    fn foreign(&self, Delivered { sequence, .. }: &Delivered) -> Stored {
        if !self.is_told.swap(true, Ordering::Relaxed) {
            let log = &self.names.log;
            tracing::error!(
                log,
                sequence,
                "a message in the log's stream is not Forebay's, and is passed over: who else publishes there?"
            );
        }
        let (epoch, body) = (Epoch(0), Bytes::new());
        Stored { end: end_of(*sequence), node: 0, number: 0, epoch, offsets: 1, body }
    }

    /// The stream that has a cell, and the cell's subject.
    fn cell(&self, space: Space, key: &str) -> (&str, String) {
        let (stream, folder) = match space {
            Space::Lasting => (&self.names.cells, "lasting."),
            Space::Revoked => (&self.names.cells, REVOKED),
            Space::Passing => (&self.names.passing, ""),
        };
        let bucket = stream.trim_start_matches("KV_");
        (stream, format!("$KV.{bucket}.{folder}{}", escape(key)))
    }

    async fn delete(
        &self,
        stream: &str,
        subject: &str,
        expected: Expected,
    ) -> Result<bool, Failure> {
        let (asked, body) = match expected {
            Expected::Nothing => return Ok(self.last(stream, subject).await?.is_none()),
            // A bucket keeps one message for each key, so this one is there only if it is the last.
            Expected::Version(version) => {
                (format!("STREAM.MSG.DELETE.{stream}"), json!({ "seq": version, "no_erase": true }))
            }
            Expected::Any => (format!("STREAM.PURGE.{stream}"), json!({ "filter": subject })),
        };
        match self.link.ask_api::<Done>(&asked, body.to_string().into()).await? {
            Ok(done) => Ok(done.success),
            Err(error) if [api::NO_SEQUENCE, api::NOT_DELETED].contains(&error.err_code) => {
                let is_there = self
                    .last(stream, subject)
                    .await?
                    .is_some_and(|cell| expected == Expected::Version(cell.version));
                if is_there { Err(error.failure("a cell can't be emptied")) } else { Ok(false) }
            }
            Err(error) => Err(error.failure("a cell can't be emptied")),
        }
    }

    async fn last(&self, stream: &str, subject: &str) -> Result<Option<Cell>, Failure> {
        let body = json!({ "last_by_subj": subject }).to_string();
        let asked = format!("STREAM.MSG.GET.{stream}");
        match self.link.ask_api::<Message>(&asked, body.into()).await? {
            Ok(Message { message }) => {
                let value = STANDARD.decode(message.data);
                let value = value.map_err(|_| Failure::Refused("a cell can't be read".into()))?;
                Ok(Some(Cell { value, version: message.seq }))
            }
            Err(error) if error.err_code == api::NO_MESSAGE => Ok(None),
            Err(error) => Err(error.failure("a cell can't be read")),
        }
    }
}

const REVOKED: &str = "revoked.";

impl Session for Connection {
    async fn history(&self) -> Result<String, Failure> {
        let info = self.info("").await?;
        let server = &self.link.server.server_id;
        Ok(if self.is_replicated { info.created } else { format!("{} {server}", info.created) })
    }

    async fn bounds(&self) -> Result<Bounds, Failure> {
        let (gone, last) = self.ends().await?;
        Ok(Bounds { trimmed: end_of(gone), head: end_of(last) })
    }

    async fn append(&self, group: &Group) -> Result<Offset, Failure> {
        let Group { node, number, epoch, offsets, .. } = group;
        let id = match &group.name {
            Some(name) => format!("{name}:{}", epoch.0),
            None => format!("{node}:{number}:{}", epoch.0),
        };
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", id);
        headers.insert("Nats-Expected-Stream", &*self.names.log);
        headers.insert(GROUP, format!("{node} {number} {} {offsets}", epoch.0));
        let taken = self.link.ask::<Taken>(&self.names.log, Some(headers), group.body.clone());
        let taken = taken.await?.map_err(|error| error.failure("it takes no group"))?;
        // Of one that is being appended just now an older server does not know the place yet.
        if taken.seq == 0 { Err(lost("the same is being appended")) } else { Ok(end_of(taken.seq)) }
    }

    async fn read(&self, after: Offset) -> Result<Vec<Stored>, Failure> {
        let next = next_after(after);
        let mut reading = self.reading.lock().await;
        // Taken out: a read that is given up in the middle has lost what it had.
        let here = reading.take().filter(|reading| reading.next == next);
        let mut here = if let Some(here) = here {
            here
        } else {
            let from = From::Sequence(next);
            Reading { reader: Reader::new(&self.link, &self.names.log, from).await?, next }
        };
        let delivered = here.reader.read(Instant::now() + READ_MAX).await?;
        if delivered.is_empty() {
            let (gone, last) = self.ends().await?;
            if gone >= next {
                return Err(Failure::Trimmed);
            }
            if last + 1 < next {
                return Err(lost("the stream has gone back"));
            }
        }
        let mut groups = Vec::with_capacity(delivered.len());
        for one in delivered {
            if one.sequence < here.next {
                return Err(lost("the stream has gone back"));
            }
            if one.sequence > here.next {
                // Those before the hole are told first; the next read finds it again.
                if groups.is_empty() {
                    return Err(Failure::Trimmed);
                }
                return Ok(groups);
            }
            groups.push(stored(&one).unwrap_or_else(|| self.foreign(&one)));
            here.next += 1;
        }
        *reading = Some(here);
        Ok(groups)
    }

    async fn get(&self, space: Space, key: &str) -> Result<Option<Cell>, Failure> {
        let (stream, subject) = self.cell(space, key);
        self.last(stream, &subject).await
    }

    async fn set(
        &self,
        space: Space,
        key: &str,
        value: Option<Vec<u8>>,
        expected: Expected,
    ) -> Result<bool, Failure> {
        let (stream, subject) = self.cell(space, key);
        let Some(value) = value else { return self.delete(stream, &subject, expected).await };
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Expected-Stream", stream);
        let version = match expected {
            Expected::Any => None,
            Expected::Nothing => Some(0),
            Expected::Version(version) => Some(version),
        };
        if let Some(version) = version {
            headers.insert("Nats-Expected-Last-Subject-Sequence", version.to_string());
        }
        match self.link.ask::<Taken>(&subject, Some(headers), value.into()).await? {
            Ok(_) => Ok(true),
            Err(error) if error.err_code == api::OTHER_SEQUENCE => Ok(false),
            Err(error) => Err(error.failure("a cell can't be set")),
        }
    }

    async fn list(&self, space: Space) -> Result<Vec<(String, Cell)>, Failure> {
        let (stream, subject) = self.cell(space, "");
        let filter = format!("{subject}>");
        let mut reader = Reader::new(&self.link, stream, From::Last(&filter)).await?;
        let mut pending = reader.pending;
        let mut cells = Vec::new();
        while pending > 0 {
            let delivered = reader.read(Instant::now() + READ_MAX).await?;
            for Delivered { sequence, pending: behind, message } in delivered {
                pending = behind;
                let Some(key) = message.subject.strip_prefix(&subject).and_then(unescape) else {
                    continue;
                };
                cells.push((key, Cell { value: message.payload.into(), version: sequence }));
            }
        }
        Ok(cells)
    }
}

fn end_of(sequence: u64) -> Offset {
    if sequence == 0 { Offset::ZERO } else { Offset(sequence << BITS | LAST) }
}

/// The group that follows: the same, if `after` is not its end.
fn next_after(after: Offset) -> u64 {
    let sequence = after.0 >> BITS;
    if after == end_of(sequence) { sequence + 1 } else { sequence.max(1) }
}

fn stored(Delivered { sequence, message, .. }: &Delivered) -> Option<Stored> {
    let header = message.headers.as_ref()?.get(GROUP)?;
    let numbers: Vec<u64> =
        header.as_str().split(' ').map_while(|number| number.parse().ok()).collect();
    let [node, number, epoch, offsets @ 1..=LAST] = numbers[..] else { return None };
    Some(Stored {
        end: end_of(*sequence),
        node,
        number,
        epoch: Epoch(epoch),
        offsets: u32::try_from(offsets).ok()?,
        body: message.payload.clone(),
    })
}

/// A key as part of a subject. What has a meaning there, or none, becomes `=` and two hexadecimal digits.
fn escape(key: &str) -> String {
    let mut escaped = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            escaped.push(byte.into());
        } else {
            write!(escaped, "={byte:02x}").expect("memory can be written");
        }
    }
    escaped
}

fn unescape(key: &str) -> Option<String> {
    let mut parts = key.split('=');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_from_subjects() {
        for key in ["epoch", "user:1 *.>", "räume=2", "", "-_"] {
            let escaped = escape(key);
            assert!(escaped.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_=".contains(&b)));
            assert_eq!(unescape(&escaped).as_deref(), Some(key));
        }
    }

    #[test]
    fn each_sequence_number_has_its_offsets() {
        assert_eq!((end_of(0), next_after(Offset::ZERO)), (Offset::ZERO, 1));
        let end = end_of(7);
        assert_eq!(next_after(end), 8);
        for offsets in [1, 2, u64::from(forebay_shared::RECORDS_MAX)] {
            assert_eq!(next_after(Offset(end.0 - offsets)), 7, "what a group begins behind");
        }
        assert!(Offset(end.0 - u64::from(forebay_shared::RECORDS_MAX)) > end_of(6));
    }
}
