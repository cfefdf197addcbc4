//! Rankings and metrics against reference implementations and brute force.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use knockon::embed::{CorpusVectors, Embedder, EmbeddingVectors, TextRole};
use knockon::retrieve::metrics::RelevanceJudgements;
use knockon::retrieve::{
    Analyzer, Bm25Params, Bm25Retriever, DenseIndex, DenseRetriever, FusedRetriever, PassageHit,
    PassageRanking, RankFusion, RankFusionPart, Retriever, SearchRequest, StopWordList,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use serde_json::Value;

fn reference<T: for<'a> Deserialize<'a>>(json: &str) -> T {
    serde_json::from_str(json).unwrap()
}

/// A ranking of these passages in this order.
fn ranking(passages: &[u32]) -> PassageRanking {
    passages.iter().map(|&passage| PassageHit { passage, score: 0.0 }).collect()
}

fn all<'a>(queries: &[&'a str]) -> Vec<SearchRequest<'a>> {
    queries.iter().map(|query| SearchRequest { query, candidates: None }).collect()
}

#[test]
fn metrics_agree_with_trec_eval() {
    #[derive(Deserialize)]
    struct Case {
        gains: Vec<(u32, f64)>,
        ranking: Vec<u32>,
        recall: Vec<f64>,
        ndcg: Vec<f64>,
        hit: Vec<f64>,
        reciprocal_rank: f64,
    }
    #[derive(Deserialize)]
    struct Reference {
        cuts: Vec<usize>,
        cases: Vec<Case>,
    }
    let reference: Reference = reference(include_str!("data/retrieve/metrics.json"));
    for case in &reference.cases {
        let judged = RelevanceJudgements::graded(case.gains.iter().copied()).unwrap();
        let ranking = ranking(&case.ranking);
        let mut pairs = vec![(judged.reciprocal_rank(&ranking), case.reciprocal_rank)];
        for (at, &k) in reference.cuts.iter().enumerate() {
            pairs.push((judged.recall(&ranking, k), case.recall[at]));
            pairs.push((judged.ndcg(&ranking, k), case.ndcg[at]));
            pairs.push((judged.hit(&ranking, k), case.hit[at]));
        }
        for (ours, theirs) in pairs {
            assert!((ours - theirs).abs() < 1e-9, "{ours} {theirs}");
        }
    }
}

#[test]
fn metrics_match_hand_computed_values() {
    let judged = RelevanceJudgements::binary([7, 3]);
    let found = ranking(&[5, 3, 9, 7]);
    assert_eq!(judged.recall(&found, 2), 0.5);
    assert_eq!(judged.reciprocal_rank(&found), 0.5);
    assert_eq!(judged.reciprocal_rank_at(&found, 1), 0.0);
    let by_hand = (1.0 / 3f64.log2() + 1.0 / 5f64.log2()) / (1.0 + 1.0 / 3f64.log2());
    assert!((judged.ndcg(&found, 10) - by_hand).abs() < 1e-15);
    let nothing = RelevanceJudgements::graded([(3, 0.0)]).unwrap();
    assert!(nothing.is_empty());
    assert_eq!((nothing.recall(&found, 5), nothing.ndcg(&found, 5)), (0.0, 0.0));
    assert!(judged.ndcg(&[], 10).is_sign_positive());
    for gain in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = RelevanceJudgements::graded([(3, 1.0), (5, gain)]).unwrap_err().to_string();
        assert!(error.contains("the gain of passage 5 is"), "{error}");
    }
}

#[test]
fn words_follow_unicode_and_stems_follow_snowball() {
    #[derive(Deserialize)]
    struct Case {
        text: String,
        plain: Vec<String>,
        english: Vec<String>,
    }
    let cases: Vec<Case> = reference(include_str!("data/retrieve/words.json"));
    for Case { text, plain, english } in cases {
        assert_eq!(Analyzer::PLAIN.words(&text), plain);
        let stopped = Analyzer { stop_words: StopWordList::Lucene, ..Analyzer::default() };
        assert_eq!(stopped.words(&text), english);
    }
}

