//! How sure a figure is, in a few words: one wording for terminal, page and plan.
//!
//! Where the sampling units are too few for a verdict or for an interval, that is what is written, and no number.

use crate::stats::{ALPHA, FEW_CLUSTERS, Interval, PairedDifference, can_reject};

/// In place of an interval.
pub const TOO_FEW: &str = "too few units";
/// In place of an interval of which nothing is known.
pub const CANNOT_BE_TOLD: &str = "cannot be told";

/// What is written behind a difference.
pub fn mark(difference: &PairedDifference) -> &'static str {
    match difference {
        PairedDifference { identical: true, .. } => " =",
        of if !of.can_be_told() => " ?",
        of if of.is_significant() => " *",
        _ => "",
    }
}

/// What the marks mean that are in use. Differences are from `reference`.
pub fn legend<'a>(
    reference: &str,
    differences: impl Iterator<Item = &'a PairedDifference>,
) -> String {
    let mut told = vec![format!(
        "*: differs from {reference} (paired test over units, p < .05 after Holm's correction)."
    )];
    let (mut same, mut unknown) = (false, None);
    for of in differences {
        match mark(of) {
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
            "?: {CANNOT_BE_TOLD}: {} too few for any p-value below .05 after Holm's correction.",
            units_are(units)
        ));
    }
    told.join("\n")
}

/// `8 units are`.
pub fn units_are(units: usize) -> String {
    if units == 1 { "1 unit is".to_owned() } else { format!("{units} units are") }
}

/// Why no interval is given of a difference or of an amount of money; `None` where one is.
pub fn why_no_interval(interval: &Interval, units: usize) -> Option<&'static str> {
    match () {
        () if units < FEW_CLUSTERS => Some(TOO_FEW),
        () if !interval.is_bounded() => Some(CANNOT_BE_TOLD),
        () => None,
    }
}

/// How probably an arm is the best can be said at all.
pub fn best_can_be_told(units: usize) -> bool {
    can_reject(units, ALPHA)
}

/// The interval of a difference and its p-value in a sentence's brackets, as `ends` writes the interval's ends.
///
/// Both are after Holm's correction where several differences were tested.
pub fn in_brackets(of: &PairedDifference, ends: impl Fn(&Interval) -> String) -> String {
    if of.identical {
        return "identical on every task".to_owned();
    }
    if !of.can_be_told() {
        return format!("whether by chance {CANNOT_BE_TOLD}: {} too few", units_are(of.clusters));
    }
    let p = p_value(of.p_holm);
    if of.clusters < FEW_CLUSTERS {
        return format!(
            "{p} after Holm's correction; {} too few for an interval",
            units_are(of.clusters)
        );
    }
    match of.interval == of.holm_interval {
        true => format!("95% interval {}, {p}", ends(&of.interval)),
        false => {
            format!("interval {} and {p}, both after Holm's correction", ends(&of.holm_interval))
        }
    }
}

/// A chance that was counted: one that came out as none or all of them is not certain.
pub fn chance(p: f64) -> String {
    match p {
        _ if p >= 0.995 => "over 99%".to_owned(),
        _ if p < 0.005 => "below 1%".to_owned(),
        _ => format!("{:.0}%", 100.0 * p),
    }
}

/// A probability as one writes it after an equals sign.
pub fn p_value(p: f64) -> String {
    if p < 0.001 { "p < .001".to_owned() } else { format!("p = {p:.3}").replace("0.", ".") }
}
