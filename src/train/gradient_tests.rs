//! Tests of the gradient against central differences, and against candle's autograd on the reference implementation.

use std::path::Path;

use candle_core::{Device, Tensor, Var};

use super::layer_parameters::TrainingLayerPart;
use super::loss::{self, RankingBatch};
use super::method::TunedParameters;
use super::network::{GradientRequest, TunableNetwork};
use super::pooled_cache::PooledVectorCache;
use super::recipe::{TuningMethod, TuningRecipe};
use crate::embed::TokenPooling;
use crate::embed::bert::layers::BertEncoder;
use crate::embed::bert::reference::ReferenceEncoder;
use crate::embed::bert::tunable::TunableModel;
use crate::environment::Environment;
use crate::kernel::rng;

const SCALE: f64 = 10.0;

fn tiny(name: &str) -> TunableModel {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/embed/tiny").join(name);
    TunableModel::open(dir.to_str().unwrap(), 48, &Environment::new()).unwrap()
}

/// Texts of 2 to 40 tokens, enough for several groups; some are used twice.
fn batch() -> (Vec<Vec<u32>>, RankingBatch) {
    let key = rng::key(1, "texts", "");
    let draw = |at: usize, below: u64| rng::draw(key, at as u64) % below;
    let texts = (0..30)
        .map(|i| (0..2 + draw(i, 39)).map(|j| draw(1000 * i + j as usize, 300) as u32).collect())
        .collect();
    let mut pairs: Vec<(usize, usize)> = (0..10).map(|i| (2 * i, 2 * i + 1)).collect();
    // Pairs of a text with itself, and one positive that belongs to two anchors.
    pairs.extend([(20, 20), (21, 21), (22, 3)]);
    (texts, RankingBatch { pairs, negatives: (23..30).collect() })
}

fn slices(texts: &[Vec<u32>]) -> Vec<&[u32]> {
    texts.iter().map(Vec::as_slice).collect()
}

#[test]
fn gradients_match_central_differences() {
    let (texts, batch) = batch();
    let texts = slices(&texts);
    for (model, pooling) in
        [("bert", TokenPooling::Mean), ("bert", TokenPooling::Cls), ("mpnet", TokenPooling::Last)]
    {
        let base = tiny(model);
        for method in TuningMethod::ALL {
            let recipe = TuningRecipe { rank: 2, ..TuningRecipe::new(method) };
            let mut network = TunableNetwork::new(&base.config, &base.encoder, pooling).unwrap();
            let (tuned, mut theta) = TunedParameters::new(&recipe, &network);
            let wanted = tuned.required_gradients(&network);
            // Move away from the initial point, where B is 0 and the head is the identity.
            let key = rng::key(2, "theta", "");
            for (i, x) in theta.iter_mut().enumerate() {
                *x += (rng::draw(key, i as u64) as f64 / 2f64.powi(64) - 0.5) as f32 * 0.1;
            }
            let mut loss = |theta: &[f32]| {
                tuned.set_weights(theta, &mut network);
                let pass = network.forward(&texts, wanted);
                let (loss, d) = loss::ranking(&pass.vectors, network.hidden(), &batch, SCALE);
                (loss, tuned.gradient(theta, network.backward(pass, &d, wanted)))
            };
            let (_, gradient) = loss(&theta);
            for (range, _) in &tuned.parts {
                // The slope in the direction of this part's gradient is the gradient's norm.
                let part = &gradient[range.clone()];
                let length = part.iter().map(|d| d * d).sum::<f32>().sqrt();
                let at = |sign: f32| {
                    let mut theta = theta.clone();
                    for (x, d) in theta[range.clone()].iter_mut().zip(part) {
                        *x += sign * 1e-2 * d / length.max(1e-6);
                    }
                    theta
                };
                let slope = (loss(&at(1.0)).0 - loss(&at(-1.0)).0) / 2e-2;
                let apart = (slope - f64::from(length)).abs();
                assert!(
                    apart < 0.01 * f64::from(length) + 1e-4,
                    "{model} {method:?} {range:?}: {slope}, not {length}"
                );
            }
        }
    }
}

