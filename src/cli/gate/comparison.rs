//! Runs the scenario of `knockon gate` and compares it with the earlier run.

use std::process::ExitCode;

use super::arguments::GateArgs;
use crate::cli::progress::ProgressBars;
use crate::cli::terminal::complain;
use crate::cli::{EXIT_FINDING, EXIT_USAGE, preflight};
use crate::gate::{self, GateBaseline, GateCheck};
use crate::report;
use crate::run;
use crate::scenario::Scenario;
use crate::session::{Session, index_of};

/// The result of a comparison.
pub struct GateComparison {
    pub scenario: String,
    pub checks: Vec<GateCheck>,
    /// The embedders that are not those of the earlier run.
    pub changed: Vec<String>,
    pub notes: Vec<String>,
}

/// Why the runs were not compared; already reported on the terminal.
pub struct GateNotCompared {
    /// The scenario's name, or its file if it could not be read.
    pub scenario: String,
    pub reasons: Vec<String>,
    pub code: u8,
}

/// Runs the scenario and compares it with the earlier run.
pub fn compare(
    args: &GateArgs,
    loaded: Result<Scenario, ExitCode>,
) -> Result<GateComparison, GateNotCompared> {
    let file = args.file.display().to_string();
    let baseline = GateBaseline::read(&args.baseline)
        .map_err(|error| refuse(&file, format!("{error:#}"), EXIT_USAGE))?;
    let mut scenario = match loaded {
        // A gate compares only results, so the sensitivity analysis is skipped.
        Ok(scenario) => Scenario { sensitivity: None, ..scenario },
        Err(code) => {
            let why = format!("{file} has mistakes, or cannot be read: see `knockon check {file}`");
            let code = if code == ExitCode::from(EXIT_USAGE) { EXIT_USAGE } else { EXIT_FINDING };
            return Err(GateNotCompared { scenario: file, reasons: vec![why], code });
        }
    };
    if let Err(name) = args.readings.choose_reader(&mut scenario) {
        return Err(refuse(&scenario.name, format!("--reader: {name}"), EXIT_USAGE));
    }
    let known: Vec<&str> = scenario.arms.iter().map(|arm| arm.id.as_str()).collect();
    if let Some(wrong) = unknown_arm(args, &baseline, &known) {
        return Err(refuse(&scenario.name, wrong, EXIT_USAGE));
    }
    if let Some(wrong) = dropped_error(&args.dropped, &baseline, &known) {
        return Err(refuse(&scenario.name, wrong, EXIT_USAGE));
    }
    if args.max_loss_increase.is_some() && scenario.impact.is_none() {
        let why = "--max-loss-increase: this scenario has no section `impact`".to_owned();
        return Err(refuse(&scenario.name, why, EXIT_USAGE));
    }
    let picked: Vec<usize> = (0..known.len())
        .filter(|&at| args.arms.is_empty() || args.arms.iter().any(|arm| arm == known[at]))
        .collect();
    let bars = ProgressBars::new();
    let session = args.readings.limited(Session::over(&scenario).with_progress(&bars));
    let Ok(right) = preflight(&session, &picked) else {
        let why = format!("{file} cannot be run: see `knockon check {file}`");
        return Err(GateNotCompared {
            scenario: scenario.name.clone(),
            reasons: vec![why],
            code: EXIT_FINDING,
        });
    };
    let record = run::run(&session, &picked);
    bars.clear();
    let record = record
        .map_err(|error| refuse(&scenario.name, format!("{file}: {error:#}"), EXIT_FINDING))?;
    let stale = baseline.incomparable_reasons(&scenario, &record);
    if !stale.is_empty() {
        complain!("error: the earlier run cannot be compared with this one:");
        stale.iter().for_each(|why| complain!("  {why}"));
        return Err(GateNotCompared {
            scenario: scenario.name.clone(),
            reasons: stale,
            code: EXIT_FINDING,
        });
    }
    let arms: Vec<(String, String)> = picked
        .iter()
        .map(|&at| {
            let against = args.against.as_deref().unwrap_or(known[at]);
            (known[at].to_owned(), against.to_owned())
        })
        .collect();
    let mut checks = gate::assess(&scenario, &record, &baseline, &arms, &args.question())
        .map_err(|error| refuse(&scenario.name, format!("{error:#}"), EXIT_FINDING))?;
    // With --arm or --against, the other arms of the earlier run are ignored on purpose.
    if args.arms.is_empty() && args.against.is_none() {
        checks.extend(gate::missing_arms(&baseline, &known, &args.dropped));
    }
    let notes = [right.notes(), session.notes()].concat();
    let manifest = report::manifest::manifest(&scenario, &record, &session.fingerprints(), &notes);
    let changed = baseline.changed_embedders(&manifest);
    Ok(GateComparison { scenario: scenario.name.clone(), checks, changed, notes })
}

/// The first arm given with --arm or --against that its run does not have, if any; `known` are those of the scenario.
fn unknown_arm(args: &GateArgs, baseline: &GateBaseline, known: &[&str]) -> Option<String> {
    let known = known.iter().copied();
    if let Some(name) = args.arms.iter().find_map(|arm| index_of("arm", arm, known.clone()).err()) {
        return Some(format!("--arm: {name}"));
    }
    let against = args.against.as_deref()?;
    let name = index_of("arm", against, baseline.arms().into_iter()).err()?;
    Some(format!("--against: the earlier run has {name}"))
}

/// Reports the error, and makes it the only reason that nothing was compared.
fn refuse(scenario: &str, why: String, code: u8) -> GateNotCompared {
    complain!("error: {why}");
    GateNotCompared { scenario: scenario.to_owned(), reasons: vec![why], code }
}

/// An error in the arms given with --dropped, if any.
fn dropped_error(dropped: &[String], baseline: &GateBaseline, known: &[&str]) -> Option<String> {
    let then = baseline.arms();
    dropped.iter().find_map(|arm| {
        if known.contains(&arm.as_str()) {
            return Some(format!("--dropped: this scenario has the arm '{arm}'"));
        }
        let never = index_of("arm", arm, then.iter().copied()).err()?;
        Some(format!("--dropped: the earlier run has {never}"))
    })
}
