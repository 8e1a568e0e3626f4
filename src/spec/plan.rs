//! What a run is: conditions, crossed with a grid, crossed with seeds; and what its config promises.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms;
use super::{AutoencoderTraining, BackendName, ClassifierSpec, TrainedLayers, TrainingSpec, Transfer, Whole};

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExperimentName {
    /// Sparse or denoising autoencoders.
    Autoencoder,
    /// Classifiers, with or without greedy layer-wise pretraining.
    Classifier,
}

/// Everything that a run needs to know, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub experiment: ExperimentName,
    pub run: Run,
    pub data: Data,
    /// The keys that are varied, in the order of the file.
    pub grid: Vec<GridKey>,
    /// The named conditions in the order of the file, each with every point of the grid, whose first key moves slowest.
    /// At least one; distinct names.
    pub conditions: Vec<Condition>,
    pub report: Report,
    pub expectations: Vec<Expectation>,
}

/// Where and how often to compute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Run {
    /// What computes.
    pub backend: BackendName,
    /// Seeds of the initial weights: every condition is trained once for each. A list, or "0..40" for 0 to 39.
    #[serde(with = "forms::Seeds")]
    pub seeds: Vec<u64>,
    /// Seed of the order of batches, which all models share.
    #[serde(with = "Whole::<0, { super::LARGEST_SEED }>")]
    pub order_seed: u64,
}

/// What to learn from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// The folder of the four IDX files; a relative path is looked for beside the config, then in the working folder.
    #[serde(with = "forms::Folder")]
    pub dir: PathBuf,
    /// "all", or the first so many training images.
    pub train_images: Limit,
    /// "all", or the first so many test images.
    pub test_images: Limit,
    /// The last so many training images are held out of the training of classifiers and scored as well.
    #[serde(with = "Whole::<0, { forms::MOST_IMAGES }>")]
    pub validation_images: usize,
}

/// How much of a data set is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    All,
    /// The first so many, at least one. Whether there are so many is for `data` to say.
    First(usize),
}

/// How many hidden layers are pretrained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageCount {
    All,
    /// The first so many.
    First(usize),
}

/// A key that is varied, and its values as TOML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridKey {
    pub key: String,
    pub values: Vec<String>,
}

/// What is trained once for each seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// `D`, `β = 0.1`, `D, hidden units = 50`; the config's name where there is one condition and no grid.
    pub name: String,
    /// Its name in `[conditions]`.
    pub group: Option<String>,
    /// Its place in the grid: one coordinate for each key.
    pub at: Vec<Coordinate>,
    pub model: Model,
}

/// A value of a key of the grid, as TOML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coordinate {
    pub key: String,
    pub value: String,
}

/// A model and how it comes to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    Autoencoder(AutoencoderTraining),
    Classifier(ClassifierTraining),
}

/// Everything about a classifier but its seed and its data.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassifierTraining {
    pub classifier: ClassifierSpec,
    /// One stage for each pretrained layer, from the input up: none, or as many as there are hidden layers at most.
    /// Stage k's autoencoder has as many hidden units as hidden layer k, and its activation.
    pub stages: Vec<AutoencoderTraining>,
    pub transfer: Transfer,
    /// The training of the whole: fine-tuning where there are stages.
    pub training: TrainingSpec,
    pub trained_layers: TrainedLayers,
}

/// What a page shows of what a run found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The pieces of evidence, by name; absent: all that apply.
    pub evidence: Option<Vec<String>>,
    /// Minuend and subtrahend of each difference, as indices of conditions.
    pub differences: Vec<(usize, usize)>,
    /// The conditions whose layers are shown, as indices.
    pub layers_of: Vec<usize>,
}

/// What a config promises of one quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// The quantity by name: "test accuracy", "regime", "dead units".
    pub that: String,
    /// Key "condition", or a key of the grid; empty: every condition.
    pub at: Vec<Coordinate>,
    /// The same quantity of this condition is taken off, paired by seed.
    pub minus: Option<Vec<Coordinate>>,
    /// Counted from 1; absent: the last.
    pub epoch: Option<usize>,
    pub promise: Promise,
    pub over: Over,
    /// Absent: all of the run's.
    pub seeds: Option<Vec<u64>>,
    /// Who says so.
    pub source: String,
}

/// What a quantity is promised to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Promise {
    Within { low: f64, high: f64 },
    Near { value: f64, tolerance: f64 },
    Is { word: String },
}

/// Of what a promise speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// Of the quantity of every seed.
    #[default]
    EachSeed,
    /// Of the median over seeds.
    Median,
}

/// One seed on flex.
impl Default for Run {
    fn default() -> Self {
        Self {
            backend: BackendName::Flex,
            seeds: vec![0],
            order_seed: 0,
        }
    }
}

/// All of MNIST, as this repository has it.
impl Default for Data {
    fn default() -> Self {
        Self {
            dir: "data/mnist".into(),
            train_images: Limit::All,
            test_images: Limit::All,
            validation_images: 0,
        }
    }
}
