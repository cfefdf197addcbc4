//! How long the texts are that an expression makes: only `+` makes a text longer than those it is given, but a few steps
//! that each double a text fill any memory.

use cel::IdedExpr;
use cel::common::ast::{Expr as Node, LiteralValue, operators};

use super::eval::Expr;
use super::functions::SIGNATURES;
use super::parse::children;
use crate::value::Type;

/// Bytes of the longest text that an expression or a template may make. A whole contract has a third of that; beyond it, what
/// is made is a mistake.
pub const LONGEST_TEXT: usize = 1 << 20;

/// What an expression names that may be a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// An earlier step's output, by the step's index.
    Step(usize),
    TaskField(&'a str),
    PassageField(&'a str),
}

impl Expr {
    /// At most how many bytes its value has as a text, and the longest text on the way there; `length` says it of what is
    /// named, 0 for what is no text.
    pub fn text_lengths(&self, length: &dyn Fn(Named) -> usize) -> (usize, usize) {
        let mut longest = 0;
        let value = bound(self, self.tree(), length, &mut longest);
        (value, longest)
    }
}

fn bound(
    expr: &Expr,
    node: &IdedExpr,
    length: &dyn Fn(Named) -> usize,
    longest: &mut usize,
) -> usize {
    let bytes = match &node.expr {
        Node::Literal(LiteralValue::String(text)) => text.inner().len(),
        Node::Ident(name) => expr.step(name).map_or(0, |step| length(Named::Step(step))),
        Node::Select(select) => match &select.operand.expr {
            Node::Ident(name) if name == "task" => length(Named::TaskField(&select.field)),
            Node::Ident(name) if name == "passage" => length(Named::PassageField(&select.field)),
            _ => 0,
        },
        Node::Call(call) => {
            let parts = call.target.as_deref().into_iter().chain(&call.args);
            let lengths: Vec<usize> =
                parts.map(|part| bound(expr, part, length, longest)).collect();
            let gives_text =
                || SIGNATURES.iter().any(|s| s.name == call.func_name && s.gives == Type::Text);
            match call.func_name.as_str() {
                operators::ADD => lengths.into_iter().fold(0, usize::saturating_add),
                operators::CONDITIONAL => lengths.into_iter().skip(1).fold(0, usize::max),
                // A part of a text, or the text in other letters.
                _ if gives_text() => lengths.into_iter().fold(0, usize::max),
                _ => 0,
            }
        }
        Node::List(list) => {
            let parts = list.elements.iter();
            parts.map(|part| bound(expr, part, length, longest)).fold(0, usize::max)
        }
        _ => 0,
    };
    *longest = bytes.max(*longest);
    bytes
}

/// Whether anything is added in it.
pub(super) fn adds(root: &IdedExpr) -> bool {
    let (mut pending, mut adds) = (vec![root], false);
    while let Some(node) = pending.pop() {
        adds |= matches!(&node.expr, Node::Call(call) if call.func_name == operators::ADD);
        children(node, &mut |child| pending.push(child));
    }
    adds
}
