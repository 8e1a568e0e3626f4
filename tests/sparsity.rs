//! The ways to be sparse: gradients against finite differences of the cost written out in double precision, what holds
//! after a step, and trainings that go on where they were.

mod common;

use std::collections::HashMap;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use common::models::{INPUTS, StopAfter, bits_of, blobs, flex, train};
use layerwise::experiment::rows;
use layerwise::model::{Autoencoder, Sparsity, numbers, parameters};
use layerwise::ops::Rows;
use layerwise::spec::{
    self, AutoencoderSpec, AutoencoderTraining, BatchTopKSparsity, ClassifierSpec,
    ClassifierTraining, Decoder, DecoderBias, Initialization, JumpReluSparsity, KlSparsity,
    L1Sparsity, Model, Revive, Schedule, TrainingSpec,
};
use layerwise::train::{Order, Stop, Trainee};

const IN: usize = 5;
const UNITS: usize = 4;
const IMAGES: usize = 3;
const K: usize = 2;
const LAMBDA: f64 = 0.7;
const BANDWIDTH: f64 = 2.0;

fn untied() -> Decoder {
    Decoder::UNTIED
}

fn normal(variance: f64) -> Initialization {
    Initialization::normal(variance)
}

fn l1(decoder_norms: bool) -> spec::Sparsity {
    spec::Sparsity::L1(L1Sparsity {
        weight: LAMBDA,
        decoder_norms,
        warm_up_steps: 0,
    })
}

fn jump() -> spec::Sparsity {
    spec::Sparsity::JumpRelu(JumpReluSparsity {
        weight: LAMBDA,
        threshold: 0.3,
        bandwidth: BANDWIDTH,
        warm_up_steps: 0,
    })
}

fn batch_topk() -> spec::Sparsity {
    spec::Sparsity::BatchTopK(BatchTopKSparsity {
        k: K,
        threshold_decay: 0.9,
    })
}

/// A model in double precision.
struct Model64 {
    numbers: HashMap<String, Vec<f64>>,
    sparsity: spec::Sparsity,
    subtracts: bool,
}

impl Model64 {
    fn of(&self, name: &str, at: usize) -> f64 {
        self.numbers[name][at]
    }

    /// f((x − c) W + b) of every image.
    fn activity(&self, x: &[f64]) -> Vec<Vec<f64>> {
        let unit = |x: &[f64], unit: usize| -> f64 {
            let inputs = (0..IN).map(|input| {
                let offset = if self.subtracts {
                    self.of("decoder.bias", input)
                } else {
                    0.0
                };
                (x[input] - offset) * self.of("encoder.weight", input * UNITS + unit)
            });
            (inputs.sum::<f64>() + self.of("encoder.bias", unit)).max(0.0)
        };
        let of_image = |x: &[f64]| (0..UNITS).map(|at| unit(x, at)).collect();
        x.chunks_exact(IN).map(of_image).collect()
    }

    /// Which units stay on.
    fn on(&self, activity: &[Vec<f64>]) -> Vec<Vec<bool>> {
        let at_least = |values: Vec<f64>, count: usize| {
            let mut values = values;
            values.sort_by(|a, b| b.total_cmp(a));
            values[count - 1]
        };
        let of_all = at_least(activity.concat(), K * IMAGES);
        let is_on = |image: &Vec<f64>, unit: usize| match self.sparsity {
            spec::Sparsity::TopK { .. } => image[unit] >= at_least(image.clone(), K),
            spec::Sparsity::BatchTopK(_) => image[unit] >= of_all,
            spec::Sparsity::JumpRelu(_) => image[unit] > self.of("log_threshold", unit).exp(),
            _ => true,
        };
        let of_image = |image: &Vec<f64>| (0..UNITS).map(|unit| is_on(image, unit)).collect();
        activity.iter().map(of_image).collect()
    }

    fn cost(&self, x: &[f64], on: &[Vec<bool>]) -> f64 {
        let mut total = 0.0;
        let activity = self.activity(x);
        for ((x, activity), on) in x.chunks_exact(IN).zip(&activity).zip(on) {
            let h: Vec<f64> = activity
                .iter()
                .zip(on)
                .map(|(a, on)| if *on { *a } else { 0.0 })
                .collect();
            for (input, x) in x.iter().enumerate() {
                let made: f64 = (0..UNITS)
                    .map(|unit| h[unit] * self.of("decoder.weight", unit * IN + input))
                    .sum();
                total += 0.5 * (made + self.of("decoder.bias", input) - x).powi(2);
            }
            if let spec::Sparsity::L1(L1Sparsity { decoder_norms, .. }) = self.sparsity {
                let rows = self.numbers["decoder.weight"].chunks_exact(IN);
                for (h, row) in h.iter().zip(rows) {
                    let norm = row.iter().map(|w| w * w).sum::<f64>().sqrt();
                    total += LAMBDA * h * if decoder_norms { norm } else { 1.0 };
                }
            }
        }
        total / IMAGES as f64
    }
}

