//! What an index elsewhere has answered: kept on disk, one file each, so that nothing is asked for twice.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::{Ranking, Request};
use crate::{atomic_file, input_file};

/// An answer's bytes to a ranking, checked; says what they are instead.
pub type Read<'a> = dyn Fn(&Request, &[u8]) -> Result<Ranking, String> + Sync + 'a;

/// Takes the answer to the request of that index.
pub type Take<'a> = dyn Fn(usize, &[u8]) -> Result<(), String> + Sync + 'a;

/// Answers each request with its best `depth` passages: from the folder `kept`, else by `ask`, which is given the
/// indices of what is not there, or damaged there, and hands over each answer as it comes. An answer is checked
/// before it is kept. `asked` tells what is asked for from all else that could be.
///
/// # Errors
/// Those of `ask`; what was taken before is kept.
pub fn search(
    requests: &[Request],
    depth: usize,
    (kept, asked): (&Path, &[String]),
    read: &Read,
    ask: impl FnOnce(&[usize], &Take) -> anyhow::Result<()>,
    done: &(dyn Fn(usize) + Sync),
) -> anyhow::Result<Vec<Ranking>> {
    let file = |at: usize| -> PathBuf {
        kept.join(format!("{}.json", blake3::hash(asked[at].as_bytes()).to_hex()))
    };
    let mut missing = Vec::new();
    let mut found: Vec<Option<Ranking>> = Vec::with_capacity(requests.len());
    for (at, request) in requests.iter().enumerate() {
        found.push(match request.candidates {
            Some([]) => Some(Ranking::new()),
            _ => input_file::read(&file(at)).ok().and_then(|bytes| read(request, &bytes).ok()),
        });
        match &found[at] {
            Some(_) => done(1),
            None => missing.push(at),
        }
    }
    let found = Mutex::new(found);
    let take = |at: usize, answer: &[u8]| {
        let ranking = read(&requests[at], answer)?;
        found.lock().unwrap_or_else(|e| e.into_inner())[at] = Some(ranking);
        done(1);
        atomic_file::write(&file(at), answer).map_err(|error| format!("{error:#}"))
    };
    if !missing.is_empty() {
        ask(&missing, &take)?;
    }
    let cut = |ranking: Option<Ranking>| {
        let mut ranking = ranking.unwrap_or_default();
        ranking.truncate(depth);
        ranking
    };
    Ok(found.into_inner().unwrap_or_else(|e| e.into_inner()).into_iter().map(cut).collect())
}
