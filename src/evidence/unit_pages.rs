//! Units one by one, as a page shows them: a tile for each, which opens to the images that excite the unit most and to how
//! its activations are distributed.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use super::examples::{Example, Examples};
use super::figures::RedrawError;
use super::unit_details::{Details, Layer, STEPS, Unit};
use super::{Run, picture, scores};
use crate::report::{Figures, PictureShape, Term, Thumbnails, number};
use crate::results::Member;
use crate::run_dir;
use crate::spec::ExperimentName;
use crate::weights::{layer_name, member_prefix};
use crate::words::counted;

/// Layers whose tiles are shown from the start; others open.
const OPEN_AT_FIRST: usize = 1;

/// The section; of the units of each layer as many as the page has room for.
pub(super) fn section(
    run: &Run<'_>,
    details: &Details,
    examples: &Examples,
    figures: &mut Figures,
) -> Result<Option<Markup>, RedrawError> {
    let layers = layers(run, details)?;
    let most = layers.iter().map(|layer| layer.of.units.len()).max();
    let Some(mut most) = most else {
        return Ok(None);
    };
    while most > 0 {
        let drawn = Drawn {
            run,
            layers: &layers,
            examples,
            shape: picture(run.manifest.data.frame),
            most,
        };
        match drawn.markup(figures) {
            Ok(markup) if figures.takes(markup.0.len()) => return Ok(Some(markup)),
            Ok(_) => most /= 2,
            Err(error) => {
                let words = crate::report::Words::default();
                let failed = figures.picture("unit-details", Err(error), &words);
                return Ok(Some(failed));
            }
        }
    }
    Ok(None)
}

/// A layer of a model, with what its units see of the input.
struct LayerOf<'a> {
    /// Index of the model.
    member: usize,
    /// `β = 0.1`, or `D, layer 2`.
    title: String,
    of: &'a Layer,
    /// Row-major `[input, unit]`.
    seen: Vec<f32>,
    /// Of how many units.
    columns: usize,
}

/// The layers that have details and weights.
fn layers<'a>(run: &Run<'_>, details: &'a Details) -> Result<Vec<LayerOf<'a>>, RedrawError> {
    let mut found = Vec::new();
    let inputs = run.manifest.data.frame.inputs().unwrap_or(1).max(1);
    for (member, layers) in details {
        let mut members = run.manifest.members.iter();
        let Some(member) = members.find(|of| of.index == *member) else {
            continue;
        };
        let Some(weights) = weights(run, member, layers)? else {
            continue;
        };
        for (layer, seen) in layers.iter().zip(weights) {
            let title = match run.plan.experiment {
                ExperimentName::Autoencoder => member.label.clone(),
                ExperimentName::Classifier | ExperimentName::DeepAutoencoder => {
                    format!("{}, layer {}", member.label, layer.at.saturating_add(1))
                }
            };
            found.push(LayerOf {
                member: member.index,
                title,
                of: layer,
                columns: seen.len() / inputs,
                seen,
            });
        }
    }
    Ok(found)
}

/// What the units of each of `layers` see of the input; none where the model has no weights.
fn weights(
    run: &Run<'_>,
    member: &Member,
    layers: &[Layer],
) -> Result<Option<Vec<Vec<f32>>>, RedrawError> {
    let prefix = member_prefix(member);
    let name = |layer: usize| match run.plan.experiment {
        ExperimentName::Autoencoder => format!("{prefix}/encoder.weight"),
        ExperimentName::Classifier | ExperimentName::DeepAutoencoder => {
            format!("{prefix}/{}.weight", layer_name(layer))
        }
    };
    let matrices: Vec<_> = (0..layers.len())
        .map_while(|layer| run.weights.get(&name(layer)).ok())
        .map(|matrix| (matrix.values.as_slice(), matrix.shape))
        .collect();
    if matrices.is_empty() {
        return Ok(None);
    }
    let most = layers.iter().map(|layer| layer.units.len()).max();
    let seen = scores::through_layers(&matrices, most.unwrap_or(0));
    let mut pairs = layers.iter().zip(&matrices);
    let fits = matrices.len() == layers.len()
        && pairs.all(|(layer, (_, [_, units]))| layer.of == *units && layer.units.len() <= *units);
    if let Some(seen) = seen.filter(|_| fits) {
        return Ok(Some(seen));
    }
    let reason = format!("it does not fit the weights under {prefix}");
    Err(run.dir.damaged(run_dir::DETAILS, &reason).into())
}

struct Drawn<'a> {
    run: &'a Run<'a>,
    layers: &'a [LayerOf<'a>],
    examples: &'a Examples,
    /// Of the inputs; none where they are no pictures.
    shape: Option<PictureShape>,
    /// Of each layer, so many units at most.
    most: usize,
}

/// The pictures of test images, each drawn once.
struct Images<'a> {
    examples: &'a Examples,
    range: (f64, f64),
    sheet: Option<Thumbnails>,
    places: HashMap<usize, usize>,
    /// Those that are not drawn, as the run folder does not have them.
    missing: usize,
}

