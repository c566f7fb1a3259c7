//! One connection, and what is asked over it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use forebay_log::{Epoch, Offset};
use forebay_shared::{Bounds, Cell, EPOCH, Expected, Failure, Group, Session, Space, Stored};
use redis::aio::MultiplexedConnection;
use redis::streams::{StreamRangeReply, StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands as _, AsyncConnectionConfig, Client, Cmd, Script, cmd, pipe};
use tokio::sync::{Mutex, OnceCell};

use crate::failure::failure;
use crate::options::Options;
use crate::{info, rights};

/// What the keys mean. A version that changes that writes its own number beside the head; this one writes none.
const VERSION: u32 = 1;

/// How long a reader waits for something new.
const READ_MAX: Duration = Duration::from_secs(1);

/// Groups of one answer: with half a megabyte each that is 8 MB, and mostly a hundredth of it.
const GROUPS_MAX: usize = 16;

/// How long an answer may take. A reader's takes a second by itself.
const ANSWER_MAX: Duration = Duration::from_secs(3);

/// How long a cell lives that passes.
const PASSING_SECONDS: u64 = 600;

/// One connection; a second one for reading is made when it is needed, because a reader blocks its own.
pub struct Connection {
    client: Client,
    pub(crate) asking: MultiplexedConnection,
    reading: OnceCell<MultiplexedConnection>,
    /// Held by who appends. What is sent a second time, in another way, must not come behind a later group of its
    /// node: then it would be taken for one that is known.
    pub(crate) appending: Mutex<()>,
    run: String,
    pub(crate) keys: Arc<Keys>,
}

pub(crate) struct Keys {
    pub(crate) log: String,
    pub(crate) state: String,
    pub(crate) marks: String,
    pub(crate) names: String,
    lasting: String,
    revoked: String,
    passing: String,
    pub(crate) keep: Duration,
    pub(crate) keep_bytes: u64,
    pub(crate) append: Script,
    set: Script,
}

impl Keys {
    pub(crate) fn new(options: &Options) -> Self {
        // In one slot, where a proxy or a managed service cares.
        let key = |what: &str| format!("{{{}}}:{what}", options.settings.name);
        Self {
            log: key("log"),
            state: key("state"),
            marks: key("marks"),
            names: key("names"),
            lasting: key("lasting"),
            revoked: key("revoked"),
            passing: key("passing"),
            keep: options.settings.keep,
            keep_bytes: options.settings.keep_bytes,
            append: Script::new(include_str!("append.lua")),
            set: Script::new(include_str!("set.lua")),
        }
    }

    /// What has these keys is a log of this version, or there is nothing yet.
    async fn check(&self, connection: &mut MultiplexedConnection) -> Result<(), Failure> {
        let kinds = [
            (&self.log, "stream"),
            (&self.state, "hash"),
            (&self.marks, "list"),
            (&self.names, "zset"),
            (&self.lasting, "hash"),
            (&self.revoked, "hash"),
        ];
        let mut asked = pipe();
        for (key, _) in kinds {
            asked.cmd("TYPE").arg(key);
        }
        let are: Vec<String> =
            asked.query_async(connection).await.map_err(|error| failure(&error))?;
        for ((key, kind), is) in kinds.iter().zip(&are) {
            if is != "none" && is != kind {
                let what = format!("the key {key} is a {is}, and no log of Forebay's");
                return Err(Failure::Refused(what));
            }
        }
        if are[0] != "none" && are[1] == "none" {
            let (log, state) = (&self.log, &self.state);
            let what = format!(
                "the stream {log} is another application's, or somebody has deleted {state}"
            );
            return Err(Failure::Refused(format!(
                "{what}: give the log another name, or delete both"
            )));
        }
        let version = cmd("HGET").arg(&self.state).arg("version").to_owned();
        match ask::<Option<u32>>(&version, connection).await? {
            None | Some(VERSION) => Ok(()),
            Some(other) => Err(Failure::Refused(format!(
                "the log's keys are of version {other}, and this program knows version {VERSION}: update the older of them"
            ))),
        }
    }
}

