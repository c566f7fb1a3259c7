//! `cargo xtask sim`

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Parser;
use forebay_sim::{Tally, Variant, run};

#[derive(Parser)]
#[command(about = "Simulates until a promise is broken, or enough entries were shown")]
struct Arguments {
    /// Entries to be shown, in all worlds together
    #[arg(long, default_value_t = 1_000_000)]
    entries: u64,
    /// Run this world alone
    #[arg(long)]
    seed: Option<u64>,
    /// Entries of one world
    #[arg(long, default_value_t = 20_000)]
    world: u64,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    from: u64,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// A design that is known to be wrong
    #[arg(long, value_enum, default_value_t)]
    variant: Variant,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let began = Instant::now();
    let Arguments { entries, seed, world, from, threads, variant } = arguments;
    let next = AtomicU64::new(seed.unwrap_or(from));
    let stop = AtomicBool::new(false);
    let total = Mutex::new((Tally::default(), Vec::new(), 0_u64));
    std::thread::scope(|scope| {
        for _ in 0..if seed.is_some() { 1 } else { threads } {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let this = next.fetch_add(1, Ordering::Relaxed);
                    let outcome = run(this, world, variant);
                    let mut total = total.lock().expect("no thread panics with it");
                    total.0.add(&outcome.tally);
                    total.2 += 1;
                    if let Some((violation, said)) = outcome.violation {
                        total.1.push(format!("seed {this}: {violation:?}: {said}"));
                    }
                    let enough = total.0.entries >= entries || seed.is_some();
                    if enough || !total.1.is_empty() {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (tally, violations, worlds) = total.into_inner().expect("no thread panics with it");
    let mut out = std::io::stdout().lock();
    for (name, count) in tally.iter() {
        writeln!(out, "{name:>14} {count}")?;
    }
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = tally.entries as f64 / seconds;
    writeln!(out, "{worlds} worlds, {seconds:.1} s, {rate:.0} entries a second")?;
    if violations.is_empty() {
        writeln!(out, "0 lost, 0 doubled, 0 out of order, 0 silent gaps")?;
        return Ok(());
    }
    bail!("{}\nrun it again: cargo xtask sim --world {world} --seed N", violations.join("\n"))
}
