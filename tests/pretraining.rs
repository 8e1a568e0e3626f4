//! Greedy layer-wise pretraining: what it copies, what it leaves alone, and that results know nothing of threads or
//! company.

use std::sync::Mutex;

use layerwise::backend::{self, Backend};
use layerwise::config;
use layerwise::data::{Dataset, Images, Split};
use layerwise::experiment::{Ending, Examples, Outcome, Setting, pretraining, rows};
use layerwise::model::Classifier;
use layerwise::results::{Ended, PretrainingResults, Results};
use layerwise::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, BackendName, ClassifierCondition,
    ClassifierSpec, Corruption, Decoder, DecoderActivation, Initialization,
    MeanActivationEstimator, OptimizerSpec, Reconstruction, Schedule, Sparsity, TrainedLayers,
    TrainingSpec, Transfer, Variance,
};
use layerwise::train::pretraining::{Pretraining, copy_into, transferred};
use layerwise::train::{Observer, Record, Stop};
use layerwise::weights::Weights;

const INPUTS: usize = 36;
const WIDTHS: [usize; 3] = [8, 7, 6];

fn normal(value: f64) -> Initialization {
    Initialization::Normal {
        variance: Variance::Fixed { value },
    }
}

fn adam(epochs: usize) -> TrainingSpec {
    TrainingSpec {
        optimizer: OptimizerSpec::Adam {
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
        },
        learning_rate: 1e-3,
        schedule: Schedule::Constant,
        batch_size: 7,
        epochs,
        weight_decay: 0.0,
    }
}

fn stage(units: usize) -> AutoencoderTraining {
    AutoencoderTraining {
        autoencoder: AutoencoderSpec {
            hidden_units: units,
            activation: Activation::Prelu {
                initial_slope: 0.25,
            },
            decoder: Decoder::Tied,
            decoder_activation: DecoderActivation::Identity,
            reconstruction: Reconstruction::SquaredError,
            encoder_weight: normal(0.05),
            encoder_bias: normal(0.01),
            decoder_bias: Initialization::Constant { value: 0.0 },
        },
        sparsity: Sparsity {
            weight: 0.1,
            target: 0.05,
            estimator: MeanActivationEstimator::RunningMean { decay: 0.9 },
            clamp: 1e-4,
        },
        corruption: Corruption::Gaussian { deviation: 0.1 },
        training: adam(2),
    }
}

/// Three hidden layers, of which the first `copied` are pretrained.
fn condition(name: &str, copied: usize) -> ClassifierCondition {
    ClassifierCondition {
        name: name.to_owned(),
        classifier: ClassifierSpec {
            hidden_units: WIDTHS.to_vec(),
            activation: Activation::Prelu {
                initial_slope: 0.25,
            },
            weight: normal(0.05),
            bias: normal(0.01),
        },
        stages: WIDTHS.into_iter().take(copied).map(stage).collect(),
        transfer: Transfer::Copy,
        training: adam(2),
        trained_layers: TrainedLayers::All,
    }
}

/// Blobs on 6×6 pixels, 50 to learn from and 20 to test on; the last batch of an epoch is a short one.
fn blobs() -> Dataset {
    let split = |count: usize, salt: usize| {
        let pixels = (0..count * INPUTS)
            .map(|at| {
                let (image, row, column) = (at / INPUTS + salt, at / 6 % 6, at % 6);
                let distance = row.abs_diff(image % 6) + column.abs_diff(image / 6 % 6);
                (255 / (1 + distance * distance)) as u8
            })
            .collect();
        Split {
            images: Images::new(pixels, 6, 6).expect("whole pictures"),
            labels: (0..count).map(|image| (image % 6) as u8).collect(),
        }
    };
    Dataset {
        name: None,
        classes: 6,
        train: split(50, 0),
        validation: None,
        test: split(20, 50),
        files: Vec::new(),
    }
}

fn flex() -> Backend {
    backend::open(BackendName::Flex).expect("flex is in every default build")
}

