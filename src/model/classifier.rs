//! A classifier of any depth: hidden layers and a softmax layer on top (Okatani, *Deep Learning*, chapters 2 and 4).

use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use super::Cost;
use super::layer::{Layer, drawn};
use crate::ops::{self, Rows};
use crate::seed::Purpose;
use crate::spec::{Activation, ClassifierSpec, TrainedLayers};

/// As many classifiers as there are members, side by side.
#[derive(Module, Debug)]
pub struct Classifier {
    /// From the input up; none for softmax regression.
    pub hidden: Vec<Layer>,
    /// Its pre-activations are the logits.
    pub output: Layer,
}

impl Classifier {
    /// One member for each of `seeds`. A hidden layer starts from the same weights as the encoder of its
    /// pretraining would, and layers of equal size are the same in every classifier of a seed.
    #[must_use]
    pub fn new(
        spec: &ClassifierSpec,
        inputs: usize,
        classes: usize,
        seeds: &[u64],
        device: &Device,
    ) -> Self {
        let hidden = layer_sizes(spec, inputs)
            .enumerate()
            .map(|(layer, size)| {
                Layer::drawn(
                    size,
                    spec.weight,
                    spec.bias,
                    spec.activation,
                    layer as u64,
                    seeds,
                    device,
                )
            })
            .collect();
        let inputs = spec.hidden_units.last().copied().unwrap_or(inputs);
        let draw = |initialization, purpose, shape| {
            drawn(initialization, purpose, 0, shape, inputs, seeds)
        };
        let output = Layer::from_values(
            [seeds.len(), inputs, classes],
            draw(
                spec.output_weight.unwrap_or(spec.weight),
                Purpose::OutputWeight,
                [inputs, classes],
            ),
            draw(spec.bias, Purpose::OutputBias, [1, classes]),
            Activation::Identity,
            device,
        );
        Self { hidden, output }
    }

    /// The activations of every hidden layer, from the input up.
    ///
    /// # Shapes
    ///
    /// - x: `[member, batch, input]`, or `[1, batch, input]` where all members see the same batch
    /// - output: `[member, batch, unit]` each
    #[must_use]
    pub fn activations(&self, x: &Rows) -> Vec<Tensor<3>> {
        let mut below = x.clone();
        let layers = self.hidden.iter();
        let activations = layers.map(|layer| {
            let h = layer.forward(&below);
            below = h.clone().into();
            h
        });
        activations.collect()
    }

    /// What the softmax layer sees: the activations of the highest hidden layer, or x where there is none.
    #[must_use]
    pub fn code(&self, x: &Rows) -> Rows {
        let layers = self.hidden.iter();
        layers.fold(x.clone(), |below, layer| layer.forward(&below).into())
    }

    /// The pre-activations of the softmax layer, `[member, batch, class]`, from [`code`](Self::code).
    #[must_use]
    pub fn logits(&self, code: &Rows) -> Tensor<3> {
        self.output.pre_activation(code)
    }

    /// The cost of a batch: the mean cross-entropy, which is its only part too. Layers that are not `trained` have no
    /// gradient, and need no graph.
    ///
    /// # Shapes
    ///
    /// - x: as of [`activations`](Self::activations); targets (1 for an image's class, 0 elsewhere): `[1, batch, class]`
    #[must_use]
    pub fn cost(&self, x: &Rows, targets: Tensor<3>, trained: TrainedLayers) -> Cost {
        let code = match trained {
            TrainedLayers::All | TrainedLayers::OutputFirst { .. } => self.code(x),
            TrainedLayers::Output => self.valid().code(x),
        };
        let cost = ops::cross_entropy(self.logits(&code), targets);
        Cost {
            parts: vec![cost.clone().inner()],
            total: cost,
        }
    }

    /// The probabilities of the classes, `[member, batch, class]`.
    #[must_use]
    pub fn forward(&self, x: &Rows) -> Tensor<3> {
        softmax(self.logits(&self.code(x)), 2)
    }

    /// How many numbers one member of such a classifier learns.
    #[must_use]
    pub fn parameter_count(spec: &ClassifierSpec, inputs: usize, classes: usize) -> usize {
        let hidden: usize = layer_sizes(spec, inputs)
            .map(|size| Layer::parameter_count(size, spec.activation))
            .sum();
        let inputs = spec.hidden_units.last().copied().unwrap_or(inputs);
        hidden + Layer::parameter_count([inputs, classes], Activation::Identity)
    }

