//! The cache of an external index's answers: one file for each answer on disk, so that no request is sent twice.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::{PassageRanking, SearchRequest};
use crate::{atomic_file, input_file, output};

/// Parses and checks the bytes of an answer; the error says what is wrong with them.
pub type RankingParser<'a> =
    dyn Fn(&SearchRequest, &[u8]) -> Result<PassageRanking, String> + Sync + 'a;

/// Accepts the answer to the request with this index.
pub type AnswerSink<'a> = dyn Fn(usize, &[u8]) -> Result<(), String> + Sync + 'a;

/// Answers each request with its best `depth` passages: from the cache folder `cache`, otherwise through `ask`, which is
/// given the indices of the requests whose answers are missing or damaged and hands over each answer as it arrives. An
/// answer is checked before it is stored. `keys` holds one string for each request that identifies it uniquely.
///
/// # Errors
/// The errors of `ask`; answers that arrived before the error stay in the cache. A link in the cache, before anything
/// is sent.
pub fn search_with_cache(
    requests: &[SearchRequest],
    depth: usize,
    (cache, keys): (&Path, &[String]),
    read: &RankingParser,
    ask: impl FnOnce(&[usize], &AnswerSink) -> anyhow::Result<()>,
    done: &(dyn Fn(usize) + Sync),
) -> anyhow::Result<Vec<PassageRanking>> {
    let files: Vec<PathBuf> =
        keys.iter().map(|key| cache_file(cache, key)).collect::<anyhow::Result<_>>()?;
    let mut missing = Vec::new();
    let mut found: Vec<Option<PassageRanking>> = Vec::with_capacity(requests.len());
    for (at, request) in requests.iter().enumerate() {
        // An empty set of candidates has an empty ranking: nothing has to be sent. A damaged file counts as missing.
        found.push(match request.candidates {
            Some([]) => Some(PassageRanking::new()),
            _ => input_file::read(&files[at]).ok().and_then(|bytes| read(request, &bytes).ok()),
        });
        match &found[at] {
            Some(_) => done(1),
            None => missing.push(at),
        }
    }
    let found = Mutex::new(found);
    if !missing.is_empty() {
        ask(&missing, &|at: usize, answer: &[u8]| {
            let ranking = read(&requests[at], answer)?;
            found.lock().unwrap_or_else(|e| e.into_inner())[at] = Some(ranking);
            done(1);
            atomic_file::write(&files[at], answer).map_err(|error| format!("{error:#}"))
        })?;
    }
    let mut rankings = Vec::with_capacity(requests.len());
    for ranking in found.into_inner().unwrap_or_else(|e| e.into_inner()) {
        let mut ranking = ranking.unwrap_or_default();
        ranking.truncate(depth);
        rankings.push(ranking);
    }
    Ok(rankings)
}

fn cache_file(cache: &Path, key: &str) -> anyhow::Result<PathBuf> {
    output::cache_file(cache, format!("{}.json", blake3::hash(key.as_bytes()).to_hex()))
}
