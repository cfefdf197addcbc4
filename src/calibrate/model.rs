//! The posterior density of a reader's rates given recorded answers, its maximum and its curvature there.

use anyhow::{Context, ensure};
use nalgebra::{DMatrix, DVector};

use super::table::{ObservationTable, SlotCounts};
use super::working_rates::{RATES, WorkingRates, from_working, logistic, prior_exponents};
use crate::scenario::ReaderParameter;
use crate::step::reader::ReaderRates;

/// A number that is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Coordinate {
    /// A rate in [`WorkingRates`], of all fields that have none of their own.
    Rate(ReaderParameter),
    /// The rate of a field. A priori it is normal around the common one, which must be a coordinate, with this standard
    /// deviation. (Offsets from the common rate would say the same, but depend on it in the posterior.)
    Field { rate: ReaderParameter, field: usize, spread: f64 },
}

/// The posterior density of some coordinates.
pub(super) struct PosteriorModel<'t> {
    pub table: &'t ObservationTable,
    pub counts: SlotCounts,
    pub coordinates: Vec<Coordinate>,
    /// The rates that are not coordinates stay as here.
    pub fixed: WorkingRates,
}

/// The maximum of a posterior density.
pub(super) struct PosteriorMode {
    pub point: Vec<f64>,
    /// The inverse of the information there: of Fisher's expected information and of the prior's.
    pub covariance: DMatrix<f64>,
}

/// The step of numerical derivatives, on the logit scale.
const DERIVATIVE_STEP: f64 = 1e-4;

/// The most steps of the search for the maximum. Along a ridge, where two rates explain the same answers, it is slow.
const MOST_SEARCH_STEPS: usize = 3000;

