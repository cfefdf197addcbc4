//! Evaluates combinations of mitigations: which of them, alone or together, avoid the most loss for their cost. A plan
//! has no model of its own: each combination is run as an arm, so a plan and a run of the same arm agree.

use std::collections::BTreeMap;

use anyhow::{Context, bail};

use crate::run::RunRecord;
use crate::run::record::{ArmRecord, MoneyRecord};
use crate::scenario::{MitigationPlan, Scenario};
use crate::stats::{self, PairedCase, PairedDifference, PairedTest};

mod plan_csv;
mod render;

pub use plan_csv::plan_table;
pub use render::{legend, table};

/// The result of a plan: all combinations that were run, and the order in which to buy.
#[derive(Clone, Debug)]
pub struct PlanResult {
    pub currency: String,
    /// The arm that the candidates improve.
    pub improved_arm: String,
    /// The mitigations to choose from, by id.
    pub candidates: Vec<String>,
    /// The unchanged arm first, then all other options by total cost of a year, cheapest first.
    pub options: Vec<PlanOption>,
    /// The greedy order in which to buy: each time the candidate that saves most in addition to those before it, until
    /// none saves anything. Indices into `options`, each with one candidate more than the one before.
    pub buying_order: Vec<usize>,
    /// The number of combinations that were left out, since they change one setting to different values.
    pub excluded: usize,
    /// Whether every combination was run; otherwise only those that the greedy search for `order` met.
    pub complete: bool,
}

/// One combination of candidates. Amounts are per year.
#[derive(Clone, Debug)]
pub struct PlanOption {
    /// Indices into the plan's candidates, ascending.
    pub chosen: Vec<usize>,
    pub name: String,
    pub failure: f64,
    /// Running costs and the candidates' own costs.
    pub cost: f64,
    /// Expected loss.
    pub loss: f64,
    /// Mean loss of the worst 5% of years.
    pub cvar: f64,
    /// Loss and cost of the unchanged arm minus those of this option; `None` for the unchanged arm. The test includes
    /// all costs, in one family with all other options.
    pub saved: Option<PairedDifference>,
    /// Pareto-optimal in cost and expected loss.
    pub on_front: bool,
    /// Pareto-optimal in cost and CVaR.
    pub on_tail_front: bool,
}

impl PlanOption {
    /// Cost plus expected loss.
    pub fn total(&self) -> f64 {
        self.cost + self.loss
    }
}

