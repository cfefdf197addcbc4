//! The parameters of one encoder layer: their names, their sizes, and the flat slice in which they are trained.

use std::ops::Range;

use crate::embed::bert::layers;
use crate::embed::weight_matrix::WeightMatrix;

/// The parameters of a layer, in the order in which they are stored. Weights are (outputs, inputs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainingLayerPart {
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

impl TrainingLayerPart {
    pub const ALL: [TrainingLayerPart; 12] = [
        TrainingLayerPart::Qkv,
        TrainingLayerPart::QkvBias,
        TrainingLayerPart::Attended,
        TrainingLayerPart::AttendedBias,
        TrainingLayerPart::AttendedScale,
        TrainingLayerPart::AttendedShift,
        TrainingLayerPart::Wide,
        TrainingLayerPart::WideBias,
        TrainingLayerPart::Narrow,
        TrainingLayerPart::NarrowBias,
        TrainingLayerPart::NarrowScale,
        TrainingLayerPart::NarrowShift,
    ];

    /// Whether this is the matrix of a linear layer.
    pub fn is_weight(self) -> bool {
        matches!(
            self,
            TrainingLayerPart::Qkv
                | TrainingLayerPart::Attended
                | TrainingLayerPart::Wide
                | TrainingLayerPart::Narrow
        )
    }
}

/// The dimensions of a layer, and the layout of the flat slice that holds its parameters.
#[derive(Clone, Copy, Debug)]
pub struct TrainingLayerLayout {
    pub hidden: usize,
    pub wide: usize,
}

impl TrainingLayerLayout {
    /// The number of inputs of the linear layer with this weight.
    pub fn inputs(self, weight: TrainingLayerPart) -> usize {
        if weight == TrainingLayerPart::Narrow { self.wide } else { self.hidden }
    }

    /// The number of numbers of a part.
    pub fn size(self, part: TrainingLayerPart) -> usize {
        let (h, w) = (self.hidden, self.wide);
        match part {
            TrainingLayerPart::Qkv => 3 * h * h,
            TrainingLayerPart::QkvBias => 3 * h,
            TrainingLayerPart::Attended => h * h,
            TrainingLayerPart::Wide | TrainingLayerPart::Narrow => h * w,
            TrainingLayerPart::WideBias => w,
            TrainingLayerPart::AttendedBias
            | TrainingLayerPart::AttendedScale
            | TrainingLayerPart::AttendedShift
            | TrainingLayerPart::NarrowBias
            | TrainingLayerPart::NarrowScale
            | TrainingLayerPart::NarrowShift => h,
        }
    }

    /// The place of a part in the flat slice.
    pub fn range(self, part: TrainingLayerPart) -> Range<usize> {
        let start = TrainingLayerPart::ALL
            .into_iter()
            .take_while(|p| *p != part)
            .map(|p| self.size(p))
            .sum();
        start..start + self.size(part)
    }

    /// The number of parameters of a layer.
    pub fn len(self) -> usize {
        TrainingLayerPart::ALL.into_iter().map(|part| self.size(part)).sum()
    }
}

/// Flattens a layer into the order of [`TrainingLayerPart::ALL`].
pub fn flatten(layer: &layers::BertLayer) -> Vec<f32> {
    let attention = [&layer.query, &layer.key, &layer.value];
    let mut numbers = Vec::new();
    for dense in attention {
        numbers.extend(dense.weight.clone().into_f32());
    }
    for dense in attention {
        numbers.extend(&dense.bias);
    }
    // Must match the order of `TrainingLayerPart::ALL`.
    let blocks = [
        (vec![&layer.attention_out], &layer.attention_out_norm),
        (vec![&layer.ffn_in, &layer.ffn_out], &layer.ffn_out_norm),
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
pub fn unflatten(layout: TrainingLayerLayout, numbers: &[f32]) -> layers::BertLayer {
    let part = |part: TrainingLayerPart| &numbers[layout.range(part)];
    // Query, key and value are stacked in one part: `index` of `count` blocks of its rows.
    let dense = |weight: TrainingLayerPart, bias: TrainingLayerPart, index: usize, count: usize| {
        let (data, bias) = (part(weight), part(bias));
        let [data, bias] = [data, bias].map(|all| {
            let size = all.len() / count;
            all[index * size..(index + 1) * size].to_vec()
        });
        layers::DenseWeights {
            weight: WeightMatrix::F32 { data, cols: layout.inputs(weight) },
            bias,
        }
    };
    let norm = |scale: TrainingLayerPart, shift: TrainingLayerPart| layers::LayerNormWeights {
        scale: part(scale).to_vec(),
        shift: part(shift).to_vec(),
    };
    layers::BertLayer {
        query: dense(TrainingLayerPart::Qkv, TrainingLayerPart::QkvBias, 0, 3),
        key: dense(TrainingLayerPart::Qkv, TrainingLayerPart::QkvBias, 1, 3),
        value: dense(TrainingLayerPart::Qkv, TrainingLayerPart::QkvBias, 2, 3),
        attention_out: dense(TrainingLayerPart::Attended, TrainingLayerPart::AttendedBias, 0, 1),
        attention_out_norm: norm(
            TrainingLayerPart::AttendedScale,
            TrainingLayerPart::AttendedShift,
        ),
        ffn_in: dense(TrainingLayerPart::Wide, TrainingLayerPart::WideBias, 0, 1),
        ffn_out: dense(TrainingLayerPart::Narrow, TrainingLayerPart::NarrowBias, 0, 1),
        ffn_out_norm: norm(TrainingLayerPart::NarrowScale, TrainingLayerPart::NarrowShift),
    }
}
