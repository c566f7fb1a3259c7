//! Who is present, and what others are told of it.

mod nodes;

use forebay_cable::SubscriptionId;
use forebay_log::presence_stream;
use forebay_presence::{Change, Member};

use super::*;
use crate::presence::{Attendance, Ending, JoinRefused, OnPresence, PresenceHooks};

const START: u64 = 1_000_000;

/// A hub whose time a test moves.
struct World {
    hub: Hub,
    now: Arc<AtomicU64>,
}

impl World {
    fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        let now = Arc::new(AtomicU64::new(START));
        Self { hub: Hub::simulated(options, Epoch(7), Arc::clone(&now)), now }
    }

    fn at(&self, millis: u64) {
        self.now.store(START + millis, Ordering::Relaxed);
        self.hub.tick(1);
    }

    fn tab(&self, id: &str) -> Client {
        let tab = self.hub.connect().unwrap();
        join(&tab, id).unwrap();
        tab
    }

    /// Since the first record, in order.
    fn changes(&self) -> Vec<String> {
        let cursor = Position { offset: Offset::ZERO, ..self.hub.position() };
        let entries = self.hub.replay(&presence_stream("room"), cursor).unwrap();
        entries.iter().map(|entry| said(entry.message.change().unwrap())).collect()
    }

    fn ids(&self) -> Vec<String> {
        let members = self.hub.members("room").members;
        members.iter().map(|member| member.id.to_string()).collect()
    }
}

fn sub() -> SubscriptionId {
    SubscriptionId::default()
}

fn join(tab: &Client, id: &str) -> Result<(), JoinRefused> {
    tab.join(sub(), "room", &Member::new(id, "{}"))
}

fn said(change: &Change) -> String {
    let signs = [('+', &change.joined), ('~', &change.updated), ('-', &change.left)];
    let all = signs.iter().flat_map(|(sign, members)| {
        members.iter().map(move |member| format!("{sign}{}", member.id))
    });
    format!("{}={}", all.collect::<String>(), change.total)
}

#[test]
fn others_see_who_comes_first_and_who_is_gone_last() {
    let world = World::new();
    let first = world.tab("ann");
    let second = world.tab("ann");
    let bob = world.tab("bob");
    assert_eq!(world.ids(), ["ann", "bob"]);
    first.leave(sub(), Ending::Left);
    assert_eq!(world.hub.present(), 2);
    second.leave(sub(), Ending::Left);
    bob.leave(sub(), Ending::Left);
    assert_eq!(world.changes(), ["+ann=1", "+bob=2", "-ann=1", "-bob=0"]);
    assert_eq!((world.ids(), world.hub.stats().presence_joins.get()), (vec![], 2));
}

#[test]
fn the_set_and_the_changes_after_it_are_the_whole() {
    let world = World::new();
    let _ann = world.tab("ann");
    let seen = world.hub.members("room");
    let _bob = world.tab("bob");
    let mut page = Page::open(&world.hub);
    page.subscribe(&presence_stream("room"), Some(seen.position));
    let mut batch = Batch::default();
    assert!(page.client.read(&page.session, &mut batch));
    let changes: Vec<_> = batch
        .deliveries
        .iter()
        .map(|delivery| said(delivery.message.as_ref().unwrap().change().unwrap()))
        .collect();
    assert_eq!((seen.members.len(), changes), (1, vec!["+bob=2".to_owned()]));
    let around = batch.deliveries[0].around();
    assert!(page.session.wrap(batch.deliveries[0].reader, around).is_none(), "it has no text");
}

#[test]
fn twenty_reloads_are_nothing() {
    let world = World::new();
    let mut tab = world.tab("ann");
    for reload in 1..=20 {
        tab.end_presence(Ending::Closed);
        world.at(reload * 4_000);
        tab = world.tab("ann");
    }
    drop(tab);
    assert_eq!(world.changes(), ["+ann=1"]);
}

#[test]
fn each_way_to_end_has_its_grace() {
    for (ending, grace) in
        [(Ending::Closed, 5_000), (Ending::Lost, 15_000), (Ending::ServerLeaves, 15_000)]
    {
        let world = World::new();
        let tab = world.tab("ann");
        tab.end_presence(ending);
        world.at(grace - 1);
        assert_eq!(world.ids(), ["ann"], "{ending:?}");
        world.at(grace);
        assert_eq!(world.ids(), [""; 0], "{ending:?}");
        assert_eq!(world.changes(), ["+ann=1", "-ann=0"]);
    }
}

