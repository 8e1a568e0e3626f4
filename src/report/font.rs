//! The one typeface of every picture: Ubuntu Light, embedded, so that pictures look the same on every machine.
//!
//! It has the Latin, Greek and Cyrillic letters. A font for all others would be larger than the rest of the program,
//! and their rules of joining another library; letters that it lacks are therefore spelled in Latin ones. SVG and
//! page keep them, for the reader's machine has fonts of its own.
//!
//! Sizes are CSS pixels per em, as in SVG.

use std::borrow::Cow;
use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, OutlinedGlyph, PxScale, ScaleFont, point};
use deunicode::deunicode;

static FACE: LazyLock<FontRef<'static>> = LazyLock::new(|| {
    FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT)
        .expect("the embedded font is a valid TrueType file")
});

/// `ab_glyph` scales by line height, everybody else by em.
fn scale(size: f32) -> PxScale {
    let per_em = FACE.units_per_em().unwrap_or(1000.0);
    PxScale::from(size * FACE.height_unscaled() / per_em)
}

/// Whether pictures show `text` in other letters than its own.
#[must_use]
pub fn is_spelled_out(text: &str) -> bool {
    text.chars().any(is_missing)
}

fn is_missing(character: char) -> bool {
    !character.is_whitespace() && FACE.glyph_id(character).0 == 0
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

/// The outlines of `text`, the first pen position at `x` on the baseline `y`. Blanks have no outline.
pub(super) fn outlines(text: &str, size: f32, x: f32, y: f32) -> Vec<OutlinedGlyph> {
    let text = spelled(text);
    let (positions, _) = pen_positions(&text, size);
    text.chars()
        .zip(positions)
        .filter_map(|(character, pen)| {
            let glyph = FACE
                .glyph_id(character)
                .with_scale_and_position(scale(size), point(x + pen, y));
            FACE.outline_glyph(glyph)
        })
        .collect()
}

/// Each character's pen position, and where the pen ends.
fn pen_positions(text: &str, size: f32) -> (Vec<f32>, f32) {
    let face = FACE.as_scaled(scale(size));
    let mut pen = 0.0;
    let mut previous = None;
    let mut positions = Vec::with_capacity(text.len());
    for character in text.chars() {
        let glyph = face.glyph_id(character);
        if let Some(before) = previous.replace(glyph) {
            pen += face.kern(before, glyph);
        }
        positions.push(pen);
        pen += face.h_advance(glyph);
    }
    (positions, pen)
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
            assert_ne!(FACE.glyph_id(character).0, 0, "no glyph for {character}");
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
            let drawn = outlines(name, 16.0, 0.0, 0.0).len();
            let letters = expected.chars().filter(|c| !c.is_whitespace()).count();
            assert_eq!(drawn, letters, "a shape for every letter of {name}");
        }
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
