//! Who is present at several nodes, whose log is on a server behind a simulated network: tabs come and go, nodes
//! are killed, requests are lost, the server forgets its past or fails over.
//!
//! At every moment, what a node tells its pages follows from what it told them before. When the faults are over
//! and a lease has passed, every node shows those who are there, and nobody else.
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};

use fastrand::Rng;
use forebay_cable::SubscriptionId;
use forebay_hub::{Client, Ending, Hub, Member, Options};
use forebay_log::{Position, presence_stream};
use forebay_sim::{Flaw, Network, Trouble};

const IDS: [&str; 5] = ["ann", "bob", "cat", "dan", "eve"];

const NODES: usize = 3;

/// Milliseconds of the nodes' clocks in one step.
const STEP_MS: u64 = 2;

type Attending = Pin<Box<dyn Future<Output = ()>>>;

struct Node {
    hub: Hub,
    /// Its place among all that there ever were.
    place: usize,
    /// Steps until it has its line back.
    cut_off: u64,
    tabs: Vec<(Client, &'static str)>,
    /// It does what is due, and waits for the network in the middle of it.
    attending: Option<Attending>,
    page: Page,
}

/// What a page of a node shows.
struct Page {
    at: Position,
    shown: BTreeSet<String>,
    heals: usize,
}

impl Page {
    fn render(hub: &Hub, heals: usize) -> Self {
        let members = hub.members("room");
        Self { at: members.position, shown: ids(hub), heals }
    }

    /// Reads on, as a page does: what it lacks it renders again.
    fn read(&mut self, hub: &Hub) {
        let Ok(entries) = hub.replay(&presence_stream("room"), self.at) else {
            *self = Self::render(hub, self.heals + 1);
            return;
        };
        for entry in entries {
            let change = entry.message.change().unwrap();
            for member in &change.joined {
                assert!(self.shown.insert(member.id.to_string()), "{} joins twice", member.id);
            }
            for member in &change.updated {
                assert!(self.shown.contains(&*member.id), "{} is not there", member.id);
            }
            for member in &change.left {
                assert!(self.shown.remove(&*member.id), "{} leaves before it came", member.id);
            }
            self.at.offset = entry.offset;
        }
    }
}

fn ids(hub: &Hub) -> BTreeSet<String> {
    hub.members("room").members.iter().map(|member| member.id.to_string()).collect()
}

struct World {
    network: &'static Network,
    now: Arc<AtomicU64>,
    rng: Rng,
    nodes: Vec<Node>,
    /// Nodes that there ever were.
    begun: usize,
}

impl World {
    fn node(&mut self) -> Node {
        let now = Arc::clone(&self.now);
        let hub = Hub::simulated_with(Options::default(), self.network.node(), now).unwrap();
        let page = Page::render(&hub, 0);
        self.begun += 1;
        Node { hub, place: self.begun - 1, cut_off: 0, tabs: Vec::new(), attending: None, page }
    }

    /// Time goes on. Whoever has a tab open shows that they live.
    fn go_on(&mut self, millis: u64) {
        for step in 0..millis / STEP_MS {
            self.network.step();
            self.now.fetch_add(STEP_MS, Ordering::Relaxed);
            for node in &mut self.nodes {
                if node.cut_off > 0 {
                    node.cut_off -= 1;
                    if node.cut_off == 0 {
                        self.network.server().join(node.place);
                    }
                }
                if step.is_multiple_of(250) {
                    node.tabs.iter().for_each(|(tab, _)| tab.lives());
                }
                if step.is_multiple_of(20) && node.attending.is_none() {
                    let hub = node.hub.clone();
                    node.attending = Some(Box::pin(async move { hub.attend_presence().await }));
                }
                let mut cx = Context::from_waker(Waker::noop());
                if node.attending.as_mut().is_some_and(|one| one.as_mut().poll(&mut cx).is_ready())
                {
                    node.attending = None;
                }
                node.page.read(&node.hub);
            }
        }
    }

