//! A run's training: conditions × seeds, made into tasks that know nothing of each other, trained side by side. This room
//! knows models and training, not the command line, files, evidence or drawing.

mod autoencoders;
mod classifiers;
mod deep;
mod describe;
mod group;
mod memory;
pub mod rebuilt;
mod tasks;
mod warnings;
mod work;

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::tensor::{AllocationProperty, Bytes, Device};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use classifiers::{PROBE_IMAGES, named_parameters};
pub use deep::deep_parameters;
pub use describe::{describe, facts};
pub use memory::{Disk, Need, Use, disk, largest_arrays, memory, memory_to_transform};
pub use warnings::warnings;
pub use work::multiply_accumulates;

use crate::backend::{Backend, Kind};
use crate::data::{Dataset, Images, Split, Values};
use crate::model::{Classifier, DeepAutoencoder, parameters};
use crate::ops::{Rows, Stored};
use crate::results::{
    Ended, EpochRecord, Member, MemberResults, MemberSeconds, Numbers, TransferProof,
};
use crate::spec::{
    AutoencoderTraining, ClassifierTraining, DeepAutoencoderTraining, ExperimentName, Model, Plan,
};
use crate::train::{
    DeepEvaluation, DeepTrainee, Evaluation, Labelled, Observer, State, Stop, Trainee, untrained,
};
use crate::weights::Weights;
use crate::words::counted;

use classifiers::Classifiers;
use deep::DeepAutoencoders;
use group::Group;
use tasks::{Task, take_all_turns};

pub use tasks::{ended, is_through};

/// What every experiment is given, whatever its plan.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// The images and their labels.
    pub data: &'a Dataset,
    /// The same on the backend's device.
    pub examples: &'a Examples,
    /// What computes.
    pub backend: &'a Backend,
    /// Compute threads on a CPU backend.
    pub lanes: usize,
    /// Seed of the order of batches.
    pub order_seed: u64,
    /// Who watches the run.
    pub observer: &'a dyn Observer,
    /// The request to end early, if somebody makes it.
    pub stop: &'a Stop,
    /// Images that look into every layer of a classifier after each epoch: [`PROBE_IMAGES`] in a run.
    pub probe_images: usize,
    /// Where the states of the run's tasks are kept.
    pub shelf: &'a dyn Shelf,
    /// The tasks to carry out, by their numbers; absent for all of them.
    pub only: Option<&'a [usize]>,
    /// Called for every group of members that comes to the end of its training.
    pub measure: &'a Measure<'a>,
}

/// Looks at trained models, and gives the numbers of each member.
pub type Measure<'a> = dyn Fn(&Trained<'_>) -> Vec<Numbers> + Sync + 'a;

/// Members at the end of their training, trained together.
pub struct Trained<'a> {
    /// In the order of the leading dimension of [`models`](Self::models).
    pub members: &'a [Member],
    /// The models of these members.
    pub models: Models<'a>,
    /// The data set that they were trained on.
    pub data: &'a Dataset,
    /// The same on the backend's device.
    pub examples: &'a Examples,
}

/// What was trained, with a member for each of [`Trained::members`] along the leading dimension.
pub enum Models<'a> {
    /// Autoencoders that were trained together.
    Autoencoders {
        /// The setting of all of them, but for their sparsity terms.
        setting: &'a AutoencoderTraining,
        /// The models at the end of their training.
        trainee: &'a Trainee,
        /// Of the last epoch.
        records: &'a [EpochRecord],
        /// On the test images.
        evaluations: &'a [Evaluation],
    },
    /// Classifiers that were trained together.
    Classifiers {
        /// The setting of all of them.
        setting: &'a ClassifierTraining,
        /// The models that their training left.
        model: Box<Classifier>,
        /// The epoch of each, where the best one was kept.
        kept_epochs: Option<Vec<usize>>,
        /// Of all members, that they started from what their pretraining learnt.
        proofs: &'a [TransferProof],
    },
    /// Deep autoencoders that were trained together.
    DeepAutoencoders {
        /// The setting of all of them.
        setting: &'a DeepAutoencoderTraining,
        /// The models at the end of their training.
        trainee: &'a DeepTrainee,
        /// On the test images.
        evaluations: &'a [DeepEvaluation],
        /// As of classifiers.
        proofs: &'a [TransferProof],
    },
}

