//! Whether units look for edges: how strictly each is tuned to one orientation, which one, at which frequency, and where in
//! the picture. For autoencoders of patches of photographs, after Olshausen and Field ("Emergence of simple-cell receptive
//! field properties by learning a sparse code for natural images", 1996).

use std::f64::consts::PI;

use maud::{Markup, html};
use rustfft::num_complex::Complex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::figures::RedrawError;
use super::quantities::{Quantity, measured};
use super::{Evidence, Run, is_autoencoder, value};
use crate::experiment::{Models, Trained};
use crate::fourier::{self, Direction, frequency};
use crate::model::numbers;
use crate::report::{
    Chart, Colour, Drawing, Figures, Horizontal, Legend, Line, Look, Sheet, Stroke, Term, Vertical,
    Words, if_defined, table,
};
use crate::results::{self, Member};
use crate::run_dir;
use crate::spec::{Plan, Source};

/// A unit's picture is padded with zeros to so many pixels a side, if it is smaller, before its spectrum is taken.
const PADDED: usize = 32;
/// Shares of the units at which their selectivity is told.
const SHARES: [f64; 5] = [0.1, 0.25, 0.5, 0.75, 0.9];
/// As many models as charts can be told apart.
const MOST_DRAWN: usize = 8;
/// Half the length of a wholly selective unit's bar, as a share of the picture's width.
const HALF_A_BAR: f64 = 0.06;
const FRAME: Colour = Colour([170, 170, 170]);

pub struct Orientation;

/// What the live units of one autoencoder are tuned to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// Selectivity that 10, 25, 50, 75 and 90 % of the units are below; none where no unit has any.
    pub selectivity: [Option<f64>; 5],
    /// The median of the units' mean frequencies, in cycles a pixel.
    pub frequency: Option<f64>,
    /// The units that are not dead on the test images, and whose weights vary.
    pub units: Vec<Tuning>,
}

/// What a unit's picture is tuned to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    /// The unit's place among the units.
    pub unit: usize,
    /// |Σ F e^{2iθ}| / Σ F over the power spectrum F, in [0, 1]: 1 for a single orientation.
    pub selectivity: f64,
    /// The direction along the edges, in degrees from the horizontal, anticlockwise; from 0 to below 180.
    pub orientation: f64,
    /// The mean frequency over the power spectrum, in cycles a pixel.
    pub frequency: f64,
    /// The centre of the picture's energy, in pixels from the upper left corner: row, then column.
    pub centre: [f64; 2],
}

impl Tuned {
    /// What stands under a grid.
    pub(super) fn caption(&self) -> Option<String> {
        let [_, _, median, _, _] = self.selectivity;
        Some(format!("orientation selectivity {:.2}", median?))
    }
}

