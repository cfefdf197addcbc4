//! Random draws: each is a function of (seed, text, site) and its number, never of the order of execution.

use crate::kernel::rng;

/// A stream of random draws.
pub(super) struct SentenceDraws {
    key: u64,
    next: u64,
}

impl SentenceDraws {
    pub fn new(seed: u64, text: &str, site: &str) -> SentenceDraws {
        SentenceDraws { key: rng::key(seed, text, site), next: 0 }
    }

    /// The next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.next += 1;
        rng::draw(self.key, self.next)
    }

    /// A uniform number below `n`, which must not be zero.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// A uniform choice; `None` if there are no choices.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        (!choices.is_empty()).then(|| &choices[self.below(choices.len())])
    }
}
