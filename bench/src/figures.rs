//! What was measured: samples under stable names, of which the median counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Samples by name. Names don't change between versions: whoever follows them relies on it.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    samples: BTreeMap<String, Vec<f64>>,
    /// Of this repeat.
    latest: BTreeMap<String, f64>,
    /// What could not be measured, and why.
    pub(crate) skipped: BTreeMap<String, String>,
}

/// One figure as `summary.json` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) samples: usize,
}

impl Figures {
    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64) {
        let name = name.into();
        self.latest.insert(name.clone(), value);
        self.samples.entry(name).or_default().push(value);
    }

    /// The latest sample of this repeat.
    pub(crate) fn latest(&self, name: &str) -> Option<f64> {
        self.latest.get(name).copied()
    }

    /// What comes is not to be compared with what was.
    pub(crate) fn begin_repeat(&mut self) {
        self.latest.clear();
    }

    fn figure(&self, name: &str) -> Option<Figure> {
        let samples = self.samples.get(name)?;
        let of = |choose: fn(f64, f64) -> f64| samples.iter().copied().reduce(choose);
        let (min, max) = (of(f64::min)?, of(f64::max)?);
        Some(Figure { median: median(samples.iter().copied())?, min, max, samples: samples.len() })
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Figure> {
        let names = self.samples.keys();
        names.filter_map(|name| Some((name.clone(), self.figure(name)?))).collect()
    }
}

/// The value in the middle, or between the two that are there. `None` of nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<_> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    Some(if sorted.len() % 2 == 0 { f64::midpoint(sorted[middle - 1], upper) } else { upper })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let mut figures = Figures::default();
        assert_eq!(figures.figure("x").map(|figure| figure.median), None);
        for value in [3.0, 1.0, 100.0] {
            figures.add("x", value);
        }
        assert_eq!(figures.figure("x").map(|figure| figure.median), Some(3.0));
        figures.add("x", 4.0);
        assert_eq!(figures.figure("x").map(|figure| figure.median), Some(3.5));
        assert_eq!(figures.latest("x"), Some(4.0));
        figures.begin_repeat();
        assert_eq!(figures.latest("x"), None);
    }
}
