//! Units one by one: which test images excite each most, how its activations are distributed, on how many images it is
//! active, and which class it goes for. What is measured here is what the page has room to show: the first seed of every
//! autoencoder, or the hidden layers of one classifier.

use burn::tensor::Tensor;
use maud::Markup;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::examples::Examples;
use super::figures::RedrawError;
use super::units::shown_condition;
use super::{Evidence, Run, picture, unit_pages, value};
use crate::experiment::{Models, Trained};
use crate::model::numbers;
use crate::ops::Rows;
use crate::report::{Figures, PictureShape};
use crate::results::Results;
use crate::run_dir::{self, RunDir, RunDirError};
use crate::spec::{Condition, Plan};
use crate::train::ACTIVE_ABOVE;

/// The images that are shown for each unit.
pub const MOST_IMAGES: usize = 9;
/// Steps of a histogram.
pub const STEPS: usize = 24;
/// Test images that are looked at: the first ones.
const LOOKED_AT: usize = 10_000;
/// Images that are encoded at a time.
const BATCH: usize = 500;
/// Units of all layers together, and bytes of their pictures and images before these are compressed.
const MOST_UNITS: usize = 1000;
const MOST_BYTES: usize = 3_200_000;
/// Units of one layer.
const MOST_UNITS_OF_A_LAYER: usize = 400;
/// Layers of all models together.
const MOST_LAYERS: usize = 32;

/// The evidence of what each unit does.
pub struct UnitDetails;

/// What one unit does on the test images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Unit {
    /// The images that excite it most, by their index in the test part, the strongest first and of equals the first; none
    /// on which its activation is the smallest that it has.
    pub images: Vec<usize>,
    /// The labels of these, where there are labels.
    pub labels: Vec<u8>,
    /// Its activation on each of these.
    pub activations: Vec<f64>,
    /// Share of the images on which its activation is above [`ACTIVE_ABOVE`].
    pub density: f64,
    /// Its mean activation.
    pub mean: f64,
    /// The smallest and the largest activation that is not 0; none where all are.
    pub range: Option<[f64; 2]>,
    /// How many images lie in each of [`STEPS`] equal steps of that range.
    pub histogram: Vec<usize>,
    /// Of the images that excite no other unit of its layer more.
    pub own: Option<Own>,
}

/// The images that excite a unit most of all units, by their labels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Own {
    /// How many there are.
    pub images: usize,
    /// The commonest label among them; of equals, the smallest.
    pub label: u8,
    /// The share of it.
    pub purity: f64,
}

/// The units of a layer that are shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Counted from 0 at the input.
    pub at: usize,
    /// The test images that were looked at.
    pub looked_at: usize,
    /// How many units the layer has.
    pub of: usize,
    /// The first of them.
    pub units: Vec<Unit>,
}

/// The shown layers of a model, by its index among the members.
pub type Details = Vec<(usize, Vec<Layer>)>;

impl Evidence for UnitDetails {
    fn name(&self) -> &'static str {
        "unit_details"
    }

    fn applies(&self, plan: &Plan) -> bool {
        !shown(plan, None).is_empty()
    }

    fn measure(&self, plan: &Plan, trained: &Trained<'_>) -> Vec<Value> {
        measured(plan, trained)
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        if !run.dir.has(run_dir::DETAILS) {
            return Ok(None);
        }
        let details: Details = run.dir.read_json(run_dir::DETAILS)?;
        unit_pages::section(
            run,
            &details,
            &Examples::read(run.dir, run.manifest.data.frame)?,
            figures,
        )
    }
}

/// A layer whose units a page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    /// Index of the member.
    pub member: usize,
    /// Counted from 0 at the input.
    pub layer: usize,
    /// How many units it has.
    pub of: usize,
    /// How many of them are shown: the first ones.
    pub units: usize,
}

