//! How much memory a plan will need, from its sizes alone, so that what cannot be run is refused before it begins.
//!
//! Counted is what grows with the plan: pictures, models with what optimisers and comparisons remember of them, codes
//! that are learnt from, what a step, a checkpoint and the end of the run copy, and records. All members are held at
//! once, for they take turns. The counts are those of this program's CPU backends; measured peaks of runs are within a
//! quarter of them (`tests/memory_need.rs`).

use std::fmt;

use crate::backend::Kind;
use crate::data::{Dataset, Images};
use crate::machine::readable;
use crate::model::{Autoencoder, Classifier, DeepAutoencoder};
use crate::spec::{
    Activation, AutoencoderTraining, ClassifierTraining, DeepAutoencoderTraining, ExperimentName,
    Keep, Model, OptimizerSpec, Plan, TrainingSpec, Transform, Whitening,
};

use super::{Outline, PROBE_IMAGES, counts};
use crate::results::Member;
use crate::train::FULL_BATCH_PART;
use crate::train::lanes::most_at_work;

/// The program itself, its threads, and the blocks that its allocator keeps.
const PROGRAM: f64 = 75e6;
const FLOAT: f64 = 4.0;
/// Pages with their scripts and examples, and a pixel of a unit's picture in the files and on the page.
const PAGES: f64 = 3e6;
const PIXEL: f64 = 8.0;
/// An epoch of a member: its record in memory, in its state and as a line of each file.
const RECORD: f64 = 2000.0;
/// The same of a layer.
const LAYER_RECORD: f64 = 1500.0;
/// A pixel of a unit's picture on its way onto the page, drawn larger than it is; and the most that pictures take.
const DRAWN: f64 = 9.0;
const DRAWN_AT_MOST: f64 = 360e6;

/// What a run needs, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// By what it is for, the largest first.
    pub uses: Vec<Use>,
}

/// What something needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// For a reader: `models`.
    pub what: &'static str,
    /// How many bytes it needs.
    pub bytes: u64,
    /// The keys that make it smaller.
    pub keys: &'static str,
}

impl Need {
    /// The keys that make the largest use smaller.
    #[must_use]
    pub fn keys(&self) -> &'static str {
        let mut keys = self.uses.iter().map(|of| of.keys);
        keys.find(|keys| !keys.is_empty())
            .unwrap_or("training.batch_size")
    }

    /// What is needed for this and, at another time, for `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if other.bytes() > self.bytes() {
            other
        } else {
            self
        }
    }

    /// The bytes of all uses together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let uses = self.uses.iter();
        uses.fold(0, |sum, of| sum.saturating_add(of.bytes))
    }
}

/// `models 3.1 GB, pictures 55 MB`: the uses that matter.
impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.bytes();
        let telling = self.uses.iter().filter(|part| part.bytes > total / 20);
        let words: Vec<String> = telling
            .map(|part| format!("{} {}", part.what, readable(part.bytes)))
            .collect();
        f.write_str(&words.join(", "))
    }
}

/// What one member needs, in bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    /// As long as the run lasts.
    held: f64,
    /// Of the codes of the layers below, that a stage of its pretraining learns from.
    codes: f64,
    /// While it has a turn, above what is held; and what of it grows with the batch.
    turn: f64,
    batch: f64,
    /// Of the pictures of its units.
    drawn: f64,
    /// Of all that is written to the file of weights.
    parameters: f64,
    /// Of the initial weights among these.
    initial: f64,
    /// Of one file of its state.
    state: f64,
    records: f64,
}

