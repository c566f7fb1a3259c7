//! The scenarios, each with what must not be left out.

use std::sync::Arc;

use shuttle::{future, thread};

use crate::doze::Doze;
use crate::rounds;
use crate::sync::{AtomicBool, Mutex, Ordering};
use crate::wake::Signals;
use crate::world::{Flaw, Reader, World};

/// Whether the step that the scenario is about is taken, and in its order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sabotage {
    /// As it is.
    No,
    /// It is left out, or comes too late.
    Yes,
}

impl Sabotage {
    fn is(self, flaw: Flaw) -> Flaw {
        if self == Self::Yes { flaw } else { Flaw::None }
    }
}

/// A task registers its waker, and takes its signals afterwards.
pub fn a_signal_wakes(sabotage: Sabotage) {
    let world = World::new(0);
    let (reader, _) = Reader::join(&world, sabotage.is(Flaw::TakesFirst));
    let signalled = Arc::clone(&reader);
    let signals = thread::spawn(move || {
        signalled.signal(Signals::TICK);
        signalled.signal(Signals::SHUTDOWN);
    });
    reader.run();
    join(signals);
    reader.run();
    assert!(!reader.is_forgotten(), "a signal woke nobody");
}

/// A round that finds a reader's task at work has it signalled: the task may have looked at the log
/// already.
pub fn a_busy_reader_is_not_passed_over(sabotage: Sabotage) {
    let world = World::new(1);
    let (reader, _) = Reader::join(&world, sabotage.is(Flaw::IsContentWhenBusy));
    let publisher = publish_and_take_rounds(&world);
    reader.poll();
    join(publisher);
    shows_all(&world, &[reader]);
}

/// Publishers who take rounds, too, beside readers that join and leave: whoever joins registers for
/// entries, and looks at the log afterwards.
pub fn readers_come_and_go_beside_rounds(sabotage: Sabotage) {
    let world = World::new(2);
    let (stays, _) = Reader::join(&world, Flaw::None);
    let publishers = [publish_and_take_rounds(&world), publish_and_take_rounds(&world)];
    let (leaves, registration) = Reader::join(&world, Flaw::None);
    let (comes, _) = Reader::join(&world, sabotage.is(Flaw::LooksFirst));
    world.subscribers.remove(registration);
    drop(leaves);
    publishers.into_iter().for_each(join);
    shows_all(&world, &[stays, comes]);
}

/// The last who takes rounds ends while somebody publishes: what is due then is signalled.
pub fn rounds_end_with_signals(sabotage: Sabotage) {
    let world = World::new(1);
    let (reader, _) = Reader::join(&world, Flaw::None);
    let taker = {
        let world = Arc::clone(&world);
        thread::spawn(move || {
            world.take_rounds();
            if sabotage == Sabotage::No {
                world.rounds.remove_taker();
            }
        })
    };
    world.publish();
    join(taker);
    shows_all(&world, &[reader]);
}

/// While its socket is full a reader hears of no entries. Once the socket takes something, the reader
/// hears of them again, and looks at the log afterwards.
pub fn a_reader_behind_its_socket_misses_nothing(sabotage: Sabotage) {
    let world = World::new(1);
    let (reader, registration) = Reader::join(&world, Flaw::None);
    world.subscribers.mute(registration, true);
    let publisher = publish_and_take_rounds(&world);
    if sabotage == Sabotage::Yes {
        reader.poll();
    }
    world.subscribers.mute(registration, false);
    if sabotage == Sabotage::No {
        reader.poll();
    }
    join(publisher);
    shows_all(&world, &[reader]);
}

/// Those who take rounds sleep between them, and end when there is nobody left to take them for: then
/// they are told, and not before.
pub fn who_takes_rounds_wakes_for_them_and_ends(sabotage: Sabotage) {
    let world = World::new(2);
    let (reader, _) = Reader::join(&world, Flaw::None);
    let is_over = Arc::new(AtomicBool::new(false));
    let takers = [(); 2].map(|()| {
        let (world, is_over) = (Arc::clone(&world), Arc::clone(&is_over));
        thread::spawn(move || {
            let mut taker = rounds::Taker::default();
            future::block_on(rounds::take_rounds(&world.rounds.planned, || {
                let goes_on = !is_over.load(Ordering::SeqCst);
                goes_on.then(|| world.rounds.take(&mut taker).is_some())
            }));
        })
    });
    for _ in 0..2 {
        world.publish();
    }
    while reader.has_seen() < world.head() {
        reader.run();
        thread::yield_now();
    }
    if sabotage == Sabotage::Yes {
        world.rounds.planned.notify_waiters();
    }
    is_over.store(true, Ordering::SeqCst);
    if sabotage == Sabotage::No {
        world.rounds.planned.notify_waiters();
    }
    // One that sleeps for ever is a deadlock, which shuttle reports.
    takers.into_iter().for_each(join);
}

/// Whoever ticks says that it sleeps, and looks afterwards whether it may.
pub fn who_dozes_is_woken(sabotage: Sabotage) {
    let doze = Arc::new(Doze::default());
    let connections = Arc::new(Mutex::new(0));
    let ticks = {
        let (doze, connections) = (Arc::clone(&doze), Arc::clone(&connections));
        thread::spawn(move || {
            let early = *connections.lock();
            let nobody =
                || if sabotage == Sabotage::Yes { early == 0 } else { *connections.lock() == 0 };
            if let Some(((), woken)) = doze.begin(|| nobody().then_some(())) {
                future::block_on(woken);
            }
        })
    };
    *connections.lock() += 1;
    doze.end();
    join(ticks);
}

fn publish_and_take_rounds(world: &Arc<World>) -> thread::JoinHandle<()> {
    let world = Arc::clone(world);
    thread::spawn(move || {
        world.publish();
        world.take_rounds();
    })
}

/// All threads are done, and the runtime polls whom they have woken.
fn shows_all(world: &World, readers: &[Arc<Reader>]) {
    for reader in readers {
        reader.run();
        assert_eq!(reader.has_seen(), world.head(), "an entry woke nobody");
    }
}

fn join(thread: thread::JoinHandle<()>) {
    assert!(thread.join().is_ok(), "a thread has panicked");
}
