//! The log against a model that forgets nothing, and its bounds one by one.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::commit::{Commit, Database};
use crate::message::{Extent, StateKey};
use crate::retention::{ENTRY_OVERHEAD_BYTES, SUPERSEDED_AMONG_MAX};

fn log(retention: Retention) -> Log {
    Log::new(Epoch(1), retention)
}

fn say(log: &mut Log, at: u64, stream: &str, text: &str) -> Offset {
    log.append(UnixMillis(at), stream, Message::json(text), Class::Log).offset
}

fn texts(log: &Log, id: StreamId, after: Offset) -> Result<Vec<String>, Gap> {
    let entries = log.read(id, after, after)?;
    Ok(entries.map(|entry| entry.message.as_json().to_owned()).collect())
}

/// Appends a gap.
fn lack(log: &mut Log, at: UnixMillis, stream: &str) -> Applied {
    gap(log, at, Lacking::Stream(stream.into()))[0]
}

fn gap(log: &mut Log, at: UnixMillis, lacking: Lacking) -> Vec<Applied> {
    let content = Content::Control(Control::Gap(lacking));
    log.apply(&Record { offset: log.head().offset.next(), at, content })
}

fn at(offset: u64) -> Position {
    Position { epoch: Epoch(1), offset: Offset(offset) }
}

#[test]
fn offsets_are_one_order_over_all_streams() {
    let mut log = log(Retention::default());
    assert_eq!(log.head(), at(0));
    assert_eq!(say(&mut log, 0, "a", "1"), Offset(1));
    assert_eq!(say(&mut log, 0, "b", "2"), Offset(2));
    assert_eq!(say(&mut log, 0, "a", "3"), Offset(3));
    let a = log.open("a");
    assert_eq!(texts(&log, a, Offset::ZERO).unwrap(), ["1", "3"]);
    assert_eq!(texts(&log, a, Offset(2)).unwrap(), ["3"]);
    assert_eq!(log.head(), at(3));
}

#[test]
fn a_quiet_stream_is_servable_at_any_cursor() {
    let mut log = log(Retention { entries_max: 2, ..Retention::default() });
    for n in 0..100 {
        say(&mut log, n, "loud", "x");
    }
    assert_eq!(log.servable("quiet", at(0)), Ok(()));
    assert_eq!(log.servable("loud", at(97)), Err(Gap::Forgotten(Offset(98))));
    assert_eq!(log.servable("loud", at(98)), Ok(()));
}

#[test]
fn a_cursor_of_another_epoch_or_of_the_future_is_not_servable() {
    let log = log(Retention::default());
    let other = Position { epoch: Epoch(2), offset: Offset::ZERO };
    assert_eq!(log.servable("a", other), Err(Gap::OtherEpoch));
    assert_eq!(log.servable("a", at(1)), Err(Gap::Future(Offset::ZERO)));
}

#[test]
fn age_is_forgotten_and_remembered_as_forgotten() {
    let mut log = log(Retention { age_max: Duration::from_secs(1), ..Retention::default() });
    say(&mut log, 0, "a", "old");
    say(&mut log, 900, "a", "new");
    log.expire(UnixMillis(1_500));
    let a = log.open("a");
    assert_eq!(texts(&log, a, Offset(0)), Err(Gap::Forgotten(Offset(1))));
    assert_eq!(texts(&log, a, Offset(1)).unwrap(), ["new"]);
    log.expire(UnixMillis(10_000));
    assert_eq!(texts(&log, a, Offset(1)), Err(Gap::Forgotten(Offset(2))));
    assert_eq!(texts(&log, a, Offset(2)).unwrap(), [""; 0]);
    assert_eq!((log.entries(), log.bytes()), (0, 0));
}

#[test]
fn it_is_known_when_something_is_to_be_forgotten_again() {
    let mut log = log(Retention { age_max: Duration::from_mins(1), ..Retention::default() });
    assert_eq!(log.expires_at(), None);
    say(&mut log, 1_000, "a", "1");
    say(&mut log, 2_000, "b", "2");
    log.append(UnixMillis(3_000), "a", Message::json("3"), Class::Ephemeral);
    for (due, entries) in [(8_001, 2), (61_001, 1), (62_001, 0)] {
        log.expire(UnixMillis(due - 1));
        assert_eq!(log.expires_at(), Some(UnixMillis(due)), "not a moment before");
        log.expire(UnixMillis(due));
        assert_eq!(log.entries(), entries);
    }
    assert_eq!(log.expires_at(), None);
}

