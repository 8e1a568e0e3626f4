//! Greedy layer-wise pretraining against the vanishing gradient (Okatani, *Deep Learning*, chapter 5; Bengio et al.
//! 2007): classifiers that differ in how they come to their first weights, compared by their test accuracy after
//! every epoch and by what they cost.
//!
//! A condition is run once for each seed. Seeds of a condition, and conditions, are independent of each other;
//! all classifiers see the same batches in the same order, and those of one seed draw the same first weights layer
//! by layer, so that what tells two of them apart is their condition.

use std::mem;
use std::time::Instant;

use super::tasks::{Advance, Task};
use super::{Failure, Models, Setting, Trained, Watched, by_condition, end_of};
use crate::backend::Kind;
use crate::data::Dataset;
use crate::model::{Autoencoder, Classifier, DeepAutoencoder, Layer, LayerValues, parameters};
use crate::results::{
    ClassifierRecord, Ended, LayerRecord, Member, MemberSeconds, Numbers, StageRecord,
    TransferProof,
};
use crate::spec::{
    AutoencoderTraining, ClassifierTraining, Condition, Keep, Model, Plan, Target, TrainedLayers,
    Transfer,
};
use crate::train::pretraining::{
    Pretraining, StageEpoch, copy_into, fits, layers_state, of_one_layer, restored_layers,
    transferred,
};
use crate::train::{ClassifierTrainee, Kept, MemberObserver, Order, Record, State};
use crate::weights::{Weights, hash_of, layer_name};

/// Images of the fixed batch, the first of the training images, that is sent through every layer after each epoch:
/// enough to find a unit that is ever on, few enough to cost under 3 % of an epoch.
pub const PROBE_IMAGES: usize = 1000;

/// Multiply–accumulate operations of the whole training of one member of a condition, on so many training images and so
/// many to pretrain on.
#[must_use]
pub fn multiply_accumulates(
    condition: &Condition,
    [images, to_pretrain]: [usize; 2],
    inputs: usize,
    classes: usize,
) -> u64 {
    let of_model = match &condition.model {
        Model::Autoencoder(of) => Autoencoder::step_multiply_accumulates(&of.autoencoder, inputs),
        Model::Classifier(of) => step(of, inputs, classes),
        Model::DeepAutoencoder(of) => {
            DeepAutoencoder::step_multiply_accumulates(&of.network, inputs)
        }
    };
    let stages = condition.stages();
    let target = condition
        .classifier()
        .map_or(Target::default(), |of| of.target);
    let pretraining: u64 = (0..stages.len())
        .map(|stage| {
            let [epoch, codes] = stage_work(stages, target, stage, [to_pretrain, inputs, classes]);
            let epochs = stages[stage].training.epochs as u64;
            epoch.saturating_mul(epochs).saturating_add(codes)
        })
        .fold(0, u64::saturating_add);
    let training = condition.training();
    let images = (images * training.epochs * training.passes()) as u64;
    pretraining.saturating_add(of_model.saturating_mul(images))
}

/// The tasks of a plan: each member alone, or on a GPU all seeds of a condition together, unless each searches its own way.
pub fn tasks(plan: &Plan, kind: Kind, data: &Dataset) -> Vec<Box<dyn Task>> {
    let mut tasks: Vec<Box<dyn Task>> = Vec::new();
    for (condition, members) in plan.conditions.iter().zip(by_condition(plan)) {
        let Some(training) = condition.classifier() else {
            continue;
        };
        let size = match kind {
            Kind::Gpu | Kind::SoftwareGpu if !condition.searches() => members.len(),
            _ => 1,
        };
        for members in members.chunks(size) {
            let task = tasks.len();
            let whole = multiply_accumulates(
                condition,
                [&data.train, data.to_pretrain()].map(|of| of.images.count()),
                data.train.images.inputs(),
                data.classes,
            );
            let group = Group::new(task, training.clone(), members.to_vec(), whole);
            tasks.push(Box::new(group));
        }
    }
    tasks
}

