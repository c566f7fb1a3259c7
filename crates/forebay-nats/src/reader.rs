//! Reads a stream in order, through a consumer that lives as long as the reader.
//!
//! It is a pull consumer without acknowledgements. A request waits at the server for what comes next, so a message
//! is on its way as soon as it is stored, and a reader that is slow gets no more than it has asked for.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Message, StatusCode, Subscriber};
use forebay_shared::Failure;
use futures_util::{FutureExt as _, StreamExt as _};
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use crate::api::Consumer;
use crate::link::{Link, lost};

/// Messages that are asked for at a time.
pub(crate) const BATCH: usize = 256;

/// Bytes that are. The largest message fits, too, also if it is not ours.
const BATCH_BYTES: usize = 1 << 20;

/// What a message costs beside its payload and headers, which `max_payload` limits together.
const SUBJECTS_BYTES_MAX: usize = 4 << 10;

/// Messages of one answer, in bytes: what comes in one piece to a replica.
const ANSWER_BYTES_MAX: usize = 256 << 10;

/// How long a request waits at the server.
const EXPIRES: Duration = Duration::from_secs(20);

/// While it waits, the server says that it knows it.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Without a word for so long, the consumer is gone: its server has begun again.
const SILENCE_MAX: Duration = Duration::from_secs(4);

/// A consumer that nobody reads is removed after this.
const INACTIVE_MAX: Duration = Duration::from_secs(30);

/// What a consumer gives.
pub(crate) enum From<'a> {
    /// Messages from this sequence number on.
    Sequence(u64),
    /// The last message of each subject that matches.
    Last(&'a str),
}

pub(crate) struct Reader {
    link: Arc<Link>,
    /// Where the next messages are asked for.
    next: String,
    inbox: String,
    subscriber: Subscriber,
    /// How many messages the server still owes us.
    owed: usize,
    /// When it was heard last.
    heard: Instant,
    /// What the consumer had to give when it was made.
    pub(crate) pending: u64,
}

/// A message with its place.
pub(crate) struct Delivered {
    pub(crate) sequence: u64,
    /// How many are behind it.
    pub(crate) pending: u64,
    pub(crate) message: Message,
}

impl Reader {
    pub(crate) async fn new(
        link: &Arc<Link>,
        stream: &str,
        from: From<'_>,
    ) -> Result<Self, Failure> {
        let mut config = json!({
            "ack_policy": "none",
            "replay_policy": "instant",
            "inactive_threshold": nanoseconds(INACTIVE_MAX),
            "mem_storage": true,
            "num_replicas": 1,
        });
        match from {
            From::Sequence(sequence) => {
                config["deliver_policy"] = "by_start_sequence".into();
                config["opt_start_seq"] = sequence.into();
            }
            From::Last(filter) => {
                config["deliver_policy"] = "last_per_subject".into();
                config["filter_subject"] = filter.into();
            }
        }
        let body = json!({ "stream_name": stream, "config": config }).to_string();
        let made =
            link.ask_api::<Consumer>(&format!("CONSUMER.CREATE.{stream}"), body.into()).await?;
        let made = made.map_err(|error| error.failure("the stream can't be read"))?;
        let (inbox, subscriber) = link.subscribe().await?;
        Ok(Self {
            link: Arc::clone(link),
            next: format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{}", made.name),
            inbox,
            subscriber,
            owed: 0,
            heard: Instant::now(),
            pending: made.num_pending,
        })
    }

    /// What comes next, as far as it is there. Waits for the first of it, until then at most.
    pub(crate) async fn read(&mut self, until: Instant) -> Result<Vec<Delivered>, Failure> {
        let (mut read, mut bytes) = (Vec::new(), 0);
        while bytes < ANSWER_BYTES_MAX {
            if self.owed == 0 {
                if !read.is_empty() {
                    break;
                }
                self.ask().await?;
            }
            let message = if read.is_empty() {
                let next = tokio::select! {
                    next = timeout_at(until, self.subscriber.next()) => next,
                    failure = self.link.fails(&self.next) => return Err(failure),
                };
                let Ok(next) = next else {
                    self.check_silence()?;
                    break;
                };
                next
            } else {
                let Some(next) = self.subscriber.next().now_or_never() else { break };
                next
            };
            self.link.holds()?;
            let message = message.ok_or_else(|| lost("the connection was lost"))?;
            self.heard = Instant::now();
            if let Some(status) = message.status {
                self.hear(status, message.description.as_deref().unwrap_or_default())?;
                continue;
            }
            self.owed -= 1;
            bytes += message.length;
            read.push(Delivered::new(message)?);
        }
        Ok(read)
    }

    async fn ask(&mut self) -> Result<(), Failure> {
        let request = json!({
            "batch": BATCH,
            "max_bytes": BATCH_BYTES.max(self.link.server.max_payload + SUBJECTS_BYTES_MAX),
            "expires": nanoseconds(EXPIRES),
            "idle_heartbeat": nanoseconds(HEARTBEAT),
        });
        self.link.send(self.next.clone(), self.inbox.clone(), request.to_string().into()).await?;
        (self.owed, self.heard) = (BATCH, Instant::now());
        Ok(())
    }

    fn hear(&mut self, status: StatusCode, said: &str) -> Result<(), Failure> {
        match status {
            StatusCode::IDLE_HEARTBEAT => {}
            // The request is over: its time, its messages, its bytes.
            StatusCode::TIMEOUT | StatusCode::NOT_FOUND => self.owed = 0,
            StatusCode::REQUEST_TERMINATED
                if said.contains("MaxBytes") || said.contains("Batch") =>
            {
                self.owed = 0;
            }
            _ => return Err(Failure::Lost(format!("the stream's reader has ended: {said}"))),
        }
        Ok(())
    }

    fn check_silence(&self) -> Result<(), Failure> {
        if self.heard.elapsed() <= SILENCE_MAX {
            return Ok(());
        }
        Err(lost("the stream's reader has ended, and nobody has said so"))
    }
}

impl Delivered {
    /// The reply's subject says where a message was: `$JS.ACK.stream.consumer.delivered.sequence.…`, ended by the
    /// number of those that are pending. Newer servers may put a domain and an account before the stream, and a token
    /// behind the end.
    fn new(message: Message) -> Result<Self, Failure> {
        let reply = message.reply.as_deref().unwrap_or_default();
        let parts: Vec<_> = reply.split('.').collect();
        let places = if parts.len() == 9 { (5, 8) } else { (7, 10) };
        let number = |place: usize| parts.get(place)?.parse().ok();
        let (Some(sequence), Some(pending)) = (number(places.0), number(places.1)) else {
            return Err(Failure::Refused(format!("a message without its place: {reply:?}")));
        };
        Ok(Self { sequence, pending, message })
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
