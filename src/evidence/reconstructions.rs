//! What autoencoders make of test images: inputs as they are given to the model, disturbed where the training disturbs them,
//! reconstructed, and what is left over. Computed from the weights and images that the run folder holds.

use burn::tensor::{Device, Tensor, TensorData};
use maud::{Markup, html};

use super::examples::{Example, Examples};
use super::figures::RedrawError;
use super::{Evidence, Run, is_autoencoder, is_deep_autoencoder, picture, spaced};
use crate::experiment::rebuilt;
use crate::model::numbers;
use crate::ops::Rows;
use crate::report::{
    Figures, MOST_NAMES, PictureShape, StripGroup, StripRow, Term, Words, number, strip,
};
use crate::results::Member;
use crate::run_dir;
use crate::spec::{Corruption, Model, Plan};
use crate::train::disturbed;
use crate::weights::member_prefix;
use crate::words::{counted, listed};

/// Test images that are shown.
const MOST_IMAGES: usize = 10;
/// Conditions that are shown.
const MOST_CONDITIONS: usize = 16;
/// Of errors, this share is not clipped.
const ERRORS_SHOWN: f64 = 0.995;

/// The evidence of what becomes of inputs.
pub struct Reconstructions;

impl Evidence for Reconstructions {
    fn name(&self) -> &'static str {
        "reconstructions"
    }

    fn applies(&self, plan: &Plan) -> bool {
        is_autoencoder(plan) || is_deep_autoencoder(plan)
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let Some(shape) = picture(run.manifest.data.frame) else {
            return Ok(None);
        };
        let examples = Examples::read(run.dir, run.manifest.data.frame)?;
        let labels = examples.iter().map(|(at, example)| (at, example.label));
        let shown: Vec<(usize, &Example)> = shown_images(labels)
            .into_iter()
            .filter_map(|at| Some((at, examples.get(at)?)))
            .collect();
        if shown.is_empty() {
            return Ok(None);
        }
        let mut found = Vec::new();
        for at in spaced(run.plan.conditions.len(), MOST_CONDITIONS) {
            let condition = &run.plan.conditions[at];
            let mut members = run.manifest.members.iter();
            let member = members
                .find(|of| of.condition == condition.name && !run.results.has_ended(of.index));
            if let Some(member) = member
                && let Some(model) = model(run, member, &condition.model)?
            {
                let corruption = condition.autoencoder().map(|of| of.corruption);
                let corruption = corruption.unwrap_or_default();
                found.push((member, Made::of(&model, corruption, member, &shown)));
            }
        }
        if found.is_empty() {
            return Ok(None);
        }
        Ok(Some(section(
            run, figures, shape, &examples, &shown, &found,
        )))
    }
}

/// Which test images are shown, of those with this index and label: the first of each class in the order of classes, and
/// where that leaves room the first of all.
pub(super) fn shown_images(labels: impl IntoIterator<Item = (usize, Option<u8>)>) -> Vec<usize> {
    let mut first = [None; 256];
    let mut others = Vec::new();
    for (index, label) in labels {
        match label.map(|label| &mut first[usize::from(label)]) {
            Some(place @ None) => *place = Some(index),
            _ if others.len() < MOST_IMAGES => others.push(index),
            _ => {}
        }
    }
    let first = first.into_iter().flatten();
    first.chain(others).take(MOST_IMAGES).collect()
}

/// What x is reconstructed as.
type Rebuild = dyn Fn(&Rows) -> Tensor<3>;

/// The member's model; none of a stopped run whose member never had a turn.
fn model(
    run: &Run<'_>,
    member: &Member,
    model: &Model,
) -> Result<Option<Box<Rebuild>>, RedrawError> {
    let prefix = member_prefix(member) + "/";
    let damaged = |reason: String| run.dir.damaged(run_dir::WEIGHTS, &reason);
    let inputs = run.manifest.data.frame.inputs().unwrap_or(0);
    let is_there = |name: &str| run.weights.get(&format!("{prefix}{name}")).is_ok();
    match model {
        Model::Autoencoder(training) if is_there("encoder.weight") => {
            let model = rebuilt::autoencoder(training, inputs, run.weights, &prefix);
            let model = model.map_err(damaged)?;
            Ok(Some(Box::new(move |x| model.decode(model.encode(x)))))
        }
        Model::DeepAutoencoder(training) if is_there("layer.01.weight") => {
            let model = rebuilt::deep_autoencoder(training, inputs, run.weights, &prefix);
            let model = model.map_err(damaged)?;
            Ok(Some(Box::new(move |x| model.decode(model.encode(x)))))
        }
        _ => Ok(None),
    }
}

