//! `knockon gate`: compares a run with an earlier one and fails if it is worse, for use in CI.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::progress::ProgressBars;
use super::terminal::{self, complain};
use super::{
    EXIT_FINDING, EXIT_SUCCESS, EXIT_USAGE, OverwriteArgs, THREAD_RANGE, input_files,
    load_scenario, set_thread_count,
};
use crate::gate::{self, AllowedIncrease, GateBaseline, GateCheck, GateCriterion, GateSettings};
use crate::output::{
    OutputDestination, OutputWriter, OwnershipProof, WriteRefused, is_same_destination,
};
use crate::report;
use crate::run;
use crate::scenario::Scenario;
use crate::session::{Session, index_of};

/// Compare a run with an earlier one on the same tasks, and fail if it has become worse
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon run scenarios/renewal_desk.yaml --out baseline
  knockon gate scenarios/renewal_desk.yaml --baseline baseline/manifest.json
  knockon gate scenarios/renewal_desk.yaml --baseline baseline --arm potion --against bm25 \\
    --max-failure-increase 1pp --max-loss-increase 5% --junit gate.xml --markdown gate.md
  knockon gate scenarios/renewal_desk.yaml --baseline baseline --non-inferior --max-failure-increase 3pp

Which question is asked, for each limit:
  (default)       fails what is shown to be worse than allowed: the whole 95% interval of the difference lies
                  above the limit (one-sided p below .025, tested against the limit and not against 0)
  --strict        fails also what is above the limit but may be so by chance
  --non-inferior  passes only what is shown to be no worse than allowed: the whole interval lies below the limit.
                  Fails with few units even where little has changed

Where no task differs, differences have no variance and so no interval: the verdict is 'identical'. It passes from 6 units
on, the fewest with which a test can tell anything; with fewer nothing can be assessed. --non-inferior asks for as many
units as would have shown one that is worse: at a limit of L points, n with (1 - L)^n below .025, which is 36 at 10pp,
72 at 5pp and 368 at 1pp. A unit is taken to become worse by at most 100 points, or by the largest loss of any case.

Every arm of the earlier run is accounted for: one that this scenario lacks fails, as one does that the earlier run lacks,
unless --dropped names it. A renamed arm is compared by --arm NEW --against OLD; with --arm or --against, the other arms
of the earlier run are not looked at.

Limits: on failures (wrong, missed or stopped; --stop-weight 0.2 counts a stop as a fifth of one), and always on those
alone that nothing flags: a stop that becomes a silent wrong action is worse, although the number of failures stays the
same. Stops and losses have limits where you give them. JUnit and Markdown are always written, as an error where the runs
cannot be compared or the options are wrong, and over nothing but an earlier verdict (--force: over any file that is not
read). They are two files; `-` is stdout, and then the table goes to stderr.

Exit code 1 where an arm does not pass; where it cannot be assessed (with fewer than 6 sampling units no test can tell \
anything); and where the earlier run is of other data, tasks or arms.")]
pub struct GateArgs {
    /// Scenario file (YAML)
    file: PathBuf,
    /// The earlier run: its manifest.json, with tasks.csv in the same folder
    #[arg(long, value_name = "FILE")]
    baseline: PathBuf,
    /// Only this arm; may be given several times [default: all arms of the scenario]
    #[arg(long = "arm", value_name = "ARM")]
    arms: Vec<String>,
    /// The arm of the earlier run to compare with [default: the arm of the same name]
    #[arg(long, value_name = "ARM")]
    against: Option<String>,
    /// An arm of the earlier run that was removed on purpose; may be given several times
    #[arg(long = "dropped", value_name = "ARM")]
    dropped: Vec<String>,
    /// The allowed increase of the failure rate, in percentage points
    #[arg(long, value_name = "POINTS", default_value = "1pp", value_parser = points)]
    max_failure_increase: f64,
    /// The allowed increase of the rate of silent failures (wrong or missed, not stopped), in percentage points
    #[arg(long, value_name = "POINTS", default_value = "1pp", value_parser = points)]
    max_silent_increase: f64,
    /// The allowed increase of the rate of stops, in percentage points [default: shown, without a limit]
    #[arg(long, value_name = "POINTS", value_parser = points)]
    max_stop_increase: Option<f64>,
    /// The allowed increase of the expected loss, in percent of the earlier one [default: not checked]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    max_loss_increase: Option<f64>,
    /// The weight of a stop in the failure rate, from 0 (not counted) to 1 (as a wrong action)
    #[arg(long, value_name = "WEIGHT", default_value = "1", value_parser = weight)]
    stop_weight: f64,
    /// Also fail if the increase is above the limit, but not significantly
    #[arg(long)]
    strict: bool,
    /// Pass only if the increase is shown to be below the limit (non-inferiority)
    #[arg(long, conflicts_with = "strict")]
    non_inferior: bool,
    /// Write JUnit XML here
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a summary for a pull request here
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    #[command(flatten)]
    force: OverwriteArgs,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(THREAD_RANGE))]
    threads: Option<u16>,
}

