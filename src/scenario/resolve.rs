//! Resolves a scenario file as a whole: reads its data files, and turns names into indices with the helpers that all
//! sections share. The sections themselves are resolved by methods of [`ScenarioResolver`] in the sibling modules.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::currencies::CombinedAmounts;
use super::diagnostics::Diagnostic;
use super::expected;
use super::extract::FieldExtraction;
use super::file::{self, ScenarioFile};
use super::node::{YamlNode, YamlValue};
use super::readers::ResolvedReader;
use super::spanned_de::{NamedEntries, Spanned};
use super::{
    InferenceMethod, Scenario, ScenarioInputFile, ScenarioSource, SimulationSettings,
    TaskSampleSize,
};
use crate::expr::{CorpusIndex, suggest};
use crate::input_file::InputSource;
use crate::progress::ProgressListener;
use crate::value::ValueType;
use crate::world::{Corpus, Delimiter, FileMistakes, LookupTable, TaskSet};

/// The version of the format that is read.
const VERSION: u64 = 1;

/// The state shared by all checks. Every check appends its mistakes to `found` and continues.
pub(super) struct ScenarioResolver<'a> {
    /// The text of the file.
    pub file: &'a str,
    /// The tree as written, including the parts that the schema check removed from `File`.
    pub tree: &'a YamlNode,
    /// Where data files are read from.
    pub source: InputSource<'a>,
    /// The scenario's directory.
    pub dir: PathBuf,
    /// The mistakes so far.
    pub mistakes: Vec<Diagnostic>,
    /// Remarks for the user that are not mistakes.
    pub notes: Vec<String>,
    /// The files read so far, the scenario file first.
    pub inputs: Vec<ScenarioInputFile>,
    /// The values that extractors found, one entry per corpus and field.
    pub extractions: Vec<FieldExtraction>,
    /// The amounts of money that expressions combine.
    pub amounts: Vec<CombinedAmounts>,
    /// What happens where the run of an embedder is not there yet.
    pub missing_runs: MissingRunPolicy,
    pub progress: &'a dyn ProgressListener,
}

/// What happens where a run file does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MissingRunPolicy {
    /// A mistake.
    Report,
    /// It counts as empty: for commands that search nothing, such as the one that exports the queries of the run.
    Empty,
}

/// The names of up to five data files in a folder, for suggestions.
fn files_in(source: InputSource, dir: &Path) -> Option<String> {
    let names = source.names_in(dir, true).into_iter();
    let mut files: Vec<String> = names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| [".jsonl", ".csv", ".tsv"].iter().any(|ending| name.ends_with(ending)))
        .collect();
    files.sort();
    files.truncate(5);
    (!files.is_empty()).then(|| files.join(", "))
}

/// The data that the steps work on. A part that could not be read is `None`, and references to it are not reported.
pub(super) struct ScenarioData {
    /// In the order of `corpus_names`, as `tables` is in the order of `table_names`.
    pub corpora: Vec<Option<Corpus>>,
    pub corpus_names: Vec<String>,
    pub tables: Vec<Option<LookupTable>>,
    pub table_names: Vec<String>,
    pub tasks: Option<TaskSet>,
    /// The path that the tasks were read from; empty if they were not read.
    pub tasks_path: PathBuf,
    /// By corpus; built on first use.
    indices: Vec<OnceCell<CorpusIndex>>,
    /// The declared task fields; `None` if the declaration is wrong.
    pub fields: Option<BTreeMap<String, ValueType>>,
    /// The task field that is the sampling unit.
    pub unit: Option<String>,
}

impl ScenarioData {
    /// A corpus with its index, by name; `None` if it could not be read.
    pub fn corpus(&self, name: &str) -> Option<(&Corpus, &CorpusIndex)> {
        let at = self.corpus_names.iter().position(|known| known == name)?;
        let corpus = self.corpora[at].as_ref()?;
        Some((corpus, self.indices[at].get_or_init(|| CorpusIndex::new(corpus))))
    }
}

