//! Products of matrices of which few entries are not 0, in proportion to how many those are.
//!
//! A row of such a product is a sum of few rows of the right matrix, which are read where they lie: a copy near by, as
//! [`sparse`](super::sparse) makes it, would not be read often enough. The sums are in the same order, and so are the bits.
//!
//! Where only some entries of a product are asked for, each is a sum by itself, in [`LANES`] parts on all processors.

use std::mem::MaybeUninit;

use pulp::{Simd, WithSimd};

use super::marks::{BLOCK, Lines, Marks};
use super::matrix::{Matrix, turn};
use super::passes::LANES;
use super::sparse::{Entry, Sparse};
use super::threads::{self, share_out};
use super::wide::with_vectors;

/// An entry that is not 0, and where in its line.
type Listed = (usize, f32);

/// What is not 0 of a matrix or of its transpose, line by line.
pub struct Lists {
    listed: Vec<Listed>,
    /// Where each line begins, and where the last one ends.
    starts: Vec<usize>,
    places: usize,
}

impl Lists {
    /// Of all of the matrix, read as it lies in memory.
    pub fn of<T: Entry>(matrix: Sparse<'_, T>) -> Self {
        let (marks, entries) = (matrix.marks(), matrix.entries());
        let lines = marks.lines(matrix.is_transposed());
        let mut starts = vec![0; lines.count() + 1];
        for block in 0..lines.places().div_ceil(BLOCK) {
            for (count, word) in starts[1..].iter_mut().zip(lines.block(block)) {
                *count += word.count_ones() as usize;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let mut listed = vec![(0, 0.0); marks.marked()];
        for row in 0..marks.rows() {
            for column in places(marks.lines(false), row) {
                let (line, place) = if matrix.is_transposed() {
                    (column, row)
                } else {
                    (row, column)
                };
                listed[next[line]] = (place, entries[row * marks.columns() + column].value());
                next[line] += 1;
            }
        }
        Self {
            listed,
            starts,
            places: lines.places(),
        }
    }

    #[inline(always)]
    fn line(&self, line: usize) -> &[Listed] {
        &self.listed[self.starts[line]..self.starts[line + 1]]
    }
}

/// The marked places of a line.
#[inline(always)]
fn places(marks: Lines<'_>, line: usize) -> impl Iterator<Item = usize> {
    let blocks = 0..marks.places().div_ceil(BLOCK);
    blocks.flat_map(move |block| {
        let mut word = marks.block(block)[line];
        std::iter::from_fn(move || {
            let at = word.trailing_zeros() as usize;
            word &= word.wrapping_sub(1);
            (at < BLOCK).then_some(block * BLOCK + at)
        })
    })
}

/// scale · left · right, some lines of it; the right matrix has whole rows.
pub struct FewSums<'a> {
    /// Row after row.
    pub out: &'a mut [MaybeUninit<f32>],
    pub scale: f32,
    pub left: &'a Lists,
    /// The first of the lines.
    pub first: usize,
    pub right: Matrix<'a>,
}

impl WithSimd for FewSums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            out,
            scale,
            left,
            first,
            right,
        } = self;
        let width = right.width();
        assert_eq!(left.places, right.rows(), "matrices that can be multiplied");
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            let list = left.line(first + row);
            let mut from = 0;
            while from < width {
                let vectors = (width - from) / S::F32_LANES;
                let task = |from| Piece {
                    list,
                    right,
                    from,
                    scale,
                };
                from = if vectors >= 8 && S::REGISTER_COUNT >= 32 {
                    task(from).sum::<S, 8>(simd, out)
                } else if vectors >= 4 {
                    task(from).sum::<S, 4>(simd, out)
                } else {
                    task(from).sum::<S, 1>(simd, out)
                };
            }
        }
    }
}

/// Some columns of a row of a product.
struct Piece<'a> {
    list: &'a [Listed],
    right: Matrix<'a>,
    from: usize,
    scale: f32,
}

impl Piece<'_> {
    /// N vectors of columns, or what is left of one; where they end.
    #[inline(always)]
    fn sum<S: Simd, const N: usize>(self, simd: S, out: &mut [MaybeUninit<f32>]) -> usize {
        let Self {
            list,
            right,
            from,
            scale,
        } = self;
        let end = (from + N * S::F32_LANES).min(right.width());
        let is_whole = end - from == N * S::F32_LANES;
        let factor = simd.splat_f32s(scale);
        let mut totals = [simd.splat_f32s(0.0); N];
        let mut sums = totals;
        let mut block = 0;
        for &(place, value) in list {
            if place / BLOCK != block {
                block = place / BLOCK;
                for of in 0..N {
                    totals[of] = simd.mul_add_e_f32s(factor, sums[of], totals[of]);
                    sums[of] = simd.splat_f32s(0.0);
                }
            }
            let start = place * right.strides()[0];
            let row = &right.entries()[start + from..start + end];
            let value = simd.splat_f32s(value);
            if is_whole {
                let row = S::as_simd_f32s(row).0;
                for of in 0..N {
                    sums[of] = simd.mul_add_e_f32s(value, row[of], sums[of]);
                }
            } else {
                sums[0] = simd.mul_add_e_f32s(value, simd.partial_load_f32s(row), sums[0]);
            }
        }
        for of in 0..N {
            totals[of] = simd.mul_add_e_f32s(factor, sums[of], totals[of]);
        }
        let out = &mut out[from..end];
        if is_whole {
            for (out, total) in S::as_uninit_mut_simd_f32s(out).0.iter_mut().zip(totals) {
                out.write(total);
            }
        } else {
            let mut short = [0.0; LANES];
            simd.partial_store_f32s(&mut short[..end - from], totals[0]);
            for (out, value) in out.iter_mut().zip(short) {
                out.write(value);
            }
        }
        end
    }
}

