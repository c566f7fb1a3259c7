//! The stream and the buckets: made where they are missing, and looked at where they are not.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use forebay_shared::Failure;

use crate::api::{self, Config, Info, Made, Taken};
use crate::link::{Link, lost};
use crate::options::Options;

/// Whose a stream is. Servers before 2.10 keep no other note beside a stream.
const DESCRIPTION: &str = "Forebay: ";

/// Pull consumers are as they are needed from here on.
const ALONE: (u32, u32) = (2, 9);

/// Before it, a cluster let two nodes set a cell of the same version at the same time.
const REPLICATED: (u32, u32) = (2, 11);

/// How long what is in the passing bucket stays there.
const PASSING: Duration = Duration::from_mins(10);

/// Publishers try again for some seconds. Less than this would not be enough.
const WINDOW_MIN: Duration = Duration::from_mins(1);

/// Where things are.
pub(crate) struct Names {
    /// The log's stream, and its subject.
    pub(crate) log: String,
    /// Streams of buckets.
    pub(crate) cells: String,
    pub(crate) passing: String,
}

impl Names {
    pub(crate) fn new(log: &str) -> Self {
        Self {
            log: log.to_owned(),
            cells: format!("KV_{log}-cells"),
            passing: format!("KV_{log}-passing"),
        }
    }
}

/// Looks whether the server can keep a log, and makes what is missing.
pub(crate) async fn prepare(link: &Link, options: &Options) -> Result<Info, Failure> {
    check_server(link, options)?;
    let names = Names::new(&options.settings.name);
    let info = ensure(link, log(&names, options)).await?;
    // A server of version 2.9 that is in no cluster names none.
    let leader = &info.cluster.leader;
    let is_here = leader.is_empty() || *leader == link.server.server_name;
    if !is_replicated(options) && !is_here {
        return Err(Failure::Refused(format!(
            "the log has {} replica, at server {}, and this is {}: name only that server, or use replicas=3. Otherwise nobody knows when the log's server has begun again",
            options.replicas, info.cluster.leader, link.server.server_name
        )));
    }
    ensure(link, bucket(&names.cells, options, None)).await?;
    ensure(link, bucket(&names.passing, options, Some(PASSING))).await?;
    check_right_to_append(link, &names.log).await?;
    Ok(info)
}

/// A majority has what was acknowledged, so that one server that begins again loses nothing.
pub(crate) fn is_replicated(options: &Options) -> bool {
    options.replicas >= 3
}

/// What of the log's limits is not as configured.
pub(crate) fn limits_differ(info: &Info, options: &Options) -> Option<String> {
    let (is, configured) = (&info.config, log(&Names::new(&options.settings.name), options));
    let pairs = [
        ("max_age", is.max_age.cast_signed(), configured.max_age.cast_signed()),
        ("max_bytes", is.max_bytes, configured.max_bytes),
        ("max_msgs", is.max_msgs, configured.max_msgs),
        (
            "duplicate_window",
            is.duplicate_window.cast_signed(),
            configured.duplicate_window.cast_signed(),
        ),
    ];
    let differ = pairs.iter().filter(|(_, is, configured)| is != configured);
    let differ =
        differ.map(|(what, is, configured)| format!("{what} is {is} and not {configured}"));
    let differ: Vec<_> = differ.collect();
    (!differ.is_empty()).then(|| differ.join(", "))
}

fn check_server(link: &Link, options: &Options) -> Result<(), Failure> {
    let mut version = link.server.version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let needed = if is_replicated(options) { REPLICATED } else { ALONE };
    if (version.next(), version.next()) < (Some(needed.0), Some(needed.1)) {
        let version = &link.server.version;
        let (major, minor) = needed;
        return Err(Failure::Refused(format!(
            "it is NATS {version}: with {} replicas it has to be {major}.{minor} or newer",
            options.replicas
        )));
    }
    if !link.server.jetstream {
        return Err(Failure::Refused("JetStream is off: switch it on in the server".to_owned()));
    }
    Ok(())
}

fn log(names: &Names, options: &Options) -> Config {
    let keep = nanoseconds(options.settings.keep);
    Config {
        subjects: vec![names.log.clone()],
        max_age: keep,
        max_bytes: i64::try_from(options.settings.keep_bytes).unwrap_or(i64::MAX),
        duplicate_window: keep,
        ..stream(&names.log, "log", options)
    }
}

