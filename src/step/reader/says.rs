//! What a reader makes of a context, by chance: nothing is copied, so that other chances can be tried by the million.

use std::collections::BTreeSet;

use super::{Event, Pool, Reader};
use crate::value::Value;
use crate::world::Corpus;

/// The parameters of a reader, looked up: see [`Reader::get`].
#[derive(Clone, Copy, Debug)]
pub struct Chances {
    misread: f64,
    distracted_above: f64,
    distracted_below: f64,
    overlooked: f64,
    follow: f64,
    fabricate: f64,
    fabricate_empty: f64,
}

impl Chances {
    pub fn of(reader: &Reader) -> Chances {
        Chances {
            misread: reader.get("misread"),
            distracted_above: reader.get("distracted_above"),
            distracted_below: reader.get("distracted_below"),
            overlooked: reader.get("overlooked"),
            follow: reader.get("follow"),
            fabricate: reader.get("fabricate"),
            fabricate_empty: reader.get("fabricate_empty"),
        }
    }
}

/// One thing that a reader can say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Said<'a> {
    /// `None`: that the evidence is not there.
    pub value: Option<&'a Value>,
    pub event: Event,
    /// The passage that it was read from, rightly or not.
    pub source: Option<u32>,
    pub p: f64,
}

/// Reading a field from passages.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    pub corpus: &'a Corpus,
    pub gold: &'a BTreeSet<u32>,
    pub field: &'a str,
    pub pool: &'a Pool,
    /// Best first.
    pub context: &'a [u32],
}

impl<'a> Reading<'a> {
    /// What a passage states.
    pub fn stated(&self, passage: u32) -> Option<&'a Value> {
        self.corpus.passages[passage as usize].facts.get(self.field)
    }
}

/// Puts into `said` all that can come of a reading; it adds up to one. What has no chance stands there too: so each
/// thing has the same place under any chances.
pub fn says<'a>(chances: &Chances, reading: &Reading<'a>, said: &mut Vec<Said<'a>>) {
    let Reading { gold, pool, context, .. } = *reading;
    said.clear();
    let mut voice = Voice { chances, pool, said };
    let stated = context.iter().filter_map(|&p| Some((p, gold.contains(&p), reading.stated(p)?)));
    let stated: Vec<(u32, bool, &Value)> = stated.collect();
    let first = stated.iter().find(|(_, is_gold, _)| !is_gold);
    let first = first.map(|(passage, _, value)| (*passage, *value));
    if let Some(at) = stated.iter().position(|(_, is_gold, _)| *is_gold) {
        let (best, _, right) = stated[at];
        let evidence = |p: &u32| gold.contains(p) && reading.stated(*p).is_some();
        let overlooked = overlooked(chances, context, evidence);
        let mut left = 1.0 - overlooked;
        let follow = |(i, &(passage, is_gold, value)): (usize, &(u32, bool, &'a Value))| {
            let chance = if i < at { chances.distracted_above } else { chances.distracted_below };
            (!is_gold && value != right).then(|| {
                let p = left * chance;
                left -= p;
                (passage, value, p)
            })
        };
        let followed: Vec<_> = stated.iter().enumerate().filter_map(follow).collect();
        voice.read(best, right, Event::Clean, left);
        for (passage, value, p) in followed {
            voice.read(passage, value, Event::Distracted, p);
        }
        voice.unaided(first, Some(right), overlooked);
    } else {
        voice.unaided(first, None, 1.0);
    }
    // Whatever is left says that the evidence is not there.
    let spoken: f64 = said.iter().map(|one| one.p).sum();
    let rounding = 1e-12;
    let abstain = if 1.0 - spoken > rounding { 1.0 - spoken } else { 0.0 };
    said.push(Said { value: None, event: Event::Abstained, source: None, p: abstain });
}

struct Voice<'v, 'a> {
    chances: &'v Chances,
    pool: &'a Pool,
    said: &'v mut Vec<Said<'a>>,
}

impl<'a> Voice<'_, 'a> {
    /// A value that is read comes out right, or as another one of the pool.
    fn read(&mut self, passage: u32, value: &'a Value, event: Event, p: f64) {
        let (source, at) = (Some(passage), self.said.len());
        self.said.push(Said { value: Some(value), event, source, p });
        self.spread(Some(value), Event::Misread, source, p * self.chances.misread);
        if self.said.len() > at + 1 {
            self.said[at].p = p * (1.0 - self.chances.misread);
        }
    }

    /// What is said without gold, or where it is overlooked.
    fn unaided(&mut self, first: Option<(u32, &'a Value)>, right: Option<&Value>, p: f64) {
        let Some((passage, value)) = first else {
            self.spread(None, Event::Fabricated, None, p * self.chances.fabricate_empty);
            return;
        };
        // What states the right value too is no distractor.
        let event = if Some(value) == right { Event::Clean } else { Event::Distracted };
        self.read(passage, value, event, p * self.chances.follow);
        self.spread(Some(value), Event::Fabricated, None, p * self.chances.fabricate);
    }

    /// A value of the pool but `not`; nothing where nothing is left.
    fn spread(&mut self, not: Option<&Value>, event: Event, source: Option<u32>, p: f64) {
        let some = self.pool.without(not);
        self.said.extend(some.map(|(value, share)| Said {
            value: Some(value),
            event,
            source,
            p: p * share,
        }));
    }
}

/// The probability that a reader overlooks gold for where it stands: every passage between it and the nearer
/// end of the context hides it with the same chance. So it is none at the ends, highest in the middle, and in
/// the middle the higher the more passages there are. Gold that is there twice is overlooked twice.
fn overlooked(chances: &Chances, context: &[u32], is_gold: impl Fn(&u32) -> bool) -> f64 {
    let seen = 1.0 - chances.overlooked;
    let gold = context.iter().enumerate().filter(|(_, p)| is_gold(p));
    gold.map(|(at, _)| 1.0 - seen.powi(at.min(context.len() - 1 - at) as i32)).product()
}