    fn act(&mut self) {
        let index = self.rng.usize(..NODES);
        let id = IDS[self.rng.usize(..IDS.len())];
        match self.rng.u8(..20) {
            0 => {
                // Killed: nobody is told.
                let fresh = self.node();
                let killed = std::mem::replace(&mut self.nodes[index], fresh);
                drop(killed.attending);
            }
            1 => self.network.server().trim(2),
            2 => self.network.server().copy(),
            3 => self.network.server().fail_over(),
            4 => self.network.server().break_lines(),
            5 => {
                // For less than a lease, or for longer: then the others believe that it is gone.
                let node = &mut self.nodes[index];
                self.network.server().cut_off(node.place);
                node.cut_off = self.rng.u64(1..25_000 / STEP_MS);
            }
            6 | 7 => {
                let info = format!("{{\"n\":{}}}", self.rng.u8(..));
                let _ = self.nodes[index].hub.update_member("room", id, &info.into()).unwrap();
            }
            8..=13 => {
                let node = &mut self.nodes[index];
                let tab = node.hub.connect().unwrap();
                tab.join(SubscriptionId::default(), "room", &Member::new(id, "{}")).unwrap();
                node.tabs.push((tab, id));
            }
            _ => {
                let node = &mut self.nodes[index];
                if node.tabs.is_empty() {
                    return;
                }
                let (tab, id) = node.tabs.swap_remove(self.rng.usize(..node.tabs.len()));
                match self.rng.u8(..4) {
                    0 => tab.end_presence(Ending::Left),
                    1 => tab.end_presence(Ending::Closed),
                    2 => drop(tab),
                    _ => {
                        // It is lost, and comes back elsewhere before the first node has noticed.
                        let other = &mut self.nodes[(index + 1) % NODES];
                        let back = other.hub.connect().unwrap();
                        let member = Member::new(id, "{}");
                        back.join(SubscriptionId::default(), "room", &member).unwrap();
                        other.tabs.push((back, id));
                        drop(tab);
                    }
                }
            }
        }
    }

    fn present(&self) -> BTreeSet<String> {
        let tabs = self.nodes.iter().flat_map(|node| &node.tabs);
        tabs.map(|(_, id)| (*id).to_owned()).collect()
    }
}

fn run(seed: u64, trouble: Trouble) {
    let network = Network::new(seed, trouble, Flaw::None);
    let network: &'static Network = Box::leak(Box::new(network));
    let _time = network.enter();
    let now = Arc::new(AtomicU64::new(1_000_000));
    let mut world = World { network, now, rng: Rng::with_seed(seed), nodes: Vec::new(), begun: 0 };
    world.nodes = (0..NODES).map(|_| world.node()).collect::<Vec<_>>();
    world.go_on(1_000);
    for _ in 0..60 {
        world.act();
        let pause = world.rng.u64(..2_000);
        world.go_on(pause);
    }
    // Until the last has its line back, and two leases more: of a node that was killed last, and of a fresh one
    // that asks who is there.
    world.go_on(75_000);
    let expected = world.present();
    for (index, node) in world.nodes.iter().enumerate() {
        assert_eq!(ids(&node.hub), expected, "seed {seed}, node {index}");
        assert_eq!(node.page.shown, expected, "seed {seed}, a page of node {index}");
    }
    let infos = world.nodes.iter().map(|node| {
        let mut members = node.hub.members("room").members;
        members.sort();
        members
    });
    let infos: BTreeSet<_> = infos.collect();
    assert_eq!(infos.len(), 1, "seed {seed}: nodes agree on what is said of them");
}

#[test]
fn all_nodes_show_who_is_there() {
    for seed in 0..4 {
        run(seed, Trouble::default());
    }
}

#[test]
fn and_where_requests_and_answers_are_lost() {
    let trouble = Trouble { request_lost: 10, answer_lost: 10, doubled: 30, cut: 5, delayed: 5 };
    for seed in 100..104 {
        run(seed, trouble);
    }
}
