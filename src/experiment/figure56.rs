//! Figure 5-6 of Okatani, *Deep Learning*: what the hidden units of an autoencoder come to represent as the
//! weight β of the sparsity term grows.
//!
//! One member for each seed and β. Members of one seed start from the same weights and all members see the
//! same batches in the same order, so that what tells two members of a seed apart is β alone.

use burn::tensor::{Device, Tensor, TensorData};

use super::autoencoders::{self, Group, Job, Naming};
use super::{Failure, Outcome, Setting};
use crate::config::Figure56;
use crate::data::batches::Source;
use crate::data::{Dataset, Images};
use crate::evidence;
use crate::model::{numbers, whole_numbers};
use crate::results;
use crate::results::{Figure56Results, Member, MemberSummary, Results, Scores};
use crate::train::{Trainee, encode_all};

/// The members of a run, in the order of their grids: by seed, then by β.
#[must_use]
pub fn members(sparsity_weights: &[f64], seeds: &[u64]) -> Vec<Member> {
    let pairs = seeds
        .iter()
        .flat_map(|&seed| sparsity_weights.iter().map(move |&weight| (seed, weight)));
    pairs
        .enumerate()
        .map(|(index, (seed, sparsity_weight))| {
            Member::new(index, format!("β = {sparsity_weight}"), seed, seeds)
        })
        .collect()
}

/// Trains all members and measures what they became.
///
/// # Errors
///
/// Returns [`Failure`] as soon as a cost or a measurement is infinite or not a number.
pub fn run(figure: &Figure56, seeds: &[u64], setting: &Setting<'_>) -> Result<Outcome, Failure> {
    let job = Job {
        setting: figure.setting.clone(),
        members: members(&figure.sparsity_weights, seeds),
        sparsity_weights: figure.sparsity_weights.repeat(seeds.len()),
    };
    let trained = autoencoders::train(vec![job], setting, |group| {
        summarize(group, setting.data, &setting.backend.device)
    })?;
    let results = trained.summaries();
    let results = results.map(|members| Results::Figure56(Figure56Results { members }));
    Ok(trained.outcome(results, Naming::Stacked))
}

/// The members' scores after the last epoch.
fn summarize(group: &Group<'_>, data: &Dataset, device: &Device) -> Vec<MemberSummary> {
    let (trainee, evaluations) = (group.trainee, group.evaluations);
    let model = trainee.model();
    let weight = model.encoder.weight.val();
    let [members, inputs, units] = weight.dims();
    let weight = numbers(weight);
    let correlations = highest_correlations(
        &weight,
        [members, inputs, units],
        &data.train.images,
        device,
    );
    let top_units = top_units(trainee, members, &data.test.images, device);
    let (height, width) = (data.train.images.height(), data.train.images.width());

    group
        .members
        .iter()
        .zip(group.records)
        .enumerate()
        .map(|(at, (member, last))| {
            let weight = &weight[at * inputs * units..(at + 1) * inputs * units];
            let live: Vec<usize> = (0..units)
                .filter(|&unit| evaluations[at].images_on[unit] > 0)
                .collect();
            let tiles: Vec<Vec<f32>> = live
                .iter()
                .map(|&unit| weight.iter().skip(unit).step_by(units).copied().collect())
                .collect();
            let median = |score: &dyn Fn(&[f32]) -> Option<f64>| {
                let mut scores: Vec<f64> = tiles.iter().filter_map(|tile| score(tile)).collect();
                results::median(&mut scores).unwrap_or(0.0)
            };
            let mut correlations: Vec<f64> = live
                .iter()
                .map(|&unit| f64::from(correlations[at * units + unit]))
                .collect();
            let scores = Scores {
                live_units: live.len(),
                kurtosis: median(&|tile| evidence::kurtosis(tile)),
                radius_of_gyration: median(&|tile| {
                    evidence::radius_of_gyration(tile, height, width)
                }),
                roughness: median(&|tile| evidence::roughness(tile, height, width)),
                digit_correlation: results::median(&mut correlations).unwrap_or(0.0),
                label_purity: evidence::label_purity(
                    &top_units[at],
                    &data.test.labels,
                    units,
                    data.classes,
                ),
                active_units: last.active_units,
                dead_units: last.dead_units,
                hidden_units: units,
            };
            let (regime, regime_reason) = evidence::regime_for_width(&scores, width as f64);
            MemberSummary {
                member: member.clone(),
                last: last.clone(),
                scores,
                dead: (0..units)
                    .filter(|&unit| evaluations[at].images_on[unit] == 0)
                    .collect(),
                untrained: evaluations[at].untrained.clone(),
                regime,
                regime_reason,
            }
        })
        .collect()
}

/// For each member and unit, the highest Pearson correlation of its picture with an image.
///
/// With a picture centred and scaled to length 1 the correlation is its product with the image over the
/// image's length about its own mean.
fn highest_correlations(
    weight: &[f32],
    [members, inputs, units]: [usize; 3],
    images: &Images,
    device: &Device,
) -> Vec<f32> {
    let mut pictures = weight.to_vec();
    for matrix in pictures.chunks_exact_mut(inputs * units) {
        for unit in 0..units {
            let column = || {
                matrix
                    .iter()
                    .skip(unit)
                    .step_by(units)
                    .map(|&w| f64::from(w))
            };
            let mean = column().sum::<f64>() / inputs as f64;
            let length = column().map(|w| (w - mean).powi(2)).sum::<f64>().sqrt();
            for w in matrix.iter_mut().skip(unit).step_by(units) {
                *w = if length > 0.0 {
                    ((f64::from(*w) - mean) / length) as f32
                } else {
                    0.0
                };
            }
        }
    }
    let pictures =
        Tensor::<3>::from_data(TensorData::new(pictures, [members, inputs, units]), device);
    let everything: Vec<u32> = (0..images.count() as u32).collect();
    let mut highest = Tensor::<3>::full([members, 1, units], -1.0, device);
    for indices in everything.chunks(500) {
        let x = images.batch(indices, device);
        let centred = x.clone() - x.clone().mean_dim(2);
        // A blank image correlates with nothing.
        let length = centred.square().sum_dim(2).sqrt().clamp_min(1e-6);
        let correlation = x.matmul(pictures.clone()) / length;
        highest = highest.max_pair(correlation.max_dim(1));
    }
    numbers(highest)
}

/// For each member, the most active unit of every image.
fn top_units(
    trainee: &Trainee,
    members: usize,
    images: &Images,
    device: &Device,
) -> Vec<Vec<usize>> {
    let mut top = vec![Vec::with_capacity(images.count()); members];
    encode_all(&trainee.model().encoder, images, device, |h, _| {
        let batch = h.dims()[1];
        let units = whole_numbers(h.argmax(2));
        for (member, units) in units.chunks_exact(batch).enumerate() {
            top[member].extend(units.iter().map(|&unit| unit as usize));
        }
    });
    top
}