/// The memory that it takes to do `transforms` to `data`: before, all rows are there as they were read, and in the end
/// those to learn from twice.
#[must_use]
pub fn memory_to_transform(transforms: &[Transform], data: &Dataset) -> Need {
    let splits = [
        Some(&data.train),
        data.pretraining.as_ref(),
        data.validation.as_ref(),
        Some(&data.test),
    ];
    let splits: Vec<&Images> = splits
        .into_iter()
        .flatten()
        .map(|split| &split.images)
        .collect();
    let outputs = |inputs: usize| {
        transforms
            .iter()
            .fold(inputs, |inputs, transform| match transform {
                Transform::Whiten {
                    method: Whitening::Pca,
                    components: Some(components),
                    ..
                } => *components,
                _ => inputs,
            })
    };
    // What is read when it is asked for takes no memory.
    let as_numbers = |images: &&Images| match images.size() {
        0 => 0.0,
        _ if transforms.is_empty() => 0.0,
        _ => FLOAT * images.count() as f64 * outputs(images.inputs()) as f64,
    };
    let before: usize = splits.iter().map(|images| images.size()).sum();
    let after: f64 = splits.iter().map(as_numbers).sum();
    let inputs = data.train.images.inputs() as f64;
    let whitens = |transform: &Transform| matches!(transform, Transform::Whiten { .. });
    // Products, the covariance, directions and three maps of them, in double precision.
    let matrices = if transforms.iter().any(whitens) {
        8.0 * 7.0 * inputs * inputs
    } else {
        0.0
    };
    let bytes = before as f64 + after + matrices;
    let of = |what, bytes: f64, keys| Use {
        what,
        bytes: bytes as u64,
        keys,
    };
    Need {
        uses: vec![
            of(
                "rows and their transforms",
                bytes,
                "data.train_images and data.test_images",
            ),
            of("the program", PROGRAM, ""),
        ],
    }
}

/// What each condition needs for one member.
fn loads(plan: &Plan, data: &Dataset) -> Vec<Load> {
    let inputs = data.train.images.inputs();
    let conditions = plan.conditions.iter();
    conditions
        .map(|condition| match &condition.model {
            Model::Autoencoder(training) => autoencoder(training, inputs),
            Model::Classifier(training) => classifier(training, data),
            Model::DeepAutoencoder(training) => deep_autoencoder(training, data),
        })
        .collect()
}

/// The largest arrays of numbers that these tasks of `plan` put on a GPU, which holds 32-bit floats alone.
#[must_use]
pub fn largest_arrays(plan: &Plan, tasks: &[Outline], data: &Dataset) -> [Use; 3] {
    let images = &data.train.images;
    let (count, inputs) = (images.count(), images.inputs());
    let to_pretrain = data.to_pretrain().images.count() as f64;
    let together = tasks.iter().map(|task| task.members.len()).max();
    let together = together.unwrap_or(1) as f64;
    let (mut weights, mut codes) = (0.0_f64, 0.0_f64);
    for condition in &plan.conditions {
        let units: &[usize] = match &condition.model {
            Model::Autoencoder(of) => std::slice::from_ref(&of.autoencoder.hidden_units),
            Model::Classifier(of) => &of.classifier.hidden_units,
            Model::DeepAutoencoder(of) => &of.network.hidden_units,
        };
        let below = std::iter::once(inputs).chain(units.iter().copied());
        for (below, &units) in below.zip(units) {
            weights = weights.max(together * below as f64 * units as f64);
        }
        // A stage learns from the codes of those before it.
        let stages = condition.stages().iter().rev().skip(1);
        for stage in stages {
            codes = codes.max(together * to_pretrain * stage.autoencoder.hidden_units as f64);
        }
    }
    let of = |what, numbers: f64, keys| Use {
        what,
        bytes: (FLOAT * numbers) as u64,
        keys,
    };
    [
        // What stays in its file is not put there whole.
        of(
            "the training images",
            images.size().min(1) as f64 * (count * inputs) as f64,
            "data.train_images",
        ),
        of(
            "the weights of the largest layer",
            weights,
            "the hidden units of the autoencoder or network, or give fewer of run.seeds",
        ),
        of(
            "the codes that a layer is pretrained on",
            codes,
            "data.train_images or network.hidden_units, or give fewer of run.seeds",
        ),
    ]
}

/// What a run leaves on disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// The file of weights.
    pub weights: u64,
    /// The states of its tasks, the last two of each.
    pub checkpoints: u64,
    /// Records, pictures and pages.
    pub rest: u64,
}

impl Disk {
    /// All of it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.weights + self.checkpoints + self.rest
    }
}

