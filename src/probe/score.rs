//! One number of one embedder: with its interval, and with its difference from the first embedder.

use super::shared;
use crate::stats::{self, Auc, Difference, Interval, LEVEL, Observation, Pair, PairedTest};

/// Which part of the scorecard a number is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Retrieval,
    Composition,
    Geometry,
    Pipeline,
}

impl Section {
    pub fn name(self) -> &'static str {
        match self {
            Section::Retrieval => "retrieval",
            Section::Composition => "composition",
            Section::Geometry => "geometry",
            Section::Pipeline => "pipeline",
        }
    }
}

/// What a number is made of.
#[derive(Clone, Debug)]
pub enum Sample {
    /// The mean of values from 0 to 1, each with its cluster.
    Rate(Vec<(f64, usize)>),
    /// The mean of values of any size, each with its cluster.
    Mean(Vec<(f64, usize)>),
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
    /// 95%; `None` for a property of all texts together, and where too few clusters say anything.
    pub interval: Option<(f64, f64)>,
    /// From the first embedder; `None` for the first itself.
    pub difference: Option<f64>,
    pub difference_interval: Option<(f64, f64)>,
    /// Two-sided, not adjusted for how many are compared.
    pub p: Option<f64>,
    /// Queries, triplets or pairs behind the number.
    pub n: usize,
    /// Clusters of them that share no text; 0 for a property of all texts together.
    pub clusters: usize,
}

impl Score {
    pub fn is_same(&self, other: &Score) -> bool {
        self.section == other.section && self.set == other.set && self.measure == other.measure
    }

    /// # Errors
    /// Values out of range, or none.
    pub fn row(&self, embedder: &str, baseline: Option<&Score>, seed: u64) -> anyhow::Result<Row> {
        let (interval, n) = self.interval()?;
        let estimate = interval.estimate;
        let compared = baseline.map(|other| self.above(other, seed)).transpose()?.flatten();
        let whole = match baseline.map(|other| &other.sample) {
            Some(Sample::Whole { value, .. }) => Some(estimate - value),
            _ => None,
        };
        let sampled = !matches!(self.sample, Sample::Whole { .. });
        let ends = |of: &Interval| of.is_bounded().then_some((of.low, of.high));
        Ok(Row {
            embedder: embedder.to_owned(),
            section: self.section,
            set: self.set.clone(),
            measure: self.measure.clone(),
            value: estimate,
            interval: ends(&interval).filter(|_| sampled),
            difference: compared.map(|d| d.interval.estimate).or(whole),
            difference_interval: compared.and_then(|d| ends(&d.interval)),
            p: compared.map(|d| d.p),
            n,
            clusters: self.clusters(),
        })
    }

    fn clusters(&self) -> usize {
        match &self.sample {
            Sample::Rate(values) | Sample::Mean(values) => {
                shared::count(&values.iter().map(|value| value.1).collect::<Vec<_>>())
            }
            Sample::Area(auc) => auc.clusters(),
            Sample::Whole { .. } => 0,
        }
    }

    fn interval(&self) -> anyhow::Result<(Interval, usize)> {
        let observations = |values: &[(f64, usize)]| -> Vec<Observation> {
            let one = |&(value, cluster)| Observation { value, weight: 1.0, cluster };
            values.iter().map(one).collect()
        };
        Ok(match &self.sample {
            Sample::Rate(values) => (stats::rate(&observations(values), LEVEL)?, values.len()),
            Sample::Mean(values) => {
                (stats::mean(&observations(values), LEVEL, None)?, values.len())
            }
            Sample::Area(auc) => (auc.interval(LEVEL)?, auc.count()),
            Sample::Whole { value, n } => {
                (Interval { estimate: *value, low: *value, high: *value }, *n)
            }
        })
    }

    /// How far this lies above `baseline`, case by case.
    fn above(&self, baseline: &Score, seed: u64) -> anyhow::Result<Option<Difference>> {
        let pairs =
            |arm: &[(f64, usize)], baseline: &[(f64, usize)]| -> Vec<Pair> {
                let pair = |(&(arm, cluster), &(baseline, _)): (&(f64, usize), &(f64, usize))| {
                    Pair { baseline, arm, weight: 1.0, cluster }
                };
                arm.iter().zip(baseline).map(pair).collect()
            };
        Ok(match (&self.sample, &baseline.sample) {
            (Sample::Rate(arm), Sample::Rate(other)) | (Sample::Mean(arm), Sample::Mean(other)) => {
                Some(PairedTest::new(&pairs(arm, other), seed)?.difference(LEVEL)?)
            }
            (Sample::Area(auc), Sample::Area(other)) => Some(auc.above(other, LEVEL)?),
            _ => None,
        })
    }
}
