//! Resolves the section `plan`: candidate mitigations, and the arms that combinations of them give.

use super::diagnostics::Diagnostic;
use super::file::{CandidateEntry, PlanEntry};
use super::impact::{FigureSource, MAX_COST, figure_source};
use super::resolve::ScenarioResolver;
use super::spanned_de::Spanned;
use super::steps::StepDraft;
use super::{EmbedderDeclaration, ScenarioArm};

/// The default of `most`: up to this many combinations, all are run.
pub const DEFAULT_MAX_COMBINATIONS: u32 = 64;
/// The maximum value of `most`.
const MAX_COMBINATIONS_LIMIT: f64 = 4096.0;

/// The mitigations that could be added to one arm.
#[derive(Clone, Debug)]
pub struct MitigationPlan {
    /// The index of the arm to improve.
    pub improved_arm: usize,
    pub candidates: Vec<MitigationCandidate>,
    /// If there are at most this many combinations, all of them are run.
    pub max_combinations: usize,
}

/// A mitigation with its price.
#[derive(Clone, Debug)]
pub struct MitigationCandidate {
    pub id: String,
    pub cost_per_year: f64,
    pub cost_per_case: f64,
    pub backing: FigureSource,
    /// The improved arm with only this mitigation applied.
    arm: ScenarioArm,
}

impl MitigationPlan {
    /// `base` with the chosen candidates applied; `None` if two of them change a setting to different values.
    pub fn arm(&self, base: &ScenarioArm, chosen: &[usize]) -> Option<ScenarioArm> {
        let mut arm = base.clone();
        let ids: Vec<&str> = chosen.iter().map(|&c| self.candidates[c].id.as_str()).collect();
        arm.id = if ids.is_empty() { base.id.clone() } else { ids.join("+") };
        for &candidate in chosen {
            let changed = &self.candidates[candidate].arm;
            for step in 0..arm.guarded.len() {
                apply_change(&mut arm.guarded[step], base.guarded[step], changed.guarded[step])?;
                let (Some(now), Some(was), Some(is)) =
                    (&mut arm.retrieval[step], base.retrieval[step], changed.retrieval[step])
                else {
                    continue;
                };
                apply_change(&mut now.embedder, was.embedder, is.embedder)?;
                apply_change(&mut now.top_k, was.top_k, is.top_k)?;
                apply_change(&mut now.entity_filter, was.entity_filter, is.entity_filter)?;
            }
        }
        Some(arm)
    }
}

/// Applies one change to `now`; `None` if an earlier candidate has set another value.
fn apply_change<T: PartialEq + Copy>(now: &mut T, base: T, changed: T) -> Option<()> {
    // No conflict: the candidate leaves the setting alone, or agrees with an earlier one.
    if changed == base || changed == *now {
        return Some(());
    }
    (*now == base).then(|| *now = changed)
}

