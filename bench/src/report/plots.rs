//! Which plots there are, and what is in them.

use super::plot::{Bar, Bars, Lines, Point, Scene, Series};
use super::summary::Summary;
use crate::servers::{FLOOR, FOREBAY, is_ours, is_peer};

/// How many colours there are for peers (`plot.css`); with more peers, the others' lines are dashed.
const COLOURS: usize = 8;

/// Every plot by its name; nothing where nothing was measured.
pub(super) fn all(summary: &Summary) -> Vec<(&'static str, Option<Scene>)> {
    let by_connections = |title: &str, before| {
        let values = "nanoseconds of the server on a core";
        lines(summary, title, values, "connections", before, "")
    };
    let by_rate = |title: &str, after| {
        let values = "microseconds until an entry arrives";
        lines(summary, title, values, "deliveries per second", "rate_", after)
    };
    let curve = |title: &str, steps, before| {
        lines(summary, title, "nanoseconds of the server on a core", steps, before, "")
    };
    vec![
        ("cpu_per_delivery", by_connections("CPU per delivery", "cpu_ns_per_delivery_")),
        (
            "burst32_cpu_per_delivery",
            by_connections("CPU per delivery, 32 at once", "burst32_cpu_ns_per_delivery_"),
        ),
        ("memory", memory(summary)),
        ("latency_p50", by_rate("Latency, median", "_p50_us")),
        ("latency_p99", by_rate("Latency, 99th percentile", "_p99_us")),
        (
            "latency_by_load",
            lines(
                summary,
                "Latency, 99th percentile, at shares of its own saturation",
                "microseconds until an entry arrives",
                "per cent of what the server sustains",
                "load_",
                "_p99_us",
            ),
        ),
        (
            "saturation",
            bars(
                summary,
                "Deliveries per second at most",
                "more is better",
                "saturation_deliveries_per_second",
            ),
        ),
        (
            "connects",
            bars(summary, "Connects", "per second, more is better", "connects_per_second"),
        ),
        (
            "resume_storm",
            bars(
                summary,
                "10k clients come back",
                "seconds until all have what they missed",
                "resume_storm_seconds",
            ),
        ),
        (
            "curve_idle",
            curve("CPU per delivery beside idle connections", "idle connections", "curve_idle_"),
        ),
        ("curve_streams", curve("CPU per delivery and streams", "streams", "curve_streams_")),
        (
            "curve_history",
            curve("CPU per delivery and history", "entries of history", "curve_history_"),
        ),
        (
            "churn",
            lines(
                summary,
                "Memory while connections come and go",
                "bytes of resident memory per connection",
                "seconds",
                "churn_rss_after_seconds_",
                "",
            ),
        ),
    ]
}

/// All servers that have figures of that name.
fn lines(
    summary: &Summary,
    title: &str,
    values: &'static str,
    steps: &'static str,
    before: &str,
    after: &str,
) -> Option<Scene> {
    let series = summary.names().into_iter().map(|server| {
        let points = summary.series(&server, before, after).into_iter();
        Series {
            class: class(summary, &server),
            points: points
                .map(|(x, figure)| Point {
                    x: x as f64,
                    median: figure.median,
                    min: figure.min,
                    max: figure.max,
                })
                .collect(),
            name: server,
        }
    });
    Lines { title: title.to_owned(), values, steps, series: series.collect() }.draw()
}

fn bars(summary: &Summary, title: &str, values: &'static str, figure: &str) -> Option<Scene> {
    let rows = summary.names().into_iter().map(|server| Bar {
        class: class(summary, &server),
        figures: vec![summary.figure(&server, figure).cloned()],
        name: server,
    });
    Bars { title: title.to_owned(), values, kinds: Vec::new(), rows: rows.collect() }.draw()
}

