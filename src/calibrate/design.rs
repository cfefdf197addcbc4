//! Which readings to record, so that rates are known as precisely as possible.

use nalgebra::DMatrix;
use rustc_hash::FxHashMap;

use super::table::ReadingStructure;
use super::working_rates::{RATES, from_working, logistic, logit, prior_exponents, to_working};
use crate::scenario::ReaderParameter;
use crate::step::reader::{FieldReading, ReaderRates};

/// Rates are taken as at least this far from 0 and 1. A rate of 0 could not be learned from any reading, and a preset
/// has 0 where nothing is known as well.
const LEAST_RATE: f64 = 0.02;

/// The most informative readings among the candidates: `count` of their indices (or all, if there are fewer), in the
/// order in which they are chosen.
///
/// Each step adds the reading that increases the determinant of the information most (greedy D-optimal design). The
/// information is Fisher's, expected at `rates` on the logit scale, and starts with that of the prior.
pub fn choose_reads(candidates: &[FieldReading], rates: &ReaderRates, count: usize) -> Vec<usize> {
    let rates = rates.map(|rate| rate.clamp(LEAST_RATE, 1.0 - LEAST_RATE));
    let mut working = to_working(&rates);
    for x in &mut working {
        *x = x.clamp(logit(LEAST_RATE), logit(1.0 - LEAST_RATE));
    }
    // Candidates of one structure are interchangeable.
    let mut known: FxHashMap<String, usize> = FxHashMap::default();
    let mut designs: Vec<CandidateClass> = Vec::new();
    for (index, reading) in candidates.iter().enumerate() {
        let structure = ReadingStructure::new(reading, 0);
        let class = *known.entry(structure.key()).or_insert_with(|| {
            designs.push(CandidateClass {
                slopes: scaled_slopes(&structure, &working),
                left: Vec::new(),
            });
            designs.len() - 1
        });
        designs[class].left.push(index);
    }
    for class in &mut designs {
        class.left.reverse();
    }
    // The inverse of the information so far.
    let mut covariance = DMatrix::zeros(RATES, RATES);
    for &rate in ReaderParameter::ALL {
        let at = rate as usize;
        let ((a, b), p) = (prior_exponents(rate), logistic(working[at]));
        covariance[(at, at)] = 1.0 / ((a + b) * p * (1.0 - p));
    }
    let mut chosen = Vec::new();
    while chosen.len() < count {
        let gains = designs.iter().enumerate().filter(|(_, class)| !class.left.is_empty());
        let gains = gains.map(|(at, class)| (class.gain(&covariance), at));
        // Of equal gains, the first.
        let best = gains.reduce(|best, next| if next.0 > best.0 { next } else { best });
        let Some((_, best)) = best else { break };
        chosen.extend(designs[best].left.pop());
        // Woodbury's identity, one class of answers after the other.
        for slope in designs[best].slopes.column_iter() {
            let moved = &covariance * slope;
            let scale = 1.0 + slope.dot(&moved);
            covariance -= &moved * moved.transpose() / scale;
        }
    }
    chosen
}

/// Candidates of one structure.
struct CandidateClass {
    /// One column a class of answers: the derivatives of its probability by each rate, divided by the root of the
    /// probability. The information of a reading is this matrix times its transpose.
    slopes: DMatrix<f64>,
    /// Those not yet chosen, the first one last.
    left: Vec<usize>,
}

impl CandidateClass {
    /// By how much a reading increases the logarithm of the determinant of the information.
    fn gain(&self, covariance: &DMatrix<f64>) -> f64 {
        let classes = self.slopes.ncols();
        let product = self.slopes.transpose() * covariance * &self.slopes;
        (DMatrix::identity(classes, classes) + product).determinant().ln()
    }
}

fn scaled_slopes(structure: &ReadingStructure, working: &[f64; RATES]) -> DMatrix<f64> {
    const STEP: f64 = 1e-4;
    let classes = structure.classes.len();
    let mut scratch = Vec::new();
    let mut at = |working: &[f64; RATES]| {
        let mut p = vec![0.0; classes];
        structure.write_probabilities(&from_working(working), &mut scratch, &mut p);
        p
    };
    let p = at(working);
    let mut slopes = DMatrix::zeros(RATES, classes);
    for rate in 0..RATES {
        let [up, down] = [STEP, -STEP].map(|step| {
            let mut moved = *working;
            moved[rate] += step;
            at(&moved)
        });
        for class in (0..classes).filter(|&class| p[class] > 0.0) {
            slopes[(rate, class)] = (up[class] - down[class]) / (2.0 * STEP) / p[class].sqrt();
        }
    }
    slopes
}
