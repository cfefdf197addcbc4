//! The values that a reader can give in place of the right one, whether misread or fabricated.
//!
//! A wrong answer propagates through later steps, so it must be a concrete value. A pool holds values that the corpus
//! states for the field and, if they are few, values near them: other days, other amounts, a name that matches nothing.
//! A yes/no pool always holds both values, because labels restrict what contracts state, not what a reader can answer.

use rayon::prelude::*;

use super::near_values::near;
use crate::value::{Type, Value};
use crate::world::Corpus;

/// Maximum number of stated values in a [`ValuePool`]. It bounds the state space, and the manifest states it.
pub const POOL: usize = 8;

/// A pool with fewer stated values than this is extended by values near them. Two values may be excluded, the one that
/// the passage states and the right one, and a choice must remain.
pub const FEW: usize = 4;

/// The values of a field that a reader can give, each with its weight.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValuePool {
    /// A stated value is weighted by the number of passages that state it; an added value has weight 1.
    pub values: Vec<(Value, f64)>,
}

impl ValuePool {
    /// The pool of a field: stated values at even steps of the sorted distinct ones, extended by nearby values if they
    /// are few. Empty if no passage states the field.
    pub fn of(corpus: &Corpus, field: &str) -> ValuePool {
        let facts = corpus.passages.iter().filter_map(|p| p.facts.get(field));
        let mut stated: Vec<&Value> = facts.collect();
        if stated.first().is_some_and(|value| value.type_of() == Type::YesNo) {
            return ValuePool { values: [true, false].map(|yes| (Value::YesNo(yes), 1.0)).into() };
        }
        stated.par_sort_by(|a, b| order(a, b));
        let mut distinct: Vec<(&Value, f64)> = Vec::new();
        for value in stated {
            match distinct.last_mut() {
                Some((last, count)) if *last == value => *count += 1.0,
                _ => distinct.push((value, 1.0)),
            }
        }
        let size = POOL.min(distinct.len());
        // Midpoints of `size` equal sections, so that a few extreme values do not dominate.
        let at = |i: usize| {
            let (value, count) = distinct[(2 * i + 1) * distinct.len() / (2 * size)];
            (value.clone(), count)
        };
        let mut pool = ValuePool { values: (0..size).map(at).collect() };
        if distinct.len() < FEW {
            pool.fill_up(corpus.choices.get(field));
        }
        pool
    }

    /// Adds the other choices of a choice field; for other fields, values near the stated ones, taking turns and
    /// starting with the most frequent one.
    fn fill_up(&mut self, choices: Option<&Vec<Value>>) {
        let mut stated = self.values.clone();
        stated.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        for choice in choices.into_iter().flatten() {
            self.add(choice.clone());
        }
        if choices.is_some() && self.values.len() > 1 {
            return;
        }
        let mut near: Vec<_> = stated.iter().map(|(value, _)| near(value).into_iter()).collect();
        while self.values.len() < FEW {
            let round: Vec<Value> = near.iter_mut().filter_map(Iterator::next).collect();
            if round.is_empty() {
                return;
            }
            for value in round {
                if self.values.len() < FEW {
                    self.add(value);
                }
            }
        }
    }

    fn add(&mut self, value: Value) {
        if self.values.iter().all(|(known, _)| *known != value) {
            self.values.push((value, 1.0));
        }
    }

    /// The values except those in `ruled_out`, with normalised weights; empty if none remains.
    pub fn without(&self, ruled_out: &[Option<&Value>]) -> Vec<(&Value, f64)> {
        let left = || self.values.iter().filter(|(value, _)| !ruled_out.contains(&Some(value)));
        let total: f64 = left().map(|(_, weight)| weight).sum();
        left().map(|(value, weight)| (value, weight / total)).collect()
    }
}

