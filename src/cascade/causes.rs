//! But-for causes of one failing run: what would have had to be mended for it to end correct.

use crate::kernel::monte_carlo::{Run, replay};
use crate::kernel::{Do, Fault, Kernel, Model};

/// Up to this size further causes are looked for when smaller ones are found already.
const LARGEST_FURTHER: usize = 3;

/// Sets that are tried before the search gives way to [`reduced`].
const MOST_TRIED: usize = 1 << 14;

/// The minimal sets of steps such that mending them makes trial `trial` end correct with the same
/// random numbers: all of them up to three steps; past that, those of the smallest size that works.
/// Each set ascends; smaller sets come first, then those that begin earlier. Where so many steps have to
/// be mended together that there are too many sets to try, one minimal set is found by leaving steps
/// out of the whole one after another (past the cap it may hold a step too many, for want of rows).
///
/// Empty for a run that is correct.
pub fn but_for(model: &Model, keys: &[u64], trial: u32) -> Vec<Vec<usize>> {
    // The steps r1 < r2 < ... of a minimal set each err in the run in which those before them are
    // mended: up to r2 that run is the one with all of them mended, and if r2 did not err in it,
    // mending it would change nothing and the set would do without it. So sets grow by later steps
    // that err, also by those that err only once an earlier step is right, and no other set is tried.
    let mut found: Vec<Vec<usize>> = Vec::new();
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    let mut tried = 0;
    for size in 0.. {
        tried += sets.len();
        if sets.is_empty() || tried > MOST_TRIED || !found.is_empty() && size > LARGEST_FURTHER {
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
    if found.is_empty() {
        found.extend(reduced(model, keys, trial));
    }
    found
}

/// All steps that can err, less those that the run ends correct without; `None` for a correct run, and past
/// the cap where no row holds the whole.
fn reduced(model: &Model, keys: &[u64], trial: u32) -> Option<Vec<usize>> {
    let correct =
        |set: &[usize]| mended(model, keys, trial, set).is_some_and(|run| run.outcome == 0);
    let errs = |kernel: &Kernel| kernel.branches().iter().any(|b| b.fault == Fault::Own);
    let mut set: Vec<usize> =
        (0..model.kernels.len()).filter(|&step| errs(&model.kernels[step])).collect();
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
