//! `knockon embed`: computes the vectors of texts.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use serde::Serialize;

use super::progress::ProgressBars;
use super::terminal::{self, complain};
use super::{
    EXIT_FINDING, EXIT_SUCCESS, OverwriteArgs, THREAD_RANGE, input_files, load_scenario,
    set_thread_count,
};
use crate::embed::registry::{self, ModelTask};
use crate::embed::{EmbeddingVectors, ModelKind, ModelPrecision, ModelSpec, TextRole, model_paths};
use crate::environment::Environment;
use crate::expr::suggest;
use crate::input_file;
use crate::output::OwnershipProof;
use crate::progress::ProgressListener;
use crate::scenario::{EmbedderKind, Scenario};
use crate::world::text_list;
use crate::wrong_use::WrongUse;

/// Compute the vectors of texts
#[derive(clap::Args)]
#[command(after_help = "Examples:
  echo \"notice of non-renewal\" | knockon embed --model all-MiniLM-L6-v2 --role query
  knockon embed --model potion-base-8M texts.txt --out vectors.npy
  knockon embed --scenario scenarios/renewal_desk.yaml --embedder minilm texts.txt --out vectors.npy

A text is a line; of a .jsonl file, the `text` of each object. Written is JSON, one object a line with \
`text` and `vector`, or, to a file that ends in .npy, one array of 32-bit numbers with a row a text. \
A line without a text is refused, so that vectors stand in the order of the lines. Vectors are cached as in a \
run.")]
pub struct EmbedArgs {
    /// File with the texts [default: stdin]
    file: Option<PathBuf>,
    /// A name from `knockon models list`, or a directory
    #[arg(
        long,
        value_name = "NAME",
        required_unless_present = "embedder",
        conflicts_with = "embedder"
    )]
    model: Option<String>,
    /// With --model: the precision of the weights
    #[arg(long, value_enum, default_value_t = EmbedPrecisionArg::Int8, conflicts_with = "embedder")]
    precision: EmbedPrecisionArg,
    /// Take the embedder from this scenario
    #[arg(long, value_name = "FILE", requires = "embedder")]
    scenario: Option<PathBuf>,
    /// With --scenario: the name of the embedder there
    #[arg(long, value_name = "NAME", requires = "scenario")]
    embedder: Option<String>,
    /// Whether the texts are queries or passages; some models prepend a different prefix to each
    #[arg(long, value_enum, default_value_t = TextRoleArg::Passage)]
    role: TextRoleArg,
    /// Write to this file (.jsonl or .npy) instead of the terminal
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    force: OverwriteArgs,
    /// Threads; results do not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(THREAD_RANGE))]
    threads: Option<u16>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum EmbedPrecisionArg {
    Int8,
    F32,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum TextRoleArg {
    Query,
    Passage,
}

pub fn run(args: &EmbedArgs) -> anyhow::Result<ExitCode> {
    set_thread_count(args.threads)?;
    let environment = Environment::from_process();
    let mut output = args.force.output().with_inputs(&args.file);
    let kind: Arc<dyn EmbedderKind> = match (&args.scenario, &args.embedder, &args.model) {
        (Some(file), Some(name), _) => match load_scenario(file) {
            Err(code) => return Ok(code),
            Ok(scenario) => {
                output = output.with_inputs(input_files(&scenario));
                declared_embedder(scenario, name)?
            }
        },
        (_, _, Some(model)) => {
            let precision = match args.precision {
                EmbedPrecisionArg::Int8 => ModelPrecision::Int8,
                EmbedPrecisionArg::F32 => ModelPrecision::F32,
            };
            Arc::new(model_spec(model, precision, &environment)?)
        }
        _ => {
            return Err(WrongUse::new("name a --model, or a --scenario and an --embedder").into());
        }
    };
    let npy = match &args.out {
        None => false,
        Some(path) => is_npy(path)?,
    };
    if let Some(path) = &args.out {
        // Before the work: embedding can take minutes.
        output.check_file(path, OwnershipProof::SameBytes)?;
    }
    let texts = match &args.file {
        Some(path) => text_list::read_each_line(path, &ProgressBars::new())?,
        None => {
            let stdin =
                input_file::read_stream(std::io::stdin()).context("cannot read the texts")?;
            text_list::read_each_stdin_line(stdin)?
        }
    };
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let role = match args.role {
        TextRoleArg::Query => TextRole::Query,
        TextRoleArg::Passage => TextRole::Passage,
    };
    let Some(model) = kind.vector_model() else {
        let why = "--embedder: it makes no vectors; static, transformer and http do";
        return Err(WrongUse::new(why).into());
    };
    let (name, model) = (model.model_name(), model.load(&environment)?);
    let bars = ProgressBars::new();
    let progress: &dyn ProgressListener = &bars;
    let vectors = {
        let work = progress.start(&format!("{name}: embedding"), texts.len());
        model.embed(role, &texts, &|n| work.advance(n))
    };
    let vectors = match vectors {
        Ok(vectors) => vectors,
        Err(error) => {
            complain!("error: {error:#}");
            return Ok(ExitCode::from(EXIT_FINDING));
        }
    };
    let bytes = if npy { npy_bytes(&vectors) } else { json_lines(&texts, &vectors)? };
    match &args.out {
        Some(path) => output.write_file(path, &bytes, OwnershipProof::SameBytes)?,
        None => terminal::data_output().write_all(&bytes)?,
    }
    Ok(ExitCode::from(EXIT_SUCCESS))
}

/// The settings of an embedder that a scenario declares.
fn declared_embedder(scenario: Scenario, name: &str) -> anyhow::Result<Arc<dyn EmbedderKind>> {
    let all: Vec<&str> = scenario.embedders.iter().map(|e| e.name.as_str()).collect();
    let at = all.iter().position(|known| *known == name).ok_or_else(|| {
        let near =
            suggest(name, all.iter().copied()).map_or_else(String::new, |near| format!("; {near}"));
        WrongUse::new(format!(
            "--embedder: no embedder '{name}'; there are {}{near}",
            all.join(", ")
        ))
    })?;
    Ok(scenario.embedders[at].kind.clone())
}

/// Whether a file of vectors is an array of NumPy, by its name; the other format is JSON lines.
fn is_npy(out: &Path) -> Result<bool, WrongUse> {
    let extension = out.extension().map(|extension| extension.to_ascii_lowercase());
    match extension.as_ref().and_then(|extension| extension.to_str()) {
        Some("npy") => Ok(true),
        Some("jsonl") => Ok(false),
        _ => Err(WrongUse::new("--out: the file's name ends in .jsonl or .npy")),
    }
}

/// The settings of a model, given by its registered name or by a directory, whose files determine its kind.
pub(super) fn model_spec(
    model: &str,
    precision: ModelPrecision,
    environment: &Environment,
) -> anyhow::Result<ModelSpec> {
    let kind = match registry::find(model).map(|known| known.purpose) {
        Some(ModelTask::Embeds { kind, .. }) => kind,
        Some(ModelTask::Reranks) => {
            let why = format!("{model} scores pairs of texts; it has no vectors");
            return Err(WrongUse::new(why).into());
        }
        Some(ModelTask::Reads) => {
            let why = format!("{model} answers questions; it has no vectors");
            return Err(WrongUse::new(why).into());
        }
        None if model_paths::adapter_dir(model, environment).is_some() => ModelKind::Transformer,
        None => {
            let dir = model_paths::model_dir(model, precision, environment)?;
            model_paths::model_kind(&dir)?
        }
    };
    Ok(ModelSpec::new(kind, model).with_precision(precision))
}

#[derive(Serialize)]
struct EmbeddingLine<'a> {
    text: &'a str,
    vector: &'a [f32],
}

