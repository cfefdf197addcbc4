//! Gold rules: which passages are right for a task, as an expression over `passage` and `task`.
//!
//! A rule is evaluated for hundreds of tasks over tens of thousands of passages. Of its conjuncts, those that compare
//! `passage.id`, `.entity` or `.attribute` with something independent of the passage become index look-ups; the others
//! are evaluated only on the passages found.

use cel::IdedExpr;
use cel::common::ast::{Expr as Node, operators};
use rayon::prelude::*;

use super::eval::{EvalEnvironment, EvalError, passage_field};
use super::expression::Expression;
use super::parse::children;
use crate::value::TypedValue;
use crate::world::{Corpus, Task};

/// The passage fields that are indexed.
const KEYS: [&str; 3] = ["id", "entity", "attribute"];

/// The passages of one corpus, indexed by id, entity and attribute.
#[derive(Debug, Default)]
pub struct CorpusIndex {
    /// In the order of [`KEYS`].
    groups_by_key: [PassageGroups; 3],
}

/// Passages grouped by the value of one field.
#[derive(Debug, Default)]
struct PassageGroups {
    /// Hashes of the values, ascending. They replace the values, which would take more memory than all other data about
    /// a passage; collisions of 128 bits of BLAKE3 are negligible.
    hashes: Vec<u128>,
    /// The passages for `hashes[h]` are `passages[starts[h]..starts[h + 1]]`, ascending.
    starts: Vec<u32>,
    passages: Vec<u32>,
}

impl PassageGroups {
    fn new<'a>(values: impl IndexedParallelIterator<Item = Option<&'a str>>) -> PassageGroups {
        let mut all: Vec<(u128, u32)> =
            values.enumerate().map(|(i, value)| (value_hash(value), i as u32)).collect();
        all.par_sort_unstable();
        let mut groups = PassageGroups::default();
        for (i, (hash, passage)) in (0..).zip(all) {
            if groups.hashes.last() != Some(&hash) {
                groups.hashes.push(hash);
                groups.starts.push(i);
            }
            groups.passages.push(passage);
        }
        groups.starts.push(groups.passages.len() as u32);
        groups
    }

    fn get(&self, value: Option<&str>) -> &[u32] {
        match self.hashes.binary_search(&value_hash(value)) {
            Ok(at) => &self.passages[self.starts[at] as usize..self.starts[at + 1] as usize],
            Err(_) => &[],
        }
    }
}

/// The first 128 bits of the BLAKE3 hash; 0 stands for a missing field.
fn value_hash(value: Option<&str>) -> u128 {
    value.map_or(0, |value| {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&blake3::hash(value.as_bytes()).as_bytes()[..16]);
        u128::from_le_bytes(bytes)
    })
}

impl CorpusIndex {
    pub fn new(corpus: &Corpus) -> CorpusIndex {
        CorpusIndex {
            groups_by_key: KEYS.map(|field| {
                PassageGroups::new(corpus.passages.par_iter().map(move |p| passage_field(p, field)))
            }),
        }
    }

    /// The passage with this id.
    pub fn passage_with_id(&self, id: &str) -> Option<u32> {
        self.groups_by_key[0].get(Some(id)).first().copied()
    }

    /// The passages with this text in an indexed field (`id`, `entity`, `attribute`), ascending.
    pub fn passages_with(&self, field: &str, text: &str) -> &[u32] {
        let key = KEYS.iter().position(|key| *key == field);
        key.map_or(&[], |key| self.groups_by_key[key].get(Some(text)))
    }

    /// The passages of this entity, ascending; empty if the corpus has no such entity.
    pub fn passages_of_entity(&self, entity: &str) -> &[u32] {
        self.groups_by_key[1].get(Some(entity))
    }
}

/// A yes_no expression over `passage` and `task`, split into look-ups and other conditions.
#[derive(Clone, Debug)]
pub struct GoldRule {
    /// An index into [`KEYS`], and the expression that the field must equal.
    keys: Vec<(usize, Expression)>,
    /// The other conjuncts, in order.
    conditions: Vec<Expression>,
}

impl GoldRule {
    /// Splits a checked yes_no expression.
    pub fn new(expr: &Expression) -> GoldRule {
        let mut rule = GoldRule { keys: Vec::new(), conditions: Vec::new() };
        let mut pending = vec![expr.tree()];
        while let Some(node) = pending.pop() {
            if let Some([a, b]) = call(node, operators::LOGICAL_AND) {
                pending.push(b);
                pending.push(a);
            } else if let Some((key, value)) = key(node) {
                rule.keys.push((key, expr.subexpression(value)));
            } else {
                rule.conditions.push(expr.subexpression(node));
            }
        }
        rule
    }

