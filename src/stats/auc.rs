//! The area under the ROC curve: how probably a case scores higher than a control, ties one half.
//!
//! Variance and covariance of two areas on the same cases and controls by the method of DeLong, DeLong and
//! Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating characteristic curves: a
//! nonparametric approach", Biometrics 44, 1988.

use anyhow::ensure;
use statrs::distribution::{ContinuousCDF, Normal};

use super::paired::Difference;
use super::{Interval, normal};

/// An area, with what each case and each control adds to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Auc {
    pub area: f64,
    /// By case: the share of controls below it.
    cases: Vec<f64>,
    /// By control: the share of cases above it.
    controls: Vec<f64>,
}

impl Auc {
    /// From the scores of cases and of controls.
    ///
    /// # Errors
    /// Fewer than two of either, or a score that is no number.
    pub fn new(cases: &[f64], controls: &[f64]) -> anyhow::Result<Auc> {
        ensure!(cases.len() > 1 && controls.len() > 1, "an area needs two cases and two controls");
        ensure!(
            cases.iter().chain(controls).all(|score| !score.is_nan()),
            "a score is not a number"
        );
        let sorted = |scores: &[f64]| {
            let mut sorted = scores.to_vec();
            sorted.sort_unstable_by(f64::total_cmp);
            sorted
        };
        let (case_order, control_order) = (sorted(cases), sorted(controls));
        // How many of a sorted list lie below a score, ties one half.
        let below = |list: &[f64], score: f64| {
            let less = list.partition_point(|s| *s < score);
            let equal = list.partition_point(|s| *s <= score) - less;
            (less as f64 + equal as f64 / 2.0) / list.len() as f64
        };
        let by_case: Vec<f64> = cases.iter().map(|s| below(&control_order, *s)).collect();
        let by_control: Vec<f64> = controls.iter().map(|s| 1.0 - below(&case_order, *s)).collect();
        let area = by_case.iter().sum::<f64>() / by_case.len() as f64;
        Ok(Auc { area, cases: by_case, controls: by_control })
    }

    /// How many cases and controls there are.
    pub fn count(&self) -> usize {
        self.cases.len() + self.controls.len()
    }

    /// The normal interval at `level`, within 0 to 1.
    ///
    /// # Errors
    /// A level outside 0 to 1.
    pub fn interval(&self, level: f64) -> anyhow::Result<Interval> {
        let Interval { estimate, low, high } = normal(self.area, covariance(self, self), level)?;
        Ok(Interval { estimate, low: low.max(0.0), high: high.min(1.0) })
    }

    /// How far this area lies above `baseline`, which has the same cases and controls.
    ///
    /// # Errors
    /// Other numbers of cases or controls, a level outside 0 to 1.
    pub fn above(&self, baseline: &Auc, level: f64) -> anyhow::Result<Difference> {
        ensure!(
            self.cases.len() == baseline.cases.len()
                && self.controls.len() == baseline.controls.len(),
            "areas are compared on the same cases and controls"
        );
        let variance = covariance(self, self) + covariance(baseline, baseline)
            - 2.0 * covariance(self, baseline);
        let variance = variance.max(0.0);
        let difference = self.area - baseline.area;
        let interval = normal(difference, variance, level)?;
        let p = match (difference == 0.0, variance > 0.0) {
            (true, _) => 1.0,
            (false, true) => 2.0 * Normal::standard().sf(difference.abs() / variance.sqrt()),
            (false, false) => 0.0,
        };
        Ok(Difference { interval, p })
    }
}

fn covariance(a: &Auc, b: &Auc) -> f64 {
    let part = |x: &[f64], y: &[f64]| {
        let n = x.len() as f64;
        let products = x.iter().zip(y).map(|(x, y)| (x - a.area) * (y - b.area));
        products.sum::<f64>() / (n - 1.0) / n
    };
    part(&a.cases, &b.cases) + part(&a.controls, &b.controls)
}
