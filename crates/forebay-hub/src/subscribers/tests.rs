//! Passes over a list that changes meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::round::Round;
use crate::wake::Wake;

/// The newest entry at which a pass has seen a reader.
#[derive(Default)]
struct Member {
    seen: AtomicU64,
    wake: Wake,
}

impl Seat for Member {
    fn deliver(&self, _: &mut Round) -> bool {
        true
    }

    fn wake(&self) -> &Wake {
        &self.wake
    }
}

fn listed<S: Seat + 'static>(seat: &Arc<S>) -> Reader {
    let seat: Weak<S> = Arc::downgrade(seat);
    Reader { seat, is_muted: false }
}

struct Passes {
    readers: Readers,
    entry: u64,
    present: Vec<Present>,
}

/// Who is there, at which place, and since which entry: nobody who is muted is.
struct Present {
    member: Arc<Member>,
    place: usize,
    since: Option<u64>,
}

impl Passes {
    fn join(&mut self) {
        let member = Arc::new(Member::default());
        let place = self.readers.0.lock().add(listed(&member));
        self.present.push(Present { member, place, since: Some(self.entry) });
    }

    fn leave(&mut self, index: usize) {
        let Present { place, .. } = self.present.swap_remove(index);
        self.readers.0.lock().remove(place);
    }

    /// Whoever is not muted any more looks at the log.
    fn mute_or_unmute(&mut self, index: usize) {
        let present = &mut self.present[index];
        let is_muted = present.since.is_some();
        self.readers.0.lock().readers[present.place].is_muted = is_muted;
        present.since = (!is_muted).then_some(self.entry);
    }

    /// One round; false if it was the last of its pass. What it does not know is who is a reader.
    fn round(&mut self, max: usize) -> bool {
        let mut seats = Vec::new();
        let goes_on = self.readers.take(max, &mut seats);
        for seat in seats {
            let wake = std::ptr::from_ref(seat.wake());
            let same = |other: &&Present| std::ptr::eq(&raw const other.member.wake, wake);
            let present = self.present.iter().find(same).expect("a reader");
            assert!(present.since.is_some(), "{} is muted", present.place);
            present.member.seen.store(self.entry, Ordering::Relaxed);
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
            match next(11) {
                choice if choice < joins => passes.join(),
                8 if passes.entry < 40 => {
                    passes.entry += 1;
                    passes.readers.0.lock().plan();
                }
                9 => {
                    passes.round(4);
                }
                10 if !passes.present.is_empty() => {
                    passes.mute_or_unmute(next(passes.present.len() as u64));
                }
                _ if !passes.present.is_empty() => passes.leave(next(passes.present.len() as u64)),
                _ => {}
            }
        }
        while passes.round(4) {}
        for Present { member, place, since } in &passes.present {
            let Some(since) = *since else { continue };
            let seen = member.seen.load(Ordering::Relaxed);
            assert!(since == passes.entry || seen == passes.entry, "{place}: {since}, {seen}");
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
    readers.0.lock().add(listed(&seat));
    let task = Arc::new(Ends(Mutex::default()));
    seat.wake.register(&std::task::Waker::from(Arc::clone(&task)));
    *task.0.lock() = Some(seat);
    assert_eq!(readers.signal(Signals::DISCONNECT), 1);
    assert!(readers.0.lock().readers.is_empty());
}
