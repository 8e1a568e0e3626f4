//! A product of matrices that leaves out what is marked as 0 on the left.
//!
//! A row of the product is a sum of rows of the right matrix, kept in registers. A part of the right matrix that is small
//! enough for the first cache is copied, each row to the start of a line, and serves all rows of the product before the
//! next part does. Where three rows have nearly the same marks they are summed up together, and what is read on the right
//! serves all of them.
//!
//! Every entry is one sum in the order of the inner index, [`BLOCK`] terms at a time. So as long as the right matrix is
//! finite, neither the length of the processor's vectors nor what has been left out makes any difference.
//!
//! All of a [`Panel`] must be inlined into one function that is compiled for wide vectors, its arrays indexed by loops
//! that are unrolled. Closures given to `map` of an array are not; `benches/parts.rs` shows it, no test does.

#![expect(
    clippy::needless_range_loop,
    clippy::manual_memcpy,
    reason = "loops of known length over registers"
)]

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::{Scalar128b, Simd, WithSimd};

use super::few::{FewSums, Lists};
use super::marks::{BLOCK, Lines, Marks};
use super::matrix::Matrix;
use super::threads::{self, share_out};
use super::wide::with_vectors;

/// Columns that are few for a vector, and get sums of their own.
pub const QUAD: usize = 4;

/// At least as many columns as are ever summed up together, in whole lines of the cache.
const WIDEST: usize = 112;

/// If not even one of so many entries is marked, each is looked for where it is.
const MANY: usize = 24;

/// The same where the matrix on the right has to be laid out before.
const MANY_TURNED: usize = 64;

/// scale · left · right.
struct Product<'a, T> {
    /// Row after row.
    out: &'a mut [MaybeUninit<f32>],
    scale: f32,
    left: Sparse<'a, T>,
    right: Matrix<'a>,
}

/// What a matrix on the left consists of.
pub trait Entry: Copy + Sync {
    fn value(self) -> f32;
}

impl Entry for f32 {
    #[inline(always)]
    fn value(self) -> f32 {
        self
    }
}

/// A byte of a picture stands for its 255th part.
impl Entry for u8 {
    #[inline(always)]
    fn value(self) -> f32 {
        static SHARES: [f32; 256] = {
            let mut shares = [0.0; 256];
            let mut byte = 0;
            while byte < 256 {
                shares[byte] = byte as f32 / 255.0;
                byte += 1;
            }
            shares
        };
        SHARES[usize::from(self)]
    }
}

/// Some rows of a matrix that lies row after row, or of its transpose, with marks of what is not 0.
#[derive(Debug, Clone, Copy)]
pub struct Sparse<'a, T> {
    /// Of all of the matrix, as are its marks.
    entries: &'a [T],
    marks: &'a Marks,
    is_transposed: bool,
    first: usize,
    count: usize,
}

impl<'a, T: Entry> Sparse<'a, T> {
    /// Of entries with their own marks.
    ///
    /// # Panics
    ///
    /// Panics if these are of another shape.
    pub fn new(entries: &'a [T], marks: &'a Marks) -> Self {
        let places = marks.rows() * marks.columns();
        assert_eq!(entries.len(), places, "one mark each");
        Self {
            entries,
            marks,
            is_transposed: false,
            first: 0,
            count: marks.rows(),
        }
    }

    /// The transpose of all of it.
    pub fn transposed(self) -> Self {
        let is_transposed = !self.is_transposed;
        let lines = self.marks.lines(is_transposed);
        Self {
            is_transposed,
            first: 0,
            count: lines.count(),
            ..self
        }
    }

    fn some_rows(self, rows: Range<usize>) -> Self {
        Self {
            first: self.first + rows.start,
            count: rows.len(),
            ..self
        }
    }

    pub fn rows(self) -> usize {
        self.count
    }

    pub fn columns(self) -> usize {
        self.lines().places()
    }

    /// Whether not even one of so many entries of the whole matrix is marked.
    pub fn has_less_than_one_of(self, many: usize) -> bool {
        self.marked() * many < self.entries.len()
    }

