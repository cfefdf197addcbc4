//! `knockon search`: what a step would have retrieved.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::progress::Bars;
use super::terminal::{self, complain};
use super::{FINDING, FINE, WRONG_USE, load, use_threads};
use crate::cascade::runs::DEPTH;
use crate::expr::suggest;
use crate::report;
use crate::run::Models;
use crate::run::look::{Spot, look};
use crate::scenario::{Scenario, StepKind};

/// Search as a step does: ranks, scores, what is gold and what kind of miss the rest would be
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon search --scenario scenarios/renewal_desk.yaml --step find_notice --task c001-t1
  knockon search \"non-renewal\" --scenario scenarios/renewal_desk.yaml --step find_notice
  knockon search --scenario scenarios/renewal_desk.yaml --step find_expiry --task c001-t1 \\
      --embedder minilm --top 20 --format json

Without a query: what the step asks of this task when nothing has gone wrong, in each of its phrasings. \
With --task: which passages are gold, and what kind of miss each other one makes where it ranks first. A \
step that searches one entity's passages does so here too, where a task says whose.")]
pub struct Args {
    /// The query [default: the task's own]
    query: Option<String>,
    /// Scenario file (YAML)
    #[arg(long, value_name = "FILE")]
    scenario: PathBuf,
    /// A retrieve step
    #[arg(long, value_name = "STEP")]
    step: String,
    /// The arm whose settings count [default: the baseline]
    #[arg(long, value_name = "A")]
    arm: Option<String>,
    /// The task, by its id
    #[arg(long, value_name = "ID", required_unless_present = "query")]
    task: Option<String>,
    /// Another embedder of the scenario in place of the arm's
    #[arg(long, value_name = "E")]
    embedder: Option<String>,
    /// How many passages to show
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table a query, with the beginning of each text
    Table,
    /// Everything
    Json,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    use_threads(args.threads)?;
    let scenario = match load(&args.scenario) {
        Ok(scenario) => scenario,
        Err(code) => return Ok(code),
    };
    let spot = match spot(&scenario, args) {
        Ok(spot) => spot,
        Err(message) => {
            complain!("error: {message}");
            return Ok(ExitCode::from(WRONG_USE));
        }
    };
    let bars = Bars::new();
    let models = Models::new(&scenario, &bars, None);
    let open = |embedder, corpus| models.open(embedder, corpus);
    let result = look(&scenario, &spot, &open, &bars);
    bars.clear();
    let look = match result {
        Ok(look) => look,
        Err(error) => {
            complain!("error: {}: {error:#}", args.scenario.display());
            return Ok(ExitCode::from(FINDING));
        }
    };
    let text = match args.format {
        Format::Table => report::look::text(&look),
        Format::Json => report::look::json(&look)?,
    };
    match args.format {
        Format::Table => terminal::text().write_all(text.as_bytes())?,
        Format::Json => terminal::data().write_all(text.as_bytes())?,
    }
    super::say(&models.notes());
    Ok(ExitCode::from(FINE))
}

fn spot<'q>(scenario: &Scenario, args: &'q Args) -> Result<Spot<'q>, String> {
    let steps = scenario.steps.iter().map(|step| match step.kind {
        StepKind::Retrieve(_) => step.id.as_str(),
        _ => "",
    });
    let arms = scenario.arms.iter().map(|arm| arm.id.as_str());
    let tasks = scenario.tasks.tasks.iter().map(|task| task.id.as_str());
    let embedders = scenario.embedders.iter().map(|embedder| embedder.name.as_str());
    let arm = args.arm.as_ref().map(|arm| place("--arm", "arm", arm, arms)).transpose()?;
    let task = args.task.as_ref().map(|task| place("--task", "task", task, tasks)).transpose()?;
    let embedder = args.embedder.as_ref();
    let embedder =
        embedder.map(|name| place("--embedder", "embedder", name, embedders)).transpose()?;
    Ok(Spot {
        step: place("--step", "retrieve step", &args.step, steps)?,
        arm: arm.unwrap_or(scenario.baseline),
        embedder,
        task,
        query: args.query.as_deref(),
        top: args.top.into(),
        depth: DEPTH,
    })
}

/// Names that a message lists.
const LISTED: usize = 12;

/// The place of `name` among `known`, in which empty names stand for nothing.
fn place<'k>(
    option: &str,
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'k str> + Clone,
) -> Result<usize, String> {
    known.clone().position(|known| known == name).ok_or_else(|| {
        let names: Vec<&str> = known.filter(|known| !known.is_empty()).collect();
        let hint = suggest(name, names.iter().copied());
        let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
        let more = if names.len() > LISTED { ", ..." } else { "" };
        let listed = names.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
        format!("{option}: no {what} '{name}'; there are {listed}{more}{hint}")
    })
}
