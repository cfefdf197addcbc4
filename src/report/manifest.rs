//! Builds `manifest.json`: the inputs and settings of a run, and every assumption with its source.
//!
//! The manifest has no date and only the paths that the scenario names, so that equal inputs give equal bytes.

use serde_json::{Value as Json, json};

use super::csv::method_name;
use crate::cascade::{cut_sets, failure_paths};
use crate::compile::intervention_runs;
use crate::impact::YearlyVolume;
use crate::output::with_own_checksum;
use crate::report::reader_sentences::reader_sentences;
use crate::run::RunRecord;
use crate::run::oracle_check::listed;
use crate::run::record::{AssumptionRecord, OracleRecord, SensitivityRecord};
use crate::run::sensitivity::ODDS_DRAWS;
use crate::scenario::{
    CallPrice, EmbedderDeclaration, FigureSource, ImpactSettings, InferenceMethod, Scenario,
};
use crate::sensitivity::RESAMPLES;
use crate::stats;
use crate::step::reader;

/// The name of the file.
pub const FILE_NAME: &str = "manifest.json";

/// Builds the manifest.
///
/// `fingerprints` is indexed like the scenario's embedders; an entry is `None` if no arm of this run used the embedder,
/// or if its parameters identify it completely. `notes` are remarks for the user on how queries were answered.
pub fn manifest(
    scenario: &Scenario,
    record: &RunRecord,
    fingerprints: &[Option<String>],
    notes: &[String],
) -> Json {
    let simulation = &scenario.simulation;
    let inputs: Vec<Json> =
        scenario.inputs.iter().map(|i| json!({"path": i.path, "blake3": i.blake3})).collect();
    let embedders = scenario.embedders.iter().zip(fingerprints);
    let embedders: Vec<Json> =
        embedders.map(|(decl, fingerprint)| embedder(scenario, decl, fingerprint)).collect();
    let arms: Vec<Json> = record
        .arms
        .iter()
        .map(|arm| {
            let mut solved = std::collections::BTreeMap::new();
            for task in &arm.tasks {
                *solved.entry(method_name(task.method)).or_insert(0) += 1;
            }
            let mut told =
                json!({"id": arm.id, "reader": arm.reader, "tasks_by_method": solved});
            if !arm.guards.is_empty() {
                let guards = arm.guards.iter().map(|guard| {
                    json!({"step": guard.step, "guard": guard.guard, "parameters": guard.parameters})
                });
                told["guards"] = guards.collect();
            }
            told
        })
        .collect();
    let mut manifest = json!({
        "knockon": env!("CARGO_PKG_VERSION"),
        "scenario": scenario.name,
        "inputs": inputs,
        "method": match simulation.method {
            InferenceMethod::Auto => "auto",
            InferenceMethod::Exact => "exact",
            InferenceMethod::MonteCarlo => "monte_carlo",
        },
        "seed": simulation.seed,
        "trials": simulation.trials,
        "max_states": simulation.max_states,
        "embedders": embedders,
        "readers": reader_sentences(record),
        "notes": notes,
        "baseline": record.baseline.map(|b| &record.arms[b].id),
        "sampling_unit": record.unit,
        "intervals": {
            "level": stats::LEVEL,
            "rate": "Wilson score with the effective sample size of the clustered variance (Korn and Graubard 1998); extended for units that were not sampled",
            "loss": "Student's t over units, and where it reaches further the same corrected for skewness (Hall 1992); extended for units that were not sampled",
            "difference": "the values that the test does not reject",
            "p_value": format!("the largest of four: sign flips of whole units (all of them up to {} units, else {} draws and up to a hundred times as many close to .05) and Student's t over units, each as it is and corrected for skewness (Hall 1992)", stats::EXACT_CLUSTERS, stats::DRAWS),
            "p_holm": "Holm 1979, over the comparisons with the baseline by one measure; over the other pairs of arms apart",
            "fewest_units": {"for_a_test": 6, "for_an_interval_of_a_difference_or_an_amount": stats::FEW_CLUSTERS},
            "p_best": format!("shares of {} bootstrap samples of whole units", stats::SAMPLES),
            "detectable_difference": format!("two-sided, with a power of {}", stats::POWER),
        },
        "causes": {
            "shares": "Shapley values over own errors: exact by quadrature along the diagonal of the multilinear extension (Owen 1972); for sampled tasks by random orders of repair (Castro et al. 2009)",
            "paths_least": failure_paths::MIN_PROBABILITY,
            "cut_sets_up_to": cut_sets::MAX_ORDER,
            "trials_with_interventions_past_the_cap": intervention_runs::what_if_trials(scenario),
        },
        "assumptions": [{
            "name": "reader.pool",
            "value": reader::MAX_POOL,
            "tag": "assumed",
            "source": format!("values that a reader can report instead of the right one: at most this many, at even steps of the field's distinct values in the corpus, each as likely as it is frequent there; of fewer than {}, values near them as well; of yes/no, both", reader::MIN_POOL),
        }],
        "arms": arms,
    });
    let extracted = scenario.corpora.iter().flat_map(|corpus| {
        corpus.extracted.iter().map(|(field, ranges)| {
            // Extracted values are stored among the facts when the scenario is loaded: subtract them from the count.
            let stating = corpus.passages.iter().filter(|p| p.facts.contains_key(field)).count();
            let read = ranges.iter().flatten().count();
            json!({
                "corpus": corpus.name, "field": field,
                "passages": corpus.passages.len(), "state_it_as_a_fact": stating - read, "read_from_text": read,
            })
        })
    });
    let extracted: Vec<Json> = extracted.collect();
    // Keys of features that the scenario does not use are absent, not null.
    if !extracted.is_empty() {
        manifest["extracted"] = Json::Array(extracted);
    }
    manifest["oracle"] = oracle(&record.right);
    if let Some(sampled) = scenario.sampled {
        manifest["tasks"] = json!({
            "replayed": sampled.size,
            "of": sampled.total,
            "drawn": "those with the smallest draws of (seed, task id)",
        });
    }
    if let Some(told) = &scenario.impact {
        manifest["impact"] = impact(scenario, told);
    }
    if !record.drawn_assumptions.is_empty() {
        manifest["impact"]["drawn"] = yearly_draws(&record.drawn_assumptions);
    }
    if let Some(of) = &record.sensitivity {
        manifest["sensitivity"] = sensitivity(of);
    }
    manifest
}

