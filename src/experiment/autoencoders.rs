//! The training of many autoencoders, whatever for: groups of members, shared out over processor cores, watched,
//! evaluated after every epoch, and summed up at the end by whoever wants to know.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::tasks::{Advance, Task, carry_out};
use super::{Ending, Failure, NotFinite, Outcome, Setting};
use crate::backend::Kind;
use crate::model::{Autoencoder, numbers};
use crate::results::{EpochRecord, Member, Results};
use crate::spec::AutoencoderTraining;
use crate::train::{Epoch, Evaluation, Order, Record, State, Trainee};
use crate::weights::{Weights, member_prefix};

/// Autoencoders that differ in seed and β alone.
pub struct Job {
    pub setting: AutoencoderTraining,
    pub members: Vec<Member>,
    /// β of each member.
    pub sparsity_weights: Vec<f64>,
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
    groups: Vec<Ended<S>>,
}

/// A job at the end of the run.
struct Ended<S> {
    job: Job,
    /// Absent if it never had a turn.
    trainee: Option<Trainee>,
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
    /// Of every epoch that is done.
    records: Vec<EpochRecord>,
    /// Absent until the last epoch is done.
    summaries: Option<Vec<S>>,
    summarize: &'a F,
}

impl Job {
    /// One job for each member.
    fn alone(self) -> impl Iterator<Item = Self> {
        let setting = self.setting;
        self.members
            .into_iter()
            .zip(self.sparsity_weights)
            .map(move |(member, sparsity_weight)| Self {
                setting: setting.clone(),
                members: vec![member],
                sparsity_weights: vec![sparsity_weight],
            })
    }
}

