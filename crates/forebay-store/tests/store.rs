//! What is on disk against what was acknowledged: over restarts, torn ends, and a full disk.
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use forebay_log::{
    Class, Effect, Epoch, Log, Message, Offset, Position, Retention, StateKey, UnixMillis,
};
use forebay_store::{Fsync, Record, Recovered, Revoked, Store, StoreError};
use proptest::prelude::*;
use tempfile::TempDir;

/// A log in memory and its copy, kept together as the hub does it.
struct Kept {
    store: Store,
    log: Log,
    now: UnixMillis,
}

const RETENTION: Retention = Retention {
    entries_max: 4,
    bytes_max: 1 << 20,
    age_max: std::time::Duration::from_mins(1),
    total_bytes_max: 4_000,
    idle_streams_max: 2,
};

fn open(folder: &Path, now: UnixMillis) -> Kept {
    let (mut store, recovered) = Store::open(folder, Fsync::Os, Epoch(now.0)).unwrap();
    let Recovered { epoch, head, floor, forgotten, entries, .. } = recovered;
    let mut log = Log::new(epoch, RETENTION);
    log.note_dropped();
    log.restore_floor(floor);
    for (stream, entry) in entries {
        log.restore(entry, &stream);
    }
    for (stream, offset, at) in forgotten {
        log.restore_forgotten(&stream, offset, at);
    }
    log.resume_at(head);
    let (dropped, floor) = log.take_dropped();
    store.forget(&dropped, floor).unwrap();
    Kept { store, log, now }
}

impl Kept {
    fn publish(&mut self, stream: &str, text: &str, class: Class) -> Result<Offset, StoreError> {
        let message = Message::json(format!("{text:?}"));
        let offset = self.log.head().offset.next();
        let record = Record { offset, at: self.now, stream, message: &message, class: &class };
        self.store.append([record].into_iter(), offset, offset)?;
        let appended = self.log.append(self.now, stream, message, class);
        assert_eq!(appended.offset, offset);
        Ok(offset)
    }

    fn forget(&mut self) {
        self.log.expire(self.now);
        let (dropped, floor) = self.log.take_dropped();
        self.store.forget(&dropped, floor).unwrap();
    }

    fn texts(&self, stream: &str, after: u64) -> Vec<String> {
        let cursor = Position { offset: Offset(after), ..self.log.head() };
        let entries = self.log.replay(stream, cursor).unwrap();
        entries.map(|entry| entry.message.as_json().to_owned()).collect()
    }
}

const NOW: UnixMillis = UnixMillis(1_000_000);

#[test]
fn what_was_acknowledged_is_there_at_the_next_start() {
    let folder = TempDir::new().unwrap();
    let mut kept = open(folder.path(), NOW);
    kept.publish("room", "one\n\"two\"", Class::Log).unwrap();
    let key = StateKey::new("list", Effect::Content);
    kept.publish("room", "old", Class::State(key.clone())).unwrap();
    kept.publish("room", "new", Class::State(key)).unwrap();
    let ephemeral = kept.publish("room", "typing", Class::Ephemeral).unwrap();
    let head = kept.log.head();
    drop(kept);
    let mut kept = open(folder.path(), UnixMillis(NOW.0 + 1));
    assert_eq!(kept.log.head().epoch, head.epoch);
    assert_eq!(kept.texts("room", 0), ["\"one\\n\\\"two\\\"\"", "\"new\""]);
    let next = kept.publish("room", "three", Class::Log).unwrap();
    assert!(next > ephemeral, "no offset is given twice, though the last was not written");
    assert_eq!(kept.texts("room", ephemeral.0), ["\"three\""]);
}

fn revoked(at: u64, identity: Option<&str>, stream: Option<&str>) -> Revoked {
    Revoked { at: Offset(at), identity: identity.map(Into::into), stream: stream.map(Into::into) }
}

