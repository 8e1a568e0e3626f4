//! Greedy layer-wise pretraining against the vanishing gradient (Okatani, *Deep Learning*, chapter 5; Bengio et al.
//! 2007): classifiers that differ in how they come to their first weights, compared by their test accuracy after
//! every epoch and by what they cost.
//!
//! A condition is run once for each seed. Seeds of a condition, and conditions, are independent of each other;
//! all classifiers see the same batches in the same order, and those of one seed draw the same first weights layer
//! by layer, so that what tells two of them apart is their condition.

use std::collections::BTreeMap;
use std::mem;
use std::time::Instant;

use super::by_condition_and_seed;
use super::tasks::{Advance, Task, carry_out};
use super::{Ending, Failure, Outcome, Setting, Watched, end_of};
use crate::backend::Kind;
use crate::config;
use crate::model::{Autoencoder, Classifier, LayerValues, parameters};
use crate::results::{
    Chance, ClassifierRecord, ConditionSummary, Difference, Ended, LayerRecord, Member,
    MemberSeconds, PretrainingResults, Results, Spread, StageRecord, TransferProof,
};
use crate::spec::{ClassifierCondition, TrainedLayers, Transfer};
use crate::train::pretraining::{
    Pretraining, copy_into, fits, layers_state, restored_layers, transferred,
};
use crate::train::{ClassifierTrainee, MemberObserver, Order, Record, State};
use crate::weights::{Weights, hash_of, layer_name, member_prefix};
use crate::words::counted;

/// Images of the fixed batch, the first of the training images, that is sent through every layer after each epoch:
/// enough to find a unit that is ever on, few enough to cost under 3 % of an epoch.
pub const PROBE_IMAGES: usize = 1000;

/// The members of a run: by condition, then by seed.
#[must_use]
pub fn members(plan: &config::Pretraining, seeds: &[u64]) -> Vec<Member> {
    let names = plan.conditions.iter().map(|condition| &condition.name);
    by_condition_and_seed(names, seeds)
}

/// Multiply–accumulate operations of one member's whole training.
#[must_use]
pub fn multiply_accumulates(
    condition: &ClassifierCondition,
    images: usize,
    inputs: usize,
    classes: usize,
) -> u64 {
    let stages = 0..condition.stages.len();
    let pretraining: u64 = stages
        .map(|stage| {
            let [epoch, codes] = stage_work(condition, stage, images, inputs);
            let epochs = condition.stages[stage].training.epochs as u64;
            epoch.saturating_mul(epochs).saturating_add(codes)
        })
        .fold(0, u64::saturating_add);
    let images = (images * condition.training.epochs) as u64;
    pretraining.saturating_add(step(condition, inputs, classes).saturating_mul(images))
}

/// Trains every condition under every seed.
///
/// # Errors
///
/// Returns [`Failure`] if what a classifier starts from is not what its pretraining learnt, or if a task is to go on from
/// the state of another one. A member whose cost becomes infinite or not a number ends, and the others go on.
pub fn run(
    plan: &config::Pretraining,
    seeds: &[u64],
    setting: &Setting<'_>,
) -> Result<Outcome, Failure> {
    let mut members = members(plan, seeds).into_iter();
    let mut groups = Vec::new();
    for condition in &plan.conditions {
        let of_condition: Vec<Member> = members.by_ref().take(seeds.len()).collect();
        let size = match setting.backend.kind {
            Kind::Cpu => 1,
            Kind::Gpu | Kind::SoftwareGpu => of_condition.len(),
        };
        for members in of_condition.chunks(size) {
            let task = groups.len();
            groups.push(Group::new(task, condition.clone(), members.to_vec()));
        }
    }
    let groups = carry_out(groups, setting)?;

    let trained = groups.iter().filter(|group| group.is_through()).count();
    let ending = if trained == groups.len() {
        Ending::Complete
    } else {
        Ending::Stopped {
            after: format!(
                "{trained} of {} had been trained to the end",
                counted(groups.len(), "classifier")
            ),
        }
    };
    Ok(Outcome {
        results: Results::Pretraining(summarize(plan, &groups, setting)),
        ending,
        member_seconds: groups
            .iter()
            .flat_map(|group| group.seconds.clone())
            .collect(),
        weights: Box::new(move || weights(&groups)),
    })
}

