//! Options from the command line: clap's commands made from the table, and what they found.
//!
//! Flags that the command does not have never get to clap: see [`unknown`].

mod unknown;

use std::ffi::OsString;
use std::fmt::Write as _;

use clap::{Arg, ArgAction, ArgMatches, Command as Clap};

use super::found::{Findings, Found, Origin};
use super::kind::{Kind, Raw};
use super::spec::{Command, Id, Scope, Spec};
use super::table;

/// Arguments beside which others would mean nothing, and so are refused.
const EXCLUSIVE: [(&str, &[&str]); 2] =
    [("signed", &["stream", "unsigned"]), ("verify", &["stream", "expires_in", "tag"])];

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    Run(Arguments),
    /// Print the documentation of the options.
    Options,
    /// Print the manual page.
    Man,
}

/// A command, and what stands behind it.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) command: Command,
    pub(crate) stream: Option<String>,
    pub(crate) data: Option<String>,
    /// What is to be done with the outbox.
    pub(crate) task: Option<String>,
    /// What is to be checked.
    pub(crate) address: Option<String>,
    pub(crate) flags: Findings,
}

/// All commands.
pub(crate) fn clap() -> Clap {
    let options =
        Clap::new("options").about("Print the documentation of every option, as Markdown");
    let man = Clap::new("man").about("Print the manual page");
    Clap::new("forebay")
        .version(env!("CARGO_PKG_VERSION"))
        .about("An Action Cable server for Turbo Streams, for apps in any language")
        .after_help(
            "Exit status: 0 it did what it should; 1 it could not; 2 the command line or the \
             configuration is wrong.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(Command::ALL.map(subcommand))
        .subcommands([options, man])
}

fn subcommand(command: Command) -> Clap {
    let mut clap = Clap::new(command.name()).about(command.about());
    let stream = Arg::new("stream").value_name("STREAM").help("The stream's name");
    clap = match command {
        Command::Serve | Command::Why => clap,
        Command::Publish => clap.arg(stream.required(true)).arg(
            Arg::new("data").value_name("DATA").allow_hyphen_values(true).help(
                "The message: JSON, or any other text. Without it, or with -, it is read from \
                     standard input",
            ),
        ),
        Command::Listen => clap.arg(stream.required_unless_present("signed")),
        Command::Sign => clap.arg(stream.required_unless_present("verify")),
        Command::Outbox => clap.args([
            Arg::new("task").value_name("TASK").required(true).value_parser(["migrate", "print"]).help(
                "migrate: create the outbox in the database, or bring it to this version. print: what that would run",
            ),
            Arg::new("url").value_name("URL").help("The database, if the option outbox does not say it"),
        ]),
        Command::Doctor => clap.arg(Arg::new("address").value_name("URL").required(true).help(
            "The address that pages have: https://example.com, or with the cable's path",
        )),
    };
    for group in table::GROUPS {
        let rows = group.rows.iter().filter(|spec| spec.is_for(command));
        clap = clap.next_help_heading(group.heading).args(rows.map(|spec| arg(spec, command)));
    }
    clap
}

fn arg(spec: &'static Spec, command: Command) -> Arg {
    let mut help = spec.help.to_owned();
    // Writing to a String cannot fail.
    if let Kind::Choice(words) = spec.kind {
        let _ = write!(help, " [one of: {}]", words.join(", "));
    }
    let _ = match spec.default {
        Some(default) if spec.kind != Kind::Switch => write!(help, " [default: {default}]"),
        None if !spec.otherwise.is_empty() => write!(help, " [otherwise: {}]", spec.otherwise),
        _ => Ok(()),
    };
    let mut long_help = help.clone();
    if spec.scope != Scope::FlagOnly {
        let _ = write!(long_help, "\n[environment: {}]", spec.variables().join(", "));
    }
    if let Some(path) = spec.toml() {
        let _ = write!(long_help, " [file: {path}]");
    }
    let is_list = spec.kind.is_list();
    let excluded = EXCLUSIVE.iter().filter(|(name, _)| *name == spec.name);
    let arg = Arg::new(spec.name)
        .conflicts_with_all(excluded.flat_map(|(_, others)| others.iter().copied()))
        .long(spec.flag())
        .aliases(spec.flag_aliases(command))
        .value_name(spec.kind.placeholder())
        .action(if is_list { ArgAction::Append } else { ArgAction::Set })
        .help(help)
        .long_help(long_help);
    match spec.kind {
        // With a value it stands behind `=`: what follows may be an argument.
        Kind::Switch => arg.num_args(0..=1).default_missing_value("true").require_equals(true),
        // AnyCable's `--public_streams` is a switch; `serve` has no arguments.
        Kind::Streams => arg.num_args(0..=1).default_missing_value("true"),
        _ => arg,
    }
}

/// Reads the command line.
///
/// # Errors
/// clap's, where it is to be shown and nothing else: help, a missing argument, no command.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Request, clap::Error> {
    let mut clap = clap();
    let name = arguments.get(1).and_then(|name| name.to_str());
    let command = Command::ALL.into_iter().find(|command| Some(command.name()) == name);
    let Some(command) = command else {
        let matches = clap.try_get_matches_from_mut(arguments)?;
        return Ok(if matches.subcommand_name() == Some("man") {
            Request::Man
        } else {
            Request::Options
        });
    };
    let (arguments, mut flags) = unknown::take_out(command, arguments);
    match clap.try_get_matches_from_mut(arguments) {
        Ok(matches) => {
            let matches = matches.subcommand_matches(command.name()).cloned().unwrap_or_default();
            flags.found = found(command, &matches);
            let text = |name: &str| matches.try_get_one::<String>(name).ok().flatten().cloned();
            let url = text("url").map(Raw::Text);
            let origin = || Origin::Flag("outbox".to_owned());
            flags.found.extend(url.map(|raw| Found { id: Id::Outbox, origin: origin(), raw }));
            let (stream, data, task) = (text("stream"), text("data"), text("task"));
            let address = text("address");
            Ok(Request::Run(Arguments { command, stream, data, task, address, flags }))
        }
        // What clap complains of may only be what is left of an unknown flag.
        Err(error) if error.use_stderr() && !flags.problems.is_empty() => {
            let (stream, data, task, address) = (None, None, None, None);
            Ok(Request::Run(Arguments { command, stream, data, task, address, flags }))
        }
        Err(error) => Err(error),
    }
}

fn found(command: Command, matches: &ArgMatches) -> Vec<Found> {
    let given = table::all().filter(|spec| spec.is_for(command)).filter_map(|spec| {
        let values: Vec<_> = matches.get_many::<String>(spec.name)?.cloned().collect();
        let raw = match values.len() {
            0 => return None,
            1 => Raw::Text(values.into_iter().next()?),
            _ => Raw::Text(values.join(",")),
        };
        Some(Found { id: spec.id, origin: Origin::Flag(spec.flag()), raw })
    });
    given.collect()
}
