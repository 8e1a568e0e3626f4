//! The training of autoencoders for their own sake: groups of members, watched, evaluated after every epoch, and measured
//! at the end.

use super::tasks::{Advance, Task};
use super::{Failure, Models, Setting, Trained, Watched, by_condition, end_of};
use crate::backend::Kind;
use crate::model::{Autoencoder, parameters};
use crate::results::{Ended, EpochRecord, Member, Numbers};
use crate::spec::{AutoencoderTraining, Plan, Sparsity};
use crate::train::{Evaluation, MemberObserver, Order, Record, SilenceCounts, State, Trainee};
use crate::weights::Weights;

/// Autoencoders that differ in seed and in β or λ alone, on their way.
struct Group {
    task: usize,
    /// Of all of them, but for β or λ.
    setting: AutoencoderTraining,
    members: Vec<Member>,
    /// Of each member.
    sparsity: Vec<Sparsity>,
    /// Absent before the first turn.
    trainee: Option<Trainee>,
    /// Of every epoch that is done, but for members that had ended.
    records: Vec<EpochRecord>,
    ended: Vec<Ended>,
    /// Of every member, once the last epoch is done.
    numbers: Option<Vec<Numbers>>,
}

/// The tasks of a plan. On a CPU every member is a task of its own and tasks share the lanes; on a GPU, members that
/// differ in seed and in β or λ alone are one batched model, unless each searches its own way.
pub fn tasks(plan: &Plan, kind: Kind) -> Vec<Box<dyn Task>> {
    let mut groups: Vec<Group> = Vec::new();
    for (condition, members) in plan.conditions.iter().zip(by_condition(plan)) {
        let Some(training) = condition.autoencoder() else {
            continue;
        };
        for member in members {
            let sparsity = training.sparsity;
            let alone = kind == Kind::Cpu || condition.searches();
            let shared = groups.iter_mut().find(|group| {
                let other = AutoencoderTraining {
                    sparsity: group.setting.sparsity.with_weight(sparsity.weight()),
                    ..group.setting.clone()
                };
                !alone && other == *training
            });
            match shared {
                Some(group) => {
                    group.members.push(member);
                    group.sparsity.push(sparsity);
                }
                None => groups.push(Group {
                    task: groups.len(),
                    setting: training.clone(),
                    members: vec![member],
                    sparsity: vec![sparsity],
                    trainee: None,
                    records: Vec::new(),
                    ended: Vec::new(),
                    numbers: None,
                }),
            }
        }
    }
    let groups = groups.into_iter();
    groups
        .map(|group| Box::new(group) as Box<dyn Task>)
        .collect()
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

    /// One more epoch, and after the last one the numbers.
    fn advance(&mut self, setting: &Setting<'_>) -> Result<Advance, Failure> {
        if self.trainee.is_none() {
            self.begin(setting)?;
        }
        if self.is_through() {
            return Ok(Advance::Done);
        }
        let Some(trainee) = &mut self.trainee else {
            return Ok(Advance::Done);
        };
        let images = &setting.examples.train.images;
        let observer = MemberObserver {
            observer: setting.observer,
            members: &self.members,
            stage: None,
        };
        let order = Order {
            seed: setting.order_seed,
            stage: 0,
        };
        let Some(costs) = trainee.epoch(images, order, &observer, setting.stop) else {
            return Ok(Advance::Done);
        };
        let variation = setting.data.test.images.total_variation();
        let evaluations = trainee.evaluate(&setting.examples.test.images, variation);
        let is_trained = trainee.is_trained();
        let silence = trainee.silence();
        let rate = trainee.last_learning_rate(images.count());
        let records = self.epoch_records(&costs, &evaluations, silence.as_deref(), rate);
        for (member, record) in self.members.clone().iter().zip(&records) {
            if self.has_ended(member) {
                continue;
            }
            if let Some(ended) = end_after(member, record) {
                setting.observer.ended(&ended);
                self.ended.push(ended);
            } else {
                setting.observer.record(Record::Epoch(record));
                self.records.push(record.clone());
            }
        }
        if self.all_have_ended() {
            setting.observer.worked_before(self.work_left(setting));
            return Ok(Advance::Done);
        }
        if !is_trained {
            return Ok(Advance::More);
        }
        self.numbers = self.trainee.as_ref().map(|trainee| {
            (setting.measure)(&Trained {
                members: &self.members,
                models: Models::Autoencoders {
                    setting: &self.setting,
                    trainee,
                    records: &records,
                    evaluations: &evaluations,
                },
                data: setting.data,
                examples: setting.examples,
            })
        });
        Ok(Advance::Done)
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put("records", &self.records);
        state.put("ended", &self.ended);
        state.put("numbers", &self.numbers);
        if let Some(trainee) = &self.trainee {
            state.put_part("trainee", trainee.state());
        }
        state
    }

    fn add_weights(&self, weights: &mut Weights) {
        let Some(trainee) = &self.trainee else {
            return;
        };
        for (name, shape, values) in parameters(&trainee.model()) {
            weights.insert_members(&self.members, &name, shape, &values);
        }
    }
}

