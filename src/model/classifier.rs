//! A classifier of any depth: hidden layers and a softmax layer on top (Okatani, *Deep Learning*, chapters 2 and 4).

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use super::layer::{Layer, drawn};
use super::loss::cross_entropy;
use super::{Change, Parameters};
use crate::fused::{self, Input, LayerPass, Wanted};
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

impl Parameters for Classifier {
    fn map_parameters(self, change: &mut Change<'_>) -> Self {
        let hidden = self.hidden.into_iter();
        Self {
            hidden: hidden.map(|layer| layer.map_parameters(change)).collect(),
            output: self.output.map_parameters(change),
        }
    }
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
            draw(spec.weight, Purpose::OutputWeight, [inputs, classes]),
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
    pub fn activations(&self, x: impl Into<Input>) -> Vec<Tensor<3>> {
        let mut below = x.into();
        let layers = self.hidden.iter();
        let activations = layers.map(|layer| {
            let h = layer.forward(below.clone());
            below = h.clone().into();
            h
        });
        activations.collect()
    }

    /// What the softmax layer sees: the activations of the highest hidden layer, or x where there is none.
    #[must_use]
    pub fn code(&self, x: impl Into<Input>) -> Input {
        self.hidden
            .iter()
            .fold(x.into(), |below, layer| layer.forward(below).into())
    }

    /// The pre-activations of the softmax layer, `[member, batch, class]`, from [`code`](Self::code).
    #[must_use]
    pub fn logits(&self, code: impl Into<Input>) -> Tensor<3> {
        self.output.pre_activation(code)
    }

    /// The cost of a batch, summed over its images, and the gradient of its mean in every layer that learns.
    ///
    /// # Shapes
    ///
    /// - x: `[1, batch, input]`, targets: `[1, batch, class]`
    /// - cost: `[member, 1, 1]`
    ///
    /// All of them, and the parameters, outside of any graph.
    #[must_use]
    pub fn cost(
        &self,
        x: &Input,
        targets: &Tensor<3>,
        trained_layers: TrainedLayers,
    ) -> (Tensor<3>, GradientsParams) {
        let written_out = match trained_layers {
            TrainedLayers::All => self.back_propagated(x, targets),
            TrainedLayers::Output => None,
        };
        written_out.unwrap_or_else(|| self.differentiated(x, targets, trained_layers))
    }

    /// [`cost`](Self::cost) by burn's autodiff.
    fn differentiated(
        &self,
        x: &Input,
        targets: &Tensor<3>,
        trained_layers: TrainedLayers,
    ) -> (Tensor<3>, GradientsParams) {
        let learner = self.clone().train();
        let code = match trained_layers {
            TrainedLayers::All => learner.code(Tensor::from_inner(x.tensor())),
            // Layers that do not learn need no graph.
            TrainedLayers::Output => Tensor::from_inner(self.code(x.clone()).tensor()).into(),
        };
        let costs = cross_entropy(learner.logits(code), Tensor::from_inner(targets.clone()));
        let mean = costs.clone().sum().mul_scalar(1.0 / x.dims()[1] as f64);
        let gradients = GradientsParams::from_grads(mean.backward(), &learner);
        (costs.inner(), gradients)
    }

    /// The model after a step of plain gradient descent on a batch in every layer, and the cost before it; shapes as in
    /// [`cost`](Self::cost). The step is part of the backward pass, and no gradient is kept. Where the backend or an
    /// activation does not offer this, there is no cost, and the model is as it was.
    #[must_use]
    pub fn descend(
        self,
        x: &Input,
        targets: &Tensor<3>,
        learning_rate: f32,
    ) -> (Self, Option<Tensor<3>>) {
        let Some((passes, top)) = self.passes(x) else {
            return (self, None);
        };
        let [cost, slope] = mean_slope(top.output(), targets);
        let Self { hidden, output } = self;
        let (output, mut of_h) = output.descend(top, slope, learning_rate, below(hidden.len()));
        let mut learnt = Vec::with_capacity(hidden.len());
        for (at, (layer, pass)) in hidden.into_iter().zip(passes).enumerate().rev() {
            if let Some(slope) = of_h {
                let (layer, of_below) = layer.descend(pass, slope, learning_rate, below(at));
                of_h = of_below;
                learnt.push(layer);
            }
        }
        learnt.reverse();
        let hidden = learnt;
        (Self { hidden, output }, Some(cost))
    }