    /// Of the whole matrix, as it lies.
    pub fn entries(self) -> &'a [T] {
        self.entries
    }

    /// Of the whole matrix.
    pub fn marks(self) -> &'a Marks {
        self.marks
    }

    pub fn is_transposed(self) -> bool {
        self.is_transposed
    }

    /// How many entries of the whole matrix are marked.
    pub fn marked(self) -> usize {
        self.marks.marked()
    }

    /// scale · self · right; every entry of `out` is written. Threads of the pool have some rows each.
    ///
    /// # Panics
    ///
    /// Panics if the matrices do not fit.
    pub fn multiply(self, right: Matrix<'_>, scale: f32, out: &mut [MaybeUninit<f32>]) {
        let (rows, width) = (self.rows(), right.width());
        let many = if right.strides()[1] == 1 {
            MANY
        } else {
            MANY_TURNED
        };
        let few = self.has_less_than_one_of(many);
        let few = few.then(|| (Lists::of(self), right.straight()));
        let multiply = |left: Self, out: &mut [_]| {
            if let Some((lists, straight)) = &few {
                return with_vectors(FewSums {
                    out,
                    scale,
                    left: lists,
                    first: left.first,
                    right: Matrix::new(straight, right.rows(), width),
                });
            }
            with_vectors(Product {
                out,
                scale,
                left,
                right,
            });
        };
        let threads = threads::for_products(rows * self.columns() * width);
        let piece = rows.div_ceil(threads);
        let pieces = out.chunks_mut((piece * width).max(1)).enumerate();
        share_out(pieces, threads, |(at, out)| {
            let first = at * piece;
            multiply(self.some_rows(first..rows.min(first + piece)), out);
        });
    }

    /// A line of marks for each row.
    fn lines(self) -> Lines<'a> {
        let lines = self.marks.lines(self.is_transposed);
        lines.some(self.first..self.first + self.count)
    }

    /// What begins with the entry in this row and column.
    #[inline(always)]
    fn from<const TRANSPOSED: bool>(self, row: usize, column: usize) -> &'a [T] {
        let row = self.first + row;
        let at = if TRANSPOSED {
            column * self.marks.columns() + row
        } else {
            row * self.marks.columns() + column
        };
        &self.entries[at..]
    }

    /// How far apart a row's entries lie.
    #[inline(always)]
    fn step<const TRANSPOSED: bool>(self) -> usize {
        if TRANSPOSED { self.marks.columns() } else { 1 }
    }
}

impl<T: Entry> WithSimd for Product<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (rows, inner) = (self.left.rows(), self.left.columns());
        assert_eq!(inner, self.right.rows(), "matrices that can be multiplied");
        // Every entry is written by its first terms.
        assert!(inner > 0, "something to sum up");
        assert_eq!(self.out.len(), rows * self.right.width(), "room for it");
        if self.left.is_transposed {
            self.panels::<S, true>(simd);
        } else {
            self.panels::<S, false>(simd);
        }
    }
}

impl<T: Entry> Product<'_, T> {
    /// All columns, as many at a time as there are registers for.
    #[inline(always)]
    fn panels<S: Simd, const TRANSPOSED: bool>(mut self, simd: S) {
        let mut from = 0;
        while from < self.right.width() {
            let columns = self.right.width() - from;
            let (whole, rest) = (columns / S::F32_LANES, columns % S::F32_LANES);
            let quad = narrow().filter(|_| whole > 0 && (1..=QUAD).contains(&rest));
            let vectors = whole + usize::from(rest > 0 && quad.is_none());
            // As many sums as there are registers for: of one row, or of three where that many are free.
            from = if S::REGISTER_COUNT >= 32 {
                match (vectors, quad) {
                    (6, Some(quad)) => self.panel::<S, _, TRANSPOSED, 6, 3, 1>(simd, quad, from),
                    (6.., _) => self.panel::<S, _, TRANSPOSED, 6, 3, 0>(simd, Scalar128b, from),
                    (3, Some(quad)) => self.panel::<S, _, TRANSPOSED, 3, 3, 1>(simd, quad, from),
                    (3.., _) => self.panel::<S, _, TRANSPOSED, 3, 3, 0>(simd, Scalar128b, from),
                    (1, Some(quad)) => self.panel::<S, _, TRANSPOSED, 1, 3, 1>(simd, quad, from),
                    _ => self.panel::<S, _, TRANSPOSED, 1, 3, 0>(simd, Scalar128b, from),
                }
            } else {
                match (vectors, quad) {
                    (12, Some(quad)) => self.panel::<S, _, TRANSPOSED, 12, 1, 1>(simd, quad, from),
                    (12.., _) => self.panel::<S, _, TRANSPOSED, 12, 1, 0>(simd, Scalar128b, from),
                    (4, Some(quad)) => self.panel::<S, _, TRANSPOSED, 4, 1, 1>(simd, quad, from),
                    (4.., _) => self.panel::<S, _, TRANSPOSED, 4, 1, 0>(simd, Scalar128b, from),
                    (1, Some(quad)) => self.panel::<S, _, TRANSPOSED, 1, 1, 1>(simd, quad, from),
                    _ => self.panel::<S, _, TRANSPOSED, 1, 1, 0>(simd, Scalar128b, from),
                }
            };
        }
    }
}

