//! Expressions: CEL over a task, a passage and the outputs of earlier steps.

use crate::value::Value;
use crate::world::{Corpus, Passage, Task};

/// One CEL expression, parsed and type-checked once.
#[derive(Debug)]
pub struct Expr {
    source: String,
    steps: Vec<usize>,
}

/// What an expression may see.
#[derive(Clone, Copy, Debug, Default)]
pub struct Env<'a> {
    pub task: Option<&'a Task>,
    pub passage: Option<&'a Passage>,
    /// By step index; `None` is null or not available.
    pub steps: &'a [Option<&'a Value>],
}

/// An expression that has no value for this input.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{expression}`: {reason}")]
pub struct EvalError {
    pub expression: String,
    pub reason: String,
}

impl Expr {
    /// As written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The value; `None` is null.
    pub fn eval(&self, _env: &Env) -> Result<Option<Value>, EvalError> {
        todo!("comes with the checker")
    }

    /// The steps it names, ascending.
    pub fn steps(&self) -> impl Iterator<Item = usize> {
        self.steps.iter().copied()
    }
}

/// Text with `{{ CEL }}` parts.
#[derive(Debug)]
pub struct Template {
    parts: Vec<Expr>,
}

impl Template {
    /// The text; null renders as nothing.
    pub fn render(&self, _env: &Env) -> Result<String, EvalError> {
        todo!("comes with the checker")
    }

    /// The steps it names, ascending.
    pub fn steps(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().flat_map(Expr::steps)
    }
}

/// The passages of one corpus by id, entity and attribute.
#[derive(Debug, Default)]
pub struct CorpusIndex {}

impl CorpusIndex {
    pub fn new(_corpus: &Corpus) -> CorpusIndex {
        CorpusIndex::default()
    }

    pub fn id(&self, _id: &str) -> Option<u32> {
        todo!()
    }
    pub fn entity(&self, _e: &str) -> &[u32] {
        todo!()
    }
}

/// An expression over `passage` and `task` that says which passages are right.
#[derive(Debug)]
pub struct GoldRule {
    rest: Option<Expr>,
}

impl GoldRule {
    /// Ascending indices of the passages for which the rule is true.
    pub fn gold(
        &self,
        _corpus: &Corpus,
        _index: &CorpusIndex,
        _task: &Task,
    ) -> Result<Vec<u32>, EvalError> {
        todo!("comes with the checker: {:?}", self.rest)
    }
}
