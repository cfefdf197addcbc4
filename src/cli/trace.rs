//! `knockon trace`: prints single runs step by step.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::progress::ProgressBars;
use super::readings::ReadingArgs;
use super::terminal::{self, complain};
use super::{EXIT_FINDING, EXIT_SUCCESS, EXIT_USAGE, THREAD_RANGE, colour, set_thread_count};
use crate::cascade::arm_runs::{ArmRuns, search_depth};
use crate::cascade::run_selection::SelectedRun;
use crate::cascade::trace::RunTrace;
use crate::report::story;
use crate::session::Session;

/// Show one run: what each step queried, retrieved and read, and what caused the failure
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon trace scenarios/renewal_desk.yaml
  knockon trace scenarios/renewal_desk.yaml --task c001-t1 --arm minilm
  knockon trace scenarios/renewal_desk.yaml --task c001-t1 --trial 7 --format json

Without --task: the costliest failure modes over all tasks, one run each. A silent failure counts as \
costlier than a stop, and a likelier one as costlier. Without --trial: the first run that takes the \
task's most likely failure path.")]
pub struct TraceArgs {
    /// Scenario file (YAML)
    file: PathBuf,
    /// The task to run, by its id
    #[arg(long, value_name = "T")]
    task: Option<String>,
    /// The arm to run it under [default: the baseline]
    #[arg(long, value_name = "A")]
    arm: Option<String>,
    /// Which trial of the task, from 0
    #[arg(long, value_name = "N", requires = "task")]
    trial: Option<u32>,
    /// Without --task: the number of failure modes to show
    #[arg(long, value_name = "N", default_value_t = 3, conflicts_with = "task",
          value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    /// Text to read, or JSON with all details
    #[arg(long, value_enum, default_value_t = TraceFormat::Text)]
    format: TraceFormat,
    #[command(flatten)]
    readings: ReadingArgs,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(THREAD_RANGE))]
    threads: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum TraceFormat {
    Text,
    Json,
}

pub fn run(args: TraceArgs) -> anyhow::Result<ExitCode> {
    set_thread_count(args.threads)?;
    let scenario = match args.readings.load(&args.file) {
        Ok(scenario) => scenario,
        Err(code) => return Ok(code),
    };
    let bars = ProgressBars::new();
    let session = args.readings.limited(Session::owning(scenario).with_progress(&bars));
    let arm = match super::arm_or_baseline(&session, args.arm.as_deref()) {
        Ok(arm) => arm,
        Err(code) => return Ok(code),
    };
    // Wrong arguments are reported before the preflight, which may open models.
    if let Some(name) = args.task.as_ref().and_then(|id| session.task(id).err()) {
        return Ok(super::report_unknown_name("--task", &name));
    }
    let trials = session.scenario().simulation.trials;
    if let Some(trial) = args.trial.filter(|&trial| trial >= trials) {
        complain!(
            "error: --trial: there is no trial {trial}; simulation.trials is {trials}, so 0 to {} are allowed",
            trials.saturating_sub(1)
        );
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    match super::preflight(&session, &[arm]) {
        Ok(right) => super::print_notes(&right.notes()),
        Err(code) => return Ok(code),
    }
    let session = match &args.task {
        Some(id) => session.keep_tasks(&[id])?,
        None => session,
    };
    let told = collect_traces(&session, arm, &args);
    bars.clear();
    let told = match told {
        Ok(told) => told,
        Err(error) => {
            complain!("error: {}: {error:#}", args.file.display());
            return Ok(ExitCode::from(EXIT_FINDING));
        }
    };
    let mut stdout = terminal::styled_output();
    if args.format == TraceFormat::Json {
        let (notes, traces): (Vec<String>, Vec<RunTrace>) = told.into_iter().unzip();
        let several = args.task.is_none();
        if !several {
            notes.iter().filter(|note| !note.is_empty()).for_each(|note| complain!("{note}"));
        }
        terminal::data_output().write_all(story::json(&traces, several)?.as_bytes())?;
        return Ok(ExitCode::from(EXIT_SUCCESS));
    }
    let width = comfy_table::Table::new().width().map(usize::from);
    for (at, (note, trace)) in told.iter().enumerate() {
        let gap = if at > 0 { "\n" } else { "" };
        let note = if note.is_empty() { String::new() } else { format!("{note}\n\n") };
        write!(stdout, "{gap}{note}{}", story::text(trace, colour(&std::io::stdout()), width))?;
    }
    if told.is_empty() {
        writeln!(stdout, "No task fails under arm '{}'.", session.scenario().arms[arm].id)?;
    }
    Ok(ExitCode::from(EXIT_SUCCESS))
}

/// The runs to show, each with a note to print before it.
fn collect_traces(
    session: &Session,
    arm: usize,
    args: &TraceArgs,
) -> anyhow::Result<Vec<(String, RunTrace)>> {
    let scenario = session.scenario();
    let mut searches = session.searches(search_depth(scenario));
    let mut runs = ArmRuns::new(session, arm, &mut searches)?;
    if args.task.is_none() {
        let found = runs.common_failures(args.top.into());
        let all = scenario.tasks.tasks.len();
        let told = found.iter().enumerate().map(|(at, common)| {
            let rate = 100.0 * common.p;
            let note = format!(
                "Failure mode {}: {rate:.2}% of all runs; {} of {all} tasks can fail in this way.",
                at + 1,
                common.tasks
            );
            Ok((note, runs.trace(&common.pick)?))
        });
        let told = told.collect();
        super::print_notes(&session.notes());
        return told;
    }
    let id = &scenario.arms[arm].id;
    // The session was narrowed to one task, whose index is therefore 0.
    let (note, trial) = match (args.trial, runs.p_failure(0)) {
        (Some(trial), _) => (String::new(), trial),
        (None, p) => match runs.typical_trial(0) {
            Some(trial) => (String::new(), trial),
            None if p > 0.0 => {
                let trials = scenario.simulation.trials;
                (format!("None of the {trials} trials fails under arm '{id}'; showing trial 0."), 0)
            }
            None => (format!("This task never fails under arm '{id}'; showing trial 0."), 0),
        },
    };
    let told = runs.trace(&SelectedRun { task: 0, trial })?;
    super::print_notes(&session.notes());
    Ok(vec![(note, told)])
}
