//! Random amounts: the distributions in which users state uncertain figures. No distribution goes below zero, since
//! the variables multiply losses and a negative loss would be a gain.

/// The largest mean, standard deviation and upper bound of a variable: sums and products of such amounts over all
/// cases of many years stay far below the range of a double.
pub const MAX_AMOUNT: f64 = 1e15;
/// The smallest mean of a normal distribution in standard deviations: one draw in a thousand is below zero.
const NORMAL_MIN_Z: f64 = 3.090_232_306_167_813_5;

/// A distribution with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RandomVariable {
    Constant(f64),
    /// Lognormal, given by its 5% and 95% quantiles (as in riskquant).
    Range90(f64, f64),
    /// Smallest, most likely and largest value.
    Pert(f64, f64, f64),
    Beta(f64, f64),
    /// Mean and standard deviation of the logarithm.
    Lognormal(f64, f64),
    /// Mean and standard deviation of the normal distribution before it is censored: draws below zero, fewer than one
    /// in a thousand, become zero.
    Normal(f64, f64),
    Uniform(f64, f64),
    /// Smallest, most likely and largest value.
    Triangular(f64, f64, f64),
    /// Mean.
    Exponential(f64),
    /// Shape and scale.
    Gamma(f64, f64),
    /// Scale (the smallest value) and shape.
    Pareto(f64, f64),
    /// Scale and shape.
    Weibull(f64, f64),
}

use RandomVariable::*;

impl RandomVariable {
    /// The distribution of that name with these parameters; `None` for an unknown name.
    ///
    /// # Errors
    /// A message on what is wrong with the parameters.
    pub fn from_name(name: &str, parameters: &[f64]) -> Option<Result<RandomVariable, String>> {
        let wants = RandomVariable::parameter_names(name)?;
        let variable = match (name, parameters) {
            ("constant", &[value]) => Constant(value),
            ("range90", &[low, high]) => Range90(low, high),
            ("pert", &[min, mode, max]) => Pert(min, mode, max),
            ("beta", &[alpha, beta]) => Beta(alpha, beta),
            ("lognormal", &[mu, sigma]) => Lognormal(mu, sigma),
            ("normal", &[mean, sd]) => Normal(mean, sd),
            ("uniform", &[min, max]) => Uniform(min, max),
            ("triangular", &[min, mode, max]) => Triangular(min, mode, max),
            ("exponential", &[mean]) => Exponential(mean),
            ("gamma", &[shape, scale]) => Gamma(shape, scale),
            ("pareto", &[scale, shape]) => Pareto(scale, shape),
            ("weibull", &[scale, shape]) => Weibull(scale, shape),
            _ => return Some(Err(format!("write [{wants}]"))),
        };
        Some(match variable.parameter_error() {
            None => Ok(variable),
            Some(problem) => Err(format!("[{wants}] needs {problem}")),
        })
    }

