//! Converts the ONNX file of a BERT model to safetensors. Only the weights are read; no graph is executed.
//!
//! Exporters keep the names of all tensors except the weights of linear layers, which they transpose and renumber
//! (`onnx::MatMul_1525`). The original name follows from the node that multiplies by the weight:
//! `/encoder/layer.0/attention/self/query/MatMul`. Weights that ONNX Runtime has quantised are written as the f32
//! numbers that they represent, `scale * (q - zero)`.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, bail, ensure};
use prost::Message;
use prost::bytes::Bytes;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// The fields of `onnx.proto` that are needed, with its field numbers.
#[derive(Message)]
struct OnnxModelProto {
    #[prost(message, optional, tag = "7")]
    graph: Option<OnnxGraphProto>,
}

#[derive(Message)]
struct OnnxGraphProto {
    #[prost(message, repeated, tag = "1")]
    node: Vec<OnnxNodeProto>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<OnnxTensorProto>,
}

#[derive(Message)]
struct OnnxNodeProto {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
}

#[derive(Message)]
struct OnnxTensorProto {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(int32, repeated, tag = "5")]
    int32_data: Vec<i32>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "bytes", tag = "9")]
    raw_data: Bytes,
}

/// `TensorProto.DataType`.
const FLOAT: i32 = 1;
const UINT8: i32 = 2;
const INT8: i32 = 3;

const QUANTIZED: &str = "_quantized";

struct OnnxMatrix {
    shape: Vec<usize>,
    data: Vec<f32>,
}

