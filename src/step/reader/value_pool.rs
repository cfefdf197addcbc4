//! The values that a reader can give in place of the right one, whether misread or fabricated.
//!
//! A wrong answer propagates through later steps, so it must be a concrete value. A pool holds values that the corpus
//! states for the field and, if they are few, values near them: other days, other amounts, a name that matches nothing.
//! A yes/no pool always holds both values, because labels restrict what contracts state, not what a reader can answer.

use rayon::prelude::*;

use super::near_values::near_values;
use crate::value::{TypedValue, ValueType};
use crate::world::Corpus;

/// Maximum number of stated values in a [`ValuePool`]. It bounds the state space, and the manifest states it.
pub const MAX_POOL: usize = 8;

/// A pool with fewer stated values than this is extended by values near them. Two values may be excluded, the one that
/// the passage states and the right one, and a choice must remain.
pub const MIN_POOL: usize = 4;

/// The values of a field that a reader can give, each with its weight.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ValuePool {
    /// A stated value is weighted by the number of passages that state it; an added value has weight 1.
    pub values: Vec<(TypedValue, f64)>,
}

impl ValuePool {
    /// The pool of a field: stated values at even steps of the sorted distinct ones, extended by nearby values if they
    /// are few. Empty if no passage states the field.
    pub fn for_field(corpus: &Corpus, field: &str) -> ValuePool {
        let facts = corpus.passages.iter().filter_map(|p| p.facts.get(field));
        let mut stated: Vec<&TypedValue> = facts.collect();
        if stated.first().is_some_and(|value| value.type_of() == ValueType::YesNo) {
            return ValuePool {
                values: [true, false].map(|yes| (TypedValue::YesNo(yes), 1.0)).into(),
            };
        }
        stated.par_sort_by(|a, b| compare_values(a, b));
        let mut distinct: Vec<(&TypedValue, f64)> = Vec::new();
        for value in stated {
            match distinct.last_mut() {
                Some((last, count)) if *last == value => *count += 1.0,
                _ => distinct.push((value, 1.0)),
            }
        }
        let size = MAX_POOL.min(distinct.len());
        // Midpoints of `size` equal sections, so that a few extreme values do not dominate.
        let at = |i: usize| {
            let (value, count) = distinct[(2 * i + 1) * distinct.len() / (2 * size)];
            (value.clone(), count)
        };
        let mut pool = ValuePool { values: (0..size).map(at).collect() };
        if distinct.len() < MIN_POOL {
            pool.extend_with_nearby(corpus.choices.get(field));
        }
        pool
    }

    /// Adds the other choices of a choice field; for other fields, values near the stated ones, taking turns and
    /// starting with the most frequent one.
    fn extend_with_nearby(&mut self, choices: Option<&Vec<TypedValue>>) {
        let mut stated = self.values.clone();
        stated.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        for choice in choices.into_iter().flatten() {
            self.add(choice.clone());
        }
        if choices.is_some() && self.values.len() > 1 {
            return;
        }
        let mut near: Vec<_> =
            stated.iter().map(|(value, _)| near_values(value).into_iter()).collect();
        while self.values.len() < MIN_POOL {
            let round: Vec<TypedValue> = near.iter_mut().filter_map(Iterator::next).collect();
            if round.is_empty() {
                return;
            }
            for value in round {
                if self.values.len() < MIN_POOL {
                    self.add(value);
                }
            }
        }
    }

    fn add(&mut self, value: TypedValue) {
        if self.values.iter().all(|(known, _)| *known != value) {
            self.values.push((value, 1.0));
        }
    }

    /// The values except those in `ruled_out`, with normalised weights; empty if none remains.
    pub fn excluding(&self, ruled_out: &[Option<&TypedValue>]) -> Vec<(&TypedValue, f64)> {
        let left = || self.values.iter().filter(|(value, _)| !ruled_out.contains(&Some(value)));
        let total: f64 = left().map(|(_, weight)| weight).sum();
        left().map(|(value, weight)| (value, weight / total)).collect()
    }
}

