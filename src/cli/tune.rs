//! `knockon tune`: fine-tunes an embedder. Only arguments and messages are here; the work is in `train`.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use super::progress::ProgressBars;
use super::terminal::{self, complain};
use super::{OverwriteArgs, THREAD_RANGE, files_in, set_thread_count};
use crate::environment::Environment;
use crate::train::{
    self, TrainingTexts, TuningArm, TuningMethod, TuningOutcome, TuningRecipe, TuningRequest,
};
use crate::wrong_use::WrongUse;

/// Number of first and of last steps whose mean loss is printed.
const AVERAGED_STEPS: usize = 10;

/// Fine-tune an embedder to distinguish near-identical sentences, and measure what that costs
///
/// Trains on structural triplets (a text, one with the same meaning, and a near-miss) mixed with plain pairs of query
/// and passage that rehearse general retrieval. Also trains a control, in which rehearsal pairs replace the
/// structural triplets. Compare both with the base: what the control loses is plain forgetting, and what the
/// structural model loses beyond that is the price of structure (arXiv 2604.16351).
///
/// The result is a model directory that any command and sentence-transformers can load; with --method lora, an
/// adapter for the base that knockon (`adapter:`) and PEFT can load. Run the same command again to resume an
/// interrupted training.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  knockon tune --base all-MiniLM-L6-v2 --structural near.csv --rehearsal pairs.jsonl --out tuned
  knockon tune --base gte-small --method lora --structural near.csv --negatives role_swap \\
      --rehearsal pairs.csv --share 0.3 --steps 300 --seed 7 --out tuned/lora
  knockon embed --model tuned/structural --precision f32 texts.txt

Files: triplets are CSV with anchor, positive, negative, category; pairs the same without negatives, or JSON lines with \
`query` and `passage`. --out holds structural/ and control/, with --no-control the model itself; in either, loss.csv and \
training.json (settings, seed, hashes of data and base).

Methods, and the learning rate of each unless --lr is given (ours: assumed):
  full        all encoder layers                              5e-5
  last-layer  the last encoder layer                          1e-4
  lora        thin matrices beside every linear layer         5e-4
  adapter     a linear map behind the pooled vector           1e-3
Word, position and type embeddings stay as they are. The loss is multiple-negatives ranking over cosine times --scale: \
all other positives and all near-misses of the batch are an anchor's negatives. Scale 10 and warm-up .1 are the paper's \
(cited); weight decay, clipping, batch and length are ours (assumed), made for a CPU. BERT, RoBERTa and MPNet can be \
tuned; from the int8 weights, where the f32 ones are not here (knockon models pull).")]
pub struct TuneArgs {
    /// A name from `knockon models list`, or a directory
    #[arg(long, value_name = "MODEL")]
    base: String,
    /// The part of the model that is tuned
    #[arg(long, value_enum, default_value_t = TuneMethodArg::Full)]
    method: TuneMethodArg,
    /// Triplets with near-misses (CSV)
    #[arg(long, value_name = "FILE")]
    structural: PathBuf,
    /// Pairs of query and passage (CSV or .jsonl)
    #[arg(long, value_name = "FILE")]
    rehearsal: PathBuf,
    /// Only triplets of these categories [default: all]
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    negatives: Vec<String>,
    /// The share of a batch that is structural
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    share: f64,
    #[arg(long, value_name = "N", default_value_t = 150)]
    steps: usize,
    /// Equal seeds give equal weights, on any number of threads
    #[arg(long, value_name = "S", default_value_t = 42)]
    seed: u64,
    /// The directory to write
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    force: OverwriteArgs,
    /// Do not train a control
    #[arg(long, overrides_with = "with_control")]
    no_control: bool,
    /// Train a control [default]
    #[arg(long, hide_short_help = true)]
    with_control: bool,
    /// The peak learning rate [default: by method, see below]
    #[arg(long, value_name = "RATE")]
    lr: Option<f64>,
    /// The number of pairs in a batch
    #[arg(long, value_name = "N", default_value_t = 32)]
    batch: usize,
    /// The number of tokens to which texts are truncated in training
    #[arg(long, value_name = "TOKENS", default_value_t = 48)]
    length: usize,
    /// The factor by which cosines are multiplied in the loss
    #[arg(long, value_name = "X", default_value_t = 10.0)]
    scale: f64,
    /// The share of the steps in which the learning rate rises
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    warmup: f64,
    /// Weight decay; not applied to biases and layer norms
    #[arg(long, value_name = "X", default_value_t = 0.01)]
    decay: f64,
    /// The largest norm of a gradient; larger ones are clipped
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    clip: f64,
    /// With --method lora: the rank
    #[arg(long, value_name = "R", default_value_t = 8)]
    rank: usize,
    /// With --method lora: the scale times the rank (alpha)
    #[arg(long, value_name = "X", default_value_t = 16.0)]
    alpha: f64,
    /// The number of steps between checkpoints
    #[arg(long, value_name = "N", default_value_t = 25)]
    checkpoint_every: usize,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(THREAD_RANGE))]
    threads: Option<u16>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum TuneMethodArg {
    Full,
    LastLayer,
    Lora,
    Adapter,
}

