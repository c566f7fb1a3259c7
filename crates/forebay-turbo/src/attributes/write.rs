//! Rails' `tag_options`, rule for rule.

use std::borrow::Cow;

use super::{AttributeValue, Attributes, json, name};
use crate::html::push_escaped;

/// `BOOLEAN_ATTRIBUTES` of Rails 7.2, sorted. The comparison is exact: `Disabled` is not in it.
const BOOLEAN: [&str; 44] = [
    "allowfullscreen",
    "allowpaymentrequest",
    "async",
    "autofocus",
    "autoplay",
    "checked",
    "compact",
    "controls",
    "declare",
    "default",
    "defaultchecked",
    "defaultmuted",
    "defaultselected",
    "defer",
    "disabled",
    "enabled",
    "formnovalidate",
    "hidden",
    "indeterminate",
    "inert",
    "ismap",
    "itemscope",
    "loop",
    "multiple",
    "muted",
    "nohref",
    "nomodule",
    "noresize",
    "noshade",
    "novalidate",
    "nowrap",
    "open",
    "pauseonexit",
    "playsinline",
    "readonly",
    "required",
    "reversed",
    "scoped",
    "seamless",
    "selected",
    "sortable",
    "truespeed",
    "typemustmatch",
    "visible",
];

impl Attributes {
    /// Appends the attributes as they stand in a tag, each with a space before it; then a tag's
    /// `own`. If the same name is among both, the own value is written in the place of the other:
    /// a browser would take the first of two.
    pub(crate) fn push_to(&self, out: &mut String, own: &[(&str, &str)]) {
        let is_own = |name: &str| own.iter().find(|(own_name, _)| *own_name == name);
        for (name, value) in self.iter().filter(|(name, _)| !is_blank(name)) {
            match is_own(name) {
                Some((name, text)) => push_own(out, name, text),
                None => push_by_rules(out, name, value),
            }
        }
        for (name, text) in own.iter().filter(|(name, _)| self.get(name).is_none()) {
            push_own(out, name, text);
        }
    }
}

fn push_by_rules(out: &mut String, name: &str, value: &AttributeValue) {
    match (name, value) {
        ("data", AttributeValue::Hash(entries)) => push_data(out, entries),
        ("aria", AttributeValue::Hash(entries)) => push_aria(out, entries),
        _ if BOOLEAN.binary_search(&name).is_ok() => {
            if value.is_truthy() {
                push_own(out, name, name);
            }
        }
        (_, AttributeValue::Null) => {}
        _ => push_plain(out, name, value),
    }
}

fn push_data(out: &mut String, entries: &Attributes) {
    for (name, value) in entries.iter().filter(|(name, _)| !is_blank(name)) {
        let json = match value {
            AttributeValue::Null => continue,
            AttributeValue::String(text) => {
                push_prefixed(out, "data-", name, text);
                continue;
            }
            other => json::of(other),
        };
        push_prefixed(out, "data-", name, &json);
    }
}

fn push_aria(out: &mut String, entries: &Attributes) {
    for (name, value) in entries.iter().filter(|(name, _)| !is_blank(name)) {
        let text = match value {
            AttributeValue::Null => continue,
            AttributeValue::List(_) | AttributeValue::Hash(_) => {
                let tokens = tokens_of(value);
                if tokens.is_empty() {
                    continue;
                }
                Cow::Owned(tokens.join(" "))
            }
            single => single.text(),
        };
        push_prefixed(out, "aria-", name, &text);
    }
}

fn push_plain(out: &mut String, name: &str, value: &AttributeValue) {
    let text = match value {
        AttributeValue::List(_) | AttributeValue::Hash(_) if name == "class" => {
            Cow::Owned(tokens_of(value).join(" "))
        }
        AttributeValue::List(values) => Cow::Owned(join_flattened(values)),
        AttributeValue::Hash(entries) => {
            // Ruby's Hash#flatten: names and values take turns.
            let turns =
                entries.iter().flat_map(|(name, value)| [Cow::Borrowed(name), value.text()]);
            Cow::Owned(turns.collect::<Vec<_>>().join(" "))
        }
        single => single.text(),
    };
    out.push(' ');
    name::push(out, name);
    push_value(out, &text);
}

/// Lists within lists are one list; `null` leaves an empty place.
fn join_flattened(values: &[AttributeValue]) -> String {
    fn flatten<'a>(values: &'a [AttributeValue], flat: &mut Vec<Cow<'a, str>>) {
        for value in values {
            match value {
                AttributeValue::List(inner) => flatten(inner, flat),
                single => flat.push(single.text()),
            }
        }
    }
    let mut flat = Vec::with_capacity(values.len());
    flatten(values, &mut flat);
    flat.join(" ")
}

/// Rails' `build_tag_values`: what is present in a list, and the names of a hash whose value holds.
fn tokens_of(value: &AttributeValue) -> Vec<Cow<'_, str>> {
    fn collect<'a>(value: &'a AttributeValue, tokens: &mut Vec<Cow<'a, str>>) {
        match value {
            AttributeValue::Null | AttributeValue::Bool(false) => {}
            AttributeValue::Hash(entries) => tokens.extend(
                entries
                    .iter()
                    .filter(|(name, holds)| holds.is_truthy() && !is_blank(name))
                    .map(|(name, _)| Cow::Borrowed(name)),
            ),
            AttributeValue::List(values) => values.iter().for_each(|value| collect(value, tokens)),
            AttributeValue::String(text) if is_blank(text) => {}
            single => tokens.push(single.text()),
        }
    }
    let mut tokens = Vec::new();
    collect(value, &mut tokens);
    tokens
}

fn push_prefixed(out: &mut String, prefix: &str, name: &str, text: &str) {
    out.push(' ');
    name::push_dasherized(out, prefix, name);
    push_value(out, text);
}

/// An attribute whose name is one of this crate's own.
fn push_own(out: &mut String, name: &str, text: &str) {
    out.push(' ');
    out.push_str(name);
    push_value(out, text);
}

fn push_value(out: &mut String, text: &str) {
    out.push_str("=\"");
    push_escaped(out, text);
    out.push('"');
}

/// Ruby's `blank?` for text: nothing, or only white space.
pub(crate) fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}
