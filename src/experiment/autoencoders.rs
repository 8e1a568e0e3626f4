//! The training of many autoencoders, whatever for: groups of members, shared out over processor cores, watched,
//! evaluated after every epoch, and summed up at the end by whoever wants to know.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::tasks::{Advance, Task, carry_out};
use super::{Ending, Failure, Outcome, Setting, Watched, end_of};
use crate::backend::Kind;
use crate::model::{Autoencoder, parameters};
use crate::results::{Ended, EpochRecord, Member, Results};
use crate::spec::{AutoencoderTraining, Sparsity};
use crate::train::{Evaluation, MemberObserver, Order, Record, State, Trainee};
use crate::weights::{Weights, member_prefix};
use crate::words::counted;

/// Autoencoders that differ in seed and β alone.
pub struct Job {
    pub setting: AutoencoderTraining,
    pub members: Vec<Member>,
    /// Of each member.
    pub sparsity: Vec<Sparsity>,
}

/// How the parameters of many members lie in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// One tensor for all, the member first: `encoder.weight`. Members must be of one architecture.
    Stacked,
    /// Tensors of each member's own: `ramp/seed 0/encoder.weight`.
    ByMember,
}

/// The members of a job at the end of their training.
pub struct Group<'a> {
    pub setting: &'a AutoencoderTraining,
    pub members: &'a [Member],
    pub trainee: &'a Trainee,
    pub records: &'a [EpochRecord],
    pub evaluations: &'a [Evaluation],
}

/// All jobs, trained or stopped on the way.
pub struct Trained<S> {
    groups: Vec<Left<S>>,
}

/// A job at the end of the run.
struct Left<S> {
    job: Job,
    /// Absent if it never had a turn.
    trainee: Option<Trainee>,
    ended: Vec<Ended>,
    /// Absent if it was not trained to its end.
    summaries: Option<Vec<S>>,
}

/// A job on its way.
struct Progress<'a, S, F> {
    job: Job,
    number: usize,
    order: Order,
    /// Absent before the first turn.
    trainee: Option<Trainee>,
    /// Of every epoch that is done, but for members that had ended.
    records: Vec<EpochRecord>,
    /// The members that could not go on; the others do.
    ended: Vec<Ended>,
    /// Of the members that did not end; absent until the last epoch is done.
    summaries: Option<Vec<S>>,
    summarize: &'a F,
}

impl Job {
    /// One job for each member.
    fn alone(self) -> impl Iterator<Item = Self> {
        let setting = self.setting;
        self.members
            .into_iter()
            .zip(self.sparsity)
            .map(move |(member, sparsity)| Self {
                setting: setting.clone(),
                members: vec![member],
                sparsity: vec![sparsity],
            })
    }
}

