//! What every log store has to do. A store's own tests hand a [`World`] to [`check`], which tries all of it,
//! with each fault that the world can make.
//!
//! ```ignore
//! #[test]
//! fn it_keeps_the_contract() {
//!     forebay_store_tests::check(MyWorld::new);
//! }
//! ```

mod memory;
mod replica;
mod rules;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

use forebay_log::{Class, Content, Message, Offset, UnixMillis};
use forebay_store::{AppendError, Batch, LogStore};

pub use memory::Memory;
pub use replica::Copy;

/// How often the world moves on before something is taken for lost.
const MOVES_MAX: usize = 100_000;

/// A log, the nodes that have it, and what is between them. Time and faults are the world's own.
pub trait World {
    /// A node. The first call makes one; a world whose log only one process can have gives nothing to a
    /// second call.
    fn node(&mut self) -> Option<Arc<dyn LogStore>>;

    /// Whatever is under way moves on by one step. A store with threads of its own is given a moment
    /// ([`std::thread::park_timeout`]: it ends with an answer).
    fn advance(&mut self);

    /// All nodes have ended (their stores are dropped). The log is where it was.
    fn end(&mut self);

    /// Makes a fault, or says that this world has none of that kind.
    fn fault(&mut self, fault: Fault) -> bool;
}

/// What may go wrong between a node and its store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The next request to append is lost on its way.
    Request,
    /// The next answer to one is: the records are taken.
    Answer,
    /// Nodes lose their connections, and get new ones.
    Connection,
    /// The log keeps no more of the past than its last record.
    Trim,
    /// The log loses its last record, as when an asynchronous copy takes over.
    Loss,
}

/// Faults after which the log has everything that it had acknowledged.
const HARMLESS: [Fault; 3] = [Fault::Request, Fault::Answer, Fault::Connection];

/// Tries all rules, each in a world of its own.
///
/// # Panics
/// Where one of them does not hold; the message says which.
pub fn check<W: World>(mut make: impl FnMut() -> W) {
    for (name, rule) in rules::all::<W>() {
        #[expect(clippy::print_stdout, reason = "a test's output, where it fails: in which rule")]
        {
            println!("{name}");
        }
        rule(&mut make());
    }
}

/// Appends a batch and waits for it.
fn append(world: &mut impl World, store: &dyn LogStore, batch: Vec<Content>) -> Offset {
    try_append(world, store, batch).expect("it is taken")
}

fn try_append(
    world: &mut impl World,
    store: &dyn LogStore,
    batch: Vec<Content>,
) -> Result<Offset, AppendError> {
    finish(world, store.append(Batch::new(NOW, batch)))
}

/// Polls a future and moves the world on, until it is ready.
fn finish<T>(world: &mut impl World, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    for _ in 0..MOVES_MAX {
        if let Poll::Ready(ready) = future.as_mut().poll(&mut cx) {
            return ready;
        }
        world.advance();
    }
    panic!("the store never answers");
}

/// Ends the moment that a store with threads of its own is given.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Moves the world on until this holds.
fn until(world: &mut impl World, what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..MOVES_MAX {
        if holds() {
            return;
        }
        world.advance();
    }
    panic!("it never comes to this: {what}");
}

const NOW: UnixMillis = UnixMillis(1_000_000);

fn entry(stream: &str, text: &str) -> Content {
    let message = Message::json(format!("{text:?}"));
    Content::Entry { stream: stream.into(), message, class: Class::Log }
}
