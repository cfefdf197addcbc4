//! Puts the embedders into a scenario's pipeline: one arm per embedder, which replaces whatever the retrieve steps use.
//!
//! The numbers are those of a run, so a scorecard and a run of the same scenario agree.

use std::sync::Arc;

use super::score::{ScorecardRow, ScorecardSection, bounded_ends};
use crate::run::RunRecord;
use crate::run::record::ArmRecord;
use crate::scenario::{EmbedderDeclaration, EmbedderKind, Scenario, ScenarioArm};
use crate::stats::ConfidenceInterval;
use crate::step::{MissKind, RunOutcome};

/// The scenario with one arm per embedder, otherwise equal to its baseline arm; the first embedder's arm is the new
/// baseline.
///
/// Guards on scores are off, since their thresholds are declared per embedder. A search has the price of the baseline's
/// first retrieve step.
pub fn arms(mut scenario: Scenario, embedders: &[(String, Arc<dyn EmbedderKind>)]) -> Scenario {
    let base = scenario.arms[scenario.baseline].clone();
    scenario.baseline = 0;
    scenario.arms = Vec::new();
    let priced = base.retrieval.iter().flatten().next().map_or(0, |first| first.embedder);
    for (name, kind) in embedders {
        let at = scenario.embedders.len();
        // Search prices are indexed like the embedders, so a new embedder needs one.
        if let Some(impact) = &mut scenario.impact {
            let price = impact.costs.search[priced].clone();
            impact.costs.search.push(price);
        }
        scenario.embedders.push(EmbedderDeclaration { name: name.clone(), kind: kind.clone() });
        let mut arm = ScenarioArm { id: name.clone(), ..base.clone() };
        for retrieval in arm.retrieval.iter_mut().flatten() {
            retrieval.embedder = at;
        }
        scenario.arms.push(arm);
    }
    scenario
}

/// The rows of a run of [`arms`], arm by arm.
pub fn rows(record: &RunRecord) -> Vec<ScorecardRow> {
    record.arms.iter().flat_map(|arm| arm_rows(record, arm)).collect()
}

fn arm_rows(record: &RunRecord, arm: &ArmRecord) -> Vec<ScorecardRow> {
    let row = |measure: String, value: f64| ScorecardRow {
        embedder: arm.id.clone(),
        section: ScorecardSection::Pipeline,
        set: record.scenario.clone(),
        measure,
        value,
        interval: None,
        difference: None,
        difference_interval: None,
        p: None,
        n: arm.tasks.len(),
        clusters: record.units,
    };
    let compared =
        |row: ScorecardRow,
         interval: ConfidenceInterval,
         difference: Option<(ConfidenceInterval, f64)>| ScorecardRow {
            interval: bounded_ends(&interval),
            difference: difference.map(|(d, _)| d.estimate),
            difference_interval: difference.and_then(|(d, _)| bounded_ends(&d)),
            p: difference.map(|(_, p)| p),
            ..row
        };
    let summary = &arm.summary;
    let failure = row("failure rate".to_owned(), summary.failure.estimate);
    let difference = summary.difference.as_ref().map(|d| (d.interval, d.p_value));
    let mut rows = vec![compared(failure, summary.failure, difference)];
    for (outcome, p) in RunOutcome::ALL.iter().zip(summary.outcomes).skip(1) {
        rows.push(row(format!("{} rate", outcome.name()), p));
    }
    rows.push(row("silent failure rate".to_owned(), summary.silent));
    rows.extend(summary.quality.map(|q| row("nDCG@10 at its steps".to_owned(), q.ndcg_at_10)));
    for kind in MissKind::ALL {
        let of = arm.misses.iter().filter(|miss| miss.kind == kind);
        // An empty sum of floats is -0.0.
        let p = of.map(|miss| miss.p).sum::<f64>() + 0.0;
        rows.push(row(format!("{} misses a run", kind.name()), p));
    }
    if let (Some(money), Some(currency)) = (&arm.money, &record.currency) {
        let loss = row(format!("expected loss a case, {currency}"), money.loss.estimate);
        rows.push(compared(loss, money.loss, None));
        let total = row(format!("loss and running cost a case, {currency}"), money.total());
        rows.push(match &money.difference {
            None => total,
            Some(d) => ScorecardRow {
                difference: Some(d.interval.estimate),
                difference_interval: bounded_ends(&d.interval),
                p: Some(d.p_value),
                ..total
            },
        });
    }
    rows
}