impl Evidence for Orientation {
    fn name(&self) -> &'static str {
        "orientation"
    }

    /// Photographs are full of edges; of other pictures it is measured where it is asked for.
    fn applies(&self, plan: &Plan) -> bool {
        let is_asked_for = || {
            let mut asked = plan.report.evidence.iter().flatten();
            asked.any(|name| name == self.name())
        };
        let are_patches = matches!(plan.data.source, Source::Patches(_));
        is_autoencoder(plan) && (are_patches || is_asked_for())
    }

    fn measure(&self, _: &Plan, trained: &Trained<'_>) -> Vec<Value> {
        tuned(trained).iter().map(value).collect()
    }

    fn quantities(&self) -> &'static [Quantity] {
        measured! { Orientation:
            "orientation selectivity", "", "/selectivity/2";
            "orientation selectivity of the lowest tenth", "", "/selectivity/0";
            "orientation selectivity of the highest tenth", "", "/selectivity/4";
            "spatial frequency", "cycles a pixel", "/frequency";
        }
    }

    fn show(&self, run: &Run<'_>, figures: &mut Figures) -> Result<Option<Markup>, RedrawError> {
        let members = run.results.of_members::<Tuned>(self.name());
        let Some([height, width]) = run.manifest.data.frame.as_grey() else {
            return Ok(None);
        };
        if members.is_empty() {
            return Ok(None);
        }
        let rows: Vec<Vec<String>> = members
            .iter()
            .map(|(member, of)| {
                let head = [
                    member.label.clone(),
                    member.seed.to_string(),
                    of.units.len().to_string(),
                ];
                let numbers = of.selectivity.into_iter().chain([of.frequency]);
                head.into_iter().chain(numbers.map(if_defined)).collect()
            })
            .collect();
        let head = figures.glossary.head(&[
            ("model", None),
            ("seed", None),
            ("units", None),
            ("selectivity: 10 %", Some(Term::OrientationSelectivity)),
            ("25 %", None),
            ("median", None),
            ("75 %", None),
            ("90 %", None),
            ("frequency", Some(Term::SpatialFrequency)),
        ]);
        let drawn = &members[..members.len().min(MOST_DRAWN)];
        let alt = "Two charts for each model: a bar for each unit, where its energy is and along its edges; and a mark for \
                   each unit, at its orientation and its frequency; the table above has the spread of selectivity";
        let left_out = match members.len() - drawn.len() {
            0 => String::new(),
            _ => format!(
                " The first {MOST_DRAWN} of {} models are drawn.",
                members.len()
            ),
        };
        let caption = format!(
            "Left: a bar for each unit, at the centre of its energy in the patch (framed), along its edges, as long as it is \
             selective. Right: where the bars point, against how fine they are.{left_out}"
        );
        let words = Words {
            alt,
            caption: &caption,
            numbers: Some(run_dir::RESULTS),
        };
        Ok(Some(html! {
            h2 { "Edges" }
            p {
                "A unit that looks for an edge answers to one orientation, in one place. Selectivity near 0 is noise, or a \
                 pattern without direction such as a checkerboard; near 1 are edges and gratings."
            }
            (table(
                "Orientation selectivity over live units: so many of them have less; and the median frequency, in cycles a \
                 pixel",
                &head,
                &rows,
            ))
            (figures.chart("orientation", &drawing(drawn, height, width), &words))
        }))
    }
}

/// What the units of each member are tuned to after the last epoch; nothing of classifiers, nor where inputs are no grey
/// pictures.
fn tuned(trained: &Trained<'_>) -> Vec<Tuned> {
    let Models::Autoencoders {
        trainee,
        evaluations,
        ..
    } = trained.models
    else {
        return Vec::new();
    };
    let Some([height, width]) = trained.data.train.images.frame().as_grey() else {
        return Vec::new();
    };
    let weight = trainee.model().encoder.weight.val();
    let [_, inputs, units] = weight.dims();
    let weight = numbers(weight);
    let matrices = weight.chunks_exact(inputs * units).zip(evaluations);
    matrices
        .map(|(matrix, evaluation)| {
            let live = (0..units).filter(|unit| evaluation.dead.binary_search(unit).is_err());
            let units: Vec<Tuning> = live
                .filter_map(|unit| {
                    let tile: Vec<f32> = matrix.iter().skip(unit).step_by(units).copied().collect();
                    tuning(unit, &tile, height, width)
                })
                .collect();
            let mut selectivity: Vec<f64> = units.iter().map(|of| of.selectivity).collect();
            selectivity.sort_by(f64::total_cmp);
            let mut frequencies: Vec<f64> = units.iter().map(|of| of.frequency).collect();
            Tuned {
                selectivity: SHARES.map(|share| results::quantile(&selectivity, share)),
                frequency: results::median(&mut frequencies),
                units,
            }
        })
        .collect()
}

/// Two charts for each member, two members side by side.
fn drawing(members: &[(&Member, Tuned)], height: usize, width: usize) -> Drawing {
    let charts = members.iter().flat_map(|(member, of)| {
        [
            places(&member.label, &of.units, height, width),
            waves(&member.label, &of.units),
        ]
    });
    Sheet {
        legend: Legend::new([], 0),
        charts: charts.collect(),
        columns: 4,
        chart_height: 310.0,
    }
    .drawing()
}

fn line(stroke: Stroke, points: Vec<(f64, f64)>) -> Option<Line> {
    Some(Line::of_points(Look::all().next()?, stroke, points))
}

fn faint(mut line: Line) -> Line {
    line.look.colour = FRAME;
    line
}

