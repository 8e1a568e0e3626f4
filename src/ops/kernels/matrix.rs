//! Matrices in memory and their products.
//!
//! A large product is shared out over the threads of the pool that the caller runs in. Each entry is one sum in the
//! order of the inner index, whatever thread computes it, so that the bits do not depend on how many there are.

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::ops::Range;

use gemm::Parallelism;

use super::few;
use super::passes;
use super::sparse::{QUAD, Sparse, turned};
use super::threads::{self, share_out};

/// A matrix in memory.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    entries: &'a [f32],
    rows: usize,
    columns: usize,
    /// How far apart neighbours in a column lie, and neighbours in a row.
    strides: [usize; 2],
}

/// What can stand on the left of a product.
#[derive(Debug, Clone, Copy)]
pub enum Factor<'a> {
    Whole(Matrix<'a>),
    /// With marks of what is 0 in it.
    Numbers(Sparse<'a, f32>),
    Bytes(Sparse<'a, u8>),
}

impl<'a> From<Matrix<'a>> for Factor<'a> {
    fn from(matrix: Matrix<'a>) -> Self {
        Self::Whole(matrix)
    }
}

impl<'a> Factor<'a> {
    /// What the whole of it consists of, in its order; bytes as numbers.
    pub fn numbers(self) -> Cow<'a, [f32]> {
        match self {
            Self::Whole(matrix) => Cow::Borrowed(matrix.entries),
            Self::Numbers(matrix) => Cow::Borrowed(matrix.entries()),
            Self::Bytes(matrix) => Cow::Owned(passes::shares(matrix.entries())),
        }
    }

    pub fn transposed(self) -> Self {
        match self {
            Self::Whole(matrix) => Self::Whole(matrix.transposed()),
            Self::Numbers(matrix) => Self::Numbers(matrix.transposed()),
            Self::Bytes(matrix) => Self::Bytes(matrix.transposed()),
        }
    }

    fn dims(self) -> [usize; 2] {
        match self {
            Self::Whole(matrix) => [matrix.rows, matrix.columns],
            Self::Numbers(matrix) => [matrix.rows(), matrix.columns()],
            Self::Bytes(matrix) => [matrix.rows(), matrix.columns()],
        }
    }

    /// scale · self · right; every entry of `out` is written.
    fn multiply(self, right: Matrix<'_>, scale: f32, out: &mut [MaybeUninit<f32>]) {
        match self {
            Self::Whole(matrix) => product(out, right.columns, 0, matrix, right, scale),
            Self::Numbers(matrix) => matrix.multiply(right, scale, out),
            Self::Bytes(matrix) => matrix.multiply(right, scale, out),
        }
    }
}

impl<'a> Matrix<'a> {
    /// Row after row.
    ///
    /// # Panics
    ///
    /// Panics if that is not how many entries there are.
    pub fn new(entries: &'a [f32], rows: usize, columns: usize) -> Self {
        let places = rows.checked_mul(columns);
        assert_eq!(Some(entries.len()), places, "as many entries as places");
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

    #[inline(always)]
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            strides: [self.strides[1], self.strides[0]],
            ..self
        }
    }

    /// Row after row, copied only where it does not lie so.
    #[expect(
        unsafe_code,
        reason = "clearing memory that is about to be written would cost a pass"
    )]
    pub fn straight(self) -> Cow<'a, [f32]> {
        /// Rows written at a time: as many as numbers that are read from a line of the cache.
        const TOGETHER: usize = 16;
        if self.is_row_after_row() {
            return Cow::Borrowed(self.entries);
        }
        let [down, across] = self.strides;
        assert_eq!(down, 1, "a matrix or its transpose");
        let size = self.rows * self.columns;
        let mut out = Vec::with_capacity(size);
        let places = &mut out.spare_capacity_mut()[..size];
        let pieces = places.chunks_mut((TOGETHER * self.columns).max(1));
        let threads = threads::for_numbers(size);
        share_out(pieces.enumerate(), threads, |(piece, out)| {
            let from = &self.entries[piece * TOGETHER..];
            let shape = [self.columns, out.len() / self.columns];
            turn(from, across, shape, out, self.columns);
        });
        // SAFETY: all pieces have been written.
        unsafe { out.set_len(size) }
        Cow::Owned(out)
    }

    pub fn some_columns(self, range: Range<usize>) -> Self {
        self.transposed().some_rows(range).transposed()
    }

    fn some_rows(self, range: Range<usize>) -> Self {
        let fits = range.start <= range.end && range.end <= self.rows;
        assert!(fits, "rows that there are");
        Self {
            entries: &self.entries[(range.start * self.strides[0]).min(self.entries.len())..],
            rows: range.len(),
            ..self
        }
    }
}

