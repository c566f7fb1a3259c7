//! A broadcast's way to a page, hop by hop, as a picture.

use forebay_inspect::{Answer, Broadcast, Hop, Outcome};
use maud::{Markup, html};

use super::words;

/// How far something came at one hop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Done,
    /// The first broken one.
    Broken,
    /// It has not come so far, or nobody knows.
    Open,
}

impl Step {
    fn class(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Broken => "broken",
            Self::Open => "open",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Broken => "here it ends",
            Self::Open => "not reached, or not known",
        }
    }
}

/// The picture with its labels: of one page's answer.
pub(super) fn of_answer(answer: &Answer, broadcast: &Broadcast) -> Markup {
    picture(|hop| step(answer, broadcast, hop), &Hop::ALL)
}

/// The same as a row of dots, for lists.
pub(super) fn dots(answer: &Answer, broadcast: &Broadcast) -> Markup {
    html! {
        span.dots aria-hidden="true" {
            @for hop in Hop::ALL { i class=(step(answer, broadcast, hop).class()) title=(words::hop(hop)) {} }
        }
    }
}

/// The hops before any page, of a broadcast alone.
pub(super) fn of_broadcast(broadcast: &Broadcast) -> Markup {
    picture(|hop| made(broadcast, hop), &Hop::ALL[..4])
}

fn picture(step: impl Fn(Hop) -> Step, hops: &[Hop]) -> Markup {
    html! {
        ol.way {
            @for hop in hops {
                @let step = step(*hop);
                li class=(step.class()) {
                    span { (words::hop(*hop)) }
                    small { (step.word()) }
                }
            }
        }
    }
}

fn step(answer: &Answer, broadcast: &Broadcast, hop: Hop) -> Step {
    match answer.hop {
        _ if answer.broken.is_applied() => Step::Done,
        Some(broken) if hop < broken => Step::Done,
        Some(broken) if hop == broken => Step::Broken,
        Some(_) => Step::Open,
        // It was delivered, and nobody knows what the page did with it.
        None if answer.page.is_some() && broadcast.outcome.place().is_some() => {
            if hop < Hop::Applied { Step::Done } else { Step::Open }
        }
        None => made(broadcast, hop),
    }
}

fn made(broadcast: &Broadcast, hop: Hop) -> Step {
    let ends_at = match &broadcast.outcome {
        Outcome::Published(_) | Outcome::Superseded(_) => {
            return if hop <= Hop::Published { Step::Done } else { Step::Open };
        }
        Outcome::Suppressed | Outcome::Invalid { .. } => Hop::Asked,
        Outcome::FailedToRender { .. } => Hop::Rendered,
        Outcome::RolledBack => Hop::Committed,
        // It may come farther yet.
        Outcome::Pending => return if hop < Hop::Committed { Step::Done } else { Step::Open },
        _ => Hop::Published,
    };
    match hop.cmp(&ends_at) {
        std::cmp::Ordering::Less => Step::Done,
        std::cmp::Ordering::Equal => Step::Broken,
        std::cmp::Ordering::Greater => Step::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(outcome: Outcome, expected: [Step; 5]) {
        let broadcast = Broadcast::of("chat:1", outcome);
        let steps: Vec<_> = Hop::ALL[..5].iter().map(|hop| made(&broadcast, *hop)).collect();
        assert_eq!(steps, expected, "{:?}", broadcast.outcome);
    }

    #[test]
    fn the_picture_ends_where_the_broadcast_did() {
        use Step::{Broken, Done, Open};
        check(Broadcast::published("chat:1", "e", 1).outcome, [Done, Done, Done, Done, Open]);
        check(Outcome::Suppressed, [Broken, Open, Open, Open, Open]);
        check(Outcome::FailedToRender { why: String::new() }, [Done, Broken, Open, Open, Open]);
        check(Outcome::RolledBack, [Done, Done, Broken, Open, Open]);
        check(Outcome::Refused { why: String::new() }, [Done, Done, Done, Broken, Open]);
        check(Outcome::Pending, [Done, Done, Open, Open, Open]);
    }
}
