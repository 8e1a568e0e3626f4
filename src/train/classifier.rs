//! The training of classifiers, how well they do, and what is in their layers.

use burn::optim::GradientsParams;
use burn::tensor::activation::softmax;
use burn::tensor::{Tensor, TensorData};

use super::autoencoder::{EVALUATION_BATCH, add};
use super::dead::OutputRange;
use super::training::{Examples, Learner, Place, Training};
use crate::model::{Classifier, Cost, Layer, numbers};
use crate::ops::{self, Rows, on_device};
use crate::spec::{Activation, TrainedLayers, TrainingSpec};

/// A group of classifiers at some point of their training.
pub type ClassifierTrainee = Training<Classification>;

/// Images with their classes, on a device: a data set, or a batch of one.
#[derive(Debug, Clone)]
pub struct Labelled {
    /// The images, `[1, image, input]`.
    pub images: Rows,
    /// 1 for each image's class and 0 elsewhere, `[1, image, class]`; absent where the images have no classes.
    targets: Option<Tensor<3>>,
}

impl Labelled {
    /// Images with their labels, where they have labels: classifiers learn from no others.
    ///
    /// # Panics
    ///
    /// Panics if there is not one label below `classes` for each image.
    #[must_use]
    pub fn new(images: Rows, labels: Option<&[u8]>, classes: usize) -> Self {
        let targets = labels.map(|labels| {
            assert_eq!(images.count(), labels.len(), "a label for each image");
            let mut targets = vec![0.0_f32; labels.len() * classes];
            for (row, &label) in targets.chunks_exact_mut(classes).zip(labels) {
                row[usize::from(label)] = 1.0;
            }
            let data = TensorData::new(targets, [1, labels.len(), classes]);
            Tensor::from_data(data, &images.device())
        });
        Self { images, targets }
    }

    /// 1 for each image's class and 0 elsewhere, `[1, image, class]`.
    pub(super) fn targets(&self) -> Tensor<3> {
        let targets = self.targets.clone();
        targets.expect("classifiers are given images with labels")
    }

    /// Others in their place, of the same classes.
    pub(super) fn with_images(&self, images: Rows) -> Self {
        Self {
            images,
            targets: self.targets.clone(),
        }
    }

    /// How many classes there are.
    pub(super) fn classes(&self) -> usize {
        self.targets.as_ref().map_or(0, |targets| targets.dims()[2])
    }
}

impl Examples for Labelled {
    fn count(&self) -> usize {
        self.images.count()
    }

    fn select(&self, indices: &[u32]) -> Self {
        let targets = self.targets.clone();
        Self {
            targets: targets.map(|all| all.select(1, on_device(indices, &self.images.device()))),
            images: self.images.select(indices),
        }
    }

    fn part(&self, start: usize, count: usize) -> Self {
        let images = self.images.part(start, count);
        let targets = self.targets.clone();
        Self {
            targets: targets.map(|all| all.narrow(1, start, images.count())),
            images,
        }
    }
}

/// The learning of a classifier: to name classes.
pub struct Classification {
    trained_layers: TrainedLayers,
}

impl Learner for Classification {
    type Model = Classifier;
    type Examples = Labelled;

    const PARTS: &'static [&'static str] = &["cost"];

    fn cost(&mut self, model: &Classifier, examples: &Labelled, place: Place) -> Cost {
        let trained = self.trained_layers.in_epoch(place.epoch);
        model.cost(&examples.images, examples.targets(), trained)
    }

    fn begins_anew(&self, epoch: usize) -> bool {
        let trained = |epoch| self.trained_layers.in_epoch(epoch);
        epoch > 0 && trained(epoch) != trained(epoch - 1)
    }
}

/// What one member makes of images with their labels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Share of the images put into their class.
    pub accuracy: f64,
    /// Mean cross-entropy, in nats.
    pub cost: f64,
}

/// What a batch finds in one layer of one member; quantities as in [`LayerRecord`](crate::results::LayerRecord).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerProbe {
    /// ‖∂L/∂W‖ over the layer's weights.
    pub gradient_norm: f64,
    /// The mean of |∂L/∂W| over the layer's weights.
    pub gradient_mean: f64,
    /// Mean activation over units and images.
    pub activation_mean: f64,
    /// Standard deviation of a unit's activation over images, as a root mean square over units.
    pub activation_spread: f64,
    /// Units that are dead on the batch; 0 for the softmax layer.
    pub dead_units: usize,
    /// How many units the layer has.
    pub units: usize,
}

/// How well each of so many members does on `examples`, by its logits `[member, batch, class]`.
pub(super) fn score(
    logits: impl Fn(&Rows) -> Tensor<3>,
    members: usize,
    examples: &Labelled,
) -> Vec<Score> {
    let mut right = vec![0.0_f64; members];
    let mut cost = vec![0.0_f64; members];
    for start in (0..examples.count()).step_by(EVALUATION_BATCH) {
        let part = examples.part(start, EVALUATION_BATCH);
        let (images, targets) = (&part.images, part.targets());
        let logits = logits(images);
        let wanted = targets
            .clone()
            .argmax(2)
            .expand([members, images.count(), 1]);
        let is_right = logits.clone().argmax(2).equal(wanted).float();
        add(&mut right, is_right.sum_dim(1));
        let mean = ops::cross_entropy(logits, targets);
        add(&mut cost, mean.mul_scalar(images.count() as f64));
    }
    let images = examples.count() as f64;
    let of_members = right.into_iter().zip(cost);
    of_members
        .map(|(right, cost)| Score {
            accuracy: right / images,
            cost: cost / images,
        })
        .collect()
}

