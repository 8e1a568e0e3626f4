//! The training of a group of autoencoders in lockstep: the same batches, each member its own cost.
//!
//! Cost of a member: E + β Σⱼ KL(ρ‖ρ̂ⱼ) (Okatani, *Deep Learning*, section 5.3.3), averaged over the batch.
//! As no operation mixes members, each gets the gradient of its own cost.

use burn::tensor::{Device, Tensor};

use super::corruption::corrupt;
use super::dead::OutputRange;
use super::observe::{Meter, Observer, Stop};
use super::optimizer::Optimizer;
use super::state::{State, parameters_state, restored_parameters, tensor};
use crate::data::Images;
use crate::data::batches::Source;
use crate::fused;
use crate::model::{Autoencoder, Layer, Objective, numbers};
use crate::seed::epoch_order;
use crate::spec::{Activation, AutoencoderTraining};

/// Images per batch when nothing is learnt: as many as there usually are when something is, so that it needs no other
/// memory.
pub(super) const EVALUATION_BATCH: usize = 100;

/// A unit counts into L0 where h exceeds this.
pub const ACTIVE_ABOVE: f32 = 0.01;

/// A group of autoencoders, one for each seed and β, at some point of their training.
pub struct Trainee {
    model: Autoencoder,
    optimizer: Optimizer,
    objective: Objective,
    seeds: Vec<u64>,
    /// ρ̂ so far, `[member, 1, unit]`, not in any graph.
    mean_activation: Tensor<3>,
    initial_weight: Vec<f32>,
    epochs_done: usize,
    /// Where the epoch that is on was left; absent between two epochs.
    partial: Option<Partial>,
    setting: AutoencoderTraining,
    /// Which autoencoder this is of those trained one on the other, counted from 0.
    layer: u64,
    device: Device,
}

/// An epoch that was left before its end.
struct Partial {
    batches: u64,
    /// Sums over the images, and over the batches, that were done, `[member, 1, 1]`.
    reconstruction_sum: Tensor<3>,
    divergence_sum: Tensor<3>,
}

/// Where the order of batches comes from: that of an epoch is drawn from (seed, stage, epoch).
#[derive(Debug, Clone, Copy)]
pub struct Order {
    pub seed: u64,
    pub stage: u64,
}

/// One member's training costs over an epoch: means over images, and over batches for the divergence.
#[derive(Debug, Clone, Copy)]
pub struct Epoch {
    pub reconstruction: f64,
    /// Σⱼ KL(ρ‖ρ̂ⱼ) at the estimate in use, without β.
    pub divergence: f64,
}

/// One member's numbers on images that it was not trained on.
#[derive(Debug, Clone)]
pub struct Evaluation {
    pub reconstruction: f64,
    /// Not defined where the images do not vary.
    pub explained_variance: Option<f64>,
    /// ρ̂ of each unit.
    pub mean_activation: Vec<f64>,
    /// Units whose output tells none of the images from another; the module `dead` says when.
    pub dead: Vec<usize>,
    /// Mean number of units per image with h > [`ACTIVE_ABOVE`].
    pub active_units: f64,
    /// Units whose column still equals its initial values in every bit.
    pub untrained: Vec<usize>,
}

impl Trainee {
    /// A group about to start its first epoch, on a device without autodiff: one member for each seed and β.
    ///
    /// `layer` counts autoencoders trained one on the other, from 0; a single one is layer 0.
    #[must_use]
    pub fn new(
        setting: &AutoencoderTraining,
        seeds: &[u64],
        sparsity_weights: &[f64],
        inputs: usize,
        layer: u64,
        device: &Device,
    ) -> Self {
        let spec = &setting.autoencoder;
        let model = Autoencoder::new(spec, inputs, layer, seeds, device);
        let objective = Objective::new(
            spec.reconstruction,
            setting.sparsity,
            sparsity_weights,
            device,
        );
        Self {
            initial_weight: numbers(model.encoder.weight.val()),
            model,
            optimizer: Optimizer::new(&setting.training),
            mean_activation: objective.first_mean_activation(
                seeds.len(),
                spec.hidden_units,
                device,
            ),
            objective,
            seeds: seeds.to_vec(),
            epochs_done: 0,
            partial: None,
            setting: setting.clone(),
            layer,
            device: device.clone(),
        }
    }

    #[must_use]
    pub fn epochs_done(&self) -> usize {
        self.epochs_done
    }

    #[must_use]
    pub fn is_trained(&self) -> bool {
        self.epochs_done >= self.setting.training.epochs
    }

    /// The learning rate of the last finished epoch.
    #[must_use]
    pub fn last_learning_rate(&self) -> f64 {
        self.setting
            .training
            .learning_rate_at(self.epochs_done.saturating_sub(1))
    }

    /// The models as they are.
    #[must_use]
    pub fn model(&self) -> &Autoencoder {
        &self.model
    }

