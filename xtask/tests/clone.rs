//! A clone is whole: nothing in it leans on a file that is not in it.
//!
//! The files are those that git would put into a clone.

#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

/// What names a file of the team's own notes, or a folder that only one machine has.
const OUTSIDE: [&str; 12] = [
    "../shared",
    "shared/",
    "FOREBAY_VECTORS",
    "design.md",
    "pitfalls.md",
    "review-2",
    "rust-ecosystem",
    "anchors-2026",
    "reference/anycable",
    "reference/turbo.md",
    "reference/peers",
    "/work/",
];

/// This file says those words.
const HERE: &str = "xtask/tests/clone.rs";

/// What a machine said of itself when it was measured, its folders among it.
const MEASURED: &str = "bench/report/";

/// The list of scenarios, whose numbers tests and comments may name.
const SCENARIOS: &str = "e2e/SCENARIOS.md";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The text files of a clone, by their path from its root.
fn texts() -> Vec<(String, String)> {
    let arguments = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let listed = Command::new("git").args(arguments).current_dir(root()).output();
    let listed = listed.expect("git can be started");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).unwrap();
    let texts: Vec<_> = names
        .split_terminator('\0')
        .filter(|name| *name != HERE)
        // Pictures are no text; a file that was deleted is still in the index.
        .filter_map(|name| Some((name.to_owned(), fs::read_to_string(root().join(name)).ok()?)))
        .collect();
    assert!(texts.iter().any(|(name, _)| name == SCENARIOS), "not a clone: {}", root().display());
    texts
}

/// Whether a file's name has one of these extensions.
fn is_a(name: &str, extensions: &[&str]) -> bool {
    let extension = Path::new(name).extension();
    extension.is_some_and(|extension| extensions.iter().any(|known| extension == *known))
}

/// The lines of all texts about which `fault` has something to say.
fn faults(texts: &[(String, String)], fault: impl Fn(&str, &str) -> Option<String>) -> Vec<String> {
    let lines = texts.iter().flat_map(|(name, text)| {
        text.lines().enumerate().map(move |(at, line)| (name.as_str(), at + 1, line))
    });
    lines
        .filter_map(|(name, at, line)| Some(format!("{name}:{at}: {}", fault(name, line)?)))
        .collect()
}

/// The numbers of scenarios in a line: `S` and two digits, as a word.
fn scenarios(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter(|word| {
        word.len() == 3
            && word.starts_with('S')
            && word.bytes().skip(1).all(|letter| letter.is_ascii_digit())
    })
}

/// The targets of Markdown links in a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0))
}

/// Where a relative link of a file leads, from the root; `None` where it leaves the clone.
fn target(name: &str, link: &str) -> Option<PathBuf> {
    let path = link.split(['#', '?']).next().unwrap_or_default();
    let mut at = Path::new(name).parent()?.to_owned();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => at.push(part),
            Component::ParentDir => at.pop().then_some(())?,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(at)
}

#[test]
fn no_file_names_one_that_is_not_in_the_clone() {
    let found = faults(&texts(), |name, line| {
        let word =
            OUTSIDE.iter().find(|word| line.contains(**word) && !name.starts_with(MEASURED))?;
        Some(format!("names {word}"))
    });
    assert_eq!(found, [""; 0]);
}

#[test]
fn every_link_of_a_document_leads_to_a_file_of_the_clone() {
    let mut documents = texts();
    // What is in a crate's sources is a template, for another place.
    documents.retain(|(name, _)| is_a(name, &["md"]) && !name.contains("/src/"));
    let found = faults(&documents, |name, line| {
        let mut inner = links(line).filter(|link| !link.contains(':') && !link.starts_with('#'));
        let lost =
            inner.find(|link| !target(name, link).is_some_and(|at| root().join(at).exists()))?;
        Some(format!("leads nowhere: {lost}"))
    });
    assert_eq!(found, [""; 0]);
}

#[test]
fn every_scenario_that_is_named_is_in_the_list() {
    let mut texts = texts();
    texts.retain(|(name, _)| is_a(name, &["rs", "js", "md"]));
    let list = &texts.iter().find(|(name, _)| name == SCENARIOS).unwrap().1;
    let known: BTreeSet<_> = list
        .lines()
        .filter_map(|line| line.strip_prefix("- **")?.split_once("**"))
        .map(|(number, _)| number)
        .collect();
    let found = faults(&texts, |_, line| {
        let unknown = scenarios(line).find(|number| !known.contains(number))?;
        Some(format!("{unknown} is not in {SCENARIOS}"))
    });
    assert_eq!(found, [""; 0]);
}

/// Both licenses ask to be passed on.
#[test]
fn every_package_has_the_licenses() {
    let arguments = ["metadata", "--format-version", "1", "--no-deps"];
    let metadata = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.unwrap().stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    for package in packages.iter().filter(|package| package["publish"].is_null()) {
        let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
        for license in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let text = fs::read_to_string(folder.join(license));
            let whole = fs::read_to_string(root().join(license)).unwrap();
            assert_eq!(text.ok(), Some(whole), "{} of {}", license, folder.display());
        }
        assert!(package["description"].is_string(), "{}", folder.display());
    }
}

/// A package holds its own folder and nothing else. What only documentation tests read may be elsewhere.
#[test]
fn no_crate_includes_a_file_from_outside_of_its_folder() {
    let mut sources = texts();
    sources.retain(|(name, _)| name.starts_with("crates/") && name.contains("/src/"));
    for (_, text) in &mut sources {
        *text = text.replace("#[cfg(doctest)]\n#[doc = include_str!", "\n");
    }
    let found = faults(&sources, |_, line| {
        let includes = line.contains("include_str!") || line.contains("include_bytes!");
        (includes && line.contains("../../"))
            .then(|| "includes a file of another folder".to_owned())
    });
    assert_eq!(found, [""; 0]);
}
