//! Whitening: the covariance of rows in one pass, its eigenvectors, and the linear map that makes inputs uncorrelated.
//!
//! Sums are of f64, in an order that depends on the rows alone: threads share out the columns of the covariance, never the
//! rows. Eigenvectors are nalgebra's.

use nalgebra::{DMatrix, DMatrixView, DVector, Dyn, SymmetricEigen};
use rayon::prelude::*;

use super::images::Images;
use crate::spec::Whitening;

/// A direction with less than this share of the largest variance has none: what is left there is rounding.
const LEAST_SHARE: f64 = 1e-10;
/// Columns of the covariance that a thread sums up at a time.
const BAND: usize = 48;

/// Sums of rows and of their products, about the first row.
pub(super) struct Covariance {
    shift: Vec<f64>,
    count: usize,
    sums: Vec<f64>,
    /// Column after column; what lies below the diagonal's band is left out.
    products: Vec<f64>,
}

/// x ↦ (x − mean) · forward, and y ↦ y · back + mean.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LinearMap {
    pub(super) method: Whitening,
    pub(super) mean: Vec<f32>,
    /// `[input, output]`.
    pub(super) forward: Vec<f32>,
    /// `[output, input]`.
    pub(super) back: Vec<f32>,
}

impl Covariance {
    /// Of rows like `first`.
    pub(super) fn new(first: &[f32]) -> Self {
        let inputs = first.len();
        Self {
            shift: first.iter().map(|&x| f64::from(x)).collect(),
            count: 0,
            sums: vec![0.0; inputs],
            products: vec![0.0; inputs * inputs],
        }
    }

    /// Adds `rows`, one behind the other.
    pub(super) fn add(&mut self, rows: &[f32]) {
        let inputs = self.shift.len();
        let shift = self.shift.iter().cycle();
        let centred: Vec<f64> = rows
            .iter()
            .zip(shift)
            .map(|(&x, s)| f64::from(x) - s)
            .collect();
        for row in centred.chunks_exact(inputs) {
            for (sum, x) in self.sums.iter_mut().zip(row) {
                *sum += x;
            }
        }
        let count = centred.len() / inputs;
        self.count += count;
        // A row of memory is a column for nalgebra.
        let columns = DMatrixView::from_slice(&centred, inputs, count);
        let rows = columns.transpose();
        let bands = self.products.par_chunks_mut(BAND * inputs).enumerate();
        bands.for_each(|(band, products)| {
            let (first, wide) = (band * BAND, products.len() / inputs);
            let last = first + wide;
            let mut products = nalgebra::DMatrixViewMut::from_slice(products, inputs, wide);
            let of_band = rows.columns(first, wide);
            products
                .rows_mut(0, last)
                .gemm(1.0, &columns.rows(0, last), &of_band, 1.0);
        });
    }

    /// The mean, and the eigenvectors of the covariance over the number of rows, with their places in the order of
    /// their variances: the largest first.
    fn finish(self) -> (Vec<f64>, SymmetricEigen<f64, Dyn>, Vec<usize>) {
        let inputs = self.shift.len();
        let count = self.count as f64;
        let means: Vec<f64> = self.sums.iter().map(|sum| sum / count).collect();
        let entry = |row: usize, column: usize| {
            let (row, column) = (row.min(column), row.max(column));
            self.products[column * inputs + row] / count - means[row] * means[column]
        };
        let eigen = SymmetricEigen::new(DMatrix::from_fn(inputs, inputs, entry));
        let mut order: Vec<usize> = (0..inputs).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        let mean = self
            .shift
            .iter()
            .zip(&means)
            .map(|(shift, mean)| shift + mean);
        (mean.collect(), eigen, order)
    }

