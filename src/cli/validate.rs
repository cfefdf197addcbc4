//! `knockon validate`: compares simulated runs with runs that a language model really read.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::progress::ProgressBars;
use super::readings::ReadingArgs;
use super::terminal::{self, complain};
use super::{
    EXIT_SUCCESS, OverwriteArgs, RATES_MARK, THREAD_RANGE, input_files, report_folder,
    set_thread_count,
};
use anyhow::Context;

use crate::compile::CompileQuestion;
use crate::output::{OutputManifest, OutputWriter, OwnershipProof};
use crate::report::table::columns_table;
use crate::run::readings::read_arms;
use crate::scenario::{MeasuredReader, MeasuredValidation};
use crate::session::{Session, index_of};
use crate::validate::{self, ValidationRecord, ValidationSettings};

/// Compare simulated runs with runs that a language model really read
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon validate scenarios/validation/renewal_desk.yaml --reader qwen_0.5b --replay
  knockon validate scenarios/validation/renewal_desk.yaml --reader qwen_0.5b --fit-arm minilm

Fits the simulated reader to the model's answers in one arm and one half of the sampling units, predicts all other arms \
in the other half, and does the same with the halves exchanged. Compares the predicted failure rates and outcomes with \
the real ones, and the order of the arms with their order by nDCG@10, recall and other indicators. The model is \
asked for answers that are not recorded, as by `record`; with --replay it is not asked. Writes validation.csv, validation_orders.csv and \
validation.columns.csv.")]
pub struct ValidateArgs {
    /// Scenario file (YAML)
    file: PathBuf,
    /// Arm to whose answers the simulated reader is fitted [default: the baseline]
    #[arg(long, value_name = "ARM")]
    fit_arm: Option<String>,
    /// Predict only these arms, separated by commas [default: all but the fitting arm]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    arms: Vec<String>,
    /// Add the result to this file of `calibrate`, so that reports with its reader state it
    #[arg(long, value_name = "FILE")]
    note_in: Option<PathBuf>,
    #[command(flatten)]
    readings: ReadingArgs,
    /// Folder for the tables [default: reports/SCENARIO, with the scenario's name]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: OverwriteArgs,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(THREAD_RANGE))]
    threads: Option<u16>,
}

const FILES: [&str; 2] = ["validation.csv", "validation_orders.csv"];
/// A name of its own, since the columns of a run are in the same folder.
const COLUMNS: &str = "validation.columns.csv";
/// A name of its own, since the manifest of a run is in the same folder.
const MANIFEST: &str = "validation.manifest.json";

pub fn run(args: ValidateArgs) -> anyhow::Result<ExitCode> {
    set_thread_count(args.threads)?;
    let (scenario, reader) = match args.readings.load_with_language_model(&args.file) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let ids = scenario.arms.iter().map(|arm| arm.id.as_str());
    let fit_arm = args.fit_arm.as_deref().map(|id| index_of("arm", id, ids)).transpose();
    let fit_arm = match fit_arm {
        Ok(arm) => arm.unwrap_or(scenario.baseline),
        Err(name) => return Ok(super::report_unknown_name("--fit-arm", &name)),
    };
    let out = args.out.unwrap_or_else(|| report_folder(&scenario.name));
    let inputs = match &args.note_in {
        Some(rates) => super::inputs_but_rates(&scenario, rates),
        None => input_files(&scenario),
    };
    let output = args.force.output().with_inputs(inputs);
    output.check_folder(&out, &[FILES[0], FILES[1], COLUMNS], Some(MANIFEST))?;
    if let Some(path) = &args.note_in {
        read_rates(path)?;
        output.check_file(path, OwnershipProof::Marked(RATES_MARK))?;
    }
    let bars = ProgressBars::new();
    let session = Session::owning(scenario).with_progress(&bars);
    let arms = match session.arms(&args.arms) {
        Ok(arms) => arms,
        Err(name) => return Ok(super::report_unknown_name("--arms", &name)),
    };
    let all: Vec<usize> = std::iter::once(fit_arm)
        .chain(arms.iter().copied().filter(|arm| *arm != fit_arm))
        .collect();
    if let Err(code) = super::preflight(&session, &all) {
        return Ok(code);
    }
    let settings = ValidationSettings { reader, fit_arm, arms };
    let read = read_arms(session.scenario(), &all, Some(reader));
    let validated = validate::check(session.scenario(), &settings)
        .and_then(|()| args.readings.prepare(session, &read, &CompileQuestion::Plain))
        .and_then(|session| validate::validate(&session, &settings));
    bars.clear();
    let record = match validated {
        Ok(record) => record,
        Err(error) => {
            complain!("error: {}: {error:#}", args.file.display());
            return Ok(ExitCode::from(super::exit_code(&error)));
        }
    };
    let tables =
        [validate::validation_table(Some(&record)), validate::indicator_table(Some(&record))];
    let columns = columns_table(COLUMNS, &tables, None);
    let files =
        [(FILES[0], tables[0].csv()?), (FILES[1], tables[1].csv()?), (COLUMNS, columns.csv()?)];
    output.write_listed(&out, &files, (MANIFEST, &OutputManifest::bytes(&files)?))?;
    if let Some(path) = &args.note_in {
        note_in(path, &record, &output)?;
    }
    let mut stdout = terminal::text_output();
    writeln!(stdout, "{}\nReport: {}", validate::text(&record), out.join(FILES[0]).display())?;
    Ok(ExitCode::from(EXIT_SUCCESS))
}

/// A file of `calibrate`.
fn read_rates(path: &Path) -> anyhow::Result<MeasuredReader> {
    let cannot = || format!("cannot read {}", path.display());
    let bytes = crate::input_file::InputSource::Disk.file(path).read().with_context(cannot)?;
    let text = String::from_utf8(bytes).with_context(cannot)?;
    MeasuredReader::parse(&text).map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))
}

/// Adds the result to a file of `calibrate`, in place of an earlier one on the same scenario.
fn note_in(path: &Path, record: &ValidationRecord, output: &OutputWriter) -> anyhow::Result<()> {
    let mut reader = read_rates(path)?;
    let (Some(median_error), Some(greatest_error)) =
        (record.median_error(), record.greatest_error())
    else {
        return Ok(());
    };
    reader.validations.retain(|validation| validation.scenario != record.scenario);
    reader.validations.push(MeasuredValidation {
        scenario: record.scenario.clone(),
        arms: record.arms.len(),
        held: record.held(),
        median_error,
        greatest_error,
    });
    output.write_file(path, reader.yaml().as_bytes(), OwnershipProof::Marked(RATES_MARK))
}
