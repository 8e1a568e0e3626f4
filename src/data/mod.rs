//! Pictures and their labels, as bytes: from a folder of four IDX files to arrays in memory.
//!
//! This room owns the file format ([`idx`]), the finding, checking, hashing and naming of a data set
//! ([`locate`], [`load`]), and what the rest of the program sees of it. It may not know of models, experiments
//! or configs. Pixels stay the bytes that they were in the file; whoever needs numbers in [0, 1] divides.

use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;

mod dataset;
pub mod idx;

pub use dataset::{DataError, FILE_NAMES, load, locate};

/// A picture set with its labels, in two parts: one to learn from and one to test on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Set only when all four files are, byte for byte, those of a set that this program knows.
    pub name: Option<&'static str>,
    /// Highest label + 1 over both parts, whatever the limits left of them.
    pub classes: usize,
    /// The part to learn from.
    pub train: Split,
    /// Held out of the training images for choices that data make; absent unless [`hold_out`](Self::hold_out) was
    /// asked for it.
    pub validation: Option<Split>,
    /// The part to test on.
    pub test: Split,
    /// The four files in the order of [`FILE_NAMES`].
    pub files: Vec<FileRecord>,
}

impl Dataset {
    /// Moves the last `count` training images into the validation split.
    ///
    /// # Panics
    ///
    /// Panics if that leaves nothing to learn from.
    pub fn hold_out(&mut self, count: usize) {
        let keep = self.train.images.count() - count;
        assert!(keep > 0, "nothing is left to learn from");
        if count > 0 {
            self.validation = Some(Split {
                images: self.train.images.split_off(keep),
                labels: self.train.labels.split_off(keep),
            });
        }
    }
}

/// Pictures and as many labels, in the same order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The pictures.
    pub images: Images,
    /// The class of each picture, counted from 0.
    pub labels: Vec<u8>,
}

/// A data file by its uncompressed bytes, so that `x` and `x.gz` make the same record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecord {
    /// The name without `.gz`.
    pub name: String,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
    /// Length of the uncompressed file, in bytes.
    pub bytes: u64,
}

/// How many of the first images to keep; `None` keeps all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Of the training images.
    pub train: Option<usize>,
    /// Of the test images.
    pub test: Option<usize>,
}

/// At least one grey picture, all of one size, each of at least one pixel.
#[derive(Clone)]
pub struct Images {
    /// Picture after picture, row after row.
    pixels: Bytes,
    height: usize,
    width: usize,
    /// n times [`total_variation`](Self::total_variation) in squares of a byte's unit, once somebody has asked.
    variation: OnceLock<u128>,
}

impl PartialEq for Images {
    fn eq(&self, other: &Self) -> bool {
        [self.height, self.width] == [other.height, other.width] && self.pixels == other.pixels
    }
}

impl Eq for Images {}

impl Images {
    /// Takes `pixels` as pictures of `height` × `width`, picture after picture and row after row.
    ///
    /// # Errors
    ///
    /// [`DataError::Pixels`] if they do not make a whole number of pictures, or if there is nothing to see.
    pub fn new(pixels: Vec<u8>, height: usize, width: usize) -> Result<Self, DataError> {
        match height.checked_mul(width) {
            Some(size) if size > 0 && !pixels.is_empty() && pixels.len().is_multiple_of(size) => {
                Ok(Self {
                    pixels: pixels.into(),
                    height,
                    width,
                    variation: OnceLock::new(),
                })
            }
            _ => Err(DataError::Pixels {
                pixels: pixels.len(),
                height,
                width,
            }),
        }
    }

