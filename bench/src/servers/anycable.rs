//! anycable-go: the file that the command line names, a `PATH` that has it, or Go's registry.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};

use super::packages::{go, go_folder, said};
use super::{Place, Prepared, SECRET, Server};
use crate::load::{Dialect, Post};

const MODULE: &str = "github.com/anycable/anycable-go/cmd/anycable-go@v1.6.16";

pub(crate) const ANYCABLE: Server = Server {
    name: "anycable",
    dialect: Dialect::ActionCable,
    path: "/cable",
    post: Post::Broadcast,
    prepare,
    rendered: None,
    command: |place, port| Ok(command(place, port)),
};

fn prepare(place: &Place) -> Result<Prepared> {
    let version = || said(Command::new(binary(place)).arg("--version"));
    let version = version().or_else(|error| {
        if place.anycable.is_some() {
            return Err(error);
        }
        let advice =
            "no anycable-go in the PATH, and it could not be built; --anycable takes a file";
        go(place, &place.scratch, &["install", MODULE]).context(advice)?;
        version()
    })?;
    Ok(Prepared {
        version: format!("anycable-go {version}"),
        options: "stock protocol, everybody let in, signed streams, no RPC; HTTP broadcasts; errors \
                  logged",
    })
}

/// What the command line names, or what was built here, or else whatever the `PATH` has.
fn binary(place: &Place) -> PathBuf {
    if let Some(named) = &place.anycable {
        return named.clone();
    }
    let built = go_folder(place).join("anycable-go");
    if built.exists() { built } else { "anycable-go".into() }
}

/// With a secret, broadcasts are taken on the clients' port. Without RPC it lets in nobody whom no token
/// names, unless it is told to let in all.
fn command(place: &Place, port: u16) -> Command {
    let mut command = Command::new(binary(place));
    command.args(["--host=127.0.0.1", &format!("--port={port}"), &format!("--secret={SECRET}")]);
    command.args(["--norpc", "--noauth", "--turbo_streams"]);
    command.args(["--broadcast_adapter=http", "--log_level=error"]);
    command
}