/// One condition under one seed, or under all seeds where they are batched.
struct Group {
    /// Position among all tasks.
    task: usize,
    condition: ClassifierTraining,
    members: Vec<Member>,
    /// Operations of one member's whole training.
    whole: u64,
    phase: Phase,
    /// What the pretraining learnt, as it learnt it.
    encoders: Vec<LayerValues>,
    stage_records: Vec<StageRecord>,
    records: Vec<ClassifierRecord>,
    layers: Vec<LayerRecord>,
    /// The best of the epochs so far, where that is kept.
    kept: Option<Kept>,
    proofs: Vec<TransferProof>,
    /// The members that could not go on; the others do.
    ended: Vec<Ended>,
    /// Of every member, once the last epoch is done.
    numbers: Option<Vec<Numbers>>,
    seconds: Vec<MemberSeconds>,
    updates: u64,
    multiply_accumulates: u64,
}

enum Phase {
    Waiting,
    Pretraining(Box<Pretraining>),
    Training(Box<ClassifierTrainee>),
}

impl Group {
    fn new(task: usize, condition: ClassifierTraining, members: Vec<Member>, whole: u64) -> Self {
        let seconds = |member: &Member| MemberSeconds {
            member: member.index,
            ..MemberSeconds::default()
        };
        let kept = match condition.keep {
            Keep::Last => None,
            Keep::Best { patience } => Some(Kept::new(members.len(), patience)),
        };
        Self {
            task,
            condition,
            whole,
            seconds: members.iter().map(seconds).collect(),
            members,
            phase: Phase::Waiting,
            encoders: Vec::new(),
            stage_records: Vec::new(),
            records: Vec::new(),
            layers: Vec::new(),
            kept,
            proofs: Vec::new(),
            ended: Vec::new(),
            numbers: None,
            updates: 0,
            multiply_accumulates: 0,
        }
    }

    /// Takes a member out that cannot go on.
    fn end(&mut self, ended: Ended, setting: &Setting<'_>) {
        setting.observer.ended(&ended);
        self.ended.push(ended);
        if self.all_have_ended() {
            setting.observer.worked_before(self.work_left());
        }
    }

    /// Operations that will never be done, as all members have ended or can wait no longer for a better epoch.
    fn work_left(&self) -> u64 {
        self.whole.saturating_sub(self.multiply_accumulates) * self.members.len() as u64
    }

    fn seeds(&self) -> Vec<u64> {
        self.members.iter().map(|member| member.seed).collect()
    }

    /// The group at its start, or where an earlier run left it, with what was found so far told again.
    fn begin(&mut self, setting: &Setting<'_>) -> Result<(), Failure> {
        let examples = setting.examples.to_pretrain();
        let (stages, seeds) = (&self.condition.stages, self.seeds());
        let fresh = match self.condition.target {
            Target::Reconstruction => Pretraining::new(stages, &seeds, &examples.images),
            Target::Classes => Pretraining::of_classes(stages, &seeds, examples),
        };
        let Some(state) = setting.shelf.take(self.task) else {
            self.phase = Phase::Pretraining(Box::new(fresh));
            return Ok(());
        };
        let label = self.members[0].label.clone();
        self.restore(fresh, state, setting)
            .ok_or(Failure::Checkpoint { label })?;
        let work = self.multiply_accumulates * self.members.len() as u64;
        setting.observer.worked_before(work);
        for record in &self.stage_records {
            setting.observer.recall(Record::Stage(record));
        }
        for record in &self.records {
            let of_record =
                |layer: &&LayerRecord| (layer.epoch, layer.member) == (record.epoch, record.member);
            let layers: Vec<LayerRecord> = self.layers.iter().filter(of_record).cloned().collect();
            setting.observer.recall(Record::Classifier(record, &layers));
        }
        if self.is_through() {
            setting.observer.worked_before(self.work_left());
        }
        Ok(())
    }

