//! `knockon search`: runs the retrieval of one step and shows the ranked passages.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::progress::ProgressBars;
use super::terminal::{self, complain};
use super::{EXIT_FINDING, EXIT_SUCCESS, THREAD_RANGE, load_scenario, set_thread_count};
use crate::cascade::arm_runs::MIN_DEPTH;
use crate::report;
use crate::run::search_preview::SearchPreviewRequest;
use crate::session::{Session, UnknownName};

/// Search as a step does: ranks, scores, gold passages, and the kind of miss of each other passage
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon search --scenario scenarios/renewal_desk.yaml --step find_notice --task c001-t1
  knockon search \"non-renewal\" --scenario scenarios/renewal_desk.yaml --step find_notice
  knockon search --scenario scenarios/renewal_desk.yaml --step find_expiry --task c001-t1 \\
      --embedder minilm --top 20 --format json

Without a query: what the step asks of this task when nothing has gone wrong, in each of its phrasings. \
With --task: which passages are gold, and what kind of miss each other one makes where it ranks first. A \
step that searches one entity's passages does so here too, where a task says whose.")]
pub struct SearchArgs {
    /// The query [default: the task's own]
    query: Option<String>,
    /// Scenario file (YAML)
    #[arg(long, value_name = "FILE")]
    scenario: PathBuf,
    /// The retrieve step
    #[arg(long, value_name = "STEP")]
    step: String,
    /// The arm whose settings are used [default: the baseline]
    #[arg(long, value_name = "A")]
    arm: Option<String>,
    /// The task, by its id
    #[arg(long, value_name = "ID", required_unless_present = "query")]
    task: Option<String>,
    /// An embedder of the scenario to use instead of the arm's
    #[arg(long, value_name = "E")]
    embedder: Option<String>,
    /// The number of passages to show
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    #[arg(long, value_enum, default_value_t = SearchFormat::Table)]
    format: SearchFormat,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(THREAD_RANGE))]
    threads: Option<u16>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SearchFormat {
    /// One table per query, with the beginning of each text
    Table,
    /// JSON with all details
    Json,
}

pub fn run(args: &SearchArgs) -> anyhow::Result<ExitCode> {
    set_thread_count(args.threads)?;
    let scenario = match load_scenario(&args.scenario) {
        Ok(scenario) => scenario,
        Err(code) => return Ok(code),
    };
    let bars = ProgressBars::new();
    let session = Session::owning(scenario).with_progress(&bars);
    let spot = match resolve_request(&session, args) {
        Ok(spot) => spot,
        Err((option, name)) => return Ok(super::report_unknown_name(option, &name)),
    };
    let result = session.search(&spot);
    bars.clear();
    let look = match result {
        Ok(look) => look,
        Err(error) => {
            complain!("error: {}: {error:#}", args.scenario.display());
            return Ok(ExitCode::from(EXIT_FINDING));
        }
    };
    let text = match args.format {
        SearchFormat::Table => report::search_preview::text(&look),
        SearchFormat::Json => report::search_preview::json(&look)?,
    };
    match args.format {
        SearchFormat::Table => terminal::text_output().write_all(text.as_bytes())?,
        SearchFormat::Json => terminal::data_output().write_all(text.as_bytes())?,
    }
    super::print_notes(&session.notes());
    Ok(ExitCode::from(EXIT_SUCCESS))
}

fn resolve_request<'q>(
    session: &Session,
    args: &'q SearchArgs,
) -> Result<SearchPreviewRequest<'q>, (&'static str, UnknownName)> {
    let arm = args
        .arm
        .as_ref()
        .map(|arm| session.arm(arm))
        .transpose()
        .map_err(|name| ("--arm", name))?;
    let task = args.task.as_ref().map(|task| session.task(task)).transpose();
    let embedder = args.embedder.as_ref().map(|name| session.embedder(name)).transpose();
    Ok(SearchPreviewRequest {
        step: session.retrieve_step(&args.step).map_err(|name| ("--step", name))?,
        arm: arm.unwrap_or(session.baseline()),
        embedder: embedder.map_err(|name| ("--embedder", name))?,
        task: task.map_err(|name| ("--task", name))?,
        query: args.query.as_deref(),
        top: args.top.into(),
        depth: MIN_DEPTH,
    })
}