fn json_lines(texts: &[&str], vectors: &EmbeddingVectors) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for (row, text) in texts.iter().enumerate() {
        serde_json::to_writer(&mut bytes, &EmbeddingLine { text, vector: vectors.row(row) })?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// NumPy's file format, version 1.0: the header is padded so that the data starts at a multiple of 64 bytes.
fn npy_bytes(vectors: &EmbeddingVectors) -> Vec<u8> {
    let shape = (vectors.len(), vectors.dim);
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape:?}, }}");
    const BEFORE: usize = 10;
    let end = (BEFORE + header.len() + 1).next_multiple_of(64);
    header.push_str(&" ".repeat(end - BEFORE - header.len() - 1));
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(vectors.data.iter().flat_map(|x| x.to_le_bytes()));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn npy_bytes_match_numpy() {
        let bytes =
            npy_bytes(&EmbeddingVectors { dim: 2, data: vec![1.0, -2.0, 0.5, 0.0, 3.0, 4.0] });
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
        assert_eq!(bytes.len(), 128 + 24);
        assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\x76\x00");
        assert_eq!(String::from_utf8_lossy(&bytes[10..127]).trim_end(), header);
        assert_eq!((bytes[127], &bytes[128..132]), (b'\n', &1.0_f32.to_le_bytes()[..]));
    }
}
