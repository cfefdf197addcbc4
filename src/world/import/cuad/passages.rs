//! Chunks -> passages with their labels, one JSON object a line.

use std::collections::BTreeMap;

use anyhow::Context;

use super::answer::Answer;
use super::clause_type::RENEWS;
use super::{Contract, Import, parties};
use crate::value::Value;
use crate::world::Passage;

/// The id of a contract's chunk, such as `ipassinc-3f09a1/012`. It does not depend on `--context`.
pub fn id(contract: &Contract, chunk: usize) -> String {
    format!("{}/{chunk:03}", contract.entity)
}

/// All passages, contract by contract in the order of the table; `titled` puts title and parties
/// in front of each text.
pub fn passages(import: &Import, titled: bool) -> impl Iterator<Item = Passage> {
    import.contracts.iter().flat_map(move |contract| {
        let prefix = match parties::listed(&contract.parties) {
            _ if !titled => String::new(),
            names if names.is_empty() => format!("{}: ", contract.title),
            names => format!("{} between {names}: ", contract.title),
        };
        let labels = labels(import, contract);
        contract.chunks.iter().zip(labels).enumerate().map(move |(i, (range, label))| Passage {
            id: id(contract, i),
            text: format!("{prefix}{}", contract.text[range.clone()].trim()),
            entity: Some(contract.entity.clone()),
            attribute: label.attribute.map(str::to_owned),
            facts: label.facts,
            of: None,
            variant: None,
        })
    })
}

/// What is known of one chunk.
#[derive(Clone, Default)]
struct Label<'a> {
    attribute: Option<&'a str>,
    /// Bytes of the clause that gave the attribute.
    bytes: usize,
    facts: BTreeMap<String, Value>,
}

fn labels<'a>(import: &'a Import, contract: &Contract) -> Vec<Label<'a>> {
    let mut labels = vec![Label::default(); contract.chunks.len()];
    for (ty, clause) in import.types.iter().zip(&contract.clauses) {
        for (&chunk, &bytes) in &clause.chunks {
            let label = &mut labels[chunk];
            // The first type in the table wins a tie.
            if bytes > label.bytes {
                label.attribute = Some(&ty.name);
                label.bytes = bytes;
            }
            if let Answer::Value(value) = &clause.answer {
                label.facts.insert(ty.field.clone(), value.clone());
            }
            if ty.name == "Renewal Term" {
                label.facts.insert(RENEWS.to_owned(), Value::YesNo(true));
            }
        }
    }
    labels
}

/// The passages as JSONL, and how many there are.
pub fn jsonl(import: &Import, titled: bool) -> anyhow::Result<(Vec<u8>, usize)> {
    let mut bytes = Vec::new();
    let mut count = 0;
    for passage in passages(import, titled) {
        serde_json::to_writer(&mut bytes, &passage)
            .with_context(|| format!("the passage {}", passage.id))?;
        bytes.push(b'\n');
        count += 1;
    }
    Ok((bytes, count))
}
