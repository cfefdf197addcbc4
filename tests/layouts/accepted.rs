//! Layouts that are accepted, compared with the libraries that write them.

use std::path::Path;

use knockon::embed::{CrossEncoderSpec, ModelKind, ModelPrecision, TextRole, quantize};
use knockon::output::OutputWriter;
use safetensors::Dtype;
use serde_json::{Value, json};

use super::{Stored, Tensor, build, load, save, spec, stored};
use crate::support::models::{open, open_cross_encoder, open_max_sim};

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
