//! Model directories with surplus, missing or wrong content: each is refused, and the message names the file with the
//! setting or the tensor.

use std::path::Path;

use knockon::embed::similarity_map::{
    MapNetwork, MapNetworkShape, SimilarityMapBase, SimilarityMapConfig,
};
use knockon::embed::{
    CrossEncoderSpec, ModelKind, ModelPrecision, SimilarityMapSpec, quantize, similarity_map,
};
use knockon::output::OutputWriter;
use safetensors::Dtype;
use serde_json::{Value, json};

use crate::layouts::{Tensor, build, data, floats, load, save, spec, stored, write};
use crate::support::models::{
    open, open_cross_encoder, open_maps, open_max_sim, open_similarity_map,
};

const WEIGHTS: &str = "model.safetensors";

/// Builds a layout in a folder with changes to its tensors, and returns the error of opening it.
fn refusal(layout: &Value, file: &str, change: impl FnOnce(&mut Vec<Tensor>)) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    build(layout, dir.path());
    let mut tensors = load(&dir.path().join(file), "");
    change(&mut tensors);
    save(&dir.path().join(file), &tensors);
    opened(layout, dir.path())
}

fn opened(layout: &Value, dir: &Path) -> Option<String> {
    let error = match layout["kind"].as_str() {
        Some("static") => open(&spec(ModelKind::Static, dir, ModelPrecision::F32)).err(),
        Some("late") => open_max_sim(&spec(ModelKind::Transformer, dir, ModelPrecision::F32)).err(),
        Some("reranker") => {
            let (model, precision) = (dir.to_str().unwrap().to_owned(), ModelPrecision::F32);
            let spec = CrossEncoderSpec { model, precision, max_tokens: None, pair: None };
            open_cross_encoder(&spec).err()
        }
        _ => open(&spec(ModelKind::Transformer, dir, ModelPrecision::F32)).err(),
    };
    error.map(|error| format!("{error:#}"))
}

fn numbers(name: &str, shape: &[usize]) -> Tensor {
    let count = shape.iter().product::<usize>();
    let numbers: Vec<f32> = (0..count).map(|i| 0.1 * (i % 13) as f32 - 0.5).collect();
    floats(name, shape, &numbers)
}

