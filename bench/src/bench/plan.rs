//! How much is measured.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::builder::PossibleValuesParser;
use clap::value_parser;

use super::scenario::{SCENARIOS, Scenario};
use crate::servers::{ALL, ANYCABLE, FLOOR, FOREBAY, Server, is_peer};

/// Peers that the quick plan has where none are named. The others, axum as it is by default, Action Cable
/// and Forebay's other dialects, take nearly as long as all of these.
const QUICK_PEERS: [&str; 6] =
    ["axum_ws_tuned", "tokio_websockets", "fastwebsockets", "nchan", "anycable", "centrifugo"];

/// What the command line says.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Fewer repeats of less, and peers once, not all of them unless they are named: some eight minutes, four without peers
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// More payloads and points of the curves, 10 000 slow receivers and an hour of churn: several hours
    #[arg(long)]
    full: bool,
    /// Only these scenarios
    #[arg(long, value_delimiter = ',', value_name = "SCENARIO", value_parser = scenarios())]
    only: Option<Vec<String>>,
    /// Only these servers, beside the floor and Forebay; or none
    #[arg(long, value_delimiter = ',', value_name = "SERVER", value_parser = servers())]
    servers: Option<Vec<String>>,
    /// The anycable-go to measure; otherwise what PATH has, or what Go builds
    #[arg(long, value_name = "FILE")]
    pub(super) anycable: Option<PathBuf>,
    /// Only these numbers of connections, where single broadcasts and bursts are measured
    #[arg(long, value_delimiter = ',')]
    connections: Option<Vec<usize>>,
    /// How often everything is measured, of peers and in long scenarios, too; but churn is measured once
    #[arg(long, value_parser = value_parser!(u16).range(1..))]
    repeats: Option<u16>,
    /// Clients that read 1 000 bytes a second, beside 100 others
    #[arg(long, value_name = "CLIENTS")]
    slow_receivers: Option<usize>,
    /// How long connections come and go, 500 a second
    #[arg(long, value_name = "MINUTES")]
    churn: Option<f64>,
    /// Where the report goes; bench/report if not given
    #[arg(long)]
    pub(super) report: Option<PathBuf>,
}

fn scenarios() -> PossibleValuesParser {
    SCENARIOS.map(|scenario| scenario.name).into()
}

fn servers() -> PossibleValuesParser {
    ALL.iter().map(|server| server.name).chain([NONE]).collect::<Vec<_>>().into()
}

/// In place of servers: no peers.
const NONE: &str = "none";

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) repeats: usize,
    pub(crate) peer_repeats: usize,
    /// Of scenarios that take long.
    pub(crate) seldom_repeats: usize,
    pub(crate) connections: Vec<usize>,
    /// Bytes of HTML in a payload.
    pub(crate) sizes: Vec<usize>,
    /// Entries in a burst.
    pub(crate) bursts: Vec<usize>,
    /// Rounds in a stretch, at least.
    rounds_min: usize,
    /// Deliveries in a stretch, as long as rounds are that small.
    deliveries: usize,
    /// Of a peer.
    peer_deliveries: usize,
    pub(crate) post_seconds: f64,
    /// How long a rate has to be sustained.
    pub(crate) rate_seconds: f64,
    /// Deliveries per second that are measured first.
    pub(crate) rate_first: f64,
    /// Shares of what a server sustains that are measured, in per cent.
    pub(crate) rate_shares: &'static [u32],
    /// How often the interval in which saturation lies is halved.
    pub(crate) rate_refinements: usize,
    pub(crate) curve_idle: Vec<usize>,
    pub(crate) curve_streams: Vec<usize>,
    pub(crate) curve_history: Vec<usize>,
    pub(crate) slow_receivers: usize,
    pub(crate) slow_seconds: f64,
    pub(crate) churn_minutes: f64,
    pub(crate) server_cores: &'static str,
    pub(crate) load_cores: &'static str,
}

impl Options {
    /// Fails where one option leaves nothing for another to do.
    pub(super) fn check(&self) -> Result<()> {
        let none = self.servers.as_ref().filter(|names| names.iter().any(|name| name == NONE));
        ensure!(
            none.is_none_or(|names| names.len() == 1),
            "--servers {NONE} cannot be used with the name of a server"
        );
        for (is_given, flag, scenario) in [
            (self.connections.is_some(), "--connections", "delivery"),
            (self.slow_receivers.is_some(), "--slow-receivers", "slow"),
            (self.churn.is_some(), "--churn", "churn"),
        ] {
            let is_run = self.scenarios().iter().any(|run| run.name == scenario);
            ensure!(
                !is_given || is_run,
                "{flag} is for the scenario {scenario}, which --only leaves out"
            );
        }
        if let Some(file) = &self.anycable {
            ensure!(self.wants(&ANYCABLE), "--anycable is for a server that --servers leaves out");
            ensure!(file.is_file(), "--anycable: there is no file {}", file.display());
        }
        Ok(())
    }

    pub(super) fn wants(&self, server: &Server) -> bool {
        let always = server.name == FLOOR.name || server.name == FOREBAY.name;
        let chosen = match &self.servers {
            Some(names) => names.iter().any(|name| name == server.name),
            None => !self.quick || QUICK_PEERS.contains(&server.name),
        };
        always || chosen
    }

    pub(super) fn scenarios(&self) -> Vec<Scenario> {
        let wanted = |scenario: &Scenario| {
            let named = |names: &Vec<String>| names.iter().any(|name| name == scenario.name);
            self.only.as_ref().is_none_or(named)
        };
        SCENARIOS.into_iter().filter(wanted).collect()
    }
}

