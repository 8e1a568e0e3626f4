//! The plan: what an experiment will do, complete and checked. Also the schema, for here each key is read,
//! with its range and its default, in the order in which a config lists them.

use std::ops::Bound::{Excluded, Included};
use std::path::PathBuf;

use crate::spec::{
    Activation, AutoencoderCondition, AutoencoderSpec, AutoencoderTraining, BackendName,
    ClassifierCondition, Corruption, Decoder, DecoderActivation, MeanActivationEstimator,
    OptimizerSpec, Reconstruction, Schedule, SparsitySpec, TrainingSpec,
};

use super::error::{ConfigError, Problem};
use super::read::{Reader, WrittenInitialization};

/// Everything that a run needs to know. It can no longer be wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    pub run: Run,
    pub data: Data,
    pub experiment: Experiment,
}

/// Where and how often to compute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub backend: BackendName,
    /// Seeds of the initial weights: one set of members each; distinct, at least one.
    pub seeds: Vec<u64>,
    /// Seed of the order of batches, which all members share.
    pub order_seed: u64,
}

/// What to learn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    pub dir: PathBuf,
    pub train_images: Limit,
    pub test_images: Limit,
    /// The last so many of the training images are held out of training, for choices that data make; may be 0.
    pub validation_images: usize,
}

/// How much of a data set is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    All,
    /// The first so many, at least one. Whether there are so many is for `data` to say.
    First(usize),
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Experiment {
    Figure56(Figure56),
    Pretraining(Pretraining),
    DeadUnits(DeadUnits),
}

/// Sparse autoencoders that differ in the sparsity weight β alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure56 {
    pub setting: AutoencoderTraining,
    /// β, one member each; distinct, at least one.
    pub sparsity_weights: Vec<f64>,
}

/// Classifiers that are trained from different starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Pretraining {
    /// In the order of the file; distinct names, at least one.
    pub conditions: Vec<ClassifierCondition>,
    /// Minuend and subtrahend of each difference that is reported, as indices of conditions.
    pub differences: Vec<(usize, usize)>,
    /// The conditions whose layers are shown, as indices.
    pub layers_of: Vec<usize>,
}

/// Autoencoders that differ in what their units start from, or are.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadUnits {
    /// In the order of the file; distinct names, at least one.
    pub conditions: Vec<AutoencoderCondition>,
}

/// A part of a plan that one word chooses, and that may have keys of its own.
type Part<T> = fn(&mut Reader<'_>) -> Result<T, ConfigError>;

const LARGEST_SEED: u64 = i64::MAX.unsigned_abs();

impl Plan {
    /// Reads the keys of the experiment that the document names.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ConfigError> {
        const EXPERIMENTS: &[(&str, Part<Experiment>)] = &[("figure56", figure56)];

        let experiment = reader.word("experiment", EXPERIMENTS)?;
        Ok(Self {
            run: run(reader)?,
            data: data(reader)?,
            experiment: experiment(reader)?,
        })
    }
}

fn run(reader: &mut Reader<'_>) -> Result<Run, ConfigError> {
    Ok(Run {
        backend: reader.word(
            "run.backend",
            &BackendName::ALL.map(|name| (name.as_str(), name)),
        )?,
        seeds: reader.wholes("run.seeds", vec![0], 0..=LARGEST_SEED, 10_000)?,
        order_seed: reader.whole("run.order_seed", 0, 0..=LARGEST_SEED)?,
    })
}

fn data(reader: &mut Reader<'_>) -> Result<Data, ConfigError> {
    Ok(Data {
        dir: reader.folder("data.dir", "data/mnist")?,
        train_images: reader.limit("data.train_images", 1..=1_000_000)?,
        test_images: reader.limit("data.test_images", 1..=1_000_000)?,
        validation_images: 0,
    })
}

fn figure56(reader: &mut Reader<'_>) -> Result<Experiment, ConfigError> {
    let autoencoder = autoencoder(reader)?;
    let (sparsity_weights, sparsity) = sparsity(reader)?;
    let training = training(reader)?;
    Ok(Experiment::Figure56(Figure56 {
        setting: AutoencoderTraining {
            autoencoder,
            sparsity,
            corruption: Corruption::None,
            training,
        },
        sparsity_weights,
    }))
}

