//! The pages, in a Chromium that a script drives: one line to it, one line back.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// For an answer of the script's: pages that are loaded again may wait for a node for most of it.
const ANSWER_MAX: Duration = Duration::from_mins(2);

/// Open pages. The script ends with its input, so also with this process.
pub(super) struct Pages {
    script: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

/// What a page shows, beside what it should.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) client: String,
    pub(super) is_live: bool,
    pub(super) lost: usize,
    pub(super) doubled: usize,
    pub(super) misordered: usize,
    /// Rows that the database does not have.
    pub(super) unknown: usize,
    /// How often it loaded itself again.
    pub(super) visits: u64,
    /// How often its reader had to, because it showed an error.
    pub(super) reloads: u64,
    /// Rows that came again, and took the place of what was there.
    pub(super) again: u64,
    /// Which rows are lost, and what its newest sockets have heard.
    pub(super) story: Option<String>,
    /// Why it could not be looked at.
    pub(super) error: Option<String>,
}

impl Shown {
    /// It is live, and has all rows in order, none twice.
    pub(super) fn is_right(&self) -> bool {
        self.error.is_none()
            && self.is_live
            && [self.lost, self.doubled, self.misordered, self.unknown] == [0; 4]
    }
}

impl Pages {
    pub(super) async fn open(script: &Path, front: SocketAddr, count: usize) -> Result<Self> {
        let mut script = Command::new("node")
            .arg(script)
            .args([format!("http://{front}"), count.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("node can't be started: install Node.js 20 or later")?;
        let input = script.stdin.take();
        let output = script.stdout.take().context("a pipe from the script")?;
        let output = BufReader::new(output).lines();
        let mut pages = Self { script, input, output };
        ensure!(
            pages.line().await? == "ready",
            "the script that opens the pages said something else"
        );
        Ok(pages)
    }

    /// What each page shows, while it should show these rows.
    pub(super) async fn look(&mut self, rows: &[i64]) -> Result<Vec<Shown>> {
        let line = serde_json::to_string(rows)? + "\n";
        let input = self.input.as_mut().context("the pages are closed")?;
        input.write_all(line.as_bytes()).await?;
        Ok(serde_json::from_str(&self.line().await?)?)
    }

    pub(super) async fn close(mut self) {
        drop(self.input.take());
        // What has not ended by then is killed.
        drop(timeout(ANSWER_MAX, self.script.wait()).await);
    }

    async fn line(&mut self) -> Result<String> {
        let line = timeout(ANSWER_MAX, self.output.next_line()).await;
        line.context("the script that opens the pages is late")??.context("the script has ended")
    }
}
