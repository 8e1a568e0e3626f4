//! What a model is given: a batch as a tensor or, where that is enough, as the pictures it consists of.

#[cfg(feature = "flex")]
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

#[cfg(feature = "flex")]
use super::{Side, flex, pictures::Pictures};
use crate::wide::{Pass, wide};

/// A batch, `[member, batch, input]`, or `[1, batch, input]` where all members see the same.
#[derive(Debug, Clone)]
pub struct Input(pub(super) Form);

#[derive(Debug, Clone)]
pub(super) enum Form {
    Tensor(Tensor<3>),
    /// Where products are ours, bytes stay bytes, and become a tensor only where somebody asks for one.
    #[cfg(feature = "flex")]
    Pictures(Arc<Pictures>, Device),
}

impl From<Tensor<3>> for Input {
    fn from(tensor: Tensor<3>) -> Self {
        Self(Form::Tensor(tensor))
    }
}

impl Input {
    /// Pictures that all members see, each of `width` bytes, in which a byte over 255 is an input, in [0, 1].
    ///
    /// # Panics
    ///
    /// Panics if a picture has another width.
    #[must_use]
    pub fn of_bytes<'a>(
        pictures: impl ExactSizeIterator<Item = &'a [u8]>,
        width: usize,
        device: &Device,
    ) -> Self {
        #[cfg(feature = "flex")]
        if flex::side_of(device) == Side::Plain {
            let pictures = Pictures::new(pictures, width);
            return Self(Form::Pictures(Arc::new(pictures), device.clone()));
        }
        let shape = [1, pictures.len(), width];
        let mut values = Vec::with_capacity(pictures.len() * width);
        for bytes in pictures {
            assert_eq!(bytes.len(), width, "pictures of one size");
            wide(ExtendByGrey {
                values: &mut values,
                bytes,
            });
        }
        Tensor::from_data(TensorData::new(values, shape), device).into()
    }

    /// Members (or 1), images and inputs.
    #[must_use]
    pub fn dims(&self) -> [usize; 3] {
        match &self.0 {
            Form::Tensor(tensor) => tensor.dims(),
            #[cfg(feature = "flex")]
            Form::Pictures(pictures, _) => [1, pictures.count(), pictures.width()],
        }
    }

    /// All of it, zeros included.
    #[must_use]
    pub fn tensor(&self) -> Tensor<3> {
        match &self.0 {
            Form::Tensor(tensor) => tensor.clone(),
            #[cfg(feature = "flex")]
            Form::Pictures(pictures, device) => {
                let data = TensorData::new(pictures.greys(), self.dims());
                Tensor::from_data(data, device)
            }
        }
    }
}

/// A byte as an input.
pub(super) const fn grey(byte: u8) -> f32 {
    byte as f32 / 255.0
}

/// Each byte over 255 behind `values`.
pub(super) struct ExtendByGrey<'a> {
    pub values: &'a mut Vec<f32>,
    pub bytes: &'a [u8],
}

impl Pass for ExtendByGrey<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.values
            .extend(self.bytes.iter().map(|&byte| grey(byte)));
    }
}
