//! `knockon probe`: compares embedders on a scorecard. Only arguments and messages are here; the work is in
//! `crate::probe`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};

use super::embed::model_spec;
use super::progress::ProgressBars;
use super::terminal::{self, complain};
use super::{
    EXIT_FINDING, EXIT_SUCCESS, OverwriteArgs, THREAD_RANGE, files_in, input_files, load_scenario,
    set_thread_count,
};
use crate::embed::{ModelPrecision, bundled};
use crate::environment::Environment;
use crate::output::OutputManifest;
use crate::probe::contender::{ContenderKind, ProbeContender};
use crate::probe::{ProbeDatasets, pipeline, plot, scorecard, scorecard_output, scorecard_table};
use crate::report::table::columns_table;
use crate::run::{self, RunRecord};
use crate::scenario::{self, EmbedderDeclaration, EmbedderKind};
use crate::session::Session;
use crate::world::{beir, labelled_pair, triplet};
use crate::wrong_use::WrongUse;

/// Compare embedders: general retrieval, near-misses told apart, geometry, and failures in a pipeline
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon probe
  knockon probe --embedders all-MiniLM-L6-v2:f32,adapters/tuned --beir path/to/scifact
  knockon probe --scenario scenarios/renewal_desk.yaml --beir scifact --pairs paws.csv
  knockon probe --embedders all-MiniLM-L6-v2,tuned --pipeline scenarios/renewal_desk.yaml

An embedder is bm25, a name from `knockon models list` or a directory, with :f32 or :int8 \
behind it [default: int8]; those of a scenario keep their settings. Differences are from the \
first one. A BEIR set is a folder with corpus.jsonl, queries.jsonl and qrels/test.tsv. Triplets \
come from `knockon perturb --positive paraphrase` or `knockon import condaqa`, pairs from \
`knockon import paws`. Without --triplets a small set made from the bundled scenarios is used. \
Vectors are cached as in a run.")]
pub struct ProbeArgs {
    /// The embedders to compare, the baseline first [default: bm25, potion-base-8M, all-MiniLM-L6-v2]
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    embedders: Vec<String>,
    /// Also compare the embedders of this scenario, after those of --embedders
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Measure general retrieval on this set; may be given several times
    #[arg(long, value_name = "DIR")]
    beir: Vec<PathBuf>,
    /// Triplets to distinguish near-misses from paraphrases; may be given several times
    #[arg(long, value_name = "FILE")]
    triplets: Vec<PathBuf>,
    /// Pairs of texts labelled as same or different in meaning; may be given several times
    #[arg(long, value_name = "FILE")]
    pairs: Vec<PathBuf>,
    /// Measure how often the tasks of this scenario fail, and at what cost, with each embedder in all its steps; may
    /// be given several times
    #[arg(long, value_name = "FILE")]
    pipeline: Vec<PathBuf>,
    /// Folder for scorecard.csv and scorecard.svg
    #[arg(long, value_name = "DIR", default_value = "reports/probe")]
    out: PathBuf,
    #[command(flatten)]
    force: OverwriteArgs,
    /// The seed of the permutation tests
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(THREAD_RANGE))]
    threads: Option<u16>,
}

const DEFAULT_EMBEDDERS: [&str; 3] = ["bm25", "potion-base-8M", "all-MiniLM-L6-v2"];

const FILE: &str = "scorecard.csv";
/// The meanings of its columns.
const COLUMNS: &str = "scorecard.columns.csv";
/// The manifest of the written files.
const MANIFEST: &str = "scorecard.manifest.json";