impl Images<'_> {
    /// The class and the style of the element that shows the image.
    fn shown(&mut self, index: usize) -> Option<(String, String)> {
        let sheet = self.sheet.as_mut()?;
        let Some(Example { row, .. }) = self.examples.get(index) else {
            self.missing += 1;
            return None;
        };
        let place = self.places.entry(index).or_insert_with(|| {
            let range = Some(self.range);
            sheet.add(row.clone(), range)
        });
        Some((sheet.classes(), sheet.style(*place)))
    }
}

impl Drawn<'_> {
    fn markup(&self, figures: &mut Figures) -> Result<Markup, crate::report::ReportError> {
        let mut images = Images {
            examples: self.examples,
            range: self
                .examples
                .range(self.examples.iter().map(|(_, example)| example)),
            sheet: self.shape.map(|shape| Thumbnails::new("t", shape)),
            places: HashMap::new(),
            missing: 0,
        };
        let mut rules = String::new();
        let mut tiles = Vec::new();
        for (at, layer) in self.layers.iter().enumerate() {
            let sheet = self
                .shape
                .map(|shape| Thumbnails::new(&format!("u{at}"), shape));
            let (markup, rule) = self.layer(at, layer, sheet, &mut images)?;
            rules += &rule;
            tiles.push(markup);
        }
        if let Some(sheet) = &images.sheet {
            rules += &sheet.rule()?;
        }
        let looked_at = self.layers[0].of.looked_at;
        let first = if looked_at < self.run.manifest.data.test_images {
            "first "
        } else {
            ""
        };
        let left_out = self.left_out();
        let noun = if self.shape.is_some() {
            "images"
        } else {
            "rows"
        };
        let tiles_are = match (self.shape, self.run.plan.experiment) {
            (None, _) => "a unit",
            (_, ExperimentName::Autoencoder) => "a unit’s encoder weights, as above,",
            (_, ExperimentName::Classifier | ExperimentName::DeepAutoencoder) => {
                "what a unit sees of the input, the weighted sum of the weights below it,"
            }
        };
        let mut units = self.layers.iter().flat_map(|layer| &layer.of.units);
        let has_labels = units.any(|unit| unit.own.is_some());
        let glossary = &mut figures.glossary;
        glossary.uses(&[Term::Density, Term::MeanActivation]);
        if has_labels {
            glossary.uses(&[Term::LabelPurity]);
        }
        Ok(html! {
            h2 { "Units in detail" }
            style { (PreEscaped(rules)) }
            div .unit-details {
                p {
                    "Each tile is " (tiles_are) " with its number, counted from 0, and the share of the " (first) (looked_at) " test " (noun)
                    " on which it is active. It opens by click or with Enter to the test " (noun)
                    " that excite it most, with the activation under each, and to the distribution of its activations. "
                    "Arrow keys lead from unit to unit, and Escape closes."
                    @if !left_out.is_empty() { " " (left_out) }
                    @if images.missing > 0 { " Of images that excite units less, the numbers alone are kept." }
                }
                p .order hidden {
                    label {
                        "Sorted by " select {
                            option value="number" { "number" }
                            option value="density" { "density" }
                            option value="mean" { "mean activation" }
                            @if has_labels { option value="purity" { "label purity" } }
                        }
                    }
                }
                @for tiles in &tiles { (tiles) }
                script { (PreEscaped(include_str!("units.js"))) }
            }
        })
    }

    /// What is not shown, in sentences.
    fn left_out(&self) -> String {
        // By how many units are shown, and of how many: whose.
        let mut cut: BTreeMap<(usize, usize), Vec<&str>> = BTreeMap::new();
        for layer in self.layers {
            let (shown, of) = (layer.of.units.len().min(self.most), layer.of.of);
            if shown < of {
                cut.entry((shown, of)).or_default().push(&layer.title);
            }
        }
        let kind = match self.run.plan.experiment {
            ExperimentName::Autoencoder => "model",
            ExperimentName::Classifier | ExperimentName::DeepAutoencoder => "layer",
        };
        let mut sentences: Vec<String> = cut
            .iter()
            .map(|((shown, of), titles)| match titles[..] {
                [title] => {
                    format!("The page has room for the first {shown} of {of} units of {title}.")
                }
                _ => format!(
                    "The page has room for the first {shown} of {of} units of each of {}.",
                    counted(titles.len(), kind)
                ),
            })
            .collect();
        let mut members: Vec<usize> = self.layers.iter().map(|layer| layer.member).collect();
        members.dedup();
        let (shown, conditions) = (members.len(), self.run.plan.conditions.len());
        if shown < conditions {
            sentences.push(format!(
                "Of {conditions} conditions, {shown} {} here.",
                if shown == 1 { "is" } else { "are" }
            ));
        }
        if self.run.plan.run.seeds.len() > 1 {
            sentences.push("Of several seeds, the first is shown.".to_owned());
        }
        sentences.join(" ")
    }

    /// The tiles of a layer, and the style of their pictures.
    fn layer(
        &self,
        at: usize,
        layer: &LayerOf<'_>,
        mut sheet: Option<Thumbnails>,
        images: &mut Images<'_>,
    ) -> Result<(Markup, String), crate::report::ReportError> {
        let shown = layer.of.units.len().min(self.most);
        let columns = layer.columns;
        let units: Vec<Markup> = layer.of.units[..shown]
            .iter()
            .enumerate()
            .map(|(number, unit)| {
                let tile = sheet.as_mut().map(|sheet| {
                    let weights = layer.seen.iter().skip(number).step_by(columns);
                    let place = sheet.add(weights.copied().collect(), None);
                    (sheet.classes(), sheet.style(place))
                });
                self.unit(at, number, unit, &layer.title, tile, images)
            })
            .collect();
        let rule = sheet.map_or(Ok(String::new()), |sheet| sheet.rule())?;
        let markup = html! {
            details .layer open[at < OPEN_AT_FIRST] {
                summary { (layer.title) }
                div .units { @for unit in &units { (unit) } }
            }
        };
        Ok((markup, rule))
    }

    fn unit(
        &self,
        layer: usize,
        at: usize,
        unit: &Unit,
        title: &str,
        tile: Option<(String, String)>,
        images: &mut Images<'_>,
    ) -> Markup {
        let noun = if self.shape.is_some() { "image" } else { "row" };
        let share = |share: f64| format!("{} %", number(100.0 * share));
        let purity = unit.own.map(|own| own.purity.to_string());
        let top: Vec<Markup> = unit
            .images
            .iter()
            .zip(&unit.activations)
            .enumerate()
            .map(|(rank, (&index, &activation))| {
                let shown = images.shown(index);
                let label = unit.labels.get(rank);
                html! {
                    li {
                        @if let Some((class, style)) = shown { i class=(class) style=(style) {} }
                        (number(activation))
                        small { "no. " (index) @if let Some(label) = label { ", class " (label) } }
                    }
                }
            })
            .collect();
        html! {
            details .unit name=(format!("u{layer}")) data-number=(at) data-density=(unit.density) data-mean=(unit.mean)
                data-purity=[purity] {
                summary {
                    @if let Some((class, style)) = tile { i class=(class) style=(style) {} }
                    span { (at) small { " " (share(unit.density)) } }
                }
                div {
                    p {
                        strong { "Unit " (at) " of " (title) } ": active on " (share(unit.density))
                        ", mean activation " (number(unit.mean))
                        @if let Some(own) = unit.own {
                            @if own.images == 1 {
                                "; the one " (noun) " that excites no other unit more is of class " (own.label)
                            } @else {
                                "; of the " (own.images) " " (noun) "s that excite no other unit more, "
                                (share(own.purity)) " are of class " (own.label)
                            }
                        }
                        "."
                        @if unit.images.is_empty() { " Nothing excites it: its activation is the same on every " (noun) "." }
                    }
                    @if !top.is_empty() { ol .top { @for image in &top { (image) } } }
                    @if let Some([low, high]) = unit.range { (histogram(&unit.histogram, low, high, noun)) }
                }
            }
        }
    }
}