/// scale · left · right, row after row, behind the entries of `out`.
///
/// # Panics
///
/// Panics if the matrices do not fit.
#[expect(
    unsafe_code,
    reason = "clearing memory that is about to be written would cost a pass"
)]
pub fn extend_by_product<'a>(
    out: &mut Vec<f32>,
    left: impl Into<Factor<'a>>,
    right: Matrix<'_>,
    scale: f32,
) {
    let left = left.into();
    let [rows, columns] = left.dims();
    assert_eq!(columns, right.rows, "matrices that can be multiplied");
    let size = rows * right.columns;
    out.reserve_exact(size);
    left.multiply(right, scale, &mut out.spare_capacity_mut()[..size]);
    // SAFETY: every entry has been written: each kind of product says so.
    unsafe { out.set_len(out.len() + size) }
}

/// scale · (left · right)ᵀ, row after row, behind the entries of `out`; in proportion to what is marked on the left.
///
/// # Panics
///
/// Panics if the matrices do not fit.
#[expect(unsafe_code, reason = "as above")]
pub fn extend_by_turned_product(
    out: &mut Vec<f32>,
    left: Sparse<'_, f32>,
    right: Matrix<'_>,
    scale: f32,
) {
    let size = left.rows() * right.columns;
    out.reserve_exact(size);
    few::turned_product(left, right, scale, &mut out.spare_capacity_mut()[..size]);
    // SAFETY: the product has written every entry.
    unsafe { out.set_len(out.len() + size) }
}

/// Writes the transpose of so many rows and columns of a matrix whose rows lie `stride` apart; those of the transpose lie
/// `to_stride` apart.
pub fn turn(
    from: &[f32],
    stride: usize,
    [rows, columns]: [usize; 2],
    to: &mut [MaybeUninit<f32>],
    to_stride: usize,
) {
    let (whole_rows, whole_columns) = (rows - rows % QUAD, columns - columns % QUAD);
    // Wrapping, as checks of every sum would take longer than the work; slices check where they end.
    let mut turn_square = |row: usize, column: usize| {
        let mut square = [[0.0; QUAD]; QUAD];
        let mut at = row.wrapping_mul(stride).wrapping_add(column);
        for values in &mut square {
            *values = *from[at..].first_chunk().expect("rows reach so far");
            at = at.wrapping_add(stride);
        }
        let mut at = column.wrapping_mul(to_stride).wrapping_add(row);
        for values in turned(square) {
            let place = to[at..].first_chunk_mut().expect("rows reach so far");
            *place = values.map(MaybeUninit::new);
            at = at.wrapping_add(to_stride);
        }
    };
    // Along the longer side, so that what is near in the cache is read or written at once.
    if rows > columns {
        for row in (0..whole_rows).step_by(QUAD) {
            for column in (0..whole_columns).step_by(QUAD) {
                turn_square(row, column);
            }
        }
    } else {
        for column in (0..whole_columns).step_by(QUAD) {
            for row in (0..whole_rows).step_by(QUAD) {
                turn_square(row, column);
            }
        }
    }
    for column in 0..columns {
        let done = if column < whole_columns {
            whole_rows
        } else {
            0
        };
        for row in done..rows {
            to[column * to_stride + row].write(from[row * stride + column]);
        }
    }
}

