//! The pages of this node, and what happened to each.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::ops::ControlFlow;
use std::sync::{Arc, Weak};
use std::time::Duration;

use forebay_cable::{ReaderId, Session, Standing, SubscriptionId};
use forebay_inspect::{
    Connection, Event, Page, Resync, Rows, State, StreamRows, Subscription, Transport,
};
use forebay_log::StreamId;

use super::Inspection;
use crate::client::Client;
use crate::round::Seat;

/// Of one page. A page with more tags than this shows the newest; those that have ended go first.
const TAGS_MAX: usize = 256;

/// How long somebody who asks waits for a connection that is in the middle of its turn.
pub const LOOK_MAX: Duration = Duration::from_millis(50);

/// Pages that are looked at while nobody else can say something about one: some ten microseconds.
const LOOKED_AT_TOGETHER: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Pages {
    all: HashMap<Arc<str>, Record>,
    /// All of them, the newest first.
    order: BTreeSet<Key>,
    /// Those that have ended, the oldest first.
    ended: VecDeque<Arc<str>>,
    refused: u64,
}

/// When a page came, and its id.
type Key = (Reverse<u64>, Arc<str>);

#[derive(Debug)]
struct Record {
    /// Its subscriptions are those of `tags`, in the same order. Its events are in `events`.
    page: Page,
    events: VecDeque<Event>,
    tags: Vec<Tag>,
    seat: Option<Weak<dyn Seat>>,
    /// How often it came with a cursor of another log.
    foreign: u64,
}

/// What the session calls a subscription.
#[derive(Clone, Copy, Debug)]
struct Tag {
    id: SubscriptionId,
    stream: Option<StreamId>,
}

impl Pages {
    pub(super) fn sits(&mut self, id: &str, seat: Weak<dyn Seat>) {
        if let Some(record) = self.all.get_mut(id) {
            record.seat = Some(seat);
        }
    }

    /// The newest, and a connected one first, of those that are meant by this.
    fn find(&self, whose: &str) -> Option<&Record> {
        let rank =
            |record: &&Record| (record.page.connection == Connection::Connected, record.page.since);
        let meant = || self.all.values().filter(|record| record.is_meant_by(whose));
        self.all.get(whose).or_else(|| meant().max_by_key(rank))
    }

    /// Whether a page has this id.
    pub(super) fn has(&self, id: &str) -> bool {
        self.all.contains_key(id)
    }

    fn add(&mut self, record: Record) {
        let id = Arc::<str>::from(&*record.page.id);
        self.remove(&id);
        self.order.insert((Reverse(record.page.since), Arc::clone(&id)));
        self.all.insert(id, record);
    }

    fn remove(&mut self, id: &Arc<str>) {
        if let Some(record) = self.all.remove(id) {
            self.order.remove(&(Reverse(record.page.since), Arc::clone(id)));
        }
    }

    fn end(&mut self, id: &str, max: usize) {
        self.ended.push_back(id.into());
        while self.ended.len() > max {
            let oldest = self.ended.pop_front().expect("there are more than none");
            self.remove(&oldest);
        }
    }
}

impl Record {
    fn new(page: Page) -> Self {
        let (events, tags) = (VecDeque::new(), Vec::new());
        let page = Page { subscriptions: Vec::new(), events: Vec::new(), ..page };
        Self { page, events, tags, seat: None, foreign: 0 }
    }

    fn is_meant_by(&self, whose: &str) -> bool {
        let is = |said: &Option<String>| said.as_deref() == Some(whose);
        let has = |one: &Subscription| is(&one.signed_cursor) || is(&one.signed);
        is(&self.page.identity) || is(&self.page.address) || self.page.subscriptions.iter().any(has)
    }

