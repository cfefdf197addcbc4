//! Builds the record from the tallies: rates, intervals and comparisons.

use std::collections::BTreeMap;

use super::SolveMethod;
use super::compare::{self, ComparedArm};
use super::explanation::ArmExplanation;
use super::money::MoneyRecord;
use super::oracle_check::OracleRecord;
use super::reader_record::ReaderRecord;
use super::recall_transfer;
use super::record::{
    ArmRecord, ArmSummary, ComparisonMeasure, MissKindRecord, PairedDifference,
    RetrievalQualityRecord, RunRecord, RunStepRecord, WorstTaskRecord, main_cause,
};
use super::tally::{ArmTally, OutcomeMass, StepEventTally, largest};
use crate::kernel::OUTCOMES;
use crate::scenario::{PipelineStepKind, Scenario};
use crate::session::Session;
use crate::stats;
use crate::step::{MissKind, RunOutcome, StepEvent};

/// A solved arm.
pub struct SolvedArm {
    pub tally: ArmTally,
    /// The causes of its failures.
    pub explanation: ArmExplanation,
    pub money: Option<MoneyRecord>,
    pub worst: Vec<WorstTaskRecord>,
}

/// The record of arms that were solved.
pub fn record(
    session: &Session,
    right: OracleRecord,
    arms: Vec<SolvedArm>,
) -> anyhow::Result<RunRecord> {
    let scenario = session.scenario();
    let (mut tallies, mut answers, mut money) = (Vec::new(), Vec::new(), Vec::new());
    for SolvedArm { tally, explanation: why, money: costs, worst } in arms {
        tallies.push(tally);
        answers.push((why, worst));
        money.push(costs);
    }
    let baseline = tallies.iter().position(|t| t.arm == scenario.baseline);
    let clusters = scenario.clusters();
    let compared: Vec<ComparedArm> = tallies
        .iter()
        .zip(&money)
        .map(|(tally, money)| ComparedArm { tasks: &tally.tasks, money: money.as_ref() })
        .collect();
    let comparison = compare::compare(scenario, &compared, baseline)?;
    let mut arms = Vec::new();
    for (at, (tally, (why, worst))) in tallies.into_iter().zip(answers).enumerate() {
        let arm = &scenario.arms[tally.arm];
        let other = baseline.filter(|base| *base != at);
        let difference =
            other.and_then(|base| comparison.difference(ComparisonMeasure::Failure, at, base));
        let summary = summary(scenario, &tally, &why, difference, &clusters)?;
        let steps: Vec<RunStepRecord> =
            (0..scenario.steps.len()).map(|s| step(scenario, &tally, &why, s)).collect();
        let mut money = money[at].take();
        if let Some(money) = &mut money {
            money.difference =
                other.and_then(|base| comparison.difference(ComparisonMeasure::Money, at, base));
        }
        let failure = summary.outcomes[1..].iter().sum();
        arms.push(ArmRecord {
            id: arm.id.clone(),
            transfers: recall_transfer::transfers(&steps, failure, money.as_ref()),
            reader: ReaderRecord::of_arm(session, arm)?,
            summary,
            steps,
            misses: misses(scenario, &tally),
            causes: why.shares,
            edges: why.edges,
            guards: why.guards,
            paths: why.paths,
            flows: why.flows,
            cuts: why.cuts,
            tasks: tally.tasks,
            worst,
            money,
        });
    }
    Ok(RunRecord {
        comparison,
        currency: scenario.impact.as_ref().map(|impact| impact.currency.clone()),
        scenario: scenario.name.clone(),
        description: scenario.description.clone(),
        unit: scenario.unit.clone(),
        units: clusters.iter().max().map_or(0, |last| last + 1),
        baseline,
        arms,
        right,
        sensitivity: None,
        drawn_assumptions: Vec::new(),
    })
}

fn failing(mass: &OutcomeMass) -> f64 {
    mass[1..].iter().sum()
}

fn whole(mass: &OutcomeMass) -> f64 {
    mass.iter().sum()
}

fn ratio(part: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| part / of)
}

fn sum<'a>(masses: impl Iterator<Item = &'a OutcomeMass>) -> OutcomeMass {
    masses.fold([0.0; OUTCOMES], |mut sum, mass| {
        sum.iter_mut().zip(mass).for_each(|(s, m)| *s += m);
        sum
    })
}

fn missed(step: &StepEventTally) -> OutcomeMass {
    let missed = StepEvent::all().into_iter().filter(|e| e.miss().is_some());
    sum(missed.map(|e| &step.events[usize::from(e.code())]))
}

