//! The autoencoder of Okatani, *Deep Learning*, chapter 5: code h = f(x W + b), reconstruction x̂ = g(h W̃ + c).

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};

use super::layer::{Layer, drawn, parameter};
use super::loss::reconstruction;
use super::{Change, Kind, Parameters};
use crate::fused::{self, DecoderPass, DecoderWeight, Gram, Input, LayerPass, TiedPass, Wanted};
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
    pub fn encode(&self, x: impl Into<Input>) -> Tensor<3> {
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
        let (weight, kind) = self.decoder_weight();
        if self.decoder.activation == DecoderActivation::Identity
            && let Some(errors) =
                fused::squared_error(&h, &weight, kind, &self.decoder.bias.val(), &x)
        {
            return errors;
        }
        reconstruction(Reconstruction::SquaredError, self.decode(h), x).sum_dim(1)
    }

    /// These autoencoders as they are, to be looked at with many batches.
    #[must_use]
    pub fn evaluator(&self) -> Evaluator<'_> {
        let [_, inputs, units] = self.encoder.weight.dims();
        let is_worth_it = self.is_tied_and_linear() && units < inputs;
        Evaluator {
            model: self,
            gram: is_worth_it
                .then(|| Gram::new(&self.encoder.weight.val()))
                .flatten(),
        }
    }

    /// Whether the cost follows from the code alone, as in [`TiedPass`].
    fn is_tied_and_linear(&self) -> bool {
        self.encoder.activation() == Activation::Relu
            && self.decoder.weight.is_none()
            && self.decoder.activation == DecoderActivation::Identity
    }

    /// The way of x through the encoder, to come back from with [`back_propagated`](Self::back_propagated); `None` where
    /// the backend, the activation or the decoder does not offer it. x: as in [`encode`](Self::encode), outside of any
    /// graph.
    pub(super) fn pass(&self, x: &Input) -> Option<LayerPass> {
        let is_linear = self.decoder.activation == DecoderActivation::Identity;
        is_linear.then(|| self.encoder.pass(x)).flatten()
    }

    /// The squared errors of reconstructing `target` from the code of `input`, and `scale` times their gradient, by
    /// back-propagation written out (Okatani, *Deep Learning*, section 4.4). `pull`, `[member, 1, unit]`, is added to
    /// the gradient of every image's code.
    ///
    /// # Panics
    ///
    /// Panics if `encoded` is not the [way](Self::pass) of `input`, or of `target` where that is absent.
    pub(super) fn back_propagated(
        &self,
        encoded: LayerPass,
        target: &Input,
        input: Option<&Input>,
        pull: Option<Tensor<3>>,
        scale: f32,
    ) -> (Tensor<3>, GradientsParams) {
        let decoder_bias = self.decoder.bias.val();
        let mut gradients = GradientsParams::new();
        let Self { encoder, decoder } = self;
        let weight = encoder.weight.val();
        if input.is_none()
            && self.is_tied_and_linear()
            && fused::prefers_tied(target, &weight)
            && let Some(gram) = Gram::new(&weight)
        {
            let pass = TiedPass::new(encoded, &decoder_bias, &gram);
            let errors = pass.errors();
            let [of_weight, of_bias, of_decoder_bias] = pass.gradients(scale, pull);
            gradients.register(encoder.weight.id, of_weight);
            gradients.register(encoder.bias.id, of_bias);
            gradients.register(decoder.bias.id, of_decoder_bias);
            return (errors, gradients);
        }
        let (weight, kind) = self.decoder_weight();
        let h = encoded.output();
        let pass = DecoderPass::new(&h, &weight, kind, &decoder_bias, &target.tensor())
            .expect("where the encoder is offered, so is the decoder");
        let errors = pass.errors();
        let [of_h, of_decoder_weight, of_decoder_bias] = pass.gradients(scale, pull);
        let ([of_weight, of_bias], _) = encoded.gradients(of_h, Wanted::No);
        let of_weight = match &decoder.weight {
            Some(own) => {
                gradients.register(own.id, of_decoder_weight);
                of_weight
            }
            None => of_weight + of_decoder_weight,
        };
        gradients.register(encoder.weight.id, of_weight);
        gradients.register(encoder.bias.id, of_bias);
        gradients.register(decoder.bias.id, of_decoder_bias);
        (errors, gradients)
    }

    /// W̃ as it lies in memory.
    fn decoder_weight(&self) -> (Tensor<3>, DecoderWeight) {
        match &self.decoder.weight {
            Some(weight) => (weight.val(), DecoderWeight::Own),
            None => (self.encoder.weight.val(), DecoderWeight::Tied),
        }
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

/// Autoencoders whose weights stay as they are, with what that spares every batch.
#[derive(Debug)]
pub struct Evaluator<'a> {
    model: &'a Autoencoder,
    gram: Option<Gram>,
}

impl Evaluator<'_> {
    /// The code of x and its [`squared_errors`](Autoencoder::squared_errors), x outside of any graph.
    #[must_use]
    pub fn code_and_squared_errors(&self, x: &Input) -> (Tensor<3>, Tensor<3>) {
        let model = self.model;
        if let Some(gram) = &self.gram
            && let Some(pass) = model.encoder.pass(x)
        {
            let h = pass.output();
            let pass = TiedPass::new(pass, &model.decoder.bias.val(), gram);
            return (h, pass.errors());
        }
        let h = model.encode(x.clone());
        (h.clone(), model.squared_errors(h, x.tensor()))
    }
}
