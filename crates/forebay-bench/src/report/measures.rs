//! How each figure is measured, in a line.

use std::collections::BTreeMap;

use crate::figures::Figure;

/// What a figure's name contains, and how it is measured. Names go on with the number of connections
/// (`_10k`) and, if it is not 400, the payload's bytes (`_200b_10k`); `burst8_` in front means that so
/// many entries are published at once.
const MEASURES: [(&str, &str); 27] = [
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
         to come back until each has all of them, once and in order",
    ),
    (
        "resume_storm_vs_floor",
        "resume_storm_seconds divided by that of a floor that accepts, upgrades and writes \
         the 20 entries",
    ),
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
        "microseconds to an arrival at so many deliveries per second, published whether or \
         not the clients keep up, not exceeded by half (p50) or 99 % (p99) of all arrivals",
    ),
    (
        "saturation_deliveries_per_second",
        "the most deliveries per second that the server kept up with",
    ),
    ("curve_idle", "cpu_ns_per_delivery beside so many idle connections"),
    ("curve_streams", "cpu_ns_per_delivery with so many streams"),
    ("curve_history", "cpu_ns_per_delivery with so many entries of history"),
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