/// Vectors of four numbers, where the processor's own are longer.
#[cfg(target_arch = "x86_64")]
fn narrow() -> Option<pulp::x86::V3_128b> {
    pulp::x86::V3::try_new().map(pulp::x86::V3_128b)
}

#[cfg(not(target_arch = "x86_64"))]
fn narrow() -> Option<Scalar128b> {
    None
}

impl<T: Entry> Product<'_, T> {
    /// The product's next N vectors and Q quads of columns; where they end.
    #[inline(always)]
    fn panel<
        S: Simd,
        W: Simd,
        const TRANSPOSED: bool,
        const N: usize,
        const R: usize,
        const Q: usize,
    >(
        &mut self,
        simd: S,
        narrow: W,
        from: usize,
    ) -> usize {
        let end = (from + N * S::F32_LANES + Q * QUAD).min(self.right.width());
        let product = Product {
            out: &mut *self.out,
            ..*self
        };
        let columns = from..end;
        apart(
            simd,
            Panel::<T, W, TRANSPOSED, N, R, Q> {
                product,
                columns,
                narrow,
            },
        );
        end
    }
}

/// In a function of its own, which has all registers to itself.
#[inline(never)]
fn apart<S: Simd, T: WithSimd>(simd: S, task: T) -> T::Output {
    simd.vectorize(task)
}

/// N vectors and Q quads of the columns of a product, up to R rows of it together.
struct Panel<'a, T, W, const TRANSPOSED: bool, const N: usize, const R: usize, const Q: usize> {
    product: Product<'a, T>,
    columns: Range<usize>,
    /// What quads are computed with.
    narrow: W,
}

impl<T: Entry, W: Simd, const TRANSPOSED: bool, const N: usize, const R: usize, const Q: usize>
    WithSimd for Panel<'_, T, W, TRANSPOSED, N, R, Q>
{
    type Output = ();

    #[inline(always)]
    #[expect(
        clippy::large_stack_arrays,
        reason = "its place is known to the compiler, which leaves a register free"
    )]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            product,
            columns,
            narrow,
        } = self;
        let Product {
            out,
            scale,
            left,
            right,
        } = product;
        assert!(N * S::F32_LANES + Q * QUAD <= WIDEST, "room for a line");
        let stride = right.width();
        let marks = left.lines();
        let mut near = [Line([0.0; WIDEST]); BLOCK];
        for (block, first) in (0..right.rows()).step_by(BLOCK).enumerate() {
            copy::<S, N>(&mut near, right, first, columns.clone());
            let mut target = Target {
                out: &mut *out,
                stride,
                columns: columns.clone(),
                is_written: block > 0,
                scale,
            };
            let (groups, rest) = marks.block(block).as_chunks::<R>();
            for (group, marks) in groups.iter().enumerate() {
                let row = group * R;
                let all = marks.iter().fold(0, |all, marks| all | marks);
                if all == 0 && target.is_written {
                    continue;
                }
                if R == 1 || are_alike(marks, all, N) {
                    let lines = Lined::<T, TRANSPOSED, R>::new(left, row, first);
                    let sums = lines.sums::<S, W, N, Q>(simd, narrow, all, &near);
                    target.put(simd, row, &sums);
                    continue;
                }
                for (row, &marks) in (row..).zip(marks) {
                    let lines = Lined::<T, TRANSPOSED, 1>::new(left, row, first);
                    let sums = lines.sums::<S, W, N, Q>(simd, narrow, marks, &near);
                    target.put(simd, row, &sums);
                }
            }
            for (row, &marks) in (groups.len() * R..).zip(rest) {
                let lines = Lined::<T, TRANSPOSED, 1>::new(left, row, first);
                let sums = lines.sums::<S, W, N, Q>(simd, narrow, marks, &near);
                target.put(simd, row, &sums);
            }
        }
    }
}

