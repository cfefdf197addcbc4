//! Checks config.json of the transformer, and that no other file of the directory is left unread.

use serde_json::Value;

use super::known_settings;
use super::model_directory::ModelDirectory;
use super::settings::{DirectoryFaults, check};

/// Checks the settings in config.json, by the architecture that it names.
pub fn check_config(config: &Value, faults: &mut DirectoryFaults) {
    let of_architecture = match config.get("model_type").and_then(Value::as_str) {
        Some("model2vec") => {
            return check("config.json", config, &[known_settings::MODEL2VEC_CONFIG], faults);
        }
        Some("modernbert") => {
            check_rope(config, faults);
            known_settings::MODERN_CONFIG
        }
        Some("mpnet") => known_settings::MPNET_CONFIG,
        Some("bert" | "roberta" | "xlm-roberta" | "camembert") | None => {
            known_settings::BERT_CONFIG
        }
        // An unknown architecture is reported later, when the model is loaded.
        Some(_) => return,
    };
    check("config.json", config, &[known_settings::ANY_CONFIG, of_architecture], faults);
    if let Some(note) = config.get("sentence_transformers").filter(|note| !note.is_null()) {
        check(
            "config.json (sentence_transformers)",
            note,
            &[known_settings::CROSS_ENCODER_NOTE],
            faults,
        );
    }
}

/// Checks the rotary settings of ModernBERT's layers, by kind of layer.
fn check_rope(config: &Value, faults: &mut DirectoryFaults) {
    let Some(parameters) = config.get("rope_parameters").and_then(Value::as_object) else { return };
    let file = "config.json (rope_parameters)";
    check(file, &config["rope_parameters"], &[known_settings::ROPE_PARAMETERS], faults);
    for (kind, rope) in parameters.iter().filter(|(_, rope)| rope.is_object()) {
        check(
            &format!("config.json (rope_parameters.{kind})"),
            rope,
            &[known_settings::ROPE],
            faults,
        );
    }
}

/// Reports JSON and weights files that are neither read nor known to have no effect.
pub fn check_files(source: &ModelDirectory, at: &str, faults: &mut DirectoryFaults) {
    const READ: [&str; 9] = [
        "config.json",
        "modules.json",
        "config_sentence_transformers.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "model.safetensors",
        "artifact.metadata",
    ];
    // The transformer's folder is checked too, unless it is the directory itself, which would be reported twice.
    let folders = if at.is_empty() { vec![""] } else { vec!["", at] };
    for folder in folders {
        for name in ModelDirectory::new(&source.path(folder)).files() {
            let matters = name.ends_with(".json") || name.ends_with(".safetensors");
            let known = READ.contains(&name.as_str())
                || known_settings::SENTENCE_BERT_NAMES.contains(&name.as_str())
                || known_settings::OTHER_JSON.contains(&name.as_str());
            if matters && !name.starts_with('.') && !known {
                faults.add(format!("{folder}{name}: a file not known here, which may change what the model computes"));
            }
        }
    }
}
