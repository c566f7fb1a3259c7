//! Where pages connect, whose, and how many.

use super::row;
use crate::options::kind::Kind::{
    Count, Duration, Hosts, Networks, Origins, Port, Route, Size, Switch, Text,
};
use crate::options::spec::Command::{Doctor, Serve};
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
            "The name or address to listen at. In a container: 0.0.0.0. If PORT says the port, \
             0.0.0.0 is the default",
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
            "Take over the listeners of the server that runs at this address, which then ends. \
             Nobody is refused in between. Linux only. If no server runs, this one starts as \
             usual",
        )
    },
    Spec {
        default: Some("/cable"),
        anycable: &["path"],
        commands: &[Serve, Doctor],
        ..row(Id::Path, "path", Route, Everywhere("path"), "Where pages connect")
    },
    Spec {
        default: Some("/forebay"),
        commands: &[Serve, Doctor],
        ..row(
            Id::Prefix,
            "prefix",
            Route,
            Everywhere("prefix"),
            "What the paths of events, polls and scripts begin with. forebay.js finds them from \
             its own address",
        )
    },
    Spec {
        default: Some("/health"),
        anycable: &["health-path"],
        commands: &[Serve, Doctor],
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
        commands: &[Serve, Doctor],
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
            "Pages that may connect, beside those of the same host and port: https://example.com, \
             https://*.example.com, http://localhost:*, or * for all. Apps and browser extensions: \
             capacitor://localhost, chrome-extension://their-id, moz-extension://*. null is any \
             page in a sandboxed frame, whoever has made it. AnyCable's forms without https:// are \
             understood. If nothing is named, AnyCable lets everybody in, and this server does \
             not",
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
             *.example.com. Requests for other hosts are refused with 403. This is against DNS \
             rebinding: somebody else's name that points at this server's address",
        )
    },
    Spec {
        otherwise: "nobody",
        ..row(
            Id::TrustedProxies,
            "trusted_proxies",
            Networks,
            Everywhere("trusted_proxies"),
            "Proxies that are believed: 10.0.0.7, 10.0.0.0/8. Their X-Forwarded-Host says which host a \
             page asked for. Their X-Forwarded-For says who asks: for the log, and for how much an \
             address is replayed. A proxy that passes Host on needs no X-Forwarded-Host",
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
            "WebSockets and event streams at a time. Further ones get 503 and come back later. \
             Polls, scripts and publishers do not count. 0 is no limit but that of open files",
        )
    },
    Spec {
        default: Some("4096"),
        ..row(
            Id::MaxRequestsPerAddress,
            "max_requests_per_address",
            Count(0, u32::MAX as u64),
            Everywhere("max_requests_per_address"),
            "HTTP connections of one public address at a time: polls, event streams, and \
             connections that have not sent their request yet. Further visitors from there get \
             503. WebSockets do not count. Addresses of this machine and of private networks have \
             no limit, because proxies are there. 0 is no limit",
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
            "How often pages are pinged. Stock clients give up a connection after 6 seconds \
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
            "The request header with the visitor's name, which the proxy in front sets. The proxy \
             must take this header away from visitors who send it themselves",
        )
    },
];
