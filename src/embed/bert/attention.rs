//! Self-attention within one text, by head and block of queries, so that the scores stay in the cache and a long text
//! does not need a full square matrix of them.

use std::ops::Range;

use super::math;
use super::relative_bias::RelativeBias;

/// Maximum number of queries per block.
const MAX_BLOCK_QUERIES: usize = 128;

/// Which tokens attend to which, and how.
#[derive(Clone, Copy)]
pub struct TextAttention<'a> {
    pub hidden: usize,
    pub heads: usize,
    /// The relative position bias that is added to the scores.
    pub bias: Option<&'a RelativeBias>,
    /// The maximum distance at which a token attends to others; `None`: any.
    pub window: Option<usize>,
    /// The number of leading tokens that are attended to: at least one, and one within the window of every token.
    pub visible_tokens: usize,
}

impl TextAttention<'_> {
    /// Computes attention for a text of `n` tokens; `qkv` is (n, 3 hidden), `out` (n, hidden), `scores` a buffer.
    pub fn attend(&self, qkv: &[f32], n: usize, out: &mut [f32], scores: &mut Vec<f32>) {
        let hidden = self.hidden;
        assert!(qkv.len() >= n * 3 * hidden && out.len() >= n * hidden);
        // Make all blocks about the same size: for a last block of few rows `gemm` would use other kernels.
        let block = n.div_ceil(n.div_ceil(MAX_BLOCK_QUERIES).max(1)).max(1);
        for head in 0..self.heads {
            for from in (0..n).step_by(block) {
                self.attend_block(head, from..(from + block).min(n), qkv, n, out, scores);
            }
        }
    }

    fn attend_block(
        &self,
        head: usize,
        queries: Range<usize>,
        qkv: &[f32],
        n: usize,
        out: &mut [f32],
        scores: &mut Vec<f32>,
    ) {
        let (hidden, size) = (self.hidden, self.hidden / self.heads);
        let stride = 3 * hidden;
        let seen = self.visible_tokens.clamp(1, n);
        let keys = match self.window {
            None => 0..seen,
            Some(w) => {
                let end = queries.end.saturating_add(w).min(seen);
                queries.start.saturating_sub(w).min(end - 1)..end
            }
        };
        let cols = keys.len();
        scores.clear();
        scores.resize(queries.len() * cols, 0.0);
        let at = head * size;
        // SAFETY: query, key and value of head `head` are at `at`, `hidden + at` and `2 hidden + at` of each of the
        // `n` rows of `qkv`; `queries` and `keys` are ranges of these rows; `scores` is (queries, keys).
        unsafe {
            multiply(
                (queries.len(), cols, size),
                (scores.as_mut_ptr(), cols),
                (qkv.as_ptr().add(queries.start * stride + at), stride, 1),
                (qkv.as_ptr().add(keys.start * stride + hidden + at), 1, stride),
                1.0 / (size as f32).sqrt(),
            );
        }
        for (place, row) in queries.clone().zip(scores.chunks_exact_mut(cols)) {
            if let Some(bias) = self.bias {
                for (s, b) in row.iter_mut().zip(bias.row(head, place, keys.clone())) {
                    *s += b;
                }
            }
            // The keys cover the windows of all queries of the block; mask those outside this query's own window.
            if let Some(w) = self.window {
                let first = place.saturating_sub(w).saturating_sub(keys.start).min(cols);
                let end = place.saturating_add(w + 1).min(seen).saturating_sub(keys.start);
                row[..first].fill(f32::NEG_INFINITY);
                row[end..].fill(f32::NEG_INFINITY);
            }
        }
        math::softmax_rows(scores, cols);
        // SAFETY: as above; the rows `queries` of `out` hold the head's numbers at `at`.
        unsafe {
            multiply(
                (queries.len(), size, cols),
                (out.as_mut_ptr().add(queries.start * hidden + at), hidden),
                (scores.as_ptr(), cols, 1),
                (qkv.as_ptr().add(keys.start * stride + 2 * hidden + at), stride, 1),
                1.0,
            );
        }
    }
}

/// `out = scale * a b`. The arguments are (rows, columns, depth), then (start, row stride) of `out` and
/// (start, row stride, column stride) of `a` and `b`.
///
/// # Safety
/// The strides stay within the buffers.
unsafe fn multiply(
    (m, n, k): (usize, usize, usize),
    (out, out_row): (*mut f32, usize),
    (a, a_row, a_col): (*const f32, usize, usize),
    (b, b_row, b_col): (*const f32, usize, usize),
    scale: f32,
) {
    // SAFETY: by the caller.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out,
            1,
            out_row as isize,
            false,
            a,
            a_col as isize,
            a_row as isize,
            b,
            b_col as isize,
            b_row as isize,
            0.0,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
