//! The rules, one after the other.

use std::sync::Arc;

use forebay_log::{
    Class, Content, Control, Epoch, Extent, Held, Inquiry, InquiryKind, Lacking, Member, Message,
    Node, Offset, Position, Presence, Revocation, StateKey,
};
use forebay_store::{Arrival, Batch, Handover, Handovers, LeftPage, LogStore};

use crate::{Copy, Fault, HARMLESS, World, append, entry, finish, until};

type Rule<W> = fn(&mut W);

pub(crate) fn all<W: World>() -> Vec<(&'static str, Rule<W>)> {
    vec![
        ("batches have consecutive offsets", batches_have_consecutive_offsets),
        ("what is appended is applied here", what_is_appended_is_applied_here),
        ("contents come as they were", contents_come_as_they_were),
        ("many at once keep their order", many_at_once_keep_their_order),
        ("all nodes have the same", all_nodes_have_the_same),
        ("who comes later has it all", who_comes_later_has_it_all),
        ("who comes back has the rest", who_comes_back_has_the_rest),
        ("the log outlives its nodes", the_log_outlives_its_nodes),
        ("who is present outlives their nodes", who_is_present_outlives_their_nodes),
        ("a batch is taken once", a_batch_is_taken_once),
        ("a batch with a name is taken once by all", a_batch_with_a_name_is_taken_once_by_all),
        ("a page goes on at another node", a_page_goes_on_at_another_node),
        ("a page that two have is not believed", a_page_that_two_have_is_not_believed),
        ("a session is taken once", a_session_is_taken_once),
        ("a trimmed log is begun anew", a_trimmed_log_is_begun_anew),
        ("a log that has lost something is another", a_log_that_has_lost_something_is_another),
    ]
}

fn first<W: World>(world: &mut W) -> Arc<dyn LogStore> {
    world.node().expect("there is a first node")
}

fn follow(store: &dyn LogStore) -> Arc<Copy> {
    Copy::follow(store, None).expect("it can be followed")
}

fn batches_have_consecutive_offsets<W: World>(world: &mut W) {
    let store = first(world);
    let copy = follow(&*store);
    let before = finish(world, store.head()).expect("it has a head").offset;
    let one = append(world, &*store, vec![entry("a", "1")]);
    assert!(one > before, "offsets go up");
    let three = append(world, &*store, ["2", "3", "4"].map(|text| entry("b", text)).into());
    until(world, "its own batch", || copy.position().offset >= three);
    let offsets: Vec<_> = copy.records().iter().map(|record| record.offset).collect();
    assert_eq!(offsets[offsets.len() - 3..], [three.0 - 2, three.0 - 1, three.0].map(Offset));
    assert!(three.0 - 2 > one.0);
    assert_eq!(finish(world, store.head()).expect("it has a head").offset, three);
}

fn what_is_appended_is_applied_here<W: World>(world: &mut W) {
    let store = first(world);
    let copy = follow(&*store);
    for n in 0..20 {
        let offset = append(world, &*store, vec![entry("room", &n.to_string())]);
        until(world, "what it has appended", || copy.position().offset >= offset);
    }
    let expected: Vec<_> = (0..20).map(|n| format!("\"{n}\"")).collect();
    assert_eq!(copy.texts("room"), Some(expected));
}

