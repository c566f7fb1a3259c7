//! A process that writes rows and serves no page: what it broadcasts, a node relays.
//!
//! It does what a line on standard input says: `go`, `rest`, or `die N`, which is `kill -9` behind step N of the next transaction,
//! or within its commit. It says `resting` when nothing is on its way. It ends with its input.

use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use forebay::Forebay;
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::node::{COMMIT, Database, kill_oneself};

/// Between two transactions: some ten rows a second, which is what a busy room has.
pub(crate) const PAUSE: Duration = Duration::from_millis(150);

/// A commit takes less on an idle machine, so that the kill is before, in or behind it.
const COMMIT_MICROS: u64 = 3_000;

#[derive(Args)]
pub(crate) struct Options {
    /// Where the rows are
    #[arg(long)]
    database: String,
    /// The nodes' secret
    #[arg(long)]
    secret: String,
    /// Broadcast into a log of its own, which no page reads
    #[arg(long)]
    without_outbox: bool,
}

pub(crate) async fn run(options: Options) -> Result<()> {
    let database = Database::open(&options.database).await?;
    let mut builder = Forebay::builder().app("kill").secret(options.secret);
    if !options.without_outbox {
        builder = builder.outbox(database.outbox_to_write().await?);
    }
    let forebay = builder.build()?;
    // One line waits at most: whoever writes them waits for what comes of it.
    let (said, mut commands) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut lines = BufReader::new(stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if said.send(line).await.is_err() {
                return;
            }
        }
    });
    crate::say("resting");
    let (mut goes, mut dies) = (false, None);
    loop {
        let command = if goes {
            // Without a command in time it goes on.
            timeout(PAUSE, commands.recv()).await
        } else {
            Ok(commands.recv().await)
        };
        match command {
            Ok(None) => return Ok(()),
            Ok(Some(command)) if command == "rest" => {
                goes = false;
                crate::say("resting");
                continue;
            }
            Ok(Some(command)) => {
                goes = true;
                let step = command.strip_prefix("die ");
                dies = step.map(str::parse::<u32>).transpose().context("die N")?;
            }
            Err(_) => {}
        }
        let written = database.write(&forebay, |step| die(step, dies)).await;
        if let Err(error) = written {
            crate::say(format_args!("not written: {error:#}"));
        }
    }
}

fn die(step: u32, dies: Option<u32>) {
    if dies == Some(step) {
        kill_oneself();
    }
    // One more than there are steps: somewhere in the commit.
    if dies == Some(COMMIT + 1) && step + 1 == COMMIT {
        let soon = Duration::from_micros(fastrand::u64(0..COMMIT_MICROS));
        std::thread::spawn(move || {
            std::thread::sleep(soon);
            kill_oneself();
        });
    }
}
