//! Training over all images at once, by L-BFGS: it comes to the optimum, goes on where it was, and a config says what goes
//! with it.

mod common;

use burn::module::Module;
use common::models::{StopAfter, bits_of, blobs, flex};
use layerwise::experiment::Examples;
use layerwise::model::{Classifier, parameters};
use layerwise::spec::{
    Activation, AutoencoderSpec, AutoencoderTraining, ClassifierSpec, Decoder, KlSparsity,
    MeanActivationEstimator, OptimizerSpec, Sparsity, TrainedLayers, TrainingSpec,
};
use layerwise::train::{ClassifierTrainee, Order, Stop, Trainee};

const ORDER: Order = Order { seed: 0, stage: 0 };

fn searching(iterations: usize, epochs: usize) -> TrainingSpec {
    TrainingSpec {
        optimizer: OptimizerSpec::Lbfgs {
            iterations,
            history: 5,
        },
        epochs,
        weight_decay: 0.01,
        ..TrainingSpec::default()
    }
}

/// All numbers of a model.
fn vector(model: &impl Module) -> Vec<f32> {
    let parameters = parameters(model).into_iter();
    parameters.flat_map(|(_, _, values)| values).collect()
}

#[test]
fn softmax_regression_comes_to_the_optimum_that_long_descent_comes_to() {
    let data = blobs(5);
    let examples = Examples::new(&data, &flex().device);
    let trained = |training: &TrainingSpec| {
        let spec = ClassifierSpec::default();
        let model = Classifier::new(&spec, 36, data.classes, &[1], &flex().device);
        let all = TrainedLayers::All;
        let mut trainee = ClassifierTrainee::classifiers(model, training, all, 1);
        let mut cost = 0.0;
        while !trainee.is_trained() {
            let parts = trainee.epoch(&examples.train, ORDER, &(), &Stop::default());
            cost = parts.expect("nobody stops it")[0][0];
        }
        let score = trainee.score(&examples.train)[0];
        (vector(&trainee.model()), cost, score.cost)
    };
    let (searched, cost, scored) = trained(&searching(25, 4));
    let (descended, _, other) = trained(&TrainingSpec {
        optimizer: OptimizerSpec::sgd(0.9),
        learning_rate: 0.2,
        batch_size: data.train.images.count(),
        epochs: 8000,
        weight_decay: 0.01,
        ..TrainingSpec::default()
    });
    assert!(
        (cost - scored).abs() < 1e-6,
        "the cost at the end: {cost}, {scored}"
    );
    assert!((scored - other).abs() < 1e-4, "{scored} and {other}");
    for (one, other) in searched.iter().zip(&descended) {
        assert!((one - other).abs() < 2e-3, "{one} and {other}");
    }
}

#[test]
fn the_softmax_layer_may_learn_first_and_all_layers_then() {
    let data = blobs(5);
    let examples = Examples::new(&data, &flex().device);
    let spec = ClassifierSpec {
        hidden_units: vec![8],
        activation: Activation::Sigmoid,
        ..ClassifierSpec::default()
    };
    let model = Classifier::new(&spec, 36, data.classes, &[1], &flex().device);
    let drawn = bits_of(&vector(&model.hidden[0]));
    let trained = TrainedLayers::OutputFirst { epochs: 2 };
    let mut trainee = ClassifierTrainee::classifiers(model, &searching(10, 4), trained, 1);
    let mut costs = Vec::new();
    for epoch in 1..=4 {
        let parts = trainee.epoch(&examples.train, ORDER, &(), &Stop::default());
        costs.push(parts.expect("nobody stops it")[0][0]);
        let is_as_drawn = bits_of(&vector(&trainee.model().hidden[0])) == drawn;
        assert_eq!(is_as_drawn, epoch <= 2, "after epoch {epoch}");
    }
    assert!(costs.windows(2).all(|pair| pair[1] < pair[0]), "{costs:?}");
}

#[test]
fn a_training_goes_on_in_the_middle_of_an_epoch_with_the_same_bits() {
    let data = blobs(10);
    let images = Examples::new(&data, &flex().device).train.images;
    let sparsity = Sparsity::Kl(KlSparsity {
        weight: 3.0,
        target: 0.1,
        estimator: MeanActivationEstimator::Batch,
        ..KlSparsity::default()
    });
    let setting = AutoencoderTraining {
        autoencoder: AutoencoderSpec {
            hidden_units: 12,
            activation: Activation::Sigmoid,
            decoder: Decoder::UNTIED,
            ..AutoencoderSpec::default()
        },
        sparsity,
        training: searching(8, 3),
        ..AutoencoderTraining::default()
    };
    let start = || Trainee::autoencoders(&setting, &[5], &[sparsity], &images, 0);
    let finish = |mut trainee: Trainee| {
        let mut costs = Vec::new();
        while !trainee.is_trained() {
            let of_epoch = trainee.epoch(&images, ORDER, &(), &Stop::default());
            costs = of_epoch.expect("nobody stops it").concat();
        }
        (bits_of(&vector(&trainee.model())), costs)
    };
    let whole = finish(start());
    for steps in [1, 7, 8, 19] {
        let stop = Stop::default();
        let mut first = start();
        let observer = StopAfter::new(steps, &stop);
        while first.epoch(&images, ORDER, &observer, &stop).is_some() {}
        let second = start().restored(first.state(), &flex().device);
        let second = finish(second.expect("its own state"));
        assert_eq!(second, whole, "stopped after {steps} iterations");
    }
    let other = AutoencoderTraining {
        training: searching(8, 3),
        autoencoder: AutoencoderSpec {
            hidden_units: 13,
            ..setting.autoencoder.clone()
        },
        ..setting.clone()
    };
    let other = Trainee::autoencoders(&other, &[5], &[sparsity], &images, 0);
    assert!(other.restored(start().state(), &flex().device).is_none());
}
