//! The rates of a reader, fitted to recorded answers.

use std::collections::BTreeMap;

use anyhow::ensure;

use super::fields::{FieldComparison, compare_fields};
use super::model::{Coordinate, PosteriorModel};
use super::sampler::{SamplerDiagnostics, sample};
use super::table::ObservationTable;
use super::working_rates::{
    RATES, WorkingRates, from_working, logistic, prior_exponents, to_working,
};
use crate::scenario::{ReaderParameter, ReaderParameters};
use crate::step::reader::{FieldRates, ReaderRates};

/// A rate is informed if its posterior is as narrow as after this many direct observations of it. With fewer, the prior
/// has a large part in it, and the reference is the better guess.
pub const FEWEST_EFFECTIVE_READS: f64 = 3.0;

/// How rates are fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitSettings {
    /// The number of posterior draws to return.
    pub draws: usize,
    pub seed: u64,
    /// Whether to look for differences between fields. They are left out all the same if the rates of single fields do
    /// not converge.
    pub by_field: bool,
}

impl Default for FitSettings {
    fn default() -> FitSettings {
        FitSettings { draws: 1000, seed: 1, by_field: true }
    }
}

/// What the answers say about one rate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RateEstimate {
    /// The posterior mean; the reference value if the rate is not informed.
    pub value: f64,
    /// The ends of the central 95% of the posterior; `None` if the rate is not informed: then the answers say next to
    /// nothing about it.
    pub interval: Option<(f64, f64)>,
    /// The number of readings whose answers depend on the rate.
    pub reads: usize,
    /// The number of direct observations of the rate, such as coin tosses, that would be as informative.
    pub effective_reads: f64,
}

impl RateEstimate {
    pub fn is_informed(&self) -> bool {
        self.interval.is_some()
    }
}

/// A rate of one field that differs from the common one.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldRateEstimate {
    pub field: String,
    pub rate: ReaderParameter,
    pub value: f64,
    /// The ends of the central 95% of the posterior.
    pub interval: (f64, f64),
    /// The number of readings of the field.
    pub reads: usize,
}

/// All rates of a reader: a posterior draw, or the posterior means.
#[derive(Clone, Debug, PartialEq)]
pub struct RatesDraw {
    pub pooled: ReaderRates,
    /// The rates of fields that differ from these.
    pub by_field: FieldRates,
}

impl RatesDraw {
    /// The rates at which a field is read.
    pub fn rates(&self, field: &str) -> ReaderRates {
        let mut rates = self.pooled;
        if let Some(own) = self.by_field.get(field) {
            for &rate in ReaderParameter::ALL {
                if let Some(value) = *own.get(rate) {
                    *rates.get_mut(rate) = value;
                }
            }
        }
        rates
    }

    pub(super) fn rates_by_field(&self, table: &ObservationTable) -> Vec<ReaderRates> {
        table.fields.iter().map(|field| self.rates(field)).collect()
    }
}

/// Rates fitted to recorded answers.
#[derive(Clone, Debug)]
pub struct ReaderFit {
    /// The rates of fields that have none of their own.
    pub rates: ReaderParameters<RateEstimate>,
    /// The rates by field, for those rates in which fields differ.
    pub by_field: Vec<FieldRateEstimate>,
    /// The posterior means.
    pub mean: RatesDraw,
    pub draws: Vec<RatesDraw>,
    /// For each informed rate: whether fields differ in it.
    pub comparisons: Vec<FieldComparison>,
    pub diagnostics: SamplerDiagnostics,
    /// The number of readings that were fitted.
    pub reads: usize,
}

