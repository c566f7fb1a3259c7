//! What leases ask for, as it goes: sessions come and go, and records are taken or not.

use super::*;
use forebay_log::Presence;

struct Node1 {
    leases: Leases<u32, u64>,
    now: u64,
    total: usize,
}

impl Node1 {
    fn new() -> Self {
        Self { leases: Leases::new(Node(1), Options::default()), now: 0, total: 1 }
    }

    fn join(&mut self, key: u32, id: &str, info: &str) {
        let member = Member::new(id, info);
        self.leases.join(self.now, key, "room", &member, self.now).unwrap();
    }

    fn leave(&mut self, key: u32, grace: Grace) {
        self.leases.leave(self.now, &key, grace, |lived_at| *lived_at);
    }

    /// Goes on to this time. Gives what is to be written.
    fn at(&mut self, now: u64) -> String {
        self.now = now;
        self.leases.expire(now, |lived_at| *lived_at);
        self.written()
    }

    fn records(&mut self) -> Vec<Presence> {
        let total = self.total;
        self.leases.take(self.now, |_| total)
    }

    fn written(&mut self) -> String {
        self.records().iter().map(said).collect::<Vec<_>>().join(" ")
    }

    fn lives(&mut self, key: u32) {
        self.leases.sessions.get_mut(&key).unwrap().life = self.now;
    }
}

fn said(record: &Presence) -> String {
    let Presence::Signs { held, released, .. } = record else { panic!("{record:?}") };
    let held = held.iter().map(|held| format!("+{}{}", held.member.id, held.member.info));
    held.chain(released.iter().map(|id| format!("-{id}"))).collect()
}

#[test]
fn a_member_is_held_from_the_first_session_to_the_last() {
    let mut node = Node1::new();
    node.join(1, "a", "1");
    assert_eq!(node.written(), "+a1");
    node.join(2, "a", "1");
    node.leave(1, Grace::None);
    assert_eq!(node.written(), "");
    node.leave(2, Grace::None);
    assert_eq!(node.written(), "-a");
    assert!(node.leases.is_empty() && node.leases.dirty.is_empty());
}

#[test]
fn a_session_is_present_as_one_member() {
    let mut node = Node1::new();
    node.join(1, "a", "1");
    let join =
        |node: &mut Node1, stream, id| node.leases.join(0, 1, stream, &Member::new(id, "1"), 0);
    assert_eq!(join(&mut node, "room", "b"), Err(AnotherMember));
    assert_eq!(join(&mut node, "hall", "a"), Err(AnotherMember));
    assert_eq!(join(&mut node, "room", "a"), Ok(()));
}

#[test]
fn whoever_comes_back_in_time_was_never_away() {
    for (grace, until) in [(Grace::Short, 5_000), (Grace::Lost, 15_000)] {
        let mut node = Node1::new();
        node.join(1, "a", "1");
        assert_eq!(node.written(), "+a1");
        node.leave(1, grace);
        assert_eq!(node.at(until - 1), "");
        node.join(2, "a", "1");
        assert_eq!(node.at(until), "");
        // The one that was waited for is back: nobody is, when it leaves.
        node.leave(2, Grace::None);
        assert_eq!(node.written(), "-a");

        node.join(3, "a", "1");
        assert_eq!(node.written(), "+a1");
        node.leave(3, grace);
        assert_eq!(node.at(2 * until - 1), "");
        assert_eq!(node.at(2 * until), "-a", "nobody came");
    }
}

#[test]
fn a_lost_tab_is_waited_for_when_another_leaves() {
    let mut node = Node1::new();
    node.join(1, "a", "1");
    node.join(2, "a", "1");
    assert_eq!(node.written(), "+a1");
    node.leave(1, Grace::Lost);
    node.leave(2, Grace::None);
    assert_eq!((node.at(14_999), node.at(15_000)), (String::new(), "-a".into()));
}

#[test]
fn a_node_that_leaves_releases_nobody() {
    let mut node = Node1::new();
    node.join(1, "a", "1");
    assert_eq!(node.written(), "+a1");
    node.leave(1, Grace::Kept);
    assert_eq!(node.at(1_000_000), "");
}

