//! The documentation's snippets, run against the real server.
//!
//! Where a document says port 8080, the server of this test has a port of its own; where it says
//! 3000, so has the application behind nginx. Every fenced block is run here, or stands in a table
//! below that says who runs it, or why nobody does. A block that is in no table fails.

mod console;
mod nginx;
mod quotes;
mod snippets;
mod systemd;

use std::collections::BTreeSet;
use std::path::Path;

use self::console::Shell;
pub(crate) use self::nginx::Nginx;
use self::snippets::{Snippet, all, repository};
use crate::support::{Page, Server, forebay, turbo};

/// Languages of a document, or of all in a folder, that another test runs.
const ELSEWHERE: [(&str, &str, &str); 27] = [
    ("README.md", "rust", "crates/forebay/src/lib.rs"),
    ("docs/axum.md", "rust", "crates/forebay/tests/guides.rs"),
    ("docs/axum.md", "html", "crates/forebay/tests/guides.rs"),
    ("docs/axum.md", "js", "crates/forebay/tests/guides.rs"),
    ("docs/guides/", "rust", "crates/forebay/tests/guides.rs"),
    ("docs/guides/", "html", "crates/forebay/tests/guides.rs"),
    ("docs/guides/", "js", "crates/forebay/tests/guides.rs"),
    ("docs/presence.md", "rust", "crates/forebay/tests/guides.rs"),
    ("docs/presence.md", "html", "crates/forebay/tests/guides.rs"),
    ("docs/presence.md", "ruby", "ruby/forebay-rails/test/presence_test.rb"),
    ("docs/presence.md", "erb", "ruby/forebay-rails/test/presence_test.rb"),
    ("docs/metrics.md", "rust", "crates/forebay-core/src/metrics.rs"),
    ("docs/metrics.md", "yaml", "crates/forebay-server/tests/binary/metrics.rs"),
    ("docs/testing.md", "rust", "crates/forebay/tests/guides.rs"),
    ("docs/outbox.md", "rust", "crates/forebay-core/tests/outbox/guide.rs"),
    ("docs/outbox.md", "sql", "crates/forebay-core/tests/outbox/postgres.rs"),
    ("docs/exact.md", "rust", "crates/forebay-core/tests/exact/main.rs"),
    ("docs/inspector.md", "rust", "crates/forebay/tests/inspect.rs"),
    ("docs/inspector.md", "html", "e2e/tests/inspect_page.test.js"),
    ("docs/serve.md", "ruby", "ruby/forebay-rails/test/guide_test.rb"),
    ("docs/serve.md", "yaml", "ruby/forebay-rails/test/guide_test.rb"),
    ("docs/serve.md", "erb", "ruby/forebay-rails/test/guide_test.rb"),
    ("ruby/forebay-rails/README.md", "ruby", "ruby/forebay-rails/test/guide_test.rb"),
    ("ruby/forebay-rails/README.md", "yaml", "ruby/forebay-rails/test/guide_test.rb"),
    ("ruby/forebay-rails/README.md", "erb", "ruby/forebay-rails/test/guide_test.rb"),
    ("js/forebay/README.md", "html", "e2e/tests"),
    ("js/forebay/README.md", "js", "e2e/tests"),
];

/// What is read and not run: no language, or none of a program's.
const TEXT: [&str; 3] = ["", "text", "json"];

/// What is compared with the sources: see `quotes`.
const QUOTED: &str = "log";

#[test]
fn every_snippet_is_run_by_somebody() {
    let known = ["console", "ini", "nginx", "toml"];
    let mut used = BTreeSet::new();
    for Snippet { document, line, language, .. } in all() {
        let elsewhere =
            ELSEWHERE.iter().find(|(of, named, _)| document.starts_with(of) && *named == language);
        if let Some(&(_, _, runner)) = elsewhere {
            assert!(repository().join(runner).exists(), "{runner} does not exist");
            used.insert(runner);
        }
        let is_run = elsewhere.is_some() || known.contains(&&*language);
        assert!(
            is_run || language == QUOTED || TEXT.contains(&&*language),
            "{document}:{line}: nobody runs this snippet ({language}): see ELSEWHERE"
        );
    }
    assert!(used.len() > 1, "the documents have been found");
}

