//! The plan: what an experiment will do, complete and checked. Also the schema, for here each key is read,
//! with its range and its default, in the order in which a config lists them.

use std::ops::Bound::{Excluded, Included};

use crate::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, BackendName, ClassifierSpec,
    ClassifierTraining, Condition, Coordinate, Corruption, Data, Decoder, DecoderActivation,
    ExperimentName, GridKey, MeanActivationEstimator, Model, OptimizerSpec, Plan, Reconstruction,
    Report, Run, Schedule, Sparsity, TrainedLayers, TrainingSpec, Transfer,
};

use super::error::{ConfigError, Problem};
use super::keys;
use super::read::{Layers, Reader, WrittenInitialization};

/// A part of a plan that one word chooses, and that may have keys of its own in the section it is given.
type Part<T> = fn(&mut Reader<'_>, &str) -> Result<T, ConfigError>;

const LARGEST_SEED: u64 = i64::MAX.unsigned_abs();
/// As many images as an IDX file can hold.
const MOST_IMAGES: usize = u32::MAX as usize;
/// In single precision 1 − x is then neither 1 nor far from the x that it came from.
const NEAR_0: f64 = 1e-6;
const DEEPEST: usize = 1000;

/// Reads the keys of the experiment that the document names.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Plan, ConfigError> {
    type Recipe = fn(&mut Reader<'_>) -> Result<Experiment, ConfigError>;
    const ONE_SEED: &[u64] = &[0];
    const FIVE_SEEDS: &[u64] = &[0, 1, 2, 3, 4];
    type Known = (ExperimentName, &'static [u64], Recipe);
    const AUTOENCODER: ExperimentName = ExperimentName::Autoencoder;
    const CLASSIFIER: ExperimentName = ExperimentName::Classifier;
    const EXPERIMENTS: &[(&str, Known)] = &[
        ("figure56", (AUTOENCODER, ONE_SEED, figure56)),
        ("pretraining", (CLASSIFIER, FIVE_SEEDS, pretraining)),
        ("dead_units", (AUTOENCODER, FIVE_SEEDS, dead_units)),
    ];

    let (name, seeds, recipe) = reader.word("experiment", EXPERIMENTS)?;
    let (run, data) = (run(reader, seeds)?, data(reader, name)?);
    let Experiment {
        grid,
        conditions,
        report,
    } = recipe(reader)?;
    Ok(Plan {
        experiment: name,
        run,
        data,
        grid,
        conditions,
        report,
        expectations: Vec::new(),
    })
}

/// What of a plan depends on the experiment.
struct Experiment {
    grid: Vec<GridKey>,
    conditions: Vec<Condition>,
    report: Report,
}

fn run(reader: &mut Reader<'_>, seeds: &[u64]) -> Result<Run, ConfigError> {
    Ok(Run {
        backend: reader.word(
            "run.backend",
            &BackendName::ALL.map(|name| (name.as_str(), name)),
        )?,
        seeds: reader.wholes("run.seeds", seeds.to_vec(), 0..=LARGEST_SEED, 10_000)?,
        order_seed: reader.whole("run.order_seed", 0, 0..=LARGEST_SEED)?,
    })
}

fn data(reader: &mut Reader<'_>, experiment: ExperimentName) -> Result<Data, ConfigError> {
    Ok(Data {
        dir: reader.folder("data.dir", "data/mnist")?,
        train_images: reader.limit("data.train_images", 1..=MOST_IMAGES)?,
        test_images: reader.limit("data.test_images", 1..=MOST_IMAGES)?,
        validation_images: match experiment {
            ExperimentName::Classifier => {
                reader.whole("data.validation_images", 0, 0..=MOST_IMAGES)?
            }
            ExperimentName::Autoencoder => 0,
        },
    })
}

fn figure56(reader: &mut Reader<'_>) -> Result<Experiment, ConfigError> {
    if let Some(condition) = reader.conditions().first() {
        return Err(Problem::Unused {
            key: format!("conditions.{}", condition.name),
            owner: "experiment".to_owned(),
            current: "\"figure56\"".to_owned(),
            belongs_to: &["pretraining", "dead_units"],
        }
        .at(&condition.origin));
    }
    let (autoencoder, corruption) = autoencoder(reader)?;
    let sparsity_weights =
        reader.numbers("sparsity.weights", vec![0.0, 0.1, 3.0], 0.0..=1e6, 1000)?;
    let sparsity = sparsity(reader, &SPARSITY, 0.0)?;
    let training = training(reader, &ALONE)?;
    let condition = |&weight: &f64| Condition {
        name: format!("β = {weight}"),
        group: None,
        at: vec![Coordinate {
            key: "sparsity.weight".to_owned(),
            value: weight.to_string(),
        }],
        model: Model::Autoencoder(AutoencoderTraining {
            autoencoder: autoencoder.clone(),
            sparsity: Sparsity { weight, ..sparsity },
            corruption,
            training: training.clone(),
        }),
    };
    Ok(Experiment {
        grid: vec![GridKey {
            key: "sparsity.weight".to_owned(),
            values: sparsity_weights.iter().map(f64::to_string).collect(),
        }],
        conditions: sparsity_weights.iter().map(condition).collect(),
        report: Report::default(),
    })
}

fn dead_units(reader: &mut Reader<'_>) -> Result<Experiment, ConfigError> {
    let conditions = each_condition(reader, |reader, name| {
        let (autoencoder, corruption) = autoencoder(reader)?;
        let weight = reader.number("sparsity.weight", 0.0, 0.0..=1e6)?;
        let sparsity = sparsity(reader, &SPARSITY, weight)?;
        Ok(Condition {
            group: Some(name.clone()),
            name,
            at: Vec::new(),
            model: Model::Autoencoder(AutoencoderTraining {
                autoencoder,
                sparsity,
                corruption,
                training: training(reader, &ALONE)?,
            }),
        })
    })?;
    Ok(Experiment {
        grid: Vec::new(),
        conditions,
        report: Report::default(),
    })
}

fn pretraining(reader: &mut Reader<'_>) -> Result<Experiment, ConfigError> {
    let conditions = each_condition(reader, classifier_condition)?;
    let differences = differences(reader, &conditions)?;
    let layers_of = layers_of(reader, &conditions)?;
    Ok(Experiment {
        grid: Vec::new(),
        conditions,
        report: Report {
            evidence: None,
            differences,
            layers_of,
        },
    })
}

/// Reads every condition, of which there is at least one.
fn each_condition<T>(
    reader: &mut Reader<'_>,
    read: impl Fn(&mut Reader<'_>, String) -> Result<T, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    let names: Vec<String> = reader
        .conditions()
        .iter()
        .map(|condition| condition.name.clone())
        .collect();
    if names.is_empty() {
        return Err(reader.broken_rule(&["experiment"], Problem::NoConditions));
    }
    names
        .into_iter()
        .map(|name| reader.in_condition(&name.clone(), |reader| read(reader, name)))
        .collect()
}

fn classifier_condition(reader: &mut Reader<'_>, name: String) -> Result<Condition, ConfigError> {
    let hidden_units = reader.widths("network.hidden_units", DEEPEST)?;
    let activation = activation(reader, "network")?;
    let weight =
        reader.initialization("network.weight", WrittenInitialization::normal_over(784))?;
    let bias = reader.initialization("network.bias", WrittenInitialization::normal_over(7840))?;
    let fine_tuning = training(reader, &CLASSIFIER)?;
    let trained_layers = reader.word(
        "training.trained_layers",
        &[
            ("all", TrainedLayers::All),
            ("output", TrainedLayers::Output),
        ],
    )?;

    let depth = hidden_units.len();
    let layers = match reader.layers("pretraining.layers")? {
        Layers::All if depth == 0 => 1,
        Layers::All => depth,
        Layers::First(count) => count,
    };
    if layers > depth {
        let keys = ["pretraining.layers", "network.hidden_units"];
        let problem = match depth {
            0 => Problem::NothingToPretrain { condition: name },
            depth => Problem::TooManyLayers {
                condition: name,
                layers,
                depth,
            },
        };
        return Err(reader.broken_rule(&keys, problem));
    }
    let mut transfer = Transfer::Copy;
    if layers > 0 {
        transfer = reader.word(
            "pretraining.transfer",
            &[
                ("copy", Transfer::Copy),
                ("shuffled_weights", Transfer::ShuffledWeights),
                (
                    "shuffled_weights_zero_biases",
                    Transfer::ShuffledWeightsZeroBiases,
                ),
            ],
        )?;
    }
    let stages = (0..layers)
        .map(|layer| {
            let encoder = Encoder {
                hidden_units: hidden_units[layer],
                activation,
                weight: weight.clone(),
                bias: bias.clone(),
            };
            reader.in_layer(layer + 1, |reader| stage(reader, &encoder, layer + 1))
        })
        .collect::<Result<_, _>>()?;
    Ok(Condition {
        group: Some(name.clone()),
        name,
        at: Vec::new(),
        model: Model::Classifier(ClassifierTraining {
            classifier: ClassifierSpec {
                hidden_units,
                activation,
                weight: weight.value,
                bias: bias.value,
            },
            stages,
            transfer,
            training: fine_tuning,
            trained_layers,
        }),
    })
}

/// The encoder of an autoencoder, which is read elsewhere than its decoder.
struct Encoder {
    hidden_units: usize,
    activation: Activation,
    weight: WrittenInitialization,
    bias: WrittenInitialization,
}

/// The pretraining of hidden layer `layer`, counted from 1.
fn stage(
    reader: &mut Reader<'_>,
    encoder: &Encoder,
    layer: usize,
) -> Result<AutoencoderTraining, ConfigError> {
    let activation = encoder.activation;
    let autoencoder = with_decoder(reader, "pretraining", encoder)?;
    if autoencoder.reconstruction == Reconstruction::CrossEntropy
        && layer > 1
        && activation != Activation::Sigmoid
    {
        let key = "pretraining.reconstruction".to_owned();
        let problem = Problem::CrossEntropyOfCodes { key, layer };
        return Err(reader.broken_rule(&["pretraining.reconstruction"], problem));
    }
    let corruption = corruption(reader, "pretraining")?;
    let weight = reader.number("pretraining.sparsity_weight", 0.1, 0.0..=1e6)?;
    let sparsity = sparsity(reader, &STAGE_SPARSITY, weight)?;
    Ok(AutoencoderTraining {
        autoencoder,
        sparsity,
        corruption,
        training: training(reader, &STAGE)?,
    })
}

/// The pairs of conditions whose differences are reported.
fn differences(
    reader: &mut Reader<'_>,
    conditions: &[Condition],
) -> Result<Vec<(usize, usize)>, ConfigError> {
    const KEY: &str = "report.differences";
    let texts = reader.texts(KEY, 1000)?.unwrap_or_default();
    let mut pairs = Vec::with_capacity(texts.len());
    for text in texts {
        let names = text.split_once(" - ").map(|(a, b)| (a.trim(), b.trim()));
        let Some((minuend, subtrahend)) = names.filter(|(a, b)| a != b) else {
            let problem = Problem::NotADifference { text };
            return Err(reader.broken_rule(&[KEY], problem));
        };
        let pair = (
            condition_called(reader, KEY, conditions, minuend)?,
            condition_called(reader, KEY, conditions, subtrahend)?,
        );
        // The same difference with other spaces is the same difference.
        if pairs.contains(&pair) {
            let (key, value) = (KEY.to_owned(), format!("\"{text}\""));
            return Err(reader.broken_rule(&[KEY], Problem::Repeated { key, value }));
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

/// The conditions whose layers are shown: by default, all that have some.
fn layers_of(reader: &mut Reader<'_>, conditions: &[Condition]) -> Result<Vec<usize>, ConfigError> {
    const KEY: &str = "report.layers_of";
    let is_deep = |at: &usize| {
        let classifier = conditions[*at].classifier();
        classifier.is_some_and(|of| !of.classifier.hidden_units.is_empty())
    };
    let Some(names) = reader.texts(KEY, 1000)? else {
        return Ok((0..conditions.len()).filter(is_deep).collect());
    };
    names
        .into_iter()
        .map(|name| {
            let at = condition_called(reader, KEY, conditions, &name)?;
            if is_deep(&at) {
                Ok(at)
            } else {
                Err(reader.broken_rule(&[KEY], Problem::NoLayersToShow { name }))
            }
        })
        .collect()
}

fn condition_called(
    reader: &Reader<'_>,
    key: &'static str,
    conditions: &[Condition],
    name: &str,
) -> Result<usize, ConfigError> {
    let at = conditions
        .iter()
        .position(|condition| condition.name == name);
    at.ok_or_else(|| {
        let names = conditions.iter().map(|condition| condition.name.as_str());
        reader.broken_rule(&[key], keys::unknown_condition(key, name, names))
    })
}

fn activation(reader: &mut Reader<'_>, section: &str) -> Result<Activation, ConfigError> {
    const ACTIVATIONS: &[(&str, Part<Activation>)] = &[
        ("relu", |_, _| Ok(Activation::Relu)),
        ("prelu", |reader, section| {
            let initial_slope = reader.number(&format!("{section}.slope"), 0.25, -10.0..=10.0)?;
            Ok(Activation::Prelu { initial_slope })
        }),
        ("leaky_relu", |reader, section| {
            let slope = reader.number(&format!("{section}.slope"), 0.01, -10.0..=10.0)?;
            Ok(Activation::LeakyRelu { slope })
        }),
        ("sigmoid", |_, _| Ok(Activation::Sigmoid)),
        ("tanh", |_, _| Ok(Activation::Tanh)),
        ("identity", |_, _| Ok(Activation::Identity)),
    ];
    reader.word(&format!("{section}.activation"), ACTIVATIONS)?(reader, section)
}

fn corruption(reader: &mut Reader<'_>, section: &str) -> Result<Corruption, ConfigError> {
    const CORRUPTIONS: &[(&str, Part<Corruption>)] = &[
        ("none", |_, _| Ok(Corruption::None)),
        ("masking", |reader, section| {
            let key = format!("{section}.corruption_fraction");
            let fraction = reader.number(&key, 0.25, 0.0..1.0)?;
            Ok(Corruption::Masking { fraction })
        }),
        ("gaussian", |reader, section| {
            let key = format!("{section}.corruption_deviation");
            let deviation = reader.number(&key, 0.3, 0.0..=100.0)?;
            Ok(Corruption::Gaussian { deviation })
        }),
    ];
    reader.word(&format!("{section}.corruption"), CORRUPTIONS)?(reader, section)
}

fn autoencoder(reader: &mut Reader<'_>) -> Result<(AutoencoderSpec, Corruption), ConfigError> {
    let hidden_units = reader.whole("autoencoder.hidden_units", 100, 1..=1_000_000)?;
    let activation = activation(reader, "autoencoder")?;
    let weight = WrittenInitialization::normal_over(784);
    let bias = WrittenInitialization::normal_over(7840);
    let encoder = Encoder {
        hidden_units,
        activation,
        weight: reader.initialization("autoencoder.encoder_weight", weight)?,
        bias: reader.initialization("autoencoder.encoder_bias", bias)?,
    };
    let autoencoder = with_decoder(reader, "autoencoder", &encoder)?;
    Ok((autoencoder, corruption(reader, "autoencoder")?))
}

/// The autoencoder of an encoder and the decoder in `section`.
fn with_decoder(
    reader: &mut Reader<'_>,
    section: &'static str,
    encoder: &Encoder,
) -> Result<AutoencoderSpec, ConfigError> {
    #[derive(Clone, Copy)]
    enum Tie {
        Tied,
        Untied,
    }

    let key = |name: &str| format!("{section}.{name}");
    let tie = reader.word(
        &key("decoder"),
        &[("tied", Tie::Tied), ("untied", Tie::Untied)],
    )?;
    let decoder_activation = reader.word(
        &key("decoder_activation"),
        &[
            ("identity", DecoderActivation::Identity),
            ("sigmoid", DecoderActivation::Sigmoid),
        ],
    )?;
    let reconstruction = reader.word(
        &key("reconstruction"),
        &[
            ("squared_error", Reconstruction::SquaredError),
            ("cross_entropy", Reconstruction::CrossEntropy),
        ],
    )?;
    if reconstruction == Reconstruction::CrossEntropy
        && decoder_activation != DecoderActivation::Sigmoid
    {
        let (one, other) = (key("reconstruction"), key("decoder_activation"));
        let problem = Problem::CrossEntropyWithoutSigmoid { section };
        return Err(reader.broken_rule(&[&one, &other], problem));
    }
    let decoder = match tie {
        Tie::Tied => Decoder::Tied,
        Tie::Untied => Decoder::Untied {
            weight: Some(
                reader
                    .initialization(&key("decoder_weight"), encoder.weight.clone())?
                    .value,
            ),
        },
    };
    let zero = WrittenInitialization::constant(0.0);
    let decoder_bias = reader.initialization(&key("decoder_bias"), zero)?;
    Ok(AutoencoderSpec {
        hidden_units: encoder.hidden_units,
        activation: encoder.activation,
        decoder,
        decoder_activation,
        reconstruction,
        encoder_weight: encoder.weight.value,
        encoder_bias: encoder.bias.value,
        decoder_bias: decoder_bias.value,
    })
}

/// Where the keys of the sparsity term stand, and their defaults.
struct SparsityKeys {
    /// Before `target`, `estimator`, `decay` and `clamp`.
    prefix: &'static str,
    decay: f64,
    clamp: f64,
}

const SPARSITY: SparsityKeys = SparsityKeys {
    prefix: "sparsity.",
    decay: 0.99,
    clamp: 0.01,
};

const STAGE_SPARSITY: SparsityKeys = SparsityKeys {
    prefix: "pretraining.sparsity_",
    decay: 0.9,
    clamp: 1e-4,
};

/// The sparsity term with this β.
fn sparsity(
    reader: &mut Reader<'_>,
    keys: &SparsityKeys,
    weight: f64,
) -> Result<Sparsity, ConfigError> {
    #[derive(Clone, Copy)]
    enum Estimator {
        RunningMean,
        Batch,
    }
    const ESTIMATORS: &[(&str, Estimator)] = &[
        ("running_mean", Estimator::RunningMean),
        ("batch", Estimator::Batch),
    ];

    let prefix = keys.prefix;
    let key = |name: &str| format!("{prefix}{name}");
    let target = reader.number(&key("target"), 0.05, NEAR_0..=1.0 - NEAR_0)?;
    let estimator = match reader.word(&key("estimator"), ESTIMATORS)? {
        Estimator::RunningMean => {
            let decay = reader.number(&key("decay"), keys.decay, 0.0..1.0)?;
            MeanActivationEstimator::RunningMean { decay }
        }
        Estimator::Batch => MeanActivationEstimator::Batch,
    };
    let clamp = reader.number(&key("clamp"), keys.clamp, NEAR_0..0.5)?;
    if !(clamp..=1.0 - clamp).contains(&target) {
        let problem = Problem::TargetOutsideClamp {
            prefix,
            target,
            clamp,
        };
        return Err(reader.broken_rule(&[&key("target"), &key("clamp")], problem));
    }
    Ok(Sparsity {
        weight,
        target,
        estimator,
        clamp,
    })
}

/// Where the keys of a training stand, and their defaults.
struct TrainingKeys {
    section: &'static str,
    optimizer: &'static str,
    learning_rate: f64,
    schedule: &'static str,
    epochs: usize,
}

/// Of an autoencoder for its own sake.
const ALONE: TrainingKeys = TrainingKeys {
    section: "training",
    optimizer: "adam",
    learning_rate: 5e-4,
    schedule: "constant",
    epochs: 10,
};

const CLASSIFIER: TrainingKeys = TrainingKeys {
    section: "training",
    optimizer: "sgd",
    learning_rate: 0.1,
    schedule: "linear_to_zero",
    epochs: 20,
};

const STAGE: TrainingKeys = TrainingKeys {
    section: "pretraining",
    optimizer: "adam",
    learning_rate: 1e-3,
    schedule: "constant",
    epochs: 3,
};

fn training(reader: &mut Reader<'_>, keys: &TrainingKeys) -> Result<TrainingSpec, ConfigError> {
    const OPTIMIZERS: &[(&str, Part<OptimizerSpec>)] = &[
        ("adam", |reader, section| {
            let key = |name: &str| format!("{section}.{name}");
            // A smaller one divides gradients whose squares are 0 in single precision, and makes steps of any size.
            let epsilon = 1e-12..=1.0;
            Ok(OptimizerSpec::Adam {
                beta_1: reader.number(&key("beta_1"), 0.9, 0.0..1.0)?,
                beta_2: reader.number(&key("beta_2"), 0.999, 0.0..1.0)?,
                epsilon: reader.number(&key("epsilon"), 1e-8, epsilon)?,
            })
        }),
        ("sgd", |reader, section| {
            let momentum = reader.number(&format!("{section}.momentum"), 0.0, 0.0..1.0)?;
            Ok(OptimizerSpec::Sgd { momentum })
        }),
    ];
    const SCHEDULES: &[(&str, Schedule)] = &[
        ("constant", Schedule::Constant),
        ("linear_to_zero", Schedule::LinearToZero),
    ];

    let section = keys.section;
    let key = |name: &str| format!("{section}.{name}");
    let rate = (Excluded(0.0), Included(100.0));
    let training = TrainingSpec {
        optimizer: reader.word_or(&key("optimizer"), OPTIMIZERS, keys.optimizer)?(reader, section)?,
        learning_rate: reader.number(&key("learning_rate"), keys.learning_rate, rate)?,
        schedule: reader.word_or(&key("schedule"), SCHEDULES, keys.schedule)?,
        batch_size: reader.whole(&key("batch_size"), 100, 1..=1_000_000)?,
        epochs: reader.whole(&key("epochs"), keys.epochs, 1..=1_000_000)?,
        weight_decay: reader.number(&key("weight_decay"), 0.0, 0.0..=100.0)?,
    };
    // Once a gradient vanishes, a step of Adam grows by β₁ / √β₂ each time, until ε stops it.
    if let OptimizerSpec::Adam { beta_1, beta_2, .. } = training.optimizer {
        let at_least = beta_1.powi(2).min(0.9);
        if beta_2 < at_least {
            let problem = Problem::StepsGrow {
                section,
                beta_1,
                beta_2,
                at_least,
            };
            let keys = [key("beta_2"), key("beta_1")];
            return Err(reader.broken_rule(&[&keys[0], &keys[1]], problem));
        }
    }
    // A step of SGD takes the weights times 1 − ηλ: below −1 (with momentum, a little further) they grow without end.
    if let OptimizerSpec::Sgd { momentum } = training.optimizer {
        let product = training.learning_rate * training.weight_decay;
        let below = 2.0 * (1.0 + momentum);
        if product >= below {
            let problem = Problem::DecayOvershoots {
                section,
                learning_rate: training.learning_rate,
                weight_decay: training.weight_decay,
                below,
            };
            let keys = [key("weight_decay"), key("learning_rate")];
            return Err(reader.broken_rule(&[&keys[0], &keys[1]], problem));
        }
    }
    Ok(training)
}
