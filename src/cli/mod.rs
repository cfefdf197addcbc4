//! The command line: argument parsing and messages, one file per command.
//!
//! Invariant: messages reach the terminal only from this folder (see [`terminal`]); computations and file formats are
//! in the library.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};

use terminal::{colour, complain};

use crate::output::{OutputWriter, WriteRefused};
use crate::report::run_report::input_paths as input_files;
use crate::run::oracle_check::OracleRecord;
use crate::scenario::{self, Diagnostics, MeasuredReader, Scenario};
use crate::session::{Session, UnknownName};
use crate::wrong_use::WrongUse;

mod calibrate;
pub mod check;
pub mod columns;
mod embed;
mod gate;
mod import;
mod init;
mod inject;
mod man;
mod models;
mod perturb;
mod plan;
mod probe;
mod progress;
mod queries;
mod readings;
mod record;
mod run;
pub mod schema;
mod search;
mod synth;
mod terminal;
mod trace;
mod trace_export;
mod tune;
mod unknown_option;
mod validate;
mod verifier;

/// Exit code of all commands for success.
pub const EXIT_SUCCESS: u8 = 0;
/// Exit code for a finding: a scenario with mistakes, a run that could not be finished.
pub const EXIT_FINDING: u8 = 1;
/// Exit code for wrong use: an unknown option, a missing file.
pub const EXIT_USAGE: u8 = 2;

