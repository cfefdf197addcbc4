//! Corpora, which are read from JSON Lines or from a table.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::Path;

use super::csv_table;
use super::csv_table::did_you_mean;
use super::data_lines::DataLines;
use super::delimiter::Delimiter;
use super::json_line;
use super::json_numbers;
use super::mistakes::FileMistakes;
use super::passage::Passage;
use super::passage_table;
use super::task::MAX_ID_CHARS;
use crate::extract::ExtractedValue;
use crate::input_file::InputFile;
use crate::progress::{NoProgress, ProgressListener};
use crate::value::{TypedValue, ValueType};
use crate::visible_text::name_problem;

/// The passages of one file, in file order and with distinct ids.
#[derive(Clone, Debug, Default)]
pub struct Corpus {
    pub name: String,
    pub passages: Vec<Passage>,
    /// Field -> for each passage the byte range of its text that states the field, if an extractor read it there.
    pub extracted: BTreeMap<String, Vec<Option<Range<usize>>>>,
    /// Field -> all values that it can have; only for fields whose extractor has a list of them.
    pub choices: BTreeMap<String, Vec<TypedValue>>,
}

impl Corpus {
    /// Reads a `.csv` or `.tsv` file, or else JSON Lines. The error lists every mistake with its line and field, what
    /// was found and what is allowed.
    pub fn read(name: &str, path: &Path) -> anyhow::Result<Corpus> {
        Corpus::read_with_progress(name, path.into(), None, &NoProgress)
    }

    /// Like [`Corpus::read`] with a delimiter for tables, and reports progress.
    pub fn read_with_progress(
        name: &str,
        file: InputFile,
        delimiter: Option<Delimiter>,
        progress: &dyn ProgressListener,
    ) -> anyhow::Result<Corpus> {
        let path = file.path();
        let table = csv_table::is_table(path);
        let mut mistakes =
            if table { FileMistakes::new(path) } else { FileMistakes::for_json_lines(path) };
        let found = match table {
            true => passage_table::read(file, delimiter, progress, &mut mistakes)?,
            false => json_lines(file, progress, &mut mistakes)?,
        };
        let unread = mistakes.count() > 0;
        let mut passages: Vec<Passage> = Vec::with_capacity(found.len());
        let mut numbers: Vec<usize> = Vec::with_capacity(found.len());
        let mut types: BTreeMap<String, (ValueType, usize)> = BTreeMap::new();
        for (number, passage) in found {
            if passage.of.is_some() != passage.variant.is_some() {
                let what = "'of' and 'variant' go together: give both or neither";
                mistakes.add(Some(number), None, what);
            }
            for (field, value) in &passage.facts {
                let ty = value.type_of();
                match types.get(field) {
                    None => _ = types.insert(field.clone(), (ty, number)),
                    Some((known, _)) if *known == ty => {}
                    Some((known, first)) => {
                        let what = format!(
                            "this is a {ty} here and a {known} on line {first}; a field has one type"
                        );
                        mistakes.add(Some(number), Some(&format!("facts.{field}")), what);
                    }
                }
            }
            passages.push(passage);
            numbers.push(number);
        }
        let mut seen: HashMap<&str, usize> = HashMap::with_capacity(passages.len());
        for (passage, &number) in passages.iter().zip(&numbers) {
            if passage.id.is_empty() {
                mistakes.add(Some(number), Some("id"), "the id is empty");
            } else if let Some((what, allowed)) = name_problem(&passage.id, MAX_ID_CHARS) {
                let what = format!("the id {what}; allowed: {allowed}");
                mistakes.add(Some(number), Some("id"), what);
            } else if let Some(first) = seen.get(passage.id.as_str()) {
                let what = format!("the id '{}' is already used on line {first}", passage.id);
                mistakes.add(Some(number), Some("id"), what);
            } else {
                seen.insert(&passage.id, number);
            }
        }
        // A line that could not be read may hold the original that another passage names, so `of` is checked only if
        // all lines were read.
        let whole = if unread { &[][..] } else { &passages[..] };
        for (passage, &number) in whole.iter().zip(&numbers) {
            let Some(original) = passage.of.as_deref() else { continue };
            let what = match seen.get(original) {
                Some(&line) if line == number => {
                    "a passage cannot be a variant of itself".to_owned()
                }
                Some(_) => continue,
                None => {
                    let near = did_you_mean(original, seen.keys().copied());
                    format!("the file has no passage '{original}'{near}")
                }
            };
            mistakes.add(Some(number), Some("of"), what);
        }
        if passages.is_empty() && mistakes.count() == 0 {
            mistakes.add(None, None, "no passage in the file");
        }
        mistakes.into_result()?;
        Ok(Corpus { name: name.to_owned(), passages, ..Corpus::default() })
    }

    /// Adds extracted values to the facts, one per passage. Existing facts are kept.
    pub fn add_extracted(&mut self, field: &str, found: Vec<Option<ExtractedValue>>) {
        let mut ranges = vec![None; self.passages.len()];
        for ((passage, range), found) in self.passages.iter_mut().zip(&mut ranges).zip(found) {
            if let (Some(found), false) = (found, passage.facts.contains_key(field)) {
                passage.facts.insert(field.to_owned(), found.value);
                *range = Some(found.range);
            }
        }
        self.extracted.insert(field.to_owned(), ranges);
    }

    /// The byte range of a passage's text from which an extractor read `field`.
    pub fn extracted_at(&self, field: &str, passage: usize) -> Option<Range<usize>> {
        self.extracted.get(field)?.get(passage)?.clone()
    }

    /// The fields that any passage states, with their types.
    pub fn fields(&self) -> BTreeMap<&str, ValueType> {
        let facts = self.passages.iter().flat_map(|p| &p.facts);
        facts.map(|(field, value)| (field.as_str(), value.type_of())).collect()
    }
}

/// The first text field that was written as a number, with its digits.
fn text_written_as_number(passage: &Passage) -> Option<(String, &str)> {
    let texts = [
        ("id", Some(&passage.id)),
        ("text", Some(&passage.text)),
        ("entity", passage.entity.as_ref()),
        ("attribute", passage.attribute.as_ref()),
        ("of", passage.of.as_ref()),
    ];
    let texts =
        texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?.as_str())));
    let facts = passage.facts.iter().filter_map(|(name, value)| match value {
        TypedValue::Text(text) => Some((format!("facts.{name}"), text.as_str())),
        _ => None,
    });
    texts.chain(facts).find_map(|(name, text)| Some((name, json_numbers::original_digits(text)?)))
}

/// The passages of a JSON Lines file, each with its line.
fn json_lines(
    file: InputFile,
    progress: &dyn ProgressListener,
    mistakes: &mut FileMistakes,
) -> anyhow::Result<Vec<(usize, Passage)>> {
    let mut passages = Vec::new();
    let mut lines = DataLines::open(file, progress)?;
    while let Some((number, line)) = lines.next(mistakes)? {
        let read = &json_numbers::keep_digits(line);
        match serde_json::from_str(read) {
            Ok(passage) => {
                if let Some((field, digits)) = text_written_as_number(&passage) {
                    let what = format!("'{digits}' is not a text; texts must be quoted");
                    mistakes.add(Some(number), Some(&field), what);
                }
                passages.push((number, passage));
            }
            Err(error) => {
                json_line::report_passage_line(number, line, read, &error, mistakes);
                if passages.is_empty() && !json_line::looks_like_object(line) {
                    // The file is of another kind: every line would be reported as a mistake.
                    break;
                }
            }
        }
    }
    Ok(passages)
}
