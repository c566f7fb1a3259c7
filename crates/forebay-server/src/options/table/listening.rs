//! Where pages connect, whose, and how many.

use super::row;
use crate::options::kind::Kind::{
    Count, Duration, Hosts, Networks, Origins, Port, Route, Size, Switch, Text,
};
use crate::options::spec::Scope::Everywhere;
use crate::options::spec::{Id, Spec};

pub(super) const ROWS: &[Spec] = &[
    Spec {
        default: Some("localhost"),
        anycable: &["host"],
        ..row(
            Id::Host,
            "host",
            Text,
            Everywhere("host"),
            "The name or address to listen at. In a container: 0.0.0.0, which is also what it is where \
             PORT says the port and nobody says the host",
        )
    },
    Spec {
        default: Some("8080"),
        anycable: &["port"],
        env: &["PORT"],
        ..row(Id::Port, "port", Port, Everywhere("port"), "The port; 0 takes any free one")
    },
    Spec {
        default: Some("false"),
        ..row(
            Id::Takeover,
            "takeover",
            Switch,
            Everywhere("takeover"),
            "Take the listeners of the server that runs at this address, and have it end, so that \
             nobody is refused in between. Linux only. If none runs, this starts as usual",
        )
    },
    Spec {
        default: Some("/cable"),
        anycable: &["path"],
        ..row(Id::Path, "path", Route, Everywhere("path"), "Where pages connect")
    },
    Spec {
        default: Some("/forebay"),
        ..row(
            Id::Prefix,
            "prefix",
            Route,
            Everywhere("prefix"),
            "What the paths of events, polls and scripts begin with. forebay.js takes them from its \
             own address",
        )
    },
    Spec {
        default: Some("/health"),
        anycable: &["health-path"],
        ..row(
            Id::HealthPath,
            "health_path",
            Route,
            Everywhere("health_path"),
            "Answers 200 as long as the process works",
        )
    },
    Spec {
        default: Some("/ready"),
        ..row(
            Id::ReadyPath,
            "ready_path",
            Route,
            Everywhere("ready_path"),
            "Answers 200 while connections are welcome, and 503 once the server shuts down",
        )
    },
    Spec {
        otherwise: "pages of the same host and port",
        anycable: &["allowed_origins"],
        ..row(
            Id::AllowedOrigins,
            "allowed_origins",
            Origins,
            Everywhere("allowed_origins"),
            "Whose pages may connect, beside those of the same host and port: \
             https://example.com, https://*.example.com, http://localhost:*, or * for all. Apps \
             and browser extensions: capacitor://localhost, chrome-extension://their-id, \
             moz-extension://*. null is any page in a sandboxed frame, anybody's. AnyCable's forms without https:// are understood; without any, AnyCable lets \
             everybody in, and this server does not",
        )
    },
    Spec {
        otherwise: "any; but what comes directly to the loopback address must name it as localhost, \
                    by an address, or by a host of allowed_origins",
        ..row(
            Id::Hosts,
            "hosts",
            Hosts,
            Everywhere("hosts"),
            "The hosts that pages know this server by: example.com, example.com:8080, \
             *.example.com. Requests for others are refused with 403: against names that somebody \
             else points at this server's address (DNS rebinding)",
        )
    },
    Spec {
        otherwise: "nobody",
        ..row(
            Id::TrustedProxies,
            "trusted_proxies",
            Networks,
            Everywhere("trusted_proxies"),
            "Proxies whose X-Forwarded-Host says which host a page asked for, and whose \
             X-Forwarded-For says who asks, in the log and where each address is bounded: \
             10.0.0.7, 10.0.0.0/8. A proxy that passes Host on needs no X-Forwarded-Host",
        )
    },
    Spec {
        default: Some("0"),
        anycable: &["max-conn"],
        ..row(
            Id::MaxConn,
            "max_conn",
            Count(0, u64::MAX),
            Everywhere("max_conn"),
            "WebSockets and event streams at a time; further ones get 503 and come back later. It \
             does not count polls, scripts and publishers. 0 is no limit but that of open files",
        )
    },
    Spec {
        default: Some("4096"),
        ..row(
            Id::MaxRequestsPerAddress,
            "max_requests_per_address",
            Count(0, u32::MAX as u64),
            Everywhere("max_requests_per_address"),
            "HTTP connections of one public address at a time, which are polls, event streams and \
             whatever has not sent its request; its further visitors get 503. WebSockets do not \
             count, nor do addresses of this machine and of private networks, where proxies are. \
             0 is no limit",
        )
    },
    Spec {
        default: Some("64KiB"),
        anycable: &["max_message_size"],
        ..row(
            Id::MaxMessageSize,
            "max_message_size",
            Size(1 << 10, 16 << 20),
            Everywhere("max_message_size"),
            "The largest message that a page may send",
        )
    },
    Spec {
        default: Some("3s"),
        anycable: &["ping_interval"],
        ..row(
            Id::PingInterval,
            "ping_interval",
            Duration(500, 60_000),
            Everywhere("ping_interval"),
            "How often pages are pinged. Stock clients give a connection up after 6 seconds \
             without any message",
        )
    },
    Spec {
        otherwise: "nobody has a name",
        ..row(
            Id::IdentityHeader,
            "identity_header",
            Text,
            Everywhere("identity_header"),
            "The request header with the visitor's name, as the proxy in front sets it. It must \
             take the header away from visitors who send it themselves",
        )
    },
];
