//! Evaluation of a type-checked expression.

use std::fmt;

use cel::IdedExpr;
use cel::common::ast::Expr as Node;
use cel::common::types::{CelBool, CelDouble, CelNull, CelString, CelTimestamp};
use cel::common::value::CowVal;
use cel::context::VariableResolver;

use super::check::{
    AmountUses, CheckedExpression, ExpressionScope, PASSAGE_FIELDS, StepBinding, check,
};
use super::functions::{CelPeriod, ENV, midnight};
use super::lower::{CURRENCY_PREFIX, lower};
use super::parse::{ExpressionFault, ParsedExpression, children};
use super::text_lengths::{LONGEST_TEXT, NamedText, contains_addition};
use crate::value::{MoneyAmount, TypedValue, ValueType};
use crate::world::{Passage, PassageVariant, Task};

/// A CEL expression, parsed and type-checked once.
#[derive(Clone)]
pub struct Expression {
    source: String,
    tree: IdedExpr,
    /// Set if the expression only names a value; the interpreter is then bypassed.
    plain_reference: Option<PlainReference>,
    /// The steps that it names with their indices, sorted by index.
    names: Vec<(usize, String)>,
    ty: Option<ValueType>,
    /// Whether it contains an addition and so can make a text longer than its inputs.
    contains_addition: bool,
    amounts: AmountUses,
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expr").field(&self.source).finish()
    }
}

#[derive(Clone)]
enum PlainReference {
    Step(usize),
    TaskField(String),
}

/// The values that an expression is evaluated on.
#[derive(Clone, Copy, Debug, Default)]
pub struct EvalEnvironment<'a> {
    pub task: Option<&'a Task>,
    pub passage: Option<&'a Passage>,
    /// By step index; `None` is null or unavailable.
    pub steps: &'a [Option<&'a TypedValue>],
}

impl EvalEnvironment<'_> {
    /// The length in bytes of a named value if it is a text, otherwise 0.
    pub(super) fn text_length(&self, named: NamedText) -> usize {
        let value = match named {
            NamedText::Step(step) => self.steps.get(step).copied().flatten(),
            NamedText::TaskField(field) => self.task.and_then(|task| task.fields.get(field)),
            NamedText::PassageField(field) => {
                return self.passage.and_then(|p| passage_field(p, field)).map_or(0, str::len);
            }
        };
        match value {
            Some(TypedValue::Text(text)) => text.len(),
            _ => 0,
        }
    }
}

/// An expression that has no value for this input.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("`{expression}`: {reason}")]
pub struct EvalError {
    pub expression: String,
    pub reason: String,
}

impl EvalError {
    /// Whether the only reason is a missing value.
    pub fn is_null_operand(&self) -> bool {
        self.reason == NULL_OPERAND
    }
}

impl ParsedExpression {
    /// Checks names and types. Returns all faults at once, in source order.
    pub fn check(self, scope: &ExpressionScope) -> Result<Expression, Vec<ExpressionFault>> {
        let checked = check(&self, scope)?;
        let mut names = Vec::new();
        for name in self.names() {
            if let Some(StepBinding::Output { step, .. }) = scope.steps.get(name) {
                names.push((*step, name.to_owned()));
            }
        }
        names.sort();
        Ok(Expression::new(self.source, self.tree, names, checked))
    }
}

impl Expression {
    fn new(
        source: String,
        mut tree: IdedExpr,
        names: Vec<(usize, String)>,
        checked: CheckedExpression,
    ) -> Expression {
        let CheckedExpression { ty, mut amounts, same_money } = checked;
        let plain_reference = match &tree.expr {
            Node::Ident(name) => {
                names.iter().find(|(_, n)| n == name).map(|(step, _)| PlainReference::Step(*step))
            }
            Node::Select(select) if !select.test => match &select.operand.expr {
                Node::Ident(name) if name == "task" => {
                    Some(PlainReference::TaskField(select.field.clone()))
                }
                _ => None,
            },
            _ => None,
        };
        // A result computed from money or percent is a plain number; only a bare name keeps its type.
        let ty = match ty {
            Some(ValueType::Money | ValueType::Percent) if plain_reference.is_none() => {
                Some(ValueType::Number)
            }
            ty => ty,
        };
        if plain_reference.is_some() {
            amounts.result.clear();
        }
        lower(&mut tree, &same_money);
        let contains_addition = contains_addition(&tree);
        Expression { source, tree, plain_reference, names, ty, contains_addition, amounts }
    }