/// The layers that a page has room for, with pictures of this shape or without: of the first seed of every autoencoder, or
/// all hidden layers of the classifier whose layers are looked into.
fn shown(plan: &Plan, shape: Option<PictureShape>) -> Vec<Shown> {
    let seeds = plan.run.seeds.len();
    let looked_into = plan.report.layers_of.iter().map(|&at| &plan.conditions[at]);
    let is_deep = |of: &&Condition| {
        let classifier = of.classifier();
        classifier.is_some_and(|of| !of.classifier.hidden_units.is_empty())
    };
    let classifier = shown_condition(plan)
        .into_iter()
        .chain(looked_into)
        .chain(&plan.conditions)
        .find(is_deep)
        .map(|of| &of.name);
    let conditions = plan.conditions.iter().enumerate();
    let layers = conditions.flat_map(|(at, condition)| {
        let layers = match (condition.autoencoder(), condition.classifier()) {
            (Some(of), _) => vec![of.autoencoder.hidden_units],
            (_, Some(of)) if Some(&condition.name) == classifier => {
                of.classifier.hidden_units.clone()
            }
            _ => Vec::new(),
        };
        let layers = layers.into_iter().enumerate();
        layers.map(move |(layer, of)| Shown {
            member: at * seeds,
            layer,
            of,
            units: 0,
        })
    });
    let mut layers: Vec<Shown> = layers.take(MOST_LAYERS).collect();
    // A unit has a picture, and its images.
    let bytes = shape.map_or(0, PictureShape::thumbnail_bytes) * (1 + MOST_IMAGES);
    let room = MOST_UNITS.min(MOST_BYTES / bytes.max(1));
    let each = (room / layers.len().max(1)).clamp(1, MOST_UNITS_OF_A_LAYER);
    for layer in &mut layers {
        layer.units = layer.of.min(each);
    }
    layers
}

/// A value for each member, or none at all where no member is shown.
fn measured(plan: &Plan, trained: &Trained<'_>) -> Vec<Value> {
    let (data, members) = (trained.data, trained.members);
    let layers = shown(plan, picture(data.test.images.frame()));
    let place = |shown: &Shown| members.iter().position(|of| of.index == shown.member);
    let images = data.test.images.count().min(LOOKED_AT);
    // Where each stands among the members that were trained together.
    let mut collected: Vec<(usize, Collected)> = layers
        .iter()
        .filter_map(|shown| Some((place(shown)?, Collected::new(*shown, images))))
        .collect();
    if collected.is_empty() {
        return Vec::new();
    }
    let rows = &trained.examples.test.images;
    let activations: Activations = match &trained.models {
        Models::Autoencoders { trainee, .. } => {
            let model = trainee.model();
            Box::new(move |x| vec![model.encode(x)])
        }
        Models::Classifiers { model, .. } => Box::new(|x| model.activations(x)),
        Models::DeepAutoencoders { .. } => return Vec::new(),
    };
    for x in rows.parts(BATCH).take(LOOKED_AT / BATCH) {
        for (layer, h) in activations(&x).into_iter().enumerate() {
            let h = numbers(h);
            let size = h.len() / members.len();
            let of_layer = collected.iter_mut();
            for (at, of) in of_layer.filter(|(_, of)| of.shown.layer == layer) {
                of.add(&h[*at * size..][..size]);
            }
        }
    }
    let mut details: Vec<Vec<Layer>> = vec![Vec::new(); members.len()];
    let labels = data.test.labels.as_deref().unwrap_or_default();
    for (at, of) in collected {
        details[at].push(of.layer(labels, data.classes));
    }
    details.iter().map(value).collect()
}

/// Of every layer of a model, from its inputs.
type Activations<'a> = Box<dyn Fn(&Rows) -> Vec<Tensor<3>> + 'a>;

/// The activations of a layer, batch by batch.
struct Collected {
    shown: Shown,
    /// Of every unit that is shown, on every image.
    activations: Vec<Vec<f32>>,
    /// For every image, the unit that it excites most; of equals, the first.
    strongest: Vec<usize>,
}

impl Collected {
    /// With room for so many images.
    fn new(shown: Shown, images: usize) -> Self {
        Self {
            shown,
            activations: (0..shown.units)
                .map(|_| Vec::with_capacity(images))
                .collect(),
            strongest: Vec::with_capacity(images),
        }
    }