pub fn run(args: &ProbeArgs) -> anyhow::Result<ExitCode> {
    set_thread_count(args.threads)?;
    let files = args.triplets.iter().chain(&args.pairs).chain(&args.pipeline).chain(&args.scenario);
    let of_sets = args.beir.iter().flat_map(files_in);
    let output = args.force.output().with_inputs(files.cloned().chain(of_sets));
    output.check_folder(&args.out, &[FILE, COLUMNS], Some(MANIFEST))?;
    let mut contenders = Vec::new();
    let mut names = args.embedders.clone();
    if names.is_empty() && args.scenario.is_none() {
        names = DEFAULT_EMBEDDERS.map(str::to_owned).to_vec();
    }
    let environment = Environment::from_process();
    let mut declared = Vec::new();
    for name in &names {
        let (kind, embedder) = open_embedder(name, &environment)?;
        declared.push((name.clone(), kind));
        contenders.push(ProbeContender { name: name.clone(), kind: embedder });
    }
    if let Some(file) = &args.scenario {
        let scenario = match load_scenario(file) {
            Ok(scenario) => scenario,
            Err(code) => return Ok(code),
        };
        for EmbedderDeclaration { name, kind } in &scenario.embedders {
            let opened = ContenderKind::of_embedder(kind, &environment);
            // As text: that a scenario names no model is a finding, not wrong use of the command.
            let opened = opened.map_err(|error| anyhow!("embedder '{name}': {error:#}"))?;
            let Some(embedder) = opened else {
                complain!(
                    "note: embedder '{name}' is left out: it ranks, but has no vectors of its own"
                );
                continue;
            };
            declared.push((name.clone(), kind.clone()));
            contenders.push(ProbeContender { name: name.clone(), kind: embedder });
        }
    }
    // The scorecard identifies rows by the name of the embedder.
    let mut seen = std::collections::BTreeSet::new();
    for contender in &contenders {
        WrongUse::unless(seen.insert(&contender.name), || {
            format!("--embedders: '{}' is there twice", contender.name)
        })?;
    }
    let probes = read_probe_sets(args)?;
    let mut pipelines = Vec::new();
    for file in &args.pipeline {
        match load_scenario(file) {
            Ok(scenario) => pipelines.push(pipeline::arms(scenario, &declared)),
            Err(code) => return Ok(code),
        }
    }
    let output = output.with_inputs(pipelines.iter().flat_map(input_files));
    let bars = ProgressBars::new();
    let pipelines: Vec<Session> = pipelines
        .into_iter()
        .map(|scenario| Session::owning(scenario).with_progress(&bars))
        .collect();
    for session in &pipelines {
        match super::preflight(session, &session.all_arms()) {
            Ok(right) => super::print_notes(&right.notes()),
            Err(code) => return Ok(code),
        }
    }
    let scored = scorecard(&contenders, &probes, args.seed, &bars).and_then(|mut rows| {
        for session in &pipelines {
            rows.extend(pipeline::rows(&run_all_arms(session)?));
        }
        Ok(rows)
    });
    let rows = match scored {
        Ok(rows) => rows,
        Err(error) => {
            complain!("error: {error:#}");
            return Ok(ExitCode::from(EXIT_FINDING));
        }
    };
    let table = scorecard_table(&rows);
    let columns = columns_table(COLUMNS, std::slice::from_ref(&table), None);
    let mut files = vec![(FILE, table.csv()?), (COLUMNS, columns.csv()?)];
    files.extend(plot::svg(&rows).map(|svg| ("scorecard.svg", svg.into_bytes())));
    output.write_listed(&args.out, &files, (MANIFEST, &OutputManifest::bytes(&files)?))?;
    let mut stdout = terminal::text_output();
    writeln!(stdout, "{}", scorecard_output::terminal(&rows))?;
    if let (Some(first), Some(reference)) = (contenders.first(), rows.first())
        && first.name != reference.embedder
    {
        // The first may rank without vectors, and then has no score of texts alone.
        let note = format!(
            "'{}' has no score on these sets; differences are from '{}'",
            first.name, reference.embedder
        );
        super::print_notes(&[note]);
    }
    // Only the results themselves, not the file that explains them.
    for (name, _) in files.iter().filter(|(name, _)| *name != COLUMNS) {
        writeln!(stdout, "{}", args.out.join(name).display())?;
    }
    Ok(ExitCode::from(EXIT_SUCCESS))
}

/// Runs all arms.
fn run_all_arms(session: &Session) -> anyhow::Result<RunRecord> {
    let record = run::run(session, &session.all_arms())
        .with_context(|| format!("scenario '{}'", session.scenario().name))?;
    super::print_notes(&session.notes());
    Ok(record)
}

/// An embedder by name: as a scenario declares it, and opened.
fn open_embedder(
    name: &str,
    environment: &Environment,
) -> anyhow::Result<(Arc<dyn EmbedderKind>, ContenderKind)> {
    let kind = match scenario::default_embedder(name) {
        Some(kind) => kind,
        None => named_model(name, environment)?,
    };
    let contender = ContenderKind::of_embedder(&kind, environment)?;
    let contender = contender.with_context(|| format!("'{name}' has no vectors of its own"))?;
    Ok((kind, contender))
}

/// A model by name, with its precision after a colon.
fn named_model(name: &str, environment: &Environment) -> anyhow::Result<Arc<dyn EmbedderKind>> {
    // Only known suffixes are split off: a path may contain a colon.
    let (model, precision) = match name.rsplit_once(':') {
        Some((model, "f32")) => (model, ModelPrecision::F32),
        Some((model, "int8")) => (model, ModelPrecision::Int8),
        _ => (name, ModelPrecision::Int8),
    };
    Ok(Arc::new(model_spec(model, precision, environment)?))
}

fn read_probe_sets(args: &ProbeArgs) -> anyhow::Result<ProbeDatasets> {
    let bars = ProgressBars::new();
    let mut probes = ProbeDatasets::default();
    for dir in &args.beir {
        let set = beir::read(dir, &bars)?;
        let own = set.own_passage_count();
        if own > 0 {
            let note = format!(
                "{}: {own} of {} queries have the id of a passage; that passage is left out of what they find, \
                 as BEIR does (ignore_identical_ids)",
                set.name,
                set.queries.len()
            );
            super::print_notes(&[note]);
        }
        probes.sets.push(set);
    }
    let mut triplets = args.triplets.clone();
    if triplets.is_empty() {
        let bundled: &bundled::BundledFiles =
            &[("near_misses.csv", include_bytes!("../../scenarios/probe/near_misses.csv"))];
        triplets.push(
            bundled::unpack("probe", bundled, &Environment::from_process())?
                .join("near_misses.csv"),
        );
    }
    for file in &triplets {
        probes.triplets.push((stem(file), triplet::read(file, &bars)?));
    }
    for file in &args.pairs {
        probes.pairs.push((stem(file), labelled_pair::read(file, &bars)?));
    }
    // The scorecard identifies a set by its name.
    let mut seen = std::collections::BTreeSet::new();
    let names = probes.sets.iter().map(|set| &set.name);
    let names = names.chain(probes.triplets.iter().map(|(name, _)| name));
    for name in names.chain(probes.pairs.iter().map(|(name, _)| name)) {
        ensure!(seen.insert(name), "two sets are called '{name}'; rename a file or a folder");
    }
    Ok(probes)
}

/// The name of a file without its extension.
fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().display().to_string()
}