/// With the most connections at which most servers were measured.
fn memory(summary: &Summary) -> Option<Scene> {
    let names = summary.names();
    let measured = |k: &String| {
        let name = format!("idle_rss_bytes_per_conn_{k}");
        names.iter().filter(|server| summary.figure(server, &name).is_some()).count()
    };
    let connections = summary.connections();
    let (count, k) = connections.iter().max_by_key(|(count, k)| (measured(k), **count))?;
    let stems = ["idle_rss_bytes_per_conn", "kernel_bytes_per_conn"];
    let rows = names.iter().map(|server| Bar {
        name: server.clone(),
        class: class(summary, server),
        figures: stems.map(|stem| summary.figure(server, &format!("{stem}_{k}")).cloned()).to_vec(),
    });
    Bars {
        title: format!("Memory per idle connection, {}", super::number::short(*count as f64)),
        values: "bytes",
        kinds: vec!["resident (RSS)", "kernel, both ends"],
        rows: rows.collect(),
    }
    .draw()
}

/// A server looks the same in every plot.
fn class(summary: &Summary, server: &str) -> String {
    if server == FOREBAY.name {
        return "forebay".to_owned();
    }
    if is_ours(server) {
        return "forebay dashed".to_owned();
    }
    if server == FLOOR.name {
        return "floor dashed".to_owned();
    }
    let peers = summary.names().into_iter().filter(|name| is_peer(name));
    let index = peers.take_while(|name| name != server).count();
    let dashed = if index < COLOURS { "" } else { " dashed" };
    format!("s{}{dashed}", index % COLOURS)
}

#[cfg(test)]
mod tests {
    use super::super::plot::tests::assert_readable;
    use super::super::summary::tests::summary;
    use super::*;

    #[test]
    fn only_what_was_measured_is_drawn() {
        let check = |medians: &[(&str, f64)], expected: &[&str]| {
            let plots = all(&summary(medians));
            for (_, scene) in &plots {
                scene.iter().for_each(assert_readable);
            }
            let drawn = plots.into_iter().filter_map(|(name, scene)| scene.map(|_| name));
            assert_eq!(drawn.collect::<Vec<_>>(), expected);
        };
        check(&[], &[]);
        check(&[("nchan.cpu_ns_per_delivery_1k", 1.0)], &["cpu_per_delivery"]);
        check(&[("nchan.cpu_ns_per_delivery_200b_1k", 1.0)], &[]);
        check(&[("idle_rss_bytes_per_conn_1k", 1.0)], &["memory"]);
        check(&[("rate_10k_p99_us", 1.0)], &["latency_p99"]);
        check(&[("load_50_p99_us", 1.0)], &["latency_by_load"]);
        check(&[("churn_rss_after_seconds_5", 1.0)], &["churn"]);
        check(&[("curve_history_0", 1.0), ("curve_history_1k", 1.0)], &["curve_history"]);
        check(&[("floor.resume_storm_seconds", 1.0)], &["resume_storm"]);
    }

    #[test]
    fn memory_is_shown_where_most_can_be_compared() {
        let plots = all(&summary(&[
            ("idle_rss_bytes_per_conn_19k", 1.0),
            ("idle_rss_bytes_per_conn_10k", 1.0),
            ("idle_rss_bytes_per_conn_1k", 1.0),
            ("nchan.idle_rss_bytes_per_conn_10k", 1.0),
            ("nchan.idle_rss_bytes_per_conn_1k", 1.0),
        ]));
        let memory = plots.into_iter().find_map(|(name, scene)| scene.filter(|_| name == "memory"));
        assert_eq!(memory.expect("was measured").title, "Memory per idle connection, 10k");
    }

    #[test]
    fn no_two_servers_look_the_same() {
        let names: Vec<_> = (0..16).map(|peer| format!("peer{peer:02}.x")).collect();
        let mut medians: Vec<_> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
        medians.extend([("x", 1.0), ("forebay_ext.x", 1.0), ("floor.x", 1.0)]);
        let summary = summary(&medians);
        let mut classes: Vec<_> =
            summary.names().iter().map(|server| class(&summary, server)).collect();
        classes.sort();
        classes.dedup();
        assert_eq!(classes.len(), 19);
    }
}
