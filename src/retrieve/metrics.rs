//! Retrieval metrics of one ranking, given the relevant passages. The score of a set of queries is the mean.
//!
//! The definitions are those of trec_eval (`recall`, `ndcg_cut`, `recip_rank`, `success`), with one difference
//! in the input: trec_eval sorts a run again and breaks ties by document name, descending; here
//! the order of the ranking is used unchanged (equal scores by passage index, ascending). As in
//! trec_eval, every metric is 0 for a query without any relevant passage:
//! [`RelevanceJudgements::is_empty`] identifies such queries, so that a mean can exclude them. A ranking holds each
//! passage at most once.

use std::collections::BTreeMap;

use super::PassageHit;

/// The relevant passages of one query, with their gains.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RelevanceJudgements {
    gains: BTreeMap<u32, f64>,
    /// The gains, in descending order.
    ideal: Vec<f64>,
}

impl RelevanceJudgements {
    /// These passages are relevant, all with a gain of 1.
    pub fn binary(relevant: impl IntoIterator<Item = u32>) -> RelevanceJudgements {
        RelevanceJudgements::from_gains(
            relevant.into_iter().map(|passage| (passage, 1.0)).collect(),
        )
    }

    /// Passages with finite gains. A passage whose gain is not above zero is not relevant; if a passage is
    /// given twice, its last gain is used.
    ///
    /// # Errors
    /// A gain that is not a finite number.
    pub fn graded(
        gains: impl IntoIterator<Item = (u32, f64)>,
    ) -> anyhow::Result<RelevanceJudgements> {
        let gains: BTreeMap<u32, f64> = gains.into_iter().collect();
        if let Some((passage, gain)) = gains.iter().find(|(_, gain)| !gain.is_finite()) {
            anyhow::bail!("the gain of passage {passage} is {gain}, which is not a finite number");
        }
        Ok(RelevanceJudgements::from_gains(gains))
    }

    fn from_gains(mut gains: BTreeMap<u32, f64>) -> RelevanceJudgements {
        gains.retain(|_, gain| *gain > 0.0);
        let mut ideal: Vec<f64> = gains.values().copied().collect();
        ideal.sort_unstable_by(|a, b| b.total_cmp(a));
        RelevanceJudgements { gains, ideal }
    }

    /// Whether no passage is relevant.
    pub fn is_empty(&self) -> bool {
        self.gains.is_empty()
    }

    /// Whether this passage is relevant.
    pub fn is_relevant(&self, passage: u32) -> bool {
        self.gains.contains_key(&passage)
    }

    /// hit@k: 1 if any of the first `k` is relevant, else 0.
    pub fn hit(&self, ranking: &[PassageHit], k: usize) -> f64 {
        f64::from(u8::from(self.first_relevant(ranking, k).is_some()))
    }

    /// recall@k: the share of the relevant passages that are among the first `k`.
    pub fn recall(&self, ranking: &[PassageHit], k: usize) -> f64 {
        let found = ranking.iter().take(k).filter(|hit| self.is_relevant(hit.passage)).count();
        found as f64 / self.gains.len().max(1) as f64
    }

    /// The reciprocal rank: 1 / the rank, from 1, of the first relevant passage; 0 if none is ranked.
    pub fn reciprocal_rank(&self, ranking: &[PassageHit]) -> f64 {
        self.reciprocal_rank_at(ranking, ranking.len())
    }

    /// The reciprocal rank if the first relevant passage is among the first `k`, else 0.
    pub fn reciprocal_rank_at(&self, ranking: &[PassageHit], k: usize) -> f64 {
        self.first_relevant(ranking, k).map_or(0.0, |place| 1.0 / (place + 1) as f64)
    }

    /// nDCG@k: DCG over the DCG of the best possible ranking, where DCG is the sum over ranks
    /// r = 1..k of gain / log2(r + 1). The gain is linear, as in Järvelin and Kekäläinen,
    /// "Cumulated Gain-Based Evaluation of IR Techniques", TOIS 2002, not 2^gain - 1.
    pub fn ndcg(&self, ranking: &[PassageHit], k: usize) -> f64 {
        let gains = ranking.iter().map(|hit| self.gains.get(&hit.passage).copied().unwrap_or(0.0));
        let ideal = dcg(self.ideal.iter().copied().take(k));
        if ideal > 0.0 { dcg(gains.take(k)) / ideal } else { 0.0 }
    }

    /// The position, from 0, of the first relevant passage among the first `k`.
    fn first_relevant(&self, ranking: &[PassageHit], k: usize) -> Option<usize> {
        ranking.iter().take(k).position(|hit| self.is_relevant(hit.passage))
    }
}

fn dcg(gains: impl Iterator<Item = f64>) -> f64 {
    // Not `sum`, which returns -0 for an empty iterator.
    (2u32..).zip(gains).fold(0.0, |sum, (discount, gain)| sum + gain / f64::from(discount).log2())
}