/// What a model makes of some rows, which are equally long.
fn reconstructions(model: &Rebuild, rows: &[&Vec<f32>]) -> Vec<Vec<f32>> {
    let inputs = rows.first().map_or(1, |row| row.len());
    let all: Vec<f32> = rows.iter().copied().flatten().copied().collect();
    let data = TensorData::new(all, [1, rows.len(), inputs]);
    let x = Rows::Numbers(Tensor::from_data(data, &Device::flex()));
    let made = numbers(model(&x));
    made.chunks_exact(inputs).map(<[f32]>::to_vec).collect()
}

/// What one model makes of the images.
struct Made {
    /// As the encoder sees them, where they are disturbed.
    disturbed: Option<Vec<Vec<f32>>>,
    reconstructed: Vec<Vec<f32>>,
    /// Reconstruction minus input.
    errors: Vec<Vec<f32>>,
}

impl Made {
    fn of(
        model: &Rebuild,
        corruption: Corruption,
        member: &Member,
        shown: &[(usize, &Example)],
    ) -> Self {
        let inputs = || shown.iter().map(|(index, example)| (*index, &example.row));
        let disturbed: Option<Vec<Vec<f32>>> = inputs()
            .map(|(index, row)| disturbed(row, corruption, member.seed, index as u64))
            .collect();
        let seen = inputs().enumerate().map(|(at, (_, row))| match &disturbed {
            Some(disturbed) => &disturbed[at],
            None => row,
        });
        let reconstructed = reconstructions(model, &seen.collect::<Vec<_>>());
        let errors = inputs().zip(&reconstructed).map(|((_, row), made)| {
            let pairs = made.iter().zip(row);
            pairs.map(|(made, given)| made - given).collect()
        });
        Self {
            errors: errors.collect(),
            disturbed,
            reconstructed,
        }
    }
}

fn section(
    run: &Run<'_>,
    figures: &mut Figures,
    shape: PictureShape,
    examples: &Examples,
    shown: &[(usize, &Example)],
    found: &[(&Member, Made)],
) -> Markup {
    let errors = found.iter().flat_map(|(_, made)| &made.errors).flatten();
    let limit = largest_shown(errors.map(|error| error.abs()).collect());
    let range = examples.range(shown.iter().map(|(_, example)| *example));
    let inputs = StripRow {
        name: "input",
        pictures: shown
            .iter()
            .map(|(_, example)| example.row.clone())
            .collect(),
        range,
    };
    let mut groups = vec![StripGroup {
        title: String::new(),
        rows: vec![inputs],
    }];
    let mut outcomes = Vec::new();
    for (member, made) in found {
        let title = match last(run, member) {
            Some((Some(error), _)) => {
                format!("{} (squared error {})", member.label, number(error))
            }
            Some((_, Some(explained))) => format!(
                "{} (explained variance {})",
                member.label,
                number(explained)
            ),
            _ => member.label.clone(),
        };
        outcomes.push(title.clone());
        let row = |name, pictures: &[Vec<f32>], range| StripRow {
            name,
            pictures: pictures.to_vec(),
            range,
        };
        let disturbed = made.disturbed.as_ref();
        let mut rows: Vec<StripRow> = disturbed
            .map(|disturbed| row("corrupted", disturbed, range))
            .into_iter()
            .collect();
        rows.push(row("reconstruction", &made.reconstructed, range));
        rows.push(row("error", &made.errors, (-limit, limit)));
        groups.push(StripGroup { title, rows });
    }
    let columns: Vec<String> = shown
        .iter()
        .map(|(index, example)| match example.label {
            Some(label) => format!("class {label}"),
            None => format!("no. {index}"),
        })
        .collect();
    let (low, high) = (number(range.0), number(range.1));
    let error = number(limit);
    let remarks = [
        format!(
            "inputs and reconstructions: {low} is black, {high} is white, and what lies outside is clipped"
        ),
        format!(
            "error, reconstruction minus input: −{error} is black, 0 is mid-grey, {error} is white"
        ),
    ];
    let picture = strip(&columns, &groups, shape, &remarks);
    let caption = caption(run, shown, found);
    let words = Words {
        alt: &format!(
            "{} and what autoencoders make of each, a row for reconstructions and one for errors: {}",
            counted(shown.len(), "test image"),
            listed(&outcomes, MOST_NAMES)
        ),
        caption: &caption,
        numbers: Some(run_dir::EXAMPLES),
    };
    figures.glossary.uses(&[Term::ExplainedVariance]);
    let figure = figures.picture("reconstructions", picture, &words);
    html! {
        h2 { "What becomes of an input" }
        (figure)
    }
}

