//! What was measured: samples under stable names, of which the median counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Samples by name. Names don't change between versions: whoever follows them relies on it.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    samples: BTreeMap<String, Vec<f64>>,
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
        self.samples.entry(name.into()).or_default().push(value);
    }

    /// The latest sample.
    pub(crate) fn latest(&self, name: &str) -> Option<f64> {
        self.samples.get(name)?.last().copied()
    }

    fn figure(&self, name: &str) -> Option<Figure> {
        let mut sorted = self.samples.get(name)?.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match sorted.len() % 2 {
            0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
            _ => sorted[middle],
        };
        Some(Figure {
            median,
            min: sorted[0],
            max: sorted[sorted.len() - 1],
            samples: sorted.len(),
        })
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Figure> {
        let names = self.samples.keys();
        names.filter_map(|name| Some((name.clone(), self.figure(name)?))).collect()
    }
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
    }
}
