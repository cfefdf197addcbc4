//! Steps and the edges between them, over all tasks.

/// Retrieval quality on the right query; each measure lies in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrievalQualityRecord {
    /// Share of the gold passages that are passed on.
    pub recall_at_k: f64,
    /// Discounted cumulative gain of the first ten passages, as a share of the best possible.
    pub ndcg_at_10: f64,
    /// Reciprocal rank of the first gold passage; zero past rank 10.
    pub mrr_at_10: f64,
}

/// One step under one arm. All `p_` fields are probabilities per run.
#[derive(Clone, Debug)]
pub struct RunStepRecord {
    /// Id of the step.
    pub step: String,
    /// `retrieve`, `read`, `lookup`, `compute` or `act`.
    pub kind: &'static str,
    /// For retrieve steps: embedder, number of passages passed on, and whether the entity filter is on.
    pub retrieval: Option<(String, usize, bool)>,
    /// The run reaches the step.
    pub p_reached: f64,
    /// Output equal to the oracle's.
    pub p_correct: f64,
    /// Output different from the oracle's.
    pub p_wrong: f64,
    /// Output missing or skipped where the oracle has a value, or the run stops here.
    pub p_missing: f64,
    /// Retrieve steps: a gold passage is passed on.
    pub p_hit: f64,
    /// A miss that the right query has too.
    pub p_own_miss: f64,
    /// A miss because the query is wrong.
    pub p_induced_miss: f64,
    /// The task has no gold passage for this step.
    pub p_no_gold: f64,
    /// Read steps: a value that a wrong passage states was taken.
    pub p_distracted: f64,
    /// A passage was read wrongly.
    pub p_misread: f64,
    /// A wrong value was fabricated.
    pub p_fabricated: f64,
    /// The right value was given without the evidence.
    pub p_lucky: f64,
    /// The reader abstained: it said that the evidence is missing.
    pub p_abstained: f64,
    /// The reader's answer could not be parsed.
    pub p_unparsable: f64,
    /// An expression had no value.
    pub p_failed: f64,
    /// The run stopped here because an input is missing.
    pub p_stopped: f64,
    /// The step's `when` was not true.
    pub p_skipped: f64,
    /// Guarded steps: the run was stopped here because the output was wrong.
    pub p_caught: f64,
    /// A wrong output was corrected by a retry or a person.
    pub p_recovered: f64,
    /// A right output was taken for wrong, and the final output was not right.
    pub p_false_alarm: f64,
    /// P(failure | the step hits).
    pub p_fail_given_hit: Option<f64>,
    /// P(failure | the step misses).
    pub p_fail_given_miss: Option<f64>,
    /// P(run correct | this output wrong): the share of its errors that are absorbed downstream.
    pub p_absorbed_given_wrong: Option<f64>,
    /// For retrieve and read steps.
    pub importance: Option<StepImportance>,
    /// Retrieval quality; `None` if no task is judged.
    pub quality: Option<RetrievalQualityRecord>,
    /// Number of tasks in which the step has gold and the oracle searches.
    pub judged_tasks: usize,
}

/// Importance of a step: how setting its output right or wrong, with everything else unchanged, affects failures.
///
/// The measures are those of reliability engineering (J. B. Fussell 1975, W. E. Vesely et al.,
/// NUREG/CR-3385, 1983), with P(F | right) and P(F | wrong) averaged over tasks first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepImportance {
    /// P(the step errs): a miss, own or induced, or a misreading with the evidence in hand.
    pub p_err: f64,
    /// P(failure) if the output were always the oracle's.
    pub p_fail_if_right: f64,
    /// P(failure) if the step made no own error; consequences of earlier errors remain.
    pub p_fail_without_own_errors: f64,
    /// P(failure) if the step always erred.
    pub p_fail_if_wrong: f64,
    /// Birnbaum importance: P(F | wrong) - P(F | right).
    pub birnbaum: f64,
    /// Fussell-Vesely importance: 1 - P(F | right) / P(F); 0 if nothing fails.
    pub fussell_vesely: f64,
    /// Risk achievement worth, P(F | wrong) / P(F); infinite if only P(F) is 0, 1 if both are.
    pub raw: f64,
    /// Risk reduction worth, P(F) / P(F | right); infinite and 1 as above.
    pub rrw: f64,
}

/// An edge of the DAG: how errors of a parent affect its child.
#[derive(Clone, Debug)]
pub struct RunEdgeRecord {
    /// Id of the step that gives the output.
    pub parent: String,
    /// Id of the step that takes it as an input.
    pub child: String,
    /// P(this parent's output is wrong or missing, those of the child's other parents are right).
    pub p_only_parent_off: f64,
    /// P(the child's output is wrong), given that. This and the next two sum to one.
    pub p_child_wrong_given: Option<f64>,
    /// P(the child's output is missing), given that.
    pub p_child_missing_given: Option<f64>,
    /// P(the child's output is right), given that: the error is absorbed.
    pub p_absorbed_given: Option<f64>,
}

impl RunEdgeRecord {
    /// P(only this parent is off, and the child is off too): how much error is passed on.
    pub fn p_passed(&self) -> f64 {
        let off =
            self.p_child_wrong_given.unwrap_or(0.0) + self.p_child_missing_given.unwrap_or(0.0);
        self.p_only_parent_off * off
    }
}
