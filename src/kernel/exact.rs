//! Exact inference: one sweep forward and one back over the trellis.
//!
//! Forward carries the probability of each state, backward the probability of each outcome given
//! the state; their product at a branch is the joint probability that [`Masses`] holds. The cost
//! is linear in the number of transitions.

use super::{Kernel, Masses, Model, OUTCOMES, trellis::Trellis};

/// The joint probabilities of branches and outcomes; `None` where the model has no trellis.
pub fn infer(model: &Model) -> Option<Masses> {
    model.trellis.as_ref().map(|trellis| sweep(&model.kernels, trellis))
}

fn sweep(kernels: &[Kernel], trellis: &Trellis) -> Masses {
    // Probability of each state before each layer.
    let mut forward: Vec<Vec<f64>> = Vec::with_capacity(kernels.len());
    let mut now = vec![1.0];
    for (kernel, layer) in kernels.iter().zip(&trellis.layers) {
        let mut next = vec![0.0; layer.states];
        for (state, &p) in now.iter().enumerate() {
            let at = layer.at[state] as usize;
            match layer.rows[state] {
                None => next[layer.next[at] as usize] += p,
                Some(row) => {
                    let branches = &kernel.branches()[kernel.span(row)];
                    for (branch, &to) in branches.iter().zip(&layer.next[at..]) {
                        next[to as usize] += p * branch.p;
                    }
                }
            }
        }
        forward.push(std::mem::replace(&mut now, next));
    }

    let mut outcomes = [0.0; OUTCOMES];
    let mut back = vec![[0.0; OUTCOMES]; now.len()];
    for (state, &outcome) in trellis.outcomes.iter().enumerate() {
        back[state][outcome as usize] = 1.0;
        outcomes[outcome as usize] += now[state];
    }

    let mut steps = vec![Vec::new(); kernels.len()];
    for (i, (kernel, layer)) in kernels.iter().zip(&trellis.layers).enumerate().rev() {
        let mut masses = vec![[0.0; OUTCOMES]; kernel.branches().len()];
        let mut before = vec![[0.0; OUTCOMES]; forward[i].len()];
        for (state, &p) in forward[i].iter().enumerate() {
            let at = layer.at[state] as usize;
            match layer.rows[state] {
                None => before[state] = back[layer.next[at] as usize],
                Some(row) => {
                    for (branch, &to) in kernel.span(row).zip(&layer.next[at..]) {
                        let share = kernel.branches()[branch].p;
                        let ends = &back[to as usize];
                        for o in 0..OUTCOMES {
                            let given = share * ends[o];
                            before[state][o] += given;
                            masses[branch][o] += p * given;
                        }
                    }
                }
            }
        }
        steps[i] = masses;
        back = before;
    }
    Masses { steps, outcomes }
}
