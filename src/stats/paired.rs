//! Paired comparison of two arms on the same cases: how much they differ, and whether chance explains the difference.
//!
//! One test gives both the p-value and the interval. It exchanges the two arms in whole clusters, as if a coin had
//! decided in each cluster which arm is which (Fisher's sign-flip test). For the null value `null` it flips the signs
//! of T - null W, where T is a cluster's sum of weighted differences and W its weight. The sum with the set F of
//! clusters flipped is no smaller than the observed one exactly if T(F) / W(F) is at most `null`. The one-sided
//! p-value against `null` is therefore the share of subsets of clusters whose weighted mean difference is at or below
//! it, and the values that the test does not reject lie between two quantiles of these means. They are the typical
//! values of Hartigan, "Using subsample values as typical values", Journal of the American Statistical Association
//! 64, 1969.
//!
//! The p-value is therefore monotone in `null`, and the interval excludes a value if and only if the test rejects it.
//!
//! Sign flips are exact if chance alone decides which arm is which. For other null values they assume that the
//! differences are distributed symmetrically about `null`, which losses are not: a few large ones make the interval
//! end too early on their side, and with 20 to 40 clusters the interval is too short on both sides, because flips use
//! the observed spread as that of the population. Therefore Student's t is computed as well, and both are also
//! evaluated at the value corrected for skewness ([`SkewnessCorrection`]). The largest of the four p-values counts: the test
//! rejects no more often than sign flips alone, and the interval is the smallest one that contains the intervals of
//! all four.

use anyhow::ensure;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::cluster::{ClusterMoments, cluster_totals, sum_totals};
use super::skewness::SkewnessCorrection;
use super::{ALPHA, ConfidenceInterval, check_level, t_quantile};

/// Up to this many clusters, every subset is enumerated.
pub const EXACT_CLUSTERS: usize = 16;
/// With more clusters, this many subsets are drawn, each together with its complement. With the observed assignment
/// that makes 20,000.
pub const DRAWS: usize = 19_999;
/// Draws are added until the p-value differs from the level of the test by more than this many standard errors of the
/// sampling.
const STANDARD_ERRORS: f64 = 4.0;
/// How many times the number of draws may be increased tenfold.
const ENLARGEMENTS: u32 = 2;
/// The smallest number of drawn subsets that may determine an end of an interval.
const MIN_TAIL_SUBSETS: f64 = 50.0;
/// Means that differ by less than this, relative to the largest mean difference of a cluster, differ only by
/// rounding.
const ROUNDING: f64 = 1e-12;

/// One case under two arms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedCase {
    /// The baseline's value.
    pub baseline: f64,
    /// The other arm's value.
    pub arm: f64,
    /// The weight of the case; 0 excludes it.
    pub weight: f64,
    /// Cases with the same number belong to the same cluster.
    pub cluster: usize,
}

/// The difference between an arm and the baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanDifference {
    /// The weighted mean of arm minus baseline. Its ends are infinite if there are too few clusters for the test to
    /// reject anything: see [`ConfidenceInterval::is_bounded`].
    pub interval: ConfidenceInterval,
    /// The two-sided p-value against no difference.
    pub p: f64,
}

/// A paired comparison of two arms that can be tested against any value of their difference.
#[derive(Clone, Debug)]
pub struct PairedTest {
    /// The weighted mean of arm minus baseline.
    pub estimate: f64,
    /// Number of clusters with positive weight.
    pub clusters: usize,
    /// Whether arm and baseline agree in every case with positive weight.
    pub identical: bool,
    /// The standard error of `estimate`.
    error: f64,
    skewness: SkewnessCorrection,
    /// Weighted sum of differences and sum of weights, by cluster.
    totals: Vec<(f64, f64)>,
    /// Weighted mean differences of subsets of clusters, in ascending order. The empty subset has none.
    means: Vec<f64>,
    /// Number of empty subsets: at least the one that flips nothing. They count towards every p-value.
    empty_subsets: usize,
    tolerance: f64,
    draws: Option<ChaCha8Rng>,
}