#[test]
fn what_was_taken_back_stays_so_until_it_is_given_again() {
    let folder = TempDir::new().unwrap();
    let open = || Store::open(folder.path(), Fsync::Os, Epoch(1)).unwrap();
    // Longer than a key may be.
    let long = "x".repeat(100_000);
    let all = [
        revoked(3, Some("user:1"), None),
        revoked(5, None, Some(&long)),
        revoked(300, Some("user:2"), Some("room")),
    ];
    let (mut store, recovered) = open();
    assert_eq!((recovered.revoked, recovered.revoked_floor), (Vec::new(), Offset(0)));
    store.revoke(&revoked(2, Some("user:1"), None), &[], Offset(0)).unwrap();
    for one in &all {
        store.revoke(one, &[Offset(2)], Offset(1)).unwrap();
    }
    drop(store);
    let (mut store, recovered) = open();
    assert_eq!((&recovered.revoked[..], recovered.revoked_floor), (&all[..], Offset(1)));
    store.readmit(&[Offset(5)]).unwrap();
    drop(store);
    let (_, recovered) = open();
    assert_eq!(recovered.revoked, [all[0].clone(), all[2].clone()]);
}

#[test]
fn one_process_has_the_folder_at_a_time() {
    let folder = TempDir::new().unwrap();
    let kept = open(folder.path(), NOW);
    let second = Store::open(folder.path(), Fsync::Os, Epoch(1));
    assert!(matches!(second, Err(StoreError::InUse(_))), "{second:?}");
    drop(kept);
    open(folder.path(), NOW);
}

#[test]
fn another_format_is_refused_and_left_alone() {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path(), NOW));
    let version = folder.path().join("version");
    let before = fs::read(&version).unwrap();
    fs::write(&version, b"XXXX").unwrap();
    assert!(Store::open(folder.path(), Fsync::Os, Epoch(1)).is_err());
    assert_eq!(fs::read(&version).unwrap(), b"XXXX");
    fs::write(&version, before).unwrap();
    open(folder.path(), NOW);
}

fn journal(folder: &Path) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|e| e == "jnl")).max().unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The process was killed, and the last bytes are not as they were: what comes before them is
/// there, in order and without holes.
#[test]
fn a_torn_end_costs_what_was_torn_and_nothing_before_it() {
    let folder = TempDir::new().unwrap();
    let mut kept = open(folder.path(), NOW);
    let mut sizes = Vec::new();
    for n in 0..4 {
        sizes.push(fs::metadata(journal(folder.path())).unwrap().len());
        kept.publish("room", &n.to_string(), Class::Log).unwrap();
    }
    let whole = TempDir::new().unwrap();
    copy(folder.path(), whole.path());
    drop(kept);
    let bytes = fs::read(journal(whole.path())).unwrap();
    // The journal may be larger than what is in it.
    let used = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let mut seen = BTreeMap::new();
    for cut in (0..300.min(used - 1)).step_by(7) {
        for garbage in [false, true] {
            let torn = TempDir::new().unwrap();
            copy(whole.path(), torn.path());
            let mut bytes = bytes.clone();
            if garbage {
                bytes[used - 1 - cut] ^= 0x55;
            } else {
                bytes.truncate(used - cut);
            }
            fs::write(journal(torn.path()), bytes).unwrap();
            let recovered = match Store::open(torn.path(), Fsync::Os, Epoch(7)) {
                Ok((_, recovered)) => recovered,
                // Bytes that were changed are no torn end. It says so and leaves them alone.
                Err(StoreError::Broken(_)) if garbage => continue,
                Err(error) => panic!("cut {cut}, garbage {garbage}: {error}"),
            };
            let offsets: Vec<_> = recovered.entries.iter().map(|(_, e)| e.offset.0).collect();
            let expected: Vec<_> = (1..=offsets.len() as u64).collect();
            assert_eq!(offsets, expected, "cut {cut}, garbage {garbage}");
            if !offsets.is_empty() {
                assert!(recovered.head.0 >= 4, "what may have been delivered is not given again");
            }
            seen.insert(offsets.len(), cut);
        }
    }
    assert!(seen.len() >= 3, "{seen:?}");
}

