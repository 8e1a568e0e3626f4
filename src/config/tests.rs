//! What configs mean, and what is said to those that mean nothing. Messages are transcripts in `snapshots`, to be read
//! aloud: what was written, and the answer. After a wanted change, `INSTA_UPDATE=always cargo test --lib config`
//! writes them anew; read what changed.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, BatchTopKSparsity, ClassifierSpec,
    ClassifierTraining, Coordinate, Corruption, Data, Decoder, DecoderActivation, DecoderBias,
    ExperimentName, GridKey, Initialization, JumpReluSparsity, Keep, KlSparsity, L1Sparsity,
    MeanActivationEstimator, Model, OptimizerSpec, Patches, Promise, Published, Reconstruction,
    Revive, Run, Schedule, Source, Sparsity, SparsityKind, Standardised, Target, TrainedLayers,
    TrainingSpec, Transfer, Transform, Variance, Whitening,
};

const FILE: &str = "configs/mine.toml";
const AUTOENCODER: &str = "experiment = \"autoencoder\"\n";
const CLASSIFIER: &str = "experiment = \"classifier\"\n";

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

fn set(assignments: &[&str]) -> Overrides {
    let set = assignments.iter().map(ToString::to_string).collect();
    Overrides { set, backend: None }
}

fn parsed(text: &str, assignments: &[&str]) -> Result<Config, ConfigError> {
    parse(text, Path::new(FILE), &set(assignments))
}

fn accepted(text: &str, assignments: &[&str]) -> Config {
    parsed(text, assignments).unwrap_or_else(|error| panic!("{text}{assignments:?}\n{error}"))
}

/// The one autoencoder of a config.
fn autoencoder(assignments: &[&str]) -> AutoencoderTraining {
    let config = accepted(AUTOENCODER, assignments);
    let [condition] = &config.plan.conditions[..] else {
        panic!("{config:?}");
    };
    condition.autoencoder().expect("it is one").clone()
}

fn classifiers(body: &str) -> Vec<ClassifierTraining> {
    let config = accepted(&format!("{CLASSIFIER}{body}"), &[]);
    let conditions = config.plan.conditions.iter();
    conditions
        .map(|condition| condition.classifier().expect("it is one").clone())
        .collect()
}

fn classifier(body: &str) -> ClassifierTraining {
    classifiers(body).remove(0)
}

fn names(config: &Config) -> Vec<&str> {
    config.plan.names().collect()
}

/// What is said to each text that is put below `head`, and to each that is given by `--set`.
fn told(head: &str, mistakes: &[&str]) -> String {
    let mut transcript = String::new();
    for mistake in mistakes {
        let result = match mistake.strip_prefix("--set ") {
            Some(assignment) => parsed(head, &[assignment]),
            None => parsed(&format!("{head}{mistake}\n"), &[]),
        };
        let shown = mistake.trim().replace('\n', "\n  ");
        let answer = match result {
            Err(error) => error.to_string(),
            Ok(_) => "ACCEPTED".to_owned(),
        };
        assert!(answer != "ACCEPTED", "{mistake}");
        let _ = write!(transcript, "{shown}\n=> {answer}\n\n");
    }
    transcript
}

/// Compares a text with its snapshot.
fn is_kept_as(name: &str, text: &str) {
    insta::with_settings!({ omit_expression => true }, {
        insta::assert_snapshot!(name.to_owned(), text);
    });
}

#[test]
fn an_almost_empty_config_is_the_figure_without_sparsity() {
    let config = accepted(AUTOENCODER, &[]);
    let variance = |value| Initialization::Normal(Variance::Fixed { value });
    let expected = AutoencoderTraining {
        autoencoder: AutoencoderSpec {
            hidden_units: 100,
            activation: Activation::Relu,
            decoder: Decoder::Tied,
            decoder_activation: DecoderActivation::Identity,
            reconstruction: Reconstruction::SquaredError,
            encoder_weight: variance(1.0 / 784.0),
            encoder_bias: variance(1.0 / 7840.0),
            decoder_bias: DecoderBias::Drawn(Initialization::Constant(0.0)),
            subtract_decoder_bias: false,
        },
        sparsity: Sparsity::Kl(KlSparsity {
            weight: 0.0,
            target: 0.05,
            estimator: MeanActivationEstimator::RunningMean { decay: 0.99 },
            clamp: 0.01,
            warm_up_steps: 0,
        }),
        corruption: Corruption::None,
        revive: Revive::None,
        probe_epochs: 0,
        training: TrainingSpec {
            optimizer: OptimizerSpec::Adam {
                beta_1: 0.9,
                beta_2: 0.999,
                epsilon: 1e-8,
            },
            learning_rate: 5e-4,
            schedule: Schedule::Constant,
            warm_up_steps: 0,
            largest_gradient_norm: None,
            batch_size: 100,
            epochs: 10,
            weight_decay: 0.0,
        },
    };
    let condition = &config.plan.conditions[0];
    assert_eq!(condition.model, Model::Autoencoder(expected));
    assert_eq!(condition.name, "mine");
    assert_eq!(config.plan.experiment, ExperimentName::Autoencoder);
    assert_eq!(
        config.plan.run,
        Run {
            backend: BackendName::Flex,
            seeds: vec![0],
            order_seed: 0,
            address: None,
        }
    );
    assert_eq!(
        config.plan.data,
        Data {
            dir: "data/mnist".into(),
            train_images: None,
            test_images: None,
            validation_images: 0,
            ..Data::default()
        }
    );
    is_kept_as("autoencoder.toml", &config.to_toml());
}

#[test]
fn an_almost_empty_classifier_holds_the_defaults_of_the_post() {
    let text = format!(
        "{CLASSIFIER}[conditions.A]\n[conditions.B]\nnetwork.hidden_units = [7]\npretraining.layers = \"all\"\n"
    );
    let config = accepted(&text, &[]);
    let fine_tuning = TrainingSpec {
        optimizer: OptimizerSpec::sgd(0.0),
        learning_rate: 0.1,
        schedule: Schedule::LinearToZero,
        warm_up_steps: 0,
        largest_gradient_norm: None,
        batch_size: 100,
        epochs: 20,
        weight_decay: 0.0,
    };
    let softmax_regression = ClassifierTraining {
        classifier: ClassifierSpec::default(),
        stages: vec![],
        target: Target::Reconstruction,
        transfer: Transfer::Copy,
        training: fine_tuning,
        trained_layers: TrainedLayers::All,
        keep: Keep::Last,
    };
    let stage = AutoencoderTraining {
        autoencoder: AutoencoderSpec {
            hidden_units: 7,
            ..AutoencoderSpec::default()
        },
        sparsity: Sparsity::Kl(KlSparsity {
            weight: 0.1,
            target: 0.05,
            estimator: MeanActivationEstimator::RunningMean { decay: 0.9 },
            clamp: 1e-4,
            warm_up_steps: 0,
        }),
        corruption: Corruption::None,
        revive: Revive::None,
        probe_epochs: 0,
        training: TrainingSpec {
            learning_rate: 1e-3,
            epochs: 3,
            ..TrainingSpec::default()
        },
    };
    let mut deep = softmax_regression.clone();
    deep.classifier.hidden_units = vec![7];
    deep.stages = vec![stage];
    let models: Vec<Model> = config
        .plan
        .conditions
        .iter()
        .map(|c| c.model.clone())
        .collect();
    assert_eq!(models, [softmax_regression, deep].map(Model::Classifier));
    assert_eq!(config.plan.run.seeds, [0, 1, 2, 3, 4]);
    assert_eq!(config.conditions, ["A", "B"]);
    assert_eq!(config.plan.report.layers_of, [1]);
    is_kept_as("classifier.toml", &config.to_toml());
}

#[test]
fn each_word_has_its_meaning_and_its_own_keys() {
    let activation = |text: &str| autoencoder(&[text]).autoencoder.activation;
    let prelu = |initial_slope| Activation::Prelu { initial_slope };
    assert_eq!(activation("autoencoder.activation=prelu"), prelu(0.25));
    assert_eq!(activation("autoencoder.activation={prelu={}}"), prelu(0.25));
    assert_eq!(
        activation("autoencoder.activation.prelu.slope=0.5"),
        prelu(0.5)
    );
    assert_eq!(
        activation("autoencoder.activation={ leaky_relu = { slope = 1 } }"),
        Activation::LeakyRelu { slope: 1.0 }
    );
    assert_eq!(
        activation("autoencoder.activation=identity"),
        Activation::Identity
    );
    let decoder = |text: &str| autoencoder(&[text]).autoencoder.decoder;
    assert_eq!(decoder("autoencoder.decoder=untied"), Decoder::UNTIED);
    assert_eq!(
        decoder("autoencoder.decoder.untied.weight.constant=0.5"),
        Decoder::Untied {
            weight: Some(Initialization::Constant(0.5)),
            unit_norm: false,
            transposed_start: false
        }
    );
    let estimator_of = |sparsity: Sparsity| match sparsity {
        Sparsity::Kl(term) => term.estimator,
        other => panic!("{other:?} has no estimator"),
    };
    let estimator = |text: &str| estimator_of(autoencoder(&[text]).sparsity);
    assert_eq!(
        estimator("sparsity.estimator=batch"),
        MeanActivationEstimator::Batch
    );
    let corruption = |text: &str| autoencoder(&[text]).corruption;
    assert_eq!(
        corruption("autoencoder.corruption=gaussian"),
        Corruption::Gaussian { deviation: 0.3 }
    );
    assert_eq!(
        corruption("autoencoder.corruption={ masking = { fraction = 0.5 } }"),
        Corruption::Masking { fraction: 0.5 }
    );
    assert_eq!(
        autoencoder(&["training.optimizer=sgd"]).training.optimizer,
        OptimizerSpec::sgd(0.0)
    );
    // The decay of a stage is another one by default, and a word alone does not change it.
    let stage = classifier(
        "network.hidden_units = [3]\npretraining.layers = 1\npretraining.sparsity.estimator = \"running_mean\"",
    );
    assert_eq!(
        estimator_of(stage.stages[0].sparsity),
        MeanActivationEstimator::RunningMean { decay: 0.9 }
    );
}

