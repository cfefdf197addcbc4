//! Two arms on the same cases: how much they differ, and whether chance explains it.
//!
//! One test gives both the p-value and the interval. It exchanges the two arms in whole clusters, as if a coin had
//! decided in each of them which arm is which (Fisher's sign-flip test). Against the value `null` it exchanges the signs
//! of T - null W, with T a cluster's sum of weighted differences and W its weight. The sum over flipped clusters F is
//! no smaller than the observed one exactly if T(F) / W(F) is at most `null`: so the one-sided p-value against
//! `null` is the share of subsets of clusters whose weighted mean difference lies at or below it, and the values that the
//! test does not reject lie between two quantiles of these means. They are the typical values of Hartigan, "Using
//! subsample values as typical values", Journal of the American Statistical Association 64, 1969.
//!
//! The p-value is thus monotone in `null`, and the interval excludes a value if and only if the test rejects it.
//!
//! Sign flips are exact where chance alone says which arm is which. Against another value they take the differences to be
//! spread evenly about it, which losses are not: a few large ones make the interval end too early on their side, and
//! with 20 to 40 clusters it is too short altogether, since flips take the spread that was seen for that of the population.
//! So the same question is put to Student's t as well, and both are asked once more what the value would be worth
//! without the skewness ([`Skewness`]). Of the four p-values the largest counts: the test rejects no more often than sign
//! flips alone, and the interval is the shortest one that holds the intervals of all four.

use anyhow::ensure;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::cluster::{Moments, add, totals};
use super::skewness::Skewness;
use super::{ALPHA, Interval, check_level, t_quantile};

/// Up to this many clusters, every subset is counted.
pub const EXACT_CLUSTERS: usize = 16;
/// Beyond, this many subsets are drawn, each with the clusters that it leaves out. The one that is observed makes
/// 20,000.
pub const DRAWS: usize = 19_999;
/// Draws are added until the p-value is further from the level of the test than this many standard errors of
/// sampling it.
const STANDARD_ERRORS: f64 = 4.0;
/// How often ten times as many draws may be taken.
const ENLARGEMENTS: u32 = 2;
/// The fewest drawn subsets that the end of an interval may rest on.
const BEYOND_AN_END: f64 = 50.0;
/// Means that differ by less, relative to the largest mean difference of a cluster, are equal but for rounding.
const ROUNDING: f64 = 1e-12;

/// One case under two arms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The baseline's value.
    pub baseline: f64,
    /// The other arm's value.
    pub arm: f64,
    /// How much the case counts; 0 leaves it out.
    pub weight: f64,
    /// Cases with the same number belong together.
    pub cluster: usize,
}

/// How far an arm lies above the baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The weighted mean of arm minus baseline. With too few clusters for the test to reject anything its ends are
    /// infinite: see [`Interval::is_bounded`].
    pub interval: Interval,
    /// Two-sided, against no difference.
    pub p: f64,
}

/// A paired comparison of two arms, to be tested against any value of their difference.
#[derive(Clone, Debug)]
pub struct PairedTest {
    /// The weighted mean of arm minus baseline.
    pub estimate: f64,
    /// Clusters whose weight is above zero.
    pub clusters: usize,
    /// Whether arm and baseline agree in every case that counts.
    pub identical: bool,
    /// The standard error of `estimate`.
    error: f64,
    skewness: Skewness,
    /// Weighted sum of differences and weight, by cluster.
    totals: Vec<(f64, f64)>,
    /// Weighted mean differences of subsets of clusters, ascending. The empty subset has none.
    means: Vec<f64>,
    /// How many subsets were empty. They speak against no value: at least the one that flips nothing.
    empty: usize,
    tolerance: f64,
    draws: Option<ChaCha8Rng>,
}

