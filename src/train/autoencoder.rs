//! The training of autoencoders, for their own sake or as a layer's pretraining, and what they make of images.

use burn::module::Module;
use burn::tensor::{Gradients, Tensor, TensorData};

use super::corruption::corrupt;
use super::dead::OutputRange;
use super::optimizer::Optimizer;
use super::revive::{Silence, SilenceCounts};
use super::state::{State, tensor};
use super::training::{Learner, Place, Training};
use crate::model::{Autoencoder, Cost, Selection, Sparsity, numbers};
use crate::ops::Rows;
use crate::spec::{self, Activation, AutoencoderTraining, Corruption, DecoderBias, Revive};

/// Images per batch when nothing is learnt.
pub const EVALUATION_BATCH: usize = 500;

/// A unit counts into L0 where h exceeds this.
pub const ACTIVE_ABOVE: f32 = 0.01;

/// A group of autoencoders, one for each seed and sparsity term, at some point of their training.
pub type Trainee = Training<Autoencoding>;

/// The learning of an autoencoder: to reconstruct, sparsely.
pub struct Autoencoding {
    sparsity: Sparsity,
    corruption: Corruption,
    revive: Revive,
    silence: Option<Silence>,
    /// The batch's code between its cost and the step, outside of any graph.
    h: Option<Tensor<3>>,
    seeds: Vec<u64>,
    /// Which autoencoder this is of those trained one on the other, counted from 0.
    layer: u64,
    /// The encoder's weights before training, row-major `[member, input, unit]`.
    initial_weight: Vec<f32>,
}

impl Learner for Autoencoding {
    type Model = Autoencoder;
    type Examples = Rows;

    const PARTS: &'static [&'static str] = &["reconstruction", "sparsity"];

    fn cost(&mut self, model: &Autoencoder, x: &Rows, place: Place) -> Cost {
        let stream = [self.layer, place.epoch as u64, place.batch as u64];
        let corrupted = corrupt(x, self.corruption, &self.seeds, &stream);
        let code = model.code_of_batch(corrupted.as_ref().unwrap_or(x));
        let mut cost = model.cost_of_code(&code, x, corrupted.is_none(), &mut self.sparsity);
        let silent = self.silence.as_ref().and_then(Silence::silent);
        if let (Revive::AuxK { k, weight, .. }, Some(silent)) = (self.revive, silent) {
            let error = model.auxiliary_error(&code, x, silent, k);
            cost.total = cost.total + error.mul_scalar(weight);
        }
        self.h = Some(code.h.inner());
        cost
    }

    fn look_ahead(&mut self, model: &Autoencoder, examples: &Rows) {
        if self.sparsity.needs_mean_activation() {
            let model = model.valid();
            let mean = mean(examples, |x| model.encode(x));
            self.sparsity.take_mean_activation(mean);
        }
    }

    fn value(&self, parts: &[f64]) -> f64 {
        parts[0] + f64::from(numbers(self.sparsity.weight.clone())[0]) * parts[1]
    }

    fn shape_gradients(&self, model: &Autoencoder, gradients: &mut Gradients) {
        model.keep_tangential(gradients);
    }

    fn after_step(
        &mut self,
        model: Autoencoder,
        x: &Rows,
        optimizer: &mut Optimizer,
        place: Place,
    ) -> Autoencoder {
        let h = self.h.take().expect("a cost comes before a step");
        let model = model.after_step(h.clone());
        let Some(silence) = &mut self.silence else {
            return model;
        };
        if place.batch == 0 {
            silence.begin_epoch();
        }
        let is_round = silence.hear(h.clone());
        let is_early = 2 * place.epoch < place.epochs;
        if matches!(self.revive, Revive::Resample { .. }) && is_round && is_early {
            let stream = [self.layer, place.epoch as u64, place.batch as u64];
            return silence.resample(model, optimizer, x, h, (&self.seeds, stream));
        }
        model
    }

    fn state(&self) -> State {
        let mut state = State::default();
        let mean_activation = numbers(self.sparsity.mean_activation.clone());
        state.put_numbers("mean_activation", mean_activation);
        state.put("steps", &self.sparsity.steps);
        if let Some(silence) = &self.silence {
            state.put_part("silence", silence.state());
        }
        state
    }

    fn restore(&mut self, mut state: State) -> Option<()> {
        let before = &self.sparsity.mean_activation;
        let mean_activation = state.take_numbers("mean_activation");
        self.sparsity.mean_activation = tensor(mean_activation, before.dims(), &before.device())?;
        self.sparsity.steps = state.take("steps")?;
        match &mut self.silence {
            Some(silence) => silence.restore(state.take_part("silence")),
            None => Some(()),
        }
    }
}

