//! Resolves guards: checks on a step's output, and the retries and escalations that follow an alarm.

use std::collections::BTreeMap;

use super::diagnostics::Diagnostic;
use super::file::{EscalateEntry, GuardEntry, QueryEntry, RetryEntry, StepEntry, VerifierEntry};
use super::impact::{MAX_COST, MAX_SECONDS};
use super::resolve::ScenarioResolver;
use super::spanned_de::{NamedEntries, Spanned};
use super::step_kinds::normalise_weights;
use super::steps::StepDraft;
use super::{PipelineStepKind, QueryPhrasing};
use crate::expr::{Expression, ExpressionScope, StepBinding, suggest};
use crate::value::ValueType;

/// A check on a step's output, and what happens when it fails.
#[derive(Debug)]
pub struct StepGuard {
    /// The check that raises the alarm.
    pub check: GuardCheck,
    /// Further attempts, in order: each alarm of this guard uses the next one.
    pub retries: Vec<GuardRetry>,
    /// Who decides when no retry is left; `None`: the run stops.
    pub escalate: Option<GuardEscalation>,
}

/// The condition that a guard checks.
#[derive(Debug)]
pub enum GuardCheck {
    /// An expression over the task, earlier steps and the step's own output. The check fails if it is false, and
    /// raises no alarm if it has no value.
    Expr(Expression),
    /// The step with this index has the same output. Raises no alarm if either output is missing.
    AgreesWith(usize),
    /// The step has an output; for a retrieve step, a passage was found.
    Present,
    /// The best passage scores at least this, by embedder, since embedders differ in scale. Rankings of an embedder
    /// that is not listed are not checked.
    Score(BTreeMap<usize, f64>),
    /// The best passage scores at least this much above the next one, by embedder.
    Margin(BTreeMap<usize, f64>),
    /// The passage belongs to this entity: the best one found, or the one that a value was read from.
    SameEntity(Expression),
    /// A second model: this embedder gives the query and the best passage a score of at least `least`.
    ScoringVerifier { embedder: usize, min_score: f64, effort: GuardEffort },
    /// A verifier that is described by its rates alone.
    RatedVerifier { rates: GuardErrorRates, effort: GuardEffort },
    /// A person who reviews every output.
    Reviewer { rates: GuardErrorRates, effort: GuardEffort },
}

impl GuardCheck {
    /// The embedder that scores passages for this check.
    pub fn embedder(&self) -> Option<usize> {
        match self {
            GuardCheck::ScoringVerifier { embedder, .. } => Some(*embedder),
            _ => None,
        }
    }

    /// The key in the scenario file.
    pub fn name(&self) -> &'static str {
        match self {
            GuardCheck::Expr(_) => "check",
            GuardCheck::AgreesWith(_) => "agrees_with",
            GuardCheck::Present => "present",
            GuardCheck::Score(_) => "score",
            GuardCheck::Margin(_) => "margin",
            GuardCheck::SameEntity(_) => "same_entity",
            GuardCheck::ScoringVerifier { .. } | GuardCheck::RatedVerifier { .. } => "verifier",
            GuardCheck::Reviewer { .. } => "reviewer",
        }
    }
}

/// The error rates of a check. `None`: the default, which has a cited source.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GuardErrorRates {
    /// P(alarm) on a wrong output.
    pub catch_rate: Option<f64>,
    /// P(alarm) on a right output.
    pub false_alarm_rate: Option<f64>,
}

/// The cost and time of one use of a check. `None`: the default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GuardEffort {
    /// In US dollars.
    pub cost: Option<f64>,
    pub seconds: Option<f64>,
}

/// A person who decides on outputs that a guard has flagged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GuardEscalation {
    /// P(the output is right afterwards); otherwise the flagged output is used unchanged.
    pub accuracy: Option<f64>,
    pub effort: GuardEffort,
}

/// One further attempt: the step with some settings changed.
#[derive(Debug)]
pub struct GuardRetry {
    /// Index into [`super::Scenario::embedders`].
    pub embedder: Option<usize>,
    pub top_k: Option<usize>,
    pub entity_filter: Option<bool>,
    /// Other phrasings; empty: the step's own.
    pub queries: Vec<QueryPhrasing>,
}

impl GuardRetry {
    /// For a read step: whether it searches again before reading.
    pub fn searches(&self) -> bool {
        self.embedder.is_some()
            || self.top_k.is_some()
            || self.entity_filter.is_some()
            || !self.queries.is_empty()
    }
}

