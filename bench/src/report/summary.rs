//! What `summary.json` holds. Names of figures stay as they are between versions.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::machine::Machine;
use super::{measures, number};
use crate::bench::Bench;
use crate::figures::Figure;
use crate::servers::{FLOOR, FOREBAY, is_ours};

/// Names that say no number of connections: they are the figures at 10 000.
const ALIASES: [(&str, &str); 3] = [
    ("idle_rss_bytes_per_conn", "idle_rss_bytes_per_conn_10k"),
    ("burst8_vs_writev_floor", "burst8_cpu_per_delivery_vs_floor_10k"),
    ("burst32_vs_writev_floor", "burst32_cpu_per_delivery_vs_floor_10k"),
];

/// What should be the same wherever it is measured; their names go on with where that was.
const CURVES: [&str; 3] = ["curve_idle_", "curve_streams_", "curve_history_"];

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Summary {
    /// When it was written.
    pub(super) date: String,
    pub(super) machine: Machine,
    pub(super) plan: Settings,
    pub(super) servers: BTreeMap<String, Described>,
    /// Servers of which something could not be measured, and why.
    pub(super) skipped: BTreeMap<String, String>,
    /// How figures are measured, by what their names have in common.
    pub(super) measures: BTreeMap<String, String>,
    /// Forebay's have no prefix, others their server's name and a dot.
    pub(super) figures: BTreeMap<String, Figure>,
}

/// How much was measured.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) name: String,
    pub(super) repeats: usize,
    #[serde(default)]
    pub(super) peer_repeats: usize,
    #[serde(default)]
    pub(super) seldom_repeats: usize,
    pub(super) connections: Vec<usize>,
    /// Bytes of HTML in a payload.
    pub(super) sizes: Vec<usize>,
    /// Entries in a burst.
    pub(super) bursts: Vec<usize>,
    pub(super) server_cores: String,
    pub(super) load_cores: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Described {
    pub(super) version: String,
    pub(super) options: String,
}

impl Summary {
    pub(super) fn of(bench: &Bench) -> Self {
        let plan = &bench.plan;
        let described = |prepared: &crate::servers::Prepared| Described {
            version: prepared.version.clone(),
            options: prepared.options.to_owned(),
        };
        let servers = bench.servers.iter();
        Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string(),
            machine: Machine::this(),
            plan: Settings {
                name: plan.name.to_owned(),
                repeats: plan.repeats,
                peer_repeats: plan.peer_repeats,
                seldom_repeats: plan.seldom_repeats,
                connections: plan.connections.clone(),
                sizes: plan.sizes.clone(),
                bursts: plan.bursts.clone(),
                server_cores: plan.server_cores.to_owned(),
                load_cores: plan.load_cores.to_owned(),
            },
            servers: servers
                .map(|(server, prepared)| (server.name.to_owned(), described(prepared)))
                .collect(),
            skipped: bench.figures.skipped.clone(),
            measures: BTreeMap::new(),
            figures: bench.figures.all(),
        }
        .completed()
    }

    /// With the figures' other names, and with how they are measured.
    fn completed(mut self) -> Self {
        // JSON has no infinity, and what was divided by nothing is no figure.
        self.figures.retain(|_, figure| {
            [figure.median, figure.min, figure.max].into_iter().all(f64::is_finite)
        });
        for server in self.names() {
            for (alias, name) in ALIASES {
                if let Some(figure) = self.figure(&server, name).cloned() {
                    self.figures.insert(key(&server, alias), figure);
                }
            }
        }
        for server in self.names() {
            for curve in CURVES {
                if let Some(figure) = self.flatness(&server, curve) {
                    self.figures.insert(key(&server, &format!("{curve}most_vs_least")), figure);
                }
            }
        }
        self.measures = measures::of(&self.figures);
        self
    }

    /// The most of a curve's medians divided by the least.
    fn flatness(&self, server: &str, curve: &str) -> Option<Figure> {
        let series = self.series(server, curve, "");
        let medians = || series.values().map(|figure| figure.median);
        let ratio = medians().reduce(f64::max)? / medians().reduce(f64::min)?;
        let samples = series.values().map(|figure| figure.samples).min()?;
        let is_curve = series.len() > 1 && ratio.is_finite();
        is_curve.then_some(Figure { median: ratio, min: ratio, max: ratio, samples })
    }

    /// Forebay, its other dialects, the floor, then all others by name.
    pub(super) fn names(&self) -> Vec<String> {
        let prefix = |name: &String| match name.split_once('.') {
            Some((server, _)) => server.to_owned(),
            None => FOREBAY.name.to_owned(),
        };
        let names: BTreeSet<_> =
            self.figures.keys().map(prefix).chain(self.servers.keys().cloned()).collect();
        let mut names: Vec<_> = names.into_iter().collect();
        names.sort_by_key(|name| match name {
            name if name == FOREBAY.name => 0,
            name if is_ours(name) => 1,
            name if name == FLOOR.name => 2,
            _ => 3,
        });
        names
    }

    pub(super) fn figure(&self, server: &str, name: &str) -> Option<&Figure> {
        self.figures.get(&key(server, name))
    }

    pub(super) fn median(&self, server: &str, name: &str) -> Option<f64> {
        self.figure(server, name).map(|figure| figure.median)
    }

    /// All figures of a server whose names differ in a number between `before` and `after`, by that
    /// number.
    pub(super) fn series(&self, server: &str, before: &str, after: &str) -> BTreeMap<u64, &Figure> {
        let start = key(server, before);
        let from = self.figures.range(start.clone()..);
        from.take_while(|(name, _)| name.starts_with(&start))
            .filter_map(|(name, figure)| {
                Some((number::parse(name[start.len()..].strip_suffix(after)?)?, figure))
            })
            .collect()
    }

    /// The numbers of connections at which anything was measured, as the figures' names say them.
    pub(super) fn connections(&self) -> BTreeMap<u64, String> {
        const BEFORE: &str = "idle_rss_bytes_per_conn_";
        let suffixes = self.figures.keys().filter_map(|name| Some(name.split_once(BEFORE)?.1));
        suffixes.filter_map(|text| Some((number::parse(text)?, text.to_owned()))).collect()
    }
}