    /// Takes over what [`state`](Self::state) gave; `None` if it is that of another group.
    fn restore(
        &mut self,
        fresh: Pretraining,
        mut state: State,
        setting: &Setting<'_>,
    ) -> Option<()> {
        self.stage_records = state.take("stage_records")?;
        self.records = state.take("records")?;
        self.layers = state.take("layers")?;
        self.proofs = state.take("proofs")?;
        self.ended = state.take("ended")?;
        let numbers: Option<Vec<Numbers>> = state.take("numbers")?;
        self.seconds = state.take("seconds")?;
        self.updates = state.take("updates")?;
        self.multiply_accumulates = state.take("multiply_accumulates")?;
        self.encoders = restored_layers(state.take_part("encoders"))?;
        let inputs = setting.data.train.images.inputs();
        let members = self.members.len();
        let stages = &self.condition.stages;
        if self.seconds.len() != members || !fits(&self.encoders, stages, members, inputs) {
            return None;
        }
        let training = state.take_part("training");
        self.phase = if training.is_empty() {
            let images = &setting.examples.to_pretrain().images;
            let pretraining = fresh.restored(state.take_part("pretraining"), images)?;
            Phase::Pretraining(Box::new(pretraining))
        } else {
            let fresh = self.fresh_classifier(setting);
            let model = fresh.model();
            let trainee = fresh.restored(training, &setting.backend.device)?;
            if let Some(kept) = &mut self.kept {
                kept.restore(model, state.take_part("kept"), &setting.backend.device)?;
            }
            // Of a training that was to be shorter, the end is no end any more.
            self.numbers = numbers.filter(|_| self.is_trained(&trainee));
            Phase::Training(Box::new(trainee))
        };
        Some(())
    }

    fn pretrain(&mut self, mut pretraining: Pretraining, setting: &Setting<'_>) -> Advance {
        let images = &setting.examples.to_pretrain().images;
        let start = Instant::now();
        let observer = MemberObserver {
            observer: setting.observer,
            members: &self.members,
            stage: Some(pretraining.encoders().len() + 1),
        };
        let epoch = pretraining.epoch(images, setting.order_seed, &observer, setting.stop);
        let seconds = start.elapsed().as_secs_f64() / self.members.len() as f64;
        let finished = pretraining.encoders().len();
        self.phase = Phase::Pretraining(Box::new(pretraining));
        let Some(epoch) = epoch else {
            return Advance::Done;
        };
        let stage = &self.condition.stages[epoch.stage];
        let (stages, target) = (&self.condition.stages, self.condition.target);
        let sizes = [images.count(), images.inputs(), setting.data.classes];
        let [work, codes] = stage_work(stages, target, epoch.stage, sizes);
        self.multiply_accumulates += work + codes * u64::from(finished > epoch.stage);
        self.updates += stage.training.steps(images.count()) as u64;
        let sparsity_weight = stage.sparsity.weight();
        for (at, member) in self.members.clone().iter().enumerate() {
            if self.has_ended(member) {
                continue;
            }
            self.seconds[at].pretraining += seconds;
            let record = stage_record(&epoch, at, member, sparsity_weight);
            if let Some(ended) = end_of_stage(member, &record) {
                self.end(ended, setting);
            } else {
                setting.observer.record(Record::Stage(&record));
                self.stage_records.push(record);
            }
        }
        if self.all_have_ended() {
            Advance::Done
        } else {
            Advance::More
        }
    }

    /// The classifier at the start of its own training, with the encoders copied in and the proof that they are.
    fn classifier(
        &mut self,
        encoders: &[LayerValues],
        setting: &Setting<'_>,
    ) -> Result<ClassifierTrainee, Failure> {
        self.encoders = encoders.to_vec();
        let trainee = self.fresh_classifier(setting);
        let model = trainee.model();
        let transfer = self.condition.transfer;
        let start = transferred(&self.encoders, transfer, &self.seeds());
        let going_on = |member: &Member| !self.has_ended(member);
        let proofs = transfer_proofs(&start, &model.hidden, transfer, &self.members, going_on)?;
        self.proofs.extend(proofs);
        Ok(trainee)
    }

