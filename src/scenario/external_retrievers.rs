//! Resolves embedders that run outside the process: TREC run files, search services and embedding endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::diagnostics::Diagnostic;
use super::file::{self, EmbedderEntry};
use super::resolve::{ScenarioData, ScenarioResolver};
use super::spanned_de::Spanned;
use super::{EmbedderKind, HttpSearchSettings, QidMapping, RunFileSettings};
use serde_json::Value as Json;

use super::embedders::MAX_DIMENSION;
use crate::embed::http::{RESERVED_BODY_KEYS, RESERVED_HEADERS, RequestAdditions, SuppliedValue};
use crate::embed::{self, HttpEmbedderSpec};
use crate::expr::suggest;
use crate::http_client;
use crate::input_file::{self, numbered_lines};
use crate::retrieve::{HTTP_DEPTH, TrecRun};
use crate::world::FileMistakes;

/// The maximum number of unknown passages of a run that are listed.
const MAX_LISTED_PASSAGES: usize = 5;

/// The default timeout of a request to a search service or database.
pub(super) const DEFAULT_TIMEOUT_SECONDS: f64 = 30.0;
/// The default number of retries of a search request.
const DEFAULT_RETRIES: u32 = 3;
/// The default number of concurrent search requests.
const DEFAULT_CONCURRENCY: usize = 8;

// Upper limits on texts per request, concurrent requests and retries: more than any service accepts.
const MAX_BATCH_SIZE: u32 = 10_000;
const MAX_CONCURRENCY: u32 = 256;
const MAX_RETRIES: u32 = 100;

