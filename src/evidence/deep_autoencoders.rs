//! What deep autoencoders keep of an image (Hinton and Salakhutdinov 2006): the squared error by epoch and by computation, beside
//! that of as many principal components; and codes of two units as a map.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::figures::RedrawError;
use super::quantities::{Finding, Quantity, of_record};
use super::{Evidence, Found, Run, is_deep_autoencoder, value};
use crate::data::left_over_by_components;
use crate::experiment::{Models, Trained, multiply_accumulates};
use crate::model::numbers;
use crate::report::{
    Chart, Drawing, Figures, Horizontal, Legend, Line, Look, MOST_NAMES, Sheet, Stroke, Term,
    Vertical, Words, if_defined, number, table,
};
use crate::results::{EpochRecord, Results, Spread};
use crate::run_dir;
use crate::spec::{Condition, Plan};
use crate::words::{counted, listed, listed_names, named};

/// Test images whose codes are laid out.
const ON_THE_MAP: usize = 2000;
/// Maps that are drawn.
const MOST_MAPS: usize = 4;
const NAME: &str = "deep_autoencoders";

/// The evidence of what deep autoencoders keep.
pub struct DeepAutoencoders;

/// What is measured on a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Code {
    /// How many units the code has.
    units: usize,
    /// The codes of the first test images, where they have two units.
    map: Vec<Place>,
}

/// The code of a test image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Place {
    at: [f32; 2],
    /// The class of the image, where it has one.
    class: Option<u8>,
}

/// ‖x − x̂‖² of a test image by so many principal components of the training images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Components {
    components: usize,
    squared_error: f64,
}

impl Evidence for DeepAutoencoders {
    fn name(&self) -> &'static str {
        NAME
    }

    fn applies(&self, plan: &Plan) -> bool {
        is_deep_autoencoder(plan)
    }

    fn measure(&self, _: &Plan, trained: &Trained<'_>) -> Vec<Value> {
        let Models::DeepAutoencoders {
            setting, trainee, ..
        } = &trained.models
        else {
            return Vec::new();
        };
        let units = setting.network.hidden_units.last().copied().unwrap_or(0);
        let members = trained.members.len();
        let mut maps = vec![Vec::new(); members];
        let test = &trained.data.test;
        let count = test.images.count().min(ON_THE_MAP);
        if units == 2 {
            let images = trained.examples.test.images.part(0, count);
            let codes = numbers(trainee.model().encode(&images));
            let labels = test.labels.as_deref().unwrap_or_default();
            for (map, codes) in maps.iter_mut().zip(codes.chunks_exact(2 * count)) {
                let places = codes.chunks_exact(2).enumerate();
                *map = places
                    .map(|(image, at)| Place {
                        at: [at[0], at[1]],
                        class: labels.get(image).copied(),
                    })
                    .collect();
            }
        }
        let of_members = maps.into_iter();
        of_members.map(|map| value(&Code { units, map })).collect()
    }

    /// What as many principal components would do.
    fn conclude(&self, found: &Found<'_>) -> Option<Value> {
        let conditions = found.plan.conditions.iter();
        let units = conditions.filter_map(code_units);
        let units: Vec<usize> = units.collect::<BTreeSet<_>>().into_iter().collect();
        let [train, test] = [&found.data.train, &found.data.test].map(|of| &of.images);
        let errors = left_over_by_components(train, test, &units);
        let all = units.into_iter().zip(errors);
        let all: Vec<Components> = all
            .map(|(components, squared_error)| Components {
                components,
                squared_error,
            })
            .collect();
        Some(value(&all))
    }

    fn quantities(&self) -> &'static [Quantity] {
        const ALL: [Quantity; 5] = [
            of_record!("squared error", |of| of.test_squared_error),
            Quantity {
                name: "squared error of PCA",
                unit: "",
                words: &[],
                of: |of, member, _| {
                    let codes = of.results.of_members::<Code>(NAME);
                    let (_, code) = codes.into_iter().find(|(of, _)| of.index == member)?;
                    by_components(of.results, code.units).map(Finding::Number)
                },
            },
            of_record!("training cost", |of| Some(of.cost)),
            of_record!("test error", |of| Some(of.test_reconstruction)),
            of_record!("explained variance", |of| of.explained_variance),
        ];
        &ALL
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let records = run.kept_records().epochs;
        if records.is_empty() {
            return Ok(None);
        }
        let maps = map(run);
        Ok(Some(html! {
            h2 { "What a code keeps" }
            p {
                "A deep autoencoder is trained whole, from random weights or from autoencoders that were trained one on the other’s codes and unrolled (Hinton and Salakhutdinov 2006). The squared error is ‖x − x̂‖², summed over the pixels of a test image. "
                "A linear autoencoder can do no better on its training images than their principal components, which are beside it."
            }
            (errors(run, &records, figures))
            (ends(run, &records, figures))
            @if let Some((drawing, names)) = maps {
                (figures.chart("code-map", &drawing, &Words {
                    alt: &format!("Test images at the places that codes of two units give them, a map for each of {}", listed_names(&names, MOST_NAMES)),
                    caption: &format!("Codes of two units: each mark is one of the first {ON_THE_MAP} test images, at the activations of the two units, in the colour of its class. Nobody told the model of classes."),
                    numbers: None,
                }))
            }
        }))
    }
}

