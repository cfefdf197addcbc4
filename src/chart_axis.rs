//! Maps values to positions along one side of a chart, with ticks at round values.

/// Possible distances between ticks, times a power of ten.
const ROUND_STEPS: [f64; 3] = [1.0, 2.0, 5.0];

pub struct ChartAxis {
    low: f64,
    high: f64,
    step: f64,
    /// Positions of `low` and `high` on the chart.
    pub from: f64,
    pub to: f64,
}

impl ChartAxis {
    /// An axis that contains `low` to `high` and ends at ticks. Ticks have the smallest round distance of which `most`
    /// cover `high - low`.
    pub fn covering(low: f64, high: f64, most: f64, from: f64, to: f64) -> ChartAxis {
        let step = tick_step(high - low, most);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        ChartAxis { low, high: if high > low { high } else { low + step }, step, from, to }
    }

    pub fn position(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    pub fn ticks(&self) -> impl Iterator<Item = f64> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        let (low, step) = (self.low, self.step);
        (0..=count).map(move |tick| low + tick as f64 * step)
    }
}

/// The smallest round distance of which `most` cover `span`; 1 if `span` is not positive.
fn tick_step(span: f64, most: f64) -> f64 {
    if !(span > 0.0 && span.is_finite()) {
        return 1.0;
    }
    let mut power = 10f64.powf((span / most).log10().floor());
    loop {
        for round in ROUND_STEPS {
            // Divided rather than multiplied for powers below one, so that 0.2 is exactly 0.2.
            let step = if power < 1.0 { round / (1.0 / power).round() } else { round * power };
            if span / step <= most {
                return step;
            }
        }
        power *= 10.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_the_values() {
        for (low, high, ticks) in [
            (0.0, 0.57, vec![0.0, 0.2, 0.4, 0.6]),
            (0.0, 14e6, vec![0.0, 5e6, 10e6, 15e6]),
            (0.3, 0.3, vec![0.0, 1.0]),
        ] {
            let axis = ChartAxis::covering(low, high, 3.0, 0.0, 100.0);
            let found: Vec<f64> = axis.ticks().collect();
            let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-9 * b.abs().max(1.0);
            assert!(found.len() == ticks.len() && found.iter().zip(&ticks).all(near), "{found:?}");
            assert!(axis.position(low) >= 0.0 && axis.position(high) <= 100.0);
        }
    }
}
