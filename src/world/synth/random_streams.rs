//! Random streams, one per record and site, so that a draw does not depend on other draws.

use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

/// Number of streams reserved for each record.
const SITES_PER_RECORD: u64 = 64;

/// The random stream of record (or family) `index` at `site`, which is numbered by its generator.
pub(super) fn stream(seed: u64, index: usize, site: impl Into<u64>) -> ChaCha8Rng {
    let site = site.into();
    debug_assert!(site < SITES_PER_RECORD);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index as u64 * SITES_PER_RECORD + site);
    rng
}

/// One of `choices`, which must not be empty.
pub(super) fn pick<T: Clone>(rng: &mut ChaCha8Rng, choices: &[T]) -> T {
    choices.choose(rng).unwrap_or(&choices[0]).clone()
}

/// One of `choices` other than `current`.
pub(super) fn pick_other<T: Clone + PartialEq>(
    rng: &mut ChaCha8Rng,
    choices: &[T],
    current: &T,
) -> T {
    let rest: Vec<T> = choices.iter().filter(|c| *c != current).cloned().collect();
    pick(rng, &rest)
}