#[test]
fn numbers_ratios_widths_and_seeds_may_be_written_in_several_ways() {
    let variance = |text: &str| {
        let assignment = format!("autoencoder.encoder_weight.normal_variance={text}");
        match autoencoder(&[&assignment]).autoencoder.encoder_weight {
            Initialization::Normal(variance) => variance,
            other => panic!("{text} became {other:?}"),
        }
    };
    for (text, value) in [
        ("0.5", 0.5),
        ("2", 2.0),
        ("1/8", 0.125),
        ("\"1 / 8\"", 0.125),
        ("1/2/4", 0.125),
    ] {
        assert_eq!(variance(text), Variance::Fixed { value }, "{text}");
    }
    for (text, scale) in [
        ("1/fan_in", 1.0),
        ("2/fan_in", 2.0),
        ("1/fan_in/8", 0.125),
        ("1/8/fan_in", 0.125),
    ] {
        assert_eq!(variance(text), Variance::OverFanIn { scale }, "{text}");
    }
    let sum = Variance::OverFanSum { scale: 2.0 };
    assert_eq!(variance("2/fan_sum"), sum);
    let uniform = "autoencoder.encoder_weight.uniform_variance=2/fan_sum";
    assert_eq!(
        autoencoder(&[uniform]).autoencoder.encoder_weight,
        Initialization::Uniform(sum)
    );
    let widths = |text: &str| {
        classifier(&format!("network.hidden_units = {text}"))
            .classifier
            .hidden_units
    };
    assert_eq!(widths("\"15x100\""), [100; 15]);
    assert_eq!(widths("\" 2 × 3 \""), [3, 3]);
    assert_eq!(widths("\"0 x 100\""), [0; 0]);
    assert_eq!(widths("[300, 100, 300]"), [300, 100, 300]);
    let seeds = |text: &str| {
        accepted(AUTOENCODER, &[&format!("run.seeds={text}")])
            .plan
            .run
            .seeds
    };
    assert_eq!(seeds("3..6"), [3, 4, 5]);
    assert_eq!(
        seeds("[9223372036854775807, 0]"),
        [9_223_372_036_854_775_807, 0]
    );
    assert_eq!(seeds("0..9999").len(), 9999);
    let rate = |text: &str| {
        autoencoder(&[&format!("training.learning_rate={text}")])
            .training
            .learning_rate
    };
    assert_eq!(rate("1").to_bits(), 1.0_f64.to_bits());
    let zero = autoencoder(&["sparsity.weight=-0.0"]).sparsity.weight();
    assert_eq!(zero.to_bits(), 0.0_f64.to_bits());
    assert_eq!(
        accepted(AUTOENCODER, &["data.train_images=500"])
            .plan
            .data
            .train_images,
        Some(500)
    );
    let backend = accepted(AUTOENCODER, &["run.backend=wgpu"])
        .plan
        .run
        .backend;
    assert_eq!(backend, BackendName::Wgpu);
}

#[test]
fn a_flag_wins_over_set_and_set_over_the_file() {
    let text = format!(
        "{AUTOENCODER}[run]\nbackend = \"ndarray\"\n[training]\nepochs = 1\nbatch_size = 20\n"
    );
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
    let config = parse(&text, Path::new(FILE), &overrides).expect("all is known");
    let seen = |key: &str| {
        let mut values = config.values.iter();
        let setting = values.find(|setting| setting.key == key).expect(key);
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
        "20 (mine.toml:6; configs/mine.toml:6)"
    );
    assert_eq!(seen("training.schedule"), "\"constant\" (default; default)");
}

#[test]
fn the_nearest_place_that_says_something_decides() {
    let conditions = classifiers(
        r#"
[network]
bias = { constant = 0.5 }
[training]
epochs = 2
[pretraining]
epochs = 5
[pretraining.layer.2]
epochs = 6
sparsity.weight = 0.6
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
sparsity.weight = 0.8
[conditions.Own.pretraining.layer.3]
epochs = 9
"#,
    );
    let [shared, own] = &conditions[..] else {
        panic!("{conditions:?}");
    };
    let epochs = |of: &ClassifierTraining| -> Vec<usize> {
        of.stages
            .iter()
            .map(|stage| stage.training.epochs)
            .collect()
    };
    assert_eq!(epochs(shared), [5, 6, 5]);
    // What a condition says for all its layers is nearer than what is said of one layer for everybody.
    assert_eq!(epochs(own), [7, 7, 9]);
    let weights = |of: &ClassifierTraining| -> Vec<f64> {
        of.stages
            .iter()
            .map(|stage| stage.sparsity.weight())
            .collect()
    };
    assert_eq!(weights(shared), [0.1, 0.6, 0.1]);
    assert_eq!(weights(own), [0.1, 0.8, 0.1]);
    for condition in [shared, own] {
        let sizes: Vec<_> = condition
            .stages
            .iter()
            .map(|stage| stage.training.batch_size)
            .collect();
        assert_eq!(sizes, [100, 60, 100]);
        assert_eq!(condition.training.batch_size, 100);
    }
    assert_eq!((shared.training.epochs, own.training.epochs), (2, 4));
    // An autoencoder's encoder is the layer that it is the pretraining of.
    for stage in &own.stages {
        assert_eq!(stage.autoencoder.activation, Activation::Tanh);
        assert_eq!(
            stage.autoencoder.encoder_bias,
            Initialization::Constant(0.25)
        );
    }
}

#[test]
fn a_choice_is_replaced_by_another_and_merged_with_itself() {
    let conditions = classifiers(
        "[training]\noptimizer = { adam = { beta_1 = 0.8, epsilon = 1e-6 } }\n\
         [conditions.Same]\ntraining.optimizer.adam.beta_1 = 0.7\n\
         [conditions.Word]\ntraining.optimizer = \"adam\"\n\
         [conditions.Other]\ntraining.optimizer.sgd.momentum = 0.5\n\
         [conditions.None]\n",
    );
    let adam = |beta_1| OptimizerSpec::Adam {
        beta_1,
        beta_2: 0.999,
        epsilon: 1e-6,
    };
    let optimizers: Vec<_> = conditions.iter().map(|c| c.training.optimizer).collect();
    let sgd = OptimizerSpec::sgd(0.5);
    assert_eq!(optimizers, [adam(0.7), adam(0.8), sgd, adam(0.8)]);
}