fn summary(
    scenario: &Scenario,
    tally: &ArmTally,
    why: &ArmExplanation,
    difference: Option<PairedDifference>,
    clusters: &[usize],
) -> anyhow::Result<ArmSummary> {
    let observations: Vec<stats::ClusterObservation> = tally
        .tasks
        .iter()
        .zip(clusters)
        .map(|(task, &cluster)| stats::ClusterObservation {
            value: task.failure(),
            weight: task.weight,
            cluster,
        })
        .collect();
    let total: f64 = tally.tasks.iter().map(|t| t.weight).sum();
    let mut outcomes = [0.0; OUTCOMES];
    for task in &tally.tasks {
        for (sum, p) in outcomes.iter_mut().zip(task.outcomes) {
            *sum += p * task.weight / total;
        }
    }
    let failure = stats::rate(&observations, stats::LEVEL)?;
    // A run that stopped is flagged by that; every other failure is silent.
    let silent = outcomes[1..].iter().sum::<f64>() - outcomes[RunOutcome::Stopped as usize];
    let mut worst = BTreeMap::new();
    let mut kinds: BTreeMap<MissKind, f64> = BTreeMap::new();
    for (s, step) in tally.steps.iter().enumerate() {
        worst.insert(s, failing(&missed(step)));
        for event in StepEvent::all() {
            if let Some(kind) = event.miss() {
                *kinds.entry(kind).or_default() += failing(&step.events[usize::from(event.code())]);
            }
        }
    }
    Ok(ArmSummary {
        // A difference of sums, which may be negative by rounding.
        silent: silent.max(0.0),
        silent_share: ratio(silent.max(0.0), outcomes[1..].iter().sum()),
        failure,
        difference,
        outcomes,
        quality: mean_quality(&tally.steps),
        worst_step: largest(worst).map(|(s, p)| (scenario.steps[s].id.clone(), p)),
        commonest_miss: largest(kinds),
        main_cause: main_cause(&why.shares).map(|c| (c.step.clone(), c.event, c.share)),
        independent_success: why.independent_success,
        failure_with_own_miss: why.failure_with_own_miss,
        failure_with_induced_miss: why.failure_with_induced_miss,
        tasks: tally.tasks.len(),
        exact_tasks: tally
            .tasks
            .iter()
            .filter(|t| matches!(t.method, SolveMethod::Exact { .. }))
            .count(),
    })
}

fn mean_quality(steps: &[StepEventTally]) -> Option<RetrievalQualityRecord> {
    let weight: f64 = steps.iter().map(|s| s.judged_weight).sum();
    (weight > 0.0).then(|| RetrievalQualityRecord {
        recall_at_k: mean_measure(steps, weight, |q| q.recall_at_k),
        ndcg_at_10: mean_measure(steps, weight, |q| q.ndcg_at_10),
        mrr_at_10: mean_measure(steps, weight, |q| q.mrr_at_10),
    })
}

fn mean_measure(
    steps: &[StepEventTally],
    weight: f64,
    of: fn(&RetrievalQualityRecord) -> f64,
) -> f64 {
    let judged = steps.iter().filter_map(|s| Some(s.judged_weight * of(s.quality.as_ref()?)));
    judged.sum::<f64>() / weight
}

fn step(scenario: &Scenario, tally: &ArmTally, why: &ArmExplanation, at: usize) -> RunStepRecord {
    let of = &scenario.steps[at];
    let step = &tally.steps[at];
    let p = |event: StepEvent| whole(&step.events[usize::from(event.code())]);
    let miss = missed(step);
    let hit = sum([StepEvent::Hit, StepEvent::Partial]
        .iter()
        .map(|event| &step.events[usize::from(event.code())]));
    let retrieval = scenario.arms[tally.arm].retrieval[at]
        .map(|r| (scenario.embedders[r.embedder].name.clone(), r.top_k, r.entity_filter));
    RunStepRecord {
        step: of.id.clone(),
        kind: match of.kind {
            PipelineStepKind::Retrieve(_) => "retrieve",
            PipelineStepKind::Read { .. } => "read",
            PipelineStepKind::Lookup { .. } => "lookup",
            PipelineStepKind::Compute(_) => "compute",
            PipelineStepKind::Act { .. } => "act",
        },
        retrieval,
        p_reached: whole(&sum(step.events.iter())),
        p_correct: whole(&step.correct),
        p_wrong: whole(&step.wrong),
        p_missing: whole(&step.missing),
        p_hit: p(StepEvent::Hit) + p(StepEvent::Partial),
        p_own_miss: MissKind::ALL.iter().map(|kind| p(StepEvent::OwnMiss(*kind))).sum(),
        p_induced_miss: MissKind::ALL.iter().map(|kind| p(StepEvent::InducedMiss(*kind))).sum(),
        p_no_gold: p(StepEvent::NoGold),
        p_distracted: p(StepEvent::Distracted),
        p_misread: p(StepEvent::Misread),
        p_fabricated: p(StepEvent::Fabricated),
        p_lucky: p(StepEvent::Lucky),
        p_abstained: p(StepEvent::Abstained),
        p_unparsable: p(StepEvent::Unparsable),
        p_failed: p(StepEvent::Failed),
        p_stopped: p(StepEvent::Stopped),
        p_caught: whole(&step.caught),
        p_recovered: whole(&step.recovered),
        p_false_alarm: p(StepEvent::FalseAlarm),
        p_skipped: p(StepEvent::Skipped),
        p_fail_given_hit: ratio(failing(&hit), whole(&hit)),
        p_fail_given_miss: ratio(failing(&miss), whole(&miss)),
        p_absorbed_given_wrong: ratio(step.wrong[RunOutcome::Correct as usize], whole(&step.wrong)),
        importance: why.importance[at],
        quality: step.quality,
        judged_tasks: step.judged_tasks,
    }
}

fn misses(scenario: &Scenario, tally: &ArmTally) -> Vec<MissKindRecord> {
    let all: f64 = tally.tasks.iter().map(|t| t.weight).sum();
    let failure: f64 = tally.tasks.iter().map(|t| t.weight * t.failure()).sum::<f64>() / all;
    let mut rows = Vec::new();
    for (of, step) in scenario.steps.iter().zip(&tally.steps) {
        for event in StepEvent::all() {
            let mass = &step.events[usize::from(event.code())];
            let Some(kind) = event.miss().filter(|_| whole(mass) > 0.0) else {
                continue;
            };
            rows.push(MissKindRecord {
                step: of.id.clone(),
                kind,
                induced: matches!(event, StepEvent::InducedMiss(_)),
                p: whole(mass),
                outcomes: *mass,
                p_fail_given: failing(mass) / whole(mass),
                share_of_failures: ratio(failing(mass), failure),
            });
        }
    }
    rows
}
