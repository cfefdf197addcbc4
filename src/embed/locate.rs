//! From a model's name to its directory.
//!
//! A name is looked up among the pulled originals (`models/cache/`, or `$KNOCKON_MODELS`) and the
//! bundled int8 models (`models/`), both below the working directory and, failing that, below the
//! source directory that the program was built from. Whatever contains a path separator, or is a
//! directory, is taken as a directory.

use std::path::{Path, PathBuf};

use anyhow::bail;

use super::adapter::is_adapter;
use super::{Precision, registry};

/// Sets the directory of pulled models.
pub const MODELS_VARIABLE: &str = "KNOCKON_MODELS";

/// Where pulled models lie, and new ones go.
pub fn pulled_dir() -> PathBuf {
    match std::env::var_os(MODELS_VARIABLE) {
        Some(dir) if !dir.is_empty() => dir.into(),
        _ => roots()
            .into_iter()
            .map(|root| root.join("models"))
            .find(|dir| dir.is_dir())
            .unwrap_or_else(|| "models".into())
            .join("cache"),
    }
}

fn roots() -> [PathBuf; 2] {
    [PathBuf::from("."), PathBuf::from(env!("CARGO_MANIFEST_DIR"))]
}

fn is_model(dir: &Path) -> bool {
    dir.join("model.safetensors").is_file() && dir.join("config.json").is_file()
}

/// The original weights of a model, where they were pulled.
pub fn pulled(name: &str) -> Option<PathBuf> {
    Some(pulled_dir().join(name)).filter(|dir| is_model(dir))
}

/// The int8 form of a model that came with the program.
pub fn bundled(name: &str) -> Option<PathBuf> {
    roots().into_iter().map(|root| root.join("models").join(name)).find(|dir| is_model(dir))
}

/// The directory of a LoRA adapter: one that is there, else that of an adapter that came with the program, by
/// its name.
pub fn adapter_dir(adapter: &str) -> Option<PathBuf> {
    let bundled = roots().into_iter().map(|root| root.join("models").join(adapter));
    std::iter::once(PathBuf::from(adapter)).chain(bundled).find(|dir| is_adapter(dir))
}

/// The directory for `model` that serves `precision` best: for int8 the bundled form, so that a
/// vector does not depend on what was pulled; for f32 the original.
///
/// # Errors
/// Nothing there; the message names the command that helps.
pub fn model_dir(model: &str, precision: Precision) -> anyhow::Result<PathBuf> {
    let path = Path::new(model);
    if path.components().count() > 1 || path.is_absolute() || is_model(path) {
        if is_model(path) {
            return Ok(path.to_owned());
        }
        bail!(
            "{model} is no model directory: it should hold config.json, tokenizer.json and \
             model.safetensors"
        );
    }
    let found = match precision {
        Precision::F32 => pulled(model),
        Precision::Int8 => bundled(model).or_else(|| pulled(model)),
    };
    if let Some(dir) = found {
        return Ok(dir);
    }
    let known = registry::MODELS.iter().map(|m| m.name).collect::<Vec<_>>().join(", ");
    if registry::find(model).is_none() {
        bail!(
            "there is no model {model}: neither among the known ones ({known}) nor as a directory"
        );
    }
    if precision == Precision::F32 {
        bail!(
            "the f32 weights of {model} are not in {}; fetch them with: knockon models pull {model}",
            pulled_dir().display()
        );
    }
    bail!(
        "the model {model} is neither in models/{model} nor in {}; fetch it with: \
         knockon models pull {model}",
        pulled_dir().display()
    );
}
