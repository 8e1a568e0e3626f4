//! What a run is: conditions, crossed with a grid, crossed with seeds; what it shows and what its config promises.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forms::{Form, Perhaps};
use super::{
    AutoencoderTraining, BackendName, ClassifierSpec, DeepAutoencoderSpec, Keep, Patches, Target,
    TrainedLayers, TrainingSpec, Transfer, Transform, Whole, forms,
};

/// What a run trains, by the name that configs and run folders use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExperimentName {
    /// Sparse or denoising autoencoders.
    Autoencoder,
    /// Classifiers, with or without greedy layer-wise pretraining.
    Classifier,
    /// Deep autoencoders, with or without greedy layer-wise pretraining.
    DeepAutoencoder,
}

impl ExperimentName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Autoencoder, Self::Classifier, Self::DeepAutoencoder];
}

/// Everything about the training of one deep autoencoder but its seed and its data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeepAutoencoderTraining {
    /// The autoencoder itself.
    pub network: DeepAutoencoderSpec,
    /// As of [`ClassifierTraining::stages`].
    pub stages: Vec<AutoencoderTraining>,
    /// What of each pretrained autoencoder reaches its layers.
    pub transfer: Transfer,
    /// The training of the whole: fine-tuning where there are stages.
    pub training: TrainingSpec,
}

/// Everything about the training of one classifier but its seed and its data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassifierTraining {
    /// The classifier itself.
    pub classifier: ClassifierSpec,
    /// One stage for each pretrained layer, from the input up: none, or as many as there are hidden layers at
    /// most. Stage k's autoencoder has as many hidden units as hidden layer k, and its activation.
    pub stages: Vec<AutoencoderTraining>,
    /// What each stage is to give; of stages whose target are the classes, the encoder and its training alone are used.
    pub target: Target,
    /// What reaches it of each pretrained encoder.
    pub transfer: Transfer,
    /// The training of the whole: fine-tuning where there are stages.
    pub training: TrainingSpec,
    /// Which layers learn in the training of the whole.
    pub trained_layers: TrainedLayers,
    /// Which epoch's model it leaves.
    pub keep: Keep,
}

/// Everything that a run needs to know: conditions × seeds, on which data and where to compute. It can no longer be wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What kind of model is trained.
    pub experiment: ExperimentName,
    /// Where and how often to compute.
    pub run: Run,
    /// What to learn from.
    pub data: Data,
    /// The keys that conditions are crossed with: those for all in the order of the file, then those of conditions' own
    /// grids; each with every value that it has for any condition.
    pub grid: Vec<GridKey>,
    /// What is compared: the named conditions, each at every point of the grid for all and its own (the first key moves
    /// slowest); at least one, with distinct names, all of one kind.
    pub conditions: Vec<Condition>,
    /// What the run shows.
    pub report: Report,
    /// What the config promises, to be held against what comes out.
    pub expectations: Vec<Expectation>,
}

impl Plan {
    /// The names of its conditions, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.conditions
            .iter()
            .map(|condition| condition.name.as_str())
    }

    /// The condition of this name.
    #[must_use]
    pub fn condition(&self, name: &str) -> Option<&Condition> {
        let mut conditions = self.conditions.iter();
        conditions.find(|condition| condition.name == name)
    }
}

/// Where and how often to compute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Run {
    /// What computes.
    pub backend: BackendName,
    /// Where `layerwise serve` listens, such as "gpu:3000", for the backend "remote".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Seeds of the initial weights: every condition is trained once for each. A list, or "0..40" for 0 to 39.
    #[serde(with = "forms::Seeds")]
    pub seeds: Vec<u64>,
    /// Seed of the order of batches, which all models share.
    #[serde(with = "Whole::<0, { super::LARGEST_SEED }, u64>")]
    pub order_seed: u64,
}

