//! The reader: a small model of a language model that reads passages, aware of conflicts.
//!
//! With gold in its context it reads the gold value, or follows a distractor that states the same
//! field. Without, it follows the best distractor that states the field, makes a value up, or
//! abstains. On top, what it reads can come out wrong. A distractor's value is never invented: it
//! is what the passage states.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use serde::Serialize;

use super::{Branching, Event, Output, Row};
use crate::kernel::Fault;
use crate::scenario::{PARAMETERS, PRESETS};
use crate::value::Value;
use crate::world::Corpus;

/// How far a figure can be leaned on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tag {
    /// From a table that we read.
    Cited,
    /// From a secondary source, or derived from a cited figure by an assumption that is stated.
    Indicative,
    /// Ours.
    Assumed,
    /// Given in the scenario file.
    Scenario,
}

/// One parameter of a reader with where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameter {
    pub name: &'static str,
    #[serde(serialize_with = "six_decimals")]
    pub value: f64,
    pub tag: Tag,
    pub source: String,
}

const CLASHEVAL_2: &str = "ClashEval, arXiv 2404.10198, table 2";
const CLASHEVAL_6: &str = "ClashEval, arXiv 2404.10198, table 6";
const RGB: &str = "RGB, arXiv 2309.01431: refuses at most .45 when the evidence is absent";

fn six_decimals<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((value * 1e6).round() / 1e6)
}

/// A reader: every probability with its source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reader {
    pub preset: String,
    pub parameters: Vec<Parameter>,
}

impl Reader {
    /// A preset with some parameters replaced; the names are checked when the scenario is loaded.
    pub fn new(preset: &str, overrides: &BTreeMap<String, f64>) -> anyhow::Result<Reader> {
        let mut parameters = preset_parameters(preset).ok_or_else(|| {
            anyhow::anyhow!("unknown reader preset '{preset}'; allowed: {}", PRESETS.join(", "))
        })?;
        for (name, &value) in overrides {
            let Some(parameter) = parameters.iter_mut().find(|p| p.name == name) else {
                anyhow::bail!("unknown reader parameter '{name}'");
            };
            parameter.value = value;
            parameter.tag = Tag::Scenario;
            parameter.source = "scenario file".to_owned();
        }
        let mut reader = Reader { preset: preset.to_owned(), parameters };
        let over = reader.get("follow") + reader.get("fabricate") - 1.0;
        if over > 0.0 {
            // Together they leave no room to abstain: what the file does not set gives way.
            let given = |name: &str| overrides.contains_key(name);
            let Some(parameter) = reader
                .parameters
                .iter_mut()
                .find(|p| ["follow", "fabricate"].contains(&p.name) && !given(p.name))
            else {
                anyhow::bail!("reader: follow and fabricate add up to more than 1");
            };
            parameter.value = (parameter.value - over).max(0.0);
            parameter.tag = Tag::Scenario;
            parameter.source = "what the scenario file leaves of 1".to_owned();
        }
        Ok(reader)
    }

    /// The value of a parameter in [`PARAMETERS`]:
    ///
    /// - `misread`: a value that was read comes out as another one of the field;
    /// - `distracted_above`, `distracted_below`: gold is in the context, and a distractor ranked above
    ///   (below) it is followed, each;
    /// - `follow`: no gold in the context, the best distractor that states the field is followed;
    /// - `fabricate`: then a value is made up;
    /// - `fabricate_empty`: nothing in the context states the field, a value is made up.
    pub fn get(&self, name: &str) -> f64 {
        self.parameters.iter().find(|p| p.name == name).map_or(0.0, |p| p.value)
    }
}