    /// The names of a distribution's parameters, for messages; `None` for an unknown name.
    pub fn parameter_names(name: &str) -> Option<&'static str> {
        Some(match name {
            "constant" => "value",
            "range90" => "5% quantile, 95% quantile",
            "pert" | "triangular" => "smallest, most likely, largest",
            "beta" => "alpha, beta",
            "lognormal" => "mean of the logarithm, its standard deviation",
            "normal" => "mean, standard deviation",
            "uniform" => "smallest, largest",
            "exponential" => "mean",
            "gamma" => "shape, scale",
            "pareto" => "smallest, shape",
            "weibull" => "scale, shape",
            _ => return None,
        })
    }

    /// What is wrong with the parameters, if anything.
    fn parameter_error(self) -> Option<&'static str> {
        let (fine, needs) = match self {
            Constant(value) => (value >= 0.0 && value.is_finite(), "a number of 0 or more"),
            Range90(low, high) => {
                (all_positive(&[low, high]) && low < high, "two numbers above 0, the smaller first")
            }
            Pert(min, mode, max) | Triangular(min, mode, max) => {
                let ordered = 0.0 <= min && min <= mode && mode <= max && min < max;
                (ordered, "three numbers of 0 or more in ascending order")
            }
            Uniform(min, max) => {
                (0.0 <= min && min < max, "two numbers of 0 or more, the smaller first")
            }
            Beta(a, b) | Gamma(a, b) | Weibull(a, b) => {
                (all_positive(&[a, b]), "two numbers above 0")
            }
            // For a shape of 2 or below the variance, and with it any interval, is infinite.
            Pareto(scale, shape) => (
                all_positive(&[scale]) && shape > 2.0,
                "a smallest value above 0 and a shape above 2",
            ),
            Lognormal(mu, sigma) => {
                (mu.is_finite() && all_positive(&[sigma]), "a standard deviation above 0")
            }
            Normal(mean, sd) => (
                all_positive(&[mean, sd]) && mean >= NORMAL_MIN_Z * sd,
                "a mean of 3.1 standard deviations or more, so that next to nothing is below 0; range90, gamma and \
                 lognormal are for amounts that vary more",
            ),
            Exponential(mean) => (all_positive(&[mean]), "a number above 0"),
        };
        let (mean, sd) = (self.mean(), self.variance().sqrt());
        // Moderate parameters can still give enormous moments, for example of a Weibull distribution with a small
        // shape.
        let most = self.bounds().map_or(0.0, |(_, most)| most);
        let sized = [mean, sd, most].iter().all(|size| *size <= MAX_AMOUNT);
        match (fine, sized) {
            (false, _) => Some(needs),
            (true, false) => Some("a mean and a standard deviation of 1e15 or less"),
            (true, true) => None,
        }
    }

    /// The smallest and the largest value, if both exist.
    pub fn bounds(self) -> Option<(f64, f64)> {
        match self {
            Pert(min, _, max) | Triangular(min, _, max) | Uniform(min, max) => Some((min, max)),
            Beta(..) => Some((0.0, 1.0)),
            _ => None,
        }
    }

    /// The affine map that gives the draws another mean: (offset, factor) with draw -> offset + factor * draw. A
    /// variable with two ends stays within them: its draws are moved towards one of them.
    pub fn shift_to_mean(self, mean: f64) -> (f64, f64) {
        let own = self.mean();
        match self.bounds() {
            // A constant 0 cannot be scaled to another mean.
            _ if own <= 0.0 => (0.0, 1.0),
            Some((from, to)) => {
                let end = if mean > own { to } else { from };
                let times = (end - mean) / (end - own);
                (end * (1.0 - times), times)
            }
            None => (0.0, mean / own),
        }
    }

    /// The distribution as written in a scenario file.
    pub fn describe(self) -> String {
        match self {
            Constant(v) => format!("constant [{v}]"),
            Range90(a, b) => format!("range90 [{a}, {b}]"),
            Pert(a, b, c) => format!("pert [{a}, {b}, {c}]"),
            Beta(a, b) => format!("beta [{a}, {b}]"),
            Lognormal(a, b) => format!("lognormal [{a}, {b}]"),
            Normal(a, b) => format!("normal [{a}, {b}]"),
            Uniform(a, b) => format!("uniform [{a}, {b}]"),
            Triangular(a, b, c) => format!("triangular [{a}, {b}, {c}]"),
            Exponential(v) => format!("exponential [{v}]"),
            Gamma(a, b) => format!("gamma [{a}, {b}]"),
            Pareto(a, b) => format!("pareto [{a}, {b}]"),
            Weibull(a, b) => format!("weibull [{a}, {b}]"),
        }
    }
}

fn all_positive(values: &[f64]) -> bool {
    values.iter().all(|v| *v > 0.0 && v.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_parameters_are_rejected() {
        for (name, parameters) in [
            ("range90", &[500.0, 20.0][..]),
            ("range90", &[0.0, 20.0]),
            ("pert", &[1.0, 0.5, 2.0]),
            ("pert", &[1.0, 2.0]),
            ("beta", &[0.0, 1.0]),
            ("normal", &[1.0, -1.0]),
            ("pareto", &[1.0, 1.5]),
            ("lognormal", &[1.0, 1e3]),
            ("constant", &[f64::NAN]),
            // Below zero.
            ("uniform", &[-10.0, 2.0]),
            ("uniform", &[-1e-9, 2.0]),
            ("pert", &[-1.0, 0.0, 2.0]),
            ("triangular", &[-5.0, -2.0, -1.0]),
            ("constant", &[-4.0]),
            ("normal", &[5.0, 2.0]),
            ("normal", &[-5.0, 1.0]),
            // Large enough for sums to overflow.
            ("constant", &[1.7e308]),
            ("normal", &[1.7e308, 1.0]),
            ("normal", &[1.0, 1.7e308]),
            ("uniform", &[0.0, 1.7e308]),
            ("pert", &[0.0, 1.0, 1e200]),
            ("gamma", &[1e200, 1e200]),
            ("range90", &[1.0, 1e300]),
            ("exponential", &[f64::INFINITY]),
            ("lognormal", &[300.0, 1.0]),
            ("weibull", &[1.0, 1e-3]),
            ("pareto", &[1e308, 2.1]),
        ] {
            assert!(
                RandomVariable::from_name(name, parameters).unwrap().is_err(),
                "{name} {parameters:?}"
            );
        }
        assert!(RandomVariable::from_name("cauchy", &[]).is_none());
    }

    #[test]
    fn shifted_draws_have_the_mean_and_keep_their_ends() {
        for (variable, mean) in [
            (Pert(1.0, 2.0, 9.0), 6.0),
            (Pert(1.0, 2.0, 9.0), 1.5),
            (Beta(2.0, 5.0), 0.9),
            (Uniform(1.0, 4.0), 1.01),
            (Range90(100.0, 2000.0), 3000.0),
            (Constant(3.0), 1.0),
        ] {
            let (plus, times) = variable.shift_to_mean(mean);
            assert!((plus + times * variable.mean() - mean).abs() < 1e-9, "{variable:?}");
            if let Some((from, to)) = variable.bounds() {
                let ends = [plus + times * from, plus + times * to];
                assert!(ends[0] >= from - 1e-9 && ends[1] <= to + 1e-9, "{variable:?} {ends:?}");
            }
        }
        assert_eq!(Constant(0.0).shift_to_mean(0.0), (0.0, 1.0));
    }
}
