//! What an answer of the server's means: that it is asked again, or that somebody has to mend something.

use forebay_shared::Failure;
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Codes of a server that can't, at the moment.
const PASSING: [&str; 8] = [
    "LOADING",
    "TRYAGAIN",
    "MASTERDOWN",
    "READONLY",
    "CLUSTERDOWN",
    "BUSY",
    "UNBLOCKED",
    "NOREPLICAS",
];

pub(crate) fn failure(error: &RedisError) -> Failure {
    let said = error.to_string();
    let code = error.code().unwrap_or_default();
    let detail = error.detail().unwrap_or(&said);
    match error.kind() {
        ErrorKind::AuthenticationFailed => {
            Failure::Refused(format!("it does not know this user and password: {detail}"))
        }
        ErrorKind::InvalidClientConfig | ErrorKind::RESP3NotSupported => Failure::Refused(said),
        _ if said.contains("OOM") => {
            Failure::Refused("it is full: maxmemory is used up".to_owned())
        }
        _ if PASSING.contains(&code) => Failure::Lost(said),
        _ if code == "NOAUTH" || code == "WRONGPASS" => {
            Failure::Refused(format!("it does not know this user and password: {detail}"))
        }
        ErrorKind::Server(ServerErrorKind::NoPerm) => Failure::Refused(format!(
            "its user lacks rights: {detail}. It needs its keys, and @hash @stream @sortedset @scripting @string @read @write +info +time"
        )),
        ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::UnexpectedReturnType => {
            Failure::Refused(said)
        }
        _ => Failure::Lost(said),
    }
}
