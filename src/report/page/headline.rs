//! The headline of the page: the main result in a sentence, and how certain it is.

use super::number_format::{amount_of, money, percent, percent_interval, points};
use crate::report::{prose, uncertainty};
use crate::run::RunRecord;
use crate::run::record::{ArmRankRecord, ArmRecord, ComparisonMeasure, PairedDifference};
use crate::step::RunOutcome;

/// The headline and the paragraphs below it.
pub struct PageHeadline {
    pub headline: String,
    /// Further paragraphs.
    pub more: Vec<String>,
    /// The index of the arm that the headline is about.
    pub best: usize,
}

pub fn build_headline(record: &RunRecord) -> PageHeadline {
    let best = best_rank(record, measure(record)).map_or(0, |rank| rank.arm);
    let Some(arm) = record.arms.get(best) else {
        return PageHeadline { headline: "No arm was run.".to_owned(), more: Vec::new(), best };
    };
    if record.arms.iter().all(|arm| arm.summary.failure.estimate <= 0.0) {
        let headline = "No run fails under any arm.".to_owned();
        return PageHeadline { headline, more: Vec::new(), best };
    }
    let base = record.baseline.filter(|&base| base != best).map(|base| &record.arms[base]);
    let headline = match (base, record.baseline) {
        _ if record.arms.len() == 1 => single_arm_headline(record, arm),
        (Some(base), _) => comparison_headline(record, arm, base, best),
        (None, Some(_)) => baseline_best_headline(record, arm, best),
        (None, None) => no_baseline_headline(record, arm, best),
    };
    // Differences are measured from the baseline; if that is the best arm, the next best is compared with it.
    let (other, base) = match base {
        Some(base) => (Some(arm), Some(base)),
        None => (second_best_arm(record, best), record.baseline.map(|base| &record.arms[base])),
    };
    let sure = other.zip(base).and_then(|(other, base)| difference_sentence(record, other, base));
    let more = [sure, main_cause_sentence(record, arm)];
    PageHeadline { headline, more: more.into_iter().flatten().collect(), best }
}

/// The measure that ranks the arms: money if every arm has it, else failures.
fn measure(record: &RunRecord) -> ComparisonMeasure {
    match record.arms.iter().all(|arm| arm.money.is_some()) {
        true => ComparisonMeasure::Money,
        false => ComparisonMeasure::Failure,
    }
}

/// All arms, best first; ties in the order of the scenario.
pub fn ranked_arms(record: &RunRecord) -> Vec<usize> {
    let measure = measure(record);
    let ranks = record.comparison.ranks.iter().filter(|rank| rank.measure == measure);
    let mut ranks: Vec<&ArmRankRecord> = ranks.collect();
    ranks.sort_by_key(|rank| (rank.rank, rank.arm));
    ranks.into_iter().map(|rank| rank.arm).collect()
}

/// The best arm by a measure; the first one of a tie.
fn best_rank(record: &RunRecord, measure: ComparisonMeasure) -> Option<&ArmRankRecord> {
    let ranks = record.comparison.ranks.iter().filter(|rank| rank.measure == measure);
    ranks.min_by_key(|rank| (rank.rank, rank.arm))
}

/// The second-best arm by the measure that ranks the arms.
fn second_best_arm(record: &RunRecord, best: usize) -> Option<&ArmRecord> {
    let ranks = record.comparison.ranks.iter().filter(|rank| rank.measure == measure(record));
    let others = ranks.filter(|rank| rank.arm != best);
    others.min_by_key(|rank| (rank.rank, rank.arm)).map(|rank| &record.arms[rank.arm])
}

