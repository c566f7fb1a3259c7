//! Options from environment variables: `FOREBAY_*`, AnyCable's names, and a few of others.
//!
//! An unknown `FOREBAY_*` is a mistake. An unknown `ANYCABLE_*` may be meant for the Rails
//! application that shares the environment, so it is only mentioned.

use std::ffi::{OsStr, OsString};

use super::anycable::{self, Fate};
use super::found::{Findings, Found, Origin};
use super::kind::Raw;
use super::problem::{Problem, did_you_mean};
use super::table;

const OWN: &str = "FOREBAY_";
const ANYCABLE: &str = "ANYCABLE_";

pub(super) fn read(environment: &[(OsString, OsString)]) -> Findings {
    let mut findings = Findings::default();
    let known: Vec<_> = table::all().map(|spec| (spec.id, spec.variables())).collect();
    // An empty variable is as good as none: `SECRET= forebay serve`, or an empty line of a file
    // that docker passes on.
    let set: Vec<_> = environment
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, value)))
        .filter(|(name, value)| !value.is_empty() && !is_of_kubernetes(name, value))
        .collect();
    for (id, names) in &known {
        let strongest = names.iter().find_map(|name| set.iter().find(|(other, _)| other == name));
        let Some((name, value)) = strongest else { continue };
        let origin = Origin::Variable((*name).to_owned());
        match value.to_str() {
            Some(text) => {
                let raw = Raw::Text(text.to_owned());
                findings.found.push(Found { id: *id, origin, raw });
            }
            None => findings.problems.push(Problem::at(origin, "the value is not UTF-8")),
        }
    }
    let is_known = |name: &str| known.iter().any(|(_, names)| names.iter().any(|n| n == name));
    let mut others = Vec::new();
    for (name, value) in set.iter().filter(|(name, _)| !is_known(name)) {
        if name.starts_with(OWN) {
            let all = known.iter().flat_map(|(_, names)| names).filter(|n| n.starts_with(OWN));
            let hint = did_you_mean(name, all.map(String::as_str));
            findings.problems.push(Problem::at(name, format!("there is no such option{hint}")));
        } else if let Some(option) = name.strip_prefix(ANYCABLE) {
            match anycable::fate(option, &value.to_string_lossy()) {
                Fate::Fine => {}
                Fate::Unsupported => findings.warnings.push(anycable::unsupported(name)),
                Fate::Unsafe(why) => {
                    findings.problems.push(Problem::at(name, anycable::unsafe_without(why)));
                }
                Fate::Unknown => others.push(*name),
            }
        }
    }
    if !others.is_empty() {
        others.sort_unstable();
        let names = others.join(", ");
        findings.warnings.push(format!("not options of this server, ignored: {names}"));
    }
    findings
}

/// Kubernetes sets variables for each service of the namespace, `FOREBAY_CABLE_SERVICE_HOST` for one
/// that is called `forebay-cable`. Beside host and port they are links as Docker made them,
/// `FOREBAY_CABLE_PORT=tcp://10.0.0.1:8080` and what `FOREBAY_CABLE_PORT_8080_TCP` begins.
fn is_of_kubernetes(name: &str, value: &OsStr) -> bool {
    let Some(rest) = name.strip_prefix(OWN).or_else(|| name.strip_prefix(ANYCABLE)) else {
        return false;
    };
    // So that each part stands between two underscores, also where the service is called `forebay`.
    let rest = format!("_{rest}_");
    let is_address = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.as_encoded_bytes().starts_with(scheme.as_bytes()));
    rest.ends_with("_SERVICE_HOST_")
        || rest.contains("_SERVICE_PORT_")
        || (rest.ends_with("_PORT_") && is_address)
        || rest.match_indices("_PORT_").any(|(at, part)| is_link(&rest[at + part.len()..]))
}

/// `8080_TCP_`, and perhaps what of it.
fn is_link(text: &str) -> bool {
    let mut parts = text.split_terminator('_');
    let port = parts.next().unwrap_or_default();
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    is_port
        && matches!(parts.next(), Some("TCP" | "UDP" | "SCTP"))
        && matches!(parts.next(), None | Some("PROTO" | "PORT" | "ADDR"))
        && parts.next().is_none()
}
