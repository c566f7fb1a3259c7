//! Which scenarios there are, for which servers and how often.

use anyhow::Result;

use super::plan::Plan;
use super::{Bench, churn, cores, curves, delivery, log, memory, publishing, rates, slow, storms};
use crate::servers::{FLOOR, FOREBAY, Server, is_ours};

/// A part of the bench that can be run alone.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    /// As `--only` takes it.
    pub(crate) name: &'static str,
    of: Of,
    often: Often,
    pub(super) measure: fn(&mut Bench, &Server) -> Result<()>,
}

/// Which servers take part.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    All,
    /// Forebay alone, and perhaps the floor as a part of it.
    Forebay,
}

/// In how many repeats.
#[derive(Clone, Copy)]
enum Often {
    Always,
    /// In fewer, since it takes long.
    Seldom,
    Once,
}

use Of::{All, Forebay};
use Often::{Always, Once, Seldom};

/// In the order in which they are run.
pub(crate) const SCENARIOS: [Scenario; 12] = [
    Scenario { name: "delivery", of: All, often: Always, measure: delivery::measure },
    Scenario { name: "memory", of: All, often: Seldom, measure: memory::most },
    Scenario { name: "cursors", of: Forebay, often: Always, measure: memory::with_cursors },
    Scenario { name: "connects", of: All, often: Always, measure: storms::connect },
    Scenario { name: "resume", of: All, often: Always, measure: storms::resume },
    Scenario { name: "publishing", of: Forebay, often: Always, measure: publishing::measure },
    Scenario { name: "log", of: Forebay, often: Always, measure: log::measure },
    Scenario { name: "rates", of: All, often: Seldom, measure: rates::measure },
    Scenario { name: "cores", of: All, often: Seldom, measure: cores::measure },
    Scenario { name: "curves", of: Forebay, often: Always, measure: curves::measure },
    Scenario { name: "slow", of: Forebay, often: Seldom, measure: slow::measure },
    Scenario { name: "churn", of: Forebay, often: Once, measure: churn::measure },
];

impl Scenario {
    /// Whether it is run of this server in this repeat (the first is 1).
    pub(super) fn is_due(&self, server: &Server, plan: &Plan, repeat: usize) -> bool {
        let takes_part = self.of == All || server.name == FOREBAY.name;
        let ours = is_ours(server.name) || server.name == FLOOR.name;
        let repeats = if ours { plan.repeats } else { plan.peer_repeats };
        let repeats = match self.often {
            Always => repeats,
            Seldom => repeats.min(plan.seldom_repeats),
            Once => 1,
        };
        takes_part && repeat <= repeats
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::Options;
    use super::*;
    use crate::servers::ALL;

    #[test]
    fn peers_and_long_scenarios_have_fewer_repeats() {
        let mut plan = Plan::new(&Options::default());
        (plan.repeats, plan.peer_repeats, plan.seldom_repeats) = (5, 2, 3);
        let peer = ALL.iter().find(|server| server.name == "nchan").expect("a peer");
        let repeats = |name: &str, server: &Server| {
            let scenario = SCENARIOS.iter().find(|scenario| scenario.name == name);
            let scenario = scenario.expect("a scenario");
            (1..=9).filter(|repeat| scenario.is_due(server, &plan, *repeat)).count()
        };
        let of = |name| [&FOREBAY, &FLOOR, peer].map(|server| repeats(name, server));
        assert_eq!(of("delivery"), [5, 5, 2]);
        assert_eq!(of("memory"), [3, 3, 2]);
        assert_eq!(of("slow"), [3, 0, 0]);
        assert_eq!(of("curves"), [5, 0, 0]);
        assert_eq!(of("churn"), [1, 0, 0]);
    }
}
