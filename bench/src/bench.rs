//! The orchestrator: which server gets which work, in which order, and what is taken down.
//!
//! Every figure is taken several times. In each repeat a scenario goes from the floor over all servers
//! before the next one begins, so that a ratio compares what ran within minutes.

mod churn;
mod cores;
mod curves;
mod delivery;
mod log;
mod memory;
mod plan;
mod publishing;
mod rates;
mod scenario;
mod site;
mod slow;
mod storms;
mod syscalls;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, ensure};

pub(crate) use self::plan::Options;
use self::plan::Plan;
use crate::figures::Figures;
use crate::load::Target;
use crate::report;
use crate::servers::{self, FLOOR, FOREBAY, Place, Prepared, Running, Server};

/// What a whole run works with.
pub(crate) struct Bench {
    pub(crate) plan: Plan,
    pub(crate) figures: Figures,
    /// Those that can be had, with what the report says of them.
    pub(crate) servers: Vec<(Server, Prepared)>,
    place: Place,
    _scratch: tempfile::TempDir,
}

/// Measures, and writes the report after each repeat: hours are not lost by an end before the last.
pub(crate) fn run(options: &Options) -> Result<()> {
    options.check()?;
    let began = Instant::now();
    let mut bench = Bench::new(options)?;
    let folder = options.report.clone().unwrap_or_else(|| bench.place.root.join("bench/report"));
    let scenarios = options.scenarios();
    for repeat in 1..=bench.plan.repeats {
        println!(
            "repeat {repeat} of {}, {} s so far",
            bench.plan.repeats,
            began.elapsed().as_secs()
        );
        bench.figures.begin_repeat();
        for scenario in &scenarios {
            for server in bench.all() {
                if scenario.is_due(&server, &bench.plan, repeat) {
                    let began = Instant::now();
                    bench.attempt(&server, scenario.measure);
                    let seconds = began.elapsed().as_secs_f64();
                    println!("  {} of {}: {seconds:.1} s", scenario.name, server.name);
                }
            }
        }
        let html = bench.place.built.join(report::HTML);
        report::write(&bench, &folder, &html)?;
        let (seconds, folder, html) = (began.elapsed().as_secs(), folder.display(), html.display());
        println!("{seconds} s; the report is in {folder}, with plots as {html}");
    }
    Ok(())
}

impl Bench {
    fn new(options: &Options) -> Result<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let scratch = tempfile::tempdir()?;
        let place = Place {
            root,
            built: servers::built()?,
            scratch: scratch.path().to_owned(),
            anycable: options.anycable.clone(),
            envelope: envelope(&FOREBAY.target(0, 1)),
            replay: 0,
            cores: 1,
            options: &[],
        };
        let plan = Plan::new(options);
        let mut bench = Self {
            plan,
            figures: Figures::default(),
            servers: Vec::new(),
            place,
            _scratch: scratch,
        };
        for server in servers::ALL.iter().filter(|server| options.wants(server)) {
            println!("preparing {}", server.name);
            match (server.prepare)(&bench.place) {
                Ok(prepared) => bench.servers.push((*server, prepared)),
                Err(error) => bench.skip(server, &error),
            }
        }
        let has = |server: Server| bench.servers.iter().any(|(other, _)| other.name == server.name);
        ensure!(
            has(FLOOR) && has(FOREBAY),
            "nothing can be compared without the floor and Forebay"
        );
        Ok(bench)
    }

    fn all(&self) -> Vec<Server> {
        self.servers.iter().map(|(server, _)| *server).collect()
    }

    /// What one server can't do keeps nobody from measuring the others; it is in the report.
    fn attempt(&mut self, server: &Server, measure: fn(&mut Self, &Server) -> Result<()>) {
        if let Err(error) = measure(self, server) {
            self.skip(server, &error);
        }
    }

    fn skip(&mut self, server: &Server, error: &anyhow::Error) {
        println!("skipped {}: {error:#}", server.name);
        let why = self.figures.skipped.entry(server.name.to_owned()).or_default();
        let error = format!("{error:#}");
        if !why.contains(&error) {
            why.push_str(if why.is_empty() { "" } else { "; " });
            why.push_str(&error);
        }
    }

    fn start(&self, server: &Server) -> Result<Running> {
        self.start_on(server, self.plan.server_cores)
    }

    fn start_on(&self, server: &Server, cores: &str) -> Result<Running> {
        server.start(&self.place, cores)
    }

    /// Does something while Forebay is started with more options.
    fn with_options<T>(
        &mut self,
        options: &'static [&'static str],
        work: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.place.options = options;
        let result = work(self);
        self.place.options = &[];
        result
    }

    fn scratch(&self) -> &Path {
        &self.place.scratch
    }
}

/// What Forebay puts around a message for this target's first stream.
fn envelope(target: &Target) -> (String, String) {
    let identifier = serde_json::Value::from(target.identifier(0, 0));
    (format!(r#"{{"identifier":{identifier},"message":"#), "}".to_owned())
}

/// A figure's name: Forebay's own have no prefix.
fn name(server: &Server, figure: &str) -> String {
    if server.name == FOREBAY.name {
        figure.to_owned()
    } else {
        format!("{}.{figure}", server.name)
    }
}
