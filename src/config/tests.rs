//! Messages are compared whole: they are what this room is for.

use std::collections::BTreeSet;

use super::*;
use crate::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, ClassifierSpec, Corruption, Data, Decoder,
    DecoderActivation, Initialization, Limit, MeanActivationEstimator, OptimizerSpec,
    Reconstruction, Run, Schedule, Sparsity, TrainedLayers, TrainingSpec, Transfer, Variance,
};

/// The autoencoders of a plan.
#[derive(Debug, PartialEq)]
struct Figure56 {
    settings: Vec<AutoencoderTraining>,
}

/// The classifiers of a plan, and what is reported of them.
#[derive(Debug, PartialEq)]
struct Pretraining {
    conditions: Vec<ClassifierCondition>,
    differences: Vec<(usize, usize)>,
    layers_of: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq)]
struct ClassifierCondition {
    name: String,
    classifier: ClassifierSpec,
    stages: Vec<AutoencoderTraining>,
    transfer: Transfer,
    training: TrainingSpec,
    trained_layers: TrainedLayers,
}

fn autoencoders(plan: &Plan) -> Figure56 {
    let conditions = plan.conditions.iter();
    let settings = conditions.map(|condition| condition.autoencoder().expect("one").clone());
    Figure56 {
        settings: settings.collect(),
    }
}

fn classifiers(plan: &Plan) -> Pretraining {
    let condition = |condition: &crate::spec::Condition| {
        let of = condition.classifier().expect("a classifier").clone();
        ClassifierCondition {
            name: condition.name.clone(),
            classifier: of.classifier,
            stages: of.stages,
            transfer: of.transfer,
            training: of.training,
            trained_layers: of.trained_layers,
        }
    };
    Pretraining {
        conditions: plan.conditions.iter().map(condition).collect(),
        differences: plan.report.differences.clone(),
        layers_of: plan.report.layers_of.clone(),
    }
}

const FILE: &str = "configs/figure56.toml";
const ALMOST_EMPTY: &str = "experiment = \"figure56\"\n";
const FIGURE_56: &str = r#"experiment = "figure56"

[run]
backend = "flex"
seeds = [0]
order_seed = 0

[data]
dir = "data/mnist"
train_images = "all"
test_images = "all"

[autoencoder]
hidden_units = 100
activation = "relu"
encoder_weight = { normal_variance = "1/784" }
encoder_bias = { normal_variance = "1/7840" }
decoder = "tied"
decoder_activation = "identity"
reconstruction = "squared_error"
decoder_bias = { constant = 0.0 }
corruption = "none"

[sparsity]
weights = [0.0, 0.1, 3.0]
target = 0.05
estimator = "running_mean"
decay = 0.99
clamp = 0.01

[training]
optimizer = "adam"
beta_1 = 0.9
beta_2 = 0.999
epsilon = 1e-8
learning_rate = 0.0005
schedule = "constant"
batch_size = 100
epochs = 10
weight_decay = 0.0
"#;

const ADAM: OptimizerSpec = OptimizerSpec::Adam {
    beta_1: 0.9,
    beta_2: 0.999,
    epsilon: 1e-8,
};

/// A normal distribution of this variance in every layer.
fn variance(value: f64) -> Initialization {
    let variance = Variance::Fixed { value };
    Initialization::Normal { variance }
}

fn set(assignments: &[&str]) -> Overrides {
    let set = assignments.iter().map(ToString::to_string).collect();
    Overrides { set, backend: None }
}

