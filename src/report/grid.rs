//! End results over a grid: against one key as lines with bands, over two keys as heat maps.

use crate::results::Spread;
use crate::spec::GridKey;
use crate::words::unquoted;

use super::Drawing;
use super::axis::{Horizontal, Vertical};
use super::chart::{Chart, Legend, Line, Look, Sheet};
use super::heat::{Cells, HeatMaps, Map, Row, Scale};

/// A positive key whose largest value is this many times its smallest has a logarithmic axis.
const DECADE: f64 = 10.0;

/// An end result, such as the test accuracy after the last epoch.
#[derive(Debug, Clone)]
pub struct EndResult {
    /// What it is called, with its unit.
    pub title: String,
    /// The scale of its values.
    pub y: Vertical,
    /// What is compared over the grid, by name: one alone where the grid is all there is.
    pub groups: Vec<Group>,
}

/// What came out for one group.
#[derive(Debug, Clone)]
pub struct Group {
    /// What a legend calls it.
    pub name: String,
    /// For each point of the grid, the first key slowest, the result of each seed; none where nothing came out.
    pub points: Vec<Vec<f64>>,
}

/// What stands beside each value of a key.
fn labels(key: &GridKey) -> Vec<String> {
    let values = key.values.iter();
    values.map(|value| unquoted(value).to_owned()).collect()
}

/// Where each value lies along an axis, and what is added to its title: numbers where they are, on a logarithmic scale
/// where they span decades; in their order at even distances where they span decades beside 0; and anything else at
/// even distances.
fn places(key: &GridKey) -> (Vec<f64>, &'static str) {
    let numbers: Result<Vec<f64>, _> = key.values.iter().map(|value| value.parse()).collect();
    let Some(numbers) = numbers.ok().filter(|numbers| distinct(numbers)) else {
        return ((0..key.values.len()).map(|at| at as f64).collect(), "");
    };
    let smallest = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let positive = numbers.iter().copied().filter(|&number| number > 0.0);
    let least = positive.fold(f64::INFINITY, f64::min);
    let largest = numbers.iter().copied().fold(0.0, f64::max);
    if smallest > 0.0 && largest >= DECADE * smallest {
        return (
            numbers.iter().map(|value| value.log10()).collect(),
            ", log scale",
        );
    }
    if least.is_finite() && largest >= DECADE * least {
        let below = |value: &f64| numbers.iter().filter(|other| *other < value).count() as f64;
        return (numbers.iter().map(below).collect(), ", not to scale");
    }
    (numbers, "")
}

fn distinct(numbers: &[f64]) -> bool {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let differ = sorted.windows(2).all(|pair| pair[0] < pair[1]);
    differ && numbers.iter().all(|number| number.is_finite())
}

/// End results against the values of `key`: a chart each, a line for each group through the medians over seeds, with a band
/// from the smallest to the largest.
#[must_use]
pub fn against_key(key: &GridKey, results: &[EndResult]) -> Drawing {
    let (places, scale) = places(key);
    let mut ticks: Vec<(f64, String)> = places.iter().copied().zip(labels(key)).collect();
    ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let charts = results.iter().map(|result| Chart {
        title: result.title.clone(),
        x_title: format!("{}{scale}", key.key),
        x: Horizontal::At(ticks.clone()),
        y: result.y,
        lines: result
            .groups
            .iter()
            .zip(Look::all())
            .map(|(group, look)| line(group, look, &places))
            .collect(),
    });
    let names = results.first().map_or(&[][..], |result| &result.groups);
    let entries = names.iter().zip(Look::all());
    Sheet {
        legend: Legend::new(
            // One group alone is what all of the figure is about.
            entries
                .filter(|_| names.len() > 1)
                .map(|(group, look)| (group.name.clone(), look)),
            names.len().saturating_sub(usize::from(names.len() == 1)),
        ),
        charts: charts.collect(),
        columns: results.len().clamp(1, 2),
        chart_height: 340.0,
    }
    .drawing()
}

fn line(group: &Group, look: Look, places: &[f64]) -> Line {
    let mut along: Vec<(f64, Spread)> = places
        .iter()
        .zip(&group.points)
        .filter_map(|(&at, seeds)| Some((at, Spread::of(seeds.iter().copied())?)))
        .collect();
    along.sort_by(|a, b| a.0.total_cmp(&b.0));
    Line::of_spreads(look, along)
}