#[test]
fn equal_scores_tie_in_file_order_whatever_the_word_order() {
    // All words are equally frequent in the passages, so that many have the same score for other words.
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let words: Vec<String> = (0..12).map(|word| format!("w{word}")).collect();
    let mut texts = Vec::new();
    for shift in 0..12 {
        let of = |places: &[usize]| {
            let words = places.iter().map(|place| words[(place + shift) % 12].as_str());
            words.collect::<Vec<_>>().join(" ")
        };
        texts.extend([of(&[0, 1, 2]), of(&[0, 4, 7]), of(&[3, 3, 5, 8, 1]), of(&[9, 2])]);
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let bm25 = Bm25Retriever::new(&texts, Bm25Params::default()).unwrap();
    let mut ties = 0;
    for _ in 0..200 {
        let mut chosen: Vec<&str> =
            (0..rng.random_range(2..7)).map(|_| words[rng.random_range(0..12)].as_str()).collect();
        let search = |chosen: &[&str]| {
            let found = bm25.search(&all(&[&chosen.join(" ")]), 48, &|_| {}).unwrap().remove(0);
            found.iter().map(|hit| (hit.passage, hit.score.to_bits())).collect::<Vec<_>>()
        };
        let found = search(&chosen);
        for pair in found.windows(2).filter(|pair| pair[0].1 == pair[1].1) {
            assert!(pair[0].0 < pair[1].0, "{chosen:?}: {found:?}");
            ties += 1;
        }
        chosen.reverse();
        assert_eq!(search(&chosen), found);
        chosen.sort_unstable();
        assert_eq!(search(&chosen), found);
    }
    assert!(ties > 1000, "{ties}");
}

#[test]
fn bm25_ranks_match_bm25s() {
    #[derive(Deserialize)]
    struct Reference {
        passages: Vec<String>,
        queries: Vec<String>,
        expected: Vec<Vec<(u32, f64)>>,
    }
    let reference: Reference = reference(include_str!("data/retrieve/bm25.json"));
    let texts: Vec<&str> = reference.passages.iter().map(String::as_str).collect();
    let queries: Vec<&str> = reference.queries.iter().map(String::as_str).collect();
    let bm25 = Bm25Retriever::new(&texts, Bm25Params::default()).unwrap();
    let found = bm25.search(&all(&queries), 20, &|_| {}).unwrap();
    for (found, expected) in found.iter().zip(&reference.expected) {
        let passages = |hits: &[PassageHit]| hits.iter().map(|hit| hit.passage).collect::<Vec<_>>();
        assert_eq!(passages(found), expected.iter().map(|e| e.0).collect::<Vec<_>>());
        for (hit, (_, score)) in found.iter().zip(expected) {
            assert!((f64::from(hit.score) - score).abs() < 1e-5);
        }
    }

    // With many or few candidates: the full ranking, minus the passages that are not candidates. Alternates with
    // unrestricted searches, which use the same scratch space.
    let full = bm25.search(&all(&queries), 200, &|_| {}).unwrap();
    for step in [3, 29] {
        let candidates: Vec<u32> = (0..200).filter(|p| p % step == 0).collect();
        let some = |query| SearchRequest { query, candidates: Some(candidates.as_slice()) };
        let both = |&query| [some(query), SearchRequest { query, candidates: None }];
        let requests: Vec<SearchRequest> = queries.iter().flat_map(both).collect();
        let found = bm25.search(&requests, 20, &|_| {}).unwrap();
        for (full, pair) in full.iter().zip(found.chunks(2)) {
            let expected: PassageRanking =
                full.iter().copied().filter(|hit| hit.passage % step == 0).take(20).collect();
            assert_eq!((&pair[0], &pair[1][..]), (&expected, &full[..20.min(full.len())]));
        }
    }
}

#[test]
fn bad_candidates_and_parameters_are_refused() {
    let bm25 = Bm25Retriever::new(&["a", "b", "c"], Bm25Params::default()).unwrap();
    let error = |candidates: &[u32]| {
        let request = SearchRequest { query: "a", candidates: Some(candidates) };
        bm25.search(&[request], 1, &|_| {}).unwrap_err().to_string()
    };
    assert!(error(&[2, 1]).contains("2 is followed by 1"));
    assert!(error(&[1, 3]).contains("candidate 3 is not in the corpus"));
    for (k1, b) in [(-1.0, 0.4), (f64::NAN, 0.4), (0.9, 1.1)] {
        assert!(Bm25Retriever::new(&["a"], Bm25Params { k1, b, ..Bm25Params::default() }).is_err());
    }
    assert!(DenseIndex::new(EmbeddingVectors { dim: 2, data: vec![0.0, f32::NAN] }).is_err());
    assert!(DenseIndex::new(EmbeddingVectors { dim: 2, data: vec![0.0; 3] }).is_err());
}

fn random_vectors(rng: &mut ChaCha8Rng, rows: usize, dim: usize) -> EmbeddingVectors {
    let mut data: Vec<f32> = (0..rows * dim).map(|_| rng.random_range(-1.0..1.0)).collect();
    for row in data.chunks_exact_mut(dim) {
        let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
        row.iter_mut().for_each(|x| *x /= length);
    }
    EmbeddingVectors { dim, data }
}

#[test]
fn dense_search_equals_brute_force_in_any_batch_and_thread_count() {
    // More than one shard of passages and one block of queries; a dimension that is not a multiple of any vector
    // register; every passage twice, so that half of all ranks are ties.
    let (dim, half, queries, depth) = (37, 9_000, 70, 7);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut passages = random_vectors(&mut rng, half, dim);
    passages.data.extend_from_within(..);
    let queries = random_vectors(&mut rng, queries, dim);
    let index = DenseIndex::new(passages.clone()).unwrap();
    let found = index.search(&queries, depth, &|_| {}).unwrap();

    for (q, found) in found.iter().enumerate() {
        let exact = |p: usize| -> f64 {
            let pairs = queries.row(q).iter().zip(passages.row(p));
            pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
        };
        let mut order: Vec<(usize, f64)> = (0..2 * half).map(|p| (p, exact(p))).collect();
        order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        for (hit, (passage, score)) in found.iter().zip(&order) {
            assert_eq!(hit.passage as usize, *passage, "query {q}");
            assert!((f64::from(hit.score) - score).abs() < 1e-6);
        }

        let alone = EmbeddingVectors { dim, data: queries.row(q).to_vec() };
        assert_eq!(index.search(&alone, depth, &|_| {}).unwrap()[0], *found);
    }

    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| index.search(&queries, depth, &|_| {})).unwrap(), found);
    assert!(index.search(&queries, 0, &|_| {}).unwrap().iter().all(Vec::is_empty));
}

