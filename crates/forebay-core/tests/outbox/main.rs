//! Broadcasts that are written into the application's database, with the database itself.

#![cfg(feature = "outbox-sqlite")]
#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

mod kills;
mod sqlite;

use forebay_core::{Forebay, Offset, Position};

const SECRET: &str = "a secret for tests";

/// What a log has of a stream, from its beginning: JSON texts.
fn all(forebay: &Forebay, stream: &str) -> Vec<String> {
    let beginning = Position { offset: Offset(0), ..forebay.position() };
    let entries = forebay.replay(stream, beginning).unwrap();
    entries.iter().map(|entry| entry.json().to_owned()).collect()
}
