//! The autoencoder of Okatani, *Deep Learning*, chapter 5: code h = f(x W + b), reconstruction x̂ = g(h W̃ + c), and its
//! cost E + β Σⱼ KL(ρ‖ρ̂ⱼ) (section 5.3.3).

use burn::module::{Module, Param};
use burn::tensor::activation::{relu, sigmoid};
use burn::tensor::{Device, Tensor};

use super::layer::{Layer, drawn, parameter};
use super::{Cost, Sparsity};
use crate::ops::{self, Rows};
use crate::seed::Purpose;
use crate::spec::{self, Activation, AutoencoderSpec, DecoderActivation, Reconstruction};

/// As many autoencoders as there are members, side by side.
#[derive(Module, Debug)]
pub struct Autoencoder {
    /// The way from input to code.
    pub encoder: Layer,
    /// The way back.
    pub decoder: Decoder,
    #[module(skip)]
    reconstruction: Reconstruction,
}

/// The way back from code to input.
#[derive(Module, Debug)]
pub struct Decoder {
    /// c, `[member, 1, input]`.
    pub bias: Param<Tensor<3>>,
    /// W̃, `[member, unit, input]`; absent when tied, where W̃ = Wᵀ.
    pub weight: Option<Param<Tensor<3>>>,
    #[module(skip)]
    activation: DecoderActivation,
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
            spec::Decoder::Untied { weight } => {
                let weight = weight.unwrap_or(spec.encoder_weight);
                let values = drawn(weight, Purpose::DecoderWeight, [units, inputs], units);
                Some(parameter(values, [members, units, inputs], device))
            }
        };
        let bias = drawn(spec.decoder_bias, Purpose::DecoderBias, [1, inputs], units);
        Self {
            encoder,
            decoder: Decoder {
                weight,
                bias: parameter(bias, [members, 1, inputs], device),
                activation: spec.decoder_activation,
            },
            reconstruction: spec.reconstruction,
        }
    }

    /// The code h of x.
    ///
    /// # Shapes
    ///
    /// - x: `[member, batch, input]`, or `[1, batch, input]` where all members see the same batch
    /// - output: `[member, batch, unit]`
    #[must_use]
    pub fn encode(&self, x: &Rows) -> Tensor<3> {
        self.encoder.forward(x)
    }

    /// The reconstruction x̂ = g(h W̃ + c) of a code.
    ///
    /// # Shapes
    ///
    /// - h: `[member, batch, unit]`
    /// - output: `[member, batch, input]`
    #[must_use]
    pub fn decode(&self, h: Tensor<3>) -> Tensor<3> {
        let logits = self.decode_logits(h);
        match self.decoder.activation {
            DecoderActivation::Identity => logits,
            DecoderActivation::Sigmoid => sigmoid(logits),
        }
    }

    /// A batch's cost E + β Σⱼ KL(ρ‖ρ̂ⱼ), with E the mean reconstruction error: `total` has its gradient, `parts` are E and
    /// Σⱼ KL(ρ‖ρ̂ⱼ).
    ///
    /// # Shapes
    ///
    /// - x (what is to be reconstructed) and `corrupted` (what is encoded, where that is another): as of
    ///   [`encode`](Self::encode)
    #[must_use]
    pub fn cost(&self, x: &Rows, corrupted: Option<&Rows>, sparsity: &mut Sparsity) -> Cost {
        let h = self.encode(corrupted.unwrap_or(x));
        let (term, divergence) = sparsity.term(h.clone());
        let error = match corrupted {
            None => self.error_of_own_code(h, x),
            Some(_) => self.error(h, x),
        };
        Cost {
            parts: vec![error.clone().inner(), divergence],
            total: error + term,
        }
    }

    /// The reconstruction error of a code, as a mean over the batch: of each image ½ ‖x̂ − x‖² or, for probabilities of
    /// pixels, the cross-entropy.
    ///
    /// # Shapes
    ///
    /// - h: `[member, batch, unit]`
    /// - x: as of [`encode`](Self::encode)
    /// - output: `[member, 1, 1]`
    #[must_use]
    pub fn error(&self, h: Tensor<3>, x: &Rows) -> Tensor<3> {
        match self.reconstruction {
            Reconstruction::SquaredError => self.squared_error(h, x),
            Reconstruction::CrossEntropy => pixel_cross_entropy(self.decode_logits(h), x.numbers()),
        }
    }

    /// [`error`](Self::error) of the code that x itself has; shapes as there.
    #[must_use]
    pub fn error_of_own_code(&self, h: Tensor<3>, x: &Rows) -> Tensor<3> {
        let Self {
            encoder, decoder, ..
        } = self;
        let is_tied_ramp = encoder.activation() == Activation::Relu
            && decoder.weight.is_none()
            && decoder.activation == DecoderActivation::Identity
            && self.reconstruction == Reconstruction::SquaredError;
        if !is_tied_ramp {
            return self.error(h, x);
        }
        let (weight, bias) = (encoder.weight.val(), encoder.bias.val());
        ops::tied_squared_error(h, weight, bias, decoder.bias.val(), x)
    }

    /// ½ ‖x̂ − x‖² as a mean over the batch, whatever the cost is; shapes as of [`error`](Self::error).
    #[must_use]
    pub fn squared_error(&self, h: Tensor<3>, x: &Rows) -> Tensor<3> {
        match self.decoder.activation {
            DecoderActivation::Identity => {
                let (weight, bias) = (self.decoder_weight(), self.decoder.bias.val());
                ops::squared_error(h, weight, bias, x)
            }
            DecoderActivation::Sigmoid => {
                let residual = self.decode(h) - x.numbers();
                residual.square().sum_dim(2).mean_dim(1).mul_scalar(0.5)
            }
        }
    }

    /// What is applied to the decoder's sums.
    #[must_use]
    pub fn decoder_activation(&self) -> DecoderActivation {
        self.decoder.activation
    }

    /// Whether [`error`](Self::error) is [`squared_error`](Self::squared_error).
    #[must_use]
    pub fn costs_squared_error(&self) -> bool {
        self.reconstruction == Reconstruction::SquaredError
    }

    /// The decoder's pre-activation h W̃ + c.
    fn decode_logits(&self, h: Tensor<3>) -> Tensor<3> {
        ops::affine(&h.into(), self.decoder_weight(), self.decoder.bias.val())
    }

    /// W̃, `[member, unit, input]`.
    fn decoder_weight(&self) -> Tensor<3> {
        match &self.decoder.weight {
            Some(weight) => weight.val(),
            None => self.encoder.weight.val().swap_dims(1, 2),
        }
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

/// −Σᵢ [xᵢ ln x̂ᵢ + (1 − xᵢ) ln(1 − x̂ᵢ)] as a mean over the batch, with x̂ = sigmoid(z) and x in [0, 1]. Computed from the
/// logits z as max(z, 0) − z x + ln(1 + exp(−|z|)), which overflows for no z.
///
/// # Shapes
///
/// - z: `[member, batch, input]`; x: the same, or `[1, batch, input]`
/// - output: `[member, 1, 1]`
fn pixel_cross_entropy(z: Tensor<3>, x: Tensor<3>) -> Tensor<3> {
    let tail = z.clone().abs().neg().exp().log1p();
    let of_pixels = relu(z.clone()) - z * x + tail;
    of_pixels.sum_dim(2).mean_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::numbers;

    #[test]
    fn cross_entropy_takes_grey_pixels_and_extreme_logits() {
        let device = Device::flex();
        let logits = Tensor::<3>::from_floats([[[0.0, 2.0]], [[100.0, -100.0]]], &device);
        let x = Tensor::<3>::from_floats([[[0.3, 0.25]], [[1.0, 1.0]]], &device);
        let values = numbers(pixel_cross_entropy(logits, x));
        // ln 2 + (2 − 0.5 + ln(1 + e⁻²)) = 0.6931472 + 1.6269280; and 0 + 100.
        assert!((values[0] - 2.320_075).abs() < 1e-5, "{values:?}");
        assert!((values[1] - 100.0).abs() < 1e-4, "{values:?}");
    }
}
