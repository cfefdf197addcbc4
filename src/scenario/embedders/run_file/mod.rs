//! The kind `run_file`: rankings that another system produced, read from a file.

mod qids;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use anyhow::Context;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::definition::{EmbedderEntryContext, EmbedderSettings};
use super::host::{EmbedderHost, NoteTopic, OpenedEmbedders, RightQuerySource, identity_hash};
use super::kind::{EmbedderKind, OpeningFailure, RankingLimit};
use crate::expr::suggest;
use crate::input_file::numbered_lines;
use crate::retrieve::{Retriever, RunFileQueries, RunFileRetriever, TrecRun};
use crate::scenario::Scenario;
use crate::scenario::diagnostics::Diagnostic;
use crate::scenario::resolve::{MissingRunPolicy, ScenarioData, ScenarioResolver};
use crate::scenario::spanned_de::Spanned;
use crate::world::FileMistakes;

/// The maximum number of unknown passages of a run that are listed.
const MAX_LISTED_PASSAGES: usize = 5;

/// Reads rankings of another system from a file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunFileEntry {
    /// A run in TREC's format (qid Q0 passage rank score tag), relative to this file.
    file: Option<Spanned<String>>,
    /// The form of its qids. `task_step` (default): TASK.STEP, or TASK.STEP.N for the N-th of several queries; `task`:
    /// the task's id alone. Neither has the queries that an upstream error changed.
    qid: Option<Spanned<QidMappingEntry>>,
    /// A file of lines `qid TAB query`; then every query whose text is listed there gets its ranking.
    queries: Option<Spanned<String>>,
    /// The embedder for queries that are not in the run. Default: these find nothing.
    fallback: Option<Spanned<String>>,
}

/// What the qids of a run stand for.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum QidMappingEntry {
    TaskStep,
    Task,
}

/// Rankings that another system produced, read from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFileSettings {
    /// The path as written in the scenario.
    pub file: String,
    pub run: Arc<TrecRun>,
    /// How queries map to the qids of the run.
    pub qid: QidMapping,
    /// The embedder for queries that the run does not have.
    pub fallback: Option<usize>,
}

/// What the qids of a run stand for.
#[derive(Clone, Debug, PartialEq)]
pub enum QidMapping {
    /// `TASK.STEP`, or `TASK.STEP.N` for the N-th of several phrasings.
    TaskStep,
    /// The task's id.
    Task,
    /// The qids of queries that a file lists; values are the query texts.
    Listed(BTreeMap<String, String>),
}

impl QidMapping {
    fn name(&self) -> &'static str {
        match self {
            QidMapping::TaskStep => "task_step",
            QidMapping::Task => "task",
            QidMapping::Listed(_) => "listed",
        }
    }
}

impl EmbedderSettings for RunFileEntry {
    fn referenced(&self) -> Vec<&Spanned<String>> {
        self.fallback.iter().collect()
    }

    fn resolve(
        &self,
        entry: &EmbedderEntryContext,
        resolver: &mut ScenarioResolver,
    ) -> Option<Arc<dyn EmbedderKind>> {
        let known = self.fallback.as_ref().map(|at| resolver.embedder_index(at, entry));
        if let (Some(qid), Some(queries)) = (&self.qid, &self.queries) {
            let message = "`qid` and `queries` both say what the qids are";
            resolver.mistakes.push(
                Diagnostic::new("setting-unused", qid.span.clone(), message)
                    .label("leave out one of them")
                    .also(queries.span.clone(), "the other"),
            );
        }
        let qid = match (&self.queries, self.qid.as_ref().map(|at| at.value)) {
            (Some(queries), _) => resolver.listed_queries(queries).map(QidMapping::Listed),
            (None, Some(QidMappingEntry::Task)) => Some(QidMapping::Task),
            (None, Some(QidMappingEntry::TaskStep) | None) => Some(QidMapping::TaskStep),
        };
        let Some(file) = &self.file else {
            let message = format!("the embedder `{}` names no run", entry.name.value);
            let label = "kind run_file needs `file`: a run in TREC's format";
            resolver.report_missing_setting(entry.name.span.clone(), message, label);
            return None;
        };
        let run = resolver.read_run(file)?;
        resolver.check_passages_known(file, &run, entry.world);
        // An unknown fallback has been reported; the entry as a whole is then wrong.
        let fallback = match known {
            None => None,
            Some(known) => Some(known?),
        };
        let file = file.value.clone();
        Some(Arc::new(RunFileSettings { file, run: Arc::new(run), qid: qid?, fallback }))
    }
}

