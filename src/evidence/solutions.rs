//! Where the trained functions lie (Erhan et al. 2010, section 6.3): each classifier as the vector of its answers to test
//! images, and all of them in two dimensions by classical scaling (Torgerson 1952).

use burn::tensor::Device;
use maud::{Markup, html};
use nalgebra::{DMatrix, SymmetricEigen};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::figures::RedrawError;
use super::{Evidence, Found, Run, is_classifier, value};
use crate::experiment::{rebuilt, rows};
use crate::model::numbers;
use crate::report::{
    Chart, Figures, Horizontal, Legend, Line, Look, MOST_NAMES, Sheet, Stroke, Vertical, Words,
    number, table,
};
use crate::results::Member;
use crate::spec::Plan;
use crate::weights::member_prefix;
use crate::words::{counted, listed_names};

/// Fewer models have no shape.
const FEWEST: usize = 4;
/// As many test images are answered by each: distances hardly change beyond.
const IMAGES: usize = 1000;

/// The classifiers of a run as points.
pub struct Solutions;

/// All models of a run that were trained to their end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Map {
    /// How many test images each answered.
    images: usize,
    /// The share of the squared distances to the mean that two dimensions hold.
    share: f64,
    /// In the order of the plan.
    models: Vec<Placed>,
    /// How many others are not there, as they answer the same to every image.
    left_out: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Placed {
    /// The member's [`Member::index`].
    member: usize,
    condition: String,
    /// Along the directions in which models differ most, and next most; in the unit of distances.
    at: [f64; 2],
    /// The mean distance to the other models of its condition: for two models, the root of the mean over images of the squared
    /// distance between the two vectors of probabilities, 0 to √2. None of a model that is alone.
    to_its_own: Option<f64>,
    /// The mean distance to the models of other conditions.
    to_others: Option<f64>,
}

impl Evidence for Solutions {
    fn name(&self) -> &'static str {
        "solutions"
    }

    fn applies(&self, plan: &Plan) -> bool {
        is_classifier(plan) && plan.conditions.len() * plan.run.seeds.len() >= FEWEST
    }

    fn conclude(&self, found: &Found<'_>) -> Option<Value> {
        let members = found.results.members.iter().map(|of| &of.member);
        if members.len() < FEWEST {
            return None;
        }
        let answers: Option<Vec<Vec<f64>>> = answers(found, members.clone());
        let of_all = members.zip(answers?);
        let (members, answers): (Vec<&Member>, Vec<Vec<f64>>) = of_all
            .filter(|(_, answers)| tells_apart(answers, found.data.classes))
            .unzip();
        if members.len() < FEWEST {
            return None;
        }
        let images = found.data.test.images.count().min(IMAGES);
        let mut map = map(&answers, &members, images)?;
        map.left_out = found.results.members.len() - members.len();
        Some(value(&map))
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let map: Option<Map> = run.results.of_run(self.name());
        Ok(map.map(|map| section(&map, &run.conditions(), figures)))
    }
}

/// What each member answers to the first test images: the probabilities of the classes, image by image; on the CPU, whatever
/// trained them.
fn answers<'a>(
    found: &Found<'_>,
    members: impl Iterator<Item = &'a Member>,
) -> Option<Vec<Vec<f64>>> {
    let (data, weights) = (found.data, (found.weights)());
    let images = &data.test.images;
    let images = images.part(0, images.count().min(IMAGES));
    let x = rows(&images, &Device::flex());
    let answer = |member: &Member| {
        let training = found.plan.condition(&member.condition)?.classifier()?;
        let prefix = format!("{}/", member_prefix(member));
        let sizes = [images.inputs(), data.classes];
        let model = rebuilt::classifier(training, sizes, &weights, &prefix).ok()?;
        let probabilities = numbers(model.forward(&x)).into_iter();
        Some(probabilities.map(f64::from).collect())
    };
    members.map(answer).collect()
}

