//! What charts are made of: axes with round ticks, lines with markers and bands, a legend, and the sheet that lays
//! charts out side by side. Knows numbers and labels, and nothing of where they come from.

use image::Rgb;

use super::canvas::{Anchor, Canvas, Colour, FAINT_INK, INK, Point, WHITE};
use super::font;

/// Okabe and Ito's colour-blind safe palette, without the yellow that drowns on white.
pub(super) const PALETTE: [Colour; 7] = [
    Rgb([0, 114, 178]),
    Rgb([213, 94, 0]),
    Rgb([0, 158, 115]),
    Rgb([204, 121, 167]),
    Rgb([230, 159, 0]),
    Rgb([86, 180, 233]),
    Rgb([0, 0, 0]),
];
const GRID_LINE: Colour = Rgb([228, 228, 228]);
pub(super) const AXIS_LINE: Colour = Rgb([120, 120, 120]);

pub(super) const SHEET_WIDTH: f32 = 1200.0;
pub(super) const LABEL_SIZE: f32 = 15.0;
pub(super) const TICK_SIZE: f32 = 13.0;
const MARKER: f32 = 3.2;
const BAND_OPACITY: f32 = 0.18;
/// More markers than this would hide the lines.
const MARKED_POINTS: usize = 24;
/// Larger numbers come from a training that diverged; drawing them would flatten everything else.
const DRAWABLE: f64 = 1e30;
/// A chart that may, goes over to a logarithmic scale at this ratio of its largest to its smallest value.
const LOGARITHMIC_FROM: f64 = 30.0;
/// Room for the longest name of a condition and its seed.
const MAX_LABEL: usize = 80;
/// More points of a line would lie on top of each other.
const MOST_POINTS: usize = 400;
const LEGEND_LEFT: f32 = 62.0;
const LEGEND_SAMPLE: f32 = 40.0;

/// Charts in rows under one legend.
pub(super) struct Sheet {
    pub legend: Legend,
    pub charts: Vec<Chart>,
    pub columns: usize,
    pub chart_height: f32,
}

impl Sheet {
    pub(super) fn size(&self) -> (f32, f32) {
        let rows = self.charts.len().div_ceil(self.columns) as f32;
        let height = self.legend.height() + rows * self.chart_height + 8.0;
        (SHEET_WIDTH, height)
    }

    pub(super) fn draw(&self, canvas: &mut impl Canvas) {
        self.legend.draw(canvas);
        let width = SHEET_WIDTH / self.columns as f32;
        for (index, chart) in self.charts.iter().enumerate() {
            let left = (index % self.columns) as f32 * width;
            let top = self.legend.height() + (index / self.columns) as f32 * self.chart_height;
            chart.draw(
                canvas,
                &Rectangle {
                    left: left + 62.0,
                    right: left + width - 18.0,
                    top: top + 42.0,
                    bottom: top + self.chart_height - 46.0,
                },
            );
        }
    }
}

