//! The metrics of AnyCable's server (1.6) that have a counterpart here, for dashboards that exist.
//!
//! Left out is what has none: RPC, Go's memory and goroutines, and `disconnected_slow_clients`, because a slow
//! client is not disconnected here.

use std::fmt;

use forebay_hub::Transport;

use super::{Reading, Writer, size};

pub(super) fn write(reading: &Reading, writer: &mut Writer<'_>) -> fmt::Result {
    let streams = |(means, count): &((Transport, _), usize)| {
        if means.0 == Transport::EventStream { *count } else { 0 }
    };
    let gauges = [
        ("clients_num", "Clients that are connected.", reading.connections()),
        ("clients_uniq_num", "Visitors with a name that are connected.", reading.identities),
        ("broadcast_streams_num", "Streams that are read, or have history.", reading.streams),
        (
            "sse_clients_num",
            "Clients of event streams.",
            reading.connected.iter().map(streams).sum(),
        ),
    ];
    for (name, help, value) in gauges {
        writer.gauge(&format!("anycable_go_{name}"), help, size(value))?;
    }
    let counters = [
        ("broadcast_msg", "Broadcasts that the log took.", "broadcasts"),
        ("publications", "Broadcasts that the log took.", "broadcasts"),
        ("failed_broadcast_msg", "Broadcasts that the log did not take.", "publish_errors"),
        ("server_msg", "Entries that were given to sockets.", "deliveries"),
        ("client_msg", "Messages that clients sent.", "client_messages"),
        ("failed_client_msg", "Messages that were no commands.", "violations"),
        ("failed_auths", "Clients that the application did not let in.", "refused_unauthorized"),
        ("remote_commands", "Connections that were ended by name.", "disconnects"),
    ];
    for (name, help, counter) in counters {
        writer.counter(&format!("anycable_go_{name}"), help, reading.count(counter))?;
    }
    Ok(())
}
