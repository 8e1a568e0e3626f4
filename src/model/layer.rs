//! One layer of units, for every member at once: h = f(x W + b).

use burn::module::{Module, Param};
use burn::tensor::activation::{leaky_relu, relu, softsign, tanh};
use burn::tensor::{Device, Tensor, TensorData};

use super::numbers;
use crate::ops::{self, Rows};
use crate::seed::{Purpose, draw, stream};
use crate::spec::{Activation, Initialization};

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

/// A layer's numbers on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerValues {
    /// Members, inputs and units.
    pub shape: [usize; 3],
    /// Row-major `[member, input, unit]`.
    pub weight: Vec<f32>,
    /// Row-major `[member, unit]`.
    pub bias: Vec<f32>,
    /// One for each member, where the activation has one.
    pub slope: Option<Vec<f32>>,
}

impl LayerValues {
    /// Weights, bias and slope of one member.
    ///
    /// # Panics
    ///
    /// Panics if there is no such member.
    #[must_use]
    pub fn of_member(&self, member: usize) -> Self {
        let [_, inputs, units] = self.shape;
        Self {
            shape: [1, inputs, units],
            weight: self.weight[member * inputs * units..][..inputs * units].to_vec(),
            bias: self.bias[member * units..][..units].to_vec(),
            slope: self.slope.as_ref().map(|slope| vec![slope[member]]),
        }
    }

    /// Each array by its name, with its shape.
    #[must_use]
    pub fn into_parameters(self) -> Vec<(&'static str, [usize; 3], Vec<f32>)> {
        let [members, inputs, units] = self.shape;
        let mut parameters = vec![
            ("weight", [members, inputs, units], self.weight),
            ("bias", [members, 1, units], self.bias),
        ];
        if let Some(slope) = self.slope {
            parameters.push(("slope", [members, 1, 1], slope));
        }
        parameters
    }
}

impl Layer {
    /// A copy of the layer's numbers as they are on the device at this moment.
    #[must_use]
    pub fn values(&self) -> LayerValues {
        LayerValues {
            shape: self.weight.dims(),
            weight: numbers(self.weight.val().inner()),
            bias: numbers(self.bias.val().inner()),
            slope: self
                .slope
                .as_ref()
                .map(|slope| numbers(slope.val().inner())),
        }
    }

    /// The same layer with other numbers: a copy of `values`.
    ///
    /// # Panics
    ///
    /// Panics if `values` have another shape than the layer, or lack its slope.
    #[must_use]
    pub fn with_values(&self, values: LayerValues, device: &Device) -> Self {
        assert_eq!(self.weight.dims(), values.shape, "layers of equal size");
        assert_eq!(self.slope.is_some(), values.slope.is_some());
        let members = values.shape[0];
        let layer = Self::from_values(
            values.shape,
            values.weight,
            values.bias,
            self.activation,
            device,
        );
        Self {
            slope: values
                .slope
                .map(|slope| parameter(slope, [members, 1, 1], device)),
            ..layer
        }
    }

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

    /// The hidden layer `layer`, counted from 0, of each of `seeds`, as it is before any training.
    #[must_use]
    pub fn drawn(
        [inputs, units]: [usize; 2],
        weight: Initialization,
        bias: Initialization,
        activation: Activation,
        layer: u64,
        seeds: &[u64],
        device: &Device,
    ) -> Self {
        let draw = |initialization, purpose, shape| {
            drawn(initialization, purpose, layer, shape, inputs, seeds)
        };
        Self::from_values(
            [seeds.len(), inputs, units],
            draw(weight, Purpose::EncoderWeight, [inputs, units]),
            draw(bias, Purpose::EncoderBias, [1, units]),
            activation,
            device,
        )
    }

    /// What is applied to the units' sums.
    #[must_use]
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// f(x W + b).
    ///
    /// # Shapes
    ///
    /// - x: `[member, batch, input]`, or `[1, batch, input]` where all members see the same batch
    /// - output: `[member, batch, unit]`
    #[must_use]
    pub fn forward(&self, x: &Rows) -> Tensor<3> {
        self.forward_with(x, self.bias.val())
    }

    /// The same with other biases, `[member, 1, unit]`.
    pub(super) fn forward_with(&self, x: &Rows, bias: Tensor<3>) -> Tensor<3> {
        let weight = self.weight.val();
        match self.activation {
            Activation::Relu => return ops::ramp(x, weight, bias),
            Activation::Sigmoid => return ops::logistic(x, weight, bias),
            _ => {}
        }
        let z = ops::affine(x, weight, bias);
        match (self.activation, &self.slope) {
            // max(0, z) + a·min(0, z), with min(0, z) = −max(0, −z).
            (Activation::Prelu { .. }, Some(slope)) => relu(z.clone()) - relu(-z) * slope.val(),
            (
                Activation::LeakyRelu { slope }
                | Activation::Prelu {
                    initial_slope: slope,
                },
                _,
            ) => leaky_relu(z, slope),
            (Activation::Tanh, _) => tanh(z),
            (Activation::Softsign, _) => softsign(z),
            (Activation::Relu | Activation::Sigmoid | Activation::Identity, _) => z,
        }
    }

    /// z = x W + b; shapes as of [`forward`](Self::forward).
    #[must_use]
    pub fn pre_activation(&self, x: &Rows) -> Tensor<3> {
        ops::affine(x, self.weight.val(), self.bias.val())
    }

    /// How many numbers one member of such a layer learns.
    #[must_use]
    pub fn parameter_count([inputs, units]: [usize; 2], activation: Activation) -> usize {
        let slope = usize::from(matches!(activation, Activation::Prelu { .. }));
        inputs * units + units + slope
    }
}

/// The initial values of one matrix for each seed, one behind the other.
pub(super) fn drawn(
    initialization: Initialization,
    purpose: Purpose,
    layer: u64,
    shape: [usize; 2],
    fan_in: usize,
    seeds: &[u64],
) -> Vec<f32> {
    seeds
        .iter()
        .flat_map(|&seed| {
            draw(
                initialization,
                fan_in,
                shape,
                stream(seed, purpose, &[layer]),
            )
        })
        .collect()
}

/// A trainable parameter with these values.
pub(super) fn parameter(values: Vec<f32>, shape: [usize; 3], device: &Device) -> Param<Tensor<3>> {
    Param::from_data(TensorData::new(values, shape), device)
}