#[test]
fn a_silent_client_lapses_and_comes_back() {
    let mut node = Node1::new();
    node.join(1, "a", "1");
    assert_eq!(node.written(), "+a1");
    assert_eq!(node.at(10_000), "");
    node.lives(1);
    assert_eq!(node.at(24_999), "");
    assert_eq!(node.at(25_000), "-a");
    assert_eq!(node.at(40_000), "");
    node.lives(1);
    assert_eq!(node.at(41_000), "+a1");
    assert_eq!(node.at(55_000), "-a");
    node.leave(1, Grace::Lost);
    assert!(node.leases.is_empty());
}

/// Each join of the same subscription has a time of its own, and none of them stays behind.
#[test]
fn one_that_joins_and_leaves_all_the_time_leaves_nothing_behind() {
    let mut node = Node1::new();
    for _ in 0..100 {
        node.join(1, "a", "1");
        node.leave(1, Grace::None);
    }
    node.join(1, "a", "1");
    node.now = 20_000;
    node.lives(1);
    assert_eq!(node.at(20_000), "+a1");
    assert_eq!(node.leases.due.len(), 1);
}

#[test]
fn an_update_is_a_hold_with_another_info_and_a_reload_does_not_undo_it() {
    let mut node = Node1::new();
    node.join(1, "a", "1");
    assert_eq!(node.written(), "+a1");
    assert!(node.leases.update(0, &1, &"2".into()));
    assert!(node.leases.update_member(0, "room", "a", &"3".into()));
    assert_eq!(node.written(), "+a3");
    node.leave(1, Grace::Short);
    node.join(2, "a", "1");
    assert_eq!(node.written(), "", "its tag says what it said");
    node.join(2, "a", "4");
    assert_eq!(node.written(), "+a4", "its tag says something else");
    assert!(!node.leases.update(0, &1, &"5".into()), "that one has left");
}

#[test]
fn what_another_node_says_of_a_member_is_good_here() {
    let mut node = Node1::new();
    node.join(1, "a", "1");
    assert_eq!(node.written(), "+a1");
    node.leases.adopt(0, "room", "a", &"2".into());
    assert_eq!(node.written(), "");
    node.leases.update(0, &1, &"3".into());
    // It is older than what is to be said from here.
    node.leases.adopt(0, "room", "a", &"2".into());
    assert_eq!(node.written(), "+a3");
}

#[test]
fn what_was_not_taken_is_asked_for_until_it_is() {
    let mut node = Node1::new();
    node.join(1, "a", "1");
    let refuse = |node: &mut Node1| {
        for record in node.records() {
            node.leases.put_back(node.now, record);
        }
    };
    refuse(&mut node);
    assert_eq!(node.written(), "", "not at once");
    node.now = 500;
    assert_eq!(node.leases.next_due(|_| 1), Some(500));
    refuse(&mut node);
    assert_eq!(node.at(1_000), "+a1");
    // It leaves while its release is on the way, and comes back before that is refused.
    node.leave(1, Grace::None);
    let records = node.records();
    node.join(2, "a", "1");
    for record in records {
        node.leases.put_back(1_000, record);
    }
    assert_eq!(node.at(1_500), "+a1");
    node.leave(2, Grace::None);
    refuse(&mut node);
    assert_eq!(node.at(2_000), "-a");
    assert!(node.leases.is_empty());
}

/// Another node's info comes while ours is on the way, and ours is not taken.
#[test]
fn an_update_that_was_not_taken_is_not_forgotten() {
    let mut node = Node1::new();
    node.join(1, "a", "1");
    assert_eq!(node.written(), "+a1");
    node.leases.update(0, &1, &"2".into());
    let ours = node.records();
    node.leases.adopt(0, "room", "a", &"3".into());
    for record in ours {
        node.leases.put_back(0, record);
    }
    assert_eq!(node.at(500), "+a2");
    // One that the application says meanwhile is newer.
    node.leases.update(500, &1, &"4".into());
    let ours = node.records();
    node.leases.update(500, &1, &"5".into());
    for record in ours {
        node.leases.put_back(500, record);
    }
    assert_eq!(node.at(1_000), "+a5");
}

