//! Checks that amounts of money combined by an expression share one currency, and applies `exchange_rates`.
//!
//! Amounts that are compared in size, added up, or used as losses need one currency, or an exchange rate for each other
//! currency. Expressions treat an amount as a bare number, so EUR 149 among amounts in USD would be taken as 149 USD.
//! Amounts that are never combined may differ in currency.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::diagnostics::Diagnostic;
use super::file::ExchangeRatesEntry;
use super::impact::ImpactSettings;
use super::resolve::{ScenarioData, ScenarioResolver};
use super::spanned_de::Spanned;
use super::steps::StepDraft;
use super::{PipelineStep, PipelineStepKind};
use crate::expr::suggest;
use crate::extract::currency;
use crate::value::{MoneyAmount, TypedValue};
use crate::world::Corpus;

/// The section `exchange_rates`: the target currency, and the value of one unit of each other currency in it.
#[derive(Clone, Debug)]
pub struct ExchangeRates {
    into: String,
    rates: BTreeMap<String, f64>,
}

impl ExchangeRates {
    /// Whether amounts in `currency` can be converted.
    fn can_convert(&self, currency: &str) -> bool {
        currency == self.into || self.rates.contains_key(currency)
    }

    /// Converts every amount that has a rate to the target currency, rounded to the hundredth.
    pub(super) fn convert(&self, world: &mut ScenarioData) {
        let tasks = world.tasks.iter_mut().flat_map(|tasks| &mut tasks.tasks);
        let tasks = tasks.flat_map(|task| task.fields.values_mut());
        let passages = world.corpora.iter_mut().flatten().flat_map(|corpus| &mut corpus.passages);
        let facts = passages.flat_map(|passage| passage.facts.values_mut());
        let cells = world.tables.iter_mut().flatten().flat_map(|table| table.cells_mut());
        for value in tasks.chain(facts).chain(cells) {
            self.convert_value(value);
        }
    }

    /// Converts an amount that has a rate.
    pub fn convert_value(&self, value: &mut TypedValue) {
        if let TypedValue::Money(money) = value
            && let Some(rate) = self.rates.get(&money.currency)
        {
            let amount = (money.amount * rate * 100.0).round() / 100.0;
            *money = MoneyAmount { currency: self.into.clone(), amount };
        }
    }
}

/// The first amount found in one currency, among the values that a name can have.
#[derive(Clone)]
struct CurrencyExample {
    currency: String,
    /// Such as `task.fee is EUR 149.00 in task 't3'`.
    shown: String,
}

