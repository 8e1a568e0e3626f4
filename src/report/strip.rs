//! Pictures in rows, to be compared down the columns: inputs, and what became of each.

use super::drawing::{Anchor, Drawing, FAINT_INK, INK};
use super::thumbnails::{PictureShape, shade};
use super::{ReportError, font};

/// About how wide a picture is, in pixels of the figure.
const WIDTH: f64 = 84.0;
const MOST_SIDE: usize = 96;
const MARGIN: f32 = 24.0;
const BETWEEN: usize = 8;
const NAMES_WIDTH: f32 = 190.0;
const TITLE_SIZE: f32 = 22.0;
const NAME_SIZE: f32 = 18.0;
const LINE_HEIGHT: f32 = 1.35;

/// A row of pictures, one in each column.
#[derive(Debug, Clone)]
pub struct StripRow {
    /// What the pictures are: `input`.
    pub name: &'static str,
    /// All of one shape.
    pub pictures: Vec<Vec<f32>>,
    /// What is black and what is white.
    pub range: (f64, f64),
}

/// Rows that belong together, under a title.
#[derive(Debug, Clone)]
pub struct StripGroup {
    /// As `β = 0.1, explained variance 0.91`; may be empty.
    pub title: String,
    /// From top to bottom.
    pub rows: Vec<StripRow>,
}

/// The groups one under the other, with a word over each column and remarks below, as a PNG.
///
/// # Errors
///
/// Returns [`ReportError`] if there is nothing to draw, or the picture is too large.
pub fn strip(
    columns: &[String],
    groups: &[StripGroup],
    shape: PictureShape,
    remarks: &[String],
) -> Result<Vec<u8>, ReportError> {
    if columns.is_empty() || groups.is_empty() {
        return Err(ReportError::NoGrids);
    }
    let reduction = shape.reduction(MOST_SIDE);
    let shown = shape.reduced(reduction);
    let zoom = (WIDTH / shown.height.max(shown.width) as f64)
        .round()
        .max(1.0) as usize;
    let (height, width) = (zoom * shown.height, zoom * shown.width);
    let lefts = (MARGIN + NAMES_WIDTH) as usize;
    let left = |column: usize| lefts + column * (width + BETWEEN);
    let whole_width = left(columns.len()) as f32 + MARGIN;
    let mut drawing = Drawing::new((whole_width, 0.0));
    let mut top = MARGIN;
    for (column, words) in columns.iter().enumerate() {
        let at = (left(column) as f32 + width as f32 / 2.0, top + NAME_SIZE);
        drawing.text(words, at, NAME_SIZE, FAINT_INK, Anchor::Middle);
    }
    top += NAME_SIZE * LINE_HEIGHT + 4.0;
    let mut tops = Vec::new();
    for group in groups {
        if !group.title.is_empty() {
            top += 10.0;
            for line in font::wrap(&group.title, TITLE_SIZE, whole_width - 2.0 * MARGIN) {
                drawing.text(
                    &line,
                    (MARGIN, top + TITLE_SIZE),
                    TITLE_SIZE,
                    INK,
                    Anchor::Start,
                );
                top += TITLE_SIZE * LINE_HEIGHT;
            }
            top = (top + 6.0).round();
        }
        for row in &group.rows {
            let middle = top + height as f32 / 2.0 + 0.35 * NAME_SIZE;
            drawing.text(
                row.name,
                (MARGIN, middle),
                NAME_SIZE,
                FAINT_INK,
                Anchor::Start,
            );
            tops.push((row, top as usize));
            top += (height + BETWEEN) as f32;
        }
    }
    top += 6.0;
    for line in remarks {
        for line in font::wrap(line, NAME_SIZE, whole_width - 2.0 * MARGIN) {
            drawing.text(
                &line,
                (MARGIN, top + NAME_SIZE),
                NAME_SIZE,
                FAINT_INK,
                Anchor::Start,
            );
            top += NAME_SIZE * LINE_HEIGHT;
        }
    }
    drawing.height = top + MARGIN;
    let mut pixels = drawing.pixels(1.0)?;
    for (row, top) in tops {
        for (column, picture) in row.pictures.iter().enumerate() {
            let picture = shape.smaller(picture.clone(), reduction);
            for (at, pixel) in picture.chunks_exact(shape.channels).enumerate() {
                let corner = (
                    left(column) + at % shown.width * zoom,
                    top + at / shown.width * zoom,
                );
                pixels.fill(corner, (zoom, zoom), shade(pixel, row.range.0, row.range.1));
            }
        }
    }
    pixels.png()
}

#[cfg(test)]
mod tests {
    use super::super::drawing::Colour;
    use super::super::drawing::tests::decoded;
    use super::*;

    #[test]
    fn pictures_stand_in_their_columns_on_the_scale_of_their_row() {
        let shape = PictureShape {
            height: 1,
            width: 1,
            channels: 1,
        };
        let row = |name, range| StripRow {
            name,
            pictures: vec![vec![0.0], vec![1.0]],
            range,
        };
        let groups = [StripGroup {
            title: String::new(),
            rows: vec![row("input", (0.0, 1.0)), row("error", (-1.0, 1.0))],
        }];
        let columns = ["a".to_owned(), "b".to_owned()];
        let png = strip(&columns, &groups, shape, &[]).expect("a picture");
        let pixels = decoded(&png);
        // Pictures of 84 pixels, 8 apart, from 214 on; the first row from 24 + 18 · 1.35 + 4 on.
        let at = |column: usize, row: usize| pixels.at(214 + 92 * column + 40, 53 + 92 * row + 40);
        assert_eq!([at(0, 0), at(1, 0)], [Colour([0; 3]), Colour([255; 3])]);
        assert_eq!([at(0, 1), at(1, 1)], [Colour([128; 3]), Colour([255; 3])]);
        assert!(strip(&[], &groups, shape, &[]).is_err());
    }
}
