//! Which passages are right for a task: an expression over `passage` and `task`.
//!
//! A rule is asked for hundreds of tasks over tens of thousands of passages. Of its parts joined by
//! `&&`, those that compare `passage.id`, `.entity` or `.attribute` with something that does not
//! depend on the passage are looked up; only the passages found are tried against the rest.

use cel::IdedExpr;
use cel::common::ast::{Expr as Node, operators};
use rayon::prelude::*;

use super::eval::{Env, EvalError, Expr, passage_field};
use super::parse::children;
use crate::value::Value;
use crate::world::{Corpus, Task};

/// The fields that a corpus is indexed by.
const KEYS: [&str; 3] = ["id", "entity", "attribute"];

/// The passages of one corpus by id, entity and attribute.
#[derive(Debug, Default)]
pub struct CorpusIndex {
    /// In the order of [`KEYS`].
    by: [Groups; 3],
}

/// Passages grouped by the value of one field.
#[derive(Debug, Default)]
struct Groups {
    /// Hashes of the values, ascending. They stand for the values: a clash of 128 bits of blake3 will not
    /// be met, and the values themselves would take more memory than all else that is known of a passage.
    hashes: Vec<u128>,
    /// The passages of hash h are `passages[starts[h]..starts[h + 1]]`, ascending.
    starts: Vec<u32>,
    passages: Vec<u32>,
}

impl Groups {
    fn new<'a>(values: impl IndexedParallelIterator<Item = Option<&'a str>>) -> Groups {
        let mut all: Vec<(u128, u32)> =
            values.enumerate().map(|(i, value)| (hash(value), i as u32)).collect();
        all.par_sort_unstable();
        let mut groups = Groups::default();
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
        match self.hashes.binary_search(&hash(value)) {
            Ok(at) => &self.passages[self.starts[at] as usize..self.starts[at + 1] as usize],
            Err(_) => &[],
        }
    }
}

/// `None`, a field that is not there, is told from every text.
fn hash(value: Option<&str>) -> u128 {
    value.map_or(0, |value| {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&blake3::hash(value.as_bytes()).as_bytes()[..16]);
        u128::from_le_bytes(bytes)
    })
}

impl CorpusIndex {
    pub fn new(corpus: &Corpus) -> CorpusIndex {
        let values = |field: &'static str| {
            Groups::new(corpus.passages.par_iter().map(move |p| passage_field(p, field)))
        };
        CorpusIndex { by: KEYS.map(values) }
    }

    /// The passage with this id.
    pub fn id(&self, id: &str) -> Option<u32> {
        self.by[0].get(Some(id)).first().copied()
    }

    /// The passages with this text in a field that the corpus is indexed by (`id`, `entity`, `attribute`), ascending.
    pub fn with(&self, field: &str, text: &str) -> &[u32] {
        let key = KEYS.iter().position(|key| *key == field);
        key.map_or(&[], |key| self.by[key].get(Some(text)))
    }

    /// The passages of this entity, ascending; none for an entity that the corpus does not know.
    pub fn entity(&self, entity: &str) -> &[u32] {
        self.by[1].get(Some(entity))
    }
}

/// An expression over `passage` and `task` that says which passages are right.
#[derive(Clone, Debug)]
pub struct GoldRule {
    /// An index into [`KEYS`], and what the field is equal to.
    keys: Vec<(usize, Expr)>,
    /// The other parts, in order.
    rest: Vec<Expr>,
}

impl GoldRule {
    /// Splits a checked yes_no expression.
    pub fn new(expr: &Expr) -> GoldRule {
        let mut rule = GoldRule { keys: Vec::new(), rest: Vec::new() };
        let mut pending = vec![expr.tree()];
        while let Some(node) = pending.pop() {
            if let Some([a, b]) = call(node, operators::LOGICAL_AND) {
                pending.push(b);
                pending.push(a);
            } else if let Some((key, value)) = key(node) {
                rule.keys.push((key, expr.part(value)));
            } else {
                rule.rest.push(expr.part(node));
            }
        }
        rule
    }

    /// Ascending indices of the passages for which the rule is true. `index` is that of `corpus`.
    pub fn gold(
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
    pub fn fits(
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

    /// The fields of a passage that the rule compares, and with what for this task; `None` is null.
    pub fn wanted(&self, task: &Task) -> Result<Vec<(&'static str, Option<String>)>, EvalError> {
        let env = Env { task: Some(task), ..Env::default() };
        let wanted = self.keys.iter().map(|(key, expr)| {
            let value = expr.eval(&env)?.map(|value| match value {
                Value::Text(text) => text,
                other => other.to_string(),
            });
            Ok((KEYS[*key], value))
        });
        wanted.collect()
    }

    /// Tells `found` of each passage for which the rule is true, ascending, until it says to stop.
    fn search(
        &self,
        corpus: &Corpus,
        index: &CorpusIndex,
        task: &Task,
        mut found: impl FnMut(u32) -> bool,
    ) -> Result<(), EvalError> {
        let mut env = Env { task: Some(task), ..Env::default() };
        let wanted = self.wanted(task)?;
        let lists = self.keys.iter().zip(&wanted);
        let lists = lists.map(|((key, _), (_, value))| index.by[*key].get(value.as_deref()));
        let mut listed;
        let mut all;
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
            if agrees && self.holds(&env)? && !found(i) {
                break;
            }
        }
        Ok(())
    }

    /// The `&&` of CEL over the rest: false wins over an error, whichever comes first.
    fn holds(&self, env: &Env) -> Result<bool, EvalError> {
        let mut outcome = Ok(true);
        for part in &self.rest {
            match part.eval(env) {
                Ok(Some(Value::YesNo(true))) => {}
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

/// `passage.F == E` or `E == passage.F`: which key `F` is, and `E`, which does not name `passage`.
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
