//! Texts per second of MiniLM: packed f32 and int8 against the operations of candle's standard BERT.
//!
//! Run with `cargo bench --bench embed`; f32 and the standard forward need `knockon models pull all-MiniLM-L6-v2`. The
//! standard sequence is that of `candle-transformers`' `BertModel`: a padded batch with a mask through `candle_nn`'s
//! linear, softmax and layer norm. Here all texts have the same length, so it needs no padding.

use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::{Embedding, LayerNorm, Linear, VarBuilder};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use knockon::Environment;
use knockon::embed::{ModelKind, ModelPrecision, ModelSpec, TextRole, model_paths, open};

const MODEL: &str = "all-MiniLM-L6-v2";
const TOKENS: usize = 64;
const TEXTS: usize = 128;
/// Texts per batch of the standard forward.
const BATCH: usize = 32;
const HIDDEN: usize = 384;
const WIDE: usize = 1536;
const HEADS: usize = 12;
const LAYERS: usize = 6;

fn texts_per_second(criterion: &mut Criterion) {
    // Every "word" is one token; the other two are special tokens.
    let text = "word ".repeat(TOKENS - 2);
    let texts = vec![text.as_str(); TEXTS];
    let mut group = criterion.benchmark_group(format!("MiniLM, {TEXTS} texts of {TOKENS} tokens"));
    group.sample_size(10).throughput(Throughput::Elements(TEXTS as u64));

    let mut packed = |name: &str, precision| {
        let spec = ModelSpec::new(ModelKind::Transformer, MODEL).with_precision(precision);
        match open(&spec, &Environment::from_process()) {
            Ok(embedder) => {
                group.bench_function(name, |b| {
                    b.iter(|| embedder.embed(TextRole::Passage, &texts, &|_| {}).unwrap());
                });
            }
            Err(e) => println!("skipped: {name}: {e:#}"),
        }
    };
    packed("packed int8", ModelPrecision::Int8);
    packed("packed f32", ModelPrecision::F32);

    let Some(dir) = model_paths::pulled_model_dir(MODEL, &Environment::from_process()) else {
        println!("skipped: stock; fetch the weights with: knockon models pull {MODEL}");
        return;
    };
    let stock = Stock::load(&dir.join("model.safetensors")).unwrap();
    // [CLS], "word" as often as above, [SEP].
    let mut ids = vec![2773_u32; TOKENS];
    (ids[0], ids[TOKENS - 1]) = (101, 102);
    let ids = Tensor::from_vec(ids.repeat(BATCH), (BATCH, TOKENS), &Device::Cpu).unwrap();
    let one = stock.embed(&ids).unwrap().get(0).unwrap().to_vec1::<f32>().unwrap();
    let spec = ModelSpec::new(ModelKind::Transformer, MODEL).with_precision(ModelPrecision::F32);
    let ours = open(&spec, &Environment::from_process())
        .unwrap()
        .embed(TextRole::Passage, &texts[..1], &|_| {})
        .unwrap();
    let apart = one.iter().zip(&ours.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-4, "the stock forward computes something else: {apart} apart");
    group.bench_function("stock operations of candle", |b| {
        b.iter(|| {
            for _ in 0..TEXTS / BATCH {
                stock.embed(&ids).unwrap();
            }
        });
    });
}

struct Stock {
    words: Embedding,
    positions: Embedding,
    types: Embedding,
    norm: LayerNorm,
    layers: Vec<StockLayer>,
}

struct StockLayer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: LayerNorm,
    wide: Linear,
    narrow: Linear,
    narrow_norm: LayerNorm,
}

impl Stock {
    fn load(weights: &std::path::Path) -> Result<Self> {
        let bytes = std::fs::read(weights)?;
        let vb = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &Device::Cpu)?;
        let linear = |name: String, i, o| candle_nn::linear(i, o, vb.pp(name));
        let norm = |name: String| candle_nn::layer_norm(HIDDEN, 1e-12, vb.pp(name));
        let table = |name: &str, rows| {
            candle_nn::embedding(rows, HIDDEN, vb.pp(format!("embeddings.{name}_embeddings")))
        };
        let layers = (0..LAYERS)
            .map(|i| {
                let at = format!("encoder.layer.{i}");
                Ok(StockLayer {
                    query: linear(format!("{at}.attention.self.query"), HIDDEN, HIDDEN)?,
                    key: linear(format!("{at}.attention.self.key"), HIDDEN, HIDDEN)?,
                    value: linear(format!("{at}.attention.self.value"), HIDDEN, HIDDEN)?,
                    attended: linear(format!("{at}.attention.output.dense"), HIDDEN, HIDDEN)?,
                    attended_norm: norm(format!("{at}.attention.output.LayerNorm"))?,
                    wide: linear(format!("{at}.intermediate.dense"), HIDDEN, WIDE)?,
                    narrow: linear(format!("{at}.output.dense"), WIDE, HIDDEN)?,
                    narrow_norm: norm(format!("{at}.output.LayerNorm"))?,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            words: table("word", 30522)?,
            positions: table("position", 512)?,
            types: table("token_type", 2)?,
            norm: norm("embeddings.LayerNorm".into())?,
            layers,
        })
    }

    fn embed(&self, ids: &Tensor) -> Result<Tensor> {
        let (texts, tokens) = ids.dims2()?;
        let places = Tensor::arange(0, tokens as u32, &Device::Cpu)?;
        let x = (self.words.forward(ids)? + self.types.forward(&ids.zeros_like()?)?)?;
        let mut x = self.norm.forward(&x.broadcast_add(&self.positions.forward(&places)?)?)?;
        // Nothing is padded, so the mask is all zeros; the standard forward adds it anyway.
        let mask = Tensor::zeros((texts, 1, 1, tokens), DType::F32, &Device::Cpu)?;
        let size = HIDDEN / HEADS;
        let split =
            |t: Tensor| t.reshape((texts, tokens, HEADS, size))?.transpose(1, 2)?.contiguous();
        for l in &self.layers {
            let query = split(l.query.forward(&x)?)?;
            let key = split(l.key.forward(&x)?)?;
            let value = split(l.value.forward(&x)?)?;
            let scores = (query.matmul(&key.t()?)? / (size as f64).sqrt())?.broadcast_add(&mask)?;
            let weights = candle_nn::ops::softmax(&scores, candle_core::D::Minus1)?;
            let attended =
                weights.matmul(&value)?.transpose(1, 2)?.contiguous()?.flatten_from(2)?;
            x = l.attended_norm.forward(&(l.attended.forward(&attended)? + x)?)?;
            let wide = l.wide.forward(&x)?.gelu_erf()?;
            x = l.narrow_norm.forward(&(l.narrow.forward(&wide)? + x)?)?;
        }
        let mean = x.mean(1)?;
        mean.broadcast_div(&mean.sqr()?.sum_keepdim(1)?.sqrt()?)
    }
}

criterion_group!(benches, texts_per_second);
criterion_main!(benches);
