//! Greedy layer-wise pretraining: what it copies, what it leaves alone, and that results know nothing of threads or
//! company.

mod common;

use std::sync::Mutex;

use common::models::{INPUTS, bits, bits_of, blobs, classifier, flex, plan, train, watched};
use layerwise::evidence;
use layerwise::evidence::accuracy::Comparison;
use layerwise::experiment::{
    Ending, Examples, Outcome, multiply_accumulates, named_parameters, rows,
};
use layerwise::model::{Autoencoder, Classifier};
use layerwise::results::{ClassifierRecord, TransferProof};
use layerwise::run_dir::Records;
use layerwise::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, ClassifierSpec, ClassifierTraining,
    Condition, Corruption, Initialization, Keep, KlSparsity, MeanActivationEstimator, Sparsity,
    TrainedLayers, TrainingSpec, Transfer,
};
use layerwise::train::pretraining::{Pretraining, copy_into, transferred};
use layerwise::train::{
    ClassifierTrainee, Event, Labelled, Observer, Order, Record, Stop, untrained,
};

const WIDTHS: [usize; 3] = [8, 7, 6];
const CLASSES: usize = 6;
const PRELU: Activation = Activation::Prelu {
    initial_slope: 0.25,
};

fn adam(epochs: usize) -> TrainingSpec {
    TrainingSpec {
        learning_rate: 1e-3,
        batch_size: 7,
        epochs,
        ..TrainingSpec::default()
    }
}

fn stage(units: usize) -> AutoencoderTraining {
    AutoencoderTraining {
        autoencoder: AutoencoderSpec {
            hidden_units: units,
            activation: PRELU,
            encoder_weight: Initialization::normal(0.05),
            encoder_bias: Initialization::normal(0.01),
            ..AutoencoderSpec::default()
        },
        sparsity: Sparsity::Kl(KlSparsity {
            weight: 0.1,
            target: 0.05,
            estimator: MeanActivationEstimator::RunningMean { decay: 0.9 },
            clamp: 1e-4,
            warm_up_steps: 0,
        }),
        corruption: Corruption::Gaussian { deviation: 0.1 },
        training: adam(2),
        ..AutoencoderTraining::default()
    }
}

/// Three hidden layers, of which the first `copied` are pretrained.
fn training(copied: usize) -> ClassifierTraining {
    ClassifierTraining {
        classifier: ClassifierSpec {
            hidden_units: WIDTHS.to_vec(),
            activation: PRELU,
            weight: Initialization::normal(0.05),
            bias: Initialization::normal(0.01),
            ..ClassifierSpec::default()
        },
        stages: WIDTHS.into_iter().take(copied).map(stage).collect(),
        training: adam(2),
        ..ClassifierTraining::default()
    }
}

fn deep(name: &str, copied: usize) -> Condition {
    classifier(name, training(copied))
}

fn fresh(seeds: &[u64]) -> Classifier {
    Classifier::new(
        &training(0).classifier,
        INPUTS,
        CLASSES,
        seeds,
        &flex().device,
    )
}

fn run(conditions: &[Condition], seeds: &[u64], lanes: usize) -> Outcome {
    let plan = plan(conditions.to_vec(), seeds);
    train(&plan, &blobs(CLASSES), &flex(), lanes)
}

/// That each layer was copied, in the order of members.
fn proofs(outcome: &Outcome) -> Vec<TransferProof> {
    let members = outcome.members.iter();
    let of_members = members.filter_map(|of| of.evidence.get("transfers"));
    of_members
        .flat_map(|proofs| {
            serde_json::from_value::<Vec<TransferProof>>(proofs.clone()).expect("proofs")
        })
        .collect()
}

#[test]
fn copying_k_layers_copies_exactly_k() {
    let device = flex().device;
    let seeds = [3, 4];
    let images = rows(&blobs(CLASSES).train.images, &device);
    let mut pretraining = Pretraining::new(&training(3).stages, &seeds, &images);
    while !pretraining.is_done() {
        let epoch = pretraining.epoch(&images, 0, &(), &Stop::default());
        assert!(epoch.is_some(), "nobody stops it");
    }
    let encoders = pretraining.encoders();
    for k in 0..=3 {
        let mut model = fresh(&seeds);
        copy_into(&mut model.hidden, &encoders[..k], &device);
        for (layer, (found, drawn)) in model.hidden.iter().zip(fresh(&seeds).hidden).enumerate() {
            let (found, drawn) = (found.values(), drawn.values());
            if layer < k {
                assert_eq!(found, encoders[layer], "layer {layer} of {k} copied");
                assert_ne!(found, drawn, "it was trained");
            } else {
                assert_eq!(found, drawn, "layer {layer} of {k} copied");
            }
        }
        assert_eq!(model.output.values(), fresh(&seeds).output.values());
    }
}