/// The step whose guards are being resolved.
pub(super) struct GuardedStep<'a> {
    pub entry: &'a StepEntry,
    /// The step's index.
    pub index: usize,
    pub kind: &'a PipelineStepKind,
    pub output: Option<ValueType>,
}

/// A check that an entry gives: its key, its span, and whether the step's kind supports it.
type GivenGuardCheck<'a> = (&'static str, &'a std::ops::Range<usize>, bool);

impl GuardEntry {
    /// The checks that the entry gives; a valid entry has exactly one.
    fn given_checks(&self, step: &GuardedStep) -> Vec<GivenGuardCheck<'_>> {
        let value = step.output.is_some();
        let retrieve = matches!(step.kind, PipelineStepKind::Retrieve(_));
        let passages = retrieve || matches!(step.kind, PipelineStepKind::Read { .. });
        let claims = [
            ("check", self.check.as_ref().map(|at| &at.span), value),
            ("agrees_with", self.agrees_with.as_ref().map(|at| &at.span), value),
            ("present", self.present.as_ref().map(|at| &at.span), true),
            ("score", self.score.as_ref().map(|at| &at.span), retrieve),
            ("margin", self.margin.as_ref().map(|at| &at.span), retrieve),
            ("same_entity", self.same_entity.as_ref().map(|at| &at.span), passages),
            ("verifier", self.verifier.as_ref().map(|at| &at.span), true),
            ("reviewer", self.reviewer.as_ref().map(|at| &at.span), true),
        ];
        claims.into_iter().filter_map(|(key, span, fits)| Some((key, span?, fits))).collect()
    }
}

