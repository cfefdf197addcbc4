//! Where a run stands, on disk: the tuned numbers, what the optimizer remembers, and the losses so far.
//!
//! A checkpoint is written whole or not at all, and a run that goes on from it ends as one that never stopped. It holds
//! a checksum over all that is read of it: one that was damaged since is refused.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use super::adamw::Moments;
use super::settings::Settings;
use crate::{atomic_file, input_file};

/// Its name in the directory of the result.
pub const FILE: &str = "checkpoint.safetensors";

/// Three times the numbers of the largest model that is tuned.
pub const LARGEST: u64 = 64 << 30;

const NOTE: &str = "knockon";

/// What a step of training leaves behind.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Steps taken.
    pub step: usize,
    pub theta: Vec<f32>,
    pub moments: Moments,
    pub log: Vec<Logged>,
}

/// Of one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logged {
    pub loss: f64,
    /// Of the gradient before it was clipped.
    pub length: f64,
}

impl State {
    pub fn write(&self, dir: &Path, settings: &Settings) -> anyhow::Result<()> {
        let bytes =
            |numbers: &[f32]| -> Vec<u8> { numbers.iter().flat_map(|x| x.to_le_bytes()).collect() };
        let log: Vec<u8> =
            self.log.iter().flat_map(|l| [l.loss, l.length]).flat_map(f64::to_le_bytes).collect();
        let tensors = [
            ("theta", Dtype::F32, bytes(&self.theta)),
            ("first", Dtype::F32, bytes(&self.moments.first)),
            ("second", Dtype::F32, bytes(&self.moments.second)),
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
        let note = HashMap::from([(NOTE.to_owned(), note)]);
        let file = safetensors::serialize(views, Some(note)).context("cannot lay it out")?;
        atomic_file::write(&dir.join(FILE), &file)
    }

    /// The checkpoint in `dir`, if there is one.
    ///
    /// # Errors
    /// A damaged one, or one of other settings.
    pub fn read(dir: &Path, settings: &Settings) -> anyhow::Result<Option<Self>> {
        let path = dir.join(FILE);
        let file = match input_file::read_up_to(LARGEST, &path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e).with_context(|| format!("cannot read {}", path.display())),
        };
        Self::parse(&file, settings)
            .with_context(|| {
                format!("cannot go on from {}; delete it to start anew", path.display())
            })
            .map(Some)
    }

    /// Over everything that decides how the run goes on, in hex.
    fn checksum(&self, settings: &Value) -> String {
        let mut hash = blake3::Hasher::new();
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
            add(&logged.length.to_le_bytes());
        }
        hash.finalize().to_hex().to_string()
    }

    fn parse(file: &[u8], settings: &Settings) -> anyhow::Result<Self> {
        let (_, metadata) = SafeTensors::read_metadata(file).context("the file is damaged")?;
        let tensors = SafeTensors::deserialize(file).context("the file is damaged")?;
        let note = metadata.metadata().as_ref().and_then(|notes| notes.get(NOTE));
        let note: Value = serde_json::from_str(note.context("it is no checkpoint of training")?)?;
        let differences = settings.differences(&note["settings"]);
        if !differences.is_empty() {
            bail!("it is of a run with other settings ({})", differences.join("; "));
        }
        let data = |name: &str, dtype: Dtype| -> anyhow::Result<&[u8]> {
            let tensor = tensors.tensor(name)?;
            ensure!(tensor.dtype() == dtype, "its `{name}` is {}, not {dtype}", tensor.dtype());
            Ok(tensor.data())
        };
        let floats = |name: &str| -> anyhow::Result<Vec<f32>> {
            let bytes = data(name, Dtype::F32)?;
            Ok(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
        };
        let numbers: Vec<f64> =
            data("log", Dtype::F64)?.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
        let state = Self {
            step: note["step"].as_u64().context("it names no step")? as usize,
            theta: floats("theta")?,
            moments: Moments { first: floats("first")?, second: floats("second")? },
            log: numbers
                .as_chunks()
                .0
                .iter()
                .map(|&[loss, length]| Logged { loss, length })
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
        let found = note["blake3"].as_str().unwrap_or_default();
        ensure!(
            found == state.checksum(&note["settings"]),
            "it was damaged since it was written: its checksum is another"
        );
        Ok(state)
    }
}