/// A data set on a device.
pub struct Examples {
    /// The training images.
    pub train: Labelled,
    /// What pretraining learns from instead, where that is not the same.
    pub pretraining: Option<Labelled>,
    /// The images held out of the training images, if there are any.
    pub validation: Option<Labelled>,
    /// The test images.
    pub test: Labelled,
}

impl Examples {
    /// Puts every split of `data` on `device`.
    #[must_use]
    pub fn new(data: &Dataset, device: &Device) -> Self {
        let of_classes = |split: &Split, classes: usize| {
            let images = rows(&split.images, device);
            Labelled::new(images, split.labels.as_deref(), classes)
        };
        let labelled = |split: &Split| of_classes(split, data.classes);
        let to_pretrain = data.pretraining.as_ref();
        Self {
            train: labelled(&data.train),
            pretraining: to_pretrain.map(|split| {
                let labels = split.labels.iter().flatten();
                let highest = labels.max().map_or(0, |&label| usize::from(label));
                of_classes(split, highest + 1)
            }),
            validation: data.validation.as_ref().map(labelled),
            test: labelled(&data.test),
        }
    }

    /// What pretraining learns from.
    #[must_use]
    pub fn to_pretrain(&self) -> &Labelled {
        self.pretraining.as_ref().unwrap_or(&self.train)
    }
}

/// Images on a device, one row each.
#[must_use]
pub fn rows(images: &Images, device: &Device) -> Rows {
    let shape = [images.count(), images.inputs()];
    let shared =
        |bytes: &bytes::Bytes| Bytes::from_shared(bytes.clone(), AllocationProperty::Native);
    match images.values() {
        Values::Bytes(bytes) => Rows::of_bytes(shared(bytes), shape, device),
        Values::Numbers(numbers) => Rows::of_numbers(shared(numbers), shape, device),
        Values::Stored(source) => {
            let source = source.clone();
            Rows::Stored(Stored {
                shape,
                read: Arc::new(move |indices, into| source.read(indices, into)),
                device: device.clone(),
            })
        }
    }
}

/// Where the states of a run's tasks are kept, so that another run can go on with them. A task is what is trained
/// together: a member, or a group of members; tasks are counted from 0, in the order of the plan. Called from several
/// threads at once.
pub trait Shelf: Sync {
    /// The state that a task is to go on from, if there is one; asked for once, before the task's first step.
    fn take(&self, task: usize) -> Option<State>;
    /// A task's state is there to be kept, after a turn that others will follow, or after the last one, which broke off
    /// as the task is trained to its end or was stopped; it is only made if `state` is called.
    fn offer(&self, task: &TaskName, turn: ControlFlow<()>, state: &dyn Fn() -> State);
}

/// Which task of a run: what a state that is kept says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskName {
    /// Position among all tasks of the run, counted from 0.
    pub number: usize,
    /// The labels of its members, which name condition and seed.
    pub members: Vec<String>,
}

/// Nothing is kept.
impl Shelf for () {
    fn take(&self, _task: usize) -> Option<State> {
        None
    }
    fn offer(&self, _task: &TaskName, _turn: ControlFlow<()>, _state: &dyn Fn() -> State) {}
}

/// What came out.
pub struct Outcome {
    /// Those that were trained to their end, in the order of the plan.
    pub members: Vec<MemberResults>,
    /// Those that could not go on, in the order of the plan.
    pub ended: Vec<Ended>,
    /// How the run ended.
    pub ending: Ending,
    /// What each classifier's training took; empty for autoencoders, whose times are not compared.
    pub member_seconds: Vec<MemberSeconds>,
    /// A copy of all parameters as they are on the device at the moment of the call.
    pub weights: Box<dyn Fn() -> Weights>,
    /// All parameters as they were drawn, before any training.
    pub initial_weights: Box<dyn Fn() -> Weights>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// Every member was trained to its end, or could not go on.
    Complete,
    /// On request.
    Stopped {
        /// How much was done, in words.
        after: String,
    },
}