/// A bar for each unit, where it is in the picture.
fn places(label: &str, units: &[Tuning], height: usize, width: usize) -> Chart {
    let (right, top) = (width as f64, height as f64);
    let corners = vec![
        (0.0, 0.0),
        (right, 0.0),
        (right, top),
        (0.0, top),
        (0.0, 0.0),
    ];
    let frame = line(Stroke::Bare, corners).map(faint);
    let bars = units.iter().filter_map(|of| {
        let [row, column] = of.centre;
        let (x, y) = (column + 0.5, top - row - 0.5);
        let half = HALF_A_BAR * right * of.selectivity;
        let (rise, run) = of.orientation.to_radians().sin_cos();
        let ends = [-half, half].map(|along| (x + along * run, y + along * rise));
        line(Stroke::Bare, ends.to_vec())
    });
    Chart {
        title: format!("{label}: places"),
        x_title: "pixels from the left".to_owned(),
        x: Horizontal::Real,
        y: Vertical::Linear,
        lines: frame.into_iter().chain(bars).collect(),
    }
}

/// A mark for each unit, at its orientation and its frequency.
fn waves(label: &str, units: &[Tuning]) -> Chart {
    let marks = units.iter().map(|of| (of.orientation, of.frequency));
    // No unit is beyond these.
    let ends = line(Stroke::Bare, vec![(0.0, 0.0), (180.0, 0.0)]).map(faint);
    let marks = line(Stroke::Marks, marks.collect());
    let ticks = [0.0, 45.0, 90.0, 135.0, 180.0].map(|tick| (tick, tick.to_string()));
    Chart {
        title: format!("{label}: cycles a pixel"),
        x_title: "orientation, degrees".to_owned(),
        x: Horizontal::At(ticks.to_vec()),
        y: Vertical::Within(0.0, 0.6),
        lines: ends.into_iter().chain(marks).collect(),
    }
}