#[test]
fn of_another_nodes_member_something_can_be_said() {
    let mut node = Node1::new();
    assert!(node.leases.say_of_another(0, "room", "a", &"2".into()));
    assert_eq!(
        (node.written(), node.at(999), node.at(1_000)),
        ("+a2".into(), String::new(), "-a".into())
    );
    assert!(node.leases.is_empty());
}

#[test]
fn who_leaves_in_the_middle_of_a_join_is_released_behind_it() {
    let mut node = Node1::new();
    node.join(1, "a", "1");
    let joining = node.records();
    node.leave(1, Grace::None);
    assert_eq!((joining.len(), node.written()), (1, "-a".into()));
}

#[test]
fn in_a_large_room_a_window_is_one_record() {
    let mut node = Node1::new();
    node.total = 101;
    node.join(1, "a", "1");
    assert_eq!((node.written(), node.leases.next_due(|_| 101)), (String::new(), Some(1_000)));
    node.now = 900;
    node.join(2, "b", "1");
    node.join(3, "c", "1");
    node.leave(3, Grace::None);
    assert_eq!(node.at(999), "");
    assert_eq!(node.at(1_000), "+a1+b1");
}

#[test]
fn who_was_ended_by_mistake_is_held_again() {
    let mut node = Node1::new();
    node.join(1, "a", "1");
    assert_eq!(node.written(), "+a1");
    assert!(node.leases.ended(0, "room", "a"));
    assert_eq!(node.written(), "+a1");
    node.leases.begin_anew(0);
    assert_eq!(node.written(), "+a1");
    assert!(!node.leases.ended(0, "room", "b"));
}

/// The log may have been told that he is here before it began anew, and nobody would tell it that he is not.
#[test]
fn who_has_left_when_a_log_begins_anew_is_released_all_the_same() {
    let mut node = Node1::new();
    node.join(1, "a", "1");
    node.join(2, "b", "1");
    assert_eq!(node.written(), "+a1+b1");
    node.leave(2, Grace::None);
    node.leases.begin_anew(0);
    assert_eq!(node.written(), "+a1-b");
    assert_eq!(node.written(), "");
}

/// Ten members are told of one by one. The rest come together, one record a window, until there is a quiet one.
#[test]
fn a_burst_is_one_record_a_window_until_it_ends() {
    let mut node = Node1::new();
    for key in 0..10 {
        node.join(key, &format!("m{key}"), "");
        assert_eq!(node.written(), format!("+m{key}"));
    }
    // Of those who were told, more can be told.
    node.now = 10;
    assert!(node.leases.update(10, &3, &"2".into()));
    assert_eq!(node.written(), "+m32");
    node.join(10, "n0", "");
    assert_eq!((node.written(), node.leases.next_due(|_| 1)), (String::new(), Some(1_000)));
    // In the order of all: what comes behind it is not told before it.
    node.leave(5, Grace::None);
    node.join(11, "n1", "");
    assert_eq!(node.at(999), "");
    assert_eq!(node.at(1_000), "+n0+n1-m5");
    for (window, id) in [(1_001, "o0"), (2_500, "o1")] {
        node.now = window;
        node.join(u32::try_from(window).unwrap(), id, "");
        assert_eq!(node.written(), "", "it goes on");
        let end = window / 1_000 * 1_000 + 1_000;
        assert_eq!((node.at(end - 1), node.at(end)), (String::new(), format!("+{id}")));
    }
    node.now = 4_000;
    node.join(12, "p0", "");
    assert_eq!(node.written(), "+p0", "it was quiet for a window");
}

#[test]
fn streams_that_are_quiet_are_forgotten() {
    let mut node = Node1::new();
    for (key, stream) in ["a", "b", "c"].into_iter().enumerate() {
        let key = u32::try_from(key).unwrap();
        node.leases.join(0, key, stream, &Member::new("ann", "1"), 0).unwrap();
        node.records();
    }
    assert_eq!(node.leases.paces.len(), 3);
    node.now = 1_000;
    node.leave(0, Grace::None);
    node.records();
    assert_eq!(node.leases.paces.len(), 1);
}