impl ScenarioResolver<'_> {
    /// Resolves the file; `None` if any mistake was found.
    pub fn resolve_file(&mut self, file: &ScenarioFile, path: &Path) -> Option<Scenario> {
        if let Some(version) = &file.version
            && version.value != VERSION
        {
            let message = format!("version {} of the format is not known", version.value);
            self.mistakes.push(
                Diagnostic::new("unknown-version", version.span.clone(), message)
                    .label(format!("this version of knockon supports only version {VERSION}")),
            );
        }
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
        let questions = questions.into_iter();
        let questions = questions.map(|question| Some(question?.with_rates(rates.as_ref())));
        let questions = questions.collect();
        let mut tasks = world.tasks?;
        // Sampled last: all tasks have been checked, so another seed reveals no further mistakes.
        let mut other_tasks = BTreeSet::new();
        let sampled = sample.filter(|&size| size < tasks.tasks.len()).map(|size| {
            let of = tasks.tasks.len();
            other_tasks.extend(tasks.tasks.iter().map(|task| task.id.clone()));
            super::task_sample::sample_tasks(&mut tasks.tasks, size, simulation.seed);
            for task in &tasks.tasks {
                other_tasks.remove(&task.id);
            }
            self.notes.push(format!(
                "{size} of the {of} tasks are replayed, drawn at random (tasks.sample)"
            ));
            TaskSampleSize { size, total: of }
        });
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
            measured_readers: self
                .section_keys("readers")
                .into_iter()
                .zip(&readers)
                .filter_map(|(name, reader)| match reader {
                    Some(ResolvedReader::Measured(measured)) => Some((name, measured.clone())),
                    _ => None,
                })
                .collect(),
            readers: readers
                .into_iter()
                .flatten()
                .filter_map(|reader| match reader {
                    ResolvedReader::Asked(reader) => Some(*reader),
                    ResolvedReader::Measured(_) => None,
                })
                .collect(),
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

    /// Whether a mistake inside `span` was found already. If so, something that seems to be missing there may have been
    /// removed because it was wrong.
    pub fn has_mistake_in(&self, span: &Range<usize>) -> bool {
        self.mistakes.iter().any(|d| span.start <= d.span.start && d.span.start < span.end.max(1))
    }

    /// The keys of a section, including those whose entries were removed.
    pub fn section_keys(&self, section: &str) -> Vec<String> {
        let entries = self.tree.get(section).map_or(&[][..], YamlNode::entries);
        entries.iter().map(|(key, _)| key.name.clone()).collect()
    }

    /// The ids of the entries of a list, including entries that were removed.
    pub fn list_ids(&self, section: &str) -> Vec<String> {
        let items = self.tree.get(section).map_or(&[][..], YamlNode::items);
        items.iter().filter_map(|item| item.get("id")?.text().map(str::to_owned)).collect()
    }

    /// The index of a name in `known`. An unknown name is reported with the names that are declared.
    pub fn resolve_name(
        &mut self,
        kind: &str,
        code: &'static str,
        name: &Spanned<String>,
        known: &[String],
    ) -> Option<usize> {
        let index = known.iter().position(|k| *k == name.value);
        if index.is_none() {
            let label = match known {
                [] => format!("no {kind} is declared"),
                known => format!("declared: {}", known.join(", ")),
            };
            let help = suggest(&name.value, known.iter().map(String::as_str));
            let message = format!("there is no {kind} `{}`", name.value);
            self.mistakes
                .push(Diagnostic::new(code, name.span.clone(), message).label(label).help(help));
        }
        index
    }

    /// Reports names that occur twice in a list.
    pub fn check_distinct<'i>(
        &mut self,
        kind: &str,
        ids: impl Iterator<Item = &'i Spanned<String>>,
    ) {
        let mut seen: BTreeMap<&str, Range<usize>> = BTreeMap::new();
        for id in ids {
            if let Some(first) = seen.get(id.value.as_str()) {
                let message = format!("two {kind}s are called `{}`", id.value);
                self.mistakes.push(
                    Diagnostic::new("duplicate-id", id.span.clone(), message)
                        .label("each needs a name of its own")
                        .also(first.clone(), "first here"),
                );
            } else {
                seen.insert(&id.value, id.span.clone());
            }
        }
    }

    /// Reports a name that expressions cannot use.
    pub fn check_identifier(&mut self, kind: &str, name: &Spanned<String>) {
        const RESERVED: [&str; 21] = [
            "as",
            "break",
            "const",
            "continue",
            "else",
            "false",
            "for",
            "function",
            "if",
            "import",
            "in",
            "let",
            "loop",
            "namespace",
            "null",
            "package",
            "return",
            "true",
            "var",
            "void",
            "while",
        ];
        let text = name.value.as_str();
        let letters = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let reserved =
            RESERVED.contains(&text) || (kind == "step" && ["task", "passage"].contains(&text));
        let (message, label) = if reserved {
            (format!("`{text}` is reserved in expressions"), "choose another name".to_owned())
        } else if !letters {
            (
                format!("expressions cannot use `{text}` as the name of a {kind}"),
                "allowed: letters, digits and `_`, not beginning with a digit".to_owned(),
            )
        } else {
            return;
        };
        self.mistakes.push(Diagnostic::new("bad-name", name.span.clone(), message).label(label));
    }

    /// Reports a number outside the range from `low` to `high`, both included.
    pub fn check_range(&mut self, what: &str, number: &Spanned<f64>, low: f64, high: f64) {
        if (low..=high).contains(&number.value) {
            return;
        }
        let allowed =
            if high.is_finite() { format!("{low} to {high}") } else { format!("{low} or more") };
        let message = format!("`{what}` cannot be {}", number.value);
        self.mistakes.push(
            Diagnostic::new("out-of-range", number.span.clone(), message)
                .label(format!("allowed: {allowed}")),
        );
    }

    /// Reports a count of 0.
    pub fn check_at_least_one(&mut self, what: &str, count: &Spanned<u32>) {
        if count.value == 0 {
            let message = format!("`{what}` cannot be 0");
            self.mistakes.push(
                Diagnostic::new("out-of-range", count.span.clone(), message)
                    .label("allowed: 1 or more"),
            );
        }
    }

    /// The path of a data file, which is hashed and added to the inputs. Reports a file that cannot be read.
    pub fn data_file(&mut self, name: &Spanned<String>) -> Option<PathBuf> {
        let path = self.source.simplified(&self.dir.join(&name.value));
        let hash = || -> std::io::Result<String> {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(self.source.file(&path).open()?)?;
            Ok(hasher.finalize().to_hex().to_string())
        };
        let problem = match hash() {
            Ok(blake3) => {
                let known = self.inputs.iter().any(|i| i.path == name.value);
                if !known {
                    self.inputs.push(ScenarioInputFile { path: name.value.clone(), blake3 });
                }
                return Some(path);
            }
            Err(_) if self.source.is_folder(&path) => {
                let help =
                    files_in(self.source, &path).map(|files| format!("name a file in it: {files}"));
                let message = format!("`{}` is a folder", name.value);
                self.mistakes.push(
                    Diagnostic::new("missing-file", name.span.clone(), message)
                        .label("a file is expected here")
                        .help(help),
                );
                return None;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                format!("there is no file `{}`", name.value)
            }
            Err(error) => format!("`{}` cannot be read: {error}", name.value),
        };
        let neighbours = path.parent().map(|dir| self.source.names_in(dir, false));
        let neighbours = neighbours.into_iter().flatten();
        let mut files: Vec<String> =
            neighbours.filter_map(|name| name.into_string().ok()).collect();
        files.sort();
        let wanted = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let help = suggest(wanted, files.iter().map(String::as_str));
        self.mistakes.push(
            Diagnostic::new("missing-file", name.span.clone(), problem)
                .label(format!("looked for {}", path.display()))
                .help(help),
        );
        None
    }

    /// The delimiter as written. Reports one that is given for a file of JSON lines.
    fn delimiter(&mut self, path: &Path, given: Option<&Spanned<Delimiter>>) -> Option<Delimiter> {
        let given = given?;
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jsonl")) {
            let message = "a file of JSON lines has no `delimiter`";
            self.mistakes.push(
                Diagnostic::new("setting-unused", given.span.clone(), message)
                    .label("it is for .csv and .tsv files"),
            );
        }
        Some(given.value)
    }

    /// Reports the error of reading a data file, which may stand for several mistakes in it.
    pub fn read_data<T>(&mut self, name: &Spanned<String>, result: anyhow::Result<T>) -> Option<T> {
        result
            .map_err(|error| {
                let message = format!("`{}` cannot be used", name.value);
                let count = error.downcast_ref().map_or(1, FileMistakes::reported_count);
                let mistake = if count > 1 { "the mistakes are" } else { "the mistake is" };
                self.mistakes.push(
                    Diagnostic::new("bad-data", name.span.clone(), message)
                        .label(format!("{mistake} inside this file"))
                        .note(format!("{error:#}"))
                        .with_count(count),
                );
            })
            .ok()
    }

    /// Reads all data files: corpora, tables and tasks.
    fn load_data(&mut self, file: &ScenarioFile) -> ScenarioData {
        let corpus_names = self.section_keys("corpora");
        let mut corpora: Vec<Option<Corpus>> = corpus_names.iter().map(|_| None).collect();
        let entries = file.corpora.iter().flat_map(|named| &named.0);
        for (name, entry) in entries {
            let Some(path) = self.data_file(&entry.passages) else {
                continue;
            };
            let delimiter = self.delimiter(&path, entry.delimiter.as_ref());
            let corpus = Corpus::read_with_progress(
                &name.value,
                self.source.file(&path),
                delimiter,
                self.progress,
            );
            let corpus = self.read_data(&entry.passages, corpus);
            if let Some(corpus) = &corpus {
                self.note_spelling_variants(corpus);
                self.note_empty_passages(corpus);
            }
            if let Some(i) = corpus_names.iter().position(|n| *n == name.value) {
                corpora[i] = corpus;
            }
        }
        self.check_not_empty("corpora", "corpus", file.corpora.as_ref().map(|n| n.0.is_empty()));
        let table_names = self.section_keys("tables");
        let mut tables: Vec<Option<LookupTable>> = table_names.iter().map(|_| None).collect();
        for (name, entry) in &file.tables.0 {
            let columns = self.declared_types("columns", &entry.columns, false);
            let (Some(path), Some(columns)) = (self.data_file(&entry.file), columns) else {
                continue;
            };
            let key = &entry.key.value;
            let delimiter = entry.delimiter.as_ref().map(|at| at.value);
            let table = LookupTable::read_with_progress(
                &name.value,
                self.source.file(&path),
                key,
                &columns,
                delimiter,
                self.progress,
            );
            let table = self.read_data(&entry.file, table);
            if let Some(i) = table_names.iter().position(|n| *n == name.value) {
                tables[i] = table;
            }
        }
        let mut world = ScenarioData {
            indices: corpora.iter().map(|_| OnceCell::new()).collect(),
            corpora,
            corpus_names,
            tables,
            table_names,
            tasks: None,
            tasks_path: PathBuf::new(),
            fields: None,
            unit: None,
        };
        let Some(entry) = &file.tasks else {
            return world;
        };
        // If a field has a wrong type it was removed, so the list of fields is incomplete.
        let spoilt = self.tree.get("tasks").is_some_and(|tasks| self.has_mistake_in(&tasks.span));
        let fields = self.declared_types("tasks.fields", &entry.fields, true);
        let path = self.data_file(&entry.file);
        if let (Some(path), Some(fields), false) = (path, &fields, spoilt) {
            let columns = expected::columns(file);
            // Expected values are read as text: their type depends on the step, which is resolved later.
            let mut read = fields.clone();
            for column in &columns {
                read.entry((*column).to_owned()).or_insert(ValueType::Text);
            }
            let delimiter = self.delimiter(&path, entry.delimiter.as_ref());
            let tasks = TaskSet::read_with_progress(
                self.source.file(&path),
                &read,
                delimiter,
                self.progress,
            );
            world.tasks = self.read_data(&entry.file, tasks);
            for task in world.tasks.iter_mut().flat_map(|tasks| &mut tasks.tasks) {
                for column in &columns {
                    let said = task.fields.get(*column).map(ToString::to_string);
                    task.expected.extend(said.map(|said| ((*column).to_owned(), said)));
                }
                // Expected columns that are not declared as fields are hidden from expressions.
                task.fields.retain(|field, _| fields.contains_key(field));
            }
            world.tasks_path = path;
        }
        if let (Some(unit), Some(fields), false) = (&entry.unit, &fields, spoilt) {
            if !fields.contains_key(&unit.value) {
                let names: Vec<&str> = fields.keys().map(String::as_str).collect();
                // The same message as for an unknown field in an expression, so that a renamed field is reported once.
                let message = format!("a task has no field `{}`", unit.value);
                self.mistakes.push(
                    Diagnostic::new("unknown-field", unit.span.clone(), message)
                        .label(format!("a task has {}", names.join(", ")))
                        .help(suggest(&unit.value, names.iter().copied())),
                );
            }
            world.unit = Some(unit.value.clone());
        }
        world.fields = fields.filter(|_| !spoilt);
        world
    }

    /// Notes passages that no search can find by their text.
    fn note_empty_passages(&mut self, corpus: &Corpus) {
        let mut empty = corpus.passages.iter().filter(|passage| passage.text.trim().is_empty());
        let Some(first) = empty.next() else { return };
        let (name, first, count) = (&corpus.name, &first.id, empty.count() + 1);
        self.notes.push(match count {
            1 => format!("`{name}` has a passage without a text: '{first}'"),
            count => {
                format!("`{name}` has {count} passages without a text, the first is '{first}'")
            }
        });
    }

    /// Reports a section that is present but empty.
    pub fn check_not_empty(&mut self, section: &str, kind: &str, empty: Option<bool>) {
        let Some(node) = self.tree.get(section) else {
            return;
        };
        if empty == Some(true) && node.entries().is_empty() && node.items().is_empty() {
            let span = node.head();
            self.mistakes.push(
                Diagnostic::new("empty-value", span, format!("`{section}` is empty"))
                    .label(format!("at least one {kind} is expected here")),
            );
        }
    }

    /// The declared types by name; task fields must be usable in expressions.
    fn declared_types(
        &mut self,
        what: &str,
        types: &NamedEntries<ValueType>,
        in_expressions: bool,
    ) -> Option<BTreeMap<String, ValueType>> {
        let before = self.mistakes.len();
        for (name, _) in &types.0 {
            if in_expressions {
                self.check_identifier("field", name);
            }
            if in_expressions && ["id", "weight", "gold"].contains(&name.value.as_str()) {
                let message = format!("`{}` cannot be among {what}", name.value);
                let label = "the columns id, weight and gold.STEP are reserved";
                self.mistakes
                    .push(Diagnostic::new("bad-name", name.span.clone(), message).label(label));
            }
        }
        (self.mistakes.len() == before)
            .then(|| types.0.iter().map(|(name, ty)| (name.value.clone(), *ty)).collect())
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

    /// Resolves the section `simulation`.
    fn simulation(&mut self, entry: &file::SimulationEntry) -> SimulationSettings {
        if let Some(trials) = &entry.trials {
            let count = Spanned { value: f64::from(trials.value), span: trials.span.clone() };
            self.check_range("trials", &count, 1.0, 1e6);
        }
        if let Some(cap) = entry.max_states.as_ref().filter(|cap| cap.value == 0) {
            let message = "`max_states` cannot be 0";
            self.mistakes.push(
                Diagnostic::new("out-of-range", cap.span.clone(), message)
                    .label("allowed: 1 or more"),
            );
        }
        let default = SimulationSettings::default();
        SimulationSettings {
            method: match entry.method {
                None => default.method,
                Some(file::InferenceMethodEntry::Auto) => InferenceMethod::Auto,
                Some(file::InferenceMethodEntry::Exact) => InferenceMethod::Exact,
                Some(file::InferenceMethodEntry::MonteCarlo) => InferenceMethod::MonteCarlo,
            },
            seed: entry.seed.unwrap_or(default.seed),
            trials: entry.trials.as_ref().map_or(default.trials, |t| t.value),
            max_states: entry
                .max_states
                .as_ref()
                .map_or(default.max_states, |m| usize::try_from(m.value).unwrap_or(usize::MAX)),
        }
    }
}

/// The distinct texts in a list.
pub(super) fn text_set(names: &[Spanned<String>]) -> BTreeSet<String> {
    names.iter().map(|name| name.value.clone()).collect()
}
