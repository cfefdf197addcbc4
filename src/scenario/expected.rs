//! Resolves `tasks.expected`: columns of the task file with expected outputs and actions, which the oracle is checked
//! against.

use super::PipelineStepKind;
use super::diagnostics::Diagnostic;
use super::file::{ExpectedEntry, ScenarioFile};
use super::name_values::actions;
use super::resolve::{ScenarioData, ScenarioResolver};
use super::spanned_de::Spanned;
use super::steps::StepDraft;
use crate::expr::suggest;
use crate::value::{TypedValue, ValueType};
use crate::world::TaskSet;

/// A column of the task file with expected values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedColumn {
    /// The column; a key of [`crate::world::Task::expected`].
    pub column: String,
    /// The index of the step whose output it holds; `None`: the action of the run.
    pub step: Option<usize>,
}

impl ExpectedColumn {
    /// The cell that stands for no output or no action.
    pub const NOTHING: &str = "null";
}

/// The cell that stands for a step at which the run stops.
const STOPPED: &str = "stopped";

/// The columns that the section names, before anything is resolved.
pub(super) fn columns(file: &ScenarioFile) -> Vec<&str> {
    match file.tasks.as_ref().and_then(|tasks| tasks.expected.as_ref()).map(|at| &at.value) {
        None => Vec::new(),
        Some(ExpectedEntry::Action(column)) => vec![column],
        Some(ExpectedEntry::Steps(steps)) => {
            steps.0.iter().map(|(_, column)| column.value.as_str()).collect()
        }
    }
}

impl ScenarioResolver<'_> {
    /// Resolves the section, and reports expected values that cannot occur.
    pub fn expected(
        &mut self,
        file: &ScenarioFile,
        world: &ScenarioData,
        steps: &[StepDraft],
    ) -> Vec<ExpectedColumn> {
        let entry = file.tasks.as_ref().and_then(|tasks| tasks.expected.as_ref());
        let mut found = Vec::new();
        match entry.map(|at| (&at.value, &at.span)) {
            None => {}
            Some((ExpectedEntry::Action(column), span)) => {
                let column = &Spanned { value: column.clone(), span: span.clone() };
                // If a label is unknown because its rule was removed, no action is known to be impossible.
                if let Some(known) = actions(steps) {
                    let help = |said: &str| suggest(said, known.words());
                    let can = |said: &str| {
                        (!known.contains(said) && said != ExpectedColumn::NOTHING).then(|| {
                            format!("no run takes the action '{said}'; {}", known.describe())
                        })
                    };
                    self.check_possible_values(column, "unknown-action", world, &can, &help);
                }
                found.push(ExpectedColumn { column: column.value.clone(), step: None });
            }
            Some((ExpectedEntry::Steps(named), _)) => {
                let ids = self.list_ids("steps");
                for (id, column) in &named.0 {
                    if self.resolve_name("step", "unknown-step", id, &ids).is_none() {
                        continue;
                    }
                    let step = steps.iter().position(|draft| draft.id.value == id.value);
                    let Some(step) = step else { continue };
                    self.check_expected_outputs(id, column, world, &steps[step]);
                    found.push(ExpectedColumn { column: column.value.clone(), step: Some(step) });
                }
            }
        }
        found
    }

    /// Checks the expected outputs of one step against its kind and type.
    fn check_expected_outputs(
        &mut self,
        id: &Spanned<String>,
        column: &Spanned<String>,
        world: &ScenarioData,
        draft: &StepDraft,
    ) {
        let Some(step) = &draft.resolved else { return };
        let fixed = [ExpectedColumn::NOTHING, STOPPED];
        match (&step.kind, step.output) {
            (PipelineStepKind::Retrieve(_), _) => {
                let message = format!("the step `{}` outputs passages", id.value);
                self.mistakes.push(
                    Diagnostic::new("not-allowed", id.span.clone(), message)
                        .label("its `gold` defines which passages are right"),
                );
            }
            (PipelineStepKind::Act { rules, .. }, _) => {
                let labels: Vec<&str> = rules.iter().map(|rule| rule.label.as_str()).collect();
                let can = |said: &str| {
                    (!labels.contains(&said) && !fixed.contains(&said)).then(|| {
                        format!(
                            "no rule leads to '{said}'; the rules lead to {}",
                            labels.join(", ")
                        )
                    })
                };
                let help = |said: &str| suggest(said, labels.iter().copied().chain(fixed));
                self.check_possible_values(column, "unknown-action", world, &can, &help);
            }
            // A text can be anything, and nothing is known of a step without a type.
            (_, Some(ValueType::Text) | None) => {}
            (_, Some(ty)) => {
                let can = |said: &str| {
                    let parsed =
                        TypedValue::parse(ty, said).err().filter(|_| !fixed.contains(&said));
                    parsed.map(|error| error.to_string())
                };
                let help = |said: &str| suggest(said, fixed);
                self.check_possible_values(column, "bad-data", world, &can, &help);
            }
        }
    }

    /// Reports cells with a value that cannot occur. `can` returns the reason if a value is impossible; `help` suggests
    /// what was probably meant.
    fn check_possible_values(
        &mut self,
        column: &Spanned<String>,
        code: &'static str,
        world: &ScenarioData,
        can: &dyn Fn(&str) -> Option<String>,
        help: &dyn Fn(&str) -> Option<String>,
    ) {
        let mut mistakes = TaskSet::mistakes(&world.tasks_path);
        let mut first = None;
        for task in world.tasks.iter().flat_map(|tasks| &tasks.tasks) {
            if let Some(said) = task.expected.get(&column.value)
                && let Some(what) = can(said)
            {
                first.get_or_insert(said);
                mistakes.add(Some(task.line), Some(&column.value), what);
            }
        }
        let slips = mistakes.reported_count();
        if let (Err(mistakes), Some(first)) = (mistakes.into_result(), first) {
            let message =
                format!("the column `{}` expects values that can never occur", column.value);
            self.mistakes.push(
                Diagnostic::new(code, column.span.clone(), message)
                    .label("the mistakes are inside the task file")
                    .note(mistakes.to_string())
                    .help(help(first))
                    .with_count(slips),
            );
        }
    }
}
