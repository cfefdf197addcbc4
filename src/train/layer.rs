//! One encoder layer: the forward pass, which stores what the backward pass needs, and the backward pass.
//!
//! The tokens of a group of texts are concatenated, as in `embed::bert::packed`. The forward pass stores the
//! inputs and outputs of the linear layers; what is cheap (softmax, activation, scales) is recomputed.

use rayon::prelude::*;

use super::attention;
use super::layer_parameters::{TrainingLayerLayout, TrainingLayerPart};
use super::math;
use super::matmul::{self, GemmOperand, GemmOutput};
use crate::embed::bert::attention::TextAttention;
use crate::embed::bert::config::BertActivation;
use crate::embed::bert::math::{add, gelu, relu};

/// The number of rows of a weight whose gradient one thread sums.
const BLOCK: usize = 128;

/// A layer with its parameters, ready to compute.
#[derive(Clone, Copy)]
pub struct TrainingLayer<'a> {
    pub layout: TrainingLayerLayout,
    pub numbers: &'a [f32],
    pub attention: TextAttention<'a>,
    pub activation: BertActivation,
    pub eps: f32,
}

/// The intermediate results of one group that the backward pass needs.
pub struct LayerTape {
    x: Vec<f32>,
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    attended: StandardizedRows,
    /// The input of the activation.
    wide: Vec<f32>,
    narrow: StandardizedRows,
}

/// A layer norm's input, standardized to mean 0 and variance 1, and the factor applied to each row.
struct StandardizedRows {
    rows: Vec<f32>,
    factors: Vec<f32>,
}

/// The gradients of one group with respect to the outputs of the linear layers, with the inputs that turn them into
/// weight gradients; and the gradients of all other parameters.
pub struct LayerGradients {
    /// In the order of the weights: (input, gradient with respect to the output).
    linear: [(Vec<f32>, Vec<f32>); 4],
    /// Scale and shift of both layer norms.
    norms: [Vec<f32>; 4],
}

