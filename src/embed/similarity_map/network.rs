//! The network over a similarity map: 3 x 3 convolutions, pooling over all cells, two dense layers, one logit. This is
//! forward and backward arithmetic only; it knows nothing of texts or files.
//!
//! Channels are stored one after another, each with a border of one zero cell, so that a row of the map is one slice.

use super::map::{CHANNELS, SUMMARY, TokenSimilarityMap};

/// Pooled features per channel: the mean, the maximum, the mean of the row maxima, the mean of the column maxima.
const POOLS: usize = 4;
/// Number of units between the two dense layers.
const HIDDEN: usize = 32;
/// Number of weights in a 3 x 3 convolution kernel.
const TAPS: usize = 9;

/// The size of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapNetworkShape {
    /// Number of channels of each convolution.
    pub width: usize,
    /// Number of successive convolutions.
    pub layers: usize,
}

/// The parameters of a network, concatenated in the order of [`MapNetworkShape::tensors`].
#[derive(Clone, Debug, PartialEq)]
pub struct MapNetwork {
    pub shape: MapNetworkShape,
    pub weights: Vec<f32>,
}

impl MapNetworkShape {
    fn features(self) -> usize {
        SUMMARY + POOLS * self.width
    }

    fn inputs(self, layer: usize) -> usize {
        if layer == 0 { CHANNELS } else { self.width }
    }

    /// The names and shapes of all tensors, in order; convolutions are (outputs, inputs, rows, columns).
    pub fn tensors(self) -> Vec<(String, Vec<usize>)> {
        let mut tensors = Vec::new();
        for layer in 0..self.layers {
            let inputs = self.inputs(layer);
            tensors.push((format!("conv.{layer}.weight"), vec![self.width, inputs, 3, 3]));
            tensors.push((format!("conv.{layer}.bias"), vec![self.width]));
        }
        tensors.push(("dense.weight".to_owned(), vec![HIDDEN, self.features()]));
        tensors.push(("dense.bias".to_owned(), vec![HIDDEN]));
        tensors.push(("out.weight".to_owned(), vec![1, HIDDEN]));
        tensors.push(("out.bias".to_owned(), vec![1]));
        tensors
    }

    /// The number of parameters.
    pub fn parameter_count(self) -> usize {
        self.tensors().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }

    /// The offset of each convolution's weights, and that of the dense layers' weights.
    fn weight_offsets(self) -> (Vec<usize>, usize) {
        let mut at = 0;
        let mut starts = Vec::with_capacity(self.layers);
        for layer in 0..self.layers {
            starts.push(at);
            at += self.width * (self.inputs(layer) * TAPS + 1);
        }
        (starts, at)
    }
}

/// The activations of a forward pass, which the backward pass needs.
pub struct MapForwardPass {
    rows: usize,
    cols: usize,
    /// The map's channels, then each convolution's output.
    planes: Vec<Vec<f32>>,
    features: Vec<f32>,
    hidden: Vec<f32>,
    /// For each channel of the last convolution, the index of the largest cell overall, in each row and in each column.
    argmax: Vec<(usize, Vec<usize>, Vec<usize>)>,
    pub logit: f32,
}

impl MapNetwork {
    /// The logit of the probability that the two texts differ in meaning.
    pub fn logit(&self, map: &TokenSimilarityMap) -> f32 {
        self.forward(map).logit
    }