/// What the picture `tile` of `unit` is tuned to; nothing where it is flat, not finite, or not of `height` × `width` pixels.
fn tuning(unit: usize, tile: &[f32], height: usize, width: usize) -> Option<Tuning> {
    let varies = tile.iter().any(|w| w.to_bits() != tile[0].to_bits());
    if height.checked_mul(width) != Some(tile.len()) || !varies {
        return None;
    }
    let mean = tile.iter().map(|&w| f64::from(w)).sum::<f64>() / tile.len() as f64;
    let (rows, columns) = (height.max(PADDED), width.max(PADDED));
    let mut plane = vec![Complex::default(); rows * columns];
    let mut energies = Vec::with_capacity(tile.len());
    for (at, &w) in tile.iter().enumerate() {
        let (row, column, w) = (at / width, at % width, f64::from(w) - mean);
        plane[row * columns + column] = Complex::from(w);
        energies.push((row as f64, column as f64, w * w));
    }
    fourier::transform(&mut plane, rows, columns, Direction::Forward);

    let (mut power, mut turned, mut frequencies) = (0.0, Complex::<f64>::default(), 0.0);
    for (at, value) in plane.iter().enumerate().skip(1) {
        let (down, right) = (
            frequency(at / columns, rows),
            frequency(at % columns, columns),
        );
        let of_wave = value.norm_sqr();
        power += of_wave;
        let wave = Complex::from_polar(of_wave, 2.0 * down.atan2(right));
        // On the plane's edge, ½ and −½ are the same wave: half of its power has either angle.
        let is_edge = down <= -0.5 || right <= -0.5;
        turned += if is_edge { wave.re.into() } else { wave };
        frequencies += of_wave * down.hypot(right);
    }
    let energy: f64 = energies.iter().map(|of| of.2).sum();
    if !(power > 0.0 && energy > 0.0 && power.is_finite()) {
        return None;
    }
    let centre = |at: fn(&(f64, f64, f64)) -> f64| {
        energies.iter().map(|of| at(of) * of.2).sum::<f64>() / energy
    };
    // Rows go down and angles go up; edges stand across the direction in which they change.
    let across = -turned.arg() / 2.0;
    Some(Tuning {
        unit,
        selectivity: turned.norm() / power,
        orientation: ((across + PI / 2.0).to_degrees()).rem_euclid(180.0),
        frequency: frequencies / power,
        centre: [centre(|of| of.0), centre(|of| of.1)],
    })
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    /// Waves of 32×32 pixels: each an amplitude, and cycles down and to the right.
    fn waves(waves: &[(f64, f64, f64)]) -> Vec<f32> {
        let pixel = |at: usize| {
            let (row, column) = ((at / 32) as f64, (at % 32) as f64);
            let wave = |&(amplitude, down, right): &(f64, f64, f64)| {
                amplitude * (TAU * (down * row + right * column) / 32.0).cos()
            };
            waves.iter().map(wave).sum::<f64>() as f32
        };
        (0..32 * 32).map(pixel).collect()
    }

    fn of_waves(list: &[(f64, f64, f64)]) -> Tuning {
        tuning(0, &waves(list), 32, 32).expect("they vary")
    }

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }

    #[test]
    fn a_wave_has_one_orientation_and_one_frequency() {
        // Cycles to the right are upright stripes; cycles down and to the right alike rise from the left to the right.
        for (down, right, orientation) in [
            (0.0, 4.0, 90.0),
            (4.0, 0.0, 0.0),
            (4.0, 4.0, 45.0),
            (4.0, -4.0, 135.0),
        ] {
            let found = of_waves(&[(1.0, down, right)]);
            close(found.selectivity, 1.0);
            close(found.orientation, orientation);
            close(found.frequency, down.hypot(right) / 32.0);
        }
    }

    #[test]
    fn waves_across_each_other_take_selectivity_away() {
        // Power 4 and 1: (4 − 1) / (4 + 1), along the stronger one; frequency (4 · 4 + 1 · 8) / 5 cycles in 32 pixels.
        let found = of_waves(&[(2.0, 0.0, 4.0), (1.0, 8.0, 0.0)]);
        close(found.selectivity, 0.6);
        close(found.orientation, 90.0);
        close(found.frequency, 4.8 / 32.0);
        close(
            of_waves(&[(1.0, 4.0, 4.0), (1.0, 4.0, -4.0)]).selectivity,
            0.0,
        );
    }

    #[test]
    fn checkerboards_have_no_orientation_and_bars_have_one() {
        let tile = |light: fn(usize, usize) -> bool| -> Vec<f32> {
            let pixel = |at: usize| if light(at / 12, at % 12) { 1.0 } else { 0.0 };
            (0..144).map(pixel).collect()
        };
        let checkers = tile(|row, column| (row + column) % 2 == 0);
        let found = tuning(3, &checkers, 12, 12).expect("it varies");
        assert!(found.selectivity < 1e-9 && found.unit == 3, "{found:?}");
        let bar = tile(|row, column| column == 3 && (2..10).contains(&row));
        let found = tuning(0, &bar, 12, 12).expect("it varies");
        assert!(found.selectivity > 0.5, "{found:?}");
        close(found.orientation, 90.0);
    }

    #[test]
    fn the_centre_is_where_the_energy_is() {
        let mut tile = vec![0.0_f32; 64];
        // About the mean 0: half of the energy at each of two pixels.
        (tile[8 + 2], tile[8 * 3 + 6]) = (1.0, -1.0);
        let found = tuning(0, &tile, 8, 8).expect("it varies");
        close(found.centre[0], 2.0);
        close(found.centre[1], 4.0);
    }

    #[test]
    fn selectivity_ignores_scale_sign_and_what_is_added() {
        let tile = waves(&[(1.0, 3.0, 1.0), (0.5, -2.0, 6.0)]);
        let before = tuning(0, &tile, 32, 32).expect("it varies");
        for (factor, added) in [(-2.0, 0.0), (1e-6, 0.0), (1.0, 3.0)] {
            let other: Vec<f32> = tile.iter().map(|w| w * factor + added).collect();
            let after = tuning(0, &other, 32, 32).expect("it varies");
            close(after.selectivity, before.selectivity);
            close(after.orientation, before.orientation);
        }
    }

    #[test]
    fn what_cannot_be_tuned_has_no_tuning() {
        assert_eq!(tuning(0, &[0.1; 9], 3, 3), None);
        assert_eq!(tuning(0, &[0.1, 0.2], 3, 3), None);
        assert_eq!(tuning(0, &[f32::NAN, 0.0, 1.0, 0.0], 2, 2), None);
        assert_eq!(tuning(0, &[], 0, 0), None);
    }
}
