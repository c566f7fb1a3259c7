//! What Prometheus is told.

use super::row;
use crate::options::kind::Kind::{Choice, Route, Secret};
use crate::options::spec::Command::{Doctor, Serve};
use crate::options::spec::Scope::Everywhere;
use crate::options::spec::{Id, Spec};

pub(super) const ROWS: &[Spec] = &[
    Spec {
        default: Some("/metrics"),
        anycable: &["metrics_http"],
        commands: &[Serve, Doctor],
        ..row(
            Id::MetricsPath,
            "metrics_path",
            Route,
            Everywhere("metrics.path"),
            "Where Prometheus reads metrics. The port and the key are those of broadcasts",
        )
    },
    Spec {
        otherwise: "the broadcast key",
        commands: &[Serve, Doctor],
        ..row(
            Id::MetricsKey,
            "metrics_key",
            Secret,
            Everywhere("metrics.key"),
            "A key that is good for reading metrics and for nothing else: Authorization: Bearer KEY. \
             So Prometheus need not have the one for broadcasts, which is good, too",
        )
    },
    Spec {
        default: Some("forebay"),
        ..row(
            Id::MetricsNames,
            "metrics_names",
            Choice(&["forebay", "anycable", "both"]),
            Everywhere("metrics.names"),
            "Whose names metrics have. anycable is for dashboards of AnyCable's server: those of its names \
             that have a counterpart here. See docs/metrics.md",
        )
    },
];
