//! How a figure is drawn from its range.

/// How a figure is drawn from its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AssumptionSpread {
    /// Uniform, for ranges that the file gives.
    Even,
    /// Half of the draws lie below the figure and half above, so that the figure is the median. Within each half the
    /// logarithm is uniform, since a factor says how far the figure may be off.
    Factor,
    /// As [`AssumptionSpread::Factor`], for the odds of the figure between these ends.
    Odds(f64, f64),
}

impl AssumptionSpread {
    /// The value at the quantile `u` of a figure `value` that lies between `low` and `high`.
    pub fn quantile(self, value: f64, low: f64, high: f64, u: f64) -> f64 {
        // The scale on which the draws of each half are uniform, and the way back from it.
        let (up, down): (&dyn Fn(f64) -> f64, &dyn Fn(f64) -> f64) = match self {
            AssumptionSpread::Even => return between(low, high, u),
            AssumptionSpread::Factor => (&f64::ln, &f64::exp),
            AssumptionSpread::Odds(from, to) => {
                (&move |x| ((x - from) / (to - x)).ln(), &move |y: f64| {
                    from + (to - from) / (1.0 + (-y).exp())
                })
            }
        };
        let value = match u < 0.5 {
            true => down(between(up(low), up(value), 2.0 * u)),
            false => down(between(up(value), up(high), 2.0 * u - 1.0)),
        };
        value.clamp(low, high) // rounding may leave the range
    }
}

fn between(from: f64, to: f64, u: f64) -> f64 {
    from + u * (to - from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_is_in_the_middle_of_its_own_range() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12 * b.abs(), "{a} {b}");
        for (value, low, high, spread) in [
            (100.0, 50.0, 200.0, AssumptionSpread::Factor),
            (0.608, 0.554, 0.95, AssumptionSpread::Odds(0.0, 1.0)),
            (0.05, 0.0256, 0.0952, AssumptionSpread::Odds(0.0, 1.0)),
            (2.5, 1.5, 7.0, AssumptionSpread::Odds(1.0, 9.0)),
        ] {
            for (u, x) in [(0.0, low), (0.5, value), (1.0, high)] {
                near(spread.quantile(value, low, high, u), x);
            }
            let draws: Vec<f64> = (0..=100)
                .map(|u| spread.quantile(value, low, high, f64::from(u) / 100.0))
                .collect();
            assert!(draws.windows(2).all(|pair| pair[0] < pair[1]));
        }
        // A quarter of the draws are below the geometric mean of the lower end and the figure.
        near(AssumptionSpread::Factor.quantile(100.0, 50.0, 200.0, 0.25), 5000f64.sqrt());
        near(AssumptionSpread::Even.quantile(0.0, 0.1, 0.3, 0.25), 0.15);
    }
}
