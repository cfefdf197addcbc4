//! Defines `validation.csv` and `validation_orders.csv`.

use super::{ArmValidation, IndicatorOrder, MeanValidation, RateValidation, ValidationRecord};
use crate::report::table::{
    ColumnUnit, TableDefinition, TypedTable, number_column, text_column, yes_no_column,
};

struct RateRow<'a> {
    record: &'a ValidationRecord,
    arm: &'a ArmValidation,
    measure: &'static str,
    /// `None` for measures without an interval.
    rate: Option<RateValidation>,
    mean: MeanValidation,
    /// Whether it is the row of all failures, which has the indicators as well.
    is_failure: bool,
}

struct OrderRow<'a> {
    record: &'a ValidationRecord,
    order: &'a IndicatorOrder,
}

/// The table `validation.csv` of a record; without one, its columns.
pub fn validation_table(record: Option<&ValidationRecord>) -> TypedTable {
    let mut rows = Vec::new();
    if let Some(record) = record {
        for arm in &record.arms {
            let row = |measure, rate: &RateValidation, is_failure| {
                let mean = MeanValidation { real: rate.real, predicted: rate.predicted.estimate };
                RateRow { record, arm, measure, rate: Some(*rate), mean, is_failure }
            };
            rows.push(row("failure", &arm.failure, true));
            rows.extend(
                arm.outcomes.iter().map(|(outcome, rate)| row(outcome.name(), rate, false)),
            );
            let means = [("induced_misses", Some(arm.induced_misses)), ("loss_per_case", arm.loss)];
            rows.extend(means.into_iter().filter_map(|(measure, mean)| {
                Some(RateRow { record, arm, measure, rate: None, mean: mean?, is_failure: false })
            }));
        }
    }
    rates().table(&rows)
}

/// The table `validation_orders.csv` of a record; without one, its columns.
pub fn indicator_table(record: Option<&ValidationRecord>) -> TypedTable {
    let mut rows = Vec::new();
    if let Some(record) = record {
        rows.extend(record.orders.iter().map(|order| OrderRow { record, order }));
    }
    orders().table(&rows)
}

fn rates<'a>() -> TableDefinition<RateRow<'a>> {
    TableDefinition {
        file: "validation.csv",
        doc: "one row per arm and measure (`knockon validate`)",
        columns: vec![
            text_column("scenario", ColumnUnit::Text, "the scenario", |row| {
                row.record.scenario.clone()
            }),
            text_column("reader", ColumnUnit::Text, "the reader that was really asked", |row| {
                row.record.reader.clone()
            }),
            text_column("arm", ColumnUnit::Text, "the arm", |row| row.arm.arm.clone()),
            text_column(
                "measure",
                ColumnUnit::Name,
                "`failure` for all outcomes except a correct one, or one of these outcomes, as \
                 probabilities; `induced_misses`, the number of misses a run that an upstream \
                 error caused; `loss_per_case`, in the scenario's currency",
                |row| row.measure.to_owned(),
            ),
            number_column(
                "real",
                ColumnUnit::OfTheRow,
                "its value when the language model read",
                |row| Some(row.mean.real),
            ),
            number_column(
                "predicted",
                ColumnUnit::OfTheRow,
                "the value that was simulated, with a reader fitted to the answers of another arm \
                 on the other half of the units",
                |row| Some(row.mean.predicted),
            ),
            number_column(
                "predicted_low",
                ColumnUnit::Probability,
                "the lower end of its 95% prediction interval",
                |row| row.rate.map(|rate| rate.predicted.low),
            ),
            number_column(
                "predicted_high",
                ColumnUnit::Probability,
                "the upper end of its 95% prediction interval",
                |row| row.rate.map(|rate| rate.predicted.high),
            ),
            number_column("error", ColumnUnit::OfTheRow, "predicted minus real", |row| {
                Some(row.mean.predicted - row.mean.real)
            }),
            yes_no_column("held", "whether the real rate is in the interval", |row| {
                row.rate.map(|rate| rate.is_held())
            }),
            number_column(
                "uncalibrated",
                ColumnUnit::Probability,
                "for failures: the rate simulated with the scenario's own reader, before \
                 calibration",
                |row| row.is_failure.then_some(row.arm.indicators.uncalibrated),
            ),
            number_column(
                "independent_steps",
                ColumnUnit::Probability,
                "for failures: one minus the product of the rates at which each step alone reads \
                 right",
                |row| row.is_failure.then_some(row.arm.indicators.independent_steps),
            ),
            number_column(
                "ndcg_at_10",
                ColumnUnit::Number,
                "for failures: mean nDCG@10 over tasks and steps",
                |row| row.is_failure.then_some(row.arm.indicators.ndcg_at_10),
            ),
            number_column(
                "recall_at_k",
                ColumnUnit::Number,
                "for failures: mean share of the gold passages that are passed on",
                |row| row.is_failure.then_some(row.arm.indicators.recall_at_k),
            ),
            number_column(
                "udcg",
                ColumnUnit::Number,
                "for failures: utility and distraction-aware cumulative gain, with the fitted \
                 reader in place of a language model",
                |row| row.is_failure.then_some(row.arm.indicators.udcg),
            ),
            number_column(
                "erag",
                ColumnUnit::Number,
                "for failures: mean probability that a passage alone is read right, with the \
                 fitted reader in place of a language model",
                |row| row.is_failure.then_some(row.arm.indicators.erag),
            ),
        ],
    }
}

fn orders<'a>() -> TableDefinition<OrderRow<'a>> {
    TableDefinition {
        file: "validation_orders.csv",
        doc: "one row per indicator (`knockon validate`)",
        columns: vec![
            text_column("scenario", ColumnUnit::Text, "the scenario", |row| {
                row.record.scenario.clone()
            }),
            text_column("reader", ColumnUnit::Text, "the reader that was really asked", |row| {
                row.record.reader.clone()
            }),
            text_column("indicator", ColumnUnit::Text, "what orders the arms", |row| {
                row.order.indicator.to_owned()
            }),
            number_column(
                "spearman",
                ColumnUnit::Number,
                "Spearman's rank correlation of its order with that of the real failure rates; \
                 empty if it does not tell arms apart",
                |row| row.order.spearman,
            ),
        ],
    }
}