    /// Computes [`Net::logit`] and keeps what [`Net::backward`] needs.
    pub fn forward(&self, map: &TokenSimilarityMap) -> MapForwardPass {
        let (rows, cols) = (map.rows, map.cols);
        let stride = cols + 2;
        let plane = (rows + 2) * stride;
        let width = self.shape.width;
        let (starts, dense) = self.shape.weight_offsets();
        let mut planes = vec![map.channels()];
        for (layer, &start) in starts.iter().enumerate() {
            let inputs = self.shape.inputs(layer);
            let (weights, bias) = self.weights[start..].split_at(width * inputs * TAPS);
            let mut out = vec![0.0; width * plane];
            let input = &planes[layer];
            for (o, out) in out.chunks_exact_mut(plane).enumerate() {
                for row in 0..rows {
                    let out = &mut out[(row + 1) * stride + 1..][..cols];
                    out.fill(bias[o]);
                    for i in 0..inputs {
                        let weights = &weights[(o * inputs + i) * TAPS..][..TAPS];
                        // Accumulate tap by tap over a whole row, which the compiler vectorises.
                        for (tap, &weight) in weights.iter().enumerate() {
                            let at = i * plane + (row + tap / 3) * stride + tap % 3;
                            let input = &input[at..at + cols];
                            out.iter_mut().zip(input).for_each(|(o, x)| *o += weight * x);
                        }
                    }
                    out.iter_mut().for_each(|o| *o = o.max(0.0));
                }
            }
            planes.push(out);
        }

        let mut features = map.summary().to_vec();
        let mut largest = Vec::with_capacity(width);
        let last = planes.last().map_or(&[][..], Vec::as_slice);
        for channel in last.chunks_exact(plane) {
            let at = |row: usize, col: usize| (row + 1) * stride + col + 1;
            let by_row: Vec<usize> =
                (0..rows).map(|row| argmax(channel, (0..cols).map(|col| at(row, col)))).collect();
            let by_col: Vec<usize> =
                (0..cols).map(|col| argmax(channel, (0..rows).map(|row| at(row, col)))).collect();
            let top = argmax(channel, by_row.iter().copied());
            // The zero border does not change the sum.
            features.push(channel.iter().sum::<f32>() / (rows * cols) as f32);
            features.push(channel[top]);
            features.push(by_row.iter().map(|&c| channel[c]).sum::<f32>() / rows as f32);
            features.push(by_col.iter().map(|&c| channel[c]).sum::<f32>() / cols as f32);
            largest.push((top, by_row, by_col));
        }

        let (weights, rest) = self.weights[dense..].split_at(HIDDEN * features.len());
        let (bias, rest) = rest.split_at(HIDDEN);
        let (out, out_bias) = rest.split_at(HIDDEN);
        let hidden: Vec<f32> = weights
            .chunks_exact(features.len())
            .zip(bias)
            .map(|(row, bias)| (sequential_dot(row, &features) + bias).max(0.0))
            .collect();
        let logit = sequential_dot(out, &hidden) + out_bias[0];
        MapForwardPass { rows, cols, planes, features, hidden, argmax: largest, logit }
    }