/// What to learn from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// The folder of the data, or a file of arrays; a relative path is looked for beside the config, then in the working
    /// folder.
    #[serde(with = "forms::Folder")]
    pub dir: PathBuf,
    /// What is read there; "found" goes by what there is: IDX files, else arrays, else pictures.
    pub source: Source,
    /// The share of the rows that is held out to test on, where the data have no part for that; 0 where they have.
    #[serde(with = "forms::Share")]
    pub test_share: f64,
    /// Seed of which rows that are.
    #[serde(with = "Whole::<0, { super::LARGEST_SEED }, u64>")]
    pub split_seed: u64,
    /// What is done to every row, in this order. It is measured on the training rows and kept with the run.
    pub transforms: Vec<Transform>,
    /// "all", or the first so many training images.
    #[serde(with = "forms::Images")]
    pub train_images: Option<usize>,
    /// "all", or the first so many test images.
    #[serde(with = "forms::Images")]
    pub test_images: Option<usize>,
    /// The classes that are used, as labels count them: training and test images of others are left out. All where it is
    /// left out.
    #[serde(
        with = "Perhaps::<forms::Classes>",
        skip_serializing_if = "Option::is_none"
    )]
    pub classes: Option<Vec<u8>>,
    /// Pretraining learns from the training images of these classes instead of those that the classifier learns from:
    /// self-taught learning (Raina et al. 2007).
    #[serde(
        with = "Perhaps::<forms::Classes>",
        skip_serializing_if = "Option::is_none"
    )]
    pub pretraining_classes: Option<Vec<u8>>,
    /// The last so many training images are held out of the training of classifiers and scored as well.
    #[serde(with = "Whole::<0, { forms::MOST_IMAGES }>")]
    pub validation_images: usize,
}

/// What is read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(transform = super::words_alone)]
pub enum Source {
    /// What there is: IDX files, else arrays, else pictures.
    #[default]
    Found,
    /// The four files of MNIST's kind, or one IDX file.
    Idx,
    /// Pictures: PNG, JPEG, BMP, WebP; in folders train and test or in one, with a sub-folder for each class where they
    /// have classes.
    Images(Pictures),
    /// Arrays: .npy, .npz, .safetensors; rows × features, or rows × height × width (× channels).
    Arrays(Arrays),
    /// Squares cut at random out of a folder of photographs, without labels.
    Patches(Patches),
}

/// What pictures of any size and colour become.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct Pictures {
    /// [height, width] in pixels, or one number for both; "first": as the first picture has it.
    #[serde(with = "forms::PictureSize")]
    pub size: Option<[usize; 2]>,
    /// What becomes of a picture of another size.
    pub fit: Fit,
    /// Whether pictures are grey or in colour.
    pub colour: Colour,
}

/// What becomes of a picture of another size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// It is refused.
    #[default]
    Refuse,
    /// It is scaled until it covers the size, and what sticks out is cut off on both sides.
    Crop,
    /// It is scaled to the size, each side by itself.
    Resize,
}

/// Whether pictures are grey or in colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// As the first picture is; where that is grey, one in colour is refused.
    #[default]
    First,
    /// Grey: of colours their luminance.
    Grey,
    /// Red, green and blue of each pixel.
    Rgb,
}

/// Which arrays are what. Each is the name of a file in the folder, `file:key` for one of several arrays in it, or a key
/// where `dir` is a file. Where none is given, arrays go by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(inline)]
pub struct Arrays {
    /// Inputs to learn from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<String>,
    /// Their classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_labels: Option<String>,
    /// Inputs to test on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// Their classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_labels: Option<String>,
}

/// A key that takes several values in one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridKey {
    /// With its section: `sparsity.weight`.
    pub key: String,
    /// As TOML writes them.
    pub values: Vec<String>,
}

/// One of the things that a run compares: a model and its training, at one point of the grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What a reader calls it: `D`, `β = 0.1`, `D, hidden units = 50`; no other condition of the run is called so.
    pub name: String,
    /// Its name among the named conditions; a model by itself is called as its config, and a point of a grid without
    /// named conditions has no such name.
    pub group: Option<String>,
    /// Its place in the grid: a value for each key.
    pub at: Vec<Coordinate>,
    /// The model, and how it is trained.
    pub model: Model,
}

/// A key of the grid and one of its values, as TOML writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coordinate {
    /// With its section: `sparsity.weight`.
    pub key: String,
    /// As TOML writes it.
    pub value: String,
}

/// What a condition trains.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// An autoencoder for its own sake.
    Autoencoder(AutoencoderTraining),
    /// A classifier, with its pretraining if it has one.
    Classifier(ClassifierTraining),
    /// A deep autoencoder, with its pretraining if it has one.
    DeepAutoencoder(DeepAutoencoderTraining),
}

impl Condition {
    /// Its value of a key of the grid, as TOML; none of a key that it is not crossed with.
    #[must_use]
    pub fn coordinate(&self, key: &str) -> Option<&str> {
        let mut at = self.at.iter();
        at.find(|of| of.key == key).map(|of| of.value.as_str())
    }

    /// Its autoencoder, if it is one for its own sake.
    #[must_use]
    pub fn autoencoder(&self) -> Option<&AutoencoderTraining> {
        match &self.model {
            Model::Autoencoder(training) => Some(training),
            _ => None,
        }
    }