    /// ‖x − x̂‖² of a row of `test`, the mean over them, where x̂ is what the mean of the rows that were added and their first
    /// so many principal components keep of it: for each of `components`.
    pub(super) fn left_over(self, test: &Images, components: &[usize]) -> Vec<f64> {
        let (mean, eigen, mut order) = self.finish();
        order.truncate(components.iter().copied().max().unwrap_or(0));
        let mut left = vec![0.0; components.len()];
        test.each_row(|row| {
            let centred = row.iter().zip(&mean).map(|(&x, mean)| f64::from(x) - mean);
            let centred = DVector::from_iterator(mean.len(), centred);
            let along = order
                .iter()
                .map(|&at| eigen.eigenvectors.column(at).dot(&centred));
            let squares: Vec<f64> = along.map(|along| along * along).collect();
            for (left, &components) in left.iter_mut().zip(components) {
                let kept: f64 = squares.iter().take(components).sum();
                *left += centred.norm_squared() - kept;
            }
        });
        let count = test.count() as f64;
        left.into_iter().map(|left| left / count).collect()
    }

    /// The map that whitens rows of this covariance, along the first `components` directions at most.
    pub(super) fn whitening(
        self,
        method: Whitening,
        epsilon: f64,
        components: Option<usize>,
    ) -> LinearMap {
        let inputs = self.shift.len();
        let (mean, eigen, mut order) = self.finish();
        order.truncate(components.unwrap_or(inputs));
        let largest = eigen.eigenvalues[order[0]];
        // Directions as rows, with what each is multiplied by on the way in and on the way back.
        let outputs = order.len();
        let mut directions = DMatrix::zeros(outputs, inputs);
        let mut factors = Vec::with_capacity(outputs);
        for (place, &at) in order.iter().enumerate() {
            let variance = eigen.eigenvalues[at];
            let has_variance = variance > 0.0 && variance >= LEAST_SHARE * largest;
            let deviation = (variance + epsilon).sqrt();
            factors.push(if has_variance {
                (1.0 / deviation, deviation)
            } else {
                (0.0, 0.0)
            });
            // Either sign would do: the largest entry is positive.
            let vector = eigen.eigenvectors.column(at);
            let sign = vector[vector.iamax()].signum();
            directions
                .row_mut(place)
                .copy_from(&(vector * sign).transpose());
        }
        let scaled = |factor: &dyn Fn(&(f64, f64)) -> f64| {
            let mut scaled = directions.clone();
            for (mut row, factors) in scaled.row_iter_mut().zip(&factors) {
                row *= factor(factors);
            }
            scaled
        };
        // nalgebra's columns are rows of memory: each is written down transposed.
        let (forward, back) = match method {
            Whitening::Pca => (scaled(&|of| of.0), scaled(&|of| of.1).transpose()),
            Whitening::Zca => {
                let turned = directions.transpose();
                (&turned * scaled(&|of| of.0), &turned * scaled(&|of| of.1))
            }
        };
        let single = |matrix: &DMatrix<f64>| matrix.iter().map(|&x| x as f32).collect();
        LinearMap {
            method,
            mean: mean.iter().map(|&x| x as f32).collect(),
            forward: single(&forward),
            back: single(&back),
        }
    }
}

/// Rows that are multiplied at a time, so that they share what is read of the matrix.
const ROWS_AT_ONCE: usize = 8;

/// `rows` · `matrix`, row by row: the bits of a row do not depend on the rows beside it.
pub(super) fn product(rows: &[f32], matrix: &[f32], inputs: usize, outputs: usize) -> Vec<f32> {
    let mut products = vec![0.0; rows.len() / inputs * outputs];
    let blocks = rows
        .chunks(ROWS_AT_ONCE * inputs)
        .zip(products.chunks_mut(ROWS_AT_ONCE * outputs));
    for (rows, products) in blocks {
        for (input, weights) in matrix.chunks_exact(outputs).enumerate() {
            for (row, product) in rows
                .chunks_exact(inputs)
                .zip(products.chunks_exact_mut(outputs))
            {
                let x = row[input];
                for (sum, weight) in product.iter_mut().zip(weights) {
                    *sum += x * weight;
                }
            }
        }
    }
    products
}