    /// Adds the loss gradient of each parameter to `gradient`; `slope` is the derivative of the loss by the logit.
    pub fn backward(&self, pass: &MapForwardPass, slope: f32, gradient: &mut [f32]) {
        let MapForwardPass { rows, cols, planes, features, hidden, argmax: largest, .. } = pass;
        let (rows, cols) = (*rows, *cols);
        let stride = cols + 2;
        let plane = (rows + 2) * stride;
        let width = self.shape.width;
        let (starts, dense) = self.shape.weight_offsets();
        let count = features.len();

        let mut by_feature = vec![0.0; count];
        {
            let at = dense;
            let out_at = at + HIDDEN * (count + 1);
            for h in 0..HIDDEN {
                gradient[out_at + h] += slope * hidden[h];
                if hidden[h] <= 0.0 {
                    continue;
                }
                let by_hidden = slope * self.weights[out_at + h];
                gradient[at + HIDDEN * count + h] += by_hidden;
                let row = at + h * count;
                for f in 0..count {
                    gradient[row + f] += by_hidden * features[f];
                    by_feature[f] += by_hidden * self.weights[row + f];
                }
            }
            gradient[out_at + HIDDEN] += slope;
        }

        let mut by_plane = vec![0.0; width * plane];
        let pooled = by_feature[SUMMARY..].chunks_exact(POOLS);
        for ((channel, (top, by_row, by_col)), by) in
            by_plane.chunks_exact_mut(plane).zip(largest).zip(pooled)
        {
            for row in 0..rows {
                let cells = &mut channel[(row + 1) * stride + 1..][..cols];
                cells.fill(by[0] / (rows * cols) as f32);
            }
            channel[*top] += by[1];
            by_row.iter().for_each(|&cell| channel[cell] += by[2] / rows as f32);
            by_col.iter().for_each(|&cell| channel[cell] += by[3] / cols as f32);
        }

        for (layer, &start) in starts.iter().enumerate().rev() {
            let inputs = self.shape.inputs(layer);
            let input = &planes[layer];
            let bias_at = start + width * inputs * TAPS;
            // The derivative of the ReLU is 0 wherever its output is 0.
            for (by, out) in by_plane.iter_mut().zip(&planes[layer + 1]) {
                *by = if *out > 0.0 { *by } else { 0.0 };
            }
            // The map itself is a constant and needs no gradient.
            let mut by_input = vec![0.0; if layer == 0 { 0 } else { inputs * plane }];
            for (o, by_out) in by_plane.chunks_exact(plane).enumerate() {
                for row in 0..rows {
                    let by_out = &by_out[(row + 1) * stride + 1..][..cols];
                    // After ReLU and pooling many rows have no gradient at all.
                    if by_out.iter().all(|by| *by == 0.0) {
                        continue;
                    }
                    gradient[bias_at + o] += by_out.iter().sum::<f32>();
                    for i in 0..inputs {
                        let weights_at = start + (o * inputs + i) * TAPS;
                        for tap in 0..TAPS {
                            let at = i * plane + (row + tap / 3) * stride + tap % 3;
                            gradient[weights_at + tap] += dot(by_out, &input[at..at + cols]);
                            if layer > 0 {
                                let weight = self.weights[weights_at + tap];
                                let by_input = &mut by_input[at..at + cols];
                                by_input.iter_mut().zip(by_out).for_each(|(i, o)| *i += weight * o);
                            }
                        }
                    }
                }
            }
            // The border is a constant, so gradients that reached it go no further.
            if layer > 0 {
                for channel in by_input.chunks_exact_mut(plane) {
                    channel[..stride].fill(0.0);
                    channel[plane - stride..].fill(0.0);
                    for row in channel.chunks_exact_mut(stride) {
                        row[0] = 0.0;
                        row[stride - 1] = 0.0;
                    }
                }
            }
            by_plane = by_input;
        }
    }
}

/// The dot product, summed in eight lanes so that the compiler vectorises it.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        lanes.iter_mut().zip(a.iter().zip(b)).for_each(|(lane, (a, b))| *lane += a * b);
    }
    lanes.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

fn sequential_dot(row: &[f32], x: &[f32]) -> f32 {
    row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>()
}

/// The cell with the largest number; the first of several.
fn argmax(channel: &[f32], mut cells: impl Iterator<Item = usize>) -> usize {
    let first = cells.next().unwrap_or(0);
    cells.fold(first, |best, cell| match channel[cell] > channel[best] {
        true => cell,
        false => best,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random numbers from -1 to 1.
    pub fn noise(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn the_gradient_matches_finite_differences() {
        let shape = MapNetworkShape { width: 3, layers: 2 };
        let weights = noise(shape.parameter_count(), 7).iter().map(|w| w * 0.5).collect();
        let mut net = MapNetwork { shape, weights };
        let same = (0..35).map(|i| i % 6 == 0).collect();
        let map = TokenSimilarityMap { rows: 5, cols: 7, cosine: noise(35, 3), same, base: 0.4 };
        let mut gradient = vec![0.0; net.weights.len()];
        net.backward(&net.forward(&map), 1.0, &mut gradient);
        assert!(gradient.iter().filter(|g| **g != 0.0).count() > gradient.len() / 3);
        let mut off = 0;
        for (i, gradient) in gradient.iter().enumerate() {
            let (before, step) = (net.weights[i], 2e-3);
            let mut at = |weight| {
                net.weights[i] = weight;
                f64::from(net.logit(&map))
            };
            let (up, down) = (at(before + step), at(before - step));
            at(before);
            let slope = (up - down) / f64::from(2.0 * step);
            let apart = (slope - f64::from(*gradient)).abs();
            // In a few places the step crosses the kink of a ReLU or of a maximum.
            off += usize::from(apart > 1e-3 + 0.01 * slope.abs());
        }
        assert!(off * 50 <= gradient.len(), "{off} of {} are off", gradient.len());
    }
}