/// matrixᵀ · matrix, row after row, behind the entries of `out`. Being symmetric, it is computed in strips that begin at
/// the diagonal, and the rest is mirrored.
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
    let places = &mut out.spare_capacity_mut()[..size * size];
    for start in (0..whole).step_by(strip) {
        let end = (start + strip).min(whole);
        let rows = matrix.some_columns(start..end).transposed();
        let columns = matrix.some_columns(start..whole);
        product(
            &mut places[start * size..end * size],
            size,
            start,
            rows,
            columns,
            1.0,
        );
    }
    let rest = matrix.some_columns(whole..size).transposed();
    product(&mut places[whole * size..], size, 0, rest, matrix, 1.0);
    for row in 0..whole {
        for column in (0..row - row % strip).chain(whole..size) {
            places[row * size + column] = places[column * size + row];
        }
    }
    // SAFETY: strips have written the columns from their start to `whole`, the last product all rows from `whole` on, and
    // the loop above has copied the rest.
    unsafe { out.set_len(out.len() + size * size) }
}

/// scale · left · right to `out`, whose rows lie `stride` apart and begin at column `from`.
///
/// Threads of the pool have pieces of the product's longer side: so the smaller matrix is what each of them prepares for
/// itself. `gemm` could share the work out too, but does so anew for each part of the inner index.
fn product(
    out: &mut [MaybeUninit<f32>],
    stride: usize,
    from: usize,
    left: Matrix<'_>,
    right: Matrix<'_>,
    scale: f32,
) {
    /// `gemm` cuts the inner index in another way where neither side is as long: bits would depend on the pieces.
    const SHORTEST: usize = 65;

    assert_eq!(left.columns, right.rows, "matrices that can be multiplied");
    assert!(from + right.columns <= stride && out.len() >= left.rows * stride);
    if out.is_empty() {
        return;
    }
    let by_rows = left.rows > right.columns;
    let longer = left.rows.max(right.columns);
    let threads = threads::for_products(left.rows * left.columns * right.columns);
    let pieces = threads.min(longer / SHORTEST).max(1);
    let place = Place(out.as_mut_ptr().cast::<f32>().wrapping_add(from));
    let multiply = |at: usize| {
        let range = at * longer / pieces..(at + 1) * longer / pieces;
        let (left, right, start) = if by_rows {
            (left.some_rows(range.clone()), right, range.start * stride)
        } else {
            (left, right.some_columns(range.clone()), range.start)
        };
        place.multiply(start, stride, left, right, scale);
    };
    share_out(0..pieces, pieces, multiply);
}

/// Where a product goes that several threads compute, each some of its rows or columns.
#[derive(Clone, Copy)]
struct Place(*mut f32);

// SAFETY: threads write to different entries.
#[expect(unsafe_code, reason = "slices have no columns")]
unsafe impl Send for Place {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "slices have no columns")]
unsafe impl Sync for Place {}