fn inputs() -> Vec<f32> {
    let number = |at: usize| (at * 7 % 11) as f32 / 10.0 - 0.2;
    (0..IMAGES * IN).map(number).collect()
}

fn batch() -> Rows {
    let data = TensorData::new(inputs(), [1, IMAGES, IN]);
    Rows::Numbers(Tensor::from_data(data, &Device::flex()))
}

/// Gradients by name, of a model with these numbers.
fn gradients(model: &Autoencoder, term: spec::Sparsity) -> HashMap<String, Vec<f32>> {
    let mut sparsity = Sparsity::new(&[term], UNITS, &Device::flex());
    let cost = model.cost(&batch(), None, &mut sparsity);
    let found = GradientsParams::from_grads(cost.total.backward(), model);
    let mut by_name = HashMap::from([
        ("encoder.weight", model.encoder.weight.id),
        ("encoder.bias", model.encoder.bias.id),
        ("decoder.bias", model.decoder.bias.id),
    ]);
    if let Some(weight) = &model.decoder.weight {
        by_name.insert("decoder.weight", weight.id);
    }
    if let Some(threshold) = &model.log_threshold {
        by_name.insert("log_threshold", threshold.id);
    }
    let by_name = by_name.into_iter();
    by_name
        .map(|(name, id)| {
            let gradient = found.get::<3>(id).expect("every parameter has a gradient");
            (name.to_owned(), numbers(gradient))
        })
        .collect()
}

fn model(term: &spec::Sparsity, subtracts: bool) -> Autoencoder {
    let spec = AutoencoderSpec {
        hidden_units: UNITS,
        decoder: untied(),
        encoder_weight: normal(0.5),
        encoder_bias: normal(0.2),
        decoder_bias: normal(0.1).into(),
        subtract_decoder_bias: subtracts,
        ..AutoencoderSpec::default()
    };
    Autoencoder::new(&spec, term, IN, 0, &[3], &Device::flex().autodiff())
}

#[test]
fn gradients_are_those_of_the_cost() {
    const STEP: f64 = 1e-5;
    let x: Vec<f64> = inputs().into_iter().map(f64::from).collect();
    for term in [
        spec::Sparsity::None,
        l1(true),
        l1(false),
        spec::Sparsity::TopK { k: K },
        batch_topk(),
        jump(),
    ] {
        for subtracts in [false, true] {
            let model = model(&term, subtracts);
            let found = gradients(&model, term);
            let numbers = parameters(&model).into_iter();
            let mut exact = Model64 {
                numbers: numbers
                    .map(|(name, _, values)| (name, values.into_iter().map(f64::from).collect()))
                    .collect(),
                sparsity: term,
                subtracts,
            };
            // What stays on is a choice: it does not move with the numbers.
            let on = exact.on(&exact.activity(&x));
            let mut looked_at = 0;
            for name in [
                "encoder.weight",
                "encoder.bias",
                "decoder.bias",
                "decoder.weight",
            ] {
                for (at, &gradient) in found[name].iter().enumerate() {
                    let mut moved = |by: f64| {
                        exact.numbers.get_mut(name).expect("its own")[at] += by;
                        let cost = exact.cost(&x, &on);
                        exact.numbers.get_mut(name).expect("its own")[at] -= by;
                        cost
                    };
                    let expected = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
                    assert!(
                        (f64::from(gradient) - expected).abs() < 1e-4,
                        "{term:?}, {name} {at}: {gradient}, not {expected}"
                    );
                    looked_at += usize::from(expected.abs() > 1e-3);
                }
            }
            assert!(looked_at > 20, "{term:?}: too few gradients are not 0");
        }
    }
}

