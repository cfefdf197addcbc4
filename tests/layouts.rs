//! Model directories in every accepted layout, compared with the libraries that write them
//! (`tests/data/embed/make_layouts.py`); and refused directories, with what the message names.

use std::path::{Path, PathBuf};

use knockon::embed::{CrossEncoderSpec, ModelKind, ModelPrecision, ModelSpec, TextRole, quantize};
use knockon::output::OutputWriter;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use crate::support::models::{open, open_cross_encoder, open_max_sim};

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

/// The largest difference between our vectors of a layout and the library's.
fn vectors_apart(stored: &Stored, layout: &Value, dir: &Path, precision: ModelPrecision) -> f32 {
    let kind = match layout["kind"].as_str() {
        Some("static") => ModelKind::Static,
        _ => ModelKind::Transformer,
    };
    let model = open(&spec(kind, dir, precision)).unwrap();
    let texts: Vec<&str> = stored.texts.iter().map(String::as_str).collect();
    let mut apart: f32 = 0.0;
    for (role, name) in [(TextRole::Query, "query"), (TextRole::Passage, "passage")] {
        let expected: Vec<Vec<f32>> =
            serde_json::from_value(layout["vectors"][name].clone()).unwrap();
        let ours = model.embed(role, &texts, &|_| {}).unwrap();
        assert_eq!((ours.len(), ours.dim), (expected.len(), expected[0].len()));
        for (ours, theirs) in ours.data.iter().zip(expected.concat()) {
            apart = apart.max((ours - theirs).abs());
        }
    }
    apart
}