/// Bars of equal width from the smallest to the largest activation that is not 0.
fn histogram(counts: &[usize], low: f64, high: f64, noun: &str) -> Markup {
    let tallest = counts.iter().copied().max().unwrap_or(0).max(1);
    let total = counts
        .iter()
        .fold(0_usize, |sum, count| sum.saturating_add(*count));
    let first = counts
        .iter()
        .position(|&count| count == tallest)
        .unwrap_or(0);
    let mut path = String::from("M0 100");
    for &count in counts {
        // Writing to a String cannot fail.
        let _ = write!(
            path,
            "V{}h1",
            100 - (100 * count as u128).div_ceil(tallest as u128)
        );
    }
    path += "V100z";
    let [low, high] = [low, high].map(number);
    let outcome = format!(
        "Of {total} {noun}s with an activation other than 0, most, {tallest}, lie in step {} of {STEPS} from {low} to {high}",
        first + 1
    );
    html! {
        figure .histogram {
            svg viewBox=(format!("0 0 {STEPS} 100")) preserveAspectRatio="none" role="img" aria-label=(outcome) { path d=(path) {} }
            figcaption { span { (low) } span { "activation on " (total) " " (noun) "s" } span { (high) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bars_of_a_histogram_stand_on_their_counts() {
        let html = histogram(&[4, 0, 1, 2], 0.5, 2.0, "image").into_string();
        assert!(
            html.contains("d=\"M0 100V0h1V100h1V75h1V50h1V100z\""),
            "{html}"
        );
        assert!(html.contains(
            "Of 7 images with an activation other than 0, most, 4, lie in step 1 of 24 from 0.500 to 2.00"
        ));
    }
}
