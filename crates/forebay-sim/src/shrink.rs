//! From a world that breaks a promise to a small one that breaks the same.
//!
//! Its schedule is repeated with parts left out: fewer pages, fewer events, less time. What still
//! fails is kept, until nothing more can be left out or enough was tried.

use crate::model::Violation;
use crate::plan::{Numbers, Plan};
use crate::world::{Outcome, run};

/// Worlds that are tried, at the most.
const TRIALS_MAX: u32 = 1_500;

/// A smaller world.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shrunk {
    /// How to run it.
    pub plan: Plan,
    /// What it breaks.
    pub violation: Violation,
    /// What it says.
    pub said: String,
    /// Its pages.
    pub pages: usize,
    /// What happens in it.
    pub events: usize,
}

/// Makes a failing world smaller. `None` if it doesn't fail.
pub fn shrink(plan: &Plan) -> Option<Shrunk> {
    let outcome = run(plan);
    let (violation, said) = outcome.violation.clone()?;
    let mut search = Search {
        plan: Plan { entries: u64::MAX, ..plan.clone() },
        violation,
        said,
        pages: Vec::new(),
        events: Vec::new(),
        trials: 0,
    };
    search.keep(&outcome);
    loop {
        let before = (search.pages.len(), search.events.len(), search.plan.steps);
        search.leave_out(|search| &mut search.pages, |plan, some| plan.pages = some);
        search.leave_out(|search| &mut search.events, |plan, some| plan.events = some);
        search.shorten();
        let after = (search.pages.len(), search.events.len(), search.plan.steps);
        if before == after || search.trials >= TRIALS_MAX {
            break;
        }
    }
    let Search { plan, violation, said, pages, events, .. } = search;
    Some(Shrunk { plan, violation, said, pages: pages.len(), events: events.len() })
}

struct Search {
    plan: Plan,
    violation: Violation,
    said: String,
    pages: Vec<u64>,
    events: Vec<u64>,
    trials: u32,
}

impl Search {
    /// What is behind the failure is not needed for it.
    fn keep(&mut self, outcome: &Outcome) {
        self.plan.steps = outcome.steps;
        self.pages = self.plan.pages.up_to(outcome.pages);
        self.events = self.plan.events.up_to(outcome.events);
        self.plan.pages = Numbers::some(self.pages.iter().copied());
        self.plan.events = Numbers::some(self.events.iter().copied());
    }

    fn fails(&mut self, plan: Plan) -> bool {
        self.trials += 1;
        let outcome = run(&plan);
        let Some((violation, said)) = outcome.violation.clone() else { return false };
        if violation != self.violation {
            return false;
        }
        (self.plan, self.said) = (plan, said);
        self.keep(&outcome);
        true
    }

    /// Halves first, then quarters, down to single ones.
    fn leave_out(
        &mut self,
        numbers: impl Fn(&mut Self) -> &mut Vec<u64>,
        change: impl Fn(&mut Plan, Numbers),
    ) {
        let mut size = numbers(self).len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < numbers(self).len() && self.trials < TRIALS_MAX {
                let all = numbers(self).clone();
                let end = (at + size).min(all.len());
                let rest = all[..at].iter().chain(&all[end..]).copied();
                let mut plan = self.plan.clone();
                change(&mut plan, Numbers::some(rest));
                if !self.fails(plan) {
                    at = end;
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }

    fn shorten(&mut self) {
        let steps = self.plan.steps;
        for part in 0..8 {
            let plan = Plan { steps: steps / 8 * part, ..self.plan.clone() };
            if plan.steps < steps && self.trials < TRIALS_MAX && self.fails(plan) {
                return;
            }
        }
    }
}
