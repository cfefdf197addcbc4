//! The trade-off scorecard: what each embedder finds in general, what near-misses it tells apart, and how its
//! vectors lie, side by side.
//!
//! 1. [`contender`]: an embedder, and what it is asked.
//! 2. [`retrieval`]: sets in BEIR's layout. [`composition`]: triplets and labelled pairs. [`geometry`]: the
//!    vectors themselves.
//! 3. [`pipeline`]: how often tasks fail, and what that costs, with each in a scenario's pipeline.
//! 4. [`score`]: one number with its interval, and its difference from the first embedder's.
//! 5. [`sheet`] and [`plot`]: what is written.
//!
//! Every embedder answers the same queries on the same texts, so differences are paired. Queries that share a passage, and
//! triplets and pairs that share a text, count as one cluster: [`shared`].

pub mod composition;
pub mod contender;
pub mod geometry;
pub mod pipeline;
pub mod plot;
pub mod retrieval;
pub mod score;
pub mod shared;
pub mod sheet;
pub mod spectrum;

use crate::progress::ProgressListener;
use crate::world::beir::BeirSet;
use crate::world::labelled_pair::LabelledPair;
use crate::world::triplet::Triplet;
use contender::Contender;
use score::Row;

/// What embedders are put to.
#[derive(Clone, Debug, Default)]
pub struct Probes {
    pub sets: Vec<BeirSet>,
    /// By the name of their file.
    pub triplets: Vec<(String, Vec<Triplet>)>,
    pub pairs: Vec<(String, Vec<LabelledPair>)>,
}

/// The scorecard, embedder by embedder in the order given; differences are from the first.
///
/// # Errors
/// Whatever an embedder reports, and probes without a text.
pub fn scorecard(
    contenders: &[Contender],
    probes: &Probes,
    seed: u64,
    progress: &dyn ProgressListener,
) -> anyhow::Result<Vec<Row>> {
    let mut all = Vec::new();
    let mut first: Vec<score::Score> = Vec::new();
    for contender in contenders {
        let mut scores = Vec::new();
        let mut spread = Vec::new();
        for (set, triplets) in &probes.triplets {
            let asked = composition::of_triplets(contender, set, triplets, progress)?;
            scores.extend(asked.scores);
            spread.extend(asked.differences);
        }
        for (set, pairs) in &probes.pairs {
            scores.extend(composition::of_pairs(contender, set, pairs, progress)?);
        }
        let apart = spectrum::Directions::of(&spread);
        for set in &probes.sets {
            let found = retrieval::of_set(contender, set, progress)?;
            scores.extend(found.scores);
            if let Some((passages, queries)) = found.vectors {
                scores.extend(geometry::of_set(set, &passages, &queries, apart.as_ref()));
            }
        }
        for score in &scores {
            let baseline = first.iter().find(|other| other.is_same(score));
            all.push(score.row(&contender.name, baseline, seed)?);
        }
        if first.is_empty() {
            first = scores;
        }
    }
    Ok(all)
}
