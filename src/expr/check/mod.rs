//! Type checking: every name must be known, and every operator and function applied to types that it accepts.
//!
//! All faults of an expression are collected. A part whose type is unknown, because it is faulty itself or names a
//! faulty step, causes no further faults where it is used.

mod functions;
mod inferred_type;
mod names;
mod operators;

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr as Node, LiteralValue, operators as cel_operators};

use super::parse::{ExpressionFault, ParsedExpression};
use super::scope::ExpressionScope;
use crate::value::{ValueType, exact_number};
use inferred_type::InferredType;

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
    // Operands are checked before their operator, so faults are found in another order than that of the text.
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

    /// The type of a subexpression; `None` if it is unknown.
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
                // A number of an earlier step may have been computed from money, so it is recorded as well.
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

    /// A number literal must be exactly representable. Not inlined, for the reason given at [`Self::record_equality`].
    #[inline(never)]
    fn check_number_literal(&mut self, node: &IdedExpr) {
        // CEL marks unsigned integers by a `u`.
        let written = self.text(node).trim_end_matches(['u', 'U']).to_owned();
        if written.parse::<f64>().is_ok() && exact_number(&written).is_none() {
            let message = format!("`{written}` has more digits than a number holds");
            let label = "a number of an account, say, is text and must be quoted".to_owned();
            self.fault("expression-unsupported", node, message, label, None);
        }
    }

    /// Rejects `{{ }}` in a text literal, where it would not be filled in. Not inlined, as above.
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

    /// The type of an operator's result or of a function's: the tree has calls for both.
    fn call(&mut self, node: &IdedExpr, call: &CallExpr) -> Option<InferredType> {
        let name = call.func_name.as_str();
        if let (None, [a, b, c]) = (&call.target, call.args.as_slice())
            && name == cel_operators::CONDITIONAL
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
                cel_operators::LOGICAL_NOT => ("!", ValueType::YesNo),
                cel_operators::NEGATE => ("-", ValueType::Number),
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
        if name == cel_operators::INDEX {
            return self.unsupported(node, "an index");
        }
        self.function(node, call)
    }
}

/// The symbol of a binary operator, given its name in the tree.
fn operator_symbol(name: &str) -> Option<&'static str> {
    Some(match name {
        cel_operators::LOGICAL_AND => "&&",
        cel_operators::LOGICAL_OR => "||",
        cel_operators::ADD => "+",
        cel_operators::SUBSTRACT => "-",
        cel_operators::MULTIPLY => "*",
        cel_operators::DIVIDE => "/",
        cel_operators::MODULO => "%",
        cel_operators::EQUALS => "==",
        cel_operators::NOT_EQUALS => "!=",
        cel_operators::LESS => "<",
        cel_operators::LESS_EQUALS => "<=",
        cel_operators::GREATER => ">",
        cel_operators::GREATER_EQUALS => ">=",
        cel_operators::IN => "in",
        _ => return None,
    })
}
