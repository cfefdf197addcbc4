//! The headline of the page: the main result in a sentence, and how certain it is.

use super::figures::{amount_of, money, percent, percents, points};
use crate::report::{evidence, words};
use crate::run::Record;
use crate::run::record::{ArmRecord, Interval, Measure, PairedDifference, RankRecord};
use crate::step::Outcome;

/// The headline and the paragraphs below it.
pub struct Answer {
    pub headline: String,
    /// Further paragraphs.
    pub more: Vec<String>,
    /// The index of the arm that the headline is about.
    pub best: usize,
}

pub fn answer(record: &Record) -> Answer {
    let best = first(record, measure(record)).map_or(0, |rank| rank.arm);
    let Some(arm) = record.arms.get(best) else {
        return Answer { headline: "No arm was run.".to_owned(), more: Vec::new(), best };
    };
    if record.arms.iter().all(|arm| arm.summary.failure.estimate <= 0.0) {
        let headline = "No run fails under any arm.".to_owned();
        return Answer { headline, more: Vec::new(), best };
    }
    let base = record.baseline.filter(|&base| base != best).map(|base| &record.arms[base]);
    let headline = match (base, record.baseline) {
        _ if record.arms.len() == 1 => alone(record, arm),
        (Some(base), _) => against(record, arm, base, best),
        (None, Some(_)) => unbeaten(record, arm, best),
        (None, None) => unmeasured(record, arm, best),
    };
    // Differences are measured from the baseline; if that is the best arm, the next best is compared with it.
    let (other, base) = match base {
        Some(base) => (Some(arm), Some(base)),
        None => (next(record, best), record.baseline.map(|base| &record.arms[base])),
    };
    let sure = other.zip(base).and_then(|(other, base)| how_sure(record, other, base));
    let more = [sure, what_is_left(record, arm)];
    Answer { headline, more: more.into_iter().flatten().collect(), best }
}

/// The measure that ranks the arms: money if every arm has it, else failures.
fn measure(record: &Record) -> Measure {
    match record.arms.iter().all(|arm| arm.money.is_some()) {
        true => Measure::Money,
        false => Measure::Failure,
    }
}

/// All arms, best first; ties in the order of the scenario.
pub fn ranked(record: &Record) -> Vec<usize> {
    let measure = measure(record);
    let ranks = record.comparison.ranks.iter().filter(|rank| rank.measure == measure);
    let mut ranks: Vec<&RankRecord> = ranks.collect();
    ranks.sort_by_key(|rank| (rank.rank, rank.arm));
    ranks.into_iter().map(|rank| rank.arm).collect()
}

/// The best arm by a measure; the first one of a tie.
fn first(record: &Record, measure: Measure) -> Option<&RankRecord> {
    let ranks = record.comparison.ranks.iter().filter(|rank| rank.measure == measure);
    ranks.min_by_key(|rank| (rank.rank, rank.arm))
}

/// The second-best arm by the measure that ranks the arms.
fn next(record: &Record, best: usize) -> Option<&ArmRecord> {
    let ranks = record.comparison.ranks.iter().filter(|rank| rank.measure == measure(record));
    let others = ranks.filter(|rank| rank.arm != best);
    others.min_by_key(|rank| (rank.rank, rank.arm)).map(|rank| &record.arms[rank.arm])
}

/// The probability that an arm is the best: `the best of the 4 arms with a probability of 85%`.
fn how_probably(record: &Record, best: usize) -> String {
    let of = |measure: Measure| {
        let rank = record.comparison.ranks.iter().find(|r| r.measure == measure && r.arm == best);
        rank.map(|rank| evidence::chance(rank.p_best))
    };
    let arms = record.arms.len();
    if !evidence::best_can_be_told(record.units) {
        let units = evidence::units_are(record.units);
        return format!("the best of the {arms} arms here ({units} too few to tell how surely)");
    }
    match (of(Measure::Failure), of(Measure::Money)) {
        (Some(failures), Some(money)) => format!(
            "the best of the {arms} arms with a probability of {failures} by failures and {money} by money"
        ),
        (Some(failures), None) => {
            format!("the best of the {arms} arms with a probability of {failures}")
        }
        _ => format!("the best of the {arms} arms"),
    }
}

/// The clause ` and costs USD 7.66 million a year`; empty if the scenario prices nothing.
fn costs(record: &Record, arm: &ArmRecord) -> String {
    let told = arm.money.as_ref().zip(record.currency.as_deref());
    told.map_or_else(String::new, |(told, currency)| {
        format!(" and costs {} a year", money(told.a_year(told.total()), currency))
    })
}

/// The headline of a run with one arm.
fn alone(record: &Record, arm: &ArmRecord) -> String {
    let failure = &arm.summary.failure;
    let cost = costs(record, arm);
    format!(
        "{} fails in {} of cases ({}95% interval {}){cost}.",
        arm.id,
        percent(failure.estimate),
        parts(arm).map_or_else(String::new, |parts| format!("{parts}; ")),
        percents(failure)
    )
}

/// Failures split into silent ones and stops, since a stop is not a wrong action; `None` without stops.
fn parts(arm: &ArmRecord) -> Option<String> {
    let stopped = arm.summary.outcomes[Outcome::Stopped as usize];
    let silent = percent(arm.summary.silent);
    (stopped > 0.0).then(|| format!("{silent} wrong or missed, {} stopped", percent(stopped)))
}

