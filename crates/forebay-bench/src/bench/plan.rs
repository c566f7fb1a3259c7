//! How much is measured.

use std::path::PathBuf;

use crate::servers::{FLOOR, FOREBAY, Server};

/// What the command line says.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Options {
    /// Fewer repeats of less: about a minute and a half for each server
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// More payloads and more connections: over an hour
    #[arg(long)]
    full: bool,
    /// Only these servers, beside the floor and Forebay
    #[arg(long, value_delimiter = ',')]
    servers: Option<Vec<String>>,
    /// Only these numbers of connections
    #[arg(long, value_delimiter = ',')]
    connections: Option<Vec<usize>>,
    /// How often everything is measured
    #[arg(long)]
    repeats: Option<usize>,
    /// Where the report goes; bench/report if not given
    #[arg(long)]
    pub(super) report: Option<PathBuf>,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) name: &'static str,
    pub(crate) repeats: usize,
    pub(crate) connections: Vec<usize>,
    /// Bytes of HTML in a payload.
    pub(crate) sizes: Vec<usize>,
    /// Entries in a burst.
    pub(crate) bursts: Vec<usize>,
    /// Deliveries in a stretch of single broadcasts, at least.
    pub(crate) deliveries: usize,
    pub(crate) post_seconds: f64,
    pub(crate) server_cores: &'static str,
    pub(crate) load_cores: &'static str,
}

impl Options {
    pub(super) fn wants(&self, server: &Server) -> bool {
        let named = |names: &Vec<String>| names.iter().any(|name| name == server.name);
        let always = server.name == FLOOR.name || server.name == FOREBAY.name;
        always || self.servers.as_ref().is_none_or(named)
    }
}

impl Plan {
    pub(super) fn new(options: &Options) -> Self {
        let base = Self {
            name: "default",
            repeats: 5,
            connections: vec![1_000, 10_000],
            sizes: vec![400],
            bursts: vec![8, 32],
            deliveries: 300_000,
            post_seconds: 2.0,
            server_cores: "0",
            load_cores: "1",
        };
        let mut plan = if options.quick {
            Self { name: "quick", repeats: 3, deliveries: 100_000, post_seconds: 1.0, ..base }
        } else if options.full {
            Self {
                name: "full",
                connections: vec![1_000, 10_000, 19_000],
                sizes: vec![200, 400, 2_000, 20_000],
                ..base
            }
        } else {
            base
        };
        if let Some(connections) = &options.connections {
            plan.connections.clone_from(connections);
        }
        plan.repeats = options.repeats.unwrap_or(plan.repeats);
        plan
    }
}
