//! `knockon queries`: exports the queries of all tasks, to run them on another system.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;

use super::progress::ProgressBars;
use super::terminal;
use super::{EXIT_SUCCESS, OverwriteArgs, input_files, report_mistakes};
use crate::output::OwnershipProof;
use crate::scenario::{self, Scenario};
use crate::session::Session;
use crate::session::right_queries::{RightQuery, right_queries};
use crate::visible_text::visible;

/// Print the query of every task at every step, to run on a system of your own
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon queries scenarios/renewal_desk.yaml --out queries.tsv
  knockon queries scenarios/renewal_desk.yaml --format jsonl | head -3

One query a line, as it is when nothing has gone wrong before the step: `qid TAB query`, or with --format \
jsonl also task, step, corpus and whose passages are searched. A qid is TASK.STEP, or TASK.STEP.N for \
the N-th of several phrasings; a run with these qids is what `kind: run_file` reads.")]
pub struct QueriesArgs {
    /// Scenario file (YAML)
    file: PathBuf,
    /// The arm whose corpora are used [default: the baseline]
    #[arg(long, value_name = "A")]
    arm: Option<String>,
    #[arg(long, value_enum, default_value_t = QueryFormat::Tsv)]
    format: QueryFormat,
    /// Write to this file instead of the terminal
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: OverwriteArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum QueryFormat {
    /// `qid TAB query`; white space within a query becomes a single space, control characters become visible
    Tsv,
    /// One JSON object per line
    Jsonl,
}

pub fn run(args: &QueriesArgs) -> anyhow::Result<ExitCode> {
    let loaded = scenario::load_for_queries(&args.file, &ProgressBars::new());
    let scenario = match report_mistakes(&args.file, loaded) {
        Ok(scenario) => scenario,
        Err(code) => return Ok(code),
    };
    let session = Session::owning(scenario);
    let scenario = session.scenario();
    let arm = match super::arm_or_baseline(&session, args.arm.as_deref()) {
        Ok(arm) => arm,
        Err(code) => return Ok(code),
    };
    let output = args.force.output().with_inputs(input_files(scenario));
    if let Some(path) = &args.out {
        output.check_file(path, OwnershipProof::SameBytes)?;
    }
    let mut bytes = Vec::new();
    for query in right_queries(scenario, session.indices(), &scenario.arms[arm])? {
        let line = match args.format {
            QueryFormat::Tsv => tsv(scenario, &query),
            QueryFormat::Jsonl => serde_json::to_string(&QueryLine::new(scenario, &query))?,
        };
        writeln!(bytes, "{line}")?;
    }
    match &args.out {
        Some(path) => output.write_file(path, &bytes, OwnershipProof::SameBytes)?,
        None => terminal::data_output().write_all(&bytes)?,
    }
    Ok(ExitCode::from(EXIT_SUCCESS))
}

fn tsv(scenario: &Scenario, query: &RightQuery) -> String {
    // A tab or line end within a query would break the format.
    let text = query.text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{}\t{}", visible(&query.phrasing_id(scenario)), visible(&text))
}

#[derive(Serialize)]
struct QueryLine<'a> {
    qid: String,
    task: &'a str,
    step: &'a str,
    corpus: &'a str,
    entity: Option<&'a str>,
    query: &'a str,
}

impl<'a> QueryLine<'a> {
    fn new(scenario: &'a Scenario, query: &'a RightQuery) -> QueryLine<'a> {
        QueryLine {
            qid: query.phrasing_id(scenario),
            task: &scenario.tasks.tasks[query.task].id,
            step: &scenario.steps[query.step].id,
            corpus: &scenario.corpora[query.corpus].name,
            entity: query.entity.as_deref(),
            query: &query.text,
        }
    }
}
