//! Learning curves: six small charts on one sheet, a line per model against the epoch.
//!
//! Laid out once and drawn on either canvas, so that the SVG and the PNG show the same.

use std::collections::BTreeMap;

use image::Rgb;

use crate::results::EpochRecord;

use super::canvas::{Anchor, Bitmap, Canvas, Colour, FAINT_INK, INK, Point, Svg, WHITE};
use super::{ReportError, check_size, encode_png, font};

/// Okabe and Ito's colour-blind safe palette, without the yellow that drowns on white.
const PALETTE: [Colour; 7] = [
    Rgb([0, 114, 178]),
    Rgb([213, 94, 0]),
    Rgb([0, 158, 115]),
    Rgb([204, 121, 167]),
    Rgb([230, 159, 0]),
    Rgb([86, 180, 233]),
    Rgb([0, 0, 0]),
];
const GRID_LINE: Colour = Rgb([228, 228, 228]);
const AXIS_LINE: Colour = Rgb([120, 120, 120]);

const SHEET_WIDTH: f32 = 1200.0;
const PANEL_COLUMNS: usize = 3;
const PANEL_HEIGHT: f32 = 290.0;
const PNG_SCALE: f32 = 2.0;
const LABEL_SIZE: f32 = 15.0;
const TICK_SIZE: f32 = 13.0;
const LINE_WIDTH: f32 = 2.0;
const MARKER: f32 = 3.2;
/// More markers than this would hide the lines.
const MARKED_EPOCHS: usize = 24;
/// Larger numbers come from a training that diverged; drawing them would flatten everything else.
const DRAWABLE: f64 = 1e30;
/// A panel that may, goes over to a logarithmic scale at this ratio of its largest to its smallest value.
const LOGARITHMIC_FROM: f64 = 30.0;
const MAX_LABEL: usize = 60;

/// One chart.
struct Panel {
    title: &'static str,
    value: fn(&EpochRecord) -> f64,
    /// A second quantity, drawn dashed.
    dashed: Option<fn(&EpochRecord) -> f64>,
    scale: PanelScale,
}

#[derive(Clone, Copy, PartialEq)]
enum PanelScale {
    /// Linear, or logarithmic where values are positive and far apart.
    Either,
    Linear,
    /// Linear, whole numbers, from 0.
    Count,
}

const PANELS: [Panel; 6] = [
    Panel {
        title: "Reconstruction loss, test images",
        value: |r| r.test_reconstruction,
        dashed: None,
        scale: PanelScale::Either,
    },
    Panel {
        title: "Sparsity term, Σ KL, without β",
        value: |r| r.sparsity,
        dashed: None,
        scale: PanelScale::Either,
    },
    Panel {
        title: "Mean activation",
        value: |r| r.mean_activation,
        dashed: None,
        scale: PanelScale::Either,
    },
    Panel {
        title: "Active units per image (h > 0.01)",
        value: |r| r.active_units,
        dashed: None,
        scale: PanelScale::Count,
    },
    Panel {
        title: "Dead (solid), untrained (dashed) units",
        value: |r| r.dead_units as f64,
        dashed: Some(|r| r.untrained_units as f64),
        scale: PanelScale::Count,
    },
    Panel {
        title: "Explained variance, test images",
        value: |r| r.explained_variance,
        dashed: None,
        scale: PanelScale::Linear,
    },
];

/// The curves as an SVG document; records of a model may come in any order.
#[must_use]
pub fn curves_svg(records: &[EpochRecord]) -> String {
    let sheet = Sheet::new(records);
    let mut svg = Svg::new(SHEET_WIDTH, sheet.height);
    sheet.draw(&mut svg);
    svg.finish()
}

/// The curves as a PNG, 2400 pixels wide.
///
/// # Errors
/// When a legend of very many models would make the sheet too large.
pub fn curves_png(records: &[EpochRecord]) -> Result<Vec<u8>, ReportError> {
    let sheet = Sheet::new(records);
    check_size(SHEET_WIDTH * PNG_SCALE, sheet.height * PNG_SCALE)?;
    let mut bitmap = Bitmap::new(SHEET_WIDTH, sheet.height, PNG_SCALE);
    sheet.draw(&mut bitmap);
    encode_png(&bitmap.image)
}

/// One model's epochs in order, and how it is drawn.
struct Line<'a> {
    label: String,
    colour: Colour,
    marker: Marker,
    records: Vec<&'a EpochRecord>,
}

/// Tells models apart when the palette begins anew.
#[derive(Clone, Copy)]
enum Marker {
    Disc,
    Square,
    Diamond,
}