#[track_caller]
fn assert_mentions(message: Option<String>, parts: &[&str]) {
    let message = message.expect("it is refused");
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn surplus_layers_are_reported_with_their_setting() {
    for (base, layers, of) in
        [("bert", 1, "2 layers"), ("mpnet", 1, "2 layers"), ("modernbert", 2, "4 layers")]
    {
        let mut config = json!({"num_hidden_layers": layers});
        if base == "modernbert" {
            config["layer_types"] = json!(["full_attention", "sliding_attention"]);
        }
        let layout = json!({"kind": "sentence", "base": base, "changes": {"config.json": config}});
        let expected = format!("`num_hidden_layers` is {layers}");
        assert_mentions(
            refusal(&layout, WEIGHTS, |_| {}),
            &["config.json", &expected, WEIGHTS, of],
        );
    }
    // With more layers than weights a tensor is missing; so it is with a gap among the layers.
    let layout = json!({"base": "bert", "changes": {"config.json": {"num_hidden_layers": 3}}});
    assert_mentions(refusal(&layout, WEIGHTS, |_| {}), &["encoder.layer.2.attention"]);
    let layout = json!({"base": "bert"});
    let renumber = |tensors: &mut Vec<Tensor>| {
        for (name, ..) in tensors {
            *name = name.replace("layer.1.", "layer.3.");
        }
    };
    assert_mentions(refusal(&layout, WEIGHTS, renumber), &["encoder.layer.1.attention"]);
}

#[test]
fn an_unread_tensor_is_reported() {
    let stored = stored();
    for (layout, file, name, shape) in [
        ("pooling mean", WEIGHTS, "encoder.layer.0.attention.self.extra.weight", &[4, 4][..]),
        ("pooling mean", WEIGHTS, "projection.weight", &[4, 16]),
        ("pooling mean", WEIGHTS, "linear.weight", &[4, 16]),
        ("pooling mean", WEIGHTS, "embeddings.word_embeddings.weight.scale", &[300]),
        ("pooling mean", WEIGHTS, "bert.embeddings.LayerNorm.weight", &[16]),
        ("pooling of modernbert", WEIGHTS, "layers.0.attn_norm.weight", &[16]),
        ("dense tanh", "2_Dense/model.safetensors", "residual.weight", &[6, 16]),
        ("layer norm", "2_LayerNorm/model.safetensors", "norm.running_mean", &[16]),
        ("static", WEIGHTS, "embedding.weight", &[5, 6]),
        ("static with both", WEIGHTS, "bias", &[6]),
        ("modernbert reranker, cls, 1", WEIGHTS, "head.gate.weight", &[16, 16]),
        ("stanford", WEIGHTS, "linear.bias", &[4]),
        ("pylate", "1_Dense/model.safetensors", "second.weight", &[4, 4]),
    ] {
        let layout = &stored.layouts[layout];
        assert_eq!(refusal(layout, file, |_| {}), None, "{file}");
        let message = refusal(layout, file, |tensors| tensors.push(numbers(name, shape)));
        // Of two tables with the same name, the one with the prefix is read.
        let named = if name.starts_with("bert.") { "LayerNorm.weight" } else { name };
        assert_mentions(message, &["model.safetensors", named]);
    }
    let many = refusal(&stored.layouts["pooling mean"], WEIGHTS, |tensors| {
        tensors.extend((0..9).map(|i| numbers(&format!("stray.{i}"), &[3])));
    });
    assert_mentions(many, &["`stray.0`, `stray.1`, `stray.2`, `stray.3`, `stray.4` and 4 more"]);
}

#[test]
fn files_that_the_libraries_ignore_are_accepted() {
    let stored = stored();
    let ids = || ("embeddings.position_ids".to_owned(), Dtype::I64, vec![1], vec![0; 8]);
    for name in [
        "pooler.dense.weight",
        "cls.predictions.transform.dense.weight",
        "cls.seq_relationship.weight",
        "lm_head.dense.weight",
        "qa_outputs.weight",
        "classifier.weight",
    ] {
        let message = refusal(&stored.layouts["pooling mean"], WEIGHTS, |tensors| {
            tensors.retain(|(known, ..)| known != name);
            tensors.extend([ids(), numbers(name, &[2, 16])]);
        });
        assert_eq!(message, None, "{name}");
    }
    for name in ["head.dense.weight", "decoder.weight", "classifier.weight"] {
        let message = refusal(&stored.layouts["pooling of modernbert"], WEIGHTS, |tensors| {
            tensors.push(numbers(name, &[16, 16]));
        });
        assert_eq!(message, None, "{name}");
    }
}

#[test]
fn degenerate_matrices_are_refused() {
    let stored = stored();
    let fill = |tensor: &'static str, row: bool| {
        move |tensors: &mut Vec<Tensor>| {
            let found = tensors.iter_mut().find(|(name, ..)| name.ends_with(tensor));
            let (name, _, shape, bytes) = found.unwrap_or_else(|| panic!("no {tensor}"));
            let (count, cols) = (bytes.len() / 4, *shape.last().unwrap());
            let number = |i: usize| if row { 0.5 + (i % cols) as f32 } else { 0.0 };
            let numbers: Vec<f32> = (0..count).map(number).collect();
            *bytes = floats(name, shape, &numbers).3;
        }
    };
    for (layout, file, tensor) in [
        ("pooling mean", WEIGHTS, "word_embeddings.weight"),
        ("pooling mean", WEIGHTS, "position_embeddings.weight"),
        ("pooling mean", WEIGHTS, "encoder.layer.0.attention.self.query.weight"),
        ("pooling mean", WEIGHTS, "encoder.layer.1.output.dense.weight"),
        ("pooling of modernbert", WEIGHTS, "layers.2.mlp.Wo.weight"),
        ("pooling of modernbert", WEIGHTS, "tok_embeddings.weight"),
        ("dense tanh", "2_Dense/model.safetensors", "linear.weight"),
        ("dense with a residual to 6", "2_Dense/model.safetensors", "residual.weight"),
        ("static", WEIGHTS, "embeddings"),
        ("static with both", WEIGHTS, "embeddings"),
        ("modernbert reranker, mean, 1", WEIGHTS, "head.dense.weight"),
        ("modernbert reranker, cls, 2", WEIGHTS, "classifier.weight"),
        ("pylate", "1_Dense/model.safetensors", "linear.weight"),
        ("stanford", WEIGHTS, "linear.weight"),
    ] {
        let layout = &stored.layouts[layout];
        assert_mentions(refusal(layout, file, fill(tensor, false)), &[tensor, "is all zeros"]);
        assert_mentions(
            refusal(layout, file, fill(tensor, true)),
            &[tensor, "rows", "are the same"],
        );
    }
    for (layout, file, tensor) in [
        ("pooling mean", WEIGHTS, "embeddings.LayerNorm.weight"),
        ("pooling mean", WEIGHTS, "encoder.layer.1.output.LayerNorm.weight"),
        ("pooling of modernbert", WEIGHTS, "final_norm.weight"),
        ("layer norm", "2_LayerNorm/model.safetensors", "norm.weight"),
        ("static with weights", WEIGHTS, "weights"),
        ("modernbert reranker, cls, 1", WEIGHTS, "head.norm.weight"),
        ("modernbert reranker, cls, 1", WEIGHTS, "classifier.weight"),
    ] {
        assert_mentions(
            refusal(&stored.layouts[layout], file, fill(tensor, false)),
            &[tensor, "all zeros"],
        );
    }
    // The token types of RoBERTa are zero, and so are many biases.
    for tensor in ["token_type_embeddings.weight", "output.dense.bias", "LayerNorm.bias"] {
        let message = refusal(&stored.layouts["pooling mean"], WEIGHTS, fill(tensor, false));
        assert_eq!(message, None, "{tensor}");
    }
    // The same for int8 weights.
    let dir = tempfile::tempdir().unwrap();
    let (source, out) = (dir.path().join("source"), dir.path().join("out"));
    build(&stored.layouts["pooling mean"], &source);
    quantize::quantize(&source, &OutputWriter::default(), &out).unwrap();
    let good = load(&out.join(WEIGHTS), "");
    for (tensor, byte, expected) in [
        ("word_embeddings.weight", 0_u8, "is all zeros"),
        ("word_embeddings.weight.scale", 0, "is all zeros"),
        ("query.weight.smooth", 0, "all zeros"),
        ("value.weight", 0, "is all zeros"),
    ] {
        let mut tensors = good.clone();
        let (_, _, _, bytes) = tensors.iter_mut().find(|(n, ..)| n.ends_with(tensor)).unwrap();
        bytes.fill(byte);
        save(&out.join(WEIGHTS), &tensors);
        let error = open(&spec(ModelKind::Transformer, &out, ModelPrecision::Int8)).err().unwrap();
        assert_mentions(Some(format!("{error:#}")), &[tensor, expected]);
    }
}

