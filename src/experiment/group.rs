//! Members on their way together: layers pretrained one on the other's codes where their condition asks for it, then the
//! whole model; every epoch recorded, and numbers at the end. What is trained, and what is told of it, is a [`Trainable`]'s.

use std::mem;
use std::ops::ControlFlow;
use std::time::Instant;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::tasks::Task;
use super::work::{Sizes, multiply_accumulates, stage_work, step};
use super::{Failure, Models, Setting, Trained};
use crate::data::Dataset;
use crate::model::{Layer, LayerValues, Parameter};
use crate::results::{Ended, Member, MemberSeconds, Numbers, StageRecord, TransferProof};
use crate::spec::{Condition, Target, Transfer};
use crate::train::pretraining::{
    Pretraining, StageEpoch, are_ways_back, fits, layers_state, restored_layers, transferred,
};
use crate::train::{Event, Labelled, Learner, MemberObserver, Order, Record, State, Training};
use crate::weights::{Weights, hash_of, layer_name};

/// What a group trains, and what it tells of it.
pub(super) trait Trainable: Send {
    /// What learns.
    type Learner: Learner + Send;
    /// What is known of a member after an epoch.
    type Record: Serialize + DeserializeOwned + Send;
    /// What a look at the models found besides, for the numbers at the end.
    type Found;

    /// Whether the start is recorded too, as epoch 0.
    const RECORDS_START: bool = true;
    /// Whether it is unrolled from its pretraining, and so needs the ways back too.
    const IS_UNROLLED: bool = false;
    /// Whether what the training of each member took is compared.
    const IS_TIMED: bool = false;
    /// The keys likeliest at fault where a member cannot go on.
    const KNOBS: &'static str = "training.learning_rate or the variance of network.weight";

    /// What it learns from, of these examples.
    fn examples(of: &Labelled) -> &<Self::Learner as Learner>::Examples;

    /// The models about to start their own training, with what their pretraining hands on.
    fn fresh(
        &self,
        seeds: &[u64],
        handed_on: &Pretrained,
        setting: &Setting<'_>,
    ) -> Training<Self::Learner>;

    /// The layers that begin where their pretraining ended, from the input up.
    fn pretrained_layers(model: &<Self::Learner as Learner>::Model) -> &[Layer];

    /// What is to be told of each member after an epoch.
    fn look(
        &self,
        trainee: &Training<Self::Learner>,
        after: &After<'_>,
        setting: &Setting<'_>,
    ) -> (Vec<Self::Record>, Self::Found);

    /// What must be finite for a member to go on, by the names that a reader is told.
    fn watched(record: &Self::Record) -> Vec<(String, f64)>;

    /// A record as an observer knows it.
    fn told(record: &Self::Record) -> Record<'_>;

    /// Keeps what is to be kept of the models of this epoch, of the members that go on.
    fn keep(&mut self, _: &Training<Self::Learner>, _: &Self::Found, _going_on: &[bool]) {}

    /// Whether a member needs no more epochs than so many.
    fn is_over(&self, _member: usize, _epochs: usize) -> bool {
        false
    }

    /// The models that the training leaves.
    fn models<'a>(
        &'a self,
        trainee: &'a Training<Self::Learner>,
        found: &'a Self::Found,
        proofs: &'a [TransferProof],
    ) -> Models<'a>;

    /// Every parameter that is saved, of the models as they are.
    fn parameters(&self, trainee: &Training<Self::Learner>) -> Vec<Parameter>;

    /// What it keeps.
    fn state(&self) -> State {
        State::default()
    }

    /// Takes back what [`state`](Self::state) gave; `None` if it is that of another group.
    fn restore(&mut self, _: State, _: &Training<Self::Learner>) -> Option<()> {
        Some(())
    }
}

/// The moment after an epoch, or before the first.
pub(super) struct After<'a> {
    /// The epochs that are done.
    pub epoch: usize,
    /// That of the last step; 0 before the first.
    pub learning_rate: f64,
    /// The parts of the cost during the epoch, each member's mean over the images; absent before the first.
    pub costs: Option<&'a [Vec<f64>]>,
    pub members: &'a [Member],
    pub spent: Spent,
}