struct Sheet<'a> {
    lines: Vec<Line<'a>>,
    /// Left end and baseline of each line's legend entry.
    legend: Vec<Point>,
    panels_top: f32,
    height: f32,
}

impl<'a> Sheet<'a> {
    fn new(records: &'a [EpochRecord]) -> Self {
        let mut members: BTreeMap<usize, Vec<&EpochRecord>> = BTreeMap::new();
        for record in records {
            members.entry(record.member).or_default().push(record);
        }
        let lines: Vec<Line> = members
            .into_values()
            .enumerate()
            .map(|(index, mut records)| {
                records.sort_by_key(|record| record.epoch);
                Line {
                    label: shortened(records.first().map_or("", |r| r.label.as_str())),
                    colour: PALETTE[index % PALETTE.len()],
                    marker: [Marker::Disc, Marker::Square, Marker::Diamond]
                        [index / PALETTE.len() % 3],
                    records,
                }
            })
            .collect();
        let mut legend = Vec::with_capacity(lines.len());
        let (mut x, mut y) = (LEGEND_LEFT, 34.0);
        for line in &lines {
            let width = LEGEND_SAMPLE + font::text_width(&line.label, LABEL_SIZE) + 36.0;
            if x > LEGEND_LEFT && x + width > SHEET_WIDTH {
                (x, y) = (LEGEND_LEFT, y + 26.0);
            }
            legend.push((x, y));
            x += width;
        }
        let panels_top = y + 18.0;
        let rows = PANELS.len().div_ceil(PANEL_COLUMNS) as f32;
        Self {
            lines,
            legend,
            panels_top,
            height: panels_top + rows * PANEL_HEIGHT + 8.0,
        }
    }

    fn draw(&self, canvas: &mut impl Canvas) {
        for (line, &(x, y)) in self.lines.iter().zip(&self.legend) {
            let middle = y - 0.33 * LABEL_SIZE;
            let sample = [(x, middle), (x + 30.0, middle)];
            canvas.polyline(&sample, LINE_WIDTH, line.colour);
            draw_marker(canvas, line.marker, (x + 15.0, middle), MARKER, line.colour);
            let at = (x + LEGEND_SAMPLE, y);
            canvas.text(&line.label, at, LABEL_SIZE, INK, Anchor::Start);
        }
        for (index, panel) in PANELS.iter().enumerate() {
            let width = SHEET_WIDTH / PANEL_COLUMNS as f32;
            let left = (index % PANEL_COLUMNS) as f32 * width;
            let top = self.panels_top + (index / PANEL_COLUMNS) as f32 * PANEL_HEIGHT;
            let plot = Rectangle {
                left: left + 62.0,
                right: left + width - 18.0,
                top: top + 42.0,
                bottom: top + PANEL_HEIGHT - 46.0,
            };
            panel.draw(canvas, &plot, &self.lines);
        }
    }
}

const LEGEND_LEFT: f32 = 62.0;
const LEGEND_SAMPLE: f32 = 40.0;

struct Rectangle {
    left: f32,
    right: f32,
    top: f32,
    bottom: f32,
}