fn points(text: &str) -> Result<f64, String> {
    let points = share(text, "pp", "1pp or 0.5pp")?;
    // A rate rises by 100 points at most, so a larger limit would never fail.
    if points <= 1.0 { Ok(points) } else { Err("allowed: 0pp to 100pp".to_owned()) }
}

fn percent(text: &str) -> Result<f64, String> {
    share(text, "%", "5%")
}

fn share(text: &str, unit: &str, example: &str) -> Result<f64, String> {
    let number = text.strip_suffix(unit).map(str::trim).and_then(|n| n.parse::<f64>().ok());
    match number {
        Some(number) if number.is_finite() && number >= 0.0 => Ok(number / 100.0),
        _ => Err(format!("write a number with its unit, such as {example}")),
    }
}

fn weight(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "write a number from 0 to 1".to_owned())
}

impl GateArgs {
    fn question(&self) -> GateSettings {
        GateSettings {
            allowed: AllowedIncrease {
                failure: self.max_failure_increase,
                silent: self.max_silent_increase,
                stopped: self.max_stop_increase,
                loss: self.max_loss_increase,
            },
            criterion: match (self.strict, self.non_inferior) {
                (_, true) => GateCriterion::NonInferior,
                (true, false) => GateCriterion::NotAbove,
                (false, false) => GateCriterion::NotWorse,
            },
            stop_weight: self.stop_weight,
        }
    }
}

/// The result of a comparison.
struct GateComparison {
    scenario: String,
    checks: Vec<GateCheck>,
    changed: Vec<String>,
    notes: Vec<String>,
}

/// Why the runs were not compared; already reported on the terminal.
struct GateNotCompared {
    /// The scenario's name, or its file if it could not be read.
    scenario: String,
    reasons: Vec<String>,
    code: u8,
}

pub fn run(args: GateArgs) -> anyhow::Result<ExitCode> {
    let pages =
        GateReportPaths { junit: args.junit.as_deref(), markdown: args.markdown.as_deref() };
    let file = args.file.display().to_string();
    let loaded = set_thread_count(args.threads).map(|()| load_scenario(&args.file));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            pages.try_write_error(&OutputWriter::default(), &file, &format!("{error:#}"));
            return Err(error);
        }
    };
    let inputs = match &loaded {
        Ok(scenario) => input_files(scenario),
        Err(_) => vec![args.file.clone()],
    };
    let inputs = inputs.into_iter().chain(baseline_files(&args.baseline));
    // The inputs of a scenario with mistakes are unknown, so no file that knockon did not write is replaced.
    let force = if loaded.is_ok() { args.force } else { OverwriteArgs::default() };
    let output = force.output().with_inputs(inputs);
    if loaded.is_err() && args.force != force {
        complain!(
            "note: --force replaces nothing here, since it is not known what the scenario reads"
        );
    }
    // The files first say that the gate did not finish, so that an interrupted gate leaves no earlier verdict, and a
    // path that cannot be written is reported before the work. Streams are skipped: they contain no earlier verdict,
    // and what is sent to them cannot be replaced.
    let unfinished = pages.check(&output).and_then(|()| {
        let unfinished = ["the gate did not finish".to_owned()];
        pages.write_error(&output, &file, &unfinished, |path| OutputDestination::of(path).is_file())
    });
    if let Err(error) = unfinished {
        pages.try_write_error(&output, &file, &format!("{error:#}"));
        return Err(error);
    }
    let compared = match compare(&args, loaded) {
        Ok(compared) => compared,
        Err(GateNotCompared { scenario, reasons: why, code }) => {
            pages.write_error(&output, &scenario, &why, |_| true)?;
            return Ok(ExitCode::from(code));
        }
    };
    let GateComparison { scenario, checks, changed, notes } = compared;
    let settings = args.question();
    let demand = settings.criterion;
    pages.write(
        &output,
        [
            gate::junit(&scenario, &checks, demand),
            gate::markdown(&scenario, &checks, &changed, &settings),
        ],
        |_| true,
    )?;
    let mut shown = terminal::message_stream(&[pages.junit, pages.markdown]);
    writeln!(shown, "{}", gate::table(&checks, demand))?;
    writeln!(shown, "{}", gate::legend(&settings))?;
    let failed = checks.iter().filter(|check| !check.passes(demand)).count();
    match failed {
        0 => writeln!(shown, "The gate is open: all checks passed.")?,
        _ => writeln!(
            shown,
            "The gate is shut: {failed} of {} checks failed.",
            gate::count_limited(&checks)
        )?,
    }
    shown.flush()?;
    super::print_notes(&notes);
    Ok(ExitCode::from(if failed == 0 { EXIT_SUCCESS } else { EXIT_FINDING }))
}

