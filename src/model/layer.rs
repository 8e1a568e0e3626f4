//! One layer of units, for every member at once: h = f(x W + b).

use burn::module::{Module, Param};
use burn::tensor::activation::{leaky_relu, relu, sigmoid, tanh};
use burn::tensor::{Device, Tensor, TensorData};

use crate::spec::Activation;

/// A fully connected layer of `unit` units on `input` inputs.
#[derive(Module, Debug)]
pub struct Layer {
    /// W, `[member, input, unit]`: unit j's picture is column j.
    pub weight: Param<Tensor<3>>,
    /// b, `[member, 1, unit]`.
    pub bias: Param<Tensor<3>>,
    /// The learnt slope of `PReLU`, `[member, 1, 1]`; absent for other activations.
    pub slope: Option<Param<Tensor<3>>>,
    #[module(skip)]
    activation: Activation,
}

impl Layer {
    /// A layer from values drawn on the host.
    ///
    /// # Shapes
    ///
    /// `weight` holds `members × inputs × units` values and `bias` `members × units`, row by row.
    #[must_use]
    pub fn from_values(
        [members, inputs, units]: [usize; 3],
        weight: Vec<f32>,
        bias: Vec<f32>,
        activation: Activation,
        device: &Device,
    ) -> Self {
        let slope = match activation {
            Activation::Prelu { initial_slope } => Some(parameter(
                vec![initial_slope as f32; members],
                [members, 1, 1],
                device,
            )),
            _ => None,
        };
        Self {
            weight: parameter(weight, [members, inputs, units], device),
            bias: parameter(bias, [members, 1, units], device),
            slope,
            activation,
        }
    }

    /// f(x W + b).
    ///
    /// # Shapes
    ///
    /// - x: `[member, batch, input]`, or `[1, batch, input]` where all members see the same batch
    /// - output: `[member, batch, unit]`
    #[must_use]
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let z = x.matmul(self.weight.val()) + self.bias.val();
        match (self.activation, &self.slope) {
            (Activation::Prelu { .. }, Some(slope)) => {
                // max(0, z) + a·min(0, z), with min(0, z) = −max(0, −z).
                relu(z.clone()) - relu(-z) * slope.val()
            }
            (Activation::Relu | Activation::Prelu { .. }, _) => relu(z),
            (Activation::LeakyRelu { slope }, _) => leaky_relu(z, slope),
            (Activation::Sigmoid, _) => sigmoid(z),
            (Activation::Tanh, _) => tanh(z),
        }
    }
}

/// A trainable parameter with these values.
pub(super) fn parameter(values: Vec<f32>, shape: [usize; 3], device: &Device) -> Param<Tensor<3>> {
    Param::from_data(TensorData::new(values, shape), device)
}
