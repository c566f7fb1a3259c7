//! Counters: what was done, and whatever would otherwise go unnoticed.
//!
//! `docs/troubleshooting.md` lists them with what each of them is a sign of; a test compares the two.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Counters that only go up, shared by all of a hub's connections.
        #[derive(Debug, Default)]
        pub struct Stats {
            $($(#[doc = $doc])* pub $name: Counter,)*
        }

        /// The counters at one moment.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        #[non_exhaustive]
        pub struct StatsSnapshot {
            $($(#[doc = $doc])* pub $name: u64,)*
        }

        impl Stats {
            /// Reads all counters, one after the other.
            pub fn snapshot(&self) -> StatsSnapshot {
                StatsSnapshot { $($name: self.$name.get(),)* }
            }
        }

        impl StatsSnapshot {
            /// Counters with what they count, in a fixed order.
            pub fn described(&self) -> impl Iterator<Item = Described> {
                [$(Described {
                    name: stringify!($name),
                    help: concat!($($doc),*),
                    value: self.$name,
                },)*]
                .into_iter()
            }

            /// Names and values, in a fixed order.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

/// A counter, with a sentence on what it counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Described {
    /// Its name.
    pub name: &'static str,
    /// What it counts, in one or two sentences. Begins with a space.
    pub help: &'static str,
    /// The count.
    pub value: u64,
}

counters! {
    /// Broadcasts that the log took.
    broadcasts,
    /// Entries handed to sockets, once for each subscription.
    deliveries,
    /// Connections accepted.
    connections,
    /// Connections and requests refused. The next nine counters say for which reason.
    refusals,
    /// Refused: the page's origin is not let in.
    refused_origin,
    /// Refused: the request names a host that is not this server's.
    refused_host,
    /// Refused: the WebSocket handshake has a wrong version, key or subprotocol.
    refused_handshake,
    /// Refused: the HTTP request can't be understood, or its sender may read none of its streams.
    refused_request,
    /// Refused by the connect hook, for good.
    refused_unauthorized,
    /// Refused by the connect hook, for now.
    refused_unavailable,
    /// Refused: there was no room for one more.
    refused_full,
    /// Refused: the server was going down.
    refused_shutting_down,
    /// Refused: nothing was heard of the log's store for too long.
    refused_behind,
    /// Subscriptions confirmed.
    subscriptions,
    /// Subscriptions rejected.
    rejections,
    /// Subscriptions whose page was told to heal: the cursor was of another epoch.
    resyncs_other_epoch,
    /// Subscriptions whose page was told to heal: the cursor was older than history.
    resyncs_forgotten,
    /// Subscriptions whose page was told to heal: the cursor was ahead of the log.
    resyncs_future,
    /// Subscriptions whose page was told to heal: its slow socket fell behind history.
    resyncs_behind,
    /// Subscriptions whose page was told to heal: its tag had left and came back, and nobody knows
    /// what the page was shown of what was on its way.
    resyncs_in_doubt,
    /// Pages that were told later, because many had to heal at once.
    heals_delayed,
    /// Subscriptions that lack something and whose page was rendered in vain, by a process with
    /// another log.
    unhealed,
    /// Connections ended because a tag is another visitor's, so that their visitor is identified anew.
    reidentified,
    /// Subscriptions that went on where their page was known to be.
    resumes,
    /// Replays that had to wait, because their client had been replayed much already.
    replays_delayed,
    /// Cursors refused because nobody here has signed them.
    cursors_refused,
    /// Messages that clients sent.
    client_messages,
    /// Connections closed because of what the client sent.
    violations,
    /// Times that a connection was not read for a while because it had sent too many commands.
    commands_held_back,
    /// Connections ended because something panicked: a channel of the application's, or the server.
    panics,
    /// Access taken back.
    revocations,
    /// Connections ended because access was taken back, or their identity was disconnected.
    disconnects,
    /// Subscriptions rejected because access was taken back, or because their signature had expired
    /// or is of none of the keys.
    refused_again,
    /// Sessions of AnyCable's protocol that went on for a lost one.
    sessions_restored,
    /// Pages report: an action's target is not in the page.
    reported_no_target,
    /// Pages report: a subscription was rejected.
    reported_rejected,
    /// Pages report: entries are missing between two.
    reported_gaps,
    /// Pages report: another error.
    reported_errors,
    /// Broadcasts that the disk did not take.
    publish_errors,
    /// Streams that were said to lack a broadcast, so that their pages heal.
    gaps,
    /// Rows of an outbox that could not be broadcast and were set aside; their streams have a gap.
    outbox_refused,
    /// Proofs of pages that the disk did not take. After a restart these pages are replayed from their
    /// cursors.
    proofs_dropped,
    /// Messages from one client to the others of a stream.
    whispers,
    /// Members that joined streams, as far as they were more afterwards.
    presence_joins,
    /// Members that left streams, as far as they were fewer afterwards.
    presence_leaves,
    /// Not let be present: a wrong member, or too many.
    presence_refused,
    /// Infos of clients from which HTML was left out.
    presence_html_left_out,
    /// Webhooks that the application has taken.
    webhooks,
    /// Webhooks that it has not taken, or that were too many: it was not told.
    webhooks_dropped,
    /// Whispers not passed on: not allowed, too large, or too many in a second.
    whispers_refused,
    /// Questions that this node has asked the others, for whoever inspects it.
    inquiries,
    /// Questions and answers of the kind that were left out: they can't be read, too many came, or the log did not
    /// take them.
    inquiries_left_out,
}

/// A counter, which only goes up.
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
