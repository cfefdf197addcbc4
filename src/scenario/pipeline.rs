//! The steps of a scenario: nodes of the pipeline's graph.

use std::collections::BTreeSet;

use super::guards::StepGuard;
use crate::expr::{Expression, GoldRule, QueryTemplate};
use crate::value::ValueType;

/// A node of the pipeline's graph.
#[derive(Debug)]
pub struct PipelineStep {
    pub id: String,
    pub kind: PipelineStepKind,
    /// Ascending indices into [`super::Scenario::steps`], each below this step's own: `read.from` and every
    /// step named in an expression or template of this step, including those of its guards.
    pub parents: Vec<usize>,
    /// The parents that the step itself needs as inputs: all except those that only its guards use.
    pub required_parents: Vec<usize>,
    /// The step is skipped unless this evaluates to true.
    pub when: Option<Expression>,
    /// What happens when an input is missing.
    pub on_missing: MissingInputPolicy,
    /// Checks on the output, in the order in which they run.
    pub guards: Vec<StepGuard>,
    /// The type of the output; `None` for retrieve and act, which produce passages and a label.
    pub output: Option<ValueType>,
}

impl PipelineStep {
    /// The name of each guard in reports: its kind of check, numbered if several guards share the kind.
    pub fn guard_names(&self) -> Vec<String> {
        let name = |at: usize| self.guards[at].kind;
        let alike = |at: usize, below: usize| (0..below).filter(|&i| name(i) == name(at)).count();
        let full = |at: usize| match alike(at, self.guards.len()) {
            1 => name(at).to_owned(),
            _ => format!("{} {}", name(at), alike(at, at) + 1),
        };
        (0..self.guards.len()).map(full).collect()
    }
}

/// What happens to a run when an input of a step is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingInputPolicy {
    /// The run ends at this step.
    Stop,
    /// The step runs with null as the input.
    Continue,
}

/// What a step does.
#[derive(Debug)]
pub enum PipelineStepKind {
    Retrieve(RetrieveStep),
    /// Reads `field` from the passages found by the retrieve step `from`. Values that an extractor found in the texts
    /// are already among the passages' facts.
    Read {
        from: usize,
        field: String,
    },
    /// An exact key join; `table` is an index into [`super::Scenario::tables`].
    Lookup {
        table: usize,
        key: Expression,
        column: String,
    },
    /// Evaluates an expression.
    Compute(Expression),
    /// Outputs the label of the first rule whose condition is true. Labels in `hold` mean that nothing is done.
    Act {
        rules: Vec<ActionRule>,
        hold: BTreeSet<String>,
    },
}

/// The settings of a retrieve step that arms cannot change, except for a swap of the corpus.
#[derive(Debug)]
pub struct RetrieveStep {
    /// Index into [`super::Scenario::corpora`], before an arm swaps it.
    pub corpus: usize,
    /// The phrasings of the query.
    pub queries: Vec<QueryPhrasing>,
    /// Which passages are relevant.
    pub gold: GoldSource,
    /// The entity whose passages are searched where [`super::RetrievalSettings::entity_filter`] is on.
    pub entity: Option<Expression>,
}

/// One phrasing of a query.
#[derive(Debug)]
pub struct QueryPhrasing {
    pub template: QueryTemplate,
    /// Above zero; the weights of a step sum to 1.
    pub weight: f64,
}

/// Which passages are relevant.
#[derive(Debug)]
pub enum GoldSource {
    /// Those for which the rule is true.
    Rule(GoldRule),
    /// Those whose ids [`crate::world::Task::gold`] lists under the step's id.
    Listed,
}

/// A rule of an act step.
#[derive(Debug)]
pub struct ActionRule {
    /// `None`: the rule always applies.
    pub condition: Option<Expression>,
    /// The action.
    pub label: String,
}