    /// Takes a batch of activations, `[image, unit]`.
    fn add(&mut self, h: &[f32]) {
        let of = self.shown.of;
        for (unit, activations) in self.activations.iter_mut().enumerate() {
            activations.extend(h.iter().skip(unit).step_by(of));
        }
        self.strongest.extend(h.chunks_exact(of).map(|image| {
            let largest = image.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let at = image.iter().position(|&activation| activation >= largest);
            at.unwrap_or(0)
        }));
    }

    fn layer(self, labels: &[u8], classes: usize) -> Layer {
        let own = own(&self.strongest, labels, self.shown.of, classes);
        let units = self.activations.iter().zip(own);
        Layer {
            at: self.shown.layer,
            looked_at: self.strongest.len(),
            of: self.shown.of,
            units: units
                .map(|(activations, own)| unit(activations, labels, own))
                .collect(),
        }
    }
}

/// What a unit does, from its activation on every image, and the labels of these if they have any.
fn unit(activations: &[f32], labels: &[u8], own: Option<Own>) -> Unit {
    let images = strongest(activations, MOST_IMAGES);
    let active = activations.iter().filter(|&&h| h > ACTIVE_ABOVE).count();
    let sum: f64 = activations.iter().map(|&h| f64::from(h)).sum();
    let count = activations.len() as f64;
    let (range, histogram) = histogram(activations);
    Unit {
        activations: images.iter().map(|&at| short(activations[at])).collect(),
        labels: images
            .iter()
            .filter_map(|&at| labels.get(at).copied())
            .collect(),
        images,
        density: active as f64 / count,
        mean: short((sum / count) as f32),
        range,
        histogram,
        own,
    }
}

/// The indices of the largest of `activations`, at most `most` of them: the largest first, of equals the first; none at
/// which the activation is the smallest of all.
fn strongest(activations: &[f32], most: usize) -> Vec<usize> {
    let smallest = activations.iter().copied().fold(f32::INFINITY, f32::min);
    let mut found: Vec<usize> = Vec::with_capacity(most + 1);
    for (at, &activation) in activations.iter().enumerate() {
        let is_full = found.len() == most;
        let last = found
            .last()
            .map_or(f32::NEG_INFINITY, |&last| activations[last]);
        if activation > smallest && !(is_full && activation <= last) {
            let place = found.partition_point(|&other| activations[other] >= activation);
            found.insert(place, at);
            found.truncate(most);
        }
    }
    found
}

/// The range of the activations that are not 0, and how many of them lie in each of [`STEPS`] equal steps of it; the upper
/// end belongs to the last step.
fn histogram(activations: &[f32]) -> (Option<[f64; 2]>, Vec<usize>) {
    let on = || activations.iter().copied().filter(|&h| h != 0.0);
    let (low, high) = on().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), h| {
        (low.min(h), high.max(h))
    });
    let mut counts = vec![0; STEPS];
    if !low.is_finite() || !high.is_finite() {
        return (None, counts);
    }
    let width = (f64::from(high) - f64::from(low)) / STEPS as f64;
    for h in on() {
        let step = (f64::from(h) - f64::from(low)) / width;
        // Of a range without width all lie in the first: 0/0 becomes 0.
        counts[(step as usize).min(STEPS - 1)] += 1;
    }
    (Some([short(low), short(high)]), counts)
}

/// For each unit, the labels of the images that excite it most of all; none where there are no such images.
fn own(strongest: &[usize], labels: &[u8], units: usize, classes: usize) -> Vec<Option<Own>> {
    let mut counts = vec![vec![0_usize; classes]; units];
    for (&unit, &label) in strongest.iter().zip(labels) {
        counts[unit][usize::from(label)] += 1;
    }
    let own = counts.iter().map(|counts| {
        let images: usize = counts.iter().sum();
        let most = *counts.iter().max()?;
        let label = counts.iter().position(|&count| count == most)?;
        (images > 0).then(|| Own {
            images,
            label: label as u8,
            purity: most as f64 / images as f64,
        })
    });
    own.collect()
}

/// The number with the fewest digits that stands for `number`: a tenth is not 0.10000000149011612.
fn short(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::NAN)
}

/// Takes the details out of the results, into a file of their own: there are many, and they are for pages alone.
#[must_use]
pub fn take(results: &mut Results) -> Details {
    let members = results.members.iter_mut();
    let details = members.filter_map(|of| {
        let layers = of.evidence.remove(UnitDetails.name())?;
        let layers: Vec<Layer> = serde_json::from_value(layers).ok()?;
        (!layers.is_empty()).then_some((of.member.index, layers))
    });
    details.collect()
}

