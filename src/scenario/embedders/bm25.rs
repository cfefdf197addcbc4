//! The kind `bm25`: ranks by word statistics.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::definition::{EmbedderEntryContext, EmbedderSettings};
use super::host::{EmbedderHost, NoteTopic, OpenedEmbedders};
use super::kind::{EmbedderKind, TextIndexer};
use super::sources::FROM_SCENARIO;
use crate::retrieve::{
    Analyzer, Bm25Params, Bm25Retriever, Retriever, StemmerLanguage, StopWordList,
};
use crate::scenario::resolve::ScenarioResolver;
use crate::scenario::spanned_de::Spanned;
use crate::scenario::{ParameterProvenance, Scenario};

/// Scores words.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Bm25Entry {
    /// Term-frequency saturation; the higher, the more repeats of a word count. Default: 0.9.
    k1: Option<Spanned<f64>>,
    /// Length normalisation, from 0 (none) to 1 (full). Default: 0.4.
    b: Option<Spanned<f64>>,
    /// How a text is split into words. Default: as in Lucene's EnglishAnalyzer, except that `no` and `not` count.
    analyzer: Option<Spanned<AnalyzerEntry>>,
}

/// How a text is split into words.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AnalyzerEntry {
    /// The language whose word endings are removed, so that `renew` finds `renewals`; `none`: no stemming. Default:
    /// english.
    stem: Option<StemmerLanguage>,
    /// Words that are ignored: `lucene`, the 33 of its EnglishAnalyzer; `english`, the same without `no` and `not`; or
    /// `none`. Default: english.
    stop_words: Option<StopWordList>,
    /// Whether upper and lower case count as the same. Default: true.
    lowercase: Option<bool>,
    /// Whether letters with and without accents count as the same. Default: false.
    fold: Option<bool>,
}

impl EmbedderSettings for Bm25Entry {
    fn resolve(
        &self,
        _: &EmbedderEntryContext,
        resolver: &mut ScenarioResolver,
    ) -> Option<Arc<dyn EmbedderKind>> {
        let default = Bm25Params::default();
        let given = self.analyzer.as_ref().map(|at| at.value.clone()).unwrap_or_default();
        Some(Arc::new(Bm25Params {
            k1: resolver.number("k1", &self.k1, default.k1, f64::INFINITY),
            b: resolver.number("b", &self.b, default.b, 1.0),
            analyzer: Analyzer {
                stem: given.stem.unwrap_or(default.analyzer.stem),
                stop_words: given.stop_words.unwrap_or(default.analyzer.stop_words),
                lowercase: given.lowercase.unwrap_or(default.analyzer.lowercase),
                fold: given.fold.unwrap_or(default.analyzer.fold),
            },
        }))
    }
}

impl TextIndexer for Bm25Params {
    fn index_texts(&self, texts: &[&str]) -> anyhow::Result<Box<dyn Retriever>> {
        Ok(Box::new(Bm25Retriever::new(texts, *self)?))
    }
}

impl EmbedderKind for Bm25Params {
    fn name(&self) -> &'static str {
        "bm25"
    }

    fn lowest_score(&self) -> Option<f64> {
        Some(0.0)
    }

    fn text_indexer(&self) -> Option<&dyn TextIndexer> {
        Some(self)
    }

    fn check_ready(&self, _: &dyn EmbedderHost) -> anyhow::Result<()> {
        Ok(())
    }

    fn open(&self, host: &dyn EmbedderHost) -> anyhow::Result<Arc<dyn Retriever>> {
        let texts = host.texts();
        let work = host.start("indexing", texts.len());
        let index = Arc::new(Bm25Retriever::index(&texts, *self, &|n| work.advance(n))?);
        let (noted, name) = (index.clone(), host.name().to_owned());
        let corpus = host.corpus().name.clone();
        host.add_notes(
            NoteTopic::UnmatchedWords,
            Box::new(move || noted.unmatched().note(&name, &corpus).into_iter().collect()),
        );
        Ok(index)
    }

    fn identity(&self, _: usize, _: &dyn OpenedEmbedders) -> Option<String> {
        let Bm25Params { k1, b, analyzer } = self;
        let Analyzer { stem, stop_words, lowercase, fold } = analyzer;
        let words = (stem.name(), stop_words.name());
        Some(format!("bm25 1 {k1} {b} {} {} {lowercase} {fold}", words.0, words.1))
    }

    fn is_fully_described(&self) -> bool {
        true
    }

    fn describe(&self, _: &Scenario) -> Json {
        let (tag, source) = if *self == Bm25Params::default() {
            (
                ParameterProvenance::Indicative,
                "the defaults of Anserini (github.com/castorini/anserini)",
            )
        } else {
            (ParameterProvenance::Scenario, FROM_SCENARIO)
        };
        let analyzer = json!({
            "stem": self.analyzer.stem.name(),
            "stop_words": self.analyzer.stop_words.name(),
            "lowercase": self.analyzer.lowercase,
            "fold": self.analyzer.fold,
        });
        json!({"k1": self.k1, "b": self.b, "analyzer": analyzer, "tag": tag, "source": source})
    }
}
