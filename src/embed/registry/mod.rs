//! The models known by name, and the sources of their original weights. Checksums pin every file.

mod cross_encoders;
mod embedding_models;
mod reader_models;
mod registered_model;

use cross_encoders::BERT_MINI;
use embedding_models::{ARCTIC, GTE, MINILM, MPNET, POTION};
use reader_models::{QWEN, QWEN_SMALL, SMOLLM2};
pub use registered_model::{
    FileOrigin, HubRepository, ModelPackage, ModelTask, OnnxSource, PackageForm, RegisteredFile,
    RegisteredModel, UNKNOWN_SIZE,
};

/// All models, in the order of `knockon models list`.
pub const MODELS: &[RegisteredModel] =
    &[POTION, MINILM, GTE, ARCTIC, MPNET, BERT_MINI, SMOLLM2, QWEN_SMALL, QWEN];

/// The models that embed texts or score pairs.
pub fn encoders() -> impl Iterator<Item = &'static RegisteredModel> {
    MODELS.iter().filter(|model| !matches!(model.purpose, ModelTask::Reads))
}

/// The model with this name.
pub fn find(name: &str) -> Option<&'static RegisteredModel> {
    MODELS.iter().find(|m| m.name == name)
}
