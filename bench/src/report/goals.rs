//! What Forebay set out to reach, and whether it does.

use serde::Serialize;

use super::number;
use super::summary::Summary;
use crate::figures::Figure;
use crate::servers::{FOREBAY, is_peer};

/// A bound on the median of one of Forebay's figures, or of a store's, whose name stands before a point.
struct Goal {
    figure: &'static str,
    what: &'static str,
    bound: Bound,
    unit: &'static str,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
    Below(f64),
}

use Bound::{AtLeast, AtMost};

const fn goal(figure: &'static str, what: &'static str, bound: Bound, unit: &'static str) -> Goal {
    Goal { figure, what, bound, unit }
}

const GOALS: [Goal; 28] = [
    goal("idle_rss_bytes_per_conn_10k", "memory per idle connection, 10k", AtMost(1_500.0), " B"),
    goal("idle_rss_bytes_per_conn_19k", "memory per idle connection, 19k", AtMost(1_500.0), " B"),
    goal("cursor_rss_bytes_per_conn_10k", "the same with cursors, 10k", AtMost(1_500.0), " B"),
    goal("churn_rss_bytes_per_conn_10k", "the same after churn, 10k", AtMost(1_500.0), " B"),
    goal("cpu_per_delivery_vs_floor_1k", "CPU per delivery, 1k", AtMost(1.15), " × floor"),
    goal("cpu_per_delivery_vs_floor_10k", "CPU per delivery, 10k", AtMost(1.15), " × floor"),
    goal("burst8_cpu_per_delivery_vs_floor_1k", "bursts of 8, 1k", AtMost(1.5), " × floor"),
    goal("burst8_cpu_per_delivery_vs_floor_10k", "bursts of 8, 10k", AtMost(1.5), " × floor"),
    goal("burst32_cpu_per_delivery_vs_floor_1k", "bursts of 32, 1k", AtMost(1.5), " × floor"),
    goal("burst32_cpu_per_delivery_vs_floor_10k", "bursts of 32, 10k", AtMost(1.5), " × floor"),
    goal("last_client_vs_floor_10k", "until the last client has it, 10k", AtMost(1.3), " × floor"),
    goal("publish_ns", "a publish that nobody reads", AtMost(1_000.0), " ns"),
    goal(
        "synced_publishes_64_vs_1",
        "64 publishers that wait for the disk",
        AtLeast(20.0),
        " × one",
    ),
    goal("http_publish_vs_axum", "publishes over HTTP", AtLeast(0.7), " × axum"),
    goal("resume_storm_vs_floor", "10k clients come back", AtMost(1.5), " × floor"),
    goal("curve_idle_most_vs_least", "flat in idle connections", AtMost(1.15), " × the least"),
    goal("curve_streams_most_vs_least", "flat in streams", AtMost(1.15), " × the least"),
    goal("curve_history_most_vs_least", "flat in history", AtMost(1.15), " × the least"),
    goal("slow_resynced_once_share", "slow clients healed exactly once", AtLeast(1.0), ""),
    goal("log_redis.nodes2_vs_client", "publishes of two nodes, Redis", AtLeast(0.8), " × client"),
    goal("log_nats.nodes2_vs_client", "publishes of two nodes, NATS", AtLeast(0.8), " × client"),
    goal(
        "log_postgres.nodes2_vs_client",
        "publishes of two nodes, Postgres",
        AtLeast(0.8),
        " × client",
    ),
    goal(
        "log_redis.nodes2_batches_vs_client",
        "the same in batches of 16, Redis",
        AtLeast(0.8),
        " × client",
    ),
    goal(
        "log_nats.nodes2_batches_vs_client",
        "the same in batches of 16, NATS",
        AtLeast(0.8),
        " × client",
    ),
    goal(
        "log_postgres.nodes2_batches_vs_client",
        "the same in batches of 16, Postgres",
        AtLeast(0.8),
        " × client",
    ),
    goal(
        "log_redis.publish_p50_us_over_client",
        "from node to node, Redis",
        AtMost(500.0),
        " µs more than client",
    ),
    goal(
        "log_nats.publish_p50_us_over_client",
        "from node to node, NATS",
        AtMost(500.0),
        " µs more than client",
    ),
    goal(
        "log_postgres.publish_p50_us_over_client",
        "from node to node, Postgres",
        AtMost(500.0),
        " µs more than client",
    ),
];

