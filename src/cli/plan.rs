//! `knockon plan`: compares mitigations by cost and benefit.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::progress::ProgressBars;
use super::readings::ReadingArgs;
use super::terminal::{self, complain};
use super::{
    EXIT_FINDING, EXIT_SUCCESS, EXIT_USAGE, OverwriteArgs, THREAD_RANGE, input_files,
    report_folder, set_thread_count,
};
use crate::output::OutputManifest;
use crate::plan;
use crate::report::table::columns_table;
use crate::run;
use crate::session::Session;

/// Compare mitigations: what to buy first, what it saves, and how certain that is
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon plan scenarios/invoice_match.yaml
  knockon plan scenarios/renewal_desk.yaml --out plans

The scenario lists candidates under `plan`, and says under `impact` what failures cost \
(scenarios/README.md). Every combination is run as an arm. Writes plan.csv, \
and plan.columns.csv, which explains its columns.")]
pub struct PlanArgs {
    /// Scenario file (YAML)
    file: PathBuf,
    /// Folder for plan.csv [default: reports/SCENARIO, with the scenario's name]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: OverwriteArgs,
    #[command(flatten)]
    readings: ReadingArgs,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(THREAD_RANGE))]
    threads: Option<u16>,
}

const FILE: &str = "plan.csv";
/// A name of its own, since the columns of a run are in the same folder.
const COLUMNS: &str = "plan.columns.csv";
/// A name of its own, since the manifest of a run is in the same folder.
const MANIFEST: &str = "plan.manifest.json";

pub fn run(args: PlanArgs) -> anyhow::Result<ExitCode> {
    set_thread_count(args.threads)?;
    let scenario = match args.readings.load(&args.file) {
        Ok(scenario) => scenario,
        Err(code) => return Ok(code),
    };
    if scenario.plan.is_none() {
        complain!("error: {} has no section `plan`; see scenarios/README.md", args.file.display());
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    let out = args.out.unwrap_or_else(|| report_folder(&scenario.name));
    let output = args.force.output().with_inputs(input_files(&scenario));
    output.check_folder(&out, &[FILE, COLUMNS], Some(MANIFEST))?;
    let bars = ProgressBars::new();
    // Only the arm that mitigations are added to; the plan's own arms are built from it later.
    let from = scenario.plan.as_ref().map_or(scenario.baseline, |plan| plan.improved_arm);
    match super::preflight(&Session::over(&scenario).with_progress(&bars), &[from]) {
        Ok(right) => super::print_notes(&right.notes()),
        Err(code) => return Ok(code),
    }
    let mut notes = Vec::new();
    let planned = plan::plan(scenario, &mut |scenario| {
        let session = args.readings.limited(Session::over(scenario).with_progress(&bars));
        let record = run::run(&session, &session.all_arms());
        notes = session.notes();
        record
    });
    bars.clear();
    let planned = match planned {
        Ok(planned) => planned,
        Err(error) => {
            complain!("error: {}: {error:#}", args.file.display());
            return Ok(ExitCode::from(EXIT_FINDING));
        }
    };
    let table = plan::plan_table(Some(&planned));
    let columns = columns_table(COLUMNS, std::slice::from_ref(&table), Some(&planned.currency));
    let files = [(FILE, table.csv()?), (COLUMNS, columns.csv()?)];
    output.write_listed(&out, &files, (MANIFEST, &OutputManifest::bytes(&files)?))?;
    let mut stdout = terminal::text_output();
    writeln!(stdout, "{}\n{}", plan::table(&planned), plan::legend(&planned))?;
    writeln!(stdout, "Report: {}", out.join(FILE).display())?;
    super::print_notes(&notes);
    Ok(ExitCode::from(EXIT_SUCCESS))
}