/// scale · (left · right)ᵀ, row after row; every entry of `out` is written.
///
/// # Panics
///
/// Panics if the matrices do not fit.
#[expect(
    unsafe_code,
    reason = "memory that is written for the first time is not cleared before"
)]
pub fn turned_product<T: Entry>(
    left: Sparse<'_, T>,
    right: Matrix<'_>,
    scale: f32,
    out: &mut [MaybeUninit<f32>],
) {
    /// Rows that are turned at a time, so that what is written at once is long.
    const TOGETHER: usize = 64;
    let rows = left.rows();
    assert_eq!(out.len(), rows * right.width(), "room for it");
    let lists = Lists::of(left);
    let threads = threads::for_products(left.marked() * right.width());
    let piece = right.width().div_ceil(threads);
    let pieces = out.chunks_mut((piece * rows).max(1)).enumerate();
    share_out(pieces, threads, |(at, out)| {
        let width = out.len() / rows;
        let right = right.some_columns(at * piece..at * piece + width);
        let mut near = vec![MaybeUninit::uninit(); TOGETHER * width];
        for first in (0..rows).step_by(TOGETHER) {
            let near = &mut near[..TOGETHER.min(rows - first) * width];
            let count = near.len() / width;
            with_vectors(FewSums {
                out: near,
                scale,
                left: &lists,
                first,
                right,
            });
            // SAFETY: the product has written every entry.
            let near = unsafe { near.assume_init_ref() };
            turn(near, width, [count, width], &mut out[first..], rows);
        }
    });
}

/// scale · left · rightᵀ at the marked places of a matrix, one line of `out` for each of its rows; elsewhere `out` stays.
///
/// # Panics
///
/// Panics if the matrices do not fit.
pub fn products_at(
    marks: &Marks,
    left: Matrix<'_>,
    right: Matrix<'_>,
    scale: f32,
    out: &mut [f32],
) {
    let (rows, columns, width) = (marks.rows(), marks.columns(), left.width());
    let (marked, marks) = (marks.marked(), marks.lines(false));
    assert!(left.is_row_after_row(), "rows of numbers");
    assert_eq!(
        [left.rows(), right.rows()],
        [rows, columns],
        "matrices that fit"
    );
    assert_eq!(right.width(), width, "matrices that can be multiplied");
    assert_eq!(out.len(), rows * columns, "room for it");
    let right = right.straight();
    let of_rows = |first: usize, out: &mut [f32]| {
        let mut list = Vec::new();
        for (at, out) in out.chunks_exact_mut(columns).enumerate() {
            list.clear();
            list.extend(places(marks, first + at));

            let left = &left.entries()[(first + at) * width..][..width];
            with_vectors(Dots {
                places: &list,
                left,
                right: &right,
                scale,
                out,
            });
        }
    };
    let threads = threads::for_products(marked * width);
    let piece = rows.div_ceil(threads);
    let pieces = out.chunks_mut((piece * columns).max(1)).enumerate();
    share_out(pieces, threads, |(at, out)| of_rows(at * piece, out));
}

/// scale · left · rightᵀ at some places of one line.
struct Dots<'a> {
    places: &'a [usize],
    left: &'a [f32],
    right: &'a [f32],
    scale: f32,
    out: &'a mut [f32],
}

impl WithSimd for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.all::<S, 1>(simd),
            8 => self.all::<S, 2>(simd),
            4 => self.all::<S, 4>(simd),
            _ => self.all::<S, LANES>(simd),
        }
    }
}

impl Dots<'_> {
    /// With N vectors for [`LANES`] numbers.
    #[inline(always)]
    fn all<S: Simd, const N: usize>(self, simd: S) {
        let Self {
            places,
            left,
            right,
            scale,
            out,
        } = self;
        let line = |place: usize| &right[place * left.len()..][..left.len()];
        let (fours, rest) = places.as_chunks::<4>();
        for &[a, b, c, d] in fours {
            let sums = dots::<S, N, 4>(simd, left, [line(a), line(b), line(c), line(d)]);
            out[a] = scale * sums[0];
            out[b] = scale * sums[1];
            out[c] = scale * sums[2];
            out[d] = scale * sums[3];
        }
        for &place in rest {
            let [sum] = dots::<S, N, 1>(simd, left, [line(place)]);
            out[place] = scale * sum;
        }
    }
}

