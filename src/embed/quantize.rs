//! `knockon models quantize`: converts original weights to the int8 form that is bundled.
//!
//! Linear layers become int8 with one scale per output channel, those after a layer norm being smoothed first; tables
//! become int8 with one scale per row. Vectors (biases, layer norms), the two-row table of token types and the head of
//! a cross-encoder stay f32. Other heads, and the pooler of an embedder, are left out, because no pooling here uses
//! them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use sha2::{Digest, Sha256};

use super::bert::{ModelArchitecture, classifier_layers};
use super::files::{ModelFiles, detect_purpose};
use super::weight_matrix::WeightMatrix;
use super::weights::ModelWeights;
use crate::output::OutputWriter;

/// The result of a quantisation.
#[derive(Clone, Debug)]
pub struct QuantizedModel {
    pub dir: PathBuf,
    /// SHA-256 of `model.safetensors` before and after, in hex.
    pub source_sha256: String,
    pub sha256: String,
    /// Size of `model.safetensors` before and after, in bytes.
    pub source_size: u64,
    pub size: u64,
}

/// Writes the int8 form of the model in `source` to `out`. The output is deterministic.
///
/// # Errors
/// A source that is damaged or already int8, or an output directory that cannot be written.
pub fn quantize(
    source: &Path,
    output: &OutputWriter,
    out: &Path,
) -> anyhow::Result<QuantizedModel> {
    let purpose = detect_purpose(source);
    let files = ModelFiles::read_for(source, purpose)?;
    let weights = ModelWeights::parse(&files.weights)?;
    if weights.is_int8() {
        bail!("{} is int8 already", source.display());
    }
    let source_sha256 = sha256(&files.weights);

    let mut tensors = QuantizedTensors::default();
    if files.config.get("model_type").and_then(|t| t.as_str()) == Some("model2vec") {
        tensors.rows("embeddings".to_owned(), &weights.matrix("embeddings", 0, 0)?.into_int8());
        if weights.has("mapping") {
            let places = weights.indices("mapping")?;
            let bytes = places.iter().flat_map(|place| (*place as u64).to_le_bytes()).collect();
            tensors.0.push(("mapping".to_owned(), Dtype::U64, vec![places.len()], bytes));
        }
        if weights.has("weights") {
            let by_token = weights.vector("weights", weights.element_count("weights")?)?;
            tensors.floats("weights".to_owned(), vec![by_token.len()], &by_token);
        }
    } else {
        let architecture = ModelArchitecture::load(&files, &weights)?.into_int8();
        let parts = architecture.named_weights();
        for (name, rows) in parts.matrices {
            tensors.rows(name, rows);
        }
        for (name, vector) in parts.vectors {
            tensors.floats(name, vec![vector.len()], vector);
        }
        for layer in classifier_layers(&weights).into_iter().flatten() {
            let (weight, bias) = (format!("{layer}.weight"), format!("{layer}.bias"));
            let rows = weights.matrix(&weight, 0, 0)?;
            if weights.has(&bias) {
                let values = weights.vector(&bias, rows.len())?;
                tensors.floats(bias, vec![values.len()], &values);
            }
            tensors.rows(weight, &rows);
        }
        // ModernBERT's head has its own norm, and Stanford's ColBERT has a projection.
        for name in ["head.norm.weight", "head.norm.bias"].iter().filter(|name| weights.has(name)) {
            let values = weights.vector(name, weights.element_count(name)?)?;
            tensors.floats((*name).to_owned(), vec![values.len()], &values);
        }
        if files.late_interaction.as_ref().is_some_and(|late| late.stanford) {
            tensors.rows("linear.weight".to_owned(), &weights.matrix("linear.weight", 0, 0)?);
        }
    }
    weights.check_all_read(purpose)?;
    let views = tensors
        .0
        .iter()
        .map(|(name, dtype, shape, bytes)| {
            Ok((name, TensorView::new(*dtype, shape.clone(), bytes)?))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    // A single entry, because the writer does not order several.
    let note = format!("int8 rows with f32 scales, from weights of sha256 {source_sha256}");
    let metadata = HashMap::from([("knockon".to_owned(), note)]);
    let bytes =
        safetensors::serialize(views, Some(metadata)).context("cannot serialize the tensors")?;

    let result = QuantizedModel {
        dir: out.to_owned(),
        sha256: sha256(&bytes),
        source_size: files.weights.len() as u64,
        size: bytes.len() as u64,
        source_sha256,
    };
    // All these paths were checked to stay inside the directory when they were read.
    let mut made = files.settings.clone();
    let first = match files.transformer_folder.as_str() {
        "" => String::new(),
        first => format!("{first}/"),
    };
    let tokenizer = minified_tokenizer(&files.tokenizer.json, files.tokenizer.truncates_start)?;
    made.push((format!("{first}config.json"), serde_json::to_vec_pretty(&files.config)?));
    made.push((format!("{first}tokenizer.json"), tokenizer));
    // The weights come last, because a directory counts as a model once it has them.
    made.push((format!("{first}model.safetensors"), bytes));
    let made: Vec<(&str, &[u8])> =
        made.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    output.write_folder(out, &made)?;
    Ok(result)
}

/// The name, type, shape and bytes of each tensor of the new file.
#[derive(Default)]
struct QuantizedTensors(Vec<(String, Dtype, Vec<usize>, Vec<u8>)>);

impl QuantizedTensors {
    fn floats(&mut self, name: String, shape: Vec<usize>, values: &[f32]) {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.0.push((name, Dtype::F32, shape, bytes));
    }

    fn rows(&mut self, name: String, rows: &WeightMatrix) {
        let shape = vec![rows.len(), rows.cols()];
        match rows {
            WeightMatrix::F32 { data, .. } => self.floats(name, shape, data),
            WeightMatrix::Int8 { data, scale, smooth, .. } => {
                self.floats(format!("{name}.scale"), vec![scale.len()], scale);
                if !smooth.is_empty() {
                    self.floats(format!("{name}.smooth"), vec![smooth.len()], smooth);
                }
                self.0.push((name, Dtype::I8, shape, data.iter().map(|&q| q as u8).collect()));
            }
        }
    }
}

/// tokenizer.json without white space and without padding and truncation, which are set on loading. The truncation
/// stays if it keeps the end of a text, because loading reads its direction.
fn minified_tokenizer(json: &[u8], keeps_end: bool) -> anyhow::Result<Vec<u8>> {
    let mut value: serde_json::Value =
        serde_json::from_slice(json).context("tokenizer.json is not valid JSON")?;
    value["padding"] = serde_json::Value::Null;
    if !keeps_end {
        value["truncation"] = serde_json::Value::Null;
    }
    Ok(serde_json::to_vec(&value)?)
}

/// The SHA-256 of `bytes`, in hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
