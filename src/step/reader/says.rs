//! What a reader makes of a context, by chance. What it can say, and how probable that is under some chances, are two
//! things: the second needs no passages, so that other chances can be tried by the million.

use std::collections::BTreeSet;

use super::{Event, Pool, Reader};
use crate::value::Value;
use crate::world::Corpus;

/// What is left of one and below this is rounding.
const ROUNDING: f64 = 1e-12;

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

    /// Whether all has a chance here that has one under the others.
    pub fn allow(&self, others: &Chances) -> bool {
        let possible = |c: &Chances| {
            let chances = [
                c.misread,
                c.distracted_above,
                c.distracted_below,
                c.overlooked,
                c.follow,
                c.fabricate,
                c.fabricate_empty,
                // The reader abstains else.
                c.follow + c.fabricate,
            ];
            chances.map(|chance| [chance > 0.0, 1.0 - chance > ROUNDING])
        };
        let pairs = possible(self).into_iter().zip(possible(others));
        pairs
            .flat_map(|(own, others)| own.into_iter().zip(others))
            .all(|(own, other)| own || !other)
    }

    fn distracted(&self, above: bool) -> f64 {
        if above { self.distracted_above } else { self.distracted_below }
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

/// How probable each of the things is that a reader can say of one reading, under any chances.
#[derive(Clone, Debug)]
pub struct Script {
    /// Where gold states the field.
    evidence: Option<Evidence>,
    /// Where it does not, or is overlooked.
    unaided: Unaided,
}

/// The shares of the values that come out in place of one.
type Others = Vec<f64>;

#[derive(Clone, Debug)]
struct Evidence {
    /// By gold passage that states the field: how many passages lie between it and the nearer end.
    hidden: Vec<i32>,
    /// By distractor: whether it ranks above.
    followed: Vec<(bool, Others)>,
    read: Others,
}

#[derive(Clone, Debug)]
enum Unaided {
    Distractor {
        followed: Others,
        made_up: Others,
    },
    /// No passage states the field.
    Nothing {
        made_up: Others,
    },
}

/// All that can come of a reading, whether it has a chance or not, and how probable that is.
pub fn script<'a>(reading: &Reading<'a>) -> (Vec<Said<'a>>, Script) {
    let Reading { gold, pool, context, .. } = *reading;
    let mut said = Vec::new();
    let mut voice = Voice { pool, said: &mut said };
    let stated = context.iter().filter_map(|&p| Some((p, gold.contains(&p), reading.stated(p)?)));
    let stated: Vec<(u32, bool, &Value)> = stated.collect();
    let first = stated.iter().find(|(_, is_gold, _)| !is_gold);
    let best = stated.iter().position(|(_, is_gold, _)| *is_gold);
    let evidence = best.map(|at| {
        let (passage, _, right) = stated[at];
        let evidence = |p: &u32| gold.contains(p) && reading.stated(*p).is_some();
        let places = context.iter().enumerate().filter(|(_, p)| evidence(p));
        Evidence {
            hidden: places.map(|(at, _)| at.min(context.len() - 1 - at) as i32).collect(),
            read: voice.read(passage, right, Event::Clean),
            followed: {
                let others = stated.iter().enumerate();
                let others = others.filter(|(_, (_, is_gold, value))| !is_gold && *value != right);
                let follow = |(i, &(passage, _, value)): (usize, &(u32, bool, &'a Value))| {
                    (i < at, voice.read(passage, value, Event::Distracted))
                };
                others.map(follow).collect()
            },
        }
    });
    let unaided = match first {
        None => Unaided::Nothing { made_up: voice.spread(None, Event::Fabricated, None) },
        Some(&(passage, _, value)) => {
            // What states the right value too is no distractor.
            let right = best.is_some_and(|at| stated[at].2 == value);
            let event = if right { Event::Clean } else { Event::Distracted };
            Unaided::Distractor {
                followed: voice.read(passage, value, event),
                made_up: voice.spread(Some(value), Event::Fabricated, None),
            }
        }
    };
    said.push(Said { value: None, event: Event::Abstained, source: None });
    (said, Script { evidence, unaided })
}

struct Voice<'v, 'a> {
    pool: &'a Pool,
    said: &'v mut Vec<Said<'a>>,
}

impl<'a> Voice<'_, 'a> {
    /// A value that is read comes out right, or as another one of the pool.
    fn read(&mut self, passage: u32, value: &'a Value, event: Event) -> Others {
        self.said.push(Said { value: Some(value), event, source: Some(passage) });
        self.spread(Some(value), Event::Misread, Some(passage))
    }

    /// A value of the pool but `not`; nothing where nothing is left.
    fn spread(&mut self, not: Option<&Value>, event: Event, source: Option<u32>) -> Others {
        let some = self.pool.without(not);
        let said = &mut *self.said;
        let other = |(value, share)| {
            said.push(Said { value: Some(value), event, source });
            share
        };
        some.map(other).collect()
    }
}

impl Script {
    /// Puts the probabilities into `p`, in the order of what is said; they add up to one.
    pub fn weigh(&self, chances: &Chances, p: &mut Vec<f64>) {
        p.clear();
        let mut unaided = 1.0;
        if let Some(Evidence { hidden, followed, read }) = &self.evidence {
            unaided = overlooked(chances, hidden);
            let passed =
                |left: f64, (above, _): &(bool, Others)| left - left * chances.distracted(*above);
            let mut left = 1.0 - unaided;
            push(p, followed.iter().fold(left, passed), read, chances.misread);
            for (above, others) in followed {
                let follow = left * chances.distracted(*above);
                left -= follow;
                push(p, follow, others, chances.misread);
            }
        }
        let (made_up, fabricate) = match &self.unaided {
            Unaided::Nothing { made_up } => (made_up, chances.fabricate_empty),
            Unaided::Distractor { followed, made_up } => {
                push(p, unaided * chances.follow, followed, chances.misread);
                (made_up, chances.fabricate)
            }
        };
        p.extend(made_up.iter().map(|share| unaided * fabricate * share));
        // Whatever is left says that the evidence is not there.
        let spoken: f64 = p.iter().sum();
        p.push(if 1.0 - spoken > ROUNDING { 1.0 - spoken } else { 0.0 });
    }
}

/// A value that is read with probability `read`, and those that it comes out as.
fn push(p: &mut Vec<f64>, read: f64, others: &Others, misread: f64) {
    p.push(if others.is_empty() { read } else { read * (1.0 - misread) });
    p.extend(others.iter().map(|share| read * misread * share));
}

/// The probability that a reader overlooks gold for where it stands: every passage between it and the nearer
/// end of the context hides it with the same chance. So it is none at the ends, highest in the middle, and in
/// the middle the higher the more passages there are. Gold that is there twice is overlooked twice.
fn overlooked(chances: &Chances, hidden: &[i32]) -> f64 {
    let seen = 1.0 - chances.overlooked;
    hidden.iter().map(|&between| 1.0 - seen.powi(between)).product()
}
