//! Action Cable itself, on puma (`bench/peers/action_cable`).

use std::process::Command;

use anyhow::Result;

use super::packages::{debian, said, version};
use super::{Place, Prepared, SECRET, Server};
use crate::load::{Dialect, Post};

pub(crate) const ACTION_CABLE: Server = Server {
    name: "action_cable",
    dialect: Dialect::ActionCable,
    path: "/cable",
    post: Post::Broadcast,
    prepare,
    rendered: None,
    command: |place, port| Ok(command(place, port)),
};

const PACKAGE: &str = "ruby-actioncable";

fn prepare(_: &Place) -> Result<Prepared> {
    debian(&[PACKAGE, "puma"])?;
    let puma = said(Command::new("puma").arg("--version"))?;
    let ruby = said(Command::new("ruby").args(["--yjit", "--version"]))?;
    Ok(Prepared {
        version: format!("Action Cable {}, {puma}, {ruby}", version(PACKAGE)?),
        options: "one process, 5 threads and 4 workers as Rails has them; async adapter; YJIT; no \
                  logs",
    })
}

fn command(place: &Place, port: u16) -> Command {
    let mut command = Command::new("puma");
    command.args([
        "--config",
        "puma.rb",
        "--environment",
        "production",
        "--silent",
        "--threads",
        "5:5",
    ]);
    command.args(["--bind", &format!("tcp://127.0.0.1:{port}?backlog=4096"), "config.ru"]);
    command.current_dir(place.root.join("bench/peers/action_cable"));
    command.env("RUBYOPT", "--yjit").env("SECRET", SECRET);
    command
}
