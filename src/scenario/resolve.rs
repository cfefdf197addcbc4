//! What is known while a scenario file is resolved: the state that all sections share, and the data that steps work on.
//! The sections are resolved by methods of [`ScenarioResolver`] in the sibling modules.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::combined_amounts::CombinedAmounts;
use super::diagnostics::Diagnostic;
use super::field_extraction::FieldExtraction;
use super::named_files::ScenarioInputFile;
use super::node::YamlNode;
use super::spanned_de::Spanned;
use crate::expr::CorpusIndex;
use crate::input_file::InputSource;
use crate::progress::ProgressListener;
use crate::value::ValueType;
use crate::world::{Corpus, LookupTable, TaskSet};

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
    /// Corpora and tables, before the tasks are read.
    pub fn new(
        corpora: Vec<Option<Corpus>>,
        corpus_names: Vec<String>,
        tables: Vec<Option<LookupTable>>,
        table_names: Vec<String>,
    ) -> ScenarioData {
        ScenarioData {
            // Built on first use, since an index takes long for a large corpus and many scenarios never look into it here.
            indices: corpora.iter().map(|_| OnceCell::new()).collect(),
            corpora,
            corpus_names,
            tables,
            table_names,
            tasks: None,
            tasks_path: PathBuf::new(),
            fields: None,
            unit: None,
        }
    }

    /// A corpus with its index, by name; `None` if it could not be read.
    pub fn corpus(&self, name: &str) -> Option<(&Corpus, &CorpusIndex)> {
        let at = self.corpus_names.iter().position(|known| known == name)?;
        let corpus = self.corpora[at].as_ref()?;
        Some((corpus, self.indices[at].get_or_init(|| CorpusIndex::new(corpus))))
    }
}

/// The distinct texts in a list.
pub(super) fn text_set(names: &[Spanned<String>]) -> BTreeSet<String> {
    names.iter().map(|name| name.value.clone()).collect()
}
