//! From what the type check accepts to what the interpreter computes with.
//!
//! We have one `number`, CEL has whole and other numbers that do not mix: all of ours become
//! doubles. `has(x)` means `x != null`, because every field that is declared can be named.

use cel::IdedExpr;
use cel::common::ast::{CallExpr, Expr as Node, LiteralValue, SelectExpr, operators};

use super::functions::{PERIOD, SIGNATURES};

/// Rewrites `node` in place.
pub(super) fn lower(node: &mut IdedExpr) {
    match &mut node.expr {
        Node::Literal(literal) => {
            let double = match literal {
                LiteralValue::Int(n) => *n.inner() as f64,
                LiteralValue::UInt(n) => *n.inner() as f64,
                _ => return,
            };
            *literal = LiteralValue::Double(double.into());
        }
        Node::List(list) => list.elements.iter_mut().for_each(lower),
        Node::Select(select) => {
            lower(&mut select.operand);
            if select.test {
                let value = SelectExpr { test: false, ..std::mem::take(select) };
                let null = Node::Literal(LiteralValue::Null);
                node.expr = call(operators::NOT_EQUALS, vec![Node::Select(value), null]);
            }
        }
        Node::Call(c) => {
            c.target.as_deref_mut().into_iter().chain(&mut c.args).for_each(lower);
            let method = c.target.is_some();
            let signature =
                SIGNATURES.iter().find(|s| s.name == c.func_name && s.on.is_some() == method);
            match signature {
                Some(s) if s.name == "duration" => PERIOD.clone_into(&mut c.func_name),
                Some(s) if s.whole => {
                    let inner = Node::Call(std::mem::take(c));
                    node.expr = call("double", vec![inner]);
                }
                _ => {}
            }
        }
        _ => {}
    }
}

fn call(name: &str, args: Vec<Node>) -> Node {
    let args = args.into_iter().map(|expr| IdedExpr { id: 0, expr }).collect();
    Node::Call(CallExpr { func_name: name.to_owned(), target: None, args })
}
