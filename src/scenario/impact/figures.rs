//! Uncertain amounts and prices, with their sources.

use super::super::diagnostics::Diagnostic;
use super::super::file::{BackingEntry, PriceEntry, VariableEntry};
use super::super::parameters::ParameterProvenance;
use super::super::resolve::ScenarioResolver;
use super::super::spanned_de::Spanned;
use super::settings::{CallPrice, FigureSource, ImpactVariable};
use crate::impact::RandomVariable;

/// The maximum cost of one call, review or search, and its maximum duration in seconds.
pub(in crate::scenario) const MAX_COST: f64 = 1e12;
pub(in crate::scenario) const MAX_SECONDS: f64 = 1e9;

/// The source of a figure; untagged figures count as assumed.
pub(in crate::scenario) fn figure_source(
    tag: Option<BackingEntry>,
    source: &Option<String>,
) -> FigureSource {
    let tag = match tag {
        Some(BackingEntry::Cited) => ParameterProvenance::Cited,
        Some(BackingEntry::Indicative) => ParameterProvenance::Indicative,
        Some(BackingEntry::Assumed) | None => ParameterProvenance::Assumed,
    };
    let source = source.clone().unwrap_or_else(|| "scenario file".to_owned());
    FigureSource { tag, source }
}

impl ScenarioResolver<'_> {
    /// Resolves a variable, which has exactly one distribution.
    pub(super) fn variable(
        &mut self,
        name: &Spanned<String>,
        entry: &VariableEntry,
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
    pub(super) fn price(&mut self, entry: Option<&PriceEntry>) -> CallPrice {
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
