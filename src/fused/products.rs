//! Matrix products on slices, and sums of rows.

use std::ops::Range;

use gemm::Parallelism;

use super::kernel::{self, Left, Out};
use crate::wide::{Pass, wide, with_vectors};

/// A matrix in memory.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    entries: &'a [f32],
    rows: usize,
    columns: usize,
    /// How far apart neighbours in a column lie, and neighbours in a row.
    strides: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// Row after row.
    ///
    /// # Panics
    ///
    /// Panics if that is not how many entries there are.
    pub fn new(entries: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(entries.len(), rows * columns, "as many entries as places");
        Self {
            entries,
            rows,
            columns,
            strides: [columns, 1],
        }
    }

    /// Row after row, if the matrix [lies so](Self::is_row_after_row); of a transpose, column after column.
    #[inline(always)]
    pub fn entries(self) -> &'a [f32] {
        self.entries
    }

    #[inline(always)]
    pub fn strides(self) -> [usize; 2] {
        self.strides
    }

    #[inline(always)]
    pub fn rows(self) -> usize {
        self.rows
    }

    #[inline(always)]
    pub fn width(self) -> usize {
        self.columns
    }

    #[inline(always)]
    pub fn is_row_after_row(self) -> bool {
        self.strides == [self.columns, 1]
    }

    /// Some of the columns.
    fn columns(self, range: Range<usize>) -> Self {
        Self {
            entries: &self.entries[(range.start * self.strides[1]).min(self.entries.len())..],
            columns: range.len(),
            ..self
        }
    }

    #[inline(always)]
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            strides: [self.strides[1], self.strides[0]],
            ..self
        }
    }
}

/// scale · left · right, row after row, behind the entries of `out`; on this thread alone.
///
/// # Panics
///
/// Panics if the matrices do not fit.
#[expect(
    unsafe_code,
    reason = "clearing memory that is about to be written would cost a pass"
)]
pub fn extend_by_product(out: &mut Vec<f32>, left: Matrix<'_>, right: Matrix<'_>, scale: f32) {
    assert_eq!(left.columns, right.rows, "matrices that can be multiplied");
    let size = left.rows * right.columns;
    out.reserve_exact(size);
    // SAFETY: there is room for `size` entries behind the last one; all of them are written and none is read.
    unsafe {
        let end = out.as_mut_ptr().add(out.len());
        product(end, right.columns, left, right, scale, false);
        out.set_len(out.len() + size);
    }
}

/// scale · left · right, row after row, behind the entries of `out`; only over what is marked on the left, on this thread
/// alone.
///
/// # Panics
///
/// Panics if the matrices do not fit, or there is nothing to sum up.
#[expect(
    unsafe_code,
    reason = "clearing memory that is about to be written would cost a pass"
)]
pub fn extend_by_product_over(out: &mut Vec<f32>, left: impl Left, right: Matrix<'_>, scale: f32) {
    let size = left.marks().count() * right.columns;
    out.reserve_exact(size);
    with_vectors(kernel::Product {
        out: Out::Fresh(&mut out.spare_capacity_mut()[..size]),
        scale,
        left,
        right,
    });
    // SAFETY: the product's entries have all been written.
    unsafe { out.set_len(out.len() + size) }
}

/// scale · left · right added to `out`, row after row; only over what is marked on the left, on this thread alone.
///
/// # Panics
///
/// Panics if the matrices do not fit, or there is nothing to sum up.
pub fn add_product_over(out: &mut [f32], left: impl Left, right: Matrix<'_>, scale: f32) {
    with_vectors(kernel::Product {
        out: Out::Added(out),
        scale,
        left,
        right,
    });
}

/// scale · left · right added to `out`, row after row; on this thread alone.
///
/// # Panics
///
/// Panics if the matrices do not fit.
#[expect(
    unsafe_code,
    reason = "the product's interface is pointers and strides"
)]
pub fn add_product(out: &mut [f32], left: Matrix<'_>, right: Matrix<'_>, scale: f32) {
    assert_eq!(left.columns, right.rows, "matrices that can be multiplied");
    assert_eq!(out.len(), left.rows * right.columns, "room for the product");
    // SAFETY: `out` has been measured, is borrowed alone, and all of it can be read.
    unsafe { product(out.as_mut_ptr(), right.columns, left, right, scale, true) }
}

