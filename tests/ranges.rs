//! The ranges of numbers in configs are those that single precision can bear: at both edges of each, an epoch is
//! trained and every number is finite; just outside, the config is refused with the range.

mod common;

use std::path::Path;
use std::sync::Mutex;

use common::models::{flex, watched};
use layerwise::config::{self, Config, Overrides};
use layerwise::data::{self, Dataset, Limits};
use layerwise::train::{Event, Observer, Record, Stop};

const FIGURE: &str =
    "experiment = \"autoencoder\"\n[sparsity]\nweight = 3\n[training]\nepochs = 1\n";

const PRETRAINING: &str = "experiment = \"classifier\"\n[run]\nseeds = [0]\n[training]\nepochs = 1\n[pretraining]\nepochs = 1\n\
    [conditions.D]\nnetwork.hidden_units = [30, 20]\npretraining.layers = \"all\"\n";

/// A key with what else has to be set; values at the edges of its range, and values just outside.
struct Range {
    key: &'static str,
    with: &'static [&'static str],
    inside: &'static [&'static str],
    outside: &'static [&'static str],
}

const fn range(
    key: &'static str,
    with: &'static [&'static str],
    inside: &'static [&'static str],
    outside: &'static [&'static str],
) -> Range {
    Range {
        key,
        with,
        inside,
        outside,
    }
}

const SHARE: &[&str] = &["0", "0.9999999"];
/// 1, and what becomes 1 in single precision.
const NO_SHARE: &[&str] = &["-0.0000001", "1", "0.99999999"];
const VARIANCE: &[&str] = &["1.2e-38", "1e6", "1.2e-38/fan_in", "1e6/fan_in"];
/// 0, what becomes 0 where small numbers are flushed, and what is too large.
const NO_VARIANCE: &[&str] = &["0", "1e-39", "1.1e6", "1e-60/fan_in"];
const SGD: &[&str] = &["training.optimizer=sgd", "training.learning_rate=1e-4"];

const FIGURE_RANGES: &[Range] = &[
    range(
        "run.seeds",
        &[],
        &["[0, 9223372036854775807]"],
        &["[-1]", "[9223372036854775808]"],
    ),
    range(
        "run.order_seed",
        &[],
        &["0", "9223372036854775807"],
        &["-1", "9223372036854775808"],
    ),
    range(
        "data.train_images",
        &[],
        &["4294967295"],
        &["0", "4294967296"],
    ),
    range(
        "data.test_images",
        &[],
        &["4294967295"],
        &["0", "4294967296"],
    ),
    range("autoencoder.hidden_units", &[], &["1"], &["0", "1000001"]),
    range(
        "autoencoder.activation.prelu.slope",
        &[],
        &["-10", "10"],
        &["-10.1", "10.1"],
    ),
    range(
        "autoencoder.activation.leaky_relu.slope",
        &[],
        &["-10", "10"],
        &["-10.1", "10.1"],
    ),
    range(
        "autoencoder.encoder_weight.normal_variance",
        &[],
        VARIANCE,
        NO_VARIANCE,
    ),
    range(
        "autoencoder.encoder_weight.uniform_variance",
        &[],
        &["1.2e-38", "1e6", "1.2e-38/fan_sum", "1e6/fan_sum"],
        NO_VARIANCE,
    ),
    range(
        "autoencoder.encoder_weight.constant",
        &[],
        &["-1000", "1000"],
        &["-1001", "1001"],
    ),
    range(
        "autoencoder.encoder_weight.orthogonal",
        &[],
        &["1.2e-38", "1000"],
        &["0", "1e-39", "1001"],
    ),
    range(
        "autoencoder.encoder_bias.normal_variance",
        &[],
        VARIANCE,
        NO_VARIANCE,
    ),
    range(
        "autoencoder.encoder_bias.constant",
        &[],
        &["-1000", "1000"],
        &["-1001", "1001"],
    ),
    range(
        "autoencoder.decoder_bias.normal_variance",
        &[],
        VARIANCE,
        NO_VARIANCE,
    ),
    range(
        "autoencoder.decoder_bias.constant",
        &[],
        &["-1000", "1000"],
        &["-1001", "1001"],
    ),
    range(
        "autoencoder.decoder.untied.weight.normal_variance",
        &[],
        VARIANCE,
        NO_VARIANCE,
    ),
    range(
        "autoencoder.corruption.masking.fraction",
        &[],
        SHARE,
        NO_SHARE,
    ),
    range(
        "autoencoder.corruption.gaussian.deviation",
        &[],
        &["0", "100"],
        &["-0.1", "100.1"],
    ),
    range("sparsity.weight", &[], &["0", "1e6"], &["-1", "1000001"]),
    range(
        "sparsity.target",
        &["sparsity.clamp=1e-6"],
        &["1e-6", "0.999999"],
        &["9e-7", "0.9999991", "0", "1"],
    ),
    range(
        "sparsity.clamp",
        &["sparsity.target=0.5"],
        &["1e-6", "0.4999999"],
        &["1e-8", "9e-7", "0.5", "0.49999999"],
    ),
    range(
        "sparsity.estimator.running_mean.decay",
        &[],
        SHARE,
        NO_SHARE,
    ),
    range("training.optimizer.adam.beta_1", &[], SHARE, NO_SHARE),
    range(
        "training.optimizer.adam.beta_2",
        &["training.optimizer.adam.beta_1=0"],
        SHARE,
        NO_SHARE,
    ),
    range(
        "training.optimizer.adam.epsilon",
        &[],
        &["1e-12", "1"],
        &["9e-13", "1.1", "0"],
    ),
    range("training.optimizer.sgd.momentum", SGD, SHARE, NO_SHARE),
    range(
        "training.optimizer.sgd.final_momentum",
        SGD,
        SHARE,
        NO_SHARE,
    ),
    range(
        "training.schedule.exponential.factor",
        &[],
        &["1.2e-38", "1"],
        &["0", "1e-39", "1.1"],
    ),
    range(
        "training.learning_rate",
        &[],
        &["1.2e-38", "100"],
        &["0", "1e-39", "100.1"],
    ),
    range(
        "training.batch_size",
        &[],
        &["1", "2000"],
        &["0", "1000001"],
    ),
    range("training.epochs", &[], &["1"], &["0", "1000001"]),
    range(
        "training.weight_decay",
        &[],
        &["0", "100"],
        &["-0.1", "100.1"],
    ),
    // 1 − ηλ is above −1: 1e-4 · 100 is 0.01; at a learning rate of 0.1, 19.
    range("training.weight_decay", SGD, &["100"], &["100.1"]),
    range(
        "training.weight_decay",
        &[
            "training.optimizer=sgd",
            "training.learning_rate=0.001",
            "training.optimizer.sgd.momentum=0.5",
        ],
        &["100"],
        &["100.1"],
    ),
];