fn contents_come_as_they_were<W: World>(world: &mut W) {
    let store = first(world);
    let copy = follow(&*store);
    let message = Message::json("{\"a\": \"ü\\n\u{2028}\", \"n\": 1e400}");
    let strange = message.except("a session").kind("whisper");
    let state = Class::State(StateKey::new("list", Extent::Element));
    let entries = [Class::Log, state, Class::Ephemeral].map(|class| Content::Entry {
        stream: "räume:1".into(),
        message: strange.clone(),
        class,
    });
    let controls = [
        Control::Revoke(Revocation::of("user:1", "room")),
        Control::Revoke(Revocation::of_identity("user:2")),
        Control::Readmit(Revocation::of_identity("user:2")),
        Control::Disconnect { identity: "user:3".into(), reconnects: false },
        Control::Gap(Lacking::Stream("hall".into())),
        Control::Gap(Lacking::Prefix("room:".into())),
        Control::Gap(Lacking::All),
        sign(Presence::Alive { node: Node(u64::MAX) }),
        sign(Presence::Leaves { node: Node(5) }),
        sign(Presence::Asks { node: Node(1) }),
        signs(Node(1), &[("änn", "{\"a\": \"\u{2028}\"}"), ("bob", "1e400")], &["eve", ""]),
        ended(Node(1), Offset(7), &["änn"]),
        inquiry(InquiryKind::Question(vec![b'?'].into())),
        inquiry(InquiryKind::Answer { to: Node(u64::MAX), body: vec![0, 255].into() }),
        inquiry(InquiryKind::Farewell),
    ];
    let all: Vec<_> = entries.into_iter().chain(controls.map(Content::Control)).collect();
    for content in &all {
        append(world, &*store, vec![content.clone()]);
    }
    let last = append(world, &*store, all.clone());
    until(world, "all of it", || copy.position().offset >= last);
    assert_eq!(copy.contents(), [all.clone(), all].concat());
}

/// Nobody waits for an answer before the next batch, as many publishers together.
fn many_at_once_keep_their_order<W: World>(world: &mut W) {
    let store = first(world);
    let copy = follow(&*store);
    let batch = |n: usize| (0..3).map(|part| entry("room", &format!("{n} {part}"))).collect();
    let mut all: Vec<_> =
        (0..100).map(|n| store.append(Batch::new(crate::NOW, batch(n)))).collect();
    let mut last = Offset::ZERO;
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    // Each has its place when it was polled first.
    let mut ready: Vec<_> = all.iter_mut().map(|one| one.as_mut().poll(&mut cx)).collect();
    for (one, ready) in all.iter_mut().zip(&mut ready) {
        let answer = match std::mem::replace(ready, std::task::Poll::Pending) {
            std::task::Poll::Ready(answer) => answer,
            std::task::Poll::Pending => finish(world, one),
        };
        let offset = answer.expect("it is taken");
        assert!(offset.0 >= last.0 + 3, "each after the one before it");
        last = offset;
    }
    until(world, "all of it", || copy.position().offset >= last);
    let expected: Vec<_> =
        (0..100).flat_map(|n| (0..3).map(move |p| format!("\"{n} {p}\""))).collect();
    assert_eq!(copy.texts("room"), Some(expected));
}

fn all_nodes_have_the_same<W: World>(world: &mut W) {
    let first = first(world);
    let Some(second) = world.node() else { return };
    let copies = [follow(&*first), follow(&*second)];
    let mut last = Offset::ZERO;
    for n in 0..50 {
        let store = if n % 3 == 0 { &first } else { &second };
        last = append(world, &**store, vec![entry("room", &n.to_string()), entry("hall", "x")]);
    }
    until(world, "all of it", || copies.iter().all(|copy| copy.position().offset >= last));
    let [one, other] = copies.map(|copy| copy.records());
    assert_eq!(one, other);
    let offsets: Vec<_> = one.iter().map(|record| record.offset).collect();
    assert!(offsets.is_sorted_by(|a, b| a < b), "none is given twice");
}

fn who_comes_later_has_it_all<W: World>(world: &mut W) {
    let store = first(world);
    let Some(second) = world.node() else { return };
    let copy = follow(&*store);
    let last = append(world, &*store, vec![entry("room", "1"), entry("room", "2")]);
    until(world, "all of it", || copy.position().offset >= last);
    let later = follow(&*second);
    until(world, "all of it", || later.position() == copy.position());
    assert_eq!(later.texts("room"), copy.texts("room"));
}

