//! Measures the calibration of the simulated reader on answers with known rates: how often intervals cover the truth, how
//! often right and wrong readers are rejected (on a quarter of the data sets), and how long it takes.
//!
//! `cargo run --profile ci --example calibration -- [DATA SETS] [UNITS] [READS PER UNIT]`

mod planted;

use std::time::Instant;

use anyhow::Result;
use knockon::scenario::ReaderParameter;
use knockon::step::reader::ReaderRates;
// `planted` is also a module of the library's tests, so it names these as parts of its crate.
use knockon::{calibrate, step, value, world};
use rayon::prelude::*;

use calibrate::{
    CheckKind, CheckNames, FitChecks, FitSettings, FitVerdict, ObservationTable, ObservedReading,
    ReaderFit, check, choose_reads, common_cause, fit,
};
use planted::{PlantedCases, random_rates};

fn main() -> Result<()> {
    let arguments: Vec<usize> =
        std::env::args().skip(1).map_while(|text| text.parse().ok()).collect();
    let argument = |at: usize, default: usize| arguments.get(at).copied().unwrap_or(default);
    let (sets, units, reads) = (argument(0, 200), argument(1, 40), argument(2, 10));
    println!("{sets} data sets of {units} units with {reads} readings each");
    speed()?;
    coverage(sets, units, reads)?;
    for (name, planted) in READERS {
        rejections(name, *planted, sets.div_ceil(4), units, reads)?;
    }
    Ok(())
}

/// Answers of a reader of some kind, from cases, rates and a seed.
type PlantedReader = for<'a> fn(&'a PlantedCases, &ReaderRates, u64) -> Vec<ObservedReading<'a>>;

const READERS: &[(&str, PlantedReader)] = &[
    ("independent", |cases, rates, seed| cases.answers(|_| *rates, seed)),
    ("by field", |cases, rates, seed| {
        let misread = [rates.misread, rates.misread, 0.45];
        cases.answers(|case| ReaderRates { misread: misread[case.field], ..*rates }, seed)
    }),
    ("unit rho .5", |cases, rates, seed| cases.dependent_answers(rates, 0.5, seed)),
    ("unit rho .2", |cases, rates, seed| cases.dependent_answers(rates, 0.2, seed)),
    ("rank", |cases, rates, seed| {
        let misread = |rank: usize| (0.02 + 0.1 * rank as f64).min(0.8);
        cases.answers(
            |case| ReaderRates {
                misread: case.gold_rank().map_or(rates.misread, misread),
                ..*rates
            },
            seed,
        )
    }),
];

fn coverage(sets: usize, units: usize, reads: usize) -> Result<()> {
    let start = Instant::now();
    let fits = (0..sets as u64).into_par_iter().map(|seed| {
        let (cases, rates) = (PlantedCases::new(seed, units, reads), random_rates(seed));
        let table = ObservationTable::new(&cases.answers(|_| rates, seed));
        let settings = FitSettings { by_field: false, ..FitSettings::default() };
        Ok((fit(&table, &ReaderRates::default(), &settings)?, rates))
    });
    let fits: Vec<(ReaderFit, ReaderRates)> = fits.collect::<Result<_>>()?;
    println!(
        "\n{:18} {:>8} {:>9} {:>7} {:>7} {:>9} {:>9}",
        "rate", "informed", "covered", "below", "above", "reads", "effective"
    );
    let (mut all, mut inside) = (0, 0);
    for &rate in ReaderParameter::ALL {
        let (mut informed, mut below, mut above) = (0, 0, 0);
        let (mut reads, mut effective) = (0, 0.0);
        for (fit, truth) in &fits {
            let (of, truth) = (fit.rates.get(rate), *truth.get(rate));
            reads += of.reads;
            effective += of.effective_reads;
            if let Some((low, high)) = of.interval {
                informed += 1;
                below += usize::from(truth < low);
                above += usize::from(truth > high);
            }
        }
        let covered = informed - below - above;
        (all, inside) = (all + informed, inside + covered);
        println!(
            "{:18} {informed:8} {:9.3} {below:7} {above:7} {:9.1} {:9.1}",
            rate.name(),
            covered as f64 / informed as f64,
            reads as f64 / sets as f64,
            effective / sets as f64,
        );
    }
    println!("together: {:.4} of {all}", inside as f64 / all as f64);
    let diagnostics = fits.iter().map(|(fit, _)| fit.diagnostics);
    let least = diagnostics.clone().map(|of| of.effective).fold(f64::INFINITY, f64::min);
    let accepted: f64 = diagnostics.clone().map(|of| of.accepted).sum::<f64>() / sets as f64;
    let longest = diagnostics.map(|of| of.length).max().unwrap_or(0);
    println!("accepted {accepted:.2}, least effective draws {least:.0}, longest chain {longest}");
    println!(
        "{:.2} s for each data set and core",
        start.elapsed().as_secs_f64() * rayon::current_num_threads() as f64 / sets as f64
    );
    Ok(())
}

