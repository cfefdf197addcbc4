//! Defines `sensitivity.csv`.

use super::RunTable;
use crate::report::table::MeasuredValue;
use crate::report::table::{
    ColumnUnit, TableDefinition, measured_column, number_column, text_column,
};
use crate::run::record::{
    AssumptionEffect, AssumptionRecord, ComparisonMeasure, RunRecord, SensitivityAnswerRecord,
};

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: Some(|record| record.sensitivity.is_some()),
};

struct AssumptionEffectRow<'a> {
    record: &'a RunRecord,
    answer: &'a SensitivityAnswerRecord,
    assumption: &'a AssumptionRecord,
    effect: &'a AssumptionEffect,
}

impl AssumptionEffectRow<'_> {
    fn against(&self) -> String {
        let base = self.answer.against.map(|base| self.record.arms[base].id.clone());
        base.unwrap_or_default()
    }
}

fn definition<'a>() -> TableDefinition<AssumptionEffectRow<'a>> {
    TableDefinition {
        file: "sensitivity.csv",
        doc: "one row per answer and assumption",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm of the answer", |row| {
                row.record.arms[row.answer.arm].id.clone()
            }),
            text_column(
                "measure",
                ColumnUnit::Name,
                "the measure of the answer: `failure_rate` or `total_per_year`",
                |row| answer_name(row.answer.measure).to_owned(),
            ),
            text_column(
                "against",
                ColumnUnit::Id,
                "the baseline, if the answer is a difference from it",
                |row| row.against(),
            ),
            text_column(
                "assumption",
                ColumnUnit::Text,
                "as named under `sensitivity.assumptions`; with the arms in brackets if their \
                 readers differ. Assumptions on which no arm depends are not listed. For a \
                 variable and for the volume, it is the mean",
                |row| row.assumption.name.clone(),
            ),
            number_column("value", ColumnUnit::OfTheRow, "the figure", |row| {
                Some(row.assumption.value)
            }),
            number_column(
                "low",
                ColumnUnit::OfTheRow,
                "lower end of the range within which it is varied",
                |row| Some(row.assumption.low),
            ),
            number_column("high", ColumnUnit::OfTheRow, "upper end of that range", |row| {
                Some(row.assumption.high)
            }),
            text_column(
                "tag",
                ColumnUnit::Name,
                "how far to trust the figure: `measured`, `cited`, `indicative`, `assumed` or `scenario`",
                |row| row.assumption.backing.tag.name().to_owned(),
            ),
            text_column("source", ColumnUnit::Text, "of the figure", |row| {
                row.assumption.backing.source.clone()
            }),
            text_column("range_tag", ColumnUnit::Name, "how far to trust the range", |row| {
                row.assumption.range.tag.name().to_owned()
            }),
            text_column(
                "range_source",
                ColumnUnit::Text,
                "of the range. Default ranges divide and multiply the odds of a probability, or an \
                 amount, by 1.25 (cited), 1.5 (indicative) or 2 (assumed, or given in the scenario \
                 without a range); for `reader.follow` of a preset, the lower end is found in this \
                 way and the upper end is .95. Half of the draws lie below the figure and half \
                 above, uniformly in the logarithm (of the odds), so that the figure is the median \
                 of its own range; from a range given in the scenario, draws are uniform",
                |row| row.assumption.range.source.clone(),
            ),
            measured_column("answer", "the answer with every assumption at its value", |row| {
                measured(row.answer.measure, row.answer.value)
            }),
            measured_column(
                "answer_at_low",
                "the answer with this assumption at the lower end of its range, all others at \
                 their values",
                |row| measured(row.answer.measure, row.effect.at_low),
            ),
            measured_column(
                "answer_at_high",
                "the answer with this assumption at the upper end of its range",
                |row| measured(row.answer.measure, row.effect.at_high),
            ),
            measured_column(
                "swing",
                "answer_at_high minus answer_at_low: the bars of a tornado diagram",
                |row| measured(row.answer.measure, row.effect.swing()),
            ),
            number_column(
                "first_order",
                ColumnUnit::Share,
                "the share of the answer's variance that would be removed if this assumption were \
                 known; empty if the answer does not vary",
                |row| row.effect.index.map(|index| index.first.estimate),
            ),
            number_column(
                "first_order_low",
                ColumnUnit::Share,
                "lower end of its 95% interval",
                |row| row.effect.index.map(|index| index.first.low),
            ),
            number_column(
                "first_order_high",
                ColumnUnit::Share,
                "upper end of that interval",
                |row| row.effect.index.map(|index| index.first.high),
            ),
            number_column(
                "total",
                ColumnUnit::Share,
                "the share that would remain if all others were known: includes its interactions \
                 with others",
                |row| row.effect.index.map(|index| index.total.estimate),
            ),
            number_column("total_low", ColumnUnit::Share, "lower end of its 95% interval", |row| {
                row.effect.index.map(|index| index.total.low)
            }),
            number_column("total_high", ColumnUnit::Share, "upper end of that interval", |row| {
                row.effect.index.map(|index| index.total.high)
            }),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<AssumptionEffectRow<'_>> {
    let mut rows = Vec::new();
    if let Some(sensitivity) = &record.sensitivity {
        for answer in &sensitivity.answers {
            let effects = sensitivity.assumptions.iter().zip(&answer.effects);
            rows.extend(effects.map(|(assumption, effect)| AssumptionEffectRow {
                record,
                answer,
                assumption,
                effect,
            }));
        }
    }
    rows
}

/// The name of a measure's answers.
pub(super) fn answer_name(measure: ComparisonMeasure) -> &'static str {
    match measure {
        ComparisonMeasure::Money => "total_per_year",
        ComparisonMeasure::Ndcg | ComparisonMeasure::Failure => measure.name(),
    }
}

/// An answer in the unit of its measure.
pub(super) fn measured(measure: ComparisonMeasure, answer: f64) -> MeasuredValue {
    match measure {
        ComparisonMeasure::Money => MeasuredValue::Money(answer),
        ComparisonMeasure::Ndcg | ComparisonMeasure::Failure => MeasuredValue::Number(answer),
    }
}
