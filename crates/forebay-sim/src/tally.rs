//! What happened in a world.

use forebay_hub::Hub;

macro_rules! tally {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened, over all worlds.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct Tally { $($(#[$doc])* pub $name: u64,)* }

        impl Tally {
            /// Adds another world's.
            pub fn add(&mut self, other: &Self) { $(self.$name += other.$name;)* }

            /// Names and numbers.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

impl Tally {
    /// Adds what a hub has counted by its end.
    pub(crate) fn note(&mut self, hub: &Hub) {
        let stats = hub.stats().snapshot();
        self.resumes += stats.resumes;
        self.left_behind += stats.resyncs_behind;
        self.restored += stats.sessions_restored;
    }
}

tally! {
    /// Entries that pages have shown.
    entries,
    /// Of these, such as nobody was owed.
    ephemerals,
    /// Entries that stock pages have shown again after a lost socket, for want of a proof.
    repeats,
    /// Pages that were told to render themselves again.
    resyncs,
    /// Subscriptions that went on where Pongs had proven them to be.
    resumes,
    /// Connections that were made.
    connections,
    /// Lines that were cut.
    cuts,
    /// Lines that went silent.
    silences,
    /// Pages that read slowly for a while.
    slow_readers,
    /// Pages that were left.
    navigations,
    /// Pages that came to life a second time from the same HTML.
    second_lives,
    /// Servers that began anew.
    restarts,
    /// Of these, such as went on with the log that they had on disk.
    disk_restarts,
    /// Broadcasts that the disk refused.
    refusals,
    /// Broadcasts that were lost after a commit, of which pages were told.
    told_gaps,
    /// Accesses that were taken back.
    revocations,
    /// Answers to polls.
    answers,
    /// Pages that went on over another transport.
    switches,
    /// AnyCable sessions that were restored.
    restored,
    /// Pages that stood still for a while.
    freezes,
    /// Clocks that were put forward or back.
    clock_jumps,
    /// Gaps that our client has noticed.
    gaps,
    /// Slow pages that history left behind.
    left_behind,
    /// Nodes that were killed.
    kills,
    /// Nodes that left in order.
    leavings,
    /// Nodes whose process was stopped for a while.
    stops,
    /// Nodes that were cut off from the log's server for a while.
    partitions,
    /// Times that a server took over which lacks the end.
    failovers,
    /// Times that the log's past was cut short before nodes had read it.
    trims,
    /// Epochs that have begun because a server may have lost something.
    epochs,
    /// Entries that the log has taken.
    taken,
    /// Broadcasts that were not taken, or nobody knows.
    failed,
    /// Rows that a relay has brought.
    relayed,
    /// Changes of who is present that pages have shown.
    changes,
    /// What has come to the room, or left it.
    comings,
}