/// End results over the values of two keys: a row of heat maps each, a map for each group, medians over seeds.
#[must_use]
pub fn over_two_keys(keys: [&GridKey; 2], results: &[EndResult]) -> Drawing {
    let [slow, fast] = keys;
    let rows = results.iter().map(|result| Row {
        title: result.title.clone(),
        scale: Scale::Linear,
        maps: result
            .groups
            .iter()
            .map(|group| {
                let medians: Vec<Option<f64>> = group
                    .points
                    .iter()
                    .map(|seeds| Some(Spread::of(seeds.iter().copied())?.median))
                    .collect();
                let cells = medians.chunks(fast.values.len().max(1));
                Map {
                    title: group.name.clone(),
                    rows: labels(slow),
                    columns: labels(fast),
                    cells: cells.map(<[_]>::to_vec).collect(),
                    axes: format!("{} upwards, {} to the right", slow.key, fast.key),
                    remark: String::new(),
                }
            })
            .collect(),
    });
    HeatMaps {
        rows: rows.collect(),
        cells: Cells::Numbers,
    }
    .drawing()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key: &str, values: &[&str]) -> GridKey {
        let values = values.iter().map(|&value| value.to_owned());
        GridKey {
            key: key.to_owned(),
            values: values.collect(),
        }
    }

    fn results(points: Vec<Vec<f64>>) -> [EndResult; 1] {
        [EndResult {
            title: "Test accuracy, %".to_owned(),
            y: Vertical::Linear,
            groups: vec![Group {
                name: "D <i>".to_owned(),
                points,
            }],
        }]
    }

    #[test]
    fn a_key_that_spans_decades_has_a_logarithmic_axis_unless_it_has_zero() {
        let places = |texts: &[&str]| places(&key("k", texts));
        assert_eq!(
            places(&["0.01", "1", "0.1"]),
            (vec![-2.0, 0.0, -1.0], ", log scale")
        );
        assert_eq!(
            places(&["0", "3", "0.1"]),
            (vec![0.0, 2.0, 1.0], ", not to scale")
        );
        assert_eq!(places(&["0", "1", "2"]), (vec![0.0, 1.0, 2.0], ""));
        assert_eq!(
            places(&["50", "100", "200"]),
            (vec![50.0, 100.0, 200.0], "")
        );
        assert_eq!(places(&["\"relu\"", "\"prelu\""]), (vec![0.0, 1.0], ""));
        // The same number twice, in other words, would lie on top of itself.
        assert_eq!(places(&["1", "1.0"]), (vec![0.0, 1.0], ""));
    }

    #[test]
    fn a_line_goes_through_the_medians_from_left_to_right_and_leaves_out_what_is_not_there() {
        let group = Group {
            name: "D".to_owned(),
            points: vec![vec![3.0, 1.0, 2.0], vec![], vec![5.0]],
        };
        let look = Look::all().next().expect("a look");
        let line = line(&group, look, &[2.0, 0.0, 1.0]);
        assert_eq!(line.points, [(1.0, 5.0), (2.0, 2.0)]);
        assert_eq!(line.band, [(5.0, 5.0), (1.0, 3.0)]);
    }

    #[test]
    fn the_values_of_a_key_are_its_ticks() {
        let key = key("sparsity.weight", &["0.01", "1"]);
        let svg = against_key(&key, &results(vec![vec![1.0], vec![2.0]])).svg();
        assert!(svg.contains(">0.01</text>") && svg.contains(">1</text>"));
        assert!(svg.contains(">sparsity.weight, log scale</text>"));
        assert!(!svg.contains("D &lt;i&gt;"), "one group needs no legend");
        assert!(against_key(&key, &[]).svg().ends_with("</svg>\n"));
    }

    #[test]
    fn two_keys_make_a_map_with_numbers_in_its_cells() {
        let slow = key("layers", &["1", "2"]);
        let fast = key("activation", &["a", "b", "\"c\""]);
        let points = (0..6).map(|at| vec![f64::from(at), f64::from(at) + 1.0]);
        let drawing = over_two_keys([&slow, &fast], &results(points.collect()));
        let svg = drawing.svg();
        assert!(svg.contains(">layers upwards, activation to the right</text>"));
        // The medians of two seeds: 0.5 in the first row and column, 5.5 in the last.
        assert!(svg.contains(">0.500</text>") && svg.contains(">5.50</text>"));
        assert!(svg.contains(">c</text>") && !svg.contains("<i>"));
    }
}
