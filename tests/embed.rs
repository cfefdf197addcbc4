//! The embedders against the models' own libraries, against each other, and through the cache.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use knockon::embed::bert::ReferenceBert;
use knockon::embed::{
    CachedEmbedder, Embedder, EmbeddingVectors, ModelKind, ModelPrecision, ModelSpec, TextRole,
    model_paths, open,
};
use knockon::output::OutputWriter;

const MINILM: &str = "all-MiniLM-L6-v2";
const POTION: &str = "potion-base-8M";

#[derive(serde::Deserialize)]
struct Stored {
    texts: Vec<String>,
    vectors: Vec<Vec<f32>>,
}

/// Vectors made once by `tests/data/embed/make_reference.py`.
fn stored(name: &str) -> Stored {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/embed").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn texts(stored: &Stored) -> Vec<&str> {
    stored.texts.iter().map(String::as_str).collect()
}

/// The pulled f32 weights, or a line saying that the test does not run.
fn original(name: &str) -> Option<PathBuf> {
    let found = model_paths::pulled_model_dir(name);
    if found.is_none() {
        println!("skipped: no f32 weights of {name}; fetch them with: knockon models pull {name}");
    }
    found
}

fn minilm(precision: ModelPrecision) -> ModelSpec {
    ModelSpec::new(ModelKind::Transformer, MINILM).with_precision(precision)
}

fn embed(embedder: &dyn Embedder, texts: &[&str]) -> EmbeddingVectors {
    let told = AtomicUsize::new(0);
    let vectors = embedder
        .embed(TextRole::Passage, texts, &|n| {
            told.fetch_add(n, Ordering::Relaxed);
        })
        .unwrap();
    assert_eq!(told.into_inner(), texts.len(), "progress adds up to the texts");
    assert_eq!(vectors.len(), texts.len());
    vectors
}

/// Mean and least cosine of our vectors to the stored ones. Rows of zeros must be zeros in both.
fn cosines(ours: &EmbeddingVectors, stored: &Stored) -> (f64, f64) {
    let (mut sum, mut least, mut n) = (0.0, f64::INFINITY, 0);
    for (i, theirs) in stored.vectors.iter().enumerate() {
        if theirs.iter().all(|x| *x == 0.0) {
            assert!(ours.row(i).iter().all(|x| *x == 0.0), "text {i} has no known token");
            continue;
        }
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
        };
        let (a, b) = (ours.row(i), theirs.as_slice());
        assert!((dot(a, a) - 1.0).abs() < 1e-5, "length of {:?}", stored.texts[i]);
        let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
        sum += cosine;
        least = least.min(cosine);
        n += 1;
    }
    (sum / f64::from(n), least)
}

#[test]
fn bundled_minilm_is_close_to_sentence_transformers() {
    let stored = stored("minilm.json");
    let embedder = open(&minilm(ModelPrecision::Int8)).unwrap();
    let (mean, least) = cosines(&embed(&*embedder, &texts(&stored)), &stored);
    println!("all-MiniLM-L6-v2 int8: cosine mean {mean:.5}, least {least:.5}");
    assert!(least >= 0.995, "least cosine {least}");
}

#[test]
fn minilm_in_f32_is_sentence_transformers() {
    if original(MINILM).is_none() {
        return;
    }
    let stored = stored("minilm.json");
    let embedder = open(&minilm(ModelPrecision::F32)).unwrap();
    let (mean, least) = cosines(&embed(&*embedder, &texts(&stored)), &stored);
    println!("all-MiniLM-L6-v2 f32: cosine mean {mean:.7}, least {least:.7}");
    assert!(least >= 0.9999, "least cosine {least}");
}

#[test]
fn potion_is_close_to_model2vec() {
    let stored = stored("potion.json");
    let spec = ModelSpec::new(ModelKind::Static, POTION);
    let (mean, least) = cosines(&embed(&*open(&spec).unwrap(), &texts(&stored)), &stored);
    println!("potion-base-8M int8: cosine mean {mean:.5}, least {least:.5}");
    assert!(least >= 0.995, "least cosine {least}");

    if original(POTION).is_some() {
        let spec = spec.with_precision(ModelPrecision::F32);
        let (mean, least) = cosines(&embed(&*open(&spec).unwrap(), &texts(&stored)), &stored);
        println!("potion-base-8M f32: cosine mean {mean:.7}, least {least:.7}");
        assert!(least >= 0.9999, "least cosine {least}");
    }
}

