//! `layerwise check`: the resolved plan and what it would cost, without training.

use super::{Failure, PlanArgs, say};
use crate::config::{Experiment, Figure56, Limit, Plan};
use crate::data;
use crate::model::Autoencoder;

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
    let Experiment::Figure56(figure) = &config.plan.experiment;
    describe(&config.plan, figure)
}

fn describe(plan: &Plan, figure: &Figure56) -> Result<(), Failure> {
    let shape = data::peek(&plan.data.dir).map_err(Failure::work)?;
    let inputs = shape.height * shape.width;
    let images = match plan.data.train_images {
        Limit::All => shape.train,
        Limit::First(count) => count,
    };
    let training = &figure.training;
    if images > shape.train || training.batch_size > images {
        return Err(Failure::Request(format!(
            "data.train_images is {images} and training.batch_size {}, but there are {} training images\n  hint: \
             use no more than there are",
            training.batch_size, shape.train
        )));
    }
    let members = figure.sparsity_weights.len() * plan.run.seeds.len();
    let steps = images.div_ceil(training.batch_size);
    let parameters = Autoencoder::parameter_count(&figure.autoencoder, inputs);
    // Products of a step: two forward, and backward one for the code and one for each use of a weight matrix.
    let products = 5 * 2 * inputs * figure.autoencoder.hidden_units;
    let operations = products as f64 * (images * training.epochs * members) as f64;
    let units = figure.autoencoder.hidden_units;
    say(&format!(
        "model       {inputs} → {units} → {inputs}, {parameters} parameters a member"
    ));
    say(&format!(
        "members     {members}: {} values of β × {} seeds",
        figure.sparsity_weights.len(),
        plan.run.seeds.len()
    ));
    say(&format!(
        "steps       {} a member: {} epochs × {steps} batches of {} images",
        steps * training.epochs,
        training.epochs,
        training.batch_size
    ));
    say(&format!(
        "work        {:.2} TFLOP in matrix products of the training steps, all members",
        operations / 1e12
    ));
    Ok(())
}
