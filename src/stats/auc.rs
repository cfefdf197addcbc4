//! The area under the ROC curve: the probability that a case scores higher than a control, with ties counted one
//! half.
//!
//! Variance and covariance of two areas on the same cases and controls by the method of DeLong, DeLong and
//! Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating characteristic curves: a
//! nonparametric approach", Biometrics 44, 1988. If cases and controls come in clusters, the contribution of each
//! cluster to the area is one observation, as in Obuchowski, "Nonparametric analysis of clustered ROC curve data",
//! Biometrics 53, 1997.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::ensure;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use super::paired::MeanDifference;
use super::{ConfidenceInterval, check_level, t_quantile};

/// An area, with the contribution of each case and each control (the placement values).
#[derive(Clone, Debug, PartialEq)]
pub struct AreaUnderRoc {
    pub area: f64,
    /// By case: the share of controls that score below it.
    cases: Vec<f64>,
    /// By control: the share of cases that score above it.
    controls: Vec<f64>,
    /// The clusters of cases and of controls, numbered from 0; `None` if each observation is its own cluster.
    clusters: Option<(Vec<usize>, Vec<usize>)>,
}

impl AreaUnderRoc {
    /// The area for the scores of cases and of controls.
    ///
    /// # Errors
    /// If there are fewer than two of either, or a score is NaN.
    pub fn new(cases: &[f64], controls: &[f64]) -> anyhow::Result<AreaUnderRoc> {
        ensure!(cases.len() > 1 && controls.len() > 1, "an area needs two cases and two controls");
        ensure!(
            cases.iter().chain(controls).all(|score| !score.is_nan()),
            "a score is not a number"
        );
        let (case_order, control_order) = (sorted(cases), sorted(controls));
        let by_case: Vec<f64> = cases.iter().map(|s| share_below(&control_order, *s)).collect();
        let by_control: Vec<f64> =
            controls.iter().map(|s| 1.0 - share_below(&case_order, *s)).collect();
        let area = by_case.iter().sum::<f64>() / by_case.len() as f64;
        Ok(AreaUnderRoc { area, cases: by_case, controls: by_control, clusters: None })
    }

    /// The area for scores with the cluster of each; a cluster may contain both cases and controls.
    ///
    /// # Errors
    /// As [`AreaUnderRoc::new`].
    pub fn clustered(
        cases: &[(f64, usize)],
        controls: &[(f64, usize)],
    ) -> anyhow::Result<AreaUnderRoc> {
        // Numbered in ascending order, so that areas over the same clusters get the same numbers.
        let known: BTreeSet<usize> = cases.iter().chain(controls).map(|(_, c)| *c).collect();
        let numbers: BTreeMap<usize, usize> = known.into_iter().zip(0..).collect();
        let [of_cases, of_controls] = [cases, controls]
            .map(|scored| scored.iter().map(|(_, c)| numbers[c]).collect::<Vec<usize>>());
        let [cases, controls] = [cases, controls]
            .map(|scored| scored.iter().map(|(score, _)| *score).collect::<Vec<f64>>());
        let clusters = Some((of_cases, of_controls));
        Ok(AreaUnderRoc { clusters, ..AreaUnderRoc::new(&cases, &controls)? })
    }

    /// The number of clusters, or of cases and controls if each is its own cluster.
    pub fn clusters(&self) -> usize {
        self.clusters.as_ref().map_or(self.count(), |(cases, controls)| {
            cases.iter().chain(controls).max().map_or(0, |last| last + 1)
        })
    }

    /// The number of cases and controls.
    pub fn count(&self) -> usize {
        self.cases.len() + self.controls.len()
    }

    /// The interval at `level`, clipped to 0 to 1: normal, or for clusters Student's t with one degree of freedom
    /// less than there are clusters. With one cluster its ends are infinite.
    ///
    /// # Errors
    /// If the level is outside 0 to 1.
    pub fn interval(&self, level: f64) -> anyhow::Result<ConfidenceInterval> {
        let interval = self.interval_around(self.area, covariance(self, self), level)?;
        if !interval.is_bounded() {
            return Ok(interval);
        }
        Ok(ConfidenceInterval {
            low: interval.low.max(0.0),
            high: interval.high.min(1.0),
            ..interval
        })
    }

