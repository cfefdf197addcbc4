//! But-for causes of one failing run: what would have had to be mended for it to end correct.

use crate::kernel::monte_carlo::{Run, replay};
use crate::kernel::{Do, Fault, Model};

/// Up to this size further causes are looked for when smaller ones are found already.
const LARGEST_FURTHER: usize = 3;

/// The minimal sets of steps such that mending them makes trial `trial` end correct with the same
/// random numbers: all of them up to three steps; past that, those of the smallest size that works.
/// Each set ascends; smaller sets come first, then those that begin earlier.
///
/// Empty for a run that is correct, and for one of a model past the cap that holds no row for what
/// would have to be mended (see [`replay`]).
pub fn but_for(model: &Model, keys: &[u64], trial: u32) -> Vec<Vec<usize>> {
    // The steps r1 < r2 < ... of a minimal set each err in the run in which those before them are
    // mended: up to r2 that run is the one with all of them mended, and if r2 did not err in it,
    // mending it would change nothing and the set would do without it. So sets grow by later steps
    // that err, also by those that err only once an earlier step is right, and no other set is tried.
    let mut found: Vec<Vec<usize>> = Vec::new();
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    for size in 0.. {
        if sets.is_empty() || !found.is_empty() && size > LARGEST_FURTHER {
            break;
        }
        let mut larger = Vec::new();
        for set in sets {
            let holds = |cause: &Vec<usize>| cause.iter().all(|step| set.contains(step));
            if found.iter().any(holds) {
                continue;
            }
            let Some(run) = mended(model, keys, trial, &set) else {
                continue;
            };
            if run.outcome != 0 {
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
    found
}

/// The run with the own errors of these steps mended.
pub fn mended(model: &Model, keys: &[u64], trial: u32, steps: &[usize]) -> Option<Run> {
    let mut what = vec![Do::Nothing; model.kernels.len()];
    for &step in steps {
        what[step] = Do::Repair;
    }
    replay(model, keys, trial, &what)
}

/// The steps that make an error of their own in a run, ascending.
pub fn own_errors<'a>(model: &'a Model, run: &'a Run) -> impl Iterator<Item = usize> + 'a {
    let own = |(step, taken): (usize, &Option<usize>)| {
        let branch = &model.kernels[step].branches()[(*taken)?];
        (branch.fault == Fault::Own).then_some(step)
    };
    run.taken.iter().enumerate().filter_map(own)
}