    /// The indices of the passages for which the rule is true, ascending. `index` must belong to `corpus`.
    pub fn gold_passages(
        &self,
        corpus: &Corpus,
        index: &CorpusIndex,
        task: &Task,
    ) -> Result<Vec<u32>, EvalError> {
        let mut gold = Vec::new();
        self.search(corpus, index, task, |passage| {
            gold.push(passage);
            true
        })?;
        Ok(gold)
    }

    /// Whether the rule is true for any passage.
    pub fn matches_any(
        &self,
        corpus: &Corpus,
        index: &CorpusIndex,
        task: &Task,
    ) -> Result<bool, EvalError> {
        let mut fits = false;
        self.search(corpus, index, task, |_| {
            fits = true;
            false
        })?;
        Ok(fits)
    }

    /// The indexed fields that the rule compares, with the required value for this task; `None` is null.
    pub fn required_values(
        &self,
        task: &Task,
    ) -> Result<Vec<(&'static str, Option<String>)>, EvalError> {
        let env = EvalEnvironment { task: Some(task), ..EvalEnvironment::default() };
        let wanted = self.keys.iter().map(|(key, expr)| {
            let value = expr.eval(&env)?.map(|value| match value {
                TypedValue::Text(text) => text,
                other => other.to_string(),
            });
            Ok((KEYS[*key], value))
        });
        wanted.collect()
    }

    /// Calls `found` for each passage for which the rule is true, ascending, until it returns false.
    fn search(
        &self,
        corpus: &Corpus,
        index: &CorpusIndex,
        task: &Task,
        mut found: impl FnMut(u32) -> bool,
    ) -> Result<(), EvalError> {
        let mut env = EvalEnvironment { task: Some(task), ..EvalEnvironment::default() };
        let wanted = self.required_values(task)?;
        let lists = self.keys.iter().zip(&wanted);
        let lists =
            lists.map(|((key, _), (_, value))| index.groups_by_key[*key].get(value.as_deref()));
        let mut listed;
        let mut all;
        // The shortest list has the fewest candidates; the other look-ups are checked on each of them.
        let candidates: &mut dyn Iterator<Item = u32> = match lists.min_by_key(|l| l.len()) {
            Some(list) => {
                listed = list.iter().copied();
                &mut listed
            }
            None => {
                all = 0..corpus.passages.len() as u32;
                &mut all
            }
        };
        for i in candidates {
            let passage = &corpus.passages[i as usize];
            let agrees =
                wanted.iter().all(|(key, value)| passage_field(passage, key) == value.as_deref());
            env.passage = Some(passage);
            if agrees && self.conditions_hold(&env)? && !found(i) {
                break;
            }
        }
        Ok(())
    }

    /// Evaluates the other conjuncts with CEL's `&&`: false takes precedence over an error, in any order.
    fn conditions_hold(&self, env: &EvalEnvironment) -> Result<bool, EvalError> {
        let mut outcome = Ok(true);
        for part in &self.conditions {
            match part.eval(env) {
                Ok(Some(TypedValue::YesNo(true))) => {}
                Ok(_) => return Ok(false),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }
}

/// The two arguments of a call to the binary operator `name`.
fn call<'a>(node: &'a IdedExpr, name: &str) -> Option<[&'a IdedExpr; 2]> {
    match &node.expr {
        Node::Call(call) if call.func_name == name && call.target.is_none() => {
            match call.args.as_slice() {
                [a, b] => Some([a, b]),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Matches `passage.F == E` or `E == passage.F` where `E` does not name `passage`: the index of `F` in [`KEYS`], and
/// `E`.
fn key(node: &IdedExpr) -> Option<(usize, &IdedExpr)> {
    let [a, b] = call(node, operators::EQUALS)?;
    [(a, b), (b, a)].into_iter().find_map(|(field, value)| {
        let Node::Select(select) = &field.expr else {
            return None;
        };
        let passage = matches!(&select.operand.expr, Node::Ident(name) if name == "passage");
        if !passage || names_passage(value) {
            return None;
        }
        KEYS.iter().position(|key| *key == select.field).map(|key| (key, value))
    })
}

fn names_passage(node: &IdedExpr) -> bool {
    let mut pending = vec![node];
    while let Some(node) = pending.pop() {
        if matches!(&node.expr, Node::Ident(name) if name == "passage") {
            return true;
        }
        children(node, &mut |child| pending.push(child));
    }
    false
}
