//! What the oracle's query finds.

use crate::retrieve::PassageHit;

/// The search result of one phrasing of the oracle's query.
#[derive(Clone, Debug)]
pub struct RetrievalQuality {
    pub weight: f64,
    /// Best first, to the depth searched.
    pub ranking: Vec<PassageHit>,
}