impl Panel {
    fn draw(&self, canvas: &mut impl Canvas, plot: &Rectangle, lines: &[Line]) {
        let records = || lines.iter().flat_map(|line| line.records.iter().copied());
        let quantities = || std::iter::once(self.value).chain(self.dashed);
        let values = quantities()
            .flat_map(|quantity| records().map(quantity))
            .filter(|value| value.abs() < DRAWABLE);
        let vertical = Axis::of_values(values, self.scale);
        let horizontal = Axis::of_epochs(records().map(|record| record.epoch as f64));
        let (Some(vertical), Some(horizontal)) = (vertical, horizontal) else {
            let middle = f32::midpoint(plot.left, plot.right);
            self.draw_title(canvas, plot, "");
            let at = (middle, f32::midpoint(plot.top, plot.bottom));
            canvas.text("nothing to draw", at, TICK_SIZE, FAINT_INK, Anchor::Middle);
            return;
        };
        let scale = if vertical.logarithmic {
            ", log scale"
        } else {
            ""
        };
        self.draw_title(canvas, plot, scale);
        let x = |epoch: f64| horizontal.place(epoch, plot.left, plot.right);
        let y = |value: f64| vertical.place(value, plot.bottom, plot.top);
        for (tick, label) in vertical.ticks() {
            let height = y(tick);
            canvas.polyline(&[(plot.left, height), (plot.right, height)], 1.0, GRID_LINE);
            let at = (plot.left - 8.0, height + 0.35 * TICK_SIZE);
            canvas.text(&label, at, TICK_SIZE, FAINT_INK, Anchor::End);
        }
        let corner = |x: f32| [(x, plot.bottom), (x, plot.bottom + 5.0)];
        // Epochs count from 1.
        for (tick, label) in horizontal
            .ticks()
            .into_iter()
            .filter(|(tick, _)| *tick >= 1.0)
        {
            canvas.polyline(&corner(x(tick)), 1.0, AXIS_LINE);
            let at = (x(tick), plot.bottom + 8.0 + TICK_SIZE);
            canvas.text(&label, at, TICK_SIZE, FAINT_INK, Anchor::Middle);
        }
        let axis = [(plot.left, plot.bottom), (plot.right, plot.bottom)];
        canvas.polyline(&axis, 1.0, AXIS_LINE);
        let below = (plot.right, plot.bottom + 36.0);
        canvas.text("epoch", below, TICK_SIZE, INK, Anchor::End);
        for line in lines {
            let points = |quantity: fn(&EpochRecord) -> f64| -> Vec<Option<Point>> {
                let place = |record: &&EpochRecord| {
                    let value = quantity(record);
                    (value.abs() < DRAWABLE).then(|| (x(record.epoch as f64), y(value)))
                };
                line.records.iter().map(place).collect()
            };
            if let Some(quantity) = self.dashed {
                draw_dashed(canvas, &points(quantity), line.colour);
            }
            draw_line(canvas, &points(self.value), line);
        }
    }

    fn draw_title(&self, canvas: &mut impl Canvas, plot: &Rectangle, scale: &str) {
        let title = format!("{}{scale}", self.title);
        let at = (plot.left, plot.top - 16.0);
        canvas.text(&title, at, LABEL_SIZE, INK, Anchor::Start);
    }
}

fn draw_line(canvas: &mut impl Canvas, points: &[Option<Point>], line: &Line) {
    // A value that cannot be drawn breaks the line; a point alone between two breaks still shows as a marker.
    for stretch in points.split(Option::is_none) {
        let stretch: Vec<Point> = stretch.iter().flatten().copied().collect();
        canvas.polyline(&stretch, LINE_WIDTH, line.colour);
        if let [alone] = stretch[..] {
            draw_marker(canvas, line.marker, alone, MARKER, line.colour);
        }
    }
    for &point in marked(points) {
        draw_marker(canvas, line.marker, point, MARKER, line.colour);
    }
}

/// Dashes, and rings instead of markers.
fn draw_dashed(canvas: &mut impl Canvas, points: &[Option<Point>], colour: Colour) {
    const DASH: f32 = 5.0;
    for stretch in points.split(Option::is_none) {
        let stretch: Vec<Point> = stretch.iter().flatten().copied().collect();
        for pair in stretch.windows(2) {
            let [from, to] = [pair[0], pair[1]];
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            let at = |along: f32| {
                let share = (along / length).min(1.0);
                let between = |a: f32, b: f32| a + (b - a) * share;
                (between(from.0, to.0), between(from.1, to.1))
            };
            let dashes = (length / (2.0 * DASH)).ceil() as usize;
            for dash in 0..dashes {
                let start = dash as f32 * 2.0 * DASH;
                canvas.polyline(&[at(start), at(start + DASH)], LINE_WIDTH, colour);
            }
        }
    }
    for &point in marked(points) {
        canvas.disc(point, MARKER + 0.8, colour);
        canvas.disc(point, MARKER - 1.0, WHITE);
    }
}

/// The points that bear a marker, evenly spread.
fn marked(points: &[Option<Point>]) -> impl Iterator<Item = &Point> {
    let stride = points.len().div_ceil(MARKED_EPOCHS).max(1);
    points.iter().step_by(stride).flatten()
}

fn draw_marker(canvas: &mut impl Canvas, marker: Marker, (x, y): Point, r: f32, colour: Colour) {
    match marker {
        Marker::Disc => canvas.disc((x, y), r, colour),
        Marker::Square => canvas.rectangle((x - r, y - r), (2.0 * r, 2.0 * r), colour),
        Marker::Diamond => {
            let r = 1.4 * r;
            canvas.polygon(&[(x, y - r), (x + r, y), (x, y + r), (x - r, y)], colour);
        }
    }
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= MAX_LABEL {
        return label.to_owned();
    }
    label.chars().take(MAX_LABEL - 1).chain(['…']).collect()
}