/// What the training of a member has taken so far, its pretraining included.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Spent {
    pub updates: u64,
    pub multiply_accumulates: u64,
}

impl Spent {
    fn add(&mut self, updates: usize, multiply_accumulates: u64) {
        self.updates = self.updates.saturating_add(updates as u64);
        self.multiply_accumulates = self
            .multiply_accumulates
            .saturating_add(multiply_accumulates);
    }
}

/// What a pretraining learnt, from the input up.
#[derive(Default)]
pub(super) struct Pretrained {
    pub encoders: Vec<LayerValues>,
    /// The ways back; none where nobody needs them.
    pub decoders: Vec<LayerValues>,
}

impl Pretrained {
    fn of(pretraining: &Pretraining) -> Self {
        Self {
            encoders: pretraining.encoders().to_vec(),
            decoders: pretraining.decoders().to_vec(),
        }
    }

    fn handed_on(&self, transfer: Transfer, seeds: &[u64]) -> Self {
        let [encoders, decoders] =
            [&self.encoders, &self.decoders].map(|of| transferred(of, transfer, seeds));
        Self { encoders, decoders }
    }
}

enum Phase<L: Learner> {
    Waiting,
    Pretraining(Box<Pretraining>),
    Training(Box<Training<L>>),
}

/// Members that are trained together.
pub(super) struct Group<S: Trainable> {
    /// Position among all tasks.
    task: usize,
    subject: S,
    /// That of the members; where they are of several, these differ in β or λ alone.
    condition: Condition,
    members: Vec<Member>,
    /// Operations of one member's whole training.
    whole: u64,
    phase: Phase<S::Learner>,
    /// As the pretraining left it.
    pretrained: Pretrained,
    proofs: Vec<TransferProof>,
    stage_records: Vec<StageRecord>,
    /// Of every epoch that is done, but for members that had ended.
    records: Vec<S::Record>,
    /// The members that could not go on; the others do.
    ended: Vec<Ended>,
    /// Of every member, once the last epoch is done.
    numbers: Option<Vec<Numbers>>,
    spent: Spent,
    seconds: Vec<MemberSeconds>,
}

impl<S: Trainable> Group<S> {
    pub fn new(
        task: usize,
        subject: S,
        condition: &Condition,
        members: Vec<Member>,
        data: &Dataset,
    ) -> Self {
        let images = [&data.train, data.to_pretrain()].map(|of| of.images.count());
        let inputs = data.train.images.inputs();
        let seconds = |member: &Member| MemberSeconds {
            member: member.index,
            ..MemberSeconds::default()
        };
        Self {
            task,
            subject,
            whole: multiply_accumulates(condition, images, inputs, data.classes),
            condition: condition.clone(),
            seconds: members.iter().map(seconds).collect(),
            members,
            phase: Phase::Waiting,
            pretrained: Pretrained::default(),
            proofs: Vec::new(),
            stage_records: Vec::new(),
            records: Vec::new(),
            ended: Vec::new(),
            numbers: None,
            spent: Spent::default(),
        }
    }

    fn seeds(&self) -> Vec<u64> {
        self.members.iter().map(|member| member.seed).collect()
    }

    /// The group at its start, or where an earlier run left it, with what was found so far told again.
    fn begin(&mut self, setting: &Setting<'_>) -> Result<(), Failure> {
        let fresh = self.fresh_pretraining(setting);
        let Some(state) = setting.shelf.take(self.task) else {
            self.phase = Phase::Pretraining(Box::new(fresh));
            return Ok(());
        };
        let label = self.members[0].label.clone();
        self.restore(fresh, state, setting)
            .ok_or(Failure::Checkpoint { label })?;
        let members = self.members.len() as u64;
        let done = self.spent.multiply_accumulates.saturating_mul(members);
        setting.observer.tell(Event::WorkedBefore(done));
        for record in &self.stage_records {
            setting.observer.tell(Event::Recall(Record::Stage(record)));
        }
        for record in &self.records {
            setting.observer.tell(Event::Recall(S::told(record)));
        }
        if self.is_through() {
            setting.observer.tell(Event::WorkedBefore(self.work_left()));
        }
        Ok(())
    }

