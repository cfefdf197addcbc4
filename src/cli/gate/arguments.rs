//! The arguments of `knockon gate`.

use std::path::{Path, PathBuf};

use crate::cli::readings::ReadingArgs;
use crate::cli::{OverwriteArgs, THREAD_RANGE};
use crate::gate::{AllowedIncrease, GateCriterion, GateSettings};

/// Compare a run with an earlier one on the same tasks, and fail if it has become worse
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon run scenarios/renewal_desk.yaml --out baseline
  knockon gate scenarios/renewal_desk.yaml --baseline baseline/manifest.json
  knockon gate scenarios/renewal_desk.yaml --baseline baseline --arm potion --against bm25 \\
    --max-failure-increase 1pp --max-loss-increase 5% --junit gate.xml --markdown gate.md
  knockon gate scenarios/renewal_desk.yaml --baseline baseline --non-inferior --max-failure-increase 3pp

The criterion for each limit:
  (default)       fails if the result is shown to be worse than allowed: the whole 95% interval of the difference lies
                  above the limit (one-sided p below .025, tested against the limit and not against 0)
  --strict        also fails if the result is above the limit but may be so by chance
  --non-inferior  passes only if the result is shown to be no worse than allowed: the whole interval lies below the limit.
                  Fails with few units even if little has changed

Where no task differs, differences have no variance and so no interval: the verdict is 'identical'. It passes from 6 units
on, the fewest with which a test can be significant; with fewer nothing can be assessed. --non-inferior asks for as many
units as would have shown one that is worse: at a limit of L points, n with (1 - L)^n below .025, which is 36 at 10pp,
72 at 5pp and 368 at 1pp. A unit is taken to become worse by at most 100 points, or by the largest loss of any case.

Every arm of the earlier run is accounted for: one that this scenario lacks fails, as one does that the earlier run lacks,
unless --dropped names it. A renamed arm is compared by --arm NEW --against OLD; with --arm or --against, the other arms
of the earlier run are ignored.

Limits: on failures (wrong, missed or stopped; --stop-weight 0.2 counts a stop as a fifth of one), and always on those
alone that are silent: a stop that becomes a silent wrong action is worse, although the number of failures stays the
same. Stops and losses have limits if you give them. JUnit and Markdown are always written, as an error where the runs
cannot be compared or the options are wrong, and over nothing but an earlier verdict (--force: over any file that is not
read). They are two files; `-` is stdout, and then the table goes to stderr.

Exit code 1 where an arm does not pass; where it cannot be assessed (with fewer than 6 sampling units no test can tell \
anything); and where the earlier run is of other data, tasks or arms.")]
pub struct GateArgs {
    /// Scenario file (YAML)
    pub file: PathBuf,
    /// The earlier run: its manifest.json, with tasks.csv in the same folder
    #[arg(long, value_name = "FILE")]
    pub baseline: PathBuf,
    /// Only this arm; may be given several times [default: all arms of the scenario]
    #[arg(long = "arm", value_name = "ARM")]
    pub arms: Vec<String>,
    /// The arm of the earlier run to compare with [default: the arm of the same name]
    #[arg(long, value_name = "ARM")]
    pub against: Option<String>,
    /// An arm of the earlier run that was removed on purpose; may be given several times
    #[arg(long = "dropped", value_name = "ARM")]
    pub dropped: Vec<String>,
    /// The allowed increase of the failure rate, in percentage points
    #[arg(long, value_name = "POINTS", default_value = "1pp", value_parser = points)]
    pub max_failure_increase: f64,
    /// The allowed increase of the rate of silent failures (wrong or missed, not stopped), in percentage points
    #[arg(long, value_name = "POINTS", default_value = "1pp", value_parser = points)]
    pub max_silent_increase: f64,
    /// The allowed increase of the rate of stops, in percentage points [default: shown, without a limit]
    #[arg(long, value_name = "POINTS", value_parser = points)]
    pub max_stop_increase: Option<f64>,
    /// The allowed increase of the expected loss, in percent of the earlier one [default: not checked]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub max_loss_increase: Option<f64>,
    /// The weight of a stop in the failure rate, from 0 (not counted) to 1 (as a wrong action)
    #[arg(long, value_name = "WEIGHT", default_value = "1", value_parser = weight)]
    pub stop_weight: f64,
    /// Also fail if the increase is above the limit, but not significantly
    #[arg(long)]
    pub strict: bool,
    /// Pass only if the increase is shown to be below the limit (non-inferiority)
    #[arg(long, conflicts_with = "strict")]
    pub non_inferior: bool,
    /// Write JUnit XML here
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write a summary for a pull request here
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    #[command(flatten)]
    pub force: OverwriteArgs,
    #[command(flatten)]
    pub readings: ReadingArgs,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(THREAD_RANGE))]
    pub threads: Option<u16>,
}

/// An increase in percentage points, as a share.
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
    /// What the gate asks of each check.
    pub fn question(&self) -> GateSettings {
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

/// The files of an earlier run, given by its folder or by its manifest.
pub fn baseline_files(baseline: &Path) -> impl Iterator<Item = PathBuf> {
    let files = ["manifest.json", "tasks.csv"]
        .map(|name| [baseline.join(name), baseline.with_file_name(name)]);
    files.into_iter().flatten().chain([baseline.to_owned()])
}
