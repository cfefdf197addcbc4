//! `knockon record`: asks language models for the readings of plain runs of a scenario and records their answers.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::progress::ProgressBars;
use super::readings::ReadingArgs;
use super::terminal::{self, complain};
use super::{EXIT_SUCCESS, EXIT_USAGE, THREAD_RANGE, set_thread_count};
use crate::compile::CompileQuestion;
use crate::run::readings::{read_arms, record_readings};
use crate::session::Session;

/// Ask a language model for the readings of a scenario, and record its answers
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon record scenarios/validation/renewal_desk.yaml --reader qwen_0.5b --plain
  knockon record scenarios/validation/renewal_desk.yaml --reader qwen_0.5b --arms bm25,minilm --max-reads 200
  knockon record scenarios/validation/renewal_desk.yaml --reader qwen_0.5b --replay

Asks the readers of the section `readers`, of the kinds chat and local, for every reading of the arms that name them. \
Answers are recorded in the file that the reader names (recordings), one JSON object a line, as they arrive: an \
interrupted command goes on where it stopped, and no prompt is asked twice. `run`, `calibrate` and `validate` replay \
them; for the last two, --plain is enough and asks for far less.")]
pub struct RecordArgs {
    /// Scenario file (YAML)
    file: PathBuf,
    /// Only these arms, separated by commas
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    arms: Vec<String>,
    /// Only the readings of the runs as they are: enough for `calibrate` and `validate`. `run` also needs those of runs
    /// with an error forced or repaired, from which it computes causes
    #[arg(long)]
    plain: bool,
    #[command(flatten)]
    readings: ReadingArgs,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(THREAD_RANGE))]
    threads: Option<u16>,
}

pub fn run(args: RecordArgs) -> anyhow::Result<ExitCode> {
    set_thread_count(args.threads)?;
    let scenario = match args.readings.load(&args.file) {
        Ok(scenario) => scenario,
        Err(code) => return Ok(code),
    };
    let bars = ProgressBars::new();
    let session = Session::owning(scenario).with_progress(&bars);
    let arms = match session.arms(&args.arms) {
        Ok(arms) => arms,
        Err(name) => return Ok(super::report_unknown_name("--arms", &name)),
    };
    let read = read_arms(session.scenario(), &arms, None);
    if read.is_empty() {
        complain!(
            "error: {}: no arm is read by a language model: name one of the section `readers` with --reader, or as the \
             `reader` of an arm",
            args.file.display()
        );
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    if let Err(code) = super::preflight(&session, &arms) {
        return Ok(code);
    }
    let question = if args.plain { CompileQuestion::Plain } else { CompileQuestion::Run };
    let recorded = args.readings.prepare(session, &read, &question).and_then(|session| {
        let totals = record_readings(&session, &read, &question)?;
        Ok((session, totals))
    });
    bars.clear();
    let (session, totals) = match recorded {
        Ok(recorded) => recorded,
        Err(error) => {
            complain!("error: {}: {error:#}", args.file.display());
            return Ok(ExitCode::from(super::exit_code(&error)));
        }
    };
    let mut stdout = terminal::text_output();
    writeln!(stdout, "{} readings, {} of them unparsable", totals.readings, totals.unparsable)?;
    for reason in &totals.reasons {
        writeln!(stdout, "  unparsable: {reason}")?;
    }
    for (at, reader) in session.scenario().readers.iter().enumerate() {
        let usage = session.reader_usage(at);
        if let Some(identity) = usage.identity {
            writeln!(
                stdout,
                "{}: {}, {} distinct prompts, {:.0} s, recorded in {}",
                reader.name, identity.model, usage.reads, usage.seconds, reader.recordings.0
            )?;
        }
    }
    super::print_notes(&session.notes());
    Ok(ExitCode::from(EXIT_SUCCESS))
}