#[test]
fn a_connection_that_is_dropped_was_lost_and_a_silent_one_is_too() {
    let world = World::new();
    drop(world.tab("ann"));
    let bob = world.tab("bob");
    world.at(14_999);
    bob.lives();
    assert_eq!(world.ids(), ["ann", "bob"]);
    world.at(15_000);
    assert_eq!(world.ids(), ["bob"]);
    world.at(29_998);
    assert_eq!(world.ids(), ["bob"]);
    world.at(29_999);
    assert_eq!(world.ids(), [""; 0]);
    // The laptop is opened again.
    bob.lives();
    world.at(31_000);
    assert_eq!(world.ids(), ["bob"]);
}

/// Of one connection two subscriptions are present. It is asked whether it lives while one of them is.
#[test]
fn a_connection_is_asked_while_somebody_is_present_by_it() {
    let world = World::new();
    let mut page = Page::open(&world.hub);
    let mut ids = Vec::new();
    for stream in ["room", "hall"] {
        page.subscribe(stream, None);
        let id = page.session.subscription_ids().last().unwrap();
        page.client.join(id, stream, &Member::new("ann", "{}")).unwrap();
        ids.push(id);
    }
    assert!(!page.client.wants_proof_of_life(), "it has just come");
    world.now.fetch_add(1_500, Ordering::Relaxed);
    assert!(page.client.wants_proof_of_life());
    page.client.lives();
    assert!(!page.client.wants_proof_of_life());
    world.now.fetch_add(1_500, Ordering::Relaxed);
    page.client.leave(ids[0], Ending::Left).unwrap();
    assert!(page.client.wants_proof_of_life());
    page.client.leave(ids[1], Ending::Left).unwrap();
    assert!(!page.client.wants_proof_of_life());
    assert_eq!(world.hub.present(), 0);
}

#[test]
fn a_process_that_ends_releases_nobody() {
    let world = World::new();
    let tab = world.tab("ann");
    world.hub.0.presence.is_leaving.store(true, Ordering::Relaxed);
    tab.end_presence(Ending::ServerLeaves);
    world.at(3_600_000);
    assert_eq!(world.changes(), ["+ann=1"]);
}

#[test]
fn an_update_is_seen_by_others() {
    let world = World::new();
    let tab = world.tab("ann");
    let info: Arc<str> = "{\"away\":true}".into();
    assert_eq!(tab.update(sub(), &info), Ok(true));
    assert_eq!(world.hub.update_member("room", "ann", &"{\"away\":false}".into()), Ok(true));
    assert_eq!(world.hub.update_member("room", "bob", &info), Ok(false));
    assert_eq!(world.changes(), ["+ann=1", "~ann=1", "~ann=1"]);
    assert_eq!(&*world.hub.members("room").members[0].info, "{\"away\":false}");
}

#[test]
fn who_asks_for_what_may_not_be_is_refused_and_counted() {
    let options = PresenceOptions::default().members_each_max(1).info_bytes_max(10);
    let world = World::with(Options::default().presence(options));
    let tab = world.tab("ann");
    let other = world.hub.connect().unwrap();
    let long = "x".repeat(129);
    let name = presence_stream("room");
    let infos = ["{", "", "{} {}", "\"123456789\""];
    let mut expected = 0;
    let mut check = |client: &Client, stream: &str, id: &str, info: &str, why: JoinRefused| {
        expected += 1;
        assert_eq!(client.join(sub(), stream, &Member::new(id, info)), Err(why), "{id} {info}");
        assert_eq!(world.hub.stats().presence_refused.get(), expected);
    };
    check(&other, "room", "", "{}", JoinRefused::Id);
    check(&other, "room", &long, "{}", JoinRefused::Id);
    for info in infos {
        check(&other, "room", "bob", info, JoinRefused::Info);
    }
    check(&other, &name, "bob", "{}", JoinRefused::Stream);
    check(&other, "room", "bob", "{}", JoinRefused::Full);
    check(&tab, "hall", "ann", "{}", JoinRefused::AnotherMember);
    assert_eq!(join(&other, "ann"), Ok(()), "she is there already");
    assert_eq!(world.changes(), ["+ann=1"]);
}