fn preset_parameters(preset: &str) -> Option<Vec<Parameter>> {
    // Per model: accuracy with the right passage alone and among five (table 6, where the paper has
    // them), and given wrong evidence: follows it, resists it, says something else (table 2).
    let (one, five, follow, other) = match preset {
        "gpt-4o" => (Some(0.941), Some(0.922), 0.608, 0.065),
        "claude-opus" => (Some(0.939), Some(0.843), 0.313, 0.102),
        "gemini-1.5" => (None, None, 0.490, 0.122),
        "llama-3" => (None, None, 0.529, 0.263),
        "perfect" => {
            let zero = |&name: &&'static str| Parameter {
                name,
                value: 0.0,
                tag: Tag::Assumed,
                source: "by definition: reads gold, abstains without it".to_owned(),
            };
            return Some(PARAMETERS.iter().map(zero).collect());
        }
        _ => return None,
    };
    // Right evidence against a wrong belief of the model: uses the evidence (table 2). An upper
    // bound on misreading where table 6 has no row for the model.
    let uses_evidence = if preset == "gemini-1.5" { 0.860 } else { 0.793 };
    let parameter = |name, value: f64, tag, source: String| Parameter { name, value, tag, source };
    let misread = match one {
        Some(one) => parameter(
            "misread",
            1.0 - one,
            Tag::Cited,
            format!("{CLASHEVAL_6}: 1 - accuracy with the right passage alone ({one})"),
        ),
        None => parameter(
            "misread",
            1.0 - uses_evidence,
            Tag::Indicative,
            format!(
                "{CLASHEVAL_2}: 1 - use of right evidence against a wrong belief ({uses_evidence}), an upper bound"
            ),
        ),
    };
    // Four more passages took accuracy from `one` to `five`; read as each of the four being followed
    // with the same chance: 1 - (five / one)^(1/4).
    let (distracted, tag, source) = match (one, five) {
        (Some(one), Some(five)) => (
            1.0 - (five / one).powf(0.25),
            Tag::Indicative,
            format!(
                "{CLASHEVAL_6}: {one} with 1 passage to {five} with 5, spread over 4 distractors"
            ),
        ),
        _ => (
            1.0 - (0.922f64 / 0.941).powf(0.25),
            Tag::Assumed,
            format!("as gpt-4o ({CLASHEVAL_6} has no row for this model)"),
        ),
    };
    let refuses = 0.45;
    Some(vec![
        misread,
        parameter("distracted_above", distracted, tag, source.clone()),
        parameter("distracted_below", distracted, tag, source),
        parameter(
            "follow",
            follow,
            Tag::Cited,
            format!(
                "{CLASHEVAL_2}: follows wrong evidence; a lower bound for private contracts, of which the model knows nothing"
            ),
        ),
        parameter(
            "fabricate",
            other,
            Tag::Indicative,
            format!(
                "{CLASHEVAL_2}: neither the evidence nor the model's own answer. What resists the evidence there is taken to abstain here (assumed)"
            ),
        ),
        parameter("fabricate_empty", 1.0 - refuses, Tag::Indicative, RGB.to_owned()),
    ])
}

/// The values of a field from which a reader makes one up: at most [`POOL`] of them, taken at even
/// steps of the sorted distinct values of the corpus, each as likely as it is frequent there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pool {
    /// With the number of passages that state it.
    pub values: Vec<(Value, f64)>,
}

/// Size of a [`Pool`]; it bounds the state space and is stated in the manifest.
pub const POOL: usize = 8;

impl Pool {
    pub fn of(corpus: &Corpus, field: &str) -> Pool {
        let facts = corpus.passages.iter().filter_map(|p| p.facts.get(field));
        let mut stated: Vec<&Value> = facts.collect();
        stated.par_sort_by(|a, b| order(a, b));
        let mut distinct: Vec<(&Value, f64)> = Vec::new();
        for value in stated {
            match distinct.last_mut() {
                Some((last, count)) if *last == value => *count += 1.0,
                _ => distinct.push((value, 1.0)),
            }
        }
        let size = POOL.min(distinct.len());
        let at = |i: usize| {
            let (value, count) = distinct[(2 * i + 1) * distinct.len() / (2 * size)];
            (value.clone(), count)
        };
        Pool { values: (0..size).map(at).collect() }
    }

