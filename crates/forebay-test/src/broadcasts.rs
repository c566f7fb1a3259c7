//! What was broadcast, whoever reads it.

use std::future::Future;

use forebay_core::Streamable;
use forebay_inspect::{Broken, readable};

use crate::app::TestApp;

impl TestApp {
    /// That the work broadcasts so often to a stream: what is published until it is done, with what it has left
    /// to be sent later, at the end of a refresh window, and in the outbox. Gives what the work gives.
    ///
    /// ```no_run
    /// # async fn example(app: forebay_test::TestApp, mut page: forebay_test::TestPage) {
    /// app.assert_broadcasts(("room", 1), 1, page.submit("#new_message", &[("body", "hi")])).await;
    /// # }
    /// ```
    ///
    /// It counts what history keeps: not what is ephemeral, and of a state the last.
    ///
    /// # Panics
    /// If it is another number, or if the stream has no name.
    pub async fn assert_broadcasts<T>(
        &self,
        stream: impl Streamable,
        expected: usize,
        work: impl Future<Output = T>,
    ) -> T {
        let name = self.forebay.stream_name(stream);
        let name = name.unwrap_or_else(|error| panic!("this names no stream: {error}"));
        self.forebay.flush().await;
        let position = self.forebay.position();
        let done = work.await;
        self.forebay.flush().await;
        let entries = self.forebay.replay(&name, position).unwrap_or_default();
        let sent = entries.len();
        let why = if sent == 0 {
            let (stream, near, in_memory) = (readable(name.as_str()), None, true);
            format!(": {}", Broken::NeverBroadcast { stream, near, in_memory }.sentence())
        } else {
            String::new()
        };
        assert!(sent == expected, "{sent} broadcasts to `{name}`, and not {expected}{why}");
        done
    }

    /// That the work broadcasts nothing to a stream.
    ///
    /// # Panics
    /// If it does, or if the stream has no name.
    pub async fn assert_no_broadcasts<T>(
        &self,
        stream: impl Streamable,
        work: impl Future<Output = T>,
    ) -> T {
        self.assert_broadcasts(stream, 0, work).await
    }
}
