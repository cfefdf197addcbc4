//! Reading by a language model: its answers become the branches of a row. At temperature 0 there is one answer; with
//! several samples, each distinct answer has its share of them.

use super::reading_row::row_with_faults;
use super::{FieldReading, StepBranch, StepEvent, StepOutput, StepRow};
use crate::read::ParsedAnswer;
use crate::value::TypedValue;

/// An answer of a language model, with its share of the samples.
#[derive(Clone, Debug, PartialEq)]
pub struct ReaderReply {
    pub answer: ParsedAnswer,
    /// The shares of all answers to a question sum to 1.
    pub share: f64,
}

/// The row of a read step whose answers are known.
///
/// Events are those of the simulated reader, as far as they can be seen from outside: a right value with the evidence
/// at hand is clean and without it lucky; a value that another passage of the context states is distraction; any other
/// wrong value is a misreading if the evidence is at hand, and fabricated if not.
pub fn answered_row(reading: &FieldReading, replies: &[ReaderReply]) -> StepRow {
    let branches = replies.iter().map(|reply| branch(reading, reply)).collect();
    row_with_faults(branches, reading)
}

/// The row of a read step that is read without an error: gold if it is at hand, otherwise an abstention.
pub fn errorless_row(reading: &FieldReading) -> StepRow {
    let stated = reading.context.iter().filter(|p| reading.gold.contains(p));
    let stated = stated.filter_map(|&passage| Some((passage, reading.stated(passage)?)));
    let branch = match stated.into_iter().next() {
        Some((gold, value)) => StepBranch {
            source: Some(gold),
            ..StepBranch::new(Some(StepOutput::Value(value.clone())), StepEvent::Clean, 1.0)
        },
        None => StepBranch::new(Some(StepOutput::Missing), StepEvent::Abstained, 1.0),
    };
    row_with_faults(vec![branch], reading)
}

fn branch(reading: &FieldReading, reply: &ReaderReply) -> StepBranch {
    let value = match &reply.answer {
        ParsedAnswer::NotStated => {
            return StepBranch::new(Some(StepOutput::Missing), StepEvent::Abstained, reply.share);
        }
        ParsedAnswer::Unparsable(_) => {
            return StepBranch::new(Some(StepOutput::Missing), StepEvent::Unparsable, reply.share);
        }
        ParsedAnswer::Value(value) => as_stated(reading, value),
    };
    let states = |p: &&u32| reading.stated(**p) == Some(&value);
    let is_gold = |p: &&u32| reading.gold.contains(*p);
    let evidence = reading.context.iter().filter(is_gold).find(|p| reading.stated(**p).is_some());
    let right = reading.right_value() == Some(&value);
    let (event, source) = match evidence {
        Some(&gold) if right => (StepEvent::Clean, Some(gold)),
        _ => match reading.context.iter().filter(|p| !is_gold(p)).find(states) {
            Some(&other) => (StepEvent::Distracted, Some(other)),
            None if right => (StepEvent::Lucky, None),
            None => match evidence {
                Some(&gold) => (StepEvent::Misread, Some(gold)),
                None => (StepEvent::Fabricated, None),
            },
        },
    };
    StepBranch { source, ..StepBranch::new(Some(StepOutput::Value(value)), event, reply.share) }
}

/// The value in the spelling in which the passages state it, if it differs only in case, white space or the words
/// around it; other types are compared as they are.
pub fn as_stated(reading: &FieldReading, value: &TypedValue) -> TypedValue {
    let TypedValue::Text(said) = value else { return value.clone() };
    let in_context = reading.context.iter().filter_map(|&passage| reading.stated(passage));
    let stated = in_context.chain(reading.right_value());
    let stated: Vec<(&TypedValue, String)> = stated
        .filter_map(|value| match value {
            TypedValue::Text(text) => Some((value, plain(text))),
            _ => None,
        })
        .collect();
    let said = plain(said);
    if let Some((same, _)) = stated.iter().find(|(_, text)| *text == said) {
        return (*same).clone();
    }
    // An answer with further words counts as the value that it contains, if that is only one.
    let padded = format!(" {said} ");
    let mut contained: Vec<&TypedValue> = stated
        .iter()
        .filter(|(_, text)| !text.is_empty() && padded.contains(&format!(" {text} ")))
        .map(|(value, _)| *value)
        .collect();
    contained.dedup();
    match contained.as_slice() {
        [first, others @ ..] if others.iter().all(|other| other == first) => (*first).clone(),
        _ => value.clone(),
    }
}

/// In lower case, with single spaces in place of white space, and without punctuation around words.
fn plain(text: &str) -> String {
    let words = text
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| c.is_ascii_punctuation()).to_lowercase());
    words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::kernel::BranchFault;
    use crate::step::reader::ValuePool;
    use crate::world::{Corpus, Passage};

    fn corpus(values: &[&str]) -> Corpus {
        let passages = values.iter().enumerate().map(|(i, value)| Passage {
            id: i.to_string(),
            text: String::new(),
            entity: None,
            attribute: None,
            facts: BTreeMap::from([("n".to_owned(), TypedValue::Text((*value).to_owned()))]),
            of: None,
            variant: None,
        });
        Corpus { name: "c".to_owned(), passages: passages.collect(), ..Corpus::default() }
    }

    fn read(answer: ParsedAnswer, gold: u32, context: &[u32]) -> StepRow {
        let corpus = corpus(&["State of Delaware", "New York", "Ohio"]);
        let gold = BTreeSet::from([gold]);
        let pool = ValuePool::for_field(&corpus, "n");
        let reading =
            FieldReading { corpus: &corpus, gold: &gold, field: "n", pool: &pool, context };
        answered_row(&reading, &[ReaderReply { answer, share: 1.0 }])
    }

    fn text(text: &str) -> ParsedAnswer {
        ParsedAnswer::Value(TypedValue::Text(text.to_owned()))
    }

    #[test]
    fn events_follow_from_what_the_context_states() {
        let unparsable = || ParsedAnswer::Unparsable(String::new());
        for (answer, context, event, own) in [
            (text("state of delaware."), &[1, 0][..], StepEvent::Clean, false),
            (text("It is the State of Delaware"), &[0], StepEvent::Clean, false),
            (text("New York"), &[0, 1], StepEvent::Distracted, true),
            (text("New York"), &[1, 2], StepEvent::Distracted, false),
            (text("State of Delaware"), &[1, 2], StepEvent::Lucky, false),
            (text("Texas"), &[0, 1], StepEvent::Misread, true),
            (text("Texas"), &[1, 2], StepEvent::Fabricated, false),
            (ParsedAnswer::NotStated, &[0, 1], StepEvent::Abstained, true),
            (ParsedAnswer::NotStated, &[1], StepEvent::Abstained, false),
            (unparsable(), &[0], StepEvent::Unparsable, true),
            (unparsable(), &[1], StepEvent::Unparsable, false),
        ] {
            let row = read(answer.clone(), 0, context);
            let branch = &row.branches[0];
            assert_eq!(branch.event, event, "{answer:?} from {context:?}");
            assert_eq!(branch.fault == BranchFault::Own, own, "{answer:?} from {context:?}");
            assert_eq!(row.repair.is_some(), own);
        }
    }

    #[test]
    fn a_text_that_contains_two_stated_values_is_neither() {
        let row = read(text("New York or the State of Delaware"), 0, &[0, 1]);
        assert_eq!(row.branches[0].event, StepEvent::Misread);
    }
}