/// A random model a few kilobytes small: see `tests/data/embed/make_tiny.py`.
fn tiny(name: &str) -> ModelSpec {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/embed/tiny").join(name);
    ModelSpec::new(ModelKind::Transformer, dir.to_str().unwrap())
        .with_precision(ModelPrecision::F32)
}

/// The tiny BERT with its adapter.
fn tiny_lora() -> ModelSpec {
    ModelSpec { adapter: Some(tiny("bert-lora").model), ..tiny("bert") }
}

#[test]
fn architectures_and_adapters_are_those_of_transformers_and_peft() {
    for (name, spec) in [
        ("bert", tiny("bert")),
        ("bert-lora", tiny_lora()),
        ("mpnet", tiny("mpnet")),
        ("modernbert", tiny("modernbert")),
    ] {
        let stored = stored(&format!("tiny/{name}.json"));
        let f32 = embed(&*open(&spec).unwrap(), &texts(&stored));
        let (mean, least) = cosines(&f32, &stored);
        println!("tiny {name} f32: cosine mean {mean:.7}, least {least:.7}");
        assert!(least >= 0.99999, "{name}: least cosine {least}");
        let spec = spec.with_precision(ModelPrecision::Int8);
        let (mean, least) = cosines(&embed(&*open(&spec).unwrap(), &texts(&stored)), &stored);
        println!("tiny {name} int8: cosine mean {mean:.5}, least {least:.5}");
        // 16 numbers leave rounding errors little to cancel out over.
        assert!(least >= 0.98, "{name} in int8: least cosine {least}");
    }
}

#[test]
fn pulled_models_are_those_of_their_libraries() {
    for (name, file, least_in_int8) in [
        ("gte-small", "gte.json", 0.995),
        ("snowflake-arctic-embed-s", "arctic.json", 0.995),
        // Its activations have outliers that rounding to 8 bits does not survive as well.
        ("all-mpnet-base-v2", "mpnet.json", 0.95),
    ] {
        if original(name).is_none() {
            continue;
        }
        let stored = stored(file);
        let spec = ModelSpec::new(ModelKind::Transformer, name).with_precision(ModelPrecision::F32);
        let (mean, least) = cosines(&embed(&*open(&spec).unwrap(), &texts(&stored)), &stored);
        println!("{name} f32: cosine mean {mean:.7}, least {least:.7}");
        assert!(least >= 0.9999, "{name}: least cosine {least}");
        let spec = spec.with_precision(ModelPrecision::Int8);
        let (mean, least) = cosines(&embed(&*open(&spec).unwrap(), &texts(&stored)), &stored);
        println!("{name} int8: cosine mean {mean:.5}, least {least:.5}");
        assert!(least >= least_in_int8, "{name} in int8: least cosine {least}");
    }
}

#[test]
fn arctic_puts_its_prefix_before_queries() {
    if original("snowflake-arctic-embed-s").is_none() {
        return;
    }
    let arctic = open(&ModelSpec::new(ModelKind::Transformer, "snowflake-arctic-embed-s")).unwrap();
    let query = arctic.embed(TextRole::Query, &["notice period"], &|_| {}).unwrap();
    let prefixed = "Represent this sentence for searching relevant passages: notice period";
    assert_eq!(query, embed(&*arctic, &[prefixed]));
}

