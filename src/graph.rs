//! The graph of steps: their topological order, and cycles.

use std::collections::{BTreeSet, VecDeque};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// The result of [`order`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologicalOrder {
    /// Every node once, each after its parents; among nodes that are ready, the lowest first. Nodes on or downstream of
    /// a cycle come last.
    pub sorted: Vec<usize>,
    /// One cycle for each strongly connected component that has one, along the edges from parent to child, starting at
    /// its lowest node.
    pub cycles: Vec<Vec<usize>>,
}

/// Orders the nodes `0..parents.len()`; `parents[i]` lists the nodes that `i` needs, with indices below
/// `parents.len()`.
pub fn order(parents: &[Vec<usize>]) -> TopologicalOrder {
    let mut children = vec![Vec::new(); parents.len()];
    let mut waiting: Vec<usize> = vec![0; parents.len()];
    for (node, needs) in parents.iter().enumerate() {
        // A parent that is named twice must not be waited for twice.
        for parent in needs.iter().collect::<BTreeSet<_>>() {
            children[*parent].push(node);
            waiting[node] += 1;
        }
    }
    // Ordered, so that the order of the file decides among nodes that are ready.
    let mut ready: BTreeSet<usize> = (0..parents.len()).filter(|n| waiting[*n] == 0).collect();
    let mut sorted = Vec::with_capacity(parents.len());
    while let Some(node) = ready.pop_first() {
        sorted.push(node);
        for child in &children[node] {
            waiting[*child] -= 1;
            if waiting[*child] == 0 {
                ready.insert(*child);
            }
        }
    }
    sorted.extend((0..parents.len()).filter(|n| waiting[*n] > 0));
    TopologicalOrder { sorted, cycles: cycles(&children) }
}

/// Outputs that may be open at once in the order as written. A node is open from its turn to that of its last child. Each
/// open output at least doubles the joint states of a run, so 2^12 is what stays well below any sensible limit.
const OPEN_AT_ONCE: usize = 12;

/// As [`order`], but where that keeps many outputs open at once and another order keeps fewer, that other one: parts that
/// do not depend on each other then follow one another, and the work grows with their sum and not with their product.
pub fn narrow_order(parents: &[Vec<usize>]) -> TopologicalOrder {
    let order = order(parents);
    if !order.cycles.is_empty() {
        return order;
    }
    let open = most_open(parents, &order.sorted);
    if open <= OPEN_AT_ONCE {
        return order;
    }
    let narrow = close_early(parents);
    if most_open(parents, &narrow) < open {
        TopologicalOrder { sorted: narrow, ..order }
    } else {
        order
    }
}

/// Each node after its parents; of those that are ready the one that leaves the fewest outputs open, the lowest of equals.
fn close_early(parents: &[Vec<usize>]) -> Vec<usize> {
    let mut uses = uses(parents);
    let has_children: Vec<bool> = uses.iter().map(|uses| *uses > 0).collect();
    let mut left: BTreeSet<usize> = (0..parents.len()).collect();
    let mut done = vec![false; parents.len()];
    let mut sorted = Vec::with_capacity(parents.len());
    while !left.is_empty() {
        let ready = left.iter().filter(|node| parents[**node].iter().all(|parent| done[*parent]));
        let next = ready.copied().min_by_key(|node| {
            let closed = parents[*node].iter().filter(|parent| uses[**parent] == 1).count();
            i64::from(has_children[*node]) - closed as i64
        });
        let Some(node) = next else { break };
        left.remove(&node);
        done[node] = true;
        parents[node].iter().for_each(|parent| uses[*parent] -= 1);
        sorted.push(node);
    }
    sorted
}

/// The most nodes that are open at once.
fn most_open(parents: &[Vec<usize>], sorted: &[usize]) -> usize {
    let mut uses = uses(parents);
    let (mut open, mut most) = (0, 0);
    for &node in sorted {
        for &parent in &parents[node] {
            uses[parent] -= 1;
            open -= usize::from(uses[parent] == 0);
        }
        open += usize::from(uses[node] > 0);
        most = most.max(open);
    }
    most
}

/// By node: how often it is a parent.
fn uses(parents: &[Vec<usize>]) -> Vec<usize> {
    let mut uses = vec![0; parents.len()];
    parents.iter().flatten().for_each(|parent| uses[*parent] += 1);
    uses
}

fn cycles(children: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut graph = DiGraph::<(), ()>::new();
    for _ in children {
        graph.add_node(());
    }
    for (parent, children) in children.iter().enumerate() {
        for child in children {
            graph.add_edge(NodeIndex::new(parent), NodeIndex::new(*child), ());
        }
    }
    let mut cycles = Vec::new();
    for knot in tarjan_scc(&graph) {
        let knot: BTreeSet<usize> = knot.into_iter().map(NodeIndex::index).collect();
        let Some(&start) = knot.first() else {
            continue;
        };
        cycles.extend(shortest_cycle(start, &knot, children));
    }
    cycles.sort();
    cycles
}

/// The shortest cycle through `start` inside the component `knot`; `None` for a single node without an edge to itself.
fn shortest_cycle(
    start: usize,
    knot: &BTreeSet<usize>,
    children: &[Vec<usize>],
) -> Option<Vec<usize>> {
    let mut came_from = vec![None; children.len()];
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for &child in &children[node] {
            if child == start {
                let mut way = vec![node];
                while let Some(before) = came_from[way[way.len() - 1]] {
                    way.push(before);
                }
                way.reverse();
                return Some(way);
            }
            if knot.contains(&child) && came_from[child].is_none() {
                came_from[child] = Some(node);
                queue.push_back(child);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_the_written_order_is_kept_otherwise() {
        let order = order(&[vec![3], vec![], vec![0, 1], vec![]]);
        assert_eq!(order, TopologicalOrder { sorted: vec![1, 3, 0, 2], cycles: vec![] });
    }

    #[test]
    fn parts_that_are_independent_follow_one_another_where_there_are_many() {
        // 2n parents, each with one child that all come after the parents.
        let apart = |n: usize| -> Vec<Vec<usize>> {
            (0..2 * n).map(|node| if node < n { vec![] } else { vec![node - n] }).collect()
        };
        assert_eq!(narrow_order(&apart(12)), order(&apart(12)));
        let narrow = narrow_order(&apart(13)).sorted;
        assert_eq!(narrow[..4], [0, 13, 1, 14]);
        assert_eq!(most_open(&apart(13), &narrow), 1);
        // One child of all: no order is narrower, and the written one stays.
        let mut joined = vec![vec![]; 13];
        joined.push((0..13).collect());
        assert_eq!(narrow_order(&joined), order(&joined));
        // Two chains written in turns, through which nothing is open but their last node: as written.
        let chains: Vec<Vec<usize>> =
            (0..40usize).map(|node| node.checked_sub(2).into_iter().collect()).collect();
        assert_eq!(narrow_order(&chains), order(&chains));
    }

    #[test]
    fn each_knot_gives_one_cycle_in_the_direction_of_the_data() {
        // 0 -> 1 -> 2 -> 0, 4 -> 4, and 3 downstream of the first.
        let order = order(&[vec![2], vec![0], vec![1], vec![2], vec![4], vec![]]);
        assert_eq!(order.cycles, [vec![0, 1, 2], vec![4]]);
        assert_eq!(order.sorted, [5, 0, 1, 2, 3, 4]);
        assert_eq!(narrow_order(&[vec![2], vec![0], vec![1], vec![2], vec![4], vec![]]), order);
    }
}