fn accepted(text: &str, overrides: &Overrides) -> Config {
    parse(text, Path::new(FILE), overrides).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn figure56(config: &Config) -> Figure56 {
    autoencoders(&config.plan)
}

fn with_set(assignments: &[&str]) -> Figure56 {
    figure56(&accepted(ALMOST_EMPTY, &set(assignments)))
}

/// The refusal of a whole text, without the file's name.
fn refused(text: &str) -> String {
    let error = parse(text, Path::new(FILE), &Overrides::default())
        .expect_err(text)
        .to_string();
    error.strip_prefix(FILE).map(str::to_owned).unwrap_or(error)
}

/// The refusal of one line (the third) in `section`.
fn refused_in(section: &str, line: &str) -> String {
    refused(&format!("{ALMOST_EMPTY}[{section}]\n{line}\n"))
}

fn refused_set(assignment: &str) -> String {
    parse(ALMOST_EMPTY, Path::new(FILE), &set(&[assignment]))
        .expect_err(assignment)
        .to_string()
}

#[test]
fn an_almost_empty_config_is_the_figure() {
    let config = accepted(ALMOST_EMPTY, &Overrides::default());
    let expected_run = Run {
        backend: BackendName::Flex,
        seeds: vec![0],
        order_seed: 0,
    };
    let expected_data = Data {
        dir: "data/mnist".into(),
        train_images: Limit::All,
        test_images: Limit::All,
        validation_images: 0,
    };
    let expected = Figure56 {
        settings: [0.0, 0.1, 3.0]
            .map(|weight| AutoencoderTraining {
                autoencoder: AutoencoderSpec {
                    hidden_units: 100,
                    activation: Activation::Relu,
                    decoder: Decoder::Tied,
                    decoder_activation: DecoderActivation::Identity,
                    reconstruction: Reconstruction::SquaredError,
                    encoder_weight: variance(1.0 / 784.0),
                    encoder_bias: variance(1.0 / 7840.0),
                    decoder_bias: Initialization::Constant { value: 0.0 },
                },
                sparsity: Sparsity {
                    weight,
                    target: 0.05,
                    estimator: MeanActivationEstimator::RunningMean { decay: 0.99 },
                    clamp: 0.01,
                },
                corruption: Corruption::None,
                training: TrainingSpec {
                    optimizer: ADAM,
                    learning_rate: 5e-4,
                    schedule: Schedule::Constant,
                    batch_size: 100,
                    epochs: 10,
                    weight_decay: 0.0,
                },
            })
            .to_vec(),
    };
    assert_eq!(
        (&config.plan.run, &config.plan.data),
        (&expected_run, &expected_data)
    );
    assert_eq!(autoencoders(&config.plan), expected);
    assert_eq!(config.name, "figure56");
    assert_eq!(config.to_toml(), FIGURE_56);
    assert_eq!(accepted(FIGURE_56, &Overrides::default()).plan, config.plan);
}

#[test]
fn each_word_has_its_meaning() {
    let activation = |word: &str| {
        with_set(&[&format!("autoencoder.activation={word}")]).settings[0]
            .autoencoder
            .activation
    };
    assert_eq!(activation("relu"), Activation::Relu);
    assert_eq!(
        activation("prelu"),
        Activation::Prelu {
            initial_slope: 0.25
        }
    );
    assert_eq!(
        activation("leaky_relu"),
        Activation::LeakyRelu { slope: 0.01 }
    );
    assert_eq!(activation("sigmoid"), Activation::Sigmoid);
    assert_eq!(activation("tanh"), Activation::Tanh);
    let sloped = with_set(&["autoencoder.activation=leaky_relu", "autoencoder.slope=0.2"]);
    assert_eq!(
        sloped.settings[0].autoencoder.activation,
        Activation::LeakyRelu { slope: 0.2 }
    );

    let outputs = with_set(&[
        "autoencoder.decoder_activation=sigmoid",
        "autoencoder.reconstruction=cross_entropy",
    ]);
    assert_eq!(
        outputs.settings[0].autoencoder.decoder_activation,
        DecoderActivation::Sigmoid
    );
    assert_eq!(
        outputs.settings[0].autoencoder.reconstruction,
        Reconstruction::CrossEntropy
    );

    let batch = with_set(&["sparsity.estimator=batch"]);
    assert_eq!(
        batch.settings[0].sparsity.estimator,
        MeanActivationEstimator::Batch
    );

    let sgd = with_set(&["training.optimizer=sgd", "training.schedule=linear_to_zero"]);
    assert_eq!(
        sgd.settings[0].training.optimizer,
        OptimizerSpec::Sgd { momentum: 0.0 }
    );
    assert_eq!(sgd.settings[0].training.schedule, Schedule::LinearToZero);

    for backend in BackendName::ALL {
        let config = accepted(ALMOST_EMPTY, &set(&[&format!("run.backend={backend}")]));
        assert_eq!(config.plan.run.backend, backend);
    }
    let some = accepted(ALMOST_EMPTY, &set(&["data.train_images=500"]));
    assert_eq!(some.plan.data.train_images, Limit::First(500));
}

#[test]
fn variances_are_numbers_or_ratios() {
    let variance = |text: &str| {
        let assignment = format!("autoencoder.encoder_weight.normal_variance={text}");
        match with_set(&[&assignment]).settings[0]
            .autoencoder
            .encoder_weight
        {
            Initialization::Normal { variance } => variance,
            other => panic!("{text} became {other:?}"),
        }
    };
    assert_eq!(variance("0.5"), Variance::Fixed { value: 0.5 });
    assert_eq!(variance("2"), Variance::Fixed { value: 2.0 });
    assert_eq!(variance("1/8"), Variance::Fixed { value: 0.125 });
    assert_eq!(variance("1/2/4"), Variance::Fixed { value: 0.125 });
    assert_eq!(variance("\"1 / 8\""), Variance::Fixed { value: 0.125 });
    assert_eq!(variance("1/fan_in"), Variance::OverFanIn { scale: 1.0 });
    assert_eq!(variance("2/fan_in"), Variance::OverFanIn { scale: 2.0 });
    assert_eq!(variance("1/fan_in/8"), Variance::OverFanIn { scale: 0.125 });
    assert_eq!(variance("1/8/fan_in"), Variance::OverFanIn { scale: 0.125 });
}

#[test]
fn an_untied_decoder_starts_like_the_encoder_unless_told_otherwise() {
    let constant = Initialization::Constant { value: 0.5 };
    let encoder = "autoencoder.encoder_weight={ constant = 0.5 }";
    let alike = with_set(&["autoencoder.decoder=untied", encoder]);
    assert_eq!(
        alike.settings[0].autoencoder.decoder,
        Decoder::Untied { weight: constant }
    );
    let own = with_set(&[
        "autoencoder.decoder=untied",
        "autoencoder.decoder_weight.constant=0.5",
    ]);
    assert_eq!(
        own.settings[0].autoencoder.decoder,
        Decoder::Untied { weight: constant }
    );
    assert_ne!(own.settings[0].autoencoder.encoder_weight, constant);
}

#[test]
fn whole_numbers_do_for_floats_and_minus_zero_is_zero() {
    let plan = with_set(&["training.learning_rate=1", "sparsity.weights=[-0.0, 2]"]);
    assert_eq!(
        plan.settings[0].training.learning_rate.to_bits(),
        1.0_f64.to_bits()
    );
    assert_eq!(
        plan.settings[0].sparsity.weight.to_bits(),
        0.0_f64.to_bits()
    );
}

#[test]
fn a_flag_wins_over_set_and_set_over_the_file() {
    let text = "experiment = \"figure56\"\n\n[run]\nbackend = \"ndarray\"\n\
                [training]\nepochs = 1\nbatch_size = 20\n";
    let overrides = Overrides {
        set: [
            "run.backend=cuda",
            "training.epochs=2",
            "training.epochs = 3",
        ]
        .map(String::from)
        .into(),
        backend: Some(BackendName::Wgpu),
    };
    let config = accepted(text, &overrides);
    let seen = |key: &str| {
        let setting = config
            .values
            .iter()
            .find(|setting| setting.key == key)
            .expect(key);
        format!(
            "{} ({}; {:#})",
            setting.value, setting.origin, setting.origin
        )
    };
    assert_eq!(seen("run.backend"), "\"wgpu\" (--backend; --backend)");
    assert_eq!(
        seen("training.epochs"),
        "3 (--set; --set training.epochs = 3)"
    );
    assert_eq!(
        seen("training.batch_size"),
        "20 (figure56.toml:7; configs/figure56.toml:7)"
    );
    assert_eq!(seen("training.schedule"), "\"constant\" (default; default)");
}

#[test]
fn dotted_keys_and_subsections_are_the_same_as_sections() {
    let text = "experiment = \"figure56\"\ntraining.epochs = 3\n\
                [autoencoder.encoder_bias]\nconstant = 1\n";
    let plan = figure56(&accepted(text, &Overrides::default()));
    assert_eq!(plan.settings[0].training.epochs, 3);
    assert_eq!(
        plan.settings[0].autoencoder.encoder_bias,
        Initialization::Constant { value: 1.0 }
    );
}

#[test]
fn names_that_nobody_knows_are_refused_with_the_nearest() {
    assert_eq!(
        parse(
            &format!("{ALMOST_EMPTY}[training]\nlerning_rate = 1"),
            Path::new(FILE),
            &Overrides::default()
        )
        .unwrap_err()
        .to_string(),
        "configs/figure56.toml:3: unknown key `training.lerning_rate`\n  hint: did you mean `training.learning_rate`?"
    );
    assert_eq!(
        refused_in("training", "xy = 1"),
        ":3: unknown key `training.xy`\n  hint: [training] knows `optimizer`, `momentum`, `beta_1`, `beta_2`, `epsilon`, `learning_rate`, `schedule`, `batch_size`, `epochs`, `weight_decay`, `trained_layers`"
    );
    assert_eq!(
        refused_in("training", "target = 1"),
        ":3: unknown key `training.target`\n  hint: did you mean `sparsity.target`?"
    );
    assert_eq!(
        refused_in("training", "\"sparsity.target\" = 1"),
        ":3: unknown key `training.\"sparsity.target\"`\n  hint: did you mean `sparsity.target`?"
    );
    assert_eq!(
        refused(&format!("{ALMOST_EMPTY}epochs = 3")),
        ":2: unknown key `epochs`\n  hint: did you mean `training.epochs`?"
    );
    assert_eq!(
        refused(&format!("{ALMOST_EMPTY}xy = 3")),
        ":2: unknown key `xy`\n  hint: every key but `experiment` stands in a section: [run], [data], [autoencoder], [sparsity], [network], [training], [pretraining], [report], [conditions.NAME]"
    );
    assert_eq!(
        refused("experimant = \"figure56\""),
        ":1: unknown key `experimant`\n  hint: did you mean `experiment`?"
    );
    assert_eq!(
        refused_in("trainning", ""),
        ":2: unknown section `[trainning]`\n  hint: did you mean `[training]`?"
    );
    assert_eq!(
        refused_in("optimizer", "beta_1 = 0.5"),
        ":2: unknown section `[optimizer]`\n  hint: did you mean `training.beta_1`?"
    );
    assert_eq!(
        refused_in("colours", "red = 1"),
        ":2: unknown section `[colours]`\n  hint: every key but `experiment` stands in a section: [run], [data], [autoencoder], [sparsity], [network], [training], [pretraining], [report], [conditions.NAME]"
    );
    assert_eq!(
        refused("training = 3"),
        ":1: `training` is a section, not a key\n  hint: write `[training]` and its keys below it"
    );
    assert_eq!(
        refused("# nothing\n"),
        ": `experiment` is missing\n  hint: begin the file with `experiment = \"figure56\"`"
    );
}

#[test]
fn names_that_keys_have_elsewhere_are_known() {
    for (key, hint) in [
        ("training.lr", "did you mean `training.learning_rate`?"),
        (
            "pretraining.lr",
            "did you mean `pretraining.learning_rate`?",
        ),
        (
            "beta",
            "did you mean `sparsity.weights` or `sparsity.weight` or `pretraining.sparsity_weight`?",
        ),
        ("Lambda", "did you mean `training.weight_decay`?"),
        (
            "training.units",
            "did you mean `autoencoder.hidden_units` or `network.hidden_units`?",
        ),
    ] {
        let text = refused_set(&format!("{key}=0.3"));
        let expected = format!("--set {key}=0.3: unknown key `{key}`\n  hint: {hint}");
        assert_eq!(text, expected);
    }
    // Every name leads to a key that there is.
    for key in keys::OTHER_NAMES.iter().flat_map(|(_, keys)| *keys) {
        assert!(keys::find(key).is_some(), "{key}");
    }
}

#[test]
fn one_value_where_a_list_is_expected_is_shown_as_a_list() {
    for (value, list) in [
        ("0.3", ": write [0.3]"),
        ("0.1,0.3", ": write [0.1, 0.3]"),
        ("0 1 2", ": write [0, 1, 2]"),
        ("some", ", such as [0, 1]"),
        ("true", ", such as [0, 1]"),
    ] {
        let text = refused_set(&format!("sparsity.weights={value}"));
        assert!(
            text.ends_with(&format!("\n  hint: it must be a list{list}")),
            "{text}"
        );
    }
}

#[test]
fn what_is_not_toml_is_refused_with_its_line() {
    assert_eq!(
        refused_in("training", "optimizer = adam"),
        ":3: `optimizer = adam` is not TOML: string values must be quoted, expected literal string\n  hint: a line is `[section]` or `key = value`, with words in double quotes"
    );
    assert_eq!(
        refused("[training\nepochs = 1"),
        ":1: `[training` is not TOML: unclosed table, expected `]`\n  hint: a line is `[section]` or `key = value`, with words in double quotes"
    );
    assert_eq!(
        refused_in("run", "seeds = [\n\n"),
        ":3: `seeds = [` is not TOML: unclosed array, expected `]`\n  hint: a line is `[section]` or `key = value`, with words in double quotes"
    );
    assert_eq!(
        refused_in("training", "epochs = 1\nepochs = 2"),
        ":4: `epochs` is written twice\n  hint: write each key and each section once"
    );
    assert_eq!(
        refused_in("training", "[training]"),
        ":3: `training` is written twice\n  hint: write each key and each section once"
    );
}

#[test]
fn keys_that_would_do_nothing_are_refused() {
    assert_eq!(
        refused_in("training", "momentum = 0.5"),
        ":3: `training.momentum` is not used because training.optimizer = \"adam\"; it belongs to \"sgd\"\n  hint: remove it, or set training.optimizer = \"sgd\""
    );
    assert_eq!(
        refused_in("autoencoder", "slope = 0.5"),
        ":3: `autoencoder.slope` is not used because autoencoder.activation = \"relu\"; it belongs to \"prelu\" or \"leaky_relu\"\n  hint: remove it, or set autoencoder.activation = \"prelu\""
    );
    assert_eq!(
        refused_in("autoencoder", "decoder_weight = { constant = 1 }"),
        ":3: `autoencoder.decoder_weight` is not used because autoencoder.decoder = \"tied\"; it belongs to \"untied\"\n  hint: remove it, or set autoencoder.decoder = \"untied\""
    );
    let overrides = set(&["sparsity.estimator=batch"]);
    assert_eq!(
        parse(FIGURE_56, Path::new(FILE), &overrides)
            .unwrap_err()
            .to_string(),
        "configs/figure56.toml:28: `sparsity.decay` is not used because sparsity.estimator = \"batch\"; it belongs to \"running_mean\"\n  hint: remove it, or set sparsity.estimator = \"running_mean\""
    );
}

#[test]
fn values_of_the_wrong_form_are_refused() {
    assert_eq!(
        refused_in("training", "epochs = 10.0"),
        ":3: `training.epochs` is a float (10.0)\n  hint: it must be a whole number from 1 to 1000000, without a decimal point"
    );
    assert_eq!(
        refused_in("training", "learning_rate = \"fast\""),
        ":3: `training.learning_rate` is a string (\"fast\")\n  hint: it must be a number x with 0 < x ≤ 100"
    );
    assert_eq!(
        refused("experiment = 56"),
        ":1: `experiment` is a whole number (56)\n  hint: it must be \"figure56\", \"pretraining\" or \"dead_units\""
    );
    assert_eq!(
        refused_in("run", "seeds = 3"),
        ":3: `run.seeds` is a whole number (3)\n  hint: it must be a list: write [3]"
    );
    assert_eq!(
        refused_in("run", "seeds = [0, true]"),
        ":3: `run.seeds[1]` is a boolean (true)\n  hint: it must be a whole number from 0 to 9223372036854775807"
    );
    assert_eq!(
        refused_in("data", "dir = 1979-05-27"),
        ":3: `data.dir` is a date (1979-05-27)\n  hint: it must be the path of a folder, in quotes"
    );
    assert_eq!(
        refused_in("data", "dir = \"\""),
        ":3: `data.dir` is \"\", which is not the path of a folder\n  hint: write it as \"data/mnist\""
    );
    assert_eq!(
        refused_in("data", "train_images = \"some\""),
        ":3: `data.train_images` is a string (\"some\")\n  hint: it must be \"all\" or a whole number from 1 to 4294967295"
    );
    assert_eq!(
        refused_in("training", "optimizer = \"Adma\""),
        ":3: `training.optimizer` is \"Adma\", which is not a known word\n  hint: did you mean \"adam\"?\n  hint: it must be \"adam\" or \"sgd\""
    );
    assert_eq!(
        refused_in("run", "backend = \"pen and paper\""),
        ":3: `run.backend` is \"pen and paper\", which is not a known word\n  hint: it must be \"flex\", \"ndarray\", \"wgpu\", \"cuda\", \"vulkan\" or \"metal\""
    );
    assert_eq!(
        refused_in("autoencoder", "encoder_bias = { uniform = 1 }"),
        ":3: `autoencoder.encoder_bias` is { uniform = 1 }, which is not an initialization\n  hint: write { normal_variance = \"1/784\" } or { constant = 0.0 }, or { orthogonal = 1.0 } for weights"
    );
    for two_or_none in ["{}", "{ constant = 1, normal_variance = 1 }", "0.5"] {
        let message = refused_in("autoencoder", &format!("encoder_bias = {two_or_none}"));
        assert!(message.contains("is not an initialization"), "{message}");
    }
}

#[test]
fn numbers_out_of_range_are_refused() {
    assert_eq!(
        refused_in("training", "epochs = -1"),
        ":3: `training.epochs` is -1, which is out of range\n  hint: it must be a whole number from 1 to 1000000"
    );
    assert_eq!(
        refused_in("autoencoder", "hidden_units = 99999999999999999999"),
        ":3: `autoencoder.hidden_units` is 99999999999999999999, which is out of range\n  hint: it must be a whole number from 1 to 1000000"
    );
    assert_eq!(
        refused_in("sparsity", "target = 1"),
        ":3: `sparsity.target` is 1, which is out of range\n  hint: it must be a number x with 1e-6 ≤ x ≤ 0.999999"
    );
    assert_eq!(
        refused_in("sparsity", "weights = [0.0, -0.1]"),
        ":3: `sparsity.weights[1]` is -0.1, which is out of range\n  hint: it must be a number x with 0 ≤ x ≤ 1000000"
    );
    assert_eq!(
        refused_in("training", "epsilon = 1e-60"),
        ":3: `training.epsilon` is 1e-60, which is out of range\n  hint: it must be a number x with 1e-12 ≤ x ≤ 1"
    );
    for number in [
        "nan", "-nan", "inf", "-inf", "1e400", "0", "-0.0", "1e-40", "101",
    ] {
        let message = refused_in("training", &format!("learning_rate = {number}"));
        assert!(
            message.contains(&format!(" is {number}, which is out of range")),
            "{message}"
        );
    }
    // Rounded to 32 bits this is 1, and a mean that never moves.
    assert!(refused_in("sparsity", "decay = 0.999999999999").contains("32-bit"));
}

#[test]
fn lists_hold_at_least_one_value_and_none_twice() {
    assert_eq!(
        refused_in("run", "seeds = []"),
        ":3: `run.seeds` is empty\n  hint: give at least one value, or leave the key out for its default"
    );
    assert_eq!(
        refused_in("sparsity", "weights = [0.1, 3.0, 1e-1]"),
        ":3: `sparsity.weights` holds 1e-1 twice\n  hint: write each value once"
    );
    assert!(refused_in("sparsity", "weights = [0.0, -0.0]").contains("holds -0.0 twice"));
    let seeds = (0..10_001)
        .map(|seed| seed.to_string())
        .collect::<Vec<_>>()
        .join(",");
    assert_eq!(
        refused_in("run", &format!("seeds = [{seeds}]")),
        ":3: `run.seeds` holds 10001 values\n  hint: it may hold 10000 at most"
    );
}

#[test]
fn ratios_that_are_none_are_refused() {
    let refused = |ratio: &str| {
        let line = format!("encoder_weight = {{ normal_variance = \"{ratio}\" }}");
        refused_in("autoencoder", &line)
    };
    assert_eq!(
        refused("1/0"),
        ":3: `autoencoder.encoder_weight.normal_variance` is \"1/0\", which divides by zero\n  hint: the numbers after `/` must be positive"
    );
    assert_eq!(
        refused("one/784"),
        ":3: `autoencoder.encoder_weight.normal_variance` is \"one/784\", which is not a ratio\n  hint: write a number, or a ratio such as \"1/784\", \"2/fan_in\" or \"1/fan_in/10\""
    );
    assert_eq!(
        refused("1/inf"),
        ":3: `autoencoder.encoder_weight.normal_variance` is \"1/inf\", which is out of range\n  hint: it must be a number x with 0 < x ≤ 1000000"
    );
    for ratio in [
        "",
        "/",
        "1",
        "1/",
        "/784",
        "fan_in",
        "fan_in/2",
        "1/fan_in/fan_in",
        "-1/784",
        "1/nan",
    ] {
        assert!(refused(ratio).contains("which is not a ratio"), "{ratio}");
    }
}

#[test]
fn keys_that_disagree_are_refused_where_somebody_chose_one() {
    assert_eq!(
        refused_in("autoencoder", "reconstruction = \"cross_entropy\""),
        ":3: `autoencoder.reconstruction` is \"cross_entropy\", which needs outputs in (0, 1)\n  hint: set autoencoder.decoder_activation = \"sigmoid\", or autoencoder.reconstruction = \"squared_error\""
    );
    assert_eq!(
        refused_in("sparsity", "target = 0.001"),
        ":3: `sparsity.target` = 0.001 is not between `sparsity.clamp` = 0.01 and 1 - 0.01\n  hint: move the target inside, or make the clamp smaller"
    );
    assert_eq!(
        refused_set("sparsity.clamp=0.2"),
        "--set sparsity.clamp=0.2: `sparsity.target` = 0.05 is not between `sparsity.clamp` = 0.2 and 1 - 0.2\n  hint: move the target inside, or make the clamp smaller"
    );
}

#[test]
fn overrides_that_cannot_be_are_refused() {
    assert_eq!(
        refused_set("training.epochs"),
        "--set training.epochs: there is no `=`\n  hint: write --set key=value, such as --set training.epochs=5"
    );
    for empty in [
        "=3",
        ".=3",
        "training.=3",
        ".epochs=3",
        "training..epochs=3",
    ] {
        assert_eq!(
            refused_set(empty),
            format!(
                "--set {empty}: a part of the key is empty\n  hint: write --set key=value, such as --set training.epochs=5"
            )
        );
    }
    assert_eq!(
        refused_set("training=3"),
        "--set training=3: `training` is a section, not a key\n  hint: set one of its keys: --set training.key=value"
    );
    assert_eq!(
        refused_set("experiment.x=3"),
        "--set experiment.x=3: unknown key `experiment.x`\n  hint: every key but `experiment` stands in a section: [run], [data], [autoencoder], [sparsity], [network], [training], [pretraining], [report], [conditions.NAME]"
    );
    assert_eq!(
        parse(FIGURE_56, Path::new(FILE), &set(&["training.epochs.x=3"]))
            .unwrap_err()
            .to_string(),
        "--set training.epochs.x=3: `training.epochs` holds no such key\n  hint: set it whole: --set training.epochs=value"
    );
    assert_eq!(
        refused_set("training.epochs.x=3"),
        "--set training.epochs.x=3: `training.epochs` is a table ({ x = 3 })\n  hint: it must be a whole number from 1 to 1000000"
    );
    assert_eq!(
        refused_set("training.epoch=3"),
        "--set training.epoch=3: unknown key `training.epoch`\n  hint: did you mean `training.epochs`?"
    );
    assert_eq!(
        refused_set("training.epochs=many"),
        "--set training.epochs=many: `training.epochs` is a string (\"many\")\n  hint: it must be a whole number from 1 to 1000000"
    );
}

#[test]
fn files_that_cannot_be_read_are_refused() {
    let folder = std::env::temp_dir().join(format!("layerwise-config-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let refused = |name: &str, bytes: Option<&[u8]>| {
        let path = folder.join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        let error = load(&path, &Overrides::default()).unwrap_err().to_string();
        error
            .strip_prefix(&*path.to_string_lossy())
            .unwrap()
            .to_owned()
    };
    let missing = refused("missing.toml", None);
    let itself = refused("", None);
    let latin = refused("latin.toml", Some(b"# ok\n# caf\xe9\n"));
    let large = refused("large.toml", Some(&vec![b'\n'; (1 << 20) + 1]));
    std::fs::write(folder.join("good.toml"), FIGURE_56).unwrap();
    let good = load(&folder.join("good.toml"), &Overrides::default());
    std::fs::remove_dir_all(&folder).unwrap();

    assert_eq!(
        missing,
        ": no such file\n  hint: give the path of a config, such as configs/figure56.toml"
    );
    assert_eq!(
        itself,
        ": this is a folder\n  hint: give the path of a config inside it"
    );
    assert_eq!(
        latin,
        ":2: this is not UTF-8 text\n  hint: save the file as UTF-8"
    );
    assert_eq!(
        large,
        ": is larger than 1 MiB\n  hint: a config is a page of text; is this another file?"
    );
    assert_eq!(good.unwrap().name, "good");
}

#[test]
fn nothing_from_outside_reaches_a_terminal_raw_or_at_length() {
    assert_eq!(
        refused_in("training", r#"optimizer = "\u001b[31mred\u202e""#),
        ":3: `training.optimizer` is \"\\u{1b}[31mred\\u{202e}\", which is not a known word\n  hint: it must be \"adam\" or \"sgd\""
    );
    let long = "x".repeat(100_000);
    let shown = refused_in("training", &format!("{long} = 1"));
    assert!(shown.len() < 300 && shown.contains('…'), "{shown}");
    let hostile = "\u{1b}]0;\u{7}\u{9b}\u{202e}\r\n";
    let path = format!("{hostile}.toml");
    for text in [
        "",
        "x = \"\u{1b}\"",
        "[\"\\u001b\"]",
        "\"\\u001b\" = 1",
        "[run]\n\"\\u009b\" = 1",
    ] {
        let error = parse(text, Path::new(&path), &Overrides::default()).unwrap_err();
        assert!(
            !error
                .to_string()
                .replace('\n', "")
                .contains(char::is_control),
            "{error:?}"
        );
    }
    let error = refused_set(&format!("run.backend={hostile}x"));
    assert!(
        !error.replace('\n', "").contains(char::is_control),
        "{error:?}"
    );
}

/// A small generator of numbers below a bound (Knuth's MMIX constants), so that tests repeat.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Configs of many kinds, some of them refused.
fn variant(dice: &mut Dice) -> Overrides {
    const CHOICES: &[&[&str]] = &[
        &["run.backend=wgpu", "run.backend=metal"],
        &["run.seeds=[3, 1, 2]", "run.seeds=[9223372036854775807]"],
        &["run.order_seed=0x1F"],
        &[
            "data.dir=/a b/it's \"here\"",
            "data.dir=C:\\data\\ü",
            "data.dir='''it's'''",
        ],
        &["data.train_images=500", "data.test_images=1"],
        &["autoencoder.hidden_units=1_000"],
        &[
            "autoencoder.activation=prelu",
            "autoencoder.activation=leaky_relu",
            "autoencoder.activation=tanh",
        ],
        &["autoencoder.slope=-1e-3"],
        &["autoencoder.decoder=untied"],
        &["autoencoder.decoder_activation=sigmoid"],
        &["autoencoder.reconstruction=cross_entropy"],
        &[
            "autoencoder.encoder_weight.normal_variance=1/fan_in/10",
            "autoencoder.encoder_weight={constant=1}",
            "autoencoder.encoder_weight.orthogonal=1.5",
        ],
        &[
            "autoencoder.encoder_bias.normal_variance=0.1",
            "autoencoder.encoder_bias.normal_variance=\" 2 /\\t3\"",
        ],
        &["autoencoder.decoder_weight.normal_variance=2/fan_in"],
        &["autoencoder.decoder_bias.constant=-0.1"],
        &[
            "autoencoder.corruption=masking",
            "autoencoder.corruption=gaussian",
        ],
        &["autoencoder.corruption_fraction=0.5"],
        &["autoencoder.corruption_deviation=0.5"],
        &[
            "sparsity.weights=[1]",
            "sparsity.weights=[1e5, 0.30000000000000004, 1e-30]",
        ],
        &["sparsity.estimator=batch", "sparsity.decay=0"],
        &[
            "training.optimizer=sgd",
            "training.epsilon=1e-12",
            "training.beta_1=0",
        ],
        &["training.momentum=0.9"],
        &[
            "training.learning_rate=1",
            "training.learning_rate=3.3333333333333335e-4",
        ],
        &[
            "training.schedule=linear_to_zero",
            "training.weight_decay=1e-4",
        ],
    ];
    let chosen = CHOICES
        .iter()
        .filter_map(|choice| choice.get(dice.below(choice.len() + 2)));
    set(&chosen.copied().collect::<Vec<_>>())
}

/// The keys that an experiment knows.
fn keys_of(experiment: &str) -> impl Iterator<Item = &'static keys::Key> {
    let knows = move |key: &&keys::Key| key.experiments.contains(&experiment);
    keys::KEYS.iter().filter(knows)
}

#[test]
fn a_resolved_config_gives_the_same_plan_again() {
    let mut dice = Dice(56);
    let mut keys_seen = BTreeSet::new();
    let mut accepted_count = 0;
    for _ in 0..2000 {
        let Ok(config) = parse(ALMOST_EMPTY, Path::new(FILE), &variant(&mut dice)) else {
            continue;
        };
        accepted_count += 1;
        let resolved = config.to_toml();
        let again = accepted(&resolved, &Overrides::default());
        assert_eq!(again.plan, config.plan, "{resolved}");
        assert_eq!(again.to_toml(), resolved);

        let place = |setting: &Setting| keys::KEYS.iter().position(|key| key.name == setting.key);
        let places: Vec<_> = config
            .values
            .iter()
            .map(|setting| place(setting).unwrap())
            .collect();
        assert!(places.is_sorted_by(|one, next| one < next), "{resolved}");
        for key in keys_of("figure56") {
            let setting = config.values.iter().find(|setting| setting.key == key.name);
            let used = key.used_with.is_none_or(|(owner, words)| {
                let owner = config
                    .values
                    .iter()
                    .find(|setting| setting.key == owner)
                    .unwrap();
                words.contains(&owner.value.trim_matches('"'))
            });
            assert_eq!(setting.is_some(), used, "{}", key.name);
        }
        keys_seen.extend(config.values.into_iter().map(|setting| setting.key));
    }
    assert!(accepted_count > 200, "{accepted_count}");
    assert_eq!(keys_seen.len(), keys_of("figure56").count());
    let known = |key: &keys::Key| keys::SECTIONS.contains(&keys::split(key.name).0);
    assert_eq!(keys::KEYS.iter().filter(|key| !known(key)).count(), 1);
}

#[test]
fn hostile_text_is_refused_or_accepted_but_never_a_panic() {
    const SPICE: [&str; 16] = [
        "[", "]", "{", "}", "=", ".", "\"", "'''", "\n", "\r", "-", "9e999", "\u{1b}", "ü", "#",
        "\\u0000",
    ];
    let pretraining = include_str!("../../configs/pretraining.toml");
    // In a comment nothing can go wrong.
    let code = |line: &str| line.split('#').next().unwrap_or_default().to_owned() + "\n";
    let pretraining: String = pretraining.lines().map(code).collect();
    let mut dice = Dice(784);
    for (original, times) in [(FIGURE_56, 3000), (pretraining.as_str(), 2000)] {
        let mut refused = 0;
        for _ in 0..times {
            let mut characters: Vec<char> = original.chars().collect();
            for _ in 0..=dice.below(3) {
                let at = dice.below(characters.len());
                match dice.below(4) {
                    0 => characters.truncate(at + 1),
                    1 => drop(characters.remove(at)),
                    2 => characters
                        .splice(at..at, SPICE[dice.below(16)].chars())
                        .for_each(drop),
                    _ => characters.swap(at, 0),
                }
                if characters.is_empty() {
                    characters.push('=');
                }
            }
            let text: String = characters.into_iter().collect();
            let assignment: String = text
                .chars()
                .skip(dice.below(original.len()))
                .take(dice.below(30))
                .collect();
            let messages = [
                parse(&text, Path::new(FILE), &Overrides::default()),
                parse(original, Path::new(FILE), &set(&[assignment.as_str()])),
            ]
            .map(|result| result.err().map(|error| error.to_string()));
            refused += usize::from(messages[0].is_some());
            for message in messages.into_iter().flatten() {
                let visible = message.replace('\n', "");
                assert!(!visible.is_empty());
                assert!(!visible.contains(char::is_control), "{message:?}");
            }
        }
        assert!(refused > times / 2, "{refused}");
    }
    for nest in ["[", "{a=", "a."] {
        assert!(
            parse(
                &format!("a={}", nest.repeat(50_000)),
                Path::new(FILE),
                &Overrides::default()
            )
            .is_err()
        );
        let set = set(&[&format!("run.seeds={}", nest.repeat(50_000))]);
        assert!(parse(ALMOST_EMPTY, Path::new(FILE), &set).is_err());
    }
    let path = format!("run{}=1", ".a".repeat(50_000));
    assert!(parse(ALMOST_EMPTY, Path::new(FILE), &set(&[&path])).is_err());
    let path = format!("autoencoder.encoder_bias{}=1", ".a".repeat(50_000));
    assert!(parse(ALMOST_EMPTY, Path::new(FILE), &set(&[&path])).is_err());
}

const PRETRAINING: &str = r#"experiment = "pretraining"

[run]
backend = "flex"
seeds = [0, 1, 2, 3, 4]
order_seed = 0

[data]
dir = "data/mnist"
train_images = "all"
test_images = "all"
validation_images = 0

[network]
hidden_units = []
activation = "relu"
weight = { normal_variance = "1/784" }
bias = { normal_variance = "1/7840" }

[training]
optimizer = "sgd"
momentum = 0.0
learning_rate = 0.1
schedule = "linear_to_zero"
batch_size = 100
epochs = 20
weight_decay = 0.0
trained_layers = "all"

[pretraining]
layers = "none"
transfer = "copy"
decoder = "tied"
decoder_activation = "identity"
reconstruction = "squared_error"
decoder_bias = { constant = 0.0 }
corruption = "none"
sparsity_weight = 0.1
sparsity_target = 0.05
sparsity_estimator = "running_mean"
sparsity_decay = 0.9
sparsity_clamp = 0.0001
optimizer = "adam"
beta_1 = 0.9
beta_2 = 0.999
epsilon = 1e-8
learning_rate = 0.001
schedule = "constant"
batch_size = 100
epochs = 3
weight_decay = 0.0

[conditions."A"]

[conditions."B"]

[conditions."B".network]
hidden_units = [7]

[conditions."B".pretraining]
layers = "all"
"#;

/// Three conditions: softmax regression, two layers of which one is pretrained, and three that all are.
const THREE_CONDITIONS: &str = r#"
[conditions.A]
[conditions.B]
network.hidden_units = [5, 5]
pretraining.layers = 1
[conditions."C 1/fan_in"]
network.hidden_units = "3 x 4"
pretraining.layers = "all"
"#;

fn pretraining_text(body: &str) -> String {
    format!("experiment = \"pretraining\"\n{body}")
}

fn pretraining_with(body: &str, assignments: &[&str]) -> Pretraining {
    let config = accepted(&pretraining_text(body), &set(assignments));
    classifiers(&config.plan)
}

fn pretraining(body: &str) -> Pretraining {
    pretraining_with(body, &[])
}

/// The one condition of a config, whose keys these are.
fn one_condition(keys: &str) -> ClassifierCondition {
    let mut plan = pretraining(&format!("[conditions.D]\n{keys}"));
    assert_eq!(plan.conditions.len(), 1);
    plan.conditions.remove(0)
}

/// The refusal of a pretraining config; its body begins in line 2.
fn refused_pretraining(body: &str) -> String {
    refused(&pretraining_text(body))
}

/// The refusal of a condition with two hidden layers, all pretrained; its other keys begin in line 5.
fn refused_condition(keys: &str) -> String {
    refused_pretraining(&format!(
        "[conditions.D]\nnetwork.hidden_units = [3, 3]\npretraining.layers = \"all\"\n{keys}\n"
    ))
}

fn refused_pretraining_set(assignment: &str) -> String {
    let text = pretraining_text(THREE_CONDITIONS);
    parse(&text, Path::new(FILE), &set(&[assignment]))
        .expect_err(assignment)
        .to_string()
}

#[test]
fn an_almost_empty_pretraining_config_holds_the_defaults() {
    let config = accepted(
        "experiment = \"pretraining\"\n[conditions.A]\n[conditions.B]\n\
         network.hidden_units = [7]\npretraining.layers = \"all\"\n",
        &Overrides::default(),
    );
    let fine_tuning = TrainingSpec {
        optimizer: OptimizerSpec::Sgd { momentum: 0.0 },
        learning_rate: 0.1,
        schedule: Schedule::LinearToZero,
        batch_size: 100,
        epochs: 20,
        weight_decay: 0.0,
    };
    let softmax_regression = ClassifierCondition {
        name: "A".to_owned(),
        classifier: ClassifierSpec {
            hidden_units: vec![],
            activation: Activation::Relu,
            weight: variance(1.0 / 784.0),
            bias: variance(1.0 / 7840.0),
        },
        stages: vec![],
        transfer: Transfer::Copy,
        training: fine_tuning,
        trained_layers: TrainedLayers::All,
    };
    let stage = AutoencoderTraining {
        autoencoder: AutoencoderSpec {
            hidden_units: 7,
            activation: Activation::Relu,
            decoder: Decoder::Tied,
            decoder_activation: DecoderActivation::Identity,
            reconstruction: Reconstruction::SquaredError,
            encoder_weight: variance(1.0 / 784.0),
            encoder_bias: variance(1.0 / 7840.0),
            decoder_bias: Initialization::Constant { value: 0.0 },
        },
        sparsity: Sparsity {
            weight: 0.1,
            target: 0.05,
            estimator: MeanActivationEstimator::RunningMean { decay: 0.9 },
            clamp: 1e-4,
        },
        corruption: Corruption::None,
        training: TrainingSpec {
            optimizer: ADAM,
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            batch_size: 100,
            epochs: 3,
            weight_decay: 0.0,
        },
    };
    let mut deep = softmax_regression.clone();
    deep.name = "B".to_owned();
    deep.classifier.hidden_units = vec![7];
    deep.stages = vec![stage];
    let expected_run = Run {
        backend: BackendName::Flex,
        seeds: vec![0, 1, 2, 3, 4],
        order_seed: 0,
    };
    let expected_data = Data {
        dir: "data/mnist".into(),
        train_images: Limit::All,
        test_images: Limit::All,
        validation_images: 0,
    };
    let expected = Pretraining {
        conditions: vec![softmax_regression, deep],
        differences: vec![],
        layers_of: vec![1],
    };
    assert_eq!(
        (&config.plan.run, &config.plan.data),
        (&expected_run, &expected_data)
    );
    assert_eq!(classifiers(&config.plan), expected);
    assert_eq!(config.conditions, ["A", "B"]);
    assert_eq!(config.to_toml(), PRETRAINING);
    assert_eq!(
        accepted(PRETRAINING, &Overrides::default()).plan,
        config.plan
    );
}

#[test]
fn an_almost_empty_dead_units_config_is_the_figure_without_sparsity() {
    let config = accepted(
        "experiment = \"dead_units\"\n[conditions.\"N(0, 1)\"]\n\
         autoencoder.encoder_bias.normal_variance = 1\n[conditions.A]\n",
        &Overrides::default(),
    );
    let setting = with_set(&[]).settings[0].clone();
    let mut wide = setting.clone();
    wide.autoencoder.encoder_bias = variance(1.0);
    let expected_run = Run {
        backend: BackendName::Flex,
        seeds: vec![0, 1, 2, 3, 4],
        order_seed: 0,
    };
    let expected_data = Data {
        dir: "data/mnist".into(),
        train_images: Limit::All,
        test_images: Limit::All,
        validation_images: 0,
    };
    let expected = Figure56 {
        settings: vec![wide, setting],
    };
    assert_eq!(
        (&config.plan.run, &config.plan.data),
        (&expected_run, &expected_data)
    );
    assert_eq!(autoencoders(&config.plan), expected);
    let again = accepted(&config.to_toml(), &Overrides::default());
    assert_eq!(autoencoders(&again.plan), expected);
}

#[test]
fn the_nearest_place_that_says_something_decides() {
    let plan = pretraining(
        r#"
[network]
bias = { constant = 0.5 }
[training]
epochs = 2
[pretraining]
epochs = 5
[pretraining.layer.2]
epochs = 6
sparsity_weight = 0.6
batch_size = 60
[conditions.Shared]
network.hidden_units = "3 x 4"
pretraining.layers = "all"
[conditions.Own]
network.hidden_units = "3 x 4"
network.activation = "tanh"
network.bias = { constant = 0.25 }
training.epochs = 4
pretraining.layers = "all"
pretraining.epochs = 7
[conditions.Own.pretraining.layer.2]
sparsity_weight = 0.8
[conditions.Own.pretraining.layer.3]
epochs = 9
"#,
    );
    let [shared, own] = &plan.conditions[..] else {
        panic!("{plan:?}");
    };
    let epochs = |condition: &ClassifierCondition| -> Vec<usize> {
        let stages = condition.stages.iter();
        stages.map(|stage| stage.training.epochs).collect()
    };
    assert_eq!(epochs(shared), [5, 6, 5]);
    // What a condition says for all its layers is nearer than what is said of one layer for everybody.
    assert_eq!(epochs(own), [7, 7, 9]);
    let sparsity_weights = |condition: &ClassifierCondition| -> Vec<f64> {
        let stages = condition.stages.iter();
        stages.map(|stage| stage.sparsity.weight).collect()
    };
    assert_eq!(sparsity_weights(shared), [0.1, 0.6, 0.1]);
    assert_eq!(sparsity_weights(own), [0.1, 0.8, 0.1]);
    for condition in [shared, own] {
        let stages = condition.stages.iter();
        let batch_sizes = stages.map(|stage| stage.training.batch_size);
        assert_eq!(batch_sizes.collect::<Vec<_>>(), [100, 60, 100]);
        assert_eq!(condition.training.batch_size, 100);
    }
    assert_eq!((shared.training.epochs, own.training.epochs), (2, 4));

    let constant = |value| Initialization::Constant { value };
    let classifier = |activation, bias| ClassifierSpec {
        hidden_units: vec![4, 4, 4],
        activation,
        weight: variance(1.0 / 784.0),
        bias: constant(bias),
    };
    assert_eq!(shared.classifier, classifier(Activation::Relu, 0.5));
    assert_eq!(own.classifier, classifier(Activation::Tanh, 0.25));
    // An autoencoder's encoder is the layer that it is the pretraining of.
    for stage in &own.stages {
        assert_eq!(stage.autoencoder.activation, Activation::Tanh);
        assert_eq!(stage.autoencoder.encoder_bias, constant(0.25));
    }
}

#[test]
fn what_a_condition_says_of_a_unit_reaches_no_other_condition() {
    let plan = pretraining(
        "[conditions.P]\nnetwork.activation = \"prelu\"\n\
         [conditions.L]\nnetwork.activation = \"leaky_relu\"\n\
         [conditions.R]\n\
         [conditions.S]\nnetwork.activation = \"prelu\"\nnetwork.slope = 0.5\n",
    );
    let activations = plan.conditions.iter().map(|c| c.classifier.activation);
    assert_eq!(
        activations.collect::<Vec<_>>(),
        [
            Activation::Prelu {
                initial_slope: 0.25
            },
            Activation::LeakyRelu { slope: 0.01 },
            Activation::Relu,
            Activation::Prelu { initial_slope: 0.5 },
        ]
    );
}

#[test]
fn a_default_of_one_condition_hides_nothing_that_is_said_of_a_layer() {
    // An untied decoder starts like its encoder, so each condition has a default of its own; written down for
    // all layers of B, it would take the place of the constant.
    let text = pretraining_text(
        r#"
[network]
hidden_units = [3, 3]
[pretraining]
layers = "all"
decoder = "untied"
[pretraining.layer.2]
decoder_weight = { constant = 0.5 }
[conditions.A]
[conditions.B]
network.weight = { normal_variance = 0.25 }
"#,
    );
    let config = accepted(&text, &Overrides::default());
    let again = accepted(&config.to_toml(), &Overrides::default());
    assert_eq!(again.plan, config.plan);
    let plan = classifiers(&again.plan);
    let decoders = plan.conditions.iter().flat_map(|c| &c.stages);
    let decoders: Vec<_> = decoders.map(|stage| stage.autoencoder.decoder).collect();
    let untied = |weight| Decoder::Untied { weight };
    let constant = Initialization::Constant { value: 0.5 };
    assert_eq!(
        decoders,
        [
            untied(variance(1.0 / 784.0)),
            untied(constant),
            untied(variance(0.25)),
            untied(constant)
        ]
    );
}

#[test]
fn widths_are_a_list_or_so_many_layers_of_one_width() {
    let widths = |text: &str| {
        let condition = one_condition(&format!("network.hidden_units = {text}\n"));
        condition.classifier.hidden_units
    };
    assert_eq!(widths("\"15 x 100\""), [100; 15]);
    assert_eq!(widths("\"15x100\""), [100; 15]);
    assert_eq!(widths("\" 2 × 3 \""), [3, 3]);
    assert_eq!(widths("\"0 x 100\""), [0; 0]);
    assert_eq!(widths("[300, 100, 300]"), [300, 100, 300]);
    assert_eq!(widths("[]"), [0; 0]);
    let plan = pretraining_with(
        THREE_CONDITIONS,
        &["conditions.A.network.hidden_units=4 x 2"],
    );
    assert_eq!(plan.conditions[0].classifier.hidden_units, [2; 4]);

    let refused = |text: &str| {
        refused_pretraining(&format!("[conditions.D]\nnetwork.hidden_units = {text}\n"))
    };
    for neither in [
        "100",
        "\"wide\"",
        "\"15 by 100\"",
        "\"15 x\"",
        "\"x 100\"",
        "\"-1 x 100\"",
        "\"2 x 3 x 4\"",
        "\"1.5 x 3\"",
        "true",
    ] {
        assert_eq!(
            refused(neither),
            format!(
                ":3: `conditions.D.network.hidden_units` is {neither}, which is not a list of widths\n  hint: write [300, 100], or \"15 x 100\" for fifteen layers of 100 units"
            )
        );
    }
    for beyond in [
        "\"1001 x 1\"",
        "\"2 x 0\"",
        "\"2 x 1000001\"",
        "\"18446744073709551615 x 1\"",
    ] {
        assert_eq!(
            refused(beyond),
            format!(
                ":3: `conditions.D.network.hidden_units` is {beyond}, which is out of range\n  hint: it must be at most 1000 layers of 1 to 1000000 units"
            )
        );
    }
    assert_eq!(
        refused("[3, 0]"),
        ":3: `conditions.D.network.hidden_units[1]` is 0, which is out of range\n  hint: it must be a whole number from 1 to 1000000"
    );
    assert_eq!(
        refused(&format!("[{}1]", "1, ".repeat(1000))),
        ":3: `conditions.D.network.hidden_units` holds 1001 values\n  hint: it may hold 1000 at most"
    );
}

#[test]
fn all_layers_are_pretrained_or_none_or_the_first_so_many() {
    let stages = |layers: &str| -> Vec<usize> {
        let keys = format!("network.hidden_units = [5, 6, 7]\npretraining.layers = {layers}\n");
        let stages = one_condition(&keys).stages.into_iter();
        stages.map(|stage| stage.autoencoder.hidden_units).collect()
    };
    assert_eq!(stages("\"all\""), [5, 6, 7]);
    assert_eq!(stages("\"none\""), [0; 0]);
    assert_eq!(stages("0"), [0; 0]);
    assert_eq!(stages("1"), [5]);
    assert_eq!(stages("3"), [5, 6, 7]);
    let unsaid = one_condition("network.hidden_units = [5, 6, 7]\n");
    assert_eq!(unsaid.stages, []);

    assert_eq!(
        refused_pretraining(
            "[conditions.D]\nnetwork.hidden_units = [5, 6]\npretraining.layers = 3"
        ),
        ":4: condition \"D\" pretrains 3 of its 2 hidden layers\n  hint: pretraining.layers may be 0 to 2, \"all\" or \"none\""
    );
    for layers in ["1", "\"all\""] {
        assert_eq!(
            refused_pretraining(&format!("[conditions.D]\npretraining.layers = {layers}")),
            ":3: condition \"D\" pretrains layers, but there is no hidden layer\n  hint: set network.hidden_units, or pretraining.layers = \"none\""
        );
    }
}

#[test]
fn weights_may_be_orthogonal_but_biases_not() {
    let condition = one_condition("network.weight = { orthogonal = 1.5 }\n");
    let orthogonal = Initialization::Orthogonal { gain: 1.5 };
    assert_eq!(condition.classifier.weight, orthogonal);
    assert_eq!(
        with_set(&["autoencoder.encoder_weight.orthogonal=1.5"]).settings[0]
            .autoencoder
            .encoder_weight,
        orthogonal
    );
    assert_eq!(
        refused_pretraining("[conditions.D]\nnetwork.bias = { orthogonal = 1.0 }"),
        ":3: `conditions.D.network.bias` is { orthogonal = 1.0 }, which is not an initialization\n  hint: write { normal_variance = \"1/784\" } or { constant = 0.0 }, or { orthogonal = 1.0 } for weights"
    );
    assert_eq!(
        refused_pretraining("[conditions.D]\nnetwork.weight = { orthogonal = 0 }"),
        ":3: `conditions.D.network.weight.orthogonal` is 0, which is out of range\n  hint: it must be a number x with 0 < x ≤ 1000"
    );
}

#[test]
fn inputs_are_corrupted_as_each_layer_says() {
    let corruption = |assignments: &[&str]| with_set(assignments).settings[0].corruption;
    assert_eq!(
        corruption(&["autoencoder.corruption=masking"]),
        Corruption::Masking { fraction: 0.25 }
    );
    assert_eq!(
        corruption(&[
            "autoencoder.corruption=gaussian",
            "autoencoder.corruption_deviation=2"
        ]),
        Corruption::Gaussian { deviation: 2.0 }
    );
    let condition = one_condition(
        "network.hidden_units = \"4 x 3\"\npretraining.layers = \"all\"\n\
         pretraining.corruption = \"masking\"\npretraining.corruption_fraction = 0.5\n\
         pretraining.layer.2.corruption_fraction = 0.75\n\
         pretraining.layer.3.corruption = \"gaussian\"\n\
         pretraining.layer.4.corruption = \"none\"\n",
    );
    let corruptions = condition.stages.iter().map(|stage| stage.corruption);
    assert_eq!(
        corruptions.collect::<Vec<_>>(),
        [
            Corruption::Masking { fraction: 0.5 },
            Corruption::Masking { fraction: 0.75 },
            Corruption::Gaussian { deviation: 0.3 },
            Corruption::None,
        ]
    );
    // Everything masked is nothing learnt.
    assert_eq!(
        refused_set("autoencoder.corruption_fraction=1"),
        "--set autoencoder.corruption_fraction=1: `autoencoder.corruption_fraction` is not used because autoencoder.corruption = \"none\"; it belongs to \"masking\"\n  hint: remove it, or set autoencoder.corruption = \"masking\""
    );
    assert_eq!(
        refused_in(
            "autoencoder",
            "corruption = \"masking\"\ncorruption_fraction = 1"
        ),
        ":4: `autoencoder.corruption_fraction` is 1, which is out of range\n  hint: it must be a number x with 0 ≤ x < 1"
    );
}

#[test]
fn what_is_transferred_and_what_is_trained_are_words() {
    let transfer = |word: &str| {
        let keys = format!(
            "network.hidden_units = [3]\npretraining.layers = 1\npretraining.transfer = \"{word}\"\n"
        );
        one_condition(&keys).transfer
    };
    assert_eq!(transfer("copy"), Transfer::Copy);
    assert_eq!(transfer("shuffled_weights"), Transfer::ShuffledWeights);
    assert_eq!(
        transfer("shuffled_weights_zero_biases"),
        Transfer::ShuffledWeightsZeroBiases
    );
    let trained_layers = |word: &str| {
        one_condition(&format!("training.trained_layers = \"{word}\"\n")).trained_layers
    };
    assert_eq!(trained_layers("all"), TrainedLayers::All);
    assert_eq!(trained_layers("output"), TrainedLayers::Output);
    assert_eq!(
        refused_pretraining("[conditions.D]\ntraining.trained_layers = \"none\""),
        ":3: `conditions.D.training.trained_layers` is \"none\", which is not a known word\n  hint: it must be \"all\" or \"output\""
    );
}

#[test]
fn reports_name_conditions_in_any_order() {
    let report = |lines: &str| {
        let plan = pretraining(&format!("[report]\n{lines}\n{THREE_CONDITIONS}"));
        (plan.differences, plan.layers_of)
    };
    assert_eq!(report(""), (vec![], vec![1, 2]));
    assert_eq!(
        report("differences = [\"C 1/fan_in - A\", \"A  -  C 1/fan_in\", \"B - C 1/fan_in\"]"),
        (vec![(2, 0), (0, 2), (1, 2)], vec![1, 2])
    );
    assert_eq!(
        report("differences = []\nlayers_of = [\"C 1/fan_in\", \"B\"]"),
        (vec![], vec![2, 1])
    );
    assert_eq!(report("layers_of = []"), (vec![], vec![]));
}

#[test]
fn reports_of_conditions_that_are_none_are_refused() {
    let refused =
        |line: &str| refused_pretraining(&format!("[report]\n{line}\n{THREE_CONDITIONS}"));
    assert_eq!(
        refused("differences = [\"B - A\", \"C 1/fan_on - A\"]"),
        ":3: `report.differences` names \"C 1/fan_on\", which is no condition\n  hint: did you mean \"C 1/fan_in\"?\n  hint: the conditions are \"A\", \"B\", \"C 1/fan_in\""
    );
    assert_eq!(
        refused("differences = [\"A - D\"]"),
        ":3: `report.differences` names \"D\", which is no condition\n  hint: the conditions are \"A\", \"B\", \"C 1/fan_in\""
    );
    assert_eq!(
        refused("layers_of = [\"b\"]"),
        ":3: `report.layers_of` names \"b\", which is no condition\n  hint: did you mean \"B\"?\n  hint: the conditions are \"A\", \"B\", \"C 1/fan_in\""
    );
    for none in ["A", "A-B", "A - A", " - ", ""] {
        assert_eq!(
            refused(&format!("differences = [\"{none}\"]")),
            format!(
                ":3: `report.differences` holds \"{none}\", which is not a difference\n  hint: write two names of conditions, as in \"D - B\""
            )
        );
    }
    assert_eq!(
        refused("differences = [\"B - A\", \"B  - A\"]"),
        ":3: `report.differences` holds \"B  - A\" twice\n  hint: write each value once"
    );
    assert_eq!(
        refused("layers_of = [\"B\", \"B\"]"),
        ":3: `report.layers_of` holds \"B\" twice\n  hint: write each value once"
    );
    assert_eq!(
        refused("layers_of = [\"B\", \"A\"]"),
        ":3: `report.layers_of` names \"A\", which has no hidden layer\n  hint: name conditions with hidden layers, or leave the key out"
    );
    assert_eq!(
        refused("layers_of = \"B\""),
        ":3: `report.layers_of` is a string (\"B\")\n  hint: it must be a list, such as [\"D\", \"B\"]"
    );
    assert_eq!(
        refused("layers_of = [1]"),
        ":3: `report.layers_of[0]` is a whole number (1)\n  hint: it must be text, in quotes"
    );
}

#[test]
fn experiments_of_conditions_need_one_and_the_figure_has_none() {
    for experiment in ["pretraining", "dead_units"] {
        for nothing in ["", "[conditions]\n"] {
            assert_eq!(
                refused(&format!("\nexperiment = \"{experiment}\"\n{nothing}")),
                ":2: there are no conditions\n  hint: name at least one, as in [conditions.A] with training.epochs = 3 below it"
            );
        }
    }
    assert_eq!(
        refused(&format!(
            "{ALMOST_EMPTY}[conditions.\"A (1)\"]\ntraining.epochs = 3"
        )),
        ":2: `conditions.A (1)` is not used because experiment = \"figure56\"; it belongs to \"pretraining\" or \"dead_units\"\n  hint: remove it, or set experiment = \"pretraining\""
    );
}

#[test]
fn names_of_conditions_are_plain_and_short() {
    let forty = "ü".repeat(40);
    for good in ["A", "C 1/fan_in", "k=3, (2+1)-β_", forty.as_str()] {
        let plan = pretraining(&format!("[conditions.\"{good}\"]"));
        assert_eq!(plan.conditions[0].name, good);
    }
    let long = "x".repeat(41);
    for (written, shown) in [
        ("a\\\\b", "a\\b"),
        ("../a", "../a"),
        ("a.b", "a.b"),
        ("", ""),
        (" a", " a"),
        ("a ", "a "),
        ("a\\nb", "a\\nb"),
        ("\\u001b[31m", "\\u{1b}[31m"),
        ("a\\u202eb", "a\\u{202e}b"),
        ("a\\\"b", "a\"b"),
        // It would be two names in a difference.
        ("A - B", "A - B"),
        (long.as_str(), long.as_str()),
    ] {
        assert_eq!(
            refused_pretraining(&format!("[conditions.\"{written}\"]\ntraining.epochs = 3")),
            format!(
                ":2: a condition cannot be called \"{shown}\"\n  hint: a name is 1 to 40 letters, digits, spaces and -_+()/,= between them, without \" - \", which subtracts"
            )
        );
    }
}

#[test]
fn what_a_condition_cannot_hold_is_refused() {
    let refused = |line: &str| refused_pretraining(&format!("[conditions.D]\n{line}\n"));
    assert_eq!(
        refused("run.seeds = [1]"),
        ":3: unknown key `conditions.D.run.seeds`\n  hint: it is told for all conditions at once: set `run.seeds`"
    );
    assert_eq!(
        refused("seeds = [1]"),
        ":3: unknown key `conditions.D.seeds`\n  hint: it is told for all conditions at once: set `run.seeds`"
    );
    assert_eq!(
        refused("experiment = \"dead_units\""),
        ":3: unknown key `conditions.D.experiment`\n  hint: it is told for all conditions at once: set `experiment`"
    );
    assert_eq!(
        refused("report.layers_of = []"),
        ":3: unknown key `conditions.D.report.layers_of`\n  hint: it is told for all conditions at once: set `report.layers_of`"
    );
    assert_eq!(
        refused("epochs = 3"),
        ":3: unknown key `conditions.D.epochs`\n  hint: did you mean `conditions.D.training.epochs`?"
    );
    assert_eq!(
        refused("\"training.epochs\" = 3"),
        ":3: unknown key `conditions.D.\"training.epochs\"`\n  hint: did you mean `conditions.D.training.epochs`?"
    );
    assert_eq!(
        refused("trainning.epoch = 3"),
        ":3: unknown key `conditions.D.trainning.epoch`\n  hint: did you mean `conditions.D.training.epochs`?"
    );
    assert_eq!(
        refused("colour.red = 3"),
        ":3: unknown key `conditions.D.colour.red`\n  hint: a condition holds keys with their section, such as training.epochs"
    );
    assert_eq!(
        refused("colour.red = 3\n[run]\nseeds = [1]"),
        ":3: unknown key `conditions.D.colour.red`\n  hint: a condition holds keys with their section, such as training.epochs"
    );
    assert_eq!(
        refused("training = 3"),
        ":3: `conditions.D.training` is a section, not a key\n  hint: write `[conditions.D.training]` and its keys below it"
    );
    assert_eq!(
        refused_pretraining("conditions = 3"),
        ":2: `conditions` is a section, not a key\n  hint: write `[conditions]` and its keys below it"
    );
    assert_eq!(
        refused_pretraining("[conditions]\n\"D 2\" = 3"),
        ":3: `conditions.\"D 2\"` is a section, not a key\n  hint: write `[conditions.\"D 2\"]` and its keys below it"
    );
    assert_eq!(
        refused("pretraining.hidden_units = [3]"),
        ":3: unknown key `conditions.D.pretraining.hidden_units`\n  hint: a pretraining autoencoder always takes its layer's width; set conditions.D.network.hidden_units instead"
    );
    assert_eq!(
        refused("pretraining.layer.1.activation = \"tanh\""),
        ":3: unknown key `conditions.D.pretraining.layer.1.activation`\n  hint: a pretraining autoencoder always takes its layer's activation; set conditions.D.network.activation instead"
    );
    assert_eq!(
        refused_pretraining("[condition.D]\ntraining.epochs = 3"),
        ":2: unknown section `[condition]`\n  hint: did you mean `[conditions]`?"
    );
}

#[test]
fn layers_are_numbers_from_1() {
    for none in ["0", "x", "01", "-1", "99999999999"] {
        for section in ["pretraining", "conditions.D.pretraining"] {
            assert_eq!(
                refused_pretraining(&format!("[{section}.layer.{none}]\nepochs = 3")),
                format!(
                    ":2: `{section}.layer.{none}` is no layer's pretraining\n  hint: layers are counted from 1, as in [pretraining.layer.3]"
                )
            );
        }
    }
    assert_eq!(
        refused_pretraining("[pretraining.layer]\nepochs = 3"),
        ":3: `pretraining.layer.epochs` is no layer's pretraining\n  hint: layers are counted from 1, as in [pretraining.layer.3]"
    );
    assert_eq!(
        refused_pretraining("[pretraining.layer]\n3 = 5"),
        ":3: `pretraining.layer.3` is a section, not a key\n  hint: write `[pretraining.layer.3]` and its keys below it"
    );
    assert_eq!(
        refused_pretraining("[pretraining]\nlayer = 3"),
        ":3: unknown key `pretraining.layer`\n  hint: did you mean `pretraining.layers`?"
    );
    for told_at_once in ["layers", "transfer"] {
        assert_eq!(
            refused_pretraining(&format!("[pretraining.layer.2]\n{told_at_once} = \"all\"")),
            format!(
                ":3: unknown key `pretraining.layer.2.{told_at_once}`\n  hint: it is told for all layers at once: set `pretraining.{told_at_once}`"
            )
        );
    }
    assert_eq!(
        refused_pretraining("[conditions.D.pretraining.layer.2]\nepoch = 3"),
        ":3: unknown key `conditions.D.pretraining.layer.2.epoch`\n  hint: did you mean `conditions.D.pretraining.layer.2.epochs`?"
    );
    assert_eq!(
        refused_pretraining("[pretraining.layer.2]\nlr = 3"),
        ":3: unknown key `pretraining.layer.2.lr`\n  hint: did you mean `pretraining.layer.2.learning_rate`?"
    );
}

#[test]
fn keys_that_no_condition_would_use_are_refused() {
    let refused = |lines: &str| refused_pretraining(&format!("{lines}\n{THREE_CONDITIONS}"));
    assert_eq!(
        refused("[pretraining.layer.7]\nepochs = 3"),
        ":3: `pretraining.layer.7.epochs` has no effect: no condition that pretrains layer 7 uses this shared value\n  hint: remove it, or set it inside a condition"
    );
    assert_eq!(
        refused("[pretraining.layer.1]\nmomentum = 0.5"),
        ":3: `pretraining.layer.1.momentum` is not used because pretraining.optimizer = \"adam\"; it belongs to \"sgd\"\n  hint: remove it, or set pretraining.optimizer = \"sgd\""
    );
    assert_eq!(
        refused("[autoencoder]\nhidden_units = 3"),
        ":3: `autoencoder.hidden_units` is not used because experiment = \"pretraining\"; it belongs to \"figure56\" or \"dead_units\"\n  hint: remove it, or set experiment = \"figure56\""
    );
    assert_eq!(
        refused_condition("autoencoder.hidden_units = 3"),
        ":5: `conditions.D.autoencoder.hidden_units` is not used because experiment = \"pretraining\"; it belongs to \"figure56\" or \"dead_units\"\n  hint: remove it, or set experiment = \"figure56\""
    );
    assert_eq!(
        refused_condition("training.beta_1 = 0.5"),
        ":5: `conditions.D.training.beta_1` is not used because training.optimizer = \"sgd\"; it belongs to \"adam\"\n  hint: remove it, or set training.optimizer = \"adam\""
    );
    assert_eq!(
        refused_condition("training.optimizer = \"adam\"\ntraining.momentum = 0.5"),
        ":6: `conditions.D.training.momentum` is not used because conditions.D.training.optimizer = \"adam\"; it belongs to \"sgd\"\n  hint: remove it, or set conditions.D.training.optimizer = \"sgd\""
    );
    assert_eq!(
        refused_condition("pretraining.layer.3.epochs = 3"),
        ":5: `conditions.D.pretraining.layer.3.epochs` has no effect: the condition does not pretrain layer 3\n  hint: remove it, or set pretraining.layers of the condition"
    );
    assert_eq!(
        refused_condition(
            "pretraining.epochs = 3\npretraining.layer.1.epochs = 4\npretraining.layer.2.epochs = 4"
        ),
        ":5: `conditions.D.pretraining.epochs` has no effect: every layer of the condition sets its own value\n  hint: remove it, or set it for a layer"
    );
    assert_eq!(
        refused_pretraining("[training]\nepochs = 3\n[conditions.D]\ntraining.epochs = 4"),
        ":3: `training.epochs` has no effect: every condition sets its own value\n  hint: remove it, or set it inside a condition"
    );
    assert_eq!(
        refused_pretraining(
            "[pretraining]\nepochs = 3\n[conditions.D]\nnetwork.hidden_units = [3]"
        ),
        ":3: `pretraining.epochs` is not used because pretraining.layers = \"none\"; it belongs to \"all\"\n  hint: remove it, or set pretraining.layers = \"all\""
    );
    // That A pretrains nothing and B only layer 1 explains the second, not the first.
    assert_eq!(
        refused("[pretraining]\nmomentum = 0.5"),
        ":3: `pretraining.momentum` is not used because pretraining.optimizer = \"adam\"; it belongs to \"sgd\"\n  hint: remove it, or set pretraining.optimizer = \"sgd\""
    );
    assert_eq!(
        refused_pretraining(&format!(
            "{THREE_CONDITIONS}[conditions.B.pretraining.layer.2]\nepochs = 5"
        )),
        ":11: `conditions.B.pretraining.layer.2.epochs` is not used because conditions.B.pretraining.layers = 1; it belongs to \"all\"\n  hint: remove it, or set conditions.B.pretraining.layers = \"all\""
    );
    assert_eq!(
        refused_pretraining(
            "[training]\nmomentum = 0.5\n[conditions.D]\ntraining.optimizer = \"adam\"\n\
             [conditions.E]\ntraining.optimizer = \"adam\""
        ),
        ":3: `training.momentum` is not used because conditions.D.training.optimizer = \"adam\"; it belongs to \"sgd\"\n  hint: remove it, or set conditions.D.training.optimizer = \"sgd\""
    );
    assert_eq!(
        refused("[data]\nvalidation_images = -1"),
        ":3: `data.validation_images` is -1, which is out of range\n  hint: it must be a whole number from 0 to 4294967295"
    );
    assert_eq!(
        refused_in("data", "validation_images = 5"),
        ":3: `data.validation_images` is not used because experiment = \"figure56\"; it belongs to \"pretraining\"\n  hint: remove it, or set experiment = \"pretraining\""
    );
}

#[test]
fn a_key_is_used_if_one_condition_has_chosen_so() {
    let plan = pretraining(
        "[training]\nmomentum = 0.5\n[conditions.D]\ntraining.optimizer = \"adam\"\n[conditions.E]\n",
    );
    let optimizers = plan.conditions.iter().map(|c| c.training.optimizer);
    assert_eq!(
        optimizers.collect::<Vec<_>>(),
        [ADAM, OptimizerSpec::Sgd { momentum: 0.5 }]
    );
}

#[test]
fn cross_entropy_of_codes_needs_codes_in_the_unit_interval() {
    let cross_entropy = "pretraining.reconstruction = \"cross_entropy\"\n\
                         pretraining.decoder_activation = \"sigmoid\"\n";
    assert_eq!(
        refused_condition(cross_entropy),
        ":5: `pretraining.reconstruction` is \"cross_entropy\", which needs inputs in [0, 1], but layer 2 learns codes of another range\n  hint: set network.activation = \"sigmoid\", or pretraining.reconstruction = \"squared_error\""
    );
    assert_eq!(
        refused_condition("pretraining.reconstruction = \"cross_entropy\""),
        ":5: `pretraining.reconstruction` is \"cross_entropy\", which needs outputs in (0, 1)\n  hint: set pretraining.decoder_activation = \"sigmoid\", or pretraining.reconstruction = \"squared_error\""
    );
    assert_eq!(
        refused_condition("pretraining.sparsity_target = 1e-5"),
        ":5: `pretraining.sparsity_target` = 1e-5 is not between `pretraining.sparsity_clamp` = 0.0001 and 1 - 0.0001\n  hint: move the target inside, or make the clamp smaller"
    );
    let reconstructions = |keys: &str| -> Vec<Reconstruction> {
        let stages = one_condition(&format!(
            "network.hidden_units = [3, 3]\npretraining.layers = \"all\"\n{keys}"
        ))
        .stages;
        let settings = stages.into_iter();
        settings
            .map(|setting| setting.autoencoder.reconstruction)
            .collect()
    };
    assert_eq!(
        reconstructions(&format!(
            "{cross_entropy}network.activation = \"sigmoid\"\n"
        )),
        [Reconstruction::CrossEntropy; 2]
    );
    // The first layer learns images, whose pixels are in [0, 1] whatever the units.
    assert_eq!(
        reconstructions(&format!(
            "{cross_entropy}pretraining.layer.2.reconstruction = \"squared_error\"\n"
        )),
        [Reconstruction::CrossEntropy, Reconstruction::SquaredError]
    );
}

#[test]
fn conditions_and_layers_can_be_overridden() {
    let plan = pretraining_with(
        THREE_CONDITIONS,
        &[
            "conditions.B.training.epochs=3",
            "conditions.C 1/fan_in.network.weight.normal_variance=1/fan_in",
            "pretraining.layer.1.sparsity_weight=0",
            "conditions.C 1/fan_in.pretraining.layer.2.epochs = 9",
        ],
    );
    let epochs: Vec<_> = plan.conditions.iter().map(|c| c.training.epochs).collect();
    assert_eq!(epochs, [20, 3, 20]);
    let stages = |at: usize| -> Vec<(f64, usize)> {
        let stages = plan.conditions[at].stages.iter();
        stages
            .map(|stage| (stage.sparsity.weight, stage.training.epochs))
            .collect()
    };
    assert_eq!(stages(1), [(0.0, 3)]);
    assert_eq!(stages(2), [(0.0, 3), (0.1, 9), (0.1, 3)]);
    assert_eq!(
        plan.conditions[2].classifier.weight,
        Initialization::Normal {
            variance: Variance::OverFanIn { scale: 1.0 }
        }
    );
    // The `=` of a name is none of the assignment.
    let plan = pretraining_with(
        "[conditions.\"k=3\"]",
        &["conditions.k=3.training.epochs=4"],
    );
    assert_eq!(plan.conditions[0].training.epochs, 4);
}

#[test]
fn overrides_of_unknown_conditions_and_layers_are_refused() {
    let refused = refused_pretraining_set;
    let none = |nearest: &str| {
        format!(
            "which is no condition{nearest}\n  hint: the conditions are \"A\", \"B\", \"C 1/fan_in\""
        )
    };
    // A slip in the name would else be one more condition to train.
    assert_eq!(
        refused("conditions.D.training.epochs=3"),
        format!(
            "--set conditions.D.training.epochs=3: `conditions.D.training.epochs` names \"D\", {}",
            none("")
        )
    );
    assert_eq!(
        refused("conditions.b.training.epochs=3"),
        format!(
            "--set conditions.b.training.epochs=3: `conditions.b.training.epochs` names \"b\", {}",
            none("\n  hint: did you mean \"B\"?")
        )
    );
    assert_eq!(
        refused_set("conditions.D.training.epochs=3"),
        "--set conditions.D.training.epochs=3: `conditions.D.training.epochs` names \"D\", which is no condition\n  hint: the config has no conditions"
    );
    assert_eq!(
        refused("conditions.B.training.epoch=3"),
        "--set conditions.B.training.epoch=3: unknown key `conditions.B.training.epoch`\n  hint: did you mean `conditions.B.training.epochs`?"
    );
    assert_eq!(
        refused("conditions.B.run.seeds=[1]"),
        "--set conditions.B.run.seeds=[1]: unknown key `conditions.B.run.seeds`\n  hint: it is told for all conditions at once: set `run.seeds`"
    );
    assert_eq!(
        refused("pretraining.layer.x.epochs=3"),
        "--set pretraining.layer.x.epochs=3: `pretraining.layer.x` is no layer's pretraining\n  hint: layers are counted from 1, as in [pretraining.layer.3]"
    );
    assert_eq!(
        refused("conditions.B.pretraining.layer.0.epochs=3"),
        "--set conditions.B.pretraining.layer.0.epochs=3: `conditions.B.pretraining.layer.0` is no layer's pretraining\n  hint: layers are counted from 1, as in [pretraining.layer.3]"
    );
    assert_eq!(
        refused("pretraining.layer.7.epochs=3"),
        "--set pretraining.layer.7.epochs=3: `pretraining.layer.7.epochs` has no effect: no condition that pretrains layer 7 uses this shared value\n  hint: remove it, or set it inside a condition"
    );
    assert_eq!(
        refused("pretraining.layer.2.transfer=copy"),
        "--set pretraining.layer.2.transfer=copy: unknown key `pretraining.layer.2.transfer`\n  hint: it is told for all layers at once: set `pretraining.transfer`"
    );
    for section in [
        "conditions",
        "conditions.B",
        "conditions.B.training",
        "pretraining.layer.2",
        "conditions.B.pretraining.layer.2",
    ] {
        assert_eq!(
            refused(&format!("{section}=3")),
            format!(
                "--set {section}=3: `{section}` is a section, not a key\n  hint: set one of its keys: --set {section}.key=value"
            )
        );
    }
}

#[test]
fn every_config_that_is_shipped_holds_and_so_does_what_it_resolves_to() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let config = load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
        let resolved = config.to_toml();
        let again = parse(&resolved, &path, &Overrides::default())
            .unwrap_or_else(|error| panic!("{resolved}\n{error}"));
        assert_eq!(again.plan, config.plan, "{resolved}");
        assert_eq!(again.conditions, config.conditions);
        assert_eq!(again.to_toml(), resolved);
        names.insert(config.name);
    }
    for name in ["figure56", "figure56-quick", "pretraining"] {
        assert!(names.contains(name), "{names:?}");
    }
}

