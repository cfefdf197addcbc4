//! One encoder layer: the forward pass, which stores what the backward pass needs, and the backward pass.
//!
//! The tokens of a group of texts are concatenated, as in `embed::bert::packed`. The forward pass stores the
//! inputs and outputs of the linear layers; what is cheap (softmax, activation, scales) is recomputed.

use std::ops::Range;

use rayon::prelude::*;

use super::attention;
use super::math;
use super::product::{self, Target, View};
use crate::embed::bert::attend::Attention;
use crate::embed::bert::config::Activation;
use crate::embed::bert::layers;
use crate::embed::bert::math::{add, gelu, relu};
use crate::embed::weights::Rows;

/// The number of rows of a weight whose gradient one thread sums.
const BLOCK: usize = 128;

/// The parameters of a layer, in the order in which they are stored. Weights are (outputs, inputs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Query, key and value, stacked by rows.
    Qkv,
    QkvBias,
    Attended,
    AttendedBias,
    AttendedScale,
    AttendedShift,
    Wide,
    WideBias,
    Narrow,
    NarrowBias,
    NarrowScale,
    NarrowShift,
}

impl Part {
    pub const ALL: [Part; 12] = [
        Part::Qkv,
        Part::QkvBias,
        Part::Attended,
        Part::AttendedBias,
        Part::AttendedScale,
        Part::AttendedShift,
        Part::Wide,
        Part::WideBias,
        Part::Narrow,
        Part::NarrowBias,
        Part::NarrowScale,
        Part::NarrowShift,
    ];

    /// Whether this is the matrix of a linear layer.
    pub fn is_weight(self) -> bool {
        matches!(self, Part::Qkv | Part::Attended | Part::Wide | Part::Narrow)
    }
}

/// The dimensions of a layer, and the layout of the flat slice that holds its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    pub hidden: usize,
    pub wide: usize,
}

impl Layout {
    /// The number of inputs of the linear layer with this weight.
    pub fn inputs(self, weight: Part) -> usize {
        if weight == Part::Narrow { self.wide } else { self.hidden }
    }

    fn size(self, part: Part) -> usize {
        let (h, w) = (self.hidden, self.wide);
        match part {
            Part::Qkv => 3 * h * h,
            Part::QkvBias => 3 * h,
            Part::Attended => h * h,
            Part::Wide | Part::Narrow => h * w,
            Part::WideBias => w,
            Part::AttendedBias
            | Part::AttendedScale
            | Part::AttendedShift
            | Part::NarrowBias
            | Part::NarrowScale
            | Part::NarrowShift => h,
        }
    }

    pub fn range(self, part: Part) -> Range<usize> {
        let start = Part::ALL.into_iter().take_while(|p| *p != part).map(|p| self.size(p)).sum();
        start..start + self.size(part)
    }

    /// The number of parameters of a layer.
    pub fn len(self) -> usize {
        Part::ALL.into_iter().map(|part| self.size(part)).sum()
    }
}

/// Flattens a layer into the order of [`Part::ALL`].
pub fn fold(layer: &layers::Layer) -> Vec<f32> {
    let attention = [&layer.query, &layer.key, &layer.value];
    let mut numbers = Vec::new();
    for dense in attention {
        numbers.extend(dense.weight.clone().into_f32());
    }
    for dense in attention {
        numbers.extend(&dense.bias);
    }
    // Must match the order of `Part::ALL`.
    let blocks = [
        (vec![&layer.attended], &layer.attended_norm),
        (vec![&layer.wide, &layer.narrow], &layer.narrow_norm),
    ];
    for (linear, norm) in blocks {
        for dense in linear {
            numbers.extend(dense.weight.clone().into_f32());
            numbers.extend(&dense.bias);
        }
        numbers.extend(norm.scale.iter().chain(&norm.shift));
    }
    numbers
}

/// Rebuilds a layer from its flat parameters.
pub fn unfold(layout: Layout, numbers: &[f32]) -> layers::Layer {
    let part = |part: Part| &numbers[layout.range(part)];
    let dense = |weight: Part, bias: Part, third: usize, of: usize| {
        let (data, bias) = (part(weight), part(bias));
        let [data, bias] = [data, bias].map(|all| {
            let size = all.len() / of;
            all[third * size..(third + 1) * size].to_vec()
        });
        layers::Dense { weight: Rows::F32 { data, cols: layout.inputs(weight) }, bias }
    };
    let norm = |scale: Part, shift: Part| layers::Norm {
        scale: part(scale).to_vec(),
        shift: part(shift).to_vec(),
    };
    layers::Layer {
        query: dense(Part::Qkv, Part::QkvBias, 0, 3),
        key: dense(Part::Qkv, Part::QkvBias, 1, 3),
        value: dense(Part::Qkv, Part::QkvBias, 2, 3),
        attended: dense(Part::Attended, Part::AttendedBias, 0, 1),
        attended_norm: norm(Part::AttendedScale, Part::AttendedShift),
        wide: dense(Part::Wide, Part::WideBias, 0, 1),
        narrow: dense(Part::Narrow, Part::NarrowBias, 0, 1),
        narrow_norm: norm(Part::NarrowScale, Part::NarrowShift),
    }
}