fn rejections(
    name: &str,
    planted: PlantedReader,
    sets: usize,
    units: usize,
    reads: usize,
) -> Result<()> {
    let start = Instant::now();
    let results = (0..sets as u64).into_par_iter().map(|seed| {
        let (cases, rates) = (PlantedCases::new(seed, units, reads), random_rates(seed));
        let table = ObservationTable::new(&planted(&cases, &rates, seed));
        let fit = fit(&table, &ReaderRates::default(), &FitSettings::default())?;
        let checks = check(&table, &fit, None, &CheckNames::default(), seed);
        let cause = common_cause(&table, &fit.mean);
        Ok((fit, checks, cause))
    });
    let results: Vec<Result<(ReaderFit, FitChecks, calibrate::CommonCause)>> = results.collect();
    let failed = results.iter().filter(|result| result.is_err()).count();
    let results: Vec<_> = results.into_iter().flatten().collect();
    let share = |count: usize| count as f64 / sets as f64;
    let mut rejected = results.iter().filter(|(_, checks, _)| checks.verdict != FitVerdict::Fits);
    println!(
        "\n{name}: rejected {:.3} of {}; {failed} fits did not converge",
        rejected.clone().count() as f64 / results.len() as f64,
        results.len()
    );
    for kind in [
        CheckKind::Step,
        CheckKind::Field,
        CheckKind::GoldRank,
        CheckKind::Distractors,
        CheckKind::UnitDispersion,
    ] {
        let p = results
            .iter()
            .filter_map(|(_, checks, _)| checks.checks.iter().find(|of| of.kind == kind));
        let below = |limit: f64| share(p.clone().filter(|of| of.p_value < limit).count());
        println!("  {kind:?}: p < .05 in {:.3}, p < .5 in {:.3}", below(0.05), below(0.5));
    }
    let causes = || results.iter().map(|(.., cause)| cause);
    println!(
        "  common cause: mean {:.3}, p < .05 in {:.3}, interval covers 0 in {:.3}, .2 in {:.3}, .5 in {:.3}",
        causes().map(|of| of.correlation).sum::<f64>() / sets as f64,
        share(causes().filter(|of| of.p_value < 0.05).count()),
        share(causes().filter(|of| of.interval.0 <= 0.0).count()),
        share(causes().filter(|of| of.interval.0 <= 0.2 && 0.2 <= of.interval.1).count()),
        share(causes().filter(|of| of.interval.0 <= 0.5 && 0.5 <= of.interval.1).count()),
    );
    for &rate in ReaderParameter::ALL {
        let kept =
            |fit: &ReaderFit| fit.comparisons.iter().any(|of| of.rate == rate && of.spread > 0.0);
        print!(
            "  {} {:.2}",
            rate.name(),
            share(results.iter().filter(|(fit, ..)| kept(fit)).count())
        );
    }
    println!(" have fields that differ");
    if let Some((_, checks, _)) = rejected.next_back() {
        println!("  such as {:?}", checks.verdict);
    }
    println!(
        "  {:.2} s for each data set and core",
        start.elapsed().as_secs_f64() * rayon::current_num_threads() as f64 / sets as f64
    );
    Ok(())
}

fn speed() -> Result<()> {
    let cases = PlantedCases::new(1, 300, 10);
    let rates = random_rates(1);
    let observed = cases.answers(|_| rates, 1);
    let start = Instant::now();
    let table = ObservationTable::new(&observed);
    println!(
        "\n{} readings, {} structures, grouped in {:?}",
        table.reads(),
        table.structures(),
        start.elapsed()
    );
    let start = Instant::now();
    let plain = fit(&table, &rates, &FitSettings { by_field: false, ..FitSettings::default() })?;
    // Each chain also evaluates 450 points before any is kept.
    let evaluations = plain.diagnostics.chains * (plain.diagnostics.length + 450);
    println!("fit of common rates: {:?}, about {evaluations} evaluations", start.elapsed());
    let start = Instant::now();
    let fitted = fit(&table, &rates, &FitSettings::default())?;
    println!("fit with comparison of fields: {:?}", start.elapsed());
    let start = Instant::now();
    check(&table, &fitted, None, &CheckNames::default(), 1);
    println!("checks: {:?}", start.elapsed());
    let start = Instant::now();
    common_cause(&table, &fitted.mean);
    println!("common cause: {:?}", start.elapsed());
    let start = Instant::now();
    let candidates: Vec<_> = cases.cases.iter().map(|case| cases.reading(case)).collect();
    let chosen = choose_reads(&candidates, &rates, 300);
    println!("300 of {} readings chosen: {:?}", candidates.len(), start.elapsed());
    for (name, subset) in [("chosen", chosen), ("first", (0..300).collect())] {
        let subset: Vec<ObservedReading> =
            subset.into_iter().map(|at| observed[at].clone()).collect();
        let fitted = fit(
            &ObservationTable::new(&subset),
            &rates,
            &FitSettings { by_field: false, ..FitSettings::default() },
        )?;
        let effective = fitted.rates.map(|of| of.effective_reads.round() as i64);
        println!("effective reads from the {name} 300: {effective:?}");
    }
    Ok(())
}
