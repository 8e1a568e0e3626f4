//! One layer of units, for every member at once: h = f(x W + b).

use burn::module::{Module, Param};
use burn::tensor::activation::{leaky_relu, relu, sigmoid, tanh};
use burn::tensor::{Device, Tensor, TensorData};

use super::{Change, Kind, Parameters, numbers};
use crate::fused::{self, Input, LayerPass, Wanted};
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
            weight: numbers(self.weight.val()),
            bias: numbers(self.bias.val()),
            slope: self.slope.as_ref().map(|slope| numbers(slope.val())),
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

    /// A batch's way through the layer, to come back from without a graph; `None` where the backend or the activation
    /// does not offer it. Shapes as in [`forward`](Self::forward), x outside of any graph.
    pub(super) fn pass(&self, x: &Input) -> Option<LayerPass> {
        let slope = self.slope_below()?;
        LayerPass::new(x, &self.weight.val(), &self.bias.val(), slope)
    }

    /// The layer after a step of plain gradient descent on the batch of `pass`, from ∂E/∂h, and ∂E/∂x if it is wanted.
    pub(super) fn descend(
        self,
        pass: LayerPass,
        of_h: Tensor<3>,
        learning_rate: f32,
        of_x: Wanted,
    ) -> (Self, Option<Tensor<3>>) {
        // The layer gives its numbers up first, so that they can be changed where they lie.
        let (weight_id, _, weight_mapper) = self.weight.consume();
        let (bias_id, _, bias_mapper) = self.bias.consume();
        let ([weight, bias], of_x) = pass.descend(of_h, learning_rate, of_x);
        let layer = Self {
            weight: Param::from_mapped_value(weight_id, weight, weight_mapper),
            bias: Param::from_mapped_value(bias_id, bias, bias_mapper),
            ..self
        };
        (layer, of_x)
    }

    /// a of f(z) = z above 0 and a·z below, where f is of that form and h tells the sign of z.
    fn slope_below(&self) -> Option<f32> {
        match self.activation {
            Activation::Relu => Some(0.0),
            Activation::LeakyRelu { slope } if slope >= 0.0 => Some(slope as f32),
            Activation::Identity => Some(1.0),
            _ => None,
        }
    }

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
    pub fn forward(&self, x: impl Into<Input>) -> Tensor<3> {
        let x = x.into();
        if let Some(slope) = self.slope_below()
            && let Some(h) = fused::layer(&x, &self.weight.val(), &self.bias.val(), slope)
        {
            return h;
        }
        let z = self.pre_activation(x);
        match (self.activation, &self.slope) {
            (Activation::Prelu { .. }, Some(slope)) => {
                // max(0, z) + a·min(0, z), with min(0, z) = −max(0, −z).
                relu(z.clone()) - relu(-z) * slope.val()
            }
            (Activation::Relu | Activation::Prelu { .. }, _) => relu(z),
            (Activation::LeakyRelu { slope }, _) => leaky_relu(z, slope),
            (Activation::Sigmoid, _) => sigmoid(z),
            (Activation::Tanh, _) => tanh(z),
            (Activation::Identity, _) => z,
        }
    }

    /// z = x W + b; shapes as in [`forward`](Self::forward).
    #[must_use]
    pub fn pre_activation(&self, x: impl Into<Input>) -> Tensor<3> {
        let x = x.into();
        let (weight, bias) = (self.weight.val(), self.bias.val());
        fused::layer(&x, &weight, &bias, 1.0).unwrap_or_else(|| x.tensor().matmul(weight) + bias)
    }

    /// Every parameter by its name, each with its leading member dimension.
    #[must_use]
    pub fn parameters(&self) -> Vec<(&'static str, Tensor<3>)> {
        let mut parameters = vec![("weight", self.weight.val()), ("bias", self.bias.val())];
        if let Some(slope) = &self.slope {
            parameters.push(("slope", slope.val()));
        }
        parameters
    }

    /// How many numbers one member of such a layer learns.
    #[must_use]
    pub fn parameter_count([inputs, units]: [usize; 2], activation: Activation) -> usize {
        let slope = usize::from(matches!(activation, Activation::Prelu { .. }));
        inputs * units + units + slope
    }
}

impl Parameters for Layer {
    fn map_parameters(self, change: &mut Change<'_>) -> Self {
        Self {
            weight: change(Kind::Weight, self.weight),
            bias: change(Kind::Bias, self.bias),
            slope: self.slope.map(|slope| change(Kind::Slope, slope)),
            activation: self.activation,
        }
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