fn scores_apart(stored: &Stored, layout: &Value, dir: &Path) -> f32 {
    let precision = ModelPrecision::F32;
    let scorer = match layout["kind"].as_str() {
        Some("late") => open_max_sim(&spec(ModelKind::Transformer, dir, precision)).unwrap(),
        _ => {
            let model = dir.to_str().unwrap().to_owned();
            let spec = CrossEncoderSpec { model, precision, max_tokens: None, pair: None };
            open_cross_encoder(&spec).unwrap()
        }
    };
    let pairs: Vec<(&str, &str)> =
        stored.pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let expected: Vec<f32> = serde_json::from_value(layout["scores"].clone()).unwrap();
    let ours = scorer.score(&pairs, &|_| {}).unwrap();
    assert_eq!(ours.len(), expected.len());
    ours.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn every_accepted_layout_matches_its_library() {
    let stored = stored();
    assert!(stored.layouts.len() >= 50, "{}", stored.layouts.len());
    let mut wrong = Vec::new();
    for (name, layout) in &stored.layouts {
        let dir = tempfile::tempdir().unwrap();
        build(layout, dir.path());
        let apart = match layout["kind"].as_str().unwrap() {
            "sentence" | "static" => {
                vectors_apart(&stored, layout, dir.path(), ModelPrecision::F32)
            }
            _ => scores_apart(&stored, layout, dir.path()),
        };
        if apart.is_nan() || apart > 2e-5 {
            wrong.push(format!("{name}: {apart}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Vectors of all texts, from a transformer in a folder.
fn vectors(dir: &Path) -> Vec<f32> {
    let model = open(&spec(ModelKind::Transformer, dir, ModelPrecision::F32)).unwrap();
    let stored = stored();
    let texts: Vec<&str> = stored.texts.iter().map(String::as_str).collect();
    model.embed(TextRole::Passage, &texts, &|_| {}).unwrap().data
}

/// RoBERTa and related models count positions from after the padding token (`create_position_ids_from_input_ids` of
/// transformers): they equal BERT with the position table shifted, and BERT is compared with the library above.
#[test]
fn relatives_of_bert_equal_bert_with_shifted_positions() {
    let table = "embeddings.position_embeddings.weight";
    for (family, padding) in
        [("roberta", 1), ("roberta", 5), ("xlm-roberta", 0), ("xlm-roberta", 1), ("camembert", 1)]
    {
        let (relative, bert) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let cut = json!({"sentence_bert_config.json": {"max_seq_length": 64}});
        let change = json!({"model_type": family, "pad_token_id": padding});
        build(
            &json!({"base": "bert", "changes": {"config.json": change}, "files": cut}),
            relative.path(),
        );
        build(&json!({"base": "bert", "files": cut}), bert.path());
        let plain = vectors(bert.path());
        let weights = bert.path().join("model.safetensors");
        let mut tensors = load(&weights, "");
        let (_, _, shape, bytes) = tensors.iter_mut().find(|(name, ..)| name == table).unwrap();
        bytes.rotate_left(4 * shape[1] * (padding + 1));
        save(&weights, &tensors);
        let moved = vectors(bert.path());
        assert_eq!(vectors(relative.path()), moved, "{family} {padding}");
        assert_ne!(plain, moved);
    }
}

/// Numbers that every type can represent give the same vectors in every type.
#[test]
fn weights_are_read_in_every_number_type() {
    let dir = tempfile::tempdir().unwrap();
    build(&json!({"base": "bert"}), dir.path());
    let weights = dir.path().join("model.safetensors");
    // Eight fraction bits, and no value too small for 16 bits.
    let rounded = |bytes: &[u8]| -> Vec<f32> {
        let numbers = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b));
        let short = numbers.map(|x| f32::from_bits(x.to_bits() & 0xffff_0000));
        short.map(|x| if x.abs() < 6.2e-5 { 0.0 } else { x }).collect()
    };
    let good: Vec<(String, Vec<usize>, Vec<f32>)> = load(&weights, "")
        .into_iter()
        .map(|(name, _, shape, bytes)| (name, shape, rounded(&bytes)))
        .collect();
    let half = |x: f32| -> u16 {
        let bits = x.to_bits();
        let exponent = ((bits >> 23) & 0xff) as i32 - 127 + 15;
        let sign = ((bits >> 16) & 0x8000) as u16;
        if x == 0.0 { sign } else { sign | (exponent as u16) << 10 | ((bits >> 13) & 0x3ff) as u16 }
    };
    let with = |dtype: Dtype| {
        let bytes = |numbers: &[f32]| -> Vec<u8> {
            match dtype {
                Dtype::F64 => numbers.iter().flat_map(|x| f64::from(*x).to_le_bytes()).collect(),
                Dtype::BF16 => numbers
                    .iter()
                    .flat_map(|x| ((x.to_bits() >> 16) as u16).to_le_bytes())
                    .collect(),
                Dtype::F16 => numbers.iter().flat_map(|x| half(*x).to_le_bytes()).collect(),
                _ => numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
            }
        };
        let tensors: Vec<Tensor> = good
            .iter()
            .map(|(name, shape, numbers)| (name.clone(), dtype, shape.clone(), bytes(numbers)))
            .collect();
        save(&weights, &tensors);
        vectors(dir.path())
    };
    let expected = with(Dtype::F32);
    for dtype in [Dtype::F64, Dtype::BF16, Dtype::F16] {
        assert_eq!(with(dtype), expected, "{dtype}");
    }
}

#[test]
fn an_int8_copy_keeps_every_module_and_setting() {
    let stored = stored();
    let mut wrong = Vec::new();
    for (name, layout) in stored.layouts.iter().filter(|(_, l)| l["kind"] != "late") {
        let dir = tempfile::tempdir().unwrap();
        let (source, out) = (dir.path().join("source"), dir.path().join("out"));
        build(layout, &source);
        quantize::quantize(&source, &OutputWriter::default(), &out)
            .unwrap_or_else(|error| panic!("{name}: {error:#}"));
        if layout["kind"] != "reranker" {
            // Rounding moves a vector of 16 numbers by a few hundredths.
            let copy = vectors_apart(&stored, layout, &out, ModelPrecision::Int8);
            let rounded = vectors_apart(&stored, layout, &source, ModelPrecision::Int8);
            if (copy - rounded).abs() > 1e-6 {
                wrong.push(format!("{name}: the copy is {copy} off, rounded on loading {rounded}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The error message for the directory tiny/`bert` with these changes.
fn refusal(changes: &Value) -> String {
    let dir = tempfile::tempdir().unwrap();
    let mut layout = changes.clone();
    if layout.get("base").is_none() {
        layout["base"] = json!("bert");
    }
    build(&layout, dir.path());
    let spec = spec(ModelKind::Transformer, dir.path(), ModelPrecision::F32);
    match open(&spec) {
        Ok(_) => "accepted".to_owned(),
        Err(error) => format!("{error:#}"),
    }
}

fn modules(classes: &[(&str, &str)]) -> Value {
    let module = |(i, (path, class)): (usize, &(&str, &str))| json!({"idx": i, "name": i.to_string(), "path": path, "type": class});
    classes.iter().enumerate().map(module).collect()
}

const TRANSFORMER: &str = "sentence_transformers.models.Transformer";
const POOLING: &str = "sentence_transformers.models.Pooling";

#[test]
fn an_unsupported_module_is_reported() {
    let mean = json!({"pooling_mode": "mean"});
    for class in [
        "sentence_transformers.models.WeightedLayerPooling",
        "sentence_transformers.models.CNN",
        "sentence_transformers.models.LSTM",
        "sentence_transformers.models.WordWeights",
        "sentence_transformers.models.Router",
        "sentence_transformers.models.Asym",
        "sentence_transformers.sparse_encoder.models.SpladePooling",
        "sentence_transformers.multi_vector_encoder.modules.MultiVectorMask",
        "custom.Pooling",
    ] {
        let listed = modules(&[("", TRANSFORMER), ("1_X", class), ("2_Pooling", POOLING)]);
        let message =
            refusal(&json!({"files": {"modules.json": listed, "2_Pooling/config.json": mean}}));
        assert!(message.contains(class) && message.contains("modules.json"), "{class}: {message}");
    }
    for class in [
        "sentence_transformers.sparse_encoder.models.MLMTransformer",
        "sentence_transformers.models.CLIPModel",
        "sentence_transformers.models.BoW",
        "sentence_transformers.models.WordEmbeddings",
    ] {
        let listed = modules(&[("", class), ("1_Pooling", POOLING)]);
        let message =
            refusal(&json!({"files": {"modules.json": listed, "1_Pooling/config.json": mean}}));
        assert!(message.contains(class), "{class}: {message}");
    }
    let message = refusal(&json!({"files": {"2_Dense/config.json": {"in_features": 16}}}));
    assert!(message.contains("2_Dense is a module's folder"), "{message}");
    for path in ["../elsewhere", "/etc", "a/../../b"] {
        let listed = modules(&[("", TRANSFORMER), (path, POOLING)]);
        let message = refusal(&json!({"files": {"modules.json": listed}}));
        assert!(
            message.contains(path) && message.contains("outside the model's directory"),
            "{message}"
        );
    }
}

#[test]
fn an_unknown_setting_is_reported_with_its_file() {
    let listed = modules(&[
        ("", TRANSFORMER),
        ("1_Pooling", POOLING),
        ("2_Dense", "sentence_transformers.models.Dense"),
        ("3_LayerNorm", "sentence_transformers.models.LayerNorm"),
        ("4_Normalize", "sentence_transformers.models.Normalize"),
        ("5_Dropout", "sentence_transformers.models.Dropout"),
    ]);
    let good = json!({
        "files": {
            "modules.json": listed,
            "1_Pooling/config.json": {"pooling_mode": "mean"},
            "2_Dense/config.json": {
                "in_features": 16, "out_features": 2, "bias": false,
                "activation_function": "torch.nn.modules.linear.Identity",
            },
            "3_LayerNorm/config.json": {"dimension": 2},
            "4_Normalize/config.json": {},
            "5_Dropout/config.json": {"dropout": 0.1},
            "config_sentence_transformers.json": {"prompts": {}, "__version__": {}},
            "sentence_bert_config.json": {"max_seq_length": 20},
            "tokenizer_config.json": {"model_max_length": 30},
            "special_tokens_map.json": {"cls_token": "[CLS]"},
            "README.md": "text",
        },
        "tensors": {
            "2_Dense/model.safetensors": {
                "linear.weight": {"type": "float32", "shape": [2, 16], "data": (0..32).map(|i| 0.1 * (i % 7) as f32).collect::<Vec<_>>()},
            },
            "3_LayerNorm/model.safetensors": {
                "norm.weight": {"type": "float32", "shape": [2], "data": [1.0, 1.0]},
                "norm.bias": {"type": "float32", "shape": [2], "data": [0.0, 0.0]},
            },
        },
    });
    assert_eq!(refusal(&good), "accepted");
    let files = good["files"].as_object().unwrap().keys();
    let files = files.map(String::as_str).filter(|file| file.ends_with(".json"));
    for file in files.chain(["config.json", "tokenizer.json"]) {
        let mut changed = good.clone();
        match file {
            "config.json" | "tokenizer.json" => {
                changed["changes"] = json!({ file: {"made_up_setting": 3} });
            }
            "modules.json" => changed["files"][file][1]["made_up_setting"] = json!(3),
            file => changed["files"][file]["made_up_setting"] = json!(3),
        }
        let message = refusal(&changed);
        assert!(
            message.contains("`made_up_setting`") && message.contains(file),
            "{file}: {message}"
        );
    }
    for (change, named) in [
        (json!({"normalizer.made_up": 1}), "normalizer.made_up"),
        (json!({"model.dropout": 0.1}), "dropout"),
        (json!({"post_processor.made_up": true}), "post_processor.made_up"),
    ] {
        let message = refusal(&json!({"changes": {"tokenizer.json": change}}));
        assert!(message.contains(named) && message.contains("tokenizer.json"), "{message}");
    }
    for name in ["made_up_config.json", "sentence_other_config.json", "extra.safetensors"] {
        let mut changed = good.clone();
        changed["files"][name] = json!({});
        let message = refusal(&changed);
        assert!(message.contains(name), "{name}: {message}");
    }
}

#[test]
fn an_unsupported_value_is_reported() {
    for (file, key, value) in [
        ("config.json", "is_decoder", json!(true)),
        ("config.json", "add_cross_attention", json!(true)),
        ("config.json", "pruned_heads", json!({"0": [1]})),
        ("config.json", "quantization_config", json!({"bits": 4})),
        ("config.json", "auto_map", json!({"AutoModel": "x.Y"})),
        ("config.json", "position_embedding_type", json!("relative_key")),
        ("config.json", "hidden_act", json!("silu")),
        ("config.json", "model_type", json!("nomic_bert")),
        ("config.json", "max_position_embeddings", json!(1_u64 << 63)),
        ("config.json", "num_hidden_layers", json!(1_u64 << 63)),
        ("tokenizer_config.json", "truncation_side", json!("middle")),
        ("tokenizer_config.json", "add_eos_token", json!(true)),
        ("tokenizer_config.json", "model_max_length", json!("long")),
        ("config_sentence_transformers.json", "similarity_fn_name", json!("euclidean")),
        ("config_sentence_transformers.json", "similarity_fn_name", json!("manhattan")),
        ("config_sentence_transformers.json", "model_type", json!("SparseEncoder")),
        ("config_sentence_transformers.json", "default_prompt_name", json!("nowhere")),
        ("config_sentence_transformers.json", "prompts", json!({"query": 3})),
        ("sentence_bert_config.json", "transformer_task", json!("fill-mask")),
        ("sentence_bert_config.json", "tokenizer_args", json!({"use_fast": false})),
        ("sentence_bert_config.json", "max_seq_length", json!(0)),
        ("1_Pooling/config.json", "pooling_mode", json!("attention")),
        ("1_Pooling/config.json", "pooling_mode", json!(["mean", "other"])),
        ("1_Pooling/config.json", "pooling_mode_mean_tokens", json!("yes")),
        ("1_Pooling/config.json", "word_embedding_dimension", json!(17)),
    ] {
        let change = match file {
            "config.json" => json!({"changes": {file: {key: value}}}),
            file => json!({"files": {file: {key: value}}}),
        };
        let message = refusal(&change);
        // The dimension is compared with the output of the transformer.
        let named = match key {
            "word_embedding_dimension" => "17 numbers",
            "prompts" => "the prompt `query`",
            key => key,
        };
        assert!(message.contains(named), "{file} {key} {value}: {message}");
        assert_eq!(message.matches("cannot load the model").count(), 1, "{message}");
    }
    for change in [
        json!({"rope_parameters.full_attention.factor": 2}),
        json!({"rope_parameters.made_up": 2}),
        json!({"attention_bias": true}),
        json!({"layer_types": ["full_attention"]}),
        json!({"max_position_embeddings": 1_u64 << 63}),
    ] {
        let message = refusal(&json!({"base": "modernbert", "changes": {"config.json": change}}));
        assert_ne!(message, "accepted", "{change}");
    }
}

#[test]
fn adapters_that_are_not_plain_lora_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let adapter = data().join("tiny/bert-lora");
    let written = std::fs::read(adapter.join("adapter_config.json")).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    let weights = std::fs::read(adapter.join("adapter_model.safetensors")).unwrap();
    write(&dir.path().join("adapter_model.safetensors"), &weights);
    let opened = |key: &str, value: Value| {
        let mut config = written.clone();
        config[key] = value;
        write(&dir.path().join("adapter_config.json"), config.to_string().as_bytes());
        let mut spec = spec(ModelKind::Transformer, &data().join("tiny/bert"), ModelPrecision::F32);
        spec.adapter = Some(dir.path().to_str().unwrap().to_owned());
        open(&spec).map(|_| ()).map_err(|error| format!("{error:#}"))
    };
    for init in [json!(true), json!(false), json!("gaussian"), json!("orthogonal"), json!(null)] {
        opened("init_lora_weights", init).unwrap();
    }
    for (key, value) in [
        ("init_lora_weights", json!("pissa")),
        ("init_lora_weights", json!("pissa_niter_16")),
        ("init_lora_weights", json!("olora")),
        ("init_lora_weights", json!("loftq")),
        ("init_lora_weights", json!("corda")),
        ("use_dora", json!(true)),
        ("rank_pattern", json!({"query": 4})),
        ("alpha_pattern", json!({"query": 4})),
        ("modules_to_save", json!(["pooler"])),
        ("bias", json!("all")),
        ("lora_bias", json!(true)),
        ("trainable_token_indices", json!([1])),
        ("layer_replication", json!([[0, 1]])),
        ("peft_type", json!("IA3")),
        ("made_up", json!(1)),
    ] {
        let message = opened(key, value.clone()).unwrap_err();
        assert!(message.contains(key), "{key} {value}: {message}");
    }
}

#[test]
fn numbers_that_are_not_finite_are_refused_everywhere() {
    let tensors = load(&data().join("tiny/bert/model.safetensors"), "");
    for (tensor, number) in [
        ("embeddings.word_embeddings.weight", f32::NAN),
        ("embeddings.LayerNorm.bias", f32::INFINITY),
        ("encoder.layer.0.attention.self.query.weight", f32::NAN),
        ("encoder.layer.0.attention.self.query.bias", f32::NEG_INFINITY),
        ("encoder.layer.1.output.dense.weight", f32::INFINITY),
    ] {
        let mut damaged = tensors.clone();
        let (_, _, _, bytes) = damaged.iter_mut().find(|(name, ..)| name == tensor).unwrap();
        bytes[20..24].copy_from_slice(&number.to_le_bytes());
        for precision in [ModelPrecision::F32, ModelPrecision::Int8] {
            let dir = tempfile::tempdir().unwrap();
            build(&json!({"base": "bert"}), dir.path());
            save(&dir.path().join("model.safetensors"), &damaged);
            let spec = spec(ModelKind::Transformer, dir.path(), precision);
            for opened in [open(&spec).map(|_| ()), open_max_sim(&spec).map(|_| ())] {
                let message = format!("{:#}", opened.unwrap_err());
                assert!(message.contains(tensor) && message.contains("place 5"), "{message}");
            }
        }
    }
    // The same for an adapter, the head of a cross-encoder and a table.
    let damaged = |from: &Path, tensor: &str, to: &Path| {
        let mut tensors = load(from, "");
        let (_, dtype, _, bytes) =
            tensors.iter_mut().find(|(name, ..)| name.ends_with(tensor)).unwrap();
        match dtype {
            Dtype::F16 => bytes[0..2].copy_from_slice(&0x7e00_u16.to_le_bytes()),
            _ => bytes[0..4].copy_from_slice(&f32::NAN.to_le_bytes()),
        }
        save(to, &tensors);
    };
    let dir = tempfile::tempdir().unwrap();
    let lora = data().join("tiny/bert-lora");
    let config = std::fs::read(lora.join("adapter_config.json")).unwrap();
    write(&dir.path().join("adapter_config.json"), &config);
    let file = "adapter_model.safetensors";
    damaged(&lora.join(file), "lora_B.weight", &dir.path().join(file));
    let mut adapted = spec(ModelKind::Transformer, &data().join("tiny/bert"), ModelPrecision::Int8);
    adapted.adapter = Some(dir.path().to_str().unwrap().to_owned());
    let message = format!("{:#}", open(&adapted).err().unwrap());
    assert!(message.contains("lora_B.weight") && message.contains("NaN"), "{message}");

    let dir = tempfile::tempdir().unwrap();
    let pairs = data().join("tiny_pairs");
    for name in ["config.json", "tokenizer.json"] {
        write(&dir.path().join(name), &std::fs::read(pairs.join(name)).unwrap());
    }
    let file = "model.safetensors";
    damaged(&pairs.join(file), "classifier.weight", &dir.path().join(file));
    let (model, precision) = (dir.path().to_str().unwrap().to_owned(), ModelPrecision::Int8);
    let scorer = CrossEncoderSpec { model, precision, max_tokens: None, pair: None };
    let message = format!("{:#}", open_cross_encoder(&scorer).err().unwrap());
    assert!(message.contains("classifier.weight") && message.contains("NaN"), "{message}");

    let stored = stored();
    let dir = tempfile::tempdir().unwrap();
    build(&stored.layouts["static with weights"], dir.path());
    for tensor in ["embeddings", "weights"] {
        let other = tempfile::tempdir().unwrap();
        build(&stored.layouts["static with weights"], other.path());
        damaged(&dir.path().join(file), tensor, &other.path().join(file));
        let opened = open(&spec(ModelKind::Static, other.path(), ModelPrecision::Int8));
        let message = format!("{:#}", opened.err().unwrap());
        assert!(message.contains(tensor) && message.contains("NaN"), "{message}");
    }

    // Finite weights may still be too large to compute with, which must not give a plausible result.
    for precision in [ModelPrecision::F32, ModelPrecision::Int8] {
        let mut large = tensors.clone();
        for (name, _, _, bytes) in &mut large {
            if name.contains("output.dense.weight") {
                // Signs in a pattern that makes all rows different.
                for (place, number) in bytes.chunks_exact_mut(4).enumerate() {
                    let sign = if place % 5 < 2 { 1.0_f32 } else { -1.0 };
                    number.copy_from_slice(&(sign * 3e38).to_le_bytes());
                }
            }
        }
        let dir = tempfile::tempdir().unwrap();
        build(&json!({"base": "bert"}), dir.path());
        save(&dir.path().join("model.safetensors"), &large);
        let model = open(&spec(ModelKind::Transformer, dir.path(), precision)).unwrap();
        let message = model.embed(TextRole::Passage, &["a b"], &|_| {}).unwrap_err().to_string();
        assert!(message.contains("not finite"), "{message}");
    }
}

#[test]
fn a_damaged_tokenizer_is_an_error_and_does_not_panic() {
    let good = std::fs::read(data().join("tiny/bert/tokenizer.json")).unwrap();
    let parsed: Value = serde_json::from_slice(&good).unwrap();
    let mut damaged = Vec::new();
    let mut change = |pointer: &str, value: Value| {
        let mut json = parsed.clone();
        *json.pointer_mut(pointer).unwrap() = value;
        damaged.push((format!("{pointer} {}", json.pointer(pointer).unwrap()), json));
    };
    change("/post_processor/special_tokens/[CLS]/ids", json!([]));
    change("/post_processor/special_tokens/[CLS]/ids", json!([4_000_000_000_u32]));
    change(
        "/post_processor/special_tokens/[CLS]",
        json!({"id": "[SEP]", "ids": [2], "tokens": ["x"]}),
    );
    change("/post_processor/special_tokens", json!({}));
    change("/post_processor/single", json!([]));
    change("/post_processor/single", json!([{"SpecialToken": {"id": "[NO]", "type_id": 0}}]));
    change("/post_processor/pair", json!([{"Sequence": {"id": "B", "type_id": 9}}]));
    change(
        "/post_processor",
        json!({"type": "BertProcessing", "sep": ["[SEP]", 99999], "cls": ["[CLS]", 2]}),
    );
    change(
        "/post_processor",
        json!({"type": "RobertaProcessing", "sep": ["x", 1], "cls": ["y", 4294967295_u32], "trim_offsets": true, "add_prefix_space": true}),
    );
    change("/model/unk_token", json!("[NOT THERE]"));
    change("/model/max_input_chars_per_word", json!(0));
    change("/model/vocab", json!({}));
    change(
        "/model",
        json!({"type": "Unigram", "unk_id": 7, "vocab": [["a", -1.0]], "byte_fallback": true}),
    );
    change("/model", json!({"type": "Unigram", "unk_id": null, "vocab": []}));
    change("/model", json!({"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}));
    change("/normalizer", json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}));
    change(
        "/pre_tokenizer",
        json!({"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": false}),
    );
    change(
        "/added_tokens",
        json!([{"id": 4_000_000_000_u32, "content": "", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}]),
    );
    for (what, json) in damaged {
        let dir = tempfile::tempdir().unwrap();
        build(&json!({"base": "bert"}), dir.path());
        write(&dir.path().join("tokenizer.json"), json.to_string().as_bytes());
        let opened = open(&spec(ModelKind::Transformer, dir.path(), ModelPrecision::F32));
        // Some damage gives another valid tokenizer, which then has to work.
        if let Ok(model) = opened {
            let vectors = model.embed(TextRole::Passage, &["a text", ""], &|_| {});
            if let Ok(vectors) = vectors {
                assert!(vectors.data.iter().all(|x| x.is_finite()), "{what}");
            }
        }
    }
    for cut in [0, 1, good.len() / 3, good.len() - 1] {
        let dir = tempfile::tempdir().unwrap();
        build(&json!({"base": "bert"}), dir.path());
        write(&dir.path().join("tokenizer.json"), &good[..cut]);
        let error =
            open(&spec(ModelKind::Transformer, dir.path(), ModelPrecision::F32)).err().unwrap();
        assert!(format!("{error:#}").contains("tokenizer.json"), "{error:#}");
    }
}

#[test]
fn missing_weights_and_settings_are_reported() {
    let dir = tempfile::tempdir().unwrap();
    build(&json!({"base": "bert"}), dir.path());
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    write(&dir.path().join("pytorch_model.bin"), b"x");
    write(&dir.path().join("modules.json"), modules(&[("", TRANSFORMER)]).to_string().as_bytes());
    let error = open(&spec(ModelKind::Transformer, dir.path(), ModelPrecision::F32)).err().unwrap();
    assert!(format!("{error:#}").contains("model.safetensors"), "{error:#}");

    let message = refusal(&json!({"files": {"modules.json": modules(&[("", TRANSFORMER)])}}));
    assert!(message.contains("no pooling") && message.contains("max_sim"), "{message}");
    let dot = json!({"files": {"config_sentence_transformers.json": {"truncate_dim": 5}}});
    let dir = tempfile::tempdir().unwrap();
    let mut layout = dot;
    layout["base"] = json!("bert");
    build(&layout, dir.path());
    let cut = open(&spec(ModelKind::Transformer, dir.path(), ModelPrecision::F32)).unwrap();
    assert_eq!(cut.dim(), 5, "truncate_dim is the usual dim");
    let mut requested = spec(ModelKind::Transformer, dir.path(), ModelPrecision::F32);
    requested.dim = Some(7);
    assert_eq!(open(&requested).unwrap().dim(), 7);
}
