//! The approximation from which the sampler proposes: a map from independent normal variables to rates.

use anyhow::{Context, ensure};
use nalgebra::{DMatrix, DVector};
use statrs::distribution::{ContinuousCDF, Normal};
use statrs::function::beta::beta_reg;

use super::model::{PosteriorMode, PosteriorModel};
use super::working_rates::{logistic, logit};

/// The share of the prior in proposals. Where an error can be explained by another rate as well, the density falls only
/// like the prior's towards a rate of 0; proposals that fall faster would leave chains stuck there.
const PRIOR_SHARE: f64 = 0.01;

/// The map from independent standard normal variables w to coordinates, by way of z = m + L w.
pub(super) struct ProposalMap {
    /// m.
    pub center: DVector<f64>,
    /// L.
    pub factor: DMatrix<f64>,
    pub margins: Vec<MonotoneMap>,
}

/// A piecewise linear increasing function, continued beyond its ends.
pub(super) struct MonotoneMap {
    /// Increasing, with the values there.
    knots: Vec<(f64, f64)>,
}

impl ProposalMap {
    pub fn new(model: &PosteriorModel, mode: &PosteriorMode) -> anyhow::Result<ProposalMap> {
        let size = mode.point.len();
        let deviation: Vec<f64> = (0..size).map(|at| mode.covariance[(at, at)].sqrt()).collect();
        let correlation = DMatrix::from_fn(size, size, |row, column| {
            mode.covariance[(row, column)] / (deviation[row] * deviation[column])
        });
        let factor = correlation.cholesky().context("the correlations are not positive")?.unpack();
        let margins = model.coordinates.iter().zip(&mode.point).zip(&deviation);
        let margins = margins.map(|((coordinate, &at), &deviation)| {
            // The logit of a Beta variable with exponents a and b has its mode at the logit of a / (a + b), and there the
            // information (a + b) p (1 - p).
            let p = logistic(at);
            let total = 1.0 / (deviation.powi(2) * p * (1.0 - p));
            MonotoneMap::of_beta((total * p, total * (1.0 - p)), coordinate.prior_exponents())
        });
        let margins = margins.collect::<anyhow::Result<_>>()?;
        Ok(ProposalMap { center: DVector::zeros(size), factor, margins })
    }

    /// Gives the approximation the moments of these points: mean and variance of each rate, then mean and covariance of z.
    /// A tenth of the covariance remains as it was, in case the points are few.
    pub fn adjust(&mut self, model: &PosteriorModel, points: &[Vec<f64>]) -> anyhow::Result<()> {
        let (count, size) = (points.len() as f64, self.center.len());
        let mut margins = Vec::new();
        for (at, coordinate) in model.coordinates.iter().enumerate() {
            let mean = points.iter().map(|point| logistic(point[at])).sum::<f64>() / count;
            let squares = points.iter().map(|point| (logistic(point[at]) - mean).powi(2));
            let variance = squares.sum::<f64>() / count;
            let prior = coordinate.prior_exponents();
            // No posterior is wider than the prior.
            let total = (mean * (1.0 - mean) / variance - 1.0).max(prior.0 + prior.1);
            margins.push(MonotoneMap::of_beta((total * mean, total * (1.0 - mean)), prior)?);
        }
        self.margins = margins;
        let zs: Vec<DVector<f64>> = points.iter().map(|point| self.z_of_point(point)).collect();
        let mean = zs.iter().fold(DVector::zeros(size), |sum, z| sum + z) / count;
        let spread = zs.iter().fold(DMatrix::zeros(size, size), |sum, z| {
            let off = z - &mean;
            sum + &off * off.transpose()
        });
        let before = &self.factor * self.factor.transpose();
        let covariance = spread * (0.9 / count) + before * 0.1;
        self.factor = covariance.cholesky().context("the draws have no spread")?.unpack();
        self.center = mean;
        Ok(())
    }

    pub fn z_of_point(&self, point: &[f64]) -> DVector<f64> {
        let zs = self.margins.iter().zip(point).map(|(margin, &x)| margin.inverse(x));
        DVector::from_iterator(point.len(), zs)
    }

