//! Reads arithmetic questions, locates their figures and checks that the answer follows from them.

use std::collections::BTreeMap;

use anyhow::Context as _;

use super::derivation::TatqaDerivation;
use super::figure::FigureLocation;
use super::finding::TatqaFindingKind;
use super::layout::TatqaQuestion;
use super::passages::{FIGURE, TatqaCellLabel, TatqaContextPassages};

/// A figure that a question uses.
#[derive(Clone, Debug, PartialEq)]
pub struct TatqaOperand {
    /// The id of the passage that states it.
    pub passage: String,
    /// The name of the fact in that passage.
    pub field: String,
    /// The value that the passage states.
    pub stated: f64,
    /// The derivation's value divided by the stated one: -1 if it writes a loss as a positive number, 0.01 if it
    /// writes percentage points as a fraction; usually 1.
    pub factor: f64,
    /// Empty for a figure in a paragraph.
    pub label: TatqaCellLabel,
}

/// A question whose answer follows from what its gold passages state.
#[derive(Clone, Debug, PartialEq)]
pub struct ArithmeticQuestion {
    pub id: String,
    pub entity: String,
    pub question: String,
    pub derivation: TatqaDerivation,
    pub operands: Vec<TatqaOperand>,
    /// The expected answer, in units of `scale`.
    pub answer: f64,
    /// Half a unit of the answer's last decimal place.
    pub tolerance: f64,
    /// `thousand`, `million`, `percent`, or empty.
    pub scale: String,
}

impl ArithmeticQuestion {
    /// Why the scenario cannot ask the question; `None` if it can.
    pub fn reason_not_a_task(&self) -> Option<&'static str> {
        if self.derivation.shape().is_none() || self.operands.len() > 2 {
            return Some("a derivation of another shape");
        }
        let readable = self.operands.iter().all(|o| o.field == FIGURE);
        (!readable).then_some("a paragraph that states several figures")
    }
}

/// The location that a mapping refers to; `None` for an unknown kind of mapping.
pub fn mapped_location(mapping: &BTreeMap<String, Vec<usize>>) -> Option<FigureLocation> {
    let (name, numbers) = mapping.iter().next()?;
    let [first, second] = numbers[..] else { return None };
    if name == "table" {
        return Some(FigureLocation::Cell { row: first, column: second });
    }
    let paragraph = name.strip_prefix("paragraph_")?.parse().ok()?;
    Some(FigureLocation::Text { paragraph, start: first, end: second })
}

/// Reads an arithmetic question. The error is the reason why its answer does not follow from the passages.
pub fn read_question(
    question: &TatqaQuestion,
    sheet: &TatqaContextPassages,
) -> Result<ArithmeticQuestion, (TatqaFindingKind, String)> {
    if question.mappings.is_empty() {
        return Err((TatqaFindingKind::NoMapping, String::new()));
    }
    let answer = question.answer.as_f64().ok_or_else(|| {
        (TatqaFindingKind::AnswerNoNumber, format!("the answer is {}", question.answer))
    })?;
    let derivation = TatqaDerivation::new(&question.tree_derivation, &question.facts)
        .map_err(|why| (TatqaFindingKind::DerivationUnreadable, why))?;
    let mut operands = Vec::new();
    for &(fact, value) in &derivation.operands {
        let text = question.facts.get(fact).map_or("", String::as_str);
        let place = question.mappings.get(fact).and_then(mapped_location);
        let found = place.and_then(|place| Some((place, sheet.figures.get(&place)?)));
        let Some((place, (passage, field, stated))) = found else {
            return Err((
                TatqaFindingKind::FigureNotLocated,
                format!("{text}: no figure where it is mapped to"),
            ));
        };
        // The sign may differ, and a percentage may be written as a fraction.
        let factor = [1.0, -1.0, 0.01, -0.01]
            .into_iter()
            .find(|factor| (stated * factor - value).abs() <= 1e-9 * value.abs().max(1e-9));
        let Some(factor) = factor else {
            let why = format!("{text}: the passage states {stated}");
            return Err((TatqaFindingKind::FigureDiffers, why));
        };
        operands.push(TatqaOperand {
            passage: sheet.passages[*passage].id.clone(),
            field: field.clone(),
            stated: *stated,
            factor,
            label: sheet.labels.get(&place).cloned().unwrap_or_default(),
        });
    }
    let tolerance = 0.5 / 10_f64.powi(decimals(&question.answer.to_string()));
    let values: Vec<f64> = operands.iter().map(|o| o.stated * o.factor).collect();
    let follows = derivation.eval(&values);
    // Slightly more than half a unit, because a value exactly halfway may be rounded either way.
    if !follows.is_some_and(|v| (v - answer).abs() <= tolerance * (1.0 + 1e-6)) {
        let follows = follows.map_or_else(|| "no number".to_owned(), |v| v.to_string());
        let why = format!("{} gives {follows}, the answer is {answer}", derivation.formula());
        return Err((TatqaFindingKind::AnswerDiffers, why));
    }
    Ok(ArithmeticQuestion {
        id: question.uid.clone(),
        entity: sheet.entity.clone(),
        question: question.question.clone(),
        derivation,
        operands,
        answer,
        tolerance,
        scale: question.scale.clone(),
    })
}

/// Number of decimal places of a number in JSON.
fn decimals(number: &str) -> i32 {
    let digits = number.split_once('.').map_or(0, |(_, rest)| rest.len());
    // `serde_json` writes the integer-valued float 12 as `12.0`.
    if number.ends_with(".0") { 0 } else { i32::try_from(digits).unwrap_or(0) }
}

/// `tasks.csv`, for questions of a known shape, which have one or two operands.
pub fn csv<'a>(tasks: impl Iterator<Item = &'a ArithmeticQuestion>) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "id",
        "report",
        "question",
        "shape",
        "scale",
        "answer",
        "tolerance",
        "a_name",
        "a_factor",
        "b_name",
        "b_factor",
        "gold.find_a",
        "gold.find_b",
    ])?;
    for task in tasks {
        let Some(a) = task.operands.first() else { continue };
        // `a - a` (a figure that did not change) has one operand, which is used twice.
        let b = task.operands.get(1).unwrap_or(a);
        writer.write_record([
            &task.id,
            &task.entity,
            &task.question,
            task.derivation.shape().unwrap_or_default(),
            &task.scale,
            &task.answer.to_string(),
            &task.tolerance.to_string(),
            &operand_name(task, a),
            &a.factor.to_string(),
            &operand_name(task, b),
            &b.factor.to_string(),
            &a.passage,
            &b.passage,
        ])?;
    }
    writer.into_inner().context("the tasks do not fit in memory")
}

fn operand_name(task: &ArithmeticQuestion, operand: &TatqaOperand) -> String {
    let TatqaCellLabel { section, row, column } = &operand.label;
    let parts = [section.as_str(), row.as_str(), column.as_str()];
    let parts: Vec<&str> = parts.into_iter().filter(|t| !t.is_empty()).collect();
    // A paragraph has no label, so the query is the question itself.
    if parts.is_empty() { task.question.clone() } else { parts.join(", ") }
}