impl PairedTest {
    /// Enumerates all subsets of up to [`EXACT_CLUSTERS`] clusters. With more clusters, [`DRAWS`] subsets are drawn,
    /// and up to a hundred times as many if the p-value against no difference is close to [`ALPHA`].
    ///
    /// # Errors
    /// If a value or weight is not finite, a weight is negative, or no weight is above zero.
    pub fn new(pairs: &[PairedCase], seed: u64) -> anyhow::Result<PairedTest> {
        let finite = pairs.iter().all(|pair| (pair.arm - pair.baseline).is_finite());
        ensure!(finite, "values that are compared are finite");
        let totals =
            cluster_totals(pairs.iter().map(|p| (p.arm - p.baseline, p.weight, p.cluster)))?;
        let counted = pairs.iter().filter(|pair| pair.weight > 0.0);
        let identical = counted.into_iter().all(|pair| pair.arm == pair.baseline);
        let (sum, weight) = sum_totals(&totals);
        let ClusterMoments { mean, variance, skewness, clusters } =
            ClusterMoments::of_totals(&totals);
        let largest = totals.iter().map(|(sum, weight)| (sum / weight).abs()).fold(0.0, f64::max);
        let mut test = PairedTest {
            estimate: mean,
            clusters,
            identical,
            error: variance.sqrt(),
            skewness,
            totals,
            means: Vec::new(),
            empty_subsets: 0,
            tolerance: ROUNDING * largest,
            draws: None,
        };
        if test.clusters <= EXACT_CLUSTERS {
            test.enumerate_subsets();
        } else {
            // The observed assignment: nothing flipped, and everything flipped.
            test.add_subset(0.0, 0.0);
            test.add_subset(sum, weight);
            test.draws = Some(ChaCha8Rng::seed_from_u64(seed));
            test.draw_subsets(DRAWS);
            test.refine(0.0, ALPHA);
        }
        Ok(test)
    }

    /// Draws more subsets, up to a hundred times as many, while sampling error leaves open whether the two-sided
    /// p-value against `null` is below `alpha`, or if an interval at 1 - `alpha` would be determined by few of them.
    pub fn refine(&mut self, null: f64, alpha: f64) {
        for round in 0..ENLARGEMENTS {
            let drawn = (self.means.len() + self.empty_subsets) as f64 / 2.0;
            let error = (alpha * (1.0 - alpha) / drawn).sqrt();
            // Where Student's t does not reject, no further draw can make the test reject.
            let by_t = 2.0 * self.p_by_t_greater(null).min(self.p_by_t_less(null));
            let clear =
                by_t > alpha || (self.p_two_sided(null) - alpha).abs() > STANDARD_ERRORS * error;
            // One increase suffices for the ends of intervals; further draws are only for verdicts.
            let enough = round > 0 || alpha * drawn > MIN_TAIL_SUBSETS;
            if self.draws.is_none() || (clear && enough) {
                return;
            }
            self.draw_subsets(9 * drawn as usize);
        }
    }

    /// The two-sided p-value, the largest of four (see the module documentation): the probability of a difference at
    /// least this far from `null`, in either direction, if the true difference were `null` and each cluster as likely
    /// to lie above it as below.
    pub fn p_two_sided(&self, null: f64) -> f64 {
        (2.0 * self.p_greater(null).min(self.p_less(null))).min(1.0)
    }

    /// The one-sided p-value of a difference at least this large if the true one were at most `null`. Small values
    /// are evidence that it is greater than `null`.
    pub fn p_greater(&self, null: f64) -> f64 {
        let limit = null.max(self.without_skewness(null));
        let flips = limit + self.tolerance_at(null);
        let flips = self.share(self.means.partition_point(|mean| *mean <= flips));
        flips.max(self.p_by_t_greater(null))
    }

    /// The one-sided p-value in the opposite direction: small values are evidence that the difference is less than
    /// `null`.
    pub fn p_less(&self, null: f64) -> f64 {
        let limit = null.min(self.without_skewness(null));
        let flips = limit - self.tolerance_at(null);
        let flips = self.share(self.means.len() - self.means.partition_point(|mean| *mean < flips));
        flips.max(self.p_by_t_less(null))
    }

    /// The part of [`PairedTest::p_greater`] that comes from Student's t, with and without the skewness.
    fn p_by_t_greater(&self, null: f64) -> f64 {
        self.t_p_value(self.estimate - null.max(self.without_skewness(null)))
    }

    /// The same in the opposite direction.
    fn p_by_t_less(&self, null: f64) -> f64 {
        self.t_p_value(null.min(self.without_skewness(null)) - self.estimate)
    }

    /// The values that the two-sided test at 1 - `level` does not reject. The ends are infinite if no value can be
    /// rejected: n clusters have no p-value below 2 / 2^n, so six are needed at 95%.
    ///
    /// # Errors
    /// If the level is outside 0 to 1.
    pub fn interval(&self, level: f64) -> anyhow::Result<ConfidenceInterval> {
        check_level(level)?;
        let all = (self.means.len() + self.empty_subsets) as f64;
        // The smallest number of subsets at or beyond a value that is not rejected. The tolerance is for rounding: 1
        // - .95 is slightly more than .05.
        let least = ((1.0 - level) * all / 2.0 - 1e-6).ceil().max(1.0) as usize;
        let estimate = self.estimate;
        if least <= self.empty_subsets {
            return Ok(ConfidenceInterval {
                estimate,
                low: f64::NEG_INFINITY,
                high: f64::INFINITY,
            });
        }
        let place = least - self.empty_subsets - 1;
        let (low, high) = (self.means[place], self.means[self.means.len() - 1 - place]);
        let half = self.error * t_quantile(level, self.clusters - 1)?;
        let (low, high) = (low.min(estimate - half), high.max(estimate + half));
        let (low, high) = (low.min(self.with_skewness(low)), high.max(self.with_skewness(high)));
        // The estimate itself is never rejected, but rounding could exclude it.
        Ok(ConfidenceInterval { estimate, low: low.min(estimate), high: high.max(estimate) })
    }