impl Group {
    /// The group at its start, or where an earlier run left it, with what was found so far told again.
    fn begin(&mut self, setting: &Setting<'_>) -> Result<(), Failure> {
        let seeds: Vec<u64> = self.members.iter().map(|member| member.seed).collect();
        let images = &setting.examples.train.images;
        let fresh = Trainee::autoencoders(&self.setting, &seeds, &self.sparsity, images, 0);
        let Some(state) = setting.shelf.take(self.task) else {
            self.trainee = Some(fresh);
            return Ok(());
        };
        let label = self.members[0].label.clone();
        self.restore(fresh, state, setting)
            .ok_or(Failure::Checkpoint { label })?;
        let epochs = self.trainee.as_ref().map_or(0, Trainee::epochs_done);
        let done = self.work(epochs * self.members.len(), setting);
        setting.observer.worked_before(done);
        for record in &self.records {
            setting.observer.recall(Record::Epoch(record));
        }
        if self.all_have_ended() {
            setting.observer.worked_before(self.work_left(setting));
        }
        Ok(())
    }

    /// Takes over what [`state`](Self::state) gave; `None` if it is that of another group.
    fn restore(&mut self, fresh: Trainee, mut state: State, setting: &Setting<'_>) -> Option<()> {
        self.records = state.take("records")?;
        self.ended = state.take("ended")?;
        let numbers: Option<Vec<Numbers>> = state.take("numbers")?;
        let trainee = fresh.restored(state.take_part("trainee"), &setting.backend.device)?;
        // Of a training that was to be shorter, the end is no end any more.
        self.numbers = numbers.filter(|_| trainee.is_trained());
        self.trainee = Some(trainee);
        Some(())
    }

    /// Operations of so many epochs of one member.
    fn work(&self, epochs: usize, setting: &Setting<'_>) -> u64 {
        let images = &setting.data.train.images;
        let spec = &self.setting.autoencoder;
        let step = Autoencoder::step_multiply_accumulates(spec, images.inputs());
        step * (images.count() * epochs * self.setting.training.passes()) as u64
    }

    /// Operations that will never be done, as all members have ended.
    fn work_left(&self, setting: &Setting<'_>) -> u64 {
        let done = self.trainee.as_ref().map_or(0, Trainee::epochs_done);
        let left = self.setting.training.epochs.saturating_sub(done);
        self.work(left * self.members.len(), setting)
    }

    /// What each member has come to in the epoch that is done.
    fn epoch_records(
        &self,
        costs: &[Vec<f64>],
        evaluations: &[Evaluation],
        silence: Option<&[SilenceCounts]>,
        learning_rate: f64,
    ) -> Vec<EpochRecord> {
        let epoch = self.trainee.as_ref().map_or(0, Trainee::epochs_done);
        let members = self.members.iter().zip(&self.sparsity).enumerate();
        members
            .map(|(at, (member, sparsity))| {
                let cost = [costs[0][at], costs[1][at]];
                let counts = silence.map(|counts| counts[at]);
                EpochRecord {
                    epoch,
                    learning_rate,
                    silent_units: counts.map(|of| of.silent),
                    died_units: counts.map(|of| of.died),
                    revived_units: counts.map(|of| of.revived),
                    ..record(member, sparsity.weight(), cost, &evaluations[at])
                }
            })
            .collect()
    }
}

fn record(
    member: &Member,
    sparsity_weight: f64,
    [reconstruction, sparsity]: [f64; 2],
    evaluation: &Evaluation,
) -> EpochRecord {
    let units = evaluation.mean_activation.len() as f64;
    EpochRecord {
        member: member.index,
        label: member.label.clone(),
        condition: member.condition.clone(),
        seed: member.seed,
        cost: reconstruction + sparsity_weight * sparsity,
        reconstruction,
        sparsity,
        test_reconstruction: evaluation.reconstruction,
        explained_variance: evaluation.explained_variance,
        mean_activation: evaluation.mean_activation.iter().sum::<f64>() / units,
        active_units: evaluation.active_units,
        dead_units: evaluation.dead.len(),
        untrained_units: evaluation.untrained.len(),
        ..EpochRecord::default()
    }
}

/// What ends `member` after the epoch of `record`, if anything does.
fn end_after(member: &Member, record: &EpochRecord) -> Option<Ended> {
    let watched = [
        ("the training cost", record.cost),
        ("the reconstruction cost", record.reconstruction),
        ("the sparsity term", record.sparsity),
        ("the test reconstruction error", record.test_reconstruction),
        (
            "the explained variance",
            record.explained_variance.unwrap_or(0.0),
        ),
        ("the mean activation", record.mean_activation),
        ("the number of active units", record.active_units),
    ]
    .map(|(quantity, value)| Watched { quantity, value });
    let knobs = "training.learning_rate or the sparsity weight";
    end_of(member, None, record.epoch, &watched, knobs)
}