/// What ends a run against its will.
#[derive(Debug, Error)]
pub enum Failure {
    /// A layer of a classifier is not a copy of the encoder that was pretrained for it.
    #[error(
        "layer {layer} of {label} is not a copy of its encoder\n  hint: this is a bug, or a device that loses data; \
         compare with `--backend flex`"
    )]
    Transfer {
        /// The label of the member.
        label: String,
        /// The hidden layer, counted from 1.
        layer: usize,
    },
    /// Rows could not be read that were there at first.
    #[error("{reason}")]
    Data {
        /// Which, why, and what to do.
        reason: String,
    },
    /// The backend does not answer any more.
    #[error(
        "the backend stopped computing: {reason}\n  hint: see that it is there, then go on with `layerwise resume`"
    )]
    Device {
        /// What it says.
        reason: String,
    },
    /// A state that was kept does not fit the task that should go on from it.
    #[error(
        "the checkpoint of {label} is that of another task\n  hint: start the run anew; this should not happen, please report it"
    )]
    Checkpoint {
        /// The label of the task's first member.
        label: String,
    },
}

/// The tasks of a plan, in their order.
fn tasks(plan: &Plan, kind: Kind, data: &Dataset) -> Vec<Box<dyn Task>> {
    match plan.experiment {
        ExperimentName::Autoencoder => autoencoders::tasks(plan, kind, data),
        ExperimentName::Classifier | ExperimentName::DeepAutoencoder => {
            stacked_tasks(plan, kind, data)
        }
    }
}

/// Each member alone, or on a GPU all seeds of a condition together, unless each searches its own way.
fn stacked_tasks(plan: &Plan, kind: Kind, data: &Dataset) -> Vec<Box<dyn Task>> {
    let mut tasks: Vec<Box<dyn Task>> = Vec::new();
    for (condition, members) in plan.conditions.iter().zip(by_condition(plan)) {
        let size = match kind {
            Kind::Gpu | Kind::SoftwareGpu if !condition.searches() => members.len(),
            _ => 1,
        };
        for members in members.chunks(size) {
            let (task, members) = (tasks.len(), members.to_vec());
            tasks.push(match &condition.model {
                Model::Classifier(of) => {
                    let of = Classifiers::new(of, members.len());
                    Box::new(Group::new(task, of, condition, members, data))
                }
                Model::DeepAutoencoder(of) => {
                    let of = DeepAutoencoders {
                        condition: of.clone(),
                    };
                    Box::new(Group::new(task, of, condition, members, data))
                }
                Model::Autoencoder(_) => continue,
            });
        }
    }
    tasks
}

/// A task of a run, before it begins.
#[derive(Debug, Clone)]
pub struct Outline {
    /// Position among all tasks of the run, counted from 0.
    pub number: usize,
    /// What is trained together.
    pub members: Vec<Member>,
    /// Multiply–accumulate operations of all its training.
    pub work: u64,
}

/// The tasks that a plan has on these data and on a backend of this kind, in their order.
#[must_use]
pub fn outlines(plan: &Plan, kind: Kind, data: &Dataset) -> Vec<Outline> {
    let images = [&data.train, data.to_pretrain()].map(|of| of.images.count());
    let inputs = data.train.images.inputs();
    let work = |member: &Member| {
        let condition = plan.condition(&member.condition);
        condition.map_or(0, |of| {
            multiply_accumulates(of, images, inputs, data.classes)
        })
    };
    let outline = |task: Box<dyn Task>| Outline {
        number: task.number(),
        members: task.members().to_vec(),
        work: task.members().iter().map(work).sum(),
    };
    let tasks = tasks(plan, kind, data).into_iter();
    tasks.map(outline).collect()
}

/// Trains every condition of a plan under every seed, or [a part](Setting::only) of these.
///
/// # Errors
///
/// Returns [`Failure`] if what a classifier starts from is not what its pretraining learnt, or if a task is to go on from
/// the state of another one. A member whose cost becomes infinite or not a number ends, and the others go on.
pub fn run(plan: &Plan, setting: &Setting<'_>) -> Result<Outcome, Failure> {
    let mut tasks = tasks(plan, setting.backend.kind, setting.data);
    if let Some(only) = setting.only {
        tasks.retain(|task| only.contains(&task.number()));
    }
    let tasks = take_all_turns(tasks, setting)?;

    let through = tasks.iter().filter(|task| task.is_through());
    let through: usize = through.map(|task| task.members().len()).sum();
    let all: usize = tasks.iter().map(|task| task.members().len()).sum();
    let ending = if through == all {
        Ending::Complete
    } else {
        let after = format!(
            "{through} of {} had been trained to the end",
            counted(all, "model")
        );
        Ending::Stopped { after }
    };
    let mut members: Vec<MemberResults> = tasks.iter().flat_map(|task| task.results()).collect();
    members.sort_by_key(|of| of.member.index);
    let ended = tasks.iter().flat_map(|task| task.ended().to_vec());
    let mut ended: Vec<Ended> = ended.collect();
    ended.sort_by_key(|of| of.member.index);
    let seconds = tasks.iter().flat_map(|task| task.seconds().to_vec());
    let member_seconds = seconds.collect();

    let (plan, images) = (plan.clone(), setting.examples.train.images.clone());
    let classes = setting.data.classes;
    Ok(Outcome {
        members,
        ended,
        ending,
        member_seconds,
        weights: Box::new(move || {
            let mut weights = Weights::default();
            for task in &tasks {
                task.add_weights(&mut weights);
            }
            weights
        }),
        initial_weights: Box::new(move || initial_weights(&plan, &images, classes)),
    })
}

