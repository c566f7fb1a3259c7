//! `cargo xtask sim`

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::{Parser, value_parser};
use forebay_sim::{Numbers, Plan, Tally, Variant, Violation, run, shrink};

/// Either one world, or many until enough entries were shown: options of the other are refused.
#[derive(Debug, Parser)]
#[command(about = "Simulates until a promise is broken, or enough entries were shown")]
struct Arguments {
    /// Entries to be shown, in all worlds together: 1000000, or 1e6
    #[arg(long, visible_alias = "deliveries", default_value = "1e6", value_parser = count)]
    entries: u64,
    /// Nodes, which share a log if there are several
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u8).range(1..=8))]
    nodes: u8,
    /// Pages make their visitors present
    #[arg(long)]
    presence: bool,
    /// No world begins after so many seconds
    #[arg(long)]
    seconds: Option<u64>,
    /// Run this world alone
    #[arg(long, conflicts_with_all = ["entries", "from", "threads"])]
    seed: Option<u64>,
    /// Entries of one world; one of none would never end
    #[arg(long, default_value_t = 20_000, value_parser = value_parser!(u64).range(1..))]
    world: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Worlds that are run at a time
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u64).range(1..=1_024))]
    threads: u64,
    /// A design that is known to be wrong
    #[arg(long, value_enum, default_value_t)]
    variant: Variant,
    /// Steps of the one world, instead of its entries
    #[arg(long, requires = "seed", conflicts_with = "world")]
    steps: Option<u64>,
    /// The pages that take part: 1-3,7. The one world then ends by its steps
    #[arg(long, requires = "steps")]
    pages: Option<Numbers>,
    /// The events that happen: 1-3,7. The one world then ends by its steps
    #[arg(long, requires = "steps")]
    events: Option<Numbers>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let began = Instant::now();
    let Arguments { entries, nodes, presence, seconds, seed, world, from, .. } = arguments;
    let Arguments { threads, variant, steps, pages, events, .. } = arguments;
    let nodes = if nodes > 1 { usize::from(nodes) } else { Plan::new(0, 1, variant).nodes };
    let whole = Plan {
        steps: steps.unwrap_or(u64::MAX),
        // A world that was made smaller ends by its steps.
        entries: if steps.is_some() { u64::MAX } else { world },
        pages: pages.unwrap_or_default(),
        events: events.unwrap_or_default(),
        ..Plan::of_nodes(nodes, 0, world, variant)
    };
    let whole = Plan { presence: presence || whole.presence, ..whole };
    let next = AtomicU64::new(seed.unwrap_or(from));
    let stop = AtomicBool::new(false);
    let total = Mutex::new((Tally::default(), Vec::new(), 0_u64, Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..if seed.is_some() { 1 } else { threads } {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let this = next.fetch_add(1, Ordering::Relaxed);
                    let plan = Plan { seed: this, ..whole.clone() };
                    let outcome = run(&plan);
                    let mut total = total.lock().expect("no thread panics with it");
                    total.0.add(&outcome.tally);
                    total.2 += 1;
                    if seed.is_some() {
                        total.3 = outcome.story;
                    }
                    if let Some((violation, said)) = outcome.violation {
                        let said = format!("{said}, after {} steps", outcome.steps);
                        total.1.push((plan, violation, said));
                    }
                    let is_late = seconds.is_some_and(|max| began.elapsed().as_secs() >= max);
                    let enough = total.0.entries >= entries || seed.is_some() || is_late;
                    if enough || !total.1.is_empty() {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (tally, violations, worlds, story) = total.into_inner().expect("no thread panics with it");
    let mut out = std::io::stdout().lock();
    for line in story {
        writeln!(out, "{line}")?;
    }
    for (name, count) in tally.iter() {
        writeln!(out, "{name:>14} {count}")?;
    }
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = tally.entries as f64 / seconds;
    writeln!(out, "{worlds} worlds, {seconds:.1} s, {rate:.0} entries a second")?;
    let counts = Violation::ALL.map(|(kind, name)| {
        let count = violations.iter().filter(|(_, violation, _)| *violation == kind).count();
        format!("{count} {name}")
    });
    writeln!(out, "{}", counts.join(", "))?;
    // Threads finish in any order; the first seed is always the same.
    let first = violations.into_iter().min_by_key(|(plan, ..)| plan.seed);
    let Some((plan, violation, said)) = first else { return Ok(()) };
    writeln!(out, "{violation:?}: {said}\nrun it again: {plan}\nmaking it smaller …")?;
    drop(out);
    let shrunk = shrink(&plan).map(|small| {
        let (pages, events) = (small.pages, small.events);
        format!(
            "\n\nthe smallest found, of {pages} pages and {events} events: {:?}: {}\nrun it: {}",
            small.violation, small.said, small.plan
        )
    });
    bail!("{violation:?}{}", shrunk.unwrap_or_default())
}

/// `1000000`, or `1e6`.
fn count(text: &str) -> Result<u64, String> {
    let (digits, zeros) = text.split_once('e').unwrap_or((text, "0"));
    let power = zeros.parse().ok().and_then(|zeros| 10_u64.checked_pow(zeros));
    let count = digits.parse::<u64>().ok().zip(power);
    let count = count.and_then(|(digits, power)| digits.checked_mul(power));
    count.ok_or_else(|| "it is no number like 1000000 or 1e6".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::try_parse_from(line.split(' ')).map_err(|error| error.to_string())
    }

    /// Refused, with both options named.
    fn check_refused(line: &str, named: [&str; 2]) {
        let said = parse(line).expect_err(line);
        assert!(named.iter().all(|name| said.contains(name)), "{line}: {said}");
    }

    #[test]
    fn options_that_exclude_each_other_are_refused() {
        Arguments::command().debug_assert();
        check_refused("sim --seed 1 --entries 5", ["--seed", "--entries"]);
        check_refused("sim --entries 5 --seed 1", ["--seed", "--entries"]);
        check_refused("sim --seed 1 --from 2", ["--seed", "--from"]);
        check_refused("sim --seed 1 --threads 2", ["--seed", "--threads"]);
        check_refused("sim --seed 1 --steps 9 --world 5", ["--steps", "--world"]);
    }

    #[test]
    fn what_is_one_worlds_needs_its_seed_and_its_end() {
        check_refused("sim --steps 9", ["required", "--seed"]);
        check_refused("sim --seed 1 --events 1-3", ["required", "--steps"]);
        check_refused("sim --seed 1 --pages 1", ["required", "--steps"]);
    }

    #[test]
    fn a_run_that_would_show_nothing_is_refused() {
        check_refused("sim --threads 0", ["--threads", "0"]);
        check_refused("sim --world 0", ["--world", "0"]);
    }

    /// [`Plan`] prints it when a world fails.
    #[test]
    fn the_command_that_repeats_a_world_is_understood() {
        for plan in [
            Plan::new(7, 500, Variant::NonAtomic),
            Plan::of_nodes(3, 7, 500, Variant::None),
            Plan { presence: true, ..Plan::of_nodes(3, 7, 500, Variant::None) },
            Plan {
                steps: 30,
                pages: Numbers::some([2]),
                events: Numbers::some([1, 2, 9]),
                ..Plan::new(7, u64::MAX, Variant::None)
            },
        ] {
            let line = plan.to_string();
            let line = line.strip_prefix("cargo xtask ").expect("it is a task");
            let arguments = parse(line).unwrap();
            assert_eq!((arguments.seed, arguments.variant), (Some(7), plan.variant));
            assert_eq!(arguments.events.unwrap_or_default(), plan.events);
            assert_eq!(arguments.presence, plan.presence);
        }
    }
}