#[test]
fn bytes_of_one_stream_are_bounded() {
    let mut log = log(Retention { bytes_max: 1_000, ..Retention::default() });
    for _ in 0..50 {
        say(&mut log, 0, "a", &"x".repeat(100));
    }
    assert!(log.bytes() <= 1_000, "{}", log.bytes());
    // One entry larger than the whole bound is forgotten at once, and that is known.
    let big = say(&mut log, 0, "a", &"x".repeat(2_000));
    let a = log.open("a");
    assert_eq!(texts(&log, a, Offset(50)), Err(Gap::Forgotten(big)));
}

#[test]
fn the_total_budget_takes_the_oldest_entry_of_any_stream() {
    let mut log = log(Retention { total_bytes_max: 3 * 150, ..Retention::default() });
    for stream in ["a", "b", "c", "d"] {
        say(&mut log, 0, stream, "0123456789012345678901");
    }
    assert_eq!(log.servable("a", at(0)), Err(Gap::Forgotten(Offset(1))));
    assert_eq!(log.servable("b", at(0)), Ok(()));
    assert_eq!(log.entries(), 3);
}

#[test]
fn streams_dropped_as_a_whole_leave_a_floor() {
    let mut log = log(Retention {
        age_max: Duration::from_secs(1),
        idle_streams_max: 1,
        ..Retention::default()
    });
    say(&mut log, 0, "a", "1");
    say(&mut log, 0, "b", "2");
    say(&mut log, 0, "c", "3");
    log.expire(UnixMillis(5_000));
    assert_eq!(log.streams(), 1, "one idle record is kept");
    for stream in ["a", "b", "never seen"] {
        assert_eq!(log.servable(stream, at(1)), Err(Gap::Forgotten(Offset(2))), "{stream}");
        assert_eq!(log.servable(stream, at(2)), Ok(()), "{stream}");
    }
    assert_eq!(log.servable("c", at(2)), Err(Gap::Forgotten(Offset(3))));
    let reopened = log.open("a");
    assert_eq!(texts(&log, reopened, Offset(1)), Err(Gap::Forgotten(Offset(2))));
}

/// What the floor covers is not missing from a stream that began before it.
#[test]
fn a_stream_that_is_put_back_lacks_what_it_lacked() {
    let forgotten = |offset| Forgotten { offset: Offset(offset), at: UnixMillis(offset) };
    let mut log = Restoration::new(Epoch(1), Retention::default(), forgotten(50));
    log.keep("a", entry(10, "1"), forgotten(3));
    log.keep("a", entry(20, "2"), forgotten(3));
    log.keep("b", entry(60, "3"), forgotten(50));
    log.forget("b", forgotten(55));
    log.forget("c", forgotten(70));
    let log = log.finish(Offset(100));
    for (stream, offset) in [("a", 3), ("b", 55), ("c", 70), ("never seen", 50)] {
        assert_eq!(log.forgotten(stream), forgotten(offset), "{stream}");
    }
    assert_eq!(log.since("a", UnixMillis(3)), Err(Gap::Forgotten(Offset(3))));
    assert_eq!(log.head().offset, Offset(100));
}

/// With a history that has become shorter, all that a stream had may go before its next entry comes.
#[test]
fn while_it_is_put_back_no_stream_forgets_what_it_has_forgotten() {
    let retention = Retention { total_bytes_max: 300, idle_streams_max: 0, ..Retention::default() };
    let mut log = Restoration::new(Epoch(1), retention, Forgotten::default());
    for (offset, stream) in [(1, "a"), (2, "b"), (3, "b"), (4, "b"), (5, "a")] {
        log.keep(stream, entry(offset, "1"), Forgotten::default());
    }
    let log = log.finish(Offset(5));
    assert_eq!(log.servable("a", at(0)), Err(Gap::Forgotten(Offset(1))));
    assert_eq!(log.servable("a", at(1)), Ok(()));
}

fn entry(offset: u64, text: &str) -> Entry {
    let (appended_at, message) = (UnixMillis(offset), Arc::new(Message::json(text)));
    Entry { offset: Offset(offset), appended_at, message, class: Class::Log }
}

