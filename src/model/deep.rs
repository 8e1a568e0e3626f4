//! The deep autoencoder of Hinton and Salakhutdinov 2006 ("Reducing the dimensionality of data with neural networks"): layers
//! down to a small code, and as many back. It starts from random weights, or from autoencoders trained one on the other's
//! codes and unrolled.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::Cost;
use super::layer::{Layer, drawn};
use crate::ops::{self, Rows};
use crate::seed::Purpose;
use crate::spec::{Activation, DecoderActivation, DeepAutoencoderSpec, Reconstruction};

/// As many deep autoencoders as there are members, side by side.
#[derive(Module, Debug)]
pub struct DeepAutoencoder {
    /// The way to the code, from the input down.
    pub encoder: Vec<Layer>,
    /// The way back, from the code up; the last layer gives the pre-activations of the outputs.
    pub decoder: Vec<Layer>,
    #[module(skip)]
    output: DecoderActivation,
    #[module(skip)]
    reconstruction: Reconstruction,
}

impl DeepAutoencoder {
    /// One member for each of `seeds`, on `inputs` inputs. A layer on the way to the code starts from the same weights as
    /// the encoder of its pretraining would, the layer back from as many of its own.
    #[must_use]
    pub fn new(spec: &DeepAutoencoderSpec, inputs: usize, seeds: &[u64], device: &Device) -> Self {
        let sizes: Vec<[usize; 2]> = sizes(spec, inputs).collect();
        let encoder = sizes.iter().enumerate().map(|(at, &size)| {
            let activation = spec.activation_of(at);
            Layer::drawn(
                size,
                spec.weight,
                spec.bias,
                activation,
                at as u64,
                seeds,
                device,
            )
        });
        let decoder = sizes
            .iter()
            .enumerate()
            .rev()
            .map(|(at, &[inputs, units])| {
                let draw = |initialization, purpose, shape| {
                    drawn(initialization, purpose, at as u64, shape, units, seeds)
                };
                let weight = draw(spec.weight, Purpose::DecoderWeight, [units, inputs]);
                let bias = draw(spec.bias, Purpose::DecoderBias, [1, inputs]);
                let activation = match at.checked_sub(1) {
                    Some(below) => spec.activation_of(below),
                    None => Activation::Identity,
                };
                Layer::from_values(
                    [seeds.len(), units, inputs],
                    weight,
                    bias,
                    activation,
                    device,
                )
            });
        Self {
            encoder: encoder.collect(),
            decoder: decoder.collect(),
            output: spec.decoder_activation,
            reconstruction: spec.reconstruction,
        }
    }

    /// The code of x.
    ///
    /// # Shapes
    ///
    /// - x: `[member, batch, input]`, or `[1, batch, input]` where all members see the same batch
    /// - output: `[member, batch, unit of the code]`
    #[must_use]
    pub fn encode(&self, x: &Rows) -> Tensor<3> {
        through(&self.encoder, x).numbers()
    }

    /// The reconstruction of a code.
    ///
    /// # Shapes
    ///
    /// - code: `[member, batch, unit of the code]`
    /// - output: `[member, batch, input]`
    #[must_use]
    pub fn decode(&self, code: Tensor<3>) -> Tensor<3> {
        let (last, h) = self.before_last(code);
        match self.output {
            DecoderActivation::Identity => last.forward(&h),
            DecoderActivation::Sigmoid => ops::logistic(&h, last.weight.val(), last.bias.val()),
        }
    }

    /// The last layer of the way back, and what it is given.
    fn before_last(&self, code: Tensor<3>) -> (&Layer, Rows) {
        let (last, before) = self
            .decoder
            .split_last()
            .expect("as many layers back as there");
        (last, through(before, &code.into()))
    }

    /// What is applied to the outputs.
    #[must_use]
    pub fn decoder_activation(&self) -> DecoderActivation {
        self.output
    }

    /// The cost of a batch: the mean reconstruction error, which is its only part too; x as of [`encode`](Self::encode).
    #[must_use]
    pub fn cost(&self, x: &Rows) -> Cost {
        let cost = self.error(self.encode(x), x);
        Cost {
            parts: vec![cost.clone().inner()],
            total: cost,
        }
    }

    /// The reconstruction error of a code, as a mean over the batch: of each image ½ ‖x̂ − x‖² or, for probabilities of pixels,
    /// the cross-entropy.
    ///
    /// # Shapes
    ///
    /// - code and x: as of [`decode`](Self::decode) and [`encode`](Self::encode)
    /// - output: `[member, 1, 1]`
    #[must_use]
    pub fn error(&self, code: Tensor<3>, x: &Rows) -> Tensor<3> {
        match self.reconstruction {
            Reconstruction::SquaredError => self.squared_error(code, x),
            Reconstruction::CrossEntropy => self.with_last(code, x, ops::cross_entropy_of_logistic),
        }
    }