impl Plan {
    pub(super) fn new(options: &Options) -> Self {
        let base = Self {
            name: "default",
            repeats: 5,
            peer_repeats: 3,
            seldom_repeats: 3,
            connections: vec![1_000, 10_000],
            sizes: vec![400],
            bursts: vec![8, 32],
            rounds_min: 5,
            deliveries: 300_000,
            peer_deliveries: 300_000,
            post_seconds: 2.0,
            rate_seconds: 2.0,
            rate_first: 10_000.0,
            rate_shares: &[25, 50, 75, 90],
            rate_refinements: 3,
            curve_idle: vec![0, 1_000, 5_000, 18_000],
            curve_streams: vec![10, 100, 1_000, 10_000, 100_000],
            curve_history: vec![0, 100, 1_000, 10_000, 100_000],
            slow_receivers: 2_000,
            slow_seconds: 5.0,
            churn_minutes: 1.0,
            server_cores: "0",
            load_cores: "1",
        };
        let mut plan = if options.quick {
            Self {
                name: "quick",
                repeats: 3,
                peer_repeats: 1,
                seldom_repeats: 1,
                rounds_min: 1,
                deliveries: 200_000,
                peer_deliveries: 100_000,
                post_seconds: 0.5,
                rate_seconds: 1.0,
                rate_first: 80_000.0,
                rate_shares: &[50],
                rate_refinements: 1,
                curve_idle: vec![0, 18_000],
                curve_streams: vec![10, 100_000],
                curve_history: vec![0, 100_000],
                slow_receivers: 1_000,
                slow_seconds: 2.0,
                churn_minutes: 0.1,
                ..base
            }
        } else if options.full {
            Self {
                name: "full",
                peer_repeats: 5,
                seldom_repeats: 5,
                sizes: vec![200, 400, 2_000, 20_000],
                rate_seconds: 5.0,
                rate_refinements: 4,
                curve_idle: vec![0, 100, 1_000, 2_000, 5_000, 10_000, 18_000],
                slow_receivers: 10_000,
                churn_minutes: 60.0,
                ..base
            }
        } else {
            base
        };
        if let Some(connections) = &options.connections {
            plan.connections.clone_from(connections);
        }
        if let Some(repeats) = options.repeats.map(usize::from) {
            (plan.repeats, plan.peer_repeats, plan.seldom_repeats) = (repeats, repeats, repeats);
        }
        plan.slow_receivers = options.slow_receivers.unwrap_or(plan.slow_receivers);
        plan.churn_minutes = options.churn.unwrap_or(plan.churn_minutes);
        plan
    }

    /// Rounds in which a server gets as many deliveries as a stretch has.
    pub(super) fn rounds(&self, server: &Server, receivers: usize, burst: usize) -> usize {
        let peer = is_peer(server.name);
        let deliveries = if peer { self.peer_deliveries } else { self.deliveries };
        (deliveries / receivers / burst).max(self.rounds_min)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: Options,
    }

    fn parsed(line: &str) -> Options {
        Command::try_parse_from(line.split(' ')).expect("it is understood").options
    }

    #[test]
    fn one_scenario_can_be_run_alone() {
        let names = |line| parsed(line).scenarios().iter().map(|one| one.name).collect::<Vec<_>>();
        assert_eq!(names("bench --only rates,delivery"), ["delivery", "rates"]);
        assert_eq!(names("bench").len(), SCENARIOS.len());
        assert!(Command::try_parse_from(["bench", "--only", "nothing"]).is_err());
    }

    #[test]
    fn options_that_exclude_each_other_are_refused() {
        let check = |line, expected: &str| {
            let said = parsed(line).check().expect_err(line).to_string();
            assert!(said.contains(expected), "{line}: {said}");
        };
        check("bench --servers none,nchan", "--servers none cannot be used with");
        check("bench --only rates --churn 5", "--churn is for the scenario churn");
        check("bench --only rates --connections 5", "--connections is for the scenario delivery");
        check("bench --only rates --slow-receivers 5", "for the scenario slow");
        check("bench --servers nchan --anycable /bin/sh", "--servers leaves out");
        check("bench --anycable /nowhere", "there is no file /nowhere");
        for line in ["bench --quick --full", "bench --servers nchn", "bench --repeats 0"] {
            assert!(Command::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
        parsed("bench --quick --only churn --churn 5 --anycable /bin/sh").check().unwrap();
    }

    #[test]
    fn without_peers_the_floor_and_forebay_stay() {
        let options = parsed("bench --servers none");
        let servers = ALL.iter().filter(|server| options.wants(server));
        assert_eq!(servers.map(|server| server.name).collect::<Vec<_>>(), ["floor", "forebay"]);
    }

    #[test]
    fn the_quick_plan_has_some_of_the_peers_if_none_are_named() {
        let count = |line| {
            let options = parsed(line);
            ALL.iter().filter(|server| options.wants(server)).count()
        };
        assert_eq!(count("bench --quick"), 2 + QUICK_PEERS.len());
        assert_eq!(count("bench --quick --servers action_cable"), 3);
        assert_eq!(count("bench"), ALL.len());
    }

    #[test]
    fn flags_are_stronger_than_the_plan() {
        let plan = Plan::new(&parsed("bench --quick --repeats 2 --churn 60 --slow-receivers 7"));
        assert_eq!((plan.repeats, plan.peer_repeats, plan.seldom_repeats), (2, 2, 2));
        assert_eq!((plan.churn_minutes, plan.slow_receivers, plan.name), (60.0, 7, "quick"));
    }
}
