//! Writes `sensitivity.csv` and `sensitivity_orders.csv`.

use super::{cents_cell, csv_bytes, float_cell, number_cell, text_cell};
use crate::run::record::{
    ComparisonMeasure, RunRecord, SensitivityAnswerRecord, SensitivityRecord,
};
use crate::sensitivity::SobolIndex;

/// The name of a measure's answers, and the function that formats them.
fn measure(measure: ComparisonMeasure) -> (&'static str, fn(f64) -> String) {
    match measure {
        ComparisonMeasure::Money => ("total_per_year", cents_cell),
        ComparisonMeasure::Ndcg | ComparisonMeasure::Failure => (measure.name(), float_cell),
    }
}

/// `sensitivity.csv`, one row per answer and assumption.
pub fn sensitivity(record: &RunRecord, of: &SensitivityRecord) -> anyhow::Result<Vec<u8>> {
    let header = [
        "arm",
        "measure",
        "against",
        "assumption",
        "value",
        "low",
        "high",
        "tag",
        "source",
        "range_tag",
        "range_source",
        "answer",
        "answer_at_low",
        "answer_at_high",
        "swing",
        "first_order",
        "first_order_low",
        "first_order_high",
        "total",
        "total_low",
        "total_high",
    ];
    let mut rows = Vec::new();
    for answer in &of.answers {
        let (name, amount) = measure(answer.measure);
        for (told, effect) in of.assumptions.iter().zip(&answer.effects) {
            let index = |of: fn(SobolIndex) -> f64| number_cell(effect.index.map(of));
            rows.push(vec![
                text_cell(&record.arms[answer.arm].id),
                name.to_owned(),
                against(record, answer),
                text_cell(&told.name),
                float_cell(told.value),
                float_cell(told.low),
                float_cell(told.high),
                told.backing.tag.name().to_owned(),
                text_cell(&told.backing.source),
                told.range.tag.name().to_owned(),
                text_cell(&told.range.source),
                amount(answer.value),
                amount(effect.at_low),
                amount(effect.at_high),
                amount(effect.swing()),
                index(|i| i.first.estimate),
                index(|i| i.first.low),
                index(|i| i.first.high),
                index(|i| i.total.estimate),
                index(|i| i.total.low),
                index(|i| i.total.high),
            ]);
        }
    }
    csv_bytes(&header, rows)
}

fn against(record: &RunRecord, answer: &SensitivityAnswerRecord) -> String {
    answer.against.map_or_else(String::new, |base| text_cell(&record.arms[base].id))
}

/// `sensitivity_orders.csv`, one row per measure and arm: its rank at the stated values, and over the sampled points.
pub fn orders(record: &RunRecord, of: &SensitivityRecord) -> anyhow::Result<Vec<u8>> {
    let header = [
        "measure",
        "arm",
        "rank",
        "answer",
        "answer_p5",
        "answer_median",
        "answer_p95",
        "share_best",
        "order_holds",
        "points",
    ];
    let mut rows = Vec::new();
    for order in &of.orders {
        let (name, amount) = measure(order.measure);
        // Answers with `against` are differences between arms, which have no rank.
        let own = |answer: &&SensitivityAnswerRecord| {
            answer.measure == order.measure && answer.against.is_none()
        };
        for answer in of.answers.iter().filter(own) {
            // The rank follows from the order of the arms; answers are listed in another order.
            let above = order.order.iter().take_while(|arm| **arm != answer.arm).count();
            let mut row = vec![
                name.to_owned(),
                text_cell(&record.arms[answer.arm].id),
                (above + 1).to_string(),
                amount(answer.value),
            ];
            row.extend(answer.quantiles.map(amount));
            row.extend([
                float_cell(order.share_best[answer.arm]),
                float_cell(order.share_unchanged),
                order.points.to_string(),
            ]);
            rows.push(row);
        }
    }
    csv_bytes(&header, rows)
}
