//! Metrics by our own names.

use std::fmt;

use super::{Reading, Writer, float, size};

/// Microseconds, in seconds.
const MICROS: f64 = 1e-6;

/// Bits of an epoch that a floating-point number holds exactly.
const EPOCH_BITS: u32 = 53;

pub(super) fn write(reading: &Reading, writer: &mut Writer<'_>) -> fmt::Result {
    for counter in &reading.counters {
        writer.counter(&format!("forebay_{}", counter.name), counter.help, counter.value)?;
    }
    write_gauges(reading, writer)?;
    write_log(reading, writer)?;
    write_histograms(reading, writer)
}

fn write_gauges(reading: &Reading, writer: &mut Writer<'_>) -> fmt::Result {
    writer.gauges(
        "forebay_build_info",
        "Always 1; the label is the version.",
        [([("version", env!("CARGO_PKG_VERSION"))], 1.0)],
    )?;
    let connected = reading.connected.iter().map(|((transport, protocol), count)| {
        let labels = [("transport", transport.as_str()), ("protocol", protocol.as_str())];
        (labels, size(*count))
    });
    writer.gauges(
        "forebay_connections",
        "Clients that are connected, by what carries their bytes and what they speak.",
        connected,
    )?;
    let identities = size(reading.identities);
    writer.gauge(
        "forebay_identities",
        "Visitors with a name that are connected, each once.",
        identities,
    )?;
    writer.gauge(
        "forebay_presence_members",
        "Members that are present, on all streams together.",
        size(reading.present),
    )?;
    writer.gauge(
        "forebay_outbox_lag_seconds",
        "Seconds since nothing was left in the outbox. Up to 1 while nothing is written, and 0 where this process relays none.",
        reading.outbox_lag,
    )
}

fn write_log(reading: &Reading, writer: &mut Writer<'_>) -> fmt::Result {
    let (offset, epoch) = (reading.position.offset.0, reading.position.epoch.0);
    writer.gauge(
        "forebay_log_offset",
        "The offset of the log's head at this node.",
        float(offset),
    )?;
    writer.gauge(
        "forebay_log_epoch",
        "The lower 53 bits of the log's epoch. Nodes of one log have the same.",
        float(epoch & ((1 << EPOCH_BITS) - 1)),
    )?;
    writer.gauge(
        "forebay_log_silence_seconds",
        "Seconds since the log's store was heard last. 0 where the log is in memory.",
        reading.silence,
    )?;
    writer.gauge(
        "forebay_store_trouble",
        "1 if the last broadcast was not taken by the log's store.",
        f64::from(u8::from(reading.has_trouble)),
    )?;
    writer.gauge(
        "forebay_history_bytes",
        "Bytes of history in memory.",
        size(reading.history_bytes),
    )?;
    writer.gauge("forebay_history_entries", "Entries in history.", size(reading.entries))?;
    writer.gauge(
        "forebay_streams",
        "Streams that are read, or have history.",
        size(reading.streams),
    )
}

fn write_histograms(reading: &Reading, writer: &mut Writer<'_>) -> fmt::Result {
    let timings = &reading.timings;
    writer.histogram(
        "forebay_delivery_seconds",
        "From publishing an entry until a socket has taken it, once for each delivery.",
        &timings.delivery,
        MICROS,
    )?;
    writer.counter(
        "forebay_deliveries_unmeasured",
        "Deliveries that forebay_delivery_seconds leaves out: replays, and sockets that are far behind.",
        timings.unmeasured,
    )?;
    writer.histogram(
        "forebay_apply_seconds",
        "From publishing a record, by its publisher's clock, until this node had it from the log's store.",
        &timings.apply,
        MICROS,
    )?;
    writer.histogram(
        "forebay_replay_age_seconds",
        "How old the first entry was that a page was replayed.",
        &timings.replay_age,
        MICROS,
    )?;
    writer.histogram(
        "forebay_replay_entries",
        "How many entries a page with a cursor was replayed when it subscribed. Mostly 0.",
        &timings.replay_entries,
        1.0,
    )
}