/// The files of an earlier run, given by its folder or by its manifest.
fn baseline_files(baseline: &Path) -> impl Iterator<Item = PathBuf> {
    let files = ["manifest.json", "tasks.csv"]
        .map(|name| [baseline.join(name), baseline.with_file_name(name)]);
    files.into_iter().flatten().chain([baseline.to_owned()])
}

/// Replaces the verdict of an earlier gate by an error if the arguments could not be parsed. The verdict files are
/// therefore found here without clap; every other argument may be an input file, which must not be replaced.
pub fn report_wrong_use(arguments: &[OsString], why: &str) {
    let (mut named, mut others): ([Vec<PathBuf>; 2], Vec<PathBuf>) = Default::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(PathBuf::from(value))),
            None => (&*text, None),
        };
        let Some(at) = ["--junit", "--markdown"].iter().position(|known| *known == name) else {
            others.push(value.unwrap_or_else(|| argument.into()));
            continue;
        };
        let value = value.or_else(|| {
            rest.clone().next().filter(|next| !next.to_string_lossy().starts_with("--"))?;
            rest.next().map(PathBuf::from)
        });
        named[at].extend(value);
    }
    let [junit, markdown] = named;
    let others: Vec<PathBuf> = others
        .iter()
        .filter(|other| other.exists())
        .flat_map(|other| baseline_files(other))
        .collect();
    let output = OutputWriter::default().with_inputs(others);
    for at in 0..junit.len().max(markdown.len()) {
        let pages = GateReportPaths {
            junit: junit.get(at).map(PathBuf::as_path),
            markdown: markdown.get(at).map(PathBuf::as_path),
        };
        pages.try_write_error(&output, "", why);
    }
}

/// The files to which the verdict is written, besides the terminal.
#[derive(Clone, Copy)]
struct GateReportPaths<'a> {
    junit: Option<&'a Path>,
    markdown: Option<&'a Path>,
}

impl GateReportPaths<'_> {
    /// Checks that both can be written, and are different files.
    fn check(self, output: &OutputWriter) -> anyhow::Result<()> {
        if let (Some(junit), Some(markdown)) = (self.junit, self.markdown)
            && is_same_destination(junit, markdown)
        {
            return Err(WriteRefused::invalid_path(format!(
                "--junit {} and --markdown {} are one file; nothing was compared",
                junit.display(),
                markdown.display()
            ))
            .into());
        }
        let marks = [(self.junit, gate::JUNIT_MARK), (self.markdown, gate::MARKDOWN_MARK)];
        for (path, mark) in marks {
            path.map_or(Ok(()), |path| output.check_file(path, OwnershipProof::Marked(mark)))?;
        }
        Ok(())
    }

    /// Writes the reports as errors if possible; failures are ignored because another error is already being
    /// reported.
    fn try_write_error(self, output: &OutputWriter, scenario: &str, why: &str) {
        let why = [why.to_owned()];
        let single = [(self.junit, None), (None, self.markdown)];
        for (junit, markdown) in single {
            let _ =
                GateReportPaths { junit, markdown }.write_error(output, scenario, &why, |_| true);
        }
    }

    /// Writes the reports as errors.
    fn write_error(
        self,
        output: &OutputWriter,
        scenario: &str,
        why: &[String],
        to: fn(&Path) -> bool,
    ) -> anyhow::Result<()> {
        let pages = [gate::junit_error(scenario, why), gate::markdown_error(scenario, why)];
        self.write(output, pages, to)
    }

    /// Writes the requested JUnit XML and Markdown files, to the paths that `to` accepts.
    fn write(
        self,
        output: &OutputWriter,
        [xml, page]: [String; 2],
        to: fn(&Path) -> bool,
    ) -> anyhow::Result<()> {
        let files =
            [(self.junit, xml, gate::JUNIT_MARK), (self.markdown, page, gate::MARKDOWN_MARK)];
        for (path, text, mark) in files {
            if let Some(path) = path
                && to(path)
            {
                output.write_file(path, text.as_bytes(), OwnershipProof::Marked(mark))?;
            }
        }
        Ok(())
    }
}

