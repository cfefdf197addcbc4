//! Defines `plan.csv`.

use super::{PlanOption, PlanResult};
use crate::report::table::{
    ColumnUnit, TableDefinition, TypedTable, money_column, number_column, text_column,
    whole_column, yes_no_column,
};

struct PlanOptionRow<'a> {
    planned: &'a PlanResult,
    /// Index of the option in the result.
    at: usize,
    option: &'a PlanOption,
}

/// The table `plan.csv` of a result; without one, its columns.
pub fn plan_table(planned: Option<&PlanResult>) -> TypedTable {
    let mut rows = Vec::new();
    if let Some(planned) = planned {
        let options = planned.options.iter().enumerate();
        rows.extend(options.map(|(at, option)| PlanOptionRow { planned, at, option }));
    }
    definition().table(&rows)
}

fn definition<'a>() -> TableDefinition<PlanOptionRow<'a>> {
    TableDefinition {
        file: "plan.csv",
        doc: "one row per combination of mitigations (`knockon plan`)",
        columns: vec![
            text_column(
                "option",
                ColumnUnit::Text,
                "the combination; the first row is the unchanged arm",
                |row| row.option.name.clone(),
            ),
            text_column("currency", ColumnUnit::Text, "the currency of all amounts", |row| {
                row.planned.currency.clone()
            }),
            whole_column(
                "candidates",
                ColumnUnit::Count,
                "the number of candidates in it",
                |row| Some(row.option.chosen.len()),
            ),
            whole_column(
                "step_in_order",
                ColumnUnit::Rank,
                "its position if the best next candidate is bought each time, as long as one saves \
                 anything; 0 is the unchanged arm",
                |row| row.planned.buying_order.iter().position(|option| *option == row.at),
            ),
            number_column("failure_rate", ColumnUnit::Probability, "P(failure) with it", |row| {
                Some(row.option.failure)
            }),
            money_column(
                "cost_per_year",
                "running costs (as in impact.csv) and the candidates' own",
                |row| Some(row.option.cost),
            ),
            money_column(
                "loss_per_year",
                "expected loss; here and in all amounts of this file every assumption (volume, \
                 amounts, rates) is at its stated value",
                |row| Some(row.option.loss),
            ),
            money_column(
                "cvar_95",
                "the mean loss of the worst 5% of sampled years; compare it with `cvar_95_stated` \
                 of impact.csv, since `cvar_95` there has the assumptions drawn if the scenario \
                 has a section `sensitivity`",
                |row| Some(row.option.cvar),
            ),
            money_column("total_per_year", "cost and expected loss", |row| {
                Some(row.option.total())
            }),
            money_column(
                "saved_per_year",
                "total of the unchanged arm minus this one's, all costs included",
                |row| row.option.saved.as_ref().map(|saved| saved.interval.estimate),
            ),
            money_column(
                "saved_low",
                "lower end of its 95% interval as if no other option had been tried: too \
                 optimistic for an option that was picked because it saves most",
                |row| row.option.saved.as_ref().map(|saved| saved.interval.low),
            ),
            money_column("saved_high", "upper end of that interval", |row| {
                row.option.saved.as_ref().map(|saved| saved.interval.high)
            }),
            number_column(
                "p_value",
                ColumnUnit::Probability,
                "of saved_per_year, as if no other option had been tried",
                |row| row.option.saved.as_ref().map(|saved| saved.p_value),
            ),
            number_column(
                "p_holm",
                ColumnUnit::Probability,
                "p_value after Holm's correction over all options",
                |row| row.option.saved.as_ref().map(|saved| saved.p_holm),
            ),
            money_column(
                "saved_low_whichever",
                "lower end of the simultaneous interval: those of all options hold at once with a \
                 probability of 95% (Bonferroni), so this one is also valid for the best option",
                |row| row.option.saved.as_ref().map(|saved| saved.simultaneous.low),
            ),
            money_column("saved_high_whichever", "upper end of that interval", |row| {
                row.option.saved.as_ref().map(|saved| saved.simultaneous.high)
            }),
            yes_no_column(
                "on_front",
                "no other option has less of both: cost and expected loss",
                |row| Some(row.option.on_front),
            ),
            yes_no_column(
                "on_tail_front",
                "no other option has less of both: cost and `cvar_95`",
                |row| Some(row.option.on_tail_front),
            ),
        ],
    }
}
