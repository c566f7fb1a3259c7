//! What the server says of itself.

use std::collections::HashMap;
use std::sync::Once;

use forebay_shared::Failure;
use redis::aio::MultiplexedConnection;
use redis::cmd;

use crate::failure::failure;

/// The oldest version whose scripts and streams are what this needs.
const VERSION_MIN: u64 = 7;

/// That nothing is kept is said once.
static TOLD: Once = Once::new();

/// Checks whether it can keep a log, and names its process and its replication: one that begins again, or another
/// that takes over, may lack what was acknowledged.
pub(crate) async fn check(connection: &mut MultiplexedConnection) -> Result<String, Failure> {
    let said: Result<String, _> = cmd("INFO").query_async(connection).await;
    let said = said.map_err(|error| failure(&error))?;
    let lines = said.lines().filter_map(|line| line.split_once(':'));
    let info: HashMap<&str, &str> = lines.collect();
    let get = |key: &str| info.get(key).copied().unwrap_or_default();
    let version = info.get("valkey_version").copied().unwrap_or(get("redis_version"));
    let major = version.split('.').next().and_then(|major| major.parse::<u64>().ok());
    if major.is_none_or(|major| major < VERSION_MIN) {
        return Err(Failure::Refused(format!("its version is {version:?}: 7 or later is needed")));
    }
    if get("cluster_enabled") == "1" {
        return Err(Failure::Refused(
            "it is part of a Redis Cluster, which gives keys from one server to another: the log needs a primary of \
             its own, with replicas and Sentinel if you like"
                .to_owned(),
        ));
    }
    if get("role") != "master" {
        return Err(Failure::Lost(format!("it is a {}, and no primary", get("role"))));
    }
    let policy = get("maxmemory_policy");
    if policy.starts_with("allkeys") && get("maxmemory") != "0" {
        return Err(Failure::Refused(format!(
            "its maxmemory-policy is {policy}, which drops what pages need: set noeviction"
        )));
    }
    if get("aof_enabled") == "0" {
        TOLD.call_once(|| {
            tracing::warn!(
                "Redis keeps no append-only file: what it had acknowledged since its last snapshot is lost \
                 with its process, and pages load themselves again"
            );
        });
    }
    // The same process may be made a replica, and the primary again: then it has lost something, too.
    Ok(format!("{} {}", get("run_id"), get("master_replid")))
}
