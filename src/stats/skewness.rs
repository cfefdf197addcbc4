//! First-order correction of Student's t for the mean of skewed values.
//!
//! The transformation is that of Hall, "On the removal of skewness by transformation", Journal of the Royal
//! Statistical Society B 54, 1992: g(t) = t + a t^2 / 3 + a^2 t^3 / 27 + a / 6, where a is the skewness of the
//! clusters' contributions to the mean divided by the square root of their number. g is increasing and has an inverse
//! in closed form.

/// Below this `a`, the transformation is the identity except for rounding.
const SYMMETRIC: f64 = 1e-9;

/// Hall's transformation for one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SkewnessCorrection {
    /// The third moment divided by the 3/2 power of the second, each a sum over clusters, adjusted for the sample
    /// size.
    pub a: f64,
}

impl SkewnessCorrection {
    /// Maps the t-statistic `t` of a skewed mean to the equivalent one of a symmetric mean.
    pub fn to_symmetric(self, t: f64) -> f64 {
        let a = self.a;
        t + a / 3.0 * t.powi(2) + a.powi(2) / 27.0 * t.powi(3) + a / 6.0
    }

    /// The inverse of [`SkewnessCorrection::to_symmetric`].
    pub fn to_skewed(self, t: f64) -> f64 {
        if self.a.abs() < SYMMETRIC {
            return t;
        }
        3.0 / self.a * ((1.0 + self.a * (t - self.a / 6.0)).cbrt() - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skewed_inverts_symmetric() {
        for a in [-1.2, -0.3, 0.0, 1e-10, 0.05, 0.9] {
            let of = SkewnessCorrection { a };
            for t in [-4.0, -1.0, 0.0, 0.5, 3.0] {
                assert!((of.to_symmetric(of.to_skewed(t)) - t).abs() < 1e-7, "{a} {t}");
            }
        }
    }
}
