//! `layerwise check`: the resolved plan and what it would cost, without training.

use super::{Failure, PlanArgs, say};
use crate::config::{Experiment, Limit, Plan};
use crate::data;
use crate::experiment;
use crate::model::Autoencoder;
use crate::spec::AutoencoderTraining;

/// Prints every value with its origin, then parameter counts, steps and an estimate of the work.
pub fn check(plan: PlanArgs) -> Result<(), Failure> {
    let config = plan.load()?;
    let width = config.values.iter().map(|value| value.key.len()).max();
    let values = config
        .values
        .iter()
        .map(|value| value.value.chars().count())
        .max();
    for setting in &config.values {
        say(&format!(
            "{:<keys$}  {:<values$}  {}",
            setting.key,
            setting.value,
            setting.origin,
            keys = width.unwrap_or(0),
            values = values.unwrap_or(0).min(40),
        ));
    }
    say("");
    describe(&config.plan)
}

/// Checks that there are images enough for a plan.
pub fn fits(batch: usize, images: usize, held_out: usize) -> Result<(), Failure> {
    let left = images.saturating_sub(held_out);
    if batch <= left {
        return Ok(());
    }
    Err(Failure::Request(format!(
        "a batch holds {batch} images, but there are only {left} training images{}\n  hint: lower the batch size, or \
         raise data.train_images",
        if held_out == 0 {
            String::new()
        } else {
            format!(" left of {images} after data.validation_images = {held_out}")
        }
    )))
}

fn describe(plan: &Plan) -> Result<(), Failure> {
    let shape = data::peek(&plan.data.dir).map_err(Failure::work)?;
    let inputs = shape.height * shape.width;
    let images = match plan.data.train_images {
        Limit::All => shape.train,
        Limit::First(count) => count,
    };
    if images > shape.train {
        return Err(Failure::Request(format!(
            "data.train_images is {images}, but there are {} training images\n  hint: use no more than there are",
            shape.train
        )));
    }
    let held_out = plan.data.validation_images;
    let left = images.saturating_sub(held_out);
    // The headers do not tell how many classes there are; ten is what these sets have.
    let extent = experiment::extent(plan, left, inputs, 10);
    fits(extent.largest_batch, images, held_out)?;
    match &plan.experiment {
        Experiment::Figure56(figure) => {
            let AutoencoderTraining {
                autoencoder,
                training,
                ..
            } = &figure.setting;
            let units = autoencoder.hidden_units;
            let parameters = Autoencoder::parameter_count(autoencoder, inputs);
            let (betas, seeds) = (figure.sparsity_weights.len(), plan.run.seeds.len());
            let steps = left.div_ceil(training.batch_size);
            say(&format!(
                "model       {inputs} → {units} → {inputs}, {parameters} parameters a member"
            ));
            say(&format!(
                "members     {}: {betas} values of β × {seeds} seeds",
                betas * seeds
            ));
            say(&format!(
                "steps       {} a member: {} epochs × {steps} batches of {} images",
                steps * training.epochs,
                training.epochs,
                training.batch_size
            ));
        }
        Experiment::Pretraining(_) | Experiment::DeadUnits(_) => unimplemented!(),
    }
    say(&format!(
        "work        {:.2} TFLOP in matrix products of the training steps, all members",
        2.0 * extent.multiply_accumulates as f64 / 1e12
    ));
    Ok(())
}
