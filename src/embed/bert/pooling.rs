//! Pooling: combines the token vectors of a text into one vector.

use crate::embed::TokenPooling;

/// Pools the (tokens, `hidden`) rows of one text by each of `modes` and concatenates the results. The first `prompt`
/// tokens are excluded. Returns zeros for a text without any other token.
pub fn pool(tokens: &[f32], hidden: usize, modes: &[TokenPooling], prompt: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(modes.len() * hidden);
    for mode in modes {
        out.extend(pool_by(tokens, hidden, *mode, prompt));
    }
    out
}

fn pool_by(tokens: &[f32], hidden: usize, mode: TokenPooling, prompt: usize) -> Vec<f32> {
    let count = tokens.len() / hidden;
    let mut out = vec![0.0; hidden];
    if count <= prompt {
        // As in sentence-transformers, only Cls falls back, to the very first token.
        if mode == TokenPooling::Cls && count > 0 {
            out.copy_from_slice(&tokens[..hidden]);
        }
        return out;
    }
    let rows = tokens.chunks_exact(hidden).skip(prompt);
    match mode {
        TokenPooling::Cls => out.copy_from_slice(&tokens[prompt * hidden..(prompt + 1) * hidden]),
        TokenPooling::Last => out.copy_from_slice(&tokens[(count - 1) * hidden..]),
        TokenPooling::Max => {
            out.fill(f32::NEG_INFINITY);
            rows.for_each(|row| out.iter_mut().zip(row).for_each(|(o, v)| *o = o.max(*v)));
        }
        TokenPooling::Mean | TokenPooling::MeanSqrtLength => {
            out = sum(rows, out);
            let n = (count - prompt) as f32;
            divide(&mut out, if mode == TokenPooling::Mean { n } else { n.sqrt() });
        }
        TokenPooling::WeightedMean => {
            // Positions are counted from the first token of the text, even if it is excluded.
            let mut total = 0.0;
            for (place, row) in (prompt + 1..).zip(rows) {
                total += place as f32;
                out.iter_mut().zip(row).for_each(|(o, v)| *o += place as f32 * v);
            }
            divide(&mut out, total);
        }
    }
    out
}

fn divide(out: &mut [f32], by: f32) {
    out.iter_mut().for_each(|v| *v /= by);
}

/// The sum of the rows. It starts with the first row rather than 0, which would turn -0.0 into 0.0.
pub fn sum<'a>(mut rows: impl Iterator<Item = &'a [f32]>, mut out: Vec<f32>) -> Vec<f32> {
    if let Some(first) = rows.next() {
        out.copy_from_slice(first);
    }
    rows.for_each(|row| out.iter_mut().zip(row).for_each(|(o, v)| *o += v));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from sentence-transformers 6.2.
    #[test]
    fn modes_are_concatenated() {
        let tokens = [1.0, -2.0, 3.0, 0.5, 5.0, 1.0];
        let modes = [
            TokenPooling::Cls,
            TokenPooling::Max,
            TokenPooling::Mean,
            TokenPooling::MeanSqrtLength,
            TokenPooling::WeightedMean,
            TokenPooling::Last,
        ];
        let all = pool(&tokens, 2, &modes, 0);
        let root = 3.0_f32.sqrt();
        let weighted = [(1.0 + 6.0 + 15.0) / 6.0, (-2.0 + 1.0 + 3.0) / 6.0];
        let expected = [1.0, -2.0, 5.0, 1.0, 3.0, -0.5 / 3.0, 9.0 / root, -0.5 / root];
        let expected = expected.iter().chain(&weighted).chain(&[5.0, 1.0]);
        for (ours, theirs) in all.iter().zip(expected) {
            assert!((ours - theirs).abs() < 1e-6, "{all:?}");
        }
        assert_eq!(all.len(), 12);
        // Without the first token, the positions still start with it.
        let rest = pool(
            &tokens,
            2,
            &[TokenPooling::Mean, TokenPooling::WeightedMean, TokenPooling::Cls],
            1,
        );
        assert_eq!(rest, [4.0, 0.75, 21.0 / 5.0, 4.0 / 5.0, 3.0, 0.5]);
        assert_eq!(pool(&tokens, 2, &[TokenPooling::Mean], 3), [0.0, 0.0]);
        assert_eq!(pool(&[], 2, &[TokenPooling::Max, TokenPooling::Cls], 0), [0.0; 4]);
    }
}
