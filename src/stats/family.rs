//! Families of paired differences, corrected for multiple testing.

use rayon::prelude::*;

use super::paired::PairedTest;
use super::{ALPHA, ConfidenceInterval, LEVEL};

/// One paired difference of a family, with its verdict after correction for the other members.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedDifference {
    /// The weighted mean of arm minus baseline with its 95% interval, which excludes zero if and only if `p_value` is
    /// below .05. Its ends are infinite if there are too few clusters for any such p-value.
    pub interval: ConfidenceInterval,
    /// The two-sided p-value of [`PairedTest`].
    pub p_value: f64,
    /// The p-value after Holm's correction over the family.
    pub p_holm: f64,
    /// The interval at the level at which Holm's procedure tests this difference: it excludes zero if and only if
    /// `p_holm` is below .05.
    pub holm_interval: ConfidenceInterval,
    /// The simultaneous interval (Bonferroni's): those of the whole family hold at once with a probability of 95%, so
    /// each remains valid for a difference that was selected after seeing the results.
    pub simultaneous: ConfidenceInterval,
    /// Number of clusters that the difference is based on.
    pub clusters: usize,
    /// Whether arm and baseline agree in every case.
    pub identical: bool,
}

impl PairedDifference {
    /// The difference of baseline minus arm.
    pub fn reversed(self) -> PairedDifference {
        PairedDifference {
            interval: reversed(self.interval),
            holm_interval: reversed(self.holm_interval),
            simultaneous: reversed(self.simultaneous),
            ..self
        }
    }

    /// The same for rates: the intervals are clipped to -1 to 1.
    pub fn clipped_to_rates(self) -> PairedDifference {
        PairedDifference {
            interval: self.interval.clipped(-1.0, 1.0),
            holm_interval: self.holm_interval.clipped(-1.0, 1.0),
            simultaneous: self.simultaneous.clipped(-1.0, 1.0),
            ..self
        }
    }

    /// Whether it differs from zero after correction.
    pub fn is_significant(&self) -> bool {
        self.p_holm < ALPHA
    }

    /// Whether there are enough clusters for a verdict: with fewer nothing is significant, however much the arms
    /// differ.
    pub fn has_verdict(&self) -> bool {
        self.holm_interval.is_bounded()
    }
}

fn reversed(interval: ConfidenceInterval) -> ConfidenceInterval {
    // Subtracting from zero avoids negative zeros.
    ConfidenceInterval {
        estimate: 0.0 - interval.estimate,
        low: 0.0 - interval.high,
        high: 0.0 - interval.low,
    }
}

/// The differences of a family of `count` tests, in their order. Each test is constructed twice, so that no more of
/// them are in memory than there are threads.
///
/// # Errors
/// The errors of `test`.
pub fn family_differences(
    count: usize,
    test: impl Fn(usize) -> anyhow::Result<PairedTest> + Sync,
) -> anyhow::Result<Vec<PairedDifference>> {
    let strictest = ALPHA / count.max(1) as f64;
    let p_values: Vec<f64> = (0..count)
        .into_par_iter()
        .map(|member| Ok(refined(test(member)?, strictest).p_two_sided(0.0)))
        .collect::<anyhow::Result<_>>()?;
    let (adjusted, sizes) = (holm(&p_values), holm_sizes(&p_values));
    (0..count)
        .into_par_iter()
        .map(|member| {
            let test = refined(test(member)?, strictest);
            Ok(PairedDifference {
                interval: test.interval(LEVEL)?,
                p_value: p_values[member],
                p_holm: adjusted[member],
                holm_interval: test.interval(1.0 - ALPHA / sizes[member] as f64)?,
                simultaneous: test.interval(1.0 - strictest)?,
                clusters: test.clusters,
                identical: test.identical,
            })
        })
        .collect()
}

fn refined(mut test: PairedTest, alpha: f64) -> PairedTest {
    test.refine(0.0, alpha);
    test
}

/// By how many hypotheses Holm's procedure divides [`ALPHA`] for each p-value: by all of them for the smallest
/// p-value, by one less for the next, and so on to the first that it does not reject, where it stops.
fn holm_sizes(p: &[f64]) -> Vec<usize> {
    let order = ascending(p);
    let mut sizes = vec![0; p.len()];
    let mut size = p.len();
    let mut ended = false;
    for i in order {
        sizes[i] = size;
        ended |= p[i] * size as f64 >= ALPHA;
        size -= usize::from(!ended);
    }
    sizes
}

fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    // A stable sort: equal p-values stay in the order of the members.
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    order
}

/// p-values adjusted for testing several hypotheses at once, in the order given: rejecting those at or below a level
/// keeps the probability of any false rejection within that level (Holm, "A Simple Sequentially Rejective Multiple
/// Test Procedure", 1979).
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut adjusted = vec![0.0; p.len()];
    let mut greatest: f64 = 0.0;
    for (rank, i) in ascending(p).into_iter().enumerate() {
        // The running maximum keeps adjusted p-values in the order of the raw ones.
        greatest = greatest.max((p.len() - rank) as f64 * p[i]).min(1.0);
        adjusted[i] = greatest;
    }
    adjusted
}
