//! Servers made of other Rust libraries (`bench/peers`).

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::{Place, Prepared, Server};
use crate::load::{Dialect, Post};

/// Not a server of pages: what it costs to read a body and answer.
pub(crate) const SINK: Server = Server {
    name: "axum_sink",
    prepare: |place| prepare(place, "axum", "reads the body, and answers 201"),
    command: |place, port| Ok(command(place, port, "sink")),
    ..LIBRARY
};

pub(crate) const AXUM: Server = Server {
    name: "axum_ws",
    prepare: |place| prepare(place, "axum", "its ws with the defaults"),
    command: |place, port| Ok(command(place, port, "axum")),
    ..LIBRARY
};

pub(crate) const AXUM_TUNED: Server = Server {
    name: "axum_ws_tuned",
    prepare: |place| prepare(place, "axum", "read_buffer_size(4096), write_buffer_size(0)"),
    command: |place, port| Ok(command(place, port, "axum-tuned")),
    ..LIBRARY
};

pub(crate) const TOKIO_WEBSOCKETS: Server = Server {
    name: "tokio_websockets",
    prepare: |place| prepare(place, "tokio-websockets", "feed, then one flush for what has come"),
    command: |place, port| Ok(command(place, port, "tokio-websockets")),
    ..LIBRARY
};

pub(crate) const FASTWEBSOCKETS: Server = Server {
    name: "fastwebsockets",
    prepare: |place| prepare(place, "fastwebsockets", "split halves, writev as it is by default"),
    command: |place, port| Ok(command(place, port, "fastwebsockets")),
    ..LIBRARY
};

const LIBRARY: Server = Server {
    name: "",
    dialect: Dialect::Plain,
    path: "/",
    post: Post::Lines,
    prepare: |place| prepare(place, "axum", ""),
    rendered: None,
    command: |place, port| Ok(command(place, port, "sink")),
};

fn folder(place: &Place) -> PathBuf {
    place.root.join("bench")
}

fn prepare(place: &Place, library: &str, options: &'static str) -> Result<Prepared> {
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--locked", "--package", "forebay-bench-peers"])
        .arg("--target-dir")
        .arg(&place.built)
        .current_dir(folder(place))
        .status()?;
    ensure!(built.success(), "they could not be built");
    let lock = std::fs::read_to_string(folder(place).join("Cargo.lock"))?;
    let (_, entry) =
        lock.split_once(&format!("name = \"{library}\"\n")).context("no such library")?;
    let version = entry.lines().next().and_then(|line| line.split('"').nth(1)).unwrap_or_default();
    Ok(Prepared { version: format!("{library} {version}"), options })
}

fn command(place: &Place, port: u16, library: &str) -> Command {
    let (before, after) = &place.envelope;
    let mut command = Command::new(place.built.join("release/forebay-bench-peers"));
    command.arg(library).args(["--port", &port.to_string()]);
    command.args(["--before", before, "--after", after]);
    command
}
