//! Fits and checks of answers with planted rates. `examples/calibration` measures the same on more data sets.

#[path = "../../examples/calibration/planted.rs"]
mod planted;

use rayon::prelude::*;

use super::*;
use crate::scenario::ReaderParameter;
use crate::step::reader::ReaderRates;
use planted::{PlantedCases, random_rates};

const COMMON: FitSettings = FitSettings { draws: 500, seed: 1, by_field: false };

fn fit_of(observed: &[ObservedReading]) -> (ObservationTable, ReaderFit) {
    let table = ObservationTable::new(observed);
    let fitted = fit(&table, &ReaderRates::default(), &COMMON).unwrap();
    (table, fitted)
}

fn verdict(observed: &[ObservedReading]) -> FitChecks {
    let (table, fitted) = fit_of(observed);
    check(&table, &fitted, None, &CheckNames::default(), 1)
}

/// Of about 300 intervals, between 93% and 97% would cover if the coverage was 95% exactly; three standard errors of
/// that share, sqrt(.05 * .95 / 300) = .0126, are allowed on either side.
#[test]
fn intervals_cover_the_planted_rates() {
    let covered: Vec<(usize, usize)> = (0..30u64)
        .into_par_iter()
        .map(|seed| {
            let (cases, truth) = (PlantedCases::new(seed, 25, 8), random_rates(seed));
            let (_, fitted) = fit_of(&cases.answers(|_| truth, seed));
            let rates = ReaderParameter::ALL.iter().filter_map(|&rate| {
                let (low, high) = fitted.rates.get(rate).interval?;
                Some((low..=high).contains(truth.get(rate)))
            });
            let rates: Vec<bool> = rates.collect();
            (rates.len(), rates.iter().filter(|covered| **covered).count())
        })
        .collect();
    let informed: usize = covered.iter().map(|(informed, _)| informed).sum();
    let inside: usize = covered.iter().map(|(_, inside)| inside).sum();
    let (share, error) = (inside as f64 / informed as f64, (0.05 * 0.95 / informed as f64).sqrt());
    assert!(informed > 270, "{informed} of 300 rates are informed");
    assert!((share - 0.95).abs() < 3.0 * error, "{inside} of {informed} intervals cover");
}

/// With a false rejection in at most 5% of data sets, more than 4 of 24 have a probability of .7%.
#[test]
fn wrong_readers_are_rejected_and_right_ones_hardly_ever() {
    let rejected = |planted: fn(u64) -> FitVerdict, sets: u64| {
        let verdicts = (0..sets).into_par_iter().map(planted);
        verdicts.filter(|verdict| *verdict != FitVerdict::Fits).count()
    };
    let right = |seed| {
        let (cases, rates) = (PlantedCases::new(seed, 40, 8), random_rates(seed));
        verdict(&cases.answers(|_| rates, seed)).verdict
    };
    let dependent = |seed| {
        let (cases, rates) = (PlantedCases::new(seed, 40, 8), random_rates(seed));
        verdict(&cases.dependent_answers(&rates, 0.5, seed)).verdict
    };
    let by_rank = |seed| {
        let (cases, rates) = (PlantedCases::new(seed, 40, 20), random_rates(seed));
        let misread = |rank: usize| (0.02 + 0.12 * rank as f64).min(0.8);
        let rates = |case: &planted::PlantedCase| ReaderRates {
            misread: case.gold_rank().map_or(rates.misread, misread),
            ..rates
        };
        verdict(&cases.answers(rates, seed)).verdict
    };
    let found = (rejected(right, 24), rejected(dependent, 12), rejected(by_rank, 8));
    assert!(found.0 <= 4 && found.1 >= 11 && found.2 >= 7, "{found:?}");
}

#[test]
fn reasons_are_given_in_plain_words() {
    let cases = PlantedCases::new(3, 40, 8);
    let checks = verdict(&cases.dependent_answers(&random_rates(3), 0.5, 3));
    let FitVerdict::Rejected { reasons } = checks.verdict else { panic!("{checks:?}") };
    let gathers =
        reasons.iter().find(|reason| reason.starts_with("errors gather at some units: unit "));
    assert!(gathers.is_some_and(|reason| reason.ends_with("p = .001")), "{reasons:?}");
}

#[test]
fn a_common_cause_is_estimated() {
    for (correlation, seeds) in [(0.0, 4u64), (0.5, 4)] {
        let causes: Vec<CommonCause> = (0..seeds)
            .into_par_iter()
            .map(|seed| {
                let (cases, rates) = (PlantedCases::new(seed, 60, 10), random_rates(seed));
                let (table, fitted) = fit_of(&cases.dependent_answers(&rates, correlation, seed));
                common_cause(&table, &fitted.mean)
            })
            .collect();
        let mean = causes.iter().map(|of| of.correlation).sum::<f64>() / causes.len() as f64;
        // The standard error of one estimate is about .08 at .5.
        assert!((mean - correlation).abs() < 0.15, "{correlation}: {causes:?}");
        assert!(causes.iter().all(|of| (of.p_value < 1e-3) == (correlation > 0.0)), "{causes:?}");
    }
}

