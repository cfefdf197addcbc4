//! Resolves the section `impact`: loss rules, the variables in them, running costs and the yearly volume.

use std::collections::BTreeMap;

use super::currencies::CombinedAmounts;
use super::diagnostics::Diagnostic;
use super::file::{self, BackingEntry, ImpactEntry, PriceEntry, VolumeEntry, VolumeKindEntry};
use super::name_values::loss_rule_values;
use super::parameters::ParameterProvenance;
use super::resolve::{ScenarioData, ScenarioResolver};
use super::spanned_de::Spanned;
use super::steps::StepDraft;
use crate::expr::{EvalEnvironment, Expression, ExpressionScope, StepBinding};
use crate::impact::{MAX_AMOUNT, RandomVariable, YearlyVolume};
use crate::value::{TypedValue, ValueType};

/// The default number of sampled years.
pub const DEFAULT_YEARS: u32 = 10_000;
/// The maximum number of sampled years; one number is stored for each.
const MAX_YEARS: f64 = 1e6;
/// The maximum mean number of cases in a year.
pub(super) const MAX_CASES_PER_YEAR: f64 = 1e8;
/// The maximum number of cases in all sampled years. Cases with a loss are drawn one by one, about ten million per
/// second.
const MAX_SAMPLED_CASES: f64 = 1e10;
/// The maximum ratio of a volume's standard deviation to its mean; above it nearly all years would have no case.
const MAX_RELATIVE_SD: f64 = 10.0;
/// The maximum cost of one call, review or search, and its maximum duration in seconds.
pub(super) const MAX_COST: f64 = 1e12;
pub(super) const MAX_SECONDS: f64 = 1e9;

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

/// The index of `miss` in [`END`].
const MISS_INDEX: usize = 3;

impl ImpactSettings {
    /// Whether a loss rule uses the kind of miss.
    pub fn uses_miss_kind(&self, steps: usize) -> bool {
        let expressions = self.losses.iter().flat_map(|rule| [&rule.condition, &rule.amount]);
        expressions.flat_map(Expression::step_indices).any(|name| name == steps + MISS_INDEX)
    }
}

/// The source of a figure; untagged figures count as assumed.
pub(super) fn figure_source(tag: Option<BackingEntry>, source: &Option<String>) -> FigureSource {
    let tag = match tag {
        Some(BackingEntry::Cited) => ParameterProvenance::Cited,
        Some(BackingEntry::Indicative) => ParameterProvenance::Indicative,
        Some(BackingEntry::Assumed) | None => ParameterProvenance::Assumed,
    };
    let source = source.clone().unwrap_or_else(|| "scenario file".to_owned());
    FigureSource { tag, source }
}

