//! A model or an endpoint that gives the same vector for whatever it is asked: every figure made of it would be chance.

use std::collections::BTreeSet;

/// Told of texts and their vectors, as they come.
#[derive(Debug)]
pub struct SameVectors {
    /// Different texts that are enough to be sure.
    least: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// So far all vectors are this one; of the texts, what tells one from another.
    Same {
        vector: Vec<f32>,
        texts: BTreeSet<Vec<String>>,
    },
    Different,
}

impl SameVectors {
    pub fn new(least: usize) -> SameVectors {
        SameVectors { least, state: State::Same { vector: Vec::new(), texts: BTreeSet::new() } }
    }

    /// A vector of zeros is that of a text without a token, and says nothing of others, unless all are zeros.
    pub fn see(&mut self, text: &str, row: &[f32]) {
        let State::Same { vector, texts } = &mut self.state else { return };
        // Empty while all are zeros.
        let is_first = vector.is_empty();
        let is_zero = row.iter().all(|x| *x == 0.0);
        if text.trim().is_empty() || is_zero && !is_first {
            return;
        }
        if is_first && !is_zero {
            *vector = row.to_vec();
            texts.clear();
        }
        if !is_zero && vector != row {
            self.state = State::Different;
        } else if texts.len() < self.least {
            texts.insert(words(text));
        }
    }

    /// Whether no two vectors have differed yet.
    pub fn are_all_the_same(&self) -> bool {
        matches!(self.state, State::Same { .. })
    }

    /// How many different texts have one vector, where that is enough to be sure that all would have it.
    pub fn verdict(&self) -> Option<usize> {
        match &self.state {
            State::Same { texts, .. } if texts.len() >= self.least => Some(texts.len()),
            _ => None,
        }
    }
}

/// What makes a text different from others for any model: its words, whatever their order and capitals.
fn words(text: &str) -> Vec<String> {
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
        let mut same = SameVectors::new(3);
        texts.iter().for_each(|(text, row)| same.see(text, row));
        same.verdict()
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
