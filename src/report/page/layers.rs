//! Layered layout of a DAG, from left to right, with few crossings. Computes coordinates only.
//!
//! A step's layer is the length of the longest path to it; an edge across several layers gets a bend in each; within a
//! layer, items are sorted by the mean position of their neighbours (the barycentre heuristic of Sugiyama et al. 1981).

/// The number of sweeps that improve the order within layers, alternately to the right and to the left.
const SWEEPS: usize = 6;

/// Distances of the layout, in the units of the drawing.
pub struct Sizes {
    /// The distance from one layer to the next.
    pub across: f64,
    /// The height that a step and a bend take up in a layer.
    pub step: f64,
    pub bend: f64,
}

/// The coordinates of steps and edges, and the size of the drawing.
pub struct Layout {
    /// The centre of each step.
    pub steps: Vec<(f64, f64)>,
    /// The points of each edge, from the centre of the parent to that of the child.
    pub edges: Vec<Vec<(f64, f64)>>,
    pub width: f64,
    pub height: f64,
}

/// An item of a layer, by the index of its step or edge.
#[derive(Clone, Copy)]
enum Item {
    Step(usize),
    /// An edge that crosses the layer.
    Bend(usize),
}

/// Computes the layout of steps that are numbered in topological order; `edges` are (parent, child).
pub fn layout(steps: usize, edges: &[(usize, usize)], sizes: &Sizes) -> Layout {
    let layer = layers(steps, edges);
    let count = layer.iter().max().map_or(0, |last| last + 1);
    let mut rows: Vec<Vec<Item>> = vec![Vec::new(); count];
    for (step, &at) in layer.iter().enumerate() {
        rows[at].push(Item::Step(step));
    }
    // An edge has a bend in every layer strictly between its parent's and its child's.
    for (edge, &(parent, child)) in edges.iter().enumerate() {
        for row in &mut rows[layer[parent] + 1..layer[child]] {
            row.push(Item::Bend(edge));
        }
    }
    let near = |item: Item, to: Item| match (item, to) {
        (Item::Step(a), Item::Step(b)) => edges.contains(&(a, b)) || edges.contains(&(b, a)),
        (Item::Step(a), Item::Bend(e)) | (Item::Bend(e), Item::Step(a)) => {
            edges[e].0 == a || edges[e].1 == a
        }
        (Item::Bend(a), Item::Bend(b)) => a == b,
    };
    for sweep in 0..SWEEPS {
        let order: Vec<usize> = match sweep % 2 {
            0 => (1..count).collect(),
            _ => (0..count.saturating_sub(1)).rev().collect(),
        };
        for at in order {
            let beside = if sweep % 2 == 0 { rows[at - 1].clone() } else { rows[at + 1].clone() };
            let places = heights(&beside, sizes);
            let mut row: Vec<(f64, Item)> = std::mem::take(&mut rows[at])
                .into_iter()
                .enumerate()
                .map(|(own, item)| {
                    let of = beside.iter().zip(&places).filter(|(other, _)| near(item, **other));
                    let of: Vec<f64> = of.map(|(_, place)| *place).collect();
                    let mean = of.iter().sum::<f64>() / of.len() as f64;
                    (if of.is_empty() { own as f64 } else { mean }, item)
                })
                .collect();
            // The sort is stable: ties keep their order, so the layout is deterministic.
            row.sort_by(|a, b| a.0.total_cmp(&b.0));
            rows[at] = row.into_iter().map(|(_, item)| item).collect();
        }
    }
    place(&rows, steps, edges, sizes)
}

/// The layer of each step: the longest path to it. A step without parents is moved to the layer before its first child.
fn layers(steps: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut layer = vec![0usize; steps];
    for child in 0..steps {
        let before = edges.iter().filter(|edge| edge.1 == child).map(|edge| layer[edge.0] + 1);
        layer[child] = before.max().unwrap_or(0);
    }
    for step in (0..steps).filter(|&step| edges.iter().all(|edge| edge.1 != step)) {
        let after = edges.iter().filter(|edge| edge.0 == step).map(|edge| layer[edge.1]);
        layer[step] = after.min().map_or(0, |first| first.saturating_sub(1));
    }
    layer
}

fn size(item: Item, sizes: &Sizes) -> f64 {
    match item {
        Item::Step(_) => sizes.step,
        Item::Bend(_) => sizes.bend,
    }
}

/// The vertical centres of a layer's items, with the layer centred on 0.
fn heights(row: &[Item], sizes: &Sizes) -> Vec<f64> {
    let mut at = -row.iter().map(|&item| size(item, sizes)).sum::<f64>() / 2.0;
    let place = |&item: &Item| {
        let middle = at + size(item, sizes) / 2.0;
        at += size(item, sizes);
        middle
    };
    row.iter().map(place).collect()
}

/// Turns ordered layers into coordinates.
fn place(rows: &[Vec<Item>], steps: usize, edges: &[(usize, usize)], sizes: &Sizes) -> Layout {
    let tall = |row: &Vec<Item>| row.iter().map(|&item| size(item, sizes)).sum::<f64>();
    let height = rows.iter().map(tall).fold(0.0, f64::max);
    let mut layout = Layout {
        steps: vec![(0.0, 0.0); steps],
        edges: vec![Vec::new(); edges.len()],
        width: sizes.across * rows.len() as f64,
        height,
    };
    for (at, row) in rows.iter().enumerate() {
        let x = sizes.across * (at as f64 + 0.5);
        for (&item, y) in row.iter().zip(heights(row, sizes)) {
            let spot = (x, height / 2.0 + y);
            match item {
                Item::Step(step) => layout.steps[step] = spot,
                Item::Bend(edge) => layout.edges[edge].push(spot),
            }
        }
    }
    for (path, &(parent, child)) in layout.edges.iter_mut().zip(edges) {
        path.insert(0, layout.steps[parent]);
        path.push(layout.steps[child]);
    }
    layout
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { across: 100.0, step: 50.0, bend: 20.0 };

    #[test]
    fn edges_go_right_and_around_what_stands_between() {
        // 0 -> 1 -> 2 -> 3, and 0 -> 3 past two layers; 4 joins at the end.
        let edges = [(0, 1), (1, 2), (2, 3), (0, 3), (4, 3)];
        let found = layout(5, &edges, &SIZES);
        for path in &found.edges {
            assert!(path.windows(2).all(|pair| pair[0].0 < pair[1].0), "{path:?}");
        }
        let long = &found.edges[3];
        assert_eq!(long.len(), 4);
        for (bend, step) in [(long[1], found.steps[1]), (long[2], found.steps[2])] {
            assert!(bend.0 == step.0 && (bend.1 - step.1).abs() >= 35.0);
        }
        assert_eq!(found.steps[4].0, found.steps[2].0, "a source stands before its child");
    }

    #[test]
    fn crossings_that_need_not_be_are_undone() {
        // Two chains whose second steps are numbered in the opposite order to the first ones.
        let found = layout(4, &[(0, 3), (1, 2)], &SIZES);
        let above = |a: usize, b: usize| found.steps[a].1 < found.steps[b].1;
        assert_eq!(above(0, 1), above(3, 2));
    }
}