/// One condition under one seed, or under all seeds where they are batched.
struct Group {
    /// Position among all tasks.
    task: usize,
    condition: ClassifierCondition,
    members: Vec<Member>,
    phase: Phase,
    /// What the pretraining learnt, as it learnt it.
    encoders: Vec<LayerValues>,
    stage_records: Vec<StageRecord>,
    records: Vec<ClassifierRecord>,
    layers: Vec<LayerRecord>,
    proofs: Vec<TransferProof>,
    /// The members that could not go on; the others do.
    ended: Vec<Ended>,
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
    fn new(task: usize, condition: ClassifierCondition, members: Vec<Member>) -> Self {
        let seconds = |member: &Member| MemberSeconds {
            member: member.index,
            ..MemberSeconds::default()
        };
        Self {
            task,
            condition,
            seconds: members.iter().map(seconds).collect(),
            members,
            phase: Phase::Waiting,
            encoders: Vec::new(),
            stage_records: Vec::new(),
            records: Vec::new(),
            layers: Vec::new(),
            proofs: Vec::new(),
            ended: Vec::new(),
            updates: 0,
            multiply_accumulates: 0,
        }
    }

    /// Whether all members are trained to their end, or could not go on.
    fn is_through(&self) -> bool {
        let is_trained = matches!(&self.phase, Phase::Training(trainee) if trainee.is_trained());
        is_trained || self.all_have_ended()
    }

    fn all_have_ended(&self) -> bool {
        self.ended.len() == self.members.len()
    }

    fn has_ended(&self, member: &Member) -> bool {
        let mut ended = self.ended.iter();
        ended.any(|ended| ended.member.index == member.index)
    }

    /// Takes a member out that cannot go on.
    fn end(&mut self, ended: Ended, setting: &Setting<'_>) {
        setting.observer.ended(&ended);
        self.ended.push(ended);
        if self.all_have_ended() {
            setting.observer.worked_before(self.work_left(setting));
        }
    }

    /// Operations that will never be done, as all members have ended.
    fn work_left(&self, setting: &Setting<'_>) -> u64 {
        let data = setting.data;
        let images = data.train.labels.len();
        let inputs = data.train.images.pixels_per_image();
        let whole = multiply_accumulates(&self.condition, images, inputs, data.classes);
        whole.saturating_sub(self.multiply_accumulates) * self.members.len() as u64
    }

    fn seeds(&self) -> Vec<u64> {
        self.members.iter().map(|member| member.seed).collect()
    }

