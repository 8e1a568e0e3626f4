//! A product of matrices as they lie, which can leave out rows and inner indices that are known to be 0.
//!
//! Four rows by as many vectors of columns as there are registers for are summed up at once. On whole matrices a general
//! product is as fast.
//!
//! Everything here must be inlined into one function that is compiled for wide vectors, its arrays indexed by loops that
//! are unrolled. Closures given to `map` of an array are not; `benches/parts.rs` shows it, no test does.

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::products::Matrix;

/// Rows of the product that are summed up together, so that what is read on the right serves all of them.
const ROWS: usize = 4;

/// scale · left · right; `columns` of the right matrix, which lies row after row, are at least as many as fit into a
/// vector.
pub struct Product<'a> {
    pub out: Out<'a>,
    pub scale: f32,
    pub left: Matrix<'a>,
    /// The rows of the product that are wanted.
    pub rows: &'a [u32],
    /// The columns on the left, and rows on the right, that are multiplied.
    pub inner: &'a [u32],
    pub right: &'a [f32],
    pub columns: usize,
}

/// Where a product goes, row after row.
pub enum Out<'a> {
    Fresh(&'a mut [MaybeUninit<f32>]),
    Added(&'a mut [f32]),
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        // Four rows of so many vectors as there are registers for.
        let choices: &[usize] = if S::REGISTER_COUNT >= 32 {
            &[7, 5, 3, 2]
        } else {
            &[3, 2]
        };
        let mut from = 0;
        while from < self.columns {
            from = match vectors_next::<S>(choices, self.columns - from) {
                7 => self.panel::<S, 7>(simd, from),
                5 => self.panel::<S, 5>(simd, from),
                3 => self.panel::<S, 3>(simd, from),
                2 => self.panel::<S, 2>(simd, from),
                _ => self.panel::<S, 1>(simd, from),
            };
        }
    }
}

impl Product<'_> {
    /// The product's next N vectors of columns; where they end.
    #[inline(always)]
    fn panel<S: Simd, const N: usize>(&mut self, simd: S, from: usize) -> usize {
        let columns = panel::<S, N>(self.columns, from);
        let (fours, rest) = self.rows.as_chunks::<ROWS>();
        for &rows in fours {
            self.rows::<S, N, ROWS>(simd, rows, columns.clone());
        }
        for &row in rest {
            self.rows::<S, N, 1>(simd, [row], columns.clone());
        }
        columns.end
    }

    #[inline(always)]
    fn rows<S: Simd, const N: usize, const M: usize>(
        &mut self,
        simd: S,
        rows: [u32; M],
        columns: Range<usize>,
    ) {
        let [row_stride, inner_stride] = self.left.strides();
        let left = rows.map(|row| &self.left.entries()[row as usize * row_stride..]);
        let mut sums = [[simd.splat_f32s(0.0); N]; M];
        for &at in self.inner {
            let at = at as usize;
            let right = load::<S, N>(&self.right[at * self.columns..][columns.clone()]);
            let mut factors = [simd.splat_f32s(0.0); M];
            for row in 0..M {
                factors[row] = simd.splat_f32s(left[row][at * inner_stride]);
            }
            for of in 0..N {
                for row in 0..M {
                    sums[row][of] = simd.mul_add_e_f32s(factors[row], right[of], sums[row][of]);
                }
            }
        }
        // A copy, as what is indexed by a loop that is not unrolled would not stay in registers.
        let mut finished = [[simd.splat_f32s(0.0); N]; M];
        for row in 0..M {
            for of in 0..N {
                finished[row][of] = sums[row][of];
            }
        }
        for (row, sums) in rows.into_iter().zip(&finished) {
            let start = row as usize * self.columns;
            let place = start + columns.start..start + columns.end;
            self.out.put::<S, N>(simd, place, self.scale, sums);
        }
    }
}

impl Out<'_> {
    /// scale · a row of N vectors.
    #[inline(always)]
    pub fn put<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        place: Range<usize>,
        scale: f32,
        sums: &[S::f32s; N],
    ) {
        let last = place.len() - S::F32_LANES;
        let scale = simd.splat_f32s(scale);
        match self {
            Self::Fresh(out) => {
                let out = &mut out[place];
                let (head, _) = S::as_uninit_mut_simd_f32s(out);
                for (place, &sum) in head.iter_mut().zip(&sums[..N - 1]) {
                    place.write(simd.mul_f32s(scale, sum));
                }
                let (tail, _) = S::as_uninit_mut_simd_f32s(&mut out[last..]);
                tail[0].write(simd.mul_f32s(scale, sums[N - 1]));
            }
            Self::Added(out) => {
                let out = &mut out[place];
                // All is read before any is written: what vectors share gets the sum once.
                let mut totals = load::<S, N>(out);
                for (total, &sum) in totals.iter_mut().zip(sums) {
                    *total = simd.mul_add_e_f32s(scale, sum, *total);
                }
                store::<S, N>(out, &totals);
            }
        }
    }

    /// The same of a row that does not fill a vector.
    pub fn put_narrow(&mut self, place: Range<usize>, scale: f32, sums: &[f32]) {
        match self {
            Self::Fresh(out) => {
                for (place, &sum) in out[place].iter_mut().zip(sums) {
                    place.write(scale * sum);
                }
            }
            Self::Added(out) => {
                for (total, &sum) in out[place].iter_mut().zip(sums) {
                    *total += scale * sum;
                }
            }
        }
    }
}