/// A layer with its parameters, ready to compute.
#[derive(Clone, Copy)]
pub struct Layer<'a> {
    pub layout: Layout,
    pub numbers: &'a [f32],
    pub attention: Attention<'a>,
    pub activation: Activation,
    pub eps: f32,
}

/// The intermediate results of one group that the backward pass needs.
pub struct Tape {
    x: Vec<f32>,
    qkv: Vec<f32>,
    mixed: Vec<f32>,
    attended: Standardized,
    /// The input of the activation.
    wide: Vec<f32>,
    narrow: Standardized,
}

/// A layer norm's input, standardized to mean 0 and variance 1, and the factor applied to each row.
struct Standardized {
    rows: Vec<f32>,
    factors: Vec<f32>,
}

/// The gradients of one group with respect to the outputs of the linear layers, with the inputs that turn them into
/// weight gradients; and the gradients of all other parameters.
pub struct Slopes {
    /// In the order of the weights: (input, gradient with respect to the output).
    linear: [(Vec<f32>, Vec<f32>); 4],
    /// Scale and shift of both layer norms.
    norms: [Vec<f32>; 4],
}

impl Layer<'_> {
    fn part(&self, part: Part) -> &[f32] {
        &self.numbers[self.layout.range(part)]
    }

    /// `x W^T + b`.
    fn linear(&self, x: &[f32], weight: Part, bias: Part) -> Vec<f32> {
        let bias = self.part(bias);
        let inputs = self.layout.inputs(weight);
        let mut out = bias.repeat(x.len() / inputs);
        let weight = View::new(self.part(weight), inputs).transposed();
        product::add(Target::new(&mut out, bias.len()), View::new(x, inputs), weight, 1.0);
        out
    }

    /// `d W`: the gradient with respect to a linear layer's input.
    fn linear_back(&self, d: &[f32], weight: Part) -> Vec<f32> {
        let inputs = self.layout.inputs(weight);
        let weight = self.part(weight);
        let (outputs, weight) = (weight.len() / inputs, View::new(weight, inputs));
        let mut out = vec![0.0; d.len() / outputs * inputs];
        product::set(Target::new(&mut out, inputs), View::new(d, outputs), weight, 1.0);
        out
    }

    fn norm(&self, mut x: Vec<f32>, scale: Part, shift: Part) -> (Vec<f32>, Standardized) {
        let h = self.layout.hidden;
        let mut factors = vec![0.0; x.len() / h];
        math::standardize(&mut x, h, self.eps, &mut factors);
        let rows = Standardized { rows: x, factors };
        (self.scaled(&rows, scale, shift), rows)
    }

    fn scaled(&self, x: &Standardized, scale: Part, shift: Part) -> Vec<f32> {
        let mut out = vec![0.0; x.rows.len()];
        math::scale_rows(&x.rows, self.part(scale), self.part(shift), &mut out);
        out
    }

    fn activate(&self, wide: &[f32]) -> Vec<f32> {
        let mut out = wide.to_vec();
        match self.activation {
            Activation::Gelu => gelu(&mut out),
            Activation::Relu => relu(&mut out),
        }
        out
    }

    /// `x` holds the concatenated tokens of texts of these lengths.
    pub fn forward(&self, x: Vec<f32>, lengths: &[usize]) -> (Vec<f32>, Tape) {
        let h = self.layout.hidden;
        let qkv = self.linear(&x, Part::Qkv, Part::QkvBias);
        let mut mixed = vec![0.0; x.len()];
        let (mut scores, mut start) = (Vec::new(), 0);
        for &n in lengths {
            let (from, to) = (start, start + n);
            let out = &mut mixed[from * h..to * h];
            self.attention.attend(&qkv[from * 3 * h..to * 3 * h], n, out, &mut scores);
            start = to;
        }
        let mut sum = self.linear(&mixed, Part::Attended, Part::AttendedBias);
        add(&mut sum, &x);
        let (y, attended) = self.norm(sum, Part::AttendedScale, Part::AttendedShift);
        let wide = self.linear(&y, Part::Wide, Part::WideBias);
        let mut sum = self.linear(&self.activate(&wide), Part::Narrow, Part::NarrowBias);
        add(&mut sum, &y);
        let (out, narrow) = self.norm(sum, Part::NarrowScale, Part::NarrowShift);
        (out, Tape { x, qkv, mixed, attended, wide, narrow })
    }

    /// From the gradient of the layer's output to that of its input, which is computed only if `deeper`.
    pub fn backward(
        &self,
        tape: Tape,
        mut d: Vec<f32>,
        lengths: &[usize],
        deeper: bool,
    ) -> (Vec<f32>, Slopes) {
        let h = self.layout.hidden;
        let (narrow_scale, narrow_shift) =
            norm_back(&tape.narrow, self.part(Part::NarrowScale), &mut d);
        let d_narrow = d;
        let activated = self.activate(&tape.wide);
        let mut d_wide = self.linear_back(&d_narrow, Part::Narrow);
        match self.activation {
            Activation::Gelu => math::gelu_back(&tape.wide, &mut d_wide),
            Activation::Relu => math::relu_back(&tape.wide, &mut d_wide),
        }
        let mut d = self.linear_back(&d_wide, Part::Wide);
        add(&mut d, &d_narrow);
        let y = self.scaled(&tape.attended, Part::AttendedScale, Part::AttendedShift);
        let (attended_scale, attended_shift) =
            norm_back(&tape.attended, self.part(Part::AttendedScale), &mut d);
        let d_attended = d;
        let d_mixed = self.linear_back(&d_attended, Part::Attended);
        let mut d_qkv = vec![0.0; tape.qkv.len()];
        let (mut scratch, mut start) = (attention::Scratch::default(), 0);
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
            deepest = self.linear_back(&d_qkv, Part::Qkv);
            add(&mut deepest, &d_attended);
        }
        let linear =
            [(tape.x, d_qkv), (tape.mixed, d_attended), (y, d_wide), (activated, d_narrow)];
        let norms = [attended_scale, attended_shift, narrow_scale, narrow_shift];
        (deepest, Slopes { linear, norms })
    }
}