/// The disk that these members of `plan` need on `data`.
#[must_use]
pub fn disk(plan: &Plan, of: &[Member], data: &Dataset) -> Disk {
    let loads = loads(plan, data);
    let counts = counts(plan, of);
    let sum = |of: &dyn Fn(&Load) -> f64| -> f64 {
        let loads = loads.iter().zip(&counts);
        loads.map(|(load, &count)| count as f64 * of(load)).sum()
    };
    Disk {
        weights: sum(&|load| load.parameters) as u64,
        checkpoints: sum(&|load| 2.0 * load.state) as u64,
        rest: (PAGES
            + sum(&|load| load.records)
            + PIXEL / DRAWN * sum(&|load| load.drawn).min(DRAWN_AT_MOST)) as u64,
    }
}

/// The memory that these members of `plan` need on `data`, with `threads` on a CPU backend.
#[must_use]
pub fn memory(plan: &Plan, of: &[Member], data: &Dataset, kind: Kind, threads: usize) -> Need {
    let counts = counts(plan, of);
    let loads = loads(plan, data);
    let keys = match plan.experiment {
        ExperimentName::Autoencoder => [
            "autoencoder.hidden_units, or fewer of run.seeds and conditions",
            "",
            "training.batch_size",
        ],
        ExperimentName::Classifier | ExperimentName::DeepAutoencoder => [
            "network.hidden_units, or fewer of run.seeds and conditions",
            "data.train_images, network.hidden_units, or fewer of run.seeds and conditions",
            "training.batch_size and pretraining.batch_size",
        ],
    };
    let sum = |of: &dyn Fn(&Load) -> f64| -> f64 {
        let loads = loads.iter().zip(&counts);
        loads.map(|(load, &count)| count as f64 * of(load)).sum()
    };
    let members = sum(&|_| 1.0);
    let lanes = match kind {
        Kind::Cpu => members.min(threads as f64),
        // All seeds of a condition are one batched model.
        Kind::Gpu | Kind::SoftwareGpu => counts.iter().max().map_or(0.0, |&most| most as f64),
    };
    // Those of the tasks that are at work at the same time.
    let mut of_members: Vec<f64> = Vec::new();
    for (load, &count) in loads.iter().zip(&counts) {
        of_members.extend(std::iter::repeat_n(load.codes, count));
    }
    of_members.sort_by(|one, other| other.total_cmp(one));
    let at_work = match kind {
        Kind::Cpu => most_at_work(threads, of_members.len()),
        Kind::Gpu | Kind::SoftwareGpu => of_members.len(),
    };
    let codes: f64 = of_members.iter().take(at_work).sum();
    let largest = |of: &dyn Fn(&Load) -> f64| loads.iter().map(of).fold(0.0, f64::max);
    let (turn, batch) = (largest(&|load| load.turn), largest(&|load| load.batch));
    // The values, the bytes of the file, and the initial weights once more.
    let end = 2.0 * sum(&|load| load.parameters)
        + sum(&|load| load.initial)
        + sum(&|load| load.drawn).min(DRAWN_AT_MOST);
    let images = [
        Some(&data.train),
        data.pretraining.as_ref(),
        data.validation.as_ref(),
        Some(&data.test),
    ];
    let pixels: usize = images
        .into_iter()
        .flatten()
        .map(|split| split.images.size() + split.labels.as_ref().map_or(0, Vec::len))
        .sum();
    let of = |what, bytes: f64, keys| Use {
        what,
        // Beyond what a number can hold it is as good as the largest.
        bytes: bytes as u64,
        keys,
    };
    let mut uses = vec![
        of("the program", PROGRAM, ""),
        of(
            "pictures",
            pixels as f64,
            "data.train_images and data.test_images",
        ),
        of("models", sum(&|load| load.held), keys[0]),
        of("codes to learn from", codes, keys[1]),
        if lanes * turn > end {
            let keys = if batch > turn / 2.0 { keys[2] } else { keys[0] };
            of("training steps and checkpoints", lanes * turn, keys)
        } else {
            of("weights and pictures on their way into files", end, keys[0])
        },
        of("records", sum(&|load| load.records), "training.epochs"),
    ];
    uses.retain(|of| of.bytes > 0);
    uses.sort_by_key(|of| std::cmp::Reverse(of.bytes));
    Need { uses }
}

