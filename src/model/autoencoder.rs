//! The autoencoder of Okatani, *Deep Learning*, chapter 5: code h = f(x W + b), reconstruction x̂ = g(h W̃ + c), and its
//! cost E + β Σⱼ KL(ρ‖ρ̂ⱼ) (section 5.3.3); and those of today, whose codes are made sparse in other ways.

use burn::module::{Module, Param};
use burn::tensor::{Device, Gradients, Tensor};

use super::layer::{Layer, LayerValues, drawn, parameter};
use super::selection::{self, Code, Selection};
use super::{Cost, Sparsity, numbers};
use crate::ops::{self, Largest, Rows};
use crate::seed::Purpose;
use crate::spec::{
    self, Activation, AutoencoderSpec, AutoencoderTraining, DecoderActivation, Reconstruction,
};

/// As many autoencoders as there are members, side by side.
#[derive(Module, Debug)]
pub struct Autoencoder {
    /// The way from input to code.
    pub encoder: Layer,
    /// The way back.
    pub decoder: Decoder,
    /// Above which a unit stays on outside of training, where a batch's choice made it: `[member, 1, 1]`. No gradient
    /// reaches it.
    pub threshold: Option<Param<Tensor<3>>>,
    /// ln θ of learnt thresholds, `[member, 1, unit]`.
    pub log_threshold: Option<Param<Tensor<3>>>,
    #[module(skip)]
    selection: Selection,
    #[module(skip)]
    subtracts_decoder_bias: bool,
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
    #[module(skip)]
    has_unit_norm: bool,
}

impl Autoencoder {
    /// One member for each of `seeds`, on `inputs` inputs. Members of one seed start from the same weights.
    ///
    /// `layer` is the hidden layer of a classifier that this is the pretraining of, counted from 0: the encoder
    /// starts from what that layer would start from. A decoder bias that is to start at the data's mean starts at 0 here: see
    /// [`with_decoder_bias`](Self::with_decoder_bias).
    #[must_use]
    pub fn new(
        spec: &AutoencoderSpec,
        sparsity: &spec::Sparsity,
        inputs: usize,
        layer: u64,
        seeds: &[u64],
        device: &Device,
    ) -> Self {
        let (members, units) = (seeds.len(), spec.hidden_units);
        let drawn = |initialization, purpose, shape: [usize; 2], fan_in| {
            drawn(initialization, purpose, layer, shape, fan_in, seeds)
        };
        let mut encoder = Layer::drawn(
            [inputs, units],
            spec.encoder_weight,
            spec.encoder_bias,
            spec.activation,
            layer,
            seeds,
            device,
        );
        let mut has_unit_norm = false;
        let weight = match spec.decoder {
            spec::Decoder::Tied => None,
            spec::Decoder::Untied {
                weight,
                unit_norm,
                transposed_start,
            } => {
                has_unit_norm = unit_norm;
                let mut values = if transposed_start {
                    transposed(&numbers(encoder.weight.val()), [inputs, units])
                } else {
                    let weight = weight.unwrap_or(spec.encoder_weight);
                    drawn(weight, Purpose::DecoderWeight, [units, inputs], units)
                };
                if unit_norm {
                    values.chunks_exact_mut(inputs).for_each(normalise);
                }
                if transposed_start {
                    let back = transposed(&values, [units, inputs]);
                    encoder.weight = parameter(back, [members, inputs, units], device);
                }
                Some(parameter(values, [members, units, inputs], device))
            }
        };
        let bias = match spec.decoder_bias {
            spec::DecoderBias::Drawn(bias) => drawn(bias, Purpose::DecoderBias, [1, inputs], units),
            spec::DecoderBias::DataMean => vec![0.0; members * inputs],
        };
        let [threshold, log_threshold] = selection::thresholds(sparsity, members, units, device);
        Self {
            encoder,
            decoder: Decoder {
                weight,
                bias: parameter(bias, [members, 1, inputs], device),
                activation: spec.decoder_activation,
                has_unit_norm,
            },
            threshold,
            log_threshold,
            selection: Selection::of(sparsity),
            subtracts_decoder_bias: spec.subtract_decoder_bias,
            reconstruction: spec.reconstruction,
        }
    }

