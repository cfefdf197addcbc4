//! Bounds the length of the texts that expressions make. Only `+` lengthens a text, but a few steps that each double
//! one would exhaust the memory.

use cel::common::ast::{Expr as Node, LiteralValue, operators};

use super::expression::Expression;
use super::functions::SIGNATURES;
use super::parse::children;
use crate::value::ValueType;

/// Maximum length in bytes of a text made by an expression or a template, about three times a whole contract. Anything
/// longer is an error.
pub const LONGEST_TEXT: usize = 1 << 20;

/// Something named by an expression that may be a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedText<'a> {
    /// An earlier step's output, by the step's index.
    Step(usize),
    TaskField(&'a str),
    PassageField(&'a str),
}

impl Expression {
    /// Upper bounds in bytes for the expression's own text and for the longest intermediate text. `length` gives the
    /// length of a named value, 0 if it is not a text.
    pub fn text_lengths(&self, length: &dyn Fn(NamedText) -> usize) -> (usize, usize) {
        let (mut lengths, mut longest) = (Vec::new(), 0);
        // An explicit stack, because expressions may nest deeply. Each node is visited before and after its parts.
        let mut pending = vec![(self.tree(), false)];
        while let Some((node, parts_known)) = pending.pop() {
            let before = pending.len();
            if !parts_known {
                pending.push((node, true));
                children(node, &mut |part| pending.push((part, false)));
                pending[before + 1..].reverse();
                continue;
            }
            let mut count = 0;
            children(node, &mut |_| count += 1);
            let parts = lengths.split_off(lengths.len() - count);
            let bytes = match &node.expr {
                Node::Literal(LiteralValue::String(text)) => text.inner().len(),
                Node::Ident(name) => {
                    self.step_index(name).map_or(0, |step| length(NamedText::Step(step)))
                }
                Node::Select(select) => match &select.operand.expr {
                    Node::Ident(owner) if owner == "task" => {
                        length(NamedText::TaskField(&select.field))
                    }
                    Node::Ident(owner) if owner == "passage" => {
                        length(NamedText::PassageField(&select.field))
                    }
                    _ => 0,
                },
                Node::Call(call) => call_length(&call.func_name, parts),
                _ => parts.into_iter().max().unwrap_or(0),
            };
            longest = bytes.max(longest);
            lengths.push(bytes);
        }
        (lengths.pop().unwrap_or(0), longest)
    }
}

/// Upper bound for the length of the text that a function returns, given the lengths of its arguments.
fn call_length(function: &str, parts: Vec<usize>) -> usize {
    let gives_text =
        || SIGNATURES.iter().any(|s| s.name == function && s.returns == ValueType::Text);
    match function {
        operators::ADD => parts.into_iter().fold(0, usize::saturating_add),
        operators::CONDITIONAL => parts.into_iter().skip(1).max().unwrap_or(0),
        // All text functions return a part of their argument, or the same length in another case.
        _ if gives_text() => parts.into_iter().max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::expr::{ExpressionScope, ParsedExpression, StepBinding};

    fn lengths(source: &str) -> (usize, usize) {
        let fields = BTreeMap::from([
            ("t".to_owned(), ValueType::Text),
            ("n".to_owned(), ValueType::Number),
        ]);
        let steps = BTreeMap::from([(
            "s".to_owned(),
            StepBinding::Output { step: 0, ty: Some(ValueType::Text) },
        )]);
        let scope = ExpressionScope {
            task: Some(&fields),
            passage: false,
            steps: &steps,
            values: &|_| None,
        };
        let expr = ParsedExpression::new(source).unwrap().check(&scope).unwrap();
        expr.text_lengths(&|named| match named {
            NamedText::Step(_) => 10,
            NamedText::TaskField("t") => 100,
            _ => 0,
        })
    }

    #[test]
    fn only_putting_together_makes_a_text_longer() {
        for (source, value, longest) in [
            ("task.t", 100, 100),
            ("task.t + s", 110, 110),
            ("task.t + s + 'abc' + task.t", 213, 213),
            ("(task.t + s) == 'x'", 0, 110),
            ("task.n > 1 ? task.t : s + s", 100, 100),
            ("task.t.contains('a') ? 'yes' : 'no'", 3, 100),
            ("(task.t + task.t).upperAscii().trim()", 200, 200),
            ("size(task.t + s) + 1", 0, 110),
            ("task.t in ['a', s + s]", 0, 100),
            ("task.n + task.n", 0, 0),
        ] {
            assert_eq!(lengths(source), (value, longest), "{source}");
        }
        let deep = vec!["s"; 600].join("+");
        assert_eq!(lengths(&deep), (6000, 6000));
    }
}
