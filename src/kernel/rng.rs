//! Counter-based random numbers: a draw is a function of its address, not of the order of calls.
//!
//! The key is made from (seed, task, step); the counter is the trial. Arms share addresses and therefore random
//! numbers: comparisons between arms are paired, and adding a step leaves the draws of the other steps unchanged.

/// The key of all draws of one step on one task.
///
/// Keys are hashed so that names of any length give keys without a pattern, and made odd, as the generator requires.
pub fn key(seed: u64, task: &str, step: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    // The length separates the two names: without it ("ab", "c") and ("a", "bc") would share a key.
    hasher.update(&(task.len() as u64).to_le_bytes());
    hasher.update(task.as_bytes());
    hasher.update(step.as_bytes());
    let hash = hasher.finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(bytes) | 1
}

/// Uniform 64 bits: the five-round "squares" generator (B. Widynski, arXiv 2004.06278, squares64).
#[inline]
pub fn draw(key: u64, trial: u64) -> u64 {
    let mut x = trial.wrapping_mul(key);
    let y = x;
    let z = y.wrapping_add(key);
    x = x.wrapping_mul(x).wrapping_add(y).rotate_left(32);
    x = x.wrapping_mul(x).wrapping_add(z).rotate_left(32);
    x = x.wrapping_mul(x).wrapping_add(y).rotate_left(32);
    x = x.wrapping_mul(x).wrapping_add(z);
    let t = x;
    x = x.rotate_left(32);
    t ^ (x.wrapping_mul(x).wrapping_add(y) >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_uniform_and_unrelated_across_trials_and_steps() {
        let (a, b) = (key(1, "task", "a"), key(1, "task", "b"));
        let n = 200_000u64;
        let unit = |x: u64| x as f64 / 2f64.powi(64);
        let mut bins = [0u32; 64];
        let (mut serial, mut cross) = (0.0, 0.0);
        for trial in 0..n {
            let u = unit(draw(a, trial));
            bins[(u * 64.0) as usize] += 1;
            serial += (u - 0.5) * (unit(draw(a, trial + 1)) - 0.5);
            cross += (u - 0.5) * (unit(draw(b, trial)) - 0.5);
        }
        let expected = n as f64 / 64.0;
        let chi2: f64 = bins.iter().map(|&c| (f64::from(c) - expected).powi(2) / expected).sum();
        // 63 degrees of freedom: 99.9% lie below 103.4.
        assert!(chi2 < 103.4, "chi2 {chi2}");
        // Correlations of uniforms: standard error 1/sqrt(n) after dividing by the variance 1/12.
        for sum in [serial, cross] {
            assert!((12.0 * sum / n as f64).abs() < 4.0 / (n as f64).sqrt());
        }
    }
}