    fn z(&self, w: &DVector<f64>) -> DVector<f64> {
        &self.center + &self.factor * w
    }

    /// The point at w, and the logarithm of the proposal density there, up to a constant.
    pub fn point(&self, w: &DVector<f64>) -> (Vec<f64>, f64) {
        let z = self.z(w);
        let mut log_density = -0.5 * w.norm_squared();
        let point = self.margins.iter().zip(z.iter()).map(|(margin, &z)| {
            let (x, slope) = margin.value(z);
            log_density -= slope.ln();
            x
        });
        (point.collect(), log_density)
    }
}

impl MonotoneMap {
    /// From a standard normal to the logit of a Beta variable with these exponents. A share of [`PRIOR_SHARE`] is drawn
    /// from the prior instead.
    fn of_beta(exponents: (f64, f64), prior: (f64, f64)) -> anyhow::Result<MonotoneMap> {
        let total = exponents.0 + exponents.1;
        let p = exponents.0 / total;
        let (mode, deviation) = (logit(p), (total * p * (1.0 - p)).powf(-0.5));
        let below = |x: f64| {
            (1.0 - PRIOR_SHARE) * beta_reg(exponents.0, exponents.1, logistic(x))
                + PRIOR_SHARE * beta_reg(prior.0, prior.1, logistic(x))
        };
        let above = |x: f64| {
            (1.0 - PRIOR_SHARE) * beta_reg(exponents.1, exponents.0, logistic(-x))
                + PRIOR_SHARE * beta_reg(prior.1, prior.0, logistic(-x))
        };
        let normal = Normal::standard();
        let quantile = |x: f64| {
            // Both tails from their own end, where their probability has full precision.
            let below = below(x);
            if below < 0.5 { normal.inverse_cdf(below) } else { -normal.inverse_cdf(above(x)) }
        };
        // Towards either end the density falls like exp(-a |x|), where a is the prior's exponent.
        let reach = |exponent: f64| (7.0 * deviation).max(16.0 / exponent);
        // Narrow steps where most draws are, wider ones towards the tails.
        let steps = 40;
        let share = |step: i32| f64::from(step) / f64::from(steps);
        let mut xs: Vec<f64> =
            (-steps..=steps).map(|step| mode + 4.0 * deviation * share(step)).collect();
        for (sign, reach) in [(-1.0, reach(prior.0)), (1.0, reach(prior.1))] {
            let tail = (1..=steps).map(|step| 4.0 * deviation + reach * share(step).powi(2));
            xs.extend(tail.map(|distance| mode + sign * distance));
        }
        xs.sort_by(f64::total_cmp);
        let mut knots: Vec<(f64, f64)> = Vec::new();
        for x in xs {
            let z = quantile(x);
            // Equal neighbours are beyond the precision of the tail.
            if z.abs() < 6.0 && knots.last().is_none_or(|(last, _)| z > last + 1e-6) {
                knots.push((z, x));
            }
        }
        ensure!(knots.len() >= 2, "a rate has no width: {exponents:?}");
        Ok(MonotoneMap { knots })
    }

    pub fn inverse(&self, x: f64) -> f64 {
        let right = self.knots.partition_point(|(_, knot)| *knot < x);
        let right = right.clamp(1, self.knots.len() - 1);
        let ((z0, x0), (z1, x1)) = (self.knots[right - 1], self.knots[right]);
        z0 + (x - x0) * (z1 - z0) / (x1 - x0)
    }

    /// The value at z, and the slope there.
    pub fn value(&self, z: f64) -> (f64, f64) {
        let right = self.knots.partition_point(|(knot, _)| *knot < z);
        let right = right.clamp(1, self.knots.len() - 1);
        let ((z0, x0), (z1, x1)) = (self.knots[right - 1], self.knots[right]);
        let slope = (x1 - x0) / (z1 - z0);
        (x0 + (z - z0) * slope, slope)
    }
}
