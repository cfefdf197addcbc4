//! Defines `impact.csv`.

use super::RunTable;
use super::{currency, priced_arms};
use crate::report::table::{
    ColumnUnit, TableDefinition, money_column, money_per_case_column, number_column, text_column,
    whole_column, yes_no_column,
};
use crate::run::record::{ArmRecord, LossTail, MoneyRecord, PairedDifference, RunRecord};

pub(super) const TABLE: RunTable = RunTable {
    describe: || definition().table(&[]),
    fill: |record| definition().table(&rows(record)),
    is_written: Some(|record| record.currency.is_some()),
};

struct ImpactRow<'a> {
    record: &'a RunRecord,
    /// Index of the arm in the record.
    at: usize,
    arm: &'a ArmRecord,
    money: &'a MoneyRecord,
}

impl ImpactRow<'_> {
    fn difference(&self) -> Option<&PairedDifference> {
        self.money.difference.as_ref()
    }

    /// The tail at a level, by its index: 95% and 99% (`run::money::LEVELS`).
    fn tail(&self, level: usize) -> Option<&LossTail> {
        self.money.year().tail.get(level)
    }

    /// The same with every assumption at its stated value.
    fn stated_tail(&self, level: usize) -> Option<&LossTail> {
        self.money.stated_year.tail.get(level)
    }
}

