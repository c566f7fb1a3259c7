//! All servers beside each other.

use std::collections::BTreeSet;

use serde::Serialize;

use super::number;
use super::summary::Summary;
use crate::servers::FLOOR;

#[derive(Debug, Serialize)]
pub(super) struct Table {
    pub(super) title: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) server: String,
    pub(super) cells: Vec<Cell>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Cell {
    pub(super) text: String,
    /// No server has a better value; the floor is no competitor.
    pub(super) best: bool,
}

/// Which of a column's values is the best.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Best {
    Least,
    Most,
    /// A part of another column, for instance.
    Neither,
}

use Best::{Least, Most, Neither};

struct Column {
    heading: String,
    best: Best,
    /// Of each server, in the order of [`Summary::names`].
    values: Vec<Option<f64>>,
}

pub(super) fn all(summary: &Summary) -> Vec<Table> {
    let mut tables = Vec::new();
    for (count, k) in summary.connections() {
        let connections = format!("{} connections", number::figure(count as f64));
        tables.push(table(summary, format!("Cost, {connections}"), cost(summary, &k)));
        tables.push(table(summary, format!("Time, {connections}"), time(summary, &k)));
        tables.push(table(
            summary,
            format!("CPU ns per delivery by payload, {connections}"),
            sizes(summary, &k),
        ));
    }
    tables.push(table(summary, "Storms of 10 000 clients".to_owned(), storms(summary)));
    let more = [
        ("Sustained rates, 1 000 clients", rates(summary)),
        ("Server and load on both cores, 1 000 clients", cores(summary)),
        ("Logs, of one to three nodes, and stores' own clients", logs(summary)),
        ("What should not matter: most × least, and memory", flat(summary)),
        ("Slow clients", slow(summary)),
    ];
    tables.extend(more.map(|(title, columns)| table(summary, title.to_owned(), columns)));
    tables.push(table(summary, "Publishing over HTTP".to_owned(), publishing(summary)));
    tables.retain(|table| !table.rows.is_empty());
    tables
}

fn cost(summary: &Summary, k: &str) -> Vec<Column> {
    let at = |heading, best, stem| column(summary, heading, best, &format!("{stem}_{k}"));
    let part = |heading: &str, of: fn(f64) -> f64| {
        let (cpu, share) = (format!("cpu_ns_per_delivery_{k}"), format!("system_share_{k}"));
        let value = |server: &String| {
            Some(summary.median(server, &cpu)? * of(summary.median(server, &share)?))
        };
        let values = summary.names().iter().map(value).collect();
        Column { heading: heading.to_owned(), best: Neither, values }
    };
    vec![
        at("RSS B/conn.", Least, "idle_rss_bytes_per_conn"),
        at("after traffic", Least, "after_traffic_rss_bytes_per_conn"),
        at("kernel B/conn.", Least, "kernel_bytes_per_conn"),
        at("CPU ns/delivery", Least, "cpu_ns_per_delivery"),
        part("user", |system| 1.0 - system),
        part("system", |system| system),
        at("× floor", Least, "cpu_per_delivery_vs_floor"),
        at("bursts of 8", Least, "burst8_cpu_ns_per_delivery"),
        at("× floor", Least, "burst8_cpu_per_delivery_vs_floor"),
        at("bursts of 32", Least, "burst32_cpu_ns_per_delivery"),
        at("× floor", Least, "burst32_cpu_per_delivery_vs_floor"),
    ]
}

fn time(summary: &Summary, k: &str) -> Vec<Column> {
    let at = |heading, stem| column(summary, heading, Least, &format!("{stem}_{k}"));
    vec![
        at("last client µs", "last_client_us"),
        at("× floor", "last_client_vs_floor"),
        at("p50 µs", "latency_p50_us"),
        at("p99 µs", "latency_p99_us"),
        at("last of 32 µs", "burst32_last_client_us"),
        at("× floor", "burst32_last_client_vs_floor"),
        at("switches/delivery", "switches_per_delivery"),
        at("system calls/delivery", "syscalls_per_delivery"),
        at("in bursts of 32", "burst32_syscalls_per_delivery"),
        at("B/delivery", "bytes_per_delivery"),
    ]
}

/// Only of runs with other payloads than the usual one.
fn sizes(summary: &Summary, k: &str) -> Vec<Column> {
    let after = format!("b_{k}");
    let mut sizes: Vec<_> = summary
        .names()
        .iter()
        .flat_map(|server| summary.series(server, "cpu_ns_per_delivery_", &after).into_keys())
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    let column = |size: u64| {
        let heading = format!("{} B", number::figure(size as f64));
        column(summary, &heading, Least, &format!("cpu_ns_per_delivery_{size}{after}"))
    };
    sizes.into_iter().map(column).collect()
}