    /// The classifier about to start its own training.
    fn fresh_classifier(&self, setting: &Setting<'_>) -> ClassifierTrainee {
        let ClassifierTraining {
            classifier,
            training,
            trained_layers,
            ..
        } = &self.condition;
        let device = &setting.backend.device;
        let inputs = setting.data.train.images.inputs();
        let classes = setting.data.classes;
        let mut model = Classifier::new(classifier, inputs, classes, &self.seeds(), device);
        let start = transferred(&self.encoders, self.condition.transfer, &self.seeds());
        copy_into(&mut model.hidden, &start, device);
        let step = step(&self.condition, inputs, classes);
        ClassifierTrainee::classifiers(model, training, *trained_layers, step)
    }

    fn train(&mut self, mut trainee: ClassifierTrainee, setting: &Setting<'_>) -> Advance {
        let examples = &setting.examples.train;
        let order = Order {
            seed: setting.order_seed,
            stage: 0,
        };
        let start = Instant::now();
        let observer = MemberObserver {
            observer: setting.observer,
            members: &self.members,
            stage: None,
        };
        let parts = trainee.epoch(examples, order, &observer, setting.stop);
        let seconds = start.elapsed().as_secs_f64() / self.members.len() as f64;
        let Some(parts) = parts else {
            self.phase = Phase::Training(Box::new(trainee));
            return Advance::Done;
        };
        let (images, inputs) = (examples.images.count(), examples.images.inputs());
        let step = step(&self.condition, inputs, setting.data.classes);
        let training = &self.condition.training;
        self.multiply_accumulates += step * (images * training.passes()) as u64;
        self.updates += training.steps(images) as u64;
        for member in &mut self.seconds {
            member.epochs.push(seconds);
        }
        self.record(&trainee, Some(&parts[0]), setting);
        if self.is_trained(&trainee) && !self.all_have_ended() {
            let kept_epochs = self.kept.as_ref().map(|kept| {
                let epochs = (0..self.members.len()).map(|at| kept.epoch(at));
                epochs
                    .map(|of| of.unwrap_or(trainee.epochs_done()))
                    .collect()
            });
            self.numbers = Some((setting.measure)(&Trained {
                members: &self.members,
                models: Models::Classifiers {
                    setting: &self.condition,
                    model: &self.left(&trainee),
                    kept_epochs,
                    proofs: &self.proofs,
                },
                data: setting.data,
                examples: setting.examples,
            }));
            setting.observer.worked_before(self.work_left());
        }
        self.phase = Phase::Training(Box::new(trainee));
        if self.is_through() {
            Advance::Done
        } else {
            Advance::More
        }
    }

    /// Whether no member goes on: all epochs are done, or none of the members may wait for a better one any longer.
    fn is_trained(&self, trainee: &ClassifierTrainee) -> bool {
        let waits = |(at, member): (usize, &Member)| {
            let kept = self.kept.as_ref();
            !self.has_ended(member) && !kept.is_some_and(|of| of.is_over(at, trainee.epochs_done()))
        };
        trainee.is_trained() || !self.members.iter().enumerate().any(waits)
    }

    /// The models that the training leaves, or would leave if it ended now.
    fn left(&self, trainee: &ClassifierTrainee) -> Classifier {
        let kept = self.kept.as_ref().and_then(Kept::model);
        kept.cloned().unwrap_or_else(|| trainee.model())
    }

