//! Imports TAT-QA: questions about tables and paragraphs of financial reports, with their derivations. The importer
//! must not search for figures: only `test_gold` states where those of a derivation are, and the questions of other
//! files become findings.
//!
//! Input: one JSON file as published by the authors. Output: the passages of all contexts, a task for each
//! arithmetic question of a known shape, and a report of what did and did not become a task.
//!
//! 1. [`layout`]: the file.
//! 2. [`figure`], [`passages`]: cells and paragraphs as passages, with the figures that they state.
//! 3. [`derivation`], [`questions`]: the answers derived from figures, with gold passages from the file's mappings.
//! 4. [`report`]: the report and the findings.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::bail;

pub mod derivation;
pub mod figure;
mod finding;
mod imported;
pub mod layout;
pub mod passages;
pub mod questions;
pub mod report;

use super::write_with_manifest;
use crate::output::OutputWriter;
use crate::visible_text::name_problem;
use crate::world::task::MAX_ID_CHARS;
pub use figure::FigureLocation;
use finding::{TatqaFinding, TatqaFindingKind};
pub use imported::TatqaImport;

/// Reads `file`.
///
/// Fails if the file does not have the authors' layout. A question that cannot become a task is a finding and not
/// an error.
pub fn read(file: &Path) -> anyhow::Result<TatqaImport> {
    let contexts = layout::read(file)?;
    let mut import = TatqaImport { contexts: contexts.len(), ..TatqaImport::default() };
    let mut entities: BTreeMap<String, String> = BTreeMap::new();
    for context in &contexts {
        let uid = &context.table.uid;
        check_uid("table", uid, file)?;
        let entity = format!("report-{}", uid.chars().take(8).collect::<String>());
        if let Some(other) = entities.insert(entity.clone(), uid.clone()) {
            bail!("{}: the tables '{other}' and '{uid}' have the same short id", file.display());
        }
        let places: Vec<FigureLocation> = context
            .questions
            .iter()
            .flat_map(|q| &q.mappings)
            .filter_map(questions::mapped_location)
            .collect();
        let sheet = passages::context_passages(&entity, context, &places);
        for question in &context.questions {
            *import.questions.entry(question.answer_type.clone()).or_default() += 1;
            check_uid("question", &question.uid, file)?;
            if question.answer_type != "arithmetic" {
                continue;
            }
            import.mapped_questions += usize::from(!question.mappings.is_empty());
            match questions::read_question(question, &sheet) {
                Ok(arithmetic) => {
                    if let Some(why) = arithmetic.reason_not_a_task() {
                        let why = format!("{why}: {}", arithmetic.derivation.formula());
                        let kind = TatqaFindingKind::NotInScenario;
                        import.findings.push(TatqaFinding::new(question, &entity, kind, why));
                    }
                    import.arithmetic.push(arithmetic);
                }
                Err((kind, why)) => {
                    import.findings.push(TatqaFinding::new(question, &entity, kind, why));
                }
            }
        }
        import.passages.extend(sheet.passages);
    }
    if import.passages.is_empty() {
        bail!("{}: no cell and no paragraph in the file", file.display());
    }
    Ok(import)
}

/// Rejects a uid that makes no id of a passage or a task.
fn check_uid(what: &str, uid: &str, file: &Path) -> anyhow::Result<()> {
    match name_problem(uid, MAX_ID_CHARS) {
        None => Ok(()),
        Some((problem, allowed)) => {
            bail!("{}: the uid of a {what} {problem}; allowed: {allowed}", file.display())
        }
    }
}

impl TatqaImport {
    /// Writes `passages.jsonl`, `tasks.csv`, `import_report.csv` and `import_findings.csv` to `out`. Either all files
    /// are written or none.
    ///
    /// Returns each file's name with a description of its content.
    pub fn write(
        &self,
        output: &OutputWriter,
        out: &Path,
    ) -> anyhow::Result<Vec<(&'static str, String)>> {
        let mut jsonl = Vec::new();
        for passage in &self.passages {
            serde_json::to_writer(&mut jsonl, passage)?;
            jsonl.push(b'\n');
        }
        let mut files = vec![("passages.jsonl", jsonl)];
        let mut descriptions =
            vec![("passages.jsonl", format!("{} passages", self.passages.len()))];
        let tasks = self.tasks().count();
        if tasks > 0 {
            files.push(("tasks.csv", questions::csv(self.tasks())?));
            descriptions.push(("tasks.csv", format!("{tasks} tasks")));
        }
        let rows = report::rows(self);
        files.push(("import_report.csv", report::csv(&rows)?));
        descriptions.push(("import_report.csv", format!("{} rows", rows.len())));
        files.push(("import_findings.csv", report::findings_csv(&self.findings)?));
        descriptions.push(("import_findings.csv", format!("{} findings", self.findings.len())));
        write_with_manifest(output, out, &files)?;
        Ok(descriptions)
    }
}
