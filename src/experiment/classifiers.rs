//! Greedy layer-wise pretraining against the vanishing gradient (Okatani, *Deep Learning*, chapter 5; Bengio et al.
//! 2007): classifiers that differ in how they come to their first weights, compared by their test accuracy after
//! every epoch and by what they cost.
//!
//! A condition is run once for each seed. Seeds of a condition, and conditions, are independent of each other;
//! all classifiers see the same batches in the same order, and those of one seed draw the same first weights layer
//! by layer, so that what tells two of them apart is their condition.

use serde::{Deserialize, Serialize};

use super::group::{After, Pretrained, Trainable, named};
use super::{Models, Setting};
use crate::model::{Classifier, Layer, Parameter, parameters};
use crate::results::{ClassifierRecord, LayerRecord, TransferProof};
use crate::spec::{ClassifierTraining, Keep};
use crate::train::pretraining::copy_into;
use crate::train::{
    Classification, ClassifierTrainee, Kept, Labelled, LayerProbe, Record, Score, State,
};
use crate::weights::layer_name;

/// Images of the fixed batch, the first of the training images, that is sent through every layer after each epoch:
/// enough to find a unit that is ever on, few enough to cost under 3 % of an epoch.
pub const PROBE_IMAGES: usize = 1000;

/// Classifiers of one condition.
pub(super) struct Classifiers {
    condition: ClassifierTraining,
    members: usize,
    /// The best of the epochs so far, where that is kept.
    kept: Option<Kept>,
}

impl Classifiers {
    pub fn new(condition: &ClassifierTraining, members: usize) -> Self {
        let kept = match condition.keep {
            Keep::Last => None,
            Keep::Best { patience } => Some(Kept::new(members, patience)),
        };
        Self {
            condition: condition.clone(),
            members,
            kept,
        }
    }

    /// The models that the training leaves, or would leave if it ended now.
    fn left(&self, trainee: &ClassifierTrainee) -> Classifier {
        let kept = self.kept.as_ref().and_then(Kept::model);
        kept.cloned().unwrap_or_else(|| trainee.model())
    }
}

/// A classifier after an epoch, and each of its layers.
#[derive(Serialize, Deserialize)]
pub(super) struct Epoch {
    record: ClassifierRecord,
    layers: Vec<LayerRecord>,
}

impl Trainable for Classifiers {
    type Learner = Classification;
    type Record = Epoch;
    /// How each member does on the validation images, if there are any.
    type Found = Option<Vec<Score>>;

    const IS_TIMED: bool = true;

    fn examples(of: &Labelled) -> &Labelled {
        of
    }

    fn fresh(
        &self,
        seeds: &[u64],
        handed_on: &Pretrained,
        setting: &Setting<'_>,
    ) -> ClassifierTrainee {
        let ClassifierTraining {
            classifier,
            training,
            trained_layers,
            ..
        } = &self.condition;
        let device = &setting.backend.device;
        let inputs = setting.data.train.images.inputs();
        let classes = setting.data.classes;
        let mut model = Classifier::new(classifier, inputs, classes, seeds, device);
        copy_into(&mut model.hidden, &handed_on.encoders, device);
        let work =
            Classifier::step_multiply_accumulates(classifier, inputs, classes, *trained_layers);
        ClassifierTrainee::classifiers(model, training, *trained_layers, work)
    }

    fn pretrained_layers(model: &Classifier) -> &[Layer] {
        &model.hidden
    }

    fn look(
        &self,
        trainee: &ClassifierTrainee,
        after: &After<'_>,
        setting: &Setting<'_>,
    ) -> (Vec<Epoch>, Option<Vec<Score>>) {
        let examples = setting.examples;
        let test = trainee.score(&examples.test);
        let validation = examples.validation.as_ref();
        let validation = validation.map(|examples| trainee.score(examples));
        let probes = trainee.probe(&examples.train, setting.probe_images);
        let members = after.members.iter().enumerate();
        let records = members.map(|(at, member)| {
            let of_validation = validation.as_ref().map(|scores| scores[at]);
            let record = ClassifierRecord {
                epoch: after.epoch,
                member: member.index,
                label: member.label.clone(),
                condition: member.condition.clone(),
                seed: member.seed,
                learning_rate: after.learning_rate,
                cost: after.costs.map(|costs| costs[0][at]),
                test_cost: test[at].cost,
                test_accuracy: test[at].accuracy,
                validation_accuracy: of_validation.map(|score| score.accuracy),
                validation_cost: of_validation.map(|score| score.cost),
                updates: after.spent.updates,
                giga_multiply_accumulates: after.spent.multiply_accumulates as f64 / 1e9,
            };
            let layers = probes[at].iter().enumerate();
            let layers = layers.map(|(layer, probe)| layer_record(&record, layer + 1, probe));
            Epoch {
                layers: layers.collect(),
                record,
            }
        });
        (records.collect(), validation)
    }