    /// Multiply–accumulate operations of a training step, for each image of the batch: a product forward for each
    /// layer that there is, and for each that learns one backward for its weights and one for the layer below,
    /// if that learns too. Counted are the steps in which most layers learn.
    #[must_use]
    pub fn step_multiply_accumulates(
        spec: &ClassifierSpec,
        inputs: usize,
        classes: usize,
        trained: TrainedLayers,
    ) -> u64 {
        let mut products: Vec<u64> = layer_sizes(spec, inputs)
            .map(|[inputs, units]| (inputs * units) as u64)
            .collect();
        let inputs = spec.hidden_units.last().copied().unwrap_or(inputs);
        products.push((inputs * classes) as u64);
        let forward: u64 = products.iter().sum();
        match trained {
            TrainedLayers::All | TrainedLayers::OutputFirst { .. } => 3 * forward - products[0],
            TrainedLayers::Output => forward + (inputs * classes) as u64,
        }
    }
}

/// Inputs and units of every hidden layer.
fn layer_sizes(spec: &ClassifierSpec, inputs: usize) -> impl Iterator<Item = [usize; 2]> + '_ {
    let below = std::iter::once(inputs).chain(spec.hidden_units.iter().copied());
    below
        .zip(spec.hidden_units.iter().copied())
        .map(|(inputs, units)| [inputs, units])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::numbers;
    use crate::spec::{Initialization, Variance};

    fn spec(hidden_units: &[usize]) -> ClassifierSpec {
        let normal = |value| Initialization::Normal(Variance::Fixed { value });
        ClassifierSpec {
            hidden_units: hidden_units.to_vec(),
            activation: Activation::Relu,
            weight: normal(0.1),
            bias: normal(0.01),
            ..ClassifierSpec::default()
        }
    }

    #[test]
    fn the_softmax_layer_may_start_by_itself() {
        let zero = ClassifierSpec {
            output_weight: Some(Initialization::Constant(0.0)),
            ..spec(&[5])
        };
        let new = |spec: &_| Classifier::new(spec, 6, 3, &[1], &Device::flex());
        let (drawn, zero) = (new(&spec(&[5])), new(&zero));
        let of = |layer: &Layer| numbers(layer.weight.val());
        assert_eq!(of(&zero.output), [0.0; 15]);
        assert_eq!(of(&zero.hidden[0]), of(&drawn.hidden[0]));
        assert_ne!(of(&drawn.output), [0.0; 15]);
    }

    #[test]
    fn sizes_are_those_of_the_post() {
        let parameters = |hidden: &[usize]| Classifier::parameter_count(&spec(hidden), 784, 10);
        assert_eq!(parameters(&[]), 7850);
        assert_eq!(parameters(&[100, 100]), 78_500 + 10_100 + 1010);
        assert_eq!(parameters(&[100; 15]), 78_500 + 14 * 10_100 + 1010);
        let model = Classifier::new(&spec(&[5, 4]), 6, 3, &[1, 2], &Device::flex());
        assert_eq!(
            model.num_params(),
            2 * Classifier::parameter_count(&spec(&[5, 4]), 6, 3)
        );
    }

    #[test]
    fn work_counts_every_product_of_a_step() {
        let work = |hidden: &[usize], trained| {
            Classifier::step_multiply_accumulates(&spec(hidden), 784, 10, trained)
        };
        // Forward and weights; nothing is below.
        assert_eq!(work(&[], TrainedLayers::All), 2 * 7840);
        assert_eq!(
            work(&[100, 100], TrainedLayers::All),
            2 * 78_400 + 3 * 10_000 + 3 * 1000
        );
        assert_eq!(
            work(&[100, 100], TrainedLayers::Output),
            78_400 + 10_000 + 2 * 1000
        );
    }

    #[test]
    fn probabilities_are_the_softmax_of_the_layers_one_on_the_other() {
        let device = Device::flex();
        let model = Classifier::new(&spec(&[5, 4]), 6, 3, &[1, 2], &device);
        let x = Rows::from(Tensor::ones([1, 2, 6], &device));
        let layers = model.activations(&x);
        assert_eq!(layers.len(), 2);
        assert_eq!(
            numbers(layers[1].clone()),
            numbers(model.code(&x).numbers()),
            "the code is the highest layer"
        );
        let probabilities = model.forward(&x);
        assert_eq!(probabilities.dims(), [2, 2, 3]);
        for image in numbers(probabilities).chunks_exact(3) {
            assert!((image.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }
}
