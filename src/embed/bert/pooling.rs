//! Token vectors to one vector a text.

use super::math::normalize;
use crate::embed::Pooling;

/// Pools the (tokens, `hidden`) rows of one text, the mean as a sum; zeros for a text without a token.
fn sum(tokens: &[f32], hidden: usize, pooling: Pooling) -> Vec<f32> {
    if tokens.is_empty() {
        return vec![0.0; hidden];
    }
    let row = |i: usize| tokens[i * hidden..(i + 1) * hidden].to_vec();
    let rest = tokens.chunks_exact(hidden).skip(1);
    let mut out = match pooling {
        Pooling::Mean | Pooling::Max | Pooling::Cls => row(0),
        Pooling::Last => row(tokens.len() / hidden - 1),
    };
    match pooling {
        Pooling::Mean => rest.for_each(|row| out.iter_mut().zip(row).for_each(|(o, v)| *o += v)),
        Pooling::Max => {
            rest.for_each(|row| out.iter_mut().zip(row).for_each(|(o, v)| *o = o.max(*v)));
        }
        Pooling::Cls | Pooling::Last => {}
    }
    out
}

/// Pools the (tokens, `hidden`) rows of one text and brings the result to length one; zeros for a
/// text without a token.
pub fn pool(tokens: &[f32], hidden: usize, pooling: Pooling) -> Vec<f32> {
    // The division by the number of tokens falls away in the normalisation.
    let mut out = sum(tokens, hidden, pooling);
    normalize(&mut out);
    out
}

/// Pools the (tokens, `hidden`) rows of one text at the length that the model gives them.
pub fn pool_as_it_is(tokens: &[f32], hidden: usize, pooling: Pooling) -> Vec<f32> {
    let mut out = sum(tokens, hidden, pooling);
    if pooling == Pooling::Mean && !tokens.is_empty() {
        let n = (tokens.len() / hidden) as f32;
        out.iter_mut().for_each(|v| *v /= n);
    }
    out
}