#[test]
fn layers_that_are_to_give_classes_are_those_of_classifiers_with_one_hidden_layer() {
    let (device, stop) = (flex().device, Stop::default());
    let seeds = [3, 4];
    let examples = Examples::new(&blobs(CLASSES), &device).train;
    let stages = training(2).stages;
    let mut pretraining = Pretraining::of_classes(&stages, &seeds, &examples);
    let mut costs = Vec::new();
    while !pretraining.is_done() {
        let epoch = pretraining.epoch(&examples.images, 0, &(), &stop);
        costs.push(epoch.expect("nobody stops it").costs);
    }
    let labels = blobs(CLASSES).train.labels;
    let mut below = examples.images.clone();
    for (at, (stage, found)) in stages.iter().zip(pretraining.encoders()).enumerate() {
        let spec = ClassifierSpec {
            hidden_units: vec![WIDTHS[at]],
            ..training(0).classifier
        };
        let mut model = Classifier::new(&spec, below.inputs(), CLASSES, &seeds, &device);
        model.hidden = vec![untrained(stage, &seeds, &below, at as u64).encoder];
        let all = TrainedLayers::All;
        let mut trainee = ClassifierTrainee::classifiers(model, &stage.training, all, 0);
        let codes = Labelled::new(below.clone(), labels.as_deref(), CLASSES);
        let order = Order {
            seed: 0,
            stage: at as u64 + 1,
        };
        for epoch in 0..2 {
            let parts = trainee.epoch(&codes, order, &(), &stop);
            let of_stage: Vec<f64> = costs[2 * at + epoch].iter().map(|cost| cost[0]).collect();
            assert_eq!(parts.expect("nobody stops it"), [of_stage], "layer {at}");
        }
        let layer = trainee.model().hidden.swap_remove(0);
        assert_eq!(layer.values(), *found, "layer {at}");
        below = layer.forward(&below).into();
    }
}

#[test]
fn the_best_epoch_by_validation_is_what_is_left() {
    let mut data = blobs(CLASSES);
    data.hold_out(20);
    // The model that each seed leaves, and how it did epoch by epoch.
    let trained = |epochs, keep| {
        let mut setting = training(1);
        setting.training.epochs = epochs;
        setting.training.learning_rate = 0.05;
        setting.keep = keep;
        let plan = plan(vec![classifier("D", setting)], &[0, 1]);
        let listener = Listener {
            stop: None,
            heard: Mutex::default(),
            work: Mutex::default(),
            records: Mutex::default(),
        };
        let outcome = watched(&plan, &data, &flex(), 1, &listener, &Stop::default());
        assert_eq!(outcome.ending, Ending::Complete);
        let records = listener.records.into_inner().expect("nobody panics");
        let courses = [0, 1].map(|seed| {
            let epochs = records.classifiers.iter();
            let epochs = epochs.filter(|of| of.seed == seed && of.epoch > 0);
            epochs.cloned().collect::<Vec<ClassifierRecord>>()
        });
        (outcome, courses)
    };
    let kept_epoch = |outcome: &Outcome, seed: usize| {
        let found = &outcome.members[seed].evidence["accuracy"]["kept_epoch"];
        found.as_u64().expect("the best epoch was kept") as usize
    };
    let (best, courses) = trained(12, Keep::Best { patience: None });
    let (patient, patient_courses) = trained(12, Keep::Best { patience: Some(1) });
    for (seed, course) in courses.iter().enumerate() {
        assert_eq!(course.len(), 12, "curves go on");
        let score = |of: &ClassifierRecord| {
            let [accuracy, cost] = [of.validation_accuracy, of.validation_cost];
            [
                accuracy.expect("it was scored"),
                -cost.expect("it was scored"),
            ]
        };
        let mut chosen = &course[0];
        for record in course {
            if score(record) > score(chosen) {
                chosen = record;
            }
        }
        assert_eq!(kept_epoch(&best, seed), chosen.epoch, "seed {seed}");
        // As if it had been the last: the learning rate is constant.
        let (last, _) = trained(chosen.epoch, Keep::Last);
        let name = format!("D/seed {seed}/layer.01.weight");
        let [best, last] = [&best, &last].map(|of| bits(&(of.weights)(), &name));
        assert_eq!(best, last);

        let epochs = patient_courses[seed].len();
        assert_eq!(patient_courses[seed], course[..epochs]);
        assert!(epochs == 12 || kept_epoch(&patient, seed) == epochs - 1);
    }
    let ended_early = patient_courses.iter().any(|course| course.len() < 12);
    assert!(ended_early, "no epoch was worse than the one before it");
}