    /// The same with other decoder biases, such as the data's mean: `[member, 1, input]`, or `[1, 1, input]` for all.
    #[must_use]
    pub fn with_decoder_bias(mut self, bias: Tensor<3>) -> Self {
        let shape = self.decoder.bias.dims();
        let bias = parameter(
            numbers(bias.expand(shape)),
            shape,
            &self.decoder.bias.device(),
        );
        self.decoder.bias = bias;
        self
    }

    /// The code h of x, as it is outside of training.
    ///
    /// # Shapes
    ///
    /// - x: `[member, batch, input]`, or `[1, batch, input]` where all members see the same batch
    /// - output: `[member, batch, unit]`
    #[must_use]
    pub fn encode(&self, x: &Rows) -> Tensor<3> {
        selection::outside_of_training(self.selection, self.activity(x), self.thresholds())
    }

    /// Above which units stay on outside of training, `[member, 1, unit]` or one for all `[member, 1, 1]`; `None` where no
    /// threshold turns them off.
    #[must_use]
    pub fn thresholds(&self) -> Option<Tensor<3>> {
        let learnt = self.log_threshold.as_ref().map(|of| of.val().exp());
        self.threshold.as_ref().map(Param::val).or(learnt)
    }

    /// The code of x in training; shapes as of [`encode`](Self::encode).
    #[must_use]
    pub fn code_of_batch(&self, x: &Rows) -> Code {
        let log_threshold = self.log_threshold.as_ref().map(Param::val);
        selection::of_batch(self.selection, self.activity(x), log_threshold)
    }

    /// What the units give before any is switched off: f(x W + b), or f((x − c) W + b) where the decoder's bias c is taken
    /// off; shapes as of [`encode`](Self::encode).
    #[must_use]
    pub fn activity(&self, x: &Rows) -> Tensor<3> {
        self.encoder.forward_with(x, self.encoder_bias())
    }

    /// b as it stands behind x W: b − c W where the decoder's bias c is taken off the input.
    fn encoder_bias(&self) -> Tensor<3> {
        let Self {
            encoder, decoder, ..
        } = self;
        if self.subtracts_decoder_bias {
            encoder.bias.val() - decoder.bias.val().matmul(encoder.weight.val())
        } else {
            encoder.bias.val()
        }
    }

    /// The encoder as a layer of a classifier: what it gives is [`activity`](Self::activity).
    #[must_use]
    pub fn as_layer(&self) -> Layer {
        let mut layer = self.encoder.clone();
        let bias = numbers(self.encoder_bias().inner());
        layer.bias = parameter(bias, layer.bias.dims(), &layer.bias.device());
        layer
    }

    /// The reconstruction x̂ = g(h W̃ + c) of a code.
    ///
    /// # Shapes
    ///
    /// - h: `[member, batch, unit]`
    /// - output: `[member, batch, input]`
    #[must_use]
    pub fn decode(&self, h: Tensor<3>) -> Tensor<3> {
        match self.decoder.activation {
            DecoderActivation::Identity => self.decode_logits(h),
            DecoderActivation::Sigmoid => {
                ops::logistic(&h.into(), self.decoder_weight(), self.decoder.bias.val())
            }
        }
    }

    /// A batch's cost E + S, with E the mean reconstruction error and S the sparsity term: `total` has its gradient, `parts`
    /// are E and S without its weight β or λ.
    ///
    /// # Shapes
    ///
    /// - x (what is to be reconstructed) and `corrupted` (what is encoded, where that is another): as of
    ///   [`encode`](Self::encode)
    #[must_use]
    pub fn cost(&self, x: &Rows, corrupted: Option<&Rows>, sparsity: &mut Sparsity) -> Cost {
        let code = self.code_of_batch(corrupted.unwrap_or(x));
        self.cost_of_code(&code, x, corrupted.is_none(), sparsity)
    }