/// Converts the weights of an ONNX file to a safetensors file with the usual names. The output is deterministic.
///
/// # Errors
/// A damaged file, one with external or unsupported number data, or one without known tensor names.
pub fn to_safetensors(bytes: Vec<u8>) -> anyhow::Result<Vec<u8>> {
    let model =
        OnnxModelProto::decode(Bytes::from(bytes)).context("not an ONNX file, or damaged")?;
    let graph = model.graph.context("the ONNX file holds no graph")?;
    let found: HashMap<&str, &OnnxTensorProto> =
        graph.initializer.iter().map(|t| (t.name.as_str(), t)).collect();

    let mut tensors: BTreeMap<String, OnnxMatrix> = BTreeMap::new();
    for tensor in &graph.initializer {
        let name = tensor.name.strip_suffix(QUANTIZED).unwrap_or(&tensor.name);
        if name.ends_with(".weight") || name.ends_with(".bias") {
            tensors.insert(name.to_owned(), matrix(tensor, &found)?);
        }
    }
    for node in graph.node.iter().filter(|n| n.op_type.starts_with("MatMul")) {
        let Some(weight) = node.input.get(1).and_then(|name| found.get(name.as_str())) else {
            continue;
        };
        let layer = node.name.trim_start_matches('/').rsplit_once('/').map(|(layer, _)| layer);
        let layer = layer.with_context(|| {
            format!("the node that multiplies by {} does not name its layer", weight.name)
        })?;
        let matrix = transposed(matrix(weight, &found)?)
            .with_context(|| format!("{} is not a matrix", weight.name))?;
        tensors.insert(format!("{}.weight", layer.replace('/', ".")), matrix);
    }
    ensure!(!tensors.is_empty(), "the ONNX file holds no weights under names that we know");

    let bytes: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .into_iter()
        .map(|(name, OnnxMatrix { shape, data })| {
            (name, shape, data.iter().flat_map(|x| x.to_le_bytes()).collect())
        })
        .collect();
    let views = bytes
        .iter()
        .map(|(name, shape, bytes)| Ok((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    safetensors::serialize(views, None).context("cannot serialize the tensors")
}

/// The numbers of `tensor`, dequantised by the scale and zero point stored next to it if it is quantised.
fn matrix(
    tensor: &OnnxTensorProto,
    found: &HashMap<&str, &OnnxTensorProto>,
) -> anyhow::Result<OnnxMatrix> {
    let (shape, mut data) = stored_numbers(tensor)?;
    if let Some(base) = tensor.name.strip_suffix(QUANTIZED) {
        let (scale, zero) = (
            numbers_of(&format!("{base}_scale"), found)?,
            numbers_of(&format!("{base}_zero_point"), found)?,
        );
        let cols = shape.last().copied().unwrap_or(1);
        ensure!(
            scale.len() == zero.len() && (scale.len() == 1 || scale.len() == cols),
            "{base} has {} scales and {} zero points for {cols} columns",
            scale.len(),
            zero.len()
        );
        for row in data.chunks_exact_mut(cols.max(1)) {
            for (c, x) in row.iter_mut().enumerate() {
                let c = c % scale.len();
                *x = scale[c] * (*x - zero[c]);
            }
        }
    }
    Ok(OnnxMatrix { shape, data })
}

fn numbers_of(name: &str, found: &HashMap<&str, &OnnxTensorProto>) -> anyhow::Result<Vec<f32>> {
    let tensor = found.get(name).with_context(|| format!("{name} is missing"))?;
    stored_numbers(tensor).map(|(_, data)| data)
}

/// The shape and the numbers as stored; integers are converted exactly.
fn stored_numbers(tensor: &OnnxTensorProto) -> anyhow::Result<(Vec<usize>, Vec<f32>)> {
    let name = &tensor.name;
    let shape = tensor.dims.iter().map(|&d| usize::try_from(d)).collect::<Result<Vec<_>, _>>();
    let shape = shape.with_context(|| format!("{name} has the shape {:?}", tensor.dims))?;
    let raw = &tensor.raw_data;
    let data = match tensor.data_type {
        FLOAT if raw.is_empty() => tensor.float_data.clone(),
        FLOAT => raw.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        UINT8 | INT8 if raw.is_empty() => tensor.int32_data.iter().map(|&q| q as f32).collect(),
        UINT8 => raw.iter().map(|&b| f32::from(b)).collect(),
        INT8 => raw.iter().map(|&b| f32::from(b as i8)).collect(),
        other => bail!("{name} is of ONNX type {other}; f32, uint8 and int8 can be read"),
    };
    let expected = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
    ensure!(
        expected == Some(data.len()),
        "{name} holds {} numbers for the shape {shape:?}",
        data.len()
    );
    Ok((shape, data))
}

/// Transposes (inputs, outputs) to (outputs, inputs); `None` if this is not a matrix.
fn transposed(matrix: OnnxMatrix) -> Option<OnnxMatrix> {
    let &[rows, cols] = matrix.shape.as_slice() else { return None };
    let mut data = Vec::with_capacity(matrix.data.len());
    for c in 0..cols {
        data.extend(matrix.data.iter().skip(c).step_by(cols));
    }
    Some(OnnxMatrix { shape: vec![cols, rows], data })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(name: &str, dims: &[i64], data_type: i32) -> OnnxTensorProto {
        OnnxTensorProto { name: name.into(), dims: dims.into(), data_type, ..Default::default() }
    }

    #[test]
    fn a_quantised_layer_is_named_and_transposed() {
        let int8 = |q: &[i8]| Bytes::from(q.iter().map(|&q| q as u8).collect::<Vec<u8>>());
        let graph = OnnxGraphProto {
            node: vec![OnnxNodeProto {
                input: ["x", "onnx::MatMul_7_quantized"].map(String::from).into(),
                name: "/encoder/layer.0/attention/self/query/MatMul_quant".into(),
                op_type: "MatMulInteger".into(),
            }],
            initializer: vec![
                OnnxTensorProto {
                    raw_data: int8(&[1, -2, 3, 4, 5, -6]),
                    ..tensor("onnx::MatMul_7_quantized", &[2, 3], INT8)
                },
                OnnxTensorProto {
                    float_data: vec![0.5, 1.0, 2.0],
                    ..tensor("onnx::MatMul_7_scale", &[3], FLOAT)
                },
                OnnxTensorProto {
                    int32_data: vec![0, 0, 1],
                    ..tensor("onnx::MatMul_7_zero_point", &[3], INT8)
                },
                OnnxTensorProto {
                    float_data: vec![7.0],
                    ..tensor("embeddings.LayerNorm.bias", &[1], FLOAT)
                },
            ],
        };
        let bytes = OnnxModelProto { graph: Some(graph) }.encode_to_vec();
        let out = to_safetensors(bytes.clone()).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&out).unwrap();
        let names: Vec<&str> = tensors.names();
        assert_eq!(names.len(), 2, "{names:?}");
        let query = tensors.tensor("encoder.layer.0.attention.self.query.weight").unwrap();
        assert_eq!(query.shape(), [3, 2]);
        let numbers: Vec<f32> =
            query.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        assert_eq!(numbers, [0.5, 2.0, -2.0, 5.0, 4.0, -14.0]);

        for cut in 0..bytes.len() {
            // Every truncation gives an error or a smaller file, never a panic.
            let _ = to_safetensors(bytes[..cut].to_vec());
        }
    }

    #[test]
    fn external_tensor_data_is_an_error() {
        let graph = OnnxGraphProto {
            node: Vec::new(),
            initializer: vec![tensor("pooler.dense.bias", &[4], FLOAT)],
        };
        let error =
            to_safetensors(OnnxModelProto { graph: Some(graph) }.encode_to_vec()).unwrap_err();
        assert!(error.to_string().contains("holds 0 numbers for the shape [4]"), "{error}");
    }
}