#[test]
fn subscribing_to_streams_that_never_speak_leaves_nothing_behind() {
    let mut log = log(Retention::default());
    for n in 0..1_000 {
        let id = log.open(&format!("stream {n}"));
        log.close(id);
    }
    assert_eq!(log.streams(), 0);
}

#[test]
fn an_open_stream_keeps_its_record() {
    let mut log = log(Retention { idle_streams_max: 0, ..Retention::default() });
    let a = log.open("a");
    say(&mut log, 0, "a", "1");
    log.expire(UnixMillis(10_000_000));
    assert_eq!(texts(&log, a, Offset(0)), Err(Gap::Forgotten(Offset(1))));
    log.close(a);
    assert_eq!(log.servable("a", at(0)), Err(Gap::Forgotten(Offset(1))));
}

#[test]
fn ephemeral_entries_reach_those_present_and_no_replay() {
    let mut log = log(Retention::default());
    let a = log.open("a");
    say(&mut log, 0, "a", "kept");
    log.append(UnixMillis(0), "a", Message::json("typing"), Class::Ephemeral);
    say(&mut log, 0, "a", "kept too");
    let present: Vec<_> =
        log.read(a, Offset::ZERO, Offset::ZERO).unwrap().map(|entry| entry.offset.0).collect();
    assert_eq!(present, [1, 2, 3]);
    let joined_later: Vec<_> =
        log.read(a, Offset::ZERO, Offset(3)).unwrap().map(|entry| entry.offset.0).collect();
    assert_eq!(joined_later, [1, 3]);
    log.expire(UnixMillis(60_000));
    assert_eq!(texts(&log, a, Offset::ZERO).unwrap(), ["kept", "kept too"]);
    for n in 0..1_000 {
        log.append(UnixMillis(n), "a", Message::json("typing"), Class::Ephemeral);
    }
    assert_eq!(log.read(a, Offset(3), Offset(3)).unwrap().count(), 64);
    assert_eq!(texts(&log, a, Offset::ZERO).unwrap().len(), 66, "history is untouched");
}

#[test]
fn ephemeral_bytes_of_a_stream_are_bounded() {
    let mut log = log(Retention::default());
    let a = log.open("a");
    for _ in 0..64 {
        let message = Message::json("x".repeat(10_000));
        log.append(UnixMillis(0), "a", message, Class::Ephemeral);
    }
    let held = log.read(a, Offset::ZERO, Offset::ZERO).unwrap();
    assert_eq!(held.count(), (64 << 10) / 10_128);
}

#[test]
fn busy_streams_leave_no_places_to_sweep() {
    let mut log = log(Retention { entries_max: 10, ..Retention::default() });
    for n in 0..1000 {
        say(&mut log, n, if n % 2 == 0 { "even" } else { "odd" }, "x");
        assert!(log.order.len() <= 20, "{}", log.order.len());
    }
}

#[test]
fn a_loud_stream_does_not_grow_the_order_without_bound() {
    let mut log = log(Retention { entries_max: 10, ..Retention::default() });
    for _ in 0..100_000 {
        say(&mut log, 0, "a", "1");
    }
    assert!(log.order.len() <= 2 * 10 + 1024 + 1, "{}", log.order.len());
}

/// A page as far as actions see it: two lists of elements by id, each with shell and content.
/// An action finds the first element of an id, as `getElementById` does; `append` moves it within
/// its own list only, as Turbo does.
type Page = [Vec<(u8, (u32, u32))>; 2];

#[derive(Clone, Debug)]
enum Act {
    Append(usize, u8, u32),
    Replace(u8, u32),
    Update(u8, u32),
    Remove(u8),
}

fn find(page: &mut Page, id: u8) -> Option<&mut (u32, u32)> {
    let found = page.iter_mut().flatten().find(|(other, _)| *other == id);
    found.map(|(_, element)| element)
}

fn apply(page: &mut Page, act: &Act) {
    match *act {
        Act::Append(list, id, value) => {
            page[list].retain(|(other, _)| *other != id);
            page[list].push((id, (value, 0)));
        }
        Act::Replace(id, value) => {
            if let Some(element) = find(page, id) {
                *element = (value, 0);
            }
        }
        Act::Update(id, value) => {
            if let Some(element) = find(page, id) {
                element.1 = value;
            }
        }
        Act::Remove(id) => {
            let place = |list: &Vec<(u8, _)>| list.iter().position(|(other, _)| *other == id);
            if let Some(list) = page.iter_mut().find(|list| place(list).is_some())
                && let Some(index) = place(list)
            {
                list.remove(index);
            }
        }
    }
}

