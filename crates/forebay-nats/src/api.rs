//! What JetStream's answers look like: the parts of them that are of interest here.

use forebay_shared::Failure;
use serde::{Deserialize, Serialize};

/// Errors that somebody has to mend, though JetStream counts them among its own: JetStream
/// off for the account (10039) or altogether (10076).
const REFUSALS: [u32; 2] = [10_039, 10_076];

/// The same, where there is no room: no resources (10002, 10023), storage exceeded (10047), a message that was not
/// stored (10077).
const FULL: [u32; 4] = [10_002, 10_023, 10_047, 10_077];

pub(crate) const NO_MESSAGE: u32 = 10_037;
/// There is no message with that sequence number.
pub(crate) const NO_SEQUENCE: u32 = 10_043;
/// A message could not be deleted. Some servers say that of one that is not there.
pub(crate) const NOT_DELETED: u32 = 10_057;
pub(crate) const NO_STREAM: u32 = 10_059;
pub(crate) const STREAM_EXISTS: u32 = 10_058;
pub(crate) const OTHER_STREAM: u32 = 10_060;
pub(crate) const OTHER_SEQUENCE: u32 = 10_071;
/// The same message is being appended just now. Newer servers say it.
pub(crate) const IN_FLIGHT: u32 = 10_158;

/// An answer, or an error.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Answer<T> {
    Refused { error: ApiError },
    Given(T),
}

#[derive(Deserialize, Debug)]
pub(crate) struct ApiError {
    code: u16,
    #[serde(default)]
    pub(crate) err_code: u32,
    #[serde(default)]
    description: String,
}

impl ApiError {
    pub(crate) fn failure(&self, what: &str) -> Failure {
        let said = format!("{what}: {} (error {})", self.description, self.err_code);
        let is_theirs = self.code < 500 && self.code != 404 && self.err_code != IN_FLIGHT;
        if FULL.contains(&self.err_code) {
            Failure::Full(said)
        } else if is_theirs || REFUSALS.contains(&self.err_code) {
            Failure::Refused(said)
        } else {
            Failure::Lost(said)
        }
    }
}

/// A message was taken.
#[derive(Deserialize)]
pub(crate) struct Taken {
    pub(crate) seq: u64,
}

/// A request that has no answer but that it was done.
#[derive(Deserialize)]
pub(crate) struct Done {
    pub(crate) success: bool,
}

/// A stream was made.
#[derive(Deserialize)]
pub(crate) struct Made {}

#[derive(Deserialize)]
pub(crate) struct Consumer {
    pub(crate) name: String,
    pub(crate) num_pending: u64,
}

#[derive(Deserialize)]
pub(crate) struct Message {
    pub(crate) message: Raw,
}

#[derive(Deserialize)]
pub(crate) struct Raw {
    pub(crate) seq: u64,
    /// In Base64.
    #[serde(default)]
    pub(crate) data: String,
}

/// A stream.
#[derive(Deserialize, Clone, Debug)]
pub(crate) struct Info {
    pub(crate) config: Config,
    pub(crate) created: String,
    pub(crate) state: State,
    #[serde(default)]
    pub(crate) cluster: Cluster,
}

#[derive(Deserialize, Clone, Default, Debug)]
pub(crate) struct Cluster {
    /// The server that has it.
    #[serde(default)]
    pub(crate) leader: String,
}

#[derive(Deserialize, Clone, Debug)]
pub(crate) struct State {
    pub(crate) first_seq: u64,
    pub(crate) last_seq: u64,
    /// Messages that somebody has deleted one by one.
    #[serde(default)]
    pub(crate) num_deleted: u64,
    /// Which they are, if that was asked for.
    #[serde(default)]
    pub(crate) deleted: Vec<u64>,
}

/// How a stream is kept. Times are nanoseconds.
#[expect(clippy::struct_excessive_bools, reason = "JetStream's fields")]
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct Config {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) subjects: Vec<String>,
    pub(crate) retention: String,
    pub(crate) storage: String,
    pub(crate) discard: String,
    pub(crate) num_replicas: usize,
    #[serde(default)]
    pub(crate) max_age: u64,
    pub(crate) max_bytes: i64,
    pub(crate) max_msgs: i64,
    #[serde(default = "unlimited")]
    pub(crate) max_msgs_per_subject: i64,
    #[serde(default)]
    pub(crate) duplicate_window: u64,
    #[serde(default)]
    pub(crate) allow_rollup_hdrs: bool,
    #[serde(default)]
    pub(crate) deny_delete: bool,
    #[serde(default)]
    pub(crate) no_ack: bool,
    #[serde(default)]
    pub(crate) sealed: bool,
    #[serde(default, skip_serializing)]
    pub(crate) mirror: Option<serde_json::Value>,
    #[serde(default, skip_serializing)]
    pub(crate) sources: Option<serde_json::Value>,
}

fn unlimited() -> i64 {
    -1
}
