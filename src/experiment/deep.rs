//! Deep autoencoders (Hinton and Salakhutdinov 2006): a stack of layers down to a small code and back, trained whole from
//! random weights, or from autoencoders that were trained one on the other's codes and unrolled.

use std::mem;

use super::classifiers::{end_of_stage, of_layers, stage_record, stage_work, transfer_proofs};
use super::tasks::{Advance, Task};
use super::{Failure, Models, Setting, Trained, Watched, by_condition, end_of};
use crate::backend::Kind;
use crate::model::{DeepAutoencoder, LayerValues};
use crate::results::{Ended, EpochRecord, Member, Numbers, StageRecord, TransferProof};
use crate::spec::{DeepAutoencoderTraining, Plan, Target};
use crate::train::pretraining::{
    Pretraining, are_ways_back, fits, layers_state, restored_layers, transferred, unroll_into,
};
use crate::train::{DeepEvaluation, DeepTrainee, MemberObserver, Order, Record, State};
use crate::weights::{Weights, decoder_name, layer_name};

/// The tasks of a plan: each member alone, or on a GPU all seeds of a condition together, unless each searches its own way.
pub fn tasks(plan: &Plan, kind: Kind) -> Vec<Box<dyn Task>> {
    let mut tasks: Vec<Box<dyn Task>> = Vec::new();
    for (condition, members) in plan.conditions.iter().zip(by_condition(plan)) {
        let Some(training) = condition.deep_autoencoder() else {
            continue;
        };
        let size = match kind {
            Kind::Gpu | Kind::SoftwareGpu if !condition.searches() => members.len(),
            _ => 1,
        };
        for members in members.chunks(size) {
            tasks.push(Box::new(Group {
                task: tasks.len(),
                condition: training.clone(),
                members: members.to_vec(),
                phase: Phase::Waiting,
                encoders: Vec::new(),
                decoders: Vec::new(),
                stage_records: Vec::new(),
                records: Vec::new(),
                proofs: Vec::new(),
                ended: Vec::new(),
                numbers: None,
            }));
        }
    }
    tasks
}

/// One condition under one seed, or under all seeds where they are batched.
struct Group {
    /// Position among all tasks.
    task: usize,
    condition: DeepAutoencoderTraining,
    members: Vec<Member>,
    phase: Phase,
    /// What the pretraining learnt, as it learnt it: the ways up, and the ways back.
    encoders: Vec<LayerValues>,
    decoders: Vec<LayerValues>,
    stage_records: Vec<StageRecord>,
    records: Vec<EpochRecord>,
    proofs: Vec<TransferProof>,
    ended: Vec<Ended>,
    /// Of every member, once the last epoch is done.
    numbers: Option<Vec<Numbers>>,
}

enum Phase {
    Waiting,
    Pretraining(Box<Pretraining>),
    Training(Box<DeepTrainee>),
}

impl Group {
    fn seeds(&self) -> Vec<u64> {
        self.members.iter().map(|member| member.seed).collect()
    }

    /// Takes a member out that cannot go on.
    fn end(&mut self, ended: Ended, setting: &Setting<'_>) {
        setting.observer.ended(&ended);
        self.ended.push(ended);
        if self.all_have_ended() {
            let left = self.work(setting).saturating_sub(self.work_done(setting));
            setting.observer.worked_before(left);
        }
    }

    /// Operations of the whole training of all members.
    fn work(&self, setting: &Setting<'_>) -> u64 {
        let epochs = self.condition.training.epochs;
        let stages = self.condition.stages.iter();
        let pretraining = stages.enumerate().map(|(stage, of)| {
            let [epoch, codes] = self.stage_work(stage, setting);
            epoch * of.training.epochs as u64 + codes
        });
        let whole = self.epoch_work(setting) * epochs as u64;
        self.members.len() as u64 * (pretraining.sum::<u64>() + whole)
    }

    /// Operations of the epochs that are recorded.
    fn work_done(&self, setting: &Setting<'_>) -> u64 {
        let stages = self.stage_records.iter();
        let stages = stages.map(|record| self.stage_work(record.stage - 1, setting)[0]);
        let epochs = self.records.iter().filter(|record| record.epoch > 0);
        stages.sum::<u64>() + epochs.count() as u64 * self.epoch_work(setting)
    }

    fn stage_work(&self, stage: usize, setting: &Setting<'_>) -> [u64; 2] {
        let images = &setting.data.train.images;
        let sizes = [images.count(), images.inputs(), setting.data.classes];
        stage_work(&self.condition.stages, Target::Reconstruction, stage, sizes)
    }

    /// Operations of an epoch of one member.
    fn epoch_work(&self, setting: &Setting<'_>) -> u64 {
        let images = &setting.data.train.images;
        let (network, inputs) = (&self.condition.network, images.inputs());
        let seen = images.count() * self.condition.training.passes();
        seen as u64 * DeepAutoencoder::step_multiply_accumulates(network, inputs)
    }