/// Without the acts that would give two elements one id, which HTML forbids.
fn valid(acts: Vec<Act>) -> Vec<Act> {
    let mut page = Page::default();
    let mut valid = Vec::new();
    for act in acts {
        if let Act::Append(list, id, _) = act
            && page[1 - list].iter().any(|(other, _)| *other == id)
        {
            continue;
        }
        apply(&mut page, &act);
        valid.push(act);
    }
    valid
}

fn class_of(act: &Act) -> Class {
    let key = |id: u8, effect| Class::State(StateKey::new(id.to_string(), effect));
    match *act {
        Act::Append(..) => Class::Log,
        Act::Replace(id, _) => key(id, Extent::Element),
        Act::Update(id, _) => key(id, Extent::Content),
        Act::Remove(id) => key(id, Extent::Absence),
    }
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = (0u8..4, 0u8..4, 1u32..1000).prop_map(|(kind, id, value)| match kind {
        0 => Act::Append(value as usize % 2, id, value),
        1 => Act::Replace(id, value),
        2 => Act::Update(id, value),
        _ => Act::Remove(id),
    });
    prop::collection::vec(act, 0..40).prop_map(valid)
}

/// What the bounds leave of a log: the reference for what it may give up.
struct Kept {
    retention: Retention,
    /// Offset, stream, date and cost, in order.
    entries: Vec<(u64, String, u64, usize)>,
}

impl Kept {
    fn add(&mut self, offset: u64, stream: &str, now: u64, cost: usize) {
        let Retention { entries_max, bytes_max, age_max, total_bytes_max, .. } = self.retention;
        let age_max = u64::try_from(age_max.as_millis()).unwrap();
        self.entries.retain(|(_, _, at, _)| at + age_max >= now);
        self.entries.push((offset, stream.to_owned(), now, cost));
        let is_its = |entry: &(u64, String, u64, usize)| entry.1 == stream;
        while self.entries.iter().filter(|e| is_its(e)).count() > entries_max
            || self.entries.iter().filter(|e| is_its(e)).map(|e| e.3).sum::<usize>() > bytes_max
        {
            let oldest = self.entries.iter().position(is_its).unwrap();
            self.entries.remove(oldest);
        }
        while self.entries.iter().map(|entry| entry.3).sum::<usize>() > total_bytes_max {
            self.entries.remove(0);
        }
    }

    /// A gap names an entry that came after the cursor and has left the log. It is of this stream, or
    /// of one that was dropped as a whole: then nothing that this stream still has is older.
    fn check_missing(&self, stream: &str, cursor: u64, gap: Gap) -> Result<(), TestCaseError> {
        let Gap::Forgotten(Offset(missing)) = gap else {
            return Err(TestCaseError::fail(format!("{gap:?}")));
        };
        prop_assert!(missing > cursor, "{missing} is not after {cursor}");
        let mut left = self.entries.iter();
        prop_assert!(left.all(|entry| entry.0 != missing), "{missing} is still there");
        let mut own = self.entries.iter().filter(|entry| entry.1 == stream);
        prop_assert!(own.all(|entry| entry.0 > missing), "{stream} has what is before {missing}");
        Ok(())
    }
}

