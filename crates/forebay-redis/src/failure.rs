//! What an answer of the server's means: that it is asked again, or that somebody has to mend something.

use forebay_shared::Failure;
use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::rights::GRANTED;

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

/// The two sides have spoken, and do not agree: a certificate that is not trusted or not shown, or no TLS at the other
/// end. The library keeps rustls' error as a text.
const TLS: [&str; 3] =
    ["invalid peer certificate", "received fatal alert", "received corrupt message"];

pub(crate) fn failure(error: &RedisError) -> Failure {
    let said = error.to_string();
    let code = error.code().unwrap_or_default();
    let detail = error.detail().unwrap_or(&said);
    match error.kind() {
        ErrorKind::AuthenticationFailed => {
            Failure::Refused(format!("it does not know this user and password: {detail}"))
        }
        ErrorKind::InvalidClientConfig | ErrorKind::RESP3NotSupported => Failure::Refused(said),
        _ if said.contains("OOM") => Failure::Full("it is full: maxmemory is used up".to_owned()),
        _ if said.contains("MISCONF") => {
            Failure::Refused(format!("it can't write to its disk, which may be full: {detail}"))
        }
        _ if PASSING.contains(&code) => Failure::Lost(said),
        _ if code == "NOAUTH" || code == "WRONGPASS" => {
            Failure::Refused(format!("it does not know this user and password: {detail}"))
        }
        _ if is_right_missing(error, &said) => Failure::Refused(format!(
            "its user lacks rights: {detail}. It needs ~{{NAME}}:* {GRANTED}"
        )),
        _ if TLS.iter().any(|about| said.contains(about)) => {
            Failure::Refused(format!("TLS fails: {said}"))
        }
        ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::UnexpectedReturnType => {
            Failure::Refused(said)
        }
        _ => Failure::Lost(said),
    }
}

/// Within a script, Redis 7.0 says it in words only.
fn is_right_missing(error: &RedisError, said: &str) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
        || said.contains("The user executing the script can't")
}