fn storms(summary: &Summary) -> Vec<Column> {
    let at = |heading, best, figure: &str| column(summary, heading, best, figure);
    vec![
        at("connects/s", Most, "connects_per_second"),
        at("CPU ns/connect", Least, "cpu_ns_per_connect"),
        at("time × floor", Least, "connect_storm_vs_floor"),
        at("resume s", Least, "resume_storm_seconds"),
        at("CPU ns/client", Least, "cpu_ns_per_resume"),
        at("× floor", Least, "resume_storm_vs_floor"),
    ]
}

fn rates(summary: &Summary) -> Vec<Column> {
    let at = |heading: &str, best, figure: &str| column(summary, heading, best, figure);
    let mut columns = vec![
        at("deliveries/s at most", Most, "saturation_deliveries_per_second"),
        at("of its core", Neither, "saturation_busy_share"),
        at("at half: p50 µs", Least, "load_50_p50_us"),
        at("p99 µs", Least, "load_50_p99_us"),
        at("forebay there: p99 µs", Least, "forebay_at_half_p99_us"),
        at("at 90 %: p50 µs", Least, "load_90_p50_us"),
        at("p99 µs", Least, "load_90_p99_us"),
    ];
    if let Some(rate) = common_rate(summary) {
        let p50 = format!("at {rate}/s: p50 µs");
        columns.push(at(&p50, Least, &format!("rate_{rate}_p50_us")));
        columns.push(at("p99 µs", Least, &format!("rate_{rate}_p99_us")));
    }
    columns
}

/// The highest rate that all servers sustain, as figures' names say it.
fn common_rate(summary: &Summary) -> Option<String> {
    let names = summary.names();
    let rates = |server: &String| summary.series(server, "rate_", "_p99_us").into_keys();
    let measured: Vec<BTreeSet<u64>> = names
        .iter()
        .filter(|server| summary.figure(server, "saturation_deliveries_per_second").is_some())
        .map(|server| rates(server).collect())
        .collect();
    let (first, others) = measured.split_first()?;
    let common = |rate: &&u64| others.iter().all(|rates| rates.contains(rate));
    first.iter().rev().find(common).map(|rate| number::name(*rate))
}

fn cores(summary: &Summary) -> Vec<Column> {
    let at = |heading, best, figure: &str| column(summary, heading, best, figure);
    vec![
        at("one core each: deliveries/s", Most, "one_core_deliveries_per_second"),
        at("CPU ns/delivery", Least, "one_core_cpu_ns_per_delivery"),
        at("both shared: deliveries/s", Most, "both_cores_deliveries_per_second"),
        at("CPU ns/delivery", Least, "both_cores_cpu_ns_per_delivery"),
        at("× one", Most, "both_cores_throughput_vs_one"),
        at("bursts of 32: × one", Most, "both_cores_burst32_throughput_vs_one"),
    ]
}

fn logs(summary: &Summary) -> Vec<Column> {
    let at = |heading: &str, figure: &str| column(summary, heading, Neither, figure);
    vec![
        at("one node: publishes/s", "nodes1_publishes_per_second"),
        at("× client", "nodes1_vs_client"),
        at("two nodes", "nodes2_publishes_per_second"),
        at("× client", "nodes2_vs_client"),
        at("three nodes", "nodes3_publishes_per_second"),
        at("× client", "nodes3_vs_client"),
        at("two nodes, batches of 16", "nodes2_batches_publishes_per_second"),
        at("× client", "nodes2_batches_vs_client"),
        at("to the other node: p50 µs", "publish_p50_us"),
        at("p99 µs", "publish_p99_us"),
    ]
}

fn flat(summary: &Summary) -> Vec<Column> {
    let at = |heading, best, figure: &str| column(summary, heading, best, figure);
    vec![
        at("idle connections", Neither, "curve_idle_most_vs_least"),
        at("streams", Neither, "curve_streams_most_vs_least"),
        at("history", Neither, "curve_history_most_vs_least"),
        at("RSS B/conn. with cursors", Neither, "cursor_rss_bytes_per_conn_10k"),
        at("minutes of churn", Neither, "churn_minutes"),
        at("RSS B/conn. after", Neither, "churn_rss_bytes_per_conn_10k"),
        at("× before", Neither, "churn_rss_vs_before_10k"),
        at("× half-way", Neither, "churn_rss_second_half_growth_10k"),
    ]
}

fn slow(summary: &Summary) -> Vec<Column> {
    let at = |heading, best, figure: &str| column(summary, heading, best, figure);
    vec![
        at("slow clients", Neither, "slow_receivers"),
        at("others' p99 µs", Neither, "slow_others_p99_us"),
        at("without them", Neither, "slow_others_p99_us_without"),
        at("× without", Neither, "slow_others_p99_vs_without"),
        at("RSS B/slow client", Neither, "slow_rss_bytes_per_receiver"),
        at("kernel B/slow client", Neither, "slow_kernel_bytes_per_receiver"),
        at("healed once", Neither, "slow_resynced_once_share"),
    ]
}

