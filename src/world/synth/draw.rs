//! Random streams: one for each contract and site, so that a draw never depends on what else is drawn.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Where a draw is made. The numbers are part of every generated file: add new ones, keep the old.
#[derive(Clone, Copy)]
pub(super) enum Site {
    /// Of a family of four contracts: the shared template.
    FamilyStyle,
    Style,
    Name,
    Terms,
    Header,
    Tasks,
    Optional,
    Twin(u64),
}

/// Room for the sites of one contract.
const SITES: u64 = 64;

/// The stream of `site` in contract (or family) `index`.
pub(super) fn stream(seed: u64, index: usize, site: Site) -> ChaCha8Rng {
    let site = match site {
        Site::FamilyStyle => 0,
        Site::Style => 1,
        Site::Name => 2,
        Site::Terms => 3,
        Site::Header => 4,
        Site::Tasks => 5,
        Site::Optional => 6,
        Site::Twin(n) => 8 + n,
    };
    debug_assert!(site < SITES);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index as u64 * SITES + site);
    rng
}
