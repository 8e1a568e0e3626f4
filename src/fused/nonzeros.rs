//! Products with a matrix most of whose entries are 0, as four of five pixels are: only the others are multiplied.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};

use super::products::Matrix;
use crate::wide::{Pass, wide, with_vectors};

/// A matrix of up to this share of nonzero entries is worth listing: two products with lists, the lists included, then
/// take less time than two without.
const WORTH_LISTING: f64 = 0.25;

/// With fewer columns on the other side, products are too short to pay for lists.
const COLUMNS_WORTH_LISTING: usize = 64;

/// Entries looked at together: as many as a mask has bits.
const BLOCK: usize = 32;

/// Entries written at once, wanted or not, so that the processor need not guess how many there are.
const AT_ONCE: usize = 8;

/// The nonzero entries of a matrix, row by row.
#[derive(Debug, Clone)]
pub struct Nonzeros {
    width: usize,
    /// Where each row's entries begin, and the last one's end.
    starts: Vec<u32>,
    columns: Vec<u32>,
    values: Vec<f32>,
}

impl Nonzeros {
    /// Those of a matrix that lies row after row, if products with matrices of `columns` columns are faster by them.
    pub fn worth_listing(matrix: Matrix<'_>, columns: usize) -> Option<Self> {
        if columns < COLUMNS_WORTH_LISTING || matrix.entries().is_empty() {
            return None;
        }
        let count = wide(Count(matrix.entries()));
        let share = count as f64 / matrix.entries().len() as f64;
        (share <= WORTH_LISTING).then(|| Self::of(matrix, count))
    }

    fn of(matrix: Matrix<'_>, count: usize) -> Self {
        let mut list = Self {
            width: matrix.columns(),
            starts: Vec::with_capacity(matrix.rows() + 1),
            columns: vec![0; count + AT_ONCE],
            values: vec![0.0; count + AT_ONCE],
        };
        wide(List {
            entries: matrix.entries(),
            list: &mut list,
        });
        list
    }

    pub fn transposed(&self) -> Self {
        let mut next = vec![0_u32; self.width + 1];
        for &column in &self.columns {
            next[column as usize + 1] += 1;
        }
        for at in 0..self.width {
            next[at + 1] += next[at];
        }
        let starts = next.clone();
        let mut columns = vec![0; self.columns.len()];
        let mut values = vec![0.0; self.values.len()];
        for row in 0..self.starts.len() - 1 {
            let (places, entries) = self.row(row);
            for (&place, &value) in places.iter().zip(entries) {
                let at = next[place as usize] as usize;
                next[place as usize] += 1;
                columns[at] = row as u32;
                values[at] = value;
            }
        }
        Self {
            width: self.starts.len() - 1,
            starts,
            columns,
            values,
        }
    }

    /// This matrix · `right`, row after row, behind the entries of `out`; on this thread alone.
    ///
    /// # Panics
    ///
    /// Panics if the matrices do not fit, or `right` does not lie row after row.
    #[expect(
        unsafe_code,
        reason = "clearing memory that is about to be written would cost a pass"
    )]
    pub fn extend_by_product(&self, out: &mut Vec<f32>, right: Matrix<'_>) {
        assert_eq!(self.width, right.rows(), "matrices that can be multiplied");
        assert!(right.is_row_after_row());
        let size = (self.starts.len() - 1) * right.columns();
        out.reserve_exact(size);
        with_vectors(ListedProduct {
            out: &mut out.spare_capacity_mut()[..size],
            left: self,
            right: right.entries(),
            columns: right.columns(),
        });
        // SAFETY: the product's entries have all been written.
        unsafe { out.set_len(out.len() + size) }
    }

    fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.starts[row] as usize..self.starts[row + 1] as usize;
        (&self.columns[range.clone()], &self.values[range])
    }
}

/// How many entries are not 0.
struct Count<'a>(&'a [f32]);

impl Pass for Count<'_> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        // Short runs, so that 32 bits hold their counts.
        let runs = self.0.chunks(1 << 16);
        let counts = runs.map(|run| {
            run.iter()
                .map(|&value| u32::from(value != 0.0))
                .sum::<u32>()
        });
        counts.map(|count| count as usize).sum()
    }
}

/// Fills a list that has room for every nonzero entry and [`AT_ONCE`] more.
struct List<'a> {
    entries: &'a [f32],
    list: &'a mut Nonzeros,
}

impl Pass for List<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Nonzeros {
            width,
            starts,
            columns,
            values,
        } = self.list;
        let mut count = 0;
        starts.push(0);
        for row in self.entries.chunks_exact(*width) {
            let (blocks, rest) = row.as_chunks::<BLOCK>();
            for (at, block) in blocks.iter().enumerate() {
                let mut mask = 0_u32;
                for (lane, &value) in block.iter().enumerate() {
                    mask |= u32::from(value != 0.0) << lane;
                }
                let end = count + mask.count_ones() as usize;
                while count < end {
                    let columns = &mut columns[count..][..AT_ONCE];
                    let values = &mut values[count..][..AT_ONCE];
                    for (column, value) in columns.iter_mut().zip(values) {
                        let lane = mask.trailing_zeros() as usize % BLOCK;
                        *column = (at * BLOCK + lane) as u32;
                        *value = block[lane];
                        mask &= mask.wrapping_sub(1);
                    }
                    count += AT_ONCE;
                }
                count = end;
            }
            for (at, &value) in rest.iter().enumerate() {
                if value != 0.0 {
                    columns[count] = (blocks.len() * BLOCK + at) as u32;
                    values[count] = value;
                    count += 1;
                }
            }
            starts.push(count as u32);
        }
        columns.truncate(count);
        values.truncate(count);
    }
}