/// Evaluates the combinations of a scenario's plan; `run` runs all arms of the scenario that it is given.
///
/// # Errors
/// A scenario without a plan, and whatever `run` reports.
pub fn plan(
    mut scenario: Scenario,
    run: &mut dyn FnMut(&Scenario) -> anyhow::Result<RunRecord>,
) -> anyhow::Result<PlanResult> {
    let (Some(plan), Some(impact)) = (scenario.plan.clone(), &scenario.impact) else {
        bail!("the scenario has no section `plan`");
    };
    let currency = impact.currency.clone();
    // Sensitivity analysis is for the declared arms, not for every option.
    scenario.sensitivity = None;
    let base = scenario.arms[plan.improved_arm].clone();
    let count = plan.candidates.len();
    // The first condition keeps the shift from overflowing.
    let complete = count < usize::BITS as usize - 1 && 1usize << count <= plan.max_combinations;
    let mut tried: BTreeMap<Vec<usize>, Option<ArmRecord>> = BTreeMap::new();
    let mut attempt = |sets: Vec<Vec<usize>>, tried: &mut BTreeMap<_, _>| -> anyhow::Result<()> {
        let mut wanted = Vec::new();
        // The unchanged arm is the baseline of every run, so that options of different runs are compared with the same.
        scenario.arms = vec![base.clone()];
        scenario.baseline = 0;
        for set in sets {
            if tried.contains_key(&set) {
                continue;
            }
            match plan.arm(&base, &set) {
                Some(arm) if set.is_empty() => wanted.push((set, arm.id.clone(), 0)),
                Some(arm) => {
                    wanted.push((set, arm.id.clone(), scenario.arms.len()));
                    scenario.arms.push(arm);
                }
                None => _ = tried.insert(set, None),
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let record = run(&scenario)?;
        for (set, _, at) in wanted {
            tried.insert(set, Some(record.arms[at].clone()));
        }
        Ok(())
    };
    if complete {
        attempt((0..1usize << count).map(|bits| candidate_set(bits, count)).collect(), &mut tried)?;
    } else {
        attempt(vec![Vec::new()], &mut tried)?;
    }
    // Greedy search from no candidate at all. If not every combination is run, these are the only ones.
    let mut order: Vec<Vec<usize>> = vec![Vec::new()];
    loop {
        let last = order.last().cloned().unwrap_or_default();
        let next: Vec<Vec<usize>> = (0..count)
            .filter(|candidate| !last.contains(candidate))
            .map(|candidate| {
                let mut set = last.clone();
                set.push(candidate);
                set.sort_unstable();
                set
            })
            .collect();
        attempt(next.clone(), &mut tried)?;
        let best = next.into_iter().filter_map(|set| Some((total_cost(&plan, &tried, &set)?, set)));
        let best = best.min_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
        match best {
            Some((cost, set)) if total_cost(&plan, &tried, &last).is_some_and(|now| cost < now) => {
                order.push(set);
            }
            _ => break,
        }
    }
    let excluded = tried.values().filter(|arm| arm.is_none()).count();
    let options = tried.iter().filter_map(|(set, arm)| option_from_arm(&plan, set, arm.as_ref()?));
    let mut options: Vec<PlanOption> = options.collect();
    test_savings(&scenario, &plan, &tried, &mut options)?;
    options.sort_by(|a, b| {
        let order = (!a.chosen.is_empty()).cmp(&!b.chosen.is_empty());
        order.then(a.total().total_cmp(&b.total()))
    });
    mark_fronts(&mut options);
    Ok(PlanResult {
        currency,
        improved_arm: base.id.clone(),
        candidates: plan.candidates.iter().map(|candidate| candidate.id.clone()).collect(),
        buying_order: order
            .iter()
            .map(|set| options.iter().position(|option| option.chosen == *set))
            .collect::<Option<_>>()
            .context("an option is missing")?,
        options,
        excluded,
        complete,
    })
}

/// The total cost of an option that was tried; `None` if it was not, or counts no money.
fn total_cost(
    plan: &MitigationPlan,
    tried: &BTreeMap<Vec<usize>, Option<ArmRecord>>,
    set: &[usize],
) -> Option<f64> {
    let arm = tried.get(set)?.as_ref()?;
    Some(option_from_arm(plan, set, arm)?.total())
}

/// The candidates whose bits are set.
fn candidate_set(bits: usize, count: usize) -> Vec<usize> {
    (0..count).filter(|candidate| bits >> candidate & 1 == 1).collect()
}

/// The option of a combination, not yet tested; `None` if the arm counts no money.
fn option_from_arm(plan: &MitigationPlan, chosen: &[usize], arm: &ArmRecord) -> Option<PlanOption> {
    let money: &MoneyRecord = arm.money.as_ref()?;
    let own = own_cost(plan, chosen, money);
    Some(PlanOption {
        chosen: chosen.to_vec(),
        name: if chosen.is_empty() { format!("{} as it is", arm.id) } else { arm.id.clone() },
        failure: arm.summary.failure.estimate,
        cost: money.cases * money.running + own,
        loss: money.cases * money.loss.estimate,
        cvar: money.year().tail.first().map_or(f64::NAN, |tail| tail.cvar),
        saved: None,
        on_front: false,
        on_tail_front: false,
    })
}

/// The candidates' own costs in a year, without running costs.
fn own_cost(plan: &MitigationPlan, chosen: &[usize], money: &MoneyRecord) -> f64 {
    let costs = chosen.iter().map(|&candidate| {
        let candidate = &plan.candidates[candidate];
        candidate.cost_per_year + money.cases * candidate.cost_per_case
    });
    costs.sum()
}

/// Tests what each option saves in a year, all costs included. Losses are paired by task; costs are the same for every
/// task, those of an average case.
fn test_savings(
    scenario: &Scenario,
    plan: &MitigationPlan,
    tried: &BTreeMap<Vec<usize>, Option<ArmRecord>>,
    options: &mut [PlanOption],
) -> anyhow::Result<()> {
    let clusters = scenario.clusters();
    let base = money_of(tried, &[]).context("the arm as it is counts no money")?;
    let mut bought: Vec<&mut PlanOption> =
        options.iter_mut().filter(|option| !option.chosen.is_empty()).collect();
    let differences = stats::family_differences(bought.len(), |at| {
        let option: &PlanOption = bought[at];
        let with = money_of(tried, &option.chosen).context("an option is missing")?;
        let costs =
            with.cases * (with.running - base.running) + own_cost(plan, &option.chosen, with);
        let tasks = base.tasks.iter().zip(&with.tasks).zip(&scenario.tasks.tasks).zip(&clusters);
        let pairs = tasks.map(|(((was, is), task), &cluster)| PairedCase {
            // Saved is the unchanged arm minus the option, so the option takes the place of the baseline.
            baseline: with.cases * is + costs,
            arm: with.cases * was,
            weight: task.weight,
            cluster,
        });
        PairedTest::new(&pairs.collect::<Vec<PairedCase>>(), scenario.simulation.seed)
    })?;
    for (option, difference) in bought.iter_mut().zip(differences) {
        option.saved = Some(difference);
    }
    Ok(())
}

fn money_of<'t>(
    tried: &'t BTreeMap<Vec<usize>, Option<ArmRecord>>,
    set: &[usize],
) -> Option<&'t MoneyRecord> {
    tried.get(set)?.as_ref()?.money.as_ref()
}

/// Marks the Pareto-optimal options: no other option is at most equal in both criteria and less in one.
fn mark_fronts(options: &mut [PlanOption]) {
    for at in 0..options.len() {
        let on_front = !is_beaten(options, at, |o| o.loss);
        let on_tail_front = !is_beaten(options, at, |o| o.cvar);
        options[at].on_front = on_front;
        options[at].on_tail_front = on_tail_front;
    }
}

/// Whether another option is at least as good in cost and in `of`, and better in one of them.
fn is_beaten(options: &[PlanOption], at: usize, of: fn(&PlanOption) -> f64) -> bool {
    let (cost, bad) = (options[at].cost, of(&options[at]));
    options.iter().any(|other| {
        let (other_cost, other_bad) = (other.cost, of(other));
        other_cost <= cost && other_bad <= bad && (other_cost < cost || other_bad < bad)
    })
}
