use super::*;
use crate::{Near, Place, Refusal, Rejection};

const STREAM: &str = "chat:1";

/// A page that reads the stream, and a broadcast that came to it and was shown.
fn whole() -> Facts {
    let mut broadcast = Broadcast::published(STREAM, "e", 7);
    broadcast.action = Some("append".into());
    broadcast.targets = Some(Targets::Id("messages".into()));
    Facts {
        stream: STREAM.into(),
        page: Some(Page {
            id: "p".into(),
            subscriptions: vec![Subscription {
                signed: Some("signed".into()),
                cursor: Some(place(3)),
                sent: Some(7),
                proven: Some(7),
                ..Subscription::live(STREAM)
            }],
            ..Page::default()
        }),
        broadcast: Some(broadcast),
        reports: vec![reported(Seen::Applied)],
        ..Facts::default()
    }
}

fn place(offset: u64) -> Place {
    Place { epoch: "e".into(), offset }
}

fn reported(seen: Seen) -> Report {
    Report {
        stream: Some("signed".into()),
        offset: Some(7),
        action: Some("append".into()),
        target: Some("messages".into()),
        seen,
        ..Report::default()
    }
}

fn broadcast(facts: &mut Facts) -> &mut Broadcast {
    facts.broadcast.as_mut().expect("it is there")
}

fn page(facts: &mut Facts) -> &mut Page {
    facts.page.as_mut().expect("it is there")
}

fn tag(facts: &mut Facts) -> &mut Subscription {
    &mut page(facts).subscriptions[0]
}

/// The answer where only this is otherwise.
fn with(change: impl FnOnce(&mut Facts)) -> Answer {
    let mut facts = whole();
    change(&mut facts);
    why(&facts)
}

fn check(change: impl FnOnce(&mut Facts), expected: &Broken) {
    let answer = with(change);
    assert_eq!(answer.broken, *expected);
    assert_eq!(answer.hop, expected.hop());
}

/// As [`check`], with a page that reports nothing.
fn check_unreported(change: impl FnOnce(&mut Facts), expected: &Broken) {
    check(
        |facts| {
            facts.reports.clear();
            change(facts);
        },
        expected,
    );
}

#[test]
fn what_arrived_and_was_applied_is_whole() {
    check(|_| {}, &Broken::Applied);
    assert_eq!(with(|_| {}).offset, Some(7));
}

#[test]
fn a_broadcast_that_has_no_place_says_why() {
    let why = || "it is full".to_owned();
    let cases = [
        (Outcome::Pending, Broken::Pending),
        (Outcome::Debounced, Broken::Debounced),
        (Outcome::Suppressed, Broken::Suppressed),
        (Outcome::RolledBack, Broken::RolledBack),
        (Outcome::FailedToRender { why: why() }, Broken::FailedToRender { why: why() }),
        (Outcome::Invalid { why: why() }, Broken::Invalid { why: why() }),
        (Outcome::Refused { why: why() }, Broken::Refused { why: why() }),
        (Outcome::Gap { why: why() }, Broken::Gap { why: why() }),
    ];
    for (outcome, broken) in cases {
        check(|facts| broadcast(facts).outcome = outcome, &broken);
    }
}

#[test]
fn a_stream_that_nobody_broadcasts_to_has_a_nearest_one() {
    let nothing = |facts: &mut Facts| (facts.broadcast, facts.reports) = (None, Vec::new());
    let never = |near, in_memory| Broken::NeverBroadcast { stream: STREAM.into(), near, in_memory };
    check(nothing, &never(None, false));
    let near = Near { name: "chats:1".into(), how: crate::How::Spelling };
    check(
        |facts| {
            nothing(facts);
            facts.known_streams = vec!["chat:2".into(), "chats:1".into()];
        },
        &never(Some(near), false),
    );
    check(
        |facts| {
            nothing(facts);
            facts.log.in_memory = true;
        },
        &never(None, true),
    );
}

#[test]
fn a_page_that_was_not_let_in_says_why() {
    for why in [Refusal::Origin, Refusal::Upgrade, Refusal::Token, Refusal::Limit] {
        let detail = "evil.example".to_owned();
        let connection = Connection::Refused { why, detail: detail.clone() };
        let broken = Broken::ConnectionRefused { why, detail };
        check(|facts| page(facts).connection = connection, &broken);
    }
    check_unreported(
        |facts| page(facts).connection = Connection::Gone { at: 9 },
        &Broken::Disconnected,
    );
}

#[test]
fn a_page_that_does_not_read_the_stream_says_what_it_reads() {
    let not_subscribed = |reads: &[&str], near| Broken::NotSubscribed {
        stream: STREAM.into(),
        reads: reads.iter().map(ToString::to_string).collect(),
        near,
    };
    check(|facts| page(facts).subscriptions.clear(), &not_subscribed(&[], None));
    let reads = |name: &'static str| {
        move |facts: &mut Facts| page(facts).subscriptions = vec![Subscription::live(name)]
    };
    check(reads("news"), &not_subscribed(&["news"], None));
    let near = Near { name: "chats:1".into(), how: crate::How::Spelling };
    check(reads("chats:1"), &not_subscribed(&["chats:1"], Some(near)));
}

