//! Resolves guards: checks on a step's output, and the retries and escalations that follow an alarm.

use std::collections::BTreeMap;

use super::de::{At, Named};
use super::diagnostics::Diagnostic;
use super::impact::{MOST_COST, MOST_TIME};
use super::kinds::weighed;
use super::resolve::Resolver;
use super::steps::Draft;
use super::written::{EscalateEntry, GuardEntry, QueryEntry, RetryEntry, StepEntry, VerifierEntry};
use super::{Query, StepKind};
use crate::expr::{Expr, Name, Scope, suggest};
use crate::value::Type;

/// A check on a step's output, and what happens when it fails.
#[derive(Debug)]
pub struct Guard {
    /// The check that raises the alarm.
    pub check: Check,
    /// Further attempts, in order: each alarm of this guard uses the next one.
    pub retries: Vec<Retry>,
    /// Who decides when no retry is left; `None`: the run stops.
    pub escalate: Option<Person>,
}

/// The condition that a guard checks.
#[derive(Debug)]
pub enum Check {
    /// An expression over the task, earlier steps and the step's own output. The check fails if it is false, and
    /// raises no alarm if it has no value.
    Expr(Expr),
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
    SameEntity(Expr),
    /// A second model: this embedder gives the query and the best passage a score of at least `least`.
    Verified { embedder: usize, least: f64, effort: Effort },
    /// A verifier that is described by its rates alone.
    Verifier { rates: Rates, effort: Effort },
    /// A person who reviews every output.
    Reviewer { rates: Rates, effort: Effort },
}

impl Check {
    /// The embedder that scores passages for this check.
    pub fn embedder(&self) -> Option<usize> {
        match self {
            Check::Verified { embedder, .. } => Some(*embedder),
            _ => None,
        }
    }

    /// The key in the scenario file.
    pub fn name(&self) -> &'static str {
        match self {
            Check::Expr(_) => "check",
            Check::AgreesWith(_) => "agrees_with",
            Check::Present => "present",
            Check::Score(_) => "score",
            Check::Margin(_) => "margin",
            Check::SameEntity(_) => "same_entity",
            Check::Verified { .. } | Check::Verifier { .. } => "verifier",
            Check::Reviewer { .. } => "reviewer",
        }
    }
}

/// The error rates of a check. `None`: the default, which has a cited source.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// P(alarm) on a wrong output.
    pub catch_rate: Option<f64>,
    /// P(alarm) on a right output.
    pub false_alarm_rate: Option<f64>,
}

/// The cost and time of one use of a check. `None`: the default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Effort {
    /// In US dollars.
    pub cost: Option<f64>,
    pub seconds: Option<f64>,
}

/// A person who decides on outputs that a guard has flagged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Person {
    /// P(the output is right afterwards); otherwise the flagged output is used unchanged.
    pub accuracy: Option<f64>,
    pub effort: Effort,
}

/// One further attempt: the step with some settings changed.
#[derive(Debug)]
pub struct Retry {
    /// Index into [`super::Scenario::embedders`].
    pub embedder: Option<usize>,
    pub top_k: Option<usize>,
    pub entity_filter: Option<bool>,
    /// Other phrasings; empty: the step's own.
    pub queries: Vec<Query>,
}

impl Retry {
    /// For a read step: whether it searches again before reading.
    pub fn searches(&self) -> bool {
        self.embedder.is_some()
            || self.top_k.is_some()
            || self.entity_filter.is_some()
            || !self.queries.is_empty()
    }
}

/// The step whose guards are being resolved.
pub(super) struct Guarded<'a> {
    pub entry: &'a StepEntry,
    /// The step's index.
    pub at: usize,
    pub kind: &'a StepKind,
    pub output: Option<Type>,
}

/// A check that an entry gives: its key, its span, and whether the step's kind supports it.
type Claim<'a> = (&'static str, &'a std::ops::Range<usize>, bool);