    /// The group at its start, or where an earlier run left it, with what was found so far told again.
    fn begin(&mut self, setting: &Setting<'_>) -> Result<(), Failure> {
        let images = &setting.examples.train.images;
        let fresh = Pretraining::new(&self.condition.stages, &self.seeds(), images);
        let fresh = fresh.with_decoders();
        let Some(state) = setting.shelf.take(self.task) else {
            self.phase = Phase::Pretraining(Box::new(fresh));
            return Ok(());
        };
        let label = self.members[0].label.clone();
        self.restore(fresh, state, setting)
            .ok_or(Failure::Checkpoint { label })?;
        setting.observer.worked_before(self.work_done(setting));
        for record in &self.stage_records {
            setting.observer.recall(Record::Stage(record));
        }
        for record in &self.records {
            setting.observer.recall(Record::Epoch(record));
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
        self.proofs = state.take("proofs")?;
        self.ended = state.take("ended")?;
        let numbers: Option<Vec<Numbers>> = state.take("numbers")?;
        self.encoders = restored_layers(state.take_part("encoders"))?;
        self.decoders = restored_layers(state.take_part("decoders"))?;
        let inputs = setting.data.train.images.inputs();
        let fit = fits(
            &self.encoders,
            &self.condition.stages,
            self.members.len(),
            inputs,
        );
        if !fit || !are_ways_back(&self.decoders, &self.encoders) {
            return None;
        }
        let training = state.take_part("training");
        self.phase = if training.is_empty() {
            let images = &setting.examples.train.images;
            let pretraining = fresh.restored(state.take_part("pretraining"), images)?;
            Phase::Pretraining(Box::new(pretraining))
        } else {
            let fresh = self.fresh(setting);
            let trainee = fresh.restored(training, &setting.backend.device)?;
            // Of a training that was to be shorter, the end is no end any more.
            self.numbers = numbers.filter(|_| trainee.is_trained());
            Phase::Training(Box::new(trainee))
        };
        Some(())
    }

    fn pretrain(&mut self, mut pretraining: Pretraining, setting: &Setting<'_>) -> Advance {
        let observer = MemberObserver {
            observer: setting.observer,
            members: &self.members,
            stage: Some(pretraining.encoders().len() + 1),
        };
        let images = &setting.examples.train.images;
        let epoch = pretraining.epoch(images, setting.order_seed, &observer, setting.stop);
        self.phase = Phase::Pretraining(Box::new(pretraining));
        let Some(epoch) = epoch else {
            return Advance::Done;
        };
        for (at, member) in self.members.clone().iter().enumerate() {
            if self.has_ended(member) {
                continue;
            }
            let weight = self.condition.stages[epoch.stage].sparsity.weight();
            let record = stage_record(&epoch, at, member, weight);
            if let Some(ended) = end_of_stage(member, &record) {
                self.end(ended, setting);
                continue;
            }
            setting.observer.record(Record::Stage(&record));
            self.stage_records.push(record);
        }
        if self.all_have_ended() {
            Advance::Done
        } else {
            Advance::More
        }
    }

    /// The autoencoder about to start its own training, with the pretraining unrolled into it.
    fn fresh(&self, setting: &Setting<'_>) -> DeepTrainee {
        let DeepAutoencoderTraining {
            network,
            transfer,
            training,
            ..
        } = &self.condition;
        let (seeds, device) = (self.seeds(), &setting.backend.device);
        let inputs = setting.data.train.images.inputs();
        let mut model = DeepAutoencoder::new(network, inputs, &seeds, device);
        let [encoders, decoders] =
            [&self.encoders, &self.decoders].map(|of| transferred(of, *transfer, &seeds));
        unroll_into(&mut model, &encoders, &decoders, device);
        let work = DeepAutoencoder::step_multiply_accumulates(network, inputs);
        DeepTrainee::deep_autoencoders(model, training, seeds.len(), work)
    }

    /// The same, with the proof of what was copied and a record of the start.
    fn start(
        &mut self,
        pretraining: &Pretraining,
        setting: &Setting<'_>,
    ) -> Result<DeepTrainee, Failure> {
        self.encoders = pretraining.encoders().to_vec();
        self.decoders = pretraining.decoders().to_vec();
        let trainee = self.fresh(setting);
        let transfer = self.condition.transfer;
        let start = transferred(&self.encoders, transfer, &self.seeds());
        let going_on = |member: &Member| !self.has_ended(member);
        let layers = &trainee.model().encoder;
        self.proofs = transfer_proofs(&start, layers, transfer, &self.members, going_on)?;
        let costs: Vec<f64> = trainee
            .evaluate(&setting.examples.train.images, self.members.len())
            .iter()
            .map(|of| of.reconstruction)
            .collect();
        self.record(&trainee, &costs, setting);
        Ok(trainee)
    }

    fn train(&mut self, mut trainee: DeepTrainee, setting: &Setting<'_>) -> Advance {
        let order = Order {
            seed: setting.order_seed,
            stage: 0,
        };
        let observer = MemberObserver {
            observer: setting.observer,
            members: &self.members,
            stage: None,
        };
        let images = &setting.examples.train.images;
        let Some(parts) = trainee.epoch(images, order, &observer, setting.stop) else {
            self.phase = Phase::Training(Box::new(trainee));
            return Advance::Done;
        };
        let evaluations = self.record(&trainee, &parts[0], setting);
        if trainee.is_trained() && !self.all_have_ended() {
            self.numbers = Some((setting.measure)(&Trained {
                members: &self.members,
                models: Models::DeepAutoencoders {
                    setting: &self.condition,
                    trainee: &trainee,
                    evaluations: &evaluations,
                    proofs: &self.proofs,
                },
                data: setting.data,
                examples: setting.examples,
            }));
        }
        self.phase = Phase::Training(Box::new(trainee));
        if self.is_through() {
            Advance::Done
        } else {
            Advance::More
        }
    }

    /// Records how the autoencoders do now on the test images; `costs` are those on the training images.
    fn record(
        &mut self,
        trainee: &DeepTrainee,
        costs: &[f64],
        setting: &Setting<'_>,
    ) -> Vec<DeepEvaluation> {
        let test = &setting.data.test.images;
        let variation = test.total_variation() / test.count() as f64;
        let evaluations = trainee.evaluate(&setting.examples.test.images, self.members.len());
        let epoch = trainee.epochs_done();
        for (at, member) in self.members.clone().iter().enumerate() {
            if self.has_ended(member) {
                continue;
            }
            let evaluation = &evaluations[at];
            let record = EpochRecord {
                epoch,
                member: member.index,
                label: member.label.clone(),
                condition: member.condition.clone(),
                seed: member.seed,
                learning_rate: match epoch {
                    0 => 0.0,
                    _ => trainee.last_learning_rate(setting.examples.train.images.count()),
                },
                cost: costs[at],
                reconstruction: costs[at],
                test_reconstruction: evaluation.reconstruction,
                test_squared_error: Some(evaluation.squared_error),
                explained_variance: (variation > 0.0)
                    .then(|| 1.0 - evaluation.squared_error / variation),
                mean_activation: evaluation.mean_activation,
                active_units: evaluation.active_units,
                dead_units: evaluation.dead,
                ..EpochRecord::default()
            };
            let watched = [
                ("the training cost", record.cost),
                ("the test reconstruction error", record.test_reconstruction),
                ("the squared error of test images", evaluation.squared_error),
                ("the mean activation of the code", record.mean_activation),
            ]
            .map(|(quantity, value)| Watched { quantity, value });
            let knobs = "training.learning_rate or the variance of network.weight";
            if let Some(ended) = end_of(member, None, epoch, &watched, knobs) {
                self.end(ended, setting);
            } else {
                setting.observer.record(Record::Epoch(&record));
                self.records.push(record);
            }
        }
        evaluations
    }
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

    /// One step of the way: an epoch of a stage, or of the whole.
    fn advance(&mut self, setting: &Setting<'_>) -> Result<Advance, Failure> {
        if matches!(self.phase, Phase::Waiting) {
            self.begin(setting)?;
        }
        if self.is_through() {
            return Ok(Advance::Done);
        }
        match mem::replace(&mut self.phase, Phase::Waiting) {
            Phase::Pretraining(pretraining) if pretraining.is_done() => {
                let trainee = self.start(&pretraining, setting)?;
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
        state.put("proofs", &self.proofs);
        state.put("ended", &self.ended);
        state.put("numbers", &self.numbers);
        state.put_part("encoders", layers_state(&self.encoders));
        state.put_part("decoders", layers_state(&self.decoders));
        match &self.phase {
            Phase::Waiting => (),
            Phase::Pretraining(pretraining) => {
                state.put_part("pretraining", pretraining.state());
            }
            Phase::Training(trainee) => state.put_part("training", trainee.state()),
        }
        state
    }

    /// What was learnt: `pretrained, seed 0/layer.01.weight` on the way to the code, `…/decoder.01.weight` on the way back, and
    /// as the pretraining left them `…/pretrained/layer.01.weight`.
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
            for (name, shape, values) in deep_parameters(&trainee.model()) {
                weights.insert_members(&self.members, &name, shape, &values);
            }
        }
    }
}

/// Every parameter of a deep autoencoder by the name it is saved under.
#[must_use]
pub fn deep_parameters(model: &DeepAutoencoder) -> Vec<(String, [usize; 3], Vec<f32>)> {
    let there = model.encoder.iter().enumerate();
    let back = model.decoder.iter().enumerate();
    let there = there.map(|(at, layer)| (layer_name(at), layer));
    of_layers(there.chain(back.map(|(at, layer)| (decoder_name(at), layer))))
}
