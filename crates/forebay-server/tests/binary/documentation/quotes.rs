//! What `docs/troubleshooting.md` quotes is still what the sources say: lines of the log, texts of
//! errors, counters, options, methods.
//!
//! Whoever has a problem searches for the text that is on their screen. A text that was changed in
//! the sources alone would not be found any more, so it fails here.

use std::collections::BTreeSet;
use std::path::Path;

use super::snippets::{all, repository};

const DOCUMENT: &str = "docs/troubleshooting.md";

/// Code in the text that is no quotation: what readers type, and what others say.
const OTHERS: [&str; 14] = [
    "Cache-Control: private",
    "broadcasts_to",
    "after_commit",
    "proxy_buffering off",
    "secret_key_base",
    "target=\"…\"",
    "rejected=\"…\"",
    "origin=\"null\"",
    "worker-src 'self'",
    "(\"room\", 1)",
    "ulimit -n",
    "forebay sign --verify NAME",
    "X-Accel-Buffering: no",
    "forebay listen messages",
];

fn document() -> String {
    std::fs::read_to_string(repository().join(DOCUMENT)).unwrap()
}

/// The sources of all crates of ours, each with the line breaks of its texts taken out.
fn sources() -> Vec<String> {
    let mut sources = Vec::new();
    let crates = std::fs::read_dir(repository().join("crates")).unwrap();
    let mut folders: Vec<_> = crates.map(|entry| entry.unwrap().path().join("src")).collect();
    folders.retain(|folder| folder.exists());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources.push(one_line(&std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    sources
}

/// A text that goes on in the next line of its source, as it is printed; all else in one line.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim_start);
    lines.fold(String::new(), |text, line| match text.strip_suffix('\\') {
        Some(text) => text.to_owned() + line,
        None => text + "\n" + line,
    })
}

/// The parts of a quotation that stand in the sources by themselves: an ellipsis is a value, and
/// behind a colon another text may begin.
fn parts(quoted: &str) -> impl Iterator<Item = &str> {
    let parts = quoted.split('…').flat_map(|part| part.split(": "));
    parts.map(|part| part.trim_matches([' ', ':', '"', '.'])).filter(|part| part.len() > 2)
}

#[track_caller]
fn assert_said(sources: &[String], quoted: &str) {
    for part in parts(quoted) {
        let escaped = part.replace('"', "\\\"");
        let is_said = sources.iter().any(|text| text.contains(part) || text.contains(&escaped));
        assert!(is_said, "{DOCUMENT}: no source says {part:?} (of {quoted:?})");
    }
}

/// A log line's message, and its fields: `message key=value key=value`.
fn message_and_fields(line: &str) -> (&str, Vec<(&str, &str)>) {
    let is_key = |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let starts: Vec<usize> = line
        .match_indices(' ')
        .map(|(at, _)| at + 1)
        .filter(|&at| line[at..].split_once('=').is_some_and(|(key, _)| is_key(key)))
        .collect();
    let end = starts.first().map_or(line.len(), |first| first - 1);
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([line.len()]);
    let fields =
        starts.iter().zip(ends).filter_map(|(&start, end)| line[start..end].split_once('='));
    (&line[..end], fields.collect())
}

/// Whether a macro's fields have this key: `key = …`, `%key`, `?key` or `key` alone.
fn has_key(text: &str, key: &str) -> bool {
    let mut found = text.match_indices(key);
    found.any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + key.len()..].trim_start_matches(' ').chars().next();
        matches!(before, Some('\n' | ' ' | '%' | '?' | '('))
            && matches!(after, Some('=' | ',' | '.'))
    })
}

#[test]
fn lines_of_the_log_are_those_that_are_written() {
    let sources = sources();
    let blocks: Vec<_> = all().into_iter().filter(|block| block.language == "log").collect();
    assert!(!blocks.is_empty());
    for line in blocks.iter().flat_map(|block| block.text.lines()) {
        let (level, line) = line.split_once(' ').unwrap();
        let (message, fields) = message_and_fields(line);
        assert_said(&sources, message);
        let macro_name = format!("tracing::{}!(", level.to_lowercase());
        let last = parts(message).last().unwrap();
        let mut writers = sources.iter().filter(|text| {
            text.contains(last)
                && text.contains(&macro_name)
                && fields.iter().all(|(key, _)| has_key(text, key))
        });
        assert!(writers.next().is_some(), "{DOCUMENT}: nothing logs {level} {line:?}");
        for (_, value) in fields {
            // A name of Rust's (`NoTarget`), a path and a channel are found like any text.
            assert_said(&sources, value);
        }
    }
}

#[test]
fn counters_are_all_listed_and_exist() {
    let counters: BTreeSet<_> =
        forebay_core::StatsSnapshot::default().iter().map(|(name, _)| name.to_owned()).collect();
    let text = document();
    let (_, table) = text.split_once("\n## Counters\n").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    let listed: BTreeSet<_> = rows.map(|row| row.split('`').next().unwrap().to_owned()).collect();
    assert_eq!(listed, counters);
}

/// Options, methods, and texts that are quoted within a sentence or a table.
#[test]
fn names_and_texts_are_those_of_the_sources() {
    let sources = sources();
    let options = std::fs::read_to_string(repository().join("docs/options.md")).unwrap();
    let text = document();
    let prose = text.split("```").step_by(2).collect::<String>();
    let has_word = |name: &str| {
        let text = sources.iter().map(String::as_str).chain([&*options]);
        text.into_iter().any(|text| {
            text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
        })
    };
    let mut looked_at = 0;
    for code in prose.split('`').skip(1).step_by(2).filter(|code| !OTHERS.contains(code)) {
        looked_at += 1;
        if let Some(flag) = code.strip_prefix("--") {
            let flag = format!("`--{}`", flag.split(' ').next().unwrap());
            assert!(options.contains(&flag), "{DOCUMENT}: there is no option {flag}");
        } else if let Some((owner, name)) = code.split_once("::").filter(|(_, n)| !n.contains('('))
        {
            assert!(has_word(owner) && has_word(name), "{DOCUMENT}: there is no {code}");
        } else if code.contains(' ') && !code.starts_with("forebay ") {
            assert_said(&sources, code);
        } else if code.contains('_') && code.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            assert!(has_word(code), "{DOCUMENT}: there is no {code}");
        }
    }
    assert!(looked_at > 100, "the document has been read: {looked_at}");
}

/// A check that passes whatever is quoted would be none.
#[test]
fn what_nobody_says_is_noticed() {
    let sources = [one_line("tracing::warn!(\n    peer,\n    %why, \"turned \\\n    away\"\n);")];
    assert_said(&sources, "turned away");
    let unsaid = std::panic::catch_unwind(|| assert_said(&["turned away".to_owned()], "let in"));
    assert!(unsaid.is_err());
    assert!(has_key(&sources[0], "peer") && has_key(&sources[0], "why"));
    assert!(!has_key(&sources[0], "host"));
    let line = "turned away peer=… why=too many (max_conn)";
    let fields = vec![("peer", "…"), ("why", "too many (max_conn)")];
    assert_eq!(message_and_fields(line), ("turned away", fields));
    assert!(Path::new(&repository()).join(DOCUMENT).exists());
}