    /// [`cost`](Self::cost) of all layers by back-propagation written out (Okatani, *Deep Learning*, section 4.4); `None`
    /// where the backend or an activation does not offer it.
    fn back_propagated(
        &self,
        x: &Input,
        targets: &Tensor<3>,
    ) -> Option<(Tensor<3>, GradientsParams)> {
        let (passes, top) = self.passes(x)?;
        let [cost, slope] = mean_slope(top.output(), targets);
        let mut gradients = GradientsParams::new();
        let mut register = |layer: &Layer, [of_weight, of_bias]: [Tensor<3>; 2]| {
            gradients.register(layer.weight.id, of_weight);
            gradients.register(layer.bias.id, of_bias);
        };
        let (found, mut of_h) = top.gradients(slope, below(passes.len()));
        register(&self.output, found);
        for (at, (layer, pass)) in self.hidden.iter().zip(passes).enumerate().rev() {
            if let Some(slope) = of_h {
                let (found, of_below) = pass.gradients(slope, below(at));
                of_h = of_below;
                register(layer, found);
            }
        }
        Some((cost, gradients))
    }

    /// A batch's way through every hidden layer, and through the softmax layer, which ends in the logits.
    fn passes(&self, x: &Input) -> Option<(Vec<LayerPass>, LayerPass)> {
        let mut passes = Vec::with_capacity(self.hidden.len());
        let mut below = x.clone();
        for layer in &self.hidden {
            let pass = layer.pass(&below)?;
            below = pass.output().into();
            passes.push(pass);
        }
        Some((passes, self.output.pass(&below)?))
    }

    /// The probabilities of the classes, `[member, batch, class]`.
    #[must_use]
    pub fn forward(&self, x: impl Into<Input>) -> Tensor<3> {
        softmax(self.logits(self.code(x)), 2)
    }

    /// Every parameter by the name it is saved under, each with its leading member dimension.
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, Tensor<3>)> {
        let hidden = self.hidden.iter().enumerate().flat_map(|(at, layer)| {
            let name = crate::weights::layer_name(at);
            let named = move |(parameter, tensor)| (format!("{name}.{parameter}"), tensor);
            layer.parameters().into_iter().map(named)
        });
        let output = self.output.parameters().into_iter();
        hidden
            .chain(output.map(|(parameter, tensor)| (format!("output.{parameter}"), tensor)))
            .collect()
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
    /// if that learns too.
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
            TrainedLayers::All => 3 * forward - products[0],
            TrainedLayers::Output => forward + (inputs * classes) as u64,
        }
    }
}

/// The cost of a batch, and the slope of its mean over the images with respect to the logits.
fn mean_slope(logits: Tensor<3>, targets: &Tensor<3>) -> [Tensor<3>; 2] {
    let per_image = 1.0 / logits.dims()[1] as f32;
    fused::cross_entropy_with_slope(logits, targets.clone(), per_image)
}

