//! Finds everything that would end a run, before anything is embedded. `knockon check` reports it and every run starts
//! with it, so a scenario that passes the one passes the other. Nothing may be embedded or searched here.
//!
//! Runs the oracle over all tasks under all arms ([`oracle_check`]), builds the readers from presets and parameters, prices
//! all possible ends, and opens whatever ranks passages without querying it: models, run files, keys of services.

mod loss_amounts;

use std::collections::BTreeSet;

use super::oracle_check::{self, OracleRecord};
use crate::compile::ArmOdds;
use crate::scenario::{
    ArmReader, Diagnostic, Diagnostics, PipelineStepKind, Scenario, ScenarioArm,
};
use crate::session::Session;

/// What is right in each task, if nothing prevents these arms (indices into the scenario's) from being run.
///
/// # Errors
/// Everything that does, at once.
pub fn preflight(session: &Session, arms: &[usize]) -> Result<OracleRecord, Diagnostics> {
    let (scenario, indices) = (session.scenario(), session.indices());
    let judged = oracle_check::check_oracle(scenario, arms, indices);
    let arms: Vec<&ScenarioArm> = arms.iter().map(|&arm| &scenario.arms[arm]).collect();
    let planned = planned_arms(scenario);
    let mut found =
        reader_errors(scenario, &arms.iter().copied().chain(&planned).collect::<Vec<_>>());
    if let (Ok(_), Some(arm)) = (&judged, arms.first()) {
        // The oracle does the same under all arms, so one of them is enough.
        found.extend(loss_amounts::without_amount(scenario, arm, indices));
    }
    found.extend(language_model_errors(session, &arms));
    // Run files are matched with the queries of the oracle, so the oracle must be valid.
    found.extend(embedder_errors(session, &arms, judged.is_ok()));
    match judged {
        Ok(record) if found.is_empty() => Ok(record),
        Ok(_) => Err(scenario.source.mistakes(found)),
        Err(mistakes) => {
            found.extend(mistakes);
            Err(scenario.source.mistakes(found))
        }
    }
}

/// The arms that `knockon plan` starts from: one for each of its candidates alone.
pub fn planned_arms(scenario: &Scenario) -> Vec<ScenarioArm> {
    let Some(plan) = &scenario.plan else { return Vec::new() };
    let base = &scenario.arms[plan.improved_arm];
    (0..plan.candidates.len()).filter_map(|candidate| plan.arm(base, &[candidate])).collect()
}

/// Readers whose parameters are inconsistent once preset, file and arm are combined.
fn reader_errors(scenario: &Scenario, arms: &[&ScenarioArm]) -> Vec<Diagnostic> {
    let wrong = arms.iter().filter_map(|arm| {
        let error = ArmOdds::of_arm(scenario, arm).err()?;
        let span = scenario.source.span(&["arms", &arm.id, "reader"]);
        let message = format!("{error:#}, under the arm `{}`", arm.id);
        Some(
            Diagnostic::new("out-of-range", span, message)
                .label("what the arm does not set comes from the file and its preset"),
        )
    });
    wrong.collect()
}

/// Language models that can neither be asked nor have recorded answers. Those that no arm names are not checked.
fn language_model_errors(session: &Session, arms: &[&ScenarioArm]) -> Vec<Diagnostic> {
    let scenario = session.scenario();
    let mut used: BTreeSet<usize> = BTreeSet::new();
    for arm in arms {
        if let ArmReader::Asked(reader) = arm.reader {
            used.insert(reader);
        }
    }
    let wrong = used.into_iter().filter_map(|reader| {
        let declared = &scenario.readers[reader];
        let (setting, error) = session.check_reader_ready(reader).err()?;
        let (code, label) = match setting {
            "recordings" => ("bad-data", "recorded answers, one JSON object a line".to_owned()),
            "model" => {
                let label = format!("and no answers are recorded in {}", declared.recordings.0);
                ("unusable-model", label)
            }
            _ => {
                let label =
                    format!("it is needed: no answers are recorded in {}", declared.recordings.0);
                ("unset-variable", label)
            }
        };
        let span = scenario.source.span(&["readers", &declared.name, setting]);
        Some(Diagnostic::new(code, span, format!("{error:#}")).label(label))
    });
    wrong.collect()
}

/// Embedders that cannot be opened. Those that nothing uses are not checked.
fn embedder_errors(session: &Session, arms: &[&ScenarioArm], judged: bool) -> Vec<Diagnostic> {
    let scenario = session.scenario();
    let planned = planned_arms(scenario);
    let mut used: BTreeSet<(usize, usize)> = BTreeSet::new();
    for arm in arms.iter().copied().chain(&planned) {
        used.extend(used_by(scenario, arm));
    }
    let mut pending: Vec<(usize, usize)> = used.iter().copied().collect();
    // Parts of an embedder are searched in the same corpus, and may have parts themselves.
    while let Some((embedder, corpus)) = pending.pop() {
        for part in scenario.embedders[embedder].kind.parts() {
            if used.insert((part, corpus)) {
                pending.push((part, corpus));
            }
        }
    }
    let mut found: Vec<Diagnostic> = Vec::new();
    for (embedder, corpus) in used {
        let decl = &scenario.embedders[embedder];
        let failure = decl.kind.opening_failure();
        if failure.needs_oracle && !judged {
            continue;
        }
        let Err(error) = session.check_ready(embedder, corpus) else { continue };
        let span = scenario.source.span(&["embedders", &decl.name, failure.key]);
        let mistake =
            Diagnostic::new(failure.code, span, format!("{error:#}")).label(failure.label);
        // One model may be needed for several corpora.
        if !found.contains(&mistake) {
            found.push(mistake);
        }
    }
    found
}

/// The pairs of embedder and corpus that an arm searches, for retries and verifiers as well.
fn used_by(scenario: &Scenario, arm: &ScenarioArm) -> Vec<(usize, usize)> {
    let mut used = Vec::new();
    for (at, step) in scenario.steps.iter().enumerate() {
        let from = match step.kind {
            PipelineStepKind::Read { from, .. } => from,
            _ => at,
        };
        let PipelineStepKind::Retrieve(retrieve) = &scenario.steps[from].kind else { continue };
        let corpus = arm.corpora[retrieve.corpus];
        if let Some(retrieval) = arm.retrieval[at] {
            used.push((retrieval.embedder, corpus));
        }
        for guard in step.guards.iter().filter(|_| arm.guarded[at]) {
            let retries = guard.retries.iter().filter_map(|retry| retry.embedder);
            used.extend(
                retries.chain(guard.check.scoring_embedder()).map(|embedder| (embedder, corpus)),
            );
        }
    }
    used
}
