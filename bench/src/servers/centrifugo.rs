//! Centrifugo, built from Go's registry as `bench/peers/centrifugo` pins it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::packages::{go, go_folder, said};
use super::{Place, Prepared, SECRET, Server, ask};
use crate::load::{Dialect, Post, Rendered, stream_name};

const MODULE: &str = "github.com/centrifugal/centrifugo/v5";

pub(crate) const CENTRIFUGO: Server = Server {
    name: "centrifugo",
    dialect: Dialect::Centrifugo,
    path: "/connection/websocket",
    post: Post::Centrifugo,
    prepare,
    rendered: Some(rendered),
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
                  default, but where clients come back for it; 24 s for a pong, since a burst to all \
                  takes it longer than the 8 s of its defaults; errors logged",
    })
}

fn binary(place: &Place) -> PathBuf {
    go_folder(place).join("centrifugo")
}

/// Where the first stream stands, by the API.
fn rendered(port: u16) -> Result<Rendered> {
    let headers = format!("Content-Type: application/json\r\nX-API-Key: {SECRET}\r\n");
    let body = json!({"channel": stream_name(0), "limit": 0}).to_string();
    let answer = ask(port, "POST /api/history", &headers, &body)?;
    let answer: serde_json::Value = serde_json::from_str(&answer)?;
    let result = &answer["result"];
    let epoch = result["epoch"].as_str().with_context(|| format!("no epoch: {answer}"))?;
    Ok(Rendered { epoch: epoch.to_owned(), offset: result["offset"].as_u64().unwrap_or(0) })
}

fn command(place: &Place, port: u16) -> Result<Command> {
    let file = place.scratch.join("centrifugo.json");
    let mut configuration = json!({
        "address": "127.0.0.1",
        "port": port,
        "api_key": SECRET,
        "allowed_origins": [format!("http://127.0.0.1:{port}")],
        "allow_anonymous_connect_without_token": true,
        "allow_subscribe_for_client": true,
        "allow_subscribe_for_anonymous": true,
        "websocket_use_write_buffer_pool": true,
        "pong_timeout": "24s",
        "log_level": "error",
    });
    if place.replay > 0 {
        configuration["history_size"] = 1_000.into();
        configuration["history_ttl"] = "10m".into();
        configuration["force_recovery"] = true.into();
    }
    std::fs::write(&file, configuration.to_string())?;
    let mut command = Command::new(binary(place));
    command.arg("--config").arg(file);
    Ok(command)
}
