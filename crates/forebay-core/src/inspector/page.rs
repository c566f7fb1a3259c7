//! One page: its tags, and its life on a time line.

use forebay_inspect::{
    About, Answer, Broadcast, Connection, Event, Page, Question, Rows, Subscription, Told,
    choose_page, readable,
};
use maud::{Markup, html};

use super::nodes::{FRESH, Nodes};
use super::query::View;
use super::words::{self, Tone};

/// The last broadcasts to a page's streams that are on its line.
const BROADCASTS_MAX: usize = 100;

/// Of one tag's line.
const LANE: usize = 28;

/// Lines that are drawn. A page with more tags has a list of them below.
const LANES_MAX: usize = 12;

pub(super) async fn view(mut nodes: Nodes<'_>, id: &str) -> Markup {
    let told = nodes.ask(&Question::Page(id.to_owned()), FRESH).await;
    let Some(page) = choose_page(id, told.iter().filter_map(Told::page)) else {
        return html! { (nodes.said()) p.none { "No page of this name is remembered." } };
    };
    let answers = answers(&mut nodes, page).await;
    let broadcasts = broadcasts(&mut nodes, page).await;
    let now = nodes.forebay.core.hub.now().0;
    let (tone, word) = words::connection(page);
    html! {
        h1 { code { (page.identity.as_deref().unwrap_or(&page.id)) } (words::state(tone, word)) }
        div #page data-live {
            (nodes.said())
            @if let Connection::Refused { detail, .. } = &page.connection { p.answer.bad { (words::sentence(detail)) } }
            dl.facts {
                dt { "Connection" } dd { code { (page.id) } " at node " code { (page.node) } }
                @if let Some(address) = &page.address { dt { "From" } dd { code { (address) } } }
                dt { "Since" } dd { (words::time(page.since)) " UTC, by " (words::transport(page.transport)) ", " code { (page.protocol) } }
            }
            h2 { "Tags" }
            @if page.subscriptions.is_empty() { p.none { "It has not subscribed to anything." } }
            ul.rows.tags { @for (one, answer) in page.subscriptions.iter().zip(&answers) { (tag(one, answer.as_ref())) } }
            @if page.subscriptions_left_out > 0 { p.quiet { "And " (words::number(page.subscriptions_left_out)) " more." } }
            h2 { "Its life" }
            (line(page, &broadcasts, now))
            ol.events { @for event in page.events.iter().rev() { (event_row(event)) } }
        }
    }
}

/// For each tag, as far as there is room, why the page does not show its stream's last broadcast.
async fn answers(nodes: &mut Nodes<'_>, page: &Page) -> Vec<Option<Answer>> {
    let about = |stream: &String| About {
        page: page.id.clone(),
        stream: stream.clone(),
        ..About::default()
    };
    let named = page.subscriptions.iter().filter_map(|one| one.stream.as_ref());
    let mut answers = nodes.why(named.map(about).collect()).await.into_iter();
    let all = page.subscriptions.iter();
    all.map(|one| one.stream.as_ref().and_then(|_| answers.next())).collect()
}

/// The last ones to the streams of its first tags, since it came.
async fn broadcasts(nodes: &mut Nodes<'_>, page: &Page) -> Vec<Broadcast> {
    let streams = page.subscriptions.iter().take(LANES_MAX).filter_map(|one| one.stream.clone());
    let rows = Rows { streams: streams.collect(), max: BROADCASTS_MAX, ..Rows::default() };
    if rows.streams.is_empty() {
        return Vec::new();
    }
    let told = nodes.ask(&Question::Broadcasts(rows.clone()), FRESH).await;
    let mut found = rows.merge_broadcasts(&told);
    found.retain(|broadcast| broadcast.at >= page.since);
    found
}

fn tag(one: &Subscription, answer: Option<&Answer>) -> Markup {
    let (tone, word) = words::subscription(one);
    html! {
        li class=(tone.class()) {
            div {
                span.what { code { (one.stream.as_deref().map_or_else(|| one.channel.clone(), readable)) } }
                span.stream.quiet { (progress(one)) }
                (words::state(tone, word))
            }
            @if let Some(answer) = answer { p.said { (words::sentence(&answer.sentence)) } }
        }
    }
}

