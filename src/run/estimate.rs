//! How long a plan will take on this machine, and how much disk it will need.
//!
//! Each condition is trained for two epochs on a few of the images, then on seven times as many, as many models at once
//! as the run has side by side. What the time between two records is made of, a part that grows with the images and one
//! that does not, follows from the two, and from these the time on all images and of all epochs. That is a few seconds of
//! work for minutes or days of training; it depends on what else the machine does at that moment.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use super::Prepared;
use crate::data::{Dataset, Split};
use crate::evidence;
use crate::experiment::{self, Examples, Outline, PROBE_IMAGES, Setting, multiply_accumulates};
use crate::results::Member;
use crate::spec::{
    Condition, Model, OptimizerSpec, Plan, Report, Revive, Run, TrainedLayers, TrainingSpec,
};
use crate::train::lanes::locked;
use crate::train::{Event, FULL_BATCH_PART, Observer, Record, Stop};

/// Seconds that the calibration of all conditions may take together, and of each at least and at most.
const BUDGET: f64 = 10.0;
const OF_ONE: [f64; 2] = [0.25, 2.5];
/// Multiply–accumulate operations of a second, to choose how many images a calibration learns from: of this order on
/// processors of today.
const PACE: f64 = 15e9;
/// Epochs of each phase in a calibration: the first has its own costs, the second stands for all others.
const EPOCHS: usize = 2;
/// How many times as many images the second of two calibrations learns from.
const TIMES_MORE: usize = 7;
/// Iterations of an epoch of line searches in a calibration.
const ITERATIONS: usize = 4;
/// Drawing, seen in runs of many kinds: seconds of any, and of each byte of weights.
const DRAWING: f64 = 0.2;
const DRAWING_A_BYTE: f64 = 4.5e-8;

/// What a plan takes on this machine.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// Seconds of each task, on the threads that it has.
    tasks: Vec<(usize, f64)>,
    /// How many tasks run side by side.
    lanes: usize,
    /// Seconds of reading data and of drawing.
    pub loading: f64,
    /// As above.
    pub drawing: f64,
}

impl Estimate {
    /// Seconds of the training of the tasks that are `wanted`, side by side.
    #[must_use]
    pub fn training(&self, wanted: impl Fn(usize) -> bool) -> f64 {
        let tasks = self.tasks.iter().filter(|(task, _)| wanted(*task));
        let (sum, longest) = tasks.fold((0.0, 0.0_f64), |(sum, longest), (_, seconds)| {
            (sum + seconds, longest.max(*seconds))
        });
        (sum / self.lanes as f64).max(longest)
    }

    /// Seconds of the whole run.
    #[must_use]
    pub fn whole(&self) -> f64 {
        self.loading + self.training(|_| true) + self.drawing
    }
}

/// Trains a little of every condition of a plan, and tells what all of it takes with so many threads on a CPU.
#[must_use]
pub fn estimate(plan: &Plan, prepared: &Prepared, jobs: usize) -> Estimate {
    let models = prepared
        .tasks
        .iter()
        .map(|task| task.members.len())
        .sum::<usize>();
    let lanes = jobs.min(models).max(1);
    let budget = (BUDGET / plan.conditions.len() as f64).clamp(OF_ONE[0], OF_ONE[1]);
    let of_condition: BTreeMap<&str, f64> = plan
        .conditions
        .iter()
        .map(|condition| {
            let seconds = calibrate(plan, condition, prepared, [jobs, lanes], budget);
            (condition.name.as_str(), seconds)
        })
        .collect();
    let of_task = |task: &Outline| {
        let of_member = |member: &Member| of_condition.get(member.condition.as_str());
        let members = task.members.iter().filter_map(of_member);
        (task.number, members.sum())
    };
    Estimate {
        tasks: prepared.tasks.iter().map(of_task).collect(),
        lanes,
        loading: prepared.loading,
        drawing: DRAWING + DRAWING_A_BYTE * prepared.disk.weights as f64,
    }
}

/// Seconds of one member of a condition, on the threads that it has when so many are side by side.
fn calibrate(
    plan: &Plan,
    condition: &Condition,
    prepared: &Prepared,
    [jobs, lanes]: [usize; 2],
    budget: f64,
) -> f64 {
    let data = &prepared.data;
    let (images, inputs) = (data.train.images.count(), data.train.images.inputs());
    let small = shortened(condition);
    let of_an_image = multiply_accumulates(&small, [1, 1], inputs, data.classes).max(1);
    let phases = small.stages().iter().map(|stage| &stage.training);
    let phases = phases.chain([small.training()]);
    let batch = phases.map(|training| training.batch(FULL_BATCH_PART)).max();
    let batch = batch.unwrap_or(1);
    let few = (budget * PACE / of_an_image as f64 / (1 + TIMES_MORE) as f64) as usize;
    let few = few.min(images / TIMES_MORE).max(batch).min(images);
    let many = (TIMES_MORE * few).min(images);
    let plan = Plan {
        conditions: vec![small],
        run: Run {
            seeds: (0..lanes as u64).collect(),
            ..plan.run.clone()
        },
        grid: Vec::new(),
        report: Report::default(),
        expectations: Vec::new(),
        ..plan.clone()
    };
    // As many in both, or what they take would be laid to the images.
    let probe_images = few.min(PROBE_IMAGES);
    let segments = [few, many].map(|count| {
        let data = shrunk(data, count, images);
        timed(&plan, &data, prepared, [jobs, probe_images])
    });
    let [of_few, of_many] = &segments;
    let sum = of_many.iter().map(|(moment, &seconds)| {
        let a_share = images as f64 / many as f64;
        let seconds = match of_few.get(moment).filter(|_| few < many) {
            // A straight line through both; noise must not turn it downwards.
            Some(&other) => {
                let slope = ((seconds - other) / (many - few) as f64).max(0.0);
                (seconds + slope * (images - many) as f64).min(seconds * a_share)
            }
            None => seconds * a_share,
        };
        seconds * times(condition, *moment)
    });
    sum.sum()
}

