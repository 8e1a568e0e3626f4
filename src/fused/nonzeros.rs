//! Products with a matrix most of whose entries are 0, as four of five pixels are: only the others are multiplied.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::LazyLock;

use pulp::{Simd, WithSimd};

use super::input::grey;
use super::products::Matrix;
use crate::wide::with_vectors;

/// A matrix of up to this share of nonzero entries is worth listing: two products with lists, the lists included, then
/// take less time than two without.
const WORTH_LISTING: f64 = 0.25;

/// With fewer columns on the other side, products are too short to pay for a look at every entry.
const COLUMNS_WORTH_LISTING: usize = 64;

/// Entries that are looked at together: where strokes are, and where they are not, neighbours are alike.
const BLOCK: usize = 8;

/// The nonzero entries of a matrix, row by row.
#[derive(Debug, Clone)]
pub struct Nonzeros {
    columns: usize,
    /// Where each row's entries begin, and the last one's end.
    starts: Vec<u32>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    column: u32,
    value: f32,
}

impl Nonzeros {
    /// Those of a matrix that lies row after row, if products with matrices of `columns` columns are faster by them.
    pub fn worth_listing(matrix: Matrix<'_>, columns: usize) -> Option<Self> {
        let entries = matrix.entries();
        if columns < COLUMNS_WORTH_LISTING || entries.is_empty() {
            return None;
        }
        let room = most_worth_listing(entries.len());
        if with_vectors(Count(entries)) > room {
            return None;
        }
        Self::of(
            entries.chunks_exact(matrix.width()),
            matrix.width(),
            room,
            |value| value,
        )
    }

    /// Those of pictures of `columns` bytes, each a row of [inputs](grey), if they are few.
    ///
    /// # Panics
    ///
    /// Panics if a picture has another width.
    pub fn of_bytes<'a>(
        pictures: impl ExactSizeIterator<Item = &'a [u8]>,
        columns: usize,
    ) -> Option<Self> {
        static GREYS: LazyLock<[f32; 256]> =
            LazyLock::new(|| std::array::from_fn(|byte| grey(byte as u8)));
        let room = most_worth_listing(pictures.len() * columns);
        let greys: &[f32; 256] = &GREYS;
        Self::of(pictures, columns, room, |byte| greys[usize::from(byte)])
    }

    /// Those of `rows`; `None` if there are more than `room`, give or take a block.
    #[inline]
    fn of<'a, T: Copy + Default + PartialEq + 'a>(
        rows: impl Iterator<Item = &'a [T]>,
        columns: usize,
        room: usize,
        value: impl Fn(T) -> f32,
    ) -> Option<Self> {
        let zero = T::default();
        let mut starts = vec![0];
        let mut entries = vec![Entry::NONE; room + BLOCK];
        let mut count = 0;
        for row in rows {
            assert_eq!(row.len(), columns, "rows of one length");
            let (blocks, rest) = row.as_chunks::<BLOCK>();
            for (group, some) in blocks.chunks(64).enumerate() {
                // First which blocks have any, without a guess at each.
                let mut any = 0_u64;
                for (at, block) in some.iter().enumerate() {
                    any |= u64::from(*block != [zero; BLOCK]) << at;
                }
                while any != 0 {
                    let at = any.trailing_zeros() as usize;
                    any &= any - 1;
                    // A whole block is written, wanted or not: a guess of which entries are would often be wrong.
                    let free = entries[count..].first_chunk_mut::<BLOCK>()?;
                    let mut wanted = 0;
                    for (lane, &entry) in some[at].iter().enumerate() {
                        free[wanted % BLOCK] = Entry {
                            column: ((group * 64 + at) * BLOCK + lane) as u32,
                            value: value(entry),
                        };
                        wanted += usize::from(entry != zero);
                    }
                    count += wanted;
                }
            }
            for (lane, &entry) in rest.iter().enumerate() {
                if entry != zero {
                    *entries.get_mut(count)? = Entry {
                        column: (blocks.len() * BLOCK + lane) as u32,
                        value: value(entry),
                    };
                    count += 1;
                }
            }
            starts.push(count as u32);
        }
        entries.truncate(count);
        Some(Self {
            columns,
            starts,
            entries,
        })
    }

    pub fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The whole matrix, row after row.
    pub fn written_out(&self) -> Vec<f32> {
        let mut whole = vec![0.0; self.rows() * self.columns];
        for (row, whole) in whole.chunks_exact_mut(self.columns).enumerate() {
            for entry in self.row(row) {
                whole[entry.column as usize] = entry.value;
            }
        }
        whole
    }

    pub fn transposed(&self) -> Self {
        // First how many entries each column has, then where its next one goes.
        let mut next = vec![0_u32; self.columns + 1];
        for entry in &self.entries {
            next[entry.column as usize + 1] += 1;
        }
        for at in 0..self.columns {
            next[at + 1] += next[at];
        }
        let starts = next.clone();
        // As much room as before: what is freed then serves again, whatever the number of entries.
        let mut entries = Vec::with_capacity(self.entries.capacity());
        entries.resize(self.entries.len(), Entry::NONE);
        for row in 0..self.rows() {
            for &Entry { column, value } in self.row(row) {
                let place = &mut next[column as usize];
                entries[*place as usize] = Entry {
                    column: row as u32,
                    value,
                };
                *place += 1;
            }
        }
        Self {
            columns: self.rows(),
            starts,
            entries,
        }
    }

    /// Adds every row to `total`, and gives the sum of all squares.
    pub fn add_rows(&self, total: &mut [f32]) -> f64 {
        let mut squares = 0.0;
        for row in 0..self.rows() {
            // Four sums that do not wait for each other.
            let mut of_row = [0.0_f32; 4];
            let (blocks, rest) = self.row(row).as_chunks::<4>();
            for block in blocks {
                for (sum, &Entry { column, value }) in of_row.iter_mut().zip(block) {
                    total[column as usize] += value;
                    *sum += value * value;
                }
            }
            for &Entry { column, value } in rest {
                total[column as usize] += value;
                of_row[0] += value * value;
            }
            squares += f64::from(of_row.iter().sum::<f32>());
        }
        squares
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
        assert_eq!(
            self.columns,
            right.rows(),
            "matrices that can be multiplied"
        );
        assert!(right.is_row_after_row());
        let size = self.rows() * right.width();
        out.reserve_exact(size);
        with_vectors(ListedProduct {
            out: &mut out.spare_capacity_mut()[..size],
            left: self,
            right: right.entries(),
            columns: right.width(),
        });
        // SAFETY: the product's entries have all been written.
        unsafe { out.set_len(out.len() + size) }
    }

    #[inline]
    fn row(&self, row: usize) -> &[Entry] {
        &self.entries[self.starts[row] as usize..self.starts[row + 1] as usize]
    }
}

