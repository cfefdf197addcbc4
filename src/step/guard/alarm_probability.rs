//! The probability that a guard raises an alarm on one output.

use super::{GuardContext, GuardObservation, GuardSetting};
use crate::scenario::{AlarmRule, CheckedOutput, ThresholdScope};
use crate::step::{OutputState, StepOutput};

impl GuardContext<'_> {
    /// Whether the guard looks at this output at all.
    pub(super) fn looks(&self, place: usize, look: &GuardObservation, output: &StepOutput) -> bool {
        let guard = &self.guards[place];
        let has_output = match output {
            StepOutput::Skipped => false,
            StepOutput::Missing => guard.check.checks_missing_outputs(),
            StepOutput::Context(_) | StepOutput::Value(_) | StepOutput::Action(_) => true,
        };
        let in_scope = guard
            .threshold()
            .is_none_or(|threshold| threshold.least.for_embedder(look.embedder).is_some());
        has_output && in_scope && self.setting(place) != GuardSetting::Off
    }

    fn setting(&self, place: usize) -> GuardSetting {
        self.settings.get(place).copied().unwrap_or_default()
    }

    /// The probability of an alarm, given that the guard looks at the output.
    pub(super) fn alarm_probability(
        &self,
        place: usize,
        look: &GuardObservation,
        output: &StepOutput,
    ) -> f64 {
        let raised = match self.guards[place].check.rule() {
            AlarmRule::Condition(condition) => condition.raises_alarm(&CheckedOutput {
                value: output.value(),
                is_empty: match output {
                    StepOutput::Missing => true,
                    StepOutput::Context(passages) => passages.is_empty(),
                    StepOutput::Skipped | StepOutput::Value(_) | StepOutput::Action(_) => false,
                },
                entity: look.entity,
                step: self.step,
                values: &self.values,
                task: self.task,
            }),
            AlarmRule::Threshold(threshold) => self
                .least(place, &threshold.least, look.embedder)
                .is_some_and(|least| threshold.raises_alarm(&look.scores_for(place), least)),
            AlarmRule::Rates(_) => return self.rate(place, output),
        };
        f64::from(raised)
    }

    /// The threshold of a guard for what this embedder found, under the guard's setting.
    fn least(
        &self,
        place: usize,
        declared: &ThresholdScope,
        searched: Option<usize>,
    ) -> Option<f64> {
        match (self.setting(place), declared) {
            (GuardSetting::Threshold { least, .. }, ThresholdScope::Any(_)) => Some(least),
            (GuardSetting::Threshold { embedder, least }, ThresholdScope::ByEmbedder(_))
                if searched == Some(embedder) =>
            {
                Some(least)
            }
            _ => declared.for_embedder(searched),
        }
    }

    fn rate(&self, place: usize, output: &StepOutput) -> f64 {
        match (self.state)(output) {
            OutputState::Correct => self.rates[place].false_alarm_rate,
            OutputState::Wrong | OutputState::Missing => self.rates[place].catch_rate,
        }
    }
}
