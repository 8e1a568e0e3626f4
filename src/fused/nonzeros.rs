//! Products with a matrix most of whose entries are 0, as four of five pixels are: only the others are multiplied.
//!
//! Of two neighbouring pixels mostly both are lit or neither, so they are listed together.

use std::sync::LazyLock;

use pulp::{Simd, WithSimd};

use super::input::grey;
use super::kernel::{Aligned, add_scaled, load, panel, store, vectors_next};
use super::products::Matrix;
use super::turned::Turned;
use crate::wide::with_vectors;

/// A matrix of up to this share of nonzero entries, columns of zeros not counted, is worth listing. Neighbours in a code
/// have nothing in common, so that nearly twice as many are listed.
const WORTH_LISTING: f64 = 0.2;

/// Pictures of up to this share of pairs in which anything is lit are. With 0.22, as in MNIST, two products with lists, the
/// lists included, take about half the time of two without.
const PAIRS_WORTH_LISTING: f64 = 0.33;

/// Columns that stand together.
pub const PAIR: usize = 2;

/// Entries that are looked at together: where strokes are, and where they are not, neighbours are alike.
const BLOCK: usize = 8;
const PAIRS: usize = BLOCK / PAIR;

/// The nonzero entries of a matrix, row by row, with those beside them.
#[derive(Debug, Clone)]
pub struct Nonzeros {
    columns: usize,
    /// Where each row's entries begin, and the last one's end.
    starts: Vec<u32>,
    entries: Vec<Entry>,
}

/// What a row holds in a pair of columns.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Which pair; in a [transpose](Turned), which row.
    pub at: u32,
    pub values: [f32; PAIR],
}

impl Nonzeros {
    /// Those of a matrix that lies row after row and has so many in each column, if products are faster by them.
    pub fn worth_listing(matrix: Matrix<'_>, by_column: &[f32]) -> Option<Self> {
        let count: f32 = by_column.iter().sum();
        let columns = by_column.iter().filter(|count| **count > 0.0).count();
        if f64::from(count) > WORTH_LISTING * (columns * matrix.rows()) as f64 {
            return None;
        }
        let rows = matrix.entries().chunks_exact(matrix.width().max(1));
        Self::of(rows, matrix.width(), count as usize, |value| value)
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
        let pairs = pictures.len() * columns.div_ceil(PAIR);
        let room = (PAIRS_WORTH_LISTING * pairs as f64) as usize;
        let greys: &[f32; 256] = &GREYS;
        Self::of(pictures, columns, room, |byte| greys[usize::from(byte)])
    }

