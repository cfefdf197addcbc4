//! Reads and checks the files of a model directory. No module, file or setting is silently ignored: each is applied,
//! known to have no effect on vectors, or reported, all faults in one message.
//!
//! The reference is the library that writes the layout: sentence-transformers 6 (and PyLate, Stanford's ColBERT,
//! model2vec). Settings are in [`known_settings`], modules in [`modules`].

mod config;
mod known_settings;
mod late_interaction;
mod model_directory;
mod model_files;
mod module_settings;
mod modules;
mod purpose;
mod sentence_settings;
mod settings;
mod tokenizer;

pub use known_settings::{IGNORED_TENSORS, LORA};
pub use late_interaction::LateInteraction;
pub use model_directory::{parse, read_settings, read_weights};
pub use model_files::{ModelFiles, transformer_folder};
pub use module_settings::{DenseActivation, DenseSettings};
pub use modules::SentenceModule;
pub use purpose::{LoadPurpose, detect_purpose};
pub use settings::{DirectoryFaults, SettingReader, abbreviated, check};
pub use tokenizer::{TokenizerFiles, UnknownToken};
