//! But-for causes of one failing run: the sets of steps whose repair would have made it end correct.

use crate::kernel::monte_carlo::{ReplayedRun, replay};
use crate::kernel::{BranchFault, Intervention, KernelModel};

/// Largest size of sets that are still searched once a smaller cause has been found.
const MAX_FURTHER_SIZE: usize = 3;

/// Number of sets to try before the search falls back to [`reduced`].
const MAX_TRIED_SETS: usize = 1 << 14;

/// The minimal sets of steps such that repairing them makes trial `trial` end correct with the same random numbers: all
/// of them up to three steps; if there are none, those of the smallest size that works. Each set ascends; smaller sets
/// come first, then those that begin earlier. If there are too many sets to try, one minimal set is found by removing
/// steps from the set of all steps, one after another (past the cap it may contain a step too many, because not all
/// rows are compiled).
///
/// Empty for a run that is correct.
pub fn but_for(model: &KernelModel, keys: &[u64], trial: u32) -> Vec<Vec<usize>> {
    // The steps r1 < r2 < ... of a minimal set each err in the run in which those before them are repaired: up to r2
    // that run equals the one with all of them repaired, so if r2 did not err in it, repairing r2 would change nothing
    // and the set would not be minimal. So sets grow by later steps that err, including those that err only once an
    // earlier step is right, and no other set is tried.
    let mut found: Vec<Vec<usize>> = Vec::new();
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    let mut sets_tried = 0;
    for size in 0.. {
        sets_tried += sets.len();
        if sets.is_empty()
            || sets_tried > MAX_TRIED_SETS
            || !found.is_empty() && size > MAX_FURTHER_SIZE
        {
            break;
        }
        let mut larger = Vec::new();
        for set in sets {
            if found.iter().any(|cause| cause.iter().all(|step| set.contains(step))) {
                continue;
            }
            let Some(run) = repaired_run(model, keys, trial, &set) else {
                continue;
            };
            if run.outcome != 0 {
                // Extending by later steps only generates each set once.
                let later = set.last().map_or(0, |last| last + 1);
                for step in own_errors(model, &run).filter(|&step| step >= later) {
                    larger.push(set.iter().copied().chain([step]).collect());
                }
            } else if !set.is_empty() {
                found.push(set);
            }
        }
        sets = larger;
    }
    if found.is_empty() {
        found.extend(reduced_set(model, keys, trial));
    }
    found
}

/// All steps that can err, minus those without which the run still ends correct. `None` for a correct run, and past the
/// cap if the rows of the whole set were not compiled.
fn reduced_set(model: &KernelModel, keys: &[u64], trial: u32) -> Option<Vec<usize>> {
    let correct =
        |set: &[usize]| repaired_run(model, keys, trial, set).is_some_and(|run| run.outcome == 0);
    let mut set: Vec<usize> = (0..model.kernels.len())
        .filter(|&step| model.kernels[step].branches().iter().any(|b| b.fault == BranchFault::Own))
        .collect();
    if correct(&[]) || !correct(&set) {
        return None;
    }
    for step in set.clone() {
        let without: Vec<usize> = set.iter().copied().filter(|&s| s != step).collect();
        if correct(&without) {
            set = without;
        }
    }
    Some(set)
}

/// The trial with the own errors of these steps repaired; `None` if its rows were not compiled.
pub fn repaired_run(
    model: &KernelModel,
    keys: &[u64],
    trial: u32,
    steps: &[usize],
) -> Option<ReplayedRun> {
    let mut what = vec![Intervention::Nothing; model.kernels.len()];
    for &step in steps {
        what[step] = Intervention::Repair;
    }
    replay(model, keys, trial, &what)
}

/// The steps that make an own error in a run, ascending.
pub fn own_errors<'a>(
    model: &'a KernelModel,
    run: &'a ReplayedRun,
) -> impl Iterator<Item = usize> + 'a {
    run.taken.iter().enumerate().filter_map(|(step, taken)| {
        let branch = &model.kernels[step].branches()[(*taken)?];
        (branch.fault == BranchFault::Own).then_some(step)
    })
}
