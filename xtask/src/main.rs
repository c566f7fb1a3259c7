//! What the repository can do, each in one command that installs what it needs.
//!
//! `cargo xtask demo` serves the demo; `cargo xtask test` passes everything that CI asks for.

mod browser;
mod checks;
mod cluster;
mod fuzz;
mod instructions;
mod package;
mod ruby;
mod run;
mod servers;
mod test;
mod tools;
mod wasm;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::run::{cargo, repository, step};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Forebay's tasks")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build and serve the demo; prints `ready URL` when it serves
    Demo {
        /// The port to serve on; 0 takes any free one
        #[arg(long, default_value_t = 3000)]
        port: u16,
        /// Serve it from so many nodes behind one address, which the page *Tunnel* can kill
        #[arg(long, requires = "log")]
        nodes: Option<usize>,
        /// Where these have their log: redis, redis-sentinel, nats, nats-newest, postgres; or folder, for one node
        #[arg(long)]
        log: Option<String>,
    },
    /// Kill nodes, writers and log stores under open pages, and compare these with the database
    Kill {
        /// What `forebay-cluster kill --help` shows: --log redis, --kills N, --only partition, …
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Run every check: format, clippy, unit, simulation, vectors, wasm, packages, documentation,
    /// instructions, browser
    Test,
    /// Run the checks that need more time or tools than `test` has: licenses, advisories, promises of the
    /// last release, oldest compilers, and the workspaces beside this one
    Checks,
    /// Run only the browser tests
    Browser {
        /// Files of e2e/tests to run; without them all but those that take minutes
        files: Vec<String>,
        /// Those that take minutes, and no others
        #[arg(long, conflicts_with = "files")]
        long: bool,
    },
    /// Make the pictures of docs/inspector.md anew
    Screenshots,
    /// Measure what the open inspector costs under 1 000 broadcasts a second and 5 000 pages
    InspectorLoad,
    /// Build the pure crates for a machine that has no sockets, files, clock or randomness
    Wasm,
    /// Check each crate and program with no more features than its own
    Features,
    /// Build the documentation, with warnings denied
    Documentation,
    /// Run only the tests of what the compiler says about mistakes
    Mistakes,
    /// Run only the gem's tests, and the documentation's snippets that need Ruby, nginx or systemd
    Ruby,
    /// Simulate pages, faults and publishers until a promise is broken or enough was shown
    Sim {
        /// What `forebay-sim --help` shows: --entries N, --seed N, --variant NAME, …
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Count the rows that pages lack and double, with each kind of cursor, at a Postgres and its late replica
    Doubling {
        /// Pages from each of the two
        #[arg(default_value_t = 10_000)]
        pages: u32,
    },
    /// Restart a server under 50 posts a second, gracefully and by `kill -9`, and show what it cost
    Restarts {
        /// How often it ends gracefully
        #[arg(long, default_value_t = 20)]
        graceful: u32,
        /// How often it is killed
        #[arg(long, default_value_t = 20)]
        kill: u32,
        /// Pages that are connected
        #[arg(long, default_value_t = 100)]
        pages: u32,
    },
    /// Deploy three servers one after the other under members with the stock client, and see that nobody leaves
    Deploy {
        /// Members that are connected
        #[arg(long, default_value_t = 1_000)]
        members: u32,
    },
    /// Measure Forebay, the bare system calls and other servers beside each other
    Bench {
        /// What `forebay-bench run --help` shows: --quick, --full, --servers NAMES, …
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Count what the hot paths cost, and compare with bench/instructions.json
    Instructions {
        /// Make this the baseline
        #[arg(long)]
        write: bool,
    },
    /// Make the packages that a registry would get, and build each from its package alone
    Package {
        /// Don't build them
        #[arg(long)]
        no_verify: bool,
    },
    /// Run each fuzz target for a while
    Fuzz {
        /// Seconds for each target
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// One target; all if none is given
        target: Option<String>,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().task {
        Task::Demo { port, nodes, log: Some(log) } => cluster::demo(port, nodes, &log),
        Task::Demo { port, .. } => demo(port),
        Task::Kill { arguments } => cluster::kill(&arguments),
        Task::Test => test::run(),
        Task::Checks => checks::run(),
        Task::Browser { long: true, .. } => browser::test_long(),
        Task::Browser { files, .. } => browser::test(&files),
        Task::Screenshots => browser::screenshots(),
        Task::InspectorLoad => browser::inspector_load(),
        Task::Wasm => wasm::check(),
        Task::Features => test::features(),
        Task::Documentation => test::documentation(),
        Task::Mistakes => test::mistakes(),
        Task::Ruby => ruby::run(),
        Task::Sim { arguments } => sim(&arguments),
        Task::Doubling { pages } => doubling(pages),
        Task::Restarts { graceful, kill, pages } => restarts(graceful, kill, pages),
        Task::Deploy { members } => deploy(members),
        Task::Bench { arguments } => bench(&arguments),
        Task::Instructions { write } => instructions::run(write),
        Task::Package { no_verify } => package::package(!no_verify),
        Task::Fuzz { seconds, target } => fuzz::run(seconds, target.as_deref()),
    }
}

fn sim(arguments: &[String]) -> Result<()> {
    let run = ["run", "--quiet", "--release", "--package", "forebay-sim", "--"];
    let arguments = arguments.iter().map(String::as_str);
    cargo(&run.into_iter().chain(arguments).collect::<Vec<_>>())
}

fn doubling(pages: u32) -> Result<()> {
    servers::ensure_packages()?;
    let run = ["run", "--quiet", "--release", "--package", "forebay-core", "--features"];
    let example = ["outbox-postgres", "--example", "doubling", "--"];
    cargo(&[&run[..], &example[..], &[&pages.to_string()]].concat())
}

fn bench(arguments: &[String]) -> Result<()> {
    let target = checks::bench_target();
    let run = ["run", "--quiet", "--release", "--manifest-path", "bench/Cargo.toml"];
    let run = [&run[..], &["--target-dir", &target, "--", "run"]].concat();
    let arguments = arguments.iter().map(String::as_str);
    cargo(&run.into_iter().chain(arguments).collect::<Vec<_>>())
}

/// A test of the server's, which is short among the others.
fn restarts(graceful: u32, kill: u32, pages: u32) -> Result<()> {
    let build = ["test", "--quiet", "--package", "forebay-server", "--test", "binary", "--"];
    let run = ["restarts_and_kills_lose_nothing", "--nocapture"];
    let [graceful, kill, pages] = [graceful, kill, pages].map(|count| count.to_string());
    let asked = [
        ("FOREBAY_RESTARTS_GRACEFUL", &*graceful),
        ("FOREBAY_RESTARTS_KILL", &*kill),
        ("FOREBAY_RESTARTS_PAGES", &*pages),
        // Two seconds between two ends: more than a `kill -9` may have pages shown again.
        ("FOREBAY_RESTARTS_POSTS", "100"),
    ];
    run::cargo_with(&[&build[..], &run[..]].concat(), &asked)
}

/// A test of the server's, which takes two minutes.
const DEPLOY: &str = "in_a_deploy_of_all_servers";

fn deploy(members: u32) -> Result<()> {
    servers::ensure_packages()?;
    let build = ["test", "--quiet", "--package", "forebay-server", "--test", "binary", "--"];
    let run = [DEPLOY, "--nocapture", "--ignored"];
    let members = members.to_string();
    run::cargo_with(&[&build[..], &run[..]].concat(), &[("FOREBAY_DEPLOY_MEMBERS", &members)])
}

fn demo(port: u16) -> Result<()> {
    let chat = repository().join("examples/chat");
    browser::bundle(&chat, "build")?;
    step("the chat: the first build takes some minutes");
    cargo(&["run", "--quiet", "--package", "forebay-chat", "--", "--port", &port.to_string()])
}