const PRETRAINING_RANGES: &[Range] = &[
    range(
        "data.validation_images",
        &[],
        &["0", "1900"],
        &["-1", "4294967296"],
    ),
    range(
        "conditions.D.network.weight.normal_variance",
        &[],
        &["1.2e-38", "1e6/fan_in"],
        NO_VARIANCE,
    ),
    range(
        "network.weight.orthogonal",
        &[],
        &["1.2e-38", "1000"],
        &["0", "1001"],
    ),
    range(
        "network.bias.constant",
        &[],
        &["-1000", "1000"],
        &["-1001", "1001"],
    ),
    range(
        "pretraining.sparsity.weight",
        &[],
        &["0", "1e6"],
        &["-1", "1000001"],
    ),
    range(
        "pretraining.sparsity.target",
        &["pretraining.sparsity.clamp=1e-6"],
        &["1e-6", "0.999999"],
        &["0", "1"],
    ),
    range(
        "pretraining.sparsity.clamp",
        &["pretraining.sparsity.target=0.5"],
        &["1e-6", "0.4999999"],
        &["1e-8", "0.5"],
    ),
    range(
        "pretraining.sparsity.estimator.running_mean.decay",
        &[],
        SHARE,
        NO_SHARE,
    ),
    range(
        "pretraining.learning_rate",
        &[],
        &["1.2e-38"],
        &["0", "100.1"],
    ),
    range(
        "training.learning_rate",
        &[],
        &["1.2e-38", "100"],
        &["0", "100.1"],
    ),
    range("training.optimizer.sgd.momentum", &[], SHARE, NO_SHARE),
    range(
        "training.batch_size",
        &[],
        &["1", "2000"],
        &["0", "1000001"],
    ),
];

/// Whatever a run tells of that is not a finite number.
#[derive(Default)]
struct Watch(Mutex<Vec<String>>);

impl Observer for Watch {
    fn tell(&self, event: Event<'_>) {
        let record = match event {
            Event::Record(record) => record,
            Event::Ended(ended) => {
                return self.0.lock().expect("no panic").push(ended.to_string());
            }
            Event::Recall(_) | Event::Worked(_) | Event::WorkedBefore(_) => return,
        };
        let numbers = match record {
            Record::Epoch(record) => vec![record.cost, record.test_reconstruction, record.sparsity],
            Record::Stage(record) => vec![record.cost, record.sparsity],
            Record::Classifier(record, _) => vec![record.cost.unwrap_or(0.0), record.test_cost],
            Record::Reading(reading) => vec![reading.cost],
        };
        if !numbers.iter().all(|number| number.is_finite()) {
            self.0.lock().expect("no panic").push(format!("{record:?}"));
        }
    }
}