fn key(server: &str, name: &str) -> String {
    if server == FOREBAY.name { name.to_owned() } else { format!("{server}.{name}") }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A summary of these medians, each with a spread of a tenth.
    pub(in super::super) fn summary(medians: &[(&str, f64)]) -> Summary {
        let figure =
            |median: f64| Figure { median, min: median * 0.9, max: median * 1.1, samples: 5 };
        let figures = medians.iter().map(|(name, median)| ((*name).to_owned(), figure(*median)));
        Summary { figures: figures.collect(), ..Summary::default() }.completed()
    }

    #[test]
    fn the_names_that_others_rely_on() {
        let summary = summary(&[
            ("idle_rss_bytes_per_conn_10k", 1.0),
            ("burst8_cpu_per_delivery_vs_floor_10k", 2.0),
            ("burst32_cpu_per_delivery_vs_floor_10k", 3.0),
            ("nchan.idle_rss_bytes_per_conn_10k", 4.0),
            ("nchan.burst32_cpu_per_delivery_vs_floor_10k", 5.0),
            ("nchan.idle_rss_bytes_per_conn_1k", 6.0),
        ]);
        let json = serde_json::to_value(&summary).unwrap();
        for (name, median) in [
            ("idle_rss_bytes_per_conn", 1.0),
            ("burst8_vs_writev_floor", 2.0),
            ("burst32_vs_writev_floor", 3.0),
            ("nchan.idle_rss_bytes_per_conn", 4.0),
            ("nchan.burst32_vs_writev_floor", 5.0),
        ] {
            let figure = &json["figures"][name];
            assert_eq!(figure["median"], median, "{name}");
            assert_eq!(figure["min"], median * 0.9, "{name}");
            assert_eq!(figure["max"], median * 1.1, "{name}");
            assert_eq!(figure["samples"], 5, "{name}");
        }
        assert!(json["figures"]["nchan.burst8_vs_writev_floor"].is_null());
    }

    #[test]
    fn what_is_written_can_be_read() {
        let written = summary(&[("a", 1.5), ("b", f64::INFINITY), ("c", f64::NAN)]);
        let read: Summary =
            serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
        assert_eq!(read.figures, written.figures);
        assert_eq!(read.figures.keys().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn servers_have_an_order() {
        let summary = summary(&[
            ("b.x", 1.0),
            ("x", 1.0),
            ("floor.x", 1.0),
            ("a.x", 1.0),
            ("forebay_ext.x", 1.0),
        ]);
        assert_eq!(summary.names(), ["forebay", "forebay_ext", "floor", "a", "b"]);
    }

    #[test]
    fn a_curve_is_as_flat_as_its_medians() {
        let summary = summary(&[
            ("curve_idle_0", 8.0),
            ("curve_idle_1k", 10.0),
            ("curve_idle_18k", 9.0),
            ("curve_history_0", 1.0),
        ]);
        assert_eq!(summary.median("forebay", "curve_idle_most_vs_least"), Some(1.25));
        assert_eq!(summary.median("forebay", "curve_history_most_vs_least"), None);
    }

    #[test]
    fn a_series_is_what_differs_in_a_number() {
        let summary = summary(&[
            ("nchan.rate_10k_p50_us", 1.0),
            ("nchan.rate_2000_p50_us", 2.0),
            ("nchan.rate_2000_p99_us", 3.0),
            ("rate_2000_p50_us", 4.0),
        ]);
        let series = summary.series("nchan", "rate_", "_p50_us");
        let series: Vec<_> = series.into_iter().map(|(x, figure)| (x, figure.median)).collect();
        assert_eq!(series, [(2_000, 2.0), (10_000, 1.0)]);
    }
}
