//! The default ranges of assumptions: the weaker the source of a figure, the wider its range.

use super::assumption_spread::AssumptionSpread;
use crate::scenario::{
    AssumptionRange, FigureSource, ImpactVariable, ParameterProvenance, SourcedValue,
};

/// The factor by which the odds of a chance, or an amount, are divided and multiplied at the ends of a default range:
/// the weaker the source, the wider the range.
pub fn range_factor(tag: ParameterProvenance) -> f64 {
    match tag {
        ParameterProvenance::Measured | ParameterProvenance::Cited => 1.25,
        ParameterProvenance::Indicative => 1.5,
        ParameterProvenance::Assumed | ParameterProvenance::Scenario => 2.0,
    }
}

/// Upper end of the default range for following a wrong passage. The presets' figures come from questions that the
/// reader can often answer from its own knowledge; without any, it follows more often.
pub const MAX_FOLLOW: f64 = 0.95;

/// The ends of a measured range are at least this far from 0 and 1.
const LEAST_CHANCE: f64 = 1e-6;

/// A default range, and how figures are drawn from it.
pub(super) type DefaultAssumptionRange = Option<(AssumptionRange, AssumptionSpread)>;

pub(super) fn backing_of(figure: &SourcedValue) -> FigureSource {
    FigureSource { tag: figure.tag, source: figure.source.clone() }
}

/// A default range; `None` if its ends are equal.
pub(super) fn default_range(
    low: f64,
    high: f64,
    by: &FigureSource,
    quantity: &str,
) -> Option<AssumptionRange> {
    let source = format!(
        "ours: {quantity} divided and multiplied by {}, for a figure that is {}",
        range_factor(by.tag),
        by.tag.name()
    );
    (low < high).then_some(AssumptionRange {
        low,
        high,
        backing: FigureSource { tag: ParameterProvenance::Assumed, source },
    })
}

/// The default range of a chance: of a measured one its interval, of others the odds divided and multiplied. What is
/// impossible or certain has none.
pub(super) fn chance_range(rate: &SourcedValue) -> DefaultAssumptionRange {
    let by = backing_of(rate);
    if let Some((low, high)) = rate.range {
        let source = "the 95% interval of the fit".to_owned();
        let backing = FigureSource { tag: ParameterProvenance::Measured, source };
        // Odds have no value at 0 and 1.
        let low = low.max(LEAST_CHANCE).min(rate.value);
        let high = high.min(1.0 - LEAST_CHANCE).max(rate.value);
        let range = AssumptionRange { low, high, backing };
        let inside = LEAST_CHANCE <= rate.value && rate.value <= 1.0 - LEAST_CHANCE;
        return (inside && low < high).then_some((range, AssumptionSpread::Odds(0.0, 1.0)));
    }
    let (low, high) = odds_range(rate.value, 0.0, 1.0, range_factor(by.tag))?;
    Some((default_range(low, high, &by, "the odds")?, AssumptionSpread::Odds(0.0, 1.0)))
}

/// The ends of a range around `value`, whose odds between `from` and `to` are divided and multiplied by `times`.
fn odds_range(value: f64, from: f64, to: f64, times: f64) -> Option<(f64, f64)> {
    // What is impossible or certain has odds of zero or infinity, which no factor changes.
    let ratio = (value - from) / (to - value);
    let [low, high] =
        [ratio / times, ratio * times].map(|ratio| from + (to - from) * ratio / (1.0 + ratio));
    (ratio > 0.0 && ratio.is_finite()).then_some((low, high))
}

/// The default range of `follow`: down as for any chance, and up to [`MAX_FOLLOW`].
pub(super) fn follow_range(rate: &SourcedValue) -> DefaultAssumptionRange {
    let (mut range, spread) = chance_range(rate)?;
    range.high = MAX_FOLLOW.max(range.high);
    range.backing.source = format!(
        "ours: the odds divided by {}, for a figure that is {}; up to {MAX_FOLLOW}, since it comes from questions on which \
         the reader knows something of its own",
        range_factor(rate.tag),
        rate.tag.name()
    );
    Some((range, spread))
}

/// The default range of a variable's mean: by odds if the variable has two bounds, by a factor if the mean is positive.
pub(super) fn mean_range(variable: &ImpactVariable) -> DefaultAssumptionRange {
    let (mean, times) = (variable.variable.mean(), range_factor(variable.backing.tag));
    match variable.variable.bounds() {
        Some((from, to)) => {
            let (low, high) = odds_range(mean, from, to, times)?;
            let quantity = "the odds of the mean between the variable's ends";
            Some((
                default_range(low, high, &variable.backing, quantity)?,
                AssumptionSpread::Odds(from, to),
            ))
        }
        None if mean > 0.0 => Some((
            default_range(mean / times, mean * times, &variable.backing, "the mean")?,
            AssumptionSpread::Factor,
        )),
        None => None,
    }
}
