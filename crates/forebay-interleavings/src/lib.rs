//! Forebay's wake-ups, in the orders that threads may come in.
//!
//! forebay-hub's files are compiled here as they are, with a `sync` whose locks and atomics are shuttle's: at
//! each of them it chooses which thread goes on, some thousand times for each scenario. A scenario ends with
//! what has to be true whatever the order was: whoever reads a stream has seen its newest entry, or will be
//! woken for it. Each has a [`Sabotage`] under which it must fail, or it would show nothing.
//!
//! What shuttle does not try: orders that weak memory allows beyond those of its steps, and the insides of
//! `AtomicWaker` and tokio's `Notify`, which are one step each.

#![expect(unreachable_pub, reason = "it is reached from forebay-hub")]

#[path = "../../forebay-hub/src/doze.rs"]
mod doze;
#[path = "../../forebay-hub/src/prefetch.rs"]
mod prefetch;
#[path = "../../forebay-hub/src/read.rs"]
#[expect(dead_code, reason = "nothing is read here: scenarios count entries")]
mod read;
#[path = "../../forebay-hub/src/round.rs"]
#[expect(dead_code, reason = "rounds read nothing here")]
mod round;
#[path = "../../forebay-hub/src/rounds.rs"]
#[expect(dead_code, reason = "nobody looks at how old entries are here")]
mod rounds;
#[path = "../../forebay-hub/src/subscribers.rs"]
#[expect(dead_code, reason = "envelopes are not shared here")]
mod subscribers;
mod sync;
#[path = "../../forebay-hub/src/wake.rs"]
#[expect(dead_code, reason = "most signals are not given here")]
mod wake;

mod scenarios;
mod world;

pub use scenarios::{
    Sabotage, a_busy_reader_is_not_passed_over, a_reader_behind_its_socket_misses_nothing,
    a_signal_wakes, readers_come_and_go_beside_rounds, rounds_end_with_signals, who_dozes_is_woken,
    who_takes_rounds_wakes_for_them_and_ends,
};
