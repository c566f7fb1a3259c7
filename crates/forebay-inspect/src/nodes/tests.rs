//! Answers of several nodes, made by hand.

use super::*;
use crate::{
    Answer, Broken, Connection, Facts, Log, Outcome, Place, Reach, Report, Seen, Source, State,
    Subscription, why,
};

fn about(page: &str, stream: &str) -> About {
    About { page: page.into(), stream: stream.into(), ..About::default() }
}

/// A node that knows this of them.
fn knows(facts: Facts) -> Known {
    let facts = match facts.stream.as_str() {
        "" => Facts { stream: "room".into(), ..facts },
        _ => facts,
    };
    Known { facts, ..Known::default() }
}

fn page(id: &str, node: &str, subscriptions: Vec<Subscription>) -> Page {
    Page { id: id.into(), node: node.into(), subscriptions, ..Page::default() }
}

fn published(at: u64, offset: u64) -> Broadcast {
    Broadcast { at, ..Broadcast::published("room", "e", offset) }
}

#[track_caller]
fn ask(known: &[Known]) -> Answer {
    why(&Facts::merge(&about("p", "room"), known, Log::default()))
}

#[test]
fn the_page_of_one_node_and_the_broadcast_of_another_are_one_question() {
    let at = |sent, is_stalled| {
        let one = Subscription { sent: Some(sent), is_stalled, ..Subscription::live("room") };
        knows(Facts { page: Some(page("p", "b", vec![one])), ..Facts::default() })
    };
    let asked_for = Broadcast {
        source: Source { place: Some("a.rs:1".into()), ..Source::default() },
        ..published(5, 7)
    };
    let at_publisher = || knows(Facts { broadcast: Some(asked_for.clone()), ..Facts::default() });
    // Each node has the same in its history, without the line.
    let as_history_has_it =
        || knows(Facts { broadcast: Some(published(5, 7)), ..Facts::default() });
    for (sent, is_stalled, expected) in [(6, true, Broken::Stalled), (6, false, Broken::NotSent)] {
        let known = vec![as_history_has_it(), at(sent, is_stalled), at_publisher()];
        let answer = ask(&known);
        assert_eq!((answer.broken, answer.place.as_deref()), (expected, Some("a.rs:1")));
    }
    let answer = ask(&[as_history_has_it(), at(7, true), at_publisher()]);
    assert!(answer.sentence.contains("reported nothing"), "{answer:?}");
}

#[test]
fn the_last_broadcast_is_meant_wherever_it_was_asked_for() {
    let of = |outcome, at| {
        let broadcast = Broadcast { at, ..Broadcast::of("room", outcome) };
        knows(Facts { broadcast: Some(broadcast), ..Facts::default() })
    };
    let history = || knows(Facts { broadcast: Some(published(5, 7)), ..Facts::default() });
    let rolled_back = ask(&[history(), of(Outcome::RolledBack, 6), history()]);
    assert_eq!(rolled_back.broken, Broken::RolledBack);
    // It was rolled back before the last one was published.
    let facts =
        Facts::merge(&about("p", "room"), &[of(Outcome::RolledBack, 4), history()], Log::default());
    assert_eq!(facts.broadcast.unwrap().outcome, published(5, 7).outcome);
    // A later place is later, whatever the clocks of two nodes say.
    let newer = knows(Facts { broadcast: Some(published(3, 8)), ..Facts::default() });
    let facts = Facts::merge(&about("p", "room"), &[history(), newer], Log::default());
    assert_eq!(facts.broadcast.unwrap().outcome, published(3, 8).outcome);
    // Who has asked for it knows that it was overwritten; the others have nothing at its place.
    let place = Place { epoch: "e".into(), offset: 7 };
    let superseded = of(Outcome::Superseded(place), 5);
    let facts = Facts::merge(&about("p", "room"), &[history(), superseded], Log::default());
    assert!(matches!(facts.broadcast.unwrap().outcome, Outcome::Superseded(_)));
}

#[test]
fn how_many_a_broadcast_was_for_is_counted_over_all_nodes() {
    let reaches = |node: &str, subscriptions| {
        let reach = vec![Reach { node: node.into(), subscriptions }];
        knows(Facts { broadcast: Some(Broadcast { reach, ..published(5, 7) }), ..Facts::default() })
    };
    let known = vec![reaches("a", 0), reaches("b", 2), reaches("c", 1), reaches("b", 2)];
    let facts = Facts::merge(&about("p", "room"), &known, Log::default());
    assert_eq!(facts.broadcast.unwrap().subscriptions(), 3);
}