/// The units of the code of a condition.
fn code_units(condition: &Condition) -> Option<usize> {
    let network = &condition.deep_autoencoder()?.network;
    network.hidden_units.last().copied()
}

/// The squared error of so many principal components.
fn by_components(results: &Results, components: usize) -> Option<f64> {
    let all: Vec<Components> = results.of_run(NAME)?;
    let mut all = all.into_iter();
    let found = all.find(|of| of.components == components)?;
    Some(found.squared_error)
}

/// The records of a condition, by epoch.
fn by_epoch<'a>(
    records: &'a [EpochRecord],
    condition: &str,
) -> BTreeMap<usize, Vec<&'a EpochRecord>> {
    let mut epochs: BTreeMap<usize, Vec<&EpochRecord>> = BTreeMap::new();
    for record in records.iter().filter(|of| of.condition == condition) {
        epochs.entry(record.epoch).or_default().push(record);
    }
    epochs
}

fn spread(seeds: &[&EpochRecord]) -> Option<Spread> {
    Spread::of(seeds.iter().filter_map(|of| of.test_squared_error))
}

/// Multiply–accumulates of the pretraining of a member, and of its whole training, in 10¹².
fn work(run: &Run<'_>, condition: &Condition) -> [f64; 2] {
    let data = &run.manifest.data;
    let (images, inputs) = (data.train_images, data.frame.inputs().unwrap_or(0));
    let all = multiply_accumulates(condition, [images; 2], inputs, data.classes);
    let mut alone = condition.clone();
    if let crate::spec::Model::DeepAutoencoder(training) = &mut alone.model {
        training.stages.clear();
    }
    let whole = multiply_accumulates(&alone, [images; 2], inputs, data.classes);
    [all - whole, all].map(|work| work as f64 / 1e12)
}

/// The squared error by epoch and by computation, with what principal components leave over.
fn errors(run: &Run<'_>, records: &[EpochRecord], figures: &mut Figures) -> Markup {
    let conditions: Vec<(&Condition, Look)> = run.plan.conditions.iter().zip(Look::all()).collect();
    let curve = |condition: &Condition, look, along: &dyn Fn(usize) -> f64| {
        let epochs = by_epoch(records, &condition.name);
        let epochs = epochs.iter();
        let along = epochs.filter_map(|(&epoch, seeds)| Some((along(epoch), spread(seeds)?)));
        Line::of_spreads(look, along)
    };
    let chart = |title: &str, x_title: &str, x, lines: Vec<Line>| Chart {
        title: title.to_owned(),
        x_title: x_title.to_owned(),
        x,
        y: Vertical::Either,
        lines,
    };
    let last = records.iter().map(|of| of.epoch).max().unwrap_or(0) as f64;
    let mut by_epochs: Vec<Line> = conditions
        .iter()
        .map(|(condition, look)| curve(condition, *look, &|epoch| epoch as f64))
        .collect();
    // A level for each width of code, in the look of the first condition that has it.
    let mut known = BTreeSet::new();
    for (condition, look) in &conditions {
        let units = code_units(condition).filter(|units| known.insert(*units));
        let level = units.and_then(|units| by_components(run.results, units));
        let ends = level.map(|level| vec![(0.0, level), (last, level)]);
        by_epochs.extend(ends.map(|ends| Line::of_points(*look, Stroke::Dashed, ends)));
    }
    let by_work = conditions.iter().map(|(condition, look)| {
        let [before, all] = work(run, condition);
        let epochs = condition.training().epochs as f64;
        curve(condition, *look, &|epoch| {
            before + (all - before) * epoch as f64 / epochs
        })
    });
    let drawing = Sheet {
        legend: Legend::of(run.plan.conditions.iter().map(|of| of.name.as_str())),
        charts: vec![
            chart(
                "Squared error of a test image (dashed: PCA)",
                "epoch of the whole; 0 is its start",
                Horizontal::Whole,
                by_epochs,
            ),
            chart(
                "Squared error by computation",
                "10¹² multiply–accumulates, pretraining included",
                Horizontal::Real,
                by_work.collect(),
            ),
        ],
        columns: 2,
        chart_height: 380.0,
    }
    .drawing();
    figures.glossary.uses(&[Term::MultiplyAccumulates]);
    let ends = run.plan.conditions.iter().filter_map(|condition| {
        let epochs = by_epoch(records, &condition.name);
        let end = spread(epochs.values().next_back()?)?;
        Some(format!(
            "{} at {}",
            named(&condition.name),
            number(end.median)
        ))
    });
    figures.chart("squared-error", &drawing, &Words {
        alt: &format!("The squared error of a test image against the epoch and against computation; it ends at: {}", listed(ends, MOST_NAMES)),
        caption: if run.plan.run.seeds.len() > 1 {
            "Every condition from its start, medians over seeds with bands from the smallest to the largest. What is pretrained begins where its pretraining ends, on the right by what that took."
        } else {
            "Every condition from its start. What is pretrained begins where its pretraining ends, on the right by what that took."
        },
        numbers: Some(run_dir::METRICS_CSV),
    })
}

