//! Figure 5-6 of Okatani, *Deep Learning*: what the hidden units of an autoencoder come to represent as the
//! weight β of the sparsity term grows.
//!
//! One member for each seed and β. Members of one seed start from the same weights and all members see the
//! same batches in the same order, so that what tells two members of a seed apart is β alone.

use burn::tensor::{Tensor, TensorData};

use super::autoencoders::{self, Group, Job, Naming};
use super::{Failure, Outcome, Setting};
use crate::config::Figure56;
use crate::data::Images;
use crate::evidence;
use crate::model::{Layer, numbers, whole_numbers};
use crate::ops::Rows;
use crate::results;
use crate::results::{Figure56Results, Member, MemberSummary, Results, Scores, Subject};
use crate::spec::{Activation, Sparsity};
use crate::train::encode_all;

/// The members of a run, in the order of their grids: by seed, then by β.
#[must_use]
pub fn members(figure: &Figure56, seeds: &[u64]) -> Vec<Member> {
    let weights = || {
        figure
            .settings
            .iter()
            .map(|setting| setting.sparsity.weight)
    };
    let pairs = seeds
        .iter()
        .flat_map(|&seed| weights().map(move |weight| (seed, weight)));
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
/// As [`autoencoders::train`].
pub fn run(figure: &Figure56, seeds: &[u64], setting: &Setting<'_>) -> Result<Outcome, Failure> {
    let terms: Vec<Sparsity> = figure
        .settings
        .iter()
        .map(|setting| setting.sparsity)
        .collect();
    let job = Job {
        setting: figure.settings[0].clone(),
        members: members(figure, seeds),
        sparsity: terms.repeat(seeds.len()),
    };
    let trained = autoencoders::train(vec![job], setting, |group| summarize(group, setting))?;
    let results = Results::Figure56(Figure56Results {
        members: trained.summaries(),
        ended: trained.ended(),
    });
    Ok(trained.outcome(results, Naming::Stacked))
}

/// The members' scores after the last epoch.
fn summarize(group: &Group<'_>, setting: &Setting<'_>) -> Vec<MemberSummary> {
    let data = setting.data;
    let (trainee, evaluations) = (group.trainee, group.evaluations);
    let model = trainee.model();
    let weight = model.encoder.weight.val();
    let [members, inputs, units] = weight.dims();
    let weight = numbers(weight);
    let correlations = highest_correlations(
        &weight,
        [members, inputs, units],
        &data.train.images,
        &setting.examples.train.images,
    );
    let top_units = top_units(&model.encoder, members, &setting.examples.test.images);
    let (height, width) = (data.train.images.height(), data.train.images.width());
    let (side, subject) = (((height * width) as f64).sqrt(), Subject::of(data.name));

    group
        .members
        .iter()
        .zip(group.records)
        .enumerate()
        .map(|(at, (member, last))| {
            let weight = &weight[at * inputs * units..(at + 1) * inputs * units];
            let live: Vec<usize> = (0..units)
                .filter(|unit| evaluations[at].dead.binary_search(unit).is_err())
                .collect();
            let tiles: Vec<Vec<f32>> = live
                .iter()
                .map(|&unit| weight.iter().skip(unit).step_by(units).copied().collect())
                .collect();
            let median = |score: &dyn Fn(&[f32]) -> Option<f64>| {
                let mut scores: Vec<f64> = tiles.iter().filter_map(|tile| score(tile)).collect();
                results::median(&mut scores)
            };
            let mut correlations: Vec<f64> = live
                .iter()
                .filter_map(|&unit| correlations[at * units + unit])
                .map(f64::from)
                .collect();
            let scores = Scores {
                live_units: live.len(),
                kurtosis: median(&|tile| evidence::kurtosis(tile)),
                radius_of_gyration: median(&|tile| {
                    evidence::radius_of_gyration(tile, height, width)
                }),
                roughness: median(&|tile| evidence::roughness(tile, height, width)),
                digit_correlation: results::median(&mut correlations),
                // Where no unit tells images apart, none is the most active one.
                label_purity: evidence::label_purity(
                    &top_units[at],
                    &data.test.labels,
                    units,
                    data.classes,
                )
                .filter(|_| !live.is_empty()),
                active_units: last.active_units,
                dead_units: last.dead_units,
                hidden_units: units,
            };
            let (regime, regime_reason) = evidence::regime_of(&scores, side, subject);
            MemberSummary {
                member: member.clone(),
                last: last.clone(),
                scores,
                dead: evaluations[at].dead.clone(),
                untrained: evaluations[at].untrained.clone(),
                regime,
                regime_reason,
            }
        })
        .collect()
}

/// For each member and unit, the highest Pearson correlation of its picture with an image; `None` where there is none
/// because the picture, or every image, is flat.
///
/// With a picture centred and scaled to length 1 the correlation is its product with the image over the
/// image's length about its own mean.
fn highest_correlations(
    weight: &[f32],
    [members, inputs, units]: [usize; 3],
    images: &Images,
    rows: &Rows,
) -> Vec<Option<f32>> {
    let mut pictures = weight.to_vec();
    let mut has_picture = Vec::with_capacity(members * units);
    for matrix in pictures.chunks_exact_mut(inputs * units) {
        has_picture.extend(standardize_columns(matrix, units));
    }
    let pictures = Layer::from_values(
        [members, inputs, units],
        pictures,
        vec![0.0; members * units],
        Activation::Identity,
        &rows.device(),
    );
    let mut lengths = (0..images.count()).map(|index| length_about_mean(images.image(index)));
    let mut highest = Tensor::full([members, 1, units], f32::NEG_INFINITY, &rows.device());
    encode_all(&pictures, rows, |products| {
        let batch = products.dims()[1];
        let lengths: Vec<f32> = lengths.by_ref().take(batch).collect();
        let lengths = Tensor::from_data(TensorData::new(lengths, [1, batch, 1]), &rows.device());
        let correlations: Tensor<3> = products / lengths;
        let is_none = correlations.clone().is_nan();
        let correlations = correlations.mask_fill(is_none, f32::NEG_INFINITY);
        highest = highest.clone().max_pair(correlations.max_dim(1));
    });
    let found = numbers(highest).into_iter().zip(has_picture);
    found
        .map(|(highest, has_picture)| (has_picture && highest.is_finite()).then_some(highest))
        .collect()
}

/// Every column with mean 0 and length 1, or 0 throughout where its entries are all the same; gives whether they differ.
fn standardize_columns(matrix: &mut [f32], columns: usize) -> Vec<bool> {
    let rows = matrix.len() as f64 / columns as f64;
    let mut means = vec![0.0_f64; columns];
    // Not seen from the squares: the mean of equal entries may be rounded.
    let mut varies = vec![false; columns];
    let first = matrix[..columns].to_vec();
    for row in matrix.chunks_exact(columns) {
        for (((mean, varies), &entry), &first) in
            means.iter_mut().zip(&mut varies).zip(row).zip(&first)
        {
            *mean += f64::from(entry) / rows;
            *varies |= entry.to_bits() != first.to_bits();
        }
    }
    let mut squares = vec![0.0_f64; columns];
    for row in matrix.chunks_exact(columns) {
        for ((square, mean), &entry) in squares.iter_mut().zip(&means).zip(row) {
            *square += (f64::from(entry) - mean).powi(2);
        }
    }
    for (varies, square) in varies.iter_mut().zip(&squares) {
        *varies &= *square > 0.0;
    }
    for row in matrix.chunks_exact_mut(columns) {
        let statistics = means.iter().zip(&squares).zip(&varies);
        for (entry, ((mean, square), varies)) in row.iter_mut().zip(statistics) {
            *entry = if *varies {
                ((f64::from(*entry) - mean) / square.sqrt()) as f32
            } else {
                0.0
            };
        }
    }
    varies
}

/// √ Σ (x − x̄)² of pixels in [0, 1]; not a number for a flat image, which correlates with nothing.
fn length_about_mean(pixels: &[u8]) -> f32 {
    let sum: u64 = pixels.iter().map(|&byte| u64::from(byte)).sum();
    let squares: u64 = pixels.iter().map(|&byte| u64::from(byte).pow(2)).sum();
    // n² times the variance is a whole number: no rounding makes a blank image anything else.
    let pixels = pixels.len() as u128;
    match pixels * u128::from(squares) - u128::from(sum).pow(2) {
        0 => f32::NAN,
        spread => ((spread as f64 / pixels as f64).sqrt() / 255.0) as f32,
    }
}

/// For each member, the most active unit of every image.
fn top_units(encoder: &Layer, members: usize, images: &Rows) -> Vec<Vec<usize>> {
    let mut top = vec![Vec::with_capacity(images.count()); members];
    encode_all(encoder, images, |h| {
        let batch = h.dims()[1];
        let units = whole_numbers(h.argmax(2));
        for (member, units) in units.chunks_exact(batch).enumerate() {
            top[member].extend(units.iter().map(|&unit| unit as usize));
        }
    });
    top
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::experiment::rows;

    #[test]
    fn correlations_are_pearsons() {
        // Images (0, 0, 255) and (255, 255, 0), and one that is blank; pictures (1, 2, 6), its negative, and a flat one.
        let images =
            Images::new(vec![0, 0, 255, 255, 255, 0, 9, 9, 9], 1, 3).expect("three of them");
        let weight = [1., -1., 5., 2., -2., 5., 6., -6., 5.];
        let found =
            highest_correlations(&weight, [1, 3, 3], &images, &rows(&images, &Device::flex()));
        // About the mean 3 the picture is (−2, −1, 3), of length √14; the image is (−1, −1, 2)/3, of length √6/3.
        let expected = (2.0 + 1.0 + 6.0) / 3.0 / (14.0_f32.sqrt() * 6.0_f32.sqrt() / 3.0);
        for found in &found[..2] {
            let found = found.expect("neither is flat");
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
        assert_eq!(found[2], None, "a flat picture correlates with nothing");
    }

    #[test]
    fn among_flat_images_no_correlation_is_defined() {
        let images = Images::new(vec![0, 0, 0, 255, 255, 255], 1, 3).expect("two of them");
        let found = highest_correlations(
            &[1., 2., 6.],
            [1, 3, 1],
            &images,
            &rows(&images, &Device::flex()),
        );
        assert_eq!(found, [None]);
    }
}
