//! Writes `transfer.csv`.

use super::{cents_cell, csv_bytes, float_cell, number_cell, text_cell};
use crate::run::RunRecord;

/// One row per arm and retrieve step.
pub fn transfer(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let header = [
        "arm",
        "step",
        "hit_rate",
        "failures_saved_per_miss_saved",
        "saved_per_year_per_point",
        "saved_per_year_if_perfect",
        "points_that_pay_one_per_case",
    ];
    let mut rows = Vec::new();
    for arm in &record.arms {
        for of in &arm.transfers {
            let worth = of.worth.as_ref();
            rows.push(vec![
                text_cell(&arm.id),
                text_cell(&of.step),
                float_cell(of.hit_rate),
                float_cell(of.transfer),
                worth.map_or_else(String::new, |w| cents_cell(w.per_point)),
                worth.map_or_else(String::new, |w| cents_cell(w.perfect)),
                number_cell(worth.and_then(|w| w.points_per_unit_cost)),
            ]);
        }
    }
    csv_bytes(&header, rows)
}
