//! Resolves the section `impact`: loss rules, the variables in them, running costs and the yearly volume.

mod figures;
mod loss_rules;
mod settings;
mod volume;

use super::file::ImpactEntry;
use super::resolve::{ScenarioData, ScenarioResolver};
use super::spanned_de::Spanned;
use super::steps::StepDraft;

pub(super) use figures::{MAX_COST, MAX_SECONDS, figure_source};
pub use settings::{
    CallPrice, FigureSource, ImpactSettings, ImpactVariable, LossRule, MISS_KINDS, OUTCOMES,
    RUN_END_NAMES, RunningCosts,
};
pub use volume::DEFAULT_YEARS;
pub(super) use volume::MAX_CASES_PER_YEAR;
use volume::MAX_YEARS;

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
        let losses = self.loss_rules(entry, world, steps, &names);
        let embedders = self.section_keys("embedders");
        let costs = &entry.costs;
        let search = self.price(costs.search.as_ref());
        // The price of all searches holds for every embedder without a price of its own.
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
}
