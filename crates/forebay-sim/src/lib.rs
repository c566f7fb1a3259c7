//! A world of pages, faults and publishers around the real log, hub, sessions and drivers; and a
//! model ([`Life`]) that says what every page must show.
//!
//! `cargo xtask sim --entries N` runs many worlds; `--seed N` runs one again. Known-bad designs
//! ([`Variant`]) run in the same worlds and must be caught.

mod client;
mod frames;
mod model;
mod published;
mod socket;
mod variant;
mod world;

pub use model::{Life, Violation};
pub use published::{Kind, Published};
pub use variant::Variant;
pub use world::{Outcome, Tally, run};