/// As NATS' own clients make buckets, but that what is deleted leaves nothing behind, and that nobody reads from a
/// server that is behind.
fn bucket(name: &str, options: &Options, max_age: Option<Duration>) -> Config {
    let bucket = name.trim_start_matches("KV_");
    Config {
        subjects: vec![format!("$KV.{bucket}.>")],
        discard: "new".to_owned(),
        max_age: max_age.map_or(0, nanoseconds),
        max_msgs_per_subject: 1,
        allow_rollup_hdrs: true,
        ..stream(name, "cells", options)
    }
}

fn stream(name: &str, what: &str, options: &Options) -> Config {
    Config {
        name: name.to_owned(),
        description: format!("{DESCRIPTION}{what}"),
        subjects: Vec::new(),
        retention: "limits".to_owned(),
        storage: "file".to_owned(),
        discard: "old".to_owned(),
        num_replicas: options.replicas,
        max_age: 0,
        max_bytes: -1,
        max_msgs: -1,
        max_msgs_per_subject: -1,
        duplicate_window: 0,
        allow_rollup_hdrs: false,
        deny_delete: false,
        no_ack: false,
        sealed: false,
        mirror: None,
        sources: None,
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The stream, made if it is not there.
async fn ensure(link: &Link, config: Config) -> Result<Info, Failure> {
    let name = &config.name;
    let asked = format!("STREAM.INFO.{name}");
    let mut info = link.ask_api::<Info>(&asked, Bytes::new()).await?;
    if info.as_ref().is_err_and(|error| error.err_code == api::NO_STREAM) {
        let body = serde_json::to_vec(&config).expect("texts and numbers encode");
        let made = link.ask_api::<Made>(&format!("STREAM.CREATE.{name}"), body.into()).await?;
        // Another node may have been first. What it has made is looked at.
        if let Err(error) = made
            && error.err_code != api::STREAM_EXISTS
        {
            return Err(error.failure(&format!("stream {name} can't be made")));
        }
        info = link.ask_api::<Info>(&asked, Bytes::new()).await?;
    }
    let info = info.map_err(|error| error.failure(&format!("stream {name}")))?;
    check(&info, &config)?;
    Ok(info)
}

/// What the log's promises need. Limits may be others, and hold as they are.
fn check(info: &Info, needed: &Config) -> Result<(), Failure> {
    let (name, is) = (&needed.name, &info.config);
    if is.description != needed.description {
        let theirs = &is.description;
        return Err(Failure::Refused(format!(
            "stream {name} is another application's (its description is {theirs:?}): give the log another name"
        )));
    }
    let is_bucket = needed.max_msgs_per_subject == 1;
    let window_min = if is_bucket { 0 } else { nanoseconds(WINDOW_MIN) };
    let wrong = [
        (is.subjects != needed.subjects, "its subjects are others"),
        (is.retention != needed.retention, "its retention is not limits"),
        (is.storage != needed.storage, "its storage is not file"),
        (is.discard != needed.discard, "it discards what it should not"),
        (is.num_replicas != needed.num_replicas, "its number of replicas is another"),
        (
            is.max_msgs_per_subject != needed.max_msgs_per_subject,
            "its max_msgs_per_subject is another",
        ),
        (is_bucket && is.max_age != needed.max_age, "its max_age is another"),
        (is_bucket && is.deny_delete, "it denies to delete"),
        (is.duplicate_window < window_min, "its duplicate_window is below a minute"),
        (is.no_ack, "it acknowledges nothing"),
        (is.sealed, "it is sealed"),
        (is.mirror.is_some() || is.sources.is_some(), "it takes from other streams"),
    ];
    let wrong: Vec<_> =
        wrong.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, what)| what).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::Refused(format!("stream {name} is not as the log needs it: {}", wrong.join(", "))))
}

/// Sends a message that every stream refuses: it may be sent, and the log's stream hears it.
async fn check_right_to_append(link: &Link, subject: &str) -> Result<(), Failure> {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Expected-Stream", "-");
    match link.ask::<Taken>(subject, Some(headers), Bytes::new()).await? {
        Err(error) if error.err_code == api::OTHER_STREAM => Ok(()),
        Err(error) => Err(error.failure("it takes nothing")),
        Ok(_) => Err(lost("another stream takes the log's subject")),
    }
}
