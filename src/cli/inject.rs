//! `knockon inject`: one error in otherwise clean runs, and where it goes.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::progress::Bars;
use super::terminal::{self, complain};
use super::{FINDING, FINE, Force, WRONG_USE, inputs_of, load, use_threads};
use crate::cascade::inject;
use crate::expr::suggest;
use crate::output::Known;
use crate::report::injection;
use crate::run::Models;
use crate::scenario::Scenario;

/// Inject one error into otherwise clean runs: where it goes, what absorbs it, how it ends
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
    /// Only these kinds of error, separated by commas [default: all that the step knows]
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
    /// One row an error; a single one in detail
    Table,
    /// Everything
    Json,
    /// One row an error
    Csv,
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    use_threads(args.threads)?;
    let mut scenario = match load(&args.file) {
        Ok(scenario) => scenario,
        Err(code) => return Ok(code),
    };
    let asked = pick_arm(&scenario, args.arm.as_deref()).and_then(|arm| {
        known_tasks(&scenario, &trimmed(&args.tasks))?;
        let (steps, kinds) = (trimmed(&args.step), trimmed(&args.kind));
        let sources = inject::ask(&scenario, &steps, &kinds).map_err(|e| e.to_string())?;
        Ok((arm, sources))
    });
    let (arm, sources) = match asked {
        Ok(asked) => asked,
        Err(mistake) => {
            complain!("error: {mistake}");
            return Ok(ExitCode::from(WRONG_USE));
        }
    };
    let output = args.force.output().reading(inputs_of(&scenario));
    if let Some(path) = &args.out {
        output.check_file(path, Known::No)?;
    }
    let bars = Bars::new();
    let models = Models::new(&scenario, &bars, None);
    let right = match super::ready(&scenario, &[arm], &models) {
        Ok(right) => right,
        Err(code) => return Ok(code),
    };
    super::say(&right.notes());
    let loaded = models.into_loaded();
    keep_tasks(&mut scenario, &trimmed(&args.tasks));
    let models = Models::new(&scenario, &bars, None).with_loaded(loaded);
    let open = |embedder, corpus| models.open(embedder, corpus);
    let result = inject::inject(&scenario, arm, &sources, &open, &bars);
    bars.clear();
    super::say(&models.notes());
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
        None if args.format == Format::Table => terminal::text().write_all(&bytes)?,
        None => terminal::data().write_all(&bytes)?,
    }
    Ok(ExitCode::from(FINE))
}

/// `a, b` is as good as `a,b`.
fn trimmed(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.trim().to_owned()).collect()
}

/// The index of the arm asked for.
fn pick_arm(scenario: &Scenario, asked: Option<&str>) -> Result<usize, String> {
    let Some(id) = asked else {
        return Ok(scenario.baseline);
    };
    let all = || scenario.arms.iter().map(|arm| arm.id.as_str());
    all().position(|arm| arm == id).ok_or_else(|| {
        let hint = suggest(id, all()).map_or_else(String::new, |hint| format!("; {hint}"));
        format!("--arm: no arm '{id}'; there are {}{hint}", all().collect::<Vec<_>>().join(", "))
    })
}

/// Says which of the tasks that are asked for is none.
fn known_tasks(scenario: &Scenario, asked: &[String]) -> Result<(), String> {
    let tasks = &scenario.tasks.tasks;
    if let Some(id) = asked.iter().find(|id| tasks.iter().all(|task| task.id != **id)) {
        let hint = suggest(id, tasks.iter().map(|task| task.id.as_str()));
        let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
        return Err(format!("--tasks: no task '{id}' among the {}{hint}", tasks.len()));
    }
    Ok(())
}

/// Leaves only the tasks asked for; all where none is.
fn keep_tasks(scenario: &mut Scenario, asked: &[String]) {
    if asked.is_empty() {
        return;
    }
    let tasks = std::mem::take(&mut scenario.tasks.tasks).into_iter();
    let (kept, others): (Vec<_>, Vec<_>) = tasks.partition(|task| asked.contains(&task.id));
    scenario.tasks.tasks = kept;
    scenario.other_tasks.extend(others.into_iter().map(|task| task.id));
}