impl Place {
    /// scale · left · right, from `start` on. The caller has measured that there is room.
    #[expect(
        unsafe_code,
        reason = "the product's interface is pointers and strides"
    )]
    fn multiply(
        self,
        start: usize,
        stride: usize,
        left: Matrix<'_>,
        right: Matrix<'_>,
        scale: f32,
    ) {
        let strides = |matrix: Matrix<'_>| matrix.strides.map(usize::cast_signed);
        let [left_rows, left_columns] = strides(left);
        let [right_rows, right_columns] = strides(right);
        // SAFETY: every index below a matrix's rows and columns, times its strides, lies inside its entries, and `product`
        // has measured the rows of the place. Without an inner index gemm writes zeros, as it does not read the place.
        unsafe {
            gemm::gemm(
                left.rows,
                right.columns,
                left.columns,
                self.0.add(start),
                1,
                stride.cast_signed(),
                false,
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::kernels::marks::Marks;

    #[test]
    fn products_of_matrices_and_their_transposes_by_hand() {
        // [1 2; 3 4] · [5 6; 7 8] = [19 22; 43 50]
        let (a, b) = ([1., 2., 3., 4.], [5., 6., 7., 8.]);
        let (a, b) = (Matrix::new(&a, 2, 2), Matrix::new(&b, 2, 2));
        let mut out = Vec::new();
        extend_by_product(&mut out, a, b, 2.0);
        assert_eq!(out, [38., 44., 86., 100.]);
        // [1 3; 2 4] · [5 7; 6 8] = [23 31; 34 46]
        extend_by_product(&mut out, a.transposed(), b.transposed(), 1.0);
        assert_eq!(out[4..], [23., 31., 34., 46.]);
    }

    #[test]
    fn a_transpose_is_laid_out_row_after_row() {
        for (rows, columns) in [(1, 1), (3, 2), (16, 40), (37, 100)] {
            let entries: Vec<f32> = (0..rows * columns).map(|at| at as f32).collect();
            let matrix = Matrix::new(&entries, rows, columns);
            assert_eq!(*matrix.straight(), entries);
            let expected: Vec<f32> = (0..rows * columns)
                .map(|at| entries[at % rows * columns + at / rows])
                .collect();
            assert_eq!(*matrix.transposed().straight(), expected);
        }
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
    fn sums_of_nothing_are_0() {
        let mut out = Vec::new();
        let (left, right) = (Matrix::new(&[], 2, 0), Matrix::new(&[], 0, 3));
        extend_by_product(&mut out, left, right, 1.0);
        extend_by_gram(&mut out, right);
        assert_eq!(out, [0.0; 6 + 9]);
    }

    #[test]
    #[should_panic(expected = "rows that there are")]
    fn rows_beyond_the_last_one_are_refused() {
        let a = [0.0; 6];
        let a = Matrix::new(&a, 2, 3);
        a.some_rows(0..3);
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
    fn bits_do_not_depend_on_how_many_threads_share_the_rows() {
        let number = |at: usize| ((at * 7919) % 1000) as f32 / 500.0 - 1.0;
        // Enough work to be shared, by rows or by columns, in numbers that nothing divides.
        for (m, k, n) in [(403, 611, 201), (131, 1300, 170), (66, 2400, 140)] {
            let a: Vec<f32> = (0..m * k).map(number).collect();
            let ramps: Vec<f32> = a.iter().map(|a| a.max(0.0)).collect();
            let b: Vec<f32> = (0..k * n).map(|at| number(at + 17)).collect();
            let with = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                pool.build().expect("threads").install(|| {
                    let (left, right) = (Matrix::new(&a, m, k), Matrix::new(&b, k, n));
                    let mut out = Vec::new();
                    extend_by_product(&mut out, left, right, 0.5);
                    let turned = Matrix::new(&a, k, m).transposed();
                    extend_by_product(&mut out, turned, right, 1.0);
                    let marks = Marks::of(&ramps, k);
                    let sparse = Factor::Numbers(Sparse::new(&ramps, &marks));
                    extend_by_product(&mut out, sparse, right, 1.0);
                    extend_by_gram(&mut out, left);
                    out.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
                })
            };
            let expected = with(1);
            for threads in [2, 3, 5] {
                assert!(with(threads) == expected, "{m} {k} {n}, {threads} threads");
            }
        }
    }

    #[test]
    #[should_panic(expected = "matrices that can be multiplied")]
    fn matrices_that_do_not_fit_are_refused() {
        let a = [0.0; 6];
        let a = Matrix::new(&a, 2, 3);
        extend_by_product(&mut Vec::new(), a, a, 1.0);
    }
}
