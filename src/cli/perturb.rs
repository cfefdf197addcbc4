//! `knockon perturb`: generates near-misses of any text, as triplets. Only arguments and messages are here; the work
//! is in `crate::perturb`.

use std::io::Write;
use std::path::PathBuf;

use super::OverwriteArgs;
use super::progress::ProgressBars;
use super::terminal::{self, complain};
use crate::output::OwnershipProof;
use crate::perturb::{NearMissCount, NearMissKind, NearMissOptions, TripletPositive, near_misses};
use crate::world::{text_list, triplet};

/// Make near-misses of any text: sentences that look alike and mean something else
#[derive(clap::Args)]
#[command(after_help = "Examples:
  knockon perturb scenarios/renewal_desk/passages.jsonl --out near_misses.csv
  knockon perturb contracts.txt --kinds negation,role_swap --per-kind 2000 --out train.csv
  knockon perturb clauses.csv --column clause --positive paraphrase --out probe.csv

Each line is a text; in a .jsonl file, the field that --column names is, in a .csv file the column. Texts are split into \
sentences; a row (`name: value | name: value`) is one sentence. The output is a CSV file with anchor, positive, negative and \
category, which is the kind. Sentences for which a kind has no near-miss yield none and are counted on stderr. \
Equal texts and seeds give equal files.")]
pub struct PerturbArgs {
    /// Files with the texts
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The field or column that contains the text
    #[arg(long, value_name = "NAME", default_value = "text")]
    column: String,
    /// How near-misses differ from the text [default: all kinds]
    #[arg(long, value_enum, value_name = "KIND[,KIND]", value_delimiter = ',')]
    kinds: Vec<PerturbKindArg>,
    /// At most this many triplets of each kind, sampled by the seed [default: all]
    #[arg(long, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    per_kind: Option<usize>,
    /// The positive of a triplet: the anchor itself, or a paraphrase (sentences without one are left out)
    #[arg(long, value_enum, default_value_t = PerturbPositiveArg::Identity)]
    positive: PerturbPositiveArg,
    /// Equal seeds give equal files
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// The CSV file to write; `-` for stdout
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    force: OverwriteArgs,
}

#[derive(Clone, Copy, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
enum PerturbKindArg {
    /// A negation added or removed
    Negation,
    /// Two persons or parties swapped
    RoleSwap,
    /// Two amounts, periods, dates or numbers swapped
    Binding,
    /// A number, amount, period or date changed
    Number,
    /// May for shall, some for all, at most for at least
    QuantifierModal,
    /// After for before, the beginning for the end
    Temporal,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum PerturbPositiveArg {
    Identity,
    Paraphrase,
}

impl From<PerturbKindArg> for NearMissKind {
    fn from(kind: PerturbKindArg) -> NearMissKind {
        match kind {
            PerturbKindArg::Negation => NearMissKind::Negation,
            PerturbKindArg::RoleSwap => NearMissKind::RoleSwap,
            PerturbKindArg::Binding => NearMissKind::Binding,
            PerturbKindArg::Number => NearMissKind::Number,
            PerturbKindArg::QuantifierModal => NearMissKind::QuantifierModal,
            PerturbKindArg::Temporal => NearMissKind::Temporal,
        }
    }
}

pub fn run(args: &PerturbArgs) -> anyhow::Result<()> {
    let mut kinds: Vec<NearMissKind> = args.kinds.iter().map(|kind| (*kind).into()).collect();
    if kinds.is_empty() {
        kinds = NearMissKind::ALL.to_vec();
    }
    // The order of --kinds does not affect the output.
    kinds.sort_unstable();
    kinds.dedup();
    let options = NearMissOptions {
        kinds,
        seed: args.seed,
        per_kind: args.per_kind,
        positive: match args.positive {
            PerturbPositiveArg::Identity => TripletPositive::Identity,
            PerturbPositiveArg::Paraphrase => TripletPositive::Paraphrase,
        },
    };
    let output = args.force.output().with_inputs(&args.files);
    output.check_file(&args.out, OwnershipProof::SameBytes)?;
    let bars = ProgressBars::new();
    let mut all = Vec::new();
    for file in &args.files {
        all.extend(text_list::read(file, &args.column, &bars)?);
    }
    let made = near_misses(&all, &options);
    output.write_file(&args.out, &triplet::to_csv(&made.triplets)?, OwnershipProof::SameBytes)?;
    complain!("{} texts, {} sentences", all.len(), made.sentences);
    complain!("{:<16} {:>9} {:>12} {:>8}", "kind", "possible", "not reworded", "written");
    for NearMissCount { kind, possible, not_reworded, written } in &made.counts {
        complain!("{:<16} {possible:>9} {not_reworded:>12} {written:>8}", kind.name());
    }
    let mut told = terminal::message_stream(&[Some(&args.out)]);
    writeln!(told, "{}: {} triplets", args.out.display(), made.triplets.len())?;
    Ok(told.flush()?)
}
