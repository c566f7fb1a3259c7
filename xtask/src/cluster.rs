//! Several nodes on a shared log: the demo from them, and the kill loop.

use anyhow::Result;

use crate::run::{cargo, repository, step, target};
use crate::{browser, servers};

pub(crate) fn demo(port: u16, nodes: Option<usize>, log: &str) -> Result<()> {
    servers::ensure_packages()?;
    browser::bundle(&repository().join("examples/chat"), "build")?;
    step("the chat: the first build takes some minutes");
    cargo(&["build", "--quiet", "--package", "forebay-chat"])?;
    let chat = target().join("debug/forebay-chat");
    let (port, nodes) = (port.to_string(), nodes.unwrap_or(3).to_string());
    run(&[
        "demo",
        "--log",
        log,
        "--nodes",
        &nodes,
        "--port",
        &port,
        "--chat",
        &chat.to_string_lossy(),
    ])
}

pub(crate) fn kill(arguments: &[String]) -> Result<()> {
    servers::ensure_packages()?;
    browser::ensure_chromium()?;
    let e2e = repository().join("e2e");
    browser::bundle(&e2e, "bundle")?;
    step("the nodes: the first build takes some minutes");
    let [assets, script] =
        ["dist", "cluster/pages.js"].map(|path| e2e.join(path).to_string_lossy().into_owned());
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    run(&[&["kill", "--assets", &assets, "--script", &script], &arguments[..]].concat())
}

fn run(arguments: &[&str]) -> Result<()> {
    cargo(&[&["run", "--quiet", "--package", "forebay-cluster", "--"], arguments].concat())
}
