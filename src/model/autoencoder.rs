//! The autoencoder of Okatani, *Deep Learning*, chapter 5: code h = f(x W + b), reconstruction x̂ = g(h W̃ + c).

use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};

use super::layer::{Layer, parameter};
use crate::seed::{Purpose, draw, stream};
use crate::spec::{self, AutoencoderSpec, DecoderActivation};

/// As many autoencoders as there are members, side by side.
#[derive(Module, Debug)]
pub struct Autoencoder {
    pub encoder: Layer,
    pub decoder: Decoder,
}

/// The way back from code to input.
#[derive(Module, Debug)]
pub struct Decoder {
    /// W̃, `[member, unit, input]`; absent when tied, where W̃ = Wᵀ.
    pub weight: Option<Param<Tensor<3>>>,
    /// c, `[member, 1, input]`.
    pub bias: Param<Tensor<3>>,
    #[module(skip)]
    activation: DecoderActivation,
}

impl Autoencoder {
    /// One member for each of `seeds`, on `inputs` inputs. Members of one seed start from the same weights.
    #[must_use]
    pub fn new(spec: &AutoencoderSpec, inputs: usize, seeds: &[u64], device: &Device) -> Self {
        let (members, units) = (seeds.len(), spec.hidden_units);
        let drawn = |initialization, purpose, fan_in, count| {
            seeds
                .iter()
                .flat_map(|&seed| draw(initialization, fan_in, count, stream(seed, purpose, &[0])))
                .collect::<Vec<f32>>()
        };
        let encoder = Layer::from_values(
            [members, inputs, units],
            drawn(
                spec.encoder_weight,
                Purpose::EncoderWeight,
                inputs,
                inputs * units,
            ),
            drawn(spec.encoder_bias, Purpose::EncoderBias, inputs, units),
            spec.activation,
            device,
        );
        let weight = match spec.decoder {
            spec::Decoder::Tied => None,
            spec::Decoder::Untied { weight } => Some(parameter(
                drawn(weight, Purpose::DecoderWeight, units, units * inputs),
                [members, units, inputs],
                device,
            )),
        };
        let bias = drawn(spec.decoder_bias, Purpose::DecoderBias, units, inputs);
        Self {
            encoder,
            decoder: Decoder {
                weight,
                bias: parameter(bias, [members, 1, inputs], device),
                activation: spec.decoder_activation,
            },
        }
    }

    /// The code h of x.
    ///
    /// # Shapes
    ///
    /// - x: `[member, batch, input]`, or `[1, batch, input]` where all members see the same batch
    /// - output: `[member, batch, unit]`
    #[must_use]
    pub fn encode(&self, x: Tensor<3>) -> Tensor<3> {
        self.encoder.forward(x)
    }

    /// The decoder's pre-activation h W̃ + c: what cross-entropy is taken from.
    ///
    /// # Shapes
    ///
    /// - h: `[member, batch, unit]`
    /// - output: `[member, batch, input]`
    #[must_use]
    pub fn decode_logits(&self, h: Tensor<3>) -> Tensor<3> {
        let weight = match &self.decoder.weight {
            Some(weight) => weight.val(),
            None => self.encoder.weight.val().swap_dims(1, 2),
        };
        h.matmul(weight) + self.decoder.bias.val()
    }

    /// The reconstruction x̂ = g(logits); shapes as in [`decode_logits`](Self::decode_logits).
    #[must_use]
    pub fn reconstruct(&self, logits: Tensor<3>) -> Tensor<3> {
        match self.decoder.activation {
            DecoderActivation::Identity => logits,
            DecoderActivation::Sigmoid => sigmoid(logits),
        }
    }

    /// The reconstruction of a code; shapes as in [`decode_logits`](Self::decode_logits).
    #[must_use]
    pub fn decode(&self, h: Tensor<3>) -> Tensor<3> {
        self.reconstruct(self.decode_logits(h))
    }

    /// Every parameter by the name it is saved under, each with its leading member dimension.
    #[must_use]
    pub fn parameters(&self) -> Vec<(&'static str, Tensor<3>)> {
        let mut parameters = vec![
            ("encoder.weight", self.encoder.weight.val()),
            ("encoder.bias", self.encoder.bias.val()),
            ("decoder.bias", self.decoder.bias.val()),
        ];
        if let Some(slope) = &self.encoder.slope {
            parameters.push(("encoder.slope", slope.val()));
        }
        if let Some(weight) = &self.decoder.weight {
            parameters.push(("decoder.weight", weight.val()));
        }
        parameters
    }

    /// How many numbers one member of such an autoencoder learns.
    #[must_use]
    pub fn parameter_count(spec: &AutoencoderSpec, inputs: usize) -> usize {
        let units = spec.hidden_units;
        let decoder_weight = match spec.decoder {
            spec::Decoder::Tied => 0,
            spec::Decoder::Untied { .. } => units * inputs,
        };
        let slope = usize::from(matches!(spec.activation, spec::Activation::Prelu { .. }));
        inputs * units + units + decoder_weight + inputs + slope
    }
}
