//! What is drawn, once: shapes and texts from the bottom up. It becomes an SVG document, or a PNG that resvg renders from
//! the same document with the letters as outlines.
//!
//! Coordinates are CSS pixels from the top left corner.

use std::borrow::Cow;
use std::fmt::Write as _;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use resvg::{tiny_skia, usvg};

use super::{ReportError, font};

pub(super) type Point = (f32, f32);

/// Red, green and blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

pub(super) const WHITE: Colour = Colour([255, 255, 255]);
/// Text to be read first.
pub(super) const INK: Colour = Colour([34, 34, 34]);
/// Text to be read second.
pub(super) const FAINT_INK: Colour = Colour([96, 96, 96]);

/// The most pixels a picture may have; 360 MB as RGB.
const MAX_PIXELS: f32 = 1.2e8;

#[derive(Debug, Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A picture of shapes and texts.
#[derive(Debug, Clone)]
pub struct Drawing {
    width: f32,
    pub(super) height: f32,
    elements: Vec<Element>,
    /// What it does not show, or not as one would expect: a remark each.
    pub(super) left_out: Vec<String>,
}

#[derive(Debug, Clone)]
enum Element {
    /// As SVG has it.
    Shape(String),
    Text(Text),
}

/// One line of text, anchored on its baseline.
#[derive(Debug, Clone)]
struct Text {
    words: String,
    at: Point,
    size: f32,
    colour: Colour,
    anchor: Anchor,
}

/// Pixels that a picture has at two for each unit; a larger one has fewer for each unit, down to one.
const MOST_FINE_PIXELS: f32 = 4e6;

impl Drawing {
    pub(super) fn new((width, height): Point) -> Self {
        Self {
            width,
            height,
            elements: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// What there was no room for, in words.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    /// The drawing as an SVG document without scripts, styles or links.
    #[must_use]
    pub fn svg(&self) -> String {
        self.document(Text::as_text)
    }

    /// The drawing as a PNG, with two pixels for each unit of the SVG.
    ///
    /// # Errors
    /// When a legend of very many lines would make the picture too large.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        // A sheet of very many charts is not worth the memory that as fine a picture of it takes.
        let finest = (MOST_FINE_PIXELS / (self.width * self.height)).sqrt();
        self.pixels(finest.clamp(1.0, 2.0))?.png()
    }

    /// The drawing with `scale` pixels for each unit.
    pub(super) fn pixels(&self, scale: f32) -> Result<Pixels, ReportError> {
        let (width, height) = ((self.width * scale).ceil(), (self.height * scale).ceil());
        let too_large = || ReportError::TooLarge {
            width,
            height,
            limit: MAX_PIXELS,
        };
        if width * height > MAX_PIXELS {
            return Err(too_large());
        }
        let document = self.document(Text::as_outlines);
        let tree = usvg::Tree::from_str(&document, &usvg::Options::default())?;
        let mut pixmap =
            tiny_skia::Pixmap::new(width as u32, height as u32).ok_or_else(too_large)?;
        pixmap.fill(tiny_skia::Color::WHITE);
        let transform = tiny_skia::Transform::from_scale(scale, scale);
        resvg::render(&tree, transform, &mut pixmap.as_mut());
        let across = pixmap.width() as usize;
        // Colours move together in place, without a second picture.
        let mut rgb = pixmap.take();
        let count = rgb.len() / 4;
        for pixel in 0..count {
            rgb.copy_within(4 * pixel..4 * pixel + 3, 3 * pixel);
        }
        rgb.truncate(3 * count);
        Ok(Pixels { width: across, rgb })
    }

    fn document(&self, written: fn(&Text) -> String) -> String {
        let Self { width, height, .. } = self;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" \
             font-family=\"Ubuntu, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
        );
        for element in &self.elements {
            match element {
                Element::Shape(shape) => svg.push_str(shape),
                Element::Text(text) => svg.push_str(&written(text)),
            }
            svg.push('\n');
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn shape(&mut self, element: String) {
        self.elements.push(Element::Shape(element));
    }

    pub(super) fn rectangle(&mut self, (x, y): Point, (width, height): Point, colour: Colour) {
        let fill = hex(colour);
        self.shape(format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{fill}\"/>"
        ));
    }

    pub(super) fn polyline(&mut self, points: &[Point], width: f32, colour: Colour) {
        self.line(points, width, colour, "");
    }

    /// A polyline of dashes.
    pub(super) fn dashes(&mut self, points: &[Point], width: f32, colour: Colour) {
        self.line(points, width, colour, " stroke-dasharray=\"5\"");
    }

    fn line(&mut self, points: &[Point], width: f32, colour: Colour, dashes: &str) {
        let (stroke, points) = (hex(colour), coordinates(points));
        self.shape(format!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{width}\" \
             stroke-linejoin=\"round\"{dashes}/>"
        ));
    }

