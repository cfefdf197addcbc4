//! The section on how the figures were computed: method, seed, version, inputs.

use maud::{Markup, html};
use serde_json::Value as Json;

use super::assumptions::json_text;
use super::scroll_box;
use crate::run::RunRecord;

/// The measured coverage of the intervals; docs/src/statistics.md has the figures and the simulation design.
const COVERAGE: &str = "How often 95% intervals cover the true value was simulated (the guide's page Intervals and tests). \
    With 20 units or more: in 93 to 97 of 100 samples; in 90 to 92 where a few losses are many times larger than all others. \
    In more than 97 where hardly any unit differs, where one unit makes up most of a rate (with up to 40 units), and for \
    Sobol indices from 256 base samples: such intervals are wider than necessary. The methods were tuned in part on the \
    same simulated populations.";

pub fn section(record: &RunRecord, manifest: &Json) -> Markup {
    let exact: usize = record.arms.iter().map(|arm| arm.summary.exact_tasks).sum();
    let all: usize = record.arms.iter().map(|arm| arm.summary.tasks).sum();
    let solved = match exact {
        _ if exact == all => "All tasks were solved exactly: the figures have no sampling noise but that of the tasks.".to_owned(),
        0 => "All tasks were sampled.".to_owned(),
        _ => format!("{exact} of {all} task runs were solved exactly, the rest sampled."),
    };
    let facts = [
        ("Version", "knockon"),
        ("Scenario", "scenario"),
        ("Baseline", "baseline"),
        ("Sampling unit", "sampling_unit"),
        ("Method", "method"),
        ("Seed", "seed"),
        ("Trials of a task that is sampled", "trials"),
        ("States above which a task is sampled", "max_states"),
    ];
    html! {
        p { (solved) " The same inputs and seed give the same bytes, on any number of threads." }
        dl.facts {
            @for (name, key) in facts { div { dt { (name) } dd { (json_text(&manifest[key])) } } }
        }
        @for (title, key) in [("Intervals and tests", "intervals"), ("Causes", "causes")] {
            h3 { (title) }
            dl.facts {
                @for (name, value) in manifest[key].as_object().into_iter().flatten() {
                    div { dt { (name.replace('_', " ")) } dd { (json_text(value)) } }
                }
            }
            @if key == "intervals" { p.note { (COVERAGE) } }
        }
        @if let Some(notes) = manifest["notes"].as_array().filter(|notes| !notes.is_empty()) {
            h3 { "Notes" }
            ul { @for note in notes { li { (json_text(note)) } } }
        }
        h3 { "Inputs" }
        (scroll_box("Inputs", &html! {
            table.prose {
                thead { tr { th scope="col" { "File" } th scope="col" { "BLAKE3" } } }
                tbody { @for input in list(manifest, "inputs") { tr {
                    th scope="row" { (json_text(&input["path"])) } td { code { (json_text(&input["blake3"])) } }
                } } }
            }
        }))
        // Embedders without a fingerprint are described by their parameters, in the section of assumptions.
        @let models: Vec<&Json> = list(manifest, "embedders").filter(|embedder| embedder["fingerprint"].is_string()).collect();
        @if !models.is_empty() {
            h3 { "Embedders" }
            (scroll_box("Embedders", &html! {
                table.prose {
                    thead { tr { @for name in ["Name", "Kind", "Model", "Fingerprint"] { th scope="col" { (name) } } } }
                    tbody { @for embedder in &models { tr {
                        th scope="row" { (json_text(&embedder["name"])) }
                        td { (json_text(&embedder["kind"])) } td { (json_text(&embedder["model"])) }
                        td { code { (json_text(&embedder["fingerprint"])) } }
                    } } }
                }
            }))
        }
    }
}

/// The items of an array of the manifest; none if the key is missing.
fn list<'m>(manifest: &'m Json, key: &str) -> impl Iterator<Item = &'m Json> {
    manifest[key].as_array().into_iter().flatten()
}
