//! One trellis under several sets of row weights at once: where runs end, and what they pay on the way.
//!
//! Only the final distribution is needed, so one forward sweep carries several sets of weights, and each transition
//! is looked up once for all of them. States with the same future are merged; most wrong values have the same future.

use rustc_hash::FxHashMap;

use super::trellis::Trellis;

/// The number of sets of weights that are swept together.
pub const LANE_WIDTH: usize = 8;

/// One number under each set of weights.
pub type WeightLane = [f64; LANE_WIDTH];

/// Stands for the row of a stopped run.
const STOPPED: u32 = u32::MAX;

/// A trellis without counterfactual rows that refers to its rows by offset into a list of weights. States with the
/// same row and the same futures are merged.
#[derive(Clone, Debug)]
pub struct BatchedSweep {
    layers: Vec<MergedLayer>,
}

#[derive(Clone, Debug)]
struct MergedLayer {
    /// By state: the offset of its row in the list of weights.
    rows: Vec<u32>,
    offsets: Vec<u32>,
    next: Vec<u32>,
    /// Number of states after the step.
    states: usize,
}

/// The distribution of runs over final states.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepEnds {
    /// Probability of each end state.
    pub states: Vec<WeightLane>,
    /// What a run pays on the way, on average.
    pub paid: WeightLane,
}

impl BatchedSweep {
    /// `start(step, row)`: the offset of the row in the list passed to [`Many::ends`]. At the offset is what a run
    /// pays for taking the row, followed by the share of each branch. `ends`: by final state, the number of its end
    /// state; the numbers are consecutive from 0.
    pub fn new(trellis: &Trellis, start: impl Fn(usize, u32) -> u32, ends: &[u32]) -> BatchedSweep {
        // Backwards, so that the targets of a layer are already merged when its states are compared.
        let mut layers = Vec::with_capacity(trellis.layers.len());
        let mut after = ends.to_vec();
        for (step, layer) in trellis.layers.iter().enumerate().rev() {
            let mut states: FxHashMap<(u32, Box<[u32]>), u32> = FxHashMap::default();
            let count = after.iter().max().map_or(0, |&last| last as usize + 1);
            let mut one = MergedLayer {
                rows: Vec::new(),
                offsets: Vec::new(),
                next: Vec::new(),
                states: count,
            };
            after = layer
                .rows
                .iter()
                .enumerate()
                .map(|(state, row)| {
                    let row = row.map_or(STOPPED, |row| start(step, row));
                    let targets =
                        layer.targets(state).iter().map(|&to| after[to as usize]).collect();
                    let new = states.len() as u32;
                    *states.entry((row, targets)).or_insert_with_key(|(row, targets)| {
                        one.rows.push(*row);
                        one.offsets.push(one.next.len() as u32);
                        one.next.extend(targets);
                        new
                    })
                })
                .collect();
            layers.push(one);
        }
        layers.reverse();
        BatchedSweep { layers }
    }

    pub fn sweep(&self, weights: &[WeightLane]) -> SweepEnds {
        let mut now = vec![[1.0; LANE_WIDTH]];
        let mut paid = [0.0; LANE_WIDTH];
        for layer in &self.layers {
            let mut next = vec![[0.0; LANE_WIDTH]; layer.states];
            for (state, p) in now.iter().enumerate() {
                let end = layer.offsets.get(state + 1).map_or(layer.next.len(), |&at| at as usize);
                let targets = &layer.next[layer.offsets[state] as usize..end];
                if layer.rows[state] == STOPPED {
                    add(&mut next[targets[0] as usize], p);
                    continue;
                }
                let row = &weights[layer.rows[state] as usize..];
                add_times(&mut paid, p, &row[0]);
                for (share, &to) in row[1..].iter().zip(targets) {
                    add_times(&mut next[to as usize], p, share);
                }
            }
            now = next;
        }
        SweepEnds { states: now, paid }
    }
}

#[inline]
fn add(sum: &mut WeightLane, p: &WeightLane) {
    // Arrays of fixed length let the compiler vectorise over the sets of weights.
    for (sum, p) in sum.iter_mut().zip(p) {
        *sum += p;
    }
}

#[inline]
pub fn add_times(sum: &mut WeightLane, p: &WeightLane, by: &WeightLane) {
    for ((sum, p), by) in sum.iter_mut().zip(p).zip(by) {
        *sum += p * by;
    }
}
