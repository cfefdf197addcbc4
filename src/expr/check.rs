//! Type checking: every name must be known, and every operator and function applied to types that it accepts.
//!
//! All faults of an expression are collected. A part whose type is unknown, because it is faulty itself or names a
//! faulty step, causes no further faults where it is used.

use std::collections::BTreeMap;
use std::fmt;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr as Node, LiteralValue, operators};

use super::amount_product::is_amount;
use super::foreign_syntax;
use super::functions::{FunctionSignature, SIGNATURES};
use super::name_values::NameValuesLookup;
use super::parse::{ExpressionFault, ParsedExpression};
use super::suggestions::suggest;
use crate::value::{TypedValue, ValueType, exact_number};

/// The fields of `passage`. All are texts and may be null.
pub const PASSAGE_FIELDS: [&str; 6] = ["id", "text", "entity", "attribute", "of", "variant"];

/// The names that an expression may use.
#[derive(Clone, Copy)]
pub struct ExpressionScope<'a> {
    /// The declared task fields; `None` if the declaration itself is faulty.
    pub task: Option<&'a BTreeMap<String, ValueType>>,
    /// Whether `passage` is available.
    pub passage: bool,
    pub steps: &'a BTreeMap<String, StepBinding>,
    /// The texts that a name can take, if known.
    pub values: &'a NameValuesLookup<'a>,
}

/// What a step id refers to in an expression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StepBinding {
    /// A value, with its type if known.
    Output { step: usize, ty: Option<ValueType> },
    /// The step outputs passages.
    Passages,
    /// The step outputs an action.
    Action,
    /// The step itself is faulty.
    Unknown,
}

/// The type of a subexpression.
#[derive(Clone, Debug, PartialEq)]
enum InferredType {
    Is(ValueType),
    Null,
    List(Option<Box<InferredType>>),
}

impl InferredType {
    /// A representative for all types that can be compared and computed with in the same way.
    fn comparison_class(&self) -> InferredType {
        match self {
            InferredType::Is(ValueType::Money | ValueType::Percent) => {
                InferredType::Is(ValueType::Number)
            }
            other => other.clone(),
        }
    }

    fn is(&self, ty: ValueType) -> bool {
        self.comparison_class() == InferredType::Is(ty)
    }
}

impl fmt::Display for InferredType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InferredType::Is(ty) => ty.fmt(f),
            InferredType::Null => f.write_str("null"),
            InferredType::List(_) => f.write_str("list"),
        }
    }
}

/// The result of checking an expression without faults.
pub(super) struct CheckedExpression {
    /// `None` if it names a step without a known type.
    pub ty: Option<ValueType>,
    pub amounts: AmountUses,
    /// Ids of the nodes that test two amounts of money for equality.
    pub same_money: Vec<u64>,
}

/// Money that is used as a bare number, by name (`task.fee`, `price`), and steps that may be computed from money. The
/// amounts that are compared or added together must have one currency.
#[derive(Clone, Debug, Default)]
pub(super) struct AmountUses {
    /// The names combined in each comparison.
    pub compared: Vec<Vec<String>>,
    /// The names that the value is computed from.
    pub result: Vec<String>,
}

/// Checks an expression. Returns its type and its uses of money, or all faults in source order.
pub(super) fn check(
    parsed: &ParsedExpression,
    scope: &ExpressionScope,
) -> Result<CheckedExpression, Vec<ExpressionFault>> {
    let mut checker = TypeChecker {
        parsed,
        scope,
        faults: Vec::new(),
        amounts: AmountUses::default(),
        same_money: Vec::new(),
    };
    let ty = checker.infer(&parsed.tree);
    if let Some(ty @ (InferredType::List(_) | InferredType::Null)) = &ty {
        let message = format!("the expression gives a {ty}");
        checker.fault("type-error", &parsed.tree, message, "a single value is needed".into(), None);
    }
    if checker.faults.is_empty() {
        let ty = match ty {
            Some(InferredType::Is(ty)) => Some(ty),
            _ => None,
        };
        let TypeChecker { amounts, same_money, .. } = checker;
        return Ok(CheckedExpression { ty, amounts, same_money });
    }
    checker.faults.sort_by_key(|f| (f.span.start, f.span.end));
    Err(checker.faults)
}

