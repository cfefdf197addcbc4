//! Fits the simulated reader to the answers of a language model in some arms of a scenario.

use std::collections::BTreeMap;

use anyhow::ensure;

use super::observed_readings::ObservedReadings;
use crate::calibrate::{
    CheckNames, CommonCause, FitChecks, FitSettings, FitVerdict, ObservationTable, RateEstimate,
    ReaderFit, check, choose_reads, common_cause, fit,
};
use crate::compile::reading_answers::UnansweredReading;
use crate::scenario::{
    ArmReader, MEASURED_READER_FORMAT, MeasuredRate, MeasuredReader, ReaderParameter,
    ReaderSettings, ScenarioArm,
};
use crate::session::{ReaderUsage, Session};
use crate::solve::{search_depth, solve_plain};
use crate::step::reader::ReaderModel;

/// What is fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct CalibrationSettings {
    /// The reader of the scenario that is asked, by index.
    pub reader: usize,
    /// The arms whose readings are used, by index.
    pub arms: Vec<usize>,
    /// At most this many readings, chosen to tell most about the rates; `None`: all.
    pub reads: Option<usize>,
    /// The day of the fit, as text.
    pub date: String,
}

/// The rates as fitted, and how well they describe the answers.
#[derive(Clone, Debug)]
pub struct CalibrationRecord {
    pub fit: ReaderFit,
    pub checks: FitChecks,
    pub dependence: CommonCause,
    pub usage: ReaderUsage,
    /// As a scenario can name it.
    pub reader: MeasuredReader,
}

/// Fits a reader. What is not recorded is asked for.
///
/// # Errors
/// Answers that cannot be had, too few answers to fit anything, and those of a run.
pub fn calibrate(
    session: &Session,
    settings: &CalibrationSettings,
) -> anyhow::Result<CalibrationRecord> {
    let (scenario, indices, progress) = (session.scenario(), session.indices(), session.progress());
    let units = scenario.clusters();
    let mut observed = ObservedReadings::default();
    // Which readings are chosen must not depend on answers, not even on recorded ones, so candidates are those of
    // errorless runs.
    let unanswered = match settings.reads {
        Some(_) => UnansweredReading::AssumeAllRight,
        None => UnansweredReading::Ask,
    };
    let mut searches =
        session.searches(search_depth(&scenario.steps, &scenario.arms)).with_unanswered(unanswered);
    for &arm in &settings.arms {
        let arm =
            ScenarioArm { reader: ArmReader::Asked(settings.reader), ..scenario.arms[arm].clone() };
        let solved = solve_plain(scenario, &arm, indices, &mut searches, progress)?;
        let readings = searches.readings();
        let by_task = readings.take_by_task();
        observed.add_arm(scenario, &solved, (&by_task, &readings.all()), &units);
    }
    let base = match &scenario.arms[settings.arms[0]].reader {
        ArmReader::Simulated(settings) => settings.clone(),
        ArmReader::Asked(_) => ReaderSettings::default(),
    };
    let reference = ReaderModel::of_settings(&base)?.rates("");
    if let Some(count) = settings.reads {
        let candidates = observed.candidates(scenario);
        let chosen = choose_reads(&candidates, &reference, count);
        observed.keep_and_ask(session, settings.reader, &chosen)?;
    }
    ensure!(!observed.is_empty(), "no step of these arms reads anything");
    let observations = observed.observations(scenario, |_| true);
    let table = ObservationTable::new(&observations);
    let fitted = fit(&table, &reference, &FitSettings::default())?;
    let names = check_names(session, &units);
    let checks = check(&table, &fitted, None, &names, scenario.simulation.seed);
    let dependence = common_cause(&table, &fitted.mean);
    let usage = session.reader_usage(settings.reader);
    let (verdict, reasons) = match &checks.verdict {
        FitVerdict::Fits => ("fits", Vec::new()),
        FitVerdict::Rejected { reasons } => ("rejected", reasons.clone()),
    };
    let model = usage.identity.as_ref().map_or_else(
        || scenario.readers[settings.reader].source.model().to_owned(),
        |identity| identity.model.clone(),
    );
    let reader = MeasuredReader {
        format: MEASURED_READER_FORMAT,
        model,
        date: settings.date.clone(),
        reads: observations.len(),
        scenario: scenario.name.clone(),
        arms: settings.arms.iter().map(|&arm| scenario.arms[arm].id.clone()).collect(),
        given: given_rates(&base, &fitted),
        preset: base.preset,
        rates: pooled_rates(&fitted),
        by_field: field_rates(&fitted),
        fit: verdict.to_owned(),
        reasons,
        validations: Vec::new(),
    };
    Ok(CalibrationRecord { fit: fitted, checks, dependence, usage, reader })
}

/// What the scenario gave for rates about which the answers say nothing.
fn given_rates(base: &ReaderSettings, fit: &ReaderFit) -> BTreeMap<String, f64> {
    let uninformed =
        ReaderParameter::ALL.iter().filter(|rate| !fit.rates.get(**rate).is_informed());
    let given =
        uninformed.filter_map(|&rate| Some((rate.name().to_owned(), (*base.overrides.get(rate))?)));
    given.collect()
}

/// The rates about which the answers say something.
fn pooled_rates(fit: &ReaderFit) -> BTreeMap<String, MeasuredRate> {
    let informed = ReaderParameter::ALL.iter().filter_map(|&parameter| {
        let RateEstimate { value, interval, reads, .. } = *fit.rates.get(parameter);
        let (low, high) = interval?;
        Some((parameter.name().to_owned(), measured_rate(value, (low, high), reads)))
    });
    informed.collect()
}

fn field_rates(fit: &ReaderFit) -> BTreeMap<String, BTreeMap<String, MeasuredRate>> {
    let mut by_field: BTreeMap<String, BTreeMap<String, MeasuredRate>> = BTreeMap::new();
    for of in &fit.by_field {
        let rates = by_field.entry(of.field.clone()).or_default();
        rates.insert(of.rate.name().to_owned(), measured_rate(of.value, of.interval, of.reads));
    }
    by_field
}

/// The mean of a skewed posterior may lie outside its central 95%, which is then extended to it.
fn measured_rate(value: f64, (low, high): (f64, f64), reads: usize) -> MeasuredRate {
    // Six decimals, as in the file.
    let rounded = |x: f64| (x * 1e6).round() / 1e6;
    let value = rounded(value);
    MeasuredRate { value, low: rounded(low).min(value), high: rounded(high).max(value), reads }
}

fn check_names(session: &Session, units: &[usize]) -> CheckNames {
    let scenario = session.scenario();
    let mut names = vec![String::new(); units.iter().max().map_or(0, |last| last + 1)];
    for (task, &unit) in scenario.tasks.tasks.iter().zip(units) {
        names[unit] = scenario.unit_of(task);
    }
    CheckNames { steps: scenario.steps.iter().map(|step| step.id.clone()).collect(), units: names }
}