/// Maps values to one direction of a plot, and chooses round ticks.
struct Axis {
    /// In log₁₀ units on a logarithmic axis.
    low: f64,
    high: f64,
    logarithmic: bool,
    whole: bool,
}

impl Axis {
    /// `None` without values.
    fn of_epochs(epochs: impl Iterator<Item = f64>) -> Option<Self> {
        let (low, high) = range(epochs)?;
        // A single epoch stands in the middle.
        let margin = if low < high { 0.04 * (high - low) } else { 0.5 };
        Some(Self {
            low: low - margin,
            high: high + margin,
            logarithmic: false,
            whole: true,
        })
    }

    /// `None` without values.
    fn of_values(values: impl Iterator<Item = f64>, scale: PanelScale) -> Option<Self> {
        let (low, high) = range(values)?;
        let whole = scale == PanelScale::Count;
        let logarithmic =
            scale == PanelScale::Either && low > 0.0 && high / low >= LOGARITHMIC_FROM;
        let (low, high) = match scale {
            _ if logarithmic => (low.log10(), high.log10()),
            PanelScale::Count => (low.min(0.0), high.max(1.0)),
            PanelScale::Either | PanelScale::Linear => (low, high),
        };
        // Differences that come from rounding alone are no range to spread out.
        let margin = if high - low > 1e-9 * low.abs().max(high.abs()) {
            0.06 * (high - low)
        } else {
            (0.1 * low.abs()).max(1e-3)
        };
        Some(Self {
            low: low - margin,
            high: high + margin,
            logarithmic,
            whole,
        })
    }

    fn place(&self, value: f64, start: f32, end: f32) -> f32 {
        let value = if self.logarithmic {
            value.log10()
        } else {
            value
        };
        let share = (value - self.low) / (self.high - self.low);
        start + (end - start) * share as f32
    }

    /// Values with labels, at most about ten.
    fn ticks(&self) -> Vec<(f64, String)> {
        if self.logarithmic {
            return self.logarithmic_ticks();
        }
        let span = self.high - self.low;
        let target: f64 = if self.whole && span < 13.0 {
            span
        } else {
            span / 6.0
        };
        let power = 10_f64.powf(target.log10().floor());
        let mut step = [1.0, 2.0, 5.0, 10.0]
            .map(|factor| factor * power)
            .into_iter()
            .find(|step| *step >= target * 0.999)
            .unwrap_or(power);
        if self.whole {
            step = if span < 13.0 { 1.0 } else { step.max(1.0) };
        }
        let decimals = (-step.log10().floor()).clamp(0.0, 12.0) as usize;
        let (first, last) = ((self.low / step).ceil(), (self.high / step).floor());
        (0..=(last - first).clamp(0.0, 20.0) as usize)
            .map(|index| {
                let value = (first + index as f64) * step;
                let label = if value.abs() < 1e6 {
                    format!("{value:.decimals$}")
                } else {
                    format!("{value:.1e}")
                };
                (value, label.replace('-', "−"))
            })
            .filter(|(value, _)| *value <= self.high)
            .collect()
    }

    fn logarithmic_ticks(&self) -> Vec<(f64, String)> {
        let decades = self.high - self.low;
        let factors: &[f64] = match decades {
            d if d < 1.7 => &[1.0, 2.0, 5.0],
            d if d < 3.5 => &[1.0, 3.0],
            _ => &[1.0],
        };
        let stride = (decades / 6.0).ceil().max(1.0) as usize;
        ((self.low.floor() as i32)..=(self.high.ceil() as i32))
            .step_by(stride)
            .flat_map(|power| factors.iter().map(move |factor| (power, factor)))
            .map(|(power, factor)| {
                let label = if (-4..6).contains(&power) {
                    let decimals = (-power).max(0) as usize;
                    format!("{:.decimals$}", factor * 10_f64.powi(power))
                } else {
                    format!("{factor}e{power}").replace('-', "−")
                };
                (factor * 10_f64.powi(power), label)
            })
            .filter(|(value, _)| (self.low..=self.high).contains(&value.log10()))
            .collect()
    }
}

