//! Converts chunks to labelled passages, written as one JSON object per line.

use std::collections::BTreeMap;

use anyhow::Context;

use super::answer::CuadAnswer;
use super::clause_type::RENEWS;
use super::imported::{CuadContract, CuadImport};
use super::parties;
use crate::value::TypedValue;
use crate::world::Passage;

/// The id of a contract's chunk, such as `ipassinc-3f09a1/012`. It is the same with and without a title prefix.
pub fn passage_id(contract: &CuadContract, chunk: usize) -> String {
    format!("{}/{chunk:03}", contract.entity)
}

/// All passages, contract by contract in the order of the table. If `titled`, each text starts with the contract's
/// title and parties.
pub fn passages(import: &CuadImport, titled: bool) -> impl Iterator<Item = Passage> {
    import.contracts.iter().flat_map(move |contract| {
        let prefix = match parties::join_party_names(&contract.parties) {
            _ if !titled => String::new(),
            names if names.is_empty() => format!("{}: ", contract.title),
            names => format!("{} between {names}: ", contract.title),
        };
        let labels = labels(import, contract);
        contract.chunks.iter().zip(labels).enumerate().map(move |(i, (range, label))| Passage {
            id: passage_id(contract, i),
            text: format!("{prefix}{}", contract.text[range.clone()].trim()),
            entity: Some(contract.entity.clone()),
            attribute: label.attribute.map(str::to_owned),
            facts: label.facts,
            of: None,
            variant: None,
        })
    })
}

/// The labels of one chunk.
#[derive(Clone, Default)]
struct CuadChunkLabels<'a> {
    attribute: Option<&'a str>,
    /// Number of bytes of the clause that determines the attribute.
    bytes: usize,
    facts: BTreeMap<String, TypedValue>,
}

fn labels<'a>(import: &'a CuadImport, contract: &CuadContract) -> Vec<CuadChunkLabels<'a>> {
    let mut labels = vec![CuadChunkLabels::default(); contract.chunks.len()];
    for (ty, clause) in import.types.iter().zip(&contract.clauses) {
        for (&chunk, &bytes) in &clause.chunks {
            let label = &mut labels[chunk];
            // On a tie the first clause type of the table wins.
            if bytes > label.bytes {
                label.attribute = Some(&ty.name);
                label.bytes = bytes;
            }
            if let CuadAnswer::Value(value) = &clause.answer {
                label.facts.insert(ty.field.clone(), value.clone());
            }
            if ty.name == "Renewal Term" {
                label.facts.insert(RENEWS.to_owned(), TypedValue::YesNo(true));
            }
        }
    }
    labels
}

/// The passages as JSONL, and their number.
pub fn jsonl(import: &CuadImport, titled: bool) -> anyhow::Result<(Vec<u8>, usize)> {
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
