//! Who writes: a process of its own, or posts to whichever node the front chooses. Never both at a time, so that the rows' order is
//! the order of the commits.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex, watch};
use tokio::time::{sleep, timeout};

use super::cluster::{Cluster, SECRET};
use crate::node::COMMIT;
use crate::request::ask;
use crate::writer::PAUSE;

/// For the writer to rest, start or die: as long as a database may be away.
const WRITER_MAX: Duration = Duration::from_mins(1);

/// The two of them.
pub(super) struct Writers {
    how: How,
    process: Process,
    posts: Posts,
}

struct How {
    database: String,
    has_outbox: bool,
}

struct Process {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

struct Posts {
    go: watch::Sender<bool>,
    /// Held while a post has no answer.
    post: Arc<Mutex<()>>,
}

impl Writers {
    /// Both rest.
    pub(super) async fn start(cluster: &Cluster, has_outbox: bool) -> Result<Self> {
        let how = How { database: cluster.store.own_database_url(), has_outbox };
        let process = Process::start(&how).await?;
        Ok(Self { how, process, posts: Posts::start(cluster.front) })
    }

    /// One of them begins to write.
    pub(super) async fn go_on(&mut self, random: &mut fastrand::Rng) -> Result<()> {
        if random.bool() {
            self.posts.go.send_replace(true);
            return Ok(());
        }
        self.process.say("go").await
    }

    /// Nothing is written any more.
    pub(super) async fn rest(&mut self) -> Result<()> {
        self.posts.rest().await;
        self.process.rest().await
    }

    /// Has the process end by `kill -9`, behind any of its statements or in its commit, and starts another one.
    pub(super) async fn kill(&mut self, random: &mut fastrand::Rng) -> Result<()> {
        self.posts.rest().await;
        let step = random.u32(..=COMMIT + 1);
        self.process.say(&format!("die {step}")).await?;
        timeout(WRITER_MAX, self.process.child.wait())
            .await
            .context("the writer did not die")??;
        self.process = Process::start(&self.how).await?;
        self.process.say("go").await
    }
}

impl Process {
    async fn start(how: &How) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["writer", "--database", &how.database, "--secret", SECRET])
            .args((!how.has_outbox).then_some("--without-outbox"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().context("a pipe to the writer")?;
        let output = child.stdout.take().context("a pipe from the writer")?;
        let mut process = Self { child, input, output: BufReader::new(output).lines() };
        process.wait_until_it_rests().await?;
        Ok(process)
    }

    async fn say(&mut self, command: &str) -> Result<()> {
        Ok(self.input.write_all(format!("{command}\n").as_bytes()).await?)
    }

    async fn rest(&mut self) -> Result<()> {
        self.say("rest").await?;
        self.wait_until_it_rests().await
    }

    async fn wait_until_it_rests(&mut self) -> Result<()> {
        let rests = async {
            while let Some(line) = self.output.next_line().await? {
                if line == "resting" {
                    return Ok(true);
                }
            }
            std::io::Result::Ok(false)
        };
        ensure!(
            timeout(WRITER_MAX, rests).await.context("the writer does not rest")??,
            "the writer has ended"
        );
        Ok(())
    }
}

impl Posts {
    fn start(front: SocketAddr) -> Self {
        let (go, mut goes) = watch::channel(false);
        let post = Arc::new(Mutex::new(()));
        let posting = Arc::clone(&post);
        // Ends with its sender.
        tokio::spawn(async move {
            while goes.wait_for(|goes| *goes).await.is_ok() {
                {
                    let _posting = posting.lock().await;
                    if *goes.borrow() {
                        // Whether it was taken is what the database says.
                        drop(ask(front, "POST", "/rows").await);
                    }
                }
                sleep(PAUSE).await;
            }
        });
        Self { go, post }
    }

    async fn rest(&self) {
        self.go.send_replace(false);
        drop(self.post.lock().await);
    }
}