    /// The difference between this area and `baseline`, which must have the same cases and controls.
    ///
    /// # Errors
    /// If the numbers of cases or controls or their clusters differ, or the level is outside 0 to 1.
    pub fn difference_from(
        &self,
        baseline: &AreaUnderRoc,
        level: f64,
    ) -> anyhow::Result<MeanDifference> {
        ensure!(
            self.cases.len() == baseline.cases.len()
                && self.controls.len() == baseline.controls.len()
                && self.clusters == baseline.clusters,
            "areas are compared on the same cases and controls"
        );
        let variance = covariance(self, self) + covariance(baseline, baseline)
            - 2.0 * covariance(self, baseline);
        // Rounding can make the variance of two nearly equal areas negative.
        let variance = variance.max(0.0);
        let difference = self.area - baseline.area;
        let interval = self.interval_around(difference, variance, level)?;
        let p = match (difference == 0.0 || self.clusters() == 1, variance > 0.0) {
            (true, _) => 1.0,
            (false, true) => self.two_sided_p(difference.abs() / variance.sqrt())?,
            (false, false) => 0.0,
        };
        Ok(MeanDifference { interval, p })
    }

    fn interval_around(
        &self,
        estimate: f64,
        variance: f64,
        level: f64,
    ) -> anyhow::Result<ConfidenceInterval> {
        check_level(level)?;
        let quantile = match &self.clusters {
            None => Normal::standard().inverse_cdf(0.5 + level / 2.0),
            Some(_) if self.clusters() == 1 => f64::INFINITY,
            Some(_) => t_quantile(level, self.clusters() - 1)?,
        };
        let half = if quantile.is_finite() { quantile * variance.sqrt() } else { quantile };
        Ok(ConfidenceInterval { estimate, low: estimate - half, high: estimate + half })
    }

    /// The two-sided tail probability of a statistic of this absolute value.
    fn two_sided_p(&self, size: f64) -> anyhow::Result<f64> {
        Ok(2.0
            * match &self.clusters {
                None => Normal::standard().sf(size),
                Some(_) => StudentsT::new(0.0, 1.0, (self.clusters() - 1) as f64)?.sf(size),
            })
    }
}

fn sorted(scores: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// The share of a sorted list below a score, ties counted one half.
fn share_below(list: &[f64], score: f64) -> f64 {
    let less = list.partition_point(|s| *s < score);
    let equal = list.partition_point(|s| *s <= score) - less;
    (less as f64 + equal as f64 / 2.0) / list.len() as f64
}

/// The contribution of each cluster to an area: the deviations of its cases and controls from the average.
fn cluster_contributions(
    area: &AreaUnderRoc,
    (cases, controls): &(Vec<usize>, Vec<usize>),
) -> Vec<f64> {
    let mut parts = vec![0.0; area.clusters()];
    for (values, clusters) in [(&area.cases, cases), (&area.controls, controls)] {
        for (value, &cluster) in values.iter().zip(clusters) {
            parts[cluster] += (value - area.area) / values.len() as f64;
        }
    }
    parts
}

fn covariance(a: &AreaUnderRoc, b: &AreaUnderRoc) -> f64 {
    if let (Some(of_a), Some(of_b)) = (&a.clusters, &b.clusters) {
        let count = a.clusters() as f64;
        let products = cluster_contributions(a, of_a)
            .into_iter()
            .zip(cluster_contributions(b, of_b))
            .map(|(x, y)| x * y);
        return count / (count - 1.0).max(1.0) * products.sum::<f64>();
    }
    let parts = [(&a.cases, &b.cases), (&a.controls, &b.controls)].map(|(x, y)| {
        let n = x.len() as f64;
        let products = x.iter().zip(y).map(|(x, y)| (x - a.area) * (y - b.area));
        products.sum::<f64>() / (n - 1.0) / n
    });
    parts[0] + parts[1]
}
