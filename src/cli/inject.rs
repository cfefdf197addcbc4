//! `knockon inject`: injects one error into otherwise clean runs and shows how it propagates.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::progress::Bars;
use super::terminal::{self, complain};
use super::{FINDING, FINE, Force, WRONG_USE, inputs_of, load, use_threads};
use crate::cascade::inject;
use crate::output::Known;
use crate::report::injection;
use crate::session::Session;

/// Inject one error into otherwise clean runs: how it propagates, what absorbs it, and how the runs end
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon inject scenarios/renewal_desk.yaml
  knockon inject scenarios/renewal_desk.yaml --step find_contract --kind binding
  knockon inject scenarios/renewal_desk.yaml --kind misread,distracted --arm minilm --format csv

Kinds for retrieve steps: negation, role_swap, number, version, binding, attribute, topic, \
empty; the step hands on the best passage of that kind first. For read steps: misread, \
distracted, fabricated. All other steps make no error of their own; what follows from the \
injected one comes as it would.")]
pub struct Args {
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
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write to this file instead of the terminal
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// One row per error; details if there is only one
    Table,
    /// JSON with all details
    Json,
    /// One row per error
    Csv,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    use_threads(args.threads)?;
    let scenario = match load(&args.file) {
        Ok(scenario) => scenario,
        Err(code) => return Ok(code),
    };
    let output = args.force.output().reading(inputs_of(&scenario));
    let bars = Bars::new();
    let session = Session::owning(scenario).with_progress(&bars);
    let arm = match super::arm_or_baseline(&session, args.arm.as_deref()) {
        Ok(arm) => arm,
        Err(code) => return Ok(code),
    };
    let tasks = trimmed(&args.tasks);
    if let Some(name) = tasks.iter().find_map(|id| session.task(id).err()) {
        return Ok(super::unknown("--tasks", &name));
    }
    let (steps, kinds) = (trimmed(&args.step), trimmed(&args.kind));
    let sources = match inject::ask(session.scenario(), &steps, &kinds) {
        Ok(sources) => sources,
        Err(mistake) => {
            complain!("error: {mistake}");
            return Ok(ExitCode::from(WRONG_USE));
        }
    };
    if let Some(path) = &args.out {
        output.check_file(path, Known::No)?;
    }
    match super::ready(&session, &[arm]) {
        Ok(right) => super::say(&right.notes()),
        Err(code) => return Ok(code),
    }
    let session = if tasks.is_empty() { session } else { session.keep_tasks(&tasks)? };
    let result = inject::inject(&session, arm, &sources);
    bars.clear();
    super::say(&session.notes());
    let record = match result {
        Ok(record) => record,
        Err(error) => {
            complain!("error: {}: {error:#}", args.file.display());
            return Ok(ExitCode::from(FINDING));
        }
    };
    let bytes = match args.format {
        Format::Table => format!("{}\n", injection::text(&record)).into_bytes(),
        Format::Json => injection::json(&record)?,
        Format::Csv => injection::csv(&record)?,
    };
    match args.out {
        Some(path) => output.write_file(&path, &bytes, Known::No)?,
        // Tables are for people, JSON and CSV for programs.
        None if args.format == Format::Table => terminal::text().write_all(&bytes)?,
        None => terminal::data().write_all(&bytes)?,
    }
    Ok(ExitCode::from(FINE))
}

/// Accepts `a, b` as well as `a,b`.
fn trimmed(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.trim().to_owned()).collect()
}
