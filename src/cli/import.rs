//! `knockon import`: public data sets, in the layout of their authors, to passages and tasks.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::world::import::cuad;

#[derive(Args, Debug)]
pub struct ImportArgs {
    #[command(subcommand)]
    set: Set,
}

#[derive(Subcommand, Debug)]
enum Set {
    /// CUAD v1: commercial contracts with their clauses labelled by lawyers
    #[command(after_help = "Example:\n  knockon import cuad path/to/CUAD_v1 --out scenarios/cuad")]
    Cuad(CuadArgs),
}

#[derive(Args, Debug)]
pub struct CuadArgs {
    /// The folder with master_clauses.csv and full_contract_txt/.
    dir: PathBuf,
    /// Where to write passages, tasks and the report.
    #[arg(long, value_name = "DIR", default_value = "scenarios/cuad")]
    out: PathBuf,
    /// Characters in a chunk.
    #[arg(long, value_name = "N", default_value_t = 800, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(100..=100000), allow_negative_numbers = true)]
    size: usize,
    /// Put the contract's title and parties in front of each passage.
    #[arg(long, value_enum, default_value_t)]
    context: ContextArg,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum ContextArg {
    /// All of them: passages_title.jsonl.
    Title,
    /// None of them: passages_plain.jsonl.
    None,
    /// Both files, with the same ids and labels.
    #[default]
    Both,
}

impl From<ContextArg> for cuad::Prefix {
    fn from(context: ContextArg) -> cuad::Prefix {
        match context {
            ContextArg::Title => cuad::Prefix::Title,
            ContextArg::None => cuad::Prefix::None,
            ContextArg::Both => cuad::Prefix::Both,
        }
    }
}

/// Imports a data set and prints what was located and read, and what was not.
pub fn run(args: ImportArgs) -> anyhow::Result<()> {
    match args.set {
        Set::Cuad(args) => import_cuad(&args),
    }
}

fn import_cuad(args: &CuadArgs) -> anyhow::Result<()> {
    let import = cuad::read(&args.dir, args.size)?;
    let written = import.write(&args.out, args.context.into())?;
    writeln!(std::io::stdout(), "{}", cuad::report::table(&cuad::report::rows(&import)))?;
    writeln!(std::io::stdout())?;
    print!("{}", cuad::report::findings_text(&import.findings));
    writeln!(std::io::stdout())?;
    for (name, what) in written {
        writeln!(std::io::stdout(), "{}: {what}", args.out.join(name).display())?;
    }
    Ok(())
}
