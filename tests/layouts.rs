//! Model directories in every accepted layout, compared with the libraries that write them
//! (`tests/data/embed/make_layouts.py`); and refused directories, with what the message names.

mod accepted;
mod damaged;
mod refused;

use std::path::{Path, PathBuf};

use knockon::embed::{ModelKind, ModelPrecision, ModelSpec};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

pub struct Stored {
    texts: Vec<String>,
    pairs: Vec<(String, String)>,
    pub layouts: serde_json::Map<String, Value>,
}

pub fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/embed")
}

pub fn stored() -> Stored {
    let json = std::fs::read(data().join("layouts.json")).unwrap();
    let mut json: Value = serde_json::from_slice(&json).unwrap();
    Stored {
        texts: serde_json::from_value(json["texts"].take()).unwrap(),
        pairs: serde_json::from_value(json["pairs"].take()).unwrap(),
        layouts: json["layouts"].as_object().unwrap().clone(),
    }
}

pub fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

/// Name, type, shape and bytes of a tensor.
pub type Tensor = (String, Dtype, Vec<usize>, Vec<u8>);

pub fn save(path: &Path, tensors: &[Tensor]) {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    write(path, &safetensors::serialize(views, None).unwrap());
}

pub fn load(path: &Path, prefix: &str) -> Vec<Tensor> {
    let Ok(bytes) = std::fs::read(path) else { return Vec::new() };
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |(name, view): (String, TensorView)| {
        (format!("{prefix}{name}"), view.dtype(), view.shape().to_vec(), view.data().to_vec())
    };
    file.tensors().into_iter().map(tensor).collect()
}

pub fn floats(name: &str, shape: &[usize], numbers: &[f32]) -> Tensor {
    let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
    (name.to_owned(), Dtype::F32, shape.to_vec(), bytes)
}

/// Builds a layout in `dir`, as make_layouts.py does.
pub fn build(layout: &Value, dir: &Path) {
    let first = dir.join(layout["move"].as_str().unwrap_or_default());
    if let Some(base) = layout["base"].as_str() {
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            write(
                &first.join(file),
                &std::fs::read(data().join("tiny").join(base).join(file)).unwrap(),
            );
        }
    }
    for (path, change) in layout["changes"].as_object().into_iter().flatten() {
        let mut json: Value =
            serde_json::from_slice(&std::fs::read(dir.join(path)).unwrap()).unwrap();
        for (keys, value) in change.as_object().unwrap() {
            let at = keys.split('.').fold(&mut json, |json, key| &mut json[key]);
            *at = value.clone();
        }
        write(&dir.join(path), json.to_string().as_bytes());
    }
    for (path, json) in layout["files"].as_object().into_iter().flatten() {
        write(&dir.join(path), json.to_string().as_bytes());
    }
    for (path, added) in layout["tensors"].as_object().into_iter().flatten() {
        let mut tensors = load(&dir.join(path), layout["prefix"].as_str().unwrap_or_default());
        for (name, tensor) in added.as_object().unwrap() {
            let shape: Vec<usize> = serde_json::from_value(tensor["shape"].clone()).unwrap();
            tensors.push(match tensor["type"].as_str().unwrap() {
                "int64" => {
                    let numbers: Vec<i64> = serde_json::from_value(tensor["data"].clone()).unwrap();
                    let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
                    (name.clone(), Dtype::I64, shape, bytes)
                }
                _ => {
                    let numbers: Vec<f32> = serde_json::from_value(tensor["data"].clone()).unwrap();
                    floats(name, &shape, &numbers)
                }
            });
        }
        save(&dir.join(path), &tensors);
    }
}

pub fn spec(kind: ModelKind, dir: &Path, precision: ModelPrecision) -> ModelSpec {
    ModelSpec::new(kind, dir.to_str().unwrap()).with_precision(precision)
}