impl GuardEntry {
    /// The checks that the entry gives; a valid entry has exactly one.
    fn claims(&self, step: &Guarded) -> Vec<Claim<'_>> {
        let value = step.output.is_some();
        let retrieve = matches!(step.kind, StepKind::Retrieve(_));
        let passages = retrieve || matches!(step.kind, StepKind::Read { .. });
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

impl Resolver<'_> {
    /// The guards of a step; `None` after reporting all mistakes in them.
    pub fn guards(
        &mut self,
        step: &Guarded,
        scope: &Scope,
        earlier: &[Draft],
    ) -> Option<Vec<Guard>> {
        let guards = step.entry.guard.as_ref().map_or(&[][..], |guards| &guards.value);
        if let (Some(guarded), true) = (&step.entry.guarded, guards.is_empty()) {
            let message = format!("the step `{}` has no `guard` to switch", step.entry.id.value);
            self.found.push(
                Diagnostic::new("setting-unused", guarded.span.clone(), message)
                    .label("give it a `guard`, or leave this out"),
            );
        }
        if let (Some(entry), true) = (&step.entry.guard, guards.len() > MOST_GUARDS) {
            let message = format!("{} guards of the step `{}`", guards.len(), step.entry.id.value);
            self.found.push(
                Diagnostic::new("out-of-range", entry.span.clone(), message)
                    .label(format!("allowed: up to {MOST_GUARDS}")),
            );
            return None;
        }
        let found: Vec<Option<Guard>> =
            guards.iter().map(|guard| self.guard(guard, step, scope, earlier)).collect();
        found.into_iter().collect()
    }