/// Runs the scenario and compares it with the earlier run.
fn compare(
    args: &GateArgs,
    loaded: Result<Scenario, ExitCode>,
) -> Result<GateComparison, GateNotCompared> {
    let file = args.file.display().to_string();
    let baseline = GateBaseline::read(&args.baseline)
        .map_err(|error| refuse(&file, format!("{error:#}"), EXIT_USAGE))?;
    let scenario = match loaded {
        // A gate compares only results, so the sensitivity analysis is skipped.
        Ok(scenario) => Scenario { sensitivity: None, ..scenario },
        Err(code) => {
            let why = format!("{file} has mistakes, or cannot be read: see `knockon check {file}`");
            let code = if code == ExitCode::from(EXIT_USAGE) { EXIT_USAGE } else { EXIT_FINDING };
            return Err(GateNotCompared { scenario: file, reasons: vec![why], code });
        }
    };
    let known: Vec<&str> = scenario.arms.iter().map(|arm| arm.id.as_str()).collect();
    if let Some(wrong) = unknown_arm(args, &baseline, &known) {
        return Err(refuse(&scenario.name, wrong, EXIT_USAGE));
    }
    if let Some(wrong) = dropped_error(&args.dropped, &baseline, &known) {
        return Err(refuse(&scenario.name, wrong, EXIT_USAGE));
    }
    if args.max_loss_increase.is_some() && scenario.impact.is_none() {
        let why = "--max-loss-increase: this scenario has no section `impact`".to_owned();
        return Err(refuse(&scenario.name, why, EXIT_USAGE));
    }
    let picked: Vec<usize> = (0..known.len())
        .filter(|&at| args.arms.is_empty() || args.arms.iter().any(|arm| arm == known[at]))
        .collect();
    let bars = ProgressBars::new();
    let session = Session::over(&scenario).with_progress(&bars);
    let Ok(right) = super::preflight(&session, &picked) else {
        let why = format!("{file} cannot be run: see `knockon check {file}`");
        return Err(GateNotCompared {
            scenario: scenario.name.clone(),
            reasons: vec![why],
            code: EXIT_FINDING,
        });
    };
    let record = run::run(&session, &picked);
    bars.clear();
    let record = record
        .map_err(|error| refuse(&scenario.name, format!("{file}: {error:#}"), EXIT_FINDING))?;
    let stale = baseline.incomparable_reasons(&scenario, &record);
    if !stale.is_empty() {
        complain!("error: the earlier run cannot be compared with this one:");
        stale.iter().for_each(|why| complain!("  {why}"));
        return Err(GateNotCompared {
            scenario: scenario.name.clone(),
            reasons: stale,
            code: EXIT_FINDING,
        });
    }
    let arms: Vec<(String, String)> = picked
        .iter()
        .map(|&at| {
            let against = args.against.as_deref().unwrap_or(known[at]);
            (known[at].to_owned(), against.to_owned())
        })
        .collect();
    let mut checks = gate::assess(&scenario, &record, &baseline, &arms, &args.question())
        .map_err(|error| refuse(&scenario.name, format!("{error:#}"), EXIT_FINDING))?;
    if args.arms.is_empty() && args.against.is_none() {
        checks.extend(gate::missing_arms(&baseline, &known, &args.dropped));
    }
    let notes = [right.notes(), session.notes()].concat();
    let manifest = report::manifest::manifest(&scenario, &record, &session.fingerprints(), &notes);
    let changed = baseline.changed_embedders(&manifest);
    Ok(GateComparison { scenario: scenario.name.clone(), checks, changed, notes })
}

/// The first arm given with --arm or --against that its run does not have, if any; `known` are those of the scenario.
fn unknown_arm(args: &GateArgs, baseline: &GateBaseline, known: &[&str]) -> Option<String> {
    let known = known.iter().copied();
    if let Some(name) = args.arms.iter().find_map(|arm| index_of("arm", arm, known.clone()).err()) {
        return Some(format!("--arm: {name}"));
    }
    let against = args.against.as_deref()?;
    let name = index_of("arm", against, baseline.arms().into_iter()).err()?;
    Some(format!("--against: the earlier run has {name}"))
}

/// Reports the error, and makes it the only reason that nothing was compared.
fn refuse(scenario: &str, why: String, code: u8) -> GateNotCompared {
    complain!("error: {why}");
    GateNotCompared { scenario: scenario.to_owned(), reasons: vec![why], code }
}

/// An error in the arms given with --dropped, if any.
fn dropped_error(dropped: &[String], baseline: &GateBaseline, known: &[&str]) -> Option<String> {
    let then = baseline.arms();
    dropped.iter().find_map(|arm| {
        if known.contains(&arm.as_str()) {
            return Some(format!("--dropped: this scenario has the arm '{arm}'"));
        }
        let never = index_of("arm", arm, then.iter().copied()).err()?;
        Some(format!("--dropped: the earlier run has {never}"))
    })
}
