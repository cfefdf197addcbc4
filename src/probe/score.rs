//! One number of one embedder: with its interval, and with its difference from the first embedder.

use crate::stats::{self, Auc, Difference, Interval, LEVEL, Observation, Pair};

/// Which part of the scorecard a number is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Retrieval,
    Composition,
    Geometry,
}

impl Section {
    pub fn name(self) -> &'static str {
        match self {
            Section::Retrieval => "retrieval",
            Section::Composition => "composition",
            Section::Geometry => "geometry",
        }
    }
}

/// What a number is made of.
#[derive(Clone, Debug)]
pub enum Sample {
    /// The mean of values from `range.0` to `range.1`, each with its cluster.
    Mean {
        values: Vec<(f64, usize)>,
        range: (f64, f64),
    },
    Area(Auc),
    /// A property of all texts together, which no single text has a part of.
    Whole {
        value: f64,
        n: usize,
    },
}

#[derive(Clone, Debug)]
pub struct Score {
    pub section: Section,
    pub set: String,
    pub measure: String,
    pub sample: Sample,
}

/// A line of the scorecard.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub embedder: String,
    pub section: Section,
    pub set: String,
    pub measure: String,
    pub value: f64,
    /// 95%; `None` for a property of all texts together.
    pub interval: Option<(f64, f64)>,
    /// From the first embedder; `None` for the first itself.
    pub difference: Option<f64>,
    pub difference_interval: Option<(f64, f64)>,
    /// Two-sided, not adjusted for how many are compared.
    pub p: Option<f64>,
    /// Queries, triplets or pairs behind the number.
    pub n: usize,
}

impl Score {
    pub fn is_same(&self, other: &Score) -> bool {
        self.section == other.section && self.set == other.set && self.measure == other.measure
    }

    /// # Errors
    /// Values out of range, or none.
    pub fn row(&self, embedder: &str, baseline: Option<&Score>, seed: u64) -> anyhow::Result<Row> {
        let (Interval { estimate, low, high }, n) = self.interval()?;
        let compared = baseline.map(|other| self.above(other, seed)).transpose()?.flatten();
        let whole = match baseline.map(|other| &other.sample) {
            Some(Sample::Whole { value, .. }) => Some(estimate - value),
            _ => None,
        };
        let sampled = !matches!(self.sample, Sample::Whole { .. });
        Ok(Row {
            embedder: embedder.to_owned(),
            section: self.section,
            set: self.set.clone(),
            measure: self.measure.clone(),
            value: estimate,
            interval: sampled.then_some((low, high)),
            difference: compared.map(|d| d.interval.estimate).or(whole),
            difference_interval: compared.map(|d| (d.interval.low, d.interval.high)),
            p: compared.map(|d| d.p),
            n,
        })
    }

    fn interval(&self) -> anyhow::Result<(Interval, usize)> {
        Ok(match &self.sample {
            Sample::Mean { values, range } => {
                let observations: Vec<Observation> = values
                    .iter()
                    .map(|&(value, cluster)| Observation { value, weight: 1.0, cluster })
                    .collect();
                let interval = match range {
                    (0.0, 1.0) => stats::rate(&observations, LEVEL)?,
                    _ => stats::mean(&observations, LEVEL)?,
                };
                (interval, values.len())
            }
            Sample::Area(auc) => (auc.interval(LEVEL)?, auc.count()),
            Sample::Whole { value, n } => {
                (Interval { estimate: *value, low: *value, high: *value }, *n)
            }
        })
    }

    /// How far this lies above `baseline`, case by case.
    fn above(&self, baseline: &Score, seed: u64) -> anyhow::Result<Option<Difference>> {
        Ok(match (&self.sample, &baseline.sample) {
            (Sample::Mean { values, range: (low, high) }, Sample::Mean { values: other, .. })
                if values.len() == other.len() =>
            {
                // The paired test takes values from 0 to 1.
                let width = high - low;
                let unit = |value: f64| ((value - low) / width).clamp(0.0, 1.0);
                let pairs: Vec<Pair> = values
                    .iter()
                    .zip(other)
                    .map(|(&(arm, cluster), &(baseline, _))| Pair {
                        baseline: unit(baseline),
                        arm: unit(arm),
                        weight: 1.0,
                        cluster,
                    })
                    .collect();
                let Difference { interval: Interval { estimate, low, high }, p } =
                    stats::difference(&pairs, LEVEL, seed)?;
                let wide = |value: f64| value * width;
                let interval =
                    Interval { estimate: wide(estimate), low: wide(low), high: wide(high) };
                Some(Difference { interval, p })
            }
            (Sample::Area(auc), Sample::Area(other)) => Some(auc.above(other, LEVEL)?),
            _ => None,
        })
    }
}
