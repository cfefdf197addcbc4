//! Whether fields are read at different rates: one decision for each rate, by the log score of units left out.
//!
//! The rate of a field is the common one plus an offset on the logit scale. Offsets are normal around a mean, which is
//! zero up to sampling, with a standard deviation that is estimated from the data (empirical Bayes), so fields with few
//! readings stay close to the others. A rate has offsets only if they predict the answers of units that were left out
//! better than a common rate does, by more than the standard error of the difference over units.

use std::ops::RangeInclusive;

use super::model::{Coordinate, PosteriorModel};
use super::table::{ObservationTable, SlotCounts};
use super::working_rates::{WorkingRates, from_working};
use crate::scenario::ReaderParameter;

/// The number of parts into which units are divided, each left out once.
const FOLDS: usize = 5;

/// Offsets are considered at these distances from the common rate, in tenths on the logit scale.
const OFFSETS: RangeInclusive<i32> = -40..=40;

/// The standard deviations of offsets that are tried; 0 means that fields do not differ. Smaller differences than those
/// of the first one would hardly matter.
const SPREADS: [f64; 5] = [0.0, 0.5, 1.0, 1.5, 2.0];

/// The result for one rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldComparison {
    pub rate: ReaderParameter,
    /// By how much the log score of all units left out is better with offsets, and the standard error of that.
    pub gain: f64,
    pub standard_error: f64,
    /// The standard deviation of the offsets; 0 if a common rate is kept.
    pub spread: f64,
}

/// Compares common rates with rates by field, one rate after the other, best first, each given those chosen before.
///
/// # Errors
/// If a fit fails.
pub(super) fn compare_fields(
    table: &ObservationTable,
    rates: &[ReaderParameter],
    fixed: WorkingRates,
) -> anyhow::Result<Vec<FieldComparison>> {
    let folds = FOLDS.min(table.units.len());
    if folds < 2 || table.fields.len() < 2 {
        return Ok(Vec::new());
    }
    let mut states = Vec::new();
    for fold in 0..folds {
        let counts = table.counts(|read| read.unit % folds != fold);
        states.push(FittedFields::pooled(table, counts, rates, fixed)?);
    }
    let mut whole = FittedFields::pooled(table, table.counts(|_| true), rates, fixed)?;
    let mut comparisons: Vec<FieldComparison> = Vec::new();
    let mut left = rates.to_vec();
    while !left.is_empty() {
        let tried = left.iter().map(|&rate| {
            let fitted = states.iter().map(|state| state.with_offsets(rate).0).collect();
            held_out_gain(table, &states, fitted, rate)
        });
        let tried: Vec<(FieldComparison, Vec<FittedFields>)> = tried.collect();
        let ratio = |of: &FieldComparison| of.gain - of.standard_error;
        let best = tried.iter().enumerate().max_by(|a, b| ratio(&a.1.0).total_cmp(&ratio(&b.1.0)));
        let Some((at, (best, _))) = best.filter(|(_, (of, _))| ratio(of) > 0.0) else {
            comparisons.extend(tried.into_iter().map(|(of, _)| of));
            break;
        };
        let (with_offsets, spread) = whole.with_offsets(best.rate);
        comparisons.push(FieldComparison { spread, ..*best });
        whole = with_offsets;
        left.remove(at);
        states = tried.into_iter().nth(at).map(|(_, fitted)| fitted).unwrap_or_default();
    }
    Ok(comparisons)
}

/// The gain of fits with offsets over those without, each on the units that it does not know.
fn held_out_gain<'t>(
    table: &ObservationTable,
    without: &[FittedFields],
    with: Vec<FittedFields<'t>>,
    rate: ReaderParameter,
) -> (FieldComparison, Vec<FittedFields<'t>>) {
    let folds = without.len();
    let mut by_unit = vec![0.0; table.units.len()];
    let (mut common, mut own) = (Vec::new(), Vec::new());
    for (fold, (without, with)) in without.iter().zip(&with).enumerate() {
        without.write_probabilities(&mut common);
        with.write_probabilities(&mut own);
        for read in table.reads.iter().filter(|read| read.unit % folds == fold) {
            for &(slot, share) in &read.answers {
                let slot = table.structures[read.structure].start + slot;
                if common[slot] > 0.0 && own[slot] > 0.0 {
                    by_unit[read.unit] += share * (own[slot] / common[slot]).ln();
                }
            }
        }
    }
    let units = by_unit.len() as f64;
    let gain: f64 = by_unit.iter().sum();
    let squares: f64 = by_unit.iter().map(|of| (of - gain / units).powi(2)).sum();
    let standard_error = (squares * units / (units - 1.0)).sqrt();
    (FieldComparison { rate, gain, standard_error, spread: 0.0 }, with)
}