/// The failure rate, followed by its [`parts`] in brackets.
fn parted(arm: &ArmRecord) -> String {
    let rate = percent(arm.summary.failure.estimate);
    parts(arm).map_or_else(|| rate.clone(), |parts| format!("{rate} ({parts})"))
}

/// The headline if the best arm is not the baseline.
fn against(record: &Record, arm: &ArmRecord, base: &ArmRecord, best: usize) -> String {
    let (rate, of_base) = (arm.summary.failure.estimate, base.summary.failure.estimate);
    let rates = format!("in {} of cases instead of {}", parted(arm), parted(base));
    let difference = arm.summary.difference.as_ref();
    let clear = difference.is_some_and(PairedDifference::is_significant);
    let fails = match (rate < of_base, rate > of_base) {
        (true, _) => format!("fails less often than the baseline {}, {rates}", base.id),
        (_, true) => format!("fails more often than the baseline {}, {rates}", base.id),
        _ => format!("fails as often as the baseline {}, in {} of cases", base.id, parted(arm)),
    };
    // Equal rates make no claim that could be due to chance.
    let fails = match clear || rate == of_base {
        true => fails,
        false => format!("{fails} (which may be chance)"),
    };
    let saved = saved(record, arm).map_or_else(String::new, |(a_case, clear)| {
        let a_year = arm.money.as_ref().map_or(0.0, |money| money.a_year(a_case));
        let less = if a_year <= 0.0 { "less" } else { "more" };
        let amount = money(a_year.abs(), record.currency.as_deref().unwrap_or_default());
        let chance = if clear { "" } else { " (which may be chance)" };
        // Fewer failures at a higher price, or the reverse, read as a contrast.
        let but = if (a_year <= 0.0) == (rate <= of_base) { "and" } else { "but" };
        format!(", {but} costs {amount} a year {less}{chance}")
    });
    format!("{} {fails}{saved}; it is {}.", arm.id, how_probably(record, best))
}

/// The additional cost of a case over the baseline (negative: saved), and whether it is significant.
fn saved(record: &Record, arm: &ArmRecord) -> Option<(f64, bool)> {
    record.currency.as_ref()?;
    let difference = arm.money.as_ref()?.difference.as_ref()?;
    Some((difference.interval.estimate, difference.is_significant()))
}

/// The headline if the baseline is the best arm.
fn unbeaten(record: &Record, arm: &ArmRecord, best: usize) -> String {
    let cost = costs(record, arm);
    format!(
        "No arm does better than the baseline {}: it fails in {} of cases{cost}, and is {}.",
        arm.id,
        parted(arm),
        how_probably(record, best)
    )
}

/// The headline if the baseline was not run.
fn unmeasured(record: &Record, arm: &ArmRecord, best: usize) -> String {
    let cost = costs(record, arm);
    format!(
        "{} fails in {} of cases{cost}; it is {} (the baseline was not run).",
        arm.id,
        parted(arm),
        how_probably(record, best)
    )
}

/// The differences from the baseline with their intervals and p-values.
fn how_sure(record: &Record, arm: &ArmRecord, base: &ArmRecord) -> Option<String> {
    let difference = arm.summary.difference.as_ref()?;
    let ends = |of: &Interval| format!("{} to {}", points(of.low), points(of.high));
    let mut told = format!(
        "{} against {}, on the same tasks: {} percentage points of failures ({})",
        arm.id,
        base.id,
        points(difference.interval.estimate),
        evidence::in_brackets(difference, ends)
    );
    if let Some(m) = &arm.money
        && let Some(d) = &m.difference
        && let Some(currency) = &record.currency
    {
        let a_year = |a_case: f64| amount_of(m.a_year(a_case));
        let ends = |of: &Interval| format!("{} to {}", a_year(of.low), a_year(of.high));
        told += &format!(
            "; {currency} {} a year, loss and running costs together ({})",
            a_year(d.interval.estimate),
            evidence::in_brackets(d, ends)
        );
    }
    let units = match &record.unit {
        Some(unit) => format!("{} distinct values of {unit}", record.units),
        None => format!("{} tasks", record.units),
    };
    Some(format!("{told}. This rests on {units}."))
}

/// The main cause of the arm's failures, and their most probable outcome.
fn what_is_left(record: &Record, arm: &ArmRecord) -> Option<String> {
    let (step, event, share) = arm.summary.main_cause.as_ref()?;
    let whose = if record.arms.len() > 1 { format!("of {}", arm.id) } else { "of all".to_owned() };
    let mut told = format!(
        "{} at {step} answer for more of the failures {whose} than any other error: {}",
        capital(&words::errors(*event)),
        percent(*share)
    );
    if let Some((step, event, split)) = arm.money.as_ref().and_then(|money| money.main_error()) {
        told += &format!(
            "; of its losses, {} at {step} do, {}",
            words::errors(event),
            percent(split.share)
        );
    }
    // Skips `Correct`; the first of equally likely outcomes is named.
    let ends = Outcome::ALL.into_iter().skip(1).map(|o| (o, arm.summary.outcomes[o as usize]));
    let likeliest = ends.reduce(|best, next| if next.1 > best.1 { next } else { best });
    if let Some((outcome, p)) = likeliest {
        told += &format!(
            ". The likeliest end of a failure is {} ({} of cases)",
            words::ending(outcome),
            percent(p)
        );
    }
    if let Some(silent) = arm.summary.silent_share {
        told += &format!("; nothing flags {} of the failures", percent(silent));
    }
    Some(told + ".")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