    /// The group at its start, or where an earlier run left it, with what was found so far told again.
    fn begin(&mut self, setting: &Setting<'_>) -> Result<(), Failure> {
        let fresh = Pretraining::new(
            &self.condition.stages,
            &self.seeds(),
            setting.examples.train.images.inputs(),
            &setting.backend.device,
        );
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
        if self.all_have_ended() {
            setting.observer.worked_before(self.work_left(setting));
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
        self.seconds = state.take("seconds")?;
        self.updates = state.take("updates")?;
        self.multiply_accumulates = state.take("multiply_accumulates")?;
        self.encoders = restored_layers(state.take_part("encoders"))?;
        let inputs = setting.data.train.images.pixels_per_image();
        let members = self.members.len();
        let stages = &self.condition.stages;
        if self.seconds.len() != members || !fits(&self.encoders, stages, members, inputs) {
            return None;
        }
        let training = state.take_part("training");
        self.phase = if training.is_empty() {
            let images = &setting.examples.train.images;
            let pretraining = fresh.restored(state.take_part("pretraining"), images)?;
            Phase::Pretraining(Box::new(pretraining))
        } else {
            {
                let fresh = self.fresh_classifier(setting);
                let trainee = fresh.restored(training, &setting.backend.device)?;
                Phase::Training(Box::new(trainee))
            }
        };
        Some(())
    }

    fn pretrain(&mut self, mut pretraining: Pretraining, setting: &Setting<'_>) -> Advance {
        let images = &setting.examples.train.images;
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
        let inputs = images.inputs();
        let [work, codes] = stage_work(&self.condition, epoch.stage, images.count(), inputs);
        self.multiply_accumulates += work + codes * u64::from(finished > epoch.stage);
        self.updates += images.count().div_ceil(stage.training.batch_size) as u64;
        let sparsity_weight = stage.sparsity.weight;
        for (at, (member, &[reconstruction, divergence])) in
            self.members.clone().iter().zip(&epoch.costs).enumerate()
        {
            if self.has_ended(member) {
                continue;
            }
            self.seconds[at].pretraining += seconds;
            let record = StageRecord {
                stage: epoch.stage + 1,
                epoch: epoch.epoch,
                member: member.index,
                label: member.label.clone(),
                condition: member.condition.clone(),
                seed: member.seed,
                learning_rate: epoch.learning_rate,
                cost: reconstruction + sparsity_weight * divergence,
                reconstruction,
                sparsity: divergence,
            };
            let watched = [
                ("the pretraining cost", record.cost),
                ("the reconstruction cost", record.reconstruction),
                ("the sparsity term", record.sparsity),
            ]
            .map(|(quantity, value)| Watched { quantity, value });
            let knobs = "pretraining.learning_rate or pretraining.sparsity_weight";
            let stage = Some(record.stage);
            if let Some(ended) = end_of(member, stage, record.epoch, &watched, knobs) {
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
        let start = transferred(&self.encoders, self.condition.transfer, &self.seeds());
        for (layer, (encoder, copy)) in start.iter().zip(&model.hidden).enumerate() {
            let copy = copy.values();
            for (at, member) in self.members.iter().enumerate() {
                if self.has_ended(member) {
                    continue;
                }
                let proof = TransferProof {
                    label: member.label.clone(),
                    condition: member.condition.clone(),
                    layer: layer + 1,
                    shuffled: self.condition.transfer != Transfer::Copy,
                    encoder: layer_hash(&encoder.of_member(at)),
                    classifier: layer_hash(&copy.of_member(at)),
                };
                if proof.encoder != proof.classifier {
                    return Err(Failure::Transfer {
                        label: proof.label,
                        layer: proof.layer,
                    });
                }
                self.proofs.push(proof);
            }
        }
        Ok(trainee)
    }

    /// The classifier about to start its own training.
    fn fresh_classifier(&self, setting: &Setting<'_>) -> ClassifierTrainee {
        let ClassifierCondition {
            classifier,
            training,
            trained_layers,
            ..
        } = &self.condition;
        let device = &setting.backend.device;
        let inputs = setting.data.train.images.pixels_per_image();
        let classes = setting.data.classes;
        let drawn = Classifier::new(classifier, inputs, classes, &self.seeds(), device);
        let start = transferred(&self.encoders, self.condition.transfer, &self.seeds());
        let model = copy_into(drawn, &start, device);
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
        self.multiply_accumulates += step * images as u64;
        self.updates += images.div_ceil(self.condition.training.batch_size) as u64;
        for member in &mut self.seconds {
            member.epochs.push(seconds);
        }
        self.measure(&trainee, Some(&parts[0]), setting);
        self.phase = Phase::Training(Box::new(trainee));
        if self.is_through() {
            Advance::Done
        } else {
            Advance::More
        }
    }

    /// Records how the classifiers do now, and what is in their layers. `costs` are those of the epoch before.
    fn measure(
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
        for (at, member) in self.members.clone().iter().enumerate() {
            if self.has_ended(member) {
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
                    epoch => self.condition.training.learning_rate_at(epoch - 1),
                },
                cost: costs.map(|costs| costs[at]),
                test_cost: test[at].cost,
                test_accuracy: test[at].accuracy,
                validation_accuracy: validation.as_ref().map(|scores| scores[at].accuracy),
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
        }
    }
}

/// What ends `member` after the epoch of `record`, if anything does.
fn end_after(member: &Member, record: &ClassifierRecord, layers: &[LayerRecord]) -> Option<Ended> {
    let costs = [
        ("the training cost", record.cost.unwrap_or(0.0)),
        ("the cost on the test images", record.test_cost),
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
                self.measure(&trainee, None, setting);
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
        state
    }
}

/// A copy of everything that was learnt, by condition and seed: `D/seed 0/layer.01.weight`, and as it was before
/// fine-tuning `D/seed 0/pretrained/layer.01.weight`; each `[1, input, unit]`.
fn weights(groups: &[Group]) -> Weights {
    let mut weights = Weights::default();
    for group in groups {
        if let Phase::Training(trainee) = &group.phase {
            for (name, shape, values) in named_parameters(&trainee.model()) {
                let [members, rows, columns] = shape;
                for (member, values) in group
                    .members
                    .iter()
                    .zip(values.chunks_exact(rows * columns))
                {
                    debug_assert_eq!(members, group.members.len());
                    let name = format!("{}/{name}", member_prefix(member));
                    weights.append(&name, [1, rows, columns], values.to_vec());
                }
            }
        }
        let encoders = match &group.phase {
            Phase::Pretraining(pretraining) => pretraining.encoders(),
            Phase::Waiting | Phase::Training(_) => &group.encoders,
        };
        for (layer, encoder) in encoders.iter().enumerate() {
            for (at, member) in group.members.iter().enumerate() {
                for (name, shape, values) in encoder.of_member(at).into_parameters() {
                    let layer = layer_name(layer);
                    let name = format!("{}/pretrained/{layer}.{name}", member_prefix(member));
                    weights.append(&name, shape, values);
                }
            }
        }
    }
    weights
}

/// Every parameter of a classifier by the name it is saved under.
#[must_use]
pub fn named_parameters(model: &Classifier) -> Vec<(String, [usize; 3], Vec<f32>)> {
    let hidden = model.hidden.iter().enumerate();
    let layers = hidden.map(|(at, layer)| (layer_name(at), layer));
    layers
        .chain([("output".to_owned(), &model.output)])
        .flat_map(|(name, layer)| {
            let named =
                move |(parameter, shape, values)| (format!("{name}.{parameter}"), shape, values);
            parameters(layer).into_iter().map(named)
        })
        .collect()
}

fn layer_hash(layer: &LayerValues) -> String {
    let slope = layer.slope.as_deref().unwrap_or_default();
    hash_of(&[&layer.weight, &layer.bias, slope])
}

/// Operations of a training step of the classifier, for each image.
fn step(condition: &ClassifierCondition, inputs: usize, classes: usize) -> u64 {
    let (spec, trained) = (&condition.classifier, condition.trained_layers);
    Classifier::step_multiply_accumulates(spec, inputs, classes, trained)
}

/// Operations of one epoch of a stage (counted from 0), and of computing the codes after it.
fn stage_work(
    condition: &ClassifierCondition,
    stage: usize,
    images: usize,
    inputs: usize,
) -> [u64; 2] {
    let inputs = stage_inputs(condition, stage, inputs);
    let spec = &condition.stages[stage].autoencoder;
    let step = Autoencoder::step_multiply_accumulates(spec, inputs);
    // Nobody needs the codes of the last stage.
    let codes = if stage + 1 < condition.stages.len() {
        (inputs * spec.hidden_units) as u64
    } else {
        0
    };
    [step * images as u64, codes * images as u64]
}

fn stage_inputs(condition: &ClassifierCondition, stage: usize, inputs: usize) -> usize {
    match stage {
        0 => inputs,
        stage => condition.stages[stage - 1].autoencoder.hidden_units,
    }
}

fn summarize(
    plan: &config::Pretraining,
    groups: &[Group],
    setting: &Setting<'_>,
) -> PretrainingResults {
    let inputs = setting.data.train.images.pixels_per_image();
    let classes = setting.data.classes;
    let conditions: Vec<ConditionSummary> = plan
        .conditions
        .iter()
        .map(|condition| {
            let by_seed = accuracies(groups, &condition.name);
            let parameters = Classifier::parameter_count(&condition.classifier, inputs, classes);
            let pretraining: usize = (0..condition.stages.len())
                .map(|stage| {
                    let spec = &condition.stages[stage].autoencoder;
                    Autoencoder::parameter_count(spec, stage_inputs(condition, stage, inputs))
                })
                .sum();
            let learnt = match condition.trained_layers {
                TrainedLayers::All => parameters,
                TrainedLayers::Output => {
                    let below = condition.classifier.hidden_units.last();
                    (below.copied().unwrap_or(inputs) + 1) * classes
                }
            };
            ConditionSummary {
                condition: condition.name.clone(),
                description: describe(condition, inputs, classes),
                hidden_units: condition.classifier.hidden_units.clone(),
                pretrained_layers: condition.stages.len(),
                parameters,
                parameters_learnt: learnt + pretraining,
                seeds: by_seed.len(),
                best: by_seed
                    .values()
                    .flat_map(|accuracies| accuracies.iter().skip(1))
                    .copied()
                    .max_by(f64::total_cmp),
                accuracy: by_epoch(by_seed.values()),
            }
        })
        .collect();
    let differences = plan
        .differences
        .iter()
        .map(|&(minuend, subtrahend)| {
            let [minuend, subtrahend] =
                [minuend, subtrahend].map(|at| plan.conditions[at].name.clone());
            let subtracted = accuracies(groups, &subtrahend);
            let pairs = accuracies(groups, &minuend)
                .into_iter()
                .filter_map(|(seed, a)| Some((a, subtracted.get(&seed)?)));
            let by_seed: Vec<Vec<f64>> = pairs
                .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a - b).collect())
                .collect();
            Difference {
                minuend,
                subtrahend,
                seeds: by_seed.len(),
                by_epoch: by_epoch(&by_seed),
            }
        })
        .collect();
    PretrainingResults {
        conditions,
        differences,
        transfers: groups
            .iter()
            .flat_map(|group| group.proofs.clone())
            .collect(),
        layers_of: plan
            .layers_of
            .iter()
            .map(|&at| plan.conditions[at].name.clone())
            .collect(),
        chance: chance(&setting.data.train.labels, &setting.data.test.labels),
        probe_images: PROBE_IMAGES.min(setting.data.train.labels.len()),
        ended: groups
            .iter()
            .flat_map(|group| group.ended.clone())
            .collect(),
    }
}

/// What is reached on these labels without a look at any image.
fn chance(train: &[u8], test: &[u8]) -> Chance {
    let counts = |labels: &[u8]| {
        let mut counts = [0_usize; 256];
        for &label in labels {
            counts[usize::from(label)] += 1;
        }
        counts
    };
    let shares = counts(train)
        .into_iter()
        .map(|count| count as f64 / train.len() as f64)
        .filter(|&share| share > 0.0);
    Chance {
        test_images: test.len(),
        commonest: counts(test).into_iter().max().unwrap_or(0),
        entropy: shares.map(|share| share * (1.0 / share).ln()).sum(),
    }
}

/// Test accuracies at the start and after each epoch, for each seed of a condition that did not end early.
fn accuracies(groups: &[Group], condition: &str) -> BTreeMap<u64, Vec<f64>> {
    let mut by_seed = BTreeMap::new();
    for group in groups
        .iter()
        .filter(|group| group.condition.name == condition)
    {
        for member in group
            .members
            .iter()
            .filter(|member| !group.has_ended(member))
        {
            let records = group.records.iter();
            let accuracies: Vec<f64> = records
                .filter(|record| record.member == member.index)
                .map(|record| record.test_accuracy)
                .collect();
            by_seed.insert(member.seed, accuracies);
        }
    }
    by_seed
}

/// The spread over seeds at each epoch that every seed has reached.
fn by_epoch<'a>(by_seed: impl IntoIterator<Item = &'a Vec<f64>>) -> Vec<Spread> {
    let by_seed: Vec<&Vec<f64>> = by_seed.into_iter().collect();
    let epochs = by_seed.iter().map(|seed| seed.len()).min().unwrap_or(0);
    (0..epochs)
        .filter_map(|epoch| Spread::of(by_seed.iter().map(|values| values[epoch])))
        .collect()
}