    fn fresh_pretraining(&self, setting: &Setting<'_>) -> Pretraining {
        let examples = setting.examples.to_pretrain();
        let (stages, seeds) = (self.condition.stages(), self.seeds());
        let fresh = match self.condition.target() {
            Target::Reconstruction => Pretraining::new(stages, &seeds, &examples.images),
            Target::Classes => Pretraining::of_classes(stages, &seeds, examples),
        };
        if S::IS_UNROLLED {
            fresh.with_decoders()
        } else {
            fresh
        }
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
        self.spent = state.take("spent")?;
        self.seconds = state.take("seconds")?;
        self.pretrained = Pretrained {
            encoders: restored_layers(state.take_part("encoders"))?,
            decoders: restored_layers(state.take_part("decoders"))?,
        };
        let Pretrained { encoders, decoders } = &self.pretrained;
        let inputs = setting.data.train.images.inputs();
        let (stages, members) = (self.condition.stages(), self.members.len());
        let is_way_back = if S::IS_UNROLLED {
            are_ways_back(decoders, encoders)
        } else {
            decoders.is_empty()
        };
        let fit = fits(encoders, stages, members, inputs) && is_way_back;
        if self.seconds.len() != members || !fit {
            return None;
        }
        let training = state.take_part("training");
        self.phase = if training.is_empty() {
            let images = &setting.examples.to_pretrain().images;
            let pretraining = fresh.restored(state.take_part("pretraining"), images)?;
            Phase::Pretraining(Box::new(pretraining))
        } else {
            let fresh = self.fresh(setting);
            let kept = state.take_part("kept");
            self.subject.restore(kept, &fresh)?;
            let trainee = fresh.restored(training, &setting.backend.device)?;
            // Of a training that was to be shorter, the end is no end any more.
            self.numbers = numbers.filter(|_| self.is_trained(&trainee));
            Phase::Training(Box::new(trainee))
        };
        Some(())
    }

