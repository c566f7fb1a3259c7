//! `--print-config`: every value and where it comes from, as a `forebay.toml`.

use std::fmt::Write as _;

use super::resolve::Settings;

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
            Some(value) => writeln!(out, "{key} = {} # {origin}", kind.show(value)),
        };
    }
    out
}
