//! Resolves a scenario file as a whole: all sections, in the order in which they need each other.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::diagnostics::Diagnostic;
use super::file::ScenarioFile;
use super::node::{YamlNode, YamlValue};
use super::readers::{MeasuredReader, ReaderDeclaration, ResolvedReader};
use super::resolve::ScenarioResolver;
use super::resolved_scenario::{Scenario, TaskSampleSize};
use super::source::ScenarioSource;
use super::task_sample::sample_tasks;
use crate::world::TaskSet;

/// The version of the format that is read.
const VERSION: u64 = 1;

/// Language models, and measured readers with their names.
type ReadersByKind = (Vec<ReaderDeclaration>, Vec<(String, Arc<MeasuredReader>)>);

impl ScenarioResolver<'_> {
    /// Resolves the file; `None` if any mistake was found.
    pub fn resolve_file(&mut self, file: &ScenarioFile, path: &Path) -> Option<Scenario> {
        self.check_version(file);
        self.check_scenario_name(file);
        let mut world = self.load_data(file);
        let embedders = self.embedders(file, &world);
        let readers = self.readers(file);
        let steps = self.steps(file, &world);
        let arms = self.arms(file, &world, (&embedders, &readers), &steps);
        let baseline = self.baseline(file);
        let simulation = self.simulation(&file.simulation);
        let impact = self.impact(file.impact.as_ref(), &world, &steps);
        let money = file.impact.is_some();
        let plan = self.plan(file.plan.as_ref(), &arms, baseline, &embedders, &steps, money);
        let sensitivity =
            self.sensitivity(file.sensitivity.as_ref(), &steps, impact.as_ref(), simulation.seed);
        let questions = self.questions(&steps, &world);
        let expected = self.expected(file, &world, &steps);
        self.note_unused_gold(&steps, &world);
        let rates = self.exchange_rates(file.exchange_rates.as_ref());
        self.check_currencies(&world, &steps, impact.as_ref(), rates.as_ref());
        let sample = self.sample(file);
        if !self.mistakes.is_empty() {
            return None;
        }
        // After the checks above, some of which distinguish facts from extracted values.
        self.add_extracted(&mut world);
        self.text_lengths(&steps, &world);
        if !self.mistakes.is_empty() {
            return None;
        }
        // After all checks, so that messages quote amounts as they are written.
        if let Some(rates) = &rates {
            rates.convert(&mut world);
        }
        let questions = questions
            .into_iter()
            .map(|question| Some(question?.with_rates(rates.as_ref())))
            .collect();
        let (readers, measured_readers) = self.split_readers(readers)?;
        let mut tasks = world.tasks?;
        // Sampled last: all tasks have been checked, so another seed reveals no further mistakes.
        let (sampled, other_tasks) = self.draw_sample(&mut tasks, sample, simulation.seed);
        Some(Scenario {
            name: file.name.as_ref()?.value.clone(),
            description: file.description.clone(),
            path: path.to_owned(),
            corpora: world.corpora.into_iter().collect::<Option<_>>()?,
            tables: world.tables.into_iter().collect::<Option<_>>()?,
            tasks,
            sampled,
            other_tasks,
            notes: std::mem::take(&mut self.notes),
            unit: world.unit,
            expected,
            fields: world.fields?,
            embedders: embedders.into_iter().collect::<Option<_>>()?,
            readers,
            measured_readers,
            questions,
            steps: steps.into_iter().map(|draft| draft.resolved).collect::<Option<_>>()?,
            arms,
            baseline,
            simulation,
            impact,
            plan,
            sensitivity,
            inputs: std::mem::take(&mut self.inputs),
            source: ScenarioSource {
                path: path.display().to_string(),
                text: self.file.to_owned(),
                // The tree is still borrowed by this resolver; the caller fills it in.
                root: YamlNode { span: 0..0, value: YamlValue::Null },
            },
        })
    }

    /// Reports a version of the format that this program cannot read.
    fn check_version(&mut self, file: &ScenarioFile) {
        if let Some(version) = &file.version
            && version.value != VERSION
        {
            let message = format!("version {} of the format is not known", version.value);
            self.mistakes.push(
                Diagnostic::new("unknown-version", version.span.clone(), message)
                    .label(format!("this version of knockon supports only version {VERSION}")),
            );
        }
    }

    /// Reports a name that cannot be the name of the report folder.
    fn check_scenario_name(&mut self, file: &ScenarioFile) {
        if let Some(name) = &file.name {
            let allowed =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
            if name.value.is_empty() || !name.value.chars().all(allowed) {
                let lower: String = name.value.to_lowercase();
                let lower: String =
                    lower.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
                let message = format!("the name `{}` cannot be the name of a folder", name.value);
                let help = (!lower.is_empty()).then(|| format!("write `{lower}`"));
                self.mistakes.push(
                    Diagnostic::new("bad-name", name.span.clone(), message)
                        .label("allowed: lower-case letters, digits, `_` and `-`")
                        .help(help),
                );
            }
        }
    }

    /// The language models and the measured readers, apart; `None` if one has a mistake.
    fn split_readers(&self, readers: Vec<Option<ResolvedReader>>) -> Option<ReadersByKind> {
        let (mut language_models, mut measured) = (Vec::new(), Vec::new());
        let names = self.section_keys("readers");
        for (name, reader) in names.into_iter().zip(readers) {
            match reader? {
                ResolvedReader::Asked(reader) => language_models.push(*reader),
                ResolvedReader::Measured(reader) => measured.push((name, reader)),
            }
        }
        Some((language_models, measured))
    }

    /// Keeps a random sample of the tasks, if `size` is below their number. Returns its size, and the ids of the tasks
    /// that are left out.
    fn draw_sample(
        &mut self,
        tasks: &mut TaskSet,
        size: Option<usize>,
        seed: u64,
    ) -> (Option<TaskSampleSize>, BTreeSet<String>) {
        let total = tasks.tasks.len();
        let Some(size) = size.filter(|&size| size < total) else {
            return (None, BTreeSet::new());
        };
        let mut left_out: BTreeSet<String> =
            tasks.tasks.iter().map(|task| task.id.clone()).collect();
        sample_tasks(&mut tasks.tasks, size, seed);
        for task in &tasks.tasks {
            left_out.remove(&task.id);
        }
        self.notes.push(format!(
            "{size} of the {total} tasks are replayed, drawn at random (tasks.sample)"
        ));
        (Some(TaskSampleSize { size, total }), left_out)
    }

    /// The maximum number of tasks to replay, if there is one.
    fn sample(&mut self, file: &ScenarioFile) -> Option<usize> {
        let sample = file.tasks.as_ref()?.sample.as_ref()?;
        self.check_at_least_one("sample", sample);
        Some(sample.value as usize)
    }

    /// The index of the baseline arm.
    fn baseline(&mut self, file: &ScenarioFile) -> usize {
        let ids = self.list_ids("arms");
        match &file.baseline {
            Some(baseline) => self.resolve_name("arm", "unknown-arm", baseline, &ids).unwrap_or(0),
            None => 0,
        }
    }
}