fn who_comes_back_has_the_rest<W: World>(world: &mut W) {
    let store = first(world);
    let Some(second) = world.node() else { return };
    let copy = follow(&*store);
    append(world, &*store, vec![entry("room", "1")]);
    let middle = append(world, &*store, vec![entry("room", "2")]);
    until(world, "the middle", || copy.position().offset >= middle);
    let at = copy.position();
    let last = append(world, &*store, vec![entry("room", "3")]);
    until(world, "the end", || copy.position().offset >= last);
    let back = Copy::follow(&*second, Some(at)).expect("it can be followed");
    until(world, "the rest", || back.position() == copy.position());
    assert_eq!((back.begins(), back.contents()), (0, vec![entry("room", "3")]));
}

/// All nodes have ended. The next one begins, and a copy that has what it has.
fn begin_again<W: World>(world: &mut W) -> (Arc<dyn LogStore>, Arc<Copy>) {
    world.end();
    let store = first(world);
    let copy = follow(&*store);
    let head = finish(world, store.head()).expect("it has a head");
    until(world, "all of it", || copy.position().offset >= head.offset);
    (store, copy)
}

fn the_log_outlives_its_nodes<W: World>(world: &mut W) {
    let store = first(world);
    let copy = follow(&*store);
    let last = append(world, &*store, vec![entry("room", "1"), entry("hall", "2")]);
    until(world, "all of it", || copy.position().offset >= last);
    let before = copy.position();
    finish(world, store.close()).expect("it ends well");
    drop((store, copy));
    let (store, copy) = begin_again(world);
    assert_eq!(copy.position().epoch, before.epoch, "it is the same log");
    assert_eq!(copy.texts("room"), Some(vec!["\"1\"".to_owned()]));
    let next = append(world, &*store, vec![entry("room", "3")]);
    assert!(next > before.offset, "no offset is given twice");
    until(world, "what it has appended", || copy.position().offset >= next);
    assert_eq!(copy.texts("room"), Some(vec!["\"1\"".to_owned(), "\"3\"".to_owned()]));
}

fn inquiry(kind: InquiryKind) -> Control {
    let (node, name) = (Node(1), "änn".into());
    Control::Inquiry(Arc::new(Inquiry { node, name, number: u64::MAX, kind }))
}

fn sign(sign: Presence) -> Control {
    Control::Presence(Arc::new(sign))
}

fn signs(node: Node, held: &[(&str, &str)], released: &[&str]) -> Control {
    let held = held.iter().map(|(id, info)| Held { member: Member::new(*id, *info), since: None });
    let released = released.iter().map(|id| Arc::from(*id)).collect();
    sign(Presence::Signs { node, stream: "räume".into(), held: held.collect(), released })
}

fn ended(node: Node, seen: Offset, members: &[&str]) -> Control {
    let members = members.iter().map(|id| Arc::from(*id)).collect();
    sign(Presence::Ended { node, by: Node(99), seen, stream: "räume".into(), members })
}

/// The next process knows whom the one before it had, and can end them.
fn who_is_present_outlives_their_nodes<W: World>(world: &mut W) {
    let store = first(world);
    let copy = follow(&*store);
    let (old, older) = (Node(7), Node(8));
    let say = |world: &mut W, store: &dyn LogStore, control| {
        append(world, store, vec![Content::Control(control)])
    };
    let seen = say(world, &*store, signs(older, &[("eve", "1"), ("dan", "1")], &[]));
    say(world, &*store, signs(old, &[("ann", "1"), ("bob", "1")], &[]));
    say(world, &*store, signs(old, &[("ann", "2")], &["bob"]));
    let last = say(world, &*store, ended(older, seen, &["eve"]));
    until(world, "all of it", || copy.position().offset >= last);
    let expected = Some(vec![Member::new("dan", "1"), Member::new("ann", "2")]);
    assert_eq!(copy.present("räume"), expected);
    finish(world, store.close()).expect("it ends well");
    drop((store, copy));
    let (store, copy) = begin_again(world);
    assert_eq!(copy.present("räume"), expected);
    let last = say(world, &*store, ended(older, seen, &["dan"]));
    until(world, "the end of a node", || copy.position().offset >= last);
    assert_eq!(copy.present("räume"), Some(vec![Member::new("ann", "2")]));
}

