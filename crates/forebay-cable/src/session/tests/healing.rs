//! Pages that lack something: told once, in their turn, and not for ever.

use super::*;

/// The identifier of a tag of a stream, from this rendering of a page.
fn tag(stream: &str, rendering: &str) -> String {
    format!(r#"{{"channel":"C","name":"{stream}","cursor":"{rendering}.{stream}"}}"#)
}

impl Pair {
    fn plan(&mut self, turn: u64) {
        if !self.session.is_healing() {
            self.session.plan_healing(NOW, UnixMillis(turn));
        }
    }

    /// Subscribes a tag whose page lacks something, and is told so at `turn`.
    fn lose(&mut self, identifier: &str, turn: u64) {
        self.command("subscribe", identifier);
        self.plan(turn);
        self.confirm(identifier, Start::Lost);
    }

    fn confirm(&mut self, identifier: &str, start: Start) {
        let Some(Effect::Subscribe { .. }) = self.session.poll_effect() else {
            panic!("no subscribe to answer");
        };
        let stream = self.log.open(identifier);
        let head = self.log.head().offset;
        let attachment = Attachment {
            stream,
            name: identifier.into(),
            start,
            head,
            seen: None,
            is_presence: false,
        };
        self.session.confirm(vec![attachment], true, refresh());
    }

    /// What is said, but for confirmations and pings: whom it tells to refresh, or the text.
    fn told(&mut self) -> Vec<String> {
        let texts = self.drain();
        let texts = texts.iter().filter(|text| !text.contains("confirm") && !text.contains("ping"));
        texts
            .map(|text| serde_json::from_str::<Value>(text).unwrap()["message"].to_string())
            .collect()
    }
}

const REFRESH: &str = r#""<refresh>""#;

fn speaking(protocol: Protocol) -> Pair {
    let mut pair = Pair::of(Session::open(NOW, hello(protocol), Arc::default()));
    pair.drain();
    pair
}

#[test]
fn a_page_is_told_once_for_all_of_its_tags() {
    for protocol in [Protocol::ActionCableV1Json, Protocol::ActionCableV1ExtJson] {
        let mut pair = speaking(protocol);
        for stream in ["a", "b", "c"] {
            pair.lose(&tag(stream, "e.1.p"), NOW.0);
        }
        let told = pair.told();
        assert_eq!(told.iter().filter(|text| *text == REFRESH).count(), 1, "{told:?}");
        // Another rendering lacks something of its own.
        pair.lose(&tag("a", "e.2.q"), NOW.0);
        assert!(pair.told().contains(&REFRESH.to_owned()), "{protocol:?}");
        // Who has not rendered itself again within a ping interval is told again.
        pair.session.handle_timeout(UnixMillis(NOW.0 + 3_000));
        pair.lose(&tag("d", "e.1.p"), NOW.0);
        assert!(pair.told().contains(&REFRESH.to_owned()), "{protocol:?}");
    }
}

#[test]
fn a_page_whose_turn_has_not_come_is_not_given_what_is_behind_its_gap() {
    for protocol in
        [Protocol::ActionCableV1Json, Protocol::ActionCableV1ExtJson, Protocol::EventSource]
    {
        let mut pair = speaking(protocol);
        pair.lose(&tag("a", "e.1.p"), NOW.0 + 700);
        pair.broadcast(&tag("a", "e.1.p"), "behind the gap");
        let said = pair.drain_whole().concat();
        assert!(!said.contains("refresh") && !said.contains("behind"), "{protocol:?}: {said}");
        assert_eq!(pair.session.poll_timeout(), UnixMillis(NOW.0 + 700));
        assert!(pair.session.acknowledged().all(|(_, proven)| proven.is_none()));
        pair.session.handle_timeout(UnixMillis(NOW.0 + 699));
        assert!(!pair.drain_whole().concat().contains("refresh"), "{protocol:?}");
        pair.session.handle_timeout(UnixMillis(NOW.0 + 700));
        let said = pair.drain_whole().concat();
        let (told, _) = said.split_once("behind").expect("it is read from now on");
        assert!(told.contains("refresh"), "{protocol:?}: {said}");
    }
}

/// A browser keeps one position for all that it reads. If the connection ended in between, that would be past the
/// gap, and nobody would be told of it.
#[test]
fn no_event_goes_out_before_a_page_is_told_what_it_lacks() {
    let mut pair = speaking(Protocol::EventSource);
    let (whole, lacking) = (tag("a", "e.1.p"), tag("b", "e.2.q"));
    pair.command("subscribe", &whole);
    pair.confirm(&whole, Start::Live);
    pair.lose(&lacking, NOW.0 + 700);
    pair.broadcast(&whole, "1");
    assert_eq!(pair.drain_whole(), [""; 0]);
    pair.session.handle_timeout(UnixMillis(NOW.0 + 699));
    assert_eq!(pair.drain_whole(), [""; 0], "no id, too");
    pair.session.handle_timeout(UnixMillis(NOW.0 + 700));
    let said = pair.drain_whole().concat();
    let (told, _) = said.split_once("data: 1\n").expect("it is read from now on");
    assert!(told.contains("refresh"), "{said}");
}

#[test]
fn our_client_is_told_at_once_how_long_to_wait() {
    let mut pair = speaking(Protocol::ForebayV1Json);
    pair.lose(&tag("a", "e.1.p"), NOW.0 + 700);
    let said = pair.drain_whole().concat();
    assert!(said.contains(r#""resync":true,"wait":700}"#), "{said}");
}

/// What it lacks after five renderings in a row it lacks for twelve seconds, and not for a minute.
#[test]
fn a_page_is_told_five_times_in_a_row_and_then_once_in_twelve_seconds() {
    let mut pair = speaking(Protocol::ActionCableV1Json);
    for n in 0..5 {
        pair.lose(&tag("a", &format!("e.{n}.p")), NOW.0);
        assert_eq!(pair.told(), [REFRESH]);
    }
    for n in 1..4 {
        pair.lose(&tag("a", &format!("e.{n}.q")), NOW.0);
        pair.session.handle_timeout(UnixMillis(NOW.0 + n * 12_000 - 1));
        assert_eq!(pair.told(), [""; 0]);
        pair.session.handle_timeout(UnixMillis(NOW.0 + n * 12_000));
        assert_eq!(pair.told(), [REFRESH]);
    }
}

#[test]
fn a_page_that_is_rendered_again_by_the_same_foreign_process_is_told_that_it_cannot_be_healed() {
    for protocol in [Protocol::ActionCableV1Json, Protocol::ForebayV1Json, Protocol::EventSource] {
        let mut pair = speaking(protocol);
        let foreign = Epoch(7);
        // A page and a frame of it, rendered at two moments: neither is the other's successor.
        let (page, frame) = (tag("a", "7.1.p"), tag("b", "7.2.q"));
        for identifier in [&page, &frame] {
            pair.command("subscribe", identifier);
            assert!(!pair.session.heals_in_vain(foreign), "{identifier}");
            pair.confirm(identifier, Start::Lost);
        }
        for identifier in [&page, &frame] {
            pair.command("unsubscribe", identifier);
            pair.answer_unsubscribe();
        }
        pair.drain_whole();
        for identifier in [tag("a", "7.3.r"), tag("b", "7.3.r")] {
            pair.command("subscribe", &identifier);
            assert!(pair.session.heals_in_vain(foreign), "{identifier}");
            pair.confirm(&identifier, Start::Unhealed);
            let said = pair.drain_whole().concat();
            assert!(said.contains("unhealed") && !said.contains("refresh"), "{said}");
            pair.broadcast(&identifier, "live");
            assert!(pair.drain_whole().concat().contains("live"));
        }
        // A page of another epoch is another matter.
        pair.command("subscribe", &tag("a", "8.1.s"));
        assert!(!pair.session.heals_in_vain(Epoch(8)));
    }
}

/// Other subscriptions of the page go on, and what proves theirs must not prove what was not read.
#[test]
fn no_mark_is_sent_while_a_page_waits_for_its_turn() {
    let mut pair = speaking(Protocol::ActionCableV1Json);
    let live = tag("live", "e.1.p");
    pair.command("subscribe", &live);
    pair.confirm(&live, Start::After(Offset(0)));
    pair.lose(&tag("a", "e.1.p"), NOW.0 + 700);
    pair.broadcast(&live, "live");
    assert!(pair.drain().concat().contains("live"));
    assert_eq!(pair.session.next_mark(Offset(1), true), None);
    pair.session.handle_timeout(UnixMillis(NOW.0 + 700));
    assert!(pair.session.next_mark(Offset(1), true).is_some());
}
