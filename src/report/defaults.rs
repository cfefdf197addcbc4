//! Writes the guide's page of defaults (docs/src/defaults.md): every value that a scenario may leave out, with its
//! source.
//!
//! The values are read from the constants that the code uses; a test compares the committed page with this output.

use std::fmt::Write;

use crate::cascade::{cut_sets, failure_paths};
use crate::compile::intervention_runs;
use crate::embed::Penalty;
use crate::retrieve::pgvector::PG_DEPTH;
use crate::retrieve::{Bm25Params, FUSION_DEPTH, HTTP_DEPTH, RERANK_DEPTH, RRF_K};
use crate::run::sensitivity::{MAX_FOLLOW, ODDS_DRAWS, range_factor};
use crate::scenario::{
    DEFAULT_BASE_SAMPLES, DEFAULT_MAX_COMBINATIONS, DEFAULT_PRESET, DEFAULT_TOP_K, DEFAULT_YEARS,
    ParameterProvenance, READER_PRESETS, SimulationSettings, SourcedParameter, guard_defaults,
};
use crate::step::reader::{MAX_POOL, MIN_POOL, ReaderModel};
use crate::{number_words, stats};

const HEAD: &str = "# Every default, with its source

`knockon defaults` writes this page. A setting that a scenario omits has the value below; one that it contains is tagged
`scenario` in `manifest.json`, which lists the values that each run used.

| tag | meaning |
|---|---|
| cited | from a table or an abstract that was read |
| indicative | from a secondary source, or derived from a cited figure as the source says |
| assumed | ours: the source says why, and you may know better |
";

/// The page as Markdown.
///
/// # Errors
/// A reader preset that cannot be built.
pub fn page() -> anyhow::Result<String> {
    let mut page = HEAD.to_owned();
    reader(&mut page)?;
    guards(&mut page);
    retrieval(&mut page);
    solving(&mut page);
    Ok(page)
}