/// Configs with conditions: some of `keys` put over `text`, each at one of the places that start a path.
fn check_round_trips(experiment: &str, text: &str, places: &[&str], keys: &[&str]) {
    const ENOUGH: usize = 800;
    let mut dice = Dice(65);
    let mut keys_seen = BTreeSet::new();
    let mut accepted_count = 0;
    for _ in 0..20_000 {
        if accepted_count == ENOUGH {
            break;
        }
        let assignments: Vec<String> = (0..dice.below(9))
            .map(|_| {
                let place = places[dice.below(places.len())];
                let key = keys[dice.below(keys.len())];
                // A layer's section is the pretraining's already.
                let key = if place.contains("pretraining.layer.") {
                    key.trim_start_matches("pretraining.")
                } else {
                    key
                };
                format!("{place}{key}")
            })
            .collect();
        let assignments: Vec<_> = assignments.iter().map(String::as_str).collect();
        let Ok(config) = parse(text, Path::new(FILE), &set(&assignments)) else {
            continue;
        };
        accepted_count += 1;
        let resolved = config.to_toml();
        let again = accepted(&resolved, &Overrides::default());
        assert_eq!(again.plan, config.plan, "{assignments:?}\n{resolved}");
        assert_eq!(again.to_toml(), resolved, "{assignments:?}");
        assert_eq!(again.conditions, config.conditions);

        let paths: BTreeSet<_> = config.values.iter().map(|setting| &setting.key).collect();
        assert_eq!(paths.len(), config.values.len(), "{resolved}");
        let settings = config.values.iter();
        keys_seen.extend(settings.map(|setting| keys::Place::of(&setting.key).key()));
    }
    assert_eq!(accepted_count, ENOUGH);
    let known: BTreeSet<_> = keys_of(experiment).map(|key| key.name.to_owned()).collect();
    assert_eq!(keys_seen, known);
}

