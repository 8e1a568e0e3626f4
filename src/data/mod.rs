//! Inputs and their labels: from files to rows of bytes or of numbers.
//!
//! This room owns the file formats ([`idx`], [`tensors`], [`pictures`]; each makes an `array`), the finding, checking, hashing
//! and naming of a data set ([`locate`], [`load`]), and what the rest of the program sees of it ([`Images`]). It may not know of models, experiments or configs. Pixels
//! stay the bytes that they were in the file, and each stands for its 255th part.

pub mod array;
mod dataset;
mod error;
mod four_files;
pub mod idx;
mod images;
mod patches;
pub mod pictures;
mod stored;
pub mod tensors;
mod transform;
mod whitening;

pub use dataset::{Input, load, load_as, locate, read_input, read_input_bytes};
pub use error::DataError;
pub use four_files::FILE_NAMES;
pub use images::{Frame, Images, RowSource, Values};
pub use transform::{Transforms, left_over_by_components};

use serde::{Deserialize, Serialize};

use crate::spec::Transform;

/// A picture set with its labels, in two parts: one to learn from and one to test on.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Set only when all four files are, byte for byte, those of a set that this program knows.
    pub name: Option<&'static str>,
    /// Highest label + 1 over both parts, whatever the limits left of them; 0 without labels. Where classes were chosen,
    /// how many, and labels count them in the order of the choice.
    pub classes: usize,
    /// What they are called, where they are folders of pictures or were chosen; empty elsewhere.
    pub class_names: Vec<String>,
    /// The part to learn from.
    pub train: Split,
    /// What pretraining learns from instead of [`train`](Self::train), where other classes were chosen for it; labels count
    /// these classes. No image of it is one of those that are held out.
    pub pretraining: Option<Split>,
    /// Held out of the training images for choices that data make; absent unless [`hold_out`](Self::hold_out) was
    /// asked for it.
    pub validation: Option<Split>,
    /// The part to test on.
    pub test: Split,
    /// What was read; of IDX files in the order of [`FILE_NAMES`]. A folder of pictures is one record, of the hashes of all.
    pub files: Vec<FileRecord>,
    /// What was done to the rows since they were read.
    pub transforms: Transforms,
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
                labels: (self.train.labels.as_mut()).map(|labels| labels.split_off(keep)),
            });
        }
    }
}

impl Dataset {
    /// What pretraining learns from.
    #[must_use]
    pub fn to_pretrain(&self) -> &Split {
        self.pretraining.as_ref().unwrap_or(&self.train)
    }

    /// Why rows could not be read that were there at first, if there were any.
    #[must_use]
    pub fn lost(&self) -> Option<&str> {
        let parts = [
            Some(&self.train),
            self.pretraining.as_ref(),
            self.validation.as_ref(),
            Some(&self.test),
        ];
        let mut lost = parts
            .into_iter()
            .flatten()
            .filter_map(|part| part.images.lost());
        lost.next()
    }

    /// Measures `wanted` on the rows to learn from, and does it to all parts.
    ///
    /// # Errors
    ///
    /// [`DataError::Transform`] if it asks for what the rows do not have.
    pub fn transform(&mut self, wanted: &[Transform]) -> Result<(), DataError> {
        self.transforms = Transforms::fit(wanted, &self.train.images)?;
        let parts = [
            Some(&mut self.train),
            self.pretraining.as_mut(),
            self.validation.as_mut(),
            Some(&mut self.test),
        ];
        for part in parts.into_iter().flatten() {
            part.images = self.transforms.images(&part.images)?;
        }
        Ok(())
    }
}

/// Rows of inputs and as many labels, in the same order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The inputs.
    pub images: Images,
    /// The class of each, counted from 0, where they have classes.
    pub labels: Option<Vec<u8>>,
}

/// A data file by its uncompressed bytes, so that `x` and `x.gz` make the same record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn held_out_images_are_the_last_ones_and_are_gone_from_training() {
        let split = || Split {
            images: Images::of_bytes((0..5).collect::<Vec<u8>>(), Frame::grey(1, 1)).unwrap(),
            labels: Some((5..10).collect()),
        };
        let mut data = Dataset {
            name: None,
            classes: 10,
            class_names: Vec::new(),
            train: split(),
            pretraining: None,
            validation: None,
            test: split(),
            files: Vec::new(),
            transforms: Transforms::default(),
        };
        data.hold_out(0);
        assert_eq!(data.validation, None);
        data.hold_out(2);
        assert_eq!(data.train.images.bytes(), Some(&[0, 1, 2][..]));
        assert_eq!(data.train.labels, Some(vec![5, 6, 7]));
        let validation = data.validation.unwrap();
        assert_eq!(validation.images.bytes(), Some(&[3, 4][..]));
        assert_eq!(validation.labels, Some(vec![8, 9]));
    }
}
