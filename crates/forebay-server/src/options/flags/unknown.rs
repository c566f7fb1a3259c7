//! Flags that a command does not have.
//!
//! clap stops at the first of them. So they are taken out before, and reported together with
//! everything else that is wrong. AnyCable's flags that have no counterpart go with a warning.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};

use super::super::anycable::{self, Fate};
use super::super::found::Findings;
use super::super::problem::{Problem, did_you_mean};
use super::super::spec::{Command, Spec};
use super::super::table;

/// The arguments without them.
pub(super) fn take_out(command: Command, arguments: Vec<OsString>) -> (Vec<OsString>, Findings) {
    let (mut kept, mut findings) = (Vec::new(), Findings::default());
    let mut rest = VecDeque::from(arguments);
    while let Some(argument) = rest.pop_front() {
        if argument == "--" {
            // Behind it there are no flags.
            kept.push(argument);
            kept.extend(rest.drain(..));
            break;
        }
        let unknown = flag(&argument).filter(|(name, _)| !is_known(command, name));
        let Some((name, value)) = unknown else {
            kept.push(argument);
            continue;
        };
        let anycables = anycable::takes_value(name).filter(|_| command == Command::Serve);
        // `serve` has flags and nothing else, so what follows can only be the flag's value.
        let is_followed = command == Command::Serve
            && value.is_none()
            && anycables != Some(false)
            && rest.front().is_some_and(|next| flag(next).is_none());
        let next = if is_followed { rest.pop_front() } else { None };
        if anycables.is_none() {
            findings.problems.push(problem(command, name));
            continue;
        }
        let next = next.as_deref().map(OsStr::to_string_lossy);
        let value = value.or(next.as_deref()).unwrap_or("true");
        let written = format!("--{name}");
        match anycable::fate(name, value) {
            Fate::Fine => {}
            Fate::Unsafe(why) => {
                findings.problems.push(Problem::at(written, anycable::unsafe_without(why)));
            }
            Fate::Unsupported | Fate::Unknown => {
                findings.warnings.push(anycable::unsupported(&written));
            }
        }
    }
    (kept, findings)
}

/// A flag's name, and its value if that is part of it.
fn flag(argument: &OsStr) -> Option<(&str, Option<&str>)> {
    let text = argument.to_str()?.strip_prefix("--")?;
    Some(text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value))))
}

fn is_known(command: Command, name: &str) -> bool {
    let is = |spec: &Spec| {
        spec.flag() == name || spec.flag_aliases(command).iter().any(|alias| alias == name)
    };
    name == "help" || of(command).any(is)
}

fn of(command: Command) -> impl Iterator<Item = &'static Spec> {
    table::all().filter(move |spec| spec.is_for(command))
}

fn problem(command: Command, name: &str) -> Problem {
    let usual = name.replace('_', "-");
    let elsewhere = Command::ALL.into_iter().find(|other| of(*other).any(|s| s.flag() == usual));
    let hint = elsewhere.map_or_else(
        || {
            let flags = of(command).map(|spec| format!("--{}", spec.flag()));
            did_you_mean(&format!("--{usual}"), flags)
        },
        |other| format!("; `forebay {}` has it", other.name()),
    );
    let message = format!("`forebay {}` has no such option{hint}", command.name());
    Problem::at(format!("--{name}"), message)
}
