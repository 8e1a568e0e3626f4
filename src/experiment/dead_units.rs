//! Dead units: what a hidden unit's bias, drawn too wide, does to it, and what saves it.
//!
//! A ramp unit whose pre-activation is below 0 for every training image passes no gradient: its weights stay what
//! they were drawn as. The post found about half of the units so with biases ~ N(0, 1). Three counts tell how many
//! there are: units that are on for no training image before training, units whose weights are unchanged in every
//! bit after it, and units whose picture still looks like the noise it was drawn from.

use burn::tensor::Tensor;

use super::autoencoders::{self, Group, Job, Naming};
use super::{Failure, Outcome, Setting, by_condition_and_seed};
use crate::config::DeadUnits;
use crate::data::Images;
use crate::evidence;
use crate::model::{Autoencoder, numbers};
use crate::ops::Rows;
use crate::results::{DeadUnitsResults, DeadUnitsSummary, Member, Results};
use crate::spec::{AutoencoderTraining, Decoder};

/// A column that correlates above this with its initial values still looks like them.
pub const NOISE_LOOKING_ABOVE: f64 = 0.99;

/// The members of a run: by condition, then by seed.
#[must_use]
pub fn members(plan: &DeadUnits, seeds: &[u64]) -> Vec<Member> {
    let names = plan.conditions.iter().map(|condition| &condition.name);
    by_condition_and_seed(names, seeds)
}

/// Trains every condition under every seed and counts.
///
/// # Errors
///
/// As [`autoencoders::train`].
pub fn run(plan: &DeadUnits, seeds: &[u64], setting: &Setting<'_>) -> Result<Outcome, Failure> {
    let mut members = members(plan, seeds).into_iter();
    let jobs = plan
        .conditions
        .iter()
        .map(|condition| Job {
            setting: condition.setting.clone(),
            members: members.by_ref().take(seeds.len()).collect(),
            sparsity: vec![condition.setting.sparsity; seeds.len()],
        })
        .collect();
    let images = &setting.data.train.images;
    let lit = ever_lit(images);
    let trained = autoencoders::train(jobs, setting, |group| {
        summarize(group, &setting.examples.train.images, &lit)
    })?;
    let results = Results::DeadUnits(DeadUnitsResults {
        members: trained.summaries(),
        ended: trained.ended(),
    });
    Ok(trained.outcome(results, Naming::ByMember))
}

fn summarize(group: &Group<'_>, images: &Rows, lit: &[bool]) -> Vec<DeadUnitsSummary> {
    let seeds: Vec<u64> = group.members.iter().map(|member| member.seed).collect();
    let inputs = images.inputs();
    let spec = &group.setting.autoencoder;
    let units = spec.hidden_units;
    let start = Autoencoder::new(spec, inputs, 0, &seeds, &images.device());
    let trained = group.trainee.model();
    let [at_start, at_end] = [&start, &trained].map(|model| never_on(model, images));
    let (before, after) = (
        group.trainee.initial_weight(),
        numbers(trained.encoder.weight.val()),
    );
    let matrices = before
        .chunks_exact(inputs * units)
        .zip(after.chunks_exact(inputs * units));

    group
        .members
        .iter()
        .zip(matrices)
        .enumerate()
        .map(|(at, (member, (before, after)))| DeadUnitsSummary {
            member: member.clone(),
            description: describe(group.setting, inputs),
            last: group.records[at].clone(),
            hidden_units: units,
            never_on_at_start: at_start[at].clone(),
            never_on: at_end[at].clone(),
            unchanged: group.evaluations[at].untrained.clone(),
            noise_looking: noise_looking(before, after, lit),
        })
        .collect()
}

/// Units that still look like the noise they were drawn as, from matrices `[input, unit]` before and after training, over
/// the inputs that are ever `lit`; `None` where no unit's weights varied over these before training.
fn noise_looking(before: &[f32], after: &[f32], lit: &[bool]) -> Option<Vec<usize>> {
    let units = before.len() / lit.len();
    let column = |matrix: &[f32], unit: usize| -> Vec<f32> {
        let entries = matrix.iter().skip(unit).step_by(units).copied();
        let seen = entries.zip(lit).filter(|(_, lit)| **lit);
        seen.map(|(w, _)| w).collect()
    };
    let is_noise = (0..units).any(|unit| evidence::varies(&column(before, unit)));
    let looks_like_it = |&unit: &usize| {
        evidence::correlation(&column(before, unit), &column(after, unit))
            .is_some_and(|correlation| correlation > NOISE_LOOKING_ABOVE)
    };
    is_noise.then(|| (0..units).filter(looks_like_it).collect())
}

/// A condition in a reader's words.
#[must_use]
pub fn describe(setting: &AutoencoderTraining, inputs: usize) -> String {
    let spec = &setting.autoencoder;
    let decoder = match spec.decoder {
        Decoder::Tied => "tied",
        Decoder::Untied { .. } => "untied",
    };
    format!(
        "{inputs} → {} → {inputs}, {decoder}, {}, W ~ {}, b ~ {}; {}",
        spec.hidden_units,
        spec.activation,
        spec.encoder_weight,
        spec.encoder_bias,
        setting.training
    )
}

/// For each member, the units whose pre-activation is above 0 for no image.
fn never_on(model: &Autoencoder, images: &Rows) -> Vec<Vec<usize>> {
    let [members, _, units] = model.encoder.weight.dims();
    let lowest = f32::NEG_INFINITY;
    let mut highest = Tensor::<3>::full([members, 1, units], lowest, &images.device());
    for x in images.parts(500) {
        let z = model.encoder.pre_activation(&x);
        highest = highest.max_pair(z.max_dim(1));
    }
    numbers(highest)
        .chunks_exact(units)
        .map(|highest| (0..units).filter(|&unit| highest[unit] <= 0.0).collect())
        .collect()
}

/// For each pixel, whether any image has ink there: where none has, a weight cannot learn.
fn ever_lit(images: &Images) -> Vec<bool> {
    let mut lit = vec![false; images.pixels_per_image()];
    for image in images.pixels().chunks_exact(lit.len()) {
        for (lit, &byte) in lit.iter_mut().zip(image) {
            *lit |= byte > 0;
        }
    }
    lit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_without_ink_in_any_image_are_found() {
        let images = Images::new(vec![0, 1, 0, 0, 255, 0], 1, 3).expect("two pictures");
        assert_eq!(ever_lit(&images), [false, true, false]);
    }

    #[test]
    fn what_was_never_noise_cannot_look_like_it() {
        // Two units on three inputs: the first keeps its weights, the second has turned about.
        let before = [1., 1., 2., 2., 9., 9.];
        let after = [1., 2., 2., 1., 0., 0.];
        let seen = [true, true, false];
        assert_eq!(noise_looking(&before, &after, &seen), Some(vec![0]));
        assert_eq!(noise_looking(&[0.5; 6], &after, &seen), None);
        assert_eq!(noise_looking(&before, &after, &[false; 3]), None);
    }
}
