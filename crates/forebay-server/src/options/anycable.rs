//! AnyCable's options (1.6) that have no counterpart here, so that each is answered for.
//!
//! Those that do have one are in the table, by their AnyCable name.

use super::kind::switch;

/// What becomes of an option of AnyCable's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// What it asks for is what happens.
    Fine,
    /// It asks for something that this server does not do.
    Unsupported,
    /// It promises security that this server does not give: nothing starts with it.
    Unsafe(&'static str),
    /// AnyCable's server has no such option; perhaps its gem has.
    Unknown,
}

/// What is the case here, whatever the option says: these values ask for nothing else.
const FINE: &[(&str, &[&str])] = &[
    ("broadcast_adapter", &["http"]),
    ("broker", &["memory"]),
    ("disable_telemetry", &["true", "1", "t", "false", "0", "f"]),
    ("disconnect_mode", &["auto", "never"]),
    ("noauth", &["true", "1", "t"]),
    ("norpc", &["true", "1", "t"]),
    ("presets", &["broker", "none"]),
    ("rpc_impl", &["none"]),
    ("turbo_streams", &["true", "1", "t"]),
];

/// Options that say who may connect, or who may listen in. Without what they ask for, every visitor
/// would connect, or the connection would be readable, although the configuration says otherwise.
const UNSAFE: &[(&str, &str)] = &[
    ("enforce_jwt", JWT),
    ("jwt_id_enforce", JWT),
    ("jwt_id_key", JWT),
    ("jwt_id_param", JWT),
    ("jwt_param", JWT),
    ("jwt_secret", JWT),
    ("noauth", "visitors are not asked who they are"),
    ("ssl_cert", TLS),
    ("ssl_key", TLS),
];

const JWT: &str = "tokens are not checked, so every visitor would connect";
const TLS: &str = "connections would not be encrypted; let a proxy end TLS";

/// Flags that take no value.
const SWITCHES: &[&str] = &[
    "cable_ready",
    "disable_disconnect",
    "disable_telemetry",
    "ds",
    "ds_skip_auth",
    "embed_nats",
    "enable_native_pings",
    "enable_ws_compression",
    "enats_debug",
    "enats_trace",
    "enforce_jwt",
    "http_broadcast_cors",
    "jwt_id_enforce",
    "metrics_log",
    "nats_dont_randomize_servers",
    "noauth",
    "norpc",
    "poll",
    "redis_disable_cache",
    "redis_tls_verify",
    "rpc_enable_tls",
    "rpc_tls_verify",
    "shutdown_slowdrain",
    "sse",
    "streams_whisper",
    "turbo_streams",
    "turbo_rails_cleartext",
    "cable_ready_cleartext",
    "ignore_config_path",
];

/// Options that take a value.
const VALUES: &[&str] = &[
    "api_port",
    "api_secret",
    "broadcast_adapter",
    "broker",
    "cable_ready_key",
    "cable_ready_secret",
    "disconnect_backlog_size",
    "disconnect_mode",
    "disconnect_rate",
    "disconnect_timeout",
    "ds_path",
    "ds_poll_interval",
    "ds_sse_ttl",
    "enats_addr",
    "enats_cluster",
    "enats_cluster_name",
    "enats_cluster_routes",
    "enats_gateway",
    "enats_gateway_advertise",
    "enats_gateways",
    "enats_max_payload",
    "enats_server_name",
    "enats_store_dir",
    "headers",
    "http_rpc_secret",
    "http_rpc_timeout",
    "hub_gopool_size",
    "jwt_id_key",
    "jwt_id_param",
    "jwt_param",
    "jwt_secret",
    "metrics_host",
    "metrics_log_filter",
    "metrics_log_formatter",
    "metrics_log_interval",
    "metrics_port",
    "metrics_rotate_interval",
    "metrics_tags",
    "nats_channel",
    "nats_servers",
    "node_id",
    "ping_timestamp_precision",
    "poll_flush_interval",
    "poll_interval",
    "poll_keepalive_timeout",
    "poll_max_request_size",
    "poll_path",
    "pong_timeout",
    "presets",
    "proxy_cookies",
    "pubsub",
    "pusher_api_port",
    "pusher_app_id",
    "pusher_app_key",
    "pusher_secret",
    "read_buffer_size",
    "redis_channel",
    "redis_keepalive_interval",
    "redis_sentinel_discovery_interval",
    "redis_sentinels",
    "redis_tls_ca_cert_path",
    "redis_tls_client_cert_path",
    "redis_tls_client_key_path",
    "redis_url",
    "redisx_group",
    "redisx_read_block_milliseconds",
    "redisx_stream",
    "rpc_command_timeout",
    "rpc_concurrency",
    "rpc_host",
    "rpc_impl",
    "rpc_max_call_recv_size",
    "rpc_max_call_send_size",
    "rpc_request_timeout",
    "rpc_tls_root_ca",
    "sessions_ttl",
    "shutdown_pool_size",
    "sse_path",
    "ssl_cert",
    "ssl_key",
    "statsd_host",
    "statsd_max_packet_size",
    "statsd_prefix",
    "statsd_tags_format",
    "stats_refresh_interval",
    "write_buffer_size",
    "ws_max_pending_size",
    "ws_write_timeout",
];