#[derive(Parser)]
#[command(
    name = "knockon",
    version,
    about = "Follow a retrieval miss through an agent pipeline to the wrong action it causes",
    after_help = "Examples:
  knockon init returns
  knockon run scenarios/renewal_desk.yaml
  knockon inject scenarios/renewal_desk.yaml --step find_contract
  knockon search --scenario scenarios/renewal_desk.yaml --step find_notice --task c001-t1
  knockon check scenarios/*.yaml
  knockon import cuad path/to/CUAD_v1 --out scenarios/cuad
  knockon models pull all-MiniLM-L6-v2

Exit codes: 0 fine, 1 a finding, 2 wrong use."
)]
struct CliArgs {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Subcommand)]
enum CliCommand {
    Init(init::InitArgs),
    Run(run::RunArgs),
    Gate(gate::GateArgs),
    Plan(plan::PlanArgs),
    Inject(inject::InjectArgs),
    Trace(trace::TraceArgs),
    Search(search::SearchArgs),
    Queries(queries::QueriesArgs),
    Record(record::RecordArgs),
    Calibrate(calibrate::CalibrateArgs),
    Validate(validate::ValidateArgs),
    Check(check::CheckArgs),
    /// Print the JSON Schema of scenario files, for editors
    #[command(after_help = "Example:
  knockon schema > scenario.schema.json

An editor with the YAML language server completes and checks a scenario whose first line is
  # yaml-language-server: $schema=./scenario.schema.json")]
    Schema,
    /// Convert a public data set, or a table of your own, to passages and tasks
    Import(import::ImportArgs),
    /// Generate data: contracts, or the records of a company, with labelled near-misses
    Synth(synth::SynthArgs),
    Embed(embed::EmbedArgs),
    Tune(tune::TuneArgs),
    Perturb(perturb::PerturbArgs),
    Probe(probe::ProbeArgs),
    Verifier(verifier::VerifierArgs),
    /// List, fetch and prepare embedding models
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Print a completion script for your shell
    #[command(
        after_help = "Example:\n  knockon completions bash > ~/.local/share/bash-completion/completions/knockon"
    )]
    Completions {
        shell: clap_complete::Shell,
    },
    Man(man::ManArgs),
    /// Print every default with its source, as Markdown
    #[command(after_help = "Example:\n  knockon defaults | less")]
    Defaults,
    /// Print the meaning of every column of every table, as Markdown
    #[command(after_help = "Example:\n  knockon columns | less")]
    Columns,
}

/// Parses the arguments, runs the command and prints its error.
pub fn main() -> ExitCode {
    let args = CliArgs::try_parse().unwrap_or_else(|error| {
        let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
        let error = unknown_option::with_nearest(error, &arguments);
        // A CI job may read the verdict files even if the gate was called wrongly, so these report the error too.
        if error.use_stderr()
            && let [command, arguments @ ..] = arguments.as_slice()
            && command == "gate"
        {
            gate::report_wrong_use(arguments, error.to_string().trim_end());
        }
        if error.use_stderr() {
            terminal::print_usage_error(&error);
            std::process::exit(error.exit_code());
        }
        error.exit()
    });
    let result = match args.command {
        CliCommand::Init(args) => init::run(&args),
        CliCommand::Defaults => {
            let page = crate::report::defaults::page();
            page.and_then(|page| Ok(terminal::data_output().write_all(page.as_bytes())?))
                .map(success)
        }
        CliCommand::Columns => columns::run().map(success),
        CliCommand::Man(args) => man::run(&args),
        CliCommand::Run(args) => run::run(args),
        CliCommand::Gate(args) => gate::run(args),
        CliCommand::Plan(args) => plan::run(args),
        CliCommand::Inject(args) => inject::run(args),
        CliCommand::Trace(args) => trace::run(args),
        CliCommand::Search(args) => search::run(&args),
        CliCommand::Queries(args) => queries::run(&args),
        CliCommand::Record(args) => record::run(args),
        CliCommand::Calibrate(args) => calibrate::run(args),
        CliCommand::Validate(args) => validate::run(args),
        CliCommand::Check(args) => check::run(&args),
        CliCommand::Schema => schema::run(),
        CliCommand::Import(args) => import::run(args).map(success),
        CliCommand::Synth(args) => synth::run(args).map(success),
        CliCommand::Embed(args) => embed::run(&args),
        CliCommand::Tune(args) => tune::run(&args).map(success),
        CliCommand::Perturb(args) => perturb::run(&args).map(success),
        CliCommand::Probe(args) => probe::run(&args),
        CliCommand::Verifier(args) => verifier::run(&args).map(success),
        CliCommand::Models(command) => models::run(&command).map(success),
        CliCommand::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut CliArgs::command(), "knockon", &mut script);
            terminal::data_output().write_all(&script).map(success).map_err(Into::into)
        }
    };
    let flushed = result.and_then(|code| {
        terminal::text_output().flush()?;
        Ok(code)
    });
    flushed.unwrap_or_else(|error: anyhow::Error| {
        complain!("error: {error:#}");
        ExitCode::from(exit_code(&error))
    })
}

/// The exit code of a command that failed with this error.
fn exit_code(error: &anyhow::Error) -> u8 {
    let wrong_use =
        error.is::<WrongUse>() || error.is::<WriteRefused>() || error.is::<UnknownName>();
    if wrong_use { EXIT_USAGE } else { EXIT_FINDING }
}

fn success(_: ()) -> ExitCode {
    ExitCode::from(EXIT_SUCCESS)
}

/// Loads a scenario and prints its notes. If it has mistakes, prints them and returns the exit code.
fn load_scenario(file: &Path) -> Result<Scenario, ExitCode> {
    report_mistakes(file, scenario::load_with_progress(file, &progress::ProgressBars::new()))
}

/// Prints the notes on a scenario. If it has mistakes, prints them and returns the exit code.
fn report_mistakes(
    file: &Path,
    loaded: Result<Scenario, Diagnostics>,
) -> Result<Scenario, ExitCode> {
    let scenario = loaded.map_err(|mistakes| {
        print_mistakes(&mistakes);
        ExitCode::from(if mistakes.unreadable.is_some() { EXIT_USAGE } else { EXIT_FINDING })
    })?;
    for note in &scenario.notes {
        complain!("note: {}: {note}", file.display());
    }
    Ok(scenario)
}

/// Prints everything that prevents these arms from running, for all tasks at once, and returns the exit code. Every
/// command that runs arms calls this first.
fn preflight(session: &Session, arms: &[usize]) -> Result<OracleRecord, ExitCode> {
    session.preflight(arms).map_err(|mistakes| {
        print_mistakes(&mistakes);
        ExitCode::from(EXIT_FINDING)
    })
}

/// Prints mistakes in a scenario, and where to read on.
fn print_mistakes(mistakes: &Diagnostics) {
    let shown = mistakes.render(colour(&std::io::stderr()));
    terminal::styled_to_stderr(&format!("{shown}\n\n{}\n", mistakes.hint()));
}

/// Reports a name that the scenario does not have, given with this option.
fn report_unknown_name(option: &str, name: &UnknownName) -> ExitCode {
    complain!("error: {option}: {name}");
    ExitCode::from(EXIT_USAGE)
}

/// The arm with this id, by default the baseline; for an unknown id reports the existing ones and returns the exit
/// code.
fn arm_or_baseline(session: &Session, id: Option<&str>) -> Result<usize, ExitCode> {
    let arm = id.map_or(Ok(session.baseline()), |id| session.arm(id));
    arm.map_err(|name| report_unknown_name("--arm", &name))
}

/// Prints notes to stderr.
fn print_notes(notes: &[String]) {
    notes.iter().for_each(|note| complain!("note: {note}"));
}

/// Whether a command may replace files that knockon did not write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
struct OverwriteArgs {
    /// Also replace existing files that knockon did not write; files that the command reads are never replaced
    #[arg(long)]
    force: bool,
}

impl OverwriteArgs {
    fn output(self) -> OutputWriter {
        OutputWriter::new(self.force).with_stdout(|bytes| {
            let mut stdout = terminal::data_output();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        })
    }
}

/// The files of a directory, some of which a command reads; none if the directory does not exist.
fn files_in(dir: impl AsRef<Path>) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(dir).into_iter().flatten().flatten().map(|file| file.path())
}

/// What `--threads` allows. Each thread takes address space and memory mappings, of which Linux allows 65,530, so
/// that many more would end the program without a message.
const THREAD_RANGE: std::ops::RangeInclusive<i64> = 1..=1024;

/// Starts the threads of the whole program: this many, or one for each core.
///
/// # Errors
/// More threads than the system starts.
fn set_thread_count(threads: Option<u16>) -> anyhow::Result<()> {
    // The global pool can be built only once, so commands call this before any other work.
    let built =
        rayon::ThreadPoolBuilder::new().num_threads(threads.map_or(0, usize::from)).build_global();
    built.with_context(|| {
        let count = threads.map_or("one thread for each core".to_owned(), |count| match count {
            1 => "1 thread".to_owned(),
            count => format!("{count} threads"),
        });
        format!("cannot start {count}: give a smaller number with --threads")
    })
}

/// The text by which a file of `calibrate` is recognised.
const RATES_MARK: &str = "knockon_reader:";

/// The files that a scenario names, except `rates` if it is a file of `calibrate`: a reader may be measured again, or
/// validated, while the scenario names its file.
fn inputs_but_rates(scenario: &Scenario, rates: &Path) -> Vec<PathBuf> {
    let text = std::fs::read_to_string(rates).unwrap_or_default();
    let is_rates = text.contains(RATES_MARK) && MeasuredReader::parse(&text).is_ok();
    let (inputs, rates) = (input_files(scenario), rates.canonicalize().ok());
    let is_kept = |input: &PathBuf| !is_rates || input.canonicalize().ok() != rates;
    inputs.into_iter().filter(is_kept).collect()
}

/// The default folder for a scenario's reports.
fn report_folder(scenario: &str) -> PathBuf {
    PathBuf::from("reports").join(scenario)
}
