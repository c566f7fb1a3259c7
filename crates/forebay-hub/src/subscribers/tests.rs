//! Passes over a list that changes meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::rounds::Round;
use crate::wake::Wake;

/// A reader, and the newest entry at which a pass has seen it.
#[derive(Default)]
struct Reader {
    seen: AtomicU64,
    wake: Wake,
}

impl Seat for Reader {
    fn deliver(&self, _: &mut Round) -> bool {
        true
    }

    fn wake(&self) -> &Wake {
        &self.wake
    }
}

struct Passes {
    readers: Readers,
    entry: u64,
    /// Who is there, at which place, and since which entry.
    present: Vec<(Arc<Reader>, usize, u64)>,
}

impl Passes {
    fn join(&mut self) {
        let reader = Arc::new(Reader::default());
        let weak = Arc::downgrade(&reader);
        let place = self.readers.0.lock().add(weak);
        self.present.push((reader, place, self.entry));
    }

    fn leave(&mut self, index: usize) {
        let (_, place, _) = self.present.swap_remove(index);
        self.readers.0.lock().remove(place);
    }

    /// One round; false if it was the last of its pass. What it does not know is who is a reader.
    fn round(&mut self, max: usize) -> bool {
        let mut seats = Vec::new();
        let goes_on = self.readers.take(max, &mut seats);
        for seat in seats {
            let wake = std::ptr::from_ref(seat.wake());
            let same = |(reader, _, _): &&(Arc<Reader>, usize, u64)| {
                std::ptr::eq(&raw const reader.wake, wake)
            };
            let (reader, _, _) = self.present.iter().find(same).expect("a reader");
            reader.seen.store(self.entry, Ordering::Relaxed);
        }
        goes_on
    }
}

/// Whoever was there when an entry came, and still is, has been seen since when its pass ends.
#[test]
fn a_pass_misses_nobody_while_others_come_and_go() {
    let mut random = 88_172_645_463_325_252_u64;
    let mut next = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below).unwrap()
    };
    for _ in 0..300 {
        let mut passes = Passes { readers: Readers::default(), entry: 0, present: Vec::new() };
        let joins = 2 + next(6);
        for _ in 0..400 {
            match next(10) {
                choice if choice < joins => passes.join(),
                8 if passes.entry < 40 => {
                    passes.entry += 1;
                    passes.readers.0.lock().plan();
                }
                9 => {
                    passes.round(4);
                }
                _ if !passes.present.is_empty() => passes.leave(next(passes.present.len() as u64)),
                _ => {}
            }
        }
        while passes.round(4) {}
        for (reader, place, since) in &passes.present {
            let seen = reader.seen.load(Ordering::Relaxed);
            assert!(*since == passes.entry || seen == passes.entry, "{place}: {since}, {seen}");
        }
    }
}

/// A connection that leaves the list when it goes.
struct Leaving {
    readers: Arc<Readers>,
    wake: Wake,
}

impl Seat for Leaving {
    fn deliver(&self, _: &mut Round) -> bool {
        true
    }

    fn wake(&self) -> &Wake {
        &self.wake
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.readers.0.try_lock().expect("nobody holds it").remove(0);
    }
}

/// The task that holds it, until it is woken.
struct Ends(Mutex<Option<Arc<Leaving>>>);

impl std::task::Wake for Ends {
    fn wake(self: Arc<Self>) {
        *self.0.lock() = None;
    }
}

/// A connection ends while it is signalled: the last who holds it is the signal, and it leaves the list
/// that was just gone through.
#[test]
fn whoever_ends_while_it_is_signalled_can_leave_the_list() {
    let readers = Arc::new(Readers::default());
    let seat = Arc::new(Leaving { readers: Arc::clone(&readers), wake: Wake::default() });
    let weak = Arc::downgrade(&seat);
    readers.0.lock().add(weak);
    let task = Arc::new(Ends(Mutex::default()));
    seat.wake.register(&std::task::Waker::from(Arc::clone(&task)));
    *task.0.lock() = Some(seat);
    assert_eq!(readers.signal(Signals::DISCONNECT), 1);
    assert!(readers.0.lock().readers.is_empty());
}
