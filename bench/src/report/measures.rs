//! How each figure is measured, in a line.

use std::collections::BTreeMap;

use crate::figures::Figure;

/// What a figure's name contains, and how it is measured. Names go on with the number of connections
/// (`_10k`) and, if it is not 400, the payload's bytes (`_200b_10k`); `burst8_` in front means that so
/// many entries are published at once.
const MEASURES: &[(&str, &str)] = &[
    (
        "idle_rss_bytes_per_conn",
        "growth of the server's resident memory (VmRSS of its whole process tree) from 100 \
         connections to all, none of which has had traffic since, per connection",
    ),
    (
        "after_traffic_rss_bytes_per_conn",
        "growth of the server's resident memory as for idle_rss_bytes_per_conn, but after \
         all broadcasts and bursts were delivered",
    ),
    (
        "kernel_bytes_per_conn",
        "growth of the machine's unreclaimable kernel memory (SUnreclaim, KernelStack and \
         PageTables of /proc/meminfo) per connection; both ends of a connection are on this \
         machine, and counted",
    ),
    (
        "cpu_ns_per_delivery",
        "nanoseconds on a core (schedstat) of the server's whole process tree per entry \
         that arrived at a client, publishing included; the next round begins when all \
         clients have everything",
    ),
    (
        "cpu_per_delivery_vs_floor",
        "cpu_ns_per_delivery divided by the floor's in the same repeat; the floor does one \
         write per delivery, one writev per burst",
    ),
    ("_vs_writev_floor", "cpu_per_delivery_vs_floor of bursts, with 10 000 connections"),
    (
        "last_client_us",
        "microseconds from the start of a publish until the last client has the last entry, \
         median of the rounds",
    ),
    ("last_client_vs_floor", "last_client_us divided by the floor's in the same repeat"),
    (
        "system_share",
        "share of the server's CPU time that was spent in the kernel, by ticks of 10 ms",
    ),
    ("switches_per_delivery", "context switches of the server's threads per delivery"),
    (
        "bytes_per_delivery",
        "bytes that clients received per delivery, frames and envelopes included",
    ),
    (
        "latency_p50_us",
        "microseconds from the start of a publish to an arrival, not exceeded by half of \
         all arrivals",
    ),
    (
        "latency_p99_us",
        "microseconds from the start of a publish to an arrival, not exceeded by 99 % of \
         all arrivals",
    ),
    (
        "connects_per_second",
        "connections per second while 10 000 clients connect and subscribe, 200 handshakes \
         at a time",
    ),
    (
        "cpu_ns_per_connect",
        "nanoseconds of the server on a core per connection, while 10 000 clients connect",
    ),
    (
        "connect_storm_vs_floor",
        "the floor's connects_per_second in the same repeat, divided by the server's: how \
         many times as long it takes",
    ),
    (
        "resume_storm_seconds",
        "seconds from when 10 000 clients, which were cut and have missed 20 entries, begin \
         to come back until each has all of them, once and in order; each with a cursor of its own",
    ),
    ("cpu_ns_per_resume", "nanoseconds of the server on a core per client in the resume storm"),
    (
        "resume_storm_vs_floor",
        "resume_storm_seconds divided by that of a floor that accepts, upgrades and writes \
         the 20 entries",
    ),
    (
        "synced_publishes_per_second",
        "broadcasts per second of one publisher into a folder, each synced",
    ),
    ("synced_publishes_64_vs_1", "those of 64 publishers together, by that"),
    ("publish_ns", "nanoseconds of Hub::publish, 400 bytes that nobody reads, in process"),
    (
        "http_publishes_per_second",
        "broadcasts posted by 16 keep-alive connections, each as fast as it is answered",
    ),
    ("cpu_ns_per_http_publish", "nanoseconds of the server on a core per posted broadcast"),
    (
        "http_publish_vs_axum",
        "http_publishes_per_second divided by those of an axum handler that reads the body \
         and answers",
    ),
    (
        "rate_",
        "with 1 000 clients and so many deliveries per second in all, published at even times whether or \
         not the clients keep up: microseconds from when an entry was due to an arrival, not exceeded by \
         half (p50) or 99 % (p99) of all arrivals; and nanoseconds of the server for each",
    ),
    (
        "forebay_at_half_",
        "the same as rate_, of Forebay, at half of what this peer sustains, in turns with it",
    ),
    (
        "load_",
        "the same as rate_, at so many per cent of what this server sustains \
         (saturation_deliveries_per_second)",
    ),
    (
        "saturation_deliveries_per_second",
        "the most deliveries per second, to 1 000 clients, of which all had arrived when a tenth of the \
         time for which was published had passed again; found by doubling, up to 2 560 000, and then \
         halving. Who joins entries into one write sustains many times as much as who does not, the \
         floor included, and has half of that to bear at half",
    ),
    (
        "saturation_busy_share",
        "share of its core that the server was on at the busiest rate that it sustained; if it is well \
         below 1, the load generator was at its limit before the server",
    ),
    (
        "curve_idle",
        "cpu_ns_per_delivery to 1 000 clients beside so many connections that only are there (and are \
         pinged); most_vs_least is the largest median divided by the smallest",
    ),
    (
        "curve_streams",
        "cpu_ns_per_delivery to 1 000 clients on ten streams, among so many streams, each with an entry \
         and a subscription",
    ),
    (
        "curve_history",
        "cpu_ns_per_delivery to 1 000 clients with so many entries in their stream's history",
    ),
    (
        "cursor_rss_bytes_per_conn",
        "idle_rss_bytes_per_conn where each tag carries a cursor and so no two identifiers are the same",
    ),
    (
        "churn_",
        "10 000 connections, of which the 500 oldest are cut and replaced each second: \
         idle_rss_bytes_per_conn at the end (rss_bytes_per_conn), divided by what it was before \
         (vs_before), and divided by what it was after half of the time (second_half_growth)",
    ),
    (
        "slow_",
        "beside so many clients that read 1 000 bytes a second from Ethernet's segments, and have \
         fallen out of history: latency of 100 others at 100 entries a second, also divided by theirs \
         before the slow ones came; memory per slow client; the share of them that, once they \
         read again, were told exactly once to load their page, and then got every entry",
    ),
    (
        "one_core_",
        "1 000 clients, server and load each on a core of their own; the load sleeps when it has nothing \
         to do. Deliveries per second when the next round begins as all have the last, and \
         nanoseconds of the server",
    ),
    (
        "both_cores_",
        "the same where server and load share both cores; divided by the figure with one core each",
    ),
    (
        "nodes",
        "records of 400 bytes per second that 64 publishers, each waiting for its answer, publish through \
         so many nodes that share a log (hubs in the bench's process, whose log syncs as its store does by \
         default); in batches of 16; beside it, in turns, the store's own client (XADD, a JetStream publish \
         with its answer, an insert of a transaction of its own): of Redis and NATS one connection, of Postgres \
         one for each publisher; divided by that",
    ),
    (
        "publish_p50_us",
        "microseconds from a publish on one node until it is answered and another node has it, one at a \
         time, not exceeded by half (p99: 99 %) of them; in a log of one node, until it is answered. Beside \
         it the client's append until its blocking reader has it (XREAD BLOCK, a push consumer, NOTIFY \
         and a select); over_client is the difference of both medians",
    ),
    (
        "syscalls_per_delivery",
        "system calls of the server per entry that arrived, counted by perf in rounds of their own",
    ),
];

/// Those that are about any of these figures.
pub(super) fn of(figures: &BTreeMap<String, Figure>) -> BTreeMap<String, String> {
    MEASURES
        .iter()
        .filter(|(what, _)| figures.keys().any(|name| name.contains(what)))
        .map(|(what, how)| ((*what).to_owned(), (*how).to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_measured_is_explained() {
        let figure = Figure { median: 1.0, min: 1.0, max: 1.0, samples: 1 };
        let name = "nchan.burst8_cpu_ns_per_delivery_10k".to_owned();
        let measures = of(&BTreeMap::from([(name, figure)]));
        assert_eq!(measures.keys().collect::<Vec<_>>(), ["cpu_ns_per_delivery"]);
    }
}
