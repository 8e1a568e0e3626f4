//! The training of a group of classifiers in lockstep: the same batches, each member its own cost.
//!
//! Cost of a member: the cross-entropy of its softmax output, averaged over the batch. As no operation mixes
//! members, one backward pass over the sum of their costs gives each the gradient of its own.

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::autoencoder::{EVALUATION_BATCH, Order};
use super::dead::OutputRange;
use super::observe::{Meter, Observer, Stop};
use super::optimizer::Optimizer;
use super::state::{State, parameters_state, restored_parameters, tensor};
use crate::data::Split;
use crate::data::batches::Source;
use crate::fused::Input;
use crate::model::loss::cross_entropy;
use crate::model::{Classifier, Layer, numbers, whole_numbers};
use crate::seed::epoch_order;
use crate::spec::{Activation, TrainedLayers, TrainingSpec};

/// A group of classifiers at some point of their training.
pub struct ClassifierTrainee {
    model: Classifier,
    optimizer: Optimizer,
    members: usize,
    classes: usize,
    epochs_done: usize,
    /// Where the epoch that is on was left: batches done, and the sum of their costs, `[member, 1, 1]`.
    partial: Option<(usize, Tensor<3>)>,
    training: TrainingSpec,
    trained_layers: TrainedLayers,
    /// Multiply–accumulate operations of a step, for each image and member.
    step: u64,
    device: Device,
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
    pub gradient_norm: f64,
    pub gradient_mean: f64,
    pub activation_mean: f64,
    pub activation_spread: f64,
    pub dead_units: usize,
    pub units: usize,
}

impl ClassifierTrainee {
    /// A group about to start its first epoch, from a model on `device`, which has no autodiff.
    #[must_use]
    pub fn new(
        model: Classifier,
        training: &TrainingSpec,
        trained_layers: TrainedLayers,
        step: u64,
        device: &Device,
    ) -> Self {
        let [members, _, classes] = model.output.weight.dims();
        Self {
            model,
            optimizer: Optimizer::new(training),
            members,
            classes,
            epochs_done: 0,
            partial: None,
            training: training.clone(),
            trained_layers,
            step,
            device: device.clone(),
        }
    }

    #[must_use]
    pub fn epochs_done(&self) -> usize {
        self.epochs_done
    }

    #[must_use]
    pub fn is_trained(&self) -> bool {
        self.epochs_done >= self.training.epochs
    }

    /// The models as they are.
    #[must_use]
    pub fn model(&self) -> &Classifier {
        &self.model
    }