/// Whether answers are not the same to every image: the root mean square distance to the mean answer is above a twentieth,
/// where that of one who is sure of ten classes is near 1. A net at chance would lie far from all others, which would lie
/// together.
fn tells_apart(answers: &[f64], classes: usize) -> bool {
    let images = answers.len() as f64 / classes as f64;
    let variances = (0..classes).map(|class| {
        let of_class = || answers.iter().skip(class).step_by(classes);
        let mean = of_class().sum::<f64>() / images;
        of_class().map(|p| (p - mean).powi(2)).sum::<f64>() / images
    });
    variances.sum::<f64>().sqrt() > 0.05
}

fn map(answers: &[Vec<f64>], members: &[&Member], images: usize) -> Option<Map> {
    let (places, share) = scaled(answers, images)?;
    let distance = |one: usize, other: usize| {
        let pairs = answers[one].iter().zip(&answers[other]);
        let squares: f64 = pairs.map(|(a, b)| (a - b).powi(2)).sum();
        (squares / images as f64).sqrt()
    };
    let mean = |one: usize, is_meant: &dyn Fn(usize) -> bool| {
        let others = (0..members.len()).filter(|&other| other != one && is_meant(other));
        let distances: Vec<f64> = others.map(|other| distance(one, other)).collect();
        let sum: f64 = distances.iter().sum();
        (!distances.is_empty()).then(|| sum / distances.len() as f64)
    };
    let models = members
        .iter()
        .zip(places)
        .enumerate()
        .map(|(at, (member, place))| {
            let is_its_own = |other: usize| members[other].condition == member.condition;
            Placed {
                member: member.index,
                condition: member.condition.clone(),
                at: place,
                to_its_own: mean(at, &is_its_own),
                to_others: mean(at, &|other| !is_its_own(other)),
            }
        });
    Some(Map {
        images,
        share,
        models: models.collect(),
        left_out: 0,
    })
}

/// Points in two dimensions whose distances are as near as can be to those of `vectors`, over the root of `unit`, and the
/// share of the squared distances to the mean that they hold; none where the vectors are all the same.
fn scaled(vectors: &[Vec<f64>], unit: usize) -> Option<(Vec<[f64; 2]>, f64)> {
    let count = vectors.len();
    let products = DMatrix::from_fn(count, count, |i, j| {
        let pairs = vectors[i].iter().zip(&vectors[j]);
        pairs.map(|(a, b)| a * b).sum::<f64>() / unit as f64
    });
    // Of the vectors less their mean, as classical scaling makes them of squared distances.
    let means = products.row_mean();
    let all = means.mean();
    let centred = DMatrix::from_fn(count, count, |i, j| {
        products[(i, j)] - means[i] - means[j] + all
    });
    let total = centred.trace();
    let eigen = SymmetricEigen::new(centred);
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&i, &j| eigen.eigenvalues[j].total_cmp(&eigen.eigenvalues[i]));
    // What rounding leaves of equal vectors is no shape.
    if total <= 1e-12 {
        return None;
    }
    let axis = |rank: usize| -> Option<(f64, Vec<f64>)> {
        let at = *order.get(rank)?;
        let length = eigen.eigenvalues[at].max(0.0);
        let direction = eigen.eigenvectors.column(at);
        // A direction has no sign: the longest coordinate is positive.
        let longest = direction
            .iter()
            .copied()
            .max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
        let scale = length.sqrt() * longest.signum();
        Some((length, direction.iter().map(|of| of * scale).collect()))
    };
    let ((first, x), (second, y)) = (axis(0)?, axis(1)?);
    let places = x.into_iter().zip(y).map(|(x, y)| [x, y]).collect();
    Some((places, (first + second) / total))
}