/// Returns the n-th row for the text "n", and counts the texts it received.
struct RowEmbedder(EmbeddingVectors, AtomicUsize);

impl Embedder for RowEmbedder {
    fn fingerprint(&self) -> &str {
        "rows"
    }

    fn dim(&self) -> usize {
        self.0.dim
    }

    fn embed(
        &self,
        _: TextRole,
        texts: &[&str],
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<EmbeddingVectors> {
        self.1.fetch_add(texts.len(), Ordering::Relaxed);
        done(texts.len());
        let rows = texts.iter().map(|text| self.0.row(text.parse().unwrap()));
        Ok(EmbeddingVectors { dim: self.0.dim, data: rows.flatten().copied().collect() })
    }
}

#[test]
fn vectors_in_a_file_give_the_same_results_as_in_memory() {
    // Two windows of 64 MiB and part of a third; ties across their borders, because every passage occurs twice.
    let (dim, half, depth) = (512, 34_000, 7);
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut passages = random_vectors(&mut rng, half, dim);
    passages.data.extend_from_within(..);
    let rows = passages.len();
    let table = RowEmbedder(passages.clone(), AtomicUsize::new(0));
    let names: Vec<String> = (0..rows).map(|n| n.to_string()).collect();
    let texts: Vec<&str> = names.iter().map(String::as_str).collect();
    let dir = tempfile::tempdir().unwrap();
    let filed = |texts: &[&str]| {
        let before = table.1.load(Ordering::Relaxed);
        let vectors = CorpusVectors::new_on_disk(&table, texts, dir.path(), &|_| {}).unwrap();
        assert_eq!(vectors.windows().len(), 3);
        (DenseIndex::new(vectors).unwrap(), table.1.load(Ordering::Relaxed) - before)
    };
    let bits = |found: Vec<PassageRanking>| -> Vec<Vec<(u32, u32)>> {
        let bits = |hit: PassageHit| (hit.passage, hit.score.to_bits());
        found.into_iter().map(|ranking| ranking.into_iter().map(bits).collect()).collect()
    };
    let queries = random_vectors(&mut rng, 70, dim);
    let search = |index: &DenseIndex| bits(index.search(&queries, depth, &|_| {}).unwrap());
    let expected = search(&DenseIndex::new(passages).unwrap());
    let (made, embedded) = filed(&texts);
    assert_eq!((search(&made), embedded), (expected.clone(), rows));
    let (opened, embedded) = filed(&texts);
    assert_eq!((search(&opened), embedded), (expected.clone(), 0));

    // Another order is another corpus; a file that is cut short, or has a wrong byte, is rebuilt.
    let mut turned = texts.clone();
    turned.swap(0, 1);
    assert_eq!(filed(&turned).1, rows);
    let path = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path());
    for path in path.collect::<Vec<_>>() {
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
    }
    let (made, embedded) = filed(&texts);
    assert_eq!((search(&made), embedded), (expected.clone(), rows));
    for path in std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().path()) {
        let length = std::fs::metadata(&path).unwrap().len();
        std::fs::File::options().write(true).open(&path).unwrap().set_len(length - 4).unwrap();
    }
    let (made, embedded) = filed(&texts);
    assert_eq!((search(&made), embedded), (expected, rows));
}

