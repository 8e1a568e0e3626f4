//! Two surfaces for the same drawing: an SVG document and an antialiased bitmap.
//!
//! What is drawn is decided elsewhere, once, through [`Canvas`]; here it becomes text or pixels. Coordinates are
//! CSS pixels from the top left corner.

use ab_glyph::point;
use ab_glyph_rasterizer::Rasterizer;
use image::{Rgb, RgbImage};

use super::font;

pub(super) type Point = (f32, f32);
pub(super) type Colour = Rgb<u8>;

pub(super) const WHITE: Colour = Rgb([255, 255, 255]);
/// Text to be read first.
pub(super) const INK: Colour = Rgb([34, 34, 34]);
/// Text to be read second.
pub(super) const FAINT_INK: Colour = Rgb([96, 96, 96]);

#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

pub(super) trait Canvas {
    fn rectangle(&mut self, top_left: Point, size: Point, colour: Colour);
    fn polyline(&mut self, points: &[Point], width: f32, colour: Colour);
    /// A filled, convex polygon.
    fn polygon(&mut self, points: &[Point], colour: Colour);
    /// A filled outline of any shape, that lets what is below shine through.
    fn area(&mut self, points: &[Point], colour: Colour, opacity: f32);
    fn disc(&mut self, centre: Point, radius: f32, colour: Colour);
    /// One line of text; `at` is the anchor on the baseline.
    fn text(&mut self, text: &str, at: Point, size: f32, colour: Colour, anchor: Anchor);
}

/// An SVG document in the making.
pub(super) struct Svg {
    body: String,
}

impl Svg {
    pub(super) fn new(width: f32, height: f32) -> Self {
        Self {
            body: format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
                 viewBox=\"0 0 {width} {height}\" \
                 font-family=\"Ubuntu, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif\">\n\
                 <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
            ),
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.body.push_str("</svg>\n");
        self.body
    }

    fn push(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }
}

impl Canvas for Svg {
    fn rectangle(&mut self, (x, y): Point, (width, height): Point, colour: Colour) {
        let fill = hex(colour);
        self.push(&format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>"
        ));
    }

    fn polyline(&mut self, points: &[Point], width: f32, colour: Colour) {
        let (stroke, points) = (hex(colour), coordinates(points));
        self.push(&format!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{width}\" \
             stroke-linejoin=\"round\"/>"
        ));
    }

    fn polygon(&mut self, points: &[Point], colour: Colour) {
        let (fill, points) = (hex(colour), coordinates(points));
        self.push(&format!("<polygon points=\"{points}\" fill=\"{fill}\"/>"));
    }

    fn area(&mut self, points: &[Point], colour: Colour, opacity: f32) {
        let (fill, points) = (hex(colour), coordinates(points));
        self.push(&format!(
            "<polygon points=\"{points}\" fill=\"{fill}\" fill-opacity=\"{opacity}\"/>"
        ));
    }

    fn disc(&mut self, (x, y): Point, radius: f32, colour: Colour) {
        let fill = hex(colour);
        self.push(&format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"{fill}\"/>"
        ));
    }

    fn text(&mut self, text: &str, (x, y): Point, size: f32, colour: Colour, anchor: Anchor) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let (fill, text) = (hex(colour), escape(text));
        self.push(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{fill}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }
}

