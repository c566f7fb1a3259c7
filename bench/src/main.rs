//! `cargo xtask bench`: what a delivery costs, beside the bare system calls and other servers.
//!
//! One program in three roles: the orchestrator, which starts servers and generators and writes the
//! report; a generator (`load`), which is many clients; and the floor (`floor`), a server of nothing
//! but system calls.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "nanoseconds, bytes and counts become ratios, and these are far below 2^52"
)]
#![expect(clippy::print_stdout, reason = "the orchestrator says how far it is")]

mod bench;
mod figures;
mod fleet;
mod floor;
mod load;
mod marker;
mod process;
mod report;
mod servers;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::load::work::Floor;

#[derive(Parser)]
#[command(name = "forebay-bench", about = "Measures Forebay, the floor and the peers")]
struct Arguments {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Measure, and write the report
    Run(bench::Options),
    /// Write the report again, from the summary.json in this folder; plots go into target/bench
    Report { folder: PathBuf },
    /// Be a generator: orders come on standard input
    #[command(hide = true)]
    Load,
    /// Be the floor
    #[command(hide = true)]
    Floor(Floor),
}

fn main() -> Result<()> {
    raise_file_limit()?;
    match Arguments::parse().role {
        Role::Run(options) => bench::run(&options),
        Role::Report { folder } => {
            report::write_again(&folder, &servers::built()?.join(report::HTML))
        }
        Role::Load => load::work(),
        Role::Floor(floor) => floor::serve(&floor),
    }
}

/// As many descriptors as the machine allows; servers inherit it.
fn raise_file_limit() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