#[test]
fn a_resolved_pretraining_config_gives_the_same_plan_again() {
    let text = pretraining_text(&format!(
        "[report]\ndifferences = [\"C 1/fan_in - A\"]\nlayers_of = [\"B\"]\n\
         [network]\nactivation = \"prelu\"\n{THREE_CONDITIONS}"
    ));
    check_round_trips(
        "pretraining",
        &text,
        &[
            "",
            "",
            "conditions.A.",
            "conditions.B.",
            "conditions.C 1/fan_in.",
            "pretraining.layer.1.",
            "pretraining.layer.2.",
            "conditions.B.pretraining.layer.1.",
            "conditions.C 1/fan_in.pretraining.layer.3.",
        ],
        &[
            "run.seeds=[7]",
            "data.validation_images=100",
            "network.activation=leaky_relu",
            "network.activation=sigmoid",
            "network.slope=0.125",
            "network.weight.orthogonal=1",
            "network.weight.normal_variance=1/fan_in",
            "network.bias.constant=-1",
            "network.hidden_units=4 x 2",
            "network.hidden_units=[3, 1, 2]",
            "training.optimizer=adam",
            "training.epsilon=1e-12",
            "training.epochs=1",
            "training.trained_layers=output",
            "pretraining.layers=all",
            "pretraining.layers=2",
            "pretraining.layers=none",
            "pretraining.transfer=shuffled_weights",
            "pretraining.decoder=untied",
            "pretraining.decoder=tied",
            "pretraining.decoder=untied",
            "pretraining.decoder_weight.constant=0.5",
            "pretraining.decoder_activation=sigmoid",
            "pretraining.reconstruction=cross_entropy",
            "pretraining.corruption=masking",
            "pretraining.corruption=gaussian",
            "pretraining.corruption_fraction=0.125",
            "pretraining.sparsity_weight=0",
            "pretraining.sparsity_estimator=batch",
            "pretraining.optimizer=sgd",
            "pretraining.momentum=0.5",
            "pretraining.epochs=2",
            "pretraining.schedule=linear_to_zero",
        ],
    );
}

