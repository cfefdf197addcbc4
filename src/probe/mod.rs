//! The trade-off scorecard: compares embedders by general retrieval, by their accuracy on near-misses, and by the
//! geometry of their vectors. All embedders get the same queries and texts, in the same order, so that differences are
//! paired.
//!
//! 1. [`contender`]: an embedder with its name, and how it embeds and ranks.
//! 2. [`retrieval`]: retrieval sets in BEIR's layout. [`composition`]: triplets and labelled pairs. [`geometry`]: the
//!    vectors themselves.
//! 3. [`pipeline`]: failure rates and costs with each embedder in a scenario's pipeline.
//! 4. [`score`]: one number with its interval, and its difference from that of the first embedder.
//! 5. [`scorecard_output`] and [`plot`]: the output files.
//!
//! Queries that share a passage, and triplets and pairs that share a text, count as one cluster: see [`clustering`].

pub mod clustering;
pub mod composition;
pub mod contender;
pub mod geometry;
pub mod pipeline;
pub mod plot;
pub mod retrieval;
pub mod score;
mod scorecard_csv;
pub mod scorecard_output;
pub mod spectrum;

use crate::progress::ProgressListener;
use crate::world::beir::BeirDataset;
use crate::world::labelled_pair::LabelledPair;
use crate::world::triplet::TextTriplet;
use contender::ProbeContender;
use score::ScorecardRow;
pub use scorecard_csv::scorecard_table;

/// The data that embedders are compared on.
#[derive(Clone, Debug, Default)]
pub struct ProbeDatasets {
    /// Retrieval sets in BEIR's layout.
    pub sets: Vec<BeirDataset>,
    /// With the name of their file.
    pub triplets: Vec<(String, Vec<TextTriplet>)>,
    /// With the name of their file.
    pub pairs: Vec<(String, Vec<LabelledPair>)>,
}

/// Computes the scorecard, embedder by embedder in the order given; differences are from the first.
///
/// # Errors
/// Whatever an embedder reports, and data without a text.
pub fn scorecard(
    contenders: &[ProbeContender],
    probes: &ProbeDatasets,
    seed: u64,
    progress: &dyn ProgressListener,
) -> anyhow::Result<Vec<ScorecardRow>> {
    let mut all = Vec::new();
    let mut first: Vec<score::ProbeScore> = Vec::new();
    for contender in contenders {
        let mut scores = Vec::new();
        let mut spread = Vec::new();
        for (set, triplets) in &probes.triplets {
            let asked = composition::score_triplets(contender, set, triplets, progress)?;
            scores.extend(asked.scores);
            spread.extend(asked.differences);
        }
        for (set, pairs) in &probes.pairs {
            scores.extend(composition::score_pairs(contender, set, pairs, progress)?);
        }
        // The directions of near-misses come from the triplets, so these are embedded before any retrieval set.
        let apart = spectrum::NearMissDirections::from_differences(&spread);
        for set in &probes.sets {
            let found = retrieval::score_retrieval(contender, set, progress)?;
            scores.extend(found.scores);
            if let Some((passages, queries)) = found.vectors {
                scores.extend(geometry::score_geometry(set, &passages, &queries, apart.as_ref()));
            }
        }
        for score in &scores {
            // Matched by measure and set: the first embedder may lack a score, and then there is no difference.
            let baseline = first.iter().find(|other| other.same_measure(score));
            all.push(score.row(&contender.name, baseline, seed)?);
        }
        if first.is_empty() {
            first = scores;
        }
    }
    Ok(all)
}