impl ScenarioResolver<'_> {
    /// Reads a run in TREC's format.
    fn read_run(&mut self, file: &Spanned<String>) -> Option<TrecRun> {
        if self.missing_runs == MissingRunPolicy::Empty {
            let opened = self.source.file(&self.dir.join(&file.value)).open();
            if opened.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
                return Some(TrecRun::default());
            }
        }
        let path = self.data_file(file)?;
        let text = self.read_data(file, self.source.file(&path).read_text())?;
        match TrecRun::parse(&text) {
            Ok(run) => Some(run),
            Err(mistakes) => {
                let message = format!("`{}` cannot be used", file.value);
                let mut mistake = Diagnostic::new("bad-data", file.span.clone(), message)
                    .label("the mistakes are inside this file");
                mistake.notes = mistakes;
                self.mistakes.push(mistake);
                None
            }
        }
    }

    /// Reports passages of the run that no corpus has. Which corpus a passage must be in is only known when a step
    /// searches.
    fn check_passages_known(
        &mut self,
        file: &Spanned<String>,
        run: &TrecRun,
        world: &ScenarioData,
    ) {
        // All passages of a corpus that could not be read would seem unknown.
        let Some(corpora) = world.corpora.iter().map(Option::as_ref).collect::<Option<Vec<_>>>()
        else {
            return;
        };
        let ids = corpora.iter().flat_map(|c| &c.passages).map(|p| p.id.as_str());
        let ids: BTreeSet<&str> = ids.collect();
        let unknown = run.unknown(|passage| ids.contains(passage));
        if unknown.is_empty() {
            return;
        }
        let count = unknown.len();
        let message = match count {
            1 => "the run has a passage that no corpus has".to_owned(),
            count => format!("the run has {count} passages that no corpus has"),
        };
        let mut mistake = Diagnostic::new("bad-data", file.span.clone(), message)
            .label("the mistake is inside this file, or in `corpora`");
        for (line, passage) in unknown.iter().take(MAX_LISTED_PASSAGES) {
            let near = suggest(passage, ids.iter().copied());
            let near = near.map_or_else(String::new, |near| format!("; {near}"));
            mistake = mistake.note(format!("line {line}: `{passage}`{near}"));
        }
        if count > MAX_LISTED_PASSAGES {
            mistake = mistake.note(format!("and {} more", count - MAX_LISTED_PASSAGES));
        }
        self.mistakes.push(mistake);
    }

    /// Reads a file of lines `qid TAB query`.
    fn listed_queries(&mut self, file: &Spanned<String>) -> Option<BTreeMap<String, String>> {
        let path = self.data_file(file)?;
        let listed = self.source.file(&path).read_text().and_then(|text| {
            let mut mistakes = FileMistakes::new(&path);
            let mut listed = BTreeMap::new();
            for (number, line) in numbered_lines(&text).filter(|(_, l)| !l.trim().is_empty()) {
                let Some((qid, query)) = line.split_once('\t') else {
                    mistakes.add(Some(number), None, "no tab; a line is `qid TAB query`");
                    continue;
                };
                let qid = qid.trim().to_owned();
                if listed.contains_key(&qid) {
                    mistakes.add(Some(number), None, format!("the qid '{qid}' is there twice"));
                }
                listed.insert(qid, query.to_owned());
            }
            mistakes.into_result()?;
            Ok(listed)
        });
        self.read_data(file, listed)
    }
}

impl EmbedderKind for RunFileSettings {
    fn name(&self) -> &'static str {
        "run_file"
    }

    fn searched_embedders(&self) -> Vec<usize> {
        self.fallback.into_iter().collect()
    }

    fn lowest_score(&self) -> Option<f64> {
        None
    }

    fn ranking_limit(
        &self,
        scenario: &Scenario,
        corpus: usize,
        queries: &dyn RightQuerySource,
    ) -> anyhow::Result<RankingLimit> {
        let rankings = qids::match_qids(scenario, self, corpus, queries)?.answers;
        Ok(RankingLimit::Recorded { file: self.file.clone(), rankings })
    }

    fn opening_failure(&self) -> OpeningFailure {
        OpeningFailure {
            code: "bad-data",
            key: "file",
            label: "the mistake is inside this file, or in what its qids stand for",
            // The run is matched with the queries of the oracle.
            needs_oracle: true,
        }
    }

    fn check_ready(&self, host: &dyn EmbedderHost) -> anyhow::Result<()> {
        qids::match_qids(host.scenario(), self, host.corpus_index(), host.queries())
            .map(drop)
            .with_context(|| host.about())
    }

    fn open(&self, host: &dyn EmbedderHost) -> anyhow::Result<Arc<dyn Retriever>> {
        let mut matched =
            qids::match_qids(host.scenario(), self, host.corpus_index(), host.queries())
                .with_context(|| host.about())?;
        let fallback = self.fallback.map(|fallback| host.open_part(fallback)).transpose()?;
        let asked = Arc::<RunFileQueries>::default();
        let answers = std::mem::take(&mut matched.answers);
        let (noted, name, file) = (asked.clone(), host.name().to_owned(), self.clone());
        let fallback_name = self.fallback.map(|at| host.scenario().embedders[at].name.clone());
        host.add_notes(
            NoteTopic::UnrecordedQueries,
            Box::new(move || matched.notes(&name, &file, fallback_name.as_deref(), &noted)),
        );
        let passages = host.corpus().passages.len();
        Ok(Arc::new(RunFileRetriever::new(answers, passages, fallback, asked)))
    }

    fn identity(&self, _: usize, opened: &dyn OpenedEmbedders) -> Option<String> {
        let mut content = format!("run_file 2 {}", self.qid.name());
        if let QidMapping::Listed(queries) = &self.qid {
            let _ = write!(content, " {queries:?}");
        }
        for (qid, entries) in &self.run.queries {
            let _ = write!(content, " {qid:?}");
            for entry in entries {
                let _ = write!(content, " {:?} {}", entry.passage, entry.score);
            }
        }
        if let Some(fallback) = self.fallback {
            let _ = write!(content, " or {}", opened.identity(fallback)?);
        }
        Some(identity_hash(&content))
    }

    fn describe(&self, scenario: &Scenario) -> Json {
        json!({
            "file": self.file,
            "qid": self.qid.name(),
            "fallback": self.fallback.map(|fallback| &scenario.embedders[fallback].name),
        })
    }
}
