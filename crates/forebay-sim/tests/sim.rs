//! A short run of the simulation, and every known-bad design in it.
use forebay_sim::{Plan, Tally, Variant, Violation, run, shrink};

/// What happens only where a node has its log alone, or shares it, or where lines lose what they carry.
const OF_ONE_NODE: [&str; 3] = ["restarts", "disk_restarts", "refusals"];
const OF_NODES: [&str; 10] = [
    "kills",
    "leavings",
    "stops",
    "partitions",
    "failovers",
    "trims",
    "epochs",
    "taken",
    "failed",
    "relayed",
];
const OF_A_LOSSY_NETWORK: &str = "gaps";
/// And only where pages make their visitors present.
const OF_PRESENCE: [&str; 2] = ["changes", "comings"];

/// Fixed worlds: each run of this test is the same.
fn worlds(seeds: std::ops::Range<u64>, entries: u64, variant: Variant) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let outcome = run(&Plan::new(seed, entries, variant));
        tally.add(&outcome.tally);
        if let Some((violation, said)) = outcome.violation {
            panic!("seed {seed}: {violation:?}: {said}");
        }
    }
    tally
}

#[test]
fn every_page_shows_everything_once_and_in_order_or_is_told() {
    let tally = worlds(1..9, 5_000, Variant::None);
    // A world in which nothing happens proves nothing.
    for (name, count) in tally.iter() {
        let is_elsewhere = OF_NODES.contains(&name) || name == OF_A_LOSSY_NETWORK;
        let is_elsewhere = is_elsewhere || OF_PRESENCE.contains(&name);
        assert_eq!(count == 0, is_elsewhere, "{name}: {count}");
    }
}

/// Several nodes share a log: they are killed, cut off and sent away, and so is their log's server.
#[test]
fn every_page_of_several_nodes_shows_everything_once_and_in_order_or_is_told() {
    let mut tally = Tally::default();
    for (nodes, seeds) in [(2, 1..3), (3, 3..9)] {
        for seed in seeds {
            let outcome = run(&Plan::of_nodes(nodes, seed, 4_000, Variant::None));
            tally.add(&outcome.tally);
            if let Some((violation, said)) = outcome.violation {
                panic!("{nodes} nodes, seed {seed}: {violation:?}: {said}");
            }
        }
    }
    for (name, count) in tally.iter() {
        let is_elsewhere = OF_ONE_NODE.contains(&name) || name == OF_A_LOSSY_NETWORK;
        let is_elsewhere = is_elsewhere || OF_PRESENCE.contains(&name);
        assert_eq!(count == 0, is_elsewhere, "{name}: {count}");
    }
}

/// What goes wrong with a log that several nodes share, and is wrong by itself.
#[test]
fn designs_of_several_nodes_that_are_known_to_be_wrong_are_caught() {
    for variant in Variant::BAD_NODES {
        // It takes a while until a server's loss is one that nobody else notices.
        let first = if variant == Variant::OneHistory { 15 } else { 1 };
        let plan = |seed| Plan::of_nodes(3, seed, 5_000, variant);
        let caught = (first..20).find_map(|seed| run(&plan(seed)).violation);
        let (violation, said) = caught.unwrap_or_else(|| panic!("{variant:?} was not caught"));
        println!("{variant:?}: {violation:?}: {said}");
    }
}

#[test]
fn our_client_notices_what_is_lost_behind_the_servers_back() {
    let tally = worlds(1..5, 3_000, Variant::Lossy);
    assert!(tally.gaps > 0);
}

#[test]
fn a_seed_is_a_run() {
    let gist = |seed| {
        let outcome = run(&Plan::new(seed, 2_000, Variant::None));
        outcome.tally.iter().collect::<Vec<_>>()
    };
    assert_eq!(gist(7), gist(7));
    assert_eq!(gist(8), gist(8));
    assert_ne!(gist(7), gist(8));
}

/// A server that has its log on disk goes on with it, and so do its pages: the model takes a resync
/// that history could have spared for a broken promise, as it does a lost entry.
#[test]
fn a_restart_with_a_log_on_disk_is_a_lost_connection_and_no_more() {
    let tally = worlds(16..17, 15_000, Variant::None);
    assert!(tally.disk_restarts > 2, "{tally:?}");
}

/// What pages show is right in all of these but the last, and nobody would have seen it.
#[test]
fn what_clients_mend_and_what_they_are_told_in_vain_is_seen() {
    for (variant, expected) in [
        (Variant::Holed, Violation::Mended),
        (Variant::Repeated, Violation::Mended),
        (Variant::Forgetful, Violation::Needless),
        (Variant::LostTail, Violation::Lost),
        (Variant::ByStream, Violation::Misordered),
        (Variant::Mute, Violation::Lost),
        (Variant::Lingering, Violation::Replayed),
        (Variant::Bystanders, Violation::Needless),
        (Variant::Unended, Violation::NotEnded),
        (Variant::LateTime, Violation::Lost),
        (Variant::Served, Violation::Lost),
        (Variant::Untold, Violation::Lost),
    ] {
        let caught = (1..20).find_map(|seed| run(&Plan::new(seed, 5_000, variant)).violation);
        assert_eq!(caught.map(|(violation, _)| violation), Some(expected), "{variant:?}");
    }
}

#[test]
fn designs_that_are_known_to_be_wrong_are_caught() {
    for variant in Variant::BAD {
        let caught = (1..20).find_map(|seed| run(&Plan::new(seed, 5_000, variant)).violation);
        let (violation, said) = caught.unwrap_or_else(|| panic!("{variant:?} was not caught"));
        println!("{variant:?}: {violation:?}: {said}");
    }
}

#[test]
fn a_failing_world_is_made_smaller_and_fails_alike_each_time() {
    for variant in [Variant::PlainCable, Variant::NonAtomic] {
        let fails = |plan: &Plan| run(plan).violation.is_some();
        let plan = (1..20).map(|seed| Plan::new(seed, 2_000, variant)).find(fails).unwrap();
        let small = shrink(&plan).unwrap();
        assert!(small.pages == 1 && small.events <= 3, "{small:?}");
        let again = run(&small.plan).violation.unwrap();
        assert_eq!(again, (small.violation, small.said.clone()));
        assert_eq!(shrink(&plan).unwrap(), small);
    }
    assert_eq!(shrink(&Plan::new(1, 500, Variant::None)), None);
}
