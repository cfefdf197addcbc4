//! The AdamW optimizer (arXiv 1711.05101) with gradient clipping and a learning rate with linear warmup and decay.

use std::ops::Range;

use rayon::prelude::*;

use super::math::{self, AdamWStep};
use super::recipe::TuningRecipe;

/// The number of parameters that one thread updates at a time.
const CHUNK: usize = 1 << 16;

const BETA: (f32, f32) = (0.9, 0.999);
const EPS: f32 = 1e-8;

/// The optimizer's running means of the gradient and of its square, for each parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamMoments {
    pub first: Vec<f32>,
    pub second: Vec<f32>,
}

impl AdamMoments {
    pub fn new(len: usize) -> Self {
        Self { first: vec![0.0; len], second: vec![0.0; len] }
    }
}

/// The learning rate schedule and the limits of a step.
#[derive(Clone, Copy, Debug)]
pub struct AdamWSchedule {
    pub rate: f64,
    pub decay: f64,
    /// The maximum norm of the gradient.
    pub clip: f64,
    pub steps: usize,
    /// Steps during which the rate rises.
    pub warmup: usize,
}

impl AdamWSchedule {
    pub fn of(recipe: &TuningRecipe) -> Self {
        Self {
            rate: recipe.rate,
            decay: recipe.decay,
            clip: recipe.clip,
            steps: recipe.steps,
            warmup: recipe.warmup_steps(),
        }
    }

    /// The learning rate of a step, counted from 0: linear warmup from almost zero, then linear decay to almost zero.
    pub fn rate(&self, step: usize) -> f64 {
        let factor = if step < self.warmup {
            (step + 1) as f64 / self.warmup as f64
        } else {
            (self.steps - step) as f64 / (self.steps - self.warmup) as f64
        };
        self.rate * factor
    }

    /// Takes step `step`; `parts` are ranges of `theta`, each with whether weight decay applies to it. Returns the
    /// norm of the unclipped gradient.
    pub fn step(
        &self,
        step: usize,
        theta: &mut [f32],
        gradient: &[f32],
        moments: &mut AdamMoments,
        parts: &[(Range<usize>, bool)],
    ) -> f64 {
        // Fixed chunks with one partial sum each: the norm does not depend on the number of threads.
        let squares: Vec<f64> = gradient
            .par_chunks(CHUNK)
            .map(|d| d.iter().map(|d| f64::from(*d) * f64::from(*d)).sum())
            .collect();
        let length = squares.iter().sum::<f64>().sqrt();
        let rate = self.rate(step);
        for (range, decays) in parts {
            let how = AdamWStep {
                clip_factor: (self.clip / length.max(self.clip)) as f32,
                rate: rate as f32,
                decay_factor: if *decays { (1.0 - rate * self.decay) as f32 } else { 1.0 },
                beta: BETA,
                bias_correction: (bias_correction(BETA.0, step), bias_correction(BETA.1, step)),
                eps: EPS,
            };
            theta[range.clone()]
                .par_chunks_mut(CHUNK)
                .zip(gradient[range.clone()].par_chunks(CHUNK))
                .zip(moments.first[range.clone()].par_chunks_mut(CHUNK))
                .zip(moments.second[range.clone()].par_chunks_mut(CHUNK))
                .for_each(|(((theta, d), m), v)| math::adamw(theta, d, m, v, &how));
        }
        length
    }
}

fn bias_correction(beta: f32, step: usize) -> f32 {
    (1.0 / (1.0 - f64::from(beta).powi(step as i32 + 1))) as f32
}
