//! Draws the sample of tasks that `tasks.sample` asks for.

use crate::kernel::rng;
use crate::world::Task;

/// The tasks in the order in which they are drawn, as indices.
pub fn sample_order(tasks: &[Task], seed: u64) -> Vec<usize> {
    let mut drawn: Vec<(u64, usize)> = tasks
        .iter()
        // Step ids are identifiers, so no step uses this name and its random numbers.
        .map(|task| rng::draw(rng::key(seed, &task.id, "(sample)"), 1))
        .zip(0..)
        .collect();
    drawn.sort_unstable();
    drawn.into_iter().map(|(_, at)| at).collect()
}

/// Keeps the `size` tasks with the smallest draws, in file order.
///
/// A draw is a function of the seed and the task's id alone, so adding or removing one task changes the sample by at
/// most one task.
pub(super) fn sample_tasks(tasks: &mut Vec<Task>, size: usize, seed: u64) {
    let mut kept = vec![false; tasks.len()];
    sample_order(tasks, seed).into_iter().take(size).for_each(|at| kept[at] = true);
    let mut kept = kept.into_iter();
    tasks.retain(|_| kept.next() == Some(true));
}