    /// The encoder's weights before training, row-major `[member, input, unit]`.
    #[must_use]
    pub fn initial_weight(&self) -> &[f32] {
        &self.initial_weight
    }

    /// Everything that the training needs to go on from here, in the middle of an epoch too.
    #[must_use]
    pub fn state(&self) -> State {
        let mut state = State::default();
        state.put_part("model", parameters_state(&self.model));
        state.put_part("optimizer", self.optimizer.state());
        state.put_numbers("mean_activation", numbers(self.mean_activation.clone()));
        state.put("epochs_done", &self.epochs_done);
        if let Some(partial) = &self.partial {
            state.put("batches", &partial.batches);
            let sums = [&partial.reconstruction_sum, &partial.divergence_sum];
            for (name, sum) in ["reconstruction_sum", "divergence_sum"].iter().zip(sums) {
                state.put_numbers(name, numbers(sum.clone()));
            }
        }
        state
    }

    /// This group, which is about to start, at the point that [`state`](Self::state) tells of; `None` if the state
    /// is that of another group.
    #[must_use]
    pub fn restored(self, mut state: State) -> Option<Self> {
        let device = &self.device;
        let members = self.seeds.len();
        let (model, shapes) = restored_parameters(self.model, state.take_part("model"), device)?;
        let optimizer = self
            .optimizer
            .restored(state.take_part("optimizer"), &shapes, device)?;
        let mean_activation = tensor(
            state.take_numbers("mean_activation"),
            self.mean_activation.dims(),
            device,
        )?;
        let partial = match state.take("batches") {
            None => None,
            Some(batches) => Some(Partial {
                batches,
                reconstruction_sum: tensor(
                    state.take_numbers("reconstruction_sum"),
                    [members, 1, 1],
                    device,
                )?,
                divergence_sum: tensor(
                    state.take_numbers("divergence_sum"),
                    [members, 1, 1],
                    device,
                )?,
            }),
        };
        Some(Self {
            model,
            optimizer,
            mean_activation,
            epochs_done: state.take("epochs_done")?,
            partial,
            ..self
        })
    }

    /// Trains every member on all of `source` once, or on what is left of an epoch, and gives each member's costs;
    /// `None` if a stop came in between, which leaves the epoch unfinished.
    #[must_use]
    pub fn epoch(
        self,
        source: &dyn Source,
        order: Order,
        observer: &dyn Observer,
        stop: &Stop,
    ) -> (Self, Option<Vec<Epoch>>) {
        let Self {
            mut model,
            mut optimizer,
            objective,
            seeds,
            mut mean_activation,
            initial_weight,
            epochs_done,
            partial,
            setting,
            layer,
            device,
        } = self;
        let training = &setting.training;
        let learning_rate = training.learning_rate_at(epochs_done);
        let work = Autoencoder::step_multiply_accumulates(&setting.autoencoder, source.inputs());
        let rows = epoch_order(order.seed, order.stage, epochs_done as u64, source.count());
        // Sums stay on the device: reading them every step would make a GPU wait for the host.
        let zeros = || Tensor::<3>::zeros([seeds.len(), 1, 1], &device);
        let Partial {
            mut batches,
            mut reconstruction_sum,
            mut divergence_sum,
        } = partial.unwrap_or_else(|| Partial {
            batches: 0,
            reconstruction_sum: zeros(),
            divergence_sum: zeros(),
        });
        let mut stopped = false;
        let mut meter = Meter::new(observer, rows.len());

        for indices in rows.chunks(training.batch_size).skip(batches as usize) {
            stopped = stop.requested();
            if stopped {
                break;
            }
            let target = source.batch(indices, &device);
            let place = [layer, epochs_done as u64, batches];
            let input = corrupt(&target, setting.corruption, &seeds, &place);
            let (cost, gradients) =
                objective.cost(&model, &target, input.as_ref(), &mean_activation);
            mean_activation = cost.mean_activation;
            reconstruction_sum = reconstruction_sum + cost.reconstruction;
            divergence_sum = divergence_sum + cost.divergence;
            batches += 1;
            model = optimizer.step(learning_rate, model, gradients);
            observer.worked(work * (indices.len() * seeds.len()) as u64);
            let done = (batches as usize * training.batch_size).min(rows.len());
            meter.after(done, || numbers(reconstruction_sum.clone()));
        }

        let costs = (!stopped).then(|| {
            let per_image = 1.0 / source.count() as f64;
            let per_batch = 1.0 / batches as f64;
            numbers(reconstruction_sum.clone())
                .into_iter()
                .zip(numbers(divergence_sum.clone()))
                .map(|(errors, divergences)| Epoch {
                    reconstruction: f64::from(errors) * per_image,
                    divergence: f64::from(divergences) * per_batch,
                })
                .collect()
        });
        let trainee = Self {
            model,
            optimizer,
            objective,
            seeds,
            mean_activation,
            initial_weight,
            epochs_done: epochs_done + usize::from(!stopped),
            partial: stopped.then_some(Partial {
                batches,
                reconstruction_sum,
                divergence_sum,
            }),
            setting,
            layer,
            device,
        };
        (trainee, costs)
    }