/// ∂h/∂θ = −(θ/ε) and ∂L0/∂θ = −1/ε for units within ε/2 of their threshold, by the chain rule through θ = exp(ln θ).
#[test]
fn thresholds_are_taught_by_units_that_are_near_them() {
    let term = jump();
    let model = model(&term, false);
    let found = &gradients(&model, term)["log_threshold"];
    let activity = numbers(model.activity(&batch()).inner());
    let h = model.encode(&batch());
    let x = numbers(batch().numbers());
    let residual: Vec<f32> = numbers(model.decode(h).inner())
        .iter()
        .zip(&x)
        .map(|(made, x)| made - x)
        .collect();
    let decoder = numbers(model.decoder.weight.as_ref().expect("untied").val().inner());
    let theta = 0.3_f64;
    let mut near_units = 0;
    for unit in 0..UNITS {
        let mut expected = 0.0;
        for image in 0..IMAGES {
            let a = f64::from(activity[image * UNITS + unit]);
            if a > 0.0 && (a - theta).abs() < BANDWIDTH / 2.0 {
                near_units += 1;
                let of_h: f64 = (0..IN)
                    .map(|input| {
                        let weight = decoder[unit * IN + input];
                        f64::from(residual[image * IN + input] * weight)
                    })
                    .sum();
                expected += -of_h * theta / BANDWIDTH - LAMBDA / BANDWIDTH;
            }
        }
        let expected = expected * theta / IMAGES as f64;
        let gradient = f64::from(found[unit]);
        assert!(
            (gradient - expected).abs() < 1e-4,
            "{gradient}, not {expected}"
        );
    }
    assert!(near_units > 2, "units near their thresholds: {near_units}");
}

#[test]
fn a_decoder_starts_as_the_encoder_transposed_with_norm_1() {
    let spec = AutoencoderSpec {
        hidden_units: UNITS,
        decoder: Decoder::Untied {
            weight: None,
            unit_norm: true,
            transposed_start: true,
        },
        ..AutoencoderSpec::default()
    };
    let term = spec::Sparsity::None;
    let model = Autoencoder::new(&spec, &term, IN, 0, &[1, 2], &Device::flex());
    let decoder = model.decoder.weight.as_ref().expect("untied").val();
    let turned = numbers(decoder.clone().swap_dims(1, 2));
    assert_eq!(
        bits_of(&turned),
        bits_of(&numbers(model.encoder.weight.val()))
    );
    for norm in numbers(decoder.square().sum_dim(2)) {
        assert!((norm - 1.0).abs() < 1e-6, "{norm}");
    }
}

fn setting(sparsity: spec::Sparsity, revive: Revive) -> AutoencoderTraining {
    AutoencoderTraining {
        autoencoder: AutoencoderSpec {
            hidden_units: 12,
            decoder: Decoder::Untied {
                weight: None,
                unit_norm: true,
                transposed_start: true,
            },
            encoder_weight: normal(1.0 / 36.0),
            decoder_bias: DecoderBias::DataMean,
            subtract_decoder_bias: true,
            ..AutoencoderSpec::default()
        },
        sparsity,
        revive,
        training: TrainingSpec {
            learning_rate: 1e-2,
            schedule: Schedule::Cosine,
            warm_up_steps: 5,
            largest_gradient_norm: Some(1.0),
            batch_size: 7,
            epochs: 4,
            ..TrainingSpec::default()
        },
        ..AutoencoderTraining::default()
    }
}

const ORDER: Order = Order { seed: 0, stage: 0 };

fn settings() -> Vec<AutoencoderTraining> {
    let aux_k = Revive::AuxK {
        k: 3,
        weight: 0.5,
        silent_images: 20,
    };
    let resample = Revive::Resample { silent_images: 20 };
    vec![
        setting(spec::Sparsity::None, Revive::None),
        setting(
            spec::Sparsity::Kl(KlSparsity {
                weight: 0.1,
                warm_up_steps: 9,
                ..KlSparsity::default()
            }),
            Revive::None,
        ),
        setting(l1(true), resample),
        setting(spec::Sparsity::TopK { k: 1 }, aux_k),
        setting(spec::Sparsity::TopK { k: 1 }, resample),
        setting(batch_topk(), aux_k),
        setting(jump(), aux_k),
    ]
}

fn all_bits(trainee: &Trainee) -> Vec<u32> {
    let parameters = parameters(&trainee.model()).into_iter();
    let values: Vec<f32> = parameters.flat_map(|(_, _, values)| values).collect();
    bits_of(&values)
}

#[test]
fn a_training_goes_on_where_it_was_whatever_the_kind() {
    let images = rows(&blobs(10).train.images, &flex().device);
    for setting in settings() {
        let start = || Trainee::autoencoders(&setting, &[5], &[setting.sparsity], &images, 0);
        let mut whole = start();
        while !whole.is_trained() {
            let costs = whole.epoch(&images, ORDER, &(), &Stop::default());
            assert!(costs.expect("an epoch")[0][0].is_finite());
        }
        for steps in [3, 11, 20] {
            let stop = Stop::default();
            let mut first = start();
            let observer = StopAfter::new(steps, &stop);
            while first.epoch(&images, ORDER, &observer, &stop).is_some() {}
            let mut second = start()
                .restored(first.state(), &flex().device)
                .expect("its own state");
            while !second.is_trained() {
                let _ = second.epoch(&images, ORDER, &(), &Stop::default());
            }
            assert_eq!(
                all_bits(&second),
                all_bits(&whole),
                "{setting:?} after {steps}"
            );
            assert_eq!(second.silence(), whole.silence());
        }
    }
}

