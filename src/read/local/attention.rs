//! Attention over a cache of keys and values.

use rayon::prelude::*;

use super::math::{LANES, exp, sum_of_lanes};
use super::processor::for_this_processor;
use super::shape::TransformerShape;

/// The keys and values of the tokens so far, for one layer, by group of heads.
#[derive(Clone)]
pub struct LayerCache {
    /// By group: (tile of 16 tokens, head size, 16), so that 16 scores are computed at once. Numbers of the last tile
    /// beyond the last token are not meaningful.
    keys: Vec<Vec<f32>>,
    /// By group: (token, head size).
    values: Vec<Vec<f32>>,
    tokens: usize,
}

impl LayerCache {
    pub fn new(shape: &TransformerShape) -> LayerCache {
        let none = vec![Vec::new(); shape.key_value_heads];
        LayerCache { keys: none.clone(), values: none, tokens: 0 }
    }

    /// Appends tokens; `keys` and `values` are (tokens, groups, head size).
    pub fn append(&mut self, shape: &TransformerShape, keys: &[f32], values: &[f32]) {
        let (head, groups) = (shape.head_size, shape.key_value_heads);
        let each = keys.chunks_exact(groups * head).zip(values.chunks_exact(groups * head));
        for (token, (keys, values)) in (self.tokens..).zip(each) {
            for group in 0..groups {
                let to = &mut self.keys[group];
                to.resize((token / LANES + 1) * LANES * head, 0.0);
                let tile = &mut to[token / LANES * LANES * head..];
                for (row, key) in tile.chunks_exact_mut(LANES).zip(&keys[group * head..][..head]) {
                    row[token % LANES] = *key;
                }
                self.values[group].extend_from_slice(&values[group * head..][..head]);
            }
        }
        self.tokens += keys.len() / (groups * head);
    }

    /// Forgets all tokens but the first ones.
    pub fn truncate(&mut self, shape: &TransformerShape, tokens: usize) {
        self.tokens = tokens.min(self.tokens);
        let head = shape.head_size;
        for (keys, values) in self.keys.iter_mut().zip(&mut self.values) {
            keys.truncate(self.tokens.div_ceil(LANES) * LANES * head);
            values.truncate(self.tokens * head);
        }
    }

    /// For each head of each new token, the values of the tokens up to itself, at most `window` of them, weighted by
    /// their scores. `queries` is (new tokens, heads, head size), and so is the result; the keys and values of the
    /// new tokens have been appended.
    pub fn attend(&self, shape: &TransformerShape, queries: &[f32], window: usize) -> Vec<f32> {
        let TransformerShape { heads, key_value_heads: groups, head_size: head, .. } = *shape;
        let start = self.tokens - queries.len() / (heads * head);
        let mut out = vec![0.0; queries.len()];
        let each = out.par_chunks_mut(head).zip(queries.par_chunks(head)).enumerate();
        each.for_each_init(Vec::new, |scores, (place, (out, query))| {
            let (token, group) = (start + place / heads, place % heads / (heads / groups));
            let seen = (token + 1).saturating_sub(window)..token + 1;
            attend_once(query, &self.keys[group], &self.values[group], seen, scores, out);
        });
        out
    }
}

type TokenRange = std::ops::Range<usize>;

for_this_processor! {
    /// One head of one token, over the tokens `seen`.
    fn attend_once(
        query: &[f32],
        keys: &[f32],
        values: &[f32],
        seen: TokenRange,
        scores: &mut Vec<[f32; LANES]>,
        out: &mut [f32],
    ) {
        let head = query.len();
        let scale = 1.0 / (head as f32).sqrt();
        // Whole tiles are computed, so a token's place among the partial sums does not depend on the window.
        let first_tile = seen.start / LANES;
        let tiles = keys.chunks_exact(LANES * head).take(seen.end.div_ceil(LANES)).skip(first_tile);
        scores.clear();
        let mut highest = f32::NEG_INFINITY;
        for (tile, keys) in (first_tile..).zip(tiles) {
            let mut lanes = [0.0; LANES];
            for (query, keys) in query.iter().zip(keys.as_chunks::<LANES>().0) {
                for lane in 0..LANES {
                    lanes[lane] += query * keys[lane];
                }
            }
            for (lane, score) in lanes.iter_mut().enumerate() {
                let inside = seen.contains(&(tile * LANES + lane));
                *score = if inside { *score * scale } else { f32::NEG_INFINITY };
                highest = highest.max(*score);
            }
            scores.push(lanes);
        }
        let mut sums = [0.0; LANES];
        for lanes in scores.iter_mut() {
            for (score, sum) in lanes.iter_mut().zip(&mut sums) {
                // The maximum is subtracted so that `exp` cannot overflow; outside the window it is exactly 0.
                *score = if *score == f32::NEG_INFINITY { 0.0 } else { exp(*score - highest) };
                *sum += *score;
            }
        }
        let share = 1.0 / sum_of_lanes(sums);
        out.fill(0.0);
        let weights = scores.as_flattened();
        for token in seen {
            let weight = weights[token - first_tile * LANES] * share;
            for (out, value) in out.iter_mut().zip(&values[token * head..][..head]) {
                *out += weight * value;
            }
        }
    }
}