    /// Records how the classifiers do now, and what is in their layers. `costs` are those of the epoch before.
    fn record(
        &mut self,
        trainee: &ClassifierTrainee,
        costs: Option<&[f64]>,
        setting: &Setting<'_>,
    ) {
        let test = trainee.score(&setting.examples.test);
        let validation = setting
            .examples
            .validation
            .as_ref()
            .map(|examples| trainee.score(examples));
        let start = Instant::now();
        let probes = trainee.probe(&setting.examples.train, PROBE_IMAGES);
        let seconds = start.elapsed().as_secs_f64() / self.members.len() as f64;
        let epoch = trainee.epochs_done();
        let mut scores = vec![None; self.members.len()];
        for (at, member) in self.members.clone().iter().enumerate() {
            // Of members that are trained together, one may be over before the others.
            let is_over = |kept: &Kept| kept.is_over(at, epoch.saturating_sub(1));
            if self.has_ended(member) || self.kept.as_ref().is_some_and(is_over) {
                continue;
            }
            self.seconds[at].probes += seconds;
            let record = ClassifierRecord {
                epoch,
                member: member.index,
                label: member.label.clone(),
                condition: member.condition.clone(),
                seed: member.seed,
                learning_rate: match epoch {
                    0 => 0.0,
                    _ => trainee.last_learning_rate(setting.examples.train.images.count()),
                },
                cost: costs.map(|costs| costs[at]),
                test_cost: test[at].cost,
                test_accuracy: test[at].accuracy,
                validation_accuracy: validation.as_ref().map(|scores| scores[at].accuracy),
                validation_cost: validation.as_ref().map(|scores| scores[at].cost),
                updates: self.updates,
                giga_multiply_accumulates: self.multiply_accumulates as f64 / 1e9,
            };
            let layers: Vec<LayerRecord> = probes[at]
                .iter()
                .enumerate()
                .map(|(layer, probe)| LayerRecord {
                    layer: layer + 1,
                    epoch,
                    member: member.index,
                    label: member.label.clone(),
                    condition: member.condition.clone(),
                    seed: member.seed,
                    gradient_norm: probe.gradient_norm,
                    gradient_mean: probe.gradient_mean,
                    activation_mean: probe.activation_mean,
                    activation_spread: probe.activation_spread,
                    dead_units: probe.dead_units,
                    units: probe.units,
                })
                .collect();
            if let Some(ended) = end_after(member, &record, &layers) {
                self.end(ended, setting);
                continue;
            }
            setting
                .observer
                .record(Record::Classifier(&record, &layers));
            self.records.push(record);
            self.layers.extend(layers);
            scores[at] = validation.as_ref().map(|scores| scores[at]);
        }
        if let Some(kept) = self.kept.as_mut().filter(|_| epoch > 0) {
            kept.offer(epoch, trainee.model(), &scores);
        }
    }
}

/// What ends `member` after the epoch of `record`, if anything does.
fn end_after(member: &Member, record: &ClassifierRecord, layers: &[LayerRecord]) -> Option<Ended> {
    let costs = [
        ("the training cost", record.cost.unwrap_or(0.0)),
        ("the cost on the test images", record.test_cost),
        (
            "the cost on the validation images",
            record.validation_cost.unwrap_or(0.0),
        ),
    ]
    .map(|(quantity, value)| (quantity.to_owned(), value));
    let in_layers = layers.iter().flat_map(|layer| {
        [
            ("gradient", layer.gradient_norm),
            ("activation", layer.activation_mean),
            ("activation", layer.activation_spread),
        ]
        .map(|(what, value)| (format!("the {what} in layer {}", layer.layer), value))
    });
    let quantities: Vec<(String, f64)> = costs.into_iter().chain(in_layers).collect();
    let watched: Vec<Watched> = quantities
        .iter()
        .map(|(quantity, value)| Watched {
            quantity,
            value: *value,
        })
        .collect();
    let knobs = "training.learning_rate or the variance of network.weight";
    end_of(member, None, record.epoch, &watched, knobs)
}

impl Task for Group {
    fn number(&self) -> usize {
        self.task
    }

    fn members(&self) -> &[Member] {
        &self.members
    }