#[test]
fn decoder_weights_keep_norm_1_and_units_come_back() {
    let images = rows(&blobs(10).train.images, &flex().device);
    let mut revived = 0;
    for setting in settings() {
        let mut trainee = Trainee::autoencoders(&setting, &[5], &[setting.sparsity], &images, 0);
        while !trainee.is_trained() {
            let _ = trainee.epoch(&images, ORDER, &(), &Stop::default());
            let counts = trainee.silence().map(|counts| counts[0]);
            assert_eq!(counts.is_some(), setting.revive != Revive::None);
            revived += counts.map_or(0, |counts| counts.revived);
        }
        let weight = trainee.model().decoder.weight.expect("untied").val();
        for norm in numbers(weight.square().sum_dim(2)) {
            assert!((norm - 1.0).abs() < 1e-5, "{norm}");
        }
    }
    assert!(revived > 0, "no unit came back");
}

#[test]
fn a_code_outside_of_training_has_as_many_units_as_its_kind_says() {
    let images = rows(&blobs(10).train.images, &flex().device);
    for setting in settings() {
        let mut trainee = Trainee::autoencoders(&setting, &[5], &[setting.sparsity], &images, 0);
        while !trainee.is_trained() {
            let _ = trainee.epoch(&images, ORDER, &(), &Stop::default());
        }
        let model = trainee.model();
        let h = numbers(model.encode(&images));
        let counts: Vec<usize> = h
            .chunks_exact(12)
            .map(|h| h.iter().filter(|h| **h > 0.0).count())
            .collect();
        let mean = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
        match setting.sparsity {
            spec::Sparsity::TopK { k } => assert!(counts.iter().all(|count| *count <= k)),
            // The threshold is a mean over batches.
            spec::Sparsity::BatchTopK(_) => assert!((mean - K as f64).abs() < 0.7, "{mean}"),
            spec::Sparsity::JumpRelu(_) => {
                let theta = model.log_threshold.as_ref().expect("learnt").val().exp();
                let theta = numbers(theta);
                let on = h.chunks_exact(12).flat_map(|h| h.iter().zip(&theta));
                assert!(on.filter(|(h, _)| **h > 0.0).all(|(h, theta)| h > theta));
            }
            _ => {}
        }
    }
}

#[test]
fn a_layer_made_of_an_encoder_gives_what_its_units_give() {
    let images = rows(&blobs(10).train.images, &flex().device);
    let setting = setting(spec::Sparsity::TopK { k: 2 }, Revive::None);
    let mut trainee = Trainee::autoencoders(&setting, &[5], &[setting.sparsity], &images, 0);
    let _ = trainee.epoch(&images, ORDER, &(), &Stop::default());
    let model = trainee.model();
    let [layer, units] = [model.as_layer().forward(&images), model.activity(&images)];
    assert_eq!(bits_of(&numbers(layer)), bits_of(&numbers(units)));
}

/// Every kind as the pretraining of a classifier, and a probe of every kind's codes.
#[test]
fn every_kind_pretrains_and_can_be_probed() {
    let data = blobs(10);
    for stage in settings() {
        let stages = [12, 6].map(|units| {
            let mut stage = stage.clone();
            stage.autoencoder.hidden_units = units;
            stage.training.epochs = 1;
            stage
        });
        let classifier = ClassifierTraining {
            classifier: ClassifierSpec {
                hidden_units: vec![12, 6],
                ..ClassifierSpec::default()
            },
            stages: stages.to_vec(),
            training: TrainingSpec {
                epochs: 1,
                ..TrainingSpec::default()
            },
            ..ClassifierTraining::default()
        };
        let conditions = vec![common::models::classifier("D", classifier)];
        let outcome = train(&common::models::plan(conditions, &[0]), &data, &flex(), 1);
        assert_eq!(outcome.members.len(), 1, "{:?} ended", stage.sparsity);

        let mut probed = stage.clone();
        probed.probe_epochs = 30;
        let condition = common::models::condition("it", Model::Autoencoder(probed));
        let outcome = train(
            &common::models::plan(vec![condition], &[0, 1]),
            &data,
            &flex(),
            2,
        );
        let shares = outcome.members.iter().map(|of| {
            let value = &of.evidence["code_accuracy"]["code_accuracy"];
            value.as_f64().expect("a share")
        });
        let shares: Vec<f64> = shares.collect();
        assert!(
            shares.iter().all(|share| (0.0..=1.0).contains(share)),
            "{shares:?}"
        );
        assert_eq!(INPUTS, 36);
    }
}