    /// Everything that the training needs to go on from here, in the middle of an epoch too.
    #[must_use]
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put_part("model", parameters_state(&self.model));
        state.put_part("optimizer", self.optimizer.state());
        state.put("epochs_done", &self.epochs_done);
        if let Some((batches, sum)) = &self.partial {
            state.put("batches", batches);
            state.put_numbers("cost_sum", numbers(sum.clone()));
        }
        state
    }

    /// This group, which is about to start, at the point that [`state`](Self::state) tells of; `None` if the state
    /// is that of another group.
    #[must_use]
    pub fn restored(self, mut state: State) -> Option<Self> {
        let device = &self.device;
        let (model, shapes) = restored_parameters(self.model, state.take_part("model"), device)?;
        let optimizer = self
            .optimizer
            .restored(state.take_part("optimizer"), &shapes, device)?;
        let partial = match state.take("batches") {
            None => None,
            Some(batches) => {
                let sum = state.take_numbers("cost_sum");
                Some((batches, tensor(sum, [self.members, 1, 1], device)?))
            }
        };
        Some(Self {
            model,
            optimizer,
            epochs_done: state.take("epochs_done")?,
            partial,
            ..self
        })
    }

    /// Trains every member on all of `split` once, or on what is left of an epoch, and gives each member's mean
    /// cost; `None` if a stop came in between, which leaves the epoch unfinished.
    #[must_use]
    pub fn epoch(
        self,
        split: &Split,
        order: Order,
        observer: &dyn Observer,
        stop: &Stop,
    ) -> (Self, Option<Vec<f64>>) {
        let Self {
            mut model,
            mut optimizer,
            members,
            classes,
            epochs_done,
            partial,
            training,
            trained_layers,
            step: work,
            device,
        } = self;
        let learning_rate = training.learning_rate_at(epochs_done);
        let images = split.labels.len();
        let rows = epoch_order(order.seed, order.stage, epochs_done as u64, images);
        // Sums stay on the device: reading them every step would make a GPU wait for the host.
        let (mut batches, mut sum) =
            partial.unwrap_or_else(|| (0, Tensor::zeros([members, 1, 1], &device)));
        let mut stopped = false;
        let mut meter = Meter::new(observer, rows.len());

        for indices in rows.chunks(training.batch_size).skip(batches) {
            stopped = stop.requested();
            if stopped {
                break;
            }
            let x = split.images.batch(indices, &device);
            let targets = targets(&split.labels, indices, classes, &device);
            let costs;
            (model, costs) = step(
                model,
                &mut optimizer,
                learning_rate,
                trained_layers,
                &x,
                &targets,
            );
            sum = sum + costs;
            batches += 1;
            observer.worked(work * (indices.len() * members) as u64);
            let done = (batches * training.batch_size).min(rows.len());
            meter.after(done, || numbers(sum.clone()));
        }

        let costs = (!stopped).then(|| {
            let sums = numbers(sum.clone()).into_iter();
            sums.map(|sum| f64::from(sum) / images as f64).collect()
        });
        let trainee = Self {
            model,
            optimizer,
            members,
            classes,
            epochs_done: epochs_done + usize::from(!stopped),
            partial: stopped.then_some((batches, sum)),
            training,
            trained_layers,
            step: work,
            device,
        };
        (trainee, costs)
    }

    /// How well each member does on `split`.
    #[must_use]
    pub fn score(&self, split: &Split) -> Vec<Score> {
        let model = &self.model;
        let mut right = vec![0_usize; self.members];
        let mut cost = vec![0.0_f64; self.members];
        let everything: Vec<u32> = (0..split.labels.len() as u32).collect();
        for indices in everything.chunks(EVALUATION_BATCH) {
            let x = split.images.batch(indices, &self.device);
            let targets = targets(&split.labels, indices, self.classes, &self.device);
            let logits = model.logits(model.code(x));
            let costs = numbers(cross_entropy(logits.clone(), targets));
            let classes = whole_numbers(logits.argmax(2));
            for (member, classes) in classes.chunks_exact(indices.len()).enumerate() {
                cost[member] += f64::from(costs[member]);
                right[member] += indices
                    .iter()
                    .zip(classes)
                    .filter(|&(&index, &class)| i64::from(split.labels[index as usize]) == class)
                    .count();
            }
        }
        let images = split.labels.len() as f64;
        right
            .into_iter()
            .zip(cost)
            .map(|(right, cost)| Score {
                accuracy: right as f64 / images,
                cost: cost / images,
            })
            .collect()
    }

    /// A look into every layer of every member with the first `images` images of `split`: member by member, from
    /// the input up, the softmax layer last. Changes nothing.
    #[must_use]
    pub fn probe(&self, split: &Split, images: usize) -> Vec<Vec<LayerProbe>> {
        let device = &self.device;
        let indices: Vec<u32> = (0..split.labels.len().min(images) as u32).collect();
        let x = split.images.batch(&indices, device);
        let targets = targets(&split.labels, &indices, self.classes, device);
        let (_, gradients) = self.model.cost(&x, &targets, TrainedLayers::All);
        let mut activations = self.model.activations(x.clone());
        let code = activations.last().cloned().map_or(x, Into::into);
        let logits = self.model.logits(code);
        activations.push(softmax(logits, 2));

        let layers: Vec<&Layer> = self
            .model
            .hidden
            .iter()
            .chain([&self.model.output])
            .collect();
        let mut probes = vec![Vec::with_capacity(layers.len()); self.members];
        for (at, (layer, activation)) in layers.iter().zip(activations).enumerate() {
            let [_, inputs, units] = layer.weight.dims();
            // A layer that no gradient reaches has none: as good as zeros.
            let gradient = gradients
                .get::<3>(layer.weight.id)
                .map_or_else(|| vec![0.0; self.members * inputs * units], numbers);
            let activation = numbers(activation);
            let gradients = gradient.chunks_exact(inputs * units);
            let activations = activation.chunks_exact(indices.len() * units);
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

/// The model after a step on a batch, and the cost before it.
fn step(
    mut model: Classifier,
    optimizer: &mut Optimizer,
    learning_rate: f64,
    trained_layers: TrainedLayers,
    x: &Input,
    targets: &Tensor<3>,
) -> (Classifier, Tensor<3>) {
    if let Some(rate) = optimizer.plain_rate(learning_rate)
        && trained_layers == TrainedLayers::All
    {
        let (stepped, costs) = model.descend(x, targets, rate);
        if let Some(costs) = costs {
            return (stepped, costs);
        }
        model = stepped;
    }
    let (costs, gradients) = model.cost(x, targets, trained_layers);
    (optimizer.step(learning_rate, model, gradients), costs)
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

/// 1 for each image's class and 0 elsewhere, `[1, batch, class]`.
fn targets(labels: &[u8], indices: &[u32], classes: usize, device: &Device) -> Tensor<3> {
    let mut values = vec![0.0_f32; indices.len() * classes];
    for (row, &index) in values.chunks_exact_mut(classes).zip(indices) {
        row[usize::from(labels[index as usize])] = 1.0;
    }
    Tensor::from_data(TensorData::new(values, [1, indices.len(), classes]), device)
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
