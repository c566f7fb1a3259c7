//! Forebay in its dialects, and the floor.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use forebay_signing::{BEARER_BROADCAST, derived_bearer};

use super::packages::said;
use super::{Place, Prepared, SECRET, Server, ask};
use crate::load::{Dialect, Post, Rendered};

pub(crate) const FLOOR: Server = Server {
    name: "floor",
    dialect: Dialect::Plain,
    path: "/",
    post: Post::Lines,
    prepare: |_| {
        let version = format!("epoll, write, writev; Linux {}", kernel());
        Ok(Prepared { version, options: "one thread" })
    },
    rendered: None,
    command: floor,
};

pub(crate) const FOREBAY: Server = Server {
    name: "forebay",
    dialect: Dialect::ActionCable,
    path: "/cable",
    post: Post::Broadcast,
    prepare: prepare_forebay,
    rendered: Some(rendered),
    command: forebay,
};

pub(crate) const FOREBAY_EXTENDED: Server = Server {
    name: "forebay_ext",
    dialect: Dialect::ActionCableExtended,
    rendered: None,
    ..FOREBAY
};

/// Turbo's own element over server-sent events, without a script of ours.
pub(crate) const FOREBAY_EVENTS: Server = Server {
    name: "forebay_sse",
    dialect: Dialect::Events,
    rendered: None,
    path: "/forebay/events?stream={signed}",
    ..FOREBAY
};

/// One of Forebay's dialects, not a peer.
pub(crate) fn is_ours(server: &str) -> bool {
    server == FOREBAY.name || server.starts_with("forebay_")
}

/// A store of Forebay's log, or that store's own client.
pub(crate) fn is_store(server: &str) -> bool {
    server.starts_with("log_")
}

/// Neither Forebay nor the floor.
pub(crate) fn is_peer(server: &str) -> bool {
    !is_ours(server) && !is_store(server) && server != FLOOR.name
}

fn prepare_forebay(place: &Place) -> Result<Prepared> {
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--package", "forebay-server", "--target-dir"])
        .arg(&place.built)
        .current_dir(&place.root)
        .status()?;
    ensure!(built.success(), "forebay-server could not be built");
    let version = said(program()?.arg("--version"))?;
    Ok(Prepared { version, options: "defaults; the binary has mimalloc, without huge pages" })
}

/// It is built beside this program.
fn program() -> Result<Command> {
    Ok(Command::new(std::env::current_exe()?.with_file_name("forebay")))
}

fn forebay(place: &Place, port: u16) -> Result<Command> {
    let mut command = program()?;
    command.args(["serve", "--host", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--secret", SECRET]).args(place.options);
    Ok(command)
}

/// Asks for a cursor as Rails does.
fn rendered(port: u16) -> Result<Rendered> {
    let bearer = derived_bearer(SECRET, BEARER_BROADCAST);
    let headers = format!("Authorization: Bearer {bearer}\r\n");
    let cursor = ask(port, "GET /_cursor", &headers, "")?;
    let (epoch, rest) = cursor.split_once('.').context("no cursor")?;
    let (offset, _) = rest.split_once('.').context("no cursor")?;
    Ok(Rendered { epoch: epoch.to_owned(), offset: offset.parse()? })
}

fn floor(place: &Place, port: u16) -> Result<Command> {
    let (before, after) = &place.envelope;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("floor").args(["--port", &port.to_string(), "--replay", &place.replay.to_string()]);
    command.args(["--before", before, "--after", after]);
    Ok(command)
}

fn kernel() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_owned()
}