    /// As [`cost`](Self::cost), of a code that is known already. `is_own`: it is that of x itself, not of a corrupted copy,
    /// so that the error may be had in a faster form.
    #[must_use]
    pub fn cost_of_code(
        &self,
        code: &Code,
        x: &Rows,
        is_own: bool,
        sparsity: &mut Sparsity,
    ) -> Cost {
        let (term, unweighted) = sparsity.term(code, self);
        let h = code.h.clone();
        let error = if is_own {
            self.error_of_own_code(h, x)
        } else {
            self.error(h, x)
        };
        Cost {
            parts: vec![error.clone().inner(), unweighted],
            total: match term {
                Some(term) => error + term,
                None => error,
            },
        }
    }

    /// What the strongest `k` of the silent units make of what the code leaves over, ½ ‖e − h̃ W̃‖² with e = x − x̂, as a mean
    /// over the batch (Gao et al. 2024, appendix A.2); e teaches nothing.
    ///
    /// # Shapes
    ///
    /// - code and x: as of [`encode`](Self::encode)
    /// - `is_silent` (1 for silent units, else 0): `[member, 1, unit]`
    /// - output: `[member, 1, 1]`
    #[must_use]
    pub fn auxiliary_error(
        &self,
        code: &Code,
        x: &Rows,
        is_silent: Tensor<3>,
        k: usize,
    ) -> Tensor<3> {
        let left_over = x.numbers().inner() - self.valid().decode(code.h.clone().inner());
        let silent = code.activity.clone() * is_silent;
        let strongest = ops::keep_largest(silent, Largest::OfImage(k));
        let no_bias = self.decoder.bias.val().inner().zeros_like();
        let weight = self.decoder_weight();
        ops::squared_error_of_sparse(strongest, weight, no_bias, &left_over.into())
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
            Reconstruction::CrossEntropy => {
                let (weight, bias) = (self.decoder_weight(), self.decoder.bias.val());
                ops::cross_entropy_of_logistic(h, weight, bias, x)
            }
        }
    }

    /// [`error`](Self::error) of the code that x itself has; shapes as there.
    #[must_use]
    pub fn error_of_own_code(&self, h: Tensor<3>, x: &Rows) -> Tensor<3> {
        let Self {
            encoder, decoder, ..
        } = self;
        let is_tied_ramp = encoder.activation() == Activation::Relu
            && self.selection == Selection::All
            && !self.subtracts_decoder_bias
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
        let (weight, bias) = (self.decoder_weight(), self.decoder.bias.val());
        if self.decoder.activation == DecoderActivation::Sigmoid {
            return ops::squared_error_of_logistic(h, weight, bias, x);
        }
        let is_ramp = self.encoder.activation() == Activation::Relu;
        match self.selection {
            // Units that are off pass no gradient on.
            Selection::TopK { .. } | Selection::BatchTopK { .. } => {
                ops::squared_error_of_sparse(h, weight, bias, x)
            }
            Selection::All if is_ramp && self.decoder.weight.is_some() => {
                ops::squared_error_of_sparse(h, weight, bias, x)
            }
            // Near a learnt threshold they do.
            Selection::All | Selection::JumpRelu { .. } => ops::squared_error(h, weight, bias, x),
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

    /// The way back as a layer, `[member, unit, input]`: a copy of its numbers.
    #[must_use]
    pub fn decoder_values(&self) -> LayerValues {
        let weight = self.decoder_weight().inner();
        LayerValues {
            shape: weight.dims(),
            weight: numbers(weight),
            bias: numbers(self.decoder.bias.val().inner()),
            slope: None,
        }
    }

    /// Which units stay on.
    #[must_use]
    pub fn selection(&self) -> Selection {
        self.selection
    }

    /// Whether the decoder's bias is taken off the input.
    #[must_use]
    pub fn subtracts_decoder_bias(&self) -> bool {
        self.subtracts_decoder_bias
    }

    /// Whether the decoder weights of each unit have norm 1.
    #[must_use]
    pub fn has_unit_norm(&self) -> bool {
        self.decoder.has_unit_norm
    }

    /// Takes from the gradient of decoder weights of norm 1 its part along them, which a step could only waste.
    pub fn keep_tangential(&self, gradients: &mut Gradients) {
        let Some(weight) = self
            .decoder
            .weight
            .as_ref()
            .filter(|_| self.has_unit_norm())
        else {
            return;
        };
        let weight = weight.val();
        if let Some(gradient) = weight.grad_remove(gradients) {
            let gradient = ops::tangential(gradient, weight.clone().inner());
            weight.grad_replace(gradients, gradient);
        }
    }

    /// The same after a step: decoder weights divided by their norms where these are to be 1, and the threshold of a batch's
    /// choice moved by the batch's code h, `[member, batch, unit]`.
    #[must_use]
    pub fn after_step(mut self, h: Tensor<3>) -> Self {
        if self.has_unit_norm() {
            let weight = self.decoder.weight.take();
            self.decoder.weight = weight.map(|weight| {
                weight.map(|weight| ops::unit_rows(weight.inner()).autodiff().require_grad())
            });
        }
        if let Selection::BatchTopK { decay, .. } = self.selection {
            self.threshold = self.threshold.map(|threshold| {
                threshold.map(|threshold| {
                    selection::threshold_after(threshold.inner(), h.inner(), decay).autodiff()
                })
            });
        }
        self
    }

    /// W̃, `[member, unit, input]`.
    pub(super) fn decoder_weight(&self) -> Tensor<3> {
        match &self.decoder.weight {
            Some(weight) => weight.val(),
            None => self.encoder.weight.val().swap_dims(1, 2),
        }
    }

    /// How many numbers one member of such an autoencoder learns.
    #[must_use]
    pub fn parameter_count(training: &AutoencoderTraining, inputs: usize) -> usize {
        let spec = &training.autoencoder;
        let units = spec.hidden_units;
        let thresholds = match training.sparsity {
            spec::Sparsity::JumpRelu(_) => units,
            _ => 0,
        };
        let decoder_weight = match spec.decoder {
            spec::Decoder::Tied => 0,
            spec::Decoder::Untied { .. } => units * inputs,
        };
        let encoder = Layer::parameter_count([inputs, units], spec.activation);
        encoder + decoder_weight + inputs + thresholds
    }

    /// Multiply–accumulate operations of a training step, for each image of the batch, as the textbook has them: two
    /// products forward, and backward one for the code and one for each use of a weight matrix.
    #[must_use]
    pub fn step_multiply_accumulates(spec: &AutoencoderSpec, inputs: usize) -> u64 {
        5 * (inputs * spec.hidden_units) as u64
    }
}

/// The transposes of matrices that lie one behind the other, each row by row.
fn transposed(matrices: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    let matrices = matrices.chunks_exact(rows * columns);
    let of_matrix = |matrix: &[f32]| -> Vec<f32> {
        let column = |column: usize| (0..rows).map(move |row| matrix[row * columns + column]);
        (0..columns).flat_map(column).collect()
    };
    matrices.flat_map(of_matrix).collect()
}

/// Divides a row by its norm; a row of zeros stays.
fn normalise(row: &mut [f32]) {
    let squares = row.iter().map(|&value| f64::from(value).powi(2));
    let norm = squares.sum::<f64>().sqrt();
    if norm > 0.0 {
        for value in row {
            *value = (f64::from(*value) / norm) as f32;
        }
    }
}
