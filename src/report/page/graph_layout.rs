//! Layered layout of a DAG, from left to right, with few crossings. Computes coordinates only.
//!
//! A step's layer is the length of the longest path to it; an edge across several layers gets a bend in each; within a
//! layer, items are sorted by the mean position of their neighbours (the barycentre heuristic of Sugiyama et al. 1981).

/// The number of sweeps that improve the order within layers, alternately to the right and to the left.
const SWEEPS: usize = 6;

/// Distances of the layout, in the units of the drawing.
pub struct LayoutSpacing {
    /// The distance from one layer to the next.
    pub layer_distance: f64,
    /// The height that a step and a bend take up in a layer.
    pub step_height: f64,
    pub bend_height: f64,
}

/// The coordinates of steps and edges, and the size of the drawing.
pub struct GraphLayout {
    /// The centre of each step.
    pub steps: Vec<(f64, f64)>,
    /// The points of each edge, from the centre of the parent to that of the child.
    pub edges: Vec<Vec<(f64, f64)>>,
    pub width: f64,
    pub height: f64,
}

/// An item of a layer, by the index of its step or edge.
#[derive(Clone, Copy)]
enum GraphLayerItem {
    Step(usize),
    /// An edge that crosses the layer.
    Bend(usize),
}

/// Computes the layout of steps that are numbered in topological order; `edges` are (parent, child).
pub fn layout(steps: usize, edges: &[(usize, usize)], sizes: &LayoutSpacing) -> GraphLayout {
    let layer = layers(steps, edges);
    let count = layer.iter().max().map_or(0, |last| last + 1);
    let mut rows: Vec<Vec<GraphLayerItem>> = vec![Vec::new(); count];
    for (step, &at) in layer.iter().enumerate() {
        rows[at].push(GraphLayerItem::Step(step));
    }
    // An edge has a bend in every layer strictly between its parent's and its child's.
    for (edge, &(parent, child)) in edges.iter().enumerate() {
        for row in &mut rows[layer[parent] + 1..layer[child]] {
            row.push(GraphLayerItem::Bend(edge));
        }
    }
    for sweep in 0..SWEEPS {
        let order: Vec<usize> = match sweep % 2 {
            0 => (1..count).collect(),
            _ => (0..count.saturating_sub(1)).rev().collect(),
        };
        for at in order {
            let beside = if sweep % 2 == 0 { rows[at - 1].clone() } else { rows[at + 1].clone() };
            let places = item_centres(&beside, sizes);
            let mut row: Vec<(f64, GraphLayerItem)> = std::mem::take(&mut rows[at])
                .into_iter()
                .enumerate()
                .map(|(own, item)| {
                    let of = beside
                        .iter()
                        .zip(&places)
                        .filter(|(other, _)| are_joined(edges, item, **other));
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
    place_layers(&rows, steps, edges, sizes)
}

fn are_joined(edges: &[(usize, usize)], item: GraphLayerItem, other: GraphLayerItem) -> bool {
    match (item, other) {
        (GraphLayerItem::Step(a), GraphLayerItem::Step(b)) => {
            edges.contains(&(a, b)) || edges.contains(&(b, a))
        }
        (GraphLayerItem::Step(a), GraphLayerItem::Bend(e))
        | (GraphLayerItem::Bend(e), GraphLayerItem::Step(a)) => edges[e].0 == a || edges[e].1 == a,
        (GraphLayerItem::Bend(a), GraphLayerItem::Bend(b)) => a == b,
    }
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

fn item_height(item: GraphLayerItem, sizes: &LayoutSpacing) -> f64 {
    match item {
        GraphLayerItem::Step(_) => sizes.step_height,
        GraphLayerItem::Bend(_) => sizes.bend_height,
    }
}

/// The vertical centres of a layer's items, with the layer centred on 0.
fn item_centres(row: &[GraphLayerItem], sizes: &LayoutSpacing) -> Vec<f64> {
    let mut at = -row.iter().map(|&item| item_height(item, sizes)).sum::<f64>() / 2.0;
    let mut centres = Vec::with_capacity(row.len());
    for &item in row {
        centres.push(at + item_height(item, sizes) / 2.0);
        at += item_height(item, sizes);
    }
    centres
}

/// Turns ordered layers into coordinates.
fn place_layers(
    rows: &[Vec<GraphLayerItem>],
    steps: usize,
    edges: &[(usize, usize)],
    sizes: &LayoutSpacing,
) -> GraphLayout {
    let tall =
        |row: &Vec<GraphLayerItem>| row.iter().map(|&item| item_height(item, sizes)).sum::<f64>();
    let height = rows.iter().map(tall).fold(0.0, f64::max);
    let mut layout = GraphLayout {
        steps: vec![(0.0, 0.0); steps],
        edges: vec![Vec::new(); edges.len()],
        width: sizes.layer_distance * rows.len() as f64,
        height,
    };
    for (at, row) in rows.iter().enumerate() {
        let x = sizes.layer_distance * (at as f64 + 0.5);
        for (&item, y) in row.iter().zip(item_centres(row, sizes)) {
            let spot = (x, height / 2.0 + y);
            match item {
                GraphLayerItem::Step(step) => layout.steps[step] = spot,
                GraphLayerItem::Bend(edge) => layout.edges[edge].push(spot),
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

    const SIZES: LayoutSpacing =
        LayoutSpacing { layer_distance: 100.0, step_height: 50.0, bend_height: 20.0 };

    #[test]
    fn edges_run_right_and_around_steps() {
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
    fn avoidable_crossings_are_removed() {
        // Two chains whose second steps are numbered in the opposite order to the first ones.
        let found = layout(4, &[(0, 3), (1, 2)], &SIZES);
        let above = |a: usize, b: usize| found.steps[a].1 < found.steps[b].1;
        assert_eq!(above(0, 1), above(3, 2));
    }
}
