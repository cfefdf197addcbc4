//! The rows of a kernel: storage, lookup by input, and sampling.

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::{KernelBranch, REPAIR};

/// Rows in the order in which they were pushed. The counterfactual rows of a row directly follow it, so that a row
/// and its counterfactuals occupy one contiguous range of branches.
#[derive(Clone, Debug)]
pub(super) struct KernelRows {
    /// Index of the first branch of each row; the last entry is the number of branches.
    starts: Vec<u32>,
    /// By row: the id of a counterfactual row; `None` for an ordinary row.
    intervention_ids: Vec<Option<u8>>,
    pub branches: Vec<KernelBranch>,
}

impl KernelRows {
    fn new() -> KernelRows {
        KernelRows { starts: vec![0], intervention_ids: Vec::new(), branches: Vec::new() }
    }

    /// The positions of a row's branches, without its counterfactual rows.
    pub fn span(&self, row: u32) -> Range<usize> {
        self.starts[row as usize] as usize..self.starts[row as usize + 1] as usize
    }

    /// The positions of the branches of a row and all its counterfactual rows.
    pub fn span_with_counterfactuals(&self, row: u32) -> Range<usize> {
        let first = row as usize;
        let detours =
            self.intervention_ids[first + 1..].iter().take_while(|mark| mark.is_some()).count();
        self.starts[first] as usize..self.starts[first + 1 + detours] as usize
    }

    /// The branches of a row's counterfactual row with this id.
    pub fn counterfactual(&self, row: u32, mark: u8) -> Option<Range<usize>> {
        self.counterfactuals(row).find(|(found, _)| *found == mark).map(|(_, span)| span)
    }

    /// The counterfactual rows of a row, with their ids.
    pub fn counterfactuals(&self, row: u32) -> impl Iterator<Item = (u8, Range<usize>)> {
        let rest = (row as usize + 1)..self.intervention_ids.len();
        rest.map_while(|row| Some((self.intervention_ids[row]?, self.span(row as u32))))
    }

    /// The rows that are not counterfactual.
    pub fn ordinary(&self) -> impl Iterator<Item = u32> {
        (0..self.intervention_ids.len())
            .filter(|&row| self.intervention_ids[row].is_none())
            .map(|row| row as u32)
    }

    fn push(&mut self, mark: Option<u8>, branches: impl IntoIterator<Item = KernelBranch>) -> u32 {
        let start = self.branches.len();
        self.branches.extend(branches.into_iter().filter(|b| b.p > 0.0));
        let total: f64 = self.branches[start..].iter().map(|b| b.p).sum();
        assert!(total > 0.0 && total.is_finite(), "a row is a distribution");
        // Callers compute probabilities as products and remainders, which rounding leaves slightly off one.
        for branch in &mut self.branches[start..] {
            branch.p /= total;
        }
        self.starts.push(self.branches.len() as u32);
        self.intervention_ids.push(mark);
        (self.intervention_ids.len() - 1) as u32
    }
}

/// The distribution of one step's output for each of its reachable inputs.
#[derive(Clone, Debug)]
pub struct StepKernel {
    /// Steps whose output tokens are the input, ascending.
    pub parents: Vec<usize>,
    pub(super) rows: KernelRows,
    index: KernelRowIndex,
    /// One token per parent for each ordinary row, in the order of the rows.
    inputs: Vec<(u32, Box<[u32]>)>,
    /// Cumulative probabilities in units of 2^-64, one per branch; the last of a row is the maximum.
    thresholds: Vec<u64>,
}

#[derive(Clone, Debug)]
enum KernelRowIndex {
    /// `rows[sum(token * stride)]`.
    Dense {
        strides: Vec<u32>,
        rows: Vec<u32>,
    },
    Sparse(FxHashMap<Box<[u32]>, u32>),
}

/// With more input combinations than this, a hash map replaces the table indexed by mixed radix.
const DENSE_LIMIT: u64 = 1 << 16;