proptest! {
    /// S46: what compaction leaves leads every page, from wherever it stands, to the same page.
    #[test]
    fn s46_a_compacted_replay_equals_the_full_one(acts in acts()) {
        let mut log = log(Retention::default());
        let id = log.open("board");
        for (n, act) in acts.iter().enumerate() {
            let text = n.to_string();
            log.append(UnixMillis(0), "board", Message::json(text), class_of(act));
        }
        let mut full = Page::default();
        for act in &acts {
            apply(&mut full, act);
        }
        let mut rendered = Page::default();
        for cursor in 0..=acts.len() {
            let mut page = rendered.clone();
            for text in texts(&log, id, Offset(cursor as u64)).unwrap() {
                apply(&mut page, &acts[text.parse::<usize>().unwrap()]);
            }
            prop_assert_eq!(&page, &full, "from cursor {}", cursor);
            if let Some(act) = acts.get(cursor) {
                apply(&mut rendered, act);
            }
        }
    }

    /// The gap rule: an answer is complete or a gap, and a gap only where something is missing. What is
    /// missing, the bounds say, by a model of their own.
    #[test]
    fn a_read_is_complete_or_a_gap(
        steps in prop::collection::vec((0u8..4, 0u64..400, 0usize..40), 1..120),
        entries_max in 1usize..6,
        total in 200usize..4_000,
        idle in 0usize..3,
    ) {
        let retention = Retention {
            entries_max,
            bytes_max: 900,
            age_max: Duration::from_secs(1),
            total_bytes_max: total,
            idle_streams_max: idle,
        };
        let mut log = log(retention.clone());
        let mut model: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
        let mut kept = Kept { retention, entries: Vec::new() };
        let mut now = 0;
        for (stream, wait, size) in steps {
            now += wait;
            log.expire(UnixMillis(now));
            let name = format!("s{stream}");
            let text = "x".repeat(size);
            let offset = say(&mut log, now, &name, &text);
            kept.add(offset.0, &name, now, size + ENTRY_OVERHEAD_BYTES);
            prop_assert_eq!(log.entries(), kept.entries.len());
            model.entry(name).or_default().push((offset.0, text));
            let (bytes, head) = (log.bytes(), log.head().offset.0);
            prop_assert!(bytes <= total, "{} bytes of {}", bytes, total);
            for name in ["s0", "s1", "s2", "s3"] {
                let all = model.get(name).cloned().unwrap_or_default();
                let id = log.open(name);
                for cursor in 0..=head {
                    let expected: Vec<_> = all
                        .iter()
                        .filter(|(offset, _)| *offset > cursor)
                        .map(|(_, text)| text.clone())
                        .collect();
                    let servable = log.servable(name, at(cursor));
                    match texts(&log, id, Offset(cursor)) {
                        Ok(given) => {
                            prop_assert_eq!(given, expected);
                            prop_assert_eq!(servable, Ok(()));
                        }
                        Err(gap) => {
                            prop_assert_eq!(servable, Err(gap));
                            kept.check_missing(name, cursor, gap)?;
                        }
                    }
                }
                log.close(id);
            }
        }
    }
}

/// However much a stream keeps, a state looks at so many of its entries while all others wait.
#[test]
fn a_state_supersedes_among_the_newest_entries_only() {
    let mut log = log(Retention { entries_max: 10_000, ..Retention::default() });
    let state = |log: &mut Log, text: &str| {
        let class = Class::State(StateKey::new("counter", Extent::Content));
        log.append(UnixMillis(0), "room", Message::json(text), class).offset
    };
    let oldest = state(&mut log, "old");
    for _ in 1..SUPERSEDED_AMONG_MAX {
        say(&mut log, 0, "room", "x");
    }
    let near = state(&mut log, "near");
    assert_eq!(log.entries(), SUPERSEDED_AMONG_MAX, "{oldest} was near enough");
    for _ in 0..SUPERSEDED_AMONG_MAX {
        say(&mut log, 0, "room", "x");
    }
    let newest = state(&mut log, "new");
    assert_eq!(log.entries(), 2 * SUPERSEDED_AMONG_MAX + 1);
    let room = log.open("room");
    let got = texts(&log, room, Offset(near.0 - 1)).unwrap();
    assert_eq!((got[0].as_str(), got.last().unwrap().as_str()), ("near", "new"), "{newest}");
}

#[test]
fn two_streams_never_have_the_same_id() {
    let mut log = Log::new(Epoch(1), Retention::default());
    let first = log.open("a");
    log.close(first);
    let second = log.open("b");
    assert_eq!(first.index(), second.index());
    assert_ne!(first, second);
}

/// The kind of fault that shows one tenant another's entries.
#[test]
#[should_panic(expected = "a StreamId is used only while it is open")]
fn an_id_that_was_kept_for_too_long_reads_no_other_stream() {
    let (mut log, stale) = log_whose_only_index_was_given_on();
    say(&mut log, 0, "another tenant's", "secret");
    let _ = texts(&log, stale, Offset::ZERO);
}

#[test]
#[should_panic(expected = "a StreamId is used only while it is open")]
fn an_id_that_was_kept_for_too_long_closes_no_other_stream() {
    let (mut log, stale) = log_whose_only_index_was_given_on();
    log.close(stale);
}

