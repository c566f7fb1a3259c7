//! Small plots: what is drawn where. `plot.svg` says how that looks as SVG.

mod bars;
mod lines;
mod scale;

use serde::Serialize;

pub(super) use self::bars::{Bar, Bars};
pub(super) use self::lines::{Lines, Point, Series};

/// Wide enough for labels, narrow enough that they can be read on a telephone.
const WIDTH: f64 = 480.0;

/// Height of a line of text.
const LINE: f64 = 15.0;

/// About how wide a character is, at most, in a text that is not all capitals.
const CHARACTER: f64 = 6.9;

/// Where the plot itself begins, below title and unit.
const TOP: f64 = 56.0;

/// Around everything.
const MARGIN: f64 = 12.0;

/// Everything that is drawn, in the order of its fields.
#[derive(Debug, Default, Serialize)]
pub(super) struct Scene {
    pub(super) title: String,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) rules: Vec<Rule>,
    pub(super) boxes: Vec<Box>,
    pub(super) paths: Vec<Path>,
    pub(super) dots: Vec<Dot>,
    pub(super) texts: Vec<Text>,
}

/// A straight line.
#[derive(Debug, Serialize)]
pub(super) struct Rule {
    pub(super) class: String,
    pub(super) from: At,
    pub(super) to: At,
}

#[derive(Debug, Serialize)]
pub(super) struct Box {
    pub(super) class: String,
    pub(super) at: At,
    pub(super) width: f64,
    pub(super) height: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Path {
    pub(super) class: String,
    pub(super) points: Vec<At>,
}

#[derive(Debug, Serialize)]
pub(super) struct Dot {
    pub(super) class: String,
    pub(super) at: At,
}

#[derive(Debug, Serialize)]
pub(super) struct Text {
    pub(super) class: &'static str,
    pub(super) anchor: Anchor,
    pub(super) at: At,
    pub(super) words: String,
}

/// Which end of a text is where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// To a tenth of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct At {
    pub(super) x: f64,
    pub(super) y: f64,
}

fn at(x: f64, y: f64) -> At {
    let round = |value: f64| (value * 10.0).round() / 10.0;
    At { x: round(x), y: round(y) }
}

/// How wide a text is, or a little less.
fn width(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER
}

impl Scene {
    /// With its title, and a line below it that says what is measured in which unit.
    fn new(title: &str, subtitle: &str, height: f64) -> Self {
        let mut scene = Self { title: title.to_owned(), width: WIDTH, height, ..Self::default() };
        scene.text("title", Anchor::Start, at(MARGIN, 22.0), title);
        scene.text("subtitle", Anchor::Start, at(MARGIN, 39.0), subtitle);
        scene
    }

    fn rule(&mut self, class: &str, from: At, to: At) {
        self.rules.push(Rule { class: class.to_owned(), from, to });
    }

    fn text(&mut self, class: &'static str, anchor: Anchor, at: At, words: impl Into<String>) {
        self.texts.push(Text { class, anchor, at, words: words.into() });
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Each text's left, right, top and bottom.
    fn extents(scene: &Scene) -> Vec<([f64; 4], &str)> {
        let extent = |text: &Text| {
            let width = width(&text.words);
            let left = match text.anchor {
                Anchor::Start => text.at.x,
                Anchor::Middle => text.at.x - width / 2.0,
                Anchor::End => text.at.x - width,
            };
            [left, left + width, text.at.y - 10.0, text.at.y + 3.0]
        };
        scene.texts.iter().map(|text| (extent(text), text.words.as_str())).collect()
    }

    /// All texts are inside and none lies on another.
    pub(in super::super) fn assert_readable(scene: &Scene) {
        let extents = extents(scene);
        for (index, (a, text)) in extents.iter().enumerate() {
            assert!(a[0] >= 0.0 && a[1] <= scene.width, "{text} sticks out: {a:?}");
            assert!(a[2] >= 0.0 && a[3] <= scene.height, "{text} sticks out: {a:?}");
            for (b, other) in &extents[index + 1..] {
                let apart = a[1] <= b[0] || b[1] <= a[0] || a[3] <= b[2] || b[3] <= a[2];
                assert!(apart, "{text} {a:?} lies on {other} {b:?}");
            }
        }
    }
}
