//! Sums over the bytes of pictures, exact.
//!
//! Nothing here overflows, and checks for it would keep loops from being compiled for vectors.

use crate::wide::{Pass, wide};

/// Bytes of which 32 bits hold the sum of the squares.
const RUN: usize = 1 << 16;

/// Pictures of which 32 bits hold a pixel's sum.
const PICTURES: usize = 1 << 24;

/// Adds every picture to `sums`, which have a place for each pixel, and gives the sum of all squares.
///
/// # Panics
///
/// Panics if pictures have no pixels.
pub fn add_pictures(sums: &mut [u64], pictures: &[u8]) -> u64 {
    let mut squares = 0;
    for some in pictures.chunks(PICTURES.saturating_mul(sums.len())) {
        let mut of_some = vec![0; sums.len()];
        squares += wide(PixelSums {
            pictures: some,
            sums: &mut of_some,
        });
        for (sum, of_some) in sums.iter_mut().zip(of_some) {
            *sum += u64::from(of_some);
        }
    }
    squares
}

/// Σ x and Σ x².
pub fn sum_and_squares(bytes: &[u8]) -> (u64, u64) {
    wide(Sums(bytes))
}

struct PixelSums<'a> {
    pictures: &'a [u8],
    sums: &'a mut [u32],
}

impl Pass for PixelSums<'_> {
    type Output = u64;

    #[inline(always)]
    fn run(self) -> u64 {
        let mut squares = 0;
        for picture in self.pictures.chunks_exact(self.sums.len()) {
            for (sum, &byte) in self.sums.iter_mut().zip(picture) {
                *sum = sum.wrapping_add(u32::from(byte));
            }
            let (_, of_picture) = Sums(picture).run();
            squares += of_picture;
        }
        squares
    }
}

struct Sums<'a>(&'a [u8]);

impl Pass for Sums<'_> {
    type Output = (u64, u64);

    #[inline(always)]
    fn run(self) -> (u64, u64) {
        let (mut sum, mut squares) = (0, 0);
        for run in self.0.chunks(RUN) {
            let (mut of_run, mut squares_of_run) = (0_u32, 0_u32);
            for byte in run.iter().map(|&byte| u32::from(byte)) {
                of_run = of_run.wrapping_add(byte);
                squares_of_run = squares_of_run.wrapping_add(byte.wrapping_mul(byte));
            }
            sum += u64::from(of_run);
            squares += u64::from(squares_of_run);
        }
        (sum, squares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_exact_where_they_are_largest() {
        let white = vec![255; 2 * RUN + 3];
        let count = white.len() as u64;
        assert_eq!(
            sum_and_squares(&white),
            (255 * count, 255 * 255 * count),
            "more than 32 bits"
        );
        assert_eq!(sum_and_squares(&[]), (0, 0));
    }

    #[test]
    fn pictures_are_summed_up_by_pixel() {
        let mut sums = [1, 0, 0];
        let squares = add_pictures(&mut sums, &[1, 2, 3, 40, 50, 60]);
        assert_eq!(sums, [42, 52, 63]);
        assert_eq!(squares, 1 + 4 + 9 + 1600 + 2500 + 3600);
    }
}