    /// What `draw` draws, as far as it lies in a rectangle.
    pub(super) fn clipped(
        &mut self,
        (x, y): Point,
        (width, height): Point,
        draw: impl FnOnce(&mut Self),
    ) {
        let id = format!("clip-{}", self.elements.len());
        self.shape(format!(
            "<clipPath id=\"{id}\"><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/></clipPath>\n\
             <g clip-path=\"url(#{id})\">"
        ));
        draw(self);
        self.shape("</g>".to_owned());
    }

    pub(super) fn polygon(&mut self, points: &[Point], colour: Colour) {
        let (fill, points) = (hex(colour), coordinates(points));
        self.shape(format!("<polygon points=\"{points}\" fill=\"{fill}\"/>"));
    }

    /// A polygon that lets what is below shine through.
    pub(super) fn area(&mut self, points: &[Point], colour: Colour, opacity: f32) {
        let (fill, points) = (hex(colour), coordinates(points));
        self.shape(format!(
            "<polygon points=\"{points}\" fill=\"{fill}\" fill-opacity=\"{opacity}\"/>"
        ));
    }

    pub(super) fn disc(&mut self, (x, y): Point, radius: f32, colour: Colour) {
        let fill = hex(colour);
        self.shape(format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"{fill}\"/>"
        ));
    }

    pub(super) fn text(
        &mut self,
        text: &str,
        at: Point,
        size: f32,
        colour: Colour,
        anchor: Anchor,
    ) {
        self.elements.push(Element::Text(Text {
            words: text.to_owned(),
            at,
            size,
            colour,
            anchor,
        }));
    }
}

impl Text {
    /// For readers whose machines have fonts of their own.
    fn as_text(&self) -> String {
        let anchor = match self.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let ((x, y), size) = (self.at, self.size);
        let (fill, text) = (hex(self.colour), escape(&self.words));
        format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{fill}\" text-anchor=\"{anchor}\">{text}</text>"
        )
    }

    /// For pictures that are to look the same on every machine.
    fn as_outlines(&self) -> String {
        let (x, y) = self.at;
        let width = font::text_width(&self.words, self.size);
        let start = match self.anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        };
        let outline = font::outline(&self.words, self.size, (start, y));
        format!("<path d=\"{outline}\" fill=\"{}\"/>", hex(self.colour))
    }
}

/// A picture of pixels, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pixels {
    pub width: usize,
    /// Three numbers for each pixel.
    pub rgb: Vec<u8>,
}

impl Pixels {
    pub(super) fn height(&self) -> usize {
        self.rgb.len() / (3 * self.width)
    }

    /// Fills a rectangle that lies within the picture.
    pub(super) fn fill(
        &mut self,
        (left, top): (usize, usize),
        (width, height): (usize, usize),
        colour: Colour,
    ) {
        for row in top..top + height {
            let start = 3 * (row * self.width + left);
            for pixel in self.rgb[start..start + 3 * width].chunks_exact_mut(3) {
                pixel.copy_from_slice(&colour.0);
            }
        }
    }

