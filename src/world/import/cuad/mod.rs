//! Imports CUAD v1: 510 commercial contracts with clauses of 41 types, labelled by lawyers. The importer must not
//! guess: a clause or an answer that cannot be used becomes a finding.
//!
//! Input: `master_clauses.csv` and `full_contract_txt/`, as published by the authors. Output: passages with facts,
//! tasks for three workflows, and a report of what was and was not located and read.
//!
//! 1. [`layout`]: rows of the table, each with its text file.
//! 2. [`whitespace`], [`chunk`]: the text with its white space folded, split into chunks.
//! 3. [`list_literal`], [`clause_location`]: clause texts, and the chunks that contain them.
//! 4. [`answer`]: the lawyers' answers as typed values.
//! 5. [`passages`], [`tasks`], [`report`]: the output files.
//!
//! Every passage that contains enough of a clause states the clause's answer as a fact. A passage has one attribute,
//! the clause type that fills most of it, but facts for all clauses that it states. Tasks therefore list their gold
//! passages explicitly, independent of the attribute.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use rayon::prelude::*;

pub mod answer;
pub mod chunk;
pub mod clause_location;
pub mod clause_type;
mod finding;
mod imported;
pub mod layout;
pub mod list_literal;
pub mod parties;
pub mod passages;
pub mod report;
pub mod tasks;
pub mod whitespace;

use super::write_with_manifest;
use crate::output::OutputWriter;
use answer::CuadAnswer;
use clause_type::CuadClauseType;
use finding::{CuadFinding, CuadFindingKind};
pub use imported::{CuadClause, CuadContract, CuadImport};

use crate::input_file::{self, encoding};

/// Reads the folder `dir` and splits its contracts into chunks of `size` characters.
///
/// Fails if the folder does not have the authors' layout. A contract without its text, or a list or an answer
/// that cannot be read, is a finding and not an error.
pub fn read(dir: &Path, size: usize) -> anyhow::Result<CuadImport> {
    if !chunk::SIZES.contains(&size) {
        let (least, most) = (chunk::SIZES.start(), chunk::SIZES.end());
        bail!("the chunk size is {size}; allowed: {least} to {most} characters");
    }
    let layout = layout::read(dir)?;
    let types = layout.types;
    let read: Vec<(Option<CuadContract>, Vec<CuadFinding>)> = layout
        .rows
        .par_iter()
        .map(|row| read_contract(&types, row, size))
        .collect::<anyhow::Result<_>>()?;
    let mut findings: Vec<CuadFinding> = Vec::new();
    let mut contracts: Vec<CuadContract> = Vec::new();
    for (contract, found) in read {
        contracts.extend(contract);
        findings.extend(found);
    }
    findings.extend(layout.unlisted.iter().map(|file| CuadFinding {
        kind: CuadFindingKind::TextNotListed,
        file: file.clone(),
        clause_type: String::new(),
        found: String::new(),
        why: "no row of the table names it".to_owned(),
    }));
    if contracts.is_empty() {
        bail!("{}: no row of the table has its text in full_contract_txt", dir.display());
    }
    let mut entities = BTreeMap::new();
    for contract in &contracts {
        if let Some(other) = entities.insert(&contract.entity, &contract.file) {
            bail!("'{other}' and '{}' have the same short id", contract.file);
        }
    }
    Ok(CuadImport { types, contracts, findings })
}