fn ends(run: &Run<'_>, records: &[EpochRecord], figures: &mut Figures) -> Markup {
    let cell = |seeds: Option<&Vec<&EpochRecord>>| {
        let of = seeds.and_then(|seeds| spread(seeds));
        of.map_or_else(String::new, |of| {
            if of.smallest.total_cmp(&of.largest).is_eq() {
                number(of.median)
            } else {
                format!(
                    "{} ({} to {})",
                    number(of.median),
                    number(of.smallest),
                    number(of.largest)
                )
            }
        })
    };
    let conditions = run.plan.conditions.iter();
    let rows: Vec<Vec<String>> = conditions
        .map(|condition| {
            let epochs = by_epoch(records, &condition.name);
            let last = epochs.values().next_back();
            let variances = last
                .into_iter()
                .flatten()
                .filter_map(|of| of.explained_variance);
            let units = code_units(condition).unwrap_or(0);
            let [before, all] = work(run, condition);
            vec![
                condition.name.clone(),
                units.to_string(),
                cell(epochs.get(&0)),
                cell(last),
                if_defined(Spread::of(variances).map(|of| of.median)),
                if_defined(by_components(run.results, units)),
                number(before),
                number(all),
            ]
        })
        .collect();
    let head = figures.glossary.head(&[
        ("condition", None),
        ("units of the code", None),
        ("squared error at the start", None),
        ("… after the last epoch", None),
        ("explained variance", Some(Term::ExplainedVariance)),
        ("… squared error of PCA", None),
        ("10¹² operations before", Some(Term::MultiplyAccumulates)),
        ("… in all", None),
    ]);
    let seeds = run.plan.run.seeds.len();
    let caption = format!(
        "Squared error of a test image{}; operations of the pretraining, and of all training",
        if seeds > 1 {
            format!(
                ", median over {} (smallest to largest)",
                counted(seeds, "seed")
            )
        } else {
            String::new()
        }
    );
    table(&caption, &head, &rows)
}

/// The maps of codes of two units: of the first seed of each condition that has such; and whose they are.
fn map<'a>(run: &'a Run<'_>) -> Option<(Drawing, Vec<&'a str>)> {
    let codes = run.results.of_members::<Code>(NAME);
    let mut shown: Vec<(&str, Code)> = Vec::new();
    for (member, code) in codes {
        let is_known = shown.iter().any(|(known, _)| *known == member.condition);
        if !code.map.is_empty() && !is_known && shown.len() < MOST_MAPS {
            shown.push((&member.condition, code));
        }
    }
    let places = shown.iter().flat_map(|(_, code)| &code.map);
    let classes: BTreeSet<u8> = places.filter_map(|place| place.class).collect();
    let looks: Vec<(Option<u8>, Look)> = match classes.len() {
        0 => Look::all().take(1).map(|look| (None, look)).collect(),
        _ => classes.into_iter().map(Some).zip(Look::all()).collect(),
    };
    let charts = shown.iter().map(|(name, code)| {
        let lines = looks.iter().map(|(class, look)| {
            let places = code.map.iter().filter(|place| place.class == *class);
            let points = places.map(|place| place.at.map(f64::from).into());
            Line::of_points(*look, Stroke::Marks, points.collect())
        });
        Chart {
            title: (*name).to_owned(),
            x_title: "first unit; upwards, the second".to_owned(),
            x: Horizontal::Real,
            y: Vertical::Linear,
            lines: lines.collect(),
        }
    });
    let charts: Vec<Chart> = charts.collect();
    if charts.is_empty() {
        return None;
    }
    let names = looks.iter().filter_map(|(class, look)| {
        let class = (*class)?;
        Some((format!("class {class}"), *look))
    });
    let drawing = Sheet {
        legend: Legend::new(names, looks.len()),
        columns: charts.len().min(2),
        charts,
        chart_height: 560.0,
    }
    .drawing();
    let names = shown.iter().map(|(name, _)| *name).collect();
    Some((drawing, names))
}