fn a_batch_is_taken_once<W: World>(world: &mut W) {
    let store = first(world);
    let copy = follow(&*store);
    let mut expected = Vec::new();
    for round in 0..5 {
        for fault in HARMLESS {
            let is_made = world.fault(fault);
            let text = format!("{round} {fault:?}");
            let appended = crate::try_append(world, &*store, vec![entry("room", &text)]);
            assert!(appended.is_ok() || is_made, "it is taken where nothing is lost");
            if appended.is_ok() {
                expected.push(format!("{text:?}"));
            }
        }
    }
    let last = append(world, &*store, vec![entry("room", "last")]);
    expected.push("\"last\"".to_owned());
    until(world, "all of it", || copy.position().offset >= last);
    assert_eq!(copy.texts("room"), Some(expected));
}

/// Another process asks for it again: the first was killed before it could note the answer.
fn a_batch_with_a_name_is_taken_once_by_all<W: World>(world: &mut W) {
    let store = first(world);
    let copy = follow(&*store);
    let named = |name: &str, text: &str| Batch {
        name: Some(name.into()),
        ..Batch::new(crate::NOW, vec![entry("room", text), entry("hall", text)])
    };
    let one = finish(world, store.append(named("rows 1 to 2", "1"))).expect("it is taken");
    let again = finish(world, store.append(named("rows 1 to 2", "1"))).expect("it is known");
    assert_eq!(one, again);
    let mut both = ["2", "2"].map(|text| store.append(named("row 3", text)));
    let ends = both.each_mut().map(|append| finish(world, append).expect("it is taken"));
    assert_eq!(ends[0], ends[1]);
    until(world, "all of it", || copy.position().offset >= ends[0]);
    assert_eq!(copy.texts("room"), Some(vec!["\"1\"".to_owned(), "\"2\"".to_owned()]));
    finish(world, store.close()).expect("it ends well");
    drop((store, copy));
    world.end();
    let store = first(world);
    let copy = follow(&*store);
    let again = finish(world, store.append(named("row 3", "2"))).expect("it is known");
    assert_eq!(again, ends[0]);
    let last = append(world, &*store, vec![entry("room", "3")]);
    until(world, "what came afterwards", || copy.position().offset >= last);
    assert_eq!(copy.texts("room").map(|texts| texts.len()), Some(3));
}

/// Two nodes that hand clients over, if this world has them.
fn neighbours<W: World>(world: &mut W) -> Option<[Arc<dyn LogStore>; 2]> {
    let first = first(world);
    let is_shared = first.handovers() == Handovers::Shared;
    Some([first, world.node().filter(|_| is_shared)?])
}

fn enter<W: World>(world: &mut W, store: &dyn LogStore, page: u64, session: u64) -> Arrival {
    finish(world, store.enter_page(page, session)).expect("it is known")
}

fn leave<W: World>(world: &mut W, store: &dyn LogStore, page: u64, session: u64, proven: u64) {
    let proven = (proven > 0).then_some(at(proven));
    let left = vec![LeftPage { page, session, proven }];
    let handover = Handover { at: crate::NOW, left, ..Handover::default() };
    finish(world, store.hand_over(handover)).expect("it is kept");
}

fn at(offset: u64) -> Position {
    Position { epoch: Epoch(7), offset: Offset(offset) }
}