struct TypeChecker<'a> {
    parsed: &'a ParsedExpression,
    scope: &'a ExpressionScope<'a>,
    faults: Vec<ExpressionFault>,
    /// During the traversal, `result` collects the names of the current subexpression.
    amounts: AmountUses,
    same_money: Vec<u64>,
}

impl TypeChecker<'_> {
    fn fault(
        &mut self,
        code: &'static str,
        node: &IdedExpr,
        message: String,
        label: String,
        help: Option<String>,
    ) {
        self.faults.push(ExpressionFault {
            code,
            message,
            label,
            help,
            span: self.parsed.span(node),
        });
    }

    fn text(&self, node: &IdedExpr) -> &str {
        &self.parsed.source[self.parsed.span(node)]
    }

    fn infer(&mut self, node: &IdedExpr) -> Option<InferredType> {
        match &node.expr {
            Node::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Some(InferredType::Is(ValueType::YesNo)),
                LiteralValue::Int(_) | LiteralValue::UInt(_) | LiteralValue::Double(_) => {
                    self.check_number_literal(node);
                    Some(InferredType::Is(ValueType::Number))
                }
                LiteralValue::String(text) => {
                    self.reject_template(node, text.inner());
                    Some(InferredType::Is(ValueType::Text))
                }
                LiteralValue::Null => Some(InferredType::Null),
                LiteralValue::Bytes(_) => self.unsupported(node, "bytes"),
            },
            Node::Ident(name) => {
                let ty = self.name(node, name)?;
                if matches!(ty, InferredType::Is(ValueType::Money | ValueType::Number)) {
                    self.amounts.result.push(name.clone());
                }
                Some(ty)
            }
            Node::Select(select) => {
                let ty = self.select(node, &select.operand, &select.field)?;
                if select.test {
                    return Some(InferredType::Is(ValueType::YesNo));
                }
                if ty == InferredType::Is(ValueType::Money) {
                    self.amounts.result.push(format!("task.{}", select.field));
                }
                Some(ty)
            }
            Node::List(list) => {
                let mut element: Option<InferredType> = None;
                for (index, item) in list.elements.iter().enumerate() {
                    let ty = self.infer(item)?;
                    match &element {
                        None => element = Some(ty),
                        Some(first) if first.comparison_class() != ty.comparison_class() => {
                            let message =
                                format!("a list of {first} holds a {ty} at place {}", index + 1);
                            self.fault(
                                "type-error",
                                item,
                                message,
                                "elements have one type".into(),
                                None,
                            );
                            return None;
                        }
                        Some(_) => {}
                    }
                }
                Some(InferredType::List(element.map(Box::new)))
            }
            Node::Call(call) => self.call(node, call),
            Node::Map(_) => self.unsupported(node, "a map"),
            Node::Struct(_) => self.unsupported(node, "a message"),
            Node::Comprehension(_) => {
                self.unsupported(node, "a macro over a list (all, exists, map, filter)")
            }
            Node::Unspecified => self.unsupported(node, "this"),
        }
    }

    /// A number literal must be exactly representable.
    #[inline(never)]
    fn check_number_literal(&mut self, node: &IdedExpr) {
        let written = self.text(node).trim_end_matches(['u', 'U']).to_owned();
        if written.parse::<f64>().is_ok() && exact_number(&written).is_none() {
            let message = format!("`{written}` has more digits than a number holds");
            let label = "a number of an account, say, is text and must be quoted".to_owned();
            self.fault("expression-unsupported", node, message, label, None);
        }
    }

    /// Rejects `{{ }}` in a text literal, where it would not be filled in.
    #[inline(never)]
    fn reject_template(&mut self, node: &IdedExpr, text: &str) {
        if let Some((before, rest)) = text.split_once("{{")
            && let Some((inside, after)) = rest.split_once("}}")
        {
            let parts = [
                (before, format!("\"{before}\"")),
                (inside, inside.trim().to_owned()),
                (after, format!("\"{after}\"")),
            ];
            let parts = parts.into_iter().filter(|(part, _)| !part.trim().is_empty());
            let parts: Vec<String> = parts.map(|(_, written)| written).collect();
            let message = "a text in an expression is not a template".to_owned();
            let label = "`{{ }}` is filled in only in queries".to_owned();
            let help = (!parts.is_empty()).then(|| format!("write {}", parts.join(" + ")));
            self.fault("no-template", node, message, label, help);
        }
    }

    fn unsupported(&mut self, node: &IdedExpr, what: &str) -> Option<InferredType> {
        let message = format!("{what} is not allowed in an expression here");
        let label = "allowed: values, operators, `in [...]`, `c ? a : b` and functions".to_owned();
        self.fault("expression-unsupported", node, message, label, None);
        None
    }

    fn name(&mut self, node: &IdedExpr, name: &str) -> Option<InferredType> {
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
                let outputs = steps.filter(|(_, n)| {
                    matches!(n, StepBinding::Output { .. } | StepBinding::Unknown)
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

    fn select(&mut self, node: &IdedExpr, operand: &IdedExpr, field: &str) -> Option<InferredType> {
        let (owner, known): (&str, Vec<&str>) = match &operand.expr {
            Node::Ident(name) if name == "task" => {
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

    fn call(&mut self, node: &IdedExpr, call: &CallExpr) -> Option<InferredType> {
        let name = call.func_name.as_str();
        if let (None, [a, b, c]) = (&call.target, call.args.as_slice())
            && name == operators::CONDITIONAL
        {
            return self.conditional(node, a, b, c);
        }
        if let (None, [a, b]) = (&call.target, call.args.as_slice())
            && let Some(operator) = operator_symbol(name)
        {
            return self.binary(node, operator, a, b);
        }
        if let (None, [a]) = (&call.target, call.args.as_slice()) {
            let (operator, takes) = match name {
                operators::LOGICAL_NOT => ("!", ValueType::YesNo),
                operators::NEGATE => ("-", ValueType::Number),
                _ => return self.function(node, call),
            };
            let ty = self.infer(a)?;
            if ty.is(takes) {
                return Some(InferredType::Is(takes));
            }
            let message = format!("`{operator}` takes {takes}; here it finds {ty}");
            self.fault("type-error", node, message, format!("`{}` is {ty}", self.text(a)), None);
            return None;
        }
        if name == operators::INDEX {
            return self.unsupported(node, "an index");
        }
        self.function(node, call)
    }

    fn conditional(
        &mut self,
        node: &IdedExpr,
        condition: &IdedExpr,
        yes: &IdedExpr,
        no: &IdedExpr,
    ) -> Option<InferredType> {
        let (test, yes_ty, no_ty) = (self.infer(condition), self.infer(yes), self.infer(no));
        if let Some(ty) = test.filter(|ty| !ty.is(ValueType::YesNo)) {
            let message = format!("the condition before `?` must be yes_no; here it is {ty}");
            self.fault("type-error", condition, message, format!("this is {ty}"), None);
        }
        match (yes_ty?, no_ty?) {
            (InferredType::Null, other) | (other, InferredType::Null) => Some(other),
            (a, b) if a.comparison_class() == b.comparison_class() => Some(a.comparison_class()),
            (a, b) => {
                let message =
                    format!("the two sides of `:` have one type; here they are {a} and {b}");
                self.fault(
                    "type-error",
                    node,
                    message,
                    "the result would be one of these".into(),
                    None,
                );
                None
            }
        }
    }

    fn binary(
        &mut self,
        node: &IdedExpr,
        operator: &str,
        a: &IdedExpr,
        b: &IdedExpr,
    ) -> Option<InferredType> {
        let amounts = self.amounts.result.len();
        let (left, right) = (self.infer(a), self.infer(b));
        if let "==" | "!=" = operator {
            self.record_equality(node, (a, left.as_ref()), (b, right.as_ref()), amounts);
        }
        if let "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" = operator {
            self.record_comparison(amounts);
        }
        if let "&&" | "||" = operator {
            // Both sides are checked independently: a fault on one side does not hide one on the other.
            for (side, ty) in [(a, left), (b, right)] {
                if let Some(ty) = ty.filter(|ty| !ty.is(ValueType::YesNo)) {
                    let message =
                        format!("`{operator}` takes yes_no on both sides; here it finds {ty}");
                    self.fault("type-error", side, message, format!("this is {ty}"), None);
                }
            }
            return Some(InferredType::Is(ValueType::YesNo));
        }
        let (left, right) = (left?, right?);
        let (x, y) = (left.comparison_class(), right.comparison_class());
        let number = InferredType::Is(ValueType::Number);
        let text = InferredType::Is(ValueType::Text);
        let date = InferredType::Is(ValueType::Date);
        let (fine, takes, gives) = match operator {
            "+" if x == text && y == text => return Some(text),
            "+" => (x == number && y == number, "two numbers or two texts", ValueType::Number),
            "-" | "*" | "/" => (x == number && y == number, "two numbers", ValueType::Number),
            "==" | "!=" => {
                let list = matches!(x, InferredType::List(_)) || matches!(y, InferredType::List(_));
                let fine = !list && (x == y || x == InferredType::Null || y == InferredType::Null);
                (fine, "two values of one type", ValueType::YesNo)
            }
            "<" | "<=" | ">" | ">=" => {
                let fine = x == y && [number, text, date].contains(&x);
                (fine, "two numbers, two dates or two texts", ValueType::YesNo)
            }
            "in" => {
                let fine = match &y {
                    InferredType::List(None) => true,
                    InferredType::List(Some(element)) => {
                        element.comparison_class() == x || x == InferredType::Null
                    }
                    _ => false,
                };
                (fine, "a value and a list of its type", ValueType::YesNo)
            }
            _ => return self.unsupported(node, &format!("`{operator}`")),
        };
        if fine {
            return self.check_product(node, operator, a, b).then_some(InferredType::Is(gives));
        }
        let found = match &right {
            InferredType::List(Some(element)) => format!("{left} and a list of {element}"),
            _ => format!("{left} and {right}"),
        };
        let (p, q) = (self.text(a), self.text(b));
        let help = match operator {
            "+" if x.is(ValueType::Date) && y.is(ValueType::Duration) => {
                Some(format!("use {p}.plus({q})"))
            }
            "+" if x.is(ValueType::Duration) && y.is(ValueType::Date) => {
                Some(format!("use {q}.plus({p})"))
            }
            "-" if x.is(ValueType::Date) && y.is(ValueType::Duration) => {
                Some(format!("use {p}.minus({q})"))
            }
            "-" if x.is(ValueType::Date) && y.is(ValueType::Date) => {
                Some(format!("use days_between({q}, {p}) for the days from {q} to {p}"))
            }
            "==" | "!=" | "<" | "<=" | ">" | ">=" => quoted_literal_help(&x, a, &y, b),
            _ => None,
        };
        let help = help.or_else(|| {
            let ordered = !matches!(operator, "==" | "!=" | "in");
            (ordered && x.is(ValueType::Duration) && y.is(ValueType::Duration)).then(|| {
                "a month has no fixed number of days: add both to a date and compare the dates"
                    .to_owned()
            })
        });
        let message = format!("`{operator}` takes {takes}; here it finds {found}");
        self.fault("type-error", node, message, format!("{found} cannot be combined"), help);
        None
    }

    /// Whether an operation is not the product of two amounts of money, which is reported. Not inlined, for the reason
    /// given at [`Self::record_equality`].
    #[inline(never)]
    fn check_product(
        &mut self,
        node: &IdedExpr,
        operator: &str,
        a: &IdedExpr,
        b: &IdedExpr,
    ) -> bool {
        let product = operator == "*" && is_amount(a, self.scope) && is_amount(b, self.scope);
        if product {
            let message = "`*` takes one amount of money at most; here it finds two".to_owned();
            let label = "money times money is not money".to_owned();
            self.fault("type-error", node, message, label, None);
        }
        !product
    }

    /// Moves the names collected since `from` out of the result, because a comparison gives a yes/no. Not inlined, for
    /// the reason given at [`Self::record_equality`].
    #[inline(never)]
    fn record_comparison(&mut self, from: usize) {
        let compared: Vec<String> = self.amounts.result.drain(from..).collect();
        if !compared.is_empty() {
            self.amounts.compared.push(compared);
        }
    }

    /// Records an equality test of two amounts, which compares their currencies too, and drops the names collected
    /// since `amounts`. Not inlined, to keep the stack frames of the recursive [`Self::infer`] small.
    #[inline(never)]
    fn record_equality(
        &mut self,
        node: &IdedExpr,
        (a, left): (&IdedExpr, Option<&InferredType>),
        (b, right): (&IdedExpr, Option<&InferredType>),
        amounts: usize,
    ) {
        let (left_money, right_money) = (is_money_name(a, left), is_money_name(b, right));
        if left_money && right_money {
            self.same_money.push(node.id);
            self.amounts.result.truncate(amounts);
        } else if left_money && matches!(right, Some(InferredType::Null))
            || matches!(left, Some(InferredType::Null)) && right_money
        {
            self.amounts.result.truncate(amounts);
        }
    }

    fn function(&mut self, node: &IdedExpr, call: &CallExpr) -> Option<InferredType> {
        let name = call.func_name.as_str();
        let target = call.target.as_ref().map(|target| self.infer(target));
        let args: Vec<Option<InferredType>> = call.args.iter().map(|arg| self.infer(arg)).collect();
        let named: Vec<&FunctionSignature> = SIGNATURES
            .iter()
            .filter(|s| s.name == name && s.receiver.is_some() == target.is_some())
            .collect();
        if named.is_empty() {
            let other = SIGNATURES.iter().find(|s| s.name == name);
            let names = SIGNATURES.iter().filter(|s| s.receiver.is_some() == target.is_some());
            let mut names: Vec<&str> = names.map(|s| s.name).collect();
            names.dedup();
            let help = match other {
                Some(s) => Some(format!("it is written {}", format_signature(s))),
                None => foreign_syntax::function_equivalent(name)
                    .map(|write| format!("write `{write}`"))
                    .or_else(|| suggest(name, names.iter().copied())),
            };
            let message = format!("there is no function `{name}`");
            self.fault(
                "unknown-function",
                node,
                message,
                format!("there are {}", names.join(", ")),
                help,
            );
            return None;
        }
        let target = match target {
            Some(ty) => Some(ty?),
            None => None,
        };
        let args: Vec<InferredType> = args.into_iter().collect::<Option<_>>()?;
        let fitting = named.iter().find(|s| {
            s.receiver.is_none_or(|on| target.as_ref().is_some_and(|ty| ty.is(on)))
                && s.parameters.len() == args.len()
                && s.parameters.iter().zip(&args).all(|(takes, ty)| ty.is(*takes))
        });
        let Some(signature) = fitting else {
            let ways: Vec<String> = named.iter().map(|s| format_signature(s)).collect();
            let found: Vec<String> = args.iter().map(InferredType::to_string).collect();
            let found = match &target {
                Some(ty) => format!("{ty}.{name}({})", found.join(", ")),
                None => format!("{name}({})", found.join(", ")),
            };
            let message = format!("`{name}` is written {}; here it is {found}", ways.join(" or "));
            self.fault("type-error", node, message, format!("this is {found}"), None);
            return None;
        };
        self.check_literal(call, signature);
        self.check_pattern(call);
        Some(InferredType::Is(signature.returns))
    }

    /// Compiles a literal pattern, so that an invalid one is reported now.
    fn check_pattern(&mut self, call: &CallExpr) {
        let ("matches", Some(arg)) = (call.func_name.as_str(), call.args.first()) else {
            return;
        };
        let Node::Literal(LiteralValue::String(text)) = &arg.expr else {
            return;
        };
        if let Err(error) = regex::Regex::new(text.inner()) {
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason).to_owned();
            let message = format!("`{}` is not a regular expression", text.inner());
            self.fault("bad-pattern", arg, message, reason, None);
        }
    }

    /// Parses a literal date or duration, so that an invalid one is reported now.
    fn check_literal(&mut self, call: &CallExpr, signature: &FunctionSignature) {
        let (Some(arg), "date" | "duration") = (call.args.first(), signature.name) else {
            return;
        };
        let Node::Literal(LiteralValue::String(text)) = &arg.expr else {
            return;
        };
        if let Err(error) = TypedValue::parse(signature.returns, text.inner()) {
            let code = if signature.name == "date" { "bad-date" } else { "bad-duration" };
            let message = format!("`{}` is not a {}", error.found, error.wanted);
            let unit = error.found.split_whitespace().find_map(|word| {
                suggest(word, ["day", "days", "week", "weeks", "month", "months", "year", "years"])
            });
            let help = unit.filter(|_| signature.name == "duration");
            self.fault(code, arg, message, format!("allowed: {}", error.allowed), help);
        }
    }
}

fn is_money_name(node: &IdedExpr, ty: Option<&InferredType>) -> bool {
    ty == Some(&InferredType::Is(ValueType::Money))
        && matches!(node.expr, Node::Ident(_) | Node::Select(_))
}

/// Suggests the missing conversion of a text literal: `task.day == "2024-01-31"` lacks `date(...)`.
fn quoted_literal_help(
    x: &InferredType,
    a: &IdedExpr,
    y: &InferredType,
    b: &IdedExpr,
) -> Option<String> {
    let (other, node) = match (x, y) {
        (other, InferredType::Is(ValueType::Text)) => (other, b),
        (InferredType::Is(ValueType::Text), other) => (other, a),
        _ => return None,
    };
    let Node::Literal(LiteralValue::String(text)) = &node.expr else {
        return None;
    };
    let text = text.inner();
    match other {
        InferredType::Is(ValueType::Date) => Some(format!("a date is written date(\"{text}\")")),
        InferredType::Is(ValueType::Duration) => {
            Some(format!("a duration is written duration(\"{text}\")"))
        }
        InferredType::Is(ValueType::Number) => {
            text.parse::<f64>().ok().map(|n| format!("a number is written without quotes: {n}"))
        }
        InferredType::Is(ValueType::YesNo) => {
            Some("yes_no is written true or false, without quotes".to_owned())
        }
        _ => None,
    }
}

/// A signature as shown in messages: `date.plus(duration)`.
fn format_signature(signature: &FunctionSignature) -> String {
    let takes: Vec<&str> = signature.parameters.iter().map(|ty| ty.name()).collect();
    let on = signature.receiver.map(|ty| format!("{ty}.")).unwrap_or_default();
    format!("{on}{}({})", signature.name, takes.join(", "))
}

/// The symbol of a binary operator, given its name in the tree.
fn operator_symbol(name: &str) -> Option<&'static str> {
    Some(match name {
        operators::LOGICAL_AND => "&&",
        operators::LOGICAL_OR => "||",
        operators::ADD => "+",
        operators::SUBSTRACT => "-",
        operators::MULTIPLY => "*",
        operators::DIVIDE => "/",
        operators::MODULO => "%",
        operators::EQUALS => "==",
        operators::NOT_EQUALS => "!=",
        operators::LESS => "<",
        operators::LESS_EQUALS => "<=",
        operators::GREATER => ">",
        operators::GREATER_EQUALS => ">=",
        operators::IN => "in",
        _ => return None,
    })
}