impl TrainingLayer<'_> {
    fn part(&self, part: TrainingLayerPart) -> &[f32] {
        &self.numbers[self.layout.range(part)]
    }

    /// `x W^T + b`.
    fn linear(&self, x: &[f32], weight: TrainingLayerPart, bias: TrainingLayerPart) -> Vec<f32> {
        let bias = self.part(bias);
        let inputs = self.layout.inputs(weight);
        let mut out = bias.repeat(x.len() / inputs);
        let weight = GemmOperand::new(self.part(weight), inputs).transposed();
        matmul::add(
            GemmOutput::new(&mut out, bias.len()),
            GemmOperand::new(x, inputs),
            weight,
            1.0,
        );
        out
    }

    /// `d W`: the gradient with respect to a linear layer's input.
    fn linear_backward(&self, d: &[f32], weight: TrainingLayerPart) -> Vec<f32> {
        let inputs = self.layout.inputs(weight);
        let weight = self.part(weight);
        let (outputs, weight) = (weight.len() / inputs, GemmOperand::new(weight, inputs));
        let mut out = vec![0.0; d.len() / outputs * inputs];
        matmul::set(GemmOutput::new(&mut out, inputs), GemmOperand::new(d, outputs), weight, 1.0);
        out
    }

    fn norm(
        &self,
        mut x: Vec<f32>,
        scale: TrainingLayerPart,
        shift: TrainingLayerPart,
    ) -> (Vec<f32>, StandardizedRows) {
        let h = self.layout.hidden;
        let mut factors = vec![0.0; x.len() / h];
        math::standardize(&mut x, h, self.eps, &mut factors);
        let rows = StandardizedRows { rows: x, factors };
        (self.scaled(&rows, scale, shift), rows)
    }

    fn scaled(
        &self,
        x: &StandardizedRows,
        scale: TrainingLayerPart,
        shift: TrainingLayerPart,
    ) -> Vec<f32> {
        let mut out = vec![0.0; x.rows.len()];
        math::scale_rows(&x.rows, self.part(scale), self.part(shift), &mut out);
        out
    }

    fn activate(&self, wide: &[f32]) -> Vec<f32> {
        let mut out = wide.to_vec();
        match self.activation {
            BertActivation::Gelu => gelu(&mut out),
            BertActivation::Relu => relu(&mut out),
        }
        out
    }

    /// `x` holds the concatenated tokens of texts of these lengths.
    pub fn forward(&self, x: Vec<f32>, lengths: &[usize]) -> (Vec<f32>, LayerTape) {
        let h = self.layout.hidden;
        let qkv = self.linear(&x, TrainingLayerPart::Qkv, TrainingLayerPart::QkvBias);
        let mut mixed = vec![0.0; x.len()];
        let (mut scores, mut start) = (Vec::new(), 0);
        for &n in lengths {
            let (from, to) = (start, start + n);
            let out = &mut mixed[from * h..to * h];
            self.attention.attend(&qkv[from * 3 * h..to * 3 * h], n, out, &mut scores);
            start = to;
        }
        let mut sum =
            self.linear(&mixed, TrainingLayerPart::Attended, TrainingLayerPart::AttendedBias);
        add(&mut sum, &x);
        let (y, attended) =
            self.norm(sum, TrainingLayerPart::AttendedScale, TrainingLayerPart::AttendedShift);
        let wide = self.linear(&y, TrainingLayerPart::Wide, TrainingLayerPart::WideBias);
        let mut sum = self.linear(
            &self.activate(&wide),
            TrainingLayerPart::Narrow,
            TrainingLayerPart::NarrowBias,
        );
        add(&mut sum, &y);
        let (out, narrow) =
            self.norm(sum, TrainingLayerPart::NarrowScale, TrainingLayerPart::NarrowShift);
        (out, LayerTape { x, qkv, mixed, attended, wide, narrow })
    }

    /// From the gradient of the layer's output to that of its input, which is computed only if `deeper`.
    pub fn backward(
        &self,
        tape: LayerTape,
        mut d: Vec<f32>,
        lengths: &[usize],
        deeper: bool,
    ) -> (Vec<f32>, LayerGradients) {
        let h = self.layout.hidden;
        let (narrow_scale, narrow_shift) =
            norm_backward(&tape.narrow, self.part(TrainingLayerPart::NarrowScale), &mut d);
        let d_narrow = d;
        // Cheaper to compute again than to store for every token.
        let activated = self.activate(&tape.wide);
        let mut d_wide = self.linear_backward(&d_narrow, TrainingLayerPart::Narrow);
        match self.activation {
            BertActivation::Gelu => math::gelu_back(&tape.wide, &mut d_wide),
            BertActivation::Relu => math::relu_back(&tape.wide, &mut d_wide),
        }
        let mut d = self.linear_backward(&d_wide, TrainingLayerPart::Wide);
        add(&mut d, &d_narrow);
        let y = self.scaled(
            &tape.attended,
            TrainingLayerPart::AttendedScale,
            TrainingLayerPart::AttendedShift,
        );
        let (attended_scale, attended_shift) =
            norm_backward(&tape.attended, self.part(TrainingLayerPart::AttendedScale), &mut d);
        let d_attended = d;
        let d_mixed = self.linear_backward(&d_attended, TrainingLayerPart::Attended);
        let mut d_qkv = vec![0.0; tape.qkv.len()];
        let (mut scratch, mut start) = (attention::AttentionGradBuffers::default(), 0);
        for &n in lengths {
            let (from, to) = (start, start + n);
            let wide = from * 3 * h..to * 3 * h;
            attention::backward(
                &self.attention,
                &tape.qkv[wide.clone()],
                &d_mixed[from * h..to * h],
                &mut d_qkv[wide],
                &mut scratch,
            );
            start = to;
        }
        let mut deepest = Vec::new();
        if deeper {
            deepest = self.linear_backward(&d_qkv, TrainingLayerPart::Qkv);
            add(&mut deepest, &d_attended);
        }
        let linear =
            [(tape.x, d_qkv), (tape.mixed, d_attended), (y, d_wide), (activated, d_narrow)];
        let norms = [attended_scale, attended_shift, narrow_scale, narrow_shift];
        (deepest, LayerGradients { linear, norms })
    }
}