#[test]
fn the_mean_of_a_conditional_rate_is_the_rate() {
    for (rate, correlation) in [(0.02, 0.5), (0.3, 0.1), (0.7, 0.9)] {
        let nodes = (-800..=800).map(|step| f64::from(step) / 100.0);
        let density = |z: f64| (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt() / 100.0;
        let mean: f64 = nodes.map(|z| density(z) * conditional_rate(rate, correlation, z)).sum();
        assert!((mean - rate).abs() < 1e-6, "{rate} {correlation}: {mean}");
    }
}

#[test]
fn a_field_that_differs_gets_its_own_rate() {
    let cases = PlantedCases::new(5, 60, 12);
    let rates = random_rates(5);
    let misread = [0.05, 0.05, 0.5];
    let observed = cases.answers(|case| ReaderRates { misread: misread[case.field], ..rates }, 5);
    let table = ObservationTable::new(&observed);
    let fitted = fit(&table, &ReaderRates::default(), &FitSettings::default()).unwrap();
    for (field, misread) in planted::FIELDS.iter().zip(misread) {
        let own = fitted
            .by_field
            .iter()
            .find(|of| of.field == *field && of.rate == ReaderParameter::Misread);
        let (low, high) = own.unwrap().interval;
        assert!(low - 0.05 < misread && misread < high + 0.05, "{field}: {own:?}");
    }
    let differs = fitted.comparisons.iter().find(|of| of.rate == ReaderParameter::Misread).unwrap();
    assert!(differs.gain > 3.0 * differs.standard_error && differs.spread > 0.0, "{differs:?}");
}

#[test]
fn rates_without_observations_keep_the_reference() {
    let cases = PlantedCases::new(7, 40, 10);
    let observed = cases.answers(|_| random_rates(7), 7);
    // Gold is in the context, and nothing else is.
    let alone: Vec<ObservedReading> = observed
        .into_iter()
        .filter(|of| {
            of.reading.context.len() == 1 && of.reading.gold.contains(&of.reading.context[0])
        })
        .collect();
    let reference = ReaderRates { follow: 0.6, lucky: 0.125, ..ReaderRates::default() };
    let table = ObservationTable::new(&alone);
    let fitted = fit(&table, &reference, &COMMON).unwrap();
    for rate in [ReaderParameter::Follow, ReaderParameter::Lucky, ReaderParameter::Overlooked] {
        let of = fitted.rates.get(rate);
        assert!(!of.is_informed() && of.value == *reference.get(rate), "{rate:?}: {of:?}");
        assert!(fitted.draws.iter().all(|draw| draw.pooled.get(rate) == reference.get(rate)));
    }
    assert!(fitted.rates.misread.is_informed() && fitted.rates.misread.reads == alone.len());
}

/// With one rate and no other explanation, the posterior is the Beta distribution of counting.
#[test]
fn a_rate_that_is_observed_directly_has_the_posterior_of_counting() {
    let cases = PlantedCases::new(9, 40, 10);
    let rates = ReaderRates { unparsable: 0.2, ..random_rates(9) };
    let observed = cases.answers(|_| rates, 9);
    let is_unparsable = |of: &&ObservedReading| of.answers[0].0 == ObservedAnswer::Unparsable;
    let (n, k) = (observed.len() as f64, observed.iter().filter(is_unparsable).count() as f64);
    let (_, fitted) = fit_of(&observed);
    let of = fitted.rates.unparsable;
    let mean = (k + 0.5) / (n + 1.0);
    let deviation = (mean * (1.0 - mean) / (n + 2.0)).sqrt();
    // Monte Carlo errors of a mean and of quantiles with the effective draws that are required.
    assert!((of.value - mean).abs() < 0.25 * deviation, "{of:?} {mean}");
    let (low, high) = of.interval.unwrap();
    assert!(((high - low) / (2.0 * 1.96 * deviation) - 1.0).abs() < 0.2, "{of:?} {deviation}");
    assert!((of.effective_reads - n).abs() < 0.01 * n, "{of:?}");
}

#[test]
fn chosen_reads_inform_more_than_the_first_ones() {
    let cases = PlantedCases::new(11, 60, 10);
    let candidates: Vec<_> = cases.cases.iter().map(|case| cases.reading(case)).collect();
    let rates = random_rates(11);
    let chosen = choose_reads(&candidates, &rates, 120);
    let distinct: std::collections::BTreeSet<usize> = chosen.iter().copied().collect();
    assert_eq!((chosen.len(), distinct.len()), (120, 120));
    assert_eq!(choose_reads(&candidates, &rates, 10_000).len(), candidates.len());
    let observed = cases.answers(|_| rates, 11);
    let least = |places: Vec<usize>| {
        let some: Vec<ObservedReading> = places.iter().map(|&at| observed[at].clone()).collect();
        let (_, fitted) = fit_of(&some);
        // The geometric mean over rates, as D-optimality weighs them.
        let all = ReaderParameter::ALL.iter().map(|&rate| fitted.rates.get(rate).effective_reads);
        all.map(|reads| (reads + 1.0).ln()).sum::<f64>()
    };
    let (best, first) = (least(chosen), least((0..120).collect()));
    assert!(best > first + 1.0, "{best} {first}");
}

#[test]
fn shares_count_like_answers_and_the_impossible_is_left_out() {
    let cases = PlantedCases::new(13, 20, 10);
    let mut observed = cases.answers(|_| random_rates(13), 13);
    let whole = ObservationTable::new(&observed);
    for of in &mut observed {
        let answer = of.answers[0].0.clone();
        of.answers = vec![(answer.clone(), 0.25), (answer, 0.75)];
    }
    let split = ObservationTable::new(&observed);
    let rates = vec![random_rates(1); whole.fields.len()];
    let (mut p, mut q) = (Vec::new(), Vec::new());
    whole.write_probabilities(&rates, &mut p);
    split.write_probabilities(&rates, &mut q);
    let (one, other) =
        (whole.counts(|_| true).log_likelihood(&p), split.counts(|_| true).log_likelihood(&q));
    assert!((one - other).abs() < 1e-9 * one.abs(), "{one} {other}");
    for structure in &whole.structures {
        assert!((p[structure.slots()].iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
    assert_eq!((whole.impossible, split.reads()), (0, 200));
}
