//! `knockon inject`: injects one error into otherwise clean runs and shows how it propagates.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::progress::ProgressBars;
use super::readings::ReadingArgs;
use super::terminal::{self, complain};
use super::{
    EXIT_FINDING, EXIT_SUCCESS, EXIT_USAGE, OverwriteArgs, THREAD_RANGE, input_files,
    set_thread_count,
};
use crate::cascade::inject;
use crate::output::OwnershipProof;
use crate::report::injection;
use crate::session::Session;

/// Inject one error into otherwise clean runs: how it propagates, what absorbs it, and how the runs end
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon inject scenarios/renewal_desk.yaml
  knockon inject scenarios/renewal_desk.yaml --step find_contract --kind binding
  knockon inject scenarios/renewal_desk.yaml --kind misread,distracted --arm minilm --format csv

Kinds for retrieve steps: negation, role_swap, number, version, binding, attribute, topic, \
empty; the step passes on the best passage of that kind first. For read steps: misread, \
distracted, fabricated. All other steps make no error of their own; the consequences of the \
injected error follow as usual.")]
pub struct InjectArgs {
    /// Scenario file (YAML)
    file: PathBuf,
    /// Only at these steps, separated by commas [default: every retrieve and read step]
    #[arg(long, value_name = "S,T", value_delimiter = ',')]
    step: Vec<String>,
    /// Only these kinds of error, separated by commas [default: all kinds that the step can make]
    #[arg(long, value_name = "K,L", value_delimiter = ',')]
    kind: Vec<String>,
    /// The arm to inject into [default: the baseline]
    #[arg(long, value_name = "A")]
    arm: Option<String>,
    /// Only these tasks, separated by commas
    #[arg(long, value_name = "ID,ID", value_delimiter = ',')]
    tasks: Vec<String>,
    #[arg(long, value_enum, default_value_t = InjectionFormat::Table)]
    format: InjectionFormat,
    /// Write to this file instead of the terminal
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: OverwriteArgs,
    #[command(flatten)]
    readings: ReadingArgs,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(THREAD_RANGE))]
    threads: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum InjectionFormat {
    /// One row per error; details if there is only one
    Table,
    /// JSON with all details
    Json,
    /// One row per error
    Csv,
}

pub fn run(args: InjectArgs) -> anyhow::Result<ExitCode> {
    set_thread_count(args.threads)?;
    let scenario = match args.readings.load(&args.file) {
        Ok(scenario) => scenario,
        Err(code) => return Ok(code),
    };
    let output = args.force.output().with_inputs(input_files(&scenario));
    let bars = ProgressBars::new();
    let session = args.readings.limited(Session::owning(scenario).with_progress(&bars));
    let arm = match super::arm_or_baseline(&session, args.arm.as_deref()) {
        Ok(arm) => arm,
        Err(code) => return Ok(code),
    };
    let tasks = trimmed(&args.tasks);
    if let Some(name) = tasks.iter().find_map(|id| session.task(id).err()) {
        return Ok(super::report_unknown_name("--tasks", &name));
    }
    let (steps, kinds) = (trimmed(&args.step), trimmed(&args.kind));
    let sources = match inject::requested_errors(session.scenario(), &steps, &kinds) {
        Ok(sources) => sources,
        Err(mistake) => {
            complain!("error: {mistake}");
            return Ok(ExitCode::from(EXIT_USAGE));
        }
    };
    if let Some(path) = &args.out {
        output.check_file(path, OwnershipProof::Never)?;
    }
    match super::preflight(&session, &[arm]) {
        Ok(right) => super::print_notes(&right.notes()),
        Err(code) => return Ok(code),
    }
    let session = if tasks.is_empty() { session } else { session.keep_tasks(&tasks)? };
    let result = inject::inject(&session, arm, &sources);
    bars.clear();
    super::print_notes(&session.notes());
    let record = match result {
        Ok(record) => record,
        Err(error) => {
            complain!("error: {}: {error:#}", args.file.display());
            return Ok(ExitCode::from(EXIT_FINDING));
        }
    };
    let bytes = match args.format {
        InjectionFormat::Table => format!("{}\n", injection::text(&record)).into_bytes(),
        InjectionFormat::Json => injection::json(&record)?,
        InjectionFormat::Csv => injection::injection_table(Some(&record)).csv()?,
    };
    match args.out {
        Some(path) => output.write_file(&path, &bytes, OwnershipProof::Never)?,
        // Tables are for people, JSON and CSV for programs.
        None if args.format == InjectionFormat::Table => {
            terminal::text_output().write_all(&bytes)?
        }
        None => terminal::data_output().write_all(&bytes)?,
    }
    Ok(ExitCode::from(EXIT_SUCCESS))
}

/// Accepts `a, b` as well as `a,b`.
fn trimmed(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.trim().to_owned()).collect()
}