#[test]
fn every_stage_leaves_the_layers_below_untouched_and_learns_the_same_whatever_comes_after() {
    let [one, two, three] = [1, 2, 3].map(|k| {
        let outcome = run(&[deep("D", k)], &[0], 1);
        assert_eq!(outcome.ending, Ending::Complete);
        assert_eq!(proofs(&outcome).len(), k);
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
    let transfers = proofs(&run(&[deep("D", 3)], &[0, 1], 1));
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
    let frozen = ClassifierTraining {
        trained_layers: TrainedLayers::Output,
        ..training(2)
    };
    let start = fresh(&[0]);
    let weights = (run(&[classifier("frozen", frozen)], &[0], 1).weights)();
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
    let seeds = [3, 4];
    let encoders: Vec<_> = fresh(&seeds)
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
    let control = ClassifierTraining {
        transfer: Transfer::ShuffledWeights,
        ..training(3)
    };
    let conditions = [deep("D", 3), classifier("shuffled", control)];
    let outcome = run(&conditions, &[0], 1);
    let transfers = proofs(&outcome);
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
    let conditions = [deep("C", 0), deep("D", 3)];
    let together = run(&conditions, &[0, 1], 1);
    assert_eq!(together.members.len(), 4);
    let weights = (together.weights)();
    let spread = run(&conditions, &[0, 1], 3);
    assert_eq!((spread.weights)().hash(), weights.hash());
    assert_eq!(spread.members, together.members);
    let alone = run(&conditions[1..], &[1], 1);
    let alone = (alone.weights)();
    for name in ["layer.01.weight", "layer.03.bias", "output.weight"] {
        let name = format!("D/seed 1/{name}");
        assert_eq!(bits(&alone, &name), bits(&weights, &name), "{name}");
    }
}

#[test]
fn conditions_of_one_seed_draw_the_same_first_weights() {
    let first = fresh(&[5]);
    let spec = &stage(WIDTHS[0]).autoencoder;
    let encoder = Autoencoder::new(
        spec,
        &layerwise::spec::Sparsity::default(),
        INPUTS,
        0,
        &[5],
        &flex().device,
    );
    assert_eq!(first.hidden[0].values(), encoder.encoder.values());
}

/// Also where layers are pretrained: initial weights are those before any training.
#[test]
fn initial_weights_are_what_the_seed_draws() {
    let seeds = [3, 4];
    let outcome = run(&[deep("C", 0), deep("D", 2)], &seeds, 1);
    let (initial, weights) = ((outcome.initial_weights)(), (outcome.weights)());
    let mut names = 0;
    for seed in seeds {
        for (name, [_, rows, columns], values) in named_parameters(&fresh(&[seed])) {
            for condition in ["C", "D"] {
                let prefix = format!("{condition}/seed {seed}");
                let drawn = format!("{prefix}/initial/{name}");
                assert_eq!(bits(&initial, &drawn), bits_of(&values), "{drawn}");
                let shape = initial.get(&drawn).expect("it is saved").shape;
                assert_eq!(shape, [rows, columns], "{drawn}");
                let learnt = bits(&weights, &format!("{prefix}/{name}"));
                assert_ne!(learnt, bits_of(&values), "{prefix}/{name} was trained");
                names += 1;
            }
        }
    }
    assert_eq!(initial.iter().count(), names, "and nothing else");
}

/// Keeps what it hears, and asks for an end at the first epoch of stage 2.
struct Listener<'a> {
    stop: Option<&'a Stop>,
    heard: Mutex<Vec<(usize, usize, usize)>>,
    work: Mutex<u64>,
    records: Mutex<Records>,
}

impl Observer for Listener<'_> {
    fn tell(&self, event: Event<'_>) {
        let record = match event {
            Event::Record(record) => record,
            Event::Worked(work) => {
                *self.work.lock().expect("nobody panics") += work;
                return;
            }
            Event::WorkedBefore(_) | Event::Recall(_) | Event::Ended(_) => return,
        };
        let place = match record {
            Record::Stage(record) => {
                if let (Some(stop), 2) = (self.stop, record.stage) {
                    stop.request();
                }
                (record.stage, record.epoch, 0)
            }
            Record::Classifier(record, layers) => {
                let mut records = self.records.lock().expect("nobody panics");
                records.add_classifier(record, layers);
                (0, record.epoch, layers.len())
            }
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
        records: Mutex::default(),
    };
    let plan = plan(vec![deep("D", 2)], &[0]);
    let data = blobs(CLASSES);
    let stop = Stop::default();
    let outcome = watched(&plan, &data, &flex(), 1, &listener, &stop);
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
    let expected = multiply_accumulates(&plan.conditions[0], [50, 50], INPUTS, CLASSES);
    assert_eq!(
        *listener.work.lock().expect("nobody panics") + codes,
        expected
    );
    let records = listener.records.into_inner().expect("nobody panics");
    let results = evidence::conclude(&plan, &data, &records, &outcome);
    let comparison: Comparison = results.of_run("accuracy").expect("of classifiers");
    let summary = &comparison.conditions[0];
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
        records: Mutex::default(),
    };
    let plan = plan(vec![deep("D", 3)], &[0]);
    let outcome = watched(&plan, &blobs(CLASSES), &flex(), 1, &listener, &stop);
    assert_eq!(
        outcome.ending,
        Ending::Stopped {
            after: "0 of 1 model had been trained to the end".to_owned()
        }
    );
    let weights = (outcome.weights)();
    assert!(weights.get("D/seed 0/pretrained/layer.01.weight").is_ok());
    assert!(weights.get("D/seed 0/pretrained/layer.02.weight").is_err());
}
