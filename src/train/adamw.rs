//! AdamW (arXiv 1711.05101) with a clipped gradient and a rate that rises, then falls.

use std::ops::Range;

use rayon::prelude::*;

use super::math::{self, Step};
use super::recipe::Recipe;

/// Numbers that one thread takes at a time.
const CHUNK: usize = 1 << 16;

const BETA: (f32, f32) = (0.9, 0.999);
const EPS: f32 = 1e-8;

/// What the optimizer remembers.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    pub first: Vec<f32>,
    pub second: Vec<f32>,
}

impl Moments {
    pub fn new(len: usize) -> Self {
        Self { first: vec![0.0; len], second: vec![0.0; len] }
    }
}

/// How far, and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub rate: f64,
    pub decay: f64,
    /// The largest length of the gradient.
    pub clip: f64,
    pub steps: usize,
    /// Steps in which the rate rises.
    pub warmup: usize,
}

impl Pace {
    pub fn of(recipe: &Recipe) -> Self {
        Self {
            rate: recipe.rate,
            decay: recipe.decay,
            clip: recipe.clip,
            steps: recipe.steps,
            warmup: recipe.warmup_steps(),
        }
    }

    /// The rate of a step, from 0 on: from almost nothing straight up, and straight down to almost nothing.
    pub fn rate(&self, step: usize) -> f64 {
        let factor = if step < self.warmup {
            (step + 1) as f64 / self.warmup as f64
        } else {
            (self.steps - step) as f64 / (self.steps - self.warmup) as f64
        };
        self.rate * factor
    }

    /// Takes step `step`; `parts` are the ranges of `theta`, and whether weight decay is theirs. Returns the
    /// length that the gradient had.
    pub fn step(
        &self,
        step: usize,
        theta: &mut [f32],
        gradient: &[f32],
        moments: &mut Moments,
        parts: &[(Range<usize>, bool)],
    ) -> f64 {
        let squares: Vec<f64> = gradient
            .par_chunks(CHUNK)
            .map(|d| d.iter().map(|d| f64::from(*d) * f64::from(*d)).sum())
            .collect();
        let length = squares.iter().sum::<f64>().sqrt();
        let rate = self.rate(step);
        let unbias = |beta: f32| (1.0 / (1.0 - f64::from(beta).powi(step as i32 + 1))) as f32;
        for (range, decays) in parts {
            let how = Step {
                factor: (self.clip / length.max(self.clip)) as f32,
                rate: rate as f32,
                kept: if *decays { (1.0 - rate * self.decay) as f32 } else { 1.0 },
                beta: BETA,
                unbias: (unbias(BETA.0), unbias(BETA.1)),
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
