//! The row of a retrieve step: hit or miss, the kind of miss, and whose fault it is.

use std::collections::BTreeSet;

use super::{Branching, Event, MissKind, Output, Row};
use crate::kernel::Fault;
use crate::world::{Corpus, Passage};

/// What a task has to find at a retrieve step.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    pub corpus: &'a Corpus,
    pub gold: &'a BTreeSet<u32>,
    /// The fields that are read from the retrieved passages.
    pub fields: &'a [&'a str],
}

impl Target<'_> {
    fn hit(&self, context: &[u32]) -> bool {
        context.iter().any(|p| self.gold.contains(p))
    }

    /// Whether the gold passages in the context state every field that any gold passage states.
    fn complete(&self, context: &[u32]) -> bool {
        let states = |passage: &u32, field: &str| {
            self.corpus.passages[*passage as usize].facts.contains_key(field)
        };
        self.fields.iter().all(|field| {
            let here = context.iter().any(|p| self.gold.contains(p) && states(p, field));
            here || !self.gold.iter().any(|p| states(p, field))
        })
    }

    fn miss_kind(&self, context: &[u32]) -> MissKind {
        miss_kind(self.corpus, self.gold, self.fields, context.first().copied())
    }

    /// A branch that hands on exactly the gold passages.
    fn gold_alone(&self) -> Branching {
        let gold = self.gold.iter().copied().collect();
        Branching::new(Some(Output::Context(gold)), Event::Hit, 1.0)
    }

    /// The row for an input on which no query can be rendered. `own`: the same holds for the oracle's input.
    pub fn unaskable(&self, own: bool) -> Row {
        let fault = match (self.gold.is_empty(), own) {
            (true, _) => Fault::None,
            (false, true) => Fault::Own,
            (false, false) => Fault::Induced,
        };
        let missing = Branching::new(Some(Output::Missing), Event::Failed, 1.0);
        let branch = Branching { fault, ..missing };
        let repair = (fault != Fault::None).then(|| self.gold_alone());
        Row { branches: vec![branch], repair, wrong: Vec::new() }
    }
}

/// The kind of a miss, from comparing the best-ranked passage with the gold passages.
///
/// The kinds are tested in this order: nothing returned (`empty`); a declared variant of a gold passage; same attribute
/// but another entity (`binding`); same entity but another attribute, or none where gold has one (`attribute`);
/// otherwise `topic`.
///
/// Two passages have the same attribute if they have the same label, or if both state one of `fields`: a passage of a
/// real contract often holds several clauses, but has only one label.
pub fn miss_kind(
    corpus: &Corpus,
    gold: &BTreeSet<u32>,
    fields: &[&str],
    best: Option<u32>,
) -> MissKind {
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
    let states = |p: &Passage, field: &str| p.facts.contains_key(field);
    let alike = |g: &Passage| {
        same(&g.attribute, &best.attribute)
            || fields.iter().any(|field| states(g, field) && states(best, field))
    };
    if gold().any(|g| alike(g) && other(&g.entity, &best.entity)) {
        MissKind::Binding
    } else if gold()
        .any(|g| same(&g.entity, &best.entity) && g.attribute != best.attribute && !alike(g))
    {
        MissKind::Attribute
    } else {
        MissKind::Topic
    }
}

/// The passages that are not gold, ascending, grouped by the kind of miss that each causes when ranked first. Kinds
/// without passages are left out.
pub fn of_kind(target: Target) -> Vec<(MissKind, Vec<u32>)> {
    let Target { corpus, gold, .. } = target;
    let mut kinds: Vec<(MissKind, Vec<u32>)> = MissKind::ALL.map(|kind| (kind, Vec::new())).into();
    for passage in (0..corpus.passages.len() as u32).filter(|p| !gold.contains(p)) {
        let kind = target.miss_kind(&[passage]);
        kinds[kind as usize].1.push(passage);
    }
    kinds.retain(|(_, passages)| !passages.is_empty());
    kinds
}

/// The result of one phrasing of the query.
pub struct Phrasing<'a> {
    pub weight: f64,
    /// The ranking on the actual input, best first, truncated to what the step hands on.
    pub ranking: Vec<u32>,
    /// The same ranking without the gold passages, also truncated.
    pub without_gold: Vec<u32>,
    /// The ranking of the same phrasing on the oracle's inputs; `None` if the oracle never queries.
    pub right: Option<&'a [u32]>,
}

/// The row of a retrieve step: one branch per phrasing, with equal results merged.
///
/// If it can err, its repair hands on exactly the gold passages; otherwise its counterfactual error hands on the
/// passages that rank next.
pub fn row(target: Target, phrasings: &[Phrasing]) -> Row {
    let mut row = Row::default();
    let mut add = |output: &[u32], event, fault, p, broken: bool| {
        let branches = if broken { &mut row.wrong } else { &mut row.branches };
        let output = Some(Output::Context(output.to_vec()));
        let same = |b: &&mut Branching| (&b.output, b.event, b.fault) == (&output, event, fault);
        match branches.iter_mut().find(same) {
            Some(branch) => branch.p += p,
            None => branches.push(Branching { fault, ..Branching::new(output, event, p) }),
        }
    };
    let mut errs = false;
    for phrasing in phrasings {
        let ranking = &phrasing.ranking;
        // An error that also occurs with the oracle's query is the step's own; any other was induced upstream.
        let fault = |errs_too: &dyn Fn(&[u32]) -> bool| match phrasing.right {
            Some(right) if errs_too(right) => Fault::Own,
            _ => Fault::Induced,
        };
        let (event, fault) = if target.gold.is_empty() {
            (Event::NoGold, Fault::None)
        } else if !target.hit(ranking) {
            let kind = target.miss_kind(ranking);
            match fault(&|right| !target.hit(right)) {
                Fault::Own => (Event::OwnMiss(kind), Fault::Own),
                _ => (Event::InducedMiss(kind), Fault::Induced),
            }
        } else if !target.complete(ranking) {
            (Event::Partial, fault(&|right| !target.complete(right)))
        } else {
            (Event::Hit, Fault::None)
        };
        errs |= fault != Fault::None;
        add(ranking, event, fault, phrasing.weight, false);
    }
    if target.gold.is_empty() {
        return row;
    }
    if !errs {
        for phrasing in phrasings {
            let context = &phrasing.without_gold;
            let event = Event::OwnMiss(target.miss_kind(context));
            add(context, event, Fault::Own, phrasing.weight, true);
        }
    }
    row.repair = errs.then(|| target.gold_alone());
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;
    use crate::world::Variant;

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
            ..Corpus::default()
        };
        let gold = BTreeSet::from([0]);
        let kinds: Vec<MissKind> = [Some(1), Some(2), Some(3), Some(4), None]
            .map(|best| miss_kind(&corpus, &gold, &[], best))
            .into();
        use MissKind::*;
        assert_eq!(kinds, [Negation, Binding, Attribute, Topic, Empty]);

        // A different label, but it states the field that is read: the right clause of the wrong contract.
        let mut corpus = corpus;
        for at in [0, 4] {
            corpus.passages[at].facts.insert("months".to_owned(), Value::Number(1.0));
        }
        let kind = |fields: &[&str]| miss_kind(&corpus, &gold, fields, Some(4));
        assert_eq!((kind(&["months"]), kind(&["days"])), (Binding, Topic));
    }
}
