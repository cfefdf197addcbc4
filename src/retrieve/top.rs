//! Choosing the best few of a stream of scored passages.

use std::cmp::Ordering;

use super::{Hit, Ranking};

/// The one order of rankings: score descending, then passage index ascending.
fn by_rank(a: &Hit, b: &Hit) -> Ordering {
    b.score.total_cmp(&a.score).then(a.passage.cmp(&b.passage))
}

/// The best `depth` of `hits`, in rank order.
pub(super) fn best(mut hits: Vec<Hit>, depth: usize) -> Ranking {
    if depth == 0 {
        return Vec::new();
    }
    if hits.len() > depth {
        hits.select_nth_unstable_by(depth - 1, by_rank);
        hits.truncate(depth);
    }
    hits.sort_unstable_by(by_rank);
    // Rankings are kept: the room of all that were scored must not be.
    hits.shrink_to_fit();
    hits
}

/// Keeps every hit that scores within `slack` of the `depth`-th best seen, and so, where scores
/// are off by up to half of `slack` each, every hit that can truly be among the best `depth`.
#[derive(Clone)]
pub(super) struct Shortlist {
    depth: usize,
    slack: f32,
    hits: Vec<Hit>,
    /// Below this score a hit cannot matter any more.
    floor: f32,
    /// Number of hits at which the list is pruned next.
    prune_at: usize,
}

impl Shortlist {
    /// Hits below `floor` are known not to matter.
    pub(super) fn new(depth: usize, slack: f32, floor: f32) -> Shortlist {
        let prune_at = 2 * depth + 64;
        Shortlist { depth, slack, hits: Vec::new(), floor, prune_at }
    }

    pub(super) fn push(&mut self, hit: Hit) {
        if hit.score < self.floor {
            return;
        }
        self.hits.push(hit);
        if self.hits.len() >= self.prune_at {
            self.prune();
            // Doubling keeps the work linear even where all scores are alike and nothing goes.
            self.prune_at = 2 * self.hits.len() + 64;
        }
    }

    /// Pushes the scores of passages that follow one another. Most runs of 16 hold nothing above the floor,
    /// and looking for one is much cheaper than pushing each.
    pub(super) fn extend(&mut self, first: u32, scores: &[f32]) {
        for (passage, run) in (first..).step_by(16).zip(scores.chunks(16)) {
            if run.iter().fold(false, |any, &score| any | (score >= self.floor)) {
                (passage..)
                    .zip(run)
                    .for_each(|(passage, &score)| self.push(Hit { passage, score }));
            }
        }
    }

    /// What is left after pruning, in no particular order.
    pub(super) fn into_hits(mut self) -> Vec<Hit> {
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
    fn a_ranking_keeps_no_room_for_what_it_left_out() {
        let hits = (0..10_000).map(|passage| Hit { passage, score: 1.0 }).collect();
        let ranking = best(hits, 3);
        assert_eq!(ranking.iter().map(|hit| hit.passage).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(ranking.capacity() < 100, "{}", ranking.capacity());
    }
}