    fn guard(
        &mut self,
        entry: &At<GuardEntry>,
        step: &Guarded,
        scope: &Scope,
        earlier: &[Draft],
    ) -> Option<Guard> {
        let before = self.found.len();
        let claims = entry.value.claims(step);
        // A guard without a check may have lost it to a mistake that is already reported.
        if claims.len() != 1 && !(claims.is_empty() && self.spoilt(&entry.span)) {
            let message = match claims.as_slice() {
                [] => "this guard checks nothing".to_owned(),
                claims => {
                    let keys: Vec<&str> = claims.iter().map(|(key, ..)| *key).collect();
                    format!("this guard is {} at once", keys.join(" and "))
                }
            };
            self.found.push(Diagnostic::new("guard-kind", entry.span.clone(), message).label(
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
            self.found.push(mistake.label(label));
        }
        let check = self.check(&entry.value, step, scope);
        let retries: Vec<Option<Retry>> = self.retries(&entry.value, step, scope, earlier);
        let escalate = entry.value.escalate.as_ref().map(|at| self.person(&at.value));
        let retries: Option<Vec<Retry>> = retries.into_iter().collect();
        (self.found.len() == before).then_some(())?;
        Some(Guard { check: check?, retries: retries?, escalate })
    }

    fn check(&mut self, entry: &GuardEntry, step: &Guarded, scope: &Scope) -> Option<Check> {
        if let Some(check) = &entry.check {
            step.output?;
            // The check may use the step's own output, which is not among the scope's names yet.
            let mut names = scope.steps.clone();
            names.insert(
                step.entry.id.value.clone(),
                Name::Output { step: step.at, ty: step.output },
            );
            let scope = Scope { steps: &names, ..*scope };
            return Some(Check::Expr(self.expr(check, &scope, Some(("check", Type::YesNo)))?));
        }
        if let Some(other) = &entry.agrees_with {
            return self.agrees_with(other, step, scope);
        }
        if let Some(present) = &entry.present {
            if !present.value {
                let mistake =
                    Diagnostic::new("setting-unused", present.span.clone(), "this checks nothing");
                self.found.push(mistake.label("write true, or leave the guard out"));
            }
            return Some(Check::Present);
        }
        if let Some(floors) = &entry.score {
            return Some(Check::Score(self.floors(floors)?));
        }
        if let Some(floors) = &entry.margin {
            return Some(Check::Margin(self.floors(floors)?));
        }
        if let Some(entity) = &entry.same_entity {
            let expr = self.expr(entity, scope, Some(("same_entity", Type::Text)))?;
            return Some(Check::SameEntity(expr));
        }
        if let Some(verifier) = &entry.verifier {
            return self.verifier(verifier, step);
        }
        let reviewer = &entry.reviewer.as_ref()?.value;
        let rates = self.rates(reviewer.catch_rate.as_ref(), reviewer.false_alarm_rate.as_ref());
        let effort = self.effort(reviewer.cost.as_ref(), reviewer.minutes.as_ref(), 60.0);
        Some(Check::Reviewer { rates, effort })
    }

    fn agrees_with(&mut self, other: &At<String>, step: &Guarded, scope: &Scope) -> Option<Check> {
        let of_type = |name: &Name| match name {
            Name::Output { ty, .. } => *ty == step.output,
            _ => false,
        };
        let alike = scope.steps.iter().filter(|(_, name)| of_type(name));
        let alike: Vec<&str> =
            alike.map(|(id, _)| id.as_str()).filter(|id| *id != step.entry.id.value).collect();
        let found = scope.steps.get(&other.value);
        let own = other.value == step.entry.id.value;
        let (code, message) = match found {
            Some(Name::Output { step: at, ty }) if !own => match (ty, step.output) {
                (Some(ty), Some(own)) if *ty != own => (
                    "type-error",
                    format!("`{}` is a {ty}, this step puts out a {own}", other.value),
                ),
                _ => return Some(Check::AgreesWith(*at)),
            },
            // The other step has a mistake of its own.
            Some(Name::Unknown) if !own => return None,
            Some(_) if own => ("not-allowed", "a step always agrees with itself".to_owned()),
            Some(_) => ("not-allowed", format!("`{}` puts out no value", other.value)),
            None => ("unknown-step", format!("there is no step `{}`", other.value)),
        };
        let allowed = if alike.is_empty() { "none here".to_owned() } else { alike.join(", ") };
        self.found.push(
            Diagnostic::new(code, other.span.clone(), message)
                .label(format!("steps before it that put out the same type: {allowed}"))
                .help(suggest(&other.value, alike.iter().copied())),
        );
        None
    }

    /// Minimum scores by embedder index.
    fn floors(&mut self, floors: &At<Named<At<f64>>>) -> Option<BTreeMap<usize, f64>> {
        let embedders = self.keys("embedders");
        if floors.value.0.is_empty() && !self.spoilt(&floors.span) {
            let mistake =
                Diagnostic::new("empty-value", floors.span.clone(), "no embedder is named");
            self.found.push(
                mistake.label("write EMBEDDER: NUMBER; scores of two embedders have two scales"),
            );
        }
        let mut found = BTreeMap::new();
        for (name, least) in &floors.value.0 {
            let embedder = self.refer("embedder", "unknown-embedder", name, &embedders);
            found.extend(embedder.map(|embedder| (embedder, least.value)));
        }
        Some(found)
    }

    fn verifier(&mut self, entry: &At<VerifierEntry>, step: &Guarded) -> Option<Check> {
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
                self.found.push(mistake.label("name its `embedder`, or give a catch_rate"));
            }
            return Some(Check::Verifier { rates, effort });
        };
        for rate in [&verifier.catch_rate, &verifier.false_alarm_rate].into_iter().flatten() {
            let message = "the rates of a verifier with a model follow from its scores";
            self.found.push(
                Diagnostic::new("setting-unused", rate.span.clone(), message)
                    .label("leave this out, or `embedder` and `score`"),
            );
        }
        if !matches!(step.kind, StepKind::Retrieve(_)) {
            let message = format!("the step `{}` has no query to score", step.entry.id.value);
            self.found.push(
                Diagnostic::new("setting-unused", embedder.span.clone(), message)
                    .label("a verifier with a model belongs to a retrieve step"),
            );
        }
        let embedders = self.keys("embedders");
        let found = self.refer("embedder", "unknown-embedder", embedder, &embedders);
        let Some(score) = &verifier.score else {
            let message = "a verifier with a model needs the least `score` that it lets pass";
            self.found.push(
                Diagnostic::new("missing-key", entry.span.clone(), message)
                    .label("`score` is missing"),
            );
            return None;
        };
        Some(Check::Verified { embedder: found?, least: score.value, effort })
    }

    /// Checks and returns the rates of a verifier or reviewer.
    fn rates(&mut self, catch: Option<&At<f64>>, false_alarm: Option<&At<f64>>) -> Rates {
        for (name, rate) in [("catch_rate", catch), ("false_alarm_rate", false_alarm)] {
            if let Some(rate) = rate {
                self.within(name, rate, 0.0, 1.0);
            }
        }
        Rates {
            catch_rate: catch.map(|at| at.value),
            false_alarm_rate: false_alarm.map(|at| at.value),
        }
    }

    /// Checks and returns the cost and the time; `seconds` is the length of one unit of `time`.
    fn effort(&mut self, cost: Option<&At<f64>>, time: Option<&At<f64>>, seconds: f64) -> Effort {
        let name = if seconds > 1.0 { "minutes" } else { "seconds" };
        for (name, number, most) in [("cost", cost, MOST_COST), (name, time, MOST_TIME / seconds)] {
            if let Some(number) = number {
                self.within(name, number, 0.0, most);
            }
        }
        Effort { cost: cost.map(|at| at.value), seconds: time.map(|at| at.value * seconds) }
    }

