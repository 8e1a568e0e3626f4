//! What models are given: rows of numbers, or of bytes that stand for numbers.

use std::fmt;
use std::sync::Arc;

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
    /// Not on the device yet: a part is read when it is asked for.
    Stored(Stored),
}

/// Writes the rows at some indices into a slice, one behind the other.
pub type ReadRows = dyn Fn(&[usize], &mut [f32]) + Send + Sync;

/// Rows that are read when they are asked for.
#[derive(Clone)]
pub struct Stored {
    /// Rows and inputs.
    pub shape: [usize; 2],
    /// Reads some of them.
    pub read: Arc<ReadRows>,
    /// Where they go.
    pub device: Device,
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stored({:?})", self.shape)
    }
}

impl Stored {
    /// `[1, row, input]`.
    fn rows(&self, indices: &[usize]) -> Tensor<3> {
        let [_, inputs] = self.shape;
        let mut numbers = vec![0.0; indices.len() * inputs];
        (self.read)(indices, &mut numbers);
        Tensor::from_data(
            TensorData::new(numbers, [1, indices.len(), inputs]),
            &self.device,
        )
    }
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

    /// Rows of numbers, f32 in the machine's own order of bytes.
    ///
    /// # Panics
    ///
    /// Panics if there are not `count` · `inputs` numbers.
    #[must_use]
    pub fn of_numbers(bytes: Bytes, [count, inputs]: [usize; 2], device: &Device) -> Self {
        let data = TensorData::from_bytes(bytes, [1, count, inputs], DType::F32);
        Self::Numbers(Tensor::from_data(data, device))
    }

    /// Members (or 1), rows and inputs.
    #[must_use]
    pub fn dims(&self) -> [usize; 3] {
        match self {
            Self::Numbers(numbers) => numbers.dims(),
            Self::Bytes(bytes) => bytes.dims(),
            Self::Stored(Stored {
                shape: [count, inputs],
                ..
            }) => [1, *count, *inputs],
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
            Self::Stored(stored) => stored.device.clone(),
        }
    }

    /// All of it as numbers.
    #[must_use]
    pub fn numbers(&self) -> Tensor<3> {
        match self {
            Self::Numbers(numbers) => numbers.clone(),
            Self::Bytes(bytes) => bytes.clone().float().div_scalar(255.0),
            Self::Stored(stored) => {
                let all: Vec<usize> = (0..self.count()).collect();
                stored.rows(&all)
            }
        }
    }

    /// The rows at `indices`, in that order.
    #[must_use]
    pub fn select(&self, indices: &[u32]) -> Self {
        let picked = || on_device(indices, &self.device());
        match self {
            Self::Numbers(numbers) => Self::Numbers(numbers.clone().select(1, picked())),
            Self::Bytes(bytes) => Self::Bytes(bytes.clone().select(1, picked())),
            Self::Stored(stored) => {
                let indices: Vec<usize> = indices.iter().map(|&index| index as usize).collect();
                Self::Numbers(stored.rows(&indices))
            }
        }
    }

    /// The rows from `start` on, at most `count` of them.
    #[must_use]
    pub fn part(&self, start: usize, count: usize) -> Self {
        let count = count.min(self.count() - start);
        match self {
            Self::Numbers(numbers) => Self::Numbers(numbers.clone().narrow(1, start, count)),
            Self::Bytes(bytes) => Self::Bytes(bytes.clone().narrow(1, start, count)),
            Self::Stored(stored) => {
                let indices: Vec<usize> = (start..start + count).collect();
                Self::Numbers(stored.rows(&indices))
            }
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
            Self::Stored(_) => RowsPrimitive::Numbers(self.numbers().into_dispatch()),
        }
    }
}

/// Indices where they are needed.
pub(crate) fn on_device(indices: &[u32], device: &Device) -> Tensor<1, Int> {
    let indices: Vec<i32> = indices.iter().map(|index| index.cast_signed()).collect();
    let count = indices.len();
    Tensor::from_data(TensorData::new(indices, [count]), device)
}