#[test]
fn dense_retriever_embeds_each_query_once_and_filters() {
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let passages = random_vectors(&mut rng, 500, 24);
    let embedder = Arc::new(RowEmbedder(random_vectors(&mut rng, 2, 24), AtomicUsize::new(0)));
    let dense = DenseRetriever::new(embedder.clone(), passages).unwrap();
    let odd: Vec<u32> = (0..500).filter(|p| p % 2 == 1).collect();
    let requests = [
        SearchRequest { query: "1", candidates: Some(&odd) },
        SearchRequest { query: "0", candidates: None },
        SearchRequest { query: "1", candidates: None },
        SearchRequest { query: "1", candidates: Some(&[]) },
    ];
    let count = AtomicUsize::new(0);
    let done = |n| {
        count.fetch_add(n, Ordering::Relaxed);
    };
    let found = dense.search(&requests, usize::MAX, &done).unwrap();
    assert_eq!(count.into_inner(), 4);
    assert_eq!(embedder.1.load(Ordering::Relaxed), 2);
    let expected: PassageRanking =
        found[2].iter().copied().filter(|hit| hit.passage % 2 == 1).collect();
    assert_eq!(found[0], expected);
    assert_eq!((found[1].len(), found[3].len()), (500, 0));
}

/// Returns the n-th ranking for the query "n", cut to the requested depth.
struct FixedRankings(Vec<PassageRanking>);