/// The products of a line with M others.
#[inline(always)]
fn dots<S: Simd, const N: usize, const M: usize>(
    simd: S,
    left: &[f32],
    rights: [&[f32]; M],
) -> [f32; M] {
    let (blocks, rest) = left.as_chunks::<LANES>();
    let mut sums = [[simd.splat_f32s(0.0); N]; M];
    for (block, left) in blocks.iter().enumerate() {
        let left = S::as_simd_f32s(left).0;
        for of in 0..M {
            let right = S::as_simd_f32s(&rights[of][block * LANES..][..LANES]).0;
            for at in 0..N {
                sums[of][at] = simd.mul_add_e_f32s(left[at], right[at], sums[of][at]);
            }
        }
    }
    let mut totals = [0.0; M];
    for of in 0..M {
        let mut lanes = [0.0; LANES];
        S::as_mut_simd_f32s(&mut lanes).0.copy_from_slice(&sums[of]);
        let right = &rights[of][blocks.len() * LANES..];
        for ((lane, left), right) in lanes.iter_mut().zip(rest).zip(right) {
            *lane += left * right;
        }
        for half in [8, 4, 2, 1] {
            for at in 0..half {
                lanes[at] += lanes[at + half];
            }
        }
        totals[of] = lanes[0];
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, key: usize) -> Vec<f32> {
        let number = |at: usize| (((at + key) * 7919) % 1009) as f32 / 500.0 - 1.0;
        (0..count).map(number).collect()
    }

    /// One of so many entries is not 0, and some rows and columns have none.
    fn few(rows: usize, columns: usize, one_of: usize) -> Vec<f32> {
        let is_on = |row: usize, column: usize| {
            (row * 31 + column * 17 + row * column).is_multiple_of(one_of)
                && row % 7 != 3
                && column % 5 != 2
        };
        let values = numbers(rows * columns, 3).into_iter().enumerate();
        let entry = |(at, value)| {
            if is_on(at / columns, at % columns) {
                value
            } else {
                0.0
            }
        };
        values.map(entry).collect()
    }

    #[expect(unsafe_code, reason = "products write all of their entries")]
    fn bits(out: &[MaybeUninit<f32>]) -> Vec<u32> {
        // SAFETY: it is a product.
        out.iter()
            .map(|entry| unsafe { entry.assume_init() }.to_bits())
            .collect()
    }

    #[test]
    fn a_turned_product_is_the_product_of_the_transposes_bit_by_bit() {
        for (images, units, inputs) in [(1, 1, 1), (70, 40, 30), (130, 100, 784), (300, 33, 65)] {
            let delta = few(images, units, 20);
            let x = numbers(images * inputs, 5);
            let (of_delta, of_x) = (Marks::of(&delta, units), Marks::of(&x, inputs));
            let mut expected = vec![MaybeUninit::uninit(); inputs * units];
            let left = Sparse::new(&x, &of_x).transposed();
            left.multiply(Matrix::new(&delta, images, units), 0.3, &mut expected);
            for threads in [1, 2, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                let mut found = vec![MaybeUninit::uninit(); inputs * units];
                let left = Sparse::new(&delta, &of_delta).transposed();
                let right = Matrix::new(&x, images, inputs);
                pool.expect("threads")
                    .install(|| turned_product(left, right, 0.3, &mut found));
                assert_eq!(bits(&found), bits(&expected), "{images} {units} {inputs}");
            }
        }
    }

    #[test]
    fn products_at_places_are_sums_in_double_precision_and_nothing_elsewhere() {
        for (images, units, inputs) in [(1, 1, 1), (7, 40, 15), (64, 100, 784), (300, 900, 65)] {
            let h = few(images, units, 9);
            let marks = Marks::of(&h, units);
            let (r, w) = (numbers(images * inputs, 1), numbers(units * inputs, 2));
            let left = Matrix::new(&r, images, inputs);
            let straight = Matrix::new(&w, units, inputs);
            let turned = straight.transposed().straight();
            let turned = Matrix::new(&turned, inputs, units).transposed();
            let at = |threads: usize, right: Matrix<'_>| {
                let mut out = vec![0.0; images * units];
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                let pool = pool.expect("threads");
                pool.install(|| products_at(&marks, left, right, 0.5, &mut out));
                out
            };
            let found = at(1, straight);
            assert_eq!(found, at(2, turned));
            for (place, (found, h)) in found.into_iter().zip(&h).enumerate() {
                let (image, unit) = (place / units, place % units);
                let pairs = r[image * inputs..][..inputs]
                    .iter()
                    .zip(&w[unit * inputs..]);
                let exact: f64 = pairs.map(|(&r, &w)| f64::from(r) * f64::from(w)).sum();
                let exact = if *h == 0.0 { 0.0 } else { 0.5 * exact };
                assert!((f64::from(found) - exact).abs() < 1e-4, "{found} {exact}");
            }
        }
    }
}
