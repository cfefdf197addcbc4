//! Models that score a query against a passage: against a forward in NumPy, and through the cache.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use knockon::embed::similarity_map::{
    MapNetwork, MapNetworkShape, SimilarityMapBase, SimilarityMapConfig, TokenSimilarityMap,
    probability, save,
};
use knockon::embed::{
    CachedScorer, CrossEncoderSpec, ModelKind, ModelPrecision, ModelSpec, PairLimit, PairScorer,
    Penalty, SimilarityMapSpec, TextPair, model_paths, open_cross_encoder, open_maps, open_max_sim,
    open_similarity_map, quantize,
};
use knockon::output::OutputWriter;
use knockon::retrieve::{Bm25Params, Bm25Retriever, RerankedRetriever, Retriever, SearchRequest};

const TINY: &str = "tests/data/embed/tiny_pairs";

/// Made once by `tests/data/embed/make_pairs.py`.
#[derive(serde::Deserialize)]
struct Stored {
    pairs: Vec<(String, String)>,
    single: String,
    cross_encoder: Vec<f32>,
    cross_encoder_single: Vec<f32>,
    max_sim: Vec<f32>,
}

fn stored() -> Stored {
    serde_json::from_str(include_str!("data/embed/pairs.json")).unwrap()
}

fn pairs(stored: &Stored) -> Vec<TextPair<'_>> {
    stored.pairs.iter().map(|(query, passage)| (query.as_str(), passage.as_str())).collect()
}

fn cross_encoder(precision: ModelPrecision, pair: Option<String>) -> Box<dyn PairScorer> {
    let spec = CrossEncoderSpec { model: TINY.to_owned(), precision, max_tokens: None, pair };
    open_cross_encoder(&spec).unwrap()
}

fn max_sim() -> Box<dyn PairScorer> {
    let spec = ModelSpec::new(ModelKind::Transformer, TINY).with_precision(ModelPrecision::F32);
    open_max_sim(&spec).unwrap()
}

#[track_caller]
fn close(ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() < tolerance, "{ours} {theirs}");
    }
}

#[test]
fn scores_are_those_of_the_reference() {
    let stored = stored();
    let pairs = pairs(&stored);
    let score = |scorer: &dyn PairScorer| scorer.score(&pairs, &|_| {}).unwrap();
    close(&score(&*cross_encoder(ModelPrecision::F32, None)), &stored.cross_encoder, 1e-4);
    close(&score(&*cross_encoder(ModelPrecision::Int8, None)), &stored.cross_encoder, 0.1);
    let single = cross_encoder(ModelPrecision::F32, Some(stored.single.clone()));
    close(&score(&*single), &stored.cross_encoder_single, 1e-4);
    close(&score(&*max_sim()), &stored.max_sim, 1e-5);
}

#[test]
fn a_score_does_not_depend_on_the_other_pairs_and_nothing_is_not_alike() {
    let stored = stored();
    for scorer in [cross_encoder(ModelPrecision::F32, None), max_sim()] {
        let together = scorer.score(&pairs(&stored), &|_| {}).unwrap();
        let alone =
            pairs(&stored).into_iter().map(|pair| scorer.score(&[pair], &|_| {}).unwrap()[0]);
        assert_eq!(together, alone.collect::<Vec<f32>>());
        assert!(scorer.score(&[], &|_| {}).unwrap().is_empty());
    }
    assert_eq!(max_sim().score(&[("", "x"), ("x", "")], &|_| {}).unwrap(), [0.0, -1.0]);
}

#[test]
fn a_quantized_cross_encoder_keeps_its_head() {
    let dir = tempfile::tempdir().unwrap();
    quantize::quantize(Path::new(TINY), &OutputWriter::default(), dir.path()).unwrap();
    let model = dir.path().to_str().unwrap().to_owned();
    let spec =
        CrossEncoderSpec { model, precision: ModelPrecision::Int8, max_tokens: None, pair: None };
    let (stored, quantized) = (stored(), open_cross_encoder(&spec).unwrap());
    let scores = quantized.score(&pairs(&stored), &|_| {}).unwrap();
    assert_eq!(
        scores,
        cross_encoder(ModelPrecision::Int8, None).score(&pairs(&stored), &|_| {}).unwrap()
    );
}

#[test]
fn a_model_without_a_head_is_refused() {
    let spec = CrossEncoderSpec {
        model: "all-MiniLM-L6-v2".to_owned(),
        precision: ModelPrecision::Int8,
        max_tokens: None,
        pair: None,
    };
    let error = open_cross_encoder(&spec).err().map(|e| format!("{e:#}")).unwrap_or_default();
    assert!(error.contains("no classification head"), "{error}");
}

