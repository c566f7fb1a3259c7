//! Everything that a client can make a session hold, bounded.

/// The bounds of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// One message from the client. Default 64 KiB, as AnyCable's `max_message_size`: room for
    /// a signed stream name and for what a channel action carries. Past it: close code 1009.
    pub message_bytes_max: usize,
    /// One identifier. Default 4 KiB: a signed name of a dozen streamables is 1 KB. Past it the
    /// subscription is rejected.
    pub identifier_bytes_max: usize,
    /// Subscriptions at a time. Default 1 000, ten times the busiest pages known (tens to a
    /// hundred tags); at 300 bytes each a client can hold 300 KB. Past it: rejected.
    pub subscriptions_max: usize,
    /// Subscriptions of one stream at a time, under different identifiers. Default 100: a browser with a
    /// hundred tabs of one page, whose shared worker has one connection for all. Past it: rejected.
    pub subscriptions_each_max: usize,
    /// Bytes that are replayed to a connection at once. Default 32 MiB: all that history has of eight
    /// streams. Past it a replay goes on when enough time has passed; nothing is left out.
    pub replay_bytes_burst: u64,
    /// Bytes that are replayed to a connection in each second, on and on. Default 1 MiB.
    pub replay_bytes_per_second: u64,
    /// The same for all connections of one address, at once. Default 256 MiB: as much as history holds of
    /// all streams; or a network of 5 000 visitors behind one address, who lack 50 KB each and come back
    /// together.
    pub address_replay_bytes_burst: u64,
    /// The same in each second. Default 32 MiB: a quarter of a gigabit line.
    pub address_replay_bytes_per_second: u64,
    /// Commands that wait while one is being answered. Default 64; from then on the caller stops
    /// reading the socket ([`Session::wants_input`](crate::Session::wants_input)), so none is lost. The
    /// last message that was read may bring [`commands_each_max`](Self::commands_each_max) more.
    pub commands_waiting_max: usize,
    /// Commands of one message, in the protocols where it may be an array. Default 2 000: all the
    /// subscriptions that a session may have, and an action on each. At 200 bytes each they are 400 KB
    /// while they wait. Past it: close code 1008.
    pub commands_each_max: usize,
    /// Commands that may come at once, where there were none for a while. Default 1 000: a browser that
    /// comes back with all the subscriptions it may have, or three visits in a second between pages of
    /// 100 tags, each of which is left, entered, and asks for its history. Past it the caller stops
    /// reading the socket, until there is room again.
    pub commands_burst: u16,
    /// Commands that may come in each second, on and on. Default 100: a visit between pages of 50 tags,
    /// or a hand that draws at a display's 60 frames. At some 30 µs for a command a connection takes 3 ms
    /// of a second.
    pub commands_per_second: u16,
    /// Bytes that wait to be sent, entries not included. Default 64 KiB, about 200
    /// confirmations; then the caller stops reading the socket.
    pub transmit_bytes_max: usize,
    /// Left subscriptions whose position is remembered, so that a tag which comes back goes on
    /// where it left. Default 256, at 16 bytes each.
    pub left_max: usize,
    /// Milliseconds between pings. Default 3 000, as Rails: its client calls a connection stale
    /// after 6 000 without any message.
    pub ping_interval_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 64 << 10,
            identifier_bytes_max: 4 << 10,
            subscriptions_max: 1_000,
            subscriptions_each_max: 100,
            replay_bytes_burst: 32 << 20,
            replay_bytes_per_second: 1 << 20,
            address_replay_bytes_burst: 256 << 20,
            address_replay_bytes_per_second: 32 << 20,
            commands_waiting_max: 64,
            commands_each_max: 2_000,
            commands_burst: 1_000,
            commands_per_second: 100,
            transmit_bytes_max: 64 << 10,
            left_max: 256,
            ping_interval_ms: 3_000,
        }
    }
}

forebay_log::setters! {
    Limits:
    message_bytes_max: usize,
    identifier_bytes_max: usize,
    subscriptions_max: usize,
    subscriptions_each_max: usize,
    replay_bytes_burst: u64,
    replay_bytes_per_second: u64,
    address_replay_bytes_burst: u64,
    address_replay_bytes_per_second: u64,
    commands_waiting_max: usize,
    commands_each_max: usize,
    commands_burst: u16,
    commands_per_second: u16,
    transmit_bytes_max: usize,
    left_max: usize,
    ping_interval_ms: u64,
}