impl Connection {
    pub(crate) async fn open(options: &Options, keys: &Arc<Keys>) -> Result<Self, Failure> {
        let client = options.client().await?;
        let mut asking = connect(&client).await?;
        rights::check(&mut asking, &options.settings.name).await?;
        let run = info::check(&mut asking).await?;
        keys.check(&mut asking).await?;
        let (reading, appending) = (OnceCell::new(), Mutex::new(()));
        Ok(Self { client, asking, reading, appending, run, keys: Arc::clone(keys) })
    }

    /// The connection that waits. Another process may answer at this address by now.
    async fn open_reading(&self) -> Result<MultiplexedConnection, Failure> {
        let mut reading = connect(&self.client).await?;
        if info::check(&mut reading).await? != self.run {
            return Err(Failure::Lost("the server has begun again".to_owned()));
        }
        Ok(reading)
    }

    async fn is_empty_after(&self, after: Offset) -> Result<bool, Failure> {
        let from = format!("({}", id(after));
        let command =
            cmd("XRANGE").arg(&self.keys.log).arg(from).arg("+").arg("COUNT").arg(1).to_owned();
        let found: StreamRangeReply = ask(&command, &mut self.asking.clone()).await?;
        Ok(found.ids.is_empty())
    }

    /// Notes how far the log is trimmed.
    async fn trimmed_to(&self, floor: Offset) -> Result<(), Failure> {
        let command = cmd("HSET").arg(&self.keys.state).arg("trimmed").arg(floor.0).to_owned();
        ask::<()>(&command, &mut self.asking.clone()).await
    }
}

async fn connect(client: &Client) -> Result<MultiplexedConnection, Failure> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(ANSWER_MAX))
        .set_response_timeout(Some(ANSWER_MAX));
    let connected = client.get_multiplexed_async_connection_with_config(&config).await;
    connected.map_err(|error| failure(&error))
}

async fn ask<T: redis::FromRedisValue>(
    command: &Cmd,
    connection: &mut MultiplexedConnection,
) -> Result<T, Failure> {
    command.query_async(connection).await.map_err(|error| failure(&error))
}

impl Session for Connection {
    async fn history(&self) -> Result<String, Failure> {
        // It was asked for when the connection was made, which ends with the server's process.
        Ok(self.run.clone())
    }

    async fn bounds(&self) -> Result<Bounds, Failure> {
        let fields = ["head", "trimmed"].as_slice();
        let command = cmd("HMGET").arg(&self.keys.state).arg(fields).to_owned();
        let (head, trimmed): (Option<u64>, Option<u64>) =
            ask(&command, &mut self.asking.clone()).await?;
        let offset = |number: Option<u64>| Offset(number.unwrap_or(0));
        Ok(Bounds { trimmed: offset(trimmed), head: offset(head) })
    }

    async fn append(&self, group: &Group) -> Result<Offset, Failure> {
        self.append_in_turn(group).await
    }

    async fn read(&self, after: Offset) -> Result<Vec<Stored>, Failure> {
        let reading = self.reading.get_or_try_init(|| self.open_reading()).await?;
        let wait = usize::try_from(READ_MAX.as_millis()).expect("it is small");
        let options = StreamReadOptions::default().count(GROUPS_MAX).block(wait);
        let from = id(after);
        let answer: Result<Option<StreamReadReply>, _> =
            reading.clone().xread_options(&[&self.keys.log], &[&from], &options).await;
        let answer = answer.map_err(|error| failure(&error))?.unwrap_or_default();
        let groups: Option<Vec<_>> =
            answer.keys.iter().flat_map(|key| &key.ids).map(stored).collect();
        let unreadable = || Failure::Refused(format!("{} is no log of Forebay's", self.keys.log));
        let groups = groups.ok_or_else(unreadable)?;
        let Some(first) = groups.first() else {
            // Somebody else may have trimmed it: then what follows is not there, though the head is behind it.
            let head = self.bounds().await?.head;
            if head > after && self.is_empty_after(after).await? {
                self.trimmed_to(head).await?;
                return Err(Failure::Trimmed);
            }
            return Ok(groups);
        };
        let begins = Offset(first.end.0 - u64::from(first.offsets));
        if begins > after {
            self.trimmed_to(begins).await?;
            return Err(Failure::Trimmed);
        }
        Ok(before_a_hole(groups, after))
    }