impl ScenarioResolver<'_> {
    /// Resolves the section; `None` if it is absent or has a mistake.
    pub fn plan(
        &mut self,
        entry: Option<&Spanned<PlanEntry>>,
        arms: &[ScenarioArm],
        baseline: usize,
        declared: &[Option<EmbedderDeclaration>],
        steps: &[StepDraft],
        counts_money: bool,
    ) -> Option<MitigationPlan> {
        let Spanned { value: entry, span } = entry?;
        let before = self.mistakes.len();
        if !counts_money {
            self.mistakes.push(
                Diagnostic::new("no-impact", span.clone(), "a plan weighs costs against losses")
                    .label("state the cost of failures in a section `impact`"),
            );
        }
        let from = match &entry.from {
            Some(from) => {
                let ids = self.list_ids("arms");
                self.resolve_name("arm", "unknown-arm", from, &ids)
            }
            None => Some(baseline),
        };
        if let Some(most) = &entry.most {
            let number = Spanned { value: f64::from(most.value), span: most.span.clone() };
            self.check_range("most", &number, 1.0, MAX_COMBINATIONS_LIMIT);
        }
        let list = &entry.candidates;
        self.check_distinct("candidate", list.value.iter().map(|candidate| &candidate.value.id));
        if list.value.is_empty() && !self.has_mistake_in(&list.span) {
            self.mistakes.push(
                Diagnostic::new("empty-value", list.span.clone(), "`candidates` is empty")
                    .label("at least one candidate is expected here"),
            );
        }
        let base = from.and_then(|from| arms.get(from));
        let mut candidates = Vec::new();
        for Spanned { value: candidate, .. } in &list.value {
            let arm = self.candidate_arm(candidate, base, declared, steps);
            for (what, cost) in [
                ("cost_per_year", &candidate.cost_per_year),
                ("cost_per_case", &candidate.cost_per_case),
            ] {
                if let Some(cost) = cost {
                    self.check_range(what, cost, 0.0, MAX_COST);
                }
            }
            let cost = |cost: &Option<Spanned<f64>>| cost.as_ref().map_or(0.0, |cost| cost.value);
            if let Some(arm) = arm {
                if base == Some(&arm) {
                    let message = format!("`{}` changes nothing", candidate.id.value);
                    self.mistakes.push(
                        Diagnostic::new("setting-unused", candidate.id.span.clone(), message)
                            .label("the arm to be improved already has these settings"),
                    );
                }
                candidates.push(MitigationCandidate {
                    id: candidate.id.value.clone(),
                    cost_per_year: cost(&candidate.cost_per_year),
                    cost_per_case: cost(&candidate.cost_per_case),
                    backing: figure_source(candidate.tag, &candidate.source),
                    arm,
                });
            }
        }
        (self.mistakes.len() == before).then_some(())?;
        let most = entry.most.as_ref().map_or(DEFAULT_MAX_COMBINATIONS, |most| most.value) as usize;
        Some(MitigationPlan { improved_arm: from?, candidates, max_combinations: most })
    }

    /// The arm `base` with the candidate's settings in place of its own.
    fn candidate_arm(
        &mut self,
        entry: &CandidateEntry,
        base: Option<&ScenarioArm>,
        declared: &[Option<EmbedderDeclaration>],
        steps: &[StepDraft],
    ) -> Option<ScenarioArm> {
        let embedders = self.section_keys("embedders");
        let ids = self.list_ids("steps");
        for (id, settings) in &entry.steps.0 {
            self.resolve_name("step", "unknown-step", id, &ids);
            if let Some(top_k) = &settings.top_k {
                self.check_at_least_one("top_k", top_k);
            }
        }
        if let Some(top_k) = &entry.top_k {
            self.check_at_least_one("top_k", top_k);
        }
        let all = entry.embedder.iter();
        let own = entry.steps.0.iter().filter_map(|(_, settings)| settings.embedder.as_ref());
        for embedder in all.chain(own) {
            self.resolve_name("embedder", "unknown-embedder", embedder, &embedders);
        }
        let mut arm = base?.clone();
        for (at, draft) in steps.iter().enumerate() {
            let own = entry.steps.0.iter().find(|(id, _)| id.value == draft.id.value);
            let own = own.map(|(_, settings)| settings);
            let guarded = own.and_then(|own| own.guarded.as_ref()).or(entry.guarded.as_ref());
            if let Some(guarded) = guarded {
                arm.guarded[at] = draft.has_guards() && guarded.value;
            }
            let Some(retrieval) = &mut arm.retrieval[at] else {
                continue;
            };
            let embedder = own.and_then(|own| own.embedder.as_ref()).or(entry.embedder.as_ref());
            if let Some(embedder) = embedder {
                retrieval.embedder = embedders.iter().position(|name| *name == embedder.value)?;
            }
            let top_k = own.and_then(|own| own.top_k.as_ref()).or(entry.top_k.as_ref());
            if let Some(top_k) = top_k {
                retrieval.top_k = top_k.value as usize;
            }
            let filter =
                own.and_then(|own| own.entity_filter.as_ref()).or(entry.entity_filter.as_ref());
            if let Some(filter) = filter {
                retrieval.entity_filter = draft.has_entity() && filter.value;
            }
            let decl = declared.get(retrieval.embedder).and_then(Option::as_ref);
            let depth = decl.and_then(|decl| decl.kind.depth());
            if let Some(depth) = depth.filter(|depth| retrieval.top_k > *depth) {
                let wanted = retrieval.top_k;
                let message = format!(
                    "`{}` passes on {wanted} passages at `{}`, but the embedder's depth is {depth}",
                    entry.id.value, draft.id.value
                );
                self.mistakes.push(
                    Diagnostic::new("out-of-range", entry.id.span.clone(), message)
                        .label("give the embedder a greater `depth`"),
                );
            }
        }
        Some(arm)
    }
}
