//! `--print-config`: every value and where it comes from, as a `forebay.toml`.

use std::fmt::Write as _;

use super::kind::Kind;
use super::resolve::{Settings, Value};
use super::units::{show_milliseconds, show_size};

/// The file. Secrets are not in it, only that they are set.
pub(crate) fn print(settings: &Settings) -> String {
    let mut rows: Vec<_> = settings
        .iter()
        .filter_map(|(spec, value, origin)| Some((spec.toml()?, spec.kind, value, origin)))
        .collect();
    // Keys without a section must come first.
    rows.sort_by_key(|(path, ..)| path.split_once('.').map_or("", |(section, _)| section));
    let (mut out, mut section) = (String::new(), "");
    for (path, kind, value, origin) in rows {
        let (own, key) = path.split_once('.').unwrap_or(("", path));
        if own != section {
            section = own;
            let _ = writeln!(out, "\n[{section}]");
        }
        let _ = match value {
            None => writeln!(out, "# {key} is not set"),
            Some(_) if kind.is_secret() => writeln!(out, "# {key} = \"…\" # {origin}"),
            Some(value) => writeln!(out, "{key} = {} # {origin}", show(kind, value)),
        };
    }
    out
}

/// A value as it is written in the file. Not for secrets.
pub(super) fn show(kind: Kind, value: &Value) -> String {
    match (kind, value) {
        (Kind::Duration(..), Value::Number(ms)) => quote(&show_milliseconds(*ms)),
        (Kind::Size(..), Value::Number(bytes)) => quote(&show_size(*bytes)),
        (_, Value::Number(number)) => number.to_string(),
        (_, Value::Switch(switch)) => switch.to_string(),
        (_, Value::Text(text)) => quote(text),
        (_, Value::List(items)) => {
            let items: Vec<_> = items.iter().map(|item| quote(item)).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

/// A basic string of TOML: JSON's escapes are among its own.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