impl Entry {
    const NONE: Self = Self {
        column: 0,
        value: 0.0,
    };
}

fn most_worth_listing(entries: usize) -> usize {
    (WORTH_LISTING * entries as f64) as usize
}

/// How many entries are not 0.
struct Count<'a>(&'a [f32]);

impl WithSimd for Count<'_> {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        let (zero, one) = (simd.splat_f32s(0.0), simd.splat_f32s(1.0));
        let mut count = 0;
        // Short runs, so that the counts in a vector are exact.
        for run in self.0.chunks(1 << 20) {
            let (vectors, rest) = S::as_simd_f32s(run);
            let mut zeros = zero;
            for &vector in vectors {
                let of_vector = simd.select_f32s(simd.equal_f32s(vector, zero), one, zero);
                zeros = simd.add_f32s(zeros, of_vector);
            }
            let of_rest = rest.iter().filter(|&&value| value != 0.0).count();
            count += run.len() - rest.len() - simd.reduce_sum_f32s(zeros) as usize + of_rest;
        }
        count
    }
}

/// Every row of the product is a sum of rows of `right`, kept in registers until it is whole.
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
        if self.columns < S::F32_LANES {
            return self.narrow(simd);
        }
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
    /// All columns, where they do not fill a vector: they are filled up with zeros.
    #[inline(always)]
    fn narrow<S: Simd>(&mut self, simd: S) {
        let columns = self.columns;
        let mut filled = vec![0.0; self.right.len() / columns * S::F32_LANES];
        let rows = filled.chunks_exact_mut(S::F32_LANES);
        for (filled, row) in rows.zip(self.right.chunks_exact(columns)) {
            filled[..columns].copy_from_slice(row);
        }
        let (filled, _) = S::as_simd_f32s(&filled);
        let mut sums = vec![0.0; S::F32_LANES];
        for (row, out) in self.out.chunks_exact_mut(columns).enumerate() {
            // Four sums that do not wait for each other.
            let mut four = [simd.splat_f32s(0.0); 4];
            let (blocks, rest) = self.left.row(row).as_chunks::<4>();
            for block in blocks {
                for at in 0..4 {
                    let Entry { column, value } = block[at];
                    let value = simd.splat_f32s(value);
                    four[at] = simd.mul_add_e_f32s(value, filled[column as usize], four[at]);
                }
            }
            for &Entry { column, value } in rest {
                let value = simd.splat_f32s(value);
                four[0] = simd.mul_add_e_f32s(value, filled[column as usize], four[0]);
            }
            let [a, b, c, d] = four;
            S::as_mut_simd_f32s(&mut sums).0[0] =
                simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
            for (place, &sum) in out.iter_mut().zip(&sums) {
                place.write(sum);
            }
        }
    }

    /// The product's next N vectors of columns; where they end.
    #[inline(always)]
    fn panel<S: Simd, const N: usize>(&mut self, simd: S, from: usize) -> usize {
        let end = (from + N * S::F32_LANES).min(self.columns);
        // A last vector that would be cut short starts earlier: what it shares with others comes out twice, and the same.
        let from = from.min(end - S::F32_LANES);
        let width = end - from;
        let last = width - S::F32_LANES;
        let copy;
        // Parts of long rows lie on a page of memory each: together they are found faster. And where rows are wanted
        // many times, it pays that none of their vectors lies across two lines of the cache.
        let (panel, stride) = if width < self.columns || self.right.len() < self.left.entries.len()
        {
            let stride = width.next_multiple_of(CACHE_LINE);
            copy = Aligned::of(self.right.chunks_exact(self.columns), from..end, stride);
            (copy.values(), stride)
        } else {
            (self.right, width)
        };
        // Loops of known length: unrolled, with the sums in registers throughout.
        for (row, out) in self.out.chunks_exact_mut(self.columns).enumerate() {
            let mut sums = [simd.splat_f32s(0.0); N];
            for &Entry { column, value } in self.left.row(row) {
                let factors = &panel[column as usize * stride..][..width];
                let (head, _) = S::as_simd_f32s(factors);
                let (tail, _) = S::as_simd_f32s(&factors[last..]);
                let (head, tail) = (&head[..N - 1], tail[0]);
                let value = simd.splat_f32s(value);
                for at in 0..N - 1 {
                    sums[at] = simd.mul_add_e_f32s(value, head[at], sums[at]);
                }
                sums[N - 1] = simd.mul_add_e_f32s(value, tail, sums[N - 1]);
            }
            let out = &mut out[from..end];
            let (head, _) = S::as_uninit_mut_simd_f32s(out);
            for (place, sum) in head.iter_mut().zip(&sums[..N - 1]) {
                place.write(*sum);
            }
            let (tail, _) = S::as_uninit_mut_simd_f32s(&mut out[last..]);
            tail[0].write(sums[N - 1]);
        }
        end
    }
}