    async fn get(&self, space: Space, key: &str) -> Result<Option<Cell>, Failure> {
        let command = match self.hash(space) {
            Some(hash) => cmd("HGET").arg(hash).arg(key).to_owned(),
            None => cmd("GET").arg(self.passing(key)).to_owned(),
        };
        let value: Option<Vec<u8>> = ask(&command, &mut self.asking.clone()).await?;
        Ok(value.as_deref().and_then(cell))
    }

    async fn set(
        &self,
        space: Space,
        key: &str,
        value: Option<Vec<u8>>,
        expected: Expected,
    ) -> Result<bool, Failure> {
        let mut script = self.keys.set.key(&self.keys.state);
        match self.hash(space) {
            Some(hash) => script.key(hash).arg(key),
            None => script.key(self.passing(key)).arg(""),
        };
        if space == Space::Lasting && key == EPOCH {
            script.key(&self.keys.names);
        }
        script.arg(PASSING_SECONDS);
        match expected {
            Expected::Any => script.arg("any"),
            Expected::Nothing => script.arg("nothing"),
            Expected::Version(version) => script.arg(version),
        };
        script.arg(if value.is_some() { "1" } else { "" }).arg(value.unwrap_or_default());
        let set: Result<bool, _> = script.invoke_async(&mut self.asking.clone()).await;
        set.map_err(|error| failure(&error))
    }

    async fn list(&self, space: Space) -> Result<Vec<(String, Cell)>, Failure> {
        let Some(hash) = self.hash(space) else { return Ok(Vec::new()) };
        let all: Vec<(String, Vec<u8>)> =
            ask(cmd("HGETALL").arg(hash), &mut self.asking.clone()).await?;
        Ok(all.into_iter().filter_map(|(key, value)| Some((key, cell(&value)?))).collect())
    }
}

impl Connection {
    /// The hash that has all cells of a space that does not pass.
    fn hash(&self, space: Space) -> Option<&str> {
        match space {
            Space::Lasting => Some(&self.keys.lasting),
            Space::Revoked => Some(&self.keys.revoked),
            Space::Passing => None,
        }
    }

    fn passing(&self, key: &str) -> String {
        format!("{}:{key}", self.keys.passing)
    }
}

/// The group that ends there.
fn id(end: Offset) -> String {
    format!("0-{}", end.0)
}

/// What can be read on: somebody may have deleted a group in the middle. The next read begins there.
fn before_a_hole(mut groups: Vec<Stored>, after: Offset) -> Vec<Stored> {
    let mut before = after.0;
    let hole = groups.iter().position(|group| {
        let begins = group.end.0 - u64::from(group.offsets);
        std::mem::replace(&mut before, group.end.0) != begins
    });
    groups.truncate(hole.unwrap_or(groups.len()));
    groups
}

/// A cell's version stands before its value.
fn cell(value: &[u8]) -> Option<Cell> {
    let at = value.iter().position(|byte| *byte == b'|')?;
    let version = str::from_utf8(&value[..at]).ok()?.parse().ok()?;
    Some(Cell { value: value[at + 1..].to_vec(), version })
}

fn stored(entry: &redis::streams::StreamId) -> Option<Stored> {
    let text = |field: &str| entry.get::<String>(field);
    Some(Stored {
        end: Offset(entry.id.split_once('-')?.1.parse().ok()?),
        node: u64::from_str_radix(&text("n")?, 16).ok()?,
        number: text("k")?.parse().ok()?,
        epoch: Epoch(text("e")?.parse().ok()?),
        offsets: text("o")?.parse().ok()?,
        body: Bytes::from(entry.get::<Vec<u8>>("b")?),
    })
}
