//! `ranks.csv` and `pairs.csv`.

use super::{number, p, table, text};
use crate::run::Record;

/// One row a measure and arm.
pub fn ranks(record: &Record) -> anyhow::Result<Vec<u8>> {
    let header = ["measure", "arm", "value", "rank", "p_best", "detectable_difference"];
    let row = |of: &crate::run::record::RankRecord| {
        vec![
            of.measure.name().to_owned(),
            text(&record.arms[of.arm].id),
            p(of.value),
            of.rank.to_string(),
            p(of.p_best),
            number(of.detectable),
        ]
    };
    table(&header, record.comparison.ranks.iter().map(row).collect())
}

/// One row a measure and pair of arms.
pub fn pairs(record: &Record) -> anyhow::Result<Vec<u8>> {
    let header = [
        "measure",
        "arm",
        "other",
        "difference",
        "difference_low",
        "difference_high",
        "p_value",
        "p_holm",
        "flips_ndcg",
        "flip_is_significant",
    ];
    let word = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let row = |pair: &crate::run::record::PairRecord| {
        vec![
            pair.measure.name().to_owned(),
            text(&record.arms[pair.arm].id),
            text(&record.arms[pair.other].id),
            p(pair.difference.estimate),
            p(pair.difference.low),
            p(pair.difference.high),
            p(pair.p_value),
            p(pair.p_holm),
            pair.flips.map_or_else(String::new, word),
            pair.flips.map_or_else(String::new, |_| word(pair.clear)),
        ]
    };
    table(&header, record.comparison.pairs.iter().map(row).collect())
}