    /// The picture as a PNG; without colours it takes a third.
    pub(super) fn png(&self) -> Result<Vec<u8>, ReportError> {
        let pixels = || self.rgb.chunks_exact(3);
        let is_grey = pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]);
        let (kind, data) = if is_grey {
            let greys = pixels().map(|pixel| pixel[0]).collect();
            (ExtendedColorType::L8, Cow::Owned(greys))
        } else {
            (ExtendedColorType::Rgb8, Cow::Borrowed(&self.rgb))
        };
        let mut bytes = Vec::new();
        let (quality, filter) = (CompressionType::Default, FilterType::Adaptive);
        PngEncoder::new_with_quality(&mut bytes, quality, filter).write_image(
            &data,
            self.width as u32,
            self.height() as u32,
            kind,
        )?;
        Ok(bytes)
    }
}

fn hex(Colour([red, green, blue]): Colour) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn coordinates(points: &[Point]) -> String {
    let mut pairs = String::new();
    for (x, y) in points {
        let between = if pairs.is_empty() { "" } else { " " };
        let _ = write!(pairs, "{between}{x:.1},{y:.1}");
    }
    pairs
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The picture in a PNG.
    pub(in crate::report) fn decoded(png: &[u8]) -> Pixels {
        let picture = image::load_from_memory(png).expect("a PNG").into_rgb8();
        Pixels {
            width: picture.width() as usize,
            rgb: picture.into_raw(),
        }
    }

    impl Pixels {
        pub(in crate::report) fn at(&self, x: usize, y: usize) -> Colour {
            let start = 3 * (y * self.width + x);
            Colour([self.rgb[start], self.rgb[start + 1], self.rgb[start + 2]])
        }

        pub(in crate::report) fn has(&self, colour: Colour) -> bool {
            let mut pixels = self.rgb.chunks_exact(3);
            pixels.any(|pixel| pixel == colour.0)
        }
    }

    #[test]
    fn a_rectangle_covers_its_pixels_and_no_others() {
        let mut drawing = Drawing::new((6.0, 4.0));
        drawing.rectangle((1.0, 1.0), (3.0, 2.0), INK);
        let pixels = drawing.pixels(1.0).expect("a picture");
        assert_eq!((pixels.width, pixels.height()), (6, 4));
        for (x, y) in (0..6).flat_map(|x| (0..4).map(move |y| (x, y))) {
            let inside = (1..4).contains(&x) && (1..3).contains(&y);
            assert_eq!(
                pixels.at(x, y),
                if inside { INK } else { WHITE },
                "at {x}, {y}"
            );
        }
    }

    #[test]
    fn drawing_over_the_edge_is_cut_off() {
        let mut drawing = Drawing::new((8.0, 8.0));
        drawing.polyline(&[(-5.0, -5.0), (20.0, 20.0)], 2.0, INK);
        drawing.disc((0.0, 8.0), 3.0, INK);
        drawing.text("layerwise", (-10.0, 3.0), 20.0, INK, Anchor::Middle);
        let pixels = drawing.pixels(2.0).expect("a picture");
        assert_eq!((pixels.width, pixels.height()), (16, 16));
        assert!(pixels.has(INK));
    }

    #[test]
    fn a_png_has_the_pixels_in_colour_or_grey() {
        let mut drawing = Drawing::new((4.0, 3.0));
        drawing.rectangle((1.0, 1.0), (2.0, 1.0), Colour([90, 90, 90]));
        let grey = drawing.pixels(1.0).expect("a picture");
        drawing.rectangle((0.0, 0.0), (1.0, 1.0), Colour([200, 0, 0]));
        let coloured = drawing.pixels(1.0).expect("a picture");
        for pixels in [grey, coloured] {
            assert_eq!(decoded(&pixels.png().expect("a PNG")), pixels);
        }
        let mut large = Drawing::new((1e5, 1e5));
        large.disc((0.0, 0.0), 1.0, INK);
        assert!(matches!(large.png(), Err(ReportError::TooLarge { .. })));
    }

    #[test]
    fn svg_text_is_escaped_and_outlines_need_no_text() {
        let mut drawing = Drawing::new((90.0, 60.0));
        drawing.text("<script>&'\"\0", (0.0, 50.0), 60.0, INK, Anchor::Start);
        let document = drawing.svg();
        assert!(document.contains(">&lt;script&gt;&amp;&#39;&quot;\u{FFFD}</text>"));
        assert!(drawing.pixels(1.0).expect("a picture").has(INK));
    }
}