    fn ended(&self) -> &[Ended] {
        &self.ended
    }

    fn numbers(&self) -> Option<&[Numbers]> {
        self.numbers.as_deref()
    }

    fn seconds(&self) -> &[MemberSeconds] {
        &self.seconds
    }

    /// One step of the way: an epoch of an autoencoder, or of the classifier.
    fn advance(&mut self, setting: &Setting<'_>) -> Result<Advance, Failure> {
        if matches!(self.phase, Phase::Waiting) {
            self.begin(setting)?;
        }
        if self.is_through() {
            return Ok(Advance::Done);
        }
        match mem::replace(&mut self.phase, Phase::Waiting) {
            Phase::Pretraining(pretraining) if pretraining.is_done() => {
                let trainee = self.classifier(pretraining.encoders(), setting)?;
                self.record(&trainee, None, setting);
                if self.all_have_ended() {
                    self.phase = Phase::Training(Box::new(trainee));
                    return Ok(Advance::Done);
                }
                Ok(self.train(trainee, setting))
            }
            Phase::Pretraining(pretraining) => Ok(self.pretrain(*pretraining, setting)),
            Phase::Training(trainee) => Ok(self.train(*trainee, setting)),
            Phase::Waiting => Ok(Advance::Done),
        }
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put("stage_records", &self.stage_records);
        state.put("records", &self.records);
        state.put("layers", &self.layers);
        state.put("proofs", &self.proofs);
        state.put("ended", &self.ended);
        state.put("numbers", &self.numbers);
        state.put("seconds", &self.seconds);
        state.put("updates", &self.updates);
        state.put("multiply_accumulates", &self.multiply_accumulates);
        state.put_part("encoders", layers_state(&self.encoders));
        match &self.phase {
            Phase::Waiting => (),
            Phase::Pretraining(pretraining) => {
                state.put_part("pretraining", pretraining.state());
            }
            Phase::Training(trainee) => state.put_part("training", trainee.state()),
        }
        if let Some(kept) = &self.kept {
            state.put_part("kept", kept.state());
        }
        state
    }

    /// What was learnt: `D/seed 0/layer.01.weight`, and as it was before fine-tuning
    /// `D/seed 0/pretrained/layer.01.weight`.
    fn add_weights(&self, weights: &mut Weights) {
        let encoders = match &self.phase {
            Phase::Waiting | Phase::Training(_) => &self.encoders,
            Phase::Pretraining(pretraining) => pretraining.encoders(),
        };
        for (layer, encoder) in encoders.iter().enumerate() {
            let layer = layer_name(layer);
            for (name, shape, values) in encoder.clone().into_parameters() {
                let name = format!("pretrained/{layer}.{name}");
                weights.insert_members(&self.members, &name, shape, &values);
            }
        }
        if let Phase::Training(trainee) = &self.phase {
            for (name, shape, values) in named_parameters(&self.left(trainee)) {
                weights.insert_members(&self.members, &name, shape, &values);
            }
        }
    }
}

/// Every parameter of a classifier by the name it is saved under.
#[must_use]
pub fn named_parameters(model: &Classifier) -> Vec<(String, [usize; 3], Vec<f32>)> {
    let hidden = model.hidden.iter().enumerate();
    let hidden = hidden.map(|(at, layer)| (layer_name(at), layer));
    of_layers(hidden.chain([("output".to_owned(), &model.output)]))
}

/// Every parameter of layers that are saved under these names.
pub(super) fn of_layers<'a>(
    layers: impl Iterator<Item = (String, &'a Layer)>,
) -> Vec<(String, [usize; 3], Vec<f32>)> {
    let of_layer = |(name, layer): (String, &'a Layer)| {
        let named =
            move |(parameter, shape, values)| (format!("{name}.{parameter}"), shape, values);
        parameters(layer).into_iter().map(named)
    };
    layers.flat_map(of_layer).collect()
}

