//! Inputs and reconstructions as pictures.

use std::io;

use super::inputs::Given;
use super::{Output, Trained};
use crate::data::Frame;
use crate::report::Photo;
use crate::run::Failure;

/// Inputs of a shape that can be shown.
pub struct Shown<'a> {
    given: &'a Given,
    height: usize,
    width: usize,
}

impl<'a> Shown<'a> {
    /// # Errors
    ///
    /// Returns [`Failure::Request`] if the inputs are no pictures.
    pub fn new(given: &'a Given) -> Result<Self, Failure> {
        match given.raw.frame() {
            Frame::Picture {
                height,
                width,
                channels: 1 | 3,
            } => Ok(Self {
                given,
                height,
                width,
            }),
            other => Err(Failure::Request(format!(
                "an input is {other}, which make no picture\n  hint: write a .csv file"
            ))),
        }
    }

    /// An input as a picture.
    ///
    /// # Panics
    ///
    /// Panics if there is no such input.
    #[must_use]
    pub fn photo(&self, index: usize) -> Photo {
        let row = self.given.raw.row(index);
        self.drawn(&row, self.range(&row))
    }

    /// Each of the first `count` inputs beside its reconstruction, in the same shades.
    ///
    /// # Panics
    ///
    /// Panics if the model is no autoencoder.
    ///
    /// # Errors
    ///
    /// If inputs cannot be read any more.
    pub fn pairs(&self, trained: &Trained, count: usize) -> io::Result<Vec<Vec<Photo>>> {
        let mut pairs = Vec::new();
        let first = self.given.images.part(0, count);
        trained.each(&first, Output::Reconstructions, |batch| {
            for row in batch.chunks_exact(trained.inputs()) {
                let input = self.given.raw.row(pairs.len());
                let range = self.range(&input);
                let row = trained.transforms.back(&input, row);
                pairs.push(vec![self.drawn(&input, range), self.drawn(&row, range)]);
            }
            Ok(())
        })?;
        Ok(pairs)
    }

    /// What is black and what is white: 0 and 1 of bytes, the smallest and the largest of other numbers.
    fn range(&self, row: &[f32]) -> [f32; 2] {
        if self.given.raw.bytes().is_some() {
            return [0.0, 1.0];
        }
        let least = row.iter().copied().fold(f32::INFINITY, f32::min);
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        [least, most]
    }

    fn drawn(&self, row: &[f32], [black, white]: [f32; 2]) -> Photo {
        // Where all is one shade, it is black.
        let span = (white - black).max(f32::MIN_POSITIVE);
        let shade = |value: &f32| (((value - black) / span).clamp(0.0, 1.0) * 255.0).round() as u8;
        Photo {
            height: self.height,
            width: self.width,
            pixels: row.iter().map(shade).collect(),
            caption: String::new(),
        }
    }
}
