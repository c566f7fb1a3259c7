//! Counters: what was done, and everything that could otherwise go unnoticed.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters that only go up, shared by all of a hub's connections.
        #[derive(Debug, Default)]
        pub struct Stats {
            $($(#[$doc])* pub $name: Counter,)*
        }

        /// The counters at one moment.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        #[non_exhaustive]
        pub struct StatsSnapshot {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Stats {
            /// Reads all counters, one after the other.
            pub fn snapshot(&self) -> StatsSnapshot {
                StatsSnapshot { $($name: self.$name.get(),)* }
            }
        }

        impl StatsSnapshot {
            /// Names and values, in a fixed order.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

counters! {
    /// Broadcasts appended to the log.
    broadcasts,
    /// Entries handed to sockets, once per subscription.
    deliveries,
    /// Connections accepted.
    connections,
    /// Connections and requests refused, for whatever reason.
    refusals,
    /// Of these: pages of an origin that is not let in.
    refused_origin,
    /// Of these: for a host that is not this server's.
    refused_host,
    /// Of these: handshakes with a wrong version, key or subprotocol.
    refused_handshake,
    /// Of these: requests over HTTP that can't be understood, or may read none of their streams.
    refused_request,
    /// Of these: by the connect hook, for good.
    refused_unauthorized,
    /// Of these: by the connect hook, for now.
    refused_unavailable,
    /// Of these: because as many were connected as may be.
    refused_full,
    /// Of these: because the server was going down.
    refused_shutting_down,
    /// Subscriptions confirmed.
    subscriptions,
    /// Subscriptions rejected.
    rejections,
    /// Subscriptions told to heal themselves because their cursor was of another epoch.
    resyncs_other_epoch,
    /// The same because their cursor was older than history, at subscribing.
    resyncs_forgotten,
    /// The same because their cursor was ahead of the log.
    resyncs_future,
    /// The same because a slow socket fell behind history while it was connected.
    resyncs_behind,
    /// The same because its tag had left and came back, and nobody knows whether the page was shown what
    /// was on its way when the tag left.
    resyncs_in_doubt,
    /// Pages that were told later that they lack something, since many did at once.
    heals_delayed,
    /// Subscriptions that lack something, and whose page was rendered in vain: by a process with another
    /// log.
    unhealed,
    /// Connections that were ended because a tag is another visitor's, who may have signed in meanwhile.
    reidentified,
    /// Subscriptions that went on where their page was known to be.
    resumes,
    /// Replays that have to wait because their client was replayed much already.
    replays_delayed,
    /// Cursors refused because nobody here signed them.
    cursors_refused,
    /// Connections closed because of what the client sent.
    violations,
    /// Times that a connection was not read for a while because it had sent too many commands.
    commands_held_back,
    /// Connections ended because something panicked: a channel of the application's, or the server.
    panics,
    /// Access taken back.
    revocations,
    /// Connections ended because of that, or because their identity was disconnected.
    disconnects,
    /// Subscriptions refused because access was taken back, or because their signature had expired or
    /// is of none of the keys.
    refused_again,
    /// Sessions of AnyCable's protocol that went on for a lost one.
    sessions_restored,
    /// Actions whose target was not in the page, as pages report.
    reported_no_target,
    /// Rejected subscriptions, as pages report.
    reported_rejected,
    /// Entries missing between two, as pages report.
    reported_gaps,
    /// Other errors, as pages report.
    reported_errors,
    /// Broadcasts that were not taken because the disk did not take them.
    publish_errors,
    /// Streams that were said to lack a broadcast, so that their pages heal themselves.
    gaps,
    /// Proofs of pages that the disk did not take: after a restart these are replayed from their cursors.
    proofs_dropped,
    /// Messages from one client to the others of a stream.
    whispers,
    /// Whispers that were not passed on: not allowed, too large, or too many in a second.
    whispers_refused,
}

/// One counter.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts `n` more.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
