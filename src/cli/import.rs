//! `knockon import`: converts public data sets and users' own tables to passages and tasks.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::OverwriteArgs;
use super::progress::ProgressBars;
use super::terminal::{self, complain};
use crate::extract::date::DayMonthOrder;
use crate::extract::number::DecimalSeparator;
use crate::output::{OutputWriter, OwnershipProof};
use crate::value::ValueType;
use crate::world::import::csv::column::CsvValueFormats;
use crate::world::import::{MANIFEST, condaqa, csv, cuad, paws, tatqa};
use crate::world::{Delimiter, labelled_pair, triplet};

#[derive(Args, Debug)]
pub struct ImportArgs {
    #[command(subcommand)]
    set: ImportDataset,
}

#[derive(Subcommand, Debug)]
enum ImportDataset {
    /// CUAD v1: commercial contracts with their clauses labelled by lawyers
    #[command(after_help = "Example:\n  knockon import cuad path/to/CUAD_v1 --out scenarios/cuad")]
    Cuad(ImportCuadArgs),
    /// TAT-QA: questions about tables of financial reports, with their derivations
    #[command(
        after_help = "Example:\n  knockon import tatqa path/to/tatqa_dataset_test_gold.json --out scenarios/tatqa"
    )]
    Tatqa(ImportTatqaArgs),
    /// PAWS: pairs of sentences made of the same words, some of which mean the same
    #[command(after_help = "Example:\n  knockon import paws path/to/dev.tsv --out paws.csv")]
    Paws(ImportTextsArgs),
    /// CondaQA: passages with paraphrases, and with edits that reverse a negation
    #[command(
        after_help = "Example:\n  knockon import condaqa path/to/condaqa_dev.json --out condaqa.csv"
    )]
    Condaqa(ImportTextsArgs),
    /// A table of your own: each row, or each cell, becomes a passage
    #[command(after_help = CSV_HELP)]
    Csv(ImportCsvArgs),
}

const CSV_HELP: &str = "Examples:
  knockon import csv suppliers.csv --out my --key supplier --ask due_date
  knockon import csv prices.csv --out my --key product,region --types price=money --currency EUR
  knockon import csv faq.csv --out my --key id --text '{question} {answer}' --attributes answer

A passage reads `header: value`, line by line; --text changes that. Types are detected where all \
cells of a column agree. All mistakes of a file are reported together; if there are any, nothing is written.";

