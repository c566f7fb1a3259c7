//! `docs/options.md`, written from the table.

use std::fmt::Write as _;

use super::kind::Kind;
use super::spec::{Command, Spec};
use super::table::GROUPS;

const HEAD: &str = "\
<!-- Written by `forebay options`. A test fails when it is not what the table says. -->

# Options of `forebay`

Each option has one name. As a flag it has hyphens (`--history-limit`), as an environment variable
capitals (`FOREBAY_HISTORY_LIMIT`). The tables give its key in `forebay.toml`. A flag is stronger than
the environment, the environment is stronger than the file, and the file is stronger than the
default. `forebay serve --print-config` prints every value and where it comes from.

- **AnyCable's names** are accepted as well, as flags (`--history_limit`) and as variables
  (`ANYCABLE_HISTORY_LIMIT`). The tables give them where they differ. Options of AnyCable's that do
  nothing here are named in a warning. Some of them promise security (`enforce_jwt`, `jwt_secret`,
  `ssl_cert`, `noauth=false`, …). With those the server does not start.
- **Mistakes** are all named at once, and nothing starts: flags, keys and `FOREBAY_` variables that
  don't exist, and values that are impossible. Unknown `ANYCABLE_` variables may be the application's,
  so they are only mentioned. An empty variable counts as not set.
- **Durations** are seconds, or have a unit: `500ms`, `30s`, `10m`, `1h`, `7d`. **Sizes** are bytes,
  or have a unit: `64KiB`, `4MiB`, `1GiB`. **Lists** are separated by commas, or arrays in the file.
  **Switches** are `true` or `false`; a flag alone is `true`, with a value it is `--public=false`.
- **Secrets** belong into the environment or the file, because everybody on the machine can see a flag.
  `none` unsets one that another source has set.

| exit status | meaning |
|---|---|
| 0 | it did what it should |
| 1 | it could not: a port is in use, a server does not answer, a second signal cut the shutdown short |
| 2 | the command line or the configuration is wrong |
";

/// The document.
pub(crate) fn markdown() -> String {
    let mut out = HEAD.to_owned();
    for group in GROUPS {
        let _ = write!(
            out,
            "\n## {}\n\n| option | default | `forebay.toml` | meaning |\n|---|---|---|---|\n",
            group.heading,
        );
        for spec in group.rows {
            let _ = writeln!(
                out,
                "| {} | {} | {} | {} |",
                flags(spec),
                default(spec),
                spec.toml().map(|path| format!("`{path}`")).unwrap_or_default(),
                meaning(spec),
            );
        }
    }
    out
}

fn flags(spec: &Spec) -> String {
    let mut cell = format!("`--{}`", spec.flag());
    for flag in spec.short_flags {
        let _ = write!(cell, ", `--{flag}`");
    }
    cell
}

fn default(spec: &Spec) -> String {
    match spec.default {
        Some(default) => format!("`{default}`"),
        None => spec.otherwise.to_owned(),
    }
}

fn meaning(spec: &Spec) -> String {
    let mut cell = spec.help.replace('|', "\\|");
    cell.push('.');
    if let Kind::Choice(words) = spec.kind {
        let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
        let _ = write!(cell, " One of {}.", words.join(", "));
    }
    if spec.commands.len() < Command::ALL.len() && spec.commands != [Command::Serve] {
        let names: Vec<_> =
            spec.commands.iter().map(|command| format!("`{}`", command.name())).collect();
        let _ = write!(cell, " For {}.", names.join(", "));
    }
    let own = format!("FOREBAY_{}", spec.name.to_uppercase());
    let same = format!("ANYCABLE_{}", spec.name.to_uppercase());
    let mut variables = spec.variables();
    variables.retain(|name| *name != own && *name != same);
    if spec.flag.is_some() && spec.toml().is_some() {
        variables.insert(0, own);
    }
    if !variables.is_empty() {
        let names: Vec<_> = variables.iter().map(|name| format!("`{name}`")).collect();
        let _ = write!(cell, " Also {}.", names.join(", "));
    }
    cell
}