fn hex(Rgb([red, green, blue]): Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn coordinates(points: &[Point]) -> String {
    let pairs: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    pairs.join(" ")
}

/// XML text; characters that XML 1.0 cannot hold become U+FFFD.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\t' => escaped.push(' '),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => escaped.push('\u{FFFD}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A white bitmap with `scale` pixels per CSS pixel.
pub(super) struct Bitmap {
    pub(super) image: RgbImage,
    scale: f32,
}

impl Bitmap {
    pub(super) fn new(width: f32, height: f32, scale: f32) -> Self {
        let pixels = |length: f32| (length * scale).ceil().max(1.0) as u32;
        Self {
            image: RgbImage::from_pixel(pixels(width), pixels(height), WHITE),
            scale,
        }
    }

    fn blend(&mut self, x: i64, y: i64, coverage: f32, colour: Colour) {
        let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y)) else {
            return;
        };
        let Some(pixel) = self.image.get_pixel_mut_checked(x, y) else {
            return;
        };
        let coverage = coverage.clamp(0.0, 1.0);
        for (below, above) in pixel.0.iter_mut().zip(colour.0) {
            let mixed = f32::from(*below) * (1.0 - coverage) + f32::from(above) * coverage;
            *below = mixed.round() as u8;
        }
    }

    /// Fills the union of closed outlines, in bitmap pixels.
    fn fill(&mut self, outlines: &[Vec<Point>], colour: Colour, opacity: f32) {
        let boxes = outlines.iter().filter_map(|outline| Bounds::of(outline));
        let Some(bounds) = boxes
            .reduce(Bounds::with)
            .map(|all| all.within(&self.image))
        else {
            return;
        };
        // Where outlines overlap the larger coverage counts: their sum would thicken blurred edges at every joint.
        let (width, height) = bounds.size();
        let mut covered = vec![0.0_f32; width * height];
        for outline in outlines {
            let Some(Bounds { left, top, .. }) = Bounds::of(outline) else {
                continue;
            };
            rasterize(outline, |x, y, coverage| {
                let column = left + i64::from(x) - bounds.left;
                let row = top + i64::from(y) - bounds.top;
                if let (Ok(column), Ok(row)) = (usize::try_from(column), usize::try_from(row))
                    && column < width
                    && row < height
                {
                    let so_far = &mut covered[row * width + column];
                    *so_far = so_far.max(coverage);
                }
            });
        }
        for (row, y) in covered.chunks_exact(width.max(1)).zip(bounds.top..) {
            for (&coverage, x) in row.iter().zip(bounds.left..) {
                if coverage > 0.0 {
                    self.blend(x, y, coverage * opacity, colour);
                }
            }
        }
    }

    fn pixels(&self, points: &[Point]) -> Vec<Point> {
        let scale = self.scale;
        points.iter().map(|(x, y)| (x * scale, y * scale)).collect()
    }
}

/// The pixels that an outline may touch, both ends included.
#[derive(Clone, Copy)]
struct Bounds {
    left: i64,
    top: i64,
    right: i64,
    bottom: i64,
}

impl Bounds {
    /// `None` for an outline without points, or with one that is nowhere.
    fn of(outline: &[Point]) -> Option<Self> {
        let extreme = |start: f32, choose: fn(f32, f32) -> f32| {
            let chosen = outline.iter().fold((start, start), |(x, y), point| {
                (choose(x, point.0), choose(y, point.1))
            });
            (chosen.0.floor(), chosen.1.floor())
        };
        let (left, top) = extreme(f32::INFINITY, f32::min);
        let (right, bottom) = extreme(f32::NEG_INFINITY, f32::max);
        (left <= right && top <= bottom).then_some(Self {
            left: left as i64,
            top: top as i64,
            // One column to spare: coverage is handed on to the pixel at the right.
            right: right as i64 + 1,
            bottom: bottom as i64,
        })
    }

    fn with(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    fn within(self, image: &RgbImage) -> Self {
        Self {
            left: self.left.max(0),
            top: self.top.max(0),
            right: self.right.min(i64::from(image.width()) - 1),
            bottom: self.bottom.min(i64::from(image.height()) - 1),
        }
    }

    /// Width and height; 0 where nothing is left.
    fn size(self) -> (usize, usize) {
        let length = |from: i64, to: i64| usize::try_from(to - from + 1).unwrap_or(0);
        (length(self.left, self.right), length(self.top, self.bottom))
    }
}

/// Calls `each` with every pixel of an outline's bounds, from their corner, and how much of it is covered.
fn rasterize(outline: &[Point], each: impl FnMut(u32, u32, f32)) {
    let Some(bounds) = Bounds::of(outline) else {
        return;
    };
    let (width, height) = bounds.size();
    let corner = point(bounds.left as f32, bounds.top as f32);
    let mut rasterizer = Rasterizer::new(width, height);
    for (&(x0, y0), &(x1, y1)) in outline.iter().zip(outline.iter().cycle().skip(1)) {
        rasterizer.draw_line(point(x0, y0) - corner, point(x1, y1) - corner);
    }
    rasterizer.for_each_pixel_2d(each);
}

/// A circle as a polygon.
fn circle((x, y): Point, radius: f32) -> Vec<Point> {
    const CORNERS: u8 = 32;
    (0..CORNERS)
        .map(|corner| {
            let angle = std::f32::consts::TAU * f32::from(corner) / f32::from(CORNERS);
            (x + radius * angle.cos(), y + radius * angle.sin())
        })
        .collect()
}

impl Canvas for Bitmap {
    fn rectangle(&mut self, (x, y): Point, (width, height): Point, colour: Colour) {
        let corners = [
            (x, y),
            (x + width, y),
            (x + width, y + height),
            (x, y + height),
        ];
        self.polygon(&corners, colour);
    }

