//! `layerwise check`: the resolved plan and what it would cost, without training.

use super::{Failure, PlanArgs, say};
use crate::config::{Experiment, Limit, Plan};
use crate::data;
use crate::experiment::{self, dead_units, pretraining};
use crate::model::Autoencoder;
use crate::redraw;
use crate::spec::AutoencoderTraining;

/// What is assumed where only the headers of the data are read, which do not tell: right for MNIST and its kind.
const CLASSES: usize = 10;

/// Prints every value with its origin, then parameter counts, steps and an estimate of the work.
pub fn check(plan: PlanArgs) -> Result<(), Failure> {
    let config = plan.overrides.load(&plan.config)?;
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
    let (what, cure) = if held_out == 0 {
        (String::new(), "raise data.train_images")
    } else {
        (
            format!(" left of {images} after data.validation_images = {held_out}"),
            "hold out fewer with data.validation_images",
        )
    };
    Err(Failure::Request(format!(
        "a batch holds {batch} images, but there are only {left} training images{what}\n  hint: lower the batch size, or \
         {cure}"
    )))
}

fn seeds_line(conditions: usize, seeds: usize) -> String {
    format!(
        "members     {}: {conditions} conditions × {seeds} seeds",
        conditions * seeds
    )
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
    let extent = experiment::extent(plan, left, inputs, CLASSES);
    fits(extent.largest_batch, images, held_out)?;
    let seeds = plan.run.seeds.len();
    match &plan.experiment {
        Experiment::Figure56(figure) => {
            let AutoencoderTraining {
                autoencoder,
                training,
                ..
            } = &figure.setting;
            let units = autoencoder.hidden_units;
            let parameters = Autoencoder::parameter_count(autoencoder, inputs);
            let betas = figure.sparsity_weights.len();
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
        Experiment::Pretraining(pretraining) => {
            for condition in &pretraining.conditions {
                let work = pretraining::multiply_accumulates(condition, left, inputs, CLASSES);
                say(&format!(
                    "condition   {}: {}; {:.2} TFLOP a seed",
                    condition.name,
                    pretraining::describe(condition, inputs, CLASSES),
                    2.0 * work as f64 / 1e12
                ));
            }
            say(&seeds_line(pretraining.conditions.len(), seeds));
        }
        Experiment::DeadUnits(dead_units) => {
            for condition in &dead_units.conditions {
                say(&format!(
                    "condition   {}: {}",
                    condition.name,
                    dead_units::describe(&condition.setting, inputs)
                ));
            }
            say(&seeds_line(dead_units.conditions.len(), seeds));
        }
    }
    say(&format!(
        "work        {:.2} TFLOP in matrix products of the training steps, all members",
        2.0 * extent.multiply_accumulates as f64 / 1e12
    ));
    for line in redraw::outlook(plan, shape.height, shape.width) {
        say(&format!("pictures    {line}"));
    }
    Ok(())
}