impl PairedTest {
    /// Counts all subsets of up to [`EXACT_CLUSTERS`] clusters. Beyond, [`DRAWS`] are drawn, and up to a hundred
    /// times as many where the p-value against no difference is close to [`ALPHA`].
    ///
    /// # Errors
    /// A value or weight that is not finite, a negative weight, no weight above zero.
    pub fn new(pairs: &[Pair], seed: u64) -> anyhow::Result<PairedTest> {
        let finite = pairs.iter().all(|pair| (pair.arm - pair.baseline).is_finite());
        ensure!(finite, "values that are compared are finite");
        let totals = totals(pairs.iter().map(|p| (p.arm - p.baseline, p.weight, p.cluster)))?;
        let counted = pairs.iter().filter(|pair| pair.weight > 0.0);
        let identical = counted.into_iter().all(|pair| pair.arm == pair.baseline);
        let (sum, weight) = add(&totals);
        let Moments { mean, variance, skewness, clusters } = Moments::of_totals(&totals);
        let largest = totals.iter().map(|(sum, weight)| (sum / weight).abs()).fold(0.0, f64::max);
        let mut test = PairedTest {
            estimate: mean,
            clusters,
            identical,
            error: variance.sqrt(),
            skewness,
            totals,
            means: Vec::new(),
            empty: 0,
            tolerance: ROUNDING * largest,
            draws: None,
        };
        if test.clusters <= EXACT_CLUSTERS {
            test.count_all();
        } else {
            // Nothing flipped, and everything: as observed.
            test.add_subset(0.0, 0.0);
            test.add_subset(sum, weight);
            test.draws = Some(ChaCha8Rng::seed_from_u64(seed));
            test.draw(DRAWS);
            test.sharpen(0.0, ALPHA);
        }
        Ok(test)
    }

    /// Draws more subsets, up to a hundred times as many, while sampling leaves it open whether the two-sided p-value
    /// against `null` is below `alpha`, or where an interval at 1 - `alpha` would rest on few of them.
    pub fn sharpen(&mut self, null: f64, alpha: f64) {
        for round in 0..ENLARGEMENTS {
            let drawn = (self.means.len() + self.empty) as f64 / 2.0;
            let error = (alpha * (1.0 - alpha) / drawn).sqrt();
            // Where Student's t does not reject, no further draw can make the test reject.
            let by_t = 2.0 * self.p_by_t_greater(null).min(self.p_by_t_less(null));
            let clear = by_t > alpha
                || (self.p_two_sided(null) - alpha).abs() > STANDARD_ERRORS * error;
            // Once is enough for the end of an interval: beyond that, draws are for verdicts.
            let enough = round > 0 || alpha * drawn > BEYOND_AN_END;
            if self.draws.is_none() || (clear && enough) {
                return;
            }
            self.draw(9 * drawn as usize);
        }
    }

    /// Two-sided: how probable a difference at least this far from `null`, in either direction, would be if the
    /// difference were `null`. The largest of the four p-values described at the top of this file.
    pub fn p_two_sided(&self, null: f64) -> f64 {
        (2.0 * self.p_greater(null).min(self.p_less(null))).min(1.0)
    }

    /// One-sided: how probable a difference at least this large would be if it were `null` at most. Small values are
    /// evidence that it lies above `null`.
    pub fn p_greater(&self, null: f64) -> f64 {
        let limit = null.max(self.without_skewness(null));
        let flips = limit + self.tolerance_at(null);
        let flips = self.share(self.means.partition_point(|mean| *mean <= flips));
        flips.max(self.p_by_t_greater(null))
    }

    /// One-sided, the other way: small values are evidence that the difference lies below `null`.
    pub fn p_less(&self, null: f64) -> f64 {
        let limit = null.min(self.without_skewness(null));
        let flips = limit - self.tolerance_at(null);
        let flips = self.share(self.means.len() - self.means.partition_point(|mean| *mean < flips));
        flips.max(self.p_by_t_less(null))
    }

    /// What Student's t alone says, with and without the skewness.
    fn p_by_t_greater(&self, null: f64) -> f64 {
        self.student(self.estimate - null.max(self.without_skewness(null)))
    }

    /// As [`PairedTest::p_by_t_greater`], the other way.
    fn p_by_t_less(&self, null: f64) -> f64 {
        self.student(null.min(self.without_skewness(null)) - self.estimate)
    }

    /// The values that the two-sided test at 1 - `level` does not reject. Its ends are infinite where no value can
    /// be rejected: n clusters have no p-value below 2 / 2^n, so six are needed at 95%.
    ///
    /// # Errors
    /// A level outside 0 to 1.
    pub fn interval(&self, level: f64) -> anyhow::Result<Interval> {
        check_level(level)?;
        let all = (self.means.len() + self.empty) as f64;
        // The fewest subsets at or beyond a value that is not rejected. 1 - .95 is a little more than .05.
        let least = ((1.0 - level) * all / 2.0 - 1e-6).ceil().max(1.0) as usize;
        let estimate = self.estimate;
        if least <= self.empty {
            return Ok(Interval { estimate, low: f64::NEG_INFINITY, high: f64::INFINITY });
        }
        let place = least - self.empty - 1;
        let (low, high) = (self.means[place], self.means[self.means.len() - 1 - place]);
        let half = self.error * t_quantile(level, self.clusters - 1)?;
        let (low, high) = (low.min(estimate - half), high.max(estimate + half));
        let (low, high) = (low.min(self.with_skewness(low)), high.max(self.with_skewness(high)));
        // The estimate is never rejected; rounding may say otherwise.
        Ok(Interval { estimate, low: low.min(estimate), high: high.max(estimate) })
    }