/// Whether rows are faster together, over everything that is marked in any of them, than one by one, with so many vectors.
#[inline(always)]
fn are_alike(marks: &[u64], all: u64, vectors: usize) -> bool {
    /// A sum waits so many cycles for the one before.
    const WAIT: usize = 4;
    /// What it takes to begin and end a row.
    const ROW: usize = 15;
    let each: u32 = marks.iter().map(|marks| marks.count_ones()).sum();
    let alone = WAIT.max(vectors + 1) * each as usize + ROW * (marks.len() - 1);
    (vectors * marks.len() + 1) * all.count_ones() as usize <= alone
}

/// The sums of M rows: N vectors and Q quads of columns.
struct Sums<V, const M: usize, const N: usize, const Q: usize> {
    vectors: [[V; N]; M],
    quads: [[[f32; QUAD]; Q]; M],
}

/// M rows of the left matrix.
struct Lined<'a, T, const TRANSPOSED: bool, const M: usize> {
    left: Sparse<'a, T>,
    rows: [&'a [T]; M],
}

impl<'a, T: Entry, const TRANSPOSED: bool, const M: usize> Lined<'a, T, TRANSPOSED, M> {
    #[inline(always)]
    fn new(left: Sparse<'a, T>, row: usize, column: usize) -> Self {
        let mut rows = [left.from::<TRANSPOSED>(row, column); M];
        for of in 1..M {
            rows[of] = left.from::<TRANSPOSED>(row + of, column);
        }
        Self { left, rows }
    }

    /// Over what is marked, with the rows of the right matrix that are near.
    #[inline(always)]
    fn sums<S: Simd, W: Simd, const N: usize, const Q: usize>(
        &self,
        simd: S,
        narrow: W,
        mut marks: u64,
        near: &[Line; BLOCK],
    ) -> Sums<S::f32s, M, N, Q> {
        let mut vectors = [[simd.splat_f32s(0.0); N]; M];
        let mut quads = [[narrow.splat_f32s(0.0); Q]; M];
        while marks != 0 {
            let at = marks.trailing_zeros() as usize % BLOCK;
            marks &= marks - 1;
            let Line(right) = &near[at];
            let mut values = [0.0; M];
            let mut factors = [simd.splat_f32s(0.0); M];
            for row in 0..M {
                values[row] =
                    self.rows[row][at.wrapping_mul(self.left.step::<TRANSPOSED>())].value();
                factors[row] = simd.splat_f32s(values[row]);
            }
            let whole = S::as_simd_f32s(right).0;
            for of in 0..N {
                for row in 0..M {
                    let sum = &mut vectors[row][of];
                    *sum = simd.mul_add_e_f32s(factors[row], whole[of], *sum);
                }
            }
            let rest = W::as_simd_f32s(&right[N * S::F32_LANES..]).0;
            for of in 0..Q {
                for row in 0..M {
                    let sum = &mut quads[row][of];
                    *sum = narrow.mul_add_e_f32s(narrow.splat_f32s(values[row]), rest[of], *sum);
                }
            }
        }
        // A copy, as what is indexed by a loop that is not unrolled would not stay in registers.
        let mut sums = Sums {
            vectors: [[simd.splat_f32s(0.0); N]; M],
            quads: [[[0.0; QUAD]; Q]; M],
        };
        for row in 0..M {
            for of in 0..N {
                sums.vectors[row][of] = vectors[row][of];
            }
            for of in 0..Q {
                W::as_mut_simd_f32s(&mut sums.quads[row][of]).0[0] = quads[row][of];
            }
        }
        sums
    }
}

/// Where sums go.
struct Target<'a> {
    out: &'a mut [MaybeUninit<f32>],
    stride: usize,
    columns: Range<usize>,
    is_written: bool,
    scale: f32,
}

impl Target<'_> {
    /// The sums of the rows from `row` on.
    #[inline(always)]
    fn put<S: Simd, const M: usize, const N: usize, const Q: usize>(
        &mut self,
        simd: S,
        row: usize,
        sums: &Sums<S::f32s, M, N, Q>,
    ) {
        for (row, (vectors, quads)) in (row..).zip(sums.vectors.iter().zip(&sums.quads)) {
            let place = &mut self.out[row * self.stride..][self.columns.clone()];
            put(simd, place, self.is_written, self.scale, vectors, quads);
        }
    }
}

