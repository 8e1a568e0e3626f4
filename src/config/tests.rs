//! Messages are compared whole: they are what this room is for.

use std::collections::BTreeSet;

use super::*;
use crate::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, Corruption, Decoder, DecoderActivation,
    Initialization, MeanActivationEstimator, OptimizerSpec, Reconstruction, Schedule, SparsitySpec,
    Stage, TrainedLayers, TrainingSpec, Transfer, Variance,
};

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

fn set(assignments: &[&str]) -> Overrides {
    let set = assignments.iter().map(ToString::to_string).collect();
    Overrides { set, backend: None }
}

fn accepted(text: &str, overrides: &Overrides) -> Config {
    parse(text, Path::new(FILE), overrides).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

fn figure56(config: Config) -> Figure56 {
    match config.plan.experiment {
        Experiment::Figure56(plan) => plan,
        other => panic!("another experiment: {other:?}"),
    }
}

fn with_set(assignments: &[&str]) -> Figure56 {
    figure56(accepted(ALMOST_EMPTY, &set(assignments)))
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
    let normal = |value| Initialization::Normal {
        variance: Variance::Fixed { value },
    };
    let expected = Plan {
        run: Run {
            backend: BackendName::Flex,
            seeds: vec![0],
            order_seed: 0,
        },
        data: Data {
            dir: "data/mnist".into(),
            train_images: Limit::All,
            test_images: Limit::All,
            validation_images: 0,
        },
        experiment: Experiment::Figure56(Figure56 {
            setting: AutoencoderTraining {
                autoencoder: AutoencoderSpec {
                    hidden_units: 100,
                    activation: Activation::Relu,
                    decoder: Decoder::Tied,
                    decoder_activation: DecoderActivation::Identity,
                    reconstruction: Reconstruction::SquaredError,
                    encoder_weight: normal(1.0 / 784.0),
                    encoder_bias: normal(1.0 / 7840.0),
                    decoder_bias: Initialization::Constant { value: 0.0 },
                },
                sparsity: SparsitySpec {
                    target: 0.05,
                    estimator: MeanActivationEstimator::RunningMean { decay: 0.99 },
                    clamp: 0.01,
                },
                corruption: Corruption::None,
                training: TrainingSpec {
                    optimizer: OptimizerSpec::Adam {
                        beta_1: 0.9,
                        beta_2: 0.999,
                        epsilon: 1e-8,
                    },
                    learning_rate: 5e-4,
                    schedule: Schedule::Constant,
                    batch_size: 100,
                    epochs: 10,
                    weight_decay: 0.0,
                },
            },
            sparsity_weights: vec![0.0, 0.1, 3.0],
        }),
    };
    assert_eq!(config.plan, expected);
    assert_eq!(config.name, "figure56");
    assert_eq!(config.to_toml(), FIGURE_56);
    assert_eq!(accepted(FIGURE_56, &Overrides::default()).plan, expected);
}

#[test]
fn each_word_has_its_meaning() {
    let activation = |word: &str| {
        with_set(&[&format!("autoencoder.activation={word}")])
            .setting
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
        sloped.setting.autoencoder.activation,
        Activation::LeakyRelu { slope: 0.2 }
    );

    let outputs = with_set(&[
        "autoencoder.decoder_activation=sigmoid",
        "autoencoder.reconstruction=cross_entropy",
    ]);
    assert_eq!(
        outputs.setting.autoencoder.decoder_activation,
        DecoderActivation::Sigmoid
    );
    assert_eq!(
        outputs.setting.autoencoder.reconstruction,
        Reconstruction::CrossEntropy
    );

    let batch = with_set(&["sparsity.estimator=batch"]);
    assert_eq!(
        batch.setting.sparsity.estimator,
        MeanActivationEstimator::Batch
    );

    let sgd = with_set(&["training.optimizer=sgd", "training.schedule=linear_to_zero"]);
    assert_eq!(
        sgd.setting.training.optimizer,
        OptimizerSpec::Sgd { momentum: 0.0 }
    );
    assert_eq!(sgd.setting.training.schedule, Schedule::LinearToZero);

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
        match with_set(&[&assignment]).setting.autoencoder.encoder_weight {
            Initialization::Normal { variance } => variance,
            other => panic!("{text} is no {other:?}"),
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
        alike.setting.autoencoder.decoder,
        Decoder::Untied { weight: constant }
    );
    let own = with_set(&[
        "autoencoder.decoder=untied",
        "autoencoder.decoder_weight.constant=0.5",
    ]);
    assert_eq!(
        own.setting.autoencoder.decoder,
        Decoder::Untied { weight: constant }
    );
    assert_ne!(own.setting.autoencoder.encoder_weight, constant);
}

#[test]
fn whole_numbers_do_for_floats_and_minus_zero_is_zero() {
    let plan = with_set(&["training.learning_rate=1", "sparsity.weights=[-0.0, 2]"]);
    assert_eq!(
        plan.setting.training.learning_rate.to_bits(),
        1.0_f64.to_bits()
    );
    assert_eq!(plan.sparsity_weights[0].to_bits(), 0.0_f64.to_bits());
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
    let plan = figure56(accepted(text, &Overrides::default()));
    assert_eq!(plan.setting.training.epochs, 3);
    assert_eq!(
        plan.setting.autoencoder.encoder_bias,
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
        refused_in("training", "lr = 1"),
        ":3: unknown key `training.lr`\n  hint: [training] knows `optimizer`, `momentum`, `beta_1`, `beta_2`, `epsilon`, `learning_rate`, `schedule`, `batch_size`, `epochs`, `weight_decay`, `trained_layers`"
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
        refused(&format!("{ALMOST_EMPTY}lr = 3")),
        ":2: unknown key `lr`\n  hint: every key but `experiment` stands in a section: [run], [data], [autoencoder], [sparsity], [network], [training], [pretraining], [report], [conditions.NAME]"
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
        ":3: `run.seeds` is a whole number (3)\n  hint: it must be a list, such as [0, 1]"
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
        ":3: `data.train_images` is a string (\"some\")\n  hint: it must be \"all\" or a whole number from 1 to 1000000"
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
        ":3: `sparsity.target` is 1, which is out of range\n  hint: it must be a number x with 0 < x < 1"
    );
    assert_eq!(
        refused_in("sparsity", "weights = [0.0, -0.1]"),
        ":3: `sparsity.weights[1]` is -0.1, which is out of range\n  hint: it must be a number x with 0 ≤ x ≤ 1000000"
    );
    assert_eq!(
        refused_in("training", "epsilon = 1e-60"),
        ":3: `training.epsilon` is 1e-60, which is out of range once it is a 32-bit float\n  hint: it must be a number x with 0 < x ≤ 1"
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
        ":3: `sparsity.weights` holds 1e-1 twice\n  hint: each value makes a member, so write it once"
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

fn keys_of(experiment: &str) -> impl Iterator<Item = &'static keys::Key> + '_ {
    keys::KEYS
        .iter()
        .filter(move |key| key.experiments.contains(&experiment))
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
    let mut dice = Dice(784);
    let mut refused = 0;
    for _ in 0..3000 {
        let shipped = [FIGURE_56, CONDITIONS][dice.below(2)];
        let mut characters: Vec<char> = shipped.chars().collect();
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
            .skip(dice.below(40))
            .take(dice.below(30))
            .collect();
        refused += usize::from(parse(&text, Path::new(FILE), &Overrides::default()).is_err());
        let overrides = set(&[assignment.as_str()]);
        if let Err(error) = parse(FIGURE_56, Path::new(FILE), &overrides) {
            assert!(!error.to_string().is_empty());
        }
    }
    assert!(refused > 1500, "{refused}");
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

const CONDITIONS: &str = r#"experiment = "pretraining"
[network]
hidden_units = "4 x 10"
[training]
epochs = 7
[pretraining]
epochs = 2
sparsity_weight = 0.5
[pretraining.layer.2]
sparsity_weight = 0.25
corruption = "masking"
corruption_fraction = 0.5
[conditions.A]
network.hidden_units = []
[conditions."deep, plain"]
training.epochs = 3
[conditions."deep - not"]
network.weight = { orthogonal = 1.5 }
pretraining.layers = 3
pretraining.learning_rate = 0.5
pretraining.layer.2.learning_rate = 0.25
pretraining.transfer = "shuffled_weights"
training.trained_layers = "output"
[report]
differences = ["deep - not - deep, plain"]
"#;

fn pretraining(text: &str, assignments: &[&str]) -> Pretraining {
    match accepted(text, &set(assignments)).plan.experiment {
        Experiment::Pretraining(plan) => plan,
        other => panic!("another experiment: {other:?}"),
    }
}

fn refused_conditions(assignment: &str) -> String {
    parse(CONDITIONS, Path::new(FILE), &set(&[assignment]))
        .expect_err(assignment)
        .to_string()
}

#[test]
fn what_stands_nearest_to_a_layer_of_a_condition_wins() {
    // " - " may stand in a name too, as long as the names on both sides are known: here they are not.
    let text = CONDITIONS.replace("deep - not", "deep/not");
    let plan = pretraining(&text, &[]);
    let names: Vec<&str> = plan.conditions.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["A", "deep, plain", "deep/not"]);
    assert_eq!(plan.differences, [(2, 1)]);
    assert_eq!(plan.layers_of, [1, 2], "those that have hidden layers");

    let [softmax, plain, pretrained] = &plan.conditions[..] else {
        panic!("three conditions");
    };
    assert!(softmax.classifier.hidden_units.is_empty() && softmax.stages.is_empty());
    assert_eq!(plain.classifier.hidden_units, [10; 4]);
    assert_eq!(
        [
            softmax.training.epochs,
            plain.training.epochs,
            pretrained.training.epochs
        ],
        [7, 3, 7],
        "condition before section"
    );
    assert_eq!(plain.trained_layers, TrainedLayers::All);
    assert_eq!(pretrained.trained_layers, TrainedLayers::Output);
    assert_eq!(pretrained.transfer, Transfer::ShuffledWeights);
    assert_eq!(
        pretrained.classifier.weight,
        Initialization::Orthogonal { gain: 1.5 }
    );
    let stages = &pretrained.stages;
    assert_eq!(stages.len(), 3);
    let each = |of: fn(&Stage) -> f64| stages.iter().map(of).collect::<Vec<_>>();
    assert_eq!(each(|stage| stage.sparsity_weight), [0.5, 0.25, 0.5]);
    assert_eq!(
        each(|stage| stage.setting.training.learning_rate),
        [0.5, 0.25, 0.5]
    );
    assert!(
        stages
            .iter()
            .all(|stage| stage.setting.training.epochs == 2)
    );
    let masked = Corruption::Masking { fraction: 0.5 };
    assert_eq!(
        stages
            .iter()
            .map(|stage| stage.setting.corruption)
            .collect::<Vec<_>>(),
        [Corruption::None, masked, Corruption::None]
    );
    // The encoder is the classifier's layer to be.
    assert!(stages.iter().all(|stage| {
        let autoencoder = &stage.setting.autoencoder;
        autoencoder.encoder_weight == pretrained.classifier.weight
            && autoencoder.hidden_units == 10
            && autoencoder.activation == pretrained.classifier.activation
    }));
}

#[test]
fn an_almost_empty_pretraining_is_the_post_s_d() {
    let text = "experiment = \"pretraining\"\n[conditions.D]\nnetwork.hidden_units = \"15 x 100\"\npretraining.layers = \"all\"\n";
    let config = accepted(text, &Overrides::default());
    assert_eq!(config.plan.run.seeds, [0, 1, 2, 3, 4]);
    let plan = pretraining(text, &[]);
    let [d] = &plan.conditions[..] else {
        panic!("one condition");
    };
    assert_eq!((d.stages.len(), d.transfer), (15, Transfer::Copy));
    assert_eq!(
        d.training,
        TrainingSpec {
            optimizer: OptimizerSpec::Sgd { momentum: 0.0 },
            learning_rate: 0.1,
            schedule: Schedule::LinearToZero,
            batch_size: 100,
            epochs: 20,
            weight_decay: 0.0,
        }
    );
    let stage = &d.stages[14];
    assert_eq!(stage.sparsity_weight.to_bits(), 0.1_f64.to_bits());
    let AutoencoderTraining {
        autoencoder,
        sparsity,
        corruption,
        training,
    } = &stage.setting;
    assert_eq!(autoencoder.decoder, Decoder::Tied);
    assert_eq!(
        *sparsity,
        SparsitySpec {
            target: 0.05,
            estimator: MeanActivationEstimator::RunningMean { decay: 0.9 },
            clamp: 1e-4,
        }
    );
    assert_eq!(*corruption, Corruption::None);
    assert_eq!(
        (training.epochs, training.learning_rate.to_bits()),
        (3, 1e-3_f64.to_bits())
    );
}

#[test]
fn overrides_reach_conditions_and_layers() {
    let text = CONDITIONS.replace("deep - not", "deep/not");
    let plan = pretraining(
        &text,
        &[
            "conditions.A.training.epochs=11",
            "pretraining.layer.3.sparsity_weight=0",
            "conditions.\"deep/not\".pretraining.layers=all",
        ],
    );
    assert_eq!(plan.conditions[0].training.epochs, 11);
    let weights = plan.conditions[2]
        .stages
        .iter()
        .map(|stage| stage.sparsity_weight);
    assert_eq!(weights.collect::<Vec<_>>(), [0.5, 0.25, 0.0, 0.5]);
}

#[test]
fn conditions_that_cannot_be_are_refused() {
    assert_eq!(
        refused("experiment = \"pretraining\""),
        ":1: there are no conditions\n  hint: name at least one, as in [conditions.A] with training.epochs = 3 below it"
    );
    // The first " - " parts the names.
    assert_eq!(
        refused(CONDITIONS),
        ":25: `report.differences` names \"deep\", which is no condition\n  hint: the conditions are \"A\", \"deep, plain\", \"deep - not\""
    );
    assert_eq!(
        refused_conditions("report.differences=[\"A\"]"),
        "--set report.differences=[\"A\"]: `report.differences` holds \"A\", which is not a difference\n  hint: write two names of conditions, as in \"D - B\""
    );
    let known = &CONDITIONS.replace("deep - not", "D");
    let refused = |assignment: &str| {
        let known = known.replace("D - deep, plain", "D - A");
        parse(&known, Path::new(FILE), &set(&[assignment]))
            .expect_err(assignment)
            .to_string()
    };
    for (assignment, expected) in [
        (
            "report.layers_of=[\"A\"]",
            "`report.layers_of` names \"A\", which has no hidden layer\n  hint: name conditions with hidden layers, or leave the key out",
        ),
        (
            "report.layers_of=[\"deep plain\"]",
            "`report.layers_of` names \"deep plain\", which is no condition\n  hint: did you mean \"deep, plain\"?\n  hint: the conditions are \"A\", \"deep, plain\", \"D\"",
        ),
        (
            "conditions.D.pretraining.layers=5",
            "condition \"D\" pretrains 5 layers, but has 4 hidden layers\n  hint: pretraining.layers may be 0 to 4, \"all\" or \"none\"",
        ),
        (
            "conditions.A.pretraining.layers=all",
            "condition \"A\" pretrains layers, but there is no hidden layer\n  hint: set network.hidden_units, or pretraining.layers = \"none\"",
        ),
        (
            "network.hidden_units=\"4 by 10\"",
            "`network.hidden_units` is \"4 by 10\", which is not a list of widths\n  hint: write [300, 100], or \"15 x 100\" for fifteen layers of 100 units",
        ),
        (
            "conditions.D.pretraining.reconstruction=cross_entropy",
            "`pretraining.reconstruction` is \"cross_entropy\", which needs outputs in (0, 1)\n  hint: set pretraining.decoder_activation = \"sigmoid\", or pretraining.reconstruction = \"squared_error\"",
        ),
    ] {
        assert_eq!(
            refused(assignment),
            format!("--set {assignment}: {expected}")
        );
    }
    assert_eq!(
        refused("conditions.D.pretraining.sparsity_weight=3"),
        "configs/figure56.toml:8: `pretraining.sparsity_weight` is not used: every condition that could use it has its own\n  hint: remove it, or set it where it would be"
    );
    assert_eq!(
        refused("conditions.d.training.epochs=3"),
        "--set conditions.d.training.epochs=3: `conditions.NAME` names \"d\", which is no condition\n  hint: did you mean \"D\"?\n  hint: the conditions are \"A\", \"deep, plain\", \"D\""
    );
    assert_eq!(
        refused_set("conditions.D.training.epochs=3"),
        "--set conditions.D.training.epochs=3: `conditions.NAME` names \"D\", which is no condition\n  hint: this config has no conditions"
    );
    // A key that no condition would use, in each of the ways in which that can be.
    for unused in [
        "pretraining.layer.4.epochs=3",
        "conditions.A.pretraining.epochs=3",
        "conditions.\"deep, plain\".pretraining.transfer=copy",
        "conditions.D.training.beta_1=0.5",
        "autoencoder.hidden_units=3",
        "conditions.D.autoencoder.hidden_units=3",
        "sparsity.weight=3",
    ] {
        let message = refused(unused);
        assert!(message.contains(" is not used"), "{message}");
        assert!(message.contains("hint: remove it, or set "), "{message}");
    }
    for unknown in [
        "conditions.E.training.epochs=3",
        "conditions.D.run.seeds=[1]",
        "conditions.D.epochs=3",
        "pretraining.layer.0.epochs=3",
        "pretraining.layer.first.epochs=3",
        "training.layer.1.epochs=3",
    ] {
        let message = refused(unknown);
        assert!(message.contains("hint: "), "{message}");
    }
}

#[test]
fn a_condition_s_name_cannot_lead_out_of_the_folder_or_into_a_terminal() {
    for name in [
        "../x",
        "a\\b",
        "\u{1b}[31m",
        "",
        " a",
        "<b>",
        &"x".repeat(41),
    ] {
        let name = toml::Value::from(name);
        let text =
            format!("experiment = \"dead_units\"\n[conditions.{name}]\ntraining.epochs = 1\n");
        let message = refused(&text);
        assert!(
            message.contains("a condition cannot be called"),
            "{message}"
        );
        assert!(!message.replace('\n', "").contains(char::is_control));
    }
}

#[test]
fn dead_units_have_conditions_of_autoencoders() {
    let text = "experiment = \"dead_units\"\n[conditions.wide]\nautoencoder.encoder_bias.constant = 1\nsparsity.weight = 2\n[conditions.narrow]\ntraining.optimizer = \"sgd\"\n";
    let Experiment::DeadUnits(plan) = accepted(text, &Overrides::default()).plan.experiment else {
        panic!("another experiment");
    };
    let [wide, narrow] = &plan.conditions[..] else {
        panic!("two conditions");
    };
    assert_eq!(
        (wide.name.as_str(), narrow.name.as_str()),
        ("wide", "narrow")
    );
    assert_eq!(
        wide.setting.autoencoder.encoder_bias,
        Initialization::Constant { value: 1.0 }
    );
    assert_eq!(
        vec![wide.sparsity_weight, narrow.sparsity_weight],
        [2.0, 0.0]
    );
    assert!(matches!(
        wide.setting.training.optimizer,
        OptimizerSpec::Adam { .. }
    ));
    assert!(matches!(
        narrow.setting.training.optimizer,
        OptimizerSpec::Sgd { .. }
    ));
}

#[test]
fn resolved_conditions_give_the_same_plan_again() {
    const CHOICES: &[&[&str]] = &[
        &[
            "network.hidden_units=[5, 6, 7, 8]",
            "network.hidden_units=\"6 x 3\"",
        ],
        &["network.activation=prelu", "network.activation=tanh"],
        &[
            "network.weight={orthogonal=1.25}",
            "network.weight.normal_variance=2/fan_in",
        ],
        &["training.optimizer=adam", "training.schedule=constant"],
        &["pretraining.layers=all", "pretraining.layers=2"],
        &["pretraining.decoder=untied"],
        &["pretraining.corruption=gaussian"],
        &["pretraining.optimizer=sgd"],
        &["pretraining.sparsity_estimator=batch"],
        &[
            "pretraining.layer.1.learning_rate=0.5",
            "pretraining.layer.4.batch_size=7",
        ],
        &["conditions.\"deep, plain\".pretraining.layers=1"],
        &["conditions.D.pretraining.layer.1.decoder=untied"],
        &["conditions.D.training.learning_rate=0.25"],
        &["data.validation_images=5"],
        &["report.layers_of=[\"D\"]", "report.differences=[]"],
        &["run.seeds=[7]"],
    ];
    let text = CONDITIONS.replace("deep - not", "D");
    let mut dice = Dice(57);
    let mut accepted_count = 0;
    for _ in 0..1000 {
        let chosen = CHOICES
            .iter()
            .filter_map(|choice| choice.get(dice.below(choice.len() + 2)));
        let overrides = set(&chosen.copied().collect::<Vec<_>>());
        let Ok(config) = parse(&text, Path::new(FILE), &overrides) else {
            continue;
        };
        accepted_count += 1;
        let resolved = config.to_toml();
        let again = accepted(&resolved, &Overrides::default());
        assert_eq!(again.plan, config.plan, "{resolved}");
        assert_eq!(again.to_toml(), resolved);
    }
    assert!(accepted_count > 200, "{accepted_count}");
}

#[test]
fn every_shipped_config_is_accepted_and_so_is_its_resolved_form() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("it is shipped") {
        let path = entry.expect("readable").path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        count += 1;
        let config = load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
        let again = accepted(&config.to_toml(), &Overrides::default());
        assert_eq!(again.plan, config.plan, "{}", path.display());
        // A laboratory note comes first.
        let text = std::fs::read_to_string(&path).expect("text");
        assert!(
            text.starts_with("# ") && !text.contains("TODO"),
            "{}",
            path.display()
        );
    }
    assert!(count >= 6, "{count}");
}
