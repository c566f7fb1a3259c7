//! What a world is made of, so that it can be made smaller.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::variant::Variant;

/// One world. Equal plans are equal runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Everything comes from it.
    pub seed: u64,
    /// The world goes on until its pages have shown so many entries,
    pub entries: u64,
    /// or for so many steps. Then everything that is wrong ends, and it has to settle.
    pub steps: u64,
    /// The design.
    pub variant: Variant,
    /// Nodes. Several share a log that a server keeps.
    pub nodes: usize,
    /// Whether pages make their visitors present.
    pub presence: bool,
    /// The pages that take part, from 1.
    pub pages: Numbers,
    /// The events that happen, from 1: what is published, and what goes wrong. Those that are left
    /// out change nothing of when and what the others are.
    pub events: Numbers,
}

/// Some numbers, or all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Numbers(Option<BTreeSet<u64>>);

/// One world in so many has its log on disk.
const DISK: u64 = 8;

impl Plan {
    /// Whether the server has its log on disk.
    pub fn is_on_disk(&self) -> bool {
        self.nodes == 1 && (self.seed.is_multiple_of(DISK) || self.variant == Variant::LostTail)
    }

    /// A whole world, of one node if the variant needs no more.
    pub fn new(seed: u64, entries: u64, variant: Variant) -> Self {
        let nodes = if variant.needs_nodes() { 3 } else { 1 };
        Self::of_nodes(nodes, seed, entries, variant)
    }

    /// A whole world of so many nodes.
    pub fn of_nodes(nodes: usize, seed: u64, entries: u64, variant: Variant) -> Self {
        let (pages, events) = (Numbers::default(), Numbers::default());
        let presence = variant.needs_presence();
        Self { seed, entries, steps: u64::MAX, variant, nodes, presence, pages, events }
    }

    /// How many pages there are at a time.
    pub fn page_count(&self) -> usize {
        if self.nodes == 1 { 10 } else { 24 }
    }
}

/// The command that runs it.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, entries, steps, variant, nodes, presence, pages, events } = self;
        write!(f, "cargo xtask sim --seed {seed} --variant {}", variant.name())?;
        if *nodes > 1 {
            write!(f, " --nodes {nodes}")?;
        }
        if *presence {
            f.write_str(" --presence")?;
        }
        for (name, number) in [("world", entries), ("steps", steps)] {
            if *number < u64::MAX {
                write!(f, " --{name} {number}")?;
            }
        }
        for (name, numbers) in [("pages", pages), ("events", events)] {
            if numbers.0.is_some() {
                write!(f, " --{name} {numbers}")?;
            }
        }
        Ok(())
    }
}

impl Numbers {
    /// These.
    pub fn some(numbers: impl IntoIterator<Item = u64>) -> Self {
        Self(Some(numbers.into_iter().collect()))
    }

    /// Whether they are not all.
    pub fn are_some(&self) -> bool {
        self.0.is_some()
    }

    /// Whether it is one of them.
    pub fn contains(&self, number: u64) -> bool {
        self.0.as_ref().is_none_or(|numbers| numbers.contains(&number))
    }

    /// Those of them that are not past `last`.
    pub fn up_to(&self, last: u64) -> Vec<u64> {
        match &self.0 {
            Some(numbers) => numbers.range(..=last).copied().collect(),
            None => (1..=last).collect(),
        }
    }
}

/// `1-3,7`; `0` for none.
impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(numbers) = &self.0 else { return f.write_str("all") };
        if numbers.is_empty() {
            return f.write_str("0");
        }
        let mut rest = numbers.iter().copied().peekable();
        let mut comma = "";
        while let Some(first) = rest.next() {
            let mut last = first;
            while let Some(next) = rest.next_if_eq(&(last + 1)) {
                last = next;
            }
            match last - first {
                0 => write!(f, "{comma}{first}")?,
                _ => write!(f, "{comma}{first}-{last}")?,
            }
            comma = ",";
        }
        Ok(())
    }
}

impl FromStr for Numbers {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut numbers = BTreeSet::new();
        for range in text.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            numbers.extend(first.parse::<u64>()?..=last.parse()?);
        }
        Ok(Self(Some(numbers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_a_command() {
        let mut plan = Plan::new(7, 500, Variant::NonAtomic);
        assert_eq!(plan.to_string(), "cargo xtask sim --seed 7 --variant non-atomic --world 500");
        plan.entries = u64::MAX;
        plan.steps = 30;
        plan.events = Numbers::some([3, 1, 2, 9]);
        let command = plan.to_string();
        assert!(command.ends_with(" --steps 30 --events 1-3,9"), "{command}");
        assert_eq!("1-3,9".parse(), Ok(plan.events));
        assert_eq!(Numbers::some([]).to_string().parse(), Ok(Numbers::some([0])));
        assert!("1-x".parse::<Numbers>().is_err());
    }
}
