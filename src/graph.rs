//! The graph of steps: their topological order, and cycles.

use std::collections::{BTreeSet, VecDeque};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

/// The result of [`order`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Every node once, each after its parents; among nodes that are ready, the lowest first. Nodes on or downstream of
    /// a cycle come last.
    pub sorted: Vec<usize>,
    /// One cycle for each strongly connected component that has one, along the edges from parent to child, starting at
    /// its lowest node.
    pub cycles: Vec<Vec<usize>>,
}

/// Orders the nodes `0..parents.len()`; `parents[i]` lists the nodes that `i` needs, with indices below
/// `parents.len()`.
pub fn order(parents: &[Vec<usize>]) -> Order {
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
    Order { sorted, cycles: cycles(&children) }
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
        cycles.extend(shortest_way_back(start, &knot, children));
    }
    cycles.sort();
    cycles
}

/// The shortest cycle through `start` inside the component `knot`; `None` for a single node without an edge to itself.
fn shortest_way_back(
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
        assert_eq!(order, Order { sorted: vec![1, 3, 0, 2], cycles: vec![] });
    }

    #[test]
    fn each_knot_gives_one_cycle_in_the_direction_of_the_data() {
        // 0 -> 1 -> 2 -> 0, 4 -> 4, and 3 downstream of the first.
        let order = order(&[vec![2], vec![0], vec![1], vec![2], vec![4], vec![]]);
        assert_eq!(order.cycles, [vec![0, 1, 2], vec![4]]);
        assert_eq!(order.sorted, [5, 0, 1, 2, 3, 4]);
    }
}
