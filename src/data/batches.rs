//! From bytes and numbers to what models are given: batches made when they are needed.

use std::hint::black_box;

use burn::tensor::{Device, Tensor, TensorData};

use super::Images;
use crate::fused::Input;

/// Bytes that a processor fetches together.
const CACHE_LINE: usize = 64;

/// Rows of numbers to learn from, in whatever form they are kept.
pub trait Source: Sync {
    /// How many rows there are.
    fn count(&self) -> usize;

    /// How many numbers a row has.
    fn inputs(&self) -> usize;

    /// The rows at `indices`.
    ///
    /// # Shapes
    ///
    /// - output: `[member, batch, input]`, or `[1, batch, input]` where all members see the same rows
    ///
    /// # Panics
    ///
    /// Panics if an index is not below `count()`.
    fn batch(&self, indices: &[u32], device: &Device) -> Input;
}

/// Pictures: every member sees the same, each pixel its byte over 255, in [0, 1].
impl Source for Images {
    fn count(&self) -> usize {
        self.count()
    }

    fn inputs(&self) -> usize {
        self.pixels_per_image()
    }

    fn batch(&self, indices: &[u32], device: &Device) -> Input {
        let pictures = indices.iter().map(|&index| self.image(index as usize));
        // Pictures lie all over memory. Asked for all at once they arrive together, not one after the other.
        let first_bytes = pictures
            .clone()
            .flat_map(|bytes| bytes.iter().step_by(CACHE_LINE));
        black_box(first_bytes.fold(0, |all, byte| all ^ byte));
        Input::of_bytes(pictures, self.pixels_per_image(), device)
    }
}

/// What hidden layers make of all pictures: each member sees its own.
#[derive(Debug, Clone, Default)]
pub struct Codes {
    /// One matrix for each member, image by image, row-major `[image, unit]`.
    members: Vec<Vec<f32>>,
    units: usize,
}

impl Codes {
    /// Room for the codes of `members` members on `images` images, to be filled batch by batch.
    #[must_use]
    pub fn with_capacity(members: usize, images: usize, units: usize) -> Self {
        Self {
            members: vec![Vec::with_capacity(images * units); members],
            units,
        }
    }

    /// Adds a batch, row-major `[member, batch, unit]`.
    pub fn extend(&mut self, batch: &[f32]) {
        let size = batch.len() / self.members.len();
        for (codes, batch) in self.members.iter_mut().zip(batch.chunks_exact(size)) {
            codes.extend_from_slice(batch);
        }
    }
}

impl Source for Codes {
    fn count(&self) -> usize {
        self.members
            .first()
            .map_or(0, |codes| codes.len() / self.units)
    }

    fn inputs(&self) -> usize {
        self.units
    }

    fn batch(&self, indices: &[u32], device: &Device) -> Input {
        let mut values = Vec::with_capacity(self.members.len() * indices.len() * self.units);
        for codes in &self.members {
            for &index in indices {
                values.extend_from_slice(&codes[index as usize * self.units..][..self.units]);
            }
        }
        let shape = [self.members.len(), indices.len(), self.units];
        Tensor::from_data(TensorData::new(values, shape), device).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_come_back_by_member_and_image() {
        let mut codes = Codes::with_capacity(2, 3, 2);
        // Two images, then one: member 0 counts up, member 1 down.
        codes.extend(&[0., 1., 2., 3., -0., -1., -2., -3.]);
        codes.extend(&[4., 5., -4., -5.]);
        assert_eq!((codes.count(), codes.inputs()), (3, 2));
        let batch = codes.batch(&[2, 0], &Device::flex());
        assert_eq!(batch.dims(), [2, 2, 2]);
        let values = batch
            .tensor()
            .into_data()
            .try_into_vec_as::<f32>()
            .expect("floats");
        assert_eq!(values, [4., 5., 0., 1., -4., -5., -0., -1.]);
    }
}
