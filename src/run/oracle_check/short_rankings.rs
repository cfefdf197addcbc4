//! Finds rankings that are too short: if all gold passages of a task are missed, those that take their place come after
//! them in the ranking.
//!
//! Searches go as deep as that takes, except for embedders with a depth of their own (see
//! [`EmbedderKind::ranking_limit`](crate::scenario::EmbedderKind::ranking_limit)). Their depth affects what they find, so
//! it is not changed here, but reported if it is too small for the gold of a task.

use super::{ArmOracles, ShortRankingRecord};
use crate::retrieve::RunFileAnswers;
use crate::scenario::{PipelineStepKind, RankingLimit, Scenario, ScenarioArm};
use crate::step::oracle::{self, OracleRun};
use crate::world::Task;

/// One record for each arm and step with such tasks. `judged` holds the oracles, one entry for each set of corpora.
pub(super) fn short_rankings(
    scenario: &Scenario,
    arms: &[&ScenarioArm],
    judged: &[ArmOracles],
) -> Vec<ShortRankingRecord> {
    let mut short = Vec::new();
    for arm in arms {
        let Some(of) = judged.iter().find(|judged| judged.arm.corpora == arm.corpora) else {
            continue;
        };
        for (at, step) in scenario.steps.iter().enumerate() {
            let (PipelineStepKind::Retrieve(retrieve), Some(with)) =
                (&step.kind, arm.retrieval[at])
            else {
                continue;
            };
            let embedder = &scenario.embedders[with.embedder];
            let corpus = arm.corpora[retrieve.corpus];
            let passages = scenario.corpora[corpus].passages.len();
            let pairs = scenario.tasks.tasks.iter().zip(&of.oracles);
            // Recorded rankings that cannot be matched with queries are reported when they are opened.
            let Ok(limit) = embedder.kind.ranking_limit(scenario, corpus, scenario) else {
                continue;
            };
            let (limited_by, rankings): (String, Vec<TooShort>) = match limit {
                RankingLimit::Unlimited => continue,
                RankingLimit::Depth(depth) => {
                    let short = pairs.filter_map(|(task, oracle)| {
                        let needed = (with.top_k + oracle.gold[at].len()).min(passages);
                        (needed > depth).then_some(TooShort { task, depth, needed })
                    });
                    ("depth".to_owned(), short.collect())
                }
                RankingLimit::Recorded { file, rankings } => {
                    let short = pairs.filter_map(|(task, oracle)| {
                        in_recorded(&rankings, scenario, task, oracle, at, with.top_k, passages)
                    });
                    (file, short.collect())
                }
            };
            let Some(needed) = rankings.iter().map(|ranking| ranking.needed).max() else {
                continue;
            };
            short.push(ShortRankingRecord {
                arm: arm.id.clone(),
                step: step.id.clone(),
                embedder: embedder.name.clone(),
                limited_by,
                depth: rankings.iter().map(|ranking| ranking.depth).min().unwrap_or(0),
                needed,
                top_k: with.top_k,
                tasks: rankings.into_iter().map(|ranking| ranking.task.id.clone()).collect(),
            });
        }
    }
    short
}

/// A task whose ranking is too short, how long it is, and how long it would have to be.
struct TooShort<'a> {
    task: &'a Task,
    depth: usize,
    needed: usize,
}

/// The shortest recorded ranking for the right queries of a task at the step `at`, if gold in it leaves fewer than
/// `top_k` others. Queries without a recorded ranking are reported by themselves.
fn in_recorded<'a>(
    answers: &RunFileAnswers,
    scenario: &Scenario,
    task: &'a Task,
    oracle: &OracleRun,
    at: usize,
    top_k: usize,
    passages: usize,
) -> Option<TooShort<'a>> {
    let asked = oracle::oracle_queries(scenario, oracle, task, at)?;
    let rankings = asked.queries.iter().filter_map(|query| answers.get(query));
    let short = rankings.filter_map(|ranking| {
        let gold = ranking.iter().filter(|hit| oracle.gold[at].contains(&hit.passage)).count();
        let needed = (top_k + gold).min(passages);
        (gold > 0 && ranking.len() < needed).then_some(TooShort {
            task,
            depth: ranking.len(),
            needed,
        })
    });
    short.min_by_key(|ranking| ranking.depth)
}
