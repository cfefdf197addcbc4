//! Reads the modules of a sentence-transformers directory: `modules.json` and the folders that it names.

use std::path::{Component, Path};

use serde_json::Value;

use super::known_settings;
use super::model_directory::ModelDirectory;
use super::module_settings::{DenseSettings, PoolingSettings, read_dense, read_pooling};
use super::settings::{self, DirectoryFaults, SettingReader};
use crate::embed::TokenPooling;

/// A module that follows the transformer.
#[derive(Debug)]
pub enum SentenceModule {
    Normalize,
    Dense { path: String, dense: DenseSettings, weights: Vec<u8> },
    LayerNorm { path: String, dimension: Option<usize>, weights: Vec<u8> },
}

/// The modules of a model, in order.
#[derive(Debug, Default)]
pub struct ModulePipeline {
    /// The folder of the transformer or the table; empty for the directory itself.
    pub transformer_folder: String,
    /// The modules applied to each token's vector.
    pub token_modules: Vec<SentenceModule>,
    /// `None` for a model that returns token vectors.
    pub pooling: Option<PoolingSettings>,
    /// The modules applied to the pooled vector.
    pub text_modules: Vec<SentenceModule>,
}

/// What a module is applied to.
#[derive(Clone, Copy, PartialEq)]
enum ModuleStage {
    Tokens,
    Text,
}

impl ModulePipeline {
    /// Reads modules.json. Without one, the directory is a transformer followed by a pooling, which is the mean unless
    /// 1_Pooling/config.json says otherwise.
    pub fn read(
        source: &mut ModelDirectory,
        faults: &mut DirectoryFaults,
    ) -> anyhow::Result<ModulePipeline> {
        let Some(modules) = source.json("modules.json")? else {
            for folder in source.folders() {
                if folder != "1_Pooling" && is_module_folder(&folder) {
                    faults.add(format!("{folder} is a module's folder, and there is no modules.json that says where it belongs"));
                }
            }
            let pooling = match source.json("1_Pooling/config.json")? {
                Some(json) => read_pooling("1_Pooling/config.json", &json, faults),
                None => PoolingSettings {
                    modes: vec![TokenPooling::Mean],
                    include_prompt: true,
                    inputs: None,
                },
            };
            return Ok(ModulePipeline { pooling: Some(pooling), ..ModulePipeline::default() });
        };
        let Some(modules) = modules.as_array().filter(|modules| !modules.is_empty()) else {
            faults.add("modules.json is not a list of modules");
            return Ok(ModulePipeline::default());
        };
        let mut pipeline = ModulePipeline::default();
        for (place, module) in modules.iter().enumerate() {
            settings::check("modules.json", module, &[known_settings::MODULE], faults);
            let class = module.get("type").and_then(Value::as_str).unwrap_or_default();
            let path = module.get("path").and_then(Value::as_str).unwrap_or_default();
            let Some(path) = path_inside(path) else {
                faults.add(format!(
                    "modules.json: the path `{path}` of {class} is outside the model's directory"
                ));
                continue;
            };
            pipeline.add(place, class, path, source, faults)?;
        }
        Ok(pipeline)
    }

    /// Reads the modules.json of a cross-encoder, in which sentence-transformers 6 lists a single transformer.
    pub fn read_scoring(
        source: &mut ModelDirectory,
        faults: &mut DirectoryFaults,
    ) -> anyhow::Result<ModulePipeline> {
        let Some(modules) = source.json("modules.json")? else {
            return Ok(ModulePipeline::default());
        };
        let classes: Vec<&str> = modules
            .as_array()
            .into_iter()
            .flatten()
            .map(|module| module.get("type").and_then(Value::as_str).unwrap_or("?"))
            .collect();
        match classes.as_slice() {
            [class]
                if class.starts_with("sentence_transformers.")
                    && class.ends_with(".Transformer") =>
            {
                settings::check("modules.json", &modules[0], &[known_settings::MODULE], faults);
                if modules[0]["path"] != "" {
                    faults.add(
                        "modules.json: the transformer of a cross-encoder lies in the directory itself",
                    );
                }
            }
            [] => faults.add("modules.json is not a list of modules"),
            _ => faults.add(format!(
                "modules.json: a cross-encoder may contain only a Transformer, not {}",
                classes.join(", ")
            )),
        }
        Ok(ModulePipeline::default())
    }

