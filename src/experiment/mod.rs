//! Recipes: each experiment's way from a plan and data to results. They know models, training and evidence, not
//! the command line, files or drawing.

mod autoencoders;
pub mod dead_units;
pub mod figure56;
mod memory;
pub mod pretraining;
mod tasks;
mod warnings;

use burn::tensor::{AllocationProperty, Bytes, Device};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use memory::{Need, Part, memory};
pub use warnings::warnings;

use crate::backend::Backend;
use crate::config::{Experiment, Plan};
use crate::data::{Dataset, Images, Split};
use crate::model::Autoencoder;
use crate::ops::Rows;
use crate::results::{Ended, Member, MemberSeconds, Results};
use crate::spec::{AutoencoderTraining, ExperimentName, TrainingSpec};
use crate::train::{Labelled, Observer, State, Stop};
use crate::weights::Weights;

/// What every experiment is given, whatever its plan.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    pub data: &'a Dataset,
    /// The same on the backend's device.
    pub examples: &'a Examples,
    pub backend: &'a Backend,
    /// Compute threads on a CPU backend.
    pub lanes: usize,
    /// Seed of the order of batches.
    pub order_seed: u64,
    pub observer: &'a dyn Observer,
    pub stop: &'a Stop,
    pub shelf: &'a dyn Shelf,
}

/// A data set on a device.
pub struct Examples {
    pub train: Labelled,
    pub validation: Option<Labelled>,
    pub test: Labelled,
}

impl Examples {
    #[must_use]
    pub fn new(data: &Dataset, device: &Device) -> Self {
        let labelled =
            |split: &Split| Labelled::new(rows(&split.images, device), &split.labels, data.classes);
        Self {
            train: labelled(&data.train),
            validation: data.validation.as_ref().map(labelled),
            test: labelled(&data.test),
        }
    }
}

/// Images on a device, one row each.
#[must_use]
pub fn rows(images: &Images, device: &Device) -> Rows {
    let shape = [images.count(), images.pixels_per_image()];
    let bytes = Bytes::from_shared(images.shared_pixels(), AllocationProperty::Native);
    Rows::of_bytes(bytes, shape, device)
}

/// Where the states of a run's tasks are kept, so that another run can go on with them. A task is what is trained
/// together: a member, or a group of members; tasks are counted from 0, in the order of the plan. Called from several
/// threads at once.
pub trait Shelf: Sync {
    /// The state that a task is to go on from, if there is one; asked for once, before the task's first step.
    fn take(&self, task: usize) -> Option<State>;
    /// A task's state is there to be kept; it is only made if `state` is called.
    fn offer(&self, task: &TaskName, moment: Moment, state: &dyn Fn() -> State);
}

/// Which task of a run: what a state that is kept says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskName {
    /// Position among all tasks of the run, counted from 0.
    pub number: usize,
    /// The labels of its members, which name condition and seed.
    pub members: Vec<String>,
}

/// When a state is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Between two epochs: others will follow.
    Epoch,
    /// The task's last one, as it is trained to its end or was stopped.
    Last,
}

/// Nothing is kept.
impl Shelf for () {
    fn take(&self, _task: usize) -> Option<State> {
        None
    }
    fn offer(&self, _task: &TaskName, _moment: Moment, _state: &dyn Fn() -> State) {}
}

/// What came out.
pub struct Outcome {
    /// Of a run that was stopped, what it found so far.
    pub results: Results,
    pub ending: Ending,
    /// Empty where the experiment does not compare times.
    pub member_seconds: Vec<MemberSeconds>,
    /// A copy of all parameters as they are on the device at the moment of the call.
    pub weights: Box<dyn Fn() -> Weights>,
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
    #[error(
        "layer {layer} of {label} is not a copy of its encoder\n  hint: this is a bug, or a device that loses data; \
         compare with `--backend flex`"
    )]
    Transfer { label: String, layer: usize },
    #[error(
        "the checkpoint of {label} is that of another task\n  hint: start the run anew; this should not happen, please report it"
    )]
    Checkpoint { label: String },
}

/// A quantity of a member that may be infinite or not a number, and then ends the member.
struct Watched<'a> {
    /// As in "the training cost".
    quantity: &'a str,
    value: f64,
}

