//! Reports of injected errors (`knockon inject`): a table for people, CSV and JSON for programs. Nothing is computed
//! here.

mod columns;
mod table;

use serde_json::Value as Json;

use crate::cascade::inject::InjectionReport;

pub use columns::injection_table;
pub use table::text;

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