#[test]
fn packed_agrees_with_the_reference_forward() {
    use knockon::embed::TokenPooling::{Cls, Last, Max};
    let minilm = original(MINILM).is_some().then(|| minilm(ModelPrecision::F32));
    for spec in minilm.into_iter().chain([tiny_lora(), tiny("mpnet")]) {
        let stored = stored("minilm.json");
        let texts = texts(&stored);
        for pooling in [None, Some(Cls), Some(Max), Some(Last)] {
            let spec = ModelSpec { pooling, ..spec.clone() };
            let dir = model_paths::model_dir(&spec.model, spec.precision).unwrap();
            let theirs =
                ReferenceBert::load(&dir, &spec).unwrap().embed(TextRole::Passage, &texts).unwrap();
            let ours = embed(&*open(&spec).unwrap(), &texts);
            let apart =
                ours.data.iter().zip(&theirs.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("packed and reference, {} {pooling:?}: at most {apart:e} apart", spec.model);
            assert!(apart < 1e-4, "{apart}");
        }
    }
}

#[test]
fn an_adapter_named_as_a_model_brings_its_base() {
    let texts = ["thirty days' notice", "no notice"];
    let named = ModelSpec::new(ModelKind::Transformer, "all-MiniLM-L6-v2-control");
    let beside = ModelSpec {
        model: "all-MiniLM-L6-v2".to_owned(),
        adapter: Some(named.model.clone()),
        ..named.clone()
    };
    let (named, beside) = (open(&named).unwrap(), open(&beside).unwrap());
    assert_eq!(named.fingerprint(), beside.fingerprint());
    assert_eq!(embed(&*named, &texts), embed(&*beside, &texts));

    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("adapter_config.json"), "{\"r\": 8}").unwrap();
    std::fs::write(dir.path().join("adapter_model.safetensors"), "").unwrap();
    let nameless = ModelSpec::new(ModelKind::Transformer, dir.path().to_str().unwrap());
    let error = format!("{:#}", open(&nameless).err().unwrap());
    assert!(error.contains("does not name its base model"), "{error}");
}

#[test]
fn an_adapter_of_another_base_is_refused() {
    let spec = ModelSpec { adapter: tiny_lora().adapter, ..tiny("mpnet") };
    let error = format!("{:#}", open(&spec).err().unwrap());
    assert!(
        error.contains("the adapter changes `encoder.layer.0.attention.self.query.weight`"),
        "{error}"
    );
    let spec = ModelSpec { model: MINILM.into(), precision: ModelPrecision::Int8, ..tiny_lora() };
    let error = format!("{:#}", open(&spec).err().unwrap());
    assert!(error.contains("it was made for another base"), "{error}");
    assert_ne!(
        open(&tiny_lora()).unwrap().fingerprint(),
        open(&tiny("bert")).unwrap().fingerprint()
    );
}

#[test]
fn a_smaller_dim_is_the_start_of_the_vector_and_embeds_nothing_anew() {
    let dir = tempfile::tempdir().unwrap();
    let whole = open(&tiny("bert")).unwrap();
    let cut = |dim| {
        let spec = ModelSpec { dim: Some(dim), ..tiny("bert") };
        knockon::embed::open_cached(&spec, Some(dir.path()))
    };
    let text = "Governed by the laws of the State of New York";
    let (all, start) = (embed(&*whole, &[text]), embed(&*cut(4).unwrap(), &[text]));
    let length = all.data[..4].iter().map(|x| x * x).sum::<f32>().sqrt();
    assert_eq!(start.dim, 4);
    for (got, want) in start.data.iter().zip(&all.data) {
        assert!((got - want / length).abs() < 1e-6);
    }
    embed(&*cut(8).unwrap(), &[text]);
    let caches: Vec<_> = std::fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(caches.len(), 1, "whole vectors are kept, once");
    let error = cut(17).err().unwrap().to_string();
    assert!(error.contains("1 to 16 numbers"), "{error}");
}

#[test]
fn a_vector_depends_on_its_text_alone() {
    let stored = stored("minilm.json");
    let all = texts(&stored);
    let f32 = original(MINILM).map(|_| ModelPrecision::F32);
    let specs = [ModelPrecision::Int8].into_iter().chain(f32).map(minilm);
    for spec in specs.chain([tiny("mpnet"), tiny("modernbert")]) {
        let embedder = open(&spec).unwrap();
        let together = embed(&*embedder, &all);
        let backwards: Vec<&str> = all.iter().rev().copied().collect();
        let reversed = embed(&*embedder, &backwards);
        let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let alone: Vec<f32> =
            one_thread.install(|| all.iter().flat_map(|t| embed(&*embedder, &[t]).data).collect());
        assert_eq!(together.data, alone, "{spec:?}: alone on one thread");
        for i in 0..all.len() {
            assert_eq!(together.row(i), reversed.row(all.len() - 1 - i), "{spec:?}: order");
        }
    }
}