#[test]
fn nobody_else_publishes_to_a_presence_stream() {
    let world = World::new();
    let name = presence_stream("room");
    let broadcast = || Broadcast { stream: &name, message: Message::json("1"), class: Class::Log };
    assert!(world.hub.publish(broadcast()).block_on().unwrap_err().is_outcome_known());
    assert!(world.hub.publish_all([broadcast()]).block_on().is_err());
    assert!(world.hub.publish_once("x", vec![broadcast()]).block_on().is_err());
    assert_eq!(world.hub.position().offset, Offset::ZERO);
}

#[test]
fn a_revoked_stream_takes_its_presence_along() {
    let world = World::new();
    let mut page = Page::open(&world.hub);
    page.subscribe(&presence_stream("room"), None);
    page.signals();
    world.hub.revoke(Revocation::of_stream("room")).block_on().unwrap();
    assert!(page.signals().contains(Signals::REVOKED));
    assert!(page.client.is_revoked(&page.session));
}

/// Renders whom it likes, and looks at the set meanwhile.
struct Hooks {
    changed: Arc<Mutex<Vec<String>>>,
}

impl OnPresence for Hooks {
    fn render(&self, stream: &str, change: &Change) -> Option<String> {
        assert_eq!(stream, "room");
        let member = change.joined.first()?;
        assert_ne!(&*member.id, "eve", "she can't be rendered");
        Some(format!("<b>{}</b>", member.id))
    }

    fn changed(&self, _: &str, change: &Change) {
        self.changed.lock().push(said(change));
    }
}

#[test]
fn pages_get_what_the_application_renders_and_a_gap_where_that_fails() {
    let changed = Arc::<Mutex<Vec<String>>>::default();
    let hooks = PresenceHooks::new(Hooks { changed: Arc::clone(&changed) });
    let options = PresenceOptions::default().hooks(Some(hooks));
    let world = World::with(Options::default().presence(options));
    let mut page = Page::open(&world.hub);
    page.subscribe(&presence_stream("room"), None);
    let ann = world.tab("ann");
    assert_eq!(page.read(), ["\"<b>ann</b>\""]);
    ann.leave(sub(), Ending::Left);
    assert_eq!(page.read(), ["null"], "nothing is rendered");
    let panics = world.hub.stats().panics.get();
    let _eve = world.tab("eve");
    assert_eq!(page.read(), ["lost"]);
    assert_eq!((world.hub.stats().panics.get() - panics, world.ids()), (1, vec!["eve".to_owned()]));
    assert_eq!(*changed.lock(), ["+ann=1", "-ann=0", "+eve=1"]);
}

#[test]
fn in_a_large_room_a_page_is_told_once_in_a_window() {
    let options = PresenceOptions::default().each_max(2).names_max(4);
    let world = World::with(Options::default().presence(options));
    let tabs: Vec<_> = ["a", "b", "c", "d", "e", "f"].map(|id| world.tab(id)).into();
    assert_eq!(world.changes(), ["+a=1", "+b=2", "+c=3"]);
    world.at(1_000);
    assert_eq!(world.changes()[3..], ["=6"], "so many names are not told");
    for tab in &tabs {
        tab.leave(sub(), Ending::Left);
    }
    assert_eq!(world.ids().len(), 6);
    world.at(2_000);
    assert_eq!(world.changes()[4..], ["=0"]);
}

/// Two connections join and leave as the same member at the same time, many times over.
#[test]
fn joins_and_leaves_of_many_threads_are_in_one_order() {
    let hub = Hub::new(Options::default());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let tab = hub.connect().unwrap();
                for _ in 0..100 {
                    join(&tab, "ann").unwrap();
                    tab.leave(sub(), Ending::Left);
                }
            });
        }
    });
    let cursor = Position { offset: Offset::ZERO, ..hub.position() };
    // 800 at the most: history has them all.
    let entries = hub.replay(&presence_stream("room"), cursor).unwrap();
    assert!(entries.len() >= 2 && entries.len().is_multiple_of(2));
    for (index, entry) in entries.iter().enumerate() {
        let expected = if index % 2 == 0 { "+ann=1" } else { "-ann=0" };
        assert_eq!(said(entry.message.change().unwrap()), expected, "{index}");
    }
    assert_eq!(hub.present(), 0);
}

