//! Who writes: a post at a time, to whichever node the front chooses.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::sleep;

use super::cluster::Cluster;
use crate::request::ask;

/// Between two posts: some ten rows a second, which is what a busy room has.
const PAUSE: Duration = Duration::from_millis(150);

/// Writes until it is told to rest.
pub(super) struct Writer {
    goes: watch::Sender<bool>,
    /// Held while a post has no answer.
    post: Arc<Mutex<()>>,
}

impl Writer {
    /// It rests.
    pub(super) fn start(cluster: &Cluster) -> Self {
        let (goes, mut going) = watch::channel(false);
        let (post, front) = (Arc::new(Mutex::new(())), cluster.front);
        let posting = Arc::clone(&post);
        // Ends with this writer.
        tokio::spawn(async move {
            while going.wait_for(|goes| *goes).await.is_ok() {
                {
                    let _posting = posting.lock().await;
                    if *going.borrow() {
                        // Whether it was taken is what the database says.
                        drop(ask(front, "POST", "/rows").await);
                    }
                }
                sleep(PAUSE).await;
            }
        });
        Self { goes, post }
    }

    pub(super) fn go_on(&self) {
        self.goes.send_replace(true);
    }

    /// Waits until the last post has its answer: nothing is written from then on.
    pub(super) async fn rest(&self) {
        self.goes.send_replace(false);
        drop(self.post.lock().await);
    }
}
