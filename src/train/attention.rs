//! Backpropagation through the attention within one text, one head at a time. The attention weights of the forward
//! pass are recomputed: for texts of this length that is cheaper than storing them.

use super::math;
use super::matmul::{self, GemmOperand, GemmOutput};
use crate::embed::bert::attention::TextAttention;
use crate::embed::bert::math::softmax_rows;

/// Buffers that are reused from text to text.
#[derive(Default)]
pub struct AttentionGradBuffers {
    weights: Vec<f32>,
    slopes: Vec<f32>,
}

/// `qkv` is (n, 3 hidden), `d` the gradient with respect to the output, (n, hidden); writes the gradient of `qkv`.
pub fn backward(
    attention: &TextAttention,
    qkv: &[f32],
    d: &[f32],
    d_qkv: &mut [f32],
    s: &mut AttentionGradBuffers,
) {
    let (hidden, size, stride) =
        (attention.hidden, attention.hidden / attention.heads, 3 * attention.hidden);
    let n = d.len() / hidden;
    let scale = 1.0 / (size as f32).sqrt();
    s.weights.resize(n * n, 0.0);
    s.slopes.resize(n * n, 0.0);
    for head in 0..attention.heads {
        let [q, k, v] = [0, 1, 2].map(|part| part * hidden + head * size);
        let [query, key, value] =
            [q, k, v].map(|at| GemmOperand::part(&qkv[at..], n, size, stride));
        let d = GemmOperand::part(&d[head * size..], n, size, hidden);
        matmul::set(GemmOutput::new(&mut s.weights, n), query, key.transposed(), scale);
        if let Some(bias) = attention.bias {
            for (place, row) in s.weights.chunks_exact_mut(n).enumerate() {
                crate::embed::bert::math::add(row, bias.row(head, place, 0..n));
            }
        }
        softmax_rows(&mut s.weights, n);
        matmul::set(GemmOutput::new(&mut s.slopes, n), d, value.transposed(), 1.0);
        math::softmax_back(&s.weights, n, &mut s.slopes);

        let (weights, slopes) = (GemmOperand::new(&s.weights, n), GemmOperand::new(&s.slopes, n));
        let mut write = |at: usize, a, b, scale| {
            matmul::set(GemmOutput { data: &mut d_qkv[at..], cols: size, stride }, a, b, scale);
        };
        write(q, slopes, key, scale);
        write(k, slopes.transposed(), query, scale);
        write(v, weights.transposed(), d, 1.0);
    }
}