#[test]
fn settings_of_a_wrong_type_or_range_are_reported() {
    let stored = stored();
    for (layout, file, key, value) in [
        ("pooling mean", "config.json", "layer_norm_eps", json!("1e-12")),
        ("pooling mean", "config.json", "layer_norm_eps", json!(1.0)),
        ("pooling mean", "config.json", "layer_norm_eps", json!(-1e-12)),
        ("pooling mean", "config.json", "hidden_size", json!("16")),
        ("pooling mean", "config.json", "num_attention_heads", json!(2.5)),
        ("pooling mean", "config.json", "hidden_act", json!(3)),
        ("pooling mean", "config.json", "model_type", json!(["bert"])),
        ("pooling mean", "config.json", "pad_token_id", json!("0")),
        ("pooling mean", "config.json", "architectures", json!("HF_ColBERT")),
        ("pooling of modernbert", "config.json", "norm_eps", json!("1e-5")),
        ("pooling of modernbert", "config.json", "local_attention", json!("8")),
        ("pooling of modernbert", "config.json", "attention_bias", json!("false")),
        ("pooling of modernbert", "config.json", "layer_types", json!("full_attention")),
        ("pooling of modernbert", "config.json", "global_rope_theta", json!("1e4")),
        ("pooling of modernbert", "config.json", "rope_parameters", json!([])),
        ("pooling of modernbert", "config.json", "rope_parameters.full_attention", json!(5)),
        (
            "pooling of modernbert",
            "config.json",
            "rope_parameters.full_attention.rope_theta",
            json!("5"),
        ),
        ("pooling of modernbert", "config.json", "rope_parameters.rope_theta", json!(5.0)),
        ("modernbert reranker, cls, 1", "config.json", "classifier_bias", json!("no")),
        ("modernbert reranker, cls, 1", "config.json", "classifier_pooling", json!(1)),
        ("modernbert reranker, cls, 1", "config.json", "num_labels", json!(3)),
        ("modernbert reranker, cls, 2", "config.json", "id2label", json!({"0": "one"})),
        ("static", "config.json", "max_length", json!("512")),
        ("static", "config.json", "max_length", json!(0)),
        ("layer norm", "2_LayerNorm/config.json", "dimension", json!(8)),
        ("layer norm", "2_LayerNorm/config.json", "dimension", json!("16")),
        ("dense tanh", "2_Dense/config.json", "out_features", json!("6")),
        ("dense tanh", "2_Dense/config.json", "bias", json!("true")),
        ("pooling mean", "modules.json", "1", json!({"idx": 1, "path": 5, "type": "x"})),
        ("length of the tokenizer", "tokenizer_config.json", "model_max_length", json!("64")),
        ("length of the tokenizer", "tokenizer_config.json", "added_tokens_decoder", json!([1])),
        ("pylate", "config_sentence_transformers.json", "query_length", json!("12")),
        ("pylate", "config_sentence_transformers.json", "skiplist_words", json!("the")),
        ("stanford", "artifact.metadata", "doc_maxlen", json!("30")),
    ] {
        let layout = &stored.layouts[layout];
        let dir = tempfile::tempdir().unwrap();
        build(layout, dir.path());
        let path = dir.path().join(file);
        let mut json: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let changed = key.split('.').fold(&mut json, |json, key| match key.parse::<usize>() {
            Ok(place) => &mut json[place],
            Err(_) => &mut json[key],
        });
        *changed = value.clone();
        write(&path, json.to_string().as_bytes());
        let message = opened(layout, dir.path());
        let last = if file == "modules.json" { "path" } else { key.rsplit('.').next().unwrap() };
        let folder = file.split('/').next().unwrap();
        assert_mentions(message, &[folder, last]);
    }
}

