//! Lowers a type-checked expression to the form that the interpreter evaluates.
//!
//! We have one `number`, while CEL's integers and doubles do not mix, so all numbers become doubles. `has(x)` becomes
//! `x != null`, because every declared field can be named.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr as Node, LiteralValue, SelectExpr, operators};

use super::functions::{PERIOD, SIGNATURES};

/// Prefix that turns the name of an amount into the name of its currency. Names in the language contain no colon, so
/// there is no conflict.
pub(super) const CURRENCY_PREFIX: &str = "currency:";

/// Rewrites `node` in place; the nodes with ids in `same_money` compare two amounts of money by currency as well.
pub(super) fn lower(node: &mut IdedExpr, same_money: &[u64]) {
    compare_currencies(node, same_money);
    match &mut node.expr {
        Node::Literal(literal) => {
            let double = match literal {
                LiteralValue::Int(n) => *n.inner() as f64,
                LiteralValue::UInt(n) => *n.inner() as f64,
                _ => return,
            };
            *literal = LiteralValue::Double(double.into());
        }
        Node::List(list) => {
            list.elements.iter_mut().for_each(|element| lower(element, same_money));
        }
        Node::Select(select) => {
            lower(&mut select.operand, same_money);
            if select.test {
                let value = SelectExpr { test: false, ..std::mem::take(select) };
                let null = Node::Literal(LiteralValue::Null);
                node.expr = call(operators::NOT_EQUALS, vec![Node::Select(value), null]);
            }
        }
        Node::Call(c) => {
            let parts = c.target.as_deref_mut().into_iter().chain(&mut c.args);
            parts.for_each(|part| lower(part, same_money));
            let method = c.target.is_some();
            let signature =
                SIGNATURES.iter().find(|s| s.name == c.func_name && s.receiver.is_some() == method);
            match signature {
                Some(s) if s.name == "duration" => PERIOD.clone_into(&mut c.func_name),
                Some(s) if s.returns_integer => {
                    let inner = Node::Call(std::mem::take(c));
                    node.expr = call("double", vec![inner]);
                }
                _ => {}
            }
        }
        _ => {}
    }
}

/// Makes `a == b` of two amounts compare their currencies as well. Not inlined, to keep the stack frames of the
/// recursive [`lower`] small.
#[inline(never)]
fn compare_currencies(node: &mut IdedExpr, same_money: &[u64]) {
    if same_money.contains(&node.id)
        && let Node::Call(comparison) = &node.expr
        && let [a, b] = comparison.args.as_slice()
        && let (Some(one), Some(other)) = (currency_name(a), currency_name(b))
    {
        let differ = comparison.func_name == operators::NOT_EQUALS;
        let amounts =
            Node::Call(CallExpr { func_name: operators::EQUALS.to_owned(), ..comparison.clone() });
        let currencies = call(operators::EQUALS, vec![one, other]);
        let same = call(operators::LOGICAL_AND, vec![currencies, amounts]);
        node.expr = if differ { call(operators::LOGICAL_NOT, vec![same]) } else { same };
        node.id = 0;
    }
}

/// The name for the currency of `task.fee` or of a step.
fn currency_name(amount: &IdedExpr) -> Option<Node> {
    let name = match &amount.expr {
        Node::Ident(name) => name.clone(),
        Node::Select(select) => format!("task.{}", select.field),
        _ => return None,
    };
    Some(Node::Ident(format!("{CURRENCY_PREFIX}{name}")))
}

fn call(name: &str, args: Vec<Node>) -> Node {
    let args = args.into_iter().map(|expr| IdedExpr { id: 0, expr }).collect();
    Node::Call(CallExpr { func_name: name.to_owned(), target: None, args })
}