    /// Those of `rows`; `None` if there are more than `room` pairs, give or take a block.
    #[inline]
    #[expect(
        unsafe_code,
        reason = "clearing memory that is about to be written would cost a pass"
    )]
    fn of<'a, T: Copy + Default + PartialEq + 'a>(
        rows: impl Iterator<Item = &'a [T]>,
        columns: usize,
        room: usize,
        value: impl Fn(T) -> f32,
    ) -> Option<Self> {
        let zero = T::default();
        let mut starts = vec![0];
        let mut entries = Vec::with_capacity(room + PAIRS);
        // What fits must not depend on how much more an allocator gives.
        let free = &mut entries.spare_capacity_mut()[..room + PAIRS];
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
                    // A whole block is written, wanted or not: a guess of which pairs are would often be wrong.
                    let next = free[count..].first_chunk_mut::<PAIRS>()?;
                    let mut wanted = 0;
                    for (pair, values) in some[at].as_chunks::<PAIR>().0.iter().enumerate() {
                        next[wanted % PAIRS].write(Entry {
                            at: ((group * 64 + at) * PAIRS + pair) as u32,
                            values: [value(values[0]), value(values[1])],
                        });
                        wanted += usize::from(*values != [zero; PAIR]);
                    }
                    count += wanted;
                }
            }
            for (pair, values) in rest.chunks(PAIR).enumerate() {
                if values.iter().any(|value| *value != zero) {
                    let second = values.get(1).map_or(0.0, |&second| value(second));
                    free.get_mut(count)?.write(Entry {
                        at: (blocks.len() * PAIRS + pair) as u32,
                        values: [value(values[0]), second],
                    });
                    count += 1;
                }
            }
            starts.push(count as u32);
        }
        // SAFETY: every place up to `count` has been written: what a block counts it wrote from its first place on.
        unsafe { entries.set_len(count) }
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
                let places = whole[entry.at as usize * PAIR..].iter_mut();
                for (place, value) in places.zip(entry.values) {
                    *place = value;
                }
            }
        }
        whole
    }

    pub fn transposed(&self) -> Turned {
        // First how many entries each pair has, then where its next one goes.
        let pairs = self.columns.div_ceil(PAIR);
        let mut next = vec![0_u32; pairs + 1];
        for entry in &self.entries {
            next[entry.at as usize + 1] += 1;
        }
        for at in 0..pairs {
            next[at + 1] += next[at];
        }
        let starts = next.clone();
        // As much room as before: what is freed then serves again, whatever the number of entries.
        let mut entries = Vec::with_capacity(self.entries.capacity());
        entries.resize(self.entries.len(), Entry::NONE);
        for row in 0..self.rows() {
            for &Entry { at, values } in self.row(row) {
                let place = &mut next[at as usize];
                entries[*place as usize] = Entry {
                    at: row as u32,
                    values,
                };
                *place += 1;
            }
        }
        Turned {
            rows: self.rows(),
            columns: self.columns,
            starts,
            entries,
        }
    }

    /// Adds every row to `total`, and gives the sum of all squares.
    pub fn add_rows(&self, total: &mut [f32]) -> f64 {
        let mut squares = 0.0;
        let (pairs, last) = total.as_chunks_mut::<PAIR>();
        for row in 0..self.rows() {
            let mut of_row = [0.0_f32; PAIR];
            for &Entry { at, values } in self.row(row) {
                match pairs.get_mut(at as usize) {
                    Some(pair) => {
                        for of in 0..PAIR {
                            pair[of] += values[of];
                        }
                    }
                    None => last[0] += values[0],
                }
                for of in 0..PAIR {
                    of_row[of] += values[of] * values[of];
                }
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
    pub fn extend_by_product(&self, out: &mut Vec<f32>, right: Matrix<'_>) {
        assert_eq!(
            self.columns,
            right.rows(),
            "matrices that can be multiplied"
        );
        assert!(right.is_row_after_row());
        let from = out.len();
        out.resize(from + self.rows() * right.width(), 0.0);
        with_vectors(Product {
            out: &mut out[from..],
            left: self,
            right: right.entries(),
            columns: right.width(),
        });
    }

    fn row(&self, row: usize) -> &[Entry] {
        &self.entries[self.starts[row] as usize..self.starts[row + 1] as usize]
    }
}

impl Entry {
    pub const NONE: Self = Self {
        at: 0,
        values: [0.0; PAIR],
    };
}

/// Every row of the product is a sum of rows of `right`, kept in registers. Added to `out`.
struct Product<'a> {
    out: &'a mut [f32],
    left: &'a Nonzeros,
    right: &'a [f32],
    columns: usize,
}

/// How many numbers of the right matrix are used for all rows before the next: few enough for the first cache, where a
/// row of the product finds them faster than what it loses by coming several times.
const TILE: usize = 8192;

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        if self.columns < S::F32_LANES {
            return self.narrow(simd);
        }
        let mut from = 0;
        while from < self.columns {
            from = match vectors_next::<S>(&[13, 7, 4, 2], self.columns - from) {
                13 => self.panel::<S, 13>(simd, from),
                7 => self.panel::<S, 7>(simd, from),
                4 => self.panel::<S, 4>(simd, from),
                2 => self.panel::<S, 2>(simd, from),
                _ => self.panel::<S, 1>(simd, from),
            };
        }
    }
}