impl<'t> PosteriorModel<'t> {
    /// All rates as coordinates, the same for all fields.
    pub fn pooled(
        table: &'t ObservationTable,
        counts: SlotCounts,
        fixed: WorkingRates,
    ) -> PosteriorModel<'t> {
        let coordinates = ReaderParameter::ALL.iter().map(|&rate| Coordinate::Rate(rate)).collect();
        PosteriorModel { table, counts, coordinates, fixed }
    }

    /// A point near the fixed rates. It stays away from 0 and 1, where likelihoods are too steep or too
    /// flat for a search.
    pub fn start(&self) -> Vec<f64> {
        let start = |coordinate: &Coordinate| match *coordinate {
            Coordinate::Rate(rate) | Coordinate::Field { rate, .. } => {
                self.fixed[rate as usize].clamp(-2.5, 2.5)
            }
        };
        self.coordinates.iter().map(start).collect()
    }

    /// By field: its working rates at a point.
    pub fn working_by_field(&self, point: &[f64]) -> Vec<WorkingRates> {
        let mut pooled = self.fixed;
        for (coordinate, value) in self.coordinates.iter().zip(point) {
            if let Coordinate::Rate(rate) = *coordinate {
                pooled[rate as usize] = *value;
            }
        }
        let mut by_field = vec![pooled; self.table.fields.len()];
        for (coordinate, value) in self.coordinates.iter().zip(point) {
            if let Coordinate::Field { rate, field, .. } = *coordinate {
                by_field[field][rate as usize] = *value;
            }
        }
        by_field
    }

    /// By field: its rates at a point.
    pub fn rates_by_field(&self, point: &[f64]) -> Vec<ReaderRates> {
        self.working_by_field(point).iter().map(from_working).collect()
    }

    /// The logarithm of the posterior density, up to a constant. `p` is scratch space.
    pub fn log_density(&self, point: &[f64], p: &mut Vec<f64>) -> f64 {
        self.table.write_probabilities(&self.rates_by_field(point), p);
        self.log_prior(point) + self.counts.log_likelihood(p)
    }

    /// The gradient of the log density, and the information: Fisher's, expected at this point, and the prior's.
    pub fn derivatives(&self, point: &[f64]) -> (DVector<f64>, DMatrix<f64>) {
        let size = point.len();
        let (mut gradient, mut information) = (DVector::zeros(size), DMatrix::zeros(size, size));
        let working = self.working_by_field(point);
        let mut scratch = Vec::new();
        for (field, working) in working.iter().enumerate() {
            let targets = self.coordinates_by_rate(field);
            // Rates that no coordinate moves need no derivative.
            let moved: Vec<usize> = (0..RATES).filter(|&rate| !targets[rate].is_empty()).collect();
            let rates = from_working(working);
            let shifted: Vec<[ReaderRates; 2]> = moved
                .iter()
                .map(|&rate| {
                    [1.0, -1.0].map(|sign| {
                        let mut shifted = *working;
                        shifted[rate] += sign * DERIVATIVE_STEP;
                        from_working(&shifted)
                    })
                })
                .collect();
            for (at, structure) in self.table.structures.iter().enumerate() {
                let reads = self.counts.reads[at];
                if structure.field != field || reads == 0.0 {
                    continue;
                }
                let slots = structure.classes.len();
                let (mut p, mut up, mut down) =
                    (vec![0.0; slots], vec![0.0; slots], vec![0.0; slots]);
                structure.write_probabilities(&rates, &mut scratch, &mut p);
                let counts = &self.counts.by_slot[structure.slots()];
                // The derivatives of the probabilities, for the rates on which they depend.
                let mut slopes: Vec<(usize, Vec<f64>)> = Vec::new();
                for (&rate, [above, below]) in moved.iter().zip(&shifted) {
                    structure.write_probabilities(above, &mut scratch, &mut up);
                    structure.write_probabilities(below, &mut scratch, &mut down);
                    if up != down {
                        let slope = up.iter().zip(&down);
                        let slope = slope.map(|(up, down)| (up - down) / (2.0 * DERIVATIVE_STEP));
                        slopes.push((rate, slope.collect()));
                    }
                }
                for (place, (rate, slope)) in slopes.iter().enumerate() {
                    let observed = counts.iter().zip(&p).zip(slope);
                    let observed = observed.filter(|((count, _), _)| **count > 0.0);
                    let score: f64 = observed.map(|((count, p), slope)| count * slope / p).sum();
                    for &target in &targets[*rate] {
                        gradient[target] += score;
                    }
                    for (other, other_slope) in &slopes[..=place] {
                        let products = slope.iter().zip(other_slope).zip(&p);
                        let products = products.filter(|(_, p)| **p > 0.0);
                        let sum: f64 = products.map(|((one, other), p)| one * other / p).sum();
                        for &row in &targets[*rate] {
                            for &column in &targets[*other] {
                                information[(row, column)] += reads * sum;
                                if rate != other {
                                    information[(column, row)] += reads * sum;
                                }
                            }
                        }
                    }
                }
            }
        }
        self.add_prior_derivatives(point, &mut gradient, &mut information);
        (gradient, information)
    }

    /// The log density of the prior on the working scale, up to a constant.
    fn log_prior(&self, point: &[f64]) -> f64 {
        let log_prior = |(coordinate, &x): (&Coordinate, &f64)| match *coordinate {
            // The derivative of the logistic function, p (1-p), raises both exponents of the density by one.
            Coordinate::Rate(rate) => {
                let (a, b) = prior_exponents(rate);
                // ln p and ln (1-p) without loss of precision at either end.
                a * -(-x).exp().ln_1p() - b * x.exp().ln_1p()
            }
            Coordinate::Field { rate, spread, .. } => {
                -0.5 * ((x - point[self.common(rate)]) / spread).powi(2)
            }
        };
        self.coordinates.iter().zip(point).map(log_prior).sum()
    }

    fn add_prior_derivatives(
        &self,
        point: &[f64],
        gradient: &mut DVector<f64>,
        information: &mut DMatrix<f64>,
    ) {
        for (at, (coordinate, &x)) in self.coordinates.iter().zip(point).enumerate() {
            match *coordinate {
                Coordinate::Rate(rate) => {
                    let ((a, b), p) = (prior_exponents(rate), logistic(x));
                    gradient[at] += a - (a + b) * p;
                    information[(at, at)] += (a + b) * p * (1.0 - p);
                }
                Coordinate::Field { rate, spread, .. } => {
                    let (common, precision) = (self.common(rate), spread.powi(-2));
                    let pull = (x - point[common]) * precision;
                    gradient[at] -= pull;
                    gradient[common] += pull;
                    information[(at, at)] += precision;
                    information[(common, common)] += precision;
                    information[(at, common)] -= precision;
                    information[(common, at)] -= precision;
                }
            }
        }
    }

    /// The position of a rate common to fields; of the first coordinate, if it is none.
    fn common(&self, rate: ReaderParameter) -> usize {
        self.coordinates.iter().position(|of| *of == Coordinate::Rate(rate)).unwrap_or_default()
    }

    /// By rate: the position of the coordinate that is its value for this field, if any.
    fn coordinates_by_rate(&self, field: usize) -> Vec<Vec<usize>> {
        let mut targets = vec![Vec::new(); RATES];
        for (at, coordinate) in self.coordinates.iter().enumerate() {
            match *coordinate {
                Coordinate::Rate(rate) => targets[rate as usize].push(at),
                // A field's own rate replaces the common one, which comes first.
                Coordinate::Field { rate, field: of, .. } if of == field => {
                    targets[rate as usize] = vec![at];
                }
                Coordinate::Field { .. } => {}
            }
        }
        targets
    }

    /// The maximum of the density, by Fisher scoring with step halving.
    ///
    /// # Errors
    /// If an observed answer is impossible where the search starts, or the search does not end.
    pub fn maximise(&self) -> anyhow::Result<PosteriorMode> {
        let (mut point, mut scratch) = (DVector::from_vec(self.start()), Vec::new());
        let mut height = self.log_density(point.as_slice(), &mut scratch);
        ensure!(height.is_finite(), "an observed answer is impossible at the reference rates");
        for _ in 0..MOST_SEARCH_STEPS {
            let (gradient, information) = self.derivatives(point.as_slice());
            let factor = information.cholesky().context("the information is not positive")?;
            let mut step = factor.solve(&gradient);
            // Far from the maximum the quadratic approximation may reach too far.
            step *= (3.0 / step.amax()).min(1.0);
            let gain = gradient.dot(&step);
            if gain < 1e-7 {
                return Ok(PosteriorMode {
                    point: point.as_slice().to_vec(),
                    covariance: factor.inverse(),
                });
            }
            let mut share = 1.0;
            loop {
                let next = &point + share * &step;
                let reached = self.log_density(next.as_slice(), &mut scratch);
                if reached >= height {
                    (point, height) = (next, reached);
                    break;
                }
                share /= 2.0;
                if share < 1e-6 {
                    // No step improves any more: rounding errors exceed what is left to gain.
                    ensure!(gain < 1e-3, "the search for the most probable rates is stuck");
                    return Ok(PosteriorMode {
                        point: point.as_slice().to_vec(),
                        covariance: factor.inverse(),
                    });
                }
            }
        }
        anyhow::bail!("the search for the most probable rates did not end")
    }
}