fn run(
    conditions: &[ClassifierCondition],
    seeds: &[u64],
    lanes: usize,
    observer: &dyn Observer,
    stop: &Stop,
) -> Outcome {
    let data = blobs();
    let plan = config::Pretraining {
        conditions: conditions.to_vec(),
        differences: Vec::new(),
        layers_of: Vec::new(),
    };
    let backend = flex();
    let setting = Setting {
        data: &data,
        examples: &Examples::new(&data, &backend.device),
        backend: &backend,
        lanes,
        order_seed: 0,
        observer,
        stop,
        shelf: &(),
    };
    pretraining::run(&plan, seeds, &setting).expect("small numbers stay finite")
}

fn results(outcome: &Outcome) -> &PretrainingResults {
    match &outcome.results {
        Results::Pretraining(results) => results,
        other => panic!("{other:?}"),
    }
}

/// The values of a tensor, bit for bit.
fn bits(weights: &Weights, name: &str) -> Vec<u32> {
    let tensor = weights.get(name).expect("it is saved");
    tensor.values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn copying_k_layers_copies_exactly_k() {
    let device = flex().device;
    let seeds = [3, 4];
    let data = blobs();
    let condition = condition("D", 3);
    let mut pretraining = Pretraining::new(&condition.stages, &seeds, INPUTS, &device);
    let images = rows(&data.train.images, &device);
    while !pretraining.is_done() {
        let epoch = pretraining.epoch(&images, 0, &(), &Stop::default());
        assert!(epoch.is_some(), "nobody stops it");
    }
    let encoders = pretraining.encoders();
    let fresh = || Classifier::new(&condition.classifier, INPUTS, 6, &seeds, &device);
    for k in 0..=3 {
        let model = copy_into(fresh(), &encoders[..k], &device);
        for (layer, (found, drawn)) in model.hidden.iter().zip(fresh().hidden).enumerate() {
            let (found, drawn) = (found.values(), drawn.values());
            if layer < k {
                assert_eq!(found, encoders[layer], "layer {layer} of {k} copied");
                assert_ne!(found, drawn, "it was trained");
            } else {
                assert_eq!(found, drawn, "layer {layer} of {k} copied");
            }
        }
        assert_eq!(model.output.values(), fresh().output.values());
    }
}

#[test]
fn every_stage_leaves_the_layers_below_untouched_and_learns_the_same_whatever_comes_after() {
    let [one, two, three] = [1, 2, 3].map(|k| {
        let outcome = run(&[condition("D", k)], &[0], 1, &(), &Stop::default());
        assert_eq!(outcome.ending, Ending::Complete);
        assert_eq!(results(&outcome).transfers.len(), k);
        (outcome.weights)()
    });
    for name in ["weight", "bias", "slope"] {
        let first = format!("D/seed 0/pretrained/layer.01.{name}");
        assert_eq!(bits(&one, &first), bits(&two, &first));
        assert_eq!(bits(&one, &first), bits(&three, &first));
        let second = format!("D/seed 0/pretrained/layer.02.{name}");
        assert_eq!(bits(&two, &second), bits(&three, &second));
    }
    assert!(one.get("D/seed 0/pretrained/layer.02.weight").is_err());
}

#[test]
fn the_start_of_fine_tuning_is_the_end_of_pretraining_by_hash() {
    let outcome = run(&[condition("D", 3)], &[0, 1], 1, &(), &Stop::default());
    let transfers = &results(&outcome).transfers;
    assert_eq!(transfers.len(), 6);
    assert!(
        transfers
            .iter()
            .all(|proof| proof.encoder == proof.classifier)
    );
    let mut hashes: Vec<&str> = transfers
        .iter()
        .map(|proof| proof.encoder.as_str())
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 6, "six layers with weights of their own");
}

