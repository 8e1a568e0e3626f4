//! The one typeface of every picture: Ubuntu Light, embedded, so that pictures look the same on every machine.
//!
//! It has the Latin, Greek and Cyrillic letters. A font for all others would be larger than the rest of the program,
//! and their rules of joining another library; letters that it lacks are therefore spelled in Latin ones. SVG and
//! page keep them, for the reader's machine has fonts of its own.
//!
//! Sizes are CSS pixels per em, as in SVG.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::LazyLock;

use deunicode::deunicode;
use ttf_parser::{Face, GlyphId, OutlineBuilder};

use super::drawing::Point;

static FACE: LazyLock<Face<'static>> = LazyLock::new(|| {
    Face::parse(epaint_default_fonts::UBUNTU_LIGHT, 0)
        .expect("the embedded font is a valid TrueType file")
});

fn glyph(character: char) -> GlyphId {
    FACE.glyph_index(character).unwrap_or_default()
}

/// Pixels for each of the font's units.
fn scale(size: f32) -> f32 {
    size / f32::from(FACE.units_per_em())
}

/// Whether pictures show `text` in other letters than its own.
#[must_use]
pub fn is_spelled_out(text: &str) -> bool {
    text.chars().any(is_missing)
}

fn is_missing(character: char) -> bool {
    !character.is_whitespace() && glyph(character).0 == 0
}

/// `text` in letters that the font has.
fn spelled(text: &str) -> Cow<'_, str> {
    if !is_spelled_out(text) {
        return Cow::Borrowed(text);
    }
    let mut spelled = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let missing = is_missing(first);
        let end = rest.find(|c| is_missing(c) != missing && !(missing && c == ' '));
        let (stretch, after) = rest.split_at(end.unwrap_or(rest.len()));
        if missing {
            spelled.push_str(&deunicode(stretch));
        } else {
            spelled.push_str(stretch);
        }
        rest = after;
    }
    Cow::Owned(spelled)
}

/// Advance of `text` in pixels.
pub(super) fn text_width(text: &str, size: f32) -> f32 {
    pen_positions(&spelled(text), size).1
}

/// `text`, or as much of it as is no wider than `limit`, with an ellipsis.
pub(super) fn cut(text: &str, size: f32, limit: f32) -> String {
    let mut shown: Vec<char> = text.chars().collect();
    let mut cut = text.to_owned();
    while text_width(&cut, size) > limit && shown.pop().is_some() {
        cut = shown.iter().chain(&['…']).collect();
    }
    cut
}

/// The outlines of `text` as the data of an SVG path, the first pen position on the baseline at `start`.
pub(super) fn outline(text: &str, size: f32, (x, y): Point) -> String {
    let text = spelled(text);
    let (positions, _) = pen_positions(&text, size);
    let mut path = Path {
        data: String::new(),
        origin: (x, y),
        scale: scale(size),
    };
    for (character, pen) in text.chars().zip(positions) {
        path.origin.0 = x + pen;
        // Blanks have no outline.
        let _ = FACE.outline_glyph(glyph(character), &mut path);
    }
    path.data
}

/// The data of an SVG path in the making.
struct Path {
    data: String,
    /// Where the glyph's origin goes.
    origin: Point,
    scale: f32,
}

impl Path {
    /// The font's y grows upwards.
    fn add(&mut self, command: char, points: &[Point]) {
        self.data.push(command);
        for (x, y) in points {
            let x = self.origin.0 + x * self.scale;
            let y = self.origin.1 - y * self.scale;
            let _ = write!(self.data, "{x:.3} {y:.3} ");
        }
    }
}

impl OutlineBuilder for Path {
    fn move_to(&mut self, x: f32, y: f32) {
        self.add('M', &[(x, y)]);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.add('L', &[(x, y)]);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.add('Q', &[(x1, y1), (x, y)]);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.add('C', &[(x1, y1), (x2, y2), (x, y)]);
    }

    fn close(&mut self) {
        self.add('Z', &[]);
    }
}

/// Each character's pen position, and where the pen ends. The font has no table of kerning.
fn pen_positions(text: &str, size: f32) -> (Vec<f32>, f32) {
    let scale = scale(size);
    let mut pen = 0.0;
    let positions = text.chars().map(|character| {
        let advance = FACE.glyph_hor_advance(glyph(character)).unwrap_or(0);
        let position = pen;
        pen += scale * f32::from(advance);
        position
    });
    (positions.collect(), pen)
}

/// Breaks `text` into lines no wider than `limit`: at line ends, else at blanks, else inside a word.
pub(super) fn wrap(text: &str, size: f32, limit: f32) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in spelled(text).lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let joined = format!("{line}{}{word}", if line.is_empty() { "" } else { " " });
            if text_width(&joined, size) <= limit {
                line = joined;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for character in word.chars() {
                line.push(character);
                if line.chars().nth(1).is_some() && text_width(&line, size) > limit {
                    line.pop();
                    lines.push(std::mem::replace(&mut line, character.to_string()));
                }
            }
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_font_has_the_letters_of_the_mathematics() {
        for character in "βρΣ−±·×≤–…ηλ½".chars() {
            assert_ne!(glyph(character).0, 0, "no glyph for {character}");
        }
    }

    #[test]
    fn letters_that_the_font_lacks_are_spelled_in_those_it_has() {
        for (name, expected) in [
            ("Größe β Ж", "Größe β Ж"),
            ("深い 15 層", "Shen i 15 Ceng"),
            ("עמוק", "`mvq"),
            ("D, गहरा (x2)", "D, ghraa (x2)"),
        ] {
            assert_eq!(spelled(name), expected);
            assert_eq!(is_spelled_out(name), name != expected);
            assert_eq!(
                outline(name, 16.0, (0.0, 0.0)),
                outline(expected, 16.0, (0.0, 0.0))
            );
        }
    }

    #[test]
    fn letters_stand_on_the_baseline_and_blanks_have_no_shape() {
        assert_eq!(outline(" ", 16.0, (0.0, 0.0)), "");
        // The stem of an l: closed, from the baseline at 20 upwards, to the right of 10.
        let stem = outline("l", 16.0, (10.0, 20.0));
        assert!(stem.starts_with('M') && stem.ends_with('Z'), "{stem}");
        let numbers: Vec<f32> = stem
            .split(|c: char| c.is_ascii_alphabetic() || c == ' ')
            .filter_map(|number| number.parse().ok())
            .collect();
        let (x, y): (Vec<f32>, Vec<f32>) = numbers.chunks(2).map(|at| (at[0], at[1])).unzip();
        assert!(x.iter().all(|x| (10.0..16.0).contains(x)), "{stem}");
        assert!(y.iter().all(|y| (5.0..=20.3).contains(y)), "{stem}");
    }

    #[test]
    fn a_text_is_cut_to_its_room() {
        assert_eq!(cut("layer", 16.0, 100.0), "layer");
        let cut = cut("a name that is too long", 16.0, 100.0);
        assert!(
            cut.ends_with('…') && text_width(&cut, 16.0) <= 100.0,
            "{cut}"
        );
    }

    #[test]
    fn wrapped_lines_fit_and_lose_no_letters() {
        let text = "kurtosis 20.1\nradius of gyration 5.0 pixels and aveeeeeeeeeeeeeeeeeeeeeeeeerylongword";
        let lines = wrap(text, 16.0, 120.0);
        assert!(lines.len() > 3);
        assert!(lines.iter().all(|line| text_width(line, 16.0) <= 120.0));
        let letters = |text: &str| -> String { text.split_whitespace().collect() };
        assert_eq!(letters(&lines.concat()), letters(text));
    }
}