/// How far a tag is: rendered at, sent to, proven to.
fn progress(one: &Subscription) -> Markup {
    let cursor = one.cursor.as_ref().map(|cursor| cursor.offset);
    let known = [("rendered at", cursor), ("sent", one.sent), ("arrived", one.proven)];
    let known: Vec<_> =
        known.iter().filter_map(|(what, offset)| Some((what, (*offset)?))).collect();
    html! {
        @for (at, (what, offset)) in known.iter().enumerate() {
            @if at > 0 { " · " }
            (what) " " (words::number(*offset))
        }
        @if one.resyncs > 0 { " · healed " (words::counted(one.resyncs, "time")) }
    }
}

fn event_row(event: &Event) -> Markup {
    let tone = tone(event);
    html! {
        li class=(tone.class()) {
            (words::time(event.at))
            span {
                (event.what)
                @if let Some(stream) = &event.stream { " " code { (readable(stream)) } }
                @if let Some(detail) = &event.detail { span.quiet { " " (detail) } }
            }
        }
    }
}

fn tone(event: &Event) -> Tone {
    match event.what.as_str() {
        "connected" | "live" => Tone::Good,
        "rejected" | "refused" => Tone::Bad,
        "healed" => Tone::Waits,
        _ => Tone::Quiet,
    }
}

/// From its connection until now, or until it left. Above stands what happened to it, below a line for each tag,
/// with the broadcasts to its stream.
fn line(page: &Page, broadcasts: &[Broadcast], now: u64) -> Markup {
    let until = match page.connection {
        Connection::Gone { at } => at,
        _ => now,
    };
    let lanes: Vec<_> = page.subscriptions.iter().take(LANES_MAX).collect();
    let scale = Scale { from: page.since, until: until.max(page.since + 1) };
    let height = LANE * (lanes.len() + 1) + 24;
    html! {
        svg.life height=(height) role="img"
            aria-label={ "What happened in " (words::duration(scale.length())) ": the list below says the same" } {
            line.axis x1="2%" y1="14" x2="98%" y2="14" {}
            @for event in &page.events {
                circle class=(tone(event).class()) cx=(scale.x(event.at)) cy="14" r="5" { title { (event.what) } }
            }
            @for (at, one) in lanes.iter().enumerate() {
                @let y = LANE * (at + 1) + 18;
                text x="2%" y=(y - 9) { (one.stream.as_deref().map(readable).unwrap_or_default()) }
                line class={ "lane " (words::subscription(one).0.class()) } x1=(scale.x(one.since)) y1=(y) x2="98%" y2=(y) {}
                @for broadcast in broadcasts.iter().filter(|broadcast| one.is_to(&broadcast.stream)) {
                    a href=(View::of_broadcast(broadcast, Some(&page.id))) {
                        rect class=(words::outcome(broadcast).0.class()) x=(scale.x(broadcast.at)) y=(y - 6) width="3" height="12" {
                            title { (broadcast.action.as_deref().unwrap_or("HTML")) }
                        }
                    }
                }
            }
            text x="2%" y=(height - 4) { (words::duration(scale.length())) " ago" }
            text.end x="98%" y=(height - 4) { @if matches!(page.connection, Connection::Gone { .. }) { "gone" } @else { "now" } }
        }
    }
}

/// From moments to places in the picture, whose width is the browser's.
struct Scale {
    from: u64,
    until: u64,
}

impl Scale {
    fn length(&self) -> u64 {
        self.until - self.from
    }

    /// Room for half a dot is left at both ends.
    fn x(&self, at: u64) -> String {
        let passed = at.clamp(self.from, self.until) - self.from;
        let hundredths = 200 + passed.saturating_mul(9_600) / self.length();
        format!("{}.{:02}%", hundredths / 100, hundredths % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_its_place() {
        let scale = Scale { from: 1_000, until: 3_000 };
        let places = [0, 1_000, 2_000, 3_000, 9_000].map(|at| scale.x(at));
        assert_eq!(places, ["2.00%", "2.00%", "50.00%", "98.00%", "98.00%"]);
    }
}