    fn polyline(&mut self, points: &[Point], width: f32, colour: Colour) {
        let points = self.pixels(points);
        let half = width * self.scale / 2.0;
        let mut outlines = Vec::new();
        for pair in points.windows(2) {
            let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
            let length = (x1 - x0).hypot(y1 - y0);
            if length > 0.0 {
                let (nx, ny) = (-(y1 - y0) / length * half, (x1 - x0) / length * half);
                outlines.push(vec![
                    (x0 - nx, y0 - ny),
                    (x1 - nx, y1 - ny),
                    (x1 + nx, y1 + ny),
                    (x0 + nx, y0 + ny),
                ]);
            }
        }
        // Round joins, as in SVG; the ends stay flat.
        let inner = points.get(1..points.len().saturating_sub(1)).unwrap_or(&[]);
        outlines.extend(inner.iter().map(|&joint| circle(joint, half)));
        self.fill(&outlines, colour, 1.0);
    }

    fn polygon(&mut self, points: &[Point], colour: Colour) {
        let outline = self.pixels(points);
        self.fill(&[outline], colour, 1.0);
    }

    fn area(&mut self, points: &[Point], colour: Colour, opacity: f32) {
        let outline = self.pixels(points);
        self.fill(&[outline], colour, opacity);
    }

    fn disc(&mut self, (x, y): Point, radius: f32, colour: Colour) {
        let outline = circle((x * self.scale, y * self.scale), radius * self.scale);
        self.fill(&[outline], colour, 1.0);
    }

    fn text(&mut self, text: &str, (x, y): Point, size: f32, colour: Colour, anchor: Anchor) {
        let width = font::text_width(text, size);
        let start = match anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        let scale = self.scale;
        for glyph in font::outlines(text, size * scale, start * scale, y * scale) {
            let corner = glyph.px_bounds().min;
            glyph.draw(|dx, dy, coverage| {
                let (x, y) = (
                    corner.x as i64 + i64::from(dx),
                    corner.y as i64 + i64::from(dy),
                );
                self.blend(x, y, coverage, colour);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rectangle_covers_its_pixels_and_no_others() {
        let mut bitmap = Bitmap::new(6.0, 4.0, 1.0);
        bitmap.rectangle((1.0, 1.0), (3.0, 2.0), INK);
        for (x, y, pixel) in bitmap.image.enumerate_pixels() {
            let inside = (1..4).contains(&x) && (1..3).contains(&y);
            assert_eq!(*pixel, if inside { INK } else { WHITE }, "at {x}, {y}");
        }
    }

    #[test]
    fn drawing_over_the_edge_is_cut_off() {
        let mut bitmap = Bitmap::new(8.0, 8.0, 2.0);
        bitmap.polyline(&[(-5.0, -5.0), (20.0, 20.0)], 2.0, INK);
        bitmap.disc((0.0, 8.0), 3.0, INK);
        bitmap.text("layerwise", (-10.0, 3.0), 20.0, INK, Anchor::Middle);
        assert_eq!(bitmap.image.dimensions(), (16, 16));
    }

    #[test]
    fn svg_text_is_escaped() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text("<script>&'\"\0", (0.0, 0.0), 9.0, INK, Anchor::Start);
        let document = svg.finish();
        assert!(document.contains(">&lt;script&gt;&amp;&#39;&quot;\u{FFFD}</text>"));
    }
}