    /// The subexpression `tree` of this expression, which has already been lowered.
    pub(super) fn subexpression(&self, tree: &IdedExpr) -> Expression {
        Expression { tree: tree.clone(), plain_reference: None, ..self.clone() }
    }

    pub(super) fn tree(&self) -> &IdedExpr {
        &self.tree
    }

    /// The source text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The type of its values; `None` if it names a step without a known type.
    pub fn ty(&self) -> Option<ValueType> {
        self.ty
    }

    /// Whether it contains an addition. Without one, no text becomes longer than the inputs.
    pub fn contains_addition(&self) -> bool {
        self.contains_addition
    }

    /// The index of a step that it names.
    pub(super) fn step_index(&self, name: &str) -> Option<usize> {
        self.names.iter().find(|(_, known)| known == name).map(|(step, _)| *step)
    }

    /// The name, if the expression is only a name: `task.fee`, or a step.
    pub fn plain_name(&self) -> Option<&str> {
        self.plain_reference.as_ref().map(|_| self.source.trim())
    }

    /// For each comparison, the names of the money combined in it, and of the numeric steps, which may be computed from
    /// money. Two amounts that are tested for equality are not included, because their currencies are compared as well.
    pub fn compared_amounts(&self) -> &[Vec<String>] {
        &self.amounts.compared
    }

    /// The names of the money, and of numeric steps, that its value is computed from; empty if it is only a name.
    pub fn amounts_in_result(&self) -> &[String] {
        &self.amounts.result
    }

    /// The indices of the steps that it names, ascending.
    pub fn step_indices(&self) -> impl Iterator<Item = usize> {
        self.names.iter().map(|(step, _)| *step)
    }

    /// Whether its value does not depend on any input.
    pub fn is_constant(&self) -> bool {
        let mut pending = vec![&self.tree];
        while let Some(node) = pending.pop() {
            if matches!(node.expr, Node::Ident(_)) {
                return false;
            }
            children(node, &mut |child| pending.push(child));
        }
        true
    }

    /// Evaluates the expression; `None` is null.
    ///
    /// # Errors
    /// An operation on null, a date outside the calendar, a number that is not finite, or a text that is too long.
    pub fn eval(&self, env: &EvalEnvironment) -> Result<Option<TypedValue>, EvalError> {
        match &self.plain_reference {
            Some(PlainReference::Step(step)) => {
                return Ok(env.steps.get(*step).copied().flatten().cloned());
            }
            Some(PlainReference::TaskField(field)) => {
                return Ok(env.task.and_then(|t| t.fields.get(field)).cloned());
            }
            None => {}
        }
        if self.contains_addition {
            let (_, longest) = self.text_lengths(&|named| env.text_length(named));
            if longest > LONGEST_TEXT {
                let reason = format!(
                    "it makes a text of {longest} bytes; at most {LONGEST_TEXT} are allowed"
                );
                return Err(self.error(reason));
            }
        }
        let variables = VariableBindings { env, names: &self.names };
        let mut context = cel::Context::with_env(ENV.clone());
        context.set_variable_resolver(&variables);
        let result = cel::Value::resolve_val(&self.tree, &context)
            .map_err(|error| self.error(describe_error(&error)))?;
        if result.downcast_ref::<CelNull>().is_some() {
            return Ok(None);
        }
        let value = if let Some(b) = result.downcast_ref::<CelBool>() {
            TypedValue::YesNo(*b.inner())
        } else if let Some(n) = result.downcast_ref::<CelDouble>() {
            if !n.inner().is_finite() {
                return Err(self.error("the result is not a finite number".to_owned()));
            }
            TypedValue::Number(*n.inner())
        } else if let Some(s) = result.downcast_ref::<CelString>() {
            TypedValue::Text(s.inner().to_owned())
        } else if let Some(t) = result.downcast_ref::<CelTimestamp>() {
            TypedValue::Date(t.inner().date_naive())
        } else if let Some(period) = result.downcast_ref::<CelPeriod>() {
            TypedValue::Duration(period.0)
        } else {
            let found = result.get_type().name();
            return Err(self.error(format!("the result is a {found}, which is not a value here")));
        };
        Ok(Some(value))
    }