/// Fits rates to observations. `reference` are the rates of those about which the observations say nothing: a preset's.
///
/// # Errors
/// If there are no observations, or the computation does not converge.
pub fn fit(
    table: &ObservationTable,
    reference: &ReaderRates,
    settings: &FitSettings,
) -> anyhow::Result<ReaderFit> {
    ensure!(table.reads() > 0, "there is no reading to fit rates to");
    let fixed = to_working(reference);
    let effective = effective_reads(table, fixed)?;
    let informed = |rate: &&ReaderParameter| effective[**rate as usize] >= FEWEST_EFFECTIVE_READS;
    let rates: Vec<ReaderParameter> =
        ReaderParameter::ALL.iter().filter(informed).copied().collect();
    ensure!(!rates.is_empty(), "{} readings are too few to fit any rate", table.reads());
    let comparisons = match settings.by_field {
        // What cannot be compared, because a part of the readings is too small to be fitted, shows no difference.
        true => compare_fields(table, &rates, fixed).unwrap_or_default(),
        false => Vec::new(),
    };
    let mut coordinates: Vec<Coordinate> =
        rates.iter().map(|&rate| Coordinate::Rate(rate)).collect();
    for of in comparisons.iter().filter(|of| of.spread > 0.0) {
        let own = |field| Coordinate::Field { rate: of.rate, field, spread: of.spread };
        coordinates.extend((0..table.fields.len()).map(own));
    }
    let model = PosteriorModel { table, counts: table.counts(|_| true), coordinates, fixed };
    let sampled = model.maximise().and_then(|mode| sample(&model, &mode, settings.seed));
    // With few readings a field, what is common to the fields and what is a field's own cannot always be told apart.
    let without_fields = FitSettings { by_field: false, ..*settings };
    let (points, diagnostics) = match sampled {
        Err(_) if model.coordinates.len() > rates.len() => {
            return fit(table, reference, &without_fields);
        }
        sampled => sampled?,
    };
    let differing: Vec<ReaderParameter> =
        comparisons.iter().filter(|of| of.spread > 0.0).map(|of| of.rate).collect();
    let all: Vec<RatesDraw> =
        points.iter().map(|point| rates_at(&model, point, &rates, reference, &differing)).collect();
    let dependent = table.dependent_reads();
    let mut estimates = ReaderParameters::<RateEstimate>::default();
    for &rate in ReaderParameter::ALL {
        let values = all.iter().map(|draw| *draw.pooled.get(rate)).collect();
        let (value, interval) = mean_and_interval(values);
        let is_informed = rates.contains(&rate);
        *estimates.get_mut(rate) = RateEstimate {
            value: if is_informed { value } else { *reference.get(rate) },
            interval: is_informed.then_some(interval),
            reads: dependent[rate as usize],
            effective_reads: effective[rate as usize],
        };
    }
    let by_field = field_estimates(table, &all);
    let mut mean =
        RatesDraw { pooled: estimates.map(|estimate| estimate.value), by_field: BTreeMap::new() };
    for of in &by_field {
        let own: &mut ReaderParameters<Option<f64>> =
            mean.by_field.entry(of.field.clone()).or_default();
        *own.get_mut(of.rate) = Some(of.value);
    }
    let stride = all.len() as f64 / settings.draws as f64;
    let draws = (0..settings.draws).map(|i| all[((i as f64 + 0.5) * stride) as usize].clone());
    Ok(ReaderFit {
        rates: estimates,
        by_field,
        mean,
        draws: draws.collect(),
        comparisons,
        diagnostics,
        reads: table.reads(),
    })
}

/// By rate: to how many direct observations its posterior corresponds, when all rates are fitted. After n of them the
/// posterior is Beta with exponents that add up to n more than the prior's, and its information on the logit scale is
/// that sum times p (1-p).
fn effective_reads(table: &ObservationTable, fixed: WorkingRates) -> anyhow::Result<[f64; RATES]> {
    let model = PosteriorModel::pooled(table, table.counts(|_| true), fixed);
    let mode = model.maximise()?;
    let mut effective = [0.0; RATES];
    for (at, &rate) in ReaderParameter::ALL.iter().enumerate() {
        let (p, (a, b)) = (logistic(mode.point[at]), prior_exponents(rate));
        effective[rate as usize] =
            (1.0 / (mode.covariance[(at, at)] * p * (1.0 - p)) - (a + b)).max(0.0);
    }
    Ok(effective)
}

/// The rates at a point. Rates that are not `fitted` are exactly the reference's.
fn rates_at(
    model: &PosteriorModel,
    point: &[f64],
    fitted: &[ReaderParameter],
    reference: &ReaderRates,
    differing: &[ReaderParameter],
) -> RatesDraw {
    let mut pooled = model.fixed;
    for (coordinate, value) in model.coordinates.iter().zip(point) {
        if let Coordinate::Rate(rate) = *coordinate {
            pooled[rate as usize] = *value;
        }
    }
    let mut pooled = from_working(&pooled);
    for &rate in ReaderParameter::ALL {
        if !fitted.contains(&rate) {
            *pooled.get_mut(rate) = *reference.get(rate);
        }
    }
    pooled.fabricate = pooled.fabricate.min(1.0 - pooled.follow);
    let mut by_field = FieldRates::new();
    if !differing.is_empty() {
        for (field, rates) in model.table.fields.iter().zip(model.rates_by_field(point)) {
            let own = by_field.entry(field.clone()).or_default();
            for &rate in differing {
                *own.get_mut(rate) = Some(*rates.get(rate));
            }
            // `fabricate` is a share of what `follow` leaves, so it differs where `follow` does.
            if differing.contains(&ReaderParameter::Follow) {
                own.fabricate = Some(rates.fabricate);
            }
        }
    }
    RatesDraw { pooled, by_field }
}

fn field_estimates(table: &ObservationTable, draws: &[RatesDraw]) -> Vec<FieldRateEstimate> {
    let mut estimates = Vec::new();
    for (index, field) in table.fields.iter().enumerate() {
        let own = |read: &&super::table::TabulatedReading| {
            table.structures[read.structure].field == index
        };
        let reads = table.reads.iter().filter(own).count();
        for &rate in ReaderParameter::ALL {
            let values = draws.iter().filter_map(|draw| *draw.by_field.get(field)?.get(rate));
            let values: Vec<f64> = values.collect();
            if !values.is_empty() {
                let (value, interval) = mean_and_interval(values);
                estimates.push(FieldRateEstimate {
                    field: field.clone(),
                    rate,
                    value,
                    interval,
                    reads,
                });
            }
        }
    }
    estimates
}

/// The mean, and the ends of the central 95%.
fn mean_and_interval(mut values: Vec<f64>) -> (f64, (f64, f64)) {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.sort_by(f64::total_cmp);
    let quantile = |q: f64| values[((values.len() as f64 * q) as usize).min(values.len() - 1)];
    (mean, (quantile(0.025), quantile(0.975)))
}
