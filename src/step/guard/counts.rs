//! Counts of what a guard did, as expected numbers of events.

/// Expected numbers of events at one guard. A guard may look several times per run, once at every attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GuardCounts {
    pub looks: f64,
    /// Alarms on outputs that were not right, and such outputs that passed.
    pub caught: f64,
    pub missed: f64,
    /// Alarms on right outputs.
    pub false_alarms: f64,
    /// Consequences of the alarms; the remaining alarms stopped the run.
    pub retries: f64,
    pub escalations: f64,
}

impl GuardCounts {
    pub fn add(&mut self, other: &GuardCounts, weight: f64) {
        self.looks += weight * other.looks;
        self.caught += weight * other.caught;
        self.missed += weight * other.missed;
        self.false_alarms += weight * other.false_alarms;
        self.retries += weight * other.retries;
        self.escalations += weight * other.escalations;
    }

    pub fn alarms(&self) -> f64 {
        self.caught + self.false_alarms
    }

    fn scaled(&self, by: f64) -> GuardCounts {
        let mut scaled = GuardCounts::default();
        scaled.add(self, by);
        scaled
    }
}

/// Sets `a` to the mean of `a` and `b`, weighted by the probabilities `p` and `q`.
pub(super) fn average_counts(a: &mut [GuardCounts], p: f64, b: &[GuardCounts], q: f64) {
    for (a, b) in a.iter_mut().zip(b) {
        *a = a.scaled(p / (p + q));
        a.add(b, q / (p + q));
    }
}