/// Shows everybody who comes.
struct Everybody;

impl OnPresence for Everybody {
    fn render(&self, _: &str, change: &Change) -> Option<String> {
        let row = |member: &Member| format!("<li>{}</li>", member.id);
        Some(change.joined.iter().map(row).chain([format!("={}", change.total)]).collect())
    }
}

/// So many come, one by one, within a second. Gives what each of these pages was told.
fn come_within_a_second(members: u64, names_max: usize) -> [Vec<String>; 2] {
    let hooks = Some(PresenceHooks::new(Everybody));
    let options = PresenceOptions::default().names_max(names_max).hooks(hooks);
    let world = World::with(Options::default().presence(options));
    let mut pages = [Page::open(&world.hub), Page::open(&world.hub)];
    for page in &mut pages {
        page.subscribe(&presence_stream("room"), None);
    }
    let [always, late] = &mut pages;
    let mut tabs = Vec::new();
    let mut told = Vec::new();
    for n in 0..members {
        world.at(n * 1_000 / members);
        tabs.push(world.tab(&format!("member {n:05}")));
        told.extend(always.read());
    }
    world.at(1_000);
    told.extend(always.read());
    assert_eq!(world.hub.present(), tabs.len());
    [told, late.read()]
}

/// A large room fills within a second. Each page is told of the first ten one by one, and of the others once: so what
/// it gets grows with the number who come, and not with its square.
#[test]
fn three_thousand_who_come_at_once_are_few_messages() {
    let bytes = |told: &[String]| told.iter().map(String::len).sum::<usize>();
    let mut sizes = Vec::new();
    for members in [1_000, 2_000, 3_000] {
        let pages = come_within_a_second(members, 10_000);
        for told in &pages {
            assert_eq!(told.len(), 11, "one for each of the first ten, and one for the window");
            assert_eq!(told.concat().matches("<li>").count() as u64, members, "everybody, once");
        }
        sizes.push(bytes(&pages[0]));
    }
    let each = (sizes[1] - sizes[0]) / 1_000;
    assert!(each < 30, "{each} bytes for each member");
    assert_eq!(sizes[2] - sizes[1], sizes[1] - sizes[0], "{sizes:?}");
    // As it is by default, so many are not named.
    for told in come_within_a_second(3_000, PresenceOptions::default().names_max) {
        assert_eq!((told.len(), told[10].as_str(), bytes(&told) < 300), (11, "\"=3000\"", true));
    }
}

/// A quiet room is told at once, and one where many come is told once a window, for as long as they do.
#[test]
fn while_many_come_a_page_is_told_once_in_a_window() {
    let world = World::new();
    let mut page = Page::open(&world.hub);
    page.subscribe(&presence_stream("room"), None);
    let mut tabs = Vec::new();
    for n in 0..75 {
        world.at(n * 5_000 / 75);
        tabs.push(world.tab(&format!("member {n}")));
    }
    world.at(5_000);
    assert_eq!((page.read().len(), world.hub.present()), (10 + 5, 75));
    world.at(6_000);
    let _ann = world.tab("ann");
    assert_eq!(page.read().len(), 1, "it is quiet again");
}

#[test]
fn who_is_present_is_given_at_a_place_only_where_nothing_has_come_behind_it() {
    let options = PresenceOptions::default().names_max(1);
    let world = World::with(Options::default().presence(options));
    let mut reader = world.hub.connect().unwrap();
    let stream = reader.attach(&presence_stream("room"), None).stream;
    let before = world.hub.position().offset;
    let ids = |attendance: Attendance| -> (usize, Vec<String>) {
        let named = attendance.named.iter().map(|member| member.id.to_string());
        (attendance.total, named.collect())
    };
    assert_eq!(reader.members_through(stream, before).map(ids), Some((0, vec![])));
    let _ann = world.tab("ann");
    assert_eq!(reader.members_through(stream, before), None);
    let after = world.hub.position().offset;
    assert_eq!(reader.members_through(stream, after).map(ids), Some((1, vec!["ann".to_owned()])));
    let _bob = world.tab("bob");
    let head = world.hub.position().offset;
    assert_eq!(reader.members_through(stream, head).map(ids), Some((2, vec![])));
    assert_eq!(world.hub.present_on("room").map(ids), Some((2, vec![])));
}