/// Orders values of one type by magnitude, texts alphabetically.
fn compare_values(a: &TypedValue, b: &TypedValue) -> std::cmp::Ordering {
    match (a, b) {
        (TypedValue::Number(a), TypedValue::Number(b))
        | (TypedValue::Percent(a), TypedValue::Percent(b)) => a.total_cmp(b),
        (TypedValue::Money(a), TypedValue::Money(b)) => {
            a.currency.cmp(&b.currency).then(a.amount.total_cmp(&b.amount))
        }
        (TypedValue::Duration(a), TypedValue::Duration(b)) => {
            (a.months, a.days).cmp(&(b.months, b.days))
        }
        (TypedValue::Date(a), TypedValue::Date(b)) => a.cmp(b),
        (TypedValue::Text(a), TypedValue::Text(b)) => a.cmp(b),
        _ => a.key().cmp(&b.key()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::world::Passage;

    pub(super) fn stating(values: &[(ValueType, &str)]) -> Corpus {
        let passage = |(i, &(ty, value)): (usize, &(ValueType, &str))| Passage {
            id: i.to_string(),
            text: String::new(),
            entity: None,
            attribute: None,
            facts: BTreeMap::from([("f".to_owned(), TypedValue::parse(ty, value).unwrap())]),
            of: None,
            variant: None,
        };
        let passages = values.iter().enumerate().map(passage).collect();
        Corpus { name: "c".to_owned(), passages, ..Corpus::default() }
    }

    fn pool(values: &[(ValueType, &str)]) -> Vec<String> {
        let pool = ValuePool::for_field(&stating(values), "f");
        pool.values.iter().map(|(value, _)| value.to_string()).collect()
    }

    #[test]
    fn a_rare_value_stays_in_the_pool_and_rare() {
        let mut values = vec![(ValueType::Number, "1"); 24];
        values.push((ValueType::Number, "2"));
        let pool = ValuePool::for_field(&stating(&values), "f").values;
        let weights: Vec<f64> = pool.iter().map(|(_, weight)| *weight).collect();
        assert_eq!(weights, [24.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn a_yes_or_no_can_be_both_whatever_is_labelled() {
        assert_eq!(pool(&[(ValueType::YesNo, "yes"); 3]), ["yes", "no"]);
        assert_eq!(pool(&[(ValueType::YesNo, "no")]), ["yes", "no"]);
        let pool = ValuePool::for_field(&stating(&[(ValueType::YesNo, "yes"); 9]), "f");
        let yes = TypedValue::YesNo(true);
        assert_eq!(pool.excluding(&[Some(&yes)]), [(&TypedValue::YesNo(false), 1.0)]);
    }

    #[test]
    fn few_stated_values_are_joined_by_values_near_them() {
        for (ty, stated, expected) in [
            (
                ValueType::Date,
                "2024-02-29",
                ["2024-02-29", "2024-03-01", "2025-02-28", "2024-01-29"],
            ),
            (ValueType::Number, "12", ["12", "13", "120", "11"]),
            (ValueType::Percent, "8.5%", ["8.5%", "8.6%", "85%", "8.4%"]),
            (
                ValueType::Money,
                "USD 1200",
                ["USD 1200.00", "USD 1201.00", "USD 12000.00", "USD 1199.00"],
            ),
            (ValueType::Duration, "30 days", ["30 days", "60 days", "15 days", "31 days"]),
            (ValueType::Duration, "1 year", ["1 year", "2 years", "6 months", "1 year 1 month"]),
        ] {
            assert_eq!(pool(&[(ty, stated)]), expected, "{ty}");
        }
        assert_eq!(pool(&[(ValueType::Text, "Delaware")]), ["Delaware", "Nonesuch"]);
        // Taking turns, starting with the most frequent value.
        let two = [(ValueType::Number, "7"), (ValueType::Number, "5"), (ValueType::Number, "7")];
        assert_eq!(pool(&two), ["5", "7", "8", "6"]);
        // Enough stated values: nothing is added.
        let four = ["1", "2", "3", "4"].map(|n| (ValueType::Number, n));
        assert_eq!(pool(&four).len(), 4);
    }

    #[test]
    fn the_other_choices_of_a_field_are_near_enough() {
        let mut corpus = stating(&[(ValueType::Text, "seller"); 2]);
        let choices = ["buyer", "seller"].map(|choice| TypedValue::Text(choice.to_owned()));
        corpus.choices.insert("f".to_owned(), choices.into());
        let pool = ValuePool::for_field(&corpus, "f");
        let names: Vec<String> = pool.values.iter().map(|(value, _)| value.to_string()).collect();
        assert_eq!(names, ["seller", "buyer"]);
    }

    proptest::proptest! {
        /// Whichever value is stated, and whatever a wrong passage states as well, another answer remains.
        #[test]
        fn something_else_can_always_be_said(ty in 0usize..7, n in 0u32..4000, m in 0u32..4000) {
            let ty = ValueType::ALL[ty];
            let value = |n: u32| match ty {
                ValueType::Text => TypedValue::Text(n.to_string()),
                ValueType::Number => TypedValue::Number(f64::from(n) / 8.0),
                ValueType::YesNo => TypedValue::YesNo(n.is_multiple_of(2)),
                ValueType::Percent => TypedValue::Percent(f64::from(n)),
                ValueType::Date => TypedValue::parse(ty, &format!("{:04}-01-31", n.max(1))).unwrap(),
                ValueType::Duration => TypedValue::parse(ty, &format!("{n} days")).unwrap(),
                ValueType::Money => TypedValue::parse(ty, &format!("USD {n}")).unwrap(),
            };
            let (right, wrong) = (value(n), value(m));
            let texts = [(ty, right.to_string()), (ty, wrong.to_string())];
            let texts = texts.each_ref().map(|(ty, text)| (*ty, text.as_str()));
            let pool = ValuePool::for_field(&stating(&texts), "f");
            proptest::prop_assert!(!pool.excluding(&[Some(&right)]).is_empty());
            let rest = pool.excluding(&[Some(&right), Some(&wrong)]);
            proptest::prop_assert!(ty == ValueType::YesNo || !rest.is_empty(), "{right} {wrong}");
            let total: f64 = rest.iter().map(|(_, share)| share).sum();
            proptest::prop_assert!(rest.is_empty() || (total - 1.0).abs() < 1e-12);
            proptest::prop_assert!(pool.values.len() <= MAX_POOL);
        }
    }
}