/// matrixᵀ · matrix, row after row, behind the entries of `out`; on this thread alone. Being symmetric, it is
/// computed in strips that begin at the diagonal, and the rest is mirrored.
#[expect(
    unsafe_code,
    reason = "clearing memory that is about to be written would cost a pass"
)]
pub fn extend_by_gram(out: &mut Vec<f32>, matrix: Matrix<'_>) {
    /// Products are at their best with whole vectors of the longest kind, in pairs.
    const WHOLE: usize = 32;
    let size = matrix.columns;
    out.reserve_exact(size * size);
    let whole = size - size % WHOLE;
    let strip = (size / 4).next_multiple_of(WHOLE).max(WHOLE);
    // SAFETY: there is room for all rows. Strips write what lies on the diagonal and right of it, up to `whole`; the
    // last product writes the rows below; what has been written is mirrored to what has not.
    unsafe {
        let first = out.as_mut_ptr().add(out.len());
        for start in (0..whole).step_by(strip) {
            let end = (start + strip).min(whole);
            let (rows, columns) = (matrix.columns(start..end), matrix.columns(start..whole));
            let corner = first.add(start * size + start);
            product(corner, size, rows.transposed(), columns, 1.0, false);
        }
        let rest = matrix.columns(whole..size).transposed();
        product(first.add(whole * size), size, rest, matrix, 1.0, false);
        for row in 0..size {
            let mirrored = if row < whole { row - row % strip } else { 0 };
            for column in 0..mirrored {
                *first.add(row * size + column) = *first.add(column * size + row);
            }
            for column in whole..if row < whole { size } else { whole } {
                *first.add(row * size + column) = *first.add(column * size + row);
            }
        }
        out.set_len(out.len() + size * size);
    }
}

/// scale · left · right to `out`, whose rows lie `stride` apart, or added to it.
///
/// # Safety
///
/// `out` must have room for the product's rows; to be added to, they must have been written.
#[expect(
    unsafe_code,
    reason = "the product's interface is pointers and strides"
)]
unsafe fn product(
    out: *mut f32,
    stride: usize,
    left: Matrix<'_>,
    right: Matrix<'_>,
    scale: f32,
    add: bool,
) {
    let strides = |matrix: Matrix<'_>| matrix.strides.map(usize::cast_signed);
    let [left_rows, left_columns] = strides(left);
    let [right_rows, right_columns] = strides(right);
    // SAFETY: every index below a matrix's rows and columns, times its strides, lies inside its entries; the caller
    // answers for `out`.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            out,
            1,
            stride.cast_signed(),
            add,
            left.entries.as_ptr(),
            left_columns,
            left_rows,
            right.entries.as_ptr(),
            right_columns,
            right_rows,
            1.0,
            scale,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// Lanes that a sum is spread over: enough for any processor, so that the result does not depend on it.
pub const LANES: usize = 16;

/// a · b of two vectors, in double precision.
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    let products = a.iter().zip(b);
    products.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// The sum of the squares of all entries.
pub fn squares(entries: &[f32]) -> f64 {
    // Short runs, so that what is added to is not much larger than what is added.
    let runs = entries.chunks(1024);
    runs.map(|run| f64::from(wide(SumOfSquares(run)))).sum()
}

struct SumOfSquares<'a>(&'a [f32]);

impl Pass for SumOfSquares<'_> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let mut lanes = [0.0_f32; LANES];
        let (blocks, rest) = self.0.as_chunks::<LANES>();
        for block in blocks {
            for (lane, value) in lanes.iter_mut().zip(block) {
                *lane += value * value;
            }
        }
        for (lane, value) in lanes.iter_mut().zip(rest) {
            *lane += value * value;
        }
        lanes.iter().sum()
    }
}