/// scale · sums to a row of the product that ends somewhere in them, or added to it if it `is_written`.
#[inline(always)]
#[expect(
    unsafe_code,
    reason = "memory that is written for the first time is not cleared before"
)]
fn put<S: Simd, const N: usize, const Q: usize>(
    simd: S,
    row: &mut [MaybeUninit<f32>],
    is_written: bool,
    scale: f32,
    sums: &[S::f32s; N],
    quads: &[[f32; QUAD]; Q],
) {
    let whole = N * S::F32_LANES;
    if row.len() < whole {
        let mut short = [0.0; WIDEST];
        for (place, &sum) in S::as_mut_simd_f32s(&mut short).0.iter_mut().zip(sums) {
            *place = sum;
        }
        return put_singles(row, is_written, scale, &short);
    }
    let (vectors, rest) = row.split_at_mut(whole);
    let factor = simd.splat_f32s(scale);
    if is_written {
        // SAFETY: the block before has written every row.
        let vectors = S::as_mut_simd_f32s(unsafe { vectors.assume_init_mut() }).0;
        for of in 0..N {
            vectors[of] = simd.mul_add_e_f32s(factor, sums[of], vectors[of]);
        }
    } else {
        let vectors = S::as_uninit_mut_simd_f32s(vectors).0;
        for of in 0..N {
            vectors[of].write(simd.mul_f32s(factor, sums[of]));
        }
    }
    if Q > 0 {
        put_singles(rest, is_written, scale, quads.as_flattened());
    }
}

/// The same for what does not fill a vector.
#[inline(always)]
#[expect(unsafe_code, reason = "as above")]
fn put_singles(row: &mut [MaybeUninit<f32>], is_written: bool, scale: f32, sums: &[f32]) {
    for (place, sum) in row.iter_mut().zip(sums) {
        if is_written {
            // SAFETY: the block before has written every row.
            let place = unsafe { place.assume_init_mut() };
            *place = scale.mul_add(*sum, *place);
        } else {
            place.write(scale * sum);
        }
    }
}

/// A row of the right matrix, or a part of it.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line([f32; WIDEST]);

/// The transpose.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
#[expect(
    unsafe_code,
    reason = "compilers do not find these instructions by themselves"
)]
pub fn turned(square: [[f32; QUAD]; QUAD]) -> [[f32; QUAD]; QUAD] {
    use pulp::bytemuck::cast;
    use std::arch::x86_64::{__m128, _MM_TRANSPOSE4_PS};
    let [mut a, mut b, mut c, mut d]: [__m128; QUAD] = cast(square);
    // SAFETY: every processor of this architecture has them.
    unsafe { _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d) };
    cast([a, b, c, d])
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub fn turned(square: [[f32; QUAD]; QUAD]) -> [[f32; QUAD]; QUAD] {
    let mut turned = square;
    for row in 0..QUAD {
        for column in 0..QUAD {
            turned[column][row] = square[row][column];
        }
    }
    turned
}

