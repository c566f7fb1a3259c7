//! Active Support's English inflections: `underscore`, `demodulize` and `pluralize`.
//!
//! The rules are Rails' default ones, complete and frozen upstream ("we do not change them to become
//! more complete"), including what they get wrong: `Human` is `humen`. A model that needs another
//! plural says so: see [`ModelName::with_plural`](super::ModelName::with_plural).

#[cfg(test)]
mod tests;

/// `HTTPCard` → `http_card`, `Admin::User` → `admin/user`.
pub(super) fn underscore(name: &str) -> String {
    if !name.contains("::") && !name.contains(|c: char| c.is_ascii_uppercase() || c == '-') {
        // As in Rails, a name without ASCII capitals is left alone: `Éclair` stays `Éclair`.
        return name.to_owned();
    }
    let path = name.replace("::", "/");
    let chars: Vec<char> = path.chars().collect();
    let mut words = String::with_capacity(path.len() + 4);
    for (at, &char) in chars.iter().enumerate() {
        if at > 0 && char.is_ascii_uppercase() {
            let before = chars[at - 1];
            let ends_word = before.is_ascii_lowercase() || before.is_ascii_digit();
            let ends_acronym = before.is_ascii_uppercase()
                && chars.get(at + 1).is_some_and(char::is_ascii_lowercase);
            if ends_word || ends_acronym {
                words.push('_');
            }
        }
        words.push(if char == '-' { '_' } else { char });
    }
    words.to_lowercase()
}

/// The last part of a namespaced name.
pub(super) fn demodulize(name: &str) -> &str {
    name.rsplit_once("::").map_or(name, |(_, last)| last)
}

/// Words without a plural, if they stand at a word boundary: `sheep` and `farm/sheep`, but not
/// `farm_sheep`, for an underscore is part of a word.
const UNCOUNTABLE: [&str; 10] = [
    "equipment",
    "information",
    "rice",
    "money",
    "species",
    "series",
    "fish",
    "sheep",
    "jeans",
    "police",
];

/// What a rule demands of the text before its ending.
enum Before {
    /// Anything.
    Any,
    /// Nothing: the ending is the whole word.
    Nothing,
    /// One character that is none of these.
    CharBut(&'static str),
}
use Before::{Any, CharBut, Nothing};

/// If a word ends in one of `endings`, drop `cut` bytes and add `add`.
struct Rule {
    before: Before,
    endings: &'static [&'static str],
    cut: usize,
    add: &'static str,
}

const fn rule(
    before: Before,
    endings: &'static [&'static str],
    cut: usize,
    add: &'static str,
) -> Rule {
    Rule { before, endings, cut, add }
}

/// In the order in which Rails tries them, which is the reverse of their definition. The first that
/// fits is the only one applied.
const PLURALS: [Rule; 35] = [
    // irregular: both forms, so that a plural stays what it is
    rule(Any, &["zombies"], 0, ""),
    rule(Any, &["zombie"], 0, "s"),
    rule(Any, &["moves"], 0, ""),
    rule(Any, &["move"], 0, "s"),
    rule(Any, &["sexes"], 0, ""),
    rule(Any, &["sex"], 0, "es"),
    rule(Any, &["children"], 0, ""),
    rule(Any, &["child"], 0, "ren"),
    rule(Any, &["men"], 0, ""),
    rule(Any, &["man"], 2, "en"),
    rule(Any, &["people"], 0, ""),
    rule(Any, &["person"], 4, "ople"),
    // patterns
    rule(Any, &["quiz"], 0, "zes"),
    rule(Nothing, &["oxen"], 0, ""),
    rule(Nothing, &["ox"], 0, "en"),
    rule(Nothing, &["mice", "lice"], 0, ""),
    rule(Nothing, &["mouse", "louse"], 4, "ice"),
    rule(Any, &["matrix", "matrex", "vertix", "vertex", "indix", "index"], 2, "ices"),
    rule(Any, &["x", "ch", "ss", "sh"], 0, "es"),
    rule(Any, &["quy"], 1, "ies"),
    rule(CharBut("aeiouy"), &["y"], 1, "ies"),
    rule(Any, &["hive"], 0, "s"),
    rule(CharBut("f"), &["fe"], 2, "ves"),
    rule(Any, &["lf", "rf"], 1, "ves"),
    rule(Any, &["sis"], 2, "es"),
    rule(Any, &["ta", "ia"], 0, ""),
    rule(Any, &["tum", "ium"], 2, "a"),
    rule(Any, &["buffalo", "tomato"], 0, "es"),
    rule(Any, &["bus"], 0, "es"),
    rule(Any, &["alias", "status"], 0, "es"),
    rule(Any, &["octopi", "viri"], 0, ""),
    rule(Any, &["octopus", "virus"], 2, "i"),
    rule(Nothing, &["axis", "testis"], 2, "es"),
    rule(Any, &["s"], 0, ""),
    rule(Any, &[""], 0, "s"),
];

/// The plural of an underscored word or path.
pub(super) fn pluralize(word: &str) -> String {
    if word.is_empty() || is_uncountable(word) {
        return word.to_owned();
    }
    for Rule { before, endings, cut, add } in &PLURALS {
        if endings.iter().any(|ending| fits(word, before, ending)) {
            let mut plural = word[..word.len() - cut].to_owned();
            plural.push_str(add);
            return plural;
        }
    }
    word.to_owned()
}

fn fits(word: &str, before: &Before, ending: &str) -> bool {
    let Some(head) = word.strip_suffix(ending) else { return false };
    match before {
        Any => true,
        Nothing => head.is_empty(),
        CharBut(excluded) => head.chars().next_back().is_some_and(|c| !excluded.contains(c)),
    }
}

fn is_uncountable(word: &str) -> bool {
    UNCOUNTABLE.iter().any(|ending| {
        word.strip_suffix(ending).is_some_and(|head| {
            !head.chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    })
}
