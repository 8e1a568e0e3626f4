//! A batch of pictures as it is stored, a byte for each pixel: most are black, and what is lit is marked.

use super::input::{ExtendByGrey, grey};
use super::kernel::{Along, Entry};
use super::marks::Marks;
use crate::bytes;
use crate::wide::wide;

/// Pictures of one size.
#[derive(Debug, Clone)]
pub struct Pictures {
    bytes: Vec<u8>,
    marks: Marks,
}

impl Entry for u8 {
    #[inline(always)]
    fn value(self) -> f32 {
        /// What every byte is as an input.
        static GREYS: [f32; 256] = {
            let mut greys = [0.0; 256];
            let mut byte = 0;
            while byte < 256 {
                greys[byte] = grey(byte as u8);
                byte += 1;
            }
            greys
        };
        GREYS[usize::from(self)]
    }
}

impl Pictures {
    /// Each of `width` bytes.
    ///
    /// # Panics
    ///
    /// Panics if a picture has another width.
    pub fn new<'a>(pictures: impl ExactSizeIterator<Item = &'a [u8]>, width: usize) -> Self {
        let mut bytes = Vec::with_capacity(pictures.len() * width);
        for picture in pictures {
            assert_eq!(picture.len(), width, "pictures of one size");
            bytes.extend_from_slice(picture);
        }
        let marks = Marks::of(&bytes, width);
        Self { bytes, marks }
    }

    pub fn count(&self) -> usize {
        self.marks.rows()
    }

    pub fn width(&self) -> usize {
        self.marks.columns()
    }

    /// A row of inputs for each picture.
    pub fn rows(&self) -> Along<'_, u8> {
        Along::new(&self.bytes, &self.marks)
    }

    /// Every byte as an input, picture by picture.
    pub fn greys(&self) -> Vec<f32> {
        let mut values = Vec::with_capacity(self.bytes.len());
        wide(ExtendByGrey {
            values: &mut values,
            bytes: &self.bytes,
        });
        values
    }

    /// The sum of each pixel's inputs, and the sum of all their squares.
    pub fn moments(&self) -> (Vec<f32>, f64) {
        let mut sums = vec![0; self.width()];
        let squares = bytes::add_pictures(&mut sums, &self.bytes);
        let sums = sums.into_iter().map(|sum| sum as f32 / 255.0);
        (sums.collect(), squares as f64 / (255.0 * 255.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fused::products::{Matrix, add_product, extend_by_product};
    use crate::fused::products::{add_product_over, extend_by_product_over};

    #[test]
    fn pictures_are_their_greys() {
        for width in [1, 5, 30, 784] {
            let bytes: Vec<u8> = (0..9 * width)
                .map(|at| if at % 13 < 4 { (at % 251) as u8 } else { 0 })
                .collect();
            let pictures = Pictures::new(bytes.chunks_exact(width), width);
            assert_eq!((pictures.count(), pictures.width()), (9, width));
            let greys: Vec<f32> = bytes.iter().map(|&byte| grey(byte)).collect();
            assert_eq!(pictures.greys(), greys);

            let (sums, squares) = pictures.moments();
            for (pixel, sum) in sums.into_iter().enumerate() {
                let expected: f32 = greys.iter().skip(pixel).step_by(width).sum();
                assert!((sum - expected).abs() < 1e-4);
            }
            let expected: f64 = greys.iter().map(|&grey| f64::from(grey).powi(2)).sum();
            assert!((squares - expected).abs() < 1e-4);

            let whole = Matrix::new(&greys, 9, width);
            let right: Vec<f32> = (0..width * 100).map(|at| (at % 17) as f32 - 8.0).collect();
            let right = Matrix::new(&right, width, 100);
            let (mut expected, mut found) = (Vec::new(), Vec::new());
            extend_by_product(&mut expected, whole, right, 1.0);
            extend_by_product_over(&mut found, pictures.rows(), right, 1.0);
            assert_close(&found, &expected);

            let right: Vec<f32> = (0..9 * 100).map(|at| (at % 19) as f32 - 9.0).collect();
            let right = Matrix::new(&right, 9, 100);
            let mut expected = vec![1.0; width * 100];
            let mut found = expected.clone();
            add_product(&mut expected, whole.transposed(), right, -0.5);
            add_product_over(&mut found, pictures.rows().transposed(), right, -0.5);
            assert_close(&found, &expected);
        }
    }

    #[track_caller]
    fn assert_close(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-2, "{found} {expected}");
        }
    }
}