fn a_page_goes_on_at_another_node<W: World>(world: &mut W) {
    let Some([here, there]) = neighbours(world) else { return };
    let unknown = Arrival::default();
    assert_eq!(enter(world, &*here, 1, 10), unknown);
    leave(world, &*here, 1, 10, 7);
    let known = Arrival { proven: Some((at(7), crate::NOW)), is_shared: false };
    assert_eq!(enter(world, &*there, 1, 11), known);
    assert_eq!(enter(world, &*there, 1, 11), unknown, "its own session");
    leave(world, &*there, 1, 11, 9);
    let known = Arrival { proven: Some((at(9), crate::NOW)), is_shared: false };
    assert_eq!(enter(world, &*here, 1, 12), known);
    // It was unloaded.
    leave(world, &*here, 1, 12, 0);
    assert_eq!(enter(world, &*there, 1, 13), unknown);
    assert_eq!(enter(world, &*there, 2, 13), unknown, "another page");
}

fn a_page_that_two_have_is_not_believed<W: World>(world: &mut W) {
    let Some([here, there]) = neighbours(world) else { return };
    let shared = Arrival { proven: None, is_shared: true };
    enter(world, &*here, 1, 10);
    assert_eq!(enter(world, &*there, 1, 11), shared, "a duplicated tab");
    leave(world, &*here, 1, 10, 5);
    leave(world, &*there, 1, 11, 9);
    assert_eq!(enter(world, &*here, 1, 12), shared);
    // The one that had it first is heard of last.
    enter(world, &*here, 2, 20);
    enter(world, &*there, 2, 21);
    leave(world, &*there, 2, 21, 9);
    leave(world, &*here, 2, 20, 5);
    assert_eq!(enter(world, &*there, 2, 22), shared);
}

fn a_session_is_taken_once<W: World>(world: &mut W) {
    let Some([here, there]) = neighbours(world) else { return };
    let sessions = vec![("abc".to_owned(), Some(b"1".to_vec())), ("def".to_owned(), None)];
    let handover = Handover { at: crate::NOW, sessions, ..Handover::default() };
    finish(world, here.hand_over(handover)).expect("it is kept");
    let take = |world: &mut W, store: &Arc<dyn LogStore>, name| {
        finish(world, store.take_session(name)).expect("it is known")
    };
    assert_eq!(take(world, &there, "def"), None);
    assert_eq!(take(world, &there, "abc"), Some(b"1".to_vec()));
    assert_eq!(take(world, &here, "abc"), None);
    assert_eq!(take(world, &there, "abc"), None);
}

fn a_trimmed_log_is_begun_anew<W: World>(world: &mut W) {
    let store = first(world);
    let Some(second) = world.node() else { return };
    let copy = follow(&*store);
    let first = append(world, &*store, vec![entry("room", "1")]);
    until(world, "the first", || copy.position().offset >= first);
    let at = copy.position();
    append(world, &*store, vec![entry("room", "2")]);
    let last = append(world, &*store, vec![entry("hall", "3")]);
    if !world.fault(Fault::Trim) {
        return;
    }
    let back = Copy::follow(&*second, Some(at)).expect("it can be followed");
    until(world, "the end", || back.position().offset >= last);
    assert_eq!(back.begins(), 1, "the second is gone");
    assert_eq!(back.texts("room"), None, "its pages are told");
    assert_eq!(back.present("room"), None, "and nobody knows who is there");
}

fn a_log_that_has_lost_something_is_another<W: World>(world: &mut W) {
    let store = first(world);
    let copy = follow(&*store);
    append(world, &*store, vec![entry("room", "1")]);
    let lost = append(world, &*store, vec![entry("room", "2")]);
    until(world, "the end", || copy.position().offset >= lost);
    let before = copy.position();
    if !world.fault(Fault::Loss) {
        return;
    }
    until(world, "another epoch", || copy.position().epoch != before.epoch);
    let next = append(world, &*store, vec![entry("room", "3")]);
    until(world, "what came afterwards", || copy.position().offset >= next);
    let texts = copy.texts("room").unwrap_or_default();
    assert!(!texts.contains(&"\"2\"".to_owned()), "what was lost is not there: {texts:?}");
    assert!(texts.last().is_none_or(|last| last == "\"3\""));
}