#[test]
fn a_resolved_dead_units_config_gives_the_same_plan_again() {
    let text = "experiment = \"dead_units\"\n\
                [conditions.A]\nautoencoder.activation = \"prelu\"\n\
                [conditions.\"b, 2\"]\nautoencoder.decoder = \"untied\"\n\
                [conditions.C]\n";
    check_round_trips(
        "dead_units",
        text,
        &["", "conditions.A.", "conditions.b, 2.", "conditions.C."],
        &[
            "run.backend=ndarray",
            "autoencoder.hidden_units=7",
            "autoencoder.activation=leaky_relu",
            "autoencoder.activation=relu",
            "autoencoder.slope=0.125",
            "autoencoder.decoder=untied",
            "autoencoder.encoder_weight.constant=0.5",
            "autoencoder.encoder_weight.orthogonal=2",
            "autoencoder.encoder_bias.normal_variance=1",
            "autoencoder.decoder_weight.normal_variance=1/fan_in",
            "autoencoder.corruption=masking",
            "autoencoder.corruption=gaussian",
            "autoencoder.corruption_deviation=0.5",
            "sparsity.weight=3",
            "sparsity.estimator=batch",
            "sparsity.decay=0.5",
            "training.optimizer=sgd",
            "training.momentum=0.5",
            "training.epochs=2",
        ],
    );
}

#[test]
fn a_condition_s_name_may_stand_in_quotes_on_the_command_line() {
    let text =
        "experiment = \"pretraining\"\n[conditions.\"C 1/fan_in, a = b\"]\ntraining.epochs = 1\n";
    for quoted in [
        "conditions.\"C 1/fan_in, a = b\".training.epochs=3",
        "conditions.C 1/fan_in, a = b.training.epochs = 3",
    ] {
        let plan = accepted(text, &set(&[quoted])).plan;
        let plan = classifiers(&plan);
        assert_eq!(plan.conditions[0].training.epochs, 3, "{quoted}");
    }
}
