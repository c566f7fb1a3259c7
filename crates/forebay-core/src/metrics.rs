//! What Prometheus asks for: counters, gauges and histograms as text.
//!
//! No label has a value that a visitor or a stream can choose, so there are as many series as this file says.
//! `docs/metrics.md` lists them; a test compares the two.

mod anycable;
mod own;

use std::fmt;

use forebay_hub::{Described, Distribution, Means, TimingsSnapshot};
use forebay_log::Position;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::app::Forebay;

/// The content type of [`Forebay::metrics`]: Prometheus' text format.
pub const METRICS_CONTENT_TYPE: &str = prometheus_text::CONTENT_TYPE;

/// Whose names metrics have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MetricsNames {
    /// Ours: `forebay_deliveries_total`.
    #[default]
    Forebay,
    /// Those of AnyCable that have a counterpart here: `anycable_go_server_msg_total`.
    AnyCable,
    /// Both.
    Both,
}

impl Forebay {
    /// The metrics of this process, as Prometheus reads them: answer with this and
    /// [`METRICS_CONTENT_TYPE`], at an address of your choice. Who may read it is up to you; it names no stream and
    /// no visitor.
    ///
    /// Times are measured from the first call on.
    ///
    /// ```
    /// # use forebay_core as forebay;
    /// # fn example(forebay: forebay::Forebay) -> http::Response<String> {
    /// use forebay::{METRICS_CONTENT_TYPE, MetricsNames};
    ///
    /// let text = forebay.metrics(MetricsNames::Forebay);
    /// let answer = http::Response::builder().header("content-type", METRICS_CONTENT_TYPE);
    /// answer.body(text).unwrap()
    /// # }
    /// ```
    pub fn metrics(&self, names: MetricsNames) -> String {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Reading::of(self, names)));
        let mut text = String::new();
        prometheus_text::encode(&mut text, &registry).expect("a text takes what is written");
        text
    }
}

/// All that metrics say, read at one moment.
#[derive(Debug)]
struct Reading {
    names: MetricsNames,
    counters: Vec<Described>,
    timings: TimingsSnapshot,
    connected: Vec<(Means, usize)>,
    identities: usize,
    position: Position,
    history_bytes: usize,
    entries: usize,
    streams: usize,
    present: usize,
    has_trouble: bool,
    silence: f64,
    /// Nothing where this process relays no outbox.
    outbox_lag: f64,
}

impl Reading {
    fn of(forebay: &Forebay, names: MetricsNames) -> Self {
        let hub = &forebay.core.hub;
        let (entries, streams) = hub.held();
        Self {
            names,
            counters: hub.stats().snapshot().described().collect(),
            timings: hub.timings(),
            connected: hub.connected(),
            identities: hub.identities(),
            position: hub.position(),
            history_bytes: hub.history_bytes(),
            entries,
            streams,
            present: hub.present(),
            has_trouble: hub.trouble().is_some(),
            silence: hub.silence().as_secs_f64(),
            outbox_lag: outbox_lag(forebay).unwrap_or_default(),
        }
    }

    /// The counter of this name.
    fn count(&self, name: &str) -> u64 {
        let mut counters = self.counters.iter();
        counters.find(|counter| counter.name == name).map_or(0, |counter| counter.value)
    }

    fn connections(&self) -> usize {
        self.connected.iter().map(|(_, count)| count).sum()
    }
}

impl Collector for Reading {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer(encoder);
        if self.names != MetricsNames::AnyCable {
            own::write(self, &mut writer)?;
        }
        if self.names != MetricsNames::Forebay {
            anycable::write(self, &mut writer)?;
        }
        Ok(())
    }
}

#[cfg(feature = "sqlx")]
fn outbox_lag(forebay: &Forebay) -> Option<f64> {
    let lag = forebay.core.publisher.relay()?.lag()?;
    Some(lag.as_secs_f64())
}

#[cfg(not(feature = "sqlx"))]
fn outbox_lag(_: &Forebay) -> Option<f64> {
    None
}

/// Writes one metric after the other.
struct Writer<'a>(DescriptorEncoder<'a>);

impl Writer<'_> {
    /// A counter. The format adds `_total`.
    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help.trim(), None, MetricType::Counter)?;
        metric.encode_counter::<[(&str, &str); 0], _, u64>(&value, None)
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        metric.encode_gauge(&value)
    }

    /// A gauge for each set of these labels.
    fn gauges<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = ([(&'static str, &'static str); N], f64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in values {
            metric.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    /// A histogram, whose values are in units of `unit`.
    fn histogram(
        &mut self,
        name: &str,
        help: &str,
        values: &Distribution,
        unit: f64,
    ) -> fmt::Result {
        let bounds = values.bounds.iter().map(|bound| float(*bound) * unit);
        let bounds = bounds.chain([f64::INFINITY]);
        let buckets: Vec<_> = bounds.zip(values.counts.iter().copied()).collect();
        let count = values.counts.iter().sum();
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Histogram)?;
        let sum = float(values.sum) * unit;
        metric.encode_histogram::<[(&str, &str); 0]>(sum, count, &buckets, None)
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus' values are such numbers")]
fn float(value: u64) -> f64 {
    value as f64
}

fn size(value: usize) -> f64 {
    float(value as u64)
}

#[cfg(test)]
mod tests;
