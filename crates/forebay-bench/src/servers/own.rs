//! Forebay in its dialects, and the floor.

use std::process::Command;

use anyhow::{Result, ensure};

use super::{Place, Prepared, SECRET, Server};
use crate::load::{Dialect, Post};

pub(crate) const FLOOR: Server = Server {
    name: "floor",
    dialect: Dialect::Plain,
    path: "/",
    post: Post::Lines,
    prepare: |_| {
        let version = format!("epoll, write, writev; Linux {}", kernel());
        Ok(Prepared { version, options: "one thread" })
    },
    command: floor,
};

pub(crate) const FOREBAY: Server = Server {
    name: "forebay",
    dialect: Dialect::ActionCable,
    path: "/cable",
    post: Post::Broadcast,
    prepare: prepare_forebay,
    command: forebay,
};

pub(crate) const FOREBAY_EXTENDED: Server =
    Server { name: "forebay_ext", dialect: Dialect::ActionCableExtended, ..FOREBAY };

fn prepare_forebay(place: &Place) -> Result<Prepared> {
    let built = Command::new("cargo")
        .args(["build", "--quiet", "--release", "--package", "forebay-server"])
        .current_dir(&place.root)
        .status()?;
    ensure!(built.success(), "forebay-server could not be built");
    let version = format!("forebay {}", env!("CARGO_PKG_VERSION"));
    Ok(Prepared { version, options: "defaults" })
}

/// It is built beside this program.
fn forebay(_: &Place, port: u16) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?.with_file_name("forebay"));
    command.args(["serve", "--host", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--secret", SECRET]);
    Ok(command)
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
