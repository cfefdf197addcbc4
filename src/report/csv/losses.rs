//! Defines `losses.csv`: the expected loss split by outcome, loss rule and error, and what each step would save if it
//! were right.

use super::RunTable;
use super::event_names::event_name;
use super::{currency, priced_arms};
use crate::report::table::{
    ColumnUnit, TableDefinition, money_column, money_per_case_column, number_column, text_column,
};
use crate::run::record::{LossAttribution, RunRecord};

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: Some(|record| record.currency.is_some()),
};

struct LossPartRow<'a> {
    arm: &'a str,
    currency: String,
    /// The split that the part belongs to. Splits by outcome, rule and error each add up to the whole loss, so rows of
    /// different splits overlap.
    by: &'static str,
    step: &'a str,
    item: String,
    /// Per case.
    loss: f64,
    loss_per_year: f64,
    share: Option<f64>,
}

fn definition<'a>() -> TableDefinition<LossPartRow<'a>> {
    TableDefinition {
        file: "losses.csv",
        doc: "one row per arm and part of its loss",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.to_owned()),
            text_column("currency", ColumnUnit::Text, "the currency of all amounts", |row| {
                row.currency.clone()
            }),
            text_column(
                "by",
                ColumnUnit::Name,
                "`outcome`, `loss` (a rule of the scenario), `error` (Shapley): the rows of each \
                 of these add up to the expected loss. `saved_if_right`: how much less would be \
                 lost if the step were right; these overlap",
                |row| row.by.to_owned(),
            ),
            text_column(
                "step",
                ColumnUnit::Id,
                "the step, for an error and for `saved_if_right`",
                |row| row.step.to_owned(),
            ),
            text_column(
                "item",
                ColumnUnit::Text,
                "the outcome, rule or own error (as in causes.csv); the error `none` is what would \
                 be lost if nothing went wrong",
                |row| row.item.clone(),
            ),
            money_per_case_column(
                "loss_per_case",
                "its part of the expected loss of a case. May be negative, or above all of the \
                 loss, as may the next two columns: an error that stops a run in time prevents a \
                 worse one",
                |row| Some(row.loss),
            ),
            money_column("loss_per_year", "the same per year", |row| Some(row.loss_per_year)),
            number_column(
                "share_of_loss",
                ColumnUnit::Share,
                "the same as a share of the expected loss",
                |row| row.share,
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<LossPartRow<'_>> {
    let mut rows = Vec::new();
    for (_, arm, money) in priced_arms(record) {
        let parts = money.splits.iter().map(|split| {
            let (by, step, item) = attribution(&split.attributed_to);
            (by, step, item, split.loss, Some(split.share))
        });
        let avoidable = money.avoidable.iter().map(|avoidable| {
            let step = avoidable.step.as_str();
            ("saved_if_right", step, String::new(), avoidable.loss, avoidable.share)
        });
        rows.extend(parts.chain(avoidable).map(|(by, step, item, loss, share)| LossPartRow {
            arm: &arm.id,
            currency: currency(record),
            by,
            step,
            item,
            loss,
            loss_per_year: money.per_year(loss),
            share,
        }));
    }
    rows
}

/// The cells `by`, `step` and `item`.
fn attribution(part: &LossAttribution) -> (&'static str, &str, String) {
    match part {
        LossAttribution::Outcome(outcome) => ("outcome", "", outcome.name().to_owned()),
        LossAttribution::Rule(name) => ("loss", "", name.clone()),
        LossAttribution::Error(Some((step, event))) => ("error", step, event_name(*event)),
        LossAttribution::Error(None) => ("error", "", "none".to_owned()),
    }
}
