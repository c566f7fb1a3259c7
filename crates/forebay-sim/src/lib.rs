//! A world of pages, faults and publishers around the real log, hub, sessions and drivers; and a
//! model ([`Life`]) that says what every page must show.
//!
//! `cargo xtask sim --entries N` runs many worlds; `--seed N` runs one again. A world that breaks a
//! promise is made smaller ([`shrink`]) before it is shown. Known-bad designs ([`Variant`]) run in the
//! same worlds and must be caught.
//!
//! No seed is kept as a regression test: one more random number anywhere, and it is another world. What a
//! world's story has shown becomes a scenario in the tests of the crate whose fault it was.

mod client;
mod exchange;
mod frames;
mod model;
mod network;
mod page;
mod plan;
mod present;
mod published;
mod rooms;
mod server;
mod shrink;
mod socket;
mod tally;
mod variant;
mod world;

pub use model::{Life, Violation};
pub use network::Network;
pub use plan::{Numbers, Plan};
pub use published::{Kind, Published};
pub use server::{Connection, Flaw, Line, Lost, News, Server, Trouble};
pub use shrink::{Shrunk, shrink};
pub use tally::Tally;
pub use variant::Variant;
pub use world::{Outcome, run};