/// Which images and models are shown, and what the title of each says.
fn caption(run: &Run<'_>, shown: &[(usize, &Example)], found: &[(&Member, Made)]) -> String {
    let indices = shown.iter().map(|(index, _)| index.to_string());
    let is_disturbed = found.iter().any(|(_, made)| made.disturbed.is_some());
    let is_deep = is_deep_autoencoder(run.plan);
    let conditions = run.plan.conditions.len();
    let seeds = &run.plan.run.seeds;
    format!(
        "Test images {} (counted from 0){}.{}{} {} is over all test images{}.",
        listed(indices, MOST_IMAGES),
        if is_disturbed {
            ", as they are given to the model, disturbed as in its training, and reconstructed from that"
        } else {
            " as they are given to the model, and reconstructed"
        },
        if seeds.len() > 1 {
            " Of each condition, its first seed that could go on."
        } else {
            ""
        },
        if conditions > MOST_CONDITIONS {
            format!(
                " {MOST_CONDITIONS} of {conditions} conditions, at even distances in the order of the config."
            )
        } else {
            String::new()
        },
        if is_deep {
            "The squared error"
        } else {
            "The explained variance"
        },
        if is_disturbed { ", undisturbed" } else { "" },
    )
}

/// The squared error, where that is recorded, and the explained variance of a member after its last epoch.
fn last(run: &Run<'_>, member: &Member) -> Option<(Option<f64>, Option<f64>)> {
    let mut records = run.records.epochs.iter().rev();
    let record = records.find(|of| of.member == member.index)?;
    Some((record.test_squared_error, record.explained_variance))
}

/// The size that all but few of `sizes` do not exceed; never 0.
fn largest_shown(mut sizes: Vec<f32>) -> f64 {
    sizes.retain(|size| size.is_finite());
    if sizes.is_empty() {
        return 1.0;
    }
    let at = ((sizes.len() as f64 * ERRORS_SHOWN).ceil() as usize).clamp(1, sizes.len()) - 1;
    let (_, size, _) = sizes.select_nth_unstable_by(at, f32::total_cmp);
    f64::from(size.max(f32::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_class_are_shown_and_then_the_first() {
        let labels = [3, 1, 3, 0, 1, 7, 9, 9, 9, 9, 9].map(Some);
        let labelled = || labels.into_iter().enumerate();
        // Classes 0, 1, 3, 7 and 9 first; then 2, 4, 7, 8 and 9 in order.
        assert_eq!(shown_images(labelled()), [3, 1, 0, 5, 6, 2, 4, 7, 8, 9]);
        // Those that were kept, and others after them, are enough to find them again.
        let kept = labelled().filter(|(at, _)| *at < 10);
        assert_eq!(shown_images(kept), shown_images(labelled()));
        let without = (0..30).map(|at| (at, None));
        assert_eq!(shown_images(without), (0..10).collect::<Vec<_>>());
        let many = (0..30).map(|at| (at, Some(29 - at as u8)));
        assert_eq!(shown_images(many), [29, 28, 27, 26, 25, 24, 23, 22, 21, 20]);
    }

    #[test]
    fn a_few_large_errors_are_clipped() {
        let mut sizes = vec![0.5; 995];
        sizes.extend([9.0; 5]);
        assert_eq!(largest_shown(sizes).to_bits(), 0.5_f64.to_bits());
        assert_eq!(largest_shown(vec![f32::NAN]).to_bits(), 1.0_f64.to_bits());
        assert!(largest_shown(vec![0.0; 3]) > 0.0);
    }
}
