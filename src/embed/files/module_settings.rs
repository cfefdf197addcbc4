//! The settings of a pooling and of a dense layer, from their config.json.

use serde_json::Value;

use super::known_settings;
use super::settings::{self, DirectoryFaults, SettingReader};
use crate::embed::TokenPooling;

/// A linear layer, `activation(W x + b)`; with `residual`, `x` or a linear map of it is added.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseSettings {
    pub inputs: usize,
    pub outputs: usize,
    pub bias: bool,
    pub activation: DenseActivation,
    pub residual: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenseActivation {
    Identity,
    Tanh,
    Relu,
    Gelu,
    Sigmoid,
}

/// How token vectors are pooled: the concatenated results of all modes.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolingSettings {
    pub modes: Vec<TokenPooling>,
    /// Whether the tokens of a prefix take part in the pooling.
    pub include_prompt: bool,
    /// The number of dimensions of a token vector, if the file states it.
    pub inputs: Option<usize>,
}

/// Reads how token vectors are pooled.
pub fn read_pooling(file: &str, json: &Value, faults: &mut DirectoryFaults) -> PoolingSettings {
    settings::check(file, json, &[known_settings::POOLING], faults);
    let mut reader = SettingReader::new(file, Some(json), faults);
    let inputs = reader.count("embedding_dimension");
    let inputs = inputs.or(reader.count("word_embedding_dimension"));
    let include_prompt = reader.flag("include_prompt").unwrap_or(true);
    let words: Vec<String> = match json.get("pooling_mode") {
        None | Some(Value::Null) => pooling_flags(&mut reader),
        Some(Value::String(word)) => vec![word.to_lowercase()],
        Some(Value::Array(list)) => {
            list.iter().map(|word| word.as_str().unwrap_or("?").to_lowercase()).collect()
        }
        Some(other) => {
            let other = settings::abbreviated(other);
            reader.fault(format!("`pooling_mode` is {other}, not a word or a list of words"));
            Vec::new()
        }
    };
    let mut modes = Vec::new();
    for word in &words {
        match word.as_str() {
            "mean" => modes.push(TokenPooling::Mean),
            "cls" => modes.push(TokenPooling::Cls),
            "max" => modes.push(TokenPooling::Max),
            "lasttoken" => modes.push(TokenPooling::Last),
            "mean_sqrt_len_tokens" => modes.push(TokenPooling::MeanSqrtLength),
            "weightedmean" => modes.push(TokenPooling::WeightedMean),
            other => reader.fault(format!(
                "`pooling_mode` is `{other}`; mean, cls, max, lasttoken, mean_sqrt_len_tokens and weightedmean are \
                 carried out"
            )),
        }
    }
    // The default of sentence-transformers; it also stands in for modes that were faulty.
    if modes.is_empty() {
        modes.push(TokenPooling::Mean);
    }
    PoolingSettings { modes, include_prompt, inputs }
}

/// The modes as stored before sentence-transformers 6, in the order in which that release reads them.
fn pooling_flags(reader: &mut SettingReader) -> Vec<String> {
    let flags = [
        ("pooling_mode_cls_token", "cls"),
        ("pooling_mode_max_tokens", "max"),
        ("pooling_mode_mean_tokens", "mean"),
        ("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens"),
        ("pooling_mode_weightedmean_tokens", "weightedmean"),
        ("pooling_mode_lasttoken", "lasttoken"),
    ];
    let on = flags.into_iter().filter(|(key, _)| reader.flag(key) == Some(true));
    on.map(|(_, word)| word.to_owned()).collect()
}

/// Reads the settings of a linear layer.
pub fn read_dense(file: &str, json: &Value, faults: &mut DirectoryFaults) -> DenseSettings {
    settings::check(file, json, &[known_settings::DENSE], faults);
    let mut reader = SettingReader::new(file, Some(json), faults);
    // Models older than this setting use tanh.
    let class = reader.text("activation_function").unwrap_or("torch.nn.modules.activation.Tanh");
    let activation = match class {
        "torch.nn.modules.linear.Identity" | "torch.nn.Identity" => DenseActivation::Identity,
        "torch.nn.modules.activation.Tanh" | "torch.nn.Tanh" => DenseActivation::Tanh,
        "torch.nn.modules.activation.ReLU" | "torch.nn.ReLU" => DenseActivation::Relu,
        "torch.nn.modules.activation.GELU" | "torch.nn.GELU" => DenseActivation::Gelu,
        "torch.nn.modules.activation.Sigmoid" | "torch.nn.Sigmoid" => DenseActivation::Sigmoid,
        other => {
            reader.fault(format!(
                "`activation_function` is {other}; Identity, Tanh, ReLU, GELU and Sigmoid of torch.nn are supported"
            ));
            DenseActivation::Identity
        }
    };
    let (inputs, outputs) = (reader.count("in_features"), reader.count("out_features"));
    if inputs.is_none() || outputs.is_none() {
        reader.fault("`in_features` and `out_features` are needed".to_owned());
    }
    DenseSettings {
        inputs: inputs.unwrap_or(0),
        outputs: outputs.unwrap_or(0),
        bias: reader.flag("bias").unwrap_or(true),
        activation,
        residual: reader.flag("use_residual").unwrap_or(false),
    }
}