    fn add(
        &mut self,
        place: usize,
        class: &str,
        path: String,
        source: &mut ModelDirectory,
        faults: &mut DirectoryFaults,
    ) -> anyhow::Result<()> {
        let name = match supported_class(class) {
            Some(name) if (place == 0) == matches!(name, "Transformer" | "StaticEmbedding") => name,
            Some(_) if place == 0 => {
                faults.add(format!("modules.json: the first module is {class}; a model begins with Transformer or StaticEmbedding"));
                return Ok(());
            }
            _ => {
                faults.add(format!(
                    "modules.json: module {place} ({path}) is {class}; Transformer, Pooling, Dense, LayerNorm, Normalize and \
                     Dropout of sentence-transformers are supported, and Dense of PyLate"
                ));
                return Ok(());
            }
        };
        let stage = if self.pooling.is_none() { ModuleStage::Tokens } else { ModuleStage::Text };
        let config = format!("{path}/config.json");
        let weights = format!("{path}/model.safetensors");
        match name {
            "Transformer" | "StaticEmbedding" => {
                // A static table returns one vector per text, as if already pooled.
                if name == "StaticEmbedding" {
                    let modes = vec![TokenPooling::Mean];
                    self.pooling =
                        Some(PoolingSettings { modes, include_prompt: true, inputs: None });
                }
                self.transformer_folder = path;
            }
            "Pooling" if stage == ModuleStage::Text => {
                faults.add(format!("modules.json: module {place} ({path}) pools a second time"))
            }
            "Pooling" => {
                self.pooling = Some(match source.json(&config)? {
                    Some(json) => read_pooling(&config, &json, faults),
                    None => {
                        faults.add(format!("{config} is missing"));
                        return Ok(());
                    }
                });
            }
            "Dropout" => {
                if let Some(json) = source.json(&config)? {
                    settings::check(&config, &json, &[known_settings::DROPOUT], faults);
                }
            }
            "Normalize" => {
                let json = source.json(&config)?;
                if let Some(json) = &json {
                    settings::check(&config, json, &[known_settings::NORMALIZE], faults);
                }
                check_module_input(stage, &config, json.as_ref(), ModuleStage::Text, faults);
                self.push(stage, SentenceModule::Normalize);
            }
            "LayerNorm" => {
                let json = source.json(&config)?;
                if let Some(json) = &json {
                    settings::check(&config, json, &[known_settings::LAYER_NORM], faults);
                }
                if stage == ModuleStage::Tokens {
                    faults.add(format!(
                        "modules.json: module {place} ({path}) norms before the pooling"
                    ));
                }
                let dimension =
                    SettingReader::new(&config, json.as_ref(), faults).count("dimension");
                let weights = source.read_bytes(&weights)?;
                self.push(stage, SentenceModule::LayerNorm { path, dimension, weights });
            }
            _ => {
                let Some(json) = source.json(&config)? else {
                    faults.add(format!("{config} is missing"));
                    return Ok(());
                };
                let of_tokens = match class.starts_with("pylate.") {
                    true => ModuleStage::Tokens,
                    false => ModuleStage::Text,
                };
                // In a model without a pooling, a dense layer applies to tokens, as in PyLate.
                let usual =
                    if stage == ModuleStage::Tokens { ModuleStage::Tokens } else { of_tokens };
                check_module_input(stage, &config, Some(&json), usual, faults);
                let dense = read_dense(&config, &json, faults);
                let weights = source.read_bytes(&weights)?;
                self.push(stage, SentenceModule::Dense { path, dense, weights });
            }
        }
        Ok(())
    }