    /// The interval at `level` and the two-sided p-value against no difference.
    ///
    /// # Errors
    /// A level outside 0 to 1.
    pub fn difference(&self, level: f64) -> anyhow::Result<Difference> {
        Ok(Difference { interval: self.interval(level)?, p: self.p_two_sided(0.0) })
    }

    /// The value that would be as far from the estimate as `null` is, were the clusters' differences not skewed.
    fn without_skewness(&self, null: f64) -> f64 {
        self.transformed(null, Skewness::symmetric)
    }

    /// The inverse of [`PairedTest::without_skewness`].
    fn with_skewness(&self, value: f64) -> f64 {
        self.transformed(value, Skewness::skewed)
    }

    fn transformed(&self, value: f64, by: fn(Skewness, f64) -> f64) -> f64 {
        if self.error == 0.0 {
            return value;
        }
        self.estimate - self.error * by(self.skewness, (self.estimate - value) / self.error)
    }

    /// One-sided, by Student's t: how probable an estimate would be that lies this far on its side, or further. Where the
    /// clusters do not vary, t says nothing.
    fn student(&self, far: f64) -> f64 {
        let freedom = self.clusters.saturating_sub(1) as f64;
        match StudentsT::new(0.0, 1.0, freedom) {
            Ok(t) if self.error > 0.0 => t.sf(far / self.error),
            _ => 0.0,
        }
    }

    fn share(&self, means: usize) -> f64 {
        (means + self.empty) as f64 / (self.means.len() + self.empty) as f64
    }

    fn tolerance_at(&self, null: f64) -> f64 {
        self.tolerance + ROUNDING * null.abs()
    }

    fn add_subset(&mut self, sum: f64, weight: f64) {
        if weight <= 0.0 {
            self.empty += 1;
            return;
        }
        let mean = sum / weight;
        // So that an interval that ends at zero ends there exactly.
        self.means.push(if mean.abs() <= self.tolerance { 0.0 } else { mean });
    }

    fn count_all(&mut self) {
        let tables = Tables::new(&self.totals);
        for set in 0..1u64 << self.clusters {
            let (sum, weight) = tables.sums(&[set]);
            self.add_subset(sum, weight);
        }
        self.means.sort_unstable_by(f64::total_cmp);
    }

    fn draw(&mut self, count: usize) {
        let Some(mut rng) = self.draws.take() else {
            return;
        };
        let tables = Tables::new(&self.totals);
        let (sum, weight) = add(&self.totals);
        let mut words = vec![0; self.clusters.div_ceil(64)];
        for _ in 0..count {
            words.iter_mut().for_each(|word| *word = rng.next_u64());
            let (part, of) = tables.sums(&words);
            self.add_subset(part, of);
            self.add_subset(sum - part, weight - of);
        }
        self.draws = Some(rng);
        self.means.sort_unstable_by(f64::total_cmp);
    }
}

/// Sums over subsets of clusters, eight at a time.
struct Tables(Vec<[(f64, f64); 256]>);

impl Tables {
    fn new(totals: &[(f64, f64)]) -> Tables {
        let tables = totals.chunks(8).map(|chunk| {
            let mut table = [(0.0, 0.0); 256];
            for set in 1..1usize << chunk.len() {
                let (before, last) = (table[set & (set - 1)], chunk[set.trailing_zeros() as usize]);
                table[set] = (before.0 + last.0, before.1 + last.1);
            }
            // Bits past the last cluster mean nothing.
            for set in 1usize << chunk.len()..256 {
                table[set] = table[set % (1 << chunk.len())];
            }
            table
        });
        Tables(tables.collect())
    }

    /// Bit i of the words says whether cluster i is in the subset.
    fn sums(&self, words: &[u64]) -> (f64, f64) {
        let bytes = words.iter().flat_map(|word| word.to_le_bytes());
        self.0.iter().zip(bytes).fold((0.0, 0.0), |(sum, weight), (table, byte)| {
            let part = table[usize::from(byte)];
            (sum + part.0, weight + part.1)
        })
    }
}