fn parsed(text: &str, set: &[&str]) -> Result<Config, String> {
    let overrides = Overrides {
        set: set.iter().map(ToString::to_string).collect(),
        backend: None,
    };
    config::parse(text, Path::new("edge.toml"), &overrides).map_err(|error| error.to_string())
}

/// What an epoch of this config finds that is not finite.
fn troubles(config: &Config, data: &Dataset) -> Vec<String> {
    let mut data = data.clone();
    data.hold_out(config.plan.data.validation_images);
    let watch = Watch::default();
    watched(&config.plan, &data, &flex(), 2, &watch, &Stop::default());
    watch.0.into_inner().expect("no panic")
}

fn hold(text: &str, ranges: &[Range]) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist");
    let limits = Limits {
        train: Some(2000),
        test: Some(500),
    };
    let data = data::load(&dir, limits).expect("the shipped data");
    let mut wrong = Vec::new();
    for Range {
        key,
        with,
        inside,
        outside,
    } in ranges
    {
        for value in *inside {
            let edge = format!("{key}={value}");
            let set = [with, &[edge.as_str()][..]].concat();
            match parsed(text, &set) {
                Ok(config) => wrong.extend(
                    troubles(&config, &data)
                        .into_iter()
                        .map(|trouble| format!("{set:?}: {trouble}")),
                ),
                Err(error) => wrong.push(format!("{set:?}: {error}")),
            }
        }
        for value in *outside {
            let edge = format!("{key}={value}");
            let set = [with, &[edge.as_str()][..]].concat();
            match parsed(text, &set) {
                Ok(_) => wrong.push(format!("{set:?} is accepted")),
                Err(error) if error.contains("out of range") && error.contains("it must be ") => {}
                Err(error) => wrong.push(format!("{set:?}: {error}")),
            }
        }
    }
    // That a number without bounds would be seen.
    let grows = ["training.optimizer=sgd", "training.learning_rate=50"];
    let grows = parsed(FIGURE, &grows).expect("in range");
    assert!(!troubles(&grows, &data).is_empty());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_epoch_of_the_figure_is_finite_at_every_edge() {
    hold(FIGURE, FIGURE_RANGES);
}

#[test]
fn an_epoch_of_pretraining_is_finite_at_every_edge() {
    hold(PRETRAINING, PRETRAINING_RANGES);
}

#[test]
fn moments_of_adam_whose_steps_would_grow_are_refused() {
    let adam = |beta_1: &str, beta_2: &str| {
        let set = [
            format!("training.optimizer.adam.beta_1={beta_1}"),
            format!("training.optimizer.adam.beta_2={beta_2}"),
        ];
        parsed(FIGURE, &set.each_ref().map(String::as_str))
    };
    assert!(adam("0.9", "0.81").is_ok());
    assert!(adam("0.99", "0.9").is_ok());
    let error = adam("0.9", "0.8").expect_err("0.9 / √0.8 is above 1");
    assert_eq!(
        error,
        "--set training.optimizer.adam.beta_2=0.8: training.optimizer.adam.beta_2 = 0.8 is too small for \
         training.optimizer.adam.beta_1 = 0.9: steps of Adam would grow once a gradient vanishes\n  hint: set \
         training.optimizer.adam.beta_2 to at least 0.810, or lower training.optimizer.adam.beta_1"
    );
}

#[test]
fn a_decay_that_makes_weights_larger_is_refused() {
    let sgd = |rate: &str, decay: &str, momentum: &str| {
        let set = [
            "training.optimizer=sgd".to_owned(),
            format!("training.learning_rate={rate}"),
            format!("training.weight_decay={decay}"),
            format!("training.optimizer.sgd.momentum={momentum}"),
        ];
        parsed(FIGURE, &set.each_ref().map(String::as_str))
    };
    assert!(sgd("0.1", "19", "0").is_ok());
    assert!(sgd("0.1", "29", "0.5").is_ok());
    let error = sgd("0.1", "20", "0").expect_err("1 − ηλ is −1");
    assert_eq!(
        error,
        "--set training.weight_decay=20: training.learning_rate = 0.1 times training.weight_decay = 20.0 is 2, so that \
         weight decay alone would flip the sign of every weight at each step and never make it smaller\n  hint: choose them so that their product is below 2"
    );
    assert!(sgd("0.1", "30", "0.5").is_err());
}