#[test]
fn a_grid_is_crossed_with_the_conditions_and_its_first_key_moves_slowest() {
    let text = format!(
        "{CLASSIFIER}[grid]\n\"network.hidden_units\" = [[], \"2 x 3\"]\n\
         training.optimizer.sgd.momentum = [0, 0.5]\n\
         [conditions.plain]\n[conditions.other]\ntraining.epochs = 3\n"
    );
    let config = accepted(&text, &[]);
    assert_eq!(
        names(&config),
        [
            "plain, hidden units = none, momentum = 0",
            "plain, hidden units = none, momentum = 0.5",
            "plain, hidden units = 2 x 3, momentum = 0",
            "plain, hidden units = 2 x 3, momentum = 0.5",
            "other, hidden units = none, momentum = 0",
            "other, hidden units = none, momentum = 0.5",
            "other, hidden units = 2 x 3, momentum = 0",
            "other, hidden units = 2 x 3, momentum = 0.5",
        ]
    );
    let last = config.plan.conditions.last().expect("eight");
    assert_eq!(last.group.as_deref(), Some("other"));
    let coordinate = |key: &str, value: &str| Coordinate {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    assert_eq!(
        last.at,
        [
            coordinate("network.hidden_units", "\"2 x 3\""),
            coordinate("training.optimizer.sgd.momentum", "0.5"),
        ]
    );
    let Model::Classifier(training) = &last.model else {
        panic!("{last:?}");
    };
    assert_eq!(training.classifier.hidden_units, [3, 3]);
    assert_eq!(training.training.optimizer, OptimizerSpec::sgd(0.5));
    assert_eq!(training.training.epochs, 3);
    is_kept_as("grid.toml", &config.to_toml());

    let figure = accepted(AUTOENCODER, &["grid.sparsity.weight=[0, 0.10, 3.0, 1e-3]"]);
    assert_eq!(names(&figure), ["β = 0", "β = 0.1", "β = 3", "β = 0.001"]);
    assert_eq!(
        figure.plan.grid,
        [GridKey {
            key: "sparsity.weight".to_owned(),
            values: ["0", "0.10", "3.0", "1e-3"].map(str::to_owned).into(),
        }]
    );
    let quoted = accepted(
        AUTOENCODER,
        &["grid.\"sparsity.weight\"=[0, 0.10, 3.0, 1e-3]"],
    );
    assert_eq!(quoted.plan, figure.plan);
}

#[test]
fn a_condition_is_crossed_with_its_own_grid_after_the_one_for_all() {
    let text = format!(
        "{AUTOENCODER}[conditions.few]\nsparsity.target = 0.1\n[conditions.few.grid]\n\
         sparsity.weight = [1, 0.10]\n\
         [conditions.v0.grid]\n\"sparsity.weight\" = [0.1, 3]\n\"sparsity.clamp\" = [0.02]\n\
         [conditions.alone]\n[grid]\ntraining.epochs = [1, 2]\n"
    );
    let config = accepted(&text, &[]);
    let all = [
        "few, epochs = 1, β = 1",
        "few, epochs = 1, β = 0.1",
        "few, epochs = 2, β = 1",
        "few, epochs = 2, β = 0.1",
        "v0, epochs = 1, β = 0.1, clamp = 0.02",
        "v0, epochs = 1, β = 3, clamp = 0.02",
        "v0, epochs = 2, β = 0.1, clamp = 0.02",
        "v0, epochs = 2, β = 3, clamp = 0.02",
        "alone, epochs = 1",
        "alone, epochs = 2",
    ];
    assert_eq!(names(&config), all);
    let keys: Vec<(&str, Vec<&str>)> = config
        .plan
        .grid
        .iter()
        .map(|of| (&*of.key, of.values.iter().map(String::as_str).collect()))
        .collect();
    let expected = [
        ("training.epochs", vec!["1", "2"]),
        ("sparsity.weight", vec!["1", "0.10", "3"]),
        ("sparsity.clamp", vec!["0.02"]),
    ];
    assert_eq!(keys, expected);
    // The same number has the same words in every condition.
    let at = |condition: usize, key: &str| config.plan.conditions[condition].coordinate(key);
    assert_eq!(at(1, "sparsity.weight"), Some("0.10"));
    assert_eq!(at(4, "sparsity.weight"), Some("0.10"));
    assert_eq!(
        [at(1, "sparsity.clamp"), at(9, "sparsity.weight")],
        [None; 2]
    );
    let weights = |condition: usize| {
        let autoencoder = config.plan.conditions[condition].autoencoder();
        autoencoder.map(|of| match of.sparsity {
            Sparsity::Kl(term) => (term.weight, term.clamp),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!(weights(7), Some((3.0, 0.02)));
    assert_eq!(weights(8), Some((0.0, 0.01)));
    is_kept_as("own_grids.toml", &config.to_toml());
    let again = accepted(&config.to_toml(), &[]);
    assert_eq!(
        (&again.plan, again.to_toml()),
        (&config.plan, config.to_toml())
    );

    for assignment in [
        "conditions.few.grid.sparsity.weight=[2]",
        "conditions.few.grid.\"sparsity.weight\"=[2]",
        "conditions.few.grid = { \"sparsity.weight\" = [2] }",
    ] {
        let config = accepted(&text, &[assignment]);
        assert_eq!(
            names(&config)[..2],
            ["few, epochs = 1, β = 2", "few, epochs = 2, β = 2"]
        );
        assert_eq!(accepted(&config.to_toml(), &[]).plan, config.plan);
        let earlier = accepted(&text, &[]);
        assert_eq!(
            config.cannot_continue(&earlier).as_deref(),
            Some("`conditions.few.grid.\"sparsity.weight\"` was [1, 0.10] and is [2]")
        );
    }
    // Kinds of sparsity have keys of their own.
    let kinds = format!(
        "{AUTOENCODER}[conditions.KL.grid]\nsparsity.weight = [0.3]\n\
         [conditions.L1]\nsparsity.kind = \"l1\"\ngrid.sparsity.weight = [0.1, 0.4]\n\
         [conditions.TopK]\nsparsity.kind = \"topk\"\n[conditions.TopK.grid]\nsparsity.k = [8, 16]\n"
    );
    let kinds = accepted(&kinds, &[]);
    let all = [
        "KL, β = 0.3",
        "L1, λ = 0.1",
        "L1, λ = 0.4",
        "TopK, k = 8",
        "TopK, k = 16",
    ];
    assert_eq!(names(&kinds), all);
    assert_eq!(accepted(&kinds.to_toml(), &[]).plan, kinds.plan);
    let added = accepted(&text, &["conditions.alone.grid.sparsity.weight=[0, 1]"]);
    assert_eq!(
        names(&added)[8..10],
        ["alone, epochs = 1, β = 0", "alone, epochs = 1, β = 1"]
    );
}

#[test]
fn values_have_short_names_in_conditions() {
    let named = |key: &str, value: &str| {
        let config = accepted(
            "experiment = \"classifier\"\nnetwork.hidden_units = [3]\npretraining.layers = 1\n",
            &[&format!("grid.{key}={value}")],
        );
        config.plan.conditions[0].name.clone()
    };
    for (key, value, name) in [
        ("pretraining.sparsity.weight", "[0.0]", "β = 0"),
        ("pretraining.sparsity.target", "[0.05]", "ρ = 0.05"),
        ("training.weight_decay", "[1e-4]", "λ = 0.0001"),
        ("training.learning_rate", "[0.1]", "η = 0.1"),
        (
            "network.activation",
            "['leaky_relu']",
            "activation = leaky relu",
        ),
        (
            "network.activation",
            "[{ prelu = { slope = 0.5 } }]",
            "activation = prelu slope 0.5",
        ),
        (
            "network.weight",
            "[{ normal_variance = '1/fan_in' }]",
            "weight = normal variance 1/fan in",
        ),
        ("pretraining.layer.1.epochs", "[2]", "epochs = 2"),
    ] {
        assert_eq!(named(key, value), name);
    }
    for (value, name) in [
        ("[[9, 9, 9]]", "hidden units = 3 x 9"),
        ("[[9, 5]]", "hidden units = 9, 5"),
    ] {
        let config = accepted(CLASSIFIER, &[&format!("grid.network.hidden_units={value}")]);
        assert_eq!(names(&config), [name]);
    }
    let both = accepted(
        "experiment = \"classifier\"\nnetwork.hidden_units = [3]\npretraining.layers = 1\n",
        &["grid.training.epochs=[1]", "grid.pretraining.epochs=[2]"],
    );
    assert_eq!(
        names(&both),
        ["training epochs = 1, pretraining epochs = 2"]
    );
}

#[test]
fn reports_name_conditions_and_groups_of_them() {
    let report = |lines: &str, more: &str| {
        let text = format!("{CLASSIFIER}[report]\n{lines}\n{more}{THREE_CONDITIONS}");
        let report = accepted(&text, &[]).plan.report;
        (report.differences, report.layers_of)
    };
    assert_eq!(report("", ""), (vec![], vec![1, 2]));
    assert_eq!(
        report(
            "differences = [\"C 1/fan_in - A\", \"A  -  C 1/fan_in\"]\nlayers_of = [\"C 1/fan_in\", \"B\"]",
            ""
        ),
        (vec![(2, 0), (0, 2)], vec![2, 1])
    );
    assert_eq!(
        report("differences = []\nlayers_of = []", ""),
        (vec![], vec![])
    );
    // Of groups, at the same points of the grid.
    assert_eq!(
        report(
            "differences = [\"B - A\"]\nlayers_of = [\"B\"]",
            "[grid]\ntraining.epochs = [1, 2]\n"
        ),
        (vec![(2, 0), (3, 1)], vec![2, 3])
    );
}

#[test]
fn promises_are_read_and_kept() {
    let text = r#"experiment = "autoencoder"
[grid]
"sparsity.weight" = [0, 0.1]
[[expect]]
that = "test error"
at = { "sparsity.weight" = 0.10 }
within = [4.14, 4.23]
seeds = "0..5"
source = "us"
[[expect]]
that = "test error"
at.sparsity.weight = 0.1
minus = { "sparsity.weight" = 0.0 }
value = 2
tolerance = 0.1
epoch = 3
over = "median"
source = "us"
[[expect]]
that = "regime"
is = "any which way"
published = "noise, \"any which way\""
source = "them"
[[expect]]
that = "dead units"
within = [0, 1]
published = 3
source = "them"
"#;
    let config = accepted(text, &[]);
    let expectations = &config.plan.expectations;
    assert_eq!(expectations.len(), 4);
    assert_eq!(expectations[0].published, None);
    let words = Published::Words("noise, \"any which way\"".to_owned());
    assert_eq!(expectations[2].published, Some(words));
    assert_eq!(expectations[3].published, Some(Published::Number(3.0)));
    let at = |value: &str| Coordinate {
        key: "sparsity.weight".to_owned(),
        value: value.to_owned(),
    };
    assert_eq!(expectations[0].at, [at("0.1")]);
    assert_eq!(
        expectations[0].promise,
        Promise::Within {
            low: 4.14,
            high: 4.23
        }
    );
    assert_eq!(expectations[0].seeds.as_deref(), Some(&[0, 1, 2, 3, 4][..]));
    assert_eq!(expectations[1].minus.as_deref(), Some(&[at("0")][..]));
    assert_eq!(
        expectations[1].promise,
        Promise::Near {
            value: 2.0,
            tolerance: 0.1
        }
    );
    assert_eq!(expectations[1].epoch, Some(3));
    assert_eq!(
        expectations[2].promise,
        Promise::Is {
            word: "any which way".to_owned()
        }
    );
    assert_eq!(expectations[2].seeds, None);
    let again = accepted(&config.to_toml(), &[]);
    assert_eq!(again.plan, config.plan);
    // A grid that --set changed takes promises with it; another grid would be a mistake.
    let fewer = accepted(text, &["grid.sparsity.weight=[0]"]);
    assert_eq!(fewer.plan.expectations.len(), 2);
    assert_eq!(accepted(&fewer.to_toml(), &[]).plan, fewer.plan);
}

#[test]
fn promises_may_be_about_a_condition_at_a_point_of_its_own_grid() {
    let promise = |at: &str| {
        format!(
            "[[expect]]\nthat = \"test error\"\nat = {{ {at} }}\nwithin = [0, 1]\nsource = \"us\"\n"
        )
    };
    let head = format!(
        "{AUTOENCODER}[conditions.A.grid]\nsparsity.weight = [1, 0.10]\n\
         [conditions.B.grid]\nsparsity.weight = [0.1]\nsparsity.target = [0.3]\n"
    );
    let text = format!(
        "{head}{}{}",
        promise("\"sparsity.weight\" = 1e-1, condition = \"B\""),
        promise("\"sparsity.weight\" = 1")
    );
    let places = |config: &Config| -> Vec<Vec<(String, String)>> {
        let expectations = config.plan.expectations.iter();
        let place = |of: &Coordinate| (of.key.clone(), of.value.clone());
        expectations
            .map(|of| of.at.iter().map(place).collect())
            .collect()
    };
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let weight = |value| pair("sparsity.weight", value);
    let config = accepted(&text, &[]);
    assert_eq!(
        places(&config),
        [
            vec![weight("0.10"), pair("condition", "\"B\"")],
            vec![weight("1")]
        ]
    );
    assert_eq!(accepted(&config.to_toml(), &[]).plan, config.plan);
    let fewer = accepted(&text, &["conditions.B.grid.sparsity.weight=[7]"]);
    assert_eq!(places(&fewer), [vec![weight("1")]]);
    is_kept_as(
        "promises_of_own_grids",
        &told(
            &head,
            &[
                &promise("condition = \"A\", \"sparsity.target\" = 0.3"),
                &promise("condition = \"B\", \"sparsity.weight\" = 1"),
                &promise("\"sparsity.weight\" = 5"),
                &promise("\"sparsity.clamp\" = 5"),
            ],
        ),
    );
}

#[test]
fn names_that_nobody_knows_are_answered_with_the_nearest() {
    is_kept_as(
        "unknown_names",
        &(told(
            AUTOENCODER,
            &[
                "[training]\nlerning_rate = 1",
                "[training]\nxy = 1",
                "[training]\ntarget = 1",
                "[training]\n\"sparsity.target\" = 1",
                "epochs = 3",
                "xy = 3",
                "experimant = 3",
                "[trainning]",
                "[optimizer]\nbeta_1 = 0.5",
                "[colours]\nred = 1",
                "training = 3",
                "conditions = 3",
                "grid = 3",
                "[training.optimizer.adam]\nbeta = 0.5",
                "[training.optimizer.adam]\nmomentum = 0.5",
                "autoencoder.activation.relu.slope = 0.1",
                "autoencoder.activation.relu = 3",
                "pretraining = { sparsity = 0.1 }",
                "--set lr=0.3",
                "--set training.lr=0.3",
                "--set beta=0.3",
                "--set Lambda=0.3",
                "--set training.units=0.3",
                "--set training.epoch=3",
                "--set experiment.x=3",
            ],
        )),
    );
    let keys_there_are = keys::OTHER_NAMES.iter().flat_map(|(_, keys)| *keys);
    for key in keys_there_are {
        assert!(keys::all().iter().any(|known| known == key), "{key}");
    }
}

#[test]
fn keys_that_moved_say_where() {
    is_kept_as(
        "moved_keys",
        &(told(
            "",
            &[
                "experiment = \"figure56\"",
                "experiment = \"dead_units\"",
                "experiment = \"pretraining\"",
                "experiment = \"autoencoder\"\n[sparsity]\nweights = [0, 1]",
                "experiment = \"autoencoder\"\n[sparsity]\ndecay = 0.9",
                "experiment = \"autoencoder\"\n[training]\nmomentum = 0.9",
                "experiment = \"autoencoder\"\n[autoencoder]\nslope = 0.1",
                "experiment = \"autoencoder\"\n[autoencoder]\ndecoder_weight = { constant = 1 }",
                "experiment = \"autoencoder\"\n[conditions.D]\nautoencoder.corruption_fraction = 0.9",
                "experiment = \"classifier\"\n[pretraining]\nsparsity_weight = 0.1",
                "experiment = \"classifier\"\n[conditions.D.pretraining.layer.2]\nbeta_2 = 0.1",
            ],
        )),
    );
}

#[test]
fn what_is_not_toml_is_told_with_its_line() {
    is_kept_as(
        "not_toml",
        &(told(
            AUTOENCODER,
            &[
                "[training]\noptimizer = adam",
                "[training\nepochs = 1",
                "[run]\nseeds = [\n\n",
                "[training]\nepochs = 1\nepochs = 2",
                "[training]\n[training]",
            ],
        )),
    );
    assert_eq!(
        parsed("# nothing\n", &[]).unwrap_err().to_string(),
        "configs/mine.toml: `experiment` is missing\n  hint: begin the file with `experiment = \"autoencoder\"`, `\"classifier\"` or `\"deep_autoencoder\"`"
    );
}

#[test]
fn transforms_and_patches_are_words_or_tables_and_are_written_down_whole() {
    let text = format!(
        "{AUTOENCODER}[data]\nsource = {{ patches = {{ side = 8, seed = 3 }} }}\ntransforms = [\"remove_row_mean\", \"squash\", \
         {{ standardise = {{ over = \"all\" }} }}, {{ whiten = {{ components = 5, method = \"pca\" }} }}, {{ scale = {{ factor = -1, offset = 1 }} }}]"
    );
    let config = accepted(&text, &[]);
    let data = &config.plan.data;
    let patches = Patches {
        side: 8,
        seed: 3,
        ..Patches::default()
    };
    assert_eq!(data.source, Source::Patches(patches));
    let expected = [
        Transform::RemoveRowMean,
        Transform::Squash {
            deviations: 3.0,
            low: 0.1,
            high: 0.9,
        },
        Transform::Standardise {
            over: Standardised::All,
        },
        Transform::Whiten {
            method: Whitening::Pca,
            epsilon: 1e-5,
            components: Some(5),
        },
        Transform::Scale {
            factor: -1.0,
            offset: 1.0,
        },
    ];
    assert_eq!(data.transforms, expected);
    assert_eq!(accepted(&config.to_toml(), &[]).plan, config.plan);
    let set = accepted(AUTOENCODER, &["data.transforms=[\"unit_length\"]"]);
    assert_eq!(set.plan.data.transforms, [Transform::UnitLength]);
    is_kept_as(
        "transforms",
        &told(
            AUTOENCODER,
            &[
                "[data]\ntransforms = \"squash\"",
                "[data]\ntransforms = [\"blur\"]",
                "[data]\ntransforms = [\"unit_length\", { whiten = { method = \"ica\" } }]",
                "[data]\ntransforms = [{ whiten = { eps = 1 } }]",
                "[data]\ntransforms = [{ whiten = { components = 0 } }]",
                "[data]\ntransforms = [{ scale = { factor = 0 } }]",
                "[data]\ntransforms = [{ squash = { deviations = 0 } }]",
                "[data]\nsource = { patches = { side = 1 } }",
                "[data]\nsource = { patches = { whitening = \"zca\" } }",
            ],
        ),
    );
}

#[test]
fn values_of_the_wrong_form_are_told_what_is_right() {
    is_kept_as(
        "wrong_forms",
        &(told(
            AUTOENCODER,
            &[
                "[training]\nepochs = 10.0",
                "[training]\nlearning_rate = \"fast\"",
                "--set experiment=56",
                "[run]\nseeds = 3",
                "[run]\nseeds = \"3, 4\"",
                "[run]\nseeds = \"some\"",
                "[run]\nseeds = [0, true]",
                "[data]\ndir = 1979-05-27",
                "[data]\ndir = \"\"",
                "[data]\ntrain_images = \"some\"",
                "[training]\noptimizer = \"Adma\"",
                "[training]\noptimizer = { Adma = {} }",
                "[training]\noptimizer = 3",
                "[training]\noptimizer = {}",
                "[training]\noptimizer = { adam = {}, sgd = {} }",
                "[training]\noptimizer = { sgd = 0.9 }",
                "[sparsity]\nkind = {}",
                "[run]\nbackend = \"pen and paper\"",
                "[autoencoder]\nactivation = \"ramp\"",
                "[training]\nlearning_rate = \"0,001\"",
                "[training]\nepochs = \"1,000\"",
                "[autoencoder]\nencoder_bias = { uniform = 1 }",
                "[autoencoder]\nencoder_bias = 0.5",
                "[autoencoder]\nencoder_bias = \"constant\"",
                "[autoencoder]\nencoder_bias = { constant = 1, normal_variance = 1 }",
                "[autoencoder]\nencoder_bias = { orthogonal = 1 }",
                "[autoencoder]\nencoder_bias = { uniform_variance = \"2/fan_sum\" }",
                "[autoencoder]\ndecoder_bias = { normal_variance = \"2/fan_sum\" }",
                "[autoencoder]\nencoder_weight = { uniform_variance = \"2/fan_sum/fan_in\" }",
                "[autoencoder]\nencoder_weight = { normal_variance = \"1/0\" }",
                "[autoencoder]\nencoder_weight = { normal_variance = \"one/784\" }",
                "[autoencoder]\nencoder_weight = { normal_variance = \"1/inf\" }",
                "--set training.epochs=ten",
                "--set training.epochs.x=3",
                "--set sparsity.target={ x = 3 }",
            ],
        )),
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
        let line = format!("autoencoder.encoder_weight.normal_variance=\"{ratio}\"");
        let error = parsed(AUTOENCODER, &[&line]).expect_err(ratio).to_string();
        assert!(error.contains("which is not a ratio"), "{error}");
    }
    for widths in [
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
        let line = format!("network.hidden_units={widths}");
        let error = parsed(CLASSIFIER, &[&line]).expect_err(widths).to_string();
        assert!(error.contains("which is not a list of widths"), "{error}");
    }
}

#[test]
fn numbers_out_of_range_are_told_the_range() {
    is_kept_as(
        "out_of_range",
        &(told(
            AUTOENCODER,
            &[
                "[training]\nepochs = -1",
                "[autoencoder]\nhidden_units = 99999999999999999999",
                "[sparsity]\ntarget = 1",
                "[sparsity]\nclamp = 1e-8",
                "[training]\noptimizer.adam.epsilon = 1e-60",
                "[training]\nlearning_rate = 99999999999999999999",
                "[sparsity]\nestimator.running_mean.decay = 0.999999999999",
                "[autoencoder]\ncorruption.masking.fraction = 1",
                "[autoencoder]\nencoder_weight.orthogonal = 0",
                "[run]\nseeds = []",
                "[run]\nseeds = [1, 1]",
                "[run]\nseeds = \"5..5\"",
                "[run]\nseeds = \"0..10001\"",
            ],
        )),
    );
    for number in [
        "nan", "-nan", "inf", "-inf", "1e400", "0", "-0.0", "1e-40", "101",
    ] {
        let error = parsed(AUTOENCODER, &[&format!("training.learning_rate={number}")]);
        let error = error.expect_err(number).to_string();
        assert!(
            error.contains(&format!(" is {number}, which is out of range")),
            "{error}"
        );
    }
    for widths in [
        "\"1001 x 1\"",
        "\"2 x 0\"",
        "\"2 x 1000001\"",
        "\"18446744073709551615 x 1\"",
    ] {
        let error = parsed(CLASSIFIER, &[&format!("network.hidden_units={widths}")]);
        let error = error.expect_err(widths).to_string();
        let hint = "out of range\n  hint: it must be at most 1000 layers of 1 to 1000000 units";
        assert!(error.ends_with(hint), "{error}");
    }
    let many = format!("network.hidden_units=[{}1]", "1, ".repeat(1000));
    let error = parsed(CLASSIFIER, &[&many])
        .expect_err("too many")
        .to_string();
    assert!(
        error.ends_with("holds 1001 values\n  hint: it may hold 1000 at most"),
        "{error}"
    );
}

#[test]
fn keys_that_disagree_are_told_where_somebody_chose_one() {
    is_kept_as(
        "rules",
        &(told(
            AUTOENCODER,
            &[
                "[autoencoder]\nreconstruction = \"cross_entropy\"",
                "[sparsity]\ntarget = 0.001",
                "--set sparsity.clamp=0.2",
                "[training.optimizer.adam]\nbeta_2 = 0.5",
                "[training]\noptimizer = { sgd = { momentum = 0.5, momentum_epochs = 3 } }",
                "[training]\nweight_decay = 20\nlearning_rate = 0.1\noptimizer = \"sgd\"",
                "grid.training.weight_decay = [0, 21]\ntraining.learning_rate = 0.1\ntraining.optimizer = \"sgd\"",
            ],
        ) + &told(
            "experiment = \"classifier\"\n[conditions.D]\nnetwork.hidden_units = [3, 3]\npretraining.layers = \"all\"\n",
            &[
                "pretraining.reconstruction = \"cross_entropy\"\npretraining.decoder_activation = \"sigmoid\"",
                "pretraining.reconstruction = \"cross_entropy\"",
                "pretraining.sparsity.target = 1e-5",
                "pretraining.layer.2.sparsity.target = 1e-5",
                "[conditions.E]\npretraining.layers = 1",
                "[conditions.E]\npretraining.layers = \"all\"",
                "[conditions.E]\npretraining.layers = 3\nnetwork.hidden_units = [5, 6]",
                "pretraining.target = \"classes\"\npretraining.reconstruction = \"squared_error\"",
                "pretraining.target = \"classes\"\npretraining.layer.2.sparsity.weight = 1",
                "training.keep = \"best\"",
                "training.keep.best.patience = 0",
                "training.patience = 3",
            ],
        ) + &told(
            CLASSIFIER,
            &[
                "[data]\npretraining_classes = [5]",
                "[data]\nclasses = []",
                "[data]\nclasses = [0, 255]",
            ],
        )),
    );
    // The first layer learns images, whose pixels are in [0, 1] whatever the units.
    let squared = classifier(
        "[conditions.D]\nnetwork.hidden_units = [3, 3]\npretraining.layers = \"all\"\n\
         pretraining.reconstruction = \"cross_entropy\"\npretraining.decoder_activation = \"sigmoid\"\n\
         pretraining.layer.2.reconstruction = \"squared_error\"",
    );
    let of_stages: Vec<_> = squared
        .stages
        .iter()
        .map(|stage| stage.autoencoder.reconstruction)
        .collect();
    assert_eq!(
        of_stages,
        [Reconstruction::CrossEntropy, Reconstruction::SquaredError]
    );
}

#[test]
fn keys_that_would_do_nothing_are_told_why() {
    let head = format!("{CLASSIFIER}{THREE_CONDITIONS}");
    is_kept_as(
        "unused",
        &(told(
            AUTOENCODER,
            &[
                "[network]\nhidden_units = [3]",
                "[data]\nvalidation_images = 5",
                "[training]\ntrained_layers = \"output\"",
                "[report]\nlayers_of = []",
                "[conditions.D]\npretraining.layers = 3",
                "[training]\nepochs = 3\n[conditions.D]\ntraining.epochs = 4",
                "[grid]\ntraining.epochs = [3]\n[training]\nepochs = 3",
                "[grid]\ntraining.epochs = [3]\n[conditions.D]\ntraining.epochs = 4",
                "[conditions.D]\ntraining.epochs = 4\ngrid.training.epochs = [3]",
                "[training]\nepochs = 4\n[conditions.D.grid]\ntraining.epochs = [3]",
                "[conditions.D.grid]\nsparsity.target = [0.1]\n[conditions.E]\nsparsity.target = 0.1\n[sparsity]\ntarget = 0.1",
            ],
        ) + &told(
            "experiment = \"autoencoder\"\n[grid]\nsparsity.weight = [0, 3]\n",
            &["--set sparsity.weight=0.3"],
        ) + &told(
            "experiment = \"autoencoder\"\n[conditions.D.grid]\nsparsity.weight = [0, 3]\n",
            &["--set conditions.D.sparsity.weight=0.3"],
        ) + &told(
            CLASSIFIER,
            &[
                "[pretraining]\nepochs = 3\n[conditions.D]\nnetwork.hidden_units = [3]",
                "[conditions.D]\nnetwork.hidden_units = [3]\n\
                 pretraining = { layers = 1, epochs = 3, layer.1.epochs = 4 }",
                "[training]\noptimizer.sgd.momentum = 0.5\n[conditions.D]\ntraining.optimizer = \"adam\"",
            ],
        ) + &told(
            &head,
            &[
                "[autoencoder]\nhidden_units = 3",
                "[pretraining.layer.7]\nepochs = 3",
                "[pretraining.layer.3]\nepochs = 3\n[conditions.\"C 1/fan_in\".pretraining.layer.3]\nepochs = 4",
                "[conditions.B.pretraining.layer.2]\nepochs = 5",
                "[conditions.A.pretraining]\nepochs = 5",
                "[conditions.\"C 1/fan_in\".pretraining.layer.4]\nepochs = 3",
            ],
        )),
    );
    // What is said for all has its use if one condition has none of its own.
    let conditions = classifiers(
        "[training.optimizer.sgd]\nmomentum = 0.5\n[conditions.D]\ntraining.optimizer = \"adam\"\n[conditions.E]\n",
    );
    assert_eq!(conditions[1].training.optimizer, OptimizerSpec::sgd(0.5));
}

#[test]
fn what_conditions_and_layers_cannot_hold_is_told() {
    let head = format!("{CLASSIFIER}{THREE_CONDITIONS}");
    is_kept_as(
        "conditions",
        &(told(
            "experiment = \"classifier\"\n[conditions.D]\n",
            &[
                "run.seeds = [1]",
                "seeds = [1]",
                "experiment = \"autoencoder\"",
                "report.layers_of = []",
                "epochs = 3",
                "\"training.epochs\" = 3",
                "trainning.epoch = 3",
                "colour.red = 3",
                "training = 3",
                "pretraining.hidden_units = [3]",
                "pretraining.encoder_bias = { constant = 3 }",
                "pretraining.layer.1.activation = \"tanh\"",
                "pretraining.layer.2.lr = 3",
                "[conditions]\n\"D 2\" = 3",
                "[condition.D]\ntraining.epochs = 3",
                "[pretraining.layer]\nepochs = 3",
                "[pretraining.layer]\n3 = 5",
                "[pretraining.layer.01]\nepochs = 3",
                "[pretraining]\nlayer = 3",
                "[pretraining.layer.2]\ntransfer = \"copy\"",
                "[conditions.\"a\\u001b[31m\"]",
                "[conditions.\" a\"]",
                "[conditions.\"A - B\"]",
                "[conditions.\"\"]",
                "[conditions.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx]",
            ],
        ) + &told(
            &head,
            &[
                "--set conditions.D.training.epochs=3",
                "--set conditions.b.training.epochs=3",
                "--set conditions.B.training.epoch=3",
                "--set conditions.B.run.seeds=[1]",
                "--set conditions.B=3",
                "--set conditions.B.training=3",
                "--set pretraining.layer.x.epochs=3",
                "--set pretraining.layer.2=3",
                "--set pretraining.layer.2.transfer=copy",
                "--set training.epochs",
                "--set =3",
                "--set training..epochs=3",
                "--set training=3",
            ],
        )),
    );
    // Dots and equals signs of a name are none of the path.
    for name in ["k=3, (2+1)-β_", "v0.1", "../a", "a\"b"] {
        let text = format!("{CLASSIFIER}[conditions.{}]\n", toml_key(name));
        let config = accepted(&text, &[&format!("conditions.{name}.training.epochs=4")]);
        assert_eq!(names(&config), [name]);
        assert_eq!(config.plan.conditions[0].training().epochs, 4);
        assert_eq!(accepted(&config.to_toml(), &[]).plan, config.plan);
    }
}

#[test]
fn grids_reports_and_promises_that_cannot_be_are_told() {
    let head = format!("{CLASSIFIER}[grid]\ntraining.epochs = [1, 2]\n{THREE_CONDITIONS}");
    is_kept_as(
        "grids_and_promises",
        &(told(
            AUTOENCODER,
            &[
                "[report]\nat_active_units = [16, 0]",
                "[report]\nat_active_units = [16, 32, 16]",
                "[grid]\nsparsity.wieght = [0]",
                "[grid]\nrun.seeds = [[0], [1]]",
                "[grid]\nbeta = [0]",
                "[grid]\nconditions.D.training.epochs = [3]",
                "[grid]\nsparsity.weight = 0.3",
                "[grid]\nautoencoder.activation = \"relu\"",
                "--set grid.sparsity.weight=0.1,0.3",
                "[grid]\nsparsity.weight = []",
                "[grid]\nsparsity.weight = [0.0, -0.1]",
                "[grid]\nsparsity.weight = [0.1, 3, 1e-1]",
                "[grid]\nsparsity.weight = [0, \"many\"]",
                "[grid]\nnetwork.hidden_units = [[3]]",
                "[grid]\nsparsity.target = [0.05, 0.001]",
                "[grid]\n\"training.optimizer.sgd.momentum\" = [0, 0.5]\n\"training.optimizer\" = [\"sgd\", \"adam\"]",
                "[conditions.D]\ngrid = 3",
                "[conditions.D.grid]\nsparsity.wieght = [0]",
                "[conditions.D.grid]\nrun.seeds = [[0], [1]]",
                "[conditions.D.grid]\ngrid.sparsity.weight = [0]",
                "[conditions.D.grid]\nsparsity.weight = 0.3",
                "[conditions.D.grid]\nsparsity.weight = []",
                "[conditions.D.grid]\nsparsity.weight = [0.0, -0.1]",
                "[conditions.D.grid]\nsparsity.target = [0.05, 0.001]",
                "[grid]\nsparsity.weight = [0]\n[conditions.D.grid]\nsparsity.weight = [1]",
                "[conditions.D.grid]\nsparsity.k = [8]",
                "[conditions.D.grid]\nsparsity.weight = [0]\n\"sparsity.weight\" = [1]",
                "[grid]\ntraining.optimizer = [\"sgd\"]\n[conditions.D.grid]\n\"training.optimizer.sgd.momentum\" = [0, 0.5]",
                "expect = 3",
            ],
        ) + &told(
            &head,
            &[
                "[report]\ndifferences = [\"B - A\", \"C 1/fan_on - A\"]",
                "[report]\nlayers_of = [\"b\"]",
                "[report]\ndifferences = [\"A-B\"]",
                "[report]\ndifferences = [\"B - A\", \"B  - A\"]",
                "[report]\nlayers_of = [\"B\", \"A\"]",
                "[report]\nlayers_of = \"B\"",
                "[report]\nlayers_of = [1]",
                "[report]\nat_active_units = [16]",
                "[report]\ndifferences = [\"A - B\"]\n[conditions.B.grid]\ntraining.batch_size = [10]",
                "[expect]\nthat = \"x\"",
                "[[expect]]\nthat = \"x\"\nis = \"y\"",
                "[[expect]]\nthat = \"x\"\nis = \"y\"\nwithin = [0, 1]\nsource = \"us\"",
                "[[expect]]\nthat = \"x\"\nwithin = 3\nsource = \"us\"",
                "[[expect]]\nthat = \"x\"\nwithin = [1, 3]\npublished = [2]\nsource = \"us\"",
                "[[expect]]\nthat = \"x\"\nwithin = [3, 1]\nsource = \"us\"",
                "[[expect]]\nthat = \"x\"\nwithin = [3]\nsource = \"us\"",
                "[[expect]]\nthat = \"x\"\nwithin = [nan, 1]\nsource = \"us\"",
                "[[expect]]\nthat = \"x\"\nvalue = inf\nsource = \"us\"",
                "[[expect]]\nthat = \"x\"\nvalue = 1\ntolerance = -0.5\nsource = \"us\"",
                "[[expect]]\nthat = \"x\"\nvalue = 1\ntolerance = nan\nsource = \"us\"",
                "[[expect]]\nthat = \"x\"\ntolerance = 1\nsource = \"us\"",
                "[[expect]]\nthat = \"x\"\nwithing = [3, 1]\nsource = \"us\"",
                "[[expect]]\nthat = \"x\"\nis = \"y\"\nsource = \"us\"\nat = { condition = \"c\" }",
                "[[expect]]\nthat = \"x\"\nis = \"y\"\nsource = \"us\"\nat = { conditoin = \"B\" }",
                "[[expect]]\nthat = \"x\"\nis = \"y\"\nsource = \"us\"\nat = { training.epochs = 3 }",
            ],
        )),
    );
}

#[test]
fn a_grid_is_no_larger_than_a_run_can_be() {
    let values: Vec<String> = (1..=100).map(|value| value.to_string()).collect();
    let sets = ["weight_decay", "learning_rate", "epochs", "batch_size"]
        .map(|key| format!("grid.training.{key}=[{}]", values.join(",")));
    let error = parsed(AUTOENCODER, &sets.each_ref().map(String::as_str)).unwrap_err();
    let says = "the grid makes 100000000 conditions\n  hint: a run may have 10000 at most";
    assert!(error.to_string().ends_with(says), "{error}");
}

#[test]
fn files_that_cannot_be_read_are_told() {
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
    std::fs::write(folder.join("good.toml"), AUTOENCODER).unwrap();
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
    let word = r#"[training]
optimizer = "\u001b[31mred\u202e""#;
    let error = parsed(&format!("{AUTOENCODER}{word}\n"), &[])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(r#"is "\u{1b}[31mred\u{202e}", which is not a known word"#),
        "{error}"
    );
    let long = "x".repeat(100_000);
    let shown = parsed(&format!("{AUTOENCODER}[training]\n{long} = 1\n"), &[])
        .unwrap_err()
        .to_string();
    assert!(shown.len() < 500 && shown.contains('…'), "{shown}");
    let hostile = "\u{1b}]0;\u{7}\u{9b}\u{202e}\r\n";
    let path = format!("{hostile}.toml");
    for text in [
        "",
        "x = \"\u{1b}\"",
        "[\"\\u001b\"]",
        "\"\\u001b\" = 1",
        "[run]\n\"\\u009b\" = 1",
    ] {
        let error = parse(text, Path::new(&path), &Overrides::default())
            .unwrap_err()
            .to_string();
        assert!(
            !error.replace('\n', "").contains(char::is_control),
            "{error:?}"
        );
    }
    let error = parsed(AUTOENCODER, &[&format!("run.backend={hostile}x")])
        .unwrap_err()
        .to_string();
    assert!(
        !error.replace('\n', "").contains(char::is_control),
        "{error:?}"
    );
}

#[test]
fn every_config_that_is_shipped_holds_and_so_does_what_it_resolves_to() {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let mut count = 0;
    for (folder, above) in [("", "./"), ("museum", "../"), ("museum/short", "../../")] {
        for entry in std::fs::read_dir(shipped.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let schema = format!("#:schema {above}layerwise.schema.json\n");
            assert!(text.starts_with(&schema), "{path:?}");
            let config =
                load(&path, &Overrides::default()).unwrap_or_else(|error| panic!("{error}"));
            let resolved = config.to_toml();
            let again = parse(&resolved, &path, &Overrides::default())
                .unwrap_or_else(|error| panic!("{resolved}\n{error}"));
            assert_eq!(again.plan, config.plan, "{resolved}");
            assert_eq!(again.conditions, config.conditions);
            assert_eq!(again.to_toml(), resolved);
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

/// `LAYERWISE_BLESS=1` writes it anew.
#[test]
fn the_schema_beside_the_shipped_configs_is_that_of_the_declarations() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs/layerwise.schema.json");
    let schema = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("LAYERWISE_BLESS").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), schema);
}

/// Assignments to put over a config, most of which go together.
const CHOICES: &[&str] = &[
    "run.seeds=[7]",
    "run.seeds=0..9",
    "run.order_seed=0x1F",
    "run.backend=metal",
    "data.dir=/a b/it's \"here\"",
    "data.dir=C:\\data\\ü",
    "data.dir='''it's'''",
    "data.train_images=500",
    "autoencoder.hidden_units=1_000",
    "autoencoder.activation=prelu",
    "autoencoder.activation=leaky_relu",
    "autoencoder.activation.leaky_relu.slope=-1e-3",
    "autoencoder.decoder=untied",
    "autoencoder.decoder=tied",
    "autoencoder.decoder.untied.weight.constant=0.5",
    "autoencoder.decoder_activation=sigmoid",
    "autoencoder.reconstruction=cross_entropy",
    "autoencoder.encoder_weight.normal_variance=1/fan_in/10",
    "autoencoder.encoder_weight={constant=1}",
    "autoencoder.encoder_weight.orthogonal=1.5",
    "autoencoder.encoder_weight.uniform_variance=32/fan_sum",
    "autoencoder.encoder_bias.uniform_variance=1/fan_in/3",
    "autoencoder.decoder_bias.uniform_variance=0.5",
    "autoencoder.activation=softsign",
    "autoencoder.encoder_bias.normal_variance=\" 2 /\t3\"",
    "autoencoder.corruption=masking",
    "autoencoder.corruption.gaussian.deviation=0.5",
    "sparsity.weight=3",
    "sparsity.estimator=batch",
    "sparsity.estimator.running_mean.decay=0.5",
    "sparsity.kind=none",
    "sparsity.kind=kl",
    "sparsity.kind=l1",
    "sparsity.kind=topk",
    "sparsity.k=5",
    "sparsity.decoder_norms=false",
    "sparsity={kind=\"topk\", k=3}",
    "sparsity={kind=\"batch_topk\", k=3}",
    "sparsity={kind=\"jump_relu\", weight=0.1}",
    "autoencoder.decoder.untied.unit_norm=true",
    "autoencoder.decoder_bias=data_mean",
    "autoencoder.subtract_decoder_bias=true",
    "autoencoder.revive=resample",
    "autoencoder.revive.aux_k.k=8",
    "training.schedule=cosine",
    "training.warm_up_steps=5",
    "training.largest_gradient_norm=0.5",
    "training.optimizer=sgd",
    "training.optimizer=adam",
    "training.optimizer=lbfgs",
    "training.optimizer.lbfgs.iterations=3",
    "training.batch_size=30",
    "training.optimizer.sgd.momentum=0.5",
    "training.optimizer.sgd.final_momentum=0.75",
    "training.optimizer.sgd.momentum_epochs=3",
    "training.schedule=exponential",
    "training.schedule.exponential.factor=0.5",
    "training.schedule.inverse.epochs=3",
    "training.optimizer.adam.epsilon=1e-12",
    "training.learning_rate=3.3333333333333335e-4",
    "training.schedule=linear_to_zero",
    "training.epochs=2",
    "training.weight_decay=1e-4",
    "training.trained_layers=output",
    "training.trained_layers.output_first.epochs=1",
    "network.activation=leaky_relu",
    "network.activation=sigmoid",
    "network.activation.prelu.slope=0.125",
    "network.weight.orthogonal=1",
    "network.output_weight.constant=0",
    "network.bias.constant=-1",
    "network.hidden_units=4 x 2",
    "network.hidden_units=[3, 1, 2]",
    "pretraining.layers=all",
    "pretraining.layers=2",
    "pretraining.layers=none",
    "pretraining.transfer=shuffled_weights",
    "pretraining.decoder=untied",
    "pretraining.decoder.untied.weight.constant=0.5",
    "pretraining.decoder_activation=sigmoid",
    "pretraining.reconstruction=cross_entropy",
    "pretraining.corruption=gaussian",
    "pretraining.sparsity.weight=0",
    "pretraining.sparsity.estimator=batch",
    "pretraining.sparsity.kind=l1",
    "pretraining.sparsity={kind=\"topk\", k=1}",
    "pretraining.sparsity.warm_up_steps=3",
    "pretraining.optimizer=sgd",
    "pretraining.optimizer=lbfgs",
    "pretraining.batch_size=30",
    "pretraining.optimizer.sgd.momentum=0.5",
    "pretraining.epochs=2",
    "grid.training.epochs=[1, 2]",
    "grid.training.optimizer=[\"adam\", \"sgd\", \"lbfgs\"]",
    "grid.training.optimizer.sgd.momentum=[0, 0.5]",
    "grid.training.optimizer.adam.beta_1=[0.5, 0.25]",
    "grid.sparsity.weight=[0, 1e-3]",
    "grid.sparsity.kind=[\"topk\", \"jump_relu\", \"none\"]",
    "grid.sparsity.k=[1, 2]",
    "grid.network.hidden_units=[[3], \"2 x 2\"]",
    "grid.autoencoder.encoder_bias=[{ constant = 0 }, { normal_variance = \"1/fan_in\" }]",
    "grid.pretraining.layer.1.epochs=[2, 3]",
    "grid.pretraining.epochs=[4]",
];

const PLACES: [&str; 7] = [
    "",
    "",
    "",
    "conditions.B.",
    "conditions.v0.1.",
    "pretraining.layer.1.",
    "conditions.B.pretraining.layer.2.",
];

/// Each assignment that the config takes, together with those before it.
fn with_as_many_as_go(text: &str, chosen: &[(usize, usize)]) -> Config {
    let mut assignments: Vec<String> = Vec::new();
    let all = |assignments: &[String]| {
        let assignments: Vec<&str> = assignments.iter().map(String::as_str).collect();
        parsed(text, &assignments)
    };
    for &(place, choice) in chosen {
        let (place, choice) = (PLACES[place], CHOICES[choice]);
        let choice = if place.contains("layer") {
            choice.trim_start_matches("pretraining.")
        } else {
            choice
        };
        assignments.push(format!("{place}{choice}"));
        if all(&assignments).is_err() {
            assignments.pop();
        }
    }
    all(&assignments).expect("each was tried")
}

#[test]
fn an_address_goes_with_the_backend_of_another_machine() {
    let told = |assignments: &[&str]| {
        parsed(AUTOENCODER, assignments)
            .expect_err("wrong")
            .to_string()
    };
    assert_eq!(
        told(&["run.backend=remote"]),
        "--set run.backend=remote: `run.backend` is \"remote\", and nothing says on which machine\n  \
         hint: set run.address = \"machine:3000\", where `layerwise serve` runs"
    );
    let address = told(&["run.backend=remote", "run.address=ws://gpu:3000"]);
    assert!(
        address.contains("which is not a machine and a port"),
        "{address}"
    );
    let unused = told(&["run.address=gpu:3000"]);
    assert!(
        unused.contains("`run.address` has no effect: `run.backend` is \"flex\""),
        "{unused}"
    );
    let config = accepted(AUTOENCODER, &["run.backend=remote", "run.address=gpu:3000"]);
    assert_eq!(config.plan.run.address.as_deref(), Some("gpu:3000"));
    // For once on this machine.
    let overrides = Overrides {
        set: vec!["run.address=gpu:3000".to_owned()],
        backend: Some(BackendName::Flex),
    };
    let here = parse(AUTOENCODER, Path::new("mine.toml"), &overrides).expect("it holds");
    assert_eq!(here.plan.run.backend, BackendName::Flex);
}

#[test]
fn what_a_grid_chooses_does_not_stand_beside_what_the_config_chooses() {
    for chosen in ["\"sgd\"", "{ sgd = { final_momentum = 0.75 } }"] {
        let text = format!(
            "{AUTOENCODER}training.optimizer = {chosen}\n\
             [grid]\n\"training.optimizer.adam.beta_1\" = [0.5, 0.25]\n\
             [conditions.C]\n\
             [conditions.B.grid]\n\"training.optimizer.sgd.momentum\" = [0, 0.5]\n"
        );
        let config = accepted(&text, &[]);
        let again = accepted(&config.to_toml(), &[]);
        assert_eq!(again.plan, config.plan);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_resolved_config_gives_the_same_plan_again(
        of_classifiers: bool,
        conditions: bool,
        chosen in prop::collection::vec((0..PLACES.len(), 0..CHOICES.len()), 0..16),
    ) {
        let head = if of_classifiers { CLASSIFIER } else { AUTOENCODER };
        let conditions = if conditions { "[conditions.B]\n[conditions.\"v0.1\"]\n[conditions.C]\n" } else { "" };
        let config = with_as_many_as_go(&format!("{head}{conditions}"), &chosen);
        let resolved = config.to_toml();
        let again = match parsed(&resolved, &[]) {
            Ok(again) => again,
            Err(error) => return Err(TestCaseError::fail(format!("{error}\n{resolved}"))),
        };
        prop_assert_eq!(&again.plan, &config.plan, "{}", resolved);
        prop_assert_eq!(again.to_toml(), resolved);
        prop_assert_eq!(again.cannot_continue(&config), None);
        let mut keys: Vec<_> = config.values.iter().map(|setting| &setting.key).collect();
        keys.sort();
        keys.dedup();
        prop_assert_eq!(keys.len(), config.values.len());
    }

    #[test]
    fn hostile_text_is_refused_or_accepted_but_never_a_panic(
        at: prop::sample::Index,
        other: prop::sample::Index,
        spice in prop::sample::select(vec![
            "[", "]", "{", "}", "=", ".", "\"", "'''", "\n", "\r", "-", "9e999", "\u{1b}", "ü", "#", "\\u0000", "",
        ]),
        assignment in "[a-z.={}\\[\\]\"0-9 ]{0,30}",
    ) {
        let original = include_str!("../../configs/pretraining.toml");
        let code = |line: &str| line.split('#').next().unwrap_or_default().to_owned() + "\n";
        let mut text: Vec<char> = original.lines().flat_map(|line| code(line).chars().collect::<Vec<_>>()).collect();
        let start = at.index(text.len());
        let end = (start + other.index(4)).min(text.len());
        text.splice(start..end, spice.chars());
        let text: String = text.into_iter().collect();
        for result in [parsed(&text, &[]), parsed(original, &[&assignment])] {
            if let Err(error) = result {
                let visible = error.to_string().replace('\n', "");
                prop_assert!(!visible.is_empty() && !visible.contains(char::is_control), "{visible:?}");
            }
        }
    }
}

#[test]
fn nests_are_no_danger() {
    for nest in ["[", "{a=", "a."] {
        let nest = nest.repeat(50_000);
        assert!(parsed(&format!("a={nest}"), &[]).is_err());
        assert!(parsed(AUTOENCODER, &[&format!("run.seeds={nest}")]).is_err());
    }
    for path in ["run", "autoencoder.encoder_bias", "grid"] {
        let path = format!("{path}{}=1", ".a".repeat(50_000));
        assert!(parsed(AUTOENCODER, &[&path]).is_err());
    }
}

#[test]
fn each_kind_of_sparsity_has_its_own_keys() {
    let sparsity = |assignments: &[&str]| autoencoder(assignments).sparsity;
    let kind = |kind: &str| sparsity(&[&format!("sparsity.kind={kind}")]);
    assert_eq!(kind("none"), Sparsity::None);
    assert_eq!(kind("kl"), Sparsity::Kl(KlSparsity::default()));
    assert_eq!(kind("l1"), Sparsity::L1(L1Sparsity::default()));
    assert_eq!(kind("topk"), Sparsity::TopK { k: 32 });
    let batch = BatchTopKSparsity::default();
    assert_eq!(kind("batch_topk"), Sparsity::BatchTopK(batch));
    let jump = JumpReluSparsity::default();
    assert_eq!(kind("jump_relu"), Sparsity::JumpRelu(jump));
    // In whichever order they are given.
    let eight = Sparsity::TopK { k: 8 };
    assert_eq!(sparsity(&["sparsity.kind=topk", "sparsity.k=8"]), eight);
    assert_eq!(sparsity(&["sparsity.k=8", "sparsity.kind=topk"]), eight);
    for kind in SparsityKind::ALL {
        let text = format!("sparsity.kind={}", kind.word());
        let config = accepted(AUTOENCODER, &[&text]);
        let again = accepted(&config.to_toml(), &[]);
        assert_eq!(again.plan, config.plan, "{kind}");
    }
}

#[test]
fn a_nearer_section_that_names_another_kind_replaces_the_farther_one() {
    let body = "\
        [sparsity]\nweight = 3\ntarget = 0.1\n\
        [conditions.KL]\n[conditions.TopK.sparsity]\nkind = \"topk\"\nk = 5\n\
        [conditions.L1.sparsity]\nkind = \"l1\"\n";
    let config = accepted(&format!("{AUTOENCODER}{body}"), &[]);
    let sparsity: Vec<Sparsity> = config
        .plan
        .conditions
        .iter()
        .map(|condition| condition.autoencoder().expect("it is one").sparsity)
        .collect();
    let divergence = Sparsity::Kl(KlSparsity {
        weight: 3.0,
        target: 0.1,
        ..KlSparsity::default()
    });
    // λ is not the β of another kind.
    let l1 = Sparsity::L1(L1Sparsity::default());
    assert_eq!(sparsity, [divergence, Sparsity::TopK { k: 5 }, l1]);
    // So it is in a grid over kinds, and in the pretraining of a layer.
    let kinds = accepted(
        &format!("{AUTOENCODER}[grid]\n\"sparsity.kind\" = [\"none\", \"batch_topk\"]\n"),
        &[],
    );
    assert_eq!(names(&kinds), ["kind = none", "kind = batch topk"]);
    let trained = classifier(
        "network.hidden_units = [9, 9]\n[pretraining]\nlayers = \"all\"\nsparsity.weight = 0.3\n\
         layer.2.sparsity = { kind = \"topk\", k = 4 }\n",
    );
    assert!((trained.stages[0].sparsity.weight() - 0.3).abs() < 1e-12);
    assert_eq!(trained.stages[1].sparsity, Sparsity::TopK { k: 4 });
}

#[test]
fn keys_of_another_kind_are_answered_with_theirs() {
    is_kept_as(
        "kinds",
        &told(
            AUTOENCODER,
            &[
                "[sparsity]\nkind = \"topk\"\nweight = 3\n",
                "[sparsity]\nk = 16\n",
                "[sparsity]\nkind = \"l1\"\nthreshold = 0.1\n",
                "[sparsity]\nkind = \"topkk\"\n",
                "[sparsity]\nkind = \"topk\"\nk = 101\n",
                "[sparsity]\nkind = \"topk\"\nk = 0\n",
                "[conditions.A.sparsity]\nkind = \"none\"\nweight = 1\n",
                "[autoencoder]\nrevive = \"aux_k\"\n",
                "[autoencoder]\nactivation = \"tanh\"\n[sparsity]\nkind = \"jump_relu\"\n",
                "[autoencoder]\ndecoder = { untied = { weight = { constant = 1.0 }, transposed_start = true } }\n",
                "[autoencoder]\ndecoder_bias = \"mean\"\n",
                "[training]\nlargest_gradient_norm = 0\n",
                "--set sparsity.topk=16",
                "--set grid.sparsity.k=[8,16]",
            ],
        ),
    );
}

#[test]
fn a_line_search_has_no_batches_and_no_rate_and_refuses_what_moves_the_cost() {
    let body = "[training]\nbatch_size = 50\nlearning_rate = 0.3\n[conditions.A]\n\
                [conditions.B]\ntraining.optimizer = \"lbfgs\"\n";
    let config = accepted(&format!("{CLASSIFIER}{body}"), &[]);
    let [batches, whole] = &config.plan.conditions[..] else {
        panic!("{config:?}");
    };
    assert_eq!(batches.training().steps(120), 3);
    let whole = whole.training();
    assert_eq!(
        [whole.steps(120), whole.batch(120), whole.passes()],
        [20, 120, 20]
    );
    let resolved = config.to_toml();
    assert_eq!(accepted(&resolved, &[]).plan, config.plan, "{resolved}");
    is_kept_as(
        "line_search",
        &(told(
            AUTOENCODER,
            &[
                "[training]\noptimizer = \"lbfgs\"\nbatch_size = 50",
                "[training]\noptimizer = { lbfgs = { iterations = 0 } }",
                "[training]\noptimizer = { lbfgs = { memory = 10 } }",
                "[training]\nbatch_size = 50\n[conditions.A.training]\noptimizer = \"lbfgs\"",
            ],
        ) + &told(
            "experiment = \"autoencoder\"\n[training]\noptimizer = \"lbfgs\"\n",
            &[
                "--set training.learning_rate=0.1",
                "--set sparsity.kind=topk",
                "--set sparsity.weight=3",
                "[sparsity]\nweight = 3\nestimator = \"batch\"\nwarm_up_steps = 5",
                "--set autoencoder.corruption=masking",
                "--set autoencoder.revive=resample",
                "--set autoencoder.decoder.untied.unit_norm=true",
            ],
        ) + &told(
            CLASSIFIER,
            &[
                "[conditions.D]\nnetwork.hidden_units = [3]\npretraining = { layers = 1, optimizer = \"lbfgs\" }",
                "[training]\nepochs = 5\ntrained_layers = \"output_first\"",
            ],
        )),
    );
}