#[test]
fn configuration_files_are_understood() {
    let folder = tempfile::tempdir().unwrap();
    for snippet in all().into_iter().filter(|snippet| snippet.language == "toml") {
        if snippet.text.contains("dependencies]") {
            toml::de::DeTable::parse(&snippet.text)
                .unwrap_or_else(|error| panic!("{snippet}: {error}"));
            continue;
        }
        let file = folder.path().join("forebay.toml");
        std::fs::write(&file, &snippet.text).unwrap();
        let printed =
            forebay(&["serve", "--public", "--print-config", "--config"]).arg(&file).output();
        let printed = printed.unwrap();
        assert!(
            printed.status.success(),
            "{snippet}: {}",
            String::from_utf8_lossy(&printed.stderr)
        );
    }
}

#[test]
#[ignore = "needs curl and openssl; cargo xtask ruby installs them"]
fn commands_do_what_the_documents_say() {
    let mut documents: Vec<_> = all().into_iter().map(|snippet| snippet.document).collect();
    documents.dedup();
    for document in documents {
        let mut shell = Shell::new();
        for snippet in all() {
            if snippet.document == document && snippet.language == "console" {
                shell.run(&snippet);
            }
        }
    }
}

/// On a port that is neither 80 nor 443, which a page's `Origin` and `Host` both name.
#[test]
#[ignore = "needs nginx; cargo xtask ruby installs it"]
fn nginx_passes_pages_on_whatever_its_port_and_says_who_they_are() {
    let blocks: Vec<_> = all().into_iter().filter(|snippet| snippet.language == "nginx").collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let server = Server::start(&["--identity-header", "X-Forebay-User"]);
        let nginx = Nginx::start(&block.text, &server.address);
        let origin = format!("http://{}", nginx.address);
        let headers = [("origin", &*origin), ("x-forebay-user", "somebody else")];
        let mut page = Page::open(&nginx.address, &headers)
            .unwrap_or_else(|status| panic!("{block}: refused with {status}"));
        page.subscribe(&turbo("messages", Some(&server.cursor())));
        let disconnect = |identity: &str| {
            let body = serde_json::json!({ "identity": identity }).to_string();
            let bearer = crate::support::bearer();
            assert_eq!(
                server.publisher().request("POST", "/_disconnect", &[&bearer], &body).status,
                204
            );
        };
        disconnect("somebody else");
        server.broadcast("messages", &["\"through nginx\""]);
        assert_eq!(page.messages(1), ["through nginx"], "{block}");
        if block.text.contains("auth_request") {
            disconnect(nginx::VISITOR);
            assert_eq!(page.next()["type"], "disconnect", "{block}");
        }
        let script = crate::support::Connection::open(&nginx.address).request(
            "GET",
            "/forebay/forebay.js",
            &[],
            "",
        );
        assert_eq!(script.status, 200, "{block}: /forebay/");
        let inside =
            crate::support::Connection::open(&nginx.address).request("GET", "/_cursor", &[], "");
        assert_eq!(inside.status, 204, "{block}: what is the application's goes to it");
    }
}

#[test]
#[ignore = "needs systemd; cargo xtask ruby installs it"]
fn systemd_understands_the_units_and_hands_the_socket_over() {
    let units: Vec<_> = all().into_iter().filter(|snippet| snippet.language == "ini").collect();
    assert!(!units.is_empty());
    let units = systemd::Units::write(&units);
    units.verify();
    units.activate();
}

/// Without it nobody would notice that a link leads nowhere.
#[test]
fn links_lead_to_files_and_headings() {
    let others = ["ARCHITECTURE.md", "CONTRIBUTING.md", "GLOSSARY.md", "SECURITY.md"];
    for document in snippets::documents().into_iter().chain(others.map(str::to_owned)) {
        let text = std::fs::read_to_string(repository().join(&document)).unwrap();
        let folder = Path::new(&document).parent().unwrap().to_owned();
        let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let named = text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: "));
        for link in inline.chain(named.map(|(_, link)| link)) {
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => repository().join(&document),
                file => repository().join(&folder).join(file),
            };
            assert!(target.exists(), "{document}: {link}");
            if !heading.is_empty() {
                let text = std::fs::read_to_string(target).unwrap();
                assert!(anchors(&text).any(|anchor| anchor == heading), "{document}: {link}");
            }
        }
    }
}

/// What GitHub makes of a document's headings.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}
