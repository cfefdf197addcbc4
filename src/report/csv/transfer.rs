//! Writes `transfer.csv`.

use super::{cents, number, p, table, text};
use crate::run::Record;

/// One row per arm and retrieve step.
pub fn transfer(record: &Record) -> anyhow::Result<Vec<u8>> {
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
                text(&arm.id),
                text(&of.step),
                p(of.hit_rate),
                p(of.transfer),
                worth.map_or_else(String::new, |w| cents(w.per_point)),
                worth.map_or_else(String::new, |w| cents(w.perfect)),
                number(worth.and_then(|w| w.points_per_one_a_case)),
            ]);
        }
    }
    table(&header, rows)
}