#[test]
fn the_reranker_by_name_joins_texts_as_its_own_files_say() {
    #[derive(serde::Deserialize)]
    struct Stored {
        pairs: Vec<(String, String)>,
        onnx: Vec<f32>,
        f32: Vec<f32>,
    }
    if model_paths::pulled_model_dir("bert-mini-reranker").is_none() {
        println!(
            "skipped: bert-mini-reranker is not here (knockon models pull bert-mini-reranker)"
        );
        return;
    }
    let stored: Stored = serde_json::from_str(include_str!("data/embed/bert_mini.json")).unwrap();
    let pairs: Vec<TextPair> = stored.pairs.iter().map(|(q, p)| (q.as_str(), p.as_str())).collect();
    let score = |precision| {
        let model = "bert-mini-reranker".to_owned();
        let spec = CrossEncoderSpec { model, precision, max_tokens: None, pair: None };
        open_cross_encoder(&spec).unwrap().score(&pairs, &|_| {}).unwrap()
    };
    close(&score(ModelPrecision::F32), &stored.f32, 1e-3);
    close(&score(ModelPrecision::Int8), &stored.f32, 0.35);
    // ONNX Runtime rounds the activations of a tensor by one scale: coarser than we do.
    close(&score(ModelPrecision::F32), &stored.onnx, 0.7);
}

/// A network of random weights and two maps, made once by `tests/data/embed/make_similarity_map.py`.
#[derive(serde::Deserialize)]
struct StoredNet {
    width: usize,
    layers: usize,
    weights: Vec<f32>,
    maps: Vec<StoredMap>,
}

#[derive(serde::Deserialize)]
struct StoredMap {
    rows: usize,
    cols: usize,
    cosine: Vec<f32>,
    same: Vec<bool>,
    base: f32,
    logit: f32,
}

fn stored_net() -> (MapNetwork, Vec<StoredMap>) {
    let text = include_str!("data/embed/similarity_map.json");
    let stored: StoredNet = serde_json::from_str(text).unwrap();
    let shape = MapNetworkShape { width: stored.width, layers: stored.layers };
    (MapNetwork { shape, weights: stored.weights }, stored.maps)
}

#[test]
fn a_network_sees_a_map_as_pytorch_does() {
    let (net, maps) = stored_net();
    for StoredMap { rows, cols, cosine, same, base, logit } in maps {
        let ours = net.logit(&TokenSimilarityMap { rows, cols, cosine, same, base });
        assert!((ours - logit).abs() < 1e-4, "{rows} x {cols}: {ours} {logit}");
    }
}

#[test]
fn a_similarity_map_scores_by_probability_or_takes_a_penalty_off_the_cosine() {
    let stored = stored();
    let pairs = pairs(&stored);
    let (net, _) = stored_net();
    let base = ModelSpec::new(ModelKind::Transformer, TINY).with_precision(ModelPrecision::F32);
    let maps = open_maps(&base, 6).unwrap();
    let config = |fingerprint: &str| {
        let fingerprint = fingerprint.to_owned();
        SimilarityMapConfig::new(
            SimilarityMapBase {
                model: TINY.to_owned(),
                precision: ModelPrecision::F32,
                fingerprint,
            },
            6,
            net.shape,
        )
    };
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("map");
    save(&OutputWriter::new(true), &dir, &config(maps.fingerprint()), &net, &[]).unwrap();
    let open = |penalty| {
        let dir = dir.to_str().unwrap().to_owned();
        open_similarity_map(&SimilarityMapSpec { dir, penalty })
    };
    let score = |penalty| open(penalty).unwrap().score(&pairs, &|_| {}).unwrap();

    let seen = maps
        .map_each(&pairs, &|_| {}, &|map| {
            map.map(|map| (map.rows.max(map.cols), map.base, probability(net.logit(&map))))
        })
        .unwrap();
    let seen: Vec<(usize, f32, f32)> = seen.into_iter().map(Option::unwrap).collect();
    assert!(seen.iter().any(|(longest, ..)| *longest == 6), "texts are cut at six tokens");
    let alike: Vec<f32> = seen.iter().map(|(.., differs)| 1.0 - differs).collect();
    close(&score(None), &alike, 1e-6);
    let bases: Vec<f32> = seen.iter().map(|(_, base, _)| *base).collect();
    close(&score(Some(Penalty { above: 1.0, weight: 0.5 })), &bases, 1e-6);
    let taken: Vec<f32> = seen.iter().map(|(_, base, differs)| base - 0.5 * differs).collect();
    close(&score(Some(Penalty { above: -1.0, weight: 0.5 })), &taken, 1e-6);
    let nothing = open(None).unwrap().score(&[("", "notice")], &|_| {}).unwrap();
    assert_eq!(nothing, [0.0]);
    // A map has six tokens of either text.
    let scorer = open(None).unwrap();
    assert_eq!(scorer.pair_limit(), Some(PairLimit::Apart { query: 6, passage: 6 }));
    let ends = [("a", "b"), ("a b c d e f", "b"), ("a b c d e f g", "b"), ("a", "a b c d e f g")];
    assert_eq!(scorer.are_truncated(&ends).unwrap(), [false, false, true, true]);

    save(&OutputWriter::new(true), &dir, &config("another"), &net, &[]).unwrap();
    let error =
        |result: anyhow::Result<Box<dyn PairScorer>>| format!("{:#}", result.err().unwrap());
    let message = error(open(None));
    assert!(message.contains("trained on other weights"), "{message}");
    for (file, bytes, told) in [
        ("config.json", &b"{}"[..], "model_type is nothing, not similarity_map"),
        ("config.json", b"{", "config.json"),
        ("model.safetensors", b"", "model.safetensors is damaged"),
    ] {
        save(&OutputWriter::new(true), &dir, &config(maps.fingerprint()), &net, &[]).unwrap();
        std::fs::write(dir.join(file), bytes).unwrap();
        let message = error(open(None));
        assert!(message.contains(told), "{message}");
    }
}