/// Smallest and largest; `None` without values.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    (low <= high).then_some((low, high))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::report) fn record(member: usize, label: &str, epoch: usize) -> EpochRecord {
        let decay = 1.0 / epoch as f64;
        EpochRecord {
            epoch,
            member,
            label: label.to_owned(),
            learning_rate: 5e-4,
            cost: 3.0 + decay,
            reconstruction: 2.0 + decay,
            sparsity: 100.0 * decay,
            test_reconstruction: 2.0 + decay + member as f64,
            explained_variance: 0.9 - 0.1 * decay,
            mean_activation: 0.5 + decay,
            active_units: 30.0,
            dead_units: member,
            untrained_units: 0,
        }
    }

    /// Every tag is closed in order, and every `<` and `&` belongs to markup.
    fn assert_well_formed(document: &str) {
        let mut open = Vec::new();
        for piece in document.split('<').skip(1) {
            let (tag, text) = piece.split_once('>').expect("a closed tag");
            assert!(!text.contains('>') && !tag.contains('&'));
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name));
            } else if !tag.ends_with('/') {
                open.push(tag.split(' ').next().expect("a name"));
            }
            for entity in text.split('&').skip(1) {
                assert!(
                    ["lt;", "gt;", "amp;", "quot;", "#39;"]
                        .iter()
                        .any(|e| entity.starts_with(e))
                );
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn the_svg_is_well_formed_and_names_every_model() {
        let records = [
            record(0, "β = 0", 1),
            record(0, "β = 0", 2),
            record(1, "<script>alert(1)</script> & co", 1),
        ];
        let svg = curves_svg(&records);
        assert_well_formed(&svg);
        assert!(svg.contains(">β = 0</text>"));
        assert!(svg.contains(">&lt;script&gt;alert(1)&lt;/script&gt; &amp; co</text>"));
        assert!(!svg.contains("<script"));
        assert!(
            PANELS
                .iter()
                .all(|panel| svg.contains(&format!(">{}", panel.title.replace('>', "&gt;"))))
        );
        assert_eq!(svg, curves_svg(&records));
    }

    #[test]
    fn no_epochs_one_epoch_and_diverged_epochs_still_draw() {
        assert!(curves_svg(&[]).contains("nothing to draw"));
        let one = curves_svg(&[record(0, "β = 0", 7)]);
        assert!(one.contains(">7</text>") && one.contains("<circle"));
        let mut diverged = record(0, "β = 0", 2);
        diverged.test_reconstruction = f64::NAN;
        diverged.sparsity = f64::INFINITY;
        diverged.mean_activation = 1e300;
        let svg = curves_svg(&[record(0, "β = 0", 1), diverged, record(0, "β = 0", 3)]);
        assert_well_formed(&svg);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn the_png_shows_the_first_colour_of_the_palette() {
        let records = [record(0, "β = 0", 1), record(0, "β = 0", 2)];
        let bytes = curves_png(&records).expect("a picture");
        assert_eq!(bytes, curves_png(&records).expect("a picture"));
        let image = image::load_from_memory(&bytes).expect("a PNG").into_rgb8();
        assert_eq!(image.width(), 2400);
        assert!(image.pixels().any(|pixel| *pixel == PALETTE[0]));
    }

    #[test]
    fn ticks_are_round_and_epochs_whole() {
        let labels = |axis: Option<Axis>| -> Vec<String> {
            let ticks = axis.expect("an axis").ticks();
            ticks.into_iter().map(|(_, label)| label).collect()
        };
        let epochs = |last: u32| labels(Axis::of_epochs((1..=last).map(f64::from)));
        assert_eq!(epochs(1), ["1"]);
        assert_eq!(epochs(4), ["1", "2", "3", "4"]);
        assert_eq!(epochs(100), ["0", "20", "40", "60", "80", "100"]);
        let values = |values: [f64; 2], scale| labels(Axis::of_values(values.into_iter(), scale));
        assert_eq!(
            values([0.61, 0.89], PanelScale::Linear),
            ["0.6", "0.7", "0.8", "0.9"]
        );
        assert_eq!(values([0.0, 0.0], PanelScale::Count), ["0", "1"]);
        assert_eq!(
            values([2.0, 150.0], PanelScale::Either),
            ["3", "10", "30", "100"]
        );
    }

    #[test]
    fn every_axis_has_a_few_ticks() {
        for exponent in -20..29 {
            for (low, high) in [
                (1.0, 1.0),
                (1.0, 1.3),
                (-2.0, 7.0),
                (1.0, 1.0 + 1e-15),
                (1.0, 900.0),
                (0.0, 13.0),
            ] {
                let unit = 10_f64.powi(exponent);
                for scale in [PanelScale::Either, PanelScale::Linear, PanelScale::Count] {
                    let axis = Axis::of_values([low * unit, high * unit].into_iter(), scale);
                    let ticks = axis.expect("an axis").ticks();
                    assert!(
                        (1..=16).contains(&ticks.len()),
                        "{low} {high} e{exponent}: {ticks:?}"
                    );
                }
            }
        }
    }
}
