//! Writes the tuned model: a directory in the layout of Hugging Face and sentence-transformers, or a LoRA adapter
//! in that of PEFT; in both cases with a record of its origin.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

use super::adamw::AdamWSchedule;
use super::checkpoint::{self, MAX_FILE_BYTES, TrainingState};
use super::layer_parameters::unflatten;
use super::method::{LoraParameters, TunedParameters};
use super::network::TunableNetwork;
use super::settings::TrainingSettings;
use crate::atomic_file;
use crate::embed::TokenPooling;
use crate::embed::bert::tunable::TunableModel;
use crate::input_file;

/// The file that records the settings, the version and the checksums of a result.
pub const NOTE_FILE: &str = "training.json";

/// The file with the loss of each step.
const LOSS_FILE: &str = "loss.csv";

/// The files of a result that cannot be copied again from the base model.
pub const RESULT_FILES: [&str; 6] = [
    NOTE_FILE,
    LOSS_FILE,
    "config.json",
    "model.safetensors",
    "adapter_config.json",
    "adapter_model.safetensors",
];

/// Whether a run was started or finished in `dir`: it would be resumed, or rejected if its settings were different.
pub fn has_training(dir: &Path) -> bool {
    dir.join(NOTE_FILE).exists() || dir.join(checkpoint::CHECKPOINT_FILE).exists()
}

/// Files that are copied from the base model if they exist.
const COPIED_FILES: [&str; 5] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "config_sentence_transformers.json",
];

/// Keys of the note: the checksums of all files, and that of the note itself, computed with zeros in its place.
const FILE_CHECKSUMS_KEY: &str = "blake3";
const NOTE_CHECKSUM_KEY: &str = "checksum";

/// An output folder, with the checksums of the files written so far.
struct TuningResultFolder<'a> {
    dir: &'a Path,
    checksums: BTreeMap<String, String>,
}

impl TuningResultFolder<'_> {
    fn write(&mut self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.dir.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)
                .with_context(|| format!("cannot create {}", parent.display()))?;
        }
        atomic_file::write(&path, bytes)?;
        self.checksums.insert(name.to_owned(), blake3::hash(bytes).to_hex().to_string());
        Ok(())
    }

    fn write_json(&mut self, name: &str, value: &Value) -> anyhow::Result<()> {
        self.write(name, &pretty_json(value)?)
    }
}

fn pretty_json(value: &Value) -> anyhow::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Checks that all files of a result are as [`write`] wrote them; `note` is the parsed content of `bytes`.
///
/// # Errors
/// The first file that is not, by name.
pub fn check(dir: &Path, bytes: &[u8], note: &Value) -> anyhow::Result<()> {
    let text = std::str::from_utf8(bytes).context(NOTE_FILE)?;
    let own = note[NOTE_CHECKSUM_KEY].as_str().filter(|sum| !sum.is_empty());
    let (Some(own), Some(sums)) = (own, note[FILE_CHECKSUMS_KEY].as_object()) else {
        bail!("{NOTE_FILE} has no checksums: it was damaged, or an earlier version wrote it");
    };
    ensure!(own == note_checksum(text, own), "{NOTE_FILE} was changed since it was written");
    for (name, sum) in sums {
        let file = dir.join(name);
        match input_file::read_up_to(MAX_FILE_BYTES, &file) {
            Ok(found) if blake3::hash(&found).to_hex().as_str() == sum.as_str().unwrap_or("") => {}
            Ok(_) => bail!("{name} was changed since it was written: its checksum differs"),
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", file.display())),
        }
    }
    Ok(())
}

fn note_checksum(text: &str, own: &str) -> String {
    let text = text.replacen(own, &"0".repeat(own.len()), 1);
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Writes the result to `dir`. The note, which marks the result as complete, is written last.
pub fn write(
    dir: &Path,
    base: TunableModel,
    network: &TunableNetwork,
    tuned: &TunedParameters,
    settings: &TrainingSettings,
    state: &TrainingState,
    pace: &AdamWSchedule,
) -> anyhow::Result<()> {
    let mut folder = TuningResultFolder { dir, checksums: BTreeMap::new() };
    write_log(&mut folder, state, pace)?;
    match tuned.as_lora() {
        Some(lora) => write_adapter(&mut folder, &base, lora, &state.theta, settings)?,
        None => write_model(&mut folder, base, network)?,
    }
    // The note contains its own checksum, computed with zeros in its place.
    let own = "0".repeat(2 * blake3::OUT_LEN);
    let note = json!({
        "knockon": env!("CARGO_PKG_VERSION"),
        NOTE_CHECKSUM_KEY: own,
        "settings": settings,
        "last_loss": state.log.last().map(|logged| logged.loss),
        FILE_CHECKSUMS_KEY: folder.checksums,
    });
    let note = String::from_utf8(pretty_json(&note)?)?;
    let note = note.replacen(&own, &note_checksum(&note, &own), 1);
    folder.write(NOTE_FILE, note.as_bytes())
}

fn write_log(
    folder: &mut TuningResultFolder,
    state: &TrainingState,
    pace: &AdamWSchedule,
) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["step", "rate", "loss", "gradient_length"])?;
    for (step, logged) in state.log.iter().enumerate() {
        let numbers = [pace.rate(step), logged.loss, logged.gradient_norm].map(|n| n.to_string());
        csv.write_field((step + 1).to_string())?;
        csv.write_record(numbers)?;
    }
    folder.write(LOSS_FILE, &csv.into_inner()?)
}

