//! What became of something, in a word and a tone.

use forebay_inspect::{
    Broadcast, Connection, Hop, Outcome, Page, State, Subscription, Targets, Transport,
};
use maud::{Markup, html};

/// How somebody should look at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tone {
    Good,
    Waits,
    Bad,
    /// Neither: it was meant so.
    Quiet,
}

impl Tone {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Waits => "wait",
            Self::Bad => "bad",
            Self::Quiet => "quiet",
        }
    }
}

/// An answer as a sentence: with a capital and a full stop, and its code as such.
pub(super) fn sentence(fragment: &str) -> Markup {
    let mut letters = fragment.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    let text = format!("{}{}.", first.unwrap_or_default(), letters.as_str());
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// A word behind a dot.
pub(super) fn state(tone: Tone, word: &str) -> Markup {
    html! { span class={ "state " (tone.class()) } { (word) } }
}

pub(super) fn outcome(broadcast: &Broadcast) -> (Tone, &'static str) {
    match &broadcast.outcome {
        Outcome::Pending => (Tone::Waits, "waits"),
        Outcome::Published(_) if broadcast.subscriptions() == 0 => (Tone::Waits, "no reader"),
        Outcome::Published(_) => (Tone::Good, "published"),
        Outcome::Superseded(_) => (Tone::Quiet, "superseded"),
        Outcome::Debounced => (Tone::Quiet, "in another refresh"),
        Outcome::Suppressed => (Tone::Waits, "suppressed"),
        Outcome::RolledBack => (Tone::Bad, "rolled back"),
        Outcome::FailedToRender { .. } => (Tone::Bad, "failed to render"),
        Outcome::Invalid { .. } => (Tone::Bad, "invalid"),
        Outcome::Refused { .. } => (Tone::Bad, "not taken"),
        Outcome::Gap { .. } => (Tone::Bad, "lost"),
        _ => (Tone::Quiet, "not known"),
    }
}

pub(super) fn connection(page: &Page) -> (Tone, &'static str) {
    match &page.connection {
        Connection::Connected => (Tone::Good, "connected"),
        Connection::Gone { .. } => (Tone::Quiet, "gone"),
        Connection::Refused { .. } => (Tone::Bad, "refused"),
        _ => (Tone::Quiet, "not known"),
    }
}

pub(super) fn subscription(subscription: &Subscription) -> (Tone, &'static str) {
    match &subscription.state {
        State::Asked => (Tone::Waits, "asked"),
        State::Rejected { .. } => (Tone::Bad, "rejected"),
        State::Live if subscription.is_stalled => (Tone::Waits, "stalled"),
        State::Live => (Tone::Good, "live"),
        State::Held => (Tone::Waits, "held"),
        State::Healing => (Tone::Waits, "healing"),
        State::Left => (Tone::Quiet, "left"),
        _ => (Tone::Quiet, "not known"),
    }
}

pub(super) fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::WebSocket => "WebSocket",
        Transport::Events => "events",
        Transport::Poll => "polls",
    }
}

/// What a broadcast does, as far as it is known.
pub(super) fn action(broadcast: &Broadcast) -> Markup {
    let target = match &broadcast.targets {
        Some(Targets::Id(target) | Targets::Selector(target)) => Some(target.as_str()),
        Some(Targets::Page) | None => None,
    };
    html! {
        code {
            (broadcast.action.as_deref().unwrap_or("HTML"))
            @if let Some(target) = target { span.arrow { " → " } (target) }
        }
    }
}

pub(super) fn hop(hop: Hop) -> &'static str {
    match hop {
        Hop::Asked => "asked for",
        Hop::Rendered => "rendered",
        Hop::Committed => "committed",
        Hop::Published => "published",
        Hop::Connected => "connected",
        Hop::Subscribed => "subscribed",
        Hop::Sent => "sent",
        Hop::Arrived => "arrived",
        Hop::Applied => "shown",
    }
}

/// The time of day, UTC.
pub(super) fn time(millis: u64) -> Markup {
    let seconds = millis / 1_000 % 86_400;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let text = format!("{hours:02}:{minutes:02}:{seconds:02}");
    html! { time datetime=(format!("{text}Z")) title="UTC" { (text) } }
}

/// How long ago, or how long: `3 s`, `12 min`, `5 h`.
pub(super) fn duration(millis: u64) -> String {
    match millis / 1_000 {
        0 => format!("{millis} ms"),
        seconds @ 1..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// `1 reader`, `12 345 readers`.
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{} {what}{}", number(count), if count == 1 { "" } else { "s" })
}

/// With its digits in threes.
pub(super) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_short() {
        assert_eq!(number(7), "7");
        assert_eq!(number(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(counted(1, "page"), "1 page");
        assert_eq!(duration(40), "40 ms");
        assert_eq!(duration(119_000), "119 s");
        assert_eq!(duration(120_000), "2 min");
        let html = sentence("no element `a<b` here").into_string();
        assert_eq!(html, "No element <code>a&lt;b</code> here.");
        assert!(time(3_723_004).into_string().contains("01:02:03"));
    }
}
