//! Writes `ranks.csv` and `pairs.csv`.

use super::{csv_bytes, float_cell, number_cell, text_cell, yes_no_cell};
use crate::run::RunRecord;

/// `ranks.csv`, one row per measure and arm.
pub fn ranks(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let header = ["measure", "arm", "value", "rank", "p_best", "detectable_difference"];
    let row = |of: &crate::run::record::ArmRankRecord| {
        vec![
            of.measure.name().to_owned(),
            text_cell(&record.arms[of.arm].id),
            float_cell(of.value),
            of.rank.to_string(),
            float_cell(of.p_best),
            number_cell(of.detectable),
        ]
    };
    csv_bytes(&header, record.comparison.ranks.iter().map(row).collect())
}

/// `pairs.csv`, one row per measure and pair of arms.
pub fn pairs(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
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
    let row = |pair: &crate::run::record::ArmPairRecord| {
        let d = &pair.difference;
        vec![
            pair.measure.name().to_owned(),
            text_cell(&record.arms[pair.arm].id),
            text_cell(&record.arms[pair.other].id),
            float_cell(d.interval.estimate),
            float_cell(d.interval.low),
            float_cell(d.interval.high),
            float_cell(d.p_value),
            float_cell(d.p_holm),
            float_cell(d.holm_interval.low),
            float_cell(d.holm_interval.high),
            pair.family.name().to_owned(),
            yes_no_cell(d.identical),
            pair.flips.map_or_else(String::new, yes_no_cell),
            pair.flips.map_or_else(String::new, |_| yes_no_cell(pair.both_significant)),
        ]
    };
    csv_bytes(&header, record.comparison.pairs.iter().map(row).collect())
}
