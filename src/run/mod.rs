//! Runs the arms of a scenario: solves every task, explains the failures, and collects the results in one [`RunRecord`].
//! The record holds every number that a report prints: reports must not compute any, and nothing here writes a file.

use crate::cascade::arm_runs::ArmRuns;
use crate::compile::CompileQuestion;
use crate::progress::ProgressListener;
use crate::scenario::Scenario;
use crate::session::Session;

#[doc(hidden)]
pub mod calibration;
#[doc(hidden)]
pub mod compare;
#[doc(hidden)]
pub mod effort;
mod explanation;
#[doc(hidden)]
pub mod money;
#[doc(hidden)]
pub mod observed_readings;
#[doc(hidden)]
pub mod oracle_check;
#[doc(hidden)]
pub mod preflight;
#[doc(hidden)]
pub mod reader_record;
#[doc(hidden)]
pub mod readings;
#[doc(hidden)]
pub mod recall_transfer;
pub mod record;
#[doc(hidden)]
pub mod search_preview;
#[doc(hidden)]
pub mod sensitivity;
mod summary;
mod tally;
mod worst_tasks;

#[doc(inline)]
pub use crate::solve::SolveMethod;
#[doc(hidden)]
pub use crate::solve::{SolvedTask, solve};
use crate::solve::{search_depth, solve_and_classify};
pub use record::RunRecord;
use sensitivity::{SampledTaskLosses, SensitivityPreparation, vary_assumptions};

/// Runs the arms with the indices `arms`, in that order. Differences from the baseline are computed only if it is among
/// them.
///
/// # Errors
/// A model or a cache that cannot be read, an oracle that cannot be run, oracles that differ between arms, or more
/// joint states than the cap with `method: exact`.
#[doc(hidden)]
pub fn run(session: &Session, arms: &[usize]) -> anyhow::Result<RunRecord> {
    run_with_traces(session, arms, 0)
}

/// As [`run`], and traces a run of up to `worst` tasks of each arm, those that do the most harm.
///
/// # Errors
/// As [`run`].
#[doc(hidden)]
pub fn run_with_traces(
    session: &Session,
    arms: &[usize],
    worst: usize,
) -> anyhow::Result<RunRecord> {
    let (scenario, indices, progress) = (session.scenario(), session.indices(), session.progress());
    let right = oracle_check::check_oracle(scenario, arms, indices)
        .map_err(|mistakes| scenario.source.mistakes(mistakes))?;
    // One cache of searches for all arms: most of them ask the same queries.
    let mut searches = session.searches(search_depth(&scenario.steps, &scenario.arms));
    let inquiry = scenario
        .sensitivity
        .as_ref()
        .map(|asked| SensitivityPreparation::new(scenario, asked, arms));
    let mut inquiry = inquiry.transpose()?;
    let (mut done, mut sampled) = (Vec::new(), Vec::new());
    for (place, &at) in arms.iter().enumerate() {
        // Rows that can be classified while they are compiled for the run need no second compilation for the
        // sensitivity.
        let told = inquiry
            .as_ref()
            .map(|inquiry| inquiry.classification_inputs(place))
            .transpose()?
            .flatten();
        let (solved, scales) = match told {
            None => (
                solve(scenario, at, indices, &mut searches, &CompileQuestion::Run, progress)?,
                None,
            ),
            Some((odds, toll)) => {
                let with = (odds, &*toll);
                let (solved, scales) =
                    solve_and_classify(scenario, at, indices, &mut searches, with, progress)?;
                (solved, Some(scales))
            }
        };
        if let (Some(inquiry), Some(scales)) = (&mut inquiry, scales) {
            inquiry.add_classified(place, scales, &solved, progress)?;
        }
        let work = progress.start(&format!("{}: asking why", scenario.arms[at].id), solved.len());
        let why = explanation::explain_arm(scenario, at, &solved, &|n| work.advance(n))?;
        // Ends the progress bar before the next one begins.
        drop(work);
        let tally = tally::tally(scenario, at, &solved);
        let (money, losses) = money(scenario, &solved, &tally, &why, progress)?;
        sampled.push(losses);
        let worst = worst_tasks::worst_tasks(&tally, money.as_ref(), worst);
        let runs = ArmRuns::from_solved(session, at, &mut searches, solved);
        let worst = worst_tasks::trace_tasks(runs, &worst, progress, &scenario.arms[at].id)?;
        done.push(summary::SolvedArm { tally, explanation: why, money, worst });
    }
    let mut record = summary::record(session, right, done)?;
    if let Some(inquiry) = inquiry {
        let (base, searches) = (record.baseline, &mut searches);
        let varied = vary_assumptions(inquiry, base, &sampled, indices, searches, progress)?;
        (record.sensitivity, record.drawn_assumptions) = (varied.sensitivity, varied.drawn);
        for (arm, years) in record.arms.iter_mut().zip(varied.years) {
            if let Some(money) = &mut arm.money {
                money.drawn_year = years;
            }
        }
    }
    Ok(record)
}

/// The costs of an arm and the losses of its sampled tasks; nothing if the scenario does not price failures.
fn money(
    scenario: &Scenario,
    solved: &[SolvedTask],
    tally: &tally::ArmTally,
    answers: &explanation::ArmExplanation,
    progress: &dyn ProgressListener,
) -> anyhow::Result<(Option<money::MoneyRecord>, Vec<SampledTaskLosses>)> {
    let Some(impact) = &scenario.impact else {
        return Ok((None, Vec::new()));
    };
    let losses = {
        let work =
            progress.start(&format!("{}: pricing", scenario.arms[tally.arm].id), solved.len());
        money::losses(scenario, impact, solved, &|n| work.advance(n))?
    };
    let (steps, guards) = (&tally.steps, &answers.guards);
    let arm =
        money::ArmLossContext { scenario, impact, arm: tally.arm, losses: &losses, steps, guards };
    let record = arm.record(progress)?;
    let of_task = losses.into_iter().zip(solved).enumerate();
    // The sensitivity cannot reweight tasks that were sampled, so it needs their losses as they are.
    let sampled =
        of_task.filter(|(_, (_, solved))| !matches!(solved.method, SolveMethod::Exact { .. }));
    let sampled = sampled.map(|(task, (losses, _))| SampledTaskLosses {
        task,
        incidents: losses.ends.into_iter().map(|(_, incident)| incident).collect(),
    });
    Ok((Some(record), sampled.collect()))
}