/// How often an arm is the best if the units are resampled: `the best of the 4 arms, and in 85% of resamples of the
/// units`.
fn best_arm_phrase(record: &RunRecord, best: usize) -> String {
    let arms = record.arms.len();
    if !uncertainty::can_rank_best(record.units) {
        let units = uncertainty::units_with_verb(record.units);
        return format!(
            "the best of the {arms} arms on these tasks ({units} too few to say with what certainty)"
        );
    }
    let failures = best_probability(record, ComparisonMeasure::Failure, best);
    let money = best_probability(record, ComparisonMeasure::Money, best);
    match (failures, money) {
        (Some(failures), Some(money)) => format!(
            "the best of the {arms} arms, by failures in {failures} of the bootstrap resamples of its units and by money in {money}"
        ),
        (Some(failures), None) => {
            format!(
                "the best of the {arms} arms, in {failures} of the bootstrap resamples of its units"
            )
        }
        _ => format!("the best of the {arms} arms"),
    }
}

fn best_probability(record: &RunRecord, measure: ComparisonMeasure, arm: usize) -> Option<String> {
    let rank = record.comparison.ranks.iter().find(|r| r.measure == measure && r.arm == arm)?;
    Some(uncertainty::estimated_probability(rank.p_best))
}

/// The clause ` and costs USD 7.66 million a year`; empty if the scenario prices nothing.
fn cost_clause(record: &RunRecord, arm: &ArmRecord) -> String {
    let told = arm.money.as_ref().zip(record.currency.as_deref());
    told.map_or_else(String::new, |(told, currency)| {
        format!(" and costs {} a year", money(told.per_year(told.total()), currency))
    })
}

/// The headline of a run with one arm.
fn single_arm_headline(record: &RunRecord, arm: &ArmRecord) -> String {
    let failure = &arm.summary.failure;
    let cost = cost_clause(record, arm);
    format!(
        "{} fails in {} of cases ({}95% interval {}){cost}.",
        arm.id,
        percent(failure.estimate),
        failure_parts(arm).map_or_else(String::new, |parts| format!("{parts}; ")),
        percent_interval(failure)
    )
}

/// Failures split into silent ones and stops, since a stop is not a wrong action; `None` without stops.
fn failure_parts(arm: &ArmRecord) -> Option<String> {
    let stopped = arm.summary.outcomes[RunOutcome::Stopped as usize];
    let silent = percent(arm.summary.silent);
    (stopped > 0.0).then(|| format!("{silent} wrong or missed, {} stopped", percent(stopped)))
}

/// The failure rate, followed by its [`parts`] in brackets.
fn rate_with_parts(arm: &ArmRecord) -> String {
    let rate = percent(arm.summary.failure.estimate);
    failure_parts(arm).map_or_else(|| rate.clone(), |parts| format!("{rate} ({parts})"))
}

/// The headline if the best arm is not the baseline.
fn comparison_headline(
    record: &RunRecord,
    arm: &ArmRecord,
    base: &ArmRecord,
    best: usize,
) -> String {
    let (rate, of_base) = (arm.summary.failure.estimate, base.summary.failure.estimate);
    let rates =
        format!("in {} of cases instead of {}", rate_with_parts(arm), rate_with_parts(base));
    let difference = arm.summary.difference.as_ref();
    let clear = difference.is_some_and(PairedDifference::is_significant);
    let fails = match (rate < of_base, rate > of_base) {
        (true, _) => format!("fails less often than the baseline {}, {rates}", base.id),
        (_, true) => format!("fails more often than the baseline {}, {rates}", base.id),
        _ => format!(
            "fails as often as the baseline {}, in {} of cases",
            base.id,
            rate_with_parts(arm)
        ),
    };
    // Equal rates make no claim that could be due to chance.
    let fails = match clear || rate == of_base {
        true => fails,
        false => format!("{fails} (which may be due to chance)"),
    };
    let saved = cost_difference(record, arm).map_or_else(String::new, |(a_case, clear)| {
        let a_year = arm.money.as_ref().map_or(0.0, |money| money.per_year(a_case));
        let less = if a_year <= 0.0 { "less" } else { "more" };
        let amount = money(a_year.abs(), record.currency.as_deref().unwrap_or_default());
        let chance = if clear { "" } else { " (which may be due to chance)" };
        // Fewer failures at a higher price, or the reverse, read as a contrast.
        let but = if (a_year <= 0.0) == (rate <= of_base) { "and" } else { "but" };
        format!(", {but} costs {amount} a year {less}{chance}")
    });
    format!("{} {fails}{saved}; it is {}.", arm.id, best_arm_phrase(record, best))
}