    /// Branches over the pool without `not`, of total probability `p`; nothing when nothing is left.
    fn spread(&self, not: Option<&Value>, event: Event, p: f64) -> Vec<Branching> {
        let left = || self.values.iter().filter(|(value, _)| Some(value) != not);
        let total: f64 = left().map(|(_, count)| count).sum();
        let branch = |(value, count): &(Value, f64)| {
            Branching::new(Some(Output::Value(value.clone())), event, p * count / total)
        };
        left().map(branch).collect()
    }
}

/// Sorts values of one type by size, texts by letters.
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

/// The row of reading `field` from `context` (best first).
///
/// What goes wrong with the evidence in hand, or with none to be had, is the reader's own error. What it
/// makes of a context from which the evidence is missing is not: that is the miss going on.
pub fn row(
    reader: &Reader,
    corpus: &Corpus,
    gold: &BTreeSet<u32>,
    field: &str,
    pool: &Pool,
    context: &[u32],
) -> Row {
    let mut row = Row::from(branches(reader, corpus, gold, field, pool, context));
    let stated = |p: &u32| corpus.passages[*p as usize].facts.get(field);
    let right = context.iter().filter(|p| gold.contains(p)).find_map(stated);
    if right.is_none() && gold.iter().any(|p| stated(p).is_some()) {
        return row;
    }
    for branch in &mut row.branches {
        if matches!(branch.event, Event::Distracted | Event::Misread | Event::Fabricated) {
            branch.fault = Fault::Own;
        }
    }
    if row.branches.iter().any(|b| b.fault == Fault::Own) {
        row.repair = Some(match right {
            Some(value) => Branching::new(Some(Output::Value(value.clone())), Event::Clean, 1.0),
            None => Branching::new(Some(Output::Missing), Event::Abstained, 1.0),
        });
    } else {
        let event = if right.is_some() { Event::Misread } else { Event::Fabricated };
        row.wrong = pool.spread(right, event, 1.0);
        row.wrong.iter_mut().for_each(|branch| branch.fault = Fault::Own);
    }
    row
}