/// Numbers in a line of the cache.
const CACHE_LINE: usize = 16;

/// A copy of some columns, each row at the start of a line of the cache.
struct Aligned {
    values: Vec<f32>,
    start: usize,
}

impl Aligned {
    #[inline(always)]
    fn of<'a>(
        rows: impl ExactSizeIterator<Item = &'a [f32]>,
        columns: Range<usize>,
        stride: usize,
    ) -> Self {
        let mut values = vec![0.0; rows.len() * stride + CACHE_LINE];
        let start = values.as_ptr().align_offset(CACHE_LINE * size_of::<f32>());
        for (copy, row) in values[start..].chunks_exact_mut(stride).zip(rows) {
            copy[..columns.len()].copy_from_slice(&row[columns.clone()]);
        }
        Self { values, start }
    }

    fn values(&self) -> &[f32] {
        &self.values[self.start..]
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
        for columns in [1, 10, 15, 16, 64, 65, 100, 127, 208, 333] {
            for (rows, inner) in [(9, 40), (5, 31), (1, 784), (40, 96)] {
                let a = sparse(rows, inner, 6);
                let a = Matrix::new(&a, rows, inner);
                let list = Nonzeros::worth_listing(a, 100).expect("few entries");
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

    #[test]
    fn lists_of_bytes_are_those_of_their_greys() {
        for columns in [5, 8, 30, 784] {
            let bytes: Vec<u8> = (0..6 * columns)
                .map(|at| if at % 5 == 2 { (at % 251 + 1) as u8 } else { 0 })
                .collect();
            let list = Nonzeros::of_bytes(bytes.chunks_exact(columns), columns).expect("few");
            assert_eq!((list.rows(), list.columns()), (6, columns));
            let greys: Vec<f32> = bytes.iter().map(|&byte| grey(byte)).collect();
            assert_eq!(list.written_out(), greys);
            let (mut sums, mut squares) = (vec![0.0; columns], 0.0);
            for row in greys.chunks_exact(columns) {
                for (sum, grey) in sums.iter_mut().zip(row) {
                    *sum += grey;
                    squares += f64::from(*grey).powi(2);
                }
            }
            let mut found = vec![0.0; columns];
            let of_list = list.add_rows(&mut found);
            assert_close(&found, &sums);
            assert!((of_list - squares).abs() < 1e-4 * squares);
        }
        assert!(Nonzeros::of_bytes([[1_u8; 100]; 3].iter().map(|row| &row[..]), 100).is_none());
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
