//! `knockon gate`: for the CI of a team that is about to ship another embedder.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::progress::Bars;
use super::terminal::{self, complain};
use super::{FINDING, FINE, Force, WRONG_USE, inputs_of, load, use_threads};
use crate::gate::{self, Allowed, Baseline};
use crate::output::Known;
use crate::report;
use crate::run::{self, Models};
use crate::scenario::Scenario;

/// Compare a run with an earlier one on the same tasks, and fail where it has become worse
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon run scenarios/renewal_desk.yaml --out baseline
  knockon gate scenarios/renewal_desk.yaml --baseline baseline/manifest.json
  knockon gate scenarios/renewal_desk.yaml --baseline baseline --arm potion --against bm25 \\
    --max-failure-increase 1pp --max-loss-increase 5% --junit gate.xml --markdown gate.md

Exit code 1 where an arm fails or costs more than is allowed, significantly; where it cannot be \
assessed; and where the earlier run is of other data or tasks.")]
pub struct Args {
    /// Scenario file (YAML)
    file: PathBuf,
    /// The earlier run: its manifest.json, with tasks.csv beside it
    #[arg(long, value_name = "FILE")]
    baseline: PathBuf,
    /// Only this arm; may be given several times [default: all arms of the scenario]
    #[arg(long = "arm", value_name = "ARM")]
    arms: Vec<String>,
    /// The arm of the earlier run to compare with [default: the one of the same name]
    #[arg(long, value_name = "ARM")]
    against: Option<String>,
    /// How much the failure rate may rise, in percentage points
    #[arg(long, value_name = "POINTS", default_value = "1pp", value_parser = points)]
    max_failure_increase: f64,
    /// How much the expected loss may rise, in percent of the earlier one [default: not looked at]
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    max_loss_increase: Option<f64>,
    /// Fail also where the increase is above what is allowed, but not significant
    #[arg(long)]
    strict: bool,
    /// Write JUnit XML here
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a summary for a pull request here
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    #[command(flatten)]
    force: Force,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

fn points(text: &str) -> Result<f64, String> {
    share(text, "pp", "1pp or 0.5pp")
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

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    use_threads(args.threads)?;
    let baseline = match Baseline::read(&args.baseline) {
        Ok(baseline) => baseline,
        Err(error) => {
            complain!("error: {error:#}");
            return Ok(ExitCode::from(WRONG_USE));
        }
    };
    let scenario = match load(&args.file) {
        // A gate compares what comes out, not what it hangs on.
        Ok(scenario) => Scenario { sensitivity: None, ..scenario },
        Err(code) => return Ok(code),
    };
    let inputs = inputs_of(&scenario).into_iter();
    let baseline_files = ["", "manifest.json", "tasks.csv"].map(|name| args.baseline.join(name));
    let output = args.force.output().reading(inputs.chain(baseline_files));
    let files = [(&args.junit, gate::JUNIT_MARK), (&args.markdown, gate::MARKDOWN_MARK)];
    for (path, mark) in files {
        if let Some(path) = path {
            output.check_file(path, Known::Marked(mark))?;
        }
    }
    let known: Vec<&str> = scenario.arms.iter().map(|arm| arm.id.as_str()).collect();
    if let Some(unknown) = args.arms.iter().find(|arm| !known.contains(&arm.as_str())) {
        complain!("error: --arm: no arm '{unknown}'; there are {}", known.join(", "));
        return Ok(ExitCode::from(WRONG_USE));
    }
    if args.max_loss_increase.is_some() && scenario.impact.is_none() {
        complain!("error: --max-loss-increase: this scenario has no section `impact`");
        return Ok(ExitCode::from(WRONG_USE));
    }
    let picked: Vec<usize> = (0..known.len())
        .filter(|&at| args.arms.is_empty() || args.arms.iter().any(|arm| arm == known[at]))
        .collect();
    let bars = Bars::new();
    let models = Models::new(&scenario, &bars, None);
    let open = |embedder, corpus| models.open(embedder, corpus);
    let record = run::run(&scenario, &picked, &open, &bars);
    bars.clear();
    let record = match record {
        Ok(record) => record,
        Err(error) => {
            complain!("error: {}: {error:#}", args.file.display());
            return Ok(ExitCode::from(FINDING));
        }
    };
    let stale = baseline.stale(&scenario, &record);
    if !stale.is_empty() {
        complain!("error: the earlier run cannot be compared with this one:");
        stale.iter().for_each(|why| complain!("  {why}"));
        return Ok(ExitCode::from(FINDING));
    }
    let arms: Vec<(String, String)> = picked
        .iter()
        .map(|&at| {
            let against = args.against.as_deref().unwrap_or(known[at]);
            (known[at].to_owned(), against.to_owned())
        })
        .collect();
    let allowed = Allowed { failure: args.max_failure_increase, loss: args.max_loss_increase };
    let checks = gate::assess(&scenario, &record, &baseline, &arms, allowed)?;
    let notes = models.notes();
    let manifest = report::manifest::manifest(&scenario, &record, &models.fingerprints(), &notes);
    let changed = baseline.changed_embedders(&manifest);
    let strict = args.strict;
    if let Some(path) = &args.junit {
        let xml = gate::junit(&scenario.name, &checks, strict);
        output.write_file(path, xml.as_bytes(), Known::Marked(gate::JUNIT_MARK))?;
    }
    if let Some(path) = &args.markdown {
        let page = gate::markdown(&scenario.name, &checks, &changed, strict);
        output.write_file(path, page.as_bytes(), Known::Marked(gate::MARKDOWN_MARK))?;
    }
    let mut stdout = terminal::text();
    writeln!(stdout, "{}", gate::table(&checks, strict))?;
    let failed = checks.iter().filter(|check| !check.passes(strict)).count();
    match failed {
        0 => writeln!(stdout, "The gate is open: all checks passed.")?,
        _ => writeln!(stdout, "The gate is shut: {failed} of {} checks failed.", checks.len())?,
    }
    super::say(&notes);
    Ok(ExitCode::from(if failed == 0 { FINE } else { FINDING }))
}
