//! Words for statistical uncertainty (intervals, p-values, significance marks), shared by terminal, page and plan.
//!
//! With too few sampling units for a test or an interval, the text says so and gives no number.

use crate::stats::{ConfidenceInterval, FEW_CLUSTERS, PairedDifference};

/// Shown in place of an interval that would rest on fewer than [`FEW_CLUSTERS`] units.
pub const TOO_FEW_UNITS: &str = "too few units";
/// Shown in place of an unbounded interval, and where no p-value could be small enough to reject.
pub const NOT_ESTIMABLE: &str = "not estimable";

/// The mark after a difference: `=` identical, `?` too few units for a test, `*` significant, or nothing.
pub fn significance_mark(difference: &PairedDifference) -> &'static str {
    match difference {
        PairedDifference { identical: true, .. } => " =",
        of if !of.has_verdict() => " ?",
        of if of.is_significant() => " *",
        _ => "",
    }
}

/// Explains the marks that occur among `differences`, which are measured from `reference`.
pub fn legend<'a>(
    reference: &str,
    differences: impl Iterator<Item = &'a PairedDifference>,
) -> String {
    let mut told = vec![format!(
        "*: differs from {reference} (paired test over units, p < .05 after Holm's correction)."
    )];
    let (mut same, mut unknown) = (false, None);
    for of in differences {
        match significance_mark(of) {
            " =" => same = true,
            " ?" => unknown = Some(of.clusters),
            _ => {}
        }
    }
    if same {
        told.push("=: identical on every task.".to_owned());
    }
    if let Some(units) = unknown {
        told.push(format!(
            "?: no test possible: {} too few for any p-value below .05 after Holm's correction.",
            units_with_verb(units)
        ));
    }
    told.join("\n")
}

/// A count of units with its verb: `8 units are`.
pub fn units_with_verb(units: usize) -> String {
    if units == 1 { "1 unit is".to_owned() } else { format!("{units} units are") }
}

/// The reason why a difference or an amount of money has no interval; `None` if it has one.
pub fn missing_interval_reason(
    interval: &ConfidenceInterval,
    units: usize,
) -> Option<&'static str> {
    match () {
        () if units < FEW_CLUSTERS => Some(TOO_FEW_UNITS),
        () if !interval.is_bounded() => Some(NOT_ESTIMABLE),
        () => None,
    }
}

/// Whether there are enough units to state in which share of resamples an arm is the best. As for intervals: few units
/// that happen to agree would make it 100%.
pub fn can_rank_best(units: usize) -> bool {
    units >= FEW_CLUSTERS
}

/// The interval of a difference and its p-value, to be put in brackets; `ends` formats the interval.
///
/// Both are Holm-corrected if several differences were tested.
pub fn interval_and_p_value(
    of: &PairedDifference,
    ends: impl Fn(&ConfidenceInterval) -> String,
) -> String {
    if of.identical {
        return "identical on every task".to_owned();
    }
    if !of.has_verdict() {
        return format!("no test possible: {} too few", units_with_verb(of.clusters));
    }
    let p = p_value(of.p_holm);
    if of.clusters < FEW_CLUSTERS {
        return format!(
            "{p} after Holm's correction; {} too few for an interval",
            units_with_verb(of.clusters)
        );
    }
    // Equal intervals: Holm's level for this difference is 95%, so there is no correction to mention.
    match of.interval == of.holm_interval {
        true => format!("95% interval {}, {p}", ends(&of.interval)),
        false => {
            format!("interval {} and {p}, both after Holm's correction", ends(&of.holm_interval))
        }
    }
}

/// A probability estimated as a share of samples. Shares near 0 and 1 become bounds, since neither is certain.
pub fn estimated_probability(p: f64) -> String {
    match p {
        _ if p >= 0.995 => "over 99%".to_owned(),
        _ if p < 0.005 => "below 1%".to_owned(),
        _ => format!("{:.0}%", 100.0 * p),
    }
}

/// A p-value in the usual style: `p = .012`, or `p < .001`.
pub fn p_value(p: f64) -> String {
    if p < 0.001 { "p < .001".to_owned() } else { format!("p = {p:.3}").replace("0.", ".") }
}
