//! What metrics say of an application that was used.

#![expect(clippy::float_cmp, reason = "they are counts")]

use std::collections::{BTreeMap, BTreeSet};

use crate::{Forebay, MetricsNames, TurboStream};

fn forebay() -> Forebay {
    Forebay::builder().secret("0123456789abcdef0123456789abcdef").build().unwrap()
}

/// The values, by name and labels.
fn values(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let values = lines.map(|line| line.rsplit_once(' ').unwrap());
    values.map(|(name, value)| (name, value.parse().unwrap())).collect()
}

#[tokio::test]
async fn counters_gauges_and_histograms_are_told_with_what_they_mean() {
    let forebay = forebay();
    forebay.metrics(MetricsNames::Forebay);
    forebay.broadcast().stream_to("room", TurboStream::remove("a")).await.unwrap();
    let text = forebay.metrics(MetricsNames::Forebay);
    let values = values(&text);
    assert_eq!(values["forebay_broadcasts_total"], 1.0);
    assert_eq!(values["forebay_log_offset"], 1.0);
    assert_eq!(values["forebay_history_entries"], 1.0);
    assert_eq!(
        values[r#"forebay_connections{transport="websocket",protocol="actioncable-v1-json"}"#],
        0.0
    );
    assert_eq!(values[r#"forebay_delivery_seconds_bucket{le="+Inf"}"#], 0.0);
    assert!(text.contains(
        "# HELP forebay_broadcasts_total Broadcasts that the log took.\n\
         # TYPE forebay_broadcasts_total counter\n"
    ));
    // Each is described once, and nothing is said of what is not described.
    let described: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# HELP ")).collect();
    let names: BTreeSet<_> = described.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names.len(), described.len());
    for line in described {
        assert!(line.ends_with('.') && line.contains(' '), "{line}");
    }
}

#[tokio::test]
async fn anycables_names_are_beside_ours_or_alone() {
    let forebay = forebay();
    forebay.broadcast().stream_to("room", TurboStream::remove("a")).await.unwrap();
    let text = forebay.metrics(MetricsNames::AnyCable);
    let values = values(&text);
    assert_eq!(values["anycable_go_broadcast_msg_total"], 1.0);
    assert_eq!(values["anycable_go_clients_num"], 0.0);
    assert!(values.keys().all(|name| name.starts_with("anycable_go_")), "{text}");
    let both = forebay.metrics(MetricsNames::Both);
    assert!(both.contains("\nforebay_deliveries_total ") && both.contains(&text));
}

/// Whoever can name a stream or a visitor could fill Prometheus with series.
#[tokio::test]
async fn no_label_is_chosen_by_a_stream_or_a_visitor() {
    let forebay = forebay();
    let series = |forebay: &Forebay| values(&forebay.metrics(MetricsNames::Both)).len();
    let before = series(&forebay);
    for room in 0..100 {
        let stream = format!("room-{room}");
        forebay.broadcast().stream_to(stream.as_str(), TurboStream::remove("a")).await.unwrap();
    }
    assert_eq!(series(&forebay), before);
    assert!(!forebay.metrics(MetricsNames::Both).contains("room-"));
}