impl Product<'_> {
    /// All columns, where they do not fill a vector: they are filled up with zeros.
    #[inline(always)]
    fn narrow<S: Simd>(&mut self, simd: S) {
        let (columns, width) = (self.columns, S::F32_LANES);
        let mut filled = Aligned::zeros(self.left.columns.next_multiple_of(PAIR), width);
        filled.copy_narrow(self.right.chunks_exact(columns));
        let mut whole = vec![0.0; width];
        for (row, out) in self.out.chunks_exact_mut(columns).enumerate() {
            // Four sums that do not wait for each other.
            let [mut a, mut b, mut c, mut d] = [[simd.splat_f32s(0.0)]; 4];
            let (twos, rest) = self.left.row(row).as_chunks::<2>();
            for [one, other] in twos {
                let at = [one.at as usize * PAIR, other.at as usize * PAIR];
                add_scaled(
                    simd,
                    &mut a,
                    one.values[0],
                    &filled.load::<S, 1>(at[0], width),
                );
                add_scaled(
                    simd,
                    &mut b,
                    one.values[1],
                    &filled.load::<S, 1>(at[0] + 1, width),
                );
                add_scaled(
                    simd,
                    &mut c,
                    other.values[0],
                    &filled.load::<S, 1>(at[1], width),
                );
                add_scaled(
                    simd,
                    &mut d,
                    other.values[1],
                    &filled.load::<S, 1>(at[1] + 1, width),
                );
            }
            for one in rest {
                let at = one.at as usize * PAIR;
                add_scaled(simd, &mut a, one.values[0], &filled.load::<S, 1>(at, width));
                add_scaled(
                    simd,
                    &mut b,
                    one.values[1],
                    &filled.load::<S, 1>(at + 1, width),
                );
            }
            let [[a], [b], [c], [d]] = [a, b, c, d];
            S::as_mut_simd_f32s(&mut whole).0[0] =
                simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
            out.copy_from_slice(&whole[..columns]);
        }
    }

    /// The product's next N vectors of columns; where they end.
    #[inline(always)]
    fn panel<S: Simd, const N: usize>(&mut self, simd: S, from: usize) -> usize {
        let columns = panel::<S, N>(self.columns, from);
        let width = columns.len();
        let pairs_at_once = (TILE / (width * PAIR)).max(1);
        // Where each row goes on.
        let mut next: Vec<u32> = self.left.starts.clone();
        let mut tile = Aligned::zeros(pairs_at_once * PAIR, width);
        let tiles = self.right.chunks(pairs_at_once * PAIR * self.columns);
        for (at, rows) in tiles.enumerate() {
            // Whole lines of the cache, so that no vector lies across two.
            tile.copy::<S, N>(rows.chunks_exact(self.columns), columns.clone());
            let first = at * pairs_at_once;
            let end = first + pairs_at_once;
            let places = self.out.chunks_exact_mut(self.columns);
            for ((out, next), &row_end) in places.zip(&mut next).zip(&self.left.starts[1..]) {
                let entries = &self.left.entries[*next as usize..row_end as usize];
                if entries.first().is_none_or(|entry| entry.at as usize >= end) {
                    continue;
                }
                let out = &mut out[columns.clone()];
                let mut sums = load::<S, N>(out);
                let mut done = 0;
                for &Entry { at, values } in entries {
                    if at as usize >= end {
                        break;
                    }
                    let row = (at as usize - first) * PAIR;
                    add_scaled(simd, &mut sums, values[0], &tile.load::<S, N>(row, width));
                    add_scaled(
                        simd,
                        &mut sums,
                        values[1],
                        &tile.load::<S, N>(row + 1, width),
                    );
                    done += 1;
                }
                *next += done;
                store::<S, N>(out, &sums);
            }
        }
        columns.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fused::census::nonzeros_by_column;
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
                let all = a.entries().chunks_exact(inner);
                let list = Nonzeros::of(all, inner, rows * inner, |value| value).expect("room");
                let b = full(inner, columns);
                let b = Matrix::new(&b, inner, columns);
                let (mut expected, mut found) = (vec![7.0], vec![7.0]);
                extend_by_product(&mut expected, a, b, 1.0);
                list.extend_by_product(&mut found, b);
                assert_close(&found, &expected);

                let d = full(rows, columns);
                let d = Matrix::new(&d, rows, columns);
                extend_by_product(&mut expected, a.transposed(), d, 1.0);
                let turned = list.transposed();
                turned.extend_by_product(&mut found, d);
                assert_close(&found, &expected);
                turned.add_product(&mut found[1 + rows * columns..], d, -0.5);
                for value in &mut expected[1 + rows * columns..] {
                    *value *= 0.5;
                }
                assert_close(&found, &expected);
            }
        }
    }

    /// Vectors of 8 in 16 registers, as of processors without AVX-512, and of 1.
    #[test]
    fn short_vectors_give_the_same_products() {
        for columns in [8, 9, 100, 110] {
            let a = sparse(9, 40, 6);
            let list = Nonzeros::of(a.chunks_exact(40), 40, 360, |value| value).expect("room");
            let b = full(40, columns);
            let mut expected = Vec::new();
            let right = Matrix::new(&b, 40, columns);
            extend_by_product(&mut expected, Matrix::new(&a, 9, 40), right, 1.0);
            let mut found = vec![0.0; 9 * columns];
            let product = Product {
                out: &mut found,
                left: &list,
                right: &b,
                columns,
            };
            Simd::vectorize(pulp::Scalar::new(), product);
            assert_close(&found, &expected);
            #[cfg(target_arch = "x86_64")]
            if let Some(simd) = pulp::x86::V3::try_new() {
                found.fill(0.0);
                let product = Product {
                    out: &mut found,
                    left: &list,
                    right: &b,
                    columns,
                };
                Simd::vectorize(simd, product);
                assert_close(&found, &expected);
                let rows: Vec<u32> = (0..9).collect();
                let inner: Vec<u32> = (0..40).collect();
                found.fill(0.0);
                let whole = crate::fused::kernel::Product {
                    out: crate::fused::kernel::Out::Added(&mut found),
                    scale: 1.0,
                    left: Matrix::new(&a, 9, 40),
                    rows: &rows,
                    inner: &inner,
                    right: &b,
                    columns,
                };
                Simd::vectorize(simd, whole);
                assert_close(&found, &expected);
            }
        }
    }

    #[test]
    fn lists_of_bytes_are_those_of_their_greys() {
        for columns in [5, 8, 30, 784] {
            let bytes: Vec<u8> = (0..6 * columns)
                .map(|at| if at % 13 < 2 { (at % 251 + 1) as u8 } else { 0 })
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
        let few = sparse(10, 90, 7);
        let many = sparse(10, 90, 2);
        let listed = |entries| {
            let matrix = Matrix::new(entries, 10, 90);
            Nonzeros::worth_listing(matrix, &nonzeros_by_column(matrix))
        };
        assert!(listed(&few).is_some());
        assert!(listed(&many).is_none());
        assert!(listed(&[f32::NAN; 900]).is_none(), "no number is not 0");
    }
}
