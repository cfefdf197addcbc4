//! Covariances and their eigenvectors.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// Directions that separate near-misses from their anchors: the first so many.
pub const DIRECTIONS: usize = 10;

/// Rows of equal length as a matrix; `None` without a row.
pub fn matrix(rows: &[Vec<f64>]) -> Option<DMatrix<f64>> {
    let dim = rows.first().map(Vec::len).filter(|dim| *dim > 0)?;
    Some(DMatrix::from_row_iterator(rows.len(), dim, rows.iter().flatten().copied()))
}

/// The covariance of the rows, about their mean.
pub fn covariance(rows: &DMatrix<f64>) -> DMatrix<f64> {
    let n = rows.nrows() as f64;
    let mean: DVector<f64> = rows.row_mean().transpose();
    rows.tr_mul(rows) / n - &mean * mean.transpose()
}

/// The eigenvalues of a symmetric matrix, greatest first, those below zero by rounding as zero; and its
/// eigenvectors as columns, in the same order.
pub fn eigen(symmetric: DMatrix<f64>) -> (Vec<f64>, DMatrix<f64>) {
    let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(symmetric);
    let mut order: Vec<usize> = (0..eigenvalues.len()).collect();
    order.sort_by(|&a, &b| eigenvalues[b].total_cmp(&eigenvalues[a]).then(a.cmp(&b)));
    let values = order.iter().map(|&at| eigenvalues[at].max(0.0)).collect();
    (values, eigenvectors.select_columns(&order))
}

/// An orthonormal basis of the directions along which near-misses lie away from their anchors.
pub struct Directions {
    /// Columns.
    basis: DMatrix<f64>,
    /// The share of the differences' square length that lies in them.
    pub held: f64,
}

impl Directions {
    /// The first [`DIRECTIONS`] right singular vectors of the differences, one a row: the eigenvectors of their
    /// second moment (about zero: what all near-misses have in common counts). `None` where no two texts differ.
    pub fn of(differences: &[Vec<f64>]) -> Option<Directions> {
        let rows = matrix(differences)?;
        let (values, vectors) = eigen(rows.tr_mul(&rows) / rows.nrows() as f64);
        let total: f64 = values.iter().sum();
        let kept = DIRECTIONS.min(values.len());
        (total > 0.0).then(|| Directions {
            basis: vectors.columns(0, kept).into_owned(),
            held: values[..kept].iter().sum::<f64>() / total,
        })
    }

    /// The share of a covariance's total variance that lies in these directions.
    pub fn share(&self, covariance: &DMatrix<f64>) -> f64 {
        let total = covariance.trace();
        if total <= 0.0 {
            return 0.0;
        }
        (self.basis.transpose() * covariance * &self.basis).trace() / total
    }
}
