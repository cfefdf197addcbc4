//! What failures cost, as resolved.

use crate::expr::Expression;
use crate::impact::{RandomVariable, YearlyVolume};
use crate::scenario::parameters::ParameterProvenance;

/// What failures cost, and how many cases a year has.
#[derive(Debug)]
pub struct ImpactSettings {
    pub currency: String,
    pub volume: YearlyVolume,
    pub volume_backing: FigureSource,
    pub years: u32,
    /// Uncertain amounts and factors that losses are multiplied by.
    pub variables: Vec<ImpactVariable>,
    pub losses: Vec<LossRule>,
    /// Running costs.
    pub costs: RunningCosts,
}

/// Where a figure comes from, and how good the source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FigureSource {
    pub tag: ParameterProvenance,
    pub source: String,
}

/// A variable of the section `impact`.
#[derive(Clone, Debug, PartialEq)]
pub struct ImpactVariable {
    pub name: String,
    pub variable: RandomVariable,
    pub backing: FigureSource,
}

/// A loss that applies to some runs.
#[derive(Debug)]
pub struct LossRule {
    pub name: String,
    /// An expression over the task, the oracle's outputs and the names of [`RUN_END_NAMES`]; `amount` has the same scope.
    pub condition: Expression,
    pub amount: Expression,
    /// Indices of the factors in [`ImpactSettings::variables`], ascending and distinct.
    pub factors: Vec<usize>,
    pub backing: FigureSource,
}

/// The cost and time of one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallPrice {
    /// In the currency of [`ImpactSettings::currency`].
    pub cost: f64,
    pub seconds: f64,
    /// `None` if the file gives no price.
    pub backing: Option<FigureSource>,
}

/// Running costs, which occur whether or not a run fails.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunningCosts {
    /// The price of one search, by embedder index.
    pub search: Vec<CallPrice>,
    /// The price of one call of the reader.
    pub read: CallPrice,
}

/// The names for the end of a run that loss rules can use besides the oracle's outputs. Their indices follow those of
/// all steps.
pub const RUN_END_NAMES: [&str; 4] = ["outcome", "action", "right_action", "miss"];

/// The values of `outcome`: the names of [`crate::RunOutcome`] (a test compares them).
pub const OUTCOMES: [&str; 5] = ["correct", "stopped", "omission", "commission", "wrong_action"];

/// The values of `miss`: the names of [`crate::MissKind`] (a test compares them).
pub const MISS_KINDS: [&str; 8] =
    ["negation", "role_swap", "number", "version", "binding", "attribute", "topic", "empty"];

/// The index of `miss` in [`RUN_END_NAMES`].
const MISS_INDEX: usize = 3;

impl ImpactSettings {
    /// Whether a loss rule uses the kind of miss.
    pub fn uses_miss_kind(&self, steps: usize) -> bool {
        let expressions = self.losses.iter().flat_map(|rule| [&rule.condition, &rule.amount]);
        expressions.flat_map(Expression::step_indices).any(|name| name == steps + MISS_INDEX)
    }
}