#[test]
fn prefixes_and_length_change_vector_and_fingerprint() {
    let plain = open(&minilm(ModelPrecision::Int8)).unwrap();
    let spec = ModelSpec {
        query_prefix: Some("query: ".into()),
        max_tokens: Some(8),
        ..minilm(ModelPrecision::Int8)
    };
    let prefixed = open(&spec).unwrap();
    assert_ne!(plain.fingerprint(), prefixed.fingerprint());
    let text = "notice of termination";
    let query = prefixed.embed(TextRole::Query, &[text], &|_| {}).unwrap();
    assert_eq!(query, embed(&*plain, &["query: notice of termination"]));
    assert_eq!(embed(&*prefixed, &[text]), embed(&*plain, &[text]));
    // Six words and the two special tokens are what fits.
    assert_eq!(
        embed(&*prefixed, &["one two three four five six seven eight"]),
        embed(&*plain, &["one two three four five six"])
    );
}

#[test]
fn a_missing_model_names_the_command() {
    let message = |spec: ModelSpec| format!("{:#}", open(&spec).err().unwrap());
    let unknown = message(ModelSpec::new(ModelKind::Transformer, "no-such-model"));
    assert!(unknown.contains("all-MiniLM-L6-v2"), "{unknown}");
    let directory = message(ModelSpec::new(ModelKind::Transformer, "./no/such/dir"));
    assert!(directory.contains("config.json"), "{directory}");
    let kind = message(ModelSpec::new(ModelKind::Transformer, POTION));
    assert!(kind.contains("kind: static"), "{kind}");
}

/// Counts what it embeds: the vector is the text's length and first byte.
struct Counting(AtomicUsize);

impl Embedder for Counting {
    fn fingerprint(&self) -> &str {
        "counting"
    }

    fn dim(&self) -> usize {
        2
    }

    fn embed(
        &self,
        _: TextRole,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<EmbeddingVectors> {
        self.0.fetch_add(texts.len(), Ordering::Relaxed);
        done(texts.len());
        let row = |t: &&str| [t.len() as f32, f32::from(t.bytes().next().unwrap_or(0))];
        Ok(EmbeddingVectors { dim: 2, data: texts.iter().flat_map(row).collect() })
    }
}

/// How many of `texts` a fresh cache over `dir` had to embed; checks the vectors on the way.
fn computed(dir: &Path, texts: &[&str]) -> usize {
    let counting = std::sync::Arc::new(Counting(AtomicUsize::new(0)));
    struct Shared(std::sync::Arc<Counting>);
    impl Embedder for Shared {
        fn fingerprint(&self) -> &str {
            self.0.fingerprint()
        }
        fn dim(&self) -> usize {
            self.0.dim()
        }
        fn embed(
            &self,
            role: TextRole,
            texts: &[&str],
            done: &(dyn Fn(usize) + Sync),
        ) -> anyhow::Result<EmbeddingVectors> {
            self.0.embed(role, texts, done)
        }
    }
    let cached = CachedEmbedder::new(Box::new(Shared(counting.clone())), Some(dir)).unwrap();
    let got = embed(&cached, texts);
    let n = counting.0.load(Ordering::Relaxed);
    assert_eq!(got, embed(&*counting, texts));
    n
}

#[test]
fn the_cache_recomputes_what_is_damaged_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert_eq!(computed(dir, &["a", "bb", "a", "ccc", "a"]), 3, "repeats are embedded once");
    assert_eq!(computed(dir, &["ccc", "bb", "a"]), 0);

    let file = dir.join("counting.vectors");
    let whole = std::fs::read(&file).unwrap();
    let record = (whole.len() - 16) / 3;

    // A flipped bit in the second record's vector.
    let mut damaged = whole.clone();
    damaged[16 + record + 33] ^= 4;
    std::fs::write(&file, &damaged).unwrap();
    assert_eq!(computed(dir, &["a", "bb", "ccc"]), 1);
    assert_eq!(computed(dir, &["a", "bb", "ccc"]), 0, "and was mended");

    // The last record torn by an interruption.
    std::fs::write(&file, &whole[..whole.len() - 5]).unwrap();
    assert_eq!(computed(dir, &["a", "bb", "ccc", "dddd"]), 2);
    assert_eq!(computed(dir, &["a", "bb", "ccc", "dddd"]), 0);

    // A file of something else.
    std::fs::write(&file, b"not a cache at all").unwrap();
    assert_eq!(computed(dir, &["a", "bb"]), 2);
    assert_eq!(computed(dir, &["a", "bb"]), 0);
}