#[test]
fn of_pages_that_several_nodes_know_the_one_that_is_meant_is_taken() {
    let comes = |id: &str, since, connection| Page { since, connection, ..page(id, "n", vec![]) };
    let gone = || Connection::Gone { at: 9 };
    let check = |whose: &str, pages: Vec<Page>, expected: &str| {
        assert_eq!(choose_page(whose, pages.iter()).unwrap().id, expected, "{pages:?}");
    };
    let connected = || Connection::Connected;
    check("v", vec![comes("a", 1, connected()), comes("b", 2, connected())], "b");
    check("v", vec![comes("a", 1, connected()), comes("b", 2, gone())], "a");
    check("b", vec![comes("a", 1, connected()), comes("b", 2, gone())], "b");
}

#[test]
fn a_name_is_in_clear_where_one_node_knows_it() {
    let signed = About { claimed: Some("claimed".into()), ..about("p", "c2lnbmVk--abc") };
    let says = |stream: &str, page: Option<Page>| {
        let broadcast = Some(Broadcast::published(stream, "e", 1));
        knows(Facts { stream: stream.into(), page, broadcast, ..Facts::default() })
    };
    let one = Subscription { signed: Some(signed.stream.clone()), ..Subscription::live("room") };
    let known =
        || vec![says("claimed", None), says("room", Some(page("p", "b", vec![one.clone()])))];
    let facts = Facts::merge(&signed, &known(), Log::default());
    assert_eq!((&*facts.stream, &*facts.broadcast.unwrap().stream), ("room", "room"));
    let facts = Facts::merge(&signed, &known()[..1], Log::default());
    assert_eq!(facts.stream, "claimed");
    assert_eq!(Facts::merge(&signed, &[], Log::default()).stream, signed.stream);
}

/// Behind a load balancer a page's reports come to any node.
#[test]
fn what_a_page_reports_to_another_node_is_known() {
    let tag = |cursor: &str| Subscription {
        signed_cursor: Some(cursor.into()),
        ..Subscription::live("room")
    };
    let its = page("p", "b", vec![tag("first"), tag("second")]);
    let reports = |seen, at| Report { at, stream: Some("room".into()), seen, ..Report::default() };
    let at_page = Known {
        elsewhere: vec![("stranger".into(), reports(Seen::Preview, 9))],
        ..knows(Facts {
            page: Some(its),
            broadcast: Some(published(5, 7)),
            reports: vec![reports(Seen::Permanent, 1)],
            ..Facts::default()
        })
    };
    let elsewhere = Known {
        elsewhere: vec![("second".into(), reports(Seen::EmptyTemplate, 3))],
        ..knows(Facts::default())
    };
    let answer = ask(&[elsewhere, at_page.clone()]);
    assert_eq!(answer.broken, Broken::EmptyTemplate);
    assert_eq!(ask(std::slice::from_ref(&at_page)).broken, Broken::Permanent);
    // Our client says by its own protocol that there is no target, by the node's clock. The script's report comes
    // behind it, by the page's, and names the ids that come near.
    let missing = |ids, at| reports(Seen::TargetMissing { ids }, at);
    let said = vec![missing(vec![], 90), missing(vec!["messages".into()], 80)];
    let facts = Facts { reports: said, ..at_page.facts };
    let Broken::TargetMissing { ids, .. } = ask(&[knows(facts)]).broken else { panic!() };
    assert_eq!(ids, ["messages"]);
}

#[test]
fn a_report_of_what_is_there_twice_is_of_the_broadcast_that_brought_it() {
    let seen = Seen::TargetDoubled { count: 2, nested: false };
    let report = |action: &str| Report {
        stream: Some("room".into()),
        action: Some(action.into()),
        target: Some("message_1".into()),
        seen: seen.clone(),
        ..Report::default()
    };
    let broadcast = Broadcast {
        action: Some("append".into()),
        targets: Some(crate::Targets::Id("messages".into())),
        ..published(5, 7)
    };
    let check = |action: &str, expected: bool| {
        let facts = Facts {
            page: Some(page("p", "b", vec![Subscription::live("room")])),
            broadcast: Some(broadcast.clone()),
            reports: vec![report(action)],
            ..Facts::default()
        };
        let broken = ask(&[knows(facts)]).broken;
        assert_eq!(matches!(broken, Broken::TargetDoubled { .. }), expected, "{broken:?}");
    };
    check("append", true);
    check("update", false);
}