impl ScenarioResolver<'_> {
    /// The guards of a step; `None` after reporting all mistakes in them.
    pub fn guards(
        &mut self,
        step: &GuardedStep,
        scope: &ExpressionScope,
        earlier: &[StepDraft],
    ) -> Option<Vec<StepGuard>> {
        let guards = step.entry.guard.as_ref().map_or(&[][..], |guards| &guards.value);
        if let (Some(guarded), true) = (&step.entry.guarded, guards.is_empty()) {
            let message = format!("the step `{}` has no `guard` to switch", step.entry.id.value);
            self.mistakes.push(
                Diagnostic::new("setting-unused", guarded.span.clone(), message)
                    .label("give it a `guard`, or leave this out"),
            );
        }
        if let (Some(entry), true) = (&step.entry.guard, guards.len() > MAX_GUARDS) {
            let message = format!("{} guards of the step `{}`", guards.len(), step.entry.id.value);
            self.mistakes.push(
                Diagnostic::new("out-of-range", entry.span.clone(), message)
                    .label(format!("allowed: up to {MAX_GUARDS}")),
            );
            return None;
        }
        let found: Vec<Option<StepGuard>> =
            guards.iter().map(|guard| self.guard(guard, step, scope, earlier)).collect();
        found.into_iter().collect()
    }

    fn guard(
        &mut self,
        entry: &Spanned<GuardEntry>,
        step: &GuardedStep,
        scope: &ExpressionScope,
        earlier: &[StepDraft],
    ) -> Option<StepGuard> {
        let before = self.mistakes.len();
        let claims = entry.value.given_checks(step);
        // A guard without a check may have lost it to a mistake that is already reported.
        if claims.len() != 1 && !(claims.is_empty() && self.has_mistake_in(&entry.span)) {
            let message = match claims.as_slice() {
                [] => "this guard checks nothing".to_owned(),
                claims => {
                    let keys: Vec<&str> = claims.iter().map(|(key, ..)| *key).collect();
                    format!("this guard is {} at once", keys.join(" and "))
                }
            };
            self.mistakes.push(Diagnostic::new("guard-kind", entry.span.clone(), message).label(
                "a guard has exactly one of check, agrees_with, present, score, margin, same_entity, verifier, reviewer",
            ));
        }
        for (key, span, _) in claims.iter().filter(|(.., fits)| !fits) {
            let id = &step.entry.id.value;
            let (message, label) = match *key {
                "check" | "agrees_with" => (
                    format!("the step `{id}` puts out no value to check"),
                    "this belongs to a read, lookup or compute step",
                ),
                "same_entity" => (
                    format!("the step `{id}` has no passage whose entity could be looked at"),
                    "this belongs to a retrieve or read step",
                ),
                _ => (
                    format!("the step `{id}` finds no passages with scores"),
                    "this belongs to a retrieve step",
                ),
            };
            let mistake = Diagnostic::new("setting-unused", (*span).clone(), message);
            self.mistakes.push(mistake.label(label));
        }
        let check = self.check(&entry.value, step, scope);
        let retries: Vec<Option<GuardRetry>> = self.retries(&entry.value, step, scope, earlier);
        let escalate = entry.value.escalate.as_ref().map(|at| self.escalation(&at.value));
        let retries: Option<Vec<GuardRetry>> = retries.into_iter().collect();
        (self.mistakes.len() == before).then_some(())?;
        Some(StepGuard { check: check?, retries: retries?, escalate })
    }

    fn check(
        &mut self,
        entry: &GuardEntry,
        step: &GuardedStep,
        scope: &ExpressionScope,
    ) -> Option<GuardCheck> {
        if let Some(check) = &entry.check {
            step.output?;
            // The check may use the step's own output, which is not among the scope's names yet.
            let mut names = scope.steps.clone();
            names.insert(
                step.entry.id.value.clone(),
                StepBinding::Output { step: step.index, ty: step.output },
            );
            let scope = ExpressionScope { steps: &names, ..*scope };
            return Some(GuardCheck::Expr(self.expr(
                check,
                &scope,
                Some(("check", ValueType::YesNo)),
            )?));
        }
        if let Some(other) = &entry.agrees_with {
            return self.agrees_with(other, step, scope);
        }
        if let Some(present) = &entry.present {
            if !present.value {
                let mistake =
                    Diagnostic::new("setting-unused", present.span.clone(), "this checks nothing");
                self.mistakes.push(mistake.label("write true, or leave the guard out"));
            }
            return Some(GuardCheck::Present);
        }
        if let Some(floors) = &entry.score {
            return Some(GuardCheck::Score(self.min_scores(floors)?));
        }
        if let Some(floors) = &entry.margin {
            return Some(GuardCheck::Margin(self.min_scores(floors)?));
        }
        if let Some(entity) = &entry.same_entity {
            let expr = self.expr(entity, scope, Some(("same_entity", ValueType::Text)))?;
            return Some(GuardCheck::SameEntity(expr));
        }
        if let Some(verifier) = &entry.verifier {
            return self.verifier(verifier, step);
        }
        let reviewer = &entry.reviewer.as_ref()?.value;
        let rates = self.rates(reviewer.catch_rate.as_ref(), reviewer.false_alarm_rate.as_ref());
        let effort = self.effort(reviewer.cost.as_ref(), reviewer.minutes.as_ref(), 60.0);
        Some(GuardCheck::Reviewer { rates, effort })
    }

    fn agrees_with(
        &mut self,
        other: &Spanned<String>,
        step: &GuardedStep,
        scope: &ExpressionScope,
    ) -> Option<GuardCheck> {
        let of_type = |name: &StepBinding| match name {
            StepBinding::Output { ty, .. } => *ty == step.output,
            _ => false,
        };
        let alike = scope.steps.iter().filter(|(_, name)| of_type(name));
        let alike: Vec<&str> =
            alike.map(|(id, _)| id.as_str()).filter(|id| *id != step.entry.id.value).collect();
        let found = scope.steps.get(&other.value);
        let own = other.value == step.entry.id.value;
        let (code, message) = match found {
            Some(StepBinding::Output { step: at, ty }) if !own => match (ty, step.output) {
                (Some(ty), Some(own)) if *ty != own => (
                    "type-error",
                    format!("`{}` is a {ty}, this step puts out a {own}", other.value),
                ),
                _ => return Some(GuardCheck::AgreesWith(*at)),
            },
            // The other step has a mistake of its own.
            Some(StepBinding::Unknown) if !own => return None,
            Some(_) if own => ("not-allowed", "a step always agrees with itself".to_owned()),
            Some(_) => ("not-allowed", format!("`{}` puts out no value", other.value)),
            None => ("unknown-step", format!("there is no step `{}`", other.value)),
        };
        let allowed = if alike.is_empty() { "none here".to_owned() } else { alike.join(", ") };
        self.mistakes.push(
            Diagnostic::new(code, other.span.clone(), message)
                .label(format!("steps before it that put out the same type: {allowed}"))
                .help(suggest(&other.value, alike.iter().copied())),
        );
        None
    }

    /// Minimum scores by embedder index.
    fn min_scores(
        &mut self,
        floors: &Spanned<NamedEntries<Spanned<f64>>>,
    ) -> Option<BTreeMap<usize, f64>> {
        let embedders = self.section_keys("embedders");
        if floors.value.0.is_empty() && !self.has_mistake_in(&floors.span) {
            let mistake =
                Diagnostic::new("empty-value", floors.span.clone(), "no embedder is named");
            self.mistakes.push(
                mistake.label("write EMBEDDER: NUMBER; scores of two embedders have two scales"),
            );
        }
        let mut found = BTreeMap::new();
        for (name, least) in &floors.value.0 {
            let embedder = self.resolve_name("embedder", "unknown-embedder", name, &embedders);
            found.extend(embedder.map(|embedder| (embedder, least.value)));
        }
        Some(found)
    }

    fn verifier(
        &mut self,
        entry: &Spanned<VerifierEntry>,
        step: &GuardedStep,
    ) -> Option<GuardCheck> {
        let verifier = &entry.value;
        let effort = self.effort(verifier.cost.as_ref(), verifier.seconds.as_ref(), 1.0);
        let rates = self.rates(verifier.catch_rate.as_ref(), verifier.false_alarm_rate.as_ref());
        let Some(embedder) = &verifier.embedder else {
            if let Some(score) = &verifier.score {
                let mistake = Diagnostic::new(
                    "setting-unused",
                    score.span.clone(),
                    "a verifier without a model has no `score`",
                );
                self.mistakes.push(mistake.label("name its `embedder`, or give a catch_rate"));
            }
            return Some(GuardCheck::RatedVerifier { rates, effort });
        };
        for rate in [&verifier.catch_rate, &verifier.false_alarm_rate].into_iter().flatten() {
            let message = "the rates of a verifier with a model follow from its scores";
            self.mistakes.push(
                Diagnostic::new("setting-unused", rate.span.clone(), message)
                    .label("leave this out, or `embedder` and `score`"),
            );
        }
        if !matches!(step.kind, PipelineStepKind::Retrieve(_)) {
            let message = format!("the step `{}` has no query to score", step.entry.id.value);
            self.mistakes.push(
                Diagnostic::new("setting-unused", embedder.span.clone(), message)
                    .label("a verifier with a model belongs to a retrieve step"),
            );
        }
        let embedders = self.section_keys("embedders");
        let found = self.resolve_name("embedder", "unknown-embedder", embedder, &embedders);
        let Some(score) = &verifier.score else {
            let message = "a verifier with a model needs the least `score` that it lets pass";
            self.mistakes.push(
                Diagnostic::new("missing-key", entry.span.clone(), message)
                    .label("`score` is missing"),
            );
            return None;
        };
        Some(GuardCheck::ScoringVerifier { embedder: found?, min_score: score.value, effort })
    }

    /// Checks and returns the rates of a verifier or reviewer.
    fn rates(
        &mut self,
        catch: Option<&Spanned<f64>>,
        false_alarm: Option<&Spanned<f64>>,
    ) -> GuardErrorRates {
        for (name, rate) in [("catch_rate", catch), ("false_alarm_rate", false_alarm)] {
            if let Some(rate) = rate {
                self.check_range(name, rate, 0.0, 1.0);
            }
        }
        GuardErrorRates {
            catch_rate: catch.map(|at| at.value),
            false_alarm_rate: false_alarm.map(|at| at.value),
        }
    }

    /// Checks and returns the cost and the time; `seconds` is the length of one unit of `time`.
    fn effort(
        &mut self,
        cost: Option<&Spanned<f64>>,
        time: Option<&Spanned<f64>>,
        seconds: f64,
    ) -> GuardEffort {
        let name = if seconds > 1.0 { "minutes" } else { "seconds" };
        for (name, number, most) in [("cost", cost, MAX_COST), (name, time, MAX_SECONDS / seconds)]
        {
            if let Some(number) = number {
                self.check_range(name, number, 0.0, most);
            }
        }
        GuardEffort { cost: cost.map(|at| at.value), seconds: time.map(|at| at.value * seconds) }
    }

    fn escalation(&mut self, entry: &EscalateEntry) -> GuardEscalation {
        if let Some(accuracy) = &entry.accuracy {
            self.check_range("accuracy", accuracy, 0.0, 1.0);
        }
        GuardEscalation {
            accuracy: entry.accuracy.as_ref().map(|at| at.value),
            effort: self.effort(entry.cost.as_ref(), entry.minutes.as_ref(), 60.0),
        }
    }

    fn retries(
        &mut self,
        entry: &GuardEntry,
        step: &GuardedStep,
        scope: &ExpressionScope,
        earlier: &[StepDraft],
    ) -> Vec<Option<GuardRetry>> {
        let Some(retries) = &entry.retry else {
            return Vec::new();
        };
        let source = match step.kind {
            PipelineStepKind::Retrieve(_) => step.entry.retrieve.as_ref().map(|at| &at.value),
            PipelineStepKind::Read { from, .. } => earlier[*from].retrieve_entry(),
            _ => {
                let message = format!("the step `{}` would do the same again", step.entry.id.value);
                self.mistakes.push(
                    Diagnostic::new("setting-unused", retries.span.clone(), message)
                        .label("only retrieve and read steps retry; here, `escalate` or stop"),
                );
                return Vec::new();
            }
        };
        if retries.value.len() > MAX_RETRIES {
            let message = format!("{} retries of one guard", retries.value.len());
            self.mistakes.push(
                Diagnostic::new("out-of-range", retries.span.clone(), message)
                    .label(format!("allowed: up to {MAX_RETRIES}")),
            );
        }
        let filters = source.is_some_and(|retrieve| retrieve.entity.is_some());
        let searches = matches!(step.kind, PipelineStepKind::Retrieve(_));
        let retry = |retry: &Spanned<RetryEntry>| self.retry(retry, filters, searches, scope);
        retries.value.iter().map(retry).collect()
    }

    fn retry(
        &mut self,
        entry: &Spanned<RetryEntry>,
        filters: bool,
        searches: bool,
        scope: &ExpressionScope,
    ) -> Option<GuardRetry> {
        let before = self.mistakes.len();
        let Spanned { value: retry, span } = entry;
        let embedders = self.section_keys("embedders");
        let embedder = retry
            .embedder
            .as_ref()
            .map(|name| self.resolve_name("embedder", "unknown-embedder", name, &embedders));
        if let Some(top_k) = &retry.top_k {
            self.check_at_least_one("top_k", top_k);
        }
        if let Some(filter) = retry.entity_filter.as_ref().filter(|filter| filter.value && !filters)
        {
            let message = "the search has no `entity` to filter by";
            self.mistakes.push(
                Diagnostic::new("setting-unused", filter.span.clone(), message)
                    .label("give the retrieve step an `entity`, or leave this out"),
            );
        }
        let queries = self.retry_queries(retry.query.as_ref(), retry.queries.as_ref(), scope);
        let resolved = GuardRetry {
            embedder: embedder.flatten(),
            top_k: retry.top_k.as_ref().map(|at| at.value as usize),
            entity_filter: retry.entity_filter.as_ref().map(|at| at.value),
            queries,
        };
        if searches
            && self.mistakes.len() == before
            && !resolved.searches()
            && !self.has_mistake_in(span)
        {
            let message = "this retry changes nothing: the search would bring the same";
            self.mistakes.push(
                Diagnostic::new("empty-value", span.clone(), message)
                    .label("give it an embedder, top_k, entity_filter, query or queries"),
            );
        }
        (self.mistakes.len() == before).then_some(resolved)
    }

    /// Phrasings with their weights, which are scaled to sum to one.
    fn retry_queries(
        &mut self,
        single: Option<&Spanned<String>>,
        several: Option<&Spanned<Vec<QueryEntry>>>,
        scope: &ExpressionScope,
    ) -> Vec<QueryPhrasing> {
        if let (Some(_), Some(several)) = (single, several) {
            self.mistakes.push(
                Diagnostic::new(
                    "query-or-queries",
                    several.span.clone(),
                    "a retry has both `query` and `queries`",
                )
                .label("give one query, or a list of phrasings"),
            );
        }
        let texts = single.map(|text| (text, None)).into_iter();
        let texts = texts
            .chain(several.iter().flat_map(|q| &q.value).map(|q| (&q.text, q.weight.as_ref())));
        let queries: Vec<QueryPhrasing> =
            texts.filter_map(|(text, weight)| self.query(text, weight, scope)).collect();
        normalise_weights(queries)
    }
}

/// The maximum number of guards of a step. Each guard evaluates every possible output of the step.
const MAX_GUARDS: usize = 32;

/// The maximum number of retries of a guard. Each retry adds one attempt of the step.
const MAX_RETRIES: usize = 5;