/// What becomes of an option, by its name without a prefix.
pub(super) fn fate(name: &str, value: &str) -> Fate {
    let name = plain(name);
    let asks_for = |(fine, values): &(&str, &[&str])| *fine == name && values.contains(&value);
    let promises = UNSAFE.iter().find(|(promise, _)| *promise == name);
    // `none` is AnyCable's word for no secret. `noauth` promises something where it is off.
    let is_off = match takes_value(&name) {
        Some(true) => value == "none",
        _ => name != "noauth" && switch(value) == Some(false),
    };
    if FINE.iter().any(asks_for) {
        Fate::Fine
    } else if let Some((_, why)) = promises {
        if is_off { Fate::Fine } else { Fate::Unsafe(why) }
    } else if takes_value(&name).is_some() {
        Fate::Unsupported
    } else {
        Fate::Unknown
    }
}

/// Whether the flag takes a value, if it is one of AnyCable's.
pub(super) fn takes_value(name: &str) -> Option<bool> {
    let name = plain(name);
    if SWITCHES.contains(&&*name) { Some(false) } else { VALUES.contains(&&*name).then_some(true) }
}

/// What is said of an option as the user wrote it.
pub(super) fn unsupported(written: &str) -> String {
    format!("{written} is an option of AnyCable's that is not supported yet; it is ignored")
}

/// Why nothing starts with this option.
pub(super) fn unsafe_without(why: &str) -> String {
    format!("this option of AnyCable's is not supported, and nothing starts with it: {why}")
}

fn plain(name: &str) -> String {
    name.replace('-', "_").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::table;

    #[test]
    fn each_of_anycables_options_has_one_fate() {
        let check = |name, value, expected| assert_eq!(fate(name, value), expected, "{name}");
        check("RPC_HOST", "localhost:50051", Fate::Unsupported);
        check("NORPC", "true", Fate::Fine);
        check("norpc", "false", Fate::Unsupported);
        check("BROADCAST_ADAPTER", "http", Fate::Fine);
        check("broadcast_adapter", "redisx", Fate::Unsupported);
        check("WEBSOCKETS", "1", Fate::Unknown);
        check("ENFORCE_JWT", "1", Fate::Unsafe(JWT));
        check("enforce-jwt", "False", Fate::Fine);
        check("jwt_secret", "false hope", Fate::Unsafe(JWT));
        check("jwt_secret", "none", Fate::Fine);
        check("noauth", "false", Fate::Unsafe("visitors are not asked who they are"));
        check("noauth", "true", Fate::Fine);
    }

    #[test]
    fn what_is_unsafe_is_one_of_anycables_options() {
        for (name, _) in UNSAFE {
            assert!(takes_value(name).is_some(), "{name}");
        }
    }

    #[test]
    fn what_the_table_knows_is_not_listed_here() {
        for name in table::all().flat_map(|spec| spec.anycable) {
            assert_eq!(takes_value(name), None, "{name}");
        }
    }
}
