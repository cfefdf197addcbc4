//! The orders of the arms by each measure, where there is more than one arm.

use crate::report::evidence;
use crate::run::Record;
use crate::run::record::{Flips, Measure};

/// One line a measure, best arm first, and how many pairs are ordered otherwise than by nDCG@10.
pub fn lines(record: &Record) -> Option<String> {
    if record.arms.len() < 2 {
        return None;
    }
    let mut lines = Vec::new();
    for (measure, name) in
        [(Measure::Ndcg, "nDCG@10"), (Measure::Failure, "failures"), (Measure::Money, "money")]
    {
        let mut ranks: Vec<_> =
            record.comparison.ranks.iter().filter(|rank| rank.measure == measure).collect();
        if ranks.is_empty() {
            continue;
        }
        ranks.sort_by_key(|rank| (rank.rank, rank.arm));
        let arm = |rank: &&crate::run::record::RankRecord| {
            let id = &record.arms[rank.arm].id;
            match evidence::best_can_be_told(record.units) {
                true => format!("{id} ({})", evidence::chance(rank.p_best)),
                false => id.clone(),
            }
        };
        let order: Vec<String> = ranks.iter().map(arm).collect();
        let Flips { pairs, flipped, clear } = record.comparison.flips(measure);
        let flips = match measure {
            Measure::Ndcg => String::new(),
            _ => format!(
                "; {flipped} of {pairs} pairs the other way round than by nDCG@10, {clear} significantly"
            ),
        };
        lines.push(format!("By {name:<8}: {}{flips}", order.join(", ")));
    }
    let brackets = match evidence::best_can_be_told(record.units) {
        true => "In brackets: how probably each is the best (bootstrap over units).".to_owned(),
        false => format!(
            "How probably each is the best cannot be told: {} too few.",
            evidence::units_are(record.units)
        ),
    };
    (!lines.is_empty()).then(|| format!("{}\n{brackets} ranks.csv, pairs.csv", lines.join("\n")))
}
