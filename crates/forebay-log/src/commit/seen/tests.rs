//! Visibility against a model of Postgres, and one text for each value.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{RUNNING_MAX, SEEN_BYTES_MAX, Seen};
use crate::commit::{Commit, Database};

const HERE: Database = Database { system: 0x5ca1e, life: 7 };

fn commit(id: u64) -> Commit {
    Commit { database: HERE, id, wal: 0, settled: 0 }
}

/// Transactions as they begin and end. It knows who is over when, and nothing of xmin and xmax.
#[derive(Default)]
struct Model {
    next: u64,
    open: BTreeSet<u64>,
    over: BTreeSet<u64>,
}

impl Model {
    fn step(&mut self, begins: bool, which: usize) {
        if begins || self.open.is_empty() {
            self.open.insert(self.next);
            self.next += 1;
        } else {
            let id = *self.open.iter().nth(which % self.open.len()).unwrap();
            self.open.remove(&id);
            self.over.insert(id);
        }
    }

    /// As `GetSnapshotData` makes one.
    fn snapshot(&self) -> Seen {
        let xmax = self.over.last().map_or(0, |id| id + 1);
        let running: Vec<_> = self.open.iter().copied().filter(|id| *id < xmax).collect();
        let xmin = running.first().copied().unwrap_or(xmax);
        Seen::snapshot(HERE, 0, [xmin, xmax], &running)
    }
}

proptest! {
    #[test]
    fn a_snapshot_has_what_was_over(
        steps in prop::collection::vec((any::<bool>(), 0..200_usize), 0..600),
        after in prop::collection::vec((any::<bool>(), 0..200_usize), 0..100),
    ) {
        let mut model = Model::default();
        for (begins, which) in steps {
            model.step(begins, which);
        }
        let seen = model.snapshot();
        let over = model.over.clone();
        let told_apart = model.open.len() <= RUNNING_MAX;
        for (begins, which) in after {
            model.step(begins, which);
        }
        for id in 0..model.next + 3 {
            let has = seen.has(&commit(id));
            prop_assert!(!has || over.contains(&id), "{id} was not over: {seen}");
            prop_assert!(has || !over.contains(&id) || !told_apart, "{id} was over: {seen}");
        }
        prop_assert_eq!(Seen::parse(&seen.to_string()), Ok(seen));
    }

    #[test]
    fn a_text_is_read_as_it_is_written(
        numbers in any::<[u64; 3]>(),
        xmin in any::<u64>(),
        span in any::<u64>(),
        running in prop::collection::vec(any::<u64>(), 0..100),
    ) {
        let [system, life, wal] = numbers;
        let database = Database { system, life };
        let xmax = xmin.saturating_add(span);
        let running: Vec<_> = running.iter().map(|id| xmin.saturating_add(id % span.max(1))).collect();
        for seen in [
            Seen::snapshot(database, wal, [xmin, xmax], &running),
            Seen::Replica { database, wal },
        ] {
            let text = seen.to_string();
            prop_assert!(text.len() <= SEEN_BYTES_MAX);
            prop_assert_eq!(Seen::parse(&text), Ok(seen));
        }
    }

    #[test]
    fn nothing_has_two_texts(text in "[0-9a-f_-]{0,40}") {
        if let Ok(seen) = Seen::parse(&text) {
            prop_assert_eq!(seen.to_string(), text);
        }
    }
}

#[test]
fn what_is_no_text_is_refused() {
    for text in [
        "",
        "1",
        "1-2",
        "1-2-",
        "1-2-3-4",
        "1-2-3-4-5-",
        "1-2-3-4-5-6",
        "1-2-3-4-5-1_0",
        "01-2-3",
        "1-2-F",
        "1-2-3-4-5-1-1",
        "1-2-3-4-5-_",
        "1-2-3-ffffffffffffffff-2",
        "+1-2-3",
    ] {
        assert!(Seen::parse(text).is_err(), "{text}");
    }
    let long = format!("1-2-3-4-fff-{}1", "1_".repeat(64));
    assert!(Seen::parse(&long).is_err());
}

/// Postgres 15 said this of a primary with 728 open, and a standby of the same moment said `728:731:`.
#[test]
fn an_open_transaction_is_unseen() {
    let seen = Seen::snapshot(HERE, 0, [728, 731], &[728]);
    assert_eq!(
        [727, 728, 729, 730, 731].map(|id| seen.has(&commit(id))),
        [true, false, true, true, false]
    );
}

#[test]
fn a_replica_has_what_it_had_replayed() {
    let check = |wal, life, expected: (bool, bool)| {
        let database = Database { life, ..HERE };
        let commit = Commit { database, id: 5, wal, settled: 0 };
        let seen = Seen::Replica { database: HERE, wal: 100 };
        assert_eq!((seen.has(&commit), seen.is_settled_by(&commit)), expected, "{wal} {life}");
    };
    check(100, 7, (true, false));
    check(101, 7, (false, true));
    // It has seen where its own life began, and nothing of later ones.
    check(200, 6, (true, false));
    check(50, 8, (false, false));
    let other = Commit { database: Database { system: 1, life: 1 }, id: 5, wal: 1, settled: 0 };
    assert!(!Seen::Replica { database: HERE, wal: 100 }.has(&other));
}

#[test]
fn ids_of_another_life_are_not_compared() {
    let seen = Seen::snapshot(HERE, 100, [10, 10], &[]);
    for database in [Database { life: 8, ..HERE }, Database { life: 6, ..HERE }] {
        let commit = Commit { database, id: 1, wal: 1, settled: 1_000 };
        assert!(!seen.has(&commit) && !seen.is_settled_by(&commit));
    }
    let later = Commit { settled: 101, ..commit(11) };
    assert!(seen.is_settled_by(&later) && !seen.is_settled_by(&commit(11)));
}
