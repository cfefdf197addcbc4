//! MPNet's relative position bias: a learnt number per head and distance between query and key, the same in every
//! layer. Large distances share buckets, as in T5 (arXiv 1910.10683, section 2.1).

use std::ops::Range;

/// The distance at which the logarithmic buckets end.
const MAX_BUCKETED_DISTANCE: f32 = 128.0;

/// The bucket of a distance, the position of the key minus that of the query. Each direction has half of the
/// `buckets`; half of those are for exact distances, the rest grow logarithmically.
pub fn bucket(distance: isize, buckets: usize) -> usize {
    let half = buckets / 2;
    let exact = half / 2;
    let far = distance.unsigned_abs();
    let bucket = if far < exact {
        far
    } else {
        let share = (far as f32 / exact as f32).ln() / (MAX_BUCKETED_DISTANCE / exact as f32).ln();
        (exact + (share * (half - exact) as f32) as usize).min(half - 1)
    };
    if distance > 0 { half + bucket } else { bucket }
}

/// The bias of every head at every distance in texts of limited length.
pub struct RelativeBias {
    /// (heads, 2 longest - 1), by distance from `1 - longest` to `longest - 1`.
    by_distance: Vec<f32>,
    longest: usize,
}

impl RelativeBias {
    /// `learnt` is (buckets, heads).
    pub fn new(learnt: &[f32], heads: usize, longest: usize) -> Self {
        let buckets = learnt.len() / heads;
        let span = 1 - longest as isize..longest as isize;
        let by_distance = (0..heads)
            .flat_map(|head| {
                span.clone().map(move |distance| learnt[bucket(distance, buckets) * heads + head])
            })
            .collect();
        Self { by_distance, longest }
    }

    /// The biases of the query at position `place` for the positions `keys`.
    pub fn row(&self, head: usize, place: usize, keys: Range<usize>) -> &[f32] {
        let zero = head * (2 * self.longest - 1) + self.longest - 1 - place;
        &self.by_distance[zero + keys.start..zero + keys.end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from `MPNetEncoder.relative_position_bucket` of transformers 5.24.
    #[test]
    fn buckets_are_those_of_transformers() {
        let known = [
            (-500, 15),
            (-200, 15),
            (-128, 15),
            (-64, 14),
            (-63, 13),
            (-32, 12),
            (-31, 11),
            (-16, 10),
            (-15, 9),
            (-12, 9),
            (-11, 8),
            (-8, 8),
            (-7, 7),
            (-1, 1),
            (0, 0),
            (1, 17),
            (7, 23),
            (8, 24),
            (12, 25),
            (16, 26),
            (31, 27),
            (32, 28),
            (45, 28),
            (46, 29),
            (64, 30),
            (90, 30),
            (91, 31),
            (383, 31),
        ];
        for (distance, want) in known {
            assert_eq!(bucket(distance, 32), want, "{distance}");
        }
    }

    #[test]
    fn a_row_of_biases_is_ordered_by_distance() {
        let learnt: Vec<f32> = (0..64).map(|i| i as f32).collect();
        let bias = RelativeBias::new(&learnt, 2, 20);
        for place in [0, 7, 19] {
            for (key, got) in bias.row(1, place, 0..20).iter().enumerate() {
                let distance = key as isize - place as isize;
                assert_eq!(*got, (bucket(distance, 32) * 2 + 1) as f32);
            }
        }
    }
}