fn read_contract(
    types: &[CuadClauseType],
    row: &layout::CuadRow,
    size: usize,
) -> anyhow::Result<(Option<CuadContract>, Vec<CuadFinding>)> {
    let mut findings = Vec::new();
    let mut find = |kind, clause_type: &str, found: &str, why: String| {
        let file = row.filename.clone();
        findings.push(CuadFinding {
            kind,
            file,
            clause_type: clause_type.to_owned(),
            found: found.to_owned(),
            why,
        });
    };
    let Some(path) = &row.path else {
        find(
            CuadFindingKind::FileMissing,
            "",
            "",
            "full_contract_txt has no text of this name".to_owned(),
        );
        return Ok((None, findings));
    };
    let bytes =
        input_file::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let bytes = encoding::to_utf8(bytes).with_context(|| path.display().to_string())?;
    let text = String::from_utf8_lossy(&bytes);
    if matches!(text, std::borrow::Cow::Owned(_)) {
        find(CuadFindingKind::NotUtf8, "", "", "bytes that are not UTF-8 were replaced".to_owned());
    }
    let folded = whitespace::FoldedText::from_contract(&text);
    let chunks = chunk::chunk(&folded.with_paragraphs, size);
    let mut clauses = Vec::new();
    for (ty, (texts, answer)) in types.iter().zip(&row.cells) {
        let texts = list_literal::parse(texts).unwrap_or_else(|why| {
            find(CuadFindingKind::ListUnreadable, &ty.name, texts, why);
            Vec::new()
        });
        let mut clause = CuadClause {
            texts: texts.len(),
            located: 0,
            answer: answer::parse_answer(ty.answer_form, answer),
            chunks: BTreeMap::new(),
        };
        for text in &texts {
            let located = clause_location::locate(&folded.flat, text);
            for range in &located.ranges {
                for (chunk, bytes) in clause_location::chunks_stating(&chunks, range) {
                    *clause.chunks.entry(chunk).or_default() += bytes;
                }
            }
            if located.missing.is_empty() {
                clause.located += 1;
            } else {
                let missing = located.missing.join(" ... ");
                find(
                    CuadFindingKind::TextNotLocated,
                    &ty.name,
                    &missing,
                    "not in the contract".to_owned(),
                );
            }
        }
        let says_no = clause.answer == CuadAnswer::Value(crate::value::TypedValue::YesNo(false));
        match &clause.answer {
            CuadAnswer::Unclear(why) => {
                find(CuadFindingKind::AnswerUnclear, &ty.name, answer, (*why).to_owned());
            }
            CuadAnswer::Absent if !texts.is_empty() => {
                find(
                    CuadFindingKind::AnswerAbsent,
                    &ty.name,
                    "",
                    "a clause without an answer".to_owned(),
                );
            }
            CuadAnswer::Value(_) if texts.is_empty() && !says_no => {
                find(
                    CuadFindingKind::TextAbsent,
                    &ty.name,
                    answer,
                    "an answer without a clause".to_owned(),
                );
            }
            CuadAnswer::Value(_) if !texts.is_empty() && says_no => {
                find(
                    CuadFindingKind::AnswerDenies,
                    &ty.name,
                    answer,
                    "a clause, and the answer No".to_owned(),
                );
            }
            _ => {}
        }
        clauses.push(clause);
    }
    let file = path.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
    let mut parties = parties::signatory_names(written_answer(types, row, "Parties").unwrap_or(""));
    if parties.is_empty() {
        parties.push(parties::company_in_file_name(&file).to_owned());
    }
    let contract = CuadContract {
        entity: entity_id(&file),
        title: parties::contract_title(
            written_answer(types, row, "Document Name").unwrap_or(""),
            &file,
        ),
        parties,
        file,
        text: folded.flat,
        chunks,
        clauses,
    };
    Ok((Some(contract), findings))
}

/// The answer of a row for a clause type, as written in the table.
fn written_answer<'r>(
    types: &[CuadClauseType],
    row: &'r layout::CuadRow,
    name: &str,
) -> Option<&'r str> {
    let at = types.iter().position(|ty| ty.name == name)?;
    Some(row.cells[at].1.as_str())
}

/// A short id: the company at the start of the file name, and six hexadecimal digits of a hash of the whole name.
fn entity_id(file: &str) -> String {
    let company = parties::company_in_file_name(file);
    let mut slug: String =
        company.chars().filter(char::is_ascii_alphanumeric).take(24).collect::<String>();
    slug.make_ascii_lowercase();
    if slug.is_empty() {
        slug.push_str("contract");
    }
    let hash = blake3::hash(layout::folded_name(file).as_bytes()).to_hex();
    format!("{slug}-{}", &hash[..6])
}

/// Which passages start with their contract's title and parties.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CuadTitlePrefix {
    /// All passages: `passages_title.jsonl`.
    Title,
    /// No passage: `passages_plain.jsonl`.
    None,
    /// Write both files, with the same ids and labels.
    #[default]
    Both,
}

impl CuadImport {
    /// Writes passages, tasks, `import_report.csv` and `import_findings.csv` to `out`.
    ///
    /// Returns each file's name with a description of its content.
    pub fn write(
        &self,
        output: &OutputWriter,
        out: &Path,
        prefix: CuadTitlePrefix,
    ) -> anyhow::Result<Vec<(&'static str, String)>> {
        let (mut files, mut written) = (Vec::new(), Vec::new());
        let mut add = |name: &'static str, bytes: Vec<u8>, count: usize, what: &str| {
            files.push((name, bytes));
            written.push((name, format!("{count} {what}")));
        };
        for (name, titled) in [("passages_title.jsonl", true), ("passages_plain.jsonl", false)] {
            let wanted = match prefix {
                CuadTitlePrefix::Title => titled,
                CuadTitlePrefix::None => !titled,
                CuadTitlePrefix::Both => true,
            };
            if wanted {
                let (bytes, count) = passages::jsonl(self, titled)?;
                add(name, bytes, count, "passages");
            }
        }
        for table in [
            tasks::renewal_tasks(self),
            tasks::governing_law_tasks(self),
            tasks::consent_tasks(self),
        ] {
            add(table.name, table.csv()?, table.rows.len(), "tasks");
        }
        let rows = report::rows(self);
        add("import_report.csv", report::csv(&rows)?, rows.len(), "rows");
        let findings = report::findings_csv(&self.findings)?;
        add("import_findings.csv", findings, self.findings.len(), "findings");
        write_with_manifest(output, out, &files)?;
        Ok(written)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_readable_and_depends_on_the_name_only() {
        let one = entity_id("BellringBrandsInc_20190920_S-1_EX-10.12_Manufacturing Agreement1.txt");
        let two = entity_id("BellringBrandsInc_20190920_S-1_EX-10.12_Manufacturing Agreement2.txt");
        assert!(one.starts_with("bellringbrandsinc-"), "{one}");
        assert_ne!(one, two);
        assert!(
            entity_id("Antares Pharma, Inc. - Manufacturing Agreement.txt")
                .starts_with("antarespharmainc-")
        );
        assert!(entity_id("漢.txt").starts_with("contract-"));
    }
}
