//! Writes `guards.csv` and `guard_curves.csv`.

use super::{csv_bytes, float_cell, number_cell, outcomes, text_cell};
use crate::run::record::{GuardCounts, RunRecord};

const COUNT_COLUMNS: [&str; 6] =
    ["looks", "caught", "missed", "false_alarms", "retries", "escalations"];

fn counts(counts: &GuardCounts) -> [String; 6] {
    [
        counts.looks,
        counts.caught,
        counts.missed,
        counts.false_alarms,
        counts.retries,
        counts.escalations,
    ]
    .map(float_cell)
}

/// `guards.csv`, one row per arm and guard.
pub fn guards(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let mut header = vec!["arm", "step", "guard", "threshold"];
    header.extend(COUNT_COLUMNS);
    header.extend([
        "cost_usd_per_run",
        "seconds_per_run",
        "failure_rate",
        "failure_rate_if_off",
        "saved",
        "saved_low",
        "saved_high",
        "saved_unstopped",
        "saved_unstopped_low",
        "saved_unstopped_high",
        "p_stopped_if_off",
    ]);
    let mut rows = Vec::new();
    for arm in &record.arms {
        for guard in &arm.guards {
            let mut row = vec![
                text_cell(&arm.id),
                text_cell(&guard.step),
                guard.guard.clone(),
                number_cell(guard.threshold),
            ];
            row.extend(counts(&guard.counts));
            let failure = arm.summary.failure.estimate;
            let (saved, unstopped) = (guard.saved, guard.saved_unstopped);
            row.extend(
                [
                    guard.cost,
                    guard.seconds,
                    failure,
                    // Outcome 0 is `Correct`; all others are failures.
                    guard.outcomes_if_off[1..].iter().sum(),
                    saved.estimate,
                    saved.low,
                    saved.high,
                    unstopped.estimate,
                    unstopped.low,
                    unstopped.high,
                    guard.outcomes_if_off[crate::step::RunOutcome::Stopped as usize],
                ]
                .map(float_cell),
            );
            rows.push(row);
        }
    }
    csv_bytes(&header, rows)
}

/// `guard_curves.csv`, one row per arm, guard and threshold.
pub fn curves(record: &RunRecord) -> anyhow::Result<Vec<u8>> {
    let mut header = vec!["arm", "step", "guard", "threshold", "declared"];
    header.extend(COUNT_COLUMNS);
    header.extend([
        "cost_usd_per_run",
        "p_correct",
        "p_stopped",
        "p_omission",
        "p_commission",
        "p_wrong_action",
    ]);
    let mut rows = Vec::new();
    for arm in &record.arms {
        for guard in &arm.guards {
            for point in &guard.curve {
                // Exact, since the curve has the declared threshold itself as one of its points.
                let declared = guard.threshold == Some(point.threshold);
                let mut row = vec![
                    text_cell(&arm.id),
                    text_cell(&guard.step),
                    guard.guard.clone(),
                    float_cell(point.threshold),
                    if declared { "yes" } else { "no" }.to_owned(),
                ];
                row.extend(counts(&point.counts));
                row.push(float_cell(point.cost));
                row.extend(outcomes(&point.outcomes));
                rows.push(row);
            }
        }
    }
    csv_bytes(&header, rows)
}
