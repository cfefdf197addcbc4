//! Which pairs each batch holds: a function of the seed and the number of pairs, known before the first step.
//!
//! Each kind of pair is shuffled and dealt out, and shuffled again when it is used up. The two arms have
//! the same rehearsal pairs at the same positions and differ only in the remaining pairs.

use std::collections::HashSet;

use super::recipe::{TuningArm, TuningRecipe};
use crate::kernel::rng;

/// One pair of a batch, by its index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainingItem {
    Structural(usize),
    Rehearsal(usize),
}

/// A deck of cards that is reshuffled whenever it runs out.
struct PairDeck {
    seed: u64,
    name: &'static str,
    count: usize,
    round: u64,
    /// The remaining cards of this round; the next card is the last.
    left: Vec<usize>,
}

impl PairDeck {
    fn new(seed: u64, name: &'static str, count: usize) -> Self {
        Self { seed, name, count, round: 0, left: Vec::new() }
    }

    /// The next card that is not in `held`; if every card is held, the next card.
    fn deal(&mut self, held: &HashSet<usize>) -> usize {
        // The second attempt follows a reshuffle, which is needed if all remaining cards are held.
        for _ in 0..2 {
            if let Some(at) = self.left.iter().rposition(|card| !held.contains(card)) {
                return self.left.remove(at);
            }
            if held.len() < self.count || self.left.is_empty() {
                self.shuffle();
            }
        }
        self.left.pop().unwrap_or(0)
    }

    /// Deals `count` cards that are not in `held`, as far as possible, and adds them to it.
    fn deal_distinct(&mut self, count: usize, held: &mut HashSet<usize>) -> Vec<usize> {
        let mut hand = Vec::with_capacity(count);
        for _ in 0..count {
            let card = self.deal(held);
            held.insert(card);
            hand.push(card);
        }
        hand
    }

    /// Starts a new round; remaining cards stay on top.
    fn shuffle(&mut self) {
        let key = rng::key(self.seed, self.name, &self.round.to_string());
        let mut cards: Vec<usize> = (0..self.count).collect();
        cards.sort_by_key(|&card| (rng::draw(key, card as u64), card));
        cards.append(&mut self.left);
        self.left = cards;
        self.round += 1;
    }
}

/// The batches of all steps, given the numbers of structural and rehearsal pairs.
pub fn deal(
    recipe: &TuningRecipe,
    arm: TuningArm,
    structural: usize,
    rehearsal: usize,
) -> Vec<Vec<TrainingItem>> {
    let mut near = PairDeck::new(recipe.seed, "structural", structural);
    let mut pairs = PairDeck::new(recipe.seed, "rehearsal", rehearsal);
    let mut filler = PairDeck::new(recipe.seed, "control", rehearsal);
    let filled = recipe.structural_pairs();
    (0..recipe.steps)
        .map(|_| {
            let mut held = HashSet::new();
            let rehearsal = pairs.deal_distinct(recipe.batch - filled, &mut held);
            let mut batch: Vec<TrainingItem> = match arm {
                TuningArm::Structural => {
                    let dealt = near.deal_distinct(filled, &mut HashSet::new());
                    dealt.into_iter().map(TrainingItem::Structural).collect()
                }
                TuningArm::Control => filler
                    .deal_distinct(filled, &mut held)
                    .into_iter()
                    .map(TrainingItem::Rehearsal)
                    .collect(),
            };
            batch.extend(rehearsal.into_iter().map(TrainingItem::Rehearsal));
            batch
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::recipe::TuningMethod;
    use super::*;

    #[test]
    fn the_arms_share_their_rehearsal_and_use_equally_many_pairs() {
        let recipe = TuningRecipe { steps: 40, batch: 8, ..TuningRecipe::new(TuningMethod::Full) };
        let tuned = deal(&recipe, TuningArm::Structural, 11, 50);
        let control = deal(&recipe, TuningArm::Control, 11, 50);
        let mut uses = [0; 11];
        for (tuned, control) in tuned.iter().zip(&control) {
            assert_eq!((tuned.len(), control.len()), (8, 8));
            assert_eq!(tuned[4..], control[4..]);
            for item in &tuned[..4] {
                let TrainingItem::Structural(at) = item else { panic!("{item:?}") };
                uses[*at] += 1;
            }
            for (i, item) in control.iter().enumerate() {
                assert!(matches!(item, TrainingItem::Rehearsal(_)));
                assert!(!control[..i].contains(item), "twice in a batch");
            }
        }
        // 160 cards from a deck of 11: each is dealt 14 or 15 times.
        assert!(uses.iter().all(|n| (14..=15).contains(n)), "{uses:?}");
        let other = TuningRecipe { seed: 1, ..recipe };
        assert_ne!(deal(&other, TuningArm::Structural, 11, 50), tuned);
    }

    #[test]
    fn a_deck_smaller_than_a_batch_can_be_dealt() {
        let recipe = TuningRecipe { steps: 3, batch: 8, ..TuningRecipe::new(TuningMethod::Full) };
        let batches = deal(&recipe, TuningArm::Control, 0, 3);
        assert!(batches.iter().all(|batch| batch.len() == 8));
    }
}