fn log_whose_only_index_was_given_on() -> (Log, StreamId) {
    let mut log = log(Retention::default());
    let stale = log.open("a tenant's");
    log.close(stale);
    let next = log.open("another tenant's");
    assert_eq!(stale.index(), next.index());
    (log, stale)
}

#[test]
fn a_stream_that_lacks_something_is_a_gap_for_whoever_stands_before_it() {
    let mut log = log(Retention { idle_streams_max: 1, ..Retention::default() });
    let other = say(&mut log, 0, "other", "1");
    let last = say(&mut log, 0, "room", "2");
    let room = log.open("room");
    let lacks = lack(&mut log, UnixMillis(5), "room");
    assert_eq!((lacks.stream, lacks.offset), (room, last.next()));
    assert_eq!(log.head().offset, lacks.offset);
    assert_eq!(texts(&log, room, last), Err(Gap::Forgotten(lacks.offset)));
    assert!(log.last(room) > last, "its readers have something to look at");
    assert!(log.since("room", UnixMillis(5)).is_err());
    assert_eq!(texts(&log, room, lacks.offset), Ok(Vec::new()));
    say(&mut log, 6, "room", "3");
    assert_eq!(texts(&log, room, lacks.offset), Ok(vec!["3".to_owned()]));
    assert_eq!(log.servable("other", at(other.0 - 1)), Ok(()), "it concerns that stream only");
    // One that nobody reads, and of which nothing is known.
    let unread = lack(&mut log, UnixMillis(7), "unread").offset;
    assert_eq!(log.servable("unread", at(unread.0 - 1)), Err(Gap::Forgotten(unread)));
    assert_eq!(log.bytes(), "1".len() + "3".len() + 2 * 128);
}

#[test]
fn a_gap_of_many_streams_is_one_for_those_of_which_nothing_is_known_too() {
    let mut log = log(Retention::default());
    for stream in ["room:1", "room:2", "hall"] {
        say(&mut log, 0, stream, "1");
    }
    let lacking = gap(&mut log, UnixMillis(5), Lacking::Prefix("room:".into()));
    let mut names: Vec<_> = lacking.iter().map(|one| log.name(one.stream).to_string()).collect();
    names.sort();
    assert_eq!(names, ["room:1", "room:2"]);
    let forgotten = |log: &Log, stream| log.servable(stream, at(3)).err();
    assert_eq!(forgotten(&log, "room:1"), Some(Gap::Forgotten(Offset(4))));
    assert_eq!(forgotten(&log, "room:3"), Some(Gap::Forgotten(Offset(4))));
    assert_eq!(forgotten(&log, "hall"), None);
    assert_eq!(gap(&mut log, UnixMillis(6), Lacking::All).len(), 3);
    assert_eq!(log.servable("hall", at(4)), Err(Gap::Forgotten(Offset(5))));
}

/// A store may send what a replica has: after a lost connection it does.
#[test]
fn a_record_that_was_applied_is_not_applied_again() {
    let mut log = log(Retention::default());
    let record = |offset, text| Record {
        offset: Offset(offset),
        at: UnixMillis(0),
        content: Content::Entry {
            stream: "room".into(),
            message: Message::json(text),
            class: Class::Log,
        },
    };
    for (offset, text, count) in [(3, "1", 1), (3, "1", 0), (2, "0", 0), (7, "2", 1)] {
        assert_eq!(log.apply(&record(offset, text)).len(), count);
    }
    let room = log.find("room").unwrap();
    assert_eq!(texts(&log, room, Offset::ZERO).unwrap(), ["1", "2"]);
    assert_eq!(log.head().offset, Offset(7));
}

