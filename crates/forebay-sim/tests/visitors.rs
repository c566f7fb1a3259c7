//! Worlds whose pages make their visitors present, and every known-bad design of that.

use std::ops::Range;

use forebay_sim::{Plan, Tally, Variant, run};

/// Fixed worlds: each run of this test is the same.
fn worlds(nodes: usize, seeds: Range<u64>, entries: u64) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let plan = Plan { presence: true, ..Plan::of_nodes(nodes, seed, entries, Variant::None) };
        let outcome = run(&plan);
        tally.add(&outcome.tally);
        if let Some((violation, said)) = outcome.violation {
            panic!("{plan}: {violation:?}: {said}");
        }
    }
    assert!(tally.changes > 100 && tally.comings > 10, "{tally:?}");
    tally
}

/// In memory, and the last on disk.
#[test]
fn every_page_shows_who_is_there_and_nobody_else() {
    worlds(1, 6..9, 2_000);
}

#[test]
fn every_page_of_several_nodes_shows_who_is_there_and_nobody_else() {
    worlds(3, 1..3, 1_500);
}

#[test]
fn designs_of_presence_that_are_known_to_be_wrong_are_caught() {
    for variant in Variant::BAD_PRESENCE {
        let caught = (1..20).find_map(|seed| run(&Plan::new(seed, 3_000, variant)).violation);
        let (violation, said) = caught.unwrap_or_else(|| panic!("{variant:?} was not caught"));
        println!("{variant:?}: {violation:?}: {said}");
    }
}