    /// One more epoch of the stage that is on.
    fn pretrain(&mut self, mut pretraining: Pretraining, setting: &Setting<'_>) -> ControlFlow<()> {
        let images = &setting.examples.to_pretrain().images;
        let finished = pretraining.encoders().len();
        let observer = MemberObserver {
            observer: setting.observer,
            members: &self.members,
            stage: Some(finished + 1),
        };
        let start = Instant::now();
        let epoch = pretraining.epoch(images, setting.order_seed, &observer, setting.stop);
        let seconds = start.elapsed().as_secs_f64() / self.members.len() as f64;
        let is_last = pretraining.encoders().len() > finished;
        self.phase = Phase::Pretraining(Box::new(pretraining));
        let Some(epoch) = epoch else {
            return ControlFlow::Break(());
        };

        let (stages, target) = (self.condition.stages(), self.condition.target());
        let stage = &stages[epoch.stage];
        let sizes = Sizes {
            images: images.count(),
            inputs: images.inputs(),
            classes: setting.data.classes,
        };
        let [work, codes] = stage_work(stages, target, epoch.stage, sizes);
        let codes = codes * u64::from(is_last);
        self.spent.add(
            stage.training.steps(images.count()),
            work.saturating_add(codes),
        );
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
                setting.observer.tell(Event::Record(Record::Stage(&record)));
                self.stage_records.push(record);
            }
        }
        self.more_or_done()
    }

    /// The models at the start of their own training, with the proof that they begin where their pretraining ended.
    fn start(
        &mut self,
        pretraining: &Pretraining,
        setting: &Setting<'_>,
    ) -> Result<Training<S::Learner>, Failure> {
        self.pretrained = Pretrained::of(pretraining);
        let trainee = self.fresh(setting);
        let transfer = self.condition.transfer();
        let from = self.pretrained.handed_on(transfer, &self.seeds()).encoders;
        let model = trainee.model();
        let copies = from.iter().zip(S::pretrained_layers(&model));
        let mut proofs = Vec::new();
        for (layer, (encoder, copy)) in copies.enumerate() {
            let copy = copy.values();
            for (at, member) in self.members.iter().enumerate() {
                if self.has_ended(member) {
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
                    let TransferProof { label, layer, .. } = proof;
                    return Err(Failure::Transfer { label, layer });
                }
                proofs.push(proof);
            }
        }
        self.proofs = proofs;
        Ok(trainee)
    }

    /// The models about to start their own training.
    fn fresh(&self, setting: &Setting<'_>) -> Training<S::Learner> {
        let (seeds, transfer) = (self.seeds(), self.condition.transfer());
        let handed_on = self.pretrained.handed_on(transfer, &seeds);
        self.subject.fresh(&seeds, &handed_on, setting)
    }

    /// One more epoch of the whole, and after the last one the numbers.
    fn train(
        &mut self,
        mut trainee: Training<S::Learner>,
        setting: &Setting<'_>,
    ) -> ControlFlow<()> {
        let order = Order {
            seed: setting.order_seed,
            stage: 0,
        };
        let observer = MemberObserver {
            observer: setting.observer,
            members: &self.members,
            stage: None,
        };
        let examples = S::examples(&setting.examples.train);
        let start = Instant::now();
        let costs = trainee.epoch(examples, order, &observer, setting.stop);
        let seconds = start.elapsed().as_secs_f64() / self.members.len() as f64;
        let Some(costs) = costs else {
            self.phase = Phase::Training(Box::new(trainee));
            return ControlFlow::Break(());
        };

        let images = &setting.data.train.images;
        let step = step(&self.condition.model, images.inputs(), setting.data.classes);
        let training = self.condition.training();
        let work = step.saturating_mul((images.count() * training.passes()) as u64);
        self.spent.add(training.steps(images.count()), work);
        for member in &mut self.seconds {
            member.epochs.push(seconds);
        }
        let found = self.record(&trainee, Some(&costs), setting);
        if self.is_trained(&trainee) && !self.all_have_ended() {
            self.numbers = Some((setting.measure)(&Trained {
                members: &self.members,
                models: self.subject.models(&trainee, &found, &self.proofs),
                data: setting.data,
                examples: setting.examples,
            }));
            setting.observer.tell(Event::WorkedBefore(self.work_left()));
        }
        self.phase = Phase::Training(Box::new(trainee));
        self.more_or_done()
    }

    /// Records how the models do now. `costs` are those of the epoch before.
    fn record(
        &mut self,
        trainee: &Training<S::Learner>,
        costs: Option<&[Vec<f64>]>,
        setting: &Setting<'_>,
    ) -> S::Found {
        let epoch = trainee.epochs_done();
        let after = After {
            epoch,
            learning_rate: match epoch {
                0 => 0.0,
                _ => trainee.last_learning_rate(setting.data.train.images.count()),
            },
            costs,
            members: &self.members,
            spent: self.spent,
        };
        let (records, found) = self.subject.look(trainee, &after, setting);
        let mut going_on = vec![false; self.members.len()];
        for (at, record) in records.into_iter().enumerate() {
            // Of members that are trained together, one may be over before the others.
            let is_over = self.subject.is_over(at, epoch.saturating_sub(1));
            let member = &self.members[at];
            if is_over || self.has_ended(member) {
                continue;
            }
            if let Some(ended) = end_of(member, None, epoch, S::watched(&record), S::KNOBS) {
                self.end(ended, setting);
                continue;
            }
            setting.observer.tell(Event::Record(S::told(&record)));
            self.records.push(record);
            going_on[at] = true;
        }
        self.subject.keep(trainee, &found, &going_on);
        found
    }

    /// Whether no member goes on: all epochs are done, or none of the members needs more.
    fn is_trained(&self, trainee: &Training<S::Learner>) -> bool {
        let epochs = trainee.epochs_done();
        let goes_on = |(at, member): (usize, &Member)| {
            !self.has_ended(member) && !self.subject.is_over(at, epochs)
        };
        trainee.is_trained() || !self.members.iter().enumerate().any(goes_on)
    }

    fn more_or_done(&self) -> ControlFlow<()> {
        if self.is_through() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Takes a member out that cannot go on.
    fn end(&mut self, ended: Ended, setting: &Setting<'_>) {
        setting.observer.tell(Event::Ended(&ended));
        self.ended.push(ended);
        if self.all_have_ended() {
            setting.observer.tell(Event::WorkedBefore(self.work_left()));
        }
    }

    /// Operations that will never be done, as no member goes on.
    fn work_left(&self) -> u64 {
        let left = self.whole.saturating_sub(self.spent.multiply_accumulates);
        left.saturating_mul(self.members.len() as u64)
    }
}

