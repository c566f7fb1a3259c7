//! What was read: what of it can be published, and what can't.

use forebay_hub::Broadcast;
use forebay_log::{Class, Commit, Message};
use forebay_outbox::{Group, Row, Saying};
use forebay_turbo::{STREAM_NAME_BYTES_MAX, StreamName};

use crate::broadcast::refresh::Encoded;

/// One transaction's rows, by what is to be done with them.
#[derive(Default)]
pub(super) struct Work {
    /// What its messages are published once by.
    pub(super) name: String,
    pub(super) keys: Vec<String>,
    pub(super) ids: Vec<i64>,
    pub(super) messages: Vec<(String, Message, Class)>,
    pub(super) refreshes: Vec<(i64, StreamName, Encoded)>,
    /// Streams that lack something; an empty name means all.
    pub(super) gaps: Vec<(i64, String)>,
    /// Rows that can't be published, their stream, and why.
    pub(super) bad: Vec<(i64, String, String)>,
}

impl Work {
    pub(super) fn of(commit: Option<Commit>, group: Group, message_bytes_max: usize) -> Self {
        let mut work = Self { name: group.name(), ..Self::default() };
        for row in group.rows {
            work.add(row, commit, message_bytes_max);
        }
        work
    }

    fn add(&mut self, row: Row, commit: Option<Commit>, message_bytes_max: usize) {
        let Row { id, key, stream, says } = row;
        if self.keys.last() != Some(&key) {
            self.keys.push(key);
        }
        let says = says.and_then(|says| check(&stream, says, message_bytes_max));
        match says {
            Ok(Saying::Message(message, class)) => {
                self.ids.push(id);
                let message = match commit {
                    Some(commit) => message.committed_in(commit),
                    None => message,
                };
                self.messages.push((stream, message, class));
            }
            Ok(Saying::Refresh { json, request }) => {
                self.refreshes.push((id, StreamName::raw(stream), Encoded::stored(json, request)));
            }
            Ok(Saying::Gap) => self.gaps.push((id, stream)),
            Err(reason) => self.bad.push((id, stream, reason)),
        }
    }

    pub(super) fn broadcasts(&self) -> Vec<Broadcast<'_>> {
        let broadcasts = self.messages.iter().map(|(stream, message, class)| Broadcast {
            stream,
            message: message.clone(),
            class: class.clone(),
        });
        broadcasts.collect()
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = &str> {
        self.messages.iter().map(|(stream, ..)| stream.as_str())
    }
}

/// Whoever wrote the row may have written it by hand.
fn check(stream: &str, says: Saying, message_bytes_max: usize) -> Result<Saying, String> {
    if stream.trim().is_empty() && says != Saying::Gap {
        return Err("its stream has no name".to_owned());
    }
    if stream.len() > STREAM_NAME_BYTES_MAX {
        return Err("the name of its stream is too long".to_owned());
    }
    if let Saying::Message(message, _) = &says
        && message.bytes().len() > message_bytes_max
    {
        let bytes = message.bytes().len();
        return Err(format!("it has {bytes} bytes, more than the {message_bytes_max} allowed"));
    }
    Ok(says)
}