    fn watched(Epoch { record, layers }: &Epoch) -> Vec<(String, f64)> {
        let costs = named([
            ("the training cost", record.cost.unwrap_or(0.0)),
            ("the cost on the test images", record.test_cost),
            (
                "the cost on the validation images",
                record.validation_cost.unwrap_or(0.0),
            ),
        ]);
        let in_layers = layers.iter().flat_map(|layer| {
            [
                ("gradient", layer.gradient_norm),
                ("activation", layer.activation_mean),
                ("activation", layer.activation_spread),
            ]
            .map(|(what, value)| (format!("the {what} in layer {}", layer.layer), value))
        });
        costs.into_iter().chain(in_layers).collect()
    }

    fn told(Epoch { record, layers }: &Epoch) -> Record<'_> {
        Record::Classifier(record, layers)
    }

    fn keep(
        &mut self,
        trainee: &ClassifierTrainee,
        validation: &Option<Vec<Score>>,
        going_on: &[bool],
    ) {
        let epoch = trainee.epochs_done();
        let Some(kept) = self.kept.as_mut().filter(|_| epoch > 0) else {
            return;
        };
        let score = |(at, goes_on): (usize, &bool)| {
            let score = validation.as_ref().map(|scores| scores[at]);
            score.filter(|_| *goes_on)
        };
        let scores: Vec<Option<Score>> = going_on.iter().enumerate().map(score).collect();
        kept.offer(epoch, trainee.model(), &scores);
    }

    fn is_over(&self, member: usize, epochs: usize) -> bool {
        let kept = self.kept.as_ref();
        kept.is_some_and(|kept| kept.is_over(member, epochs))
    }

    fn models<'a>(
        &'a self,
        trainee: &'a ClassifierTrainee,
        _: &'a Option<Vec<Score>>,
        proofs: &'a [TransferProof],
    ) -> Models<'a> {
        let kept_epochs = self.kept.as_ref().map(|kept| {
            let epochs = (0..self.members).map(|at| kept.epoch(at));
            epochs
                .map(|of| of.unwrap_or(trainee.epochs_done()))
                .collect()
        });
        Models::Classifiers {
            setting: &self.condition,
            model: Box::new(self.left(trainee)),
            kept_epochs,
            proofs,
        }
    }

    fn parameters(&self, trainee: &ClassifierTrainee) -> Vec<Parameter> {
        named_parameters(&self.left(trainee))
    }

    fn state(&self) -> State {
        self.kept.as_ref().map_or_else(State::default, Kept::state)
    }

    fn restore(&mut self, state: State, trainee: &ClassifierTrainee) -> Option<()> {
        let Some(kept) = &mut self.kept else {
            return Some(());
        };
        kept.restore(trainee.model(), state)
    }
}

/// What a look into a layer, counted from 1, found of the member of `record`.
fn layer_record(record: &ClassifierRecord, layer: usize, probe: &LayerProbe) -> LayerRecord {
    LayerRecord {
        layer,
        epoch: record.epoch,
        member: record.member,
        label: record.label.clone(),
        condition: record.condition.clone(),
        seed: record.seed,
        gradient_norm: probe.gradient_norm,
        gradient_mean: probe.gradient_mean,
        activation_mean: probe.activation_mean,
        activation_spread: probe.activation_spread,
        dead_units: probe.dead_units,
        units: probe.units,
    }
}

/// Every parameter of a classifier by the name it is saved under.
#[must_use]
pub fn named_parameters(model: &Classifier) -> Vec<Parameter> {
    let hidden = model.hidden.iter().enumerate();
    let hidden = hidden.map(|(at, layer)| (layer_name(at), layer));
    of_layers(hidden.chain([("output".to_owned(), &model.output)]))
}

/// Every parameter of layers that are saved under these names.
pub(super) fn of_layers<'a>(layers: impl Iterator<Item = (String, &'a Layer)>) -> Vec<Parameter> {
    let of_layer = |(name, layer): (String, &'a Layer)| {
        let named =
            move |(parameter, shape, values)| (format!("{name}.{parameter}"), shape, values);
        parameters(layer).into_iter().map(named)
    };
    layers.flat_map(of_layer).collect()
}
