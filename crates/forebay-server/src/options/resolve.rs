//! From what was found to one value for each option, and where it came from.
//!
//! Default, file, environment, flag: each is stronger than those before it. One value follows from
//! another: where a platform sets `PORT`, the host is every address.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::time::Duration;

use super::found::{Findings, Origin};
use super::kind::{Kind, Raw, Value};
use super::problem::{Problem, Problems};
use super::spec::{Command, Id, Spec};
use super::table;
use super::{environment, file};

/// The file that is read if it is there.
const DEFAULT_FILE: &str = "forebay.toml";

/// What Heroku, Render, Cloud Run and others set.
const PLATFORM_PORT: &str = "PORT";

/// Every address of IPv4.
const ALL_INTERFACES: &str = "0.0.0.0";

/// The world that a configuration is read from.
pub(crate) struct Surroundings<'a> {
    pub(crate) environment: Vec<(OsString, OsString)>,
    pub(crate) read_file: &'a dyn Fn(&str) -> io::Result<String>,
}

/// A configuration, every value of which is right by itself.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) settings: Settings,
    pub(crate) warnings: Vec<String>,
}

/// One value for each option of a command.
#[derive(Debug)]
pub(crate) struct Settings {
    command: Command,
    /// In the table's order.
    rows: Vec<(Option<Value>, Origin)>,
}

/// Reads all sources.
pub(crate) fn resolve(
    command: Command,
    flags: Findings,
    surroundings: &Surroundings<'_>,
) -> Result<Resolved, Problems> {
    let environment = environment::read(&surroundings.environment);
    let named = flags.text_of(Id::Config).or_else(|| environment.text_of(Id::Config));
    let mut all = read_file(named, surroundings);
    all.append(environment);
    all.append(flags);

    let mut settings = Settings::defaults(command);
    for found in all.found {
        let spec = spec(found.id);
        if !spec.is_for(command) {
            continue;
        }
        match read(spec, &found.raw) {
            Ok(value) => settings.rows[row(found.id)] = (value, found.origin),
            Err(message) => all.problems.push(Problem::at(found.origin, message)),
        }
    }
    settings.follow_the_platform();
    Problems(all.problems).or(Resolved { settings, warnings: all.warnings })
}

fn read_file(named: Option<(&str, &Origin)>, surroundings: &Surroundings<'_>) -> Findings {
    let name = named.map_or(DEFAULT_FILE, |(name, _)| name);
    let problem = |place: &dyn fmt::Display, message| Findings {
        problems: vec![Problem::at(place, message)],
        ..Findings::default()
    };
    match ((surroundings.read_file)(name), named) {
        (Ok(text), _) => file::read(name, &text),
        (Err(error), None) if error.kind() == io::ErrorKind::NotFound => Findings::default(),
        (Err(error), None) => problem(&name, error.to_string()),
        (Err(error), Some((_, origin))) => problem(origin, format!("{name}: {error}")),
    }
}

fn read(spec: &Spec, raw: &Raw) -> Result<Option<Value>, String> {
    let is_none = |text: &String| text == "none";
    if matches!((spec.kind, raw), (Kind::Secret, Raw::Text(text)) if is_none(text)) {
        // AnyCable's way to take a secret back that another source sets.
        return Ok(None);
    }
    spec.kind.parse(raw).map(Some).map_err(|expected| {
        if spec.kind.is_secret() { expected } else { format!("{}: {expected}", raw.shown()) }
    })
}

/// Its place in the table.
fn row(id: Id) -> usize {
    table::all().position(|spec| spec.id == id).expect("a test finds every id in the table")
}

fn spec(id: Id) -> &'static Spec {
    table::all().nth(row(id)).expect("it has a place")
}

impl Settings {
    fn defaults(command: Command) -> Self {
        let default = |spec: &Spec| {
            let text = spec.default.map(|text| Raw::Text(text.to_owned()));
            let value = text.and_then(|raw| spec.kind.parse(&raw).ok());
            (value, Origin::Default)
        };
        Self { command, rows: table::all().map(default).collect() }
    }

    /// Where a platform says the port, its router comes from another machine: an address that only this
    /// machine reaches would be of no use. Whoever says a host is obeyed.
    fn follow_the_platform(&mut self) {
        let platform = Origin::Variable(PLATFORM_PORT.to_owned());
        let (host, port) = (self.origin(Id::Host), self.origin(Id::Port));
        if *host == Origin::Default && *port == platform {
            self.rows[row(Id::Host)] = (Some(Value::Text(ALL_INTERFACES.to_owned())), platform);
        }
    }

    /// The options of the command, their values and origins, in the table's order.
    pub(super) fn iter(
        &self,
    ) -> impl Iterator<Item = (&'static Spec, Option<&Value>, &Origin)> + '_ {
        let rows = table::all().zip(&self.rows);
        rows.filter(|(spec, _)| spec.is_for(self.command))
            .map(|(spec, (value, origin))| (spec, value.as_ref(), origin))
    }

    fn value(&self, id: Id) -> Option<&Value> {
        debug_assert!(spec(id).is_for(self.command), "{id:?} is not for {:?}", self.command);
        self.rows[row(id)].0.as_ref()
    }

    /// Where the value came from.
    pub(crate) fn origin(&self, id: Id) -> &Origin {
        &self.rows[row(id)].1
    }

    /// The option, its value and where that comes from, for a message.
    pub(crate) fn describe(&self, id: Id) -> String {
        let (value, origin) = &self.rows[row(id)];
        let spec = spec(id);
        let value = value.as_ref().map(|value| spec.kind.show(value)).unwrap_or_default();
        format!("{} = {value} ({origin})", spec.name)
    }

    /// Whether somebody has set it.
    pub(crate) fn is_set(&self, id: Id) -> bool {
        self.value(id).is_some() && *self.origin(id) != Origin::Default
    }

    pub(crate) fn text(&self, id: Id) -> Option<&str> {
        match self.value(id)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn number(&self, id: Id) -> Option<u64> {
        match self.value(id)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A number that fits in memory: sizes and counts.
    pub(crate) fn size(&self, id: Id) -> usize {
        self.number(id).and_then(|number| usize::try_from(number).ok()).unwrap_or(usize::MAX)
    }

    pub(crate) fn port(&self, id: Id) -> Option<u16> {
        self.number(id).and_then(|number| u16::try_from(number).ok())
    }

    pub(crate) fn duration(&self, id: Id) -> Duration {
        Duration::from_millis(self.number(id).unwrap_or_default())
    }

    pub(crate) fn switch(&self, id: Id) -> bool {
        matches!(self.value(id), Some(Value::Switch(true)))
    }

    pub(crate) fn list(&self, id: Id) -> &[String] {
        match self.value(id) {
            Some(Value::List(items)) => items,
            _ => &[],
        }
    }
}
