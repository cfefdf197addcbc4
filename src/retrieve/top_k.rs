//! Top-k selection: keeps the best hits of a stream of scored passages.

use std::cmp::Ordering;

use super::{PassageHit, PassageRanking};

/// The order of all rankings: score descending, then passage index ascending.
fn by_rank(a: &PassageHit, b: &PassageHit) -> Ordering {
    b.score.total_cmp(&a.score).then(a.passage.cmp(&b.passage))
}

/// The best `depth` of `hits`, in rank order.
pub(super) fn best(mut hits: Vec<PassageHit>, depth: usize) -> PassageRanking {
    if depth == 0 {
        return Vec::new();
    }
    if hits.len() > depth {
        // Selection is linear; only the best `depth` are sorted.
        hits.select_nth_unstable_by(depth - 1, by_rank);
        hits.truncate(depth);
    }
    hits.sort_unstable_by(by_rank);
    // Rankings are cached; release the capacity that was used for scoring.
    hits.shrink_to_fit();
    hits
}

/// Keeps every hit whose score is within `slack` of the `depth`-th best seen. If each score has an error of at most
/// half of `slack`, this includes every hit that can truly be among the best `depth`.
#[derive(Clone)]
pub(super) struct ScoreShortlist {
    depth: usize,
    slack: f32,
    hits: Vec<PassageHit>,
    /// Hits with a lower score can be ignored.
    floor: f32,
    /// The number of hits at which the list is next pruned.
    prune_at: usize,
}

impl ScoreShortlist {
    /// The caller guarantees that hits below `floor` are irrelevant.
    pub(super) fn new(depth: usize, slack: f32, floor: f32) -> ScoreShortlist {
        let prune_at = 2 * depth + 64;
        ScoreShortlist { depth, slack, hits: Vec::new(), floor, prune_at }
    }

    pub(super) fn push(&mut self, hit: PassageHit) {
        if hit.score < self.floor {
            return;
        }
        self.hits.push(hit);
        if self.hits.len() >= self.prune_at {
            self.prune();
            // Doubling keeps the cost linear even if all scores are equal and nothing is pruned.
            self.prune_at = 2 * self.hits.len() + 64;
        }
    }

    /// Pushes the scores of consecutive passages. Most runs of 16 have no score above the floor,
    /// and checking a run at once is much cheaper than pushing each score.
    pub(super) fn extend(&mut self, first: u32, scores: &[f32]) {
        for (passage, run) in (first..).step_by(16).zip(scores.chunks(16)) {
            if run.iter().fold(false, |any, &score| any | (score >= self.floor)) {
                (passage..)
                    .zip(run)
                    .for_each(|(passage, &score)| self.push(PassageHit { passage, score }));
            }
        }
    }

    /// The hits that remain after pruning, in no particular order.
    pub(super) fn into_hits(mut self) -> Vec<PassageHit> {
        self.prune();
        self.hits
    }

    fn prune(&mut self) {
        if self.depth == 0 {
            self.hits.clear();
        } else if self.hits.len() > self.depth {
            let (_, worst, _) = self.hits.select_nth_unstable_by(self.depth - 1, by_rank);
            self.floor = self.floor.max(worst.score - self.slack);
            let floor = self.floor;
            self.hits.retain(|hit| hit.score >= floor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ranking_releases_unused_capacity() {
        let hits = (0..10_000).map(|passage| PassageHit { passage, score: 1.0 }).collect();
        let ranking = best(hits, 3);
        assert_eq!(ranking.iter().map(|hit| hit.passage).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(ranking.capacity() < 100, "{}", ranking.capacity());
    }
}