    fn event(&mut self, event: Event, max: usize) {
        if self.events.len() >= max {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    fn add(&mut self, tag: Tag, it: Subscription) {
        if self.tags.len() >= TAGS_MAX {
            let has_ended =
                |one: &Subscription| matches!(one.state, State::Left | State::Rejected { .. });
            let oldest = self.page.subscriptions.iter().position(has_ended).unwrap_or(0);
            self.take(oldest);
        }
        self.tags.push(tag);
        self.page.subscriptions.push(it);
    }

    fn take(&mut self, index: usize) -> Subscription {
        self.tags.remove(index);
        self.page.subscriptions.remove(index)
    }

    /// The last subscription of which this holds.
    fn last(&mut self, is_it: impl Fn(&Tag) -> bool) -> Option<&mut Subscription> {
        let index = self.tags.iter().rposition(is_it)?;
        self.page.subscriptions.get_mut(index)
    }

    fn describe(&self) -> Page {
        Page { events: self.events.iter().cloned().collect(), ..self.page.clone() }
    }
}

impl Inspection {
    /// A page has come.
    pub fn comes(&self, page: Page) {
        let mut pages = self.pages.lock();
        let live = pages.all.len().saturating_sub(pages.ended.len());
        if live >= self.options.pages_max {
            self.left_out.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            return;
        }
        let event = event(page.since, "connected");
        let mut record = Record::new(page);
        record.event(event, self.options.events_max);
        pages.add(record);
    }

    /// A page was not let in.
    pub fn refuses(&self, page: Page) {
        let mut pages = self.pages.lock();
        let id = format!("refused-{}", pages.refused);
        pages.refused += 1;
        let event = event(page.since, "refused");
        let mut record = Record::new(Page { id: id.clone(), ..page });
        record.event(event, self.options.events_max);
        pages.add(record);
        pages.end(&id, self.options.ended_pages_max);
    }

    fn with<T>(&self, id: &str, change: impl FnOnce(&mut Record) -> T) -> Option<T> {
        self.pages.lock().all.get_mut(id).map(change)
    }

    fn goes(&self, id: &str, now: u64) {
        let is_known = self.with(id, |record| {
            // Between two polls a page has no connection, and is there all the same.
            if record.page.transport != Transport::Poll {
                record.page.connection = Connection::Gone { at: now };
            }
            record.seat = None;
            record.event(event(now, "gone"), self.options.events_max);
        });
        if is_known.is_some() {
            self.pages.lock().end(id, self.options.ended_pages_max);
        }
    }

    /// A page by its connection's id or a cursor of its tags, or the newest of a visitor's name or address, with
    /// where it stands now. `None` if nothing is known of it.
    pub fn page(&self, whose: &str) -> Option<Page> {
        let (mut page, tags, seat) = {
            let pages = self.pages.lock();
            let record = pages.find(whose)?;
            (record.describe(), record.tags.clone(), record.seat.clone())
        };
        page.node.clone_from(&self.node);
        // Without the lock: the connection may be about to say something about itself.
        if let Some(seat) = seat.as_ref().and_then(Weak::upgrade) {
            look(&*seat, &tags, &mut page);
        }
        Some(page)
    }

    /// The id of a page that is named as for [`page`](Self::page).
    pub fn page_id(&self, whose: &str) -> Option<String> {
        self.pages.lock().find(whose).map(|record| record.page.id.clone())
    }

    /// Pages that pass the test, the newest first, without where they stand.
    pub fn pages(&self, skip: usize, max: usize, test: impl Fn(&Page) -> bool) -> Vec<Page> {
        self.find_pages(None, skip, max, test)
    }

    /// Pages that are asked for, the newest first, without where they stand.
    pub fn page_rows(&self, rows: &Rows) -> Vec<Page> {
        let from = rows.before.as_ref().map(|before| before.at);
        self.find_pages(from, 0, rows.max, |page| rows.has_page(&self.node, page))
    }

    /// Only what is found is copied.
    fn find_pages(
        &self,
        from: Option<u64>,
        mut skip: usize,
        max: usize,
        test: impl Fn(&Page) -> bool,
    ) -> Vec<Page> {
        let mut found = Vec::new();
        self.each_page(from, |record| {
            if found.len() >= max {
                return ControlFlow::Break(());
            }
            if test(&record.page) {
                if skip == 0 {
                    found.push(Page { node: self.node.clone(), ..record.describe() });
                } else {
                    skip -= 1;
                }
            }
            ControlFlow::Continue(())
        });
        found
    }

    /// Goes over pages from the newest to the oldest, or from those that came then on. Others can say something in
    /// between.
    fn each_page(&self, from: Option<u64>, mut visit: impl FnMut(&Record) -> ControlFlow<()>) {
        let mut begin = from.map_or(Unbounded, |at| Included((Reverse(at), Arc::from(""))));
        loop {
            let pages = self.pages.lock();
            let mut last = None;
            for key in pages.order.range((begin, Unbounded)).take(LOOKED_AT_TOGETHER) {
                if pages.all.get(&key.1).is_some_and(|record| visit(record).is_break()) {
                    return;
                }
                last = Some(key.clone());
            }
            let Some(last) = last else { return };
            begin = Excluded(last);
        }
    }

    /// Adds streams that pages read or have asked for, but for pages that read `hides`.
    pub(super) fn count_readers(&self, hides: Option<&str>, streams: &mut StreamRows) {
        self.each_page(None, |Record { page, .. }| {
            let is_hidden = |hides| page.subscriptions.iter().any(|one| one.is_to(hides));
            if hides.is_some_and(is_hidden) {
                return ControlFlow::Continue(());
            }
            for one in &page.subscriptions {
                let Some(name) = &one.stream else { continue };
                let stream = streams.row(name);
                match one.state {
                    State::Left => {}
                    State::Rejected { .. } => stream.rejected += 1,
                    _ => stream.readers += 1,
                }
            }
            ControlFlow::Continue(())
        });
    }

    /// How many pages are connected, and how many have ended that something is known of.
    pub fn page_counts(&self) -> (usize, usize) {
        let pages = self.pages.lock();
        (pages.all.len().saturating_sub(pages.ended.len()), pages.ended.len())
    }

    /// Streams that a page reads or has asked for.
    pub fn streams_of_pages(&self, max: usize) -> Vec<String> {
        let pages = self.pages.lock();
        let tags = pages.all.values().flat_map(|record| &record.page.subscriptions);
        let names = tags.filter_map(|one| one.stream.as_ref());
        let mut seen = BTreeSet::new();
        for name in names {
            if seen.len() >= max {
                break;
            }
            seen.insert(name.clone());
        }
        seen.into_iter().collect()
    }
}

/// Adds where a connection stands at this moment.
fn look(seat: &dyn Seat, tags: &[Tag], page: &mut Page) {
    let mut standings: Vec<Standing> = Vec::new();
    seat.look(&mut |session| standings.extend(session.standings()));
    let is_stalled = seat.wake().is_muted();
    for (tag, it) in tags.iter().zip(&mut page.subscriptions) {
        let of_tag = |standing: &&Standing| {
            standing.subscription == tag.id && Some(standing.stream) == tag.stream
        };
        if let Some(standing) = standings.iter().find(of_tag) {
            stand(it, standing, is_stalled);
        }
    }
}

pub(super) fn stand(it: &mut Subscription, standing: &Standing, is_stalled: bool) {
    it.attached = Some(standing.attached.0);
    it.sent = Some(standing.sent.0);
    it.proven = standing.proven.map(|proven| proven.0);
    it.is_stalled = is_stalled;
    if it.state == State::Live {
        if standing.is_held {
            it.state = State::Held;
        } else if standing.heals {
            it.state = State::Healing;
        }
    }
}

fn event(at: u64, what: &str) -> Event {
    Event { at, what: what.to_owned(), ..Event::default() }
}

/// What a conversation says about itself. Nothing of it is done where nothing is recorded.
impl Client {
    /// Where this page is recorded, if it is.
    pub fn inspection(&self) -> Option<&Arc<Inspection>> {
        self.hub().inspection()
    }

    fn record(&self, change: impl FnOnce(&mut Record, usize, u64)) {
        if let Some(inspection) = self.inspection() {
            let (now, max) = (self.hub().now().0, inspection.options.events_max);
            let id = self.session_id().to_string();
            inspection.with(&id, |record| change(record, max, now));
        }
    }

    /// A subscription was asked for.
    pub fn note_asked(&self, id: SubscriptionId, it: Subscription) {
        self.record(|record, max, now| {
            let stream = it.stream.clone();
            record.event(Event { stream, ..event(now, "subscribed") }, max);
            record.add(Tag { id, stream: None }, Subscription { since: now, ..it });
        });
    }

    /// It was refused.
    pub fn note_rejected(&self, id: Option<SubscriptionId>, state: State, detail: String) {
        self.record(|record, max, now| {
            let it = id.and_then(|id| record.last(|tag| tag.id == id));
            let stream = it.and_then(|it| {
                it.state = state;
                it.stream.clone()
            });
            let detail = Some(detail);
            record.event(Event { stream, detail, ..event(now, "rejected") }, max);
        });
    }

    /// It reads these streams. Each has why it lacks something, if it does.
    pub fn note_live(&self, id: SubscriptionId, streams: Vec<(StreamId, Subscription)>) {
        self.record(|record, max, now| {
            let asked = record.tags.iter().rposition(|tag| tag.id == id);
            let asked = asked.map(|index| record.take(index)).unwrap_or_default();
            let is_foreign = |it: &Subscription| it.resynced == Some(Resync::OtherEpoch);
            if streams.iter().any(|(_, it)| is_foreign(it)) {
                record.foreign += 1;
            }
            for (stream, it) in streams {
                let resyncs = if is_foreign(&it) { record.foreign } else { it.resyncs };
                let name = it.stream.clone();
                record.event(Event { stream: name.clone(), ..event(now, "live") }, max);
                if let Some(why) = it.resynced {
                    let detail = Some(format!("{why:?}"));
                    record.event(Event { stream: name, detail, ..event(now, "healed") }, max);
                }
                let it = Subscription { resyncs, state: State::Live, stream: it.stream, ..it };
                let it = Subscription {
                    channel: asked.channel.clone(),
                    signed: asked.signed.clone(),
                    signed_cursor: asked.signed_cursor.clone(),
                    since: asked.since,
                    ..it
                };
                record.add(Tag { id, stream: Some(stream) }, it);
            }
        });
    }

    /// It is told in the middle of reading that it lacks something.
    fn note_resync(&self, stream: StreamId, why: Resync) {
        self.record(|record, max, now| {
            let it = record.last(|tag| tag.stream == Some(stream));
            let stream = it.and_then(|it| {
                it.resyncs += 1;
                it.resynced = Some(why);
                it.stream.clone()
            });
            let detail = Some(format!("{why:?}"));
            record.event(Event { stream, detail, ..event(now, "healed") }, max);
        });
    }

    /// Its socket took nothing until history had moved past this reader.
    pub fn note_behind(&self, session: &Session, reader: ReaderId) {
        if self.inspection().is_some()
            && let Some(stream) = session.stream_of(reader)
        {
            self.note_resync(stream, Resync::Forgotten);
        }
    }

    /// It was given up.
    pub fn note_left(&self, id: SubscriptionId) {
        self.record(|record, max, now| {
            let mut left = Vec::new();
            let all = record.tags.iter().zip(&mut record.page.subscriptions);
            for (_, it) in all.filter(|(tag, _)| tag.id == id) {
                if matches!(it.state, State::Asked | State::Live) {
                    it.state = State::Left;
                    left.push(it.stream.clone());
                }
            }
            for stream in left {
                record.event(Event { stream, ..event(now, "left") }, max);
            }
        });
    }

    /// Where the session stands, for a connection that nobody can look at from outside: an HTTP exchange.
    pub fn note_standings(&self, standings: impl Iterator<Item = Standing>) {
        self.record(|record, _, _| {
            for standing in standings {
                let of_it = |tag: &Tag| {
                    tag.id == standing.subscription && tag.stream == Some(standing.stream)
                };
                let index = record.tags.iter().position(of_it);
                if let Some(it) = index.and_then(|index| record.page.subscriptions.get_mut(index)) {
                    stand(it, &standing, false);
                }
            }
        });
    }

    pub(crate) fn note_gone(&self) {
        if let Some(inspection) = self.inspection() {
            inspection.goes(&self.session_id().to_string(), self.hub().now().0);
        }
    }
}