/// The store that it is a replica of has another history: a database that was put back, say.
#[test]
fn a_log_that_begins_anew_keeps_what_is_open_and_nothing_else() {
    let mut log = log(Retention::default());
    let (room, hall) = (log.open("room"), log.open("hall"));
    for stream in ["room", "hall", "unread"] {
        say(&mut log, 0, stream, "old");
    }
    let floor = Forgotten { offset: Offset(1), at: UnixMillis(9) };
    let mut anew = Restoration::over(log, Epoch(2), floor);
    anew.keep("room", entry(2, "new"), Forgotten::default());
    let mut log = anew.finish(Offset(2));
    assert_eq!(log.head(), Position { epoch: Epoch(2), offset: Offset(2) });
    assert_eq!(texts(&log, room, Offset::ZERO).unwrap(), ["new"]);
    assert_eq!(texts(&log, hall, Offset::ZERO), Err(Gap::Forgotten(Offset(1))));
    assert_eq!(log.servable("room", at(2)), Err(Gap::OtherEpoch));
    assert_eq!((log.entries(), log.find("unread")), (1, None));
    log.close(room);
    log.close(hall);
    assert_eq!(log.streams(), 1, "both are closed, and one has history");
}

/// Its copy may have been written with what was forgotten some records ago.
#[test]
fn a_stream_that_begins_above_the_floor_that_is_known_is_noted() {
    let retention = Retention { total_bytes_max: 300, idle_streams_max: 0, ..Retention::default() };
    let mut log = Restoration::new(Epoch(1), retention, Forgotten::default()).finish(Offset::ZERO);
    for stream in ["a", "b", "c", "d"] {
        say(&mut log, 0, stream, "1");
    }
    let (dropped, floor) = log.take_dropped();
    let noted = Dropped::Forgotten("d".into(), Forgotten { offset: Offset(1), at: UnixMillis(0) });
    assert!(dropped.contains(&noted), "{dropped:?}");
    assert_eq!(floor.offset, Offset(2));
}

/// Nobody waits for a sweep over all that has become too old.
#[test]
fn a_sweep_is_made_in_pieces() {
    let age_max = Duration::from_secs(1);
    let mut log = log(Retention { age_max, entries_max: 5_000, ..Retention::default() });
    for n in 0..1_000 {
        say(&mut log, 0, "a", "1");
        log.append(UnixMillis(0), &format!("typing {n}"), Message::json("2"), Class::Ephemeral);
    }
    let (mut sweep, mut pieces, mut before) = (Sweep::default(), 1, log.entries());
    while log.expire_some(UnixMillis(6_000), &mut sweep) {
        assert!(before - log.entries() <= SWEEP_STEPS);
        before = log.entries();
        pieces += 1;
    }
    assert!(pieces >= 2_000 / SWEEP_STEPS, "{pieces}");
    assert_eq!((log.entries(), log.streams()), (0, 1), "one has a record of what it has forgotten");
}

/// A replica that lags has a place in the log, which is never behind something that it lacks.
#[test]
fn a_replica_has_reached_a_place_before_what_it_lacks() {
    let mut log = log(Retention::default());
    let commit = |life, wal| {
        let database = Database { system: 1, life };
        Commit { database, id: wal, wal, settled: 0 }
    };
    let seen = |life, wal| Seen::Replica { database: Database { system: 1, life }, wal };
    assert_eq!(log.reached(&seen(1, u64::MAX)), None, "nothing has been published yet");
    for step in 1..=2_000_u64 {
        let at = UnixMillis(step * 300);
        log.append(at, "a", Message::json("1"), Class::Log);
        let message = Message::json("1").committed_in(commit(1 + step / 1_500, step * 10));
        log.append(at, "b", message, Class::Log);
    }
    for (life, wal) in [(1, 5_000), (1, 14_985), (2, 15_000), (2, 19_999), (2, 20_000)] {
        let reached = log.reached(&seen(life, wal)).unwrap().offset.0;
        // The entry of step n has offset 2 n, and 10 n in the WAL.
        assert!(reached <= wal / 10 * 2, "{reached} is too late for {wal}");
        assert!(reached + 10 >= wal / 10 * 2, "{reached} is too early for {wal}");
    }
    let of_its_own_life = log.reached(&seen(1, u64::MAX)).unwrap().offset.0;
    assert!((2_988..=2_998).contains(&of_its_own_life), "{of_its_own_life}");
    assert_eq!(log.reached(&seen(3, 0)).unwrap().offset.0, 4_000, "of an earlier one");
    assert_eq!(log.reached(&seen(0, 0)), None);
    let other = Seen::Replica { database: Database { system: 2, life: 1 }, wal: 5_000 };
    assert_eq!(log.reached(&other), None);
    assert_eq!(log.reached(&Seen::snapshot(Database { system: 1, life: 2 }, 0, [9, 9], &[])), None);
}
