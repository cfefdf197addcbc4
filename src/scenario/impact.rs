//! Resolves the section `impact`: loss rules, the variables in them, running costs and the yearly volume.

use std::collections::BTreeMap;

use super::currencies::AmountsTogether;
use super::de::At;
use super::diagnostics::Diagnostic;
use super::name_values::values_at_the_end;
use super::resolve::{Resolver, World};
use super::steps::Draft;
use super::written::{self, Backing, ImpactEntry, PriceEntry, VolumeEntry, VolumeKind};
use crate::expr::{Env, Expr, Name, Scope};
use crate::impact::{MOST, Variable, Volume};
use crate::value::{Type, Value};

/// The default number of sampled years.
pub const YEARS: u32 = 10_000;
/// The maximum number of sampled years; one number is stored for each.
const MOST_YEARS: f64 = 1e6;
/// The maximum mean number of cases in a year.
pub(super) const MOST_CASES: f64 = 1e8;
/// The maximum number of cases in all sampled years. Cases with a loss are drawn one by one, about ten million per
/// second.
const MOST_SAMPLED: f64 = 1e10;
/// The maximum ratio of a volume's standard deviation to its mean; above it nearly all years would have no case.
const MOST_SPREAD: f64 = 10.0;
/// The maximum cost of one call, review or search, and its maximum duration in seconds.
pub(super) const MOST_COST: f64 = 1e12;
pub(super) const MOST_TIME: f64 = 1e9;

/// What failures cost, and how many cases a year has.
#[derive(Debug)]
pub struct Impact {
    pub currency: String,
    pub volume: Volume,
    pub volume_backing: Backed,
    pub years: u32,
    /// Uncertain amounts and factors that losses are multiplied by.
    pub variables: Vec<NamedVariable>,
    pub losses: Vec<LossRule>,
    /// Running costs.
    pub costs: Costs,
}

/// Where a figure comes from, and how good the source is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backed {
    /// `cited`, `indicative` or `assumed`.
    pub tag: &'static str,
    pub source: String,
}

/// A variable of the section `impact`.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedVariable {
    pub name: String,
    pub variable: Variable,
    pub backing: Backed,
}

/// A loss that applies to some runs.
#[derive(Debug)]
pub struct LossRule {
    pub name: String,
    /// An expression over the task, the oracle's outputs and the names of [`END`]; `amount` has the same scope.
    pub condition: Expr,
    pub amount: Expr,
    /// Indices of the factors in [`Impact::variables`], ascending and distinct.
    pub times: Vec<usize>,
    pub backing: Backed,
}

/// The cost and time of one call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Price {
    /// In the currency of [`Impact::currency`].
    pub cost: f64,
    pub seconds: f64,
    /// `None` if the file gives no price.
    pub backing: Option<Backed>,
}

/// Running costs, which occur whether or not a run fails.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Costs {
    /// The price of one search, by embedder index.
    pub search: Vec<Price>,
    /// The price of one call of the reader.
    pub read: Price,
}

/// The names for the end of a run that loss rules can use besides the oracle's outputs. Their indices follow those of
/// all steps.
pub const END: [&str; 4] = ["outcome", "action", "right_action", "miss"];

/// The values of `outcome`: the names of [`crate::Outcome`] (a test compares them).
pub const OUTCOMES: [&str; 5] = ["correct", "stopped", "omission", "commission", "wrong_action"];

/// The values of `miss`: the names of [`crate::MissKind`] (a test compares them).
pub const MISS_KINDS: [&str; 8] =
    ["negation", "role_swap", "number", "version", "binding", "attribute", "topic", "empty"];

/// The index of `miss` in [`END`].
const MISS: usize = 3;

impl Impact {
    /// Whether a loss rule uses the kind of miss.
    pub fn asks_for_miss(&self, steps: usize) -> bool {
        let expressions = self.losses.iter().flat_map(|rule| [&rule.condition, &rule.amount]);
        expressions.flat_map(Expr::steps).any(|name| name == steps + MISS)
    }
}

/// The source of a figure; untagged figures count as assumed.
pub(super) fn backed(tag: Option<Backing>, source: &Option<String>) -> Backed {
    let tag = match tag {
        Some(Backing::Cited) => "cited",
        Some(Backing::Indicative) => "indicative",
        Some(Backing::Assumed) | None => "assumed",
    };
    let source = source.clone().unwrap_or_else(|| "scenario file".to_owned());
    Backed { tag, source }
}

