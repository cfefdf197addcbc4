//! Which passages are right for a task: an expression over `passage` and `task`.
//!
//! A rule is asked for hundreds of tasks over tens of thousands of passages. Of its parts joined by
//! `&&`, those that compare `passage.id`, `.entity` or `.attribute` with something that does not
//! depend on the passage are looked up; only the passages found are tried against the rest.

use std::collections::BTreeMap;

use cel::IdedExpr;
use cel::common::ast::{Expr as Node, operators};

use super::eval::{Env, EvalError, Expr, passage_field};
use super::parse::children;
use crate::value::Value;
use crate::world::{Corpus, Task};

/// The fields that a corpus is indexed by.
const KEYS: [&str; 3] = ["id", "entity", "attribute"];

/// The passages of one corpus by id, entity and attribute.
#[derive(Debug, Default)]
pub struct CorpusIndex {
    /// In the order of [`KEYS`]; `None` gathers the passages without the field. Ascending lists.
    by: [BTreeMap<Option<String>, Vec<u32>>; 3],
}

impl CorpusIndex {
    pub fn new(corpus: &Corpus) -> CorpusIndex {
        let mut index = CorpusIndex::default();
        for (i, passage) in corpus.passages.iter().enumerate() {
            for (map, field) in index.by.iter_mut().zip(KEYS) {
                let key = passage_field(passage, field).map(str::to_owned);
                map.entry(key).or_default().push(i as u32);
            }
        }
        index
    }

    /// The passage with this id.
    pub fn id(&self, id: &str) -> Option<u32> {
        self.get(0, &Some(id.to_owned())).first().copied()
    }

    /// The passages of this entity, ascending; none for an entity that the corpus does not know.
    pub fn entity(&self, entity: &str) -> &[u32] {
        self.get(1, &Some(entity.to_owned()))
    }

    fn get(&self, key: usize, value: &Option<String>) -> &[u32] {
        self.by[key].get(value).map_or(&[], Vec::as_slice)
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
        let mut env = Env { task: Some(task), ..Env::default() };
        let mut wanted = Vec::new();
        for (key, expr) in &self.keys {
            let value = match expr.eval(&env)? {
                None => None,
                Some(Value::Text(text)) => Some(text),
                Some(other) => Some(other.to_string()),
            };
            wanted.push((*key, value));
        }
        let shortest =
            wanted.iter().map(|(key, value)| index.get(*key, value)).min_by_key(|l| l.len());
        let candidates: Vec<u32> = match shortest {
            Some(list) => list.to_vec(),
            None => (0..corpus.passages.len() as u32).collect(),
        };
        let mut gold = Vec::new();
        for i in candidates {
            let passage = &corpus.passages[i as usize];
            let agrees = wanted
                .iter()
                .all(|(key, value)| passage_field(passage, KEYS[*key]) == value.as_deref());
            env.passage = Some(passage);
            if agrees && self.holds(&env)? {
                gold.push(i);
            }
        }
        Ok(gold)
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