    fn person(&mut self, entry: &EscalateEntry) -> Person {
        if let Some(accuracy) = &entry.accuracy {
            self.within("accuracy", accuracy, 0.0, 1.0);
        }
        Person {
            accuracy: entry.accuracy.as_ref().map(|at| at.value),
            effort: self.effort(entry.cost.as_ref(), entry.minutes.as_ref(), 60.0),
        }
    }

    fn retries(
        &mut self,
        entry: &GuardEntry,
        step: &Guarded,
        scope: &Scope,
        earlier: &[Draft],
    ) -> Vec<Option<Retry>> {
        let Some(retries) = &entry.retry else {
            return Vec::new();
        };
        let source = match step.kind {
            StepKind::Retrieve(_) => step.entry.retrieve.as_ref().map(|at| &at.value),
            StepKind::Read { from, .. } => earlier[*from].retrieve(),
            _ => {
                let message = format!("the step `{}` would do the same again", step.entry.id.value);
                self.found.push(
                    Diagnostic::new("setting-unused", retries.span.clone(), message)
                        .label("only retrieve and read steps retry; here, `escalate` or stop"),
                );
                return Vec::new();
            }
        };
        if retries.value.len() > MOST_RETRIES {
            let message = format!("{} retries of one guard", retries.value.len());
            self.found.push(
                Diagnostic::new("out-of-range", retries.span.clone(), message)
                    .label(format!("allowed: up to {MOST_RETRIES}")),
            );
        }
        let filters = source.is_some_and(|retrieve| retrieve.entity.is_some());
        let searches = matches!(step.kind, StepKind::Retrieve(_));
        let retry = |retry: &At<RetryEntry>| self.retry(retry, filters, searches, scope);
        retries.value.iter().map(retry).collect()
    }

    fn retry(
        &mut self,
        entry: &At<RetryEntry>,
        filters: bool,
        searches: bool,
        scope: &Scope,
    ) -> Option<Retry> {
        let before = self.found.len();
        let At { value: retry, span } = entry;
        let embedders = self.keys("embedders");
        let embedder = retry
            .embedder
            .as_ref()
            .map(|name| self.refer("embedder", "unknown-embedder", name, &embedders));
        if let Some(top_k) = &retry.top_k {
            self.at_least_one("top_k", top_k);
        }
        if let Some(filter) = retry.entity_filter.as_ref().filter(|filter| filter.value && !filters)
        {
            let message = "the search has no `entity` to filter by";
            self.found.push(
                Diagnostic::new("setting-unused", filter.span.clone(), message)
                    .label("give the retrieve step an `entity`, or leave this out"),
            );
        }
        let queries = self.phrased(retry.query.as_ref(), retry.queries.as_ref(), scope);
        let resolved = Retry {
            embedder: embedder.flatten(),
            top_k: retry.top_k.as_ref().map(|at| at.value as usize),
            entity_filter: retry.entity_filter.as_ref().map(|at| at.value),
            queries,
        };
        if searches && self.found.len() == before && !resolved.searches() && !self.spoilt(span) {
            let message = "this retry changes nothing: the search would bring the same";
            self.found.push(
                Diagnostic::new("empty-value", span.clone(), message)
                    .label("give it an embedder, top_k, entity_filter, query or queries"),
            );
        }
        (self.found.len() == before).then_some(resolved)
    }

    /// Phrasings with their weights, which are scaled to sum to one.
    fn phrased(
        &mut self,
        single: Option<&At<String>>,
        several: Option<&At<Vec<QueryEntry>>>,
        scope: &Scope,
    ) -> Vec<Query> {
        if let (Some(_), Some(several)) = (single, several) {
            self.found.push(
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
        let queries: Vec<Query> =
            texts.filter_map(|(text, weight)| self.query(text, weight, scope)).collect();
        weighed(queries)
    }
}

/// The maximum number of guards of a step. Each guard evaluates every possible output of the step.
const MOST_GUARDS: usize = 32;

/// The maximum number of retries of a guard. Each retry adds one attempt of the step.
const MOST_RETRIES: usize = 5;
