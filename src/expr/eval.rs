//! Evaluation of a type-checked expression.

use cel::common::types::{CelBool, CelDouble, CelNull, CelString, CelTimestamp};
use cel::common::value::CowVal;
use cel::context::VariableResolver;

use super::expression::{Expression, PlainReference};
use super::functions::{CelPeriod, ENV, midnight};
use super::lower::CURRENCY_PREFIX;
use super::scope::PASSAGE_FIELDS;
use super::text_lengths::{LONGEST_TEXT, NamedText};
use crate::value::{MoneyAmount, TypedValue};
use crate::world::{Passage, PassageVariant, Task};

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

impl Expression {
    /// Evaluates the expression; `None` is null.
    ///
    /// # Errors
    /// An operation on null, a date outside the calendar, a number that is not finite, or a text that is too long.
    pub fn eval(&self, env: &EvalEnvironment) -> Result<Option<TypedValue>, EvalError> {
        // A value that is only named keeps its type; the interpreter would turn money into a number.
        match &self.plain_reference {
            Some(PlainReference::Step(step)) => {
                return Ok(env.steps.get(*step).copied().flatten().cloned());
            }
            Some(PlainReference::TaskField(field)) => {
                return Ok(env.task.and_then(|t| t.fields.get(field)).cloned());
            }
            None => {}
        }
        // The interpreter has no limit of its own, so the length is bounded before a text is made.
        if self.contains_addition() {
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
        let result = cel::Value::resolve_val(self.tree(), &context)
            .map_err(|error| self.error(describe_error(&error)))?;
        if result.downcast_ref::<CelNull>().is_some() {
            return Ok(None);
        }
        let value = if let Some(b) = result.downcast_ref::<CelBool>() {
            TypedValue::YesNo(*b.inner())
        } else if let Some(n) = result.downcast_ref::<CelDouble>() {
            // Division by zero is no error of the interpreter: it gives an infinite number.
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
        EvalError { expression: self.source().to_owned(), reason }
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