fn publishing(summary: &Summary) -> Vec<Column> {
    let at = |heading, best, figure: &str| column(summary, heading, best, figure);
    vec![
        at("publishes/s", Most, "http_publishes_per_second"),
        at("CPU ns/publish", Least, "cpu_ns_per_http_publish"),
    ]
}

fn column(summary: &Summary, heading: &str, best: Best, figure: &str) -> Column {
    let names = summary.names();
    let values = names.iter().map(|server| summary.median(server, figure)).collect();
    Column { heading: heading.to_owned(), best, values }
}

/// Columns and rows of which nothing was measured are left out.
fn table(summary: &Summary, title: String, columns: Vec<Column>) -> Table {
    let names = summary.names();
    let mut headings = Vec::new();
    let mut rows: Vec<_> =
        names.iter().map(|server| Row { server: server.clone(), cells: Vec::new() }).collect();
    for column in columns {
        let values = column.values;
        if values.iter().all(Option::is_none) {
            continue;
        }
        let competing = names.iter().zip(&values).filter(|(server, _)| *server != FLOOR.name);
        let competing = competing.filter_map(|(_, value)| *value);
        let best = match column.best {
            Least => competing.min_by(f64::total_cmp),
            Most => competing.max_by(f64::total_cmp),
            Neither => None,
        };
        headings.push(column.heading);
        for ((row, server), value) in rows.iter_mut().zip(&names).zip(values) {
            let text = value.map_or_else(String::new, number::figure);
            let best = value.is_some() && value == best && server != FLOOR.name;
            row.cells.push(Cell { text, best });
        }
    }
    rows.retain(|row| row.cells.iter().any(|cell| !cell.text.is_empty()));
    Table { title, columns: headings, rows }
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::summary;
    use super::*;

    #[test]
    fn the_common_rate_is_one_that_all_sustain() {
        let summary = summary(&[
            ("saturation_deliveries_per_second", 90_000.0),
            ("rate_10k_p99_us", 1.0),
            ("rate_20k_p99_us", 2.0),
            ("rate_40k_p99_us", 3.0),
            ("a.saturation_deliveries_per_second", 30_000.0),
            ("a.rate_10k_p99_us", 5.0),
            ("a.rate_20k_p99_us", 1.5),
            ("b.saturation_deliveries_per_second", 40_000.0),
            ("b.rate_10k_p99_us", 5.0),
            ("b.rate_20k_p99_us", 9.0),
            ("b.rate_40k_p99_us", 9.0),
        ]);
        assert_eq!(common_rate(&summary).as_deref(), Some("20k"));
        assert_eq!(common_rate(&Summary::default()), None);
    }

    #[test]
    fn the_best_is_no_floor_and_nothing_stays_empty() {
        let tables = all(&summary(&[
            ("idle_rss_bytes_per_conn_1k", 900.0),
            ("cpu_ns_per_delivery_1k", 2_000.0),
            ("system_share_1k", 0.75),
            ("floor.cpu_ns_per_delivery_1k", 1_000.0),
            ("nchan.cpu_ns_per_delivery_1k", 3_000.0),
            ("connects_per_second", 10.0),
            ("nchan.connects_per_second", 20.0),
            ("axum_sink.http_publishes_per_second", 1.0),
        ]));
        let titles: Vec<_> =
            tables.iter().map(|table| table.title.replace('\u{a0}', " ")).collect();
        assert_eq!(
            titles,
            ["Cost, 1 000 connections", "Storms of 10 000 clients", "Publishing over HTTP"]
        );
        let read = |table: &Table| -> Vec<_> {
            let cell = |cell: &Cell| {
                let text = cell.text.replace('\u{a0}', " ");
                if cell.best { format!("*{text}") } else { text }
            };
            let row = |row: &Row| {
                format!(
                    "{}: {}",
                    row.server,
                    row.cells.iter().map(cell).collect::<Vec<_>>().join(" | ")
                )
            };
            table.rows.iter().map(row).collect()
        };
        assert_eq!(tables[0].columns, ["RSS B/conn.", "CPU ns/delivery", "user", "system"]);
        assert_eq!(
            read(&tables[0]),
            [
                "forebay: *900 | *2 000 | 500 | 1 500",
                "floor:  | 1 000 |  | ",
                "nchan:  | 3 000 |  | "
            ]
        );
        assert_eq!(read(&tables[1]), ["forebay: 10.0", "nchan: *20.0"]);
        assert_eq!(read(&tables[2]), ["axum_sink: *1.000"]);
    }

    #[test]
    fn payloads_have_a_table_when_they_were_varied() {
        let tables = all(&summary(&[
            ("idle_rss_bytes_per_conn_1k", 1.0),
            ("cpu_ns_per_delivery_2000b_1k", 2.0),
            ("cpu_ns_per_delivery_200b_1k", 1.0),
        ]));
        let table = tables.iter().find(|table| table.title.contains("payload"));
        assert_eq!(table.expect("there is one").columns, ["200 B", "2\u{a0}000 B"]);
    }
}
