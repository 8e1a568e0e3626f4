//! Models as burn modules and the costs they are trained by: tensors in, tensors out.
//!
//! Every model carries a leading *member* dimension: weights `[member, in, out]`, biases `[member, 1, out]`,
//! activations `[member, batch, unit]`. Members are separate models that share a batch; no operation here
//! mixes them. Nothing in this room knows of configs, files, optimisers or the command line.

mod autoencoder;
mod classifier;
mod layer;
pub mod loss;
mod objective;

pub use autoencoder::{Autoencoder, Decoder, Evaluator};
pub use classifier::Classifier;
pub use layer::{Layer, LayerValues};
pub use objective::{BatchCost, Objective};

pub use crate::fused::Input;

use burn::module::Param;
use burn::tensor::{Int, Tensor};

/// A tensor's entries in row-major order.
///
/// # Panics
///
/// Panics if the device fails to give them back.
#[must_use]
pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .try_into_vec_as::<f32>()
        .expect("a float tensor converted to f32 is f32")
}

/// An integer tensor's entries in row-major order, whatever width the backend gives them.
///
/// # Panics
///
/// Panics if the device fails to give them back.
#[must_use]
pub fn whole_numbers<const D: usize>(tensor: Tensor<D, Int>) -> Vec<i64> {
    tensor
        .into_data()
        .try_into_vec_as::<i64>()
        .expect("an integer tensor converted to i64 is i64")
}

/// What a parameter is to the unit that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Weight,
    Bias,
    Slope,
}

/// A change of one parameter.
pub type Change<'a> = dyn FnMut(Kind, Param<Tensor<3>>) -> Param<Tensor<3>> + 'a;

/// A model whose parameters can be changed one after the other, always in the same order.
pub trait Parameters: burn::module::Module {
    #[must_use]
    fn map_parameters(self, change: &mut Change<'_>) -> Self;
}
