//! Writes `ranks.csv` and `pairs.csv`.

use super::{number, p, table, text, word};
use crate::run::Record;

/// `ranks.csv`, one row per measure and arm.
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

/// `pairs.csv`, one row per measure and pair of arms.
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
        "holm_low",
        "holm_high",
        "holm_family",
        "identical",
        "flips_ndcg",
        "flip_is_significant",
    ];
    let row = |pair: &crate::run::record::PairRecord| {
        let d = &pair.difference;
        vec![
            pair.measure.name().to_owned(),
            text(&record.arms[pair.arm].id),
            text(&record.arms[pair.other].id),
            p(d.interval.estimate),
            p(d.interval.low),
            p(d.interval.high),
            p(d.p_value),
            p(d.p_holm),
            p(d.holm_interval.low),
            p(d.holm_interval.high),
            pair.family.name().to_owned(),
            word(d.identical),
            pair.flips.map_or_else(String::new, word),
            pair.flips.map_or_else(String::new, |_| word(pair.clear)),
        ]
    };
    table(&header, record.comparison.pairs.iter().map(row).collect())
}
