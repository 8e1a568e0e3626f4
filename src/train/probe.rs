//! How well classes can be told from an autoencoder's codes: a softmax layer that is trained on codes which stay as they
//! are (as Makhzani and Frey 2013 do).

use super::autoencoder::Trainee;
use super::classifier::{Labelled, score};
use super::observe::Stop;
use super::training::{Learner, Order, Place, Training};
use crate::model::{Autoencoder, Classifier, Cost};
use crate::spec::{
    ClassifierSpec, Initialization, OptimizerSpec, TrainedLayers, TrainingSpec, Variance,
};

/// The batches and steps of the softmax layer: Adam with its usual rate.
const BATCH_SIZE: usize = 100;
const LEARNING_RATE: f64 = 1e-3;

/// The learning of a softmax layer on codes.
struct Probing(Autoencoder);

impl Learner for Probing {
    type Model = Classifier;
    type Examples = Labelled;

    const PARTS: &'static [&'static str] = &["cost"];

    fn cost(&mut self, model: &Classifier, examples: &Labelled, _: Place) -> Cost {
        let code = self.0.encode(&examples.images).into();
        model.cost(&code, examples.targets(), TrainedLayers::All)
    }
}

impl Trainee {
    /// The share of the `test` images that a softmax layer puts into their class, of `classes`, once it is trained for so
    /// many epochs on the codes of the `train` images; one for each member, with these seeds.
    #[must_use]
    pub fn code_accuracy(
        &self,
        [train, test]: [&Labelled; 2],
        classes: usize,
        seeds: &[u64],
        order_seed: u64,
        epochs: usize,
    ) -> Vec<f64> {
        let autoencoder = self.model();
        let units = autoencoder.encoder.weight.dims()[2];
        let spec = ClassifierSpec {
            weight: Initialization::Normal(Variance::OverFanIn { scale: 1.0 }),
            bias: Initialization::Constant(0.0),
            ..ClassifierSpec::default()
        };
        let device = train.images.device();
        let softmax = Classifier::new(&spec, units, classes, seeds, &device);
        let training = TrainingSpec {
            optimizer: OptimizerSpec::adam(),
            learning_rate: LEARNING_RATE,
            batch_size: BATCH_SIZE,
            epochs,
            ..TrainingSpec::default()
        };
        let order = Order {
            seed: order_seed,
            stage: 0,
        };
        let learner = Probing(autoencoder.clone());
        let mut probe = Training::new(softmax, learner, &training, seeds.len(), 0);
        while !probe.is_trained() {
            // Nobody stops it in between.
            let _ = probe.epoch(train, order, &(), &Stop::default());
        }
        let model = probe.model();
        let logits = |x: &_| model.logits(&autoencoder.encode(x).into());
        let scores = score(logits, seeds.len(), test).into_iter();
        scores.map(|score| score.accuracy).collect()
    }
}
