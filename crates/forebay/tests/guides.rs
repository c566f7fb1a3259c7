//! What the guides quote is what their programs are: a block of code in a guide is a piece of an example,
//! line by line. The examples are compiled with the tests and run in Chromium (`e2e/tests/guides.test.js`).

use std::fs;
use std::path::{Path, PathBuf};

/// What is quoted from a program. Consoles, and lines of a `Cargo.toml`, are not.
const QUOTED: [&str; 3] = ["rust", "html", "js"];

/// Pieces that are no part of an example: one line each, with where it is tested.
const ELSEWHERE: [&str; 2] = [
    // e2e/app: the page of the tests of forebay.js.
    r#"<script type="module" src="/assets/turbo.js"></script>"#,
    r#"<script type="module" src="/forebay/forebay.js"></script>"#,
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The guides, each with the example that it quotes.
fn guides() -> Vec<(PathBuf, PathBuf)> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut guides = vec![(root().join("docs/axum.md"), examples.join("five_minutes.rs"))];
    guides.push((root().join("docs/presence.md"), examples.join("presence.rs")));
    let tests = root().join("crates/forebay-test/tests/guide.rs");
    guides.push((root().join("docs/testing.md"), tests));
    for name in ["forms", "counters", "dashboard", "channels", "sign_in"] {
        let guide = root().join(format!("docs/guides/{name}.md"));
        guides.push((guide, examples.join(format!("{name}.rs"))));
    }
    guides
}

struct Block<'a> {
    /// Of its first line, from 1.
    line: usize,
    lines: Vec<&'a str>,
}

/// The blocks of code in these languages.
fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let body = lines.by_ref().take_while(|(_, line)| *line != "```");
        let block = Block { line: at + 2, lines: body.map(|(_, line)| line).collect() };
        if QUOTED.contains(&language) {
            blocks.push(block);
        }
    }
    blocks
}

/// Whether these lines are in a row in the program, all indented by as much.
fn is_quoted(block: &[&str], program: &[&str]) -> bool {
    program.windows(block.len()).any(|piece| {
        let indent = piece[0].len().saturating_sub(block[0].len());
        let same = |(piece, line): (&&str, &&str)| {
            if line.is_empty() {
                return piece.is_empty();
            }
            let cut = piece.split_at_checked(indent);
            cut.is_some_and(|(space, rest)| space.trim().is_empty() && rest == *line)
        };
        piece.iter().zip(block).all(same)
    })
}

#[test]
fn the_guides_quote_their_programs() {
    for (guide, program) in guides() {
        let (text, program_text) =
            (fs::read_to_string(&guide).unwrap(), fs::read_to_string(&program).unwrap());
        let program_lines: Vec<_> = program_text.lines().collect();
        let blocks = blocks(&text);
        assert!(!blocks.is_empty(), "{} quotes nothing", guide.display());
        for Block { line, lines } in blocks {
            let elsewhere = lines.iter().all(|line| ELSEWHERE.contains(line));
            assert!(
                elsewhere || is_quoted(&lines, &program_lines),
                "{}:{line}: this is no piece of {}. Write it there, so that it is compiled and run, and quote it",
                guide.display(),
                program.display(),
            );
        }
    }
}

/// The table of versions, against what this workspace builds with.
#[test]
fn the_versions_that_the_guide_names_are_those_that_are_built() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let guide = fs::read_to_string(root().join("docs/axum.md")).unwrap();
    for name in ["axum", "tokio", "askama", "maud", "minijinja", "sqlx"] {
        let line = manifest.lines().find(|line| line.starts_with(&format!("{name} = "))).unwrap();
        let version = line.split('"').nth(1).unwrap();
        // As cargo reads it: what is left of the first number that isn't 0 must agree.
        let parts = if version.starts_with("0.") { 2 } else { 1 };
        let version = version.split('.').take(parts).collect::<Vec<_>>().join(".");
        let row = format!("| {name} | {version} |");
        assert!(guide.contains(&row), "docs/axum.md should have {row:?}");
    }
}

/// The address that the guides' pages load Turbo from names the version that is tested.
#[test]
fn the_guides_load_the_client_that_is_tested() {
    let package = fs::read_to_string(root().join("e2e/package.json")).unwrap();
    let named = package.split("\"@hotwired/turbo-rails\": \"").nth(1).unwrap();
    let version = named.split('"').next().unwrap();
    for (_, program) in guides() {
        let text = fs::read_to_string(&program).unwrap();
        let address = format!("@hotwired/turbo-rails@{version}/");
        assert!(text.contains(&address), "{} should load {address}", program.display());
    }
}

/// In the documentation on docs.rs there are no files: what a page links to by its file is a module
/// there, and `src/guides.rs` says which.
#[test]
fn links_between_the_guides_lead_somewhere_in_rustdoc() {
    let modules = fs::read_to_string(root().join("crates/forebay/src/guides.rs")).unwrap();
    let mut pages = 0;
    for module in modules.split("\n\n").filter(|module| module.contains("pub mod ")) {
        let page = module.split("include_str!(\"../").nth(1).unwrap().split('"').next().unwrap();
        let text = fs::read_to_string(root().join("crates/forebay").join(page)).unwrap();
        assert!(!text.contains(".md)"), "{page}: name the link, and define it at the end");
        let defined = text.lines().filter(|line| line.starts_with('[') && line.contains("]: "));
        for line in defined {
            let name = line.split("]: ").next().unwrap();
            let led = module.contains(&format!("/// {name}]: crate"));
            assert!(led, "{page}: where {name}] leads in rustdoc is not in src/guides.rs");
        }
        pages += 1;
    }
    assert!(pages > 9, "src/guides.rs has been read");
}
