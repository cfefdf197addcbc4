//! Models that score a query against a passage: against a forward in NumPy, and through the cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use knockon::embed::{
    CachedScorer, CrossEncoderSpec, ModelKind, ModelSpec, Pair, PairScorer, Precision,
    open_cross_encoder, open_max_sim,
};
use knockon::retrieve::{Bm25Params, Bm25Retriever, Request, RerankedRetriever, Retriever};

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

fn pairs(stored: &Stored) -> Vec<Pair<'_>> {
    stored.pairs.iter().map(|(query, passage)| (query.as_str(), passage.as_str())).collect()
}

fn cross_encoder(precision: Precision, pair: Option<String>) -> Box<dyn PairScorer> {
    let spec = CrossEncoderSpec { model: TINY.to_owned(), precision, max_tokens: None, pair };
    open_cross_encoder(&spec).unwrap()
}

fn max_sim() -> Box<dyn PairScorer> {
    let spec = ModelSpec::new(ModelKind::Transformer, TINY).with_precision(Precision::F32);
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
    close(&score(&*cross_encoder(Precision::F32, None)), &stored.cross_encoder, 1e-4);
    close(&score(&*cross_encoder(Precision::Int8, None)), &stored.cross_encoder, 0.1);
    let single = cross_encoder(Precision::F32, Some(stored.single.clone()));
    close(&score(&*single), &stored.cross_encoder_single, 1e-4);
    close(&score(&*max_sim()), &stored.max_sim, 1e-5);
}

#[test]
fn a_score_does_not_depend_on_the_other_pairs_and_nothing_is_not_alike() {
    let stored = stored();
    for scorer in [cross_encoder(Precision::F32, None), max_sim()] {
        let together = scorer.score(&pairs(&stored), &|_| {}).unwrap();
        let alone =
            pairs(&stored).into_iter().map(|pair| scorer.score(&[pair], &|_| {}).unwrap()[0]);
        assert_eq!(together, alone.collect::<Vec<f32>>());
        assert!(scorer.score(&[], &|_| {}).unwrap().is_empty());
    }
    assert_eq!(max_sim().score(&[("", "x"), ("x", "")], &|_| {}).unwrap(), [0.0, -1.0]);
}

#[test]
fn a_model_without_a_head_is_refused() {
    let spec = CrossEncoderSpec {
        model: "all-MiniLM-L6-v2".to_owned(),
        precision: Precision::Int8,
        max_tokens: None,
        pair: None,
    };
    let error = open_cross_encoder(&spec).err().map(|e| format!("{e:#}")).unwrap_or_default();
    assert!(error.contains("no classification head"), "{error}");
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

    fn score(&self, pairs: &[Pair], done: &(dyn Fn(usize) + Sync)) -> anyhow::Result<Vec<f32>> {
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
    let pairs: Vec<Pair> = texts.iter().chain(&texts).map(|text| ("q", text.as_str())).collect();
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
    let all = Request { query: "notice", candidates: None };
    let some = Request { query: "notice", candidates: Some(&[0, 2, 3]) };
    let found = |depth, asked| {
        let reranked = RerankedRetriever::new(first.clone(), scorer.clone(), &texts, depth);
        let told = AtomicUsize::new(0);
        let done = |n| {
            told.fetch_add(n, Ordering::Relaxed);
        };
        let found = reranked.search(&[all, some], asked, &done).unwrap();
        assert_eq!(told.into_inner(), 2);
        let ids =
            |ranking: &Vec<knockon::retrieve::Hit>| ranking.iter().map(|h| h.passage).collect();
        found.iter().map(ids).collect::<Vec<Vec<u32>>>()
    };
    assert_eq!(found(20, 20), [vec![1, 3, 0], vec![3, 0]]);
    assert_eq!(found(20, 1), [[1], [3]]);
    let best = first.search(&[all], 1, &|_| {}).unwrap()[0][0].passage;
    assert_eq!(found(1, 20)[0], [best]);
}
