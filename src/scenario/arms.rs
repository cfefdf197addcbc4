//! Resolves arms: the reader, and the retrieval and guard settings of every step, with defaults filled in.

use std::collections::BTreeSet;

use super::diagnostics::Diagnostic;
use super::file::{ArmEntry, ReaderEntry, ScenarioFile};
use super::parameters::{ReaderParameter, ReaderParameters};
use super::readers::{self, ReaderChoiceEntry, ResolvedReader};
use super::resolve::{ScenarioData, ScenarioResolver};
use super::spanned_de::Spanned;
use super::steps::StepDraft;
use super::{
    ArmReader, EmbedderDeclaration, READER_PRESETS, ReaderSettings, RetrievalSettings, ScenarioArm,
};
use crate::expr::suggest;

/// The reader preset of a scenario that names none.
pub const DEFAULT_PRESET: &str = "gpt-4o";
/// The number of passages a retrieve step passes on by default.
pub const DEFAULT_TOP_K: u32 = 5;

/// The entries of the section `readers`.
struct DeclaredReaders<'r> {
    names: Vec<String>,
    /// In the same order.
    resolved: &'r [Option<ResolvedReader>],
}

impl ScenarioResolver<'_> {
    /// The reader that `choice` names or describes; parameters change a simulated `base`.
    fn arm_reader(
        &mut self,
        choice: Option<&Spanned<ReaderChoiceEntry>>,
        base: &ArmReader,
        (readers, fields): (&DeclaredReaders, &[String]),
    ) -> ArmReader {
        match choice.map(|choice| &choice.value) {
            None => base.clone(),
            Some(ReaderChoiceEntry::Named(name)) => {
                let span = choice.map(|choice| choice.span.clone()).unwrap_or_default();
                let name = Spanned { value: name.clone(), span };
                let known = self.resolve_name("reader", "unknown-reader", &name, &readers.names);
                if known.is_none() && READER_PRESETS.contains(&name.value.as_str()) {
                    let help =
                        format!("a simulated reader with this preset: {{preset: {}}}", name.value);
                    if let Some(mistake) = self.mistakes.last_mut() {
                        mistake.help = Some(help);
                    }
                }
                let reader = known.and_then(|at| readers::arm_reader(readers.resolved, at));
                reader.unwrap_or_else(|| base.clone())
            }
            Some(ReaderChoiceEntry::Simulated(entry)) => {
                let base = match base {
                    ArmReader::Simulated(settings) => settings.clone(),
                    ArmReader::Asked(_) => ReaderSettings::default(),
                };
                ArmReader::Simulated(self.reader(entry, &base, fields))
            }
        }
    }

    /// The reader `base` as changed by `entry`. A preset discards the parameters of `base`, those of single fields
    /// included; a parameter replaces only itself. `fields` are those that a step reads.
    fn reader(
        &mut self,
        entry: &ReaderEntry,
        base: &ReaderSettings,
        fields: &[String],
    ) -> ReaderSettings {
        let mut settings = match &entry.preset {
            None => base.clone(),
            Some(preset) => ReaderSettings {
                preset: preset.value.name().to_owned(),
                ..ReaderSettings::default()
            },
        };
        let given = entry.parameters();
        self.override_rates(&given, &mut settings.overrides);
        if let (Some(follow), Some(fabricate)) = (&entry.follow, &entry.fabricate)
            && follow.value + fabricate.value > 1.0
        {
            self.rates_exceed_one("fabricate", fabricate, "follow", follow.value);
        }
        self.check_distinct("field", entry.by_field.0.iter().map(|(field, _)| field));
        for (field, rates) in &entry.by_field.0 {
            if !fields.contains(&field.value) {
                let message = format!("no step reads the field `{}`", field.value);
                self.mistakes.push(
                    Diagnostic::new("unknown-field", field.span.clone(), message)
                        .label(format!("fields that are read: {}", fields.join(", ")))
                        .help(suggest(&field.value, fields.iter().map(String::as_str))),
                );
            }
            let given = rates.parameters();
            let own = settings.by_field.entry(field.value.clone()).or_default();
            self.override_rates(&given, own);
            // The field's own rates count, then the reader's. Where a preset gives the other one, it yields: see
            // `ReaderModel::rates`.
            let follow = own.follow.or(settings.overrides.follow);
            let fabricate = own.fabricate.or(settings.overrides.fabricate);
            if let (Some(follow), Some(fabricate)) = (follow, fabricate)
                && follow + fabricate > 1.0
            {
                match (given.fabricate, given.follow) {
                    (Some(at), _) => self.rates_exceed_one("fabricate", at, "follow", follow),
                    (None, Some(at)) => self.rates_exceed_one("follow", at, "fabricate", fabricate),
                    (None, None) => {} // reported where they are given
                }
            }
        }
        settings
    }

    /// Checks the given parameters and puts them in their places.
    fn override_rates(
        &mut self,
        given: &ReaderParameters<Option<&Spanned<f64>>>,
        overrides: &mut ReaderParameters<Option<f64>>,
    ) {
        for &parameter in ReaderParameter::ALL {
            if let Some(value) = given.get(parameter) {
                self.check_range(parameter.name(), value, 0.0, 1.0);
                *overrides.get_mut(parameter) = Some(value.value);
            }
        }
    }

    /// Reports that `follow` and `fabricate` leave less than no probability to abstain; `name` is the one at `at`.
    fn rates_exceed_one(&mut self, name: &str, at: &Spanned<f64>, other: &str, value: f64) {
        let message = format!("`{other}` and `{name}` add up to more than 1");
        self.mistakes.push(
            Diagnostic::new("out-of-range", at.span.clone(), message)
                .label(format!("allowed together with `{other}`: 0 to {}", 1.0 - value)),
        );
    }

    /// Resolves all arms. A step that has no embedder in some arm is reported once.
    pub fn arms(
        &mut self,
        file: &ScenarioFile,
        world: &ScenarioData,
        (declared, readers): (&[Option<EmbedderDeclaration>], &[Option<ResolvedReader>]),
        steps: &[StepDraft],
    ) -> Vec<ScenarioArm> {
        let default = ArmReader::Simulated(ReaderSettings::default());
        let readers = DeclaredReaders { names: self.section_keys("readers"), resolved: readers };
        let read: BTreeSet<&str> = steps.iter().filter_map(StepDraft::field_read).collect();
        let fields: Vec<String> = read.into_iter().map(str::to_owned).collect();
        let names = (&readers, fields.as_slice());
        let reader = self.arm_reader(file.reader.as_ref(), &default, names);
        let embedders = self.section_keys("embedders");
        if let Some(embedder) = &file.embedder {
            self.resolve_name("embedder", "unknown-embedder", embedder, &embedders);
        }
        for draft in steps {
            if let Some(embedder) = draft.retrieve_entry().and_then(|r| r.embedder.as_ref()) {
                self.resolve_name("embedder", "unknown-embedder", embedder, &embedders);
            }
        }
        let entries = file.arms.as_deref().unwrap_or_default();
        self.check_not_empty("arms", "arm", file.arms.as_ref().map(Vec::is_empty));
        self.check_distinct("arm", entries.iter().map(|entry| &entry.value.id));
        let mut arms = Vec::new();
        // By step: whether some arm leaves it without an embedder.
        let mut bare = vec![false; steps.len()];
        for entry in entries {
            let entry = &entry.value;
            if entry.id.value.trim().is_empty() {
                let mistake =
                    Diagnostic::new("bad-name", entry.id.span.clone(), "an arm has no name");
                self.mistakes.push(mistake.label("reports identify the arm by this"));
            }
            let corpora = self.corpus_swaps(entry, world);
            self.check_arm_settings(entry, steps, &embedders);
            let retrieval = steps.iter().enumerate().map(|(i, draft)| {
                let retrieve = draft.retrieve_entry()?;
                let own = entry.steps.0.iter().find(|(id, _)| id.value == draft.id.value);
                let own = own.map(|(_, settings)| settings);
                // The most specific setting wins: the step in this arm, the arm, the step, the file.
                let embedder = own
                    .and_then(|own| own.embedder.as_ref())
                    .or(entry.embedder.as_ref())
                    .or(retrieve.embedder.as_ref())
                    .or(file.embedder.as_ref());
                bare[i] |= embedder.is_none();
                let top_k = own
                    .and_then(|own| own.top_k.as_ref())
                    .or(entry.top_k.as_ref())
                    .or(retrieve.top_k.as_ref());
                self.check_ranking_depth(embedder, top_k, declared);
                // A retry may combine its own embedder with the arm's `top_k`, or its own `top_k` with the arm's
                // embedder.
                for retry in steps.iter().flat_map(|step| step.retries_of(&draft.id.value)) {
                    if retry.embedder.is_some() || retry.top_k.is_some() {
                        let embedder = retry.embedder.as_ref().or(embedder);
                        self.check_ranking_depth(
                            embedder,
                            retry.top_k.as_ref().or(top_k),
                            declared,
                        );
                    }
                }
                let embedder = embedder
                    .and_then(|embedder| embedders.iter().position(|n| *n == embedder.value));
                let filter = own
                    .and_then(|own| own.entity_filter.as_ref())
                    .or(entry.entity_filter.as_ref())
                    .or(retrieve.entity_filter.as_ref());
                Some(RetrievalSettings {
                    embedder: embedder?,
                    top_k: top_k.map_or(DEFAULT_TOP_K, |at| at.value) as usize,
                    entity_filter: retrieve.entity.is_some() && filter.is_none_or(|at| at.value),
                })
            });
            let retrieval = retrieval.collect();
            let guarded = steps.iter().map(|draft| {
                let own = entry.steps.0.iter().find(|(id, _)| id.value == draft.id.value);
                let guarded = own
                    .and_then(|(_, own)| own.guarded.as_ref())
                    .or(entry.guarded.as_ref())
                    .or(draft.guarded_entry());
                draft.has_guards() && guarded.is_none_or(|at| at.value)
            });
            let guarded = guarded.collect();
            let reader = self.arm_reader(entry.reader.as_ref(), &reader, names);
            let id = entry.id.value.clone();
            arms.push(ScenarioArm { id, reader, corpora, retrieval, guarded });
        }
        for (draft, _) in steps.iter().zip(bare).filter(|(_, bare)| *bare) {
            // If the default embedder was misspelt, that has been reported already.
            if self.tree.get("embedder").is_some() || self.has_mistake_in(&draft.span) {
                continue;
            }
            let message = format!("the step `{}` has no embedder in some arm", draft.id.value);
            let names = embedders.join(", ");
            self.mistakes.push(
                Diagnostic::new("no-embedder", draft.id.span.clone(), message)
                    .label(format!("declared: {names}"))
                    .help(Some(
                        "give the file an `embedder`, the default for all steps".to_owned(),
                    )),
            );
        }
        arms
    }

    /// Reports a step that passes on more passages than its embedder can rank.
    fn check_ranking_depth(
        &mut self,
        embedder: Option<&Spanned<String>>,
        top_k: Option<&Spanned<u32>>,
        declared: &[Option<EmbedderDeclaration>],
    ) {
        let Some(embedder) = embedder else { return };
        let decl = declared.iter().flatten().find(|decl| decl.name == embedder.value);
        let Some(depth) = decl.and_then(|decl| decl.kind.depth()) else { return };
        let wanted = top_k.map_or(DEFAULT_TOP_K, |at| at.value) as usize;
        if wanted > depth {
            let span = top_k.map_or(embedder.span.clone(), |at| at.span.clone());
            let name = &embedder.value;
            let message =
                format!("{wanted} passages are passed on, but the depth of `{name}` is {depth}");
            self.mistakes.push(
                Diagnostic::new("out-of-range", span, message)
                    .label(format!("allowed: up to {depth}, or give `{name}` a greater `depth`")),
            );
        }
    }

    /// By corpus index: the corpus that this arm searches instead.
    fn corpus_swaps(&mut self, entry: &ArmEntry, world: &ScenarioData) -> Vec<usize> {
        let mut corpora: Vec<usize> = (0..world.corpus_names.len()).collect();
        for (from, to) in &entry.corpora.0 {
            let from = self.resolve_name("corpus", "unknown-corpus", from, &world.corpus_names);
            let to = self.resolve_name("corpus", "unknown-corpus", to, &world.corpus_names);
            if let (Some(from), Some(to)) = (from, to) {
                corpora[from] = to;
            }
        }
        corpora
    }

    /// Checks the settings of one arm: names, ranges, and settings that have no effect.
    fn check_arm_settings(&mut self, entry: &ArmEntry, steps: &[StepDraft], embedders: &[String]) {
        if let Some(embedder) = &entry.embedder {
            self.resolve_name("embedder", "unknown-embedder", embedder, embedders);
        }
        if let Some(top_k) = &entry.top_k {
            self.check_at_least_one("top_k", top_k);
        }
        if let Some(guarded) =
            entry.guarded.as_ref().filter(|_| !steps.iter().any(|d| d.has_guards()))
        {
            let message = "no step has a `guard` to switch";
            self.mistakes.push(
                Diagnostic::new("setting-unused", guarded.span.clone(), message)
                    .label("give a step a `guard`, or leave this out"),
            );
        }
        // Switching off a filter that does not exist is harmless and not reported.
        let filters = steps.iter().any(|d| d.has_entity());
        if let Some(filter) = entry.entity_filter.as_ref().filter(|f| f.value && !filters) {
            let message = "no step has an `entity` to filter by";
            self.mistakes.push(
                Diagnostic::new("setting-unused", filter.span.clone(), message)
                    .label("give a retrieve step an `entity`, or leave this out"),
            );
        }
        let ids = self.list_ids("steps");
        for (id, settings) in &entry.steps.0 {
            if self.resolve_name("step", "unknown-step", id, &ids).is_none() {
                continue;
            }
            let draft = steps.iter().find(|d| d.id.value == id.value);
            let searches = settings.embedder.is_some()
                || settings.top_k.is_some()
                || settings.entity_filter.is_some();
            if let Some(draft) = draft.filter(|d| d.is_not_retrieve())
                && (searches || settings.guarded.is_none())
            {
                let message = format!("`{}` is not a retrieve step", id.value);
                self.mistakes.push(
                    Diagnostic::new("not-retrieve", id.span.clone(), message)
                        .label("for other kinds of steps, an arm can change only `guarded`")
                        .also(draft.id.span.clone(), "declared here"),
                );
                continue;
            }
            if let (Some(guarded), Some(draft)) = (&settings.guarded, draft)
                && !draft.has_guards()
            {
                let message = format!("the step `{}` has no `guard` to turn on or off", id.value);
                self.mistakes.push(
                    Diagnostic::new("setting-unused", guarded.span.clone(), message)
                        .label("give the step a `guard`, or leave this out"),
                );
            }
            if let Some(embedder) = &settings.embedder {
                self.resolve_name("embedder", "unknown-embedder", embedder, embedders);
            }
            if let Some(top_k) = &settings.top_k {
                self.check_at_least_one("top_k", top_k);
            }
            let no_entity = draft.is_some_and(|d| d.retrieve_entry().is_some() && !d.has_entity());
            if let Some(filter) = settings.entity_filter.as_ref().filter(|f| f.value && no_entity) {
                let message = format!("the step `{}` has no `entity` to filter by", id.value);
                self.mistakes.push(
                    Diagnostic::new("setting-unused", filter.span.clone(), message)
                        .label("give the step an `entity`, or leave this out"),
                );
            }
        }
    }
}
