//! What a retrieve step hands on: hit or miss, of what kind, and whose fault.

use std::collections::BTreeSet;

use super::{Branching, Event, MissKind, Output};
use crate::world::Corpus;

/// The kind of a miss, from the best-ranked passage against the gold ones.
///
/// Tried in this order: a declared variant of a gold passage; nothing returned; same attribute and
/// another entity (`binding`); same entity and another attribute, or none where gold has one
/// (`attribute`); else `topic`.
pub fn miss_kind(corpus: &Corpus, gold: &BTreeSet<u32>, best: Option<u32>) -> MissKind {
    let Some(best) = best else {
        return MissKind::Empty;
    };
    let best = &corpus.passages[best as usize];
    let gold = || gold.iter().map(|&g| &corpus.passages[g as usize]);
    if let (Some(of), Some(variant)) = (&best.of, best.variant)
        && gold().any(|g| g.id == *of)
    {
        return variant.into();
    }
    let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
    let other = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
    if gold().any(|g| same(&g.attribute, &best.attribute) && other(&g.entity, &best.entity)) {
        MissKind::Binding
    } else if gold().any(|g| same(&g.entity, &best.entity) && g.attribute != best.attribute) {
        MissKind::Attribute
    } else {
        MissKind::Topic
    }
}

/// One phrasing's ranking on the actual input, and whether the right input would have hit.
pub struct Phrasing<'a> {
    pub weight: f64,
    /// Best first; cut to what the step hands on.
    pub ranking: Vec<u32>,
    /// The ranking of the same phrasing on the oracle's inputs; `None` where the oracle never asks.
    pub right: Option<&'a [u32]>,
}

/// The branches of a retrieve step: one a phrasing, phrasings with the same result merged.
pub fn branches(corpus: &Corpus, gold: &BTreeSet<u32>, phrasings: Vec<Phrasing>) -> Vec<Branching> {
    let mut row: Vec<Branching> = Vec::new();
    for phrasing in phrasings {
        let hits = |ranking: &[u32]| ranking.iter().any(|p| gold.contains(p));
        let event = if gold.is_empty() {
            Event::NoGold
        } else if hits(&phrasing.ranking) {
            Event::Hit
        } else {
            let kind = miss_kind(corpus, gold, phrasing.ranking.first().copied());
            match phrasing.right {
                Some(right) if !hits(right) => Event::OwnMiss(kind),
                _ => Event::InducedMiss(kind),
            }
        };
        let output = Some(Output::Context(phrasing.ranking));
        match row.iter_mut().find(|b| b.output == output && b.event == event) {
            Some(branch) => branch.p += phrasing.weight,
            None => row.push(Branching { output, event, p: phrasing.weight }),
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::{Passage, Variant};

    fn passage(id: &str, entity: &str, attribute: &str) -> Passage {
        Passage {
            id: id.to_owned(),
            text: String::new(),
            entity: Some(entity.to_owned()),
            attribute: Some(attribute.to_owned()),
            facts: Default::default(),
            of: None,
            variant: None,
        }
    }

    #[test]
    fn the_best_ranked_passage_decides_the_kind() {
        let mut twin = passage("twin", "acme", "term");
        (twin.of, twin.variant) = (Some("gold".to_owned()), Some(Variant::Negation));
        let corpus = Corpus {
            name: "c".to_owned(),
            passages: vec![
                passage("gold", "acme", "term"),
                twin,
                passage("other", "globex", "term"),
                passage("near", "acme", "law"),
                passage("far", "globex", "law"),
            ],
        };
        let gold = BTreeSet::from([0]);
        let kinds: Vec<MissKind> = [Some(1), Some(2), Some(3), Some(4), None]
            .map(|best| miss_kind(&corpus, &gold, best))
            .into();
        use MissKind::*;
        assert_eq!(kinds, [Negation, Binding, Attribute, Topic, Empty]);
    }
}
