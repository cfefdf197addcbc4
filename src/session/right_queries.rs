//! The right queries: what every task asks at every retrieve step if nothing has gone wrong before it.

use rayon::prelude::*;

use crate::expr::CorpusIndex;
use crate::scenario::{PipelineStepKind, Scenario, ScenarioArm};
use crate::step::oracle;

/// One phrasing of what a task asks at a step.
#[derive(Clone, Debug, PartialEq)]
pub struct RightQuery {
    /// Index into the replayed tasks.
    pub task: usize,
    /// Index into the steps.
    pub step: usize,
    /// Number of the phrasing, from 1, if the step has several.
    pub number: Option<usize>,
    /// The query as it is searched.
    pub text: String,
    /// The entity whose passages are searched if the filter is on.
    pub entity: Option<String>,
    /// Index of the corpus under the arm.
    pub corpus: usize,
}

impl RightQuery {
    /// `TASK.STEP`, the same for all phrasings.
    pub fn query_id(&self, scenario: &Scenario) -> String {
        format!("{}.{}", scenario.tasks.tasks[self.task].id, scenario.steps[self.step].id)
    }

    /// `TASK.STEP.N` where there are several phrasings.
    pub fn phrasing_id(&self, scenario: &Scenario) -> String {
        let name = self.query_id(scenario);
        self.number.map_or(name.clone(), |number| format!("{name}.{number}"))
    }
}

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
