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
        "the same growth after all broadcasts and bursts were delivered",
    ),
    (
        "kernel_bytes_per_conn",
        "growth of the machine's unreclaimable kernel memory (SUnreclaim, KernelStack and PageTables \
         of /proc/meminfo) per connection; both ends of a connection are on this machine, and \
         counted",
    ),
    (
        "cpu_ns_per_delivery",
        "nanoseconds on a core (schedstat) of the server's whole process tree per entry that arrived \
         at a client, publishing included; the next round begins when all clients have everything",
    ),
    (
        "cpu_per_delivery_vs_floor",
        "that, divided by the floor's in the same repeat; the floor does one write per delivery, one \
         writev per burst",
    ),
    ("_vs_writev_floor", "burst*_cpu_per_delivery_vs_floor at 10 000 connections"),
    (
        "last_client_us",
        "microseconds from the start of a publish until the last client has the last entry, median \
         of the rounds",
    ),
    ("last_client_vs_floor", "that, divided by the floor's in the same repeat"),
    ("system_share", "the share of CPU time that was spent in the kernel, by ticks of 10 ms"),
    ("switches_per_delivery", "context switches of the server's threads per delivery"),
    (
        "bytes_per_delivery",
        "bytes that clients received per delivery, frames and envelopes included",
    ),
    (
        "latency_p50_us",
        "microseconds from the start of a publish to an arrival, half of all arrivals",
    ),
    ("latency_p99_us", "the same, 99 % of all arrivals"),
    (
        "connects_per_second",
        "10 000 clients connect and subscribe, 200 handshakes at a time: connections per second",
    ),
    ("cpu_ns_per_connect", "nanoseconds of the server on a core per connection in that"),
    ("connect_storm_vs_floor", "how many times as long as the floor that takes"),
    (
        "resume_storm_seconds",
        "10 000 clients are cut, miss 20 entries and come back: seconds until each has all of them, \
         once and in order",
    ),
    (
        "resume_storm_vs_floor",
        "that, divided by the time of a floor that accepts, upgrades and writes 20 entries",
    ),
    ("publish_ns", "nanoseconds of Hub::publish, 400 bytes that nobody reads, in process"),
    (
        "http_publishes_per_second",
        "broadcasts posted by 16 keep-alive connections, each as fast as it is answered",
    ),
    ("cpu_ns_per_http_publish", "nanoseconds of the server on a core per broadcast in that"),
    ("http_publish_vs_axum", "that rate, divided by an axum handler's that reads the body"),
    (
        "rate_",
        "microseconds to an arrival at so many deliveries per second, published whether or not the \
         clients keep up: half (p50) and 99 % (p99) of all arrivals",
    ),
    ("saturation_deliveries_per_second", "the most deliveries per second that were kept up with"),
    ("curve_idle", "CPU nanoseconds per delivery beside so many idle connections"),
    ("curve_streams", "CPU nanoseconds per delivery with so many streams"),
    ("curve_history", "CPU nanoseconds per delivery with so many entries of history"),
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
