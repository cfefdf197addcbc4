//! Reads the data files that a scenario names: corpora, tables and tasks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::diagnostics::Diagnostic;
use super::expected;
use super::file::{ScenarioFile, TasksEntry};
use super::named_files::ScenarioInputFile;
use super::resolve::{ScenarioData, ScenarioResolver};
use super::spanned_de::{NamedEntries, Spanned};
use crate::expr::suggest;
use crate::input_file::InputSource;
use crate::value::ValueType;
use crate::world::{Corpus, Delimiter, FileMistakes, LookupTable, TaskSet};

impl ScenarioResolver<'_> {
    /// Reads all data files: corpora, tables and tasks.
    pub fn load_data(&mut self, file: &ScenarioFile) -> ScenarioData {
        let corpus_names = self.section_keys("corpora");
        let corpora = self.load_corpora(file, &corpus_names);
        self.check_not_empty("corpora", "corpus", file.corpora.as_ref().map(|n| n.0.is_empty()));
        let table_names = self.section_keys("tables");
        let tables = self.load_tables(file, &table_names);
        let mut world = ScenarioData::new(corpora, corpus_names, tables, table_names);
        if let Some(entry) = &file.tasks {
            self.load_tasks(file, entry, &mut world);
        }
        world
    }

    /// The corpora in the order of `names`, which include those of entries that were removed.
    fn load_corpora(&mut self, file: &ScenarioFile, names: &[String]) -> Vec<Option<Corpus>> {
        let mut corpora: Vec<Option<Corpus>> = names.iter().map(|_| None).collect();
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
            if let Some(i) = names.iter().position(|n| *n == name.value) {
                corpora[i] = corpus;
            }
        }
        corpora
    }

    /// The tables in the order of `names`, which include those of entries that were removed.
    fn load_tables(&mut self, file: &ScenarioFile, names: &[String]) -> Vec<Option<LookupTable>> {
        let mut tables: Vec<Option<LookupTable>> = names.iter().map(|_| None).collect();
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
            if let Some(i) = names.iter().position(|n| *n == name.value) {
                tables[i] = table;
            }
        }
        tables
    }

    /// Reads the tasks into `world`, with their declared fields and expected values.
    fn load_tasks(&mut self, file: &ScenarioFile, entry: &TasksEntry, world: &mut ScenarioData) {
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
                    let expected = task.fields.get(*column).map(ToString::to_string);
                    task.expected.extend(expected.map(|text| ((*column).to_owned(), text)));
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
        // A misspelt name usually has its file in the same folder.
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