/// Backpropagates through a layer norm; returns the gradients of its scale and shift.
fn norm_backward(x: &StandardizedRows, scale: &[f32], d: &mut [f32]) -> (Vec<f32>, Vec<f32>) {
    let (mut by_scale, mut by_shift) = (vec![0.0; scale.len()], vec![0.0; scale.len()]);
    math::add_row_products(d, &x.rows, &mut by_scale);
    math::add_rows(d, &mut by_shift);
    math::norm_back(&x.rows, &x.factors, scale, d);
    (by_scale, by_shift)
}

/// The gradient of a layer's parameters, summed over all groups in their order, so that the result does not depend
/// on how threads share the rows.
pub fn gradient(layout: TrainingLayerLayout, groups: &[LayerGradients]) -> Vec<f32> {
    let mut out = vec![0.0; layout.len()];
    let mut rest = out.as_mut_slice();
    let mut jobs: Vec<(TrainingLayerPart, usize, &mut [f32])> = Vec::new();
    for part in TrainingLayerPart::ALL {
        let (numbers, after) = rest.split_at_mut(layout.size(part));
        rest = after;
        if part.is_weight() {
            let block = BLOCK * layout.inputs(part);
            let blocks = numbers.chunks_mut(block).enumerate();
            jobs.extend(blocks.map(|(i, numbers)| (part, i * BLOCK, numbers)));
        } else {
            jobs.push((part, 0, numbers));
        }
    }
    jobs.into_par_iter().for_each(|(part, first, out)| {
        for group in groups {
            group.add_to(layout, part, first, out);
        }
    });
    out
}

impl LayerGradients {
    /// Adds this group's gradient of `part` to `out`: of the rows from `first` on for a weight, else of all of it.
    fn add_to(
        &self,
        layout: TrainingLayerLayout,
        part: TrainingLayerPart,
        first: usize,
        out: &mut [f32],
    ) {
        let [qkv, attended, wide, narrow] = &self.linear;
        let weight = |(x, d): &(Vec<f32>, Vec<f32>), out: &mut [f32]| {
            let inputs = layout.inputs(part);
            let (tokens, rows) = (x.len() / inputs, out.len() / inputs);
            let outputs = d.len() / tokens;
            let d = GemmOperand::part(&d[first..], tokens, rows, outputs).transposed();
            matmul::add(GemmOutput::new(out, inputs), d, GemmOperand::new(x, inputs), 1.0);
        };
        match part {
            TrainingLayerPart::Qkv => weight(qkv, out),
            TrainingLayerPart::Attended => weight(attended, out),
            TrainingLayerPart::Wide => weight(wide, out),
            TrainingLayerPart::Narrow => weight(narrow, out),
            TrainingLayerPart::QkvBias => math::add_rows(&qkv.1, out),
            TrainingLayerPart::AttendedBias => math::add_rows(&attended.1, out),
            TrainingLayerPart::WideBias => math::add_rows(&wide.1, out),
            TrainingLayerPart::NarrowBias => math::add_rows(&narrow.1, out),
            TrainingLayerPart::AttendedScale => add(out, &self.norms[0]),
            TrainingLayerPart::AttendedShift => add(out, &self.norms[1]),
            TrainingLayerPart::NarrowScale => add(out, &self.norms[2]),
            TrainingLayerPart::NarrowShift => add(out, &self.norms[3]),
        }
    }
}
