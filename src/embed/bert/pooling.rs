//! Token vectors to one vector a text.

use super::math::normalize;
use crate::embed::Pooling;

/// Pools the (tokens, `hidden`) rows of one text and brings the result to length one; zeros for a
/// text without a token.
pub fn pool(tokens: &[f32], hidden: usize, pooling: Pooling) -> Vec<f32> {
    if tokens.is_empty() {
        return vec![0.0; hidden];
    }
    let mut out = tokens[..hidden].to_vec();
    if pooling == Pooling::Mean {
        for row in tokens.chunks_exact(hidden).skip(1) {
            for (o, v) in out.iter_mut().zip(row) {
                *o += v;
            }
        }
        // The division by the number of tokens falls away in the normalisation.
    }
    normalize(&mut out);
    out
}
