//! Everything that a client can make a session hold, bounded.

/// The bounds of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Commands that wait while one is being answered. Default 64; then the caller stops reading
    /// the socket ([`Session::wants_input`](crate::Session::wants_input)), so none is lost.
    pub commands_waiting_max: usize,
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
            commands_waiting_max: 64,
            transmit_bytes_max: 64 << 10,
            left_max: 256,
            ping_interval_ms: 3_000,
        }
    }
}