/// Orders values of one type by magnitude, texts alphabetically.
fn order(a: &Value, b: &Value) -> std::cmp::Ordering {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) | (Value::Percent(a), Value::Percent(b)) => {
            a.total_cmp(b)
        }
        (Value::Money(a), Value::Money(b)) => {
            a.currency.cmp(&b.currency).then(a.amount.total_cmp(&b.amount))
        }
        (Value::Duration(a), Value::Duration(b)) => (a.months, a.days).cmp(&(b.months, b.days)),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        _ => a.key().cmp(&b.key()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::world::Passage;

    pub(super) fn stating(values: &[(Type, &str)]) -> Corpus {
        let passage = |(i, &(ty, value)): (usize, &(Type, &str))| Passage {
            id: i.to_string(),
            text: String::new(),
            entity: None,
            attribute: None,
            facts: BTreeMap::from([("f".to_owned(), Value::parse(ty, value).unwrap())]),
            of: None,
            variant: None,
        };
        let passages = values.iter().enumerate().map(passage).collect();
        Corpus { name: "c".to_owned(), passages, ..Corpus::default() }
    }

    fn pool(values: &[(Type, &str)]) -> Vec<String> {
        let pool = ValuePool::of(&stating(values), "f");
        pool.values.iter().map(|(value, _)| value.to_string()).collect()
    }

    #[test]
    fn a_rare_value_stays_in_the_pool_and_rare() {
        let mut values = vec![(Type::Number, "1"); 24];
        values.push((Type::Number, "2"));
        let pool = ValuePool::of(&stating(&values), "f").values;
        let weights: Vec<f64> = pool.iter().map(|(_, weight)| *weight).collect();
        assert_eq!(weights, [24.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn a_yes_or_no_can_be_both_whatever_is_labelled() {
        assert_eq!(pool(&[(Type::YesNo, "yes"); 3]), ["yes", "no"]);
        assert_eq!(pool(&[(Type::YesNo, "no")]), ["yes", "no"]);
        let pool = ValuePool::of(&stating(&[(Type::YesNo, "yes"); 9]), "f");
        let yes = Value::YesNo(true);
        assert_eq!(pool.without(&[Some(&yes)]), [(&Value::YesNo(false), 1.0)]);
    }

    #[test]
    fn few_stated_values_are_joined_by_values_near_them() {
        for (ty, stated, expected) in [
            (Type::Date, "2024-02-29", ["2024-02-29", "2024-03-01", "2025-02-28", "2024-01-29"]),
            (Type::Number, "12", ["12", "13", "120", "11"]),
            (Type::Percent, "8.5%", ["8.5%", "8.6%", "85%", "8.4%"]),
            (
                Type::Money,
                "USD 1200",
                ["USD 1200.00", "USD 1201.00", "USD 12000.00", "USD 1199.00"],
            ),
            (Type::Duration, "30 days", ["30 days", "60 days", "15 days", "31 days"]),
            (Type::Duration, "1 year", ["1 year", "2 years", "6 months", "1 year 1 month"]),
        ] {
            assert_eq!(pool(&[(ty, stated)]), expected, "{ty}");
        }
        assert_eq!(pool(&[(Type::Text, "Delaware")]), ["Delaware", "Nonesuch"]);
        // Taking turns, starting with the most frequent value.
        let two = [(Type::Number, "7"), (Type::Number, "5"), (Type::Number, "7")];
        assert_eq!(pool(&two), ["5", "7", "8", "6"]);
        // Enough stated values: nothing is added.
        let four = ["1", "2", "3", "4"].map(|n| (Type::Number, n));
        assert_eq!(pool(&four).len(), 4);
    }

    #[test]
    fn the_other_choices_of_a_field_are_near_enough() {
        let mut corpus = stating(&[(Type::Text, "seller"); 2]);
        let choices = ["buyer", "seller"].map(|choice| Value::Text(choice.to_owned()));
        corpus.choices.insert("f".to_owned(), choices.into());
        let pool = ValuePool::of(&corpus, "f");
        let names: Vec<String> = pool.values.iter().map(|(value, _)| value.to_string()).collect();
        assert_eq!(names, ["seller", "buyer"]);
    }

    proptest::proptest! {
        /// Whichever value is stated, and whatever a wrong passage states as well, another answer remains.
        #[test]
        fn something_else_can_always_be_said(ty in 0usize..7, n in 0u32..4000, m in 0u32..4000) {
            let ty = Type::ALL[ty];
            let value = |n: u32| match ty {
                Type::Text => Value::Text(n.to_string()),
                Type::Number => Value::Number(f64::from(n) / 8.0),
                Type::YesNo => Value::YesNo(n.is_multiple_of(2)),
                Type::Percent => Value::Percent(f64::from(n)),
                Type::Date => Value::parse(ty, &format!("{:04}-01-31", n.max(1))).unwrap(),
                Type::Duration => Value::parse(ty, &format!("{n} days")).unwrap(),
                Type::Money => Value::parse(ty, &format!("USD {n}")).unwrap(),
            };
            let (right, wrong) = (value(n), value(m));
            let texts = [(ty, right.to_string()), (ty, wrong.to_string())];
            let texts = texts.each_ref().map(|(ty, text)| (*ty, text.as_str()));
            let pool = ValuePool::of(&stating(&texts), "f");
            proptest::prop_assert!(!pool.without(&[Some(&right)]).is_empty());
            let rest = pool.without(&[Some(&right), Some(&wrong)]);
            proptest::prop_assert!(ty == Type::YesNo || !rest.is_empty(), "{right} {wrong}");
            let total: f64 = rest.iter().map(|(_, share)| share).sum();
            proptest::prop_assert!(rest.is_empty() || (total - 1.0).abs() < 1e-12);
            proptest::prop_assert!(pool.values.len() <= POOL);
        }
    }
}
