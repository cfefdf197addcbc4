//! Exact inference: one forward and one backward sweep over the trellis.
//!
//! The forward sweep computes the probability of each state, the backward sweep the probability of each outcome given
//! the state; their product at a branch is the joint probability in [`BranchMasses`]. The cost is linear in the number of
//! transitions. Backward values are also computed for states of probability zero, so that an intervention at one step
//! needs no further sweep.

use super::trellis::{Trellis, TrellisLayer};
use super::{
    BranchFault, BranchMasses, Intervention, KernelBranch, KernelModel, OUTCOMES, REPAIR,
    StepKernel,
};

/// The joint probabilities of branches and outcomes; `None` if the model has no trellis.
pub fn infer(model: &KernelModel) -> Option<BranchMasses> {
    Some(ForwardBackward::plain(model)?.masses())
}

/// P(outcome, and `counts` accepts what happens at every step): the branch taken, or `None` if the run has stopped
/// before the step. Returns `None` without a trellis.
pub fn joint(
    model: &KernelModel,
    counts: impl Fn(usize, Option<&KernelBranch>) -> bool,
) -> Option<[f64; OUTCOMES]> {
    let trellis = model.trellis.as_ref()?;
    let mut now = vec![1.0];
    for (step, (kernel, layer)) in model.kernels.iter().zip(&trellis.layers).enumerate() {
        let mut shares = kernel.plain_shares();
        // Rejected mass is dropped and not renormalised: the result is a joint probability, not a conditional one.
        for (share, branch) in shares.iter_mut().zip(kernel.branches()) {
            if !counts(step, Some(branch)) {
                *share = 0.0;
            }
        }
        if !counts(step, None) {
            let stopped = now.iter_mut().zip(&layer.rows).filter(|(_, row)| row.is_none());
            stopped.for_each(|(p, _)| *p = 0.0);
        }
        now = advance(kernel, layer, &shares, &now);
    }
    let mut outcomes = [0.0; OUTCOMES];
    for (p, &outcome) in now.iter().zip(&trellis.outcomes) {
        outcomes[usize::from(outcome)] += p;
    }
    Some(outcomes)
}

/// The probability of each state after a step, from those before it.
fn advance(kernel: &StepKernel, layer: &TrellisLayer, shares: &[f64], now: &[f64]) -> Vec<f64> {
    let mut next = vec![0.0; layer.states];
    for (state, &p) in now.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        let targets = layer.targets(state);
        match layer.rows[state] {
            None => next[targets[0] as usize] += p,
            Some(row) => {
                for (share, &to) in shares[kernel.span(row).start..].iter().zip(targets) {
                    next[to as usize] += p * share;
                }
            }
        }
    }
    next
}

/// The forward and backward sweep of one model under one set of interventions.
pub struct ForwardBackward<'a> {
    pub(super) kernels: &'a [StepKernel],
    pub(super) trellis: &'a Trellis,
    /// By step: the share of each branch within its row.
    pub(super) shares: Vec<Vec<f64>>,
    /// By step: the probability of each state before it; the last element is for the states after the last step.
    pub(super) forward: Vec<Vec<f64>>,
    /// By step: the probability of each outcome given the state before it; the last element is for the states after
    /// the last step.
    pub(super) backward: Vec<Vec<[f64; OUTCOMES]>>,
}