#[test]
fn frozen_layers_do_not_change_and_the_softmax_layer_does() {
    let frozen = ClassifierCondition {
        trained_layers: TrainedLayers::Output,
        ..condition("frozen", 2)
    };
    let start = Classifier::new(&frozen.classifier, INPUTS, 6, &[0], &flex().device);
    let weights = (run(&[frozen], &[0], 1, &(), &Stop::default()).weights)();
    for layer in ["layer.01", "layer.02"] {
        for name in ["weight", "bias", "slope"] {
            assert_eq!(
                bits(&weights, &format!("frozen/seed 0/{layer}.{name}")),
                bits(
                    &weights,
                    &format!("frozen/seed 0/pretrained/{layer}.{name}")
                ),
                "{layer}.{name}"
            );
        }
    }
    let third = &weights
        .get("frozen/seed 0/layer.03.weight")
        .expect("saved")
        .values;
    assert_eq!(
        *third,
        start.hidden[2].values().weight,
        "not copied, not trained"
    );
    let output = &weights
        .get("frozen/seed 0/output.weight")
        .expect("saved")
        .values;
    assert_ne!(*output, start.output.values().weight);
}

#[test]
fn shuffling_keeps_the_weights_and_loses_their_order() {
    let device = flex().device;
    let seeds = [3, 4];
    let encoders: Vec<_> =
        Classifier::new(&condition("D", 0).classifier, INPUTS, 6, &seeds, &device)
            .hidden
            .iter()
            .map(layerwise::model::Layer::values)
            .collect();
    assert_eq!(transferred(&encoders, Transfer::Copy, &seeds), encoders);
    let shuffled = transferred(&encoders, Transfer::ShuffledWeights, &seeds);
    let zero = transferred(&encoders, Transfer::ShuffledWeightsZeroBiases, &seeds);
    for ((before, after), zero) in encoders.iter().zip(&shuffled).zip(&zero) {
        assert_ne!(before.weight, after.weight);
        assert_eq!(before.bias, after.bias);
        assert_eq!(after.weight, zero.weight);
        assert!(zero.bias.iter().all(|&bias| bias == 0.0));
        for member in 0..2 {
            let sorted = |values: Vec<f32>| {
                let mut values = values;
                values.sort_by(f32::total_cmp);
                values
            };
            let of = |layer: &layerwise::model::LayerValues| sorted(layer.of_member(member).weight);
            assert_eq!(of(before), of(after), "the same numbers, member by member");
        }
    }
}

/// A control that shuffles keeps what was learnt as it was learnt, and says that it shuffled.
#[test]
fn shuffled_layers_are_not_passed_off_as_copies() {
    let control = ClassifierCondition {
        transfer: Transfer::ShuffledWeights,
        ..condition("shuffled", 3)
    };
    let conditions = [condition("D", 3), control];
    let outcome = run(&conditions, &[0], 1, &(), &Stop::default());
    let transfers = &results(&outcome).transfers;
    let shuffled: Vec<bool> = transfers.iter().map(|proof| proof.shuffled).collect();
    assert_eq!(shuffled, [false, false, false, true, true, true]);
    let hashes = |proofs: std::ops::Range<usize>| -> Vec<&str> {
        let proofs = transfers[proofs].iter();
        proofs.map(|proof| proof.classifier.as_str()).collect()
    };
    assert_ne!(hashes(0..3), hashes(3..6));
    // The pretraining is the same, and so is what the file has of it.
    let weights = (outcome.weights)();
    let learnt = |condition: &str| {
        bits(
            &weights,
            &format!("{condition}/seed 0/pretrained/layer.01.weight"),
        )
    };
    assert_eq!(learnt("D"), learnt("shuffled"));
}

#[test]
fn results_depend_neither_on_jobs_nor_on_company() {
    let conditions = [condition("C", 0), condition("D", 3)];
    let together = run(&conditions, &[0, 1], 1, &(), &Stop::default());
    let weights = (together.weights)();
    let spread = run(&conditions, &[0, 1], 3, &(), &Stop::default());
    assert_eq!((spread.weights)().hash(), weights.hash());
    assert_eq!(spread.results, together.results);
    let alone = run(&conditions[1..], &[1], 1, &(), &Stop::default());
    let alone = (alone.weights)();
    for name in ["layer.01.weight", "layer.03.bias", "output.weight"] {
        let name = format!("D/seed 1/{name}");
        assert_eq!(bits(&alone, &name), bits(&weights, &name), "{name}");
    }
}

