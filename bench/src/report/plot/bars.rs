//! Bars from left to right, each with its value behind it.

use super::{Anchor, Box, LINE, MARGIN, Scene, TOP, WIDTH, at, width};
use crate::figures::Figure;
use crate::report::number;

/// Between the bars of one name and those of the next.
const GAP: f64 = 6.0;

/// Shades of a name's colour, of its first bar, its second, …
const SHADES: [&str; 2] = ["full", "pale"];

pub(in super::super) struct Bars {
    pub(in super::super) title: String,
    /// What is measured, in which unit.
    pub(in super::super) values: &'static str,
    /// What the bars of each name are, if there are several.
    pub(in super::super) kinds: Vec<&'static str>,
    pub(in super::super) rows: Vec<Bar>,
}

pub(in super::super) struct Bar {
    pub(in super::super) name: String,
    pub(in super::super) class: String,
    /// In the order of the kinds.
    pub(in super::super) figures: Vec<Option<Figure>>,
}

impl Bars {
    /// Nothing, if there is nothing to draw.
    pub(in super::super) fn draw(mut self) -> Option<Scene> {
        self.rows.retain(|row| row.figures.iter().any(Option::is_some));
        let figures = || self.rows.iter().flat_map(|row| row.figures.iter().flatten());
        figures().next()?;
        // Differences of memory can be below nothing; such a bar has no length.
        let most = figures().map(|figure| figure.median).fold(f64::MIN_POSITIVE, f64::max);
        let names = self.rows.iter().map(|row| width(&row.name)).fold(0.0, f64::max);
        let labels = figures().map(|figure| width(&label(figure))).fold(0.0, f64::max);
        let left = MARGIN + names + 8.0;
        let longest = WIDTH - MARGIN - labels - 8.0 - left;

        let bars: usize = self.rows.iter().map(|row| row.figures.len()).sum();
        let kinds = if self.kinds.is_empty() { 0.0 } else { 24.0 };
        let height = bars as f64 * LINE + self.rows.len() as f64 * GAP;
        let mut scene = Scene::new(&self.title, self.values, TOP + height + kinds + MARGIN);
        let mut top = TOP;
        for row in &self.rows {
            let block = row.figures.len() as f64 * LINE;
            let middle = at(left - 8.0, top + block / 2.0 + 4.0);
            scene.text("name", Anchor::End, middle, &row.name);
            for (figure, shade) in row.figures.iter().zip(SHADES) {
                if let Some(figure) = figure {
                    let length = (figure.median / most * longest).max(0.0).min(longest);
                    scene.boxes.push(Box {
                        class: format!("{} {shade}", row.class),
                        at: at(left, top + 1.0),
                        width: (length * 10.0).round() / 10.0,
                        height: LINE - 2.0,
                    });
                    let end = at(left + length + 6.0, top + LINE - 4.0);
                    scene.text("value", Anchor::Start, end, label(figure));
                }
                top += LINE;
            }
            top += GAP;
        }
        scene.rule("axis", at(left, TOP), at(left, top));
        let mut across = MARGIN;
        for (kind, shade) in self.kinds.iter().zip(SHADES) {
            let class = format!("kind {shade}");
            let swatch = at(across, top + 8.0);
            scene.boxes.push(Box { class, at: swatch, width: 12.0, height: 12.0 });
            scene.text("tick", Anchor::Start, at(across + 18.0, top + 18.0), *kind);
            across += 18.0 + width(kind) + 16.0;
        }
        Some(scene)
    }
}

fn label(figure: &Figure) -> String {
    number::figure(figure.median)
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_readable;
    use super::*;

    fn bars(medians: &[[Option<f64>; 2]]) -> Option<Scene> {
        let figure = |median| Figure { median, min: median, max: median, samples: 1 };
        let rows = medians.iter().enumerate().map(|(index, medians)| Bar {
            name: format!("a_long_name_of_{index}"),
            class: "s1".to_owned(),
            figures: medians.map(|median| median.map(figure)).to_vec(),
        });
        let kinds = vec!["resident memory", "kernel memory"];
        Bars { title: "Title".to_owned(), values: "unit", kinds, rows: rows.collect() }.draw()
    }

    #[test]
    fn bars_are_as_long_as_their_values() {
        let scene = bars(&[[Some(100.0), Some(50.0)], [None, Some(-20.0)], [None, None]]);
        let scene = scene.expect("has data");
        assert_readable(&scene);
        let lengths: Vec<_> = scene.boxes.iter().map(|bar| bar.width).collect();
        assert!((lengths[0] - 2.0 * lengths[1]).abs() < 0.2, "{lengths:?}");
        // The second name has one bar, the third is not there; two are of the legend.
        assert_eq!(lengths[2..], [0.0, 12.0, 12.0]);
    }

    #[test]
    fn many_bars_make_the_plot_longer() {
        let scene = bars(&[[Some(1.0), Some(123_456_789.0)]; 24]).expect("has data");
        assert_readable(&scene);
    }

    #[test]
    fn without_data_there_is_no_plot() {
        assert!(bars(&[]).is_none());
        assert!(bars(&[[None, None]]).is_none());
    }
}