impl ScenarioResolver<'_> {
    /// Resolves the section `exchange_rates`.
    pub fn exchange_rates(
        &mut self,
        entry: Option<&Spanned<ExchangeRatesEntry>>,
    ) -> Option<ExchangeRates> {
        let Spanned { value: entry, .. } = entry?;
        self.check_currency_code(&entry.into.value, &entry.into.span);
        let mut rates = BTreeMap::new();
        for (code, rate) in &entry.rates.0 {
            self.check_currency_code(&code.value, &code.span);
            if !(rate.value.is_finite() && rate.value > 0.0) {
                let message =
                    format!("one {} cannot be {} {}", code.value, rate.value, entry.into.value);
                self.mistakes.push(
                    Diagnostic::new("out-of-range", rate.span.clone(), message)
                        .label("allowed: more than 0"),
                );
            }
            if code.value == entry.into.value && rate.value != 1.0 {
                let message = format!("one {0} is one {0}", code.value);
                self.mistakes.push(
                    Diagnostic::new("out-of-range", rate.span.clone(), message)
                        .label("give rates only for other currencies"),
                );
            }
            rates.insert(code.value.clone(), rate.value);
        }
        Some(ExchangeRates { into: entry.into.value.clone(), rates })
    }

    /// Reports a code that is not a currency.
    pub fn check_currency_code(&mut self, code: &str, span: &Range<usize>) {
        if currency::is_code(code) {
            return;
        }
        let message = format!("there is no currency `{code}`");
        self.mistakes.push(
            Diagnostic::new("not-allowed", span.clone(), message)
                .label("a code of three capital letters is expected here, such as USD")
                .help(suggest(code, currency::codes())),
        );
    }

    /// Reports expressions that combine amounts in several currencies without a rate.
    pub fn check_currencies(
        &mut self,
        world: &ScenarioData,
        drafts: &[StepDraft],
        impact: Option<&ImpactSettings>,
        rates: Option<&ExchangeRates>,
    ) {
        let mut known: BTreeMap<String, Vec<CurrencyExample>> = BTreeMap::new();
        // Keyed by the set of currencies: one wrong cell of a table can affect many expressions and is reported once.
        let mut met: BTreeMap<Vec<String>, Diagnostic> = BTreeMap::new();
        for together in std::mem::take(&mut self.amounts) {
            let mut examples: Vec<CurrencyExample> = Vec::new();
            for name in source_names(&together.names, drafts) {
                let stated = || self.examples(&name, world, drafts, rates);
                // Scanning the data for a name is slow, so it happens once per name.
                examples.extend_from_slice(known.entry(name.clone()).or_insert_with(stated));
            }
            if let (Some(impact), true) = (impact, together.is_loss && !examples.is_empty()) {
                let shown = format!("losses are in {} (impact.currency)", impact.currency);
                examples.push(CurrencyExample { currency: impact.currency.clone(), shown });
            }
            let mut currencies: Vec<String> = examples.iter().map(|e| e.currency.clone()).collect();
            currencies.sort_unstable();
            currencies.dedup();
            if currencies.len() > 1 {
                let losses = impact.filter(|_| together.is_loss);
                met.entry(currencies.clone()).or_insert_with(|| {
                    // Suggest the target that the file has, else the currency of losses, else the first one found.
                    let into = rates.map(|rates| &rates.into).or(losses.map(|i| &i.currency));
                    mixed_currencies(
                        together.span,
                        &currencies,
                        into.unwrap_or(&currencies[0]),
                        examples,
                    )
                });
            }
        }
        self.mistakes.extend(met.into_values());
    }

    /// The first amount in each currency, after conversion, among the values that a name can have.
    fn examples(
        &self,
        name: &str,
        world: &ScenarioData,
        drafts: &[StepDraft],
        rates: Option<&ExchangeRates>,
    ) -> Vec<CurrencyExample> {
        let mut examples: Vec<CurrencyExample> = Vec::new();
        for (money, place) in self.amounts(name, world, drafts) {
            let currency = match rates.filter(|rates| rates.can_convert(&money.currency)) {
                Some(rates) => rates.into.clone(),
                None => money.currency.clone(),
            };
            if !examples.iter().any(|example| example.currency == currency) {
                examples.push(CurrencyExample {
                    currency,
                    shown: format!("{name} is {money} in {place}"),
                });
            }
        }
        examples
    }

    /// The amounts of money that a name can stand for, each with a description of where it was found.
    fn amounts(
        &self,
        name: &str,
        world: &ScenarioData,
        drafts: &[StepDraft],
    ) -> Vec<(MoneyAmount, String)> {
        let money = |value: &TypedValue, place: String| match value {
            TypedValue::Money(money) => Some((money.clone(), place)),
            _ => None,
        };
        if let Some(field) = name.strip_prefix("task.") {
            let tasks = world.tasks.iter().flat_map(|tasks| &tasks.tasks);
            let found = tasks
                .filter_map(|task| money(task.fields.get(field)?, format!("task '{}'", task.id)));
            return found.collect();
        }
        let draft = drafts.iter().find(|draft| draft.id.value == name);
        match draft.and_then(|draft| draft.resolved.as_ref()) {
            Some(PipelineStep { kind: PipelineStepKind::Read { from, field }, .. }) => {
                let entry = drafts.get(*from).and_then(StepDraft::retrieve_entry);
                let searched = entry.map_or(Vec::new(), |of| self.searched_corpora(of, world));
                let passages = searched.iter().flat_map(|corpus| &corpus.passages);
                let facts = passages.filter_map(|passage| {
                    money(passage.facts.get(field)?, format!("passage '{}'", passage.id))
                });
                // Extracted values join the facts only once the whole file is valid.
                let read = self.extracted(field).filter_map(|(corpus, passage, value)| {
                    let corpus = world.corpora[corpus].as_ref();
                    let is_searched = |c: &&Corpus| searched.iter().any(|of| of.name == c.name);
                    let passage = &corpus.filter(is_searched)?.passages[passage];
                    money(value, format!("the text of passage '{}'", passage.id))
                });
                facts.chain(read).collect()
            }
            Some(PipelineStep { kind: PipelineStepKind::Lookup { table, column, .. }, .. }) => {
                let Some(table) = &world.tables[*table] else { return Vec::new() };
                let cells = table.keyed_column(column).into_iter();
                let name = &table.name;
                cells
                    .filter_map(|(key, cell)| money(cell, format!("the row '{key}' of {name}")))
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Replaces each compute step among `names` by the names it adds up, recursively: the sources of a number.
fn source_names(names: &[String], drafts: &[StepDraft]) -> Vec<String> {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    // A stack, reversed so that names are found in the order of the expression.
    let mut pending: Vec<String> = names.iter().rev().cloned().collect();
    let mut found = Vec::new();
    while let Some(name) = pending.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let draft = drafts.iter().find(|draft| draft.id.value == name);
        match draft.and_then(|draft| draft.resolved.as_ref()) {
            Some(PipelineStep { kind: PipelineStepKind::Compute(expr), .. }) => {
                let plain = expr.plain_name().map(str::to_owned);
                pending.extend(expr.amounts_in_result().iter().cloned().chain(plain));
            }
            _ => found.push(name),
        }
    }
    found
}

/// The diagnostic for an expression that combines several currencies.
fn mixed_currencies(
    span: Range<usize>,
    currencies: &[String],
    into: &str,
    examples: Vec<CurrencyExample>,
) -> Diagnostic {
    let others: Vec<String> =
        currencies.iter().filter(|c| *c != into).map(|c| format!("{c}: RATE")).collect();
    let message = format!(
        "amounts in {} are combined, and there is no exchange rate between them",
        currencies.join(" and ")
    );
    let help =
        format!("give rates: `exchange_rates: {{into: {into}, rates: {{{}}}}}`", others.join(", "));
    let mut mistake = Diagnostic::new("mixed-currencies", span, message)
        .label("an amount is a bare number here")
        .help(Some(help));
    for example in examples {
        mistake = mistake.note(example.shown);
    }
    mistake
}