/// Every row of the product is a sum of rows of `right`, kept in registers until it is whole. There are at least as many
/// columns as a vector is long.
struct ListedProduct<'a> {
    out: &'a mut [MaybeUninit<f32>],
    left: &'a Nonzeros,
    right: &'a [f32],
    columns: usize,
}

impl WithSimd for ListedProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let mut from = 0;
        while from < self.columns {
            // As many vectors as fit into registers, or as are left.
            from = match (self.columns - from).div_ceil(S::F32_LANES) {
                13.. => self.panel::<S, 13>(simd, from),
                7.. => self.panel::<S, 7>(simd, from),
                4.. => self.panel::<S, 4>(simd, from),
                2.. => self.panel::<S, 2>(simd, from),
                _ => self.panel::<S, 1>(simd, from),
            };
        }
    }
}

impl ListedProduct<'_> {
    /// The product's next N vectors of columns; where they end.
    #[inline(always)]
    fn panel<S: Simd, const N: usize>(&mut self, simd: S, from: usize) -> usize {
        let end = (from + N * S::F32_LANES).min(self.columns);
        // A last vector that would be cut short starts earlier: what it shares with others comes out twice, and the same.
        let from = from.min(end - S::F32_LANES);
        let width = end - from;
        let mut copy = Vec::new();
        let panel = if width == self.columns {
            self.right
        } else {
            // Parts of long rows lie on a page of memory each: together they are found faster.
            for row in self.right.chunks_exact(self.columns) {
                copy.extend_from_slice(&row[from..end]);
            }
            &copy
        };
        // Loops of known length: unrolled, with the sums in registers throughout.
        for (row, out) in self.out.chunks_exact_mut(self.columns).enumerate() {
            let mut sums = [simd.splat_f32s(0.0); N];
            let (places, values) = self.left.row(row);
            for (&place, &value) in places.iter().zip(values) {
                let entries = &panel[place as usize * width..][..width];
                let (head, _) = S::as_simd_f32s(entries);
                let (last, _) = S::as_simd_f32s(&entries[width - S::F32_LANES..]);
                let (head, last) = (&head[..N - 1], last[0]);
                let value = simd.splat_f32s(value);
                for at in 0..N - 1 {
                    sums[at] = simd.mul_add_e_f32s(value, head[at], sums[at]);
                }
                sums[N - 1] = simd.mul_add_e_f32s(value, last, sums[N - 1]);
            }
            let out = &mut out[from..end];
            let (head, _) = S::as_uninit_mut_simd_f32s(out);
            for (place, sum) in head.iter_mut().zip(&sums[..N - 1]) {
                place.write(*sum);
            }
            let (last, _) = S::as_uninit_mut_simd_f32s(&mut out[width - S::F32_LANES..]);
            last[0].write(sums[N - 1]);
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fused::products::extend_by_product;

    /// About one entry in `every` is not 0, and some rows have none.
    fn sparse(rows: usize, columns: usize, every: usize) -> Vec<f32> {
        let entry = |at: usize| {
            let mixed = at * 7919 % 1009;
            if mixed.is_multiple_of(every) && (at / columns) % 4 != 1 {
                mixed as f32 / 500.0 - 1.0
            } else {
                0.0
            }
        };
        (0..rows * columns).map(entry).collect()
    }

    fn full(rows: usize, columns: usize) -> Vec<f32> {
        (0..rows * columns)
            .map(|at| (at * 6007 % 1009) as f32 / 500.0 - 1.0)
            .collect()
    }

    #[test]
    fn listed_products_are_those_of_the_whole_matrix() {
        for columns in [64, 65, 100, 127, 208, 333] {
            for (rows, inner) in [(9, 40), (5, 31), (1, 784), (40, 96)] {
                let a = sparse(rows, inner, 6);
                let a = Matrix::new(&a, rows, inner);
                let list = Nonzeros::worth_listing(a, columns).expect("few entries");
                let b = full(inner, columns);
                let b = Matrix::new(&b, inner, columns);
                let (mut expected, mut found) = (vec![7.0], vec![7.0]);
                extend_by_product(&mut expected, a, b, 1.0);
                list.extend_by_product(&mut found, b);
                assert_close(&found, &expected);

                let d = full(rows, columns);
                let d = Matrix::new(&d, rows, columns);
                extend_by_product(&mut expected, a.transposed(), d, 1.0);
                list.transposed().extend_by_product(&mut found, d);
                assert_close(&found, &expected);
            }
        }
    }

    #[track_caller]
    fn assert_close(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    #[test]
    fn only_what_pays_is_listed() {
        let few = sparse(10, 90, 5);
        let many = sparse(10, 90, 2);
        let listed =
            |entries, columns| Nonzeros::worth_listing(Matrix::new(entries, 10, 90), columns);
        assert!(listed(&few, 100).is_some());
        assert!(listed(&few, 10).is_none());
        assert!(listed(&many, 100).is_none());
        assert!(
            listed(&[f32::NAN; 900], 100).is_none(),
            "no number is not 0"
        );
    }
}
