//! `knockon synth`: writes generated data. Only arguments and messages are here; the work is in `world::synth`.

use std::io::Write;
use std::path::PathBuf;

use super::OverwriteArgs;
use super::terminal;
use crate::world::PassageVariant;
use crate::world::synth::{self, Difficulty, ledger};
use clap::Subcommand;

#[derive(Debug, clap::Args)]
pub struct SynthArgs {
    #[command(subcommand)]
    what: SynthCommand,
}

#[derive(Debug, Subcommand)]
enum SynthCommand {
    /// A portfolio of contracts with near-misses, and the tasks of a renewal desk
    #[command(
        after_help = "Example:\n  knockon synth contracts --contracts 100 --difficulty hard --out portfolio"
    )]
    Contracts(SynthContractsArgs),
    /// The records of a company with near-misses: invoices to pay or hold, quotes to send or have approved
    ///
    /// Writes purchasing.jsonl (vendors with bank accounts, orders, receipts, paid invoices) with invoices.csv, and
    /// sales.jsonl (customers with tiers, credit limits, price lists) with quotes.csv. A vendor has about 15 rows, a
    /// customer with an article about 10.
    #[command(after_help = "Examples:
  knockon synth ledger --out books
  knockon synth ledger --vendors 8000 --customers 8000 --difficulty hard --seed 7 --out books")]
    Ledger(SynthLedgerArgs),
}

#[derive(Debug, clap::Args)]
struct SynthContractsArgs {
    /// The number of contracts; a larger number leaves the earlier contracts unchanged
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=100000), allow_negative_numbers = true)]
    contracts: usize,
    #[command(flatten)]
    how: SynthOptions,
    /// Folder for passages.jsonl and renewal_tasks.csv
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    force: OverwriteArgs,
}

#[derive(Debug, clap::Args)]
struct SynthLedgerArgs {
    /// The number of vendors; a larger number leaves the earlier vendors unchanged
    #[arg(long, value_name = "N", default_value_t = 40, allow_negative_numbers = true)]
    vendors: usize,
    /// The number of customers, each with an article; a larger number leaves the earlier customers unchanged
    #[arg(long, value_name = "N", default_value_t = 40, allow_negative_numbers = true)]
    customers: usize,
    #[command(flatten)]
    how: SynthOptions,
    /// Folder for the four files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    force: OverwriteArgs,
}

/// The options of all generators.
#[derive(Debug, clap::Args)]
struct SynthOptions {
    /// Equal seeds give equal files
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// How similar passages are: easy, medium, hard, or a number from 0 to 1
    #[arg(long, value_name = "HOW", default_value = "medium", allow_negative_numbers = true)]
    difficulty: Difficulty,
}

/// Writes the files and prints what was written.
pub fn run(args: SynthArgs) -> anyhow::Result<()> {
    match args.what {
        SynthCommand::Contracts(args) => contracts(args),
        SynthCommand::Ledger(args) => ledger(args),
    }
}

fn contracts(args: SynthContractsArgs) -> anyhow::Result<()> {
    let output = args.force.output();
    output.check_folder(&args.out, &[], None)?;
    let portfolio = synth::generate_contracts(args.contracts, args.how.seed, args.how.difficulty)?;
    portfolio.write(&output, &args.out)?;
    writeln!(
        terminal::text_output(),
        "{}: {} passages of {} contracts, {} tasks",
        args.out.display(),
        portfolio.passages.len(),
        args.contracts,
        portfolio.tasks.len()
    )?;
    writeln!(
        terminal::text_output(),
        "near-misses within a contract: {} version, {} number, {} negation, {} role swap, {} binding",
        portfolio.variant_count(PassageVariant::Version),
        portfolio.variant_count(PassageVariant::Number),
        portfolio.variant_count(PassageVariant::Negation),
        portfolio.variant_count(PassageVariant::RoleSwap),
        portfolio.variant_count(PassageVariant::Binding),
    )?;
    Ok(())
}

fn ledger(args: SynthLedgerArgs) -> anyhow::Result<()> {
    let options = ledger::LedgerOptions {
        vendors: args.vendors,
        customers: args.customers,
        seed: args.how.seed,
        difficulty: args.how.difficulty,
    };
    let output = args.force.output();
    output.check_folder(&args.out, &[], None)?;
    let written = ledger::write(options, &output, &args.out)?;
    writeln!(
        terminal::text_output(),
        "{}: {} rows of {} vendors, {} invoices to pay or hold; {} rows of {} customers and their articles, {} quotes to make",
        args.out.display(),
        written.purchasing,
        args.vendors,
        written.invoices,
        written.sales,
        args.customers,
        written.quotes,
    )?;
    writeln!(
        terminal::text_output(),
        "near-misses of a row: {} version, {} number, {} binding",
        written.version_rows,
        written.number_rows,
        written.binding_rows,
    )?;
    Ok(())
}