    /// The interval at `level` and the two-sided p-value against no difference.
    ///
    /// # Errors
    /// If the level is outside 0 to 1.
    pub fn difference(&self, level: f64) -> anyhow::Result<MeanDifference> {
        Ok(MeanDifference { interval: self.interval(level)?, p: self.p_two_sided(0.0) })
    }

    /// The value that would be as far from the estimate as `null` is if the clusters' differences were not skewed.
    fn without_skewness(&self, null: f64) -> f64 {
        self.transformed(null, SkewnessCorrection::to_symmetric)
    }

    /// The inverse of [`PairedTest::without_skewness`].
    fn with_skewness(&self, value: f64) -> f64 {
        self.transformed(value, SkewnessCorrection::to_skewed)
    }

    fn transformed(&self, value: f64, by: fn(SkewnessCorrection, f64) -> f64) -> f64 {
        if self.error == 0.0 {
            return value;
        }
        self.estimate - self.error * by(self.skewness, (self.estimate - value) / self.error)
    }

    /// The one-sided p-value by Student's t of an estimate this far from the null value, or further. 0 if the
    /// clusters do not vary, so that the sign flips alone decide.
    fn t_p_value(&self, far: f64) -> f64 {
        let freedom = self.clusters.saturating_sub(1) as f64;
        match StudentsT::new(0.0, 1.0, freedom) {
            Ok(t) if self.error > 0.0 => t.sf(far / self.error),
            _ => 0.0,
        }
    }

    fn share(&self, means: usize) -> f64 {
        (means + self.empty_subsets) as f64 / (self.means.len() + self.empty_subsets) as f64
    }

    fn tolerance_at(&self, null: f64) -> f64 {
        self.tolerance + ROUNDING * null.abs()
    }

    fn add_subset(&mut self, sum: f64, weight: f64) {
        if weight <= 0.0 {
            self.empty_subsets += 1;
            return;
        }
        let mean = sum / weight;
        // Exact zero, so that an interval that ends at zero does so exactly.
        self.means.push(if mean.abs() <= self.tolerance { 0.0 } else { mean });
    }

    fn enumerate_subsets(&mut self) {
        let tables = SubsetSumTables::new(&self.totals);
        for set in 0..1u64 << self.clusters {
            let (sum, weight) = tables.sums(&[set]);
            self.add_subset(sum, weight);
        }
        self.means.sort_unstable_by(f64::total_cmp);
    }

    fn draw_subsets(&mut self, count: usize) {
        let Some(mut rng) = self.draws.take() else {
            return;
        };
        let tables = SubsetSumTables::new(&self.totals);
        let (sum, weight) = sum_totals(&self.totals);
        let mut words = vec![0; self.clusters.div_ceil(64)];
        for _ in 0..count {
            words.iter_mut().for_each(|word| *word = rng.next_u64());
            let (part, part_weight) = tables.sums(&words);
            self.add_subset(part, part_weight);
            self.add_subset(sum - part, weight - part_weight);
        }
        self.draws = Some(rng);
        self.means.sort_unstable_by(f64::total_cmp);
    }
}

/// Lookup tables for the sums over subsets of clusters, one table per eight clusters.
struct SubsetSumTables(Vec<[(f64, f64); 256]>);

impl SubsetSumTables {
    fn new(totals: &[(f64, f64)]) -> SubsetSumTables {
        let tables = totals.chunks(8).map(|chunk| {
            let mut table = [(0.0, 0.0); 256];
            for set in 1..1usize << chunk.len() {
                // Each subset is a smaller one plus its lowest cluster, so the table takes one addition per entry.
                let (before, last) = (table[set & (set - 1)], chunk[set.trailing_zeros() as usize]);
                table[set] = (before.0 + last.0, before.1 + last.1);
            }
            // Bits beyond the last cluster are ignored.
            for set in 1usize << chunk.len()..256 {
                table[set] = table[set % (1 << chunk.len())];
            }
            table
        });
        SubsetSumTables(tables.collect())
    }

    /// The sums over a subset; bit i of `words` says whether cluster i is in it.
    fn sums(&self, words: &[u64]) -> (f64, f64) {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes());
        self.0.iter().zip(bytes).fold((0.0, 0.0), |(sum, weight), (table, byte)| {
            let part = table[usize::from(byte)];
            (sum + part.0, weight + part.1)
        })
    }
}