/// With so many columns left, how many vectors of them to take at once: one of `choices`, or one. Never less than a vector is
/// left over, unless there is nothing else.
pub fn vectors_next<S: Simd>(choices: &[usize], columns: usize) -> usize {
    let fits = |&&count: &&usize| {
        let rest = columns.saturating_sub(count * S::F32_LANES);
        count <= columns.div_ceil(S::F32_LANES) && (rest == 0 || rest >= S::F32_LANES)
    };
    choices.iter().find(fits).copied().unwrap_or(1)
}

/// The columns of the next N vectors. One that would be cut short starts earlier instead.
#[inline(always)]
pub fn panel<S: Simd, const N: usize>(columns: usize, from: usize) -> Range<usize> {
    let end = (from + N * S::F32_LANES).min(columns);
    from.min(end - S::F32_LANES)..end
}

/// A row as N vectors, the last of which may share some of its columns with the one before.
#[inline(always)]
#[expect(
    clippy::manual_memcpy,
    reason = "a loop of known length over registers"
)]
pub fn load<S: Simd, const N: usize>(row: &[f32]) -> [S::f32s; N] {
    let (tail, _) = S::as_simd_f32s(&row[row.len() - S::F32_LANES..]);
    let (head, _) = S::as_simd_f32s(row);
    let head = &head[..N - 1];
    let mut vectors = [tail[0]; N];
    for at in 0..N - 1 {
        vectors[at] = head[at];
    }
    vectors
}

/// The way back from [`load`].
#[inline(always)]
#[expect(
    clippy::manual_memcpy,
    reason = "a loop of known length over registers"
)]
pub fn store<S: Simd, const N: usize>(row: &mut [f32], vectors: &[S::f32s; N]) {
    let (head, _) = S::as_mut_simd_f32s(row);
    let head = &mut head[..N - 1];
    for at in 0..N - 1 {
        head[at] = vectors[at];
    }
    let last = row.len() - S::F32_LANES;
    let (tail, _) = S::as_mut_simd_f32s(&mut row[last..]);
    tail[0] = vectors[N - 1];
}

/// Adds value · row to N sums in registers.
#[inline(always)]
pub fn add_scaled<S: Simd, const N: usize>(
    simd: S,
    sums: &mut [S::f32s; N],
    value: f32,
    row: &[S::f32s; N],
) {
    let value = simd.splat_f32s(value);
    for at in 0..N {
        sums[at] = simd.mul_add_e_f32s(value, row[at], sums[at]);
    }
}

/// Numbers in a line of the cache.
const CACHE_LINE: usize = 16;

/// Room for copies of rows, each at the start of a line of the cache.
pub struct Aligned {
    values: Vec<f32>,
    start: usize,
    stride: usize,
}

impl Aligned {
    /// Zeros, in rows of at least `width`.
    pub fn zeros(rows: usize, width: usize) -> Self {
        let stride = width.next_multiple_of(CACHE_LINE);
        let values = vec![0.0; rows * stride + CACHE_LINE];
        let start = values.as_ptr().align_offset(CACHE_LINE * size_of::<f32>());
        Self {
            values,
            start,
            stride,
        }
    }

    /// Copies some columns, N vectors of them, of not more rows than there is room for.
    #[inline(always)]
    pub fn copy<'a, S: Simd, const N: usize>(
        &mut self,
        rows: impl Iterator<Item = &'a [f32]>,
        columns: Range<usize>,
    ) {
        let places = self.values[self.start..].chunks_exact_mut(self.stride);
        for (place, row) in places.zip(rows) {
            let vectors = load::<S, N>(&row[columns.clone()]);
            store::<S, N>(&mut place[..columns.len()], &vectors);
        }
    }

    /// Copies rows that may be narrower than a vector.
    pub fn copy_narrow<'a>(&mut self, rows: impl Iterator<Item = &'a [f32]>) {
        let places = self.values[self.start..].chunks_exact_mut(self.stride);
        for (place, row) in places.zip(rows) {
            place[..row.len()].copy_from_slice(row);
        }
    }

    /// The first `width` numbers of a row, as N vectors.
    #[inline(always)]
    pub fn load<S: Simd, const N: usize>(&self, row: usize, width: usize) -> [S::f32s; N] {
        load::<S, N>(&self.values[self.start + row * self.stride..][..width])
    }
}
