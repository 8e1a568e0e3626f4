//! Multiply–accumulate operations of a training: the unit of work in estimates, progress and costs.

use crate::model::{Autoencoder, Classifier, DeepAutoencoder};
use crate::spec::{AutoencoderTraining, Condition, Model, Target, TrainedLayers};
use crate::train::pretraining::of_one_layer;

/// How much there is to learn from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub images: usize,
    pub inputs: usize,
    pub classes: usize,
}

/// Multiply–accumulate operations of the whole training of one member of a condition, on so many training images and so
/// many to pretrain on.
#[must_use]
pub fn multiply_accumulates(
    condition: &Condition,
    [images, to_pretrain]: [usize; 2],
    inputs: usize,
    classes: usize,
) -> u64 {
    let of_model = step(&condition.model, inputs, classes);
    let stages = condition.stages();
    let sizes = Sizes {
        images: to_pretrain,
        inputs,
        classes,
    };
    let pretraining: u64 = (0..stages.len())
        .map(|stage| {
            let [epoch, codes] = stage_work(stages, condition.target(), stage, sizes);
            let epochs = stages[stage].training.epochs as u64;
            epoch.saturating_mul(epochs).saturating_add(codes)
        })
        .fold(0, u64::saturating_add);
    let training = condition.training();
    let images = (images * training.epochs * training.passes()) as u64;
    pretraining.saturating_add(of_model.saturating_mul(images))
}

/// Operations of a training step of the model, for each image.
pub(super) fn step(model: &Model, inputs: usize, classes: usize) -> u64 {
    match model {
        Model::Autoencoder(of) => Autoencoder::step_multiply_accumulates(&of.autoencoder, inputs),
        Model::Classifier(of) => {
            let (spec, trained) = (&of.classifier, of.trained_layers);
            Classifier::step_multiply_accumulates(spec, inputs, classes, trained)
        }
        Model::DeepAutoencoder(of) => {
            DeepAutoencoder::step_multiply_accumulates(&of.network, inputs)
        }
    }
}

/// Operations of one epoch of a stage (counted from 0), and of computing the codes after it.
pub(super) fn stage_work(
    stages: &[AutoencoderTraining],
    target: Target,
    stage: usize,
    sizes: Sizes,
) -> [u64; 2] {
    let inputs = match stage {
        0 => sizes.inputs,
        stage => stages[stage - 1].autoencoder.hidden_units,
    };
    let spec = &stages[stage].autoencoder;
    let step = match target {
        Target::Reconstruction => Autoencoder::step_multiply_accumulates(spec, inputs),
        Target::Classes => {
            let (spec, trained) = (of_one_layer(spec), TrainedLayers::All);
            Classifier::step_multiply_accumulates(&spec, inputs, sizes.classes, trained)
        }
    };
    // Nobody needs the codes of the last stage.
    let codes = if stage + 1 < stages.len() {
        (inputs * spec.hidden_units) as u64
    } else {
        0
    };
    let passes = stages[stage].training.passes() as u64;
    let step = step.saturating_mul(passes);
    [step, codes].map(|of| of.saturating_mul(sizes.images as u64))
}