/// Rates fitted to some of the units, with the offsets found so far.
struct FittedFields<'t> {
    table: &'t ObservationTable,
    counts: SlotCounts,
    by_field: Vec<WorkingRates>,
}

impl<'t> FittedFields<'t> {
    fn pooled(
        table: &'t ObservationTable,
        counts: SlotCounts,
        rates: &[ReaderParameter],
        fixed: WorkingRates,
    ) -> anyhow::Result<FittedFields<'t>> {
        let coordinates = rates.iter().map(|&rate| Coordinate::Rate(rate)).collect();
        let model = PosteriorModel { table, counts, coordinates, fixed };
        let by_field = model.working_by_field(&model.maximise()?.point);
        Ok(FittedFields { table, counts: model.counts, by_field })
    }

    fn write_probabilities(&self, p: &mut Vec<f64>) {
        let rates: Vec<_> = self.by_field.iter().map(from_working).collect();
        self.table.write_probabilities(&rates, p);
    }

    /// The same with offsets of one more rate, at their posterior means, and their standard deviation.
    fn with_offsets(&self, rate: ReaderParameter) -> (FittedFields<'t>, f64) {
        let likelihoods = self.likelihoods_by_offset(rate);
        let mut best = (f64::NEG_INFINITY, Vec::new(), 0.0);
        for spread in SPREADS {
            // Fields with many readings have most weight in the common rate, so the mean over fields may differ from it.
            for mean in (-8..=8).map(|tenths| f64::from(tenths) / 10.0) {
                if spread == 0.0 && mean != 0.0 {
                    continue;
                }
                let fits =
                    likelihoods.iter().map(|of_field| posterior_offset(of_field, mean, spread));
                let (evidence, offsets): (Vec<f64>, Vec<f64>) = fits.unzip();
                let evidence: f64 = evidence.iter().sum();
                if evidence > best.0 {
                    best = (evidence, offsets, spread);
                }
            }
        }
        let (_, offsets, spread) = best;
        let mut by_field = self.by_field.clone();
        for (working, offset) in by_field.iter_mut().zip(offsets) {
            working[rate as usize] += offset;
        }
        (FittedFields { table: self.table, counts: self.counts.clone(), by_field }, spread)
    }

    /// By field, then by offset: the log-likelihood of the field's readings.
    fn likelihoods_by_offset(&self, rate: ReaderParameter) -> Vec<Vec<f64>> {
        let mut likelihoods = vec![Vec::new(); self.by_field.len()];
        let mut p = Vec::new();
        for tenths in OFFSETS {
            let moved = self.by_field.iter().map(|working| {
                let mut moved = *working;
                moved[rate as usize] += f64::from(tenths) / 10.0;
                from_working(&moved)
            });
            self.table.write_probabilities(&moved.collect::<Vec<_>>(), &mut p);
            let mut sums = vec![0.0; self.by_field.len()];
            for structure in &self.table.structures {
                let counts = &self.counts.by_slot[structure.slots()];
                let observed = counts.iter().zip(&p[structure.slots()]);
                let observed = observed.filter(|(count, _)| **count > 0.0);
                sums[structure.field] += observed.map(|(count, p)| count * p.ln()).sum::<f64>();
            }
            for (of_field, sum) in likelihoods.iter_mut().zip(sums) {
                of_field.push(sum);
            }
        }
        likelihoods
    }
}

/// The log marginal likelihood of a field whose offset is normal, and the posterior mean of the offset.
fn posterior_offset(likelihoods: &[f64], mean: f64, spread: f64) -> (f64, f64) {
    let offsets = OFFSETS.map(|tenths| f64::from(tenths) / 10.0);
    if spread == 0.0 {
        return (likelihoods[likelihoods.len() / 2], 0.0);
    }
    let highest = likelihoods.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (mut total, mut moment, mut prior) = (0.0, 0.0, 0.0);
    for (offset, likelihood) in offsets.zip(likelihoods) {
        let density = (-0.5 * ((offset - mean) / spread).powi(2)).exp();
        let weight = density * (likelihood - highest).exp();
        total += weight;
        moment += weight * offset;
        prior += density;
    }
    (highest + (total / prior).ln(), moment / total)
}