    /// What each member makes of `images`.
    #[must_use]
    pub fn evaluate(&self, images: &Images) -> Vec<Evaluation> {
        let model = &self.model;
        let [members, inputs, units] = model.encoder.weight.val().dims();
        let mut errors = vec![0.0_f64; members];
        // ½ Σ‖x̂ − x‖², which is the reconstruction loss itself where that is the squared error.
        let mut squared = vec![0.0_f64; members];
        let mut activation = vec![0.0_f64; members * units];
        let mut on = vec![0.0_f64; members * units];
        let mut active = vec![0.0_f64; members];
        let activation_kind = self.setting.autoencoder.activation;
        // Of ramp units, it is enough to know for how many images they are on.
        let mut ranges: Vec<OutputRange> = match activation_kind {
            Activation::Relu => Vec::new(),
            _ => (0..members).map(|_| OutputRange::new(units)).collect(),
        };
        let everything: Vec<u32> = (0..images.count() as u32).collect();
        let evaluator = model.evaluator();

        for indices in everything.chunks(EVALUATION_BATCH) {
            let x = images.batch(indices, &self.device);
            let (h, halves) = evaluator.code_and_squared_errors(&x);
            add(&mut squared, halves);
            if !self.objective.is_squared_error() {
                add(
                    &mut errors,
                    self.objective.reconstruction(model, h.clone(), x.tensor()),
                );
            }
            if !ranges.is_empty() {
                let h = numbers(h.clone());
                for (range, h) in ranges.iter_mut().zip(h.chunks_exact(indices.len() * units)) {
                    range.extend(h);
                }
            }
            if let Some(found) = fused::activity(&h, ACTIVE_ABOVE) {
                add_numbers(&mut on, &found.on);
                add_numbers(&mut activation, &found.total);
                for (active, above) in active.iter_mut().zip(found.above.chunks_exact(units)) {
                    *active += above.iter().map(|&count| f64::from(count)).sum::<f64>();
                }
            } else {
                add(&mut on, h.clone().greater_scalar(0.0).float().sum_dim(1));
                let above = h.clone().greater_scalar(ACTIVE_ABOVE).float();
                add(&mut active, above.sum_dim(1).sum_dim(2));
                add(&mut activation, h.sum_dim(1));
            }
        }

        if self.objective.is_squared_error() {
            errors.clone_from(&squared);
        }
        let count = images.count() as f64;
        let variation = images.total_variation();
        let weight = numbers(model.encoder.weight.val());
        (0..members)
            .map(|member| {
                let of_units = member * units..(member + 1) * units;
                let of_weights = member * inputs * units..(member + 1) * inputs * units;
                Evaluation {
                    reconstruction: errors[member] / count,
                    explained_variance: (variation > 0.0)
                        .then(|| 1.0 - 2.0 * squared[member] / variation),
                    mean_activation: activation[of_units].iter().map(|sum| sum / count).collect(),
                    dead: match ranges.get(member) {
                        Some(range) => range.dead(activation_kind),
                        None => (0..units)
                            .filter(|unit| on[member * units + unit] == 0.0)
                            .collect(),
                    },
                    active_units: active[member] / count,
                    untrained: equal_columns(
                        &weight[of_weights.clone()],
                        &self.initial_weight[of_weights],
                        units,
                    ),
                }
            })
            .collect()
    }
}

/// Calls `each` with the codes of every batch of `source`, in its order: h `[member, batch, unit]`.
pub fn encode_all(
    encoder: &Layer,
    source: &dyn Source,
    device: &Device,
    mut each: impl FnMut(Tensor<3>),
) {
    let everything: Vec<u32> = (0..source.count() as u32).collect();
    for indices in everything.chunks(EVALUATION_BATCH) {
        each(encoder.forward(source.batch(indices, device)));
    }
}

/// The columns of two `[rows, columns]` matrices that are equal in every bit.
fn equal_columns(one: &[f32], other: &[f32], columns: usize) -> Vec<usize> {
    let mut equal = vec![true; columns];
    for (one, other) in one.chunks_exact(columns).zip(other.chunks_exact(columns)) {
        for ((equal, one), other) in equal.iter_mut().zip(one).zip(other) {
            *equal &= one.to_bits() == other.to_bits();
        }
    }
    (0..columns).filter(|&column| equal[column]).collect()
}

/// Adds a tensor of sums to sums kept on the host in double precision.
fn add(sums: &mut [f64], tensor: Tensor<3>) {
    add_numbers(sums, &numbers(tensor));
}

fn add_numbers(sums: &mut [f64], values: &[f32]) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum += f64::from(value);
    }
}