    fn error(&self, reason: String) -> EvalError {
        EvalError { expression: self.source.clone(), reason }
    }
}

/// The reason for a missing value. Such errors are expected; the missing value itself is reported elsewhere.
const NULL_OPERAND: &str = "a value that it needs is null";

/// The interpreter's error in terms of our types.
fn describe_error(error: &cel::ExecutionError) -> String {
    use cel::ExecutionError as E;
    let operands = match error {
        E::NoSuchOverload(overload) => overload.argument_types().to_vec(),
        E::UnsupportedBinaryOperator(_, a, b) | E::ValuesNotComparable(a, b) => {
            vec![a.type_of().to_string(), b.type_of().to_string()]
        }
        E::UnexpectedType { got, .. } => vec![got.clone()],
        E::FunctionError { message, .. } => return message.clone(),
        other => return other.to_string(),
    };
    if operands.iter().any(|ty| ty.starts_with("null")) {
        return NULL_OPERAND.to_owned();
    }
    error.to_string()
}

/// Resolves variables for the interpreter.
struct VariableBindings<'a> {
    env: &'a EvalEnvironment<'a>,
    names: &'a [(usize, String)],
}

impl VariableResolver for VariableBindings<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        if let Some(variable) = variable.strip_prefix(CURRENCY_PREFIX) {
            return Some(match self.money(variable) {
                Some(money) => cel_text(Some(&money.currency)),
                None => CowVal::owned(CelNull),
            });
        }
        // The interpreter tries the longest name first: `task.title` before `task`.
        if let Some(field) = variable.strip_prefix("task.") {
            let task = self.env.task?;
            return Some(cel_value(task.fields.get(field)));
        }
        if let Some(field) = variable.strip_prefix("passage.") {
            let passage = self.env.passage?;
            return PASSAGE_FIELDS
                .contains(&field)
                .then(|| cel_text(passage_field(passage, field)));
        }
        let (step, _) = self.names.iter().find(|(_, name)| name == variable)?;
        Some(cel_value(self.env.steps.get(*step).copied().flatten()))
    }
}

impl<'a> VariableBindings<'a> {
    /// The money that a name refers to; `None` if it is null or another type.
    fn money(&self, variable: &str) -> Option<&'a MoneyAmount> {
        let value = match variable.strip_prefix("task.") {
            Some(field) => self.env.task?.fields.get(field)?,
            None => {
                let (step, _) = self.names.iter().find(|(_, name)| name == variable)?;
                self.env.steps.get(*step).copied().flatten()?
            }
        };
        match value {
            TypedValue::Money(money) => Some(money),
            _ => None,
        }
    }
}

/// The text in a field of a passage; `None` is null.
pub(crate) fn passage_field<'a>(passage: &'a Passage, field: &str) -> Option<&'a str> {
    match field {
        "id" => Some(&passage.id),
        "text" => Some(&passage.text),
        "entity" => passage.entity.as_deref(),
        "attribute" => passage.attribute.as_deref(),
        "of" => passage.of.as_deref(),
        "variant" => passage.variant.map(|variant| match variant {
            PassageVariant::Negation => "negation",
            PassageVariant::RoleSwap => "role_swap",
            PassageVariant::Number => "number",
            PassageVariant::Version => "version",
            PassageVariant::Binding => "binding",
        }),
        _ => None,
    }
}

fn cel_text(text: Option<&str>) -> CowVal<'_, '_> {
    match text {
        Some(text) => CowVal::owned(CelString::from(text)),
        None => CowVal::owned(CelNull),
    }
}

fn cel_value(value: Option<&TypedValue>) -> CowVal<'_, '_> {
    match value {
        None => CowVal::owned(CelNull),
        Some(TypedValue::Text(text)) => cel_text(Some(text)),
        Some(TypedValue::Number(n) | TypedValue::Percent(n)) => CowVal::owned(CelDouble::from(*n)),
        Some(TypedValue::Money(money)) => CowVal::owned(CelDouble::from(money.amount)),
        Some(TypedValue::YesNo(b)) => CowVal::owned(CelBool::from(*b)),
        Some(TypedValue::Date(date)) => CowVal::owned(CelTimestamp::from(midnight(*date))),
        Some(TypedValue::Duration(period)) => CowVal::owned(CelPeriod(*period)),
    }
}
