//! An in-memory cache of rankings, so that a retriever shared by several others is searched once.
//!
//! Fusions and rerankers search their own parts. If two of them share a part, and are themselves parts of
//! two others, the number of searches would double at every level.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::{PassageRanking, Retriever, SearchRequest};

/// A hash of the query and the candidates.
type RankingCacheKey = [u8; 32];

/// Answers repeated requests from memory if they were answered before to the same or a greater depth.
pub struct MemoizedRetriever {
    inner: Arc<dyn Retriever>,
    rankings: Mutex<HashMap<RankingCacheKey, MemoizedRanking>>,
}

struct MemoizedRanking {
    depth: usize,
    ranking: PassageRanking,
}

impl MemoizedRetriever {
    /// Wraps a retriever.
    pub fn new(inner: Arc<dyn Retriever>) -> MemoizedRetriever {
        MemoizedRetriever { inner, rankings: Mutex::default() }
    }
}

impl Retriever for MemoizedRetriever {
    fn search(
        &self,
        requests: &[SearchRequest],
        depth: usize,
        done: &(dyn Fn(usize) + Sync),
    ) -> anyhow::Result<Vec<PassageRanking>> {
        let keys: Vec<RankingCacheKey> = requests.iter().map(key).collect();
        // Locked during the search, so that two threads do not search for the same request.
        let mut found = self.rankings.lock().unwrap_or_else(|e| e.into_inner());
        let new: Vec<usize> = (0..requests.len())
            .filter(|&at| found.get(&keys[at]).is_none_or(|known| known.depth < depth))
            .collect();
        done(requests.len() - new.len());
        let new_requests: Vec<SearchRequest> = new.iter().map(|&at| requests[at]).collect();
        let rankings = match new_requests.as_slice() {
            [] => Vec::new(),
            new_requests => self.inner.search(new_requests, depth, done)?,
        };
        for (&at, ranking) in new.iter().zip(rankings) {
            found.insert(keys[at], MemoizedRanking { depth, ranking });
        }
        let answers = keys.iter().map(|key| {
            let ranking = found.get(key).map_or(&[][..], |known| &known.ranking);
            ranking[..ranking.len().min(depth)].to_vec()
        });
        Ok(answers.collect())
    }
}

fn key(request: &SearchRequest) -> RankingCacheKey {
    let mut hash = blake3::Hasher::new();
    hash.update(&(request.query.len() as u64).to_le_bytes()).update(request.query.as_bytes());
    if let Some(candidates) = request.candidates {
        // Separates an empty set of candidates from a search among all passages.
        hash.update(b"among");
        hash.update(bytemuck::cast_slice(candidates));
    }
    *hash.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::retrieve::{FusedRetriever, PassageHit, RankFusion, RankFusionPart};

    /// Ranks the passages by their numbers, and counts the requests it receives.
    struct CountingRetriever(AtomicUsize);

    impl Retriever for CountingRetriever {
        fn search(
            &self,
            requests: &[SearchRequest],
            depth: usize,
            done: &(dyn Fn(usize) + Sync),
        ) -> anyhow::Result<Vec<PassageRanking>> {
            self.0.fetch_add(requests.len(), Ordering::Relaxed);
            done(requests.len());
            let rank = |request: &SearchRequest| {
                let all: Vec<u32> = (0..9).collect();
                let among = request.candidates.unwrap_or(&all);
                among
                    .iter()
                    .take(depth)
                    .map(|&passage| PassageHit { passage, score: 1.0 })
                    .collect()
            };
            Ok(requests.iter().map(rank).collect())
        }
    }

    fn unrestricted(query: &str) -> SearchRequest<'_> {
        SearchRequest { query, candidates: None }
    }

    #[test]
    fn a_part_is_searched_once_however_deep_fusions_are_nested() {
        let counted = Arc::new(CountingRetriever(AtomicUsize::new(0)));
        let mut part: Arc<dyn Retriever> = Arc::new(MemoizedRetriever::new(counted.clone()));
        for _ in 0..30 {
            let twice = [1.0, 2.0].map(|weight| RankFusionPart {
                retriever: part.clone(),
                weight,
                lowest: None,
            });
            let fused =
                FusedRetriever::new(twice.into(), RankFusion::ReciprocalRank { k: 60.0 }, 5)
                    .unwrap();
            part = Arc::new(MemoizedRetriever::new(Arc::new(fused)));
        }
        let found = part
            .search(&[unrestricted("a"), unrestricted("b"), unrestricted("a")], 3, &|_| {})
            .unwrap();
        let passages: Vec<u32> = found[2].iter().map(|hit| hit.passage).collect();
        assert_eq!((found.len(), passages), (3, vec![0, 1, 2]));
        // The repeated query within one call is searched twice at the first level only.
        assert!(counted.0.load(Ordering::Relaxed) <= 3, "{:?}", counted.0);
    }

    #[test]
    fn a_cached_ranking_equals_a_new_search() {
        let counted = Arc::new(CountingRetriever(AtomicUsize::new(0)));
        let (plain, remembered) = (counted.clone(), MemoizedRetriever::new(counted.clone()));
        let some = [2, 5, 7];
        let among = SearchRequest { query: "a", candidates: Some(&some) };
        for (requests, depth) in [
            (vec![unrestricted("a")], 2),
            (vec![unrestricted("b"), unrestricted("a"), among], 4),
            (vec![among], 1),
            (vec![unrestricted("a"), unrestricted("b"), unrestricted("c")], 3),
            (vec![], 3),
            (vec![SearchRequest { query: "a", candidates: Some(&[]) }], 3),
        ] {
            let told = AtomicUsize::new(0);
            let count = |n| {
                told.fetch_add(n, Ordering::Relaxed);
            };
            let found = remembered.search(&requests, depth, &count).unwrap();
            assert_eq!(found, plain.search(&requests, depth, &|_| {}).unwrap());
            assert_eq!(told.into_inner(), requests.len());
        }
        let before = counted.0.load(Ordering::Relaxed);
        remembered.search(&[unrestricted("a"), unrestricted("b"), among], 4, &|_| {}).unwrap();
        assert_eq!(counted.0.load(Ordering::Relaxed), before, "asked again");
    }
}