impl<S: Trainable> Task for Group<S> {
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
        if S::IS_TIMED { &self.seconds } else { &[] }
    }

    /// One turn: an epoch of a stage, or of the whole.
    fn advance(&mut self, setting: &Setting<'_>) -> Result<ControlFlow<()>, Failure> {
        if matches!(self.phase, Phase::Waiting) {
            self.begin(setting)?;
        }
        if self.is_through() {
            return Ok(ControlFlow::Break(()));
        }
        match mem::replace(&mut self.phase, Phase::Waiting) {
            Phase::Pretraining(pretraining) if pretraining.is_done() => {
                let trainee = self.start(&pretraining, setting)?;
                if S::RECORDS_START {
                    self.record(&trainee, None, setting);
                }
                if self.all_have_ended() {
                    self.phase = Phase::Training(Box::new(trainee));
                    return Ok(ControlFlow::Break(()));
                }
                Ok(self.train(trainee, setting))
            }
            Phase::Pretraining(pretraining) => Ok(self.pretrain(*pretraining, setting)),
            Phase::Training(trainee) => Ok(self.train(*trainee, setting)),
            Phase::Waiting => Ok(ControlFlow::Break(())),
        }
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put("stage_records", &self.stage_records);
        state.put("records", &self.records);
        state.put("proofs", &self.proofs);
        state.put("ended", &self.ended);
        state.put("numbers", &self.numbers);
        state.put("spent", &self.spent);
        state.put("seconds", &self.seconds);
        state.put_part("encoders", layers_state(&self.pretrained.encoders));
        state.put_part("decoders", layers_state(&self.pretrained.decoders));
        match &self.phase {
            Phase::Waiting => (),
            Phase::Pretraining(pretraining) => {
                state.put_part("pretraining", pretraining.state());
            }
            Phase::Training(trainee) => state.put_part("training", trainee.state()),
        }
        state.put_part("kept", self.subject.state());
        state
    }

    /// What was learnt: `D/seed 0/layer.01.weight`, and as it was before the whole was trained
    /// `D/seed 0/pretrained/layer.01.weight`.
    fn add_weights(&self, weights: &mut Weights) {
        let encoders = match &self.phase {
            Phase::Waiting | Phase::Training(_) => &self.pretrained.encoders,
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
            for (name, shape, values) in self.subject.parameters(trainee) {
                weights.insert_members(&self.members, &name, shape, &values);
            }
        }
    }
}

/// What member `at` has come to in an epoch of a stage.
fn stage_record(
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
fn end_of_stage(member: &Member, record: &StageRecord) -> Option<Ended> {
    let watched = named([
        ("the pretraining cost", record.cost),
        ("the training error", record.reconstruction),
        ("the sparsity term", record.sparsity),
    ]);
    let knobs = "pretraining.learning_rate or pretraining.sparsity.weight";
    end_of(member, Some(record.stage), record.epoch, watched, knobs)
}

/// Quantities by the names that a reader is told.
pub(super) fn named<const N: usize>(quantities: [(&str, f64); N]) -> Vec<(String, f64)> {
    let named = quantities.map(|(name, value)| (name.to_owned(), value));
    named.to_vec()
}

/// The end of `member` in an epoch, if one of the quantities is not finite. `knobs` are the keys likeliest at fault.
fn end_of(
    member: &Member,
    stage: Option<usize>,
    epoch: usize,
    watched: Vec<(String, f64)>,
    knobs: &str,
) -> Option<Ended> {
    let mut watched = watched.into_iter();
    let (quantity, value) = watched.find(|(_, value)| !value.is_finite())?;
    Some(Ended {
        member: member.clone(),
        stage,
        epoch,
        quantity,
        value: if value.is_nan() { "NaN" } else { "infinite" }.to_owned(),
        hint: format!(
            "lower {knobs}, or use optimizer = \"adam\"; on a GPU, compare with `--backend flex`"
        ),
    })
}

fn layer_hash(layer: &LayerValues) -> String {
    let slope = layer.slope.as_deref().unwrap_or_default();
    hash_of(&[&layer.weight, &layer.bias, slope])
}
