//! `GET /metrics`, and whatever is made of its names: the documentation, the dashboard, the alerts.

#![expect(clippy::float_cmp, reason = "they are counts")]

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Answer, Server, bearer, turbo};

const KEY: &str = "a key for Prometheus alone";

fn read(server: &Server, headers: &[&str]) -> Answer {
    server.publisher().request("GET", "/metrics", headers, "")
}

/// The text that Prometheus gets.
fn text(server: &Server) -> String {
    let answer = read(server, &[&bearer()]);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.to_lowercase().contains("content-type: text/plain; version=0.0.4"));
    answer.body
}

fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {text}")).parse().unwrap()
}

fn file(name: &str) -> String {
    let path = format!("{}/../../{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn they_are_for_whoever_has_their_key_or_that_of_broadcasts() {
    let server = Server::start(&["--metrics-key", KEY]);
    let own = format!("authorization: Bearer {KEY}");
    assert_eq!(read(&server, &[&own]).status, 200);
    assert_eq!(read(&server, &[&bearer()]).status, 200);
    assert_eq!(read(&server, &[]).status, 401);
    assert_eq!(read(&server, &["authorization: Bearer x"]).status, 401);
    // It writes to no page.
    assert_eq!(server.publisher().post(&own, "{}").status, 401);
    let keyless = Server::start_with(&["--public", "--broadcast-port", "0"]);
    assert_eq!(read(&keyless, &[]).status, 200);
    assert_eq!(read(&keyless, &["origin: http://evil.example"]).status, 403);
    let keyed = Server::start_with(&["--public", "--broadcast-port", "0", "--metrics-key", KEY]);
    assert_eq!((read(&keyed, &[]).status, read(&keyed, &[&own]).status), (401, 200));
}

#[test]
fn a_delivery_is_counted_and_timed_from_the_first_reading_on() {
    let server = Server::start(&[]);
    let before = text(&server);
    let connected = r#"forebay_connections{transport="websocket",protocol="actioncable-v1-json"}"#;
    assert_eq!(value(&before, connected), 0.0);
    let cursor = server.cursor();
    server.broadcast("s", &["1"]);
    let mut page = server.page();
    page.subscribe(&turbo("s", Some(&cursor)));
    assert_eq!(page.messages(1), [1]);
    server.broadcast("s", &["2", "3"]);
    assert_eq!(page.messages(2), [2, 3]);
    // What a page has may not be counted yet: that is done behind its socket.
    let is_counted = |text: &str| value(text, "forebay_deliveries_total") >= 3.0;
    let after = (0..10_000).map(|_| text(&server)).find(|text| is_counted(text)).unwrap();
    assert_eq!(value(&after, connected), 1.0);
    assert_eq!(value(&after, "forebay_replay_entries_count"), 1.0);
    assert_eq!(value(&after, "forebay_replay_entries_sum"), 1.0);
    assert_eq!(value(&after, "forebay_replay_age_seconds_count"), 1.0);
    let timed = value(&after, "forebay_delivery_seconds_count");
    assert_eq!(timed + value(&after, "forebay_deliveries_unmeasured_total"), 3.0);
    assert!(timed >= 1.0, "{after}");
    assert_eq!(value(&after, r#"forebay_delivery_seconds_bucket{le="+Inf"}"#), timed);
    drop(page);
    (0..10_000).find(|_| value(&text(&server), connected) == 0.0).unwrap();
}

#[test]
fn they_have_anycables_names_where_that_is_asked_for() {
    let server = Server::start(&["--metrics-names", "both"]);
    server.broadcast("s", &["1"]);
    let text = text(&server);
    assert_eq!(value(&text, "anycable_go_broadcast_msg_total"), 1.0);
    assert_eq!(value(&text, "forebay_broadcasts_total"), 1.0);
}

/// The names that exist: as they are written, and as histograms are queried.
fn names() -> BTreeSet<String> {
    let text = text(&Server::start(&["--metrics-names", "both"]));
    let described = text.lines().filter_map(|line| line.strip_prefix("# HELP "));
    let described = described.filter_map(|line| line.split(' ').next());
    let series = text.lines().filter(|line| !line.starts_with('#'));
    let series = series.filter_map(|line| line.split(['{', ' ']).next());
    described.chain(series).map(str::to_owned).collect()
}

/// The names of metrics in a text.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_ours = |word: &&str| word.starts_with("forebay_") || word.starts_with("anycable_go_");
    words.filter(is_ours).map(str::to_owned).collect()
}

#[test]
fn the_dashboard_the_alerts_and_their_runbooks_name_what_exists() {
    let names = names();
    let check = |query: &str| {
        for name in named(query) {
            assert!(names.contains(&name), "there is no metric {name}: {query}");
        }
    };
    let dashboard: Value = serde_json::from_str(&file("ops/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries: Vec<_> = targets.map(|target| target["expr"].as_str().unwrap()).collect();
    assert!(queries.len() > 40, "{}", queries.len());
    queries.into_iter().for_each(check);

    let documentation = file("docs/metrics.md");
    let alerts: Value = serde_saphyr::from_str(&file("ops/alerts.yml")).unwrap();
    let rules = alerts["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() > 10);
    for rule in rules {
        let text = |field: &str| rule[field].as_str().unwrap_or_default();
        check(text("expr"));
        let annotation = |name: &str| rule["annotations"][name].as_str().unwrap_or_default();
        let summary = annotation("summary");
        assert!(summary.split(' ').count() > 4 && !summary.contains("forebay_"), "{summary}");
        let heading = format!("\n### {}\n", text("alert"));
        assert!(documentation.contains(&heading), "what to do is not said:{heading}");
        let anchor = format!("docs/metrics.md#{}", text("alert").to_lowercase());
        assert_eq!(annotation("runbook_url"), anchor);
    }
}

#[test]
fn the_documentation_lists_all_and_nothing_else() {
    let documentation = file("docs/metrics.md");
    let names = names();
    for name in named(&documentation) {
        let is_pattern = name == "forebay_NAME_total";
        assert!(is_pattern || names.contains(&name), "docs/metrics.md: there is no {name}");
    }
    let counters = forebay_core::StatsSnapshot::default();
    let counters: BTreeSet<_> =
        counters.iter().map(|(name, _)| format!("forebay_{name}_total")).collect();
    let parts = ["_bucket", "_sum", "_count"];
    for name in names.iter().filter(|name| !counters.contains(*name)) {
        let is_part = parts.iter().any(|part| name.ends_with(part));
        assert!(is_part || documentation.contains(name), "docs/metrics.md does not list {name}");
    }
    // Its example is Prometheus' configuration, and the other one a piece of a program that is compiled.
    let blocks = |language: &str| {
        let (_, rest) = documentation.split_once(&format!("```{language}\n")).unwrap();
        rest.split("```").next().unwrap().to_owned()
    };
    let scrapes: Value = serde_saphyr::from_str(&blocks("yaml")).unwrap();
    assert_eq!(scrapes["scrape_configs"][0]["job_name"], "forebay");
    let program = file("crates/forebay-core/src/metrics.rs");
    for line in blocks("rust").lines() {
        assert!(program.contains(line), "no program has {line:?}");
    }
}