/// The additional cost of a case over the baseline (negative: saved), and whether it is significant.
fn cost_difference(record: &RunRecord, arm: &ArmRecord) -> Option<(f64, bool)> {
    record.currency.as_ref()?;
    let difference = arm.money.as_ref()?.difference.as_ref()?;
    Some((difference.interval.estimate, difference.is_significant()))
}

/// The headline if the baseline is the best arm.
fn baseline_best_headline(record: &RunRecord, arm: &ArmRecord, best: usize) -> String {
    let cost = cost_clause(record, arm);
    format!(
        "No arm does better than the baseline {}: it fails in {} of cases{cost}, and is {}.",
        arm.id,
        rate_with_parts(arm),
        best_arm_phrase(record, best)
    )
}

/// The headline if the baseline was not run.
fn no_baseline_headline(record: &RunRecord, arm: &ArmRecord, best: usize) -> String {
    let cost = cost_clause(record, arm);
    format!(
        "{} fails in {} of cases{cost}; it is {} (the baseline was not run).",
        arm.id,
        rate_with_parts(arm),
        best_arm_phrase(record, best)
    )
}

/// The differences from the baseline with their intervals and p-values.
fn difference_sentence(record: &RunRecord, arm: &ArmRecord, base: &ArmRecord) -> Option<String> {
    let difference = arm.summary.difference.as_ref()?;
    let mut told = format!(
        "{} against {}, on the same tasks: {} percentage points of failures ({})",
        arm.id,
        base.id,
        points(difference.interval.estimate),
        uncertainty::interval_and_p_value(difference, |of| {
            format!("{} to {}", points(of.low), points(of.high))
        })
    );
    if let Some(m) = &arm.money
        && let Some(d) = &m.difference
        && let Some(currency) = &record.currency
    {
        told += &format!(
            "; {currency} {} a year, loss and running costs together ({})",
            amount_of(m.per_year(d.interval.estimate)),
            uncertainty::interval_and_p_value(d, |of| {
                let [low, high] = [of.low, of.high].map(|end| amount_of(m.per_year(end)));
                format!("{low} to {high}")
            })
        );
    }
    let units = match &record.unit {
        Some(unit) => format!("{} distinct values of {unit}", record.units),
        None => format!("{} tasks", record.units),
    };
    Some(format!("{told}. This is based on {units}."))
}

/// The main cause of the arm's failures, and their most probable outcome.
fn main_cause_sentence(record: &RunRecord, arm: &ArmRecord) -> Option<String> {
    let (step, event, share) = arm.summary.main_cause.as_ref()?;
    let whose = if record.arms.len() > 1 { format!("of {}", arm.id) } else { "of all".to_owned() };
    let mut told = format!(
        "{} at {step} account for more of the failures {whose} than any other error: {}",
        capitalized(&prose::error_plural(*event)),
        percent(*share)
    );
    if let Some((step, event, split)) = arm.money.as_ref().and_then(|money| money.main_error()) {
        told += &format!(
            "; of its losses, {} at {step} account for most, {}",
            prose::error_plural(event),
            percent(split.share)
        );
    }
    // Skips `Correct`; the first of equally likely outcomes is named.
    let ends = RunOutcome::ALL.into_iter().skip(1).map(|o| (o, arm.summary.outcomes[o as usize]));
    let likeliest = ends.reduce(|best, next| if next.1 > best.1 { next } else { best });
    if let Some((outcome, p)) = likeliest {
        told += &format!(
            ". The most likely kind of failure is {} ({} of cases)",
            prose::outcome_phrase(outcome),
            percent(p)
        );
    }
    if let Some(silent) = arm.summary.silent_share {
        told += &format!("; {} of the failures are not flagged by anything", percent(silent));
    }
    Some(told + ".")
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
