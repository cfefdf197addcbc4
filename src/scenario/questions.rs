//! What a language model is asked at each read step.

use super::currencies::ExchangeRates;
use super::diagnostics::Diagnostic;
use super::file::DurationUnitEntry;
use super::resolve::ScenarioData;
use super::resolve::ScenarioResolver;
use super::step_inputs::phrasings;
use super::steps::StepDraft;
use crate::expr::{EvalEnvironment, ExpressionScope, ParsedTemplate, QueryTemplate};
use crate::extract::ExtractorKind;
use crate::read::{DurationUnit, ParsedAnswer, RawModelAnswer, ReadField};
use crate::value::ValueType;
use crate::world::Task;

/// The question of a read step, and how its answer is parsed.
#[derive(Clone, Debug)]
pub struct ReadQuestion {
    /// The field; its question is that of no task in particular.
    pub field: ReadField,
    /// The question of a task; `None`: that of the field.
    template: Option<QueryTemplate>,
    rates: Option<ExchangeRates>,
}

impl ReadQuestion {
    /// The same with amounts converted at these rates.
    pub(super) fn with_rates(self, rates: Option<&ExchangeRates>) -> ReadQuestion {
        ReadQuestion { rates: rates.cloned(), ..self }
    }

    /// The field with the question of a task.
    pub fn for_task(&self, task: &Task) -> ReadField {
        let mut field = self.field.clone();
        let env = EvalEnvironment { task: Some(task), passage: None, steps: &[] };
        if let Some(question) = self.template.as_ref().and_then(|text| text.render(&env).ok()) {
            field.question = question;
        }
        field
    }

    /// The value in a model's text, in the currency of the scenario.
    pub fn parse_answer(&self, raw: &RawModelAnswer) -> ParsedAnswer {
        let mut answer = self.field.parse_answer(raw);
        if let (ParsedAnswer::Value(value), Some(rates)) = (&mut answer, &self.rates) {
            rates.convert_value(value);
        }
        answer
    }
}

impl ScenarioResolver<'_> {
    /// The questions of all steps, in the order of the steps; `None` for steps that read nothing.
    pub(super) fn questions(
        &mut self,
        steps: &[StepDraft],
        world: &ScenarioData,
    ) -> Vec<Option<ReadQuestion>> {
        steps.iter().map(|draft| self.question(draft, steps, world)).collect()
    }

    fn question(
        &mut self,
        draft: &StepDraft,
        steps: &[StepDraft],
        world: &ScenarioData,
    ) -> Option<ReadQuestion> {
        let entry = draft.read_entry()?;
        let ty = draft.resolved.as_ref()?.output?;
        let none = std::collections::BTreeMap::new();
        let values = |name: &str| world.task_values(name);
        let task = world.fields.as_ref();
        let scope = ExpressionScope { task, passage: false, steps: &none, values: &values };
        let retrieve = steps.iter().find(|step| step.id.value == entry.from.value);
        let template = match &entry.question {
            Some(question) if question.value.trim().is_empty() => {
                let mistake =
                    Diagnostic::new("empty-value", question.span.clone(), "`question` is empty");
                self.mistakes.push(mistake.label("the question that a language model is asked"));
                None
            }
            Some(question) => {
                let before = self.mistakes.len();
                let template = self.template(question, &scope);
                // It must not depend on what earlier steps found, which is wrong in some runs.
                let ids = || steps.iter().map(|step| step.id.value.as_str());
                for mistake in &mut self.mistakes[before..] {
                    if ids().any(|id| mistake.message == format!("nothing is called `{id}`")) {
                        mistake.help = Some(
                            "a question is the same whatever earlier steps found: name only fields of the task"
                                .to_owned(),
                        );
                    }
                }
                template
            }
            None => retrieve.and_then(StepDraft::retrieve_entry).and_then(|retrieve| {
                let (text, _) = phrasings(retrieve).into_iter().next()?;
                ParsedTemplate::new(&text.value).ok()?.check(&scope).ok()
            }),
        };
        let words = entry.field.value.replace(['_', '-'], " ");
        let mut field =
            ReadField::new(entry.field.value.clone(), ty, format!("What is the {words}?"));
        if let Some(extract) = &entry.extract {
            // Its mistakes were reported when the step was resolved, so the list is restored.
            let before = self.mistakes.len();
            if let Some(extractor) = self.extractor(extract, &entry.field.value) {
                field.kind = extractor.kind;
            }
            self.mistakes.truncate(before);
        }
        if let (ValueType::Text, ExtractorKind::Phrases(meanings)) = (ty, &field.kind) {
            for value in meanings.iter().map(|meaning| meaning.value.to_string()) {
                if !field.choices.contains(&value) {
                    field.choices.push(value);
                }
            }
        }
        if let Some(unit) = &entry.unit {
            field.unit = Some(match unit.value {
                DurationUnitEntry::Days => DurationUnit::Days,
                DurationUnitEntry::Weeks => DurationUnit::Weeks,
                DurationUnitEntry::Months => DurationUnit::Months,
                DurationUnitEntry::Years => DurationUnit::Years,
            });
            if ty != ValueType::Duration {
                let message = format!("`{}` is a {ty} and has no unit of time", entry.field.value);
                let mistake = Diagnostic::new("setting-unused", unit.span.clone(), message);
                self.mistakes.push(mistake.label("leave it out"));
            }
        }
        Some(ReadQuestion { field, template, rates: None })
    }
}