/// A full disk itself is a test of the server: `crates/forebay-server/tests/binary/durable.rs`.
#[test]
fn a_failed_write_uses_no_offset_and_the_next_good_one_is_kept() {
    let folder = TempDir::new().unwrap();
    let mut kept = open(folder.path(), NOW);
    kept.publish("room", "before", Class::Log).unwrap();
    let head = kept.log.head();
    // The folder is gone under the store's feet: opening again fails, and says so.
    kept.store.fail_for_tests();
    let away = folder.path().with_extension("away");
    fs::rename(folder.path(), &away).unwrap();
    fs::write(folder.path(), b"not a folder").unwrap();
    assert!(kept.publish("room", "refused", Class::Log).is_err());
    assert_eq!(kept.log.head(), head);
    fs::remove_file(folder.path()).unwrap();
    fs::rename(&away, folder.path()).unwrap();
    kept.publish("room", "after", Class::Log).unwrap();
    drop(kept);
    let kept = open(folder.path(), NOW);
    assert_eq!(kept.texts("room", 0), ["\"before\"", "\"after\""]);
}

#[derive(Clone, Debug)]
enum Step {
    Publish { stream: u8, class: u8 },
    Age(u16),
    Forget,
    Restart { forgets: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..4_u8, 0..4_u8).prop_map(|(stream, class)| Step::Publish { stream, class }),
        1 => (0..40_000_u16).prop_map(Step::Age),
        2 => Just(Step::Forget),
        1 => any::<bool>().prop_map(|forgets| Step::Restart { forgets }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// Whatever a log can serve at any time after any restart is all that was published, but for
    /// what a later entry superseded; and what it could serve before a restart, it still can.
    #[test]
    fn a_restart_makes_no_holes(steps in prop::collection::vec(step(), 1..60)) {
        let folder = TempDir::new().unwrap();
        let mut kept = open(folder.path(), NOW);
        let mut published: Vec<(Offset, String, Class)> = Vec::new();
        for step in steps {
            match step {
                Step::Publish { stream, class } => {
                    let stream = format!("stream {stream}");
                    let class = match class {
                        0 => Class::State(StateKey::new("target", Effect::Content)),
                        1 => Class::Ephemeral,
                        _ => Class::Log,
                    };
                    let offset = kept.publish(&stream, "text", class.clone()).unwrap();
                    published.push((offset, stream, class));
                }
                Step::Age(ms) => kept.now = UnixMillis(kept.now.0 + u64::from(ms)),
                Step::Forget => kept.forget(),
                Step::Restart { forgets } => {
                    if forgets { kept.forget(); }
                    let servable = servable(&kept.log);
                    let (epoch, now) = (kept.log.head().epoch, kept.now);
                    drop(kept);
                    kept = open(folder.path(), now);
                    prop_assert_eq!(kept.log.head().epoch, epoch);
                    for (stream, from) in servable {
                        let cursor = Position { epoch, offset: from };
                        prop_assert!(kept.log.servable(&stream, cursor).is_ok(), "{} {}", stream, from);
                    }
                }
            }
            check(&kept.log, &published)?;
        }
    }
}

/// From where each stream can be served.
fn servable(log: &Log) -> Vec<(String, Offset)> {
    let head = log.head();
    let from = |stream: &str| {
        (0..=head.offset.0)
            .map(Offset)
            .find(|offset| log.servable(stream, Position { offset: *offset, ..head }).is_ok())
    };
    (0..4).map(|n| format!("stream {n}")).filter_map(|s| from(&s).map(|o| (s, o))).collect()
}

fn check(log: &Log, published: &[(Offset, String, Class)]) -> Result<(), TestCaseError> {
    for (stream, from) in servable(log) {
        let cursor = Position { offset: from, ..log.head() };
        let replayed: Vec<_> = log.replay(&stream, cursor).unwrap().map(|e| e.offset).collect();
        let states =
            || published.iter().filter(|(_, s, c)| *s == stream && matches!(c, Class::State(_)));
        let newest_state = states().map(|(offset, ..)| *offset).max();
        let owed = published.iter().filter(|(offset, s, class)| {
            *s == stream
                && *offset > from
                && match class {
                    Class::Log => true,
                    Class::State(_) => Some(*offset) == newest_state,
                    Class::Ephemeral => false,
                }
        });
        let owed: Vec<_> = owed.map(|(offset, ..)| *offset).collect();
        let kept: Vec<_> = replayed.iter().filter(|o| owed.contains(o)).copied().collect();
        prop_assert_eq!(kept, owed, "{} from {}", stream, from);
    }
    Ok(())
}
