//! Classifies the rows of an arm: rows whose weights agree under any odds form a class.

use anyhow::{Context, ensure};
use indexmap::IndexMap;
use rayon::prelude::*;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::rows::RowContext;
use super::search_cache::CorpusRankings;
use super::search_plan::{SearchNeed, StepInput, StepPlan};
use super::{CompileContext, InputSupport, TaskBuilder};
use crate::scenario::{PipelineStep, PipelineStepKind};
use crate::step::guard::{GuardTrace, GuardedBranch};
use crate::step::reader::{AnswerDistribution, ArmReaderModel, ReaderRates, answer_distribution};
use crate::step::{StepEvent, StepOutput};

/// Other odds must lie within the support of those at which the arm was compiled, so this is a caller's error.
pub(super) const OUTSIDE_SUPPORT: &str = "other odds make something happen that was impossible";

/// The cost to a run of leaving a step with this event and guard trace, given the step's index.
pub type StepCostFn<'a> = dyn Fn(usize, StepEvent, Option<&GuardTrace>) -> f64 + Sync + 'a;

/// Marks a row that no run without interventions reaches.
const UNREACHED: u32 = u32::MAX;

/// A class of rows whose weights agree under any odds.
pub(super) struct RowClass {
    /// A representative row: its task, its step and its position among the inputs.
    pub place: (usize, usize, usize),
    /// The position of its weights among all weights, and their number.
    pub start: usize,
    pub width: usize,
    pub weights: RowWeights,
}

/// How the weights of a row are computed. They are the expected cost of a run that takes the row, followed by the
/// share of each branch that had positive probability when the arm was compiled.
pub(super) enum RowWeights {
    /// They do not depend on the odds.
    Fixed(Vec<f64>),
    /// They follow from a reader's answers, without guards. For each answer: whether it had positive probability when
    /// the arm was compiled, and its cost.
    Reads { answers: AnswerDistribution, possible: Vec<bool>, costs: Vec<f64> },
    /// The row must be compiled again; these are its branches as first compiled.
    Recompiled(Vec<GuardedBranch>),
}

/// The classes, and by task, step and row of a kernel the index of the row's class.
pub(super) struct RowClasses {
    pub list: Vec<RowClass>,
    pub class_of: Vec<Vec<Vec<u32>>>,
    /// By step: the field that it reads; empty for other steps.
    fields: Vec<String>,
}

impl RowClasses {
    /// By step: the rates at which this reader reads there.
    pub fn rates_by_step(&self, reader: &ArmReaderModel) -> Vec<ReaderRates> {
        rates_by_step(&self.fields, reader)
    }
}

fn rates_by_step(fields: &[String], reader: &ArmReaderModel) -> Vec<ReaderRates> {
    fields.iter().map(|field| reader.rates(field)).collect()
}

/// The compiled arm from which weights are computed.
#[derive(Clone, Copy)]
pub(super) struct ReweightContext<'g, 'a> {
    pub drafts: &'g [TaskBuilder<'a>],
    /// By step, then by task.
    pub plans: &'g [Vec<StepPlan<'a>>],
    /// By step.
    pub answers: &'g [CorpusRankings<'g>],
    pub cost: &'g StepCostFn<'g>,
}

/// The distinct rows of one task.
#[derive(Default)]
struct DistinctRows {
    /// By step and row: an index into `distinct`.
    numbers: Vec<Vec<u32>>,
    /// The bits of the weights at all three odds, with the step and the input of the first row that has them.
    distinct: IndexMap<Vec<u64>, (usize, usize), FxBuildHasher>,
}