#[derive(Args, Debug)]
pub struct ImportCuadArgs {
    /// The folder with master_clauses.csv and full_contract_txt/.
    dir: PathBuf,
    /// Where to write passages, tasks and the report.
    #[arg(long, value_name = "DIR", default_value = "scenarios/cuad")]
    out: PathBuf,
    #[command(flatten)]
    force: OverwriteArgs,
    /// The number of characters in a chunk.
    #[arg(long, value_name = "N", default_value_t = 800, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(100..=100000), allow_negative_numbers = true)]
    size: usize,
    /// Prepend the contract's title and parties to each passage.
    #[arg(long, value_enum, default_value_t)]
    context: TitleContextArg,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum TitleContextArg {
    /// To all passages: passages_title.jsonl.
    Title,
    /// To none: passages_plain.jsonl.
    None,
    /// Write both files, with the same ids and labels.
    #[default]
    Both,
}

impl From<TitleContextArg> for cuad::CuadTitlePrefix {
    fn from(context: TitleContextArg) -> cuad::CuadTitlePrefix {
        match context {
            TitleContextArg::Title => cuad::CuadTitlePrefix::Title,
            TitleContextArg::None => cuad::CuadTitlePrefix::None,
            TitleContextArg::Both => cuad::CuadTitlePrefix::Both,
        }
    }
}

#[derive(Args, Debug)]
pub struct ImportTatqaArgs {
    /// The JSON file; only test_gold contains the locations of the figures, which tasks need.
    file: PathBuf,
    /// Where to write passages, tasks and the report.
    #[arg(long, value_name = "DIR", default_value = "scenarios/tatqa")]
    out: PathBuf,
    #[command(flatten)]
    force: OverwriteArgs,
}

#[derive(Args, Debug)]
pub struct ImportTextsArgs {
    /// The file as its authors publish it.
    file: PathBuf,
    /// The CSV file to write; `-` for stdout.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    force: OverwriteArgs,
}

impl ImportTextsArgs {
    /// The output settings; fails before the file is read if `--out` cannot be written.
    fn output(&self) -> anyhow::Result<OutputWriter> {
        let output = self.force.output().with_inputs([&self.file]);
        output.check_file(&self.out, OwnershipProof::SameBytes)?;
        Ok(output)
    }
}

#[derive(Args, Debug)]
pub struct ImportCsvArgs {
    /// The table; its first line is the header, unless --header gives the names.
    file: PathBuf,
    /// Where to write passages.jsonl.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The columns that name what a row is about; together they identify a row.
    #[arg(long, value_name = "COL[,COL]", required = true, value_delimiter = ',')]
    key: Vec<String>,
    /// The columns that become facts [default: all but the key].
    #[arg(long, value_name = "COL[,COL]", value_delimiter = ',')]
    attributes: Vec<String>,
    /// The text of a passage, with {column} for cells [default: `header: value`, line by line].
    #[arg(long, value_name = "TEMPLATE")]
    text: Option<String>,
    /// Types: text, number, yes_no, date, duration, money, percent [default: detected].
    #[arg(long, value_name = "COL=TYPE", value_delimiter = ',', value_parser = column_type)]
    types: Vec<(String, ValueType)>,
    /// One passage per cell instead of per row.
    #[arg(long)]
    per_cell: bool,
    /// Also write tasks.csv, which asks for this column of each row, and scenario.yaml.
    #[arg(long, value_name = "COL")]
    ask: Option<String>,
    /// The decimal sign, if the table does not show it.
    #[arg(long, value_enum)]
    decimal: Option<DecimalSignArg>,
    /// Whether 03/04/2024 is in April or in March, if the table does not show it.
    #[arg(long, value_enum)]
    dates: Option<DayOrderArg>,
    /// The currency of amounts without one, or with an ambiguous sign ($).
    #[arg(long, value_name = "CODE", value_parser = currency_code)]
    currency: Option<String>,
    /// Texts that mean an empty cell, such as n/a.
    #[arg(long, value_name = "TEXT[,TEXT]", value_delimiter = ',')]
    empty: Vec<String>,
    /// The character between cells [default: from a first line `sep=;`, else tab for .tsv, else comma].
    #[arg(long, value_enum)]
    delimiter: Option<DelimiterArg>,
    /// The names of the columns, for a table without a header.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    header: Vec<String>,
    #[command(flatten)]
    force: OverwriteArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DecimalSignArg {
    Point,
    Comma,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DayOrderArg {
    DayFirst,
    MonthFirst,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DelimiterArg {
    Comma,
    Semicolon,
    Tab,
    Pipe,
}

fn column_type(text: &str) -> Result<(String, ValueType), String> {
    // Split at the last `=`, since the name of a column may contain one.
    let (column, name) = text
        .rsplit_once('=')
        .ok_or_else(|| format!("write column=type; types: {}", type_names()))?;
    let known = ValueType::ALL.into_iter().find(|ty| ty.name() == name.trim());
    let ty = known.ok_or_else(|| {
        let near = crate::expr::suggest(name, ValueType::ALL.map(ValueType::name));
        let help = near.map(|near| format!("; {near}")).unwrap_or_default();
        format!("'{name}' is not a type; allowed: {}{help}", type_names())
    })?;
    Ok((column.trim().to_owned(), ty))
}

fn type_names() -> String {
    ValueType::ALL.map(ValueType::name).join(", ")
}

fn currency_code(text: &str) -> Result<String, String> {
    let code = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
    code.then(|| text.to_owned()).ok_or_else(|| "three capital letters, such as USD".to_owned())
}

/// Imports a data set and prints what was read and what was left out.
pub fn run(args: ImportArgs) -> anyhow::Result<()> {
    match args.set {
        ImportDataset::Cuad(args) => import_cuad(&args),
        ImportDataset::Tatqa(args) => import_tatqa(&args),
        ImportDataset::Paws(args) => import_paws(&args),
        ImportDataset::Condaqa(args) => import_condaqa(&args),
        ImportDataset::Csv(args) => import_csv(args),
    }
}

fn import_paws(args: &ImportTextsArgs) -> anyhow::Result<()> {
    let output = args.output()?;
    let paws::PawsImport { pairs, empty_sentence_lines: empty, blank_lines: blank } =
        paws::read(&args.file, &ProgressBars::new())?;
    output.write_file(&args.out, &labelled_pair::to_csv(&pairs)?, OwnershipProof::SameBytes)?;
    print_left_out("pairs, of which a sentence is empty", &empty);
    print_left_out("blank lines", &blank);
    let same = pairs.iter().filter(|pair| pair.same).count();
    let reordered = pairs.iter().filter(|pair| !pair.same && pair.category == "same_words").count();
    let mut told = terminal::message_stream(&[Some(&args.out)]);
    writeln!(
        told,
        "{}: {} pairs, {same} mean the same; of the others {reordered} only reorder their words",
        args.out.display(),
        pairs.len()
    )?;
    Ok(told.flush()?)
}

/// Number of lines that a note lists.
const MAX_LISTED_LINES: usize = 10;

/// Prints how many lines of a file were left out, and the first of them.
fn print_left_out(what: &str, lines: &[usize]) {
    if lines.is_empty() {
        return;
    }
    let listed =
        lines.iter().take(MAX_LISTED_LINES).map(usize::to_string).collect::<Vec<_>>().join(", ");
    let more = if lines.len() > MAX_LISTED_LINES { ", ..." } else { "" };
    complain!("note: left out: {} {what} (line {listed}{more})", lines.len());
}

fn import_condaqa(args: &ImportTextsArgs) -> anyhow::Result<()> {
    let output = args.output()?;
    let condaqa::CondaqaImport {
        triplets,
        passages_without_paraphrase: without_paraphrase,
        edits_without_flip: not_flipped,
    } = condaqa::read(&args.file, &ProgressBars::new())?;
    output.write_file(&args.out, &triplet::to_csv(&triplets)?, OwnershipProof::SameBytes)?;
    if without_paraphrase > 0 {
        complain!(
            "note: left out: {without_paraphrase} passages, of which the original or the paraphrase is not in the file"
        );
    }
    if not_flipped > 0 {
        complain!("note: left out: {not_flipped} edits that change no answer");
    }
    let mut told = terminal::message_stream(&[Some(&args.out)]);
    writeln!(told, "{}: {} triplets", args.out.display(), triplets.len())?;
    Ok(told.flush()?)
}

fn import_tatqa(args: &ImportTatqaArgs) -> anyhow::Result<()> {
    let output = args.force.output().with_inputs([&args.file]);
    output.check_folder(&args.out, &["passages.jsonl"], Some(MANIFEST))?;
    let import = tatqa::read(&args.file)?;
    let written = import.write(&output, &args.out)?;
    let mut stdout = terminal::text_output();
    writeln!(stdout, "{}", tatqa::report::summary(&import))?;
    for (name, what) in written {
        writeln!(stdout, "{}: {what}", args.out.join(name).display())?;
    }
    Ok(())
}

fn import_csv(args: ImportCsvArgs) -> anyhow::Result<()> {
    let options = csv::CsvImportOptions {
        key: args.key,
        attributes: args.attributes,
        text: args.text,
        types: args.types,
        per_cell: args.per_cell,
        empty_texts: args.empty,
        delimiter: args.delimiter.map(|delimiter| match delimiter {
            DelimiterArg::Comma => Delimiter::Comma,
            DelimiterArg::Semicolon => Delimiter::Semicolon,
            DelimiterArg::Tab => Delimiter::Tab,
            DelimiterArg::Pipe => Delimiter::Pipe,
        }),
        header: args.header,
        formats: CsvValueFormats {
            decimal: args.decimal.map(|decimal| match decimal {
                DecimalSignArg::Point => DecimalSeparator::Point,
                DecimalSignArg::Comma => DecimalSeparator::Comma,
            }),
            day_order: args.dates.map(|dates| match dates {
                DayOrderArg::DayFirst => DayMonthOrder::DayFirst,
                DayOrderArg::MonthFirst => DayMonthOrder::MonthFirst,
            }),
            currency: args.currency,
        },
    };
    let output = args.force.output().with_inputs([&args.file]);
    // Only names that are certain to be written are checked beforehand.
    let names = ["passages.jsonl", "tasks.csv", "scenario.yaml"];
    let names = if args.ask.is_some() { &names[..] } else { &names[..1] };
    output.check_folder(&args.out, names, Some(MANIFEST))?;
    let bars = ProgressBars::new();
    let import = csv::read_with_progress(&args.file, &options, &bars)?;
    let ask = args.ask.as_deref().map(|column| (column, options.per_cell));
    let written = import.write(&output, &args.out, ask)?;
    for note in &import.notes {
        complain!("note: {note}");
    }
    let mut stdout = terminal::text_output();
    writeln!(stdout, "{} rows, {} passages; facts:", import.rows, import.passages.len())?;
    for csv::AttributeColumn { column, field, ty, filled_cells: filled } in &import.attributes {
        writeln!(stdout, "  {field} ({ty}): '{column}', in {filled} rows")?;
    }
    for (name, what) in written {
        writeln!(stdout, "{}: {what}", args.out.join(name).display())?;
    }
    Ok(())
}

fn import_cuad(args: &ImportCuadArgs) -> anyhow::Result<()> {
    let output = args.force.output();
    // The report is written whatever the options, so its name can be checked before reading.
    output.check_folder(&args.out, &["import_report.csv"], Some(MANIFEST))?;
    let import = cuad::read(&args.dir, args.size)?;
    let written = import.write(&output, &args.out, args.context.into())?;
    writeln!(terminal::text_output(), "{}", cuad::report::table(&cuad::report::rows(&import)))?;
    writeln!(terminal::text_output())?;
    write!(terminal::text_output(), "{}", cuad::report::findings_text(&import.findings))?;
    writeln!(terminal::text_output())?;
    for (name, what) in written {
        writeln!(terminal::text_output(), "{}: {what}", args.out.join(name).display())?;
    }
    Ok(())
}
