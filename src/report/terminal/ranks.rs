//! The ranking of the arms by each measure, printed if there are several arms.

use crate::report::uncertainty;
use crate::run::RunRecord;
use crate::run::record::{ComparisonMeasure, RankFlips};
use crate::step::RunOutcome;

/// One line per measure: the arms, best first, and how many pairs are in the opposite order to nDCG@10.
pub fn lines(record: &RunRecord) -> Option<String> {
    if record.arms.len() < 2 {
        return None;
    }
    let mut lines = Vec::new();
    for (measure, name) in [
        (ComparisonMeasure::Ndcg, "nDCG@10"),
        (ComparisonMeasure::Failure, "failures"),
        (ComparisonMeasure::Money, "money"),
    ] {
        let mut ranks: Vec<_> =
            record.comparison.ranks.iter().filter(|rank| rank.measure == measure).collect();
        if ranks.is_empty() {
            continue;
        }
        ranks.sort_by_key(|rank| (rank.rank, rank.arm));
        let order = ranks.iter().map(|rank| {
            let id = &record.arms[rank.arm].id;
            match uncertainty::can_rank_best(record.units) {
                true => format!("{id} ({})", uncertainty::estimated_probability(rank.p_best)),
                false => id.clone(),
            }
        });
        let order: Vec<String> = order.collect();
        let RankFlips { pairs, flipped, both_significant: clear } =
            record.comparison.flips(measure);
        let flips = match measure {
            ComparisonMeasure::Ndcg => String::new(),
            _ => format!(
                "; {flipped} of {pairs} pairs in the opposite order to nDCG@10, {clear} significantly"
            ),
        };
        lines.push(format!("By {name:<8}: {}{flips}", order.join(", ")));
        if measure == ComparisonMeasure::Failure {
            lines.extend(silent_and_stopped(record));
        }
    }
    let brackets = match uncertainty::can_rank_best(record.units) {
        true => "In brackets: in which share of resamples of the units (bootstrap) it is the best; not a test.".to_owned(),
        false => format!(
            "How often each would be the best on other units is not estimable: {} too few.",
            uncertainty::units_with_verb(record.units)
        ),
    };
    (!lines.is_empty()).then(|| format!("{}\n{brackets} ranks.csv, pairs.csv", lines.join("\n")))
}

/// The failure rate of each arm split into silent failures and stops, since a stop is not a wrong action; fewest silent
/// failures first. `None` if no arm ever stops.
fn silent_and_stopped(record: &RunRecord) -> Option<String> {
    let mut arms: Vec<(f64, f64, &str)> = record
        .arms
        .iter()
        .map(|arm| {
            let stopped = arm.summary.outcomes[RunOutcome::Stopped as usize];
            (arm.summary.silent, stopped, arm.id.as_str())
        })
        .collect();
    arms.iter().any(|(_, stopped, _)| *stopped > 0.0).then(|| {
        arms.sort_by(|a, b| a.0.total_cmp(&b.0));
        let parts = arms.iter().map(|(silent, stopped, id)| {
            format!("{id} {:.1}% + {:.1}%", 100.0 * silent, 100.0 * stopped)
        });
        format!("   wrong or missed + stopped: {}", parts.collect::<Vec<_>>().join(", "))
    })
}