#[test]
fn unknown_settings_are_reported_in_every_kind_of_directory() {
    let stored = stored();
    let mut tried = 0;
    for name in [
        "static with both",
        "modernbert reranker, cls, 1",
        "pylate, two layers",
        "stanford",
        "pooling of modernbert",
        "do_lower_case",
        "in a folder",
        "prompts",
        "a chain in folders of other names",
        "length in a file of another name",
    ] {
        let layout = &stored.layouts[name];
        let dir = tempfile::tempdir().unwrap();
        build(layout, dir.path());
        assert_eq!(opened(layout, dir.path()), None, "{name}");
        for path in settings(dir.path()) {
            let good = std::fs::read(&path).unwrap();
            let mut json: Value = serde_json::from_slice(&good).unwrap();
            match json.as_array_mut() {
                Some(modules) => modules[0]["made_up_setting"] = json!(3),
                None => json["made_up_setting"] = json!(3),
            }
            write(&path, json.to_string().as_bytes());
            let message = opened(layout, dir.path());
            let file = path.file_name().unwrap().to_str().unwrap();
            match message {
                // The library does not read these either: a pooling that modules.json does not list, and the settings
                // of a tokenizer that is elsewhere.
                None => assert!(
                    name.contains("chain") && path.ends_with("1_Pooling/config.json")
                        || name == "in a folder"
                            && path == dir.path().join("tokenizer_config.json"),
                    "{name}: {}",
                    path.display()
                ),
                message => assert_mentions(message, &["made_up_setting", file]),
            }
            write(&path, &good);
            tried += 1;
        }
    }
    assert!(tried >= 40, "{tried}");
}

