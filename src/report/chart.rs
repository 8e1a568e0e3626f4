//! What charts are made of: axes with round ticks, lines with markers and bands, a legend, and the sheet that lays
//! charts out side by side. Knows numbers and labels, and nothing of where they come from.

use crate::results::Spread;

use super::axis::{Axis, DRAWABLE, Horizontal, Vertical};
use super::drawing::{Anchor, Colour, Drawing, FAINT_INK, INK, Point, WHITE};
use super::font;

/// Okabe and Ito's colour-blind safe palette, without the yellow that drowns on white.
pub(super) const PALETTE: [Colour; 7] = [
    Colour([0, 114, 178]),
    Colour([213, 94, 0]),
    Colour([0, 158, 115]),
    Colour([204, 121, 167]),
    Colour([230, 159, 0]),
    Colour([86, 180, 233]),
    Colour([0, 0, 0]),
];
const GRID_LINE: Colour = Colour([228, 228, 228]);
pub(super) const AXIS_LINE: Colour = Colour([120, 120, 120]);

pub(super) const SHEET_WIDTH: f32 = 1200.0;
pub(super) const LABEL_SIZE: f32 = 15.0;
pub(super) const TICK_SIZE: f32 = 13.0;
const MARKER: f32 = 3.2;
const BAND_OPACITY: f32 = 0.18;
/// More markers than this would hide the lines.
const MARKED_POINTS: usize = 24;
/// Room for the longest name of a condition and its seed.
const MAX_LABEL: usize = 80;
/// More points of a line would lie on top of each other.
const MOST_POINTS: usize = 400;
const LEGEND_LEFT: f32 = 62.0;
const LEGEND_SAMPLE: f32 = 40.0;

/// Charts in rows under one legend.
pub struct Sheet {
    /// The legend above the charts.
    pub legend: Legend,
    /// The charts, row by row from the top left.
    pub charts: Vec<Chart>,
    /// How many charts stand side by side; at least 1.
    pub columns: usize,
    /// Height of each chart with its title and axis, in units of the drawing.
    pub chart_height: f32,
}

impl Sheet {
    /// The sheet as it is drawn.
    #[must_use]
    pub fn drawing(&self) -> Drawing {
        let rows = self.charts.len().div_ceil(self.columns) as f32;
        let height = self.legend.height() + rows * self.chart_height + 8.0;
        let mut drawing = Drawing::new((SHEET_WIDTH, height));
        drawing.left_out.extend(self.legend.left_out());
        self.legend.draw(&mut drawing);
        let width = SHEET_WIDTH / self.columns as f32;
        for (index, chart) in self.charts.iter().enumerate() {
            let left = (index % self.columns) as f32 * width;
            let top = self.legend.height() + (index / self.columns) as f32 * self.chart_height;
            chart.draw(
                &mut drawing,
                &Rectangle {
                    left: left + 62.0,
                    right: left + width - 18.0,
                    top: top + 42.0,
                    bottom: top + self.chart_height - 46.0,
                },
            );
        }
        drawing
    }
}

