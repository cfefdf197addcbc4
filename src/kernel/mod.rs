//! Finite kernels: what a compiled task is, and the two ways to run it.
//!
//! A task under one arm compiles to one [`Kernel`] a step: a row for each distinct combination of
//! input tokens, and in a row the branches that the step can take, each with its probability, its
//! output token and what it means for the outcome of the run. [`exact`] carries the distribution
//! over the [`trellis`] of live outputs; [`monte_carlo`] samples the same kernels.
//!
//! Invariant: nothing here does I/O, reads a clock or holds random state. A draw is a function of
//! (seed, task, trial, step), so any run can be computed again from its inputs. Tokens are plain
//! numbers here: what they stand for is known to `compile` alone.

use rustc_hash::FxHashMap;

pub mod exact;
pub mod monte_carlo;
pub mod rng;
pub mod trellis;

/// Number of outcomes of a run. A higher one takes precedence when several terminal steps disagree.
pub const OUTCOMES: usize = 5;

/// The token of a branch that ends the run.
pub const STOP: u32 = u32::MAX;

/// What one step may do on one input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Branch {
    /// Output token, or [`STOP`].
    pub token: u32,
    /// The least outcome that the run has after this branch (an index below [`OUTCOMES`]).
    pub outcome: u8,
    /// What happened; an index that the compiler gave and that the kernel only carries.
    pub event: u8,
    /// Probability within its row.
    pub p: f64,
}

/// The distribution of one step's output for each of its reachable inputs.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Steps whose output tokens are the input, ascending.
    pub parents: Vec<usize>,
    index: RowIndex,
    starts: Vec<u32>,
    branches: Vec<Branch>,
    /// Cumulative probabilities in units of 2^-64, one a branch; the last of a row is the maximum.
    cuts: Vec<u64>,
}

#[derive(Clone, Debug)]
enum RowIndex {
    /// `rows[sum(token * stride)]`.
    Dense {
        strides: Vec<u32>,
        rows: Vec<u32>,
    },
    Sparse(FxHashMap<Box<[u32]>, u32>),
}

/// Past this many input combinations a table by mixed radix gives way to a hash map.
const DENSE_LIMIT: u64 = 1 << 16;

impl Kernel {
    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn branches(&self) -> &[Branch] {
        &self.branches
    }

    /// The positions of a row's branches within [`Kernel::branches`].
    pub fn span(&self, row: u32) -> std::ops::Range<usize> {
        self.starts[row as usize] as usize..self.starts[row as usize + 1] as usize
    }

    /// The row for an input of one token a parent; `None` for one that is not reachable.
    pub fn row_of(&self, inputs: &[u32]) -> Option<u32> {
        match &self.index {
            RowIndex::Dense { strides, rows } => {
                let at: u32 = inputs.iter().zip(strides).map(|(t, s)| t * s).sum();
                rows.get(at as usize).copied().filter(|&row| row != u32::MAX)
            }
            RowIndex::Sparse(rows) => rows.get(inputs).copied(),
        }
    }

    /// The row for an input that the kernel was compiled for; `token` gives a parent's output.
    #[inline]
    fn row(&self, token: impl Fn(usize) -> u32) -> u32 {
        match &self.index {
            RowIndex::Dense { strides, rows } => {
                let mut at = 0;
                for (&parent, &stride) in self.parents.iter().zip(strides) {
                    at += token(parent) * stride;
                }
                rows[at as usize]
            }
            RowIndex::Sparse(rows) => {
                let inputs: Vec<u32> = self.parents.iter().map(|&p| token(p)).collect();
                rows[inputs.as_slice()]
            }
        }
    }

    /// The branch that a uniform 64-bit draw takes: the first whose cumulative share exceeds it.
    #[inline]
    fn pick(&self, row: u32, draw: u64) -> usize {
        let span = self.span(row);
        let cuts = &self.cuts[span.clone()];
        // Counting without a jump beats a search on the short rows that nearly all steps have.
        let taken = if cuts.len() <= 16 {
            cuts.iter().map(|&cut| usize::from(draw >= cut)).sum()
        } else {
            cuts.partition_point(|&cut| draw >= cut)
        };
        span.start + taken.min(cuts.len() - 1)
    }
}

