//! Finds loss rules that have no amount at some end of a run: a run that ends so would abort with an error.
//!
//! Which ends occur is known only after the run. So each rule is evaluated at all possible ends of each task: where its
//! condition is true, its amount must be valid.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::expr::{CorpusIndex, EvalEnvironment, EvalError};
use crate::impact::MAX_AMOUNT;
use crate::run::oracle_check::listed_lines;
use crate::scenario::{
    Diagnostic, ImpactSettings, LossRule, MISS_KINDS, OUTCOMES, PipelineStepKind, RUN_END_NAMES,
    Scenario, ScenarioArm,
};
use crate::step::StepOutput;
use crate::step::oracle::{self, OracleRun};
use crate::value::TypedValue;
use crate::world::Task;

/// One diagnostic for each rule that has no amount in some tasks, listing them.
pub(super) fn without_amount(
    scenario: &Scenario,
    arm: &ScenarioArm,
    indices: &[CorpusIndex],
) -> Vec<Diagnostic> {
    let Some(impact) = &scenario.impact else { return Vec::new() };
    let actions = actions(scenario);
    let tasks = &scenario.tasks.tasks;
    let found: Vec<Vec<(usize, String)>> = tasks
        .par_iter()
        .map(|task| -> Vec<(usize, String)> {
            let (oracle, _) = oracle::attempt(scenario, arm, indices, task);
            let ends = PossibleTaskEnds { scenario, task, oracle: &oracle, actions: &actions };
            let rules = impact.losses.iter().enumerate();
            rules.filter_map(|(at, rule)| Some((at, ends.amount_error(rule)?))).collect()
        })
        .collect();
    let mut by_rule: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (task, wrong) in tasks.iter().zip(found) {
        for (rule, what) in wrong {
            let line = format!("{} (line {}): {what}", task.id, task.line);
            by_rule.entry(rule).or_default().push(line);
        }
    }
    by_rule.into_iter().map(|(rule, lines)| mistake(scenario, impact, rule, &lines)).collect()
}

fn mistake(
    scenario: &Scenario,
    impact: &ImpactSettings,
    rule: usize,
    lines: &[String],
) -> Diagnostic {
    let name = &impact.losses[rule].name;
    let tasks = scenario.tasks.tasks.len();
    let message = format!(
        "the loss `{name}` has no amount in {} of {tasks} tasks in which it can apply",
        lines.len()
    );
    Diagnostic::new(
        "no-amount",
        scenario.source.span(&["impact", "losses", name, "amount"]),
        message,
    )
    .label(format!("a number or money, from 0 to {MAX_AMOUNT:e}, wherever `if` is true"))
    .note(listed_lines(lines))
}

/// Largest number of label combinations that one act step adds to those of the steps before it.
const MAX_NEW_ACTIONS: usize = 100;

/// Possible actions of a run: a label of each act step or none, joined by `+`, each with and without `stopped`. Past
/// [`MAX_NEW_ACTIONS`] new combinations for a step, the others are left out.
fn actions(scenario: &Scenario) -> Vec<String> {
    let mut all: Vec<Vec<&str>> = vec![Vec::new()];
    for step in &scenario.steps {
        let PipelineStepKind::Act { rules, .. } = &step.kind else { continue };
        let labels: BTreeSet<&str> = rules.iter().map(|rule| rule.label.as_str()).collect();
        let longer = all.iter().flat_map(|before| {
            labels.iter().map(|label| before.iter().copied().chain([*label]).collect())
        });
        let longer: Vec<Vec<&str>> = longer.take(MAX_NEW_ACTIONS).collect();
        all.extend(longer);
    }
    let stopped = all.iter().map(|labels| [labels.as_slice(), &["stopped"]].concat().join("+"));
    let acted = all.iter().map(|labels| labels.join("+"));
    acted.chain(stopped).collect::<BTreeSet<String>>().into_iter().collect()
}

/// All possible ends of the runs of one task.
struct PossibleTaskEnds<'a> {
    scenario: &'a Scenario,
    task: &'a Task,
    oracle: &'a OracleRun,
    actions: &'a [String],
}