impl<'a> ForwardBackward<'a> {
    /// The model without interventions; `None` if it has no trellis.
    pub fn plain(model: &'a KernelModel) -> Option<ForwardBackward<'a>> {
        ForwardBackward::sweep(model, |_, kernel| kernel.plain_shares())
    }

    /// The model with one intervention per step.
    pub fn under(model: &'a KernelModel, what: &[Intervention]) -> Option<ForwardBackward<'a>> {
        ForwardBackward::sweep(model, |step, kernel| {
            kernel.shares(|row, out| kernel.rows.weigh(row, what[step], out))
        })
    }

    /// Each own error of every step stays with probability `broken`, all errors of a step together and different
    /// steps independently; otherwise it is repaired.
    pub fn mixed(model: &'a KernelModel, broken: f64) -> Option<ForwardBackward<'a>> {
        ForwardBackward::sweep(model, |_, kernel| {
            kernel.shares(|row, out| kernel.rows.mix(row, broken, out))
        })
    }

    /// As [`Flow::mixed`], over another trellis of the same kernels (see [`super::augmented_trellis()`]), with a value for each
    /// final state in place of 1. Where other methods return the probability of each outcome, this flow returns the
    /// expected value of the runs that end with it.
    pub fn weighted(
        kernels: &'a [StepKernel],
        trellis: &'a Trellis,
        worth: &[f64],
        broken: f64,
    ) -> ForwardBackward<'a> {
        ForwardBackward::sweep_over(
            kernels,
            trellis,
            |state| worth[state],
            |_, kernel| kernel.shares(|row, out| kernel.rows.mix(row, broken, out)),
        )
    }

    fn sweep(
        model: &'a KernelModel,
        shares: impl Fn(usize, &'a StepKernel) -> Vec<f64>,
    ) -> Option<ForwardBackward<'a>> {
        Some(ForwardBackward::sweep_over(&model.kernels, model.trellis.as_ref()?, |_| 1.0, shares))
    }

    fn sweep_over(
        kernels: &'a [StepKernel],
        trellis: &'a Trellis,
        worth: impl Fn(usize) -> f64,
        shares: impl Fn(usize, &'a StepKernel) -> Vec<f64>,
    ) -> ForwardBackward<'a> {
        let shares: Vec<Vec<f64>> =
            kernels.iter().enumerate().map(|(step, kernel)| shares(step, kernel)).collect();
        let mut forward = Vec::with_capacity(kernels.len() + 1);
        forward.push(vec![1.0]);
        for (step, shares) in shares.iter().enumerate() {
            let next = advance(&kernels[step], &trellis.layers[step], shares, &forward[step]);
            forward.push(next);
        }
        let mut flow = ForwardBackward { kernels, trellis, shares, forward, backward: Vec::new() };
        flow.sweep_backward(worth);
        flow
    }

    fn sweep_backward(&mut self, worth: impl Fn(usize) -> f64) {
        // Seeding with values other than one turns the backward sweep into an expectation.
        let ends = self.trellis.outcomes.iter().enumerate().map(|(state, &outcome)| {
            let mut ends = [0.0; OUTCOMES];
            ends[usize::from(outcome)] = worth(state);
            ends
        });
        let mut after: Vec<[f64; OUTCOMES]> = ends.collect();
        for ((kernel, layer), shares) in
            self.kernels.iter().zip(&self.trellis.layers).zip(&self.shares).rev()
        {
            let mut before = vec![[0.0; OUTCOMES]; layer.rows.len()];
            for (state, sum) in before.iter_mut().enumerate() {
                let targets = layer.targets(state);
                match layer.rows[state] {
                    None => *sum = after[targets[0] as usize],
                    Some(row) => {
                        let start = kernel.span(row).start;
                        for (&share, &to) in shares[start..].iter().zip(targets) {
                            add(sum, &after[to as usize], share);
                        }
                    }
                }
            }
            self.backward.push(std::mem::replace(&mut after, before));
        }
        self.backward.push(after);
        self.backward.reverse();
    }

    /// Probability of each state after the last step.
    pub fn final_probabilities(&self) -> &[f64] {
        self.forward.last().map_or(&[], Vec::as_slice)
    }

    /// Probability of each outcome; sums to one.
    pub fn outcomes(&self) -> [f64; OUTCOMES] {
        self.backward[0][0]
    }

    /// The joint probabilities of branches and outcomes.
    pub fn masses(&self) -> BranchMasses {
        let mut steps = Vec::with_capacity(self.kernels.len());
        for (step, kernel) in self.kernels.iter().enumerate() {
            let mut masses = vec![[0.0; OUTCOMES]; kernel.branches().len()];
            self.each_row(step, |row, p, targets| {
                let start = kernel.span(row).start;
                let shares = &self.shares[step][start..];
                for (j, (&share, &to)) in shares.iter().zip(targets).enumerate() {
                    if share > 0.0 {
                        let ends = &self.backward[step + 1][to as usize];
                        add(&mut masses[start + j], ends, p * share);
                    }
                }
            });
            steps.push(masses);
        }
        BranchMasses { steps, outcomes: self.outcomes() }
    }

    /// Probability of each outcome if the intervention `what` replaces the one that this flow has at `step`.
    ///
    /// [`Intervention::Right`], [`Intervention::Wrong`] and [`Intervention::CounterfactualOrRepair`] require a flow of the plain model or of repairs: under other
    /// interventions the trellis lacks the states for a second counterfactual row.
    pub fn outcomes_with(&self, step: usize, what: Intervention) -> [f64; OUTCOMES] {
        let kernel = &self.kernels[step];
        let shares = kernel.shares(|row, out| kernel.rows.weigh(row, what, out));
        let layer = &self.trellis.layers[step];
        let mut sum = [0.0; OUTCOMES];
        for (state, &p) in self.forward[step].iter().enumerate().filter(|(_, p)| **p > 0.0) {
            let targets = layer.targets(state);
            match layer.rows[state] {
                None => add(&mut sum, &self.backward[step + 1][targets[0] as usize], p),
                Some(row) => {
                    let start = kernel.span(row).start;
                    for (&share, &to) in shares[start..].iter().zip(targets) {
                        if share > 0.0 {
                            add(&mut sum, &self.backward[step + 1][to as usize], p * share);
                        }
                    }
                }
            }
        }
        sum
    }

    /// The sensitivity of the outcomes to the own errors of `step`, by event: the derivative of each outcome's
    /// probability with respect to the share of runs in which the error is not repaired. Events are in order of first
    /// appearance.
    pub fn error_sensitivities(&self, step: usize) -> Vec<(u8, [f64; OUTCOMES])> {
        let kernel = &self.kernels[step];
        let mut slopes: Vec<(u8, [f64; OUTCOMES])> = Vec::new();
        self.each_row(step, |row, p, targets| {
            let Some(repaired) = kernel.counterfactual(row, REPAIR) else {
                return;
            };
            let span = kernel.span(row);
            let after = &self.backward[step + 1];
            let mut right = [0.0; OUTCOMES];
            for at in repaired {
                add(&mut right, &after[targets[at - span.start] as usize], kernel.branches()[at].p);
            }
            for at in span.clone() {
                let branch = &kernel.branches()[at];
                if branch.fault != BranchFault::Own {
                    continue;
                }
                let slope = match slopes.iter().position(|(event, _)| *event == branch.event) {
                    Some(place) => &mut slopes[place].1,
                    None => {
                        slopes.push((branch.event, [0.0; OUTCOMES]));
                        let last = slopes.len() - 1;
                        &mut slopes[last].1
                    }
                };
                // Unrepaired, the mass of the branch continues from the error instead of from the repaired output.
                add(slope, &after[targets[at - span.start] as usize], p * branch.p);
                add(slope, &right, -p * branch.p);
            }
        });
        slopes
    }

    /// Calls `visit(row, p, targets)` for each state before `step` with positive probability in which the run has not
    /// stopped.
    fn each_row(&self, step: usize, mut visit: impl FnMut(u32, f64, &[u32])) {
        let layer = &self.trellis.layers[step];
        for (state, &p) in self.forward[step].iter().enumerate() {
            if let (Some(row), true) = (layer.rows[state], p > 0.0) {
                visit(row, p, layer.targets(state));
            }
        }
    }
}

fn add(sum: &mut [f64; OUTCOMES], what: &[f64; OUTCOMES], weight: f64) {
    for (sum, w) in sum.iter_mut().zip(what) {
        *sum += weight * w;
    }
}
