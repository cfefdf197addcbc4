//! Checkpoints of a training run: the tuned parameters, the optimizer's state and the losses so far.
//!
//! A checkpoint is written atomically, and a run that resumes from it gives the same result as one that was never
//! interrupted. It holds a checksum of its whole content: a damaged checkpoint is rejected.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use super::adamw::AdamMoments;
use super::settings::TrainingSettings;
use crate::{atomic_file, input_file};

/// The file name in the output directory.
pub const CHECKPOINT_FILE: &str = "checkpoint.safetensors";

/// The maximum size in bytes: three times the parameters of the largest model that can be tuned.
pub const MAX_FILE_BYTES: u64 = 64 << 30;

const METADATA_KEY: &str = "knockon";

/// The state of a run after a step.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingState {
    /// The number of steps taken.
    pub step: usize,
    pub theta: Vec<f32>,
    pub moments: AdamMoments,
    pub log: Vec<TrainingStepLog>,
}

/// The loss and the gradient of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainingStepLog {
    pub loss: f64,
    /// The norm of the gradient before clipping.
    pub gradient_norm: f64,
}

impl TrainingState {
    /// Writes the checkpoint to `dir`.
    pub fn write(&self, dir: &Path, settings: &TrainingSettings) -> anyhow::Result<()> {
        let log: Vec<u8> = self
            .log
            .iter()
            .flat_map(|l| [l.loss, l.gradient_norm])
            .flat_map(f64::to_le_bytes)
            .collect();
        let tensors = [
            ("theta", Dtype::F32, le_bytes(&self.theta)),
            ("first", Dtype::F32, le_bytes(&self.moments.first)),
            ("second", Dtype::F32, le_bytes(&self.moments.second)),
            ("log", Dtype::F64, log),
        ];
        let views = tensors
            .iter()
            .map(|(name, dtype, bytes)| {
                let shape = vec![bytes.len() * 8 / dtype.bitsize()];
                Ok((*name, TensorView::new(*dtype, shape, bytes)?))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let settings = json!(settings);
        let blake3 = self.checksum(&settings);
        let note = json!({ "step": self.step, "settings": settings, "blake3": blake3 }).to_string();
        let note = HashMap::from([(METADATA_KEY.to_owned(), note)]);
        let file = safetensors::serialize(views, Some(note)).context("cannot serialize it")?;
        atomic_file::write(&dir.join(CHECKPOINT_FILE), &file)
    }

    /// Reads the checkpoint in `dir`, if there is one.
    ///
    /// # Errors
    /// A checkpoint that is damaged or was written with other settings.
    pub fn read(dir: &Path, settings: &TrainingSettings) -> anyhow::Result<Option<Self>> {
        let path = dir.join(CHECKPOINT_FILE);
        let file = match input_file::read_up_to(MAX_FILE_BYTES, &path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
        };
        Self::parse(&file, settings)
            .with_context(|| {
                format!("cannot resume from {}; delete it to start over", path.display())
            })
            .map(Some)
    }

    /// The checksum, in hex, of everything that determines how the run continues.
    fn checksum(&self, settings: &Value) -> String {
        let mut hash = blake3::Hasher::new();
        // The length prefix separates adjacent fields.
        let mut add = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        add(settings.to_string().as_bytes());
        add(&(self.step as u64).to_le_bytes());
        for numbers in [&self.theta, &self.moments.first, &self.moments.second] {
            add(bytemuck::cast_slice(numbers));
        }
        for logged in &self.log {
            add(&logged.loss.to_le_bytes());
            add(&logged.gradient_norm.to_le_bytes());
        }
        hash.finalize().to_hex().to_string()
    }

    fn parse(file: &[u8], settings: &TrainingSettings) -> anyhow::Result<Self> {
        let (_, metadata) = SafeTensors::read_metadata(file).context("the file is damaged")?;
        let tensors = SafeTensors::deserialize(file).context("the file is damaged")?;
        let note = metadata.metadata().as_ref().and_then(|notes| notes.get(METADATA_KEY));
        let note: Value =
            serde_json::from_str(note.context("it is not a checkpoint of training")?)?;
        let differences = settings.differences(&note["settings"]);
        if !differences.is_empty() {
            bail!("it belongs to a run with other settings ({})", differences.join("; "));
        }
        let numbers: Vec<f64> = tensor_data(&tensors, "log", Dtype::F64)?
            .as_chunks()
            .0
            .iter()
            .map(|b| f64::from_le_bytes(*b))
            .collect();
        let state = Self {
            step: note["step"].as_u64().context("it names no step")? as usize,
            theta: floats(&tensors, "theta")?,
            moments: AdamMoments {
                first: floats(&tensors, "first")?,
                second: floats(&tensors, "second")?,
            },
            log: numbers
                .as_chunks()
                .0
                .iter()
                .map(|&[loss, length]| TrainingStepLog { loss, gradient_norm: length })
                .collect(),
        };
        let (theta, moments) = (state.theta.len(), &state.moments);
        ensure!(
            state.log.len() == state.step
                && state.step <= settings.recipe.steps
                && moments.first.len() == theta
                && moments.second.len() == theta,
            "its parts do not fit together"
        );
        // Checked last: the checksum needs the parsed state.
        let found = note["blake3"].as_str().unwrap_or_default();
        ensure!(
            found == state.checksum(&note["settings"]),
            "it was damaged since it was written: its checksum differs"
        );
        Ok(state)
    }
}

fn le_bytes(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn tensor_data<'a>(
    tensors: &SafeTensors<'a>,
    name: &str,
    dtype: Dtype,
) -> anyhow::Result<&'a [u8]> {
    let tensor = tensors.tensor(name)?;
    ensure!(tensor.dtype() == dtype, "its `{name}` is {}, not {dtype}", tensor.dtype());
    Ok(tensor.data())
}

fn floats(tensors: &SafeTensors, name: &str) -> anyhow::Result<Vec<f32>> {
    let bytes = tensor_data(tensors, name, Dtype::F32)?;
    Ok(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
}
