//! What others see of records.

use super::*;

const ROOM: &str = "room";

fn member(id: &str, info: &str) -> Member {
    Member::new(id, info)
}

fn hold(node: u64, id: &str, info: &str) -> Presence {
    signs(node, &[(id, info, None)], &[])
}

fn release(node: u64, id: &str) -> Presence {
    signs(node, &[], &[id])
}

fn signs(node: u64, held: &[(&str, &str, Option<u64>)], released: &[&str]) -> Presence {
    let held = held
        .iter()
        .map(|(id, info, since)| Held { member: member(id, info), since: since.map(Offset) });
    let released = released.iter().map(|id| Arc::from(*id)).collect();
    Presence::Signs { node: Node(node), stream: ROOM.into(), held: held.collect(), released }
}

fn ended(node: u64, seen: u64, id: &str) -> Presence {
    let (node, by, seen) = (Node(node), Node(99), Offset(seen));
    Presence::Ended { node, by, seen, stream: ROOM.into(), members: vec![id.into()] }
}

/// Applies records at 1, 2, …; says what each has changed, and the number afterwards.
fn check(records: &[(Presence, &str)]) -> Sets {
    let mut sets = Sets::new(1_000);
    for (offset, (record, expected)) in (1..).zip(records) {
        let foreseen = sets.change(Offset(offset), record);
        let change = sets.apply(Offset(offset), record);
        assert_eq!(foreseen, change);
        let said = change.map(|change| {
            let text = |sign: char, members: &[Member]| {
                let one = |member: &Member| format!("{sign}{}{}", member.id, member.info);
                members.iter().map(one).collect::<String>()
            };
            let Change { joined, updated, left, total, .. } = &change;
            format!("{}{}{}={total}", text('+', joined), text('~', updated), text('-', left))
        });
        assert_eq!(said.as_deref().unwrap_or_default(), *expected, "at {offset}: {record:?}");
    }
    sets
}

#[test]
fn others_see_the_first_hold_and_the_last_release() {
    let sets = check(&[
        (hold(1, "a", "1"), "+a1=1"),
        (hold(1, "a", "1"), ""),
        (hold(2, "a", "1"), ""),
        (release(1, "a"), ""),
        (release(1, "a"), ""),
        (hold(2, "b", "1"), "+b1=2"),
        (release(2, "a"), "-a1=1"),
        (release(2, "b"), "-b1=0"),
    ]);
    assert!(sets.is_empty() && sets.nodes().next().is_none() && sets.rooms.is_empty());
}

#[test]
fn the_latest_info_is_good_for_all_who_hold_the_member() {
    let sets = check(&[
        (hold(1, "a", "1"), "+a1=1"),
        (hold(2, "a", "2"), "~a2=1"),
        // What is said again is as old as it was.
        (signs(1, &[("a", "1", Some(1))], &[]), ""),
        (signs(2, &[("a", "2", Some(2))], &[]), ""),
        (release(2, "a"), ""),
    ]);
    assert_eq!(sets.members(ROOM), [member("a", "2")]);
    assert_eq!(sets.info(ROOM, "a"), Some((&"2".into(), Offset(2))));
}

#[test]
fn a_record_may_have_many_and_names_each_once() {
    check(&[
        (signs(1, &[("a", "1", None), ("b", "1", None)], &["x"]), "+a1+b1=2"),
        (signs(1, &[("c", "1", None), ("c", "2", None)], &["a", "c"]), "+c1-a1=2"),
    ]);
}

#[test]
fn members_come_in_the_order_in_which_they_joined() {
    let sets = check(&[
        (hold(1, "c", "1"), "+c1=1"),
        (signs(1, &[("b", "1", None), ("a", "1", None)], &[]), "+b1+a1=3"),
        (hold(2, "c", "2"), "~c2=3"),
    ]);
    let ids: Vec<_> = sets.members(ROOM).into_iter().map(|member| member.id).collect();
    assert_eq!(ids[..], ["c".into(), "b".into(), "a".into()]);
}

#[test]
fn a_node_is_ended_only_by_whoever_has_seen_its_last_sign_of_life() {
    let sets = check(&[
        (hold(1, "a", "1"), "+a1=1"),
        (hold(1, "b", "1"), "+b1=2"),
        (Presence::Alive { node: Node(1) }, ""),
        (ended(1, 2, "a"), ""),
        (ended(1, 3, "a"), "-a1=1"),
        (ended(2, 3, "b"), ""),
        (ended(1, 3, "b"), "-b1=0"),
        (ended(1, 3, "b"), ""),
        // It was alive all the same.
        (hold(1, "a", "1"), "+a1=1"),
        (ended(1, 3, "a"), ""),
    ]);
    assert_eq!(sets.nodes().collect::<Vec<_>>(), [(Node(1), Offset(9))]);
    assert_eq!(sets.held_by(Node(1), 10), [(Arc::from(ROOM), vec!["a".into()])]);
}

#[test]
fn of_very_many_only_the_number_is_said() {
    let mut sets = Sets::new(2);
    let mut apply = |offset, record| sets.apply(Offset(offset), &record);
    let numbers = |change: Option<Change>| {
        change.map(|change| (change.is_count_only(), change.total_before, change.total))
    };
    assert_eq!(numbers(apply(1, hold(1, "a", "1"))), Some((false, 0, 1)));
    assert_eq!(numbers(apply(2, hold(1, "b", "1"))), Some((false, 1, 2)));
    assert_eq!(numbers(apply(3, hold(1, "c", "1"))), Some((true, 2, 3)));
    assert_eq!(numbers(apply(4, hold(1, "c", "2"))), None);
    assert_eq!(numbers(apply(5, signs(1, &[("d", "1", None)], &["a"]))), None);
    assert_eq!(numbers(apply(6, release(1, "c"))), Some((true, 3, 2)));
    assert_eq!(numbers(apply(7, release(1, "b"))), Some((false, 2, 1)));
}
