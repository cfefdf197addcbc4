//! Builds the record from the tallies: rates, intervals and comparisons.

use std::collections::BTreeMap;

use super::Ran;
use super::compare::{self, Compared};
use super::money::MoneyRecord;
use super::record::{
    ArmRecord, Measure, MissRecord, PairedDifference, Quality, Record, StepRecord, Summary,
    ToldRecord, main_cause,
};
use super::right::RightRecord;
use super::tally::{Mass, StepTally, Tally, largest};
use super::transfer;
use super::why::Answers;
use crate::kernel::OUTCOMES;
use crate::scenario::{Scenario, StepKind};
use crate::stats;
use crate::step::reader::Reader;
use crate::step::{Event, MissKind, Outcome};

/// A solved arm.
pub struct Done {
    pub tally: Tally,
    /// The causes of its failures.
    pub why: Answers,
    pub money: Option<MoneyRecord>,
    pub worst: Vec<ToldRecord>,
}

/// The record of arms that were solved.
pub fn record(scenario: &Scenario, right: RightRecord, arms: Vec<Done>) -> anyhow::Result<Record> {
    let (mut tallies, mut answers, mut money) = (Vec::new(), Vec::new(), Vec::new());
    for Done { tally, why, money: costs, worst } in arms {
        tallies.push(tally);
        answers.push((why, worst));
        money.push(costs);
    }
    let baseline = tallies.iter().position(|t| t.arm == scenario.baseline);
    let clusters = scenario.clusters();
    let compared: Vec<Compared> = tallies
        .iter()
        .zip(&money)
        .map(|(tally, money)| Compared { tasks: &tally.tasks, money: money.as_ref() })
        .collect();
    let comparison = compare::compare(scenario, &compared, baseline)?;
    let mut arms = Vec::new();
    for (at, (tally, (why, worst))) in tallies.into_iter().zip(answers).enumerate() {
        let arm = &scenario.arms[tally.arm];
        let from_baseline = |measure: Measure| {
            comparison.difference(measure, at, baseline.filter(|base| *base != at)?)
        };
        let difference = from_baseline(Measure::Failure);
        let summary = summary(scenario, &tally, &why, difference, &clusters)?;
        let steps: Vec<StepRecord> =
            (0..scenario.steps.len()).map(|s| step(scenario, &tally, &why, s)).collect();
        let mut money = money[at].take();
        if let Some(money) = &mut money {
            money.difference = from_baseline(Measure::Money);
        }
        let failure = summary.outcomes[1..].iter().sum();
        arms.push(ArmRecord {
            id: arm.id.clone(),
            transfers: transfer::transfers(&steps, failure, money.as_ref()),
            reader: Reader::new(&arm.reader.preset, &arm.reader.overrides)?,
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
    Ok(Record {
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
        drawn: Vec::new(),
    })
}

fn failing(mass: &Mass) -> f64 {
    mass[1..].iter().sum()
}

fn whole(mass: &Mass) -> f64 {
    mass.iter().sum()
}

fn ratio(part: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| part / of)
}

fn sum<'a>(masses: impl Iterator<Item = &'a Mass>) -> Mass {
    masses.fold([0.0; OUTCOMES], |mut sum, mass| {
        sum.iter_mut().zip(mass).for_each(|(s, m)| *s += m);
        sum
    })
}

fn missed(step: &StepTally) -> Mass {
    let missed = Event::all().into_iter().filter(|e| e.miss().is_some());
    sum(missed.map(|e| &step.events[usize::from(e.code())]))
}

fn summary(
    scenario: &Scenario,
    tally: &Tally,
    why: &Answers,
    difference: Option<PairedDifference>,
    clusters: &[usize],
) -> anyhow::Result<Summary> {
    let observations: Vec<stats::Observation> = tally
        .tasks
        .iter()
        .zip(clusters)
        .map(|(task, &cluster)| stats::Observation {
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
    let silent = outcomes[1..].iter().sum::<f64>() - outcomes[Outcome::Stopped as usize];
    let mut worst = BTreeMap::new();
    let mut kinds: BTreeMap<MissKind, f64> = BTreeMap::new();
    for (s, step) in tally.steps.iter().enumerate() {
        worst.insert(s, failing(&missed(step)));
        for event in Event::all() {
            if let Some(kind) = event.miss() {
                *kinds.entry(kind).or_default() += failing(&step.events[usize::from(event.code())]);
            }
        }
    }
    Ok(Summary {
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
        exact_tasks: tally.tasks.iter().filter(|t| matches!(t.ran, Ran::Exact { .. })).count(),
    })
}

fn mean_quality(steps: &[StepTally]) -> Option<Quality> {
    let weight: f64 = steps.iter().map(|s| s.judged_weight).sum();
    let mean = |of: fn(&Quality) -> f64| -> f64 {
        let judged = steps.iter().filter_map(|s| Some(s.judged_weight * of(s.quality.as_ref()?)));
        judged.sum::<f64>() / weight
    };
    (weight > 0.0).then(|| Quality {
        recall_at_k: mean(|q| q.recall_at_k),
        ndcg_at_10: mean(|q| q.ndcg_at_10),
        mrr_at_10: mean(|q| q.mrr_at_10),
    })
}

fn step(scenario: &Scenario, tally: &Tally, why: &Answers, at: usize) -> StepRecord {
    let of = &scenario.steps[at];
    let step = &tally.steps[at];
    let event = |event: Event| &step.events[usize::from(event.code())];
    let p = |e: Event| whole(event(e));
    let own = |kind: &MissKind| p(Event::OwnMiss(*kind));
    let induced = |kind: &MissKind| p(Event::InducedMiss(*kind));
    let miss = missed(step);
    let hit = sum([Event::Hit, Event::Partial].map(event).into_iter());
    let retrieval = scenario.arms[tally.arm].retrieval[at]
        .map(|r| (scenario.embedders[r.embedder].name.clone(), r.top_k, r.entity_filter));
    StepRecord {
        step: of.id.clone(),
        kind: match of.kind {
            StepKind::Retrieve(_) => "retrieve",
            StepKind::Read { .. } => "read",
            StepKind::Lookup { .. } => "lookup",
            StepKind::Compute(_) => "compute",
            StepKind::Act { .. } => "act",
        },
        retrieval,
        p_reached: whole(&sum(step.events.iter())),
        p_correct: whole(&step.correct),
        p_wrong: whole(&step.wrong),
        p_missing: whole(&step.missing),
        p_hit: p(Event::Hit) + p(Event::Partial),
        p_own_miss: MissKind::ALL.iter().map(own).sum(),
        p_induced_miss: MissKind::ALL.iter().map(induced).sum(),
        p_no_gold: p(Event::NoGold),
        p_distracted: p(Event::Distracted),
        p_misread: p(Event::Misread),
        p_fabricated: p(Event::Fabricated),
        p_lucky: p(Event::Lucky),
        p_abstained: p(Event::Abstained),
        p_failed: p(Event::Failed),
        p_stopped: p(Event::Stopped),
        p_caught: whole(&step.caught),
        p_recovered: whole(&step.recovered),
        p_false_alarm: p(Event::FalseAlarm),
        p_skipped: p(Event::Skipped),
        p_fail_given_hit: ratio(failing(&hit), whole(&hit)),
        p_fail_given_miss: ratio(failing(&miss), whole(&miss)),
        p_absorbed_given_wrong: ratio(step.wrong[Outcome::Correct as usize], whole(&step.wrong)),
        importance: why.importance[at],
        quality: step.quality,
        judged_tasks: step.judged_tasks,
    }
}

fn misses(scenario: &Scenario, tally: &Tally) -> Vec<MissRecord> {
    let all: f64 = tally.tasks.iter().map(|t| t.weight).sum();
    let failure: f64 = tally.tasks.iter().map(|t| t.weight * t.failure()).sum::<f64>() / all;
    let mut rows = Vec::new();
    for (of, step) in scenario.steps.iter().zip(&tally.steps) {
        for event in Event::all() {
            let mass = &step.events[usize::from(event.code())];
            let Some(kind) = event.miss().filter(|_| whole(mass) > 0.0) else {
                continue;
            };
            rows.push(MissRecord {
                step: of.id.clone(),
                kind,
                induced: matches!(event, Event::InducedMiss(_)),
                p: whole(mass),
                outcomes: *mass,
                p_fail_given: failing(mass) / whole(mass),
                share_of_failures: ratio(failing(mass), failure),
            });
        }
    }
    rows
}
