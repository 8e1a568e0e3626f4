//! The autoencoder of Okatani, *Deep Learning*, chapter 5: code h = f(x W + b), reconstruction x̂ = g(h W̃ + c).

use burn::module::{Module, Param};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};

use super::layer::{Layer, drawn, parameter};
use super::loss::reconstruction;
use super::{Change, Kind, Parameters};
use crate::fused;
use crate::seed::Purpose;
use crate::spec::{self, Activation, AutoencoderSpec, DecoderActivation, Reconstruction};

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

impl Parameters for Autoencoder {
    fn map_parameters(self, change: &mut Change<'_>) -> Self {
        let Decoder {
            weight,
            bias,
            activation,
        } = self.decoder;
        Self {
            encoder: self.encoder.map_parameters(change),
            decoder: Decoder {
                weight: weight.map(|weight| change(Kind::Weight, weight)),
                bias: change(Kind::Bias, bias),
                activation,
            },
        }
    }
}

impl Autoencoder {
    /// One member for each of `seeds`, on `inputs` inputs. Members of one seed start from the same weights.
    ///
    /// `layer` is the hidden layer of a classifier that this is the pretraining of, counted from 0: the encoder
    /// starts from what that layer would start from.
    #[must_use]
    pub fn new(
        spec: &AutoencoderSpec,
        inputs: usize,
        layer: u64,
        seeds: &[u64],
        device: &Device,
    ) -> Self {
        let (members, units) = (seeds.len(), spec.hidden_units);
        let drawn = |initialization, purpose, shape: [usize; 2], fan_in| {
            drawn(initialization, purpose, layer, shape, fan_in, seeds)
        };
        let encoder = Layer::drawn(
            [inputs, units],
            spec.encoder_weight,
            spec.encoder_bias,
            spec.activation,
            layer,
            seeds,
            device,
        );
        let weight = match spec.decoder {
            spec::Decoder::Tied => None,
            spec::Decoder::Untied { weight } => Some(parameter(
                drawn(weight, Purpose::DecoderWeight, [units, inputs], units),
                [members, units, inputs],
                device,
            )),
        };
        let bias = drawn(spec.decoder_bias, Purpose::DecoderBias, [1, inputs], units);
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

    /// ½ Σ ‖x̂ − x‖² over all images of a batch.
    ///
    /// # Shapes
    ///
    /// - h: `[member, batch, unit]`
    /// - x: `[member, batch, input]`, or `[1, batch, input]` where all members see the same batch
    /// - output: `[member, 1, 1]`
    #[must_use]
    pub fn squared_errors(&self, h: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
        let (weight, kind) = match &self.decoder.weight {
            Some(weight) => (weight.val(), fused::DecoderWeight::Own),
            None => (self.encoder.weight.val(), fused::DecoderWeight::Tied),
        };
        if self.decoder.activation == DecoderActivation::Identity
            && let Some(errors) =
                fused::squared_error(&h, &weight, kind, &self.decoder.bias.val(), &x)
        {
            return errors;
        }
        reconstruction(Reconstruction::SquaredError, self.decode(h), x).sum_dim(1)
    }

    /// The code of x outside of any graph, where [`tied_errors`](Self::tied_errors) can be taken from it and is less
    /// work than its parts.
    #[must_use]
    pub fn tied_code(&self, x: &Tensor<3>) -> Option<Tensor<3>> {
        let is_tied_ramp = self.encoder.activation() == Activation::Relu
            && self.decoder.weight.is_none()
            && self.decoder.activation == DecoderActivation::Identity;
        let weight = self.encoder.weight.val();
        if !is_tied_ramp || !fused::prefers_tied(&weight, x.dims()[1]) {
            return None;
        }
        let plain = |tensor: Tensor<3>| {
            if tensor.device().is_autodiff() {
                tensor.inner()
            } else {
                tensor
            }
        };
        let [x, weight, bias] = [x.clone(), weight, self.encoder.bias.val()].map(plain);
        fused::layer(&x, &weight, &bias, 0.0)
    }

    /// [`squared_errors`](Self::squared_errors) of reconstructing x from its [`tied_code`](Self::tied_code), encoder
    /// included. `pull` is added to the error's gradient with respect to every image's code, by its gradient alone.
    ///
    /// # Shapes
    ///
    /// - x, h and output: as in [`squared_errors`](Self::squared_errors)
    /// - pull: `[member, 1, unit]`, outside of any graph
    ///
    /// # Panics
    ///
    /// Panics if h is not such a code.
    #[must_use]
    pub fn tied_errors(&self, x: &Tensor<3>, h: Tensor<3>, pull: Option<Tensor<3>>) -> Tensor<3> {
        let (weight, bias) = (self.encoder.weight.val(), self.encoder.bias.val());
        fused::tied(x, h, &weight, &bias, &self.decoder.bias.val(), pull)
    }

    /// Every parameter by the name it is saved under, each with its leading member dimension.
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, Tensor<3>)> {
        let encoder = self.encoder.parameters().into_iter();
        let mut parameters: Vec<_> = encoder
            .map(|(name, tensor)| (format!("encoder.{name}"), tensor))
            .collect();
        parameters.push(("decoder.bias".to_owned(), self.decoder.bias.val()));
        if let Some(weight) = &self.decoder.weight {
            parameters.push(("decoder.weight".to_owned(), weight.val()));
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
        Layer::parameter_count([inputs, units], spec.activation) + decoder_weight + inputs
    }

    /// Multiply–accumulate operations of a training step, for each image of the batch, as the textbook has them: two
    /// products forward, and backward one for the code and one for each use of a weight matrix.
    #[must_use]
    pub fn step_multiply_accumulates(spec: &AutoencoderSpec, inputs: usize) -> u64 {
        5 * (inputs * spec.hidden_units) as u64
    }
}