#[test]
fn conditions_of_one_seed_draw_the_same_first_weights() {
    let stop = Stop::default();
    let first = Classifier::new(
        &condition("C", 0).classifier,
        INPUTS,
        6,
        &[5],
        &flex().device,
    );
    let encoder = layerwise::model::Autoencoder::new(
        &stage(WIDTHS[0]).autoencoder,
        INPUTS,
        0,
        &[5],
        &flex().device,
    );
    assert_eq!(first.hidden[0].values(), encoder.encoder.values());
    assert!(!stop.requested());
}

/// Keeps what it hears, and asks for an end at the first epoch of stage 2.
struct Listener<'a> {
    stop: Option<&'a Stop>,
    heard: Mutex<Vec<(usize, usize, usize)>>,
    work: Mutex<u64>,
}

impl Observer for Listener<'_> {
    fn worked_before(&self, _multiply_accumulates: u64) {}
    fn recall(&self, _record: Record<'_>) {}
    fn ended(&self, _ended: &Ended) {}
    fn worked(&self, multiply_accumulates: u64) {
        *self.work.lock().expect("nobody panics") += multiply_accumulates;
    }

    fn record(&self, record: Record<'_>) {
        let place = match record {
            Record::Stage(record) => {
                if let (Some(stop), 2) = (self.stop, record.stage) {
                    stop.request();
                }
                (record.stage, record.epoch, 0)
            }
            Record::Classifier(record, layers) => (0, record.epoch, layers.len()),
            Record::Epoch(record) => panic!("{record:?}"),
            Record::Reading(reading) => panic!("nobody asked for {reading:?}"),
        };
        self.heard.lock().expect("nobody panics").push(place);
    }
}

#[test]
fn stages_come_before_the_start_and_the_epochs_of_the_classifier() {
    let listener = Listener {
        stop: None,
        heard: Mutex::default(),
        work: Mutex::default(),
    };
    let condition = condition("D", 2);
    let outcome = run(
        std::slice::from_ref(&condition),
        &[0],
        1,
        &listener,
        &Stop::default(),
    );
    assert_eq!(
        *listener.heard.lock().expect("nobody panics"),
        [
            (1, 1, 0),
            (1, 2, 0),
            (2, 1, 0),
            (2, 2, 0),
            (0, 0, 4),
            (0, 1, 4),
            (0, 2, 4)
        ]
    );
    // What progress is measured against is what was reported, but for the codes, which are computed in between.
    let codes = (INPUTS * WIDTHS[0] * 50) as u64;
    let expected = pretraining::multiply_accumulates(&condition, 50, INPUTS, 6);
    assert_eq!(
        *listener.work.lock().expect("nobody panics") + codes,
        expected
    );
    let summary = &results(&outcome).conditions[0];
    assert_eq!(summary.pretrained_layers, 2);
    assert_eq!(
        summary.parameters,
        36 * 8 + 9 + 8 * 7 + 8 + 7 * 6 + 7 + 6 * 6 + 6
    );
    // Two tied autoencoders: the encoders again, and biases of 36 and 8 inputs.
    assert_eq!(
        summary.parameters_learnt - summary.parameters,
        36 * 8 + 9 + 36 + 8 * 7 + 8 + 8
    );
    assert_eq!(summary.accuracy.len(), 3);
}

#[test]
fn a_stop_between_stages_keeps_the_encoders_so_far() {
    let stop = Stop::default();
    let listener = Listener {
        stop: Some(&stop),
        heard: Mutex::default(),
        work: Mutex::default(),
    };
    let outcome = run(&[condition("D", 3)], &[0], 1, &listener, &stop);
    assert_eq!(
        outcome.ending,
        Ending::Stopped {
            after: "0 of 1 classifier had been trained to the end".to_owned()
        }
    );
    let weights = (outcome.weights)();
    assert!(weights.get("D/seed 0/pretrained/layer.01.weight").is_ok());
    assert!(weights.get("D/seed 0/pretrained/layer.02.weight").is_err());
}