fn autoencoder(reader: &mut Reader<'_>) -> Result<AutoencoderSpec, ConfigError> {
    const ACTIVATIONS: &[(&str, Part<Activation>)] = &[
        ("relu", |_| Ok(Activation::Relu)),
        ("prelu", |reader| {
            let initial_slope = reader.number("autoencoder.slope", 0.25, -10.0..=10.0)?;
            Ok(Activation::Prelu { initial_slope })
        }),
        ("leaky_relu", |reader| {
            let slope = reader.number("autoencoder.slope", 0.01, -10.0..=10.0)?;
            Ok(Activation::LeakyRelu { slope })
        }),
        ("sigmoid", |_| Ok(Activation::Sigmoid)),
        ("tanh", |_| Ok(Activation::Tanh)),
    ];
    #[derive(Clone, Copy)]
    enum Tie {
        Tied,
        Untied,
    }

    let hidden_units = reader.whole("autoencoder.hidden_units", 100, 1..=1_000_000)?;
    let activation = reader.word("autoencoder.activation", ACTIVATIONS)?(reader)?;
    let tie = reader.word(
        "autoencoder.decoder",
        &[("tied", Tie::Tied), ("untied", Tie::Untied)],
    )?;
    let decoder_activation = reader.word(
        "autoencoder.decoder_activation",
        &[
            ("identity", DecoderActivation::Identity),
            ("sigmoid", DecoderActivation::Sigmoid),
        ],
    )?;
    let reconstruction = reader.word(
        "autoencoder.reconstruction",
        &[
            ("squared_error", Reconstruction::SquaredError),
            ("cross_entropy", Reconstruction::CrossEntropy),
        ],
    )?;
    if reconstruction == Reconstruction::CrossEntropy
        && decoder_activation != DecoderActivation::Sigmoid
    {
        let keys = [
            "autoencoder.reconstruction",
            "autoencoder.decoder_activation",
        ];
        return Err(reader.broken_rule(&keys, Problem::CrossEntropyWithoutSigmoid));
    }

    let weight = WrittenInitialization::normal_over(784);
    let bias = WrittenInitialization::normal_over(7840);
    let encoder_weight = reader.initialization("autoencoder.encoder_weight", weight)?;
    let encoder_bias = reader.initialization("autoencoder.encoder_bias", bias)?;
    let decoder = match tie {
        Tie::Tied => Decoder::Tied,
        Tie::Untied => {
            let alike = encoder_weight.clone();
            let weight = reader.initialization("autoencoder.decoder_weight", alike)?;
            Decoder::Untied {
                weight: weight.value,
            }
        }
    };
    let zero = WrittenInitialization::constant(0.0);
    let decoder_bias = reader.initialization("autoencoder.decoder_bias", zero)?;
    Ok(AutoencoderSpec {
        hidden_units,
        activation,
        decoder,
        decoder_activation,
        reconstruction,
        encoder_weight: encoder_weight.value,
        encoder_bias: encoder_bias.value,
        decoder_bias: decoder_bias.value,
    })
}

/// The members' β, and the rest of the sparsity term.
fn sparsity(reader: &mut Reader<'_>) -> Result<(Vec<f64>, SparsitySpec), ConfigError> {
    const ESTIMATORS: &[(&str, Part<MeanActivationEstimator>)] = &[
        ("running_mean", |reader| {
            let decay = reader.number("sparsity.decay", 0.99, 0.0..1.0)?;
            Ok(MeanActivationEstimator::RunningMean { decay })
        }),
        ("batch", |_| Ok(MeanActivationEstimator::Batch)),
    ];

    let weights = reader.numbers("sparsity.weights", vec![0.0, 0.1, 3.0], 0.0..=1e6, 1000)?;
    let target = reader.number("sparsity.target", 0.05, (Excluded(0.0), Excluded(1.0)))?;
    let estimator = reader.word("sparsity.estimator", ESTIMATORS)?(reader)?;
    let clamp = reader.number("sparsity.clamp", 0.01, (Excluded(0.0), Excluded(0.5)))?;
    if !(clamp..=1.0 - clamp).contains(&target) {
        let keys = ["sparsity.target", "sparsity.clamp"];
        return Err(reader.broken_rule(&keys, Problem::TargetOutsideClamp { target, clamp }));
    }
    Ok((
        weights,
        SparsitySpec {
            target,
            estimator,
            clamp,
        },
    ))
}

fn training(reader: &mut Reader<'_>) -> Result<TrainingSpec, ConfigError> {
    const OPTIMIZERS: &[(&str, Part<OptimizerSpec>)] = &[
        ("adam", |reader| {
            Ok(OptimizerSpec::Adam {
                beta_1: reader.number("training.beta_1", 0.9, 0.0..1.0)?,
                beta_2: reader.number("training.beta_2", 0.999, 0.0..1.0)?,
                epsilon: reader.number("training.epsilon", 1e-8, (Excluded(0.0), Included(1.0)))?,
            })
        }),
        ("sgd", |reader| {
            let momentum = reader.number("training.momentum", 0.0, 0.0..1.0)?;
            Ok(OptimizerSpec::Sgd { momentum })
        }),
    ];
    const SCHEDULES: &[(&str, Schedule)] = &[
        ("constant", Schedule::Constant),
        ("linear_to_zero", Schedule::LinearToZero),
    ];

    Ok(TrainingSpec {
        optimizer: reader.word("training.optimizer", OPTIMIZERS)?(reader)?,
        learning_rate: reader.number(
            "training.learning_rate",
            5e-4,
            (Excluded(0.0), Included(100.0)),
        )?,
        schedule: reader.word("training.schedule", SCHEDULES)?,
        batch_size: reader.whole("training.batch_size", 100, 1..=1_000_000)?,
        epochs: reader.whole("training.epochs", 10, 1..=1_000_000)?,
        weight_decay: reader.number("training.weight_decay", 0.0, 0.0..=100.0)?,
    })
}
