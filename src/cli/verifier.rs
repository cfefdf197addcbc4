//! `knockon verifier`: trains a network over similarity maps, used for reranking and as a guard.

use std::io::Write;
use std::path::PathBuf;

use anyhow::ensure;
use serde_json::json;

use super::progress::ProgressBars;
use super::terminal;
use super::{OverwriteArgs, THREAD_RANGE, files_in, set_thread_count};
use crate::embed::similarity_map::{
    self, DEFAULT_TOKENS, MapNetworkShape, SimilarityMapBase, SimilarityMapConfig,
};
use crate::embed::{self, ModelKind, ModelPrecision, ModelSpec};
use crate::environment::Environment;
use crate::train::verifier::{HeldOutScore, VerifierExample, VerifierRecipe, train};
use crate::world::{labelled_pair, triplet};
use crate::wrong_use::WrongUse;

/// Train a verifier that distinguishes texts with the same meaning from texts that only look alike
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon verifier --base all-MiniLM-L6-v2 --triplets near_misses.csv --out verifiers/near_misses
  knockon verifier --base gte-small --pairs pairs.csv --steps 2000 --seed 7 --out verifiers/swaps

A triplets file has the columns anchor, positive, negative and, where wanted, category; a pairs file first, second, \
same (1 or 0) and, where wanted, category. Name the directory in a scenario:
  checked: {kind: rerank, first: minilm, with: similarity_map, model: verifiers/near_misses}
A fifth of the first texts is held out (--held-out); how pairs of these are told apart is printed, and kept in training.json.")]
pub struct VerifierArgs {
    /// The model that computes the maps: a name from `knockon models list`, or a directory; it is not changed
    #[arg(long, value_name = "NAME", default_value = "all-MiniLM-L6-v2")]
    base: String,
    /// Triplets to train on, as CSV
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "pairs")]
    triplets: Vec<PathBuf>,
    /// Pairs of texts labelled as same or different in meaning, as CSV
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pairs: Vec<PathBuf>,
    /// The number of training steps
    #[arg(long, default_value_t = VerifierRecipe::default().steps)]
    steps: usize,
    /// The seed of the split, of the initial weights, and of the batches
    #[arg(long, default_value_t = VerifierRecipe::default().seed)]
    seed: u64,
    /// The share of first texts that is held out for testing
    #[arg(long, value_name = "SHARE", default_value_t = VerifierRecipe::default().held_out)]
    held_out: f64,
    /// The number of tokens of each text that are used
    #[arg(long, default_value_t = DEFAULT_TOKENS as u16, value_parser = clap::value_parser!(u16).range(1..=1024))]
    tokens: u16,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_parser = clap::value_parser!(u16).range(THREAD_RANGE))]
    threads: Option<u16>,
    /// The directory to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    force: OverwriteArgs,
}

/// Runs the command.
pub fn run(args: &VerifierArgs) -> anyhow::Result<()> {
    set_thread_count(args.threads)?;
    WrongUse::unless((0.0..1.0).contains(&args.held_out), || {
        format!("--held-out is {}, not 0 to below 1", args.held_out)
    })?;
    let output = args.force.output().with_inputs(args.triplets.iter().chain(&args.pairs));
    let output = output.with_inputs(files_in(&args.base));
    output.check_folder(&args.out, &similarity_map::FILES, None)?;
    let bars = ProgressBars::new();
    let mut items = Vec::new();
    for path in &args.triplets {
        let triplets = triplet::read(path, &bars)?;
        let bare = triplets.iter().filter(|triplet| triplet.negative.is_none()).count();
        ensure!(
            bare == 0,
            "{}: {bare} of {} triplets have no negative; a verifier learns from it",
            path.display(),
            triplets.len()
        );
        items.extend(triplets.into_iter().map(VerifierExample::Triplet));
    }
    for path in &args.pairs {
        items.extend(labelled_pair::read(path, &bars)?.into_iter().map(VerifierExample::Pair));
    }
    let (steps, seed, held_out) = (args.steps, args.seed, args.held_out);
    let recipe = VerifierRecipe { steps, seed, held_out, ..VerifierRecipe::default() };
    // Recorded in the configuration, so that the verifier later sees maps like those it was trained on.
    let precision = ModelPrecision::Int8;
    let spec = ModelSpec::new(ModelKind::Transformer, &args.base).with_precision(precision);
    let tokens = usize::from(args.tokens);
    let maps = embed::open_maps(&spec, tokens, &Environment::from_process())?;
    let trained = train(&items, &maps, &recipe, &bars)?;
    bars.clear();

    let fingerprint = maps.fingerprint().to_owned();
    let base = SimilarityMapBase { model: args.base.clone(), precision, fingerprint };
    let shape = MapNetworkShape { width: recipe.width, layers: recipe.layers };
    let config = SimilarityMapConfig::new(base, tokens, shape);
    let training = json!({
        "knockon": env!("CARGO_PKG_VERSION"), "recipe": recipe, "items": items.len(),
        "learnt_from": trained.training_items, "held_out": trained.held_out_scores, "losses": trained.losses,
    });
    let training = vec![("training.json", serde_json::to_vec_pretty(&training)?)];
    similarity_map::save(&output, &args.out, &config, &trained.net, &training)?;
    let mut out = terminal::text_output();
    let tenth = (trained.losses.len() / 10).max(1);
    let (early, late) =
        (trained.losses.iter().take(tenth), trained.losses.iter().rev().take(tenth));
    let (early, late): (Vec<f32>, Vec<f32>) = (early.copied().collect(), late.copied().collect());
    writeln!(
        out,
        "{} items, {} steps: loss {:.3} in the first tenth, {:.3} in the last",
        trained.training_items,
        recipe.steps,
        mean(&early),
        mean(&late)
    )?;
    writeln!(out, "{}", table(&trained.held_out_scores))?;
    writeln!(out, "written to {}", args.out.display())?;
    Ok(())
}

fn mean(losses: &[f32]) -> f32 {
    losses.iter().sum::<f32>() / losses.len().max(1) as f32
}

fn table(held: &[HeldOutScore]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["held out", "items", "right", "AUC", "cosine", "MaxSim"]);
    for held in held {
        table.add_row([
            held.category.clone().unwrap_or_else(|| "all".to_owned()),
            held.items.to_string(),
            format!("{:.1}%", 100.0 * held.right),
            auc_cell(held.auc),
            auc_cell(held.auc_cosine),
            auc_cell(held.auc_max_sim),
        ]);
    }
    table
}

fn auc_cell(auc: Option<f64>) -> String {
    auc.map_or("-".to_owned(), |auc| format!("{auc:.3}"))
}
