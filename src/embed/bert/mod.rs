//! Transformer encoders: the BERT family, and ModernBERT. BERT has two forward passes, [`mod@reference`] in candle
//! tensors and [`packed`], the one in use; their results must never diverge. ModernBERT has a packed one only.

mod architecture;
pub(crate) mod attention;
pub mod config;
mod cross_encoder;
mod embedder;
mod int8;
mod late_interaction;
pub(crate) mod layers;
mod linear;
pub(crate) mod math;
mod max_sim;
pub mod modern_bert;
pub mod packed;
mod pooling;
mod post_pooling;
pub mod reference;
mod reference_embedder;
pub(crate) mod relative_bias;
mod similarity_maps;
pub(crate) mod text_input;
mod token_vectors;
pub(crate) mod tunable;

pub(super) use architecture::ModelArchitecture;
pub use config::BertConfig;
pub use cross_encoder::{CrossEncoder, classifier_layers};
pub use embedder::TransformerEmbedder;
pub(super) use math::normalize;
pub use max_sim::MaxSimScorer;
pub use reference_embedder::ReferenceBert;
pub use similarity_maps::SimilarityMapper;