impl ScenarioResolver<'_> {
    /// Resolves an embedder of kind `run_file`.
    pub(super) fn run_file(
        &mut self,
        name: &Spanned<String>,
        entry: &EmbedderEntry,
        names: &[String],
        world: &ScenarioData,
    ) -> Option<EmbedderKind> {
        let fallback = entry.fallback.as_ref();
        let known = fallback.map(|at| self.resolve_name("embedder", "unknown-embedder", at, names));
        if let (Some(qid), Some(queries)) = (&entry.qid, &entry.queries) {
            let message = "`qid` and `queries` both say what the qids are";
            self.mistakes.push(
                Diagnostic::new("setting-unused", qid.span.clone(), message)
                    .label("leave out one of them")
                    .also(queries.span.clone(), "the other"),
            );
        }
        let qid = match (&entry.queries, entry.qid.as_ref().map(|at| at.value)) {
            (Some(queries), _) => self.listed_queries(queries).map(QidMapping::Listed),
            (None, Some(file::QidMappingEntry::Task)) => Some(QidMapping::Task),
            (None, Some(file::QidMappingEntry::TaskStep) | None) => Some(QidMapping::TaskStep),
        };
        let Some(file) = &entry.file else {
            let message = format!("the embedder `{}` names no run", name.value);
            let label = "kind run_file needs `file`: a run in TREC's format".to_owned();
            self.report_missing_setting(name.span.clone(), message, label);
            return None;
        };
        let run = self.read_run(file)?;
        self.check_passages_known(file, &run, world);
        // An unknown fallback has been reported; the entry as a whole is then wrong.
        let fallback = match known {
            None => None,
            Some(known) => Some(known?),
        };
        Some(EmbedderKind::RunFile(RunFileSettings {
            file: file.value.clone(),
            run: Arc::new(run),
            qid: qid?,
            fallback,
        }))
    }

    /// Resolves an embedder of kind `http`.
    pub(super) fn http(
        &mut self,
        name: &Spanned<String>,
        entry: &EmbedderEntry,
    ) -> Option<HttpEmbedderSpec> {
        let needed = [
            ("url", entry.url.is_some(), "the endpoint's address"),
            ("model", entry.model.is_some(), "as the endpoint calls it"),
            ("dim", entry.dim.is_some(), "how many numbers its vectors hold"),
        ];
        for (setting, _, what) in needed.into_iter().filter(|(_, given, _)| !given) {
            let message = format!("the embedder `{}` has no `{setting}`", name.value);
            self.report_missing_setting(
                name.span.clone(),
                message,
                format!("kind http needs `{setting}`: {what}"),
            );
        }
        let url = entry.url.as_ref()?;
        if let Err(error) = embed::http::embeddings_url(&url.value) {
            let mistake = Diagnostic::new("bad-url", url.span.clone(), format!("{error:#}"));
            self.mistakes.push(mistake.label("such as https://api.openai.com/v1"));
        }
        let dim = self.count_to("dim", &entry.dim, 1, MAX_DIMENSION);
        let additions = self.request_additions(entry);
        let model = entry.model.as_ref()?;
        let mut spec =
            HttpEmbedderSpec::new(&url.value, &model.value, entry.dim.as_ref().map(|_| dim)?);
        if let Some(timeout) = &entry.timeout {
            self.check_range("timeout", timeout, 0.1, 86_400.0);
            spec.timeout = Duration::try_from_secs_f64(timeout.value).ok()?;
        }
        let text =
            |at: &Option<Spanned<String>>| at.as_ref().map_or(String::new(), |at| at.value.clone());
        spec.batch_size =
            self.count_to("batch_size", &entry.batch_size, spec.batch_size, MAX_BATCH_SIZE);
        spec.concurrency =
            self.count_to("concurrency", &entry.concurrency, spec.concurrency, MAX_CONCURRENCY);
        spec.retries = self.request_retries(entry, spec.retries);
        spec.api_key_env = self.variable_name("api_key_env", &entry.api_key_env);
        spec.send_dim = entry.send_dim.as_ref().is_some_and(|at| at.value);
        spec.query_prefix = text(&entry.query_prefix);
        spec.passage_prefix = text(&entry.passage_prefix);
        [spec.headers, spec.body, spec.query_body, spec.passage_body] = additions;
        Some(spec)
    }

    /// The name of an environment variable. Anything else is a mistake that is not quoted: it may be the key itself.
    pub(super) fn variable_name(
        &mut self,
        setting: &str,
        written: &Option<Spanned<String>>,
    ) -> Option<String> {
        let written = written.as_ref()?;
        if http_client::is_variable_name(&written.value) {
            return Some(written.value.clone());
        }
        let message = format!("`{setting}` holds {}", http_client::NO_VARIABLE_NAME);
        let mistake = Diagnostic::new("out-of-range", written.span.clone(), message);
        self.mistakes.push(mistake.label("allowed: the name of the variable, as in MY_KEY"));
        None
    }

    /// The number of retries as written, or the default.
    fn request_retries(&mut self, entry: &EmbedderEntry, default: u32) -> u32 {
        let Some(retries) = &entry.retries else { return default };
        let number = Spanned { value: f64::from(retries.value), span: retries.span.clone() };
        self.check_range("retries", &number, 0.0, f64::from(MAX_RETRIES));
        retries.value
    }

    /// What is added to requests: headers, then keys of all bodies, of bodies with queries, of bodies with passages.
    fn request_additions(&mut self, entry: &EmbedderEntry) -> [RequestAdditions; 4] {
        let named = [
            ("headers", &entry.headers),
            ("body", &entry.body),
            ("query_body", &entry.query_body),
            ("passage_body", &entry.passage_body),
        ];
        named.map(|(setting, named)| {
            let entries = named.as_ref().map_or(&[][..], |named| &named.value.0);
            let added = entries.iter().filter_map(|(name, value)| {
                let supplied = match SuppliedValue::parse(&value.0) {
                    Ok(supplied) => supplied,
                    Err(why) => {
                        let message = format!("`{}` of `{setting}`: {why}", name.value);
                        let label = "allowed: {env: NAME} alone, for what the variable NAME holds";
                        let mistake = Diagnostic::new("out-of-range", name.span.clone(), message);
                        self.mistakes.push(mistake.label(label));
                        return None;
                    }
                };
                if let Some(mistake) = self.addition_mistake(setting, name, &supplied, entry) {
                    self.mistakes.push(mistake);
                    return None;
                }
                // Header names are case-insensitive; keys of a body are not.
                let name = match setting {
                    "headers" => name.value.to_lowercase(),
                    _ => name.value.clone(),
                };
                Some((name, supplied))
            });
            added.collect()
        })
    }

    /// The mistake in a header or body key, if there is one.
    fn addition_mistake(
        &self,
        setting: &str,
        name: &Spanned<String>,
        supplied: &SuppliedValue,
        entry: &EmbedderEntry,
    ) -> Option<Diagnostic> {
        let wrong = |message: String, label: &str| {
            let mistake = Diagnostic::new("out-of-range", name.span.clone(), message);
            Some(mistake.label(label.to_owned()))
        };
        let called = name.value.as_str();
        if setting != "headers" {
            return match RESERVED_BODY_KEYS.contains(&called) {
                true => wrong(
                    format!("`{called}` of the body is not set in `{setting}`"),
                    "it follows from the texts, `model`, and `send_dim` with `dim`",
                ),
                false => None,
            };
        }
        let header = called.to_lowercase();
        if RESERVED_HEADERS.contains(&header.as_str()) {
            return wrong(
                format!("the header `{called}` follows from the request"),
                "leave it out",
            );
        }
        if header == "authorization" && entry.api_key_env.is_some() {
            return wrong(
                "`api_key_env` sets the header `authorization` already".to_owned(),
                "leave out one of them",
            );
        }
        let text = match supplied {
            SuppliedValue::Variable(_) => String::new(),
            SuppliedValue::Written(Json::String(text)) => text.clone(),
            SuppliedValue::Written(number @ Json::Number(_)) => number.to_string(),
            SuppliedValue::Written(_) => {
                return wrong(
                    format!("the header `{called}` has no text"),
                    "allowed: a text, or {env: NAME} for what an environment variable holds",
                );
            }
        };
        // The HTTP library decides which header names and values are valid.
        match http_client::headers(&[(called.to_owned(), text)], None) {
            Ok(_) => None,
            Err(error) => {
                wrong(error.to_string(), "allowed: letters, digits and hyphens; plain text")
            }
        }
    }

    /// Reads a run in TREC's format.
    fn read_run(&mut self, file: &Spanned<String>) -> Option<TrecRun> {
        let path = self.data_file(file)?;
        let text = self.read_data(file, input_file::read_text(&path))?;
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
        let listed = input_file::read_text(&path).and_then(|text| {
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

    /// Resolves an embedder of kind `http_search`.
    pub(super) fn http_search(
        &mut self,
        name: &Spanned<String>,
        entry: &EmbedderEntry,
    ) -> Option<EmbedderKind> {
        let depth = self.count("depth", &entry.depth, HTTP_DEPTH);
        let concurrency =
            self.count_to("concurrency", &entry.concurrency, DEFAULT_CONCURRENCY, MAX_CONCURRENCY);
        let seconds = self.number("timeout", &entry.timeout, DEFAULT_TIMEOUT_SECONDS, 3600.0);
        // `number` allows 0, which would fail every request.
        if let Some(timeout) = entry.timeout.as_ref().filter(|at| at.value == 0.0) {
            let message = "`timeout` cannot be 0";
            self.mistakes.push(
                Diagnostic::new("out-of-range", timeout.span.clone(), message)
                    .label("allowed: above 0, up to 3600"),
            );
        }
        let Some(url) = &entry.url else {
            let message = format!("the embedder `{}` has no address", name.value);
            let label = "kind http_search needs `url`: where queries are posted to".to_owned();
            self.report_missing_setting(name.span.clone(), message, label);
            return None;
        };
        let url = match http_client::parse_address(&url.value) {
            Ok(url) => url,
            Err(error) => {
                let mistake = Diagnostic::new("bad-url", url.span.clone(), format!("{error:#}"));
                self.mistakes.push(mistake.label("allowed: http://HOST/PATH or https://HOST/PATH"));
                return None;
            }
        };
        Some(EmbedderKind::HttpSearch(HttpSearchSettings {
            url,
            depth,
            timeout: Duration::try_from_secs_f64(seconds).ok()?,
            retries: self.request_retries(entry, DEFAULT_RETRIES),
            concurrency,
            api_key_env: self.variable_name("api_key_env", &entry.api_key_env),
            index: entry.index.as_ref().map(|at| at.value.clone()).unwrap_or_default(),
        }))
    }
}