pub fn run(args: &TuneArgs) -> anyhow::Result<()> {
    set_thread_count(args.threads)?;
    let method = match args.method {
        TuneMethodArg::Full => TuningMethod::Full,
        TuneMethodArg::LastLayer => TuningMethod::LastLayer,
        TuneMethodArg::Lora => TuningMethod::Lora,
        TuneMethodArg::Adapter => TuningMethod::Adapter,
    };
    let recipe = TuningRecipe {
        steps: args.steps,
        batch: args.batch,
        share: args.share,
        length: args.length,
        scale: args.scale,
        rate: args.lr.unwrap_or(method.rate()),
        warmup: args.warmup,
        decay: args.decay,
        clip: args.clip,
        seed: args.seed,
        rank: args.rank,
        alpha: args.alpha,
        method,
    };
    WrongUse::unless(!args.out.is_file(), || {
        format!("--out: {} is a file; it takes a directory", args.out.display())
    })?;
    let bars = ProgressBars::new();
    let texts = TrainingTexts::read(&args.structural, &args.rehearsal, &args.negatives, &bars)?;
    let arms = if args.no_control {
        vec![(TuningArm::Structural, args.out.clone())]
    } else {
        [TuningArm::Structural, TuningArm::Control]
            .map(|arm| (arm, args.out.join(arm.name())))
            .to_vec()
    };
    let output = args.force.output().with_inputs([&args.structural, &args.rehearsal]);
    let output = output.with_inputs(files_in(&args.base));
    // A directory with an interrupted or finished training is resumed, or refused if its settings differ.
    for (_, dir) in arms.iter().filter(|(_, dir)| !train::has_training(dir)) {
        output.check_folder(dir, &train::RESULT_FILES, None)?;
    }
    let checkpoint_every = args.checkpoint_every;
    let request = TuningRequest {
        base: &args.base,
        recipe,
        texts: &texts,
        arms,
        checkpoint_every,
        environment: Environment::from_process(),
    };
    let outcomes = train::tune(&request, &bars);
    bars.clear();
    let outcomes = outcomes?;
    if outcomes.iter().any(|outcome| outcome.from_int8) {
        complain!(
            "note: tuned from the int8 weights of {0}; for the f32 ones: knockon models pull {0}",
            args.base
        );
    }
    terminal::text_output().write_all(loss_summary(&outcomes, request.recipe.batch).as_bytes())?;
    Ok(())
}

fn loss_summary(outcomes: &[TuningOutcome], batch: usize) -> String {
    let mut text = String::new();
    for outcome in outcomes {
        let losses = &outcome.losses;
        // In a short training the first and the last steps share one step at most.
        let told = AVERAGED_STEPS.min(losses.len().div_ceil(2));
        let (first, last) = (mean(&losses[..told]), mean(&losses[losses.len() - told..]));
        let there = if outcome.already_finished { "  (was there already)" } else { "" };
        let _ = writeln!(
            text,
            "{:10}  {} steps of {batch} pairs  loss {first:.4} -> {last:.4} (means of {told})  {}{there}",
            outcome.arm.name(),
            losses.len(),
            outcome.dir.display(),
        );
    }
    text
}

fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len() as f64
}