/// What every member of a plan starts from, drawn again: `D/seed 0/initial/layer.01.weight`.
fn initial_weights(plan: &Plan, images: &Rows, classes: usize) -> Weights {
    let (inputs, device) = (images.inputs(), &images.device());
    let mut weights = Weights::default();
    for (condition, members) in plan.conditions.iter().zip(by_condition(plan)) {
        for member in &members {
            let seeds = [member.seed];
            let parameters = match &condition.model {
                Model::Autoencoder(of) => parameters(&untrained(of, &seeds, images, 0)),
                Model::Classifier(of) => {
                    let drawn = Classifier::new(&of.classifier, inputs, classes, &seeds, device);
                    named_parameters(&drawn)
                }
                Model::DeepAutoencoder(of) => {
                    let drawn = DeepAutoencoder::new(&of.network, inputs, &seeds, device);
                    deep_parameters(&drawn)
                }
            };
            for (name, shape, values) in parameters {
                let name = format!("initial/{name}");
                weights.insert_members(std::slice::from_ref(member), &name, shape, &values);
            }
        }
    }
    weights
}

/// The members of a plan: by condition, then by seed.
#[must_use]
pub fn members(plan: &Plan) -> Vec<Member> {
    by_condition(plan).concat()
}

/// How many of these members each condition has.
fn counts(plan: &Plan, of: &[Member]) -> Vec<usize> {
    let count = |name: &str| of.iter().filter(|member| member.condition == name).count();
    plan.names().map(count).collect()
}

/// The members of each condition.
fn by_condition(plan: &Plan) -> Vec<Vec<Member>> {
    let seeds = &plan.run.seeds;
    let conditions = plan.names().enumerate();
    conditions
        .map(|(at, name)| {
            let of_seed = seeds.iter().enumerate();
            of_seed
                .map(|(seed_at, &seed)| {
                    Member::new(at * seeds.len() + seed_at, name.to_owned(), seed, seeds)
                })
                .collect()
        })
        .collect()
}

/// How much there is to do for these members, on so many training images and so many to pretrain on, of `inputs` pixels in `classes` classes.
#[must_use]
pub fn extent(
    plan: &Plan,
    of: &[Member],
    images: [usize; 2],
    inputs: usize,
    classes: usize,
) -> Extent {
    let mut extent = Extent {
        epochs: 0,
        epochs_of_all: 0,
        largest_batches: [0; 2],
        multiply_accumulates: 0,
    };
    for (condition, seeds) in plan.conditions.iter().zip(counts(plan, of)) {
        extent.epochs = extent.epochs.max(condition.training().epochs);
        let stages = condition.stages().iter().map(|stage| (1, &stage.training));
        for (of, training) in stages.chain([(0, condition.training())]) {
            extent.epochs_of_all += seeds * training.epochs;
            let largest = &mut extent.largest_batches[of];
            *largest = training.batch(images[of]).max(*largest);
        }
        let work = multiply_accumulates(condition, images, inputs, classes);
        let of_seeds = work.saturating_mul(seeds as u64);
        extent.multiply_accumulates = extent.multiply_accumulates.saturating_add(of_seeds);
    }
    extent
}

/// The size of a plan's training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Epochs of the longest member, without its pretraining.
    pub epochs: usize,
    /// Of all members together, pretraining included.
    pub epochs_of_all: usize,
    /// The most images of a batch, in the training and in the pretraining.
    pub largest_batches: [usize; 2],
    /// Of all members' training, pretraining included.
    pub multiply_accumulates: u64,
}
