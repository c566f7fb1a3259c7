//! The report as Markdown, and as HTML, with plots in it.

use std::collections::BTreeMap;

use anyhow::Result;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;

use super::machine::Machine;
use super::plot::Scene;
use super::summary::{Described, Settings, Summary};
use super::{goals, number, plots, tables};
use crate::servers::FOREBAY;

/// Characters of a reason why something was skipped: servers' logs are in some of them.
const REASON_MAX: usize = 400;

#[derive(Serialize)]
pub(super) struct Page<'a> {
    date: &'a str,
    machine: &'a Machine,
    memory: String,
    plan: &'a Settings,
    goals: Vec<goals::Row>,
    million: Option<String>,
    plots: Vec<Plot>,
    tables: Vec<tables::Table>,
    servers: &'a BTreeMap<String, Described>,
    skipped: BTreeMap<&'a str, String>,
    measures: &'a BTreeMap<String, String>,
    figures: Vec<[String; 3]>,
    own: &'static str,
}

#[derive(Serialize)]
struct Plot {
    name: &'static str,
    scene: Scene,
}

impl<'a> Page<'a> {
    pub(super) fn new(summary: &'a Summary) -> Self {
        let plots = plots::all(summary).into_iter();
        let skipped = summary.skipped.iter();
        let figures = summary.figures.iter().map(|(name, figure)| {
            [name.clone(), number::figure(figure.median), goals::spread(figure)]
        });
        Self {
            date: &summary.date,
            machine: &summary.machine,
            memory: number::round(summary.machine.memory_bytes as f64 / f64::from(1 << 30)),
            plan: &summary.plan,
            goals: goals::rows(summary),
            million: goals::million(summary),
            plots: plots.filter_map(|(name, scene)| Some(Plot { name, scene: scene? })).collect(),
            tables: tables::all(summary),
            servers: &summary.servers,
            skipped: skipped.map(|(server, why)| (server.as_str(), shortened(why))).collect(),
            measures: &summary.measures,
            figures: figures.collect(),
            own: FOREBAY.name,
        }
    }

    pub(super) fn html(&self) -> Result<String> {
        Ok(environment().get_template("page.html")?.render(Serde(self))?)
    }

    pub(super) fn markdown(&self) -> Result<String> {
        Ok(environment().get_template("page.md")?.render(Serde(self))?)
    }
}

fn environment() -> Environment<'static> {
    const TEMPLATES: [(&str, &str); 5] = [
        ("page.html", include_str!("page.html")),
        ("page.css", include_str!("page.css")),
        ("page.md", include_str!("page.md")),
        ("plot.svg", include_str!("plot.svg")),
        ("plot.css", include_str!("plot.css")),
    ];
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the delimiters are the usual ones"));
    environment.set_auto_escape_callback(|name| match name.rsplit_once('.') {
        Some((_, "html" | "svg")) => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    environment.add_filter("md", markdown);
    for (name, template) in TEMPLATES {
        environment.add_template(name, template).expect("the template is correct");
    }
    environment
}

/// Text that Markdown takes as text, on one line.
fn markdown(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.split_whitespace().collect::<Vec<_>>().join(" ").chars() {
        if "\\`*_<>[]|#~".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn shortened(reason: &str) -> String {
    match reason.char_indices().nth(REASON_MAX) {
        Some((end, _)) => format!("{}…", &reason[..end]),
        None => reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::summary;
    use super::*;

    fn hostile() -> Summary {
        let mut summary = summary(&[
            ("idle_rss_bytes_per_conn_1k", 900.0),
            ("kernel_bytes_per_conn_1k", 900.0),
            ("cpu_ns_per_delivery_1k", 900.0),
            ("<script>.cpu_ns_per_delivery_1k", 1_900.0),
        ]);
        summary.skipped.insert("a|b".to_owned(), "it said:\n<script>|*".to_owned());
        summary
    }

    #[test]
    fn html_needs_nothing_else_and_escapes_what_it_shows() {
        let html = Page::new(&hostile()).html().unwrap();
        assert!(html.contains("&lt;script&gt;"));
        for absent in ["<script", "<link", "src=", "url(", "http:"] {
            assert!(!html.contains(absent), "{absent}");
        }
        assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
        assert_eq!(html.matches("<svg").count(), 2);
        assert!(html.contains("prefers-color-scheme: dark"));
        let drawn = plots::all(&hostile()).into_iter().filter_map(|(_, scene)| scene);
        let texts = drawn.map(|scene| scene.texts.len());
        assert_eq!(html.matches("<text").count(), texts.sum::<usize>());
    }

    #[test]
    fn markdown_has_one_row_per_line() {
        let markdown = Page::new(&hostile()).markdown().unwrap();
        assert!(markdown.contains(r"- `a|b`: it said: \<script\>\|\*"), "{markdown}");
        for table in markdown.split("\n\n").filter(|block| block.starts_with('|')) {
            let columns = |line: &str| line.replace(r"\|", "").matches('|').count();
            let expected = table.lines().next().map(columns);
            for line in table.lines() {
                assert_eq!(Some(columns(line)), expected, "{line}");
            }
        }
    }

    #[test]
    fn a_page_of_nothing_can_be_written() {
        let summary = Summary::default();
        assert!(Page::new(&summary).html().unwrap().contains("not measured"));
        assert!(Page::new(&summary).markdown().unwrap().contains("not measured"));
    }
}