impl StepKernel {
    pub fn branches(&self) -> &[KernelBranch] {
        &self.rows.branches
    }

    /// The positions of a row's branches within [`StepKernel::branches`], without its counterfactual rows.
    pub fn span(&self, row: u32) -> Range<usize> {
        self.rows.span(row)
    }

    /// The positions of the branches of a row's counterfactual row with this id.
    pub fn counterfactual(&self, row: u32, mark: u8) -> Option<Range<usize>> {
        self.rows.counterfactual(row, mark)
    }

    /// The share of each branch within its row; zero for the branches of counterfactual rows.
    pub(super) fn plain_shares(&self) -> Vec<f64> {
        let mut shares = vec![0.0; self.branches().len()];
        for row in self.rows.ordinary() {
            for at in self.span(row) {
                shares[at] = self.rows.branches[at].p;
            }
        }
        shares
    }

    /// The shares that `weigh(row, out)` writes for each row together with its counterfactual rows.
    pub(super) fn shares(&self, weigh: impl Fn(u32, &mut [f64])) -> Vec<f64> {
        let mut shares = vec![0.0; self.branches().len()];
        for row in self.rows.ordinary() {
            weigh(row, &mut shares[self.rows.span_with_counterfactuals(row)]);
        }
        shares
    }

    /// The ordinary rows, each with its input: one token per parent.
    pub fn inputs(&self) -> impl Iterator<Item = (u32, &[u32])> {
        self.inputs.iter().map(|(row, inputs)| (*row, &**inputs))
    }

    /// The row for an input (one token per parent); `None` if the input is not reachable.
    pub fn row_of(&self, inputs: &[u32]) -> Option<u32> {
        match &self.index {
            KernelRowIndex::Dense { strides, rows } => {
                let at: u32 = inputs.iter().zip(strides).map(|(t, s)| t * s).sum();
                rows.get(at as usize).copied().filter(|&row| row != u32::MAX)
            }
            KernelRowIndex::Sparse(rows) => rows.get(inputs).copied(),
        }
    }

    /// The row for an input that the kernel was compiled for; `token` gives a parent's output.
    #[inline]
    pub(super) fn row(&self, token: impl Fn(usize) -> u32) -> u32 {
        match &self.index {
            KernelRowIndex::Dense { strides, rows } => {
                let mut at = 0;
                for (&parent, &stride) in self.parents.iter().zip(strides) {
                    at += token(parent) * stride;
                }
                rows[at as usize]
            }
            KernelRowIndex::Sparse(rows) => {
                let inputs: Vec<u32> = self.parents.iter().map(|&p| token(p)).collect();
                rows[inputs.as_slice()]
            }
        }
    }

    /// The branch that a uniform 64-bit draw selects: the first whose cumulative share exceeds it.
    #[inline]
    pub(super) fn pick(&self, row: u32, draw: u64) -> usize {
        let span = self.span(row);
        let cuts = &self.thresholds[span.clone()];
        // Branch-free counting beats binary search on the short rows that nearly all steps have.
        let taken = if cuts.len() <= 16 {
            cuts.iter().map(|&cut| usize::from(draw >= cut)).sum()
        } else {
            cuts.partition_point(|&cut| draw >= cut)
        };
        span.start + taken.min(cuts.len() - 1)
    }
}

/// Collects the rows of a [`StepKernel`].
#[derive(Clone, Debug)]
pub struct KernelBuilder {
    parents: Vec<usize>,
    index: FxHashMap<Box<[u32]>, u32>,
    inputs: Vec<(u32, Box<[u32]>)>,
    pub(super) rows: KernelRows,
}

impl KernelBuilder {
    pub fn new(parents: Vec<usize>) -> KernelBuilder {
        KernelBuilder {
            parents,
            index: FxHashMap::default(),
            inputs: Vec::new(),
            rows: KernelRows::new(),
        }
    }