impl Retriever for FixedRankings {
    fn search(
        &self,
        requests: &[SearchRequest],
        depth: usize,
        _: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>> {
        let answer = |request: &SearchRequest| {
            let ranking = &self.0[request.query.parse::<usize>().unwrap()];
            let among =
                |hit: &&PassageHit| request.candidates.is_none_or(|c| c.contains(&hit.passage));
            ranking.iter().filter(among).take(depth).copied().collect()
        };
        Ok(requests.iter().map(answer).collect())
    }
}

fn fixed_rankings(rankings: Vec<Vec<(u32, f32)>>) -> Arc<FixedRankings> {
    let hits = |ranking: Vec<(u32, f32)>| {
        ranking.into_iter().map(|(passage, score)| PassageHit { passage, score }).collect()
    };
    Arc::new(FixedRankings(rankings.into_iter().map(hits).collect()))
}

fn fused(
    rankings: &[Arc<FixedRankings>],
    weights: &[f64],
    how: RankFusion,
    depth: usize,
) -> FusedRetriever {
    let part = |(ranking, &weight): (&Arc<FixedRankings>, &f64)| RankFusionPart {
        retriever: ranking.clone(),
        weight,
        lowest: None,
    };
    FusedRetriever::new(rankings.iter().zip(weights).map(part).collect(), how, depth).unwrap()
}

#[test]
fn fusion_ranks_match_ranx() {
    #[derive(Deserialize)]
    struct Reference {
        rankings: Vec<Vec<Vec<(u32, f32)>>>,
        weights: Vec<f64>,
        rrf: Vec<Vec<(u32, f64)>>,
        convex: Vec<Vec<(u32, f64)>>,
    }
    let reference: Reference = reference(include_str!("data/retrieve/fusion.json"));
    let of = |e: usize| {
        fixed_rankings(reference.rankings.iter().map(|lists| lists[e].clone()).collect())
    };
    let parts: Vec<Arc<FixedRankings>> = (0..3).map(of).collect();
    let rrf = fused(&parts, &[1.0; 3], RankFusion::ReciprocalRank { k: 60.0 }, 100);
    let convex = fused(&parts, &reference.weights, RankFusion::Convex, 100);
    for (fused, expected) in [(rrf, &reference.rrf), (convex, &reference.convex)] {
        for (query, expected) in expected.iter().enumerate() {
            let query = query.to_string();
            let found = fused.search(&all(&[&query]), 100, &|_| {}).unwrap().remove(0);
            let passages = found.iter().map(|hit| hit.passage).collect::<Vec<_>>();
            assert_eq!(passages, expected.iter().map(|e| e.0).collect::<Vec<_>>());
            for (hit, (_, score)) in found.iter().zip(expected) {
                assert!((f64::from(hit.score) - score).abs() < 1e-6, "{} {score}", hit.score);
            }
        }
    }
}

#[test]
fn fusion_matches_hand_computed_values() {
    let parts = [
        fixed_rankings(vec![vec![(7, 9.0), (3, 5.0), (1, 1.0)]]),
        fixed_rankings(vec![vec![(3, 0.5)]]),
    ];
    let search = |how, depth| {
        let fused = fused(&parts, &[1.0, 0.5], how, depth);
        let found = fused.search(&all(&["0"]), 10, &|_| {}).unwrap().remove(0);
        assert_eq!(fused.search(&all(&["0"]), 1, &|_| {}).unwrap()[0], found[..1]);
        found.iter().map(|hit| (hit.passage, hit.score)).collect::<Vec<_>>()
    };
    // 3: halfway between worst and best in one ranking, and best in the other.
    assert_eq!(search(RankFusion::Convex, 100), [(3, 1.0), (7, 1.0), (1, 0.0)]);
    let rrf = search(RankFusion::ReciprocalRank { k: 0.0 }, 100);
    assert_eq!(rrf, [(3, 1.0), (7, 1.0), (1, 1.0 / 3.0)]);
    // Cut to the best of each, whatever depth is requested.
    assert_eq!(search(RankFusion::ReciprocalRank { k: 0.0 }, 1), [(7, 1.0), (3, 0.5)]);

    let lowest = |weight, lowest| RankFusionPart { retriever: parts[0].clone(), weight, lowest };
    let one = FusedRetriever::new(vec![lowest(1.0, Some(0.0))], RankFusion::Convex, 9).unwrap();
    let found = one.search(&all(&["0"]), 9, &|_| {}).unwrap().remove(0);
    assert_eq!(found[2], PassageHit { passage: 1, score: 1.0 / 9.0 });
    assert!(FusedRetriever::new(vec![lowest(0.0, None)], RankFusion::Convex, 9).is_err());
}

#[test]
fn bm25_on_scifact_reaches_the_published_ndcg() {
    let data = std::env::var_os("KNOCKON_DATA").map_or("../shared/data".into(), PathBuf::from);
    let folder = data.join("beir/scifact");
    let Ok(corpus) = std::fs::read_to_string(folder.join("corpus.jsonl")) else {
        println!("skipped: no SciFact in {}", folder.display());
        return;
    };
    let records = |text: String| -> Vec<(String, String)> {
        let record = |line: &str| {
            let json: Value = serde_json::from_str(line).unwrap();
            let field = |name: &str| json[name].as_str().unwrap_or("").to_owned();
            (field("_id"), format!("{} {}", field("title"), field("text")))
        };
        text.lines().map(record).collect()
    };
    let passages = records(corpus);
    let place = |id: &str| passages.iter().position(|(known, _)| known == id).unwrap() as u32;
    let qrels = std::fs::read_to_string(folder.join("qrels/test.tsv")).unwrap();
    let qrels: Vec<Vec<&str>> = qrels.lines().skip(1).map(|l| l.split('\t').collect()).collect();

    let texts: Vec<&str> = passages.iter().map(|(_, text)| text.as_str()).collect();
    let bm25 = Bm25Retriever::new(&texts, Bm25Params::default()).unwrap();
    let mut total = 0.0;
    let mut count = 0;
    for (id, query) in records(std::fs::read_to_string(folder.join("queries.jsonl")).unwrap()) {
        let gold = qrels.iter().filter(|row| row[0] == id);
        let judged =
            RelevanceJudgements::graded(gold.map(|row| (place(row[1]), row[2].parse().unwrap())))
                .unwrap();
        if !judged.is_empty() {
            let found = bm25.search(&all(&[&query]), 10, &|_| {}).unwrap();
            total += judged.ndcg(&found[0], 10);
            count += 1;
        }
    }
    let ndcg = total / f64::from(count);
    println!("nDCG@10 of BM25 on SciFact, {count} queries: {ndcg:.4}");
    assert!(count == 300 && ndcg >= 0.65, "{ndcg}");
}