fn definition<'a>() -> TableDefinition<ImpactRow<'a>> {
    TableDefinition {
        file: "impact.csv",
        doc: "one row per arm",
        columns: vec![
            text_column("arm", ColumnUnit::Id, "the arm", |row| row.arm.id.clone()),
            yes_no_column("baseline", "whether the others are compared with it", |row| {
                Some(row.record.baseline == Some(row.at))
            }),
            text_column("currency", ColumnUnit::Text, "the currency of all amounts", |row| {
                currency(row.record)
            }),
            money_per_case_column("loss_per_case", "the expected loss of a case", |row| {
                Some(row.money.loss.estimate)
            }),
            money_per_case_column(
                "loss_per_case_low",
                "lower end of its 95% interval, clustered on the unit (Student's t, extended where \
                 the same interval corrected for skewness reaches further)",
                |row| Some(row.money.loss.low),
            ),
            money_per_case_column(
                "loss_per_case_high",
                "upper end of that interval; `inf` if nothing is lost",
                |row| Some(row.money.loss.high),
            ),
            money_per_case_column(
                "running_per_case",
                "cost of searches, reader calls and guards, whether the run fails or not. If a \
                 guard has several retries, each counts in proportion",
                |row| Some(row.money.running),
            ),
            money_per_case_column("total_per_case", "loss and running costs together", |row| {
                Some(row.money.total())
            }),
            number_column(
                "seconds_per_case",
                ColumnUnit::Seconds,
                "time of searches, reader calls and guards as if they ran one after another",
                |row| Some(row.money.seconds),
            ),
            money_per_case_column(
                "difference_per_case",
                "total of the arm minus total of the baseline on the same tasks",
                |row| row.difference().map(|d| d.interval.estimate),
            ),
            money_per_case_column(
                "difference_per_case_low",
                "lower end of its 95% interval. Running costs are those of an average case: they \
                 move the interval and do not widen it",
                |row| row.difference().map(|d| d.interval.low),
            ),
            money_per_case_column(
                "difference_per_case_high",
                "upper end of that interval",
                |row| row.difference().map(|d| d.interval.high),
            ),
            number_column(
                "p_value",
                ColumnUnit::Probability,
                "of that difference, running costs included, as in summary.csv; so are the next \
                 four columns",
                |row| row.difference().map(|d| d.p_value),
            ),
            number_column(
                "p_holm",
                ColumnUnit::Probability,
                "p_value after Holm's correction over the comparisons with the baseline",
                |row| row.difference().map(|d| d.p_holm),
            ),
            money_per_case_column(
                "holm_low",
                "lower end of the interval at the level at which Holm's procedure tests the \
                 difference",
                |row| row.difference().map(|d| d.holm_interval.low),
            ),
            money_per_case_column("holm_high", "upper end of that interval", |row| {
                row.difference().map(|d| d.holm_interval.high)
            }),
            yes_no_column(
                "identical",
                "`yes`: arm and baseline have the same loss and running costs on every task",
                |row| row.difference().map(|d| d.identical),
            ),
            number_column("cases_per_year", ColumnUnit::PerYear, "the mean of `volume`", |row| {
                Some(row.money.cases)
            }),
            money_column(
                "loss_per_year",
                "loss_per_case times cases_per_year: expected, with every assumption at its stated \
                 value; so are the next three columns",
                |row| Some(row.money.per_year(row.money.loss.estimate)),
            ),
            money_column("running_per_year", "running_per_case times cases_per_year", |row| {
                Some(row.money.per_year(row.money.running))
            }),
            money_column("total_per_year", "total_per_case times cases_per_year", |row| {
                Some(row.money.per_year(row.money.total()))
            }),
            money_column(
                "difference_per_year",
                "difference_per_case times cases_per_year",
                |row| row.difference().map(|d| row.money.per_year(d.interval.estimate)),
            ),
            yes_no_column(
                "assumptions_drawn",
                "whether the next columns, up to those that end in `_stated`, are of drawn \
                 assumptions: `no` if nothing that the arm depends on has a range",
                |row| Some(row.money.drawn_year.is_some()),
            ),
            money_column(
                "loss_per_year_mean",
                "mean of the loss of a year, from sampled years; without running costs, as are all \
                 columns below",
                |row| Some(row.money.year().mean),
            ),
            money_column("loss_per_year_sd", "standard deviation of the loss of a year", |row| {
                Some(row.money.year().sd)
            }),
            money_column(
                "var_95",
                "value at risk: the loss that 95% of sampled years do not exceed",
                |row| row.tail(0).map(|tail| tail.var),
            ),
            money_column(
                "var_95_low",
                "lower end of its Monte Carlo error: the range in which it would lie in 95% of \
                 repetitions with other draws (order statistics; years of one draw of readers and \
                 guards count as one unit)",
                |row| row.tail(0).map(|tail| tail.var_error.0),
            ),
            money_column(
                "var_95_high",
                "upper end of that range; `inf` if there are too few years to tell",
                |row| row.tail(0).map(|tail| tail.var_error.1),
            ),
            money_column(
                "cvar_95",
                "conditional value at risk: the mean loss of the other years, those with more than \
                 var_95",
                |row| row.tail(0).map(|tail| tail.cvar),
            ),
            money_column(
                "var_99",
                "value at risk: the loss that 99% of sampled years do not exceed",
                |row| row.tail(1).map(|tail| tail.var),
            ),
            money_column(
                "var_99_low",
                "lower end of its Monte Carlo error: the range in which it would lie in 95% of \
                 repetitions with other draws (order statistics; years of one draw of readers and \
                 guards count as one unit)",
                |row| row.tail(1).map(|tail| tail.var_error.0),
            ),
            money_column(
                "var_99_high",
                "upper end of that range; `inf` if there are too few years to tell",
                |row| row.tail(1).map(|tail| tail.var_error.1),
            ),
            money_column(
                "cvar_99",
                "conditional value at risk: the mean loss of the other years, those with more than \
                 var_99",
                |row| row.tail(1).map(|tail| tail.cvar),
            ),
            money_column(
                "loss_per_year_sd_stated",
                "standard deviation of the loss of a year with every assumption as stated; so are \
                 the next four columns",
                |row| Some(row.money.stated_year.sd),
            ),
            money_column("var_95_stated", "as var_95", |row| {
                row.stated_tail(0).map(|tail| tail.var)
            }),
            money_column("cvar_95_stated", "as cvar_95", |row| {
                row.stated_tail(0).map(|tail| tail.cvar)
            }),
            money_column("var_99_stated", "as var_99", |row| {
                row.stated_tail(1).map(|tail| tail.var)
            }),
            money_column("cvar_99_stated", "as cvar_99", |row| {
                row.stated_tail(1).map(|tail| tail.cvar)
            }),
            whole_column(
                "sampled_years",
                ColumnUnit::Count,
                "the number of years on which each of the two distributions is based",
                |row| Some(row.money.year().years as usize),
            ),
            whole_column(
                "tasks_behind_half",
                ColumnUnit::Count,
                "the smallest number of tasks that account for half of the expected loss: if they \
                 are few, so is the evidence",
                |row| Some(row.money.tasks_for_half_loss),
            ),
        ],
    }
}

fn rows(record: &RunRecord) -> Vec<ImpactRow<'_>> {
    priced_arms(record).map(|(at, arm, money)| ImpactRow { record, at, arm, money }).collect()
}