/// Adds every row of `rows` to `total`: the sums of the columns.
pub struct AddRows<'a> {
    pub total: &'a mut [f32],
    pub rows: &'a [f32],
}

impl Pass for AddRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for row in self.rows.chunks_exact(self.total.len()) {
            for (sum, &value) in self.total.iter_mut().zip(row) {
                *sum += value;
            }
        }
    }
}

/// Adds scale · `values` to `total`.
pub struct AddScaled<'a> {
    pub total: &'a mut [f32],
    pub scale: f32,
    pub values: &'a [f32],
}

impl Pass for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (sum, &value) in self.total.iter_mut().zip(self.values) {
            *sum += self.scale * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_of_matrices_and_their_transposes_by_hand() {
        // [1 2; 3 4] · [5 6; 7 8] = [19 22; 43 50]
        let (a, b) = ([1., 2., 3., 4.], [5., 6., 7., 8.]);
        let (a, b) = (Matrix::new(&a, 2, 2), Matrix::new(&b, 2, 2));
        let mut out = Vec::new();
        extend_by_product(&mut out, a, b, 2.0);
        assert_eq!(out, [38., 44., 86., 100.]);
        add_product(&mut out, a, b, 1.0);
        assert_eq!(out, [57., 66., 129., 150.]);
        // [1 3; 2 4] · [5 7; 6 8] = [23 31; 34 46]
        extend_by_product(&mut out, a.transposed(), b.transposed(), 1.0);
        assert_eq!(out[4..], [23., 31., 34., 46.]);
    }

    #[test]
    fn long_products_agree_with_sums_in_double_precision() {
        let number = |at: usize| ((at * 7919) % 1000) as f32 / 500.0 - 1.0;
        let (m, k, n) = (37, 530, 100);
        let a: Vec<f32> = (0..m * k).map(number).collect();
        let b: Vec<f32> = (0..k * n).map(|at| number(at + 17)).collect();
        let mut out = Vec::new();
        extend_by_product(&mut out, Matrix::new(&a, m, k), Matrix::new(&b, k, n), 0.5);
        for (at, value) in out.into_iter().enumerate() {
            let (row, column) = (at / n, at % n);
            let exact: f64 = (0..k)
                .map(|i| f64::from(a[row * k + i]) * f64::from(b[i * n + column]))
                .sum();
            assert!(
                (f64::from(value) - 0.5 * exact).abs() < 1e-4,
                "{row} {column}"
            );
        }
    }

    #[test]
    fn gram_matrices_are_products_with_the_transpose() {
        for (rows, columns) in [
            (7, 1),
            (5, 2),
            (30, 9),
            (64, 100),
            (3, 33),
            (2, 32),
            (2, 150),
            (2, 256),
        ] {
            let entries: Vec<f32> = (0..rows * columns)
                .map(|at| ((at * 7919) % 1000) as f32 / 500.0 - 1.0)
                .collect();
            let matrix = Matrix::new(&entries, rows, columns);
            let (mut gram, mut product) = (vec![7.0], vec![7.0]);
            extend_by_gram(&mut gram, matrix);
            extend_by_product(&mut product, matrix.transposed(), matrix, 1.0);
            assert_eq!(gram.len(), product.len());
            for (at, (one, other)) in gram.iter().zip(&product).enumerate() {
                assert!((one - other).abs() < 1e-4, "{at}: {one} {other}");
            }
        }
    }

    #[test]
    fn rows_are_added_to_what_is_there() {
        let mut total = [1.0, 2.0];
        wide(AddRows {
            total: &mut total,
            rows: &[1., 2., 3., 4.],
        });
        assert_eq!(total.map(f32::to_bits), [5.0_f32, 8.0].map(f32::to_bits));
    }

    #[test]
    #[should_panic(expected = "matrices that can be multiplied")]
    fn matrices_that_do_not_fit_are_refused() {
        let a = [0.0; 6];
        let a = Matrix::new(&a, 2, 3);
        extend_by_product(&mut Vec::new(), a, a, 1.0);
    }
}
