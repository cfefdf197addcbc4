//! LoRA adapters in PEFT's layout, merged into the base model's weights as these are read.
//!
//! An adapter directory holds `adapter_config.json` and `adapter_model.safetensors`. For each tuned weight W the latter
//! has two low-rank matrices, A (r, inputs) and B (outputs, r); the tuned weight is W + s B A with s = alpha / r
//! (alpha / sqrt r with `use_rslora`). Variants that add anything else are rejected, never applied in part.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;

use anyhow::{Context, bail, ensure};
use safetensors::SafeTensors;
use serde_json::Value;

use super::files::{
    DirectoryFaults, LORA, SettingReader, abbreviated, check, parse, read_settings, read_weights,
};
use super::registry;
use super::tensor::{TENSOR_PREFIXES, floats};

pub(super) const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// Whether a directory holds an adapter.
pub fn is_adapter(dir: &Path) -> bool {
    dir.join(CONFIG).is_file() && dir.join(WEIGHTS).is_file()
}

/// The base model of an adapter, as named in its configuration. A model of [`registry`] that is named there with its
/// owner is returned by its registry name.
///
/// # Errors
/// A configuration that is damaged or does not name its base model.
pub fn base_model_name(dir: &Path) -> anyhow::Result<String> {
    let path = dir.join(CONFIG);
    let text = read_settings(&path)?;
    let config = parse(&path.display().to_string(), &text)?;
    let named = config["base_model_name_or_path"].as_str().unwrap_or_default();
    ensure!(
        !named.is_empty(),
        "{} does not name its base model (base_model_name_or_path)",
        path.display()
    );
    let last = named.rsplit('/').next().unwrap_or(named);
    let known = registry::find(last).is_some() && !Path::new(named).is_dir();
    Ok(if known { last } else { named }.to_owned())
}

/// A low-rank matrix, row-major.
struct PeftMatrix {
    data: Vec<f32>,
    rows: usize,
    cols: usize,
}

/// The two low-rank matrices of one weight.
#[derive(Default)]
struct PeftMatrixPair {
    a: Option<PeftMatrix>,
    b: Option<PeftMatrix>,
}

/// A loaded adapter.
pub struct PeftAdapter {
    /// The matrices by the name of the weight that they change.
    pairs: BTreeMap<String, PeftMatrixPair>,
    scale: f32,
    hash: blake3::Hash,
    /// The weights to which the adapter was applied so far.
    applied: Mutex<BTreeSet<String>>,
}

impl PeftAdapter {
    /// # Errors
    /// A file that is missing or damaged, or an adapter other than plain LoRA.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        Self::load(dir).with_context(|| format!("the adapter {}", dir.display()))
    }

    fn load(dir: &Path) -> anyhow::Result<Self> {
        let config = read_settings(&dir.join(CONFIG))?;
        let weights = read_weights(&dir.join(WEIGHTS))?;
        let mut hash = blake3::Hasher::new();
        hash.update(&config);
        hash.update(&weights);
        let config = parse(CONFIG, &config)?;
        let scale = scale(&config)?;
        let pairs = pairs(&weights)?;
        Ok(Self { pairs, scale, hash: hash.finalize(), applied: Mutex::default() })
    }

    /// A hash of the adapter's files, in hex.
    pub fn hash(&self) -> String {
        self.hash.to_hex().to_string()
    }

    /// Adds `scale B A` to the weight `name` of shape (rows, cols), if the adapter changes it.
    pub fn add_to(
        &self,
        name: &str,
        data: &mut [f32],
        rows: usize,
        cols: usize,
    ) -> anyhow::Result<()> {
        let Some(pair) = self.pairs.get(name) else { return Ok(()) };
        let (Some(a), Some(b)) = (&pair.a, &pair.b) else {
            bail!("the adapter has one of lora_A and lora_B for `{name}`, not both");
        };
        ensure!(
            a.cols == cols && b.rows == rows && a.rows == b.cols,
            "the adapter's `{name}` is {} x {} times {} x {}, for a weight of {rows} x {cols}: it was \
             made for another base",
            b.rows,
            b.cols,
            a.rows,
            a.cols
        );
        for (row, b) in data.chunks_exact_mut(cols).zip(b.data.chunks_exact(b.cols)) {
            for (b, a) in b.iter().zip(a.data.chunks_exact(cols)) {
                for (w, a) in row.iter_mut().zip(a) {
                    *w += self.scale * b * a;
                }
            }
        }
        self.applied.lock().unwrap_or_else(|e| e.into_inner()).insert(name.to_owned());
        Ok(())
    }

    /// # Errors
    /// The adapter changes a weight that the base model does not have.
    pub fn check_all_used(&self) -> anyhow::Result<()> {
        let used = self.applied.lock().unwrap_or_else(|e| e.into_inner());
        let mut left = self.pairs.keys().filter(|name| !used.contains(*name));
        match left.next() {
            None => Ok(()),
            Some(name) => bail!(
                "the adapter changes `{name}`{}, which the base does not have",
                match left.count() {
                    0 => String::new(),
                    n => format!(" and {n} more"),
                }
            ),
        }
    }
}