/// Bytes that an optimiser remembers for each byte of parameters.
fn moments(training: &TrainingSpec) -> f64 {
    match training.optimizer {
        OptimizerSpec::Adam { .. } => 2.0,
        OptimizerSpec::Sgd {
            momentum: 0.0,
            final_momentum: None,
            ..
        } => 0.0,
        OptimizerSpec::Sgd { .. } => 1.0,
        OptimizerSpec::Lbfgs {
            iterations,
            history,
        } => 2.0 * history.min(iterations * training.epochs) as f64,
    }
}

/// Images that go through the model together.
fn batch(training: &TrainingSpec) -> f64 {
    training.batch(FULL_BATCH_PART) as f64
}

/// Whether a layer of it is one operation, which keeps nothing but what it gives.
fn is_one_operation(activation: Activation) -> bool {
    let one = [Activation::Relu, Activation::Sigmoid, Activation::Identity];
    one.contains(&activation)
}

fn autoencoder(setting: &AutoencoderTraining, inputs: usize) -> Load {
    let spec = &setting.autoencoder;
    let (n, units) = (inputs as f64, spec.hidden_units as f64);
    let batch = batch(&setting.training);
    let weights = n * units;
    let parameters = Autoencoder::parameter_count(setting, inputs) as f64;
    let state = parameters * (1.0 + moments(&setting.training));
    // The batch at both ends of each layer, forward and backward; a gradient and a transpose of each matrix.
    let copies = if is_one_operation(spec.activation) {
        2.0
    } else {
        6.0
    };
    let batch = batch * (1.5 * n + copies * units);
    let step = 2.0 * parameters + batch;
    // At its end: the weights on the host, scaled, as a tensor, and unit by unit.
    let summary = 4.0 * weights;
    // As bytes, as a file, and framed.
    let checkpoint = 3.0 * state;
    Load {
        // The initial weights are kept for comparison.
        held: FLOAT * (state + weights),
        codes: 0.0,
        // And a gradient, whose memory is kept for the next step.
        turn: FLOAT * (step.max(summary).max(checkpoint) + parameters),
        batch: FLOAT * batch,
        drawn: DRAWN * weights,
        parameters: FLOAT * 2.0 * parameters,
        initial: FLOAT * parameters,
        state: FLOAT * state,
        records: RECORD * setting.training.epochs as f64,
    }
}

/// What a pretraining needs, in bytes.
#[derive(Default)]
struct StagesLoad {
    /// How many numbers its encoders have.
    encoders: f64,
    held: f64,
    codes: f64,
    turn: f64,
    batch: f64,
    epochs: f64,
}

fn stages(stages: &[AutoencoderTraining], images: f64, inputs: usize) -> StagesLoad {
    let mut load = StagesLoad::default();
    let mut inputs = inputs;
    for (at, stage) in stages.iter().enumerate() {
        let of_stage = autoencoder(stage, inputs);
        let of_codes = match at {
            0 => 0.0,
            _ => FLOAT * images * inputs as f64,
        };
        load.codes = load.codes.max(of_codes);
        load.held = load.held.max(FLOAT * load.encoders + of_stage.held);
        let next = match stages.get(at + 1) {
            // And for what the codes before them leave behind, which is not given back at once.
            Some(_) => 1.5 * FLOAT * images * stage.autoencoder.hidden_units as f64,
            None => 0.0,
        };
        load.turn = load.turn.max(of_stage.turn).max(next);
        load.batch = load.batch.max(of_stage.batch);
        load.encoders += (inputs * stage.autoencoder.hidden_units) as f64;
        load.epochs += stage.training.epochs as f64;
        inputs = stage.autoencoder.hidden_units;
    }
    load
}