/// How a line is told from the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Colour of the line and its marks.
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
    pub fn all() -> impl Iterator<Item = Self> {
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

    fn draw_marker(self, drawing: &mut Drawing, at: Point) {
        match self.fill {
            Fill::Full => self.marker.draw(drawing, at, MARKER, self.colour),
            Fill::Hollow => {
                self.marker.draw(drawing, at, MARKER + 0.8, self.colour);
                self.marker.draw(drawing, at, MARKER - 1.0, WHITE);
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
    fn draw(self, drawing: &mut Drawing, (x, y): Point, r: f32, colour: Colour) {
        let wide = 1.3 * r;
        match self {
            Self::Disc => drawing.disc((x, y), r, colour),
            Self::Square => drawing.rectangle((x - r, y - r), (2.0 * r, 2.0 * r), colour),
            Self::Diamond => {
                let r = 1.4 * r;
                let corners = [(x, y - r), (x + r, y), (x, y + r), (x - r, y)];
                drawing.polygon(&corners, colour);
            }
            Self::Tent => {
                let corners = [(x, y - wide), (x + wide, y + r), (x - wide, y + r)];
                drawing.polygon(&corners, colour);
            }
            Self::Funnel => {
                let corners = [(x, y + wide), (x - wide, y - r), (x + wide, y - r)];
                drawing.polygon(&corners, colour);
            }
        }
    }
}

/// What each line is called, in as many rows as it takes.
pub struct Legend {
    /// With the left end and the baseline of each entry; a remark has no look.
    entries: Vec<(String, Option<Look>, Point)>,
    bottom: f32,
    left_out: Option<String>,
}

impl Legend {
    /// Of `lines`, of which there would be `all` were there looks enough.
    pub fn new(lines: impl IntoIterator<Item = (String, Look)>, all: usize) -> Self {
        let mut lines: Vec<(String, Option<Look>)> = lines
            .into_iter()
            .map(|(label, look)| (shortened(&label), Some(look)))
            .collect();
        let left_out = (lines.len() < all).then(|| left_out(lines.len(), all));
        lines.extend(left_out.clone().map(|remark| (remark, None)));
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
        Self {
            entries,
            bottom: y,
            left_out,
        }
    }

    /// Of lines of these names, with all looks in their order.
    pub fn of<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Self {
        let all = names.len();
        Self::new(names.map(str::to_owned).zip(Look::all()), all)
    }

    fn left_out(&self) -> Option<String> {
        self.left_out.clone()
    }

    fn height(&self) -> f32 {
        if self.entries.is_empty() {
            return 0.0;
        }
        self.bottom + 18.0
    }

    fn draw(&self, drawing: &mut Drawing) {
        for (label, look, (x, y)) in &self.entries {
            let Some(look) = look else {
                drawing.text(label, (*x, *y), LABEL_SIZE, FAINT_INK, Anchor::Start);
                continue;
            };
            let middle = y - 0.33 * LABEL_SIZE;
            let sample = [(*x, middle), (x + 30.0, middle)];
            drawing.polyline(&sample, look.line_width(), look.colour);
            look.draw_marker(drawing, (x + 15.0, middle));
            let at = (x + LEGEND_SAMPLE, *y);
            drawing.text(label, at, LABEL_SIZE, INK, Anchor::Start);
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
pub struct Chart {
    /// The title above the chart.
    pub title: String,
    /// What lies along the horizontal axis, in words.
    pub x_title: String,
    /// The horizontal axis.
    pub x: Horizontal,
    /// The scale of the vertical axis.
    pub y: Vertical,
    /// The lines, in the order in which they are drawn.
    pub lines: Vec<Line>,
}

/// A line through `points`, in the units of the axes.
pub struct Line {
    /// Colour, marks and weight.
    pub look: Look,
    /// Solid or dashed.
    pub stroke: Stroke,
    /// Places (x, y), joined in this order.
    pub points: Vec<(f64, f64)>,
    /// Lower and upper end of the band at each point; empty for none.
    pub band: Vec<(f64, f64)>,
}

/// How a line is stroked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stroke {
    /// Without gaps.
    Solid,
    /// Dashes, with hollow marks for full ones and the other way round.
    Dashed,
    /// Without gaps and without marks.
    Bare,
    /// Marks for all points, and no line.
    Marks,
}

struct Rectangle {
    left: f32,
    right: f32,
    top: f32,
    bottom: f32,
}

impl Chart {
    fn draw(&self, drawing: &mut Drawing, plot: &Rectangle) {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let bands = self.lines.iter().flat_map(|line| &line.band);
        let values = points()
            .map(|point| point.1)
            .chain(bands.flat_map(|&(low, high)| [low, high]))
            .filter(|value| is_drawable(*value));
        let vertical = Axis::of_values(values, self.y);
        let horizontal = Axis::across(points().map(|point| point.0), &self.x);
        let (Some(vertical), Some(horizontal)) = (vertical, horizontal) else {
            let middle = f32::midpoint(plot.left, plot.right);
            self.draw_title(drawing, plot, "");
            let at = (middle, f32::midpoint(plot.top, plot.bottom));
            drawing.text("nothing to draw", at, TICK_SIZE, FAINT_INK, Anchor::Middle);
            return;
        };
        let scale = if vertical.logarithmic {
            ", log scale"
        } else {
            ""
        };
        self.draw_title(drawing, plot, scale);
        let x = |value: f64| horizontal.place(value, plot.left, plot.right);
        let y = |value: f64| vertical.place(value, plot.bottom, plot.top);
        for (tick, label) in vertical.ticks() {
            let height = y(tick);
            drawing.polyline(&[(plot.left, height), (plot.right, height)], 1.0, GRID_LINE);
            let at = (plot.left - 8.0, height + 0.35 * TICK_SIZE);
            drawing.text(&label, at, TICK_SIZE, FAINT_INK, Anchor::End);
        }
        // The margin before the first value is no place for a tick: there is no epoch before the first.
        let first = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
        let ticks = match &self.x {
            Horizontal::At(ticks) => ticks.clone(),
            Horizontal::Whole | Horizontal::Real => horizontal.ticks(),
        };
        let mut written_to = f32::NEG_INFINITY;
        for (tick, label) in ticks.into_iter().filter(|(tick, _)| *tick >= first) {
            let mark = [(x(tick), plot.bottom), (x(tick), plot.bottom + 5.0)];
            drawing.polyline(&mark, 1.0, AXIS_LINE);
            let half = font::text_width(&label, TICK_SIZE) / 2.0;
            if x(tick) - half < written_to {
                continue;
            }
            written_to = x(tick) + half + 6.0;
            let at = (x(tick), plot.bottom + 8.0 + TICK_SIZE);
            drawing.text(&label, at, TICK_SIZE, FAINT_INK, Anchor::Middle);
        }
        let axis = [(plot.left, plot.bottom), (plot.right, plot.bottom)];
        drawing.polyline(&axis, 1.0, AXIS_LINE);
        let below = (plot.right, plot.bottom + 36.0);
        drawing.text(&self.x_title, below, TICK_SIZE, INK, Anchor::End);

        let lines: Vec<Line> = self.lines.iter().map(Line::thinned).collect();
        let place = |(at, value)| (x(at), y(value));
        let draw = |drawing: &mut Drawing| {
            for line in &lines {
                line.draw_band(drawing, place);
            }
            for line in &lines {
                line.draw(drawing, place);
            }
        };
        let range = match self.y {
            Vertical::Within(low, high) => {
                let size = (plot.right - plot.left, plot.bottom - plot.top);
                drawing.clipped((plot.left, plot.top), size, draw);
                (low, high)
            }
            Vertical::Either | Vertical::Linear | Vertical::Count => {
                draw(drawing);
                (-DRAWABLE, DRAWABLE)
            }
        };
        for line in &lines {
            line.draw_markers(drawing, range, place);
        }
    }

    fn draw_title(&self, drawing: &mut Drawing, plot: &Rectangle, scale: &str) {
        let title = format!("{}{scale}", self.title);
        let at = (plot.left, plot.top - 16.0);
        drawing.text(&title, at, LABEL_SIZE, INK, Anchor::Start);
    }
}

impl Line {
    /// A solid line through medians along an axis, with a band from the smallest to the largest.
    pub fn of_spreads(look: Look, along: impl IntoIterator<Item = (f64, Spread)>) -> Self {
        let point = |(x, of): (f64, Spread)| ((x, of.median), (of.smallest, of.largest));
        let (points, band) = along.into_iter().map(point).unzip();
        Self {
            look,
            stroke: Stroke::Solid,
            points,
            band,
        }
    }

    /// A line without a band.
    #[must_use]
    pub fn of_points(look: Look, stroke: Stroke, points: Vec<(f64, f64)>) -> Self {
        Self {
            look,
            stroke,
            points,
            band: Vec::new(),
        }
    }

    /// The line with no more points than can be told apart: the lowest and the highest of each stretch of them, and
    /// one that cannot be drawn where there is one, so that gaps stay gaps.
    fn thinned(&self) -> Self {
        let stretch = match self.stroke {
            Stroke::Marks => 1,
            _ => (2 * self.points.len()).div_ceil(MOST_POINTS).max(1),
        };
        let value = |at: &usize| self.points[*at].1;
        let mut kept: Vec<usize> = (0..self.points.len()).collect();
        if stretch > 2 {
            let stretches = kept.chunks(stretch).flat_map(|stretch| {
                let drawable = || stretch.iter().filter(|at| is_drawable(value(at)));
                let by_value = |a: &&usize, b: &&usize| value(a).total_cmp(&value(b));
                let mut kept = [
                    drawable().min_by(by_value),
                    drawable().max_by(by_value),
                    stretch.iter().find(|at| !is_drawable(value(at))),
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

    fn draw_band(&self, drawing: &mut Drawing, place: impl Fn((f64, f64)) -> Point) {
        let along: Vec<_> = self.points.iter().zip(&self.band).collect();
        for stretch in along.split(|(_, band)| !(is_drawable(band.0) && is_drawable(band.1))) {
            let edge = |of: fn(&(f64, f64)) -> f64| {
                stretch.iter().map(move |(point, band)| (point.0, of(band)))
            };
            let outline = edge(|band| band.0).chain(edge(|band| band.1).rev());
            let outline: Vec<Point> = outline.map(&place).collect();
            if stretch.len() > 1 {
                drawing.area(&outline, self.look.colour, BAND_OPACITY);
            }
        }
    }

    fn draw(&self, drawing: &mut Drawing, place: impl Fn((f64, f64)) -> Point) {
        for stretch in self.points.split(|point| !is_drawable(point.1)) {
            let stretch: Vec<Point> = stretch.iter().copied().map(&place).collect();
            let (width, colour) = (self.look.line_width(), self.look.colour);
            match self.stroke {
                Stroke::Marks => {}
                _ if stretch.len() < 2 => {}
                Stroke::Solid | Stroke::Bare => drawing.polyline(&stretch, width, colour),
                Stroke::Dashed => drawing.dashes(&stretch, width, colour),
            }
        }
    }

    /// Marks on some of the points, and on those that have no line to show them.
    fn draw_markers(
        &self,
        drawing: &mut Drawing,
        (low, high): (f64, f64),
        place: impl Fn((f64, f64)) -> Point,
    ) {
        let inside = |at: usize| {
            let point = self.points.get(at)?;
            (is_drawable(point.1) && (low..=high).contains(&point.1)).then_some(*point)
        };
        let few = self.points.len().div_ceil(MARKED_POINTS).max(1);
        let (look, stride) = match self.stroke {
            Stroke::Bare => return,
            Stroke::Solid => (self.look, few),
            Stroke::Dashed => (self.look.inverted(), few),
            Stroke::Marks => (self.look, 1),
        };
        for at in 0..self.points.len() {
            let alone = inside(at + 1).is_none() && (at == 0 || inside(at - 1).is_none());
            if let Some(point) = inside(at).filter(|_| at.is_multiple_of(stride) || alone) {
                look.draw_marker(drawing, place(point));
            }
        }
    }
}

fn is_drawable(value: f64) -> bool {
    value.abs() < DRAWABLE
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= MAX_LABEL {
        return label.to_owned();
    }
    label.chars().take(MAX_LABEL - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// A chart of one line, with a band of ±1 around it.
    fn chart(points: Vec<(f64, f64)>, y: Vertical) -> Drawing {
        let look = Look::all().next().expect("a look");
        let band = points.iter().map(|point| (point.1 - 1.0, point.1 + 1.0));
        let chart = Chart {
            title: "Cost".to_owned(),
            x_title: "epoch".to_owned(),
            x: Horizontal::Whole,
            y,
            lines: vec![Line {
                look,
                stroke: Stroke::Solid,
                band: band.collect(),
                points,
            }],
        };
        Sheet {
            legend: Legend::new([("A".to_owned(), look)], 1),
            charts: vec![chart],
            columns: 1,
            chart_height: 300.0,
        }
        .drawing()
    }

    #[test]
    fn a_line_breaks_at_what_is_no_number() {
        let line = [1.0, 2.0, f64::NAN, 1.0, 1e300, 1.0, 3.0].into_iter();
        let svg = chart((1..).map(f64::from).zip(line).collect(), Vertical::Linear).svg();
        let stroke = "fill=\"none\" stroke=\"#0072b2\"";
        // The sample of the legend and two stretches; the point between two gaps has a mark alone.
        assert_eq!(svg.matches(stroke).count(), 3);
        assert_eq!(svg.matches("fill-opacity").count(), 2);
        assert_eq!(svg.matches("<circle").count(), 1 + 5);
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn what_leaves_the_range_is_cut_off() {
        let points = vec![(1.0, 1.0), (2.0, 9.0), (3.0, 30.0), (4.0, 1.0)];
        let drawing = chart(points, Vertical::Within(0.0, 10.0));
        let svg = drawing.svg();
        assert_eq!(svg.matches("<circle").count(), 1 + 3);
        assert!(svg.contains("<clipPath") && svg.contains("</g>"));
        // Nothing of the line's colour is above the plot, beside the legend's sample.
        let pixels = drawing.pixels(1.0).expect("a picture");
        let above = (45..80).flat_map(|y| (300..1200).map(move |x| (x, y)));
        let ink = above.filter(|&(x, y)| pixels.at(x, y) == PALETTE[0]);
        assert_eq!(ink.count(), 0);
        assert!(pixels.has(PALETTE[0]));
    }
}
