//! `manifest.json`: what a run was made from, and every assumption with its source.
//!
//! It holds no date and no path but those that the scenario names, so that the same inputs give the same bytes.

use serde_json::{Value as Json, json};

use super::csv::method;
use crate::cascade::{cuts, paths};
use crate::compile::lanes;
use crate::embed::Precision;
use crate::retrieve::Bm25Params;
use crate::run::Record;
use crate::scenario::{EmbedderKind, Method, Scenario};
use crate::stats;
use crate::step::reader::{self, Tag};

/// The manifest's bytes; `fingerprints` by index into the scenario's embedders, `None` for one that
/// no arm of this run used (or that is no model).
pub fn manifest(
    scenario: &Scenario,
    record: &Record,
    fingerprints: &[Option<String>],
) -> anyhow::Result<Vec<u8>> {
    let simulation = &scenario.simulation;
    let inputs: Vec<Json> =
        scenario.inputs.iter().map(|i| json!({"path": i.path, "blake3": i.blake3})).collect();
    let embedders = scenario.embedders.iter().zip(fingerprints).map(|(e, fingerprint)| match &e.kind {
        EmbedderKind::Bm25(params) => {
            let (tag, source) = if *params == Bm25Params::default() {
                (Tag::Indicative, "the defaults of Anserini (github.com/castorini/anserini)")
            } else {
                (Tag::Scenario, "scenario file")
            };
            json!({
                "name": e.name, "kind": "bm25", "k1": params.k1, "b": params.b, "tag": tag, "source": source,
            })
        }
        EmbedderKind::Model(model) => json!({
            "name": e.name,
            "kind": model.kind.name(),
            "model": model.model,
            "precision": match model.precision { Precision::Int8 => "int8", Precision::F32 => "f32" },
            "dim": model.dim,
            "adapter": model.adapter,
            "fingerprint": fingerprint,
        }),
        EmbedderKind::Http(http) => json!({
            "name": e.name,
            "kind": "http",
            "url": http.url.split('?').next(),
            "model": http.model,
            "dim": http.dim,
            "fingerprint": fingerprint,
        }),
    });
    let embedders: Vec<Json> = embedders.collect();
    let arms: Vec<Json> = record
        .arms
        .iter()
        .map(|arm| {
            let mut solved = std::collections::BTreeMap::new();
            for task in &arm.tasks {
                *solved.entry(method(task.ran)).or_insert(0) += 1;
            }
            json!({"id": arm.id, "reader": arm.reader, "tasks_by_method": solved})
        })
        .collect();
    let manifest = json!({
        "knockon": env!("CARGO_PKG_VERSION"),
        "scenario": scenario.name,
        "inputs": inputs,
        "method": match simulation.method {
            Method::Auto => "auto",
            Method::Exact => "exact",
            Method::MonteCarlo => "monte_carlo",
        },
        "seed": simulation.seed,
        "trials": simulation.trials,
        "max_states": simulation.max_states,
        "embedders": embedders,
        "baseline": record.baseline.map(|b| &record.arms[b].id),
        "sampling_unit": record.unit,
        "intervals": {
            "level": stats::LEVEL,
            "rate": "Wilson score with the effective sample size of the clustered variance (Korn and Graubard 1998)",
            "p_value": format!("sign flips of whole units: all of them up to {} units that differ, else {} draws", stats::EXACT_CLUSTERS, stats::DRAWS),
        },
        "causes": {
            "shares": "Shapley values over own errors: exact by quadrature along the diagonal of the multilinear extension (Owen 1972); for sampled tasks by random orders of mending (Castro et al. 2009)",
            "paths_least": paths::LEAST,
            "cut_sets_up_to": cuts::ORDER,
            "trials_with_interventions_past_the_cap": simulation.trials.min(lanes::WHAT_IF_TRIALS),
        },
        "assumptions": [{
            "name": "reader.pool",
            "value": reader::POOL,
            "tag": "assumed",
            "source": "values from which a reader makes one up: at most this many, at even steps of the field's distinct values in the corpus, each as likely as it is frequent there",
        }],
        "arms": arms,
    });
    let mut bytes = serde_json::to_vec_pretty(&manifest)?;
    bytes.push(b'\n');
    Ok(bytes)
}
