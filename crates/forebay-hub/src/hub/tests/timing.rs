//! What is measured, and the spans of deliveries.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::atomic::AtomicU64;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use super::*;

/// A page that a round reads for, as a connection's seat does.
struct Reading {
    page: Mutex<Page>,
    wake: Arc<crate::Wake>,
}

impl crate::Seat for Reading {
    fn deliver(&self, round: &mut crate::Round) -> bool {
        let mut page = self.page.lock();
        let Page { client, session, .. } = &mut *page;
        assert!(client.read_in(round, session));
        for delivery in &round.batch().deliveries {
            session.advance(delivery.reader, delivery.offset);
        }
        round.count(round.batch().deliveries.len());
        true
    }

    fn wake(&self) -> &crate::Wake {
        &self.wake
    }
}

fn reading(hub: &Hub, stream: &str) -> Arc<Reading> {
    let page = Page::open(hub);
    let wake = page.client.wake();
    let reading = Arc::new(Reading { page: Mutex::new(page), wake });
    let weak = Arc::downgrade(&reading);
    let mut page = reading.page.lock();
    page.client.sit(weak);
    page.subscribe(stream, None);
    drop(page);
    reading
}

/// Up to which bound how many deliveries were counted.
fn delivered(hub: &Hub) -> Vec<(u64, u64)> {
    let crate::Distribution { bounds, counts, .. } = hub.timings().delivery;
    bounds.iter().copied().zip(counts).filter(|(_, count)| *count > 0).collect()
}

#[test]
fn a_delivery_is_timed_from_its_publishing_once_somebody_has_asked() {
    let now = Arc::new(AtomicU64::new(1_000));
    let hub = Hub::simulated(Options::default(), Epoch(1), Arc::clone(&now));
    let _pages: Vec<_> = (0..40).map(|_| reading(&hub, "a")).collect();
    say(&hub, "a", "1");
    while hub.round() {}
    assert_eq!(delivered(&hub), [], "nobody had asked");
    say(&hub, "a", "2");
    now.fetch_add(7, Ordering::SeqCst);
    assert!(hub.round());
    now.fetch_add(20, Ordering::SeqCst);
    while hub.round() {}
    // A round of 32, and one of 8.
    assert_eq!(delivered(&hub), [(10_000, 32), (50_000, 8)]);
    assert_eq!(hub.timings().unmeasured, 0);
}

#[test]
fn how_far_back_a_page_begins_is_counted() {
    let now = Arc::new(AtomicU64::new(1_000));
    let hub = Hub::simulated(Options::default(), Epoch(1), Arc::clone(&now));
    hub.timings();
    let cursor = hub.position();
    say(&hub, "a", "1");
    now.fetch_add(4_000, Ordering::SeqCst);
    say(&hub, "a", "2");
    Page::open(&hub).subscribe("a", Some(cursor));
    Page::open(&hub).subscribe("a", Some(hub.position()));
    Page::open(&hub).subscribe("a", None);
    let timings = hub.timings();
    assert_eq!((timings.replay_entries.sum, timings.replay_entries.counts[0]), (2, 1));
    assert_eq!(timings.replay_age.sum, 4_000_000);
}

/// What was said of one span.
#[derive(Clone, Debug, Default)]
struct Said {
    name: &'static str,
    fields: BTreeMap<&'static str, String>,
    follows: Option<&'static str>,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }
}

/// Notes all spans.
#[derive(Clone, Default)]
struct Noting(Arc<Mutex<Vec<(Id, Said)>>>);

impl Layer<Registry> for Noting {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, Registry>) {
        let mut said = Said { name: attributes.metadata().name(), ..Said::default() };
        attributes.record(&mut said);
        self.0.lock().push((id.clone(), said));
    }

    fn on_follows_from(&self, id: &Id, follows: &Id, _: Context<'_, Registry>) {
        let mut spans = self.0.lock();
        // An id may come again when its span has gone.
        let last = |spans: &[(Id, Said)], id| spans.iter().rposition(|(other, _)| other == id);
        let name = spans[last(&spans, follows).unwrap()].1.name;
        let at = last(&spans, id).unwrap();
        spans[at].1.follows = Some(name);
    }
}

#[test]
fn the_span_of_a_round_follows_from_the_broadcasts() {
    let noting = Noting::default();
    let subscriber = tracing_subscriber::registry().with(noting.clone());
    tracing::subscriber::with_default(subscriber, || {
        let hub = simulated();
        let _pages: Vec<_> = (0..40).map(|_| reading(&hub, "a")).collect();
        let request = tracing::info_span!("request");
        request.in_scope(|| say(&hub, "a", "1"));
        while hub.round() {}
    });
    let spans = noting.0.lock();
    let rounds: Vec<_> =
        spans.iter().map(|(_, said)| said).filter(|said| said.name == "deliver").collect();
    assert_eq!(rounds.len(), 2);
    for (said, deliveries) in rounds.into_iter().zip(["32", "8"]) {
        let field = |name: &str| said.fields[name].as_str();
        assert_eq!((field("stream"), field("offset")), ("\"a\"", "1"));
        assert_eq!((field("deliveries"), said.follows), (deliveries, Some("request")));
    }
}
