//! `knockon calibrate`: fits the rates of the simulated reader to the answers of a language model.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::progress::ProgressBars;
use super::readings::ReadingArgs;
use super::terminal::{self, complain};
use super::{
    EXIT_FINDING, EXIT_SUCCESS, OverwriteArgs, RATES_MARK, THREAD_RANGE, set_thread_count,
};
use crate::calibrate::FitVerdict;
use crate::compile::CompileQuestion;
use crate::output::OwnershipProof;
use crate::report;
use crate::run::calibration::{CalibrationSettings, calibrate};
use crate::run::readings::read_arms;
use crate::session::Session;

/// Fit the rates of the simulated reader to the recorded answers of a language model
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon calibrate scenarios/validation/renewal_desk.yaml --reader qwen_0.5b --replay
  knockon calibrate scenarios/validation/renewal_desk.yaml --reader qwen_0.5b --arms bm25 --reads 100

Fits misread, follow, fabricate and the other rates, with 95% intervals, by field where fields differ. Writes them to a \
file that a scenario names as a reader of kind `measured`; `sensitivity` then varies them within these intervals. The \
model is asked for answers that are not recorded, as by `record`; with --replay it is not asked. With --reads, it is asked \
only for the readings that say most about the rates. If a simulated reader with these rates would answer differently, the reasons are \
printed, nothing is written and the exit code is 1, unless --accept is given.")]
pub struct CalibrateArgs {
    /// Scenario file (YAML)
    file: PathBuf,
    /// Only readings of these arms, separated by commas [default: all arms]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    arms: Vec<String>,
    /// Use at most N readings: those that say most about the rates
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    reads: Option<u32>,
    /// Write the rates even if the checks reject them
    #[arg(long)]
    accept: bool,
    #[command(flatten)]
    readings: ReadingArgs,
    /// File for the rates [default: readers/READER.yaml in the folder of the scenario]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: OverwriteArgs,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(THREAD_RANGE))]
    threads: Option<u16>,
}

pub fn run(args: CalibrateArgs) -> anyhow::Result<ExitCode> {
    set_thread_count(args.threads)?;
    let (scenario, reader) = match args.readings.load_with_language_model(&args.file) {
        Ok(loaded) => loaded,
        Err(code) => return Ok(code),
    };
    let out = args.out.clone().unwrap_or_else(|| {
        let folder = args.file.parent().map(PathBuf::from).unwrap_or_default();
        folder.join("readers").join(format!("{}.yaml", scenario.readers[reader].name))
    });
    let output = args.force.output().with_inputs(super::inputs_but_rates(&scenario, &out));
    output.check_file(&out, OwnershipProof::Marked(RATES_MARK))?;
    let bars = ProgressBars::new();
    let session = Session::owning(scenario).with_progress(&bars);
    let arms = match session.arms(&args.arms) {
        Ok(arms) => arms,
        Err(name) => return Ok(super::report_unknown_name("--arms", &name)),
    };
    if let Err(code) = super::preflight(&session, &arms) {
        return Ok(code);
    }
    let settings = CalibrationSettings {
        reader,
        arms,
        reads: args.reads.map(|reads| reads as usize),
        date: chrono::Utc::now().format("%Y-%m-%d").to_string(),
    };
    let read = read_arms(session.scenario(), &settings.arms, Some(reader));
    let prepared = match settings.reads {
        // The limit on readings leaves out readings, not tasks.
        Some(_) => Ok(args.readings.limited(session)),
        None => args.readings.prepare(session, &read, &CompileQuestion::Plain),
    };
    let calibrated = prepared.and_then(|session| calibrate(&session, &settings));
    bars.clear();
    let record = match calibrated {
        Ok(record) => record,
        Err(error) => {
            complain!("error: {}: {error:#}", args.file.display());
            return Ok(ExitCode::from(super::exit_code(&error)));
        }
    };
    let mut stdout = terminal::text_output();
    writeln!(stdout, "{}", report::terminal::calibration::text(&record))?;
    if let FitVerdict::Rejected { reasons } = &record.checks.verdict {
        writeln!(stdout, "This reader is not described by these rates:")?;
        for reason in reasons {
            writeln!(stdout, "  {reason}")?;
        }
        if !args.accept {
            complain!("error: nothing was written; --accept writes the rates nevertheless");
            return Ok(ExitCode::from(EXIT_FINDING));
        }
    } else {
        writeln!(stdout, "No check speaks against these rates.")?;
    }
    output.write_file(&out, record.reader.yaml().as_bytes(), OwnershipProof::Marked(RATES_MARK))?;
    writeln!(stdout, "Reader: {}", out.display())?;
    Ok(ExitCode::from(EXIT_SUCCESS))
}