impl PossibleTaskEnds<'_> {
    /// What is wrong with a rule's amount at the first end at which its condition is true and it has none.
    fn amount_error(&self, rule: &LossRule) -> Option<String> {
        let right = self.oracle.action();
        // Only what a rule refers to is varied, which keeps the number of ends small.
        let (by_outcome, by_action) =
            (self.refers_to(rule, "outcome"), self.refers_to(rule, "action"));
        let outcomes = if by_outcome { &OUTCOMES[..] } else { &OUTCOMES[..1] };
        let both = by_outcome && by_action;
        let mut actions = vec![right.as_str()];
        if by_action {
            let others = self.actions.iter().map(String::as_str);
            actions.extend(others.filter(|action| *action != right));
        }
        let mut misses = vec![None];
        if self.refers_to(rule, "miss") {
            misses.extend(MISS_KINDS.map(Some));
        }
        for &outcome in outcomes.iter().filter(|outcome| self.can_end(outcome)) {
            for &action in &actions {
                // A run is correct exactly if it does what is right.
                if both && (outcome == "correct") != (action == right) {
                    continue;
                }
                for &miss in &misses {
                    let action = (!action.is_empty()).then(|| TypedValue::Text(action.to_owned()));
                    let end = [
                        text_value(outcome),
                        action,
                        text_value(&right),
                        miss.and_then(text_value),
                    ];
                    if let Some(wrong) = self.amount_error_at(rule, &end) {
                        return Some(wrong);
                    }
                }
            }
        }
        None
    }

    /// Whether the rule uses a name that stands for how the run ends.
    fn refers_to(&self, rule: &LossRule, end: &str) -> bool {
        let place = RUN_END_NAMES.iter().position(|name| *name == end);
        let at = place.map(|place| self.scenario.steps.len() + place);
        let mut steps = rule.condition.step_indices().chain(rule.amount.step_indices());
        steps.any(|step| Some(step) == at)
    }

    /// Whether any run of the task can have this outcome: a commission, for example, requires an act step at which the
    /// oracle does nothing.
    fn can_end(&self, outcome: &str) -> bool {
        let steps = self.scenario.steps.iter().zip(&self.oracle.outputs);
        // By act step: whether the oracle takes one of its labels, and whether that means doing nothing.
        let mut acts = steps.filter_map(|(step, output)| match (&step.kind, output) {
            (PipelineStepKind::Act { hold, .. }, Some(StepOutput::Action(label))) => {
                Some((true, hold.contains(label)))
            }
            (PipelineStepKind::Act { .. }, _) => Some((false, true)),
            _ => None,
        });
        match outcome {
            "omission" => acts.any(|(_, holds)| !holds),
            "commission" => acts.any(|(_, holds)| holds),
            "wrong_action" => acts.any(|(labelled, _)| labelled),
            _ => true,
        }
    }

    fn amount_error_at(
        &self,
        rule: &LossRule,
        end: &[Option<TypedValue>; RUN_END_NAMES.len()],
    ) -> Option<String> {
        let outputs = self.oracle.outputs.iter();
        let outputs = outputs.map(|output| output.as_ref().and_then(StepOutput::value));
        let values: Vec<Option<&TypedValue>> =
            outputs.chain(end.iter().map(Option::as_ref)).collect();
        let env = EvalEnvironment { task: Some(self.task), passage: None, steps: &values };
        if !matches!(rule.condition.eval(&env), Ok(Some(TypedValue::YesNo(true)))) {
            return None;
        }
        match rule.amount.eval(&env) {
            Ok(Some(TypedValue::Number(amount))) => range_error(amount),
            Ok(Some(TypedValue::Money(money))) => range_error(money.amount),
            Ok(_) => Some("it is null".to_owned()),
            Err(EvalError { reason, .. }) => Some(reason),
        }
    }
}

fn text_value(text: &str) -> Option<TypedValue> {
    Some(TypedValue::Text(text.to_owned()))
}

fn range_error(amount: f64) -> Option<String> {
    (!(0.0..=MAX_AMOUNT).contains(&amount)).then(|| format!("it is {amount}"))
}
