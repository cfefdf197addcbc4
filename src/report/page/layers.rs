//! Where the steps of a DAG stand: in layers from left to right, with few crossings. Geometry alone.
//!
//! Layers are longest paths; an edge over several layers bends between the steps of each; within a layer what has
//! its neighbours further up stands further up (the barycentre heuristic of Sugiyama et al. 1981).

/// How often the order within layers is improved, to and fro.
const SWEEPS: usize = 6;

pub struct Sizes {
    /// From one layer to the next.
    pub across: f64,
    /// What a step, and an edge passing by, take of a layer.
    pub step: f64,
    pub bend: f64,
}

pub struct Layout {
    /// The middle of each step.
    pub steps: Vec<(f64, f64)>,
    /// The points of each edge, from the middle of the parent to that of the child.
    pub edges: Vec<Vec<(f64, f64)>>,
    pub width: f64,
    pub height: f64,
}

#[derive(Clone, Copy)]
enum Item {
    Step(usize),
    /// An edge passing by.
    Bend(usize),
}

/// Lays out steps that are numbered in topological order; `edges` are (parent, child).
pub fn layout(steps: usize, edges: &[(usize, usize)], sizes: &Sizes) -> Layout {
    let layer = layers(steps, edges);
    let count = layer.iter().max().map_or(0, |last| last + 1);
    let mut rows: Vec<Vec<Item>> = vec![Vec::new(); count];
    for (step, &at) in layer.iter().enumerate() {
        rows[at].push(Item::Step(step));
    }
    // Items of an edge by layer: its parent, its bends, its child.
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
            // Stable: what is equally high stays in its order.
            row.sort_by(|a, b| a.0.total_cmp(&b.0));
            rows[at] = row.into_iter().map(|(_, item)| item).collect();
        }
    }
    place(&rows, steps, edges, sizes)
}

/// The longest path to each step; a step without parents stands just before its first child.
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

/// The middles of a layer's items around 0.
fn heights(row: &[Item], sizes: &Sizes) -> Vec<f64> {
    let mut at = -row.iter().map(|&item| size(item, sizes)).sum::<f64>() / 2.0;
    let place = |&item: &Item| {
        let middle = at + size(item, sizes) / 2.0;
        at += size(item, sizes);
        middle
    };
    row.iter().map(place).collect()
}

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
        // Two chains whose second steps are numbered the other way round.
        let found = layout(4, &[(0, 3), (1, 2)], &SIZES);
        let above = |a: usize, b: usize| found.steps[a].1 < found.steps[b].1;
        assert_eq!(above(0, 1), above(3, 2));
    }
}
