//! Which columns of a matrix are not 0 throughout.
//!
//! A ramp that is off for every picture of a batch adds nothing to what is above it, and nothing comes back through it: its
//! column of the code is 0, and so is its column of δ. In a deep net that does not learn, that is half of the units.

use pulp::{Simd, WithSimd};

use super::kernel::{Out, load, panel, vectors_next};
use super::products::Matrix;
use crate::wide::with_vectors;

/// With more of its columns not 0 throughout, a matrix may as well be multiplied whole.
const WORTH_NAMING: f64 = 0.95;

/// In how many rows each column of a matrix is not 0; it lies row after row.
pub fn nonzeros_by_column(matrix: Matrix<'_>) -> Vec<f32> {
    let mut counts = vec![0.0; matrix.width()];
    with_vectors(CountByColumn {
        entries: matrix.entries(),
        counts: &mut counts,
    });
    counts
}

/// The columns that are not 0 throughout, if leaving out the others pays.
pub fn columns_worth_naming(nonzeros: &[f32]) -> Option<Vec<u32>> {
    let on = nonzeros.iter().filter(|count| **count > 0.0).count();
    (on as f64 <= WORTH_NAMING * nonzeros.len() as f64).then(|| {
        let on = (0..).zip(nonzeros).filter(|(_, count)| **count > 0.0);
        on.map(|(column, _)| column).collect()
    })
}

struct CountByColumn<'a> {
    entries: &'a [f32],
    counts: &'a mut [f32],
}

impl WithSimd for CountByColumn<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let columns = self.counts.len();
        if columns < S::F32_LANES {
            return self.one_by_one();
        }
        let mut from = 0;
        while from < columns {
            from = match vectors_next::<S>(&[7, 4, 2], columns - from) {
                7 => self.panel::<S, 7>(simd, from),
                4 => self.panel::<S, 4>(simd, from),
                2 => self.panel::<S, 2>(simd, from),
                _ => self.panel::<S, 1>(simd, from),
            };
        }
    }
}

impl CountByColumn<'_> {
    fn one_by_one(self) {
        for row in self.entries.chunks_exact(self.counts.len().max(1)) {
            for (count, &value) in self.counts.iter_mut().zip(row) {
                *count += f32::from(u8::from(value != 0.0));
            }
        }
    }

    /// The next N vectors of columns; where they end.
    #[inline(always)]
    fn panel<S: Simd, const N: usize>(&mut self, simd: S, from: usize) -> usize {
        let width = self.counts.len();
        let columns = panel::<S, N>(width, from);
        let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
        let mut sums = [zero; N];
        for row in self.entries.chunks_exact(width) {
            let row = load::<S, N>(&row[columns.clone()]);
            for (sum, values) in sums.iter_mut().zip(row) {
                let of_row = simd.select_f32s(simd.equal_f32s(values, zero), zero, one);
                *sum = simd.add_f32s(*sum, of_row);
            }
        }
        Out::Added(self.counts).put::<S, N>(simd, columns.clone(), 1.0, &sums);
        columns.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_counted_and_named_where_some_are_empty() {
        for columns in [1, 5, 15, 16, 20, 33, 100, 113, 300] {
            // Every third column is empty; in the others every row but the first is 0 in turn.
            let entry = |at: usize| {
                let (row, column) = (at / columns, at % columns);
                let is_on = column % 3 != 1 && (row == 0 || (row + column).is_multiple_of(2));
                if is_on { -0.5 } else { 0.0 }
            };
            let entries: Vec<f32> = (0..7 * columns).map(entry).collect();
            let counts = nonzeros_by_column(Matrix::new(&entries, 7, columns));
            let expected: Vec<f32> = (0..columns)
                .map(|column| {
                    let of_column = (0..7).filter(|row| entries[row * columns + column] != 0.0);
                    of_column.count() as f32
                })
                .collect();
            assert_eq!(counts, expected);
            let on: Vec<u32> = (0..columns as u32)
                .filter(|column| column % 3 != 1)
                .collect();
            let named = (on.len() < columns).then_some(on);
            assert_eq!(columns_worth_naming(&counts), named, "{columns} columns");
        }
        assert_eq!(columns_worth_naming(&[0.0; 4]), Some(vec![]));
        // One of a hundred is not worth the trouble.
        let mut nearly = [1.0; 100];
        nearly[7] = 0.0;
        assert_eq!(columns_worth_naming(&nearly), None);
    }
}