/// Collects the rows of a [`Kernel`].
#[derive(Clone, Debug)]
pub struct KernelBuilder {
    parents: Vec<usize>,
    rows: FxHashMap<Box<[u32]>, u32>,
    starts: Vec<u32>,
    branches: Vec<Branch>,
}

impl KernelBuilder {
    pub fn new(parents: Vec<usize>) -> KernelBuilder {
        KernelBuilder { parents, rows: FxHashMap::default(), starts: vec![0], branches: Vec::new() }
    }

    pub fn parents(&self) -> &[usize] {
        &self.parents
    }

    /// The row of an input that has been pushed already.
    pub fn row(&self, inputs: &[u32]) -> Option<u32> {
        self.rows.get(inputs).copied()
    }

    /// Adds the row for `inputs` (one token a parent). Branches of probability zero are dropped and
    /// the others are scaled to sum to one.
    ///
    /// # Panics
    /// When no branch has a positive probability: a row is a distribution.
    pub fn push(&mut self, inputs: &[u32], branches: impl IntoIterator<Item = Branch>) -> u32 {
        let row = (self.starts.len() - 1) as u32;
        let start = self.branches.len();
        self.branches.extend(branches.into_iter().filter(|b| b.p > 0.0));
        let total: f64 = self.branches[start..].iter().map(|b| b.p).sum();
        assert!(total > 0.0 && total.is_finite(), "a row is a distribution");
        for branch in &mut self.branches[start..] {
            branch.p /= total;
        }
        self.starts.push(self.branches.len() as u32);
        self.rows.insert(inputs.into(), row);
        row
    }

    /// The branches of a row that has been pushed.
    pub fn branches(&self, row: u32) -> &[Branch] {
        &self.branches[self.starts[row as usize] as usize..self.starts[row as usize + 1] as usize]
    }

    /// Freezes the rows; `tokens[step]` counts the tokens of every step.
    pub fn finish(self, tokens: &[u32]) -> Kernel {
        let mut strides = Vec::new();
        let mut size = 1u64;
        for &parent in &self.parents {
            strides.push(size.min(DENSE_LIMIT) as u32);
            size = size.saturating_mul(u64::from(tokens[parent].max(1)));
        }
        let index = if size <= DENSE_LIMIT {
            let mut table = vec![u32::MAX; size as usize];
            for (inputs, &row) in &self.rows {
                let at: u32 = inputs.iter().zip(&strides).map(|(t, s)| t * s).sum();
                table[at as usize] = row;
            }
            RowIndex::Dense { strides, rows: table }
        } else {
            RowIndex::Sparse(self.rows)
        };
        let mut cuts = Vec::with_capacity(self.branches.len());
        for row in self.starts.windows(2) {
            let mut sum = 0.0;
            for branch in &self.branches[row[0] as usize..row[1] as usize] {
                sum += branch.p;
                // `as` saturates, so a sum that rounds to one becomes the maximum.
                cuts.push((sum * 2f64.powi(64)) as u64);
            }
        }
        Kernel { parents: self.parents, index, starts: self.starts, branches: self.branches, cuts }
    }
}

/// One task under one arm, compiled: kernels in topological order of the steps.
#[derive(Clone, Debug)]
pub struct Model {
    pub kernels: Vec<Kernel>,
    /// Absent where the live outputs have more joint states than the cap allows.
    pub trellis: Option<trellis::Trellis>,
}

/// `masses[step][branch][outcome]`: probability that the run takes this branch at this step and
/// ends with this outcome. The common currency of [`exact`] and [`monte_carlo`].
#[derive(Clone, Debug, PartialEq)]
pub struct Masses {
    pub steps: Vec<Vec<[f64; OUTCOMES]>>,
    /// Probability of each outcome of the run; sums to one.
    pub outcomes: [f64; OUTCOMES],
}

impl Masses {
    /// Probability of any outcome but the first, which is the correct one.
    pub fn failure(&self) -> f64 {
        self.outcomes[1..].iter().sum()
    }
}
