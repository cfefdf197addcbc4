//! The section of assumptions: every object of the manifest that has a `tag` and a `source`.

use maud::{Markup, html};
use serde_json::{Map, Value as Json};

use super::scroll_box;

/// One line of the table.
struct AssumptionRow {
    /// What the assumption belongs to: an embedder, a reader, a guard; empty for the run as a whole.
    of: String,
    /// The arms that make the assumption; empty if it belongs to no arm.
    arms: Vec<String>,
    name: String,
    value: String,
    tag: String,
    source: String,
}

pub fn section(manifest: &Json) -> Markup {
    let rows = rows(manifest);
    let arms = manifest["arms"].as_array().map_or(0, Vec::len);
    html! {
        p {
            (rows.len()) " figures: " (count_tagged(&rows, "cited")) " cited, " (count_tagged(&rows, "indicative")) " indicative, "
            (count_tagged(&rows, "assumed")) " assumed, " (count_tagged(&rows, "scenario")) " set in the scenario."
        }
        (scroll_box("Assumptions", &html! {
            table.prose {
                thead { tr {
                    @for name in ["Of", "What", "Value", "Tag", "Source"] { th scope="col" { (name) } }
                } }
                tbody { @for row in &rows { tr {
                    td { (row.of) @if !row.arms.is_empty() && row.arms.len() < arms { " (" (row.arms.join(", ")) ")" } }
                    th scope="row" { (row.name) } td { (row.value) } td { (row.tag) } td { (row.source) }
                } } }
            }
        }))
        p.note { "Cited: from a table that was read. Indicative: from a secondary source, or derived as stated. Assumed: knockon's own." }
    }
}

fn count_tagged(rows: &[AssumptionRow], tag: &str) -> usize {
    rows.iter().filter(|row| row.tag == tag).count()
}

/// The rows in the order of the manifest; an assumption that several arms share is one row.
fn rows(manifest: &Json) -> Vec<AssumptionRow> {
    let mut rows: Vec<AssumptionRow> = Vec::new();
    visit_assumptions(manifest, &[], None, &mut |of, arm, object| {
        let row = AssumptionRow {
            of: of.join(" "),
            arms: arm.into_iter().map(str::to_owned).collect(),
            name: text_at(object, "name"),
            value: value_text(object),
            tag: text_at(object, "tag"),
            source: text_at(object, "source"),
        };
        let same = rows.iter_mut().find(|known| {
            (&known.of, &known.name, &known.value, &known.tag, &known.source)
                == (&row.of, &row.name, &row.value, &row.tag, &row.source)
        });
        match same {
            Some(known) => known.arms.extend(row.arms),
            None => rows.push(row),
        }
    });
    rows
}

fn text_at(object: &Map<String, Json>, key: &str) -> String {
    object.get(key).map_or_else(String::new, json_text)
}

/// Receives an assumption's owner, its arm, and its object in the manifest.
type AssumptionVisitor<'f> = dyn FnMut(&[String], Option<&str>, &Map<String, Json>) + 'f;

/// Calls `found` for every assumption below `json`; `of` and `arm` say what the objects above belong to.
fn visit_assumptions(json: &Json, of: &[String], arm: Option<&str>, found: &mut AssumptionVisitor) {
    match json {
        Json::Object(object) => {
            let is_row = object.contains_key("tag") && object.contains_key("source");
            if is_row {
                found(of, arm, object);
            }
            // A guard is named by step and name, a reader by its preset, an embedder by its name. An object with an id
            // and a reader is an arm, which is passed on separately.
            let arm = object.get("reader").and(object.get("id")).and_then(Json::as_str).or(arm);
            let named: Vec<String> = ["preset", "step", "guard", "name"]
                .iter()
                .filter(|key| !is_row || **key != "name")
                .filter_map(|key| Some(object.get(*key)?.as_str()?.to_owned()))
                .collect();
            for (key, value) in object {
                let mut of = [of, &named].concat();
                match key.as_str() {
                    "reader" | "impact" => of.insert(0, key.clone()),
                    "ranges" => of.insert(0, "range of".to_owned()),
                    _ => {}
                }
                visit_assumptions(value, &of, arm, found);
            }
        }
        Json::Array(all) => all.iter().for_each(|one| visit_assumptions(one, of, arm, found)),
        _ => {}
    }
}

/// A range if the object has one, else its value, else all keys that are not shown in another column.
fn value_text(object: &Map<String, Json>) -> String {
    if let (Some(low), Some(high)) = (object.get("low"), object.get("high")) {
        return format!("{} to {}", json_text(low), json_text(high));
    }
    if let Some(value) = object.get("value") {
        return json_text(value);
    }
    let mut told = Vec::new();
    for (key, value) in object {
        if !["name", "kind", "tag", "source"].contains(&key.as_str()) {
            told.push(format!("{key} {}", json_text(value)));
        }
    }
    told.join(", ")
}

/// A JSON value as text without JSON's punctuation.
pub fn json_text(json: &Json) -> String {
    match json {
        Json::String(text) => text.clone(),
        Json::Array(all) => all.iter().map(json_text).collect::<Vec<_>>().join(", "),
        Json::Object(object) => {
            let mut told = Vec::new();
            for (key, value) in object {
                if !value.as_array().is_some_and(Vec::is_empty) {
                    told.push(format!("{key}: {}", json_text(value)));
                }
            }
            told.join("; ")
        }
        Json::Null => "none".to_owned(),
        other => other.to_string(),
    }
}
