//! Products with the transpose of a mostly empty matrix, as gradients of weights need them: xᵀ δ.
//!
//! The sums of two neighbouring pixels are made together: what is read of δ serves both.

use pulp::{Simd, WithSimd};

use super::kernel::{Aligned, Out, add_scaled, panel, vectors_next};
use super::nonzeros::{Entry, PAIR};
use super::products::Matrix;
use crate::wide::with_vectors;

/// The nonzero entries of a matrix, pair of columns by pair of columns.
#[derive(Debug, Clone)]
pub struct Turned {
    /// Of the matrix that has been turned.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// Where each pair's entries begin, and the last one's end.
    pub(super) starts: Vec<u32>,
    pub(super) entries: Vec<Entry>,
}

impl Turned {
    /// The transpose · `right`, row after row, behind the entries of `out`; on this thread alone.
    ///
    /// # Panics
    ///
    /// Panics if the matrices do not fit, or `right` does not lie row after row.
    #[expect(
        unsafe_code,
        reason = "clearing memory that is about to be written would cost a pass"
    )]
    pub fn extend_by_product(&self, out: &mut Vec<f32>, right: Matrix<'_>) {
        let size = self.columns * right.width();
        out.reserve_exact(size);
        self.product(
            Out::Fresh(&mut out.spare_capacity_mut()[..size]),
            right,
            1.0,
        );
        // SAFETY: the product's entries have all been written.
        unsafe { out.set_len(out.len() + size) }
    }

    /// scale · the transpose · `right`, row after row, added to `out`; on this thread alone.
    ///
    /// # Panics
    ///
    /// Panics if the matrices do not fit, or `right` does not lie row after row.
    pub fn add_product(&self, out: &mut [f32], right: Matrix<'_>, scale: f32) {
        assert_eq!(
            out.len(),
            self.columns * right.width(),
            "room for the product"
        );
        self.product(Out::Added(out), right, scale);
    }

    fn product(&self, out: Out<'_>, right: Matrix<'_>, scale: f32) {
        assert_eq!(self.rows, right.rows(), "matrices that can be multiplied");
        assert!(right.is_row_after_row());
        with_vectors(Product {
            out,
            scale,
            left: self,
            right: right.entries(),
            columns: right.width(),
        });
    }

    #[inline]
    fn pair(&self, pair: usize) -> &[Entry] {
        &self.entries[self.starts[pair] as usize..self.starts[pair + 1] as usize]
    }
}

/// Every row of the product is a sum of rows of `right`, kept in registers until it is whole.
struct Product<'a> {
    out: Out<'a>,
    scale: f32,
    left: &'a Turned,
    right: &'a [f32],
    columns: usize,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        if self.columns < S::F32_LANES {
            return self.narrow(simd);
        }
        let choices: &[usize] = if S::REGISTER_COUNT >= 32 {
            &[7, 4, 2]
        } else {
            &[6, 4, 2]
        };
        let mut from = 0;
        while from < self.columns {
            from = match vectors_next::<S>(choices, self.columns - from) {
                7 => self.panel::<S, 7>(simd, from),
                6 => self.panel::<S, 6>(simd, from),
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
        let mut copy = Aligned::zeros(self.left.rows, S::F32_LANES);
        copy.copy_narrow(self.right.chunks_exact(self.columns));
        let mut whole = vec![0.0; S::F32_LANES];
        for pair in 0..self.left.starts.len() - 1 {
            let sums = self.sums::<S, 1>(simd, pair, &copy, S::F32_LANES);
            for (row, [sum]) in (pair * PAIR..self.left.columns).zip(sums) {
                S::as_mut_simd_f32s(&mut whole).0[0] = sum;
                let place = row * self.columns..(row + 1) * self.columns;
                self.out.put_narrow(place, self.scale, &whole);
            }
        }
    }

    /// The product's next N vectors of columns; where they end.
    #[inline(always)]
    fn panel<S: Simd, const N: usize>(&mut self, simd: S, from: usize) -> usize {
        let columns = panel::<S, N>(self.columns, from);
        let width = columns.len();
        // Whole lines of the cache, so that no vector lies across two.
        let mut copy = Aligned::zeros(self.left.rows, width);
        copy.copy::<S, N>(self.right.chunks_exact(self.columns), columns.clone());
        for pair in 0..self.left.starts.len() - 1 {
            if self.left.pair(pair).is_empty() && matches!(self.out, Out::Added(_)) {
                continue;
            }
            let [first, second] = self.sums::<S, N>(simd, pair, &copy, width);
            let start = pair * PAIR * self.columns;
            let place = start + columns.start..start + columns.end;
            self.out
                .put::<S, N>(simd, place.clone(), self.scale, &first);
            if pair * PAIR + 1 < self.left.columns {
                let place = place.start + self.columns..place.end + self.columns;
                self.out.put::<S, N>(simd, place, self.scale, &second);
            }
        }
        columns.end
    }

    /// The sums of a pair, for the N vectors of columns in `right`.
    #[inline(always)]
    fn sums<S: Simd, const N: usize>(
        &self,
        simd: S,
        pair: usize,
        right: &Aligned,
        width: usize,
    ) -> [[S::f32s; N]; PAIR] {
        let mut sums = [[simd.splat_f32s(0.0); N]; PAIR];
        for &Entry { at, values } in self.left.pair(pair) {
            let right = right.load::<S, N>(at as usize, width);
            let [first, second] = &mut sums;
            add_scaled(simd, first, values[0], &right);
            add_scaled(simd, second, values[1], &right);
        }
        sums
    }
}
