//! Which tasks are replayed where there are more than anybody needs.

use crate::kernel::rng;
use crate::world::Task;

/// Keeps `size` tasks, in file order: those with the smallest draws.
///
/// A draw is a function of the seed and the task's id, so a task added to the file or taken out changes
/// the sample by one task at most.
pub(super) fn draw(tasks: &mut Vec<Task>, size: usize, seed: u64) {
    let mut drawn: Vec<(u64, usize)> = tasks
        .iter()
        // No step has this name: ids are identifiers.
        .map(|task| rng::draw(rng::key(seed, &task.id, "(sample)"), 1))
        .zip(0..)
        .collect();
    drawn.sort_unstable();
    drawn.truncate(size);
    let mut kept = vec![false; tasks.len()];
    drawn.into_iter().for_each(|(_, at)| kept[at] = true);
    let mut kept = kept.into_iter();
    tasks.retain(|_| kept.next() == Some(true));
}