/// Initialisations that leave the base model unchanged. The others (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA) change it, and
/// an adapter saved with their name belongs to that changed base.
const BASE_PRESERVING_INITS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

/// The factor of `B A`; anything beyond plain LoRA is rejected.
fn scale(config: &Value) -> anyhow::Result<f32> {
    let kind = config.get("peft_type").and_then(Value::as_str).unwrap_or("LORA");
    ensure!(kind == "LORA", "{CONFIG}: peft_type is `{kind}`; only LORA can be applied");
    let mut faults = DirectoryFaults::default();
    check(CONFIG, config, &[LORA], &mut faults);
    match config.get("init_lora_weights") {
        None | Some(Value::Null | Value::Bool(_)) => {}
        Some(Value::String(name)) if BASE_PRESERVING_INITS.contains(&name.as_str()) => {}
        Some(other) => faults.add(format!(
            "{CONFIG}: `init_lora_weights` is {}; such an adapter belongs to a base that was changed with it",
            abbreviated(other)
        )),
    }
    let root =
        SettingReader::new(CONFIG, Some(config), &mut faults).flag("use_rslora").unwrap_or(false);
    faults.check()?;
    let (Some(r), Some(alpha)) =
        (positive_number(config, "r"), positive_number(config, "lora_alpha"))
    else {
        bail!("{CONFIG}: `r` and `lora_alpha` must be positive numbers");
    };
    Ok((alpha / if root { r.sqrt() } else { r }) as f32)
}

fn positive_number(config: &Value, key: &str) -> Option<f64> {
    config.get(key).and_then(Value::as_f64).filter(|n| *n > 0.0)
}

fn pairs(weights: &[u8]) -> anyhow::Result<BTreeMap<String, PeftMatrixPair>> {
    let tensors = SafeTensors::deserialize(weights)
        .with_context(|| format!("{WEIGHTS} is damaged or not a safetensors file"))?;
    let mut names = tensors.names();
    // Sort the names, so that errors do not depend on the order in the file.
    names.sort_unstable();
    let mut pairs: BTreeMap<String, PeftMatrixPair> = BTreeMap::new();
    for full in names {
        // The prefixes of PEFT, of sentence-transformers, then of exported models.
        let mut name = full;
        for prefix in
            ["base_model.model.", "0.auto_model.", "auto_model."].into_iter().chain(TENSOR_PREFIXES)
        {
            name = name.strip_prefix(prefix).unwrap_or(name);
        }
        let part = [
            ".lora_A.weight",
            ".lora_B.weight",
            ".lora_A.default.weight",
            ".lora_B.default.weight",
        ]
        .into_iter()
        .find_map(|end| Some((name.strip_suffix(end)?, end.contains("lora_A"))));
        let Some((module, is_a)) = part else {
            bail!("{WEIGHTS}: `{full}` is not a part of plain LoRA on a linear layer");
        };
        let view = tensors.tensor(full)?;
        let &[rows, cols] = view.shape() else {
            bail!("{WEIGHTS}: `{full}` has the shape {:?}, not that of a matrix", view.shape());
        };
        let matrix = PeftMatrix { data: floats(full, &view)?, rows, cols };
        let pair = pairs.entry(format!("{module}.weight")).or_default();
        *if is_a { &mut pair.a } else { &mut pair.b } = Some(matrix);
    }
    ensure!(!pairs.is_empty(), "{WEIGHTS} holds nothing");
    ensure!(
        !pairs.values().all(|pair| is_zero(&pair.a) || is_zero(&pair.b)),
        "{WEIGHTS} changes nothing: one of the two matrices of each weight is all zeros, as before any training"
    );
    Ok(pairs)
}

fn is_zero(matrix: &Option<PeftMatrix>) -> bool {
    matrix.as_ref().is_some_and(|matrix| matrix.data.iter().all(|x| *x == 0.0))
}