/// A goal as the report has it.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) figure: String,
    pub(super) target: String,
    pub(super) measured: String,
    pub(super) spread: String,
    pub(super) verdict: &'static str,
}

pub(super) fn rows(summary: &Summary) -> Vec<Row> {
    let fixed = GOALS.iter().map(|goal| {
        let figure = summary.figure(FOREBAY.name, goal.figure);
        row(goal.what, goal.figure, goal.bound, goal.unit, figure)
    });
    let peers = summary.connections().into_values().map(|k| {
        let what = format!("CPU per delivery below every peer's, {k}");
        below_peers(summary, &what, &format!("cpu_ns_per_delivery_{k}"), " ns")
    });
    let what = "p99 at half of its own saturation below every peer's";
    let half = below_peers(summary, what, "load_50_p99_us", " µs");
    fixed.chain(peers.flatten()).chain(half).chain(at_peers_half(summary)).collect()
}

const AT_HALF: &str = "forebay_at_half_p99_us";

/// Latency where each peer has half of its load, against that peer's; the row is of the one that comes
/// closest.
fn at_peers_half(summary: &Summary) -> Option<Row> {
    let peers = summary.names().into_iter().filter(|server| is_peer(server));
    let compared = peers.filter_map(|server| {
        let theirs = summary.median(&server, "load_50_p99_us")?;
        // A rate that Forebay does not sustain is worse than any.
        let ours = summary.median(&server, AT_HALF).unwrap_or(f64::INFINITY);
        Some((ours / theirs, theirs, server))
    });
    let (_, theirs, server) = compared.max_by(|a, b| a.0.total_cmp(&b.0))?;
    let what =
        format!("p99 at half of each peer's saturation below that peer's; the closest is {server}");
    let figure = summary.figure(&server, AT_HALF);
    Some(row(&what, &format!("{server}.{AT_HALF}"), Bound::Below(theirs), " µs", figure))
}

/// Less than of any peer; without a peer there is no such goal.
fn below_peers(summary: &Summary, what: &str, name: &str, unit: &str) -> Option<Row> {
    let peers = summary.names().into_iter().filter(|server| is_peer(server));
    let (best, server) = peers
        .filter_map(|server| Some((summary.median(&server, name)?, server)))
        .min_by(|a, b| a.0.total_cmp(&b.0))?;
    let what = format!("{what}; the best is {server}");
    Some(row(&what, name, Bound::Below(best), unit, summary.figure(FOREBAY.name, name)))
}

fn row(what: &str, name: &str, bound: Bound, unit: &str, figure: Option<&Figure>) -> Row {
    let with_unit = |value: f64| format!("{}{unit}", number::figure(value));
    let target = match bound {
        AtMost(limit) => format!("≤ {}{unit}", number::round(limit)),
        AtLeast(limit) => format!("≥ {}{unit}", number::round(limit)),
        Bound::Below(limit) => format!("< {}", with_unit(limit)),
    };
    let met = |median: f64| match bound {
        AtMost(limit) => median <= limit,
        AtLeast(limit) => median >= limit,
        Bound::Below(limit) => median < limit,
    };
    Row {
        what: what.to_owned(),
        figure: name.to_owned(),
        target,
        measured: figure.map_or_else(String::new, |figure| with_unit(figure.median)),
        spread: figure.map_or_else(String::new, spread),
        verdict: match figure {
            None => "not measured",
            Some(figure) if met(figure.median) => "met",
            Some(_) => "not met",
        },
    }
}

/// From the least to the most, of how many.
pub(super) fn spread(figure: &Figure) -> String {
    let Figure { min, max, samples, .. } = figure;
    format!("{} … {} ({samples})", number::figure(*min), number::figure(*max))
}

