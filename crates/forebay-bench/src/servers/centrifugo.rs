//! Centrifugo, built from Go's registry as `bench/peers/centrifugo` pins it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::packages::{go, go_folder, said};
use super::{Place, Prepared, SECRET, Server};
use crate::load::{Dialect, Post};

const MODULE: &str = "github.com/centrifugal/centrifugo/v5";

pub(crate) const CENTRIFUGO: Server = Server {
    name: "centrifugo",
    dialect: Dialect::Centrifugo,
    path: "/connection/websocket",
    post: Post::Centrifugo,
    prepare,
    command,
};

fn prepare(place: &Place) -> Result<Prepared> {
    let folder = place.root.join("bench/peers/centrifugo");
    go(place, &folder, &["install", MODULE]).context("it could not be built")?;
    let built = said(Command::new("go").args(["version", "-m"]).arg(binary(place)))?;
    let mut words = built.split_whitespace().skip_while(|word| *word != "mod");
    let version = words.nth(2).context("a Go program says its version")?;
    Ok(Prepared {
        version: format!("centrifugo {version}"),
        options: "memory engine, JSON protocol, a pool of write buffers; no history, which is its \
                  default; errors logged",
    })
}

fn binary(place: &Place) -> PathBuf {
    go_folder(place).join("centrifugo")
}

fn command(place: &Place, port: u16) -> Result<Command> {
    let file = place.scratch.join("centrifugo.json");
    let configuration = json!({
        "address": "127.0.0.1",
        "port": port,
        "api_key": SECRET,
        "allowed_origins": [format!("http://127.0.0.1:{port}")],
        "allow_anonymous_connect_without_token": true,
        "allow_subscribe_for_client": true,
        "allow_subscribe_for_anonymous": true,
        "websocket_use_write_buffer_pool": true,
        "log_level": "error",
    });
    std::fs::write(&file, configuration.to_string())?;
    let mut command = Command::new(binary(place));
    command.arg("--config").arg(file);
    Ok(command)
}