/// The manifest as the bytes of its file.
///
/// # Errors
/// None that a manifest can cause.
pub fn bytes(manifest: &Json) -> serde_json::Result<Vec<u8>> {
    with_own_checksum(manifest)
}

/// What counts as right: counts, and the ids of tasks where the oracle stops, lacks a value or disagrees with a person.
fn oracle(right: &OracleRecord) -> Json {
    let gaps = right.gaps.iter().map(|gap| {
        json!({
            "step": gap.step, "what": gap.what, "tasks": gap.tasks.len(),
            "oracle_stops": gap.stops, "ids": listed(&gap.tasks),
        })
    });
    let expected = right.expected.iter().map(|expected| {
        let differ = expected.differ.iter().map(|difference| difference.task.clone());
        json!({
            "column": expected.column, "step": expected.step, "tasks": expected.compared,
            "oracle_differs": expected.differ.len(), "ids": listed(&differ.collect::<Vec<_>>()),
        })
    });
    let mut oracle = json!({
        "tasks": right.tasks,
        "stops": right.stops.len(),
        "without_action": right.idle.len(),
        "actions": right.actions,
        "without_value": gaps.collect::<Vec<Json>>(),
        "expected": expected.collect::<Vec<Json>>(),
    });
    if !right.short.is_empty() {
        let short = right.short.iter().map(|short| {
            json!({
                "arm": short.arm, "step": short.step, "embedder": short.embedder,
                "limited_by": short.limited_by, "depth": short.depth,
                "needed": short.needed, "tasks": short.tasks.len(), "ids": listed(&short.tasks),
            })
        });
        oracle["short_rankings"] = short.collect();
    }
    oracle
}

fn ranges(of: &[AssumptionRecord]) -> Vec<Json> {
    let range = |told: &AssumptionRecord| {
        json!({
            "name": told.name, "value": told.value, "low": told.low, "high": told.high,
            "tag": told.range.tag, "source": told.range.source,
        })
    };
    of.iter().map(range).collect()
}

