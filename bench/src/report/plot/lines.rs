//! Lines over a logarithmic axis, each named beside its end.

use super::scale::Scale;
use super::{Anchor, Dot, LINE, MARGIN, Path, Scene, TOP, WIDTH, at, width};
use crate::report::number;

/// Height of the plot itself, unless the names need more.
const HEIGHT: f64 = 210.0;

/// Below the plot: ticks and what they count.
const BELOW: f64 = 48.0;

/// From the plot to the names: a way for thin lines from the ends, then a piece of each line.
const KEY: f64 = 14.0;
const SWATCH: f64 = 14.0;

pub(in super::super) struct Lines {
    pub(in super::super) title: String,
    /// What is measured, in which unit.
    pub(in super::super) values: &'static str,
    /// What the steps along the axis count.
    pub(in super::super) steps: &'static str,
    pub(in super::super) series: Vec<Series>,
}

pub(in super::super) struct Series {
    pub(in super::super) name: String,
    pub(in super::super) class: String,
    /// By `x`.
    pub(in super::super) points: Vec<Point>,
}

pub(in super::super) struct Point {
    pub(in super::super) x: f64,
    pub(in super::super) median: f64,
    pub(in super::super) min: f64,
    pub(in super::super) max: f64,
}

impl Lines {
    /// Nothing, if there is nothing to draw.
    pub(in super::super) fn draw(mut self) -> Option<Scene> {
        self.series.retain(|series| !series.points.is_empty());
        let points = || self.series.iter().flat_map(|series| &series.points);
        points().next()?;
        let names = self.series.iter().map(|series| width(&series.name)).fold(0.0, f64::max);
        let height = HEIGHT.max(self.series.len() as f64 * LINE);
        let bottom = TOP + height;
        let right = WIDTH - MARGIN - names - KEY - SWATCH - 5.0;

        let values: Vec<_> = points().map(|point| point.median).collect();
        let y = Scale::of_values(&values, [bottom, TOP]);
        let labels: Vec<_> = y.ticks.iter().map(|tick| number::short(*tick)).collect();
        let left = MARGIN + labels.iter().map(|label| width(label)).fold(0.0, f64::max) + 6.0;
        let steps: Vec<_> = points().map(|point| point.x).collect();
        let x = Scale::of_steps(&steps, [left + 10.0, right - 10.0]);

        let mut scene = Scene::new(&self.title, self.values, bottom + BELOW);
        for (tick, label) in y.ticks.iter().zip(labels) {
            let level = y.at(*tick);
            scene.rule("grid", at(left, level), at(right, level));
            scene.text("tick", Anchor::End, at(left - 6.0, level + 4.0), label);
        }
        draw_steps(&mut scene, &x, bottom);
        let middle = f64::midpoint(left, right);
        scene.text("tick", Anchor::Middle, at(middle, bottom + 36.0), self.steps);

        let mut ends = Vec::new();
        // The first is drawn last, above the others.
        for series in self.series.iter().rev() {
            let place = |point: &Point| at(x.at(point.x), y.at(point.median));
            for point in &series.points {
                let across = x.at(point.x);
                let (low, high) = (at(across, y.at(point.min)), at(across, y.at(point.max)));
                scene.rule(&format!("spread {}", series.class), low, high);
                scene.dots.push(Dot { class: series.class.clone(), at: place(point) });
            }
            let points: Vec<_> = series.points.iter().map(place).collect();
            ends.extend(points.last().map(|end| (*end, series)));
            scene.paths.push(Path { class: series.class.clone(), points });
        }
        ends.sort_by(|a, b| a.0.y.total_cmp(&b.0.y));
        let wanted: Vec<_> = ends.iter().map(|(end, _)| end.y).collect();
        for ((end, series), level) in ends.into_iter().zip(spread(&wanted, TOP, bottom)) {
            scene.rule(&format!("leader {}", series.class), end, at(right + KEY, level));
            let points = vec![at(right + KEY, level), at(right + KEY + SWATCH, level)];
            scene.paths.push(Path { class: series.class.clone(), points });
            let name = at(right + KEY + SWATCH + 5.0, level + 4.0);
            scene.text("name", Anchor::Start, name, &series.name);
        }
        Some(scene)
    }
}

/// Ticks below the plot; those that would lie on another have no number.
fn draw_steps(scene: &mut Scene, x: &Scale, bottom: f64) {
    let mut free = f64::NEG_INFINITY;
    for tick in x.ticks.iter().rev() {
        // From the right: the number at the end matters most.
        let (across, label) = (x.at(*tick), number::short(*tick));
        scene.rule("axis", at(across, bottom), at(across, bottom + 4.0));
        let half = width(&label) / 2.0;
        if -(across + half) > free {
            scene.text("tick", Anchor::Middle, at(across, bottom + 18.0), label);
            free = -(across - half - 4.0);
        }
    }
}

/// Places at least a line apart and as near as possible to where each wants to be; `wanted` rises.
fn spread(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut places = wanted.to_vec();
    let mut free = top;
    for place in &mut places {
        *place = place.max(free);
        free = *place + LINE;
    }
    let mut free = bottom;
    for place in places.iter_mut().rev() {
        *place = place.min(free);
        free = *place - LINE;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::super::tests::assert_readable;
    use super::*;

    fn lines(series: usize, steps: &[f64]) -> Lines {
        let series = (0..series).map(|index| {
            let point = |x: &f64| {
                let median = 1_000.0 + index as f64;
                Point { x: *x, median, min: median * 0.9, max: median * 1.1 }
            };
            Series {
                name: format!("a_long_name_of_{index}"),
                class: "s1".to_owned(),
                points: steps.iter().map(point).collect(),
            }
        });
        Lines {
            title: "Title".to_owned(),
            values: "unit",
            steps: "connections",
            series: series.collect(),
        }
    }

    #[test]
    fn names_lie_beside_each_other_even_where_lines_do_not() {
        for series in [1, 5, 24] {
            let scene = lines(series, &[1_000.0, 10_000.0, 19_000.0]).draw().expect("has data");
            assert_readable(&scene);
            // Each with a piece of it beside the name.
            assert_eq!(scene.paths.len(), series * 2);
            assert_eq!(scene.dots.len(), series * 3);
            let names = scene.texts.iter().filter(|text| text.class == "name");
            assert_eq!(names.count(), series);
        }
    }

    #[test]
    fn crowded_steps_lose_their_numbers_but_not_their_ticks() {
        let steps: Vec<_> = (0..60).map(|step| f64::from(1_000 + step * 100)).collect();
        let scene = lines(2, &steps).draw().expect("has data");
        assert_readable(&scene);
        assert_eq!(scene.rules.iter().filter(|rule| rule.class == "axis").count(), 60);
        assert!(scene.texts.iter().any(|text| text.words == "6.9k"));
    }

    #[test]
    fn without_data_there_is_no_plot() {
        assert!(lines(0, &[]).draw().is_none());
        assert!(lines(3, &[]).draw().is_none());
    }

    #[test]
    fn names_stay_where_they_can() {
        assert_eq!(spread(&[10.0, 100.0], 0.0, 200.0), [10.0, 100.0]);
        assert_eq!(spread(&[10.0, 12.0], 0.0, 200.0), [10.0, 25.0]);
        assert_eq!(spread(&[198.0, 199.0], 0.0, 200.0), [185.0, 200.0]);
    }
}