/// Scores by the length of the passage; fails once it has scored enough.
struct Lengths {
    scored: Arc<AtomicUsize>,
    most: usize,
}

impl PairScorer for Lengths {
    fn fingerprint(&self) -> &str {
        "lengths"
    }

    fn score(&self, pairs: &[TextPair], done: &(dyn Fn(usize) + Sync)) -> anyhow::Result<Vec<f32>> {
        let before = self.scored.fetch_add(pairs.len(), Ordering::Relaxed);
        anyhow::ensure!(before + pairs.len() <= self.most, "interrupted");
        done(pairs.len());
        Ok(pairs.iter().map(|(_, passage)| passage.len() as f32).collect())
    }
}

#[test]
fn an_interrupted_scoring_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let texts: Vec<String> = (0..5000).map(|n| "x".repeat(n % 7) + &n.to_string()).collect();
    // Each pair twice, and a query that could be told apart from its neighbour by the length alone.
    let pairs: Vec<TextPair> =
        texts.iter().chain(&texts).map(|text| ("q", text.as_str())).collect();
    let open = |most| {
        let scored = Arc::new(AtomicUsize::new(0));
        let scorer = Box::new(Lengths { scored: scored.clone(), most });
        (CachedScorer::new(scorer, Some(folder.path())).unwrap(), scored)
    };
    assert!(open(4500).0.score(&pairs, &|_| {}).is_err());
    let (scorer, scored) = open(usize::MAX);
    let told = AtomicUsize::new(0);
    let done = |n| {
        told.fetch_add(n, Ordering::Relaxed);
    };
    let scores = scorer.score(&pairs, &done).unwrap();
    assert_eq!(told.into_inner(), pairs.len());
    assert_eq!(scored.load(Ordering::Relaxed), 5000 - 4096);
    let expected: Vec<f32> = pairs.iter().map(|(_, text)| text.len() as f32).collect();
    assert_eq!(scores, expected);
}

#[test]
fn reranking_orders_the_best_of_the_first_ranking() {
    let texts = ["notice", "notice notice of it", "no", "notice of"];
    let first = Arc::new(Bm25Retriever::new(&texts, Bm25Params::default()).unwrap());
    let scorer = Arc::new(Lengths { scored: Arc::default(), most: usize::MAX });
    let all = SearchRequest { query: "notice", candidates: None };
    let some = SearchRequest { query: "notice", candidates: Some(&[0, 2, 3]) };
    let found = |depth, asked| {
        let reranked = RerankedRetriever::new(first.clone(), scorer.clone(), &texts, depth);
        let told = AtomicUsize::new(0);
        let done = |n| {
            told.fetch_add(n, Ordering::Relaxed);
        };
        let found = reranked.search(&[all, some], asked, &done).unwrap();
        assert_eq!(told.into_inner(), 2);
        let ids = |ranking: &Vec<knockon::retrieve::PassageHit>| {
            ranking.iter().map(|h| h.passage).collect()
        };
        found.iter().map(ids).collect::<Vec<Vec<u32>>>()
    };
    assert_eq!(found(20, 20), [vec![1, 3, 0], vec![3, 0]]);
    assert_eq!(found(20, 1), [[1], [3]]);
    let best = first.search(&[all], 1, &|_| {}).unwrap()[0][0].passage;
    assert_eq!(found(1, 20)[0], [best]);
}
