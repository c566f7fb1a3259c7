//! A server on both cores that shares them with its load, beside the same on one core each.
//!
//! In both cases the generator sleeps when it has nothing to do: spinning it would take a core away.

use anyhow::Result;

use super::site::{Site, kind};
use super::{Bench, name};
use crate::fleet::{Clients, Fleet};
use crate::load::work::Manner;
use crate::servers::{FLOOR, Server};

const CLIENTS: usize = 1_000;

pub(super) fn measure(bench: &mut Bench, server: &Server) -> Result<()> {
    if server.name == FLOOR.name {
        // It has one thread.
        return Ok(());
    }
    let (one, load) = (bench.plan.server_cores, bench.plan.load_cores);
    let both = format!("{one},{load}");
    for burst in [1, 32] {
        let kind = kind(burst);
        let separate = throughput(bench, server, burst, [one, load])?;
        bench.place.cores = 2;
        let shared = throughput(bench, server, burst, [&both, &both]);
        bench.place.cores = 1;
        let shared = shared?;
        let figures = [
            ("one_core", "deliveries_per_second", separate.0),
            ("one_core", "cpu_ns_per_delivery", separate.1),
            ("both_cores", "deliveries_per_second", shared.0),
            ("both_cores", "cpu_ns_per_delivery", shared.1),
            ("both_cores", "throughput_vs_one", shared.0 / separate.0),
            ("both_cores", "cpu_vs_one", shared.1 / separate.1),
        ];
        for (cores, figure, value) in figures {
            bench.figures.add(name(server, &format!("{cores}_{kind}{figure}")), value);
        }
    }
    Ok(())
}

/// Deliveries per second, and nanoseconds of the server for each.
fn throughput(
    bench: &Bench,
    server: &Server,
    burst: usize,
    [server_cores, load_cores]: [&str; 2],
) -> Result<(f64, f64)> {
    let running = bench.start_on(server, server_cores)?;
    let target = server.target(running.port, 1);
    let fleet = Fleet::start(&Clients {
        target: &target,
        post: server.post,
        manner: Manner::Asleep,
        connections: CLIENTS,
        cores: load_cores,
    })?;
    let mut site = Site::new(running, fleet, target);
    site.connect(CLIENTS)?;
    let rounds = bench.plan.rounds(server, CLIENTS, burst);
    let stretch = site.stretch(rounds, burst, 400)?;
    Ok((stretch.deliveries_per_second(), stretch.cpu_ns_per_delivery()))
}