/// The end of `member` in an epoch, if one of the quantities is not finite. `knobs` are the keys likeliest at fault.
fn end_of(
    member: &Member,
    stage: Option<usize>,
    epoch: usize,
    watched: &[Watched<'_>],
    knobs: &str,
) -> Option<Ended> {
    let broken = watched.iter().find(|watched| !watched.value.is_finite())?;
    Some(Ended {
        member: member.clone(),
        stage,
        epoch,
        quantity: broken.quantity.to_owned(),
        value: if broken.value.is_nan() {
            "NaN"
        } else {
            "infinite"
        }
        .to_owned(),
        hint: format!(
            "lower {knobs}, or use optimizer = \"adam\"; on a GPU, compare with `--backend flex`"
        ),
    })
}

/// The experiment's name.
#[must_use]
pub fn name(experiment: &Experiment) -> ExperimentName {
    match experiment {
        Experiment::Figure56(_) => ExperimentName::Figure56,
        Experiment::Pretraining(_) => ExperimentName::Pretraining,
        Experiment::DeadUnits(_) => ExperimentName::DeadUnits,
    }
}

/// Runs the experiment of a plan.
///
/// # Errors
///
/// Returns [`Failure`] if it cannot go on.
pub fn run(plan: &Plan, setting: &Setting<'_>) -> Result<Outcome, Failure> {
    let seeds = &plan.run.seeds;
    match &plan.experiment {
        Experiment::Figure56(figure) => figure56::run(figure, seeds, setting),
        Experiment::Pretraining(pretraining) => pretraining::run(pretraining, seeds, setting),
        Experiment::DeadUnits(dead_units) => dead_units::run(dead_units, seeds, setting),
    }
}

/// The members of a plan, in the order of their indices.
#[must_use]
pub fn members(plan: &Plan) -> Vec<Member> {
    let seeds = &plan.run.seeds;
    match &plan.experiment {
        Experiment::Figure56(figure) => figure56::members(figure, seeds),
        Experiment::Pretraining(pretraining) => pretraining::members(pretraining, seeds),
        Experiment::DeadUnits(dead_units) => dead_units::members(dead_units, seeds),
    }
}

/// A member for each condition and seed.
fn by_condition_and_seed<'a>(
    conditions: impl Iterator<Item = &'a String>,
    seeds: &[u64],
) -> Vec<Member> {
    let pairs = conditions.flat_map(|condition| seeds.iter().map(move |&seed| (condition, seed)));
    pairs
        .enumerate()
        .map(|(index, (condition, seed))| Member::new(index, condition.clone(), seed, seeds))
        .collect()
}

/// How much there is to do, on `images` training images of `inputs` pixels in `classes` classes.
#[must_use]
pub fn extent(plan: &Plan, images: usize, inputs: usize, classes: usize) -> Extent {
    let seeds = plan.run.seeds.len() as u64;
    let mut extent = Extent {
        epochs: 0,
        epochs_of_all: 0,
        largest_batch: 0,
        multiply_accumulates: 0,
    };
    let mut add = |training: &TrainingSpec, multiply_accumulates: u64| {
        extent.epochs = extent.epochs.max(training.epochs);
        extent.epochs_of_all += seeds as usize * training.epochs;
        extent.largest_batch = extent.largest_batch.max(training.batch_size);
        let of_all = seeds.saturating_mul(multiply_accumulates);
        extent.multiply_accumulates = extent.multiply_accumulates.saturating_add(of_all);
    };
    let of_autoencoder = |setting: &AutoencoderTraining| {
        let step = Autoencoder::step_multiply_accumulates(&setting.autoencoder, inputs);
        step.saturating_mul((images * setting.training.epochs) as u64)
    };
    match &plan.experiment {
        Experiment::Figure56(figure) => {
            for setting in &figure.settings {
                add(&setting.training, of_autoencoder(setting));
            }
        }
        Experiment::Pretraining(pretraining) => {
            for condition in &pretraining.conditions {
                let work = pretraining::multiply_accumulates(condition, images, inputs, classes);
                add(&condition.training, work);
            }
            for condition in &pretraining.conditions {
                for stage in &condition.stages {
                    let training = &stage.training;
                    extent.epochs_of_all += seeds as usize * training.epochs;
                    extent.largest_batch = extent.largest_batch.max(training.batch_size);
                }
            }
        }
        Experiment::DeadUnits(dead_units) => {
            for condition in &dead_units.conditions {
                let setting = &condition.setting;
                add(&setting.training, of_autoencoder(setting));
            }
        }
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
    /// The most images of a batch.
    pub largest_batch: usize,
    /// Of all members' training, pretraining included.
    pub multiply_accumulates: u64,
}
