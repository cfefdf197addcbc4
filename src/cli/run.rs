//! `knockon run`: runs a scenario and writes its reports.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::progress::ProgressBars;
use super::readings::ReadingArgs;
use super::terminal::{self, complain};
use super::{
    EXIT_FINDING, EXIT_SUCCESS, EXIT_USAGE, OverwriteArgs, THREAD_RANGE, colour, input_files,
    report_folder, set_thread_count, trace_export,
};
use crate::compile::CompileQuestion;
use crate::report::run_report::PAGE_FILE;
use crate::report::{self, RunReport};
use crate::run;
use crate::run::readings::read_arms;
use crate::session::Session;

/// Run a scenario: failure rate by arm, and reports that show where failures come from
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon run scenarios/renewal_desk.yaml
  knockon run scenarios/cuad_renewal.yaml --arms bm25,minilm --out /tmp/renewal
  knockon run scenarios/renewal_desk.yaml --parquet
  knockon run scenarios/renewal_desk.yaml --traces otlp,who-and-when --traces-limit 50

Writes how often (summary.csv, steps.csv, misses.csv, tasks.csv), why (causes.csv, edges.csv, \
paths.csv, cuts.csv), what it costs where the scenario says so (impact.csv, losses.csv, \
loss_curve.csv, loss_bands.csv), what the results depend on if the scenario asks for that (sensitivity.csv, \
sensitivity_orders.csv) and manifest.json, and with --traces single runs; \
columns.csv says what every column means, as does `knockon columns`. report.html shows all of it on one page that opens \
in any browser, offline.

manifest.json lists the files with their checksums. From these a later run knows what it may replace, and removes what it \
does not write again; a file that was changed, or that is not listed, stays and needs --force to be replaced.")]
pub struct RunArgs {
    /// Scenario file (YAML)
    file: PathBuf,
    /// Folder for the reports [default: reports/SCENARIO, with the scenario's name]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: OverwriteArgs,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(THREAD_RANGE))]
    threads: Option<u16>,
    /// Only these arms, separated by commas
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    arms: Vec<String>,
    /// Also write each CSV as Parquet, with typed columns
    #[arg(long)]
    parquet: bool,
    #[command(flatten)]
    readings: ReadingArgs,
    #[command(flatten)]
    traces: trace_export::TraceExportArgs,
}

pub fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    set_thread_count(args.threads)?;
    if args.parquet
        && let Err(error) = report::parquet::ensure_supported()
    {
        complain!("error: --parquet: {error}");
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    let scenario = match args.readings.load(&args.file) {
        Ok(scenario) => scenario,
        Err(code) => return Ok(code),
    };
    let bars = ProgressBars::new();
    let session = Session::owning(scenario).with_progress(&bars);
    let scenario = session.scenario();
    let arms = match session.arms(&args.arms) {
        Ok(arms) => arms,
        Err(name) => return Ok(super::report_unknown_name("--arms", &name)),
    };
    let out = args.out.unwrap_or_else(|| report_folder(&scenario.name));
    let output = args.force.output().with_inputs(input_files(scenario));
    let names: Vec<&str> =
        report::csv::always_written().chain([PAGE_FILE]).chain(args.traces.file_names()).collect();
    output.check_folder(&out, &names, Some(report::manifest::FILE_NAME))?;
    if let Err(code) = super::preflight(&session, &arms) {
        return Ok(code);
    }
    super::print_notes(&run::effort::notes(scenario, &arms));
    let read = read_arms(scenario, &arms, None);
    let prepared = args.readings.prepare(session, &read, &CompileQuestion::Run);
    bars.clear();
    let session = prepared.with_context(|| args.file.display().to_string())?;
    let scenario = session.scenario();
    let result = run::run_with_traces(&session, &arms, report::page::worst_tasks_shown(arms.len()))
        .and_then(|record| Ok((record, args.traces.failing_traces(&session, &arms)?)));
    bars.clear();
    let (record, traces) = match result {
        Ok(told) => told,
        Err(error) => {
            complain!("error: {}: {error:#}", args.file.display());
            return Ok(ExitCode::from(EXIT_FINDING));
        }
    };
    let whole = RunReport::new(&session, &record).with_parquet(args.parquet);
    let mut notes = whole.notes().to_vec();
    let otlp = args.traces.otlp_jsonl(scenario, &traces);
    let otlp = otlp.map(|bytes| ("traces.jsonl".to_owned(), bytes)).into_iter().collect();
    let mut files = whole.files_with(otlp)?;
    files.extend(args.traces.who_and_when_files(&traces)?);
    let changed = whole.write_through(&output, &out, &files)?;
    if !changed.is_empty() {
        let (changed, out) = (changed.join(", "), out.display());
        notes.push(format!(
            "files of an earlier run in {out} that were changed since, and therefore were not removed: {changed}"
        ));
    }
    // The width of the terminal; `None` if there is none, and then nothing is truncated.
    let width = comfy_table::Table::new().width().map(usize::from);
    let table = report::terminal::table(&record, colour(&std::io::stdout()), width);
    writeln!(terminal::styled_output(), "{table}")?;
    let mut stdout = terminal::text_output();
    writeln!(stdout, "{}", report::terminal::legend(&record))?;
    if let Some(table) = report::terminal::guards::table(&record) {
        writeln!(stdout, "\n{table}\n{}", report::terminal::guards::LEGEND)?;
    }
    if let Some(table) = report::terminal::money::table(&record) {
        writeln!(stdout, "\n{table}\n{}", report::terminal::money::legend(&record))?;
    }
    if let Some(lines) = report::terminal::ranks::lines(&record) {
        writeln!(stdout, "\n{lines}")?;
    }
    if let (Some(table), Some(of)) =
        (report::terminal::sensitivity::table(&record), &record.sensitivity)
    {
        writeln!(stdout, "\n{table}\n{}", report::terminal::sensitivity::legend(of, &record))?;
    }
    writeln!(stdout, "Reports: {}", out.display())?;
    super::print_notes(&record.right.notes());
    super::print_notes(&notes);
    Ok(ExitCode::from(EXIT_SUCCESS))
}