/// How a line is told from the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    pub colour: Colour,
    marker: Marker,
    fill: Fill,
    weight: Weight,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Marker {
    Disc,
    Square,
    Diamond,
    Tent,
    Funnel,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fill {
    Full,
    Hollow,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Weight {
    Bold,
    Thin,
}

impl Look {
    /// All looks, each once: marks change when the palette begins anew, then their filling, then the lines' weight.
    /// A chart draws as many lines as there are looks.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        use Marker::{Diamond, Disc, Funnel, Square, Tent};
        let fills = [Weight::Bold, Weight::Thin]
            .into_iter()
            .flat_map(|weight| [Fill::Full, Fill::Hollow].map(|fill| (weight, fill)));
        let marks = fills.flat_map(|style| {
            [Disc, Square, Diamond, Tent, Funnel]
                .into_iter()
                .map(move |marker| (style, marker))
        });
        marks.flat_map(|((weight, fill), marker)| {
            PALETTE.map(|colour| Self {
                colour,
                marker,
                fill,
                weight,
            })
        })
    }

    fn line_width(self) -> f32 {
        match self.weight {
            Weight::Bold => 2.0,
            Weight::Thin => 0.8,
        }
    }

    fn draw_marker(self, canvas: &mut impl Canvas, at: Point) {
        match self.fill {
            Fill::Full => self.marker.draw(canvas, at, MARKER, self.colour),
            Fill::Hollow => {
                self.marker.draw(canvas, at, MARKER + 0.8, self.colour);
                self.marker.draw(canvas, at, MARKER - 1.0, WHITE);
            }
        }
    }

    /// Of the second of two quantities.
    fn inverted(self) -> Self {
        let fill = match self.fill {
            Fill::Full => Fill::Hollow,
            Fill::Hollow => Fill::Full,
        };
        Self { fill, ..self }
    }
}

impl Marker {
    fn draw(self, canvas: &mut impl Canvas, (x, y): Point, r: f32, colour: Colour) {
        let wide = 1.3 * r;
        match self {
            Self::Disc => canvas.disc((x, y), r, colour),
            Self::Square => canvas.rectangle((x - r, y - r), (2.0 * r, 2.0 * r), colour),
            Self::Diamond => {
                let r = 1.4 * r;
                let corners = [(x, y - r), (x + r, y), (x, y + r), (x - r, y)];
                canvas.polygon(&corners, colour);
            }
            Self::Tent => {
                let corners = [(x, y - wide), (x + wide, y + r), (x - wide, y + r)];
                canvas.polygon(&corners, colour);
            }
            Self::Funnel => {
                let corners = [(x, y + wide), (x - wide, y - r), (x + wide, y - r)];
                canvas.polygon(&corners, colour);
            }
        }
    }
}

/// What each line is called, in as many rows as it takes.
pub(super) struct Legend {
    /// With the left end and the baseline of each entry; a remark has no look.
    entries: Vec<(String, Option<Look>, Point)>,
    bottom: f32,
}

impl Legend {
    /// Of `lines`, of which there would be `all` were there looks enough.
    pub(super) fn new(lines: impl IntoIterator<Item = (String, Look)>, all: usize) -> Self {
        let mut lines: Vec<(String, Option<Look>)> = lines
            .into_iter()
            .map(|(label, look)| (shortened(&label), Some(look)))
            .collect();
        if lines.len() < all {
            lines.push((left_out(lines.len(), all), None));
        }
        let mut entries = Vec::new();
        let (mut x, mut y) = (LEGEND_LEFT, 34.0);
        for (label, look) in lines {
            let width = LEGEND_SAMPLE + font::text_width(&label, LABEL_SIZE) + 36.0;
            if x > LEGEND_LEFT && x + width > SHEET_WIDTH {
                (x, y) = (LEGEND_LEFT, y + 26.0);
            }
            entries.push((label, look, (x, y)));
            x += width;
        }
        Self { entries, bottom: y }
    }

    fn height(&self) -> f32 {
        self.bottom + 18.0
    }

    fn draw(&self, canvas: &mut impl Canvas) {
        for (label, look, (x, y)) in &self.entries {
            let Some(look) = look else {
                canvas.text(label, (*x, *y), LABEL_SIZE, FAINT_INK, Anchor::Start);
                continue;
            };
            let middle = y - 0.33 * LABEL_SIZE;
            let sample = [(*x, middle), (x + 30.0, middle)];
            canvas.polyline(&sample, look.line_width(), look.colour);
            look.draw_marker(canvas, (x + 15.0, middle));
            let at = (x + LEGEND_SAMPLE, *y);
            canvas.text(label, at, LABEL_SIZE, INK, Anchor::Start);
        }
    }
}

/// What a chart of so many lines does not draw; nothing where there are looks for all.
#[must_use]
pub fn lines_left_out(lines: usize) -> Option<String> {
    let looks = Look::all().count();
    (lines > looks).then(|| left_out(looks, lines))
}

fn left_out(drawn: usize, all: usize) -> String {
    format!("the first {drawn} of {all} lines are drawn")
}

/// One chart: what its axes are called, and its lines.
pub(super) struct Chart {
    pub title: String,
    pub x_title: &'static str,
    pub x: Horizontal,
    pub y: Vertical,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Horizontal {
    /// Epochs, layers: ticks at whole numbers only.
    Whole,
    Real,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Vertical {
    /// Linear, or logarithmic where values are positive and far apart.
    Either,
    Linear,
    /// Linear, whole numbers, from 0.
    Count,
    /// Linear from here to there; what lies outside is cut off.
    Within(f64, f64),
}

/// A line through `points`, in the units of the axes.
pub(super) struct Line {
    pub look: Look,
    pub stroke: Stroke,
    pub points: Vec<(f64, f64)>,
    /// Lower and upper end of the band at each point; empty for none.
    pub band: Vec<(f64, f64)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Stroke {
    Solid,
    /// Dashes, with hollow marks for full ones and the other way round.
    Dashed,
}

pub(super) struct Rectangle {
    pub left: f32,
    pub right: f32,
    pub top: f32,
    pub bottom: f32,
}

impl Chart {
    fn draw(&self, canvas: &mut impl Canvas, plot: &Rectangle) {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let bands = self.lines.iter().flat_map(|line| &line.band);
        let values = points()
            .map(|point| point.1)
            .chain(bands.flat_map(|&(low, high)| [low, high]))
            .filter(|value| value.abs() < DRAWABLE);
        let vertical = Axis::of_values(values, self.y);
        let horizontal = Axis::across(points().map(|point| point.0), self.x);
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
        let x = |value: f64| horizontal.place(value, plot.left, plot.right);
        let y = |value: f64| vertical.place(value, plot.bottom, plot.top);
        for (tick, label) in vertical.ticks() {
            let height = y(tick);
            canvas.polyline(&[(plot.left, height), (plot.right, height)], 1.0, GRID_LINE);
            let at = (plot.left - 8.0, height + 0.35 * TICK_SIZE);
            canvas.text(&label, at, TICK_SIZE, FAINT_INK, Anchor::End);
        }
        // The margin before the first value is no place for a tick: there is no epoch before the first.
        let first = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
        let ticks = horizontal.ticks().into_iter();
        for (tick, label) in ticks.filter(|(tick, _)| *tick >= first) {
            let mark = [(x(tick), plot.bottom), (x(tick), plot.bottom + 5.0)];
            canvas.polyline(&mark, 1.0, AXIS_LINE);
            let at = (x(tick), plot.bottom + 8.0 + TICK_SIZE);
            canvas.text(&label, at, TICK_SIZE, FAINT_INK, Anchor::Middle);
        }
        let axis = [(plot.left, plot.bottom), (plot.right, plot.bottom)];
        canvas.polyline(&axis, 1.0, AXIS_LINE);
        let below = (plot.right, plot.bottom + 36.0);
        canvas.text(self.x_title, below, TICK_SIZE, INK, Anchor::End);

        let range = match self.y {
            Vertical::Within(low, high) => (low, high),
            _ => (-DRAWABLE, DRAWABLE),
        };
        let lines: Vec<Line> = self.lines.iter().map(Line::thinned).collect();
        for line in &lines {
            line.draw_band(canvas, range, |(at, value)| (x(at), y(value)));
        }
        for line in &lines {
            line.draw(canvas, range, |(at, value)| (x(at), y(value)));
        }
    }

    fn draw_title(&self, canvas: &mut impl Canvas, plot: &Rectangle, scale: &str) {
        let title = format!("{}{scale}", self.title);
        let at = (plot.left, plot.top - 16.0);
        canvas.text(&title, at, LABEL_SIZE, INK, Anchor::Start);
    }
}

impl Line {
    /// The line with no more points than can be told apart: the lowest and the highest of each stretch of them, and
    /// one that cannot be drawn where there is one, so that gaps stay gaps.
    fn thinned(&self) -> Self {
        let stretch = (2 * self.points.len()).div_ceil(MOST_POINTS).max(1);
        let value = |at: &usize| self.points[*at].1;
        let mut kept: Vec<usize> = (0..self.points.len()).collect();
        if stretch > 2 {
            let stretches = kept.chunks(stretch).flat_map(|stretch| {
                let drawable = || stretch.iter().filter(|at| value(at).abs() < DRAWABLE);
                let by_value = |a: &&usize, b: &&usize| value(a).total_cmp(&value(b));
                let mut kept = [
                    drawable().min_by(by_value),
                    drawable().max_by(by_value),
                    stretch
                        .iter()
                        .find(|at| value(at).is_nan() || value(at).abs() >= DRAWABLE),
                ];
                kept.sort_unstable();
                kept.into_iter().flatten().copied()
            });
            kept = stretches.collect();
            kept.dedup();
        }
        let of_kept = |values: &[(f64, f64)]| {
            let values = kept.iter().filter_map(|&at| values.get(at));
            values.copied().collect()
        };
        Self {
            look: self.look,
            stroke: self.stroke,
            points: of_kept(&self.points),
            band: of_kept(&self.band),
        }
    }

    fn draw_band(
        &self,
        canvas: &mut impl Canvas,
        (lowest, highest): (f64, f64),
        place: impl Fn((f64, f64)) -> Point,
    ) {
        let drawable = |&(low, high): &(f64, f64)| low.abs() < DRAWABLE && high.abs() < DRAWABLE;
        let along: Vec<_> = self.points.iter().zip(&self.band).collect();
        for stretch in along.split(|(_, band)| !drawable(band)) {
            if stretch.len() < 2 {
                continue;
            }
            let edge = |of: fn(&(f64, f64)) -> f64| {
                stretch.iter().map(move |(point, band)| (point.0, of(band)))
            };
            let outline: Vec<(f64, f64)> = edge(|band| band.0)
                .chain(edge(|band| band.1).rev())
                .collect();
            let inside = cut(&cut(&outline, |y| y - lowest), |y| highest - y);
            let outline: Vec<Point> = inside.into_iter().map(&place).collect();
            canvas.area(&outline, self.look.colour, BAND_OPACITY);
        }
    }

    fn draw(
        &self,
        canvas: &mut impl Canvas,
        range: (f64, f64),
        place: impl Fn((f64, f64)) -> Point,
    ) {
        for stretch in stretches(&self.points, range) {
            let stretch: Vec<Point> = stretch.into_iter().map(&place).collect();
            match self.stroke {
                Stroke::Solid => {
                    canvas.polyline(&stretch, self.look.line_width(), self.look.colour);
                }
                Stroke::Dashed => draw_dashes(canvas, &stretch, self.look),
            }
        }
        let inside = |at: usize| {
            let point = self.points.get(at)?;
            (point.1.abs() < DRAWABLE && (range.0..=range.1).contains(&point.1)).then_some(*point)
        };
        let stride = self.points.len().div_ceil(MARKED_POINTS).max(1);
        for at in 0..self.points.len() {
            let Some(point) = inside(at) else { continue };
            // A point alone between two gaps has no line to show it.
            let alone = inside(at + 1).is_none() && (at == 0 || inside(at - 1).is_none());
            if !at.is_multiple_of(stride) && !alone {
                continue;
            }
            let look = match self.stroke {
                Stroke::Solid => self.look,
                Stroke::Dashed => self.look.inverted(),
            };
            look.draw_marker(canvas, place(point));
        }
    }
}

/// What of an outline lies where `depth` of its height is not below 0 (Sutherland and Hodgman 1974).
fn cut(outline: &[(f64, f64)], depth: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let mut inside = Vec::with_capacity(outline.len());
    for (&from, &to) in outline.iter().zip(outline.iter().cycle().skip(1)) {
        let (before, after) = (depth(from.1), depth(to.1));
        if before >= 0.0 {
            inside.push(from);
        }
        if (before >= 0.0) != (after >= 0.0) {
            let share = before / (before - after);
            let between = |a: f64, b: f64| a + (b - a) * share;
            inside.push((between(from.0, to.0), between(from.1, to.1)));
        }
    }
    inside
}

/// The parts of a line that can be drawn: broken at values that cannot, cut where it leaves the range.
fn stretches(points: &[(f64, f64)], (low, high): (f64, f64)) -> Vec<Vec<(f64, f64)>> {
    let mut stretches: Vec<Vec<(f64, f64)>> = Vec::new();
    for pair in points.windows(2) {
        let [from, to] = [pair[0], pair[1]];
        if !(from.1.abs() < DRAWABLE && to.1.abs() < DRAWABLE) {
            continue;
        }
        // Shares of the way from one point to the next at which the range is entered and left.
        let rise = to.1 - from.1;
        let at = |value: f64| (value - from.1) / rise;
        let (enters, leaves) = if rise == 0.0 {
            let inside = (low..=high).contains(&from.1);
            (0.0, if inside { 1.0 } else { -1.0 })
        } else {
            let (one, other) = (at(low), at(high));
            (one.min(other).max(0.0), one.max(other).min(1.0))
        };
        if enters > leaves {
            continue;
        }
        let along = |share: f64| match share {
            0.0 => from,
            1.0 => to,
            share => (from.0 + share * (to.0 - from.0), from.1 + share * rise),
        };
        let (start, end) = (along(enters), along(leaves));
        match stretches.last_mut() {
            Some(stretch) if stretch.last() == Some(&start) => stretch.push(end),
            _ => stretches.push(vec![start, end]),
        }
    }
    stretches
}

fn draw_dashes(canvas: &mut impl Canvas, points: &[Point], look: Look) {
    const DASH: f32 = 5.0;
    for pair in points.windows(2) {
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
            let ends = [at(start), at(start + DASH)];
            canvas.polyline(&ends, look.line_width(), look.colour);
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
pub(super) struct Axis {
    /// In log₁₀ units on a logarithmic axis.
    low: f64,
    high: f64,
    logarithmic: bool,
    whole: bool,
}

impl Axis {
    /// `None` without values.
    fn across(values: impl Iterator<Item = f64>, scale: Horizontal) -> Option<Self> {
        let (low, high) = range(values.filter(|value| value.abs() < DRAWABLE))?;
        // A single value stands in the middle.
        let margin = if low < high { 0.04 * (high - low) } else { 0.5 };
        Some(Self {
            low: low - margin,
            high: high + margin,
            logarithmic: false,
            whole: scale == Horizontal::Whole,
        })
    }

    /// `None` without values.
    fn of_values(values: impl Iterator<Item = f64>, scale: Vertical) -> Option<Self> {
        let (low, high) = range(values)?;
        let whole = scale == Vertical::Count;
        let logarithmic = scale == Vertical::Either && low > 0.0 && high / low >= LOGARITHMIC_FROM;
        let (low, high) = match scale {
            Vertical::Within(low, high) => {
                return Some(Self {
                    low,
                    high,
                    logarithmic,
                    whole,
                });
            }
            _ if logarithmic => (low.log10(), high.log10()),
            Vertical::Count => (low.min(0.0), high.max(1.0)),
            Vertical::Either | Vertical::Linear => (low, high),
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
            .filter(|(value, _)| *value <= self.high + 1e-9 * step)
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
pub(super) fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    (low <= high).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_epochs_whole() {
        let labels = |axis: Option<Axis>| -> Vec<String> {
            let ticks = axis.expect("an axis").ticks();
            ticks.into_iter().map(|(_, label)| label).collect()
        };
        let epochs = |last: u32| labels(Axis::across((1..=last).map(f64::from), Horizontal::Whole));
        assert_eq!(epochs(1), ["1"]);
        assert_eq!(epochs(4), ["1", "2", "3", "4"]);
        assert_eq!(epochs(100), ["0", "20", "40", "60", "80", "100"]);
        let values = |values: [f64; 2], scale| labels(Axis::of_values(values.into_iter(), scale));
        assert_eq!(
            values([0.61, 0.89], Vertical::Linear),
            ["0.6", "0.7", "0.8", "0.9"]
        );
        assert_eq!(values([0.0, 0.0], Vertical::Count), ["0", "1"]);
        assert_eq!(
            values([2.0, 150.0], Vertical::Either),
            ["3", "10", "30", "100"]
        );
        assert_eq!(
            values([2.0, 3.0], Vertical::Within(0.0, 100.0)),
            ["0", "20", "40", "60", "80", "100"]
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
                for scale in [Vertical::Either, Vertical::Linear, Vertical::Count] {
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

    #[test]
    fn a_line_is_cut_where_it_leaves_the_range() {
        let line = [(0.0, 0.0), (1.0, 4.0), (2.0, 4.0), (3.0, 8.0), (4.0, 2.0)];
        let cut = stretches(&line, (2.0, 6.0));
        assert_eq!(cut.len(), 2);
        assert_eq!(cut[0], [(0.5, 2.0), (1.0, 4.0), (2.0, 4.0), (2.5, 6.0)]);
        assert!((cut[1][0].0 - (3.0 + 1.0 / 3.0)).abs() < 1e-12);
        assert_eq!(cut[1][1], (4.0, 2.0));
        assert!(stretches(&[(0.0, 1.0), (1.0, 1.0)], (2.0, 6.0)).is_empty());
    }

    #[test]
    fn no_two_lines_look_alike() {
        let looks: Vec<Look> = Look::all().collect();
        assert_eq!(looks.len(), 140);
        for (at, look) in looks.iter().enumerate() {
            assert!(!looks[..at].contains(look), "{look:?}");
        }
        assert_eq!(lines_left_out(140), None);
        let said = lines_left_out(141).expect("one too many");
        assert_eq!(said, "the first 140 of 141 lines are drawn");
    }

    #[test]
    fn a_line_of_very_many_points_keeps_its_peaks_and_gaps() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|at| (f64::from(at), 1.0)).collect();
        points[41_234].1 = 9.0;
        points[73_000].1 = f64::NAN;
        let line = Line {
            look: Look::all().next().expect("a look"),
            stroke: Stroke::Solid,
            band: points.iter().map(|point| (0.0, point.1)).collect(),
            points,
        };
        let thinned = line.thinned();
        assert!((200..=600).contains(&thinned.points.len()));
        assert!(thinned.points.contains(&(41_234.0, 9.0)));
        assert!(thinned.points.iter().any(|point| point.1.is_nan()));
        assert!(thinned.points.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(thinned.points.len(), thinned.band.len());
    }

    #[test]
    fn a_band_enters_the_range_where_it_does() {
        // From 0 … 20 at 0 to 80 … 100 at 1: its lower end passes 60 at ¾, its upper one at ½.
        let band = [(0.0, 0.0), (1.0, 80.0), (1.0, 100.0), (0.0, 20.0)];
        let inside = cut(&band, |y| y - 60.0);
        assert_eq!(
            inside,
            [(0.75, 60.0), (1.0, 80.0), (1.0, 100.0), (0.5, 60.0)]
        );
        assert!(cut(&band, |y| y - 200.0).is_empty());
        assert_eq!(cut(&band, |y| 200.0 - y), band);
    }

    #[test]
    fn a_line_breaks_at_what_is_no_number() {
        let line = [
            (1.0, 1.0),
            (2.0, 2.0),
            (3.0, f64::NAN),
            (4.0, 1.0),
            (5.0, 1e300),
            (6.0, 1.0),
            (7.0, 3.0),
        ];
        let parts = stretches(&line, (-DRAWABLE, DRAWABLE));
        assert_eq!(parts, [[(1.0, 1.0), (2.0, 2.0)], [(6.0, 1.0), (7.0, 3.0)]]);
    }
}