fn deep_autoencoder(condition: &DeepAutoencoderTraining, data: &Dataset) -> Load {
    let spec = &condition.network;
    let inputs = data.train.images.inputs();
    let units: f64 = spec.hidden_units.iter().map(|&units| units as f64).sum();
    let parameters = DeepAutoencoder::parameter_count(spec, inputs) as f64;
    let state = parameters * (1.0 + moments(&condition.training));
    let stages = stages(
        &condition.stages,
        data.to_pretrain().images.count() as f64,
        inputs,
    );
    // Encoders and decoders as the pretraining left them.
    let pretrained = 2.0 * stages.encoders;
    let copies = if is_one_operation(spec.activation) {
        1.0
    } else {
        3.0
    };
    let of_batch = self::batch(&condition.training) * (copies * 2.0 * units + 4.0 * inputs as f64);
    let step = 2.0 * parameters + of_batch;
    let checkpoint = 3.0 * (state + pretrained);
    Load {
        held: (stages.held + FLOAT * stages.encoders).max(FLOAT * (pretrained + state)),
        codes: stages.codes,
        turn: stages.turn.max(FLOAT * step.max(checkpoint)),
        batch: stages.batch.max(FLOAT * of_batch),
        drawn: 0.0,
        parameters: FLOAT * (2.0 * parameters + stages.encoders),
        initial: FLOAT * parameters,
        state: FLOAT * (state + pretrained),
        records: RECORD * (stages.epochs + condition.training.epochs as f64),
    }
}

fn classifier(condition: &ClassifierTraining, data: &Dataset) -> Load {
    let spec = &condition.classifier;
    let images = data.to_pretrain().images.count() as f64;
    let inputs = data.train.images.inputs();
    let units: f64 = spec.hidden_units.iter().map(|&units| units as f64).sum();
    let widths = inputs as f64 + units + data.classes as f64;
    let parameters = Classifier::parameter_count(spec, inputs, data.classes) as f64;
    let state = parameters * (1.0 + moments(&condition.training));
    let of_training = self::batch(&condition.training);
    let probe = PROBE_IMAGES.min(data.train.images.count()) as f64;

    let stages = stages(&condition.stages, images, inputs);
    let kept = match condition.keep {
        Keep::Last => 0.0,
        Keep::Best { .. } => parameters,
    };
    let state = state + kept;
    let checkpoint = 3.0 * (state + stages.encoders);
    let copies = if is_one_operation(spec.activation) {
        1.0
    } else {
        3.0
    };
    let of_batch = copies * of_training * (units + data.classes as f64);
    let step = 2.0 * parameters + of_batch;
    let look = 2.0 * parameters + 1.5 * probe * widths;
    let layers = spec.hidden_units.len() as f64 + 1.0;
    Load {
        held: stages.held.max(FLOAT * (stages.encoders + state)),
        codes: stages.codes,
        turn: stages.turn.max(FLOAT * step.max(look).max(checkpoint)),
        batch: stages.batch.max(FLOAT * of_batch),
        // Units of pretrained layers are shown as pictures.
        drawn: match condition.stages.len() {
            0 => 0.0,
            _ => DRAWN * inputs as f64 * units,
        },
        parameters: FLOAT * (2.0 * parameters + stages.encoders),
        initial: FLOAT * parameters,
        state: FLOAT * (state + stages.encoders),
        records: RECORD * (stages.epochs + condition.training.epochs as f64)
            + LAYER_RECORD * layers * condition.training.epochs as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Frame, Split, Transforms};

    #[test]
    fn what_is_pretrained_on_is_transformed_too() {
        let split = |rows: usize| {
            let images = Images::of_bytes(vec![0; 4 * rows], Frame::grey(2, 2));
            Split {
                images: images.expect("four pixels a row"),
                labels: None,
            }
        };
        let mut data = Dataset {
            name: None,
            classes: 0,
            class_names: Vec::new(),
            train: split(3),
            pretraining: None,
            validation: None,
            test: split(2),
            files: Vec::new(),
            transforms: Transforms::default(),
        };
        let need = |data: &Dataset| memory_to_transform(&[Transform::RemoveRowMean], data).bytes();
        let without = need(&data);
        data.pretraining = Some(split(10));
        // Four bytes of each row as it was read, and four numbers.
        assert_eq!(need(&data) - without, 10 * (4 + 16));
    }
}