impl ScenarioResolver<'_> {
    /// Resolves the section; `None` if it is absent or has a mistake.
    pub fn impact(
        &mut self,
        entry: Option<&Spanned<ImpactEntry>>,
        world: &ScenarioData,
        steps: &[StepDraft],
    ) -> Option<ImpactSettings> {
        let Spanned { value: entry, .. } = entry?;
        let before = self.mistakes.len();
        let volume = self.volume(&entry.volume);
        if let Some(years) = &entry.years {
            let number = Spanned { value: f64::from(years.value), span: years.span.clone() };
            self.check_range("years", &number, 1.0, MAX_YEARS);
        }
        self.check_sampled_cases(entry);
        let names: Vec<String> =
            entry.variables.0.iter().map(|(name, _)| name.value.clone()).collect();
        let mut variables = Vec::new();
        for (name, variable) in &entry.variables.0 {
            self.check_identifier("variable", name);
            variables.extend(self.variable(name, variable));
        }
        let scope = loss_rule_names(steps);
        let values = |name: &str| loss_rule_values(name, steps).or_else(|| world.task_values(name));
        let scope = ExpressionScope {
            task: world.fields.as_ref(),
            passage: false,
            steps: &scope,
            values: &values,
        };
        self.check_distinct("loss rule", entry.losses.value.iter().map(|loss| &loss.value.name));
        if entry.losses.value.is_empty() && !self.has_mistake_in(&entry.losses.span) {
            self.mistakes.push(
                Diagnostic::new("empty-value", entry.losses.span.clone(), "`losses` is empty")
                    .label("at least one loss is expected here"),
            );
        }
        let mut losses = Vec::new();
        for Spanned { value: loss, .. } in &entry.losses.value {
            let condition = self.expr(&loss.condition, &scope, Some(("if", ValueType::YesNo)));
            let text =
                Spanned { value: loss.amount.value.0.clone(), span: loss.amount.span.clone() };
            let amount = self.expr(&text, &scope, None);
            // A loss is in the currency of the section, so it is checked against every amount that it is computed from.
            if let Some(amount) = &amount {
                let plain = amount.plain_name().map(str::to_owned);
                let names = amount.amounts_in_result().iter().cloned().chain(plain).collect();
                let span = text.span.clone();
                self.amounts.push(CombinedAmounts { span, names, is_loss: true });
            }
            if let Some(ty) = amount.as_ref().and_then(Expression::ty)
                && !matches!(ty, ValueType::Number | ValueType::Money)
            {
                let message =
                    format!("`amount` is a number or money; this expression gives a {ty}");
                self.mistakes.push(
                    Diagnostic::new("type-error", text.span.clone(), message)
                        .label("a number or money is expected here"),
                );
            }
            if let Some(amount) = &amount {
                self.check_literal_amount(amount, &text.span);
            }
            let mut times = Vec::new();
            for name in &loss.times {
                if let Some(at) = self.resolve_name("variable", "unknown-variable", name, &names) {
                    if times.contains(&at) {
                        let message = format!("`{}` occurs twice in `times`", name.value);
                        self.mistakes.push(
                            Diagnostic::new("duplicate-id", name.span.clone(), message)
                                .label("a variable multiplies an amount once"),
                        );
                    }
                    times.push(at);
                }
            }
            // A fixed order of multiplication, so that rounding does not depend on the order in the file.
            times.sort_unstable();
            if let (Some(condition), Some(amount)) = (condition, amount) {
                losses.push(LossRule {
                    name: loss.name.value.clone(),
                    condition,
                    amount,
                    factors: times,
                    backing: figure_source(loss.tag, &loss.source),
                });
            }
        }
        let embedders = self.section_keys("embedders");
        let costs = &entry.costs;
        let search = self.price(costs.search.as_ref());
        let mut searches = vec![search; embedders.len()];
        for (name, price) in &costs.embedders.0 {
            let price = self.price(Some(price));
            if let Some(at) = self.resolve_name("embedder", "unknown-embedder", name, &embedders) {
                searches[at] = price;
            }
        }
        let read = self.price(costs.read.as_ref());
        (self.mistakes.len() == before).then_some(())?;
        Some(ImpactSettings {
            currency: entry.currency.as_ref().map_or("USD".to_owned(), |c| c.value.clone()),
            volume: volume?,
            volume_backing: figure_source(entry.volume.value.tag, &entry.volume.value.source),
            years: entry.years.as_ref().map_or(DEFAULT_YEARS, |years| years.value),
            variables,
            losses,
            costs: RunningCosts { search: searches, read },
        })
    }

    /// Reports a number of years and a volume that together would take too long to sample.
    fn check_sampled_cases(&mut self, entry: &ImpactEntry) {
        let mean = &entry.volume.value.mean;
        let years = entry.years.as_ref().map_or(DEFAULT_YEARS, |years| years.value);
        // A mean above the limit is reported separately.
        if mean.value * f64::from(years) <= MAX_SAMPLED_CASES || mean.value > MAX_CASES_PER_YEAR {
            return;
        }
        let message = format!("{years} years of {} cases are too many to sample", mean.value);
        let span = entry.years.as_ref().map_or_else(|| mean.span.clone(), |y| y.span.clone());
        let most = (MAX_SAMPLED_CASES / mean.value).floor();
        self.mistakes.push(
            Diagnostic::new("out-of-range", span, message)
                .label(format!("allowed at this volume: `years` of {most} or less")),
        );
    }

    /// Reports a literal amount outside the range of losses.
    fn check_literal_amount(&mut self, amount: &Expression, span: &std::ops::Range<usize>) {
        let nothing = EvalEnvironment { task: None, passage: None, steps: &[] };
        let value = match amount.is_constant().then(|| amount.eval(&nothing)) {
            Some(Ok(Some(TypedValue::Number(value)))) => value,
            Some(Ok(Some(TypedValue::Money(money)))) => money.amount,
            _ => return,
        };
        if !(0.0..=MAX_AMOUNT).contains(&value) {
            let message = format!("`amount` cannot be {value}");
            self.mistakes.push(
                Diagnostic::new("out-of-range", span.clone(), message)
                    .label(format!("a loss is an amount from 0 to {MAX_AMOUNT:e}")),
            );
        }
    }

    /// Resolves the yearly volume; without `distribution` it is fixed, or negative binomial if `sd` is given.
    fn volume(
        &mut self,
        Spanned { value: entry, span }: &Spanned<VolumeEntry>,
    ) -> Option<YearlyVolume> {
        self.check_range("mean", &entry.mean, 1.0, MAX_CASES_PER_YEAR);
        let mean = entry.mean.value;
        let kind = match (&entry.distribution, &entry.sd) {
            (Some(kind), _) => kind.value,
            (None, Some(_)) => VolumeKindEntry::NegativeBinomial,
            (None, None) => VolumeKindEntry::Fixed,
        };
        match (kind, &entry.sd) {
            (VolumeKindEntry::NegativeBinomial, Some(sd)) => {
                // The variance of a negative binomial distribution exceeds its mean.
                if sd.value * sd.value > mean && sd.value <= MAX_RELATIVE_SD * mean {
                    return Some(YearlyVolume::NegativeBinomial(mean, sd.value));
                }
                let message = format!("`sd` cannot be {}", sd.value);
                self.mistakes.push(Diagnostic::new("out-of-range", sd.span.clone(), message).label(
                    format!(
                        "a negative binomial volume varies more than a Poisson volume; allowed: above {:.1}, at most {}",
                        mean.sqrt(),
                        MAX_RELATIVE_SD * mean
                    ),
                ));
                None
            }
            (VolumeKindEntry::NegativeBinomial, None) => {
                self.mistakes.push(
                    Diagnostic::new("missing-key", span.clone(), "`volume` needs the key `sd`")
                        .label("the standard deviation of a negative binomial volume"),
                );
                None
            }
            (VolumeKindEntry::Fixed | VolumeKindEntry::Poisson, Some(sd)) => {
                self.mistakes.push(
                    Diagnostic::new("setting-unused", sd.span.clone(), "`sd` has no effect here")
                        .label("it belongs to negative_binomial"),
                );
                None
            }
            (VolumeKindEntry::Poisson, None) => Some(YearlyVolume::Poisson(mean)),
            (VolumeKindEntry::Fixed, None) => {
                if mean.fract() != 0.0 {
                    self.mistakes.push(
                        Diagnostic::new(
                            "out-of-range",
                            entry.mean.span.clone(),
                            format!("a fixed volume cannot be {mean}"),
                        )
                        .label("allowed: a whole number"),
                    );
                }
                Some(YearlyVolume::Fixed(mean as u64))
            }
        }
    }

    fn variable(
        &mut self,
        name: &Spanned<String>,
        entry: &file::VariableEntry,
    ) -> Option<ImpactVariable> {
        let given = entry.given();
        let [(kind, parameters)] = given.as_slice() else {
            let claimed: Vec<&str> = given.iter().map(|(kind, _)| *kind).collect();
            let message = match claimed.as_slice() {
                [] => format!("the variable `{}` has no distribution", name.value),
                claimed => {
                    format!(
                        "the variable `{}` has several distributions: {}",
                        name.value,
                        claimed.join(" and ")
                    )
                }
            };
            self.mistakes.push(
                Diagnostic::new("variable-kind", name.span.clone(), message)
                    .label("write one, such as range90: [low, high]"),
            );
            return None;
        };
        match RandomVariable::from_name(kind, &parameters.value)? {
            Ok(variable) => Some(ImpactVariable {
                name: name.value.clone(),
                variable,
                backing: figure_source(entry.tag, &entry.source),
            }),
            Err(problem) => {
                let message = format!("`{kind}` cannot be {:?}", parameters.value);
                self.mistakes.push(
                    Diagnostic::new("out-of-range", parameters.span.clone(), message)
                        .label(problem),
                );
                None
            }
        }
    }

    /// Resolves a price; zero where the file gives none.
    fn price(&mut self, entry: Option<&PriceEntry>) -> CallPrice {
        let Some(entry) = entry else {
            return CallPrice::default();
        };
        for (what, number, most) in
            [("cost", &entry.cost, MAX_COST), ("seconds", &entry.seconds, MAX_SECONDS)]
        {
            if let Some(number) = number {
                self.check_range(what, number, 0.0, most);
            }
        }
        let value = |number: &Option<Spanned<f64>>| number.as_ref().map_or(0.0, |n| n.value);
        CallPrice {
            cost: value(&entry.cost),
            seconds: value(&entry.seconds),
            backing: Some(figure_source(entry.tag, &entry.source)),
        }
    }
}

/// The names that loss rules can use. Step ids stand for the oracle's outputs; the names of [`END`] shadow them.
fn loss_rule_names(steps: &[StepDraft]) -> BTreeMap<String, StepBinding> {
    let name = |(at, draft): (usize, &StepDraft)| {
        let name = match &draft.resolved {
            Some(step) => match (&step.kind, step.output) {
                (super::PipelineStepKind::Retrieve(_), _) => StepBinding::Passages,
                (super::PipelineStepKind::Act { .. }, _) => StepBinding::Action,
                (_, ty) => StepBinding::Output { step: at, ty },
            },
            None => StepBinding::Unknown,
        };
        (draft.id.value.clone(), name)
    };
    let mut names: BTreeMap<String, StepBinding> = steps.iter().enumerate().map(name).collect();
    for (at, end) in RUN_END_NAMES.into_iter().enumerate() {
        let name = StepBinding::Output { step: steps.len() + at, ty: Some(ValueType::Text) };
        names.insert(end.to_owned(), name);
    }
    names
}