/// Reads the losses that [`write`] wrote.
pub fn read_losses(dir: &Path) -> anyhow::Result<Vec<f64>> {
    let path = dir.join(LOSS_FILE);
    parse_losses(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn parse_losses(path: &Path) -> anyhow::Result<Vec<f64>> {
    let mut losses = Vec::new();
    for row in csv::Reader::from_reader(&*input_file::read(path)?).records() {
        losses.push(row?.get(2).unwrap_or_default().parse()?);
    }
    Ok(losses)
}

fn write_adapter(
    folder: &mut TuningResultFolder,
    base: &TunableModel,
    lora: &LoraParameters,
    theta: &[f32],
    settings: &TrainingSettings,
) -> anyhow::Result<()> {
    let mut tensors = Vec::new();
    for (at, pairs) in lora.pairs.iter().enumerate() {
        for (name, pair) in base.encoder.linear_names(at).iter().zip(pairs) {
            for (part, range, cols) in
                [("A", &pair.a, pair.a.len() / lora.rank), ("B", &pair.b, lora.rank)]
            {
                let name = format!("base_model.model.{name}.lora_{part}.weight");
                let numbers = &theta[range.clone()];
                tensors.push((name, vec![numbers.len() / cols, cols], numbers));
            }
        }
    }
    // Names without the layer's number. They keep two parts each, since the pooler has a `dense` as well.
    let modules: Vec<String> = base
        .encoder
        .linear_names(0)
        .iter()
        .map(|name| name.trim_start_matches("encoder.layer.0.").to_owned())
        .collect();
    let config = json!({
        "peft_type": "LORA",
        "task_type": "FEATURE_EXTRACTION",
        "base_model_name_or_path": settings.base.model,
        "r": lora.rank,
        "lora_alpha": settings.recipe.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "target_modules": modules,
    });
    folder.write_json("adapter_config.json", &config)?;
    write_tensors(folder, "adapter_model.safetensors", &tensors)
}

fn write_model(
    folder: &mut TuningResultFolder,
    mut base: TunableModel,
    network: &TunableNetwork,
) -> anyhow::Result<()> {
    folder.write_json("config.json", &base.config_json)?;
    for name in COPIED_FILES {
        if let Ok(bytes) = input_file::read(&base.dir.join(name)) {
            folder.write(name, &bytes)?;
        }
    }
    let hidden = network.hidden();
    // All modes are written: sentence-transformers before version 6 takes a missing mean for true.
    let modes = [
        ("cls_token", TokenPooling::Cls),
        ("mean_tokens", TokenPooling::Mean),
        ("max_tokens", TokenPooling::Max),
        ("mean_sqrt_len_tokens", TokenPooling::MeanSqrtLength),
        ("lasttoken", TokenPooling::Last),
    ];
    let mut settings = json!({ "word_embedding_dimension": hidden });
    for (name, mode) in modes {
        settings[format!("pooling_mode_{name}")] = json!(mode == base.pooling);
    }
    let mut modules = vec![("", "Transformer"), ("1_Pooling", "Pooling")];
    folder.write_json("1_Pooling/config.json", &settings)?;
    if let Some(head) = &network.head {
        modules.push(("2_Dense", "Dense"));
        let dense = json!({
            "in_features": hidden,
            "out_features": hidden,
            "bias": false,
            "activation_function": "torch.nn.modules.linear.Identity",
        });
        folder.write_json("2_Dense/config.json", &dense)?;
        let tensors = [("linear.weight".to_owned(), vec![hidden, hidden], head.as_slice())];
        write_tensors(folder, "2_Dense/model.safetensors", &tensors)?;
    }
    let normalize = format!("{}_Normalize", modules.len());
    modules.push((&normalize, "Normalize"));
    let modules: Vec<Value> = modules
        .iter()
        .enumerate()
        .map(|(i, (path, kind))| {
            let kind = format!("sentence_transformers.models.{kind}");
            json!({ "idx": i, "name": i.to_string(), "path": path, "type": kind })
        })
        .collect();
    folder.write_json("modules.json", &json!(modules))?;
    let longest =
        base.max_tokens.unwrap_or(base.config.max_text_tokens()).min(base.config.max_text_tokens());
    let longest = json!({ "max_seq_length": longest, "do_lower_case": base.lower_case });
    folder.write_json("sentence_bert_config.json", &longest)?;

    for (layer, numbers) in base.encoder.layers.iter_mut().zip(&network.layers) {
        *layer = unflatten(network.layout, numbers);
    }
    let parts = base.encoder.named_weights();
    let matrices: Vec<_> = parts
        .matrices
        .iter()
        .map(|(name, rows)| (name, [rows.len(), rows.cols()], (*rows).clone().into_f32()))
        .collect();
    let mut tensors: Vec<(String, Vec<usize>, &[f32])> = matrices
        .iter()
        .map(|(name, shape, data)| ((*name).clone(), shape.to_vec(), data.as_slice()))
        .collect();
    tensors.extend(parts.vectors.into_iter().map(|(name, data)| (name, vec![data.len()], data)));
    for (name, shape, data) in &base.pooler {
        tensors.push((name.clone(), shape.clone(), data));
    }
    write_tensors(folder, "model.safetensors", &tensors)
}

fn write_tensors(
    folder: &mut TuningResultFolder,
    name: &str,
    tensors: &[(String, Vec<usize>, &[f32])],
) -> anyhow::Result<()> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(.., data)| data.iter().flat_map(|x| x.to_le_bytes()).collect())
        .collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| {
            Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    // transformers rejects a file without this entry.
    let note = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let file = safetensors::serialize(views, Some(note)).context("cannot serialize the tensors")?;
    folder.write(name, &file)
}
