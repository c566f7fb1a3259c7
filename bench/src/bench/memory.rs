//! Connections that only are there: as many as a process may have files, and those of pages whose tags
//! carry a cursor.

use anyhow::Result;

use super::site::thousands;
use super::{Bench, name};
use crate::load::Dialect;
use crate::servers::Server;

/// A process may hold 20 000 descriptors on small machines.
const MOST: usize = 19_000;

const WITH_CURSOR: usize = 10_000;

pub(super) fn most(bench: &mut Bench, server: &Server) -> Result<()> {
    if server.dialect == Dialect::Events {
        // `forebay serve` has 16 384 connections that are HTTP at most.
        return Ok(());
    }
    let mut site = bench.site(server, MOST)?;
    site.warm_up()?;
    site.connect(MOST)?;
    let idle = site.memory_per_connection()?;
    let k = thousands(MOST);
    bench.figures.add(name(server, &format!("idle_rss_bytes_per_conn_{k}")), idle.rss);
    bench.figures.add(name(server, &format!("kernel_bytes_per_conn_{k}")), idle.kernel);
    Ok(())
}

/// Each page's identifier has a cursor with a page id of its own, so that no two are the same.
pub(super) fn with_cursors(bench: &mut Bench, server: &Server) -> Result<()> {
    let mut site = bench.site_of(server, WITH_CURSOR, |target, running| {
        let rendered = server.rendered.map(|rendered| rendered(running.port));
        target.rendered = rendered.transpose()?;
        Ok(())
    })?;
    site.warm_up()?;
    site.connect(WITH_CURSOR)?;
    let figure = format!("cursor_rss_bytes_per_conn_{}", thousands(WITH_CURSOR));
    let idle = site.memory_per_connection()?;
    bench.figures.add(figure, idle.rss);
    // All of them work.
    site.fleet.rounds(2, 1, 400)?.ensure_exact()
}