/// One member's numbers on images that it was not trained on.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Reconstruction error, mean over the images.
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
    /// A group about to start its first epoch on `examples`, without autodiff: one member for each seed and its sparsity,
    /// which may differ in weight.
    ///
    /// `layer` counts autoencoders trained one on the other, from 0; a single one is layer 0.
    #[must_use]
    pub fn autoencoders(
        setting: &AutoencoderTraining,
        seeds: &[u64],
        sparsity: &[spec::Sparsity],
        examples: &Rows,
        layer: u64,
    ) -> Self {
        let spec = &setting.autoencoder;
        let (units, device) = (spec.hidden_units, &examples.device());
        let model = untrained(setting, seeds, examples, layer);
        let silence = setting.revive.silent_images();
        let learner = Autoencoding {
            sparsity: Sparsity::new(sparsity, units, device),
            corruption: setting.corruption,
            revive: setting.revive,
            silence: silence.map(|limit| Silence::new(limit, seeds.len(), units, device)),
            h: None,
            seeds: seeds.to_vec(),
            layer,
            initial_weight: numbers(model.encoder.weight.val()),
        };
        let work = Autoencoder::step_multiply_accumulates(spec, examples.inputs());
        Self::new(model, learner, &setting.training, seeds.len(), work)
    }

    /// The encoder's weights before training, row-major `[member, input, unit]`.
    #[must_use]
    pub fn initial_weight(&self) -> &[f32] {
        &self.learner.initial_weight
    }

    /// How many units of each member are silent, and how many became so and came back in the epoch; of trainings that bring
    /// silent units back.
    #[must_use]
    pub fn silence(&self) -> Option<Vec<SilenceCounts>> {
        self.learner.silence.as_ref().map(Silence::counts)
    }

    /// What each member makes of `images`, whose variation Σ‖x − x̄‖² is `variation`.
    #[must_use]
    pub fn evaluate(&self, images: &Rows, variation: f64) -> Vec<Evaluation> {
        let model = self.model();
        let [members, inputs, units] = model.encoder.weight.val().dims();
        let mut errors = vec![0.0_f64; members];
        // ½ Σ‖x̂ − x‖², which is the reconstruction error itself where that is the squared error.
        let mut squared = vec![0.0_f64; members];
        let mut activation = vec![0.0_f64; members * units];
        let mut on = vec![0.0_f64; members * units];
        let mut active = vec![0.0_f64; members];
        let activation_kind = model.encoder.activation();
        // Of ramps and of units that a choice turns off, it is enough to know for how many images they are on.
        let mut ranges: Vec<OutputRange> = match activation_kind {
            _ if model.selection() != Selection::All => Vec::new(),
            Activation::Relu => Vec::new(),
            _ => (0..members).map(|_| OutputRange::new(units)).collect(),
        };
        for x in images.parts(EVALUATION_BATCH) {
            let h = model.encode(&x);
            let count = x.count() as f64;
            let error = model.error_of_own_code(h.clone(), &x);
            add(&mut errors, error.mul_scalar(count));
            if !ranges.is_empty() {
                let h = numbers(h.clone());
                for (range, h) in ranges.iter_mut().zip(h.chunks_exact(x.count() * units)) {
                    range.extend(h);
                }
            }
            if !model.costs_squared_error() {
                let error = model.squared_error(h.clone(), &x);
                add(&mut squared, error.mul_scalar(count));
            }
            add(&mut on, h.clone().greater_scalar(0.0).float().sum_dim(1));
            let above = h.clone().greater_scalar(ACTIVE_ABOVE).float();
            add(&mut active, above.sum_dim(2).sum_dim(1));
            add(&mut activation, h.sum_dim(1));
        }
        if model.costs_squared_error() {
            squared.clone_from(&errors);
        }
        let count = images.count() as f64;
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
                        &self.initial_weight()[of_weights],
                        units,
                    ),
                }
            })
            .collect()
    }
}

/// Autoencoders as they are before any training on `examples`, one for each seed.
#[must_use]
pub fn untrained(
    setting: &AutoencoderTraining,
    seeds: &[u64],
    examples: &Rows,
    layer: u64,
) -> Autoencoder {
    let (spec, device) = (&setting.autoencoder, examples.device());
    let inputs = examples.inputs();
    let model = Autoencoder::new(spec, &setting.sparsity, inputs, layer, seeds, &device);
    match spec.decoder_bias {
        DecoderBias::DataMean => model.with_decoder_bias(mean(examples, Rows::numbers)),
        DecoderBias::Drawn(_) => model,
    }
}

/// The mean of what `of` makes of rows, `[member, row, column]`: `[member, 1, column]`; summed up in double precision.
fn mean(rows: &Rows, of: impl Fn(&Rows) -> Tensor<3>) -> Tensor<3> {
    let (mut sums, mut shape) = (Vec::new(), [0; 3]);
    for part in rows.parts(EVALUATION_BATCH) {
        let sum = of(&part).sum_dim(1);
        shape = sum.dims();
        sums.resize(shape.iter().product(), 0.0_f64);
        add(&mut sums, sum);
    }
    let means = sums.iter().map(|sum| (sum / rows.count() as f64) as f32);
    Tensor::from_data(TensorData::new(means.collect(), shape), &rows.device())
}

/// Calls `each` with what `encode` makes of every batch of `images`, in their order: h `[member, batch, unit]`.
pub fn encode_all(
    encode: impl Fn(&Rows) -> Tensor<3>,
    images: &Rows,
    mut each: impl FnMut(Tensor<3>),
) {
    for x in images.parts(EVALUATION_BATCH) {
        each(encode(&x));
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
pub(super) fn add(sums: &mut [f64], tensor: Tensor<3>) {
    for (sum, value) in sums.iter_mut().zip(numbers(tensor)) {
        *sum += f64::from(value);
    }
}
