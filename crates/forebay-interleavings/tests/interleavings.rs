//! Each scenario as it is, which must hold in every order that is tried, and sabotaged, which must not.

use std::panic::{AssertUnwindSafe, catch_unwind};

use forebay_interleavings::Sabotage;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, FailurePersistence, Runner};

/// Orders of each kind for each scenario. Sabotage is found within a hundred.
const ORDERS: usize = 1_000;

/// Orders are the same in each run.
const SEED: u64 = 1;

/// How often a thread is set back in one order of the second kind (Burckhardt et al., "A randomized
/// scheduler with probabilistic guarantees of finding bugs").
const SETBACKS: usize = 3;

fn runs(scenario: fn(Sabotage), sabotage: Sabotage) {
    let mut config = Config::new();
    config.failure_persistence = FailurePersistence::None;
    let random = RandomScheduler::new_from_seed(SEED, ORDERS);
    Runner::new(random, config.clone()).run(move || scenario(sabotage));
    let setbacks = PctScheduler::new_from_seed(SEED, SETBACKS, ORDERS);
    Runner::new(setbacks, config).run(move || scenario(sabotage));
}

fn holds(scenario: fn(Sabotage)) {
    runs(scenario, Sabotage::No);
    let sabotaged = catch_unwind(AssertUnwindSafe(|| runs(scenario, Sabotage::Yes)));
    assert!(sabotaged.is_err(), "it shows nothing: sabotage passes");
}

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            holds(forebay_interleavings::$name);
        })*
    };
}

scenarios! {
    a_signal_wakes,
    a_busy_reader_is_not_passed_over,
    readers_come_and_go_beside_rounds,
    rounds_end_with_signals,
    a_reader_behind_its_socket_misses_nothing,
    who_takes_rounds_wakes_for_them_and_ends,
    who_dozes_is_woken,
}
