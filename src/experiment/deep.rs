//! Deep autoencoders (Hinton and Salakhutdinov 2006): a stack of layers down to a small code and back, trained whole from
//! random weights, or from autoencoders that were trained one on the other's codes and unrolled.

use super::classifiers::of_layers;
use super::group::{After, Pretrained, Trainable, named};
use super::{Models, Setting};
use crate::model::{DeepAutoencoder, Layer, Parameter};
use crate::ops::Rows;
use crate::results::{EpochRecord, TransferProof};
use crate::spec::DeepAutoencoderTraining;
use crate::train::pretraining::unroll_into;
use crate::train::{DeepEvaluation, DeepTrainee, Labelled, Reconstructing, Record};
use crate::weights::{decoder_name, layer_name};

/// Deep autoencoders of one condition.
pub(super) struct DeepAutoencoders {
    pub condition: DeepAutoencoderTraining,
}

impl Trainable for DeepAutoencoders {
    type Learner = Reconstructing;
    type Record = EpochRecord;
    type Found = Vec<DeepEvaluation>;

    const IS_UNROLLED: bool = true;

    fn examples(of: &Labelled) -> &Rows {
        &of.images
    }

    fn fresh(&self, seeds: &[u64], handed_on: &Pretrained, setting: &Setting<'_>) -> DeepTrainee {
        let DeepAutoencoderTraining {
            network, training, ..
        } = &self.condition;
        let device = &setting.backend.device;
        let inputs = setting.data.train.images.inputs();
        let mut model = DeepAutoencoder::new(network, inputs, seeds, device);
        unroll_into(&mut model, &handed_on.encoders, &handed_on.decoders, device);
        let work = DeepAutoencoder::step_multiply_accumulates(network, inputs);
        DeepTrainee::deep_autoencoders(model, training, seeds.len(), work)
    }

    fn pretrained_layers(model: &DeepAutoencoder) -> &[Layer] {
        &model.encoder
    }

    fn look(
        &self,
        trainee: &DeepTrainee,
        after: &After<'_>,
        setting: &Setting<'_>,
    ) -> (Vec<EpochRecord>, Vec<DeepEvaluation>) {
        let count = after.members.len();
        let costs = after.costs.map(|costs| costs[0].clone());
        // What it costs before its first step.
        let costs = costs.unwrap_or_else(|| {
            let of_start = trainee.evaluate(&setting.examples.train.images, count);
            of_start.iter().map(|of| of.reconstruction).collect()
        });
        let test = &setting.data.test.images;
        let variation = test.total_variation() / test.count() as f64;
        let evaluations = trainee.evaluate(&setting.examples.test.images, count);
        let members = after.members.iter().zip(costs.iter().zip(&evaluations));
        let records = members
            .map(|(member, (&cost, evaluation))| EpochRecord {
                epoch: after.epoch,
                member: member.index,
                label: member.label.clone(),
                condition: member.condition.clone(),
                seed: member.seed,
                learning_rate: after.learning_rate,
                cost,
                reconstruction: cost,
                test_reconstruction: evaluation.reconstruction,
                test_squared_error: Some(evaluation.squared_error),
                explained_variance: (variation > 0.0)
                    .then(|| 1.0 - evaluation.squared_error / variation),
                mean_activation: evaluation.mean_activation,
                active_units: evaluation.active_units,
                dead_units: evaluation.dead,
                ..EpochRecord::default()
            })
            .collect();
        (records, evaluations)
    }

    fn watched(record: &EpochRecord) -> Vec<(String, f64)> {
        let squared_error = record.test_squared_error.unwrap_or(0.0);
        named([
            ("the training cost", record.cost),
            ("the test error", record.test_reconstruction),
            ("the squared error of test images", squared_error),
            ("the mean activation of the code", record.mean_activation),
        ])
    }

    fn told(record: &EpochRecord) -> Record<'_> {
        Record::Epoch(record)
    }

    fn models<'a>(
        &'a self,
        trainee: &'a DeepTrainee,
        found: &'a Vec<DeepEvaluation>,
        proofs: &'a [TransferProof],
    ) -> Models<'a> {
        Models::DeepAutoencoders {
            setting: &self.condition,
            trainee,
            evaluations: found,
            proofs,
        }
    }

    fn parameters(&self, trainee: &DeepTrainee) -> Vec<Parameter> {
        deep_parameters(&trainee.model())
    }
}

/// Every parameter of a deep autoencoder by the name it is saved under.
#[must_use]
pub fn deep_parameters(model: &DeepAutoencoder) -> Vec<Parameter> {
    let there = model.encoder.iter().enumerate();
    let back = model.decoder.iter().enumerate();
    let there = there.map(|(at, layer)| (layer_name(at), layer));
    of_layers(there.chain(back.map(|(at, layer)| (decoder_name(at), layer))))
}
