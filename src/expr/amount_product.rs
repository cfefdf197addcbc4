//! Recognises an amount of money within an expression, whose type there is a number: an amount times an amount is not an
//! amount.

use cel::IdedExpr;
use cel::common::ast::{Expr as Node, operators};

use super::scope::{ExpressionScope, StepBinding};
use crate::value::ValueType;

/// Whether the value of a node is an amount: a named amount, a sum or difference with one, or a multiple of one.
pub(super) fn is_amount(node: &IdedExpr, scope: &ExpressionScope) -> bool {
    match &node.expr {
        Node::Ident(name) => matches!(
            scope.steps.get(name),
            Some(StepBinding::Output { ty: Some(ValueType::Money), .. })
        ),
        Node::Select(select) if !select.test => {
            let is_task = matches!(&select.operand.expr, Node::Ident(name) if name == "task");
            is_task
                && scope.task.and_then(|fields| fields.get(&select.field))
                    == Some(&ValueType::Money)
        }
        Node::Call(call) => match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::NEGATE, [a]) => is_amount(a, scope),
            (operators::ADD | operators::SUBSTRACT | operators::MULTIPLY, [a, b]) => {
                is_amount(a, scope) || is_amount(b, scope)
            }
            // A share of an amount is one; the ratio of two amounts is a number.
            (operators::DIVIDE, [a, b]) => is_amount(a, scope) && !is_amount(b, scope),
            (operators::CONDITIONAL, [_, yes, no]) => is_amount(yes, scope) || is_amount(no, scope),
            _ => false,
        },
        _ => false,
    }
}
