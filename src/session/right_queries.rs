//! The right queries: what every task asks at every retrieve step if nothing has gone wrong before it.

use rayon::prelude::*;

use crate::expr::CorpusIndex;
use crate::scenario::{PipelineStepKind, RightQuerySource, Scenario, ScenarioArm};
use crate::step::oracle;

pub use crate::scenario::RightQuery;

/// All right queries under an arm, by task, step and phrasing. Steps that the oracle of a task does not reach have
/// none.
///
/// # Errors
/// An oracle that cannot be run.
pub fn right_queries(
    scenario: &Scenario,
    indices: &[CorpusIndex],
    arm: &ScenarioArm,
) -> anyhow::Result<Vec<RightQuery>> {
    let of_task = |task: usize| -> anyhow::Result<Vec<RightQuery>> {
        let case = &scenario.tasks.tasks[task];
        let oracle = oracle::run(scenario, arm, indices, case)?;
        let mut queries = Vec::new();
        for (step, of) in scenario.steps.iter().enumerate() {
            let PipelineStepKind::Retrieve(retrieve) = &of.kind else { continue };
            let Some(asked) = oracle::oracle_queries(scenario, &oracle, case, step) else {
                continue;
            };
            let several = asked.queries.len() > 1;
            queries.extend((1..).zip(asked.queries).map(|(number, text)| RightQuery {
                task,
                step,
                number: several.then_some(number),
                text,
                entity: asked.entity.clone(),
                corpus: arm.corpora[retrieve.corpus],
            }));
        }
        Ok(queries)
    };
    let tasks = 0..scenario.tasks.tasks.len();
    let queries = tasks.into_par_iter().map(of_task).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(queries.into_iter().flatten().collect())
}

impl RightQuerySource for Scenario {
    fn right_queries_to(&self, corpus: usize) -> anyhow::Result<Vec<RightQuery>> {
        let indices: Vec<CorpusIndex> = self.corpora.iter().map(CorpusIndex::new).collect();
        // Arms with the same corpora have the same right queries.
        let mut arms: Vec<&ScenarioArm> = Vec::new();
        for arm in &self.arms {
            if !arms.iter().any(|known| known.corpora == arm.corpora) {
                arms.push(arm);
            }
        }
        let mut queries = Vec::new();
        for arm in arms {
            queries.extend(right_queries(self, &indices, arm)?);
        }
        queries.retain(|query| query.corpus == corpus);
        Ok(queries)
    }
}