/// The same loss in candle's operations, with the parameters of `encoder` as variables: gradients by layer and part.
fn candle_gradients(
    base: &TunableModel,
    encoder: BertEncoder,
    texts: &[&[u32]],
    batch: &RankingBatch,
) -> Vec<Vec<(TrainingLayerPart, Vec<f32>)>> {
    let mut model = ReferenceEncoder::new(base.config.clone(), encoder, &Device::Cpu).unwrap();
    let mut variables: Vec<Vec<(TrainingLayerPart, Var)>> = Vec::new();
    for layer in &mut model.layers {
        let mut of = Vec::new();
        let mut vary = |part: TrainingLayerPart, tensor: &mut Tensor| {
            let variable = Var::from_tensor(tensor).unwrap();
            *tensor = variable.as_tensor().clone();
            of.push((part, variable));
        };
        for dense in [&mut layer.query, &mut layer.key, &mut layer.value] {
            vary(TrainingLayerPart::Qkv, &mut dense.weight);
            vary(TrainingLayerPart::QkvBias, &mut dense.bias);
        }
        vary(TrainingLayerPart::Attended, &mut layer.attention_out.weight);
        vary(TrainingLayerPart::AttendedBias, &mut layer.attention_out.bias);
        vary(TrainingLayerPart::AttendedScale, &mut layer.attention_out_norm.scale);
        vary(TrainingLayerPart::AttendedShift, &mut layer.attention_out_norm.shift);
        vary(TrainingLayerPart::Wide, &mut layer.ffn_in.weight);
        vary(TrainingLayerPart::WideBias, &mut layer.ffn_in.bias);
        vary(TrainingLayerPart::Narrow, &mut layer.ffn_out.weight);
        vary(TrainingLayerPart::NarrowBias, &mut layer.ffn_out.bias);
        vary(TrainingLayerPart::NarrowScale, &mut layer.ffn_out_norm.scale);
        vary(TrainingLayerPart::NarrowShift, &mut layer.ffn_out_norm.shift);
        variables.push(of);
    }
    let vectors: Vec<Tensor> = texts
        .iter()
        .map(|ids| {
            let ids = Tensor::new(*ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
            let ones = Tensor::ones(ids.shape(), candle_core::DType::F32, &Device::Cpu).unwrap();
            model.mean_pooled(&ids, &ones).unwrap().squeeze(0).unwrap()
        })
        .collect();
    let mut loss = Tensor::zeros((), candle_core::DType::F32, &Device::Cpu).unwrap();
    for &(anchor, positive) in &batch.pairs {
        let score = |at: usize| {
            let product = (&vectors[anchor] * &vectors[at]).unwrap().sum_all().unwrap();
            (product * SCALE).unwrap()
        };
        let others = batch.pairs.iter().map(|pair| pair.1).chain(batch.negatives.iter().copied());
        let mut scores = vec![score(positive)];
        scores.extend(others.filter(|at| *at != positive).map(score));
        let total = Tensor::stack(&scores, 0).unwrap().exp().unwrap().sum_all().unwrap();
        loss = (loss + (total.log().unwrap() - &scores[0]).unwrap()).unwrap();
    }
    let loss = (loss / batch.pairs.len() as f64).unwrap();
    let gradients = loss.backward().unwrap();
    let numbers = |v: &Var| gradients.get(v).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    variables.iter().map(|of| of.iter().map(|(part, v)| (*part, numbers(v))).collect()).collect()
}

#[test]
fn gradients_match_candle() {
    let (texts, batch) = batch();
    let texts = slices(&texts);
    for model in ["bert", "mpnet"] {
        let base = tiny(model);
        let network = TunableNetwork::new(&base.config, &base.encoder, TokenPooling::Mean).unwrap();
        let wanted = GradientRequest { first_layer: 0, head: false };
        let pass = network.forward(&texts, wanted);
        let (_, d) = loss::ranking(&pass.vectors, network.hidden(), &batch, SCALE);
        let ours = network.backward(pass, &d, wanted).layers;
        let theirs = candle_gradients(&base, tiny(model).encoder, &texts, &batch);
        assert_eq!(ours.len(), theirs.len());
        for (layer, parts) in ours.iter().zip(&theirs) {
            for part in TrainingLayerPart::ALL {
                let ours = &layer[network.layout.range(part)];
                let theirs: Vec<f32> =
                    parts.iter().filter(|p| p.0 == part).flat_map(|p| &p.1).copied().collect();
                assert_eq!(ours.len(), theirs.len(), "{part:?}");
                let largest = theirs.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
                for (ours, theirs) in ours.iter().zip(&theirs) {
                    let apart = (ours - theirs).abs();
                    assert!(apart <= 1e-4 * largest + 1e-6, "{part:?}: {ours}, not {theirs}");
                }
            }
        }
    }
}

#[test]
fn pooled_vectors_are_read_from_disk() {
    let (texts, _) = batch();
    let texts = slices(&texts);
    let base = tiny("bert");
    let network = TunableNetwork::new(&base.config, &base.encoder, TokenPooling::Mean).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let open = |hash: &str| PooledVectorCache::on_disk(dir.path(), hash, network.hidden()).unwrap();
    let vectors = |mut frozen: PooledVectorCache| frozen.forward(&network, &texts).unwrap().vectors;
    let fresh = vectors(PooledVectorCache::default());
    assert_eq!(vectors(open("base")), fresh);
    let file = dir.path().join("base.pooled");
    let written = std::fs::read(&file).unwrap();
    assert_eq!(vectors(open("base")), fresh);
    assert_eq!(std::fs::read(&file).unwrap(), written, "nothing is computed again");
    // Vectors are read under the name of their base: another base computes its own.
    assert_eq!(vectors(open("other")), fresh);
    assert!(dir.path().join("other.pooled").exists());
}

#[test]
fn cached_vectors_give_the_same_head_gradient() {
    let (texts, batch) = batch();
    let texts = slices(&texts);
    for pooling in [TokenPooling::Mean, TokenPooling::Cls, TokenPooling::Last] {
        let base = tiny("bert");
        let mut network = TunableNetwork::new(&base.config, &base.encoder, pooling).unwrap();
        let (tuned, theta) =
            TunedParameters::new(&TuningRecipe::new(TuningMethod::Adapter), &network);
        let wanted = tuned.required_gradients(&network);
        let mut frozen = PooledVectorCache::default();
        let turned: Vec<f32> =
            theta.iter().enumerate().map(|(i, x)| x + (i % 7) as f32 * 0.01).collect();
        // In the second round all vectors come from the cache, and the head has changed.
        for theta in [theta, turned] {
            tuned.set_weights(&theta, &mut network);
            let passes =
                [network.forward(&texts, wanted), frozen.forward(&network, &texts).unwrap()];
            let [whole, head] = passes.map(|pass| {
                let (loss, d) = loss::ranking(&pass.vectors, network.hidden(), &batch, SCALE);
                (loss, network.backward(pass, &d, wanted).head)
            });
            assert!((whole.0 - head.0).abs() < 1e-5, "{} and {}", whole.0, head.0);
            let largest = whole.1.iter().fold(0.0_f32, |m, x| m.max(x.abs()));
            for (whole, head) in whole.1.iter().zip(&head.1) {
                assert!((whole - head).abs() <= 1e-4 * largest, "{whole} and {head}");
            }
        }
    }
}
