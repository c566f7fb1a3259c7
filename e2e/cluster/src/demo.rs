//! The demo from several nodes, and the buttons of its tunnel that kill them.
//!
//! The buttons' address has a secret in it: no other page can know it.

mod control;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use forebay_rig::{Port, Process, Program};

use self::control::Control;
use crate::front::{self, Nodes};
use crate::store::{Kind, Store};

#[derive(Args)]
pub(crate) struct Options {
    /// How many nodes
    #[arg(long, default_value_t = 3)]
    nodes: usize,
    /// Where the log is
    #[arg(long, value_enum)]
    log: Kind,
    /// The port to serve on; 0 takes any free one
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// The demo's program
    #[arg(long)]
    chat: PathBuf,
}

/// A node of the demo, on a port that stays its own.
struct Node {
    process: Process,
    _port: Port,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    ensure!(options.nodes > 0, "a cluster has one node at least");
    let store = Store::start(options.log, None, options.nodes)?;
    let ports: Vec<_> = (0..options.nodes).map(|_| Port::reserve()).collect::<Result<_, _>>()?;
    let nodes = Nodes::new(ports.iter().map(Port::address).collect());
    let secret = secret()?;
    let control = Arc::new(Control::new(&secret, store, Arc::clone(&nodes)));
    let address = front::serve(options.port, Arc::clone(&nodes), Arc::clone(&control)).await;
    let address = address.with_context(|| format!("cannot listen on port {}", options.port))?;
    control.start_nodes(ports, &options.chat, &secret, address)?;
    ensure!(nodes.wait_for_ready(options.nodes).await, "the nodes are not ready after a minute");
    crate::say(format_args!("ready http://{address}"));
    // Until this process is ended.
    std::future::pending().await
}

/// Signs what pages subscribe with, the same at all nodes, and names the buttons' address.
fn secret() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).context("no random numbers")?;
    Ok(bytes.map(|byte| format!("{byte:02x}")).concat())
}

impl Node {
    fn start(port: Port, program: Program) -> Result<Self> {
        let program = program.arguments(["--port", &port.number().to_string()]);
        Ok(Self { process: program.start()?, _port: port })
    }
}
