//! Sampling designs: the points at which to evaluate a model so that its variance can be attributed to inputs.

use std::ops::Range;

use anyhow::ensure;

/// The largest number of inputs of a design: its points need Sobol's sequence in twice as many dimensions.
pub const MAX_INPUTS: usize = sobol_burley::NUM_DIMENSIONS as usize / 2;
/// The largest number of base samples of a design.
pub const MAX_SAMPLES: usize = 1 << 16;

/// `count` independent draws of all inputs, evenly spread: Sobol points as in [`SaltelliDesign`]. Inputs beyond the number of
/// dimensions of the sequence use further sequences with other scrambling seeds.
///
/// # Errors
/// If `count` exceeds [`MAX_SAMPLES`].
pub fn sobol_points(count: usize, inputs: usize, seed: u64) -> anyhow::Result<Vec<Vec<f64>>> {
    ensure!(count <= MAX_SAMPLES, "{count} points, not {MAX_SAMPLES} at most");
    let points = (0..count).map(|point| {
        (0..inputs).map(|input| sobol_value(point as u32, input as u32, seed)).collect()
    });
    Ok(points.collect())
}

fn sobol_value(point: u32, input: u32, seed: u64) -> f64 {
    let dimensions = sobol_burley::NUM_DIMENSIONS;
    let (block, dimension) = (input / dimensions, input % dimensions);
    let seed = seed ^ (seed >> 32) ^ (u64::from(block) << 16);
    f64::from(sobol_burley::sample(point, dimension, seed as u32))
}

/// Saltelli's design: two independent samples A and B of all inputs, and for each input the sample A with that
/// input's column from B.
///
/// Saltelli et al., "Variance based sensitivity analysis of model output. Design and estimator for the total
/// sensitivity index", Computer Physics Communications 181, 2010. A and B are the two halves of the dimensions of one
/// Sobol sequence with the direction numbers of Joe and Kuo, "Constructing Sobol sequences with better
/// two-dimensional projections", SIAM J. Sci. Comput. 30, 2008, with Owen's scrambling, so that each seed gives a
/// different sample.
#[derive(Clone, Debug)]
pub struct SaltelliDesign {
    samples: usize,
    inputs: usize,
    /// All points, in the order of [`SaltelliDesign::sobol_points`].
    points: Vec<Vec<f64>>,
}

impl SaltelliDesign {
    /// # Errors
    /// If there is no input, there are fewer than two samples, or either exceeds [`MAX_INPUTS`] or [`MAX_SAMPLES`].
    pub fn new(samples: usize, inputs: usize, seed: u64) -> anyhow::Result<SaltelliDesign> {
        ensure!((1..=MAX_INPUTS).contains(&inputs), "{inputs} inputs, not 1 to {MAX_INPUTS}");
        ensure!((2..=MAX_SAMPLES).contains(&samples), "{samples} samples, not 2 to {MAX_SAMPLES}");
        let seed = (seed ^ (seed >> 32)) as u32;
        let a: Vec<Vec<f64>> =
            (0..samples).map(|sample| sobol_row(sample, 0..inputs, seed)).collect();
        let b: Vec<Vec<f64>> =
            (0..samples).map(|sample| sobol_row(sample, inputs..2 * inputs, seed)).collect();
        let mut points: Vec<Vec<f64>> = a.iter().chain(&b).cloned().collect();
        for input in 0..inputs {
            points.extend(a.iter().zip(&b).map(|(a, b)| {
                let mut mixed = a.clone();
                mixed[input] = b[input];
                mixed
            }));
        }
        Ok(SaltelliDesign { samples, inputs, points })
    }

    /// The points: A, then B, then for each input A with that column from B; each point has a value for every input.
    pub fn points(&self) -> &[Vec<f64>] {
        &self.points
    }

    /// The number of points, at the beginning, that are independent draws of all inputs.
    pub fn independent_points(&self) -> usize {
        2 * self.samples
    }

    pub fn samples(&self) -> usize {
        self.samples
    }

    pub fn inputs(&self) -> usize {
        self.inputs
    }
}

fn sobol_row(sample: usize, dimensions: Range<usize>, seed: u32) -> Vec<f64> {
    dimensions.map(|d| f64::from(sobol_burley::sample(sample as u32, d as u32, seed))).collect()
}