#[test]
fn a_subscription_that_does_not_read_says_why() {
    for why in [
        Rejection::Key,
        Rejection::Digest,
        Rejection::Expired,
        Rejection::Revoked,
        Rejection::Authorizer,
    ] {
        let rejected = Subscription::rejected(STREAM, why, "no");
        let broken = Broken::Rejected { why, detail: "no".into() };
        check(|facts| *tag(facts) = rejected, &broken);
    }
    // One whose name can't be read may be this one.
    let nameless = Subscription { stream: None, ..Subscription::rejected("", Rejection::Name, "") };
    let broken = Broken::Rejected { why: Rejection::Name, detail: String::new() };
    check(|facts| *tag(facts) = nameless, &broken);
    check(|facts| tag(facts).state = State::Asked, &Broken::NotConfirmed);
    check(|facts| tag(facts).state = State::Held, &Broken::Held);
    check(|facts| tag(facts).state = State::Left, &Broken::TagLeft);
    check(
        |facts| {
            tag(facts).state = State::Left;
            facts.reports = vec![reported(Seen::SourceRemoved)];
        },
        &Broken::SourceRemoved,
    );
    // A tag that has come back counts, and not that it had left before.
    check(
        |facts| {
            let left = Subscription { state: State::Left, ..Subscription::live(STREAM) };
            page(facts).subscriptions.push(left);
        },
        &Broken::Applied,
    );
}

#[test]
fn a_page_of_a_node_with_another_log_is_found_by_its_cursors() {
    let comes = |times| {
        move |facts: &mut Facts| {
            (tag(facts).resynced, tag(facts).resyncs) = (Some(Resync::OtherEpoch), times);
            facts.log.in_memory = true;
            facts.broadcast = None;
            facts.reports.clear();
        }
    };
    check(comes(3), &Broken::OtherLog { times: 3, in_memory: true });
    let never = Broken::NeverBroadcast { stream: STREAM.into(), near: None, in_memory: true };
    check(comes(1), &never);
}

#[test]
fn what_the_page_was_not_given_says_why() {
    check_unreported(|facts| broadcast(facts).except = Some("p".into()), &Broken::Excepted);
    check_unreported(|facts| tag(facts).cursor = Some(place(7)), &Broken::BeforeCursor);
    check_unreported(
        |facts| {
            tag(facts).cursor = Some(place(7));
            broadcast(facts).beside_transaction = true;
        },
        &Broken::BeforeCommit,
    );
    check_unreported(
        |facts| {
            broadcast(facts).class = Class::Ephemeral;
            tag(facts).attached = Some(7);
        },
        &Broken::CameLater,
    );
    check_unreported(
        |facts| (tag(facts).attached, tag(facts).cursor) = (Some(7), None),
        &Broken::NoCursor,
    );
    check_unreported(
        |facts| (tag(facts).attached, tag(facts).resynced) = (Some(7), Some(Resync::Cursor)),
        &Broken::Healing { why: Some(Resync::Cursor) },
    );
    // Replayed from its cursor.
    check_unreported(|facts| tag(facts).attached = Some(7), &unreported());
    check_unreported(
        |facts| broadcast(facts).outcome = Outcome::Superseded(place(7)),
        &Broken::Superseded,
    );
    check_unreported(
        |facts| {
            tag(facts).state = State::Healing;
            tag(facts).resynced = Some(Resync::Forgotten);
        },
        &Broken::Healing { why: Some(Resync::Forgotten) },
    );
    check_unreported(|facts| tag(facts).sent = Some(6), &Broken::NotSent);
    check_unreported(
        |facts| (tag(facts).sent, tag(facts).is_stalled) = (Some(6), true),
        &Broken::Stalled,
    );
    check_unreported(|facts| tag(facts).proven = Some(6), &Broken::NotProven);
}

#[test]
fn a_refresh_that_reads_before_the_commit_is_too_early_although_it_is_applied() {
    let refresh = |facts: &mut Facts| {
        broadcast(facts).action = Some("refresh".into());
        broadcast(facts).targets = Some(Targets::Page);
    };
    check(refresh, &Broken::Applied);
    check(
        |facts| {
            refresh(facts);
            broadcast(facts).beside_transaction = true;
        },
        &Broken::BeforeCommit,
    );
}

