//! Exact cursors: what a page's transaction had seen, in its tags.

use forebay_log::{Offset, Position, Seen};
use forebay_signing::PageCursor;

use super::{Noted, Turbo};

/// Why a page can't have an exact cursor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeenError {
    /// It is not what `select forebay.seen()` says.
    #[error("what a transaction has seen is what `select forebay.seen()` says, not {0:?}")]
    Malformed(String),
    /// A tag of this page was rendered before, without it.
    #[error("a tag of this page is rendered already: take the snapshot before that")]
    Late,
    /// The database's.
    #[cfg(feature = "outbox-postgres")]
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What the cursors of a page are made from, if they are exact.
#[derive(Clone, Debug)]
pub(super) struct Exact {
    position: Position,
    /// `None` once the data is of several transactions that can't be compared.
    seen: Option<Seen>,
}

impl Turbo {
    /// Says what the transaction had seen in which this page's data is read: the text that
    /// `select forebay.seen()` gives. Then the page is replayed what it does not show, and nothing else.
    ///
    /// With sqlx, `Turbo::begin_reading` does all of this. For another driver the order is: ask first, then
    /// read the data, then render the tags.
    ///
    /// - On the server that is written to, ask in the same transaction in `repeatable read`. In `read committed`
    ///   each statement has a snapshot of its own: ask in the first. A page may then be replayed what it shows.
    /// - On a replica, ask in a statement of its own, before the data is read; in a transaction, only in
    ///   `read committed`.
    ///
    /// It may be called again for another transaction that the page reads.
    ///
    /// # Errors
    /// [`SeenError`] if the text is another one, or if it comes too late.
    pub fn has_seen(&self, text: &str) -> Result<(), SeenError> {
        let malformed = |_| SeenError::Malformed(text.chars().take(80).collect());
        let seen = Seen::parse(text).map_err(malformed)?;
        let Noted { position, exact, cursor, .. } = &*self.0;
        let mut exact = exact.lock();
        if cursor.get().is_some() {
            return Err(SeenError::Late);
        }
        let place = place(*position, &seen, self.0.forebay.core.hub.reached(&seen));
        *exact = Some(match exact.take() {
            None => Exact { position: place, seen: Some(seen) },
            Some(before) => before.and(place, seen),
        });
        Ok(())
    }

    pub(super) fn make_cursor(&self) -> PageCursor {
        let Noted { forebay, position, page, exact, .. } = &*self.0;
        let Some(Exact { position, seen }) = exact.lock().clone() else {
            return forebay.page_cursor(*position, *page);
        };
        let cursor = forebay.page_cursor(position, *page);
        let Some(seen) = seen else { return cursor };
        let plain = cursor.clone();
        cursor.with_seen(&seen.to_string()).unwrap_or(plain)
    }
}

impl Exact {
    /// With the data of a transaction that was begun later.
    fn and(self, place: Position, later: Seen) -> Self {
        if !later.is_of_replica() {
            // It saw whatever the earlier one saw.
            return self;
        }
        if place.offset == Offset::ZERO {
            return Self { position: place, seen: Some(later) };
        }
        // A replica may have seen less, or more. From the earlier of both places nothing is missing.
        let position = if place.offset < self.position.offset { place } else { self.position };
        let keeps = self.seen.as_ref().is_some_and(Seen::is_of_replica);
        Self { position, seen: self.seen.filter(|_| keeps && position.offset == Offset::ZERO) }
    }
}

/// Where a page stands in the log that was rendered at this position. What was read from a replica may be
/// older: then it stands where the replica had got to. Nobody may know where that is, which offset 0 says: the
/// page heals when it subscribes.
fn place(position: Position, seen: &Seen, reached: Option<Position>) -> Position {
    match reached {
        _ if !seen.is_of_replica() => position,
        None => Position { offset: Offset::ZERO, ..position },
        // Another life of the log has begun meanwhile, and the page heals because of that.
        Some(reached) if reached.epoch != position.epoch => position,
        Some(reached) => Position { offset: reached.offset.min(position.offset), ..position },
    }
}

#[cfg(test)]
mod tests {
    use forebay_log::{Commit, Database};
    use forebay_signing::Subject;
    use http::HeaderMap;

    use super::*;
    use crate::app::Forebay;

    const HERE: Database = Database { system: 1, life: 2 };

    async fn forebay() -> Forebay {
        let forebay = Forebay::builder().secret("a secret for tests").build().unwrap();
        for wal in [100, 200] {
            let commit = Commit { database: HERE, id: wal, wal, settled: 0 };
            let message = forebay_log::Message::json("1").committed_in(commit);
            let class = forebay_log::Class::Log;
            let broadcast = forebay_hub::Broadcast { stream: "room", message, class };
            forebay.core.hub.publish(broadcast).await.unwrap();
        }
        forebay
    }

    /// The parts of the cursor behind its epoch: offset, and what was seen.
    fn parts(turbo: &Turbo) -> (String, Option<String>) {
        let cursor = turbo.page_cursor().cursor_for(Subject::Channel);
        let parts: Vec<_> = cursor.split('.').collect();
        (parts[1].to_owned(), (parts.len() == 5).then(|| parts[3].to_owned()))
    }

    #[tokio::test]
    async fn a_page_stands_where_its_data_is_from() {
        let forebay = forebay().await;
        let check = |texts: &[&str], offset: &str, seen: Option<&str>| {
            let turbo = forebay.begin_request(&HeaderMap::new(), None);
            for text in texts {
                turbo.has_seen(text).unwrap();
            }
            assert_eq!(parts(&turbo), (offset.to_owned(), seen.map(str::to_owned)), "{texts:?}");
        };
        check(&[], "2", None);
        check(&["1-2-c8-64-5-0_1"], "2", Some("1-2-c8-64-5-0_1"));
        check(&["1-2-c8"], "2", Some("1-2-c8"));
        check(&["1-2-64"], "1", Some("1-2-64"));
        // Nobody knows where this one stands.
        check(&["1-2-63"], "0", Some("1-2-63"));
        check(&["2-2-c8"], "0", Some("2-2-c8"));
        // The first has seen the least, unless a replica has.
        check(&["1-2-c8-64-5", "1-2-c8-65-9"], "2", Some("1-2-c8-64-5"));
        check(&["1-2-64", "1-2-c8-65-9"], "1", Some("1-2-64"));
        check(&["1-2-c8-64-5", "1-2-64"], "1", None);
        check(&["1-2-c8-64-5", "1-2-63"], "0", Some("1-2-63"));
        check(&["1-2-63", "1-2-64"], "0", Some("1-2-63"));
    }

    #[tokio::test]
    async fn what_comes_too_late_is_refused() {
        let turbo = forebay().await.begin_request(&HeaderMap::new(), None);
        assert!(matches!(turbo.has_seen("728:731:728"), Err(SeenError::Malformed(_))));
        let _ = turbo.stream_from("room").unwrap();
        assert!(matches!(turbo.has_seen("1-2-c8"), Err(SeenError::Late)));
    }
}
