//! `layerwise check`: the resolved plan and what it would cost. Reads and checks all that a run would, and trains
//! nothing.

use super::prepare::{Prepared, prepare};
use super::{Failure, PlanArgs, cores};
use crate::config::{Experiment, Plan};
use crate::experiment::{dead_units, pretraining};
use crate::machine::{self, readable};
use crate::model::Autoencoder;
use crate::redraw;
use crate::spec::AutoencoderTraining;
use crate::ui::print::say;
use crate::words::counted;

/// Prints every value with its origin, then data, parameter counts, steps and estimates of work and memory.
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
    let prepared = prepare(&config, cores())?;
    describe(&config.plan, &prepared);
    prepared.warn();
    Ok(())
}

fn members_line(count: usize, what: &str, seeds: usize) -> String {
    format!(
        "members     {}: {what} × {}",
        count * seeds,
        counted(seeds, "seed")
    )
}

fn describe(plan: &Plan, prepared: &Prepared) {
    let data = &prepared.data;
    let images = &data.train.images;
    let (inputs, classes, left) = (images.pixels_per_image(), data.classes, images.count());
    let held_out = data.validation.as_ref().map_or(String::new(), |split| {
        let count = counted(split.images.count(), "validation image");
        format!(", {count} held out")
    });
    say(&format!(
        "data        {}: {}{held_out}, {} of {}×{} pixels, {}",
        data.name.unwrap_or("no set that this program knows"),
        counted(left, "training image"),
        counted(data.test.images.count(), "test image"),
        images.height(),
        images.width(),
        counted(classes, "class"),
    ));
    say(&format!("found in    {}", prepared.found_at.display()));
    let seeds = plan.run.seeds.len();
    match &plan.experiment {
        Experiment::Figure56(figure) => {
            let AutoencoderTraining {
                autoencoder,
                training,
                ..
            } = &figure.settings[0];
            let units = autoencoder.hidden_units;
            let parameters = Autoencoder::parameter_count(autoencoder, inputs);
            let steps = left.div_ceil(training.batch_size);
            say(&format!(
                "model       {inputs} → {units} → {inputs}, {parameters} parameters a member"
            ));
            let betas = figure.settings.len();
            let what = counted(betas, "value") + " of β";
            say(&members_line(betas, &what, seeds));
            say(&format!(
                "steps       {} a member: {} × {} of {}",
                steps * training.epochs,
                counted(training.epochs, "epoch"),
                counted(steps, "batch"),
                counted(training.batch_size, "image"),
            ));
        }
        Experiment::Pretraining(pretraining) => {
            for condition in &pretraining.conditions {
                let work = pretraining::multiply_accumulates(condition, left, inputs, classes);
                say(&format!(
                    "condition   {}: {}; {:.2} TFLOP a seed",
                    condition.name,
                    pretraining::describe(condition, inputs, classes),
                    2.0 * work as f64 / 1e12
                ));
            }
            let count = pretraining.conditions.len();
            say(&members_line(count, &counted(count, "condition"), seeds));
        }
        Experiment::DeadUnits(dead_units) => {
            for condition in &dead_units.conditions {
                say(&format!(
                    "condition   {}: {}",
                    condition.name,
                    dead_units::describe(&condition.setting, inputs)
                ));
            }
            let count = dead_units.conditions.len();
            say(&members_line(count, &counted(count, "condition"), seeds));
        }
    }
    say(&format!(
        "work        {:.2} TFLOP in matrix products of the training steps, all members",
        2.0 * prepared.extent.multiply_accumulates as f64 / 1e12
    ));
    let limit =
        machine::memory().map(|memory| format!("; {} {}", memory.owner, readable(memory.limit)));
    say(&format!(
        "memory      about {}: {}{}",
        readable(prepared.need.bytes()),
        prepared.need,
        limit.unwrap_or_default()
    ));
    for line in redraw::outlook(plan, images.height(), images.width()) {
        say(&format!("pictures    {line}"));
    }
}