    pub fn parents(&self) -> &[usize] {
        &self.parents
    }

    /// The row of an input that has already been pushed.
    pub fn row(&self, inputs: &[u32]) -> Option<u32> {
        self.index.get(inputs).copied()
    }

    /// Adds the row for `inputs` (one token per parent). Branches of probability zero are dropped and the others are
    /// scaled to sum to one.
    ///
    /// # Panics
    /// If no branch has a positive probability.
    pub fn push(
        &mut self,
        inputs: &[u32],
        branches: impl IntoIterator<Item = KernelBranch>,
    ) -> u32 {
        let row = self.rows.push(None, branches);
        self.index.insert(inputs.into(), row);
        self.inputs.push((row, inputs.into()));
        row
    }

    /// The positions of the branches of a row that has been pushed, without its counterfactual rows.
    pub fn span(&self, row: u32) -> Range<usize> {
        self.rows.span(row)
    }

    /// The branches of a row that has been pushed, without its counterfactual rows.
    pub fn branches(&self, row: u32) -> &[KernelBranch] {
        &self.rows.branches[self.rows.span(row)]
    }

    /// The number of rows that have been pushed, including counterfactual rows.
    pub fn row_count(&self) -> usize {
        self.rows.intervention_ids.len()
    }

    /// The number of branches that have been pushed, including those of counterfactual rows: the index of the next
    /// one.
    pub fn branch_count(&self) -> usize {
        self.rows.branches.len()
    }

    /// Adds a counterfactual row to the row that was pushed last. Of two with the same id the first is used.
    ///
    /// # Panics
    /// As [`KernelBuilder::push`], and if a repair comes after another counterfactual row: for states that have
    /// already used one, the trellis omits the non-repair rows, which must therefore come last.
    pub fn push_counterfactual(
        &mut self,
        mark: u8,
        branches: impl IntoIterator<Item = KernelBranch>,
    ) {
        let last = self.rows.intervention_ids.last().copied().flatten();
        assert!(mark != REPAIR || last.is_none(), "a repair comes first");
        self.rows.push(Some(mark), branches);
    }

    /// Freezes the rows; `tokens[step]` is the number of tokens of each step.
    pub fn finish(self, tokens: &[u32]) -> StepKernel {
        let mut strides = Vec::new();
        let mut size = 1u64;
        for &parent in &self.parents {
            strides.push(size.min(DENSE_LIMIT) as u32);
            size = size.saturating_mul(u64::from(tokens[parent].max(1)));
        }
        // A dense table turns the lookup, the inner loop of sampling, into one multiply-add per parent.
        let index = if size <= DENSE_LIMIT {
            let mut table = vec![u32::MAX; size as usize];
            #[expect(
                clippy::iter_over_hash_type,
                reason = "each entry has a place of its own in the table"
            )]
            for (inputs, &row) in &self.index {
                let at: u32 = inputs.iter().zip(&strides).map(|(t, s)| t * s).sum();
                table[at as usize] = row;
            }
            KernelRowIndex::Dense { strides, rows: table }
        } else {
            KernelRowIndex::Sparse(self.index)
        };
        let mut cuts = Vec::with_capacity(self.rows.branches.len());
        for row in self.rows.starts.windows(2) {
            let mut sum = 0.0;
            for branch in &self.rows.branches[row[0] as usize..row[1] as usize] {
                sum += branch.p;
                cuts.push(cumulative_threshold(sum));
            }
        }
        StepKernel {
            parents: self.parents,
            rows: self.rows,
            index,
            inputs: self.inputs,
            thresholds: cuts,
        }
    }
}

/// A cumulative probability in units of 2^-64. `as` saturates, so a sum that rounds to one becomes the maximum.
pub(super) fn cumulative_threshold(sum: f64) -> u64 {
    (sum * 2f64.powi(64)) as u64
}