#[test]
fn other_nodes_are_told_what_they_can_use() {
    let names = (0..500).map(|number| format!("somewhere:{number}"));
    let known_streams: Vec<_> = names.chain(["chat:1".into(), "news".into()]).collect();
    let mut tags: Vec<_> = (0..200)
        .map(|number| Subscription {
            signed: Some("s".repeat(200)),
            ..Subscription::live(&format!("tag:{number}"))
        })
        .collect();
    tags.push(Subscription { signed: Some("its".into()), ..Subscription::live("chats:1") });
    let facts = Facts {
        stream: "chats:1".into(),
        page: Some(page("p", "b", tags)),
        known_streams,
        ..Facts::default()
    };
    let told = knows(facts).for_others();
    assert_eq!(told.facts.known_streams, ["chat:1"]);
    let page = told.facts.page.unwrap();
    assert_eq!(page.subscriptions[0].signed.as_deref(), Some("its"));
    assert_eq!((page.subscriptions.len(), page.subscriptions_left_out), (64, 137));
    assert_eq!(page.subscriptions[1].signed, None);
}

#[test]
fn an_answer_is_cut_by_whole_rows() {
    let row = |id| Broadcast { id, ..published(id, id) };
    let rows: Vec<_> = (0..1_000).map(row).collect();
    let of = (0..1_000).rev().map(|offset| (offset, 1)).collect();
    let reached = Reached { epoch: "e".into(), from: 0, of };
    let told = |said| Told { node: "n".into(), is_cut: false, said };
    let whole = told(Said::Broadcasts(rows.clone(), reached));
    let cut = whole.clone().within(64 << 10);
    assert!(cut.is_cut && cut.to_json().len() <= 64 << 10, "{}", cut.to_json().len());
    let Said::Broadcasts(rows, reached) = &cut.said else { panic!("{cut:?}") };
    assert!(rows.len() > 50 && rows.last().unwrap().id == rows.len() as u64 - 1);
    // Of what it leaves out it says nothing.
    assert_eq!(reached.from, reached.of.last().unwrap().0);
    assert_eq!(whole.clone().within(10 << 20), whole);
    let tags = (0..2_000).map(|number| Subscription::live(&format!("tag:{number}"))).collect();
    let page = told(Said::Page(Some(Box::new(page("p", "n", tags)))));
    let cut = page.within(64 << 10);
    assert!(cut.is_cut && cut.to_json().len() <= 64 << 10);
    let page = cut.page().unwrap();
    assert_eq!(page.subscriptions.len() as u64 + page.subscriptions_left_out, 2_000);
}

#[test]
fn a_question_and_an_answer_are_read_as_they_were_written() {
    let rows =
        Rows { text: "ü".into(), before: Some(RowKey::default()), max: 9, ..Rows::default() };
    let names = || vec!["a".into()];
    for question in [
        Question::Facts(vec![about("p", "s")]),
        Question::Broadcasts(rows.clone()),
        Question::Pages(rows.clone()),
        Question::Page("p".into()),
        Question::Streams(rows),
        Question::Nearest(names()),
    ] {
        assert_eq!(Question::from_json(&question.to_json()), Some(question));
    }
    let refused = State::Rejected { why: crate::Rejection::Key, detail: "no".into() };
    let its = page("p", "n", vec![Subscription { state: refused, ..Subscription::live("s") }]);
    let facts =
        Facts { page: Some(its.clone()), broadcast: Some(published(1, 2)), ..Facts::default() };
    for said in [
        Said::Off,
        Said::Facts(vec![knows(facts)]),
        Said::Broadcasts(vec![published(1, 2)], Reached::default()),
        Said::Pages(PageRows { rows: vec![its.clone()], ..PageRows::default() }),
        Said::Page(Some(Box::new(its))),
        Said::Page(None),
        Said::Streams(vec![StreamRow::default()]),
        Said::Nearest(vec![names()]),
    ] {
        let told = Told { node: "n".into(), is_cut: true, said };
        assert_eq!(Told::from_json(&told.to_json()), Some(told));
    }
    for rubbish in [&b""[..], b"{}", b"\xff", b"{\"node\":\"n\",\"said\":{\"sung\":1}}"] {
        assert_eq!((Told::from_json(rubbish), Question::from_json(rubbish)), (None, None));
    }
}