/// A condition in a reader's words.
#[must_use]
pub fn describe(condition: &ClassifierCondition, inputs: usize, classes: usize) -> String {
    let ClassifierCondition {
        classifier,
        stages,
        transfer,
        training,
        trained_layers,
        ..
    } = condition;
    let mut words = vec![layers(&classifier.hidden_units, inputs, classes)];
    if !classifier.hidden_units.is_empty() {
        words.push(classifier.activation.to_string());
    }
    words.push(format!("W ~ {}", classifier.weight));
    words.push(format!("b ~ {}", classifier.bias));
    words.push(training.to_string());
    if *trained_layers == TrainedLayers::Output {
        words.push("only the softmax layer trained".to_owned());
    }
    if let Some(first) = stages.first() {
        let alike = stages
            .iter()
            .all(|stage| stage.sparsity == first.sparsity && stage.training == first.training);
        let setting = if alike {
            format!("β {}, {}", first.sparsity.weight, first.training)
        } else {
            "settings differ by layer".to_owned()
        };
        words.push(format!(
            "{} of {} pretrained ({setting})",
            stages.len(),
            counted(classifier.hidden_units.len(), "hidden layer"),
        ));
        match transfer {
            Transfer::Copy => (),
            Transfer::ShuffledWeights => words.push("weights shuffled within layers".to_owned()),
            Transfer::ShuffledWeightsZeroBiases => {
                words.push("weights shuffled within layers, biases 0".to_owned());
            }
        }
    }
    words.join("; ")
}

