//! Everybody connects at once; everybody was cut and comes back for what was missed.

use anyhow::{Context as _, Result, ensure};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::{AT_ONCE, Bench, name};
use crate::load::work::Order;
use crate::process;
use crate::servers::{FLOOR, FOREBAY, SECRET, Server};

const CLIENTS: usize = 10_000;

/// What each client has missed.
const MISSED: usize = 20;

pub(super) fn connect(bench: &mut Bench, server: &Server) -> Result<()> {
    let running = bench.start(server)?;
    let target = server.target(running.port, 1);
    let mut fleet = bench.fleet(server, &target, CLIENTS)?;
    fleet.connect(0, 100, 100)?;
    let before = process::usage(running.pid())?;
    let outcome = fleet.connect(100, CLIENTS - 100, AT_ONCE)?;
    let usage = process::usage(running.pid())?.since(before);
    let connections = outcome.done as f64;
    bench.figures.add(name(server, "connects_per_second"), connections / outcome.seconds);
    bench.figures.add(name(server, "cpu_ns_per_connect"), usage.cpu_ns as f64 / connections);
    if let Some(floor) = bench.figures.latest("floor.connects_per_second") {
        let ratio = floor / (connections / outcome.seconds);
        bench.figures.add(name(server, "connect_storm_vs_floor"), ratio);
    }
    Ok(())
}

/// Forebay against a floor that accepts, upgrades and writes: the time until all are exact.
pub(super) fn resume(bench: &mut Bench) -> Result<()> {
    bench.place.replay = MISSED;
    let floor = storm(bench, &FLOOR);
    bench.place.replay = 0;
    let floor = floor?;
    let ours = storm(bench, &FOREBAY)?;
    bench.figures.add("floor.resume_storm_seconds", floor);
    bench.figures.add("resume_storm_seconds", ours);
    bench.figures.add("resume_storm_vs_floor", ours / floor);
    Ok(())
}

fn storm(bench: &mut Bench, server: &Server) -> Result<f64> {
    let running = bench.start(server)?;
    let mut target = server.target(running.port, 1);
    if server.name == FOREBAY.name {
        target.cursor = Some(cursor(running.port)?);
    }
    let mut fleet = bench.fleet(server, &target, CLIENTS)?;
    fleet.connect(0, CLIENTS, AT_ONCE)?;
    fleet.each(|| Order::Cut)?;
    fleet.first(&Order::Fill { rounds: MISSED, size: 400 })?;
    let outcome = fleet.each(|| Order::Return { at_once: AT_ONCE, entries: MISSED as u64 })?;
    outcome.ensure_exact()?;
    Ok(outcome.seconds)
}

/// A cursor for a page that is being rendered now, as Rails asks for it.
fn cursor(port: u16) -> Result<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port))?;
    let bearer = forebay_signing::derived_bearer(SECRET, forebay_signing::BEARER_BROADCAST);
    write!(
        socket,
        "GET /_cursor HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {bearer}\r\n\
         Connection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("an answer has a head")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "no cursor: {answer}");
    Ok(body.trim().trim_matches('"').to_owned())
}
