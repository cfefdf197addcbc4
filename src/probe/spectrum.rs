//! Covariance matrices, eigenvectors, and the directions in which near-misses differ from their anchors.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// The number of directions that represent near-misses.
pub const DIRECTIONS: usize = 10;

/// A matrix from rows of equal length; `None` without rows or columns.
pub fn matrix(rows: &[Vec<f64>]) -> Option<DMatrix<f64>> {
    let dim = rows.first().map(Vec::len).filter(|dim| *dim > 0)?;
    Some(DMatrix::from_row_iterator(rows.len(), dim, rows.iter().flatten().copied()))
}

/// The covariance of the rows about their mean (divided by n, not n - 1).
pub fn covariance(rows: &DMatrix<f64>) -> DMatrix<f64> {
    let n = rows.nrows() as f64;
    let mean: DVector<f64> = rows.row_mean().transpose();
    rows.tr_mul(rows) / n - &mean * mean.transpose()
}

/// The eigenvalues of a positive semidefinite matrix in descending order, and its eigenvectors as columns in the same
/// order. Eigenvalues that rounding made negative are set to zero.
pub fn eigen(symmetric: DMatrix<f64>) -> (Vec<f64>, DMatrix<f64>) {
    let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(symmetric);
    let mut order: Vec<usize> = (0..eigenvalues.len()).collect();
    order.sort_by(|&a, &b| eigenvalues[b].total_cmp(&eigenvalues[a]).then(a.cmp(&b)));
    let values = order.iter().map(|&at| eigenvalues[at].max(0.0)).collect();
    (values, eigenvectors.select_columns(&order))
}

/// An orthonormal basis of the main directions from anchors to their near-misses.
pub struct NearMissDirections {
    /// One basis vector per column.
    basis: DMatrix<f64>,
    /// The share of the differences' squared length that lies in these directions.
    pub captured_share: f64,
}

impl NearMissDirections {
    /// The first [`DIRECTIONS`] right singular vectors of the matrix of differences, computed as eigenvectors of its
    /// second moment. The moment is about zero, so that a shift common to all near-misses counts. `None` if all
    /// differences are zero.
    pub fn from_differences(differences: &[Vec<f64>]) -> Option<NearMissDirections> {
        let rows = matrix(differences)?;
        let (values, vectors) = eigen(rows.tr_mul(&rows) / rows.nrows() as f64);
        let total: f64 = values.iter().sum();
        let kept = DIRECTIONS.min(values.len());
        (total > 0.0).then(|| NearMissDirections {
            basis: vectors.columns(0, kept).into_owned(),
            captured_share: values[..kept].iter().sum::<f64>() / total,
        })
    }

    /// The share of a covariance's total variance that lies in these directions.
    pub fn variance_share(&self, covariance: &DMatrix<f64>) -> f64 {
        let total = covariance.trace();
        if total <= 0.0 {
            return 0.0;
        }
        (self.basis.transpose() * covariance * &self.basis).trace() / total
    }
}