/// What a million idle connections would take, if memory goes on growing as it was measured with the
/// most connections.
pub(super) fn million(summary: &Summary) -> Option<String> {
    let (count, k) = summary.connections().into_iter().next_back()?;
    let gigabytes = |figure: &str| {
        let bytes = summary.median(FOREBAY.name, &format!("{figure}_{k}"))?;
        Some(format!("{:.2}\u{a0}GB", bytes * 1e6 / 1e9))
    };
    Some(format!(
        "A million idle connections would take {} RSS and {} kernel memory, by the slopes measured \
         with {} connections. The kernel memory is that of both ends of each connection, since \
         client and server run on the same machine.",
        gigabytes("idle_rss_bytes_per_conn")?,
        gigabytes("kernel_bytes_per_conn")?,
        number::figure(count as f64)
    ))
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::summary;
    use super::*;

    fn verdict(name: &str, median: f64) -> &'static str {
        let rows = rows(&summary(&[(name, median)]));
        rows.into_iter().find(|row| row.figure == name).expect("it is a goal").verdict
    }

    #[test]
    fn the_median_counts() {
        assert_eq!(verdict("idle_rss_bytes_per_conn_10k", 1_500.0), "met");
        assert_eq!(verdict("idle_rss_bytes_per_conn_10k", 1_500.1), "not met");
        assert_eq!(verdict("http_publish_vs_axum", 0.7), "met");
        assert_eq!(verdict("http_publish_vs_axum", 0.69), "not met");
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let rows = rows(&Summary::default());
        assert_eq!(rows.len(), GOALS.len());
        assert!(rows.iter().all(|row| row.verdict == "not measured" && row.measured.is_empty()));
    }

    #[test]
    fn every_peer_is_a_goal_but_not_the_floor() {
        let check = |ours: f64| {
            let rows = rows(&summary(&[
                ("idle_rss_bytes_per_conn_1k", 1.0),
                ("cpu_ns_per_delivery_1k", ours),
                ("floor.cpu_ns_per_delivery_1k", 1.0),
                ("forebay_ext.cpu_ns_per_delivery_1k", 1.0),
                ("a.cpu_ns_per_delivery_1k", 20.0),
                ("b.cpu_ns_per_delivery_1k", 10.0),
            ]));
            let row = rows.into_iter().find(|row| row.figure == "cpu_ns_per_delivery_1k");
            let row = row.expect("it is a goal");
            assert!(row.what.ends_with("the best is b"), "{}", row.what);
            row.verdict
        };
        assert_eq!(check(9.0), "met");
        assert_eq!(check(10.0), "not met");
    }

    #[test]
    fn latencies_are_compared_where_each_peer_is_half_busy() {
        let verdict = |figures: &[(&str, f64)]| {
            let row =
                rows(&summary(figures)).into_iter().find(|row| row.what.contains("each peer's"));
            let row = row.expect("it is a goal");
            assert!(row.what.ends_with("the closest is a"), "{}", row.what);
            row.verdict
        };
        let check = |ours: f64| {
            verdict(&[
                ("a.forebay_at_half_p99_us", ours),
                ("a.load_50_p99_us", 5.0),
                ("b.forebay_at_half_p99_us", 9.0),
                ("b.load_50_p99_us", 90.0),
            ])
        };
        assert_eq!(check(4.0), "met");
        assert_eq!(check(6.0), "not met");
        assert_eq!(verdict(&[("a.load_50_p99_us", 5.0)]), "not measured");
    }

    #[test]
    fn a_million_is_from_the_most_connections() {
        let text = million(&summary(&[
            ("idle_rss_bytes_per_conn_1k", 9_999.0),
            ("idle_rss_bytes_per_conn_10k", 1_250.0),
            ("kernel_bytes_per_conn_10k", 4_500.0),
        ]));
        let text = text.expect("both were measured").replace('\u{a0}', " ");
        assert!(text.contains("1.25 GB RSS and 4.50 GB kernel memory"), "{text}");
        assert!(text.contains("10 000 connections"), "{text}");
        assert_eq!(million(&Summary::default()), None);
    }
}
