//! A type-checked expression, and what can be said about it without evaluating it.

use std::fmt;

use cel::IdedExpr;
use cel::common::ast::{Expr as Node, operators};

use super::check::{AmountUses, CheckedExpression, check};
use super::lower::lower;
use super::parse::{ExpressionFault, ParsedExpression, children};
use super::scope::{ExpressionScope, StepBinding};
use crate::value::ValueType;

/// A CEL expression, parsed and type-checked once.
#[derive(Clone)]
pub struct Expression {
    source: String,
    tree: IdedExpr,
    /// Set if the expression only names a value; the interpreter is then bypassed.
    pub(super) plain_reference: Option<PlainReference>,
    /// The steps that it names with their indices, sorted by index.
    pub(super) names: Vec<(usize, String)>,
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

/// What an expression names that does nothing else.
#[derive(Clone)]
pub(super) enum PlainReference {
    Step(usize),
    TaskField(String),
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
            // `has(task.x)` only tests the field, so it is no reference to its value.
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
        // A value that is only named is not computed with, so its currency is kept with it.
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
}

/// Whether the expression contains an addition.
fn contains_addition(root: &IdedExpr) -> bool {
    // An explicit stack, because expressions may nest deeply.
    let (mut pending, mut adds) = (vec![root], false);
    while let Some(node) = pending.pop() {
        adds |= matches!(&node.expr, Node::Call(call) if call.func_name == operators::ADD);
        children(node, &mut |child| pending.push(child));
    }
    adds
}
