//! Generates a portfolio of contracts with near-misses, and the tasks of a renewal desk. The text and the labels of a
//! passage must come from the same terms, so that they cannot disagree.
//!
//! 1. `contract`: the template and the terms; families of four share templates;
//! 2. `clauses`: terms to text and facts, with several wordings per clause family;
//! 3. `twins`: near-misses in the file: superseded, negated, with swapped roles, from drafts, of affiliates;
//! 4. `tasks`: the tasks of a renewal desk.

mod clauses;
mod contract;
mod near_misses;
mod prose;
mod tasks;

use std::path::Path;

use rand::RngExt;

use self::clauses::{ClauseFamily, ContractTerms};
use self::contract::{ContractDrawSite, SyntheticContract};
use self::near_misses::ContractFilePart;
use super::Difficulty;
use super::company_names::{CompanyNameRegister, MAX_NAMES};
use super::random_streams::stream;
use crate::output::OutputWriter;
use crate::world::{Passage, PassageVariant};
use crate::wrong_use::WrongUse;

pub use self::tasks::{RenewalTask, WINDOW_DAYS};

/// A generated portfolio.
#[derive(Clone, Debug, PartialEq)]
pub struct ContractPortfolio {
    /// Contract by contract; within one, in the order of its file.
    pub passages: Vec<Passage>,
    pub tasks: Vec<RenewalTask>,
}

/// Generates `contracts` contracts. Fails for zero and for more than `MAX_NAMES`.
pub fn generate_contracts(
    contracts: usize,
    seed: u64,
    difficulty: Difficulty,
) -> anyhow::Result<ContractPortfolio> {
    WrongUse::unless((1..=MAX_NAMES).contains(&contracts), || {
        format!("{contracts} contracts asked for; allowed: 1 to {MAX_NAMES}")
    })?;
    let mut register = CompanyNameRegister::default();
    let mut leader = None;
    let mut portfolio = ContractPortfolio { passages: Vec::new(), tasks: Vec::new() };
    for index in 0..contracts {
        let contract =
            SyntheticContract::draw(seed, index, difficulty.0, &mut register, &mut leader);
        portfolio.passages.extend(contract_passages(seed, index, &contract, difficulty.0));
        portfolio.tasks.extend(tasks::draw(seed, index, &contract));
    }
    Ok(portfolio)
}

/// The passages of one contract's file.
fn contract_passages(
    seed: u64,
    index: usize,
    contract: &SyntheticContract,
    difficulty: f64,
) -> Vec<Passage> {
    let folder = near_misses::draw(seed, index, contract, difficulty);
    let style = &contract.style;
    let mut headers = stream(seed, index, ContractDrawSite::Header);
    let mut draws =
        || -> [f64; ClauseFamily::ALL.len()] { std::array::from_fn(|_| headers.random()) };
    let (current_headers, twin_headers) = (draws(), draws());
    // Some contracts have title and parties at the head of every page, others on none; where they do, a page break
    // occasionally removes them.
    let named = headers.random::<f64>() >= 0.1 + 0.7 * difficulty;
    let header = |terms: &ContractTerms, clause: ClauseFamily, draw: f64| {
        if clause == ClauseFamily::Parties || !named || draw < 0.05 {
            return String::new();
        }
        format!("{} {}, {}\n", style.title(), terms.reference, terms.party)
    };
    let place = |clause: ClauseFamily, framed: bool, swapped: bool| {
        if framed || clause == ClauseFamily::Parties {
            return String::new();
        }
        // The same clause for the other party follows as part (b) of the section.
        let part = if swapped { "(b)" } else { "" };
        let section = clause.section(style.first_section) + part;
        if style.headings {
            format!("{section} {}. ", clause.heading())
        } else {
            format!("{section} ")
        }
    };

    let mut passages: Vec<((ContractFilePart, ClauseFamily, bool), Passage)> = Vec::new();
    for clause in ClauseFamily::ALL.into_iter().filter(|c| contract.has_clause(*c)) {
        let amended = folder.amended.iter().find(|(c, _)| *c == clause);
        let body = clauses::text(clause, &contract.terms, style, difficulty, false);
        let body = match amended {
            Some((_, words)) => format!("{words} \"{body}\""),
            None => body,
        };
        let draw = current_headers[clause as usize];
        let passage = Passage {
            id: format!("{}-{}", contract.id, clause.attribute().replace('_', "-")),
            text: format!(
                "{}{}{body}",
                header(&contract.terms, clause, draw),
                place(clause, amended.is_some(), false)
            ),
            entity: Some(contract.id.clone()),
            attribute: Some(clause.attribute().to_owned()),
            facts: clauses::facts(clause, &contract.terms),
            of: None,
            variant: None,
        };
        let part = if amended.is_some() {
            ContractFilePart::Amendment
        } else {
            ContractFilePart::Agreement
        };
        passages.push(((part, clause, false), passage));
    }
    for twin in folder.near_misses {
        let body = clauses::text(twin.clause, &twin.terms, style, difficulty, twin.swapped);
        let body = if twin.introduction.is_empty() {
            body
        } else {
            format!("{} {body}", twin.introduction)
        };
        let original = format!("{}-{}", contract.id, twin.clause.attribute().replace('_', "-"));
        let draw = twin_headers[twin.clause as usize];
        let framed = !twin.introduction.is_empty();
        let passage = Passage {
            id: format!("{original}-{}", twin.name),
            text: format!(
                "{}{}{body}",
                header(&twin.terms, twin.clause, draw),
                place(twin.clause, framed, twin.swapped)
            ),
            entity: Some(contract.id.clone()),
            attribute: Some(twin.clause.attribute().to_owned()),
            facts: clauses::facts(twin.clause, &twin.terms),
            of: Some(original),
            variant: Some(twin.variant),
        };
        passages.push(((twin.part, twin.clause, true), passage));
    }
    passages.sort_by_key(|(key, _)| *key);
    passages.into_iter().map(|(_, passage)| passage).collect()
}

impl ContractPortfolio {
    /// Number of passages of this variant.
    pub fn variant_count(&self, variant: PassageVariant) -> usize {
        self.passages.iter().filter(|p| p.variant == Some(variant)).count()
    }

    /// Writes `passages.jsonl` and `renewal_tasks.csv` to `dir`, which is created if necessary.
    pub fn write(&self, output: &OutputWriter, dir: &Path) -> anyhow::Result<()> {
        let mut lines = Vec::new();
        for passage in &self.passages {
            serde_json::to_writer(&mut lines, passage)?;
            lines.push(b'\n');
        }

        let mut rows = csv::Writer::from_writer(Vec::new());
        for task in &self.tasks {
            rows.serialize(task)?;
        }
        let rows = rows.into_inner()?;
        let files = [("passages.jsonl", lines.as_slice()), ("renewal_tasks.csv", rows.as_slice())];
        output.write_folder(dir, &files)
    }
}