/// The images that the details name, those that excite units most before others.
pub fn images(details: &Details) -> impl Iterator<Item = usize> + '_ {
    let units = || {
        let layers = details.iter().flat_map(|(_, layers)| layers);
        layers.flat_map(|layer| &layer.units)
    };
    (0..MOST_IMAGES)
        .flat_map(move |rank| units().filter_map(move |unit| unit.images.get(rank).copied()))
}

/// Writes the details into a run folder.
///
/// # Errors
///
/// Returns [`RunDirError`] if they cannot be written.
pub fn write(details: &Details, dir: &RunDir) -> Result<(), RunDirError> {
    // On one line: whoever reads it is a program.
    let text = serde_json::to_vec(details)
        .map_err(|error| dir.damaged(run_dir::DETAILS, &error.to_string()))?;
    dir.write(run_dir::DETAILS, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_come_first_and_of_equals_the_first() {
        let activations = [0.5, 2.0, 0.0, 2.0, 1.0, 0.5];
        assert_eq!(strongest(&activations, 9), [1, 3, 4, 0, 5]);
        assert_eq!(strongest(&activations, 4), [1, 3, 4, 0]);
        assert_eq!(strongest(&activations, 1), [1]);
        // What never varies is excited by nothing; neither is what is off.
        assert!(strongest(&[0.3; 5], 9).is_empty());
        assert_eq!(strongest(&[-1.0, -3.0, -2.0], 9), [0, 2]);
    }

    #[test]
    fn histograms_leave_out_what_is_off_and_end_with_the_largest() {
        // From 0.5 to 6.5 in steps of 0.25.
        let (range, counts) = histogram(&[0.0, 0.5, 0.74, 0.75, 6.25, 6.5, 0.0]);
        assert_eq!(range, Some([0.5, 6.5]));
        let mut expected = vec![0; STEPS];
        (expected[0], expected[1], expected[23]) = (2, 1, 2);
        assert_eq!(counts, expected);
        assert_eq!(histogram(&[0.0; 3]), (None, vec![0; STEPS]));
        let (range, counts) = histogram(&[0.25, 0.0, 0.25]);
        assert_eq!((range, counts[0]), (Some([0.25, 0.25]), 2));
    }

    #[test]
    fn a_unit_is_active_above_a_hundredth() {
        let found = unit(&[0.0, 0.01, 0.02, 0.1], &[7, 8, 9, 5], None);
        assert_eq!(found.density.to_bits(), 0.5_f64.to_bits());
        assert_eq!(found.images, [3, 2, 1]);
        assert_eq!(found.labels, [5, 9, 8]);
        assert_eq!(found.activations, [0.1, 0.02, 0.01]);
        assert!((found.mean - 0.0325).abs() < 1e-8);
    }

    #[test]
    fn images_belong_to_the_unit_that_they_excite_most() {
        let mut collected = Collected::new(
            Shown {
                member: 0,
                layer: 2,
                of: 3,
                units: 2,
            },
            0,
        );
        // The third image excites two units equally, and belongs to the first of them.
        collected.add(&[0.1, 0.9, 0.0, 0.2, 0.8, 0.1]);
        collected.add(&[0.5, 0.5, 0.0, 0.0, 0.7, 0.6]);
        assert_eq!(collected.strongest, [1, 1, 0, 1]);
        let layer = collected.layer(&[4, 2, 3, 2], 5);
        assert_eq!((layer.at, layer.of, layer.looked_at), (2, 3, 4));
        assert_eq!(layer.units.len(), 2, "the first two are shown");
        let own = |at: usize| layer.units[at].own.map(|own| (own.images, own.label));
        assert_eq!([own(0), own(1)], [Some((1, 3)), Some((3, 2))]);
        let purity = layer.units[1].own.map(|own| own.purity);
        assert_eq!(purity, Some(2.0 / 3.0));
        assert_eq!(super::own(&[0, 0], &[1, 0], 2, 2)[1], None);
    }
}