impl Resolver<'_> {
    /// Resolves the section; `None` if it is absent or has a mistake.
    pub fn impact(
        &mut self,
        entry: Option<&At<ImpactEntry>>,
        world: &World,
        steps: &[Draft],
    ) -> Option<Impact> {
        let At { value: entry, .. } = entry?;
        let before = self.found.len();
        let volume = self.volume(&entry.volume);
        if let Some(years) = &entry.years {
            let number = At { value: f64::from(years.value), span: years.span.clone() };
            self.within("years", &number, 1.0, MOST_YEARS);
        }
        self.sampled_cases(entry);
        let names: Vec<String> =
            entry.variables.0.iter().map(|(name, _)| name.value.clone()).collect();
        let mut variables = Vec::new();
        for (name, variable) in &entry.variables.0 {
            self.identifier("variable", name);
            variables.extend(self.variable(name, variable));
        }
        let scope = names_at_the_end(steps);
        let values =
            |name: &str| values_at_the_end(name, steps).or_else(|| world.task_values(name));
        let scope =
            Scope { task: world.fields.as_ref(), passage: false, steps: &scope, values: &values };
        self.distinct("loss rule", entry.losses.value.iter().map(|loss| &loss.value.name));
        if entry.losses.value.is_empty() && !self.spoilt(&entry.losses.span) {
            self.found.push(
                Diagnostic::new("empty-value", entry.losses.span.clone(), "`losses` is empty")
                    .label("at least one loss goes here"),
            );
        }
        let mut losses = Vec::new();
        for At { value: loss, .. } in &entry.losses.value {
            let condition = self.expr(&loss.condition, &scope, Some(("if", Type::YesNo)));
            let text = At { value: loss.amount.value.0.clone(), span: loss.amount.span.clone() };
            let amount = self.expr(&text, &scope, None);
            // A loss is in the currency of the section, so it is checked against every amount that it is computed from.
            if let Some(amount) = &amount {
                let plain = amount.plain_name().map(str::to_owned);
                let names = amount.summed_amounts().iter().cloned().chain(plain).collect();
                let span = text.span.clone();
                self.amounts.push(AmountsTogether { span, names, are_loss: true });
            }
            if let Some(ty) = amount.as_ref().and_then(Expr::ty)
                && !matches!(ty, Type::Number | Type::Money)
            {
                let message =
                    format!("`amount` is a number or money; this expression gives a {ty}");
                self.found.push(
                    Diagnostic::new("type-error", text.span.clone(), message)
                        .label("a number or money goes here"),
                );
            }
            if let Some(amount) = &amount {
                self.literal(amount, &text.span);
            }
            let mut times = Vec::new();
            for name in &loss.times {
                if let Some(at) = self.refer("variable", "unknown-variable", name, &names) {
                    if times.contains(&at) {
                        let message = format!("`{}` stands twice in `times`", name.value);
                        self.found.push(
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
                    times,
                    backing: backed(loss.tag, &loss.source),
                });
            }
        }
        let embedders = self.keys("embedders");
        let costs = &entry.costs;
        let search = self.price(costs.search.as_ref());
        let mut searches = vec![search; embedders.len()];
        for (name, price) in &costs.embedders.0 {
            let price = self.price(Some(price));
            if let Some(at) = self.refer("embedder", "unknown-embedder", name, &embedders) {
                searches[at] = price;
            }
        }
        let read = self.price(costs.read.as_ref());
        (self.found.len() == before).then_some(())?;
        Some(Impact {
            currency: entry.currency.as_ref().map_or("USD".to_owned(), |c| c.value.clone()),
            volume: volume?,
            volume_backing: backed(entry.volume.value.tag, &entry.volume.value.source),
            years: entry.years.as_ref().map_or(YEARS, |years| years.value),
            variables,
            losses,
            costs: Costs { search: searches, read },
        })
    }

    /// Reports a number of years and a volume that together would take too long to sample.
    fn sampled_cases(&mut self, entry: &ImpactEntry) {
        let mean = &entry.volume.value.mean;
        let years = entry.years.as_ref().map_or(YEARS, |years| years.value);
        // A mean above the limit is reported separately.
        if mean.value * f64::from(years) <= MOST_SAMPLED || mean.value > MOST_CASES {
            return;
        }
        let message = format!("{years} years of {} cases are too many to sample", mean.value);
        let span = entry.years.as_ref().map_or_else(|| mean.span.clone(), |y| y.span.clone());
        let most = (MOST_SAMPLED / mean.value).floor();
        self.found.push(
            Diagnostic::new("out-of-range", span, message)
                .label(format!("allowed at this volume: `years` of {most} or less")),
        );
    }

    /// Reports a literal amount outside the range of losses.
    fn literal(&mut self, amount: &Expr, span: &std::ops::Range<usize>) {
        let nothing = Env { task: None, passage: None, steps: &[] };
        let value = match amount.is_constant().then(|| amount.eval(&nothing)) {
            Some(Ok(Some(Value::Number(value)))) => value,
            Some(Ok(Some(Value::Money(money)))) => money.amount,
            _ => return,
        };
        if !(0.0..=MOST).contains(&value) {
            let message = format!("`amount` cannot be {value}");
            self.found.push(
                Diagnostic::new("out-of-range", span.clone(), message)
                    .label(format!("a loss is an amount from 0 to {MOST:e}")),
            );
        }
    }

    /// Resolves the yearly volume; without `distribution` it is fixed, or negative binomial if `sd` is given.
    fn volume(&mut self, At { value: entry, span }: &At<VolumeEntry>) -> Option<Volume> {
        self.within("mean", &entry.mean, 1.0, MOST_CASES);
        let mean = entry.mean.value;
        let kind = match (&entry.distribution, &entry.sd) {
            (Some(kind), _) => kind.value,
            (None, Some(_)) => VolumeKind::NegativeBinomial,
            (None, None) => VolumeKind::Fixed,
        };
        match (kind, &entry.sd) {
            (VolumeKind::NegativeBinomial, Some(sd)) => {
                // The variance of a negative binomial distribution exceeds its mean.
                if sd.value * sd.value > mean && sd.value <= MOST_SPREAD * mean {
                    return Some(Volume::NegativeBinomial(mean, sd.value));
                }
                let message = format!("`sd` cannot be {}", sd.value);
                self.found.push(Diagnostic::new("out-of-range", sd.span.clone(), message).label(
                    format!(
                        "a negative binomial volume varies more than a Poisson one: above {:.1}, and at most {}",
                        mean.sqrt(),
                        MOST_SPREAD * mean
                    ),
                ));
                None
            }
            (VolumeKind::NegativeBinomial, None) => {
                self.found.push(
                    Diagnostic::new("missing-key", span.clone(), "`volume` needs the key `sd`")
                        .label("the standard deviation of a negative binomial volume"),
                );
                None
            }
            (VolumeKind::Fixed | VolumeKind::Poisson, Some(sd)) => {
                self.found.push(
                    Diagnostic::new("setting-unused", sd.span.clone(), "`sd` has no use here")
                        .label("it belongs to negative_binomial"),
                );
                None
            }
            (VolumeKind::Poisson, None) => Some(Volume::Poisson(mean)),
            (VolumeKind::Fixed, None) => {
                if mean.fract() != 0.0 {
                    self.found.push(
                        Diagnostic::new(
                            "out-of-range",
                            entry.mean.span.clone(),
                            format!("a fixed volume cannot be {mean}"),
                        )
                        .label("allowed: a whole number"),
                    );
                }
                Some(Volume::Fixed(mean as u64))
            }
        }
    }

    fn variable(
        &mut self,
        name: &At<String>,
        entry: &written::VariableEntry,
    ) -> Option<NamedVariable> {
        let given = entry.given();
        let [(kind, parameters)] = given.as_slice() else {
            let claimed: Vec<&str> = given.iter().map(|(kind, _)| *kind).collect();
            let message = match claimed.as_slice() {
                [] => format!("the variable `{}` has no distribution", name.value),
                claimed => {
                    format!("the variable `{}` is {} at once", name.value, claimed.join(" and "))
                }
            };
            self.found.push(
                Diagnostic::new("variable-kind", name.span.clone(), message)
                    .label("write one, such as range90: [low, high]"),
            );
            return None;
        };
        match Variable::named(kind, &parameters.value)? {
            Ok(variable) => Some(NamedVariable {
                name: name.value.clone(),
                variable,
                backing: backed(entry.tag, &entry.source),
            }),
            Err(problem) => {
                let message = format!("`{kind}` cannot be {:?}", parameters.value);
                self.found.push(
                    Diagnostic::new("out-of-range", parameters.span.clone(), message)
                        .label(problem),
                );
                None
            }
        }
    }

    /// Resolves a price; zero where the file gives none.
    fn price(&mut self, entry: Option<&PriceEntry>) -> Price {
        let Some(entry) = entry else {
            return Price::default();
        };
        for (what, number, most) in
            [("cost", &entry.cost, MOST_COST), ("seconds", &entry.seconds, MOST_TIME)]
        {
            if let Some(number) = number {
                self.within(what, number, 0.0, most);
            }
        }
        let value = |number: &Option<At<f64>>| number.as_ref().map_or(0.0, |n| n.value);
        Price {
            cost: value(&entry.cost),
            seconds: value(&entry.seconds),
            backing: Some(backed(entry.tag, &entry.source)),
        }
    }
}

/// The names that loss rules can use. Step ids stand for the oracle's outputs; the names of [`END`] shadow them.
fn names_at_the_end(steps: &[Draft]) -> BTreeMap<String, Name> {
    let name = |(at, draft): (usize, &Draft)| {
        let name = match &draft.resolved {
            Some(step) => match (&step.kind, step.output) {
                (super::StepKind::Retrieve(_), _) => Name::Passages,
                (super::StepKind::Act { .. }, _) => Name::Action,
                (_, ty) => Name::Output { step: at, ty },
            },
            None => Name::Unknown,
        };
        (draft.id.value.clone(), name)
    };
    let mut names: BTreeMap<String, Name> = steps.iter().enumerate().map(name).collect();
    for (at, end) in END.into_iter().enumerate() {
        let name = Name::Output { step: steps.len() + at, ty: Some(Type::Text) };
        names.insert(end.to_owned(), name);
    }
    names
}