/// Copies the rows of the right matrix from `first` on, some columns of each, about N vectors.
#[inline(always)]
fn copy<S: Simd, const N: usize>(
    near: &mut [Line; BLOCK],
    right: Matrix<'_>,
    first: usize,
    columns: Range<usize>,
) {
    let [down, across] = right.strides();
    let rows = (right.rows() - first).min(BLOCK);
    if right.is_row_after_row() {
        let sources = right.entries()[first * down..].chunks_exact(down);
        for (Line(place), source) in near.iter_mut().zip(sources).take(rows) {
            let source = &source[columns.clone()];
            let mut whole = 0;
            if source.len() >= N * S::F32_LANES {
                whole = N * S::F32_LANES;
                let vectors = S::as_simd_f32s(&source[..whole]).0;
                let places = S::as_mut_simd_f32s(&mut place[..whole]).0;
                for of in 0..N {
                    places[of] = vectors[of];
                }
            }
            for (place, value) in place[whole..].iter_mut().zip(&source[whole..]) {
                *place = *value;
            }
        }
    } else {
        assert_eq!(down, 1, "a matrix or its transpose");
        // Square by square, so that both sides are read and written in runs.
        for row in (0..rows).step_by(QUAD) {
            for column in columns.clone().step_by(QUAD) {
                let to = column - columns.start;
                let from = first + row + column * across;
                if row + QUAD <= rows && column + QUAD <= columns.end {
                    let mut square = [[0.0; QUAD]; QUAD];
                    for of in 0..QUAD {
                        let values = right.entries()[from + of * across..].first_chunk();
                        square[of] = *values.expect("rows reach so far");
                    }
                    let square = turned(square);
                    for of in 0..QUAD {
                        let place = near[row + of].0[to..].first_chunk_mut();
                        *place.expect("there is room") = square[of];
                    }
                } else {
                    for of in 0..QUAD.min(rows - row) {
                        for lane in 0..QUAD.min(columns.end - column) {
                            near[row + of].0[to + lane] =
                                right.entries()[from + of + lane * across];
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    fn number(at: usize) -> f32 {
        ((at * 7919) % 1009) as f32 / 500.0 - 1.0
    }

    /// A matrix of which some entries are 0: none, all, every so many, whole columns, and in a way some rows share.
    fn sparse(kind: usize, rows: usize, columns: usize) -> Vec<f32> {
        let is_on = |row: usize, column: usize| match kind {
            0 => true,
            1 => false,
            2 => (row * columns + column) * 31 % 7 < 3,
            3 => column.is_multiple_of(3),
            _ => (row / 3 + column).is_multiple_of(2) && row % 7 != 5,
        };
        let entry = |at: usize| {
            if is_on(at / columns, at % columns) {
                number(at)
            } else {
                0.0
            }
        };
        (0..rows * columns).map(entry).collect()
    }

    fn turned(entries: &[f32], columns: usize) -> Vec<f32> {
        let columns = (0..columns).flat_map(|at| entries.iter().skip(at).step_by(columns));
        columns.copied().collect()
    }

    fn exact(left: &[f32], right: &[f32], inner: usize, columns: usize) -> Vec<f64> {
        let rows = left.chunks_exact(inner);
        let entries = rows.flat_map(|row| {
            (0..columns).map(move |column| {
                let right = right[column..].iter().step_by(columns);
                let terms = row.iter().zip(right);
                terms.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
            })
        });
        entries.collect()
    }

    #[derive(Debug, Clone, Copy)]
    enum Vectors {
        Native,
        Single,
        #[cfg(target_arch = "x86_64")]
        Of8(pulp::x86::V3),
    }

    impl Vectors {
        fn all() -> Vec<Self> {
            let mut all = vec![Self::Native, Self::Single];
            #[cfg(target_arch = "x86_64")]
            all.extend(pulp::x86::V3::try_new().map(Self::Of8));
            all
        }

        fn run(self, product: impl WithSimd<Output = ()>) {
            match self {
                Self::Native => with_vectors(product),
                Self::Single => Simd::vectorize(pulp::Scalar::new(), product),
                #[cfg(target_arch = "x86_64")]
                Self::Of8(simd) => Simd::vectorize(simd, product),
            }
        }
    }

    const SHAPES: [(usize, usize); 6] = [(1, 1), (5, 9), (7, 64), (8, 65), (11, 100), (3, 200)];
    const WIDTHS: [usize; 15] = [1, 4, 8, 15, 16, 17, 20, 48, 52, 63, 96, 100, 110, 116, 300];

    #[test]
    fn products_are_exact_up_to_rounding() {
        for (rows, inner) in SHAPES {
            for columns in WIDTHS {
                let right: Vec<f32> = (0..inner * columns).map(|at| number(at + 5)).collect();
                let right_turned = turned(&right, columns);
                let rights = [
                    Matrix::new(&right, inner, columns),
                    Matrix::new(&right_turned, columns, inner).transposed(),
                ];
                for kind in 0..5 {
                    let left = sparse(kind, rows, inner);
                    let left_turned = turned(&left, inner);
                    let exact = exact(&left, &right, inner, columns);
                    let along = Marks::of(&left, inner);
                    let across = Marks::of(&left_turned, rows);
                    for vectors in Vectors::all() {
                        for right in rights {
                            // From the one side and from the other.
                            let mut fresh = vec![MaybeUninit::uninit(); rows * columns];
                            vectors.run(Product {
                                out: &mut fresh,
                                scale: 1.0,
                                left: Sparse::new(&left, &along),
                                right,
                            });
                            let mut other = vec![MaybeUninit::uninit(); rows * columns];
                            vectors.run(Product {
                                out: &mut other,
                                scale: -0.5,
                                left: Sparse::new(&left_turned, &across).transposed(),
                                right,
                            });
                            for ((exact, fresh), other) in exact.iter().zip(&fresh).zip(&other) {
                                let (fresh, other) = (written(*fresh), written(*other));
                                assert!((fresh - exact).abs() < 1e-4, "{fresh} {exact}");
                                assert!((other + 0.5 * exact).abs() < 1e-4, "{other} {exact}");
                            }
                        }
                    }
                }
            }
        }
    }

    #[expect(unsafe_code, reason = "products write all of their entries")]
    fn written(entry: MaybeUninit<f32>) -> f64 {
        // SAFETY: it is part of a product.
        f64::from(unsafe { entry.assume_init() })
    }

    #[test]
    fn what_is_left_out_and_how_long_vectors_are_makes_no_difference() {
        for columns in WIDTHS {
            let (rows, inner) = (11, 100);
            let right: Vec<f32> = (0..inner * columns).map(|at| number(at + 5)).collect();
            let all = Marks::of(&vec![1.0; rows * inner], inner);
            for kind in 0..5 {
                let left = sparse(kind, rows, inner);
                let some = Marks::of(&left, inner);
                let product = |vectors: Vectors, marks: &Marks| {
                    let mut out = vec![MaybeUninit::uninit(); rows * columns];
                    vectors.run(Product {
                        out: &mut out,
                        scale: 0.3,
                        left: Sparse::new(&left, marks),
                        right: Matrix::new(&right, inner, columns),
                    });
                    out.into_iter().map(written).map(f64::to_bits).collect()
                };
                let expected: Vec<u64> = product(Vectors::Native, &all);
                assert_eq!(product(Vectors::Native, &some), expected);
                for vectors in Vectors::all() {
                    let left_turned = turned(&left, inner);
                    let turned = Marks::of(&left_turned, rows);
                    for left in [
                        Sparse::new(&left, &some),
                        Sparse::new(&left_turned, &turned).transposed(),
                    ] {
                        let mut out = vec![MaybeUninit::uninit(); rows * columns];
                        vectors.run(FewSums {
                            out: &mut out,
                            scale: 0.3,
                            left: &Lists::of(left),
                            first: 0,
                            right: Matrix::new(&right, inner, columns),
                        });
                        let few: Vec<u64> =
                            out.into_iter().map(written).map(f64::to_bits).collect();
                        let is_same = few == expected;
                        assert!(is_same || matches!(vectors, Vectors::Single));
                    }
                }
                #[cfg(target_arch = "x86_64")]
                if let Some(simd) = pulp::x86::V3::try_new() {
                    assert_eq!(product(Vectors::Of8(simd), &some), expected);
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_number_is_not_left_out() {
        let marks = Marks::of(&[f32::NAN, 0.0], 2);
        let mut out = [MaybeUninit::uninit(); 1];
        with_vectors(Product {
            out: &mut out,
            scale: 1.0,
            left: Sparse::new(&[f32::NAN, 0.0], &marks),
            right: Matrix::new(&[1.0, 1.0], 2, 1),
        });
        assert!(written(out[0]).is_nan());
    }

    #[test]
    #[should_panic(expected = "something to sum up")]
    fn sums_of_nothing_are_refused() {
        let marks = Marks::of::<f32>(&[], 3);
        with_vectors(Product {
            out: &mut [MaybeUninit::uninit(); 3 * 5],
            scale: 1.0,
            left: Sparse::new(&[0.0; 0], &marks).transposed(),
            right: Matrix::new(&[], 0, 5),
        });
    }

    #[test]
    #[should_panic(expected = "matrices that can be multiplied")]
    fn matrices_that_do_not_fit_are_refused() {
        let marks = Marks::of(&[1.0; 6], 3);
        with_vectors(Product {
            out: &mut [MaybeUninit::uninit(); 4],
            scale: 1.0,
            left: Sparse::new(&[1.0; 6], &marks),
            right: Matrix::new(&[1.0; 4], 2, 2),
        });
    }
}