    /// How many pictures there are, at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.pixels.len() / self.pixels_per_image()
    }

    /// Height of each picture, in pixels.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width of each picture, in pixels.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height × width.
    #[must_use]
    pub fn pixels_per_image(&self) -> usize {
        self.height * self.width
    }

    /// The pixels of one picture, row after row.
    ///
    /// # Panics
    ///
    /// Panics if `index` is not below [`count`](Self::count).
    #[must_use]
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.pixels_per_image();
        &self.pixels[index * size..][..size]
    }

    /// All pixels, picture after picture.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The same memory once more.
    #[must_use]
    pub fn shared_pixels(&self) -> Bytes {
        self.pixels.clone()
    }

    /// Σ‖x − x̄‖² over all images of inputs in [0, 1], exactly: pixels are bytes, so sums of their squares are whole
    /// numbers.
    #[must_use]
    pub fn total_variation(&self) -> f64 {
        let count = self.count() as u128;
        let variation = *self.variation.get_or_init(|| {
            let pixels = self.pixels_per_image();
            let mut sums = vec![0_u64; pixels];
            let mut squares = 0_u64;
            for image in self.pixels.chunks_exact(pixels) {
                for (sum, &byte) in sums.iter_mut().zip(image) {
                    *sum += u64::from(byte);
                }
                squares += image
                    .iter()
                    .map(|&byte| u64::from(byte).pow(2))
                    .sum::<u64>();
            }
            let of_sums: u128 = sums.iter().map(|&sum| u128::from(sum).pow(2)).sum();
            count * u128::from(squares) - of_sums
        });
        variation as f64 / count as f64 / (255.0 * 255.0)
    }

    /// Takes the images from the first `keep` on away.
    fn split_off(&mut self, keep: usize) -> Self {
        let pixels = self.pixels.split_off(keep * self.pixels_per_image());
        self.variation = OnceLock::new();
        Self {
            pixels,
            variation: OnceLock::new(),
            ..*self
        }
    }
}

/// The shape alone: nobody wants to read 47 million pixels.
impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Images({} of {}×{})",
            self.count(),
            self.height,
            self.width
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_its_rows_one_after_the_other() {
        let images = Images::new((0..12).collect(), 2, 3).unwrap();
        assert_eq!((images.count(), images.pixels_per_image()), (2, 6));
        assert_eq!(images.image(1), [6, 7, 8, 9, 10, 11]);
        assert_eq!(format!("{images:?}"), "Images(2 of 2×3)");
    }

    #[test]
    fn variation_is_about_the_mean_image_and_only_of_what_is_there() {
        let mut images = Images::new(vec![0, 255, 51, 0, 204, 102], 1, 2).unwrap();
        // Means 1/3 and 7/15; deviations (−5, −2, 7)/15 and (8, −7, −1)/15.
        let expected = (25.0 + 4.0 + 49.0 + 64.0 + 49.0 + 1.0) / 225.0;
        assert!((images.total_variation() - expected).abs() < 1e-12);
        let rest = images.split_off(2);
        assert_eq!(rest.total_variation().to_bits(), 0.0_f64.to_bits());
        // (0, 1) and (0.2, 0): half of the squared distances.
        assert!((images.total_variation() - 0.52).abs() < 1e-12);
    }

    #[test]
    fn held_out_images_are_the_last_ones_and_are_gone_from_training() {
        let split = || Split {
            images: Images::new((0..5).collect(), 1, 1).unwrap(),
            labels: (5..10).collect(),
        };
        let mut data = Dataset {
            name: None,
            classes: 10,
            train: split(),
            validation: None,
            test: split(),
            files: Vec::new(),
        };
        data.hold_out(0);
        assert_eq!(data.validation, None);
        data.hold_out(2);
        assert_eq!(data.train.images.pixels(), [0, 1, 2]);
        assert_eq!(data.train.labels, [5, 6, 7]);
        let validation = data.validation.unwrap();
        assert_eq!(validation.images.pixels(), [3, 4]);
        assert_eq!(validation.labels, [8, 9]);
    }

    #[test]
    fn parts_of_pictures_and_pictures_of_nothing_are_refused() {
        for (pixels, height, width) in [
            (5, 2, 2),
            (0, 2, 2),
            (4, 0, 2),
            (4, 2, 0),
            (4, usize::MAX, 2),
        ] {
            assert!(
                Images::new(vec![0; pixels], height, width).is_err(),
                "{pixels} {height} {width}"
            );
        }
        assert_eq!(
            Images::new(vec![0; 5], 2, 2).unwrap_err().to_string(),
            "5 pixels are not a whole number of 2×2 pictures\n  hint: give count × height × width pixels, each at \
             least 1"
        );
    }
}