    fn push(&mut self, stage: ModuleStage, module: SentenceModule) {
        match stage {
            ModuleStage::Tokens => self.token_modules.push(module),
            ModuleStage::Text => self.text_modules.push(module),
        }
    }

    /// Whether the last module normalises the vectors.
    pub fn ends_normalized(&self) -> bool {
        matches!(self.text_modules.last(), Some(SentenceModule::Normalize))
    }
}

/// The last part of a class's name; `None` for a class that is not supported.
fn supported_class(class: &str) -> Option<&str> {
    let name = class.rsplit('.').next()?;
    let dense_of_pylate = class.starts_with("pylate.models.") && name == "Dense";
    // Compare whole paths: sparse and multi-vector encoders have modules of the same names.
    let dense_encoder = class.starts_with("sentence_transformers.models.")
        || class.starts_with("sentence_transformers.base.modules.")
        || class.starts_with("sentence_transformers.sentence_transformer.modules.");
    let names =
        ["Transformer", "StaticEmbedding", "Pooling", "Dense", "LayerNorm", "Normalize", "Dropout"];
    (dense_of_pylate || dense_encoder && names.contains(&name)).then_some(name)
}

/// Normalises a relative path to parts separated by `/`, empty for the directory itself; `None` if it leaves the
/// directory.
pub fn path_inside(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in Path::new(path).components() {
        match part {
            Component::Normal(part) => parts.push(part.to_str()?.to_owned()),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.join("/")).filter(|path| !path.contains('\\'))
}

/// Whether a folder has a module's name, such as `1_Dense`.
fn is_module_folder(name: &str) -> bool {
    name.split_once('_').is_some_and(|(number, _)| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Reports a module whose declared input or output does not match its position.
fn check_module_input(
    at: ModuleStage,
    file: &str,
    json: Option<&Value>,
    usual: ModuleStage,
    faults: &mut DirectoryFaults,
) {
    let mut reader = SettingReader::new(file, json, faults);
    let input = reader.text("module_input_name").unwrap_or(vectors_name(usual));
    let output = reader.text("module_output_name").unwrap_or(input);
    for (key, found) in [("module_input_name", input), ("module_output_name", output)] {
        if found != vectors_name(at) {
            let expected = vectors_name(at);
            reader.fault(format!("`{key}` is {found}; at this place only {expected} is supported"));
            return;
        }
    }
}

/// What sentence-transformers calls the vectors that a module is applied to.
fn vectors_name(stage: ModuleStage) -> &'static str {
    match stage {
        ModuleStage::Tokens => "token_embeddings",
        ModuleStage::Text => "sentence_embedding",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside() {
        for (path, expected) in [
            ("", Some("")),
            (".", Some("")),
            ("1_Pooling", Some("1_Pooling")),
            ("./a/b/", Some("a/b")),
            ("..", None),
            ("a/../../b", None),
            ("/etc", None),
        ] {
            assert_eq!(path_inside(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn classes_of_other_kinds_of_model_are_not_known() {
        for class in [
            "sentence_transformers.sparse_encoder.models.SpladePooling",
            "sentence_transformers.models.WeightedLayerPooling",
            "sentence_transformers.models.CNN",
            "sentence_transformers.models.LSTM",
            "sentence_transformers.multi_vector_encoder.modules.Normalize",
            "custom_st.Transformer",
            "Pooling",
            "",
        ] {
            assert_eq!(supported_class(class), None, "{class}");
        }
        for class in [
            "sentence_transformers.models.Transformer",
            "sentence_transformers.base.modules.transformer.Transformer",
        ] {
            assert_eq!(supported_class(class), Some("Transformer"), "{class}");
        }
        assert_eq!(supported_class("pylate.models.Dense.Dense"), Some("Dense"));
    }
}
