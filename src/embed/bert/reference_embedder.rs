//! The reference forward pass as an embedder.

use anyhow::Context;
use candle_core::{Device, Tensor};

use super::config::BertConfig;
use super::embedder::read_adapter;
use super::layers::BertEncoder;
use super::math::normalize;
use super::pooling;
use super::reference::ReferenceEncoder;
use super::text_input::TransformerTextInput;
use crate::embed::files::ModelFiles;
use crate::embed::weights::ModelWeights;
use crate::embed::{EmbeddingVectors, ModelSpec, TextRole};
use crate::environment::Environment;

/// The reference forward pass with the same text handling, against which [`super::TransformerEmbedder`] is checked.
pub struct ReferenceBert {
    text: TransformerTextInput,
    pub model: ReferenceEncoder,
}

impl ReferenceBert {
    /// Loads the directory of a BERT or MPNet model onto the CPU.
    pub fn load(
        dir: &std::path::Path,
        spec: &ModelSpec,
        environment: &Environment,
    ) -> anyhow::Result<Self> {
        let files = ModelFiles::read(dir)?;
        let config = BertConfig::parse(&files.config)?;
        let text =
            TransformerTextInput::load(&files, spec, config.vocabulary, config.max_text_tokens())?;
        let adapter = read_adapter(spec, environment)?;
        let weights = ModelWeights::parse(&files.weights)?.with_adapter(adapter.as_ref());
        let encoder = BertEncoder::load(&weights, &config)?;
        let model = ReferenceEncoder::new(config, encoder, &Device::Cpu).context("the weights")?;
        Ok(Self { text, model })
    }

    /// Embeds the texts one by one, without padding.
    pub fn embed(&self, role: TextRole, texts: &[&str]) -> anyhow::Result<EmbeddingVectors> {
        let hidden = self.model.config.hidden;
        let mut data = Vec::new();
        for ids in self.text.encode(role, texts)? {
            let n = ids.len();
            let ids = Tensor::from_vec(ids, (1, n), &Device::Cpu)?;
            let mask = Tensor::ones_like(&ids)?.to_dtype(candle_core::DType::F32)?;
            let states = self.model.forward(&ids, &mask)?.flatten_all()?.to_vec1::<f32>()?;
            let mut pooled = pooling::pool(&states, hidden, &self.text.pooling, 0);
            normalize(&mut pooled);
            data.extend(pooled);
        }
        Ok(EmbeddingVectors { dim: hidden, data })
    }
}
