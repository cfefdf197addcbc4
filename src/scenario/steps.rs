//! Resolves steps: their dependencies, their topological order, and each step in that order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::diagnostics::Diagnostic;
use super::file::{self, ReadEntry, RetrieveEntry, ScenarioFile, StepEntry};
use super::guards::{GuardedStep, RetryEntry};
use super::name_values::StepTextValues;
use super::node::YamlNode;
use super::resolve::{ScenarioData, ScenarioResolver};
use super::spanned_de::Spanned;
use super::{MissingInputPolicy, PipelineStep, PipelineStepKind};
use crate::expr::{ExpressionScope, NameValues, StepBinding};
use crate::graph;
use crate::value::ValueType;

/// A step as written, with what was resolved from it.
pub(super) struct StepDraft {
    pub id: Spanned<String>,
    pub span: Range<usize>,
    entry: StepEntry,
    /// `None` if it has a mistake.
    pub resolved: Option<PipelineStep>,
    /// The texts that it can output; `None` if any text is possible.
    pub values: Option<NameValues>,
    /// The labels of its rules, including wrong rules; `None` if a rule was removed.
    pub labels: Option<BTreeSet<String>>,
}

impl StepDraft {
    /// The settings of a retrieve step.
    pub fn retrieve_entry(&self) -> Option<&RetrieveEntry> {
        self.entry.retrieve.as_ref().map(|at| &at.value)
    }

    /// The settings of a read step.
    pub fn read_entry(&self) -> Option<&ReadEntry> {
        self.entry.read.as_ref().map(|at| &at.value)
    }

    /// The span of the expression of a compute step; of the whole step for other kinds.
    pub fn compute_span(&self) -> Range<usize> {
        self.entry.compute.as_ref().map_or(self.span.clone(), |compute| compute.span.clone())
    }

    /// Whether it is a retrieve step with an `entity`.
    pub fn has_entity(&self) -> bool {
        self.retrieve_entry().is_some_and(|retrieve| retrieve.entity.is_some())
    }

    /// Whether it has guards.
    pub fn has_guards(&self) -> bool {
        self.entry.guard.as_ref().is_some_and(|guards| !guards.value.is_empty())
    }

    /// Whether its guards are on, if the step says so itself.
    pub fn guarded_entry(&self) -> Option<&Spanned<bool>> {
        self.entry.guarded.as_ref()
    }

    /// The retries of its guards that repeat the search of the step `retrieve`.
    pub fn retries_of(&self, retrieve: &str) -> impl Iterator<Item = &RetryEntry> {
        let read = self.entry.read.as_ref().map(|read| read.value.from.value.as_str());
        let searched = read.unwrap_or(self.id.value.as_str());
        let guards = self.entry.guard.as_ref().filter(|_| searched == retrieve);
        let guards = guards.into_iter().flat_map(|guards| &guards.value);
        let retries = guards.filter_map(|guard| guard.value.retry.as_ref());
        retries.flat_map(|retries| &retries.value).map(|retry| &retry.value)
    }

    /// The field that a read step reads.
    pub fn field_read(&self) -> Option<&str> {
        self.entry.read.as_ref().map(|read| read.value.field.value.as_str())
    }

    /// Whether it is an act step.
    pub fn is_act(&self) -> bool {
        self.entry.act.is_some()
    }

    /// Whether it is known to be of a kind other than retrieve. False for a step whose kind was removed.
    pub fn is_not_retrieve(&self) -> bool {
        self.entry.retrieve.is_none() && !self.entry.kinds().is_empty()
    }
}

/// The names of all steps, the possible texts of earlier steps, and those of the step itself.
struct StepNameContext<'a> {
    names: &'a BTreeMap<String, StepBinding>,
    values: &'a StepTextValues,
    own: Option<&'a NameValues>,
}