/// What a stretch of time ended with: a record of a phase (0 for the training of the whole, then the stages from 1) and an
/// epoch, or the last measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Epoch { phase: usize, epoch: usize },
    End,
}

/// How many such stretches the whole training has.
fn times(condition: &Condition, moment: Moment) -> f64 {
    let Moment::Epoch { phase, epoch } = moment else {
        return 1.0;
    };
    let stage = phase
        .checked_sub(1)
        .and_then(|at| condition.stages().get(at));
    let training = stage.map_or(condition.training(), |stage| &stage.training);
    let epochs = match epoch {
        EPOCHS => training.epochs + 1 - EPOCHS,
        _ => 1,
    };
    // Before the first epoch there is nothing but measurements.
    let iterations = training.iterations().filter(|_| epoch > 0);
    let longer = iterations.map_or(1.0, |of| of as f64 / of.min(ITERATIONS) as f64);
    epochs as f64 * longer
}

/// The first epochs of a training, and of an epoch of line searches the first iterations.
fn shorten(training: &mut TrainingSpec) {
    training.epochs = training.epochs.min(EPOCHS);
    if let OptimizerSpec::Lbfgs { iterations, .. } = &mut training.optimizer {
        *iterations = (*iterations).min(ITERATIONS);
    }
}

/// The same condition with the first epochs of each phase alone.
fn shortened(condition: &Condition) -> Condition {
    let mut condition = condition.clone();
    condition.at.clear();
    let mut stages = Vec::new();
    let training = match &mut condition.model {
        Model::Autoencoder(of) => {
            // Soon after the start some unit is silent, and from then on every step has the auxiliary cost.
            if let Revive::AuxK { silent_images, .. } = &mut of.revive {
                *silent_images = 1;
            }
            &mut of.training
        }
        Model::Classifier(of) => {
            // The epochs of the softmax layer alone are the cheaper ones.
            if let TrainedLayers::OutputFirst { .. } = of.trained_layers {
                of.trained_layers = TrainedLayers::All;
            }
            stages.extend(&mut of.stages);
            &mut of.training
        }
        Model::DeepAutoencoder(of) => {
            stages.extend(&mut of.stages);
            &mut of.training
        }
    };
    shorten(training);
    for stage in stages {
        shorten(&mut stage.training);
    }
    condition
}

/// The first `count` of `images` training images, and as large a share of all others.
fn shrunk(data: &Dataset, count: usize, images: usize) -> Dataset {
    let of = |split: &Split| {
        let all = split.images.count();
        let count = (all * count).div_ceil(images).clamp(1, all);
        Split {
            images: split.images.part(0, count),
            labels: split.labels.as_ref().map(|labels| labels[..count].to_vec()),
        }
    };
    Dataset {
        train: of(&data.train),
        pretraining: data.pretraining.as_ref().map(of),
        validation: data.validation.as_ref().map(of),
        test: of(&data.test),
        ..data.clone()
    }
}

/// The seconds of every stretch of a training: means over its members.
fn timed(
    plan: &Plan,
    data: &Dataset,
    prepared: &Prepared,
    [jobs, probe_images]: [usize; 2],
) -> BTreeMap<Moment, f64> {
    let watch = Stopwatch::default();
    let examples = Examples::new(data, &prepared.backend.device);
    let begin = Instant::now();
    let trained = experiment::run(
        plan,
        &Setting {
            examples: &examples,
            data,
            backend: &prepared.backend,
            lanes: jobs,
            order_seed: plan.run.order_seed,
            observer: &watch,
            probe_images,
            stop: &Stop::default(),
            shelf: &(),
            only: None,
            measure: &|trained| {
                let numbers = evidence::measure(plan, trained);
                for member in trained.members {
                    watch.passed(member.index, Moment::End);
                }
                numbers
            },
        },
    );
    // What fails here fails in the run, which tells of it.
    drop(trained);
    let of_members = watch.0.into_inner();
    let of_members = of_members.unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut sums: BTreeMap<Moment, f64> = BTreeMap::new();
    for moments in of_members.values() {
        let mut last = begin;
        for (moment, at) in moments {
            *sums.entry(*moment).or_default() += (*at - last).as_secs_f64();
            last = *at;
        }
    }
    let members = of_members.len().max(1) as f64;
    sums.into_iter()
        .map(|(moment, sum)| (moment, sum / members))
        .collect()
}

/// When each member came to what.
#[derive(Default)]
struct Stopwatch(Mutex<BTreeMap<usize, Vec<(Moment, Instant)>>>);

impl Stopwatch {
    fn passed(&self, member: usize, moment: Moment) {
        let mut all = locked(&self.0);
        all.entry(member)
            .or_default()
            .push((moment, Instant::now()));
    }
}

impl Observer for Stopwatch {
    fn tell(&self, event: Event<'_>) {
        let Event::Record(record) = event else {
            return;
        };
        let (member, phase, epoch) = match record {
            Record::Epoch(of) => (of.member, 0, of.epoch),
            Record::Stage(of) => (of.member, of.stage, of.epoch),
            Record::Classifier(of, _) => (of.member, 0, of.epoch),
            Record::Reading(_) => return,
        };
        self.passed(member, Moment::Epoch { phase, epoch });
    }
}