    /// ½ ‖x̂ − x‖² as a mean over the batch, whatever the cost is; shapes as of [`error`](Self::error).
    #[must_use]
    pub fn squared_error(&self, code: Tensor<3>, x: &Rows) -> Tensor<3> {
        match self.output {
            DecoderActivation::Identity => self.with_last(code, x, ops::squared_error),
            DecoderActivation::Sigmoid => self.with_last(code, x, ops::squared_error_of_logistic),
        }
    }

    /// What `error` makes of the last layer of the way back, whose units are linear as far as it is concerned.
    fn with_last(
        &self,
        code: Tensor<3>,
        x: &Rows,
        error: fn(Tensor<3>, Tensor<3>, Tensor<3>, &Rows) -> Tensor<3>,
    ) -> Tensor<3> {
        let (last, h) = self.before_last(code);
        error(h.numbers(), last.weight.val(), last.bias.val(), x)
    }

    /// How many numbers one member of such an autoencoder learns.
    #[must_use]
    pub fn parameter_count(spec: &DeepAutoencoderSpec, inputs: usize) -> usize {
        let layers = sizes(spec, inputs).enumerate();
        let counts = layers.map(|(at, [inputs, units])| {
            let there = Layer::parameter_count([inputs, units], spec.activation_of(at));
            let below = at.checked_sub(1).map(|below| spec.activation_of(below));
            let back = below.unwrap_or(Activation::Identity);
            there + Layer::parameter_count([units, inputs], back)
        });
        counts.sum()
    }

    /// Multiply–accumulate operations of a training step, for each image of the batch: a product forward for each layer there
    /// and back, and backward one for its weights and one for the layer below, which the lowest has not.
    #[must_use]
    pub fn step_multiply_accumulates(spec: &DeepAutoencoderSpec, inputs: usize) -> u64 {
        let products = sizes(spec, inputs).map(|[inputs, units]| (inputs * units) as u64);
        let lowest = sizes(spec, inputs)
            .next()
            .map_or(0, |[inputs, units]| inputs * units);
        6 * products.sum::<u64>() - lowest as u64
    }
}

/// What layers, one on the other, make of x.
fn through(layers: &[Layer], x: &Rows) -> Rows {
    let layers = layers.iter();
    layers.fold(x.clone(), |below, layer| layer.forward(&below).into())
}

/// Inputs and units of every layer on the way to the code.
fn sizes(spec: &DeepAutoencoderSpec, inputs: usize) -> impl Iterator<Item = [usize; 2]> + '_ {
    let below = std::iter::once(inputs).chain(spec.hidden_units.iter().copied());
    let sizes = below.zip(spec.hidden_units.iter().copied());
    sizes.map(|(inputs, units)| [inputs, units])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::numbers;

    fn spec() -> DeepAutoencoderSpec {
        DeepAutoencoderSpec {
            hidden_units: vec![5, 3],
            ..DeepAutoencoderSpec::default()
        }
    }

    #[test]
    fn sizes_and_work_are_those_of_the_paper() {
        let paper = DeepAutoencoderSpec::default();
        let weights = 784 * 1000 + 1000 * 500 + 500 * 250 + 250 * 30;
        let biases = 1000 + 500 + 250 + 30 + 250 + 500 + 1000 + 784;
        assert_eq!(
            DeepAutoencoder::parameter_count(&paper, 784),
            2 * weights + biases
        );
        let work = DeepAutoencoder::step_multiply_accumulates(&paper, 784);
        assert_eq!(work, 6 * weights as u64 - 784_000);
        let model = DeepAutoencoder::new(&spec(), 6, &[1, 2], &Device::flex());
        assert_eq!(
            model.num_params(),
            2 * DeepAutoencoder::parameter_count(&spec(), 6)
        );
    }

    #[test]
    fn it_mirrors_itself_around_a_linear_code() {
        let model = DeepAutoencoder::new(&spec(), 6, &[1, 2], &Device::flex());
        let shapes = |layers: &[Layer]| -> Vec<[usize; 3]> {
            layers.iter().map(|layer| layer.weight.dims()).collect()
        };
        assert_eq!(shapes(&model.encoder), [[2, 6, 5], [2, 5, 3]]);
        assert_eq!(shapes(&model.decoder), [[2, 3, 5], [2, 5, 6]]);
        let activations = [&model.encoder[1], &model.decoder[0], &model.decoder[1]];
        assert_eq!(
            activations.map(Layer::activation),
            [
                Activation::Identity,
                Activation::Sigmoid,
                Activation::Identity
            ]
        );
        let x = Rows::from(Tensor::ones([1, 4, 6], &Device::flex()));
        let code = model.encode(&x);
        assert_eq!(code.dims(), [2, 4, 3]);
        let made = numbers(model.decode(code.clone()));
        assert!(made.iter().all(|pixel| (0.0..1.0).contains(pixel)));
        // Of ones, the cross-entropy is −Σ ln x̂.
        let expected: f32 = made[..6].iter().map(|pixel| -pixel.ln()).sum();
        assert!((numbers(model.error(code, &x))[0] - expected).abs() < 1e-4);
    }
}
