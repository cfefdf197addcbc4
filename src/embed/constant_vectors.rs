//! Detects a model or an endpoint that returns the same vector for every text, so that all results would be noise.

use std::collections::BTreeSet;

/// Observes texts and their vectors one by one.
#[derive(Debug)]
pub struct ConstantVectorDetector {
    /// Number of different texts with the same vector that is taken as proof.
    min_texts: usize,
    state: DetectorState,
}

#[derive(Debug)]
enum DetectorState {
    /// All vectors so far equal `vector`; `texts` holds the word sets of the different texts.
    Constant {
        vector: Vec<f32>,
        texts: BTreeSet<Vec<String>>,
    },
    Varying,
}

impl ConstantVectorDetector {
    pub fn new(min_texts: usize) -> ConstantVectorDetector {
        ConstantVectorDetector {
            min_texts,
            state: DetectorState::Constant { vector: Vec::new(), texts: BTreeSet::new() },
        }
    }

    /// Records a text's vector. A zero vector, as of a text without a token, counts only if all vectors are zero.
    pub fn observe(&mut self, text: &str, row: &[f32]) {
        let DetectorState::Constant { vector, texts } = &mut self.state else { return };
        // `vector` stays empty as long as all vectors are zero.
        let is_first = vector.is_empty();
        let is_zero = row.iter().all(|x| *x == 0.0);
        if text.trim().is_empty() || is_zero && !is_first {
            return;
        }
        // The zero vectors before the first other vector no longer count.
        if is_first && !is_zero {
            *vector = row.to_vec();
            texts.clear();
        }
        if !is_zero && vector != row {
            self.state = DetectorState::Varying;
        } else if texts.len() < self.min_texts {
            // More texts would only take memory: these are enough for the verdict.
            texts.insert(word_set(text));
        }
    }

    /// Whether no two vectors have differed so far.
    pub fn is_constant_so_far(&self) -> bool {
        matches!(self.state, DetectorState::Constant { .. })
    }

    /// The number of different texts with the same vector, if that is enough to conclude that every text has it.
    pub fn constant_text_count(&self) -> Option<usize> {
        match &self.state {
            DetectorState::Constant { texts, .. } if texts.len() >= self.min_texts => {
                Some(texts.len())
            }
            _ => None,
        }
    }
}

/// The words of a text, ignoring order and case. Any usable model gives texts with different words different vectors.
fn word_set(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: BTreeSet<&str> = words.collect();
    match words.is_empty() {
        true => vec![text.trim().to_owned()],
        false => words.into_iter().map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(texts: &[(&str, [f32; 2])]) -> Option<usize> {
        let mut same = ConstantVectorDetector::new(3);
        texts.iter().for_each(|(text, row)| same.observe(text, row));
        same.constant_text_count()
    }

    #[test]
    fn only_different_texts_count() {
        let (a, b, zero) = ([0.6, 0.8], [0.8, 0.6], [0.0, 0.0]);
        assert_eq!(verdict(&[("one", a), ("two", a), ("three", a)]), Some(3));
        assert_eq!(verdict(&[("one", a), ("two", a), ("three", b)]), None);
        assert_eq!(verdict(&[("one", a), ("two", a)]), None, "too few to be sure");
        assert_eq!(verdict(&[("one", a), ("One!", a), ("one one", a), ("two", a)]), None);
        assert_eq!(
            verdict(&[("the dog bites", a), ("bites the dog", a), ("bites: the dog", a)]),
            None
        );
        assert_eq!(verdict(&[("one", zero), ("two", zero), ("three", a), ("four", zero)]), None);
        assert_eq!(verdict(&[("one", zero), ("two", zero), ("three", zero)]), Some(3));
        assert_eq!(verdict(&[("one", zero), ("", zero), (" ", zero), ("two", zero)]), None);
        assert_eq!(verdict(&[("one", a), ("two", zero), ("three", a), ("four", a)]), Some(3));
        assert_eq!(verdict(&[("", zero), ("one", a), ("2", a), ("三", a)]), Some(3));
        assert_eq!(verdict(&[("?", a), ("!", a), ("...", a)]), Some(3));
        assert_eq!(
            verdict(&[("one", b), ("two", a), ("three", a), ("four", a), ("five", a)]),
            None
        );
        assert_eq!(verdict(&[]), None);
    }
}