/// What member `at` has come to in an epoch of a stage.
pub(super) fn stage_record(
    epoch: &StageEpoch,
    at: usize,
    member: &Member,
    sparsity_weight: f64,
) -> StageRecord {
    let [reconstruction, sparsity] = epoch.costs[at];
    StageRecord {
        stage: epoch.stage + 1,
        epoch: epoch.epoch,
        member: member.index,
        label: member.label.clone(),
        condition: member.condition.clone(),
        seed: member.seed,
        learning_rate: epoch.learning_rate,
        cost: reconstruction + sparsity_weight * sparsity,
        reconstruction,
        sparsity,
    }
}

/// What ends `member` after the epoch of `record`, if anything does.
pub(super) fn end_of_stage(member: &Member, record: &StageRecord) -> Option<Ended> {
    let watched = [
        ("the pretraining cost", record.cost),
        ("the reconstruction cost", record.reconstruction),
        ("the sparsity term", record.sparsity),
    ]
    .map(|(quantity, value)| Watched { quantity, value });
    let knobs = "pretraining.learning_rate or pretraining.sparsity.weight";
    end_of(member, Some(record.stage), record.epoch, &watched, knobs)
}

/// That `layers` are copies of what their pretraining is to hand on, for each of `members` that is `going_on`.
///
/// # Errors
///
/// Returns [`Failure::Transfer`] where one is not.
pub(super) fn transfer_proofs(
    start: &[LayerValues],
    layers: &[Layer],
    transfer: Transfer,
    members: &[Member],
    going_on: impl Fn(&Member) -> bool,
) -> Result<Vec<TransferProof>, Failure> {
    let mut proofs = Vec::new();
    for (layer, (encoder, copy)) in start.iter().zip(layers).enumerate() {
        let copy = copy.values();
        for (at, member) in members.iter().enumerate() {
            if !going_on(member) {
                continue;
            }
            let proof = TransferProof {
                label: member.label.clone(),
                condition: member.condition.clone(),
                layer: layer + 1,
                shuffled: transfer != Transfer::Copy,
                encoder: layer_hash(&encoder.of_member(at)),
                classifier: layer_hash(&copy.of_member(at)),
            };
            if proof.encoder != proof.classifier {
                return Err(Failure::Transfer {
                    label: proof.label,
                    layer: proof.layer,
                });
            }
            proofs.push(proof);
        }
    }
    Ok(proofs)
}

fn layer_hash(layer: &LayerValues) -> String {
    let slope = layer.slope.as_deref().unwrap_or_default();
    hash_of(&[&layer.weight, &layer.bias, slope])
}

/// Operations of a training step of the classifier, for each image.
fn step(condition: &ClassifierTraining, inputs: usize, classes: usize) -> u64 {
    let (spec, trained) = (&condition.classifier, condition.trained_layers);
    Classifier::step_multiply_accumulates(spec, inputs, classes, trained)
}

/// Operations of one epoch of a stage (counted from 0) on so many images of so many inputs and classes, and of computing
/// the codes after it.
pub(super) fn stage_work(
    stages: &[AutoencoderTraining],
    target: Target,
    stage: usize,
    [images, inputs, classes]: [usize; 3],
) -> [u64; 2] {
    let inputs = match stage {
        0 => inputs,
        stage => stages[stage - 1].autoencoder.hidden_units,
    };
    let spec = &stages[stage].autoencoder;
    let step = match target {
        Target::Reconstruction => Autoencoder::step_multiply_accumulates(spec, inputs),
        Target::Classes => {
            let (spec, trained) = (of_one_layer(spec), TrainedLayers::All);
            Classifier::step_multiply_accumulates(&spec, inputs, classes, trained)
        }
    };
    // Nobody needs the codes of the last stage.
    let codes = if stage + 1 < stages.len() {
        (inputs * spec.hidden_units) as u64
    } else {
        0
    };
    let passes = stages[stage].training.passes() as u64;
    [step * passes * images as u64, codes * images as u64]
}