/// Trains every job and sums up each group that gets to its end, with one summary for each member.
///
/// On a CPU every member is a group of its own and groups share the lanes; on a GPU a job is one group.
///
/// # Errors
///
/// Returns [`Failure`] as soon as a cost or a measurement is infinite or not a number.
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
        summaries: None,
        summarize: &summarize,
    });
    let groups = carry_out(tasks.collect(), setting)?;
    Ok(Trained {
        groups: groups
            .into_iter()
            .map(|group| Ended {
                job: group.job,
                trainee: group.trainee,
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

    /// One more epoch, and after the last one the summaries.
    fn advance(&mut self, setting: &Setting<'_>) -> Result<Advance, Failure> {
        if self.trainee.is_none() {
            self.begin(setting)?;
        }
        let Some(trainee) = self.trainee.take() else {
            return Ok(Advance::Done);
        };
        if trainee.is_trained() && self.summaries.is_some() {
            self.trainee = Some(trainee);
            return Ok(Advance::Done);
        }
        let images = &setting.data.train.images;
        let (trainee, costs) = trainee.epoch(images, self.order, setting.observer, setting.stop);
        let trainee = self.trainee.insert(trainee);
        let Some(costs) = costs else {
            return Ok(Advance::Done);
        };
        let evaluations = trainee.evaluate(&setting.data.test.images);
        let records = records(&self.job, trainee, &costs, &evaluations);
        if let Some(error) = records.iter().find_map(not_finite) {
            return Err(Failure::NotFinite(error));
        }
        for record in &records {
            setting.observer.record(Record::Epoch(record));
        }
        self.records.extend_from_slice(&records);
        if !trainee.is_trained() {
            return Ok(Advance::More);
        }
        self.summaries = Some((self.summarize)(&Group {
            setting: &self.job.setting,
            members: &self.job.members,
            trainee,
            records: &records,
            evaluations: &evaluations,
        }));
        Ok(Advance::Done)
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put("records", &self.records);
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
        let summaries: Option<Vec<S>> = state.take("summaries").ok_or_else(other)?;
        let trainee = fresh
            .restored(state.take_part("trainee"))
            .ok_or_else(other)?;
        // Of a training that was to be shorter, the end is no end any more.
        self.summaries = summaries.filter(|_| trainee.is_trained());
        let spec = &self.job.setting.autoencoder;
        let step = Autoencoder::step_multiply_accumulates(
            spec,
            setting.data.train.images.pixels_per_image(),
        );
        let images = setting.data.train.images.count() * records.len();
        setting.observer.worked_before(step * images as u64);
        for record in &records {
            setting.observer.recall(Record::Epoch(record));
        }
        self.records = records;
        self.trainee = Some(trainee);
        Ok(())
    }
}

impl<S: Clone> Trained<S> {
    /// Every member's summary, in the order of the jobs; absent if one was not trained to its end.
    #[must_use]
    pub fn summaries(&self) -> Option<Vec<S>> {
        let groups = self.groups.iter().map(|group| group.summaries.clone());
        Some(groups.collect::<Option<Vec<_>>>()?.concat())
    }
}

impl<S: 'static> Trained<S> {
    /// These models with what was found about them.
    #[must_use]
    pub fn outcome(self, results: Option<Results>, naming: Naming) -> Outcome {
        let epochs = |group: &Ended<S>| group.job.setting.training.epochs;
        let done = |group: &Ended<S>| group.trainee.as_ref().map_or(0, Trainee::epochs_done);
        let ending = if results.is_some() {
            Ending::Complete
        } else {
            Ending::Stopped {
                after: format!(
                    "{} of {} epochs of every member",
                    self.groups.iter().map(done).min().unwrap_or(0),
                    self.groups.iter().map(epochs).max().unwrap_or(0)
                ),
            }
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
            for (name, tensor) in trainee.model().parameters() {
                let [members, rows, columns] = tensor.dims();
                let values = numbers(tensor);
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
        Trainee::new(
            &self.setting,
            &seeds,
            &self.sparsity_weights,
            inputs,
            0,
            device,
        )
    }
}

fn records(
    job: &Job,
    trainee: &Trainee,
    costs: &[Epoch],
    evaluations: &[Evaluation],
) -> Vec<EpochRecord> {
    let members = job.members.iter().zip(&job.sparsity_weights);
    members
        .zip(costs.iter().zip(evaluations))
        .map(|((member, &sparsity_weight), (cost, evaluation))| {
            record(member, sparsity_weight, trainee, *cost, evaluation)
        })
        .collect()
}

fn record(
    member: &Member,
    sparsity_weight: f64,
    trainee: &Trainee,
    cost: Epoch,
    evaluation: &Evaluation,
) -> EpochRecord {
    let units = evaluation.mean_activation.len() as f64;
    EpochRecord {
        epoch: trainee.epochs_done(),
        member: member.index,
        label: member.label.clone(),
        learning_rate: trainee.last_learning_rate(),
        cost: cost.reconstruction + sparsity_weight * cost.divergence,
        reconstruction: cost.reconstruction,
        sparsity: cost.divergence,
        test_reconstruction: evaluation.reconstruction,
        explained_variance: evaluation.explained_variance,
        mean_activation: evaluation.mean_activation.iter().sum::<f64>() / units,
        active_units: evaluation.active_units,
        dead_units: evaluation
            .images_on
            .iter()
            .filter(|&&images| images == 0)
            .count(),
        untrained_units: evaluation.untrained.len(),
    }
}

fn not_finite(record: &EpochRecord) -> Option<NotFinite> {
    let quantities = [
        ("the training cost", record.cost),
        ("the reconstruction cost", record.reconstruction),
        ("the sparsity term", record.sparsity),
        ("the test reconstruction error", record.test_reconstruction),
        ("the explained variance", record.explained_variance),
        ("the mean activation", record.mean_activation),
    ];
    quantities
        .into_iter()
        .find(|(_, value)| !value.is_finite())
        .map(|(quantity, value)| NotFinite {
            epoch: record.epoch,
            label: record.label.clone(),
            quantity,
            value,
            knobs: "training.learning_rate or the sparsity weight",
        })
}
