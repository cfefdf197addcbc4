//! The yearly volume, and the number of years that are sampled.

use super::super::diagnostics::Diagnostic;
use super::super::file::{ImpactEntry, VolumeEntry, VolumeKindEntry};
use super::super::resolve::ScenarioResolver;
use super::super::spanned_de::Spanned;
use crate::impact::YearlyVolume;

/// The default number of sampled years.
pub const DEFAULT_YEARS: u32 = 10_000;
/// The maximum number of sampled years; one number is stored for each.
pub(super) const MAX_YEARS: f64 = 1e6;
/// The maximum mean number of cases in a year.
pub(in crate::scenario) const MAX_CASES_PER_YEAR: f64 = 1e8;
/// The maximum number of cases in all sampled years. Cases with a loss are drawn one by one, about ten million per
/// second.
const MAX_SAMPLED_CASES: f64 = 1e10;
/// The maximum ratio of a volume's standard deviation to its mean; above it nearly all years would have no case.
const MAX_RELATIVE_SD: f64 = 10.0;

impl ScenarioResolver<'_> {
    /// Resolves the yearly volume; without `distribution` it is fixed, or negative binomial if `sd` is given.
    pub(super) fn volume(
        &mut self,
        Spanned { value: entry, span }: &Spanned<VolumeEntry>,
    ) -> Option<YearlyVolume> {
        self.check_range("mean", &entry.mean, 1.0, MAX_CASES_PER_YEAR);
        let mean = entry.mean.value;
        let kind = match (&entry.distribution, &entry.sd) {
            (Some(kind), _) => kind.value,
            (None, Some(_)) => VolumeKindEntry::NegativeBinomial,
            (None, None) => VolumeKindEntry::Fixed,
        };
        match (kind, &entry.sd) {
            (VolumeKindEntry::NegativeBinomial, Some(sd)) => {
                // The variance of a negative binomial distribution exceeds its mean.
                if sd.value * sd.value > mean && sd.value <= MAX_RELATIVE_SD * mean {
                    return Some(YearlyVolume::NegativeBinomial(mean, sd.value));
                }
                let message = format!("`sd` cannot be {}", sd.value);
                self.mistakes.push(Diagnostic::new("out-of-range", sd.span.clone(), message).label(
                    format!(
                        "a negative binomial volume varies more than a Poisson volume; allowed: above {:.1}, at most {}",
                        mean.sqrt(),
                        MAX_RELATIVE_SD * mean
                    ),
                ));
                None
            }
            (VolumeKindEntry::NegativeBinomial, None) => {
                self.mistakes.push(
                    Diagnostic::new("missing-key", span.clone(), "`volume` needs the key `sd`")
                        .label("the standard deviation of a negative binomial volume"),
                );
                None
            }
            (VolumeKindEntry::Fixed | VolumeKindEntry::Poisson, Some(sd)) => {
                self.mistakes.push(
                    Diagnostic::new("setting-unused", sd.span.clone(), "`sd` has no effect here")
                        .label("it belongs to negative_binomial"),
                );
                None
            }
            (VolumeKindEntry::Poisson, None) => Some(YearlyVolume::Poisson(mean)),
            (VolumeKindEntry::Fixed, None) => {
                if mean.fract() != 0.0 {
                    self.mistakes.push(
                        Diagnostic::new(
                            "out-of-range",
                            entry.mean.span.clone(),
                            format!("a fixed volume cannot be {mean}"),
                        )
                        .label("allowed: a whole number"),
                    );
                }
                Some(YearlyVolume::Fixed(mean as u64))
            }
        }
    }

    /// Reports a number of years and a volume that together would take too long to sample.
    pub(super) fn check_sampled_cases(&mut self, entry: &ImpactEntry) {
        let mean = &entry.volume.value.mean;
        let years = entry.years.as_ref().map_or(DEFAULT_YEARS, |years| years.value);
        // A mean above the limit is reported separately.
        if mean.value * f64::from(years) <= MAX_SAMPLED_CASES || mean.value > MAX_CASES_PER_YEAR {
            return;
        }
        let message = format!("{years} years of {} cases are too many to sample", mean.value);
        let span = entry.years.as_ref().map_or_else(|| mean.span.clone(), |y| y.span.clone());
        let most = (MAX_SAMPLED_CASES / mean.value).floor();
        self.mistakes.push(
            Diagnostic::new("out-of-range", span, message)
                .label(format!("allowed at this volume: `years` of {most} or less")),
        );
    }
}