fn section(map: &Map, conditions: &[&str], figures: &mut Figures) -> Markup {
    let lines = conditions.iter().zip(Look::all());
    let lines = lines.map(|(condition, look)| {
        let models = map.models.iter().filter(|of| of.condition == **condition);
        let points = models.map(|of| of.at.into()).collect();
        Line::of_points(look, Stroke::Marks, points)
    });
    let drawing = Sheet {
        legend: Legend::of(conditions.iter().copied()),
        charts: vec![Chart {
            title: "Trained classifiers by their answers".to_owned(),
            x_title: "the direction in which they differ most; upwards, the next".to_owned(),
            x: Horizontal::Real,
            y: Vertical::Either,
            lines: lines.collect(),
        }],
        columns: 1,
        chart_height: 520.0,
    }
    .drawing();
    let images = counted(map.images, "test image");
    let left_out = match map.left_out {
        0 => String::new(),
        some => format!(
            " Left out: {} with the same answer to every image.",
            counted(some, "model")
        ),
    };
    let caption = format!(
        "Each point is a classifier: its probabilities of the classes of {images}, as one vector, laid into two dimensions by classical scaling, which hold {} % of the squared distances to the mean of all.{left_out}",
        number(100.0 * map.share)
    );
    let chart = figures.chart("solutions", &drawing, &Words {
        alt: &format!(
            "A point for each classifier of {}; models that answer alike lie near to each other, as the table says in numbers",
            listed_names(conditions, MOST_NAMES)
        ),
        caption: &caption,
        numbers: None,
    });
    let mean = |of: &dyn Fn(&Placed) -> Option<f64>, condition: &str| {
        let models = map.models.iter().filter(|of| of.condition == condition);
        let distances: Vec<f64> = models.filter_map(of).collect();
        match distances.len() {
            0 => "–".to_owned(),
            count => number(distances.iter().sum::<f64>() / count as f64),
        }
    };
    let rows: Vec<Vec<String>> = conditions
        .iter()
        .map(|condition| {
            vec![
                (*condition).to_owned(),
                mean(&|of| of.to_its_own, condition),
                mean(&|of| of.to_others, condition),
            ]
        })
        .collect();
    html! {
        h2 { "Where the solutions lie" }
        p {
            "Erhan et al. (2010, section 6.3) laid out nets by what they answer, and found those with pretraining in another place than those without. The distance of two classifiers is the root of the mean, over the images, of the squared distance between their vectors of probabilities: 0 if they always answer the same, √2 if each is always sure of another class."
        }
        (chart)
        (table(
            "Mean distance of a model",
            &["condition", "to others of its condition", "to those of other conditions"],
            &rows,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_plane_keep_their_distances() {
        // A rectangle of 6 by 2 somewhere in four dimensions, its squares halved.
        let corner = |x: f64, y: f64| vec![1.0 + x, 5.0, y - 2.0, 0.5];
        let vectors = [
            corner(0.0, 0.0),
            corner(6.0, 0.0),
            corner(0.0, 2.0),
            corner(6.0, 2.0),
        ];
        let (places, share) = scaled(&vectors, 2).expect("they differ");
        assert!((share - 1.0).abs() < 1e-12, "{share}");
        let half = 0.5_f64.sqrt();
        for (place, x) in places.iter().zip([-1.0, 1.0, -1.0, 1.0]) {
            assert!((place[0].abs() - 3.0 * half).abs() < 1e-12, "{places:?}");
            assert!((place[1].abs() - half).abs() < 1e-12, "{places:?}");
            assert!((place[0] * places[1][0]).signum() * x > 0.0, "{places:?}");
        }
        let distance = |i: usize, j: usize| {
            let [a, b] = [places[i], places[j]];
            (a[0] - b[0]).hypot(a[1] - b[1])
        };
        assert!((distance(0, 3) - 40.0_f64.sqrt() * half).abs() < 1e-12);
    }

    #[test]
    fn one_that_is_at_chance_tells_no_images_apart() {
        assert!(!tells_apart(&[0.6, 0.4, 0.61, 0.39], 2));
        assert!(tells_apart(&[0.9, 0.1, 0.2, 0.8], 2));
    }

    #[test]
    fn models_that_are_the_same_have_no_map() {
        assert_eq!(scaled(&vec![vec![0.1, 0.9]; 4], 1), None);
    }
}