/// The settings files in a folder and their contents.
fn settings(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.extension().and_then(|end| end.to_str()) {
            _ if path.is_dir() => found.extend(settings(&path)),
            Some("json" | "metadata") => found.push(path),
            _ => {}
        }
    }
    found
}

#[test]
fn adapters_and_map_networks_get_the_same_checks() {
    // An untrained adapter would give the results of the base under another name.
    let lora = data().join("tiny/bert-lora");
    let dir = tempfile::tempdir().unwrap();
    let config = std::fs::read(lora.join("adapter_config.json")).unwrap();
    let opened = |config: &[u8], change: &dyn Fn(&mut Vec<Tensor>)| {
        let mut tensors = load(&lora.join("adapter_model.safetensors"), "");
        change(&mut tensors);
        write(&dir.path().join("adapter_config.json"), config);
        save(&dir.path().join("adapter_model.safetensors"), &tensors);
        let mut adapted =
            spec(ModelKind::Transformer, &data().join("tiny/bert"), ModelPrecision::F32);
        adapted.adapter = Some(dir.path().to_str().unwrap().to_owned());
        open(&adapted).err().map(|error| format!("{error:#}"))
    };
    assert_eq!(opened(&config, &|_| {}), None);
    let zero = |part: &'static str| {
        move |tensors: &mut Vec<Tensor>| {
            for (_, _, _, bytes) in tensors.iter_mut().filter(|(name, ..)| name.contains(part)) {
                bytes.fill(0);
            }
        }
    };
    assert_mentions(
        opened(&config, &zero("lora_B")),
        &["adapter_model.safetensors", "changes nothing"],
    );
    assert_mentions(
        opened(&config, &zero("lora_A")),
        &["adapter_model.safetensors", "changes nothing"],
    );
    let stray_file = |tensors: &mut Vec<Tensor>| {
        tensors.push(numbers("base_model.model.encoder.layer.0.stray.weight", &[4]));
    };
    assert_mentions(opened(&config, &stray_file), &["adapter_model.safetensors", "stray"]);
    let parsed: Value = serde_json::from_slice(&config).unwrap();
    for (key, value) in [
        ("r", json!("2")),
        ("r", json!(0)),
        ("lora_alpha", json!("8")),
        ("lora_alpha", json!(-8)),
        ("lora_alpha", json!(1e300)),
        ("use_rslora", json!("true")),
        ("peft_type", json!(3)),
    ] {
        let mut changed = parsed.clone();
        changed[key] = value;
        let message = opened(changed.to_string().as_bytes(), &|_| {});
        assert_mentions(message, &["adapter_config.json", key]);
    }

    let tiny = data().join("tiny_pairs");
    let base = tiny.to_str().unwrap().to_owned();
    let maps = open_maps(&spec(ModelKind::Transformer, &tiny, ModelPrecision::F32), 8).unwrap();
    let fingerprint = maps.fingerprint().to_owned();
    let base = SimilarityMapBase { model: base, precision: ModelPrecision::F32, fingerprint };
    let shape = MapNetworkShape { width: 2, layers: 1 };
    let weights = (0..shape.parameter_count()).map(|i| 0.01 * (i % 11) as f32 - 0.05).collect();
    let net = MapNetwork { shape, weights };
    let dir = tempfile::tempdir().unwrap();
    let map = dir.path().join("map");
    similarity_map::save(
        &OutputWriter::new(true),
        &map,
        &SimilarityMapConfig::new(base, 8, shape),
        &net,
        &[],
    )
    .unwrap();
    let open = || {
        let map_spec = SimilarityMapSpec { dir: map.to_str().unwrap().to_owned(), penalty: None };
        open_similarity_map(&map_spec).err().map(|error| format!("{error:#}"))
    };
    assert_eq!(open(), None);
    let good = load(&map.join(WEIGHTS), "");
    let mut more = good.clone();
    more.push(numbers("conv.1.weight", &[2, 2, 3, 3]));
    save(&map.join(WEIGHTS), &more);
    assert_mentions(open(), &["model.safetensors", "conv.1.weight"]);
    let mut empty = good;
    empty.iter_mut().filter(|(name, ..)| name == "out.weight").for_each(|t| t.3.fill(0));
    save(&map.join(WEIGHTS), &empty);
    assert_mentions(open(), &["out.weight", "all zeros"]);
}

