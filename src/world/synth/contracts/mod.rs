//! Generates a portfolio of contracts with near-misses, and the tasks of a renewal desk. The text and the labels of a
//! passage must come from the same terms, so that they cannot disagree.
//!
//! 1. `contract`: the template and the terms; families of four share templates;
//! 2. `clauses`: terms to text and facts, with several wordings per clause family;
//! 3. `twins`: near-misses in the file: superseded, negated, with swapped roles, from drafts, of affiliates;
//! 4. `tasks`: the tasks of a renewal desk.

mod clauses;
mod contract;
mod prose;
mod tasks;
mod twins;

use std::path::Path;

use anyhow::bail;
use rand::RngExt;

use self::clauses::{Clause, Terms};
use self::contract::{Contract, Site};
use self::twins::Part;
use super::Difficulty;
use super::draw::stream;
use super::names::{MAX_NAMES, Register};
use crate::output::Output;
use crate::world::{Passage, Variant};

pub use self::tasks::{RenewalTask, WINDOW_DAYS};

/// A generated portfolio.
#[derive(Clone, Debug, PartialEq)]
pub struct Portfolio {
    /// Contract by contract; within one, in the order of its file.
    pub passages: Vec<Passage>,
    pub tasks: Vec<RenewalTask>,
}

/// Generates `contracts` contracts. Fails for zero and for more than `MAX_NAMES`.
pub fn contracts(contracts: usize, seed: u64, difficulty: Difficulty) -> anyhow::Result<Portfolio> {
    if !(1..=MAX_NAMES).contains(&contracts) {
        bail!("{contracts} contracts asked for; allowed: 1 to {MAX_NAMES}");
    }
    let mut register = Register::default();
    let mut leader = None;
    let mut portfolio = Portfolio { passages: Vec::new(), tasks: Vec::new() };
    for index in 0..contracts {
        let contract = Contract::draw(seed, index, difficulty.0, &mut register, &mut leader);
        portfolio.passages.extend(write_down(seed, index, &contract, difficulty.0));
        portfolio.tasks.extend(tasks::draw(seed, index, &contract));
    }
    Ok(portfolio)
}

/// The passages of one contract's file.
fn write_down(seed: u64, index: usize, contract: &Contract, difficulty: f64) -> Vec<Passage> {
    let folder = twins::draw(seed, index, contract, difficulty);
    let style = &contract.style;
    let mut headers = stream(seed, index, Site::Header);
    let mut draws = || -> [f64; Clause::ALL.len()] { std::array::from_fn(|_| headers.random()) };
    let (current_headers, twin_headers) = (draws(), draws());
    // Some contracts have title and parties at the head of every page, others on none; where they do, a page break
    // occasionally removes them.
    let named = headers.random::<f64>() >= 0.1 + 0.7 * difficulty;
    let header = |terms: &Terms, clause: Clause, draw: f64| {
        if clause == Clause::Parties || !named || draw < 0.05 {
            return String::new();
        }
        format!("{} {}, {}\n", style.title(), terms.reference, terms.party)
    };
    let place = |clause: Clause, framed: bool, swapped: bool| {
        if framed || clause == Clause::Parties {
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

    let mut passages: Vec<((Part, Clause, bool), Passage)> = Vec::new();
    for clause in Clause::ALL.into_iter().filter(|c| contract.has(*c)) {
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
        let part = if amended.is_some() { Part::Amendment } else { Part::Agreement };
        passages.push(((part, clause, false), passage));
    }
    for twin in folder.twins {
        let body = clauses::text(twin.clause, &twin.terms, style, difficulty, twin.swapped);
        let body = if twin.frame.is_empty() { body } else { format!("{} {body}", twin.frame) };
        let of = format!("{}-{}", contract.id, twin.clause.attribute().replace('_', "-"));
        let draw = twin_headers[twin.clause as usize];
        let framed = !twin.frame.is_empty();
        let passage = Passage {
            id: format!("{of}-{}", twin.name),
            text: format!(
                "{}{}{body}",
                header(&twin.terms, twin.clause, draw),
                place(twin.clause, framed, twin.swapped)
            ),
            entity: Some(contract.id.clone()),
            attribute: Some(twin.clause.attribute().to_owned()),
            facts: clauses::facts(twin.clause, &twin.terms),
            of: Some(of),
            variant: Some(twin.variant),
        };
        passages.push(((twin.part, twin.clause, true), passage));
    }
    passages.sort_by_key(|(key, _)| *key);
    passages.into_iter().map(|(_, passage)| passage).collect()
}

impl Portfolio {
    /// Number of passages of this variant.
    pub fn count(&self, variant: Variant) -> usize {
        self.passages.iter().filter(|p| p.variant == Some(variant)).count()
    }

    /// Writes `passages.jsonl` and `renewal_tasks.csv` to `dir`, which is created if necessary.
    pub fn write(&self, output: &Output, dir: &Path) -> anyhow::Result<()> {
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