#[test]
fn processes_may_share_a_cache() {
    let dir = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (0..200).map(|i| format!("{i} text")).collect();
    // Each opens the file for itself, as a process would.
    std::thread::scope(|scope| {
        for part in 0..4 {
            let (dir, texts) = (dir.path(), &texts);
            scope.spawn(move || {
                for chunk in texts[part * 40..part * 40 + 80].chunks(7) {
                    let chunk: Vec<&str> = chunk.iter().map(String::as_str).collect();
                    computed(dir, &chunk);
                }
            });
        }
    });
    let all: Vec<&str> = texts.iter().map(String::as_str).collect();
    assert_eq!(computed(dir.path(), &all), 0);
}

#[test]
fn twenty_thousand_cached_texts_load_quickly() {
    let dir = tempfile::tempdir().unwrap();
    struct Wide;
    impl Embedder for Wide {
        fn fingerprint(&self) -> &str {
            "wide"
        }
        fn dim(&self) -> usize {
            384
        }
        fn embed(
            &self,
            _: TextRole,
            texts: &[&str],
            done: &(dyn Fn(usize) + Sync),
        ) -> anyhow::Result<EmbeddingVectors> {
            done(texts.len());
            let data = (0..texts.len() * 384).map(|i| (i % 97) as f32);
            Ok(EmbeddingVectors { dim: 384, data: data.collect() })
        }
    }
    let texts: Vec<String> = (0..20_000).map(|i| format!("passage {i}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let run = || embed(&CachedEmbedder::new(Box::new(Wide), Some(dir.path())).unwrap(), &texts);
    let first = run();
    let start = std::time::Instant::now();
    let second = run();
    let took = start.elapsed();
    println!("20,000 cached vectors of 384 numbers: {took:?}");
    assert_eq!(first, second);
    // Generous, for an unoptimised build on a busy machine.
    assert!(took.as_secs_f64() < 5.0, "{took:?}");
}

#[test]
fn the_bundled_models_are_what_quantize_makes() {
    for name in [MINILM, POTION] {
        let Some(source) = original(name) else { continue };
        let out = tempfile::tempdir().unwrap();
        knockon::embed::quantize::quantize(&source, &OutputWriter::default(), out.path()).unwrap();
        let bundled = model_paths::int8_model_dir(name).unwrap().unwrap();
        for file in ["config.json", "tokenizer.json", "model.safetensors"] {
            let bytes = |dir: &Path| std::fs::read(dir.join(file)).unwrap();
            assert!(bytes(out.path()) == bytes(&bundled), "{name}/{file} differs");
        }
        let again = knockon::embed::quantize::quantize(
            out.path(),
            &OutputWriter::default(),
            &out.path().join("x"),
        );
        assert!(again.unwrap_err().to_string().contains("int8 already"));
    }
}

#[test]
fn the_reference_forward_has_gradients_through_every_layer() {
    use candle_core::{DType, Device, Tensor, Var};
    let dir = model_paths::int8_model_dir(MINILM).unwrap().unwrap();
    let mut reference = ReferenceBert::load(&dir, &minilm(ModelPrecision::Int8)).unwrap();
    let first = Var::from_tensor(&reference.model.layers[0].query.weight).unwrap();
    reference.model.layers[0].query.weight = first.as_tensor().clone();
    let ids =
        Tensor::new(&[[101_u32, 2773, 102, 0], [101, 2773, 2773, 102]], &Device::Cpu).unwrap();
    let mask = Tensor::new(&[[1_f32, 1.0, 1.0, 0.0], [1.0; 4]], &Device::Cpu).unwrap();
    let vectors = reference.model.mean_pooled(&ids, &mask).unwrap();

    // Padding behind the mask changes nothing.
    let alone = ids.narrow(0, 0, 1).unwrap().narrow(1, 0, 3).unwrap();
    let ones = Tensor::ones((1, 3), DType::F32, &Device::Cpu).unwrap();
    let alone = reference.model.mean_pooled(&alone, &ones).unwrap();
    let apart = (vectors.get(0).unwrap() - alone.get(0).unwrap()).unwrap().abs().unwrap();
    assert!(apart.max_all().unwrap().to_scalar::<f32>().unwrap() < 1e-5);

    let loss = (vectors.get(0).unwrap() * vectors.get(1).unwrap()).unwrap().sum_all().unwrap();
    let gradients = loss.backward().unwrap();
    let gradient = gradients.get(&first).expect("a gradient for the first layer's weight");
    let size = gradient.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(size.is_finite() && size > 0.0, "{size}");
}