/// How values are drawn from the ranges of assumptions.
const FROM_RANGES: &str = "in default ranges half of the draws are below the figure and half above, uniform in the logarithm of \
                           amounts and of odds; in ranges given in the file they are uniform";

/// Which assumptions are drawn when years are sampled.
fn yearly_draws(of: &[AssumptionRecord]) -> Json {
    json!({
        "each_year": "the volume, and the mean of each variable",
        "draws_of_readers_and_guards": ODDS_DRAWS,
        "dealt_out": "among these draws, year by year in turn; Sobol's sequence (Joe and Kuo 2008) under Owen's scrambling",
        "from": FROM_RANGES,
        "ranges": ranges(of),
    })
}

/// The design of the sensitivity analysis; its results are in `sensitivity.csv`.
fn sensitivity(of: &SensitivityRecord) -> Json {
    json!({
        "base_samples": of.base_samples,
        "seed": of.seed,
        "points": of.points,
        "tasks": of.tasks,
        "tasks_past_the_cap_left_out": of.left_out,
        "drawn": "independently of one another: Sobol's sequence (Joe and Kuo 2008) under Owen's scrambling",
        "from": FROM_RANGES,
        "indices": format!("first order by Saltelli et al. (2010), total by Jansen (1999); intervals from {RESAMPLES} bootstrap samples of base samples"),
        "means": "the mean of a variable is varied, not its value in single cases",
        "ranges": ranges(&of.assumptions),
    })
}

/// The cost assumptions for failures, with the source of every figure.
pub(crate) fn impact(scenario: &Scenario, impact: &ImpactSettings) -> Json {
    let backed = |name: &str, value: Json, backing: &FigureSource| json!({"name": name, "value": value, "tag": backing.tag, "source": backing.source});
    let volume = match impact.volume {
        YearlyVolume::Fixed(mean) => json!({"distribution": "fixed", "mean": mean}),
        YearlyVolume::Poisson(mean) => json!({"distribution": "poisson", "mean": mean}),
        YearlyVolume::NegativeBinomial(mean, sd) => {
            json!({"distribution": "negative_binomial", "mean": mean, "sd": sd})
        }
    };
    let mut told = vec![backed("volume", volume, &impact.volume_backing)];
    for v in &impact.variables {
        told.push(backed(&v.name, json!(v.variable.describe()), &v.backing));
    }
    for loss in &impact.losses {
        let times: Vec<&str> =
            loss.factors.iter().map(|&v| impact.variables[v].name.as_str()).collect();
        let value = json!({
            "if": loss.condition.source(), "amount": loss.amount.source(), "times": times,
        });
        told.push(backed(&loss.name, value, &loss.backing));
    }
    // A price without a backing was not declared: it is zero and no assumption.
    let mut price = |name: String, price: &CallPrice| {
        if let Some(backing) = &price.backing {
            let value = json!({"cost": price.cost, "seconds": price.seconds});
            told.push(backed(&name, value, backing));
        }
    };
    for (decl, search) in scenario.embedders.iter().zip(&impact.costs.search) {
        price(format!("search.{}", decl.name), search);
    }
    price("read".to_owned(), &impact.costs.read);
    json!({
        "currency": impact.currency,
        "years": impact.years,
        "year": "cases by the volume, each a task by its weight; each costly end draws its variables again",
        "var": "the empirical quantile; cvar: the mean of the rest (Rockafellar and Uryasev 2002)",
        "assumptions": told,
    })
}

/// One embedder: its kind and settings, with the source of every parameter that does not come from a model file.
fn embedder(scenario: &Scenario, decl: &EmbedderDeclaration, fingerprint: &Option<String>) -> Json {
    let mut told = json!({"name": decl.name, "kind": decl.kind.name()});
    if let (Json::Object(told), Json::Object(settings)) = (&mut told, decl.kind.describe(scenario))
    {
        told.extend(settings);
    }
    if !decl.kind.is_fully_described() || fingerprint.is_some() {
        told["fingerprint"] = json!(fingerprint);
    }
    told
}
