//! Finds the directory of a model by its name.
//!
//! A name is looked up among the pulled originals (`$KNOCKON_MODELS`, else `models/cache/` below the working directory,
//! else `models/` in the user's cache) and among the int8 models (`models/` below the working directory, else those
//! bundled with the program). A name that contains a path separator, or that is a directory, is taken as a directory.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::adapter::is_adapter;
use super::files::{parse, read_settings, transformer_folder};
use super::registry::ModelTask;
use super::{ModelKind, ModelPrecision, bundled, registry};
use crate::environment::Environment;
use crate::wrong_use::WrongUse;

/// The folder of models below the working directory.
const LOCAL_MODELS: &str = "models";

/// The directory into which models are pulled.
pub fn pulled_dir(environment: &Environment) -> PathBuf {
    let mut dirs = pulled_dirs(environment);
    // Do not create `models/` in a working directory that has none: use the user's cache instead.
    let cached = if Path::new(LOCAL_MODELS).is_dir() { None } else { dirs.pop() };
    cached.unwrap_or_else(|| dirs.swap_remove(0))
}

/// The directories in which pulled models are looked for: one or two.
fn pulled_dirs(environment: &Environment) -> Vec<PathBuf> {
    match environment.models_folder() {
        Some(dir) => vec![dir.to_owned()],
        None => {
            let cached = environment.cache_folder().ok().map(|cache| cache.join("models"));
            std::iter::once(Path::new(LOCAL_MODELS).join("cache")).chain(cached).collect()
        }
    }
}

fn is_model(dir: &Path) -> bool {
    let first = transformer_folder(dir);
    first.join("model.safetensors").is_file() && first.join("config.json").is_file()
}

/// Whether a model directory holds a static table or a transformer, according to its config.json.
///
/// # Errors
/// A file that cannot be read.
pub fn model_kind(dir: &Path) -> anyhow::Result<ModelKind> {
    let path = transformer_folder(dir).join("config.json");
    let config = read_settings(&path)?;
    let config = parse(&path.display().to_string(), &config)?;
    Ok(match config["model_type"].as_str() {
        Some("model2vec") => ModelKind::Static,
        _ => ModelKind::Transformer,
    })
}

/// The directory of a model's original weights, if they were pulled.
pub fn pulled_model_dir(name: &str, environment: &Environment) -> Option<PathBuf> {
    let reader = registry::find(name).filter(|model| matches!(model.purpose, ModelTask::Reads));
    pulled_dirs(environment).into_iter().map(|dir| dir.join(name)).find(|dir| match reader {
        Some(model) => model.files.iter().all(|file| dir.join(file.path).is_file()),
        None => is_model(dir),
    })
}

/// The GGUF file of a language model: `model` itself if it is a file, else the file of the pulled model of that name.
///
/// # Errors
/// No such file; the message names the command that fetches it.
pub fn reader_file(model: &str, environment: &Environment) -> anyhow::Result<PathBuf> {
    let path = Path::new(model);
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let readers = registry::MODELS.iter().filter(|m| matches!(m.purpose, ModelTask::Reads));
    let mut readers: Vec<&registry::RegisteredModel> = readers.collect();
    let Some(known) = readers.iter().find(|known| known.name == model) else {
        readers.sort_by_key(|known| known.name);
        let known: Vec<&str> = readers.iter().map(|known| known.name).collect();
        bail!(
            "there is no language model {model}: neither a GGUF file nor one of {}",
            known.join(", ")
        );
    };
    match pulled_model_dir(model, environment) {
        Some(dir) => Ok(dir.join(known.files[0].path)),
        None => bail!(
            "the language model {model} is not in {}; fetch it with: knockon models pull {model}",
            pulled_dir(environment).display()
        ),
    }
}

/// The int8 form of a model, below the working directory or bundled with the program.
///
/// # Errors
/// The program contains the model, but the cache cannot be written.
pub fn int8_model_dir(name: &str, environment: &Environment) -> anyhow::Result<Option<PathBuf>> {
    match local_model_dir(name) {
        Some(dir) => Ok(Some(dir)),
        None => bundled::folder(name, environment).map(|dir| dir.filter(|dir| is_model(dir))),
    }
}

/// The int8 form of a model below the working directory.
pub fn local_model_dir(name: &str) -> Option<PathBuf> {
    Some(Path::new(LOCAL_MODELS).join(name)).filter(|dir| is_model(dir))
}

/// Whether `adapter` names a LoRA adapter, bundled or in a directory. Nothing is unpacked for the answer.
pub fn is_known_adapter(adapter: &str) -> bool {
    adapter_candidates(adapter).iter().any(|dir| is_adapter(dir)) || bundled::is_adapter(adapter)
}

fn adapter_candidates(adapter: &str) -> [PathBuf; 2] {
    [PathBuf::from(adapter), Path::new(LOCAL_MODELS).join(adapter)]
}

/// The directory of a LoRA adapter: an existing directory, else a bundled adapter of that name.
pub fn adapter_dir(adapter: &str, environment: &Environment) -> Option<PathBuf> {
    adapter_candidates(adapter).into_iter().find(|dir| is_adapter(dir)).or_else(|| {
        bundled::folder(adapter, environment).ok().flatten().filter(|dir| is_adapter(dir))
    })
}

/// The directory of `model` that suits `precision`: for f32 the original; for int8 the bundled form first, so that a
/// vector does not depend on which models were pulled.
///
/// # Errors
/// No model of this name ([`WrongUse`]), or one that is not on disk; the message names the command that fetches it.
pub fn model_dir(
    model: &str,
    precision: ModelPrecision,
    environment: &Environment,
) -> anyhow::Result<PathBuf> {
    let path = Path::new(model);
    if path.components().count() > 1 || path.is_absolute() || is_model(path) {
        if is_model(path) {
            return Ok(path.to_owned());
        }
        let why = format!(
            "{model} is no model directory: it should hold config.json, tokenizer.json and \
             model.safetensors"
        );
        return Err(WrongUse::new(why).into());
    }
    if registry::find(model).is_some_and(|known| matches!(known.purpose, ModelTask::Reads)) {
        let why =
            format!("{model} is a language model, which answers questions; it has no vectors");
        return Err(WrongUse::new(why).into());
    }
    let found = match precision {
        ModelPrecision::F32 => pulled_model_dir(model, environment),
        ModelPrecision::Int8 => {
            int8_model_dir(model, environment)?.or_else(|| pulled_model_dir(model, environment))
        }
    };
    if let Some(dir) = found {
        return Ok(dir);
    }
    let known = registry::encoders().map(|m| m.name).collect::<Vec<_>>().join(", ");
    if registry::find(model).is_none() {
        let why = format!(
            "there is no model {model}: neither among the known ones ({known}) nor as a directory"
        );
        return Err(WrongUse::new(why).into());
    }
    if precision == ModelPrecision::F32 {
        bail!(
            "the f32 weights of {model} are not in {}; fetch them with: knockon models pull {model}",
            pulled_dir(environment).display()
        );
    }
    bail!(
        "the model {model} is neither in models/{model} nor in {}; fetch it with: \
         knockon models pull {model}",
        pulled_dir(environment).display()
    );
}
