//! Options from `forebay.toml`. Every problem names its line.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::found::{Findings, Found, Origin};
use super::kind::Raw;
use super::problem::{Problem, did_you_mean};
use super::spec::Spec;
use super::table;

pub(super) fn read(name: &str, text: &str) -> Findings {
    let mut reader = Reader { name, text, findings: Findings::default() };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let origin = reader.origin(error.span().unwrap_or_default());
        reader.findings.problems.push(Problem::at(origin, error.message()));
    }
    reader.table("", document.get_ref());
    reader.findings
}

struct Reader<'a> {
    name: &'a str,
    text: &'a str,
    findings: Findings,
}

impl Reader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = format!("{prefix}{}", key.get_ref());
            let origin = self.origin(key.span());
            let spec = table::all().find(|spec| spec.toml() == Some(&*path));
            match (spec, value.get_ref()) {
                (Some(spec), value) => match raw(value) {
                    Ok(raw) => self.findings.found.push(Found { id: spec.id, origin, raw }),
                    Err(kind) => {
                        let message = format!("`{path}` can't be {kind}");
                        self.findings.problems.push(Problem::at(origin, message));
                    }
                },
                (None, DeValue::Table(inner)) if is_section(&path) => {
                    self.table(&format!("{path}."), inner);
                }
                (None, _) => {
                    let options = table::all().filter_map(Spec::toml);
                    // What is misspelt may be a section's name.
                    let sections =
                        options.clone().filter_map(|path| Some(path.rsplit_once('.')?.0));
                    let known = options.chain(sections);
                    let hint = did_you_mean(&path, known);
                    let message = format!("there is no option `{path}`{hint}");
                    self.findings.problems.push(Problem::at(origin, message));
                }
            }
        }
    }

    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        Origin::File { name: self.name.to_owned(), line }
    }
}

fn is_section(path: &str) -> bool {
    let inside = |key: &str| key.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    table::all().filter_map(Spec::toml).any(inside)
}

/// The value, or what it is that no option can be.
fn raw(value: &DeValue<'_>) -> Result<Raw, &'static str> {
    match value {
        DeValue::String(text) => Ok(Raw::Text(text.clone().into_owned())),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map(Raw::Integer)
            .map_err(|_| "a number of that size"),
        DeValue::Boolean(switch) => Ok(Raw::Bool(*switch)),
        DeValue::Array(items) => {
            let text = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned);
            let items: Option<Vec<_>> = items.iter().map(text).collect();
            items.map(Raw::List).ok_or("an array of anything but texts")
        }
        DeValue::Float(_) => Err("a number with a fraction"),
        DeValue::Datetime(_) => Err("a date"),
        DeValue::Table(_) => Err("a table"),
    }
}