/// All rows come once, also where many have the same moment and nodes differ.
#[test]
fn lists_are_turned_from_row_to_row() {
    let nodes = ["a", "b", "c"];
    let of_node = |node: &str, rows: &Rows| {
        let mut all: Vec<_> =
            (0..20).map(|id| Broadcast { id, ..published(id / 5, id + 1) }).collect();
        all.reverse();
        all.retain(|row| rows.has_broadcast(node, row));
        all.truncate(rows.max);
        let said = Said::Broadcasts(all, Reached::default());
        Told { node: node.into(), is_cut: false, said }
    };
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let rows = Rows { before: before.take(), max: 7, ..Rows::default() };
        let told: Vec<_> = nodes.iter().map(|node| of_node(node, &rows)).collect();
        let found = rows.merge_broadcasts(&told);
        let Some(last) = found.last() else { break };
        before = RowKey::from_text(&RowKey::of_broadcast(&last.node, last).to_text());
        assert!(before.is_some());
        seen.extend(found.into_iter().map(|row| (row.at, row.node, row.id)));
    }
    assert_eq!(seen.len(), 60);
    assert!(seen.is_sorted_by_key(|(at, ..)| std::cmp::Reverse(*at)));
    let mut each = seen.clone();
    each.sort_unstable();
    each.dedup();
    assert_eq!(each.len(), 60);
    for rubbish in ["", "7", "7~1", "x~1~n"] {
        assert_eq!(RowKey::from_text(rubbish), None, "{rubbish}");
    }
}

#[test]
fn what_nobody_got_is_judged_by_all_nodes() {
    let unread = Broadcast { id: 1, ..published(1, 1) };
    let read = Broadcast { id: 2, ..published(2, 2) };
    let publisher = |rows: &Rows| {
        let all = [read.clone(), unread.clone()].into_iter();
        let found = all.filter(|row| rows.has_broadcast("a", row)).collect();
        let none = Reached { epoch: "e".into(), from: 0, of: Vec::new() };
        Told { node: "a".into(), is_cut: false, said: Said::Broadcasts(found, none) }
    };
    let reader = Reached { epoch: "e".into(), from: 2, of: vec![(2, 3)] };
    let said = Said::Broadcasts(Vec::new(), reader);
    let reader = Told { node: "b".into(), is_cut: false, said };
    let rows = Rows { only_troubles: true, max: 9, ..Rows::default() };
    let found = rows.merge_broadcasts(&[publisher(&rows), reader]);
    let [only] = &found[..] else { panic!("{found:?}") };
    // Of what is older than the second node remembers, it says nothing.
    assert_eq!((only.id, only.reach.len()), (1, 1));
}

#[test]
fn streams_are_counted_together() {
    let row = |readers, broadcasts, last| StreamRow {
        name: "room".into(),
        readers,
        broadcasts,
        last,
        ..StreamRow::default()
    };
    let told =
        |node: &str, rows| Told { node: node.into(), is_cut: false, said: Said::Streams(rows) };
    let alone = [told("a", vec![row(2, 0, 0)])];
    assert!(StreamRows::merge(&alone).sorted(&Rows::default())[0].is_trouble());
    let both = [told("a", vec![row(2, 0, 0)]), told("b", vec![row(1, 4, 9)])];
    let streams = StreamRows::merge(&both);
    let all = streams.sorted(&Rows { text: "ROOM".into(), ..Rows::default() });
    assert_eq!(*all[0], row(3, 4, 9));
    assert!(streams.sorted(&Rows { only_troubles: true, ..Rows::default() }).is_empty());
}

#[test]
fn nodes_that_record_nothing_are_named_where_they_could_know_it() {
    let log = || Log { off: vec!["web-3".into()], ..Log::default() };
    let answer = why(&Facts { stream: "room".into(), log: log(), ..Facts::default() });
    assert!(answer.sentence.contains("inspector on at web-3"), "{answer:?}");
    let reads = page("p", "n", vec![Subscription::live("room")]);
    let facts = Facts { stream: "room".into(), page: Some(reads), log: log(), ..Facts::default() };
    assert!(why(&facts).sentence.contains("records nothing"));
    // What is near says more.
    let facts = Facts { known_streams: vec!["rooms".into()], ..facts };
    assert!(matches!(why(&facts).broken, Broken::NeverBroadcast { near: Some(_), .. }));
}