/// Backpropagates through a layer norm; returns the gradients of its scale and shift.
fn norm_back(x: &Standardized, scale: &[f32], d: &mut [f32]) -> (Vec<f32>, Vec<f32>) {
    let (mut by_scale, mut by_shift) = (vec![0.0; scale.len()], vec![0.0; scale.len()]);
    math::add_row_products(d, &x.rows, &mut by_scale);
    math::add_rows(d, &mut by_shift);
    math::norm_back(&x.rows, &x.factors, scale, d);
    (by_scale, by_shift)
}

/// The gradient of a layer's parameters, summed over all groups in their order, so that the result does not depend
/// on how threads share the rows.
pub fn gradient(layout: Layout, groups: &[Slopes]) -> Vec<f32> {
    let mut out = vec![0.0; layout.len()];
    let mut rest = out.as_mut_slice();
    let mut jobs: Vec<(Part, usize, &mut [f32])> = Vec::new();
    for part in Part::ALL {
        let (numbers, behind) = rest.split_at_mut(layout.size(part));
        rest = behind;
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

impl Slopes {
    /// Adds this group's gradient of `part` to `out`: of the rows from `first` on for a weight, else of all of it.
    fn add_to(&self, layout: Layout, part: Part, first: usize, out: &mut [f32]) {
        let [qkv, attended, wide, narrow] = &self.linear;
        let weight = |(x, d): &(Vec<f32>, Vec<f32>), out: &mut [f32]| {
            let inputs = layout.inputs(part);
            let (tokens, rows) = (x.len() / inputs, out.len() / inputs);
            let outputs = d.len() / tokens;
            let d = View::part(&d[first..], tokens, rows, outputs).transposed();
            product::add(Target::new(out, inputs), d, View::new(x, inputs), 1.0);
        };
        match part {
            Part::Qkv => weight(qkv, out),
            Part::Attended => weight(attended, out),
            Part::Wide => weight(wide, out),
            Part::Narrow => weight(narrow, out),
            Part::QkvBias => math::add_rows(&qkv.1, out),
            Part::AttendedBias => math::add_rows(&attended.1, out),
            Part::WideBias => math::add_rows(&wide.1, out),
            Part::NarrowBias => math::add_rows(&narrow.1, out),
            Part::AttendedScale => add(out, &self.norms[0]),
            Part::AttendedShift => add(out, &self.norms[1]),
            Part::NarrowScale => add(out, &self.norms[2]),
            Part::NarrowShift => add(out, &self.norms[3]),
        }
    }
}