#[test]
fn what_only_the_page_knows_is_believed() {
    let target = || "messages".to_owned();
    let ids = || vec!["message".to_owned()];
    let cases = [
        (
            Seen::TargetMissing { ids: ids() },
            Broken::TargetMissing { target: target(), ids: ids() },
        ),
        (
            Seen::TargetDoubled { count: 2, nested: false },
            Broken::TargetDoubled { target: target(), count: 2, nested: false },
        ),
        (Seen::EmptyTemplate, Broken::EmptyTemplate),
        (Seen::SourceRemoved, Broken::SourceRemoved),
        (Seen::Preview, Broken::Preview),
        (Seen::Permanent, Broken::Permanent),
        (
            Seen::FrameWithoutMatch { frame: "f".into() },
            Broken::FrameWithoutMatch { frame: "f".into() },
        ),
        (
            Seen::Misplaced { element: "tr".into(), parent: "div".into() },
            Broken::Misplaced { element: "tr".into(), parent: "div".into() },
        ),
        (Seen::UnknownAction, Broken::UnknownAction { action: "append".into() }),
        (Seen::OwnRefresh, Broken::OwnRefresh),
        (Seen::Stalled, Broken::PageStalled),
        (Seen::Threw { error: "no".into() }, Broken::Threw { error: "no".into() }),
    ];
    for (seen, broken) in cases {
        check(|facts| facts.reports = vec![reported(seen)], &broken);
    }
}

#[test]
fn a_target_with_a_hash_is_found_with_and_without_a_report() {
    let hash = Broken::HashTarget { target: "#messages".into() };
    let target = |facts: &mut Facts| {
        broadcast(facts).targets = Some(Targets::Id("#messages".into()));
    };
    check_unreported(target, &hash);
    check(
        |facts| {
            target(facts);
            let missing = reported(Seen::TargetMissing { ids: Vec::new() });
            facts.reports = vec![Report { target: Some("#messages".into()), ..missing }];
        },
        &hash,
    );
    // A selector may begin with one.
    check_unreported(
        |facts| broadcast(facts).targets = Some(Targets::Selector("#messages".into())),
        &unreported(),
    );
}

#[test]
fn a_report_without_a_place_counts_for_the_same_action_and_target() {
    let report = || Report { offset: None, ..reported(Seen::EmptyTemplate) };
    check(|facts| facts.reports = vec![report()], &Broken::EmptyTemplate);
    for other in [
        Report { target: Some("people".into()), ..report() },
        Report { action: Some("remove".into()), ..report() },
        Report { stream: Some("news".into()), ..report() },
        Report { offset: Some(6), ..report() },
    ] {
        check(|facts| facts.reports = vec![other], &unreported());
    }
}

#[test]
fn what_is_not_known_is_not_guessed() {
    check_unreported(|_| {}, &unreported());
    let because = |change: fn(&mut Facts)| match with(change).broken {
        Broken::NotKnown { because } => because,
        other => panic!("{other:?}"),
    };
    assert!(because(|facts| facts.page = None).contains("no node remembers this page"));
    let elsewhere = because(|facts| {
        facts.page = None;
        facts.log.missing = vec!["10.0.0.2".into()];
    });
    assert!(elsewhere.contains("10.0.0.2"), "{elsewhere}");
    let forgotten = because(|facts| {
        facts.broadcast = None;
        facts.reports.clear();
        facts.offset = Some(3);
    });
    assert!(forgotten.contains("offset 3"), "{forgotten}");
}

#[test]
fn each_sentence_is_one_line_without_an_end() {
    let text = || "x".to_owned();
    let all = [
        Broken::Applied,
        Broken::Suppressed,
        Broken::Pending,
        Broken::RolledBack,
        Broken::Debounced,
        Broken::Excepted,
        Broken::BeforeCommit,
        Broken::BeforeCursor,
        Broken::CameLater,
        Broken::Superseded,
        Broken::Healing { why: None },
        Broken::Stalled,
        Broken::NotSent,
        Broken::NotProven,
        Broken::NotConfirmed,
        Broken::Held,
        Broken::TagLeft,
        Broken::Disconnected,
        Broken::HashTarget { target: text() },
        Broken::TargetMissing { target: text(), ids: Vec::new() },
        Broken::TargetDoubled { target: text(), count: 2, nested: true },
        Broken::EmptyTemplate,
        Broken::SourceRemoved,
        Broken::Preview,
        Broken::Permanent,
        Broken::OwnRefresh,
        Broken::PageStalled,
        Broken::OtherLog { times: 3, in_memory: false },
    ];
    for broken in all {
        let sentence = broken.sentence();
        assert!(!sentence.contains('\n') && !sentence.ends_with('.'), "{sentence}");
        assert!(!sentence.contains("  "), "{sentence}");
    }
}

#[test]
fn an_answer_is_read_as_it_is_written() {
    let answer = with(|facts| tag(facts).state = State::Asked);
    let json = serde_json::to_string(&answer).unwrap();
    assert!(json.contains(r#""broken":{"is":"not_confirmed"}"#), "{json}");
    assert_eq!(serde_json::from_str::<Answer>(&json).unwrap(), answer);
}