impl ClassifierTrainee {
    /// A group about to start its first epoch, from a model on a device without autodiff. `work`: multiply–accumulates of a
    /// step, for each image and member.
    #[must_use]
    pub fn classifiers(
        model: Classifier,
        training: &TrainingSpec,
        trained_layers: TrainedLayers,
        work: u64,
    ) -> Self {
        let [members, _, _] = model.output.weight.dims();
        let learner = Classification { trained_layers };
        Self::new(model, learner, training, members, work)
    }

    /// How well each member does on `examples`.
    #[must_use]
    pub fn score(&self, examples: &Labelled) -> Vec<Score> {
        let model = self.model();
        let [members, _, _] = model.output.weight.dims();
        score(|x| model.logits(&model.code(x)), members, examples)
    }

    /// A look into every layer of every member with the first `images` images of `examples`: member by member, from
    /// the input up, the softmax layer last. Changes nothing.
    #[must_use]
    pub fn probe(&self, examples: &Labelled, images: usize) -> Vec<Vec<LayerProbe>> {
        let part = examples.part(0, images);
        let (images, learning) = (&part.images, self.learning());
        let cost = learning.cost(images, part.targets(), TrainedLayers::All);
        let gradients = GradientsParams::from_grads(cost.total.backward(), learning);
        let model = self.model();
        let mut activations = model.activations(images);
        let code = activations
            .last()
            .map_or(images.clone(), |h| h.clone().into());
        activations.push(softmax(model.logits(&code), 2));

        let layers: Vec<&Layer> = model.hidden.iter().chain([&model.output]).collect();
        let [members, _, _] = model.output.weight.dims();
        let mut probes = vec![Vec::with_capacity(layers.len()); members];
        for (at, (layer, activation)) in layers.iter().zip(activations).enumerate() {
            let [_, inputs, units] = layer.weight.dims();
            // A layer that no gradient reaches has none: as good as zeros.
            let gradient = gradients
                .get::<3>(layer.weight.id)
                .map_or_else(|| vec![0.0; members * inputs * units], numbers);
            let activation = numbers(activation);
            let gradients = gradient.chunks_exact(inputs * units);
            let activations = activation.chunks_exact(images.count() * units);
            for (member, (gradient, activation)) in gradients.zip(activations).enumerate() {
                let mut probe = look(gradient, activation, units, layer.activation());
                if at + 1 == layers.len() {
                    // A class is not a unit that may die.
                    probe.dead_units = 0;
                }
                probes[member].push(probe);
            }
        }
        probes
    }
}

/// The numbers of one layer from the gradient of its weights and its activations, row-major `[image, unit]`.
fn look(gradient: &[f32], activation: &[f32], units: usize, kind: Activation) -> LayerProbe {
    let entries = gradient.len() as f64;
    let squares: f64 = gradient.iter().map(|&g| f64::from(g).powi(2)).sum();
    let magnitudes: f64 = gradient.iter().map(|&g| f64::from(g).abs()).sum();
    let images = activation.len() as f64 / units as f64;
    let mut sums = vec![0.0_f64; units];
    for image in activation.chunks_exact(units) {
        for (sum, &h) in sums.iter_mut().zip(image) {
            *sum += f64::from(h);
        }
    }
    let mut range = OutputRange::new(units);
    range.extend(activation);
    let means: Vec<f64> = sums.iter().map(|sum| sum / images).collect();
    let deviations: f64 = activation
        .chunks_exact(units)
        .flat_map(|image| image.iter().zip(&means))
        .map(|(&h, mean)| (f64::from(h) - mean).powi(2))
        .sum();
    LayerProbe {
        gradient_norm: squares.sqrt(),
        gradient_mean: magnitudes / entries,
        activation_mean: means.iter().sum::<f64>() / units as f64,
        activation_spread: (deviations / activation.len() as f64).sqrt(),
        dead_units: range.dead(kind).len(),
        units,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_gives_what_one_gets_by_hand() {
        // Two units on two images: (1, 0) and (3, 0).
        let probe = look(
            &[3.0, -4.0, 0.0, 0.0],
            &[1.0, 0.0, 3.0, 0.0],
            2,
            Activation::Relu,
        );
        assert_eq!(
            probe,
            LayerProbe {
                gradient_norm: 5.0,
                gradient_mean: 1.75,
                activation_mean: 1.0,
                // Variances 1 and 0: root of their mean.
                activation_spread: 0.5_f64.sqrt(),
                dead_units: 1,
                units: 2,
            }
        );
    }

    #[test]
    fn a_gradient_as_small_as_the_deepest_one_is_still_measured() {
        let probe = look(&[1e-30; 4], &[1.0, 2.0], 1, Activation::Relu);
        assert!(
            (probe.gradient_norm / 2e-30 - 1.0).abs() < 1e-6,
            "{probe:?}"
        );
    }
}
