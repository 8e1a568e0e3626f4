//! What models are given: rows of numbers, or of bytes that stand for numbers.

use burn::backend::Dispatch;
use burn::tensor::{Bytes, DType, Device, Int, Tensor, TensorData};

use super::RowsPrimitive;

/// A data set or a batch of one, on a device: `[member, row, input]`, or `[1, row, input]` where all members see the same.
#[derive(Debug, Clone)]
pub enum Rows {
    /// As they are.
    Numbers(Tensor<3>),
    /// Each byte stands for its 255th part.
    Bytes(Tensor<3, Int>),
}

impl From<Tensor<3>> for Rows {
    fn from(numbers: Tensor<3>) -> Self {
        Self::Numbers(numbers)
    }
}

impl Rows {
    /// Rows of bytes, each of which stands for its 255th part; kept as they are where the device has bytes.
    ///
    /// # Panics
    ///
    /// Panics if there are not `count` · `inputs` bytes.
    #[must_use]
    pub fn of_bytes(bytes: Bytes, [count, inputs]: [usize; 2], device: &Device) -> Self {
        let shape = [1, count, inputs];
        if device.supports_dtype(DType::U8) {
            let data = TensorData::from_bytes(bytes, shape, DType::U8);
            return Self::Bytes(Tensor::from_data(data, (device, DType::U8)));
        }
        let numbers: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        Self::Numbers(Tensor::from_data(TensorData::new(numbers, shape), device))
    }

    /// Members (or 1), rows and inputs.
    #[must_use]
    pub fn dims(&self) -> [usize; 3] {
        match self {
            Self::Numbers(numbers) => numbers.dims(),
            Self::Bytes(bytes) => bytes.dims(),
        }
    }

    /// How many rows there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.dims()[1]
    }

    /// How many numbers a row has.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.dims()[2]
    }

    /// Where they lie.
    #[must_use]
    pub fn device(&self) -> Device {
        match self {
            Self::Numbers(numbers) => numbers.device(),
            Self::Bytes(bytes) => bytes.device(),
        }
    }

    /// All of it as numbers.
    #[must_use]
    pub fn numbers(&self) -> Tensor<3> {
        match self {
            Self::Numbers(numbers) => numbers.clone(),
            Self::Bytes(bytes) => bytes.clone().float().div_scalar(255.0),
        }
    }

    /// The rows at `indices`, in that order.
    #[must_use]
    pub fn select(&self, indices: Tensor<1, Int>) -> Self {
        match self {
            Self::Numbers(numbers) => Self::Numbers(numbers.clone().select(1, indices)),
            Self::Bytes(bytes) => Self::Bytes(bytes.clone().select(1, indices)),
        }
    }

    /// The rows from `start` on, at most `count` of them.
    #[must_use]
    pub fn part(&self, start: usize, count: usize) -> Self {
        let count = count.min(self.count() - start);
        match self {
            Self::Numbers(numbers) => Self::Numbers(numbers.clone().narrow(1, start, count)),
            Self::Bytes(bytes) => Self::Bytes(bytes.clone().narrow(1, start, count)),
        }
    }

    /// All rows in their order, in parts of at most `size`.
    pub fn parts(&self, size: usize) -> impl Iterator<Item = Self> {
        let starts = (0..self.count()).step_by(size);
        starts.map(move |start| self.part(start, size))
    }

    pub(super) fn primitive(&self) -> RowsPrimitive<Dispatch> {
        match self {
            Self::Numbers(numbers) => RowsPrimitive::Numbers(numbers.clone().into_dispatch()),
            Self::Bytes(bytes) => RowsPrimitive::Bytes(bytes.clone().into_dispatch()),
        }
    }
}