fn branches(
    reader: &Reader,
    corpus: &Corpus,
    gold: &BTreeSet<u32>,
    field: &str,
    pool: &Pool,
    context: &[u32],
) -> Vec<Branching> {
    let stated: Vec<(bool, &Value)> = context
        .iter()
        .filter_map(|&p| Some((gold.contains(&p), corpus.passages[p as usize].facts.get(field)?)))
        .collect();
    let misread = reader.get("misread");
    // A value that is read comes out right, or as another one of the pool.
    let read = |value: &Value, event: Event, p: f64| {
        let mut wrong = pool.spread(Some(value), Event::Misread, p * misread);
        let right = if wrong.is_empty() { p } else { p * (1.0 - misread) };
        let output = Some(Output::Value(value.clone()));
        wrong.insert(0, Branching::new(output, event, right));
        wrong
    };
    let mut row = Vec::new();
    if let Some(at) = stated.iter().position(|(is_gold, _)| *is_gold) {
        let right = stated[at].1;
        let mut left = 1.0;
        let mut followed = Vec::new();
        for (i, (is_gold, value)) in stated.iter().enumerate() {
            if !is_gold && *value != right {
                let name = if i < at { "distracted_above" } else { "distracted_below" };
                let p = left * reader.get(name);
                left -= p;
                followed.extend(read(value, Event::Distracted, p));
            }
        }
        row.extend(read(right, Event::Clean, left));
        row.extend(followed);
    } else if let Some((_, value)) = stated.first() {
        let (follow, fabricate) = (reader.get("follow"), reader.get("fabricate"));
        row.extend(read(value, Event::Distracted, follow));
        row.extend(pool.spread(Some(value), Event::Fabricated, fabricate));
    } else {
        row.extend(pool.spread(None, Event::Fabricated, reader.get("fabricate_empty")));
    }
    row.retain(|branch| branch.p > 0.0);
    // Whatever is left says that the evidence is not there.
    let spoken: f64 = row.iter().map(|b| b.p).sum();
    let abstain = (1.0 - spoken).max(0.0);
    let rounding = 1e-12;
    if abstain > rounding {
        row.push(Branching::new(Some(Output::Missing), Event::Abstained, abstain));
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Passage;

    fn corpus(values: &[f64]) -> Corpus {
        let passage = |(i, &v): (usize, &f64)| Passage {
            id: i.to_string(),
            text: String::new(),
            entity: None,
            attribute: None,
            facts: BTreeMap::from([("n".to_owned(), Value::Number(v))]),
            of: None,
            variant: None,
        };
        Corpus { name: "c".to_owned(), passages: values.iter().enumerate().map(passage).collect() }
    }

    fn read(reader: &Reader, gold: &[u32], context: &[u32]) -> Vec<(Event, f64)> {
        let corpus = corpus(&[1.0, 2.0, 3.0]);
        let pool = Pool::of(&corpus, "n");
        let gold = gold.iter().copied().collect();
        let row = branches(reader, &corpus, &gold, "n", &pool, context);
        assert!((row.iter().map(|b| b.p).sum::<f64>() - 1.0).abs() < 1e-12);
        let mut sums: BTreeMap<Event, f64> = BTreeMap::new();
        for branch in row {
            *sums.entry(branch.event).or_default() += branch.p;
        }
        sums.into_iter().collect()
    }

    fn reader(pairs: &[(&str, f64)]) -> Reader {
        let overrides = pairs.iter().map(|(k, v)| ((*k).to_owned(), *v)).collect();
        Reader::new("perfect", &overrides).unwrap()
    }

    #[test]
    fn each_distractor_has_its_chance_and_misreading_comes_on_top() {
        let reader =
            reader(&[("distracted_above", 0.1), ("distracted_below", 0.2), ("misread", 0.05)]);
        let events = read(&reader, &[1], &[0, 1, 2]);
        let followed = 0.1 + 0.9 * 0.2;
        let expected = [
            (Event::Clean, (1.0 - followed) * 0.95),
            (Event::Distracted, followed * 0.95),
            (Event::Misread, 0.05),
        ];
        for ((event, p), (expected_event, expected)) in events.iter().zip(expected) {
            assert_eq!(*event, expected_event);
            assert!((p - expected).abs() < 1e-12, "{event:?}: {p} against {expected}");
        }
    }

    #[test]
    fn a_rare_value_stays_in_the_pool_and_rare() {
        let mut values = vec![1.0; 24];
        values.push(2.0);
        let pool = Pool::of(&corpus(&values), "n");
        assert_eq!(pool.values, [(Value::Number(1.0), 24.0), (Value::Number(2.0), 1.0)]);
    }

    #[test]
    fn without_gold_it_follows_makes_up_or_abstains() {
        let reader = reader(&[("follow", 0.6), ("fabricate", 0.1), ("fabricate_empty", 0.3)]);
        assert_eq!(
            read(&reader, &[2], &[0, 1]).iter().map(|e| e.0).collect::<Vec<_>>(),
            [Event::Distracted, Event::Fabricated, Event::Abstained]
        );
        let nothing = read(&reader, &[2], &[]);
        assert!((nothing[0].1 - 0.3).abs() < 1e-12 && (nothing[1].1 - 0.7).abs() < 1e-12);
    }

    #[test]
    fn the_perfect_reader_reads_gold_and_abstains_without() {
        let reader = Reader::new("perfect", &BTreeMap::new()).unwrap();
        assert_eq!(read(&reader, &[2], &[0, 2]), [(Event::Clean, 1.0)]);
        assert_eq!(read(&reader, &[2], &[0, 1]), [(Event::Abstained, 1.0)]);
    }

    #[test]
    fn every_preset_is_a_distribution_with_sources() {
        for preset in PRESETS {
            let reader = Reader::new(preset, &BTreeMap::new()).unwrap();
            for (parameter, name) in reader.parameters.iter().zip(PARAMETERS) {
                assert_eq!(parameter.name, name);
                assert!((0.0..=1.0).contains(&parameter.value) && !parameter.source.is_empty());
            }
        }
    }
}