impl ScenarioResolver<'_> {
    /// Resolves all steps and returns them in topological order.
    pub fn steps(&mut self, file: &ScenarioFile, world: &ScenarioData) -> Vec<StepDraft> {
        let entries = file.steps.as_deref().unwrap_or_default();
        self.check_not_empty("steps", "step", file.steps.as_ref().map(Vec::is_empty));
        self.check_distinct("step", entries.iter().map(|entry| &entry.value.id));
        for entry in entries {
            self.check_identifier("step", &entry.value.id);
        }
        self.check_has_action(file);
        let position = |name: &str| entries.iter().position(|e| e.value.id.value == name);
        let places = |names: BTreeSet<String>| -> BTreeSet<usize> {
            names.iter().filter_map(|name| position(name)).collect()
        };
        let needs: Vec<BTreeSet<usize>> =
            entries.iter().map(|entry| places(entry.value.input_names())).collect();
        let parents: Vec<Vec<usize>> = entries
            .iter()
            .zip(&needs)
            .map(|(entry, own)| {
                let mut all = own.clone();
                all.extend(places(entry.value.guard_input_names()));
                // A repeated search renders the query again, so it needs all inputs of the retrieve step.
                let again = entry.value.retried_search().and_then(position);
                all.extend(again.iter().flat_map(|&from| &needs[from]));
                all.into_iter().collect()
            })
            .collect();
        let order = graph::narrow_order(&parents);
        for cycle in &order.cycles {
            self.report_cycle(cycle.iter().map(|i| &entries[*i].value.id).collect());
        }
        let mut new_index = vec![0; entries.len()];
        for (new, old) in order.sorted.iter().enumerate() {
            new_index[*old] = new;
        }
        // All ids are known from the start: in a cycle a step is used before it is resolved.
        let mut names = self.names_of_steps();
        let mut values = StepTextValues::new();
        let mut drafts: Vec<StepDraft> = Vec::new();
        for &old in &order.sorted {
            let Spanned { value: entry, span } = &entries[old];
            let before = self.mistakes.len();
            let own = self.step_values(entry, world, &values, &drafts);
            let known = StepNameContext { names: &names, values: &values, own: own.as_ref() };
            let step = self.step(entry, span, world, &known, &drafts);
            // A step with a mistake is not resolved, so that later steps report no consequences of it.
            let mut step = step.filter(|_| self.mistakes.len() == before);
            if let Some(step) = &mut step {
                let renumbered = |positions: &mut dyn Iterator<Item = &usize>| {
                    positions.map(|p| new_index[*p]).collect::<BTreeSet<_>>().into_iter().collect()
                };
                // Dependencies were found by position in the file; a scenario numbers steps in topological order.
                step.parents = renumbered(&mut parents[old].iter());
                step.required_parents = renumbered(&mut needs[old].iter());
            }
            let name = match (entry.kinds().as_slice(), &step) {
                ([("retrieve", _)], _) => StepBinding::Passages,
                ([("act", _)], _) => StepBinding::Action,
                // Without a known type, as for an expression that is always null, its uses are not checked.
                (_, Some(PipelineStep { output: ty, .. })) => {
                    StepBinding::Output { step: new_index[old], ty: *ty }
                }
                _ => StepBinding::Unknown,
            };
            names.insert(entry.id.value.clone(), name);
            let labels = self.labels(entry);
            values.extend(own.clone().map(|own| (entry.id.value.clone(), own)));
            drafts.push(StepDraft {
                id: entry.id.clone(),
                span: span.clone(),
                entry: entry.clone(),
                resolved: step,
                values: own,
                labels,
            });
        }
        drafts
    }

    /// The labels of an act step; `None` if a rule was removed, since its label is unknown.
    fn labels(&self, entry: &StepEntry) -> Option<BTreeSet<String>> {
        let rules = &entry.act.as_ref()?.value;
        let steps = self.tree.get("steps").map_or(&[][..], |steps| steps.items());
        let named =
            |step: &&YamlNode| step.get("id").and_then(YamlNode::text) == Some(&entry.id.value);
        let written = steps.iter().find(named)?.get("act")?.items().len();
        (written == rules.len())
            .then(|| rules.iter().map(|rule| rule.value.action.value.clone()).collect())
    }

    /// The kind of name of each step as far as its keys show it, including steps that were removed.
    fn names_of_steps(&self) -> BTreeMap<String, StepBinding> {
        let steps = self.tree.get("steps").map_or(&[][..], |steps| steps.items());
        let named = steps.iter().filter_map(|step| {
            let name = if step.get("retrieve").is_some() {
                StepBinding::Passages
            } else if step.get("act").is_some() {
                StepBinding::Action
            } else {
                StepBinding::Unknown
            };
            Some((step.get("id")?.text()?.to_owned(), name))
        });
        named.collect()
    }

    /// Reports a pipeline without an act step.
    fn check_has_action(&mut self, file: &ScenarioFile) {
        let raw = self.tree.get("steps");
        let acts = raw.is_some_and(|s| s.items().iter().any(|step| step.get("act").is_some()));
        let steps = file.steps.as_deref().unwrap_or_default();
        let spoilt = raw.is_none_or(|s| self.has_mistake_in(&s.span));
        if acts || steps.is_empty() || spoilt {
            return;
        }
        let entries = self.tree.entries().iter();
        let key = entries.map(|(key, _)| key).find(|key| key.name == "steps");
        let span = key.map_or(0..0, |key| key.span.clone());
        self.mistakes.push(
            Diagnostic::new("no-action", span, "no step takes an action").label(
                "add a step with `act`: knockon judges runs by the action that they end with",
            ),
        );
    }

    /// Reports steps that depend on each other in a cycle.
    fn report_cycle(&mut self, ids: Vec<&Spanned<String>>) {
        let Some(first) = ids.first() else {
            return;
        };
        let names: Vec<&str> = ids.iter().chain([first]).map(|id| id.value.as_str()).collect();
        let message = format!("the steps depend on each other in a cycle: {}", names.join(" -> "));
        let mut diagnostic =
            Diagnostic::new("cycle", first.span.clone(), message).label(match names.as_slice() {
                [_, _] => "this step needs its own output".to_owned(),
                [.., last, first] => format!("`{first}` needs the output of `{last}`"),
                _ => String::new(),
            });
        for pair in ids.windows(2) {
            let label = format!("`{}` needs the output of `{}`", pair[1].value, pair[0].value);
            diagnostic = diagnostic.also(pair[1].span.clone(), label);
        }
        self.mistakes.push(diagnostic);
    }

    /// Resolves one step; `None` if it has a mistake.
    fn step(
        &mut self,
        entry: &StepEntry,
        span: &Range<usize>,
        world: &ScenarioData,
        known: &StepNameContext,
        earlier: &[StepDraft],
    ) -> Option<PipelineStep> {
        let StepNameContext { names, values, own } = *known;
        let values = |name: &str| {
            let own = own.filter(|_| name == entry.id.value);
            own.or_else(|| values.get(name)).cloned().or_else(|| world.task_values(name))
        };
        let scope = ExpressionScope {
            task: world.fields.as_ref(),
            passage: false,
            steps: names,
            values: &values,
        };
        let kinds = entry.kinds();
        if kinds.len() > 1 || (kinds.is_empty() && !self.has_mistake_in(span)) {
            let claimed: Vec<&str> = kinds.iter().map(|(kind, _)| *kind).collect();
            let message = match claimed.as_slice() {
                [] => format!("the step `{}` does nothing", entry.id.value),
                claimed => {
                    format!(
                        "the step `{}` has several kinds: {}",
                        entry.id.value,
                        claimed.join(" and ")
                    )
                }
            };
            self.mistakes.push(
                Diagnostic::new("step-kind", entry.id.span.clone(), message)
                    .label("a step has exactly one of retrieve, read, lookup, compute, act"),
            );
        }
        if let (Some(hold), None) = (&entry.hold, &entry.act)
            && !self.has_mistake_in(span)
        {
            let message = "`hold` belongs to an act step";
            self.mistakes.push(
                Diagnostic::new("setting-unused", hold.span.clone(), message)
                    .label("it lists the actions that mean doing nothing"),
            );
        }
        let when = entry
            .when
            .as_ref()
            .map(|when| self.expr(when, &scope, Some(("when", ValueType::YesNo))));
        let (kind, output) = match kinds.as_slice() {
            [("retrieve", _)] => {
                let retrieve =
                    self.retrieve(&entry.retrieve.as_ref()?.value, &entry.id, world, &scope);
                (PipelineStepKind::Retrieve(retrieve?), None)
            }
            [("read", _)] => {
                let (kind, ty) =
                    self.read_step(&entry.read.as_ref()?.value, world, names, earlier)?;
                (kind, Some(ty))
            }
            [("lookup", _)] => {
                let (kind, ty) = self.lookup(&entry.lookup.as_ref()?.value, world, &scope)?;
                (kind, Some(ty))
            }
            [("compute", _)] => {
                let expr = self.expr(entry.compute.as_ref()?, &scope, None)?;
                let ty = expr.ty()?;
                (PipelineStepKind::Compute(expr), Some(ty))
            }
            [("act", _)] => {
                let act = entry.act.as_ref()?;
                (self.act(&entry.id, act, entry.hold.as_ref(), &scope)?, None)
            }
            _ => return None,
        };
        let when = match when {
            None => None,
            Some(when) => Some(when?),
        };
        let guarded = GuardedStep { entry, index: earlier.len(), kind: &kind, output };
        let guards = self.guards(&guarded, &scope, earlier)?;
        let on_missing = match entry.on_missing {
            None | Some(file::OnMissingEntry::Stop) => MissingInputPolicy::Stop,
            Some(file::OnMissingEntry::Continue) => MissingInputPolicy::Continue,
        };
        Some(PipelineStep {
            id: entry.id.value.clone(),
            kind,
            parents: Vec::new(),
            required_parents: Vec::new(),
            when,
            on_missing,
            guards,
            output,
        })
    }
}
