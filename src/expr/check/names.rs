//! Checks of names: steps, `task`, `passage` and their fields.

use cel::IdedExpr;
use cel::common::ast::Expr as Node;

use super::TypeChecker;
use super::inferred_type::InferredType;
use crate::expr::foreign_syntax;
use crate::expr::scope::{PASSAGE_FIELDS, StepBinding};
use crate::expr::suggestions::suggest;
use crate::value::ValueType;

impl TypeChecker<'_> {
    /// The type of what a name alone refers to.
    pub(super) fn name(&mut self, node: &IdedExpr, name: &str) -> Option<InferredType> {
        if name == "task" || (name == "passage" && self.scope.passage) {
            let message = format!("`{name}` is not a value by itself");
            let label = format!(
                "name a field: `{name}.{}`",
                if name == "task" { "FIELD" } else { "entity" }
            );
            self.fault("type-error", node, message, label, None);
            return None;
        }
        if name == "passage" {
            let message = "there is no `passage` here".to_owned();
            let label = "only the `gold` of a retrieve step sees passages".to_owned();
            self.fault("unknown-name", node, message, label, None);
            return None;
        }
        let (code, message, label, help) = match self.scope.steps.get(name) {
            Some(StepBinding::Output { ty, .. }) => return ty.map(InferredType::Is),
            // The step has a fault of its own, which is reported where it is.
            Some(StepBinding::Unknown) => return None,
            Some(StepBinding::Passages) => (
                "no-value",
                format!("`{name}` is a retrieve step: it finds passages and has no value"),
                "use the `read` step that reads from it".to_owned(),
                None,
            ),
            Some(StepBinding::Action) => (
                "no-value",
                format!("`{name}` is an act step: it ends the run and has no value"),
                "use what the action was decided from".to_owned(),
                None,
            ),
            None => {
                let steps = self.scope.steps.iter();
                // A faulty step is listed too: once repaired, it will have a value.
                let outputs = steps.filter(|(_, binding)| {
                    matches!(binding, StepBinding::Output { .. } | StepBinding::Unknown)
                });
                let known: Vec<&str> = outputs.map(|(id, _)| id.as_str()).collect();
                let field = self.scope.task.is_some_and(|fields| fields.contains_key(name));
                let help = if field {
                    Some(format!("a field of the task is written `task.{name}`"))
                } else if let Some(write) = foreign_syntax::constant_equivalent(name) {
                    Some(format!("write `{write}`"))
                } else {
                    suggest(name, known.iter().copied().chain(["task"]))
                };
                let label = match known.as_slice() {
                    _ if self.scope.passage => {
                        "`passage.FIELD` and `task.FIELD` can be named here".to_owned()
                    }
                    [] => "`task.FIELD` can be named here".to_owned(),
                    known => format!("known here: task, {}", known.join(", ")),
                };
                ("unknown-name", format!("nothing is called `{name}`"), label, help)
            }
        };
        self.fault(code, node, message, label, help);
        None
    }

    /// The type of a field. An unknown field is reported with the known ones.
    pub(super) fn select(
        &mut self,
        node: &IdedExpr,
        operand: &IdedExpr,
        field: &str,
    ) -> Option<InferredType> {
        let (owner, known): (&str, Vec<&str>) = match &operand.expr {
            Node::Ident(name) if name == "task" => {
                // A faulty declaration has been reported, and would make every field unknown.
                let fields = self.scope.task?;
                if let Some(ty) = fields.get(field) {
                    return Some(InferredType::Is(*ty));
                }
                ("a task", fields.keys().map(String::as_str).collect())
            }
            Node::Ident(name) if name == "passage" && self.scope.passage => {
                if PASSAGE_FIELDS.contains(&field) {
                    return Some(InferredType::Is(ValueType::Text));
                }
                ("a passage", PASSAGE_FIELDS.to_vec())
            }
            _ => {
                let ty = self.infer(operand)?;
                let message = format!("`{}` is a {ty} and has no fields", self.text(operand));
                let label = "only `task` and `passage` have fields".to_owned();
                self.fault("type-error", node, message, label, None);
                return None;
            }
        };
        let label = match known.as_slice() {
            [] => format!("{owner} has no declared fields: list them under tasks.fields"),
            known => format!("{owner} has {}", known.join(", ")),
        };
        let message = format!("{owner} has no field `{field}`");
        let help = suggest(field, known);
        self.fault("unknown-field", node, message, label, help);
        None
    }
}
