//! Layouts that are refused, with what the message names.

use knockon::embed::{ModelKind, ModelPrecision};
use serde_json::{Value, json};

use super::{build, data, spec, write};
use crate::support::models::open;

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
