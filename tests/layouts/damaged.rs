//! Damaged weights and tokenizers.

use std::path::Path;

use knockon::embed::{CrossEncoderSpec, ModelKind, ModelPrecision, TextRole};
use safetensors::Dtype;
use serde_json::{Value, json};

use super::{build, data, load, save, spec, stored, write};
use crate::support::models::{open, open_cross_encoder, open_max_sim};

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
