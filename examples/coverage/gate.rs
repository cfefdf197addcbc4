//! The gate: its own verdict (`gate::judge`) on tasks of two runs, where the true increase is known.

use knockon::gate::{
    AllowedIncrease, GateCriterion, GateMeasure, GateSettings, GateTaskOutcome, GateTaskPair,
    judge, least_units,
};
use rand_chacha::ChaCha8Rng;

use super::designs::{beta, happens};
use super::{UNITS, header, row, share};

const MARGIN: f64 = 0.05;
/// Samples per cell: the standard error of a share of 50% is 2.5 points, of 2.5% it is .8.
const SAMPLES: u64 = 400;

/// Draws a population: two runs of three cases per unit.
type Runs = fn(&mut ChaCha8Rng, usize, f64) -> Vec<GateTaskPair>;

fn ends(failed: bool, stopped: bool) -> GateTaskOutcome {
    let of = |so: bool| f64::from(u8::from(so));
    GateTaskOutcome { failure: of(failed), stopped: of(failed && stopped), loss: None }
}

fn cases(
    rng: &mut ChaCha8Rng,
    units: usize,
    mut case: impl FnMut(&mut ChaCha8Rng, f64) -> (GateTaskOutcome, GateTaskOutcome),
) -> Vec<GateTaskPair> {
    let mut tasks = Vec::new();
    for cluster in 0..units {
        let rate = beta(rng, 1.0, 9.0);
        for _ in 0..3 {
            let (before, now) = case(rng, rate);
            tasks.push(GateTaskPair { before: Some(before), now, weight: 1.0, cluster });
        }
    }
    tasks
}

/// 10% fail before, and units differ; those fail again, and more fail now. Every other failure is a stop.
fn more_failures(rng: &mut ChaCha8Rng, units: usize, worse: f64) -> Vec<GateTaskPair> {
    cases(rng, units, |rng, rate| {
        let before = happens(rng, rate) > 0.0;
        let now = before || happens(rng, worse / 0.9) > 0.0;
        let stops = happens(rng, 0.5) > 0.0;
        (ends(before, stops), ends(now, stops))
    })
}

/// 30% stop before and 30% fail now: some of the stops have become silent failures.
fn stops_become_silent(rng: &mut ChaCha8Rng, units: usize, worse: f64) -> Vec<GateTaskPair> {
    cases(rng, units, |rng, _| {
        let fails = happens(rng, 0.3) > 0.0;
        let silent = happens(rng, worse / 0.3) > 0.0;
        (ends(fails, true), ends(fails, !silent))
    })
}

/// The share of runs that pass, or fail, all checks that have a limit; `None` if none can be assessed.
fn found(
    name: &str,
    runs: Runs,
    worse: f64,
    demand: GateCriterion,
    passing: bool,
) -> anyhow::Result<()> {
    let allowed = AllowedIncrease { failure: MARGIN, silent: MARGIN, stopped: None, loss: None };
    let question = GateSettings { allowed, criterion: demand, stop_weight: 1.0 };
    let cells = UNITS.map(|units| {
        share(SAMPLES, &format!("gate {worse}"), units, |rng, seed| {
            let tasks = runs(rng, units, worse);
            let mut passes = true;
            for measure in [GateMeasure::Failure, GateMeasure::WrongOrMissed] {
                passes &= judge(&tasks, measure, &question, seed)?.passes(demand);
            }
            Ok((units >= least_units()).then_some(passes == passing))
        })
    });
    row(name, cells.into_iter().collect::<anyhow::Result<Vec<_>>>()?);
    Ok(())
}

/// Prints how many of 100 runs the gate fails, and how many it finds no worse than allowed.
pub fn table() -> anyhow::Result<()> {
    println!("\n### Gate: how many of 100 runs, at a margin of 5 points\n");
    header("3 cases a unit, 10% failures before", UNITS.map(|units| format!("{units} units")));
    let fails = |name: &str, runs: Runs, worse: f64| {
        found(name, runs, worse, GateCriterion::NotWorse, false)
    };
    fails("fails, and nothing has changed: 0 points worse", more_failures, 0.0)?;
    fails("fails, exactly at the margin: 5 points worse", more_failures, MARGIN)?;
    fails("fails, 10 points worse", more_failures, 0.1)?;
    fails("fails, 15 points worse", more_failures, 0.15)?;
    fails("fails, 20 points worse", more_failures, 0.2)?;
    fails(
        "fails, as many failures, but 20 points of stops are silent now",
        stops_become_silent,
        0.2,
    )?;
    let strict =
        |name: &str, worse: f64| found(name, more_failures, worse, GateCriterion::NotAbove, false);
    strict("`--strict` fails, 2 points worse", 0.02)?;
    strict("`--strict` fails, exactly at the margin: 5 points worse", MARGIN)?;
    let shown = |name: &str, worse: f64| {
        found(name, more_failures, worse, GateCriterion::NonInferior, true)
    };
    shown("`--non-inferior` passes, 1 point worse", 0.01)?;
    shown("`--non-inferior` passes, exactly at the margin: 5 points worse", MARGIN)
}
