//! Prediction intervals of rates over a finite set of tasks.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::kernel::OUTCOMES;

/// The number of simulated sets of outcomes.
const REPLICATES: usize = 4000;
/// The share of replicates below and above an interval of 95%.
const TAIL: f64 = 0.025;

/// A predicted rate with its 95% prediction interval: where the rate of one real run over the same tasks is expected.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PredictedRate {
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
}

/// The probabilities of the outcomes of all tasks under several draws of the rates.
pub struct SimulatedOutcomes<'a> {
    /// By draw, then by task.
    pub draws: &'a [Vec<[f64; OUTCOMES]>],
    /// By task.
    pub weights: &'a [f64],
    /// By task: the number of its unit.
    pub units: &'a [usize],
    pub seed: u64,
}

/// By outcome: the weighted mean of its probability over the tasks.
pub fn rates(outcomes: &[[f64; OUTCOMES]], weights: &[f64]) -> [f64; OUTCOMES] {
    let total: f64 = weights.iter().sum();
    let mut rates = [0.0; OUTCOMES];
    for (of_task, weight) in outcomes.iter().zip(weights) {
        for (rate, p) in rates.iter_mut().zip(of_task) {
            *rate += p * weight / total;
        }
    }
    rates
}

impl SimulatedOutcomes<'_> {
    /// By outcome: its rate.
    ///
    /// A replicate takes one draw of the rates and one uniform number for each unit, which decides the outcome of all
    /// its tasks: tasks of a unit share readings, so their outcomes rise and fall together. How closely is not known,
    /// and this is the closest possible, so intervals are rather too wide.
    pub fn rates(&self) -> [PredictedRate; OUTCOMES] {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let total: f64 = self.weights.iter().sum();
        let mut replicates: Vec<[f64; OUTCOMES]> = Vec::with_capacity(REPLICATES);
        for replicate in 0..REPLICATES {
            let draw = &self.draws[replicate % self.draws.len()];
            let mut numbers: BTreeMap<usize, f64> = BTreeMap::new();
            let mut sums = [0.0; OUTCOMES];
            for ((outcomes, weight), unit) in draw.iter().zip(self.weights).zip(self.units) {
                let number = *numbers.entry(*unit).or_insert_with(|| random.random::<f64>());
                sums[outcome_at(outcomes, number)] += weight / total;
            }
            replicates.push(sums);
        }
        let mut estimates = [0.0; OUTCOMES];
        for draw in self.draws {
            for (sum, rate) in estimates.iter_mut().zip(rates(draw, self.weights)) {
                *sum += rate / self.draws.len() as f64;
            }
        }
        std::array::from_fn(|outcome| {
            let mut sorted: Vec<f64> = replicates.iter().map(|sums| sums[outcome]).collect();
            sorted.sort_by(f64::total_cmp);
            let at = |share: f64| sorted[(share * (REPLICATES - 1) as f64).round() as usize];
            PredictedRate { estimate: estimates[outcome], low: at(TAIL), high: at(1.0 - TAIL) }
        })
    }
}

/// The outcome that a uniform number from 0 to 1 falls on.
fn outcome_at(outcomes: &[f64; OUTCOMES], number: f64) -> usize {
    let mut left = number * outcomes.iter().sum::<f64>();
    for (outcome, p) in outcomes.iter().enumerate() {
        if left < *p {
            return outcome;
        }
        left -= p;
    }
    // Rounding: the last outcome that is possible.
    outcomes.iter().rposition(|p| *p > 0.0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(failure: f64) -> [f64; OUTCOMES] {
        let mut all = [0.0; OUTCOMES];
        all[0] = 1.0 - failure;
        all[OUTCOMES - 1] = failure;
        all
    }

    #[test]
    fn a_number_falls_on_an_outcome_in_proportion_to_its_probability() {
        let mut all = [0.0; OUTCOMES];
        (all[1], all[3]) = (0.25, 0.75);
        let at = |number| outcome_at(&all, number);
        assert_eq!([at(0.0), at(0.249), at(0.25), at(0.999_999), at(1.0)], [1, 1, 3, 3, 3]);
        // Sums that rounding leaves a little off 1.
        (all[1], all[3]) = (0.1, 0.3);
        assert_eq!([outcome_at(&all, 0.2), outcome_at(&all, 0.3)], [1, 3]);
    }

    #[test]
    fn certain_outcomes_have_no_width_and_units_widen_an_interval() {
        let certain = vec![vec![outcomes(0.0), outcomes(1.0)]];
        let weights = [1.0; 2];
        let simulated =
            SimulatedOutcomes { draws: &certain, weights: &weights, units: &[0, 1], seed: 1 };
        let failure = simulated.rates()[OUTCOMES - 1];
        assert_eq!((failure.low, failure.estimate, failure.high), (0.5, 0.5, 0.5));

        let draws = vec![vec![outcomes(0.3); 200]];
        let weights = [1.0; 200];
        let alone: Vec<usize> = (0..200).collect();
        let together: Vec<usize> = (0..200).map(|task| task / 4).collect();
        let width = |units: &[usize]| {
            let of = SimulatedOutcomes { draws: &draws, weights: &weights, units, seed: 1 };
            let rate = of.rates()[OUTCOMES - 1];
            assert!((rate.estimate - 0.3).abs() < 1e-12);
            rate.high - rate.low
        };
        // Normal widths: 3.92 sqrt(.3 .7 / n), with 200 and with 50 independent units.
        assert!((width(&alone) - 0.127).abs() < 0.015, "{}", width(&alone));
        assert!((width(&together) - 0.254).abs() < 0.03, "{}", width(&together));
    }
}