impl Coordinate {
    /// Those of the rate that it is the value of.
    pub fn prior_exponents(self) -> (f64, f64) {
        match self {
            Coordinate::Rate(rate) | Coordinate::Field { rate, .. } => prior_exponents(rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::observation::{ObservedAnswer, ObservedReading};
    use super::super::working_rates::to_working;
    use super::*;
    use crate::step::reader::{FieldReading, ReaderModel, ValuePool};
    use crate::value::TypedValue;
    use crate::world::{Corpus, Passage};

    /// Readings of a model that is right wherever it can be, so that most kinds of answers never occur.
    #[test]
    fn the_gradient_is_that_of_the_density_where_few_kinds_of_answers_occur() {
        let passages = (0..4).map(|n| Passage {
            id: n.to_string(),
            text: String::new(),
            entity: None,
            attribute: None,
            facts: [("n".to_owned(), TypedValue::Number(f64::from(n)))].into_iter().collect(),
            of: None,
            variant: None,
        });
        let corpus =
            Corpus { name: "c".to_owned(), passages: passages.collect(), ..Corpus::default() };
        let pool = ValuePool::for_field(&corpus, "n");
        let gold = BTreeSet::from([1]);
        let contexts: [&[u32]; 5] = [&[1], &[0, 1, 2], &[1, 3], &[2, 3], &[]];
        let observed: Vec<ObservedReading> = contexts
            .into_iter()
            .enumerate()
            .map(|(unit, context)| {
                let reading =
                    FieldReading { corpus: &corpus, gold: &gold, field: "n", pool: &pool, context };
                let answer = match context.contains(&1) {
                    true => ObservedAnswer::Value(TypedValue::Number(1.0)),
                    false => ObservedAnswer::NotStated,
                };
                ObservedReading { reading, unit, step: 0, answers: vec![(answer, 1.0)] }
            })
            .collect();
        let table = ObservationTable::new(&observed);
        let reference = ReaderModel::new("gpt-4o", &Default::default()).unwrap().rates("");
        let model = PosteriorModel::pooled(&table, table.counts(|_| true), to_working(&reference));
        let (point, mut scratch) = (model.start(), Vec::new());
        let (gradient, _) = model.derivatives(&point);
        for at in 0..point.len() {
            let mut height = |by: f64| {
                let mut moved = point.clone();
                moved[at] += by;
                model.log_density(&moved, &mut scratch)
            };
            let slope = (height(1e-5) - height(-1e-5)) / 2e-5;
            assert!((gradient[at] - slope).abs() < 1e-5, "{at}: {} against {slope}", gradient[at]);
        }
        model.maximise().unwrap();
    }
}