/// Whether anything learns below a layer that stands on this many.
fn below(layers: usize) -> Wanted {
    if layers == 0 { Wanted::No } else { Wanted::Yes }
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
    use burn::tensor::TensorData;

    use super::*;
    use crate::model::numbers;
    use crate::spec::{Initialization, Variance};

    fn spec(hidden_units: &[usize]) -> ClassifierSpec {
        let normal = |value| Initialization::Normal {
            variance: Variance::Fixed { value },
        };
        ClassifierSpec {
            hidden_units: hidden_units.to_vec(),
            activation: Activation::Relu,
            weight: normal(0.1),
            bias: normal(0.01),
        }
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
        let x = Tensor::ones([1, 2, 6], &device);
        let layers = model.activations(x.clone());
        assert_eq!(layers.len(), 2);
        assert_eq!(
            numbers(layers[1].clone()),
            numbers(model.code(x.clone()).tensor()),
            "the code is the highest layer"
        );
        let probabilities = model.forward(x);
        assert_eq!(probabilities.dims(), [2, 2, 3]);
        for image in numbers(probabilities).chunks_exact(3) {
            assert!((image.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }

    /// Eight images of seven inputs, and which of three classes each is of.
    fn batch(device: &Device) -> (Input, Tensor<3>) {
        let number = |at: usize| ((at * 7919) % 100) as f32 / 50.0 - 1.0;
        let x: Vec<f32> = (0..8 * 7).map(number).collect();
        let wanted: Vec<f32> = (0..8 * 3)
            .map(|at| f32::from(u8::from(at % 3 == at / 3 % 3)))
            .collect();
        let [x, wanted] = [(x, 7), (wanted, 3)].map(|(values, width)| {
            Tensor::<3>::from_data(TensorData::new(values, [1, 8, width]), device)
        });
        (x.into(), wanted)
    }

    #[test]
    fn back_propagation_written_out_is_what_autodiff_gives() {
        let device = Device::flex();
        for hidden in [&[][..], &[5, 4], &[6; 5]] {
            let model = Classifier::new(&spec(hidden), 7, 3, &[1, 2], &device);
            let (x, wanted) = batch(&device);
            let (cost, ours) = model.back_propagated(&x, &wanted).expect("offered on flex");
            let (expected, theirs) = model.differentiated(&x, &wanted, TrainedLayers::All);
            // Each layer of the graph is the same operation: the same bits.
            assert_eq!(numbers(cost), numbers(expected));
            assert_eq!(ours.len(), theirs.len());
            for layer in model.hidden.iter().chain([&model.output]) {
                for id in [layer.weight.id, layer.bias.id] {
                    let of = |gradients: &GradientsParams| {
                        numbers(gradients.get::<3>(id).expect("every parameter has one"))
                    };
                    assert_eq!(of(&ours), of(&theirs), "{} hidden layers", hidden.len());
                }
            }
        }
    }

    #[test]
    fn a_step_in_the_backward_pass_is_a_step_against_the_gradient() {
        let device = Device::flex();
        for hidden in [&[][..], &[5, 4], &[6; 5]] {
            let model = Classifier::new(&spec(hidden), 7, 3, &[1, 2], &device);
            let (x, wanted) = batch(&device);
            let (expected, gradients) = model.cost(&x, &wanted, TrainedLayers::All);
            let (stepped, cost) = model.clone().descend(&x, &wanted, 0.5);
            assert_eq!(numbers(cost.expect("offered on flex")), numbers(expected));
            let layers = |model: &Classifier| -> Vec<Layer> {
                let hidden = model.hidden.iter().cloned();
                hidden.chain([model.output.clone()]).collect()
            };
            for (before, after) in layers(&model).iter().zip(&layers(&stepped)) {
                for (before, after) in
                    [(&before.weight, &after.weight), (&before.bias, &after.bias)]
                {
                    assert_eq!(before.id, after.id);
                    let gradient = numbers(gradients.get::<3>(before.id).expect("one for each"));
                    let (before, after) = (numbers(before.val()), numbers(after.val()));
                    for ((before, after), gradient) in before.iter().zip(after).zip(gradient) {
                        assert!((after - (before - 0.5 * gradient)).abs() < 1e-6);
                    }
                }
            }
        }
    }

    #[test]
    fn names_sort_as_layers_lie() {
        let model = Classifier::new(&spec(&[2; 11]), 2, 2, &[1], &Device::flex());
        let names: Vec<String> = model.parameters().into_iter().map(|p| p.0).collect();
        let mut sorted = names.clone();
        sorted.sort_by_key(|name| name.rsplit_once('.').map(|(layer, _)| layer.to_owned()));
        assert_eq!(names, sorted);
        assert_eq!(names[0], "layer.01.weight");
        assert_eq!(names.last().map(String::as_str), Some("output.bias"));
    }
}
