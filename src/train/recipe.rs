//! The hyperparameters of a training run, with their defaults and the sources of these.

use serde::Serialize;

use crate::wrong_use::WrongUse;

/// Which part of a model is tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TuningMethod {
    /// All layers of the encoder.
    Full,
    /// The last layer of the encoder.
    LastLayer,
    /// Low-rank matrices beside every linear layer (arXiv 2106.09685).
    Lora,
    /// A linear map after the pooling.
    Adapter,
}

impl TuningMethod {
    pub const ALL: [TuningMethod; 4] =
        [TuningMethod::Full, TuningMethod::LastLayer, TuningMethod::Lora, TuningMethod::Adapter];

    pub fn name(self) -> &'static str {
        match self {
            TuningMethod::Full => "full",
            TuningMethod::LastLayer => "last-layer",
            TuningMethod::Lora => "lora",
            TuningMethod::Adapter => "adapter",
        }
    }

    /// The default learning rate: ours, found by experiments on MiniLM (assumed). The paper uses
    /// 1e-4 / 8e-5 / 4e-5 depending on the model, with batches of 128 (arXiv 2604.16351).
    pub fn rate(self) -> f64 {
        match self {
            TuningMethod::Full => 5e-5,
            TuningMethod::LastLayer => 1e-4,
            TuningMethod::Lora => 5e-4,
            TuningMethod::Adapter => 1e-3,
        }
    }
}

/// Limits far above any useful run: all batches are planned in advance, and a batch is compared pair by pair.
const MAX_STEPS: usize = 1_000_000;
const MAX_BATCH_PAIRS: usize = 4096;
/// Pairs of all steps together: each takes 16 bytes in the plan.
const MAX_TOTAL_PAIRS: usize = 1 << 24;
/// Above this rank the two low-rank matrices are larger than most models' own weights.
const MAX_LORA_RANK: usize = 1024;

/// Everything that determines the result except the data and the base model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TuningRecipe {
    pub method: TuningMethod,
    pub steps: usize,
    /// Pairs in a batch.
    pub batch: usize,
    /// Share of a batch that is structural.
    pub share: f64,
    /// Longer texts are truncated to this number of tokens during training.
    pub length: usize,
    /// The scale of the cosines in the loss; 10 in the paper (cited).
    pub scale: f64,
    pub rate: f64,
    /// The share of the steps in which the rate rises; 0.1 in the paper (cited).
    pub warmup: f64,
    /// Decoupled weight decay of matrices (assumed).
    pub decay: f64,
    /// The maximum norm of the gradient (assumed).
    pub clip: f64,
    pub seed: u64,
    /// The rank of LoRA's matrices, and LoRA's alpha: their product is scaled by alpha / rank (assumed).
    pub rank: usize,
    pub alpha: f64,
}

impl TuningRecipe {
    pub fn new(method: TuningMethod) -> Self {
        Self {
            method,
            steps: 150,
            batch: 32,
            share: 0.5,
            length: 48,
            scale: 10.0,
            rate: method.rate(),
            warmup: 0.1,
            decay: 0.01,
            clip: 1.0,
            seed: 42,
            rank: 8,
            alpha: 16.0,
        }
    }

    /// # Errors
    /// A number out of range.
    pub fn check(&self) -> Result<(), WrongUse> {
        let counts = [
            ("--steps", self.steps, 1, MAX_STEPS),
            // The other pairs of a batch serve as negatives.
            ("--batch", self.batch, 2, MAX_BATCH_PAIRS),
            ("--rank", self.rank, 1, MAX_LORA_RANK),
        ];
        for (name, count, least, most) in counts {
            WrongUse::unless((least..=most).contains(&count), || {
                format!("{name} is {count}; it is from {least} to {most}")
            })?;
        }
        let shares = [
            ("--share", self.share, (0.0..=1.0).contains(&self.share), "from 0 to 1"),
            ("--warmup", self.warmup, (0.0..1.0).contains(&self.warmup), "below 1"),
            ("--decay", self.decay, (0.0..1.0).contains(&self.decay), "below 1"),
        ];
        for (name, value, allowed, range) in shares {
            WrongUse::unless(allowed, || format!("{name} is {value}; it is {range}"))?;
        }
        let positive = [
            ("--scale", self.scale),
            ("--lr", self.rate),
            ("--alpha", self.alpha),
            ("--clip", self.clip),
        ];
        for (name, value) in positive {
            WrongUse::unless(value > 0.0 && value.is_finite(), || {
                format!("{name} is {value}; it is above 0")
            })?;
        }
        WrongUse::unless(self.steps * self.batch <= MAX_TOTAL_PAIRS, || {
            format!(
                "--steps times --batch is {}; a run takes up to {MAX_TOTAL_PAIRS} pairs",
                self.steps * self.batch
            )
        })
    }

    /// Structural pairs in a batch.
    pub fn structural_pairs(&self) -> usize {
        (self.share * self.batch as f64).round() as usize
    }

    /// Steps in which the rate rises.
    pub fn warmup_steps(&self) -> usize {
        // At least one step is left for the decay.
        ((self.warmup * self.steps as f64).round() as usize).min(self.steps.saturating_sub(1))
    }
}

/// Which of the two runs of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TuningArm {
    /// With structural triplets.
    Structural,
    /// With rehearsal pairs instead of structural ones: the effect of tuning alone.
    Control,
}

impl TuningArm {
    pub fn name(self) -> &'static str {
        match self {
            TuningArm::Structural => "structural",
            TuningArm::Control => "control",
        }
    }
}
