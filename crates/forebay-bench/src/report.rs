//! The report: `summary.json`, Markdown, and HTML with plots.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use crate::bench::Bench;
use crate::figures::Figure;

#[derive(Serialize)]
struct Summary<'a> {
    plan: &'a str,
    /// By name: version, and how it was set up.
    servers: BTreeMap<&'a str, [&'a str; 2]>,
    skipped: &'a BTreeMap<String, String>,
    figures: BTreeMap<&'a str, Figure>,
}

pub(crate) fn write(bench: &Bench, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let servers = bench
        .servers
        .iter()
        .map(|(server, prepared)| (server.name, [&*prepared.version, prepared.options]));
    let summary = Summary {
        plan: bench.plan.name,
        servers: servers.collect(),
        skipped: &bench.figures.skipped,
        figures: bench.figures.all(),
    };
    fs::write(folder.join("summary.json"), serde_json::to_string_pretty(&summary)?)?;
    Ok(())
}
