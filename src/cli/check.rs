//! `layerwise check`: the resolved plan and what it would cost. Reads and checks all that a run would, and trains
//! nothing.

use super::{Failure, PlanArgs, cores};
use crate::backend::Kind;
use crate::evidence;
use crate::experiment::{describe as in_words, multiply_accumulates};
use crate::machine::{self, readable};
use crate::model::{Autoencoder, Classifier, DeepAutoencoder};
use crate::report::significant;
use crate::run::{Prepared, estimate, prepare};
use crate::spec::{Model, Plan};
use crate::ui::print::say;
use crate::words::{classes_in_words, counted, padded, seconds};

/// Prints every value with its origin, then data, parameter counts, steps and estimates of work and memory.
pub fn check(plan: PlanArgs) -> Result<(), Failure> {
    let config = plan.overrides.load(&plan.config)?;
    let jobs = cores();
    let prepared = prepare(&config, None, jobs)?;
    let width = config.values.iter().map(|value| value.key.len()).max();
    let values = config
        .values
        .iter()
        .map(|value| value.value.chars().count())
        .max();
    for setting in &config.values {
        say(&format!(
            "{}  {}  {}",
            padded(&setting.key, width.unwrap_or(0)),
            padded(&setting.value, values.unwrap_or(0).min(40)),
            setting.origin,
        ));
    }
    say("");
    prepared.warn();
    describe(&config.plan, &prepared, jobs);
    Ok(())
}

/// Work as pages count it.
fn operations(work: u64) -> String {
    format!(
        "{} · 10⁹ multiply–accumulates",
        significant(work as f64 / 1e9, 3)
    )
}

fn describe(plan: &Plan, prepared: &Prepared, jobs: usize) {
    let data = &prepared.data;
    let images = &data.train.images;
    let (inputs, classes, left) = (images.inputs(), data.classes, images.count());
    let noun = images.frame().noun();
    let held_out = data.validation.as_ref().map_or(String::new(), |split| {
        let count = counted(split.images.count(), &format!("validation {noun}"));
        format!(", {count} held out")
    });
    let of_others = data.pretraining.as_ref().map_or(String::new(), |split| {
        let count = counted(split.images.count(), noun);
        format!(", {count} of other classes to pretrain on")
    });
    say(&format!(
        "data        {}: {}{held_out}{of_others}, {} of {}, {}",
        data.name.unwrap_or("no set that this program knows"),
        counted(left, &format!("training {noun}")),
        counted(data.test.images.count(), &format!("test {noun}")),
        images.frame(),
        classes_in_words(classes),
    ));
    say(&format!("found in    {}", prepared.found_at.display()));
    if !data.transforms.is_identity() {
        let [low, high] = images.range();
        say(&format!(
            "transforms  training inputs then go from {low:.3} to {high:.3}"
        ));
    }
    for condition in &plan.conditions {
        let training = condition.training();
        let to_pretrain = data.to_pretrain().images.count();
        let work = multiply_accumulates(condition, [left, to_pretrain], inputs, classes);
        let parameters = match &condition.model {
            Model::Autoencoder(of) => Autoencoder::parameter_count(of, inputs),
            Model::Classifier(of) => Classifier::parameter_count(&of.classifier, inputs, classes),
            Model::DeepAutoencoder(of) => DeepAutoencoder::parameter_count(&of.network, inputs),
        };
        say(&format!(
            "condition   {}: {}; {}; {} of {}; {} for each seed",
            condition.name,
            in_words(condition, inputs, classes),
            counted(parameters, "parameter"),
            counted(training.steps(left) * training.epochs, "step"),
            counted(training.batch(left), "image"),
            operations(work)
        ));
    }
    let (conditions, seeds) = (plan.conditions.len(), plan.run.seeds.len());
    say(&format!(
        "models      {}: {} × {}",
        conditions * seeds,
        counted(conditions, "condition"),
        counted(seeds, "seed")
    ));
    say(&format!(
        "work        {} in the matrix products of all training steps",
        operations(prepared.extent.multiply_accumulates)
    ));
    let limit =
        machine::memory().map(|memory| format!("; {} {}", memory.owner, readable(memory.limit)));
    say(&format!(
        "memory      about {}: {}{}",
        readable(prepared.need.bytes()),
        prepared.need,
        limit.unwrap_or_default()
    ));
    say(&format!(
        "disk        about {}: weights {}, checkpoints {}, records and pages {}",
        readable(prepared.disk.bytes()),
        readable(prepared.disk.weights),
        readable(prepared.disk.checkpoints),
        readable(prepared.disk.rest),
    ));
    if prepared.backend.kind == Kind::Cpu {
        let estimate = estimate(plan, prepared, jobs);
        let [whole, loading, training, drawing] = [
            estimate.whole(),
            estimate.loading,
            estimate.training(|_| true),
            estimate.drawing,
        ]
        .map(seconds);
        say(&format!(
            "time        about {whole} with {} here: reading {loading}, training {training}, drawing {drawing}",
            counted(jobs, "thread")
        ));
    } else {
        say("time        not estimated on a GPU");
    }
    for line in evidence::outlook(plan, images.frame()) {
        say(&format!("pictures    {line}"));
    }
}