/// Trains every job and sums up each group that gets to its end, with one summary for each member.
///
/// On a CPU every member is a group of its own and groups share the lanes; on a GPU a job is one group.
///
/// # Errors
///
/// Returns [`Failure`] if a task is to go on from the state of another one. A member whose cost becomes infinite or not a
/// number ends, and the others go on.
pub fn train<S: Send + Serialize + DeserializeOwned>(
    jobs: Vec<Job>,
    setting: &Setting<'_>,
    summarize: impl Fn(&Group<'_>) -> Vec<S> + Sync,
) -> Result<Trained<S>, Failure> {
    let jobs: Vec<Job> = match setting.backend.kind {
        Kind::Cpu => jobs.into_iter().flat_map(Job::alone).collect(),
        Kind::Gpu | Kind::SoftwareGpu => jobs,
    };
    let order = Order {
        seed: setting.order_seed,
        stage: 0,
    };
    let tasks = jobs.into_iter().enumerate().map(|(number, job)| Progress {
        job,
        number,
        order,
        trainee: None,
        records: Vec::new(),
        ended: Vec::new(),
        summaries: None,
        summarize: &summarize,
    });
    let groups = carry_out(tasks.collect(), setting)?;
    Ok(Trained {
        groups: groups
            .into_iter()
            .map(|group| Left {
                job: group.job,
                trainee: group.trainee,
                ended: group.ended,
                summaries: group.summaries,
            })
            .collect(),
    })
}

impl<S, F> Task for Progress<'_, S, F>
where
    S: Send + Serialize + DeserializeOwned,
    F: Fn(&Group<'_>) -> Vec<S> + Sync,
{
    fn number(&self) -> usize {
        self.number
    }

    fn members(&self) -> &[Member] {
        &self.job.members
    }

    /// One more epoch, and after the last one the summaries.
    fn advance(&mut self, setting: &Setting<'_>) -> Result<Advance, Failure> {
        if self.trainee.is_none() {
            self.begin(setting)?;
        }
        if self.summaries.is_some() || self.all_have_ended() {
            return Ok(Advance::Done);
        }
        let Some(trainee) = &mut self.trainee else {
            return Ok(Advance::Done);
        };
        let images = &setting.examples.train.images;
        let observer = MemberObserver {
            observer: setting.observer,
            members: &self.job.members,
            stage: None,
        };
        let Some(costs) = trainee.epoch(images, self.order, &observer, setting.stop) else {
            return Ok(Advance::Done);
        };
        let variation = setting.data.test.images.total_variation();
        let evaluations = trainee.evaluate(&setting.examples.test.images, variation);
        let records = records(&self.job, trainee, &costs, &evaluations);
        for (member, record) in self.job.members.iter().zip(&records) {
            if has_ended(&self.ended, member) {
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
        if self.ended.len() == self.job.members.len() {
            setting.observer.worked_before(self.work_left(setting));
            return Ok(Advance::Done);
        }
        if !trainee.is_trained() {
            return Ok(Advance::More);
        }
        let summaries = (self.summarize)(&Group {
            setting: &self.job.setting,
            members: &self.job.members,
            trainee,
            records: &records,
            evaluations: &evaluations,
        });
        let members = self.job.members.iter().zip(summaries);
        self.summaries = Some(
            members
                .filter(|(member, _)| !has_ended(&self.ended, member))
                .map(|(_, summary)| summary)
                .collect(),
        );
        Ok(Advance::Done)
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put("records", &self.records);
        state.put("ended", &self.ended);
        state.put("summaries", &self.summaries);
        if let Some(trainee) = &self.trainee {
            state.put_part("trainee", trainee.state());
        }
        state
    }
}

impl<S: DeserializeOwned, F> Progress<'_, S, F> {
    /// The group at its start, or where an earlier run left it, with what was found so far told again.
    fn begin(&mut self, setting: &Setting<'_>) -> Result<(), Failure> {
        let fresh = self.job.trainee(setting);
        let Some(mut state) = setting.shelf.take(self.number) else {
            self.trainee = Some(fresh);
            return Ok(());
        };
        let other = || Failure::Checkpoint {
            label: self.job.members[0].label.clone(),
        };
        let records: Vec<EpochRecord> = state.take("records").ok_or_else(other)?;
        let ended: Vec<Ended> = state.take("ended").ok_or_else(other)?;
        let summaries: Option<Vec<S>> = state.take("summaries").ok_or_else(other)?;
        let trainee = fresh
            .restored(state.take_part("trainee"), &setting.backend.device)
            .ok_or_else(other)?;
        // Of a training that was to be shorter, the end is no end any more.
        self.summaries = summaries.filter(|_| trainee.is_trained());
        let epochs = trainee.epochs_done() * self.job.members.len();
        setting.observer.worked_before(self.work(epochs, setting));
        for record in &records {
            setting.observer.recall(Record::Epoch(record));
        }
        self.records = records;
        self.ended = ended;
        self.trainee = Some(trainee);
        if self.all_have_ended() {
            setting.observer.worked_before(self.work_left(setting));
        }
        Ok(())
    }
}

impl<S, F> Progress<'_, S, F> {
    fn all_have_ended(&self) -> bool {
        self.ended.len() == self.job.members.len()
    }

    /// Operations of so many epochs of one member.
    fn work(&self, epochs: usize, setting: &Setting<'_>) -> u64 {
        let images = &setting.data.train.images;
        let spec = &self.job.setting.autoencoder;
        let step = Autoencoder::step_multiply_accumulates(spec, images.pixels_per_image());
        step * (images.count() * epochs) as u64
    }

    /// Operations that will never be done, as all members have ended.
    fn work_left(&self, setting: &Setting<'_>) -> u64 {
        let done = self.trainee.as_ref().map_or(0, Trainee::epochs_done);
        let left = self.job.setting.training.epochs.saturating_sub(done);
        self.work(left * self.job.members.len(), setting)
    }
}

fn has_ended(ended: &[Ended], member: &Member) -> bool {
    ended.iter().any(|ended| ended.member.index == member.index)
}

impl<S: Clone> Trained<S> {
    /// The summary of every member that was trained to its end, in the order of the jobs.
    #[must_use]
    pub fn summaries(&self) -> Vec<S> {
        let groups = self.groups.iter();
        let summaries = groups.filter_map(|group| group.summaries.clone());
        summaries.flatten().collect()
    }

    /// The members that could not go on, in the order of the jobs.
    #[must_use]
    pub fn ended(&self) -> Vec<Ended> {
        let groups = self.groups.iter();
        groups.flat_map(|group| group.ended.clone()).collect()
    }
}

impl<S> Left<S> {
    /// Whether all of its members were trained to their end, or could not go on.
    fn is_through(&self) -> bool {
        self.summaries.is_some() || self.ended.len() == self.job.members.len()
    }
}

impl<S: 'static> Trained<S> {
    /// These models with what was found about them.
    #[must_use]
    pub fn outcome(self, results: Results, naming: Naming) -> Outcome {
        let epochs = |group: &Left<S>| group.job.setting.training.epochs;
        let done = |group: &Left<S>| group.trainee.as_ref().map_or(0, Trainee::epochs_done);
        let unfinished = || self.groups.iter().filter(|group| !group.is_through());
        let ending = match unfinished().map(done).min() {
            None => Ending::Complete,
            Some(done) => Ending::Stopped {
                after: format!(
                    "{done} of {} of every member",
                    counted(unfinished().map(epochs).max().unwrap_or(0), "epoch")
                ),
            },
        };
        Outcome {
            results,
            ending,
            member_seconds: Vec::new(),
            weights: Box::new(move || self.weights(naming)),
        }
    }

    /// A copy of every member's parameters as they are on the device at this moment; those of a member that never
    /// had a turn are missing.
    fn weights(&self, naming: Naming) -> Weights {
        let mut weights = Weights::default();
        for group in &self.groups {
            let Some(trainee) = &group.trainee else {
                continue;
            };
            for (name, shape, values) in parameters(&trainee.model()) {
                let [members, rows, columns] = shape;
                match naming {
                    Naming::Stacked => weights.append(&name, [members, rows, columns], values),
                    Naming::ByMember => {
                        let matrices = values.chunks_exact(rows * columns);
                        for (member, matrix) in group.job.members.iter().zip(matrices) {
                            let name = format!("{}/{name}", member_prefix(member));
                            weights.append(&name, [1, rows, columns], matrix.to_vec());
                        }
                    }
                }
            }
        }
        weights
    }
}

impl Job {
    fn trainee(&self, setting: &Setting<'_>) -> Trainee {
        let seeds: Vec<u64> = self.members.iter().map(|member| member.seed).collect();
        let inputs = setting.data.train.images.pixels_per_image();
        let device = &setting.backend.device;
        Trainee::autoencoders(&self.setting, &seeds, &self.sparsity, inputs, 0, device)
    }
}

fn records(
    job: &Job,
    trainee: &Trainee,
    costs: &[Vec<f64>],
    evaluations: &[Evaluation],
) -> Vec<EpochRecord> {
    let members = job.members.iter().zip(&job.sparsity);
    let costs = costs[0].iter().zip(&costs[1]);
    members
        .zip(costs.zip(evaluations))
        .map(
            |((member, sparsity), ((&error, &divergence), evaluation))| {
                let cost = [error, divergence];
                record(member, sparsity.weight, trainee, cost, evaluation)
            },
        )
        .collect()
}

fn record(
    member: &Member,
    sparsity_weight: f64,
    trainee: &Trainee,
    [reconstruction, divergence]: [f64; 2],
    evaluation: &Evaluation,
) -> EpochRecord {
    let units = evaluation.mean_activation.len() as f64;
    EpochRecord {
        epoch: trainee.epochs_done(),
        member: member.index,
        label: member.label.clone(),
        learning_rate: trainee.last_learning_rate(),
        cost: reconstruction + sparsity_weight * divergence,
        reconstruction,
        sparsity: divergence,
        test_reconstruction: evaluation.reconstruction,
        explained_variance: evaluation.explained_variance,
        mean_activation: evaluation.mean_activation.iter().sum::<f64>() / units,
        active_units: evaluation.active_units,
        dead_units: evaluation.dead.len(),
        untrained_units: evaluation.untrained.len(),
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