impl<'a> ReweightContext<'_, 'a> {
    /// Classifies the rows that runs without interventions reach. The arm must have been compiled in the first context.
    ///
    /// # Errors
    /// See [`super::reweight::ReweightableArm::weigh`].
    pub fn classes(&self, contexts: [&CompileContext<'a>; 3]) -> anyhow::Result<RowClasses> {
        let field_at = |step: &PipelineStep| match &step.kind {
            PipelineStepKind::Read { field, .. } => field.clone(),
            _ => String::new(),
        };
        let fields: Vec<String> = contexts[0].scenario.steps.iter().map(field_at).collect();
        let chances = contexts.map(|context| rates_by_step(&fields, &context.odds.reader));
        let tasks = (0..self.drafts.len()).into_par_iter();
        let distinct = tasks.map(|task| self.distinct_rows(&contexts, &chances, task));
        let distinct = distinct.collect::<anyhow::Result<Vec<DistinctRows>>>()?;
        let mut known: FxHashMap<Vec<u64>, u32> = FxHashMap::default();
        let mut list: Vec<RowClass> = Vec::new();
        let mut class_of = Vec::with_capacity(distinct.len());
        let mut start = 0;
        for (task, rows_of_task) in distinct.into_iter().enumerate() {
            let mut class = |(bits, (step, input)): (Vec<u64>, (usize, usize))| {
                if let Some(&class) = known.get(&bits) {
                    return Ok(class);
                }
                let width = bits.len() / contexts.len();
                // Equal at all three points: the weights do not depend on the odds.
                let fixed = bits.chunks_exact(width).all(|weights| *weights == bits[..width]);
                let place = (task, step, input);
                let how = match fixed {
                    true => RowWeights::Fixed(
                        bits[..width].iter().map(|&b| f64::from_bits(b)).collect(),
                    ),
                    false => self.row_weights(contexts[0], place, &chances[0][step])?,
                };
                let number = list.len() as u32;
                list.push(RowClass { place, start, width, weights: how });
                start += width;
                known.insert(bits, number);
                Ok(number)
            };
            let numbers = rows_of_task.distinct.into_iter().map(&mut class);
            let numbers = numbers.collect::<anyhow::Result<Vec<u32>>>()?;
            class_of.push(
                rows_of_task
                    .numbers
                    .into_iter()
                    .map(|rows| {
                        rows.into_iter()
                            .map(|place| numbers.get(place as usize).copied().unwrap_or(UNREACHED))
                            .collect()
                    })
                    .collect(),
            );
        }
        Ok(RowClasses { list, class_of, fields })
    }

    fn distinct_rows(
        &self,
        contexts: &[&CompileContext<'a>; 3],
        chances: &[Vec<ReaderRates>; 3],
        task: usize,
    ) -> anyhow::Result<DistinctRows> {
        let mut rows = DistinctRows::default();
        let draft = &self.drafts[task];
        if !matches!(draft.support, InputSupport::Joint(_)) {
            return Ok(rows); // past the cap, nothing is swept
        }
        let (mut probabilities, mut weights) = (Vec::new(), Vec::new());
        for (step, plans) in self.plans.iter().enumerate() {
            let mut of_step = vec![UNREACHED; draft.kernels[step].row_count()];
            for (place, input) in
                plans[task].inputs.iter().enumerate().filter(|(_, i)| i.reachable_by_repairs)
            {
                let row =
                    draft.kernels[step].row(&input.tokens).context("an input without a row")?;
                let how = self.row_weights(contexts[0], (task, step, place), &chances[0][step])?;
                weights.clear();
                for (context, chances) in contexts.iter().zip(chances) {
                    match &how {
                        RowWeights::Recompiled(like) => self.append_recompiled(
                            context,
                            (task, step, place),
                            like,
                            &mut weights,
                        )?,
                        how => how.weigh(&chances[step], &mut probabilities, &mut weights)?,
                    }
                }
                let bits = weights.iter().map(|weight: &f64| weight.to_bits()).collect();
                let entry = rows.distinct.entry(bits);
                of_step[row as usize] = entry.index() as u32;
                entry.or_insert((step, place));
            }
            rows.numbers.push(of_step);
        }
        Ok(rows)
    }

    /// How the weights of a row are computed that was compiled in this context; `chances` are its reader's rates at
    /// the step.
    fn row_weights(
        &self,
        context: &CompileContext<'a>,
        (task, step, place): (usize, usize, usize),
        chances: &ReaderRates,
    ) -> anyhow::Result<RowWeights> {
        let StepInput { tokens, need: wish, .. } = &self.plans[step][task].inputs[place];
        let draft = &self.drafts[task];
        if context.guarded(step) && !matches!(wish, SearchNeed::NotRun(_)) {
            return Ok(RowWeights::Recompiled(
                self.possible_branches(context, (task, step, place)),
            ));
        }
        if let ArmReaderModel::Simulated(_) = &context.odds.reader
            && let PipelineStepKind::Read { from, field } = &context.scenario.steps[step].kind
            && let SearchNeed::NoSearch = wish
            && let Some(StepOutput::Context(passages)) = draft.visible_outputs(step, tokens)[*from]
        {
            let reading = context.reading(draft, *from, step, field, passages);
            let reading = reading.context("nothing to read from")?;
            let (listed, answers) = answer_distribution(&reading);
            let mut p = Vec::with_capacity(listed.len());
            answers.write_probabilities(chances, &mut p);
            return Ok(RowWeights::Reads {
                answers,
                possible: p.iter().map(|p| *p > 0.0).collect(),
                costs: listed.iter().map(|answer| (self.cost)(step, answer.event, None)).collect(),
            });
        }
        let row = draft.kernels[step].row(tokens).context("an input without a row")?;
        let branches = draft.kernels[step].branches(row);
        let paid = branches
            .iter()
            .map(|branch| branch.p * (self.cost)(step, StepEvent::from_code(branch.event), None))
            .sum();
        Ok(RowWeights::Fixed(std::iter::once(paid).chain(branches.iter().map(|b| b.p)).collect()))
    }

    /// The branches of a row; those of probability zero are left out, as in its kernel.
    fn possible_branches(
        &self,
        context: &CompileContext<'a>,
        (task, step, place): (usize, usize, usize),
    ) -> Vec<GuardedBranch> {
        let plan = &self.plans[step][task];
        let site =
            RowContext { step, input: &plan.inputs[place], plan, answers: &self.answers[step] };
        let mut branches = context.row_branches(&self.drafts[task], &site);
        branches.retain(|branch| branch.branching.p > 0.0);
        branches
    }

    /// Appends the weights of a row compiled in another context. Its branches are a subset of `like`, possibly in
    /// another order, because a branch of probability zero no longer fixes the position of those merged with it.
    pub fn append_recompiled(
        &self,
        context: &CompileContext<'a>,
        place: (usize, usize, usize),
        like: &[GuardedBranch],
        weights: &mut Vec<f64>,
    ) -> anyhow::Result<()> {
        let branches = self.possible_branches(context, place);
        let total: f64 = branches.iter().map(|branch| branch.branching.p).sum();
        let paid = weights.len();
        weights.resize(paid + 1 + like.len(), 0.0);
        let mut next = 0;
        for branch in &branches {
            // The order is usually the same, so the search starts at the next position.
            let mut places = (next..like.len()).chain(0..next);
            let at = places.find(|&at| like[at].is_same_branch(branch)).context(OUTSIDE_SUPPORT)?;
            next = at + 1;
            let share = branch.branching.p / total;
            weights[paid + 1 + at] = share;
            weights[paid] +=
                share * (self.cost)(place.1, branch.branching.event, branch.trace.as_ref());
        }
        Ok(())
    }
}

impl RowWeights {
    /// Appends the weights of a row that need not be compiled again.
    pub fn weigh(
        &self,
        chances: &ReaderRates,
        probabilities: &mut Vec<f64>,
        weights: &mut Vec<f64>,
    ) -> anyhow::Result<()> {
        match self {
            RowWeights::Fixed(fixed) => weights.extend(fixed),
            RowWeights::Reads { answers, possible, costs } => {
                answers.write_probabilities(chances, probabilities);
                let total: f64 = probabilities.iter().sum();
                let paid = weights.len();
                weights.push(0.0);
                for ((p, possible), cost) in probabilities.iter().zip(possible).zip(costs) {
                    let share = p / total;
                    if *possible {
                        weights[paid] += share * cost;
                        weights.push(share);
                    }
                    ensure!(*possible || *p == 0.0, OUTSIDE_SUPPORT);
                }
            }
            RowWeights::Recompiled(_) => {}
        }
        Ok(())
    }
}
