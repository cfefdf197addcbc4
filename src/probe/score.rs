//! A score of one embedder, and its line in the scorecard with interval and difference from the first embedder.

use super::clustering;
use crate::stats::{
    self, AreaUnderRoc, ClusterObservation, ConfidenceInterval, LEVEL, MeanDifference, PairedCase,
    PairedTest,
};

/// The part of the scorecard that a score belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScorecardSection {
    Retrieval,
    Composition,
    Geometry,
    Pipeline,
}

impl ScorecardSection {
    pub fn name(self) -> &'static str {
        match self {
            ScorecardSection::Retrieval => "retrieval",
            ScorecardSection::Composition => "composition",
            ScorecardSection::Geometry => "geometry",
            ScorecardSection::Pipeline => "pipeline",
        }
    }
}

/// The data that a score is computed from.
#[derive(Clone, Debug)]
pub enum ScoreSample {
    /// The mean of values from 0 to 1, each with its cluster.
    Rate(Vec<(f64, usize)>),
    /// The mean of values of any size, each with its cluster.
    Mean(Vec<(f64, usize)>),
    Area(AreaUnderRoc),
    /// A property of all texts together, which is not a mean over texts and so has no interval.
    Whole {
        value: f64,
        n: usize,
    },
}

/// A measure of one embedder on one set.
#[derive(Clone, Debug)]
pub struct ProbeScore {
    pub section: ScorecardSection,
    pub set: String,
    pub measure: String,
    pub sample: ScoreSample,
}

/// A line of the scorecard.
#[derive(Clone, Debug, PartialEq)]
pub struct ScorecardRow {
    pub embedder: String,
    pub section: ScorecardSection,
    pub set: String,
    pub measure: String,
    pub value: f64,
    /// 95% interval; `None` for a property of all texts together, and with too few clusters.
    pub interval: Option<(f64, f64)>,
    /// From the first embedder; `None` for the first itself.
    pub difference: Option<f64>,
    pub difference_interval: Option<(f64, f64)>,
    /// Two-sided p-value, not adjusted for multiple comparisons.
    pub p: Option<f64>,
    /// The number of queries, triplets or pairs.
    pub n: usize,
    /// The number of clusters; 0 for a property of all texts together.
    pub clusters: usize,
}

impl ProbeScore {
    /// Whether both are the same measure on the same set, perhaps of different embedders.
    pub fn same_measure(&self, other: &ProbeScore) -> bool {
        self.section == other.section && self.set == other.set && self.measure == other.measure
    }

    /// The line of this score; `baseline` is the same score of the first embedder.
    ///
    /// # Errors
    /// Values out of range, or no values.
    pub fn row(
        &self,
        embedder: &str,
        baseline: Option<&ProbeScore>,
        seed: u64,
    ) -> anyhow::Result<ScorecardRow> {
        let (interval, n) = self.interval()?;
        let estimate = interval.estimate;
        let compared =
            baseline.map(|other| self.difference_from(other, seed)).transpose()?.flatten();
        // A property of all texts together has a difference, but no interval and no p-value.
        let whole = match baseline.map(|other| &other.sample) {
            Some(ScoreSample::Whole { value, .. }) => Some(estimate - value),
            _ => None,
        };
        let sampled = !matches!(self.sample, ScoreSample::Whole { .. });
        Ok(ScorecardRow {
            embedder: embedder.to_owned(),
            section: self.section,
            set: self.set.clone(),
            measure: self.measure.clone(),
            value: estimate,
            interval: bounded_ends(&interval).filter(|_| sampled),
            difference: compared.map(|d| d.interval.estimate).or(whole),
            difference_interval: compared.and_then(|d| bounded_ends(&d.interval)),
            p: compared.map(|d| d.p),
            n,
            clusters: self.clusters(),
        })
    }

    fn clusters(&self) -> usize {
        match &self.sample {
            ScoreSample::Rate(values) | ScoreSample::Mean(values) => {
                clustering::count(&values.iter().map(|value| value.1).collect::<Vec<_>>())
            }
            ScoreSample::Area(auc) => auc.clusters(),
            ScoreSample::Whole { .. } => 0,
        }
    }

    fn interval(&self) -> anyhow::Result<(ConfidenceInterval, usize)> {
        Ok(match &self.sample {
            ScoreSample::Rate(values) => (stats::rate(&observations(values), LEVEL)?, values.len()),
            ScoreSample::Mean(values) => {
                (stats::mean(&observations(values), LEVEL, None)?, values.len())
            }
            ScoreSample::Area(auc) => (auc.interval(LEVEL)?, auc.count()),
            ScoreSample::Whole { value, n } => {
                (ConfidenceInterval { estimate: *value, low: *value, high: *value }, *n)
            }
        })
    }

    /// The paired difference from `baseline`; `None` for a property of all texts together.
    fn difference_from(
        &self,
        baseline: &ProbeScore,
        seed: u64,
    ) -> anyhow::Result<Option<MeanDifference>> {
        Ok(match (&self.sample, &baseline.sample) {
            (ScoreSample::Rate(arm), ScoreSample::Rate(other))
            | (ScoreSample::Mean(arm), ScoreSample::Mean(other)) => {
                Some(PairedTest::new(&paired_cases(arm, other), seed)?.difference(LEVEL)?)
            }
            (ScoreSample::Area(auc), ScoreSample::Area(other)) => {
                Some(auc.difference_from(other, LEVEL)?)
            }
            _ => None,
        })
    }
}

/// The ends of an interval; `None` if they are infinite.
pub(super) fn bounded_ends(of: &ConfidenceInterval) -> Option<(f64, f64)> {
    of.is_bounded().then_some((of.low, of.high))
}

fn observations(values: &[(f64, usize)]) -> Vec<ClusterObservation> {
    values
        .iter()
        .map(|&(value, cluster)| ClusterObservation { value, weight: 1.0, cluster })
        .collect()
}

fn paired_cases(arm: &[(f64, usize)], baseline: &[(f64, usize)]) -> Vec<PairedCase> {
    // Both embedders saw the same cases in the same order, so positions pair them.
    arm.iter()
        .zip(baseline)
        .map(|(&(arm, cluster), &(baseline, _))| PairedCase { baseline, arm, weight: 1.0, cluster })
        .collect()
}
