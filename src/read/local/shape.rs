//! The hyperparameters of a model, from its metadata.

use anyhow::{Context, bail, ensure};

use super::gguf::GgufHeader;

/// Which two numbers of a head are rotated together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RotaryPairing {
    /// Adjacent numbers.
    Adjacent,
    /// One number of each half.
    Halves,
}

/// The hyperparameters in the metadata.
#[derive(Debug)]
pub struct TransformerShape {
    pub layers: usize,
    pub width: usize,
    pub heads: usize,
    pub key_value_heads: usize,
    pub head_size: usize,
    /// The maximum number of tokens.
    pub context: usize,
    pub norm_epsilon: f32,
    pub rotary_size: usize,
    pub rope_base: f64,
    pub pairs: RotaryPairing,
    /// Sliding-window attention: the window in tokens and the base of the rotation. Every sixth layer has no window.
    pub window: Option<(usize, f64)>,
    /// Whether the model is a Gemma: embeddings are scaled, and the gate is a GELU.
    pub gemma: bool,
}

/// The supported families, by their names in the file.
const SUPPORTED_FAMILIES: [&str; 5] = ["llama", "qwen2", "qwen3", "gemma", "gemma3"];

impl TransformerShape {
    /// Reads the hyperparameters.
    ///
    /// # Errors
    /// A family that is not supported, or metadata that is missing or inconsistent.
    pub fn of(header: &GgufHeader) -> anyhow::Result<TransformerShape> {
        let family =
            header.text("general.architecture").context("general.architecture is missing")?;
        ensure!(
            SUPPORTED_FAMILIES.contains(&family),
            "models of the family {family:?} are not read here; allowed: {}. An endpoint (url) can serve them",
            SUPPORTED_FAMILIES.join(", ")
        );
        let gemma = family.starts_with("gemma");
        let key = |name: &str| format!("{family}.{name}");
        let count = |name: &str| {
            let found = header.count(&key(name)).filter(|n| (1..1 << 24).contains(n));
            found
                .with_context(|| format!("the metadata {:?} is missing or out of range", key(name)))
        };
        let (width, heads) = (count("embedding_length")?, count("attention.head_count")?);
        let groups = match header.count(&key("attention.head_count_kv")) {
            None => heads,
            Some(_) => count("attention.head_count_kv")?,
        };
        let head = header.count(&key("attention.key_length")).unwrap_or(width / heads);
        let rotated = header.count(&key("rope.dimension_count")).unwrap_or(head);
        ensure!(
            heads.is_multiple_of(groups)
                && head > 0
                && rotated <= head
                && rotated.is_multiple_of(2),
            "{heads} heads in {groups} groups of {head} numbers, {rotated} of them rotated, cannot be combined"
        );
        // Rejected rather than ignored: the answers would be wrong without a visible error.
        if let Some(scaling) = header.text(&key("rope.scaling.type")).filter(|kind| *kind != "none")
        {
            bail!("the positions are scaled ({scaling}), which is not supported");
        }
        if header.count(&key("expert_count")).is_some_and(|n| n > 0) {
            bail!("it is a mixture of experts, which is not supported");
        }
        let window = header.count(&key("attention.sliding_window")).filter(|_| family == "gemma3");
        let real = |name: &str, otherwise: f64| header.float(&key(name)).unwrap_or(otherwise);
        Ok(TransformerShape {
            layers: count("block_count")?,
            width,
            heads,
            key_value_heads: groups,
            head_size: head,
            context: count("context_length")?,
            norm_epsilon: real("attention.layer_norm_rms_epsilon", 1e-6) as f32,
            rotary_size: rotated,
            rope_base: real("rope.freq_base", 10_000.0),
            pairs: if family == "llama" { RotaryPairing::Adjacent } else { RotaryPairing::Halves },
            window: window.map(|window| (window, real("rope.local.freq_base", 10_000.0))),
            gemma,
        })
    }
}