    /// Its classifier, if it is one.
    #[must_use]
    pub fn classifier(&self) -> Option<&ClassifierTraining> {
        match &self.model {
            Model::Classifier(training) => Some(training),
            _ => None,
        }
    }

    /// Its deep autoencoder, if it is one.
    #[must_use]
    pub fn deep_autoencoder(&self) -> Option<&DeepAutoencoderTraining> {
        match &self.model {
            Model::DeepAutoencoder(training) => Some(training),
            _ => None,
        }
    }

    /// The training of the model itself, without its pretraining.
    #[must_use]
    pub fn training(&self) -> &TrainingSpec {
        match &self.model {
            Model::Autoencoder(training) => &training.training,
            Model::Classifier(training) => &training.training,
            Model::DeepAutoencoder(training) => &training.training,
        }
    }

    /// What is trained first: a stage for each pretrained layer.
    #[must_use]
    pub fn stages(&self) -> &[AutoencoderTraining] {
        match &self.model {
            Model::Autoencoder(_) => &[],
            Model::Classifier(training) => &training.stages,
            Model::DeepAutoencoder(training) => &training.stages,
        }
    }

    /// What its pretraining learns.
    #[must_use]
    pub fn target(&self) -> Target {
        self.classifier().map_or(Target::default(), |of| of.target)
    }

    /// What of each pretrained layer reaches the whole model.
    #[must_use]
    pub fn transfer(&self) -> Transfer {
        match &self.model {
            Model::Autoencoder(_) => Transfer::Copy,
            Model::Classifier(training) => training.transfer,
            Model::DeepAutoencoder(training) => training.transfer,
        }
    }

    /// Whether any of its training is by line searches, which each model makes for itself.
    #[must_use]
    pub fn searches(&self) -> bool {
        let stages = self.stages().iter().map(|stage| &stage.training);
        let mut all = stages.chain([self.training()]);
        all.any(|training| training.iterations().is_some())
    }
}

/// What a run shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The pieces of evidence by name; absent for all that apply.
    pub evidence: Option<Vec<String>>,
    /// Minuend and subtrahend of each difference that is reported, as indices of conditions.
    pub differences: Vec<(usize, usize)>,
    /// The conditions whose layers are shown, as indices.
    pub layers_of: Vec<usize>,
    /// The numbers of active units at which autoencoders are compared; absent where the page chooses.
    pub at_active_units: Option<Vec<usize>>,
}

/// A promise of a config: what a quantity will be, and who says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// The quantity, by the name that evidence gives it: `test accuracy`.
    pub that: String,
    /// Of which conditions: `condition`, or keys of the grid; empty for all.
    pub at: Vec<Coordinate>,
    /// The same quantity of another condition is taken off, seed by seed.
    pub minus: Option<Vec<Coordinate>>,
    /// Absent for the last.
    pub epoch: Option<usize>,
    /// What is promised of the quantity.
    pub promise: Promise,
    /// Whether each seed has to keep it, or the median over seeds.
    pub over: Over,
    /// Absent for all of the run's.
    pub seeds: Option<Vec<u64>>,
    /// What was published, where it is told beside what is promised.
    pub published: Option<Published>,
    /// A paper with its table, a book, or this program's own runs.
    pub source: String,
}

/// What a paper or a tutorial says of a quantity. It is shown, and nothing is held against it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Published {
    /// In the quantity's unit.
    Number(f64),
    /// With its unit, where it has one: `1.40 ± 0.23 %`, `pen strokes`.
    Words(String),
}

/// What is promised of a quantity.
#[derive(Debug, Clone, PartialEq)]
pub enum Promise {
    /// It lies between these two, or on one of them.
    Within {
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
    },
    /// It differs by `tolerance` at most.
    Near {
        /// The value that it is near.
        value: f64,
        /// The largest distance from `value`.
        tolerance: f64,
    },
    /// It is this word.
    Is {
        /// The word.
        word: String,
    },
}

/// For what over seeds a promise is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Over {
    /// Of the quantity of every seed.
    #[default]
    EachSeed,
    /// Of the median over seeds.
    Median,
}

/// One seed, on flex.
impl Default for Run {
    fn default() -> Self {
        Self {
            backend: BackendName::Flex,
            address: None,
            seeds: vec![0],
            order_seed: 0,
        }
    }
}

/// All of MNIST, which comes with this program.
impl Default for Data {
    fn default() -> Self {
        Self {
            dir: "data/mnist".into(),
            source: Source::Found,
            test_share: 0.0,
            split_seed: 0,
            transforms: Vec::new(),
            train_images: None,
            test_images: None,
            classes: None,
            pretraining_classes: None,
            validation_images: 0,
        }
    }
}