fn reader(page: &mut String) -> anyhow::Result<()> {
    let head = "
## The reader

`reader: {preset: NAME}`; the preset is PRESET unless said otherwise, and each parameter can be set beside it. What they mean:
[The model and its limits](model.md#the-reader).
";
    page.push_str(&head.replace("PRESET", DEFAULT_PRESET));
    // Each preset is resolved as for a run, so that derived parameters appear with the values that are used.
    for preset in READER_PRESETS {
        let reader = ReaderModel::new(preset, &Default::default())?;
        let _ = write!(page, "\n### {preset}\n\n");
        table(page, &reader.listed_parameters());
    }
    let pool = format!(
        "\nA value that is misread or made up is one of at most {} that the corpus states for the field, at even steps of \
         its sorted distinct values, each as likely as it is frequent there; where it states fewer than {}, values near \
         them fill up to that many, each as likely as a value that one passage states. A yes/no is either, as likely. \
         The right value is left out (assumed).\n",
        number_words::to_words(MAX_POOL as u32),
        number_words::to_words(MIN_POOL as u32)
    );
    page.push_str(&pool);
    Ok(())
}

fn guards(page: &mut String) {
    page.push_str(
        "\n## Guards and people\n\nIn US dollars and seconds per check, or per escalation.\n",
    );
    for (heading, parameters) in guard_defaults() {
        let _ = write!(page, "\n### {heading}\n\n");
        table(page, &parameters);
    }
}

fn retrieval(page: &mut String) {
    let (bm25, penalty) = (Bm25Params::default(), Penalty::default());
    let rows: [(&str, String, &str, &str); 15] = [
        ("`top_k`", DEFAULT_TOP_K.to_string(), "assumed", "passages passed on"),
        (
            "bm25 `k1`",
            bm25.k1.to_string(),
            "indicative",
            "Anserini's default (github.com/castorini/anserini)",
        ),
        ("bm25 `b`", bm25.b.to_string(), "indicative", "the same"),
        (
            "bm25 `analyzer.stem`",
            bm25.analyzer.stem.name().to_owned(),
            "cited",
            "Lucene's EnglishAnalyzer, Anserini's default: Porter's stemmer, here its later version Porter2",
        ),
        (
            "bm25 `analyzer.stop_words`",
            bm25.analyzer.stop_words.name().to_owned(),
            "cited",
            "EnglishAnalyzer.ENGLISH_STOP_WORDS_SET of Lucene, 33 words, without `no` and `not`",
        ),
        (
            "bm25 `analyzer.lowercase`",
            bm25.analyzer.lowercase.to_string(),
            "cited",
            "EnglishAnalyzer",
        ),
        ("bm25 `analyzer.fold`", bm25.analyzer.fold.to_string(), "cited", "EnglishAnalyzer"),
        ("fusion `k`", RRF_K.to_string(), "cited", "Cormack, Clarke and Büttcher, SIGIR 2009"),
        ("fusion `depth`", FUSION_DEPTH.to_string(), "assumed", "of each part"),
        ("rerank `depth`", RERANK_DEPTH.to_string(), "assumed", "passages reranked"),
        ("similarity_map `above`", penalty.above.to_string(), "cited", "arXiv 2604.16351"),
        ("similarity_map `weight`", penalty.weight.to_string(), "cited", "the same"),
        ("http_search `depth`", HTTP_DEPTH.to_string(), "assumed", "passages asked for"),
        ("pgvector `depth`", PG_DEPTH.to_string(), "assumed", "passages asked for"),
        ("`weight` of a phrasing", "1".to_owned(), "assumed", "all phrasings are equally likely"),
    ];
    page.push_str("\n## Retrieval\n\n");
    settings(page, &rows);
}

fn solving(page: &mut String) {
    let simulation = SimulationSettings::default();
    let level = format!("{}%", 100.0 * stats::LEVEL);
    let rows: [(&str, String, &str, &str); 15] = [
        (
            "`simulation.method`",
            "auto".to_owned(),
            "assumed",
            "exact up to `max_states`, sampled beyond",
        ),
        ("`simulation.seed`", simulation.seed.to_string(), "assumed", "any number will do"),
        (
            "`simulation.trials`",
            simulation.trials.to_string(),
            "assumed",
            "a standard error of at most half a point a task",
        ),
        (
            "`simulation.max_states`",
            simulation.max_states.to_string(),
            "assumed",
            "joint states in the largest layer",
        ),
        ("`impact.years`", DEFAULT_YEARS.to_string(), "assumed", "sampled years for VaR and CVaR"),
        (
            "`plan.most`",
            DEFAULT_MAX_COMBINATIONS.to_string(),
            "assumed",
            "up to this many combinations all are run; above that, the best candidate is added one at a time",
        ),
        (
            "`sensitivity.base_samples`",
            DEFAULT_BASE_SAMPLES.to_string(),
            "assumed",
            "the number of points is this times (assumptions + 2)",
        ),
        (
            "default range of an assumption",
            ParameterProvenance::ALL
                .map(|tag| format!("{} {}", tag.name(), range_factor(tag)))
                .join(", "),
            "assumed",
            "the factor by which odds or amounts are divided and multiplied, depending on the tag of the figure",
        ),
        (
            "upper end of the range of a preset's `follow`",
            MAX_FOLLOW.to_string(),
            "assumed",
            "the figure is a lower bound for private contracts",
        ),
        (
            "draws of readers and guards",
            ODDS_DRAWS.to_string(),
            "assumed",
            "among which the sampled years are divided; the manifest and the page list them",
        ),
        ("level of intervals", level, "assumed", "the usual one"),
        (
            "bootstrap samples",
            stats::SAMPLES.to_string(),
            "assumed",
            "for the probability that an arm is the best",
        ),
        (
            "trials with interventions past the cap",
            intervention_runs::WHAT_IF_TRIALS.to_string(),
            "assumed",
            "for \"what if\" on sampled tasks; fewer, and 50 at least, where steps and tasks are so many that their runs would fill the memory",
        ),
        ("cut sets up to", cut_sets::MAX_ORDER.to_string(), "assumed", "errors in a set"),
        (
            "rarest path listed separately",
            failure_paths::MIN_PROBABILITY.to_string(),
            "assumed",
            "probability; rarer ones make the last row of paths.csv",
        ),
    ];
    page.push_str("\n## Solving and statistics\n\n");
    settings(page, &rows);
}

fn table(page: &mut String, parameters: &[SourcedParameter]) {
    page.push_str("| parameter | value | tag | source |\n|---|---|---|---|\n");
    for SourcedParameter { name, value, tag, source } in parameters {
        // Rounded as in the manifest: no parameter is known more precisely.
        let value = (value * 1e6).round() / 1e6;
        let _ = writeln!(page, "| {name} | {value} | {} | {source} |", tag.name());
    }
}

fn settings(page: &mut String, rows: &[(&str, String, &str, &str)]) {
    page.push_str("| setting | value | tag | source, or what it is |\n|---|---|---|---|\n");
    for (name, value, tag, source) in rows {
        let _ = writeln!(page, "| {name} | {value} | {tag} | {source} |");
    }
}
