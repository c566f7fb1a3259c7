//! What was broadcast, whoever reads it.

use std::future::Future;

use forebay_core::inspect::{Broadcast, Broken, Outcome, nearest, readable};
use forebay_core::{Position, StreamName, Streamable};

use crate::app::{MARKS, TestApp};

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
        let (before, position) = (self.last_broadcast(), self.forebay.position());
        let done = work.await;
        self.forebay.flush().await;
        let all = self.recorded(before);
        let sent = self.sent_to(&name, &all, position);
        let others: Vec<_> = all.iter().map(|one| one.stream.as_str()).collect();
        let mut why = String::new();
        if sent == 0 {
            let facts = self.forebay.facts("", name.as_str(), None).unwrap_or_default();
            let (stream, in_memory) = (readable(name.as_str()), facts.log.in_memory);
            let near = nearest(name.as_str(), others.iter().copied());
            why = format!(": {}", Broken::NeverBroadcast { stream, near, in_memory }.sentence());
        }
        assert!(
            sent == expected,
            "{sent} broadcasts to `{name}`, and not {expected}{why}; all that was broadcast is to {others:?}"
        );
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

    /// What was asked for behind this number, but for marks.
    fn recorded(&self, after: Option<u64>) -> Vec<Broadcast> {
        let inspection = self.forebay.inspection();
        let inspection =
            inspection.expect("the Forebay records what is broadcast (`Builder::inspect`)");
        inspection.broadcasts(after, usize::MAX, |one| !one.stream.starts_with(MARKS))
    }

    /// How many of them were published. What was written into an outbox has no place of its own here: it is
    /// published if there is something in the stream that was not recorded with its place.
    fn sent_to(&self, name: &StreamName, all: &[Broadcast], after: Position) -> usize {
        let to_it = || all.iter().filter(|one| one.stream == name.as_str());
        let places: Vec<_> =
            to_it().filter_map(|one| one.outcome.place()).map(|place| place.offset).collect();
        let entries = self.forebay.replay(name, after).unwrap_or_default();
        let others = entries.iter().filter(|entry| !places.contains(&entry.offset())).count();
        let stored = to_it().filter(|one| one.outcome == Outcome::Pending).count();
        places.len() + if others > 0 { others.max(stored) } else { 0 }
    }
}
