//! One trellis under many weights of its rows at once: where runs end, and what they pay on the way.
//!
//! Nothing but the ends is wanted here, so one forward sweep carries a whole lane of weights: every transition is
//! looked up once a lane. And states with the same future are one: most wrong values end alike.

use rustc_hash::FxHashMap;

use super::trellis::Trellis;

/// Weights that are carried together.
pub const LANE: usize = 8;

/// The same number under each of the weights.
pub type Lane = [f64; LANE];

/// A row that no run comes by: the run has stopped.
const STOPPED: u32 = u32::MAX;

/// A trellis without detours, whose rows stand in a list of weights; of states with the same rows and the same ends
/// ahead of them, one.
#[derive(Clone, Debug)]
pub struct Many {
    layers: Vec<Layer>,
}

#[derive(Clone, Debug)]
struct Layer {
    /// By state: where its row starts in the list.
    rows: Vec<u32>,
    at: Vec<u32>,
    next: Vec<u32>,
    /// States after the step.
    states: usize,
}

/// Where runs end.
#[derive(Clone, Debug, PartialEq)]
pub struct Ends {
    /// Probability of each end.
    pub states: Vec<Lane>,
    /// What a run pays on the way, on average.
    pub paid: Lane,
}

impl Many {
    /// `start(step, row)`: where the row stands in the list that [`Many::ends`] gets: what a run pays that takes it,
    /// and then the share of each of its branches. `ends`: by final state, the number of its end, from 0 without
    /// gaps.
    pub fn new(trellis: &Trellis, start: impl Fn(usize, u32) -> u32, ends: &[u32]) -> Many {
        let mut layers = Vec::with_capacity(trellis.layers.len());
        let mut after = ends.to_vec();
        for (step, layer) in trellis.layers.iter().enumerate().rev() {
            let mut states: FxHashMap<(u32, Box<[u32]>), u32> = FxHashMap::default();
            let count = after.iter().max().map_or(0, |&last| last as usize + 1);
            let mut one =
                Layer { rows: Vec::new(), at: Vec::new(), next: Vec::new(), states: count };
            let number = |(state, row): (usize, &Option<u32>)| {
                let row = row.map_or(STOPPED, |row| start(step, row));
                let targets = layer.targets(state).iter().map(|&to| after[to as usize]).collect();
                let new = states.len() as u32;
                *states.entry((row, targets)).or_insert_with_key(|(row, targets)| {
                    one.rows.push(*row);
                    one.at.push(one.next.len() as u32);
                    one.next.extend(targets);
                    new
                })
            };
            after = layer.rows.iter().enumerate().map(number).collect();
            layers.push(one);
        }
        layers.reverse();
        Many { layers }
    }

    pub fn ends(&self, weights: &[Lane]) -> Ends {
        let mut now = vec![[1.0; LANE]];
        let mut paid = [0.0; LANE];
        for layer in &self.layers {
            let mut next = vec![[0.0; LANE]; layer.states];
            for (state, p) in now.iter().enumerate() {
                let end = layer.at.get(state + 1).map_or(layer.next.len(), |&at| at as usize);
                let targets = &layer.next[layer.at[state] as usize..end];
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
        Ends { states: now, paid }
    }
}

#[inline]
fn add(sum: &mut Lane, p: &Lane) {
    for (sum, p) in sum.iter_mut().zip(p) {
        *sum += p;
    }
}

#[inline]
pub fn add_times(sum: &mut Lane, p: &Lane, by: &Lane) {
    for ((sum, p), by) in sum.iter_mut().zip(p).zip(by) {
        *sum += p * by;
    }
}
