//! Reports of injected errors (`knockon inject`): a table for people, CSV and JSON for programs. Nothing is computed
//! here.

mod table;

use serde_json::Value as Json;

use super::csv::{self, float_cell, number_cell};
use crate::cascade::inject::{InjectionObstacle, InjectionReport, LikeliestItem};
use crate::step::RunOutcome;

pub use table::text;

/// CSV with one row per injected error.
pub fn csv(record: &InjectionReport) -> anyhow::Result<Vec<u8>> {
    let mut header: Vec<String> =
        ["arm", "step", "kind", "tasks", "tasks_affected", "tasks_sampled", "share_affected"]
            .map(str::to_owned)
            .into();
    header.extend(InjectionObstacle::ALL.map(|why| format!("tasks_{}", why.name())));
    header.push("p_failure".to_owned());
    header.extend(RunOutcome::ALL.map(|outcome| format!("p_{}", outcome.name())));
    header.extend(
        [
            "p_right_there",
            "depth_mean",
            "depth_max",
            "breadth_mean",
            "breadth_max",
            "stops_most",
            "p_stops_most",
            "absorbs_most",
            "p_absorbs_most",
            "right_action",
            "likeliest_wrong_action",
            "p_likeliest_wrong_action",
        ]
        .map(str::to_owned),
    );
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let rows = record.injections.iter().map(|injection| {
        let effect = injection.effect.as_ref();
        let mut row = vec![
            csv::text_cell(&record.arm),
            csv::text_cell(&injection.step),
            injection.kind.to_owned(),
            record.tasks.to_string(),
            injection.tasks.to_string(),
            injection.sampled.to_string(),
            float_cell(injection.share),
        ];
        row.extend(InjectionObstacle::ALL.map(|why| {
            let not = injection.not.iter().find(|n| n.why == why);
            not.map_or(0, |n| n.tasks).to_string()
        }));
        row.push(number_cell(effect.map(|e| e.failure)));
        row.extend(RunOutcome::ALL.map(|o| number_cell(effect.map(|e| e.outcomes[o as usize]))));
        row.push(number_cell(effect.map(|e| e.right_there)));
        row.extend([
            number_cell(effect.map(|e| e.depth.mean)),
            count_cell(effect.map(|e| e.depth.max)),
            number_cell(effect.map(|e| e.breadth.mean)),
            count_cell(effect.map(|e| e.breadth.max)),
        ]);
        row.extend(step_cells(effect.and_then(|e| e.flags_most.as_ref())));
        row.extend(step_cells(effect.and_then(|e| e.absorbs_most.as_ref())));
        let action = effect.and_then(|e| e.actions.first());
        row.extend([
            action.map_or_else(String::new, |a| csv::text_cell(&a.right)),
            action.map_or_else(String::new, |a| csv::text_cell(&a.instead)),
            number_cell(action.map(|a| a.p)),
        ]);
        row
    });
    csv::csv_bytes(&header, rows.collect())
}

/// A step's name and probability; both cells are empty if no step qualifies.
fn step_cells(found: Option<&LikeliestItem>) -> [String; 2] {
    let name = found.map_or_else(String::new, |most| csv::text_cell(&most.name));
    [name, number_cell(found.map(|most| most.p))]
}

fn count_cell(n: Option<usize>) -> String {
    n.map_or_else(String::new, |n| n.to_string())
}

/// The whole record as JSON, numbers rounded to six decimals.
pub fn json(record: &InjectionReport) -> anyhow::Result<Vec<u8>> {
    // Rounded like the CSV, so that both files have the same numbers.
    let mut json = serde_json::to_value(record)?;
    round(&mut json);
    let mut bytes = serde_json::to_vec_pretty(&json)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Rounds every number to six decimals, as in the CSV; `+ 0.0` drops the sign of a negative zero.
fn round(json: &mut Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(round),
        Json::Object(fields) => fields.values_mut().for_each(round),
        Json::Number(number) if number.is_f64() => {
            if let Some(value) = number.as_f64() {
                *json = Json::from((value * 1e6).round() / 1e6 + 0.0);
            }
        }
        _ => {}
    }
}
