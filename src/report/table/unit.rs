//! The unit of a column.

/// What the values of a column count or measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnUnit {
    /// An id of the scenario.
    Id,
    /// One of a fixed set of names.
    Name,
    Text,
    YesNo,
    Count,
    Rank,
    /// Between 0 and 1.
    Probability,
    /// A part of a whole, or a difference of parts; may be negative or above 1 where the column says so.
    Share,
    /// The quotient of two probabilities.
    Ratio,
    /// An expected number per run, which may exceed 1.
    PerRun,
    /// An expected number per year.
    PerYear,
    PercentagePoints,
    Seconds,
    UsDollars,
    /// An amount in the scenario's currency.
    Currency,
    /// The unit that another column of the row determines, such as `measure`.
    OfTheRow,
    /// A number without a unit, such as a score or a weight.
    Number,
}

impl ColumnUnit {
    /// The name in `columns.csv` and in the documentation; `currency` is that of the scenario, if it is known.
    pub fn name(self, currency: Option<&str>) -> &str {
        match self {
            ColumnUnit::Id => "id",
            ColumnUnit::Name => "name",
            ColumnUnit::Text => "text",
            ColumnUnit::YesNo => "yes or no",
            ColumnUnit::Count => "count",
            ColumnUnit::Rank => "rank",
            ColumnUnit::Probability => "probability",
            ColumnUnit::Share => "share",
            ColumnUnit::Ratio => "ratio",
            ColumnUnit::PerRun => "number per run",
            ColumnUnit::PerYear => "number per year",
            ColumnUnit::PercentagePoints => "percentage points",
            ColumnUnit::Seconds => "seconds",
            ColumnUnit::UsDollars => "USD",
            ColumnUnit::Currency => currency.unwrap_or("currency"),
            ColumnUnit::OfTheRow => "depends on the row",
            ColumnUnit::Number => "number",
        }
    }
}
