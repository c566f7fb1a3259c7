//! Reading the tables of `vectors/turbo-rails.json`, for this crate and (by `#[path]`) for forebay-turbo.
//!
//! A row is taken apart field by field; a field that no one asked for is a failure, so that a
//! vector of a new kind can't pass unread. Objects keep their order, which attributes need.

use std::fmt::Debug;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value whose objects keep their order.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Integer(i128),
    Float(f64),
    String(String),
    List(Vec<Json>),
    Hash(Vec<(String, Json)>),
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JsonVisitor;
        impl<'de> Visitor<'de> for JsonVisitor {
            type Value = Json;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Json, E> {
                Ok(Json::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
                Ok(Json::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
                Ok(Json::Integer(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
                Ok(Json::Integer(value.into()))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
                Ok(Json::Float(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Json, E> {
                Ok(Json::String(value.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
                let mut list = Vec::new();
                while let Some(value) = seq.next_element()? {
                    list.push(value);
                }
                Ok(Json::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Json::Hash(entries))
            }
        }
        deserializer.deserialize_any(JsonVisitor)
    }
}

/// One row; each field can be taken once.
#[derive(Clone, Debug)]
pub struct Row(Vec<(String, Json)>);

impl Row {
    pub fn new(json: &Json) -> Result<Self, String> {
        match json {
            Json::Hash(fields) => Ok(Self(fields.clone())),
            other => Err(format!("expected an object, not {other:?}")),
        }
    }

    /// A field, or `None` if it is missing. A null is a field.
    pub fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    /// A text that has to be there.
    pub fn text(&mut self, name: &str) -> Result<String, String> {
        match self.take(name) {
            Some(Json::String(text)) => Ok(text),
            other => Err(format!("`{name}` should be a text, not {other:?}")),
        }
    }

    /// Every field must have been taken.
    pub fn finish(self) -> Result<(), String> {
        if self.0.is_empty() { Ok(()) } else { Err(format!("fields not understood: {:?}", self.0)) }
    }
}

pub fn expect_equal<T: PartialEq + Debug>(what: &str, ours: &T, theirs: &T) -> Result<(), String> {
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("{what}\n      ours: {ours:?}\n    theirs: {theirs:?}"))
    }
}

/// Checks every row of a table, and reports all that fail together.
pub fn check_table(table: &str, check: impl Fn(&mut Row) -> Result<(), String>) {
    let tables = tables();
    let Some((_, Json::List(rows))) = tables.iter().find(|(name, _)| name == table) else {
        panic!("the vectors have no table `{table}`");
    };
    assert!(!rows.is_empty(), "the table `{table}` is empty");
    let failures: Vec<String> = rows
        .iter()
        .filter_map(|json| {
            let checked = Row::new(json).and_then(|mut row| {
                check(&mut row)?;
                row.finish()
            });
            checked.err().map(|failure| format!("{failure}\n       row: {json:?}"))
        })
        .collect();
    assert!(
        failures.is_empty(),
        "{} of {} rows of `{table}` fail:\n\n{}",
        failures.len(),
        rows.len(),
        failures.join("\n\n")
    );
}

/// Fails if the file has a table that is neither checked here nor elsewhere.
pub fn check_known_tables(here: &[&str], elsewhere: &[&str]) {
    let tables = tables();
    let unknown: Vec<&String> = tables
        .iter()
        .map(|(name, _)| name)
        .filter(|name| !here.contains(&name.as_str()) && !elsewhere.contains(&name.as_str()))
        .collect();
    assert!(unknown.is_empty(), "tables that no test reads: {unknown:?}");
}

fn tables() -> Vec<(String, Json)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/turbo-rails.json");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    match serde_json::from_str(&text) {
        Ok(Json::Hash(tables)) => tables,
        other => panic!("{}: not tables: {other:?}", path.display()),
    }
}