/// Normalizers that make thousands of characters of one would fill the memory with the first text.
#[test]
fn normalizers_that_multiply_a_text_are_refused() {
    let stored = stored();
    let replace =
        |content: &str| json!({"type": "Replace", "pattern": {"String": "l"}, "content": content});
    let prepend = json!({"type": "Prepend", "prepend": "l".repeat(50)});
    for normalizers in [
        vec![replace(&"l".repeat(100)); 6],
        vec![prepend, replace(&"l".repeat(100))],
        vec![replace(&"m".repeat(1_000_000))],
    ] {
        let dir = tempfile::tempdir().unwrap();
        build(&stored.layouts["pooling mean"], dir.path());
        let path = dir.path().join("tokenizer.json");
        let mut tokenizer: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        tokenizer["normalizer"] = json!({"type": "Sequence", "normalizers": normalizers});
        write(&path, tokenizer.to_string().as_bytes());
        assert_mentions(
            opened(&stored.layouts["pooling mean"], dir.path()),
            &["tokenizer.json", "normalizer.normalizers[", "(Replace)", "allowed: up to 200"],
        );
    }
}

#[cfg(unix)]
#[test]
fn non_files_are_refused_without_blocking() {
    let pipe = |path: &Path| {
        let _ = std::fs::remove_file(path);
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    let stored = stored();
    for file in ["config.json", "tokenizer.json", WEIGHTS, "1_Pooling/config.json", "modules.json"]
    {
        let dir = tempfile::tempdir().unwrap();
        build(&stored.layouts["pooling mean"], dir.path());
        pipe(&dir.path().join(file));
        assert!(opened(&stored.layouts["pooling mean"], dir.path()).is_some(), "{file}");
    }
    let lora = data().join("tiny/bert-lora");
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        let dir = tempfile::tempdir().unwrap();
        for name in ["adapter_config.json", "adapter_model.safetensors"] {
            write(&dir.path().join(name), &std::fs::read(lora.join(name)).unwrap());
        }
        pipe(&dir.path().join(file));
        let mut adapted =
            spec(ModelKind::Transformer, &data().join("tiny/bert"), ModelPrecision::F32);
        adapted.adapter = Some(dir.path().to_str().unwrap().to_owned());
        assert_mentions(
            open(&adapted).err().map(|e| format!("{e:#}")),
            &[file, "a pipe, not a file"],
        );
    }
    let dir = tempfile::tempdir().unwrap();
    pipe(&dir.path().join("config.json"));
    std::os::unix::fs::symlink("/dev/zero", dir.path().join(WEIGHTS)).unwrap();
    assert!(!knockon::embed::is_similarity_map(dir.path()));
    let map_spec =
        SimilarityMapSpec { dir: dir.path().to_str().unwrap().to_owned(), penalty: None };
    assert_mentions(
        open_similarity_map(&map_spec).err().map(|e| format!("{e:#}")),
        &["a pipe, not a file"],
    );
    // As large as a file can claim to be.
    let dir = tempfile::tempdir().unwrap();
    build(&stored.layouts["pooling mean"], dir.path());
    for (file, expected) in [("config.json", "256 MiB"), (WEIGHTS, "16384 MiB")] {
        let path = dir.path().join(file);
        let good = std::fs::read(&path).unwrap();
        std::fs::File::create(&path).unwrap().set_len(1 << 42).unwrap();
        assert_mentions(opened(&stored.layouts["pooling mean"], dir.path()), &[file, expected]);
        write(&path, &good);
    }
}
