//! `knockon synth`: writes generated data. Only arguments and messages here; the work is in
//! `world::synth`.

use std::io::Write;
use std::path::PathBuf;

use crate::world::Variant;
use crate::world::synth::{self, Difficulty};
use clap::Subcommand;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A portfolio of contracts with near-misses, and the tasks of a renewal desk
    #[command(
        after_help = "Example:\n  knockon synth contracts --contracts 100 --difficulty hard --out portfolio"
    )]
    Contracts(Contracts),
}

#[derive(Debug, clap::Args)]
struct Contracts {
    /// How many contracts; more contracts leave the earlier ones as they are
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100000), allow_negative_numbers = true)]
    contracts: usize,
    /// Equal seeds give equal files
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// How alike passages are: easy, medium, hard, or 0 to 1
    #[arg(long, value_name = "HOW", default_value = "medium", allow_negative_numbers = true)]
    difficulty: Difficulty,
    /// Folder for passages.jsonl and renewal_tasks.csv
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes the files and prints what was written.
pub fn run(args: Args) -> anyhow::Result<()> {
    let What::Contracts(args) = args.what;
    let portfolio = synth::contracts(args.contracts, args.seed, args.difficulty)?;
    portfolio.write(&args.out)?;
    writeln!(
        std::io::stdout(),
        "{}: {} passages of {} contracts, {} tasks",
        args.out.display(),
        portfolio.passages.len(),
        args.contracts,
        portfolio.tasks.len()
    )?;
    writeln!(
        std::io::stdout(),
        "near-misses within a contract: {} version, {} number, {} negation, {} role swap, {} binding",
        portfolio.count(Variant::Version),
        portfolio.count(Variant::Number),
        portfolio.count(Variant::Negation),
        portfolio.count(Variant::RoleSwap),
        portfolio.count(Variant::Binding),
    )?;
    Ok(())
}