/// `784 → 15 x 100 → 10`: fifteen layers of 100 units, as a config writes it.
fn layers(hidden_units: &[usize], inputs: usize, classes: usize) -> String {
    let runs = hidden_units.chunk_by(|a, b| a == b).map(|run| match run {
        [width] => format!(" → {width}"),
        run => format!(" → {} x {}", run.len(), run[0]),
    });
    format!("{inputs}{} → {classes}", runs.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_written_as_a_config_writes_them() {
        assert_eq!(layers(&[], 784, 10), "784 → 10");
        assert_eq!(layers(&[100; 15], 784, 10), "784 → 15 x 100 → 10");
        assert_eq!(
            layers(&[300, 100, 100, 50], 784, 10),
            "784 → 300 → 2 x 100 → 50 → 10"
        );
    }

    #[test]
    fn what_is_printed_for_layers_is_read_as_the_same_layers() {
        let printed = layers(&[100; 15], 784, 10);
        let printed = printed.split(" → ").nth(1).expect("the hidden layers");
        for written in [printed, "15x100", "15 × 100"] {
            let text = format!(
                "experiment = \"pretraining\"\n[conditions.C]\nnetwork.hidden_units = \"{written}\"\n"
            );
            let path = std::path::Path::new("mine.toml");
            let config = config::parse(&text, path, &config::Overrides::default());
            let config::Experiment::Pretraining(plan) = config.expect("a plan").plan.experiment
            else {
                panic!("another experiment");
            };
            assert_eq!(plan.conditions[0].classifier.hidden_units, [100; 15]);
        }
    }

    #[test]
    fn spreads_end_where_a_seed_ends() {
        let seeds = [vec![0.1, 0.5, 0.9], vec![0.3, 0.7], vec![0.2, 0.9]];
        let spreads = by_epoch(&seeds);
        let expected = |smallest, median, largest| Spread {
            smallest,
            median,
            largest,
        };
        assert_eq!(spreads, [expected(0.1, 0.2, 0.3), expected(0.5, 0.7, 0.9)]);
        assert!(by_epoch([]).is_empty());
    }

    #[test]
    fn chance_is_counted_from_the_labels() {
        let found = chance(&[0, 0, 1, 1], &[7, 7, 7, 2]);
        assert_eq!((found.test_images, found.commonest), (4, 3));
        assert!((found.accuracy() - 0.75).abs() < 1e-12);
        assert!((found.entropy - 2.0_f64.ln()).abs() < 1e-12);
        // A single class leaves nothing to learn.
        let found = chance(&[3; 5], &[3; 2]);
        assert_eq!((found.test_images, found.commonest), (2, 2));
        assert!(found.entropy.abs() < 1e-12);
    }
}
